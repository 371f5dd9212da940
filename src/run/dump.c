/* dump.c - leat_dump, and what a program asks for with LEAT_DUMP_SIGNAL.  Async-signal-safe: it takes no lock and allocates nothing,
 * so it reads records that change meanwhile.  They and the stacks stay mapped as long as their runtime lives. */
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "run/report.h"
#include "run/rt.h"
#include "run/sched.h"
#include "run/stack.h"

static void dump_task(struct task *t, void *arg)
{
    struct report *r = arg;
    report_task(r, t);
    report_task_stack(r, t);
}

void leat_dump(int fd)
{
    struct report r;
    report_open(&r, fd);
    for (struct rt *rt = rt_first(); rt; rt = rt->next)
        slabs_each_task(rt, dump_task, &r);
    report_close(&r);
}

void leat_task_name(const char *name)
{
    struct worker *w = worker_self();
    if (!w || w->cur == &w->sched)
        return;
    struct stack *k = w->cur->stack;
    size_t n = name ? strnlen(name, sizeof k->name - 1) : 0;
    k->marks |= STACK_NAMED;
    memcpy(k->name, name ? name : "", n);
    k->name[n] = 0;
}

/* -- LEAT_DUMP_SIGNAL ---------------------------------------------------------------------------------------------------- */
static void on_signal(int signo)
{
    (void)signo;
    leat_dump(STDERR_FILENO);
}

static int signal_named(const char *s)
{
    static const struct { const char *name; int signo; } known[] = { { "QUIT", SIGQUIT }, { "USR1", SIGUSR1 }, { "USR2", SIGUSR2 } };
    if (strncmp(s, "SIG", 3) == 0)
        s += 3;
    for (size_t i = 0; i < ARRAY_LEN(known); i++)
        if (strcmp(s, known[i].name) == 0)
            return known[i].signo;
    int n = atoi(s);
    return n > 0 && n < NSIG ? n : 0;
}

static void once_signal(void)
{
    const char *env = getenv("LEAT_DUMP_SIGNAL");
    struct sigaction act, old;
    if (!env || !*env)
        return;
    int signo = signal_named(env);
    if (!signo || sigaction(signo, NULL, &old) != 0) {
        fprintf(stderr, "leat: LEAT_DUMP_SIGNAL is %s: QUIT, USR1, USR2 or a number\n", env);
        return;
    }
    if (old.sa_handler != SIG_DFL) {
        fprintf(stderr, "leat: LEAT_DUMP_SIGNAL is %s: the program uses that signal itself\n", env);
        return;
    }
    memset(&act, 0, sizeof act);
    act.sa_handler = on_signal;
    act.sa_flags = SA_RESTART | SA_ONSTACK;
    sigaction(signo, &act, NULL);
}

void dump_on_signal(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, once_signal);
}
