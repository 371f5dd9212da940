/* io.c - a runtime's poll: when it is made, who looks into it, how it ends.
 *
 * No wake is lost while a worker sleeps in the poll.
 *  - Who holds rt->polling harvests; nobody else does.  A sleeper takes it before it sets its sleeping word and gives it back after
 *    it has cleared the word (idle.c).
 *  - A waker exchanges the sleeping word.  If it finds IN_POLL it calls poll_wake after that, and a wake that comes before poll_wait
 *    ends the next one.  Between the exchange and the sleeper's return nobody but the sleeper harvests, so nobody else can take
 *    that wake away.  If the sleeper has left the poll for another reason, the wake ends some later wait without cause: harmless.
 *  - The sleeper looks at the queues after it has set the word, the waker looks at the word after it has pushed, both across full
 *    barriers: the sleeper sees the work or the waker sees the sleeper.
 * No descriptor is left unwatched.  Suppose all workers sleep without limit, and let Z be the one whose attempt to take polling,
 * for the nap it is in, came last.  If it succeeded, Z sleeps in the poll.  If not, somebody held it; a busy or waking holder
 * gives it back before it attempts to take it for its own last nap, which was before Z's attempt: so that one still holds it and
 * sleeps in the poll.  A sleeper with a limit attempts anew after it.  A runtime's first descriptor finds its worker awake. */
#include "run/io.h"
#include <stdlib.h>
#include "base/alloc.h"
#include "run/err.h"
#include "run/file_call.h"
#include "run/io_fd.h"
#include "run/sched.h"
#include "run/seam.h"

enum { BATCH = 128, EVERY_NS = 50000 };

static void harvest(struct worker *w, struct io *io, int64_t limit_ns)
{
    struct poll_event ev[BATCH];
    int n = poll_wait(io->poll, limit_ns, ev, BATCH);
    for (int i = 0; i < n; i++)
        io_event(io, &ev[i], w);
    at_store(&io->polled_at, rt_now(w->rt));
}

static __attribute__((noinline)) void look(struct worker *w, struct io *io)
{
    uint32_t free_ = 0;
    if (!atomic_compare_exchange_strong_explicit(&w->rt->polling, &free_, 1, ACQ_REL, RLX))
        return;                                      /* somebody sleeps in it and will be woken */
    harvest(w, io, 0);
    at_store_rel(&w->rt->polling, 0);
}

void io_tick(struct worker *w)
{
    struct io *io = at_load_acq(&w->rt->io);
    if (unlikely(io != NULL) && !at_load(&w->rt->polling) && rt_now(w->rt) - at_load(&io->polled_at) >= EVERY_NS)
        look(w, io);
}

void io_poll(struct worker *w)
{
    struct io *io = at_load_acq(&w->rt->io);
    if (io && !at_load(&w->rt->polling))
        look(w, io);
}

void io_sleep(struct worker *w, int64_t limit)
{
    harvest(w, at_load_acq(&w->rt->io), limit == NEVER ? -1 : MAX(limit, (int64_t)0));
}

void io_wake(struct rt *rt)
{
    poll_wake(at_load_acq(&rt->io)->poll);
}

/* -- its life ---------------------------------------------------------------------------------------------------------- */
static leat_err io_new(struct io **ret, bool guest)
{
    struct io *io = mem_zalloc(sizeof *io);
    if (!io)
        return err_of(LEAT_NOMEM);
    const char *kind = guest ? NULL : getenv("LEAT_POLL");
    int e = guest ? poll_open_guest(&io->poll) : poll_open(kind && *kind ? kind : NULL, &io->poll);
    if (e) {
        mem_free(io);
        return kind ? err_sys(e, "waiting for descriptors by %s (LEAT_POLL; there are epoll and io_uring)", kind)
                    : err_sys(e, "waiting for descriptors");
    }
    at_store(&io->refs, 1);
    *ret = io;
    return LEAT_OK;
}

leat_err io_get(struct rt *rt, struct io **ret)
{
    struct io *io = at_load_acq(&rt->io), *none = NULL;
    if (likely(io != NULL)) {
        *ret = io;
        return LEAT_OK;
    }
    leat_err e = io_new(&io, false);
    if (e != LEAT_OK)
        return e;
    if (!atomic_compare_exchange_strong_explicit(&rt->io, &none, io, ACQ_REL, ACQ)) {
        poll_close(io->poll);                        /* another task was quicker */
        mem_free(io);
        io = none;
    }
    *ret = io;
    return LEAT_OK;
}

leat_err io_open_guest(struct rt *rt, int *fd)
{
    struct io *io;
    LEAT_TRY(io_new(&io, true));
    *fd = poll_outer_fd(io->poll);
    at_store_rel(&rt->io, io);
    return LEAT_OK;
}

void io_alarm(struct rt *rt, int64_t in_ns)
{
    poll_alarm(at_load_acq(&rt->io)->poll, in_ns);
}

void io_unref(struct io *io)
{
    if (!io || atomic_fetch_sub_explicit(&io->refs, 1, ACQ_REL) != 1)
        return;
    for (uint32_t i = 0; i < IO_CHUNKS; i++)
        mem_free(at_load(&io->chunk[i]));
    mem_free(io);
}

/* Tasks of other runtimes may still wait here, on streams that were first used in this one: they go on in their own. */
static void sweep(struct io *io)
{
    for (uint32_t i = 0; i < IO_CHUNKS; i++) {
        struct io_fd *c = at_load_acq(&io->chunk[i]);
        for (uint32_t k = 0; c && k < IO_CHUNK; k++) {
            lock(&c[k].lock);
            c[k].armed = 0;
            struct waiter *list = io_claim(&c[k], LEAT_READ | LEAT_WRITE, true);
            unlock(&c[k].lock);
            io_ready_all(list);
        }
    }
}

void io_end(struct rt *rt)
{
    struct io *io = at_load_acq(&rt->io);
    if (!io)
        return;
    atomic_exchange_explicit(&io->dead, 1, SEQ);
    sweep(io);
    file_ring_end(io);
    poll_close(io->poll);
    at_store(&rt->io, NULL);
    io_unref(io);
}

/* -- slots ------------------------------------------------------------------------------------------------------------- */
struct io_fd *io_slot(struct io *io, int fd)
{
    struct io_fd *c = (uint32_t)fd < LIMIT_FDS ? at_load_acq(&io->chunk[fd / IO_CHUNK]) : NULL;
    return c ? &c[fd % IO_CHUNK] : NULL;
}

leat_err io_slot_make(struct io *io, int fd, struct io_fd **ret)
{
    if ((uint32_t)fd >= LIMIT_FDS)
        return leat_fail(LEAT_LIMIT, "descriptor %d: those above %d cannot be waited for", fd, LIMIT_FDS - 1);
    struct io_fd *f = io_slot(io, fd);
    if (!f) {
        lock(&io->lock);
        if (!(f = io_slot(io, fd)) && (f = mem_zalloc(IO_CHUNK * sizeof *f))) {
            at_store_rel(&io->chunk[fd / IO_CHUNK], f);
            f += fd % IO_CHUNK;
        }
        unlock(&io->lock);
    }
    if (!f)
        return err_of(LEAT_NOMEM);
    *ret = f;
    return LEAT_OK;
}
