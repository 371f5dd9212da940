/* A channel of const elements.
 * gcc: static assertion failed: "the element type of a channel cannot be const: it is written on receive
 * clang: static.assert(ion)? failed.*the element type of a channel cannot be const: it is written on receive */
#include <leat.h>

void *make(void)
{
    return leat_chan_make(const int, 1);
}
