/* make.c - inputs that make sense: values of described types as each codec writes them, forms that differ from one here and there, and
 * values of such forms.  What is made is damaged by mutate.c. */
#include <float.h>
#include <math.h>
#include <string.h>
#include "fuzz.h"
#include "base/limits.h"
#include "make.h"
#include "rpc/netrpc_call.h"
#include "type/gob_codec.h"
#include "type/json.h"
#include "type/record_feed.h"
#include "values.h"

/* -- values ------------------------------------------------------------------------------------------------------------------------ */
static void make_text(char *at, struct rng *r, bool bytes)
{
    static const char *const some[] = { "a", "some text", "\"quoted\\\"", "tab\tline\n", "\xc3\xa4", "\xe2\x82\xac", "\xf0\x9f\x98\x80",
        "\x01", "</script>&", "123", "x.y" };
    uint32_t k = rng_below(r, 2 * ARRAY_LEN(some)), n = rng_below(r, 40) ? rng_below(r, 12) : rng_below(r, 400);
    leat_string s = { NULL, 0, 0 };
    if (k < ARRAY_LEN(some))
        s.len = (uint32_t)strlen(some[k]);
    else
        s.len = n;
    if (s.len > 0) {
        char *p = malloc(s.len);
        FUZZ_CHECK(p != NULL);
        for (uint32_t i = 0; i < s.len; i++)
            p[i] = k < ARRAY_LEN(some) ? some[k][i] : bytes ? (char)rng_next(r) : (char)('a' + rng_below(r, 26));
        s.p = p;
        s.owned = 1;
    }
    memcpy(at, &s, sizeof s);
}

uint64_t make_number(struct rng *r)
{
    static const uint64_t edges[] = { 0, 1, 2, 127, 128, 255, 256, 32767, 32768, 65535, 65536, INT32_MAX,
        (uint64_t)INT32_MAX + 1, UINT32_MAX,
        (uint64_t)UINT32_MAX + 1, INT64_MAX, (uint64_t)INT64_MAX + 1, UINT64_MAX };
    uint64_t v = rng_below(r, 3) ? rng_below(r, 100) : rng_below(r, 2) ? edges[rng_below(r, ARRAY_LEN(edges))] : rng_next(r);
    return rng_below(r, 4) ? v : 0 - v;
}

static double make_float(struct rng *r)
{
    static const double some[] = { 0, 1, -1, 0.1, 1e10, 1e21, 1e-7, FLT_MAX, 1e39, DBL_MAX, DBL_MIN, 5e-324, -2.5, 123456789.125,
        1e15, 1e39, -1e39, (double)INFINITY };
    return some[rng_below(r, ARRAY_LEN(some))];
}

static void make_date(char *at, struct rng *r)
{
    leat_date d = { .s = (int64_t)(rng_next(r) % 315537897600u) - 62135596800, .ns = rng_below(r, 2) ? rng_below(r, 1000000000) : 0 };
    d.offset_s = rng_below(r, 2) ? ((int32_t)rng_below(r, 2 * 23 * 60) - 23 * 60) * 60 : 0;
    if (rng_below(r, 8) == 0)
        d.offset_s += (int32_t)rng_below(r, 60);
    if (rng_below(r, 16) == 0)
        d.s = (int64_t)make_number(r);
    memcpy(at, &d, sizeof d);
}

static void make_error(leat_error *e, struct rng *r)
{
    for (uint32_t n = rng_below(r, 20) ? rng_below(r, 3) : 15 + rng_below(r, 3); ; n--) {
        e->code = (leat_err)rng_below(r, 15);
        make_text((char *)&e->text, r, false);
        if (rng_below(r, 2))
            make_text((char *)&e->node, r, false);
        if (rng_below(r, 3) == 0)
            make_text((char *)&e->details, r, false);
        if (n == 0)
            return;
        e->cause = calloc(1, sizeof *e->cause);
        FUZZ_CHECK(e->cause != NULL);
        e = e->cause;
    }
}

static void make_field(const leat_type *inner, unsigned kind, uint32_t size, char *at, struct rng *r, int depth);

static void make_list(const leat_type *t, char *at, bool map, struct rng *r, int depth)
{
    uint32_t n = depth < 3 ? rng_below(r, 4) : 0, off = map ? 16 : 0, stride = map ? (16 + t->size + 7) & ~7u : t->size;
    if (depth < 2 && rng_below(r, 30) == 0)
        n = 40;
    leat_strings list = { n ? calloc(n, stride) : NULL, n, n };
    for (uint32_t i = 0; i < n; i++) {
        char *x = (char *)list.at + (size_t)i * stride;
        if (map)
            make_text(x, r, false);
        make_field(t, t->kind, t->size, x + off, r, depth + 1 + (n > 5));
    }
    memcpy(at, &list, sizeof list);
}

static void make_members(const leat_type *t, char *at, struct rng *r, int depth)
{
    uint32_t which = t->kind == LEAT_K_ONEOF_ ? rng_below(r, t->count + 1) : 0;
    if (t->kind == LEAT_K_ONEOF_)
        memcpy(at, &which, 4);
    for (uint32_t i = 0; i < t->count; i++) {
        const leat_field *f = type_field(t, i);
        if (t->kind == LEAT_K_ONEOF_ ? i + 1 == which : rng_below(r, 5) > 0)
            make_field(f->type, f->kind, f->size, at + f->offset, r, depth);
    }
}

static void make_pointer(const leat_type *inner, unsigned kind, char *at, struct rng *r, int depth)
{
    void *p = NULL;
    if (kind == LEAT_K_CSTR_)
        p = rng_below(r, 4) ? strdup(rng_below(r, 3) ? "some text" : "") : NULL;
    else if (depth < 4 && rng_below(r, 2) && (p = calloc(1, inner->size)) != NULL)
        make_field(inner, inner->kind, inner->size, p, r, depth + 1);
    memcpy(at, &p, sizeof p);
}

static void make_end(const leat_type *elem, char *at, struct rng *r)
{
    leat_chan_ *c = rng_below(r, 2) ? leat_chan_make_(elem->size, rng_below(r, 2)) : NULL;
    memcpy(at, &c, sizeof c);
}

static void make_field(const leat_type *inner, unsigned kind, uint32_t size, char *at, struct rng *r, int depth)
{
    uint64_t n = make_number(r);
    double d = make_float(r);
    float f = isinf(d) ? (float)d : (float)MAX(MIN(d, (double)FLT_MAX), -(double)FLT_MAX);
    switch (kind) {
    case LEAT_K_BOOL_: *at = (char)rng_below(r, 2); break;
    case LEAT_K_STRING_: case LEAT_K_BYTES_: make_text(at, r, kind == LEAT_K_BYTES_); break;
    case LEAT_K_ERROR_: make_error((leat_error *)(void *)at, r); break;
    case LEAT_K_STRUCT_: case LEAT_K_ONEOF_: make_members(inner, at, r, depth); break;
    case LEAT_K_LIST_: case LEAT_K_MAP_: make_list(inner, at, kind == LEAT_K_MAP_, r, depth); break;
    case LEAT_K_OPTIONAL_: case LEAT_K_CSTR_: make_pointer(inner, kind, at, r, depth); break;
    case LEAT_K_CHARS_: memset(at, 'c', rng_below(r, size)); break;
    case LEAT_K_DATE_: make_date(at, r); break;
    case LEAT_K_TX_: case LEAT_K_RX_: make_end(inner, at, r); break;
    case LEAT_K_LOCAL_: break;
    case LEAT_K_FLOAT_: memcpy(at, size == 4 ? (void *)&f : (void *)&d, size); break;
    case LEAT_K_ENUM_:
        n = rng_below(r, 8) ? (uint64_t)type_field(inner, rng_below(r, inner->count))->tag : n;
        memcpy(at, &n, 4);
        break;
    case LEAT_K_ARRAY_:
        for (uint32_t i = 0; i < size; i += inner->size)
            make_field(inner, inner->kind, inner->size, at + i, r, depth);
        break;
    default: memcpy(at, &n, MIN(size, 8u));
    }
}

/* -- as each codec writes them ----------------------------------------------------------------------------------------------------- */
static leat_err put_end(struct type_ends *self, leat_chan_ *c, int is_rx, const leat_type *elem, struct buf *out)
{
    (void)self, (void)is_rx, (void)elem;
    buf_u8(out, (uint8_t)leat_cap_(c));
    return buf_err(out);
}

static leat_err put_own(const leat_type *t, const void *v, struct buf *ret)
{
    struct type_ends ends = { .put = put_end };
    return type_encode(t, v, ret, &ends);
}

/* Two values, of which the second has no definitions. */
static leat_err put_gob(const leat_type *t, const void *v, struct buf *ret)
{
    struct gob_writer w = { 0 };
    leat_err e = gob_write(&w, t, v, ret);
    if (e == LEAT_OK)
        e = gob_write(&w, t, v, ret);
    gob_writer_free(&w);
    return e;
}

static leat_err put_json(const leat_type *t, const void *v, struct buf *ret) { return type_json_put(t, v, ret); }

static leat_err put_record(const leat_type *t, const void *v, struct buf *ret)
{
    struct buf b = { 0 }, name = { 0 };
    struct cur form;
    leat_err e = type_form(t, &form);
    if (e == LEAT_OK)
        e = put_own(t, v, &b);
    buf_text(&name, t->name, strlen(t->name));
    if (e == LEAT_OK) {
        buf_varint(ret, 1 + name.len + cur_left(&form));
        buf_u8(ret, RECORD_TYPE);
        buf_put(ret, name.p, name.len);
        buf_put(ret, form.p, cur_left(&form));
        for (int i = 0; i < 2; i++) {
            buf_varint(ret, 2 + b.len);
            buf_u8(ret, RECORD_VALUE);
            buf_varint(ret, 1);
            buf_put(ret, b.p, b.len);
        }
    }
    buf_free(&name);
    buf_free(&b);
    return e;
}

static leat_err put_made(const leat_type *t, struct rng *r, struct buf *ret,
    leat_err (*put)(const leat_type *, const void *, struct buf *))
{
    void *v = calloc(1, t->size);
    FUZZ_CHECK(v != NULL);
    make_field(t, t->kind, t->size, v, r, 0);
    leat_err e = put(t, v, ret);
    leat_drop_(t, v);
    free(v);
    return e;
}

/* -- forms, and values of them ------------------------------------------------------------------------------------------------------ */
/* A form that is mostly t's, as bytes; then a value of it. */
static void put_varied(const leat_type *t, struct rng *r, struct buf *form, struct buf *value)
{
    struct cur own;
    FUZZ_CHECK(type_form(t, &own) == LEAT_OK);
    make_form(own, r, form);
    make_value(cur_of(form->p, form->len), r, value);
}

static uint8_t byte_for(uint32_t which, uint32_t count, uint8_t flags)
{
    uint8_t b = flags;
    while (b % count != which)
        b++;
    return b;
}

static leat_err make_bridge(struct rng *r, struct buf *ret)
{
    struct buf form = { 0 }, value = { 0 };
    uint32_t reader = rng_below(r, MORE), writer = rng_below(r, 4) ? reader : rng_below(r, MORE);
    put_varied(more[writer], r, &form, &value);
    buf_u8(ret, byte_for(reader, MORE, rng_below(r, 4) ? 0x40 : 0xc0));
    buf_u8(ret, 0x80);
    buf_u8(ret, (uint8_t)form.len);
    buf_u8(ret, (uint8_t)(form.len >> 8));
    buf_u8(ret, 0);
    buf_put(ret, form.p, form.len);
    buf_put(ret, value.p, value.len);
    buf_free(&form);
    buf_free(&value);
    return buf_err(ret);
}

static leat_err make_record(struct rng *r, struct buf *ret)
{
    uint32_t which = rng_below(r, MORE);
    buf_u8(ret, byte_for(which, MORE, 0x40));
    buf_u8(ret, (uint8_t)rng_next(r));
    if (rng_below(r, 2))
        return put_made(more[rng_below(r, 8) ? which : rng_below(r, MORE)], r, ret, put_record);
    struct buf form = { 0 }, value = { 0 };
    put_varied(more[which], r, &form, &value);
    buf_varint(ret, 3 + form.len);
    buf_u8(ret, RECORD_TYPE);
    buf_text(ret, "t", 1);
    buf_put(ret, form.p, form.len);
    buf_varint(ret, 2 + value.len);
    buf_u8(ret, RECORD_VALUE);
    buf_varint(ret, 1);
    buf_put(ret, value.p, value.len);
    buf_free(&form);
    buf_free(&value);
    return buf_err(ret);
}

static leat_err make_forms(struct rng *r, struct buf *ret)
{
    struct cur own;
    uint32_t which = rng_below(r, FORMS);
    FUZZ_CHECK(type_form(forms[which], &own) == LEAT_OK);
    buf_u8(ret, byte_for(which, FORMS, 0));
    make_form(own, r, ret);
    return buf_err(ret);
}

/* -- all of it ------------------------------------------------------------------------------------------------------------------------ */
/* A stream of one type, read as that type, as another, or printed. */
static leat_err make_gob(struct rng *r, struct buf *ret)
{
    bool other = rng_below(r, 3) > 0;
    const leat_type *const *all = other ? more : types;
    uint32_t count = other ? MORE : TYPES, to = rng_below(r, count), from = rng_below(r, 6) ? to : rng_below(r, count);
    if (other && from < BRIDGED - 1 && rng_below(r, 2))
        to = (from + BRIDGED / 2) % (BRIDGED - 1);   /* what became of it, or was it */
    buf_u8(ret, byte_for(to, count, rng_below(r, 6) ? other ? 0x40 : 0 : 0x80));
    buf_u8(ret, (uint8_t)(rng_below(r, 3) ? 255 - rng_below(r, 2) : rng_below(r, 8)));
    return put_made(all[from], r, ret, put_gob);
}

static leat_err make_netrpc(struct rng *r, struct buf *ret)
{
    bool asks = rng_below(r, 2);
    buf_u8(ret, (uint8_t)(rng_below(r, 8) << 1 | asks));
    buf_u8(ret, 255);
    leat_err e = put_made(asks ? &Request_type : &Response_type, r, ret, put_gob);
    return e == LEAT_OK ? put_made(&all_type, r, ret, put_gob) : e;
}

static leat_err make_own(struct rng *r, struct buf *ret)
{
    bool other = rng_below(r, 2), part = rng_below(r, 3) == 0;
    uint32_t which = rng_below(r, other ? MORE : TYPES);
    buf_u8(ret, byte_for(which, other ? MORE : TYPES, (uint8_t)((other ? 0x40 : 0) | (part ? rng_below(r, 2) ? 0x20 : 0x30 : 0))));
    if (part) {
        buf_u8(ret, (uint8_t)rng_below(r, rng_below(r, 2) ? 16 : 256));
        buf_u8(ret, (uint8_t)rng_below(r, 64));
    }
    return put_made(other ? more[which] : types[which], r, ret, put_own);
}

/* A text of more inside each other than is allowed: lists that nobody wants, or errors. */
static leat_err make_deep(struct rng *r, struct buf *ret)
{
    bool list = rng_below(r, 2);
    uint32_t which = 0;
    while (more[which] != &trouble_type)
        which++;
    buf_u8(ret, byte_for(which, MORE, 0x40));
    buf_put(ret, list ? "{\"none\":" : "{\"failed\":", list ? 8 : 10);
    for (uint32_t n = list ? LIMIT_VALUE_DEPTH + 4 : LIMIT_ERROR_CHAIN + 2; n; n--)
        buf_put(ret, list ? "[" : "{\"code\":8,\"cause\":", list ? 1 : 18);
    return buf_err(ret);
}

static leat_err make_described(struct rng *r, struct buf *ret)
{
    if (rng_below(r, 60) == 0)
        return make_deep(r, ret);
    bool other = rng_below(r, 4) > 0;
    uint32_t which = rng_below(r, other ? MORE : TYPES);
    buf_u8(ret, byte_for(which, other ? MORE : TYPES, other ? 0x40 : 0));
    return put_made(other ? more[which] : types[which], r, ret, put_json);
}

static leat_err make_accept(struct rng *r, struct buf *ret) { return make_hello(r, ret, false); }
static leat_err make_dial(struct rng *r, struct buf *ret) { return make_hello(r, ret, true); }

bool fuzz_made(const char *target, uint64_t number, struct buf *ret)
{
    static const struct { const char *target; leat_err (*make)(struct rng *, struct buf *); } all[] = { { "own", make_own },
        { "gob", make_gob }, { "described", make_described }, { "bridge", make_bridge }, { "record", make_record }, { "form", make_forms },
        { "netrpc", make_netrpc }, { "accept", make_accept }, { "dial", make_dial } };
    struct rng r;
    rng_init(&r, number + 1);
    buf_reset(ret);
    for (size_t i = 0; i < ARRAY_LEN(all); i++)
        if (strcmp(target, all[i].target) == 0)
            return all[i].make(&r, ret) == LEAT_OK;
    return false;
}
