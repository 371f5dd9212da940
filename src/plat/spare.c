/* spare.c - see spare.h. */
#include "plat/spare.h"
#include <stddef.h>
#include "plat/errno.h"

enum { TAKEN_AT_THE_TOP = 4 };

int spare_signal(const struct sigaction *act, int *ret)
{
    struct sigaction old;
    for (int s = SIGRTMAX - TAKEN_AT_THE_TOP; s > SIGRTMIN; s--) {
        if (sigaction(s, NULL, &old) != 0 || old.sa_handler != SIG_DFL)
            continue;
        if (sigaction(s, act, NULL) == 0) {
            *ret = s;
            return 0;
        }
    }
    return EBUSY;
}
