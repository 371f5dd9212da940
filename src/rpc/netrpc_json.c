/* netrpc_json.c - calls of net/rpc without types: arguments from a JSON text, answers to one.
 *
 * The text becomes a tree of nodes; each object in it a description, made once for each shape and kept as long as the connection
 * (the gob stream knows types by their descriptions); and the tree a value of that description, which is sent as any other.
 * Beyond JSON: {"$base64": "..."} is bytes, {"$uint": 5} a uint. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/alloc.h"
#include "rpc/netrpc_call.h"
#include "type/json_lex.h"

enum { DEPTH = 50 };
enum kind { NUL, BOOL, INT, UINT, FLOAT, STRING, BYTES, ARRAY, OBJECT };

struct node {
    enum kind kind;
    uint32_t next, child;                            /* 0: none; the root is node 1 */
    size_t key, key_len, text, text_len;             /* in reader.text */
    union { int64_t i; uint64_t u; double d; bool b; };
};

struct reader { const char *from, *p, *end, *why; uint32_t depth; bool deep; struct buf nodes, text; };

struct netrpc_shape { struct netrpc_shape *next; char *sign; size_t sign_len; leat_type type; leat_field fields[]; };

/* == The text ============================================================================================================ */

static struct node *node_at(struct reader *r, uint32_t i) { return (struct node *)(void *)r->nodes.p + i; }

static uint32_t new_node(struct reader *r, enum kind k)
{
    struct node n = { .kind = k };
    buf_put(&r->nodes, &n, sizeof n);
    return (uint32_t)(r->nodes.len / sizeof n) - 1;
}

static bool fail(struct reader *r, const char *why)
{
    if (!r->why)
        r->why = why;
    return false;
}

static void space(struct reader *r)
{
    while (*r->p == ' ' || *r->p == '\t' || *r->p == '\n' || *r->p == '\r')
        r->p++;
}

static bool eat(struct reader *r, char c)            /* never past the NUL at the end */
{
    if (*r->p != c)
        return false;
    r->p++;
    return true;
}

static bool string(struct reader *r, size_t *at, size_t *len)
{
    struct json_lex l = json_lex_of(r->p, (size_t)(r->end - r->p));
    *at = r->text.len;
    bool ok = json_lex_string(&l, &r->text);
    r->p = l.p;
    *len = r->text.len - *at;
    buf_u8(&r->text, 0);
    return ok || fail(r, l.why);
}

/* Whole numbers are int, or uint over its end; others float64. */
static bool number(struct reader *r, uint32_t i)
{
    struct json_lex l = json_lex_of(r->p, (size_t)(r->end - r->p));
    struct node *n = node_at(r, i);
    const char *p;
    size_t len;
    if (json_lex_peek(&l) != JSON_NUMBER)
        return fail(r, "this is no JSON value");
    if (!json_lex_number(&l, &p, &len))
        return fail(r, l.why);
    r->p = l.p;
    bool whole = !memchr(p, '.', len) && !memchr(p, 'e', len) && !memchr(p, 'E', len);
    if (whole && json_number_int(p, len, &n->i))
        n->kind = INT;
    else if (whole && json_number_uint(p, len, &n->u))
        n->kind = UINT;
    else if (!json_number_float(p, len, &n->d))
        return fail(r, "a number that no float64 holds");
    return true;
}

static uint32_t value(struct reader *r);

static uint32_t array(struct reader *r, uint32_t me)
{
    uint32_t last = 0;
    r->p++;
    space(r);
    if (*r->p == ']') {
        r->p++;
        return me;
    }
    for (;;) {
        uint32_t x = value(r);
        if (!x)
            return 0;
        *(last ? &node_at(r, last)->next : &node_at(r, me)->child) = x;
        last = x;
        space(r);
        if (eat(r, ']'))
            return me;
        if (!eat(r, ','))
            return fail(r, "an array goes on with , or ends with ]"), 0;
    }
}

static bool member(struct reader *r, uint32_t me, uint32_t *last)
{
    size_t key, len;
    space(r);
    if (*r->p != '"')
        return fail(r, "a key is a string");
    if (!string(r, &key, &len))
        return false;
    space(r);
    if (!eat(r, ':'))
        return fail(r, "a key is followed by :");
    uint32_t x = value(r);
    if (!x)
        return false;
    node_at(r, x)->key = key;
    node_at(r, x)->key_len = len;
    *(*last ? &node_at(r, *last)->next : &node_at(r, me)->child) = x;
    *last = x;
    space(r);
    return true;
}

static uint32_t object(struct reader *r, uint32_t me)
{
    uint32_t last = 0;
    r->p++;
    space(r);
    if (*r->p == '}') {
        r->p++;
        return me;
    }
    for (;;) {
        if (!member(r, me, &last))
            return 0;
        if (eat(r, '}'))
            return me;
        if (!eat(r, ','))
            return fail(r, "an object goes on with , or ends with }"), 0;
    }
}

static bool word(struct reader *r, const char *w)
{
    size_t n = strlen(w);
    if (strncmp(r->p, w, n) != 0)
        return false;
    r->p += n;
    return true;
}

/* 0: it is bad */
static uint32_t value(struct reader *r)
{
    uint32_t me = new_node(r, NUL);
    size_t at, len;
    if (buf_err(&r->nodes) != LEAT_OK || r->depth == DEPTH)
        return r->deep = r->depth == DEPTH, fail(r, r->deep ? "values inside each other over 50 deep" : "no memory"), 0;
    r->depth++;
    space(r);
    if (*r->p == '{' || *r->p == '[') {
        node_at(r, me)->kind = *r->p == '{' ? OBJECT : ARRAY;
        me = *r->p == '{' ? object(r, me) : array(r, me);
    } else if (*r->p == '"') {
        node_at(r, me)->kind = STRING;
        if (!string(r, &at, &len))
            return 0;
        node_at(r, me)->text = at;
        node_at(r, me)->text_len = len;
    } else if (word(r, "true") || word(r, "false")) {
        node_at(r, me)->kind = BOOL;
        node_at(r, me)->b = r->p[-2] == 'u';
    } else if (!word(r, "null")) {
        node_at(r, me)->kind = FLOAT;
        me = number(r, me) ? me : 0;
    }
    r->depth--;
    return me;
}

/* == {"$base64": "..."} and {"$uint": n} ================================================================================= */

static bool decode_base64(struct reader *r, struct node *n)
{
    return json_base64_in(r->text.p + n->text, n->text_len, &n->text_len) || fail(r, "this is not base 64");
}

static bool named(struct reader *r, const struct node *n, const char *key)
{
    return n->key_len == strlen(key) && memcmp(r->text.p + n->key, key, n->key_len) == 0;
}

/* Turns the objects that stand for something else into that. */
static bool marks(struct reader *r)
{
    for (uint32_t i = 1; i < r->nodes.len / sizeof(struct node); i++) {
        struct node *n = node_at(r, i), *c = n->child ? node_at(r, n->child) : NULL;
        if (n->kind != OBJECT || !c || c->next)
            continue;
        if (named(r, c, "$base64") && c->kind == STRING) {
            if (!decode_base64(r, c))
                return false;
            n->kind = BYTES;
            n->text = c->text;
            n->text_len = c->text_len;
        } else if (named(r, c, "$uint") && ((c->kind == INT && c->i >= 0) || c->kind == UINT)) {
            n->kind = UINT;
            n->u = c->u;
        }
    }
    return true;
}

/* == Shapes ============================================================================================================== */

static const leat_type bool_type = { "bool", NULL, 1, 0, LEAT_K_BOOL_, sizeof(leat_field), 1 };
static const leat_type bytes_type = { "bytes", NULL, sizeof(leat_bytes), 0, LEAT_K_BYTES_, sizeof(leat_field), _Alignof(leat_bytes) };

static bool absent(const struct node *n) { return n->kind == NUL || (n->kind == ARRAY && !n->child); }

/* An array with whole numbers and others is one of others. */
static void widen(struct reader *r, struct node *n)
{
    bool numbers = true, floats = false;
    for (uint32_t i = n->child; i; i = node_at(r, i)->next) {
        numbers &= node_at(r, i)->kind == INT || node_at(r, i)->kind == FLOAT;
        floats |= node_at(r, i)->kind == FLOAT;
    }
    for (uint32_t i = n->child; numbers && floats && i; i = node_at(r, i)->next)
        if (node_at(r, i)->kind == INT) {
            node_at(r, i)->d = (double)node_at(r, i)->i;
            node_at(r, i)->kind = FLOAT;
        }
}

/* What tells shapes apart, as text */
static bool sign(struct reader *r, uint32_t i, struct buf *out)
{
    static const char letters[] = "nbiufsy";
    struct node *n = node_at(r, i);
    if (n->kind < ARRAY) {
        buf_u8(out, (uint8_t)letters[n->kind]);
        return true;
    }
    buf_u8(out, n->kind == ARRAY ? '[' : '{');
    if (n->kind == ARRAY)
        widen(r, n);
    size_t first = out->len, len = 0;
    for (uint32_t c = node_at(r, i)->child; c; c = node_at(r, c)->next) {
        const struct node *m = node_at(r, c);
        if (n->kind == OBJECT && absent(m))
            continue;
        if (n->kind == OBJECT)
            buf_text(out, (const char *)r->text.p + m->key, m->key_len);
        size_t at = out->len;
        if (!sign(r, c, out) || buf_err(out) != LEAT_OK)
            return false;                            /* without memory nothing can be compared */
        if (n->kind != ARRAY)
            continue;
        if (at == first)
            len = out->len - first;
        else if (out->len - at != len || memcmp(out->p + at, out->p + first, len) != 0)
            return fail(r, "an array of values of several types");
        buf_undo(out, first + len);
    }
    buf_u8(out, n->kind == ARRAY ? ']' : '}');
    return true;
}

static struct netrpc_shape *shape_new(struct netrpc *s, const struct buf *sign, size_t fields)
{
    struct netrpc_shape *x = mem_zalloc(sizeof *x + fields * sizeof *x->fields);
    if (!x || !(x->sign = mem_alloc(sign->len + 1))) {
        mem_free(x);
        return NULL;
    }
    memcpy(x->sign, sign->p, sign->len);
    x->sign_len = sign->len;
    x->type = (leat_type){ "", x->fields, 0, (uint32_t)fields, LEAT_K_STRUCT_, sizeof(leat_field), 8 };
    x->next = s->shapes;
    s->shapes = x;
    return x;
}

void netrpc_shapes_free(struct netrpc *s)
{
    for (struct netrpc_shape *next, *x = s->shapes; x; x = next) {
        next = x->next;
        for (uint32_t i = 0; i < x->type.count; i++)
            mem_free((void *)(uintptr_t)x->fields[i].name);
        mem_free(x->sign);
        mem_free(x);
    }
}

static const leat_type *type_of(struct netrpc *s, struct reader *r, uint32_t i);

static void add_field(leat_type *t, leat_field *f, const leat_type *inner, unsigned kind, uint32_t size)
{
    *f = (leat_field){ .name = f->name, .type = inner, .offset = t->size, .size = size, .kind = (uint16_t)kind, .flags = f->flags };
    t->size += (size + 7) & ~7u;
}

static bool fill_shape(struct netrpc *s, struct reader *r, struct netrpc_shape *x, uint32_t i)
{
    leat_field *f = x->fields;
    const leat_type *inner;
    if (node_at(r, i)->kind == ARRAY) {              /* a struct that is its one member */
        inner = node_at(r, i)->child ? type_of(s, r, node_at(r, i)->child) : &leat_int64_type_;
        f->flags = LEAT_BARE;
        if (inner)
            add_field(&x->type, f, inner, LEAT_K_LIST_, sizeof(leat_strings));
        return inner && (f->name = strdup("v"));
    }
    for (uint32_t c = node_at(r, i)->child; c; c = node_at(r, c)->next) {
        if (absent(node_at(r, c)))
            continue;
        inner = type_of(s, r, c);
        if (!inner || !(f->name = strdup((const char *)r->text.p + node_at(r, c)->key)))
            return false;
        add_field(&x->type, f++, inner, inner->kind, inner->size);
    }
    x->type.size = x->type.size ? x->type.size : 8;
    return true;
}

/* NULL: no memory, or r->why */
static const leat_type *type_of(struct netrpc *s, struct reader *r, uint32_t i)
{
    static const leat_type *const leaves[] = { &bool_type, &bool_type, &leat_int64_type_, &leat_uint64_type_, &leat_float64_type_,
        &leat_string_type_, &bytes_type };
    if (node_at(r, i)->kind < ARRAY)
        return leaves[node_at(r, i)->kind];
    struct buf name = { 0 };
    size_t fields = node_at(r, i)->kind == ARRAY;
    struct netrpc_shape *x = NULL;
    for (uint32_t c = node_at(r, i)->kind == OBJECT ? node_at(r, i)->child : 0; c; c = node_at(r, c)->next)
        fields += !absent(node_at(r, c));
    if (sign(r, i, &name) && buf_err(&name) == LEAT_OK) {
        for (x = s->shapes; x; x = x->next)
            if (x->sign_len == name.len && memcmp(x->sign, name.p, name.len) == 0)
                break;
        if (!x && (x = shape_new(s, &name, fields)) && !fill_shape(s, r, x, i)) {
            x->sign_len = 0;                         /* half made: nobody finds it */
            x = NULL;
        }
    }
    buf_free(&name);
    return x ? &x->type : NULL;
}

/* == The value =========================================================================================================== */

static bool fill_value(struct reader *r, uint32_t i, const leat_type *t, char *at);

static bool fill_list(struct reader *r, uint32_t i, const leat_field *f, char *at)
{
    leat_strings list = { 0 };
    uint32_t n = 0;
    for (uint32_t c = node_at(r, i)->child; c; c = node_at(r, c)->next)
        n++;
    if (n && !(list.at = mem_zalloc((size_t)n * f->type->size)))
        return false;
    list.len = list.cap = n;
    memcpy(at + f->offset, &list, sizeof list);
    char *to = (char *)list.at;
    for (uint32_t c = node_at(r, i)->child; c; c = node_at(r, c)->next, to += f->type->size)
        if (!fill_value(r, c, f->type, to))
            return false;
    return true;
}

static bool fill_value(struct reader *r, uint32_t i, const leat_type *t, char *at)
{
    const struct node *n = node_at(r, i);
    const leat_field *f = t->fields;
    leat_string text = { (const char *)r->text.p + n->text, (uint32_t)n->text_len, 0 };      /* borrowed */
    switch (n->kind) {
    case NUL: return true;
    case BOOL: *at = n->b; return true;
    case INT: case UINT: case FLOAT: memcpy(at, &n->u, 8); return true;
    case STRING: case BYTES: memcpy(at, &text, sizeof text); return true;
    case ARRAY: return fill_list(r, i, f, at);
    case OBJECT: break;
    }
    for (uint32_t c = n->child; c; c = node_at(r, c)->next) {
        if (absent(node_at(r, c)))
            continue;
        if (!fill_value(r, c, f->type, at + f->offset))
            return false;
        f++;
    }
    return true;
}

static leat_err put(struct netrpc *s, struct reader *r, uint32_t root)
{
    const leat_type *t = type_of(s, r, root);
    char *v = t ? mem_zalloc(t->size) : NULL;
    leat_err e = LEAT_NOMEM;
    if (v && fill_value(r, root, t, v))
        e = gob_write(&s->writer, t, v, &s->out);
    if (v)
        leat_drop_(t, v);
    mem_free(v);
    return r->why ? LEAT_INVAL : e;
}

leat_err netrpc_put_json(struct netrpc *s, void *json)
{
    struct reader r = { .from = json, .p = json, .end = json + strlen(json) };
    leat_err e = LEAT_INVAL;
    new_node(&r, NUL);                               /* number 0 is none */
    uint32_t root = value(&r);
    if (root)
        space(&r);
    if (root && *r.p)
        fail(&r, "more behind the value");
    leat_err room = buf_err(&r.nodes) != LEAT_OK ? buf_err(&r.nodes) : buf_err(&r.text);
    if (root && !r.why && room == LEAT_OK && marks(&r))
        e = put(s, &r, root);
    if (room != LEAT_OK)
        e = leat_fail(room, "no room for the arguments");
    else if (r.why)
        e = leat_fail(r.deep ? LEAT_LIMIT : LEAT_INVAL, "JSON, byte %zu: %s", (size_t)(r.p - r.from), r.why);
    else if (e == LEAT_NOMEM)
        e = leat_fail(e, "no memory for the arguments");
    buf_free(&r.nodes);
    buf_free(&r.text);
    return e;
}

leat_err netrpc_get_json(struct netrpc *s, leat_string *ret)
{
    struct buf b = { 0 };
    struct json_sink sink = json_to_buf(&b);
    LEAT_TRY(netrpc_skip(s));
    s->reader.gob.deepest = DEPTH;
    b.max = MIN(LIMIT_NETRPC_TEXT + LIMIT_DECODE_RATIO * s->feed.taken, (size_t)LIMIT_BUF);      /* fields that are zero take no bytes */
    leat_err e = gob_json(&s->reader.gob, &sink);
    if (e == LEAT_OK && (e = buf_err(&b)) == LEAT_OK)
        e = leat_string_dup((const char *)b.p, b.len, ret);
    else if (buf_err(&b) == LEAT_LIMIT)
        e = leat_fail(LEAT_LIMIT, "the answer, of %zu bytes, is over %zu bytes of text", s->feed.taken, b.max);
    else if (e == LEAT_LIMIT)
        e = leat_fail(e, "the answer has values inside each other over %d deep", DEPTH);
    buf_free(&b);
    return e;
}
