/* child_test.c - other programs: what they are given, what comes back, how they end, and that nothing is left of them. */
#include "leat.h"
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>
#include "t.h"

static int rounds(int n) { return getenv("T_QUICK") ? (n + 9) / 10 : n; }

static int descriptors(void)
{
    int n = 0;
    for (int fd = 0; fd < 256; fd++)
        n += fcntl(fd, F_GETFD) >= 0;
    return n;
}

static void no_child_is_left(void)
{
    CHECK(waitpid(-1, NULL, WNOHANG) < 0 && errno == ECHILD);
}

static void run(leat_err (*fn)(leat_none *))
{
    for (uint32_t w = 1; w <= 2; w++) {
        int before = descriptors();
        setenv("LEAT_POLL", w == 1 ? "epoll" : "io_uring", 1);
        leat_err e = leat_run(&(leat_opts){ .workers = w }, fn, LEAT_NONE);
        if (e != LEAT_OK)
            t_fail(__FILE__, __LINE__, "%u workers: %s: %s", w, leat_err_name(e), leat_err_detail());
        no_child_is_left();
        CHECK_EQ(descriptors(), before);
    }
}

#define IN_A_TASK(name) \
    static leat_err name##_in(leat_none *none); \
    TEST(name) { run(name##_in); } \
    static leat_err name##_in(leat_none *none __attribute__((unused)))

#define SH(text) ((const char *[]){ "sh", "-c", text, NULL })

/* All that c gives, as a string; c is closed. */
static leat_err text_of(leat_conn *c, char *buf, size_t cap)
{
    size_t n = 0, k;
    leat_err e;
    while ((e = leat_read(c, buf + n, cap - 1 - n, &k)) == LEAT_OK)
        n += k;
    buf[n] = 0;
    leat_conn_close(c);
    return e == LEAT_CLOSED ? LEAT_OK : e;
}

/* Runs it; its output is in buf, how it ended in *x. */
static leat_err output_of(leat_spawn_opts o, char *buf, size_t cap, leat_exit *x)
{
    leat_child *c;
    leat_conn *out;
    o.out = &out;
    LEAT_TRY(leat_spawn(&o, &c));
    LEAT_TRY(text_of(out, buf, cap));
    LEAT_TRY(leat_child_wait(c, x));
    leat_child_close(c);
    return LEAT_OK;
}

IN_A_TASK(a_child_has_its_output_and_its_exit)
{
    char buf[256];
    leat_exit x = { -1, -1 };
    LEAT_TRY(output_of((leat_spawn_opts){ .argv = SH("echo out; echo err >&2; exit 3"), .flags = LEAT_SPAWN_ERR_TO_OUT }, buf, sizeof buf,
        &x));
    CHECK_STR(buf, "out\nerr\n");
    CHECK(x.code == 3 && x.signo == 0);
    LEAT_TRY(output_of((leat_spawn_opts){ .argv = SH("kill -KILL $$") }, buf, sizeof buf, &x));
    CHECK(x.code == 0 && x.signo == SIGKILL);
    LEAT_TRY(output_of((leat_spawn_opts){ .argv = SH("read x; echo [$x]; echo lost >&2"),
        .flags = LEAT_SPAWN_NO_IN | LEAT_SPAWN_NO_ERR }, buf, sizeof buf, &x));
    CHECK_STR(buf, "[]\n");
    return LEAT_OK;
}

IN_A_TASK(a_child_has_its_environment_and_its_directory)
{
    char buf[256];
    leat_exit x;
    setenv("OURS", "1", 1);
    LEAT_TRY(output_of((leat_spawn_opts){ .argv = SH("echo $OURS $ITS; pwd"), .cwd = "/" }, buf, sizeof buf, &x));
    CHECK_STR(buf, "1\n/\n");
    LEAT_TRY(output_of((leat_spawn_opts){ .argv = SH("echo $OURS $ITS"), .env = (const char *[]){ "ITS=2", NULL } }, buf, sizeof buf, &x));
    CHECK_STR(buf, "2\n");
    return LEAT_OK;
}

struct feed { leat_conn *c; size_t n; };
static leat_err feeds(struct feed *f)
{
    char buf[5000];
    for (size_t done = 0, k; done < f->n; done += k) {
        k = f->n - done < sizeof buf ? f->n - done : sizeof buf;
        for (size_t i = 0; i < k; i++)
            buf[i] = (char)((done + i) * 13 >> 2);
        LEAT_TRY(leat_write(f->c, buf, k));
    }
    leat_conn_close(f->c);
    return LEAT_OK;
}

IN_A_TASK(much_goes_through_a_child_both_ways_at_once)
{
    leat_child *c;
    leat_conn *in, *out;
    leat_exit x;
    leat_err err;
    static char buf[30000];
    size_t all = (size_t)rounds(8 << 20), n = 0, k;
    LEAT_TRY(leat_spawn(&(leat_spawn_opts){ .argv = (const char *[]){ "cat", NULL }, .in = &in, .out = &out }, &c));
    leat_with_group(g, err) {
        leat_err e;
        LEAT_TRY(leat_go(&g, feeds, (struct feed){ in, all }));
        while ((e = leat_read(out, buf, sizeof buf, &k)) == LEAT_OK)
            for (size_t i = 0; i < k; i++, n++)
                if (buf[i] != (char)(n * 13 >> 2))
                    t_fail(__FILE__, __LINE__, "byte %zu is wrong", n);
        CHECK_EQ(e, LEAT_CLOSED);
    }
    CHECK_EQ(n, all);
    LEAT_TRY(leat_child_wait(c, &x));
    CHECK(x.code == 0 && x.signo == 0);
    leat_conn_close(out);
    leat_child_close(c);
    return err;
}

IN_A_TASK(what_keeps_a_program_from_running_is_an_error_that_names_it)
{
    leat_child *c = NULL;
    leat_conn *out = NULL;
    const char *no[] = { "no-such-program-here", NULL }, *folder[] = { "/", NULL }, *sh[] = { "sh", NULL };
    CHECK_EQ(leat_spawn(&(leat_spawn_opts){ .argv = no, .out = &out }, &c), LEAT_SYS);
    CHECK_EQ(leat_err_sys(), ENOENT);
    CHECK_HAS(leat_err_detail(), "no-such-program-here");
    CHECK_EQ(leat_spawn(&(leat_spawn_opts){ .argv = folder }, &c), LEAT_SYS);
    CHECK_EQ(leat_err_sys(), EACCES);
    CHECK_EQ(leat_spawn(&(leat_spawn_opts){ .argv = sh, .cwd = "/no/such/folder" }, &c), LEAT_SYS);
    CHECK_EQ(leat_err_sys(), ENOENT);
    CHECK_HAS(leat_err_detail(), "/no/such/folder");
    CHECK_EQ(leat_spawn(&(leat_spawn_opts){ .argv = NULL }, &c), LEAT_INVAL);
    CHECK_EQ(leat_spawn(&(leat_spawn_opts){ .argv = sh, .out = &out, .flags = LEAT_SPAWN_NO_OUT }, &c), LEAT_INVAL);
    CHECK_EQ(leat_spawn(&(leat_spawn_opts){ .argv = sh, .flags = 1u << 20 }, &c), LEAT_INVAL);
    signal(SIGCHLD, SIG_IGN);
    CHECK_EQ(leat_spawn(&(leat_spawn_opts){ .argv = sh }, &c), LEAT_INVAL);
    CHECK_HAS(leat_err_detail(), "SIGCHLD");
    signal(SIGCHLD, SIG_DFL);
    CHECK(!c && !out);
    return LEAT_OK;
}

static void caught(int signo) { (void)signo; }

IN_A_TASK(a_child_has_three_descriptors_and_no_signal_of_ours)
{
    char buf[512], *mask;
    leat_exit x;
    int leaky[20];
    sigset_t all, old;
    for (int i = 0; i < 20; i++)
        leaky[i] = open("/dev/null", O_RDONLY);      /* not O_CLOEXEC, on purpose */
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &old);
    signal(SIGUSR1, caught);
    LEAT_TRY(output_of((leat_spawn_opts){ .argv = (const char *[]){ "ls", "/proc/self/fd", NULL } }, buf, sizeof buf, &x));
    CHECK_STR(buf, "0\n1\n2\n3\n");                  /* 3 is ls's own, of the directory */
    LEAT_TRY(output_of((leat_spawn_opts){ .argv = (const char *[]){ "grep", "-E", "Sig(Blk|Cgt)", "/proc/self/status", NULL } }, buf,
        sizeof buf, &x));
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    signal(SIGUSR1, SIG_DFL);
    CHECK((mask = strstr(buf, "SigBlk:")) && strncmp(mask + 8, "0000000000000000", 16) == 0);
    for (int i = 0; i < 20; i++)
        close(leaky[i]);
    return LEAT_OK;
}

/* Says "ready" when it runs; TERM does nothing to it if it is deaf. */
static leat_err sleeper(bool deaf, leat_dur grace, leat_child **c)
{
    leat_conn *out;
    char buf[6];
    size_t n;
    LEAT_TRY(leat_spawn((&(leat_spawn_opts){ .argv = SH(deaf ? "trap '' TERM; echo ready; exec sleep 1000" : "echo ready; exec sleep 1000"),
        .out = &out, .grace = grace }), c));
    LEAT_TRY(leat_read_full(out, buf, 6, &n));
    leat_conn_close(out);
    return LEAT_OK;
}

struct waits { leat_child *c; leat_exit x; };
static leat_err waits(struct waits *w) { return leat_child_wait(w->c, &w->x); }

IN_A_TASK(a_cancel_or_a_deadline_asks_a_child_to_end_and_then_makes_it)
{
    for (int deaf = 0; deaf < 2; deaf++) {
        leat_child *c;
        leat_exit x = { -1, -1 };
        leat_err err = LEAT_OK;
        LEAT_TRY(sleeper(deaf, deaf ? LEAT_MS(20) : LEAT_S(50), &c));
        leat_with_deadline(LEAT_MS(5))
            err = leat_child_wait(c, &x);
        CHECK_EQ(err, LEAT_DEADLINE);
        CHECK_HAS(leat_err_detail(), "was ended");
        CHECK(x.code == 0 && x.signo == (deaf ? SIGKILL : SIGTERM));
        LEAT_TRY(leat_child_wait(c, &x));            /* as often as one likes */
        leat_child_close(c);

        LEAT_TRY(sleeper(deaf, deaf ? LEAT_MS(20) : LEAT_S(50), &c));
        leat_with_group(g, err) {
            LEAT_TRY(leat_go(&g, waits, (struct waits){ c, { 0, 0 } }));
            LEAT_TRY(leat_go(&g, waits, (struct waits){ c, { 0, 0 } }));
            leat_yield();
            leat_group_cancel(&g);
        }
        CHECK_EQ(err, LEAT_CANCELED);
        LEAT_TRY(leat_child_try_wait(c, &x));
        CHECK_EQ(x.signo, deaf ? SIGKILL : SIGTERM);
        leat_child_close(c);
    }
    return LEAT_OK;
}

IN_A_TASK(a_child_is_selected_on_killed_and_looked_at)
{
    leat_child *c;
    leat_exit x;
    leat_err err;
    int got = 0;
    LEAT_TRY(sleeper(false, LEAT_S(50), &c));
    CHECK_EQ(leat_child_try_wait(c, &x), LEAT_AGAIN);
    leat_select(err) {
        leat_on_fd(leat_child_fd(c), LEAT_READ) { got = 1; }
        leat_on_after(LEAT_MS(2)) { got = 2; }
    }
    CHECK(err == LEAT_OK && got == 2);
    CHECK_EQ(leat_child_kill(c, 1000), LEAT_INVAL);
    LEAT_TRY(leat_child_kill(c, 0));
    LEAT_TRY(leat_child_kill(c, SIGUSR1));
    leat_select(err) { leat_on_fd(leat_child_fd(c), LEAT_READ) { got = 3; } }
    CHECK(err == LEAT_OK && got == 3);
    LEAT_TRY(leat_child_wait(c, &x));
    CHECK_EQ(x.signo, SIGUSR1);
    LEAT_TRY(leat_child_kill(c, SIGUSR1));            /* it has ended: nobody is meant */
    leat_child_close(c);
    return LEAT_OK;
}

IN_A_TASK(a_close_ends_a_child_and_its_group)
{
    leat_child *c;
    leat_conn *out;
    char buf[64];
    size_t n;
    LEAT_TRY(sleeper(true, LEAT_S(50), &c));
    leat_child_close(c);
    leat_child_close(NULL);
    LEAT_TRY(leat_spawn(&(leat_spawn_opts){ .argv = SH("sleep 1000 & echo ready; wait"), .out = &out, .flags = LEAT_SPAWN_GROUP }, &c));
    LEAT_TRY(leat_read_full(out, buf, 6, &n));
    leat_child_close(c);
    CHECK_EQ(leat_read(out, buf, 1, &n), LEAT_CLOSED);       /* the one in the background held the pipe too */
    leat_conn_close(out);
    return LEAT_OK;
}

IN_A_TASK(a_child_that_dies_breaks_its_pipe_and_nothing_else)
{
    leat_child *c;
    leat_conn *in;
    leat_exit x;
    leat_err e = LEAT_OK;
    char buf[4096] = { 0 };
    LEAT_TRY(leat_spawn(&(leat_spawn_opts){ .argv = SH("exit 7"), .in = &in }, &c));
    while (e == LEAT_OK)
        e = leat_write(in, buf, sizeof buf);         /* EPIPE, and no SIGPIPE */
    CHECK(e == LEAT_CLOSED || (e == LEAT_SYS && leat_err_sys() == EPIPE));
    LEAT_TRY(leat_child_wait(c, &x));
    CHECK_EQ(x.code, 7);
    leat_conn_close(in);
    leat_child_close(c);
    return LEAT_OK;
}

struct spawns { int n; };
static leat_err spawns(struct spawns *s)
{
    for (int i = 0; i < s->n; i++) {
        char buf[32];
        leat_exit x;
        leat_child *c;
        LEAT_TRY(output_of((leat_spawn_opts){ .argv = SH("echo hello; exit 5") }, buf, sizeof buf, &x));
        CHECK_STR(buf, "hello\n");
        CHECK_EQ(x.code, 5);
        CHECK_EQ(leat_spawn(&(leat_spawn_opts){ .argv = (const char *[]){ "no-such-program", NULL } }, &c), LEAT_SYS);
    }
    return LEAT_OK;
}

static void *spawns_outside(void *arg)
{
    CHECK_EQ(spawns(arg), LEAT_OK);
    leat_child *c;
    leat_exit x;
    leat_err e = LEAT_OK;
    CHECK_EQ(sleeper(true, LEAT_MS(10), &c), LEAT_OK);
    leat_with_deadline(LEAT_MS(2))
        e = leat_child_wait(c, &x);
    CHECK(e == LEAT_DEADLINE && x.signo == SIGKILL);
    leat_child_close(c);
    return NULL;
}

IN_A_TASK(tasks_and_threads_start_programs_at_once)
{
    leat_err err;
    struct spawns few = { rounds(10) };
    pthread_t t;
    CHECK_EQ(pthread_create(&t, NULL, spawns_outside, &few), 0);
    leat_with_group(g, err)
        for (int i = 0; i < 4; i++)
            LEAT_TRY(leat_go(&g, spawns, few));
    pthread_join(t, NULL);
    return err;
}

/* Its end needs no task, so a guest's thread may wait for it. */
static leat_err nothing(leat_none *none) { (void)none; return LEAT_OK; }

TEST(a_child_that_runs_is_ended_on_the_thread_of_a_guest_and_leaves_nothing)
{
    leat_guest *g;
    leat_child *c;
    leat_exit x;
    CHECK_EQ(leat_guest_start(&g, NULL, nothing, LEAT_NONE), LEAT_OK);
    const char *argv[] = { "sleep", "1000", NULL };
    int before = descriptors();
    CHECK_EQ(leat_spawn(&(leat_spawn_opts){ .argv = argv }, &c), LEAT_OK);
    CHECK_EQ(leat_child_wait(c, &x), LEAT_INVAL);    /* it would wait; the child runs */
    CHECK_EQ(leat_child_try_wait(c, &x), LEAT_AGAIN);
    leat_child_close(c);
    no_child_is_left();
    CHECK_EQ(descriptors(), before);
    CHECK_EQ(leat_guest_end(g), LEAT_OK);
}

T_MAIN()
