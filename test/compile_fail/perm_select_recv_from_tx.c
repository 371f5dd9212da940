/* Receive from a send end, in a select.
 * gcc: leat_on_recv needs a receive end, leat_rx\(T\): this is a send end
 * clang: leat_on_recv needs a receive end, leat_rx\(T\): this is a send end */
#include <leat.h>

leat_err f(leat_tx(int) cs)
{
    leat_err err;
    int v;
    leat_select(err) {
        leat_on_recv(cs, &v) {}
    }
    return err;
}
