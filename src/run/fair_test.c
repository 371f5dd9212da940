/* fair_test.c - who gets a turn, and how soon.  Where time matters it is a clock that only the tasks move, and one worker: so each
 * run is the same.  Where a thief matters, a task computes until the other has run: without the thief it would do so for ever. */
#include <stdatomic.h>
#include "only_clock.h"
#include "run/sched.h"

enum { US = 1000, MS = 1000000 };

static leat_err done(leat_err e)
{
    finished += e == LEAT_OK;
    return e;
}

/* Tasks that compute for a while, then give way, until told to stop. */
struct crowd { _Atomic bool stop; int64_t turn_ns; };
static leat_err member(struct crowd **pc)
{
    for (struct crowd *c = *pc; !c->stop; leat_yield())
        the_time += c->turn_ns;
    return LEAT_OK;
}

struct nap { int64_t ns, late_ns; };
static leat_err nap(struct nap **pn)
{
    int64_t until = the_time + (*pn)->ns;
    LEAT_TRY(leat_sleep((leat_dur){ (*pn)->ns }));
    (*pn)->late_ns = the_time - until;
    return LEAT_OK;
}

static int64_t lateness(struct crowd *c, int64_t ns)
{
    struct nap n = { ns, -1 };
    leat_group g = { { NULL } };
    CHECK_EQ(leat_go(&g, nap, &n), LEAT_OK);
    while (n.late_ns < 0) {
        the_time += c->turn_ns;
        leat_yield();
    }
    CHECK_EQ(leat_group_wait(&g), LEAT_OK);
    return n.late_ns;
}

static leat_err timers(leat_none *none)
{
    (void)none;
    enum { TICK = 1 << TIMER_SHIFT };
    struct crowd c = { .turn_ns = 100 };
    leat_err err;
    leat_with_group(g, err) {
        for (int i = 0; i < 10; i++)
            LEAT_TRY(leat_go(&g, member, &c));
        CHECK(lateness(&c, MS) <= 2 * LOOK_TURNS * c.turn_ns + TICK);            /* short turns: every second look */
        c.turn_ns = 150 * US;
        CHECK(lateness(&c, MS) <= 2 * LOOK_TURNS * c.turn_ns + TICK);            /* they have become long: it is noticed at a look */
        for (int64_t ms = 1; ms < 50; ms++)
            CHECK(lateness(&c, ms * MS) <= LOOK_NS + 2 * c.turn_ns + TICK);      /* and from then on the clock decides */
        c.stop = true;
    }
    return done(err);
}
TEST(a_deadline_fires_on_time_behind_tasks_that_compute) { in_world(timers); }

/* More tasks are ready than the ring holds. */
struct queuer { struct crowd *crowd; leat_rx(int) open; int *arrived; int64_t *longest_ns, last, turns; };
static leat_err queuer(struct queuer **pq)
{
    struct queuer *q = *pq;
    int none;
    ++*q->arrived;
    if (leat_recv(q->open, &none) != LEAT_CLOSED)
        return LEAT_INVAL;
    for (q->last = the_time; !q->crowd->stop; q->turns++) {
        *q->longest_ns = MAX(*q->longest_ns, the_time - q->last);
        the_time += q->crowd->turn_ns;
        q->last = the_time;
        leat_yield();
    }
    return LEAT_OK;
}
static leat_err overflow(leat_none *none)
{
    (void)none;
    enum { N = 400, BOUND = (GLOBAL_SHARE + 1) * N + GLOBAL_TURNS + 2 * RING };
    for (int64_t turn_ns = 100; turn_ns <= 100 * US; turn_ns *= 1000) {
        struct crowd c = { .turn_ns = turn_ns };
        static struct queuer q[N];
        leat_auto leat_chan(int) open = leat_chan_make(int, 0);
        int arrived = 0;
        int64_t longest_ns = 0;
        leat_err err;
        leat_with_group(g, err) {
            for (int i = 0; i < N; i++) {
                q[i] = (struct queuer){ .crowd = &c, .open = leat_rx_of(open), .arrived = &arrived, .longest_ns = &longest_ns };
                LEAT_TRY(leat_go(&g, queuer, &q[i]));
            }
            while (arrived < N)
                leat_yield();
            leat_close(open);                        /* all are ready at once */
            for (int i = 0; i < 100; i++)
                leat_yield();                        /* its own turns are those of one task among N */
            c.stop = true;
        }
        LEAT_TRY(err);
        for (int i = 0; i < N; i++)
            CHECK(q[i].turns > 0);
        CHECK(longest_ns / turn_ns <= BOUND);
    }
    return done(LEAT_OK);
}
TEST(a_task_that_did_not_fit_the_ring_runs_within_a_bound) { in_world(overflow); }

/* A tree that never ends: each task starts the next one, which is newer than the oldest. */
struct tree { struct crowd *crowd; leat_group *group; };
static leat_err grow(struct tree *t)
{
    the_time += t->crowd->turn_ns;
    return t->crowd->stop ? LEAT_OK : leat_go(t->group, grow, *t);
}
static leat_err the_oldest(int64_t **started)
{
    **started = the_time;
    return LEAT_OK;
}
static leat_err fresh(leat_none *none)
{
    (void)none;
    struct crowd c = { .turn_ns = MS };
    int64_t began = the_time, started = 0;
    leat_err err;
    leat_with_group(g, err) {
        LEAT_TRY(leat_go(&g, the_oldest, &started));
        LEAT_TRY(leat_go(&g, grow, (struct tree){ &c, &g }));
        for (int i = 0; !started && i < 1000; i++)
            leat_yield();
        c.stop = true;
    }
    CHECK(started > 0);
    CHECK(started - began <= FRESH_NS + LOOK_NS + 2 * LOOK_TURNS * c.turn_ns);
    return done(err);
}
TEST(the_oldest_fresh_task_starts_within_a_bound) { in_world(fresh); }

/* Two that always wake each other, and a third that is ready: how many turns do the two have before the third? */
struct player { leat_rx(int) in; leat_tx(int) out; struct crowd *crowd; int *turns; };
static leat_err play(struct player *p)
{
    int v;
    for (leat_err e; (e = leat_recv(p->in, &v)) == LEAT_OK && !p->crowd->stop; ) {
        ++*p->turns;
        LEAT_TRY(leat_send(p->out, v));
    }
    leat_close(p->out);
    return LEAT_OK;
}
static leat_err third(leat_none *none)
{
    (void)none;
    struct crowd c = { .turn_ns = 0 };
    leat_auto leat_chan(int) a = leat_chan_make(int, 1);
    leat_auto leat_chan(int) b = leat_chan_make(int, 1);
    int turns = 0, most = 0;
    leat_err err;
    leat_with_group(g, err) {
        LEAT_TRY(leat_go(&g, play, (struct player){ leat_rx_of(a), leat_tx_of(b), &c, &turns }));
        LEAT_TRY(leat_go(&g, play, (struct player){ leat_rx_of(b), leat_tx_of(a), &c, &turns }));
        LEAT_TRY(leat_send(a, 1));
        for (int i = 0; i < 1000; i++) {
            int before = turns;
            leat_yield();
            most = MAX(most, turns - before);
        }
        CHECK(turns > 1000);
        c.stop = true;
    }
    CHECK(most <= 2 * RUN_NEXT_BOUND + 2);
    return done(err);
}
TEST(two_that_wake_each_other_let_a_third_have_a_turn) { in_world(third); }

/* -- thieves ------------------------------------------------------------------------------------------------------------------ */
struct waiting { leat_rx(int) in; _Atomic bool *ran; };
static leat_err waits(struct waiting *w)
{
    int v;
    LEAT_TRY(leat_recv(w->in, &v));
    *w->ran = true;
    return LEAT_OK;
}
static leat_err sets(_Atomic bool **ran)
{
    **ran = true;
    return LEAT_OK;
}

static void computes_until(_Atomic bool *ran)
{
    while (!*ran)
        cpu_pause();
}

/* quiet: how long everybody has slept before */
static leat_err behind_one_that_computes(leat_dur quiet)
{
    leat_auto leat_chan(int) c = leat_chan_make(int, 0);
    _Atomic bool woken = false, begun = false;
    leat_err err;
    leat_with_group(g, err) {
        LEAT_TRY(leat_go(&g, waits, (struct waiting){ leat_rx_of(c), &woken }));
        LEAT_TRY(leat_sleep(quiet));
        LEAT_TRY(leat_send(c, 1));                   /* it is in this worker's run-next slot */
        computes_until(&woken);
        LEAT_TRY(leat_sleep(quiet));
        LEAT_TRY(leat_go(&g, sets, &begun));         /* the only fresh task */
        computes_until(&begun);
    }
    return err;
}
static leat_err behind(leat_none *none)
{
    (void)none;
    for (int i = 0; i < (getenv("T_QUICK") ? 3 : 10); i++) {
        LEAT_TRY(behind_one_that_computes(LEAT_US(1)));
        LEAT_TRY(behind_one_that_computes(LEAT_MS(1)));
        LEAT_TRY(behind_one_that_computes(LEAT_MS(15)));
    }
    return LEAT_OK;
}
TEST(what_is_ready_behind_a_task_that_computes_is_stolen)
{
    for (uint32_t workers = 2; workers <= 4; workers++)
        CHECK_EQ(leat_run(&(leat_opts){ .workers = workers }, behind, LEAT_NONE), LEAT_OK);
}

/* Each is there, then waits, and once it is woken it computes until all others have been woken, too. */
struct all { int n; _Atomic int begun; leat_rx(int) in; };
static leat_err one_of_all(struct all **pa)
{
    struct all *a = *pa;
    int v;
    LEAT_TRY(a->in ? leat_recv(a->in, &v) : LEAT_OK);
    for (++a->begun; a->begun < a->n; )
        cpu_pause();
    return LEAT_OK;
}

/* As many as there are workers, with the one that starts or wakes them: so each needs a worker of its own. */
static leat_err all_compute(struct all *a)
{
    leat_auto leat_chan(int) c = leat_chan_make(int, 0);
    for (int waits = 0; waits < 2; waits++) {
        leat_err err;
        *a = (struct all){ .n = a->n, .in = waits ? leat_rx_of(c) : NULL };
        leat_with_group(g, err) {
            for (int i = 1; waits && i < a->n; i++)
                LEAT_TRY(leat_go(&g, one_of_all, &*a));
            LEAT_TRY(leat_sleep(LEAT_MS(15)));       /* all workers sleep for good */
            for (int i = 1; i < a->n; i++)
                LEAT_TRY(waits ? leat_send(c, i) : leat_go(&g, one_of_all, &*a));
            for (++a->begun; a->begun < a->n; )
                cpu_pause();
        }
        LEAT_TRY(err);
    }
    return LEAT_OK;
}
static leat_err all_of_them(struct all *a)
{
    for (int i = 0; i < (getenv("T_QUICK") ? 3 : 10); i++)
        LEAT_TRY(all_compute(a));
    return LEAT_OK;
}
TEST(what_is_ready_behind_thieves_that_compute_is_stolen_from_them)
{
    for (uint32_t workers = 2; workers <= 4; workers++)
        CHECK_EQ(leat_run((&(leat_opts){ .workers = workers }), all_of_them, (struct all){ .n = (int)workers }), LEAT_OK);
}

T_MAIN()
