/* ctx.c - contexts: what a task inherits and every blocking call obeys.
 *
 * A task registers in its context at its first wait there, and a context links itself to its parent only then, so tasks and scopes
 * that never block pay nothing.  Cancelling marks the context (full barrier), then wakes the registered tasks and goes on to the
 * linked kids; a task that registers later sees the mark.  Locks are taken from parent to kid.
 * A deadline is no context: it is eight bytes in the task, inherited by copy (task.h).
 * Which of the two was first never changes, for anyone who asks.  A cancel leaves its time in each context that it marks, before the mark,
 * and a deadline counts if it is not later.  But the time of a cancel is read once, and a context may be marked long after: so who is told
 * of a deadline before that leaves it there in turn, in the same word, and a cancel of that context is taken for one that came later.
 * Scopes and groups end before what is around them, but for a group that was opened by its first task, in a scope or task that may end
 * before whoever waits for it.  Its context is `loose`: linked at once, so that a parent which ends finds it among its kids and
 * hands it on to its own parent.  kin protects the parent of a loose context; it is taken before any lock of a context. */
#include <string.h>
#include "base/alloc.h"
#include "run/err.h"
#include "run/hiber.h"
#include "run/later.h"
#include "run/rt.h"
#include "run/sched.h"
#include "run/seam.h"
#include "run/waiter.h"

enum { OVER_CANCELED = 1 };
static inline uint64_t over_at(int64_t ns) { return ns > 0 ? 2 * (uint64_t)ns : 0; }

/* The mark of a cancel that came then. */
static void ctx_end(leat_ctx *c, uint64_t over, uint32_t cause, uint32_t done)
{
    uint64_t was = at_load(&c->over);
    at_store(&c->cause, cause);
    edge_release(&c->done);
    while (!atomic_compare_exchange_weak_explicit(&c->over, &was, MAX(was, over) | OVER_CANCELED, ACQ_REL, RLX))
        ;
    at_store_rel(&c->done, done);
}

/* What is above c is cancelled. */
static void ctx_end_as(leat_ctx *c, const leat_ctx *above)
{
    ctx_end(c, at_load(&above->over), at_load(&above->cause), at_load(&above->done));
}

void ctx_init(leat_ctx *c, leat_ctx *parent, int64_t deadline)
{
    memset(c, 0, sizeof *c);
    edge_forget(&c->done);
    c->parent = parent;
    c->deadline = deadline;
    c->nap = parent ? parent->nap : 0;
    if (parent && at_load_acq(&parent->done))        /* if it comes later, linking will see it */
        ctx_end_as(c, parent);
}

/* Links c below its parent, which is linked already (or needs no link). */
static void ctx_link_one(leat_ctx *c)
{
    leat_ctx *p = c->parent;
    lock(&p->lock);
    if (!at_load(&c->linked)) {
        c->sib_prev = NULL;
        c->sib_next = p->kids;
        if (p->kids)
            p->kids->sib_prev = c;
        p->kids = c;
        if (at_load(&p->done) && !at_load(&c->done))
            ctx_end_as(c, p);
        at_store(&p->met, true);
        at_store_rel(&c->linked, true);              /* last: who sees it asks for the mark without a lock */
    }
    unlock(&p->lock);
}

static bool ctx_unlinked(const leat_ctx *c) { return !at_load_acq(&c->linked) && c->parent && !c->shield; }

/* Top down, since a link is of use only when the ones above are there.  No recursion: contexts may be nested as deep as tasks are,
 * and this runs on a task's stack. */
void ctx_link(leat_ctx *c)
{
    while (ctx_unlinked(c)) {
        leat_ctx *top = c;
        while (ctx_unlinked(top->parent))
            top = top->parent;
        ctx_link_one(top);
    }
}

static _Atomic uint32_t kin;
static void cancel(leat_ctx *root, leat_err cause);

void ctx_loose(leat_ctx *c)
{
    if (!c->parent)
        return;
    c->loose = true;
    ctx_link(c);
}

/* c ends, and has kids still: they are its parent's from now on, with a cancel that a shield had kept from them.  kin is held; c's
 * parent is alive. */
static void hand_on(leat_ctx *c)
{
    leat_ctx *p = c->parent, *first, *last = NULL;
    if (p) {
        ctx_link(p);                                 /* that of a shield may not be */
        lock(&p->lock);
    }
    lock(&c->lock);
    first = c->kids;
    c->kids = NULL;
    for (leat_ctx *k = first; k; k = k->sib_next) {
        k->parent = p;                               /* linked it stays, so that ctx_link looks no further */
        last = k;
    }
    if (last && p) {
        last->sib_next = p->kids;
        if (p->kids)
            p->kids->sib_prev = last;
        p->kids = first;
        at_store(&p->met, true);
    }
    unlock(&c->lock);
    if (!p)
        return;
    leat_err over = at_load(&p->done) ? (leat_err)at_load(&p->cause) : LEAT_OK;
    unlock(&p->lock);
    for (leat_ctx *k = over != LEAT_OK ? first : NULL; k; k = k == last ? NULL : k->sib_next)
        cancel(k, over);                             /* none of them goes while kin is held */
}

static void leave(leat_ctx *c, leat_ctx *p)
{
    lock(&p->lock);
    if (at_load(&c->linked)) {
        if (c->sib_prev)
            c->sib_prev->sib_next = c->sib_next;
        else
            p->kids = c->sib_next;
        if (c->sib_next)
            c->sib_next->sib_prev = c->sib_prev;
        at_store(&c->linked, false);
    }
    unlock(&p->lock);
}

void ctx_done(leat_ctx *c)
{
    if (likely(!c->loose)) {
        if (c->parent && !c->shield && at_load(&c->linked))          /* nobody is left who would link it now */
            leave(c, c->parent);
        return;
    }
    lock(&kin);
    if (c->kids)
        hand_on(c);
    if (c->parent)
        leave(c, c->parent);
    unlock(&kin);
}

/* Beyond a loose context there is one that may end meanwhile, unless kin is held. */
struct ctx_walk ctx_walk(leat_ctx *c) { return (struct ctx_walk){ c, false }; }

void ctx_up(struct ctx_walk *w)
{
    if (w->at->loose && !w->held) {
        lock(&kin);
        w->held = true;
    }
    w->at = w->at->parent;
}

void ctx_walked(struct ctx_walk *w)
{
    if (w->held)
        unlock(&kin);
}

void ctx_register(struct task *t)
{
    leat_ctx *c = t->ctx;
    ctx_link(c);
    lock(&c->lock);
    t->ctx_next = c->tasks;
    t->ctx_prev = NULL;
    if (c->tasks)
        c->tasks->ctx_prev = t;
    c->tasks = t;
    at_store(&t->registered, 1);
    unlock(&c->lock);                                /* a canceller had the lock before, and the mark is seen, or comes, and sees t wait */
}

void ctx_unregister(struct task *t)
{
    leat_ctx *c = t->ctx;
    lock(&c->lock);
    if (at_load(&t->registered)) {
        if (t->ctx_prev)
            t->ctx_prev->ctx_next = t->ctx_next;
        else
            c->tasks = t->ctx_next;
        if (t->ctx_next)
            t->ctx_next->ctx_prev = t->ctx_prev;
        at_store(&t->registered, 0);
    }
    unlock(&c->lock);
}

void ctx_enter(struct task *t, leat_ctx *c)
{
    if (at_load(&t->registered))
        ctx_unregister(t);
    t->ctx = c;
}

/* -- what waits for the end of a context (later.h).  afters_lock comes before a context's own; who takes one off its list may not know
 * whether the context is still there, and who ends a context takes all off. --------------------------------------------------- */
static _Atomic uint32_t afters_lock;

bool ctx_after_add(leat_ctx *c, struct after *a)
{
    ctx_link(c);
    lock(&afters_lock);
    lock(&c->lock);
    bool over = at_load(&c->done);
    if (!over) {
        a->ctx = c;
        a->next = c->afters;
        a->pprev = &c->afters;
        if (a->next)
            a->next->pprev = &a->next;
        c->afters = a;
        at_store(&c->met, true);
    }
    unlock(&c->lock);
    unlock(&afters_lock);
    return !over;
}

static void after_unlink(struct after *a)
{
    if ((*a->pprev = a->next))
        a->next->pprev = a->pprev;
    a->ctx = NULL;
}

void ctx_after_remove(struct after *a)
{
    lock(&afters_lock);
    leat_ctx *c = a->ctx;
    if (c) {
        lock(&c->lock);
        after_unlink(a);
        unlock(&c->lock);
    }
    unlock(&afters_lock);
}

static void ctx_wake_watchers(leat_ctx *c, struct worker *w)
{
    for (struct waiter *x; (x = waiter_claim(&c->watchers)); ) {
        waiter_win(x, true);
        task_ready(w, x->task);
    }
    for (struct after *a = c->afters; a; a = a->next)                /* it takes itself off the list, when the lock is free */
        if (task_claim(a->task, PARK_CHAN)) {
            edge_release(a);
            task_ready(w, a->task);
        }
}

/* [lock held] false: it was done already, and so are its kids. */
static bool ctx_mark(leat_ctx *c, uint64_t over, leat_err cause, struct worker *w)
{
    if (at_load(&c->done))
        return false;
    ctx_end(c, over, (uint32_t)cause, LEAT_CANCELED);
    fence_before_cas();                              /* done before the tasks' park words: Dekker */
    struct task *keep = NULL, *next;
    for (struct task *t = c->tasks; t; t = next) {
        next = t->ctx_next;
        __builtin_prefetch(next);
        if (task_claim(t, PARK_CANCEL)) {            /* it leaves the list here and need not lock it when it ends */
            at_store(&t->registered, 0);
            task_ready(w, t);
            continue;
        }
        t->ctx_prev = NULL;
        t->ctx_next = keep;
        if (keep)
            keep->ctx_prev = t;
        keep = t;
    }
    c->tasks = keep;
    ctx_wake_watchers(c, w);
    return true;
}

/* Depth first without recursion.  The locks from root to c are held, so no kid on the way goes away: one that ends waits for its
 * parent's lock. */
static void cancel(leat_ctx *root, leat_err cause)
{
    struct worker *w = worker_self();
    uint64_t over = over_at(rt_now(w ? w->rt : NULL));
    leat_ctx *c = root;
    lock(&c->lock);
    at_store(&c->met, true);                         /* kids are met by who has the lock of their parent, which they need to leave */
    for (bool down = ctx_mark(c, over, cause, w);;) {
        if (down && c->kids) {
            c = c->kids;
        } else {
            leat_ctx *next = NULL;
            while (c != root && !(next = c->sib_next)) {
                leat_ctx *up = c->parent;
                unlock(&c->lock);
                c = up;
            }
            if (c == root)
                break;
            unlock(&c->lock);
            c = next;
        }
        lock(&c->lock);
        down = ctx_mark(c, over, cause, w);
    }
    unlock(&root->lock);
}

void leat_cancel(leat_ctx *ctx, leat_err cause)
{
    if (!ctx)
        return;
    ctx_link(ctx);                                   /* one from above that was first has said why */
    cancel(ctx, cause);
}

/* Also waits for a canceller that is in it still. */
void ctx_over(leat_ctx *c)
{
    if (likely(!at_load(&c->met)))
        return;
    lock(&c->lock);
    bool afters = c->afters != NULL, kids = c->kids != NULL;
    unlock(&c->lock);
    if (unlikely(kids && !c->loose)) {               /* a loose one has handed them on when it left */
        lock(&kin);
        hand_on(c);
        unlock(&kin);
    }
    if (likely(!afters))
        return;
    cancel(c, LEAT_CANCELED);
    lock(&afters_lock);
    lock(&c->lock);
    while (c->afters)
        after_unlink(c->afters);
    unlock(&c->lock);
    unlock(&afters_lock);
}

leat_err ctx_state(struct task *t)
{
    leat_ctx *c = t->ctx;
    int64_t deadline = at_load(&t->deadline);
    uint64_t over = at_load_acq(&c->over), mine = over_at(deadline);
    if (!(over & OVER_CANCELED)) {
        if (deadline == NEVER || rt_now(t->rt) < deadline)
            return LEAT_OK;
        while (!(over & OVER_CANCELED))              /* said from here on, or it was cancelled meanwhile */
            if (over >= mine || atomic_compare_exchange_weak_explicit(&c->over, &over, mine, ACQ_REL, ACQ))
                return LEAT_DEADLINE;
    }
    ctx_seen(c);
    return mine <= over ? LEAT_DEADLINE : LEAT_CANCELED;
}

leat_err leat_ctx_err(void)
{
    struct task *t = task_self();
    ctx_link(t->ctx);                                /* perhaps nobody has waited in it yet */
    leat_err e = ctx_state(t);
    return likely(e == LEAT_OK) ? e : err_of(e);
}

static leat_err deadline_cause(struct task *t)
{
    leat_err cause = LEAT_OK;
    struct ctx_walk w = ctx_walk(t->ctx);
    for (; w.at && cause == LEAT_OK; ctx_up(&w))     /* whose deadline is it? */
        if (w.at->limit && w.at->deadline == at_load(&t->deadline))
            cause = (leat_err)w.at->limit;
    ctx_walked(&w);
    return cause == LEAT_OK ? LEAT_DEADLINE : cause;
}

leat_err leat_ctx_cause(void)
{
    struct task *t = task_self();
    ctx_link(t->ctx);
    leat_err e = ctx_state(t);
    return e == LEAT_CANCELED ? (leat_err)at_load(&t->ctx->cause) : e == LEAT_DEADLINE ? deadline_cause(t) : e;
}

/* -- scopes ------------------------------------------------------------------------------------------------------------ */
static leat_scope_ begin_at(struct task *t, int64_t until)
{
    leat_scope_ s = { NULL, NULL, at_load(&t->deadline) };
    if (until < s.until)
        at_store(&t->deadline, until);
    return s;
}

static __attribute__((noinline)) leat_scope_ begin_any(leat_dur limit)
{
    struct task *t = task_self();
    ctx_link(t->ctx);
    if (limit.ns <= 0 && at_load_acq(&t->ctx->done))
        return begin_at(t, NEVER);                   /* the cancel was first */
    return begin_at(t, rt_until(t->rt, limit));
}

/* As rt_until, and nothing else is called: one that ends in a receive costs as much as the receive otherwise.  (In a simulated world the
 * worker's clock is never compared, so it is never read.) */
leat_scope_ leat_scope_begin_(leat_dur limit)
{
    struct worker *w = worker_self();
    int64_t now, until;
    if (unlikely(w == NULL) || unlikely(limit.ns < FAR_NS) || !plat_clock_read(&w->clock, &now) ||
        unlikely(__builtin_add_overflow(now, limit.ns, &until)))
        return begin_any(limit);
    return begin_at(w->cur, until);
}

/* Without memory for a context the scope is one that is cancelled already: what blocks in it fails, and nothing is missed. */
static leat_scope_ scope_open(const void *key, void *value)
{
    struct task *t = task_self();
    leat_ctx *c = mem_alloc(sizeof *c);
    leat_scope_ s = { t->ctx, c, at_load(&t->deadline) };
    if (!c) {
        static leat_ctx none = { .done = LEAT_CANCELED, .over = OVER_CANCELED, .cause = LEAT_NOMEM, .deadline = NEVER,
            .shield = true };
        s.ctx = &none;
        ctx_enter(t, &none);
        return s;
    }
    ctx_init(c, t->ctx, s.until);
    c->key = key;
    c->value = value;
    ctx_enter(t, c);
    return s;
}

leat_scope_ leat_scope_deadline_(leat_dur limit, leat_err cause)
{
    leat_scope_ s = scope_open(NULL, NULL), d = leat_scope_begin_(limit);
    int64_t until = at_load(&task_self()->deadline);
    if (until < d.until && s.ctx->parent) {
        s.ctx->deadline = until;
        s.ctx->limit = (uint8_t)cause;
    }
    return s;
}

leat_scope_ leat_scope_cancel_(void)
{
    return scope_open(NULL, NULL);
}

leat_scope_ leat_scope_hibernate_(leat_dur after)
{
    leat_scope_ s = scope_open(NULL, NULL);
    if (s.ctx->parent)
        s.ctx->nap = nap_code(task_self()->rt, after);
    return s;
}

leat_scope_ leat_scope_value_(const void *key, void *p)
{
    return scope_open(key, p);
}

static __attribute__((noinline)) void end_any(leat_scope_ *s)
{
    struct task *t = task_self();
    at_store(&t->deadline, s->until);
    if (!s->saved)
        return;
    leat_ctx *c = s->ctx;
    ctx_enter(t, s->saved);
    if (c->shield && !c->parent)
        return;                                      /* the one of no memory */
    ctx_done(c);
    ctx_over(c);
    mem_free(c);
}

void leat_scope_end_(leat_scope_ *s)
{
    struct worker *w = worker_self();
    if (unlikely(w == NULL) || s->saved)
        end_any(s);
    else
        at_store(&w->cur->deadline, s->until);
}

static void shield_open(struct shield *s, int64_t until)
{
    struct task *t = task_self();
    s->saved = t->ctx;
    s->until = at_load(&t->deadline);
    ctx_init(&s->ctx, NULL, until);
    s->ctx.nap = t->ctx->nap;
    s->ctx.parent = t->ctx;                          /* for its values; a cancel stops at a shield, which never links itself */
    s->ctx.shield = true;
    ctx_enter(t, &s->ctx);
    at_store(&t->deadline, until);
}

void shield_begin(struct shield *s, leat_dur limit)
{
    shield_open(s, rt_until(task_self()->rt, limit));
}

void shield_end(struct shield *s)
{
    struct task *t = task_self();
    ctx_enter(t, s->saved);
    at_store(&t->deadline, s->until);
    ctx_over(&s->ctx);
}

/* The program's shields: one inside another does not outlast it, also in the tasks of groups that were opened in it. */
leat_shield_ *leat_shield_begin_(leat_shield_ *pub, leat_dur limit)
{
    struct task *t = task_self();
    int64_t until = leat_time_add((leat_time){ rt_now(t->rt) }, limit).ns;
    struct ctx_walk w = ctx_walk(t->ctx);
    for (; w.at; ctx_up(&w))
        if (w.at->shield)
            until = MIN(until, w.at->deadline);
    ctx_walked(&w);
    shield_open((struct shield *)(void *)pub, until);
    return pub;
}

void leat_shield_end_(leat_shield_ *pub)
{
    shield_end((struct shield *)(void *)pub);
}

void *leat_value(const void *key)
{
    struct ctx_walk w = ctx_walk(task_self()->ctx);
    while (w.at && !(w.at->key == key && key))
        ctx_up(&w);
    void *value = w.at ? w.at->value : NULL;
    ctx_walked(&w);
    return value;
}
