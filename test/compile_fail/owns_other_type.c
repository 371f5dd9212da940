/* Tell a channel to drop its elements as another type than it carries.
 * gcc: static assertion failed: "the channel carries another type than value
 * clang: static.assert(ion)? failed.*the channel carries another type than value */
#include <leat.h>

LEAT_STRUCT(key, (uint64, id));
LEAT_STRUCT(value, (uint64, number));

void own(leat_chan(struct key) c)
{
    leat_chan_owns(c, value);
}
