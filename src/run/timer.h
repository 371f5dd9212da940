/* timer.h - a hierarchical wheel per worker.  For run/. */
#ifndef RUN_TIMER_H
#define RUN_TIMER_H
#include "run/task.h"

void wheel_init(struct wheel *h, int64_t now);
/* Runs what is due in w's wheel; woken tasks become ready on `into`, some at a time.  Returns when the next tick needs work (ns, a lower
 * bound; not after `now`: at once) or NEVER.  `into` is the caller's own worker. */
int64_t timers_run(struct worker *w, struct worker *into, int64_t now);
int64_t timers_next(struct worker *w);               /* when the first timer is due, or a little before: for a sleep */
/* Whether one of its timers will bring anything about, in words; null: none of the first ones, which only look at a task that waits
 * for no time any more. */
const char *timers_ring(struct worker *w);
void timer_stop(struct timer *t);                    /* of a task */
/* Puts t, which is in no wheel, into that of w; now: the clock, at most a little old.  Who is not w wakes it then (idle_wake). */
void wheel_start(struct worker *w, struct timer *t, int64_t when, int64_t now);
bool wheel_stop(struct wheel *h, struct timer *t);   /* false: it was not in it */
#endif
