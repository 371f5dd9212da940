/* A receive end is no send end.
 * gcc: initialization of .* from incompatible pointer type
 * clang: incompatible pointer types initializing */
#include <leat.h>

void f(leat_rx(int) cr)
{
    leat_tx(int) cs = cr;
    (void)cs;
}
