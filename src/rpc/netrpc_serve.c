/* netrpc_serve.c - the services of a node for clients of Go's net/rpc.  The texts of errors are net/rpc's own. */
#include <stdio.h>
#include <string.h>
#include "base/alloc.h"
#include "rpc/calls.h"
#include "rpc/netrpc.h"
#include "run/sched.h"

enum { AT_ONCE = 256, PAUSE_FIRST_MS = 5, PAUSE_MAX_MS = 1000 };

struct server {
    struct netrpc s;
    leat_node *n;
    leat_chan(leat_none) slots;                      /* capacity AT_ONCE: one in it for each call under way */
};

struct request_job { struct server *v; struct exposed *x; struct Response head; void *in; };

/* The answer: *out, or head->error.  What cannot be sent as gob becomes an error itself. */
static void answer(struct server *v, struct Response *head, const leat_type *t, const void *out)
{
    leat_err e = netrpc_put(&v->s, &Response_type, head, t, head->error.len ? NULL : out);
    if (e == LEAT_OK || e == LEAT_CANCELED)
        return;
    char why[CALL_TEXT];
    snprintf(why, sizeof why, "%s", leat_err_detail());
    head->error = leat_string_of(why);
    if (netrpc_put(&v->s, &Response_type, head, NULL, NULL) != LEAT_OK)
        leat_conn_break(v->s.c);                     /* better no connection than a call that nobody answers */
}

/* borrowed; what a handler says is bounded, and so is what gob_read says */
static void answer_error(struct server *v, struct Response *head, const char *text)
{
    head->error = leat_string_of(text);
    answer(v, head, NULL, NULL);
}

static void job_end(struct request_job *j)
{
    leat_none none;
    if (j->in)
        leat_drop_(j->x->in, j->in);
    mem_free(j->in);
    j->head.error = (leat_string){ 0 };              /* borrowed */
    leat_drop(Response, &j->head);
    leat_ignore(leat_try_recv(j->v->slots, &none));
}

static leat_err run_job(struct request_job *j)
{
    const struct exposed *x = j->x;
    void *out = mem_zalloc(x->out->size);
    char text[CALL_TEXT];
    leat_err e = LEAT_NOMEM;
    snprintf(text, sizeof text, "no memory");
    if (out) {
        e = ((leat_method_fn_ *)(void (*)(void))x->call)(x->self, j->in, out);
        const char *detail = e == LEAT_OK ? "" : leat_err_detail();
        snprintf(text, sizeof text, "%s", *detail ? detail : leat_err_name(e));
    }
    if (e == LEAT_OK)
        answer(j->v, &j->head, x->out, out);
    else
        answer_error(j->v, &j->head, text);
    if (out)
        leat_drop_(x->out, out);
    mem_free(out);
    job_end(j);
    return LEAT_OK;
}

/* What Go's server says of a method that it does not have, or NULL: *ret is the method. */
static const char *find(leat_node *n, const leat_string *name, struct exposed **ret)
{
    uint32_t dot = name->len;
    while (dot > 0 && name->p[dot - 1] != '.')
        dot--;
    if (dot == 0)
        return "rpc: service/method request ill-formed: ";
    struct exposed *x = exposed_find(n, name->p, name->len);
    if (x && x->method) {
        *ret = x;
        return NULL;
    }
    return exposed_service(n, name->p, dot) ? "rpc: can't find method " : "rpc: can't find service ";
}

/* Reads past the body of a request that nobody serves, and says so. */
static leat_err refuse(struct server *v, struct request_job *j, const char *wrong)
{
    const leat_string *name = &j->head.service_method;
    size_t n = strlen(wrong);
    LEAT_TRY(netrpc_skip(&v->s));
    char *text = mem_alloc(n + name->len);
    if (!text)
        return LEAT_NOMEM;
    memcpy(text, wrong, n);
    if (name->len)
        memcpy(text + n, name->p, name->len);
    j->head.error = (leat_string){ text, (uint32_t)(n + name->len), 0 };
    answer(v, &j->head, NULL, NULL);
    mem_free(text);
    return LEAT_OK;
}

/* Reads the body and starts the call.  *failed: it has not begun, why is in text, and the connection goes on. */
static leat_err start(struct server *v, leat_group *g, struct request_job *j, char text[CALL_TEXT], bool *failed)
{
    LEAT_TRY(netrpc_skip(&v->s));
    j->in = mem_zalloc(j->x->in->size);
    leat_err e = j->in ? gob_read(&v->s.reader, j->x->in, j->in) : leat_fail(LEAT_NOMEM, "no memory for the arguments");
    if (e == LEAT_OK)
        e = go_begun(g, run_job, *j);
    *failed = (e == LEAT_TYPE || e == LEAT_NOMEM || e == LEAT_LIMIT) && !v->s.reader.gob.why;
    if (*failed)
        snprintf(text, CALL_TEXT, "%s%s", e == LEAT_TYPE ? "gob: type mismatch: " : "", leat_err_detail());
    return *failed ? LEAT_OK : e;
}

/* Takes a request whose header is there: its call begins, or is answered at once.  An error ends the connection. */
static leat_err take(struct server *v, leat_group *g, const struct Request *r)
{
    struct request_job j = { .v = v, .head = { .seq = r->seq } };
    char text[CALL_TEXT];
    bool failed = false;
    const char *wrong = find(v->n, &r->service_method, &j.x);
    LEAT_TRY(leat_send(v->slots, LEAT_NONE));
    leat_err e = leat_string_dup(r->service_method.p, r->service_method.len, &j.head.service_method);
    if (e == LEAT_OK)
        e = wrong ? refuse(v, &j, wrong) : start(v, g, &j, text, &failed);
    if (failed)
        answer_error(v, &j.head, text);
    if (e != LEAT_OK || wrong || failed)
        job_end(&j);
    return e;
}

/* Requests until the client ends its half: then OK, and their answers still go out. */
static leat_err read_requests(struct server *v, leat_group *g)
{
    for (;;) {
        struct Request r = { .seq = 0 };
        leat_err e = netrpc_wait_room(&v->s);
        if (e == LEAT_OK)
            e = netrpc_get(&v->s, &Request_type, &r);
        if (e == LEAT_OK)
            e = take(v, g, &r);
        leat_drop(Request, &r);
        if (e != LEAT_OK)
            return e == LEAT_CLOSED ? LEAT_OK : e;
    }
}

static leat_err serve_open(struct server *v)
{
    leat_err e;
    leat_err read = LEAT_OK;
    leat_with_group(all, e) {
        struct netrpc *s = &v->s;
        e = go_begun(&all, netrpc_writes, s);        /* when it fails, the others are cancelled */
        if (e == LEAT_OK)
            leat_with_group(jobs, read)
                read = read_requests(v, &jobs);
        leat_close(v->s.kick);                       /* what was answered before goes out */
    }
    return e == LEAT_OK ? read : e;
}

leat_err leat_netrpc_serve_conn(leat_node *n, leat_conn *c)
{
    if (!n || !c)
        return leat_fail(LEAT_INVAL, "leat_netrpc_serve_conn: no %s", n ? "connection" : "node");
    struct server v = { .n = n, .slots = leat_chan_make(leat_none, AT_ONCE) };
    leat_err e = v.slots ? netrpc_open(&v.s, c) : leat_fail(LEAT_NOMEM, "net/rpc: no memory for a connection");
    v.s.greets = true;
    if (e == LEAT_OK)
        e = serve_open(&v);
    netrpc_free(&v.s);
    leat_unref(v.slots);
    return e;
}

struct accepted { leat_node *n; leat_conn *c; };

static leat_err serve_accepted(struct accepted *a)
{
    leat_ignore(leat_netrpc_serve_conn(a->n, a->c)); /* ends that connection alone */
    leat_conn_close(a->c);
    return LEAT_OK;
}

leat_err leat_netrpc_serve(leat_node *n, leat_listener *l)
{
    leat_err e;
    int64_t pause = PAUSE_FIRST_MS;
    struct accepted a = { .n = n };
    if (!n || !l)
        return leat_fail(LEAT_INVAL, "leat_netrpc_serve: no %s", n ? "listener" : "node");
    leat_with_group(conns, e)
        for (;;) {
            e = a.c ? LEAT_OK : leat_accept(l, &a.c);            /* who has come waits as well */
            if (e == LEAT_OK)
                e = go_begun(&conns, serve_accepted, a);
            if (e == LEAT_OK) {
                a.c = NULL;
                pause = PAUSE_FIRST_MS;
                continue;
            }
            if (e == LEAT_CLOSED)
                e = LEAT_OK;                         /* the connections go on to their ends */
            if (e != LEAT_SYS && e != LEAT_LIMIT && e != LEAT_NOMEM)
                break;                               /* else there are too many of something for a while */
            if ((e = leat_sleep(LEAT_MS(pause))) != LEAT_OK)
                break;
            pause = MIN(pause * 2, (int64_t)PAUSE_MAX_MS);
        }
    leat_conn_close(a.c);
    return e;
}
