/* cpus.h - how many CPUs are worth having threads for.  Both may change at any time; read again to know. */
#ifndef PLAT_CPUS_H
#define PLAT_CPUS_H
#include <stdbool.h>
#include <stdint.h>

uint32_t plat_cpu_affinity(int32_t tid);             /* CPUs that thread may run on (0: the calling one), at least 1 */
uint32_t plat_cpu_machine(void);                     /* CPUs of the machine, also those that are switched off */
void plat_cpu_affinity_of(int32_t tid);              /* the calling thread may run where that one may */
uint32_t plat_cpu_quota(void);                       /* of the cgroup of this process and those above, rounded up; 0: none */
/* Where cgroups are mounted, and where the process learns which is its own: tests put others there. */
extern const char *plat_cgroup_mount, *plat_cgroup_self;
#endif
