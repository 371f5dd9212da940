/* time_sleep_test.c - of Go's time/sleep_test.go.  Where Go tries again because a loaded machine may be late, these tests ask only for
 * what holds on any machine: nothing is early, what was stopped does not come, what was set does. */
#include "timers.h"

static int64_t since(leat_time t) { return leat_since(t).ns; }

static leat_err test_sleep(void)
{
    leat_time start = leat_now();
    LEAT_TRY(leat_sleep(LEAT_MS(30)));
    CHECK(since(start) >= 30000000);
    return LEAT_OK;
}
AT_TASK(TestSleep, test_sleep)

/* A call that starts the next one and then goes on for long: none waits for the one before. */
struct chain { leat_group *g; leat_tx(int) c; leat_rx(int) end; int left; };
static leat_err chain_call(struct chain *s)
{
    struct chain next = *s;
    leat_timer *t = NULL;
    int v;
    if (next.left-- == 0)
        return leat_send(s->c, 1);
    LEAT_TRY(leat_timer_func(&t, s->g, LEAT_NS(0), chain_call, next));
    leat_err e = leat_recv(s->end, &v);
    leat_timer_close(t);
    return e == LEAT_CLOSED ? LEAT_OK : e;
}
static leat_err test_after_func(void)
{
    leat_auto leat_chan(int) c = leat_chan_make(int, 0);
    leat_auto leat_chan(int) end = leat_chan_make(int, 0);
    leat_timer *t = NULL;
    leat_err err;
    int v;
    leat_with_group(g, err) {
        LEAT_TRY(leat_timer_func(&t, &g, LEAT_NS(0), chain_call, (struct chain){ &g, leat_tx_of(c), leat_rx_of(end), 10 }));
        LEAT_TRY(leat_recv(c, &v));
        leat_close(end);
    }
    leat_timer_close(t);
    return err;
}
AT_TASK(TestAfterFunc, test_after_func)

struct busy { _Atomic bool stop; leat_rx(leat_time) c; leat_waitgroup wg; int n; };
static leat_err busy(struct busy **b)
{
    while (!(*b)->stop)
        LEAT_TRY(leat_sleep(LEAT_NS(1)));
    return LEAT_OK;
}
static leat_err take_ticks(struct busy **b)
{
    leat_time at;
    for (int i = 0; i < (*b)->n; i++)
        LEAT_TRY(leat_recv((*b)->c, &at));
    leat_waitgroup_done(&(*b)->wg);
    return LEAT_OK;
}
static leat_err ticker_stress(int takers)
{
    struct busy b = { .n = 100 }, *p = &b;
    leat_timer *t = NULL;
    leat_err err;
    LEAT_TRY(leat_ticker_open(LEAT_NS(1), &t));
    b.c = leat_timer_rx(t);
    leat_waitgroup_add(&b.wg, takers);
    leat_with_group(g, err) {
        LEAT_TRY(leat_go(&g, busy, p));
        for (int i = 0; i < takers; i++)
            LEAT_TRY(leat_go(&g, take_ticks, p));
        LEAT_TRY(leat_waitgroup_wait(&b.wg));
        b.stop = true;
    }
    leat_timer_close(t);
    return err;
}
static leat_err test_ticker_stress(void) { return ticker_stress(1); }
AT_TASK(TestTickerStress, test_ticker_stress)
static leat_err test_ticker_concurrent(void) { return ticker_stress(10); }
AT_TASK(TestTickerConcurrentStress, test_ticker_concurrent)

/* Two tasks that keep one worker busy do not keep a call from its turn. */
struct starve { _Atomic bool *stop; leat_chan(int) c; };
static leat_err starve_send(struct starve *s)
{
    while (!*s->stop)
        LEAT_TRY(leat_send(s->c, 1));
    leat_close(s->c);
    return LEAT_OK;
}
static leat_err starve_recv(struct starve *s)
{
    leat_err err;
    leat_each(v, s->c, err)
        (void)v;
    return err;
}
static leat_err starve_stop(struct starve *s)
{
    *s->stop = true;
    return LEAT_OK;
}
static leat_err starve(leat_none *none)
{
    static _Atomic bool stop;
    leat_auto leat_chan(int) c = leat_chan_make(int, 1);
    struct starve s = { &stop, c };
    leat_timer *t = NULL;
    leat_err err;
    (void)none;
    leat_with_group(g, err) {
        LEAT_TRY(leat_go(&g, starve_send, s));
        LEAT_TRY(leat_go(&g, starve_recv, s));
        LEAT_TRY(leat_timer_func(&t, NULL, LEAT_US(1), starve_stop, s));
    }
    leat_timer_close(t);
    return err;
}
TEST(TestAfterFuncStarvation) { CHECK_EQ(leat_run(&(leat_opts){ .workers = 1 }, starve, LEAT_NONE), LEAT_OK); }

static leat_err test_after(void)
{
    leat_time start = leat_now(), at = { 0 };
    struct timed t;
    leat_err err;
    LEAT_TRY(timed_open(&t, false, LEAT_MS(20)));
    LEAT_TRY(leat_recv(t.c, &at));
    CHECK(since(start) >= 20000000 && at.ns >= start.ns + 20000000);
    timed_close(&t);
    start = leat_now();
    leat_select(err) { leat_on_after(LEAT_MS(20)) { } }
    CHECK(since(start) >= 20000000);
    return err;
}
AT_TASK(TestAfter, test_after)

static leat_err test_after_tick(void)
{
    leat_time start = leat_now(), at;
    for (int i = 0; i < 10; i++)
        CHECK_EQ(tick_within(NULL, LEAT_MS(2), &at), LEAT_DEADLINE);
    CHECK(since(start) >= 20000000);
    return LEAT_OK;
}
AT_TASK(TestAfterTick, test_after_tick)

static leat_err after_stop(bool func)
{
    struct timed first, second;
    leat_time at;
    for (int i = 0; i < 5; i++) {
        LEAT_TRY(timed_open(&first, func, LEAT_S(50)));
        LEAT_TRY(timed_open(&second, true, LEAT_S(150)));
        CHECK(leat_timer_stop(first.t));
        CHECK(leat_timer_stop(second.t));
        LEAT_TRY(leat_sleep(LEAT_MS(1)));
        CHECK_EQ(leat_try_recv(first.c, &at), LEAT_AGAIN);
        CHECK_EQ(leat_try_recv(second.c, &at), LEAT_AGAIN);
        CHECK(!leat_timer_stop(second.t));
        timed_close(&first);
        timed_close(&second);
    }
    return LEAT_OK;
}
static leat_err test_after_stop(void)
{
    LEAT_TRY(after_stop(false));
    return after_stop(true);
}
AT_TASK(TestAfterStop, test_after_stop)

/* Timers of many spans tick in the order of their spans: the times they tick at say so. */
static leat_err after_queuing(bool func)
{
    static const int slots[] = { 5, 3, 6, 6, 6, 1, 1, 2, 7, 9, 4, 8, 0 };
    enum { N = sizeof slots / sizeof *slots };
    struct timed t[N];
    leat_time start = leat_now(), at[N];
    for (int i = 0; i < N; i++)
        LEAT_TRY(timed_open(&t[i], func, LEAT_MS(slots[i])));
    for (int i = 0; i < N; i++) {
        LEAT_TRY(leat_recv(t[i].c, &at[i]));
        CHECK(at[i].ns >= start.ns + slots[i] * 1000000);
        timed_close(&t[i]);
    }
    return LEAT_OK;
}
static leat_err test_after_queuing(void)
{
    LEAT_TRY(after_queuing(false));
    return after_queuing(true);
}
AT_TASK(TestAfterQueuing, test_after_queuing)

static leat_err never(int *i) { t_fail(__FILE__, __LINE__, "timer %d was not stopped", *i); }
static leat_err stop_late(int *i)
{
    leat_timer *t = NULL;
    LEAT_TRY(leat_timer_func(&t, NULL, LEAT_S(200), never, *i));
    LEAT_TRY(leat_sleep(LEAT_MS(10)));
    CHECK(leat_timer_stop(t));
    leat_timer_close(t);
    return LEAT_OK;
}
static leat_err test_stop_stress(void)
{
    leat_err err;
    leat_with_group(g, err)
        for (int i = 0; i < 100; i++)
            LEAT_TRY(leat_go(&g, stop_late, i));
    return err;
}
AT_TASK(TestTimerStopStress, test_stop_stress)

static leat_err test_sleep_zero(void)
{
    for (int i = 0; i < 100; i++) {
        leat_auto leat_chan(int) c = leat_chan_make(int, 1);
        int v;
        LEAT_TRY(leat_sleep(LEAT_NS(0)));
        LEAT_TRY(leat_send(c, 1));
        LEAT_TRY(leat_recv(c, &v));
    }
    return LEAT_OK;
}
AT_TASK(TestSleepZeroDeadlock, test_sleep_zero)

static leat_err test_reset(void)
{
    struct timed t;
    leat_time at, set;
    bool was = false;
    LEAT_TRY(timed_open(&t, false, LEAT_S(200)));
    set = leat_now();
    LEAT_TRY(leat_timer_reset(t.t, LEAT_MS(3), &was));
    CHECK(was);
    LEAT_TRY(leat_recv(t.c, &at));
    CHECK(at.ns >= set.ns + 3000000);
    LEAT_TRY(leat_timer_reset(t.t, LEAT_MS(50), &was));
    CHECK(!was);                                     /* its tick was received */
    timed_close(&t);
    return LEAT_OK;
}
AT_TASK(TestReset, test_reset)

static leat_err sleep_long(leat_none *none)
{
    (void)none;
    leat_err e = leat_sleep(LEAT_NS(INT64_MAX));
    return e == LEAT_CANCELED ? LEAT_OK : leat_fail(LEAT_INVAL, "the big sleep returned %s", leat_err_name(e));
}
static leat_err test_overflow_sleep(void)
{
    leat_group g = { { NULL } };
    leat_time at;
    struct timed big, neg;
    LEAT_TRY(leat_go(&g, sleep_long, LEAT_NONE));
    LEAT_TRY(timed_open(&big, false, LEAT_NS(INT64_MAX)));
    CHECK_EQ(tick_within(big.c, LEAT_MS(25), &at), LEAT_DEADLINE);
    LEAT_TRY(leat_sleep(LEAT_NS(INT64_MIN)));
    LEAT_TRY(timed_open(&neg, false, LEAT_NS(INT64_MIN)));
    LEAT_TRY(leat_recv(neg.c, &at));
    timed_close(&big);
    timed_close(&neg);
    leat_group_cancel(&g);
    return leat_group_wait(&g);
}
AT_TASK(TestOverflowSleep, test_overflow_sleep)

/* A period so long that the second tick is beyond the end of time: one tick, and the timer goes on working. */
static leat_err test_overflow_period(void)
{
    leat_timer *t = NULL;
    leat_time at;
    LEAT_TRY(leat_ticker_open(LEAT_NS(INT64_MAX), &t));
    CHECK_EQ(tick_within(leat_timer_rx(t), LEAT_MS(5), &at), LEAT_DEADLINE);
    LEAT_TRY(leat_timer_reset(t, LEAT_US(10), NULL));
    LEAT_TRY(leat_recv(leat_timer_rx(t), &at));
    LEAT_TRY(leat_timer_reset(t, LEAT_NS(INT64_MAX - leat_now().ns / 2), NULL));
    CHECK_EQ(leat_try_recv(leat_timer_rx(t), &at), LEAT_AGAIN);
    leat_timer_close(t);
    return LEAT_OK;
}
AT_TASK(TestOverflowPeriodRuntimeTimer, test_overflow_period)

static leat_err test_zero_timer(void)
{
    struct timed again, t;
    leat_time at;
    LEAT_TRY(timed_open(&again, true, LEAT_S(3600)));
    for (int i = 0; i < place_turns(500); i++) {
        for (int func = 0; func < 2; func++) {
            LEAT_TRY(timed_open(&t, func, LEAT_NS(0)));
            LEAT_TRY(leat_recv(t.c, &at));
            timed_close(&t);
        }
        LEAT_TRY(leat_timer_reset(again.t, LEAT_NS(0), NULL));
        LEAT_TRY(leat_recv(again.c, &at));
    }
    timed_close(&again);
    return LEAT_OK;
}
AT_TASK(TestZeroTimer, test_zero_timer)

static leat_err test_modified_earlier(void)
{
    for (int i = 0; i < place_turns(500); i++) {
        struct timed t;
        leat_time at;
        LEAT_TRY(timed_open(&t, true, LEAT_S(3600)));
        for (int k = 0; k < 10; k++) {
            if (!leat_timer_stop(t.t))
                LEAT_TRY(leat_recv(t.c, &at));
            LEAT_TRY(leat_timer_reset(t.t, LEAT_S(-1000000), NULL));
        }
        CHECK_EQ(tick_within(t.c, LEAT_S(30), &at), LEAT_OK);
        timed_close(&t);
    }
    return LEAT_OK;
}
AT_TASK(TestTimerModifiedEarlier, test_modified_earlier)

/* Many timers, each through the same states in its order, in a random order among them. */
static leat_err adjust_step(struct timed *t, int state)
{
    static const int minutes[] = { 0, 0, 1, 0, 3, 0, 2 };
    leat_time at;
    bool was = false;
    switch (state) {
    case 0:
        return timed_open(t, true, LEAT_NS(0));
    case 1: case 9:
        return leat_recv(t->c, &at);
    case 2: case 4: case 6:
        LEAT_TRY(leat_timer_reset(t->t, LEAT_S(60 * minutes[state]), &was));
        CHECK(!was);
        break;
    case 3: case 5: case 7:
        CHECK(leat_timer_stop(t->t));
        break;
    case 8:
        LEAT_TRY(leat_timer_reset(t->t, LEAT_NS(0), &was));
        CHECK(!was);
        break;
    default:
        timed_close(t);
    }
    return LEAT_OK;
}
static leat_err test_adjust(void)
{
    enum { N = 100, STATES = 11 };
    static struct timed t[N];
    int state[N] = { 0 }, left = N * STATES;
    unsigned seed = (unsigned)leat_now().ns;
    while (left) {
        int i = rand_r(&seed) % N;
        if (state[i] == STATES)
            continue;
        LEAT_TRY(adjust_step(&t[i], state[i]++));
        left--;
    }
    return LEAT_OK;
}
AT_TASK(TestAdjustTimers, test_adjust)

/* Two timers for one time: when one has ticked, the other has, or is stopped.  It is never "too late to stop" and without a tick. */
struct result { bool stop; int turns; };
static leat_err stop_or_reset(const struct result *r, struct timed *t)
{
    leat_time at;
    bool was = false;
    if (r->stop)
        was = leat_timer_stop(t->t);
    else
        LEAT_TRY(leat_timer_reset(t->t, LEAT_S(3600), &was));
    return was ? LEAT_OK : leat_recv(t->c, &at);
}
static leat_err result_turns(struct result *r)
{
    for (int i = 0; i < r->turns; i++) {
        struct timed a, b;
        leat_time at;
        leat_err err, other = LEAT_OK;
        LEAT_TRY(timed_open(&a, false, LEAT_US(200)));
        LEAT_TRY(timed_open(&b, false, LEAT_US(200)));
        leat_select(err) {
            leat_on_recv(a.c, &at) { other = stop_or_reset(r, &b); }
            leat_on_recv(b.c, &at) { other = stop_or_reset(r, &a); }
        }
        LEAT_TRY(err);
        LEAT_TRY(other);
        timed_close(&a);
        timed_close(&b);
    }
    return LEAT_OK;
}
static leat_err stop_reset_result(bool stop)
{
    leat_err err;
    leat_with_group(g, err)
        for (int i = 0; i < place_turns(200); i++)
            LEAT_TRY(leat_go(&g, result_turns, (struct result){ stop, 20 }));
    return err;
}
static leat_err test_stop_result(void) { return stop_reset_result(true); }
AT_TASK(TestStopResult, test_stop_result)
static leat_err test_reset_result(void) { return stop_reset_result(false); }
AT_TASK(TestResetResult, test_reset_result)

struct many { leat_timer *t; int turns; };
static leat_err many_ticks(struct many *m)
{
    leat_time at;
    for (int i = 0; i < m->turns; i++) {
        leat_err e = tick_within(leat_timer_rx(m->t), LEAT_MS(1), &at);
        if (e != LEAT_OK && e != LEAT_DEADLINE)
            return e;
    }
    return LEAT_OK;
}
static leat_err test_multi_ticker(void)
{
    leat_timer *t = NULL;
    leat_err err;
    LEAT_TRY(leat_ticker_open(LEAT_US(1), &t));
    leat_with_group(g, err)
        for (int i = 0; i < 4; i++)
            LEAT_TRY(leat_go(&g, many_ticks, (struct many){ t, place_turns(3000) }));
    leat_timer_close(t);
    return err;
}
AT_TASK(TestMultiWakeupTicker, test_multi_ticker)

static leat_err many_resets(struct many *m)
{
    leat_time at;
    for (int i = 0; i < m->turns; i++) {
        leat_err e = leat_try_recv(leat_timer_rx(m->t), &at);
        if (e != LEAT_OK && e != LEAT_AGAIN)
            return e;
        LEAT_TRY(leat_timer_reset(m->t, LEAT_NS(1), NULL));
    }
    return LEAT_OK;
}
static leat_err test_multi_timer(void)
{
    leat_timer *t = NULL;
    leat_time at;
    leat_err err;
    LEAT_TRY(leat_timer_open(LEAT_NS(1), &t));
    leat_with_group(g, err)
        for (int i = 0; i < 4; i++)
            LEAT_TRY(leat_go(&g, many_resets, (struct many){ t, place_turns(10000) }));
    LEAT_TRY(err);
    LEAT_TRY(leat_recv(leat_timer_rx(t), &at));      /* of the last reset */
    leat_timer_close(t);
    return LEAT_OK;
}
AT_TASK(TestMultiWakeupTimer, test_multi_timer)

T_MAIN()
