/* gob_feed.c - a stream of bytes cut into gob messages. */
#include "type/gob_feed.h"
#include "base/alloc.h"
#include "base/limits.h"

enum { FIRST = 64 << 10, HEAD_MAX = 9 };

void gob_feed_free(struct gob_feed *f)
{
    mem_free(f->p);
    f->p = NULL;
}

static leat_err bad(struct gob_feed *f, const char *why)
{
    if (!f->gob->why) {
        f->gob->why = why;
        f->gob->at = f->offset + (f->to - f->from);
    }
    return LEAT_INVAL;
}

static leat_err make_room(struct gob_feed *f)
{
    if (f->from && f->to == f->cap) {
        memmove(f->p, f->p + f->from, f->to - f->from);
        f->to -= f->from;
        f->from = 0;
    }
    if (f->to < f->cap)
        return LEAT_OK;
    size_t cap = f->cap ? f->cap * 2 : FIRST;
    uint8_t *p = mem_realloc(f->p, cap);
    if (!p)
        return LEAT_NOMEM;
    f->p = p;
    f->cap = cap;
    return LEAT_OK;
}

/* Until there are n bytes, or (OK as well) the end */
static leat_err need(struct gob_feed *f, size_t n)
{
    while (f->to - f->from < n) {
        size_t got = 0;
        LEAT_TRY(make_room(f));
        LEAT_TRY(f->read(f->self, f->p + f->to, f->cap - f->to, &got));
        if (got == 0)
            return LEAT_OK;
        f->to += got;
    }
    return LEAT_OK;
}

/* The length of the message that starts `at` bytes on, which arrives byte by byte so that nobody waits for more than there is. */
static leat_err length(struct gob_feed *f, size_t at, size_t *head, uint64_t *len)
{
    for (size_t want = 1; want <= HEAD_MAX; want++) {
        LEAT_TRY(need(f, at + want));
        if (f->to - f->from < at + want)
            return f->to - f->from == at ? LEAT_CLOSED : bad(f, "cut short: the stream ends inside a message");
        int took = gob_length(f->gob, f->p + f->from + at, f->to - f->from - at, f->offset + at, len);
        if (took < 0)
            return LEAT_INVAL;
        *head = (size_t)took;
        if (took > 0)
            return LEAT_OK;
    }
    return bad(f, "a length that is none");
}

/* One message more behind the `at` bytes of those that are looked at.  head: of its length; n: both. */
static leat_err next(struct gob_feed *f, size_t at, size_t *head, size_t *n)
{
    uint64_t len = 0;
    LEAT_TRY(length(f, at, head, &len));
    if (len > f->limit) {
        bad(f, "a message over the limit");
        return LEAT_LIMIT;
    }
    *n = *head + (size_t)len;
    LEAT_TRY(need(f, at + *n));
    return f->to - f->from >= at + *n ? LEAT_OK : bad(f, "cut short: the stream ends inside a message");
}

static bool more(struct gob *g)
{
    struct gob_feed *f = g->from;
    size_t head, n = 0;
    f->err = next(f, f->taken, &head, &n);
    if (f->err == LEAT_CLOSED)
        f->err = bad(f, "cut short: the stream ends inside a message");
    if (f->err != LEAT_OK)
        return false;
    f->taken += n;
    gob_extend(g, f->p + f->from + f->head, f->taken - f->head);
    return true;
}

leat_err gob_feed_next(struct gob_feed *f)
{
    struct gob *g = f->gob;
    f->from += f->taken;                             /* the message before this one is done with */
    f->offset += f->taken;
    f->taken = 0;
    if (f->from == f->to) {
        f->from = f->to = 0;
        if (f->cap > LIMIT_GOB_KEPT) {                         /* the next message may be long in coming */
            gob_feed_free(f);
            f->cap = 0;
        }
    }
    if (g->maps.cap > LIMIT_GOB_KEPT)
        buf_free(&g->maps);
    g->more = more;
    g->from = f;
    f->err = LEAT_OK;
    leat_err e = next(f, 0, &f->head, &f->taken);
    /* Go's encoder has no definition without a value behind it: the two are one, and its decoder wants both. */
    if (e == LEAT_CLOSED && f->defined)
        e = bad(f, "cut short: the stream ends inside a message");
    if (e != LEAT_OK)
        return e;
    e = gob_message(g, f->p + f->from + f->head, f->taken - f->head, f->offset + f->head);
    f->defined = !g->value;
    return f->err != LEAT_OK ? f->err : e;
}

leat_err gob_feed_value(struct gob_feed *f)
{
    leat_err e;
    do
        e = gob_feed_next(f);
    while (e == LEAT_OK && !f->gob->value);
    return e;
}
