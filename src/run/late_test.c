/* late_test.c - timers that a worker does not see by itself: what another thread sets while the worker falls asleep or sleeps, and what is
 * due while its worker computes.  The linker puts the functions below in the place of the library's (meson.build), so that each step
 * of the other thread comes at the one moment that matters. */
#include <pthread.h>
#include "leat.h"
#undef errno
#include "plat/futex.h"
#include "run/sched.h"
#include "run/timer.h"
#include "t.h"

enum { FALLS_ASLEEP = 1, SLEEPS, SLEEPS_AGAIN, OVER };
static struct { _Atomic int at; struct worker *_Atomic w; leat_timer *tick, *call; leat_dur in; } now;

int64_t __real_timers_next(struct worker *w);
int64_t __wrap_timers_next(struct worker *w);
void __real_plat_futex_wait(_Atomic uint32_t *word, uint32_t is, int64_t limit_ns);
void __wrap_plat_futex_wait(_Atomic uint32_t *word, uint32_t is, int64_t limit_ns);

static leat_err called(leat_chan(int) *c) { return leat_send(*c, 1); }
static void *sets(void *timer)
{
    CHECK_EQ(leat_timer_reset(timer, now.in, NULL), LEAT_OK);
    return NULL;
}
static void another_thread_sets(leat_timer *t, leat_dur in)
{
    pthread_t other;
    now.in = in;
    CHECK_EQ(pthread_create(&other, NULL, sets, t), 0);
    CHECK_EQ(pthread_join(other, NULL), 0);
}

/* The worker has looked at its timers for the last time, and is awake still: nobody wakes it. */
int64_t __wrap_timers_next(struct worker *w)
{
    int64_t next = __real_timers_next(w);
    if (at_load(&now.at) == FALLS_ASLEEP) {
        now.in.ns -= 1000000000;                     /* it may look more than once */
        another_thread_sets(now.tick, now.in);
        CHECK(at_load(&w->wheel.far_due) != NEVER);
    }
    return next;
}

void __wrap_plat_futex_wait(_Atomic uint32_t *word, uint32_t is, int64_t limit_ns)
{
    struct worker *w = at_load_acq(&now.w);
    if (!w || word != &w->sleeping || at_load(&now.at) == OVER) {
        __real_plat_futex_wait(word, is, limit_ns);
        return;
    }
    CHECK(limit_ns >= 0);
    CHECK(limit_ns <= at_load(&w->wheel.far_due) - w->now);          /* it sleeps for no longer than that */
    at_store(&now.at, SLEEPS);
    another_thread_sets(now.tick, LEAT_S(1));
    CHECK(at_load(word) != is);                      /* it has been woken */
    at_store(word, is);
    at_store(&now.at, SLEEPS_AGAIN);
    another_thread_sets(now.call, LEAT_MS(1));
    CHECK(at_load(word) != is);
    at_store(&now.at, OVER);
}

static leat_err waits_for_both(leat_none *none)
{
    leat_err err;
    (void)none;
    leat_auto leat_chan(int) c = leat_chan_make(int, 1);
    leat_with_group(g, err) {
        int v;
        leat_time at;
        at_store_rel(&now.w, worker_self());
        now.in = LEAT_S(3600);
        LEAT_TRY(leat_timer_open(LEAT_S(7200), &now.tick));
        LEAT_TRY(leat_timer_func(&now.call, &g, LEAT_S(7200), called, c));
        CHECK(leat_timer_stop(now.call));            /* so that it is set anew without a wake of what was stopped */
        at_store(&now.at, FALLS_ASLEEP);
        LEAT_TRY(leat_recv(c, &v));
        LEAT_TRY(leat_recv(leat_timer_rx(now.tick), &at));
        leat_timer_close(now.tick);
        leat_timer_close(now.call);
    }
    return err;
}

TEST(a_timer_that_another_thread_sets_while_the_worker_falls_asleep_or_sleeps_is_not_late)
{
    CHECK_EQ(leat_run(&(leat_opts){ .workers = 1 }, waits_for_both, LEAT_NONE), LEAT_OK);
    CHECK_EQ(at_load(&now.at), OVER);
}

/* -- behind one that computes -------------------------------------------------------------------------------------------------- */
struct sleeper { struct task *_Atomic me; _Atomic int woke; };
static leat_err sleeper(struct sleeper **ps)
{
    struct sleeper *s = *ps;
    at_store_rel(&s->me, task_self());
    LEAT_TRY(leat_sleep(LEAT_MS(2)));
    at_store_rel(&s->woke, 1);
    return LEAT_OK;
}

/* Its timer lies with the worker that this task keeps busy; the other worker runs it. */
static leat_err keeps_busy(bool *tried)
{
    struct sleeper s = { .woke = 0 };
    leat_err err;
    leat_with_pinned
        leat_with_group(g, err) {
            struct task *t;
            LEAT_TRY(leat_go(&g, sleeper, &s));
            while (!(t = at_load_acq(&s.me)) || (at_load(&t->park) != PARK_WAIT && !at_load_acq(&s.woke)))
                leat_yield();
            *tried = !at_load_acq(&s.woke) && t->timer.wk == worker_self()->id;
            for (leat_time from = leat_now(); *tried && !at_load_acq(&s.woke) && leat_since(from).ns < INT64_C(20000000000); )
                cpu_pause();
            CHECK(!*tried || at_load_acq(&s.woke));
        }
    return err;
}

static leat_err until_tried(leat_none *none)
{
    (void)none;
    bool tried = false;
    for (int i = 0; i < 1000 && !tried; i++)
        LEAT_TRY(keeps_busy(&tried));
    CHECK(tried);
    return LEAT_OK;
}

TEST(a_timer_of_a_worker_that_computes_is_run_by_another)
{
    at_store(&now.at, OVER);
    CHECK_EQ(leat_run(&(leat_opts){ .workers = 2 }, until_tried, LEAT_NONE), LEAT_OK);
}

T_MAIN()
