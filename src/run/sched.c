/* sched.c - the slower paths of the scheduler: contention, overflow, the tick, wakes from elsewhere, the life of a task. */
#include "run/sched.h"
#include <sched.h>
#include <string.h>
#include "base/alloc.h"
#include "plat/clock.h"
#include "plat/switch.h"
#include "run/err.h"
#include "run/hiber.h"
#include "run/idle.h"
#include "run/io.h"
#include "run/report.h"
#include "run/rt.h"
#include "run/seam.h"
#include "run/stack.h"
#include "run/timer.h"

void lock_slow(_Atomic uint32_t *l)
{
    struct worker *w = worker_self();
    if (w)
        w->contended++;
    for (unsigned n = 0;; ) {
        for (unsigned i = 0; i < 64; i++) {
            if (!at_load(l) && !atomic_exchange_explicit(l, 1, ACQ))
                return;
            cpu_pause();
        }
        if (++n > 2)
            sched_yield();                           /* the holder's thread was descheduled */
    }
}

void task_register(struct worker *w, struct task *t)
{
    ctx_register(t);
    if (unlikely(t->ctx->nap | at_load(&t->nap)))
        nap_begin(w, t);
}

/* -- queues ----------------------------------------------------------------------------------------------------------- */
void global_push(struct rt *rt, struct task *first, struct task *last, uint32_t n)
{
    last->next = NULL;
    lock(&rt->global_lock);
    if (rt->global_tail)
        rt->global_tail->next = first;
    else
        rt->global_head = first;
    rt->global_tail = last;
    atomic_fetch_add_explicit(&rt->global_count, n, SEQ);
    unlock(&rt->global_lock);
}

/* One to run now; up to max - 1 more go to the front of the ring, for they have waited longer than what is in it. */
struct task *global_pop(struct worker *w, uint32_t max)
{
    enum { MOST = 64 };
    struct rt *rt = w->rt;
    struct task *b[MOST];
    uint32_t n = 0;
    lock(&rt->global_lock);
    for (struct task *t; n < MIN(max, (uint32_t)MOST) && (t = rt->global_head); b[n++] = t)
        rt->global_head = t->next;
    if (!rt->global_head)
        rt->global_tail = NULL;
    atomic_fetch_sub_explicit(&rt->global_count, n, RLX);
    unlock(&rt->global_lock);
    if (n > 1)
        ring_push_front(w, b + 1, n - 1);
    return n ? b[0] : NULL;
}

static struct task *pinned_pop(struct worker *w)
{
    lock(&w->pinned_lock);
    struct task *t = w->pinned_head;
    if (t) {
        w->pinned_head = t->next;
        if (!t->next)
            w->pinned_tail = NULL;
        at_store(&w->pinned_count, at_load(&w->pinned_count) - 1);
    }
    unlock(&w->pinned_lock);
    return t;
}

struct task *sched_pinned(struct worker *w)
{
    return at_load(&w->pinned_count) ? pinned_pop(w) : NULL;
}

void ready_pinned(struct task *t)
{
    struct worker *o = t->rt->workers[t->pinned - 1];
    t->next = NULL;
    lock(&o->pinned_lock);
    if (o->pinned_tail)
        o->pinned_tail->next = t;
    else
        o->pinned_head = t;
    o->pinned_tail = t;
    at_store(&o->pinned_count, at_load(&o->pinned_count) + 1);
    unlock_fence(&o->pinned_lock);
    if (o != worker_self())
        idle_wake(o);
}

/* A wake by a thread that is not one of the task's workers, or of a foreign thread's stand-in. */
void ready_far(struct task *t)
{
    if (t->foreign) {
        task_wake_foreign(t);
        return;
    }
    struct rt *rt = t->rt;                           /* t may run and end, and its runtime with it, as soon as it is in a list */
    atomic_fetch_add_explicit(&rt->visitors, 1, RLX);
    if (t->pinned) {
        ready_pinned(t);
    } else {
        global_push(rt, t, t, 1);
        idle_wake_one(rt);
    }
    atomic_fetch_sub_explicit(&rt->visitors, 1, REL);
}

leat_err ready_elsewhere(struct worker *w, struct task *t)
{
    if (w == NULL || t->rt != w->rt)
        ready_far(t);
    else
        ready_pinned(t);
    return LEAT_OK;
}

leat_err ready_overflow(struct worker *w, struct task *t)
{
    ring_push(w, t);
    return ready_unwatched(w);
}

leat_err ready_guarded(struct worker *w, struct task *t)
{
    own_wait(w);
    bool first = !at_load(&w->next);
    if (first)
        at_store(&w->next, t);
    own_end(w);
    return first ? ready_unwatched(w) : ready_overflow(w, t);
}

leat_err ready_unwatched(struct worker *w)
{
    if (at_load(&w->rt->unwatched))
        idle_watch(w->rt);
    return LEAT_OK;
}

/* To the old end of the fresh list, which the owner takes last and thieves take first.  A tick takes from that end, too. */
void ready_behind_fresh(struct worker *w, struct task *t)
{
    own_begin(w);
    struct task *oldest = w->fresh.prev;
    t->seq = w->seq++;
    t->prev = oldest;
    t->next = &w->fresh;
    oldest->next = t;
    w->fresh.prev = t;
    at_store(&w->oldest, t->seq);
    at_store(&w->fresh_count, at_load(&w->fresh_count) + 1);
    own_end(w);
    w->behind = true;
    w->behind_since = w->turns;
}

/* -- the look and the tick ---------------------------------------------------------------------------------------------- */
static void tick_wake_others(struct worker *w)
{
    enum { BACKLOG_TICKS = 16 };
    if (!at_load(&w->rt->idle_mask))
        return;
    if (at_load(&w->tail) - at_load(&w->head) + at_load(&w->fresh_count) < 2) {
        w->backlog = 0;
    } else if (++w->backlog >= BACKLOG_TICKS) {
        w->backlog = 0;
        idle_wake_more(w);
    }
}

/* So many turns or so much time has passed since the last time; then it begins anew. */
static bool due(struct worker *w, struct since *s, uint32_t turns, int64_t ns)
{
    if (w->turns - s->turns < turns && w->looked_at - s->at < ns)
        return false;
    *s = (struct since){ w->looked_at, w->turns };
    return true;
}

static struct task *tick(struct worker *w)
{
    struct rt *rt = w->rt;
    if (at_load(&rt->stop) || (unlikely(rt->guest) && rt_now(rt) >= rt->slice_end))
        return &w->sched;
    if (w->id && (idle_should_retreat(w) || unlikely(w->id >= at_load(&rt->active)))) {
        w->retreat = true;
        return &w->sched;
    }
    if (unlikely(w->looked_at >= at_load(&rt->follow_at))) {
        w->follow = true;
        return &w->sched;
    }
    if (at_load(&w->wheel.n)) {
        w->now = rt_now(rt);
        worker_stamp(w);
        if (w->now >= at_load(&w->wheel.next_due))
            timers_run(w, w, w->now);
        if (unlikely(w->n_naps))
            return &w->sched;
    }
    io_tick(w);
    tick_wake_others(w);
    struct task *t = sched_pinned(w);
    uint32_t since = w->turns - w->global_taken.turns;
    if (!t && at_load(&rt->global_count) && due(w, &w->global_taken, GLOBAL_TURNS, GLOBAL_NS))
        t = global_pop(w, since / GLOBAL_SHARE + 1);
    bool patient = w->behind && w->turns - w->behind_since < 3 * LOOK_TURNS;          /* there were 2 * LOOK_TURNS turns at the least */
    if (!t && at_load(&w->fresh_count) && !patient && (due(w, &w->oldest_taken, 8192, FRESH_NS) || w->behind)) {
        w->behind = false;
        t = fresh_pop(w, true);
    }
    if (t && t->fresh && !stack_ready(w)) {
        fresh_push(w, t);
        t = NULL;
    }
    return t;
}

/* After `stride` turns: how long have they taken, and when is the next look?  It may be a task's turn at once (sched_pick). */
struct task *sched_look(struct worker *w)
{
    struct rt *rt = w->rt;
    at_store(&w->left, 1);
    if (unlikely(rt->seam != NULL) && rt->seam->choose)
        return seam_pick(w);
    int64_t now = likely(!rt->seam) ? plat_now_soon(&w->clock) : rt_now(rt), took = now - w->looked_at;
    w->looked_at = now;
    w->turns += w->stride;
    if (likely(took <= LOOK_NS))
        w->stride = MIN(2 * w->stride, (uint32_t)LOOK_TURNS);
    else
        w->stride = (uint32_t)MAX((int64_t)w->stride * LOOK_NS / took, INT64_C(1));
    at_store(&w->left, w->stride);
    return due(w, &w->ticked, 2 * LOOK_TURNS, LOOK_NS) ? tick(w) : NULL;
}

/* -- sched_pick and sched_switch, what is rare in them ------------------------------------------------------------------- */
__attribute__((noinline)) struct task *pick_late(struct worker *w)
{
    struct task *t = sched_look(w);
    if (t)
        return t;
    own_begin(w);
    return pick_own(w);
}

__attribute__((noinline)) struct task *pick_guarded(struct worker *w)
{
    own_wait(w);
    return pick_own(w);
}

/* n gets a stack; without memory for one another task must end first: then it is the worker's own context that goes on. */
__attribute__((noinline)) struct task *bind_fresh(struct worker *w, struct task *n)
{
    if (likely(stack_ready(w))) {
        stack_bind(w, n);
        return n;
    }
    fresh_push(w, n);
    return &w->sched;
}

/* -- the life of a task ------------------------------------------------------------------------------------------------ */
static void task_settle(struct worker *w, struct task *t)
{
    if (at_load(&t->registered))
        ctx_unregister(t);
    if (at_load(&t->timer.armed))
        timer_stop(&t->timer);
    mem_free(t->big_arg);
    if (t->fault)
        err_free(t->fault);
    (void)w;
}

int64_t rt_stack_wait_ns = LIMIT_STACK_WAIT_MS * INT64_C(1000000);

/* t ends without having run.  Who wants to hear of it is called as the task, on the worker's stack: it takes what the argument owns. */
static leat_err starve(struct worker *w, struct task *t)
{
    if (t->fresh != FRESH_HEARD)
        return LEAT_NOMEM;
    t->stack = &w->own;
    w->cur = t;
    leat_err e = t->starved(t->big_arg ? t->big_arg : t->arg);
    w->cur = &w->sched;
    return e;
}

/* It belongs to no group that could have the error. */
static void tell_starved(struct worker *w, struct task *t)
{
    struct report r;
    report_open_log(&r, w->rt);
    report_who(&r, t);
    report_text(&r, " has found no memory for a stack, and ends without having run; put it into a group to be told");
    report_end(&r);
    report_close(&r);
}

/* [the worker's own context] Others must end first.  But those may be waiting for this one, so after a while it is told to the group. */
void fresh_starved(struct worker *w, struct task *t)
{
    enum { GAP_NS = 500000000 };
    struct rt *rt = w->rt;
    struct group *g = t->group;
    int64_t now = plat_now();                        /* in a simulated world too */
    if (now - at_load(&rt->starved_last) > GAP_NS)
        at_store(&rt->starved_since, now);
    at_store(&rt->starved_last, now);
    if (now - at_load(&rt->starved_since) < rt_stack_wait_ns) {
        fresh_push(w, t);
        return;
    }
    leat_err e = starve(w, t);
    if (e == LEAT_NOMEM && g->loose)
        tell_starved(w, t);
    if (e != LEAT_OK || g->race)
        group_result(g, t, e);
    task_settle(w, t);
    task_free(w, t);
    edge_release(&g->count);
    if (atomic_fetch_sub_explicit(&g->count, 2, ACQ_REL) == 3)
        group_wake(w, g);
}

/* The first frame of every stack: runs tasks that start on it, one after another, until a started one is to be resumed. */
void task_main(void)
{
    struct worker *w = worker_self();
    san_arrive(&w->cur->stack->san);
    for (;;) {
        w = worker_self();
        struct task *t = w->cur;
        leat_err e = t->fn(t->big_arg ? t->big_arg : t->arg);
        w = worker_self();
        struct group *g = t->group;
        struct stack *s = t->stack;
        if (unlikely(e != LEAT_OK || g->race))
            group_result(g, t, e);
        if (unlikely(at_load(&t->registered) || at_load(&t->timer.armed) || t->big_arg || t->fault))
            task_settle(w, t);
        if (unlikely(s->marks))
            stack_settle(s, t);
        task_free(w, t);
        edge_release(&g->count);
        if (unlikely(atomic_fetch_sub_explicit(&g->count, 2, ACQ_REL) == 3))
            group_wake(w, g);
        struct task *n = sched_pick(w);
        if (SAN_EDGES && n && n->fresh) {            /* a stack of its own */
            fresh_push(w, n);
            n = NULL;
        } else if (n && n->fresh) {                  /* it starts on this very stack: no switch */
            n->fresh = 0;
            n->stack = s;
            s->task = n;
            at_store(&n->sp, NULL);
            w->cur = n;
            continue;
        }
        void *sp = n ? at_load_acq(&n->sp) : NULL;
        if (!sp) {
            w->pend = n;
            n = &w->sched;
            sp = at_load_acq(&n->sp);
        }
        stack_put(w, s);
        at_store(&n->sp, NULL);
        w->cur = n;
        san_leave(&s->san, &n->stack->san, true);
        plat_switch(&w->dead_sp, sp);
    }
}

/* With edges.h an argument has memory of its own, which nobody has touched before. */
static void task_arg_copy(void *to, const void *arg, size_t len)
{
#if SAN_EDGES
    edge_reads(arg, len);
    edge_copy(to, arg, len);
#else
    memcpy(to, arg, len);
#endif
}

static __attribute__((noinline)) leat_err task_arg_big(struct task *t, const void *arg, size_t len)
{
    t->big_arg = mem_alloc(len);
    if (!t->big_arg)
        return err_of(LEAT_NOMEM);
    task_arg_copy(t->big_arg, arg, len);
    return LEAT_OK;
}

static inline leat_err arg_in(struct task *t, const void *arg, size_t len)
{
    t->big_arg = NULL;
    if (unlikely(len > sizeof t->arg) || SAN_EDGES)
        return task_arg_big(t, arg, len);
    char *to = t->arg;
    const char *from = arg;
    for (; len >= 8; len -= 8, to += 8, from += 8)   /* of a few words: a call of memcpy would cost more */
        memcpy(to, from, 8);
    for (; unlikely(len); len--)
        *to++ = *from++;
    return LEAT_OK;
}

leat_err task_arg(struct task *t, const void *arg, size_t len)
{
    return arg_in(t, arg, len);
}

static inline void fill(struct task *t, struct task *parent, struct group *g)
{
    static const struct { uint8_t fresh, registered, foreign, pinned; } begins = { .fresh = FRESH };
    _Static_assert(offsetof(struct task, pinned) == offsetof(struct task, fresh) + 3, "fresh .. pinned are written as one");
    memcpy(&t->fresh, &begins, sizeof begins);       /* nobody else knows the record yet */
    _Static_assert(offsetof(struct task, pins) == offsetof(struct task, last_err) + 4, "last_err .. pins are written as one");
    _Static_assert(offsetof(struct task, last_err) % 8 == 0, "last_err .. pins are one word");
    typedef uint64_t __attribute__((may_alias)) word;
    __atomic_store_n((word *)(void *)&t->last_err, 0, RLX);          /* and nap: a wheel may still look at the record of the last task */
    t->group = g;
    t->ctx = &g->ctx;
    t->fault = NULL;
    t->host = parent->host;
    at_store(&t->park, PARK_NONE);
    at_store(&t->deadline, MIN(at_load(&parent->deadline), g->ctx.deadline));
#if SAN_EDGES
    t->fiber = edge_task(t->site ? t->site->name : "task");
#endif
}

/* Fills a record that is counted in its group. */
void task_fill(struct task *t, struct task *parent, struct group *g)
{
    fill(t, parent, g);
}

leat_err go_no_record(struct rt *rt, const leat_site_ *site)
{
    if (at_load(&rt->tasks) >= rt->opts.max_tasks)
        return leat_fail(LEAT_LIMIT, "leat_go %s: %u tasks are alive (leat_opts.max_tasks)", site->name, rt->opts.max_tasks);
    return leat_fail(LEAT_NOMEM, "leat_go %s: no memory for a task", site->name);
}

/* The first use of a group opens it; one that fails has not been a use. */
static __attribute__((noinline)) leat_err go_first(struct group *g, leat_group *pub, leat_fn_ *fn, const leat_site_ *site, const void *arg,
    size_t len, leat_fn_ *starved)
{
    group_open(g, worker_self());
    leat_err e = task_go(pub, fn, site, arg, len, starved);
    if (e != LEAT_OK)
        group_unused(g, worker_self());
    return e;
}

static inline __attribute__((always_inline)) leat_err go(leat_group *pub, leat_fn_ *fn, const leat_site_ *site, const void *arg,
    size_t len, leat_fn_ *starved)
{
    struct worker *w = worker_self();
    if (unlikely(w == NULL))
        return go_foreign(pub, fn, site, arg, len, starved);
    struct group *g = pub ? group_of(pub) : group_of(w->cur->host ? &w->cur->host->detached : &w->rt->detached);
    if (unlikely(!g->open))
        return go_first(g, pub, fn, site, arg, len, starved);
    if (unlikely(g->rt != w->rt))
        return go_foreign(pub, fn, site, arg, len, starved);
    if (unlikely(at_load(&g->ctx.done))) {
        ctx_seen(&g->ctx);
        return err_of(LEAT_CANCELED);
    }
    struct task *t = task_alloc(w);
    if (unlikely(t == NULL))
        return go_no_record(w->rt, site);
    leat_err e = arg_in(t, arg, len);
    if (unlikely(e != LEAT_OK)) {
        task_free(w, t);
        return e;
    }
    group_add(g);
    t->fn = fn;
    t->site = site;
    fill(t, w->cur, g);
    if (starved) {
        t->fresh = FRESH_HEARD;
        t->starved = starved;
    }
    t->seq = w->seq++;
    fresh_push(w, t);
    if (unlikely(at_load(&w->rt->idle_mask) != 0)) {
        if (at_load(&w->fresh_count) >= 2)
            idle_wake_more(w);
        else if (at_load(&w->rt->unwatched))
            idle_watch(w->rt);
    }
    return LEAT_OK;
}

leat_err leat_go_(leat_group *pub, leat_fn_ *fn, const leat_site_ *site, const void *arg, size_t len)
{
    return go(pub, fn, site, arg, len, NULL);
}

leat_err task_go(leat_group *g, leat_fn_ *fn, const leat_site_ *site, const void *arg, size_t len, leat_fn_ *starved)
{
    return go(g, fn, site, arg, len, starved);
}

void leat_yield(void)
{
    struct worker *w = worker_self();
    if (unlikely(!w)) {
        sched_yield();
        return;
    }
    struct task *t = w->cur, *n = sched_pick_at(&w, &t);
    if (!n)
        return;
    if (unlikely(t->pinned))
        ready_pinned(t);
    else
        ring_push(w, t);
    w = worker_self();
    sched_switch(w, w->cur, n);
}

void task_park_plain(struct task *t)
{
    struct worker *w = worker_self();
    if (w) {
        at_store(&t->since, at_load(&w->stamp));
        sched_switch(w, t, sched_pick(w));
        t->on = NULL;
    } else {
        task_wait_plain_foreign(t);
    }
}

leat_err task_wait_err(struct task *t, uint32_t why)
{
    if (unlikely(t->foreign > 1) && why == PARK_CANCEL && !at_load_acq(&t->ctx->done))
        return foreign_would_block();
    leat_err e = ctx_state(t);
    return e == LEAT_OK ? LEAT_AGAIN : err_of(e);
}

struct rt *rt_self(void)
{
    struct worker *w = worker_self();
    return w ? w->rt : NULL;
}
