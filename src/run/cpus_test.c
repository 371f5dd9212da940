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
    put("self", "0::/a/b\n4:cpuset,cpuacct,cpu:/y/z\n");
    CHECK_EQ(plat_cpu_quota(), 2);
    put("self", "4:cpuset,cpuacct:/y/z\n0::/a/b\n");
    CHECK_EQ(plat_cpu_quota(), 1);
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
            until_active(at_load(&here()->nworkers));
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
    CHECK_EQ(at_load(&here()->active), at_load(&here()->nworkers));
    CHECK(sched_setaffinity(getpid(), sizeof one, &one) == 0);       /* of the thread that called leat_run */
    until_active(1);
    CHECK(sched_setaffinity(getpid(), sizeof was, &was) == 0);
    until_active(at_load(&here()->nworkers));
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

/* Begins on one CPU: what comes later has workers that were not there. */
static void start_on(int cpus)
{
    cpu_set_t was, some;
    CHECK(sched_getaffinity(0, sizeof was, &was) == 0);
    CPU_ZERO(&some);
    for (int i = 0; i < CPU_SETSIZE && CPU_COUNT(&some) < cpus; i++)
        if (CPU_ISSET(i, &was))
            CPU_SET(i, &some);
    CHECK(sched_setaffinity(0, sizeof some, &some) == 0);
}
struct seen_on { _Atomic uint64_t *workers, *late; };
static leat_err notes_where(struct seen_on *s)
{
    for (int i = 0; i < 200; i++) {
        uint32_t id = worker_self()->id;
        atomic_fetch_or(s->workers, UINT64_C(1) << id);
        if (id)
            atomic_fetch_add(s->late, plat_cpu_affinity(0) >= 2);
        for (int64_t from = leat_now().ns; leat_now().ns < from + 50000; )
            ;
        leat_yield();
    }
    return LEAT_OK;
}
static leat_err grows(cpu_set_t *all)
{
    _Atomic uint64_t workers = 0, late = 0;
    leat_err err = LEAT_OK;
    CHECK_EQ(at_load(&here()->nworkers), 1);
    CHECK(sched_setaffinity(getpid(), sizeof *all, all) == 0);
    until_active(MIN(plat_cpu_affinity(getpid()), 64u));
    CHECK_EQ(at_load(&here()->nworkers), at_load(&here()->active));
    for (int i = 0; i < 100 && !(atomic_load(&workers) & ~UINT64_C(1)); i++) {
        leat_with_group(g, err)
            for (int n = 0; n < 16; n++)
                LEAT_TRY(leat_go(&g, notes_where, (struct seen_on){ &workers, &late }));
        LEAT_TRY(err);
    }
    CHECK(atomic_load(&workers) & ~UINT64_C(1));     /* they work */
    CHECK(atomic_load(&late) > 0);                   /* where worker 0 may */
    start_on(1);                                     /* of the thread that this task happens to be on */
    return err;
}
TEST(workers_are_added_when_the_cpus_become_more_than_at_the_start)
{
    cpu_set_t all;
    if (!two_cpus())
        return;
    begin();
    CHECK(sched_getaffinity(0, sizeof all, &all) == 0);
    start_on(1);
    CHECK_EQ(leat_run(NULL, grows, all), LEAT_OK);
    end();
}

static void *widened(void *tid)
{
    start_on(1);
    CHECK_EQ(plat_cpu_affinity(0), 1);
    plat_cpu_affinity_of(*(int32_t *)tid);
    CHECK(plat_cpu_affinity(0) == plat_cpu_affinity(*(int32_t *)tid));
    return NULL;
}
TEST(a_thread_takes_the_affinity_of_another)
{
    int32_t tid = getpid();
    pthread_t t;
    if (!two_cpus())
        return;
    CHECK(pthread_create(&t, NULL, widened, &tid) == 0);
    CHECK(pthread_join(t, NULL) == 0);
}

/* The runtime ends at any moment of a worker's birth. */
static leat_err ends_meanwhile(cpu_set_t *all)
{
    static uint32_t turn;
    CHECK(sched_setaffinity(getpid(), sizeof *all, all) == 0);
    for (int64_t until = leat_now().ns + 1000 * (turn++ % 128); leat_now().ns < until; )
        leat_yield();
    return LEAT_OK;
}
TEST(a_runtime_ends_while_workers_are_added)
{
    cpu_set_t all;
    int rounds = getenv("T_QUICK") ? 20 : 200;
    if (!two_cpus())
        return;
    begin();
    rt_follow_ns = 10000;
    CHECK(sched_getaffinity(0, sizeof all, &all) == 0);
    for (int i = 0; i < rounds; i++) {
        start_on(1);
        CHECK_EQ(leat_run(NULL, ends_meanwhile, all), LEAT_OK);
        CHECK(sched_setaffinity(0, sizeof all, &all) == 0);
    }
    end();
}

/* In a cgroup of the machine's own, where it lets us make one: v2 where the root offers the controller, else v1. */
static char group_dir[128];
static bool group_put(const char *name, const char *text)
{
    char path[256];
    snprintf(path, sizeof path, "%s/%s", group_dir, name);
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    bool ok = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);
    if (fd >= 0)
        (void)close(fd);
    return ok;
}
static bool group_quota(bool v2, int us)
{
    char text[32];
    snprintf(text, sizeof text, v2 ? us < 0 ? "max 100000" : "%d 100000" : "%d", us);
    return group_put(v2 ? "cpu.max" : "cpu.cfs_quota_us", text);
}
/* The process is in it, without a quota. */
static bool group_open_real(bool v2)
{
    char pid[16];
    snprintf(group_dir, sizeof group_dir, "%s/leat_cpus_test_%d", v2 ? "/sys/fs/cgroup" : "/sys/fs/cgroup/cpu", (int)getpid());
    snprintf(pid, sizeof pid, "%d", (int)getpid());
    if (mkdir(group_dir, 0700) != 0)
        return false;
    if (group_quota(v2, -1) && group_put("cgroup.procs", pid))
        return true;
    (void)rmdir(group_dir);
    return false;
}
static void group_leave_real(bool v2)
{
    char pid[16], path[256];
    snprintf(pid, sizeof pid, "%d", (int)getpid());
    snprintf(path, sizeof path, "%s", group_dir);
    snprintf(group_dir, sizeof group_dir, v2 ? "/sys/fs/cgroup" : "/sys/fs/cgroup/cpu");
    CHECK(group_put("cgroup.procs", pid));
    CHECK(rmdir(path) == 0);
}
static leat_err follows_real(bool *v2)
{
    for (int i = 0; i < 3; i++) {
        CHECK(group_quota(*v2, 100000));
        CHECK_EQ(plat_cpu_quota(), 1);
        until_active(1);
        CHECK(group_quota(*v2, i % 2 ? -1 : 800000));
        until_active(at_load(&here()->nworkers));
    }
    return LEAT_OK;
}
TEST(the_workers_follow_the_quota_of_a_real_cgroup)
{
    rt_follow_ns = 200000;
    for (int v2 = 0; v2 < 2; v2++) {
        if (!two_cpus() || plat_cpu_quota() == 1 || !group_open_real(v2)) {
            printf("# %s: not here\n", v2 ? "v2" : "v1");
            continue;
        }
        CHECK_EQ(leat_run(NULL, follows_real, (bool)v2), LEAT_OK);
        group_leave_real(v2);
    }
}

TEST(the_lines_of_many_hierarchies_are_read_to_the_end)
{
    char lines[3000] = "";
    begin();
    for (int i = 13; i > 1; i--)
        snprintf(lines + strlen(lines), sizeof lines - strlen(lines), "%d:other%d:/%0*d\n", i, i, 150, 0);
    snprintf(lines + strlen(lines), sizeof lines - strlen(lines), "1:cpu,cpuacct:/a\n0::/\n");
    put("self", lines);
    put("cpu/a/cpu.cfs_quota_us", "300000\n");
    put("cpu/a/cpu.cfs_period_us", "100000\n");
    CHECK_EQ(plat_cpu_quota(), 3);
    put("self", "5:memory:/x\n0::/a/b\n");            /* v1 without its CPUs: v2 lies beside it */
    put("unified/a/cpu.max", "250000 100000\n");
    CHECK_EQ(plat_cpu_quota(), 3);
    put("unified/a/b/cpu.max", "150000 100000\n");
    CHECK_EQ(plat_cpu_quota(), 2);
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
            until_active(i % 2 ? at_load(&here()->nworkers) : 1);
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
