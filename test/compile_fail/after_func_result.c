/* What runs at the end of a context returns a leat_err like any task.
 * gcc: a task returns leat_err: work does not
 * clang: a task returns leat_err: work does not */
#include <leat.h>

struct job { int number; };
void work(struct job *j);

leat_err start(leat_ctx *ctx, leat_after **a)
{
    return leat_after_func(a, ctx, work, (struct job){ 1 });
}
