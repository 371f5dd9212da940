/* blocking_test.c - calls that block a thread, and how they end. */
#include "run/blocking.h"
#include <pthread.h>
#include <time.h>
#include "t.h"
#include <sys/mman.h>
#include "plat/atomic.h"

static int rounds(int n) { return getenv("T_QUICK") ? n / 10 : n; }

static void run(leat_err (*fn)(leat_none *))
{
    for (uint32_t w = 1; w <= 3; w++) {
        leat_err e = leat_run(&(leat_opts){ .workers = w }, fn, LEAT_NONE);
        if (e != LEAT_OK)
            t_fail(__FILE__, __LINE__, "%u workers: %s: %s", w, leat_err_name(e), leat_err_detail());
    }
}
#define RUN(name) \
    static leat_err name##_in(leat_none *a); \
    TEST(name) { run(name##_in); } \
    static leat_err name##_in(leat_none *a __attribute__((unused)))

struct call { int in, *out; pthread_t *who; };

static leat_err answers(struct call *c)
{
    *c->out = c->in + 1;
    *c->who = pthread_self();
    return LEAT_OK;
}

RUN(it_runs_on_another_thread_and_its_result_is_seen)
{
    for (int i = 0; i < rounds(3000); i++) {
        int out = 0;
        pthread_t who = pthread_self();
        leat_with_pinned {
            LEAT_TRY(leat_blocking(answers, (struct call){ i, &out, &who }));
            CHECK(!pthread_equal(who, pthread_self()));
        }
        CHECK_EQ(out, i + 1);
    }
    return LEAT_OK;
}

static leat_err fails(int *n)
{
    return *n ? leat_fail((leat_err)*n, "no luck with %d", *n) : LEAT_OK;
}

static leat_err fails_silently(int *n) { return (leat_err)*n; }

RUN(its_error_and_its_words_are_the_tasks)
{
    for (int i = 1; i <= LEAT_SYS; i++) {
        CHECK_EQ(leat_blocking(fails, i), i);
        char text[32];
        snprintf(text, sizeof text, "no luck with %d", i);
        CHECK_STR(leat_err_detail(), text);
        CHECK_EQ(leat_blocking(fails_silently, i), i);
        CHECK(strcmp(leat_err_detail(), text) != 0);
    }
    return leat_blocking(fails, 0);
}

static leat_err sleeps(struct timespec *t)
{
    return nanosleep(t, NULL) == 0 ? LEAT_OK : leat_fail(LEAT_INVAL, "interrupted");
}

static leat_err sleeps_100(leat_none *a)
{
    (void)a;
    return leat_blocking(sleeps, (struct timespec){ 100, 0 });
}

RUN(a_deadline_ends_the_system_call)
{
    for (int i = 0; i < 20; i++) {
        leat_time t0 = leat_now();
        leat_with_deadline(LEAT_MS(2))
            CHECK_EQ(sleeps_100(NULL), LEAT_DEADLINE);
        CHECK(leat_since(t0).ns >= 2000000);
        CHECK(leat_since(t0).ns < 30 * INT64_C(1000000000));
    }
    return LEAT_OK;
}

RUN(a_cancel_ends_the_system_call_of_every_task)
{
    leat_err err;
    leat_with_group(g, err) {
        for (int i = 0; i < 100; i++)                /* more than there are threads: some are cancelled in the queue */
            LEAT_TRY(leat_go(&g, sleeps_100, LEAT_NONE));
        leat_with_deadline(LEAT_MS(20))
            leat_ignore(leat_blocking(sleeps, (struct timespec){ 1, 0 }));
        leat_group_cancel(&g);
    }
    CHECK_EQ(err, LEAT_CANCELED);
    CHECK_EQ(leat_blocking(sleeps, (struct timespec){ 0, 1 }), LEAT_OK);
    return LEAT_OK;
}

struct race { int64_t ns; _Atomic int *ended; leat_err *out, *said; };

static leat_err raced(struct race *r)
{
    struct timespec t = { 0, r->ns };
    leat_err e = nanosleep(&t, NULL) == 0 ? LEAT_OK : LEAT_INVAL;
    *r->said = e;
    (*r->ended)++;
    return e;
}

static leat_err racer(struct race *r)
{
    *r->out = leat_blocking(raced, *r);
    return LEAT_OK;
}

/* OK when the call said OK, the context's error when it said otherwise or never ran; and it has ended in any case. */
RUN(a_call_and_a_cancel_race_and_one_wins)
{
    int seen[3] = { 0 };
    for (int i = 0; i < rounds(3000); i++) {
        _Atomic int ended = 0;
        leat_err out = LEAT_SYS, said = LEAT_REMOTE, err;
        leat_with_group(g, err) {
            LEAT_TRY(leat_go(&g, racer, (struct race){ i % 7 * 20000, &ended, &out, &said }));
            for (int k = i % 50; k--; )
                leat_yield();
            if (i % 3 == 0)
                leat_ignore(leat_sleep(LEAT_US(50)));
            leat_group_cancel(&g);
        }
        CHECK(err == LEAT_OK || err == LEAT_CANCELED);
        if (said == LEAT_OK)
            CHECK_EQ(out, LEAT_OK);
        else
            CHECK(out == LEAT_CANCELED || out == LEAT_SYS);          /* SYS: the task was never started */
        CHECK_EQ(ended, said != LEAT_REMOTE);
        seen[said == LEAT_OK ? 0 : said == LEAT_INVAL ? 1 : 2]++;
    }
    CHECK(seen[0] > 0);
    return LEAT_OK;
}

/* A signal for one call must never hit the next one on the same thread. */
RUN(an_interrupted_call_does_not_disturb_the_next)
{
    for (int i = 0; i < rounds(500); i++) {
        leat_with_deadline(LEAT_US(100 + i % 100))
            leat_ignore(leat_blocking(sleeps, (struct timespec){ 5, 0 }));
        CHECK_EQ(leat_blocking(sleeps, (struct timespec){ 0, 300000 }), LEAT_OK);
    }
    return LEAT_OK;
}

static leat_err uses_leat(leat_chan(int64_t) *c)
{
    int64_t v;
    return leat_recv(*c, &v);
}

RUN(what_it_calls_of_leat_obeys_the_tasks_context)
{
    static const char key;
    int64_t v;
    leat_chan(int64_t) c = leat_chan_make(int64_t, 1);
    leat_with_deadline(LEAT_MS(2))
        CHECK_EQ(leat_blocking(uses_leat, c), LEAT_DEADLINE);
    leat_with_cancel(ctx) {
        leat_cancel(ctx, LEAT_GONE);
        CHECK_EQ(leat_blocking(uses_leat, c), LEAT_CANCELED);
    }
    LEAT_TRY(leat_send(c, 1));
    LEAT_TRY(leat_blocking(uses_leat, c));
    CHECK_EQ(leat_try_recv(c, &v), LEAT_AGAIN);
    CHECK(leat_value(&key) == NULL);
    leat_unref(c);
    return LEAT_OK;
}

static leat_err naps(leat_none *a)
{
    (void)a;
    return leat_blocking(sleeps, (struct timespec){ 0, 2000000 });
}

RUN(calls_beyond_the_limit_of_threads_wait_their_turn)
{
    leat_err err;
    leat_with_group(g, err)
        for (int i = 0; i < 500; i++)
            LEAT_TRY(leat_go(&g, naps, LEAT_NONE));
    return err;
}

RUN(other_tasks_run_meanwhile)
{
    leat_err err;
    int n = 0;
    leat_with_group(g, err) {
        LEAT_TRY(leat_go(&g, naps, LEAT_NONE));
        while (n < 100) {
            leat_yield();
            n++;
        }
    }
    CHECK_EQ(n, 100);
    return err;
}

/* -- calls that no signal ends -------------------------------------------------------------------------------------------- */
struct stubborn { int in, out; };
static _Atomic int dropped;

static leat_err stubborn(void *arg)
{
    struct stubborn *s = arg;
    char c = 's';
    CHECK_EQ(write(s->out, &c, 1), 1);
    while (read(s->in, &c, 1) != 1)
        ;
    return c == 'f' ? leat_fail(LEAT_REFUSED, "it read an f") : LEAT_OK;
}

static void drop(void *arg)
{
    free(arg);
    dropped++;
}

static struct stubborn *stubborn_new(int in[2], int out[2])
{
    struct stubborn *s = malloc(sizeof *s);
    CHECK(pipe(in) == 0 && pipe(out) == 0);
    *s = (struct stubborn){ in[0], out[1] };
    return s;
}

struct leaver { struct stubborn *s; leat_err *err; bool *left; };

static leat_err leaver(struct leaver *l)
{
    *l->err = blocking_leave(stubborn, l->s, drop, l->left);
    return LEAT_OK;
}

/* The call has begun when its task is cancelled, and goes on afterwards. */
static leat_err leave_behind(struct stubborn *s, int out)
{
    leat_err got = LEAT_OK, err;
    bool left = false;
    char c;
    leat_with_group(g, err) {
        LEAT_TRY(leat_go(&g, leaver, (struct leaver){ s, &got, &left }));
        LEAT_TRY(leat_fd_wait(out, LEAT_READ));
        leat_group_cancel(&g);
    }
    CHECK(err == LEAT_OK || err == LEAT_CANCELED);
    CHECK_EQ(got, LEAT_CANCELED);
    CHECK(left);
    CHECK_EQ(read(out, &c, 1), 1);
    return LEAT_OK;
}

RUN(a_call_that_no_signal_ends_is_left_behind)
{
    int in[2], out[2], before = dropped;
    bool left;
    char c;
    struct stubborn *s = stubborn_new(in, out);
    CHECK_EQ(write(in[1], "x", 1), 1);
    CHECK_EQ(blocking_leave(stubborn, s, drop, &left), LEAT_OK);
    CHECK(!left);
    CHECK_EQ(write(in[1], "f", 1), 1);
    CHECK_EQ(blocking_leave(stubborn, s, drop, &left), LEAT_REFUSED);
    CHECK_STR(leat_err_detail(), "it read an f");
    CHECK(!left);
    CHECK_EQ(read(out[0], &c, 1), 1);
    CHECK_EQ(read(out[0], &c, 1), 1);
    LEAT_TRY(leave_behind(s, out[0]));
    CHECK_EQ(dropped, before);
    CHECK_EQ(write(in[1], "f", 1), 1);
    while (dropped == before)
        leat_yield();
    return LEAT_OK;
}

static int late_in[2], late_out[2];

static leat_err leaves_late(leat_none *none)
{
    (void)none;
    struct stubborn *s = stubborn_new(late_in, late_out);
    return leave_behind(s, late_out[0]);
}

/* -- what a dump says ---------------------------------------------------------------------------------------------------- */
static _Atomic int there, go_home;

static leat_err stays(leat_none *a)
{
    (void)a;
    at_store_rel(&there, 1);
    while (!at_load_acq(&go_home))
        nanosleep(&(struct timespec){ 0, 1000000 }, NULL);           /* whatever ends it */
    return LEAT_OK;
}

static leat_err calls_stays(leat_none *a) { (void)a; return leat_blocking(stays, LEAT_NONE); }

static void a_moment(void)
{
    leat_with_shield(LEAT_S(3600))                   /* the context may be cancelled */
        CHECK_EQ(leat_sleep(LEAT_US(100)), LEAT_OK);
}

static void until_it(const char *what)
{
    static char text[1 << 16];
    for (bool said = false; !said; ) {
        int fd = memfd_create("dump", MFD_CLOEXEC);
        CHECK(fd >= 0);
        a_moment();
        leat_dump(fd);
        ssize_t n = pread(fd, text, sizeof text - 1, 0);
        close(fd);
        CHECK(n > 0);
        text[n] = 0;
        const char *at = strstr(text, "task calls_stays "), *end = at ? strchr(at, '\n') : NULL;
        said = end && memmem(at, (size_t)(end - at), what, strlen(what));
    }
}

static leat_err dumped(leat_none *none)
{
    leat_err err;
    (void)none;
    at_store_rel(&there, 0);
    at_store_rel(&go_home, 0);
    leat_with_group(g, err) {
        LEAT_TRY(leat_go(&g, calls_stays, LEAT_NONE));
        until_it("it waits for a blocking call on another thread");
        while (!at_load_acq(&there))                 /* one that has not begun is taken back */
            a_moment();
        leat_group_cancel(&g);
        until_it("it waits for a blocking call on another thread, which was to end early");
        at_store_rel(&go_home, 1);
    }
    return err == LEAT_OK || err == LEAT_CANCELED ? LEAT_OK : err;
}

/* One worker: valgrind mistakes a frame of more than 160 bytes when threads change stacks in turn (docs/debug.md). */
TEST(a_dump_says_that_a_task_waits_for_a_call_also_when_it_was_cancelled)
{
    CHECK_EQ(leat_run(&(leat_opts){ .workers = 1 }, dumped, LEAT_NONE), LEAT_OK);
}

TEST(it_may_outlive_the_runtime)
{
    for (int i = 0; i < 5; i++) {
        int before = dropped;
        CHECK_EQ(leat_run(NULL, leaves_late, LEAT_NONE), LEAT_OK);
        CHECK_EQ(write(late_in[1], "x", 1), 1);
        while (dropped == before)
            sched_yield();
    }
}

TEST(a_thread_that_is_no_task_just_calls_it)
{
    int out = 0;
    pthread_t who;
    CHECK_EQ(leat_blocking(answers, (struct call){ 41, &out, &who }), LEAT_OK);
    CHECK_EQ(out, 42);
    CHECK(pthread_equal(who, pthread_self()));
}

T_MAIN()
