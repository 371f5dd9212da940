/* A thing that is no channel.
 * gcc: invalid type argument of unary .\*. \(have .int.\)
 * clang: indirection requires pointer operand \('int' invalid\) */
#include <leat.h>

leat_err put(int *c)
{
    return leat_send(c, 1);
}
