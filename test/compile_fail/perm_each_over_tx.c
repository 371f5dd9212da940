/* A loop over what comes from a send end.
 * gcc: leat_recv needs a receive end, leat_rx\(T\): this is a send end
 * clang: leat_recv needs a receive end, leat_rx\(T\): this is a send end */
#include <leat.h>

leat_err f(leat_tx(int) cs)
{
    leat_err err;
    leat_each(v, cs, err)
        (void)v;
    return err;
}
