/* A race whose outcome goes nowhere.
 * gcc: lvalue required
 * clang: (cannot take the address of an rvalue|expression is not assignable) */
#include <leat.h>

leat_err work(leat_none *none);

void first(void)
{
    leat_with_race(g, LEAT_OK)
        leat_ignore(leat_go(&g, work, LEAT_NONE));
}
