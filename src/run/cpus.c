/* cpus.c - the number of active workers follows the CPUs that the program may use: the affinity of the thread of worker 0, and the
 * quota of its cgroup, whichever is smaller.
 *
 * There is a thread for each CPU of the affinity at the start, and one more for each that is added to it, up to the CPUs of the machine,
 * of which no more than 64 count.  Threads stay: those from rt->active on rest (idle.c), asleep until there are more CPUs, the end, a
 * timer of their own or a task that is pinned to them.  The CPUs are counted by a worker that is awake anyway, at most once in
 * rt_follow_ns; a program that sleeps does not count.  A number that the program asked for is not changed. */
#include "plat/cpus.h"
#include "run/idle.h"
#include "run/rt.h"
#include "run/seam.h"

int64_t rt_follow_ns = 1000000000;

void cpus_follow(struct worker *w)
{
    struct rt *rt = w->rt;
    int64_t now = rt_now(rt), at = at_load(&rt->follow_at);
    w->follow = false;
    if (now < at || !atomic_compare_exchange_strong_explicit(&rt->follow_at, &at, now + rt_follow_ns, ACQ_REL, RLX))
        return;                                      /* another worker does it */
    if (atomic_exchange_explicit(&rt->following, 1, ACQ))
        return;
    uint32_t n = plat_cpu_affinity(at_load(&rt->workers[0]->tid)), q = plat_cpu_quota(), was = at_load(&rt->active);
    n = q && q < n ? q : n;
    n = MIN(n, rt_grow(rt, n));
    if (n != was)
        atomic_store_explicit(&rt->active, n, SEQ);
    for (uint32_t i = MIN(n, was); i < MAX(n, was); i++)
        idle_wake(rt->workers[i]);                   /* to work, or to rest */
    at_store_rel(&rt->following, 0);
}
