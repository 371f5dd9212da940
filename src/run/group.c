/* group.c - tasks that end together.
 *
 * A race is a group that the first success ends: it cancels the others.  Errors are only noted, the first one, for the case that nobody
 * succeeds.
 * count is 2 for each member and 1 for a waiter.  A finisher takes 2 off: who saw 3 wakes the waiter, who leaves 0 never touches
 * the group again, so it may lie on a stack that goes away.  err, fault and cancel come before the finisher's subtraction. */
#include <assert.h>
#include <string.h>
#include "run/err.h"
#include "run/later.h"
#include "run/report.h"
#include "run/rt.h"
#include "run/sched.h"

void group_open_in(struct group *g, struct rt *rt, leat_ctx *parent, int64_t deadline)
{
    g->rt = rt;
    at_store(&g->count, 0);
    at_store(&g->err, LEAT_OK);
    at_store(&g->waiter, NULL);
    at_store(&g->fault, NULL);
    edge_forget(&g->count);
    g->entered = g->race = g->loose = false;
    at_store(&g->won, false);
    ctx_init(&g->ctx, parent, deadline);
    g->open = true;
}

/* One more open group, or one less, that lies on the stack of the task which opens or ends it. */
static inline void group_on_stack(const struct group *g, struct worker *w, int by)
{
    struct stack *s = w->cur->stack;
    if ((uintptr_t)s - (uintptr_t)g < w->rt->stack_bytes)
        s->groups = (uint16_t)(s->groups + by);
}

void group_open(struct group *g, struct worker *w)
{
    struct task *t = task_self();
    if (w)
        group_on_stack(g, w, 1);
    group_open_in(g, w ? w->rt : NULL, t->ctx, at_load(&t->deadline));
    ctx_loose(&g->ctx);                              /* who waits for it may do so elsewhere */
}

void group_unused(struct group *g, struct worker *w)
{
    ctx_done(&g->ctx);
    ctx_over(&g->ctx);
    group_on_stack(g, w, -1);
    g->open = false;
}

/* Unlike leat_cancel it does not wait for somebody who is cancelling it already. */
static void group_stop(struct group *g, leat_err cause)
{
    if (!at_load_acq(&g->ctx.done))
        leat_cancel(&g->ctx, cause);
}

/* Whether e is the first error.  alone: no member is left. */
static bool first_error(struct group *g, leat_err e, bool alone)
{
    uint32_t none = at_load(&g->err);
    if (none != LEAT_OK)
        return false;
    if (!alone)
        return atomic_compare_exchange_strong_explicit(&g->err, &none, (uint32_t)e, ACQ_REL, RLX);
    at_store(&g->err, (uint32_t)e);
    return true;
}

void group_result(struct group *g, struct task *t, leat_err e)
{
    if ((int)e == TASK_WITHDRAWN || g->loose)
        return;
    if (e == LEAT_OK) {
        at_store_rel(&g->won, true);                 /* read when the count says that no member is left */
        group_stop(g, LEAT_CANCELED);
        return;
    }
    if (!first_error(g, e, false))
        return;
    at_store_rel(&g->fault, err_take(t, e));
    if (!g->race)
        group_stop(g, e);
}

void group_wake(struct worker *w, struct group *g)
{
    struct task *t = at_load_acq(&g->waiter);        /* it cannot go away: it waits for us */
    task_ready(w, t);
}

/* Waits for the members, however long they take: they are told to stop by cancelling, never left behind. */
static leat_err group_wait(struct group *g)
{
    struct task *t = task_self();
    if (at_load_acq(&g->count)) {
        at_store(&g->waiter, t);
        struct waiter me = { .task = t, .owner = g, .kind = &wait_group };
        t->on = &me;
        at_store(&t->park, PARK_PLAIN);
        if (atomic_fetch_or_explicit(&g->count, 1, ACQ_REL) >> 1)
            task_park_plain(t);
        at_store_rel(&g->count, 0);
    }
    edge_acquire(&g->count);
    if (!g->entered) {                               /* else the block goes on in its context */
        ctx_done(&g->ctx);
        ctx_over(&g->ctx);
        struct worker *w = worker_self();
        if (w)
            group_on_stack(g, w, -1);
        g->open = false;
    }
    leat_err e = (leat_err)at_load(&g->err);
    struct fault *f = at_load_acq(&g->fault);        /* nobody else is left */
    at_store(&g->fault, NULL);
    if (g->race && at_load(&g->won)) {
        err_free(f);
        e = LEAT_OK;
    } else if (e != LEAT_OK) {
        err_give(t, f, e);
    }
    return e;
}

leat_err leat_group_wait(leat_group *pub)
{
    struct group *g = group_of(pub);
    if (task_self()->foreign > 1 && g->open && at_load_acq(&g->count))
        return foreign_would_block();
    return g->open ? group_wait(g) : LEAT_OK;
}

void leat_group_cancel(leat_group *pub)
{
    struct group *g = group_of(pub);
    struct worker *w = worker_self();
    if (!g->open) {
        group_open(g, w);                            /* a group that is cancelled before its first task takes none */
        if (w)
            w->cur->stack->marks |= STACK_GROUPS;    /* perhaps nobody waits for it */
    }
    leat_cancel(&g->ctx, LEAT_CANCELED);
}

leat_group *leat_group_begin_(leat_group *pub, leat_err *err)
{
    struct group *g = group_of(pub);
    struct worker *w = worker_self();
    struct task *t = task_self();
    *err = LEAT_OK;
    group_open_in(g, w ? w->rt : NULL, t->ctx, at_load(&t->deadline));
    g->entered = true;
    g->saved = t->ctx;
    g->saved_deadline = at_load(&t->deadline);
    ctx_enter(t, &g->ctx);
    return pub;
}

leat_group *leat_race_begin_(leat_group *pub, leat_err *err)
{
    leat_group_begin_(pub, err);
    group_of(pub)->race = true;
    return pub;
}

static void group_leave(struct group *g)
{
    struct task *t = task_self();
    if (!g->entered)
        return;
    g->entered = false;
    ctx_enter(t, g->saved);
    at_store(&t->deadline, g->saved_deadline);
}

/* A race has been run: its winner counts, whatever the block left in err; then what the block left; then the first error. */
static leat_err race_join(struct group *g, leat_err own)
{
    struct task *t = task_self();
    struct fault *mine = own != LEAT_OK ? err_take(t, own) : NULL;
    if (own != LEAT_OK)
        group_stop(g, own);
    leat_err e = group_wait(g);
    if (at_load(&g->won) || own == LEAT_OK) {
        err_free(mine);
        if (!at_load(&g->won) && e == LEAT_OK)
            return leat_fail(LEAT_INVAL, "leat_with_race: it has no task, so none can win");
        return e;
    }
    err_give(t, mine, own);
    return own;
}

/* own: what the block left in err.  CANCELED counts as the block's own only when no task failed first. */
leat_err leat_group_join_(leat_group *pub, leat_err own)
{
    struct group *g = group_of(pub);
    struct task *t = task_self();
    group_leave(g);
    if (g->race)
        return race_join(g, own);
    if (own == LEAT_OK)
        return group_wait(g);
    struct fault *mine = err_take(t, own);
    bool first = first_error(g, own, !at_load_acq(&g->count));
    if (first)
        group_stop(g, own);
    leat_err e = group_wait(g);
    if (first || (mine && e == own && !t->fault))
        err_give(t, mine, own);                      /* the tasks' later details are of what the cancel made of them */
    else
        err_free(mine);
    return e;
}

/* The block was left with a CANCELED that says no more: why it was cancelled, before it was left, is what its caller wants to know.  The
 * details of the first error, if there was one, are the task's now. */
static void tell_why(const struct group *g, leat_err first, bool won)
{
    if (won)
        leat_ignore(leat_fail(LEAT_CANCELED, "the context was cancelled: a task of the race has won"));
    else if (!g->race && first != LEAT_OK && first != LEAT_CANCELED)
        leat_ignore(leat_fail(LEAT_CANCELED, "the context was cancelled: a task of its group ended with %s: %s", leat_err_name(first),
            leat_err_detail()));
}

/* The block was left by return, break or goto: cancel, then wait. */
void leat_group_end_(leat_group *pub)
{
    struct group *g = group_of(pub);
    if (!g->open)
        return;
    struct task *t = task_self();
    leat_err was = err_last();
    struct fault *mine = err_take(t, was);           /* the details of the error that is being returned survive the wait */
    leat_err first = (leat_err)at_load_acq(&g->err);
    bool won = g->race && at_load_acq(&g->won);
    group_leave(g);
    group_stop(g, LEAT_CANCELED);
    leat_err e = group_wait(g);
    if (was == LEAT_CANCELED && !mine && (won || e == first))
        tell_why(g, first, won);
    else
        err_give(t, mine, was);
}
