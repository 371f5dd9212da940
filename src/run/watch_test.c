/* watch_test.c - a task that never gives way is reported and stops nobody; a program whose tasks all sleep for ever ends and says so,
 * and every way in which one might still be woken is a veto. */
#include "t.h"
#include "leat.h"
#undef errno
#include <pthread.h>
#include <sched.h>
#include <sys/resource.h>
#include <time.h>
#include "plat/freeze.h"
#include "plat/san.h"
#include "run/report.h"
#include "run/sched.h"
#include "run/watch.h"

/* -- the log ------------------------------------------------------------------------------------------------------------- */
static char logged[1 << 16];
static size_t logged_n;
static pthread_mutex_t log_lock = PTHREAD_MUTEX_INITIALIZER;

static void keep(int level, const char *line)
{
    (void)level;
    pthread_mutex_lock(&log_lock);
    logged_n += (size_t)snprintf(logged + logged_n, sizeof logged - logged_n, "%s\n", line);
    logged_n = MIN(logged_n, sizeof logged - 1);
    pthread_mutex_unlock(&log_lock);
}
static int times(const char *what)
{
    int n = 0;
    pthread_mutex_lock(&log_lock);
    for (const char *p = logged; (p = strstr(p, what)); p++)
        n++;
    pthread_mutex_unlock(&log_lock);
    return n;
}

/* Emulators and tools may have threads of their own, which count as threads that might call in. */
static bool alone(void)
{
    int32_t me = freeze_tid();
    for (int i = 0; i < 1000; i++) {                 /* a tool's thread is not known as such at once */
        if (freeze_others(&me, 1) == 0)
            return true;
        (void)usleep(1000);
    }
    printf("# this process has threads that are not its own: a deadlock cannot be told\n");
    return false;
}

/* -- the watchdog ---------------------------------------------------------------------------------------------------------- */
static _Atomic int spinning, enough;

static __attribute__((noinline)) void burn(void)
{
    at_store_rel(&spinning, 1);
    while (!at_load_acq(&enough))
        cpu_pause();
}
static leat_err spinner(leat_none *none) { (void)none; leat_task_name("burner"); burn(); return LEAT_OK; }
static leat_err ponger(leat_chan(int) *c) { int v; return leat_recv(*c, &v); }

static leat_err beside_a_spinner(leat_none *none)
{
    leat_err err;
    leat_auto leat_chan(int) c = leat_chan_make(int, 0);
    leat_with_group(g, err) {
        LEAT_TRY(leat_go(&g, spinner, *none));
        while (!at_load_acq(&spinning))
            leat_yield();
        while (times("task spinner") == 0) {         /* tasks, channels and timers go on all the while */
            LEAT_TRY(leat_go(&g, ponger, c));
            LEAT_TRY(leat_send(c, 1));
            LEAT_TRY(leat_sleep(LEAT_MS(1)));
        }
        for (int i = 0; i < 200; i++)                /* long enough for a second report, if there were one */
            LEAT_TRY(leat_sleep(LEAT_MS(1)));
        at_store_rel(&enough, 1);
    }
    return err;
}

TEST(a_task_that_never_gives_way_is_reported_once_with_its_calls_and_stops_nobody)
{
    CHECK_EQ(leat_run((&(leat_opts){ .workers = 2, .log = keep, .watchdog = LEAT_MS(40) }), beside_a_spinner, LEAT_NONE), LEAT_OK);
    CHECK_EQ(times("task spinner \"burner\" started at "), 1);
    CHECK_HAS(logged, "watch_test.c:");
    CHECK_HAS(logged, " has kept worker ");
    if (!SAN_THREAD && times("does not answer") == 0)                /* the tool delays handlers; a loaded machine may */
        CHECK_HAS(logged, " burn+0x");
}

static leat_err blocks_its_thread(leat_none *none)
{
    (void)none;
    while (times("task blocks_its_thread") == 0) {
        struct timespec t = { 0, 1000000 };
        nanosleep(&t, NULL);
    }
    return LEAT_OK;
}

TEST(a_task_that_blocks_its_thread_is_reported_too)
{
    CHECK_EQ(leat_run((&(leat_opts){ .workers = 1, .log = keep, .watchdog = LEAT_MS(20) }), blocks_its_thread, LEAT_NONE), LEAT_OK);
    CHECK_EQ(times("task blocks_its_thread started at "), 1);
}

static leat_err yields_often(leat_none *none)
{
    (void)none;
    for (leat_time from = leat_now(); leat_since(from).ns < 300000000; )
        leat_yield();
    return LEAT_OK;
}

TEST(tasks_that_give_way_are_not_reported)
{
    CHECK_EQ(leat_run((&(leat_opts){ .workers = 2, .log = keep, .watchdog = LEAT_MS(10000) }), yields_often, LEAT_NONE), LEAT_OK);
    CHECK_EQ(times("has kept"), 0);
}

static leat_err turned_off(leat_none *none)
{
    (void)none;
    for (leat_time from = leat_now(); leat_since(from).ns < 200000000; )
        cpu_pause();
    return LEAT_OK;
}

static leat_err until_reported(leat_none *none)
{
    (void)none;
    for (leat_time from = leat_now(); !times("task until_reported") && leat_since(from).ns < 60000000000; )
        cpu_pause();
    return LEAT_OK;
}

TEST(the_watchdog_can_be_turned_off_and_set_from_outside)
{
    setenv("LEAT_WATCHDOG", "10", 1);
    CHECK_EQ(leat_run((&(leat_opts){ .workers = 1, .log = keep, .watchdog = { -1 } }), turned_off, LEAT_NONE), LEAT_OK);
    CHECK_EQ(times("has kept"), 0);
    setenv("LEAT_WATCHDOG", "off", 1);
    CHECK_EQ(leat_run((&(leat_opts){ .workers = 1, .log = keep }), turned_off, LEAT_NONE), LEAT_OK);
    CHECK_EQ(times("has kept"), 0);
    setenv("LEAT_WATCHDOG", "10", 1);
    CHECK_EQ(leat_run((&(leat_opts){ .workers = 1, .log = keep }), until_reported, LEAT_NONE), LEAT_OK);
    CHECK_EQ(times("task until_reported"), 1);
}

/* -- nothing is woken for nothing ------------------------------------------------------------------------------------------ */
static long sleeps_of_all(void)
{
    struct rusage r;
    getrusage(RUSAGE_SELF, &r);
    return r.ru_nvcsw;
}
static void *look_on(void *arg)
{
    leat_chan(int) *c = arg;
    struct timespec second = { 1, 0 };
    nanosleep(&second, NULL);                        /* all has fallen asleep */
    long before = sleeps_of_all();
    nanosleep(&second, NULL);
    long n = sleeps_of_all() - before;
    printf("# %ld sleeps of all threads in 1 s\n", n);
    CHECK(n <= 3 || SAN_THREAD);                     /* one is this thread's; a watcher that looked 4 times a second would make 4 more */
    CHECK_EQ(leat_send(*c, 1), LEAT_OK);
    return NULL;
}
static leat_err idle_for_seconds(leat_none *none)
{
    pthread_t t;
    int v;
    (void)none;
    leat_auto leat_chan(int) c = leat_chan_make(int, 0);
    CHECK(pthread_create(&t, NULL, look_on, &c) == 0);
    leat_err e = leat_recv(c, &v);
    pthread_join(t, NULL);
    return e;
}

TEST(a_program_that_does_nothing_is_not_woken_by_being_watched)
{
    if (getenv("T_QUICK"))                           /* tools wake it themselves */
        return;
    CHECK_EQ(leat_run(&(leat_opts){ .workers = 2 }, idle_for_seconds, LEAT_NONE), LEAT_OK);
}

/* -- deadlock -------------------------------------------------------------------------------------------------------------- */
struct two { leat_chan(int) a, b; };
static leat_err wants_a(struct two *x) { int v; LEAT_TRY(leat_recv(x->a, &v)); return leat_send(x->b, v); }
static leat_err wants_b(struct two *x) { int v; LEAT_TRY(leat_recv(x->b, &v)); return leat_send(x->a, v); }

static leat_err each_waits_for_the_other(leat_none *none)
{
    leat_err err;
    (void)none;
    leat_auto leat_chan(int) a = leat_chan_make(int, 0);
    leat_auto leat_chan(int) b = leat_chan_make(int, 0);
    leat_with_group(g, err) {
        LEAT_TRY(leat_go(&g, wants_a, ((struct two){ a, b })));
        LEAT_TRY(leat_go(&g, wants_b, ((struct two){ a, b })));
    }
    CHECK_EQ(err, LEAT_CANCELED);
    CHECK_EQ(leat_ctx_cause(), LEAT_DEADLOCK);
    return err;
}

TEST(a_deadlock_is_reported_once_with_every_task_and_leat_run_says_so)
{
    if (!alone())
        return;
    for (uint32_t w = 1; w <= 2; w++) {
        logged_n = 0;
        CHECK_EQ(leat_run((&(leat_opts){ .workers = w, .log = keep }), each_waits_for_the_other, LEAT_NONE), LEAT_DEADLOCK);
        CHECK_HAS(leat_err_detail(), "asleep for ever");
        CHECK_EQ(times("deadlock: all tasks are asleep for ever"), 1);
        CHECK_EQ(times("deadlock"), 1);
        CHECK_EQ(times("task wants_a started at "), 1);
        CHECK_EQ(times("task wants_b started at "), 1);
        CHECK_EQ(times("task each_waits_for_the_other started at "), 1);
        CHECK_EQ(times(" it receives from channel 0x"), 2);
        CHECK_EQ(times(" it waits for the tasks of group 0x"), 1);
        CHECK(times(" wants_a+0x") == 1 && times(" wants_b+0x") == 1);
    }
}

/* -- what that costs: each of these idle stretches is longer than the watcher waits before it asks ---------------------------------- */
enum { CROWD = 300, STRETCHES = 3 };
static leat_err one_of_many(leat_rx(int) *in) { int v; return leat_recv(*in, &v) == LEAT_CLOSED ? LEAT_OK : LEAT_INVAL; }
static leat_err idle_stretches(leat_none *none)
{
    leat_err err;
    (void)none;
    leat_auto leat_chan(int) c = leat_chan_make(int, 0);
    leat_with_group(g, err) {
        for (int i = 0; i < CROWD; i++)
            LEAT_TRY(leat_go(&g, one_of_many, leat_rx_of(c)));
        for (int i = 0; i < STRETCHES; i++)
            LEAT_TRY(leat_sleep(LEAT_MS(700)));
        leat_close(c);
    }
    return err;
}

TEST(who_sleeps_vetoes_a_deadlock_before_any_task_is_asked)
{
    CHECK_EQ(leat_run((&(leat_opts){ .workers = 1, .log = keep }), idle_stretches, LEAT_NONE), LEAT_OK);
    CHECK_EQ(at_load(&watch_tasks_asked), 0);
    CHECK_EQ(times("deadlock"), 0);
}

TEST(to_ask_for_a_deadlock_takes_a_small_part_of_the_time)
{
    watch_ask_more_ns = INT64_C(3600000000000);
    CHECK_EQ(leat_run((&(leat_opts){ .workers = 1, .log = keep }), idle_stretches, LEAT_NONE), LEAT_OK);
    CHECK(at_load(&watch_asks) <= 1);
}

static leat_mutex m1, m2;
static leat_err lock_both(leat_mutex *first, leat_mutex *then, struct two *x)
{
    leat_err e = LEAT_OK;
    leat_with_lock(first, e) {
        int v;
        LEAT_TRY(leat_send(x->a, 1));
        LEAT_TRY(leat_recv(x->b, &v));               /* both hold one by now */
        leat_with_lock(then, e) { }
    }
    return e;
}
static leat_err in_order(struct two *x) { return lock_both(&m1, &m2, x); }
static leat_err in_another(struct two *x) { return lock_both(&m2, &m1, x); }
static leat_err lock_order(leat_none *none)
{
    leat_err err;
    int v;
    (void)none;
    leat_auto leat_chan(int) ready = leat_chan_make(int, 0);
    leat_auto leat_chan(int) go = leat_chan_make(int, 0);
    struct two x = { ready, go };
    leat_with_group(g, err) {
        LEAT_TRY(leat_go(&g, in_order, x));
        LEAT_TRY(leat_go(&g, in_another, x));
        for (int i = 0; i < 2; i++)
            LEAT_TRY(leat_recv(ready, &v));
        for (int i = 0; i < 2; i++)
            LEAT_TRY(leat_send(go, i));
    }
    return err;
}

TEST(mutexes_taken_in_two_orders_are_a_deadlock)
{
    if (!alone())
        return;
    CHECK_EQ(leat_run((&(leat_opts){ .workers = 2, .log = keep }), lock_order, LEAT_NONE), LEAT_DEADLOCK);
    CHECK_EQ(times(" it waits for mutex 0x"), 2);
}

/* -- vetoes ------------------------------------------------------------------------------------------------------------------ */
/* A thread asks until it hears `expect`, then sends; what else it hears on the way is that tasks still run. */
struct asker { leat_chan(int) c; const char *expect; struct rt *rt; pthread_t thread; };

static void *ask(void *arg)
{
    struct asker *a = arg;
    for (;;) {
        const char *veto = deadlock_veto(a->rt);
        CHECK(veto);
        if (strcmp(veto, a->expect) == 0)
            break;
        if (strcmp(veto, "a worker is awake") != 0 && strcmp(veto, "a task is ready") != 0)
            t_fail(__FILE__, __LINE__, "%s, where %s is expected", veto, a->expect);
        sched_yield();
    }
    CHECK_EQ(leat_send(a->c, 1), LEAT_OK);
    return NULL;
}

static void ask_begin(struct asker *a, const char *expect)
{
    a->c = leat_chan_make(int, 1);
    a->expect = expect;
    a->rt = rt_self();
    CHECK(a->c && pthread_create(&a->thread, NULL, ask, a) == 0);
}
static leat_err ask_end(struct asker *a)
{
    int v;
    leat_err e = leat_recv(a->c, &v);
    pthread_join(a->thread, NULL);
    leat_unref(a->c);
    return e;
}

static leat_err another_thread(leat_none *none)
{
    struct asker a;
    (void)none;
    ask_begin(&a, "another thread may call in");
    return ask_end(&a);
}
static leat_err sleeps(leat_none *none) { (void)none; return leat_sleep(LEAT_S(1000)); }
static leat_err waits_with_a_deadline(leat_none *none)
{
    (void)none;
    leat_auto leat_chan(int) c = leat_chan_make(int, 0);
    leat_with_deadline(LEAT_S(1000)) {
        int v;
        return leat_recv(c, &v);
    }
    return LEAT_OK;
}
static int pipe_fd[2];
static leat_err waits_for_a_descriptor(leat_none *none) { (void)none; return leat_fd_wait(pipe_fd[0], LEAT_READ); }
static leat_err read_it(leat_none *none) { char c; (void)none; return read(pipe_fd[0], &c, 1) == 1 ? LEAT_OK : LEAT_INVAL; }
static leat_err blocks_elsewhere(leat_none *none) { return leat_blocking(read_it, *none); }
static leat_err signals_come(leat_none *none)
{
    int v;
    (void)none;
    leat_auto leat_rx(int) c = leat_signals(&(int){ SIGUSR2 }, 1);
    return leat_recv(c, &v);
}

struct veto { leat_err (*fn)(leat_none *none); const char *expect; };
static leat_err vetoed(struct veto *v)
{
    struct asker a;
    leat_err err;
    CHECK(pipe(pipe_fd) == 0);
    ask_begin(&a, v->expect);
    leat_with_group(g, err) {
        LEAT_TRY(leat_go(&g, v->fn, LEAT_NONE));
        LEAT_TRY(ask_end(&a));
        leat_group_cancel(&g);
        CHECK(write(pipe_fd[1], "x", 1) == 1);
    }
    leat_ignore(err);
    return LEAT_OK;
}

#define VETO(name, fn_, why) TEST(name) { \
    CHECK_EQ(leat_run((&(leat_opts){ .workers = 2, .log = keep }), vetoed, ((struct veto){ fn_, why })), LEAT_OK); \
    CHECK_EQ(times("deadlock"), 0); }
VETO(a_timer_is_no_deadlock, sleeps, "a task waits for a time")
VETO(a_deadline_is_no_deadlock, waits_with_a_deadline, "a task waits for a time")
VETO(a_descriptor_is_no_deadlock, waits_for_a_descriptor, "a task waits for something outside")
VETO(a_blocking_call_is_no_deadlock, blocks_elsewhere, "a blocking call is under way")
VETO(signals_as_values_are_no_deadlock, signals_come, "a task waits for something outside")

TEST(another_thread_that_might_call_in_is_no_deadlock)
{
    CHECK_EQ(leat_run((&(leat_opts){ .workers = 2, .log = keep }), another_thread, LEAT_NONE), LEAT_OK);
    CHECK_EQ(times("deadlock"), 0);
}

static leat_chan(int) between;
static leat_err other_program(leat_none *none) { (void)none; return leat_send(between, 1); }
static void *other_runtime(void *arg)
{
    (void)arg;
    CHECK_EQ(leat_run((&(leat_opts){ .workers = 1, .log = keep }), other_program, LEAT_NONE), LEAT_OK);
    return NULL;
}
static leat_err beside_another_runtime(leat_none *none)
{
    struct asker a;
    pthread_t t;
    int v;
    (void)none;
    CHECK(pthread_create(&t, NULL, other_runtime, NULL) == 0);
    while (!rt_first()->next)
        leat_yield();
    ask_begin(&a, "there is another runtime");
    LEAT_TRY(ask_end(&a));
    LEAT_TRY(leat_recv(between, &v));
    pthread_join(t, NULL);
    return LEAT_OK;
}

TEST(another_runtime_is_no_deadlock)
{
    between = leat_chan_make(int, 0);
    CHECK_EQ(leat_run((&(leat_opts){ .workers = 1, .log = keep }), beside_another_runtime, LEAT_NONE), LEAT_OK);
    CHECK_EQ(times("deadlock"), 0);
    leat_unref(between);
}

T_MAIN()
