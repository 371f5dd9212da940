/* netrpc_call.h - a call of a net/rpc client, typed or as JSON: what netrpc_call.c and netrpc_json.c share. */
#ifndef RPC_NETRPC_CALL_H
#define RPC_NETRPC_CALL_H
#include "rpc/calls.h"
#include "rpc/netrpc.h"

struct netrpc_call {
    struct slot slot;
    _Atomic uint32_t refs;
    leat_chan(leat_none) done;                       /* capacity 1: one comes when what follows is set */
    const leat_type *out;
    void *value;                                     /* an out */
    bool json_wanted;
    leat_string json;                                /* the answer as text, instead */
    leat_err err;
    char text[CALL_TEXT];
};

leat_err netrpc_get_json(struct netrpc *s, leat_string *ret);
#endif
