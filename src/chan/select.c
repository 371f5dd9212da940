/* select.c - waits for one of several cases.
 *
 * The cases are laid out flat as ops (an array of ends is many).  Ready ones are found by looking without locks; one of them is
 * drawn at random, each equally likely, and only its channel is locked and tried.  To block: PARK_WAIT first, then channel by
 * channel lock, look again, queue, unlock; if one has become ready the wait is withdrawn (or was just ended: then that wake is
 * consumed).  One park word decides, so exactly one case fires.  No lock order among channels, no allocation up to 64 ops.
 * A wait that ended because a channel closed is no case: the select looks again. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/alloc.h"
#include "chan/chan.h"
#include "run/err.h"
#include "run/io.h"
#include "run/seam.h"

enum { OPS_ON_STACK = 64, OPS_MAX = 65536 };

struct op {
    leat_chan_ *c;                                   /* null: not a channel op */
    void *val;
    uint8_t kind;                                    /* r s c d f; x: can never fire */
    uint8_t of;                                      /* its case */
    uint32_t index;                                  /* within an array of ends */
};

struct sel {
    const leat_select_ *s;
    struct op *ops;
    struct waiter *waiters;
    uint32_t n;
    int otherwise;                                   /* case, or -1 */
    int after;                                       /* the timer case that is due first, or -1 */
    int64_t due;                                     /* of that */
};

static leat_err count_ops(const leat_select_ *s, uint32_t *ret)
{
    uint64_t n = 0;
    if (s->n > LEAT_SELECT_MAX_)
        return leat_fail(LEAT_LIMIT, "leat_select: %u cases, at most %d are possible; leat_on_recv_any takes an array",
            s->n, LEAT_SELECT_MAX_);
    for (uint32_t i = 0; i < s->n; i++) {
        if (i && s->on[i].id <= s->on[i - 1].id)
            return leat_fail(LEAT_INVAL, "leat_select: a case in a loop; leat_on_recv_any is the loop");
        if (s->on[i].op == 'a' && (s->on[i].n < 0 || s->on[i].n > OPS_MAX))
            return leat_fail(LEAT_LIMIT, "leat_on_recv_any: %lld ends, at most %d are possible", (long long)s->on[i].n, OPS_MAX);
        n += s->on[i].op == 'a' ? (uint64_t)s->on[i].n : 1;
    }
    *ret = (uint32_t)n;
    return LEAT_OK;
}

static void op_timer(struct sel *x, uint32_t i, int64_t due)
{
    if (x->after < 0 || due < x->due) {
        x->after = (int)i;
        x->due = due;
    }
}

static void lay_out(struct sel *x)
{
    const leat_select_ *s = x->s;
    uint32_t n = 0;
    int64_t now = 0;
    x->otherwise = x->after = -1;
    for (uint32_t i = 0; i < s->n; i++) {
        const leat_case_ *k = &s->on[i];
        switch (k->op) {
        case 'a':
            for (uint32_t j = 0; j < (uint32_t)k->n; j++) {
                leat_chan_ *c;
                memcpy(&c, (char *)k->c + j * sizeof c, sizeof c);
                x->ops[n++] = (struct op){ c, k->p, c ? 'r' : 'x', (uint8_t)i, j };
            }
            break;
        case 't':
            if (!now)
                now = rt_now(rt_self());
            op_timer(x, i, leat_time_add((leat_time){ now }, (leat_dur){ k->n }).ns);
            break;
        case 'o':
            x->otherwise = (int)i;
            break;
        case 'd':
            if (k->p && ((leat_ctx *)k->p)->deadline != NEVER)
                op_timer(x, i, ((leat_ctx *)k->p)->deadline);
            x->ops[n++] = (struct op){ NULL, k->p, k->p ? 'd' : 'x', (uint8_t)i, 0 };
            break;
        case 'f':
            x->ops[n++] = (struct op){ NULL, NULL, 'f', (uint8_t)i, 0 };
            break;
        default:
            x->ops[n++] = (struct op){ k->c, k->p, k->c ? k->op : 'x', (uint8_t)i, 0 };
        }
    }
    x->n = n;
}

static int op_fd(const struct sel *x, const struct op *o) { return (int)(x->s->on[o->of].n >> 8); }
static int op_events(const struct sel *x, const struct op *o) { return (int)(x->s->on[o->of].n & 255); }

/* A look without a lock: what it says may be old, and is tried or repeated under the lock. */
static inline bool op_ready(const struct sel *x, const struct op *o)
{
    leat_chan_ *c = o->c;
    switch (o->kind) {
    case 'r':
        return at_load(&c->count) || at_load(&c->sq.head);
    case 's':
        return !at_load(&c->closed) &&
            (at_load(&c->count) + at_load(&c->reserved) < c->cap ||
                at_load(&c->rq.head));
    case 'c':
        return at_load(&c->ended) && !at_load(&c->count);
    case 'd':
        return at_load_acq(&((leat_ctx *)o->val)->done);
    case 'f':
        return io_ready(op_fd(x, o), op_events(x, o));
    default:
        return false;
    }
}

/* false: it can never become ready again */
static bool op_alive(const struct op *o)
{
    switch (o->kind) {
    case 'r':
        return !(at_load(&o->c->ended) && !at_load(&o->c->count));
    case 's':
        return !at_load(&o->c->closed);
    default:
        return o->kind != 'x';
    }
}

/* Tries an op that looked ready.  true: it has fired, or failed (*err). */
static bool op_try(const struct op *o, leat_err *err)
{
    leat_chan_ *c = o->c;
    struct task *wake = NULL;
    if (o->kind == 'd' || o->kind == 'f')
        return true;
    lock(&c->lock);
    if (o->kind == 'c') {
        bool is = c->ended && !at_load(&c->count);
        unlock(&c->lock);
        return is;
    }
    enum chan_try r = o->kind == 'r' ? chan_recv_locked(c, o->val, &wake, err) : chan_send_locked(c, o->val, &wake, err);
    bool shut = r == CHAN_FAILED && (c->closed || c->ended);
    unlock(&c->lock);
    if (wake)
        task_ready(worker_self(), wake);
    if (r == CHAN_FAILED && shut && (*err == LEAT_CLOSED)) {
        *err = LEAT_OK;
        return false;                                /* closed: never ready */
    }
    return r != CHAN_WAIT;
}

static uint64_t draw(void)
{
    struct worker *w = worker_self();
    static _Atomic uint64_t outside = 88172645463325252u;
    if (!w)
        return atomic_fetch_add(&outside, 0x9e3779b97f4a7c15u) * 0xbf58476d1ce4e5b9u;
    if (w->rt->seam)
        return w->rt->seam->random(w->rt->seam_self);
    uint64_t r = w->rng;
    r ^= r << 13;
    r ^= r >> 7;
    r ^= r << 17;
    return w->rng = r;
}

/* The number of a ready op that has fired, or -1.  Every ready one is equally likely to be tried first. */
static int fire_ready(const struct sel *x, leat_err *err)
{
    for (uint32_t base = 0, blocks = (x->n + 63) / 64, first = blocks > 1 ? (uint32_t)(draw() >> 33) % blocks : 0, b = 0; b < blocks; b++) {
        base = (first + b) % blocks * 64;
        uint64_t mask = 0;
        for (uint32_t i = base; i < x->n && i < base + 64; i++)
            mask |= (uint64_t)op_ready(x, &x->ops[i]) << (i - base);
        while (mask) {
            uint64_t m = mask;
            uint32_t k = (uint32_t)__builtin_popcountll(m);
            if (k > 1)
                for (k = (uint32_t)(((draw() >> 32) * k) >> 32); k--; )
                    m &= m - 1;
            uint32_t i = (uint32_t)__builtin_ctzll(m);
            if (op_try(&x->ops[base + i], err))
                return (int)(base + i);
            mask &= ~(UINT64_C(1) << i);
        }
    }
    return -1;
}

static struct waiters *op_queue(const struct op *o)
{
    return o->kind == 'r' ? &o->c->rq : o->kind == 's' ? &o->c->sq : &o->c->cq;
}

/* Queues op i.  false: it has become ready (or its wait cannot be begun: *err). */
static bool op_queue_up(struct sel *x, uint32_t i, struct task *t, leat_err *err)
{
    struct op *o = &x->ops[i];
    struct waiter *w = &x->waiters[i];
    *w = (struct waiter){ .task = t, .val = o->val, .id = i };
    if (o->kind == 'x' || !op_alive(o))
        return true;
    if (o->kind == 'f') {
        *err = io_watch(op_fd(x, o), op_events(x, o), w);
        return *err == LEAT_OK;
    }
    if (o->kind == 'd') {
        leat_ctx *c = o->val;
        lock(&c->lock);
        bool ready = at_load(&c->done) != 0;
        if (!ready)
            waiter_add(&c->watchers, w);
        unlock(&c->lock);
        return !ready;
    }
    lock(&o->c->lock);
    bool ready = op_ready(x, o) || !op_alive(o);
    if (!ready)
        chan_wait_locked(o->c, op_queue(o), w);
    unlock(&o->c->lock);
    return !ready;
}

static void op_leave(struct sel *x, uint32_t i)
{
    struct op *o = &x->ops[i];
    struct waiter *w = &x->waiters[i];
    if (o->kind == 'x')
        return;
    if (o->kind == 'f') {
        io_unwatch(op_fd(x, o), w);
        return;
    }
    leat_ctx *ctx = o->kind == 'd' ? o->val : NULL;
    _Atomic uint32_t *l = ctx ? &ctx->lock : &o->c->lock;
    lock(l);
    if (w->on)
        waiter_del(ctx ? &ctx->watchers : op_queue(o), w);
    unlock(l);
}

/* Blocks until one op is served (its number), or -1: look again, or *err. */
static int block(struct sel *x, leat_err *err)
{
    struct task *t = task_self();
    uint32_t i, why = PARK_NONE;
    t->win = NULL;
    at_store(&t->park, PARK_WAIT);
    for (i = 0; i < x->n; i++)
        if (!op_queue_up(x, i, t, err)) {
            if (!task_claim(t, PARK_NONE))
                why = PARK_WAIT;                     /* somebody ended the wait already: take that wake */
            break;
        }
    if (i == x->n) {
        full_fence();                                /* PARK_WAIT before the context's done word: Dekker */
        why = task_wait(t);
    } else if (why == PARK_WAIT) {
        task_park_plain(t);
        why = at_load(&t->park);
    }
    for (uint32_t k = 0; k < i; k++)
        if (!(why == PARK_CHAN && &x->waiters[k] == t->win && x->ops[k].kind != 'f'))
            op_leave(x, k);
    if (why == PARK_CHAN && t->win) {
        struct waiter *w = t->win;
        if (w->ok)
            return (int)w->id;
        if (w->err && w->err != LEAT_CLOSED)
            *err = (leat_err)w->err;
        return -1;
    }
    if (why == PARK_CANCEL || why == PARK_TIMER) {
        leat_err e = task_wait_err(t, why);
        if (e != LEAT_AGAIN && !(e == LEAT_DEADLINE && x->after >= 0 && rt_now(t->rt) >= x->due))
            *err = e;
    }
    return -1;
}

static bool any_alive(const struct sel *x)
{
    for (uint32_t i = 0; i < x->n; i++)
        if (op_alive(&x->ops[i]))
            return true;
    return x->after >= 0;
}

static leat_err check_remote(const struct sel *x)
{
    for (uint32_t i = 0; i < x->n; i++)
        if (x->ops[i].kind == 's' && x->ops[i].c->site && x->ops[i].c->cap == 0)
            return leat_fail(LEAT_INVAL, "leat_on_send: an unbuffered channel whose home is another process; give it a capacity");
    return LEAT_OK;
}

/* The number of the case that ran, or -1 and *err. */
static int run(struct sel *x, leat_err *err)
{
    struct task *t = task_self();
    int64_t old = at_load(&t->deadline);
    int hit = -1;
    lay_out(x);
    if ((*err = check_remote(x)) != LEAT_OK)
        return -1;
    for (;;) {
        int op = fire_ready(x, err);
        if (op >= 0 && *err == LEAT_OK) {
            const leat_case_ *k = &x->s->on[x->ops[op].of];
            if (k->which)
                *k->which = x->ops[op].index;
            hit = x->ops[op].of;
            break;
        }
        if (*err != LEAT_OK)
            break;
        if (x->after >= 0 && rt_now(t->rt) >= x->due) {
            hit = x->after;
            break;
        }
        if (x->otherwise >= 0) {
            hit = x->otherwise;
            break;
        }
        if (!any_alive(x)) {
            *err = LEAT_CLOSED;
            break;
        }
        if (x->after >= 0 && x->due < at_load(&t->deadline))
            at_store(&t->deadline, x->due);
        op = block(x, err);
        at_store(&t->deadline, old);
        if (op >= 0) {
            const leat_case_ *k = &x->s->on[x->ops[op].of];
            if (k->which)
                *k->which = x->ops[op].index;
            hit = x->ops[op].of;
            break;
        }
        if (*err != LEAT_OK)
            break;
    }
    return hit;
}

static int run_on_stack(struct sel *x, leat_err *err)
{
    struct op ops[OPS_ON_STACK];
    struct waiter waiters[OPS_ON_STACK];
    x->ops = ops;
    x->waiters = waiters;
    return run(x, err);
}

static int run_small(struct sel *x, leat_err *err)
{
    struct op ops[8];
    struct waiter waiters[8];
    x->ops = ops;
    x->waiters = waiters;
    return run(x, err);
}

static int run_on_heap(struct sel *x, uint32_t n, leat_err *err)
{
    int hit = -1;
    x->ops = mem_alloc(n * sizeof *x->ops);
    x->waiters = mem_alloc(n * sizeof *x->waiters);
    if (x->ops && x->waiters)
        hit = run(x, err);
    else
        *err = LEAT_NOMEM;
    mem_free(x->ops);
    mem_free(x->waiters);
    return hit;
}

int leat_select_run_(leat_select_ *s, leat_err *err)
{
    struct sel x = { .s = s };
    uint32_t n = 0;
    *err = count_ops(s, &n);
    if (*err != LEAT_OK)
        return -1;
    int hit = n <= 8 ? run_small(&x, err) : n <= OPS_ON_STACK ? run_on_stack(&x, err) : run_on_heap(&x, n, err);
    if (hit >= 0)
        return s->on[hit].id;
    err_of(*err);
    return -1;
}

void leat_select_lost_(const leat_select_ *s)
{
    (void)s;
    static const char text[] =
        "leat: leat_select: the case that won was not reached again: a condition before it changed while it waited\n";
    fputs(text, stderr);
    abort();
}
