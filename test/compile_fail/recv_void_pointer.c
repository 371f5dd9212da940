/* Receive into a void pointer.
 * gcc: static assertion failed: "the channel carries another type: p must be a T \*
 * clang: static.assert(ion)? failed.*the channel carries another type: p must be a T \* */
#include <leat.h>

leat_err take(leat_rx(int) c, void *p)
{
    return leat_recv(c, p);
}
