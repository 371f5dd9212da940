/* waiter.h - queues of tasks that wait, in the order they came.  Under the lock of the queue's owner. */
#ifndef RUN_WAITER_H
#define RUN_WAITER_H
#include "run/sched.h"

static inline void waiter_add(struct waiters *q, struct waiter *x)
{
    x->next = NULL;
    x->prev = q->tail;
    if (q->tail)
        q->tail->next = x;
    else
        at_store(&q->head, x);
    q->tail = x;
    x->on = true;
}

static inline void waiter_del(struct waiters *q, struct waiter *x)
{
    if (x->prev)
        x->prev->next = x->next;
    else
        at_store(&q->head, x->next);
    if (x->next)
        x->next->prev = x->prev;
    else
        q->tail = x->prev;
    x->on = false;
}

/* Takes waiters off the front until one is found whose wait nobody else has ended; that one is ours to make ready. */
static inline struct waiter *waiter_claim(struct waiters *q)
{
    for (struct waiter *x; (x = at_load(&q->head)); ) {
        struct waiter *next = x->next;
        at_store(&q->head, next);
        if (next)
            next->prev = NULL;
        else
            q->tail = NULL;
        x->on = false;
        if (likely(task_claim(x->task, PARK_CHAN)))
            return x;
    }
    return NULL;
}

/* For who is in a hurry: takes x, the first one, *t is its task.  false: not without a second look, and x is where it was. */
static inline __attribute__((always_inline)) bool waiter_claim_first(struct waiters *q, struct waiter *x, struct task **t)
{
    uint32_t e = PARK_WAIT;
    *t = x->task;
    if (unlikely(!atomic_compare_exchange_strong_explicit(&(*t)->park, &e, PARK_CHAN, ACQ_REL, RLX)))
        return false;
    struct waiter *next = x->next;
    at_store(&q->head, next);
    if (unlikely(next != NULL))
        next->prev = NULL;
    else
        q->tail = NULL;
    x->on = false;
    return true;
}

static inline void waiter_served(struct waiter *x, struct task *t)
{
    x->ok = true;
    t->win = x;
}

static inline void waiter_win(struct waiter *x, bool ok)
{
    x->ok = ok;
    x->task->win = x;
}
#endif
