/* alarm.c - see alarm.h.  A thread of another runtime, or of none, that sets an alarm announces itself in the home as a visitor; the
 * end of the runtime marks the home as dead and waits for the visitors.  The runtime's own workers end before that. */
#include "run/alarm.h"
#include <sched.h>
#include <string.h>
#include "base/alloc.h"
#include "run/err.h"
#include "run/idle.h"
#include "run/sched.h"
#include "run/seam.h"
#include "run/timer.h"

struct alarm_home {
    _Atomic uint32_t refs, visitors, dead;
    struct rt *rt;                                   /* valid while not dead */
};

struct visit { struct rt *rt; bool counted; };       /* rt: null when the home is dead */

static struct visit visit_begin(struct alarm_home *h)
{
    struct worker *w = worker_self();
    if (likely(w != NULL && w->rt == h->rt && !at_load(&h->dead)))
        return (struct visit){ w->rt, false };
    atomic_fetch_add_explicit(&h->visitors, 1, SEQ);
    bool dead = atomic_load_explicit(&h->dead, SEQ);
    return (struct visit){ dead ? NULL : h->rt, true };
}

static void visit_end(struct alarm_home *h, struct visit v)
{
    if (v.counted)
        atomic_fetch_sub_explicit(&h->visitors, 1, REL);
}

static void home_unref(struct alarm_home *h)
{
    if (atomic_fetch_sub_explicit(&h->refs, 1, ACQ_REL) == 1)
        mem_free(h);
}

static struct alarm_home *home_get(struct rt *rt)
{
    struct alarm_home *h = at_load_acq(&rt->alarms), *none = NULL;
    if (h)
        return h;
    h = mem_zalloc(sizeof *h);
    if (!h)
        return NULL;
    h->rt = rt;
    at_store(&h->refs, 1);
    if (atomic_compare_exchange_strong_explicit(&rt->alarms, &none, h, ACQ_REL, ACQ))
        return h;
    mem_free(h);                                     /* another task was quicker */
    return none;
}

leat_err alarm_open(struct alarm *a, bool (*ring)(struct alarm *, int64_t, struct worker *))
{
    struct rt *rt = rt_self();
    struct alarm_home *h;
    if (!rt)
        return leat_fail(LEAT_INVAL, "a timer: this thread is no task: a timer belongs to the leat_run of the task that makes it");
    if (!(h = home_get(rt)))
        return err_of(LEAT_NOMEM);
    memset(a, 0, sizeof *a);
    atomic_fetch_add_explicit(&h->refs, 1, RLX);
    a->home = h;
    a->ring = ring;
    return LEAT_OK;
}

void alarm_close(struct alarm *a)
{
    home_unref(a->home);
}

int64_t alarm_now(struct alarm *a)
{
    struct visit v = visit_begin(a->home);
    int64_t now = rt_now(v.rt);
    visit_end(a->home, v);
    return now;
}

bool alarm_stop(struct alarm *a)
{
    struct visit v = visit_begin(a->home);
    bool was = v.rt ? wheel_stop(&v.rt->workers[a->timer.wk]->wheel, &a->timer) : false;
    visit_end(a->home, v);
    return was;
}

bool alarm_set(struct alarm *a, int64_t when, int64_t every)
{
    struct worker *w = worker_self();
    struct visit v = visit_begin(a->home);
    bool was = false;
    if (v.rt) {
        struct worker *at = w && w->rt == v.rt ? w : v.rt->workers[0];
        was = wheel_stop(&v.rt->workers[a->timer.wk]->wheel, &a->timer);
        a->every = every;
        wheel_start(at, &a->timer, when, rt_now(v.rt));
        if (at != w)
            idle_wake(at);                           /* it may sleep longer than until then */
    }
    visit_end(a->home, v);
    return was;
}

int64_t alarm_ring(struct timer *t, int64_t now, struct worker *into)
{
    struct alarm *a = container_of(t, struct alarm, timer);
    int64_t when = at_load(&t->when), every = a->every, next;
    if (when > now)
        return when;                                 /* it lies beyond the end of the wheel */
    if (!a->ring(a, now, into) || !every)
        return NEVER;
    if (__builtin_add_overflow(when, every, &next))
        return NEVER;
    if (next <= now)                                 /* late: the ticks between are dropped */
        next += (now - next) / every * every + every;
    return next < now ? NEVER : next;
}

static void list_clear(struct wheel *h, struct timer **list)
{
    for (struct timer *t; (t = *list); ) {
        wheel_stop(h, t);
        if (!t->of_task) {
            struct alarm *a = container_of(t, struct alarm, timer);
            (void)a->ring(a, 0, NULL);
        }
    }
}

static void wheel_clear(struct wheel *h)
{
    list_clear(h, &h->due);
    for (uint32_t i = 0; i < WHEEL_LEVELS * WHEEL_SLOTS; i++)
        list_clear(h, &h->slot[i / WHEEL_SLOTS][i % WHEEL_SLOTS].head);
}

void alarms_end(struct rt *rt)
{
    struct alarm_home *h = at_load_acq(&rt->alarms);
    if (!h)
        return;
    atomic_store_explicit(&h->dead, 1, SEQ);
    while (atomic_load_explicit(&h->visitors, SEQ))
        sched_yield();
    for (uint32_t i = 0; i < at_load_acq(&rt->nworkers); i++)
        wheel_clear(&rt->workers[i]->wheel);
    at_store(&rt->alarms, NULL);
    home_unref(h);
}
