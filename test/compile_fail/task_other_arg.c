/* A task started with another argument.
 * gcc: expected .struct job \*. but argument is of type .struct other \*.
 * clang: incompatible pointer types passing 'struct other \*' to parameter of type 'struct job \*' */
#include <leat.h>

struct job { int number; };
struct other { int number; };
leat_err work(struct job *j);

leat_err start(leat_group *g)
{
    return leat_go(g, work, (struct other){ 1 });
}
