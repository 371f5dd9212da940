/* A field kind that is not there.
 * gcc: .LEAT_K_uint46. undeclared here|unknown type name .LEAT_K_uint46.
 * clang: (use of undeclared identifier|unknown type name) 'LEAT_K_uint46' */
#include <leat.h>

LEAT_STRUCT(key, (uint46, id));
