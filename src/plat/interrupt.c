/* interrupt.c - the signal that ends a system call. */
#include "plat/interrupt.h"
#include <sched.h>
#include <signal.h>
#include <string.h>
#include "plat/spare.h"

static pthread_once_t once = PTHREAD_ONCE_INIT;
static int signo, failed;

static void nothing(int s) { (void)s; }

static void choose(void)
{
    struct sigaction act;
    memset(&act, 0, sizeof act);
    act.sa_handler = nothing;                        /* no SA_RESTART: the call shall fail with EINTR */
    sigemptyset(&act.sa_mask);
    failed = spare_signal(&act, &signo);
}

int plat_interrupt_init(void)
{
    pthread_once(&once, choose);
    return failed;
}

void plat_interrupt_allow(void)
{
    sigset_t s;
    sigemptyset(&s);
    sigaddset(&s, signo);
    pthread_sigmask(SIG_UNBLOCK, &s, NULL);
}

void plat_interrupt_send(pthread_t t)
{
    pthread_kill(t, signo);
}

void plat_interrupt_settle(void)
{
    sched_yield();                                   /* all that is pending is delivered on the way out of any system call */
}
