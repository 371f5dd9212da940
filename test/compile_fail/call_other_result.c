/* A call whose result has another type.
 * gcc: expected .value_c_ \*.* but argument is of type .struct key \*.
 * clang: incompatible pointer types passing 'struct key \*' to parameter of type 'value_c_ \*' */
#include <leat.h>

LEAT_STRUCT(key, (uint64, id));
LEAT_STRUCT(value, (uint64, number));
LEAT_SERVICE(store, (get, key, value));

leat_err ask(leat_peer *p, struct key *k)
{
    struct key r;
    return leat_call(p, store, get, k, &r);
}
