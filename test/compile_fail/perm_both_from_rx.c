/* A receive end is not both ends.
 * gcc: initialization of .* from incompatible pointer type
 * clang: incompatible pointer types initializing */
#include <leat.h>

void f(leat_rx(int) cr)
{
    leat_chan(int) c = cr;
    (void)c;
}
