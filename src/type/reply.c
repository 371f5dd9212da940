/* reply.c - results that were waited for in a channel: how an error stands in them, and their description.  See leat/node.h. */
#include <stdio.h>
#include <string.h>
#include "base/base.h"
#include "run/err.h"
#include "type/error.h"

static const leat_field code_fields[] = {
#define CODE(n) { .name = #n, .tag = LEAT_##n }
    CODE(OK), CODE(CLOSED), CODE(CANCELED), CODE(DEADLINE), CODE(AGAIN), CODE(NOMEM), CODE(INVAL), CODE(LIMIT), CODE(TYPE), CODE(REFUSED),
    CODE(PEER_LOST), CODE(GONE), CODE(UNKNOWN), CODE(REMOTE), CODE(SYS), CODE(DEADLOCK)
#undef CODE
};
static const leat_type leat_err_type = { "err", code_fields, sizeof(leat_err), ARRAY_LEN(code_fields), LEAT_K_ENUM_, sizeof(leat_field),
    _Alignof(leat_err) };
typedef leat_reply leat_reply_c_;
static const leat_field leat_reply_fields[] = {
    LEAT_MAP_(LEAT_DESCR_, leat_reply, (enum(leat_err), err), (enum(leat_err), why), (uint32, worker), (uint32, attempt), (uint64, number),
        (chars(160), detail), (error, error))
};
const leat_type leat_reply_type_ = { "reply", leat_reply_fields, sizeof(leat_reply), ARRAY_LEN(leat_reply_fields), LEAT_K_STRUCT_,
    sizeof(leat_field), _Alignof(leat_reply) };

void reply_fill(leat_reply *r, leat_err err)
{
    *r = (leat_reply){ .err = err };
    if (err == LEAT_OK)
        return;
    r->why = err == LEAT_UNKNOWN ? leat_err_why() : err;
    snprintf(r->detail, sizeof r->detail, "%.*s", (int)sizeof r->detail - 1, leat_err_detail());
    if (leat_error_of(err, &r->error) != LEAT_OK)
        r->error = (leat_error){ 0 };
}

leat_err leat_reply_err(leat_reply *r)
{
    if (r->err == LEAT_OK)
        return LEAT_OK;
    if (r->error.code != LEAT_OK)
        return error_raise_moved(&r->error, r->err, r->why);
    return r->err == LEAT_UNKNOWN ? err_unknown(r->why, "%s", r->detail) : leat_fail(r->err, "%s", r->detail);
}
