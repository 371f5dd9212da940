/* race_wait_test.c - what wait groups, pools, timers and sockets order, and what they do not. */
#include "race.h"

static leat_waitgroup wg;

static void add(int n)  { leat_waitgroup_add(&wg, n); }
static void ends(void)  { leat_waitgroup_done(&wg); }
static void await_all(void) { leat_ignore(leat_waitgroup_wait(&wg)); }

/* -- wait group ------------------------------------------------------------------------------------------------------------------ */
TASK(writes) { x = 1; ends(); }
NORACE(TestNoRaceWaitGroup)  { add(1); go(writes); await_all(); }
RACE(TestRaceWaitGroup)      { for (int i = 0; i < 2; i++) { add(1); go(writes); } await_all(); }
NORACE(TestNoRaceWaitGroup2) { add(1); go(writes); await_all(); x = 2; }
RACE(TestRaceWaitGroup2)     { add(2); go(writes); go(writes); await_all(); }

TASK(adds_as_if_it_locked) { await_all(); nap(); add(1); x = 1; add(-1); send(done); }
RACE(TestRaceWaitGroupAsMutex) { done = make(2); go(adds_as_if_it_locked); go(adds_as_if_it_locked); recv(done); recv(done); }

TASK(adds_late) { add(1); leat_yield(); x = 1; ends(); send(done); }
RACE(TestRaceWaitGroupWrongWait) { done = make(2); go(adds_late); go(adds_late); await_all(); recv(done); recv(done); }

TASK(waits) { await_all(); send(done); }
NORACE(TestNoRaceWaitGroupMultipleWait) { done = make(2); go(waits); go(waits); await_all(); recv(done); recv(done); }
TASK(ends_waits) { ends(); await_all(); send(done); }
NORACE(TestNoRaceWaitGroupMultipleWait2) { done = make(2); add(2); go(ends_waits); go(ends_waits); await_all(); recv(done); recv(done); }

enum { P = 3 };
struct index { int i; };
static leat_err writes_data(struct index *a) { data[a->i]++; ends(); return LEAT_OK; }
static void start_writers(void)
{
    add(P);
    for (int p = 0; p < P; p++)
        leat_ignore(leat_go(NULL, writes_data, (struct index){ p }));
}
TASK(waits_reads) { await_all(); for (int p = 0; p < P; p++) USE(data[p]); send(done); }
NORACE(TestNoRaceWaitGroupMultipleWait3)
{
    done = make(P);
    start_writers();
    for (int p = 0; p < P; p++)
        go(waits_reads);
    for (int p = 0; p < P; p++)
        recv(done);
}

TASK(writes_y_late) { nap(); y = 42; ends(); }
NORACE(TestNoRaceWaitGroupTransitive) { add(2); go(writes); go(writes_y_late); await_all(); USE(x); USE(y); }

static void change_all(void)
{
    for (int p = 0; p < P; p++)
        data[p]++;
}
NORACE(TestNoRaceWaitGroupReuse)
{
    for (int i = 0; i < 3; i++) {
        start_writers();
        await_all();
        change_all();
    }
}
TASK(waits_changes) { await_all(); change_all(); send(done); }
NORACE(TestNoRaceWaitGroupReuse2)
{
    done = make(0);
    for (int i = 0; i < 3; i++) {
        start_writers();
        go(waits_changes);
        await_all();
        recv(done);
        change_all();
    }
}
RACE(TestRaceWaitGroupReuse)
{
    done = make(3);
    for (int i = 0; i < 3; i++) {
        start_writers();
        go(waits_changes);                           /* the writers of the next turn do not wait for this */
        await_all();
    }
    for (int i = 0; i < 3; i++)
        recv(done);
}
TASK(adds_says_ends) { add(1); send(done); ends(); }
NORACE(TestNoRaceWaitGroupConcurrentAdd)
{
    done = make(4);
    for (int p = 0; p < 4; p++)
        go(adds_says_ends);
    for (int p = 0; p < 4; p++)
        recv(done);
    await_all();
}

/* -- a pool: a channel of what is free ------------------------------------------------------------------------------------------- */
struct piece { char *p; };
leat_chan(struct piece) pool;
static struct piece pool_get(void)
{
    struct piece b;
    if (leat_try_recv(pool, &b) != LEAT_OK)
        b.p = calloc(10, 1);
    return b;
}
static void pool_put(struct piece b) { leat_ignore(leat_try_send(pool, b)); }
TASK(uses_piece) { struct piece b = pool_get(); b.p[0] = 2; send(done); }
TASK(uses_piece_gives_back) { struct piece b = pool_get(); b.p[0] = 2; pool_put(b); }

RACE(TestRacePool)
{
    pool = leat_chan_make(struct piece, 4);
    done = make(0);
    struct piece b = pool_get();
    b.p[0] = 1;
    pool_put(b);
    go(uses_piece);
    b.p[0] = 3;
    recv(done);
}
NORACE(TestNoRacePool)
{
    pool = leat_chan_make(struct piece, 4);
    struct piece b = pool_get();
    b.p[0] = 1;
    pool_put(b);
    go(uses_piece_gives_back);
    nap();
    b = pool_get();
    b.p[0] = 3;
}

/* -- timers ------------------------------------------------------------------------------------------------------------------------- */
static leat_timer *timer;
TASK(writes_sends) { v = 1; send(c); }
TASK(waits_for_tick)
{
    leat_time at;
    leat_ignore(leat_recv(leat_timer_rx(timer), &at));
    v = 1;
    send(c);
}
NORACE(TestNoRaceAfterFunc)
{
    c = make(0);
    v = 2;
    leat_ignore(leat_timer_func(&timer, NULL, LEAT_NS(1), writes_sends, LEAT_NONE));
    recv(c);
    v = 3;
}
NORACE(TestNoRaceAfterFuncReset)
{
    c = make(0);
    leat_ignore(leat_timer_func(&timer, NULL, LEAT_S(3600), writes_sends, LEAT_NONE));
    leat_timer_stop(timer);
    v = 2;
    leat_ignore(leat_timer_reset(timer, LEAT_NS(1), NULL));
    recv(c);
    v = 3;
}

static void ticks(bool ticker, bool reset)
{
    leat_dur d = reset ? LEAT_S(3600) : LEAT_NS(1);
    c = make(0);
    if (!reset)
        v = 2;
    leat_ignore(ticker ? leat_ticker_open(d, &timer) : leat_timer_open(d, &timer));
    go(waits_for_tick);
    if (reset) {
        leat_timer_stop(timer);
        v = 2;
        leat_ignore(leat_timer_reset(timer, LEAT_NS(1), NULL));
    }
    recv(c);
    v = 3;
}
NORACE(TestNoRaceTimer)       { ticks(false, false); }
NORACE(TestNoRaceTimerReset)  { ticks(false, true); }
NORACE(TestNoRaceTicker)      { ticks(true, false); }
NORACE(TestNoRaceTickerReset) { ticks(true, true); }

/* -- sockets -------------------------------------------------------------------------------------------------------------------------- */
static leat_listener *listener;
static char url[64];
TASK(serves)
{
    leat_conn *conn;
    char got;
    size_t n;
    for (int i = 0; i < 2 && leat_accept(listener, &conn) == LEAT_OK; i++) {
        leat_ignore(leat_read(conn, &got, 1, &n));
        x++;
        leat_ignore(leat_write(conn, "a", 1));
        leat_conn_close(conn);
    }
}
static void ask(void)
{
    leat_conn *conn;
    char got;
    size_t n;
    CHECK_EQ(leat_dial(url, &conn), LEAT_OK);
    CHECK_EQ(leat_write(conn, "q", 1), LEAT_OK);
    CHECK_EQ(leat_read(conn, &got, 1, &n), LEAT_OK);
    leat_conn_close(conn);
}
NORACE(TestNoRaceIOHttp)
{
    snprintf(url, sizeof url, "unix:/tmp/leat_race.%d", (int)getpid());
    CHECK_EQ(leat_listen(url, &listener), LEAT_OK);
    go(serves);
    x++;
    ask();
    x++;
    ask();
    x++;
    leat_listener_close(listener);
}

RACE_MAIN()
