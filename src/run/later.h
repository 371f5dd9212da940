/* later.h - a task that begins later: at a time, or when a context is over.  For chan/, which makes timers and after-functions of it.
 *
 * It is an ordinary fresh task that waits before it has a stack: its record is made at once, so that nothing can fail when its time
 * comes, its park word is PARK_WAIT, its timer is armed, and it is registered in its group's context.  Whoever ends the wait makes
 * it ready, and how it ended says what it does: PARK_TIMER, PARK_CHAN (the context is over): it runs fn; PARK_CANCEL (stopped, or its
 * group is cancelled): it ends.  Until it begins it counts in its group. */
#ifndef RUN_LATER_H
#define RUN_LATER_H
#include "run/task.h"

struct later;

struct later_call { leat_fn_ *fn; const leat_site_ *site; const void *arg; size_t len; };
leat_err later_open(const struct later_call *call, leat_group *g, struct later **ret);     /* NOMEM; g NULL: ends with leat_run */
void later_close(struct later *l);                   /* stops it */
/* A new task, at `due`.  over: or when this context is over, which has no deadline of its own for the task then.  INVAL, NOMEM, LIMIT,
 * CANCELED: its group is. */
leat_err later_start(struct later *l, int64_t due, leat_ctx *over);
bool later_stop(struct later *l);                    /* true: it was to begin, and will not */

/* In a context's list (ctx.c). */
struct after { struct after *next, **pprev; leat_ctx *ctx; struct task *task; };
bool ctx_after_add(leat_ctx *c, struct after *a);    /* false: c is over already */
void ctx_after_remove(struct after *a);
void ctx_over(leat_ctx *c);                          /* c ends: what waits for that begins */
#endif
