/* first_test.c - a cancel and a deadline of the same task: what was first stays, for whoever asks and however often.
 * The time is a clock that only the tests move, but for the last one, in which tasks on several threads must agree whatever comes. */
#include <stdatomic.h>
#include "only_clock.h"

enum { MS = 1000000 };

/* All that can be asked says the same, twice. */
static void says(leat_err err, leat_err cause)
{
    leat_auto leat_chan(int) c = leat_chan_make(int, 0);
    leat_err e;
    int v;
    for (int i = 0; i < 2; i++) {
        CHECK_EQ(leat_ctx_err(), err);
        CHECK_EQ(leat_ctx_cause(), cause);
        CHECK_EQ(leat_recv(c, &v), err);
        CHECK_EQ(leat_sleep(LEAT_S(1)), err);
        leat_select(e) { leat_on_recv(c, &v) { } }
        CHECK_EQ(e, err);
        leat_select(e) { leat_on_recv(c, &v) { }  leat_on_after(LEAT_S(1)) { } }
        CHECK_EQ(e, err);
    }
}

static leat_err a_deadline_and_then_a_cancel(leat_none *none)
{
    (void)none;
    for (int asked = 0; asked < 2; asked++)
        for (int cause = 0; cause < 2; cause++)
            leat_with_cancel(ctx)
                leat_with_deadline_cause(LEAT_MS(5), cause ? LEAT_REFUSED : LEAT_OK) {
                    leat_err first = cause ? LEAT_REFUSED : LEAT_DEADLINE;
                    the_time += 5 * MS;
                    if (asked)
                        says(LEAT_DEADLINE, first);
                    the_time += asked * MS;          /* else both come at the same instant, and that is the deadline's */
                    leat_cancel(ctx, LEAT_GONE);
                    says(LEAT_DEADLINE, first);
                    leat_with_value(&finished, ctx)
                        says(LEAT_DEADLINE, first);
                    leat_with_deadline(LEAT_S(-1))
                        says(LEAT_DEADLINE, first);
                    leat_with_shield(LEAT_MS(1)) {
                        CHECK_EQ(leat_ctx_err(), LEAT_OK);
                        the_time += MS;
                        CHECK_EQ(leat_ctx_err(), LEAT_DEADLINE);
                    }
                    says(LEAT_DEADLINE, first);
                }
    finished++;
    return LEAT_OK;
}
TEST(a_deadline_that_was_first_stays) { in_world(a_deadline_and_then_a_cancel); }

static leat_err a_cancel_and_then_a_deadline(leat_none *none)
{
    (void)none;
    for (int asked = 0; asked < 2; asked++)
        leat_with_cancel(ctx) {
            leat_with_deadline_cause(LEAT_MS(5), LEAT_REFUSED) {
                the_time += 5 * MS - 1;
                leat_cancel(ctx, LEAT_GONE);
                if (asked)
                    says(LEAT_CANCELED, LEAT_GONE);
                the_time += MS;
                leat_cancel(ctx, LEAT_TYPE);
                says(LEAT_CANCELED, LEAT_GONE);
                leat_with_value(&finished, ctx) leat_with_deadline(LEAT_MS(0))
                    says(LEAT_CANCELED, LEAT_GONE);
            }
            says(LEAT_CANCELED, LEAT_GONE);
            leat_with_deadline(LEAT_MS(-1))
                says(LEAT_CANCELED, LEAT_GONE);
        }
    finished++;
    return LEAT_OK;
}
TEST(a_cancel_that_was_first_stays) { in_world(a_cancel_and_then_a_deadline); }

/* Of several that wait in one context: who has a deadline at the time of the cancel or before, and who a later one. */
struct waits { leat_dur limit; leat_err err, cause; };
static leat_err waits(struct waits **pw)
{
    struct waits *w = *pw;
    leat_with_deadline(w->limit) {
        leat_ignore(leat_sleep(LEAT_S(100)));
        w->err = leat_ctx_err();
        w->cause = leat_ctx_cause();
        the_time += 50 * MS;
        CHECK_EQ(leat_ctx_err(), w->err);
        CHECK_EQ(leat_ctx_cause(), w->cause);
    }
    return LEAT_OK;
}
static leat_err each_its_own(leat_none *none)
{
    (void)none;
    struct waits w[] = { { .limit = LEAT_MS(4) }, { .limit = LEAT_MS(10) }, { .limit = LEAT_MS(11) }, { .limit = LEAT_S(1) } };
    leat_err err;
    leat_with_group(g, err) {
        leat_with_value(&finished, w) {
            for (int i = 0; i < 4; i++) {
                struct waits *p = &w[i];
                LEAT_TRY(leat_go(&g, waits, p));
            }
            for (int i = 0; i < 4; i++)
                leat_yield();
        }
        the_time += 10 * MS;                         /* no timer has fired yet: this task was not in a wait */
        leat_group_cancel(&g);
    }
    CHECK_EQ(err, LEAT_OK);
    for (int i = 0; i < 4; i++) {
        CHECK_EQ(w[i].err, i < 2 ? LEAT_DEADLINE : LEAT_CANCELED);
        CHECK_EQ(w[i].cause, w[i].err);
    }
    finished++;
    return LEAT_OK;
}
TEST(each_task_of_a_context_has_what_was_first_for_it) { in_world(each_its_own); }

/* The error of a group's first task is DEADLINE: then it is that of all that had this deadline, and of the block. */
static leat_err sleeps(leat_none *none) { (void)none; return leat_sleep(LEAT_S(100)); }
static leat_err sleeps_and_looks(_Atomic int **n)
{
    leat_err e = leat_sleep(LEAT_S(100));
    atomic_fetch_add(*n, e == LEAT_DEADLINE && leat_ctx_err() == e && leat_ctx_cause() == LEAT_REFUSED);
    return e;
}
static leat_err all_of_a_group(leat_none *none)
{
    (void)none;
    _Atomic int n = 0, *pn = &n;
    leat_err err;
    leat_with_deadline_cause(LEAT_MS(5), LEAT_REFUSED) {
        leat_with_group(g, err) {
            LEAT_TRY(leat_go(&g, sleeps, LEAT_NONE));
            for (int i = 0; i < 10; i++)
                LEAT_TRY(leat_go(&g, sleeps_and_looks, pn));
            leat_ignore(leat_sleep(LEAT_S(100)));
            says(LEAT_DEADLINE, LEAT_REFUSED);
        }
        CHECK_EQ(err, LEAT_DEADLINE);
        says(LEAT_DEADLINE, LEAT_REFUSED);
    }
    CHECK_EQ(n, 10);
    finished++;
    return LEAT_OK;
}
TEST(a_group_that_ends_by_its_deadline_says_so_everywhere) { in_world(all_of_a_group); }

/* -- with real clocks and threads: the tasks of one context have one deadline, and one says when it is over by a cancel ---------- */
struct witness { _Atomic int late, cancelled; };
static leat_err asks(struct witness **pw)
{
    leat_err e, cause;
    while ((e = leat_ctx_err()) == LEAT_OK)
        leat_yield();
    cause = leat_ctx_cause();
    atomic_fetch_add(e == LEAT_DEADLINE ? &(*pw)->late : &(*pw)->cancelled, 1);
    for (int i = 0; i < 20; i++) {
        CHECK_EQ(leat_ctx_err(), e);
        CHECK_EQ(leat_ctx_cause(), cause);
        CHECK_EQ(leat_sleep(LEAT_S(1)), e);
        leat_yield();
    }
    CHECK_EQ(cause, e == LEAT_DEADLINE ? LEAT_DEADLINE : LEAT_CANCELED);
    return LEAT_OK;
}
static leat_err agree(leat_none *none)
{
    (void)none;
    struct witness w, *pw = &w;
    leat_err err, e = LEAT_OK;
    int rounds = getenv("T_QUICK") ? 100 : 1000;
    for (int i = 0; i < rounds; i++) {
        atomic_init(&w.late, 0);
        atomic_init(&w.cancelled, 0);
        leat_time from = leat_now();
        leat_with_deadline(LEAT_US(50)) {
            leat_with_group(g, err) {
                for (int k = 0; k < 6 && e == LEAT_OK; k++)
                    e = leat_go(&g, asks, pw);
                while (leat_since(from).ns < 40000 + i * 20000 / rounds)
                    leat_yield();
                leat_group_cancel(&g);
            }
        }
        LEAT_TRY(e);
        CHECK_EQ(err, LEAT_OK);
        CHECK(w.late + w.cancelled == 6);
        CHECK(w.late == 6 || w.late == 0);
    }
    return LEAT_OK;
}
TEST(the_tasks_of_one_context_agree_whether_its_deadline_was_before_the_cancel)
{
    CHECK_EQ(leat_run(&(leat_opts){ .workers = 3 }, agree, LEAT_NONE), LEAT_OK);
}

T_MAIN()
