/* gob_dec.c - values of a gob stream as described types.
 *
 * A struct of the stream and a struct of the program are matched field by field once (struct gob_plan).  A value is read by steps whose
 * places lie in r->frames.  Lists grow as their elements come, so a count that the bytes do not keep costs nothing. */
#include <float.h>
#include <math.h>
#include <stdio.h>
#include "base/alloc.h"
#include "base/limits.h"
#include "type/gob_codec.h"
#include "type/plan.h"
#include "type/texts.h"

struct gob_match {                                   /* a field of the stream */
    int32_t field;                                   /* the program's, or -1 */
    uint32_t offset;                                 /* of a leaf, in the struct */
    bool leaf;                                       /* it fits, and has no parts: v, looked through, is stored at once */
    uint8_t quick;                                   /* a QUICK_: of a leaf that is stored where the fields are walked */
    struct gob_view v;
};

struct gob_plan {                                    /* how a struct of the stream becomes one of the program */
    const struct gob_type *wire;
    const leat_type *type;
    unsigned kind;                                   /* STRUCT, ONEOF, ERROR: what `type` is */
    uint32_t dates;                                  /* so many of its leaves are dates */
    struct gob_match match[];                        /* of each field of wire */
};

enum { QUICK_NOT, QUICK_INT_64, QUICK_UINT_64, QUICK_FLOAT_64, QUICK_TEXT, QUICK_DATE, QUICK_BOOL };
enum what { FIELDS, LIST, MAP, PAIRS, VALUES };

struct place {
    enum what what;
    const struct gob_plan *plan;                     /* FIELDS; LIST: of its structs, once the first has come */
    char *at;                                        /* the struct; the list or map; the first value */
    struct gob_view v;                               /* of each value of a row */
    const leat_type *pair;
    int64_t elem, key;                               /* types in the stream */
    uint64_t left;
    size_t next;                                     /* FIELDS */
    uint32_t cap, stride, value_off;
};

/* == Errors ============================================================================================================== */

/* The path of the value that is read, from what lies in r->frames; then why */
static leat_err refuse(struct gob_reader *r, leat_err e, const char *why, const char *more)
{
    char path[200];
    size_t n = 0;
    const struct place *p = (const struct place *)(const void *)r->frames.p;
    path[0] = 0;
    for (size_t i = 0; i < r->frames.len / sizeof *p && n < sizeof path - 1; i++)
        if (p[i].what == FIELDS && p[i].next > 0 && p[i].next <= p[i].plan->wire->nfields) {
            const struct gob_text *name = &p[i].plan->wire->fields[p[i].next - 1].name;
            int put = snprintf(path + n, sizeof path - n, "%s%.*s", n ? "." : "", (int)MIN(name->n, (size_t)100), name->p);
            n += put > 0 ? (size_t)put : 0;
        }
    return leat_fail(e, "%s%s%s%s%s", r->type->name, n ? "." : "", n ? path : "", why, more);
}

static leat_err no_memory(struct gob_reader *r) { return refuse(r, LEAT_NOMEM, ": no memory", ""); }

static struct place *one_place(struct gob_reader *r, leat_err *e)
{
    if (r->frames.len >= LIMIT_GOB_DEPTH * sizeof(struct place)) {
        *e = refuse(r, LEAT_LIMIT, ": values inside each other over 10000 deep", "");
        return NULL;
    }
    struct place *to = (struct place *)(void *)buf_add(&r->frames, sizeof *to);
    *e = to ? LEAT_OK : no_memory(r);
    return to;
}

static leat_err push(struct gob_reader *r, const struct place *p)
{
    leat_err e;
    struct place *to = one_place(r, &e);
    if (to)
        *to = *p;
    return e;
}

/* == Plans =============================================================================================================== */

static uint8_t quick_of(const struct gob_view *v)
{
    switch (v->kind) {
    case LEAT_K_BOOL_: return QUICK_BOOL;
    case LEAT_K_INT_: case LEAT_K_DURATION_: return v->size == 8 ? QUICK_INT_64 : QUICK_NOT;
    case LEAT_K_UINT_: return v->size == 8 ? QUICK_UINT_64 : QUICK_NOT;
    case LEAT_K_FLOAT_: return v->size == 8 ? QUICK_FLOAT_64 : QUICK_NOT;
    case LEAT_K_STRING_: case LEAT_K_BYTES_: return QUICK_TEXT;
    case LEAT_K_DATE_: return QUICK_DATE;
    default: return QUICK_NOT;
    }
}

static struct gob_match match_of(struct gob_reader *r, const struct gob_field *wire, const leat_type *t, unsigned kind)
{
    struct gob_match m = { .field = gob_field_named(t, kind, &wire->name) };
    if (kind != LEAT_K_STRUCT_ || m.field < 0)
        return m;
    const leat_field *f = type_field(t, (uint32_t)m.field);
    m.offset = f->offset;
    m.v = gob_view_bare(gob_view_field(f), &m.offset);
    unsigned leaves = 1 << LEAT_K_BOOL_ | 1 << LEAT_K_INT_ | 1 << LEAT_K_ENUM_ | 1 << LEAT_K_DURATION_ | 1 << LEAT_K_UINT_
        | 1 << LEAT_K_FLOAT_ | 1 << LEAT_K_DATE_ | 1 << LEAT_K_STRING_ | 1 << LEAT_K_BYTES_ | 1 << LEAT_K_CSTR_ | 1 << LEAT_K_CHARS_;
    m.leaf = m.v.kind < 32 && (leaves >> m.v.kind & 1) && gob_fits(wire->type, gob_type_of(&r->gob, wire->type), m.v);
    m.quick = m.leaf ? quick_of(&m.v) : QUICK_NOT;
    return m;
}

static leat_err plan_of(struct gob_reader *r, const struct gob_type *wire, const leat_type *t, unsigned kind, const struct gob_plan **ret)
{
    struct gob_plan **all = (struct gob_plan **)(void *)r->plans.p;
    for (size_t i = 0; i < r->plans.len / sizeof *all; i++)
        if (all[i]->wire == wire && all[i]->type == t && all[i]->kind == kind) {
            *ret = all[i];
            return LEAT_OK;
        }
    struct gob_plan *p = mem_alloc(sizeof *p + wire->nfields * sizeof *p->match);
    if (!p)
        return no_memory(r);
    *p = (struct gob_plan){ .wire = wire, .type = t, .kind = kind };
    for (size_t i = 0; i < wire->nfields; i++) {
        struct gob_match m = p->match[i] = match_of(r, &wire->fields[i], t, kind);
        if (m.leaf && m.v.kind == LEAT_K_DATE_)
            p->dates++;
    }
    buf_put(&r->plans, &p, sizeof p);
    if (buf_err(&r->plans) != LEAT_OK) {
        mem_free(p);
        return no_memory(r);
    }
    *ret = p;
    return LEAT_OK;
}

/* == Leaves ============================================================================================================== */

static leat_err store_int(struct gob_reader *r, struct gob_view v, char *at)
{
    int64_t x = gob_int(&r->gob);
    int64_t top = v.size == 8 ? INT64_MAX : (INT64_C(1) << (v.size * 8 - 1)) - 1;
    if (x > top || x < -top - 1)
        return refuse(r, LEAT_TYPE, ": a number that is out of range", "");
    memcpy(at, &x, v.size);                          /* little-endian: see plan.c */
    return LEAT_OK;
}

static leat_err store_uint(struct gob_reader *r, struct gob_view v, char *at)
{
    uint64_t x = gob_uint(&r->gob);
    if (v.size < 8 && x >> v.size * 8)
        return refuse(r, LEAT_TYPE, ": a number that is out of range", "");
    memcpy(at, &x, v.size);
    return LEAT_OK;
}

static leat_err store_float(struct gob_reader *r, struct gob_view v, char *at)
{
    uint64_t bits = __builtin_bswap64(gob_uint(&r->gob));
    double d;
    memcpy(&d, &bits, sizeof d);
    float f = (float)d;
    if (v.size == 4 && fabs(d) > (double)FLT_MAX && !isinf(d))
        return refuse(r, LEAT_TYPE, ": a number that is out of range", "");
    memcpy(at, v.size == 4 ? (const void *)&f : (const void *)&d, v.size);
    return LEAT_OK;
}

static leat_err store_text(struct gob_reader *r, struct gob_view v, char *at)
{
    size_t n = (size_t)gob_uint(&r->gob);
    const char *p = (const char *)cur_take(&r->gob.c, n);
    char *copy = NULL;
    if (v.kind == LEAT_K_CHARS_ || v.kind == LEAT_K_CSTR_) {
        if (n && memchr(p, 0, n))
            return refuse(r, LEAT_TYPE, ": a NUL inside text that ends at one", "");
        if (v.kind == LEAT_K_CHARS_ && n >= v.size)
            return refuse(r, LEAT_TYPE, ": a text that is too long for it", "");
    } else if (n > LIMIT_LIST) {
        return refuse(r, LEAT_LIMIT, ": text of 4 GiB or more", "");
    }
    if (v.kind == LEAT_K_CHARS_) {
        memcpy(at, p, n);
        at[n] = 0;
        return LEAT_OK;
    }
    if (v.kind == LEAT_K_CSTR_) {
        if (!(copy = mem_alloc(n + 1)))
            return no_memory(r);
        memcpy(copy, p, n);
        copy[n] = 0;
        memcpy(at, &copy, sizeof copy);
        return LEAT_OK;
    }
    leat_string s = { 0 };
    if (n && !texts_copy(&r->texts, p, n, cur_left(&r->gob.c), &s))
        return no_memory(r);
    memcpy(at, &s, sizeof s);
    return LEAT_OK;
}

/* What Go's time.Time makes of itself: a version, seconds since the year 1, nanoseconds, minutes east, and with version 2 seconds more.
 * false: it is none, or none that is known. */
static inline bool date_of(const uint8_t *p, size_t n, leat_date *ret)
{
    uint64_t sec;
    uint32_t ns;
    if (!(n == 15 && p[0] == 1) && !(n == 16 && p[0] == 2))
        return false;
    memcpy(&sec, p + 1, sizeof sec);
    memcpy(&ns, p + 9, sizeof ns);
    int16_t minutes = (int16_t)(p[13] << 8 | p[14]);
    ret->s = (int64_t)(__builtin_bswap64(le64(sec)) - GOB_YEAR_1970);
    ret->ns = __builtin_bswap32(le32(ns));
    ret->offset_s = minutes == -1 ? 0 : minutes * 60 + (n == 16 ? (int8_t)p[15] : 0);
    return ret->ns <= 999999999;
}

static leat_err store_date(struct gob_reader *r, char *at)
{
    size_t n = (size_t)gob_uint(&r->gob);
    const uint8_t *p = cur_take(&r->gob.c, n);
    leat_date d = { 0 };
    if (!(n == 15 && p[0] == 1) && !(n == 16 && p[0] == 2))
        return refuse(r, LEAT_TYPE, ": a time of a version that is not known", "");
    if (!date_of(p, n, &d))
        return refuse(r, LEAT_TYPE, ": a time of over a second of nanoseconds", "");
    memcpy(at, &d, sizeof d);
    return LEAT_OK;
}

/* The value that is next, of a type of the stream that fits, to *at. */
static inline leat_err store_leaf(struct gob_reader *r, struct gob_view v, char *at)
{
    switch (v.kind) {
    case LEAT_K_BOOL_: *at = gob_uint(&r->gob) != 0; return LEAT_OK;
    case LEAT_K_INT_: case LEAT_K_ENUM_: case LEAT_K_DURATION_: return store_int(r, v, at);
    case LEAT_K_UINT_: return store_uint(r, v, at);
    case LEAT_K_FLOAT_: return store_float(r, v, at);
    case LEAT_K_DATE_: return store_date(r, at);
    default: return store_text(r, v, at);
    }
}

/* == Values with parts =================================================================================================== */

/* A date that is left out is Go's zero time, the start of year 1: a zero here would be 1970. */
static void start_dates(const struct gob_plan *plan, char *at)
{
    const leat_date zero = { .s = -GOB_YEAR_1970 };
    for (size_t i = 0; i < plan->wire->nfields; i++)
        if (plan->match[i].leaf && plan->match[i].v.kind == LEAT_K_DATE_)
            memcpy(at + plan->match[i].offset, &zero, sizeof zero);
}

static leat_err enter_fields(struct gob_reader *r, const struct gob_type *wire, struct gob_view v, char *at)
{
    const struct gob_plan *plan = NULL;
    if (v.kind == LEAT_K_OPTIONAL_) {
        char *made = mem_zalloc(v.inner->size);
        if (!made)
            return no_memory(r);
        memcpy(at, &made, sizeof made);
        at = made;
    }
    unsigned kind = v.kind == LEAT_K_OPTIONAL_ ? LEAT_K_STRUCT_ : v.kind;
    LEAT_TRY(plan_of(r, wire, kind == LEAT_K_ERROR_ ? NULL : v.inner, kind, &plan));
    if (plan->dates)
        start_dates(plan, at);
    leat_err e;
    struct place *to = one_place(r, &e);
    if (to) {
        to->what = FIELDS;                           /* the rest is for rows */
        to->plan = plan;
        to->at = at;
        to->next = 0;
    }
    return e;
}

static leat_err enter_row(struct gob_reader *r, const struct gob_type *wire, struct gob_view v, char *at)
{
    const leat_type *pair = gob_pairs(v);
    struct place p = { .what = pair ? PAIRS : v.kind == LEAT_K_MAP_ ? MAP : LIST, .at = at, .v = gob_view_of(v.inner), .pair = pair,
        .elem = wire->elem, .key = wire->key, .left = gob_uint(&r->gob), .stride = v.inner->size };
    if (v.kind == LEAT_K_MAP_)
        type_plan_layout(v.inner, &p.value_off, &p.stride);
    return push(r, &p);
}

static leat_err enter_array(struct gob_reader *r, const struct gob_type *wire, struct gob_view v, char *at)
{
    uint64_t n = gob_uint(&r->gob);
    if (n != v.size / v.inner->size)
        return refuse(r, LEAT_TYPE, ": an array of another length", "");
    struct place p = { .what = VALUES, .at = at, .v = gob_view_of(v.inner), .elem = wire->elem, .left = n, .stride = v.inner->size };
    return push(r, &p);
}

/* The value that is next, of this type of the stream, to *at, which is zero; or a place for its parts */
static leat_err enter(struct gob_reader *r, int64_t wire, struct gob_view v, char *at)
{
    uint32_t offset = 0;
    const struct gob_type *t = gob_type_of(&r->gob, wire);
    v = gob_view_bare(v, &offset);
    at += offset;
    if (unlikely(!gob_fits(wire, t, v)))             /* cannot be: gob_fit has looked */
        return refuse(r, LEAT_TYPE, ": what the stream has does not fit", "");
    switch (v.kind) {
    case LEAT_K_STRUCT_: case LEAT_K_OPTIONAL_: case LEAT_K_ONEOF_: case LEAT_K_ERROR_: return enter_fields(r, t, v, at);
    case LEAT_K_LIST_: case LEAT_K_MAP_: return enter_row(r, t, v, at);
    case LEAT_K_ARRAY_: return enter_array(r, t, v, at);
    default: return store_leaf(r, v, at);
    }
}

/* One more value at the end of a list that has room for it, zeroed. */
static inline char *next_one(struct place *p)
{
    leat_strings l;
    memcpy(&l, p->at, sizeof l);
    char *at = (char *)l.at + (size_t)l.len++ * p->stride;
    zero_short(at, p->stride);
    memcpy(p->at, &l, sizeof l);
    return at;
}

/* The same; the first one makes the room for all, as the message was checked: so many will come.  NULL: no memory, or over LIMIT_LIST. */
static char *one_more(struct place *p)
{
    leat_strings l;
    memcpy(&l, p->at, sizeof l);
    if (l.len == p->cap) {
        uint64_t cap = p->left + 1;
        void *made = cap > LIMIT_LIST ? NULL : mem_alloc((size_t)cap * p->stride);
        if (!made)
            return NULL;
        l.at = made;
        l.cap = p->cap = (uint32_t)cap;
        memcpy(p->at, &l, sizeof l);
    }
    return next_one(p);
}

/* Whether what has been entered is a struct of a list: then others may follow in its place. */
static void follow(struct gob_reader *r, size_t place, const char *at)
{
    struct place *row = (struct place *)(void *)(r->frames.p + place), *p = row + 1;
    if (r->frames.len != place + 2 * sizeof *p || p->what != FIELDS || p->plan->kind != LEAT_K_STRUCT_)
        return;
    if (p->at >= at && p->at < at + row->stride) {
        row->plan = p->plan;
        row->value_off = (uint32_t)(p->at - at);
    }
}

static leat_err next_of_row(struct gob_reader *r, struct place *p)
{
    if (!p->left--) {
        r->frames.len -= sizeof *p;
        return LEAT_OK;
    }
    char *at = p->at;
    if (p->what == VALUES)
        p->at += p->stride;
    else if (!(at = one_more(p)))
        return no_memory(r);
    const struct place row = *p;                     /* the places move as they grow */
    const struct gob_view text = { .kind = LEAT_K_STRING_, .size = sizeof(leat_string) };
    if (row.what == MAP) {
        LEAT_TRY(store_text(r, text, at));
        return enter(r, row.elem, row.v, at + row.value_off);
    }
    if (row.what != PAIRS) {
        size_t place = r->frames.len - sizeof row;
        leat_err e = enter(r, row.elem, row.v, at);
        if (e == LEAT_OK && row.what == LIST)
            follow(r, place, at);
        return e;
    }
    const leat_field *key = type_field(row.pair, 0), *value = type_field(row.pair, 1);
    struct place later = { .what = VALUES, .at = at + value->offset, .v = gob_view_field(value), .elem = row.elem, .left = 1 };
    LEAT_TRY(push(r, &later));
    return enter(r, row.key, gob_view_field(key), at + key->offset);
}

static leat_err error_field(struct gob_reader *r, int32_t f, int64_t wire, char *at)
{
    const struct gob_view code = { .kind = LEAT_K_INT_, .size = sizeof(leat_err) };
    const struct gob_view text = { .kind = LEAT_K_STRING_, .size = sizeof(leat_string) };
    return f == 0 ? enter(r, wire, code, at + offsetof(leat_error, code)) : enter(r, wire, text, at + offsetof(leat_error, text));
}

/* A case of a oneof: the one before it, if the stream has two, is given back. */
static leat_err oneof_field(struct gob_reader *r, const leat_type *t, int32_t f, int64_t wire, char *at)
{
    uint32_t which = (uint32_t)f + 1;
    if (f == GOB_WHICH) {
        uint64_t n = gob_uint(&r->gob);
        if (n > t->count)
            return refuse(r, LEAT_TYPE, ": no such case", "");
        which = (uint32_t)n;
        memcpy(at, &which, sizeof which);
        return LEAT_OK;
    }
    leat_drop_(t, at);
    memcpy(at, &which, sizeof which);
    return enter(r, wire, gob_view_field(type_field(t, (uint32_t)f)), at + type_field(t, (uint32_t)f)->offset);
}

/* The struct at p is done.  If it is one of a list, the next one takes its place. */
static void next_struct(struct gob_reader *r, struct place *p)
{
    r->frames.len -= sizeof *p;
    struct place *row = r->frames.len ? p - 1 : NULL;
    if (!row || row->what != LIST || row->plan != p->plan || !row->left)
        return;
    row->left--;
    *p = (struct place){ .what = FIELDS, .plan = row->plan, .at = next_one(row) + row->value_off };
    if (p->plan->dates)
        start_dates(p->plan, p->at);
    r->frames.len += sizeof *p;
}

/* A leaf that is next at *p, which was checked: the message ends at end.  false: it is not as usual; *p is where it was. */
static inline bool store_quick(struct gob_reader *r, uint8_t quick, const uint8_t **p, const uint8_t *end, char *at)
{
    const uint8_t *from = *p, *q = from;
    uint64_t x = gob_number(&q, end);
    leat_string s = { 0 };
    leat_date d;
    switch (quick) {
    case QUICK_INT_64:
        x = x >> 1 ^ (0 - (x & 1));
        break;
    case QUICK_UINT_64:
        break;
    case QUICK_FLOAT_64:
        x = __builtin_bswap64(x);
        break;
    case QUICK_BOOL:
        *at = x != 0;
        *p = q;
        return true;
    case QUICK_TEXT:
        if (x > LIMIT_LIST || (x && !texts_copy(&r->texts, q, (size_t)x, (size_t)(end - q - (ptrdiff_t)x), &s)))
            return false;
        memcpy(at, &s, sizeof s);
        *p = q + x;
        return true;
    default:
        if (x < 15 || !date_of(q, (size_t)x, &d))
            return false;
        memcpy(at, &d, sizeof d);
        *p = q + x;
        return true;
    }
    memcpy(at, &x, sizeof x);
    *p = q;
    return true;
}

/* Goes over the fields that are stored at once, and over the structs of a row that consist of them. */
static void quick_fields(struct gob_reader *r, struct place *p)
{
    const struct gob_plan *plan = p->plan;
    struct place *row = r->frames.len > sizeof *p && p[-1].what == LIST && p[-1].plan == plan ? p - 1 : NULL;
    const uint8_t *at = r->gob.c.p, *end = r->gob.c.end;
    for (;;) {
        size_t delta = *at;
        const uint8_t *value = at + 1;
        if (delta == 0) {
            if (!row || !row->left)
                break;
            row->left--;
            p->at = next_one(row) + row->value_off;
            p->next = 0;
            if (plan->dates)
                start_dates(plan, p->at);
        } else {
            const struct gob_match *m = &plan->match[p->next + (delta < 128 ? delta : 1) - 1];
            if (delta >= 128 || !m->quick || !store_quick(r, m->quick, &value, end, p->at + m->offset))
                break;
            p->next += delta;
        }
        at = value;
    }
    r->gob.c.p = at;
}

/* The fields that are next, to the first one that has parts. */
static leat_err next_fields(struct gob_reader *r, struct place *p)
{
    const struct gob_plan *plan = p->plan;
    for (;;) {
        quick_fields(r, p);
        int64_t i = gob_next_field(&r->gob, plan->wire->nfields, &p->next);
        if (i < 0) {
            next_struct(r, p);
            return LEAT_OK;
        }
        const struct gob_match *m = &plan->match[i];
        if (m->leaf) {
            LEAT_TRY(store_leaf(r, m->v, p->at + m->offset));
            continue;
        }
        int64_t wire = plan->wire->fields[i].type;
        if (m->field < 0)
            return gob_skip(&r->gob, wire);
        if (plan->kind == LEAT_K_ERROR_)
            return error_field(r, m->field, wire, p->at);
        if (plan->kind == LEAT_K_ONEOF_)
            return oneof_field(r, plan->type, m->field, wire, p->at);
        const leat_field *f = type_field(plan->type, (uint32_t)m->field);
        return enter(r, wire, gob_view_field(f), p->at + f->offset);
    }
}

leat_err gob_read(struct gob_reader *r, const leat_type *t, void *v)
{
    const struct type_info *info;
    LEAT_IGNORE_(type_info_get(t, &info));           /* for drop, which does without if it must */
    memset(v, 0, t->size);
    buf_reset(&r->frames);
    r->type = t;
    r->texts = (struct texts){ 0 };
    r->gob.c.p = r->gob.value;
    leat_err e = gob_fit(r, r->gob.type, t);
    if (e == LEAT_OK)
        e = gob_head(&r->gob, r->gob.type);
    if (e == LEAT_OK)
        e = enter(r, r->gob.type, gob_view_of(t), v);
    while (e == LEAT_OK && r->frames.len) {
        struct place *p = (struct place *)(void *)(r->frames.p + r->frames.len) - 1;
        e = p->what == FIELDS ? next_fields(r, p) : next_of_row(r, p);
    }
    texts_end(&r->texts);
    if (e == LEAT_INVAL || (e == LEAT_OK && r->gob.why))           /* cannot be: the message was checked */
        e = leat_fail(LEAT_TYPE, "%s: %s", t->name, r->gob.why ? r->gob.why : "a bad stream");
    if (e != LEAT_OK)
        leat_drop_(t, v);
    return e;
}

void gob_reader_free(struct gob_reader *r)
{
    struct gob_plan **all = (struct gob_plan **)(void *)r->plans.p;
    for (size_t i = 0; i < r->plans.len / sizeof *all; i++)
        mem_free(all[i]);
    buf_free(&r->plans);
    buf_free(&r->fits);
    buf_free(&r->frames);
    gob_free(&r->gob);
}
