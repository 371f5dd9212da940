/* A member of an existing struct that is not described, in C++.
 * g++: a member of struct old is not described
 * clang++: a member of struct old is not described */
#include <leat.h>
struct old { int64_t n; char name[8]; int64_t m; };
LEAT_DESCRIBE(old, (int64, n), (int64, m));
