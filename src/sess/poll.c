/* poll.c - a receiver that polls (a try, a select with otherwise) on an unbuffered channel where selects elsewhere would send.
 *
 * A select elsewhere offers only when it is invited, so who polls must ask: it waits in the channel's queue as any receiver does, so those
 * sites are invited, and behind each INVITE goes a RECALL.  A site answers that by RETURN, behind the offer that it makes, if a select
 * there is free to make one.  So when all answers have come and none of the offers was for it, nobody was ready.
 * Who comes while others wait for answers waits for those to questions of its own: the next round.
 * A relay asks those that stand behind it in the same way, and answers when they have, and their offers have gone up.
 * Laws (under the channel's lock)
 *  1. polled of the home is how many of its ends are polled_out.  Where nobody is, no round goes on, and nobody is in `polls`.
 *  2. Who has no link is not asked, and not waited for: the answer that then comes later is one of its polls_lost. */
#include "base/alloc.h"
#include "base/probe.h"
#include "chan/edges.h"
#include "run/err.h"
#include "run/report.h"
#include "sess/home.h"

static void describe(struct report *r, const struct waiter *x)
{
    report_pointer(r, x->owner);
}

static WAIT_KIND poll_kind = { .what = "asks who would send to channel ", .describe = describe };

/* Asks all ends where selects stand that have a link. */
static void ask_all(struct home *h)
{
    for (struct end_link *x = h->lent.next; x != &h->lent; x = x->next) {
        struct end *e = container_of(x, struct end, lent_at);
        if (e->polled_out || e->dead || sess_is_down(e->s))
            continue;
        SOMETIMES("chan.poll", NULL);
        e->polled_out = e->recall_due = true;
        h->polled++;
        if (!e->inviting && !e->delivering)
            meet_invite_one(h, e);
        end_due(e);
    }
}

static void wake_all(struct waiters *q)
{
    for (struct waiter *x; (x = waiter_claim(q)); ) {
        waiter_win(x, false);
        task_ready(worker_self(), x->task);
    }
}

/* All have answered. */
static void round_over(struct home *h)
{
    if (h->polled)
        return;
    if (h->up) {
        offer_poll_over(h->up);
        return;
    }
    struct polls *p = h->polls;
    while (p && !h->polled && (at_load(&p->now.head) || at_load(&p->next.head))) {
        wake_all(&p->now);
        p->now = p->next;
        p->next = (struct waiters){ NULL, NULL };
        if (at_load(&p->now.head))
            ask_all(h);
    }
}

static void not_out(struct home *h, struct end *e)
{
    if (!e->polled_out)
        return;
    e->polled_out = false;
    h->polled--;
    if (h->up && !e->delivering)
        offer_unpledged(h->up, e);                   /* it has been invited, and nobody there is free: another one's turn */
    round_over(h);
}

void poll_answered(struct home *h, struct end *e)
{
    if (e->polls_lost)
        e->polls_lost--;
    else
        not_out(h, e);
}

void poll_end_left(struct home *h, struct end *e)
{
    not_out(h, e);
}

void poll_sealed(struct home *h, struct end *e)
{
    e->polls_lost += e->polled_out;
    not_out(h, e);
}

void home_link_down(struct end *e)
{
    lock(&e->c->lock);
    struct home *h = e->home;
    if (h && !e->dead && e->c->cap == 0) {
        e->polls_lost += e->polled_out;
        not_out(h, e);
        if (h->up && !e->delivering)
            offer_unpledged(h->up, e);               /* nor does anybody else wait for who cannot answer */
    }
    unlock(&e->c->lock);
}

void poll_relayed(struct home *h)
{
    ask_all(h);
}

void poll_offered(struct end *e)
{
    if (!e->fresh)
        return;
    e->fresh = false;
    e->home->fresh--;
    if (e->home->up)
        offer_poll_over(e->home->up);
}

/* Waits in rq and for the answers.  The lock is held.  OK: me or asks was ended, or both; else the context's. */
static leat_err wait(leat_chan_ *c, struct waiter *me, struct waiter *asks)
{
    for (;;) {
        unlock_fence(&c->lock);
        uint32_t why = task_wait(me->task);
        leat_err err = why == PARK_CHAN ? LEAT_OK : task_wait_err(me->task, why);
        lock(&c->lock);
        if (err != LEAT_AGAIN || !me->on || !asks->on)
            return err == LEAT_AGAIN ? LEAT_OK : err;
        me->task->on = me;
        at_store(&me->task->park, PARK_WAIT);
    }
}

/* The lock is held, and released. */
static leat_err ask_unlock(leat_chan_ *c, struct home *h, void *out)
{
    struct task *t = task_self();
    struct waiter me = { .task = t, .val = out, .kind = &poll_kind }, asks = { .task = t, .owner = c };
    edge_waits(&me);
    t->on = &me;
    at_store(&t->park, PARK_WAIT);
    chan_wait_locked(c, &c->rq, &me);
    struct waiters *q = h->polled ? &h->polls->next : &h->polls->now;
    waiter_add(q, &asks);
    if (q == &h->polls->now)
        ask_all(h);
    bool any = h->polled;
    leat_err err = any ? wait(c, &me, &asks) : LEAT_OK;
    if (!any && !task_claim(t, PARK_NONE)) {
        unlock(&c->lock);
        task_park_plain(t);
        lock(&c->lock);
    }
    bool ended = !me.on && !me.ok;
    if (me.on)
        waiter_del(&c->rq, &me);
    for (struct waiters *p = asks.on ? &h->polls->now : NULL; p; p = p == &h->polls->now ? &h->polls->next : NULL)
        for (struct waiter *x = at_load(&p->head); x; x = x->next)
            if (x == &asks) {
                waiter_del(p, &asks);
                break;
            }
    unlock(&c->lock);
    edge_waited(&me);
    if (me.ok) {
        edge_writes(out, c->size);
        return LEAT_OK;
    }
    if (ended)
        return chan_explain(c, me.err ? (leat_err)me.err : LEAT_CLOSED);
    return err == LEAT_OK ? err_of(LEAT_AGAIN) : err;
}

leat_err poll_ask(leat_chan_ *c, void *out)
{
    struct task *wake = NULL;
    leat_err err = LEAT_OK;
    lock(&c->lock);
    enum chan_try r = chan_recv_locked(c, out, &wake, &err);
    struct home *h = r == CHAN_WAIT ? home_at(c) : NULL;
    bool asks = h && !h->sealing && h->lent.next != &h->lent;
    if (asks && (h->polls || (h->polls = mem_zalloc(sizeof *h->polls))))
        return ask_unlock(c, h, out);
    unlock(&c->lock);
    if (asks)
        return leat_fail(LEAT_NOMEM, "no memory to ask selects elsewhere");
    if (wake)
        task_ready(worker_self(), wake);
    if (r == CHAN_DONE)
        edge_writes(out, c->size);
    return r == CHAN_DONE ? LEAT_OK : r == CHAN_WAIT ? err_of(LEAT_AGAIN) : chan_explain(c, err);
}
