/* Receive into another type in a select.
 * gcc: carries another type: &v must be a T \*
 * clang: carries another type: &v must be a T \* */
#include <leat.h>

leat_err take(leat_rx(int) c)
{
    leat_err err;
    long v;
    leat_select(err) {
        leat_on_recv(c, &v) { }
    }
    return err;
}
