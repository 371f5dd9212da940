/* Send on a receive end in a select.
 * gcc: static assertion failed: "leat_on_send needs a send end, leat_tx\(T\): this is a receive end
 * clang: static.assert(ion)? failed.*leat_on_send needs a send end, leat_tx\(T\): this is a receive end */
#include <leat.h>

leat_err put(leat_rx(int) c, int v)
{
    leat_err err;
    leat_select(err) {
        leat_on_send(c, &v) { }
    }
    return err;
}
