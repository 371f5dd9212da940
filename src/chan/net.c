/* net.c - the side of a channel that sess/ sees: slots reserved for sites, credits of a site.  See chan.h for each contract. */
#include <assert.h>
#include <string.h>
#include "base/base.h"
#include "chan/chan.h"
#include "chan/edges.h"
#include "run/err.h"

/* A select that would send here must say so to the home now: it looks again. */
static void wake_selects(leat_chan_ *c)
{
    for (struct waiter *next, *x = c->sq.head; x; x = next) {
        next = x->next;
        if (x->plain)
            continue;
        waiter_del(&c->sq, x);
        if (task_claim(x->task, PARK_CHAN)) {
            x->err = LEAT_AGAIN;
            waiter_win(x, false);
            task_ready(worker_self(), x->task);
        }
    }
}

void chan_attach_locked(leat_chan_ *c, struct chan_net *net, const struct leat_type *type, bool site)
{
    assert(!c->net && !(site && at_load(&c->count)));
    c->net = net;
    c->type = type;
    at_store(&c->site, site);
    if (site) {
        at_store(&c->count, c->cap);                 /* all credits are elsewhere */
        if (c->cap == 0)
            wake_selects(c);
    }
}

void chan_hold(leat_chan_ *c)
{
    atomic_fetch_add_explicit(&c->holds, 1, RLX);
}

leat_chan_ *chan_ref_again(leat_chan_ *c, int ends)
{
    uint32_t n = at_load(&c->refs);
    while (n && !atomic_compare_exchange_weak_explicit(&c->refs, &n, n + 1, RLX, RLX))
        ;
    lock(&c->lock);
    if (!n && atomic_fetch_add_explicit(&c->refs, 1, RLX) == 0)      /* who took the last reference gives up its hold: another */
        atomic_fetch_add_explicit(&c->holds, 1, RLX);
    c->senders += (ends & LEAT_TX_END_) != 0;
    c->txs += (ends & LEAT_TX_END_) != 0;
    c->rxs += (ends & LEAT_RX_END_) != 0;
    unlock(&c->lock);
    return c;
}

void *chan_elem_locked(leat_chan_ *c, uint32_t i)
{
    assert(i < at_load(&c->count) && !at_load(&c->site));
    i += c->read;
    return c->buf + (size_t)(i >= c->cap ? i - c->cap : i) * c->size;
}

chan_drop_fn *_Atomic chan_drop_value;

struct chan_left chan_forget_elems_locked(leat_chan_ *c)
{
    struct chan_left left = { .at = c->read, .n = at_load(&c->count) };
    assert(!at_load(&c->site));
    at_store(&c->count, 0);
    c->read = 0;
    return left;
}

void chan_drop_left(leat_chan_ *c, const struct leat_type *type, chan_drop_fn *drop, struct chan_left left)
{
    for (; left.n && type; left.n--, left.at = left.at + 1 == c->cap ? 0 : left.at + 1)
        drop(type, c->buf + (size_t)left.at * c->size);
}

void chan_describe(leat_chan_ *c, const struct leat_type *type, chan_drop_fn *drop)
{
    at_store(&chan_drop_value, drop);
    lock(&c->lock);
    if (!c->type)
        c->type = type;
    unlock(&c->lock);
}

uint32_t chan_reserve_locked(leat_chan_ *c, uint32_t want)
{
    uint32_t free_ = c->cap - at_load(&c->count) - c->reserved, n = MIN(free_, want);
    c->reserved += n;
    return n;
}

void chan_unreserve_locked(leat_chan_ *c, uint32_t n)
{
    assert(n <= c->reserved);
    c->reserved -= n;
    if (c->closed)
        return;
    for (struct waiter *s; n && c->sq.head && (s = waiter_claim(&c->sq)); n--) {
        struct task *wake;
        leat_err e;
        if (chan_send_locked(c, s->val, &wake, &e) != CHAN_DONE)
            assert(!"a slot was free");
        waiter_win(s, true);
        if (wake)
            task_ready(worker_self(), wake);
        task_ready(worker_self(), s->task);
    }
}

void chan_put_reserved_locked(leat_chan_ *c, const void *v, struct task **wake)
{
    leat_err e;
    assert(c->reserved);
    c->reserved--;
    uint8_t closed = c->closed;
    at_store(&c->closed, 0);                                  /* what was under way when the channel closed is still received */
    enum chan_try r = chan_send_locked(c, v, wake, &e);
    at_store(&c->closed, closed);
    assert(r == CHAN_DONE);
    (void)r;
    if (*wake && at_load(&c->needy))
        c->net->ops->room(c);                        /* it went past the buffer: its slot is free again */
}

void *chan_slot_locked(leat_chan_ *c)
{
    uint32_t i = c->read + at_load(&c->count);
    assert(c->reserved && !at_load(&c->rq.head));
    i = i >= c->cap ? i - c->cap : i;
    edge_fill(c, i);
    return c->buf + (size_t)i * c->size;
}

void chan_filled_locked(leat_chan_ *c)
{
    c->reserved--;
    at_store(&c->count, at_load(&c->count) + 1);
}

struct waiter *chan_credit_locked(leat_chan_ *c, uint32_t n)
{
    struct waiter *s, *first = NULL, **last = &first;
    uint32_t used = at_load(&c->count);
    assert(n <= used);
    used -= n;
    while (used + c->reserved < c->cap && !c->closed && c->sq.head && (s = waiter_claim(&c->sq))) {
        leat_err e = c->net->ops->put(c, s->val);
        if (e == LEAT_OK)
            used++;
        else if (e != LEAT_AGAIN)
            err_give(s->task, err_take(task_self(), e), e);
        s->err = (uint8_t)e;
        s->left = true;
        waiter_win(s, e == LEAT_OK);
        s->next = NULL;
        *last = s;
        last = &s->next;
    }
    at_store(&c->count, used);
    return first;
}

uint32_t chan_idle_credits_locked(leat_chan_ *c)
{
    return c->cap - at_load(&c->count) - c->reserved;
}

uint32_t chan_take_credits_locked(leat_chan_ *c, uint32_t n)
{
    n = MIN(n, chan_idle_credits_locked(c));
    at_store(&c->count, at_load(&c->count) + n);
    return n;
}

struct waiter *chan_settle_locked(leat_chan_ *c, struct waiter *me, leat_err e)
{
    if (me->on)
        waiter_del(&c->sq, me);
    me->ok = e == LEAT_OK;
    me->left = true;
    me->err = (uint8_t)e;
    if (!task_claim(me->task, PARK_CHAN))
        return NULL;                                 /* awake already: it looks at me when it comes to undo its wait */
    me->task->win = me;
    me->next = NULL;
    return me;
}

uint32_t chan_senders_waiting_locked(const leat_chan_ *c)
{
    uint32_t n = 0;
    for (const struct waiter *x = at_load(&c->sq.head); x; x = x->next)
        n++;
    return n;
}

bool chan_receiver_waits_locked(const leat_chan_ *c)
{
    const struct waiter *x = at_load(&c->rq.head);
    while (x && at_load(&x->task->park) != PARK_WAIT && at_load(&x->task->park) != PARK_NAP)
        x = x->next;
    return x != NULL;
}

bool chan_receiver_waits_but_locked(const leat_chan_ *c, const struct task *t)
{
    const struct waiter *x = at_load(&c->rq.head);
    while (x && (x->task == t || (at_load(&x->task->park) != PARK_WAIT && at_load(&x->task->park) != PARK_NAP)))
        x = x->next;
    return x != NULL;
}

bool chan_receiver_tries_locked(const leat_chan_ *c)
{
    const struct waiter *x = at_load(&c->rq.head);
    while (x && at_load(&x->task->park) != PARK_TRY)
        x = x->next;
    return x != NULL;
}

bool chan_invite_locked(leat_chan_ *c, struct waiter *x)
{
    if (!task_claim(x->task, PARK_TRY))
        return false;
    waiter_del(&c->sq, x);
    x->task->win = x;
    task_ready(worker_self(), x->task);
    return true;
}

void chan_over_locked(leat_chan_ *c)
{
    at_store(&c->ended, 1);
    chan_drained_locked(c);
}
