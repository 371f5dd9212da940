/* select_ops.c - the cases of a select, one by one: which look ready, and trying one of them.
 *
 * Ready ones are found by looking without locks; one of them is drawn, each equally likely, and only its channel is locked and tried. */
#include <stdlib.h>
#include <string.h>
#include "chan/select.h"
#include "run/err.h"
#include "run/io.h"
#include "run/seam.h"

bool select_op_ready(const struct sel *x, const struct op *o)
{
    leat_chan_ *c = o->c;
    switch (o->kind) {
    case 'r':
        return chan_recv_ready(c);
    case 's':
        return chan_send_ready(c);
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

bool select_op_try(const struct op *o, leat_err *err)
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

uint64_t select_draw_slowly(const struct worker *w)
{
    static _Atomic uint64_t outside = 88172645463325252u;
    if (!w)
        return atomic_fetch_add(&outside, 0x9e3779b97f4a7c15u) * 0xbf58476d1ce4e5b9u;
    return w->rt->seam->random(w->rt->seam_self);
}

/* A bit for each of the 64 ops from base that looks ready. */
static uint64_t look(const struct sel *x, uint32_t base)
{
    uint64_t mask = 0;
    for (uint32_t i = base; i < x->n && i < base + 64; i++)
        mask |= (uint64_t)select_op_ready(x, &x->ops[i]) << (i - base);
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
    k = select_draw(*ready);
    for (base = 0; base < x->n; base += 64) {
        uint64_t mask = look(x, base);
        uint32_t n = (uint32_t)__builtin_popcountll(mask);
        if (k < n) {
            while (k--)
                mask &= mask - 1;
            int i = (int)base + __builtin_ctzll(mask);
            return select_op_try(&x->ops[i], err) ? i : -1;
        }
        k -= n;
    }
    return -1;
}

/* Every ready one is equally likely to be tried first. */
int select_fire(const struct sel *x, leat_err *err)
{
    if (x->n > 64) {
        int i = -1;
        for (uint32_t ready = 1, tries = 0; i < 0 && ready && tries < 64; tries++)
            i = fire_one_of_many(x, &ready, err);
        return i;
    }
    for (uint64_t mask = look(x, 0); mask; ) {
        uint32_t i = select_draw_bit(mask);
        if (select_op_try(&x->ops[i], err))
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

/* In the order of their addresses. */
uint32_t select_lock_all(leat_chan_ **c, uint32_t n)
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

void select_unlock_all(leat_chan_ **c, uint32_t n)
{
    while (n--)
        unlock(&c[n]->lock);
}

/* Of one op a look knows that. */
bool select_none_ready(const struct sel *x)
{
    uint32_t n = 0, i;
    if (x->n < 2)
        return true;
    for (i = 0; i < x->n; i++)
        if (x->ops[i].c)
            x->chans[n++] = x->ops[i].c;
    n = select_lock_all(x->chans, n);
    for (i = 0; i < x->n && !select_op_ready(x, &x->ops[i]); i++)
        ;
    select_unlock_all(x->chans, n);
    return i == x->n;
}

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
