/* call.c - who asks: leat_call, leat_go_on.  See calls.h.
 *
 * Types that differ.  A refusal for a type brings the form of who refuses.  If the types fit, a call is made again: with the form of its
 * argument, which the other side will then read; or with the fingerprint of the other side's result, which this side has learned to
 * read.  What was learned is used from then on, while the session lives.
 * What has a receive end in it goes once: were it refused, the end would be lost.  So the first time such a call asks for the types: by
 * an OPEN without an argument and with a result of no type, which is refused as any other that does not fit. */
#include <assert.h>
#include <stdio.h>
#include <string.h>
#include "base/alloc.h"
#include "base/probe.h"
#include "rpc/calls.h"
#include "run/err.h"
#include "run/report.h"
#include "run/seam.h"
#include "sess/value.h"
#include "type/bridge.h"
#include "type/error.h"

enum { TRIES = 4 };                                  /* of a call whose types differ; the peer may change meanwhile */

static void call_unref(struct call *x)
{
    if (atomic_fetch_sub_explicit(&x->refs, 1, ACQ_REL) != 1)
        return;
    struct sess *s = x->s;
    if (x->value)
        leat_drop_(x->out, x->value);
    if (x->value != x->room)
        mem_free(x->value);
    if (x->error)
        error_free(x->error);
    buf_free(&x->partial);
    mem_free(x->ends);
    spare_put(calls_of(s), &calls_of(s)->spare_calls, &x->slot);
    sess_unref(s);
}

/* Waits in q under t->lock, which is held and held again.  AGAIN: woken; else the context's error. */
static leat_err wait_in(struct calls *t, struct waiters *q)
{
    struct waiter me = { .task = task_self(), .kind = &wait_peer };
    waiter_add(q, &me);
    me.task->on = &me;
    at_store(&me.task->park, PARK_WAIT);
    unlock_fence(&t->lock);
    uint32_t why = task_wait(me.task);
    leat_err err = why == PARK_CHAN ? LEAT_AGAIN : task_wait_err(me.task, why);
    lock(&t->lock);
    if (me.on)
        waiter_del(q, &me);
    return err;
}

/* A new call, in the table and counted.  t->lock is held.  NULL: no memory. */
static struct call *call_new_locked(struct calls *t, const struct what *w, size_t bytes)
{
    struct call *x = spare_get_locked(&t->spare_calls, sizeof *x, offsetof(struct call, room));
    if (!x)
        return NULL;
    x->slot.id = ++t->made << 1 | sess_dialed(sess_of(w->p));
    if (!slots_add(&t->calls, &x->slot)) {
        mem_free(x);
        return NULL;
    }
    at_store(&x->refs, 2);
    x->place = UINT64_MAX;
    x->s = sess_of(w->p);
    x->out = w->out;
    x->in = w->in;
    x->bytes = bytes;
    x->as = w->as;
    x->form = w->form;
    x->ask = w->ask;
    x->sending = w->kind == OPEN_TASK;               /* a stand-in waits for it */
    x->text[0] = 0;
    SOMETIMES("rpc.call", NULL);
    t->opens++;
    t->open_bytes += bytes;
    sess_ref(x->s);
    return x;
}

/* [blocks] The rare turn: no room, until something has ended or a second has gone by.  The peer has room, so nothing there need end. */
static leat_err closed_for_a_while(struct calls *t)
{
    leat_scope_ sc = leat_scope_begin_(LEAT_S(1));
    leat_err err = wait_in(t, &t->room);
    leat_scope_end_(&sc);
    leat_err over = leat_ctx_err();
    return err != LEAT_DEADLINE ? err : over == LEAT_OK ? LEAT_AGAIN : over;
}

/* [blocks] until the peer takes one more OPEN of so many bytes; then it counts. */
static leat_err window(const struct what *w, size_t bytes, struct call **ret)
{
    struct sess *s = sess_of(w->p);
    struct calls *t = calls_of(s);
    const struct sess_limits *l = sess_limits(s);
    leat_err err = LEAT_AGAIN;
    lock(&t->lock);
    bool rare = false;
    while (err == LEAT_AGAIN && !t->over && t->opens &&
        (t->opens >= l->opens || t->open_bytes + bytes > l->open_bytes || (rare = BUGGIFY("rpc.window_closed"))))
        err = rare ? closed_for_a_while(t) : wait_in(t, &t->room);
    if (t->over) {
        err = LEAT_PEER_LOST;
    } else if (err == LEAT_AGAIN) {
        *ret = call_new_locked(t, w, bytes);
        err = *ret ? LEAT_OK : LEAT_NOMEM;
    }
    unlock(&t->lock);
    if (err == LEAT_NOMEM)
        return leat_fail(err, "%s: no memory for a call", w->name);
    return err == LEAT_PEER_LOST ? sess_lost(s) : err_of(err);
}

/* x is answered, or never will be: it counts no more.  t->lock is held. */
static void settle_locked(struct calls *t, struct call *x)
{
    t->opens--;
    t->open_bytes -= x->bytes;
    x->done = true;
    calls_wake(&t->room);
    calls_wake(&x->waiters);
}

static struct call *take(struct sess *s, uint64_t id)
{
    struct calls *t = calls_of(s);
    lock(&t->lock);
    struct call *x = (struct call *)(void *)slots_take(&t->calls, id);
    unlock(&t->lock);
    return x;
}

static void settle(struct call *x)
{
    struct calls *t = calls_of(x->s);
    lock(&t->lock);
    settle_locked(t, x);
    unlock(&t->lock);
    call_unref(x);
}

/* *moment: where the deadline is; 0: there is none. */
static leat_err head_of(struct buf *b, const struct what *w, size_t bytes, size_t *moment, struct cur *form)
{
    struct type_print i, o;
    int64_t deadline = at_load(&task_self()->deadline);
    LEAT_TRY(type_print(w->in, &i));
    memset(&o, 0, sizeof o);
    if (unlikely(w->as != NULL))
        o = w->as->print;
    else if (w->out && !w->ask)
        LEAT_TRY(type_print(w->out, &o));
    buf_u8(b, w->kind | (w->dealt.attempt ? OPEN_DEALT : 0) | (w->key.len ? OPEN_KEYED : 0) | (w->form ? OPEN_FORM : 0));
    buf_text(b, w->name, strlen(w->name));
    *moment = deadline == NEVER ? 0 : b->len;
    buf_u64(b, deadline == NEVER ? UINT64_MAX : (uint64_t)MAX(deadline, (int64_t)0));
    buf_put(b, i.b, sizeof i.b);
    buf_put(b, o.b, sizeof o.b);
    buf_varint(b, bytes);
    if (w->dealt.attempt) {
        buf_varint(b, w->dealt.number);
        buf_varint(b, w->dealt.attempt);
    }
    if (w->key.len)
        buf_text(b, w->key.p, w->key.len);
    if (unlikely(w->form)) {
        LEAT_TRY(type_form(w->in, form));
        frame_put_form(b, *form);
    }
    return buf_err(b);
}

/* The argument, encoded; channels in it stay locked. */
static leat_err pack(struct value_out *o, const leat_type *t, const void *v, struct buf *ret)
{
    leat_err err;
    while ((err = value_pack(o, t, v, ret)) == LEAT_AGAIN)
        leat_yield();
    return err;
}

/* The argument as bytes, and the end of its preparations: how many they are, for the window.  An argument with ends inside is
 * encoded only to be counted, as the ends may not stay locked while the window is closed.  *once: receive ends are among them. */
static leat_err prepare(const struct what *w, struct buf *v, size_t *bytes, bool *once)
{
    struct value_out o;
    *bytes = 0;
    if (w->ask)
        return LEAT_OK;
    value_out_init(&o, sess_of(w->p), NULL, false);
    LEAT_TRY(pack(&o, w->in, w->arg, v));
    *bytes = v->len;
    if (o.n == 0)
        return LEAT_OK;
    *once = value_moves_rx(&o);
    value_unsent(&o);
    buf_reset(v);
    return LEAT_OK;
}

static leat_err note_ends(struct call *x, const struct value_out *o)
{
    uint32_t n = value_ids(o, NULL);
    if (n == 0)
        return LEAT_OK;
    if (!(x->ends = mem_alloc(n * sizeof *x->ends)))
        return leat_fail(LEAT_NOMEM, "no memory for a call");
    x->ends_n = value_ids(o, x->ends);
    return LEAT_OK;
}

static leat_err commit_open(struct call *x, const struct what *w, struct buf *v)
{
    uint8_t room[CALL_HEAD];
    struct buf head = buf_on(room, sizeof room, 0);
    struct value_out o;
    struct cur form = { 0 };
    size_t moment = 0;
    value_out_init(&o, x->s, NULL, w->kind == OPEN_TASK);
    leat_err err = v->len || w->ask || value_has_ends(w->in) == false ? LEAT_OK : pack(&o, w->in, w->arg, v);
    if (err == LEAT_OK)
        err = note_ends(x, &o);
    if (err == LEAT_OK)
        err = head_of(&head, w, v->len, &moment, &form);
    if (err == LEAT_OK)
        err = calls_send(x->s, &(struct said){ FRAME_OPEN, x->slot.id, &head, v, moment, form }, &x->place);
    bool ends = o.n;
    if (err == LEAT_OK)
        value_sent(&o);
    else
        value_unsent(&o);
    if (ends)
        value_moved(x->s);
    buf_free(&head);
    return err;
}

static void send_cancel(struct call *x, leat_err cause)
{
    SOMETIMES("rpc.cancelled", NULL);
    struct buf *b = sess_begin(x->s, FRAME_CANCEL);
    if (!b)
        return;
    buf_varint(b, x->slot.id);
    buf_u8(b, (uint8_t)cause);
    (void)sess_commit_must(x->s);
}

/* The argument of a task is gone when the answer says that its type is another one there: so its form goes with the first task, and with
 * each until that one has been written. */
static unsigned told_at(const leat_type *type) { return (unsigned)((uintptr_t)type >> 4) * 0x9e3779b1u >> 28; }

/* If the form of x's argument goes with x: it may never go. */
static void forget_told(struct call *x)
{
    struct calls *t = calls_of(x->s);
    lock(&t->lock);
    struct telling *now = &t->telling[told_at(x->in)];
    if (now->type == x->in && now->place == x->place)
        now->type = NULL;
    unlock(&t->lock);
}

/* Who asked gives up.  true: the OPEN was not written yet, and never will be. */
static bool taken_back(struct call *x)
{
    if (x->form)
        forget_told(x);                              /* before: the place of one that was taken back may look like a written one's */
    if (!sess_take_back(x->s, FRAME_OPEN, x->slot.id, x->place))
        return false;
    SOMETIMES("rpc.taken_back", "rpc.cancelled");
    value_refused(x->s, x->ends, x->ends_n);
    if (take(x->s, x->slot.id))
        settle(x);
    return true;
}

static void let_go(struct call *x)
{
    if (!taken_back(x))
        send_cancel(x, LEAT_CANCELED);
}

/* Sends the OPEN of x, which is in the table.  On failure x is out of it, and was never sent. */
static leat_err send_open(struct call *x, const struct what *w, struct buf *v)
{
    struct calls *t = calls_of(x->s);
    leat_err err = commit_open(x, w, v);
    if (err != LEAT_OK && take(x->s, x->slot.id))
        settle(x);
    if (!x->sending)
        return err;
    lock(&t->lock);
    x->sending = false;
    x->aborted = err != LEAT_OK;
    if (err == LEAT_OK && w->form)
        t->telling[told_at(w->in)] = (struct telling){ w->in, x->place };
    calls_wake(&x->waiters);
    unlock(&t->lock);
    if (unlikely(x->alone) && err == LEAT_OK)
        let_go(x);
    return err;
}

/* [blocks] *ret: in the table, with a reference for the caller; its OPEN is to be sent.  *ask: it is not; the types are to be asked for. */
static leat_err open_call(const struct what *w, struct buf *v, struct call **ret, bool *ask)
{
    size_t bytes;
    bool once = false;
    if (!w->p)
        return leat_fail(LEAT_INVAL, "%s: the peer is NULL", w->name);
    LEAT_TRY(leat_ctx_err());
    if (sess_ended(sess_of(w->p)))
        return sess_lost(sess_of(w->p));
    LEAT_TRY(prepare(w, v, &bytes, &once));
    if (unlikely(once) && w->kind == OPEN_CALL && !w->asked && sess_types(sess_of(w->p))) {
        *ask = true;
        return LEAT_AGAIN;
    }
    LEAT_TRY(sess_wait_room(sess_of(w->p)));
    return window(w, bytes, ret);
}

static leat_err not_sent(const struct call *x, leat_err err, const char *name)
{
    return leat_fail(err, "%s: %s: %s: it was not sent", leat_err_name(err), sess_text(x->s), name);
}

/* The name of the node that an answer is of, if its error says none.  Before that is made the last one: this may fail. */
static void name_node(struct call *x)
{
    if (x->error && x->error->node.len == 0)         /* without memory it stays empty */
        leat_ignore(leat_string_dup(sess_name(x->s), strlen(sess_name(x->s)), &x->error->node));
}

/* The error has the peer's name before its own text, is of that node, and has what it brought along. */
static leat_err answered(struct call *x, leat_err e)
{
    leat_error *value = x->error;
    x->error = NULL;
    err_node(sess_name(x->s), strlen(sess_name(x->s)));
    if (unlikely(value != NULL)) {
        size_t said = strlen(leat_err_detail()), own = strlen(x->text);
        error_attach(value, said > own ? said - own : 0);
    }
    return e;
}

/* The error of an answer, with the peer's name.  What speaks of sessions and outcomes there would be misread here: LEAT_REMOTE. */
static leat_err answer_err(struct call *x, const char *name)
{
    leat_err e = x->err;
    bool means_other = e == LEAT_PEER_LOST || e == LEAT_UNKNOWN || e == LEAT_SYS || e == LEAT_GONE || e == LEAT_AGAIN;
    bool known = e > LEAT_OK && e <= LEAT_SYS;
    if (e == LEAT_OK)
        return e;
    name_node(x);
    if (x->own && (means_other || !known))
        e = leat_fail(LEAT_REMOTE, "%s: %s: %s: %s", sess_text(x->s), name, leat_err_name(e), x->text);
    else
        e = leat_fail(known ? e : LEAT_REMOTE, "%s: %s: %s", sess_text(x->s), name, x->text);
    return answered(x, e);
}

static leat_err lost(const struct call *x, const char *name)
{
    if (x->unsent || x->ask)
        return sess_lost(x->s);
    SOMETIMES("rpc.unknown", "rpc.call");
    return err_unknown(LEAT_PEER_LOST, "%s: %s; %s may have run", sess_text(x->s), sess_fail_text(x->s), name);
}

/* [blocks] OK: there is an answer.  An error: the context ended first. */
static leat_err wait_answer(struct call *x)
{
    struct calls *t = calls_of(x->s);
    for (leat_err err = LEAT_AGAIN;; ) {
        struct waiter me = { .task = task_self() };
        lock(&t->lock);
        bool done = x->done && !x->sending;
        if (done || err != LEAT_AGAIN) {
            unlock(&t->lock);
            return done ? LEAT_OK : err;
        }
        waiter_add(&x->waiters, &me);
        at_store(&me.task->park, PARK_WAIT);
        unlock_fence(&t->lock);
        uint32_t why = task_wait(me.task);
        if (why == PARK_CHAN && x->out)
            return LEAT_OK;                          /* who waits for a call is woken once, when it is done */
        if (why == PARK_CHAN)
            continue;
        err = task_wait_err(me.task, why);
        lock(&t->lock);
        if (me.on)
            waiter_del(&x->waiters, &me);
        unlock(&t->lock);
    }
}

bool call_name(char to[CALL_NAME + 1], const char *svc, const char *method)
{
    size_t n = strlen(svc), k = strlen(method);
    if (n + 1 + k > CALL_NAME)
        return false;
    memcpy(to, svc, n);
    to[n] = '.';
    memcpy(to + n + 1, method, k + 1);
    return true;
}

/* How a call that was refused for a type is to be made again. */
struct retry { bool again, ask; const struct type_bridge *as; };

static leat_err call_once(const struct what *w, void *out, bool *own, struct retry *r)
{
    uint8_t room[CALL_HEAD];
    struct buf v = buf_on(room, sizeof room, LIMIT_ELEM);
    struct call *x;
    *own = false;
    leat_err err = open_call(w, &v, &x, &r->ask);
    if (err != LEAT_OK) {
        buf_free(&v);
        return err;
    }
    const char *name = w->name;
    err = send_open(x, w, &v);
    buf_free(&v);
    bool sent = err == LEAT_OK;
    if (sent && (err = wait_answer(x)) != LEAT_OK && taken_back(x)) {
        err = not_sent(x, err, name);
    } else if (sent && err != LEAT_OK) {
        send_cancel(x, leat_ctx_cause());
        err = w->ask ? not_sent(x, err, name)
            : err_unknown(err, "%s: %s has not answered; %s may have run", leat_err_name(err), sess_text(x->s), name);
    } else if (err == LEAT_OK && x->lost) {
        err = lost(x, name);
    } else if (err == LEAT_OK && unlikely(x->again)) {
        *r = (struct retry){ .again = true, .as = x->next_as };
        err = answer_err(x, name);
    } else if (err == LEAT_OK && (*own = x->own) && (x->err == LEAT_DEADLINE || x->err == LEAT_CANCELED)) {
        name_node(x);
        err = answered(x, err_unknown(x->err, "%s: %s: %s: %s", leat_err_name(x->err), sess_text(x->s), name, x->text));   /* it ran */
    } else if (err == LEAT_OK && (err = answer_err(x, name)) == LEAT_OK) {
        memcpy(out, x->value, w->out->size);
        if (x->value != x->room)
            mem_free(x->value);
        x->value = NULL;
    }
    call_unref(x);
    return err;
}

static struct learned *learned_at(struct calls *t, const struct what *w)
{
    struct learned *x = at_load_acq(&t->learned);
    while (x && (x->out != w->out || x->in != w->in || strcmp(x->name, w->name) != 0))
        x = x->next;
    return x;
}

/* Of the next call of this method the result is read so from the start. */
static void learn(struct calls *t, const struct what *w)
{
    size_t n = strlen(w->name) + 1;
    struct learned *x = learned_at(t, w), *fresh = x ? NULL : mem_alloc(sizeof *fresh + n);
    lock(&t->lock);
    x = learned_at(t, w);
    if (x)
        at_store_rel(&x->as, w->as);
    else if (fresh) {                                /* without memory it is refused again, and done again */
        fresh->in = w->in;
        fresh->out = w->out;
        at_store(&fresh->as, w->as);
        memcpy(fresh->name, w->name, n);
        fresh->next = at_load(&t->learned);
        at_store_rel(&t->learned, fresh);
        fresh = NULL;
    }
    unlock(&t->lock);
    mem_free(fresh);
}

/* A call to a peer that has other types, as far as they fit.  It has not run before each try that is refused. */
static leat_err call_again(const struct what *w, void *out, bool *own, struct retry r)
{
    struct calls *t = calls_of(sess_of(w->p));
    struct what next = *w;
    leat_err err = LEAT_OK;
    for (int tries = 0; r.again && tries < TRIES; tries++) {
        next.as = r.as ? r.as : next.as;
        next.form = next.form || !r.as;
        r.again = false;
        if (next.as)
            learn(t, &next);
        err = call_once(&next, out, own, &r);
    }
    return err;
}

/* [blocks] What w's types are there; nothing runs.  OK: they fit, next is how to ask for what is wanted, and the peer knows the
 * argument's form. */
static leat_err ask_types(const struct what *w, bool *own, struct what *next)
{
    struct retry r = { .again = false };
    struct what ask = *w;
    struct cur form;
    ask.ask = ask.asked = true;
    ask.dealt = (leat_dealt){ 0 };
    ask.form = value_form(sess_of(w->p), w->in, &form);
    leat_err err = call_once(&ask, NULL, own, &r);
    if (!r.again)
        return err;
    *next = *w;
    next->as = r.as;
    next->asked = true;
    learn(calls_of(sess_of(w->p)), next);
    return LEAT_OK;
}

static leat_err call_plain(const struct what *w, void *out, bool *own)
{
    struct retry r = { .again = false };
    struct calls *t = w->p ? calls_of(sess_of(w->p)) : NULL;
    struct learned *x = t && unlikely(at_load(&t->learned) != NULL) ? learned_at(t, w) : NULL;
    struct what next;
    if (unlikely(x != NULL)) {
        next = *w;
        next.as = at_load_acq(&x->as);
        next.asked = true;
        w = &next;
    }
    leat_err err = call_once(w, out, own, &r);
    if (unlikely(r.ask)) {
        LEAT_TRY(ask_types(w, own, &next));
        w = &next;
        r.ask = false;
        err = call_once(w, out, own, &r);
    }
    return likely(!r.again) ? err : call_again(w, out, own, r);
}

struct asking { const struct what *w; void *out; bool *own, answered; };

static leat_err ask(void *arg)
{
    struct asking *a = arg;
    leat_err err = call_plain(a->w, a->out, a->own);
    a->answered = err == LEAT_OK;
    return err;
}

leat_err call_do(const struct what *w, void *out, bool *own)
{
    struct hook *hook = w->p ? at_load_acq(&exposures_of(sess_node(sess_of(w->p)))->calls_hook) : NULL;
    if (likely(!hook))
        return call_plain(w, out, own);
    struct asking a = { w, out, own, false };
    leat_called c = { w->name, w->p, w->arg, out, w->key, w->dealt.attempt ? &w->dealt : NULL };
    *own = true;                                     /* an error of a hook says nothing of the peer */
    leat_err err = around(hook, &c, ask, &a);
    if (err != LEAT_OK && a.answered)                /* a hook says no to what it has got: nobody else will look at it */
        leat_drop_(w->out, out);
    if (err == LEAT_OK && !a.answered)
        return leat_fail(LEAT_INVAL, "a hook said OK of %s, which has failed: there is no result", w->name);
    return err;
}

leat_err leat_call_(leat_peer *p, const char *svc, const leat_method *m, const void *in, void *out)
{
    char name[CALL_NAME + 1];
    bool own;
    if (!call_name(name, svc, m->name))
        return leat_fail(LEAT_LIMIT, "leat_call: a name has at most %d bytes", CALL_NAME);
    struct what w = { .p = p, .name = name, .kind = OPEN_CALL, .in = m->in, .out = m->out, .arg = in };
    return call_do(&w, out, &own);
}

leat_err leat_call_once_(leat_peer *p, const char *svc, const leat_method *m, const void *in, void *out, leat_string key)
{
    char name[CALL_NAME + 1];
    bool own;
    if (!call_name(name, svc, m->name))
        return leat_fail(LEAT_LIMIT, "leat_call_once: a name has at most %d bytes", CALL_NAME);
    if (key.len == 0 || key.len > LIMIT_KEY)
        return leat_fail(LEAT_INVAL, "leat_call_once: a key has from 1 to %d bytes, not %u", LIMIT_KEY, key.len);
    if (value_has_ends(m->in) || value_has_ends(m->out))
        return leat_fail(LEAT_INVAL, "leat_call_once: %s has ends of channels, which are not kept", name);
    struct what w = { .p = p, .name = name, .kind = OPEN_CALL, .in = m->in, .out = m->out, .arg = in, .key = key };
    return call_do(&w, out, &own);
}

/* -- remote tasks -------------------------------------------------------------------------------------------------------------- */
struct standin { struct call *x; const char *name; };

/* leat_go_on is done with x: what is said of it now comes behind its OPEN. */
static void wait_sent(struct call *x)
{
    struct calls *t = calls_of(x->s);
    struct shield shield;
    shield_begin(&shield, (leat_dur){ NEVER });
    lock(&t->lock);
    while (x->sending)
        leat_ignore(wait_in(t, &x->waiters));
    unlock(&t->lock);
    shield_end(&shield);
}

/* Stands for the remote task in the local group: ends when it ends, and hands on what cancels the group. */
static leat_err stand_in(struct standin *me)
{
    struct call *x = me->x;
    leat_err err = wait_answer(x);
    bool back = false;
    if (err != LEAT_OK) {
        wait_sent(x);
        back = !x->aborted && taken_back(x);
    }
    if (err != LEAT_OK && !back && !x->aborted) {
        struct shield shield;
        send_cancel(x, leat_ctx_cause());
        shield_begin(&shield, (leat_dur){ NEVER });
        leat_ignore(wait_answer(x));                 /* no task outlives its group: not there either, while its node lives */
        shield_end(&shield);
        if (err == LEAT_DEADLINE && x->own && x->err == LEAT_CANCELED)
            x->err = LEAT_DEADLINE;                  /* the cancel that says so came before the clock there did */
    }
    if (x->aborted)
        err = (leat_err)TASK_WITHDRAWN;              /* the caller of leat_go_on has the error */
    else if (back)
        err = not_sent(x, err, me->name);
    else
        err = x->lost ? lost(x, me->name) : answer_err(x, me->name);
    call_unref(x);
    return err;
}

/* In place of stand_in: no memory for its stack (task_go).  Nobody waits for the end of the remote task then. */
static leat_err no_stand_in(struct standin *me)
{
    struct call *x = me->x;
    struct calls *t = calls_of(x->s);
    lock(&t->lock);
    x->alone = x->sending;
    bool done = !x->aborted && x->done && !x->sending, goes_on = !x->aborted && !done;
    unlock(&t->lock);
    leat_err err = (leat_err)TASK_WITHDRAWN;
    if (goes_on && !x->alone)
        let_go(x);
    if (goes_on)
        err = leat_fail(LEAT_NOMEM, "%s: '%s' was told to stop: no memory for the stack of who waits for it", sess_text(x->s), me->name);
    else if (done && x->lost)
        err = lost(x, me->name);
    else if (done)
        err = answer_err(x, me->name);
    call_unref(x);
    return err;
}

/* The stand-in first: it is what may fail without a trace. */
static leat_err start_stand_in(leat_group *g, struct call *x, const char *name)
{
    static const leat_site_ site = { "leat_go_on", __FILE__, __LINE__ };
    struct standin me = { x, name };
    atomic_fetch_add_explicit(&x->refs, 1, RLX);
    leat_err err = task_go(g, (leat_fn_ *)(void (*)(void))stand_in, &site, &me, sizeof me, (leat_fn_ *)(void (*)(void))no_stand_in);
    if (err == LEAT_OK)
        return err;
    call_unref(x);
    if (take(x->s, x->slot.id))
        settle(x);
    return err;
}

static bool untold(struct sess *s, const leat_type *type)
{
    struct calls *t = calls_of(s);
    unsigned i = told_at(type);
    struct cur form;
    if (!sess_types(s) || at_load(&t->told[i]) == type)
        return false;
    lock(&t->lock);                                  /* over the look, too: between the two it could be taken back */
    bool told = t->telling[i].type == type && !sess_unwritten(s, t->telling[i].place);
    if (told)
        at_store(&t->told[i], type);
    unlock(&t->lock);
    return !told && value_form(s, type, &form);
}

struct starting { leat_group *g; struct what w; bool started; };

static leat_err start_plain(struct starting *a)
{
    uint8_t room[CALL_HEAD];
    struct buf v = buf_on(room, sizeof room, LIMIT_ELEM);
    struct what *w = &a->w;
    struct call *x;
    w->form = w->p && untold(sess_of(w->p), w->in);
    bool ask;                                        /* never of a task: it has no result, and the form goes with it */
    leat_err err = open_call(w, &v, &x, &ask);
    if (err != LEAT_OK) {
        buf_free(&v);
        return err;
    }
    err = start_stand_in(a->g, x, w->name);
    if (err == LEAT_OK)
        err = send_open(x, w, &v);
    if (err == LEAT_OK)
        type_moved(w->in, w->arg);
    a->started = err == LEAT_OK;
    buf_free(&v);
    call_unref(x);
    return err;
}

static leat_err start_inside(void *arg) { return start_plain(arg); }

leat_err leat_go_on_(leat_group *g, leat_peer *p, const char *name, const leat_type *t, const void *arg)
{
    struct starting a = { .g = g, .w = { .p = p, .name = name, .kind = OPEN_TASK, .in = t, .arg = arg } };
    if (unlikely(strlen(name) > CALL_NAME))          /* the peer would take it for a malformed frame */
        return leat_fail(LEAT_LIMIT, "leat_go_on: a name has at most %d bytes", CALL_NAME);
    struct hook *hook = p ? at_load_acq(&exposures_of(sess_node(sess_of(p)))->calls_hook) : NULL;
    if (likely(!hook))
        return start_plain(&a);
    leat_called c = { .name = name, .peer = p, .in = arg };
    leat_err err = around(hook, &c, start_inside, &a);
    if (a.started)
        return LEAT_OK;                              /* whatever a hook says behind it: it runs, and its argument has moved */
    return err != LEAT_OK ? err : leat_fail(LEAT_INVAL, "a hook said OK of %s, which has failed: it was not started", name);
}

/* -- answers ------------------------------------------------------------------------------------------------------------------- */
/* The peer has sent the form of its own type; which of the two it is, the text says by its first letter. */
static void understand_type(struct call *x, struct cur theirs)
{
    struct type_print print, mine;
    leat_err err;
    if (x->text[0] == 'r' && x->out) {
        print = type_print_of(theirs);
        if (x->ask && type_print(x->out, &mine) == LEAT_OK && type_print_same(&print, &mine)) {
            x->again = true;
            return;
        }
        err = value_bridge(x->s, x->out, theirs, &x->next_as);
        x->again = err == LEAT_OK && !(x->as && type_print_same(&print, &x->as->print));
    } else {
        err = value_check(x->s, x->in, theirs);
        x->again = err == LEAT_OK && x->out && !x->form;
    }
    if (err == LEAT_OK)
        return;
    x->err = err;
    size_t n = strlen(x->text);
    snprintf(x->text + n, sizeof x->text - n, ": %s", leat_err_detail());
}

static leat_err read_head(struct call *x, struct cur *in)
{
    size_t len;
    x->err = (leat_err)cur_u8(in);
    x->own = cur_u8(in);
    const char *text = cur_text(in, &len);
    struct cur form = value_form_in(x->s, in);
    if (in->bad || (x->ask && x->err == LEAT_OK) || (x->err != LEAT_OK && cur_left(in) && (!x->own || sess_plain(x->s))))
        return leat_fail(LEAT_INVAL, "a malformed frame RESULT");
    sess_show(x->text, sizeof x->text, text, len);
    if (x->err == LEAT_TYPE && !x->own && cur_left(&form))
        understand_type(x, form);
    if (x->err != LEAT_OK && !x->own)
        value_refused(x->s, x->ends, x->ends_n);
    x->begun = true;
    return LEAT_OK;
}

/* What more is said of the function's own error. */
static leat_err read_error(struct call *x, struct cur *in)
{
    if (!cur_left(in))
        return LEAT_OK;
    if (!x->own || sess_plain(x->s))
        return leat_fail(LEAT_INVAL, "a malformed frame RESULT");
    leat_err err = error_unpack(in, &x->error);
    return err == LEAT_NOMEM ? LEAT_OK : err;        /* then it is code and text */
}

static leat_err read_value(struct call *x, struct cur in)
{
    if (x->err != LEAT_OK)
        return read_error(x, &in);
    if (!x->out)
        return LEAT_OK;
    void *v = room_for(x->out->size, x->room);
    if (!v)
        return leat_fail(LEAT_NOMEM, "no memory for a result");
    leat_err err = value_unpack(x->s, FRAME_RESULT, x->out, x->as, &in, v);
    x->value = v;
    return err == LEAT_OK && !cur_done(&in) ? leat_fail(LEAT_INVAL, "a result with bytes too many") : err;
}

/* One frame of an answer; !more: the last. */
static leat_err result_in(struct call *x, bool more, struct cur *in)
{
    if (in->bad)
        return leat_fail(LEAT_INVAL, "a malformed frame RESULT");
    if (!x->begun)
        LEAT_TRY(read_head(x, in));
    struct cur bytes = *in;
    in->p = in->end;
    if (more || x->partial.len) {
        x->partial.max = LIMIT_ELEM;
        buf_put(&x->partial, bytes.p, cur_left(&bytes));
        if (buf_err(&x->partial) != LEAT_OK)
            return leat_fail(buf_err(&x->partial), "a result of more than %d bytes", LIMIT_ELEM);
        bytes = cur_of(x->partial.p, x->partial.len);
    }
    leat_err err = more ? LEAT_OK : read_value(x, bytes);
    if (err != LEAT_NOMEM || value_has_ends(x->out)) /* ends that cannot be joined are lost for their channels: the session breaks */
        return err;
    x->err = err;
    return LEAT_OK;
}

leat_err call_on_result(struct sess *s, uint8_t flags, struct cur *in)
{
    struct calls *t = calls_of(s);
    uint64_t id = cur_varint(in);
    bool more = flags & FRAME_MORE;
    lock(&t->lock);
    struct call *x = (struct call *)(void *)(more ? slots_find(&t->calls, id) : slots_take(&t->calls, id));
    unlock(&t->lock);
    if (!x)
        return leat_fail(LEAT_INVAL, "a frame RESULT that nobody asked for");
    leat_err err = result_in(x, more, in);
    if (more)
        return err;
    if (err == LEAT_OK) {
        settle(x);
        return err;
    }
    lock(&t->lock);
    bool back = slots_add(&t->calls, &x->slot);      /* for the end of the session, which knows why it broke */
    unlock(&t->lock);
    assert(back);                                    /* it was there a moment ago: no memory is needed */
    (void)back;
    return err;
}

leat_err call_on_done(struct sess *s, uint8_t flags, struct cur *in)
{
    struct call *x = take(s, cur_varint(in));
    (void)flags;
    if (!x || in->bad)
        return leat_fail(LEAT_INVAL, "a frame DONE that nobody asked for");
    x->err = LEAT_CANCELED;
    snprintf(x->text, sizeof x->text, "cancelled");
    settle(x);
    return LEAT_OK;
}

void call_lost(struct sess *s)
{
    struct calls *t = calls_of(s);
    uint64_t asked = 0;
    for (;;) {
        lock(&t->lock);
        struct slot *any = slots_any(&t->calls);
        struct call *x = any ? (struct call *)(void *)slots_take(&t->calls, any->id) : NULL;
        unlock(&t->lock);
        if (!x)
            break;
        x->unsent = sess_take_back(s, FRAME_OPEN, x->slot.id, x->place);
        x->lost = true;
        asked += !x->unsent && at_load(&x->refs) > 1;            /* who gave up was told so then */
        settle(x);
    }
    sess_in_doubt(s, 0, asked);
}
