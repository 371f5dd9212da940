/* Export a channel under another type than it carries.
 * gcc: static assertion failed: "the channel carries another type than value
 * clang: static.assert(ion)? failed.*the channel carries another type than value */
#include <leat.h>

LEAT_STRUCT(key, (uint64, id));
LEAT_STRUCT(value, (uint64, number));

leat_err offer(leat_node *n, leat_rx(struct key) c)
{
    return leat_export(n, "x", c, value);
}
