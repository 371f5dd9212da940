/* cpus_test.c - the number of active workers follows affinity and cgroup quota as they change. */
#include <fcntl.h>
#include <sched.h>
#include <stdatomic.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include "plat/cpus.h"
#include "run/rt.h"
#include "run/sched.h"
#undef errno
#include "t.h"

static char root[64], self[128];
static void put(const char *name, const char *text)
{
    char path[256], next[300];
    snprintf(path, sizeof path, "%s/%s", root, name);
    for (char *p = path + strlen(root) + 1; (p = strchr(p, '/')); p++) {
        *p = 0;
        (void)mkdir(path, 0700);
        *p = '/';
    }
    snprintf(next, sizeof next, "%s.next", path);
    FILE *f = fopen(next, "w");
    CHECK(f && fputs(text, f) >= 0 && fclose(f) == 0);
    CHECK(rename(next, path) == 0);                  /* nobody reads half of it */
}
static void begin(void)
{
    snprintf(root, sizeof root, "/tmp/leat_cpus_test.XXXXXX");
    CHECK(mkdtemp(root) != NULL);
    snprintf(self, sizeof self, "%s/self", root);
    plat_cgroup_mount = root;
    plat_cgroup_self = self;
    rt_follow_ns = 200000;
}
static void end(void)
{
    char command[128];
    snprintf(command, sizeof command, "rm -r %s", root);
    CHECK(system(command) == 0);
}

TEST(the_smallest_quota_on_the_way_to_the_root_counts)
{
    begin();
    CHECK_EQ(plat_cpu_quota(), 0);                   /* there is nothing at all */
    put("self", "0::/a/b\n");
    put("a/b/cpu.max", "max 100000\n");
    CHECK_EQ(plat_cpu_quota(), 0);
    put("a/cpu.max", "250000 100000\n");
    CHECK_EQ(plat_cpu_quota(), 3);                   /* rounded up */
    put("a/b/cpu.max", "400000 100000\n");
    CHECK_EQ(plat_cpu_quota(), 3);
    put("cpu.max", "50000 100000\n");
    CHECK_EQ(plat_cpu_quota(), 1);
    put("self", "12:cpuset:/x\n4:cpu,cpuacct:/y/z\n0::/a/b\n");
    CHECK_EQ(plat_cpu_quota(), 0);
    put("cpu/y/cpu.cfs_quota_us", "150000\n");
    put("cpu/y/cpu.cfs_period_us", "100000\n");
    CHECK_EQ(plat_cpu_quota(), 2);
    put("cpu/y/z/cpu.cfs_quota_us", "-1\n");
    put("cpu/y/z/cpu.cfs_period_us", "100000\n");
    CHECK_EQ(plat_cpu_quota(), 2);
    put("self", "nonsense");
    CHECK_EQ(plat_cpu_quota(), 1);
    end();
}

static bool two_cpus(void) { return plat_cpu_affinity(0) >= 2; }
static struct rt *here(void) { return worker_self()->rt; }
static void until_active(uint32_t n)
{
    for (int i = 0; at_load(&here()->active) != n; i++) {
        CHECK(i < 100000);
        CHECK_EQ(leat_sleep(LEAT_US(200)), LEAT_OK);
    }
}
struct adder { _Atomic int *sum; };
static leat_err spins(struct adder *a)
{
    for (int i = 0; i < 100; i++) {
        atomic_fetch_add(a->sum, 1);
        leat_yield();
        if (i % 16 == 0)
            LEAT_TRY(leat_sleep(LEAT_US(1)));
    }
    return LEAT_OK;
}
static leat_err work_meanwhile(leat_group *g, _Atomic int *sum)
{
    for (int i = 0; i < 50; i++)
        LEAT_TRY(leat_go(g, spins, (struct adder){ sum }));
    return LEAT_OK;
}

static leat_err follows_quota(leat_none *none)
{
    _Atomic int sum = 0;
    leat_err err;
    int rounds = getenv("T_QUICK") ? 5 : 40;
    (void)none;
    leat_with_group(g, err)
        for (int i = 0; i < rounds; i++) {           /* all tasks end, however often workers come and go */
            put("cpu.max", "100000 100000\n");
            LEAT_TRY(work_meanwhile(&g, &sum));
            until_active(1);
            put("cpu.max", i % 2 ? "max 100000\n" : "800000 100000\n");
            LEAT_TRY(work_meanwhile(&g, &sum));
            until_active(here()->nworkers);
        }
    CHECK_EQ(sum, rounds * 2 * 50 * 100);
    return err;
}
TEST(the_workers_follow_the_quota_as_it_changes)
{
    if (!two_cpus())
        return;
    begin();
    put("self", "0::/\n");
    CHECK_EQ(leat_run(NULL, follows_quota, LEAT_NONE), LEAT_OK);
    end();
}

static leat_err follows_affinity(leat_none *none)
{
    cpu_set_t was, one;
    (void)none;
    CHECK(sched_getaffinity(getpid(), sizeof was, &was) == 0);
    CPU_ZERO(&one);
    for (int i = 0; !CPU_COUNT(&one); i++)
        if (CPU_ISSET(i, &was))
            CPU_SET(i, &one);
    CHECK_EQ(at_load(&here()->active), here()->nworkers);
    CHECK(sched_setaffinity(getpid(), sizeof one, &one) == 0);       /* of the thread that called leat_run */
    until_active(1);
    CHECK(sched_setaffinity(getpid(), sizeof was, &was) == 0);
    until_active(here()->nworkers);
    return LEAT_OK;
}
TEST(the_workers_follow_the_affinity_as_it_changes)
{
    if (!two_cpus())
        return;
    begin();
    CHECK_EQ(leat_run(NULL, follows_affinity, LEAT_NONE), LEAT_OK);
    end();
}

/* A task that is pinned to a worker stays there, also when that one rests. */
struct pinned { _Atomic int *stop, *turns; };
static leat_err pinned(struct pinned *p)
{
    leat_with_pinned {
        uint32_t there = worker_self()->id;
        while (!atomic_load(p->stop)) {
            LEAT_TRY(leat_sleep(LEAT_US(100)));
            CHECK_EQ(worker_self()->id, there);
            atomic_fetch_add(p->turns, 1);
        }
    }
    return LEAT_OK;
}
static leat_err pins(leat_none *none)
{
    _Atomic int stop = 0, turns = 0;
    leat_err err;
    (void)none;
    leat_with_group(g, err) {
        for (int i = 0; i < 8; i++)
            LEAT_TRY(leat_go(&g, pinned, (struct pinned){ &stop, &turns }));
        for (int i = 0; i < 10; i++) {
            put("cpu.max", i % 2 ? "max 100000\n" : "100000 100000\n");
            until_active(i % 2 ? here()->nworkers : 1);
            for (int from = atomic_load(&turns); atomic_load(&turns) < from + 50; )
                LEAT_TRY(leat_sleep(LEAT_US(100)));
        }
        atomic_store(&stop, 1);
    }
    return err;
}
TEST(pinned_tasks_of_a_worker_that_rests_go_on)
{
    if (!two_cpus())
        return;
    begin();
    put("self", "0::/\n");
    CHECK_EQ(leat_run(NULL, pins, LEAT_NONE), LEAT_OK);
    end();
}

static leat_err asked_for(leat_none *none)
{
    (void)none;
    for (int i = 0; i < 20; i++)
        LEAT_TRY(leat_sleep(LEAT_US(200)));
    CHECK_EQ(at_load(&here()->active), 3);
    return LEAT_OK;
}
TEST(a_number_of_workers_that_was_asked_for_stays)
{
    begin();
    put("self", "0::/\n");
    put("cpu.max", "100000 100000\n");
    CHECK_EQ(leat_run(&(leat_opts){ .workers = 3 }, asked_for, LEAT_NONE), LEAT_OK);
    end();
}

T_MAIN()
