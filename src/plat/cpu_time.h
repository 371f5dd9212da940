/* cpu_time.h - what processors a process, or its children, have used. */
#ifndef PLAT_CPU_TIME_H
#define PLAT_CPU_TIME_H
#include <stdint.h>
#include <sys/resource.h>

/* User and system time in us, of RUSAGE_SELF or RUSAGE_CHILDREN (those that were waited for); 0 where the system does not say. */
static inline int64_t cpu_time_us(int whose)
{
    struct rusage u;
    if (getrusage(whose, &u) != 0)
        return 0;
    return (int64_t)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1000000 + u.ru_utime.tv_usec + u.ru_stime.tv_usec;
}
#endif
