/* A send end is no receive end.
 * gcc: initialization of .* from incompatible pointer type
 * clang: incompatible pointer types initializing */
#include <leat.h>

void f(leat_tx(int) cs)
{
    leat_rx(int) cr = cs;
    (void)cr;
}
