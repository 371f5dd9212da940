/* starved_test.c - what begins by itself and finds no memory for a stack: a call at a time, at the end of a context, the task behind
 * leat_signals, tasks that a thread which is no task starts.  Nobody waits for ever, and what they had is given back. */
#include <pthread.h>
#include <signal.h>
#include "starve.h"

static _Atomic int ran, told;
static void count_lines(int level, const char *line)
{
    (void)level;
    if (strstr(line, "has found no memory for a stack"))
        atomic_fetch_add(&told, 1);
}

static void starving(leat_err (*fn)(leat_none *))
{
    rt_stack_wait_ns = 20000000;
    CHECK_EQ(leat_run((&(leat_opts){ .workers = 1, .stack_bytes = 80 << 10, .log = count_lines }), fn, LEAT_NONE), LEAT_OK);
}
#define STARVING(id, fn) TEST(id) { starving(fn); }

static void until(_Atomic int *n, int want)
{
    for (int ms = 0; atomic_load(n) < want; ms++) {
        CHECK(ms < 60000);
        CHECK_EQ(leat_sleep(LEAT_MS(1)), LEAT_OK);
    }
}

/* -- from a thread that is no task --------------------------------------------------------------------------------------------- */
struct outside { leat_group *g; bool heard; };

static leat_err runs(struct outside *x)
{
    (void)x;
    atomic_fetch_add(&ran, 1);
    return LEAT_OK;
}
static leat_err hears(struct outside *x)
{
    (void)x;
    CHECK(task_self()->group == group_of(x->g));     /* it is called as the task */
    atomic_fetch_add(&starved, 1);
    return LEAT_OK;
}
static void *starts_one(void *arg)
{
    static const leat_site_ site = { "runs", __FILE__, __LINE__ };
    struct outside *x = arg;
    CHECK(task_self()->foreign);
    if (x->heard)
        CHECK_EQ(task_go(x->g, (leat_fn_ *)(void (*)(void))runs, &site, x, sizeof *x, (leat_fn_ *)(void (*)(void))hears), LEAT_OK);
    else
        CHECK_EQ(leat_go(x->g, runs, *x), LEAT_OK);
    return NULL;
}
static leat_err one_from_outside(bool heard)
{
    leat_err err;
    leat_with_group(g, err) {
        struct outside x = { &g, heard };
        pthread_t t;
        CHECK_EQ(pthread_create(&t, NULL, starts_one, &x), 0);
        CHECK_EQ(pthread_join(t, NULL), 0);
        err = leat_group_wait(&g);
    }
    return err;
}
static leat_err from_a_thread(leat_none *none)
{
    struct full f = { 0 };
    (void)none;
    CHECK_EQ(one_from_outside(true), LEAT_OK);
    CHECK_EQ(atomic_load(&ran), 1);
    fill(&f);
    uint32_t was = atomic_load(&starved);
    CHECK_EQ(one_from_outside(true), LEAT_OK);
    CHECK_EQ(atomic_load(&starved), was + 1);
    CHECK_EQ(one_from_outside(false), LEAT_NOMEM);
    CHECK_EQ(atomic_load(&ran), 1);
    empty(&f);
    CHECK_EQ(one_from_outside(false), LEAT_OK);
    CHECK_EQ(atomic_load(&ran), 2);
    return LEAT_OK;
}
STARVING(a_task_that_a_thread_starts_and_that_gets_no_stack_is_heard_of, from_a_thread)

/* -- calls that begin later ---------------------------------------------------------------------------------------------------- */
struct said { int by; };
static const struct said one = { 1 };
static leat_err called(struct said *s)
{
    atomic_fetch_add(&ran, s->by);
    return LEAT_OK;
}

static leat_err timer_call(leat_none *none)
{
    struct full f = { 0 };
    leat_timer *t = NULL;
    leat_group g = { 0 };
    (void)none;
    fill(&f);
    CHECK_EQ(leat_timer_func(&t, &g, LEAT_US(10), called, one), LEAT_OK);
    CHECK_EQ(leat_group_wait(&g), LEAT_NOMEM);
    CHECK(!leat_timer_stop(t));
    leat_timer_close(t);
    CHECK_EQ(leat_timer_func(&t, NULL, LEAT_US(10), called, one), LEAT_OK);
    until(&told, 1);                                 /* of nobody's group: the log has it */
    empty(&f);
    leat_chan(int) gate = leat_chan_make(int, 0);
    struct full again = { .gate = gate }, *at = &again;
    for (int i = 0; i < 300; i++)                    /* they have the record now that it had */
        CHECK_EQ(leat_go(&again.g, starve_waits, at), LEAT_OK);
    CHECK_EQ(leat_sleep(LEAT_MS(1)), LEAT_OK);
    CHECK(!leat_timer_stop(t));
    CHECK_EQ(leat_timer_reset(t, LEAT_US(10), NULL), LEAT_OK);
    until(&ran, 1);
    leat_timer_close(t);
    empty(&again);
    CHECK_EQ(atomic_load(&ran), 1);
    return LEAT_OK;
}
STARVING(a_timers_call_that_gets_no_stack_is_an_error_and_the_timer_goes_on, timer_call)

/* It was stopped when it was ready, and would have had nothing to do. */
static leat_err stopped_call(leat_none *none)
{
    struct full f = { 0 };
    leat_group g = { 0 };
    leat_timer *t = NULL;
    (void)none;
    fill(&f);
    CHECK_EQ(leat_timer_func(&t, &g, LEAT_S(100), called, one), LEAT_OK);
    CHECK(leat_timer_stop(t));
    CHECK_EQ(leat_group_wait(&g), LEAT_OK);
    leat_timer_close(t);
    empty(&f);
    CHECK_EQ(atomic_load(&ran), 0);
    return LEAT_OK;
}
STARVING(a_call_that_was_stopped_and_gets_no_stack_is_no_error, stopped_call)

static leat_err context_call(leat_none *none)
{
    struct full f = { 0 };
    leat_after *a = NULL, *b = NULL;
    (void)none;
    fill(&f);
    leat_with_cancel(ctx) {
        CHECK_EQ(leat_after_func(&a, ctx, called, one), LEAT_OK);
        CHECK_EQ(leat_after_func(&b, ctx, called, one), LEAT_OK);
        CHECK(leat_after_stop(b));
        leat_cancel(ctx, LEAT_OK);
    }
    until(&told, 1);
    CHECK(!leat_after_stop(a));
    leat_after_close(a);
    leat_after_close(b);
    empty(&f);
    CHECK_EQ(atomic_load(&ran), 0);
    CHECK_EQ(atomic_load(&told), 1);                 /* the one that was stopped is nobody's loss */
    return LEAT_OK;
}
STARVING(a_call_at_the_end_of_a_context_that_gets_no_stack_is_logged_and_forgotten, context_call)

/* -- signals ------------------------------------------------------------------------------------------------------------------- */
static leat_err no_pump(leat_none *none)
{
    struct full f = { 0 };
    int signo, usr = SIGUSR1;
    (void)none;
    fill(&f);
    for (int i = 0; i < 3 * LIMIT_SIGNAL_RECEIVERS; i++) {           /* each gives its place back */
        leat_auto leat_rx(int) rx = leat_signals(&usr, 1);
        CHECK(rx);
        CHECK_EQ(leat_recv(rx, &signo), LEAT_NOMEM);
    }
    empty(&f);
    leat_auto leat_rx(int) rx = leat_signals(&usr, 1);
    CHECK(rx);
    CHECK_EQ(kill(getpid(), SIGUSR1), 0);
    CHECK_EQ(leat_recv(rx, &signo), LEAT_OK);
    CHECK_EQ(signo, SIGUSR1);
    return LEAT_OK;
}
STARVING(a_receiver_of_signals_whose_task_gets_no_stack_is_told, no_pump)

T_MAIN()
