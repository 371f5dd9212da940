/* race_select_test.c - what a select orders, and what it does not. */
#include "race.h"

static int one = 1;

/* select { case a <- 1: case b <- 1: }, and the other ways round; c1 and c2 are channels that nobody else uses. */
static void send_or(leat_chan(int) a, leat_chan(int) b)
{
    leat_err err;
    leat_select(err) { leat_on_send(a, &one) { }  leat_on_send(b, &one) { } }
    leat_ignore(err);
}
static void recv_or(leat_chan(int) a, leat_chan(int) b)
{
    int got;
    leat_err err;
    leat_select(err) { leat_on_recv(a, &got) { }  leat_on_recv(b, &got) { }  leat_on_closed(a) { } }
    leat_ignore(err);
}
static void send_or_recv(leat_chan(int) a, leat_chan(int) b)
{
    int got;
    leat_err err;
    leat_select(err) { leat_on_send(a, &one) { }  leat_on_recv(b, &got) { } }
    leat_ignore(err);
}
static void recv_or_send(leat_chan(int) a, leat_chan(int) b)
{
    int got;
    leat_err err;
    leat_select(err) { leat_on_recv(a, &got) { }  leat_on_send(b, &one) { } }
    leat_ignore(err);
}
static void open_all(size_t cap)
{
    c = make(cap);
    c1 = make(0);
    done = make(2);
}

TASK(writes_sends) { x = 1; send_or(c, c1); send(done); }
NORACE(TestNoRaceSelect1) { open_all(0); go(writes_sends); recv_or_send(c, c1); x = 2; recv(done); }

TASK(receives_writes) { recv_or(c, c1); x = 1; send(done); }
NORACE(TestNoRaceSelect2) { open_all(0); go(receives_writes); x = 2; leat_close(c); leat_yield(); recv(done); }

TASK(writes_sends_or_receives) { x = 1; send_or_recv(c, c1); send(done); }
NORACE(TestNoRaceSelect3) { open_all(10); go(writes_sends_or_receives); recv(c); x = 2; recv(done); }

struct job { void (*f)(void); leat_chan(int) done; };
leat_chan(struct job) jobs;
static void writes_x(void) { x = 1; }
TASK(does_jobs)
{
    struct job j;
    leat_err err = LEAT_OK;
    while (err == LEAT_OK)
        leat_select(err) { leat_on_recv(jobs, &j) { j.f(); send(j.done); } }
}
NORACE(TestNoRaceSelect4)
{
    int got;
    leat_err err;
    open_all(0);
    jobs = leat_chan_make(struct job, 0);
    go(does_jobs);
    struct job j = { writes_x, make(1) };
    leat_select(err) { leat_on_send(jobs, &j) { }  leat_on_recv(c1, &got) { } }
    leat_ignore(err);
    recv_or(j.done, c1);
    USE(x);
}

static bool by_select, later;
TASK(gives)
{
    if (later)
        leat_yield();
    x = 1;
    if (by_select)
        send_or_recv(c, c1);
    else
        send(c);
    send(done);
}
TASK(takes)
{
    if (by_select)
        recv_or(c, c1);
    else
        recv(c);
    x = 1;
    send(done);
}
NORACE(TestNoRaceSelect5)
{
    for (int i = 0; i < 4; i++) {
        by_select = i < 2;
        later = i % 2;
        open_all(0);
        go(gives);
        go(takes);
        recv(done);
        recv(done);
    }
}

TASK(takes_two) { recv(c); recv(c); }
TASK(sends_writes) { send_or(c, c1); x = 1; send(done); }
RACE(TestRaceSelect1) { open_all(0); go(takes_two); go(sends_writes); go(sends_writes); recv(done); recv(done); }

TASK(writes_receives) { x = 1; recv_or(c, c1); send(done); }
RACE(TestRaceSelect2) { open_all(0); go(writes_receives); leat_close(c); x = 2; recv(done); }

RACE(TestRaceSelect3)
{
    int got;
    leat_err err;
    open_all(0);
    go(writes_sends);
    x = 2;
    leat_select(err) { leat_on_recv(c, &got) { } }
    CHECK_EQ(err, LEAT_OK);
    recv(done);
}

TASK(has_no_case)
{
    leat_err err;
    leat_select(err) { leat_otherwise { x = 2; } }
    CHECK_EQ(err, LEAT_OK);
    send(done);
}
RACE(TestRaceSelect4) { open_all(0); go(has_no_case); USE(x); recv(done); }

TASK(has_one_ready)
{
    leat_err err;
    leat_select(err) { leat_on_send(c, &one) { x = 1; }  leat_on_send(c2, &one) { y = 1; } }
    CHECK_EQ(err, LEAT_OK);
    send(done);
}
RACE(TestRaceSelect5) { open_all(1); c2 = make(0); go(has_one_ready); USE(x); USE(y); recv(done); }

RACE_MAIN()
