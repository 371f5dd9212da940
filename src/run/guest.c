/* guest.c - a runtime of one worker that runs in steps, within the loop of another library.
 *
 * Laws.  All steps are on one thread, the host's; between them the worker counts as asleep in its poll, so who wakes a task from elsewhere
 * writes to the poll, and the host, which looks at the poll's descriptor, comes back.  The time of the next timer is an alarm in
 * the poll.  A step that ends with work left wakes its own poll, so that the descriptor is readable when the step returns.
 * The worker's own context is whatever frame of the host calls leat_guest_step: it is left and entered anew at each step.
 * Between steps the thread is no task; a call on it that would wait is an error, since nobody could end that wait (foreign.c). */
#include <string.h>
#include "base/alloc.h"
#include "plat/freeze.h"
#include "run/hiber.h"
#include "run/err.h"
#include "run/guest.h"
#include "run/idle.h"
#include "run/io.h"
#include "run/rt.h"
#include "run/sched.h"
#include "run/timer.h"

enum { NO_STACK_NS = 1000000, SLICE_MIN_NS = 1000, AGAIN_LATER = -1 };

struct leat_guest {
    struct rt_top top;
    struct task *host;                               /* the stand-in of the thread that drives it */
    int fd;
    int64_t alarm;                                   /* what the poll's alarm is set to, or NEVER */
    _Alignas(16) char arg[];
};

leat_err guest_start(const struct rt_main *m, leat_guest **ret)
{
    struct rt_main mine = *m;
    if (worker_self())
        return leat_fail(LEAT_INVAL, "leat_guest_start: this is a task: a guest belongs to a thread with a loop of its own");
    leat_guest *g = mem_zalloc(sizeof *g + m->len);
    if (!g)
        return leat_fail(LEAT_NOMEM, "leat_guest_start: no memory for the runtime");
    memcpy(g->arg, m->arg, m->len);
    mine.arg = g->arg;
    mine.guest = true;
    leat_err e = rt_open(&g->top, &mine);
    if (e == LEAT_OK && (e = io_open_guest(g->top.rt, &g->fd)) == LEAT_OK && !foreign_guests(1))
        e = leat_fail(LEAT_LIMIT, "leat_guest_start: this thread has 254 guests");
    if (e != LEAT_OK) {
        if (g->top.rt)
            (void)rt_close(&g->top, e);
        mem_free(g);
        return e;
    }
    struct worker *w = g->top.rt->workers[0];
    san_thread_open(&w->own.san);
    alt_stack_open(&w->alt_stack);
    w->handlers = w->alt_stack;
    w->handlers_bytes = w->alt_stack ? ALT_STACK : 0;
    at_store(&w->tid, freeze_tid());
    g->host = task_self();
    g->alarm = NEVER;
    io_wake(g->top.rt);                              /* the first task is ready */
    *ret = g;
    return LEAT_OK;
}

/* What is to run next, or NULL. */
static struct task *pick(struct worker *w)
{
    struct task *t = sched_pinned(w);
    if (!t)
        t = sched_pick(w);
    if (!t && at_load(&w->rt->global_count))
        t = global_pop(w, 64);
    return t;
}

/* Runs tasks until the slice is over or nothing is ready.  When to come back: at the time of the next
 * timer, 0: at once, NEVER, or AGAIN_LATER: the alarm is set. */
static int64_t turn(struct worker *w)
{
    struct rt *rt = w->rt;
    io_poll(w);
    for (bool looked = true; !at_load_acq(&rt->stop); ) {
        w->now = rt_now(rt);
        worker_stamp(w);
        int64_t next = timers_run(w, w, w->now);
        if (unlikely(w->n_naps))
            nap_all(w);
        if (w->now >= rt->slice_end)
            return 0;
        struct task *t = pick(w);
        if (!t && looked)
            return next;
        if (!t) {
            io_poll(w);
            looked = true;
            continue;
        }
        looked = false;
        if (t == &w->sched)                          /* the slice is over, or the runtime stops */
            continue;
        if (t->fresh && !stack_ready(w)) {           /* no memory for a stack: others must end first */
            fresh_starved(w, t);
            io_alarm(rt, NO_STACK_NS);               /* the alarm of a timer that is due sooner comes late by that much */
            return AGAIN_LATER;
        }
        sched_switch(w, &w->sched, t);
    }
    return NEVER;
}

static void set_alarm(leat_guest *g, int64_t at)
{
    if (at == g->alarm && at == NEVER)
        return;
    g->alarm = at;
    io_alarm(g->top.rt, at == NEVER ? -1 : MAX(at - rt_now(g->top.rt), (int64_t)0));
}

static leat_err not_here(const leat_guest *g, const char *what)
{
    if (!g)
        return leat_fail(LEAT_INVAL, "%s: there is no guest", what);
    if (worker_self())
        return leat_fail(LEAT_INVAL, "%s: this is a task: the host's loop calls it, outside of all tasks", what);
    if (task_self() != g->host)
        return leat_fail(LEAT_INVAL, "%s: another thread than the one that started the guest", what);
    return LEAT_OK;
}

leat_err leat_guest_step(leat_guest *g, leat_dur slice)
{
    LEAT_TRY(not_here(g, "leat_guest_step"));
    struct rt *rt = g->top.rt;
    struct worker *w = rt->workers[0];
    if (!at_load(&rt->stop)) {
        idle_return(w);
        rt->slice_end = leat_time_add((leat_time){ rt_now(rt) }, (leat_dur){ MAX(slice.ns, (int64_t)SLICE_MIN_NS) }).ns;
        plat_self_set(w);
        int64_t next = turn(w);
        plat_self_set(NULL);
        if (next > 0 && !at_load(&rt->stop)) {
            set_alarm(g, next == NEVER ? next : timers_next(w));
            next = idle_leave(w) ? next : 0;
        }
        if (next == 0 || at_load(&rt->stop))
            io_wake(rt);
    }
    return at_load(&rt->stop) ? err_of(LEAT_CLOSED) : LEAT_OK;
}

int leat_guest_fd(const leat_guest *g)
{
    return g ? g->fd : -1;
}

leat_err leat_guest_end(leat_guest *g)
{
    if (!g)
        return LEAT_OK;
    LEAT_TRY(not_here(g, "leat_guest_end"));
    struct rt *rt = g->top.rt;
    if (!at_load(&rt->stop)) {
        leat_cancel(&rt->root, LEAT_CANCELED);
        idle_return(rt->workers[0]);
        rt->guest = false;                           /* from here on it is a runtime like another, and this its thread */
        plat_self_set(rt->workers[0]);
        worker_loop(rt->workers[0]);
        plat_self_set(NULL);
    }
    (void)foreign_guests(-1);
    alt_stack_close(rt->workers[0]->alt_stack);
    leat_err e = rt_close(&g->top, LEAT_OK);
    mem_free(g);
    return e;
}
