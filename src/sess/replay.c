/* replay.c - see replay.h. */
#include "sess/replay.h"
#include <assert.h>
#include "base/alloc.h"
#include "sess/frame.h"

enum {
    SPARE_BYTES = 1 << 20,                           /* memory kept in spare blocks: about what a stream has under way */
    KEEP = 256 << 10,                                /* a block with more memory is given back */
    BLOCK = 4096,                                    /* bytes of a block for what is copied */
    RANGES_FIRST = 8,
};

static struct replay_range *range_of(const struct replay *r, uint64_t i) { return &r->v[i & (r->cap - 1)]; }

/* -- blocks ------------------------------------------------------------------------------------------------------------------- */
static void block_free(struct replay_block *x)
{
    buf_free(&x->b);
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

void replay_free(struct replay *r)
{
    for (; r->n; r->n--)
        replay_block_put(r, range_of(r, r->base++)->block);
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
    r->bytes += x->len;
    if (last && last->block == in && last->p + last->len == x->p) {
        last->frames += x->frames;
        last->len += x->len;
        return;
    }
    in->refs++;
    *range_of(r, r->base + r->n++) = (struct replay_range){ x->first, x->frames, x->p, x->len, in };
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
        r->bytes -= x->len;
        replay_block_put(r, x->block);
        r->base++;
        r->n--;
    }
    if (r->small && r->small->refs == 1)
        buf_reset(&r->small->b);
}

/* -- once more ---------------------------------------------------------------------------------------------------------------- */
static bool numbered(const uint8_t *p) { return p[4] >= FRAME_FIRST_NUMBERED; }

struct replay_cursor replay_from(const struct replay *r, uint64_t number)
{
    struct replay_cursor c = { r->base, 0 };
    for (; c.range < r->base + r->n; c.range++) {
        const struct replay_range *x = range_of(r, c.range);
        if (number >= x->first + x->frames)
            continue;
        for (uint64_t k = x->first; k < number; c.at += frame_bytes(x->p + c.at))
            k += numbered(x->p + c.at);
        break;
    }
    return c;
}

size_t replay_next(struct replay *r, struct replay_cursor *c, size_t max, uint8_t **p)
{
    if (c->range < r->base)
        *c = (struct replay_cursor){ r->base, 0 };     /* acknowledged meanwhile */
    if (c->range >= r->base + r->n)
        return 0;
    struct replay_range *x = range_of(r, c->range);
    size_t from = c->at, at = from;
    while (at < x->len && (at == from || at + frame_bytes(x->p + at) - from <= max))
        at += frame_bytes(x->p + at);
    *p = x->p + from;
    *c = at < x->len ? (struct replay_cursor){ c->range, at } : (struct replay_cursor){ c->range + 1, 0 };
    return at - from;
}
