/* A member of an existing class that is described twice, in C++.
 * g++: redeclaration of .*n
 * clang++: duplicate member 'n' */
#include <leat.h>
namespace theirs { struct old { int64_t n, m; }; }
LEAT_DESCRIBE_AS(old, theirs::old, (int64, n), (int64, n));
