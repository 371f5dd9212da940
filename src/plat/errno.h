/* errno.h - errno for code that may run in a task: its address is asked for at every use.
 *
 * glibc declares __errno_location const, so a compiler may keep what it returned over a switch of stacks and write into the errno
 * of a thread that the task has left.  Link-time optimization brings such a switch into every function.  The pointer passes
 * through an asm that may change it, and with that the attribute is gone.  Every file of plat/ takes errno from here. */
#ifndef PLAT_ERRNO_H
#define PLAT_ERRNO_H
#include <errno.h>
#undef errno
#define errno (*plat_errno())

static inline int *plat_errno(void)
{
    int *(*at)(void) = __errno_location;
    __asm__ volatile("" : "+r"(at));
    return at();
}
#endif
