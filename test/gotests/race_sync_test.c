/* race_sync_test.c - what locks and conditions order, and what they do not. */
#include "race.h"

static leat_mutex mu, mu2;
static leat_rwlock rw;
static leat_cond cond;

static void lock(leat_mutex *m) { leat_ignore(leat_lock(m)); }
static void open_done(void) { done = make(4); }
static void recv_done(int n) { while (n--) recv(done); }

/* -- mutex ------------------------------------------------------------------------------------------------------------------------ */
TASK(writes_locked)   { lock(&mu); x = 1; leat_unlock(&mu); send(done); }
TASK(writes_locked_2) { lock(&mu2); x = 2; leat_unlock(&mu2); send(done); }
TASK(writes_first)    { x = 1; lock(&mu); send(done); leat_unlock(&mu); }
NORACE(TestNoRaceMutex) { open_done(); go(writes_locked); go(writes_locked); recv_done(2); }
RACE(TestRaceMutex)     { open_done(); go(writes_first); go(writes_first); recv_done(2); }
RACE(TestRaceMutex2)    { open_done(); go(writes_locked); go(writes_locked_2); recv_done(2); }

TASK(writes_then_says) { x = 1; lock(&mu); y = 1; leat_unlock(&mu); send(done); }
TASK(writes_when_said)
{
    lock(&mu);
    while (!y) {
        leat_unlock(&mu);
        leat_ignore(leat_sleep(LEAT_US(100)));
        lock(&mu);
    }
    leat_unlock(&mu);
    x = 1;
    send(done);
}
NORACE(TestNoRaceMutexPureHappensBefore) { open_done(); go(writes_then_says); go(writes_when_said); recv_done(2); }

TASK(overwrites) { mu = (leat_mutex){ { NULL } }; send(done); }
RACE(TestRaceMutexOverwrite) { open_done(); go(overwrites); lock(&mu); recv_done(1); }

/* A lock that is none of the program's own: no mutex is there, and none is touched. */
NORACE(TestNoRaceNilMutexCrash)
{
    leat_chan(int) none = NULL;
    CHECK_EQ(leat_send(none, 1), LEAT_INVAL);
    lock(&mu);
    x++;
    leat_unlock(&mu);
}

/* -- read-write lock ----------------------------------------------------------------------------------------------------------- */
TASK(writes_wlocked) { leat_ignore(leat_wlock(&rw)); x = 2; leat_wunlock(&rw); send(done); }
TASK(reads_rlocked)  { leat_ignore(leat_rlock(&rw)); USE(x); leat_runlock(&rw); send(done); }
TASK(writes_y)       { leat_ignore(leat_rlock(&rw)); y = x + 1; leat_runlock(&rw); send(done); }
TASK(reads_late)     { nap(); reads_rlocked(NULL); }
RACE(TestRaceMutexRWMutex) { open_done(); go(writes_locked); go(writes_wlocked); recv_done(2); }
NORACE(TestNoRaceRWMutex)  { open_done(); go(writes_wlocked); go(writes_y); recv_done(2); }
RACE(TestRaceRWMutexMultipleReaders)
{
    open_done();
    go(writes_wlocked);
    for (int i = 0; i < 3; i++)                      /* two of them are on one side of the writer */
        go(writes_y);
    recv_done(4);
}
NORACE(TestNoRaceRWMutexMultipleReaders)
{
    open_done();
    go(writes_wlocked);
    for (int i = 0; i < 3; i++)
        go(reads_rlocked);
    recv_done(4);
}
NORACE(TestNoRaceRWMutexTransitive)
{
    open_done();
    go(reads_rlocked);
    go(reads_late);
    nap();
    nap();
    leat_ignore(leat_wlock(&rw));
    x = 42;
    leat_wunlock(&rw);
    recv_done(2);
}

/* -- condition ------------------------------------------------------------------------------------------------------------------ */
static void signal_y(void)
{
    lock(&mu);
    y = 1;
    leat_cond_signal(&cond);
    leat_unlock(&mu);
}
static void wait_for_y(void)
{
    lock(&mu);
    while (!y)
        leat_ignore(leat_cond_wait(&cond, &mu));
    leat_unlock(&mu);
}
TASK(writes_signals) { x = 1; signal_y(); }
NORACE(TestNoRaceCond) { go(writes_signals); wait_for_y(); x = 2; }
TASK(writes_signals_writes) { nap(); x = 1; signal_y(); nap(); lock(&mu); x = 3; leat_unlock(&mu); send(done); }
RACE(TestRaceCond) { open_done(); go(writes_signals_writes); wait_for_y(); x = 2; recv_done(1); }

/* -- who started whom ------------------------------------------------------------------------------------------------------------- */
TASK(writes)        { x = 1; send(done); }
TASK(starts_two)    { for (int i = 0; i < 2; i++) { go(writes); send(done); } }
TASK(starts_more)   { x = 1; go(starts_two); go(writes); x = 2; send(done); }
TASK(starts_all)    { x = 1; x = 2; go(starts_more); send(done); }
RACE(TestRaceAnnounceThreads) { done = make(7); go(starts_all); recv_done(7); }

TASK(f2) { go(writes); }
TASK(f3) { go(f2); }
TASK(f4) { go(f3); }
RACE(TestRaceGoroutineCreationStack) { done = make(1); go(f4); x = 2; recv_done(1); }

/* -- calls at a time ---------------------------------------------------------------------------------------------------------------- */
static leat_timer *timers[4];
static int n_timers;
static void after(leat_dur d, leat_err (*f)(leat_none *)) { leat_ignore(leat_timer_func(&timers[n_timers++], NULL, d, f, LEAT_NONE)); }

TASK(counts_down)
{
    if (--v >= 0)
        after(LEAT_NS(0), counts_down);
    else
        send(c);
}
NORACE(TestNoRaceAfterFunc1) { v = 2; c = make(0); after(LEAT_NS(0), counts_down); recv(c); }
TASK(writes_alone) { x = 1; }
NORACE(TestNoRaceAfterFunc2) { USE(x); after(LEAT_NS(10), writes_alone); leat_timer_stop(timers[0]); }
NORACE(TestNoRaceAfterFunc3) { open_done(); x = 0; after(LEAT_MS(1), writes); recv_done(1); USE(x); }
RACE(TestRaceAfterFunc3)     { open_done(); after(LEAT_MS(1), writes); after(LEAT_MS(2), writes); recv_done(2); }

RACE_MAIN()
