/* sched.h - the paths that every operation takes: who am I, lock, wait, make ready, run the next one.  For run/ and chan/.
 *
 * How a wait goes.  Under the lock of what it waits for: queue a waiter, park := PARK_WAIT, unlock with a full barrier; then
 * task_wait().  It looks at the context's done word after that barrier, and a canceller sets done (full barrier) before it looks
 * at park words: one of them sees the other (Dekker).  Likewise deadline and timer.
 *
 * Fairness, in words.  A worker runs its run-next task at most RUN_NEXT_BOUND times in a row, then one from the ring.  Every 64
 * picks it looks at timers, pinned tasks, descriptors and contention; every 256 picks the global list gets a batch; every 8192
 * picks the oldest fresh task gets a turn.  Tasks that were started come before fresh ones, and fresh ones run newest first, so
 * that a tree of tasks runs depth first and needs few stacks.
 *
 * Rejected.  A stack at spawn and FIFO of fresh tasks: 4x slower and 200x the memory on a tree.  A thief that takes at once:
 * 6x slower on shared channels.  A fence on every push: 17 ns; the idle protocol needs none (idle.c). */
#ifndef RUN_SCHED_H
#define RUN_SCHED_H
#include "plat/switch.h"
#include "run/task.h"

enum { RUN_NEXT_BOUND = 32, TICK_MASK = 63 };

struct task *task_foreign(void);                     /* the calling thread's stand-in */
void lock_slow(_Atomic uint32_t *l);
void ring_overflow(struct worker *w, struct task *t);
struct task *sched_tick(struct worker *w);
void ready_far(struct task *t);
void ready_pinned(struct task *t);
void task_wait_foreign(struct task *t);
void stack_bind(struct worker *w, struct task *t);
bool stack_more(struct worker *w);
void ctx_register(struct task *t);
void timer_arm(struct worker *w, struct task *t, int64_t when);
/* What a canceller did happens before what one does who sees the cancel (edges.h). */
static inline void ctx_seen(const leat_ctx *c)
{
    for (; SAN_EDGES && c; c = c->parent)
        edge_acquire(&c->done);
}

static inline struct worker *worker_self(void) { return plat_self(); }

static inline struct task *task_self(void)
{
    struct worker *w = worker_self();
    return likely(w != NULL) ? w->cur : task_foreign();
}

static inline void lock(_Atomic uint32_t *l)
{
    if (unlikely(atomic_exchange_explicit(l, 1, ACQ)))
        lock_slow(l);
}
static inline void unlock(_Atomic uint32_t *l) { at_store_rel(l, 0); }
static inline void unlock_fence(_Atomic uint32_t *l) { atomic_exchange_explicit(l, 0, SEQ); }

/* Ends t's wait for this reason.  true: it was this call that did; the caller then makes t ready. */
static inline bool task_claim(struct task *t, uint32_t why)
{
    uint32_t e = PARK_WAIT;
    return atomic_compare_exchange_strong_explicit(&t->park, &e, why, ACQ_REL, RLX);
}

static inline void ring_push(struct worker *w, struct task *t)
{
    uint32_t tail = at_load(&w->tail);
    if (likely(tail - at_load_acq(&w->head) < RING)) {
        at_store(&w->ring[tail % RING], t);
        at_store_rel(&w->tail, tail + 1);
    } else {
        ring_overflow(w, t);
    }
}

/* Makes sure that the next stack_bind finds a stack.  false: no memory. */
static inline bool stack_ready(struct worker *w) { return likely(w->free_stacks != NULL) || stack_more(w); }

static inline void prefetch_stack(struct task *t)
{
    char *s = at_load(&t->sp);
    __builtin_prefetch(s);
    __builtin_prefetch(s + 64);
    __builtin_prefetch(s + 128);
}

/* Makes a claimed task runnable.  From any thread.  w is the caller's worker or NULL. */
static inline void task_ready(struct worker *w, struct task *t)
{
    if (unlikely(w == NULL || t->rt != w->rt)) {
        ready_far(t);
    } else if (unlikely(t->pinned)) {
        ready_pinned(t);
    } else if (!w->next) {
        w->next = t;
        prefetch_stack(t);
    } else {
        ring_push(w, t);                             /* at the tail: it does not push out the one that came first */
    }
}

static inline struct task *ring_pop(struct worker *w)
{
    uint32_t head = at_load_acq(&w->head);
    while (head != at_load(&w->tail)) {
        struct task *t = at_load(&w->ring[head % RING]);
        __builtin_prefetch(at_load(&w->ring[(head + 2) % RING]));
        if (atomic_compare_exchange_weak_explicit(&w->head, &head, head + 1, ACQ_REL, ACQ))
            return t;
    }
    return NULL;
}

static inline void fresh_push(struct worker *w, struct task *t)
{
    lock(&w->fresh_lock);
    struct task *f = w->fresh.next;
    t->next = f;
    t->prev = &w->fresh;
    f->prev = t;
    w->fresh.next = t;
    at_store(&w->fresh_count, at_load(&w->fresh_count) + 1);
    unlock(&w->fresh_lock);
}

static inline struct task *fresh_pop(struct worker *w, bool oldest)
{
    if (!at_load(&w->fresh_count))
        return NULL;
    lock(&w->fresh_lock);
    struct task *t = oldest ? w->fresh.prev : w->fresh.next;
    if (t == &w->fresh) {
        t = NULL;
    } else {
        t->next->prev = t->prev;
        t->prev->next = t->next;
        at_store(&w->fresh_count, at_load(&w->fresh_count) - 1);
    }
    unlock(&w->fresh_lock);
    return t;
}

/* The task to run next, &w->sched when the worker has other things to do, or NULL: nothing is ready here. */
static inline struct task *sched_pick(struct worker *w)
{
    struct task *t;
    if (unlikely(!(++w->tick & w->tick_mask)) && (t = sched_tick(w)))
        return t;
    t = w->next;
    if (t && likely(w->streak < RUN_NEXT_BOUND)) {
        w->streak++;
        w->next = NULL;
        return t;
    }
    w->streak = 0;
    struct task *r = ring_pop(w);
    if (r)
        return r;
    if (t) {
        w->next = NULL;
        return t;
    }
    return fresh_pop(w, false);
}

/* From cur to n (NULL: to the worker's own context).  Returns when cur is resumed, perhaps by another worker. */
static inline void sched_switch(struct worker *w, struct task *cur, struct task *n)
{
    if (!n)
        n = &w->sched;
    if (n == cur)
        return;
    void *sp;
    if (n->fresh && likely(stack_ready(w))) {
        stack_bind(w, n);
        sp = at_load(&n->sp);
    } else if (unlikely(n->fresh)) {                 /* no memory for a stack: another task must end first */
        fresh_push(w, n);
        n = &w->sched;
        if (n == cur)
            return;
        sp = at_load_acq(&n->sp);
    } else if (unlikely(!(sp = at_load_acq(&n->sp)))) {
        w->pend = n;                                 /* it is still leaving another worker: never wait for that from here */
        n = &w->sched;
        if (n == cur)
            return;
        sp = at_load_acq(&n->sp);
    }
    at_store(&n->sp, NULL);
    w->cur = n;
    san_leave(&cur->stack->san, &n->stack->san, false);
    plat_switch(&cur->sp, sp);
    san_arrive(&cur->stack->san);
}

/* Parks until claimed.  park is PARK_WAIT (or already claimed) and the waiters are queued.  Returns the reason. */
static inline uint32_t task_wait(struct task *t)
{
    struct worker *w = worker_self();
    if (unlikely(w == NULL)) {
        task_wait_foreign(t);
        return at_load_acq(&t->park);
    }
    if (unlikely(!at_load(&t->registered)))
        ctx_register(t);
    if (unlikely(at_load(&t->ctx->done)) && task_claim(t, PARK_CANCEL))
        return PARK_CANCEL;
    int64_t deadline = at_load(&t->deadline);
    if (deadline != NEVER && unlikely(!(at_load(&t->timer.armed) && at_load(&t->timer.when) <= deadline)))
        timer_arm(w, t, deadline);
    sched_switch(w, t, sched_pick(w));
    return at_load(&t->park);
}

/* After a wait that was not served: CANCELED, DEADLINE, or AGAIN: it was only a hint, wait once more. */
leat_err task_wait_err(struct task *t, uint32_t why);

/* -- for upper floors ------------------------------------------------------------------------------------------------- */
void task_park_plain(struct task *t);                /* a wait that neither context nor deadline ends (clean-up); park is PARK_WAIT */
enum { TASK_WITHDRAWN = 255 };                       /* a task returns it whose end is to count neither as success nor as failure */
void run_served(void);                               /* this program has done its part: cancel all, leat_run returns LEAT_OK */
struct rt *rt_self(void);                            /* of the calling task; NULL on a foreign thread */
/* Clean-up that must still block: in between neither cancellation nor an earlier deadline from outside counts, only the limit. */
struct shield { leat_ctx ctx, *saved; int64_t until; };
void shield_begin(struct shield *s, leat_dur limit);
void shield_end(struct shield *s);
void rt_at_end_add(struct rt *rt, struct rt_at_end *x);
void rt_at_end_run(struct rt *rt, struct host *host);                /* [blocks] ends all that were added on host */
bool rt_at_end_remove(struct rt *rt, struct rt_at_end *x);           /* false: its end has been called, or will be now */

/* Makes a claimed task run after those that are ready now, also after the fresh ones: what serves many of them then serves them all
 * at once.  It waits for at most a tick, so that tasks which start others without end do not keep it waiting. */
void ready_behind_fresh(struct worker *w, struct task *t);
static inline void task_ready_last(struct worker *w, struct task *t)
{
    if (unlikely(w == NULL || t->rt != w->rt || t->pinned))
        task_ready(w, t);
    else if (at_load(&w->fresh_count))
        ready_behind_fresh(w, t);
    else
        ring_push(w, t);
}
#endif
