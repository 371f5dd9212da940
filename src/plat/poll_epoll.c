/* poll_epoll.c - poll.h by epoll; and what both implementations share.
 *
 * Wakes are writes to an eventfd that is watched edge-triggered and never read: every write is an edge, also one that comes
 * before the wait begins, and the count cannot reach its end in the life of a machine. */
#include "plat/poll.h"
#include "plat/errno.h"
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>
#include "plat/san.h"

enum { BATCH = 256 };
static const uint64_t WAKE = UINT64_MAX;

struct poll_epoll {
    struct poll poll;
    int fd, wake_fd, timer_fd;                       /* timer_fd: of a guest, else -1; as wake_fd an edge that is never read */
    bool no_pwait2;                                  /* the thread in wait: this kernel counts in milliseconds */
};

static struct poll_epoll *self_of(struct poll *p) { return (struct poll_epoll *)(void *)p; }

static int ctl(struct poll *p, int op, uint64_t tag, uint32_t events)
{
    struct epoll_event ev = { .events = events, .data.u64 = tag };
    edge_quiet_begin();                              /* that two tasks watch descriptors orders nothing */
    int r = epoll_ctl(self_of(p)->fd, op, poll_tag_fd(tag), &ev);
    edge_quiet_end();
    return r == 0 ? 0 : errno;
}

static int epoll_arm(struct poll *p, uint64_t tag, uint32_t events, uint64_t old)
{
    uint32_t ev = EPOLLONESHOT | (events & POLL_READ ? (uint32_t)EPOLLIN | (uint32_t)EPOLLRDHUP : 0u) |
        (events & POLL_WRITE ? (uint32_t)EPOLLOUT : 0u);
    int first = old ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, e = ctl(p, first, tag, ev);
    if (e == EEXIST || e == ENOENT)                  /* it fired before, or its file was closed meanwhile */
        e = ctl(p, e == EEXIST ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, tag, ev);
    return e;
}

static int epoll_watch(struct poll *p, uint64_t tag)
{
    uint32_t ev = (uint32_t)EPOLLIN | (uint32_t)EPOLLOUT | (uint32_t)EPOLLRDHUP | (uint32_t)EPOLLET;
    int e = ctl(p, EPOLL_CTL_ADD, tag, ev);
    return e == EEXIST ? ctl(p, EPOLL_CTL_MOD, tag, ev) : e;
}

static void epoll_leave(struct poll *p, uint64_t tag)
{
    (void)ctl(p, EPOLL_CTL_DEL, tag, 0);
}

static int wait_ns(struct poll_epoll *p, int64_t limit_ns, struct epoll_event *ev, int n)
{
#if defined(SYS_epoll_pwait2) && !SAN_THREAD         /* which knows epoll_wait and lets handlers run in it */
    if (!p->no_pwait2 && limit_ns > 0) {
        struct timespec ts = { limit_ns / 1000000000, limit_ns % 1000000000 };
        int k = (int)syscall(SYS_epoll_pwait2, p->fd, ev, n, &ts, NULL, (size_t)8);
        if (k >= 0 || errno != ENOSYS)
            return k;
        p->no_pwait2 = true;
    }
#endif
    int64_t ms = limit_ns < 0 ? -1 : limit_ns / 1000000 + (limit_ns % 1000000 != 0);
    edge_quiet_begin();
    int k = epoll_wait(p->fd, ev, n, ms > 1000000000 ? 1000000000 : (int)ms);
    edge_quiet_end();
    return k;
}

static uint32_t events_of(uint32_t ev)
{
    bool bad = ev & (EPOLLERR | EPOLLHUP);
    return (bad || (ev & (EPOLLIN | EPOLLRDHUP | EPOLLPRI)) ? (uint32_t)POLL_READ : 0u) |
        (bad || (ev & EPOLLOUT) ? (uint32_t)POLL_WRITE : 0u) | (bad || (ev & EPOLLRDHUP) ? (uint32_t)POLL_END : 0u);
}

static int epoll_wait_(struct poll *p, int64_t limit_ns, struct poll_event *out, int n)
{
    struct epoll_event ev[BATCH];
    int saved = errno, k = wait_ns(self_of(p), limit_ns, ev, n < BATCH ? n : BATCH), m = 0;
    for (int i = 0; i < k; i++)
        if (ev[i].data.u64 != WAKE)
            out[m++] = (struct poll_event){ ev[i].data.u64, events_of(ev[i].events) };
    errno = saved;
    return m;
}

static void epoll_wake(struct poll *p)
{
    uint64_t one = 1;
    int saved = errno;
    edge_quiet_begin();
    ssize_t n = write(self_of(p)->wake_fd, &one, sizeof one);
    (void)n;                                         /* it cannot fail: see above */
    edge_quiet_end();
    errno = saved;
}

static void epoll_close(struct poll *p)
{
    edge_quiet_begin();
    close(self_of(p)->wake_fd);
    if (self_of(p)->timer_fd >= 0)
        close(self_of(p)->timer_fd);
    close(self_of(p)->fd);
    edge_quiet_end();
    free(p);
}

static const struct poll_ops ops = { "epoll", epoll_close, epoll_arm, epoll_leave, epoll_watch, epoll_leave, epoll_wait_, epoll_wake };

int poll_open_epoll(struct poll **ret)
{
    struct poll_epoll *p = malloc(sizeof *p);
    if (!p)
        return ENOMEM;
    *p = (struct poll_epoll){ { &ops }, epoll_create1(EPOLL_CLOEXEC), eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), -1,
        san_on_valgrind() };                         /* which does not know it, and says so each time */
    struct epoll_event ev = { .events = (uint32_t)EPOLLIN | (uint32_t)EPOLLET, .data.u64 = WAKE };
    if (p->fd >= 0 && p->wake_fd >= 0 && epoll_ctl(p->fd, EPOLL_CTL_ADD, p->wake_fd, &ev) == 0) {
        *ret = &p->poll;
        return 0;
    }
    int e = errno;
    if (p->fd >= 0)
        close(p->fd);
    if (p->wake_fd >= 0)
        close(p->wake_fd);
    free(p);
    return e;
}

int poll_open_guest(struct poll **ret)
{
    int e = poll_open_epoll(ret);
    if (e)
        return e;
    struct poll_epoll *p = self_of(*ret);
    struct epoll_event ev = { .events = (uint32_t)EPOLLIN | (uint32_t)EPOLLET, .data.u64 = WAKE };
    p->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    if (p->timer_fd >= 0 && epoll_ctl(p->fd, EPOLL_CTL_ADD, p->timer_fd, &ev) == 0)
        return 0;
    e = errno;
    epoll_close(*ret);
    return e;
}

int poll_outer_fd(const struct poll *p)
{
    return ((const struct poll_epoll *)(const void *)p)->fd;
}

void poll_alarm(struct poll *p, int64_t in_ns)
{
    struct itimerspec t = { { 0, 0 }, { 0, 0 } };
    if (in_ns >= 0) {
        in_ns += in_ns == 0;                         /* 0 would be no alarm */
        t.it_value = (struct timespec){ in_ns / 1000000000, in_ns % 1000000000 };
    }
    int saved = errno;
    timerfd_settime(self_of(p)->timer_fd, 0, &t, NULL);
    errno = saved;
}

int poll_open(const char *kind, struct poll **ret)
{
    bool uring = kind && strcmp(kind, "io_uring") == 0;
    if (kind && !uring && strcmp(kind, "epoll") != 0)
        return EINVAL;
    if (uring && poll_open_uring(ret) == 0)
        return 0;
    return poll_open_epoll(ret);
}
