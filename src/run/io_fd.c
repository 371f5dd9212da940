/* io_fd.c - who waits for which descriptor, and what an event does.
 *
 * The program's descriptors are armed anew at each wait, under a new generation: the program may close and reuse a number at any
 * time, and an event of what stood behind it before is then of no generation that counts.
 * Our own sockets are watched for good.  An edge is never lost: whoever finds that a call would block looks at `ready` under the
 * slot's lock before it queues, and an event either finds it in the queue or sets `ready`.  Only a call on the socket itself
 * clears `ready`, and makes its system call after that.
 * Locks: a socket's, then a slot's. */
#include "run/io_fd.h"
#include "run/err.h"
#include "run/file_call.h"
#include "run/io.h"
#include "run/report.h"
#include "run/rt.h"
#include "run/sched.h"
#include "run/seam.h"
#include "run/waiter.h"

enum { BOTH = LEAT_READ | LEAT_WRITE, OURS = 256 };  /* OURS: in val, a wait by a call on the socket itself */
_Static_assert((int)POLL_READ == (int)LEAT_READ && (int)POLL_WRITE == (int)LEAT_WRITE, "events pass through");

static uint32_t events_of(const struct waiter *x) { return (uint32_t)(uintptr_t)x->val; }
static uint64_t tag_of(const struct io_fd *f, int fd) { return poll_tag(fd, f->gen); }

struct waiter *io_claim(struct io_fd *f, uint32_t events, bool ok)
{
    struct waiter *list = NULL, **end = &list, *next;
    for (struct waiter *x = at_load(&f->q.head); x; x = next) {
        next = x->next;
        uint32_t ev = events_of(x) & events;
        if (!ev)
            continue;
        waiter_del(&f->q, x);
        if (!task_claim(x->task, PARK_CHAN))
            continue;
        waiter_win(x, ok);
        x->err = ok ? 0 : LEAT_CLOSED;
        if (events_of(x) & OURS)
            at_store(&f->ready, (uint8_t)(at_load(&f->ready) & ~ev));
        x->next = NULL;
        *end = x;
        end = &x->next;
    }
    return list;
}

void io_ready_all(struct waiter *list)
{
    struct worker *w = worker_self();
    for (struct waiter *x = list, *next; x; x = next) {
        next = x->next;                              /* x is gone as soon as its task runs */
        task_ready(w, x->task);
    }
}

static uint32_t wanted(const struct io_fd *f)
{
    uint32_t events = 0;
    for (struct waiter *x = at_load(&f->q.head); x; x = x->next)
        events |= events_of(x);
    return events & BOTH;
}

/* [slot locked] Under a new generation, for all who wait.  0 or an errno. */
static int rearm(struct io *io, struct io_fd *f, int fd)
{
    uint64_t old = f->armed ? tag_of(f, fd) : 0;
    f->gen++;
    f->armed = 0;
    int e = poll_arm(io->poll, tag_of(f, fd), wanted(f), old);
    if (e == 0)
        f->armed = (uint8_t)wanted(f);
    return e;
}

void io_event(struct io *io, const struct poll_event *ev, struct worker *w)
{
    (void)w;
    int fd = poll_tag_fd(ev->tag);
    struct io_fd *f = io_slot(io, fd);
    if (!f)
        return;
    struct waiter *list = NULL;
    if (unlikely(fd + 1 == at_load_acq(&io->ring_fd)))
        file_ring_event(io);
    lock(&f->lock);
    if (poll_tag(fd, f->gen) == ev->tag && f->watched) {
        at_store(&f->ready, (uint8_t)(at_load(&f->ready) | (ev->events & BOTH)));
        if (ev->events & POLL_END)
            at_store(&f->ended, true);
        list = io_claim(f, ev->events, true);
        if (ev->events & POLL_LAPSED)
            (void)poll_watch(io->poll, ev->tag);
    } else if (poll_tag(fd, f->gen) == ev->tag && f->armed) {
        f->armed = 0;
        list = io_claim(f, ev->events, true);
        if (at_load(&f->q.head) && rearm(io, f, fd) != 0) {
            struct waiter *rest = io_claim(f, BOTH, true);           /* they find out by their own call */
            unlock(&f->lock);
            io_ready_all(list);
            io_ready_all(rest);
            return;
        }
    }
    unlock(&f->lock);
    io_ready_all(list);
}

/* -- the program's descriptors ----------------------------------------------------------------------------------------- */
enum look { READY, NOT_YET, BAD };

static enum look look_at(int fd, int events)
{
    int e;
    while ((e = poll_one(fd, (uint32_t)events, 0)) == EINTR)
        ;
    return e == EBADF ? BAD : e == 0 ? READY : NOT_YET;
}

bool io_ready(int fd, int events)
{
    struct rt *rt = rt_self();
    return (rt && rt->seam) || look_at(fd, events) != NOT_YET;
}

static leat_err bad_fd(int fd)
{
    return leat_fail(LEAT_INVAL, "descriptor %d is not open", fd);
}

leat_err io_check(int fd, int events)
{
    if (fd < 0 || !(events & BOTH) || (events & ~BOTH))
        return leat_fail(LEAT_INVAL, "descriptor %d, events %d: LEAT_READ, LEAT_WRITE or both", fd, events);
    return LEAT_OK;
}

leat_err io_watch(int fd, int events, struct waiter *x)
{
    struct rt *rt = rt_self();
    struct io *io;
    struct io_fd *f;
    LEAT_TRY(io_check(fd, events));
    LEAT_TRY(io_get(rt, &io));
    LEAT_TRY(io_slot_make(io, fd, &f));
    x->val = (void *)(uintptr_t)events;
    x->owner = f;
    lock(&f->lock);
    waiter_add(&f->q, x);
    /* a socket of ours: no level is reported, so look once more now that an edge will find x */
    int e = f->watched ? 0 : rearm(io, f, fd);
    bool now = e == EPERM || (f->watched && look_at(fd, events) != NOT_YET);
    if ((e || now) && x->on)
        waiter_del(&f->q, x);
    unlock_fence(&f->lock);
    if (now)
        return LEAT_AGAIN;
    return e == 0 ? LEAT_OK : e == EBADF ? bad_fd(fd) : e == ENOMEM ? err_of(LEAT_NOMEM) : err_sys(e, "waiting for descriptor %d", fd);
}

void io_unwatch(int fd, struct waiter *x)
{
    struct io_fd *f = x->owner;
    struct rt *rt = rt_self();
    if (!f)
        return;
    lock(&f->lock);
    if (x->on)
        waiter_del(&f->q, x);
    if (f->armed && !at_load(&f->q.head)) {
        poll_disarm(at_load_acq(&rt->io)->poll, tag_of(f, fd));
        f->armed = 0;
    }
    unlock(&f->lock);
}

enum { SLICE_NS = 20000000 };

/* A thread in a context: who cancels that rings its bell.  It looks up at `until` too.  0: ready; *why: what else has ended the wait. */
static int poll_with_bell(int fd, int events, struct task *t, int64_t until, uint32_t *why)
{
    int e;
    int64_t deadline = at_load(&t->deadline);
    at_store(&t->deadline, MIN(deadline, until));
    store_fence(&t->park, PARK_WAIT);
    *why = task_wait(t);
    task_poll_end(t);
    at_store(&t->deadline, deadline);
    while ((e = poll_one(fd, (uint32_t)events, 0)) == EINTR)
        ;
    return e;
}

/* This thread blocks.  It looks up now and then: for a socket that is closed here, or without a bell for a context that is cancelled. */
static leat_err block(int fd, int events, struct task *t, _Atomic uint32_t *closed)
{
    if (t->foreign > 1)
        return look_at(fd, events) == NOT_YET ? foreign_would_block() : LEAT_OK;
    for (;;) {
        int e;
        uint32_t why = PARK_TIMER;
        int64_t deadline = at_load(&t->deadline), now = rt_now(t->rt);
        if (t->ctx != ctx_foreign() && task_poll_begin(t, fd, events) == 0)
            e = poll_with_bell(fd, events, t, closed ? now + SLICE_NS : NEVER, &why);
        else
            e = poll_one(fd, (uint32_t)events, deadline == NEVER ? SLICE_NS : MAX(MIN((int64_t)SLICE_NS, deadline - now), (int64_t)0));
        if (closed && at_load_acq(closed))
            return err_of(LEAT_CLOSED);
        if (e == 0)
            return LEAT_OK;
        if (e == EBADF)
            return bad_fd(fd);
        leat_err w = task_wait_err(t, why);
        if (w != LEAT_AGAIN)
            return w;
    }
}

/* A wait that could not begin.  If somebody has ended it already, that wake is taken. */
static void call_off(struct task *t)
{
    if (!task_claim(t, PARK_NONE))
        task_park_plain(t);
}

static leat_err fd_wait(int fd, int events, struct task *t)
{
    struct waiter x = { .task = t, .id = (uint32_t)fd, .kind = &wait_fd };
    t->on = &x;
    at_store(&t->park, PARK_WAIT);
    leat_err e = io_watch(fd, events, &x);
    if (e != LEAT_OK) {
        call_off(t);
        return e == LEAT_AGAIN ? LEAT_OK : e;
    }
    uint32_t why = task_wait(t);
    if (why == PARK_CHAN)
        return LEAT_OK;
    e = task_wait_err(t, why);
    io_unwatch(fd, &x);
    return e;
}

leat_err leat_fd_wait(int fd, int events)
{
    struct rt *rt = rt_self();
    if (fd < 0 || !(events & BOTH) || (events & ~BOTH))
        return leat_fail(LEAT_INVAL, "leat_fd_wait: descriptor %d, events %d: LEAT_READ, LEAT_WRITE or both", fd, events);
    if (rt && rt->seam)
        return LEAT_OK;
    for (;;) {
        leat_err e;
        enum look l = look_at(fd, events);
        if (l != NOT_YET)
            return l == READY ? LEAT_OK : bad_fd(fd);
        if (!rt)
            return block(fd, events, task_self(), NULL);
        if ((e = fd_wait(fd, events, task_self())) != LEAT_AGAIN)
            return e;
    }
}

/* -- our own sockets --------------------------------------------------------------------------------------------------- */
/* [socket locked] */
static leat_err sock_watch(struct io_sock *s, struct rt *rt)
{
    struct io *io, *old = at_load(&s->io);
    struct io_fd *f;
    if (old && !at_load(&old->dead))
        return LEAT_OK;                              /* another task was quicker */
    LEAT_TRY(io_get(rt, &io));
    LEAT_TRY(io_slot_make(io, s->fd, &f));
    lock(&f->lock);
    if (f->armed)
        poll_disarm(io->poll, tag_of(f, s->fd));
    f->armed = 0;
    f->gen++;
    f->watched = true;
    at_store(&f->ready, 0);
    at_store(&f->ended, false);
    int e = poll_watch(io->poll, tag_of(f, s->fd));
    f->watched = e == 0;
    unlock(&f->lock);
    if (e)
        return err_sys(e, "waiting for a socket");
    atomic_fetch_add_explicit(&io->refs, 1, RLX);
    s->slot = f;
    at_store_rel(&s->io, io);
    io_unref(old);
    return LEAT_OK;
}

/* Where s is watched, with a reference if that is not the poll of the task's own runtime. */
static leat_err sock_io(struct io_sock *s, struct rt *rt, struct io **ret, struct io_fd **slot)
{
    leat_err e = LEAT_OK;
    struct io *io = at_load_acq(&s->io);
    if (likely(io != NULL && io == at_load_acq(&rt->io))) {
        *ret = io;
        *slot = s->slot;
        return LEAT_OK;
    }
    lock(&s->lock);
    e = sock_watch(s, rt);
    if (e == LEAT_OK) {
        *ret = at_load(&s->io);
        *slot = s->slot;
        if (*ret != at_load_acq(&rt->io))
            atomic_fetch_add_explicit(&(*ret)->refs, 1, RLX);
    }
    unlock(&s->lock);
    return e;
}

static leat_err sock_park(struct io_sock *s, struct io *io, struct io_fd *f, int dir, struct task *t)
{
    struct waiter x = { .task = t, .val = (void *)(uintptr_t)((unsigned)dir | OURS), .owner = f, .id = (uint32_t)s->fd,
        .kind = &wait_fd };
    uint8_t ready;
    lock(&f->lock);
    if (at_load(&s->closed)) {
        unlock(&f->lock);
        return err_of(LEAT_CLOSED);
    }
    ready = at_load(&f->ready);
    if ((ready & dir) || (dir == LEAT_READ && at_load(&f->ended)) || at_load(&io->dead)) {
        at_store(&f->ready, (uint8_t)(ready & ~dir));
        unlock(&f->lock);
        return LEAT_OK;
    }
    t->on = &x;
    at_store(&t->park, PARK_WAIT);
    waiter_add(&f->q, &x);
    unlock_fence(&f->lock);
    uint32_t why = task_wait(t);
    if (why == PARK_CHAN)
        return x.ok ? LEAT_OK : err_of(LEAT_CLOSED);
    leat_err e = task_wait_err(t, why);
    lock(&f->lock);
    if (x.on)
        waiter_del(&f->q, &x);
    unlock(&f->lock);
    return e == LEAT_AGAIN ? LEAT_OK : e;
}

leat_err io_sock_wait(struct io_sock *s, int dir)
{
    struct task *t = task_self();
    struct rt *rt = rt_self();
    struct io *io;
    struct io_fd *f;
    if (!rt || rt->seam)
        return block(s->fd, dir, t, &s->closed);
    LEAT_TRY(sock_io(s, rt, &io, &f));
    bool own = io == at_load_acq(&rt->io);
    leat_err e = sock_park(s, io, f, dir, t);
    if (!own)
        io_unref(io);
    return e;
}

bool io_sock_mark(struct io_sock *s)
{
    struct io *io = at_load_acq(&s->io);
    struct rt *rt = rt_self();
    if (!io || !rt || io != at_load_acq(&rt->io))
        return false;
    struct io_fd *f = s->slot;
    if (at_load(&f->ready) & LEAT_READ) {
        lock(&f->lock);
        at_store(&f->ready, (uint8_t)(at_load(&f->ready) & ~LEAT_READ));
        unlock(&f->lock);
    }
    return !at_load(&f->ended);
}

bool io_sock_news(struct io_sock *s)
{
    struct io *io = at_load_acq(&s->io);
    struct rt *rt = rt_self();
    if (!io || !rt || io != at_load_acq(&rt->io))
        return true;
    return (at_load(&s->slot->ready) & LEAT_READ) || at_load(&s->slot->ended);
}

/* [socket locked] */
static struct waiter *sock_claim(struct io_sock *s, uint32_t events, bool ok)
{
    struct waiter *list = NULL;
    if (at_load(&s->io)) {
        struct io_fd *f = s->slot;
        lock(&f->lock);
        list = io_claim(f, events, ok);
        if (ok)
            at_store(&f->ready, (uint8_t)(at_load(&f->ready) | events));
        unlock(&f->lock);
    }
    return list;
}

void io_sock_more(struct io_sock *s)
{
    lock(&s->lock);
    struct waiter *list = sock_claim(s, LEAT_READ, true);
    unlock(&s->lock);
    io_ready_all(list);
}

void io_sock_shut(struct io_sock *s)
{
    atomic_exchange_explicit(&s->closed, 1, SEQ);
    lock(&s->lock);
    struct waiter *list = sock_claim(s, BOTH, false);
    unlock(&s->lock);
    io_ready_all(list);
}

void io_sock_done(struct io_sock *s)
{
    struct waiter *list = NULL;
    lock(&s->lock);
    struct io *io = at_load(&s->io);
    if (io) {
        struct io_fd *f = s->slot;
        lock(&f->lock);
        if (!at_load(&io->dead))
            poll_unwatch(io->poll, tag_of(f, s->fd));
        f->watched = false;
        list = io_claim(f, BOTH, true);              /* the program waits for the number: it will find it closed */
        unlock(&f->lock);
        at_store(&s->io, NULL);
    }
    unlock(&s->lock);
    io_ready_all(list);
    io_unref(io);
}
