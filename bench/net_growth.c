/* net_growth.c - how a channel to another process behaves as something grows: n is the size, the number, the capacity. */
#include <stdlib.h>
#include <string.h>
#include "net.h"

enum { SIZE_BYTES = 200000000, SIZE_MOST = 1000000, SIZE_AHEAD = 262144, MANY_OPS = 500000, MANY_AHEAD = 16, ROUNDS = 50 };

static int64_t most(int64_t a, int64_t b) { return a > b ? a : b; }
static int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }

/* -- elements of n bytes through one channel, which has room for SIZE_AHEAD bytes of them: 8 to 1,024 elements ---------------------- */
static leat_err serve_sized(struct server *s)
{
    leat_auto leat_chan(struct blob) in = leat_chan_make(struct blob, (size_t)least(1024, most(8, SIZE_AHEAD / s->n)));
    leat_auto leat_chan(struct number) sum = leat_chan_make(struct number, 1);
    int64_t total = 0;
    leat_err err;
    LEAT_TRY(leat_export(s->node, "in", leat_tx_of(in), blob));
    LEAT_TRY(leat_export(s->node, "sum", leat_rx_of(sum), number));
    LEAT_TRY(server_listen(s));
    leat_each(x, in, err) {
        total += x.data.len;
        leat_drop(blob, &x);
    }
    LEAT_TRY(err);
    return leat_send(sum, { total });
}

static leat_err send_sized(struct client *c, uint8_t *mem)
{
    leat_auto leat_tx(struct blob) out = NULL;
    leat_auto leat_rx(struct number) sum = NULL;
    int64_t ops = least(SIZE_MOST, most(64, SIZE_BYTES / c->n));
    struct number x;
    LEAT_TRY(leat_import(c->peer, "in", &out, blob, 0));
    LEAT_TRY(leat_import(c->peer, "sum", &sum, number, 0));
    leat_time start = leat_now();
    for (int64_t i = 0; i < ops; i++)
        LEAT_TRY(leat_send(out, { { mem, (uint32_t)c->n, 0 } }));
    leat_close(out);
    LEAT_TRY(leat_recv(sum, &x));
    double s = (double)leat_since(start).ns / 1e9;
    net_result("growth-size", "/s", (double)ops / s);
    net_result("growth-size-bytes", "MB/s", (double)ops * (double)c->n / 1e6 / s);
    return net_equal("the bytes", x.v, ops * c->n);
}

static leat_err run_sized(struct client *c)
{
    uint8_t *mem = calloc(1, (size_t)c->n);
    leat_err err = mem ? send_sized(c, mem) : LEAT_NOMEM;
    free(mem);
    return err;
}

/* -- elements of 64 bytes through n channels of one session, in turn; the other side has a task for each ------------------------------- */
struct receiver { leat_rx(struct number) in; leat_tx(struct number) got; };

static leat_err receiver(struct receiver *r)
{
    leat_auto leat_rx(struct number) in = r->in;
    leat_err err;
    int64_t sum = 0;
    leat_each(x, in, err)
        sum += x.v;
    LEAT_TRY(err);
    return leat_send(r->got, { sum });
}

LEAT_STRUCT(number_end, (tx(number), end));

static leat_err one_more(leat_group *g, leat_tx(struct number_end) ends, leat_tx(struct number) got)
{
    leat_chan(struct number) c = leat_chan_make(struct number, MANY_AHEAD);
    struct number_end away = { c ? leat_ref(leat_tx_of(c)) : NULL };
    leat_rx(struct number) rx = c ? leat_ref(leat_rx_of(c)) : NULL;
    leat_err err = c ? leat_send_from(ends, &away) : LEAT_NOMEM;
    if (err)
        leat_drop(number_end, &away);
    if (c)
        leat_unref(c);
    if (!err && !(err = leat_go(g, receiver, (struct receiver){ rx, got })))
        return LEAT_OK;
    leat_unref(rx);
    return err;
}

static leat_err serve_channels(struct server *s)
{
    leat_auto leat_chan(struct number_end) ends = leat_chan_make(struct number_end, 0);
    leat_auto leat_chan(struct number) got = leat_chan_make(struct number, 1024);
    leat_err err;
    LEAT_TRY(leat_export(s->node, "ends", leat_rx_of(ends), number_end));
    LEAT_TRY(leat_export(s->node, "got", leat_rx_of(got), number));
    LEAT_TRY(server_listen(s));
    leat_with_group(g, err)
        for (int64_t i = 0; i < s->n; i++)
            LEAT_TRY(one_more(&g, leat_tx_of(ends), leat_tx_of(got)));
    return err;
}

static leat_err send_around(struct client *c, leat_tx(struct number) *out, leat_rx(struct number) got)
{
    int64_t rounds = MANY_OPS / c->n + 1, want = 0, sum = 0;
    struct number x;
    leat_time start = leat_now();
    for (int64_t i = 0; i < rounds; i++)
        for (int64_t k = 0; k < c->n; k++)
            LEAT_TRY(leat_send(out[k], { i }));
    for (int64_t k = 0; k < c->n; k++)
        leat_close(out[k]);
    for (int64_t k = 0; k < c->n; k++) {
        LEAT_TRY(leat_recv(got, &x));
        sum += x.v;
        want += rounds * (rounds - 1) / 2;
    }
    net_per_second("growth-channels", start, rounds * c->n);
    return net_equal("the sum", sum, want);
}

static leat_err run_channels(struct client *c)
{
    leat_auto leat_rx(struct number_end) ends = NULL;
    leat_auto leat_rx(struct number) got = NULL;
    LEAT_TRY(leat_import(c->peer, "ends", &ends, number_end, 0));
    LEAT_TRY(leat_import(c->peer, "got", &got, number, 0));
    leat_tx(struct number) *out = calloc((size_t)c->n, sizeof *out);
    struct number_end e;
    leat_err err = out ? LEAT_OK : LEAT_NOMEM;
    for (int64_t k = 0; k < c->n && !err; k++)
        if (!(err = leat_recv(ends, &e)))
            out[k] = e.end;
    if (!err)
        err = send_around(c, out, got);
    for (int64_t k = 0; out && k < c->n; k++)
        leat_unref(out[k]);
    free(out);
    return err;
}

/* -- one channel of capacity n, over a path that takes its time --------------------------------------------------------------------- */
static leat_err serve_capacity(struct server *s) { return net_serve_sum(s, (size_t)s->n); }

static leat_err run_capacity(struct client *c)
{
    leat_auto leat_tx(struct number) out = NULL;
    leat_auto leat_rx(struct number) sum = NULL;
    int64_t ops = c->n * ROUNDS;
    struct number x;
    LEAT_TRY(leat_import(c->peer, "in", &out, number, 0));
    LEAT_TRY(leat_import(c->peer, "sum", &sum, number, 0));
    leat_time start = leat_now();
    for (int64_t i = 0; i < ops; i++)
        LEAT_TRY(leat_send(out, { i }));
    leat_close(out);
    LEAT_TRY(leat_recv(sum, &x));
    net_per_second(c->name, start, ops);
    return net_equal("the sum", x.v, ops * (ops - 1) / 2);
}

const struct net_bench net_growth[] = {
    { "growth-size", 1024, serve_sized, run_sized, false },
    { "growth-channels", 100, serve_channels, run_channels, false },
    { "growth-capacity", 64, serve_capacity, run_capacity, false },
    { 0 }
};
