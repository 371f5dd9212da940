/* Receive into another type: both types are named, and what to pass.
 * gcc: carries another type: &d must be a T \*
 * clang: carries another type: &d must be a T \* */
#include <leat.h>

leat_err take(leat_rx(int) c)
{
    double d;
    return leat_recv(c, &d);
}
