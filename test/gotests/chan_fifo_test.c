/* chan_fifo_test.c - what Go's test/chan/fifo.go states: elements come out in the order they went in, from a buffer and from a row of
 * rendezvous. */
#include "place.h"

enum { N = 10 };

LEAT_STRUCT(expect, (rx(num), in), (int64, count));
static leat_err expect(struct expect *e)                 /* counts from 0 to count, then sees the end */
{
    leat_err err;
    int64_t want = 0;
    leat_each(v, e->in, err)
        CHECK_EQ(v.n, want++);
    CHECK_EQ(want, e->count);
    return err;
}
PLACE_TASK(expect, expect)

/* The channel is full before anybody receives. */
static leat_err AsynchFifo_test(void)
{
    leat_chan(struct num) c = leat_chan_make(struct num, N);
    leat_err err;
    for (int i = 0; i < N; i++)
        LEAT_TRY(leat_send(c, { i }));
    CHECK_EQ(leat_try_send(c, { N }), LEAT_AGAIN);
    leat_with_group(g, err) {
        LEAT_TRY(place_go(&g, expect, expect, { .in = leat_ref(leat_rx_of(c)), .count = N }));
        leat_close(c);
    }
    leat_unref(c);
    return err;
}
EVERYWHERE(AsynchFifo, AsynchFifo_test)

/* Each of a row of tasks waits for its turn before it receives from the one channel, and then gives the turn to the next. */
LEAT_STRUCT(link, (rx(num), in), (tx(num), out), (rx(num), turn), (int64, want));
static leat_err chain(struct link *l)
{
    struct num v;
    LEAT_TRY(leat_recv(l->turn, &v));
    LEAT_TRY(leat_recv(l->in, &v));
    CHECK_EQ(v.n, l->want);
    return leat_send(l->out, { 1 });
}
PLACE_TASK(chain, link)

/* The whole row stands on one side: a receive end is in one process. */
LEAT_STRUCT(row, (rx(num), in), (rx(num), start), (tx(num), end));
static leat_err row(struct row *r)
{
    leat_err err;
    leat_with_group(g, err) {
        leat_auto leat_rx(struct num) turn = leat_ref(r->start);
        for (int i = 0; i < N; i++) {
            leat_chan(struct num) next = i < N - 1 ? leat_chan_make(struct num, 0) : NULL;
            LEAT_TRY(place_go_here(&g, chain, link, { leat_ref(r->in), next ? leat_tx_of(next) : leat_ref(r->end), turn, i }));
            turn = next ? leat_ref(leat_rx_of(next)) : NULL;
        }
    }
    return err;
}
PLACE_TASK(row, row)

static leat_err SynchFifo_test(void)
{
    leat_chan(struct num) c = leat_chan_make(struct num, 0), start = leat_chan_make(struct num, 0), end = leat_chan_make(struct num, 0);
    leat_err err;
    struct num v;
    leat_with_group(g, err) {
        LEAT_TRY(place_go(&g, row, row, { leat_ref(leat_rx_of(c)), leat_ref(leat_rx_of(start)), leat_ref(leat_tx_of(end)) }));
        LEAT_TRY(leat_send(start, { 0 }));
        for (int i = 0; i < N; i++)
            LEAT_TRY(leat_send(c, { i }));
        LEAT_TRY(leat_recv(end, &v));
    }
    leat_unref(c);
    leat_unref(start);
    leat_unref(end);
    return err;
}
EVERYWHERE(SynchFifo, SynchFifo_test)

T_MAIN()
