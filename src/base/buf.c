/* buf.c - growth of a buffer, and the reads and writes that are too long to be inline.  See buf.h. */
#include "base/buf.h"
#include "base/alloc.h"
#include "base/limits.h"

enum { BUF_FIRST = 64 };

void buf_free(struct buf *b)
{
    if (!b->lent)
        mem_free(b->p);
    *b = (struct buf){ .max = b->max };
}

void buf_limit(struct buf *b, size_t max)
{
    b->max = max;
    size_t most = max ? max : LIMIT_BUF;
    b->cap = MIN(b->cap, most);                      /* a put compares with cap alone; free and realloc do not need to know */
    if (b->len > most) {
        b->len = most;
        b->err = LEAT_LIMIT;
    }
}

bool buf_more_(struct buf *b, size_t n)
{
    size_t max = b->max ? b->max : LIMIT_BUF;
    if (b->err != LEAT_OK)
        return false;
    if (n > max || b->len > max - n) {
        b->err = LEAT_LIMIT;
        return false;
    }
    size_t want = b->len + n, cap = MAX(b->cap, (size_t)BUF_FIRST);
    while (cap < want)
        cap = cap > max / 2 ? max : cap * 2;         /* want <= max, so this ends */
    cap = MAX(MIN(cap, max), (size_t)1);             /* realloc of 0 bytes may give NULL */
    uint8_t *p = mem_realloc(b->lent ? NULL : b->p, cap);
    if (!p) {
        b->err = LEAT_NOMEM;
        return false;
    }
    if (b->lent && b->len)
        memcpy(p, b->p, b->len);
    b->lent = false;
    b->p = p;
    b->cap = cap;
    return true;
}

void buf_varint_(struct buf *b, uint64_t v)
{
    uint8_t bytes[BUF_VARINT_MAX];
    size_t n = 0;
    for (; v >= 0x80; v >>= 7)
        bytes[n++] = (uint8_t)(v | 0x80);
    bytes[n++] = (uint8_t)v;
    buf_put(b, bytes, n);
}

void buf_text(struct buf *b, const char *s, size_t n)
{
    buf_varint(b, n);
    buf_put(b, s, n);
}

void buf_set_u32(struct buf *b, size_t at, uint32_t v)
{
    v = le32(v);
    if (b->err == LEAT_OK)
        memcpy(b->p + at, &v, sizeof v);
}

uint64_t cur_varint_(struct cur *c)
{
    uint64_t v = 0;
    for (unsigned shift = 0;; shift += 7) {
        uint8_t x = cur_u8(c);
        if (c->bad || (shift == 63 && x > 1) || (shift > 0 && x == 0)) {   /* over 64 bits; not the shortest form */
            cur_fail(c);
            return 0;
        }
        v |= (uint64_t)(x & 0x7f) << shift;
        if (x < 0x80)                                /* the one at 63 at the latest */
            return v;
    }
}

const char *cur_text(struct cur *c, size_t *n)
{
    uint64_t len = cur_varint(c);
    const uint8_t *p = NULL;
    if (len > cur_left(c))
        cur_fail(c);
    else
        p = cur_take(c, (size_t)len);
    *n = p ? (size_t)len : 0;
    return (const char *)p;
}

struct cur cur_part(struct cur *c, size_t n)
{
    const uint8_t *p = cur_take(c, n);
    return p ? cur_of(p, n) : (struct cur){ .bad = true };
}
