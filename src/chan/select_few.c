/* select_few.c - a wait for one of several receives and nothing else, an array of at most 64 or a case each of a few: the commonest select,
 * without laying it out.
 *
 * It was looked at just now and nothing was ready.  As in select_wait.c: PARK_WAIT first, then channel by channel lock, look again, queue,
 * unlock; after the wait out of the queues.  Whatever is not a plain receive on a channel of this process, or not a plain end of the wait,
 * is left to the long way, which begins anew. */
#include <string.h>
#include "chan/select.h"
#include "run/err.h"

#define ALWAYS inline __attribute__((always_inline))

static ALWAYS leat_chan_ *end_of(const leat_select_ *s, bool array, uint32_t i)
{
    leat_chan_ *c;
    if (!array)
        return s->on[i].c;
    memcpy(&c, (const char *)s->on->c + (size_t)i * sizeof c, sizeof c);
    return c;
}

/* Whichever of two receives on one channel stands first is served, so they are for the long way, which draws.  [c locked] Somebody waits
 * there already; is it one of mine, which are ws[0] to ws[i - 1]? */
static __attribute__((noinline)) bool has_twin(const struct waiter *ws, uint32_t i, const leat_chan_ *c)
{
    enum { NEAR = 8 };
    const struct waiter *x = c->rq.tail;
    for (int k = 0; x && k < NEAR; x = x->prev, k++)
        if (x->task == ws[i].task)
            return true;
    while (x && i--)
        if (ws[i].owner == c)
            return true;
    return false;
}

enum { QUEUED, DEAD, NOT };                          /* DEAD: c never becomes ready again, and that is no error */

/* Queues ws[i] for a value of c.  NOT: there may be one now, or an error, or c is for the long way. */
static ALWAYS int queue_up(leat_chan_ *c, struct waiter *ws, uint32_t i, bool last)
{
    int how = QUEUED;
    lock(&c->lock);
    if (unlikely(at_load(&c->count) || at_load(&c->sq.head) || at_load(&c->ended) || c->net)) {
        how = at_load(&c->count) || at_load(&c->sq.head) || c->err || c->net ? NOT : DEAD;
    } else if (c->rq.tail && has_twin(ws, i, c)) {
        how = NOT;
    } else {
        ws[i].owner = c;
        waiter_add(&c->rq, &ws[i]);
    }
    if (last)
        unlock_fence(&c->lock);                      /* PARK_WAIT before the context's done word: Dekker */
    else
        unlock(&c->lock);
    return how;
}

static ALWAYS void leave(struct waiter *w)
{
    leat_chan_ *c = w->owner;
    if (unlikely(!c))
        return;
    lock(&c->lock);                                  /* also when it is off the queue: who took it off may still look at it */
    if (w->on)
        waiter_del(&c->rq, w);
    unlock(&c->lock);
}

/* How many have been written; all of them: *alive says whether one of them is queued. */
static ALWAYS uint32_t queue_all(const leat_select_ *s, bool array, uint32_t n, struct waiter *ws, struct task *t, bool *alive)
{
    *alive = false;
    for (uint32_t i = 0; i < n; i++) {
        leat_chan_ *c = end_of(s, array, i);
        struct waiter *w = &ws[i];
        w->task = t;
        w->val = array ? s->on->p : s->on[i].p;
        w->id = i;
        w->ok = w->on = w->left = w->plain = false;
        w->err = 0;
        w->owner = NULL;
        w->kind = &chan_wait_recv;
        int how = c ? queue_up(c, ws, i, i + 1 == n) : DEAD;
        if (unlikely(how == NOT))
            return i;
        *alive |= how == QUEUED;
    }
    return n;
}

/* The end of a wait in which nothing was received.  true: *err says why. */
static __attribute__((noinline)) bool ended(struct task *t, uint32_t why, leat_err *err)
{
    if (why == PARK_CHAN) {
        const struct waiter *w = t->win;
        if (!w || !w->err || w->err == LEAT_CLOSED || w->err == LEAT_AGAIN)
            return false;
        *err = chan_explain(w->owner, (leat_err)w->err);
        return true;
    }
    leat_err e = why == PARK_CANCEL || why == PARK_TIMER ? task_wait_err(t, why) : LEAT_AGAIN;
    if (e == LEAT_AGAIN)
        return false;
    *err = e;
    return true;
}

/* true: over: *op has been received, or *err. */
static ALWAYS bool wait_in(const leat_select_ *s, bool array, uint32_t n, struct waiter *ws, uint32_t *op, leat_err *err)
{
    struct waiter me;
    struct task *t = task_self();
    if (SAN_EDGES || unlikely(t->foreign))
        return false;
    me.task = t;
    me.owner = ws;
    me.id = n;
    me.kind = &select_all;
    t->win = NULL;
    t->on = &me;
    at_store(&t->park, PARK_WAIT);
    bool alive;
    uint32_t why, i = queue_all(s, array, n, ws, t, &alive);
    if (likely(i == n && alive)) {
        if (unlikely(!end_of(s, array, n - 1)))
            full_fence();                            /* no lock was let go of last */
        why = task_wait_on(worker_self(), &me.task);
        t = me.task;
    } else if (!task_claim(t, why = PARK_NONE)) {
        task_park_plain(t);                          /* somebody ended the wait already: take that wake */
        why = at_load(&t->park);
    }
    const struct waiter *served = why == PARK_CHAN ? t->win : NULL;
    for (uint32_t k = 0; k < i; k++)
        if (&ws[k] != served)
            leave(&ws[k]);
    if (unlikely(!served || !served->ok))
        return ended(t, why, err);
    *op = served->id;
    return true;
}

/* Each in a frame of its own, or a select of two would wait on the stack of one of 64. */
#define WAIT_IN(name, array, most) \
    static __attribute__((noinline)) bool name(const leat_select_ *s, uint32_t n, uint32_t *op, leat_err *err) \
    { \
        struct waiter ws[most]; \
        return wait_in(s, array, n, ws, op, err); \
    }
WAIT_IN(wait_cases, false, OPS_FEW)
WAIT_IN(wait_few, true, OPS_FEW)
WAIT_IN(wait_some, true, OPS_SOME)
WAIT_IN(wait_many, true, OPS_ON_STACK)

bool select_few_array(const leat_select_ *s, int *id, leat_err *err)
{
    uint32_t op = 0, n = (uint32_t)s->on->n;
    if (!(n <= OPS_FEW ? wait_few(s, n, &op, err) : n <= OPS_SOME ? wait_some(s, n, &op, err) : wait_many(s, n, &op, err)))
        return false;
    *id = s->on->id;
    if (*err == LEAT_OK && s->on->which)
        *s->on->which = op;
    return true;
}

bool select_few_cases(const leat_select_ *s, int *id, leat_err *err)
{
    uint32_t op = 0;
    if (!wait_cases(s, s->n, &op, err))
        return false;
    *id = s->on[op].id;
    if (*err == LEAT_OK && s->on[op].which)
        *s->on[op].which = 0;
    return true;
}
