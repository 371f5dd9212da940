/* clock.h - the monotonic clock, ns. */
#ifndef PLAT_CLOCK_H
#define PLAT_CLOCK_H
#include <stdint.h>
#include <time.h>

static inline int64_t plat_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}
#endif
