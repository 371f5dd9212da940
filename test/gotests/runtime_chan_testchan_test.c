/* runtime_chan_testchan_test.c - TestChan of Go's src/runtime/chan_test.go: for many capacities, who waits and who does not, what a
 * close does, order, that nothing is lost or doubled, length and capacity. */
#include "place.h"

enum { SENDERS = 4, EACH = 1000 };

/* -- a receive from an empty channel waits ------------------------------------------------------------------------------------------- */
LEAT_STRUCT(pipe_of, (rx(num), in), (tx(num), out));
static leat_err pass_one(struct pipe_of *p)
{
    struct num v;
    LEAT_TRY(leat_recv(p->in, &v));
    return leat_send(p->out, v);
}
PLACE_TASK(pass_one, pipe_of)

static leat_err two_receivers(struct pipe_of *p)
{
    leat_err err;
    struct num v;
    bool ran = false;
    leat_with_group(g, err) {
        for (int i = 0; i < 2; i++)
            LEAT_TRY(place_go_here(&g, pass_one, pipe_of, { leat_ref(p->in), leat_ref(p->out) }));
        place_others_run();
        CHECK_EQ(leat_try_recv(p->in, &v), LEAT_AGAIN);
        leat_select(err) {
            leat_on_recv(p->in, &v) {}
            leat_otherwise          { ran = true; }
        }
        CHECK(ran);
        LEAT_TRY(leat_send(p->out, { -1 }));         /* now it may come */
    }
    return err;
}
PLACE_TASK(two_receivers, pipe_of)

static leat_err empty_waits(size_t cap)
{
    leat_chan(struct num) c = leat_chan_make(struct num, cap), out = leat_chan_make(struct num, 4);
    leat_err err;
    struct num v;
    leat_with_group(g, err) {
        LEAT_TRY(place_go(&g, two_receivers, pipe_of, { leat_ref(leat_rx_of(c)), leat_ref(leat_tx_of(out)) }));
        LEAT_TRY(leat_recv(out, &v));
        CHECK_EQ(v.n, -1);                           /* no receiver came before it */
        CHECK_EQ(leat_try_recv(out, &v), LEAT_AGAIN);
        for (int i = 0; i < 2; i++)
            LEAT_TRY(leat_send(c, { 0 }));
        for (int i = 0; i < 2; i++)
            LEAT_TRY(leat_recv(out, &v));
    }
    leat_unref(c);
    leat_unref(out);
    return err;
}

/* -- a send to a full channel waits ---------------------------------------------------------------------------------------------------- */
LEAT_STRUCT(one_more, (tx(num), c), (tx(num), sent));
static leat_err one_more(struct one_more *o)
{
    LEAT_TRY(leat_send(o->c, { -1 }));
    return leat_send(o->sent, { 1 });
}
PLACE_TASK(one_more, one_more)

static leat_err full_waits(size_t cap)
{
    leat_chan(struct num) c = leat_chan_make(struct num, cap), sent = leat_chan_make(struct num, 1);
    leat_err err;
    struct num v;
    bool ran = false;
    for (size_t i = 0; i < cap; i++)
        LEAT_TRY(leat_send(c, { (int64_t)i }));
    leat_with_group(g, err) {
        LEAT_TRY(place_go(&g, one_more, one_more, { leat_ref(leat_tx_of(c)), leat_ref(leat_tx_of(sent)) }));
        place_others_run();
        CHECK_EQ(leat_try_recv(sent, &v), LEAT_AGAIN);
        CHECK_EQ(leat_try_send(c, { 0 }), LEAT_AGAIN);
        leat_select(err) {
            leat_on_send(c, &v) {}
            leat_otherwise      { ran = true; }
        }
        CHECK(ran);
        LEAT_TRY(leat_recv(c, &v));
        CHECK_EQ(v.n, cap ? 0 : -1);
        LEAT_TRY(leat_recv(sent, &v));
    }
    leat_unref(c);
    leat_unref(sent);
    return err;
}

/* -- close --------------------------------------------------------------------------------------------------------------------------- */
LEAT_STRUCT(filler, (tx(num), c), (int64, count));
static leat_err fill_and_close(struct filler *f)
{
    for (int64_t i = 0; i < f->count; i++)
        LEAT_TRY(leat_send(f->c, { i }));
    leat_close(f->c);
    return LEAT_OK;
}
PLACE_TASK(fill_and_close, filler)

static leat_err closed_is_drained(size_t cap)
{
    leat_chan(struct num) c = leat_chan_make(struct num, cap);
    leat_err err;
    struct num v = { 77 };
    bool ran = false;
    leat_with_group(g, err)
        LEAT_TRY(place_go(&g, fill_and_close, filler, { leat_ref(leat_tx_of(c)), (int64_t)cap }));
    LEAT_TRY(err);
    for (int64_t i = 0; i < (int64_t)cap; i++) {
        LEAT_TRY(leat_recv(c, &v));
        CHECK_EQ(v.n, i);
    }
    v.n = 77;
    CHECK_EQ(leat_recv(c, &v), LEAT_CLOSED);         /* and v is as it was: there is no zero that stands for the end */
    CHECK_EQ(leat_try_recv(c, &v), LEAT_CLOSED);
    leat_select(err) {
        leat_on_recv(c, &v) {}
        leat_on_closed(c)   { ran = true; }
    }
    CHECK(err == LEAT_OK && ran && v.n == 77);
    leat_unref(c);
    return LEAT_OK;
}

static leat_err sees_the_end(struct pipe_of *p)
{
    struct num v = { 5 };
    CHECK_EQ(leat_recv(p->in, &v), LEAT_CLOSED);
    return leat_send(p->out, v);
}
PLACE_TASK(sees_the_end, pipe_of)

static leat_err close_wakes(size_t cap)
{
    leat_chan(struct num) c = leat_chan_make(struct num, cap), done = leat_chan_make(struct num, 0);
    leat_err err;
    struct num v;
    leat_with_group(g, err) {
        LEAT_TRY(place_go(&g, sees_the_end, pipe_of, { leat_ref(leat_rx_of(c)), leat_ref(leat_tx_of(done)) }));
        place_others_run();
        leat_close(c);
        LEAT_TRY(leat_recv(done, &v));
        CHECK_EQ(v.n, 5);
    }
    leat_unref(c);
    leat_unref(done);
    return err;
}

/* -- order, and each once ------------------------------------------------------------------------------------------------------------ */
static leat_err count_up(struct filler *f)
{
    for (int64_t i = 0; i < f->count; i++)
        LEAT_TRY(leat_send(f->c, { i }));
    return LEAT_OK;
}
PLACE_TASK(count_up, filler)

static leat_err in_order(leat_chan(struct num) c)
{
    leat_err err = LEAT_OK;
    struct num v;
    for (int round = 0; round < 2 && err == LEAT_OK; round++)
        leat_with_group(g, err) {
            LEAT_TRY(place_go(&g, count_up, filler, { leat_ref(leat_tx_of(c)), 100 }));
            for (int64_t i = 0; i < 100; i++) {
                LEAT_TRY(leat_recv(c, &v));
                CHECK_EQ(v.n, i);
            }
        }
    return err;
}

LEAT_STRUCT(tally, (int64s, times));
LEAT_STRUCT(taker, (rx(num), in), (tx(tally), out));
static leat_err take_share(struct taker *t)
{
    struct tally seen = { .times = { 0 } };
    struct num v;
    for (int i = 0; i < EACH; i++) {
        int64_t none = 0;
        LEAT_TRY(leat_push(&seen.times, none));
    }
    for (int i = 0; i < EACH; i++) {
        LEAT_TRY(leat_recv(t->in, &v));
        CHECK(v.n >= 0 && v.n < EACH);
        seen.times.at[v.n]++;
    }
    return leat_send(t->out, seen);
}
PLACE_TASK(take_share, taker)

static leat_err take_shares(struct taker *t)
{
    leat_err err;
    leat_with_group(g, err)
        for (int i = 0; i < SENDERS; i++)
            LEAT_TRY(place_go_here(&g, take_share, taker, { leat_ref(t->in), leat_ref(t->out) }));
    return err;
}
PLACE_TASK(take_shares, taker)

static leat_err each_once(leat_chan(struct num) c, bool senders_far)
{
    leat_chan(struct tally) done = leat_chan_make(struct tally, 0);
    int64_t total[EACH] = { 0 };
    leat_err err;
    leat_with_group(g, err) {
        struct taker t = { leat_ref(leat_rx_of(c)), leat_ref(leat_tx_of(done)) };
        if (senders_far)
            LEAT_TRY(place_go_here(&g, take_shares, taker, t));
        else
            LEAT_TRY(place_go(&g, take_shares, taker, t));
        for (int i = 0; i < SENDERS; i++) {
            struct filler f = { leat_ref(leat_tx_of(c)), EACH };
            if (senders_far)
                LEAT_TRY(place_go(&g, count_up, filler, f));
            else
                LEAT_TRY(place_go_here(&g, count_up, filler, f));
        }
        for (int i = 0; i < SENDERS; i++) {
            struct tally seen;
            LEAT_TRY(leat_recv(done, &seen));
            for (int k = 0; k < EACH; k++)
                total[k] += seen.times.at[k];
            leat_drop(tally, &seen);
        }
    }
    for (int k = 0; k < EACH; k++)
        CHECK_EQ(total[k], SENDERS);
    leat_unref(done);
    return err;
}

static leat_err order_and_once(size_t cap)
{
    leat_chan(struct num) c = leat_chan_make(struct num, cap);
    LEAT_TRY(in_order(c));
    LEAT_TRY(each_once(c, true));
    leat_unref(c);
    if (!place_far)
        return LEAT_OK;
    c = leat_chan_make(struct num, cap);             /* its home moves */
    LEAT_TRY(each_once(c, false));
    leat_unref(c);
    return LEAT_OK;
}

static leat_err length(size_t cap)
{
    leat_chan(struct num) c = leat_chan_make(struct num, cap);
    leat_err err;
    CHECK(leat_len(c) == 0 && leat_cap(c) == cap);
    leat_with_group(g, err)
        LEAT_TRY(place_go(&g, fill_and_close, filler, { leat_ref(leat_tx_of(c)), (int64_t)cap }));
    CHECK(leat_len(c) == cap && leat_cap(c) == cap);
    leat_unref(c);
    return err;
}

static leat_err TestChan_test(void)
{
    size_t most = place_far ? 20 : getenv("T_QUICK") ? 20 : 200, step = place_far ? 6 : 1;
    for (size_t cap = 0; cap < most; cap += step) {
        LEAT_TRY(empty_waits(cap));
        LEAT_TRY(full_waits(cap));
        LEAT_TRY(closed_is_drained(cap));
        LEAT_TRY(close_wakes(cap));
        LEAT_TRY(order_and_once(cap));
        LEAT_TRY(length(cap));
    }
    return LEAT_OK;
}
EVERYWHERE(TestChan, TestChan_test)

T_MAIN()
