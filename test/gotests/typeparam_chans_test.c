/* typeparam_chans_test.c - what Go's test/typeparam/chans.go states of tasks that are built from channels: one that merges two, one
 * that lets some values through, one that takes all, a value that one task has at a time, a sender that learns when its receiver has
 * gone.  All channels are unbuffered but that of the value. */
#include "place.h"

enum { AT_MOST = 8 };
struct read { int64_t at[AT_MOST]; int n; };

static leat_err read_all(leat_chan(struct num) c, struct read *ret)
{
    leat_err err;
    *ret = (struct read){ .n = 0 };
    leat_each(v, c, err) {
        CHECK(ret->n < AT_MOST);
        ret->at[ret->n++] = v.n;
    }
    return err;
}

LEAT_STRUCT(giver, (tx(num), out), (int64, first), (int64, step), (int64, count));
static leat_err give(struct giver *g)
{
    for (int64_t i = 0; i < g->count; i++)
        LEAT_TRY(leat_send(g->out, { g->first + i * g->step }));
    leat_close(g->out);
    return LEAT_OK;
}
PLACE_TASK(give, giver)

static leat_err TestReadAll_test(void)
{
    leat_auto leat_chan(struct num) c = leat_chan_make(struct num, 0);
    struct read got = { 0 };
    leat_err err;
    leat_with_group(g, err) {
        LEAT_TRY(place_go(&g, give, giver, { leat_ref(leat_tx_of(c)), 4, -2, 3 }));
        LEAT_TRY(read_all(c, &got));
    }
    CHECK(got.n == 3 && got.at[0] == 4 && got.at[1] == 2 && got.at[2] == 0);
    return err;
}
EVERYWHERE(TestReadAll, TestReadAll_test)

LEAT_STRUCT(merger, (rx(num), a), (rx(num), b), (tx(num), out));
static leat_err merge(struct merger *m)
{
    leat_err err = LEAT_OK;
    while (err == LEAT_OK && (m->a || m->b)) {
        struct num v;
        bool got = false;
        leat_select(err) {
            leat_on_recv(m->a, &v) { got = true; }
            leat_on_recv(m->b, &v) { got = true; }
            leat_on_closed(m->a) { leat_unref(m->a); }   /* NULL: never ready again */
            leat_on_closed(m->b) { leat_unref(m->b); }
        }
        if (err == LEAT_OK && got)
            err = leat_send(m->out, v);
    }
    leat_close(m->out);
    return err;
}
PLACE_TASK(merge, merger)

/* The merger is on the other side; one of its givers is beside it, the other is here. */
static leat_err TestMerge_test(void)
{
    leat_auto leat_chan(struct num) out = leat_chan_make(struct num, 0);
    leat_chan(struct num) a = leat_chan_make(struct num, 0), b = leat_chan_make(struct num, 0);
    struct read got = { 0 };
    leat_err err;
    int64_t next[2] = { 2, 1 };
    leat_with_group(g, err) {
        LEAT_TRY(place_go(&g, give, giver, { leat_ref(leat_tx_of(a)), 1, 2, 3 }));
        LEAT_TRY(place_go_here(&g, give, giver, { leat_ref(leat_tx_of(b)), 2, 2, 3 }));
        LEAT_TRY(place_go(&g, merge, merger, { leat_ref(leat_rx_of(a)), leat_ref(leat_rx_of(b)), leat_ref(leat_tx_of(out)) }));
        leat_unref(a);
        leat_unref(b);
        LEAT_TRY(read_all(out, &got));
    }
    LEAT_TRY(err);
    CHECK_EQ(got.n, 6);
    for (int i = 0; i < got.n; i++) {                /* all of both, each in its order */
        CHECK_EQ(got.at[i], next[got.at[i] % 2]);
        next[got.at[i] % 2] += 2;
    }
    return LEAT_OK;
}
EVERYWHERE(TestMerge, TestMerge_test)

LEAT_STRUCT(sifter, (rx(num), in), (tx(num), out));
static leat_err sift(struct sifter *s)
{
    leat_err err;
    leat_each(v, s->in, err)
        if (v.n % 2 == 0)
            LEAT_TRY(leat_send(s->out, v));
    leat_close(s->out);
    return err;
}
PLACE_TASK(sift, sifter)

static leat_err TestFilter_test(void)
{
    leat_auto leat_chan(struct num) out = leat_chan_make(struct num, 0);
    leat_chan(struct num) in = leat_chan_make(struct num, 0);
    struct read got = { 0 };
    leat_err err;
    leat_with_group(g, err) {
        LEAT_TRY(place_go_here(&g, give, giver, { leat_ref(leat_tx_of(in)), 1, 1, 3 }));
        LEAT_TRY(place_go(&g, sift, sifter, { leat_ref(leat_rx_of(in)), leat_ref(leat_tx_of(out)) }));
        leat_unref(in);
        LEAT_TRY(read_all(out, &got));
    }
    CHECK(got.n == 1 && got.at[0] == 2);
    return err;
}
EVERYWHERE(TestFilter, TestFilter_test)

LEAT_STRUCT(sink, (rx(num), in), (tx(num), total));
static leat_err swallow(struct sink *s)
{
    leat_err err;
    int64_t n = 0;
    leat_each(v, s->in, err)
        n += v.n;
    LEAT_TRY(err);
    return leat_send(s->total, { n });
}
PLACE_TASK(swallow, sink)

/* Each send is a case of a select, whose other case is a long time. */
static leat_err TestSink_test(void)
{
    leat_auto leat_chan(struct num) total = leat_chan_make(struct num, 0);
    leat_chan(struct num) in = leat_chan_make(struct num, 0);
    struct num n;
    leat_err err;
    leat_with_group(g, err) {
        leat_auto leat_tx(struct num) to = leat_ref(leat_tx_of(in));
        LEAT_TRY(place_go(&g, swallow, sink, { leat_ref(leat_rx_of(in)), leat_ref(leat_tx_of(total)) }));
        leat_unref(in);
        for (int64_t i = 1; i <= 3; i++) {
            struct num v = { i };
            leat_select(err) {
                leat_on_send(to, &v) {}
                leat_on_after(LEAT_S(60)) { CHECK(!"it takes all"); }
            }
            LEAT_TRY(err);
        }
        leat_close(to);
        LEAT_TRY(leat_recv(total, &n));
        CHECK_EQ(n.n, 6);
    }
    return err;
}
EVERYWHERE(TestSink, TestSink_test)

/* -- a value that one task has at a time: the one element of a channel ----------------------------------------------------------------- */
static bool try_acquire(leat_chan(struct num) c, struct num *v)
{
    leat_err err;
    bool got = false;
    leat_select(err) {
        leat_on_recv(c, v) { got = true; }
        leat_otherwise {}
    }
    CHECK_EQ(err, LEAT_OK);
    return got;
}

static leat_err release(leat_chan(struct num) c, struct num v)
{
    leat_err err;
    leat_select(err) {
        leat_on_send(c, &v) {}
        leat_otherwise { CHECK(!"it is acquired"); }
    }
    return err;
}

struct user { leat_chan(struct num) c; };
static leat_err add_ten(struct user *u)
{
    struct num v;
    for (int i = 0; i < 10; i++) {
        LEAT_TRY(leat_recv(u->c, &v));
        v.n++;
        LEAT_TRY(release(u->c, v));
    }
    return LEAT_OK;
}

static leat_err TestExclusive_test(void)
{
    leat_auto leat_chan(struct num) c = leat_chan_make(struct num, 1);
    struct num v;
    leat_err err;
    LEAT_TRY(leat_send(c, { 0 }));
    leat_with_group(g, err)
        for (int i = 0; i < 2; i++)
            LEAT_TRY(leat_go(&g, add_ten, (struct user){ c }));
    LEAT_TRY(err);
    CHECK(try_acquire(c, &v) && v.n == 20);
    return LEAT_OK;
}
AT_TASK(TestExclusive, TestExclusive_test)

static leat_err finds_it_taken(struct user *u)
{
    struct num v;
    CHECK(!try_acquire(u->c, &v));
    return LEAT_OK;
}

static leat_err TestExclusiveTry_test(void)
{
    leat_auto leat_chan(struct num) c = leat_chan_make(struct num, 1);
    struct num v;
    leat_err err;
    LEAT_TRY(leat_send(c, { 7 }));
    CHECK(try_acquire(c, &v) && v.n == 7);
    leat_with_group(g, err)
        LEAT_TRY(leat_go(&g, finds_it_taken, (struct user){ c }));
    LEAT_TRY(err);
    LEAT_TRY(release(c, v));
    CHECK(try_acquire(c, &v) && v.n == 7);
    return LEAT_OK;
}
AT_TASK(TestExclusiveTry, TestExclusiveTry_test)

/* -- a sender that learns when its receiver has gone --------------------------------------------------------------------------------- */
LEAT_STRUCT(taker, (rx(num), in));
static leat_err take_one(struct taker *t)
{
    struct num v;
    LEAT_TRY(leat_recv(t->in, &v));
    CHECK_EQ(v.n, 1);
    return LEAT_OK;                                  /* and its receive end is dropped: nobody has to look for it */
}
PLACE_TASK(take_one, taker)

static leat_err TestRanger_test(void)
{
    leat_chan(struct num) c = leat_chan_make(struct num, 0);
    leat_tx(struct num) out = leat_ref(leat_tx_of(c));
    struct num one = { 1 }, two = { 2 };
    leat_err err;
    leat_with_group(g, err) {
        LEAT_TRY(place_go(&g, take_one, taker, { leat_ref(leat_rx_of(c)) }));
        leat_unref(c);
        leat_select(err) { leat_on_send(out, &one) {} leat_on_after(LEAT_S(60)) { CHECK(!"it receives one"); } }
        LEAT_TRY(err);
        CHECK_EQ(leat_send(out, two), LEAT_GONE);
    }
    leat_unref(out);
    return err;
}
EVERYWHERE(TestRanger, TestRanger_test)

T_MAIN()
