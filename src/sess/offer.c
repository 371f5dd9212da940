/* offer.c - the site of an unbuffered channel: what its senders offer to the home, one at a time.
 *
 * Plain sends wait in sq and are offered in turn; each waits at the home until it is taken (or withdrawn).  A send of a select waits in
 * sq until the home invites; then its task is called (chan/offers.c), which leaves all other queues and makes the offer itself.  A try
 * offers without being invited.
 * Laws (under the channel's lock)
 *  1. unanswered: the home has an offer it has not answered.  offered: its sender, still waiting; null when it gave up (UNKNOWN).
 *  2. invited: the home has said so since this site's last offer, or since its NEED of 0 was written.  An invitation that comes while
 *     nobody stands here is kept until that NEED is written: if a select comes before, the home will not hear of the time between.
 *  3. pledged: a select's task has been called and has not come yet, or an end behind this site (a relay) that was invited for it; nobody
 *     else offers before it.
 *  4. needy in the channel: a select may offer now. */
#include "base/probe.h"
#include "run/err.h"
#include "sess/emit.h"
#include "sess/home.h"

#define SETTLE_RELAY LEAT_S(1 << 30)                 /* who relays waits for the answer, or the end of the session */
#define SETTLE LEAT_S(1)                             /* how long a sender that gives up waits to learn what became of its value */

static leat_err offer(struct end *e, uint8_t what, struct waiter *x)
{
    if (e->dead || sess_ended(e->s))
        return LEAT_PEER_LOST;
    SOMETIMES("chan.offer", NULL);
    e->number++;
    leat_err err = emit_alone(e, what, x->val);
    if (err == LEAT_OK) {
        e->offered = x;
        e->unanswered = true;
        e->soft = what != ELEM_FIRM;
        e->withdrawing = e->far_down = false;
        e->sent++;
    } else {
        e->number--;
    }
    return err;
}

/* x's value could not be offered. */
static void not_offered(struct end *e, struct waiter *x, leat_err err)
{
    struct task *t = x->task;
    if (err != LEAT_AGAIN && t != task_self())
        err_give(t, err_take(task_self(), err), err);
    if (chan_settle_locked(e->c, x, err))
        task_ready(worker_self(), t);
}

static bool may_offer(const struct end *e) { return !e->unanswered && !e->pledged && !e->c->closed; }

/* An invitation goes on to one of those behind. */
static void pass_on(struct end *e, struct home *h)
{
    if (!e->invited || !may_offer(e))
        return;
    e->pledged = home_needs_first(h);
    e->invited = false;
    meet_invite_one(h, home_needs_first(h));
}

void offer_next(struct end *e)
{
    leat_chan_ *c = e->c;
    struct home *h = relay_below(e);
    if (h && h->needy && e->invited && may_offer(e) && (c->turn ^= 1))
        pass_on(e, h);
    for (struct waiter *next, *x = at_load(&c->sq.head); x && may_offer(e); x = next) {
        next = x->next;
        if (!x->plain) {
            if (e->invited && chan_invite_locked(c, x)) {
                e->pledged = x->task;
                e->invited = false;
            }
            continue;
        }
        if (at_load(&x->task->park) != PARK_WAIT)
            continue;                                /* it is leaving */
        leat_err err = offer(e, ELEM_FIRM, x);
        if (err != LEAT_OK)
            not_offered(e, x, err);
    }
    if (h && h->needy)
        pass_on(e, h);
    at_store(&c->needy, e->invited && may_offer(e));
}

void offer_answered(struct end *e, uint64_t number, leat_err err, struct waiter **wake)
{
    struct waiter *x = e->offered;
    *wake = NULL;
    if (number != e->number || !e->unanswered)
        return;
    e->unanswered = false;
    e->offered = NULL;
    if (x)
        *wake = chan_settle_locked(e->c, x, err);
    offer_next(e);
}

bool offer_unwritten(struct end *e) { return e->unanswered && sess_unwritten(e->s, e->place); }

/* The offer that is unanswered is taken back, and never was, if nothing of it was written. */
static bool take_back(struct end *e)
{
    if (!e->unanswered || !offer_unwritten(e) || !sess_take_back(e->s, FRAME_ELEM, e->id, e->place))
        return false;
    SOMETIMES("chan.taken_back", "chan.offer");
    e->unanswered = false;
    e->offered = NULL;
    e->number--;
    e->sent--;
    if (e->finish_behind && sess_take_back(e->s, FRAME_FINISH, e->id, e->place))
        end_send(e, FRAME_FINISH, e->sent, true);    /* which counts offers */
    e->finish_behind = false;
    return true;
}

leat_err offer_unknown(struct end *e, leat_err why)
{
    SOMETIMES("chan.unknown", "chan.offer");
    char text[WHO_MAX];
    if (why == LEAT_PEER_LOST && site_lost_far(e, text))
        return err_unknown(why, "%s was lost, on the way of this channel to its home, and may have received it", text);
    return err_unknown(why, "%s: %s may have received it", leat_err_name(why), sess_text(e->s));
}

/* What became of an offer, without the lock: settled, or given up. */
static leat_err outcome(struct end *e, const struct waiter *me, leat_err why)
{
    if (me->ok || me->err == LEAT_UNKNOWN)
        site_moved(e->c, me->val);
    if (me->ok)
        return LEAT_OK;
    if (me->err == LEAT_UNKNOWN)
        return offer_unknown(e, why);
    return chan_explain(e->c, (leat_err)me->err);
}

/* me was offered, and is not any more: nobody will ever know of it.  The lock is held on entry, and not on return. */
static void never_went(struct end *e, struct waiter *me)
{
    struct given *given = given_taken_locked(e);
    if (me->on)
        waiter_del(&e->c->sq, me);
    offer_next(e);
    unlock(&e->c->lock);
    given_never_went(given);
}

/* Waits until `me`, which is offered, is settled; gives up at last.  The lock is held on entry, and not on return. */
static leat_err wait_settled(struct end *e, struct waiter *me, leat_err why)
{
    leat_chan_ *c = e->c;
    struct shield shield;
    shield_begin(&shield, relay_holds(e, me->val) ? SETTLE_RELAY : BUGGIFY("site.settle_short") ? LEAT_MS(1) : SETTLE);
    bool late = false;
    for (; e->offered == me && !late; lock(&c->lock)) {
        me->task->on = me;
        at_store(&me->task->park, PARK_WAIT);
        unlock_fence(&c->lock);
        uint32_t by = task_wait(me->task);
        late = by != PARK_CHAN && task_wait_err(me->task, by) != LEAT_AGAIN;
    }
    late = e->offered == me;
    if (late && take_back(e)) {
        never_went(e, me);
        shield_end(&shield);
        return e->soft ? err_of(LEAT_AGAIN) : why;
    }
    struct given *given = late ? given_taken_locked(e) : NULL;
    if (late)
        e->offered = NULL;
    if (me->on)
        waiter_del(&c->sq, me);
    bool over = site_is_lost(e);
    unlock(&c->lock);
    shield_end(&shield);
    given_settle(given, true);                       /* perhaps: then they are gone */
    if (!late)
        return outcome(e, me, over ? LEAT_PEER_LOST : why);
    site_moved(c, me->val);
    return offer_unknown(e, why);
}

/* me, which is offered, gives up.  The lock is held on entry, and not on return. */
static leat_err withdraw(struct end *e, struct waiter *me, leat_err why)
{
    if (take_back(e)) {
        never_went(e, me);
        return why;
    }
    e->why = why;
    e->withdrawing = true;
    end_send(e, FRAME_WITHDRAW, e->number, true);
    return wait_settled(e, me, why);
}

void site_sender(leat_chan_ *c, struct waiter *x, struct waiter *y)
{
    struct end *e = site_of(c);
    if (e->offered == x)
        e->offered = y;
}

leat_err site_withdraw(leat_chan_ *c, struct waiter *me, leat_err why)
{
    struct end *e = site_of(c);
    lock(&c->lock);
    if (e->offered == me)
        return withdraw(e, me, why);
    bool waiting = me->on;
    if (waiting)
        waiter_del(&c->sq, me);
    unlock(&c->lock);
    return waiting || me->err == LEAT_AGAIN ? why : outcome(e, me, LEAT_PEER_LOST);
}

leat_err offer_ask(struct end *e, const void *v)
{
    struct waiter me = { .task = task_self(), .val = (void *)(uintptr_t)v, .owner = e->c, .kind = &chan_wait_send };
    leat_err err = e->unanswered || e->pledged ? LEAT_AGAIN : offer(e, ELEM_SOFT, &me);
    if (err == LEAT_OK)
        return wait_settled(e, &me, LEAT_DEADLINE);
    unlock(&e->c->lock);
    return err == LEAT_AGAIN ? err_of(err) : chan_explain(e->c, err);
}

/* -- selects --------------------------------------------------------------------------------------------------------------------- */
void site_stand(leat_chan_ *c, int by)
{
    struct end *e = site_of(c);
    if (by)
        offer_stand(e, by);
    else if (e->selfish && !e->invited)
        offer_stand(e, 0);
}

void site_itself(leat_chan_ *c) { site_of(c)->selfish = true; }

void offer_stand(struct end *e, int64_t by)
{
    leat_chan_ *c = e->c;
    e->selects += (uint32_t)by;
    e->need_again |= by == 0;
    if (e->dead || c->closed)
        return;
    e->need_due = true;
    end_due(e);
}

void site_id(leat_chan_ *c, struct chan_offer *ret)
{
    node_offer_id(sess_node(site_of(c)->s), ret);
}

void offer_link_down(struct end *e)
{
    struct waiter *x = e->soft ? e->offered : NULL;  /* wait_answer looks again; a plain sender has nothing to look for */
    if (x && task_claim(x->task, PARK_CHAN))
        task_ready(worker_self(), x->task);
}

void offer_far_down(struct end *e)
{
    e->far_down = e->unanswered;
    offer_link_down(e);
}

void offer_poll_over(struct end *e)
{
    const struct home *h = relay_below(e);
    if (!e->polled || e->pledged || (h && (h->polled || h->fresh)))
        return;
    e->polls_due += e->polled;
    e->polled = 0;
    e->return_due = true;
    end_due(e);
}

void offer_polled(struct end *e)
{
    e->polled++;
    if (relay_below(e) && !e->c->closed)
        poll_relayed(relay_below(e));
    offer_poll_over(e);
}

void offer_invited(struct end *e)
{
    if (e->selects || e->selects_told)
        e->invited = true;
    offer_next(e);
}

/* The link of an offer has broken, or one beyond: nobody is to wait for its select.  A relay says so to where that is.  The lock is held,
 * and for a moment not. */
static void tell_stuck(struct end *e, struct chan_offer *id, struct end *from)
{
    if (from) {
        from->none_due = !from->dead;
        end_due(from);
        return;
    }
    unlock(&e->c->lock);
    id->on_stuck(id);
    lock(&e->c->lock);
}

/* Waits for the answer to the select's offer `me`; from: the end behind e that made it, or null.  The lock is held on entry, and not on
 * return. */
static leat_err wait_answer(struct end *e, struct waiter *me, struct chan_offer *id, struct end *from)
{
    leat_chan_ *c = e->c;
    leat_err err = LEAT_AGAIN;
    for (bool told = false; e->offered == me && err == LEAT_AGAIN; ) {
        if (!told && (e->far_down || sess_is_down(e->s))) {
            told = true;
            tell_stuck(e, id, from);
            continue;
        }
        me->task->on = me;
        at_store(&me->task->park, PARK_WAIT);
        unlock_fence(&c->lock);
        uint32_t by = task_wait(me->task);
        err = by == PARK_CHAN ? LEAT_AGAIN : task_wait_err(me->task, by);
        lock(&c->lock);
    }
    if (e->offered == me)
        return withdraw(e, me, err);
    bool over = site_is_lost(e);
    unlock(&c->lock);
    return outcome(e, me, over ? LEAT_PEER_LOST : LEAT_OK);
}

/* It was, or will not be: a home that polls may be answered. */
static void offer_made(struct end *e, struct end *from)
{
    if (from)
        poll_offered(from);
    offer_poll_over(e);
}

/* from: the end behind e that makes it, or null: the calling task. */
static leat_err make_offer(struct end *e, struct end *from, struct waiter *me, struct chan_offer *id)
{
    leat_chan_ *c = e->c;
    const void *who = from ? (const void *)from : me->task;
    leat_err err = leat_ctx_err();
    lock(&c->lock);
    bool called = e->pledged == who;
    if (called) {
        e->pledged = NULL;
        e->invited = true;
    }
    if (err == LEAT_OK && c->closed)
        err = c->err ? (leat_err)c->err : LEAT_CLOSED;
    else if (err == LEAT_OK && (!may_offer(e) || (!from && !e->invited)))
        err = LEAT_AGAIN;
    bool busy = err == LEAT_AGAIN;
    if (err == LEAT_OK) {
        e->offer = id;
        err = offer(e, ELEM_SELECT, me);
        e->offer = NULL;
    }
    if (err == LEAT_OK) {
        e->invited = false;
        at_store(&c->needy, 0);
        offer_made(e, from);
        return wait_answer(e, me, id, from);
    }
    offer_next(e);
    offer_made(e, from);
    unlock(&c->lock);
    if (err == LEAT_AGAIN && !busy)
        leat_yield();                                /* who holds the lock that the value needs gets on */
    return err == LEAT_AGAIN ? err : chan_explain(c, err);
}

leat_err site_offer(leat_chan_ *c, struct waiter *me, struct chan_offer *id)
{
    return make_offer(site_of(c), NULL, me, id);
}

leat_err offer_for(struct end *e, struct end *from, void *v, struct chan_offer *id)
{
    struct waiter me = { .task = task_self(), .val = v, .owner = e->c, .kind = &chan_wait_send };
    return make_offer(e, from, &me, id);
}

void offer_unpledged(struct end *e, const struct end *from)
{
    if (e->pledged != from)
        return;
    e->pledged = NULL;
    e->invited = true;
    offer_next(e);
    offer_poll_over(e);
}
