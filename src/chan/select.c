/* select.c - waits for one of several cases: its entry, and the quick way.
 *
 * The cases are laid out flat as ops (an array of ends is many): select_wait.c.  Most often something is ready among at most 64 sends and
 * receives; then nothing is laid out and nobody queues.
 * leat_otherwise says that nothing was ready at one moment: looks one after the other cannot say that of several channels, so all of
 * them are locked, in the order of their addresses, and looked at once more. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/alloc.h"
#include "chan/quick.h"
#include "chan/select.h"
#include "run/err.h"

enum { MORE_FIRST = 16 };

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

static ALWAYS uint64_t quick_array(const leat_case_ *k)
{
    const char *at = (const char *)k->c + (size_t)k->n * sizeof(void *);
    uint64_t mask = 0;
    while (at != k->c) {                             /* the last bit is of the first end */
        const leat_chan_ *c;
        at -= sizeof c;
        memcpy(&c, at, sizeof c);                    /* the program's own type of a pointer to a channel */
        mask <<= 1;
        if (likely(c != NULL))
            mask += (at_load(&c->count) | (uintptr_t)at_load(&c->sq.head)) != 0;
    }
    return mask;
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
            mask |= (uint64_t)(c && chan_recv_ready(c)) << n++;
            continue;
        }
        int64_t more = k->op == 'a' ? k->n : k->op == 's';
        if (more < 0 || n + more > OPS_ON_STACK || k->op == 'r')
            return false;
        if (k->op == 'a' && more > 0)
            mask |= quick_array(k) << n;
        else if (k->op == 's' && c && at_load(&c->site) && !chan_send_ready(c))
            return false;                            /* it is for its home to say */
        else if (k->op == 's')
            mask |= (uint64_t)(c && chan_send_ready(c)) << n;
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
    for (uint32_t i = 0; i < n; i++)
        if (chan_polls(chans[i]) || at_load(&chans[i]->ended))
            return false;                            /* of an array: they are to be asked, or may end the select */
    n = select_lock_all(chans, n);
    bool looked = quick_look(s, &mask);
    select_unlock_all(chans, n);
    return looked && !mask;
}

const leat_case_ *select_quick_otherwise(const leat_select_ *s)
{
    const leat_case_ *otherwise = NULL;
    bool one = s->n <= 2;                            /* of which a look says enough */
    for (const leat_case_ *k = s->on; k < s->on + s->n; k++) {
        leat_chan_ *c = k->op == 'r' || k->op == 's' ? k->c : NULL;
        if (k->op == 't' || (c && (k->op == 's' ? at_load(&c->closed) : chan_polls(c) || at_load(&c->ended))))
            return NULL;                             /* what has ended may be an error: select_wait.c says */
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
        uint32_t bit = select_draw_bit(mask);
        const leat_case_ *k = quick_op(s, bit, &o);
        if (select_op_try(&o, err)) {
            if (k->which && *err == LEAT_OK)
                *k->which = o.index;
            return k;
        }
        mask &= ~(UINT64_C(1) << bit);
    }
    return NULL;
}

static __attribute__((noinline)) int run_any(leat_select_ *s, leat_err *err)
{
    bool looked;
    const leat_case_ *k = quick(s, &looked, err);
    return likely(k && *err == LEAT_OK) ? k->id : select_slowly(s, k, looked, err);
}

static __attribute__((noinline)) int any_locked(leat_select_ *s, leat_chan_ *c, leat_err *err)
{
    unlock(&c->lock);
    return run_any(s, err);
}

static __attribute__((noinline)) int woke(struct task *t, int id)
{
    task_ready(worker_self(), t);
    return id;
}

static ALWAYS int took(const leat_select_ *s, leat_chan_ *c, uint32_t bit, leat_err *err)
{
    const leat_case_ *k = s->on;
    unlock(&c->lock);
    *err = LEAT_OK;
    if (k->which)
        *k->which = bit;
    return k->id;
}

static __attribute__((noinline)) int take_from_sender(leat_select_ *s, leat_chan_ *c, uint32_t bit, leat_err *err)
{
    struct waiter *x = at_load(&c->sq.head);
    struct task *t;
    return x && recv_from(c, s->on->p, x, &t) ? woke(t, took(s, c, bit, err)) : any_locked(s, c, err);
}

/* The only case is an array of ends, of which this one looked ready.  All that is rarer than an element in a buffer is called last. */
static ALWAYS int take_end(leat_select_ *s, uint32_t bit, leat_err *err)
{
    leat_chan_ *c;
    memcpy(&c, (const char *)s->on->c + bit * sizeof c, sizeof c);
    if (!chan_quick_size(c) || unlikely(atomic_exchange_explicit(&c->lock, 1, ACQ)))
        return run_any(s, err);
    if (!chan_is_plain(c))
        return any_locked(s, c, err);
    uint32_t n = at_load(&c->count);
    if (at_load(&c->sq.head) || unlikely(!n))
        return take_from_sender(s, c, bit, err);
    recv_oldest(c, s->on->p);
    at_store(&c->count, n - 1);
    return took(s, c, bit, err);
}

static __attribute__((noinline)) int take_drawn(leat_select_ *s, uint64_t mask, leat_err *err)
{
    return take_end(s, select_draw_bit(mask), err);
}

/* The commonest select is of an array of ends and nothing else. */
int leat_select_run_(leat_select_ *s, leat_err *err)
{
    const leat_case_ *k = s->on;
    if (s->n != 1 || k->op != 'a' || (uint64_t)k->n > OPS_ON_STACK)
        return run_any(s, err);
    uint64_t mask = quick_array(k);
    if (!mask) {
        *err = LEAT_OK;
        return select_array(s, err);
    }
    return mask & (mask - 1) ? take_drawn(s, mask, err) : take_end(s, (uint32_t)__builtin_ctzll(mask), err);
}

void leat_select_lost_(const leat_select_ *s)
{
    (void)s;
    static const char text[] =
        "leat: leat_select: the case that won was not reached again: a condition before it changed while it waited\n";
    fputs(text, stderr);
    abort();
}
