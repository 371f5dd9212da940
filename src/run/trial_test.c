/* trial_test.c - whether a worker that has more to do than one wakes another: the account, and that nobody waits for its pauses. */
#include <pthread.h>
#include "plat/clock.h"
#include "run/idle.h"
#include "run/sched.h"
#include "t.h"

enum { US = 1000, MS = 1000000 };

/* So many wakes in so long, if each finds work that lasts so long. */
static int wakes(struct trial *t, int64_t *now, int64_t ns, int64_t lasts)
{
    int n = 0;
    for (int64_t end = *now + ns; *now < end; *now += US)
        if (trial_worth(t, *now)) {
            trial_ended(t, *now, lasts);
            n++;
        }
    return n;
}

TEST(wakes_in_vain_become_rare_and_one_that_pays_ends_that)
{
    struct trial t = { 0 };
    int64_t now = 1;
    CHECK_EQ(wakes(&t, &now, MS, TRIAL_WORTH_NS), 1000);             /* each */
    int n = wakes(&t, &now, 1000 * MS, TRIAL_WORTH_NS - 1);
    CHECK(n >= 1000 * MS / TRIAL_PAUSE_MAX_NS);
    CHECK(n <= 1000 * MS / TRIAL_PAUSE_MAX_NS + 8);
    while (!trial_worth(&t, now))
        now += US;
    CHECK_EQ(wakes(&t, &now, MS, TRIAL_WORTH_NS), 1000);
}

/* -- a pause, in a runtime ---------------------------------------------------------------------------------------------------- */
struct all { int n; _Atomic int begun; int unwoken; };             /* unwoken: rounds for which nobody was woken */
static leat_err one_of_all(struct all **pa)
{
    for (++(*pa)->begun; (*pa)->begun < (*pa)->n; )
        cpu_pause();
    return LEAT_OK;
}

/* They begin together, though nobody is woken for them; quiet: how long everybody has slept before. */
static leat_err begin_in_a_pause(struct all *a, leat_dur quiet)
{
    struct rt *rt = rt_self();
    leat_err err;
    a->begun = 0;
    LEAT_TRY(leat_sleep(quiet));
    at_store(&rt->trial.not_before, INT64_MAX);
    uint64_t woken = at_load(&rt->trial.woken);
    leat_with_group(g, err) {
        for (int i = 0; i < a->n; i++)
            LEAT_TRY(leat_go(&g, one_of_all, &*a));
        a->unwoken += at_load(&rt->trial.woken) == woken;            /* but for a thief of before that ends the pause just now */
    }
    return err;
}

static leat_err pauses(struct all *a)
{
    int unwoken = 0;
    for (int i = 0; i < (getenv("T_QUICK") ? 3 : 10); i++) {
        LEAT_TRY(begin_in_a_pause(a, LEAT_US(1)));
        LEAT_TRY(begin_in_a_pause(a, LEAT_MS(1)));
        a->unwoken = 0;
        LEAT_TRY(begin_in_a_pause(a, LEAT_MS(15)));
        unwoken += a->unwoken;
    }
    CHECK(unwoken > 0);
    return LEAT_OK;
}

TEST(tasks_that_compute_are_found_in_a_pause_too)
{
    for (uint32_t workers = 2; workers <= 4; workers++)
        CHECK_EQ(leat_run((&(leat_opts){ .workers = workers }), pauses, (struct all){ .n = (int)workers }), LEAT_OK);
}

/* -- sleeping for good ---------------------------------------------------------------------------------------------------------- */
enum { QUIET_NS = 4 * MS, EVERY_US = 300 };          /* idle.c's */
struct waker { struct rt *rt; int n; leat_chan(int) done; };

/* Wakes the second worker again and again. */
static void *wake_it(void *arg)
{
    struct waker *a = arg;
    for (int i = 0; i < a->n; i++) {
        idle_wake(a->rt->workers[1]);
        usleep(EVERY_US);
    }
    CHECK_EQ(leat_send(a->done, { 1 }), LEAT_OK);
    return NULL;
}

static leat_err woken_early(struct waker *a)
{
    pthread_t thread;
    int v;
    struct rt *rt = a->rt = rt_self();
    leat_auto leat_chan(int) done = a->done = leat_chan_make(int, 1);
    LEAT_TRY(leat_sleep(LEAT_MS(1)));
    int64_t began = plat_now();
    uint64_t before = at_load(&rt->for_good);
    CHECK_EQ(pthread_create(&thread, NULL, wake_it, a), 0);
    LEAT_TRY(leat_recv(done, &v));
    pthread_join(thread, NULL);
    int64_t took = plat_now() - began;
    CHECK(at_load(&rt->for_good) - before <= (uint64_t)(2 * (took / QUIET_NS + 1)));
    return LEAT_OK;
}

TEST(who_is_woken_early_does_not_sleep_for_good)
{
    CHECK_EQ(leat_run(&(leat_opts){ .workers = 2 }, woken_early, (struct waker){ .n = 200 }), LEAT_OK);
}

T_MAIN()
