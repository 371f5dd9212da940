/* poll_uring.c - poll.h by io_uring: a one-shot poll request for what is armed, a multishot one for what is watched, a NOP to wake.
 *
 * lock is for the submission side, which any thread may use; the completion side belongs to the thread in wait.  So the wait must
 * not go through liburing's helpers, which flush submissions too.  No request is left to a thread that may end before the ring
 * does, except wakes, which complete at once: the kernel cancels what a thread leaves behind.
 * A poll request holds its file open until it is removed: callers disarm and unwatch before they close.  It is removed by a cancel,
 * not by a poll remove: that one gives up (EALREADY) on a request whose event is being delivered, and a watch would stay. */
#include "plat/poll.h"
#include "plat/errno.h"
#include "plat/san.h"
#ifdef HAVE_URING
#include <liburing.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include "plat/san.h"

enum { ENTRIES = 256, COMPLETIONS = 4096 };
static const uint64_t WATCH = UINT64_C(1) << 63;     /* in user_data, beside the tag */
static const uint64_t NO_TAG = UINT64_C(1) << 62;    /* the completion tells nothing */

struct poll_uring {
    struct poll poll;
    struct io_uring ring;
    pthread_mutex_t lock;
    bool valgrind;                                   /* set at open */
};

static struct poll_uring *self_of(struct poll *p) { return (struct poll_uring *)(void *)p; }

/* [lock held] An entry to fill; NULL: the kernel takes none at this moment. */
static struct io_uring_sqe *entry(struct poll_uring *p)
{
    struct io_uring_sqe *s = io_uring_get_sqe(&p->ring);
    if (!s) {
        io_uring_submit(&p->ring);
        s = io_uring_get_sqe(&p->ring);
    }
    return s;
}

/* [lock held] */
static int submit(struct poll_uring *p)
{
    int n;
    do
        n = io_uring_submit(&p->ring);
    while (n == -EINTR);
    return n < 0 && n != -EBUSY && n != -EAGAIN ? -n : 0;            /* those two: it stays in the queue and goes with the next */
}

static int add(struct poll_uring *p, uint64_t user_data, unsigned mask, bool multi, uint64_t old)
{
    int e = ENOMEM, saved = errno;
    pthread_mutex_lock(&p->lock);
    if (old) {
        struct io_uring_sqe *r = entry(p);
        if (r) {
            io_uring_prep_cancel64(r, old, 0);
            io_uring_sqe_set_data64(r, NO_TAG);
        }
    }
    struct io_uring_sqe *s = user_data == NO_TAG ? NULL : entry(p);
    if (s) {
        int fd = poll_tag_fd(user_data);
        if (multi)
            io_uring_prep_poll_multishot(s, fd, mask);
        else
            io_uring_prep_poll_add(s, fd, mask);
        io_uring_sqe_set_data64(s, user_data);
    }
    if (s || user_data == NO_TAG)
        e = submit(p);
    pthread_mutex_unlock(&p->lock);
    errno = saved;
    return e;
}

static int uring_arm(struct poll *p, uint64_t tag, uint32_t events, uint64_t old)
{
    unsigned mask = (events & POLL_READ ? (unsigned)POLLIN | (unsigned)POLLRDHUP : 0u) | (events & POLL_WRITE ? (unsigned)POLLOUT : 0u);
    return add(self_of(p), tag, mask, false, old);
}

static void uring_disarm(struct poll *p, uint64_t tag)
{
    (void)add(self_of(p), NO_TAG, 0, false, tag);
}

static int uring_watch(struct poll *p, uint64_t tag)
{
    return add(self_of(p), tag | WATCH, (unsigned)POLLIN | (unsigned)POLLOUT | (unsigned)POLLRDHUP, true, 0);
}

static void uring_unwatch(struct poll *p, uint64_t tag)
{
    (void)add(self_of(p), NO_TAG, 0, false, tag | WATCH);
}

static uint32_t events_of(int res, unsigned flags, bool watched)
{
    bool bad = res < 0 || (res & (POLLERR | POLLHUP | POLLNVAL));
    uint32_t ev = (bad || (res & (POLLIN | POLLRDHUP | POLLPRI)) ? (uint32_t)POLL_READ : 0u) |
        (bad || (res & POLLOUT) ? (uint32_t)POLL_WRITE : 0u) | (bad || (res & POLLRDHUP) ? (uint32_t)POLL_END : 0u);
    return ev | (watched && !bad && !(flags & IORING_CQE_F_MORE) ? (uint32_t)POLL_LAPSED : 0u);
}

static int harvest(struct poll_uring *p, struct poll_event *out, int n)
{
    int m = 0;
    struct io_uring_cqe *c;
    while (m < n && io_uring_peek_cqe(&p->ring, &c) == 0) {
        uint64_t u = io_uring_cqe_get_data64(c);
        if (!(u & NO_TAG) && c->res != -ECANCELED)
            out[m++] = (struct poll_event){ u & ~WATCH, events_of(c->res, c->flags, u & WATCH) };
        io_uring_cqe_seen(&p->ring, c);
    }
    return m;
}

/* valgrind (3.19) keeps its big lock over io_uring_enter, so the thread that would end the wait could not run; over ppoll it does
 * not.  A ring is readable when it has completions. */
static void wait_for_valgrind(const struct poll_uring *p, int64_t limit_ns)
{
    struct pollfd f = { .fd = p->ring.ring_fd, .events = POLLIN };
    struct timespec ts = { limit_ns / 1000000000, limit_ns % 1000000000 };
    (void)ppoll(&f, 1, limit_ns < 0 ? NULL : &ts, NULL);
}

static int uring_wait(struct poll *pub, int64_t limit_ns, struct poll_event *out, int n)
{
    struct poll_uring *p = self_of(pub);
    int saved = errno;
#if SAN_THREAD
    limit_ns = limit_ns < 0 || limit_ns > SAN_SLEEP_NS ? SAN_SLEEP_NS : limit_ns;
#endif
    san_signals();
    if (!io_uring_cq_ready(&p->ring) && limit_ns != 0 && p->valgrind) {
        wait_for_valgrind(p, limit_ns);
    } else if (!io_uring_cq_ready(&p->ring) && limit_ns != 0) {
        struct __kernel_timespec ts = { limit_ns / 1000000000, limit_ns % 1000000000 };
        struct io_uring_getevents_arg arg = { .ts = limit_ns < 0 ? 0 : (uint64_t)(uintptr_t)&ts };
        io_uring_enter2((unsigned)p->ring.ring_fd, 0, 1, IORING_ENTER_GETEVENTS | IORING_ENTER_EXT_ARG, (sigset_t *)(void *)&arg,
            sizeof arg);
        san_signals();
    }
    int m = harvest(p, out, n);
    errno = saved;
    return m;
}

static void uring_wake(struct poll *pub)
{
    struct poll_uring *p = self_of(pub);
    int saved = errno;
    pthread_mutex_lock(&p->lock);
    struct io_uring_sqe *s = entry(p);
    if (s) {
        io_uring_prep_nop(s);
        io_uring_sqe_set_data64(s, NO_TAG);
        (void)submit(p);
    }
    pthread_mutex_unlock(&p->lock);
    errno = saved;
}

static void uring_close(struct poll *pub)
{
    struct poll_uring *p = self_of(pub);
    io_uring_queue_exit(&p->ring);
    pthread_mutex_destroy(&p->lock);
    free(p);
}

static const struct poll_ops ops = { "io_uring", uring_close, uring_arm, uring_disarm, uring_watch, uring_unwatch, uring_wait, uring_wake };

int poll_open_uring(struct poll **ret)
{
    /* multishot polls came with Linux 5.13, and so did tags of resources */
    const unsigned need = IORING_FEAT_EXT_ARG | IORING_FEAT_NODROP | IORING_FEAT_RSRC_TAGS;
    struct io_uring_params params = { .flags = IORING_SETUP_CQSIZE | IORING_SETUP_CLAMP, .cq_entries = COMPLETIONS };
    struct poll_uring *p = calloc(1, sizeof *p);
    if (!p)
        return ENOMEM;
    p->poll.ops = &ops;
    p->valgrind = san_on_valgrind();
    int e = -io_uring_queue_init_params(ENTRIES, &p->ring, &params);
    if (e == 0 && (params.features & need) != need) {
        io_uring_queue_exit(&p->ring);
        e = ENOSYS;
    }
    if (e) {
        free(p);
        return e;
    }
    pthread_mutex_init(&p->lock, NULL);
    *ret = &p->poll;
    return 0;
}
#else
int poll_open_uring(struct poll **ret)
{
    (void)ret;
    return ENOSYS;
}
#endif
