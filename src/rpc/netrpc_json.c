/* netrpc_json.c - calls of net/rpc without described types: arguments from a JSON text, answers to one. */
#include <stdio.h>
#include <string.h>
#include "base/alloc.h"
#include "base/limits.h"
#include "rpc/netrpc_args.h"
#include "rpc/netrpc_call.h"

leat_err netrpc_args_read(struct netrpc_args *a, const char *type, const char *json)
{
    *a = (struct netrpc_args){ .given = type != NULL };
    if (!json)
        return leat_fail(LEAT_INVAL, "net/rpc: no arguments");
    if (strlen(json) > LIMIT_BUF)
        return leat_fail(LEAT_LIMIT, "net/rpc: arguments of over 1 GiB");
    a->lex = json_lex_of(json, strlen(json));
    LEAT_TRY(type ? netrpc_go_type(a, type, &a->shape) : LEAT_OK);
    LEAT_TRY(netrpc_tree(a));
    LEAT_TRY(type ? LEAT_OK : netrpc_infer(a, &a->shape));
    LEAT_TRY(netrpc_layout(a, a->shape));
    return netrpc_value(a);
}

void netrpc_args_free(struct netrpc_args *a)
{
    for (struct netrpc_block *next, *b = a->blocks; b; b = next) {
        next = b->next;
        mem_free(b);
    }
    a->blocks = NULL;
    buf_free(&a->nodes);
    buf_free(&a->text);
    buf_free(&a->shapes);
}

leat_err netrpc_put_args(struct netrpc *s, void *args)
{
    struct netrpc_args *a = args;
    const leat_type *t = netrpc_type_of(s, a, a->shape);
    leat_err e = t ? gob_write(&s->writer, t, a->value, &s->out) : leat_fail(LEAT_NOMEM, "no memory for the arguments");
    netrpc_args_free(a);                             /* the answer may be long in coming */
    return e;
}

leat_err netrpc_get_json(struct netrpc *s, leat_string *ret)
{
    struct buf b = { 0 };
    struct json_sink sink = json_to_buf(&b);
    LEAT_TRY(netrpc_skip(s));
    s->reader.gob.deepest = NETRPC_DEPTH;
    b.max = MIN(LIMIT_NETRPC_TEXT + LIMIT_DECODE_RATIO * s->feed.taken, (size_t)LIMIT_BUF);      /* fields that are zero take no bytes */
    leat_err e = gob_json(&s->reader.gob, &sink);
    if (e == LEAT_OK && (e = buf_err(&b)) == LEAT_OK)
        e = leat_string_dup((const char *)b.p, b.len, ret);
    else if (buf_err(&b) == LEAT_LIMIT)
        e = leat_fail(LEAT_LIMIT, "the answer, of %zu bytes, is over %zu bytes of text", s->feed.taken, b.max);
    else if (e == LEAT_LIMIT)
        e = leat_fail(e, "the answer has %s", s->reader.gob.over);
    buf_free(&b);
    return e;
}
