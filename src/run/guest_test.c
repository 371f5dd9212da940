/* guest_test.c - a runtime in steps, within a loop that is written out here; the loops of libraries are in test/guest/. */
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <time.h>
#include "leat.h"
#undef errno
#include "t.h"

static bool quick(void) { return getenv("T_QUICK") != NULL; }

static bool readable(const leat_guest *g, int ms)
{
    struct pollfd p = { leat_guest_fd(g), POLLIN, 0 };
    return poll(&p, 1, ms) == 1 && (p.revents & POLLIN);
}

/* The host's loop: nothing but the descriptor and the step.  The number of steps. */
static long host(leat_guest *g, leat_dur slice)
{
    for (long n = 1;; n++) {
        CHECK(readable(g, -1));
        leat_err e = leat_guest_step(g, slice);
        if (e == LEAT_CLOSED)
            return n;
        CHECK_EQ(e, LEAT_OK);
    }
}

static int64_t cpu_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

/* -- programs ---------------------------------------------------------------------------------------------------------------- */
struct end { leat_chan(int) c; int n; };
static leat_err sends(struct end *x)
{
    for (int i = 0; i < x->n; i++)
        LEAT_TRY(leat_send(x->c, i));
    return LEAT_OK;
}
static leat_err rendezvous(const int *n)
{
    leat_auto leat_chan(int) c = leat_chan_make(int, 0);
    leat_err err;
    int v = 0;
    leat_with_group(g, err) {
        LEAT_TRY(leat_go(&g, sends, (struct end){ c, *n }));
        for (int i = 0; i < *n; i++) {
            LEAT_TRY(leat_recv(c, &v));
            CHECK_EQ(v, i);
        }
    }
    return err;
}
static leat_err meets(int *n) { return rendezvous(n); }

/* The host gets its thread back while tasks are always ready: by its own CPU time, so that a busy machine changes nothing. */
TEST(a_busy_guest_gives_the_thread_back_after_each_slice)
{
    leat_guest *g;
    CHECK_EQ(leat_guest_start(&g, NULL, meets, 100000), LEAT_OK);
    int64_t began = cpu_ns(), longest = 0, last = began;
    long steps = 0;
    for (leat_err e = LEAT_OK; e == LEAT_OK; steps++) {
        CHECK(readable(g, -1));
        e = leat_guest_step(g, LEAT_US(200));
        int64_t now = cpu_ns();
        longest = now - last > longest ? now - last : longest;
        last = now;
        CHECK(e == LEAT_OK || e == LEAT_CLOSED);
    }
    int64_t all = last - began;
    CHECK(steps >= 5);
    if (longest > all / 4 && longest > 20000000)
        t_fail(__FILE__, __LINE__, "%ld steps, %lld ns in all, the longest %lld", steps, (long long)all, (long long)longest);
    CHECK_EQ(leat_guest_end(g), LEAT_OK);
}

static leat_err sleeps(leat_dur *d) { return leat_sleep(*d); }
TEST(a_guest_that_sleeps_leaves_its_descriptor_silent_until_its_timer)
{
    leat_guest *g;
    leat_time from = leat_now();
    CHECK_EQ(leat_guest_start(&g, NULL, sleeps, LEAT_MS(30)), LEAT_OK);
    long steps = host(g, LEAT_MS(1));
    CHECK(leat_since(from).ns >= 30000000);
    CHECK(steps <= 10);
    CHECK_EQ(leat_guest_end(g), LEAT_OK);
    CHECK_EQ(leat_guest_start(&g, NULL, sleeps, LEAT_S(10000)), LEAT_OK);
    for (int i = 0; i < 3 && readable(g, 0); i++)
        CHECK_EQ(leat_guest_step(g, LEAT_MS(1)), LEAT_OK);
    CHECK(!readable(g, 20));
    CHECK_EQ(leat_guest_end(g), LEAT_CANCELED);      /* and it is not waited for */
}

static leat_err ends(leat_err *e) { return *e == LEAT_OK ? *e : leat_fail(*e, "as told"); }
TEST(the_error_of_a_guest_comes_with_its_end)
{
    leat_guest *g;
    CHECK_EQ(leat_guest_start(&g, NULL, ends, (leat_err)LEAT_TYPE), LEAT_OK);
    host(g, LEAT_MS(1));
    CHECK(readable(g, 0));                           /* it stays readable, so a host that forgets is called again */
    CHECK_EQ(leat_guest_step(g, LEAT_MS(1)), LEAT_CLOSED);
    CHECK_EQ(leat_guest_end(g), LEAT_TYPE);
    CHECK_STR(leat_err_detail(), "as told");
    CHECK_EQ(leat_guest_end(NULL), LEAT_OK);
    for (int i = 0; i < (quick() ? 20 : 300); i++) { /* one after another: nothing is left behind */
        CHECK_EQ(leat_guest_start(&g, NULL, ends, (leat_err)LEAT_OK), LEAT_OK);
        if (i % 2)
            host(g, LEAT_MS(1));
        CHECK_EQ(leat_guest_end(g), LEAT_OK);
    }
}

static leat_err nothing(leat_none *none) { (void)none; return LEAT_OK; }
static long pages_now(void)
{
    long all = 0, pages = 0;
    FILE *f = fopen("/proc/self/statm", "r");
    CHECK(f && fscanf(f, "%ld %ld", &all, &pages) == 2);
    fclose(f);
    return pages;
}
static leat_err thousands(int *n)
{
    leat_err err = LEAT_OK;
    for (int round = 0; round < *n && err == LEAT_OK; round++)
        leat_with_group(g, err)
            for (int i = 0; i < 1000; i++)
                LEAT_TRY(leat_go(&g, nothing, LEAT_NONE));
    return err;
}
static leat_err million(leat_none *none)
{
    (void)none;
    int first = quick() ? 5 : 100;
    LEAT_TRY(thousands(&first));
    long before = pages_now();
    LEAT_TRY(thousands(&(int){ 9 * first }));
    if (!quick())                                    /* set where a tool's own memory would count */
        CHECK(pages_now() <= before + 256);          /* 1 MiB: a byte a task would be seen */
    return LEAT_OK;
}
TEST(a_million_tasks_of_a_guest_leave_no_memory_behind)
{
    leat_guest *g;
    CHECK_EQ(leat_guest_start(&g, NULL, million, LEAT_NONE), LEAT_OK);
    host(g, LEAT_MS(1));
    CHECK_EQ(leat_guest_end(g), LEAT_OK);
}

/* -- the host between steps ---------------------------------------------------------------------------------------------------- */
static leat_chan(int) to, from;
static leat_err echoes(leat_none *none)
{
    (void)none;
    leat_err err;
    leat_each(v, to, err)
        LEAT_TRY(leat_send(from, v + 1));
    return err;
}
static void step_until_silent(leat_guest *g)
{
    while (readable(g, 0))
        CHECK_EQ(leat_guest_step(g, LEAT_MS(1)), LEAT_OK);
}
static leat_group *opened;
static leat_mutex mutex;
static leat_err opens(leat_none *none)
{
    leat_group g = { { NULL } };
    (void)none;
    opened = &g;
    LEAT_TRY(leat_go(&g, echoes, LEAT_NONE));
    LEAT_TRY(leat_lock(&mutex));
    return leat_group_wait(&g);
}

TEST(the_host_uses_what_does_not_wait_and_what_would_is_an_error)
{
    leat_guest *g;
    int v = 0, pipe_fd[2];
    leat_err err;
    to = leat_chan_make(int, 1);
    from = leat_chan_make(int, 0);
    CHECK_EQ(leat_guest_start(&g, NULL, opens, LEAT_NONE), LEAT_OK);
    CHECK_EQ(leat_send(to, 1), LEAT_OK);             /* there is room */
    CHECK_EQ(leat_send(to, 2), LEAT_INVAL);          /* there is none, and nobody can make any */
    CHECK_HAS(leat_err_detail(), "drives a guest");
    CHECK_EQ(leat_try_send(to, 2), LEAT_AGAIN);
    CHECK_EQ(leat_recv(from, &v), LEAT_INVAL);
    step_until_silent(g);
    CHECK_EQ(leat_recv(from, &v), LEAT_OK);          /* its sender waits: no need to */
    CHECK_EQ(v, 2);
    leat_select(err) { leat_on_recv(from, &v) { } leat_on_after(LEAT_S(60)) { } }
    CHECK_EQ(err, LEAT_INVAL);
    CHECK_EQ(leat_sleep(LEAT_NS(1)), LEAT_INVAL);
    CHECK_EQ(leat_lock(&mutex), LEAT_INVAL);
    CHECK_EQ(leat_group_wait(opened), LEAT_INVAL);
    CHECK(pipe(pipe_fd) == 0);
    CHECK_EQ(leat_fd_wait(pipe_fd[0], LEAT_READ), LEAT_INVAL);
    CHECK_EQ(leat_fd_wait(pipe_fd[1], LEAT_WRITE), LEAT_OK);
    CHECK_EQ(leat_go(opened, echoes, LEAT_NONE), LEAT_OK);
    leat_close(leat_tx_of(to));
    CHECK(readable(g, -1));
    host(g, LEAT_MS(1));
    CHECK_EQ(leat_guest_end(g), LEAT_OK);
    CHECK_EQ(leat_sleep(LEAT_NS(1)), LEAT_OK);       /* an ordinary thread again */
    leat_unref(to);
    leat_unref(from);
    close(pipe_fd[0]);
    close(pipe_fd[1]);
}

/* It could not wait for the mutex when it has let go of it, so it does not let go. */
static leat_mutex contended;
static atomic_bool inside;
static void *contends(void *arg)
{
    for (int i = 0; i < *(int *)arg; i++) {          /* ready to take it in any moment in which nobody has it */
        if (leat_try_lock(&contended) != LEAT_OK)
            continue;
        inside = true;
        for (volatile int turn = 0; turn < 200; turn++)
            ;
        inside = false;
        leat_unlock(&contended);
    }
    return NULL;
}
TEST(a_condition_on_the_thread_of_a_guest_is_an_error_and_keeps_the_mutex)
{
    leat_guest *g;
    leat_cond cond = { { NULL } };
    pthread_t t;
    int n = quick() ? 2000 : 50000, had = 0;
    CHECK_EQ(leat_guest_start(&g, NULL, ends, (leat_err)LEAT_OK), LEAT_OK);
    CHECK(pthread_create(&t, NULL, contends, &n) == 0);
    for (int i = 0; i < n || !had; i++) {            /* ends: the other thread does, and then nobody else wants it */
        if (leat_try_lock(&contended) != LEAT_OK)
            continue;
        had++;
        CHECK_EQ(leat_cond_wait(&cond, &contended), LEAT_INVAL);
        CHECK(!inside);
        CHECK_EQ(leat_try_lock(&contended), LEAT_AGAIN);
        leat_unlock(&contended);
    }
    pthread_join(t, NULL);
    CHECK_EQ(leat_guest_end(g), LEAT_OK);
}

/* -- who may step ---------------------------------------------------------------------------------------------------------------- */
static leat_guest *shared;
static void *steps_elsewhere(void *arg)
{
    (void)arg;
    CHECK_EQ(leat_guest_step(shared, LEAT_MS(1)), LEAT_INVAL);
    CHECK_HAS(leat_err_detail(), "another thread");
    CHECK_EQ(leat_guest_end(shared), LEAT_INVAL);
    return NULL;
}
static leat_err steps_inside(leat_none *none)
{
    (void)none;
    leat_guest *g;
    CHECK_EQ(leat_guest_step(shared, LEAT_MS(1)), LEAT_INVAL);
    CHECK_EQ(leat_guest_end(shared), LEAT_INVAL);
    CHECK_EQ(leat_guest_start(&g, NULL, steps_inside, LEAT_NONE), LEAT_INVAL);
    return LEAT_OK;
}
TEST(only_the_hosts_thread_steps_and_never_from_a_task)
{
    pthread_t t;
    CHECK_EQ(leat_guest_step(NULL, LEAT_MS(1)), LEAT_INVAL);
    CHECK_EQ(leat_guest_fd(NULL), -1);
    CHECK_EQ(leat_guest_start(&shared, NULL, steps_inside, LEAT_NONE), LEAT_OK);
    CHECK(pthread_create(&t, NULL, steps_elsewhere, NULL) == 0);
    pthread_join(t, NULL);
    host(shared, LEAT_MS(1));
    CHECK_EQ(leat_guest_end(shared), LEAT_OK);
}

/* -- the world outside ------------------------------------------------------------------------------------------------------------- */
static void *feeds(void *arg)
{
    (void)arg;
    for (int i = 0; i < (quick() ? 200 : 5000); i++)
        CHECK_EQ(leat_send(to, i), LEAT_OK);         /* an ordinary thread: it waits */
    leat_close(leat_tx_of(to));
    return NULL;
}
static leat_err drains(leat_none *none)
{
    (void)none;
    int n = 0;
    leat_err err;
    leat_each(v, to, err)
        CHECK_EQ(v, n++);
    CHECK_EQ(n, quick() ? 200 : 5000);
    return err;
}
TEST(threads_of_others_wake_a_guest)
{
    pthread_t t;
    leat_guest *g;
    to = leat_chan_make(int, 0);
    CHECK_EQ(leat_guest_start(&g, NULL, drains, LEAT_NONE), LEAT_OK);
    CHECK(pthread_create(&t, NULL, feeds, NULL) == 0);
    host(g, LEAT_MS(1));
    CHECK_EQ(leat_guest_end(g), LEAT_OK);
    pthread_join(t, NULL);
    leat_unref(to);
}

static leat_err naps_there(leat_none *none) { (void)none; usleep(1000); return LEAT_OK; }
static leat_err talks(int *fd)
{
    char b[8];
    leat_err err;
    for (int i = 0; i < 100; i++) {
        CHECK_EQ(write(fd[1], "x", 1), 1);
        LEAT_TRY(leat_fd_wait(fd[0], LEAT_READ));
        CHECK_EQ(read(fd[0], b, sizeof b), 1);
    }
    leat_select(err) {
        leat_on_fd(fd[0], LEAT_READ) { return LEAT_INVAL; }
        leat_on_after(LEAT_MS(2)) { }
    }
    LEAT_TRY(err);
    LEAT_TRY(leat_blocking(naps_there, LEAT_NONE));
    return LEAT_OK;
}
struct fds { int fd[2]; };
static leat_err outside(struct fds *f)
{
    leat_conn *a = NULL, *b = NULL;
    leat_listener *l = NULL;
    char url[64], buf[4];
    size_t n = 0;
    LEAT_TRY(talks(f->fd));
    snprintf(url, sizeof url, "unix:/tmp/leat_guest_test.%d", (int)getpid());
    LEAT_TRY(leat_listen(url, &l));
    LEAT_TRY(leat_dial(url, &a));
    LEAT_TRY(leat_accept(l, &b));
    LEAT_TRY(leat_write(a, "ping", 4));
    LEAT_TRY(leat_read(b, buf, sizeof buf, &n));
    CHECK_EQ(n, 4);
    leat_with_deadline(LEAT_MS(2))
        CHECK_EQ(leat_read(b, buf, sizeof buf, &n), LEAT_DEADLINE);
    leat_conn_close(a);
    CHECK_EQ(leat_read(b, buf, sizeof buf, &n), LEAT_CLOSED);
    leat_conn_close(b);
    leat_listener_close(l);
    return LEAT_OK;
}
TEST(descriptors_streams_timers_and_blocking_calls_work_in_a_guest)
{
    struct fds f;
    leat_guest *g;
    CHECK(pipe(f.fd) == 0);
    CHECK_EQ(leat_guest_start(&g, NULL, outside, f), LEAT_OK);
    host(g, LEAT_MS(1));
    leat_err e = leat_guest_end(g);
    if (e != LEAT_OK)
        t_fail(__FILE__, __LINE__, "%s: %s", leat_err_name(e), leat_err_detail());
    close(f.fd[0]);
    close(f.fd[1]);
}

/* Two guests of one thread, that talk to each other, and a runtime of its own beside them. */
static leat_err echo_n(int *n)
{
    for (int i = 0, v = 0; i < *n; i++) {
        LEAT_TRY(leat_recv(to, &v));
        LEAT_TRY(leat_send(from, v));
    }
    return LEAT_OK;
}
static leat_err asks_n(int *n)
{
    for (int i = 0, v = 0; i < *n; i++) {
        LEAT_TRY(leat_send(to, i));
        LEAT_TRY(leat_recv(from, &v));
        CHECK_EQ(v, i);
    }
    return LEAT_OK;
}
static void *runs_echo(void *arg)
{
    CHECK_EQ(leat_run(&(leat_opts){ .workers = 2 }, echo_n, *(int *)arg), LEAT_OK);
    return NULL;
}
TEST(two_guests_of_one_thread_and_a_guest_and_a_runtime_talk)
{
    int n = quick() ? 50 : 500;
    leat_guest *a, *b;
    pthread_t t;
    to = leat_chan_make(int, 0);
    from = leat_chan_make(int, 0);
    CHECK_EQ(leat_guest_start(&a, NULL, asks_n, n), LEAT_OK);
    CHECK_EQ(leat_guest_start(&b, NULL, echo_n, n), LEAT_OK);
    for (leat_err x = LEAT_OK, y = LEAT_OK; x == LEAT_OK || y == LEAT_OK; ) {
        struct pollfd p[2] = { { leat_guest_fd(a), POLLIN, 0 }, { leat_guest_fd(b), POLLIN, 0 } };
        CHECK(poll(p, 2, -1) > 0);
        if (p[0].revents)
            x = leat_guest_step(a, LEAT_MS(1));
        if (p[1].revents)
            y = leat_guest_step(b, LEAT_MS(1));
    }
    CHECK_EQ(leat_guest_end(b), LEAT_OK);
    CHECK_EQ(leat_sleep(LEAT_NS(1)), LEAT_INVAL);    /* still the host of one */
    CHECK_EQ(leat_guest_end(a), LEAT_OK);
    CHECK_EQ(leat_guest_start(&a, NULL, asks_n, n), LEAT_OK);
    CHECK(pthread_create(&t, NULL, runs_echo, &n) == 0);
    host(a, LEAT_MS(1));
    CHECK_EQ(leat_guest_end(a), LEAT_OK);
    pthread_join(t, NULL);
    leat_unref(to);
    leat_unref(from);
}

T_MAIN()
