/* alarm.h - a call at a time, on a worker's wheel: what timers and tickers are made of.
 *
 * An alarm belongs to the runtime of the task that opened it; when that has ended it never rings.  Any thread may set and stop it, one
 * at a time: its owner has a lock for that.  `ring` runs under the lock of the wheel.  So once alarm_stop has returned no ring is
 * under way, and none comes. */
#ifndef RUN_ALARM_H
#define RUN_ALARM_H
#include "run/task.h"

struct alarm_home;                                   /* what outlives a runtime, so that an alarm can find out that it has ended */

struct alarm {
    struct timer timer;                              /* its task is null: by that the wheel knows an alarm */
    /* [wheel locked] must not block, nor set or stop an alarm.  into: the caller's worker; what becomes ready, becomes so there.  NULL:
     * the runtime ends.  false: it is gone, its memory too perhaps. */
    bool (*ring)(struct alarm *a, int64_t now, struct worker *into);
    int64_t every;                                   /* ns, 0: once */
    struct alarm_home *home;
};

leat_err alarm_open(struct alarm *a, bool (*ring)(struct alarm *, int64_t, struct worker *));   /* INVAL: not a task; NOMEM */
bool alarm_set(struct alarm *a, int64_t when, int64_t every);        /* true: it was set, and has not rung */
bool alarm_stop(struct alarm *a);                    /* the same */
int64_t alarm_now(struct alarm *a);                  /* the clock of its world */
void alarm_close(struct alarm *a);                   /* of a stopped one, or in ring before it returns false */

int64_t alarm_ring(struct timer *t, int64_t now, struct worker *into);         /* for the wheel: when it rings again, or NEVER */
void alarms_end(struct rt *rt);                      /* no task is left, and no worker but the caller's */
#endif
