/* net.c - the side of a channel that sess/ sees: slots reserved for sites, credits of a site.  See chan.h for each contract. */
#include <assert.h>
#include <string.h>
#include "base/base.h"
#include "chan/chan.h"

void chan_attach(leat_chan_ *c, struct chan_net *net, const struct leat_type *type, bool site)
{
    lock(&c->lock);
    assert(!c->net);
    c->net = net;
    c->type = type;
    c->site = site;
    if (site)
        at_store(&c->count, c->cap);                 /* all credits are elsewhere */
    atomic_fetch_add_explicit(&c->holds, 1, RLX);
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
    for (struct waiter *s; n && at_load(&c->sq.head) && (s = waiter_claim(&c->sq)); n--) {
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

void chan_put_reserved(leat_chan_ *c, const void *v)
{
    struct task *wake = NULL;
    leat_err e;
    lock(&c->lock);
    assert(c->reserved);
    c->reserved--;
    uint8_t closed = c->closed;
    at_store(&c->closed, 0);                                   /* what was under way when the channel closed is still received */
    enum chan_try r = chan_send_locked(c, v, &wake, &e);
    at_store(&c->closed, closed);
    assert(r == CHAN_DONE);
    (void)r;
    if (wake && c->needy && at_load(&c->count) + c->reserved < c->cap)
        c->net->ops->room(c);                        /* it went past the buffer: its slot is free again */
    unlock(&c->lock);
    if (wake)
        task_ready(worker_self(), wake);
}

void chan_credit(leat_chan_ *c, uint32_t n)
{
    struct waiter *s, *first = NULL;
    lock(&c->lock);
    uint32_t used = at_load(&c->count);
    assert(n <= used);
    used -= MIN(n, used);
    while (used < c->cap && at_load(&c->sq.head) && (s = waiter_claim(&c->sq))) {
        leat_err e = c->net->ops->put(c, s->val);
        if (e == LEAT_OK)
            used++;
        s->err = (uint8_t)e;
        waiter_win(s, e == LEAT_OK);
        s->next = first;
        first = s;
    }
    at_store(&c->count, used);
    unlock(&c->lock);
    for (struct waiter *next; first; first = next) {
        next = first->next;
        task_ready(worker_self(), first->task);
    }
}

uint32_t chan_idle_credits_locked(leat_chan_ *c)
{
    return c->cap - at_load(&c->count);
}

uint32_t chan_take_credits_locked(leat_chan_ *c, uint32_t n)
{
    n = MIN(n, chan_idle_credits_locked(c));
    at_store(&c->count, at_load(&c->count) + n);
    return n;
}

uint32_t chan_senders_waiting_locked(const leat_chan_ *c)
{
    uint32_t n = 0;
    for (const struct waiter *x = at_load(&c->sq.head); x; x = x->next)
        n++;
    return n;
}
