/* A call at a time with another argument.
 * gcc: expected .struct job \*. but argument is of type .struct other \*.
 * clang: incompatible pointer types passing 'struct other \*' to parameter of type 'struct job \*' */
#include <leat.h>

struct job { int number; };
struct other { int number; };
leat_err work(struct job *j);

leat_err start(leat_timer **t)
{
    return leat_timer_func(t, NULL, LEAT_S(1), work, (struct other){ 1 });
}
