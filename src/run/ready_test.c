/* ready_test.c - who runs next: a task made ready behind the others. */
#include "run/sched.h"
#include "t.h"

struct order { struct task *_Atomic last; _Atomic int ran, at; bool ready; };
struct of { struct order *o; };

static leat_err wait_behind(struct of *a)
{
    struct task *t = task_self();
    at_store(&t->park, PARK_WAIT);
    at_store_rel(&a->o->last, t);
    while (task_wait(t) != PARK_CHAN)
        at_store(&t->park, PARK_WAIT);
    at_store(&a->o->at, at_load(&a->o->ran));
    return LEAT_OK;
}

static void make_ready(struct order *o)
{
    struct task *t = at_load_acq(&o->last);
    if (!o->ready && task_claim(t, PARK_CHAN))
        task_ready_last(worker_self(), t);
    o->ready = true;
}

/* The first of them to run wakes the waiter. */
static leat_err one_of_many(struct of *a)
{
    make_ready(a->o);
    at_store(&a->o->ran, at_load(&a->o->ran) + 1);
    return LEAT_OK;
}

static leat_err start_many(struct of *a)
{
    enum { MANY = 40 };
    leat_err err;
    leat_with_group(g, err) {
        LEAT_TRY(leat_go(&g, wait_behind, *a));
        while (!at_load(&a->o->last))
            leat_yield();
        for (int i = 0; i < MANY; i++)
            LEAT_TRY(leat_go(&g, one_of_many, *a));
    }
    CHECK_EQ(at_load(&a->o->at), MANY);
    return err;
}

TEST(what_is_made_ready_last_runs_after_the_fresh_tasks_too)
{
    struct order o = { .at = -1 };
    CHECK_EQ(leat_run(&(leat_opts){ .workers = 1 }, start_many, (struct of){ &o }), LEAT_OK);
}

struct chain { struct order *o; leat_group *g; };

/* Each starts the next one until the waiter has run. */
static leat_err link_of_chain(struct chain *a)
{
    at_store(&a->o->ran, at_load(&a->o->ran) + 1);
    LEAT_TRY(leat_go(a->g, link_of_chain, *a));
    make_ready(a->o);
    return at_load(&a->o->at) < 0 ? LEAT_OK : LEAT_CANCELED;
}

static leat_err start_chain(struct of *a)
{
    leat_err err;
    leat_with_group(g, err) {
        LEAT_TRY(leat_go(&g, wait_behind, *a));
        while (!at_load(&a->o->last))
            leat_yield();
        LEAT_TRY(leat_go(&g, link_of_chain, (struct chain){ a->o, &g }));
    }
    CHECK(at_load(&a->o->at) > 1);
    CHECK(at_load(&a->o->at) < 1000);
    return err == LEAT_CANCELED ? LEAT_OK : err;
}

TEST(tasks_that_start_others_without_end_do_not_keep_it_waiting)
{
    struct order o = { .at = -1 };
    CHECK_EQ(leat_run(&(leat_opts){ .workers = 1 }, start_chain, (struct of){ &o }), LEAT_OK);
}

T_MAIN()
