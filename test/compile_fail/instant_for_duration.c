/* An instant where a duration is due.
 * gcc: expected .leat_dur. .*but argument is of type .leat_time.
 * clang: passing 'leat_time' .*to parameter of incompatible type 'leat_dur' */
#include <leat.h>

leat_err nap(void)
{
    return leat_sleep(leat_now());
}
