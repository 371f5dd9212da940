/* endure_test.c - what lasts and what runs out: numbers of descriptors used again and again, limits of the system, forks and execs. */
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/resource.h>
#include "leat.h"
#undef errno
#include "plat/san.h"
#include "t.h"

static bool quick(void) { return getenv("T_QUICK") != NULL; }
static const leat_opts two = { .workers = 2 };

/* -- descriptors -------------------------------------------------------------------------------------------------------------- */
struct pipes { int rounds; };
static leat_err waits_for_silence(int *fd)
{
    leat_err e;
    leat_with_deadline(LEAT_US(1))
        e = leat_fd_wait(*fd, LEAT_READ);
    return e;
}
/* One number, always: made, waited for, written to, closed, and the next one is silent again. */
static leat_err cycles(struct pipes *p)
{
    for (int i = 0; i < p->rounds; i++) {
        int fd[2];
        char b;
        CHECK(pipe(fd) == 0);
        CHECK_EQ(waits_for_silence(&fd[0]), LEAT_DEADLINE);          /* what its predecessor had does not show here */
        CHECK_EQ(write(fd[1], "x", 1), 1);
        LEAT_TRY(leat_fd_wait(fd[0], LEAT_READ));
        if (i % 2)
            CHECK_EQ(read(fd[0], &b, 1), 1);                         /* else it is closed with a byte in it */
        close(fd[0]);
        close(fd[1]);
    }
    return LEAT_OK;
}
/* ENDURE=1000000 in the environment: so many (make endure). */
TEST(a_number_that_is_closed_and_used_again_is_silent)
{
    const char *n = getenv("ENDURE");
    CHECK_EQ(leat_run(&two, cycles, ((struct pipes){ n ? atoi(n) : quick() ? 100 : 2000 })), LEAT_OK);
}

struct reader { int fd; _Atomic int *woken; };
static leat_err waits(struct reader *r)
{
    LEAT_TRY(leat_fd_wait(r->fd, LEAT_READ));
    atomic_fetch_add(r->woken, 1);
    return LEAT_OK;
}
static leat_err many_readers(leat_none *none)
{
    int fd[2];
    _Atomic int woken = 0;
    leat_err err;
    (void)none;
    CHECK(pipe(fd) == 0);
    leat_with_group(g, err) {
        for (int i = 0; i < 5; i++)
            LEAT_TRY(leat_go(&g, waits, (struct reader){ fd[0], &woken }));
        LEAT_TRY(leat_sleep(LEAT_US(100)));
        CHECK_EQ(write(fd[1], "x", 1), 1);           /* one byte: all of them hear of it, whoever reads it */
    }
    CHECK_EQ(woken, 5);
    close(fd[0]);
    close(fd[1]);
    return err;
}
TEST(every_task_that_waits_for_one_descriptor_is_woken) { CHECK_EQ(leat_run(&two, many_readers, LEAT_NONE), LEAT_OK); }

/* -- limits of the system --------------------------------------------------------------------------------------------------------- */
static char url[64];
static leat_err no_descriptors(leat_none *none)
{
    enum { MOST = 64 };
    leat_conn *c[MOST] = { NULL };
    leat_listener *l = NULL;
    struct rlimit was, few;
    leat_err e = LEAT_OK;
    int n = 0;
    (void)none;
    snprintf(url, sizeof url, "unix:/tmp/leat_endure_test.%d", (int)getpid());
    LEAT_TRY(leat_listen(url, &l));
    LEAT_TRY(leat_dial(url, &c[n++]));               /* what the runtime itself needs is there now */
    CHECK(getrlimit(RLIMIT_NOFILE, &was) == 0);
    few = (struct rlimit){ (rlim_t)leat_conn_fd(c[0]) + 8, was.rlim_max };
    CHECK(setrlimit(RLIMIT_NOFILE, &few) == 0);
    while (n < MOST && e == LEAT_OK)
        e = leat_dial(url, &c[n++]);
    CHECK(e == LEAT_SYS || e == LEAT_LIMIT);
    CHECK(setrlimit(RLIMIT_NOFILE, &was) == 0);
    for (int i = 0; i < n; i++)
        leat_conn_close(c[i]);
    LEAT_TRY(leat_dial(url, &c[0]));                 /* and on it goes */
    leat_conn_close(c[0]);
    leat_listener_close(l);
    return LEAT_OK;
}
TEST(out_of_descriptors_is_an_error_and_passes) { CHECK_EQ(leat_run(&two, no_descriptors, LEAT_NONE), LEAT_OK); }

static leat_err parks(leat_rx(int) *gate)
{
    int v;
    leat_err e = leat_recv(*gate, &v);
    return e == LEAT_CLOSED ? LEAT_OK : e;
}
static leat_err no_memory(leat_none *none)
{
    leat_auto leat_chan(int) gate = leat_chan_make(int, 0);
    struct rlimit was, few;
    leat_err err;
    (void)none;
    CHECK(getrlimit(RLIMIT_AS, &was) == 0);
    few = (struct rlimit){ (rlim_t)256 << 20, was.rlim_max };
    CHECK(setrlimit(RLIMIT_AS, &few) == 0);
    leat_with_group(g, err)
        for (int i = 0; i < 8000 && err == LEAT_OK; i++)             /* half a gigabyte of stacks, if they could be had */
            err = leat_go(&g, parks, leat_rx_of(gate));
    CHECK(setrlimit(RLIMIT_AS, &was) == 0);
    CHECK_EQ(err, LEAT_NOMEM);
    leat_with_group(g, err) {
        LEAT_TRY(leat_go(&g, parks, leat_rx_of(gate)));
        leat_close(leat_tx_of(gate));
    }
    return err;
}
TEST(out_of_memory_for_stacks_is_an_error_of_the_group)
{
    if (SAN_ADDRESS || SAN_THREAD || san_on_valgrind())
        return;                                      /* they take address space of their own, without bound */
    CHECK_EQ(leat_run(&two, no_memory, LEAT_NONE), LEAT_OK);
}

static _Atomic int inside, most;
static leat_err blocks(leat_none *none)
{
    (void)none;
    int n = atomic_fetch_add(&inside, 1) + 1;
    for (int m = atomic_load(&most); n > m && !atomic_compare_exchange_weak(&most, &m, n); )
        ;
    usleep(500);
    atomic_fetch_sub(&inside, 1);
    return LEAT_OK;
}
static leat_err calls(leat_none *none) { return leat_blocking(blocks, *none); }
static leat_err many_calls(leat_none *none)
{
    leat_err err;
    (void)none;
    leat_with_group(g, err)
        for (int i = 0; i < 300; i++)
            LEAT_TRY(leat_go(&g, calls, LEAT_NONE));
    return err;
}
TEST(more_blocking_calls_than_threads_wait_for_their_turn)
{
    CHECK_EQ(leat_run(&two, many_calls, LEAT_NONE), LEAT_OK);
    CHECK(most > 1 && most <= 64);
    CHECK_EQ(inside, 0);
}

/* -- forks and execs ---------------------------------------------------------------------------------------------------------------- */
static leat_err nothing(leat_none *none) { (void)none; return LEAT_OK; }
static int child(leat_chan(int) c)
{
    int v;
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_UNBLOCK, &all, NULL);        /* a worker blocks all: the alarm would wait for ever */
    alarm(20);
    if (leat_recv(c, &v) != LEAT_INVAL || !strstr(leat_err_detail(), "exec"))
        return 1;
    if (leat_sleep(LEAT_US(1)) != LEAT_INVAL)
        return 2;
    if (leat_run(NULL, nothing, LEAT_NONE) != LEAT_INVAL || !strstr(leat_err_detail(), "exec"))
        return 3;
    return 0;
}
static leat_err forks(leat_none *none)
{
    leat_auto leat_chan(int) c = leat_chan_make(int, 0);
    (void)none;
    int status = -1;
    pid_t pid = fork();
    if (pid == 0)
        _exit(SAN_ADDRESS ? 0 : child(c));           /* AddressSanitizer's malloc may be locked for ever in a child of several threads */
    CHECK(waitpid(pid, &status, 0) == pid);
    CHECK_EQ(status, 0);
    return leat_sleep(LEAT_US(10));                  /* here all is as it was */
}
TEST(the_child_of_a_fork_is_told_that_the_tasks_are_not_there)
{
    CHECK_EQ(leat_run(&two, forks, LEAT_NONE), LEAT_OK);
    pid_t pid = fork();                              /* no runtime runs any more: the child may have its own */
    if (pid == 0)
        _exit(leat_run(&two, nothing, LEAT_NONE) != LEAT_OK);
    int status = -1;
    CHECK(waitpid(pid, &status, 0) == pid);
    CHECK_EQ(status, 0);
}

static bool was_open[256];
static leat_err opens_much(leat_none *none)
{
    leat_listener *l = NULL;
    leat_conn *a = NULL, *b = NULL;
    leat_guest *g = NULL;
    int sig = SIGUSR1, n = 0;
    (void)none;
    (void)g;
    snprintf(url, sizeof url, "unix:/tmp/leat_endure_test.%d", (int)getpid());
    LEAT_TRY(leat_listen(url, &l));
    LEAT_TRY(leat_dial(url, &a));
    LEAT_TRY(leat_accept(l, &b));
    leat_rx(int) s = leat_signals(&sig, 1);
    CHECK(s != NULL);
    LEAT_TRY(leat_sleep(LEAT_US(10)));
    for (int fd = 0; fd < 256; fd++) {
        int flags = fcntl(fd, F_GETFD);
        if (flags < 0 || was_open[fd])
            continue;
        n++;
        if (!(flags & FD_CLOEXEC))
            t_fail(__FILE__, __LINE__, "descriptor %d would be there after an exec", fd);
    }
    CHECK(n >= 5);                                   /* the poll, its bell, three sockets, the signals' pipe */
    leat_unref(s);
    leat_conn_close(a);
    leat_conn_close(b);
    leat_listener_close(l);
    return LEAT_OK;
}
TEST(no_descriptor_of_leat_passes_an_exec)
{
    leat_guest *g;
    for (int fd = 0; fd < 256; fd++)
        was_open[fd] = fcntl(fd, F_GETFD) >= 0;
    CHECK_EQ(leat_run(&two, opens_much, LEAT_NONE), LEAT_OK);
    CHECK_EQ(leat_guest_start(&g, NULL, nothing, LEAT_NONE), LEAT_OK);
    for (int fd = 0; fd < 256; fd++)
        CHECK(was_open[fd] || fcntl(fd, F_GETFD) < 0 || (fcntl(fd, F_GETFD) & FD_CLOEXEC));
    CHECK_EQ(leat_guest_end(g), LEAT_OK);
    for (int fd = 0; fd < 256; fd++)
        CHECK(was_open[fd] || fcntl(fd, F_GETFD) < 0);               /* and none is left */
}

T_MAIN()
