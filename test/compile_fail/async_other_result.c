/* A future of another type than the method's result.
 * gcc: expected .value_c_ \*.* but argument is of type .key_c_ \*.
 * clang: incompatible pointer types passing 'key_c_ \*' .* to parameter of type 'value_c_ \*' */
#include <leat.h>

LEAT_STRUCT(key, (uint64, id));
LEAT_STRUCT(value, (uint64, number));
LEAT_SERVICE(store, (get, key, value));

leat_err ask(leat_peer *p, struct key *k, leat_rx(struct key_reply) *ret)
{
    return leat_call_async(NULL, p, store, get, k, ret);
}
