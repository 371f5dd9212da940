/* futex.c - Linux futexes, private to the process. */
#include "plat/futex.h"
#include "plat/errno.h"
#include <linux/futex.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
#include "plat/san.h"

void plat_futex_wait(_Atomic uint32_t *word, uint32_t is, int64_t limit_ns)
{
#if SAN_THREAD
    limit_ns = limit_ns < 0 || limit_ns > SAN_SLEEP_NS ? SAN_SLEEP_NS : limit_ns;
#endif
    san_signals();
    struct timespec ts = { limit_ns / 1000000000, limit_ns % 1000000000 };
    int saved = errno;
    syscall(SYS_futex, word, FUTEX_WAIT | FUTEX_PRIVATE_FLAG, is, limit_ns < 0 ? NULL : &ts, NULL, 0);
    san_signals();
    errno = saved;
}

void plat_futex_wake(_Atomic uint32_t *word, int count)
{
    int saved = errno;
    syscall(SYS_futex, word, FUTEX_WAKE | FUTEX_PRIVATE_FLAG, count, NULL, NULL, 0);
    errno = saved;
}
