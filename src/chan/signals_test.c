/* signals_test.c - signals come as values. */
#include <pthread.h>
#include "leat.h"
#include "plat/signals.h"
#include "t.h"

static int rounds(int n) { return getenv("T_QUICK") ? n / 10 : n; }

static void run(leat_err (*fn)(leat_none *))
{
    static const char *const polls[] = { "epoll", "io_uring" };
    for (int i = 0; i < 6; i++) {
        setenv("LEAT_POLL", polls[i / 3], 1);
        leat_err e = leat_run(&(leat_opts){ .workers = (uint32_t)i % 3 + 1 }, fn, LEAT_NONE);
        if (e != LEAT_OK)
            t_fail(__FILE__, __LINE__, "%s: %s: %s", polls[i / 3], leat_err_name(e), leat_err_detail());
    }
}
#define RUN(name) \
    static leat_err name##_in(leat_none *a); \
    TEST(name) { run(name##_in); } \
    static leat_err name##_in(leat_none *none_ __attribute__((unused)))

static bool is_default(int signo)
{
    struct sigaction now;
    CHECK_EQ(sigaction(signo, NULL, &now), 0);
    return now.sa_handler == SIG_DFL;
}

static void until_default(int signo)
{
    leat_time t0 = leat_now();
    while (!is_default(signo)) {
        CHECK(leat_since(t0).ns < 20 * INT64_C(1000000000));
        leat_yield();
    }
}

RUN(a_signal_comes_as_its_number)
{
    int v;
    leat_rx(int) s = leat_signals((int[]){ SIGUSR1, SIGUSR2 }, 2);
    CHECK(s != NULL);
    for (int i = 0; i < rounds(300); i++) {
        int signo = i % 3 ? SIGUSR1 : SIGUSR2;
        kill(getpid(), signo);
        LEAT_TRY(leat_recv(s, &v));
        CHECK_EQ(v, signo);
    }
    CHECK_EQ(leat_try_recv(s, &v), LEAT_AGAIN);
    leat_unref(s);
    until_default(SIGUSR1);
    until_default(SIGUSR2);
    return LEAT_OK;
}

RUN(receivers_are_independent_of_each_other)
{
    int v;
    leat_rx(int) a = leat_signals((int[]){ SIGUSR1 }, 1), b = leat_signals((int[]){ SIGUSR1, SIGHUP }, 2);
    kill(getpid(), SIGUSR1);
    LEAT_TRY(leat_recv(a, &v));
    CHECK_EQ(v, SIGUSR1);
    LEAT_TRY(leat_recv(b, &v));
    CHECK_EQ(v, SIGUSR1);
    leat_unref(a);
    kill(getpid(), SIGUSR1);
    LEAT_TRY(leat_recv(b, &v));
    kill(getpid(), SIGHUP);
    LEAT_TRY(leat_recv(b, &v));
    CHECK_EQ(v, SIGHUP);
    leat_unref(b);
    until_default(SIGUSR1);
    until_default(SIGHUP);
    return LEAT_OK;
}

RUN(a_select_waits_for_a_signal)
{
    leat_rx(int) s = leat_signals((int[]){ SIGWINCH }, 1);
    int v, got = 0;
    leat_err err;
    kill(getpid(), SIGWINCH);
    leat_select(err) {
        leat_on_recv(s, &v) { got = v; }
        leat_on_after(LEAT_S(30)) { got = -1; }
    }
    CHECK_EQ(got, SIGWINCH);
    leat_unref(s);
    return err;
}

RUN(what_does_not_fit_is_dropped)
{
    int v;
    leat_rx(int) s = leat_signals((int[]){ SIGWINCH }, 1);
    for (int i = 0; i < 200; i++)
        kill(getpid(), SIGWINCH);
    LEAT_TRY(leat_recv(s, &v));
    leat_unref(s);
    until_default(SIGWINCH);
    return LEAT_OK;
}

static leat_rx(int) kept;

static leat_err keeps(leat_none *a)
{
    (void)a;
    kept = leat_signals((int[]){ SIGUSR1 }, 1);
    CHECK(kept != NULL);
    CHECK(!is_default(SIGUSR1));
    return LEAT_OK;
}

static void mine(int signo) { (void)signo; }

TEST(the_end_of_the_runtime_gives_signals_back)
{
    int v;
    CHECK_EQ(leat_run(NULL, keeps, LEAT_NONE), LEAT_OK);
    CHECK(is_default(SIGUSR1));
    CHECK_EQ(leat_recv(kept, &v), LEAT_CLOSED);
    leat_unref(kept);
    struct sigaction act = { .sa_handler = mine }, now;
    CHECK_EQ(sigaction(SIGUSR1, &act, NULL), 0);
    CHECK_EQ(leat_run(NULL, keeps, LEAT_NONE), LEAT_OK);
    CHECK_EQ(sigaction(SIGUSR1, NULL, &now), 0);
    CHECK(now.sa_handler == mine);
    leat_unref(kept);
}

RUN(signals_that_cannot_be_received_are_refused)
{
    CHECK(leat_signals((int[]){ SIGUSR1, SIGKILL }, 2) == NULL);
    CHECK_HAS(leat_err_detail(), "signal 9");
    CHECK(leat_signals((int[]){ SIGSEGV }, 1) == NULL);
    CHECK(leat_signals((int[]){ 0 }, 1) == NULL);
    CHECK(leat_signals((int[]){ 1000 }, 1) == NULL);
    CHECK(is_default(SIGUSR1));
    return LEAT_OK;
}

RUN(there_is_a_limit_and_what_it_refused_leaves_nothing)
{
    enum { MANY = 65 };
    leat_rx(int) s[MANY];
    int n = 0;
    while (n < MANY && (s[n] = leat_signals((int[]){ SIGUSR2 }, 1)))
        n++;
    CHECK_EQ(n, 64);
    CHECK_HAS(leat_err_detail(), "64 receivers");
    while (n--)
        leat_unref(s[n]);
    until_default(SIGUSR2);
    return LEAT_OK;
}

/* leat_leaks reads what is kept for later, and stacks hold addresses. */
TEST(a_mask_that_is_kept_holds_nothing_of_a_stack)
{
    struct sigaction kept_mask;
    unsigned char b[sizeof kept_mask.sa_mask];
    memset(&kept_mask, 0xff, sizeof kept_mask);
    signals_tidy(&kept_mask);
    memcpy(b, &kept_mask.sa_mask, sizeof b);
    for (size_t i = 0; i < sizeof b; i++)
        CHECK_EQ(b[i], i < 8 ? 0xff : 0);
}

TEST(a_thread_that_is_no_task_cannot_receive_signals)
{
    CHECK(leat_signals((int[]){ SIGUSR1 }, 1) == NULL);
    CHECK(is_default(SIGUSR1));
}

T_MAIN()
