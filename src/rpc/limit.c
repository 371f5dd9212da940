/* limit.c - so many at a time, so many more wait, in the order in which they came: see include/leat/call.h and limit.h.
 *
 * Laws
 *  running <= at_most.running; waiting = the tickets in the row <= at_most.waiting; nobody is in the row while running is less.
 *  A ticket is let in by whoever made room, in that moment, and joins the next row in that same moment: so two rows one after the other
 *  keep one order.  Locks in that direction: a peer's, then a service's, never two of one sort. */
#include "rpc/limit.h"
#include "rpc/calls.h"
#include "run/err.h"
#include "run/report.h"
#include "run/waiter.h"

enum { NOWHERE, WAITS, IN, OVER };                   /* where a ticket is.  OVER: there was no room to wait */

static bool limit_place(const struct waiter *x, struct wait_place *ret)
{
    struct ticket *t = x->owner;
    ret->lock = &t->at->lock;
    ret->q = &t->wake;
    return true;
}

static WAIT_KIND wait_limit = { .what = "waits for its turn among what runs for peers", .place = limit_place };

static void in_locked(struct ticket *t)
{
    t->state = IN;
    if (t->then)
        limit_come(t->next_at, t->then, NULL, NULL);
    calls_wake(&t->wake);
}

void limit_come(struct limit *l, struct ticket *t, struct limit *next_at, struct ticket *then)
{
    *t = (struct ticket){ .at = l, .next_at = next_at, .then = then };
    if (!l) {
        in_locked(t);                                /* nobody else knows it */
        return;
    }
    lock(&l->lock);
    if (l->running < l->at_most.running) {
        l->running++;
        in_locked(t);
    } else if (l->waiting < l->at_most.waiting) {
        l->waiting++;
        t->state = WAITS;
        t->prev = l->last;
        *(l->last ? &l->last->next : &l->first) = t;
        l->last = t;
    } else {
        t->state = OVER;
    }
    unlock(&l->lock);
}

static void out_of_row_locked(struct limit *l, struct ticket *t)
{
    *(t->prev ? &t->prev->next : &l->first) = t->next;
    *(t->next ? &t->next->prev : &l->last) = t->prev;
    l->waiting--;
}

leat_err limit_wait(struct ticket *t, const char *what)
{
    struct limit *l = t->at;
    leat_err err = LEAT_AGAIN;
    if (!l)
        return LEAT_OK;
    lock(&l->lock);
    while (t->state == WAITS && err == LEAT_AGAIN) {
        struct waiter me = { .task = task_self(), .owner = t, .kind = &wait_limit };
        waiter_add(&t->wake, &me);
        me.task->on = &me;
        at_store(&me.task->park, PARK_WAIT);
        unlock_fence(&l->lock);
        uint32_t why = task_wait(me.task);
        err = why == PARK_CHAN ? LEAT_AGAIN : task_wait_err(me.task, why);
        lock(&l->lock);
        if (me.on)
            waiter_del(&t->wake, &me);
    }
    uint8_t state = t->state;
    if (state == WAITS) {
        out_of_row_locked(l, t);
        t->state = NOWHERE;
    }
    unlock(&l->lock);
    if (state == OVER)
        return leat_fail(LEAT_LIMIT, "%s: %u run and %u wait already", what, l->at_most.running, l->at_most.waiting);
    return state == IN ? LEAT_OK : err;
}

void limit_leave(struct ticket *t)
{
    struct limit *l = t->at;
    if (!l)
        return;
    lock(&l->lock);
    if (t->state == WAITS)
        out_of_row_locked(l, t);
    if (t->state == IN) {
        struct ticket *next = l->first;
        if (next)
            out_of_row_locked(l, next);
        else
            l->running--;
        if (next)
            in_locked(next);
    }
    t->state = NOWHERE;
    unlock(&l->lock);
}
