/* select.c - waits for one of several cases.
 *
 * The cases are laid out flat as ops (an array of ends is many).  Ready ones are found by looking without locks; one of them is
 * drawn at random, each equally likely, and only its channel is locked and tried.  To block: PARK_WAIT first, then channel by
 * channel lock, look again, queue, unlock; if one has become ready the wait is withdrawn (or was just ended: then that wake is
 * consumed).  One park word decides, so exactly one case fires.  No allocation up to 16 cases and 64 ops.
 * A wait that ended because a channel closed is no case: the select looks again.
 * leat_otherwise says that nothing was ready at one moment: looks one after the other cannot say that of several channels, so all of
 * them are locked, in the order of their addresses, and looked at once more.
 * What it takes to send to another process is in offers.c. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/alloc.h"
#include "chan/edges.h"
#include "chan/select.h"
#include "plat/poll.h"
#include "run/err.h"
#include "run/io.h"
#include "run/report.h"
#include "run/seam.h"

#define ALWAYS inline __attribute__((always_inline))
enum { OPS_MAX = 65536, MORE_FIRST = 16 };

static inline const leat_case_ *case_at(const leat_select_ *s, uint32_t i)
{
    return i < LEAT_SELECT_MAX_ ? &s->on[i] : &s->more[i - LEAT_SELECT_MAX_];
}

/* Grows in powers of two.  With no memory the case goes nowhere, and the select says so. */
leat_case_ *leat_case_more_(leat_select_ *s)
{
    uint32_t n = s->n - LEAT_SELECT_MAX_;
    if (n == 0)
        s->more = NULL;
    if (s->flags & 4 || s->n >= OPS_MAX)
        return &s->on[0];
    if (n == 0 || (n >= MORE_FIRST && (n & (n - 1)) == 0)) {
        leat_case_ *more = mem_realloc(s->more, MAX(2 * n, (uint32_t)MORE_FIRST) * sizeof *more);
        s->flags |= more ? 2 : 4;
        if (!more)
            return &s->on[0];
        s->more = more;
    }
    return &s->more[n];
}

/* -- for reports: the wait of a task is one waiter, whose owner is the array of all ------------------------------------------ */
static SAN_UNSEEN void describe_done(struct report *r, const struct waiter *x)
{
    report_pointer(r, x->owner);
}

static SAN_UNSEEN bool done_may_end(const struct waiter *x, seen_fn *seen, void *arg)
{
    return seen(arg, x->owner);
}

static bool done_place(const struct waiter *x, struct wait_place *ret)
{
    leat_ctx *c = x->owner;
    ret->lock = &c->lock;
    ret->q = &c->watchers;
    return true;
}

static WAIT_KIND select_done = { .what = "waits for the cancelling of context ", .describe = describe_done,
    .may_end = done_may_end, .place = done_place };

static void describe_all(struct report *r, const struct waiter *x)
{
    enum { SHOWN = 8 };
    uint32_t shown = 0, more = 0;
    for (uint32_t i = 0; i < x->id; i++) {
        struct waiter w;
        if (peek((const struct waiter *)x->owner + i, &w, sizeof w) != sizeof w || !w.on || !wait_kind_is(w.kind))
            continue;
        if (shown == SHOWN) {
            more++;
            continue;
        }
        report_text(r, shown++ ? ", or " : "");
        report_text(r, w.kind->what);
        if (w.kind == &wait_fd)
            report_text(r, "that a case names");
        else if (w.kind->describe)
            w.kind->describe(r, &w);
    }
    if (more) {
        report_text(r, ", or one of ");
        report_number(r, more);
        report_text(r, " more cases");
    }
}

static SAN_UNSEEN bool all_may_end(const struct waiter *x, seen_fn *seen, void *arg)
{
    struct waiter w;
    for (uint32_t i = 0; i < x->id; i++) {
        if (peek((const struct waiter *)x->owner + i, &w, sizeof w) != sizeof w)
            return true;
        if (w.on && (!w.kind->may_end || w.kind->may_end(&w, seen, arg)))
            return true;
    }
    return false;
}

static WAIT_KIND select_all = { .what = "waits in a select: ", .describe = describe_all, .may_end = all_may_end,
    .place = wait_place_none, .many = true };
static WAIT_KIND select_standing = { .what = "waits in a select: ", .describe = describe_all,
    .may_end = all_may_end };              /* its homes know it */

static leat_err count_ops(const leat_select_ *s, uint32_t *ret)
{
    uint64_t n = 0;
    if (s->flags & 4)
        return leat_fail(LEAT_NOMEM, "leat_select: no memory for %u cases", s->n);
    if (s->n > OPS_MAX || (s->n > LEAT_SELECT_MAX_ && !(s->flags & 2)))
        return leat_fail(LEAT_LIMIT, "leat_select: %u cases, at most %d are possible", s->n, OPS_MAX);
    for (uint32_t i = 0; i < s->n; i++) {
        const leat_case_ *k = case_at(s, i);
        if (i && k->id <= case_at(s, i - 1)->id)
            return leat_fail(LEAT_INVAL, "leat_select: a case in a loop; leat_on_recv_any is the loop");
        if (k->op == 'a' && (k->n < 0 || k->n > OPS_MAX))
            return leat_fail(LEAT_LIMIT, "leat_on_recv_any: %lld ends, at most %d are possible", (long long)k->n, OPS_MAX);
        n += k->op == 'a' ? (uint64_t)k->n : 1;
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
    x->otherwise = x->after = x->invited = -1;
    for (uint32_t i = 0; i < s->n; i++) {
        const leat_case_ *k = case_at(s, i);
        switch (k->op) {
        case 'a':
            for (uint32_t j = 0; j < (uint32_t)k->n; j++) {
                leat_chan_ *c;
                memcpy(&c, (char *)k->c + j * sizeof c, sizeof c);
                x->ops[n++] = (struct op){ .c = c, .val = k->p, .kind = c ? 'r' : 'x', .of = (uint16_t)i, .index = j };
            }
            break;
        case 't':
            op_timer(x, i, rt_until(rt_self(), (leat_dur){ k->n }));
            break;
        case 'o':
            x->otherwise = (int)i;
            break;
        case 'd':
            if (k->p)
                ctx_link(k->p);
            if (k->p && ((leat_ctx *)k->p)->deadline != NEVER)
                op_timer(x, i, ((leat_ctx *)k->p)->deadline);
            x->ops[n++] = (struct op){ .val = k->p, .kind = k->p ? 'd' : 'x', .of = (uint16_t)i };
            break;
        case 'f':
            x->ops[n++] = (struct op){ .kind = 'f', .of = (uint16_t)i };
            break;
        default:
            x->ops[n++] = (struct op){ .c = k->c, .val = k->p, .kind = k->c ? k->op : 'x', .of = (uint16_t)i };
        }
    }
    x->n = n;
}

static int op_fd(const struct sel *x, const struct op *o) { return (int)(case_at(x->s, o->of)->n >> 8); }
static int op_events(const struct sel *x, const struct op *o) { return (int)(case_at(x->s, o->of)->n & 255); }

/* Looks without a lock: what they say may be old, and is tried or repeated under the lock. */
static inline bool recv_ready(const leat_chan_ *c)
{
    return at_load(&c->count) || at_load(&c->sq.head);
}

static inline bool send_ready(const leat_chan_ *c)
{
    return !at_load(&c->closed) && (at_load(&c->count) + at_load(&c->reserved) < c->cap || at_load(&c->rq.head));
}

static inline bool op_ready(const struct sel *x, const struct op *o)
{
    leat_chan_ *c = o->c;
    switch (o->kind) {
    case 'r':
        return recv_ready(c);
    case 's':
        return send_ready(c);
    case 'c':
        return chan_is_over(c);
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

/* For edges.h: before an op is tried or queued, and when it has fired. */
static inline void op_reads(const struct op *o)
{
    if (SAN_EDGES && o->kind == 's' && o->c)
        edge_reads(o->val, o->c->size);
}
static void op_seen(const struct op *o)
{
    if (SAN_EDGES && o->kind == 'r')
        edge_writes(o->val, o->c->size);
    else if (SAN_EDGES && o->kind == 'c')
        edge_sees_close(o->c);
    else if (SAN_EDGES && o->kind == 'd')
        ctx_seen(o->val);
}

/* Tries an op that looked ready.  true: it has fired, or failed (*err). */
static bool op_try(const struct op *o, leat_err *err)
{
    leat_chan_ *c = o->c;
    struct task *wake = NULL;
    if (o->kind == 'd' || o->kind == 'f') {
        op_seen(o);
        return true;
    }
    if (o->kind == 'r' && chan_recv_now(c, o->val))
        return true;
    op_reads(o);
    lock(&c->lock);
    if (o->kind == 'c') {
        bool is = chan_is_over(c);
        unlock(&c->lock);
        if (is)
            op_seen(o);
        return is;
    }
    enum chan_try r = o->kind == 'r' ? chan_recv_locked(c, o->val, &wake, err) : chan_send_locked(c, o->val, &wake, err);
    bool shut = r == CHAN_FAILED && (c->closed || c->ended);
    unlock(&c->lock);
    if (wake)
        task_ready(worker_self(), wake);
    if (r == CHAN_LEFT)
        chan_moved(c, o->val);
    if (r == CHAN_DONE)
        op_seen(o);
    if (r == CHAN_FAILED && ((shut && *err == LEAT_CLOSED) || *err == LEAT_AGAIN)) {
        *err = LEAT_OK;
        return false;                                /* closed: never ready; AGAIN: the next look finds it so again */
    }
    if (r == CHAN_FAILED)
        *err = chan_explain(c, *err);
    return r != CHAN_WAIT;
}

bool select_op_try(const struct op *o, leat_err *err) { return op_try(o, err); }

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

uint32_t select_draw(uint32_t n) { return (uint32_t)(((draw() >> 32) * n) >> 32); }

/* The number of one of the bits of a mask that is not 0, each equally likely. */
static inline uint32_t draw_bit(uint64_t mask)
{
    if (mask & (mask - 1)) {
        uint32_t n = (uint32_t)__builtin_popcountll(mask);
        for (uint32_t k = (uint32_t)(((draw() >> 32) * n) >> 32); k--; )
            mask &= mask - 1;
    }
    return (uint32_t)__builtin_ctzll(mask);
}

/* A bit for each of the 64 ops from base that looks ready. */
static uint64_t look(const struct sel *x, uint32_t base)
{
    uint64_t mask = 0;
    for (uint32_t i = base; i < x->n && i < base + 64; i++)
        mask |= (uint64_t)op_ready(x, &x->ops[i]) << (i - base);
    return mask;
}

/* Of more than 64: counts the ready ones, then draws among them.  -1: another came first, and it may be worth another look. */
static int fire_one_of_many(const struct sel *x, uint32_t *ready, leat_err *err)
{
    uint32_t base = 0, k;
    *ready = 0;
    for (base = 0; base < x->n; base += 64)
        *ready += (uint32_t)__builtin_popcountll(look(x, base));
    if (*ready == 0)
        return -1;
    k = (uint32_t)(((draw() >> 32) * *ready) >> 32);
    for (base = 0; base < x->n; base += 64) {
        uint64_t mask = look(x, base);
        uint32_t n = (uint32_t)__builtin_popcountll(mask);
        if (k < n) {
            while (k--)
                mask &= mask - 1;
            int i = (int)base + __builtin_ctzll(mask);
            return op_try(&x->ops[i], err) ? i : -1;
        }
        k -= n;
    }
    return -1;
}

/* The number of a ready op that has fired, or -1.  Every ready one is equally likely to be tried first. */
static int fire_ready(const struct sel *x, leat_err *err)
{
    if (x->n > 64) {
        int i = -1;
        for (uint32_t ready = 1, tries = 0; i < 0 && ready && tries < 64; tries++)
            i = fire_one_of_many(x, &ready, err);
        return i;
    }
    for (uint64_t mask = look(x, 0); mask; ) {
        uint32_t i = draw_bit(mask);
        if (op_try(&x->ops[i], err))
            return (int)i;
        mask &= ~(UINT64_C(1) << i);
    }
    return -1;
}

static int by_address(const void *a, const void *b)
{
    leat_chan_ *p, *q;
    memcpy(&p, a, sizeof p);
    memcpy(&q, b, sizeof q);
    return ((uintptr_t)p > (uintptr_t)q) - ((uintptr_t)p < (uintptr_t)q);
}

/* Locks n channels, some of which may be the same, in the order of their addresses.  How many there are: c[0] to that are locked. */
static uint32_t lock_all(leat_chan_ **c, uint32_t n)
{
    uint32_t distinct = 0;
    if (n > OPS_ON_STACK)
        qsort(c, n, sizeof(leat_chan_ *), by_address);
    for (uint32_t i = 1; i < n && n <= OPS_ON_STACK; i++) {
        leat_chan_ *x = c[i];
        uint32_t k = i;
        for (; k && (uintptr_t)c[k - 1] > (uintptr_t)x; k--)
            c[k] = c[k - 1];
        c[k] = x;
    }
    for (uint32_t i = 0; i < n; i++)
        if (distinct == 0 || c[distinct - 1] != c[i]) {
            c[distinct++] = c[i];
            lock(&c[i]->lock);
        }
    return distinct;
}

static void unlock_all(leat_chan_ **c, uint32_t n)
{
    while (n--)
        unlock(&c[n]->lock);
}

/* Whether at one moment no op is ready.  Of one op a look knows that. */
static bool none_ready(const struct sel *x)
{
    uint32_t n = 0, i;
    if (x->n < 2)
        return true;
    for (i = 0; i < x->n; i++)
        if (x->ops[i].c)
            x->chans[n++] = x->ops[i].c;
    n = lock_all(x->chans, n);
    for (i = 0; i < x->n && !op_ready(x, &x->ops[i]); i++)
        ;
    unlock_all(x->chans, n);
    return i == x->n;
}

static struct waiters *op_queue(const struct op *o)
{
    return o->kind == 'r' ? &o->c->rq : o->kind == 's' ? &o->c->sq : &o->c->cq;
}

/* [lock held] Whether another task waits in q: a select does not meet itself. */
static inline bool others_wait(const struct waiters *q, const struct task *t)
{
    const struct waiter *x = at_load(&q->head);
    while (x && x->task == t)
        x = x->next;
    return x != NULL;
}

bool select_others_wait(const struct waiters *q, const struct task *t) { return others_wait(q, t); }

leat_err select_chan_err(leat_chan_ *c)
{
    lock(&c->lock);                                  /* closed and ended are set before it */
    leat_err e = (leat_err)c->err;
    unlock(&c->lock);
    return e;
}

bool select_has_closed_case(const struct sel *x, const leat_chan_ *c)
{
    for (uint32_t i = 0; i < x->n; i++)
        if (x->ops[i].kind == 'c' && x->ops[i].c == c)
            return true;
    return false;
}

/* An op of c can never become ready.  false: that ends the select, *err says why. */
static __attribute__((noinline)) bool dead_is_fine(const struct sel *x, leat_chan_ *c, leat_err *err)
{
    leat_err e = select_chan_err(c);
    if (e == LEAT_OK || select_has_closed_case(x, c))
        return true;
    *err = chan_explain(c, e);
    return false;
}

/* The commonest op, by itself: an array of ends has many. */
static ALWAYS bool recv_queue_up(const struct sel *x, leat_chan_ *c, struct waiter *w, leat_err *err)
{
    if (at_load(&c->ended) && !at_load(&c->count))
        return dead_is_fine(x, c, err);
    lock(&c->lock);
    bool ready = at_load(&c->count) || others_wait(&c->sq, w->task) || at_load(&c->ended);
    if (!ready)
        chan_wait_locked(c, &c->rq, w);
    unlock(&c->lock);
    return !ready;
}

static bool send_queue_up(struct sel *x, leat_chan_ *c, struct waiter *w)
{
    lock(&c->lock);
    bool ready = at_load(&c->closed) || at_load(&c->count) + at_load(&c->reserved) < c->cap || others_wait(&c->rq, w->task);
    if (!ready && unlikely(at_load(&c->site)) && c->cap == 0)
        ready = !offers_queue_up(x, w->id, w);
    else if (!ready)
        chan_wait_locked(c, &c->sq, w);
    unlock(&c->lock);
    return !ready;
}

static bool other_queue_up(struct sel *x, struct op *o, struct waiter *w, leat_err *err)
{
    if (o->kind == 'x')
        return true;
    if (!op_alive(o))
        return dead_is_fine(x, o->c, err);
    if (o->kind == 'f') {
        w->kind = &wait_fd;
        leat_err e = w->task->foreign ? io_check(op_fd(x, o), op_events(x, o)) : io_watch(op_fd(x, o), op_events(x, o), w);
        *err = e == LEAT_AGAIN ? LEAT_OK : e;
        return e == LEAT_OK;
    }
    if (o->kind == 'd') {
        leat_ctx *c = o->val;
        w->owner = c;
        w->kind = &select_done;
        lock(&c->lock);
        bool ready = at_load(&c->done) != 0;
        if (!ready)
            waiter_add(&c->watchers, w);
        unlock(&c->lock);
        return !ready;
    }
    w->kind = o->kind == 's' ? &chan_wait_send : &chan_wait_end;
    if (o->kind == 's')
        return send_queue_up(x, o->c, w);
    lock(&o->c->lock);
    bool ready = op_ready(x, o) || !op_alive(o);
    if (!ready)
        chan_wait_locked(o->c, op_queue(o), w);
    unlock(&o->c->lock);
    return !ready;
}

/* Queues op i.  false: it has become ready (or its wait cannot be begun: *err). */
static ALWAYS bool op_queue_up(struct sel *x, uint32_t i, struct task *t, leat_err *err)
{
    struct op *o = &x->ops[i];
    struct waiter *w = &x->waiters[i];
    *w = (struct waiter){ .task = t, .val = o->val, .id = i, .kind = &chan_wait_recv };
    op_reads(o);
    edge_waits(w);
    return likely(o->kind == 'r') ? recv_queue_up(x, o->c, w, err) : other_queue_up(x, o, w, err);
}

bool select_op_queue_up(struct sel *x, uint32_t i, struct task *t, leat_err *err) { return op_queue_up(x, i, t, err); }

static void other_leave(struct sel *x, struct op *o, struct waiter *w)
{
    if (o->kind == 'x')
        return;
    if (o->kind == 'f') {
        io_unwatch(op_fd(x, o), w);
        return;
    }
    leat_ctx *ctx = o->kind == 'd' ? o->val : NULL;
    _Atomic uint32_t *l = ctx ? &ctx->lock : &o->c->lock;
    lock(l);
    if (w->on) {
        waiter_del(ctx ? &ctx->watchers : op_queue(o), w);
        if (!ctx && o->kind == 's' && at_load(&o->c->site))
            o->c->net->ops->need(o->c);
    }
    unlock(l);
}

static ALWAYS void op_leave(struct sel *x, uint32_t i)
{
    struct op *o = &x->ops[i];
    struct waiter *w = &x->waiters[i];
    if (unlikely(o->kind != 'r')) {
        other_leave(x, o, w);
        return;
    }
    lock(&o->c->lock);                               /* also when it is off the queue: who took it off may still look at it */
    if (w->on)
        waiter_del(&o->c->rq, w);
    unlock(&o->c->lock);
}

void select_op_leave(struct sel *x, uint32_t i) { op_leave(x, i); }

/* A thread that is no task waits for its descriptors itself. */
static __attribute__((noinline)) leat_err polls_begin(struct sel *x, struct task *t)
{
    int e = 0;
    uint32_t n = 0;
    for (uint32_t i = 0; i < x->n; i++)
        n += x->ops[i].kind == 'f';
    if (n >= POLL_SOME_MAX)                          /* one more is the bell */
        return leat_fail(LEAT_LIMIT, "leat_on_fd: a thread that is no task waits for at most %d descriptors", POLL_SOME_MAX - 1);
    for (uint32_t i = 0; i < x->n && !e; i++)
        if (x->ops[i].kind == 'f')
            e = task_poll_begin(t, op_fd(x, &x->ops[i]), op_events(x, &x->ops[i]));
    if (!e)
        return LEAT_OK;
    task_poll_end(t);
    return err_sys(e, "leat_on_fd");
}

/* Two ops that wait for the same thing: whichever stands first in its queue is served. */
static bool has_twins(const struct sel *x)
{
    for (uint32_t i = 1; i < x->n; i++)
        for (uint32_t k = 0; k < i; k++)
            if (x->ops[k].c == x->ops[i].c && x->ops[k].kind == x->ops[i].kind)
                return true;
    return false;
}

static void shuffle(struct sel *x)
{
    for (uint32_t i = x->n; i > 1; i--) {
        uint32_t k = (uint32_t)(((draw() >> 32) * i) >> 32);
        struct op o = x->ops[k];
        x->ops[k] = x->ops[i - 1];
        x->ops[i - 1] = o;
    }
}

/* Queues the ops, as many as is returned: the next one has become ready (or its wait cannot be begun: *err). */
static ALWAYS uint32_t queue_up(struct sel *x, struct task *t, leat_err *err)
{
    uint32_t i = 0;
    while (i < x->n && op_queue_up(x, i, t, err))
        i++;
    return i;
}

/* Out of all queues.  served: it is off its queue, and nobody looks at it any more. */
static ALWAYS void leave(struct sel *x, uint32_t queued, const struct waiter *served)
{
    for (uint32_t k = 0; k < queued; k++)
        if (&x->waiters[k] != served || x->ops[k].kind == 'f')
            op_leave(x, k);
    if (unlikely(task_self()->foreign))
        task_poll_end(task_self());
    for (uint32_t k = 0; SAN_EDGES && k <= queued && k < x->n; k++)
        edge_waited(&x->waiters[k]);
}

/* What the end of a wait means: the number of the op that was served, or -1: look again, or *err. */
static ALWAYS int woken(const struct sel *x, uint32_t why, leat_err *err)
{
    struct task *t = task_self();
    if (why == PARK_CHAN && t->win) {
        struct waiter *w = t->win;
        struct op *o = &x->ops[w->id];
        if (w->ok && w->left)
            chan_moved(o->c, o->val);
        if (w->ok)
            op_seen(o);
        if (w->ok)
            return (int)w->id;
        if (w->err && w->err != LEAT_CLOSED && w->err != LEAT_AGAIN && !select_has_closed_case(x, o->c))
            *err = chan_explain(o->c, (leat_err)w->err);
        return -1;
    }
    if (why == PARK_CANCEL || why == PARK_TIMER) {
        leat_err e = task_wait_err(t, why);
        if (e != LEAT_AGAIN && !(e == LEAT_DEADLINE && x->after >= 0 && rt_now(t->rt) >= x->due))
            *err = e;
    }
    return -1;
}

/* The same for a select that stands elsewhere, and its turn to make an offer. */
static __attribute__((noinline)) int leave_standing(struct sel *x, uint32_t queued, uint32_t why, leat_err *err)
{
    struct task *t = task_self();
    if (why != PARK_TRY)
        x->invited = -1;
    else if (t->win)
        x->invited = (int)t->win->id;
    offers_leave(x, queued);
    if (t->foreign)
        task_poll_end(t);
    return why == PARK_TRY ? offers_try(x, err) : woken(x, why, err);
}

/* Blocks until one op is served (its number), or -1: look again, or *err. */
static int block(struct sel *x, leat_err *err)
{
    struct task *t = task_self();
    uint32_t i, why;
    struct waiter me = { .task = t, .owner = x->waiters, .id = x->n, .kind = &select_all };
    if (unlikely(t->foreign) && (*err = polls_begin(x, t)) != LEAT_OK)
        return -1;
    if (x->n > 1 && !x->stands && (x->n > 8 || has_twins(x)))
        shuffle(x);                                  /* so that each of them is equally likely */
    t->win = NULL;
    t->on = &me;
    at_store(&t->park, PARK_WAIT);
    i = unlikely(x->stands) ? offers_queue_up_again(x, t, err) : queue_up(x, t, err);
    if (unlikely(x->stands))
        me.kind = &select_standing;
    if (i == x->n) {
        full_fence();                                /* PARK_WAIT before the context's done word: Dekker */
        why = task_wait(t);
    } else if (!task_claim(t, why = x->invited >= 0 ? PARK_TRY : PARK_NONE)) {
        task_park_plain(t);                          /* somebody ended the wait already: take that wake */
        why = at_load(&t->park);
    }
    if (unlikely(x->stands))
        return leave_standing(x, i, why, err);
    leave(x, i, why == PARK_CHAN ? t->win : NULL);
    return woken(x, why, err);
}

/* Why no op can ever fire. */
static leat_err all_dead(const struct sel *x)
{
    leat_err err = LEAT_CLOSED;
    for (uint32_t i = 0; i < x->n && err == LEAT_CLOSED; i++)
        if (x->ops[i].kind == 'r' || x->ops[i].kind == 's')
            (void)dead_is_fine(x, x->ops[i].c, &err);
    return err;
}

static bool any_alive(const struct sel *x)
{
    for (uint32_t i = 0; i < x->n; i++)
        if (op_alive(&x->ops[i]))
            return true;
    for (uint32_t i = 0; SAN_EDGES && i < x->n; i++)
        if (x->ops[i].kind == 'r' || x->ops[i].kind == 'c')
            edge_sees_close(x->ops[i].c);
    return x->after >= 0;
}

/* The case of an op that has fired. */
static int ran(const struct sel *x, int op)
{
    const leat_case_ *k = case_at(x->s, x->ops[op].of);
    if (k->which)
        *k->which = x->ops[op].index;
    return x->ops[op].of;
}

/* The number of the case that ran, or -1 and *err. */
static int run(struct sel *x, leat_err *err)
{
    struct task *t = task_self();
    int64_t old = x->deadline = at_load(&t->deadline);
    int hit = -1;
    lay_out(x);
    for (;;) {
        int op = x->looked ? -1 : fire_ready(x, err);
        x->looked = false;
        if (op >= 0 && *err == LEAT_OK) {
            hit = ran(x, op);
            break;
        }
        if (*err != LEAT_OK)
            break;
        if (x->after >= 0 && rt_now(t->rt) >= x->due) {
            hit = x->after;
            break;
        }
        if (x->otherwise >= 0) {
            if (!none_ready(x))
                continue;
            if (!x->asked) {
                op = offers_ask(x, err);
                if (op >= 0)
                    hit = ran(x, op);
                if (op >= 0 || *err != LEAT_OK)
                    break;
                if (x->asked)
                    continue;
            }
            hit = x->otherwise;
            break;
        }
        if (!any_alive(x)) {
            *err = all_dead(x);
            break;
        }
        if (x->after >= 0 && x->due < at_load(&t->deadline))
            at_store(&t->deadline, x->due);
        op = block(x, err);
        at_store(&t->deadline, old);
        if (op >= 0) {
            hit = ran(x, op);
            break;
        }
        if (*err != LEAT_OK)
            break;
    }
    if (unlikely(x->stands))
        offers_end(x);
    return hit;
}

/* Each in a frame of its own, or a select of two would wait on the stack of one of 64. */
#define RUN_ON_STACK(name, most) \
    static __attribute__((noinline)) int name(struct sel *x, leat_err *err) \
    { \
        struct op ops[most]; struct waiter waiters[most]; leat_chan_ *chans[most]; \
        x->ops = ops; x->waiters = waiters; x->chans = chans; \
        return run(x, err); \
    }
RUN_ON_STACK(run_few, OPS_FEW)
RUN_ON_STACK(run_some, OPS_SOME)
RUN_ON_STACK(run_on_stack, OPS_ON_STACK)

static int run_on_heap(struct sel *x, uint32_t n, leat_err *err)
{
    int hit = -1;
    x->ops = mem_alloc(n * sizeof *x->ops);
    x->waiters = mem_alloc(n * sizeof *x->waiters);
    x->chans = mem_alloc(n * sizeof(leat_chan_ *));
    if (x->ops && x->waiters && x->chans)
        hit = run(x, err);
    else
        *err = LEAT_NOMEM;
    mem_free(x->ops);
    mem_free(x->waiters);
    mem_free(x->chans);
    return hit;
}

static int select_failed(leat_err err)
{
    err_of(err);
    return -1;
}

/* Any select, laid out. */
static int select_wait(const leat_select_ *s, bool looked, leat_err *err)
{
    struct sel x;
    uint32_t n = 0;
    x.s = s;
    x.looked = looked;
    x.stands = x.asked = x.named = false;            /* lay_out sets the rest */
    *err = count_ops(s, &n);
    if (*err != LEAT_OK)
        return -1;
    int hit = n <= OPS_FEW ? run_few(&x, err) : n <= OPS_SOME ? run_some(&x, err) :
        n <= OPS_ON_STACK ? run_on_stack(&x, err) : run_on_heap(&x, n, err);
    if (hit >= 0)
        return case_at(s, (uint32_t)hit)->id;
    return select_failed(*err);
}

/* -- the quick way: something is ready among at most 64 sends and receives, so nothing is laid out and nobody queues ------- */
static inline uint64_t quick_array(const leat_case_ *k)
{
    const char *at = (const char *)k->c + (size_t)k->n * sizeof(void *);
    uint64_t mask = 0;
    while (at != k->c) {                             /* the last bit is of the first end */
        const leat_chan_ *c;
        at -= sizeof c;
        memcpy(&c, at, sizeof c);                    /* the program's own type of a pointer to a channel */
        mask <<= 1;
        if (likely(c != NULL))
            mask |= (uint64_t)(at_load(&c->count) != 0) | (uint64_t)(at_load(&c->sq.head) != NULL);
    }
    return mask;
}

/* Nothing but an array of ends: most often one of them has an element.  null: go the usual way. */
static inline const leat_case_ *quick_any(const leat_select_ *s)
{
    const leat_case_ *k = s->on;
    if (s->n != 1 || k->op != 'a' || (uint64_t)k->n > OPS_ON_STACK)
        return NULL;
    uint64_t mask = quick_array(k);
    if (!mask)
        return NULL;
    uint32_t bit = draw_bit(mask);
    leat_chan_ *c;
    memcpy(&c, (const char *)k->c + bit * sizeof c, sizeof c);
    if (!chan_recv_now(c, k->p))
        return NULL;
    if (k->which)
        *k->which = bit;
    return k;
}

/* A bit for each end that looks ready, in the order of the cases.  false: there are cases of another kind, or too many. */
static ALWAYS bool quick_look(const leat_select_ *s, uint64_t *ret)
{
    uint64_t mask = 0;
    int64_t n = 0;
    if (s->n > LEAT_SELECT_MAX_)
        return false;
    for (uint32_t i = 0; i < s->n; i++) {
        const leat_case_ *k = &s->on[i];
        leat_chan_ *c = k->c;
        if (i && k->id <= s->on[i - 1].id)
            return false;
        if (k->op == 'r' && n < OPS_ON_STACK) {
            mask |= (uint64_t)(c && recv_ready(c)) << n++;
            continue;
        }
        int64_t more = k->op == 'a' ? k->n : k->op == 's';
        if (more < 0 || n + more > OPS_ON_STACK || k->op == 'r')
            return false;
        if (k->op == 'a' && more > 0)
            mask |= quick_array(k) << n;
        else if (k->op == 's' && c && at_load(&c->site) && !send_ready(c))
            return false;                            /* it is for its home to say */
        else if (k->op == 's')
            mask |= (uint64_t)(c && send_ready(c)) << n;
        else if (k->op != 't' && k->op != 'o' && k->op != 'a')
            return false;
        n += more;
    }
    *ret = mask;
    return true;
}

/* The op of this bit, and its case. */
static const leat_case_ *quick_op(const leat_select_ *s, uint32_t bit, struct op *ret)
{
    const leat_case_ *k = s->on;
    for (;; k++) {
        uint32_t n = k->op == 'a' ? (uint32_t)k->n : k->op == 'r' || k->op == 's';
        if (bit < n)
            break;
        bit -= n;
    }
    *ret = (struct op){ .c = k->c, .val = k->p, .kind = k->op == 'a' ? 'r' : k->op, .index = bit };
    if (k->op == 'a')
        memcpy(&ret->c, (char *)k->c + bit * sizeof ret->c, sizeof ret->c);
    return k;
}

/* Whether at one moment none of several sends and receives is ready. */
static __attribute__((noinline)) bool quick_none(const leat_select_ *s)
{
    leat_chan_ *chans[OPS_ON_STACK];
    uint32_t n = 0;
    uint64_t mask = 0;
    for (const leat_case_ *k = s->on; k < s->on + s->n; k++) {
        if (k->op != 'a' && k->c)
            chans[n++] = k->c;
        for (int64_t j = 0; k->op == 'a' && j < k->n; j++) {
            leat_chan_ *c;
            memcpy(&c, (char *)k->c + (size_t)j * sizeof c, sizeof c);
            if (c)
                chans[n++] = c;
        }
    }
    n = lock_all(chans, n);
    bool looked = quick_look(s, &mask);
    unlock_all(chans, n);
    return looked && !mask;
}

/* Nothing that looked ready has fired: leat_otherwise, if it is so at one moment and no timer must be asked first; or null. */
static const leat_case_ *quick_otherwise(const leat_select_ *s)
{
    const leat_case_ *otherwise = NULL;
    bool one = s->n <= 2;                            /* of which a look says enough */
    for (const leat_case_ *k = s->on; k < s->on + s->n; k++) {
        if (k->op == 't')
            return NULL;
        if (k->op == 'o')
            otherwise = k;
        one = one && k->op != 'a';
    }
    return otherwise && (one || quick_none(s)) ? otherwise : NULL;
}

/* The case that fired, or null: the long way, and whether it may start with waiting.  An error (*err) is a failure of the channel
 * that was tried. */
static const leat_case_ *quick(const leat_select_ *s, bool *looked, leat_err *err)
{
    uint64_t mask;
    *err = LEAT_OK;
    *looked = quick_look(s, &mask);
    if (!*looked)
        return NULL;
    while (mask) {
        struct op o;
        uint32_t bit = draw_bit(mask);
        const leat_case_ *k = quick_op(s, bit, &o);
        if (op_try(&o, err)) {
            if (k->which && *err == LEAT_OK)
                *k->which = o.index;
            return k;
        }
        mask &= ~(UINT64_C(1) << bit);
    }
    return NULL;
}

/* What comes after the quick way: k has failed (*err), or is null. */
static __attribute__((noinline)) int select_slowly(leat_select_ *s, const leat_case_ *k, bool looked, leat_err *err)
{
    if (k)
        return select_failed(*err);
    if (looked && (k = quick_otherwise(s)))
        return k->id;
    int id = select_wait(s, looked, err);
    if (unlikely(s->flags & 2))
        mem_free(s->more);
    return id;
}

int leat_select_run_(leat_select_ *s, leat_err *err)
{
    bool looked;
    const leat_case_ *k = quick_any(s);
    if (k) {
        *err = LEAT_OK;
        return k->id;
    }
    k = quick(s, &looked, err);
    return likely(k && *err == LEAT_OK) ? k->id : select_slowly(s, k, looked, err);
}

void leat_select_lost_(const leat_select_ *s)
{
    (void)s;
    static const char text[] =
        "leat: leat_select: the case that won was not reached again: a condition before it changed while it waited\n";
    fputs(text, stderr);
    abort();
}
