/* signals.c - one handler for all receivers.
 *
 * ThreadSanitizer puts a handler off until its thread next calls what the sanitizer knows, and keeps it with the stack that runs: a task
 * that parks then takes the signal with it.  So it does not hear of this handler, which touches only what is atomic or its own.
 *
 * lock protects all but what the handler reads: a receiver's mask (atomic) and its pipe, which is there before the mask is set and
 * is closed only when, after the mask was cleared, no handler runs any more (`inside`). */
#include "plat/signals.h"
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "base/limits.h"
#include "plat/atomic.h"
#include "plat/errno.h"
#include "plat/san.h"

enum { SIGNALS = 65 };

static struct receiver { _Atomic uint64_t mask; int in, out; bool used; } receivers[LIMIT_SIGNAL_RECEIVERS];
static _Atomic uint32_t inside;
static _Atomic pid_t owner;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct { unsigned users; struct sigaction before; } signals[SIGNALS];

SAN_UNSEEN_AT_ALL static uint64_t bit_of(int signo) { return UINT64_C(1) << (signo - 1); }

#if SAN_THREAD
int __sigaction(int signo, const struct sigaction *act, struct sigaction *before);     /* the C library's own */
#define sigaction(signo, act, before) __sigaction(signo, act, before)
#endif

SAN_UNSEEN_AT_ALL static void handler(int signo)
{
    int saved = errno;
    unsigned char byte = (unsigned char)signo;
    atomic_fetch_add_explicit(&inside, 1, SEQ);
    bool ours = syscall(SYS_getpid) == at_load(&owner);
    for (int i = 0; ours && i < LIMIT_SIGNAL_RECEIVERS; i++)
        if (atomic_load_explicit(&receivers[i].mask, SEQ) & bit_of(signo) && syscall(SYS_write, receivers[i].in, &byte, 1) < 0)
            continue;                                /* full: dropped */
    atomic_fetch_sub_explicit(&inside, 1, SEQ);
    errno = saved;
}

static bool may_catch(int s)
{
    return s > 0 && s < SIGNALS && s != SIGKILL && s != SIGSTOP && s != SIGSEGV && s != SIGBUS && s != SIGFPE && s != SIGILL &&
        !(s >= 32 && s < SIGRTMIN);                  /* those between belong to the C library */
}

/* [lock] */
static int use(int s)
{
    struct sigaction act;
    if (signals[s].users == 0) {
        memset(&act, 0, sizeof act);
        act.sa_handler = handler;
        act.sa_flags = SA_RESTART;                   /* the program's calls do not notice */
        sigfillset(&act.sa_mask);
        if (sigaction(s, &act, &signals[s].before) != 0)
            return errno;
        signals_tidy(&signals[s].before);
    }
    signals[s].users++;
    return 0;
}

/* [lock] */
static void unuse(uint64_t mask)
{
    for (int s = 1; s < SIGNALS; s++)
        if (mask & bit_of(s) && --signals[s].users == 0)
            sigaction(s, &signals[s].before, NULL);
}

/* [lock] */
static int receiver_open(uint64_t mask, int *ret)
{
    int i = 0, fd[2], e = 0;
    uint64_t done = 0;
    while (i < LIMIT_SIGNAL_RECEIVERS && receivers[i].used)
        i++;
    if (i == LIMIT_SIGNAL_RECEIVERS)
        return EUSERS;
    if (pipe2(fd, O_CLOEXEC | O_NONBLOCK) != 0)
        return errno;
    at_store(&owner, getpid());
    receivers[i].out = fd[0];
    receivers[i].in = fd[1];
    receivers[i].used = true;
    atomic_store_explicit(&receivers[i].mask, mask, SEQ);
    for (int s = 1; s < SIGNALS && !e; s++)
        if (mask & bit_of(s) && (e = use(s)) == 0)
            done |= bit_of(s);
    if (e == 0) {
        *ret = i;
        return 0;
    }
    atomic_store_explicit(&receivers[i].mask, 0, SEQ);
    unuse(done);
    while (atomic_load_explicit(&inside, SEQ))
        sched_yield();
    receivers[i].used = false;
    close(fd[0]);
    close(fd[1]);
    return e;
}

int signals_open(const int *signo, size_t n, int *ret, int *bad)
{
    uint64_t mask = 0;
    for (size_t i = 0; i < n; i++) {
        if (!may_catch(signo[i])) {
            *bad = signo[i];
            return EINVAL;
        }
        mask |= bit_of(signo[i]);
    }
    pthread_mutex_lock(&lock);
    int e = receiver_open(mask, ret);
    pthread_mutex_unlock(&lock);
    return e;
}

int signals_fd(int receiver) { return receivers[receiver].out; }

bool signals_take(int receiver, int *signo)
{
    unsigned char byte;
    ssize_t n;
    do
        n = read(receivers[receiver].out, &byte, 1);
    while (n < 0 && errno == EINTR);
    if (n != 1)
        return false;
    *signo = byte;
    return true;
}

void signals_close(int receiver)
{
    struct receiver *r = &receivers[receiver];
    pthread_mutex_lock(&lock);
    uint64_t mask = atomic_exchange_explicit(&r->mask, 0, SEQ);
    unuse(mask);
    while (atomic_load_explicit(&inside, SEQ))       /* another thread's handler may be about to write */
        sched_yield();
    close(r->in);
    close(r->out);
    r->used = false;
    pthread_mutex_unlock(&lock);
}
