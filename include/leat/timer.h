/* leat/timer.h - timers, tickers, and tasks that begin later: at a time, or when a context is over.  Part of leat.h.
 *
 * Most waits need none of it: leat_sleep, leat_on_after in a select, leat_with_deadline.  A timer belongs to the leat_run of the task
 * that makes it: a thread that is no task gets INVAL, but may do anything else with it.  When that leat_run has ended it never ticks. */
#ifndef LEAT_H
#include "../leat.h"                               /* read alone, it still works */
#endif
#ifndef LEAT_TIMER_H
#define LEAT_TIMER_H

leat_rx(leat_time) leat_ticker(leat_dur every);      /* [owned: leat_unref] capacity 1, late ticks are dropped.  NULL: no
                            memory, a period that is not longer than nothing, or a thread that is no task: leat_err_detail() says which */

typedef struct leat_timer leat_timer;                /* stop and reset: by any task, also two at once; close by the last one */
LEAT_CHECK leat_err leat_timer_open(leat_dur d, leat_timer **ret);         /* [owned: leat_timer_close] ticks once; INVAL, NOMEM */
LEAT_CHECK leat_err leat_ticker_open(leat_dur every, leat_timer **ret);    /* [owned: leat_timer_close] INVAL: not longer than nothing */
leat_rx(leat_time) leat_timer_rx(leat_timer *t);     /* borrowed; capacity 1, late ticks are dropped; NULL: of NULL or a timer_func */
/* After stop, reset and close no tick of before is ever received.  They never close the channel: who waits for a tick that does not
 * come waits on.  Stop and reset say whether there was something to stop: a tick or call that had not come yet, or a tick that nobody
 * had received. */
bool leat_timer_stop(leat_timer *t);
LEAT_CHECK leat_err leat_timer_reset(leat_timer *t, leat_dur d, bool *was);    /* as if opened anew; was may be NULL.  INVAL: t is NULL, or
                            a ticker without a period; of a leat_timer_func: NOMEM, LIMIT, CANCELED, and INVAL on a thread that is no
                            task if its group is NULL.  On an error, but for a NULL, it is stopped */
void leat_timer_close(leat_timer *t);                /* stops it */
/* fn(arg) as a task of the group after d, as leat_go would start it; until then it counts in the group, is bound by the deadline of the
 * task that starts it (DEADLINE is the task's error then), and a cancel of the group ends it unbegun.  What it takes is taken now, but
 * for its stack: a task that finds no memory for that does not run, and has NOMEM.  [owned: leat_timer_close]  NOMEM, LIMIT, CANCELED;
 * group NULL: ends with leat_run */
#define leat_timer_func(ret, group, d, fn, ...)  LEAT_TIMER_FUNC_(ret, group, d, fn, __VA_ARGS__)

/* fn(arg) as a task of its own (group NULL) when ctx is over: cancelled, past the deadline that it had when this was called, or at the
 * end of its block.  It runs outside of ctx.  ctx NULL: the context of the calling task.  [task] [owned: leat_after_close]  NOMEM, LIMIT,
 * CANCELED.  As of any task without a group: if it finds no memory for a stack, it does not run, and the log says so */
typedef struct leat_after leat_after;
#define leat_after_func(ret, ctx, fn, ...)       LEAT_AFTER_FUNC_(ret, ctx, fn, __VA_ARGS__)
bool leat_after_stop(leat_after *a);                 /* true: it will not run; false: it has begun, or was stopped before, or a is NULL */
void leat_after_close(leat_after *a);                /* stops it */
#endif
