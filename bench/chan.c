/* chan.c - two tasks that play ping-pong, and producers and consumers that share a channel. */
#include "bench.h"

struct player { leat_rx(int64_t) in; leat_tx(int64_t) out; int64_t n; };

static leat_err pong(struct player *p)
{
    for (int64_t i = 0, v; i < p->n; i++) {
        LEAT_TRY(leat_recv(p->in, &v));
        LEAT_TRY(leat_send(p->out, v + 1));
    }
    return LEAT_OK;
}

static leat_err ping(struct player *p)
{
    for (int64_t i = 0, v; i < p->n; i++) {
        LEAT_TRY(leat_send(p->out, i));
        LEAT_TRY(leat_recv(p->in, &v));
        LEAT_TRY(bench_equal("the answer", v, i + 1));
    }
    return LEAT_OK;
}

static leat_err pong_deadline(struct player *p)
{
    leat_err err = LEAT_OK;
    for (int64_t i = 0, v; i < p->n; i++) {
        leat_with_deadline(LEAT_S(10))
            err = leat_recv(p->in, &v);
        LEAT_TRY(err);
        LEAT_TRY(leat_send(p->out, v + 1));
    }
    return LEAT_OK;
}

static leat_err ping_deadline(struct player *p)
{
    leat_err err = LEAT_OK;
    for (int64_t i = 0, v; i < p->n; i++) {
        LEAT_TRY(leat_send(p->out, i));
        leat_with_deadline(LEAT_S(10))
            err = leat_recv(p->in, &v);
        LEAT_TRY(err);
        LEAT_TRY(bench_equal("the answer", v, i + 1));
    }
    return LEAT_OK;
}

static leat_err pong_after(struct player *p)
{
    leat_err err;
    for (int64_t i = 0, v; i < p->n; i++) {
        leat_select(err) {
            leat_on_recv(p->in, &v)   { err = leat_send(p->out, v + 1); }
            leat_on_after(LEAT_S(10)) { err = LEAT_DEADLINE; }
        }
        LEAT_TRY(err);
    }
    return LEAT_OK;
}

static leat_err ping_after(struct player *p)
{
    leat_err err;
    for (int64_t i = 0, v; i < p->n; i++) {
        LEAT_TRY(leat_send(p->out, i));
        leat_select(err) {
            leat_on_recv(p->in, &v)   { err = bench_equal("the answer", v, i + 1); }
            leat_on_after(LEAT_S(10)) { err = LEAT_DEADLINE; }
        }
        LEAT_TRY(err);
    }
    return LEAT_OK;
}

typedef leat_err player_fn(struct player *p);

static leat_err play(const char *name, player_fn *asks, player_fn *answers, int64_t n)
{
    leat_auto leat_chan(int64_t) there = leat_chan_make(int64_t, 0);
    leat_auto leat_chan(int64_t) back = leat_chan_make(int64_t, 0);
    leat_err err;
    leat_time start = leat_now();
    leat_with_group(g, err) {
        LEAT_TRY(leat_go(&g, answers, (struct player){ leat_rx_of(there), leat_tx_of(back), n }));
        LEAT_TRY(leat_go(&g, asks, (struct player){ leat_rx_of(back), leat_tx_of(there), n }));
    }
    LEAT_TRY(err);
    bench_per(name, start, n);
    return LEAT_OK;
}

static leat_err pingpong(int64_t n)          { return play("pingpong", ping, pong, n); }
static leat_err pingpong_deadline(int64_t n) { return play("pingpong-deadline", ping_deadline, pong_deadline, n); }
static leat_err select_after(int64_t n)      { return play("select-after", ping_after, pong_after, n); }

static leat_err pingpong_cancel(int64_t n)
{
    leat_err err = LEAT_OK;
    leat_with_cancel(ctx) {
        err = play("pingpong-cancel", ping, pong, n);
        leat_cancel(ctx, LEAT_OK);
    }
    return err;
}

struct producer { leat_tx(int64_t) out; int64_t n; };
struct consumer { leat_rx(int64_t) in; int64_t n, *sum; };

static leat_err producer(struct producer *p)
{
    for (int64_t i = 1; i <= p->n; i++)
        LEAT_TRY(leat_send(p->out, i));
    return LEAT_OK;
}

static leat_err consumer(struct consumer *c)
{
    int64_t sum = 0;
    for (int64_t i = 0, v; i < c->n; i++) {
        LEAT_TRY(leat_recv(c->in, &v));
        sum += v;
    }
    *c->sum = sum;
    return LEAT_OK;
}

struct crowd { int tasks; size_t capacity; };        /* so many producers and as many consumers */

static leat_err transfer(const char *name, struct crowd crowd, int64_t n)
{
    leat_auto leat_chan(int64_t) c = leat_chan_make(int64_t, crowd.capacity);
    int64_t sums[8] = { 0 }, total = 0, each = n / crowd.tasks + 1;
    leat_err err;
    leat_time start = leat_now();
    leat_with_group(g, err)
        for (int i = 0; i < crowd.tasks; i++) {
            LEAT_TRY(leat_go(&g, consumer, (struct consumer){ leat_rx_of(c), each, &sums[i] }));
            LEAT_TRY(leat_go(&g, producer, (struct producer){ leat_tx_of(c), each }));
        }
    LEAT_TRY(err);
    bench_per(name, start, each * crowd.tasks);
    for (int i = 0; i < crowd.tasks; i++)
        total += sums[i];
    return bench_equal("the sum", total, crowd.tasks * (each * (each + 1) / 2));
}

static leat_err buffered_1x1(int64_t n)   { return transfer("buffered-1x1", (struct crowd){ 1, 128 }, n); }
static leat_err buffered_4x4(int64_t n)   { return transfer("buffered-4x4", (struct crowd){ 4, 128 }, n); }
static leat_err unbuffered_4x4(int64_t n) { return transfer("unbuffered-4x4", (struct crowd){ 4, 0 }, n); }

const struct bench bench_chan[] = {
    { "pingpong", 1000000, pingpong },
    { "pingpong-deadline", 1000000, pingpong_deadline },
    { "pingpong-cancel", 1000000, pingpong_cancel },
    { "select-after", 1000000, select_after },
    { "buffered-1x1", 5000000, buffered_1x1 },
    { "buffered-4x4", 4000000, buffered_4x4 },
    { "unbuffered-4x4", 2000000, unbuffered_4x4 },
    { 0 }
};
