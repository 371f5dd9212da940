/* A member of an existing struct described as another kind, in C++.
 * g++: the member id is not of the C type of its kind, uint64_t
 * clang++: the member id is not of the C type of its kind, uint64_t */
#include <leat.h>
struct old { int id; double v; };
LEAT_DESCRIBE(old, (uint64, id), (float64, v));
