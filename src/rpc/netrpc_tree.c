/* netrpc_tree.c - a JSON text as a tree, which is looked at several times.  See netrpc_args.h. */
#include "rpc/netrpc_args.h"
#include <stdio.h>
#include <string.h>

leat_err netrpc_bad(leat_err e, size_t at, const char *why) { return leat_fail(e, "JSON, byte %zu: %s", at, why); }

static leat_err bad(struct netrpc_args *a, const char *why)
{
    return netrpc_bad(LEAT_INVAL, (size_t)(a->lex.p - a->lex.from), a->lex.why ? a->lex.why : why);
}

static leat_err value(struct netrpc_args *a, uint32_t *ret);

static leat_err string(struct netrpc_args *a, uint32_t *at, uint32_t *len)
{
    *at = (uint32_t)a->text.len;
    if (!json_lex_string(&a->lex, &a->text))
        return bad(a, "a malformed string");
    *len = (uint32_t)a->text.len - *at;
    buf_u8(&a->text, 0);
    return buf_err(&a->text) == LEAT_OK ? LEAT_OK : leat_fail(buf_err(&a->text), "no room for the arguments");
}

/* x follows `last` in what is in `me`. */
static void hang(struct netrpc_args *a, uint32_t me, uint32_t *last, uint32_t x)
{
    *(*last ? &args_node(a, *last)->next : &args_node(a, me)->child) = x;
    *last = x;
}

static leat_err array(struct netrpc_args *a, uint32_t me)
{
    uint32_t last = 0, x;
    if (json_lex_eat(&a->lex, ']'))
        return LEAT_OK;
    for (;;) {
        LEAT_TRY(value(a, &x));
        hang(a, me, &last, x);
        if (json_lex_eat(&a->lex, ']'))
            return LEAT_OK;
        if (!json_lex_eat(&a->lex, ','))
            return bad(a, "an array goes on with , or ends with ]");
    }
}

static leat_err member(struct netrpc_args *a, uint32_t me, uint32_t *last)
{
    uint32_t key = 0, len = 0;
    uint32_t x;
    if (json_lex_peek(&a->lex) != JSON_STRING)
        return bad(a, "a key is a string");
    LEAT_TRY(string(a, &key, &len));
    if (!json_lex_eat(&a->lex, ':'))
        return bad(a, "a key is followed by :");
    LEAT_TRY(value(a, &x));
    args_node(a, x)->key = key;
    args_node(a, x)->key_len = len;
    hang(a, me, last, x);
    return LEAT_OK;
}

static leat_err object(struct netrpc_args *a, uint32_t me)
{
    uint32_t last = 0;
    if (json_lex_eat(&a->lex, '}'))
        return LEAT_OK;
    for (;;) {
        LEAT_TRY(member(a, me, &last));
        if (json_lex_eat(&a->lex, '}'))
            return LEAT_OK;
        if (!json_lex_eat(&a->lex, ','))
            return bad(a, "an object goes on with , or ends with }");
    }
}

static leat_err leaf(struct netrpc_args *a, uint32_t me)
{
    uint32_t at = 0, len = 0;
    size_t n;
    const char *digits;
    switch (args_node(a, me)->kind) {
    case JSON_STRING:
        LEAT_TRY(string(a, &at, &len));
        args_node(a, me)->text = at;
        args_node(a, me)->len = len;
        return LEAT_OK;
    case JSON_NUMBER:
        if (!json_lex_number(&a->lex, &digits, &n))
            return bad(a, "this is no number");
        args_node(a, me)->at = (uint32_t)(digits - a->lex.from);
        args_node(a, me)->len = (uint32_t)n;
        return LEAT_OK;
    case JSON_TRUE: case JSON_FALSE: case JSON_NULL:
        json_lex_word(&a->lex);
        return LEAT_OK;
    default:
        return bad(a, "this is no JSON value");
    }
}

static leat_err value(struct netrpc_args *a, uint32_t *ret)
{
    enum json_token kind = json_lex_peek(&a->lex);
    struct json_node n = { .kind = (uint8_t)kind, .at = (uint32_t)(a->lex.p - a->lex.from) };
    uint32_t me = *ret = (uint32_t)(a->nodes.len / sizeof n);
    if (a->depth == NETRPC_DEPTH)
        return netrpc_bad(LEAT_LIMIT, n.at, "values inside each other over 50 deep");
    buf_put(&a->nodes, &n, sizeof n);
    if (buf_err(&a->nodes) != LEAT_OK)
        return leat_fail(buf_err(&a->nodes), "no room for the arguments");
    a->depth++;
    leat_err e = json_lex_eat(&a->lex, '{') ? object(a, me) : json_lex_eat(&a->lex, '[') ? array(a, me) : leaf(a, me);
    a->depth--;
    return e;
}

/* == {"$base64": "..."} and {"$uint": n} ================================================================================= */

static bool named(struct netrpc_args *a, const struct json_node *n, const char *key)
{
    return n->key_len == strlen(key) && memcmp(a->text.p + n->key, key, n->key_len) == 0;
}

/* Turns the objects that stand for something else into that. */
static void marks(struct netrpc_args *a)
{
    for (uint32_t i = 1; i < a->nodes.len / sizeof(struct json_node); i++) {
        struct json_node *n = args_node(a, i), *c = n->child ? args_node(a, n->child) : NULL;
        bool bytes = c && c->kind == JSON_STRING && named(a, c, "$base64"), uint = c && c->kind == JSON_NUMBER && named(a, c, "$uint");
        if (n->kind != JSON_OBJECT || !(bytes || uint) || c->next)
            continue;
        n->kind = c->kind;
        n->bytes = bytes;
        n->uint = uint;
        n->at = c->at;
        n->text = c->text;
        n->len = c->len;
        n->child = 0;
    }
}

leat_err netrpc_tree(struct netrpc_args *a)
{
    struct json_node none = { .kind = JSON_NULL };
    buf_put(&a->nodes, &none, sizeof none);
    LEAT_TRY(value(a, &a->root));
    if (json_lex_peek(&a->lex) != JSON_END)
        return bad(a, "more behind the value");
    if (!a->given)
        marks(a);
    return LEAT_OK;
}
