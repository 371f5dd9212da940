/* time_tick_test.c - of Go's time/tick_test.go. */
#include "timers.h"

static leat_err test_ticker(void)
{
    enum { N = 5 };
    leat_timer *t = NULL;
    leat_time start = leat_now(), at, reset;
    LEAT_TRY(leat_ticker_open(LEAT_MS(2), &t));
    for (int i = 1; i <= N; i++) {
        LEAT_TRY(leat_recv(leat_timer_rx(t), &at));
        CHECK(at.ns >= start.ns + i * 2000000);
    }
    reset = leat_now();
    LEAT_TRY(leat_timer_reset(t, LEAT_MS(4), NULL));
    for (int i = 1; i <= N; i++) {
        LEAT_TRY(leat_recv(leat_timer_rx(t), &at));
        CHECK(at.ns >= reset.ns + i * 4000000);
    }
    (void)leat_timer_stop(t);
    LEAT_TRY(leat_sleep(LEAT_MS(8)));
    CHECK_EQ(leat_try_recv(leat_timer_rx(t), &at), LEAT_AGAIN);
    leat_timer_close(t);
    return LEAT_OK;
}
AT_TASK(TestTicker, test_ticker)

static leat_err test_teardown(void)
{
    for (int i = 0; i < 3; i++) {
        leat_timer *t = NULL;
        leat_time at;
        LEAT_TRY(leat_ticker_open(LEAT_MS(2), &t));
        LEAT_TRY(leat_recv(leat_timer_rx(t), &at));
        (void)leat_timer_stop(t);
        leat_timer_close(t);
    }
    return LEAT_OK;
}
AT_TASK(TestTeardown, test_teardown)

static leat_err test_tick(void)
{
    CHECK(leat_ticker(LEAT_NS(-1)) == NULL);
    CHECK_HAS(leat_err_detail(), "a period must be longer than nothing");
    return LEAT_OK;
}
AT_TASK(TestTick, test_tick)

static leat_err test_new_negative(void)
{
    leat_timer *t = NULL;
    CHECK_EQ(leat_ticker_open(LEAT_NS(-1), &t), LEAT_INVAL);
    CHECK(t == NULL);
    return LEAT_OK;
}
AT_TASK(TestNewTickerLtZeroDuration, test_new_negative)

static leat_err test_reset_zero(void)
{
    leat_timer *t = NULL;
    LEAT_TRY(leat_ticker_open(LEAT_S(1), &t));
    CHECK_EQ(leat_timer_reset(t, LEAT_NS(0), NULL), LEAT_INVAL);
    CHECK(leat_timer_stop(t));                       /* the error has changed nothing */
    leat_timer_close(t);
    return LEAT_OK;
}
AT_TASK(TestTickerResetLtZeroDuration, test_reset_zero)

/* Thousands of short sleeps and a long timer do not slow down what goes to and fro between tasks, each wait with a limit. */
struct pingpong { leat_chan(int) in, out; };
static leat_err nap(leat_none *none)
{
    (void)none;
    return leat_sleep(LEAT_US(10));
}
static leat_err queue(struct pingpong *p)
{
    int q[64], n = 0, v;
    for (;;) {
        leat_err err;
        bool end = false;
        leat_tx(int) out = n ? leat_tx_of(p->out) : NULL;
        leat_select(err) {
            leat_on_send(out, &q[0]) { memmove(q, q + 1, sizeof *q * (size_t)--n); }
            leat_on_recv(p->in, &v) { q[n++] = v; }
            leat_on_closed(p->in) { end = true; }
        }
        LEAT_TRY(err);
        if (end)
            return LEAT_OK;
    }
}
static leat_err far_call(int *i) { t_fail(__FILE__, __LINE__, "timer %d expired", *i); }
static leat_err pingpong(struct pingpong *p, int turns)
{
    int v;
    for (int i = 0; i < turns; i++) {
        leat_err err;
        for (int k = 0; k < 20; k++)
            LEAT_TRY(leat_send(p->in, k));
        for (int k = 0; k < 20; k++) {
            bool in_time = false;
            leat_select(err) {
                leat_on_recv(p->out, &v) { in_time = true; }
                leat_on_after(LEAT_S(30)) { }
            }
            LEAT_TRY(err);
            CHECK(in_time && v == k);
        }
    }
    return LEAT_OK;
}
static leat_err test_long_adjust(void)
{
    leat_auto leat_chan(int) in = leat_chan_make(int, 0);
    leat_auto leat_chan(int) out = leat_chan_make(int, 0);
    struct pingpong p = { in, out };
    leat_timer *far = NULL;
    leat_err err;
    leat_with_group(g, err) {
        for (int i = 0; i < place_turns(5000); i++)
            LEAT_TRY(leat_go(&g, nap, LEAT_NONE));
        LEAT_TRY(leat_timer_func(&far, NULL, LEAT_S(300), far_call, 1));
        LEAT_TRY(leat_go(&g, queue, p));
        LEAT_TRY(pingpong(&p, place_turns(2000)));
        leat_close(in);
    }
    CHECK(leat_timer_stop(far));
    leat_timer_close(far);
    return err;
}
AT_TASK(TestLongAdjustTimers, test_long_adjust)

/* -- what stop and reset do, for a timer and for a ticker ------------------------------------------------------------------- */
struct tim { leat_timer *t; leat_rx(leat_time) c; bool ticker; };

static void no_tick(const struct tim *x)
{
    leat_time at;
    CHECK_EQ(leat_try_recv(x->c, &at), LEAT_AGAIN);
}
static leat_err some_tick(const struct tim *x)
{
    leat_time at;
    return tick_within(x->c, LEAT_S(30), &at);
}
static leat_err far_away(const struct tim *x) { return leat_timer_reset(x->t, LEAT_S(10000), NULL); }

static leat_err taker(struct tim *x)
{
    leat_time at;
    return leat_recv(x->c, &at);
}

/* A task waits while the timer is stopped and set again: it wakes for the near setting only. */
static leat_err while_waiting(struct tim *x)
{
    leat_group g = { { NULL } };
    LEAT_TRY(far_away(x));
    LEAT_TRY(leat_go(&g, taker, *x));
    LEAT_TRY(leat_sleep(LEAT_MS(1)));
    LEAT_TRY(leat_timer_reset(x->t, LEAT_S(20000), NULL));
    (void)leat_timer_stop(x->t);
    LEAT_TRY(leat_timer_reset(x->t, LEAT_NS(1), NULL));
    LEAT_TRY(leat_group_wait(&g));
    if (x->ticker)
        LEAT_TRY(some_tick(x));
    else
        no_tick(x);
    (void)leat_timer_stop(x->t);
    no_tick(x);
    return LEAT_OK;
}

struct two { struct tim x; leat_rx(int) stop; leat_tx(int) done; bool silent; };
static leat_err selecting(struct two *w)
{
    leat_err err, sent = LEAT_OK;
    leat_time at;
    int v;
    leat_select(err) {
        leat_on_recv(w->x.c, &at) { CHECK(!w->silent); sent = leat_send(w->done, 1); }
        leat_on_recv(w->stop, &v) { }
        leat_on_closed(w->stop) { }
    }
    return err == LEAT_OK ? sent : err;
}
/* Two that wait in a select: a tick goes to one of them; of a stopped timer none comes. */
static leat_err while_selecting(struct tim *x, bool silent)
{
    leat_auto leat_chan(int) stop = leat_chan_make(int, 0);
    leat_auto leat_chan(int) done = leat_chan_make(int, 2);
    leat_err err;
    int v;
    if (!silent)
        LEAT_TRY(far_away(x));
    leat_with_group(g, err) {
        for (int i = 0; i < 2; i++)
            LEAT_TRY(leat_go(&g, selecting, (struct two){ *x, leat_rx_of(stop), leat_tx_of(done), silent }));
        LEAT_TRY(leat_sleep(LEAT_MS(1)));
        CHECK_EQ(leat_len(done), 0);
        if (!silent) {
            LEAT_TRY(leat_timer_reset(x->t, LEAT_US(100), NULL));
            LEAT_TRY(leat_recv(done, &v));
        }
        (void)leat_timer_stop(x->t);
        leat_close(stop);
    }
    CHECK(leat_len(done) <= (size_t)(x->ticker && !silent));
    return err;
}

/* A setting that has ticked, the tick not received: a stop or reset takes it back and says so. */
static leat_err taken_back(struct tim *x)
{
    bool was = false;
    LEAT_TRY(leat_timer_reset(x->t, LEAT_NS(1), NULL));
    LEAT_TRY(leat_sleep(LEAT_MS(2)));
    CHECK(leat_timer_stop(x->t));
    no_tick(x);
    LEAT_TRY(leat_timer_reset(x->t, LEAT_S(3600), &was));
    CHECK(!was);
    no_tick(x);
    LEAT_TRY(leat_timer_reset(x->t, LEAT_NS(1), &was));
    CHECK(was);
    LEAT_TRY(some_tick(x));
    if (x->ticker)
        LEAT_TRY(some_tick(x));
    else
        no_tick(x);
    LEAT_TRY(leat_timer_reset(x->t, LEAT_S(3600), &was));
    CHECK_EQ(was, x->ticker);
    no_tick(x);
    return LEAT_OK;
}
static leat_err timer_chan(bool ticker)
{
    struct tim x = { NULL, NULL, ticker };
    LEAT_TRY(ticker ? leat_ticker_open(LEAT_S(10000), &x.t) : leat_timer_open(LEAT_S(10000), &x.t));
    x.c = leat_timer_rx(x.t);
    for (int i = 0; i < place_turns(20); i++) {
        (void)leat_timer_stop(x.t);
        no_tick(&x);
        LEAT_TRY(far_away(&x));
        no_tick(&x);
        LEAT_TRY(leat_timer_reset(x.t, LEAT_NS(1), NULL));
        LEAT_TRY(some_tick(&x));
        LEAT_TRY(far_away(&x));
        no_tick(&x);
        LEAT_TRY(while_waiting(&x));
        LEAT_TRY(while_selecting(&x, false));
        LEAT_TRY(while_selecting(&x, true));
        LEAT_TRY(taken_back(&x));
    }
    leat_timer_close(x.t);
    return LEAT_OK;
}
static leat_err test_chan(void)
{
    LEAT_TRY(timer_chan(false));
    return timer_chan(true);
}
AT_TASK(TestChan, test_chan)

/* A tick is of the time it fired at, not of the time it is received at. */
static leat_err of_its_time(leat_rx(leat_time) c)
{
    leat_time at, slept;
    LEAT_TRY(leat_sleep(LEAT_MS(20)));
    while (!leat_len(c))
        leat_yield();
    slept = leat_now();
    LEAT_TRY(leat_sleep(LEAT_MS(5)));
    LEAT_TRY(leat_recv(c, &at));
    CHECK(at.ns <= slept.ns);
    return LEAT_OK;
}
static leat_err test_after_times(void)
{
    struct timed t;
    LEAT_TRY(timed_open(&t, false, LEAT_MS(2)));
    LEAT_TRY(of_its_time(t.c));
    timed_close(&t);
    return LEAT_OK;
}
AT_TASK(TestAfterTimes, test_after_times)
static leat_err test_tick_times(void)
{
    leat_auto leat_rx(leat_time) c = leat_ticker(LEAT_MS(2));
    CHECK(c != NULL);
    return of_its_time(c);
}
AT_TASK(TestTickTimes, test_tick_times)

/* Nothing is left of timers that were given back, whether they were to tick or not: the leak checker of the asan variant says so, and
 * the memory of the process. */
static leat_err make_many(int n)
{
    for (int i = 0; i < n; i++) {
        leat_timer *t = NULL;
        LEAT_TRY(i % 2 ? leat_timer_open(LEAT_S(3600), &t) : leat_ticker_open(LEAT_S(3600), &t));
        if (i % 3 == 0)
            CHECK(leat_timer_stop(t));
        leat_timer_close(t);
        LEAT_TRY(leat_timer_func(&t, NULL, LEAT_S(3600), far_call, i));
        leat_timer_close(t);
        if (i % 64 == 0)
            leat_yield();                            /* the calls that were stopped end */
    }
    return LEAT_OK;
}
static long resident_kib(void)
{
    long pages = 0, resident = 0;
    FILE *f = fopen("/proc/self/statm", "r");
    CHECK(f && fscanf(f, "%ld %ld", &pages, &resident) == 2);
    fclose(f);
    return resident * (sysconf(_SC_PAGESIZE) / 1024);
}
static leat_err test_gc(void)
{
    LEAT_TRY(make_many(1000));
    long before = resident_kib();
    LEAT_TRY(make_many(place_turns(50000)));
    if (!getenv("T_QUICK"))                          /* a sanitizer keeps what was freed for a while */
        CHECK(resident_kib() - before < 4096);
    return LEAT_OK;
}
AT_TASK(TestTimerGC, test_gc)

T_MAIN()
