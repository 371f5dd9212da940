/* site.c - a channel whose home is elsewhere: this process has send ends only.
 *
 * Buffered: a send uses a credit and is complete; count in the channel is credits in use, and waiting senders are told to the home
 * (NEED).  Unbuffered: offer.c.
 * Laws (under the channel's lock)
 *  1. Elements leave in the order in which they were counted in `sent`: while there is a backlog, everything goes behind it, and so
 *     do SEALED, FINISH, FLUSH and DROP (site_tail).
 *  2. sealed, or the channel closed here: nothing completes any more, no credit is given back. */
#include <assert.h>
#include <stdio.h>
#include <string.h>
#include "base/alloc.h"
#include "base/probe.h"
#include "plat/peek.h"
#include "run/err.h"
#include "sess/emit.h"
#include "sess/home.h"
#include "sess/value.h"
#include "type/codec.h"

static CHAN_NET_OPS site_ops;

void site_join_locked(struct end *e)
{
    e->net.ops = &site_ops;
    chan_attach_locked(e->c, &e->net, e->type, true);
}

void site_end_free(struct end *e)
{
    emit_free(e);
    relay_free(e);
}

/* -- what is sent ------------------------------------------------------------------------------------------------------------ */
static void send_torn(struct end *e)
{
    const struct home *h = e->relay->below;
    const char *who = h->torn_text ? h->torn_text : "a node";
    struct buf *b = sess_begin_in(e->s, FRAME_TORN, 0, LANE_DATA);
    e->relay->torn_due = false;
    if (!b)
        return;
    buf_varint(b, e->id);
    buf_text(b, who, MIN(strlen(who), (size_t)WHO_MAX - 1));
    (void)sess_commit_must(e->s);
}

/* What comes after the elements, and after those who send through here.  Call it whenever one of these has become due, or the
 * backlog empty, or nobody behind it is left to wait for. */
void site_tail(struct end *e)
{
    if (e->dead || emit_waits(e))
        return;
    if (e->relay && e->relay->torn_due)
        send_torn(e);
    bool last = !relay_waits(e);
    if (e->sealed_due && last)
        end_send(e, FRAME_SEALED, e->sent, true);
    if (e->finish_due && last) {
        e->finish_behind = e->unanswered;
        end_send(e, FRAME_FINISH, e->sent, true);
    }
    if (e->close_due)
        end_send(e, FRAME_CLOSE, 0, false);
    if (e->flush_due) {
        e->flush_out = true;
        e->flush_asked = e->sent;
        end_send(e, FRAME_FLUSH, 0, false);
    }
    e->sealed_due &= !last;
    e->finish_due &= !last;
    e->close_due = e->flush_due = false;
    if (e->drop_due) {
        end_send(e, FRAME_DROP, 0, false);
        if (e->c->cap && e->accepted < e->sent)
            (site_is_lost(e) ? sess_lost_far : sess_parts)(e->s, e->sent - e->accepted);
        e->dead = true;
    }
}

bool site_bulk(struct end *e, struct sess *s)
{
    (void)s;
    if (e->dead || !emit_open(e))
        return false;                                /* the next GRANT makes it go on */
    bool sent = emit_next(e);
    bool more = sent && emit_waits(e);
    if (!emit_waits(e)) {
        site_tail(e);
        if (e->dead)
            end_out(e);                              /* the writer, who called, still holds a reference */
    }
    return more && emit_open(e);
}

leat_err site_put_locked(struct end *e, const void *v)
{
    leat_err err = e->dead || sess_ended(e->s) ? LEAT_PEER_LOST : emit_elem(e, v);
    e->sent += err == LEAT_OK;
    if (unlikely(e->relay) && err == LEAT_OK)
        relay_sent(e);
    return err;
}

static leat_err site_put(leat_chan_ *c, const void *v) { return site_put_locked(site_of(c), v); }

/* A sender that goes on and on lets the writer run now and then, so that both sides are at work. */
void site_moved(leat_chan_ *c, const void *v)
{
    struct end *e = site_of(c);
    if (!e->raw && !emit_took(e, v)) {
        type_moved(c->type, v);
        if (unlikely(e->ends_inside))
            value_moved(e->s);
    }
    if (unlikely(at_load(&e->flood))) {
        at_store(&e->flood, false);
        leat_yield();
    }
}

bool site_is_lost(const struct end *e) { return e->dead || (e->relay && e->relay->lost); }

bool site_lost_far(struct end *e, char text[WHO_MAX])
{
    lock(&e->c->lock);
    const char *who = e->relay ? e->relay->lost : NULL;
    if (who)
        snprintf(text, WHO_MAX, "%s", who);
    unlock(&e->c->lock);
    return who;
}

/* -- asking for room --------------------------------------------------------------------------------------------------------- */
static void site_need(leat_chan_ *c)
{
    struct end *e = site_of(c);
    if (e->dead || c->closed)
        return;
    if (c->cap == 0) {
        offer_next(e);
        return;
    }
    e->need_due = true;
    end_due(e);
    if (relay_below(e) && c->reserved)
        home_recall(relay_below(e), NULL);
}

/* One answer is awaited at a time: who comes meanwhile is none of its business, and asks after it. */
void site_ask_up(struct end *e)
{
    e->ask_due = true;
    if (e->ask_out)
        return;
    e->need_due = true;
    end_due(e);
}

/* The home has what those who ask now had to say. */
static void all_told(struct end *e)
{
    e->ask_out = true;
    for (struct waiter *x = at_load(&e->askers.head); x; x = x->next)
        x->left = true;
    if (relay_below(e))
        relay_told(relay_below(e));
}

static void ask_answered(struct end *e)
{
    e->ask_out = false;
    if (e->ask_due && !e->c->closed)
        site_ask_up(e);
}

/* What was free went to those who send through here; what they miss is asked for, what the home misses goes back. */
void site_served(struct end *e)
{
    struct home *h = e->relay->below;
    leat_chan_ *c = e->c;
    if (e->dead || c->closed)
        return;
    if (h->needy)
        e->need_due = true;
    else if (h->recalled && chan_idle_credits_locked(c)) {
        e->returned += chan_take_credits_locked(c, chan_idle_credits_locked(c));
        e->return_due = true;
    }
    if (e->need_due || e->return_due)
        end_due(e);
}

static leat_err ended_with(const leat_chan_ *c) { return c->err ? (leat_err)c->err : LEAT_CLOSED; }

static void wake_waiter(struct waiter *x, bool ok, leat_err err)
{
    x->err = (uint8_t)err;
    waiter_win(x, ok);
    task_ready(worker_self(), x->task);
}

static void wake_waiters(struct waiters *q, bool ok, leat_err err)
{
    for (struct waiter *x; (x = waiter_claim(q)); )
        wake_waiter(x, ok, err);
}

/* Only who has been answered so knows that there was no room: a credit that nobody has promised may be gone, by a RECALL, before a task
 * runs, and the home has told others meanwhile that it is taken. */
void site_promise(struct end *e)
{
    leat_chan_ *c = e->c;
    if (c->closed) {
        wake_waiters(&e->askers, false, ended_with(c));
        return;
    }
    for (struct waiter *x; chan_idle_credits_locked(c) && (x = waiter_claim(&e->askers)); ) {
        chan_take_credits_locked(c, 1);
        e->promised++;
        wake_waiter(x, true, LEAT_OK);
    }
    if (at_load(&c->sq.head))
        wake_waiters(&e->askers, false, LEAT_AGAIN);         /* those wait for room, and come first */
    else if (at_load(&e->askers.head))
        site_ask_up(e);                              /* there was less than they are: the home may have more */
}

static struct waiter *credit(struct end *e, uint32_t n)
{
    if (relay_below(e))
        return relay_credit(e, n);
    struct waiter *wake = chan_credit_locked(e->c, n);
    if (n)
        site_promise(e);
    return wake;
}

/* Of a credit that was promised no use is made: it is for others here, or goes back if it was asked for. */
static struct waiter *unpromise(struct end *e)
{
    leat_chan_ *c = e->c;
    if (e->dead || c->closed)
        return NULL;
    struct waiter *wake = credit(e, 1);
    uint32_t n = e->recall_kept ? chan_take_credits_locked(c, 1) : 0;
    e->returned += n;
    if (n) {
        e->return_due = true;
        end_due(e);
    }
    return wake;
}

/* [lock held, which goes] Who asked has a credit that counts as used. */
static leat_err send_promised_unlock(struct end *e, const void *v)
{
    leat_chan_ *c = e->c;
    struct waiter *wake = NULL;
    leat_err err;
    while ((err = c->closed ? ended_with(c) : site_put_locked(e, v)) == LEAT_AGAIN) {
        unlock(&c->lock);
        leat_yield();                                /* who holds the lock that v needs gets on */
        lock(&c->lock);
    }
    if (err != LEAT_OK)
        wake = unpromise(e);
    e->recall_kept &= --e->promised > 0;
    unlock(&c->lock);
    chan_wake(wake);
    if (err != LEAT_OK)
        return chan_explain(c, err);
    site_moved(c, v);
    return LEAT_OK;
}

static leat_err ask_buffered(struct end *e, const void *v)
{
    leat_chan_ *c = e->c;
    struct waiter me = { .task = task_self() };
    waiter_add(&e->askers, &me);
    site_ask_up(e);
    for (;;) {
        at_store(&me.task->park, PARK_WAIT);
        unlock_fence(&c->lock);
        uint32_t why = task_wait(me.task);
        leat_err err = why == PARK_CHAN ? LEAT_OK : task_wait_err(me.task, why);
        lock(&c->lock);
        if (why != PARK_CHAN && err == LEAT_AGAIN && me.on)
            continue;
        if (me.on)
            waiter_del(&e->askers, &me);
        if (me.ok)
            return send_promised_unlock(e, v);
        unlock(&c->lock);
        if (why != PARK_CHAN && err != LEAT_AGAIN)
            return err;
        err = (leat_err)me.err;
        return err == LEAT_OK || err == LEAT_AGAIN ? err_of(LEAT_AGAIN) : chan_explain(c, err);
    }
}

static leat_err site_ask(leat_chan_ *c, const void *v)
{
    struct end *e = site_of(c);
    lock(&c->lock);
    if (c->closed || e->dead) {
        leat_err err = c->err ? (leat_err)c->err : LEAT_CLOSED;
        unlock(&c->lock);
        return chan_explain(c, err);
    }
    if (sess_is_down(e->s)) {                        /* who only asks does not wait for another link */
        unlock(&c->lock);
        return err_of(LEAT_AGAIN);
    }
    if (c->cap)
        return ask_buffered(e, v);
    return offer_ask(e, v);
}

/* Of who was not told to the home when it said so, it knows nothing yet. */
static void on_none(struct end *e)
{
    for (struct waiter *x; (x = at_load(&e->askers.head)) && x->left; ) {
        waiter_del(&e->askers, x);
        if (task_claim(x->task, PARK_CHAN))
            wake_waiter(x, false, LEAT_AGAIN);
    }
    if (relay_below(e))
        relay_answer(e, ANSWER_NONE);
    ask_answered(e);
}

/* A GRANT that comes later all the same is a free slot, as any. */
void site_link_down(struct end *e)
{
    lock(&e->c->lock);
    if (!e->dead && !e->dormant && e->c->cap == 0) {
        offer_link_down(e);
    } else if (!e->dead && !e->dormant) {
        wake_waiters(&e->askers, false, LEAT_AGAIN);
        if (relay_below(e))
            relay_answer(e, ANSWER_ALL);
    }
    unlock(&e->c->lock);
}

static void put_need(struct end *e, struct buf *b)
{
    bool selects = e->c->cap == 0;
    if (selects && !e->selects) {
        e->invited = false;
        at_store(&e->c->needy, 0);
    }
    e->selects_told = e->selects;
    e->need_again = false;
    buf_varint(b, selects ? e->selects : chan_senders_waiting_locked(e->c) + relay_needs(e));
    buf_varint(b, e->granted);
    bool any = at_load(&e->askers.head) || (relay_below(e) && !selects && relay_below(e)->asking), ask = e->ask_due && any && !e->ask_out;
    buf_u8(b, ask);
    e->need_due = false;
    e->ask_due &= any && !ask;
    if (ask)
        all_told(e);
}

/* RETURN goes first: the home asks for it once between two grants, whereas tasks may come and go, and with each there is a NEED. */
bool site_pull(struct end *e, struct sess *s)
{
    if (e->c->cap == 0 && e->selects == e->selects_told && !e->need_again)
        e->need_due = false;
    if (!e->need_due && !e->return_due)
        return false;
    struct buf *b = sess_begin_in(s, e->return_due ? FRAME_RETURN : FRAME_NEED, 0, end_lane(e));
    if (!b)
        return false;
    buf_varint(b, e->id);
    if (e->return_due) {
        buf_varint(b, e->returned);
        e->return_due = !e->c->cap && e->polls_due && --e->polls_due;        /* of a poll: an answer for each RECALL */
    } else {
        put_need(e, b);
    }
    (void)sess_commit_must(s);
    return e->need_due || e->return_due;
}

/* -- the end of sending ------------------------------------------------------------------------------------------------------ */
void site_finish_locked(struct end *e)
{
    if (e->finished)
        return;
    e->finished = e->finish_due = true;
    site_tail(e);
}

static void site_close(leat_chan_ *c)
{
    struct end *e = site_of(c);
    struct waiter *wake = NULL;
    lock(&c->lock);
    if (!c->closed) {
        wake = chan_shut_locked(c, LEAT_CLOSED, e->offered);
        e->close_due = true;
        if (relay_below(e))
            relay_seal(relay_below(e), LEAT_CLOSED);
        site_finish_locked(e);                            /* it has said its last: whatever becomes of the session is no loss */
        site_tail(e);
    }
    unlock(&c->lock);
    chan_wake(wake);
}

static void site_finish(leat_chan_ *c)
{
    lock(&c->lock);
    site_finish_locked(site_of(c));
    unlock(&c->lock);
}

void site_left_unlock(struct end *e)
{
    bool was = e->drop_due;
    site_finish_locked(e);
    e->drop_due = true;
    site_tail(e);
    bool out = e->dead;
    unlock(&e->c->lock);
    if (out)
        end_out(e);
    if (!was)
        end_unref(e);
}

static void site_gone(leat_chan_ *c)
{
    struct end *e = site_of(c);
    struct home *h;
    lock(&c->lock);
    if ((h = relay_below(e))) {
        if (at_load(&c->refs) || h->gone || (h->gone = true, --h->refs)) {
            unlock(&c->lock);                        /* others send through here, or an end came back meanwhile */
            return;
        }
    }
    site_left_unlock(e);
}

void site_torn_locked(struct end *e)
{
    e->relay->torn_due = true;
    site_tail(e);
}

/* -- flush and errors -------------------------------------------------------------------------------------------------------- */
static leat_err lost_count(struct end *e, uint64_t n)
{
    char text[WHO_MAX];
    bool far = site_lost_far(e, text);
    return err_unknown(LEAT_PEER_LOST, "%s: %s; of what was sent on this channel the last %llu may not have arrived",
        far ? text : sess_text(e->s), far ? "it is lost, and was on the way" : sess_fail_text(e->s), (unsigned long long)n);
}

/* One that is out already will tell as much as another would: who asks again and again without an answer leaves nothing behind. */
void site_flush_up(struct end *e)
{
    if (e->flush_out && e->flush_asked == e->sent)
        return;
    e->flush_due = true;
    site_tail(e);
}

static leat_err site_flush(leat_chan_ *c)
{
    struct end *e = site_of(c);
    if (c->cap == 0)
        return LEAT_OK;
    lock(&c->lock);
    uint64_t target = e->sent;
    while (e->accepted < target && !site_is_lost(e)) {
        struct waiter me = { .task = task_self() };
        site_flush_up(e);
        waiter_add(&e->flushers, &me);
        at_store(&me.task->park, PARK_WAIT);
        unlock_fence(&c->lock);
        uint32_t why = task_wait(me.task);
        leat_err err = why == PARK_CHAN ? LEAT_OK : task_wait_err(me.task, why);
        lock(&c->lock);
        if (me.on)
            waiter_del(&e->flushers, &me);
        if (err != LEAT_OK && err != LEAT_AGAIN) {
            unlock(&c->lock);
            return err;
        }
    }
    uint64_t left = target - MIN(target, e->accepted);
    unlock(&c->lock);
    return left ? lost_count(e, left) : LEAT_OK;
}

static leat_err site_explain(leat_chan_ *c, leat_err err)
{
    struct end *e = site_of(c);
    if (err == LEAT_GONE)
        return leat_fail(err, "nobody at %s receives from this channel any more", sess_text(e->s));
    if (err == LEAT_UNKNOWN)
        return offer_unknown(e, LEAT_PEER_LOST);
    char text[WHO_MAX];
    bool far = err == LEAT_PEER_LOST && site_lost_far(e, text);
    if (err != LEAT_PEER_LOST || !(far || sess_ended(e->s)))
        return err;
    lock(&c->lock);
    uint64_t left = c->cap ? e->sent - e->accepted : 0;
    unlock(&c->lock);
    err = far ? leat_fail(err, "%s was lost, on the way of this channel to its home", text) : sess_lost(e->s);
    return left ? leat_wrap(err, "the last %llu that were sent before may not have arrived", (unsigned long long)left) : err;
}

void site_lost(struct end *e)
{
    leat_chan_ *c = e->c;
    struct waiter *x = NULL, *wake;
    lock(&c->lock);
    if (c->net != &e->net && !e->dormant) {          /* it was about to be made, and was not: the channel is here, and stays */
        unlock(&c->lock);
        return;
    }
    struct given *given = given_taken_locked(e);
    if (given || e->dormant) {
        bool unwritten = offer_unwritten(e);
        e->dead = true;
        unlock(&c->lock);
        if (unwritten)
            given_never_went(given);
        else
            given_settle(given, true);               /* before its sender is told: UNKNOWN */
        if (!given)
            return;
        lock(&c->lock);
    }
    e->dead = true;
    emit_forget(e);
    if (e->offered)
        x = chan_settle_locked(c, e->offered, offer_unwritten(e) ? LEAT_PEER_LOST : LEAT_UNKNOWN);
    e->offered = NULL;
    wake = chan_shut_locked(c, LEAT_PEER_LOST, NULL);
    chan_over_locked(c);
    wake_waiters(&e->flushers, false, LEAT_PEER_LOST);
    wake_waiters(&e->askers, false, LEAT_PEER_LOST);
    if (relay_below(e)) {
        home_torn_locked(relay_below(e), sess_text(e->s));
        relay_seal(relay_below(e), LEAT_PEER_LOST);
    }
    unlock(&c->lock);
    chan_wake(x);
    chan_wake(wake);
}

/* -- frames from the home ---------------------------------------------------------------------------------------------------- */
/* Totals of the home.  overtaken: a GRANT may have told later ones already, as it goes in the control lane. */
static void accepted(struct end *e, struct cur *in, bool overtaken)
{
    uint64_t n = cur_varint(in), bytes = cur_varint(in);
    if (overtaken && !in->bad && n <= e->accepted && bytes <= e->bytes) {
        n = e->accepted;
        bytes = e->bytes;
    }
    if (in->bad || n < e->accepted || n > e->sent || bytes < e->bytes || bytes > e->sent_bytes) {
        cur_fail(in);
        return;
    }
    uint64_t more = n - e->accepted;
    e->accepted = n;
    e->bytes = bytes;
    if (unlikely(e->relay) && more)
        relay_accepted(e, more);
    wake_waiters(&e->flushers, true, LEAT_OK);
    if (emit_waits(e))
        sess_source_add(e->s, &e->bulk, LANE_DATA);
}

static struct waiter *on_grant(struct end *e, struct cur *in)
{
    leat_chan_ *c = e->c;
    uint64_t granted = cur_varint(in), n = granted - e->granted;
    accepted(e, in, false);
    if (in->bad || granted < e->granted || n > at_load(&c->count)) {
        cur_fail(in);
        return NULL;
    }
    e->granted = granted;
    struct waiter *wake = credit(e, (uint32_t)n);
    if (n)
        ask_answered(e);
    return wake;
}

static void on_recall(struct end *e)
{
    leat_chan_ *c = e->c;
    if (c->cap == 0) {
        offer_polled(e);
        return;
    }
    if (c->closed)
        return;
    e->returned += chan_take_credits_locked(c, chan_idle_credits_locked(c));
    e->return_due = true;
    e->recall_kept = e->promised;
    end_due(e);
    if (relay_below(e))
        relay_recalled(e);
}

/* Not the home seals this end: a relay has lost it.  true: an offer that is not answered was certainly not taken. */
static bool lost_now(struct end *e, struct cur *in)
{
    size_t n;
    bool not_taken = cur_u8(in);
    accepted(e, in, true);
    const char *who = cur_text(in, &n);
    if (in->bad || n >= WHO_MAX) {
        cur_fail(in);
        return false;
    }
    if (relay_record(e) == LEAT_OK && (e->relay->lost = mem_zalloc(n + 1)))
        sess_show(e->relay->lost, n + 1, who, n);
    else
        sess_break(e->s, LEAT_NOMEM, "no memory for the loss of a channel");
    wake_waiters(&e->flushers, false, LEAT_PEER_LOST);
    struct home *h = relay_below(e);
    if (h && e->relay->lost) {
        home_torn_locked(h, e->relay->lost);
        relay_seal(h, LEAT_PEER_LOST);
    }
    return not_taken;
}

static struct waiter *on_seal(struct end *e, struct cur *in)
{
    leat_err why = (leat_err)cur_u8(in);
    struct waiter *x = NULL, *wake;
    if (e->sealed && e->refused)
        return NULL;
    if (e->sealed && why == LEAT_PEER_LOST && !site_is_lost(e)) {            /* after its close: what was under way may be lost */
        lost_now(e, in);
        return NULL;
    }
    if (e->sealed || (why != LEAT_CLOSED && why != LEAT_GONE && why != LEAT_PEER_LOST)) {
        cur_fail(in);
        return NULL;
    }
    bool perhaps = why == LEAT_PEER_LOST && !lost_now(e, in);
    if (in->bad)
        return NULL;
    e->sealed = e->sealed_due = true;
    if (e->offered)                                  /* it was not taken, as the home's frames keep their order; of a loss nobody knows */
        x = chan_settle_locked(e->c, e->offered, perhaps ? LEAT_UNKNOWN : why);
    e->offered = NULL;
    e->unanswered = false;
    wake = chan_shut_locked(e->c, why, NULL);
    chan_over_locked(e->c);
    wake_waiters(&e->askers, false, why);
    if (relay_below(e))
        relay_seal(relay_below(e), why);
    site_tail(e);
    if (x)
        x->next = wake;
    return x ? x : wake;
}

/* BUSY is for soft offers, WITHDRAWN for those that were withdrawn: else a sender would get what no send returns. */
static struct waiter *on_answer(struct end *e, uint8_t kind, struct cur *in)
{
    struct waiter *wake = NULL;
    uint64_t number = cur_varint(in);
    bool mine = e->unanswered && number == e->number;
    if (in->bad || (mine && ((kind == FRAME_BUSY && !e->soft) || (kind == FRAME_WITHDRAWN && !e->withdrawing))))
        cur_fail(in);
    else
        offer_answered(e, number, kind == FRAME_TAKEN ? LEAT_OK : kind == FRAME_BUSY ? LEAT_AGAIN : e->why, &wake);
    return wake;
}

/* This frame decides what becomes of an offer: of the ends in it first. */
static void settle_given(struct end *e, uint8_t kind, struct cur in)
{
    struct given *g = NULL;
    bool moved = kind == FRAME_TAKEN;
    lock(&e->c->lock);
    if (kind == FRAME_SEAL) {
        moved = cur_u8(&in) == LEAT_PEER_LOST && !cur_u8(&in);
        g = given_taken_locked(e);
    } else if (e->unanswered && cur_varint(&in) == e->number) {
        g = given_taken_locked(e);
    }
    unlock(&e->c->lock);
    given_settle(g, moved);
}

leat_err site_on(struct end *e, uint8_t kind, struct cur *in)
{
    struct waiter *wake = NULL;
    if (e->ends_inside && (kind == FRAME_TAKEN || kind == FRAME_BUSY || kind == FRAME_WITHDRAWN || kind == FRAME_SEAL))
        settle_given(e, kind, *in);
    lock(&e->c->lock);
    at_store(&e->known, true);
    if (unlikely(e->dormant))
        given_hears_locked(e, kind, in);
    else if (!e->dead)
        switch (kind) {
        case FRAME_GRANT: wake = on_grant(e, in); break;
        case FRAME_NONE:
            if (e->c->cap)
                on_none(e);
            else
                offer_far_down(e);
            break;
        case FRAME_RECALL: on_recall(e); break;
        case FRAME_TAKEN: case FRAME_BUSY: case FRAME_WITHDRAWN: wake = on_answer(e, kind, in); break;
        case FRAME_INVITE:
            if (e->c->cap)
                cur_fail(in);                        /* who waits for a credit offers nothing */
            else
                offer_invited(e);
            break;
        case FRAME_SEAL: wake = on_seal(e, in); break;
        case FRAME_FLUSHED:
            e->flush_out = false;
            accepted(e, in, true);
            break;
        default: cur_fail(in);
        }
    unlock(&e->c->lock);
    chan_wake(wake);
    return LEAT_OK;
}

static void site_peer(const struct chan_net *net, char text[CHAN_PEER_MAX])
{
    struct sess *s;
    if (peek(&((const struct end *)(const void *)net)->s, &s, sizeof s) == sizeof s)
        sess_peek_text(s, text, CHAN_PEER_MAX);
}

static CHAN_NET_OPS site_ops = {
    .put = site_put, .moved = site_moved, .need = site_need, .ask = site_ask, .withdraw = site_withdraw,
    .stand = site_stand, .itself = site_itself, .id = site_id, .offer = site_offer, .sender = site_sender, .close = site_close,
    .finish = site_finish, .flush = site_flush, .explain = site_explain, .gone = site_gone,
    .poll = poll_ask, .peer = site_peer,
};

/* -- a local channel whose receive end has moved away ------------------------------------------------------------------------ */
void site_from_local_locked(struct end *e, struct queued *q)
{
    leat_chan_ *c = e->c;
    struct cur in = cur_of(q->bytes.p, q->bytes.len);
    struct chan_left left = chan_forget_elems_locked(c);
    q->sent = true;
    q->c = c;
    q->type = e->type;
    q->left_at = left.at;
    q->left_n = e->raw ? 0 : left.n;
    relay_becomes(e);
    site_join_locked(e);
    e->granted = c->cap;
    for (uint32_t i = 0; i < q->n; i++) {
        uint32_t n = cur_u32(&in);
        struct cur v = cur_part(&in, n);
        leat_err err = emit_encoded(e, &v, ELEM_PIECE, true);
        if (err != LEAT_OK) {                        /* it was sent already, as far as its sender knows */
            sess_break(e->s, err, "no memory for what was queued in a channel that moves");
            break;
        }
        e->sent++;
        if (e->relay)
            relay_sent(e);
    }
    while (emit_next(e))
        ;
    at_store(&c->count, q->n);
    e->close_due = c->closed;
    if (c->closed || c->senders == 0)
        site_finish_locked(e);                            /* who has closed has said its last: see site_close */
    site_tail(e);
    if (relay_below(e))
        meet_became_relay(relay_below(e));
    if (c->cap == 0 && at_load(&c->sq.head))
        offer_next(e);
    if (c->cap && !c->closed && (at_load(&c->sq.head) || relay_needs(e))) {
        e->need_due = true;
        end_due(e);
    }
}
