/* scope_test.c - shields, races, and groups that are waited for inside their own block. */
#include <stdatomic.h>
#include "leat.h"
#include "t.h"

#define RUN(fn) do { for (uint32_t w_ = 1; w_ <= 3; w_ += 2) { \
    leat_err e_ = leat_run(&(leat_opts){ .workers = w_ }, fn, LEAT_NONE); \
    if (e_ != LEAT_OK) t_fail(__FILE__, __LINE__, "%u workers: %s: %s", w_, leat_err_name(e_), leat_err_detail()); } } while (0)

static bool quick(void) { return getenv("T_QUICK") != NULL; }

/* -- shields ---------------------------------------------------------------------------------------------------------------- */
static leat_err nothing(leat_none *none) { (void)none; return LEAT_OK; }
static leat_err sleeps(leat_none *none) { (void)none; return leat_sleep(LEAT_S(1000)); }
static leat_err sleeps_a_little(leat_none *none) { (void)none; return leat_sleep(LEAT_US(100)); }

struct cleanup { leat_tx(int) bye; leat_rx(int) ack; int *done; };
static leat_err worker_that_says_goodbye(struct cleanup *c)
{
    int v = 0;
    leat_err err = leat_sleep(LEAT_S(1000)), e = LEAT_OK;
    CHECK_EQ(err, LEAT_CANCELED);
    CHECK_EQ(leat_recv(c->ack, &v), LEAT_CANCELED);  /* without a shield nothing can wait any more */
    leat_with_shield(LEAT_S(100)) {
        CHECK_EQ(leat_ctx_err(), LEAT_OK);
        CHECK_EQ(leat_ctx_cause(), LEAT_OK);
        CHECK_EQ(leat_send(c->bye, 2), LEAT_OK);
        CHECK_EQ(leat_recv(c->ack, &v), LEAT_OK);
        leat_with_group(g, e) {
            e = leat_go(&g, sleeps_a_little, LEAT_NONE);
        }
        CHECK_EQ(e, LEAT_OK);                        /* the cancel does not reach a group inside either */
    }
    CHECK_EQ(v, 3);
    CHECK_EQ(leat_ctx_err(), LEAT_CANCELED);
    CHECK_EQ(leat_ctx_cause(), LEAT_REFUSED);
    CHECK_EQ(leat_sleep(LEAT_NS(1)), LEAT_CANCELED);
    *c->done = 1;
    return err;
}
static leat_err says_goodbye(leat_none *none)
{
    (void)none;
    int v = 0, done = 0;
    leat_err err;
    leat_auto leat_chan(int) bye = leat_chan_make(int, 0), ack = leat_chan_make(int, 0);
    leat_group g = { { NULL } };
    leat_with_cancel(ctx) {
        LEAT_TRY(leat_go(&g, worker_that_says_goodbye, (struct cleanup){ leat_tx_of(bye), leat_rx_of(ack), &done }));
        leat_yield();
        leat_cancel(ctx, LEAT_REFUSED);
        leat_with_shield(LEAT_S(100)) {
            CHECK_EQ(leat_recv(bye, &v), LEAT_OK);
            CHECK_EQ(leat_send(ack, 3), LEAT_OK);
        }
        err = leat_group_wait(&g);
    }
    CHECK_EQ(v, 2);
    CHECK_EQ(done, 1);
    CHECK_EQ(err, LEAT_CANCELED);
    return LEAT_OK;
}
TEST(a_shield_lets_clean_up_block_after_a_cancel) { RUN(says_goodbye); }

static leat_err limits(leat_none *none)
{
    (void)none;
    leat_time from = leat_now();
    leat_with_deadline(LEAT_US(1)) {
        CHECK_EQ(leat_sleep(LEAT_S(1000)), LEAT_DEADLINE);
        leat_with_shield(LEAT_MS(2)) {
            CHECK_EQ(leat_sleep(LEAT_US(10)), LEAT_OK);              /* the deadline from outside has passed and is not seen */
            CHECK_EQ(leat_sleep(LEAT_S(1000)), LEAT_DEADLINE);       /* the limit is */
            CHECK_EQ(leat_ctx_err(), LEAT_DEADLINE);
        }
        CHECK_EQ(leat_ctx_err(), LEAT_DEADLINE);
    }
    CHECK(leat_since(from).ns >= 2000000);
    CHECK_EQ(leat_ctx_err(), LEAT_OK);               /* and the outermost state is back */
    CHECK_EQ(leat_sleep(LEAT_US(10)), LEAT_OK);
    return LEAT_OK;
}
TEST(a_shield_has_a_limit_and_gives_the_outer_deadline_back) { RUN(limits); }

static leat_err shielded_longer(leat_none *none)
{
    (void)none;
    leat_err e = LEAT_OK;
    leat_with_shield(LEAT_S(1000))
        e = leat_sleep(LEAT_S(500));
    return e;
}
static leat_err nested(leat_none *none)
{
    (void)none;
    leat_err err;
    leat_with_shield(LEAT_MS(2)) {
        leat_with_deadline(LEAT_US(1)) {
            CHECK_EQ(leat_sleep(LEAT_S(1)), LEAT_DEADLINE);
            leat_with_shield(LEAT_S(1000)) {
                CHECK_EQ(leat_sleep(LEAT_US(1)), LEAT_OK);           /* hides the deadline between the two */
                CHECK_EQ(leat_sleep(LEAT_S(500)), LEAT_DEADLINE);    /* but not the end of the outer one */
            }
        }
        leat_with_group(g, err)                      /* nor do tasks that were started in it outlast it */
            err = leat_go(&g, shielded_longer, LEAT_NONE);
        CHECK_EQ(err, LEAT_DEADLINE);
    }
    leat_with_shield(LEAT_S(1000))
        leat_with_shield(LEAT_US(1))                 /* the inner one may be shorter */
            CHECK_EQ(leat_sleep(LEAT_S(500)), LEAT_DEADLINE);
    return leat_sleep(LEAT_US(1));
}
TEST(a_shield_in_a_shield_does_not_outlast_it) { RUN(nested); }

static leat_err scopes_inside(leat_none *none)
{
    static const int key;
    int there = 5;
    leat_err err;
    (void)none;
    leat_with_value(&key, &there) leat_with_cancel(outer) {
        leat_cancel(outer, LEAT_LIMIT);
        leat_with_shield(LEAT_S(1000)) {
            CHECK(leat_value(&key) == &there);
            leat_with_cancel(inner) {
                CHECK_EQ(leat_sleep(LEAT_US(1)), LEAT_OK);
                leat_cancel(inner, LEAT_GONE);
                CHECK_EQ(leat_sleep(LEAT_US(1)), LEAT_CANCELED);
                CHECK_EQ(leat_ctx_cause(), LEAT_GONE);
            }
            leat_with_deadline(LEAT_US(1))
                CHECK_EQ(leat_sleep(LEAT_S(1000)), LEAT_DEADLINE);
            leat_with_group(g, err) {
                LEAT_TRY(leat_go(&g, sleeps, LEAT_NONE));
                err = LEAT_TYPE;
            }
            CHECK_EQ(err, LEAT_TYPE);
            CHECK_EQ(leat_ctx_err(), LEAT_OK);
        }
        CHECK_EQ(leat_ctx_cause(), LEAT_LIMIT);
    }
    return LEAT_OK;
}
TEST(scopes_groups_and_values_work_inside_a_shield) { RUN(scopes_inside); }

static leat_err returns_from_a_shield(void)
{
    leat_with_shield(LEAT_S(1000))
        return leat_fail(LEAT_GONE, "from inside");
    return LEAT_OK;
}
static leat_err left_early(leat_none *none)
{
    (void)none;
    leat_with_cancel(ctx) {
        leat_cancel(ctx, LEAT_CANCELED);
        CHECK_EQ(returns_from_a_shield(), LEAT_GONE);
        CHECK_STR(leat_err_detail(), "from inside");
        CHECK_EQ(leat_ctx_err(), LEAT_CANCELED);
        for (int i = 0; i < 3; i++) {
            leat_with_shield(LEAT_S(1000)) {
                if (i == 1)
                    break;                           /* of the shield */
                CHECK_EQ(leat_ctx_err(), LEAT_OK);
            }
            CHECK_EQ(leat_ctx_err(), LEAT_CANCELED);
        }
    }
    return LEAT_OK;
}
TEST(a_shield_that_is_left_early_ends) { RUN(left_early); }

/* The cancel comes while the task waits inside the shield: it must not end that wait, and must be there after it. */
struct late { leat_rx(int) c; _Atomic int *inside; };
static leat_err waits_shielded(struct late *l)
{
    int v = 0;
    leat_with_shield(LEAT_S(1000)) {
        atomic_store(l->inside, 1);
        CHECK_EQ(leat_recv(l->c, &v), LEAT_OK);
    }
    CHECK_EQ(v, 7);
    CHECK_EQ(leat_ctx_err(), LEAT_CANCELED);
    return LEAT_OK;
}
static leat_err cancelled_inside(leat_none *none)
{
    (void)none;
    for (int i = 0; i < (quick() ? 20 : 500); i++) {
        leat_auto leat_chan(int) c = leat_chan_make(int, 0);
        _Atomic int inside = 0;
        leat_group g = { { NULL } };
        LEAT_TRY(leat_go(&g, waits_shielded, (struct late){ leat_rx_of(c), &inside }));
        while (!atomic_load(&inside))
            leat_yield();
        leat_group_cancel(&g);
        leat_yield();
        LEAT_TRY(leat_send(c, 7));
        LEAT_TRY(leat_group_wait(&g));
    }
    return LEAT_OK;
}
TEST(a_cancel_that_comes_during_a_shield_is_there_after_it) { RUN(cancelled_inside); }

TEST(a_thread_that_is_no_task_may_use_a_shield)
{
    leat_with_deadline(LEAT_US(1)) {
        leat_with_shield(LEAT_MS(1)) {
            CHECK_EQ(leat_sleep(LEAT_US(1)), LEAT_OK);
            CHECK_EQ(leat_sleep(LEAT_S(1000)), LEAT_DEADLINE);
        }
        CHECK_EQ(leat_sleep(LEAT_S(1)), LEAT_DEADLINE);
    }
    CHECK_EQ(leat_sleep(LEAT_US(1)), LEAT_OK);
}

/* -- races ------------------------------------------------------------------------------------------------------------------ */
struct runner { leat_err is; leat_dur after; leat_tx(int) out; int value; _Atomic int *ended, *cancelled; };
static leat_err runner(struct runner *r)
{
    leat_err e = leat_sleep(r->after);
    atomic_fetch_add(r->ended, 1);
    if (e != LEAT_OK) {
        atomic_fetch_add(r->cancelled, 1);
        return e;
    }
    return r->is == LEAT_OK ? leat_try_send(r->out, r->value) : leat_fail(r->is, "runner %d", r->value);
}

static leat_err first_wins(leat_none *none)
{
    (void)none;
    leat_auto leat_chan(int) out = leat_chan_make(int, 1);
    _Atomic int ended = 0, cancelled = 0;
    int v = 0;
    leat_err err;
    leat_with_race(g, err) {
        LEAT_TRY(leat_go(&g, runner, (struct runner){ LEAT_REFUSED, LEAT_NS(1), leat_tx_of(out), 50, &ended, &cancelled }));
        CHECK_EQ(leat_group_wait(&g), LEAT_REFUSED);
        for (int i = 0; i < 10; i++)
            LEAT_TRY(leat_go(&g, runner, (struct runner){ LEAT_OK, LEAT_S(1000), leat_tx_of(out), i, &ended, &cancelled }));
        LEAT_TRY(leat_go(&g, runner, (struct runner){ LEAT_OK, LEAT_MS(2), leat_tx_of(out), 99, &ended, &cancelled }));
    }
    CHECK_EQ(err, LEAT_OK);                          /* an error before it does not matter */
    CHECK_EQ(ended, 12);                             /* all were awaited */
    CHECK_EQ(cancelled, 10);
    CHECK_EQ(leat_try_recv(out, &v), LEAT_OK);
    CHECK_EQ(v, 99);
    CHECK_EQ(leat_ctx_err(), LEAT_OK);
    return LEAT_OK;
}
TEST(the_first_success_of_a_race_wins_and_cancels_the_others) { RUN(first_wins); }

static leat_err all_fail(leat_none *none)
{
    (void)none;
    leat_auto leat_chan(int) out = leat_chan_make(int, 1);
    _Atomic int ended = 0, cancelled = 0;
    leat_err err;
    leat_with_race(g, err) {
        LEAT_TRY(leat_go(&g, runner, (struct runner){ LEAT_GONE, LEAT_NS(1), leat_tx_of(out), 2, &ended, &cancelled }));
        CHECK_EQ(leat_group_wait(&g), LEAT_GONE);
        CHECK_STR(leat_err_detail(), "runner 2");    /* told once, to who waits first */
        LEAT_TRY(leat_go(&g, runner, (struct runner){ LEAT_TYPE, LEAT_MS(5), leat_tx_of(out), 1, &ended, &cancelled }));
        LEAT_TRY(leat_go(&g, runner, (struct runner){ LEAT_TYPE, LEAT_MS(5), leat_tx_of(out), 3, &ended, &cancelled }));
    }
    CHECK_EQ(err, LEAT_GONE);
    CHECK_EQ(ended, 3);
    CHECK_EQ(cancelled, 0);                          /* an error cancels nobody */
    return LEAT_OK;
}
TEST(a_race_that_nobody_wins_has_the_first_error) { RUN(all_fail); }

/* Any number may succeed at once: one value, one outcome, everybody awaited. */
static leat_err photo_finish(leat_none *none)
{
    (void)none;
    for (int i = 0; i < (quick() ? 50 : 2000); i++) {
        leat_auto leat_chan(int) out = leat_chan_make(int, 1);
        _Atomic int ended = 0, cancelled = 0;
        int v = 0;
        leat_err err, e = LEAT_OK;
        leat_with_race(g, err)
            for (int k = 1; k <= 5 && e == LEAT_OK; k++)
                e = leat_go(&g, runner, (struct runner){ LEAT_OK, LEAT_NS(0), leat_tx_of(out), k, &ended, &cancelled });
        CHECK(e == LEAT_OK || e == LEAT_CANCELED);   /* CANCELED: somebody had won before all were started */
        CHECK_EQ(err, LEAT_OK);
        CHECK_EQ(leat_len(out), 1);
        CHECK_EQ(leat_recv(out, &v), LEAT_OK);
        CHECK(v >= 1 && v <= 5);
    }
    return LEAT_OK;
}
TEST(several_that_succeed_at_once_leave_one_value) { RUN(photo_finish); }

static leat_err block_of_a_race(leat_none *none)
{
    (void)none;
    leat_auto leat_chan(int) out = leat_chan_make(int, 1);
    _Atomic int ended = 0, cancelled = 0;
    leat_err err;
    leat_with_race(g, err)
        ;
    CHECK_EQ(err, LEAT_INVAL);                       /* nobody ran */
    CHECK_HAS(leat_err_detail(), "no task");
    leat_with_race(g, err) {
        LEAT_TRY(leat_go(&g, runner, (struct runner){ LEAT_OK, LEAT_S(1000), leat_tx_of(out), 1, &ended, &cancelled }));
        err = leat_fail(LEAT_LIMIT, "the block gives up");
    }
    CHECK_EQ(err, LEAT_LIMIT);
    CHECK_STR(leat_err_detail(), "the block gives up");
    CHECK_EQ(cancelled, 1);
    leat_with_race(g, err) {
        LEAT_TRY(leat_go(&g, nothing, LEAT_NONE));
        CHECK_EQ(leat_sleep(LEAT_S(1000)), LEAT_CANCELED);           /* somebody has won */
        err = leat_go(&g, nothing, LEAT_NONE);
        CHECK_EQ(err, LEAT_CANCELED);
    }
    CHECK_EQ(err, LEAT_OK);                          /* and that counts */
    return LEAT_OK;
}
TEST(the_block_of_a_race_may_give_up_and_learns_that_somebody_won) { RUN(block_of_a_race); }

static leat_err race_from_outside(leat_none *none)
{
    (void)none;
    leat_err err;
    leat_with_deadline(LEAT_US(10)) {
        leat_with_race(g, err) {
            LEAT_TRY(leat_go(&g, sleeps, LEAT_NONE));
            LEAT_TRY(leat_go(&g, sleeps, LEAT_NONE));
        }
        CHECK_EQ(err, LEAT_DEADLINE);
    }
    leat_with_group(g, err) {
        leat_err inner;
        leat_group_cancel(&g);
        leat_with_race(r, inner)
            inner = leat_go(&r, sleeps, LEAT_NONE);
        CHECK_EQ(inner, LEAT_CANCELED);
    }
    CHECK_EQ(err, LEAT_OK);
    return LEAT_OK;
}
TEST(a_race_obeys_cancel_and_deadline_from_outside) { RUN(race_from_outside); }

static leat_err leaves_a_race(_Atomic int *ended, _Atomic int *cancelled)
{
    leat_err err;
    leat_auto leat_chan(int) out = leat_chan_make(int, 1);
    leat_with_race(g, err) {
        LEAT_TRY(leat_go(&g, runner, (struct runner){ LEAT_OK, LEAT_S(1000), leat_tx_of(out), 1, ended, cancelled }));
        return leat_fail(LEAT_GONE, "left");
    }
    return LEAT_OK;
}
static leat_err race_left(leat_none *none)
{
    (void)none;
    _Atomic int ended = 0, cancelled = 0;
    CHECK_EQ(leaves_a_race(&ended, &cancelled), LEAT_GONE);
    CHECK_STR(leat_err_detail(), "left");
    CHECK_EQ(ended, 1);
    CHECK_EQ(cancelled, 1);
    return LEAT_OK;
}
TEST(leaving_a_race_early_cancels_and_waits) { RUN(race_left); }

/* -- a group that is used first in a scope, or a task, that ends before it is waited for ------------------------------------------ */
static const char outer_key, inner_key;
struct seeker { _Atomic int *seen; leat_rx(int) go; };

/* What it finds of the values around it, before the scope of its group's first use has ended and after. */
static leat_err looks_for_values(struct seeker *s)
{
    int v;
    atomic_fetch_add(s->seen, leat_value(&outer_key) != NULL);
    atomic_fetch_add(s->seen, leat_value(&inner_key) ? 10 : 0);
    LEAT_TRY(leat_recv(s->go, &v));
    atomic_fetch_add(s->seen, leat_value(&outer_key) ? 100 : 0);
    atomic_fetch_add(s->seen, leat_value(&inner_key) ? 1000 : 0);
    leat_with_value(&inner_key, NULL)
        leat_ignore(leat_recv(s->go, &v));
    return leat_ctx_err();
}

struct opener { leat_group *g; struct seeker s; };
static leat_err opens_it(struct opener *o)
{
    leat_with_value(&inner_key, o)
        return leat_go(o->g, looks_for_values, o->s);
    return LEAT_OK;
}

enum first { IN_A_SCOPE, IN_A_TASK, IN_A_GROUP_OF_ITS_OWN };
static leat_err uses_it_first(enum first how, leat_group *g, struct seeker s)
{
    leat_err err = LEAT_OK;
    struct opener o = { g, s };
    switch (how) {
    case IN_A_SCOPE:
        leat_with_value(&inner_key, NULL)
            err = opens_it(&o);
        break;
    case IN_A_TASK:
        leat_with_group(one, err)
            LEAT_TRY(leat_go(&one, opens_it, o));
        break;
    case IN_A_GROUP_OF_ITS_OWN: {
        leat_group one = { { NULL } }, two = { { NULL } };           /* one ends before two, and two before g */
        leat_with_value(&inner_key, NULL)
            LEAT_TRY(leat_go(&one, nothing, LEAT_NONE));
        LEAT_TRY(leat_group_wait(&one));
        leat_with_value(&inner_key, NULL)
            LEAT_TRY(leat_go(&two, opens_it, o));
        err = leat_group_wait(&two);
        break;
    }
    }
    return err;
}

static leat_err outlasts(enum first how, bool cancelled)
{
    _Atomic int seen = 0;
    leat_err err = LEAT_OK;
    leat_auto leat_chan(int) go = leat_chan_make(int, 0);
    leat_group g = { { NULL } };
    leat_with_value(&outer_key, &seen) {
        leat_with_cancel(above) {
            LEAT_TRY(uses_it_first(how, &g, (struct seeker){ &seen, leat_rx_of(go) }));
            for (int i = 0; i < 20; i++)
                leat_yield();
            LEAT_TRY(leat_send(go, 1));
            for (int i = 0; i < 20; i++)
                leat_yield();
            if (cancelled)
                leat_cancel(above, LEAT_GONE);       /* of what is around the scope that has ended */
            else
                LEAT_TRY(leat_send(go, 2));
            leat_with_shield(LEAT_S(1000))
                err = leat_group_wait(&g);
        }
    }
    CHECK_EQ(err, cancelled ? LEAT_CANCELED : LEAT_OK);
    CHECK_EQ(atomic_load(&seen) / 100, 1);
    return LEAT_OK;
}

static leat_err groups_outlast(leat_none *none)
{
    (void)none;
    for (int i = 0; i < (quick() ? 20 : 200); i++)
        for (int how = IN_A_SCOPE; how <= IN_A_GROUP_OF_ITS_OWN; how++) {
            LEAT_TRY(outlasts((enum first)how, false));
            LEAT_TRY(outlasts((enum first)how, true));
        }
    return LEAT_OK;
}
TEST(a_group_outlasts_the_scope_or_task_that_used_it_first) { RUN(groups_outlast); }

/* A shield keeps a cancel from a group only as long as it stands. */
static leat_err unshielded(leat_none *none)
{
    (void)none;
    leat_err err = LEAT_OK;
    leat_group g = { { NULL } };
    leat_with_cancel(ctx) {
        leat_with_shield(LEAT_S(1000)) {
            LEAT_TRY(leat_go(&g, sleeps, LEAT_NONE));
            leat_yield();
            leat_cancel(ctx, LEAT_GONE);
        }
        leat_with_shield(LEAT_S(1000))
            err = leat_group_wait(&g);
    }
    CHECK_EQ(err, LEAT_CANCELED);
    return LEAT_OK;
}
TEST(a_shield_that_has_ended_keeps_no_cancel_from_a_group_that_was_used_in_it_first) { RUN(unshielded); }

/* -- a group that is waited for in its own block ------------------------------------------------------------------------------ */
static leat_err fails_later(leat_none *none) { (void)none; leat_yield(); return leat_fail(LEAT_TYPE, "the task"); }
static leat_err waits_inside(leat_none *none)
{
    (void)none;
    leat_err err, outer;
    leat_with_group(g, err) {
        for (int i = 0; i < 3; i++) {
            LEAT_TRY(leat_go(&g, sleeps_a_little, LEAT_NONE));
            LEAT_TRY(leat_group_wait(&g));           /* and again */
        }
        LEAT_TRY(leat_go(&g, fails_later, LEAT_NONE));
        err = leat_group_wait(&g);
        CHECK_EQ(err, LEAT_TYPE);
        CHECK_STR(leat_err_detail(), "the task");
        CHECK_EQ(leat_go(&g, nothing, LEAT_NONE), LEAT_CANCELED);
        leat_ignore(leat_group_wait(&g));
    }
    CHECK_EQ(err, LEAT_TYPE);
    leat_with_group(g, err) {
        LEAT_TRY(leat_go(&g, fails_later, LEAT_NONE));
        err = leat_group_wait(&g);
    }
    CHECK_EQ(err, LEAT_TYPE);
    CHECK_STR(leat_err_detail(), "the task");
    leat_with_group(o, outer) {
        leat_with_group(g, err) {
            LEAT_TRY(leat_go(&g, nothing, LEAT_NONE));
            LEAT_TRY(leat_group_wait(&g));
            leat_group_cancel(&o);
            CHECK_EQ(leat_sleep(LEAT_S(1000)), LEAT_CANCELED);       /* the block is still below the outer group */
        }
    }
    CHECK_EQ(outer, LEAT_OK);
    return LEAT_OK;
}
TEST(a_group_may_be_waited_for_again_and_again_in_its_own_block) { RUN(waits_inside); }

T_MAIN()
