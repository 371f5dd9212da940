/* plain.c - the same with errno as glibc defines it: an optimizing compiler keeps the address over the park. */
#include "hop.h"
#undef errno
#define errno (*__errno_location())

leat_err plain(const struct hopper *h, unsigned round, unsigned *stale)
{
    errno = 0;
    LEAT_TRY(park(h, round));
    if (&errno != thread_errno())
        ++*stale;
    return LEAT_OK;
}
