/* An else after a case: it would run while the cases are noted.
 * gcc: .else. without a previous .if.
 * clang: expected expression */
#include <leat.h>

leat_err take(leat_rx(int) c, int *p)
{
    leat_err err;
    leat_select(err) {
        leat_on_recv(c, p) {
        } else {
            *p = 0;
        }
    }
    return err;
}
