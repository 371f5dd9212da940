/* error.c - what a program does with errors as values: taken from a failure, wrapped, raised again.  See leat/node.h. */
#include "type/error.h"
#include <stdio.h>
#include <string.h>
#include "base/alloc.h"
#include "base/base.h"
#include "base/limits.h"
#include "run/err.h"
#include "type/codec.h"

enum { DETAIL_MAX = 480 };                           /* as much as a detail has room for */

LEAT_STRUCT(error_alone, (error, e));                /* on the wire, and in memory, what is in it */
#define error_type error_alone_type

void error_free(leat_error *e)
{
    leat_drop_(&error_type, e);
    mem_free(e);
}

static void attached_done(void *e) { error_free(e); }

void error_attach(leat_error *e, size_t before) { err_value(e, attached_done, before); }

/* What was raised, or came from a peer; what was said before its text since then is part of its text. */
static leat_err of_value(leat_err e, const leat_error *v, const char *said, size_t before, leat_error *ret)
{
    leat_error made;
    leat_string text;
    LEAT_TRY(leat_dup_(&error_type, v, &made));
    made.code = e;
    size_t n = before + made.text.len;
    char *p = before > 0 ? mem_alloc(n) : NULL;
    if (p) {
        memcpy(p, said, before);
        if (made.text.len > 0)
            memcpy(p + before, made.text.p, made.text.len);
    }
    leat_err bad = before == 0 ? LEAT_OK : p ? leat_string_dup(p, n, &text) : leat_fail(LEAT_NOMEM, "leat_error_of: no memory");
    mem_free(p);
    if (bad != LEAT_OK) {
        leat_error_drop(&made);
        return bad;
    }
    if (before > 0) {
        leat_string_drop(&made.text);
        made.text = text;
    }
    *ret = made;
    return LEAT_OK;
}

leat_err leat_error_of(leat_err e, leat_error *ret)
{
    char node[LIMIT_NODE_NAME + 1], text[DETAIL_MAX];
    leat_error made = { .code = e };
    size_t before;
    snprintf(text, sizeof text, "%s", err_detail_of(e, node, sizeof node));
    const leat_error *v = err_value_of(e, &before);
    if (v)
        return of_value(e, v, text, MIN(before, strlen(text)), ret);
    LEAT_TRY(leat_string_dup(text, strlen(text), &made.text));
    leat_err bad = leat_string_dup(node, strlen(node), &made.node);
    if (bad != LEAT_OK) {
        leat_error_drop(&made);
        return bad;
    }
    *ret = made;
    return LEAT_OK;
}

leat_err leat_error_wrap(leat_error *e, leat_err code, const char *text)
{
    leat_error made = { .code = code };
    int n = 1;
    for (const leat_error *x = e; x; x = x->cause)
        if (++n > LIMIT_ERROR_CHAIN)
            return leat_fail(LEAT_LIMIT, "leat_error_wrap: over %d errors in a row", LIMIT_ERROR_CHAIN);
    LEAT_TRY(leat_string_dup(text, text ? strlen(text) : 0, &made.text));
    made.cause = mem_alloc(sizeof *made.cause);
    if (!made.cause) {
        leat_string_drop(&made.text);
        return leat_fail(LEAT_NOMEM, "leat_error_wrap: no memory");
    }
    *made.cause = *e;
    *e = made;
    return LEAT_OK;
}

/* The words of the row, and the node where it began. */
static const leat_string *words(const leat_error *e, char text[DETAIL_MAX])
{
    const leat_string *node = NULL;
    size_t n = 0;
    int row = 0;
    text[0] = 0;
    for (const leat_error *x = e; x && row < LIMIT_ERROR_CHAIN; x = x->cause, row++) {
        if (x->text.len > 0 && n < DETAIL_MAX)
            n += (size_t)snprintf(text + n, DETAIL_MAX - n, "%s%.*s", n ? ": " : "",
                (int)MIN(x->text.len, (uint32_t)DETAIL_MAX), x->text.p);
        node = x->node.len > 0 ? &x->node : node;
    }
    return node;
}

leat_err leat_error_raise(const leat_error *e)
{
    char text[DETAIL_MAX];
    if (!e || e->code == LEAT_OK)
        return LEAT_OK;
    const leat_string *node = words(e, text);
    leat_error *v = error_has_more(e) ? mem_zalloc(sizeof *v) : NULL;         /* without memory it is code and text */
    if (v && leat_dup_(&error_type, e, v) != LEAT_OK) {
        mem_free(v);
        v = NULL;
    }
    leat_err code = err_known(e->code) ? e->code : LEAT_REMOTE;
    leat_err r = text[0] || v ? leat_fail(code, "%s", text[0] ? text : leat_err_name(code)) : err_of(code);
    if (node)
        err_node(node->p, node->len);
    if (v)
        error_attach(v, 0);
    return r;
}

leat_err error_raise_moved(leat_error *e, leat_err err, leat_err why)
{
    char text[DETAIL_MAX];
    const leat_string *node = words(e, text);
    err = err_known(err) && err != LEAT_OK ? err : LEAT_REMOTE;
    err = err == LEAT_UNKNOWN ? err_unknown(why, "%s", text) : leat_fail(err, "%s", text);
    if (node)
        err_node(node->p, node->len);
    leat_error *v = e->details.len > 0 || e->cause ? mem_alloc(sizeof *v) : NULL;     /* else the failure has all of it */
    if (v) {
        *v = *e;
        *e = (leat_error){ 0 };
        error_attach(v, 0);
    }
    leat_error_drop(e);
    return err;
}

leat_err error_pack(leat_err e, struct buf *out)
{
    size_t before;
    const leat_error *v = err_value_of(e, &before);
    leat_error made;
    if (!v || !error_has_more(v))
        return LEAT_OK;
    LEAT_TRY(leat_error_of(e, &made));
    leat_err err = type_encode(&error_type, &made, out, NULL);
    leat_error_drop(&made);
    return err;
}

leat_err error_unpack(struct cur *in, leat_error **ret)
{
    leat_error *e = mem_zalloc(sizeof *e);
    leat_err err = e ? type_decode(&error_type, in, e, NULL, NULL) : leat_fail(LEAT_NOMEM, "no memory for an error");
    if (err == LEAT_OK && (!cur_done(in) || !error_has_more(e)))
        err = leat_fail(LEAT_INVAL, "an error with bytes too many, or with no more than code and text");
    if (err == LEAT_OK)
        *ret = e;
    else if (e)
        error_free(e);
    return err;
}

const leat_error *leat_error_find(const leat_error *e, leat_err code)
{
    for (int row = 0; e && row < LIMIT_ERROR_CHAIN; e = e->cause, row++)
        if (e->code == code)
            return e;
    return NULL;
}

void leat_error_drop(leat_error *e) { leat_drop_(&error_type, e); }
