/* gather.c - what has come of an element that is not whole yet.  Reader task only.
 *
 * A text or a list of numbers in it that is large gets its memory when its beginning has come, and all of it goes there: from the link
 * itself, where home_land is asked (reader.c), else from the inbox.  That is the memory which the receiver will own.  All else of the
 * element waits in `head`.  An element of which no such part is found, as one that is a long list of small values, waits there whole.
 * Law: what a peer makes this side allocate is at most SPREAD times what has come of the element, whatever it announces. */
#include "base/alloc.h"
#include "run/err.h"
#include "plat/mem.h"
#include "sess/home.h"
#include "sess/large.h"

enum { PART_MIN = 4 << 10, SPREAD = 32 };

struct partial {
    struct buf head;
    struct type_part part;                           /* len 0: none */
    size_t have, cap;                                /* bytes of the part: there, and there is room for */
};

void gather_free(struct end *e)
{
    struct partial *x = e->partial;
    if (!x)
        return;
    buf_free(&x->head);
    mem_free(x->part.p);
    mem_free(x);
    e->partial = NULL;
}

/* Room for n more bytes of the part, of which `come` bytes in all have come.  NULL: not yet, or no memory. */
static uint8_t *part_room(struct partial *x, size_t n, size_t come)
{
    size_t need = x->have + n, most = come * SPREAD;
    if (need > x->cap) {
        void *p = need <= most ? mem_realloc(x->part.p, MIN(x->part.len, most)) : NULL;
        if (!p)
            return NULL;
        x->part.p = p;
        x->cap = MIN(x->part.len, most);
        if (x->cap >= LARGE_RECYCLE)
            plat_mem_recycle();
    }
    return (uint8_t *)x->part.p + x->have;
}

static leat_err no_memory(void) { return leat_fail(LEAT_NOMEM, "no memory for an element"); }

static leat_err begin(struct end *e, struct cur *piece)
{
    struct partial *x = e->partial = mem_zalloc(sizeof *x);
    if (!x)
        return no_memory();
    x->head.max = LIMIT_ELEM;
    if (e->as || !type_find_part(e->type, *piece, PART_MIN, &x->part))
        return LEAT_OK;
    if (x->part.at + x->part.len > LIMIT_ELEM) {     /* it will be refused when it has come */
        x->part.len = 0;
        return LEAT_OK;
    }
    x->head.max = LIMIT_ELEM - x->part.len;
    buf_put(&x->head, cur_take(piece, x->part.at), x->part.at);
    return buf_err(&x->head) == LEAT_OK ? LEAT_OK : no_memory();
}

leat_err gather_add(struct end *e, struct cur piece)
{
    if (!e->partial)
        LEAT_TRY(begin(e, &piece));
    struct partial *x = e->partial;
    size_t n = MIN(cur_left(&piece), x->part.len - x->have);
    uint8_t *to = n ? part_room(x, n, x->have + n) : NULL;
    if (n && !to)
        return no_memory();
    if (n) {
        memcpy(to, cur_take(&piece, n), n);
        x->have += n;
    }
    buf_put(&x->head, piece.p, cur_left(&piece));
    if (buf_err(&x->head) == LEAT_LIMIT)
        return leat_fail(LEAT_LIMIT, "an element of more than %d bytes", LIMIT_ELEM);
    return buf_err(&x->head) == LEAT_OK ? LEAT_OK : no_memory();
}

uint8_t *gather_room(struct end *e, size_t n)
{
    struct partial *x = e->partial;
    return x && n <= x->part.len - x->have ? part_room(x, n, x->have) : NULL;
}

void gather_landed(struct end *e, size_t n) { e->partial->have += n; }

leat_err gather_whole(struct end *e, struct cur *ret, struct type_part **part)
{
    struct partial *x = e->partial;
    if (x->have < x->part.len)
        return leat_fail(LEAT_TYPE, "%s: %zu bytes announced, %zu have come", e->type->name, x->part.len, x->have);
    *ret = cur_of(x->head.p, x->head.len);
    *part = x->part.len ? &x->part : NULL;
    return LEAT_OK;
}
