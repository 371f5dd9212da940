/* An array of something that is no number: the other side could not know what it is.
 * gcc: is not compatible with any association
 * clang: not compatible with any generic association */
#include <leat.h>

struct point { int x, y; };
struct path { struct point at[4]; };
LEAT_DESCRIBE(path, (array(struct point, 4), at));
