/* chan.c - channels: send, receive, close.  The memory model is Go's: a receive from an unbuffered channel happens before the send
 * completes; the k-th receive from one of capacity C before the completion of send k + C.
 *
 * A value goes straight from the sender's variable to the receiver's, under the lock; nothing is allocated.  The fast paths look
 * at neither context nor clock.  A waiter whose wait was ended by cancel or deadline takes itself out of the queue. */
#include "chan/chan.h"
#include <assert.h>
#include <string.h>
#include "base/alloc.h"
#include "chan/edges.h"
#include "chan/quick.h"
#include "run/block.h"
#include "run/err.h"

enum { ELEM_MAX = 1 << 30 };

static inline void copy(const leat_chan_ *c, void *to, const void *from)
{
#if SAN_EDGES
    edge_copy(to, from, c->size);                    /* its owner says that it reads or writes the variable */
#else
    if (likely(c->size == 8))                        /* a constant size is a move */
        memcpy(to, from, 8);
    else
        memcpy(to, from, c->size);
#endif
}

/* false: no memory */
static bool init(leat_chan_ *c, size_t elem_size, size_t capacity)
{
    memset(c, 0, sizeof *c);
    c->cap = (uint32_t)capacity;
    c->size = (uint32_t)elem_size;
    c->senders = c->txs = c->rxs = 1;
    at_store(&c->refs, 1);
    at_store(&c->holds, 1);
    return edges_open(c);
}

leat_chan_ *leat_chan_make_(size_t elem_size, size_t capacity)
{
    size_t bytes;
    if (elem_size > ELEM_MAX || capacity > UINT32_MAX / 2 || __builtin_mul_overflow(elem_size, capacity, &bytes) ||
        __builtin_add_overflow(bytes, sizeof(leat_chan_) + 63, &bytes)) {
        leat_ignore(leat_fail(LEAT_NOMEM, "leat_chan_make: %zu elements of %zu bytes are more than a channel can hold",
            capacity, elem_size));
        return NULL;
    }
    bytes &= ~(size_t)63;
    leat_chan_ *c = block_alloc(bytes);
    if (c && !init(c, elem_size, capacity)) {
        block_free(c, bytes);
        c = NULL;
    }
    if (!c)
        leat_ignore(err_of(LEAT_NOMEM));
    else
        c->buf = (char *)c + sizeof *c;
    return c;
}

leat_chan_ *chan_make_site(size_t size, uint32_t cap)
{
    leat_chan_ *c = mem_alloc(sizeof *c);
    if (c && !init(c, size, 0)) {
        mem_free(c);
        c = NULL;
    }
    if (!c)
        leat_ignore(err_of(LEAT_NOMEM));
    else
        c->cap = cap;
    return c;
}

/* Nobody knows c any more, and its lock is held: whoever unlocked it before is out of that store. */
static void chan_free(leat_chan_ *c)
{
    edges_close(c);
    if (c->buf)
        block_free(c, sizeof *c + (size_t)c->cap * c->size);
    else
        mem_free(c);                                 /* it was made a site */
}

static void hold_drop(leat_chan_ *c)
{
    if (atomic_fetch_sub_explicit(&c->holds, 1, ACQ_REL) != 1)
        return;
    lock(&c->lock);
    chan_free(c);
}

leat_chan_ *leat_ref_(leat_chan_ *c, int ends)
{
    if (!c)
        return NULL;
    atomic_fetch_add_explicit(&c->refs, 1, RLX);
    lock(&c->lock);
    c->senders += (ends & LEAT_TX_END_) != 0;
    c->txs += (ends & LEAT_TX_END_) != 0;
    c->rxs += (ends & LEAT_RX_END_) != 0;
    c->lone = (uint16_t)(c->lone + (ends == LEAT_RX_END_ && c->lone < UINT16_MAX));
    unlock(&c->lock);
    return c;
}

/* An owner of a send end goes: it has finished, if it had not said so (chan_sender_left_locked). */
void leat_unref_end_(leat_chan_ *c, int ends)
{
    if (!c)
        return;
    bool finished = false, deaf = false;
    lock(&c->lock);
    if ((ends & LEAT_TX_END_) && c->txs) {
        edge_closes(c);
        uint32_t before = c->senders;
        c->txs--;
        if ((ends & LEAT_RX_END_) && c->done)
            c->done--;
        chan_sender_left_locked(c);
        finished = before && c->senders == 0;
    }
    if (ends == LEAT_RX_END_ && c->lone)
        c->lone--;
    if ((ends & LEAT_RX_END_) && c->rxs)
        deaf = --c->rxs == 0 && !c->site;
    struct waiter *told = deaf ? chan_shut_locked(c, LEAT_GONE, NULL) : NULL;
    struct chan_net *net = c->net;
    const struct leat_type *type = c->type;
    struct chan_left left = { 0, 0 };
    if (deaf && !net) {
        at_store(&c->ended, 1);                      /* for leat_on_closed of a send end; a home says so to its sites first */
        left = chan_forget_elems_locked(c);
    }
    if (deaf)
        chan_drained_locked(c);                      /* who fills it for no receiver ends now, not at its next send */
    unlock(&c->lock);
    chan_wake(told);
    chan_drop_left(c, type, at_load(&chan_drop_value), left);
    if (deaf && net)
        net->ops->deaf(c);
    if (finished && net)
        net->ops->finish(c);
    else if (finished)
        leat_close_(c);
    leat_unref_(c);
}

/* Nobody but the caller has it.  A session takes references anew (chan_ref_again) for as long as it holds it, and begins to hold it for
 * somebody who has one: so the holds are asked for first. */
static bool sole(leat_chan_ *c)
{
    return at_load_acq(&c->holds) == 1 && at_load_acq(&c->refs) == 1;
}

void leat_unref_(leat_chan_ *c)
{
    if (!c)
        return;
    if (sole(c))
        at_store(&c->refs, 0);
    else if (atomic_fetch_sub_explicit(&c->refs, 1, ACQ_REL) != 1)
        return;
    if (at_load_acq(&c->holds) == 1 && !c->net) {
        struct chan_left left = { c->read, at_load(&c->count) };
        chan_drop_left(c, c->type, at_load(&chan_drop_value), left);    /* it may hold ends of other channels */
        if (unlikely(at_load_acq(&c->lock)))
            lock(&c->lock);                          /* whoever unlocked it last may still be in that store */
        chan_free(c);
        return;
    }
    lock(&c->lock);
    struct chan_net *net = c->net;
    unlock(&c->lock);
    if (net)
        net->ops->gone(c);
    hold_drop(c);
}

void chan_net_unref(leat_chan_ *c)
{
    hold_drop(c);
}

/* -- send and receive ------------------------------------------------------------------------------------------------------ */
static leat_err shut_err(const leat_chan_ *c)
{
    return c->err ? (leat_err)c->err : LEAT_CLOSED;
}

static inline void buffer_put(leat_chan_ *c, const void *v, uint32_t n)
{
    copy(c, c->buf + (size_t)slot_of(c, n) * c->size, v);
    at_store(&c->count, n + 1);
}

static ALWAYS enum chan_try send_locked(leat_chan_ *c, const void *v, struct task **wake, leat_err *err)
{
    struct waiter *r;
    *wake = NULL;
    if (unlikely(c->closed)) {
        *err = shut_err(c);
        return CHAN_FAILED;
    }
    if (at_load(&c->rq.head) && (r = waiter_claim(&c->rq))) {
        copy(c, r->val, v);
        edge_hand(c, r);
        waiter_win(r, true);
        *wake = r->task;
        return CHAN_DONE;
    }
    uint32_t n = at_load(&c->count);
    if (n + c->reserved >= c->cap)
        return CHAN_WAIT;
    if (unlikely(at_load(&c->site))) {
        if ((*err = c->net->ops->put(c, v)) != LEAT_OK)
            return CHAN_FAILED;
        at_store(&c->count, n + 1);
        return CHAN_LEFT;
    }
    edge_fill(c, slot_of(c, n));
    buffer_put(c, v, n);
    return CHAN_DONE;
}

/* Whether sites are to be told, when n elements are left. */
static inline bool sites_wait(const leat_chan_ *c, uint32_t n)
{
    return unlikely(at_load(&c->needy)) && c->cap - n - c->reserved >= c->needy_at;
}

/* A slot of the buffer has become free (count does not say so yet): the next waiting sender's value takes it; where sites wait, too, the
 * home says whose turn it is. */
static inline void slot_free(leat_chan_ *c, uint32_t slot, uint32_t n, struct task **wake)
{
    struct waiter *s;
    if (sites_wait(c, n - 1)) {
        at_store(&c->count, n - 1);
        c->net->ops->room(c);
        return;
    }
    if (at_load(&c->sq.head) && (s = waiter_claim(&c->sq))) {
        edge_refill(c, likely(n == c->cap) ? slot : slot_of(c, n - 1), slot, s);
        if (likely(n == c->cap))
            copy(c, c->buf + (size_t)slot * c->size, s->val);
        else
            buffer_put(c, s->val, n - 1);            /* slots are reserved: the end of the queue is elsewhere */
        waiter_win(s, true);
        *wake = s->task;
        return;
    }
    at_store(&c->count, n - 1);
}

static ALWAYS enum chan_try recv_locked(leat_chan_ *c, void *out, struct task **wake, leat_err *err)
{
    uint32_t n = at_load(&c->count);
    struct waiter *s;
    *wake = NULL;
    if (unlikely(at_load(&c->site))) {
        *err = leat_fail(LEAT_INVAL, "this channel's receive end is in another process");
        return CHAN_FAILED;
    }
    if (n) {
        uint32_t slot = c->read;
        copy(c, out, c->buf + (size_t)slot * c->size);
        c->read = slot + 1 == c->cap ? 0 : slot + 1;
        void *sent = edge_empty(c, slot);
        slot_free(c, slot, n, wake);
        edge_emptied(sent);
        if (unlikely(c->ended) && n == 1)
            chan_drained_locked(c);
        return CHAN_DONE;
    }
    if (at_load(&c->sq.head) && (s = waiter_claim(&c->sq))) {
        copy(c, out, s->val);
        edge_meet(s);
        waiter_win(s, true);
        *wake = s->task;
        return CHAN_DONE;
    }
    if (unlikely(c->ended)) {
        edge_sees_close(c);
        *err = shut_err(c);
        return CHAN_FAILED;
    }
    return CHAN_WAIT;
}

enum chan_try chan_send_locked(leat_chan_ *c, const void *v, struct task **wake, leat_err *err)
{
    return send_locked(c, v, wake, err);
}

enum chan_try chan_recv_locked(leat_chan_ *c, void *out, struct task **wake, leat_err *err)
{
    return recv_locked(c, out, wake, err);
}

bool chan_meet_locked(leat_chan_ *c, const void *v, struct task **wake)
{
    for (struct waiter *next, *r = at_load(&c->rq.head); r; r = next) {
        next = r->next;
        if (!task_claim(r->task, PARK_CHAN))
            continue;
        waiter_del(&c->rq, r);
        copy(c, r->val, v);
        edge_hand(c, r);
        waiter_win(r, true);
        *wake = r->task;
        return true;
    }
    return false;
}

leat_err chan_explain(leat_chan_ *c, leat_err e)
{
    lock(&c->lock);
    struct chan_net *net = c->net;
    unlock(&c->lock);
    return net ? err_again(net->ops->explain(c, e)) : err_of(e);
}

/* The result of a wait that was ended under the lock.  AGAIN: try once more. */
static __attribute__((noinline)) leat_err served_slow(leat_chan_ *c, const struct waiter *me)
{
    if (me->ok) {
        chan_moved(c, me->val);
        return LEAT_OK;
    }
    leat_err e = me->err ? (leat_err)me->err : LEAT_CLOSED;
    if (!me->plain)
        edge_sees_close(c);
    if (e == LEAT_UNKNOWN)
        chan_moved(c, me->val);
    return e == LEAT_AGAIN ? e : chan_explain(c, e);
}

/* A wait that was not served: out of the queue, and why.  An unbuffered site may have offered the value to the home: then it stays
 * queued over a wake that was only a hint, and leaves by `withdraw`. */
static __attribute__((noinline)) leat_err undo(leat_chan_ *c, struct waiters *q, struct waiter *me, uint32_t why)
{
    for (;;) {
        leat_err e = task_wait_err(me->task, why);
        lock(&c->lock);
        if (!(at_load(&c->site) && c->cap == 0 && q == &c->sq)) {
            if (me->on)
                waiter_del(q, me);
            if (at_load(&c->site))
                c->net->ops->need(c);
            unlock(&c->lock);
            return e;
        }
        bool waiting = me->on;
        if (e != LEAT_AGAIN || !waiting) {
            unlock(&c->lock);
            return waiting ? c->net->ops->withdraw(c, me, e) : served_slow(c, me);
        }
        me->task->on = me;
        at_store(&me->task->park, PARK_WAIT);
        unlock_fence(&c->lock);
        if ((why = task_wait(me->task)) == PARK_CHAN)
            return served_slow(c, me);
    }
}

/* The same two, of the waiter whose `owner` is there. */
static __attribute__((noinline)) leat_err served_at(void **owner)
{
    return served_slow(*owner, container_of(owner, struct waiter, owner));
}

static __attribute__((noinline)) leat_err undone(void **owner, bool sends, uint32_t why)
{
    leat_chan_ *c = *owner;
    return undo(c, sends ? &c->sq : &c->rq, container_of(owner, struct waiter, owner), why);
}

/* An attempt that ended neither here nor by waiting.  AGAIN: once more. */
static __attribute__((noinline)) leat_err sent_slow(leat_chan_ *c, const void *v, enum chan_try r, leat_err e)
{
    if (r == CHAN_LEFT) {
        chan_moved(c, v);
        return LEAT_OK;
    }
    if (e == LEAT_AGAIN) {
        leat_yield();                                /* who holds the lock that v needs gets on */
        return e;
    }
    return chan_explain(c, e);
}

static __attribute__((noinline)) leat_err no_channel(const char *what)
{
    return leat_fail(LEAT_INVAL, "%s: the channel is NULL", what);
}

__attribute__((noinline)) void chan_wait_net(leat_chan_ *c, struct waiters *q)
{
    if (q == &c->sq && (at_load(&c->site) || c->reserved))
        c->net->ops->need(c);
    else if (q == &c->rq && at_load(&c->needy))
        c->net->ops->room(c);
}

/* [lock held] queues the caller, lets go of the lock and waits.  What it knows it reads from `me` afterwards (*at and *v too), so that it
 * keeps no register over the wait: it would be saved on the stack, and a stack is cold when its task wakes. */
static ALWAYS leat_err wait_in(struct worker *w, bool net, leat_chan_ **at, bool sends, void **v)
{
    struct waiter me;
    leat_chan_ *c = *at;
    struct task *t = likely(w != NULL) ? w->cur : task_foreign();
    me.task = t;
    __asm__("" ::: "memory");                        /* two stores, not one of both: a load of one of them follows */
    me.val = *v;
    me.id = 0;
    me.ok = me.on = me.left = false;
    me.plain = sends;
    me.err = 0;
    me.kind = sends ? &chan_wait_send : &chan_wait_recv;
    t->on = &me;
    edge_begin(&me);
    at_store(&t->park, PARK_WAIT);
    me.owner = c;
    waiter_add(sends ? &c->sq : &c->rq, &me);
    if (net)
        chan_wait_net(c, sends ? &c->sq : &c->rq);
    unlock_fence(&c->lock);
    uint32_t why = likely(w != NULL) ? task_wait_on(w, &me.task) : task_wait_foreign(t);
    leat_err e = LEAT_OK;
    if (unlikely(why != PARK_CHAN))
        e = undone(&me.owner, sends, why);
    else if (unlikely(!me.ok || me.left))
        e = served_at(&me.owner);
    edge_waited(&me);
    *at = me.owner;
    *v = me.val;
    return e;
}

/* A channel that another process knows, or a thread that is no task. */
static __attribute__((noinline)) leat_err wait_any(leat_chan_ *c, bool sends, void *v)
{
    return wait_in(worker_self(), c->net, &c, sends, &v);
}

/* It was only a hint, or v needs a lock that somebody has.  May be long, so it takes no stack. */
static __attribute__((noinline)) leat_err send_again(leat_chan_ *c, void *v)
{
    for (;;) {
        struct task *wake;
        leat_err e;
        lock(&c->lock);
        enum chan_try r = send_locked(c, v, &wake, &e);
        if (r == CHAN_WAIT) {
            e = wait_any(c, true, v);
        } else {
            unlock(&c->lock);
            if (r == CHAN_DONE)
                return wake ? task_ready_ok(worker_self(), wake) : LEAT_OK;
            e = sent_slow(c, v, r, e);
        }
        if (e != LEAT_AGAIN)
            return e;
    }
}

static __attribute__((noinline)) leat_err send_net(leat_chan_ *c, void *v)
{
    leat_err e = wait_any(c, true, v);
    return e != LEAT_AGAIN ? e : send_again(c, v);
}

/* Functions of their own, called last, so that an operation which need not wait saves no registers. */
static __attribute__((noinline, flatten)) leat_err send_wait(leat_chan_ *c, void *v)
{
    struct worker *w = worker_self();
    if (unlikely(!w || c->net))
        return send_net(c, v);
    leat_err e = wait_in(w, false, &c, true, &v);
    return likely(e != LEAT_AGAIN) ? e : send_again(c, v);
}

static __attribute__((noinline)) leat_err recv_again(leat_chan_ *c, void *out) { return leat_recv_(c, out); }

static __attribute__((noinline)) leat_err recv_net(leat_chan_ *c, void *out)
{
    leat_err e = wait_any(c, false, out);
    if (e == LEAT_OK)
        edge_writes(out, c->size);
    return e != LEAT_AGAIN ? e : recv_again(c, out);
}

static __attribute__((noinline, flatten)) leat_err recv_wait(leat_chan_ *c, void *out)
{
    struct worker *w = worker_self();
    if (unlikely(!w || c->net))
        return recv_net(c, out);
    leat_err e = wait_in(w, false, &c, false, &out);
    if (e == LEAT_OK)
        edge_writes(out, c->size);
    return likely(e != LEAT_AGAIN) ? e : recv_again(c, out);
}

/* Any channel, any element. */
static __attribute__((noinline)) leat_err send_any(leat_chan_ *c, const void *v, bool locked)
{
    struct task *wake;
    leat_err e;
    edge_reads(v, c->size);
    if (!locked)
        lock(&c->lock);
    enum chan_try r = send_locked(c, v, &wake, &e);
    if (r == CHAN_WAIT)
        return send_wait(c, (void *)(uintptr_t)v);
    unlock(&c->lock);
    if (r == CHAN_DONE)
        return wake ? task_ready_ok(worker_self(), wake) : LEAT_OK;
    e = sent_slow(c, v, r, e);
    return e == LEAT_AGAIN ? send_again(c, (void *)(uintptr_t)v) : e;
}

static __attribute__((noinline)) leat_err recv_any(leat_chan_ *c, void *out, bool locked)
{
    struct task *wake;
    leat_err e;
    if (!locked)
        lock(&c->lock);
    enum chan_try r = recv_locked(c, out, &wake, &e);
    if (r == CHAN_WAIT)
        return recv_wait(c, out);
    unlock(&c->lock);
    if (r == CHAN_FAILED)
        return chan_explain(c, e);
    edge_writes(out, c->size);
    return wake ? task_ready_ok(worker_self(), wake) : LEAT_OK;
}

/* The quick ways (quick.h) are written so that every call in them comes last: then they save no register. */
leat_err leat_send_(leat_chan_ *c, const void *v)
{
    struct waiter *r;
    struct task *t;
    if (unlikely(c == NULL))
        return no_channel("leat_send");
    if (unlikely(atomic_exchange_explicit(&c->lock, 1, ACQ)))
        return send_any(c, v, false);
    if (!chan_is_quick(c))
        return send_any(c, v, true);
    if ((r = at_load(&c->rq.head))) {
        if (!waiter_claim_first(&c->rq, r, &t))
            return send_any(c, v, true);
        quick_copy(c, r->val, v);
        waiter_served(r, t);
        unlock(&c->lock);
        return task_ready_ok(worker_self(), t);
    }
    uint32_t n = at_load(&c->count);
    if (n >= c->cap || n + at_load(&c->reserved) >= c->cap)      /* full in any case: the second line of c is not looked at */
        return send_wait(c, (void *)(uintptr_t)v);
    quick_copy(c, c->buf + (size_t)slot_of(c, n) * c->size, v);
    at_store(&c->count, n + 1);
    unlock(&c->lock);
    return LEAT_OK;
}

static __attribute__((noinline)) leat_err recv_sender(leat_chan_ *c, void *out)
{
    struct task *t;
    if (!recv_from(c, out, at_load(&c->sq.head), &t))
        return recv_any(c, out, true);
    unlock(&c->lock);
    return task_ready_ok(worker_self(), t);
}

leat_err leat_recv_(leat_chan_ *c, void *out)
{
    if (unlikely(c == NULL))
        return no_channel("leat_recv");
    if (unlikely(atomic_exchange_explicit(&c->lock, 1, ACQ)))
        return recv_any(c, out, false);
    if (!chan_is_quick(c))
        return recv_any(c, out, true);
    uint32_t n = at_load(&c->count);
    if (at_load(&c->sq.head))
        return recv_sender(c, out);
    if (!n)
        return recv_wait(c, out);
    recv_oldest(c, out);
    at_store(&c->count, n - 1);
    unlock(&c->lock);
    return LEAT_OK;
}

static __attribute__((noinline)) bool now_from_sender(leat_chan_ *c, void *out)
{
    struct waiter *s = chan_is_plain(c) ? at_load(&c->sq.head) : NULL;
    struct task *t;
    bool got = s && recv_from(c, out, s, &t);
    unlock(&c->lock);
    if (got)
        task_ready(worker_self(), t);
    return got;
}

bool chan_recv_now(leat_chan_ *c, void *out)
{
    if (!chan_quick_size(c) || unlikely(atomic_exchange_explicit(&c->lock, 1, ACQ)))
        return false;
    uint32_t n = at_load(&c->count);
    if (!chan_is_plain(c) || at_load(&c->sq.head) || !n)
        return now_from_sender(c, out);
    recv_oldest(c, out);
    at_store(&c->count, n - 1);
    unlock(&c->lock);
    return true;
}

leat_err leat_try_send_(leat_chan_ *c, const void *v)
{
    if (!c)
        return no_channel("leat_try_send");
    edge_reads(v, c->size);
    for (;;) {
        struct task *wake = NULL;
        leat_err e = LEAT_OK;
        lock(&c->lock);
        enum chan_try r = chan_send_locked(c, v, &wake, &e);
        struct chan_net *net = r == CHAN_WAIT ? c->net : NULL;
        bool site = net && at_load(&c->site);
        if (net && !site)
            net->ops->need(c);
        unlock(&c->lock);
        if (wake)
            task_ready(worker_self(), wake);
        if (r == CHAN_DONE)
            return LEAT_OK;
        if (r == CHAN_WAIT)
            return site ? net->ops->ask(c, v) : err_of(LEAT_AGAIN);
        if ((e = sent_slow(c, v, r, e)) != LEAT_AGAIN)
            return e;
    }
}

leat_err leat_try_recv_(leat_chan_ *c, void *out)
{
    if (!c)
        return no_channel("leat_try_recv");
    struct task *wake = NULL;
    leat_err e = LEAT_OK;
    lock(&c->lock);
    enum chan_try r = chan_recv_locked(c, out, &wake, &e);
    if (r == CHAN_WAIT && at_load(&c->needy))
        c->net->ops->room(c);
    struct chan_net *net = r == CHAN_WAIT && at_load(&c->needy) & NEEDY_STAND && c->cap == 0 && !at_load(&c->site) ? c->net : NULL;
    unlock(&c->lock);
    if (wake)
        task_ready(worker_self(), wake);
    if (unlikely(net != NULL))
        return net->ops->poll(c, out);
    if (r == CHAN_DONE)
        edge_writes(out, c->size);
    return r == CHAN_DONE ? LEAT_OK : r == CHAN_WAIT ? err_of(LEAT_AGAIN) : chan_explain(c, e);
}

/* -- close ----------------------------------------------------------------------------------------------------------------- */
/* Claimed waiters of q but `keep`, chained by next, to be made ready without the lock (each may run and end at once). */
static struct waiter *drain(struct waiters *q, leat_err err, const struct waiter *keep)
{
    struct waiter *first = NULL, **last = &first, *next;
    for (struct waiter *x = q->head; x; x = next) {
        next = x->next;
        if (x == keep)
            continue;
        waiter_del(q, x);
        if (!task_claim(x->task, PARK_CHAN))
            continue;
        x->err = (uint8_t)err;
        waiter_win(x, false);
        x->next = NULL;
        *last = x;
        last = &x->next;
    }
    return first;
}

void chan_wake(struct waiter *x)
{
    struct worker *w = worker_self();
    for (struct waiter *next; x; x = next) {
        next = x->next;
        task_ready(w, x->task);
    }
}

void chan_drained_locked(leat_chan_ *c)
{
    for (struct waiter *x; (x = waiter_claim(&c->cq)); ) {
        waiter_win(x, true);
        task_ready(worker_self(), x->task);
    }
}

struct waiter *chan_shut_locked(leat_chan_ *c, leat_err err, const struct waiter *keep)
{
    if (!c->closed) {
        at_store(&c->closed, 1);
        c->err = (uint8_t)(err == LEAT_CLOSED ? 0 : err);
    }
    return drain(&c->sq, shut_err(c), keep);
}

void chan_end(leat_chan_ *c, leat_err err)
{
    lock(&c->lock);
    if (!c->closed)
        at_store(&c->closed, 1);
    if (!c->ended) {
        at_store(&c->ended, 1);
        if (err != LEAT_CLOSED)                      /* what its senders were told (GONE) stays */
            c->err = (uint8_t)err;
    }
    struct waiter *s = drain(&c->sq, shut_err(c), NULL), *r = NULL;
    if (!at_load(&c->count) || at_load(&c->site)) {
        r = drain(&c->rq, shut_err(c), NULL);
        chan_drained_locked(c);
    }
    unlock(&c->lock);
    chan_wake(s);
    chan_wake(r);
}

void leat_close_(leat_chan_ *c)
{
    if (!c)
        return;
    struct waiter *wake = NULL;
    lock(&c->lock);
    struct chan_net *net = c->net;
    bool first = !c->closed;
    edge_closes(c);
    if (first && !at_load(&c->site))
        wake = chan_shut_locked(c, LEAT_CLOSED, NULL);
    unlock(&c->lock);
    chan_wake(wake);
    if (first && net)
        net->ops->close(c);
    else if (first)
        chan_end(c, LEAT_CLOSED);
}

void leat_finish_(leat_chan_ *c, int ends)
{
    if (!c)
        return;
    lock(&c->lock);
    edge_closes(c);
    bool some = c->senders, last = some && --c->senders == 0;
    if (some && (ends & LEAT_RX_END_) && c->done < 127)
        c->done++;
    struct chan_net *net = c->net;
    unlock(&c->lock);
    if (!last)
        return;
    if (net)
        net->ops->finish(c);
    else
        leat_close_(c);
}

leat_err leat_flush_(leat_chan_ *c)
{
    if (!c)
        return no_channel("leat_flush");
    lock(&c->lock);
    struct chan_net *net = at_load(&c->site) ? c->net : NULL;
    unlock(&c->lock);
    return net ? net->ops->flush(c) : LEAT_OK;
}

size_t leat_len_(leat_chan_ *c)
{
    return c && !at_load(&c->site) ? at_load(&c->count) : 0;
}

size_t leat_cap_(leat_chan_ *c)
{
    return c ? c->cap : 0;
}
