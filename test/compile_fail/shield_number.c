/* A shield with a number for its limit.
 * gcc: expected .leat_dur. .*but argument is of type .int.
 * clang: passing 'int' to parameter of incompatible type 'leat_dur' */
#include <leat.h>

leat_err clean_up(void)
{
    leat_with_shield(50)
        return leat_sleep(LEAT_MS(1));
    return LEAT_OK;
}
