/* distance_test.c - channels between nodes: when a send is complete, what a close, a loss and a flush say, and whose turn it is.  Each test
 * was written because nothing else noticed when that was broken (test/breaks). */
#include "peer.h"
#include "base/base.h"
#include "chan/chan.h"
#include "sess/ends.h"
#include "sess/impl.h"
#include "sess/sess.h"
#include "type/desc.h"

LEAT_STRUCT(num, (uint64, n));

/* c's send end, as node b has it; c itself stays a sender. */
static void *send_end(struct pair *x, leat_chan(struct num) c)
{
    leat_tx(struct num) out = NULL;
    CHECK_EQ(leat_export(x->a, "nums", leat_tx_of(c), num), LEAT_OK);
    CHECK_EQ(leat_import(x->p, "nums", &out, num, 0), LEAT_OK);
    leat_unexport(x->a, "nums");
    return (void *)out;
}

/* What must not happen meanwhile has had its chance. */
static void others_run(void)
{
    for (int i = 0; i < 5; i++) {
        leat_ignore(leat_sleep(LEAT_MS(1)));
        leat_yield();
    }
}

struct said { leat_tx(struct num) out; uint64_t n; _Atomic bool done; leat_err err; };
static leat_err say(struct said **arg)
{
    struct said *s = *arg;
    s->err = leat_send(s->out, { s->n });
    atomic_store(&s->done, true);
    return LEAT_OK;
}

/* -- complete ------------------------------------------------------------------------------------------------------------------- */
static leat_err rendezvous(leat_none *none)
{
    (void)none;
    struct pair x = pair_open();
    leat_chan(struct num) c = leat_chan_make(struct num, 0);
    leat_tx(struct num) out = send_end(&x, c);
    leat_err err;
    for (uint64_t i = 0; i < 10; i++) {
        struct said s = { out, i, false, LEAT_AGAIN };
        struct num v;
        leat_with_group(g, err) {
            LEAT_TRY(leat_go(&g, say, (struct said *){ &s }));
            others_run();
            CHECK(!atomic_load(&s.done));            /* nobody receives */
            LEAT_TRY(leat_recv(c, &v));
        }
        CHECK_EQ(err, LEAT_OK);
        CHECK_EQ(s.err, LEAT_OK);
        CHECK_EQ(v.n, i);
    }
    leat_unref(out);
    leat_unref(c);
    pair_close(&x);
    return LEAT_OK;
}
ANYWHERE(an_unbuffered_send_is_complete_when_it_is_received_and_not_before, rendezvous)

/* Many channels send at a time, and more than the writer takes in one round: so some of it waits, each channel's in a row of its own. */
LEAT_STRUCT(long_one, (uint64, n), (chars(1000), text));
enum { CHANNELS = 40, ROUNDS = 100 };
struct rows { leat_tx(struct long_one) out[CHANNELS]; };
static leat_err in_turn(struct rows **arg)
{
    struct long_one v = { 0 };
    memset(v.text, 'x', sizeof v.text - 1);
    for (v.n = 0; v.n < ROUNDS; v.n++)
        for (int k = 0; k < CHANNELS; k++)
            LEAT_TRY(leat_send((*arg)->out[k], v));
    return LEAT_OK;
}

static leat_err many_channels(leat_none *none)
{
    (void)none;
    struct pair x = pair_open();
    leat_chan(struct long_one) c[CHANNELS];
    static struct rows r;
    leat_err err;
    for (int k = 0; k < CHANNELS; k++) {
        c[k] = leat_chan_make(struct long_one, 64);
        CHECK_EQ(leat_export(x.a, "rows", leat_tx_of(c[k]), long_one), LEAT_OK);
        CHECK_EQ(leat_import(x.p, "rows", &r.out[k], long_one, 0), LEAT_OK);
        leat_unexport(x.a, "rows");
    }
    leat_with_group(g, err) {
        LEAT_TRY(leat_go(&g, in_turn, (struct rows *){ &r }));
        for (uint64_t i = 0; i < ROUNDS; i++)
            for (int k = 0; k < CHANNELS; k++) {
                struct long_one v;
                LEAT_TRY(leat_recv(c[k], &v));
                CHECK_EQ(v.n, i);
            }
    }
    CHECK_EQ(err, LEAT_OK);
    for (int k = 0; k < CHANNELS; k++) {
        leat_unref(r.out[k]);
        leat_unref(c[k]);
        r.out[k] = NULL;
    }
    pair_close(&x);
    return LEAT_OK;
}
ANYWHERE(elements_of_many_channels_arrive_in_the_order_of_each, many_channels)

/* What is too large is refused here, and is still the sender's; the session goes on. */
LEAT_STRUCT(text, (string, of));
static leat_err largest(leat_none *none)
{
    (void)none;
    struct pair x = pair_open();
    leat_chan(struct text) c = leat_chan_make(struct text, 2);
    leat_tx(struct text) out = NULL;
    CHECK_EQ(leat_export(x.a, "texts", leat_tx_of(c), text), LEAT_OK);
    CHECK_EQ(leat_import(x.p, "texts", &out, text, 0), LEAT_OK);
    const uint32_t fits = LIMIT_ELEM - 4;            /* its length takes four bytes */
    for (uint32_t n = fits + 1; n >= fits; n--) {
        char *p = malloc(n);
        memset(p, 'x', n);
        p[n - 1] = 'y';
        struct text t = { { p, n, 1 } }, got;
        leat_err err = leat_send_from(out, &t);
        CHECK_EQ(err, n > fits ? LEAT_LIMIT : LEAT_OK);
        if (err != LEAT_OK) {
            CHECK(t.of.p == p && t.of.len == n);
            leat_drop(text, &t);
            continue;
        }
        CHECK_EQ(leat_recv(c, &got), LEAT_OK);
        CHECK_EQ(got.of.len, n);
        CHECK(got.of.p[0] == 'x' && got.of.p[n - 1] == 'y');
        leat_drop(text, &got);
    }
    leat_unref(out);
    leat_unref(c);
    pair_close(&x);
    return LEAT_OK;
}
ANYWHERE(a_value_has_16_mib_and_no_more, largest)

/* -- close ---------------------------------------------------------------------------------------------------------------------- */
/* What was sent before a close, at either side, is received; then it is CLOSED for the receiver, for who waits to send and for others. */
static void closes(struct pair *x, bool there)
{
    leat_chan(struct num) c = leat_chan_make(struct num, 2);
    leat_tx(struct num) out = send_end(x, c), second = leat_ref(out);
    struct said s = { out, 3, false, LEAT_AGAIN };
    struct num v;
    leat_err err;
    for (uint64_t i = 0; i < 2; i++)
        CHECK_EQ(leat_send(out, { i }), LEAT_OK);
    CHECK_EQ(leat_flush(out), LEAT_OK);
    leat_with_group(g, err) {
        CHECK_EQ(leat_go(&g, say, (struct said *){ &s }), LEAT_OK);  /* there is no room for it */
        others_run();
        CHECK(!atomic_load(&s.done));
        if (there)
            leat_close(out);
        else
            leat_close(c);
    }
    CHECK_EQ(err, LEAT_OK);
    CHECK_EQ(s.err, LEAT_CLOSED);
    leat_unref(out);                                 /* second stays: only the close can end it */
    for (uint64_t i = 0; i < 2; i++) {
        CHECK_EQ(leat_recv(c, &v), LEAT_OK);
        CHECK_EQ(v.n, i);
    }
    bool over = false;
    leat_with_deadline(LEAT_S(20))
        leat_select(err) {
            leat_on_recv(c, &v) { CHECK(!"a value that nobody sent"); }
            leat_on_closed(c) { over = true; }
        }
    CHECK(over && err == LEAT_OK);
    CHECK_EQ(leat_recv(c, &v), LEAT_CLOSED);
    CHECK_EQ(leat_send(c, { 9 }), LEAT_CLOSED);
    CHECK_EQ(leat_send(second, { 9 }), LEAT_CLOSED);
    leat_unref(second);
    leat_unref(c);
}

static leat_err closed_somewhere(leat_none *none)
{
    (void)none;
    struct pair x = pair_open();
    closes(&x, false);
    closes(&x, true);
    pair_close(&x);
    return LEAT_OK;
}
ANYWHERE(a_close_on_either_side_comes_behind_what_was_sent_and_ends_all_sending, closed_somewhere)

/* -- loss ----------------------------------------------------------------------------------------------------------------------- */
static uint32_t idle(leat_tx(struct num) out)
{
    leat_chan_ *c = (leat_chan_ *)(void *)out;
    lock(&c->lock);
    uint32_t n = chan_idle_credits_locked(c);
    unlock(&c->lock);
    return n;
}

/* Of what was sent the home has had some, and some has just been sent when the session ends: the one is received, then PEER_LOST; of the
 * other a flush tells how many. */
static leat_err cut(leat_none *none)
{
    (void)none;
    struct pair x = pair_open();
    leat_chan(struct num) c = leat_chan_make(struct num, 8);
    leat_tx(struct num) out = send_end(&x, c);
    struct num v;
    uint64_t sent = 0, got = 0;
    leat_finish(c);
    do {                                             /* until it has credits before it needs them */
        CHECK_EQ(leat_send(out, { sent++ }), LEAT_OK);
        CHECK_EQ(leat_recv(c, &v), LEAT_OK);
        CHECK_EQ(v.n, got++);
        leat_yield();
    } while (idle(out) < 6);
    for (int i = 0; i < 3; i++)
        CHECK_EQ(leat_send(out, { sent++ }), LEAT_OK);
    CHECK_EQ(leat_flush(out), LEAT_OK);
    uint64_t certain = sent;
    for (int i = 0; i < 2; i++)
        CHECK_EQ(leat_send(out, { sent++ }), LEAT_OK);
    sess_break(sess_of(x.p), LEAT_SYS, "the test cuts it");
    while (!at_load(&((leat_chan_ *)c)->ended))
        leat_yield();                                /* the home knows of the loss, and has not received yet */
    leat_err err;
    while ((err = leat_recv(c, &v)) == LEAT_OK)
        CHECK_EQ(v.n, got++);
    CHECK_EQ(err, LEAT_PEER_LOST);
    CHECK(got >= certain && got <= sent);
    CHECK_EQ(leat_flush(out), LEAT_UNKNOWN);         /* nobody has told this side of the last two */
    CHECK_EQ(leat_err_why(), LEAT_PEER_LOST);
    CHECK_HAS(leat_err_detail(), "the last 2 may not have arrived");
    leat_unref(out);
    leat_unref(c);
    pair_close(&x);
    return LEAT_OK;
}
ANYWHERE(what_the_home_had_is_received_before_the_loss_and_the_rest_is_counted, cut)

/* It was received, and the session ends before the sender is told. */
static leat_err cut_in_between(leat_none *none)
{
    (void)none;
    for (int i = 0; i < 20; i++) {
        struct pair x = pair_open();
        leat_chan(struct num) c = leat_chan_make(struct num, 0);
        leat_tx(struct num) out = send_end(&x, c);
        struct said s = { out, 7, false, LEAT_AGAIN };
        struct num v;
        leat_err err;
        leat_with_group(g, err) {
            LEAT_TRY(leat_go(&g, say, (struct said *){ &s }));
            while (!at_load(&((leat_chan_ *)c)->sq.head))
                leat_yield();                        /* it waits at home */
            LEAT_TRY(leat_recv(c, &v));
            sess_break(sess_of(x.p), LEAT_SYS, "the test cuts it");
        }
        CHECK_EQ(err, LEAT_OK);
        CHECK(s.err == LEAT_OK || s.err == LEAT_UNKNOWN);            /* not that it was not sent */
        leat_unref(out);
        leat_unref(c);
        pair_close(&x);
    }
    return LEAT_OK;
}
ANYWHERE(what_was_received_is_never_said_not_to_be_sent, cut_in_between)

/* -- through a relay ------------------------------------------------------------------------------------------------------------ */
/* The home is one by hand, which takes its time to say what it has. */
static leat_err flush_far(leat_none *none)
{
    enum { ID = 3, CAP = 4 };
    static struct peer home;
    (void)none;
    struct pair x = pair_open();                     /* b sends through a, the relay */
    leat_chan(struct num) c = leat_chan_make(struct num, CAP);
    leat_tx(struct num) far = NULL, near = leat_ref(leat_tx_of(c));
    leat_doubt d;
    leat_err err = LEAT_OK;
    CHECK_EQ(leat_export(x.a, "in", leat_rx_of(c), num), LEAT_OK);
    leat_with_deadline(LEAT_S(40)) {
        peer_dial(&home, leat_node_url(x.a), 1);
        (void)peer_attach(&home, ID, &num_type, "in", false);
        CHECK_EQ(leat_export(x.a, "far", near, num), LEAT_OK);
        CHECK_EQ(leat_import(x.p, "far", &far, num, 0), LEAT_OK);
        CHECK_EQ(leat_send(far, { 1 }), LEAT_OK);
        (void)peer_expect(&home, FRAME_ELEM);
        leat_with_deadline(LEAT_MS(10))
            err = leat_flush(far);
        CHECK_EQ(err, LEAT_DEADLINE);                /* the relay has it, which is not enough */
        leat_with_deadline(LEAT_MS(10))
            err = leat_node_flush(x.b, &d);
        CHECK_EQ(err, LEAT_DEADLINE);
        CHECK_EQ(d.elements, 1);
        PEER_SAY(&home, FRAME_GRANT, ID, CAP, 1, 8);
        CHECK_EQ(leat_flush(far), LEAT_OK);
        CHECK_EQ(leat_node_flush(x.b, &d), LEAT_OK);
    }
    peer_hang_up(&home);
    leat_unref(far);
    leat_unref(near);
    leat_unref(c);
    pair_close(&x);
    return LEAT_OK;
}
ANYWHERE(a_flush_through_a_relay_means_the_home, flush_far)

/* -- frame by frame ------------------------------------------------------------------------------------------------------------- */
static struct peer peer;

static leat_node *node_with_peer(leat_dur idle)
{
    leat_node *a = NULL;
    CHECK_EQ(leat_node_open(&(leat_node_opts){ .name = "node a", .idle = idle, .patience = LEAT_S(30) }, &a), LEAT_OK);
    CHECK_EQ(leat_node_listen(a, url), LEAT_OK);
    peer_dial(&peer, leat_node_url(a), 1);
    return a;
}

static void expect_own(uint8_t kind)
{
    struct peer_frame f;
    do
        f = peer_next(&peer);
    while (f.kind == FRAME_ACK);
    CHECK_EQ(f.kind, kind);
}

static void say_own(uint8_t kind)
{
    uint8_t frame[FRAME_HEADER + 8] = { 8, 0, 0, 0, kind };
    frame[FRAME_HEADER] = (uint8_t)peer.got;
    peer_write(&peer, frame, sizeof frame);
}

static leat_err heartbeats(leat_none *none)
{
    (void)none;
    leat_with_deadline(LEAT_S(20)) {
        leat_node *a = node_with_peer(LEAT_MS(10));
        for (int i = 0; i < 3; i++) {
            expect_own(FRAME_PING);
            say_own(FRAME_PONG);
        }
        peer_hang_up(&peer);
        leat_node_close(a);
        a = node_with_peer(LEAT_S(30));
        for (int i = 0; i < 3; i++) {
            say_own(FRAME_PING);
            expect_own(FRAME_PONG);
        }
        peer_hang_up(&peer);
        leat_node_close(a);
    }
    return LEAT_OK;
}
ANYWHERE(a_peer_that_says_nothing_is_asked_and_what_it_asks_is_answered, heartbeats)

static leat_err unread(leat_none *none)
{
    (void)none;
    enum { PART = 16 << 10, MOST = 64 << 20 };
    static const uint8_t part[PART];
    leat_node *a = node_with_peer(LEAT_S(30));
    struct sess *s = NULL;
    while (!s) {
        lock(&a->lock);
        s = a->sessions;
        unlock(&a->lock);
    }
    sess_ref(s);
    leat_err err = LEAT_OK;
    for (size_t sent = 0; sent < MOST && err == LEAT_OK; sent += PART) {
        leat_with_deadline(LEAT_MS(50))
            err = sess_wait_room(s);
        struct buf *b = err == LEAT_OK ? sess_begin(s, FRAME_TORN) : NULL;
        if (b)
            buf_put(b, part, PART);
        if (b)
            CHECK_EQ(sess_commit(s), LEAT_OK);
    }
    CHECK_EQ(err, LEAT_DEADLINE);
    lock(&s->out_lock);
    size_t waits = s->data.len + s->unwritten;
    unlock(&s->out_lock);
    CHECK(waits <= LIMIT_SESS_UNSENT + 2 * PART);
    sess_break(s, LEAT_SYS, "the test ends it");
    sess_unref(s);
    peer_hang_up(&peer);
    leat_node_close(a);
    return LEAT_OK;
}
ANYWHERE(what_a_peer_does_not_take_has_a_bound, unread)

static leat_err returns(leat_none *none)
{
    (void)none;
    enum { ID = 3 };
    leat_node *a = node_with_peer(LEAT_S(30));
    leat_chan(struct num) c = leat_chan_make(struct num, 2);
    struct peer_frame f;
    CHECK_EQ(leat_export(a, "c", leat_tx_of(c), num), LEAT_OK);
    leat_with_deadline(LEAT_S(20)) {
        (void)peer_attach(&peer, ID, &num_type, "c", true);
        PEER_SAY(&peer, FRAME_NEED, ID, 1, 0, 0);
        f = peer_expect(&peer, FRAME_GRANT);
        CHECK_EQ(cur_varint(&f.in), ID);
        uint64_t granted = cur_varint(&f.in);
        PEER_SAY(&peer, FRAME_RETURN, ID, granted + 1);
        do
            f = peer_next(&peer);
        while (f.kind != FRAME_DEAD);
        CHECK(memmem(f.in.p, cur_left(&f.in), "RETURN", 6));
    }
    peer_hang_up(&peer);
    leat_unref(c);
    leat_node_close(a);
    return LEAT_OK;
}
ANYWHERE(a_return_of_more_than_was_given_ends_the_session, returns)

/* Two sites by hand want more than there is: what they have been given together is never more than the channel holds. */
static leat_err lends(leat_none *none)
{
    (void)none;
    enum { ONE = 3, OTHER = 5, CAP = 4 };
    leat_node *a = node_with_peer(LEAT_S(30));
    leat_chan(struct num) c = leat_chan_make(struct num, CAP);
    uint64_t given[OTHER + 1] = { 0 };
    CHECK_EQ(leat_export(a, "c", leat_tx_of(c), num), LEAT_OK);
    leat_with_deadline(LEAT_S(20)) {
        (void)peer_attach(&peer, ONE, &num_type, "c", true);
        (void)peer_attach(&peer, OTHER, &num_type, "c", true);
        for (uint64_t id = ONE; id <= OTHER; id += OTHER - ONE) {
            PEER_SAY(&peer, FRAME_NEED, id, id == ONE ? 2 : 2 * CAP, 0, 0);
            while (!given[id]) {
                struct peer_frame f = peer_next(&peer);
                if (f.kind != FRAME_GRANT)
                    continue;
                uint64_t of = cur_varint(&f.in);
                CHECK(of == ONE || of == OTHER);
                given[of] = cur_varint(&f.in);
                CHECK(given[ONE] + given[OTHER] <= CAP);
            }
        }
    }
    peer_hang_up(&peer);
    leat_unref(c);
    leat_node_close(a);
    return LEAT_OK;
}
ANYWHERE(no_more_is_given_away_than_the_channel_holds, lends)

T_MAIN()
