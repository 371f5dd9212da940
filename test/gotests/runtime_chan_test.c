/* runtime_chan_test.c - what Go's src/runtime/chan_test.go states: blocking, order, close, and select under stress.  TestChan is in a
 * file of its own. */
#include "place.h"
#include "waiting.h"
#include <math.h>

/* -- a poll acts on one moment ----------------------------------------------------------------------------------------------------- */
struct poll { leat_rx(int) a, b; leat_tx(bool) done; };

/* From the start of this task at least one of the cases can run. */
static leat_err poll_one(struct poll *p)
{
    leat_err err;
    int v;
    bool found = false;
    leat_select(err) {
        leat_on_recv(p->a, &v) { found = true; }
        leat_on_closed(p->a)   { found = true; }
        leat_otherwise         { found = false; }
    }
    LEAT_TRY(err);
    return leat_send(p->done, found);
}

static leat_err TestNonblockRecvRace_test(void)
{
    leat_chan(bool) done = leat_chan_make(bool, 1);
    leat_err err = LEAT_OK;
    for (int i = 0, n = place_turns(10000); i < n && err == LEAT_OK; i++) {
        leat_chan(int) c = leat_chan_make(int, 1);
        int v;
        bool found = false;
        LEAT_TRY(leat_send(c, 1));
        leat_with_group(g, err) {
            LEAT_TRY(leat_go(&g, poll_one, (struct poll){ leat_rx_of(c), NULL, leat_tx_of(done) }));
            leat_close(c);
            leat_ignore(leat_recv(c, &v));
            LEAT_TRY(leat_recv(done, &found));
            CHECK(found);
        }
        leat_unref(c);
    }
    leat_unref(done);
    return err;
}
AT_TASK(TestNonblockRecvRace, TestNonblockRecvRace_test)

static leat_err poll_two(struct poll *p)
{
    leat_err err;
    int v;
    bool found = false;
    leat_select(err) {
        leat_on_recv(p->a, &v) { found = true; }
        leat_on_recv(p->b, &v) { found = true; }
        leat_on_closed(p->b)   { found = true; }
        leat_otherwise         { found = false; }
    }
    LEAT_TRY(err);
    return leat_send(p->done, found);
}

/* a is ready; then b becomes so; then a ceases to be. */
static leat_err select_race(size_t cap_b, bool close_b)
{
    leat_chan(bool) done = leat_chan_make(bool, 1);
    leat_err err = LEAT_OK;
    for (int i = 0, n = place_turns(50000); i < n && err == LEAT_OK; i++) {
        leat_chan(int) a = leat_chan_make(int, 1), b = leat_chan_make(int, cap_b);
        int v;
        bool found = false;
        LEAT_TRY(leat_send(a, 1));
        leat_with_group(g, err) {
            LEAT_TRY(leat_go(&g, poll_two, (struct poll){ leat_rx_of(a), leat_rx_of(b), leat_tx_of(done) }));
            if (close_b)
                leat_close(b);
            else
                LEAT_TRY(leat_send(b, 1));
            leat_ignore(leat_try_recv(a, &v));
            LEAT_TRY(leat_recv(done, &found));
            CHECK(found);
        }
        leat_unref(a);
        leat_unref(b);
    }
    leat_unref(done);
    return err;
}
static leat_err TestNonblockSelectRace_test(void) { return select_race(1, false); }
static leat_err TestNonblockSelectRace2_test(void) { return select_race(0, true); }
AT_TASK(TestNonblockSelectRace, TestNonblockSelectRace_test)
AT_TASK(TestNonblockSelectRace2, TestNonblockSelectRace2_test)

/* -- a select that both sends and receives on one channel ---------------------------------------------------------------------------- */
struct self { leat_chan(int) c; int me; size_t cap; };

static leat_err self_select(struct self *s)
{
    for (int i = 0; i < 1000; i++) {
        leat_err err;
        int v = -1;
        if (s->me == 0 || i % 2 == 0) {
            leat_select(err) {
                leat_on_send(s->c, &s->me) {}
                leat_on_recv(s->c, &v) { CHECK(s->cap > 0 || v != s->me); }
            }
        } else {
            leat_select(err) {
                leat_on_recv(s->c, &v) { CHECK(s->cap > 0 || v != s->me); }
                leat_on_send(s->c, &s->me) {}
            }
        }
        LEAT_TRY(err);
    }
    return LEAT_OK;
}

static leat_err TestSelfSelect_test(void)
{
    leat_err err = LEAT_OK;
    for (size_t cap = 0; cap <= 10 && err == LEAT_OK; cap += 10) {
        leat_chan(int) c = leat_chan_make(int, cap);
        leat_with_group(g, err)
            for (int me = 0; me < 2; me++)
                LEAT_TRY(leat_go(&g, self_select, (struct self){ c, me, cap }));
        leat_unref(c);
    }
    return err;
}
AT_TASK(TestSelfSelect, TestSelfSelect_test)

/* -- plain operations and selects on four channels at once ----------------------------------------------------------------------------- */
LEAT_STRUCT(sender, (tx(num), out), (int64, count));
static leat_err send_all(struct sender *s)
{
    for (int64_t i = 0; i < s->count; i++)
        LEAT_TRY(leat_send(s->out, { i }));
    return LEAT_OK;
}
PLACE_TASK(send_all, sender)

struct many { leat_chan(struct num) c[4]; int64_t count; int which; };

static leat_err recv_all(struct many *m)
{
    struct num v;
    for (int64_t i = 0; i < m->count; i++)
        LEAT_TRY(leat_recv(m->c[m->which], &v));
    return LEAT_OK;
}

/* A NULL channel is never ready: one that has had its share is set to NULL. */
static leat_err select_sends(struct many *m)
{
    int64_t n[4] = { 0 };
    struct num v = { 0 };
    for (int64_t i = 0; i < 4 * m->count; i++) {
        leat_err err;
        int k = -1;
        leat_select(err) {
            leat_on_send(m->c[3], &v) { k = 3; }
            leat_on_send(m->c[2], &v) { k = 2; }
            leat_on_send(m->c[0], &v) { k = 0; }
            leat_on_send(m->c[1], &v) { k = 1; }
        }
        LEAT_TRY(err);
        if (++n[k] == m->count)
            m->c[k] = NULL;
    }
    return LEAT_OK;
}

static leat_err select_recvs(struct many *m)
{
    int64_t n[4] = { 0 };
    struct num v = { 0 };
    for (int64_t i = 0; i < 4 * m->count; i++) {
        leat_err err;
        int k = -1;
        leat_select(err) {
            leat_on_recv(m->c[0], &v) { k = 0; }
            leat_on_recv(m->c[1], &v) { k = 1; }
            leat_on_recv(m->c[2], &v) { k = 2; }
            leat_on_recv(m->c[3], &v) { k = 3; }
        }
        LEAT_TRY(err);
        if (++n[k] == m->count)
            m->c[k] = NULL;
    }
    return LEAT_OK;
}

static leat_err TestSelectStress_test(void)
{
    static const size_t cap[4] = { 0, 0, 2, 3 };
    struct many m = { .count = place_turns(20000) };
    leat_err err;
    for (int k = 0; k < 4; k++)
        m.c[k] = leat_chan_make(struct num, cap[k]);
    leat_with_group(g, err) {
        for (m.which = 0; m.which < 4; m.which++) {
            LEAT_TRY(place_go(&g, send_all, sender, { leat_ref(leat_tx_of(m.c[m.which])), m.count }));
            LEAT_TRY(leat_go(&g, recv_all, m));
        }
        LEAT_TRY(leat_go(&g, select_sends, m));
        LEAT_TRY(leat_go(&g, select_recvs, m));
    }
    for (int k = 0; k < 4; k++)
        leat_unref(m.c[k]);
    return err;
}
EVERYWHERE(TestSelectStress, TestSelectStress_test)

/* -- fairness ------------------------------------------------------------------------------------------------------------------------ */
LEAT_STRUCT(filler, (tx(num), out), (int64, value), (int64, count));
static leat_err fill(struct filler *f)
{
    for (int64_t i = 0; i < f->count; i++)
        LEAT_TRY(leat_send(f->out, { f->value }));
    return leat_flush(f->out);
}
PLACE_TASK(fill, filler)

struct fair { leat_rx(struct num) c[4]; leat_tx(struct num) out; leat_rx(struct num) done; };

static leat_err pick(struct fair *f)
{
    for (;;) {
        leat_err err;
        struct num v;
        bool more = true;
        leat_select(err) {
            leat_on_recv(f->c[2], &v) {}
            leat_on_recv(f->c[3], &v) {}
            leat_on_recv(f->c[0], &v) {}
            leat_on_recv(f->c[1], &v) {}
        }
        LEAT_TRY(err);
        leat_select(err) {
            leat_on_send(f->out, &v) {}
            leat_on_closed(f->done) { more = false; }
        }
        LEAT_TRY(err);
        if (!more)
            return LEAT_OK;
    }
}

static leat_err TestSelectFairness_test(void)
{
    enum { TRIALS = 10000 };
    leat_chan(struct num) c[4], out = leat_chan_make(struct num, 0), done = leat_chan_make(struct num, 0);
    int count[3] = { 0 };
    leat_err err;
    struct num v;
    for (int k = 0; k < 4; k++)
        c[k] = leat_chan_make(struct num, k < 2 ? TRIALS + 1 : 0);
    leat_with_group(g, err)
        for (int k = 0; k < 2; k++)
            LEAT_TRY(place_go(&g, fill, filler, { leat_ref(leat_tx_of(c[k])), k + 1, TRIALS + 1 }));
    LEAT_TRY(err);
    leat_with_group(g, err) {
        LEAT_TRY(leat_go(&g, pick, (struct fair){ { leat_rx_of(c[0]), leat_rx_of(c[1]), leat_rx_of(c[2]), leat_rx_of(c[3]) },
            leat_tx_of(out), leat_rx_of(done) }));
        for (int i = 0; i < TRIALS; i++) {
            LEAT_TRY(leat_recv(out, &v));
            CHECK(v.n == 1 || v.n == 2);
            count[v.n]++;
        }
        leat_close(done);
    }
    CHECK(abs(count[1] - TRIALS / 2) <= 10 * sqrt(TRIALS * 0.25));          /* ten times the standard deviation */
    for (int k = 0; k < 4; k++)
        leat_unref(c[k]);
    leat_unref(out);
    leat_unref(done);
    return err;
}
EVERYWHERE(TestSelectFairness, TestSelectFairness_test)

static leat_err TestChanSendInterface_test(void)             /* pointers to a type without size, for there are no interfaces */
{
    static struct { char c[1]; } m, other, *p;
    leat_chan(void *) c = leat_chan_make(void *, 1);
    void *a = &m, *b = &other;
    leat_err err;
    int hit = 0;
    p = &m;
    LEAT_TRY(leat_send(c, p));
    leat_select(err) {
        leat_on_send(c, &a) { hit = 1; }
        leat_otherwise      { hit = 2; }
    }
    CHECK(err == LEAT_OK && hit == 2);
    leat_select(err) {
        leat_on_send(c, &a) { hit = 1; }
        leat_on_send(c, &b) { hit = 3; }
        leat_otherwise      { hit = 4; }
    }
    CHECK(err == LEAT_OK && hit == 4);
    leat_unref(c);
    return LEAT_OK;
}
AT_TASK(TestChanSendInterface, TestChanSendInterface_test)

/* -- two sends on one channel: either value ------------------------------------------------------------------------------------------ */
LEAT_STRUCT(counter, (rx(num), in), (tx(num), out), (int64, count));
static leat_err count_ones(struct counter *c)
{
    struct num v, ones = { 0 };
    for (int64_t i = 0; i < c->count; i++) {
        leat_yield();
        LEAT_TRY(leat_recv(c->in, &v));
        ones.n += v.n;
    }
    return leat_send(c->out, ones);
}
PLACE_TASK(count_ones, counter)

static leat_err TestPseudoRandomSend_test(void)
{
    enum { N = 100 };
    leat_err err = LEAT_OK;
    for (size_t cap = 0; cap <= N && err == LEAT_OK; cap += N) {
        leat_chan(struct num) c = leat_chan_make(struct num, cap), out = leat_chan_make(struct num, 0);
        struct num one = { 1 }, zero = { 0 }, ones = { -1 };
        leat_with_group(g, err) {
            LEAT_TRY(place_go(&g, count_ones, counter, { leat_ref(leat_rx_of(c)), leat_ref(leat_tx_of(out)), N }));
            for (int i = 0; i < N; i++) {
                leat_err e;
                leat_select(e) {
                    leat_on_send(c, &one)  {}
                    leat_on_send(c, &zero) {}
                }
                LEAT_TRY(e);
            }
            LEAT_TRY(leat_recv(out, &ones));
        }
        CHECK(ones.n > N / 10 && N - ones.n > N / 10);
        leat_unref(c);
        leat_unref(out);
    }
    return err;
}
EVERYWHERE(TestPseudoRandomSend, TestPseudoRandomSend_test)

/* -- many workers between two queues --------------------------------------------------------------------------------------------------- */
static const int multi_primes[] = { 2, 3, 7, 11, 13, 17, 19, 23, 27, 31 };
enum { WORKERS = 23, PRIMES = 10 };

LEAT_STRUCT(worker_of, (rx(num), q), (tx(num), r), (int64, w));
static leat_err multi_worker(struct worker_of *w)
{
    leat_err err;
    leat_each(v, w->q, err) {
        if (multi_primes[w->w % PRIMES] == v.n)
            leat_yield();                                /* so that they do not leave in the order they came */
        LEAT_TRY(leat_send(w->r, v));
    }
    return err;
}
PLACE_TASK(multi_worker, worker_of)

LEAT_STRUCT(workers, (rx(num), q), (tx(num), r));
static leat_err multi_workers(struct workers *w)
{
    leat_err err;
    leat_with_group(g, err)
        for (int i = 0; i < WORKERS; i++)
            LEAT_TRY(place_go_here(&g, multi_worker, worker_of, { leat_ref(w->q), leat_ref(w->r), i }));
    leat_close(w->r);
    return err;
}
PLACE_TASK(multi_workers, workers)

LEAT_STRUCT(feeder, (tx(num), q), (int64, count));
static leat_err multi_feed(struct feeder *f)
{
    for (int64_t i = 0; i < f->count; i++)
        LEAT_TRY(leat_send(f->q, { multi_primes[i % PRIMES] }));
    leat_close(f->q);
    return LEAT_OK;
}
PLACE_TASK(multi_feed, feeder)

static leat_err TestMultiConsumer_test(void)
{
    int64_t count = place_turns(271828), want = 0, n = 0, sum = 0;
    leat_chan(struct num) q = leat_chan_make(struct num, 3 * WORKERS), r = leat_chan_make(struct num, 3 * WORKERS);
    leat_err err;
    for (int64_t i = 0; i < count; i++)
        want += multi_primes[i % PRIMES];
    leat_with_group(g, err) {
        LEAT_TRY(place_go(&g, multi_workers, workers, { leat_ref(leat_rx_of(q)), leat_ref(leat_tx_of(r)) }));
        LEAT_TRY(place_go_here(&g, multi_feed, feeder, { leat_ref(leat_tx_of(q)), count }));
        leat_err e;
        leat_each(v, r, e) {
            n++;
            sum += v.n;
        }
        LEAT_TRY(e);
    }
    CHECK_EQ(n, count);
    CHECK_EQ(sum, want);
    leat_unref(q);
    leat_unref(r);
    return err;
}
EVERYWHERE(TestMultiConsumer, TestMultiConsumer_test)

/* -- what a wait leaves behind ------------------------------------------------------------------------------------------------------- */
static __attribute__((noinline)) int deep(int levels)
{
    volatile char room[1024];
    room[levels] = 1;
    return levels ? deep(levels - 1) + room[levels] : 0;
}

static leat_err send_and_dive(struct sender *s)
{
    for (int64_t i = 0; i < s->count; i++) {
        LEAT_TRY(leat_send(s->out, { i }));
        CHECK_EQ(deep(20), 20);
    }
    return LEAT_OK;
}
PLACE_TASK(send_and_dive, sender)

static leat_err TestShrinkStackDuringBlockedSend_test(void)
{
    enum { N = 10 };
    leat_chan(struct num) c = leat_chan_make(struct num, 0);
    leat_err err;
    struct num v;
    leat_with_group(g, err) {
        LEAT_TRY(place_go(&g, send_and_dive, sender, { leat_ref(leat_tx_of(c)), N }));
        for (int i = 0; i < N; i++) {
            LEAT_TRY(leat_recv(c, &v));
            CHECK_EQ(v.n, i);
            place_others_run();                          /* the sender dives, and waits again */
        }
    }
    leat_unref(c);
    return err;
}
EVERYWHERE(TestShrinkStackDuringBlockedSend, TestShrinkStackDuringBlockedSend_test)

/* A select may wait on one channel twice, and leaves both places of the queue to those behind it. */
struct twice { leat_rx(struct num) c, d; leat_tx(struct num) e; };

static leat_err select_twice(struct twice *t)
{
    leat_err err;
    struct num v = { 0 };
    bool right = false;
    leat_select(err) {
        leat_on_recv(t->c, &v) {}
        leat_on_recv(t->c, &v) {}
        leat_on_recv(t->d, &v) { right = true; }
    }
    LEAT_TRY(err);
    CHECK(right && v.n == 7);
    return leat_send(t->e, { 9 });
}

static leat_err recv_eight(struct twice *t)
{
    struct num v;
    LEAT_TRY(leat_recv(t->c, &v));
    CHECK_EQ(v.n, 8);
    return LEAT_OK;
}

static leat_err TestSelectDuplicateChannel_test(void)
{
    leat_chan(struct num) c = leat_chan_make(struct num, 0), d = leat_chan_make(struct num, 0), e = leat_chan_make(struct num, 0);
    struct twice t = { leat_rx_of(c), leat_rx_of(d), leat_tx_of(e) };
    struct num v;
    leat_err err;
    leat_with_group(g, err) {
        LEAT_TRY(leat_go(&g, select_twice, t));
        while (place_receivers(c) < 2)
            ;
        LEAT_TRY(leat_go(&g, recv_eight, t));
        while (place_receivers(c) < 3)
            ;
        LEAT_TRY(place_go(&g, fill, filler, { leat_ref(leat_tx_of(d)), 7, 1 }));
        LEAT_TRY(leat_recv(e, &v));
        LEAT_TRY(place_go(&g, fill, filler, { leat_ref(leat_tx_of(c)), 8, 1 }));
    }
    leat_unref(c);
    leat_unref(d);
    leat_unref(e);
    return err;
}
EVERYWHERE(TestSelectDuplicateChannel, TestSelectDuplicateChannel_test)

/* The variable of a case that did not run is as it was, wherever in a deep stack it lives. */
struct kept { leat_rx(struct num) c, d; leat_tx(struct num) out; bool twice; };

static leat_err keeps_its_variable(struct kept *k)
{
    struct num v = { 42 }, none = { 1 };
    leat_err err;
    CHECK_EQ(deep(10), 10);
    LEAT_TRY(leat_send(k->out, { 1 }));
    leat_rx(struct num) c2 = k->twice ? k->c : NULL, d2 = k->twice ? k->d : NULL;
    leat_select(err) {
        leat_on_recv(k->c, &v)    {}
        leat_on_recv(c2, &none)   {}
        leat_on_closed(k->d)      {}
        leat_on_closed(d2)        {}
    }
    LEAT_TRY(err);
    CHECK_EQ(v.n, 42);
    CHECK_EQ(none.n, 1);
    return LEAT_OK;
}

LEAT_STRUCT(closer, (tx(num), c), (rx(num), when));
static leat_err close_it(struct closer *c)
{
    struct num v;
    LEAT_TRY(leat_recv(c->when, &v));
    leat_close(c->c);
    return LEAT_OK;
}
PLACE_TASK(close_it, closer)

static leat_err TestSelectStackAdjust_test(void)
{
    leat_chan(struct num) c = leat_chan_make(struct num, 0), d = leat_chan_make(struct num, 0), ready = leat_chan_make(struct num, 0),
        when = leat_chan_make(struct num, 0);
    leat_err err;
    struct num v;
    leat_with_group(g, err) {
        LEAT_TRY(place_go(&g, close_it, closer, { leat_ref(leat_tx_of(d)), leat_ref(leat_rx_of(when)) }));
        for (int twice = 0; twice < 2; twice++)
            LEAT_TRY(leat_go(&g, keeps_its_variable, (struct kept){ leat_rx_of(c), leat_rx_of(d), leat_tx_of(ready), twice }));
        LEAT_TRY(leat_recv(ready, &v));
        LEAT_TRY(leat_recv(ready, &v));
        while (place_receivers(c) < 3)
            ;
        LEAT_TRY(leat_send(when, { 1 }));
    }
    leat_unref(c);
    leat_unref(d);
    leat_unref(ready);
    leat_unref(when);
    return err;
}
EVERYWHERE(TestSelectStackAdjust, TestSelectStackAdjust_test)

T_MAIN()
