/* A number where a duration is due.
 * gcc: expected .leat_dur. .*but argument is of type .int.
 * clang: passing 'int' to parameter of incompatible type 'leat_dur' */
#include <leat.h>

leat_err nap(void)
{
    return leat_sleep(50);
}
