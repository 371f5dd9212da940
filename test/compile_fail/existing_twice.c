/* A member of an existing struct that is described twice.
 * gcc: duplicate member
 * clang: duplicate member */
#include "leat.h"
struct old { int64_t n, m; };
LEAT_DESCRIBE(old, (int64, n), (int64, n));
const leat_type *t = &old_type;
