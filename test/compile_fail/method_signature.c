/* A method of another signature.
 * gcc: .leat_err \(\*\)\(void \*, const key_c_ \*, value_c_ \*\).* from incompatible pointer type
 * clang: incompatible function pointer types initializing 'leat_err \(\*\)\(void \*, const key_c_ \*, value_c_ \*\)' */
#include <leat.h>

LEAT_STRUCT(key, (uint64, id));
LEAT_STRUCT(value, (uint64, number));
LEAT_SERVICE(store, (get, key, value));
leat_err get(void *self, const struct value *in, struct value *out);

const struct store_impl impl = { .get = get };
