/* form_json.c - values without a description: see form_json.h.
 *
 * The value is followed through the tree of its form (form_tree.h): each part of it costs one step, an enumerator the steps of a search.
 * A part has bytes, but for structs; how many of those there may be is bounded by the bytes of the value, too.  The Go declarations walk
 * the form itself, once; a definition that is open there is in a list of those around it, which lies on the stack. */
#include "type/form_json.h"
#include <stdio.h>
#include "base/limits.h"
#include "leat.h"
#include "type/error.h"
#include "type/form.h"

enum { EMPTY_MOST = 1 << 16, NAME = 200 };           /* elements of no bytes in one list */
enum { PARTS = 1 << 16, PARTS_BYTE = 64 };           /* of a value: so many, and so many more for each of its bytes */

struct env { struct cur members; const struct env *around; char name[NAME]; };   /* members: where they begin, with their count */
struct printer {
    const struct form_tree *t;
    struct cur in;
    const struct json_sink *s;
    const char *why;
    int depth;
    uint64_t steps, parts, most;                     /* looks at anything; parts of the value, and how many those may be */
};

static void value(struct printer *k, uint32_t type);

static void wrong(struct printer *k, const char *why)
{
    k->why = k->why ? k->why : why;
}

static void text(struct printer *k, bool base64)
{
    size_t n;
    const char *p = cur_text(&k->in, &n);
    if (!p)
        wrong(k, "cut short, or a malformed length");
    else if (base64)
        json_base64(k->s, (const uint8_t *)p, n);
    else
        json_string(k->s, p, n);
}

static void cstr(struct printer *k)
{
    uint64_t n = cur_varint(&k->in);
    const uint8_t *p = n ? cur_take(&k->in, (size_t)n - 1) : NULL;
    if (n == 0 && !k->in.bad)
        json_put(k->s, "null");
    else if (!p)
        wrong(k, "cut short, or a malformed length");
    else
        json_string(k->s, p, (size_t)n - 1);
}

static uint64_t raw(struct printer *k, unsigned size)
{
    uint64_t v = 0;
    const uint8_t *p = cur_take(&k->in, size);
    if (p)
        memcpy(&v, p, size);                         /* little-endian, as on this machine (plan.c) */
    else
        wrong(k, "cut short");
    return v;
}

static void number(struct printer *k, unsigned kind, unsigned size)
{
    uint64_t v = raw(k, size);
    if (kind == LEAT_K_INT_) {
        json_int(k->s, (int64_t)(v << (64 - 8 * size)) >> (64 - 8 * size));
    } else if (kind == LEAT_K_UINT_) {
        json_uint(k->s, v);
    } else if (size == 4) {
        float f;
        memcpy(&f, &v, sizeof f);
        json_float32(k->s, f);
    } else {
        double d;
        memcpy(&d, &v, sizeof d);
        json_float(k->s, d);
    }
}

static void date(struct printer *k)
{
    int64_t s = (int64_t)raw(k, 8), shown;
    uint32_t ns = (uint32_t)raw(k, 4);
    int32_t offset = (int32_t)raw(k, 4);
    offset -= offset % 60;                           /* RFC 3339 has no seconds of offset; the instant stays */
    if (__builtin_add_overflow(s, offset, &shown) || shown < -62167219200 || shown >= 253402300800 || ns > 999999999 ||
        offset <= -86400 || offset >= 86400)
        wrong(k, "a date that RFC 3339 does not have");
    else
        json_time(k->s, s, ns, offset);
}

static bool flag(struct printer *k)
{
    uint64_t b = raw(k, 1);
    if (b > 1)
        wrong(k, "neither 0 nor 1");
    return b == 1;
}

static const char *member(struct cur *form, size_t *n, int64_t *tag)
{
    const char *name = cur_text(form, n);
    *tag = form_unzigzag(cur_varint(form));
    return name;
}

static void put_member(struct printer *k, const struct form_member *m)
{
    json_string(k->s, m->name, m->len);
    json_put(k->s, ":");
    value(k, m->type);
}

static void members(struct printer *k, const struct form_node *n)
{
    json_put(k->s, "{");
    for (uint32_t i = 0; i < n->count && !k->why; i++) {
        json_put(k->s, i ? "," : "");
        put_member(k, form_member(k->t, n, i));
    }
    json_put(k->s, "}");
}

static void cases(struct printer *k, const struct form_node *n)
{
    uint64_t which = cur_varint(&k->in);
    if (k->in.bad || which > n->count) {
        wrong(k, "no such case");
        return;
    }
    if (which == 0) {
        json_put(k->s, "null");
        return;
    }
    json_put(k->s, "{");
    put_member(k, form_member(k->t, n, (uint32_t)which - 1));
    json_put(k->s, "}");
}

static void enumerator(struct printer *k, const struct form_node *n)
{
    int32_t v = (int32_t)raw(k, 4);
    const struct form_member *m = form_enumerator(k->t, n, v, &k->steps);
    if (m)
        json_string(k->s, m->name, m->len);
    else
        json_int(k->s, v);
}

static void row(struct printer *k, const struct form_node *of)
{
    bool map = of->kind == LEAT_K_MAP_;
    uint64_t n = cur_varint(&k->in);
    const uint8_t *began = k->in.p;
    if (k->in.bad)
        wrong(k, "cut short, or a malformed length");
    json_put(k->s, map ? "{" : "[");
    for (uint64_t i = 0; i < n && !k->why; i++) {
        json_put(k->s, i ? "," : "");
        if (map) {
            text(k, false);
            json_put(k->s, ":");
        }
        if (!k->why)
            value(k, of->inner);
        if (i == EMPTY_MOST && k->in.p == began)
            wrong(k, "a list of more than 65,536 elements of no bytes");
    }
    json_put(k->s, map ? "}" : "]");
}

static void array(struct printer *k, const struct form_node *n)
{
    json_put(k->s, "[");
    for (uint32_t i = 0; i < n->count && !k->why; i++) {
        json_put(k->s, i ? "," : "");
        number(k, n->number, n->size);
        k->steps++;
    }
    json_put(k->s, "]");
}

/* One of a row of errors.  true: its cause follows. */
static bool one_error(struct printer *k)
{
    static const char *const names[] = { "OK", "CLOSED", "CANCELED", "DEADLINE", "AGAIN", "NOMEM", "INVAL", "LIMIT", "TYPE", "REFUSED",
        "PEER_LOST", "GONE", "UNKNOWN", "REMOTE", "SYS" };
    uint32_t code = (uint32_t)raw(k, 4);
    bool more = code & ERROR_MORE;
    code &= ~ERROR_MORE;
    json_put(k->s, "{\"code\":");
    if (code < ARRAY_LEN(names))
        json_string(k->s, names[code], strlen(names[code]));
    else
        json_uint(k->s, code);
    json_put(k->s, ",\"text\":");
    text(k, false);
    if (!more || k->why)
        return false;
    bool some = false;
    for (int i = 0; i < 2 && !k->why; i++) {
        if (k->in.p < k->in.end && *k->in.p == 0) {
            k->in.p++;
            continue;
        }
        some = true;
        json_put(k->s, i ? ",\"details\":" : ",\"node\":");
        text(k, i == 1);
    }
    more = flag(k);
    if (!k->why && !more && !some)
        wrong(k, "an error that announces more and has no more");
    return more && !k->why;
}

static void error(struct printer *k)
{
    int row = 1;
    while (one_error(k)) {
        if (row++ == LIMIT_ERROR_CHAIN) {
            wrong(k, "over 16 errors in a row");
            break;
        }
        json_put(k->s, ",\"cause\":");
    }
    while (row--)
        json_put(k->s, "}");
}

static void inner(struct printer *k, const struct form_node *n)
{
    bool there = flag(k);
    if (there && n->kind != LEAT_K_OPTIONAL_)
        wrong(k, "an end of a channel, which does not travel in files");
    if (there && !k->why)
        value(k, n->inner);
    else
        json_put(k->s, "null");
}

static void part(struct printer *k, const struct form_node *n)
{
    switch (n->kind) {
    case LEAT_K_BOOL_: json_put(k->s, flag(k) ? "true" : "false"); break;
    case LEAT_K_INT_: case LEAT_K_UINT_: case LEAT_K_FLOAT_: number(k, n->kind, n->size); break;
    case LEAT_K_STRING_: case LEAT_K_CHARS_: text(k, false); break;
    case LEAT_K_BYTES_: text(k, true); break;
    case LEAT_K_DATE_: date(k); break;
    case LEAT_K_DURATION_: json_int(k->s, (int64_t)raw(k, 8)); break;
    case LEAT_K_ERROR_: error(k); break;
    case LEAT_K_STRUCT_: members(k, n); break;
    case LEAT_K_ENUM_: enumerator(k, n); break;
    case LEAT_K_ONEOF_: cases(k, n); break;
    case LEAT_K_ARRAY_: array(k, n); break;
    case LEAT_K_CSTR_: cstr(k); break;
    case LEAT_K_LIST_: case LEAT_K_MAP_: row(k, n); break;
    default: inner(k, n); break;
    }
}

static void value(struct printer *k, uint32_t type)
{
    if (k->why)
        return;
    if (k->depth == LIMIT_VALUE_DEPTH) {
        wrong(k, "nested over 1,024 deep");
        return;
    }
    if (k->parts == k->most) {
        wrong(k, "more parts of no bytes than a value of its length may have");
        return;
    }
    k->depth++;
    k->steps++;
    k->parts++;
    part(k, form_node(k->t, type));
    k->depth--;
}

static void nowhere(void *self, const void *p, size_t n) { (void)self, (void)p, (void)n; }

const char *form_json(const struct form_tree *t, struct cur in, const struct json_sink *s, size_t *at, uint64_t *steps)
{
    static const struct json_sink none = { .put = nowhere };
    uint64_t most = PARTS + PARTS_BYTE * (uint64_t)cur_left(&in);
    struct printer k = { .t = t, .in = in, .s = &none, .most = most };
    value(&k, 0);
    if (!k.why && !cur_done(&k.in))
        wrong(&k, k.in.bad ? "cut short" : "bytes too many");
    *at = k.in.bad ? cur_left(&in) : (size_t)(k.in.p - in.p);
    *steps += k.steps;
    if (k.why)
        return k.why;
    k = (struct printer){ .t = t, .in = in, .s = s, .most = most };
    value(&k, 0);
    return NULL;
}

/* == Go declarations. ==================================================================================================== */
/* "service_method" is ServiceMethod; what Go does not take in a name is left out */
static void go_name(char to[NAME], const char *before, const char *name, size_t n)
{
    size_t len = (size_t)snprintf(to, NAME, "%s", before);
    bool up = true;
    for (size_t i = 0; i < n && len + 2 < NAME; i++) {
        uint8_t c = (uint8_t)name[i];
        bool letter = (c | 32) >= 'a' && (c | 32) <= 'z';
        if (!letter && !(c >= '0' && c <= '9')) {
            up = true;
            continue;
        }
        if (len == 0 && !letter)
            to[len++] = 'X';
        to[len++] = (char)(up && letter ? c & ~32 : c);
        up = false;
    }
    if (len == 0)
        to[len++] = 'X';
    to[len] = 0;
}

static void go_type(struct cur *form, const struct env *around, const char *path, const struct json_sink *s);

static void go_number(unsigned kind, unsigned size, const struct json_sink *s)
{
    json_put(s, kind == LEAT_K_INT_ ? "int" : kind == LEAT_K_UINT_ ? "uint" : "float");
    json_uint(s, size * 8u);
}

static void go_definition(struct cur *form, unsigned kind, const struct env *around, const char *path, const struct json_sink *s)
{
    struct cur at = *form;
    uint64_t up = cur_varint(form);
    if (kind == LEAT_K_ENUM_) {
        json_put(s, "any /* a name, or a number that has none */");
    } else if (up > 0) {
        while (--up)
            around = around->around;
        json_put(s, kind == LEAT_K_ONEOF_ ? "*" : "");
        json_put(s, around->name);
        return;
    } else {
        json_put(s, kind == LEAT_K_ONEOF_ ? "*" : "");
        json_put(s, path);
    }
    *form = at;
    form->p--;                                       /* back to the kind, so that all of it is skipped */
    form_skip(form);
}

/* The type at form where it is used; definitions in it by the name that `path` gives them. */
static void go_type(struct cur *form, const struct env *around, const char *path, const struct json_sink *s)
{
    unsigned kind = cur_u8(form);
    uint64_t n;
    switch (kind) {
    case LEAT_K_BOOL_: json_put(s, "bool"); return;
    case LEAT_K_INT_: case LEAT_K_UINT_: case LEAT_K_FLOAT_: go_number(kind, cur_u8(form), s); return;
    case LEAT_K_STRING_: json_put(s, "string"); return;
    case LEAT_K_CHARS_: cur_varint(form); json_put(s, "string"); return;
    case LEAT_K_CSTR_: json_put(s, "*string"); return;
    case LEAT_K_BYTES_: json_put(s, "[]byte"); return;
    case LEAT_K_DATE_: json_put(s, "time.Time"); return;
    case LEAT_K_DURATION_: json_put(s, "time.Duration"); return;
    case LEAT_K_ERROR_: json_put(s, "struct{ Code any `json:\"code\"`; Text string `json:\"text\"`; Node string `json:\"node,omitempty\"`; "
            "Details []byte `json:\"details,omitempty\"`; Cause any `json:\"cause,omitempty\"` }"); return;
    case LEAT_K_ARRAY_:
        n = cur_varint(form);
        json_put(s, "[");
        json_uint(s, n);
        json_put(s, "]");
        kind = cur_u8(form);
        go_number(kind, cur_u8(form), s);
        return;
    case LEAT_K_STRUCT_: case LEAT_K_ENUM_: case LEAT_K_ONEOF_: go_definition(form, kind, around, path, s); return;
    case LEAT_K_TX_: case LEAT_K_RX_:
        json_put(s, "any /* an end of a channel */");
        form_skip(form);
        return;
    default:
        json_put(s, kind == LEAT_K_OPTIONAL_ ? "*" : kind == LEAT_K_LIST_ ? "[]" : "map[string]");
        go_type(form, around, path, s);
    }
}

/* Declares what is defined at form, and, after it, what is defined inside. */
static void declare(struct cur *form, const struct env *around, const char *path, const struct json_sink *s)
{
    unsigned kind = cur_u8(form);
    while (kind == LEAT_K_OPTIONAL_ || kind == LEAT_K_LIST_ || kind == LEAT_K_MAP_)
        kind = cur_u8(form);
    if ((kind != LEAT_K_STRUCT_ && kind != LEAT_K_ONEOF_) || cur_varint(form) > 0)
        return;
    struct env e = { .members = *form, .around = around };
    struct cur again = *form;
    snprintf(e.name, sizeof e.name, "%s", path);
    json_put(s, "type ");
    json_put(s, path);
    json_put(s, " struct {\n");
    for (uint64_t pass = 0; pass < 2; pass++, *form = again) {
        uint64_t count = cur_varint(form);
        for (uint64_t i = 0; i < count; i++) {
            size_t n;
            int64_t tag;
            char name[NAME], inside[NAME];
            const char *p = member(form, &n, &tag);
            struct cur type = *form;
            go_name(name, "", p, n);
            go_name(inside, path, p, n);
            if (pass == 0) {
                json_put(s, "\t");
                json_put(s, name);
                json_put(s, " ");
                go_type(&type, &e, inside, s);
                json_put(s, kind == LEAT_K_ONEOF_ ? " `json:\"" : " `json:\"");
                s->put(s->self, p, n);
                json_put(s, kind == LEAT_K_ONEOF_ ? ",omitempty\"`\n" : "\"`\n");
            } else {
                declare(&type, &e, inside, s);
            }
            form_skip(form);
        }
        json_put(s, pass == 0 ? "}\n" : "");
    }
}

void form_declare(struct cur form, const char *name, size_t len, const struct json_sink *s)
{
    char path[NAME];
    go_name(path, "", name, len);
    cur_u8(&form);
    struct cur at = form;
    unsigned kind = cur_u8(&at);
    if (kind == LEAT_K_STRUCT_ || kind == LEAT_K_ONEOF_) {
        declare(&form, NULL, path, s);
        return;
    }
    json_put(s, "type ");
    json_put(s, path);
    json_put(s, " ");
    go_type(&form, NULL, path, s);
    json_put(s, "\n");
}
