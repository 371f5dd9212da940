/* spin_test.c - an idle worker looks around before it sleeps, if that pays: the account, and wakes of one that spins. */
#include <pthread.h>
#include <sys/socket.h>
#include "run/sched.h"
#include "t.h"

static int rounds(int n) { return getenv("T_QUICK") ? n / 10 : n; }

/* n waits, each of which ends after `slept`, but no spin sees it.  How many spins. */
static int spins_in(struct spin *s, int n, int64_t slept, enum spin_end how)
{
    int spins = 0;
    for (int i = 0; i < n; i++)
        if (spin_worth(s)) {
            spin_ended(s, how);
            spins += how != SPIN_PAID;
        } else {
            spin_slept(s, slept);
        }
    return spins;
}

TEST(short_waits_make_a_spin_worth_it_and_long_ones_do_not)
{
    struct spin s = { 0 };
    CHECK(!spin_worth(&s));
    CHECK_EQ(spins_in(&s, 1000, SPIN_SOON_NS + 1, SPIN_VAIN), 0);
    CHECK_EQ(spins_in(&s, SPIN_WORTH, SPIN_SOON_NS, SPIN_VAIN), 0);
    CHECK(spin_worth(&s));
    CHECK_EQ(spins_in(&s, 1000, SPIN_SOON_NS, SPIN_PAID), 0);
    CHECK(spin_worth(&s));                           /* as long as it pays it goes on */
    for (int i = 0; i < 3; i++)
        spin_slept(&s, SPIN_SOON_NS + 1);
    CHECK(!spin_worth(&s));
}

TEST(spins_in_vain_become_rare)
{
    struct spin s = { 0 };
    CHECK(spins_in(&s, 1000000, SPIN_SOON_NS, SPIN_VAIN) <= 1000000 / SPIN_COST_MAX + 10);
    CHECK(spins_in(&s, 1000000, SPIN_SOON_NS, SPIN_VAIN) > 0);       /* but now and then it is tried */
    CHECK(spins_in(&s, 3 * SPIN_COST_MAX, SPIN_SOON_NS, SPIN_PAID) == 0);
    CHECK(spin_worth(&s));                           /* and one that pays is enough */
    CHECK(spins_in(&s, SPIN_COST_MAX / 2, SPIN_SOON_NS, SPIN_CROWDED) <= 4);     /* without the CPU it is over at once */
}

static void rich(struct rt *rt)
{
    at_store(&rt->spin.account, SPIN_RICH);
    at_store(&rt->spin.cost, 0);
}

struct times { int n; };

static leat_err rest(struct times *a)
{
    struct rt *rt = rt_self();
    rich(rt);
    for (int i = 0; i < a->n; i++)
        LEAT_TRY(leat_sleep(LEAT_MS(1)));
    uint64_t begun = at_load(&rt->spin.begun), looks = at_load(&rt->spin.looks);
    LEAT_TRY(leat_sleep(LEAT_MS(300)));
    CHECK(at_load(&rt->spin.begun) <= 20);           /* the account is used up; on a busy machine perhaps late */
    if (at_load(&rt->spin.begun) == begun)
        CHECK_EQ(at_load(&rt->spin.looks), looks);
    return LEAT_OK;
}

TEST(an_idle_runtime_stops_spinning)
{
    for (uint32_t w = 1; w <= 3; w++)
        CHECK_EQ(leat_run((&(leat_opts){ .workers = w }), rest, (struct times){ 100 }), LEAT_OK);
}

/* -- wakes of a worker that spins, is about to, or has just fallen asleep ---------------------------------------------------- */
static struct rt *_Atomic waiting;                   /* whose worker waits for the thread */

/* The first throw comes when a worker has spun, so that one has, however slow the machine is; or in a second. */
static void await_spin(void)
{
    struct rt *rt;
    for (int i = 0; i < 20000 && (!(rt = at_load_acq(&waiting)) || at_load(&rt->spin.begun) == 0); i++)
        usleep(50);
}

typedef leat_chan(int64_t) numbers;
struct thrower { numbers to, back; int n; };

static void *throw_numbers(void *arg)
{
    struct thrower *t = arg;
    int64_t v;
    await_spin();
    for (int64_t i = 0; i < t->n; i++) {
        for (int k = 0; k < i % 300; k++)            /* up to some 100 us: before, within and after a spin */
            __atomic_signal_fence(__ATOMIC_SEQ_CST), cpu_pause();
        CHECK_EQ(leat_send(t->to, { i }), LEAT_OK);
        CHECK_EQ(leat_recv(t->back, &v), LEAT_OK);
    }
    return NULL;
}

static leat_err catch_numbers(struct thrower *t)
{
    struct rt *rt = rt_self();
    int64_t v;
    for (int64_t i = 0; i < t->n; i++) {
        rich(rt);
        at_store_rel(&waiting, rt);
        LEAT_TRY(leat_recv(t->to, &v));
        CHECK_EQ(v, i);
        LEAT_TRY(leat_send(t->back, { v }));
    }
    CHECK(at_load(&rt->spin.begun) > 0);
    return LEAT_OK;
}

static leat_err catch_pinned(struct thrower *t)
{
    leat_err e = LEAT_OK;
    leat_with_pinned
        e = catch_numbers(t);
    return e;
}

static leat_err catch_in_group(struct thrower *t)
{
    leat_err err;
    leat_with_group(g, err)
        LEAT_TRY(leat_go(&g, catch_pinned, *t));
    return err;
}

static void by_a_thread(leat_err (*fn)(struct thrower *))
{
    for (uint32_t w = 1; w <= 3; w++) {
        at_store(&waiting, NULL);
        struct thrower t = { leat_chan_make(int64_t, 0), leat_chan_make(int64_t, 0), rounds(3000) };
        pthread_t thread;
        CHECK_EQ(pthread_create(&thread, NULL, throw_numbers, &t), 0);
        CHECK_EQ(leat_run((&(leat_opts){ .workers = w }), fn, t), LEAT_OK);
        pthread_join(thread, NULL);
        leat_unref(t.to);
        leat_unref(t.back);
    }
}

TEST(a_thread_wakes_a_worker_that_spins) { by_a_thread(catch_numbers); }
TEST(a_thread_wakes_the_worker_of_a_pinned_task_that_spins) { by_a_thread(catch_in_group); }

struct bouncer { int fd, n; };
static void *bounce_bytes(void *arg)
{
    struct bouncer *b = arg;
    char c;
    await_spin();
    for (int i = 0; i < b->n; i++) {
        for (int k = 0; k < i % 300; k++)
            __atomic_signal_fence(__ATOMIC_SEQ_CST), cpu_pause();
        CHECK_EQ(write(b->fd, "x", 1), 1);
        CHECK_EQ(read(b->fd, &c, 1), 1);
    }
    return NULL;
}

static leat_err catch_bytes(struct bouncer *b)
{
    struct rt *rt = rt_self();
    char c;
    for (int i = 0; i < b->n; i++) {
        rich(rt);
        at_store_rel(&waiting, rt);
        LEAT_TRY(leat_fd_wait(b->fd, LEAT_READ));
        CHECK_EQ(read(b->fd, &c, 1), 1);
        CHECK_EQ(write(b->fd, "x", 1), 1);
    }
    CHECK(at_load(&rt->spin.begun) > 0);
    return LEAT_OK;
}

static void by_a_descriptor(const char *poll)
{
    setenv("LEAT_POLL", poll, 1);
    for (uint32_t w = 1; w <= 3; w++) {
        int fd[2];
        at_store(&waiting, NULL);
        CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, fd), 0);
        struct bouncer there = { fd[1], rounds(3000) };
        pthread_t thread;
        CHECK_EQ(pthread_create(&thread, NULL, bounce_bytes, &there), 0);
        CHECK_EQ(leat_run((&(leat_opts){ .workers = w }), catch_bytes, (struct bouncer){ fd[0], there.n }), LEAT_OK);
        pthread_join(thread, NULL);
        close(fd[0]);
        close(fd[1]);
    }
}

TEST(a_descriptor_wakes_a_worker_that_spins_epoll) { by_a_descriptor("epoll"); }
TEST(a_descriptor_wakes_a_worker_that_spins_io_uring) { by_a_descriptor("io_uring"); }

static leat_err nothing(void *a) { (void)a; return LEAT_OK; }
static leat_err block(struct times *a)
{
    struct rt *rt = rt_self();
    for (int i = 0; i < a->n; i++) {
        rich(rt);
        LEAT_TRY(leat_blocking(nothing, NULL));
    }
    return LEAT_OK;
}

TEST(a_blocking_call_wakes_a_worker_that_spins)
{
    for (uint32_t w = 1; w <= 3; w++)
        CHECK_EQ(leat_run((&(leat_opts){ .workers = w }), block, (struct times){ rounds(3000) }), LEAT_OK);
}

T_MAIN()
