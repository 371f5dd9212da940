/* thread.c - Linux threads. */
#include "plat/thread.h"
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>
#include "plat/atomic.h"
#include "plat/san.h"

static void *nothing(void *arg) { return arg; }

/* ThreadSanitizer starts a thread of its own beside the first one of a process, with that one's mask and more: one that blocks all would
 * make it look like one of ours (freeze.c). */
static void tool_first(void)
{
    static _Atomic int process;
    int me = getpid();
    pthread_t t;
    if (at_load(&process) != me && pthread_create(&t, NULL, nothing, NULL) == 0) {
        pthread_join(t, NULL);
        at_store(&process, me);
    }
}

int plat_thread_start(pthread_t *ret, void *(*fn)(void *), void *arg, const char *name)
{
    sigset_t all, old;
    if (SAN_THREAD)
        tool_first();
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);        /* the program's signals go to the program's threads */
    int e = pthread_create(ret, NULL, fn, arg);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (e == 0)
        pthread_setname_np(*ret, name);
    return e;
}

void plat_thread_join(pthread_t t)
{
    pthread_join(t, NULL);
}

void plat_thread_detach(pthread_t t)
{
    pthread_detach(t);
}

void plat_thread_stack(void **base, size_t *size)
{
    pthread_attr_t a;
    *base = NULL;
    *size = 0;
    if (pthread_getattr_np(pthread_self(), &a) == 0) {
        pthread_attr_getstack(&a, base, size);
        pthread_attr_destroy(&a);
    }
}

void plat_thread_exact_timers(void)
{
    prctl(PR_SET_TIMERSLACK, 1UL, 0UL, 0UL, 0UL);
}
