/* timer.c - a time limit set and lifted again, and very many sleepers. */
#include <stdlib.h>
#include "bench.h"

static leat_err timer(int64_t n)
{
    int64_t live = 0;
    leat_time start = leat_now();
    for (int64_t i = 0; i < n; i++)
        leat_with_deadline(LEAT_S(10))
            live++;
    bench_per("timer", start, n);
    return bench_equal("the number of scopes", live, n);
}

/* Lent to all sleepers.  base is written before `open` is closed and read after: the close orders the two. */
struct night { leat_time base; leat_chan(int) open; struct gate gate; };
struct sleeper { struct night *night; int64_t offset_ns, *late_ns; };

static leat_err sleeper(struct sleeper *s)
{
    leat_err err;
    LEAT_TRY(gate_arrive(&s->night->gate));
    leat_each(none, s->night->open, err)
        return leat_fail(LEAT_INVAL, "got %d from a channel into which nobody sends", none);
    LEAT_TRY(err);
    leat_time due = leat_time_add(s->night->base, (leat_dur){ s->offset_ns });
    LEAT_TRY(leat_sleep((leat_dur){ -leat_since(due).ns }));
    *s->late_ns = leat_since(due).ns;
    return LEAT_OK;
}

static int by_size(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

/* All sleepers have started and parked once before the first is due, so that only waking is measured.  They are due at random
 * instants, 500 a millisecond. */
static leat_err night_run(struct night *night, int64_t *late_ns, int64_t n)
{
    uint64_t random = 88172645463325252u, window_ns = (uint64_t)n * 2000;
    leat_err err;
    leat_with_group(g, err) {
        for (int64_t i = 0; i < n; i++) {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            LEAT_TRY(leat_go(&g, sleeper, (struct sleeper){ night, (int64_t)(random % window_ns), &late_ns[i] }));
        }
        LEAT_TRY(gate_wait(&night->gate));
        night->base = leat_time_add(leat_now(), (leat_dur){ (int64_t)window_ns + 50000000 });
        leat_close(night->open);
    }
    LEAT_TRY(err);
    qsort(late_ns, (size_t)n, sizeof *late_ns, by_size);
    if (late_ns[0] < 0)
        return leat_fail(LEAT_INVAL, "a sleeper woke %lld ns early", (long long)-late_ns[0]);
    bench_result("sleepers-p50", "us", (double)late_ns[n / 2] / 1e3);
    bench_result("sleepers-p99", "us", (double)late_ns[n * 99 / 100] / 1e3);
    return LEAT_OK;
}

static leat_err sleepers(int64_t n)
{
    struct night night = { .open = leat_chan_make(int, 0) };
    int64_t *late_ns = calloc((size_t)n, sizeof *late_ns);
    leat_err err = night.open && late_ns ? gate_init(&night.gate, n) : LEAT_NOMEM;
    if (!err) {
        err = night_run(&night, late_ns, n);
        gate_done(&night.gate);
    }
    leat_unref(night.open);
    free(late_ns);
    return err;
}

const struct bench bench_timer[] = {
    { "timer", 5000000, timer },
    { "sleepers", 1000000, sleepers },
    { 0 }
};
