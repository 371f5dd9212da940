/* sim_test.c - simulated worlds of one machine: virtual time, chance from the seed, and how they end.  Links: net_test.c. */
#include "sim/sim_test.h"
#include "run/host.h"

enum { YEAR_S = 365 * 24 * 3600 };

static leat_err sleep_a_year(leat_none *none)
{
    (void)none;
    leat_time began = leat_now();
    LEAT_TRY(leat_sleep(LEAT_S(YEAR_S)));
    int64_t took = leat_since(began).ns;
    CHECK(took >= INT64_C(1000000000) * YEAR_S && took < INT64_C(1000000000) * YEAR_S + 1000000);
    return LEAT_OK;
}

TEST(a_year_of_virtual_time_takes_no_time)
{
    struct sim_seen s = sim_of("seed=1,nodes=1,limit=100000000", (leat_fn_ *)(void *)sleep_a_year);
    CHECK_STR(s.verdict, "ok");
    CHECK(s.ns >= INT64_C(1000000000) * YEAR_S);
    CHECK(s.steps < 100);
}

/* Sleeps of all lengths end when they should: not early, and not later than a tick of the timers and a few turns of other tasks. */
struct nap { int64_t ns; };

static leat_err nap(struct nap *n)
{
    leat_time began = leat_now();
    LEAT_TRY(leat_sleep(LEAT_NS(n->ns)));
    int64_t late = leat_since(began).ns - n->ns;
    CHECK(late >= 0);
    CHECK(late < 5000000);
    return LEAT_OK;
}

static leat_err naps(leat_none *none)
{
    leat_err err;
    uint64_t r = 12345;
    (void)none;
    leat_with_group(g, err) {
        for (int i = 0; i < 1000; i++) {
            uint64_t shift = 8 + rng_mix(&r) % 40;
            int64_t ns = (int64_t)(rng_mix(&r) >> shift);
            LEAT_TRY(leat_go(&g, nap, (struct nap){ ns % (INT64_C(1000000000) * YEAR_S) }));
        }
    }
    return err;
}

TEST(a_thousand_sleeps_end_in_time)
{
    CHECK_STR(sim_of("seed=7,nodes=1,limit=100000000", (leat_fn_ *)(void *)naps).verdict, "ok");
}

/* Timers, tickers and calls come at their virtual times, however far, and a run with them ends. */
static leat_err called(leat_time *due)
{
    CHECK(leat_now().ns >= due->ns && leat_since(*due).ns < 5000000);
    return LEAT_OK;
}

static leat_err timers(leat_none *none)
{
    leat_timer *t = NULL, *ticker = NULL, *call = NULL;
    leat_after *after = NULL;
    leat_time at, due = leat_time_add(leat_now(), LEAT_S(86400));
    leat_err err;
    (void)none;
    LEAT_TRY(leat_timer_open(LEAT_S(86400), &t));
    LEAT_TRY(leat_ticker_open(LEAT_S(3600), &ticker));
    leat_with_group(g, err) {
        LEAT_TRY(leat_timer_func(&call, &g, LEAT_S(86400), called, due));
        for (int i = 0; i < 23; i++)
            LEAT_TRY(leat_recv(leat_timer_rx(ticker), &at));
        LEAT_TRY(leat_recv(leat_timer_rx(t), &at));
        CHECK(at.ns >= due.ns && at.ns - due.ns < 5000000);
    }
    LEAT_TRY(err);
    leat_with_deadline(LEAT_S(86400))
        LEAT_TRY(leat_after_func(&after, NULL, called, leat_time_add(leat_now(), LEAT_S(86400))));
    LEAT_TRY(leat_sleep(LEAT_S(2 * 86400)));
    CHECK(!leat_after_stop(after));
    leat_after_close(after);
    leat_timer_close(call);
    leat_timer_close(ticker);
    leat_timer_close(t);
    return LEAT_OK;
}

TEST(timers_and_calls_come_at_their_virtual_time)
{
    CHECK_STR(sim_of("seed=3,nodes=1,limit=100000000", (leat_fn_ *)(void *)timers).verdict, "ok");
}

/* A program whose tasks meet in many ways. */
struct pair { leat_chan(int) a, b; };

static leat_err worker(struct pair *p)
{
    for (int i = 0; i < 10; i++) {
        leat_err err;
        int v = i;
        leat_select(err) {
            leat_on_send(p->a, &v) { }
            leat_on_recv(p->b, &v) { }
            leat_on_after(LEAT_MS(3)) { leat_yield(); }
        }
        LEAT_TRY(err);
    }
    return LEAT_OK;
}

static leat_err meet(leat_none *none)
{
    leat_auto leat_chan(int) a = leat_chan_make(int, 0);
    leat_auto leat_chan(int) b = leat_chan_make(int, 2);
    leat_err err;
    (void)none;
    leat_with_group(g, err) {
        for (int i = 0; i < 4; i++) {
            LEAT_TRY(leat_go(&g, worker, (struct pair){ a, b }));
            LEAT_TRY(leat_go(&g, worker, (struct pair){ b, a }));
        }
    }
    return err;
}

TEST(the_same_seed_is_the_same_run_and_another_is_another)
{
    uint64_t hash[20], steps = 0;
    bool differs = false;                            /* and not only in the number of its seed */
    for (int i = 0; i < 20; i++) {
        char conf[64];
        snprintf(conf, sizeof conf, "seed=%d,nodes=1", i);
        struct sim_seen first = sim_of(conf, (leat_fn_ *)(void *)meet), second = sim_of(conf, (leat_fn_ *)(void *)meet);
        CHECK_STR(first.verdict, "ok");
        CHECK_EQ(first.hash, second.hash);
        CHECK_EQ(first.steps, second.steps);
        CHECK_EQ(first.ns, second.ns);
        hash[i] = first.hash;
        differs |= i > 0 && first.steps != steps;
        steps = first.steps;
        for (int k = 0; k < i; k++)
            CHECK(hash[k] != hash[i]);
    }
    CHECK(differs);
}

static leat_err wait_for_nobody(leat_none *none)
{
    leat_auto leat_chan(int) c = leat_chan_make(int, 0);
    int v;
    (void)none;
    return leat_recv(c, &v);
}

TEST(a_deadlock_is_reported_with_its_tasks_and_ends_the_process)
{
    struct sim_end e = sim_end_of("seed=3,nodes=1", (leat_fn_ *)(void *)wait_for_nobody);
    CHECK_EQ(e.code, 1);
    CHECK_HAS(e.err, "leat: deadlock: all tasks are asleep for ever (seed 3, at 0.000 s of virtual time)");
    CHECK_HAS(e.err, "leat:   h0: task test started at test.c:1: waiting");
    CHECK_STR(e.seen.verdict, "deadlock");
}

static leat_err poll_for_ever(leat_none *none)
{
    (void)none;
    for (;;)
        LEAT_TRY(leat_sleep(LEAT_S(1)));
}

static leat_err yield_for_ever(leat_none *none)
{
    (void)none;
    for (;;)
        leat_yield();
    return LEAT_OK;
}

TEST(a_program_without_an_end_meets_the_limits)
{
    struct sim_end e = sim_end_of("seed=3,nodes=1,limit=60", (leat_fn_ *)(void *)poll_for_ever);
    CHECK_HAS(e.err, "leat: timeout: the program has not ended within 60 s of virtual time");
    CHECK_STR(e.seen.verdict, "timeout");
    e = sim_end_of("seed=3,nodes=1,steps=1000", (leat_fn_ *)(void *)yield_for_ever);
    CHECK_HAS(e.err, "leat: timeout: the program has not ended within 1000 turns of its tasks");
}

static leat_err busy(leat_none *none)
{
    leat_time began = leat_now();
    (void)none;
    while (leat_since(began).ns < 10000000)
        leat_yield();
    return LEAT_OK;
}

TEST(time_passes_for_who_never_sleeps)
{
    CHECK_STR(sim_of("seed=1,nodes=1,steps=100000", (leat_fn_ *)(void *)busy).verdict, "ok");
}

/* -- machines -------------------------------------------------------------------------------------------------------------------- */
static int ran[3];                                   /* shared by the machines, as all of a program's variables are */

static leat_err note(leat_none *none)
{
    const char *rank = host_getenv("LEAT_RANK"), *nodes = host_getenv("LEAT_NODES");
    (void)none;
    CHECK(host_self() != NULL);
    CHECK_STR(nodes, "tcp://h0:1,tcp://h1:1,tcp://h2:1");
    CHECK(host_getenv("LEAT_SIM") == NULL);
    CHECK(host_getenv("PATH") != NULL);
    ran[atoi(rank)]++;
    return *rank == '0' ? leat_fail(LEAT_TYPE, "of node 0") : leat_fail(LEAT_NOMEM, "of another");
}

TEST(the_function_runs_once_on_each_machine_and_its_result_is_that_of_the_first)
{
    setenv("LEAT_SIM", "seed=1,nodes=3", 1);
    CHECK_EQ(leat_run(NULL, note, LEAT_NONE), LEAT_TYPE);
    CHECK_STR(leat_err_detail(), "of node 0");
    for (int i = 0; i < 3; i++)
        CHECK_EQ(ran[i], 1);
}

static leat_err for_ever(leat_none *none)
{
    (void)none;
    return leat_sleep(LEAT_S(YEAR_S));
}

static int canceled;

static leat_err leave_one(leat_none *none)
{
    (void)none;
    if (*host_getenv("LEAT_RANK") == '0')
        return leat_go(NULL, for_ever, LEAT_NONE);   /* ends with this machine's main function */
    leat_err err = leat_sleep(LEAT_S(YEAR_S));
    canceled += err == LEAT_CANCELED;
    return err;
}

TEST(machines_that_stay_are_cancelled_after_the_first_has_ended)
{
    struct sim_seen s = sim_of("seed=1,nodes=3", (leat_fn_ *)(void *)leave_one);
    CHECK_STR(s.verdict, "ok");
    CHECK_EQ(canceled, 2);
    CHECK(s.ns > INT64_C(100000000000) && s.ns < INT64_C(200000000000));
}

static leat_err served(leat_none *none)
{
    (void)none;
    if (*host_getenv("LEAT_RANK") == '0')
        return leat_sleep(LEAT_S(2));
    run_served();
    return leat_sleep(LEAT_S(1)) == LEAT_CANCELED ? leat_fail(LEAT_CANCELED, "served") : LEAT_OK;
}

TEST(a_machine_that_has_served_ends_alone)
{
    struct sim_seen s = sim_of("seed=1,nodes=3", (leat_fn_ *)(void *)served);
    CHECK_STR(s.verdict, "ok");
    CHECK(s.ns >= INT64_C(2000000000) && s.ns < INT64_C(4000000000));
}

TEST(a_wrong_setting_is_refused_with_a_reason)
{
    static const char *const wrong[][2] = {
        { "seed=x", "LEAT_SIM: seed=x: it must be a number" }, { "nodes=0", "LEAT_SIM: nodes=0: it must be a number from 1 to 64" },
        { "nodes=65", "from 1 to 64" }, { "faults=some", "there are none, delay, cut, crash, all and heal" },
        { "seed", "'seed' has no value" }, { "color=red", "there is no setting 'color'" }, { "seed=99999999999999999999", "a number" },
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        setenv("LEAT_SIM", wrong[i][0], 1);
        CHECK_EQ(leat_run(NULL, note, LEAT_NONE), LEAT_INVAL);
        CHECK_HAS(leat_err_detail(), wrong[i][1]);
    }
}

T_MAIN()
