/* truth_test.c - outcomes of unbuffered sends where more is known than "perhaps": what was never written was not sent, and what a home
 * knows when it leaves its peers learn. */
#include "relay.h"
#include "chan/chan.h"
#include "sess/impl.h"

LEAT_STRUCT(num, (uint64, n));
LEAT_STRUCT(text, (string, s));
LEAT_STRUCT(gift, (tx(num), tx), (rx(num), rx));

static leat_chan_ *chan_of(leat_chan(struct num) c) { return (leat_chan_ *)c; }

static void await_senders(leat_chan_ *c, uint32_t n)
{
    for (uint32_t now = n + 1; now != n; leat_yield()) {
        lock(&c->lock);
        now = chan_senders_waiting_locked(c);
        unlock(&c->lock);
    }
}

/* -- receivers leave ---------------------------------------------------------------------------------------------------------------- */
struct one { leat_tx(struct num) out; leat_err err; };
static leat_err send_one(struct one **arg)
{
    (*arg)->err = leat_send((*arg)->out, { 1 });
    return LEAT_OK;
}

static leat_err leave(leat_none *none)
{
    (void)none;
    struct pair x = pair_open();
    leat_chan(struct num) c = leat_chan_make(struct num, 0);
    struct one o = { .err = LEAT_OK }, *p = &o;
    leat_err err;
    CHECK_EQ(leat_export(x.a, "c", leat_tx_of(c), num), LEAT_OK);
    CHECK_EQ(leat_import(x.p, "c", &o.out, num, 0), LEAT_OK);
    leat_with_group(g, err) {
        LEAT_TRY(leat_go(&g, send_one, p));
        await_senders(chan_of(c), 1);                /* the home holds its value */
        leat_unref(c);
        leat_node_close(x.a);                        /* at once */
    }
    CHECK_EQ(o.err, LEAT_GONE);
    leat_unref(o.out);
    leat_node_close(x.b);
    return err;
}
ANYWHERE(a_sender_is_told_that_nobody_received_by_a_node_that_closes_at_once, leave)

/* -- a node without a link ------------------------------------------------------------------------------------------------------------ */
struct cut { leat_node *a, *b; leat_peer *p; };
static struct cut cut_open(leat_dur grace)
{
    struct cut x;
    CHECK_EQ(leat_node_open(&(leat_node_opts){ .name = "node a", .grace = grace }, &x.a), LEAT_OK);
    CHECK_EQ(leat_node_open(&(leat_node_opts){ .name = "node b", .grace = grace }, &x.b), LEAT_OK);
    CHECK_EQ(leat_node_listen(x.a, url), LEAT_OK);
    relay_heal();
    CHECK_EQ(leat_node_dial(x.b, relay_open(leat_node_url(x.a)), &x.p), LEAT_OK);
    return x;
}
static void cut_now(struct cut *x)
{
    relay_cut();
    while (!sess_is_down(sess_of(x->p)))
        leat_yield();
}
static void cut_close(struct cut *x)
{
    leat_node_close(x->b);
    leat_node_close(x->a);
    relay_close();
}

/* The ends in a value that was never written are as before: b's own rx still has what is queued, its tx still is a sender. */
static leat_err ends_stay(leat_none *none)
{
    (void)none;
    struct cut x = cut_open(LEAT_S(100));
    leat_chan(struct gift) gifts = leat_chan_make(struct gift, 0);
    leat_chan(struct num) one = leat_chan_make(struct num, 2), two = leat_chan_make(struct num, 2);
    leat_tx(struct gift) out;
    struct gift g, got;
    struct num v;
    leat_err err;
    CHECK_EQ(leat_export(x.a, "gifts", leat_tx_of(gifts), gift), LEAT_OK);
    CHECK_EQ(leat_import(x.p, "gifts", &out, gift, 0), LEAT_OK);
    CHECK_EQ(leat_send(two, { 2 }), LEAT_OK);
    g = (struct gift){ leat_ref(leat_tx_of(one)), leat_ref(leat_rx_of(two)) };
    leat_rx(struct num) in = leat_ref(leat_rx_of(one));
    leat_unref(one);
    leat_unref(two);
    cut_now(&x);
    leat_with_deadline(LEAT_MS(3))
        err = leat_send_from(out, &g);
    CHECK_EQ(err, LEAT_DEADLINE);
    CHECK_EQ(leat_recv(g.rx, &v), LEAT_OK);
    CHECK_EQ(v.n, 2);
    CHECK_EQ(leat_send(g.tx, { 1 }), LEAT_OK);
    relay_heal();
    leat_drop(gift, &g);                             /* the last sender of `one` */
    CHECK_EQ(leat_recv(in, &v), LEAT_OK);
    CHECK_EQ(leat_recv(in, &v), LEAT_CLOSED);
    CHECK_EQ(leat_try_recv(gifts, &got), LEAT_AGAIN);
    leat_unref(in);
    leat_unref(out);
    cut_close(&x);
    leat_unref(gifts);
    return LEAT_OK;
}
ANYWHERE(ends_in_a_value_that_was_never_written_are_as_before, ends_stay)

/* Values of any size are taken back, also from between others; what comes later arrives. */
static leat_err any_size(leat_none *none)
{
    (void)none;
    static const size_t sizes[] = { 5, 3000, 20000, 300000 };
    struct cut x = cut_open(LEAT_S(100));
    leat_chan(struct text) texts = leat_chan_make(struct text, 0);
    leat_chan(struct num) nums = leat_chan_make(struct num, 100);
    leat_tx(struct text) out;
    leat_tx(struct num) beside;
    struct text got;
    struct num n;
    leat_err err;
    CHECK_EQ(leat_export(x.a, "texts", leat_tx_of(texts), text), LEAT_OK);
    CHECK_EQ(leat_export(x.a, "nums", leat_tx_of(nums), num), LEAT_OK);
    CHECK_EQ(leat_import(x.p, "texts", &out, text, 0), LEAT_OK);
    CHECK_EQ(leat_import(x.p, "nums", &beside, num, 0), LEAT_OK);
    CHECK_EQ(leat_send(beside, { 0 }), LEAT_OK);
    CHECK_EQ(leat_flush(beside), LEAT_OK);           /* it has credits */
    cut_now(&x);
    for (size_t i = 0; i < ARRAY_LEN(sizes) * 2; i++) {
        struct text v = { .s = { .p = NULL } };
        char *p = calloc(1, sizes[i / 2]);
        CHECK(p && leat_string_dup(p, sizes[i / 2], &v.s) == LEAT_OK);
        free(p);
        leat_with_deadline(LEAT_MS(2))
            err = leat_send_from(out, &v);
        CHECK_EQ(err, LEAT_DEADLINE);
        leat_drop(text, &v);
        leat_ignore(leat_try_send(beside, { i + 1 }));
    }
    relay_heal();
    CHECK_EQ(leat_recv(nums, &n), LEAT_OK);
    CHECK_EQ(leat_send(beside, { 99 }), LEAT_OK);
    while (n.n != 99)
        CHECK_EQ(leat_recv(nums, &n), LEAT_OK);
    CHECK_EQ(leat_try_recv(texts, &got), LEAT_AGAIN);
    leat_unref(out);
    leat_unref(beside);
    cut_close(&x);
    leat_unref(texts);
    leat_unref(nums);
    return LEAT_OK;
}
ANYWHERE(a_value_of_any_size_that_was_never_written_is_taken_back, any_size)

static leat_err lost(leat_none *none)
{
    (void)none;
    struct cut x = cut_open(LEAT_MS(300));
    leat_chan(struct num) c = leat_chan_make(struct num, 0);
    leat_tx(struct num) out;
    CHECK_EQ(leat_export(x.a, "c", leat_tx_of(c), num), LEAT_OK);
    CHECK_EQ(leat_import(x.p, "c", &out, num, 0), LEAT_OK);
    cut_now(&x);
    CHECK_EQ(leat_send(out, { 1 }), LEAT_PEER_LOST); /* it was offered while there was no link, and there never was one again */
    CHECK_HAS(leat_err_detail(), "node a");
    leat_unref(out);
    leat_unref(c);
    cut_close(&x);
    return LEAT_OK;
}
ANYWHERE(what_was_never_written_when_its_session_ends_was_not_sent, lost)

T_MAIN()
