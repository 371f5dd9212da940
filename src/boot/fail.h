/* fail.h - every allocation, thread and descriptor that the library asks the system for passes here, and the one with a chosen number
 * is refused.  The programs that include this are linked with --wrap for each function below (meson.build).
 *
 * sweep() runs a program again and again, the n-th request refused, for n = 1, 2, ... until it ran to its end without meeting one.  Each
 * time it must end, with OK or an error, and leave no memory, mapping, descriptor or thread behind. */
#ifndef FAIL_H
#define FAIL_H
#include <dirent.h>
#include <errno.h>
#include <execinfo.h>
#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include "leat.h"
#undef errno
#include "t.h"

static _Atomic long asked, refuse_at, refuse_to;     /* the number of requests so far; those from refuse_at to refuse_to are refused */
static _Atomic long blocks, maps, mapped;            /* maps: bytes, as a mapping may go in parts; mapped: that ever were */
static long in_pages(size_t n) { return (long)((n + 4095) & ~(size_t)4095); }

static _Thread_local bool starves;                    /* what this thread asks for is refused: of a task that stays on it meanwhile */

static bool refused(int e)
{
    long n = atomic_fetch_add(&asked, 1) + 1;
    bool no = starves || (n >= atomic_load(&refuse_at) && n <= atomic_load(&refuse_to));
    if (no && getenv("T_TRACE")) {                   /* addr2line -f -e PROGRAM makes names of it */
        void *frame[14];
        fprintf(stderr, "# request %ld is refused\n", n);
        backtrace_symbols_fd(frame, backtrace(frame, 14), 2);
    }
    if (no)
        *__errno_location() = e;
    return no;
}

#define WRAP(type, name, params, args, otherwise, code, count) \
    type __real_##name params; \
    type __wrap_##name params; \
    type __wrap_##name params \
    { \
        if (refused(code)) \
            return otherwise; \
        type r_ = __real_##name args; \
        count; \
        return r_; \
    }
#define BLOCK_ atomic_fetch_add(&blocks, r_ != NULL)
WRAP(void *, malloc, (size_t n), (n), NULL, ENOMEM, BLOCK_)
WRAP(void *, calloc, (size_t k, size_t n), (k, n), NULL, ENOMEM, BLOCK_)
WRAP(void *, aligned_alloc, (size_t a, size_t n), (a, n), NULL, ENOMEM, BLOCK_)
WRAP(void *, realloc, (void *p, size_t n), (p, n), NULL, ENOMEM, atomic_fetch_add(&blocks, r_ != NULL && p == NULL))
WRAP(char *, strdup, (const char *s), (s), NULL, ENOMEM, BLOCK_)
/* What mmap is called where a file may have any size, as here. */
WRAP(void *, mmap64, (void *a, size_t n, int prot, int flags, int fd, off_t o), (a, n, prot, flags, fd, o), MAP_FAILED, ENOMEM,
    if (r_ != MAP_FAILED) (atomic_fetch_add(&maps, in_pages(n)), atomic_fetch_add(&mapped, in_pages(n))))
WRAP(int, pthread_create, (pthread_t *t, const pthread_attr_t *a, void *(*fn)(void *), void *arg), (t, a, fn, arg), EAGAIN, EAGAIN, (void)0)
WRAP(int, epoll_create1, (int flags), (flags), -1, EMFILE, (void)0)
WRAP(int, epoll_ctl, (int e, int op, int fd, struct epoll_event *ev), (e, op, fd, ev), -1, ENOSPC, (void)0)
WRAP(int, eventfd, (unsigned n, int flags), (n, flags), -1, EMFILE, (void)0)
WRAP(int, timerfd_create, (int clock, int flags), (clock, flags), -1, EMFILE, (void)0)
WRAP(int, socket, (int d, int t, int p), (d, t, p), -1, EMFILE, (void)0)
WRAP(int, accept4, (int fd, struct sockaddr *a, socklen_t *n, int flags), (fd, a, n, flags), -1, EMFILE, (void)0)
WRAP(int, pipe2, (int fd[2], int flags), (fd, flags), -1, EMFILE, (void)0)

void __real_free(void *p);
void __wrap_free(void *p);
void __wrap_free(void *p)
{
    atomic_fetch_sub(&blocks, p != NULL);
    __real_free(p);
}
int __real_munmap(void *p, size_t n);
int __wrap_munmap(void *p, size_t n);
int __wrap_munmap(void *p, size_t n)
{
    atomic_fetch_sub(&maps, in_pages(n));
    return __real_munmap(p, n);
}

struct left { long blocks, maps, fds, threads; };
static long entries(const char *path)
{
    long n = 0;
    DIR *d = opendir(path);
    while (d && readdir(d))
        n++;
    if (d)
        closedir(d);
    return n;
}
static struct left left_now(void)
{
    leat_ignore(leat_fail(LEAT_INVAL, "so that this thread has a record of its last failure, before and after"));
    return (struct left){ atomic_load(&blocks), atomic_load(&maps), entries("/proc/self/fd"), entries("/proc/self/task") };
}

static inline void lower(long *was, long is) { *was = is < *was ? is : *was; }

/* The kernel takes a thread off its list, and the last of a detached one's memory, a moment after it was joined or has ended: so *was,
 * which may have been looked at before that, is lowered to what it is now. */
static void check_left(struct left *was, long n)
{
    struct left is = left_now();
    for (int i = 0; i < 5000 && (is.blocks > was->blocks || is.maps > was->maps || is.fds > was->fds || is.threads > was->threads); i++) {
        usleep(1000);
        is = left_now();
    }
    if (is.blocks > was->blocks || is.maps > was->maps || is.fds > was->fds || is.threads > was->threads)
        t_fail(__FILE__, __LINE__, "request %ld refused: left behind: %ld blocks, %ld bytes of mappings, %ld descriptors, %ld threads", n,
            is.blocks - was->blocks, is.maps - was->maps, is.fds - was->fds, is.threads - was->threads);
    lower(&was->blocks, is.blocks);
    lower(&was->maps, is.maps);
    lower(&was->fds, is.fds);
    lower(&was->threads, is.threads);
}

static void quiet(int level, const char *line) { (void)level; (void)line; }
static const leat_opts two = { .workers = 2, .log = quiet };

static leat_err run_program(leat_err (*fn)(leat_none *)) { return leat_run(&two, fn, LEAT_NONE); }
static leat_err (*how)(leat_err (*fn)(leat_none *)) = run_program;

/* The errors that a refused request may become.  A peer that lost its memory is a lost peer, and what was under way is unknown. */
static bool honest(leat_err e)
{
    return e == LEAT_OK || e == LEAT_NOMEM || e == LEAT_SYS || e == LEAT_CANCELED || e == LEAT_PEER_LOST || e == LEAT_UNKNOWN ||
        e == LEAT_LIMIT || e == LEAT_CLOSED || e == LEAT_GONE || e == LEAT_REFUSED || e == LEAT_REMOTE;
}

static inline void sweep(leat_err (*fn)(leat_none *))
{
    long step = getenv("T_QUICK") ? 5 : 1, n = 1;
    atomic_store(&refuse_at, LONG_MAX);
    atomic_store(&refuse_to, LONG_MAX);
    for (int i = 0; i < 2; i++) {                    /* what the process keeps for good is made here */
        leat_err e = how(fn);
        if (e != LEAT_OK)
            t_fail(__FILE__, __LINE__, "nothing refused: %s: %s", leat_err_name(e), leat_err_detail());
    }
    struct left was = left_now();
    for (;; n += step) {
        alarm(60);
        atomic_store(&asked, 0);
        atomic_store(&refuse_at, n);
        atomic_store(&refuse_to, n);
        leat_err e = how(fn);
        atomic_store(&refuse_at, LONG_MAX);
        atomic_store(&refuse_to, LONG_MAX);
        if (!honest(e))
            t_fail(__FILE__, __LINE__, "request %ld refused: %s: %s", n, leat_err_name(e), leat_err_detail());
        check_left(&was, n);
        if (atomic_load(&asked) < n) {
            CHECK_EQ(e, LEAT_OK);
            break;
        }
    }
    if (getenv("T_VERBOSE"))
        fprintf(stderr, "# %ld requests\n", n - 1);
    CHECK(n > 3);                                    /* something was refused at all */
    CHECK(atomic_load(&mapped) > 0);                 /* and passes here */
}
#define SWEEP(name) TEST(name) { sweep(name##_); }
#endif
