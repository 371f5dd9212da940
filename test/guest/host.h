/* host.h - what the programs of this folder have in common: a guest that is always busy, and a host that counts its own timer's ticks.
 * A host's file defines run_host(): watch leat_guest_fd(guest), call step() when it is readable and until it says false; and call
 * tick() each millisecond. */
#ifndef HOST_H
#define HOST_H
#include <time.h>
#include "leat.h"
#undef errno
#include "t.h"

enum { TICKS = 10 };
static leat_guest *guest;
static leat_err result = LEAT_AGAIN;
static int meetings, ticks;
static int64_t last_tick, longest;

static int wanted(void) { return getenv("T_QUICK") ? 10000 : 100000; }

/* Time this thread has computed: another program's share of the processor does not count. */
static int64_t cpu_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

struct asker { leat_tx(int) out; };
static leat_err asks(struct asker *a)
{
    leat_err e = LEAT_OK;
    for (int i = 0; e == LEAT_OK; i++)
        e = leat_send(a->out, i);
    return e == LEAT_GONE || e == LEAT_CLOSED ? LEAT_OK : e;
}

/* Meets until there were enough meetings and the host's timer has come often enough; never waits for the clock. */
static leat_err meets(leat_none *none)
{
    (void)none;
    leat_auto leat_chan(int) c = leat_chan_make(int, 0);
    leat_err err;
    int v = 0;
    leat_with_group(g, err) {
        LEAT_TRY(leat_go(&g, asks, (struct asker){ leat_tx_of(c) }));
        for (; meetings < wanted() || ticks < TICKS; meetings++) {
            LEAT_TRY(leat_recv(c, &v));
            CHECK_EQ(v, meetings);
        }
        leat_close(leat_tx_of(c));
    }
    LEAT_TRY(err);
    return leat_sleep(LEAT_MS(2));                   /* and once the descriptor has to wake the host by its clock */
}

static bool step(void)
{
    leat_err e = leat_guest_step(guest, LEAT_US(200));
    if (e == LEAT_OK)
        return true;
    CHECK_EQ(e, LEAT_CLOSED);
    result = leat_guest_end(guest);
    guest = NULL;
    return false;
}

static void tick(void)
{
    int64_t now = cpu_ns();
    longest = now - last_tick > longest ? now - last_tick : longest;
    last_tick = now;
    ticks++;
}

static void run_host(void);
static void meet_in_host(void)
{
    CHECK_EQ(leat_guest_start(&guest, NULL, meets, LEAT_NONE), LEAT_OK);
    last_tick = cpu_ns();
    run_host();
    CHECK(guest == NULL);
    CHECK_EQ(result, LEAT_OK);
    CHECK(meetings >= wanted());
    CHECK(ticks >= TICKS);
    if (longest > 50000000)                          /* a tick is due each millisecond, a step lasts a fifth of one */
        t_fail(__FILE__, __LINE__, "the host's timer was late by %lld ms of this thread's own time", (long long)longest / 1000000);
}
#endif
