/* Export both ends at once.
 * gcc: static assertion failed: "leat_export: one end, not both: leat_tx_of\(c\) lets peers send, leat_rx_of\(c\) lets them receive
 * clang: static.assert(ion)? failed.*leat_export: one end, not both: leat_tx_of\(c\) lets peers send, leat_rx_of\(c\) lets them receive */
#include <leat.h>

LEAT_STRUCT(key, (uint64, id));

leat_err offer(leat_node *n, leat_chan(struct key) c)
{
    return leat_export(n, "x", c, key);
}
