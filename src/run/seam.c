/* seam.c - the clock and chance of a runtime's world, and the scheduler of a simulated one.
 * In a simulated world every pick gathers all that is ready and lets the seam choose. */
#include "run/seam.h"
#include <stdlib.h>
#include "plat/clock.h"
#include "run/host.h"
#include "run/rt.h"
#include "run/sched.h"
#include "run/timer.h"

int64_t rt_now(struct rt *rt)
{
    if (rt && unlikely(rt->seam != NULL))
        return rt->seam->now(rt->seam_self);
    return plat_now();
}

int64_t rt_until(struct rt *rt, leat_dur d)
{
    struct worker *w = worker_self();
    bool cheap = d.ns >= FAR_NS && likely(w != NULL) && likely(w->rt->seam == NULL);
    return leat_time_add((leat_time){ cheap ? plat_now_soon(&w->clock) : rt_now(rt) }, d).ns;
}

uint64_t rt_random(struct rt *rt)
{
    static _Atomic uint64_t state;
    if (rt && rt->seam)
        return rt->seam->random(rt->seam_self);
    uint64_t z = atomic_fetch_add(&state, 0x9e3779b97f4a7c15u) + (uint64_t)plat_now();
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

void *host_self(void)
{
    return task_self()->host;
}

const char *host_getenv(const char *name)
{
    struct task *t = task_self();
    struct rt *rt = t->rt;
    return rt && rt->seam ? rt->seam->getenv(rt->seam_self, t->host, name) : getenv(name);
}

leat_time leat_now(void)
{
    return (leat_time){ rt_now(rt_self()) };
}

leat_dur leat_since(leat_time t)
{
    return (leat_dur){ leat_now().ns - t.ns };
}

leat_time leat_time_add(leat_time t, leat_dur d)
{
    int64_t r;
    if (__builtin_add_overflow(t.ns, d.ns, &r))
        r = d.ns > 0 ? INT64_MAX : INT64_MIN;
    return (leat_time){ r };
}

/* -- the scheduler of a simulated world --------------------------------------------------------------------------------- */
static void gather_one(struct rt *rt, struct task *t)
{
    if (rt->sim_ready_n == rt->sim_ready_cap) {
        uint32_t cap = rt->sim_ready_cap ? 2 * rt->sim_ready_cap : 256;
        struct task **p = realloc(rt->sim_ready, cap * sizeof(struct task *));
        if (!p)
            abort();                                 /* the simulator's own memory, not the program's */
        rt->sim_ready = p;
        rt->sim_ready_cap = cap;
    }
    rt->sim_ready[rt->sim_ready_n++] = t;
}

static void gather(struct worker *w)
{
    struct rt *rt = w->rt;
    struct task *t;
    if ((t = next_pop(w)))
        gather_one(rt, t);
    while ((t = ring_pop(w)) || (t = fresh_pop(w, true)) || (t = sched_pinned(w)))
        gather_one(rt, t);
    while (at_load(&rt->global_count) && (t = global_pop(w, 1)))
        gather_one(rt, t);
}

struct task *seam_pick(struct worker *w)
{
    struct rt *rt = w->rt;
    if (at_load(&w->wheel.n)) {
        w->now = rt_now(rt);
        worker_stamp(w);
        if (w->now >= at_load(&w->wheel.next_due))
            timers_run(w, w, w->now);
    }
    gather(w);
    uint32_t n = rt->sim_ready_n;
    if (at_load(&rt->stop) || n == 0)
        return &w->sched;
    uint32_t k = rt->seam->choose(rt->seam_self, rt->sim_ready, n);
    if (k >= n)
        return &w->sched;
    struct task *t = rt->sim_ready[k];
    rt->sim_ready[k] = rt->sim_ready[n - 1];
    rt->sim_ready_n = n - 1;
    return t;
}

/* The worker's own context found nothing: time passes. */
struct task *seam_idle(struct worker *w)
{
    struct rt *rt = w->rt;
    if (at_load(&rt->stop))
        return NULL;
    w->now = rt_now(rt);
    worker_stamp(w);
    int64_t next = timers_run(w, w, w->now);
    struct task *t = rt->seam->choose ? seam_pick(w) : sched_pick(w);                /* a timer may have woken one */
    if (!t && !(t = sched_pinned(w)) && at_load(&rt->global_count))
        t = global_pop(w, 64);
    if (t && t != &w->sched)
        return t;
    if (!rt->seam->idle(rt->seam_self, next))
        at_store_rel(&rt->stop, 1);
    return NULL;
}
