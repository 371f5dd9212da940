/* stress_test.c - the protocols that hold without a lock, under load: what test/models tries in every order, here as it is built.
 * Each test counts what must have happened; one that forgets a wake does not end. */
#include "t.h"
#include <pthread.h>
#include "leat.h"
#include "run/sched.h"

static int turns(int n) { return getenv("T_QUICK") ? n / 10 : n; }
static leat_opts four = { .workers = 4 };

/* -- run queues: every task runs as often as it yields ---------------------------------------------------------------------------- */
struct yielder { _Atomic int *ran; int turns; };
static leat_err yields(struct yielder *y)
{
    for (int i = 0; i < y->turns; i++) {
        ++*y->ran;
        leat_yield();
    }
    return LEAT_OK;
}

static leat_err many_yield(leat_none *none)
{
    enum { TASKS = 600 };                            /* more than a ring holds, so that it overflows, and enough to be stolen */
    static _Atomic int ran[TASKS];
    leat_err err;
    (void)none;
    leat_with_group(g, err)
        for (int i = 0; i < TASKS; i++)
            LEAT_TRY(leat_go(&g, yields, (struct yielder){ &ran[i], turns(200) }));
    for (int i = 0; i < TASKS; i++)
        CHECK_EQ(ran[i], turns(200));
    return err;
}
TEST(tasks_in_full_rings_that_are_stolen_from_run_once_a_turn) { CHECK_EQ(leat_run(&four, many_yield, LEAT_NONE), LEAT_OK); }

/* -- a push from outside while all sleep ------------------------------------------------------------------------------------------- */
struct answer { leat_tx(int) out; int n; };
static leat_err answers(struct answer *a) { return leat_send(a->out, a->n); }

struct stranger { leat_group *g; leat_chan(int) c; };
static void *starts_tasks(void *arg)
{
    struct stranger *s = arg;
    for (int i = 0, got = -1; i < turns(3000); i++) {
        CHECK_EQ(leat_go(s->g, answers, (struct answer){ leat_tx_of(s->c), i }), LEAT_OK);
        CHECK_EQ(leat_recv(s->c, &got), LEAT_OK);    /* then all fall asleep again, sooner or later than this thread goes on */
        CHECK_EQ(got, i);
    }
    leat_close(s->c);
    return NULL;
}

static leat_err is_left_alone(leat_none *none)
{
    pthread_t thread;
    leat_auto leat_chan(int) c = leat_chan_make(int, 0), never = leat_chan_make(int, 0);
    leat_err err;
    (void)none;
    leat_with_group(g, err) {
        struct stranger s = { &g, c };
        int got;
        CHECK(pthread_create(&thread, NULL, starts_tasks, &s) == 0);
        leat_select(err) { leat_on_recv(never, &got) { }  leat_on_closed(c) { } }
        CHECK(pthread_join(thread, NULL) == 0);
    }
    return err;
}
TEST(a_task_from_outside_wakes_a_sleeping_worker) { CHECK_EQ(leat_run(&four, is_left_alone, LEAT_NONE), LEAT_OK); }

/* -- a maker that goes on when its task has begun, and whose frame the task reads before that --------------------------------------- */
struct beginner { int n; int *sum; };
static leat_err adds(struct beginner *b)
{
    *b->sum += b->n;                                 /* the group's end orders it, and the others are not begun before this one */
    return LEAT_OK;
}

static leat_err begins_many(leat_none *none)
{
    leat_err err = LEAT_OK;
    (void)none;
    for (int i = 0; i < turns(3000) && err == LEAT_OK; i++) {
        int sum[3] = { 0 };
        leat_with_group(g, err)
            for (int k = 0; k < 3; k++) {
                struct beginner b = { i + k, &sum[k] };
                LEAT_TRY(go_begun(&g, adds, b));
                b = (struct beginner){ -1, NULL };   /* the task has what it was given */
                (void)*(volatile int *)&b.n;
            }
        CHECK_EQ(sum[0] + sum[1] + sum[2], 3 * i + 3);
    }
    return err;
}
TEST(a_task_that_was_waited_for_has_what_its_maker_had) { CHECK_EQ(leat_run(&four, begins_many, LEAT_NONE), LEAT_OK); }

/* -- the end of a runtime while a thread from outside has just brought its last task ---------------------------------------------- */
struct last { leat_group *g; leat_chan(int) c; };
static struct last last;
static leat_err is_last(leat_none *none)
{
    (void)none;
    return leat_send(last.c, 1);
}
static void *brings_the_last(void *none)
{
    CHECK_EQ(leat_go(last.g, is_last, LEAT_NONE), LEAT_OK);
    return none;
}

static pthread_t last_thread;
static leat_err ends_at_once(leat_none *none)
{
    leat_auto leat_chan(int) c = leat_chan_make(int, 0);
    leat_err err;
    int got;
    (void)none;
    leat_with_group(g, err) {
        last = (struct last){ &g, c };
        CHECK(pthread_create(&last_thread, NULL, brings_the_last, NULL) == 0);
        LEAT_TRY(leat_recv(c, &got));                /* the task runs: its thread may be anywhere in leat_go still */
    }
    return err;
}
TEST(a_runtime_ends_after_the_last_visitor)
{
    for (int i = 0; i < turns(300); i++) {
        CHECK_EQ(leat_run(&four, ends_at_once, LEAT_NONE), LEAT_OK);
        CHECK(pthread_join(last_thread, NULL) == 0);
    }
}

/* -- a cancel against waits in a context that knows the task, and in one that does not ---------------------------------------------- */
struct canceled { leat_ctx **ctx; leat_rx(int) never; leat_tx(int) ready; bool known; };
static leat_err waits_for_cancel(struct canceled *a)
{
    int got;
    leat_with_cancel(ctx) {
        if (a->known) {
            leat_with_deadline(LEAT_NS(1))
                CHECK_EQ(leat_recv(a->never, &got), LEAT_DEADLINE);
        }
        *a->ctx = ctx;
        LEAT_TRY(leat_send(a->ready, 1));            /* buffered: the cancel comes while this task goes to sleep */
        CHECK_EQ(leat_recv(a->never, &got), LEAT_CANCELED);
    }
    return LEAT_OK;
}

static leat_err cancels(leat_none *none)
{
    leat_auto leat_chan(int) never = leat_chan_make(int, 0), ready = leat_chan_make(int, 1);
    (void)none;
    for (int i = 0; i < turns(4000); i++) {
        leat_ctx *ctx = NULL;
        leat_err err;
        int got;
        leat_with_group(g, err) {
            LEAT_TRY(leat_go(&g, waits_for_cancel, (struct canceled){ &ctx, leat_rx_of(never), leat_tx_of(ready), i % 2 }));
            LEAT_TRY(leat_recv(ready, &got));
            leat_cancel(ctx, LEAT_CANCELED);
        }
        LEAT_TRY(err);
    }
    return LEAT_OK;
}
TEST(a_cancel_finds_every_task_that_goes_to_sleep) { CHECK_EQ(leat_run(&four, cancels, LEAT_NONE), LEAT_OK); }

/* -- two tasks wait at one time, and for the first time, in a context below one that was cancelled meanwhile -------------------------- */
struct pair { leat_rx(int) never; _Atomic int *there, *go; };
static leat_err waits_beside(struct pair *p)
{
    int got;
    ++*p->there;
    while (!*p->go)
        leat_yield();
    CHECK_EQ(leat_recv(p->never, &got), LEAT_CANCELED);
    return LEAT_OK;
}

static leat_err opens(struct pair *p)
{
    leat_err err;
    leat_with_group(g, err)
        for (int i = 0; i < 2; i++)
            LEAT_TRY(leat_go(&g, waits_beside, *p));
    return err;
}

static leat_err cancels_from_above(leat_none *none)
{
    leat_auto leat_chan(int) never = leat_chan_make(int, 0);
    (void)none;
    for (int i = 0; i < turns(4000); i++) {
        _Atomic int there = 0, go = 0;
        leat_err err;
        leat_with_group(g, err) {
            LEAT_TRY(leat_go(&g, opens, (struct pair){ leat_rx_of(never), &there, &go }));
            while (there < 2)
                leat_yield();
            leat_group_cancel(&g);
            go = 1;
        }
        LEAT_TRY(err);
    }
    return LEAT_OK;
}
TEST(a_cancel_from_above_finds_both_who_wait_at_one_time) { CHECK_EQ(leat_run(&four, cancels_from_above, LEAT_NONE), LEAT_OK); }

/* -- a timer that stays armed over waits with later deadlines and with none -------------------------------------------------------- */
static leat_err naps(struct yielder *y)
{
    leat_auto leat_chan(int) never = leat_chan_make(int, 0), full = leat_chan_make(int, 1);
    int got;
    for (int i = 0; i < y->turns; i++) {
        leat_with_deadline(LEAT_US(1 + i % 97))      /* arms it; the next waits leave it armed, or race with its handler */
            CHECK_EQ(leat_recv(never, &got), LEAT_DEADLINE);
        leat_with_deadline(LEAT_MS(2)) {
            CHECK_EQ(leat_send(full, 1), LEAT_OK);
            CHECK_EQ(leat_recv(full, &got), LEAT_OK);
        }
        LEAT_TRY(leat_sleep(LEAT_US(50 + i % 13)));
        ++*y->ran;
    }
    return LEAT_OK;
}

static leat_err many_nap(leat_none *none)
{
    _Atomic int ran = 0;
    leat_err err;
    (void)none;
    leat_with_group(g, err)
        for (int i = 0; i < 20; i++)
            LEAT_TRY(leat_go(&g, naps, (struct yielder){ &ran, turns(500) }));
    CHECK_EQ(ran, 20 * turns(500));
    return err;
}
TEST(a_timer_that_stays_armed_wakes_every_sleeper) { CHECK_EQ(leat_run(&four, many_nap, LEAT_NONE), LEAT_OK); }

/* -- groups of few members that end at once, on memory that is used again at once --------------------------------------------------- */
static leat_err small_groups(leat_none *none)
{
    static _Atomic int ended;
    (void)none;
    for (int i = 0; i < turns(20000); i++) {
        leat_group g = { { NULL } };
        LEAT_TRY(leat_go(&g, yields, (struct yielder){ &ended, 1 }));
        LEAT_TRY(leat_go(&g, yields, (struct yielder){ &ended, 1 }));
        if (i % 3 == 0)
            leat_yield();
        LEAT_TRY(leat_group_wait(&g));
        CHECK_EQ(ended, 2 * (i + 1));
        memset(&g, 0xa5, sizeof g);
    }
    return LEAT_OK;
}
TEST(a_group_is_free_when_it_has_been_waited_for) { CHECK_EQ(leat_run(&four, small_groups, LEAT_NONE), LEAT_OK); }

T_MAIN()
