/* node.c - leat_node_open: which floors are built on the sessions of a node. */
#include "leat.h"
#undef errno
#include "cluster/join.h"
#include "rpc/calls.h"
#include "sess/names.h"

static const struct sess_user *const users[] = { &netchan_user, &calls_user, &cluster_user, NULL };

leat_err leat_node_open_(uint32_t version, const leat_node_opts *o, size_t opts_size, leat_node **ret)
{
    leat_node_opts opts = { 0 };
    if (version >> 16 != LEAT_VERSION >> 16)
        return leat_fail(LEAT_INVAL, "leat_node_open: the program was built for version %u, the library is version %u: build it again",
            version >> 16, LEAT_VERSION >> 16);
    if (o)
        __builtin_memcpy(&opts, o, opts_size < sizeof opts ? opts_size : sizeof opts);
    return node_open(&opts, users, ret);
}
