/* json_dec.c - a described value from JSON.  The text may come from anyone.  See json.h.
 *
 * Laws.  1. *v, and every block that hangs from it, is zero before it is filled: at any moment leat_drop_ can take back all there is.
 * 2. Memory is asked for only for what the text has: a string no longer than its text, an element (its size in the list, at most twice)
 *    for each that begins. */
#include "type/json_dec.h"
#include "base/alloc.h"
#include "base/limits.h"
#include "type/json.h"
#include "type/json_level.h"
#include "type/json_lex.h"
#include "type/texts.h"

struct dec {
    struct json_lex lex;
    struct json_levels s;
    struct texts texts;
    struct { const char *p; size_t len; } text;      /* the string that was read last: in the JSON text, or, if it had escapes, in room */
    struct buf room, seen;                           /* seen: bits of the fields that were given */
};

static size_t place(const struct dec *k) { return (size_t)(k->lex.p - k->lex.from); }
static leat_err failed(struct dec *k, leat_err e, const char *what) { return json_level_fail(&k->s, e, "%s at byte %zu", what, place(k)); }
static leat_err bad(struct dec *k, const char *what) { return failed(k, LEAT_TYPE, k->lex.why ? k->lex.why : what); }

/* -- values without parts ---------------------------------------------------------------------------------------------------- */
static leat_err get_string(struct dec *k, const char *what)
{
    if (json_lex_peek(&k->lex) != JSON_STRING)
        return bad(k, what);
    if (json_lex_view(&k->lex, &k->text.p, &k->text.len))
        return LEAT_OK;
    buf_reset(&k->room);
    if (!json_lex_string(&k->lex, &k->room))
        return bad(k, "a malformed string");
    k->text.p = (const char *)k->room.p;
    k->text.len = k->room.len;
    return buf_err(&k->room) == LEAT_OK ? LEAT_OK : failed(k, buf_err(&k->room), "no memory for a string");
}

/* What get_string has read, as a value of its own. */
static leat_err keep_text(struct dec *k, char *at, size_t n)
{
    leat_string text = { 0 };
    if (n == 0)
        return LEAT_OK;
    if (n > LIMIT_LIST)
        return failed(k, LEAT_LIMIT, "a string of 4 GiB or more");
    if (!texts_copy(&k->texts, k->text.p, n, (size_t)(k->lex.end - k->lex.p), &text))
        return failed(k, LEAT_NOMEM, "no memory for a string");
    memcpy(at, &text, sizeof text);
    return LEAT_OK;
}

/* A number, as it stands or in quotes. */
static leat_err get_digits(struct dec *k, const char **p, size_t *n)
{
    enum json_token t = json_lex_peek(&k->lex);
    if (t == JSON_NUMBER)
        return json_lex_number(&k->lex, p, n) ? LEAT_OK : bad(k, "no number");
    if (t != JSON_STRING)
        return bad(k, "a number is wanted");
    LEAT_TRY(get_string(k, "a number is wanted"));
    struct json_lex inner = json_lex_of(k->text.p, k->text.len);
    if (json_lex_peek(&inner) != JSON_NUMBER || inner.p != inner.from || !json_lex_number(&inner, p, n) || inner.p != inner.end)
        return bad(k, "a string that is no number");
    return LEAT_OK;
}

static leat_err get_int(struct dec *k, char *at, uint32_t size)
{
    const char *p;
    size_t n;
    int64_t v;
    LEAT_TRY(get_digits(k, &p, &n));
    int64_t most = (int64_t)(UINT64_MAX >> (65 - 8 * size));
    if (!json_number_int(p, n, &v) || v > most || v < -most - 1)
        return json_level_fail(&k->s, LEAT_TYPE, "the number %.*s does not fit an int%u, at byte %zu", (int)MIN(n, (size_t)40), p, 8 * size,
            place(k));
    memcpy(at, &v, size);
    return LEAT_OK;
}

static leat_err get_uint(struct dec *k, char *at, uint32_t size)
{
    const char *p;
    size_t n;
    uint64_t v;
    LEAT_TRY(get_digits(k, &p, &n));
    if (!json_number_uint(p, n, &v) || v > UINT64_MAX >> (64 - 8 * size))
        return json_level_fail(&k->s, LEAT_TYPE, "the number %.*s does not fit a uint%u, at byte %zu", (int)MIN(n, (size_t)40), p, 8 * size,
            place(k));
    memcpy(at, &v, size);
    return LEAT_OK;
}

static bool special(const char *p, size_t n, double *ret)
{
    static const struct { const char *name; double v; } all[] = { { "NaN", __builtin_nan("") }, { "+Inf", __builtin_inf() },
        { "Inf", __builtin_inf() }, { "-Inf", -__builtin_inf() } };
    for (size_t i = 0; i < ARRAY_LEN(all); i++)
        if (n == strlen(all[i].name) && memcmp(p, all[i].name, n) == 0) {
            *ret = all[i].v;
            return true;
        }
    return false;
}

static leat_err get_float(struct dec *k, char *at, uint32_t size)
{
    const char *p, *before = k->lex.p;
    size_t n;
    double v;
    if (json_lex_peek(&k->lex) == JSON_STRING) {
        LEAT_TRY(get_string(k, ""));
        if (!special(k->text.p, k->text.len, &v)) {
            k->lex.p = before;
            LEAT_TRY(get_digits(k, &p, &n));
            if (!json_number_float(p, n, &v))
                return bad(k, "a number that no float64 holds");
        }
    } else {
        LEAT_TRY(get_digits(k, &p, &n));
        if (!json_number_float(p, n, &v))
            return bad(k, "a number that no float64 holds");
    }
    if (size == 8) {
        memcpy(at, &v, size);
        return LEAT_OK;
    }
    float f = (float)v;
    if (__builtin_isinf(f) && !__builtin_isinf(v))
        return bad(k, "a number that no float32 holds");
    memcpy(at, &f, size);
    return LEAT_OK;
}

static leat_err get_number(struct dec *k, unsigned kind, char *at, uint32_t size)
{
    return kind == LEAT_K_INT_ ? get_int(k, at, size) : kind == LEAT_K_UINT_ ? get_uint(k, at, size) : get_float(k, at, size);
}

static leat_err get_bool(struct dec *k, char *at)
{
    enum json_token t = json_lex_peek(&k->lex);
    if (t != JSON_TRUE && t != JSON_FALSE)
        return bad(k, "true or false is wanted");
    json_lex_word(&k->lex);
    *(uint8_t *)at = t == JSON_TRUE;
    return LEAT_OK;
}

static leat_err get_bytes(struct dec *k, char *at)
{
    size_t n;
    LEAT_TRY(get_string(k, "bytes are a string in base 64"));
    if (k->text.p != (const char *)k->room.p) {      /* it is decoded in place, but not in the text, which is the caller's */
        buf_reset(&k->room);
        buf_put(&k->room, k->text.p, k->text.len);
        if (buf_err(&k->room) != LEAT_OK)
            return failed(k, LEAT_NOMEM, "no memory for bytes");
        k->text.p = (const char *)k->room.p;
    }
    if (!json_base64_in(k->room.p, k->text.len, &n))
        return bad(k, "a string that is not base 64");
    return keep_text(k, at, n);
}

static leat_err get_date(struct dec *k, char *at)
{
    leat_date d;
    LEAT_TRY(get_string(k, "a time is a string, as RFC 3339 writes it"));
    if (!json_date_in(k->text.p, k->text.len, &d))
        return bad(k, "a string that is no time of RFC 3339");
    memcpy(at, &d, sizeof d);
    return LEAT_OK;
}

static bool text_is(const struct dec *k, const char *s) { return k->text.len == strlen(s) && memcmp(k->text.p, s, k->text.len) == 0; }

static leat_err get_enum(struct dec *k, char *at, const leat_type *t, uint32_t size)
{
    if (json_lex_peek(&k->lex) == JSON_NUMBER)
        return get_int(k, at, size);
    LEAT_TRY(get_string(k, "a name is wanted"));
    for (uint32_t i = 0; i < t->count; i++)
        if (text_is(k, json_name(type_field(t, i)))) {
            int32_t v = type_field(t, i)->tag;
            memcpy(at, &v, MIN(size, (uint32_t)sizeof v));
            return LEAT_OK;
        }
    return json_level_fail(&k->s, LEAT_TYPE, "%s has no name %.*s, at byte %zu", t->name, (int)MIN(k->text.len, (size_t)60), k->text.p,
        place(k));
}

static leat_err get_array(struct dec *k, char *at, const struct gob_view *v)
{
    uint32_t count = v->size / v->inner->size;
    if (!json_lex_eat(&k->lex, '['))
        return bad(k, "an array is wanted");
    for (uint32_t i = 0; i < count; i++) {
        if (i > 0 && !json_lex_eat(&k->lex, ','))
            return json_level_fail(&k->s, LEAT_TYPE, "%u numbers are wanted, at byte %zu", count, place(k));
        LEAT_TRY(get_number(k, v->inner->kind, at + (size_t)i * v->inner->size, v->inner->size));
    }
    return json_lex_eat(&k->lex, ']') ? LEAT_OK :
        json_level_fail(&k->s, LEAT_TYPE, "more than %u numbers, at byte %zu", count, place(k));
}

static leat_err get_chars(struct dec *k, char *at, const struct gob_view *v)
{
    LEAT_TRY(get_string(k, "a string is wanted"));
    size_t n = k->text.len;
    if (n > 0 && memchr(k->text.p, 0, n))
        return bad(k, "a NUL in a C string");
    if (v->kind == LEAT_K_CHARS_) {
        if (n >= v->size)
            return json_level_fail(&k->s, LEAT_TYPE, "%zu bytes and a NUL do not fit %u, at byte %zu", n, v->size, place(k));
        if (n > 0)
            memcpy(at, k->text.p, n);
        return LEAT_OK;
    }
    char *p = mem_alloc(n + 1);
    if (!p)
        return failed(k, LEAT_NOMEM, "no memory for a string");
    if (n > 0)
        memcpy(p, k->text.p, n);
    p[n] = 0;
    memcpy(at, &p, sizeof p);
    return LEAT_OK;
}

/* -- values with others inside ----------------------------------------------------------------------------------------------- */
static leat_err get_key(struct dec *k)
{
    LEAT_TRY(get_string(k, "a key is a string"));
    return json_lex_eat(&k->lex, ':') ? LEAT_OK : bad(k, "a key is followed by :");
}

static leat_err get_error(struct dec *k, char *at, int row);

static leat_err get_cause(struct dec *k, leat_error *e, int row)
{
    if (row == LIMIT_ERROR_CHAIN)
        return failed(k, LEAT_LIMIT, "over 16 errors in a row");
    e->cause = mem_zalloc(sizeof *e->cause);
    return e->cause ? get_error(k, (char *)e->cause, row + 1) : failed(k, LEAT_NOMEM, "no memory");
}

static leat_err get_error_part(struct dec *k, leat_error *e, int row)
{
    LEAT_TRY(get_key(k));
    if (text_is(k, "node") && !e->node.p) {
        LEAT_TRY(get_string(k, "a string is wanted"));
        return keep_text(k, (char *)&e->node, k->text.len);
    }
    if (text_is(k, "details") && !e->details.p)
        return get_bytes(k, (char *)&e->details);
    if (text_is(k, "cause") && !e->cause && json_lex_peek(&k->lex) == JSON_OBJECT)
        return get_cause(k, e, row);
    if (text_is(k, "text") && !e->text.p) {
        LEAT_TRY(get_string(k, "a string is wanted"));
        return keep_text(k, (char *)&e->text, k->text.len);
    }
    if (!text_is(k, "code"))
        return json_lex_skip(&k->lex) ? LEAT_OK : bad(k, "");
    int32_t n;
    if (json_lex_peek(&k->lex) == JSON_NUMBER) {
        LEAT_TRY(get_int(k, (char *)&n, sizeof n));
        e->code = (leat_err)n;
        return LEAT_OK;
    }
    LEAT_TRY(get_string(k, "a code is wanted"));
    for (n = 0; n < 256 && !text_is(k, leat_err_name((leat_err)n)); n++)
        ;
    e->code = (leat_err)n;
    return n < 256 ? LEAT_OK : bad(k, "a code that is none");
}

static leat_err get_error(struct dec *k, char *at, int row)
{
    if (!json_lex_eat(&k->lex, '{'))
        return bad(k, "an object is wanted");
    for (bool first = true; !json_lex_eat(&k->lex, '}'); first = false) {
        if (!first && !json_lex_eat(&k->lex, ','))
            return bad(k, "an object goes on with , or ends with }");
        LEAT_TRY(get_error_part(k, (leat_error *)(void *)at, row));
    }
    return LEAT_OK;
}

static leat_err begin_struct(struct dec *k, char *at, const leat_type *t)
{
    size_t bits = (t->count + 7) / 8, from = k->seen.len;
    uint8_t *p;
    if (!json_lex_eat(&k->lex, '{'))
        return bad(k, "an object is wanted");
    if (!(p = buf_add(&k->seen, bits)))
        return failed(k, LEAT_NOMEM, "no memory");
    memset(p, 0, bits);
    const struct type_info *info;
    LEAT_TRY(type_info_get(t, &info));
    leat_err e;
    struct json_level *l = json_level_add(&k->s, &e);
    if (l) {                                         /* one by one: not by way of the stack */
        l->row = ROW_STRUCT;
        l->type = t;
        l->at = at;
        l->i = l->n = l->stride = l->value_off = 0;
        l->seen = (uint32_t)from;
        l->keys = info->keys;
    }
    return e;
}

static leat_err begin_block(struct dec *k, char *at, const struct gob_view *v)
{
    struct type_block b = type_block_at(v->kind, v->inner, at);
    if (!json_lex_eat(&k->lex, b.keyed ? '{' : '['))
        return bad(k, b.keyed ? "an object is wanted" : "an array is wanted");
    return json_level_push(&k->s, &(struct json_level){ b.keyed ? ROW_MAP : ROW_LIST, v->inner, at, 0, 0, b.stride, b.value_off, 0, NULL });
}

/* {"case": value}: *v and *at become the value's.  {}: none. */
static leat_err begin_case(struct dec *k, char **at, struct gob_view *v, bool *some)
{
    const leat_type *t = v->inner;
    *some = false;
    if (!json_lex_eat(&k->lex, '{'))
        return bad(k, "an object with one case is wanted");
    if (json_lex_eat(&k->lex, '}'))
        return LEAT_OK;
    LEAT_TRY(get_key(k));
    for (uint32_t i = 0; i < t->count; i++) {
        const leat_field *f = type_field(t, i);
        if (!text_is(k, json_name(f)))
            continue;
        uint32_t which = i + 1;
        memcpy(*at, &which, sizeof which);
        *some = true;
        *at += f->offset;
        *v = gob_view_field(f);
        return json_level_push(&k->s, &(struct json_level){ ROW_CASE, t, NULL, which, which, 0, 0, 0, NULL });
    }
    return json_level_fail(&k->s, LEAT_TYPE, "%s has no case %.*s, at byte %zu", t->name, (int)MIN(k->text.len, (size_t)60), k->text.p,
        place(k));
}

static leat_err begin_optional(struct dec *k, char **at, struct gob_view *v)
{
    void *p = mem_zalloc(v->inner->size ? v->inner->size : 1);
    if (!p)
        return failed(k, LEAT_NOMEM, "no memory");
    memcpy(*at, &p, sizeof p);
    *at = p;
    *v = gob_view_of(v->inner);
    return LEAT_OK;
}

static leat_err get_simple(struct dec *k, char *at, const struct gob_view *v)
{
    switch (v->kind) {
    case LEAT_K_BOOL_: return get_bool(k, at);
    case LEAT_K_INT_: case LEAT_K_UINT_: case LEAT_K_FLOAT_: return get_number(k, v->kind, at, v->size);
    case LEAT_K_STRING_:
        LEAT_TRY(get_string(k, "a string is wanted"));
        return keep_text(k, at, k->text.len);
    case LEAT_K_BYTES_: return get_bytes(k, at);
    case LEAT_K_DATE_: return get_date(k, at);
    case LEAT_K_DURATION_: return get_int(k, at, 8);
    case LEAT_K_ERROR_: return get_error(k, at, 1);
    case LEAT_K_ENUM_: return get_enum(k, at, v->inner, v->size);
    case LEAT_K_ARRAY_: return get_array(k, at, v);
    case LEAT_K_CSTR_: case LEAT_K_CHARS_: return get_chars(k, at, v);
    default: return bad(k, "a channel end does not travel in JSON");
    }
}

static leat_err get(struct dec *k, char *at, struct gob_view v)
{
    for (;;) {
        uint32_t offset = 0;
        bool some;
        if (json_lex_peek(&k->lex) == JSON_NULL) {   /* whatever it is: it stays zero */
            json_lex_word(&k->lex);
            return LEAT_OK;
        }
        v = gob_view_bare(v, &offset);
        at += offset;
        switch (v.kind) {
        case LEAT_K_STRUCT_: return begin_struct(k, at, v.inner);
        case LEAT_K_LIST_: case LEAT_K_MAP_: return begin_block(k, at, &v);
        case LEAT_K_OPTIONAL_: LEAT_TRY(begin_optional(k, &at, &v)); break;
        case LEAT_K_ONEOF_:
            LEAT_TRY(begin_case(k, &at, &v, &some));
            if (!some)
                return LEAT_OK;
            break;
        default: return get_simple(k, at, &v);
        }
    }
}

/* -- the next of a row ------------------------------------------------------------------------------------------------------- */
static leat_err next_field(struct dec *k, struct json_level *l)
{
    LEAT_TRY(get_key(k));
    uint32_t i = l->i, count = l->type->count;       /* they mostly come in their order */
    for (uint32_t tried = 0; tried < count; tried++, i++) {
        i = i < count ? i : 0;
        const leat_field *f = type_field(l->type, i);
        if (f->kind == LEAT_K_LOCAL_ || !text_is(k, json_name(f)))
            continue;
        uint8_t *bits = k->seen.p + l->seen;
        l->i = i + 1;
        if (bits[i / 8] & 1 << i % 8)
            return bad(k, "a field given twice");
        bits[i / 8] |= (uint8_t)(1 << i % 8);
        return get(k, l->at + f->offset, gob_view_field(f));
    }
    return json_lex_skip(&k->lex) ? LEAT_OK : bad(k, "");
}

static leat_err grow(struct dec *k, struct json_level *l, char **entry);

/* -- fields as nearly all are: in their order, without spaces, escapes and exponents ------------------------------------------ */
enum quick { NOT_QUICK, QUICK, QUICK_NO_MEMORY };    /* NOT: nothing was read */

/* Past that key at p, or NULL. */
static inline const char *after_key(const char *p, const char *end, const struct json_key *key)
{
    uint64_t x[2] = { 0 };
    size_t left = (size_t)(end - p);
    if (likely(left >= sizeof x))
        memcpy(x, p, sizeof x);
    else
        memcpy(x, p, left);                          /* what is missing is 0, which is in no key */
    bool same = (((x[0] ^ key->text[0]) & key->mask[0]) | ((x[1] ^ key->text[1]) & key->mask[1])) == 0;
    return same && key->len && key->len < left ? p + key->len : NULL;
}

/* A number of at most 15 digits, if `point` perhaps with one among them: *u is it without its point, *behind how many are behind that.
 * What follows it; NULL: it is another number, or none. */
static inline const char *few_digits(const char *p, const char *end, bool point, uint64_t *u, uint32_t *behind)
{
    const char *from = p, *mark;
    *u = 0;
    *behind = 0;
    for (; p < end && (uint8_t)(*p - '0') <= 9; p++)
        *u = *u * 10 + (uint64_t)(*p - '0');
    if (p == from || p - from > 15 || (*from == '0' && p - from > 1))
        return NULL;
    if (point && p < end && *p == '.') {
        for (mark = ++p; p < end && (uint8_t)(*p - '0') <= 9 && p - from < 20; p++)
            *u = *u * 10 + (uint64_t)(*p - '0');
        *behind = (uint32_t)(p - mark);
        if (p == mark || p - from > 16)
            return NULL;
    }
    return p < end && (*p == ',' || *p == '}' || *p == ']') ? p : NULL;
}

static inline enum quick quick_number(struct dec *k, const leat_field *f, const char *p, char *at)
{
    static const double power[] = { 1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15 };
    bool negative = *p == '-';
    uint64_t u;
    uint32_t behind;
    if (f->size != 8 || !(p = few_digits(p + negative, k->lex.end, f->kind == LEAT_K_FLOAT_, &u, &behind)))
        return NOT_QUICK;
    if (f->kind == LEAT_K_FLOAT_) {
        double d = (double)u / power[behind];        /* exact over exact: see json_lex.c */
        d = negative ? -d : d;
        memcpy(at, &d, sizeof d);
    } else {
        if (negative && f->kind == LEAT_K_UINT_)
            return NOT_QUICK;
        u = negative ? 0 - u : u;
        memcpy(at, &u, sizeof u);
    }
    k->lex.p = p;
    return QUICK;
}

static inline enum quick quick_string(struct dec *k, const char *p, char *at)
{
    const char *end = k->lex.end, *text = p + 1, *behind = text;
    leat_string s = { 0 };
    if (*p != '"' || (behind += json_plain((const uint8_t *)text, (size_t)(end - text), false)) == end || *behind != '"')
        return NOT_QUICK;
    size_t n = (size_t)(behind - text);
    if (n > LIMIT_LIST)
        return NOT_QUICK;
    if (n > 0 && !texts_copy(&k->texts, text, n, (size_t)(end - behind), &s))
        return QUICK_NO_MEMORY;
    memcpy(at, &s, sizeof s);
    k->lex.p = behind + 1;
    return QUICK;
}

/* json_date_in looks at each character. */
static inline enum quick quick_date(struct dec *k, const char *p, char *at)
{
    enum { LEAST = 20, MOST = 64 };
    const char *text = p + 1;
    leat_date d;
    size_t left = (size_t)(k->lex.end - p), n = LEAST;
    if (*p != '"' || left < LEAST + 2)
        return NOT_QUICK;
    while (n < MOST && n + 1 < left && text[n] != '"')
        n++;
    if (n + 1 >= left || text[n] != '"' || !json_date_in(text, n, &d))
        return NOT_QUICK;
    memcpy(at, &d, sizeof d);
    k->lex.p = text + n + 1;
    return QUICK;
}

static inline enum quick quick_value(struct dec *k, const leat_field *f, const char *p, char *at)
{
    switch (f->kind) {
    case LEAT_K_INT_: case LEAT_K_UINT_: case LEAT_K_FLOAT_: case LEAT_K_DURATION_: return quick_number(k, f, p, at);
    case LEAT_K_STRING_: return quick_string(k, p, at);
    case LEAT_K_DATE_: return quick_date(k, p, at);
    default: return NOT_QUICK;
    }
}

/* The struct at l has ended at p, within text of `},{`, and is one of a list: l becomes the next one.  false: it is not so. */
static inline bool quick_row(struct dec *k, struct json_level *l, const char *p, leat_err *e)
{
    struct json_level *row = (const uint8_t *)l > k->s.stack.p ? l - 1 : NULL;
    char *entry = NULL;
    if (!row || row->row != ROW_LIST || row->type != l->type || k->lex.end - p < 4 || p[1] != ',' || p[2] != '{')
        return false;
    k->lex.p = p + 3;
    row->n++;
    *e = grow(k, row, &entry);
    l->at = entry;
    l->i = l->n = 0;
    memset(k->seen.p + l->seen, 0, (l->type->count + 7) / 8);
    return *e == LEAT_OK;
}

/* Reads such fields, and the structs of a list, to the first thing that is not so: *next is then before it. */
static leat_err quick_fields(struct dec *k, struct json_level *l)
{
    leat_err e = LEAT_OK;
    const char *p = k->lex.p, *end = k->lex.end;
    while (p < end) {
        if (*p == '}' && quick_row(k, l, p, &e)) {
            p = k->lex.p;
            continue;
        }
        if (e != LEAT_OK || l->i >= l->type->count || (l->n > 0 && *p != ','))
            return e;
        const leat_field *f = type_field(l->type, l->i);
        uint8_t *bits = k->seen.p + l->seen + l->i / 8, bit = (uint8_t)(1 << l->i % 8);
        p = after_key(p + (l->n > 0), end, &l->keys[l->i]);
        if (!p || *bits & bit)
            return LEAT_OK;
        enum quick q = quick_value(k, f, p, l->at + f->offset);
        if (q != QUICK) {
            l->i += q == QUICK_NO_MEMORY;
            return q == NOT_QUICK ? LEAT_OK : failed(k, LEAT_NOMEM, "no memory for a string");
        }
        *bits |= bit;
        l->i++;
        l->n++;
        p = k->lex.p;
    }
    return LEAT_OK;
}

/* One more entry, zero. */
static leat_err grow(struct dec *k, struct json_level *l, char **entry)
{
    enum { FIRST = 4 };
    leat_strings list;                               /* all lists and maps are laid out alike */
    memcpy(&list, l->at, sizeof list);
    if (list.len == list.cap) {
        if (list.cap >= LIMIT_LIST / 2)
            return failed(k, LEAT_LIMIT, "too many elements");
        uint32_t cap = list.cap ? 2 * list.cap : FIRST;
        void *p = mem_realloc(list.at, (size_t)cap * l->stride);
        if (!p)
            return failed(k, LEAT_NOMEM, "no memory for a list");
        list.at = p;
        list.cap = cap;
    }
    *entry = (char *)list.at + (size_t)list.len++ * l->stride;
    zero_short(*entry, l->stride);
    memcpy(l->at, &list, sizeof list);
    l->i = list.len;
    return LEAT_OK;
}

static leat_err next_entry(struct dec *k, struct json_level *l)
{
    char *entry = NULL;
    if (l->row == ROW_MAP)
        LEAT_TRY(get_key(k));
    LEAT_TRY(grow(k, l, &entry));
    if (l->row == ROW_MAP)
        LEAT_TRY(keep_text(k, entry, k->text.len));
    return get(k, entry + l->value_off, gob_view_of(l->type));
}

static leat_err next(struct dec *k, struct json_level *l)
{
    bool list = l->row == ROW_LIST;
    if (l->keys)
        LEAT_TRY(quick_fields(k, l));
    if (json_lex_eat(&k->lex, list ? ']' : '}')) {
        if (l->row == ROW_STRUCT)
            k->seen.len = l->seen;
        json_level_pop(&k->s);
        return LEAT_OK;
    }
    if (l->row == ROW_CASE)
        return bad(k, "an object with one case ends with }");
    bool first = l->n++ == 0;
    if (!first && !json_lex_eat(&k->lex, ','))
        return bad(k, list ? "an array goes on with , or ends with ]" : "an object goes on with , or ends with }");
    return l->row == ROW_STRUCT ? next_field(k, l) : next_entry(k, l);
}

leat_err type_json_get(const leat_type *t, const char *text, size_t n, void *v)
{
    uint64_t levels[LEVELS_HERE * sizeof(struct json_level) / sizeof(uint64_t)], bits[4];  /* what is neither deep nor wide needs no more */
    struct dec k = { .lex = json_lex_of(text, n), .s = { t, buf_on(levels, sizeof levels, 0) }, .seen = buf_on(bits, sizeof bits, 0) };
    const struct type_info *info;
    struct json_level *l;
    memset(v, 0, t->size);
    LEAT_TRY(type_info_get(t, &info));
    leat_err e = get(&k, v, gob_view_of(t));
    while (e == LEAT_OK && (l = json_level_top(&k.s)))
        e = next(&k, l);
    if (e == LEAT_OK && json_lex_peek(&k.lex) != JSON_END)
        e = bad(&k, "more than one value");
    texts_end(&k.texts);
    if (e != LEAT_OK)
        leat_drop_(t, v);
    buf_free(&k.s.stack);
    buf_free(&k.room);
    buf_free(&k.seen);
    return e;
}

leat_err leat_json_read_(const leat_type *t, const char *text, size_t n, void *ret) { return type_json_get(t, text, n, ret); }
