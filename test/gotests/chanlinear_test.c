/* chanlinear_test.c - what Go's test/chanlinear.go states: to leave the middle of a long queue of a channel takes no longer than to
 * leave a short one.  Twice as many tasks take about twice as long; were it a search, they would take four times as long. */
#include "place.h"
#include <time.h>

enum { MESSAGES = 10 };
struct both { leat_rx(bool) all, mine; };

static leat_err waits(struct both *b)
{
    leat_err err = LEAT_OK;
    bool v;
    for (int i = 0; i < MESSAGES && err == LEAT_OK; i++)
        leat_select(err) {
            leat_on_recv(b->all, &v)  { CHECK(!"nobody sends to all"); }
            leat_on_recv(b->mine, &v) {}
        }
    return err;
}

static leat_err wake_each(int n)
{
    leat_chan(bool) all = leat_chan_make(bool, 0), *mine = calloc((size_t)n, sizeof *mine);
    leat_err err;
    CHECK(mine != NULL);
    leat_with_group(g, err) {
        for (int i = 0; i < n; i++) {
            mine[i] = leat_chan_make(bool, 0);
            LEAT_TRY(leat_go(&g, waits, (struct both){ leat_rx_of(all), leat_rx_of(mine[i]) }));
        }
        for (int k = 0; k < MESSAGES; k++)
            for (int i = 0; i < n; i++)
                LEAT_TRY(leat_send(mine[i], true));
    }
    for (int i = 0; i < n; i++)
        leat_unref(mine[i]);
    free(mine);
    leat_unref(all);
    return err;
}

/* In processor time, which others do not take away. */
static leat_err time_of(int n, double *ret)
{
    struct timespec from, to;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &from);
    leat_err err = wake_each(n);
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &to);
    *ret = (double)(to.tv_sec - from.tv_sec) + 1e-9 * (double)(to.tv_nsec - from.tv_nsec);
    return err;
}

static leat_err chanSelect_test(void)
{
    double one = 0, two = 0;
    for (int n = 1000, tries = 0; tries < 20; tries++) {
        LEAT_TRY(time_of(n, &one));
        LEAT_TRY(time_of(2 * n, &two));
        if (two < 3 * one)
            return LEAT_OK;
        if (one < 0.5)
            n *= 2;
    }
    return leat_fail(LEAT_LIMIT, "in 20 tries at best %.3f s and, for twice as many, %.3f s", one, two);
}
AT_TASK(chanSelect, chanSelect_test)

T_MAIN()
