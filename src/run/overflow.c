/* overflow.c - the handler of SIGSEGV and SIGBUS, which knows the guard pages below tasks' stacks.
 *
 * It runs on a stack of its own (plat/freeze.h: alt_stack_open).  A fault in a guard is explained on standard error; then, as for any
 * other fault, what was installed before decides: a handler is called, the default ends the process with that signal and its core.
 * A program that installs a handler after leat_run began has that one instead of ours. */
#include "run/overflow.h"
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "plat/mem.h"
#include "plat/signals.h"
#include "run/report.h"
#include "run/sched.h"
#include "run/stack.h"

static const int signos[] = { SIGSEGV, SIGBUS };
static struct sigaction before[ARRAY_LEN(signos)];
static _Atomic uint32_t users_lock;
static uint32_t users;                               /* users_lock */

static void say(struct task *t, struct stack *s, struct unwind *u, bool canary)
{
    struct report r;
    size_t page = plat_page(), bytes = (size_t)((char *)s - (char *)s->san.base) + page;
    const leat_site_ *site = t ? t->site : NULL;
    report_open(&r, STDERR_FILENO);
    REPORT(&r, "leat: stack overflow in task ", site ? site->name : "?");
    if (s->name[0])
        REPORT(&r, " \"", s->name, "\"");
    REPORT(&r, " started at ", site ? site->file : "?", ":");
    report_number(&r, site ? site->line : 0);
    report_text(&r, canary ? ": it has ended, and what lies below its " : ": it needs more than ");
    report_number(&r, (bytes + 1023) / 1024);
    report_text(&r, canary ? " KiB was overwritten: ask for more (leat_opts.stack_bytes)" : " KiB: ask for more (leat_opts.stack_bytes)");
    report_end(&r);
    if (u)
        report_stack(&r, u);
    report_close(&r);
}

void overflow_found(struct task *t, struct stack *s)
{
    say(t, s, NULL, true);
    abort();
}

static bool pass_on(int signo, siginfo_t *info, void *ucontext)
{
    const struct sigaction *old = &before[signo == SIGBUS];
    if (old->sa_flags & SA_SIGINFO) {
        old->sa_sigaction(signo, info, ucontext);
        return true;
    }
    if (old->sa_handler != SIG_DFL && old->sa_handler != SIG_IGN) {
        old->sa_handler(signo);
        return true;
    }
    return old->sa_handler == SIG_IGN && info->si_code <= 0;
}

static void handler(int signo, siginfo_t *info, void *ucontext)
{
    struct worker *w = worker_self();
    struct stack *s = info->si_code > 0 ? stack_guarded(info->si_addr) : NULL;
    if (s && w && w->cur->stack == s) {
        struct unwind u;
        unwind_signal(&u, ucontext, s->san.base, s);
        say(w->cur, s, &u, false);
    }
    if (pass_on(signo, info, ucontext))
        return;
    struct sigaction plain;
    memset(&plain, 0, sizeof plain);
    plain.sa_handler = SIG_DFL;
    sigaction(signo, &plain, NULL);                  /* and the instruction faults again */
    if (info->si_code <= 0)
        raise(signo);                                /* somebody sent it: no instruction will */
}

void overflow_begin(void)
{
    lock(&users_lock);
    if (users++ == 0) {
        struct sigaction act;
        memset(&act, 0, sizeof act);
        act.sa_sigaction = handler;
        act.sa_flags = SA_SIGINFO | SA_ONSTACK;
        for (size_t i = 0; i < ARRAY_LEN(signos); i++) {
            sigaction(signos[i], &act, &before[i]);
            signals_tidy(&before[i]);
        }
    }
    unlock(&users_lock);
}

void overflow_end(void)
{
    lock(&users_lock);
    if (--users == 0)
        for (size_t i = 0; i < ARRAY_LEN(signos); i++) {
            struct sigaction now;
            if (sigaction(signos[i], NULL, &now) == 0 && now.sa_sigaction == handler)
                sigaction(signos[i], &before[i], NULL);
        }
    unlock(&users_lock);
}
