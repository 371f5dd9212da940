/* A channel of elements whose size is known only when it runs.
 * gcc: expression in static assertion is not constant
 * clang: static.assert(ion)? expression is not an integral constant expression */
#include <leat.h>

void *make(int n)
{
    return leat_chan_make(int[n], 1);
}
