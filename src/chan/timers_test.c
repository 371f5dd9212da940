/* timers_test.c - timers and tickers: no tick of before a stop or reset; calls that come later, at a time or with the end of a context. */
#include <pthread.h>
#include "leat.h"
#include "t.h"
#undef errno
#include "chan/chan.h"
#include "run/sched.h"
#include "run/timer.h"

#define RUN(fn) do { for (uint32_t w_ = 1; w_ <= 3; w_++) { \
    leat_err e_ = leat_run(&(leat_opts){ .workers = w_ }, fn, LEAT_NONE); \
    if (e_ != LEAT_OK) t_fail(__FILE__, __LINE__, "%u workers: %s: %s", w_, leat_err_name(e_), leat_err_detail()); } } while (0)

static int times(int n) { return getenv("T_QUICK") ? n / 10 : n; }

/* -- no stale tick ----------------------------------------------------------------------------------------------------------- */
/* A tick says when it fired.  After a reset for an hour, or a stop, there is none; after a reset for d none is older than d after it. */
static leat_err no_stale(leat_timer *t, int i)
{
    leat_time at = { 0 }, before = leat_now();
    bool was;
    switch (i % 3) {
    case 0:
        (void)leat_timer_stop(t);
        CHECK_EQ(leat_try_recv(leat_timer_rx(t), &at), LEAT_AGAIN);
        CHECK(!leat_timer_stop(t));
        break;
    case 1:
        LEAT_TRY(leat_timer_reset(t, LEAT_S(3600), NULL));
        CHECK_EQ(leat_try_recv(leat_timer_rx(t), &at), LEAT_AGAIN);
        CHECK(leat_timer_stop(t));
        break;
    default:
        LEAT_TRY(leat_timer_reset(t, LEAT_US(200), NULL));
        LEAT_TRY(leat_recv(leat_timer_rx(t), &at));
        CHECK(at.ns >= before.ns + 200000);
    }
    LEAT_TRY(leat_timer_reset(t, LEAT_US(1 + i % 97), &was));            /* it ticks about when the next turn stops it */
    CHECK(!was || i % 3 == 2);
    for (int k = 0; k < i % 11 * 40; k++)
        leat_yield();
    return LEAT_OK;
}
static leat_err stale(leat_none *none)
{
    leat_timer *t = NULL, *ticker = NULL;
    (void)none;
    LEAT_TRY(leat_timer_open(LEAT_US(50), &t));
    LEAT_TRY(leat_ticker_open(LEAT_US(50), &ticker));
    for (int i = 0; i < times(1500); i++) {
        LEAT_TRY(no_stale(t, i));
        if (i % 3 != 2)
            LEAT_TRY(no_stale(ticker, i));
    }
    leat_timer_close(t);
    leat_timer_close(ticker);
    return LEAT_OK;
}
TEST(after_a_stop_or_reset_no_stale_tick_is_received) { RUN(stale); }

/* Whoever waits while others stop and reset: gets at most one tick a setting, and stops count what they prevented. */
struct shared { leat_timer *t; _Atomic int set, stopped, ticks; };

static leat_err hear(struct shared **s)
{
    leat_time at;
    leat_err e;
    while ((e = leat_recv(leat_timer_rx((*s)->t), &at)) == LEAT_OK)
        (*s)->ticks++;
    return e == LEAT_CANCELED ? LEAT_OK : e;
}
static leat_err meddle(struct shared **s)
{
    for (int i = 0; i < times(2000); i++) {
        bool was = false;
        if (i % 5 == 0) {
            was = leat_timer_stop((*s)->t);
        } else {
            LEAT_TRY(leat_timer_reset((*s)->t, LEAT_US(i % 40), &was));
            (*s)->set++;
        }
        (*s)->stopped += was;
        if (i % 16 == 0)
            leat_yield();
    }
    return LEAT_OK;
}
static leat_err exactly_once(leat_none *none)
{
    struct shared s = { .set = 1 }, *p = &s;
    leat_group listeners = { { NULL } };
    leat_err err;
    (void)none;
    LEAT_TRY(leat_timer_open(LEAT_US(1), &s.t));
    for (int i = 0; i < 2; i++)
        LEAT_TRY(leat_go(&listeners, hear, p));
    leat_with_group(g, err)
        for (int i = 0; i < 3; i++)
            LEAT_TRY(leat_go(&g, meddle, p));
    LEAT_TRY(err);
    s.stopped += leat_timer_stop(s.t);
    leat_group_cancel(&listeners);
    LEAT_TRY(leat_group_wait(&listeners));
    CHECK_EQ(s.ticks + s.stopped, s.set);
    leat_timer_close(s.t);
    return LEAT_OK;
}
TEST(each_setting_ticks_once_or_was_stopped) { RUN(exactly_once); }

static leat_err ticker(leat_none *none)
{
    leat_timer *t = NULL;
    leat_time start = leat_now(), at;
    (void)none;
    LEAT_TRY(leat_ticker_open(LEAT_MS(1), &t));
    for (int i = 1; i <= 3; i++) {
        LEAT_TRY(leat_recv(leat_timer_rx(t), &at));
        CHECK(at.ns >= start.ns + i * 1000000);
    }
    start = leat_now();
    LEAT_TRY(leat_timer_reset(t, LEAT_MS(3), NULL));
    for (int i = 1; i <= 2; i++) {
        LEAT_TRY(leat_recv(leat_timer_rx(t), &at));
        CHECK(at.ns >= start.ns + i * 3000000);
    }
    CHECK_EQ(leat_timer_reset(t, LEAT_NS(0), NULL), LEAT_INVAL);
    CHECK(leat_timer_stop(t) || true);
    leat_timer_close(t);
    CHECK_EQ(leat_ticker_open(LEAT_NS(-1), &t), LEAT_INVAL);
    return LEAT_OK;
}
TEST(a_ticker_takes_another_period) { RUN(ticker); }

/* -- other threads, and the end of the runtime --------------------------------------------------------------------------------- */
struct outside { leat_timer *t; leat_rx(leat_time) lone; leat_chan(int) go; pthread_t thread; };

static void *outside_thread(void *p)
{
    struct outside *o = p;
    leat_time at, before = leat_now();
    int n;
    CHECK_EQ(leat_timer_reset(o->t, LEAT_MS(1), NULL), LEAT_OK);
    CHECK_EQ(leat_recv(leat_timer_rx(o->t), &at), LEAT_OK);
    CHECK(at.ns >= before.ns + 1000000);
    CHECK(!leat_timer_stop(o->t));
    CHECK_EQ(leat_timer_reset(o->t, LEAT_S(3600), NULL), LEAT_OK);
    CHECK(leat_timer_stop(o->t));
    CHECK_EQ(leat_timer_open(LEAT_MS(1), &(leat_timer *){ NULL }), LEAT_INVAL);
    CHECK(leat_ticker(LEAT_MS(1)) == NULL);
    CHECK_EQ(leat_send(o->go, 1), LEAT_OK);
    CHECK_EQ(leat_recv(o->go, &n), LEAT_CLOSED);     /* the runtime has ended */
    return NULL;
}
static leat_err outside(struct outside **p)
{
    int n;
    LEAT_TRY(leat_timer_open(LEAT_S(3600), &(*p)->t));
    CHECK_EQ(pthread_create(&(*p)->thread, NULL, outside_thread, *p), 0);
    LEAT_TRY(leat_recv((*p)->go, &n));
    (*p)->lone = leat_ticker(LEAT_MS(1));
    CHECK((*p)->lone != NULL);
    return leat_timer_reset((*p)->t, LEAT_MS(1), NULL);
}
TEST(a_thread_that_is_no_task_sets_and_stops_and_outlives_the_runtime)
{
    for (uint32_t w = 1; w <= 3; w++) {
        struct outside o = { .go = leat_chan_make(int, 0) };
        CHECK_EQ(leat_run(&(leat_opts){ .workers = w }, outside, &o), LEAT_OK);
        leat_ignore(leat_timer_reset(o.t, LEAT_NS(0), NULL));
        leat_time at;
        leat_with_deadline(LEAT_MS(2)) {
            leat_err e = leat_recv(leat_timer_rx(o.t), &at);
            CHECK(e == LEAT_DEADLINE);               /* nothing ticks any more */
        }
        CHECK(!leat_timer_stop(o.t));
        leat_timer_close(o.t);
        leat_unref(o.lone);
        leat_close(o.go);
        pthread_join(o.thread, NULL);
        leat_unref(o.go);
    }
}

/* -- calls at a time --------------------------------------------------------------------------------------------------------------- */
struct called { _Atomic int *n; leat_time due; int64_t big[12]; };

static leat_err call(struct called *c)
{
    CHECK(leat_now().ns >= c->due.ns);
    CHECK_EQ(c->big[11], 11);
    ++*c->n;
    return LEAT_OK;
}
/* The first call is due and has no turn yet: its beginning must not take the second one from the timer. */
static leat_err set_anew_before_it_begins(leat_none *none)
{
    _Atomic int n = 0;
    leat_timer *t = NULL;
    leat_err err;
    bool was;
    (void)none;
    leat_with_group(g, err) {
        LEAT_TRY(leat_timer_func(&t, &g, LEAT_US(1), call, ((struct called){ &n, leat_now(), { [11] = 11 } })));
        for (leat_time until = leat_time_add(leat_now(), LEAT_MS(1)); leat_now().ns < until.ns; )
            ;
        (void)timers_run(worker_self(), worker_self(), leat_now().ns);
        LEAT_TRY(leat_timer_reset(t, LEAT_S(3600), &was));
        CHECK(!was && n == 0);
        while (!n)
            leat_yield();
        CHECK(leat_timer_stop(t));
    }
    leat_timer_close(t);
    CHECK_EQ(n, 1);
    return err;
}
TEST(a_call_that_begins_leaves_the_next_one_to_its_timer)
{
    CHECK_EQ(leat_run(&(leat_opts){ .workers = 1 }, set_anew_before_it_begins, LEAT_NONE), LEAT_OK);
}

static leat_err calls(leat_none *none)
{
    _Atomic int n = 0;
    leat_timer *t[50] = { NULL };
    leat_err err;
    bool was;
    (void)none;
    leat_with_group(g, err)
        for (int i = 0; i < 50; i++) {
            struct called c = { &n, leat_time_add(leat_now(), LEAT_US(i * 20)), { [11] = 11 } };
            LEAT_TRY(leat_timer_func(&t[i], &g, LEAT_US(i * 20), call, c));
        }
    LEAT_TRY(err);                                   /* the end of the group waited for them */
    CHECK_EQ(n, 50);
    for (int i = 0; i < 50; i++) {
        CHECK(!leat_timer_stop(t[i]));
        leat_timer_close(t[i]);
    }
    leat_with_group(g, err) {
        struct called c = { &n, leat_now(), { [11] = 11 } };
        LEAT_TRY(leat_timer_func(&t[0], &g, LEAT_S(3600), call, c));
        LEAT_TRY(leat_timer_func(&t[1], &g, LEAT_S(3600), call, c));
        LEAT_TRY(leat_timer_func(&t[2], &g, LEAT_S(3600), call, c));
        CHECK(leat_timer_stop(t[0]));
        CHECK(!leat_timer_stop(t[0]));
        leat_timer_close(t[1]);
        LEAT_TRY(leat_timer_reset(t[2], LEAT_US(10), &was));
        CHECK(was);
        CHECK(leat_timer_rx(t[2]) == NULL);
    }
    LEAT_TRY(err);                                   /* nobody waited for an hour */
    CHECK_EQ(n, 51);
    leat_timer_close(t[0]);
    leat_timer_close(t[2]);
    return LEAT_OK;
}
TEST(a_call_comes_at_its_time_in_its_group_or_is_stopped) { RUN(calls); }

static void *reset_calls(void *p)
{
    leat_timer **t = p;
    bool was = false;
    CHECK(leat_timer_stop(t[1]));
    CHECK_EQ(leat_timer_reset(t[0], LEAT_MS(1), &was), LEAT_OK);
    CHECK(was);
    CHECK_EQ(leat_timer_reset(t[2], LEAT_MS(1), &was), LEAT_INVAL);  /* it has no group but the one of leat_run */
    return NULL;
}
static leat_err calls_outside(leat_none *none)
{
    _Atomic int n = 0;
    struct called c = { &n, { 0 }, { [11] = 11 } };
    leat_timer *t[3] = { NULL };
    pthread_t thread;
    leat_err err;
    (void)none;
    leat_with_group(g, err) {
        for (int i = 0; i < 3; i++)
            LEAT_TRY(leat_timer_func(&t[i], i < 2 ? &g : NULL, LEAT_S(3600), call, c));
        CHECK_EQ(pthread_create(&thread, NULL, reset_calls, t), 0);
        pthread_join(thread, NULL);
    }
    CHECK_EQ(n, 1);
    for (int i = 0; i < 3; i++)
        leat_timer_close(t[i]);
    return err;
}
TEST(a_thread_that_is_no_task_stops_and_resets_calls) { RUN(calls_outside); }

static leat_err calls_cancel(leat_none *none)
{
    _Atomic int n = 0;
    struct called c = { &n, { 0 }, { [11] = 11 } };
    leat_timer *t = NULL, *late = NULL, *last = NULL;
    leat_group g = { { NULL } };
    leat_err err;
    (void)none;
    LEAT_TRY(leat_timer_func(&t, &g, LEAT_S(3600), call, c));
    leat_group_cancel(&g);
    LEAT_TRY(leat_group_wait(&g));                   /* it has ended unbegun, which is no failure */
    CHECK(!leat_timer_stop(t));
    leat_with_deadline(LEAT_MS(1)) {
        leat_with_group(h, err)
            LEAT_TRY(leat_timer_func(&late, &h, LEAT_S(3600), call, c));
        CHECK_EQ(err, LEAT_DEADLINE);
    }
    leat_timer_close(t);
    leat_timer_close(late);
    CHECK_EQ(n, 0);
    return leat_timer_func(&last, NULL, LEAT_S(3600), call, c) == LEAT_OK ? (leat_timer_close(last), LEAT_OK) : LEAT_INVAL;
}
TEST(a_call_ends_with_a_cancel_or_deadline_of_its_group) { RUN(calls_cancel); }

static leat_timer *left_behind;
static leat_err leave(leat_none *none)
{
    static _Atomic int n;
    (void)none;
    struct called c = { &n, { 0 }, { [11] = 11 } };
    return leat_timer_func(&left_behind, NULL, LEAT_S(3600), call, c);
}
TEST(the_end_of_the_program_does_not_wait_for_calls_to_come)
{
    for (uint32_t w = 1; w <= 3; w++) {
        CHECK_EQ(leat_run(&(leat_opts){ .workers = w }, leave, LEAT_NONE), LEAT_OK);
        CHECK(!leat_timer_stop(left_behind));
        leat_timer_close(left_behind);
    }
}

static leat_err call_race(leat_none *none)
{
    (void)none;
    for (int i = 0; i < times(1500); i++) {
        _Atomic int n = 0;
        int stopped = 0, set = 1;
        struct called c = { &n, { 0 }, { [11] = 11 } };
        leat_timer *t = NULL;
        leat_err err;
        leat_with_group(g, err) {
            LEAT_TRY(leat_timer_func(&t, &g, LEAT_US(i % 50), call, c));
            for (int k = 0; k < 3; k++) {
                bool was;
                for (int y = 0; y < i % 7 * 30; y++)
                    leat_yield();
                LEAT_TRY(leat_timer_reset(t, LEAT_US(i % 31), &was));
                stopped += was;
                set++;
            }
            stopped += i % 2 && leat_timer_stop(t);
        }
        LEAT_TRY(err);
        CHECK_EQ(n + stopped, set);
        leat_timer_close(t);
    }
    return LEAT_OK;
}
TEST(a_call_that_meets_its_stop_runs_or_was_stopped) { RUN(call_race); }

/* -- the end of a context ------------------------------------------------------------------------------------------------------------ */
struct told { leat_tx(int) c; int v; };
static leat_err tell(struct told *t) { return leat_ctx_err() == LEAT_OK ? leat_send(t->c, t->v) : leat_ctx_err(); }

static leat_err after(leat_none *none)
{
    leat_auto leat_chan(int) c = leat_chan_make(int, 4);
    leat_after *a = NULL, *b = NULL;
    int v;
    (void)none;
    leat_with_cancel(ctx) {
        LEAT_TRY(leat_after_func(&a, ctx, tell, (struct told){ leat_tx_of(c), 1 }));
        LEAT_TRY(leat_after_func(&b, ctx, tell, (struct told){ leat_tx_of(c), 2 }));
        CHECK(leat_after_stop(b));
        CHECK(!leat_after_stop(b));
        leat_yield();
        CHECK_EQ(leat_len(c), 0);
        leat_cancel(ctx, LEAT_REFUSED);
    }
    LEAT_TRY(leat_recv(c, &v));                      /* it can send: it runs outside of what was cancelled */
    CHECK_EQ(v, 1);
    CHECK(!leat_after_stop(a));
    leat_after_close(a);
    leat_after_close(b);
    leat_with_cancel(ctx)                            /* the end of the block is the end of the context */
        LEAT_TRY(leat_after_func(&a, ctx, tell, (struct told){ leat_tx_of(c), 3 }));
    LEAT_TRY(leat_recv(c, &v));
    CHECK_EQ(v, 3);
    leat_after_close(a);
    leat_with_deadline(LEAT_MS(1))
        LEAT_TRY(leat_after_func(&a, NULL, tell, (struct told){ leat_tx_of(c), 4 }));
    LEAT_TRY(leat_recv(c, &v));
    CHECK_EQ(v, 4);
    leat_after_close(a);
    leat_with_cancel(outer)                          /* of an outer one, and of one that is over already */
        leat_with_cancel(inner) {
            LEAT_TRY(leat_after_func(&a, inner, tell, (struct told){ leat_tx_of(c), 5 }));
            leat_cancel(outer, LEAT_CANCELED);
            LEAT_TRY(leat_after_func(&b, NULL, tell, (struct told){ leat_tx_of(c), 6 }));
        }
    for (int i = 0, sum = 0; i < 2; i++) {
        LEAT_TRY(leat_recv(c, &v));
        CHECK((sum += v) == 11 || i == 0);
    }
    leat_after_close(a);
    leat_after_close(b);
    return LEAT_OK;
}
TEST(an_after_function_runs_once_when_its_context_is_over) { RUN(after); }

struct stopper { leat_after *a; int stopped; };
static leat_err stop_it(struct stopper **s)
{
    (*s)->stopped += leat_after_stop((*s)->a);
    return LEAT_OK;
}
static leat_err after_race(leat_none *none)
{
    (void)none;
    for (int i = 0; i < times(1500); i++) {
        leat_auto leat_chan(int) c = leat_chan_make(int, 4);
        struct stopper s = { NULL, 0 }, *p = &s;
        leat_err err;
        int v;
        leat_with_group(g, err)
            leat_with_cancel(ctx) {                  /* a stop meets the cancel, or the end of the context */
                LEAT_TRY(leat_after_func(&s.a, ctx, tell, (struct told){ leat_tx_of(c), 1 }));
                LEAT_TRY(leat_go(&g, stop_it, p));
                for (int y = 0; y < i % 5; y++)
                    leat_yield();
                if (i % 2)
                    leat_cancel(ctx, LEAT_CANCELED);
            }
        LEAT_TRY(err);
        if (!s.stopped)
            LEAT_TRY(leat_recv(c, &v));
        CHECK_EQ(leat_try_recv(c, &v), LEAT_AGAIN);
        leat_after_close(s.a);
    }
    return LEAT_OK;
}
TEST(an_after_function_that_meets_its_stop_runs_or_was_stopped) { RUN(after_race); }

static leat_err cause(leat_none *none)
{
    (void)none;
    CHECK_EQ(leat_ctx_cause(), LEAT_OK);
    leat_with_deadline_cause(LEAT_S(3600), LEAT_REFUSED)
        CHECK_EQ(leat_ctx_cause(), LEAT_OK);         /* it has not passed */
    leat_with_deadline_cause(LEAT_MS(1), LEAT_REFUSED) {
        CHECK_EQ(leat_sleep(LEAT_S(3600)), LEAT_DEADLINE);
        CHECK_EQ(leat_ctx_cause(), LEAT_REFUSED);
        leat_with_deadline_cause(LEAT_S(1), LEAT_GONE)               /* the nearer deadline is the outer one */
            CHECK_EQ(leat_ctx_cause(), LEAT_REFUSED);
    }
    CHECK_EQ(leat_ctx_cause(), LEAT_OK);
    leat_with_deadline(LEAT_NS(0))
        CHECK_EQ(leat_ctx_cause(), LEAT_DEADLINE);
    leat_with_cancel(ctx)
        leat_with_deadline_cause(LEAT_S(3600), LEAT_REFUSED) {
            leat_cancel(ctx, LEAT_GONE);
            CHECK_EQ(leat_ctx_cause(), LEAT_GONE);
        }
    return LEAT_OK;
}
TEST(a_deadline_has_a_cause) { RUN(cause); }

static leat_err unseen(leat_none *none)
{
    leat_err err;
    (void)none;
    leat_with_cancel(outer)
        leat_with_value(&outer, NULL) {              /* nobody has waited in it, so it is not linked to the outer one */
            leat_cancel(outer, LEAT_REFUSED);
            leat_with_value(&unseen, NULL) {
                CHECK_EQ(leat_ctx_err(), LEAT_CANCELED);
                CHECK_EQ(leat_ctx_cause(), LEAT_REFUSED);
            }
        }
    leat_with_cancel(outer)
        leat_with_cancel(inner) {
            leat_cancel(outer, LEAT_REFUSED);
            bool done = false;
            leat_with_shield(LEAT_S(30))
                leat_select(err) {
                    leat_on_done(inner) { done = true; }
                }
            CHECK(done);
        }
    return LEAT_OK;
}
TEST(a_cancel_reaches_a_context_in_which_nobody_has_waited) { RUN(unseen); }

/* -- a ticker that nobody owns ------------------------------------------------------------------------------------------------- */
static leat_err nobody_receives(leat_none *none)
{
    (void)none;
    leat_rx(leat_time) rx = leat_ticker(LEAT_US(100));
    CHECK(rx != NULL);
    leat_unref(rx);
    for (int i = 0; i < 10000 && at_load(&worker_self()->wheel.n); i++)
        LEAT_TRY(leat_sleep(LEAT_MS(1)));
    CHECK_EQ(at_load(&worker_self()->wheel.n), 0);
    return LEAT_OK;
}
TEST(a_ticker_that_nobody_receives_from_ends)
{
    CHECK_EQ(leat_run(&(leat_opts){ .workers = 1 }, nobody_receives, LEAT_NONE), LEAT_OK);
}

static leat_err leaves_a_ticker(leat_rx(leat_time) **ret) { return (**ret = leat_ticker(LEAT_S(3600))) ? LEAT_OK : LEAT_NOMEM; }
TEST(a_ticker_ends_with_its_runtime_without_a_tick)
{
    leat_rx(leat_time) rx = NULL;
    leat_time at;
    CHECK_EQ(leat_run(NULL, leaves_a_ticker, &rx), LEAT_OK);
    CHECK_EQ(leat_try_recv(rx, &at), LEAT_AGAIN);
    CHECK_EQ(at_load(&((leat_chan_ *)rx)->refs), 1);                 /* the ticker's own has gone */
    leat_unref(rx);
}

T_MAIN()
