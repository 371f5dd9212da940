/* freeze.c - requests to the handler lie in one static place, which `busy` protects.
 *
 * A handler that comes late finds another round's number, or no claim on `tid` to be had, and leaves.  Frozen threads sleep on
 * `thaw`, whose number changes; they read it before they look whether they shall, so none sleeps past the end. */
#include "plat/freeze.h"
#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "plat/atomic.h"
#include "plat/clock.h"
#include "plat/errno.h"
#include "plat/futex.h"
#include "plat/spare.h"

enum { THREADS_MAX = 4096, STOP_NS = 250000000 };

static pthread_once_t once = PTHREAD_ONCE_INIT;
static int signo, failed;
static _Atomic uint32_t busy;                        /* 1: a request is under way */
static struct {
    _Atomic int32_t tid;                             /* whom it is for; its handler makes it negative: fn runs; 0: nobody */
    _Atomic uint32_t round, done;                    /* done: the round that fn has ended in */
    void (*fn)(void *arg, const void *ucontext);
    void *arg;
} one;
static struct {
    _Atomic uint32_t on, thaw, left;                 /* left: how many have gone on */
    _Atomic uint32_t n;
    struct frozen thread[THREADS_MAX];
    _Atomic int32_t tid[THREADS_MAX];                /* written last, when the entry of `thread` is whole */
} all;

int32_t freeze_tid(void)
{
    return (int32_t)syscall(SYS_gettid);
}

static void stand_still(uint32_t at, const void *ucontext)
{
    uint32_t i = atomic_fetch_add_explicit(&all.n, 1, RLX);
    if (i >= THREADS_MAX)
        return;
    all.thread[i] = (struct frozen){ freeze_tid(), ucontext };
    at_store_rel(&all.tid[i], all.thread[i].tid);
    while (at_load_acq(&all.thaw) == at)
        plat_futex_wait(&all.thaw, at, -1);
    atomic_fetch_add_explicit(&all.left, 1, REL);
}

static void handler(int s, siginfo_t *info, void *ucontext)
{
    int saved = errno;
    int32_t tid = freeze_tid();
    uint32_t round = (uint32_t)(uintptr_t)info->si_value.sival_ptr, thaw = at_load_acq(&all.thaw);
    (void)s;
    if (info->si_code == SI_QUEUE && info->si_pid == getpid() && round == at_load_acq(&one.round)) {
        if (at_load_acq(&all.on)) {
            stand_still(thaw, ucontext);
        } else if (atomic_compare_exchange_strong_explicit(&one.tid, &tid, -tid, ACQ_REL, RLX)) {
            one.fn(one.arg, ucontext);
            at_store_rel(&one.done, round);
            plat_futex_wake(&one.done, 1);
        }
    }
    errno = saved;
}

static void choose(void)
{
    struct sigaction act;
    memset(&act, 0, sizeof act);
    act.sa_sigaction = handler;
    act.sa_flags = SA_SIGINFO | SA_RESTART | SA_ONSTACK;
    sigfillset(&act.sa_mask);
    failed = spare_signal(&act, &signo);
}

int freeze_init(void)
{
    pthread_once(&once, choose);
    return failed;
}

void freeze_allow(void)
{
    sigset_t s;
    sigemptyset(&s);
    if (freeze_init() == 0)
        sigaddset(&s, signo);
    pthread_sigmask(SIG_UNBLOCK, &s, NULL);
}

static int poke(int32_t tid, uint32_t round)
{
    siginfo_t i;
    memset(&i, 0, sizeof i);
    i.si_signo = signo;
    i.si_code = SI_QUEUE;
    i.si_pid = getpid();
    i.si_uid = getuid();
    i.si_value.sival_ptr = (void *)(uintptr_t)round;
    return syscall(SYS_rt_tgsigqueueinfo, getpid(), tid, signo, &i) == 0 ? 0 : errno;
}

static bool begin(void)
{
    uint32_t free_ = 0;
    return signo && atomic_compare_exchange_strong_explicit(&busy, &free_, 1, ACQ, RLX);
}

bool freeze_one(int32_t tid, void (*fn)(void *arg, const void *ucontext), void *arg, int64_t limit_ns)
{
    int saved = errno;
    if (tid == 0 || tid == freeze_tid() || !begin())
        return false;
    uint32_t round = at_load(&one.round) + 1;
    one.fn = fn;
    one.arg = arg;
    at_store_rel(&one.round, round);
    at_store_rel(&one.tid, tid);
    int64_t end = poke(tid, round) == 0 ? plat_now() + limit_ns : 0;
    bool done = false, given_up = false;
    for (uint32_t seen; !(done = (seen = at_load_acq(&one.done)) == round) && !given_up; ) {
        int64_t left = end - plat_now();
        int32_t unclaimed = tid;
        if (left > 0)
            plat_futex_wait(&one.done, seen, left);
        else if (!(given_up = atomic_compare_exchange_strong_explicit(&one.tid, &unclaimed, 0, ACQ_REL, RLX)))
            cpu_pause();                             /* it is in fn just now */
    }
    at_store_rel(&one.tid, 0);
    at_store_rel(&busy, 0);
    errno = saved;
    return done;
}

/* -- the list of threads ----------------------------------------------------------------------------------------------- */
struct linux_dirent { uint64_t ino, off; unsigned short len; unsigned char type; char name[]; };

/* By the bare system call, since opendir allocates.  fn returns false to stop.  false: there is no such list. */
static bool each_thread(bool (*fn)(void *arg, int32_t tid), void *arg)
{
    _Alignas(8) char buf[1024];
    long n = -1;
    int fd = open("/proc/self/task", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return false;
    for (bool more = true; more && (n = syscall(SYS_getdents64, fd, buf, sizeof buf)) > 0; )
        for (long at = 0; more && at < n; ) {
            struct linux_dirent *d = (struct linux_dirent *)(void *)(buf + at);
            int32_t tid = 0;
            for (const char *c = d->name; *c >= '0' && *c <= '9'; c++)
                tid = tid * 10 + (*c - '0');
            at += d->len;
            if (tid)
                more = fn(arg, tid);
        }
    close(fd);
    return n >= 0;
}

/* ThreadSanitizer has threads of its own, one more in each child of a fork.  They block all signals but SIGSYS, which nobody who blocks
 * all by sigfillset leaves out. */
static bool of_a_tool(int32_t tid)
{
    char path[64], text[4096], *at;
    if (!SAN_THREAD)
        return false;
    snprintf(path, sizeof path, "/proc/self/task/%d/status", (int)tid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
    if (fd >= 0)
        close(fd);
    text[n > 0 ? n : 0] = 0;
    at = strstr(text, "\nSigBlk:");
    uint64_t blocked = at ? strtoull(at + 8, NULL, 16) : 0, sys = UINT64_C(1) << (SIGSYS - 1), usr = UINT64_C(1) << (SIGUSR1 - 1);
    return (blocked & usr) && !(blocked & sys);
}

struct tally { const int32_t *ours; size_t n; int others; };

static bool count_other(void *arg, int32_t tid)
{
    struct tally *t = arg;
    for (size_t i = 0; i < t->n; i++)
        if (t->ours[i] == tid)
            return true;
    t->others += !of_a_tool(tid);
    return true;
}

int freeze_others(const int32_t *ours, size_t n)
{
    struct tally t = { ours, n, 0 };
    return each_thread(count_other, &t) ? t.others : -1;
}

/* -- all of them ------------------------------------------------------------------------------------------------------- */
static bool known(int32_t tid)
{
    uint32_t n = at_load(&all.n);
    for (uint32_t i = 0; i < n && i < THREADS_MAX; i++)
        if (at_load_acq(&all.tid[i]) == tid)
            return true;
    return false;
}

struct stopping { int32_t me; uint32_t round; int32_t deaf; unsigned fresh; int32_t asked[THREADS_MAX]; unsigned n; };
static struct stopping stopping;                     /* busy */

static bool stop_one(void *arg, int32_t tid)
{
    struct stopping *s = arg;
    if (tid == s->me || known(tid))
        return true;
    s->deaf = tid;
    for (unsigned i = 0; i < s->n; i++)
        if (s->asked[i] == tid)
            return true;
    if (s->n == THREADS_MAX)
        return false;
    s->asked[s->n++] = tid;
    s->fresh++;
    (void)poke(tid, s->round);                       /* one that has just ended is not in the next list */
    return true;
}

bool freeze_all(const struct frozen **ret, size_t *n, int32_t *deaf)
{
    struct stopping *s = &stopping;
    *deaf = 0;
    if (!begin())
        return false;
    at_store(&all.n, 0);
    at_store(&all.left, 0);
    memset(all.tid, 0, sizeof all.tid);
    s->me = freeze_tid();
    s->n = 0;
    s->round = at_load(&one.round) + 1;
    at_store_rel(&all.on, 1);
    at_store_rel(&one.round, s->round);
    for (int64_t end = plat_now() + STOP_NS;; ) {
        s->deaf = 0;
        s->fresh = 0;
        bool listed = each_thread(stop_one, s);
        if (listed && !s->deaf)
            break;
        if (!listed || plat_now() >= end) {
            *deaf = s->deaf;
            freeze_end();
            return false;
        }
        struct timespec nap = { 0, 50000 };
        nanosleep(&nap, NULL);
    }
    *ret = all.thread;
    *n = at_load(&all.n);
    return true;
}

void freeze_end(void)
{
    at_store_rel(&all.on, 0);
    at_store_rel(&one.round, at_load(&one.round) + 1);
    atomic_fetch_add_explicit(&all.thaw, 1, ACQ_REL);
    plat_futex_wake(&all.thaw, INT32_MAX);
    while (at_load_acq(&all.left) < at_load(&all.n)) {               /* so that no entry is written again while it is read */
        struct timespec nap = { 0, 20000 };
        nanosleep(&nap, NULL);
    }
    at_store_rel(&busy, 0);
}

/* -- stacks for handlers ----------------------------------------------------------------------------------------------- */
void alt_stack_open(void **ret)
{
    stack_t old, own;
    *ret = NULL;
    if (sigaltstack(NULL, &old) != 0 || !(old.ss_flags & SS_DISABLE))
        return;
    void *p = mmap(NULL, ALT_STACK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (p == MAP_FAILED)
        return;
    memset(&own, 0, sizeof own);
    own.ss_sp = p;
    own.ss_size = ALT_STACK;
    if (sigaltstack(&own, NULL) == 0)
        *ret = p;
    else
        munmap(p, ALT_STACK);
}

bool alt_stack_now(void **base, size_t *bytes)
{
    stack_t s;
    if (sigaltstack(NULL, &s) != 0 || (s.ss_flags & SS_DISABLE))
        return false;
    *base = s.ss_sp;
    *bytes = s.ss_size;
    return true;
}

void alt_stack_close(void *p)
{
    stack_t none;
    if (!p)
        return;
    memset(&none, 0, sizeof none);
    none.ss_flags = SS_DISABLE;
    sigaltstack(&none, NULL);
    if (!san_on_valgrind())                          /* which delivers to a stack that was given up as long as its size is known */
        munmap(p, ALT_STACK);
}
