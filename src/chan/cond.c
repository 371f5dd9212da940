/* cond.c - condition, wait group, weighted semaphore: queues in the order of arrival, under a spinlock (sync.h).
 * Order (plat/edges.h): a signal, a done, a release come before the waits and acquires that return after them. */
#include "chan/sync.h"
#include "run/err.h"
#include "run/rt.h"

/* -- condition --------------------------------------------------------------------------------------------------------- */
struct cond {                                        /* lies in a leat_cond */
    _Atomic uint32_t lock;
    struct waiters q;                                /* lock */
};
_Static_assert(sizeof(struct cond) <= sizeof(leat_cond), "leat_cond is too small");

static bool cond_place(const struct waiter *x, struct wait_place *ret)
{
    struct cond *c = x->owner;
    ret->lock = &c->lock;
    ret->q = &c->q;
    return true;
}

static WAIT_KIND wait_cond = { .what = "waits for condition ", .describe = sync_describe, .may_end = sync_may_end, .place = cond_place };

static struct cond *cond_of(leat_cond *c) { return (struct cond *)(void *)c; }

/* Queued before the mutex is free: whoever changes the condition under the mutex finds us. */
leat_err leat_cond_wait(leat_cond *pub, leat_mutex *m)
{
    struct cond *c = cond_of(pub);
    struct waiter me = { .task = task_self(), .owner = c, .kind = &wait_cond };
    leat_err e = LEAT_OK;
    bug_if(!mutex_held(m), "leat_cond_wait: the mutex is not locked");
    if (unlikely(me.task->foreign > 1))              /* it could not wait for the mutex afterwards either, so it keeps it */
        return foreign_would_block();
    lock(&c->lock);
    waiter_add(&c->q, &me);
    me.task->on = &me;
    at_store(&me.task->park, PARK_WAIT);
    unlock_fence(&c->lock);
    leat_unlock(m);
    for (uint32_t why; (why = task_wait(me.task)) != PARK_CHAN; ) {
        e = task_wait_err(me.task, why);
        lock(&c->lock);
        if (e == LEAT_AGAIN && me.on) {              /* only a hint: it keeps its place */
            me.task->on = &me;
            at_store(&me.task->park, PARK_WAIT);
            unlock_fence(&c->lock);
            continue;
        }
        if (e == LEAT_AGAIN)                         /* a signal met the hint and found it awake */
            e = LEAT_OK;
        if (me.on)
            waiter_del(&c->q, &me);
        unlock(&c->lock);
        mutex_relock(m);
        return e;
    }
    edge_acquire(c);
    mutex_relock(m);
    return LEAT_OK;
}

void leat_cond_signal(leat_cond *pub)
{
    struct cond *c = cond_of(pub);
    edge_release(c);
    lock(&c->lock);
    struct waiter *x = waiter_claim(&c->q);
    unlock(&c->lock);
    if (x)
        task_ready(worker_self(), x->task);
}

void leat_cond_broadcast(leat_cond *pub)
{
    struct cond *c = cond_of(pub);
    struct waiter *list = NULL, **end = &list;
    edge_release(c);
    lock(&c->lock);
    for (struct waiter *x; (x = waiter_claim(&c->q)); )
        sync_chain(&end, x);
    unlock(&c->lock);
    chan_wake(list);
}

/* -- wait group -------------------------------------------------------------------------------------------------------- */
struct waitgroup {                                   /* lies in a leat_waitgroup; lock protects all */
    _Atomic uint32_t lock;
    int32_t n;
    struct waiters q;
};
_Static_assert(sizeof(struct waitgroup) <= sizeof(leat_waitgroup), "leat_waitgroup is too small");

static bool waitgroup_place(const struct waiter *x, struct wait_place *ret)
{
    struct waitgroup *g = x->owner;
    ret->lock = &g->lock;
    ret->q = &g->q;
    return true;
}

static WAIT_KIND wait_waitgroup = { .what = "waits for wait group ", .describe = sync_describe, .may_end = sync_may_end,
    .place = waitgroup_place };

static struct waitgroup *waitgroup_of(leat_waitgroup *g) { return (struct waitgroup *)(void *)g; }

void leat_waitgroup_add(leat_waitgroup *pub, int n)
{
    struct waitgroup *g = waitgroup_of(pub);
    struct waiter *list = NULL, **end = &list;
    edge_release(g);
    lock(&g->lock);
    bug_if(__builtin_add_overflow(g->n, n, &g->n) || g->n < 0, "leat_waitgroup: more have called done than were added");
    if (!g->n)
        for (struct waiter *x; (x = at_load(&g->q.head)); )
            sync_grant(&g->q, x, &end);
    unlock(&g->lock);
    chan_wake(list);
}

void leat_waitgroup_done(leat_waitgroup *g)
{
    leat_waitgroup_add(g, -1);
}

static leat_err waitgroup_wait(struct waitgroup *g)
{
    struct waiter me = { .task = task_self(), .owner = g, .kind = &wait_waitgroup };
    leat_err e = LEAT_OK;
    lock(&g->lock);                                  /* also when n is 0: who made it so has left then */
    if (g->n && (e = sync_wait(&g->lock, &g->q, &me)) == LEAT_OK)
        return LEAT_OK;
    unlock(&g->lock);
    return e;
}

leat_err leat_waitgroup_wait(leat_waitgroup *pub)
{
    struct waitgroup *g = waitgroup_of(pub);
    leat_err e = waitgroup_wait(g);
    if (e == LEAT_OK)
        edge_acquire(g);
    return e;
}

/* -- semaphore --------------------------------------------------------------------------------------------------------- */
struct sem {                                         /* is a leat_sem; lock protects all but size */
    int64_t size, used;
    struct waiters q;
    _Atomic uint32_t lock;
};
_Static_assert(sizeof(struct sem) <= sizeof(leat_sem), "leat_sem is too small");
_Static_assert(offsetof(struct sem, size) == offsetof(leat_sem, size), "size comes first");

static bool sem_place(const struct waiter *x, struct wait_place *ret)
{
    struct sem *s = x->owner;
    ret->lock = &s->lock;
    ret->q = &s->q;
    return true;
}

static WAIT_KIND wait_sem = { .what = "waits for semaphore ", .describe = sync_describe, .may_end = sync_may_end, .place = sem_place };

struct sem_waiter { struct waiter w; int64_t n; };

static struct sem *sem_of(leat_sem *s) { return (struct sem *)(void *)s; }

/* [lock held; lets go of it] Those in front get theirs; the first one that must wait holds up all behind it. */
static void sem_serve(struct sem *s)
{
    struct waiter *list = NULL, **end = &list;
    for (struct waiter *x; (x = at_load(&s->q.head)); ) {
        int64_t n = container_of(x, struct sem_waiter, w)->n;
        if (n > s->size - s->used)
            break;
        s->used += n;
        sync_grant(&s->q, x, &end);
    }
    unlock(&s->lock);
    chan_wake(list);
}

static leat_err sem_check(const struct sem *s, int64_t n)
{
    if (n < 0)
        return leat_fail(LEAT_INVAL, "leat_acquire: %lld of a semaphore", (long long)n);
    if (n > s->size)
        return leat_fail(LEAT_LIMIT, "leat_acquire: %lld of a semaphore that has %lld", (long long)n, (long long)s->size);
    return LEAT_OK;
}

static leat_err acquire(struct sem *s, int64_t n)
{
    struct sem_waiter me = { .w = { .task = task_self(), .owner = s, .kind = &wait_sem }, .n = n };
    leat_err e = sem_check(s, n);
    if (e != LEAT_OK)
        return e;
    lock(&s->lock);
    if (n <= s->size - s->used && !at_load(&s->q.head)) {
        s->used += n;
        unlock(&s->lock);
        return LEAT_OK;
    }
    e = sync_wait(&s->lock, &s->q, &me.w);
    if (e != LEAT_OK)
        sem_serve(s);                                /* those behind it may be next */
    return e;
}

leat_err leat_acquire(leat_sem *pub, int64_t n)
{
    struct sem *s = sem_of(pub);
    leat_err e = acquire(s, n);
    if (e == LEAT_OK)
        edge_acquire(s);
    return e;
}

leat_err leat_try_acquire(leat_sem *pub, int64_t n)
{
    struct sem *s = sem_of(pub);
    leat_err e = sem_check(s, n);
    if (e == LEAT_LIMIT)
        return err_of(LEAT_AGAIN);
    if (e != LEAT_OK)
        return e;
    lock(&s->lock);
    bool got = !at_load(&s->q.head) && n <= s->size - s->used;
    s->used += got ? n : 0;
    unlock(&s->lock);
    if (got)
        edge_acquire(s);
    return got ? LEAT_OK : err_of(LEAT_AGAIN);
}

void leat_release(leat_sem *pub, int64_t n)
{
    struct sem *s = sem_of(pub);
    edge_release(s);
    lock(&s->lock);
    bug_if(n < 0 || n > s->used, "leat_release: more than was acquired");
    s->used -= n;
    sem_serve(s);
}
