/* A member that is not there.
 * gcc: has no member named .ident.
 * clang: no member named 'ident' in '(struct )?old' */
#include <leat.h>

struct old { int id; };
LEAT_DESCRIBE(old, (int32, ident));
