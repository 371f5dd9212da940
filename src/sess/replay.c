/* replay.c - see replay.h. */
#include "sess/replay.h"
#include <assert.h>
#include "base/alloc.h"
#include "sess/frame.h"

enum {
    SPARE_BYTES = 2 << 20,                           /* memory kept in spare blocks: about what streams have under way.  With half of it
                                                      * glibc gave heaps back and took them again (fan-out-100: 4 times the faults) */
    KEEP = 256 << 10,                                /* a block with more memory is given back */
    BLOCK = 4096,                                    /* bytes of a block for what is copied */
    RANGES_FIRST = 8, TAILS_FIRST = 8,
};

static struct replay_range *range_of(const struct replay *r, uint64_t i) { return &r->v[i & (r->cap - 1)]; }

/* -- tails -------------------------------------------------------------------------------------------------------------------- */
void lent_unref(struct lent *l)
{
    if (l && atomic_fetch_sub_explicit(&l->refs, 1, ACQ_REL) == 1)
        l->free(l);
}

bool tails_put(struct tails *x, const struct tail *t)
{
    if (x->n == x->cap) {
        uint32_t cap = x->cap ? x->cap * 2 : TAILS_FIRST;
        void *v = mem_realloc(x->v, cap * sizeof *x->v);
        if (!v)
            return false;
        x->v = v;
        x->cap = cap;
    }
    lent_ref(t->of);
    x->v[x->n++] = *t;
    x->bytes += t->len;
    return true;
}

void tails_undo(struct tails *x)
{
    assert(x->n > x->next);
    x->n--;
    x->bytes -= x->v[x->n].len;
    lent_unref(x->v[x->n].of);
}

struct tail tails_take(struct tails *x)
{
    assert(x->next < x->n);
    x->bytes -= x->v[x->next].len;
    return x->v[x->next++];
}

void tails_clear(struct tails *x)
{
    while (x->n > x->next)
        tails_undo(x);
    x->n = x->next = 0;
}

void tails_free(struct tails *x)
{
    tails_clear(x);
    mem_free(x->v);
    *x = (struct tails){ .n = 0 };
}

/* -- blocks ------------------------------------------------------------------------------------------------------------------- */
static void block_free(struct replay_block *x)
{
    buf_free(&x->b);
    tails_free(&x->tails);
    mem_free(x);
}

struct replay_block *replay_block(struct replay *r)
{
    struct replay_block *x = r->spare;
    if (x) {
        r->spare = x->next;
        r->spares -= x->b.cap;
    } else if (!(x = mem_zalloc(sizeof *x))) {
        return NULL;
    }
    x->next = NULL;
    x->refs = 1;
    buf_reset(&x->b);
    return x;
}

void replay_block_put(struct replay *r, struct replay_block *x)
{
    if (!x || --x->refs)
        return;
    tails_clear(&x->tails);
    if (r->spares + x->b.cap > SPARE_BYTES || x->b.cap > KEEP) {
        block_free(x);
        return;
    }
    x->next = r->spare;
    r->spare = x;
    r->spares += x->b.cap;
}

static void spares_free(struct replay *r)
{
    for (struct replay_block *x = r->spare, *next; x; x = next) {
        next = x->next;
        block_free(x);
    }
    r->spare = NULL;
    r->spares = 0;
}

void replay_rest(struct replay *r)
{
    spares_free(r);
    if (r->n || !r->small)
        return;
    block_free(r->small);
    r->small = NULL;
}

/* The oldest range is not needed any more. */
static void range_drop(struct replay *r)
{
    struct replay_range *x = range_of(r, r->base);
    r->bytes -= x->len + x->tail.len;
    replay_block_put(r, x->block);
    lent_unref(x->tail.of);
    r->base++;
    r->n--;
}

void replay_free(struct replay *r)
{
    while (r->n)
        range_drop(r);
    replay_block_put(r, r->small);
    spares_free(r);
    mem_free(r->v);
    *r = (struct replay){ 0 };
}

/* -- what was written --------------------------------------------------------------------------------------------------------- */
static bool ranges_grow(struct replay *r)
{
    uint32_t cap = r->cap ? r->cap * 2 : RANGES_FIRST;
    struct replay_range *v = mem_alloc(cap * sizeof *v);
    if (!v)
        return false;
    for (uint32_t i = 0; i < r->n; i++)
        v[(r->base + i) & (cap - 1)] = *range_of(r, r->base + i);
    mem_free(r->v);
    r->v = v;
    r->cap = cap;
    return true;
}

leat_err replay_room(struct replay *r, size_t copied)
{
    if (r->cap - r->n < 2 && !ranges_grow(r))
        return LEAT_NOMEM;
    if (!copied || (r->small && r->small->b.cap - r->small->b.len >= copied))
        return LEAT_OK;
    if (r->small && r->small->refs == 1)             /* nothing of it is in the ring any more */
        buf_reset(&r->small->b);
    if (r->small && r->small->b.cap - r->small->b.len >= copied)
        return LEAT_OK;
    struct replay_block *x = replay_block(r);
    if (!x || !buf_room(&x->b, MAX(copied, (size_t)BLOCK))) {
        if (x)
            block_free(x);
        return LEAT_NOMEM;
    }
    replay_block_put(r, r->small);
    r->small = x;
    return LEAT_OK;
}

void replay_keep(struct replay *r, struct replay_block *in, const struct replay_part *x)
{
    if (!x->frames)
        return;
    assert(r->n < r->cap);
    struct replay_range *last = r->n ? range_of(r, r->base + r->n - 1) : NULL;
    assert(!last || last->first + last->frames == x->first);
    r->bytes += x->len + x->tail.len;
    if (last && last->block == in && last->p + last->len == x->p && !last->tail.of) {
        last->frames += x->frames;
        last->len += x->len;
        last->tail = x->tail;
        return;
    }
    in->refs++;
    *range_of(r, r->base + r->n++) = (struct replay_range){ x->first, x->frames, x->p, x->len, in, x->tail };
}

void replay_copy(struct replay *r, const struct replay_part *x)
{
    if (!x->frames)
        return;
    struct replay_part here = *x;
    here.p = buf_add(&r->small->b, x->len);
    assert(here.p);
    memcpy(here.p, x->p, x->len);
    replay_keep(r, r->small, &here);
}

void replay_ack(struct replay *r, uint64_t number)
{
    while (r->n) {
        struct replay_range *x = range_of(r, r->base);
        if (x->first + x->frames - 1 > number)
            return;
        range_drop(r);
    }
    if (r->small && r->small->refs == 1)
        buf_reset(&r->small->b);
}

/* -- once more ---------------------------------------------------------------------------------------------------------------- */
static bool numbered(const uint8_t *p) { return p[4] >= FRAME_FIRST_NUMBERED; }

/* Of a frame in x, how many bytes lie there.  The rest is its tail. */
static size_t bytes_here(const struct replay_range *x, size_t at) { return MIN(frame_bytes(x->p + at), x->len - at); }

struct replay_cursor replay_from(const struct replay *r, uint64_t number)
{
    struct replay_cursor c = { r->base, 0 };
    for (; c.range < r->base + r->n; c.range++) {
        const struct replay_range *x = range_of(r, c.range);
        if (number >= x->first + x->frames)
            continue;
        for (uint64_t k = x->first; k < number; c.at += bytes_here(x, c.at))
            k += numbered(x->p + c.at);
        break;
    }
    return c;
}

size_t replay_next(struct replay *r, struct replay_cursor *c, size_t max, struct replay_part *ret)
{
    *ret = (struct replay_part){ .len = 0 };
    if (c->range < r->base)
        *c = (struct replay_cursor){ r->base, 0 };     /* acknowledged meanwhile */
    if (c->range >= r->base + r->n)
        return 0;
    struct replay_range *x = range_of(r, c->range);
    size_t from = c->at, at = from;
    while (at < x->len && (at == from || at + frame_bytes(x->p + at) - from <= max))
        at += bytes_here(x, at);
    ret->p = x->p + from;
    ret->len = at - from;
    if (at == x->len)
        ret->tail = x->tail;
    *c = at < x->len ? (struct replay_cursor){ c->range, at } : (struct replay_cursor){ c->range + 1, 0 };
    return ret->len + ret->tail.len;
}
