/* A reply is dropped as what it is, not as what is in it.
 * gcc: incompatible pointer type
 * clang: incompatible pointer types */
#include <leat.h>

LEAT_STRUCT(value, (string, text));

void drop(struct value_reply *r)
{
    leat_drop(value, r);
}
