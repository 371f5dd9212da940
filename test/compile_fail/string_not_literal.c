/* LEAT_STRING of a pointer: its length would be that of the pointer.
 * gcc: expected .\}. before .s.
 * clang: expected '\}' */
#include <leat.h>

leat_string name(const char *s)
{
    return LEAT_STRING(s);
}
