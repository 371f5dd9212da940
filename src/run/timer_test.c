/* timer_test.c - the wheel alone, under a clock that the test moves: never early, at most a tick late, none lost. */
#include "base/rng.h"
#include "run/sched.h"
#include "run/timer.h"
#include "t.h"

enum { TICK = 1 << TIMER_SHIFT };

struct clockwork {                                   /* a runtime that never runs: one worker, tasks that only wait */
    struct rt rt;
    struct worker *w, *list[1];
    struct task *tasks;
    int n;
    int64_t now;
};

#define CLOCKWORK __attribute__((cleanup(clockwork_close))) struct clockwork

static void clockwork_open(struct clockwork *c, int n, int64_t now)
{
    memset(c, 0, sizeof *c);
    c->w = aligned_alloc(64, (sizeof *c->w + 63) & ~63ul);
    memset(c->w, 0, sizeof *c->w);
    c->tasks = aligned_alloc(64, sizeof(struct task) * (size_t)n);
    memset(c->tasks, 0, sizeof(struct task) * (size_t)n);
    c->n = n;
    c->now = now;
    c->list[0] = c->w;
    c->rt.workers = c->list;
    c->rt.nworkers = c->rt.max_workers = 1;
    c->w->rt = &c->rt;
    c->w->now = now;
    wheel_init(&c->w->wheel, now);
    for (int i = 0; i < n; i++) {
        c->tasks[i].rt = &c->rt;
        c->tasks[i].site = &(leat_site_){ "test", "timer_test.c", 1 };
        at_store(&c->tasks[i].deadline, NEVER);
    }
}

static void clockwork_close(struct clockwork *c)
{
    free(c->tasks);
    free(c->w);
}

static void arm(struct clockwork *c, struct task *t, int64_t when)
{
    at_store(&t->deadline, when);
    at_store(&t->park, PARK_WAIT);
    c->w->now = c->now;
    timer_arm(c->w, t, when);
}

/* Moves the clock and returns how many woke; each must be due and, if all steps are small, not late. */
static int move(struct clockwork *c, int64_t now, int64_t late)
{
    int woke = 0;
    struct task *t;
    c->now = now;
    timers_run(c->w, c->w, now);
    while ((t = ring_pop(c->w)) || (c->rt.global_head && (t = c->rt.global_head, c->rt.global_head = t->next, t))) {
        int64_t d = at_load(&t->deadline);
        if (d > now)
            t_fail(__FILE__, __LINE__, "woken %lld ns early", (long long)(d - now));
        if (now - d > late)
            t_fail(__FILE__, __LINE__, "woken %lld ns late", (long long)(now - d));
        CHECK_EQ(at_load(&t->park), PARK_TIMER);
        woke++;
    }
    if (!c->rt.global_head)
        c->rt.global_tail = NULL;
    return woke;
}

TEST(timers_of_all_ranges_fire_in_their_tick)
{
    for (uint64_t seed = 1; seed <= 20; seed++) {
        CLOCKWORK c;
        struct rng r;
        int woke = 0;
        rng_init(&r, seed);
        int64_t now = (int64_t)(rng_next(&r) >> 10);
        clockwork_open(&c, 3000, now);
        for (int i = 0; i < c.n; i++)                /* from a tick to four seconds, more of the short ones */
            arm(&c, &c.tasks[i], now + (int64_t)(rng_next(&r) >> (32 + rng_below(&r, 20))));
        for (int64_t step; woke < c.n; ) {
            step = TICK / 2 + rng_below(&r, TICK);
            woke += move(&c, c.now + step, step + TICK);
            if (c.now - now > INT64_C(6000000000))
                t_fail(__FILE__, __LINE__, "%d of %d never fired", c.n - woke, c.n);
        }
        CHECK_EQ(at_load(&c.w->wheel.n), 0);
    }
}

TEST(a_timer_a_whole_turn_ahead_does_not_spin_the_handler)
{
    CLOCKWORK c;
    clockwork_open(&c, 1, TICK * 1000);
    struct task *t = &c.tasks[0];
    arm(&c, t, TICK * 1010);
    at_store(&t->deadline, TICK * (1010 + 128));     /* fires at 1010, and goes back for exactly one turn of the wheel */
    CHECK_EQ(move(&c, TICK * 1011, 0), 0);
    CHECK_EQ(move(&c, TICK * (1009 + 128), 0), 0);
    CHECK_EQ(move(&c, TICK * (1011 + 128), 2 * TICK), 1);
}

TEST(far_timers_survive_many_turns_and_big_steps)
{
    CLOCKWORK c;
    clockwork_open(&c, 4, 12345);
    int64_t day = INT64_C(86400000000000), far[4] = { day, 30 * day, 400 * day, 10000 * day };
    for (int i = 0; i < 4; i++)
        arm(&c, &c.tasks[i], 12345 + far[i]);
    int woke = 0;
    for (int i = 0; i < 4; i++) {
        CHECK_EQ(move(&c, 12345 + far[i] - TICK, 0), 0);
        woke += move(&c, 12345 + far[i] + TICK, 2 * TICK);
        CHECK_EQ(woke, i + 1);
    }
}

TEST(a_stopped_timer_never_fires)
{
    CLOCKWORK c;
    clockwork_open(&c, 2, 0);
    arm(&c, &c.tasks[0], 100 * TICK);
    arm(&c, &c.tasks[1], 100 * TICK);
    timer_stop(&c.tasks[0].timer);
    timer_stop(&c.tasks[0].timer);
    CHECK_EQ(move(&c, 200 * TICK, 200 * TICK), 1);
    CHECK_EQ(at_load(&c.tasks[0].park), PARK_WAIT);
}

TEST(an_earlier_deadline_moves_the_timer_and_a_later_one_waits_its_turn)
{
    CLOCKWORK c;
    clockwork_open(&c, 1, 0);
    struct task *t = &c.tasks[0];
    arm(&c, t, 1000 * TICK);
    arm(&c, t, 10 * TICK);
    CHECK_EQ(move(&c, 11 * TICK, 2 * TICK), 1);
    arm(&c, t, 20 * TICK);
    at_store(&t->deadline, 500 * TICK);
    CHECK_EQ(move(&c, 30 * TICK, 0), 0);
    CHECK_EQ(move(&c, 499 * TICK, 0), 0);
    CHECK_EQ(move(&c, 501 * TICK, 2 * TICK), 1);
}

T_MAIN()
