/* A deal whose results are of another type than the method's.
 * gcc: expected .value_c_ \*.* but argument is of type .key_c_ \*.
 * clang: incompatible pointer types passing 'key_c_ \*' .* to parameter of type 'value_c_ \*' */
#include <leat.h>

LEAT_STRUCT(key, (uint64, id));
LEAT_STRUCT(value, (uint64, number));
LEAT_SERVICE(store, (get, key, value));

leat_err ask(leat_workers *w, leat_rx(struct key) in, leat_tx(struct key_reply) out)
{
    return leat_deal(w, store, get, in, out, NULL);
}
