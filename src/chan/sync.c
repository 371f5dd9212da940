/* sync.c - mutex, once.
 *
 * Mutex: a word, a hint on which worker the holder is, and a queue under a spinlock.  The word is HELD, and WAITERS besides if somebody
 * waits.  Taking HELD off leaves a mutex for which nobody waits free, and another one held by whoever does that: so an unlock is one
 * subtraction, which is faster than a compare-and-swap.
 * A newcomer may overtake (barging), because handing over at every unlock makes a convoy: 720 ns an operation on two workers against 6.  A
 * waiter that has lost four times gets the mutex handed over, so nobody is overtaken for ever.  Spinning only helps while the
 * holder runs on another worker.
 * The step that frees a mutex is the last one in which its unlock touches it: whoever takes it next may free its memory.  So a waiter is
 * woken by its task, not by the mutex, and an unlock that frees without waking somebody does so only if nobody waits. */
#include <string.h>
#include "chan/sync.h"
#include "run/err.h"

enum { KEEP = 1, WAITED = 2, HELD = 4, TAKEN = HELD | KEEP, WAITERS = WAITED | KEEP };   /* WAITED alone: free, and somebody waits */
enum { LOSSES_MAX = 4, SPINS = 40 };
enum { HANDED_OVER = 0xfffe, OUTSIDE = 0xffff };      /* instead of a worker's number */

struct mutex {                                       /* lies in a leat_mutex */
    _Atomic uint16_t word, owner;                    /* owner: a hint, written after word */
    _Atomic uint32_t lock;
    struct waiter *_Atomic head;                     /* lock: a ring's last; newest at the tail */
};
_Static_assert(sizeof(struct mutex) <= sizeof(leat_mutex), "leat_mutex is too small");

static struct mutex *mutex_of(leat_mutex *m) { return (struct mutex *)(void *)m; }

static bool place(const struct waiter *x, struct wait_place *ret)
{
    struct mutex *m = x->owner;
    ret->lock = &m->lock;
    ret->ring = &m->head;
    return true;
}

static WAIT_KIND wait_mutex = { .what = "waits for mutex ", .describe = sync_describe, .may_end = sync_may_end, .place = place };

static uint16_t here(void)
{
    struct worker *w = worker_self();
    return (uint16_t)(w ? w->id : OUTSIDE);
}

static inline bool take(struct mutex *m, uint16_t *seen, uint16_t to)
{
    bool got = atomic_compare_exchange_strong_explicit(&m->word, seen, to, ACQ, RLX);
    if (got)
        at_store(&m->owner, here());
    return got;
}

static bool try_lock(struct mutex *m)
{
    uint16_t o = at_load(&m->word);
    return !(o & TAKEN) && take(m, &o, o ? HELD | WAITERS : HELD);
}

/* The queue is a ring kept by its last element: head = last, last->next = first. */
static void queue_add(struct mutex *m, struct waiter *x, bool front)
{
    struct waiter *last = at_load(&m->head);
    if (!last) {
        x->next = x;
        at_store(&m->head, x);
    } else {
        x->next = last->next;
        last->next = x;
        if (!front)
            at_store(&m->head, x);
    }
    x->on = true;
}

static void queue_del(struct mutex *m, struct waiter *x)
{
    struct waiter *last = at_load(&m->head), *p = last;
    while (p->next != x)
        p = p->next;
    p->next = x->next;
    if (p == x)
        at_store(&m->head, NULL);
    else if (last == x)
        at_store(&m->head, p);
    x->on = false;
}

/* Queued after losing `lost` times.  OK: woken to try again, or *got: it was handed over. */
static leat_err lock_wait(struct mutex *m, uint32_t lost, bool *got)
{
    struct waiter me = { .task = task_self(), .id = lost, .owner = m, .kind = &wait_mutex };
    lock(&m->lock);
    uint16_t o = at_load(&m->word);
    for (;;) {
        if (!(o & TAKEN)) {
            if (take(m, &o, HELD | (at_load(&m->head) ? WAITERS : 0))) {
                unlock(&m->lock);
                *got = true;
                return LEAT_OK;
            }
        } else if ((o & WAITED) || atomic_compare_exchange_weak_explicit(&m->word, &o, o | WAITERS, ACQ, RLX)) {
            break;
        }
    }
    queue_add(m, &me, lost > 0);
    me.task->on = &me;
    at_store(&me.task->park, PARK_WAIT);
    unlock_fence(&m->lock);
    uint32_t why = task_wait(me.task);
    if (why == PARK_CHAN) {
        *got = me.ok;
        return LEAT_OK;
    }
    leat_err e = task_wait_err(me.task, why);
    lock(&m->lock);
    if (me.on)
        queue_del(m, &me);
    unlock(&m->lock);
    return e == LEAT_AGAIN ? LEAT_OK : e;
}

/* Apart from leat_lock, which saves no register then. */
static __attribute__((noinline)) leat_err lock_contended(struct mutex *m)
{
    if (try_lock(m))
        return LEAT_OK;
    if (at_load(&m->owner) != here()) {
        struct worker *w = worker_self();
        if (w)
            w->contended++;
        for (int i = 0; i < SPINS; i++) {
            cpu_pause();
            if (try_lock(m))
                return LEAT_OK;
        }
    }
    for (uint32_t lost = 0;; lost++) {
        bool got = false;
        leat_err e = lock_wait(m, lost, &got);
        if (e != LEAT_OK || got)
            return e;
        if (try_lock(m))
            return LEAT_OK;
    }
}

leat_err leat_lock(leat_mutex *pub)
{
    struct mutex *m = mutex_of(pub);
    uint16_t o = 0;
    edge_reads(m, sizeof m->word);                   /* so that one who writes over it is found out */
    leat_err e = likely(take(m, &o, HELD)) ? LEAT_OK : lock_contended(m);
    if (likely(e == LEAT_OK))
        edge_acquire(m);
    return e;
}

leat_err leat_try_lock(leat_mutex *m)
{
    if (!try_lock(mutex_of(m)))
        return err_of(LEAT_AGAIN);
    edge_acquire(m);
    return LEAT_OK;
}

bool mutex_held(const leat_mutex *m)
{
    return at_load(&((const struct mutex *)(const void *)m)->word) & TAKEN;
}

void mutex_relock(leat_mutex *m)
{
    struct shield s;
    if (try_lock(mutex_of(m))) {                     /* not leat_try_lock: the detail of the wait's error stays */
        edge_acquire(m);
        return;
    }
    shield_begin(&s, (leat_dur){ INT64_MAX });
    leat_ignore(leat_lock(m));
    shield_end(&s);
}

/* Takes the first waiter whose wait is not over off the queue; null: there is none.  Says in the word whether others wait. */
static struct waiter *first_waiter(struct mutex *m)
{
    struct waiter *x = NULL, *last;
    while (!x && (last = at_load(&m->head))) {
        x = last->next;
        queue_del(m, x);
        if (!task_claim(x->task, PARK_CHAN))
            x = NULL;
    }
    if (!at_load(&m->head))
        at_store(&m->word, HELD);                    /* it is held, so only who has the lock changes it */
    return x;
}

/* There were waiters, and HELD is off: it is the caller's still.  The first one is woken to try again, or after four losses gets the mutex
 * itself. */
static __attribute__((noinline)) void pass_on(struct mutex *m)
{
    bug_if(at_load(&m->word) != WAITERS, "leat_unlock: the mutex is not locked");
    for (;;) {
        uint16_t held = HELD;
        lock(&m->lock);
        at_store(&m->word, HELD | WAITERS);          /* while it is held and has waiters nobody else changes it */
        struct waiter *x = first_waiter(m);
        struct task *t = x ? x->task : NULL;
        bool over = x && x->id >= LOSSES_MAX;
        if (x)
            x->ok = over;
        if (over)
            at_store(&m->owner, HANDED_OVER);
        unlock(&m->lock);
        if (t && !over)
            atomic_fetch_and_explicit(&m->word, WAITED, REL);
        if (t) {
            task_ready(worker_self(), t);
            return;
        }
        if (atomic_compare_exchange_strong_explicit(&m->word, &held, 0, REL, RLX))
            return;                                  /* else one has come since: it is for us to wake it */
    }
}

void leat_unlock(leat_mutex *pub)
{
    struct mutex *m = mutex_of(pub);
    edge_release(m);
    if (unlikely(atomic_fetch_sub_explicit(&m->word, HELD, REL) != HELD))
        pass_on(m);
}

/* -- once ------------------------------------------------------------------------------------------------------------------ */
struct once {                                        /* lies in a leat_once */
    leat_mutex mutex;                                /* held while fn runs */
    _Atomic uint32_t done;                           /* 1 + fn's error */
};
_Static_assert(sizeof(struct once) <= sizeof(leat_once), "leat_once is too small");

leat_err leat_do_once(leat_once *pub, leat_err (*fn)(void))
{
    struct once *o = (struct once *)(void *)pub;
    uint32_t done = at_load_acq(&o->done);
    if (likely(done)) {
        edge_acquire(&o->done);
        return (leat_err)(done - 1);
    }
    leat_err e = leat_lock(&o->mutex);
    if (e != LEAT_OK)
        return e;
    done = at_load(&o->done);
    if (!done) {
        done = (uint32_t)fn() + 1;
        edge_release(&o->done);
        at_store_rel(&o->done, done);
    }
    leat_unlock(&o->mutex);
    return (leat_err)(done - 1);
}
