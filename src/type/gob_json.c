/* gob_json.c - values of a gob stream, written as JSON.
 *
 * The value was checked by gob_message.  Recursive, LIMIT_GOB_DEPTH deep at most: for a thread with a stack of 64 MiB. */
#include <stdlib.h>
#include "base/limits.h"
#include "type/gob.h"

static leat_err limit(struct gob *g, const char *what)
{
    g->over = what;
    return LEAT_LIMIT;
}

static leat_err done(const struct gob *g) { return g->no_memory ? LEAT_NOMEM : g->why ? LEAT_INVAL : LEAT_OK; }

/* Bytes after their count, where they lie. */
static const uint8_t *take(struct gob *g, size_t *n)
{
    uint64_t len = gob_uint(g);
    *n = 0;
    if (len > cur_left(&g->c))
        gob_bad(g, "a length that is over the bytes that are left");
    if (g->why)
        return (const uint8_t *)"";
    *n = (size_t)len;
    return cur_take(&g->c, *n);
}

/* == Values without parts ================================================================================================ */

static double float_of(uint64_t bits)                /* the bytes of a float are sent in turned order, so that 17.0 is short */
{
    double v;
    bits = __builtin_bswap64(bits);
    memcpy(&v, &bits, sizeof v);
    return v;
}

/* Whether it was a float32: see gob.h */
static bool was_float32(double v)
{
    float f = (float)v;
    uint32_t bits;
    memcpy(&bits, &f, sizeof bits);
    uint32_t exponent = bits >> 23 & 0xFF, mantissa = (bits & 0x7FFFFF) | (exponent ? 1u << 23 : 0);
    if ((double)f != v || exponent == 0xFF || !mantissa || 32 - __builtin_clz(mantissa) - __builtin_ctz(mantissa) <= 8)
        return false;
    return json_float_digits(v) >= 16;
}

static void put_complex(const struct json_sink *s, double re, double im)
{
    char text[2 * JSON_FLOAT_TEXT + 4], part[JSON_FLOAT_TEXT];
    size_t n = 0;
    text[n++] = '(';
    n += json_float_text(text + n, re);
    size_t len = json_float_text(part, im);
    if (*part != '-' && *part != '+')                /* the sign of the imaginary part is always there */
        text[n++] = '+';
    memcpy(text + n, part, len);
    n += len;
    memcpy(text + n, "i)", 2);
    json_string(s, text, n + 2);
}

static void put_number(const struct json_sink *s, enum gob_kind kind, uint64_t u)
{
    double v = float_of(u);
    if (kind == GOB_INT)
        json_int(s, (int64_t)(u & 1 ? ~(u >> 1) : u >> 1));
    else if (kind == GOB_UINT)
        json_uint(s, u);
    else if (was_float32(v))
        json_float32(s, (float)v);
    else
        json_float(s, v);
}

static leat_err basic(struct gob *g, enum gob_kind kind, const struct json_sink *s)
{
    size_t n;
    if (kind == GOB_BYTES || kind == GOB_STRING) {
        const uint8_t *p = take(g, &n);
        if (kind == GOB_STRING)
            json_string(s, p, n);
        else
            json_base64(s, p, n);
        return done(g);
    }
    uint64_t u = gob_uint(g);
    if (kind == GOB_COMPLEX) {
        uint64_t im = gob_uint(g);
        put_complex(s, float_of(u), float_of(im));
    } else if (kind == GOB_BOOL) {
        json_put(s, u ? "true" : "false");
    } else {
        put_number(s, kind, u);
    }
    return done(g);
}

/* == Values that a Go type encoded by its own method ===================================================================== */

static bool named(const struct gob_type *t, const char *name)
{
    return t->name.n == strlen(name) && memcmp(t->name.p, name, t->name.n) == 0;
}

bool gob_is_time(const struct gob_type *t) { return t->kind == GOB_OPAQUE && named(t, "Time"); }

/* time.Time: a version, seconds since year 1, nanoseconds, minutes east of UTC or -1 for UTC itself; version 2 has seconds too. */
static bool put_time(const struct json_sink *s, const uint8_t *p, size_t n)
{
    if (!(n == 15 && p[0] == 1) && !(n == 16 && p[0] == 2))
        return false;
    uint64_t sec = 0;
    for (size_t i = 1; i <= 8; i++)
        sec = sec << 8 | p[i];
    uint32_t ns = (uint32_t)p[9] << 24 | (uint32_t)p[10] << 16 | (uint32_t)p[11] << 8 | p[12];
    int32_t minutes = (int16_t)(p[13] << 8 | p[14]), offset = minutes == -1 ? 0 : minutes * 60;
    int64_t since;
    if (ns > 999999999 || __builtin_sub_overflow((int64_t)sec, GOB_YEAR_1970, &since))
        return false;
    if (n == 16)
        offset += (int8_t)p[15];
    json_time(s, since, ns, offset);
    return true;
}

/* big.Int: twice the version, 1, and whether it is negative; then its bytes, the highest first and not 0.  A nil one sends no bytes. */
static bool put_big(const struct json_sink *s, const struct gob_type *t, const uint8_t *p, size_t n)
{
    bool sure = named(t, "Int");
    if (n == 0 && sure)
        return json_put(s, "0"), true;
    if ((t->name.n ? !sure : t->len != GOB_ENCODER) || n == 0 || p[0] >> 1 != 1 || (n > 1 && p[1] == 0 && !sure))
        return false;
    bool negative = p[0] & 1;
    for (p++, n--; n > 0 && *p == 0; n--)
        p++;
    json_big(s, negative && n > 0, p, n);
    return true;
}

static leat_err opaque(struct gob *g, const struct gob_type *t, const struct json_sink *s)
{
    enum { TEXT_MARSHALER = 6 };
    size_t n;
    const uint8_t *p = take(g, &n);
    if (t->len == TEXT_MARSHALER)
        json_string(s, p, n);
    else if (!put_big(s, t, p, n) && !(gob_may_be_time(t) && put_time(s, p, n)))
        json_base64(s, p, n);
    return LEAT_OK;
}

/* == Values with parts =================================================================================================== */

/* What stands for a value that was left out.  Go leaves out a struct, an array, a slice or a map only where there is none. */
static void put_zero(const struct gob *g, int64_t type, const struct json_sink *s)
{
    const struct gob_type *t = gob_type_of(g, type);
    if (type == GOB_BOOL)
        json_put(s, "false");
    else if (type == GOB_INT || type == GOB_UINT || type == GOB_FLOAT)
        json_put(s, "0");
    else if (type == GOB_COMPLEX)
        json_put(s, "\"(0+0i)\"");
    else if (type == GOB_STRING)
        json_put(s, "\"\"");
    else
        json_put(s, t && gob_is_time(t) ? "\"0001-01-01T00:00:00Z\"" : "null");
}

static void put_member(const struct gob *g, const struct gob_type *t, size_t i, const struct json_sink *s, bool zero)
{
    json_put(s, i ? "," : "{");
    json_string(s, t->fields[i].name.p, t->fields[i].name.n);
    json_put(s, ":");
    if (zero)
        put_zero(g, t->fields[i].type, s);
}

static leat_err structure(struct gob *g, const struct gob_type *t, const struct json_sink *s)
{
    size_t i = 0, next = 0;                          /* the field that is printed next; that is read next */
    for (int64_t f; (f = gob_next_field(g, t->nfields, &next)) >= 0;) {
        for (; i < (size_t)f; i++)
            put_member(g, t, i, s, true);
        put_member(g, t, i++, s, false);
        LEAT_TRY(gob_value(g, t->fields[f].type, s));
    }
    for (; i < t->nfields; i++)
        put_member(g, t, i, s, true);
    json_put(s, t->nfields ? "}" : "{}");
    return done(g);
}

static leat_err row(struct gob *g, const struct gob_type *t, const struct json_sink *s)
{
    uint64_t n = gob_uint(g);
    json_put(s, "[");
    for (uint64_t i = 0; i < n; i++) {
        json_put(s, i ? "," : "");
        LEAT_TRY(gob_value(g, t->elem, s));
    }
    json_put(s, "]");
    return done(g);
}

/* == Maps: sorted by the text of the key, as Go's encoding/json prints them; of two equal keys the later one counts ====== */

/* Where the key's text is in the buffer; where the key and the value are on the wire. */
struct entry { size_t from, len; const uint8_t *key, *value; };
struct entries { struct entry *of; struct buf keys; };

static int by_key(const void *a, const void *b, void *self)
{
    const struct entry *x = a, *y = b;
    const struct buf *keys = self;
    size_t n = x->len < y->len ? x->len : y->len;
    int c = n ? memcmp(keys->p + x->from, keys->p + y->from, n) : 0;
    return c ? c : x->len != y->len ? (x->len < y->len ? -1 : 1) : x->value < y->value ? -1 : 1;
}

/* The text of a key: of a string its bytes, of anything else its JSON without quotes */
static leat_err read_key(struct gob *g, int64_t type, struct buf *keys, struct entry *e)
{
    struct json_sink to = json_to_buf(keys);
    e->from = keys->len;
    if (type == GOB_STRING) {
        size_t n;
        const uint8_t *p = take(g, &n);
        buf_put(keys, p, n);
    } else {
        leat_err err = gob_value(g, type, &to);
        if (err != LEAT_OK && buf_err(keys) == LEAT_OK)
            return err;
        if (keys->len - e->from >= 2 && keys->p[e->from] == '"') {
            e->from++;
            keys->len--;                             /* and what has failed in keys stays so */
        }
    }
    e->len = keys->len - e->from;
    return buf_err(keys) == LEAT_LIMIT ? limit(g, "keys of maps whose text is over 32 times their message") : buf_err(keys);
}

/* What the keys of one more map may have as text: they are all there until the map is sorted. */
static size_t keys_most(const struct gob *g)
{
    size_t all = LIMIT_GOB_KEYS + LIMIT_DECODE_RATIO / 2 * (size_t)(g->c.end - g->start);
    return MAX(all - MIN(g->keys_text, all), (size_t)1);
}

/* Equal texts are not always equal keys: the 1 and the "1" of a map[interface{}]T are two, and so are two NaN. */
static bool same_key(const struct entries *in, int64_t type, const struct entry *a, const struct entry *b)
{
    size_t raw = (size_t)(a->value - a->key);
    if (a->len != b->len || (a->len && memcmp(in->keys.p + a->from, in->keys.p + b->from, a->len) != 0))
        return false;
    if (type == GOB_FLOAT)
        return !(a->len == 3 && memcmp(in->keys.p + a->from, "NaN", 3) == 0);
    return type < GOB_INTERFACE || (raw == (size_t)(b->value - b->key) && memcmp(a->key, b->key, raw) == 0);
}

static leat_err put_entries(struct gob *g, const struct gob_type *t, struct entries *in, size_t n, const struct json_sink *s)
{
    int64_t key = t->key, elem = t->elem;
    bool any = false;
    qsort_r(in->of, n, sizeof *in->of, by_key, &in->keys);
    for (size_t i = 0; i < n; i++) {
        const struct entry *e = &in->of[i];
        if (i + 1 < n && same_key(in, key, e, e + 1))
            continue;
        json_put(s, any ? "," : "");
        any = true;
        json_string(s, e->len ? in->keys.p + e->from : (const uint8_t *)"", e->len);
        json_put(s, ":");
        g->c.p = e->value;
        LEAT_TRY(gob_value(g, elem, s));
    }
    return LEAT_OK;
}

static leat_err map(struct gob *g, const struct gob_type *t, const struct json_sink *s)
{
    size_t n = (size_t)gob_uint(g);                  /* checked: so many there are */
    struct entries in = { .of = mem_alloc((n + 1) * sizeof *in.of), .keys.max = keys_most(g) };
    size_t text = g->keys_text;
    int64_t key = t->key, elem = t->elem;
    leat_err e = in.of ? LEAT_OK : LEAT_NOMEM;
    for (size_t i = 0; i < n && e == LEAT_OK; i++) {
        in.of[i].key = g->c.p;
        e = read_key(g, key, &in.keys, &in.of[i]);
        in.of[i].value = g->c.p;
        if (e == LEAT_OK)
            e = gob_skip(g, elem);
    }
    const uint8_t *end = g->c.p;
    g->keys_text = text + in.keys.len;
    json_put(s, "{");
    if (e == LEAT_OK)
        e = put_entries(g, t, &in, n, s);
    json_put(s, "}");
    g->keys_text = text;
    g->c.p = end;
    mem_free(in.of);
    buf_free(&in.keys);
    return e;
}

/* == Interfaces and all ================================================================================================== */

static leat_err interface(struct gob *g, const struct json_sink *s)
{
    size_t end;
    int64_t type = gob_interface(g, &end);
    if (type)
        return gob_value(g, type, s);
    json_put(s, "null");
    return done(g);
}

leat_err gob_value(struct gob *g, int64_t type, const struct json_sink *s)
{
    if (type >= GOB_BOOL && type <= GOB_COMPLEX)
        return basic(g, (enum gob_kind)type, s);
    const struct gob_type *t = gob_type_of(g, type);
    if (g->deepest && g->depth == g->deepest)
        return limit(g, "values inside each other over 50 deep");
    if (s->buf && buf_err(s->buf) != LEAT_OK)        /* nobody wants the rest, which may be long: fields that are zero take no bytes */
        return buf_err(s->buf);
    if (s->over && s->over(s->self))
        return LEAT_CLOSED;
    g->depth++;
    leat_err e = !t                     ? interface(g, s)
               : t->kind == GOB_STRUCT  ? structure(g, t, s)
               : t->kind == GOB_MAP     ? map(g, t, s)
               : t->kind == GOB_OPAQUE  ? opaque(g, t, s)
                                        : row(g, t, s);
    g->depth--;
    return e;
}

leat_err gob_json(struct gob *g, const struct json_sink *s)
{
    g->c.p = g->value;
    g->depth = 0;
    g->keys_text = 0;
    LEAT_TRY(gob_head(g, g->type));
    return gob_value(g, g->type, s);
}
