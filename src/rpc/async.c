/* async.c - calls as futures: see include/leat/call.h. */
#include "base/alloc.h"
#include "chan/chan.h"
#include "rpc/calls.h"
#include "type/error.h"

struct future {
    leat_chan_ *to;
    leat_peer *p;
    const leat_method *m;
    size_t size, value;
    char *in, *reply;                                /* behind this record */
    char name[CALL_NAME + 1];
};

static leat_err future_end(struct future *f, leat_err err)
{
    reply_fill((leat_reply *)(void *)f->reply, err);
    if (leat_try_send_(f->to, f->reply) != LEAT_OK)  /* there is room: nobody will receive it */
        leat_drop_(f->m->reply, f->reply);
    leat_unref_end_(f->to, LEAT_TX_END_);
    leat_drop_(f->m->in, f->in);
    sess_unref(sess_of(f->p));
    mem_free(f);
    return LEAT_OK;
}

static leat_err future_task(struct future **arg)
{
    struct future *f = *arg;
    bool own;
    struct what w = { .p = f->p, .name = f->name, .kind = OPEN_CALL, .in = f->m->in, .out = f->m->out, .arg = f->in };
    return future_end(f, call_do(&w, f->reply + f->value, &own));
}

/* In place of future_task: no memory for its stack (task_go). */
static leat_err future_starved(struct future **arg)
{
    return future_end(*arg, leat_fail(LEAT_NOMEM, "'%s' was not called: no memory for a stack", (*arg)->name));
}

/* Room for a future, with nothing in it but the two ends of its channel. */
static struct future *future_new(const leat_method *m, size_t size, leat_chan_ **rx)
{
    size_t head = (sizeof(struct future) + 15) & ~(size_t)15, reply = (size + 15) & ~(size_t)15;
    struct future *f = mem_zalloc(head + reply + m->in->size);
    leat_chan_ *c = f ? leat_chan_make_(size, 1) : NULL;
    if (!c) {
        mem_free(f);
        return NULL;
    }
    chan_describe(c, m->reply, leat_drop_);          /* what has come and is not received is dropped with its channel */
    f->reply = (char *)f + head;
    f->in = f->reply + reply;
    f->size = size;
    f->m = m;
    f->to = leat_ref_(c, LEAT_TX_END_);
    *rx = leat_ref_(c, LEAT_RX_END_);
    leat_unref_end_(c, LEAT_TX_END_ | LEAT_RX_END_);
    return f;
}

leat_err leat_call_async_(leat_group *g, leat_peer *p, const char *svc, const leat_method *m, const void *in, size_t size, size_t value,
    leat_chan_ **ret)
{
    static const leat_site_ site = { "leat_call_async", __FILE__, __LINE__ };
    leat_chan_ *rx;
    if (!p)
        return leat_fail(LEAT_INVAL, "leat_call_async: the peer is NULL");
    struct future *f = future_new(m, size, &rx);
    if (!f)
        return leat_fail(LEAT_NOMEM, "leat_call_async: no memory");
    f->p = p;
    f->value = value;
    leat_err err = call_name(f->name, svc, m->name) ? leat_dup_(m->in, in, f->in)
                                                    : leat_fail(LEAT_LIMIT, "leat_call_async: a name has at most %d bytes", CALL_NAME);
    bool has_in = err == LEAT_OK;
    sess_ref(sess_of(p));
    if (err == LEAT_OK)
        err = task_go(g, (leat_fn_ *)(void (*)(void))future_task, &site, &f, sizeof f, (leat_fn_ *)(void (*)(void))future_starved);
    if (err == LEAT_OK) {
        *ret = rx;
        return LEAT_OK;
    }
    if (has_in)
        leat_drop_(m->in, f->in);
    sess_unref(sess_of(p));
    leat_unref_end_(f->to, LEAT_TX_END_);
    leat_unref_end_(rx, LEAT_RX_END_);
    mem_free(f);
    return err;
}
