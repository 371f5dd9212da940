/* An error nobody looks at: a warning by default, an error with LEAT_STRICT.
 * gcc: ignoring return value of .leat_must_check_. declared with attribute .warn_unused_result.
 * clang: ignoring return value of function declared with 'warn_unused_result' attribute */
#include <leat.h>

void put(leat_tx(int) c)
{
    leat_send(c, 1);
}
