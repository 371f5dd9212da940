/* sched.h - the paths that every operation takes: who am I, lock, wait, make ready, run the next one.  For run/ and chan/.
 *
 * How a wait goes.  Under the lock of what it waits for: queue a waiter, park := PARK_WAIT, unlock with a full barrier; then
 * task_wait().  It looks at the context's done word after that barrier, and a canceller sets done (full barrier) before it looks
 * at park words: one of them sees the other (Dekker).  Likewise deadline and timer.
 *
 * Fairness, in words, with the bounds of this file and of sched.c.  A turn is a task's stretch from one wait to the next.
 *  - The run-next task goes first, RUN_NEXT_BOUND times in a row at most, then one from the ring.
 *  - At least every LOOK_TURNS turns the worker looks at the clock.  Where LOOK_TURNS turns take more than LOOK_NS it looks more often,
 *    down to after each turn; so from then on LOOK_NS and a turn pass at the most between two looks.
 *  - Every 2 * LOOK_TURNS turns or every LOOK_NS: timers, pinned tasks, descriptors, contention.
 *  - Every GLOBAL_TURNS turns or every GLOBAL_NS the oldest of the global list have the next turns, as many as make one in four.
 *  - Every 8192 turns or every FRESH_NS the oldest fresh task gets a turn.
 *  - Tasks that were started come before fresh ones, and fresh ones run newest first: a tree of tasks runs depth first on few stacks.
 *  - Whatever is ready on a worker that computes can be stolen from it, the run-next task too (idle.c).
 *
 * Rejected.  A stack at spawn and FIFO of fresh tasks: 4x slower and 200x the memory on a tree.  A thief that takes at once:
 * 6x slower on shared channels.  A fence on every push: 17 ns; the idle protocol needs none (idle.c). */
#ifndef RUN_SCHED_H
#define RUN_SCHED_H
#include <assert.h>
#include "plat/switch.h"
#include "run/queue.h"

enum { RUN_NEXT_BOUND = 32, LOOK_TURNS = 32, LOOK_NS = 100000, FRESH_NS = 10000000 };
enum { GLOBAL_TURNS = 256, GLOBAL_NS = 1000000, GLOBAL_SHARE = 4 };

struct task *task_foreign(void);                     /* the calling thread's stand-in */
void lock_slow(_Atomic uint32_t *l);
struct task *sched_look(struct worker *w);
struct task *pick_late(struct worker *w);
struct task *pick_guarded(struct worker *w);
struct task *bind_fresh(struct worker *w, struct task *n);
void ready_far(struct task *t);
void ready_pinned(struct task *t);
uint32_t task_wait_foreign(struct task *t);           /* the reason */
void idle_watch(struct rt *rt);
void stack_bind(struct worker *w, struct task *t);
bool stack_more(struct worker *w);
void ctx_register(struct task *t);
void task_register(struct worker *w, struct task *t);                /* also looks whether it may hibernate */
void ctx_link(leat_ctx *c);                          /* from now on cancels from above reach c */
void timer_arm(struct worker *w, struct task *t, int64_t when);
/* The walk from a context up: `for (struct ctx_walk w = ctx_walk(c); w.at; ctx_up(&w))`, then ctx_walked. */
struct ctx_walk { leat_ctx *at; bool held; };
struct ctx_walk ctx_walk(leat_ctx *c);
void ctx_up(struct ctx_walk *w);
void ctx_walked(struct ctx_walk *w);
/* What a canceller did happens before what one does who sees the cancel (edges.h). */
static inline void ctx_seen(leat_ctx *c)
{
    if (!SAN_EDGES)
        return;
    struct ctx_walk w = ctx_walk(c);
    for (; w.at; ctx_up(&w))
        edge_acquire(&w.at->done);
    ctx_walked(&w);
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
static inline void unlock_fence(_Atomic uint32_t *l) { store_fence(l, 0); }

static inline void worker_stamp(struct worker *w) { at_store(&w->stamp, (uint32_t)(w->now / 1000000)); }

/* Ends t's wait for this reason.  true: it was this call that did; the caller then makes t ready.  While somebody holds it for the time of
 * a copy (hiber.c), who waits for nobody, it is tried again.  No call here: those who are in a hurry would save registers for it. */
static inline bool task_claim(struct task *t, uint32_t why)
{
    for (;;) {
        uint32_t e = PARK_WAIT;
        if (likely(atomic_compare_exchange_strong_explicit(&t->park, &e, why, ACQ_REL, RLX)))
            return true;
        if (likely(e != PARK_NAP))
            return false;
        cpu_pause();
    }
}

/* Makes sure that the next stack_bind finds a stack.  false: no memory. */
static inline bool stack_ready(struct worker *w) { return likely(w->free_stacks != NULL) || stack_more(w); }

/* The ways of task_ready that are rare: each is called last, so that who is in a hurry saves no register for it.  All return LEAT_OK. */
leat_err ready_elsewhere(struct worker *w, struct task *t);          /* w is not t's worker, or t is pinned */
leat_err ready_guarded(struct worker *w, struct task *t);            /* a thief is here; w is busy */
leat_err ready_overflow(struct worker *w, struct task *t);           /* the ring is full */
leat_err ready_unwatched(struct worker *w);

/* Makes a claimed task runnable.  From any thread.  w is the caller's worker or NULL. */
static inline __attribute__((always_inline)) leat_err task_ready_ok(struct worker *w, struct task *t)
{
    if (unlikely(w == NULL) || unlikely(t->rt != w->rt) || unlikely(t->pinned))
        return ready_elsewhere(w, t);
    at_store(&w->busy, 1);
    atomic_signal_fence(SEQ);
    if (unlikely(at_load_acq(&w->guard) != 0))
        return ready_guarded(w, t);
    bool first = !at_load(&w->next);
    if (first)
        at_store(&w->next, t);
    own_end(w);
    if (first) {
        prefetch_stack(t);
    } else {                                         /* at the tail: it does not push out the one that came first */
        uint32_t tail = at_load(&w->tail);
        if (unlikely(tail - at_load_acq(&w->head) >= RING))
            return ready_overflow(w, t);
        at_store(&w->ring[tail % RING], t);
        at_store_rel(&w->tail, tail + 1);
    }
    if (unlikely(at_load(&w->rt->unwatched)))
        return ready_unwatched(w);
    return LEAT_OK;
}
static inline void task_ready(struct worker *w, struct task *t) { leat_ignore(task_ready_ok(w, t)); }

/* [in a section, which it ends] */
static inline __attribute__((always_inline)) struct task *pick_own(struct worker *w)
{
    struct task *t = at_load(&w->next);
    if (likely(t != NULL) && likely(w->streak < RUN_NEXT_BOUND)) {
        w->streak++;
        at_store(&w->next, NULL);
    } else {
        struct task *r = ring_take(w);
        w->streak = 0;
        if (r)
            t = r;
        else if (t)
            at_store(&w->next, NULL);
        else
            t = fresh_take(w, false);
    }
    own_end(w);
    return t;
}

/* The task to run next, &w->sched when the worker has other things to do, or NULL: nothing is ready here.
 * A wait is a pick and a switch, and each register that it keeps over them is saved on the stack, beside those that the switch saves.
 * So what is rare in them is a call after which all is read anew: *w and *cur, and *at below. */
static inline __attribute__((always_inline)) struct task *sched_pick_at(struct worker **w, struct task **cur)
{
    struct task *t;
    uint32_t left = at_load(&(*w)->left) - 1;
    at_store(&(*w)->left, left);
    if (unlikely(left == 0)) {
        t = pick_late(*w);
    } else {
        at_store(&(*w)->busy, 1);
        atomic_signal_fence(SEQ);
        if (likely(at_load_acq(&(*w)->guard) == 0))
            return pick_own(*w);
        t = pick_guarded(*w);
    }
    *w = worker_self();
    *cur = (*w)->cur;
    return t;
}
static inline struct task *sched_pick(struct worker *w)
{
    struct task *cur;
    return sched_pick_at(&w, &cur);
}

/* From cur to n (NULL: to the worker's own context).  Returns when cur is resumed, perhaps by another worker. */
static inline void sched_switch(struct worker *w, struct task *cur, struct task *n)
{
    void *sp;
    if (!n)
        n = &w->sched;
    if (unlikely(n->fresh)) {
        n = bind_fresh(w, n);
        w = worker_self();
        cur = w->cur;
    }
    if (unlikely(n == cur))
        return;
    if (unlikely(!(sp = at_load_acq(&n->sp)))) {
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

/* Parks the calling task, *at, of worker w, until claimed.  park is PARK_WAIT (or already claimed) and the waiters are queued.  Returns the
 * reason. */
static inline __attribute__((always_inline)) uint32_t task_wait_on(struct worker *w, struct task **at)
{
    struct task *t = *at, *n;
    assert(t == w->cur);
    if (unlikely(!at_load(&t->registered))) {
        task_register(w, t);
        w = worker_self();
        t = *at;
    }
    if (unlikely(at_load(&t->ctx->done)) && task_claim(t, PARK_CANCEL))
        return PARK_CANCEL;
    int64_t deadline = at_load(&t->deadline);
    if (deadline != NEVER && unlikely(!(at_load(&t->timer.armed) && at_load(&t->timer.when) <= deadline))) {
        timer_arm(w, t, deadline);
        w = worker_self();
        t = *at;
    }
    at_store(&t->since, at_load(&w->stamp));
    n = sched_pick_at(&w, &t);
    sched_switch(w, t, n);
    t = *at;
    t->on = NULL;
    return at_load(&t->park);
}
static inline uint32_t task_wait(struct task *t)
{
    struct worker *w = worker_self();
    return likely(w != NULL) ? task_wait_on(w, &t) : task_wait_foreign(t);
}

/* OK, or what of t's deadline and its context's cancel was first.  Once it is not OK it stays.  t is the caller. */
leat_err ctx_state(struct task *t);
/* After a wait that was not served: CANCELED, DEADLINE, or AGAIN: it was only a hint, wait once more. */
leat_err task_wait_err(struct task *t, uint32_t why);

/* -- for upper floors ------------------------------------------------------------------------------------------------- */
void task_park_plain(struct task *t);                /* a wait that neither context nor deadline ends (clean-up); park is PARK_WAIT */
/* leat_go_ of a task whose argument owns something.  If no memory for a stack is found, so that it ends without having run, starved(arg)
 * is called in its place, as the task, and what it returns is what the task returns.  [never waits] */
LEAT_CHECK leat_err task_go(leat_group *g, leat_fn_ *fn, const leat_site_ *site, const void *arg, size_t len, leat_fn_ *starved);
/* leat_go_ [waits until the task has begun, however short its life is].  NOMEM: it has found no memory for a stack, and never runs.
 * len: at most 64 */
LEAT_CHECK leat_err task_go_begun(leat_group *g, leat_fn_ *fn, const leat_site_ *site, const void *arg, size_t len);
#define go_begun(g, fn, arg) __extension__ ({ static const leat_site_ site_ = { #fn, __FILE__, __LINE__ }; \
    task_go_begun(g, (leat_fn_ *)(void (*)(void))(fn), &site_, &(arg), sizeof(arg)); })
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
