/* A deal of elements that the method does not take.
 * gcc: expected .const key_c_ \*.* but argument is of type .struct value \*.
 * clang: incompatible pointer types passing 'struct value \*' to parameter of type 'const key_c_ \*' */
#include <leat.h>

LEAT_STRUCT(key, (uint64, id));
LEAT_STRUCT(value, (uint64, number));
LEAT_SERVICE(store, (get, key, value));

leat_err ask(leat_workers *w, leat_rx(struct value) in, leat_tx(struct value_reply) out)
{
    return leat_deal(w, store, get, in, out, NULL);
}
