/* dump_test.c - what leat_dump says of tasks: names, sites, groups, waits, and the calls that parked, running and ready tasks are in. */
#include "t.h"
#include "leat.h"
#undef errno
#include <fcntl.h>
#include <sched.h>
#include "plat/san.h"
#include "run/sched.h"

static char text[1 << 16];

static const char *dump(void)
{
    int p[2];
    size_t n = 0;
    CHECK(pipe(p) == 0);
    CHECK(fcntl(p[1], F_SETPIPE_SZ, 1 << 16) > 0);
    leat_dump(p[1]);
    close(p[1]);
    for (ssize_t k; (k = read(p[0], text + n, sizeof text - 1 - n)) > 0; )
        n += (size_t)k;
    close(p[0]);
    text[n] = 0;
    return text;
}

/* The lines of the task that was started with this function, up to the next task. */
static const char *part(const char *name)
{
    static char got[4096];
    char head[64];
    snprintf(head, sizeof head, "task %s ", name);
    const char *at = strstr(text, head), *end = at ? strstr(at + 1, "\ntask ") : NULL;
    if (!at)
        t_fail(__FILE__, __LINE__, "no task %s in: %s", name, text);
    snprintf(got, sizeof got, "%.*s", (int)(end ? end - at : (ptrdiff_t)strlen(at)), at);
    return got;
}

#define PARKED(t) while (!(at_load(&(t)->park) == PARK_WAIT && at_load_acq(&(t)->sp))) leat_yield()

static struct task *_Atomic who[8];

static __attribute__((noinline)) leat_err inner(leat_chan(int) c)
{
    int v = 0;
    leat_err e = leat_recv(c, &v);
    __asm__ volatile("" : "+r"(e));                  /* no tail call: the frame is to be seen */
    return e;
}

struct arg { leat_chan(int) c; leat_chan(int) full; leat_mutex *m; leat_chan(int) own; };

static leat_err receiver(struct arg *a)
{
    at_store_rel(&who[0], task_self());
    leat_task_name("the one that receives and has a long name");
    return inner(a->c) == LEAT_CLOSED ? LEAT_OK : LEAT_INVAL;
}
static leat_err sender(struct arg *a)
{
    at_store_rel(&who[1], task_self());
    leat_ignore(leat_send(a->full, 2));
    return LEAT_OK;
}
static leat_err chooser(struct arg *a)
{
    leat_err err;
    int v = 0, w = 1;
    at_store_rel(&who[2], task_self());
    leat_select(err) {
        leat_on_recv(a->c, &v) { }
        leat_on_send(a->full, &w) { }
        leat_on_after(LEAT_S(1000)) { }
    }
    leat_ignore(err);
    return LEAT_OK;
}
static leat_err locker(struct arg *a)
{
    leat_err err;
    at_store_rel(&who[3], task_self());
    leat_with_lock(a->m, err) { }
    return err;
}
static leat_err sleeper(struct arg *a)
{
    (void)a;
    at_store_rel(&who[4], task_self());
    leat_ignore(leat_sleep(LEAT_S(1000)));
    return LEAT_OK;
}
static leat_err child(struct arg *a) { return leat_recv(a->own, &(int){ 0 }); }
static leat_err parent(struct arg *a)
{
    leat_err err;
    at_store_rel(&who[5], task_self());
    leat_with_group(g, err)
        LEAT_TRY(leat_go(&g, child, *a));
    return err == LEAT_CLOSED ? LEAT_OK : err;
}
static leat_err fresh(struct arg *a) { (void)a; return LEAT_OK; }

static leat_err all_kinds(leat_none *none)
{
    leat_err err;
    leat_mutex m = { 0 };
    (void)none;
    leat_auto leat_chan(int) c = leat_chan_make(int, 3);
    leat_auto leat_chan(int) full = leat_chan_make(int, 1);
    leat_auto leat_chan(int) own = leat_chan_make(int, 0);
    LEAT_TRY(leat_send(full, 1));
    LEAT_TRY(leat_lock(&m));
    struct arg a = { c, full, &m, own };
    leat_with_group(g, err) {
        LEAT_TRY(leat_go(&g, receiver, a));
        LEAT_TRY(leat_go(&g, sender, a));
        LEAT_TRY(leat_go(&g, chooser, a));
        LEAT_TRY(leat_go(&g, locker, a));
        LEAT_TRY(leat_go(&g, sleeper, a));
        LEAT_TRY(leat_go(&g, parent, a));
        for (int i = 0; i < 5; i++) {
            while (!at_load_acq(&who[i]))
                leat_yield();
            PARKED(at_load(&who[i]));
        }
        while (!at_load_acq(&who[5]) || at_load(&who[5]->park) != PARK_PLAIN || !at_load_acq(&who[5]->sp))
            leat_yield();
        LEAT_TRY(leat_go(&g, fresh, a));
        dump();
        leat_unlock(&m);
        leat_close(c);
        leat_close(own);
        leat_group_cancel(&g);
    }
    leat_ignore(err);
    return LEAT_OK;
}

TEST(a_dump_says_of_each_task_where_it_was_started_and_what_it_waits_for)
{
    CHECK_EQ(leat_run(&(leat_opts){ .workers = 1 }, all_kinds, LEAT_NONE), LEAT_OK);
    CHECK_HAS(part("receiver"), "task receiver \"the one that receives a\" started at ");
    CHECK_HAS(part("receiver"), "src/run/dump_test.c:");
    CHECK_HAS(part("receiver"), ", group 0x");
    CHECK_HAS(part("receiver"), " s it receives from channel 0x");
    CHECK_HAS(part("receiver"), "(0 of 3 queued)");
    CHECK_HAS(part("sender"), "it sends to channel 0x");
    CHECK_HAS(part("sender"), "(1 of 1 queued)");
    CHECK_HAS(part("chooser"), "it waits in a select: receives from channel 0x");
    CHECK_HAS(part("chooser"), ", or sends to channel 0x");
    CHECK_HAS(part("chooser"), ", at most ");
    CHECK_HAS(part("locker"), "it waits for mutex 0x");
    CHECK_HAS(part("sleeper"), "it sleeps, at most ");
    CHECK_HAS(part("parent"), "it waits for the tasks of group 0x");
    CHECK_HAS(part("parent"), ": 1 have not ended");
    CHECK_HAS(part("all_kinds"), "runs on worker 0");
    CHECK_HAS(part("fresh"), "not begun");
}

/* Functions are named by symbols, which every build has; how many runtime frames are above is none of the test's business. */
TEST(a_dump_shows_the_calls_of_parked_and_running_tasks)
{
    CHECK_EQ(leat_run(&(leat_opts){ .workers = 1 }, all_kinds, LEAT_NONE), LEAT_OK);
    const char *got = part("receiver"), *at = strstr(got, " inner+0x");
    CHECK(strstr(got, " #0 ") && at && (at = strstr(at, " receiver+0x")) && strstr(at, " task_main+0x"));
    CHECK_HAS(got, "(run_dump_test+0x");
    CHECK_HAS(part("chooser"), " chooser+0x");
    CHECK_HAS(part("locker"), " locker+0x");
    CHECK_HAS(part("parent"), " parent+0x");
    got = part("all_kinds");
    CHECK(strstr(got, " leat_dump+0x") && strstr(got, " all_kinds+0x"));
    CHECK(!strstr(part("fresh"), "#0"));
}

/* -- a task that runs on another thread ---------------------------------------------------------------------------------- */
static _Atomic int spins, enough;

static __attribute__((noinline)) void turn_round(void)
{
    at_store_rel(&spins, 1);
    while (!at_load_acq(&enough))
        cpu_pause();
}
static leat_err spinner(leat_none *none) { (void)none; turn_round(); return LEAT_OK; }

static leat_err beside(leat_none *none)
{
    leat_err err;
    leat_with_group(g, err) {
        LEAT_TRY(leat_go(&g, spinner, *none));
        while (!at_load_acq(&spins))
            leat_yield();
        for (int i = 0; i < 50; i++)                 /* on a machine under load it may not answer in time */
            if (strstr(dump(), " turn_round+0x"))
                break;
        at_store_rel(&enough, 1);
    }
    return err;
}

TEST(a_dump_shows_where_a_task_on_another_thread_is)
{
    CHECK_EQ(leat_run(&(leat_opts){ .workers = 2 }, beside, LEAT_NONE), LEAT_OK);
    CHECK_HAS(part("spinner"), "runs on worker ");
    if (!SAN_THREAD)                                 /* which delays handlers until the next library call */
        CHECK_HAS(part("spinner"), " turn_round+0x");
}

/* -- any time, from a handler -------------------------------------------------------------------------------------------- */
static void on_signal(int s) { (void)s; leat_dump(STDOUT_FILENO); }

static leat_err pong(struct arg *a)
{
    int v = 0;
    leat_err e = LEAT_OK;
    while (e == LEAT_OK && (e = leat_recv(a->c, &v)) == LEAT_OK)
        e = leat_send(a->own, v);
    return LEAT_OK;
}
static leat_err ping(leat_none *none)
{
    leat_err err;
    int v = 0, rounds = getenv("T_QUICK") ? 300 : 3000;
    (void)none;
    leat_auto leat_chan(int) there = leat_chan_make(int, 0);
    leat_auto leat_chan(int) back = leat_chan_make(int, 0);
    struct arg a = { there, NULL, NULL, back };
    leat_with_group(g, err) {
        LEAT_TRY(leat_go(&g, pong, a));
        for (int i = 0; i < rounds; i++) {
            if (i % 50 == 0)
                raise(SIGUSR1);
            LEAT_TRY(leat_send(there, i));
            if (i % 50 == 25)
                raise(SIGUSR1);
            LEAT_TRY(leat_recv(back, &v));
            CHECK_EQ(v, i);
        }
        leat_close(there);
    }
    return err;
}

TEST(a_dump_from_a_handler_harms_nothing_at_any_moment)
{
    struct sigaction act;
    memset(&act, 0, sizeof act);
    act.sa_handler = on_signal;
    act.sa_flags = SA_RESTART | SA_ONSTACK;
    CHECK(sigaction(SIGUSR1, &act, NULL) == 0);
    int null = open("/dev/null", O_WRONLY), out = dup(STDOUT_FILENO);
    fflush(stdout);
    dup2(null, STDOUT_FILENO);
    CHECK_EQ(leat_run(&(leat_opts){ .workers = 2 }, ping, LEAT_NONE), LEAT_OK);
    dup2(out, STDOUT_FILENO);
}

/* -- a signal from outside ----------------------------------------------------------------------------------------------- */
static leat_err asks_for_it(leat_none *none) { (void)none; raise(SIGUSR2); return LEAT_OK; }

TEST(a_signal_that_is_asked_for_dumps_to_standard_error)
{
    int p[2], err = dup(STDERR_FILENO);
    CHECK(pipe(p) == 0);
    setenv("LEAT_DUMP_SIGNAL", "USR2", 1);
    dup2(p[1], STDERR_FILENO);
    CHECK_EQ(leat_run(&(leat_opts){ .workers = 1 }, asks_for_it, LEAT_NONE), LEAT_OK);
    dup2(err, STDERR_FILENO);
    close(p[1]);
    size_t n = 0;
    for (ssize_t k; (k = read(p[0], text + n, sizeof text - 1 - n)) > 0; )
        n += (size_t)k;
    text[n] = 0;
    CHECK_HAS(part("asks_for_it"), "runs on worker 0");
}

TEST(a_signal_that_the_program_uses_is_left_to_it)
{
    setenv("LEAT_DUMP_SIGNAL", "USR2", 1);
    signal(SIGUSR2, SIG_IGN);
    CHECK_EQ(leat_run(&(leat_opts){ .workers = 1 }, asks_for_it, LEAT_NONE), LEAT_OK);
    CHECK(signal(SIGUSR2, SIG_DFL) == SIG_IGN);
}

T_MAIN()
