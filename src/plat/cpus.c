/* cpus.c - how many CPUs a process may use: its thread's affinity, and the CPU quota of its cgroup and of those above, v2 or v1.
 * Reads small files by bare system calls: no memory is taken, and little stack. */
#include "plat/cpus.h"
#include "plat/errno.h"
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const char *plat_cgroup_mount = "/sys/fs/cgroup", *plat_cgroup_self = "/proc/self/cgroup";

enum { LINES = 4096, TEXT = 1024 };                  /* a line for each v1 hierarchy, and long paths within containers */

static bool slurp(const char *path, char *text, size_t cap)
{
    int saved = errno, fd = open(path, O_RDONLY | O_CLOEXEC);
    size_t n = 0;
    for (ssize_t got = 1; fd >= 0 && got > 0 && n < cap - 1; n += got > 0 ? (size_t)got : 0)
        got = read(fd, text + n, cap - 1 - n);
    if (fd >= 0)
        close(fd);
    errno = saved;
    text[n] = 0;
    return n > 0;
}

/* CPUs, rounded up, or 0: no quota.  "max" and -1 are none. */
static uint32_t quota(const char *text, const char *period_text)
{
    char *end;
    long long q = strtoll(text, &end, 10), period = end == text ? 0 : strtoll(period_text ? period_text : end, NULL, 10);
    return q > 0 && period > 0 ? (uint32_t)((q + period - 1) / period) : 0;
}

static uint32_t quota_of_group(const char *group, bool v2)
{
    static const char *const v2_mounts[] = { "", "/unified" };       /* the latter beside v1 */
    char path[TEXT + 64], text[64], period[64];
    for (int i = 0; v2 && i < 2; i++) {
        snprintf(path, sizeof path, "%s%s%s/cpu.max", plat_cgroup_mount, v2_mounts[i], group);
        if (slurp(path, text, sizeof text))
            return quota(text, NULL);
    }
    if (v2)
        return 0;
    snprintf(path, sizeof path, "%s/cpu%s/cpu.cfs_quota_us", plat_cgroup_mount, group);
    bool found = slurp(path, text, sizeof text);
    snprintf(path, sizeof path, "%s/cpu%s/cpu.cfs_period_us", plat_cgroup_mount, group);
    return found && slurp(path, period, sizeof period) ? quota(text, period) : 0;
}

/* Whether it is among these names, with commas between: cpu,cpuacct or cpuacct,cpu. */
static bool is_among(const char *name, const char *names, size_t n)
{
    size_t len = strlen(name), k;
    for (const char *p = names, *end = names + n; p < end; p += k + 1) {
        const char *comma = memchr(p, ',', (size_t)(end - p));
        k = (size_t)((comma ? comma : end) - p);
        if (k == len && memcmp(p, name, k) == 0)
            return true;
    }
    return false;
}

/* The path of this process below the mount, in the hierarchy that rules CPUs. */
static bool own_group(const char *lines, char *group, size_t cap, bool *v2)
{
    *group = 0;
    for (const char *line = lines; *line; ) {
        size_t n = strcspn(line, "\n");
        const char *one = memchr(line, ':', n), *two = one ? memchr(one + 1, ':', n - (size_t)(one + 1 - line)) : NULL;
        if (two) {
            size_t names = (size_t)(two - one - 1), len = n - (size_t)(two + 1 - line);
            bool cpu = is_among("cpu", one + 1, names);
            if ((names == 0 || cpu) && len < cap) {
                memcpy(group, two + 1, len);
                group[len] = 0;
                *v2 = names == 0;
                if (cpu)
                    return true;                     /* v1 rules where it is mounted */
            }
        }
        line += n + (line[n] == '\n');
    }
    return *group != 0;
}

uint32_t plat_cpu_quota(void)
{
    char lines[LINES], group[TEXT];
    bool v2 = true;
    uint32_t least = 0;
    if (!slurp(plat_cgroup_self, lines, sizeof lines) || !own_group(lines, group, sizeof group, &v2))
        strcpy(group, "/");
    for (;;) {                                       /* up to the root, as this process sees it */
        size_t n = strlen(group);
        while (n && group[n - 1] == '/')
            group[--n] = 0;
        uint32_t q = quota_of_group(group, v2);
        if (q && (!least || q < least))
            least = q;
        if (n == 0)
            return least;
        *strrchr(group, '/') = 0;
    }
}

uint32_t plat_cpu_machine(void)
{
    int saved = errno;
    long n = sysconf(_SC_NPROCESSORS_CONF);
    errno = saved;
    return n > 0 ? (uint32_t)n : 1;
}

void plat_cpu_affinity_of(int32_t tid)
{
    cpu_set_t set;
    int saved = errno;
    if (tid && sched_getaffinity(tid, sizeof set, &set) == 0)
        (void)sched_setaffinity(0, sizeof set, &set);
    errno = saved;
}

uint32_t plat_cpu_affinity(int32_t tid)
{
    cpu_set_t set;
    int saved = errno, e = sched_getaffinity(tid, sizeof set, &set);
    errno = saved;
    return e == 0 && CPU_COUNT(&set) > 0 ? (uint32_t)CPU_COUNT(&set) : 1;
}
