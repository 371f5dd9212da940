/* sync.h - what the sync types have in common: how their waiters wait, and what happens to a caller's mistake.  For chan/.
 *
 * Each type is a few words and queues of waiters under a spinlock.  A waker claims waiters under the lock, gives them what they
 * wait for there, lets go of the lock and makes them ready: so who waits has it when its call returns, a cancel that comes then is
 * too late, and no waker touches the object after the last waiter may know of it. */
#ifndef CHAN_SYNC_H
#define CHAN_SYNC_H
#include "chan/chan.h"
#include "run/report.h"

void bug(const char *text) __attribute__((noreturn, cold));          /* the caller's: says so and aborts */
static inline void bug_if(bool wrong, const char *text)
{
    if (unlikely(wrong))
        bug(text);
}

/* [l held] Queues me and waits until its turn has come: OK, l is free.  CANCELED, DEADLINE: it is off the queue, and l is held again. */
leat_err sync_wait(_Atomic uint32_t *l, struct waiters *q, struct waiter *me);

/* For the wait_kinds: me.owner is the object, and whoever can reach it may end the wait. */
void sync_describe(struct report *r, const struct waiter *x);
bool sync_may_end(const struct waiter *x, seen_fn *seen, void *arg);

/* Puts a claimed waiter at the end of a list for chan_wake. */
static inline void sync_chain(struct waiter ***end, struct waiter *x)
{
    x->next = NULL;
    **end = x;
    *end = &x->next;
}

/* [lock held] The turn of x has come.  Whatever else may have ended its wait just now, it finds that out: so who came first is first. */
static inline void sync_grant(struct waiters *q, struct waiter *x, struct waiter ***end)
{
    waiter_del(q, x);
    x->ok = true;
    if (likely(task_claim(x->task, PARK_CHAN)))
        sync_chain(end, x);
}

bool mutex_held(const leat_mutex *m);
void mutex_relock(leat_mutex *m);                    /* [blocks] whatever the context and the deadline */
#endif
