/* large.c - see large.h. */
#include "sess/large.h"
#include "base/alloc.h"
#include "base/limits.h"
#include "plat/mem.h"

enum { LEND_MIN = 4096 };                            /* a shorter part is copied */

static void large_free(struct lent *l)
{
    struct large *x = container_of(l, struct large, lent);
    if (x->type)
        type_moved(x->type, x->value);
    buf_free(&x->own);
    mem_free(x->copies);
    mem_free(x);
}

static size_t lent_bytes(const struct large *x)
{
    size_t n = 0;
    for (uint32_t i = 0; i < x->parts.n; i++)
        n += x->parts.part[i].len;
    return n;
}

/* A value that is mostly something else is not kept for a few large parts. */
static leat_err copy_parts(struct large *x, size_t n)
{
    x->copies = mem_alloc(n);
    if (!x->copies)
        return leat_fail(LEAT_NOMEM, "no memory for an element of %zu bytes", x->bytes);
    uint8_t *to = x->copies;
    for (uint32_t i = 0; i < x->parts.n; i++) {
        memcpy(to, x->parts.part[i].p, x->parts.part[i].len);
        x->parts.part[i].p = to;
        to += x->parts.part[i].len;
    }
    return LEAT_OK;
}

static leat_err fill(struct large *x, const leat_type *t, const void *v, unsigned how)
{
    bool plain = how & LARGE_PLAIN;
    x->own.max = LIMIT_ELEM;
    x->parts.least = LEND_MIN;
    x->parts.plain = plain;
    leat_err err = how & LARGE_MOVES ? type_encode_lend(t, v, &x->own, &x->parts)
        : type_encode(t, v, &x->own, plain ? &type_plain : NULL);
    if (err != LEAT_OK)
        return err;
    size_t n = lent_bytes(x);
    x->bytes = x->own.len + n;
    if (x->bytes > LIMIT_ELEM)
        return LEAT_LIMIT;
    if (n == 0)
        return LEAT_OK;
    if (n < x->bytes / 2)
        return copy_parts(x, n);
    x->type = t;
    memcpy(x->value, v, t->size);
    return LEAT_OK;
}

leat_err large_new(const leat_type *t, const void *v, unsigned how, struct large **ret)
{
    struct large *x = mem_zalloc(sizeof *x + t->size);
    if (!x)
        return leat_fail(LEAT_NOMEM, "no memory for an element");
    at_store(&x->lent.refs, 1);
    x->lent.free = large_free;
    leat_err err = fill(x, t, v, how);
    if (err == LEAT_OK && x->bytes >= LARGE_RECYCLE)
        plat_mem_recycle();
    if (err == LEAT_OK)
        *ret = x;
    else
        lent_unref(&x->lent);
    return err;
}

struct run_of_bytes large_at(const struct large *x, size_t at)
{
    size_t own = 0;                                  /* of x->own, what lies before `at` */
    for (uint32_t i = 0; i < x->parts.n; i++) {
        size_t before = x->parts.part[i].at - own;
        if (at < before)
            return (struct run_of_bytes){ x->own.p + own + at, before - at };
        at -= before;
        own += before;
        if (at < x->parts.part[i].len)
            return (struct run_of_bytes){ (const uint8_t *)x->parts.part[i].p + at, x->parts.part[i].len - at };
        at -= x->parts.part[i].len;
    }
    return (struct run_of_bytes){ x->own.p + own + at, x->own.len - own - at };
}
