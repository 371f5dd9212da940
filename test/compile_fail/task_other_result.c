/* A task that returns no leat_err.
 * gcc: static assertion failed: "a task returns leat_err: work does not
 * clang: static.assert(ion)? failed.*a task returns leat_err: work does not */
#include <leat.h>

struct job { int number; };
int *work(struct job *j);

leat_err start(leat_group *g)
{
    return leat_go(g, work, (struct job){ 1 });
}
