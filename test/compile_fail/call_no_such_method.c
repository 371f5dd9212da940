/* A method that is not there.
 * gcc: .struct store_impl. has no member named .gett.; did you mean .get.
 * clang: no member named 'gett' in 'struct store_impl'; did you mean 'get' */
#include <leat.h>

LEAT_STRUCT(key, (uint64, id));
LEAT_SERVICE(store, (get, key, key));

leat_err ask(leat_peer *p, struct key *k)
{
    return leat_call(p, store, gett, k, k);
}
