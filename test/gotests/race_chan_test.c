/* race_chan_test.c - what a channel orders, and what it does not: each fragment with its verdict. */
#include "race.h"

TASK(writes_sends)        { v = 1; send(c); }
TASK(sends_writes)        { send(c); v = 2; }
TASK(writes_closes)       { v = 1; leat_close(c); }
TASK(writes_receives)     { v = 1; recv(c); }
TASK(sends_x)             { send(c2); }
TASK(receives_c1)         { recv(c1); }
TASK(closes_then_tells)   { leat_close(c); send(done); }
TASK(closes_late)         { nap(); leat_close(c); send(done); }

NORACE(TestNoRaceChanSync)    { c = make(0); go(writes_sends); recv(c); v = 2; }
NORACE(TestNoRaceChanSyncRev) { c = make(0); go(sends_writes); v = 1; recv(c); }
NORACE(TestNoRaceChanAsync)   { c = make(10); go(writes_sends); recv(c); v = 2; }
RACE(TestRaceChanAsyncRev)    { c = make(10); go(sends_writes); v = 1; recv(c); }

/* -- close --------------------------------------------------------------------------------------------------------------------- */
/* A receive that says CLOSED: by the receive itself, by a select, by a loop. */
static void close_recv(size_t cap, int how)
{
    int got;
    leat_err err = LEAT_OK;
    c = make(cap);
    go(writes_closes);
    if (how == 1)
        CHECK_EQ(leat_recv(c, &got), LEAT_CLOSED);
    if (how == 2)
        leat_select(err) { leat_on_recv(c, &got) { CHECK(false); }  leat_on_closed(c) { } }
    if (how == 3)
        leat_each(e, c, err)
            CHECK_EQ(e, -1);
    CHECK_EQ(err, LEAT_OK);
    v = 2;
}

NORACE(TestNoRaceChanAsyncCloseRecv)  { close_recv(10, 1); }
NORACE(TestNoRaceChanAsyncCloseRecv2) { close_recv(10, 2); }
NORACE(TestNoRaceChanAsyncCloseRecv3) { close_recv(10, 3); }
NORACE(TestNoRaceChanSyncCloseRecv)   { close_recv(0, 1); }
NORACE(TestNoRaceChanSyncCloseRecv2)  { close_recv(0, 2); }
NORACE(TestNoRaceChanSyncCloseRecv3)  { close_recv(0, 3); }

RACE(TestRaceChanSyncCloseSend)  { c = make(0); go(writes_closes); CHECK_EQ(put(c, 0), LEAT_CLOSED); v = 2; }
RACE(TestRaceChanAsyncCloseSend)
{
    c = make(10);
    go(writes_closes);
    while (put(c, 0) == LEAT_OK)
        ;
    v = 2;
}

/* Closing twice is closing once, and a send that meets a close is refused: neither is a mistake of the program. */
NORACE(TestNoRaceChanCloseClose)
{
    c = make(0);
    done = make(2);
    go(closes_then_tells);
    go(closes_then_tells);
    recv(done);
    recv(done);
}

TASK(sends_then_tells) { send(c); send(done); }
NORACE(TestNoRaceChanSendClose)
{
    c = make(1);
    done = make(2);
    go(sends_then_tells);
    go(closes_late);
    recv(done);
    recv(done);
}

TASK(selects_late)
{
    int one = 1, got;
    leat_err err;
    nap();
    leat_select(err) { leat_on_send(c, &one) { }  leat_on_recv(c1, &got) { } }
    leat_ignore(err);
}
NORACE(TestNoRaceChanSendSelectClose)
{
    c = make(1);
    c1 = make(0);
    done = make(2);
    go(selects_late);
    go(closes_then_tells);
    recv(done);
}

NORACE(TestNoRaceChanCloseSend)
{
    c = make(10);
    done = make(1);
    go(closes_then_tells);
    send(c);
    recv(done);
}

TASK(says_len) { leat_ignore(put(back, (int)leat_len(c))); }
TASK(says_cap) { leat_ignore(put(back, (int)leat_cap(c))); }
TASK(closes_and_says) { leat_close(c); send(back); }
NORACE(TestNoRaceChanCloseLen) { c = make(10); back = make(10); go(says_len); go(closes_and_says); recv(back); recv(back); }
NORACE(TestNoRaceChanCloseCap) { c = make(10); back = make(10); go(says_cap); go(closes_and_says); recv(back); recv(back); }

TASK(reads_when_written)
{
    int got;
    if (leat_try_recv(c1, &got) == LEAT_CLOSED)
        USE(x);
    leat_close(c2);
}
TASK(writes_x_closes) { x = 1; leat_close(c1); }
NORACE(TestNoRaceCloseHappensBeforeRead)
{
    for (int i = 0; i < 100; i++) {
        int got;
        c1 = make(0);
        c2 = make(0);
        go(reads_when_written);
        go(writes_x_closes);
        CHECK_EQ(leat_recv(c2, &got), LEAT_CLOSED);
        CHECK_EQ(leat_recv(c1, &got), LEAT_CLOSED);  /* the variables serve again */
    }
}

/* -- what is no order ----------------------------------------------------------------------------------------------------------- */
RACE(TestRaceChanSendLen)
{
    c = make(10);
    go(writes_sends);
    while (leat_len(c) == 0)
        leat_yield();
    v = 2;
}

RACE(TestRaceChanRecvLen)
{
    c = make(10);
    send(c);
    go(writes_receives);
    while (leat_len(c) != 0)
        leat_yield();
    v = 2;
}

static void try_or_write(int *mine, int *other)
{
    *mine = 1;
    if (leat_try_send(c, 1) == LEAT_AGAIN)
        *other = 2;
    send(done);
}
TASK(tries_v1) { try_or_write(&v1, &v2); }
TASK(tries_v2) { try_or_write(&v2, &v1); }
RACE(TestRaceChanSendSend) { c = make(1); done = make(2); go(tries_v1); go(tries_v2); recv(done); recv(done); }

TASK(sends_1) { v1 = 1; leat_ignore(put(c, 1)); }
TASK(sends_2) { v2 = 2; leat_ignore(put(c, 2)); }
RACE(TestRaceChanWrongSend)
{
    c = make(2);
    go(sends_1);
    go(sends_2);
    nap();
    if (recv(c) == 1)
        v2 = 3;
    else
        v1 = 3;
}

TASK(sends_1_tells) { v1 = 1; send(c); send(done); }
TASK(closes_2_tells) { nap(); v2 = 2; leat_close(c); send(done); }
RACE(TestRaceChanWrongClose)
{
    int got;
    c = make(1);
    done = make(0);
    go(sends_1_tells);
    go(closes_2_tells);
    nap();
    nap();
    if (leat_recv(c, &got) == LEAT_OK)
        v2 = 2;
    else
        v1 = 2;
    recv(done);
    recv(done);
}

/* -- the variables that a send and a receive use ------------------------------------------------------------------------------- */
TASK(selects_x_to_c1)
{
    int one = 1;
    leat_err err;
    leat_select(err) { leat_on_send(c1, &x) { }  leat_on_send(c3, &one) { } }
    leat_ignore(err);
    send(done);
}

static void select_x_from(leat_chan(int) from)
{
    int one = 1;
    leat_err err;
    leat_select(err) { leat_on_recv(from, &x) { }  leat_on_send(c3, &one) { } }
    CHECK_EQ(err, LEAT_OK);
    recv(done);
}

RACE(TestRaceSelectReadWriteAsync)
{
    done = make(0);
    c1 = make(10);
    c2 = make(10);
    c3 = make(0);
    send(c2);
    go(selects_x_to_c1);
    select_x_from(c2);
}

RACE(TestRaceSelectReadWriteSync)
{
    done = make(0);
    c1 = make(0);
    c2 = make(0);
    c3 = make(0);
    go(receives_c1);
    go(sends_x);
    go(selects_x_to_c1);
    select_x_from(c2);
}

NORACE(TestNoRaceSelectReadWriteAsync)
{
    done = make(0);
    c1 = make(0);
    c3 = make(0);
    go(selects_x_to_c1);
    select_x_from(c1);
}

TASK(sends_x_from_there) { leat_ignore(leat_send_from(c1, &x)); send(done); }

RACE(TestRaceChanReadWriteAsync)
{
    done = make(0);
    c1 = make(10);
    c2 = make(10);
    send(c2);
    go(sends_x_from_there);
    leat_ignore(leat_recv(c2, &x));
    recv(done);
}

RACE(TestRaceChanReadWriteSync)
{
    done = make(0);
    c1 = make(0);
    c2 = make(0);
    go(receives_c1);
    go(sends_x);
    go(sends_x_from_there);
    leat_ignore(leat_recv(c2, &x));
    recv(done);
}

NORACE(TestNoRaceChanReadWriteAsync)
{
    done = make(0);
    c1 = make(10);
    go(sends_x_from_there);
    leat_ignore(leat_recv(c1, &x));
    recv(done);
}

struct box { int *p; };
leat_chan(struct box) boxes;
TASK(sends_box)
{
    struct box b = { malloc(sizeof(int)) };
    CHECK(b.p);
    *b.p = 42;
    leat_ignore(leat_send(boxes, b));
}

static struct box box_from(void)
{
    struct box b = { NULL };
    leat_ignore(leat_recv(boxes, &b));
    return b;
}

NORACE(TestNoRaceChanPtr)
{
    boxes = leat_chan_make(struct box, 0);
    go(sends_box);
    struct box b = box_from();
    *b.p = 2;
    free(b.p);
}

/* The sender has come to wait for room when its turn comes, or not: both are ordered. */
static void blocked_send(bool by_select)
{
    struct box none = { NULL }, b = none;
    leat_err err = LEAT_OK;
    c = make(0);
    boxes = leat_chan_make(struct box, 1);
    leat_ignore(leat_send(boxes, none));
    go(sends_box);
    nap();
    box_from();
    if (by_select)
        leat_select(err) { leat_on_recv(boxes, &b) { }  leat_on_recv(c, &v) { } }
    else
        b = box_from();
    CHECK(err == LEAT_OK && b.p && *b.p == 42);
    free(b.p);
}
NORACE(TestNoRaceBlockedSendSync)       { blocked_send(false); }
NORACE(TestNoRaceBlockedSelectSendSync) { blocked_send(true); }

struct job { void (*f)(void); leat_chan(int) done; };
leat_chan(struct job) jobs;
static void writes_x(void) { x = 1; }
TASK(does_one_job)
{
    struct job j;
    if (leat_recv(jobs, &j) != LEAT_OK)
        return;
    j.f();
    send(j.done);
}
NORACE(TestNoRaceProducerConsumerUnbuffered)
{
    jobs = leat_chan_make(struct job, 0);
    go(does_one_job);
    struct job j = { writes_x, make(1) };
    leat_ignore(leat_send(jobs, j));
    recv(j.done);
    USE(x);
}

/* -- the variable that holds a channel -------------------------------------------------------------------------------------------- */
TASK(sends_tells)    { send(c); send(done); }
TASK(receives_tells) { recv(c); send(done); }
TASK(closes_tells)   { leat_close(c); send(done); }
TASK(len_tells)      { (void)leat_len(c); send(done); }
TASK(cap_tells)      { (void)leat_cap(c); send(done); }

RACE(TestRaceChanItselfSend)  { done = make(1); c = make(10); go(sends_tells); c = make(20); recv(done); }
RACE(TestRaceChanItselfRecv)  { done = make(1); c = make(10); send(c); go(receives_tells); nap(); c = make(20); recv(done); }
RACE(TestRaceChanItselfNil)   { c = make(10); go(writes_sends); nap(); c = NULL; USE(c); }
RACE(TestRaceChanItselfClose) { done = make(1); c = make(0); go(closes_tells); c = make(0); recv(done); }
RACE(TestRaceChanItselfLen)   { done = make(1); c = make(0); go(len_tells); c = make(0); recv(done); }
RACE(TestRaceChanItselfCap)   { done = make(1); c = make(0); go(cap_tells); c = make(0); recv(done); }

/* -- the k-th receive before send k + C completes --------------------------------------------------------------------------------- */
TASK(in_turn) { send(c); x = 42; recv(c); send(done); }
NORACE(TestNoRaceChanMutex) { c = make(1); done = make(0); go(in_turn); send(c); x = 43; recv(c); recv(done); }
RACE(TestRaceChanSem)       { c = make(2); done = make(0); go(in_turn); send(c); x = 43; recv(c); recv(done); }

static void select_in_turn(int value)
{
    int one = 1, got;
    leat_err err;
    leat_select(err) { leat_on_send(c, &one) { }  leat_on_recv(c1, &got) { } }
    leat_ignore(err);
    x = value;
    leat_select(err) { leat_on_recv(c, &got) { }  leat_on_recv(c1, &got) { } }
    leat_ignore(err);
}
TASK(selects_in_turn) { select_in_turn(42); send(done); }
NORACE(TestNoRaceSelectMutex)
{
    c = make(1);
    c1 = make(0);
    done = make(0);
    go(selects_in_turn);
    select_in_turn(43);
    recv(done);
}

enum { N = 10 };
struct index { int i; };
static leat_err writes_data(struct index *a)
{
    data[a->i] = 42;
    recv(c);
    return LEAT_OK;
}
NORACE(TestNoRaceChanWaitGroup)
{
    c = make(N / 2);
    for (int i = 0; i < N; i++) {
        send(c);
        leat_ignore(leat_go(NULL, writes_data, (struct index){ i }));
    }
    for (size_t i = 0; i < leat_cap(c); i++)
        send(c);
    for (int i = 0; i < N; i++)
        USE(data[i]);
}

leat_chan(leat_none) nothing;                        /* the smallest element there is */
static void nothing_sent(void) { leat_ignore(leat_send(nothing, LEAT_NONE)); }
static void nothing_received(void)
{
    leat_none n;
    leat_ignore(leat_recv(nothing, &n));
}
TASK(adds_x) { x++; nothing_received(); }
TASK(adds_y) { y++; nothing_received(); }
NORACE(TestNoRaceElemSize0)
{
    nothing = leat_chan_make(leat_none, 2);
    nothing_sent();
    nothing_sent();
    go(adds_x);
    go(adds_y);
    nap();
    nothing_sent();
    nothing_sent();
    x++;
    y++;
}

RACE_MAIN()
