/* growth.c - how the cost of one operation grows with how many there are: n is that number here, and not how often something is done. */
#include <stdlib.h>
#include "bench.h"

/* -- a select over n channels ------------------------------------------------------------------------------------------------ */
struct many { leat_chan(int64_t) *c; leat_rx(int64_t) *rx; int64_t n, ops; };

static void many_done(struct many *m)
{
    for (int64_t i = 0; m->c && i < m->n; i++)
        leat_unref(m->c[i]);
    free(m->c);
    free(m->rx);
}

static leat_err many_init(struct many *m, int64_t n, size_t capacity)
{
    *m = (struct many){ calloc((size_t)n, sizeof *m->c), calloc((size_t)n, sizeof *m->rx), n, 4000000 / (n + 20) };
    if (!m->c || !m->rx)
        return LEAT_NOMEM;
    for (int64_t i = 0; i < n; i++) {
        m->c[i] = leat_chan_make(int64_t, capacity);
        if (!m->c[i])
            return LEAT_NOMEM;
        m->rx[i] = leat_rx_of(m->c[i]);
    }
    return LEAT_OK;
}

static leat_err pick(struct many *m, int64_t *sum)
{
    leat_err err;
    size_t which;
    int64_t v = 0;
    leat_select(err)
        leat_on_recv_any(m->rx, m->n, &v, &which) { *sum += v; }
    return err;
}

static leat_err found(struct many *m)
{
    int64_t sum = 0;
    leat_time start = leat_now();
    for (int64_t i = 0; i < m->ops; i++) {
        LEAT_TRY(leat_send(m->c[i % m->n], i));
        LEAT_TRY(pick(m, &sum));
    }
    bench_per("growth-select-ready", start, m->ops);
    return bench_equal("the sum", sum, m->ops * (m->ops - 1) / 2);
}

struct around { struct many *m; };

static leat_err send_around(struct around *a)
{
    for (int64_t i = 0; i < a->m->ops; i++)
        LEAT_TRY(leat_send(a->m->c[i % a->m->n], i));
    return LEAT_OK;
}

static leat_err waited_for(struct many *m)
{
    int64_t sum = 0;
    leat_err err;
    leat_time start = leat_now();
    leat_with_group(g, err) {
        LEAT_TRY(leat_go(&g, send_around, (struct around){ m }));
        for (int64_t i = 0; i < m->ops; i++)
            LEAT_TRY(pick(m, &sum));
    }
    LEAT_TRY(err);
    bench_per("growth-select-blocked", start, m->ops);
    return bench_equal("the sum", sum, m->ops * (m->ops - 1) / 2);
}

static leat_err growth_select(int64_t n)
{
    struct many m;
    leat_err err = many_init(&m, n, 1);
    if (!err)
        err = found(&m);
    many_done(&m);
    if (!err && !(err = many_init(&m, n, 0)))
        err = waited_for(&m);
    many_done(&m);
    return err;
}

/* -- n timers that are set and lifted again ------------------------------------------------------------------------------------ */
struct late { struct gate *gate; int64_t far_ns; };

static leat_err late(struct late *l)
{
    LEAT_TRY(gate_arrive(l->gate));
    leat_err err = leat_sleep((leat_dur){ l->far_ns });
    return err == LEAT_CANCELED ? LEAT_OK : err;
}

static leat_err set_all(leat_group *g, struct gate *gate, int64_t n)
{
    uint64_t random = 88172645463325252u;
    leat_time start = leat_now();
    for (int64_t i = 0; i < n; i++) {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        LEAT_TRY(leat_go(g, late, (struct late){ gate, 1000000000000 + (int64_t)(random % 1000000000000) }));
    }
    LEAT_TRY(gate_wait(gate));
    bench_per("growth-timers-set", start, n);
    return LEAT_OK;
}

static leat_err growth_timers(int64_t n)
{
    struct gate gate;
    leat_err err = gate_init(&gate, n), first = LEAT_OK;
    leat_time start = { 0 };
    LEAT_TRY(err);
    leat_with_group(g, err) {
        first = set_all(&g, &gate, n);
        start = leat_now();
        leat_group_cancel(&g);
    }
    gate_done(&gate);
    LEAT_TRY(first);
    bench_per("growth-timers-lift", start, n);
    return err == LEAT_CANCELED ? LEAT_OK : err;
}

const struct bench bench_growth[] = {
    { "growth-select", 100, growth_select },
    { "growth-timers", 1000, growth_timers },
    { 0 }
};
