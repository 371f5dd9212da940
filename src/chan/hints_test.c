/* hints_test.c - a wake that is only a hint (task.h): who waits for a condition, a wait group, a semaphore or a read-write lock keeps its
 * place, and what comes at the same moment is not lost.  One worker, so that each step is where it stands here. */
#include "leat.h"
#undef errno
#include "run/sched.h"
#include "t.h"

static struct task *_Atomic who[3];                  /* those that wait, by number */
static char order[8];                                /* in which they came out of their waits */
static leat_mutex mutex;
static leat_cond cond;
static leat_waitgroup wg;
static leat_sem sem;
static leat_rwlock rw;

struct waits { leat_err (*wait)(int n); int n; };

static leat_err waits(struct waits *a)
{
    at_store(&who[a->n], task_self());
    CHECK_EQ(a->wait(a->n), LEAT_OK);
    order[strlen(order)] = (char)('a' + a->n);
    return LEAT_OK;
}

static bool is_waiting(int n) { return at_load(&who[n]) && at_load(&at_load(&who[n])->park) == PARK_WAIT; }

/* The next one, who waits when this returns. */
static void comes(leat_group *g, leat_err (*wait)(int n), int n)
{
    CHECK_EQ(leat_go(g, waits, (struct waits){ wait, n }), LEAT_OK);
    while (!is_waiting(n))
        leat_yield();
}

/* Ends the wait of n as a timer does that was for an earlier one; `meets` happens before n runs.  Then all have run. */
static void hint(int n, void (*meets)(void))
{
    CHECK(task_claim(who[n], PARK_TIMER));
    if (meets)
        meets();
    task_ready(worker_self(), who[n]);
    for (int i = 0; i < 10; i++)
        leat_yield();
}

static leat_err wait_cond(int n)
{
    leat_err e = LEAT_OK, err;
    (void)n;
    leat_with_lock(&mutex, err)
        e = leat_cond_wait(&cond, &mutex);
    return err ? err : e;
}
static void signals(void) { leat_cond_signal(&cond); }

static leat_err cond_hints(leat_group *g)
{
    comes(g, wait_cond, 0);
    comes(g, wait_cond, 1);
    hint(0, NULL);
    CHECK(is_waiting(0));
    signals();                                       /* for the first one still */
    while (!order[0])
        leat_yield();
    CHECK_STR(order, "a");
    hint(1, signals);
    CHECK_STR(order, "ab");
    return LEAT_OK;
}

static leat_err wait_group(int n) { (void)n; return leat_waitgroup_wait(&wg); }
static void done_and_used_again(void)
{
    leat_waitgroup_done(&wg);
    leat_waitgroup_add(&wg, 1);
}

static leat_err waitgroup_hints(leat_group *g)
{
    leat_waitgroup_add(&wg, 1);
    comes(g, wait_group, 0);
    hint(0, NULL);
    CHECK(is_waiting(0));
    hint(0, done_and_used_again);                    /* its wait is over, whoever uses the group again */
    CHECK_STR(order, "a");
    leat_waitgroup_done(&wg);
    return LEAT_OK;
}

static leat_err wait_two(int n) { (void)n; return leat_acquire(&sem, 2); }
static leat_err wait_one(int n) { (void)n; return leat_acquire(&sem, 1); }
static void releases_one(void) { leat_release(&sem, 1); }

static leat_err sem_hints(leat_group *g)
{
    sem = (leat_sem){ .size = 2 };
    LEAT_TRY(leat_acquire(&sem, 1));
    comes(g, wait_two, 0);
    comes(g, wait_two, 1);
    comes(g, wait_one, 2);
    hint(2, NULL);                                   /* there would be one for it, but others came before */
    hint(1, NULL);
    CHECK(is_waiting(0) && is_waiting(1) && is_waiting(2));
    hint(0, releases_one);
    CHECK_STR(order, "a");
    leat_release(&sem, 2);
    while (!order[1])
        leat_yield();
    CHECK(is_waiting(2));
    leat_release(&sem, 2);
    while (!order[2])
        leat_yield();
    CHECK_STR(order, "abc");
    CHECK_EQ(leat_try_acquire(&sem, 1), LEAT_OK);
    CHECK_EQ(leat_try_acquire(&sem, 1), LEAT_AGAIN);
    return LEAT_OK;
}

static leat_err wait_read(int n) { (void)n; return leat_rlock(&rw); }
static leat_err wait_write(int n) { (void)n; return leat_wlock(&rw); }
static void unlocks_write(void) { leat_wunlock(&rw); }
static void unlocks_read(void) { leat_runlock(&rw); }

static leat_err rw_hints(leat_group *g)
{
    LEAT_TRY(leat_wlock(&rw));
    comes(g, wait_read, 0);
    hint(0, NULL);
    CHECK(is_waiting(0));
    hint(0, unlocks_write);
    CHECK_STR(order, "a");
    comes(g, wait_write, 1);
    hint(1, NULL);
    CHECK(is_waiting(1));
    hint(1, unlocks_read);
    CHECK_STR(order, "ab");
    CHECK_EQ(leat_try_rlock(&rw), LEAT_AGAIN);
    leat_wunlock(&rw);
    CHECK_EQ(leat_try_wlock(&rw), LEAT_OK);
    leat_wunlock(&rw);
    return LEAT_OK;
}

static leat_err in_group(leat_err (**program)(leat_group *g))
{
    leat_err err;
    leat_with_group(g, err) {
        leat_err e = (*program)(&g);
        CHECK_EQ(e, LEAT_OK);
    }
    return err;
}
static void run(leat_err (*program)(leat_group *g))
{
    CHECK_EQ(leat_run(&(leat_opts){ .workers = 1 }, in_group, program), LEAT_OK);
}

TEST(a_hint_costs_no_place_at_a_condition_and_a_signal_that_meets_it_is_not_lost) { run(cond_hints); }
TEST(a_wait_for_a_group_is_over_though_its_end_meets_a_hint_and_it_is_used_again) { run(waitgroup_hints); }
TEST(a_hint_lets_nobody_overtake_at_a_semaphore) { run(sem_hints); }
TEST(a_hint_lets_nobody_into_a_read_write_lock_and_an_unlock_that_meets_it_does) { run(rw_hints); }

T_MAIN()
