/* A call with a key whose argument the method does not take.
 * gcc: expected .const key_c_ \*.* but argument is of type .struct value \*.
 * clang: incompatible pointer types passing 'struct value \*' to parameter of type 'const key_c_ \*' */
#include <leat.h>

LEAT_STRUCT(key, (uint64, id));
LEAT_STRUCT(value, (uint64, number));
LEAT_SERVICE(store, (get, key, value));

leat_err ask(leat_peer *p, struct value *k, struct value *ret)
{
    return leat_call_once(p, store, get, k, ret, LEAT_STRING("k"));
}
