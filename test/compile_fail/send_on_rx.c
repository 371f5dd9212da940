/* Send on a receive end.
 * gcc: static assertion failed: "leat_send needs a send end, leat_tx\(T\): this is a receive end
 * clang: static.assert(ion)? failed.*leat_send needs a send end, leat_tx\(T\): this is a receive end */
#include <leat.h>

leat_err put(leat_rx(int) c)
{
    return leat_send(c, 1);
}
