/* barrier.h - a full memory barrier in every running thread of the process at once (membarrier), so that one side of a handshake, the
 * one that happens often, needs none of its own. */
#ifndef PLAT_BARRIER_H
#define PLAT_BARRIER_H
#include <stdbool.h>

bool plat_barrier_ready(void);                       /* asks the kernel for it; false: it has none, or a sandbox forbids it */
/* When it returns true, each other thread has passed a full barrier since the call.  Costs some microseconds, and each of the other
 * processors an interrupt. */
bool plat_barrier(void);
#endif
