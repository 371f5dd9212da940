/* A case outside a select.
 * gcc: .leat_case_outside_leat_select_. undeclared
 * clang: use of undeclared identifier 'leat_case_outside_leat_select_' */
#include <leat.h>

void take(leat_rx(int) c, int *p)
{
    leat_on_recv(c, p) {
        *p = 0;
    }
}
