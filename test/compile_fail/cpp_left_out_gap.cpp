/* A member that is not described, so small that without it there would be padding: of the same size, and yet noticed.
 * g++: a member of struct other is not described
 * clang++: a member of struct other is not described */
#include <leat.h>
struct other { int64_t at; bool open; char name[6]; bool last; };
LEAT_DESCRIBE(other, (int64, at), (bool, open), (chars(6), name));
