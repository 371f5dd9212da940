/* Send to what is no channel.
 * gcc: invalid type argument of unary .\*. \(have .int.\)
 * clang: indirection requires pointer operand \('int' invalid\) */
#include <leat.h>

leat_err f(int n)
{
    return leat_send(n, 2);
}
