/* Close what is no channel.
 * gcc: invalid type argument of unary .\*. \(have .int.\)
 * clang: indirection requires pointer operand \('int' invalid\) */
#include <leat.h>

void f(int n)
{
    leat_close(n);
}
