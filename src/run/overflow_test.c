/* overflow_test.c - a stack that is too small is named; other faults are what they were. */
#include "t.h"
#include "leat.h"
#undef errno
#include <setjmp.h>
#include "plat/mem.h"
#include "plat/san.h"
#include "run/sched.h"

static char err_text[1 << 15];

/* Runs fn in a process of its own; its standard error is err_text.  Returns the status of wait. */
static int apart(void (*fn)(void))
{
    int p[2], status = 0;
    size_t n = 0;
    CHECK(pipe(p) == 0);
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        dup2(p[1], STDERR_FILENO);
        close(p[0]);
        close(p[1]);
        fn();
        _exit(0);
    }
    close(p[1]);
    for (ssize_t k; (k = read(p[0], err_text + n, sizeof err_text - 1 - n)) > 0; )
        n += (size_t)k;
    err_text[n] = 0;
    close(p[0]);
    CHECK(waitpid(pid, &status, 0) == pid);
    return status;
}

/* Their own handlers end a process in their own way. */
static bool under_a_tool(void) { return SAN_ADDRESS || SAN_THREAD || san_on_valgrind(); }

static int (*volatile again)(int n, volatile char *up);

static __attribute__((noinline)) int deeper(int n, volatile char *up)
{
    volatile char here[256];
    here[0] = up[0];
    return n == 0 ? here[0] : again(n - 1, here) + here[0];
}

static leat_err deep(int *n)
{
    volatile char c = 0;
    leat_task_name("diver");
    again = deeper;
    return deeper(*n, &c) == 0 ? LEAT_OK : LEAT_INVAL;
}
static leat_err start(int *n)
{
    leat_err err;
    leat_with_group(g, err)
        LEAT_TRY(leat_go(&g, deep, *n));
    return err;
}

static void too_deep(void)
{
    leat_ignore(leat_run((&(leat_opts){ .workers = 1, .stack_bytes = 32 << 10 }), start, 1000000));
}
static void deep_enough(void)
{
    CHECK_EQ(leat_run((&(leat_opts){ .workers = 1, .stack_bytes = 1 << 20 }), start, 1000), LEAT_OK);
}

TEST(a_stack_overflow_names_the_task_its_site_and_its_size)
{
    int status = apart(too_deep);
    CHECK(under_a_tool() ? status != 0 : WIFSIGNALED(status) && (WTERMSIG(status) == SIGSEGV || WTERMSIG(status) == SIGBUS));
    CHECK_HAS(err_text, "leat: stack overflow in task deep \"diver\" started at ");
    CHECK_HAS(err_text, "overflow_test.c:");
    CHECK_HAS(err_text, ": it needs more than 32 KiB: ask for more (leat_opts.stack_bytes)");
    CHECK_HAS(err_text, "#1 deeper+0x");
    CHECK_HAS(err_text, "     and more");
}

TEST(a_stack_that_suffices_is_no_overflow)
{
    CHECK_EQ(apart(deep_enough), 0);
    CHECK(!strstr(err_text, "overflow"));
}

/* -- where no guard can be had --------------------------------------------------------------------------------------------- */
static leat_err past_the_end(leat_none *none)
{
    struct stack *s = task_self()->stack;
    (void)none;
    leat_task_name("diver");
    ((volatile char *)s->san.base)[-1] = 1;          /* as a frame that went a little too far would */
    return LEAT_OK;
}
static leat_err start_past(leat_none *none)
{
    leat_err err;
    leat_with_group(g, err)
        LEAT_TRY(leat_go(&g, past_the_end, *none));
    return err;
}
static void without_guards(void)
{
    plat_mem_no_guards();
    leat_ignore(leat_run((&(leat_opts){ .workers = 1, .stack_bytes = 32 << 10 }), start_past, LEAT_NONE));
}
static void without_guards_and_fault(void)
{
    plat_mem_no_guards();
    CHECK_EQ(leat_run((&(leat_opts){ .workers = 2, .stack_bytes = 1 << 20 }), start, 1000), LEAT_OK);
}

TEST(without_a_guard_an_overflow_is_found_when_the_task_ends)
{
    int status = apart(without_guards);
    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
    CHECK_HAS(err_text, "leat: stack overflow in task past_the_end \"diver\" started at ");
    CHECK_HAS(err_text, ": it has ended, and what lies below its 32 KiB was overwritten");
    CHECK_EQ(apart(without_guards_and_fault), 0);
}

/* -- other faults ------------------------------------------------------------------------------------------------------------ */
static volatile int *volatile nowhere;
static leat_err faults(leat_none *none) { (void)none; return *nowhere ? LEAT_OK : LEAT_INVAL; }
static void fault_by_default(void)
{
    signal(SIGSEGV, SIG_DFL);
    leat_ignore(leat_run(&(leat_opts){ .workers = 1 }, faults, LEAT_NONE));
}
static void own_handler(int s, siginfo_t *i, void *u)
{
    (void)u;
    _exit(s == SIGSEGV && i->si_addr == (void *)nowhere ? 42 : 43);
}
static void fault_with_a_handler(void)
{
    struct sigaction act;
    memset(&act, 0, sizeof act);
    act.sa_sigaction = own_handler;
    act.sa_flags = SA_SIGINFO;
    sigaction(SIGSEGV, &act, NULL);
    leat_ignore(leat_run(&(leat_opts){ .workers = 1 }, faults, LEAT_NONE));
}
static leat_err sends_it(leat_none *none) { (void)none; raise(SIGSEGV); return LEAT_OK; }
static void sent_by_default(void)
{
    signal(SIGSEGV, SIG_DFL);
    leat_ignore(leat_run(&(leat_opts){ .workers = 1 }, sends_it, LEAT_NONE));
}

TEST(other_faults_end_as_they_did_before)
{
    if (san_on_valgrind())                           /* the faulting instruction is not tried again there when a handler has returned */
        return;
    int status = apart(fault_by_default);
    CHECK(under_a_tool() ? status != 0 : WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
    CHECK(!strstr(err_text, "leat: stack overflow"));
    status = apart(fault_with_a_handler);
    CHECK(under_a_tool() ? status != 0 : WIFEXITED(status) && WEXITSTATUS(status) == 42);
    status = apart(sent_by_default);
    CHECK(under_a_tool() ? status != 0 : WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
}

static leat_err nothing(leat_none *none) { (void)none; return LEAT_OK; }
TEST(what_was_installed_comes_back_when_the_runtime_ends)
{
    struct sigaction act, now;
    memset(&act, 0, sizeof act);
    act.sa_sigaction = own_handler;
    act.sa_flags = SA_SIGINFO;
    CHECK(sigaction(SIGSEGV, &act, NULL) == 0);
    CHECK_EQ(leat_run(&(leat_opts){ .workers = 1 }, nothing, LEAT_NONE), LEAT_OK);
    CHECK(sigaction(SIGSEGV, NULL, &now) == 0 && now.sa_sigaction == own_handler);
}

T_MAIN()
