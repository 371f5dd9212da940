/* task_test.c - tasks, groups, contexts and runtimes, as a program sees them. */
#include <pthread.h>
#include <stdatomic.h>
#include <sys/syscall.h>
#include "leat.h"
#include "t.h"

#define RUN(fn) do { for (uint32_t w_ = 1; w_ <= 3; w_ += 2) { \
    leat_err e_ = leat_run(&(leat_opts){ .workers = w_ }, fn, LEAT_NONE); \
    if (e_ != LEAT_OK) t_fail(__FILE__, __LINE__, "%u workers: %s: %s", w_, leat_err_name(e_), leat_err_detail()); } } while (0)

static bool quick(void) { return getenv("T_QUICK") != NULL; }

/* -- leat_run ----------------------------------------------------------------------------------------------------------------- */
static leat_err fails(leat_none *none) { (void)none; return leat_fail(LEAT_LIMIT, "no more of %d", 7); }
TEST(leat_run_returns_the_error_and_detail_of_its_task)
{
    CHECK_EQ(leat_run(NULL, fails, LEAT_NONE), LEAT_LIMIT);
    CHECK_STR(leat_err_detail(), "no more of 7");
}

static leat_err nested(leat_none *none)
{
    CHECK_EQ(leat_run(NULL, fails, *none), LEAT_INVAL);
    CHECK_HAS(leat_err_detail(), "leat_run");
    return LEAT_OK;
}
TEST(leat_run_inside_a_task_is_an_error) { RUN(nested); }

TEST(a_program_built_for_another_major_version_is_refused)
{
    char arg = 0;
    static const leat_site_ site = { "x", __FILE__, __LINE__ };
    CHECK_EQ(leat_run_(LEAT_VERSION + 0x10000, NULL, 0, (leat_fn_ *)(void (*)(void))fails, &site, &arg, 1), LEAT_INVAL);
    CHECK_HAS(leat_err_detail(), "build it again");
}

static leat_err nothing(leat_none *none) { (void)none; return LEAT_OK; }
TEST(a_runtime_can_start_after_another_has_ended)
{
    for (int i = 0; i < (quick() ? 20 : 200); i++)
        RUN(nothing);
}

static leat_err late(leat_none *none) { (void)none; leat_err e = leat_sleep(LEAT_S(1000)); return e; }
static leat_err leaves_a_task(leat_none *none) { (void)none; return leat_go(NULL, late, LEAT_NONE); }
TEST(tasks_without_a_group_are_cancelled_and_awaited_at_the_end) { RUN(leaves_a_task); }

/* One that fails is nobody's: the others go on, and more can be started. */
struct told { leat_chan(int) ask, answer; };
static leat_err answers(struct told *c)
{
    int v;
    LEAT_TRY(leat_recv(c->ask, &v));
    LEAT_TRY(leat_ctx_err());
    return leat_send(c->answer, v + 1);
}
static leat_err fails_and_says_so(struct told *c)
{
    LEAT_TRY(leat_send(c->ask, 0));
    return leat_fail(LEAT_REFUSED, "nobody's");
}
static leat_err called_later(struct told *c)
{
    leat_ignore(leat_send(c->answer, 0));
    return leat_fail(LEAT_TYPE, "nobody's");
}
static leat_err one_of_them_fails(leat_none *none)
{
    int v = 0;
    leat_after *after;
    struct told c = { leat_chan_make(int, 0), leat_chan_make(int, 0) }, other = { leat_chan_make(int, 1), c.answer };
    (void)none;
    CHECK(c.ask && c.answer && other.ask);
    CHECK_EQ(leat_go(NULL, answers, other), LEAT_OK);
    for (int i = 0; i < 3; i++) {
        CHECK_EQ(leat_go(NULL, fails_and_says_so, c), LEAT_OK);
        CHECK_EQ(leat_recv(c.ask, &v), LEAT_OK);
    }
    leat_with_cancel(ctx) {
        CHECK_EQ(leat_after_func(&after, ctx, called_later, c), LEAT_OK);
        leat_cancel(ctx, LEAT_CANCELED);
    }
    CHECK_EQ(leat_recv(c.answer, &v), LEAT_OK);
    for (int i = 0; i < 100; i++)                    /* they have failed by now */
        leat_yield();
    CHECK_EQ(leat_sleep(LEAT_MS(1)), LEAT_OK);
    CHECK_EQ(leat_send(other.ask, 6), LEAT_OK);
    CHECK_EQ(leat_recv(c.answer, &v), LEAT_OK);
    CHECK_EQ(v, 7);
    CHECK_EQ(leat_go(NULL, answers, other), LEAT_OK);
    CHECK_EQ(leat_send(other.ask, 7), LEAT_OK);
    CHECK_EQ(leat_recv(c.answer, &v), LEAT_OK);
    CHECK_EQ(v, 8);
    leat_after_close(after);
    leat_unref_((leat_chan_ *)c.ask);
    leat_unref_((leat_chan_ *)c.answer);
    leat_unref_((leat_chan_ *)other.ask);
    return LEAT_OK;
}
TEST(a_task_without_a_group_that_fails_cancels_nobody) { RUN(one_of_them_fails); }

/* -- arguments and results ------------------------------------------------------------------------------------------------------ */
struct wide { uint64_t w[40]; uint64_t *sum; };
static leat_err add_up(struct wide *a)
{
    for (int i = 0; i < 40; i++)
        *a->sum += a->w[i];
    return LEAT_OK;
}
static leat_err arguments(leat_none *none)
{
    (void)none;
    uint64_t sum = 0;
    leat_err err;
    leat_with_group(g, err) {
        struct wide a = { .sum = &sum };
        for (uint64_t i = 0; i < 40; i++)
            a.w[i] = i;
        LEAT_TRY(leat_go(&g, add_up, a));
        memset(&a, 0xff, sizeof a);                  /* the task has its own copy */
        LEAT_TRY(leat_group_wait(&g));
    }
    CHECK_EQ(sum, 780);
    return err;
}
TEST(an_argument_of_any_size_is_copied) { RUN(arguments); }

/* -- groups ------------------------------------------------------------------------------------------------------------------- */
struct member { _Atomic int *ended; int fail; };
static leat_err member(struct member *m)
{
    leat_err e = m->fail ? leat_fail(LEAT_REFUSED, "member %d", m->fail) : leat_sleep(LEAT_S(1000));
    atomic_fetch_add(m->ended, 1);
    return e;
}
static leat_err first_error(leat_none *none)
{
    (void)none;
    _Atomic int ended = 0;
    leat_err err;
    leat_with_group(g, err) {
        for (int i = 0; i < 20; i++)
            LEAT_TRY(leat_go(&g, member, (struct member){ &ended, 0 }));
        LEAT_TRY(leat_go(&g, member, (struct member){ &ended, 5 }));
    }
    CHECK_EQ(err, LEAT_REFUSED);
    CHECK_STR(leat_err_detail(), "member 5");
    CHECK_EQ(ended, 21);                             /* all were awaited */
    return LEAT_OK;
}
TEST(the_first_error_of_a_group_cancels_the_siblings_and_is_the_groups) { RUN(first_error); }

static leat_err leaves_early(_Atomic int *ended)
{
    leat_err err;
    leat_with_group(g, err) {
        LEAT_TRY(leat_go(&g, member, (struct member){ ended, 0 }));
        return leat_fail(LEAT_LIMIT, "early");
    }
    return LEAT_OK;
}
static leat_err early(leat_none *none)
{
    (void)none;
    _Atomic int ended = 0;
    CHECK_EQ(leaves_early(&ended), LEAT_LIMIT);
    CHECK_EQ(ended, 1);
    CHECK_STR(leat_err_detail(), "early");
    CHECK_EQ(leat_ctx_err(), LEAT_OK);               /* the group's cancel is not ours */
    return LEAT_OK;
}
TEST(leaving_a_group_early_cancels_and_waits) { RUN(early); }

static leat_err wins(leat_none *none)
{
    (void)none;
    return LEAT_OK;
}

static leat_err left_in_a_group(void)
{
    leat_err err;
    leat_with_group(g, err) {
        LEAT_TRY(leat_go(&g, fails, LEAT_NONE));
        LEAT_TRY(leat_sleep(LEAT_S(100)));
    }
    return err;
}

static leat_err left_in_a_race(void)
{
    leat_err err;
    leat_with_race(g, err) {
        LEAT_TRY(leat_go(&g, wins, LEAT_NONE));
        LEAT_TRY(leat_sleep(LEAT_S(100)));
    }
    return err;
}

static leat_err left_by_itself(void)
{
    leat_err err;
    leat_with_group(g, err) {
        LEAT_TRY(leat_go(&g, fails, LEAT_NONE));
        leat_ignore(leat_sleep(LEAT_S(100)));
        return leat_fail(LEAT_CANCELED, "my own words");
    }
    return err;
}

static leat_err why_left(leat_none *none)
{
    (void)none;
    CHECK_EQ(left_in_a_group(), LEAT_CANCELED);
    CHECK_STR(leat_err_detail(), "the context was cancelled: a task of its group ended with LIMIT: no more of 7");
    CHECK_EQ(left_in_a_race(), LEAT_CANCELED);
    CHECK_STR(leat_err_detail(), "the context was cancelled: a task of the race has won");
    CHECK_EQ(left_by_itself(), LEAT_CANCELED);
    CHECK_STR(leat_err_detail(), "my own words");
    return LEAT_OK;
}
TEST(a_group_that_is_left_with_a_cancel_says_which_error_it_was) { RUN(why_left); }

/* One that has no group. */
struct alone { const int *what; leat_tx(int) out; };
static leat_err sleeps_alone(struct alone *a)
{
    leat_err e = leat_sleep(LEAT_MS(30));
    return leat_try_send(a->out, *a->what * 100 + (int)e);       /* there is room, whatever its context says */
}

static leat_err alone_in_a_scope(leat_none *none)
{
    static const int what[] = { 1, 2, 3 };
    leat_auto leat_chan(int) out = leat_chan_make(int, 3);
    int got, sum = 0;
    (void)none;
    leat_with_deadline(LEAT_MS(1))
        LEAT_TRY(leat_go(NULL, sleeps_alone, (struct alone){ &what[0], leat_tx_of(out) }));
    leat_with_cancel(ctx) {
        LEAT_TRY(leat_go(NULL, sleeps_alone, (struct alone){ &what[1], leat_tx_of(out) }));
        leat_cancel(ctx, LEAT_TYPE);
    }
    leat_with_deadline(LEAT_MS(1)) leat_with_shield(LEAT_S(100))
        LEAT_TRY(leat_go(NULL, sleeps_alone, (struct alone){ &what[2], leat_tx_of(out) }));
    for (int i = 0; i < 3; i++) {
        LEAT_TRY(leat_recv(out, &got));
        CHECK(got == 100 + LEAT_DEADLINE || got == 200 || got == 300);
        sum += got;
    }
    CHECK_EQ(sum, 600 + LEAT_DEADLINE);
    return LEAT_OK;
}
TEST(a_task_without_a_group_has_the_deadline_of_who_started_it_and_no_cancel) { RUN(alone_in_a_scope); }

static leat_err own_error(leat_none *none)
{
    (void)none;
    _Atomic int ended = 0;
    leat_err err;
    leat_with_group(g, err) {
        LEAT_TRY(leat_go(&g, member, (struct member){ &ended, 0 }));
        err = leat_fail(LEAT_LIMIT, "the block's");
    }
    CHECK_EQ(err, LEAT_LIMIT);
    CHECK_STR(leat_err_detail(), "the block's");
    CHECK_EQ(ended, 1);
    return LEAT_OK;
}
TEST(an_error_left_by_the_block_cancels_the_tasks_and_stays) { RUN(own_error); }

static leat_err reuse(leat_none *none)
{
    (void)none;
    leat_group g = { { NULL } };
    _Atomic int ended = 0;
    for (int i = 1; i <= 3; i++) {
        LEAT_TRY(leat_go(&g, member, (struct member){ &ended, i }));
        CHECK_EQ(leat_group_wait(&g), LEAT_REFUSED);
        CHECK_EQ(ended, i);
    }
    CHECK_EQ(leat_group_wait(&g), LEAT_OK);
    leat_group_cancel(&g);
    CHECK_EQ(leat_go(&g, member, (struct member){ &ended, 1 }), LEAT_CANCELED);
    leat_ignore(leat_group_wait(&g));
    return LEAT_OK;
}
TEST(a_group_can_be_used_again_and_a_cancelled_one_takes_no_tasks) { RUN(reuse); }

struct tree { int depth; _Atomic int *leaves; };
static leat_err grow(struct tree *t)
{
    leat_err err = LEAT_OK;
    if (t->depth == 0) {
        atomic_fetch_add(t->leaves, 1);
        return LEAT_OK;
    }
    leat_with_group(g, err)
        for (int i = 0; i < 4; i++)
            LEAT_TRY(leat_go(&g, grow, (struct tree){ t->depth - 1, t->leaves }));
    return err;
}
static leat_err trees(leat_none *none)
{
    (void)none;
    _Atomic int leaves = 0;
    LEAT_TRY(grow(&(struct tree){ 6, &leaves }));
    CHECK_EQ(leaves, 4096);
    return LEAT_OK;
}
TEST(a_tree_of_groups_ends_when_its_leaves_have) { RUN(trees); }

struct deep { int depth; leat_chan(int) bottom; };
static leat_err dig(struct deep *d)
{
    leat_err err = LEAT_OK;
    if (d->depth == 0) {
        LEAT_TRY(leat_send(d->bottom, 1));
        return leat_sleep(LEAT_S(1000));
    }
    leat_with_group(g, err)
        LEAT_TRY(leat_go(&g, dig, (struct deep){ d->depth - 1, d->bottom }));
    return err;
}
static leat_err deep_cancel(leat_none *none)
{
    (void)none;
    leat_auto leat_chan(int) bottom = leat_chan_make(int, 0);
    leat_err err;
    int v;
    leat_with_group(g, err) {
        LEAT_TRY(leat_go(&g, dig, (struct deep){ quick() ? 1000 : 5000, bottom }));
        LEAT_TRY(leat_recv(bottom, &v));
        leat_group_cancel(&g);
    }
    return err == LEAT_CANCELED ? LEAT_OK : LEAT_INVAL;
}
TEST(a_cancel_reaches_the_bottom_of_5000_nested_groups) { RUN(deep_cancel); }

/* -- contexts --------------------------------------------------------------------------------------------------------------------- */
static leat_err deadlines(leat_none *none)
{
    (void)none;
    leat_auto leat_chan(int) c = leat_chan_make(int, 0);
    int v;
    leat_time start = leat_now();
    leat_with_deadline(LEAT_MS(10)) {
        leat_with_deadline(LEAT_S(1000))             /* the nearer one wins */
            CHECK_EQ(leat_recv(c, &v), LEAT_DEADLINE);
        CHECK_EQ(leat_ctx_err(), LEAT_DEADLINE);
        CHECK_EQ(leat_send(c, 1), LEAT_DEADLINE);
        CHECK_EQ(leat_sleep(LEAT_S(1)), LEAT_DEADLINE);
    }
    CHECK(leat_since(start).ns >= 10000000);
    CHECK_EQ(leat_ctx_err(), LEAT_OK);
    LEAT_TRY(leat_sleep(LEAT_US(10)));
    return LEAT_OK;
}
TEST(the_nearer_deadline_wins_and_ends_with_its_scope) { RUN(deadlines); }

static leat_err sticky(leat_none *none)
{
    (void)none;
    leat_auto leat_chan(int) c = leat_chan_make(int, 0);
    int v;
    leat_with_cancel(ctx) {
        leat_cancel(ctx, LEAT_LIMIT);
        leat_cancel(ctx, LEAT_REFUSED);              /* the first one counts */
        for (int i = 0; i < 3; i++)
            CHECK_EQ(leat_recv(c, &v), LEAT_CANCELED);
        CHECK_EQ(leat_ctx_err(), LEAT_CANCELED);
        CHECK_EQ(leat_ctx_cause(), LEAT_LIMIT);
        leat_with_cancel(inner) {                    /* a child is born cancelled */
            (void)inner;
            CHECK_EQ(leat_sleep(LEAT_S(1)), LEAT_CANCELED);
            CHECK_EQ(leat_ctx_cause(), LEAT_LIMIT);
        }
    }
    CHECK_EQ(leat_ctx_err(), LEAT_OK);
    return LEAT_OK;
}
TEST(a_cancel_is_sticky_inherited_and_has_a_cause) { RUN(sticky); }

static leat_err child_sees(const int **expected)
{
    CHECK(leat_value(*expected) == (void *)(uintptr_t)*expected);
    return LEAT_OK;
}
static leat_err values(leat_none *none)
{
    (void)none;
    static const int key_a, key_b;
    leat_err err = LEAT_OK;
    int one = 1, two = 2;
    CHECK(leat_value(&key_a) == NULL);
    leat_with_value(&key_a, &one) {
        leat_with_value(&key_b, &two) {
            CHECK(leat_value(&key_a) == &one && leat_value(&key_b) == &two);
            leat_with_value(&key_a, &two)
                CHECK(leat_value(&key_a) == &two);
        }
        CHECK(leat_value(&key_a) == &one && leat_value(&key_b) == NULL);
    }
    const int *self = &key_a;
    leat_with_value(&key_a, (void *)(uintptr_t)&key_a)
        leat_with_group(g, err)
            LEAT_TRY(leat_go(&g, child_sees, self));
    return err;
}
TEST(values_of_a_context_are_seen_inside_and_by_children) { RUN(values); }

struct racer { leat_chan(int) c; _Atomic int *ok, *canceled; };
static leat_err race_recv(struct racer *r)
{
    int v = 0;
    leat_err e = leat_recv(r->c, &v);
    atomic_fetch_add(e == LEAT_OK ? r->ok : r->canceled, 1);
    return e == LEAT_OK || e == LEAT_CANCELED ? LEAT_OK : e;
}
static leat_err cancel_races(leat_none *none)
{
    (void)none;
    leat_err err;
    for (int i = 0; i < (quick() ? 500 : 5000); i++) {
        leat_auto leat_chan(int) c = leat_chan_make(int, 0);
        _Atomic int ok = 0, canceled = 0;
        int sent = 0;
        leat_with_group(g, err) {
            for (int k = 0; k < 4; k++)
                LEAT_TRY(leat_go(&g, race_recv, (struct racer){ c, &ok, &canceled }));
            for (int k = 0; k < i % 7; k++)
                leat_yield();
            sent += leat_try_send(c, 1) == LEAT_OK;
            leat_group_cancel(&g);
            sent += leat_try_send(c, 2) == LEAT_OK;
        }
        if (ok != sent || ok + canceled != 4)
            return leat_fail(LEAT_INVAL, "sent %d, received %d, cancelled %d", sent, (int)ok, (int)canceled);
    }
    return LEAT_OK;
}
TEST(a_cancel_and_a_completion_have_one_outcome) { RUN(cancel_races); }

/* -- where tasks run ----------------------------------------------------------------------------------------------------------------- */
static leat_err pinned(leat_none *none)
{
    (void)none;
    leat_with_pinned {
        long at = syscall(SYS_gettid);
        leat_with_pinned
            for (int i = 0; i < 200; i++) {
                leat_yield();
                if (i % 50 == 0)
                    LEAT_TRY(leat_sleep(LEAT_US(50)));
                CHECK_EQ(syscall(SYS_gettid), at);
            }
        leat_yield();
        CHECK_EQ(syscall(SYS_gettid), at);
    }
    return LEAT_OK;
}
static leat_err many_pinned(leat_none *none)
{
    leat_err err;
    leat_with_group(g, err)
        for (int i = 0; i < 30; i++)
            LEAT_TRY(leat_go(&g, pinned, *none));
    return err;
}
TEST(a_pinned_task_stays_on_its_thread) { RUN(many_pinned); }

struct spin { _Atomic bool *stop; _Atomic int *ran; };
static leat_err hog(struct spin *s)
{
    while (!atomic_load(s->stop))
        ;                                            /* never yields */
    return LEAT_OK;
}
static leat_err runs(struct spin *s)
{
    if (atomic_fetch_add(s->ran, 1) == 99)
        atomic_store(s->stop, true);
    return LEAT_OK;
}
static leat_err starve(leat_none *none)
{
    (void)none;
    _Atomic bool stop = false;
    _Atomic int ran = 0;
    leat_err err;
    leat_with_group(g, err) {
        for (int i = 0; i < 100; i++)
            LEAT_TRY(leat_go(&g, runs, (struct spin){ &stop, &ran }));
        LEAT_TRY(leat_go(&g, hog, (struct spin){ &stop, &ran }));
    }
    return err;
}
TEST(a_task_that_never_yields_does_not_stop_the_others)
{
    CHECK_EQ(leat_run(&(leat_opts){ .workers = 2 }, starve, LEAT_NONE), LEAT_OK);
}

/* -- threads, limits ------------------------------------------------------------------------------------------------------------------- */
struct handed { leat_group *g; leat_chan(int) c; };
static leat_err say(struct handed *h) { return leat_send(h->c, 1); }
static void *starter(void *arg)
{
    struct handed *h = arg;
    for (int i = 0; i < 100; i++)
        CHECK_EQ(leat_go(h->g, say, *h), LEAT_OK);
    CHECK_EQ(leat_go(NULL, say, *h), LEAT_INVAL);
    return NULL;
}
static leat_err from_outside(leat_none *none)
{
    (void)none;
    leat_err err;
    leat_auto leat_chan(int) c = leat_chan_make(int, 0);
    leat_with_group(g, err) {
        struct handed h = { &g, c };
        pthread_t t;
        pthread_create(&t, NULL, starter, &h);
        for (int i = 0, v; i < 100; i++)
            LEAT_TRY(leat_recv(c, &v));
        pthread_join(t, NULL);
    }
    return err;
}
TEST(a_thread_that_is_no_task_starts_tasks_in_an_open_group) { RUN(from_outside); }

static leat_err too_many(leat_none *none)
{
    leat_err err, e = LEAT_OK;
    int n = 0;
    leat_with_group(g, err) {
        while (n < 100 && (e = leat_go(&g, late, *none)) == LEAT_OK)
            n++;
        CHECK_EQ(e, LEAT_LIMIT);
        CHECK_HAS(leat_err_detail(), "max_tasks");
        leat_group_cancel(&g);
    }
    CHECK_EQ(n, 49);                                 /* and the first task */
    return LEAT_OK;
}
TEST(max_tasks_is_a_limit_and_no_crash)
{
    CHECK_EQ(leat_run((&(leat_opts){ .workers = 1, .max_tasks = 50 }), too_many, LEAT_NONE), LEAT_OK);
}

static leat_err churn(leat_none *none)
{
    (void)none;
    leat_err err;
    for (int round = 0; round < (quick() ? 50 : 1000); round++)
        leat_with_group(g, err)
            for (int i = 0; i < 1000; i++)
                LEAT_TRY(leat_go(&g, nothing, LEAT_NONE));
    long pages = 0, all = 0;
    FILE *f = fopen("/proc/self/statm", "r");
    CHECK(f && fscanf(f, "%ld %ld", &all, &pages) == 2);
    fclose(f);
    if (!getenv("T_WATCHED"))                        /* set where a tool's own memory would count */
        CHECK(pages < 4096 || quick());              /* 16 MiB after a million tasks */
    return LEAT_OK;
}
TEST(a_million_tasks_leave_no_memory_behind) { RUN(churn); }

/* -- errors -------------------------------------------------------------------------------------------------------------------------- */
static leat_err details(leat_none *none)
{
    (void)none;
    leat_auto leat_chan(int) c = leat_chan_make(int, 0);
    int v;
    CHECK_EQ(leat_fail(LEAT_REFUSED, "%s", "first"), LEAT_REFUSED);
    CHECK_STR(leat_err_detail(), "first");
    CHECK_EQ(leat_wrap(LEAT_REFUSED, "job %d", 3), LEAT_REFUSED);
    CHECK_STR(leat_err_detail(), "job 3: first");
    CHECK_EQ(leat_try_recv(c, &v), LEAT_AGAIN);
    CHECK_STR(leat_err_detail(), "it would have to wait");       /* never a detail of another error */
    CHECK_EQ(leat_wrap(LEAT_CLOSED, "reading"), LEAT_CLOSED);
    CHECK_STR(leat_err_detail(), "reading: the channel or stream has ended");
    leat_ignore(leat_fail(LEAT_DEADLINE, "another's"));
    leat_with_deadline(LEAT_MS(1))
        CHECK_EQ(leat_recv(c, &v), LEAT_DEADLINE);
    CHECK_STR(leat_err_detail(), "the context's deadline has passed");         /* nor of one before, of the same code */
    leat_ignore(leat_fail(LEAT_AGAIN, "another's"));
    CHECK_EQ(leat_try_recv(c, &v), LEAT_AGAIN);
    CHECK_EQ(leat_wrap(LEAT_AGAIN, "trying"), LEAT_AGAIN);
    CHECK_STR(leat_err_detail(), "trying: it would have to wait");
    CHECK_EQ(leat_wrap(LEAT_AGAIN, "again"), LEAT_AGAIN);
    CHECK_STR(leat_err_detail(), "again: trying: it would have to wait");
    char long_text[2000];
    memset(long_text, 'x', sizeof long_text);
    long_text[sizeof long_text - 1] = 0;
    leat_ignore(leat_fail(LEAT_LIMIT, "%s", long_text));
    leat_ignore(leat_wrap(LEAT_LIMIT, "%s", long_text));
    CHECK(strlen(leat_err_detail()) < 500);
    CHECK_STR(leat_err_name((leat_err)99), "an unknown error");
    return LEAT_OK;
}
TEST(a_detail_belongs_to_the_last_failure) { RUN(details); }

T_MAIN()
