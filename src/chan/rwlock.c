/* rwlock.c - many readers or one writer.
 *
 * Writers take turns by a mutex, which has their queue, its spinning and its bound on overtaking.  The one that has it sets `pending`:
 * from then on new readers wait, and the last reader who leaves gives it the lock.  When it unlocks, or gives up, all the readers
 * that wait come in before the next writer.  So neither side starves the other.
 *
 * Order (plat/edges.h): what a writer did comes before all that come later, what a reader did before the writers that come later. */
#include "chan/sync.h"
#include "run/err.h"

struct rwlock {                                      /* lies in a leat_rwlock; lock protects all below it */
    leat_mutex writers;
    _Atomic uint32_t lock;
    uint32_t readers;                                /* that hold it */
    bool pending, writing;                           /* the holder of `writers` waits or writes; it writes */
    struct waiters rq, wq;                           /* wq: the pending writer, or nobody */
};
_Static_assert(sizeof(struct rwlock) <= sizeof(leat_rwlock), "leat_rwlock is too small");

static bool read_place(const struct waiter *x, struct wait_place *ret)
{
    struct rwlock *l = x->owner;
    ret->lock = &l->lock;
    ret->q = &l->rq;
    return true;
}

static bool write_place(const struct waiter *x, struct wait_place *ret)
{
    struct rwlock *l = x->owner;
    ret->lock = &l->lock;
    ret->q = &l->wq;
    return true;
}

static WAIT_KIND wait_read = { .what = "waits to read under lock ", .describe = sync_describe, .may_end = sync_may_end,
    .place = read_place };
static WAIT_KIND wait_write = { .what = "waits to write under lock ", .describe = sync_describe, .may_end = sync_may_end,
    .place = write_place };

static struct rwlock *rwlock_of(leat_rwlock *l) { return (struct rwlock *)(void *)l; }

static __attribute__((noinline)) leat_err rlock_wait(struct rwlock *l)
{
    struct waiter me = { .task = task_self(), .owner = l, .kind = &wait_read };
    leat_err e = sync_wait(&l->lock, &l->rq, &me);
    if (e != LEAT_OK)
        unlock(&l->lock);
    return e;                                        /* OK: the writer has counted us */
}

leat_err leat_rlock(leat_rwlock *pub)
{
    struct rwlock *l = rwlock_of(pub);
    lock(&l->lock);
    leat_err e = LEAT_OK;
    if (unlikely(l->pending)) {
        e = rlock_wait(l);
    } else {
        l->readers++;
        unlock(&l->lock);
    }
    if (likely(e == LEAT_OK))
        edge_acquire(&l->writing);
    return e;
}

leat_err leat_try_rlock(leat_rwlock *pub)
{
    struct rwlock *l = rwlock_of(pub);
    lock(&l->lock);
    bool got = !l->pending;
    l->readers += got;
    unlock(&l->lock);
    if (got)
        edge_acquire(&l->writing);
    return got ? LEAT_OK : err_of(LEAT_AGAIN);
}

void leat_runlock(leat_rwlock *pub)
{
    struct rwlock *l = rwlock_of(pub);
    struct waiter *list = NULL, **end = &list, *w;
    edge_release(&l->readers);
    lock(&l->lock);
    bug_if(!l->readers, "leat_runlock: no reader holds this lock");
    if (--l->readers == 0 && (w = at_load(&l->wq.head))) {
        l->writing = true;
        sync_grant(&l->wq, w, &end);
    }
    unlock(&l->lock);
    chan_wake(list);
}

/* [lock held; lets go of it] No writer any more: the waiting readers come in. */
static void admit(struct rwlock *l)
{
    struct waiter *list = NULL, **end = &list;
    l->pending = l->writing = false;
    for (struct waiter *x; (x = at_load(&l->rq.head)); l->readers++)
        sync_grant(&l->rq, x, &end);
    unlock(&l->lock);
    chan_wake(list);
}

static leat_err wlock(struct rwlock *l)
{
    LEAT_TRY(leat_lock(&l->writers));
    lock(&l->lock);
    l->pending = true;
    struct waiter me = { .task = task_self(), .owner = l, .kind = &wait_write };
    if (!l->readers) {
        l->writing = true;
        unlock(&l->lock);
        return LEAT_OK;
    }
    leat_err e = sync_wait(&l->lock, &l->wq, &me);
    if (e == LEAT_OK)
        return LEAT_OK;
    admit(l);
    leat_unlock(&l->writers);
    return e;
}

leat_err leat_wlock(leat_rwlock *pub)
{
    struct rwlock *l = rwlock_of(pub);
    leat_err e = wlock(l);
    if (likely(e == LEAT_OK))
        edge_acquire(&l->readers);
    return e;
}

leat_err leat_try_wlock(leat_rwlock *pub)
{
    struct rwlock *l = rwlock_of(pub);
    LEAT_TRY(leat_try_lock(&l->writers));
    lock(&l->lock);
    bool got = !l->readers;
    l->pending = l->writing = got;
    unlock(&l->lock);
    if (got) {
        edge_acquire(&l->readers);
        return LEAT_OK;
    }
    leat_unlock(&l->writers);
    return err_of(LEAT_AGAIN);
}

void leat_wunlock(leat_rwlock *pub)
{
    struct rwlock *l = rwlock_of(pub);
    edge_release(&l->writing);
    lock(&l->lock);
    bug_if(!l->writing, "leat_wunlock: no writer holds this lock");
    admit(l);
    leat_unlock(&l->writers);
}
