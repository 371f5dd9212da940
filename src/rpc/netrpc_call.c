/* netrpc_call.c - a client of Go's net/rpc.
 *
 * A call is in the table from before it is sent until its answer comes or its caller leaves.  Whoever takes it out of the table, under
 * the lock, decides: the reader then fills it and wakes the caller; a caller that left gave it to nobody.  refs: the caller's, and
 * the table's.  The connection's memory goes with the last of those that use it: who closes does not wait for callers to leave. */
#include <stdio.h>
#include <string.h>
#include "base/alloc.h"
#include "rpc/calls.h"
#include "rpc/netrpc.h"
#include "rpc/netrpc_args.h"
#include "rpc/netrpc_call.h"
#include "run/err.h"
#include "run/rt.h"

struct leat_netrpc {
    struct netrpc s;
    _Atomic uint32_t refs;                           /* the program's, until it closes, and one for each call */
    leat_group group;                                /* who reads, who writes */
    struct rt *rt;
    struct rt_at_end at_end;
    _Atomic uint32_t lock;
    struct slots calls;                              /* lock */
    uint64_t made;                                   /* lock: the last number given to a call */
    bool over;                                       /* lock: no answer will come any more */
    char why[CALL_TEXT];                             /* lock */
};

static void conn_unref(leat_netrpc *c)
{
    if (atomic_fetch_sub_explicit(&c->refs, 1, ACQ_REL) != 1)
        return;
    netrpc_free(&c->s);
    slots_free(&c->calls);
    mem_free(c);
}

static void call_unref(struct netrpc_call *x)
{
    if (atomic_fetch_sub_explicit(&x->refs, 1, ACQ_REL) != 1)
        return;
    if (x->value)
        leat_drop_(x->out, x->value);
    mem_free(x->value);
    leat_unref(x->done);
    leat_drop_(&leat_string_type_, &x->json);
    mem_free(x);
}

/* -- reading ---------------------------------------------------------------------------------------------------------------------- */
static struct netrpc_call *take(leat_netrpc *c, uint64_t seq)
{
    lock(&c->lock);
    struct netrpc_call *x = (struct netrpc_call *)(void *)slots_take(&c->calls, seq);
    unlock(&c->lock);
    return x;
}

static void wake(struct netrpc_call *x, leat_err e, const char *text)
{
    x->err = e;
    snprintf(x->text, sizeof x->text, "%s", text);
    leat_ignore(leat_try_send(x->done, LEAT_NONE));
    call_unref(x);
}

/* The body behind the head of an answer, for the call it belongs to, if that is still wanted.  An error ends the connection. */
static leat_err read_body(leat_netrpc *c, struct netrpc_call *x, const struct Response *head)
{
    char text[CALL_TEXT];
    if (!x || head->error.len) {
        leat_err e = netrpc_skip(&c->s);
        sess_show(text, sizeof text, head->error.p, head->error.len);
        if (x)
            wake(x, e == LEAT_OK ? LEAT_REMOTE : LEAT_UNKNOWN, text);
        return e;
    }
    leat_err e = x->json_wanted ? netrpc_get_json(&c->s, &x->json) : LEAT_NOMEM;
    if (!x->json_wanted && (x->value = mem_zalloc(x->out->size)))
        e = netrpc_get(&c->s, x->out, x->value);
    bool goes_on = e == LEAT_OK || ((e == LEAT_TYPE || e == LEAT_LIMIT) && !c->s.reader.gob.why);
    wake(x, e == LEAT_OK || goes_on ? e : LEAT_UNKNOWN, e == LEAT_OK ? "" : leat_err_detail());
    return goes_on ? LEAT_OK : e;
}

static leat_err read_answers(leat_netrpc *c)
{
    for (;;) {
        struct Response head = { .seq = 0 };
        leat_err e = netrpc_get(&c->s, &Response_type, &head);
        if (e == LEAT_OK)
            e = read_body(c, take(c, head.seq), &head);
        leat_drop(Response, &head);
        if (e != LEAT_OK)
            return e;
    }
}

/* Nobody will answer any more: all that wait are told. */
static void give_up(leat_netrpc *c, const char *why)
{
    struct slot *s;
    lock(&c->lock);
    if (!c->over)
        snprintf(c->why, sizeof c->why, "%s", why);
    c->over = true;
    unlock(&c->lock);
    leat_close(c->s.room);                           /* who waits to be sent is not */
    for (;;) {
        lock(&c->lock);
        s = slots_any(&c->calls);
        if (s)
            slots_take(&c->calls, s->id);
        unlock(&c->lock);
        if (!s)
            return;
        wake((struct netrpc_call *)(void *)s, LEAT_UNKNOWN, why);
    }
}

static leat_err reads(leat_netrpc **arg)
{
    leat_netrpc *c = *arg;
    leat_err e = read_answers(c);
    give_up(c, e == LEAT_CLOSED ? "net/rpc: the server has ended the connection" : leat_err_detail());
    return e == LEAT_CLOSED ? LEAT_PEER_LOST : e;    /* ends who writes, too */
}

static leat_err writes(leat_netrpc **arg)
{
    struct netrpc *s = &(*arg)->s;
    leat_err e = netrpc_writes(&s);
    if (e != LEAT_OK)
        give_up(*arg, leat_err_detail());
    return e;
}

/* -- opening and closing ---------------------------------------------------------------------------------------------------------- */
static void close_now(leat_netrpc *c)
{
    give_up(c, "net/rpc: the connection is shut down");
    leat_group_cancel(&c->group);
    leat_conn_break(c->s.c);                         /* they may be about to use it: closed when they have gone */
    leat_ignore(leat_group_wait(&c->group));
    leat_conn_close(c->s.c);
    conn_unref(c);
}

static void at_end(struct rt_at_end *x)
{
    close_now((leat_netrpc *)(void *)((char *)x - offsetof(leat_netrpc, at_end)));
}

leat_err leat_netrpc_dial(const char *url, leat_netrpc **ret)
{
    struct rt *rt = rt_self();
    if (!rt)
        return leat_fail(LEAT_INVAL, "leat_netrpc_dial: this thread is no task: call it below leat_run");
    leat_conn *conn;
    LEAT_TRY(leat_dial(url, &conn));
    leat_netrpc *c = mem_zalloc(sizeof *c);
    leat_err e = c ? netrpc_open(&c->s, conn) : leat_fail(LEAT_NOMEM, "leat_netrpc_dial: no memory for a connection");
    if (e == LEAT_OK) {
        c->rt = rt;
        at_store(&c->refs, 1);
        group_open_in(group_of(&c->group), rt, NULL, NEVER);     /* not of the caller's context: it outlives that */
        e = go_begun(&c->group, reads, c);
        if (e == LEAT_OK)
            e = go_begun(&c->group, writes, c);
        if (e != LEAT_OK) {
            close_now(c);
            return e;
        }
        c->at_end.end = at_end;
        rt_at_end_add(rt, &c->at_end);
        *ret = c;
        return LEAT_OK;
    }
    if (c)
        netrpc_free(&c->s);
    mem_free(c);
    leat_conn_close(conn);
    return e;
}

void leat_netrpc_close(leat_netrpc *c)
{
    if (!c || !rt_at_end_remove(c->rt, &c->at_end))
        return;
    struct task *t = task_self();
    leat_err was = err_last();                       /* why the caller closes stays its last failure */
    struct fault *f = err_take(t, was);
    close_now(c);
    err_give(t, f, was);
}

/* -- calling ---------------------------------------------------------------------------------------------------------------------- */
static leat_err add(leat_netrpc *c, struct netrpc_call *x)
{
    char why[CALL_TEXT] = "";
    lock(&c->lock);
    x->slot.id = c->made++;                          /* as Go: from 0 */
    bool over = c->over, ok = !over && slots_add(&c->calls, &x->slot);
    if (over)
        memcpy(why, c->why, sizeof why);
    unlock(&c->lock);
    return ok ? LEAT_OK : over ? leat_fail(LEAT_PEER_LOST, "%s", why) : leat_fail(LEAT_NOMEM, "net/rpc: no memory for a call");
}

/* [blocks] for the answer of a call that was sent */
static leat_err wait_answer(leat_netrpc *c, struct netrpc_call *x, const char *method)
{
    leat_none none;
    leat_err e = leat_recv(x->done, &none);
    if (e != LEAT_OK) {
        struct netrpc_call *mine = take(c, x->slot.id);
        if (mine) {
            call_unref(mine);
            return err_unknown(e, "net/rpc: %s may have run", method);
        }
        if (leat_try_recv(x->done, &none) != LEAT_OK)            /* its answer is being read, and now nobody wants it */
            return err_unknown(e, "net/rpc: %s has run, its answer was not awaited", method);
    }
    if (x->err == LEAT_UNKNOWN)
        return err_unknown(LEAT_PEER_LOST, "%s; %s may have run", x->text, method);
    return x->err == LEAT_OK ? LEAT_OK : leat_fail(x->err, "%s", x->text);
}

/* [blocks] while much waits to be written.  An error: it was not sent. */
static leat_err begin(leat_netrpc *c, const char *method, struct netrpc_call *x, netrpc_body_fn *body, void *arg)
{
    struct Request head = { .service_method = leat_string_of(method) };
    for (;;) {
        leat_err e = netrpc_wait_room(&c->s);
        if (e != LEAT_OK && e != LEAT_CLOSED)
            return e;
        atomic_fetch_add_explicit(&x->refs, 1, RLX);         /* the table's */
        if ((e = add(c, x)) != LEAT_OK) {
            call_unref(x);
            return e;
        }
        head.seq = x->slot.id;
        e = netrpc_try_put_with(&c->s, &Request_type, &head, body, arg);
        if (e == LEAT_OK)
            return e;
        if (take(c, head.seq))                       /* else the connection has ended meanwhile, and the table gave it up */
            call_unref(x);
        if (e != LEAT_AGAIN)                         /* others were faster */
            return e;
    }
}

static leat_err netrpc_call(leat_netrpc *c, const char *method, struct netrpc_call *x, netrpc_body_fn *body, void *arg)
{
    at_store(&x->refs, 1);
    if (!c || !method)
        return leat_fail(LEAT_INVAL, "net/rpc: no %s", c ? "method" : "connection");
    if (!(x->done = leat_chan_make(leat_none, 1)))
        return leat_fail(LEAT_NOMEM, "net/rpc: no memory for a call");
    atomic_fetch_add_explicit(&c->refs, 1, RLX);
    leat_err e = begin(c, method, x, body, arg);
    if (e == LEAT_OK)
        e = wait_answer(c, x, method);
    conn_unref(c);
    return e;
}

struct typed { const leat_type *type; const void *v; };

static leat_err put_typed(struct netrpc *s, void *arg)
{
    const struct typed *b = arg;
    return gob_write(&s->writer, b->type, b->v, &s->out);
}

leat_err leat_netrpc_call_(leat_netrpc *c, const char *method, const leat_type *in_type, const void *in, const leat_type *out_type,
    void *out)
{
    struct netrpc_call *x = mem_zalloc(sizeof *x);
    if (!x)
        return leat_fail(LEAT_NOMEM, "net/rpc: no memory for a call");
    x->out = out_type;
    leat_err e = netrpc_call(c, method, x, put_typed, &(struct typed){ in_type, in });
    if (e == LEAT_OK) {
        memcpy(out, x->value, out_type->size);       /* it moves */
        memset(x->value, 0, out_type->size);
    }
    call_unref(x);
    return e;
}

leat_err leat_netrpc_call_json_as(leat_netrpc *c, const char *method, const char *type, const char *args, leat_string *reply)
{
    struct netrpc_args a = { 0 };
    struct netrpc_call *x = mem_zalloc(sizeof *x);
    if (!x)
        return leat_fail(LEAT_NOMEM, "net/rpc: no memory for a call");
    at_store(&x->refs, 1);
    x->json_wanted = true;
    leat_err e = c && method ? netrpc_args_read(&a, type, args) : LEAT_OK;       /* else the call says it */
    if (e == LEAT_OK)
        e = netrpc_call(c, method, x, netrpc_put_args, &a);
    if (e == LEAT_OK) {
        *reply = x->json;
        x->json = (leat_string){ 0 };
    }
    netrpc_args_free(&a);
    call_unref(x);
    return e;
}

leat_err leat_netrpc_call_json(leat_netrpc *c, const char *method, const char *args, leat_string *reply)
{
    return leat_netrpc_call_json_as(c, method, NULL, args, reply);
}
