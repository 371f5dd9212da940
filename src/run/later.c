/* later.c - see later.h.  While a task is being started its lock is held, and the task takes the lock before it does anything: so it
 * may be made ready in the middle of that, and is there until all is done. */
#include "run/later.h"
#include <string.h>
#include "base/alloc.h"
#include "run/err.h"
#include "run/hiber.h"
#include "run/idle.h"
#include "run/rt.h"
#include "run/sched.h"
#include "run/seam.h"
#include "run/stack.h"
#include "run/timer.h"

struct pack {                                        /* the task's argument */
    struct later *later;
    int64_t due, deadline;                           /* when it begins; the task's own deadline */
    _Alignas(16) char arg[];                         /* what fn gets, each task its own */
};

struct later {
    _Atomic uint32_t lock, refs;                     /* refs: the owner and each task that has not begun */
    struct task *task;                               /* lock: of the task that has not begun, or null */
    struct after after;
    leat_group *group;
    leat_fn_ *fn;
    const leat_site_ *site;
    size_t len;                                      /* of pack */
    struct pack pack;
};

leat_err later_open(const struct later_call *call, leat_group *g, struct later **ret)
{
    struct later *l = mem_fails(sizeof *l + call->len) ? NULL : aligned_alloc(16, align_up(sizeof *l + call->len, 16));
    if (!l)
        return err_of(LEAT_NOMEM);
    memset(l, 0, sizeof *l);
    at_store(&l->refs, 1);
    l->group = g;
    l->fn = call->fn;
    l->site = call->site;
    l->len = sizeof l->pack + call->len;
    l->pack.later = l;
    memcpy(l->pack.arg, call->arg, call->len);
    *ret = l;
    return LEAT_OK;
}

static void later_unref(struct later *l)
{
    if (atomic_fetch_sub_explicit(&l->refs, 1, ACQ_REL) == 1)
        free(l);
}

/* The task begins: from here on it is one like another, and l knows nothing of it.  Returns how its wait has ended. */
static uint32_t later_begin(const struct pack *p, struct task *t)
{
    struct later *l = p->later;
    uint32_t why = at_load(&t->park);
    lock(&l->lock);
    at_store(&t->deadline, p->deadline);
    if (l->task == t)
        l->task = NULL;
    unlock(&l->lock);
    ctx_after_remove(&l->after);
    edge_acquire(&l->after);                         /* the cancel comes before what it starts */
    later_unref(l);
    at_store(&t->park, PARK_NONE);
    return why;
}

/* It has found no memory for a stack, and ends without having run. */
static leat_err later_starved(void *arg)
{
    return later_begin(arg, task_self()) == PARK_CANCEL ? (leat_err)TASK_WITHDRAWN : LEAT_NOMEM;
}

/* What the task runs. */
static leat_err later_main(void *arg)
{
    struct pack *p = arg;
    struct task *t = task_self();
    leat_fn_ *fn = p->later->fn;
    uint32_t why = later_begin(p, t);
    if (t->ctx->nap)
        nap_begin(worker_self(), t);
    if (why == PARK_CANCEL)
        return (leat_err)TASK_WITHDRAWN;
    if (why == PARK_TIMER && p->due > p->deadline)
        return err_of(LEAT_DEADLINE);
    return fn(p->arg);
}

static leat_err task_new(struct later *l, struct group *g, struct worker *w, struct task **ret)
{
    bool mine = w && w->rt == g->rt;
    struct task *t = mine ? task_alloc(w) : task_record_foreign(g->rt);
    if (!t)
        return go_no_record(g->rt, l->site);
    leat_err e = task_arg(t, &l->pack, l->len);
    if (e != LEAT_OK && mine)
        task_free(w, t);
    else if (e != LEAT_OK)
        task_record_unused(g->rt, t);
    if (e != LEAT_OK)
        return e;
    group_add(g);
    t->fn = later_main;
    t->site = l->site;
    task_fill(t, task_self(), g);
    t->fresh = FRESH_HEARD;
    t->starved = later_starved;
    *ret = t;
    return LEAT_OK;
}

/* [l locked] From here on t may become ready at any time. */
static void wait_begin(struct later *l, struct task *t, struct worker *w, int64_t due, leat_ctx *over)
{
    struct rt *rt = t->rt;
    struct worker *at = w && w->rt == rt ? w : rt->workers[0];
    struct pack *p = t->big_arg ? t->big_arg : (void *)t->arg;
    p->deadline = over ? t->group->ctx.deadline : at_load(&t->deadline);
    p->due = due;
    l->task = t;
    at_store(&t->deadline, MIN(due, p->deadline));
    if (t->timer.of_task)                            /* a handler may be at it still, for who had this record before */
        timer_stop(&t->timer);
    atomic_exchange_explicit(&t->park, PARK_WAIT, SEQ);
    ctx_register(t);
    bool now = at_load(&t->ctx->done) && task_claim(t, PARK_CANCEL);
    if (over) {
        l->after.task = t;
        now = (!ctx_after_add(over, &l->after) && task_claim(t, PARK_CHAN)) || now;
    }
    if (now) {
        task_ready(w, t);
    } else if (at_load(&t->deadline) != NEVER) {
        t->timer.of_task = true;
        wheel_start(at, &t->timer, at_load(&t->deadline), rt_now(rt));
        if (at != w)
            idle_wake(at);
    }
}

leat_err later_start(struct later *l, int64_t due, leat_ctx *over)
{
    struct worker *w = worker_self();
    struct task *t = NULL;
    if (!w && !l->group)
        return leat_fail(LEAT_INVAL, "%s, later: this thread is no task: name a group that a task has opened", l->site->name);
    struct group *g = l->group ? group_of(l->group) : group_of(w->cur->host ? &w->cur->host->detached : &w->rt->detached);
    bool first = !g->open && w;
    if (first)
        group_open(g, w);
    if (!g->open || !g->rt)
        return leat_fail(LEAT_INVAL, "%s, later: this thread is no task: name a group that a task has opened", l->site->name);
    if (at_load(&g->ctx.done)) {
        if (first)
            group_unused(g, w);
        return err_of(LEAT_CANCELED);
    }
    struct rt *rt = g->rt;
    atomic_fetch_add_explicit(&rt->visitors, 1, RLX);                /* it may begin and end, and its runtime, before we are done */
    leat_err e = task_new(l, g, w, &t);
    if (e == LEAT_OK) {
        atomic_fetch_add_explicit(&l->refs, 1, RLX);
        lock(&l->lock);
        wait_begin(l, t, w, due, over);
        unlock(&l->lock);
    }
    atomic_fetch_sub_explicit(&rt->visitors, 1, REL);
    if (e != LEAT_OK && first)
        group_unused(g, w);
    return e;
}

bool later_stop(struct later *l)
{
    lock(&l->lock);
    struct task *t = l->task;
    bool won = t && task_claim(t, PARK_CANCEL);
    l->task = NULL;
    if (won)
        task_ready(worker_self(), t);
    unlock(&l->lock);
    return won;
}

void later_close(struct later *l)
{
    (void)later_stop(l);
    later_unref(l);
}
