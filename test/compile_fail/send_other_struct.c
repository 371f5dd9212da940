/* Send a struct of another type.
 * gcc: invalid initializer|incompatible types when initializing type .struct job. using type .struct other.
 * clang: initializing 'struct job' with an expression of incompatible type 'struct other' */
#include <leat.h>

struct job { int number; };
struct other { int number; };

leat_err put(leat_tx(struct job) c, struct other v)
{
    return leat_send(c, v);
}
