/* A member that is not there, in C++.
 * g++: 'ident' is not a member of
 * clang++: no member named 'ident' in 'old' */
#include <leat.h>
struct old { int id; };
LEAT_DESCRIBE(old, (int32, ident));
