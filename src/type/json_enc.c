/* json_enc.c - a described value as JSON.  See json.h. */
#include "type/json.h"
#include "base/limits.h"
#include "type/json_level.h"
#include "type/json_text.h"

struct enc { struct json_levels s; struct json_sink out; };

/* -- values without parts ---------------------------------------------------------------------------------------------------- */
static int64_t int_at(const char *at, uint32_t size)
{
    int64_t v = 0;
    memcpy((char *)&v, at, size);                    /* little-endian: plan.c does not compile where it is not so */
    return size < 8 ? (int64_t)((uint64_t)v << (64 - 8 * size)) >> (64 - 8 * size) : v;
}

static uint64_t uint_at(const char *at, uint32_t size)
{
    uint64_t v = 0;
    memcpy((char *)&v, at, size);
    return v;
}

static void put_int(struct enc *k, int64_t v)
{
    bool exact = v > -(INT64_C(1) << JSON_EXACT_BITS) && v < INT64_C(1) << JSON_EXACT_BITS;
    json_put(&k->out, exact ? "" : "\"");
    json_int(&k->out, v);
    json_put(&k->out, exact ? "" : "\"");
}

static void put_uint(struct enc *k, uint64_t v)
{
    bool exact = v < UINT64_C(1) << JSON_EXACT_BITS;
    json_put(&k->out, exact ? "" : "\"");
    json_uint(&k->out, v);
    json_put(&k->out, exact ? "" : "\"");
}

static void put_float(struct enc *k, const char *at, uint32_t size)
{
    double d;
    float f;
    memcpy(size == 4 ? (void *)&f : (void *)&d, at, size);
    if (size == 4)
        json_float32(&k->out, f);
    else
        json_float(&k->out, d);
}

static void put_number(struct enc *k, unsigned kind, const char *at, uint32_t size)
{
    if (kind == LEAT_K_INT_)
        put_int(k, int_at(at, size));
    else if (kind == LEAT_K_UINT_)
        put_uint(k, uint_at(at, size));
    else
        put_float(k, at, size);
}

static leat_err put_text(struct enc *k, const char *at, bool bytes)
{
    leat_string text;                                /* bytes are laid out alike */
    memcpy(&text, at, sizeof text);
    if (text.len > 0 && !text.p)
        return json_level_fail(&k->s, LEAT_INVAL, "%u bytes at NULL", text.len);
    if (bytes)
        json_base64(&k->out, (const uint8_t *)text.p, text.len);
    else
        json_string(&k->out, text.p, text.len);
    return LEAT_OK;
}

static leat_err put_date(struct enc *k, const char *at)
{
    static const int64_t year_0 = -62167219200, year_10000 = 253402300800;
    leat_date d;
    int64_t shown;
    memcpy(&d, at, sizeof d);
    d.offset_s -= d.offset_s % 60;                   /* RFC 3339 has no seconds of offset; the instant stays */
    if (__builtin_add_overflow(d.s, d.offset_s, &shown) || shown < year_0 || shown >= year_10000 || d.ns > 999999999 ||
        d.offset_s <= -86400 || d.offset_s >= 86400)
        return json_level_fail(&k->s, LEAT_INVAL, "a date that RFC 3339 does not have: years 0 to 9999, offsets below a day");
    json_time(&k->out, d.s, d.ns, d.offset_s);
    return LEAT_OK;
}

static leat_err put_one_error(struct enc *k, const leat_error *e)
{
    const char *name = leat_err_name(e->code);
    json_put(&k->out, "{\"code\":");
    if (strchr(name, ' '))                           /* "an unknown error" */
        json_int(&k->out, (int64_t)e->code);
    else
        json_string(&k->out, name, strlen(name));
    json_put(&k->out, ",\"text\":");
    LEAT_TRY(put_text(k, (const char *)&e->text, false));
    if (e->node.len > 0) {
        json_put(&k->out, ",\"node\":");
        LEAT_TRY(put_text(k, (const char *)&e->node, false));
    }
    if (e->details.len > 0) {
        json_put(&k->out, ",\"details\":");
        LEAT_TRY(put_text(k, (const char *)&e->details, true));
    }
    return LEAT_OK;
}

static leat_err put_error(struct enc *k, const char *at)
{
    int row = 0;
    for (leat_error e; at; at = (const char *)e.cause, row++) {
        memcpy(&e, at, sizeof e);
        if (row == LIMIT_ERROR_CHAIN)
            return json_level_fail(&k->s, LEAT_LIMIT, "over %d errors in a row", LIMIT_ERROR_CHAIN);
        json_put(&k->out, row ? ",\"cause\":" : "");
        LEAT_TRY(put_one_error(k, &e));
    }
    while (row--)
        json_put(&k->out, "}");
    return LEAT_OK;
}

static void put_enum(struct enc *k, const char *at, const struct gob_view *v)
{
    int32_t n = (int32_t)int_at(at, v->size);
    for (uint32_t i = 0; i < v->inner->count; i++)
        if (type_field(v->inner, i)->tag == n) {
            const char *name = json_name(type_field(v->inner, i));
            json_string(&k->out, name, strlen(name));
            return;
        }
    json_int(&k->out, n);
}

static void put_array(struct enc *k, const char *at, const struct gob_view *v)
{
    for (uint32_t i = 0; i < v->size / v->inner->size; i++) {
        json_put(&k->out, i ? "," : "[");
        put_number(k, v->inner->kind, at + (size_t)i * v->inner->size, v->inner->size);
    }
    json_put(&k->out, "]");
}

static leat_err put_chars(struct enc *k, const char *at, const struct gob_view *v)
{
    const char *p = at;
    if (v->kind == LEAT_K_CSTR_)
        memcpy(&p, at, sizeof p);
    size_t n = !p ? 0 : v->kind == LEAT_K_CSTR_ ? strlen(p) : strnlen(p, v->size);
    if (v->kind == LEAT_K_CHARS_ && n == v->size)
        return json_level_fail(&k->s, LEAT_INVAL, "no NUL in its %u bytes", v->size);
    if (p)
        json_string(&k->out, p, n);
    else
        json_put(&k->out, "null");
    return LEAT_OK;
}

/* -- values with others inside ----------------------------------------------------------------------------------------------- */
static leat_err put_block(struct enc *k, const char *at, const struct gob_view *v)
{
    struct type_block b = type_block_at(v->kind, v->inner, at);
    uint32_t len;
    memcpy(&len, at + offsetof(leat_strings, len), sizeof len);
    if (len > 0 && !b.at)
        return json_level_fail(&k->s, LEAT_INVAL, "%u elements at NULL", len);
    json_put(&k->out, b.keyed ? "{" : "[");
    return json_level_push(&k->s, &(struct json_level){ b.keyed ? ROW_MAP : ROW_LIST, v->inner, b.at, 0, len, b.stride, b.value_off, 0,
        NULL });
}

/* The case of a oneof: *v and *at become its value's.  false: there is none. */
static leat_err put_case(struct enc *k, const char **at, struct gob_view *v, bool *some)
{
    uint32_t which;
    memcpy(&which, *at, sizeof which);
    *some = which > 0;
    if (which > v->inner->count)
        return json_level_fail(&k->s, LEAT_INVAL, "no case %u: there are %u", which, v->inner->count);
    if (which == 0) {
        json_put(&k->out, "null");
        return LEAT_OK;
    }
    const leat_field *f = type_field(v->inner, which - 1);
    json_put(&k->out, "{");
    json_string(&k->out, json_name(f), strlen(json_name(f)));
    json_put(&k->out, ":");
    LEAT_TRY(json_level_push(&k->s, &(struct json_level){ ROW_CASE, v->inner, NULL, which, which, 0, 0, 0, NULL }));
    *at += f->offset;
    *v = gob_view_field(f);
    return LEAT_OK;
}

/* A value that is not of one of the kinds of put. */
static leat_err put_simple(struct enc *k, const char *at, const struct gob_view *v)
{
    void *p;
    switch (v->kind) {
    case LEAT_K_BOOL_: json_put(&k->out, *(const uint8_t *)at ? "true" : "false"); return LEAT_OK;
    case LEAT_K_INT_: case LEAT_K_UINT_: case LEAT_K_FLOAT_: put_number(k, v->kind, at, v->size); return LEAT_OK;
    case LEAT_K_STRING_: case LEAT_K_BYTES_: return put_text(k, at, v->kind == LEAT_K_BYTES_);
    case LEAT_K_DATE_: return put_date(k, at);
    case LEAT_K_DURATION_: put_int(k, int_at(at, 8)); return LEAT_OK;
    case LEAT_K_ERROR_: return put_error(k, at);
    case LEAT_K_ENUM_: put_enum(k, at, v); return LEAT_OK;
    case LEAT_K_ARRAY_: put_array(k, at, v); return LEAT_OK;
    case LEAT_K_CSTR_: case LEAT_K_CHARS_: return put_chars(k, at, v);
    default:
        memcpy(&p, at, sizeof p);                    /* an end of a channel */
        if (p)
            return json_level_fail(&k->s, LEAT_INVAL, "a channel end does not travel in JSON");
        json_put(&k->out, "null");
        return LEAT_OK;
    }
}

static leat_err put(struct enc *k, const char *at, struct gob_view v)
{
    for (;;) {
        uint32_t offset = 0;
        bool some;
        v = gob_view_bare(v, &offset);
        at += offset;
        switch (v.kind) {
        case LEAT_K_STRUCT_:
            json_put(&k->out, "{");
            return json_level_push(&k->s, &(struct json_level){ ROW_STRUCT, v.inner, (char *)(uintptr_t)at, 0, v.inner->count, 0, 0, 0,
                NULL });
        case LEAT_K_LIST_: case LEAT_K_MAP_:
            return put_block(k, at, &v);
        case LEAT_K_OPTIONAL_:
            memcpy(&at, (const void *)at, sizeof at);       /* clang takes it for a slip otherwise */
            if (!at) {
                json_put(&k->out, "null");
                return LEAT_OK;
            }
            v = gob_view_of(v.inner);
            break;
        case LEAT_K_ONEOF_:
            LEAT_TRY(put_case(k, &at, &v, &some));
            if (!some)
                return LEAT_OK;
            break;
        default:
            return put_simple(k, at, &v);
        }
    }
}

/* The next value of a row, or its end. */
static leat_err put_next(struct enc *k, struct json_level *l)
{
    bool first = l->i == 0;
    while (l->row == ROW_STRUCT && l->i < l->n && type_field(l->type, l->i)->kind == LEAT_K_LOCAL_)
        l->i++;
    if (l->i == l->n) {
        json_put(&k->out, l->row == ROW_LIST ? "]" : "}");
        json_level_pop(&k->s);
        return LEAT_OK;
    }
    uint32_t i = l->i++;
    if (l->row != ROW_STRUCT) {
        const char *entry = l->at + (size_t)i * l->stride;
        json_put(&k->out, first ? "" : ",");
        if (l->row == ROW_MAP) {
            LEAT_TRY(put_text(k, entry, false));
            json_put(&k->out, ":");
        }
        return put(k, entry + l->value_off, gob_view_of(l->type));
    }
    const leat_field *f = type_field(l->type, i);
    json_put(&k->out, l->seen++ ? "," : "");         /* seen: fields that were written */
    json_string(&k->out, json_name(f), strlen(json_name(f)));
    json_put(&k->out, ":");
    return put(k, l->at + f->offset, gob_view_field(f));
}

leat_err type_json_put(const leat_type *t, const void *v, struct buf *out)
{
    uint64_t levels[LEVELS_HERE * sizeof(struct json_level) / sizeof(uint64_t)];    /* what is not deep needs no memory */
    struct enc k = { .s = { t, buf_on(levels, sizeof levels, 0) }, .out = json_to_buf(out) };
    const struct type_info *info;
    size_t before = out->len;
    struct json_level *l;
    LEAT_TRY(type_info_get(t, &info));               /* the description is sound */
    leat_err e = put(&k, v, gob_view_of(t));
    while (e == LEAT_OK && (l = json_level_top(&k.s)))
        e = put_next(&k, l);
    if (e == LEAT_OK && buf_err(out) != LEAT_OK)
        e = json_level_fail(&k.s, buf_err(out), "no room for its JSON text");
    if (e != LEAT_OK)
        buf_undo(out, before);
    buf_free(&k.s.stack);
    return e;
}

leat_err leat_json_write_(const leat_type *t, const void *v, leat_string *ret)
{
    struct buf out = { 0 };
    *ret = (leat_string){ 0 };
    leat_err e = type_json_put(t, v, &out);
    if (e != LEAT_OK) {
        buf_free(&out);
        return e;
    }
    *ret = (leat_string){ (const char *)out.p, (uint32_t)out.len, 1 };
    return LEAT_OK;
}
