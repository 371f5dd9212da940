/* sync_wait.c - the wait that the sync types share. */
#include <stdio.h>
#include <stdlib.h>
#include "chan/sync.h"
#include "run/err.h"

void bug(const char *text)
{
    fprintf(stderr, "leat: %s\n", text);
    abort();
}

void sync_describe(struct report *r, const struct waiter *x)
{
    report_pointer(r, x->owner);
}

bool sync_may_end(const struct waiter *x, seen_fn *seen, void *arg)
{
    return seen(arg, x->owner);
}

/* A hint leaves it where it is in the queue. */
leat_err sync_wait(_Atomic uint32_t *l, struct waiters *q, struct waiter *me)
{
    waiter_add(q, me);
    for (;;) {
        me->task->on = me;
        at_store(&me->task->park, PARK_WAIT);
        unlock_fence(l);
        uint32_t why = task_wait(me->task);
        if (likely(why == PARK_CHAN))
            return LEAT_OK;
        leat_err e = task_wait_err(me->task, why);
        lock(l);
        if (me->ok) {
            unlock(l);
            return LEAT_OK;
        }
        if (e != LEAT_AGAIN) {
            waiter_del(q, me);
            return e;
        }
    }
}
