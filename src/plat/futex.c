/* futex.c - Linux futexes, private to the process. */
#include "plat/futex.h"
#include "plat/errno.h"
#include <linux/futex.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
#include "plat/san.h"

static long sleep_on(_Atomic uint32_t *word, uint32_t is, int64_t limit_ns)
{
    struct timespec ts = { limit_ns / 1000000000, limit_ns % 1000000000 };
    return syscall(SYS_futex, word, FUTEX_WAIT | FUTEX_PRIVATE_FLAG, is, limit_ns < 0 ? NULL : &ts, NULL, 0);
}

void plat_futex_wait(_Atomic uint32_t *word, uint32_t is, int64_t limit_ns)
{
    int saved = errno;
#if SAN_THREAD                                       /* in slices, so that signals find their handlers: to the caller it is one sleep */
    while (limit_ns < 0 || limit_ns > SAN_SLEEP_NS) {
        san_signals();
        if (sleep_on(word, is, SAN_SLEEP_NS) == 0 || errno != ETIMEDOUT) {
            san_signals();
            errno = saved;
            return;
        }
        limit_ns -= limit_ns < 0 ? 0 : SAN_SLEEP_NS;
    }
#endif
    san_signals();
    sleep_on(word, is, limit_ns);
    san_signals();
    errno = saved;
}

void plat_futex_wake(_Atomic uint32_t *word, int count)
{
    int saved = errno;
    syscall(SYS_futex, word, FUTEX_WAKE | FUTEX_PRIVATE_FLAG, count, NULL, NULL, 0);
    errno = saved;
}
