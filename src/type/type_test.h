/* type_test.h - the types, and the help, that the tests of this floor share. */
#ifndef TYPE_TYPE_TEST_H
#define TYPE_TYPE_TEST_H
#include "t.h"
#include "base/alloc.h"
#include "base/rng.h"
#include "type/codec.h"
#include "type/desc.h"

LEAT_ENUM(color, (red, 0), (green, 1), (minus, -7));
LEAT_STRUCT(circle, (float64, r));
LEAT_STRUCT(square, (float64, side), (string, label));
LEAT_ONEOF(shape, (struct(circle), circle), (struct(square), square), (string, words), (int8, tiny));
LEAT_STRUCT(point, (int32, x), (int32, y));                                   /* no padding: raw */
LEAT_STRUCT(loose, (int8, a), (int64, b), (bool, c), (float32, d), (int16, e));      /* padding everywhere */
LEAT_STRUCT(numbers, (int8, a), (int16, b), (int32, c), (int64, d), (uint8, e), (uint16, f), (uint32, g), (uint64, h),
    (float32, i), (float64, j), (bool, k));
LEAT_STRUCT(node, (string, name), (optional(node), left), (optional(node), right), (list(node), kids), (map(node), by_name));
LEAT_STRUCT(all, (string, name), (bytes, raw), (optional(point), spot), (list(point), points), (list(loose), looses),
    (map(square), squares), (strings, names), (int64s, ids), (float64s, weights), (array(uint16_t, 5), five),
    (enum(color), color), (oneof(shape), shape), (struct(numbers), numbers), (date, when), (duration, took),
    (error, failed), (struct(node), tree));
struct old { unsigned long long id; char name[32]; char *note; void *lock; long n; };
LEAT_DESCRIBE(old, (uint64, id), (chars(32), name), (cstr, note), (local, lock), (int64, n));
struct handle { void *lock; };
LEAT_DESCRIBE(handle, (local, lock));
LEAT_STRUCT(word, (string, text), (uint64, times));
LEAT_STRUCT(shard, (string, text), (tx(word), out), (rx(word), in));

/* fails the allocation with this number, from 0; none when negative */
struct failing { long at, count; };
static inline bool failing_hook(void *self, size_t n)
{
    struct failing *f = self;
    (void)n;
    return f->count++ == f->at;
}

/* counts what decoding takes, as limits.h counts it */
struct taking { size_t bytes; };
static inline bool taking_hook(void *self, size_t n)
{
    ((struct taking *)self)->bytes += n;
    return false;
}

/* == Any value of any type. ============================================================================================== */
static inline void fill_field(const leat_type *inner, unsigned kind, uint32_t size, char *at, struct rng *r, int depth);

static inline void fill_text(char *at, struct rng *r)
{
    uint32_t n = rng_below(r, 20) ? rng_below(r, 12) : rng_below(r, 1000);
    leat_string s = { n ? malloc(n) : NULL, n, n > 0 };
    for (uint32_t i = 0; i < n; i++)
        ((char *)(uintptr_t)s.p)[i] = (char)rng_next(r);
    memcpy(at, &s, sizeof s);
}

static inline void fill_list(const leat_type *t, char *at, bool map, struct rng *r, int depth)
{
    uint32_t n = depth < 3 ? rng_below(r, 4) : 0, off = map ? 16 : 0, stride = map ? (16 + t->size + 7) & ~7u : t->size;
    leat_strings list = { n ? calloc(n, stride) : NULL, n, n };
    for (uint32_t i = 0; i < n; i++) {
        char *x = (char *)list.at + (size_t)i * stride;
        if (map)
            fill_text(x, r);
        fill_field(t, t->kind, t->size, x + off, r, depth + 1);
    }
    memcpy(at, &list, sizeof list);
}

static inline void fill_error(leat_error *e, struct rng *r)
{
    for (uint32_t n = rng_below(r, 4); ; n--) {
        e->code = (leat_err)rng_below(r, 15);
        fill_text((char *)&e->text, r);
        if (rng_below(r, 2))
            fill_text((char *)&e->node, r);
        if (rng_below(r, 3) == 0)
            fill_text((char *)&e->details, r);
        if (n == 0)
            return;
        e->cause = calloc(1, sizeof *e->cause);
        e = e->cause;
    }
}

static inline void fill_members(const leat_type *t, char *at, struct rng *r, int depth)
{
    if (t->kind == LEAT_K_ONEOF_) {
        uint32_t which = rng_below(r, t->count + 1);
        memcpy(at, &which, 4);
        const leat_field *f = which ? type_field(t, which - 1) : NULL;
        if (f)
            fill_field(f->type, f->kind, f->size, at + f->offset, r, depth);
        return;
    }
    for (uint32_t i = 0; i < t->count; i++) {
        const leat_field *f = type_field(t, i);
        fill_field(f->type, f->kind, f->size, at + f->offset, r, depth);
    }
}

static inline void fill_field(const leat_type *inner, unsigned kind, uint32_t size, char *at, struct rng *r, int depth)
{
    void *p = NULL;
    switch (kind) {
    case LEAT_K_BOOL_: *at = (char)rng_below(r, 2); break;
    case LEAT_K_STRING_: case LEAT_K_BYTES_: fill_text(at, r); break;
    case LEAT_K_ERROR_: fill_error((leat_error *)(void *)at, r); break;
    case LEAT_K_STRUCT_: case LEAT_K_ONEOF_: fill_members(inner, at, r, depth); break;
    case LEAT_K_LIST_: case LEAT_K_MAP_: fill_list(inner, at, kind == LEAT_K_MAP_, r, depth); break;
    case LEAT_K_OPTIONAL_:
        if (depth < 4 && rng_below(r, 2)) {
            p = calloc(1, inner->size);
            fill_field(inner, inner->kind, inner->size, p, r, depth + 1);
        }
        memcpy(at, &p, sizeof p);
        break;
    case LEAT_K_CSTR_: p = rng_below(r, 4) ? strdup("some text") : NULL; memcpy(at, &p, sizeof p); break;
    case LEAT_K_CHARS_: memset(at, 'c', rng_below(r, size)); break;
    case LEAT_K_TX_: case LEAT_K_RX_: case LEAT_K_LOCAL_: break;
    default:
        for (uint32_t i = 0; i < size; i++)
            at[i] = (char)rng_next(r);
    }
}
/* *v is zero */
static inline void fill(const leat_type *t, void *v, struct rng *r) { fill_field(t, t->kind, t->size, v, r, 0); }

/* Whether two values are equal, by their description and no codec: what a codec loses both ways it would lose here, too. */
static inline bool same_field(const leat_type *inner, unsigned kind, uint32_t size, const char *a, const char *b);

static inline bool equal_text(const char *a, const char *b)
{
    leat_string x, y;                                /* bytes are laid out alike */
    memcpy(&x, a, sizeof x);
    memcpy(&y, b, sizeof y);
    return x.len == y.len && (x.len == 0 || memcmp(x.p, y.p, x.len) == 0);
}

static inline bool same_list(const leat_type *t, bool map, const char *a, const char *b)
{
    uint32_t off = map ? 16 : 0, stride = map ? (16 + t->size + 7) & ~7u : t->size;
    leat_strings x, y;
    memcpy(&x, a, sizeof x);
    memcpy(&y, b, sizeof y);
    bool same = x.len == y.len;
    for (uint32_t i = 0; same && i < x.len; i++) {
        const char *at = (const char *)x.at + (size_t)i * stride, *other = (const char *)y.at + (size_t)i * stride;
        same = (!map || equal_text(at, other)) && same_field(t, t->kind, t->size, at + off, other + off);
    }
    return same;
}

static inline bool same_members(const leat_type *t, const char *a, const char *b)
{
    uint32_t which = 0;
    if (t->kind == LEAT_K_ONEOF_) {
        memcpy(&which, a, 4);
        if (memcmp(a, b, 4) != 0 || which == 0)
            return memcmp(a, b, 4) == 0;
    }
    for (uint32_t i = which ? which - 1 : 0; i < (which ? which : t->count); i++) {
        const leat_field *f = type_field(t, i);
        if (!same_field(f->type, f->kind, f->size, a + f->offset, b + f->offset))
            return false;
    }
    return true;
}

static inline bool same_field(const leat_type *inner, unsigned kind, uint32_t size, const char *a, const char *b)
{
    const char *x, *y;
    switch (kind) {
    case LEAT_K_STRING_: case LEAT_K_BYTES_: return equal_text(a, b);
    case LEAT_K_ERROR_: return memcmp(a, b, sizeof(leat_err)) == 0 && equal_text(a + 8, b + 8);
    case LEAT_K_STRUCT_: case LEAT_K_ONEOF_: return same_members(inner, a, b);
    case LEAT_K_LIST_: case LEAT_K_MAP_: return same_list(inner, kind == LEAT_K_MAP_, a, b);
    case LEAT_K_CHARS_: return strcmp(a, b) == 0;
    case LEAT_K_TX_: case LEAT_K_RX_: case LEAT_K_LOCAL_: return true;
    case LEAT_K_OPTIONAL_: case LEAT_K_CSTR_:
        memcpy(&x, a, sizeof x);
        memcpy(&y, b, sizeof y);
        if (!x || !y)
            return x == y;
        return kind == LEAT_K_CSTR_ ? strcmp(x, y) == 0 : same_field(inner, inner->kind, inner->size, x, y);
    default: return memcmp(a, b, size) == 0;
    }
}

static inline bool same_value(const leat_type *t, const void *a, const void *b) { return same_field(t, t->kind, t->size, a, b); }
#endif
