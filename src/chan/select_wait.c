/* select_wait.c - any select: laid out, it looks, waits in the queues of all its cases, and looks again.
 *
 * To block: PARK_WAIT first, then channel by channel lock, look again, queue, unlock; if one has become ready the wait is withdrawn (or was
 * just ended: then that wake is consumed).  One park word decides, so exactly one case fires.  No allocation up to 16 cases and 64 ops.
 * A wait that ended because a channel closed is no case: the select looks again. */
#include <string.h>
#include "base/alloc.h"
#include "chan/select.h"
#include "plat/poll.h"
#include "run/err.h"
#include "run/io.h"
#include "run/report.h"
#include "run/seam.h"

#define ALWAYS inline __attribute__((always_inline))

static leat_err count_ops(const leat_select_ *s, uint32_t *ret)
{
    uint64_t n = 0;
    if (s->flags & 4)
        return leat_fail(LEAT_NOMEM, "leat_select: no memory for %u cases", s->n);
    if (s->n > OPS_MAX || (s->n > LEAT_SELECT_MAX_ && !(s->flags & 2)))
        return leat_fail(LEAT_LIMIT, "leat_select: %u cases, at most %d are possible", s->n, OPS_MAX);
    for (uint32_t i = 0; i < s->n; i++) {
        const leat_case_ *k = select_case(s, i);
        if (i && k->id <= select_case(s, i - 1)->id)
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
        const leat_case_ *k = select_case(s, i);
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

static struct waiters *op_queue(const struct op *o)
{
    return o->kind == 'r' ? &o->c->rq : o->kind == 's' ? &o->c->sq : &o->c->cq;
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
    bool ready = at_load(&c->count) || select_others_wait(&c->sq, w->task) || at_load(&c->ended);
    if (!ready)
        chan_wait_locked(c, &c->rq, w);
    unlock(&c->lock);
    return !ready;
}

static bool send_queue_up(struct sel *x, leat_chan_ *c, struct waiter *w)
{
    lock(&c->lock);
    bool ready = at_load(&c->closed) || at_load(&c->count) + at_load(&c->reserved) < c->cap || select_others_wait(&c->rq, w->task);
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
    bool ready = select_op_ready(x, o) || !op_alive(o);
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
        uint32_t k = select_draw(i);
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
static ALWAYS void leave(struct sel *x, uint32_t queued, const struct task *t, const struct waiter *served)
{
    for (uint32_t k = 0; k < queued; k++)
        if (&x->waiters[k] != served || x->ops[k].kind == 'f')
            op_leave(x, k);
    if (unlikely(t->foreign))
        task_poll_end(task_self());
    for (uint32_t k = 0; SAN_EDGES && k <= queued && k < x->n; k++)
        edge_waited(&x->waiters[k]);
}

/* What the end of a wait means: the number of the op that was served, or -1: look again, or *err. */
static ALWAYS int woken(const struct sel *x, struct task *t, uint32_t why, leat_err *err)
{
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
        at_store(&t->deadline, x->deadline);         /* a timer case is none of the context's */
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
    return why == PARK_TRY ? offers_try(x, err) : woken(x, t, why, err);
}

/* Blocks until one op is served (its number), or -1: look again, or *err. */
static int block(struct sel *x, struct task *t, leat_err *err)
{
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
    leave(x, i, t, why == PARK_CHAN ? t->win : NULL);
    return woken(x, t, why, err);
}

/* No case is ready.  false: leat_otherwise is not for that: one never will be, and that is an error. */
static __attribute__((noinline)) bool none_lost(const struct sel *x, leat_err *err)
{
    for (uint32_t i = 0; i < x->n; i++)
        if ((x->ops[i].kind == 'r' || x->ops[i].kind == 's') && !op_alive(&x->ops[i]) && !dead_is_fine(x, x->ops[i].c, err))
            return false;
    return true;
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
    const leat_case_ *k = select_case(x->s, x->ops[op].of);
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
        int op = x->looked ? -1 : select_fire(x, err);
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
            if (!select_none_ready(x))
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
            if (none_lost(x, err))
                hit = x->otherwise;
            break;
        }
        if (!any_alive(x)) {
            *err = all_dead(x);
            break;
        }
        if (x->after >= 0 && x->due < at_load(&t->deadline))
            at_store(&t->deadline, x->due);
        op = block(x, t, err);
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
    err_again(err);
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
        return select_case(s, (uint32_t)hit)->id;
    return select_failed(*err);
}

/* A few receives and nothing else. */
static bool is_few(const leat_select_ *s)
{
    if (s->n > OPS_FEW)
        return false;
    for (uint32_t i = 0; i < s->n; i++)
        if (s->on[i].op != 'r')
            return false;
    return true;
}

/* What comes after the quick way: k has failed (*err), or is null. */
int select_slowly(leat_select_ *s, const leat_case_ *k, bool looked, leat_err *err)
{
    int id;
    if (k)
        return select_failed(*err);
    if (looked && is_few(s)) {
        if (select_few_cases(s, &id, err))
            return *err == LEAT_OK ? id : select_failed(*err);
        looked = false;
    }
    if (looked && (k = select_quick_otherwise(s)))
        return k->id;
    id = select_wait(s, looked, err);
    if (unlikely(s->flags & 2))
        mem_free(s->more);
    return id;
}

int select_array(leat_select_ *s, leat_err *err)
{
    int id;
    *err = LEAT_OK;
    if (select_few_array(s, &id, err))
        return *err == LEAT_OK ? id : select_failed(*err);
    return select_slowly(s, NULL, false, err);
}
