/* buf.h - bytes to be sent and bytes received.
 *
 * struct buf grows as bytes are put into it.  {0} is ready.  A put that finds no memory, or would pass the limit, marks the buffer
 * as failed and from then on every put does nothing: so a writer puts all it has and asks buf_err once at the end.
 * struct cur reads bytes that somebody else owns.  A read past the end marks it bad and gives 0; from then on every read does: so
 * a reader reads all it wants and asks cur.bad once, before it believes a value that it will act on.
 * Numbers are little-endian.  A varint is LEB128: seven bits a byte, low ones first, at most 10 bytes, and the shortest form only.
 * Neither is for two threads at once.  No OS, no runtime. */
#ifndef BASE_BUF_H
#define BASE_BUF_H
#include <string.h>
#include "base/base.h"
#include "leat.h"

enum { BUF_VARINT_MAX = 10 };

struct buf {
    uint8_t *p;
    size_t len, cap;
    size_t max;                                      /* the largest len; 0: LIMIT_BUF; set before the first put, then by buf_limit */
    leat_err err;                                    /* LEAT_OK, or why it failed: LEAT_NOMEM, LEAT_LIMIT */
    bool lent;                                       /* p is not its own: see buf_on */
};

/* A buffer that begins in cap bytes of the caller's, and asks for memory only when it grows beyond them.  buf_free as always. */
static inline struct buf buf_on(void *p, size_t cap, size_t max) { return (struct buf){ .p = p, .cap = cap, .max = max, .lent = true }; }

void buf_free(struct buf *b);                        /* gives the memory back; then it is as {0}, but keeps max */
bool buf_more_(struct buf *b, size_t n);

static inline leat_err buf_err(const struct buf *b) { return b->err; }
void buf_limit(struct buf *b, size_t max);           /* from now on; fails with LEAT_LIMIT at once when it is longer already */
static inline void buf_reset(struct buf *b) { b->len = 0; b->err = LEAT_OK; }     /* keeps the memory for the next use */

static inline void buf_undo(struct buf *b, size_t len) { b->len = len; b->err = LEAT_OK; }  /* back to when it was len long and well */

/* room for n more bytes without counting them yet: write at the result, then b->len += what was written.  NULL: failed */
static inline uint8_t *buf_room(struct buf *b, size_t n)
{
    if (unlikely(b->err != LEAT_OK || n > b->cap - b->len) && !buf_more_(b, n))
        return NULL;
    return b->p + b->len;
}

/* n more bytes, counted, to be written by the caller.  NULL: failed.  Valid until the next put. */
static inline uint8_t *buf_add(struct buf *b, size_t n)
{
    uint8_t *p = buf_room(b, n);
    if (p)
        b->len += n;
    return p;
}

/* memory order to wire order and back */
static inline uint16_t le16(uint16_t v) { return __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? v : __builtin_bswap16(v); }
static inline uint32_t le32(uint32_t v) { return __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? v : __builtin_bswap32(v); }
static inline uint64_t le64(uint64_t v) { return __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? v : __builtin_bswap64(v); }

/* memcpy for what is mostly short: up to 32 bytes without a call, as moves that may overlap.  p may be NULL when n is 0 */
static inline void copy_short(void *restrict to, const void *restrict from, size_t n)
{
    char *t = to;
    const char *f = from;
    if (n >= 16 && n <= 32) {
        memcpy(t, f, 16);
        memcpy(t + n - 16, f + n - 16, 16);
    } else if (n >= 8 && n < 16) {
        memcpy(t, f, 8);
        memcpy(t + n - 8, f + n - 8, 8);
    } else if (n >= 4 && n < 8) {
        memcpy(t, f, 4);
        memcpy(t + n - 4, f + n - 4, 4);
    } else if (n > 32) {
        memcpy(t, f, n);
    } else if (n > 0) {
        t[0] = f[0];
        t[n / 2] = f[n / 2];
        t[n - 1] = f[n - 1];
    }
}

/* memset to 0 for what is mostly short: from 16 to 64 bytes without a call */
static inline void zero_short(void *p, size_t n)
{
    char *t = p;
    if (unlikely(n < 16 || n > 64)) {
        memset(p, 0, n);
        return;
    }
    memset(t, 0, 16);
    memset(t + n - 16, 0, 16);
    if (n > 32) {
        memset(t + 16, 0, 16);
        memset(t + n - 32, 0, 16);
    }
}

static inline void buf_put(struct buf *b, const void *p, size_t n)                /* p may be NULL when n is 0 */
{
    uint8_t *to = buf_add(b, n);
    if (to && n)
        memcpy(to, p, n);
}
static inline void buf_u8(struct buf *b, uint8_t v) { buf_put(b, &v, 1); }
static inline void buf_u16(struct buf *b, uint16_t v) { v = le16(v); buf_put(b, &v, 2); }
static inline void buf_u32(struct buf *b, uint32_t v) { v = le32(v); buf_put(b, &v, 4); }
static inline void buf_u64(struct buf *b, uint64_t v) { v = le64(v); buf_put(b, &v, 8); }
void buf_varint_(struct buf *b, uint64_t v);
static inline void buf_varint(struct buf *b, uint64_t v)
{
    if (v < 0x80)
        buf_u8(b, (uint8_t)v);
    else
        buf_varint_(b, v);
}
void buf_text(struct buf *b, const char *s, size_t n);                            /* varint n, then the bytes */
void buf_set_u32(struct buf *b, size_t at, uint32_t v);                           /* into bytes put before; nothing when failed */

struct cur {
    const uint8_t *p, *end;
    bool bad;                                        /* a read went past the end, or a varint was malformed */
};

static inline struct cur cur_of(const void *p, size_t n)
{
    const uint8_t *at = p;
    return (struct cur){ at, n ? at + n : at, false };
}
static inline size_t cur_left(const struct cur *c) { return (size_t)(c->end - c->p); }
static inline bool cur_done(const struct cur *c) { return !c->bad && c->p == c->end; }      /* all read, all good */
static inline void cur_fail(struct cur *c) { c->bad = true; c->p = c->end; }

/* the next n bytes, where they lie; NULL: there are not so many.  (n = 0 gives a pointer that is not to be read.) */
static inline const uint8_t *cur_take(struct cur *c, size_t n)
{
    static const uint8_t none[1];
    if (unlikely(c->bad || n > cur_left(c)))
        return cur_fail(c), (const uint8_t *)NULL;
    const uint8_t *p = c->p ? c->p : none;
    if (n)
        c->p += n;
    return p;
}
static inline bool cur_get(struct cur *c, void *to, size_t n)                     /* false: bad, and *to is not written */
{
    const uint8_t *p = cur_take(c, n);
    if (p && n)
        memcpy(to, p, n);
    return p != NULL;
}
static inline uint8_t cur_u8(struct cur *c) { uint8_t v = 0; cur_get(c, &v, 1); return v; }
static inline uint16_t cur_u16(struct cur *c) { uint16_t v = 0; cur_get(c, &v, 2); return le16(v); }
static inline uint32_t cur_u32(struct cur *c) { uint32_t v = 0; cur_get(c, &v, 4); return le32(v); }
static inline uint64_t cur_u64(struct cur *c) { uint64_t v = 0; cur_get(c, &v, 8); return le64(v); }
uint64_t cur_varint_(struct cur *c);
static inline uint64_t cur_varint(struct cur *c) { return likely(c->p < c->end && *c->p < 0x80) ? *c->p++ : cur_varint_(c); }
const char *cur_text(struct cur *c, size_t *n);      /* what buf_text wrote: not NUL-terminated; NULL and *n = 0: bad */
struct cur cur_part(struct cur *c, size_t n);        /* the next n bytes as a cursor of their own; bad if there are not so many */
#endif
