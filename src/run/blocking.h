/* blocking.h - a pool of threads for calls that block theirs (blocking.c). */
#ifndef RUN_BLOCKING_H
#define RUN_BLOCKING_H
#include "leat.h"
#undef errno

struct rt;
void blocking_end(struct rt *rt);                    /* joins its threads; no call is under way but those that were left */
bool blocking_busy(struct rt *rt);                   /* a call is queued or under way that a task waits for, or that was left */
size_t blocking_threads(struct rt *rt, int32_t *tid, size_t max);    /* of its threads */

/* leat_blocking for a call that no signal ends, such as a look-up of names: when the context ends it early, the task leaves it behind.
 * Then *left is true, and drop(arg) is called when fn has returned, perhaps after the runtime's end.  fn runs without the
 * task's context and must not use it. */
LEAT_CHECK leat_err blocking_leave(leat_fn_ *fn, void *arg, void (*drop)(void *arg), bool *left);
/* The same from a thread that is no task: on this thread when nothing could end the wait, else on one more (alone.c). */
LEAT_CHECK leat_err blocking_alone(leat_fn_ *fn, void *arg, void (*drop)(void *arg), bool *left);
#endif
