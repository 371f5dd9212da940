/* hop.h - what hop.c and plain.c share. */
#ifndef HOP_H
#define HOP_H
#include <leat.h>

struct hopper { unsigned number; leat_tx(unsigned) ask; leat_rx(unsigned) answer; };

extern int *(*volatile thread_errno)(void);          /* glibc's __errno_location, where no compiler sees through */
LEAT_CHECK leat_err park(const struct hopper *h, unsigned round);    /* waits in one of several ways: the thread may change */
LEAT_CHECK leat_err plain(const struct hopper *h, unsigned round, unsigned *stale);
#endif
