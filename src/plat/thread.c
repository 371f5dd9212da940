/* thread.c - Linux threads; the CPU quota of cgroups v1 and v2. */
#include "plat/thread.h"
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

/* CPUs the quota allows, rounded up; 0: no quota.  Paths as a container sees them; "max" reads as no number. */
static uint32_t quota_cpus(void)
{
    long long quota = -1, period = 0;
    FILE *f = fopen("/sys/fs/cgroup/cpu.max", "re");
    if (f) {
        if (fscanf(f, "%lld %lld", &quota, &period) != 2)
            quota = -1;
        fclose(f);
    } else if ((f = fopen("/sys/fs/cgroup/cpu/cpu.cfs_quota_us", "re"))) {
        if (fscanf(f, "%lld", &quota) != 1)
            quota = -1;
        fclose(f);
        if (quota > 0 && (f = fopen("/sys/fs/cgroup/cpu/cpu.cfs_period_us", "re"))) {
            if (fscanf(f, "%lld", &period) != 1)
                period = 0;
            fclose(f);
        }
    }
    return quota > 0 && period > 0 ? (uint32_t)((quota + period - 1) / period) : 0;
}

uint32_t plat_cpus(void)
{
    cpu_set_t set;
    uint32_t n = 1, q = quota_cpus();
    if (sched_getaffinity(0, sizeof set, &set) == 0 && CPU_COUNT(&set) > 0)
        n = (uint32_t)CPU_COUNT(&set);
    return q && q < n ? q : n;
}

int plat_thread_start(pthread_t *ret, void *(*fn)(void *), void *arg, const char *name)
{
    sigset_t all, old;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);        /* the program's signals go to the program's threads */
    int e = pthread_create(ret, NULL, fn, arg);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (e == 0)
        pthread_setname_np(*ret, name);
    return e;
}

void plat_thread_join(pthread_t t)
{
    pthread_join(t, NULL);
}

void plat_thread_detach(pthread_t t)
{
    pthread_detach(t);
}

void plat_thread_stack(void **base, size_t *size)
{
    pthread_attr_t a;
    *base = NULL;
    *size = 0;
    if (pthread_getattr_np(pthread_self(), &a) == 0) {
        pthread_attr_getstack(&a, base, size);
        pthread_attr_destroy(&a);
    }
}

void plat_thread_exact_timers(void)
{
    prctl(PR_SET_TIMERSLACK, 1UL, 0UL, 0UL, 0UL);
}
