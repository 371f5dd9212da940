/* parked.c - very many tasks that wait at one channel: what one costs in time and memory, and what it costs to wake it; also hibernated. */
#include "bench.h"

struct parked { leat_rx(int) in; struct gate *gate; };

static leat_err parked(struct parked *p)
{
    int v;
    LEAT_TRY(gate_arrive(p->gate));
    leat_err err = leat_recv(p->in, &v);
    return err == LEAT_CLOSED ? LEAT_OK : err;
}

static double memory(void)
{
    return 1024 * (status_kib("VmRSS") + status_kib("VmPTE"));
}

/* Returns when the last of them has started and is about to park: a fresh task has no stack yet, so starting is the cost. */
static leat_err park_all(const char *name, leat_group *g, leat_rx(int) in, int64_t n)
{
    struct gate gate;
    LEAT_TRY(gate_init(&gate, n));
    leat_err err = LEAT_OK;
    leat_time start = leat_now();
    for (int64_t i = 0; i < n && !err; i++)
        err = leat_go(g, parked, (struct parked){ in, &gate });
    if (!err)
        err = gate_wait(&gate);
    bench_per(name, start, n);
    gate_done(&gate);
    return err;
}

static leat_err parked_rows(int64_t n)
{
    leat_auto leat_chan(int) c = leat_chan_make(int, 0);
    leat_err err;
    leat_time start = { 0 };
    double before = memory();
    leat_with_group(g, err) {
        LEAT_TRY(park_all("parked", &g, leat_rx_of(c), n));
        bench_result("parked-bytes", "B", (memory() - before) / (double)n);
        start = leat_now();
        for (int64_t i = 0; i < n; i++)
            LEAT_TRY(leat_send(c, 1));
    }
    LEAT_TRY(err);
    bench_per("wake", start, n);
    leat_with_group(g, err) {
        LEAT_TRY(park_all("parked-warm", &g, leat_rx_of(c), n));
        leat_close(c);
    }
    return err;
}

/* When hardly any of them give memory back any more: never exactly none, where a sanitizer keeps books. */
static leat_err hibernate_all(void)
{
    double was, is = memory();
    do {
        was = is;
        LEAT_TRY(leat_sleep(LEAT_MS(500)));
        is = memory();
    } while (is < 0.99 * was);
    return LEAT_OK;
}

static leat_err hibernated_rows(int64_t n)
{
    leat_auto leat_chan(int) c = leat_chan_make(int, 0);
    leat_err err = LEAT_OK;
    leat_time start = { 0 };
    double before = memory();
    leat_with_hibernation(LEAT_MS(8)) leat_with_group(g, err) {
        LEAT_TRY(park_all("hibernating", &g, leat_rx_of(c), n));
        LEAT_TRY(hibernate_all());
        bench_result("hibernated-bytes", "B", (memory() - before) / (double)n);
        start = leat_now();
        for (int64_t i = 0; i < n; i++)
            LEAT_TRY(leat_send(c, 1));
    }
    bench_per("hibernated-wake", start, n);
    return err;
}

const struct bench bench_parked[] = {
    { "parked", 1000000, parked_rows },
    { "hibernated", 1000000, hibernated_rows },
    { 0 }
};
