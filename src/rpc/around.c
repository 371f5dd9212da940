/* around.c - hooks around calls, and which limits there are: see include/leat/call.h and calls.h. */
#include <string.h>
#include "base/alloc.h"
#include "rpc/calls.h"
#include "run/err.h"

/* -- hooks ------------------------------------------------------------------------------------------------------------------------ */
struct leat_next { struct hook *at; const leat_called *c; around_fn *fn; void *arg; bool used; };

static leat_err step(struct leat_next *n)
{
    struct leat_next inner = { .c = n->c, .fn = n->fn, .arg = n->arg };
    if (!n->at)
        return n->fn(n->arg);
    inner.at = at_load_acq(&n->at->next);
    return n->at->fn(n->at->self, n->c, &inner);
}

leat_err leat_proceed(leat_next *n)
{
    if (n->used)
        return leat_fail(LEAT_INVAL, "leat_proceed: the second time for one call of %s", n->c->name);
    n->used = true;
    return step(n);
}

struct core { around_fn *fn; void *arg; bool ran; };
static leat_err core(void *arg)
{
    struct core *k = arg;
    k->ran = true;
    return k->fn(k->arg);
}

leat_err around(struct hook *first, const leat_called *c, around_fn *fn, void *arg)
{
    struct core k = { fn, arg, false };
    struct leat_next n = { .at = first, .c = c, .fn = core, .arg = &k };
    leat_err err = step(&n);
    if (err == LEAT_OK && !k.ran)
        return leat_fail(LEAT_INVAL, "a hook said OK of %s and did not go on: it has not run", c->name);
    return err;
}

/* A hook that is there never moves, so those inside a call go on with the list as they found it. */
static leat_err add_hook(struct exposures *t, struct hook *_Atomic *first, leat_hook *fn, void *self)
{
    struct hook *x = mem_alloc(sizeof *x);
    if (!x)
        return leat_fail(LEAT_NOMEM, "no memory for a hook");
    *x = (struct hook){ NULL, fn, self };
    lock(&t->lock);
    struct hook *last = at_load(first);
    while (last && at_load(&last->next))
        last = at_load(&last->next);
    if (last)
        at_store_rel(&last->next, x);
    else
        at_store_rel(first, x);
    if (first == &t->served_hook)
        at_store_rel(&t->more, true);
    unlock(&t->lock);
    return LEAT_OK;
}

leat_err leat_hook_calls(leat_node *n, leat_hook *hook, void *self)
{
    if (!n || !hook)
        return leat_fail(LEAT_INVAL, "leat_hook_calls: no %s", n ? "hook" : "node");
    return add_hook(exposures_of(n), &exposures_of(n)->calls_hook, hook, self);
}

leat_err leat_hook_served(leat_node *n, leat_hook *hook, void *self)
{
    if (!n || !hook)
        return leat_fail(LEAT_INVAL, "leat_hook_served: no %s", n ? "hook" : "node");
    return add_hook(exposures_of(n), &exposures_of(n)->served_hook, hook, self);
}

/* -- limits ----------------------------------------------------------------------------------------------------------------------- */
static bool is_of(const struct exposed *x, const struct service_limit *s)
{
    if (!x->method)
        return x->len == s->len && memcmp(x->name, s->name, s->len) == 0;    /* a function is a service of its own */
    return x->len > s->len && x->name[s->len] == '.' && memcmp(x->name, s->name, s->len) == 0;
}

leat_err leat_limit_service(leat_node *n, const char *service, leat_call_limits l)
{
    if (!n || !service || l.running == 0)
        return leat_fail(LEAT_INVAL, "leat_limit_service: %s", !n ? "no node" : !service ? "no service" : "of 0 none would ever run");
    struct exposures *t = exposures_of(n);
    size_t len = strlen(service);
    struct service_limit *s = mem_zalloc(sizeof *s + len + 1), *other;
    if (!s)
        return leat_fail(LEAT_NOMEM, "no memory for a limit");
    s->limit.at_most = l;
    s->len = len;
    memcpy(s->name, service, len + 1);
    lock(&t->lock);
    for (other = at_load(&t->services); other && strcmp(other->name, service) != 0; )
        other = other->next;
    if (!other) {
        s->next = at_load(&t->services);
        at_store_rel(&t->services, s);
        for (struct exposed *x = at_load(&t->first); x; x = x->next)
            if (is_of(x, s))
                at_store_rel(&x->limit, &s->limit);
        at_store_rel(&t->more, true);
    }
    unlock(&t->lock);
    if (!other)
        return LEAT_OK;
    mem_free(s);
    return leat_fail(LEAT_INVAL, "leat_limit_service: '%s' has a limit already", service);
}

leat_err leat_limit_peers(leat_node *n, leat_call_limits l)
{
    if (!n || l.running == 0)
        return leat_fail(LEAT_INVAL, "leat_limit_peers: %s", n ? "of 0 none would ever run" : "no node");
    struct exposures *t = exposures_of(n);
    lock(&t->lock);
    t->peers = l;
    at_store_rel(&t->more, true);
    unlock(&t->lock);
    return LEAT_OK;
}

void around_limit_locked(struct exposures *t, struct exposed *x)
{
    for (struct service_limit *s = at_load(&t->services); s; s = s->next)
        if (is_of(x, s))
            at_store(&x->limit, &s->limit);
}

void around_close(struct exposures *t)
{
    struct hook *hooks[] = { at_load(&t->calls_hook), at_load(&t->served_hook) };
    for (size_t i = 0; i < ARRAY_LEN(hooks); i++)
        for (struct hook *next, *x = hooks[i]; x; x = next) {
            next = at_load(&x->next);
            mem_free(x);
        }
    for (struct service_limit *next, *s = at_load(&t->services); s; s = next) {
        next = s->next;
        mem_free(s);
    }
}
