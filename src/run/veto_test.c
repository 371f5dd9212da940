/* veto_test.c - each thing that alone keeps a program from being in a deadlock (watch.c), and when a task that waits is found to be worth
 * hibernating (hiber.c): by records of a runtime that never runs. */
#include "run/hiber.h"
#include "run/sched.h"
#include "run/watch.h"
#include "t.h"

static struct worker *worker_new(struct rt *rt)
{
    struct worker *w = aligned_alloc(64, (sizeof *w + 63) & ~63ul);
    CHECK(w != NULL);
    memset(w, 0, sizeof *w);
    w->rt = rt;
    return w;
}

TEST(each_thing_that_may_go_on_vetoes_a_deadlock_alone)
{
    static struct rt rt;
    static struct task t;
    struct worker *w = worker_new(&rt), *list[] = { w };
    rt.workers = list;
    rt.nworkers = rt.max_workers = 1;
#define VETO(field, value, what) do { at_store(&field, value); CHECK_STR(deadlock_veto(&rt), what); at_store(&field, 0); } while (0)
    CHECK_STR(deadlock_veto(&rt), "a worker is awake");
    at_store(&w->sleeping, 1);
    CHECK_STR(deadlock_veto(&rt), "there is another runtime");       /* this one is in no list: so far nothing else was found */
    VETO(w->tail, 1, "a task is ready");
    VETO(w->fresh_count, 1, "a task is ready");
    VETO(w->pinned_count, 1, "a task is ready");
    VETO(w->next, &t, "a task is ready");
    VETO(rt.global_count, 1, "a task is ready");
    VETO(rt.visitors, 1, "a task is ready");
    VETO(w->wheel.n, 1, "something rings at a time");                /* one that is none of a task */
    CHECK_STR(deadlock_veto(&rt), "there is another runtime");
    free(w);
}

enum { MS = 1000000, NOW = 1000 * MS, MANY = NAPS_AT_ONCE + 1 };

static struct task *parked_new(int64_t since)
{
    struct task *t = aligned_alloc(64, sizeof *t * MANY);
    CHECK(t != NULL);
    memset(t, 0, sizeof *t * MANY);
    for (int i = 0; i < MANY; i++) {
        at_store(&t[i].nap, 1 + 2);                  /* after 4 ms */
        at_store(&t[i].park, PARK_WAIT);
        at_store(&t[i].sp, &t[i]);
        at_store(&t[i].since, (uint32_t)(since / MS));
    }
    return t;
}

TEST(a_few_of_those_that_have_waited_long_hibernate_at_a_time_and_others_get_a_turn)
{
    struct worker *w = worker_new(NULL);
    struct task *t = parked_new(NOW - 10 * MS);
    for (int i = 0; i < NAPS_AT_ONCE; i++)           /* looked at again when they have waited twice as long */
        CHECK_EQ(nap_due(w, &t[i], NOW), NOW + 10 * MS);
    CHECK_EQ(w->n_naps, NAPS_AT_ONCE);
    CHECK_EQ(nap_due(w, &t[NAPS_AT_ONCE], NOW), NOW + NAPS_GAP_NS);
    CHECK_EQ(nap_due(w, &t[NAPS_AT_ONCE], NOW + 2 * NAPS_GAP_NS), NOW + 2 * NAPS_GAP_NS + 1);
    CHECK_EQ(w->n_naps, NAPS_AT_ONCE);
    w->n_naps = 0;                                   /* they have been looked at */
    CHECK_EQ(nap_due(w, &t[NAPS_AT_ONCE], NOW + NAPS_GAP_NS - 1), NOW + NAPS_GAP_NS);
    CHECK_EQ(w->n_naps, 0);
    CHECK_EQ(nap_due(w, &t[NAPS_AT_ONCE], NOW + NAPS_GAP_NS), NOW + NAPS_GAP_NS + 10 * MS);
    CHECK_EQ(w->n_naps, 1);
    CHECK(w->naps[0] == &t[NAPS_AT_ONCE]);
    free(t);
    free(w);
}

TEST(one_that_waits_shortly_or_sleeps_already_is_not_found)
{
    struct worker *w = worker_new(NULL);
    struct task *t = parked_new(NOW - 3 * MS);
    CHECK_EQ(nap_due(w, t, NOW), NOW + MS);          /* the rest of its 4 ms */
    at_store(&t->park, PARK_NONE);
    CHECK_EQ(nap_due(w, t, NOW + 100 * MS), NOW + 104 * MS);         /* it runs */
    at_store(&t->park, PARK_WAIT);
    at_store(&t->nap, 3 | NAP_AWAY);
    CHECK_EQ(nap_due(w, t, NOW + 100 * MS), NEVER);
    CHECK_EQ(w->n_naps, 0);
    free(t);
    free(w);
}

T_MAIN()
