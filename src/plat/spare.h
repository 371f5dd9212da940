/* spare.h - a real-time signal that the program does not use, for this library's own use.
 *
 * From the top down, because programs count up from SIGRTMIN; the topmost ones are taken by emulators and checkers. */
#ifndef PLAT_SPARE_H
#define PLAT_SPARE_H
#include <signal.h>

/* Installs act for the first signal that has no handler; it is not given back.  *ret: the signal.  0, or EBUSY: all are in use. */
int spare_signal(const struct sigaction *act, int *ret);
#endif
