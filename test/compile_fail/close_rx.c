/* Close from the receiving side.
 * gcc: static assertion failed: "leat_close needs a send end, leat_tx\(T\): this is a receive end
 * clang: static.assert(ion)? failed.*leat_close needs a send end, leat_tx\(T\): this is a receive end */
#include <leat.h>

void stop(leat_rx(int) c)
{
    leat_close(c);
}
