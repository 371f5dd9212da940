/* tree.c - trees of tasks, ten below each: one that sums numbers and ends, one that waits and is cancelled at the root. */
#include "bench.h"

struct sky { leat_tx(int64_t) out; int64_t num, size; };

static leat_err sky(struct sky *s)
{
    if (s->size == 1)
        return leat_send(s->out, s->num);
    leat_auto leat_chan(int64_t) in = leat_chan_make(int64_t, 0);
    int64_t sum = 0, part = s->size / 10;
    leat_err err;
    leat_with_group(g, err) {
        for (int64_t i = 0; i < 10; i++)
            LEAT_TRY(leat_go(&g, sky, (struct sky){ leat_tx_of(in), s->num + i * part, part }));
        for (int64_t i = 0, v; i < 10; i++) {
            LEAT_TRY(leat_recv(in, &v));
            sum += v;
        }
    }
    LEAT_TRY(err);
    return leat_send(s->out, sum);
}

/* n is a power of ten: the leaves. */
static leat_err skynet(int64_t n)
{
    leat_auto leat_chan(int64_t) out = leat_chan_make(int64_t, 0);
    int64_t sum = 0;
    leat_err err;
    leat_time start = leat_now();
    leat_with_group(g, err) {
        LEAT_TRY(leat_go(&g, sky, (struct sky){ leat_tx_of(out), 0, n }));
        LEAT_TRY(leat_recv(out, &sum));
    }
    LEAT_TRY(err);
    bench_ms("skynet", start);
    bench_result("skynet-peak", "MiB", status_kib("VmHWM") / 1024);      /* ru_maxrss would count what a parent had before exec */
    return bench_equal("the sum", sum, n * (n - 1) / 2);
}

struct branch { struct gate *gate; int depth; };

/* Waits for ever: only a cancel ends it. */
static leat_err branch(struct branch *b)
{
    leat_auto leat_chan(int) never = leat_chan_make(int, 0);
    leat_err err;
    int v;
    leat_with_group(g, err) {
        for (int i = 0; b->depth > 0 && i < 10; i++)
            LEAT_TRY(leat_go(&g, branch, (struct branch){ b->gate, b->depth - 1 }));
        LEAT_TRY(gate_arrive(b->gate));
        err = leat_recv(never, &v);
    }
    return err;
}

static leat_err cancel_tree_run(struct gate *gate, int depth)
{
    leat_err err;
    leat_time start = { 0 };
    leat_with_group(g, err) {
        LEAT_TRY(leat_go(&g, branch, (struct branch){ gate, depth }));
        LEAT_TRY(gate_wait(gate));
        LEAT_TRY(leat_sleep(LEAT_MS(50)));           /* the last ones to arrive still have to park */
        start = leat_now();
        leat_group_cancel(&g);
    }
    if (err != LEAT_CANCELED)
        return err ? err : leat_fail(LEAT_INVAL, "a cancelled task ended as if nothing had happened");
    bench_ms("cancel-tree", start);
    return LEAT_OK;
}

/* depth 5 is 111,111 tasks. */
static leat_err cancel_tree(int64_t depth)
{
    struct gate gate;
    int64_t tasks = 1;
    for (int64_t i = 0; i < depth; i++)
        tasks = 10 * tasks + 1;
    LEAT_TRY(gate_init(&gate, tasks));
    leat_err err = cancel_tree_run(&gate, (int)depth);
    gate_done(&gate);
    return err;
}

const struct bench bench_tree[] = {
    { "skynet", 1000000, skynet },
    { "cancel-tree", 5, cancel_tree },
    { 0 }
};
