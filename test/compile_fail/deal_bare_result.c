/* A deal whose results are bare values, with no room for an error.
 * gcc: 'struct value' has no member named 'reply'
 * clang: no member named 'reply' in 'struct value' */
#include <leat.h>

LEAT_STRUCT(key, (uint64, id));
LEAT_STRUCT(value, (uint64, number));
LEAT_SERVICE(store, (get, key, value));

leat_err ask(leat_workers *w, leat_rx(struct key) in, leat_tx(struct value) out)
{
    return leat_deal(w, store, get, in, out, NULL);
}
