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

/* What has been made ready; each must be due and, if all steps are small, not late. */
static int ready(struct clockwork *c, int64_t late)
{
    int woke = 0;
    struct task *t;
    while ((t = ring_pop(c->w)) || (c->rt.global_head && (t = c->rt.global_head, c->rt.global_head = t->next, t))) {
        int64_t d = at_load(&t->deadline);
        if (d > c->now)
            t_fail(__FILE__, __LINE__, "woken %lld ns early", (long long)(d - c->now));
        if (c->now - d > late)
            t_fail(__FILE__, __LINE__, "woken %lld ns late", (long long)(c->now - d));
        CHECK_EQ(at_load(&t->park), PARK_TIMER);
        woke++;
    }
    if (!c->rt.global_head)
        c->rt.global_tail = NULL;
    return woke;
}

/* Moves the clock and returns how many woke, however many looks at the wheel that takes. */
static int move(struct clockwork *c, int64_t now, int64_t late)
{
    c->now = now;
    while (timers_run(c->w, c->w, now) <= now)
        ;
    return ready(c, late);
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

TEST(a_timer_that_is_due_already_fires_at_the_next_tick)
{
    CLOCKWORK c;
    clockwork_open(&c, 1, TICK * 1000);
    arm(&c, &c.tasks[0], TICK * 900);
    CHECK_EQ(move(&c, TICK * 1001, TICK * 101), 1);
}

TEST(a_timer_whose_task_waits_for_no_time_any_more_wakes_nobody)
{
    CLOCKWORK c;
    clockwork_open(&c, 1, 0);
    arm(&c, &c.tasks[0], 10 * TICK);
    at_store(&c.tasks[0].deadline, NEVER);
    CHECK_EQ(move(&c, 20 * TICK, 0), 0);
    CHECK_EQ(at_load(&c.tasks[0].park), PARK_WAIT);
    CHECK_EQ(at_load(&c.w->wheel.n), 0);
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

TEST(of_many_that_are_due_at_once_a_few_wake_at_a_time)
{
    enum { N = 1000, MOST = 64 };
    CLOCKWORK c;
    clockwork_open(&c, N, 0);
    for (int i = 0; i < N; i++)
        arm(&c, &c.tasks[i], 100 * TICK + i % 3 * TICK);
    c.now = 200 * TICK;
    int woke = 0, looks = 0;
    for (int64_t next = 0; next <= c.now; looks++) {
        next = timers_run(c.w, c.w, c.now);
        int now = ready(&c, 100 * TICK);
        CHECK(now <= MOST);
        woke += now;
    }
    CHECK_EQ(woke, N);
    CHECK(looks >= N / MOST);
}

/* A few have woken, the others are due and have not been looked at: those are stopped, wait longer, and end as if none had been due. */
TEST(one_that_is_due_may_still_be_stopped_or_armed_anew)
{
    enum { N = 300, TURN = 128 };
    CLOCKWORK c;
    clockwork_open(&c, N, 0);
    for (int i = 0; i < N; i++)
        arm(&c, &c.tasks[i], 100 * TICK);
    c.now = 101 * TICK;
    CHECK(timers_run(c.w, c.w, c.now) <= c.now);
    int woke = ready(&c, TICK), stopped = 0, later = 0;
    CHECK(woke > 0 && woke < N - 3);
    for (int i = 0; i < N; i++) {
        struct task *t = &c.tasks[i];
        if (at_load(&t->park) != PARK_WAIT)
            continue;
        if (i % 3 == 0) {
            timer_stop(&t->timer);
            stopped++;
        } else if (i % 3 == 1) {                     /* in the very slot that is being emptied, a turn later */
            timer_stop(&t->timer);
            arm(&c, t, (100 + TURN) * TICK);
            later++;
        }
    }
    CHECK_EQ(at_load(&c.w->wheel.n), N - woke - stopped);
    CHECK_EQ(move(&c, 102 * TICK, 2 * TICK), N - woke - stopped - later);
    CHECK_EQ(move(&c, (99 + TURN) * TICK, 0), 0);
    CHECK_EQ(move(&c, (101 + TURN) * TICK, 2 * TICK), later);
    CHECK_EQ(at_load(&c.w->wheel.n), 0);
}

/* Else a program that waits would wake to move its timers from one level to the next. */
TEST(who_sleeps_does_so_until_the_first_timer_is_due)
{
    CLOCKWORK c;
    clockwork_open(&c, 2, 7 * TICK + 12345);
    int64_t day = INT64_C(86400000000000);
    arm(&c, &c.tasks[1], c.now + 5 * day);           /* another level's */
    for (int64_t ns = 1000; ns < day; ns = ns * 3 + 7) {
        int64_t when = c.now + ns;
        arm(&c, &c.tasks[0], when);
        int64_t next = timers_next(c.w);
        CHECK(next >= when && next < when + TICK);
        CHECK_EQ(move(&c, next, TICK), 1);
    }
}

TEST(a_timer_beyond_the_horizon_hides_none_that_comes_after_it)
{
    CLOCKWORK c;
    int64_t horizon = INT64_C(128) << (TIMER_SHIFT + 30), slot = horizon / 128;
    clockwork_open(&c, 2, slot / 2);
    arm(&c, &c.tasks[0], 10 * horizon);              /* waits in the last slot */
    CHECK_EQ(move(&c, slot + slot / 2, 0), 0);
    int64_t when = horizon + slot / 2;
    arm(&c, &c.tasks[1], when);                      /* in the one behind it */
    while (timers_next(c.w) <= when)
        if (move(&c, MAX(timers_next(c.w), c.now + 1), TICK))
            return;
    t_fail(__FILE__, __LINE__, "a sleep until %lld, but a timer is due at %lld", (long long)timers_next(c.w), (long long)when);
}

T_MAIN()
