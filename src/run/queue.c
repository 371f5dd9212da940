/* queue.c - the rare sides of a worker's queues: the owner meets a thief, a thief comes, the ring is full. */
#include "run/queue.h"
#include <sched.h>
#include "plat/barrier.h"
#include "run/rt.h"
#include "run/sched.h"

/* The guard was not 0.  Returns in the section, when no thief is in. */
__attribute__((noinline)) void own_wait(struct worker *w)
{
    for (;;) {
        full_fence();
        uint32_t g = at_load_acq(&w->guard);
        if (!(g & GUARD_THIEF)) {
            if (g & GUARD_FENCE)
                at_store_rel(&w->fences, 1);
            return;
        }
        at_store_rel(&w->busy, 0);
        for (unsigned n = 0; at_load_acq(&w->guard) & GUARD_THIEF; n++) {
            if (n < 1000)
                cpu_pause();
            else
                sched_yield();                       /* the thief's thread was descheduled */
        }
        at_store(&w->busy, 1);
    }
}

bool thief_begin(struct worker *v)
{
    enum { PATIENCE = 200 };
    if (at_load(&v->thief_lock) || atomic_exchange_explicit(&v->thief_lock, 1, ACQ))
        return false;
    atomic_fetch_or_explicit(&v->guard, GUARD_THIEF, SEQ);
    bool seen = true;
    if (at_load_acq(&v->fences))
        full_fence();
    else if (!(seen = plat_barrier()))
        atomic_fetch_or_explicit(&v->guard, GUARD_FENCE, SEQ);       /* the owner will say when it has noticed */
    for (int i = 0; seen && i < PATIENCE; i++) {
        if (!at_load_acq(&v->busy))
            return true;
        cpu_pause();
    }
    thief_end(v);                                    /* it may have been descheduled in a section */
    return false;
}

void thief_end(struct worker *v)
{
    atomic_fetch_and_explicit(&v->guard, ~(uint32_t)GUARD_THIEF, REL);
    unlock(&v->thief_lock);
}

/* [in a section] takes the n newest off the ring, into a chain that begins with *ret and ends with what is returned. */
static struct task *ring_cut(struct worker *w, uint32_t n, struct task **ret)
{
    uint32_t tail = at_load(&w->tail) - n;
    struct task *last = *ret = at_load(&w->ring[tail % RING]);
    for (uint32_t i = 1; i < n; i++)
        last = last->next = at_load(&w->ring[(tail + i) % RING]);
    at_store(&w->tail, tail);
    return last;
}

/* The ring is full: its newer half and t go to the global list; what has waited longer stays. */
void ring_overflow(struct worker *w, struct task *t)
{
    struct task *first = NULL, *last = NULL;
    own_begin(w);
    if (at_load(&w->tail) - at_load(&w->head) >= RING)               /* else a thief has made room */
        last = ring_cut(w, RING / 2, &first);
    own_end(w);
    if (!last) {
        ring_push(w, t);
        return;
    }
    last->next = t;
    global_push(w->rt, first, t, RING / 2 + 1);
}

/* Where there is no room, the newest give way. */
void ring_push_front(struct worker *w, struct task **b, uint32_t n)
{
    struct task *first = NULL, *last = NULL;
    own_begin(w);
    uint32_t head = at_load(&w->head), used = at_load(&w->tail) - head, cut = used + n > RING ? used + n - RING : 0;
    if (cut)
        last = ring_cut(w, cut, &first);
    for (uint32_t i = n; i--; )
        at_store(&w->ring[--head % RING], b[i]);
    at_store_rel(&w->head, head);
    own_end(w);
    if (last)
        global_push(w->rt, first, last, cut);
}
