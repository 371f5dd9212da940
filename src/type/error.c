/* error.c - what a program does with errors as values: taken from a failure, wrapped, raised again.  See leat/node.h. */
#include "type/error.h"
#include <stdio.h>
#include <string.h>
#include "base/alloc.h"
#include "base/base.h"
#include "base/limits.h"
#include "run/err.h"

enum { DETAIL_MAX = 480 };                           /* as much as a detail has room for */

static const leat_type error_type = { .name = "error", .size = sizeof(leat_error), .kind = LEAT_K_ERROR_,
    .field_size = sizeof(leat_field), .align = _Alignof(leat_error) };

leat_err leat_error_of(leat_err e, leat_error *ret)
{
    char node[LIMIT_NODE_NAME + 1], text[DETAIL_MAX];
    leat_error made = { .code = e };
    snprintf(text, sizeof text, "%s", err_detail_of(e, node, sizeof node));
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

leat_err leat_error_raise(const leat_error *e)
{
    char text[DETAIL_MAX] = "";
    const leat_string *node = NULL;
    size_t n = 0;
    int row = 0;
    if (!e || e->code == LEAT_OK)
        return LEAT_OK;
    for (const leat_error *x = e; x && row < LIMIT_ERROR_CHAIN; x = x->cause, row++) {
        if (x->text.len > 0 && n < sizeof text)
            n += (size_t)snprintf(text + n, sizeof text - n, "%s%.*s", n ? ": " : "",
                (int)MIN(x->text.len, (uint32_t)DETAIL_MAX), x->text.p);
        node = x->node.len > 0 ? &x->node : node;    /* of the innermost: where it began */
    }
    leat_err r = n ? leat_fail(e->code, "%s", text) : err_of(e->code);
    if (node)
        err_node(node->p, node->len);
    return r;
}

const leat_error *leat_error_find(const leat_error *e, leat_err code)
{
    for (int row = 0; e && row < LIMIT_ERROR_CHAIN; e = e->cause, row++)
        if (e->code == code)
            return e;
    return NULL;
}

void leat_error_drop(leat_error *e) { leat_drop_(&error_type, e); }
