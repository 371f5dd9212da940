/* barrier.c - membarrier(2). */
#include "plat/barrier.h"
#include <linux/membarrier.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "plat/errno.h"
#include "plat/san.h"

static bool membarrier(int command)
{
    int saved = errno;
    bool ok = syscall(SYS_membarrier, command, 0, 0) == 0;
    errno = saved;
    return ok;
}

bool plat_barrier_ready(void)
{
    return !SAN_THREAD && membarrier(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED);      /* ThreadSanitizer does not know of it */
}

bool plat_barrier(void)
{
    return !SAN_THREAD && membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED);
}
