/* distance_test.c - channels between nodes: when a send is complete, what a close, a loss and a flush say, and whose turn it is.  Each test
 * was written because nothing else noticed when that was broken (test/breaks). */
#include "pair.h"
#include "chan/chan.h"
#include "sess/ends.h"
#include "sess/sess.h"

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

T_MAIN()
