/* netrpc_value.c - arguments that were JSON, as a value in memory.  See netrpc_args.h.
 *
 * A text that came with its type is read as Go's encoding/json reads it, but strictly: what the type does not have is an error, and not
 * skipped.  Strings lie in args.text, lists in blocks that go with the arguments: the value is never dropped. */
#include <stdio.h>
#include <string.h>
#include "base/alloc.h"
#include "base/limits.h"
#include "rpc/netrpc_args.h"
#include "type/json_dec.h"

#define GO_ZERO_TIME (-62135596800)                  /* the start of year 1, which Go's zero time.Time is */

static leat_err get_memory(struct netrpc_args *a, size_t n, void *ret)
{
    if (n > LIMIT_BUF - a->taken)
        return leat_fail(LEAT_LIMIT, "net/rpc: arguments that take over 1 GiB");
    struct netrpc_block *b = mem_zalloc(sizeof *b + n);
    if (!b)
        return leat_fail(LEAT_NOMEM, "no memory for the arguments");
    a->taken += n;
    b->next = a->blocks;
    a->blocks = b;
    void *p = b->data;
    memcpy(ret, &p, sizeof p);
    return LEAT_OK;
}

static void zero(struct netrpc_args *a, const struct net_shape *s, char *at)
{
    const leat_date start = { .s = GO_ZERO_TIME };
    if (!s->times)
        return;
    if (s->kind == SHAPE_TIME)
        memcpy(at, &start, sizeof start);
    for (uint32_t i = 0; s->kind == SHAPE_ARRAY && i < s->len; i++)
        zero(a, args_shape(a, s->elem), at + (size_t)i * args_shape(a, s->elem)->size);
    for (uint32_t i = s->first; i; i = args_shape(a, i)->next)
        zero(a, args_shape(a, args_shape(a, i)->elem), at + args_shape(a, i)->offset);
}

/* == Without parts ======================================================================================================= */

static leat_err want(const struct net_shape *s, const struct json_node *n)
{
    static const char *const words[] = { "", "true or false", "a whole number", "a whole number", "a number", "a string",
        "a string in base 64", "a time as RFC 3339 has it", "an array", "an array", "an object", "an object" };
    return leat_fail(LEAT_INVAL, "JSON, byte %u: %s is wanted", n->at, words[s->kind]);
}

static leat_err number(const struct net_shape *s, const char *p, size_t n, size_t place, char *at)
{
    static const char *const words[] = { [SHAPE_INT] = "int", [SHAPE_UINT] = "uint", [SHAPE_FLOAT] = "float" };
    int64_t i = 0;
    uint64_t u = 0;
    double d = 0;
    bool good;
    if (s->kind == SHAPE_INT) {
        int64_t most = (int64_t)(UINT64_MAX >> (65 - s->bits));
        good = json_number_int(p, n, &i) && i <= most && i >= -most - 1;
        memcpy(at, &i, sizeof i);
    } else if (s->kind == SHAPE_UINT) {
        good = json_number_uint(p, n, &u) && u <= UINT64_MAX >> (64 - s->bits);
        memcpy(at, &u, sizeof u);
    } else {
        good = json_number_float(p, n, &d);
        if (s->bits == 32) {
            d = (double)(float)d;
            good &= !__builtin_isinf(d);
        }
        memcpy(at, &d, sizeof d);
    }
    if (good)
        return LEAT_OK;
    return leat_fail(LEAT_INVAL, "JSON, byte %zu: %.*s does not fit %s%d", place, (int)(n > 40 ? 40 : n), p, words[s->kind], s->bits);
}

/* What stands in for a number that JSON does not have, as it is printed */
static bool special(const char *p, size_t n, double *ret)
{
    static const struct { const char *name; double v; } all[] = { { "NaN", __builtin_nan("") }, { "+Inf", __builtin_inf() },
        { "-Inf", -__builtin_inf() } };
    for (size_t i = 0; i < ARRAY_LEN(all); i++)
        if (n == strlen(all[i].name) && memcmp(p, all[i].name, n) == 0) {
            *ret = all[i].v;
            return true;
        }
    return false;
}

static leat_err fill_text(struct netrpc_args *a, const struct net_shape *s, struct json_node *n, char *at)
{
    const char *p = (const char *)a->text.p + n->text;
    leat_date date;
    size_t len = n->len;
    if (s->kind == SHAPE_BYTES && !json_base64_in(a->text.p + n->text, n->len, &len))
        return netrpc_bad(LEAT_INVAL, n->at, "this is not base 64");
    n->len = (uint32_t)len;
    if (s->kind == SHAPE_TIME) {
        if (!json_date_in(p, n->len, &date))
            return want(s, n);
        memcpy(at, &date, sizeof date);
        return LEAT_OK;
    }
    leat_string text = leat_string_view(p, n->len);
    memcpy(at, &text, sizeof text);
    return LEAT_OK;
}

static leat_err fill_simple(struct netrpc_args *a, const struct net_shape *s, struct json_node *n, char *at)
{
    double d;
    switch (s->kind) {
    case SHAPE_BOOL:
        *at = n->kind == JSON_TRUE;
        return n->kind == JSON_TRUE || n->kind == JSON_FALSE ? LEAT_OK : want(s, n);
    case SHAPE_FLOAT:
        if (n->kind == JSON_STRING && special((const char *)a->text.p + n->text, n->len, &d)) {
            memcpy(at, &d, sizeof d);
            return LEAT_OK;
        }
        /* fallthrough */
    case SHAPE_INT: case SHAPE_UINT:
        return n->kind == JSON_NUMBER ? number(s, a->lex.from + n->at, n->len, n->at, at) : want(s, n);
    default:
        return n->kind == JSON_STRING ? fill_text(a, s, n, at) : want(s, n);
    }
}

/* == With parts ========================================================================================================== */

static leat_err fill(struct netrpc_args *a, uint32_t shape, uint32_t node, char *at);

static uint32_t count(struct netrpc_args *a, const struct json_node *n)
{
    uint32_t k = 0;
    for (uint32_t c = n->child; c; c = args_node(a, c)->next)
        k++;
    return k;
}

/* Room for n values of the size, as a list at `at` */
static leat_err new_list(struct netrpc_args *a, uint32_t n, uint32_t size, char *at, char **ret)
{
    leat_strings list = { .len = n };
    if (n)
        LEAT_TRY(get_memory(a, (size_t)n * size, &list.at));
    memcpy(at, &list, sizeof list);
    *ret = (char *)list.at;
    return LEAT_OK;
}

static leat_err fill_row(struct netrpc_args *a, const struct net_shape *s, const struct json_node *n, char *at)
{
    uint32_t size = args_shape(a, s->elem)->size, k = count(a, n);
    if (s->kind == SHAPE_ARRAY && k != s->len)
        return leat_fail(LEAT_INVAL, "JSON, byte %u: %u values, where %u are wanted", n->at, k, s->len);
    if (s->kind == SHAPE_SLICE)
        LEAT_TRY(new_list(a, k, size, at, &at));
    for (uint32_t c = n->child; c; c = args_node(a, c)->next, at += size)
        LEAT_TRY(fill(a, s->elem, c, at));
    return LEAT_OK;
}

/* The text of a key as the value of another type that a string */
static leat_err fill_key(struct netrpc_args *a, const struct net_shape *s, const struct json_node *n, char *at)
{
    const char *p = (const char *)a->text.p + n->key, *digits;
    size_t len;
    double d;
    struct json_lex l = json_lex_of(p, n->key_len);
    leat_string text = leat_string_view(p, n->key_len);
    if (s->kind == SHAPE_STRING) {
        memcpy(at, &text, sizeof text);
        return LEAT_OK;
    }
    enum json_token t = json_lex_peek(&l);
    if (s->kind == SHAPE_BOOL && (t == JSON_TRUE || t == JSON_FALSE) && json_lex_word(&l) && l.p == l.end) {
        *at = t == JSON_TRUE;
        return LEAT_OK;
    }
    if (s->kind == SHAPE_FLOAT && special(p, n->key_len, &d)) {
        memcpy(at, &d, sizeof d);
        return LEAT_OK;
    }
    if (s->kind != SHAPE_BOOL && t == JSON_NUMBER && l.p == l.from && json_lex_number(&l, &digits, &len) && l.p == l.end)
        return number(s, digits, len, n->at, at);
    return leat_fail(LEAT_INVAL, "JSON, byte %u: before it is a key that is no %s", n->at, s->kind == SHAPE_BOOL ? "bool" : "number");
}

static leat_err fill_map(struct netrpc_args *a, const struct net_shape *s, const struct json_node *n, char *at)
{
    const struct net_shape *k = args_shape(a, s->key), *v = args_shape(a, s->elem);
    LEAT_TRY(new_list(a, count(a, n), args_entry(k, v), at, &at));
    for (uint32_t c = n->child; c; c = args_node(a, c)->next, at += args_entry(k, v)) {
        LEAT_TRY(fill_key(a, k, args_node(a, c), at));
        LEAT_TRY(fill(a, s->elem, c, at + args_slots(k->size)));
    }
    return LEAT_OK;
}

static leat_err fill_struct(struct netrpc_args *a, uint32_t shape, uint32_t node, char *at)
{
    uint32_t f = 0, found;
    char room[256];
    for (uint32_t c = args_node(a, node)->child; c; c = args_node(a, c)->next) {
        const struct json_node *m = args_node(a, c);
        const char *name = (const char *)a->text.p + m->key;
        size_t n = netrpc_field_name(room, &name, m->key_len);
        if (!(found = netrpc_field(a, shape, f, name, n)) && !a->given)
            continue;                                /* it is null, or an array with nothing in it: see netrpc_shape.c */
        if (!found)
            return leat_fail(LEAT_INVAL, "JSON, byte %u: the type has no field %.*s", m->at, (int)(n > 60 ? 60 : n), name);
        struct net_shape *of = args_shape(a, f = found);
        if (a->given && of->seen == node)
            return netrpc_bad(LEAT_INVAL, m->at, "before it is a key that was given already");
        of->seen = node;
        at[of->there] = m->kind != JSON_NULL;        /* a pointer to nothing is not one to zero */
        LEAT_TRY(fill(a, of->elem, c, at + of->offset));
    }
    return LEAT_OK;
}

/* What is at `at` was zero. */
static leat_err fill(struct netrpc_args *a, uint32_t shape, uint32_t node, char *at)
{
    const struct net_shape *s = args_shape(a, shape);
    struct json_node *n = args_node(a, node);
    zero(a, s, at);
    if (n->kind == JSON_NULL)
        return LEAT_OK;
    if (s->kind == SHAPE_STRUCT || s->kind == SHAPE_MAP) {
        if (n->kind != JSON_OBJECT)
            return want(s, n);
        return s->kind == SHAPE_MAP ? fill_map(a, s, n, at) : fill_struct(a, shape, node, at);
    }
    if (s->kind == SHAPE_SLICE || s->kind == SHAPE_ARRAY)
        return n->kind == JSON_ARRAY ? fill_row(a, s, n, at) : want(s, n);
    return fill_simple(a, s, n, at);
}

leat_err netrpc_value(struct netrpc_args *a)
{
    if (args_node(a, a->root)->kind == JSON_NULL)
        return netrpc_bad(LEAT_INVAL, args_node(a, a->root)->at, "gob cannot send a null that is not in a struct");
    LEAT_TRY(get_memory(a, args_shape(a, a->shape)->size, &a->value));
    return fill(a, a->shape, a->root, a->value);
}
