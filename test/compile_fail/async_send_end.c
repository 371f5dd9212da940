/* A future is received, not sent to.
 * gcc: the result is a leat_rx\(struct T_reply\)
 * clang: the result is a leat_rx\(struct T_reply\) */
#include <leat.h>

LEAT_STRUCT(key, (uint64, id));
LEAT_STRUCT(value, (uint64, number));
LEAT_SERVICE(store, (get, key, value));

leat_err ask(leat_peer *p, struct key *k, leat_tx(struct value_reply) *ret)
{
    return leat_call_async(NULL, p, store, get, k, ret);
}
