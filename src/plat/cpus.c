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

enum { TEXT = 1024 };

static bool slurp(const char *path, char *text, size_t cap)
{
    int saved = errno, fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, text, cap - 1);
    if (fd >= 0)
        close(fd);
    errno = saved;
    text[n > 0 ? n : 0] = 0;
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
    char path[TEXT + 64], text[64], period[64];
    if (v2) {
        snprintf(path, sizeof path, "%s%s/cpu.max", plat_cgroup_mount, group);
        return slurp(path, text, sizeof text) ? quota(text, NULL) : 0;
    }
    snprintf(path, sizeof path, "%s/cpu%s/cpu.cfs_quota_us", plat_cgroup_mount, group);
    bool found = slurp(path, text, sizeof text);
    snprintf(path, sizeof path, "%s/cpu%s/cpu.cfs_period_us", plat_cgroup_mount, group);
    return found && slurp(path, period, sizeof period) ? quota(text, period) : 0;
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
            bool cpu = (names == 3 && !memcmp(one + 1, "cpu", 3)) || (names > 3 && !memcmp(one + 1, "cpu,", 4));
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
    char lines[TEXT], group[TEXT];
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

uint32_t plat_cpu_affinity(int32_t tid)
{
    cpu_set_t set;
    int saved = errno, e = sched_getaffinity(tid, sizeof set, &set);
    errno = saved;
    return e == 0 && CPU_COUNT(&set) > 0 ? (uint32_t)CPU_COUNT(&set) : 1;
}
