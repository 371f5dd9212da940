/* make_form.c - forms that are almost those of a described type, and values of any form. */
#include <string.h>
#include "base/base.h"
#include "base/limits.h"
#include "fuzz.h"
#include "make.h"
#include "type/form.h"
#include "type/desc.h"

enum { MEMBERS = 40, DEEP = 8, STOP = 60, WIDE = 600 };

/* -- forms ---------------------------------------------------------------------------------------------------------------------------- */
struct vary { struct cur in; struct rng *r; uint32_t odds; };
static void vary_type(struct vary *x, struct buf *out);

static bool now(struct vary *x) { return rng_below(x->r, x->odds) == 0; }

static void new_type(struct vary *x, struct buf *out)
{
    static const uint8_t plain[] = { LEAT_K_BOOL_, LEAT_K_STRING_, LEAT_K_BYTES_, LEAT_K_DATE_, LEAT_K_DURATION_, LEAT_K_ERROR_,
        LEAT_K_CSTR_ };
    uint32_t k = rng_below(x->r, 13);
    if (k < 3) {                                     /* something around another */
        static const uint8_t around[] = { LEAT_K_OPTIONAL_, LEAT_K_LIST_, LEAT_K_MAP_, LEAT_K_TX_, LEAT_K_RX_ };
        buf_u8(out, around[rng_below(x->r, sizeof around)]);
        new_type(x, out);
    } else if (k < 6) {
        bool real = rng_below(x->r, 3) == 0;
        buf_u8(out, real ? LEAT_K_FLOAT_ : rng_below(x->r, 2) ? LEAT_K_INT_ : LEAT_K_UINT_);
        buf_u8(out, (uint8_t)(real ? 4 << rng_below(x->r, 2) : 1 << rng_below(x->r, 4)));
    } else if (k == 6) {
        buf_u8(out, LEAT_K_CHARS_);
        buf_varint(out, 1 + rng_below(x->r, 80));
    } else if (k == 7) {
        buf_u8(out, LEAT_K_ARRAY_);
        buf_varint(out, 1 + rng_below(x->r, 12));
        buf_u8(out, LEAT_K_UINT_);
        buf_u8(out, (uint8_t)(1 << rng_below(x->r, 4)));
    } else if (k == 8) {
        static const uint8_t made[] = { LEAT_K_STRUCT_, LEAT_K_ENUM_, LEAT_K_ONEOF_ };
        uint8_t kind = made[rng_below(x->r, 3)];
        buf_u8(out, kind);
        buf_put(out, "\0\1\1x\0", 5);                /* one member, x, without a tag */
        if (kind != LEAT_K_ENUM_)
            new_type(x, out);
    } else {
        buf_u8(out, plain[rng_below(x->r, sizeof plain)]);
    }
}

static void vary_member(struct vary *x, unsigned kind, struct buf *out)
{
    static const char *const names[] = { "x", "name", "text", "tiny", "words", "fresh", "\x7f", "id", "label" };
    size_t n;
    const char *name = cur_text(&x->in, &n);
    uint64_t tag = cur_varint(&x->in);
    if (now(x)) {
        name = names[rng_below(x->r, ARRAY_LEN(names))];
        n = strlen(name);
    }
    if (now(x))
        tag = form_zigzag((int64_t)rng_below(x->r, 4) - 1);
    buf_text(out, name, n);
    buf_varint(out, tag);
    if (kind != LEAT_K_ENUM_)
        vary_type(x, out);
}

static void vary_members(struct vary *x, unsigned kind, struct buf *out)
{
    struct buf all[MEMBERS] = { { 0 } };
    uint64_t up = cur_varint(&x->in), count = up ? 0 : cur_varint(&x->in);
    uint32_t n = 0;
    if (up) {
        buf_varint(out, now(x) ? 1 + rng_below(x->r, 3) : up);
        return;
    }
    FUZZ_CHECK(count + 2 < MEMBERS);
    for (uint64_t i = 0; i < count; i++) {
        buf_reset(&all[n]);
        vary_member(x, kind, &all[n]);
        n += !now(x);
        if (now(x) && n + 1 < MEMBERS) {
            buf_reset(&all[n]);
            buf_text(&all[n], i % 2 ? "extra" : "more", i % 2 ? 5 : 4);
            buf_varint(&all[n], form_zigzag(rng_below(x->r, 3)));
            if (kind != LEAT_K_ENUM_)
                new_type(x, &all[n]);
            n++;
        }
    }
    uint32_t first = n && now(x) ? rng_below(x->r, n) : 0;       /* turned around */
    buf_varint(out, 0);
    buf_varint(out, n);
    for (uint32_t i = 0; i < n; i++)
        buf_put(out, all[(i + first) % n].p, all[(i + first) % n].len);
    for (uint32_t i = 0; i < MEMBERS; i++)
        buf_free(&all[i]);
}

/* One type of x->in, which is valid. */
static void vary_type(struct vary *x, struct buf *out)
{
    struct buf gone = { 0 }, *to = now(x) ? &gone : out;
    if (now(x))
        buf_u8(out, rng_below(x->r, 2) ? LEAT_K_OPTIONAL_ : LEAT_K_LIST_);
    if (to == &gone)                                 /* another in its place */
        new_type(x, out);
    uint8_t kind = cur_u8(&x->in);
    bool around = kind == LEAT_K_OPTIONAL_ || kind == LEAT_K_LIST_ || kind == LEAT_K_MAP_ || kind == LEAT_K_TX_ || kind == LEAT_K_RX_;
    if (!around || !now(x))
        buf_u8(to, kind);
    if (around) {
        vary_type(x, to);
    } else if (kind == LEAT_K_STRUCT_ || kind == LEAT_K_ENUM_ || kind == LEAT_K_ONEOF_) {
        vary_members(x, kind, to);
    } else if (kind == LEAT_K_CHARS_ || kind == LEAT_K_ARRAY_) {
        uint64_t n = cur_varint(&x->in);
        buf_varint(to, now(x) ? 1 + rng_below(x->r, 100) : n);
    }
    if (kind == LEAT_K_ARRAY_)
        buf_u8(to, cur_u8(&x->in));
    if (kind == LEAT_K_ARRAY_ || kind == LEAT_K_INT_ || kind == LEAT_K_UINT_ || kind == LEAT_K_FLOAT_) {
        uint8_t size = cur_u8(&x->in);
        buf_u8(to, now(x) ? (uint8_t)(1 << rng_below(x->r, 4)) : size);
    }
    buf_free(&gone);
}

void make_form(struct cur form, struct rng *r, struct buf *out)
{
    static const uint32_t odds[] = { 1000, 60, 25, 8 };
    struct vary x = { form, r, odds[rng_below(r, ARRAY_LEN(odds))] };
    buf_u8(out, cur_u8(&x.in));
    for (uint32_t deep = rng_below(r, 60) ? 0 : LIMIT_TYPE_DEPTH - 2 + rng_below(r, 4); deep; deep--)
        buf_u8(out, deep % 5 ? LEAT_K_LIST_ : LEAT_K_OPTIONAL_);
    vary_type(&x, out);
}

/* -- values ---------------------------------------------------------------------------------------------------------------------------- */
struct open { struct cur at[LIMIT_TYPE_DEPTH]; uint32_t n, depth; bool past, stuck; struct rng *r; };      /* past: to get past it */
static void value(struct open *o, struct cur *form, struct buf *out);

static void text(struct open *o, struct buf *out, uint64_t room, bool with_nul)
{
    uint64_t n = rng_below(o->r, 20) ? rng_below(o->r, 10) : rng_below(o->r, 300);
    n = MIN(n, room);
    buf_varint(out, n + with_nul);
    for (uint64_t i = 0; i < n; i++)
        buf_u8(out, (uint8_t)('a' + rng_below(o->r, 26)));
}

static void numbers(struct open *o, struct buf *out, uint64_t count, unsigned size)
{
    for (uint64_t i = 0; i < count && i < WIDE; i++) {
        uint64_t v = make_number(o->r);
        for (unsigned k = 0; k < size; k++)
            buf_u8(out, (uint8_t)(k < 8 ? v >> 8 * k : 0));
    }
}

/* The definition that is next at *form: its members' values, or of a oneof one of them. */
static void defined(struct open *o, unsigned kind, struct cur at, struct cur *form, struct buf *out)
{
    uint64_t up = cur_varint(form);
    o->stuck |= o->depth > STOP || up > o->n;        /* a struct that holds itself, or what is no form */
    if (o->stuck) {
        cur_fail(form);
        return;
    }
    if (up > 0 && o->past)
        return;
    if (up > 0) {                                    /* of what is around it, once more */
        uint32_t was = o->n;
        struct cur again = o->at[o->n - up];
        o->n -= (uint32_t)up;
        value(o, &again, out);
        o->n = was;
        return;
    }
    uint64_t count = cur_varint(form), which = 0;
    if (kind == LEAT_K_ENUM_) {
        numbers(o, out, 1, 4);
    } else if (kind == LEAT_K_ONEOF_) {
        which = o->depth < DEEP && !o->past ? rng_below(o->r, (uint32_t)MIN(count, (uint64_t)1000) + 1) : 0;
        buf_varint(out, which);
    }
    if (o->n == LIMIT_TYPE_DEPTH)
        return;
    o->at[o->n++] = at;
    for (uint64_t i = 1; i <= count && !form->bad; i++) {
        size_t n, len = out->len;
        (void)cur_text(form, &n);
        (void)cur_varint(form);
        if (kind != LEAT_K_ENUM_)
            value(o, form, out);
        if (kind == LEAT_K_ONEOF_ && i != which)
            buf_undo(out, len);
    }
    o->n--;
}

/* So many values of what is next at *form, each behind a key if it is a map's. */
static void some(struct open *o, uint32_t n, bool keys, struct cur *form, struct buf *out)
{
    struct cur at = *form;
    struct buf none = { 0 };
    for (uint32_t i = 0; i < n; i++) {
        struct cur again = at;
        if (keys)
            text(o, out, WIDE, false);
        value(o, &again, out);
    }
    bool was = o->past;
    o->past = true;
    value(o, form, &none);
    o->past = was;
    buf_free(&none);
}

static void value(struct open *o, struct cur *form, struct buf *out)
{
    struct cur at = *form;
    unsigned kind = o->stuck ? 0 : cur_u8(form);
    bool more = !o->past && o->depth < DEEP && out->len < 4000;
    uint32_t n = more ? rng_below(o->r, 3) : 0;
    o->depth++;
    switch (kind) {
    case LEAT_K_BOOL_: buf_u8(out, (uint8_t)rng_below(o->r, 2)); break;
    case LEAT_K_INT_: case LEAT_K_UINT_: case LEAT_K_FLOAT_: numbers(o, out, 1, cur_u8(form)); break;
    case LEAT_K_STRING_: case LEAT_K_BYTES_: text(o, out, WIDE, false); break;
    case LEAT_K_DATE_:
        buf_u64(out, rng_below(o->r, 8) ? rng_below(o->r, UINT32_MAX) : make_number(o->r));
        buf_u32(out, rng_below(o->r, 1000000000));
        buf_u32(out, (rng_below(o->r, 1440) - 720) * 60);
        break;
    case LEAT_K_DURATION_: numbers(o, out, 1, 8); break;
    case LEAT_K_ERROR_: {
        uint32_t rows = rng_below(o->r, 20) ? rng_below(o->r, 3) : 17;
        for (uint32_t i = 0; i <= rows; i++) {
            buf_u32(out, rng_below(o->r, 15) | (rows ? 1u << 31 : 0));
            text(o, out, WIDE, false);
            for (int k = 0; rows && k < 2; k++)
                text(o, out, WIDE, false);
            if (rows)
                buf_u8(out, i < rows);
        }
        break;
    }
    case LEAT_K_STRUCT_: case LEAT_K_ENUM_: case LEAT_K_ONEOF_: defined(o, kind, at, form, out); break;
    case LEAT_K_OPTIONAL_:
        buf_u8(out, (uint8_t)(n = MIN(n, 1u)));
        some(o, n, false, form, out);
        break;
    case LEAT_K_LIST_: case LEAT_K_MAP_:
        buf_varint(out, n);
        some(o, n, kind == LEAT_K_MAP_, form, out);
        break;
    case LEAT_K_ARRAY_: {
        uint64_t count = cur_varint(form);
        (void)cur_u8(form);
        numbers(o, out, count, cur_u8(form));
        break;
    }
    case LEAT_K_TX_: case LEAT_K_RX_:
        buf_u8(out, (uint8_t)(n = MIN(n, 1u)));
        if (n)
            buf_u8(out, (uint8_t)rng_below(o->r, 2));
        some(o, 0, false, form, out);
        break;
    case LEAT_K_CSTR_: n ? text(o, out, WIDE, true) : buf_u8(out, 0); break;
    case LEAT_K_CHARS_: text(o, out, cur_varint(form) - 1, false); break;
    default: cur_fail(form);
    }
    o->depth--;
}

void make_value(struct cur form, struct rng *r, struct buf *out)
{
    struct open o = { .r = r };
    (void)cur_u8(&form);
    value(&o, &form, out);
}
