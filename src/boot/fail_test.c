/* fail_test.c - every request to the system refused in turn, within one process: channels, tasks, contexts, timers, streams, ... */
#include "fail.h"
#include <signal.h>

/* -- channels and select ------------------------------------------------------------------------------------------------------- */
struct pipe_ends { leat_chan(int) c; int n; };
static leat_err feed(struct pipe_ends *p)
{
    leat_err e = LEAT_OK;
    for (int i = 0; i < p->n && e == LEAT_OK; i++)
        e = leat_send(p->c, i);
    leat_close(leat_tx_of(p->c));                    /* also when it failed: who receives must not wait for ever */
    return e;
}
static leat_err channels_(leat_none *none)
{
    (void)none;
    leat_err err;
    for (size_t cap = 0; cap < 20; cap += 10) {
        leat_auto leat_chan(int) c = leat_chan_make(int, cap);
        leat_auto leat_chan(char[5000]) big = leat_chan_make(char[5000], cap);
        int n = 0;
        if (!c || !big)
            return LEAT_NOMEM;
        leat_with_group(g, err) {
            LEAT_TRY(leat_go(&g, feed, (struct pipe_ends){ c, 50 }));
            leat_each(v, c, err)
                CHECK_EQ(v, n++);
        }
        LEAT_TRY(err);
        CHECK_EQ(n, 50);
    }
    return LEAT_OK;
}
SWEEP(channels)

static leat_err selects_(leat_none *none)
{
    (void)none;
    enum { N = 40 };
    leat_rx(int) ends[N];
    leat_chan(int) c[N] = { NULL };
    leat_err err = LEAT_OK;
    size_t which = 0;
    int v = 0, fd[2];
    CHECK(pipe(fd) == 0);
    for (int i = 0; i < N && err == LEAT_OK; i++) {
        c[i] = leat_chan_make(int, 1);
        err = c[i] ? LEAT_OK : LEAT_NOMEM;
        ends[i] = c[i] ? leat_rx_of(c[i]) : NULL;
    }
    if (err == LEAT_OK)
        leat_select(err) { leat_on_recv_any(ends, N, &v, &which) { v = -1; } leat_on_after(LEAT_US(10)) { } }
    if (err == LEAT_OK)
        err = leat_send(c[7], 5);
    if (err == LEAT_OK)
        leat_select(err) { leat_on_recv_any(ends, N, &v, &which) { CHECK_EQ(which, 7); } leat_on_fd(fd[0], LEAT_READ) { v = -1; } }
    if (err == LEAT_OK)
        leat_select(err) { leat_on_fd(fd[0], LEAT_READ) { v = -1; } leat_on_fd(fd[1], LEAT_WRITE) { } }
    for (int i = 0; i < N; i++)
        leat_unref(c[i]);
    close(fd[0]);
    close(fd[1]);
    CHECK(err != LEAT_OK || v == 5);
    return err;
}
SWEEP(selects)

/* -- tasks, groups, contexts ----------------------------------------------------------------------------------------------------- */
struct wide { char bytes[500]; leat_rx(int) gate; _Atomic int *ran; };
static leat_err waits(struct wide *w)
{
    int v;
    atomic_fetch_add(w->ran, 1);
    leat_err e = leat_recv(w->gate, &v);
    return e == LEAT_CLOSED ? LEAT_OK : e;
}
static leat_err fails(leat_none *none) { (void)none; return leat_fail(LEAT_CANCELED, "with a detail"); }
static leat_err tasks_(leat_none *none)
{
    (void)none;
    _Atomic int ran = 0;
    leat_err err;
    leat_auto leat_chan(int) gate = leat_chan_make(int, 0);
    if (!gate)
        return LEAT_NOMEM;
    leat_with_group(g, err) {
        for (int i = 0; i < 600; i++)                /* enough for batches of records and stacks to change hands */
            LEAT_TRY(leat_go(&g, waits, (struct wide){ .gate = leat_rx_of(gate), .ran = &ran }));
        leat_close(leat_tx_of(gate));
    }
    LEAT_TRY(err);
    CHECK_EQ(ran, 600);
    leat_with_group(g, err)
        err = leat_go(&g, fails, LEAT_NONE);
    CHECK(err == LEAT_CANCELED || err == LEAT_NOMEM);
    leat_with_race(r, err)
        err = leat_go(&r, fails, LEAT_NONE);
    CHECK(err == LEAT_CANCELED || err == LEAT_NOMEM);
    return LEAT_OK;
}
SWEEP(tasks)

static leat_err contexts_(leat_none *none)
{
    static const int key;
    int there = 3;
    leat_err err = LEAT_OK;
    (void)none;
    leat_with_cancel(a) leat_with_value(&key, &there) leat_with_deadline(LEAT_S(100)) {
        err = leat_sleep(LEAT_US(1));                /* without memory for a context: CANCELED, with the cause NOMEM */
        CHECK(err == LEAT_OK || (err == LEAT_CANCELED && leat_ctx_cause() == LEAT_NOMEM));
        if (err == LEAT_OK)
            CHECK(leat_value(&key) == &there);
        leat_with_shield(LEAT_S(100))
            CHECK_EQ(leat_sleep(LEAT_US(1)), LEAT_OK);
        leat_cancel(a, LEAT_GONE);
        CHECK_EQ(leat_sleep(LEAT_US(1)), LEAT_CANCELED);
    }
    CHECK_EQ(leat_ctx_err(), LEAT_OK);
    return err;
}
SWEEP(contexts)

static leat_err timers_(leat_none *none)
{
    (void)none;
    leat_time t;
    leat_auto leat_rx(leat_time) tick = leat_ticker(LEAT_US(50));
    if (!tick)
        return LEAT_NOMEM;
    LEAT_TRY(leat_recv(tick, &t));
    LEAT_TRY(leat_recv(tick, &t));
    leat_with_deadline(LEAT_US(10))
        CHECK_EQ(leat_sleep(LEAT_S(100)), LEAT_DEADLINE);
    return leat_sleep(LEAT_US(10));
}
SWEEP(timers)

static leat_mutex m;
static leat_once o;
static leat_err once(void) { return leat_sleep(LEAT_US(1)); }
static leat_err locks(int *n)
{
    leat_err err;
    leat_with_lock(&m, err) {
        LEAT_TRY(leat_sleep(LEAT_US(1)));
        ++*n;
    }
    LEAT_TRY(err);
    return leat_do_once(&o, once);
}
static leat_err locks_p(int **n) { return locks(*n); }
static leat_err sharing_(leat_none *none)
{
    (void)none;
    leat_err err;
    int n = 0;
    m = (leat_mutex){ { NULL } };
    o = (leat_once){ { NULL } };
    leat_with_group(g, err)
        for (int i = 0; i < 10; i++)
            LEAT_TRY(leat_go(&g, locks_p, &n));
    LEAT_TRY(err);
    CHECK_EQ(n, 10);
    return err;
}
SWEEP(sharing)

/* -- the outside world ------------------------------------------------------------------------------------------------------------ */
static const char *at;
static leat_err dials(leat_none *none)
{
    (void)none;
    leat_conn *c = NULL;
    char b[10];
    size_t n = 0;
    LEAT_TRY(leat_dial(at, &c));
    leat_err e = leat_write(c, "hello", 5);
    if (e == LEAT_OK)
        e = leat_read(c, b, sizeof b, &n);
    leat_conn_close(c);
    return e;
}
static leat_err serves(leat_listener *l)
{
    leat_conn *c = NULL;
    char b[10];
    size_t n = 0;
    leat_err e;
    while ((e = leat_accept(l, &c)) != LEAT_OK)      /* out of descriptors for a moment: the dialer still waits to be accepted */
        if (leat_ctx_err() != LEAT_OK)
            return e;
    e = leat_read(c, b, sizeof b, &n);
    if (e == LEAT_OK)
        e = leat_write(c, b, n);
    leat_conn_close(c);
    return e;
}
static leat_err streams(const char *url)
{
    leat_listener *l = NULL;
    leat_err err;
    LEAT_TRY(leat_listen(url, &l));
    leat_addr where = leat_listener_addr(l);
    at = where.url;
    leat_with_group(g, err) {
        err = leat_go(&g, dials, LEAT_NONE);
        if (err == LEAT_OK)
            err = serves(l);
    }
    leat_listener_close(l);
    return err;
}
static leat_err streams_unix_(leat_none *none)
{
    char url[64];
    (void)none;
    snprintf(url, sizeof url, "unix:/tmp/leat_fail_test.%d", (int)getpid());
    return streams(url);
}
SWEEP(streams_unix)
static leat_err streams_tcp_(leat_none *none) { (void)none; return streams("tcp://127.0.0.1:0"); }
SWEEP(streams_tcp)

/* A name is looked up on a thread of the pool.  Nobody listens at port 1. */
static leat_err lookups_(leat_none *none)
{
    (void)none;
    leat_conn *c = NULL;
    leat_err e = leat_dial("tcp://localhost:1", &c);
    CHECK(e != LEAT_OK);
    return e == LEAT_REFUSED ? LEAT_OK : e;
}
SWEEP(lookups)

static leat_err spins_off(leat_none *none) { (void)none; usleep(100); return LEAT_OK; }
static leat_err hangs(leat_none *none)
{
    (void)none;
    return usleep(50000000) == 0 ? LEAT_OK : leat_fail(LEAT_CANCELED, "interrupted");
}
static leat_err calls(leat_none *none) { return leat_blocking(spins_off, *none); }
static leat_err blocking_(leat_none *none)
{
    leat_err err;
    leat_with_group(g, err)
        for (int i = 0; i < 8; i++)
            LEAT_TRY(leat_go(&g, calls, LEAT_NONE));
    LEAT_TRY(err);
    leat_with_deadline(LEAT_US(200)) {
        err = leat_blocking(hangs, *none);
        CHECK(err != LEAT_OK);
    }
    return err == LEAT_DEADLINE ? LEAT_OK : err;
}
SWEEP(blocking)

static leat_err signals_(leat_none *none)
{
    (void)none;
    int sig[] = { SIGUSR1, SIGUSR2 }, got = 0;
    leat_auto leat_rx(int) a = leat_signals(sig, 2);
    leat_auto leat_rx(int) b = leat_signals(sig, 1);
    if (!a || !b)
        return LEAT_NOMEM;
    kill(getpid(), SIGUSR1);
    LEAT_TRY(leat_recv(a, &got));
    CHECK_EQ(got, SIGUSR1);
    return leat_recv(b, &got);
}
TEST(signals)
{
    signal(SIGUSR1, SIG_IGN);                        /* ThreadSanitizer may deliver one late, when nobody receives it any more */
    sweep(signals_);
}

/* -- threads that are no tasks, guests --------------------------------------------------------------------------------------------- */
static leat_chan(int) outside;
static void *thread(void *arg)
{
    for (int i = 0; i < 5; i++)
        if (leat_send(outside, i) != LEAT_OK)
            *(bool *)arg = true;
    leat_close(leat_tx_of(outside));
    return NULL;
}
static leat_err foreign_(leat_none *none)
{
    (void)none;
    leat_auto leat_chan(int) c = outside = leat_chan_make(int, 0);
    pthread_t t;
    bool bad = false;
    leat_err err;
    int n = 0;
    if (!c)
        return LEAT_NOMEM;
    if (pthread_create(&t, NULL, thread, &bad) != 0)
        return LEAT_NOMEM;
    leat_each(v, c, err)
        CHECK(v == n++ || bad);
    pthread_join(t, NULL);
    return err;
}
SWEEP(foreign)

static leat_err run_guest(leat_err (*fn)(leat_none *))
{
    leat_guest *g = NULL;
    LEAT_TRY(leat_guest_start(&g, &two, fn, LEAT_NONE));
    for (leat_err e = LEAT_OK; e == LEAT_OK; ) {
        struct epoll_event ev = { .events = EPOLLIN };
        int p = __real_epoll_create1(0);
        CHECK(p >= 0 && __real_epoll_ctl(p, EPOLL_CTL_ADD, leat_guest_fd(g), &ev) == 0);
        CHECK_EQ(epoll_wait(p, &ev, 1, -1), 1);
        close(p);
        e = leat_guest_step(g, LEAT_MS(1));
    }
    return leat_guest_end(g);
}
TEST(guests)
{
    how = run_guest;
    sweep(channels_);
    sweep(blocking_);
    sweep(streams_unix_);
}

/* -- nothing can be had any more ------------------------------------------------------------------------------------------------------ */
TEST(when_everything_is_refused_from_some_point_on_the_program_ends_with_an_error)
{
    static leat_err (*const programs[])(leat_none *) = { channels_, selects_, tasks_, contexts_, timers_, blocking_ };
    for (size_t i = 0; i < sizeof programs / sizeof *programs; i++)
        for (long n = 1; n < (getenv("T_QUICK") ? 10 : 20); n++) {
            alarm(60);
            atomic_store(&asked, 0);
            atomic_store(&refuse_at, n);
            atomic_store(&refuse_to, LONG_MAX);
            leat_err e = run_program(programs[i]);
            atomic_store(&refuse_at, LONG_MAX);
            if (!honest(e))
                t_fail(__FILE__, __LINE__, "program %zu from request %ld on: %s: %s", i, n, leat_err_name(e), leat_err_detail());
        }
}

T_MAIN()
