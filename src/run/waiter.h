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

static inline void waiter_add_first(struct waiters *q, struct waiter *x)
{
    x->prev = NULL;
    x->next = at_load(&q->head);
    if (x->next)
        x->next->prev = x;
    else
        q->tail = x;
    at_store(&q->head, x);
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

static inline void waiter_win(struct waiter *x, bool ok)
{
    x->ok = ok;
    x->task->win = x;
}
#endif
