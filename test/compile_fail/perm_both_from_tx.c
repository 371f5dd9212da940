/* A send end is not both ends.
 * gcc: initialization of .* from incompatible pointer type
 * clang: incompatible pointer types initializing */
#include <leat.h>

void f(leat_tx(int) cs)
{
    leat_chan(int) c = cs;
    (void)c;
}
