/* stream_test.c - calls that stream: ends of channels in arguments and in results; and the place of a method that was given up. */
#include "pair.h"
#include "run/sched.h"

enum { MANY = 50 };
LEAT_STRUCT(num, (uint64, n));
LEAT_STRUCT(feed, (rx(num), in), (uint64, times));
LEAT_STRUCT(flow, (rx(num), out), (tx(num), stop));
LEAT_STRUCT(fill, (tx(num), out), (uint64, n));
LEAT_SERVICE(pipe, (through, feed, flow), (slow, num, num));
LEAT_SERVICE(pump, (numbers, fill, num));

static _Atomic uint32_t inside, most, came, gate;

/* Each number that comes, so many times over, to the end that is the result; and who has the result may say stop. */
struct pump { leat_rx(struct num) in; leat_tx(struct num) out; leat_rx(struct num) stop; uint64_t times; };
static leat_group *pumps;

static leat_err pump(struct pump *p)
{
    struct num v, s;
    leat_err err;
    while ((err = leat_recv(p->in, &v)) == LEAT_OK)
        if ((err = leat_send(p->out, { v.n * p->times })) != LEAT_OK)
            break;
    CHECK_EQ(err, LEAT_CLOSED);
    leat_close(p->out);
    CHECK_EQ(leat_recv(p->stop, &s), LEAT_OK);       /* the other end of the result works, too */
    CHECK_EQ(s.n, 7);
    leat_unref(p->in);
    leat_unref(p->out);
    leat_unref(p->stop);
    return LEAT_OK;
}

static leat_err pipe_through(void *self, const struct feed *in, struct flow *out)
{
    leat_auto leat_chan(struct num) values = leat_chan_make(struct num, 4);
    leat_auto leat_chan(struct num) stop = leat_chan_make(struct num, 1);
    (void)self;
    struct pump p = { leat_ref(in->in), leat_ref(leat_tx_of(values)), leat_ref(leat_rx_of(stop)), in->times };
    out->out = leat_ref(leat_rx_of(values));
    out->stop = leat_ref(leat_tx_of(stop));
    return leat_go(pumps, pump, p);
}

/* Runs until the gate is open, whatever its context says. */
static leat_err pipe_slow(void *self, const struct num *in, struct num *out)
{
    uint32_t now = atomic_fetch_add(&inside, 1) + 1, seen = at_load(&most);
    (void)self;
    while (now > seen && !atomic_compare_exchange_weak(&most, &seen, now))
        continue;
    leat_with_shield(LEAT_S(50))
        for (int ms = 0; !at_load(&gate); ms++) {
            CHECK(ms < 40000);
            leat_ignore(leat_sleep(LEAT_MS(1)));
        }
    out->n = in->n;
    atomic_fetch_sub(&inside, 1);
    return LEAT_OK;
}
static const struct pipe_impl pipe_impl_ = { pipe_through, pipe_slow };

static leat_err streams(leat_none *none)
{
    struct pair x = pair_open();
    leat_err all;
    struct num v;
    (void)none;
    CHECK_EQ(leat_serve(x.a, pipe, &pipe_impl_, NULL), LEAT_OK);
    leat_with_group(g, all) {
        leat_chan(struct num) c = leat_chan_make(struct num, 2);
        leat_tx(struct num) to = leat_ref(leat_tx_of(c));
        struct feed in = { leat_ref(leat_rx_of(c)), 3 };
        struct flow out = { NULL, NULL };
        pumps = &g;
        leat_unref(c);
        CHECK_EQ(leat_call(x.p, pipe, through, &in, &out), LEAT_OK);
        leat_drop(feed, &in);
        for (uint64_t i = 0; i < MANY; i++) {        /* one at a time: more than any buffer on the way holds */
            CHECK_EQ(leat_send(to, { i }), LEAT_OK);
            CHECK_EQ(leat_recv(out.out, &v), LEAT_OK);
            CHECK_EQ(v.n, 3 * i);
        }
        leat_close(to);
        CHECK_EQ(leat_recv(out.out, &v), LEAT_CLOSED);
        CHECK_EQ(leat_send(out.stop, { 7 }), LEAT_OK);
        leat_unref(to);
        leat_drop(flow, &out);
    }
    CHECK_EQ(all, LEAT_OK);
    pair_close(&x);
    return LEAT_OK;
}
ANYWHERE(a_call_streams_by_ends_in_its_argument_and_its_result, streams)

/* The argument of a future is a copy: a receive end that it borrows from a whole channel moves, one that has another owner does not. */
static leat_err future_streams(leat_none *none)
{
    struct pair x = pair_open();
    leat_err all;
    struct num v;
    (void)none;
    CHECK_EQ(leat_serve(x.a, pipe, &pipe_impl_, NULL), LEAT_OK);
    leat_with_group(g, all) {
        leat_chan(struct num) c = leat_chan_make(struct num, 2);
        struct feed in = { leat_ref(leat_rx_of(c)), 3 };
        leat_rx(struct flow_reply) f;
        struct flow_reply r;
        pumps = &g;
        CHECK_EQ(leat_call_async(&g, x.p, pipe, through, &in, &f), LEAT_OK);
        CHECK_EQ(leat_recv(f, &r), LEAT_OK);
        CHECK_EQ(leat_reply_err(&r.reply), LEAT_REFUSED);
        leat_drop(feed, &in);
        leat_unref(f);
        in = (struct feed){ leat_rx_of(c), 3 };
        CHECK_EQ(leat_call_async(&g, x.p, pipe, through, &in, &f), LEAT_OK);
        CHECK_EQ(leat_recv(f, &r), LEAT_OK);
        CHECK_EQ(leat_reply_err(&r.reply), LEAT_OK);
        CHECK_EQ(leat_send(c, { 5 }), LEAT_OK);
        CHECK_EQ(leat_recv(r.value.out, &v), LEAT_OK);
        CHECK_EQ(v.n, 15);
        leat_close(c);
        CHECK_EQ(leat_send(r.value.stop, { 7 }), LEAT_OK);
        leat_unref(f);
        leat_unref(c);
        leat_drop(flow_reply, &r);
    }
    CHECK_EQ(all, LEAT_OK);
    pair_close(&x);
    return LEAT_OK;
}
ANYWHERE(a_receive_end_moves_by_a_future_that_borrows_it, future_streams)

static leat_err counts(void *self, const leat_called *c, leat_next *next)
{
    (void)self, (void)c;
    atomic_fetch_add(&came, 1);
    return leat_proceed(next);
}

static leat_err keeps_its_place(leat_none *none)
{
    struct pair x = pair_open();
    leat_err all, err = LEAT_OK;
    leat_rx(struct num_reply) next = NULL;
    struct num_reply r;
    struct num out;
    (void)none;
    CHECK_EQ(leat_serve(x.a, pipe, &pipe_impl_, NULL), LEAT_OK);
    CHECK_EQ(leat_limit_service(x.a, "pipe", (leat_call_limits){ 1, 1 }), LEAT_OK);
    CHECK_EQ(leat_hook_served(x.a, counts, NULL), LEAT_OK);
    for (int64_t ms = 20; err == LEAT_OK || err == LEAT_DEADLINE; ms *= 2)   /* DEADLINE: it was not even sent */
        leat_with_deadline(LEAT_MS(ms))
            err = leat_call(x.p, pipe, slow, &(struct num){ 1 }, &out);
    CHECK_EQ(err, LEAT_UNKNOWN);
    for (int ms = 0; !at_load(&inside); ms++) {
        CHECK(ms < 40000);
        leat_ignore(leat_sleep(LEAT_MS(1)));
    }
    uint32_t before = at_load(&came);
    leat_with_group(g, all) {
        CHECK_EQ(leat_call_async(&g, x.p, pipe, slow, &(struct num){ 2 }, &next), LEAT_OK);
        for (int ms = 0; at_load(&came) < before + 1; ms++) {    /* it is there, and there would be room but for the one */
            CHECK(ms < 40000);
            leat_ignore(leat_sleep(LEAT_MS(1)));
        }
        leat_ignore(leat_sleep(LEAT_MS(20)));
        CHECK_EQ(at_load(&inside), 1);
        at_store(&gate, 1);
        CHECK_EQ(leat_recv(next, &r), LEAT_OK);
        CHECK_EQ(r.value.n, 2);
    }
    CHECK_EQ(all, LEAT_OK);
    CHECK_EQ(at_load(&most), 1);
    leat_unref(next);
    pair_close(&x);
    return LEAT_OK;
}
ANYWHERE(a_method_that_was_given_up_keeps_its_place_until_it_returns, keeps_its_place)

/* Returns without a word about its end. */
static leat_err pump_numbers(void *self, const struct fill *in, struct num *out)
{
    (void)self;
    for (uint64_t i = 0; i < in->n; i++)
        LEAT_TRY(leat_send(in->out, { i }));
    out->n = in->n;
    return LEAT_OK;
}
static const struct pump_impl pump_impl_ = { pump_numbers };

struct ask { leat_peer *p; leat_tx(struct num) out; };
static leat_err asks(struct ask *a)
{
    struct num out;
    leat_err err = leat_call(a->p, pump, numbers, &((struct fill){ a->out, MANY }), &out);
    leat_unref(a->out);
    return err;
}

/* Its maker has finished before the methods have sent anything: the channel closes behind the last of them. */
static void fills(leat_peer *p)
{
    leat_rx(struct num_reply) reply = NULL;
    struct num_reply r;
    struct num v;
    leat_err all, err;
    leat_auto leat_chan(struct num) c = leat_chan_make(struct num, 2);
    leat_with_group(g, all) {
        CHECK_EQ(leat_go(&g, asks, (struct ask){ p, leat_ref(leat_tx_of(c)) }), LEAT_OK);
        CHECK_EQ(leat_call_async(&g, p, pump, numbers, &((struct fill){ leat_tx_of(c), MANY }), &reply), LEAT_OK);
        leat_finish(c);
        uint64_t got = 0;
        leat_each(x, c, err)
            got++;
        CHECK_EQ(err, LEAT_OK);
        CHECK_EQ(got, 2 * MANY);
    }
    CHECK_EQ(all, LEAT_OK);
    CHECK_EQ(leat_recv(reply, &r), LEAT_OK);
    CHECK_EQ(r.value.n, MANY);
    CHECK_EQ(leat_recv(c, &v), LEAT_CLOSED);
    leat_unref(reply);
}

static leat_err finishes_first(leat_none *none)
{
    struct pair x = pair_open();
    leat_peer *self;
    (void)none;
    CHECK_EQ(leat_serve(x.a, pump, &pump_impl_, NULL), LEAT_OK);
    CHECK_EQ(leat_serve(x.b, pump, &pump_impl_, NULL), LEAT_OK);
    fills(x.p);
    CHECK_EQ(leat_node_self(x.b, &self), LEAT_OK);
    fills(self);
    pair_close(&x);
    return LEAT_OK;
}
ANYWHERE(a_channel_that_methods_fill_closes_behind_them_when_its_maker_has_finished, finishes_first)

T_MAIN()
