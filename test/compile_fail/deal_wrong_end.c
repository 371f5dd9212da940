/* A deal whose results go into a receive end.
 * gcc: leat_deal needs a send end
 * clang: leat_deal needs a send end */
#include <leat.h>

LEAT_STRUCT(key, (uint64, id));
LEAT_STRUCT(value, (uint64, number));
LEAT_SERVICE(store, (get, key, value));

leat_err ask(leat_workers *w, leat_rx(struct key) in, leat_rx(struct value_reply) out)
{
    return leat_deal(w, store, get, in, out, NULL);
}
