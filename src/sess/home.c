/* home.c - a channel that has its receive ends here and send ends elsewhere too.
 *
 * The home decides everything.  Buffered: a slot is promised to a site (chan_reserve_locked) before it may send; the promise is a
 * credit.  A free slot goes to the needy sites in turn (need list).  When nobody is needy, sites that stream are lent more, up to what
 * they used lately (`want`, doubled whenever one runs dry) and at most C - 1 credits in all (C while there is one site); they are
 * taken back by RECALL as soon as a needy site or a sender here finds no slot.
 * Laws (under the channel's lock)
 *  1. sum of out over the ends = c->reserved.
 *  2. c->needy is set if and only if the need or the lend list is not empty: then the channel calls `room`, for those who need at every
 *     free slot, for those to whom is lent only for a handful.
 *  3. An end is in the list of its home until it is dropped, lost or (after the channel has ended) sealed and gone.
 *  4. Each end is an owner of a send end: it counts in the channel's txs, and in senders until it has finished.
 *  5. After the close began (sealing), the channel ends when the last of the ends is sealed, finished, dropped or lost (unsealed = 0).
 *  6. An end is in `lent` if and only if it has credits that were not recalled.
 *  7. What one frame makes the home do does not grow with how many ends there are: all three lists are rings, and a walk over one takes
 *     each end that it meets out of it.  Many credits at once go in shares, not one by one.
 *  8. refs: 1 for the program's references taken together, 1 for each end and each task that delivers; the last one frees the home.
 * Unbuffered: meet.c. */
#include <assert.h>
#include <stdio.h>
#include <string.h>
#include "base/alloc.h"
#include "base/probe.h"
#include "plat/peek.h"
#include "run/err.h"
#include "sess/home.h"
#include "sess/value.h"
#include "type/codec.h"

enum { TELL_BYTES = 1 << 18 };

static CHAN_NET_OPS home_ops;
static struct home *home_of(const leat_chan_ *c) { return (struct home *)(void *)c->net; }
bool home_is(const struct chan_net *n) { return n && n->ops == &home_ops; }

struct home *home_at(const leat_chan_ *c)
{
    if (!c->net)
        return NULL;
    return at_load(&c->site) ? relay_below((const struct end *)(const void *)c->net) : home_of(c);
}

leat_err home_make_locked(leat_chan_ *c, const leat_type *t)
{
    if (c->net)
        return LEAT_OK;
    struct home *h = mem_zalloc(sizeof *h);
    if (!h)
        return leat_fail(LEAT_NOMEM, "no memory for the home of a channel");
    GAUGE("homes", 1);
    h->net.ops = &home_ops;
    h->c = c;
    h->refs = 1;
    home_lists_init(h);
    h->sealing = c->closed;
    h->ended = c->ended;
    chan_hold(c);
    chan_attach_locked(c, &h->net, t, false);
    return LEAT_OK;
}

void home_free(struct home *h)
{
    GAUGE("homes", -1);
    mem_free(h->polls);
    mem_free(h->torn_text);
    mem_free(h->left);
    mem_free(h);
}

/* The lock is held and released: what the last reference frees cannot be locked. */
void home_unref_unlock(struct home *h)
{
    bool last = --h->refs == 0;
    leat_chan_ *c = h->c;
    if (last && h->up) {
        site_left_unlock(h->up);
        return;
    }
    unlock(&c->lock);
    if (last) {
        home_free(h);
        chan_net_unref(c);
    }
}

static void home_room(leat_chan_ *c) { home_serve(home_of(c)); }

static void home_need(leat_chan_ *c)
{
    if (c->cap && c->reserved)
        home_recall(home_of(c), NULL);
}

static void put_totals(struct end *e, struct buf *b)
{
    buf_varint(b, e->accepted);
    buf_varint(b, e->bytes);
    e->bytes_told = e->bytes;
}

static bool pull_answer(struct end *e);

bool home_pull(struct end *e, struct sess *s)
{
    if (unlikely(e->answer_due || e->seal_due))
        return pull_answer(e);
    bool invite = e->invite_due && meet_still_invited(e->home, e);
    uint8_t kind = invite ? FRAME_INVITE : e->grant_due ? FRAME_GRANT : e->recall_due ? FRAME_RECALL : e->none_due ? FRAME_NONE : 0;
    if (!kind)
        return false;
    struct buf *b = sess_begin_in(s, kind, 0, end_lane(e));
    if (!b)
        return false;
    buf_varint(b, e->id);
    if (kind == FRAME_GRANT) {
        buf_varint(b, e->granted);
        put_totals(e, b);
        e->grant_due = false;
    } else if (kind == FRAME_INVITE) {
        e->invite_due = false;
    } else if (kind == FRAME_RECALL) {
        e->recall_due = false;
    } else {
        e->none_due = false;
    }
    (void)sess_commit_must(s);
    return e->grant_due || e->recall_due || e->none_due;
}

/* -- ends come and go -------------------------------------------------------------------------------------------------------- */
bool home_seal_saying(struct end *e, leat_err why, bool not_taken)
{
    struct buf *b = sess_begin_in(e->s, FRAME_SEAL, 0, LANE_DATA);
    e->seal_told = true;
    if (!b)
        return false;
    buf_varint(b, e->id);
    buf_u8(b, (uint8_t)why);
    if (why == LEAT_PEER_LOST) {
        const char *who = e->home->torn_text ? e->home->torn_text : "a node";
        buf_u8(b, not_taken);
        put_totals(e, b);
        buf_text(b, who, MIN(strlen(who), (size_t)WHO_MAX - 1));
    }
    return sess_commit_must(e->s);
}

static void seal(struct end *e, leat_err why) { (void)home_seal_saying(e, why, false); }

void home_join_locked(struct end *e)
{
    struct home *h = home_at(e->c);
    e->home = h;
    e->next = h->ends;
    if (h->ends)
        h->ends->prev = e;
    h->ends = e;
    h->refs++;
    home_joined_locked(h, e);
    e->c->txs++;
    e->c->senders++;
    if (h->sealing)
        seal(e, h->deaf ? LEAT_GONE : e->c->err ? (leat_err)e->c->err : LEAT_CLOSED);
    if (h->sealing && !h->ended)
        h->unsealed++;
}

void home_end_free(struct end *e)
{
    gather_free(e);
}

/* Whether the channel ends now: to be asked when unsealed may have become 0; then call home_end without the lock. */
static bool ends_now(struct home *h)
{
    if (h->sealing && !h->ended && h->unsealed)
        SOMETIMES("chan.seal_waited", "chan.seal");
    if (!h->sealing || h->ended || h->unsealed)
        return false;
    if (h->up) {
        site_tail(h->up);
        return false;
    }
    return h->ended = true;
}

static void home_end(leat_chan_ *c, bool torn)
{
    chan_end(c, torn ? LEAT_PEER_LOST : LEAT_CLOSED);
}

static void sealed(struct home *h, struct end *e)
{
    if (h->sealing && !h->ended && !e->sealed && !e->finished)
        h->unsealed--;
    e->sealed = true;
}

void home_seal_one(struct end *e, leat_err why)
{
    if (!e->delivering && e->seal_after == LEAT_OK) {
        seal(e, why);
        return;
    }
    if (e->seal_after == LEAT_OK)
        sess_hold(e->s);                             /* the answer to what is delivered, and the SEAL, go before BYE */
    e->seal_after = why;
}

static void seal_over(struct end *e)
{
    if (e->seal_after != LEAT_OK)
        sess_release(e->s);
    e->seal_after = LEAT_OK;
    e->seal_due = false;
}

void home_seal_held(struct end *e, bool not_taken)
{
    if (!e->answer_due && home_seal_saying(e, e->seal_after, not_taken)) {
        seal_over(e);
        return;
    }
    e->not_taken = not_taken;
    e->seal_due = true;
    end_due(e);
}

/* By the writer, whom also a session that closes lets send: the answer to what was delivered, then the SEAL that waited for it. */
static bool pull_answer(struct end *e)
{
    if (e->answer_due) {
        end_send(e, e->answer_due, e->held_number, true);
        e->answer_due = 0;
        return true;
    }
    (void)home_seal_saying(e, e->seal_after, e->not_taken);
    seal_over(e);
    return e->inviting || e->grant_due || e->recall_due || e->none_due;
}

/* Begins the close; local senders know already.  true: the channel ends now.  A value that a task delivers may have been received,
 * though that task does not know yet: its TAKEN goes first, for to the site a SEAL says that it was not. */
bool home_seal_begin(struct home *h, leat_err why)
{
    if (!h->sealing) {
        h->sealing = true;
        at_store(&h->c->needy, 0);
        for (struct end *e = h->ends; e; e = e->next) {
            SOMETIMES("chan.seal", NULL);
            if (!e->refused_here)
                home_seal_one(e, why);
            poll_sealed(h, e);
            h->unsealed += !e->finished && !e->sealed;
        }
    }
    return ends_now(h);
}

/* Its receive end has moved away since c's net was looked at: true, and the lock is released. */
static bool moved_away(leat_chan_ *c)
{
    bool site = at_load(&c->site);
    if (site)
        unlock(&c->lock);
    return site;
}

static void home_close(leat_chan_ *c)
{
    lock(&c->lock);
    if (moved_away(c)) {
        c->net->ops->close(c);
        return;
    }
    struct home *h = home_of(c);
    struct waiter *wake = chan_shut_locked(c, LEAT_CLOSED, NULL);
    bool end = home_seal_begin(h, LEAT_CLOSED), torn = h->torn;
    unlock(&c->lock);
    chan_wake(wake);
    if (end)
        home_end(c, torn);
}

/* One sender less, and the close if it was the last.  Lock held. */
static bool one_finished(struct home *h, struct end *e, struct waiter **wake)
{
    leat_chan_ *c = h->c;
    bool some = c->senders;
    if (!e->finished) {
        sealed(h, e);
        e->finished = true;
        c->senders -= some;
    }
    chan_sender_left_locked(c);                      /* one that went without a word was hidden by e, which had finished and stayed */
    bool last = some && c->senders == 0;
    if (last && h->up)
        site_finish_locked(h->up);
    if (last && !h->up && !h->sealing) {
        *wake = chan_shut_locked(c, LEAT_CLOSED, NULL);
        return home_seal_begin(h, LEAT_CLOSED);
    }
    return ends_now(h);
}

/* e has no other side any more.  The lock is held, and released. */
static void leave(struct home *h, struct end *e, bool lost)
{
    leat_chan_ *c = h->c;
    struct waiter *wake = NULL;
    if (e->dead) {
        unlock(&c->lock);
        return;
    }
    if (lost)
        SOMETIMES("chan.site_lost", NULL);
    if (lost && !e->finished && !e->sealed) {
        SOMETIMES("chan.torn", "chan.site_lost");
        relay_torn(h, sess_text(e->s));
    }
    relay_left(h, e);
    c->txs--;
    bool end = one_finished(h, e, &wake), torn = h->torn;
    e->dead = true;
    seal_over(e);
    meet_end_left(h, e);
    home_lists_del(h, e);
    home_take_back(h, e, e->out);
    if (e->deliverer)
        leat_cancel(e->deliverer, LEAT_PEER_LOST);
    *(e->prev ? &e->prev->next : &h->ends) = e->next;
    if (e->next)
        e->next->prev = e->prev;
    chan_hold(c);
    home_unref_unlock(h);
    chan_wake(wake);
    if (end)
        home_end(c, torn);
    chan_net_unref(c);
    end_out(e);
    end_unref(e);
}

void home_lost(struct end *e)
{
    lock(&e->c->lock);
    if (e->home)
        leave(e->home, e, true);
    else
        unlock(&e->c->lock);                         /* it was about to be made */
}

static void home_finish(leat_chan_ *c)
{
    home_close(c);
}

static leat_err home_explain(leat_chan_ *c, leat_err err)
{
    if (err != LEAT_PEER_LOST)
        return err;
    char who[WHO_MAX];
    lock(&c->lock);
    if (moved_away(c))
        return c->net->ops->explain(c, err);
    const struct home *h = home_of(c);
    snprintf(who, sizeof who, "%s", h->torn_text ? h->torn_text : "a node");
    unlock(&c->lock);
    return leat_fail(err, "%s ended before it had closed or finished this channel", who);
}

/* Nobody will receive: what is queued is dropped, and the sites are told. */
static void home_deaf(leat_chan_ *c)
{
    lock(&c->lock);
    if (moved_away(c))
        return;
    struct home *h = home_of(c);
    struct chan_left left = chan_forget_elems_locked(c);
    h->deaf = true;                                  /* what is under way is not put there any more */
    SOMETIMES("chan.gone", "chan.seal");
    struct waiter *wake = chan_shut_locked(c, LEAT_GONE, NULL);
    bool end = home_seal_begin(h, LEAT_GONE), torn = h->torn;
    unlock(&c->lock);
    chan_wake(wake);
    if (end)
        home_end(c, torn);
    chan_drop_left(c, c->type, leat_drop_, left);
}

static void home_gone(leat_chan_ *c)
{
    home_deaf(c);
    lock(&c->lock);
    if (moved_away(c)) {
        c->net->ops->gone(c);
        return;
    }
    struct home *h = home_of(c);
    if (at_load(&c->refs) || h->gone) {
        unlock(&c->lock);                            /* a send end came home meanwhile */
        return;
    }
    h->gone = true;
    home_unref_unlock(h);
}

leat_chan_ *home_ref_back(struct end *e)
{
    leat_chan_ *c = chan_ref_again(e->c, LEAT_TX_END_);
    lock(&c->lock);
    if (e->home->gone) {
        e->home->gone = false;
        e->home->refs++;
    }
    unlock(&c->lock);
    return c;
}

static leat_err no_flush(leat_chan_ *c) { (void)c; return LEAT_OK; }

static void home_peer(const struct chan_net *net, char text[CHAN_PEER_MAX])
{
    struct end *e, *next;
    struct sess *s;
    if (peek(&((const struct home *)(const void *)net)->ends, &e, sizeof e) != sizeof e || !e ||
        peek(&e->next, &next, sizeof next) != sizeof next || peek(&e->s, &s, sizeof s) != sizeof s)
        memcpy(text, "nobody yet", 11);
    else if (next)
        memcpy(text, "several nodes", 14);
    else
        sess_peek_text(s, text, CHAN_PEER_MAX);
}

static CHAN_NET_OPS home_ops = {
    .need = home_need, .room = home_room, .close = home_close, .finish = home_finish, .flush = no_flush, .explain = home_explain,
    .away = meet_away, .back = meet_back, .left = meet_left, .poll = poll_ask, .deaf = home_deaf, .gone = home_gone, .peer = home_peer,
};

/* -- elements ----------------------------------------------------------------------------------------------------------------- */
/* [locked] After elements of e have been taken. */
void home_took_locked(struct home *h, struct end *e)
{
    home_taken_locked(h, e);
    if (e->bytes - e->bytes_told >= TELL_BYTES) {
        e->grant_due = true;
        end_due(e);
    }
}

/* -- frames ------------------------------------------------------------------------------------------------------------------- */
/* What comes on e may still come.  A piece needs a credit at once, or there would be no bound to what is begun. */
static bool may_come(struct end *e, bool piece)
{
    lock(&e->c->lock);
    bool may = !e->finished && !e->sealed_heard && (!piece || e->out);
    unlock(&e->c->lock);
    return may;
}

/* false: it is none, or has not all come. */
static bool elem_head(const struct end *e, struct cur *in, struct elem_head *h)
{
    h->what = cur_u8(in);
    h->by.count = 0;
    bool buffered = h->what == ELEM_WHOLE || h->what == ELEM_PIECE;
    h->number = buffered ? 0 : cur_varint(in);
    if (h->what == ELEM_SELECT) {
        h->by = (struct chan_offer){ 0 };            /* it is not this process's select: nobody is told that it is stuck */
        cur_get(in, h->by.node, sizeof h->by.node);
        h->by.count = cur_varint(in);
    }
    return !in->bad && h->what <= ELEM_SELECT && buffered == (e->c->cap > 0);
}

uint8_t *home_land(struct end *e, struct cur *in, size_t *left)
{
    struct elem_head h;
    const uint8_t *was = in->p;
    if (!elem_head(e, in, &h) || h.what == ELEM_WHOLE)
        return NULL;
    *left -= (size_t)(in->p - was);
    return gather_room(e, *left);
}

leat_err home_on_elem(struct end *e, uint8_t flags, struct cur *in)
{
    struct elem_head h;
    struct type_part *part = NULL;
    bool more = flags & FRAME_MORE, buffered = e->c->cap > 0;
    if (!elem_head(e, in, &h))
        return leat_fail(LEAT_INVAL, "a malformed frame ELEM");
    at_store(&e->known, true);
    if (h.what == ELEM_WHOLE)
        return take_elements(e, in);
    if (!may_come(e, buffered))
        return leat_fail(LEAT_INVAL, "an element on end %llu %s", (unsigned long long)e->id,
            buffered ? "without a credit" : "that has ended");
    struct cur bytes = *in;
    size_t landed = sess_landed(e->s);
    if (landed)
        gather_landed(e, landed);
    else if (more || e->partial)
        LEAT_TRY(gather_add(e, bytes));
    in->p = in->end;
    if (more)
        return LEAT_OK;
    if (e->partial)
        LEAT_TRY(gather_whole(e, &bytes, &part));
    leat_err err = buffered ? take_element(e, &bytes, part) : meet_on_offer(e, &h, &bytes, part);
    gather_free(e);
    return err;
}

static void on_flush(struct home *h, struct end *e)
{
    if (h->up && !h->up->dead && e->accepted < e->granted - e->returned - e->out) {
        site_flush_up(h->up);                        /* what the home then has is told at once */
        return;
    }
    struct buf *b = sess_begin_in(e->s, FRAME_FLUSHED, 0, LANE_DATA);
    if (!b)
        return;
    buf_varint(b, e->id);
    put_totals(e, b);
    (void)sess_commit_answer(e->s);
}

/* SEALED and FINISH say how many elements were sent before. */
static bool count_is(struct end *e, struct cur *in)
{
    uint64_t sent = cur_varint(in);
    if (in->bad || (e->c->cap && sent != e->granted - e->returned - e->out))
        cur_fail(in);
    return !in->bad;
}

leat_err home_on(struct end *e, uint8_t kind, struct cur *in)
{
    leat_chan_ *c = e->c;
    struct waiter *wake = NULL;
    bool end = false, torn, close = false;
    lock(&c->lock);
    struct home *h = e->home;
    if (!h || e->dead) {
        unlock(&c->lock);
        return LEAT_OK;
    }
    at_store(&e->known, true);
    switch (kind) {
    case FRAME_NEED: home_on_need(h, e, in); break;
    case FRAME_RETURN: home_on_return(h, e, in); break;
    case FRAME_WITHDRAW: meet_on_withdraw(e, in); break;
    case FRAME_FLUSH: on_flush(h, e); break;
    case FRAME_TORN: relay_on_torn(h, in); break;
    case FRAME_CLOSE: close = true; break;
    case FRAME_SEALED:
        if (!e->seal_told || e->sealed_heard)
            cur_fail(in);
        else if (count_is(e, in))
            sealed(h, e);
        e->sealed_heard = true;
        end = ends_now(h);
        break;
    case FRAME_FINISH:
        if (e->finished)
            cur_fail(in);
        else if (count_is(e, in))
            end = one_finished(h, e, &wake);
        break;
    case FRAME_DROP:
        leave(h, e, false);
        return LEAT_OK;
    default: cur_fail(in);
    }
    torn = h->torn;
    const struct chan_net_ops *ops = c->net->ops;    /* the receive end may move as soon as c is not locked: see moved_away */
    unlock(&c->lock);
    chan_wake(wake);
    if (end)
        home_end(c, torn);
    if (close)
        ops->close(c);
    return LEAT_OK;
}
