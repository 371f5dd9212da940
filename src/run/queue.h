/* queue.h - a worker's own queues: the run-next slot, the ring, the fresh list.
 *
 * Their owner uses them at every switch, thieves hardly ever, so the lock between the two is lopsided.  The owner says `busy` by a
 * plain store and looks at `guard`.  A thief sets guard, makes every thread pass a barrier (plat_barrier) and waits until the owner is
 * not busy: then either the owner's next look sees the guard, or the thief has seen it busy.  In a section between own_begin and
 * own_end nothing blocks or switches.  Where the kernel has no such barrier, GUARD_FENCE stays set and the owner takes the slow way,
 * which has a fence.
 *
 * next        run-next; owner's sections and thieves
 * ring, head  head moves in sections and under a thief's guard; tail and what lies before it are published by the owner's release, and
 *             tail moves back in sections only
 * fresh       tasks never run, newest first; `oldest` is the seq of the last one while fresh_count is not 0 */
#ifndef RUN_QUEUE_H
#define RUN_QUEUE_H
#include "run/task.h"

enum { GUARD_THIEF = 1, GUARD_FENCE = 2 };

void own_wait(struct worker *w);
bool thief_begin(struct worker *v);                  /* false: not now */
void thief_end(struct worker *v);
void ring_overflow(struct worker *w, struct task *t);
void ring_push_front(struct worker *w, struct task **b, uint32_t n);                 /* b[0] is the first; n < RING */

static inline void own_begin(struct worker *w)
{
    at_store(&w->busy, 1);
    atomic_signal_fence(SEQ);
    if (unlikely(at_load_acq(&w->guard) != 0))
        own_wait(w);
}
static inline void own_end(struct worker *w) { at_store_rel(&w->busy, 0); }

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

static inline void prefetch_stack(struct task *t)
{
    char *s = at_load(&t->sp);
    __builtin_prefetch(s);
    __builtin_prefetch(s + 64);
    __builtin_prefetch(s + 128);
}

/* [in a section, or under a guard] */
static inline struct task *ring_take(struct worker *w)
{
    enum { HOT = 8 };                                /* so few take turns that their stacks are in the cache anyway */
    uint32_t head = at_load(&w->head), tail = at_load_acq(&w->tail);
    if (head == tail)
        return NULL;
    struct task *t = at_load(&w->ring[head % RING]);
    if (tail - head > HOT) {
        __builtin_prefetch(at_load(&w->ring[(head + 2) % RING]));
        prefetch_stack(at_load(&w->ring[(head + 1) % RING]));
    }
    at_store_rel(&w->head, head + 1);
    return t;
}

static inline struct task *fresh_take(struct worker *w, bool oldest)
{
    struct task *t = oldest ? w->fresh.prev : w->fresh.next;
    if (t == &w->fresh)
        return NULL;
    t->next->prev = t->prev;
    t->prev->next = t->next;
    at_store(&w->fresh_count, at_load(&w->fresh_count) - 1);
    if (oldest && w->fresh.prev != &w->fresh)
        at_store(&w->oldest, w->fresh.prev->seq);
    return t;
}

static inline void fresh_push(struct worker *w, struct task *t)
{
    own_begin(w);
    struct task *f = w->fresh.next;
    uint32_t n = at_load(&w->fresh_count);
    t->next = f;
    t->prev = &w->fresh;
    f->prev = t;
    w->fresh.next = t;
    if (n == 0)
        at_store(&w->oldest, t->seq);
    at_store(&w->fresh_count, n + 1);
    own_end(w);
}

static inline struct task *ring_pop(struct worker *w)
{
    own_begin(w);
    struct task *t = ring_take(w);
    own_end(w);
    return t;
}
static inline struct task *fresh_pop(struct worker *w, bool oldest)
{
    own_begin(w);
    struct task *t = fresh_take(w, oldest);
    own_end(w);
    return t;
}
static inline struct task *next_pop(struct worker *w)
{
    own_begin(w);
    struct task *t = at_load(&w->next);
    at_store(&w->next, NULL);
    own_end(w);
    return t;
}
#endif
