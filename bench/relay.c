/* relay.c - long chains of tasks that hand a value on: the prime sieve, and a ring. */
#include <stdlib.h>
#include "bench.h"

struct generator { leat_tx(int64_t) out; };
struct filter    { leat_rx(int64_t) in; leat_tx(int64_t) out; int64_t prime; };

static leat_err generate(struct generator *g)
{
    for (int64_t i = 2;; i++)
        LEAT_TRY(leat_send(g->out, i));
}

static leat_err filter(struct filter *f)
{
    leat_err err;
    leat_each(i, f->in, err)
        if (i % f->prime)
            LEAT_TRY(leat_send(f->out, i));
    return err;
}

/* What these tasks do has no end: the group is cancelled once the time is taken, and that is then no error. */
static leat_err unless_cancelled(leat_err err)
{
    return err == LEAT_CANCELED ? LEAT_OK : err;
}

static leat_err sieve_chain(leat_chan(int64_t) *chans, int64_t n, int64_t *prime)
{
    leat_err err;
    leat_time start = leat_now();
    leat_with_group(g, err) {
        LEAT_TRY(leat_go(&g, generate, (struct generator){ leat_tx_of(chans[0]) }));
        for (int64_t i = 0; i < n; i++) {
            LEAT_TRY(leat_recv(chans[i], prime));
            if (!(chans[i + 1] = leat_chan_make(int64_t, 0)))
                return LEAT_NOMEM;
            LEAT_TRY(leat_go(&g, filter, (struct filter){ leat_rx_of(chans[i]), leat_tx_of(chans[i + 1]), *prime }));
        }
        bench_ms("sieve", start);
        leat_group_cancel(&g);
    }
    return unless_cancelled(err);
}

static leat_err sieve(int64_t n)
{
    leat_chan(int64_t) *chans = calloc((size_t)n + 1, sizeof *chans);
    int64_t prime = 0;
    leat_err err = LEAT_NOMEM;
    if (chans && (chans[0] = leat_chan_make(int64_t, 0)))
        err = sieve_chain(chans, n, &prime);
    for (int64_t i = 0; chans && i <= n; i++)
        leat_unref(chans[i]);
    free(chans);
    LEAT_TRY(err);
    return n == 2500 ? bench_equal("the 2500th prime", prime, 22307) : LEAT_OK;
}

enum { RING = 10000 };
struct link { leat_rx(int64_t) in; leat_tx(int64_t) out, done; };

static leat_err pass(struct link *l)
{
    leat_err err;
    leat_each(v, l->in, err)
        LEAT_TRY(v > 0 ? leat_send(l->out, v - 1) : leat_send(l->done, v));
    return err;
}

static leat_err ring_run(leat_chan(int64_t) *chans, leat_chan(int64_t) done, int64_t n)
{
    leat_err err;
    int64_t end;
    leat_with_group(g, err) {
        for (int i = 0; i < RING; i++)
            LEAT_TRY(leat_go(&g, pass, (struct link){ leat_rx_of(chans[i]), leat_tx_of(chans[(i + 1) % RING]),
                leat_tx_of(done) }));
        LEAT_TRY(leat_send(chans[0], RING - 1));     /* once around, so that every task has started and waits */
        LEAT_TRY(leat_recv(done, &end));
        leat_time start = leat_now();
        LEAT_TRY(leat_send(chans[0], n));
        LEAT_TRY(leat_recv(done, &end));
        bench_per("ring", start, n);
        leat_group_cancel(&g);
    }
    return unless_cancelled(err);
}

static leat_err ring(int64_t n)
{
    static leat_chan(int64_t) chans[RING];
    leat_auto leat_chan(int64_t) done = leat_chan_make(int64_t, 0);
    leat_err err = done ? LEAT_OK : LEAT_NOMEM;
    for (int i = 0; i < RING && !err; i++)
        if (!(chans[i] = leat_chan_make(int64_t, 0)))
            err = LEAT_NOMEM;
    if (!err)
        err = ring_run(chans, done, n);
    for (int i = 0; i < RING; i++)
        leat_unref(chans[i]);
    return err;
}

const struct bench bench_relay[] = {
    { "sieve", 2500, sieve },
    { "ring", 1000000, ring },
    { 0 }
};
