/* offer_test.c - selects across processes, frame by frame: the other side is one by hand (peer.h), which is a site of one channel, "in",
 * and the home of two others, "out" and "off".  Each test is one way through the states of chan/offers.c and of meet.c. */
#include "base/base.h"
#include "chan/chan.h"
#include "peer.h"
#include "sess/ends.h"
#include "sess/impl.h"
#include "type/desc.h"

LEAT_STRUCT(mark, (int32, n));
LEAT_STRUCT(carry, (tx(mark), end));

enum { IN = 3, OUT = 5, OFF = 7, NOBODY = 99 };      /* the peer's ids: it has dialed, so they are odd */
static struct peer peer, far;                        /* far: another one, the home of "third" */
static leat_chan(struct mark) in, out, off;
static leat_group *tasks;

static void attach_at(struct peer *p, uint64_t id, const char *name, uint8_t sends)
{
    CHECK_EQ(peer_attach(p, id, &mark_type, name, sends), 0);
}
static void attach(uint64_t id, const char *name, uint8_t sends) { attach_at(&peer, id, name, sends); }

static void silent(void)
{
    static uint64_t id = 1001;
    peer_heard(&peer, id += 2);
}

/* An offer of the select with this name. */
struct name { uint8_t node[16]; uint64_t count; };
static void offer_by(uint64_t id, uint64_t number, int32_t n, const struct name *by)
{
    struct buf b = { 0 };
    buf_varint(&b, id);
    buf_u8(&b, ELEM_SELECT);
    buf_varint(&b, number);
    buf_put(&b, by->node, sizeof by->node);
    buf_varint(&b, by->count);
    buf_u32(&b, (uint32_t)n);
    peer_send(&peer, FRAME_ELEM, 0, &b);
    buf_free(&b);
}

/* low: its name is less than any of the node's. */
static void offer_at(uint64_t id, uint64_t number, int32_t n, bool low)
{
    struct name by = { .count = 1 };
    memset(by.node, low ? 0 : 255, sizeof by.node);
    offer_by(id, number, n, &by);
}
static void offer(uint64_t number, int32_t n, bool low) { offer_at(IN, number, n, low); }

static void expect(uint8_t kind, uint64_t id, uint64_t number)
{
    struct peer_frame f = peer_expect(&peer, kind);
    CHECK_EQ(cur_varint(&f.in), id);
    if (number != NOBODY)
        CHECK_EQ(cur_varint(&f.in), number);
}

/* The next frame is the node's offer on this end: its number.  Of which select it is: offered. */
static struct name offered;
static uint64_t expect_offer_at(struct peer *p, uint64_t id, int32_t n)
{
    struct peer_frame f = peer_expect(p, FRAME_ELEM);
    CHECK_EQ(cur_varint(&f.in), id);
    CHECK_EQ(cur_u8(&f.in), ELEM_SELECT);
    uint64_t number = cur_varint(&f.in);
    cur_get(&f.in, offered.node, sizeof offered.node);
    offered.count = cur_varint(&f.in);
    CHECK(offered.count > 0);
    CHECK_EQ((int32_t)cur_u32(&f.in), n);
    return number;
}
static uint64_t expect_offer(uint64_t id, int32_t n) { return expect_offer_at(&peer, id, n); }

/* -- a select of the node ----------------------------------------------------------------------------------------------------------- */
enum { GOT = 1, SENT, SENT_OFF, TIMER };
struct choice { leat_err err, why; int fired, got, sent; leat_ctx *ctx; int timer_ms; _Atomic bool done; };
static struct choice choice;

static leat_err choose(leat_none *none)
{
    struct mark to_out = { 10 }, to_off = { 20 }, v = { 0 };
    struct choice *c = &choice;
    (void)none;
    leat_with_cancel(ctx) {
        c->ctx = ctx;
        leat_select(c->err) {
            leat_on_recv(in, &v) { c->fired = GOT; }
            leat_on_send(out, &to_out) { c->fired = SENT; }
            leat_on_send(off, &to_off) { c->fired = SENT_OFF; }
            if (c->timer_ms)
                leat_on_after(LEAT_MS(c->timer_ms)) { c->fired = TIMER; }
        }
        c->why = c->err == LEAT_UNKNOWN ? leat_err_why() : LEAT_OK;
        c->sent = leat_err_sent() == &to_out ? SENT : leat_err_sent() == &to_off ? SENT_OFF : 0;
        c->got = v.n;
    }
    c->done = true;
    return LEAT_OK;
}

/* It waits in all its cases: it stands at both homes. */
static void opens(int timer_ms)
{
    choice.err = choice.why = LEAT_OK;
    choice.fired = choice.got = choice.sent = 0;
    choice.timer_ms = timer_ms;
    choice.done = false;
    CHECK_EQ(leat_go(tasks, choose, LEAT_NONE), LEAT_OK);
    bool stands[2] = { false, false };
    while (!stands[0] || !stands[1]) {               /* in either order */
        struct peer_frame f = peer_expect(&peer, FRAME_NEED);
        uint64_t id = cur_varint(&f.in);
        CHECK(id == OUT || id == OFF);
        if (cur_varint(&f.in) == 1)
            stands[id == OFF] = true;
    }
}

/* It is invited, and has offered. */
static uint64_t tries(uint64_t id, int32_t n)
{
    PEER_SAY(&peer, FRAME_INVITE, id);
    return expect_offer(id, n);
}

static void ended(leat_err err, int fired)
{
    while (!choice.done)
        leat_yield();
    CHECK_EQ(choice.err, err);
    CHECK_EQ(choice.fired, fired);
}

/* It has left both homes. */
static void leaves(void)
{
    bool left[2] = { false, false };
    while (!left[0] || !left[1]) {
        struct peer_frame f = peer_expect(&peer, FRAME_NEED);
        uint64_t id = cur_varint(&f.in);
        if (cur_varint(&f.in) == 0)
            left[id == OFF] = true;
    }
}

static void (*talk)(void);
static leat_node *a;
static leat_err with_peer(leat_none *none)
{
    leat_err err;
    (void)none;
    CHECK_EQ(leat_node_open(&(leat_node_opts){ .name = "node a" }, &a), LEAT_OK);
    CHECK_EQ(leat_node_listen(a, url), LEAT_OK);
    in = leat_chan_make(struct mark, 0);
    out = leat_chan_make(struct mark, 0);
    off = leat_chan_make(struct mark, 0);
    CHECK_EQ(leat_export(a, "in", leat_tx_of(in), mark), LEAT_OK);
    CHECK_EQ(leat_export(a, "out", leat_rx_of(out), mark), LEAT_OK);
    CHECK_EQ(leat_export(a, "off", leat_rx_of(off), mark), LEAT_OK);
    leat_with_deadline(LEAT_S(40)) {
        leat_with_group(g, err) {
            tasks = &g;
            peer_dial(&peer, leat_node_url(a), 1);
            attach(IN, "in", 1);
            attach(OUT, "out", 0);
            attach(OFF, "off", 0);
            talk();
        }
        CHECK_EQ(err, LEAT_OK);
    }
    if (peer.l)
        peer_hang_up(&peer);
    leat_unref(in);
    leat_unref(out);
    leat_unref(off);
    leat_node_close(a);
    return LEAT_OK;
}
#define SCRIPT(name) \
    static void name##_(void); \
    TEST(name##_inproc) { talk = name##_; AT(INPROC, with_peer); } \
    TEST(name##_unix) { talk = name##_; AT(UNIX, with_peer); } \
    TEST(name##_tcp) { talk = name##_; AT(TCP, with_peer); } \
    static void name##_(void)

/* -- the sending side ----------------------------------------------------------------------------------------------------------------- */
SCRIPT(invited_offered_taken)
{
    opens(0);
    silent();                                        /* nothing is offered before it is invited */
    uint64_t number = tries(OUT, 10);
    PEER_SAY(&peer, FRAME_TAKEN, OUT, number);
    ended(LEAT_OK, SENT);
    leaves();
}

SCRIPT(invited_offered_busy_and_again)
{
    opens(0);
    for (int i = 0; i < 3; i++) {
        uint64_t number = tries(OUT, 10);
        silent();                                    /* one offer at a time */
        PEER_SAY(&peer, FRAME_BUSY, OUT, number);
        silent();                                    /* and none before the next invitation */
    }
    uint64_t number = tries(OFF, 20);
    PEER_SAY(&peer, FRAME_TAKEN, OFF, number);
    ended(LEAT_OK, SENT_OFF);
    leaves();
}

SCRIPT(an_invitation_during_an_offer_is_remembered)
{
    opens(0);
    uint64_t number = tries(OUT, 10);
    PEER_SAY(&peer, FRAME_INVITE, OFF);
    silent();
    PEER_SAY(&peer, FRAME_BUSY, OUT, number);
    number = expect_offer(OFF, 20);
    PEER_SAY(&peer, FRAME_TAKEN, OFF, number);
    ended(LEAT_OK, SENT_OFF);
    leaves();
}

SCRIPT(an_invitation_that_nobody_uses_is_void)
{
    opens(0);
    CHECK_EQ(leat_send(in, { 1 }), LEAT_OK);
    ended(LEAT_OK, GOT);
    leaves();
    PEER_SAY(&peer, FRAME_INVITE, OUT);              /* it was on its way */
    silent();
    opens(0);
    silent();                                        /* the next select waits for its own */
    uint64_t number = tries(OUT, 10);
    PEER_SAY(&peer, FRAME_TAKEN, OUT, number);
    ended(LEAT_OK, SENT);
    leaves();
}

/* As opens and tries, before its timer is due: else once more, with a longer one. */
static uint64_t tries_before(int *timer_ms)
{
    for (;; *timer_ms *= 5) {
        opens(*timer_ms);
        PEER_SAY(&peer, FRAME_INVITE, OUT);
        struct peer_frame f = peer_next(&peer);
        while (f.kind < FRAME_FIRST_NUMBERED)
            f = peer_next(&peer);
        uint64_t id = cur_varint(&f.in), zero = 1;
        if (f.kind == FRAME_ELEM) {
            CHECK_EQ(id, OUT);
            CHECK_EQ(cur_u8(&f.in), ELEM_SELECT);
            return cur_varint(&f.in);
        }
        CHECK_EQ(f.kind, FRAME_NEED);                /* it has left one of its homes, and leaves the other one */
        while (zero) {
            f = peer_expect(&peer, FRAME_NEED);
            if (cur_varint(&f.in) != id)
                zero = cur_varint(&f.in);
        }
        ended(LEAT_OK, TIMER);
        silent();                                    /* and the invitation is void */
    }
}

SCRIPT(local_cases_wait_while_an_offer_is_out)
{
    int timer_ms = 200;
    uint64_t number = tries_before(&timer_ms);
    leat_err err = LEAT_OK;
    leat_with_deadline(LEAT_MS(timer_ms + 10))       /* longer than its timer, which began before */
        err = leat_send(in, { 7 });
    CHECK_EQ(err, LEAT_DEADLINE);
    CHECK(!choice.done);
    PEER_SAY(&peer, FRAME_BUSY, OUT, number);
    ended(LEAT_OK, TIMER);
    leaves();
}

SCRIPT(a_cancel_withdraws_and_learns_that_it_was_not_taken)
{
    opens(0);
    uint64_t number = tries(OUT, 10);
    leat_cancel(choice.ctx, LEAT_CANCELED);
    expect(FRAME_WITHDRAW, OUT, number);
    PEER_SAY(&peer, FRAME_WITHDRAWN, OUT, number);
    ended(LEAT_CANCELED, 0);
    leaves();
}

SCRIPT(a_cancel_withdraws_and_learns_that_it_was_taken)
{
    opens(0);
    uint64_t number = tries(OUT, 10);
    leat_cancel(choice.ctx, LEAT_CANCELED);
    expect(FRAME_WITHDRAW, OUT, number);
    PEER_SAY(&peer, FRAME_TAKEN, OUT, number);
    ended(LEAT_OK, SENT);
    leaves();
}

SCRIPT(a_cancel_withdraws_and_learns_nothing)
{
    opens(0);
    uint64_t number = tries(OUT, 10);
    leat_cancel(choice.ctx, LEAT_CANCELED);
    expect(FRAME_WITHDRAW, OUT, number);
    ended(LEAT_UNKNOWN, 0);
    CHECK_EQ(choice.why, LEAT_CANCELED);
    CHECK_EQ(choice.sent, SENT);
    leaves();
}

SCRIPT(a_select_that_does_not_know_says_which_of_its_values_that_is)
{
    opens(0);
    uint64_t number = tries(OUT, 10);
    PEER_SAY(&peer, FRAME_BUSY, OUT, number);
    number = tries(OFF, 20);
    leat_cancel(choice.ctx, LEAT_CANCELED);
    expect(FRAME_WITHDRAW, OFF, number);
    ended(LEAT_UNKNOWN, 0);
    CHECK_EQ(choice.sent, SENT_OFF);
    leaves();
    opens(0);
    number = tries(OUT, 10);
    leat_cancel(choice.ctx, LEAT_CANCELED);
    expect(FRAME_WITHDRAW, OUT, number);
    PEER_SAY(&peer, FRAME_WITHDRAWN, OUT, number);
    ended(LEAT_CANCELED, 0);
    CHECK_EQ(choice.sent, 0);                        /* of another failure none is in doubt */
    leaves();
}

SCRIPT(a_cancel_before_the_offer_is_certain)
{
    opens(0);
    leat_cancel(choice.ctx, LEAT_CANCELED);
    ended(LEAT_CANCELED, 0);
    leaves();
}

SCRIPT(a_session_that_ends_during_an_offer_leaves_it_unknown)
{
    opens(0);
    (void)tries(OUT, 10);
    peer_hang_up(&peer);
    peer.l = NULL;
    ended(LEAT_UNKNOWN, 0);
    CHECK_EQ(choice.why, LEAT_PEER_LOST);
}

SCRIPT(a_session_that_ends_before_the_offer_is_a_lost_peer)
{
    opens(0);
    peer_hang_up(&peer);
    peer.l = NULL;
    ended(LEAT_PEER_LOST, 0);
}

SCRIPT(a_channel_that_is_closed_during_an_offer_was_not_taken)
{
    opens(0);
    (void)tries(OUT, 10);
    PEER_SAY(&peer, FRAME_SEAL, OUT, LEAT_CLOSED);
    expect(FRAME_SEALED, OUT, NOBODY);
    CHECK(!choice.done);
    uint64_t number = tries(OFF, 20);                /* the other cases go on */
    PEER_SAY(&peer, FRAME_TAKEN, OFF, number);
    ended(LEAT_OK, SENT_OFF);
}

/* -- the receiving side --------------------------------------------------------------------------------------------------------------- */
struct into { _Atomic int *to; };
static leat_err receive_into(struct into *i)
{
    struct mark m;
    LEAT_TRY(leat_recv(in, &m));
    at_store_rel(i->to, m.n);
    return LEAT_OK;
}

/* The receiver has run: what it has received. */
static int received(_Atomic int *got)
{
    while (!at_load_acq(got))
        leat_yield();
    return at_load(got);
}

SCRIPT(a_receiver_invites_once)
{
    _Atomic int got[2] = { 0, 0 };
    PEER_SAY(&peer, FRAME_NEED, IN, 1, 0, 0);
    silent();                                        /* nobody is ready */
    CHECK_EQ(leat_go(tasks, receive_into, (struct into){ &got[0] }), LEAT_OK);
    expect(FRAME_INVITE, IN, NOBODY);
    CHECK_EQ(leat_go(tasks, receive_into, (struct into){ &got[1] }), LEAT_OK);
    silent();                                        /* a second one changes nothing */
    offer(1, 7, true);
    expect(FRAME_TAKEN, IN, 1);
    expect(FRAME_INVITE, IN, NOBODY);                /* the second one still waits, and somebody stands there */
    offer(2, 8, false);
    expect(FRAME_TAKEN, IN, 2);
    silent();
    CHECK_EQ(received(&got[0]), 7);
    CHECK_EQ(received(&got[1]), 8);
}

SCRIPT(nobody_who_stands_there_is_not_invited)
{
    _Atomic int got = 0;
    PEER_SAY(&peer, FRAME_NEED, IN, 1, 0, 0);
    PEER_SAY(&peer, FRAME_NEED, IN, 0, 0, 0);
    silent();
    CHECK_EQ(leat_go(tasks, receive_into, (struct into){ &got }), LEAT_OK);
    silent();
    PEER_SAY(&peer, FRAME_NEED, IN, 2, 0, 0);
    expect(FRAME_INVITE, IN, NOBODY);
    PEER_SAY(&peer, FRAME_NEED, IN, 3, 0, 0);
    silent();                                        /* once */
    PEER_SAY(&peer, FRAME_NEED, IN, 0, 0, 0);
    PEER_SAY(&peer, FRAME_NEED, IN, 1, 0, 0);
    expect(FRAME_INVITE, IN, NOBODY);                /* until nobody stood there */
    offer(1, 5, false);
    expect(FRAME_TAKEN, IN, 1);
    silent();
    CHECK_EQ(received(&got), 5);
}

SCRIPT(an_offer_to_nobody_is_refused)
{
    _Atomic int got = 0;
    PEER_SAY(&peer, FRAME_NEED, IN, 1, 0, 0);
    offer(1, 5, true);
    expect(FRAME_BUSY, IN, 1);
    CHECK_EQ(leat_go(tasks, receive_into, (struct into){ &got }), LEAT_OK);
    expect(FRAME_INVITE, IN, NOBODY);                /* it may try again */
    offer(2, 6, true);
    expect(FRAME_TAKEN, IN, 2);
    silent();
    CHECK_EQ(received(&got), 6);
}

SCRIPT(an_offer_meets_a_select_that_waits)
{
    opens(0);
    offer(1, 5, false);
    expect(FRAME_TAKEN, IN, 1);
    ended(LEAT_OK, GOT);
    CHECK_EQ(choice.got, 5);
    leaves();
}

/* The answer to the offer, which has waited, and that the select leaves both homes, in any order. */
static void answered_and_leaves(uint64_t number, uint8_t kind)
{
    bool answered = false;
    for (int left = 2; left || !answered; ) {
        struct peer_frame f = peer_next(&peer);
        if (f.kind == FRAME_NEED) {
            left--;
        } else if (f.kind >= FRAME_FIRST_NUMBERED) {
            CHECK_EQ(f.kind, kind);
            CHECK_EQ(cur_varint(&f.in), IN);
            CHECK_EQ(cur_varint(&f.in), number);
            answered = true;
        }
    }
}

SCRIPT(a_lesser_offer_waits_for_a_select_that_comes_back)
{
    opens(0);
    uint64_t number = tries(OUT, 10);
    offer(1, 5, true);
    silent();
    PEER_SAY(&peer, FRAME_BUSY, OUT, number);
    answered_and_leaves(1, FRAME_TAKEN);
    ended(LEAT_OK, GOT);
    CHECK_EQ(choice.got, 5);
}

SCRIPT(a_lesser_offer_is_refused_when_the_select_does_not_come_back)
{
    opens(0);
    uint64_t number = tries(OUT, 10);
    offer(1, 5, true);
    silent();
    PEER_SAY(&peer, FRAME_TAKEN, OUT, number);
    answered_and_leaves(1, FRAME_BUSY);
    ended(LEAT_OK, SENT);
}

/* A select is in TRY at far, and an offer waits for it. */
static void tries_at_far(void)
{
    enum { THIRD = 3, GRACE_MS = 30000 };
    out = leat_chan_make(struct mark, 0);
    CHECK_EQ(leat_export(a, "third", leat_rx_of(out), mark), LEAT_OK);
    peer_dial_for(&far, leat_node_url(a), 2, GRACE_MS);
    attach_at(&far, THIRD, "third", 0);
    choice = (struct choice){ .err = LEAT_OK };
    CHECK_EQ(leat_go(tasks, choose, LEAT_NONE), LEAT_OK);
    (void)peer_expect(&far, FRAME_NEED);
    expect(FRAME_NEED, OFF, 1);
    PEER_SAY(&far, FRAME_INVITE, THIRD);
    (void)expect_offer_at(&far, THIRD, 10);
    offer(1, 5, true);
    silent();
}

static void no_more_links(void)
{
    struct sess *s;
    lock(&a->lock);
    for (s = a->sessions; s && !sess_is_down(s); s = s->next)
        ;
    CHECK(s);
    sess_ref(s);
    unlock(&a->lock);
    sess_break(s, LEAT_PEER_LOST, "it does not come back");
    sess_unref(s);
}

/* The node is a relay: from the peer, where a select stands, to far, the home. */
SCRIPT(a_relay_whose_own_link_breaks_says_so_where_the_select_is)
{
    enum { THIRD = 3, PAST = 9, GRACE_MS = 30000 };
    leat_chan(struct mark) c = leat_chan_make(struct mark, 0);
    CHECK_EQ(leat_export(a, "third", leat_rx_of(c), mark), LEAT_OK);
    peer_dial_for(&far, leat_node_url(a), 2, GRACE_MS);
    attach_at(&far, THIRD, "third", 0);
    CHECK_EQ(leat_export(a, "past", leat_tx_of(c), mark), LEAT_OK);
    attach(PAST, "past", 1);
    PEER_SAY(&peer, FRAME_NEED, PAST, 1, 0, 0);
    (void)peer_expect(&far, FRAME_NEED);
    PEER_SAY(&far, FRAME_INVITE, THIRD);
    expect(FRAME_INVITE, PAST, NOBODY);
    offer_at(PAST, 1, 5, true);
    CHECK_EQ(expect_offer_at(&far, THIRD, 5), 1);
    silent();                                        /* there is no gap */
    peer_hang_up(&far);
    expect(FRAME_NONE, PAST, NOBODY);
    silent();                                        /* once; and far may come back and say what became of the offer */
    no_more_links();
    struct peer_frame f = peer_expect(&peer, FRAME_SEAL);
    CHECK_EQ(cur_varint(&f.in), PAST);
    CHECK_EQ(cur_u8(&f.in), LEAT_PEER_LOST);
    CHECK_EQ(cur_u8(&f.in), 0);                      /* it may have been taken */
    leat_unref(c);
}

static void ask_nothing(struct peer *p)
{
    struct buf b = { 0 };
    put_attach(&b, 1001, &mark_type, "no such", true);
    peer_send(p, FRAME_ATTACH, 0, &b);
    buf_free(&b);
}

/* An end that has come by eight relays goes no further: the offer that has it is answered all the same. */
SCRIPT(what_a_relay_cannot_offer_further_is_lost_to_who_offered_it)
{
    enum { THIRD = 3, PAST = 9, EIGHT = 8 };
    leat_chan(struct carry) c = leat_chan_make(struct carry, 0);
    struct buf b = { 0 };
    CHECK_EQ(leat_export(a, "third", leat_rx_of(c), carry), LEAT_OK);
    peer_dial(&far, leat_node_url(a), 2);
    CHECK_EQ(peer_attach(&far, THIRD, &carry_type, "third", false), 0);
    CHECK_EQ(leat_export(a, "past", leat_tx_of(c), carry), LEAT_OK);
    CHECK_EQ(peer_attach(&peer, PAST, &carry_type, "past", true), 0);
    buf_varint(&b, PAST);
    buf_u8(&b, ELEM_FIRM);
    buf_varint(&b, 1);
    buf_u8(&b, 1);                                   /* there is an end */
    buf_u8(&b, 4);                                   /* a send end, with its way */
    buf_varint(&b, 101);
    put_print(&b, &mark_type);
    buf_u32(&b, 4);
    buf_varint(&b, 0);
    buf_u8(&b, EIGHT);
    buf_text(&b, "eight nodes", 11);
    peer_send(&peer, FRAME_ELEM, 0, &b);
    buf_free(&b);
    (void)peer_expect(&far, FRAME_TORN);
    for (;;) {
        struct peer_frame f = peer_next(&peer);
        if (f.kind != FRAME_SEAL)
            continue;                                /* the end in it goes as well */
        CHECK_EQ(cur_varint(&f.in), PAST);
        CHECK_EQ(cur_u8(&f.in), LEAT_PEER_LOST);
        CHECK_EQ(cur_u8(&f.in), 1);                  /* it was not taken */
        break;
    }
    for (int i = 0; i < 3; i++) {                    /* who offers all the same is told nothing any more, and nobody else is */
        struct buf again = { 0 };
        buf_varint(&again, PAST);
        buf_u8(&again, ELEM_FIRM);
        buf_varint(&again, 2);
        buf_u8(&again, 0);
        peer_send(&peer, FRAME_ELEM, 0, &again);
        buf_free(&again);
    }
    for (uint8_t kind = 0; kind != FRAME_ATTACHED; ) {               /* the end in the first one goes as well */
        if (!kind)
            ask_nothing(&peer);
        kind = peer_next(&peer).kind;
        CHECK(kind != FRAME_SEAL && kind != FRAME_DEAD);
    }
    peer_heard(&far, 1001);
    peer_hang_up(&far);
    leat_unref(c);
}

/* Who says it again and again costs the home's session nothing, which may be slow, or without a link. */
SCRIPT(a_relay_passes_a_tear_on_once)
{
    enum { THIRD = 3, PAST = 9 };
    leat_chan(struct mark) c = leat_chan_make(struct mark, 0);
    CHECK_EQ(leat_export(a, "third", leat_rx_of(c), mark), LEAT_OK);
    peer_dial(&far, leat_node_url(a), 2);
    attach_at(&far, THIRD, "third", false);
    CHECK_EQ(leat_export(a, "past", leat_tx_of(c), mark), LEAT_OK);
    attach(PAST, "past", true);
    for (int i = 0; i < 5; i++) {
        struct buf b = { 0 };
        buf_varint(&b, PAST);
        buf_text(&b, "node x", 6);
        peer_send(&peer, FRAME_TORN, 0, &b);
        buf_free(&b);
    }
    silent();
    struct peer_frame f = peer_expect(&far, FRAME_TORN);
    size_t n;
    CHECK_EQ(cur_varint(&f.in), THIRD);
    CHECK_MEM(cur_text(&f.in, &n), "node x", 6);
    peer_heard(&far, 1001);
    peer_hang_up(&far);
    leat_unref(c);
}

SCRIPT(no_offer_waits_for_a_select_whose_own_link_has_broken)
{
    leat_chan(struct mark) was = out;
    tries_at_far();
    peer_hang_up(&far);
    expect(FRAME_BUSY, IN, 1);
    offer(2, 6, true);
    expect(FRAME_BUSY, IN, 2);
    CHECK(!choice.done);                             /* far may come back and say what became of it */
    no_more_links();
    ended(LEAT_UNKNOWN, 0);
    leat_unref(out);
    out = was;
}

SCRIPT(a_greater_offer_is_refused_at_once)
{
    opens(0);
    uint64_t number = tries(OUT, 10);
    offer(1, 5, false);
    expect(FRAME_BUSY, IN, 1);
    PEER_SAY(&peer, FRAME_TAKEN, OUT, number);
    ended(LEAT_OK, SENT);
    leaves();
}

/* Of two selects of one node, as of any two, one waits and one does not: the later one does not. */
SCRIPT(of_two_selects_of_one_node_the_later_one_is_refused)
{
    opens(0);
    uint64_t number = tries(OUT, 10);
    PEER_SAY(&peer, FRAME_TAKEN, OUT, number);
    ended(LEAT_OK, SENT);
    leaves();
    struct name before = offered;
    opens(0);
    number = tries(OUT, 10);
    CHECK_MEM(offered.node, before.node, sizeof before.node);
    CHECK_EQ(offered.count, before.count + 1);
    struct name later = offered;
    later.count++;
    offer_by(IN, 1, 5, &later);
    expect(FRAME_BUSY, IN, 1);
    offer_by(IN, 2, 6, &offered);                    /* it is that select itself */
    expect(FRAME_BUSY, IN, 2);
    offer_by(IN, 3, 7, &before);
    silent();
    PEER_SAY(&peer, FRAME_BUSY, OUT, number);
    answered_and_leaves(3, FRAME_TAKEN);
    ended(LEAT_OK, GOT);
    CHECK_EQ(choice.got, 7);
}

SCRIPT(a_select_that_is_back_invites)
{
    opens(0);
    uint64_t number = tries(OUT, 10);
    PEER_SAY(&peer, FRAME_NEED, IN, 1, 0, 0);
    silent();                                        /* it is not ready */
    offer(1, 5, false);
    expect(FRAME_BUSY, IN, 1);
    PEER_SAY(&peer, FRAME_BUSY, OUT, number);
    expect(FRAME_INVITE, IN, NOBODY);
    offer(2, 6, false);
    expect(FRAME_TAKEN, IN, 2);
    ended(LEAT_OK, GOT);
    leaves();
}

SCRIPT(an_offer_that_waits_is_withdrawn)
{
    opens(0);
    uint64_t number = tries(OUT, 10);
    offer(1, 5, true);
    PEER_SAY(&peer, FRAME_WITHDRAW, IN, 1);
    expect(FRAME_WITHDRAWN, IN, 1);
    PEER_SAY(&peer, FRAME_TAKEN, OUT, number);
    ended(LEAT_OK, SENT);
    leaves();
}

static void plain(uint64_t number, uint8_t what, int32_t n)
{
    struct buf b = { 0 };
    buf_varint(&b, IN);
    buf_u8(&b, what);
    buf_varint(&b, number);
    buf_u32(&b, (uint32_t)n);
    peer_send(&peer, FRAME_ELEM, 0, &b);
    buf_free(&b);
}

SCRIPT(a_plain_offer_waits_for_a_select_that_comes_back)
{
    opens(0);
    uint64_t number = tries(OUT, 10);
    plain(1, ELEM_FIRM, 5);
    silent();
    PEER_SAY(&peer, FRAME_BUSY, OUT, number);
    answered_and_leaves(1, FRAME_TAKEN);
    ended(LEAT_OK, GOT);
}

SCRIPT(a_try_waits_for_nobody)
{
    opens(0);
    uint64_t number = tries(OUT, 10);
    plain(1, ELEM_SOFT, 5);
    expect(FRAME_BUSY, IN, 1);
    PEER_SAY(&peer, FRAME_TAKEN, OUT, number);
    ended(LEAT_OK, SENT);
    leaves();
}

/* Its home has learned that the way beyond it has a gap: nobody waits for this select. */
SCRIPT(no_offer_waits_for_a_select_whose_offer_is_stuck_beyond_its_peer)
{
    opens(0);
    uint64_t number = tries(OUT, 10);
    offer(1, 5, true);
    silent();
    PEER_SAY(&peer, FRAME_NONE, OUT);
    expect(FRAME_BUSY, IN, 1);
    offer(2, 6, true);
    expect(FRAME_BUSY, IN, 2);
    PEER_SAY(&peer, FRAME_TAKEN, OUT, number);
    ended(LEAT_OK, SENT);
    leaves();
}

/* -- a receiver that polls --------------------------------------------------------------------------------------------------------- */
struct polled { leat_err err; int n; bool select; _Atomic bool done; };
static struct polled polled;
static leat_err poll_in(leat_none *none)
{
    struct mark v = { 0 };
    (void)none;
    if (polled.select) {
        leat_select(polled.err) {
            leat_on_recv(in, &v) { }
            leat_otherwise { v.n = -1; }
        }
    } else {
        polled.err = leat_try_recv(in, &v);
    }
    polled.n = v.n;
    polled.done = true;
    return LEAT_OK;
}
static void polls(bool select)
{
    polled = (struct polled){ .err = LEAT_OK, .select = select };
    CHECK_EQ(leat_go(tasks, poll_in, LEAT_NONE), LEAT_OK);
    expect(FRAME_INVITE, IN, NOBODY);
    expect(FRAME_RECALL, IN, NOBODY);
}
static void said(leat_err err, int n)
{
    while (!polled.done)
        leat_yield();
    CHECK_EQ(polled.err, err);
    CHECK_EQ(polled.n, n);
}

SCRIPT(a_poll_asks_and_takes_what_is_offered)
{
    for (int i = 0; i < 2; i++) {
        PEER_SAY(&peer, FRAME_NEED, IN, 1, 0, 0);
        silent();
        polls(i);
        CHECK(!polled.done);
        offer(1 + (uint64_t)i, 5, false);
        expect(FRAME_TAKEN, IN, 1 + (uint64_t)i);
        said(LEAT_OK, 5);
        PEER_SAY(&peer, FRAME_RETURN, IN, 0);
        PEER_SAY(&peer, FRAME_NEED, IN, 0, 0, 0);
        silent();
    }
}

SCRIPT(a_poll_that_nobody_offers_to_says_so)
{
    PEER_SAY(&peer, FRAME_NEED, IN, 1, 0, 0);
    silent();
    polls(false);
    PEER_SAY(&peer, FRAME_RETURN, IN, 0);
    said(LEAT_AGAIN, 0);
    polled = (struct polled){ .err = LEAT_OK, .select = true };      /* the site has an invitation, and is asked again */
    CHECK_EQ(leat_go(tasks, poll_in, LEAT_NONE), LEAT_OK);
    expect(FRAME_RECALL, IN, NOBODY);
    PEER_SAY(&peer, FRAME_RETURN, IN, 0);
    said(LEAT_OK, -1);
    offer(1, 5, false);                              /* too late */
    expect(FRAME_BUSY, IN, 1);
}

/* It asks nobody where nobody stands, and does not wait for who has no link, or is lost. */
SCRIPT(a_poll_waits_for_nobody_who_cannot_answer)
{
    struct mark v;
    CHECK_EQ(leat_try_recv(in, &v), LEAT_AGAIN);
    peer_dial_for(&far, leat_node_url(a), 2, 30000);
    attach_at(&far, IN, "in", 1);
    PEER_SAY(&far, FRAME_NEED, IN, 1, 0, 0);
    while (!(at_load(&((leat_chan_ *)in)->needy) & NEEDY_STAND))
        leat_yield();
    polled = (struct polled){ .err = LEAT_OK };
    CHECK_EQ(leat_go(tasks, poll_in, LEAT_NONE), LEAT_OK);
    (void)peer_expect(&far, FRAME_INVITE);
    (void)peer_expect(&far, FRAME_RECALL);
    peer_hang_up(&far);
    said(LEAT_AGAIN, 0);
    CHECK_EQ(leat_try_recv(in, &v), LEAT_AGAIN);
    no_more_links();
}

/* One who polls while the answers to another are still to come waits for those to a question of its own. */
SCRIPT(a_second_poll_asks_again)
{
    PEER_SAY(&peer, FRAME_NEED, IN, 1, 0, 0);
    silent();
    polls(false);
    offer(1, 5, false);
    expect(FRAME_TAKEN, IN, 1);
    said(LEAT_OK, 5);
    polled = (struct polled){ .err = LEAT_OK };
    CHECK_EQ(leat_go(tasks, poll_in, LEAT_NONE), LEAT_OK);
    expect(FRAME_INVITE, IN, NOBODY);
    PEER_SAY(&peer, FRAME_RETURN, IN, 0);            /* to the first one */
    expect(FRAME_RECALL, IN, NOBODY);
    CHECK(!polled.done);
    offer(2, 6, false);
    expect(FRAME_TAKEN, IN, 2);
    said(LEAT_OK, 6);
    PEER_SAY(&peer, FRAME_RETURN, IN, 0);
}

/* A site answers behind the offer that its select makes. */
SCRIPT(a_site_that_is_polled_answers_behind_its_offer)
{
    opens(0);
    PEER_SAY(&peer, FRAME_INVITE, OUT);
    PEER_SAY(&peer, FRAME_RECALL, OUT);
    uint64_t number = expect_offer(OUT, 10);
    expect(FRAME_RETURN, OUT, 0);
    PEER_SAY(&peer, FRAME_INVITE, OFF);              /* the select is elsewhere */
    PEER_SAY(&peer, FRAME_RECALL, OFF);
    expect(FRAME_RETURN, OFF, 0);
    PEER_SAY(&peer, FRAME_TAKEN, OUT, number);
    ended(LEAT_OK, SENT);
    leaves();
    PEER_SAY(&peer, FRAME_RECALL, OUT);
    expect(FRAME_RETURN, OUT, 0);
}

SCRIPT(a_close_while_an_offer_waits_is_its_answer)
{
    opens(0);
    uint64_t number = tries(OUT, 10);
    offer(1, 5, true);
    silent();
    leat_close(in);
    expect(FRAME_SEAL, IN, LEAT_CLOSED);
    PEER_SAY(&peer, FRAME_TAKEN, OUT, number);
    ended(LEAT_OK, SENT);
    leaves();
}

T_MAIN()
