/* An element of another type pushed to a list.
 * gcc: (invalid initializer|incompatible types)
 * clang: initializing .*leat_string' with an expression of incompatible type 'double' */
#include <leat.h>

leat_err add(leat_strings *names)
{
    return leat_push(names, 1.5);
}
