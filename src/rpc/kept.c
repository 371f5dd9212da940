/* kept.c - calls that run once for a key: see include/leat/call.h and calls.h.
 *
 * The first call of a key makes a record and starts the method in a task of the node, which no caller's deadline, cancel or loss ends.
 * That call and all repeats wait for the record's outcome and answer from it: the result is kept as bytes.
 * Laws
 *  keeper->lock: slots, first, bytes; of a record: done, waiters, next.  What done is set after does not change any more.
 *  A record is in slots from its making until its time is up or it is given up (its method has not run); those that have ended are in
 *  the list from `first` too, oldest first.
 *  bytes: of all records in slots; one that runs counts with the largest result it may have.  At most LIMIT_KEPT_BYTES. */
#define XXH_INLINE_ALL                               /* see type/info.c */
#include <xxhash.h>
#include <stdio.h>
#include <string.h>
#include "base/alloc.h"
#include "rpc/calls.h"
#include "run/err.h"
#include "run/report.h"
#include "run/seam.h"
#include "type/codec.h"
#include "type/error.h"

struct kept {
    struct slot slot;                                /* by the hash of method and key */
    struct kept *next;
    struct keeper *k;
    _Atomic uint32_t refs;                           /* 1 of slots, 1 of its task, 1 of each call that waits */
    struct call_key key;
    struct run run;
    bool done, listed;
    int64_t until;
    struct waiters waiters;
    leat_err err;
    struct buf result;
    char *text;                                      /* of an error; NULL: there is none, or there was no memory */
};

struct keeper *keeper_open(const struct keyed *secret)
{
    struct keeper *k = mem_zalloc(sizeof *k);
    if (k) {
        k->last = &k->first;
        k->slots.key = *secret;                      /* the keys are the peers' choice */
    }
    return k;
}

void kept_unref(struct kept *x)
{
    if (!x || atomic_fetch_sub_explicit(&x->refs, 1, ACQ_REL) != 1)
        return;
    buf_free(&x->result);
    mem_free(x->text);
    mem_free(x);
}

static size_t size_of(const struct kept *x)
{
    return sizeof *x + (x->done ? x->result.cap + (x->text ? strlen(x->text) + 1 : 0) : LIMIT_KEPT_RESULT);
}

/* Out of slots; the caller unrefs it, without the lock. */
static void forget_locked(struct keeper *k, struct kept *x)
{
    k->bytes -= size_of(x);
    slots_take(&k->slots, x->slot.id);
    x->listed = false;
}

static void forget_old(struct keeper *k, int64_t now)
{
    for (;;) {
        lock(&k->lock);
        struct kept *x = k->first;
        if (x && x->until <= now) {
            if (!(k->first = x->next))
                k->last = &k->first;
            forget_locked(k, x);
        } else {
            x = NULL;
        }
        unlock(&k->lock);
        if (!x)
            return;
        kept_unref(x);
    }
}

void keeper_close(struct keeper *k)
{
    if (!k)
        return;
    forget_old(k, NEVER);                            /* no method runs any more */
    slots_free(&k->slots);
    mem_free(k);
}

void call_key_hash(struct call_key *k, const struct cur *arg)
{
    XXH128_canonical_t hash;
    XXH128_canonicalFromHash(&hash, XXH3_128bits(arg->p, cur_left(arg)));
    memcpy(k->arg, hash.digest, sizeof k->arg);
}

static struct kept *make_locked(struct keeper *k, struct exposed *fn, const struct call_key *key, uint64_t id, leat_err *err)
{
    if (k->bytes + sizeof(struct kept) + LIMIT_KEPT_RESULT > LIMIT_KEPT_BYTES) {
        *err = leat_fail(LEAT_LIMIT, "as many results are kept as may be, each for %d s: no room for another key", LIMIT_KEPT_S);
        return NULL;
    }
    struct kept *x = mem_zalloc(sizeof *x);
    if (x) {
        x->slot.id = id;
        x->k = k;
        x->key = *key;
        x->run.fn = fn;
        at_store(&x->refs, 2);                       /* slots', and the caller's */
    }
    if (!x || !slots_add(&k->slots, &x->slot)) {
        mem_free(x);
        *err = leat_fail(LEAT_NOMEM, "no memory for a key");
        return NULL;
    }
    x->listed = true;
    k->bytes += size_of(x);
    return x;
}

static bool same(const struct kept *x, const struct exposed *fn, const struct call_key *key)
{
    return x->run.fn == fn && x->key.len == key->len && memcmp(x->key.p, key->p, key->len) == 0;
}

struct kept *kept_find(struct keeper *k, struct exposed *fn, const struct call_key *key, bool *first, leat_err *err)
{
    uint64_t id = XXH3_64bits_withSeed(key->p, key->len, k->slots.key.b ^ (uintptr_t)fn);
    forget_old(k, rt_now(task_self()->rt));
    *err = LEAT_OK;
    lock(&k->lock);
    struct kept *x = (struct kept *)(void *)slots_find(&k->slots, id);
    *first = !x;
    if (!x) {
        x = make_locked(k, fn, key, id, err);
    } else if (!same(x, fn, key)) {
        *err = leat_fail(LEAT_LIMIT, "the key has the hash of another one that is kept: choose another");
    } else if (memcmp(x->key.arg, key->arg, sizeof key->arg) != 0) {
        *err = leat_fail(LEAT_INVAL, "the key was used with another argument");
    } else {
        atomic_fetch_add_explicit(&x->refs, 1, RLX);
    }
    unlock(&k->lock);
    return *err == LEAT_OK ? x : NULL;
}

/* x has its outcome.  keep: repeats are answered from it. */
static void finish(struct kept *x, bool keep)
{
    struct keeper *k = x->k;
    int64_t now = rt_now(task_self()->rt);
    lock(&k->lock);
    k->bytes -= size_of(x);
    x->done = true;
    k->bytes += size_of(x);
    if (keep) {
        x->until = now + (int64_t)LIMIT_KEPT_S * 1000000000;
        *k->last = x;
        k->last = &x->next;
    } else {
        forget_locked(k, x);
    }
    calls_wake(&x->waiters);
    unlock(&k->lock);
    if (!keep)
        kept_unref(x);
}

static void note(struct kept *x, leat_err err)
{
    x->err = err;
    if (err == LEAT_OK)
        return;
    size_t n = MIN(strlen(leat_err_detail()), (size_t)CALL_TEXT - 1);
    if ((x->text = mem_alloc(n + 1))) {
        memcpy(x->text, leat_err_detail(), n);
        x->text[n] = 0;
    }
    buf_reset(&x->result);                           /* what more is said of it; else it is code and text */
    x->result.max = LIMIT_KEPT_RESULT;
    if (error_pack(err, &x->result) != LEAT_OK)
        buf_free(&x->result);
}

/* As if the method had just returned it. */
static leat_err kept_error(const struct kept *x)
{
    struct cur in = cur_of(x->result.p, x->result.len);
    leat_error *e = NULL;
    if (cur_left(&in) && error_unpack(&in, &e) != LEAT_OK)
        e = NULL;
    leat_err err = leat_fail(x->err, "%s", x->text ? x->text : "");
    if (e)
        error_attach(e, 0);
    return err;
}

static leat_err keep_result(struct kept *x)
{
    x->result.max = LIMIT_KEPT_RESULT;
    leat_err err = type_encode(x->run.fn->out, x->run.out, &x->result, NULL);
    if (err == LEAT_LIMIT)
        return leat_fail(LEAT_LIMIT, "it has run; the result of a call with a key has at most %d bytes", LIMIT_KEPT_RESULT);
    return err == LEAT_OK ? err : leat_wrap(err, "it has run; the result cannot be kept");
}

static leat_err kept_task(struct kept **arg)
{
    struct kept *x = *arg;
    struct exposed *fn = x->run.fn;
    at_store(&task_self()->deadline, NEVER);         /* that of the first call is not the method's */
    leat_err err = run_method(&x->run);
    note(x, err == LEAT_OK ? keep_result(x) : err);
    leat_drop_(fn->in, x->run.arg);
    leat_drop_(fn->out, x->run.out);
    mem_free(x->run.arg);
    finish(x, !x->run.refused);
    kept_unref(x);
    return LEAT_OK;
}

/* In place of kept_task: no memory for its stack (task_go). */
static leat_err kept_starved(struct kept **arg)
{
    struct kept *x = *arg;
    note(x, leat_fail(LEAT_NOMEM, "'%s' has not run: no memory for its stack", x->run.fn->name));
    leat_drop_(x->run.fn->in, x->run.arg);
    mem_free(x->run.arg);
    x->run.refused = true;
    finish(x, false);
    kept_unref(x);
    return LEAT_OK;
}

leat_err kept_start(struct kept *x, leat_node *n, const void *arg, leat_dealt dealt)
{
    static const leat_site_ site = { "leat_call_once", __FILE__, __LINE__ };
    struct exposed *fn = x->run.fn;
    size_t in = (fn->in->size + 15) & ~(size_t)15;
    char *p = mem_zalloc(in + fn->out->size);
    leat_err err = p ? LEAT_OK : leat_fail(LEAT_NOMEM, "no memory for a call");
    x->run.dealt = dealt;
    if (p) {
        memcpy(p, arg, fn->in->size);
        x->run.arg = p;
        x->run.out = p + in;
        atomic_fetch_add_explicit(&x->refs, 1, RLX);
        err = task_go(node_group(n), (leat_fn_ *)(void (*)(void))kept_task, &site, &x, sizeof x,
            (leat_fn_ *)(void (*)(void))kept_starved);
        if (err == LEAT_CANCELED)
            err = leat_fail(LEAT_PEER_LOST, "the node is closing");
    }
    if (err == LEAT_OK)
        return err;
    if (p)
        kept_unref(x);
    mem_free(p);
    note(x, err);
    x->run.refused = true;
    finish(x, false);
    return err;
}

leat_err kept_wait(struct kept *x, bool *refused)
{
    struct keeper *k = x->k;
    struct waiter me = { .task = task_self(), .kind = &wait_peer };
    leat_err err = LEAT_AGAIN;
    lock(&k->lock);
    while (!x->done && err == LEAT_AGAIN) {
        waiter_add(&x->waiters, &me);
        at_store(&me.task->park, PARK_WAIT);
        unlock_fence(&k->lock);
        uint32_t why = task_wait(me.task);
        err = why == PARK_CHAN ? LEAT_AGAIN : task_wait_err(me.task, why);
        lock(&k->lock);
        if (me.on)
            waiter_del(&x->waiters, &me);
    }
    bool done = x->done;
    unlock(&k->lock);
    if (!done)
        return err_of(err);
    *refused = x->run.refused;
    return x->err == LEAT_OK ? LEAT_OK : kept_error(x);
}

const struct buf *kept_result(const struct kept *x) { return x && x->err == LEAT_OK ? &x->result : NULL; }
