/* table.c - what a node exposes to its peers, and the tables of calls of each session.  See calls.h. */
#include <stdio.h>
#include <string.h>
#include "base/alloc.h"
#include "rpc/calls.h"
#include "type/codec.h"

enum { SPARES_MAX = 512 };

/* -- records that are used again ------------------------------------------------------------------------------------------------- */
void *spare_get_locked(struct spares *s, size_t size, size_t cleared)
{
    struct slot *x = s->first;
    if (x) {
        s->first = x->next;
        s->n--;
    }
    void *p = x ? x : mem_alloc(size);
    return p ? memset(p, 0, cleared) : NULL;
}

void spare_put(struct calls *t, struct spares *s, struct slot *x)
{
    lock(&t->lock);
    t->jobs_here -= s == &t->spare_jobs;
    bool keep = s->n < SPARES_MAX;
    if (keep) {
        x->next = s->first;
        s->first = x;
        s->n++;
    }
    unlock(&t->lock);
    if (!keep)
        mem_free(x);
}

static void spares_free(struct spares *s)
{
    for (struct slot *next, *x = s->first; x; x = next) {
        next = x->next;
        mem_free(x);
    }
}

void calls_wake(struct waiters *q)
{
    for (struct waiter *w; (w = waiter_claim(q)); ) {
        waiter_win(w, true);
        task_ready(worker_self(), w->task);
    }
}

leat_err calls_send(struct sess *s, const struct said *what, uint64_t *place)
{
    const struct buf *head = what->head, *v = what->v;
    for (size_t at = 0, first = 1; first || at < v->len; first = 0) {
        size_t n = MIN(v->len - at, (size_t)LIMIT_FRAME_CUT);
        struct buf *b = sess_begin_form(s, what->kind, at + n < v->len ? FRAME_MORE : 0, first ? what->form : (struct cur){ 0 });
        if (!b)
            return at ? LEAT_OK : sess_lost(s);
        if (first && place)
            *place = sess_place(s);
        size_t fields = b->len;
        buf_varint(b, what->id);
        if (first && what->moment)
            sess_moment(s, b->len - fields + what->moment);
        if (first)
            buf_put(b, head->p, head->len);
        if (n)
            buf_put(b, v->p + at, n);
        leat_err err = sess_commit(s);
        if (err != LEAT_OK && at)
            sess_break(s, err, "no memory to send the rest of a %s", frame_name(what->kind));
        if (err != LEAT_OK)
            return at ? LEAT_OK : err;
        at += n;
    }
    return LEAT_OK;
}

/* -- what is exposed ---------------------------------------------------------------------------------------------------------- */
struct exposed *exposed_find(leat_node *n, const char *name, size_t len)
{
    struct exposed *x = at_load_acq(&exposures_of(n)->first);
    while (x && !(x->len == len && memcmp(x->name, name, len) == 0))
        x = x->next;
    return x;
}

bool exposed_service(leat_node *n, const char *name, size_t len)
{
    struct exposures *t = exposures_of(n);
    lock(&t->lock);
    const struct exposed *x = t->first;
    while (x && !(x->method && strncmp(x->name, name, len) == 0))
        x = x->next;
    unlock(&t->lock);
    return x != NULL;
}

/* Takes x over. */
static leat_err expose(leat_node *n, struct exposed *x, const char *what)
{
    struct exposures *t = exposures_of(n);
    leat_err err = type_print(x->in, &x->in_print);
    if (err == LEAT_OK && x->out)
        err = type_print(x->out, &x->out_print);
    if (err != LEAT_OK) {
        mem_free(x);
        return err;
    }
    x->in_plain = type_raw_bytes(x->in) > 0;
    x->out_plain = x->out && type_raw_bytes(x->out) > 0;
    x->len = strlen(x->name);
    lock(&t->lock);
    bool taken = exposed_find(n, x->name, x->len) != NULL;
    if (!taken) {
        around_limit_locked(t, x);
        x->next = at_load(&t->first);
        at_store_rel(&t->first, x);
    }
    unlock(&t->lock);
    if (!taken)
        return LEAT_OK;
    err = leat_fail(LEAT_INVAL, "%s: '%s' is exposed already", what, x->name);
    mem_free(x);
    return err;
}

leat_err leat_expose_(leat_node *n, const char *name, leat_fn_ *fn, const leat_type *t)
{
    if (!n)
        return leat_fail(LEAT_INVAL, "leat_expose: no node");
    struct exposed *x = mem_zalloc(sizeof *x);
    if (!x)
        return leat_fail(LEAT_NOMEM, "leat_expose: no memory");
    x->fn = fn;
    x->in = t;
    if ((size_t)snprintf(x->name, sizeof x->name, "%s", name) < sizeof x->name)
        return expose(n, x, "leat_expose");
    mem_free(x);
    return leat_fail(LEAT_LIMIT, "leat_expose: a name has at most %d bytes", CALL_NAME);
}

leat_err leat_serve_(leat_node *n, const char *svc, const leat_method *m, size_t count, const void *impl, void *self)
{
    void (*const *fns)(void) = impl;
    if (!n || !fns)
        return leat_fail(LEAT_INVAL, "leat_serve %s: no %s", svc, n ? "methods" : "node");
    for (size_t i = 0; i < count; i++)
        if (!fns[i])
            return leat_fail(LEAT_INVAL, "leat_serve: the method %s.%s is NULL", svc, m[i].name);
    for (size_t i = 0; i < count; i++) {
        struct exposed *x = mem_zalloc(sizeof *x);
        if (!x)
            return leat_fail(LEAT_NOMEM, "leat_serve: no memory");
        *x = (struct exposed){ .method = &m[i], .call = fns[i], .self = self, .in = m[i].in, .out = m[i].out };
        if ((size_t)snprintf(x->name, sizeof x->name, "%s.%s", svc, m[i].name) >= sizeof x->name) {
            mem_free(x);
            return leat_fail(LEAT_LIMIT, "leat_serve: a name has at most %d bytes", CALL_NAME);
        }
        LEAT_TRY(expose(n, x, "leat_serve"));
    }
    return LEAT_OK;
}

/* -- sessions and nodes ------------------------------------------------------------------------------------------------------- */
static leat_err node_opens(leat_node *n)
{
    node_slots(n)->exposed = mem_zalloc(sizeof(struct exposures));
    if (exposures_of(n) && (exposures_of(n)->keeper = keeper_open(node_key(n))))
        return LEAT_OK;
    mem_free(exposures_of(n));
    node_slots(n)->exposed = NULL;
    return leat_fail(LEAT_NOMEM, "no memory for a node");
}

static void node_closes(leat_node *n)
{
    struct exposures *t = exposures_of(n);
    for (struct exposed *next, *x = t ? at_load(&t->first) : NULL; x; x = next) {
        next = x->next;
        mem_free(x);
    }
    if (t) {
        around_close(t);
        keeper_close(t->keeper);
    }
    mem_free(t);
    node_slots(n)->exposed = NULL;
}

static leat_err sess_opens(struct sess *s)
{
    struct exposures *x = exposures_of(sess_node(s));
    struct calls *t = mem_zalloc(sizeof *t);
    sess_slots(s)->calls = t;
    if (t)
        t->jobs.key = *node_key(sess_node(s));       /* its ids are the peer's choice */
    lock(&x->lock);
    leat_call_limits at_most = x->peers;
    unlock(&x->lock);
    if (t && at_most.running && (t->limit = mem_zalloc(sizeof *t->limit)))
        t->limit->at_most = at_most;
    return t && (t->limit || !at_most.running) ? LEAT_OK : leat_fail(LEAT_NOMEM, "no memory for a session's calls");
}

static void sess_ends(struct sess *s, leat_err why)
{
    struct calls *t = calls_of(s);
    (void)why;
    lock(&t->lock);
    t->over = true;                                  /* who waits for room is woken when what is under way ends: now, in call_lost */
    unlock(&t->lock);
    call_lost(s);
    serve_lost(s);
}

static void sess_frees(struct sess *s)
{
    struct calls *t = calls_of(s);
    if (!t)
        return;
    slots_free(&t->calls);
    slots_free(&t->jobs);
    spares_free(&t->spare_calls);
    spares_free(&t->spare_jobs);
    mem_free(t->limit);
    for (struct learned *next, *x = at_load(&t->learned); x; x = next) {
        next = x->next;
        mem_free(x);
    }
    mem_free(t);
}

const struct sess_user calls_user = {
    .name = "calls",
    .node_open = node_opens,
    .node_close = node_closes,
    .open = sess_opens,
    .end = sess_ends,
    .free = sess_frees,
    .on = {
        { FRAME_OPEN, serve_on_open }, { FRAME_CANCEL, serve_on_cancel }, { FRAME_RESULT, call_on_result }, { FRAME_DONE, call_on_done },
    },
};
