/* net_pairs.c - one channel between two processes: round trips, and streams of elements of every size. */
#include <stdlib.h>
#include "net.h"

enum { NUMBERS_AHEAD = 4096, BLOCKS_AHEAD = 1024, BLOBS_AHEAD = 8 };   /* room of a streaming channel: elements under way */

static leat_err serve_pingpong(struct server *s)
{
    leat_auto leat_chan(struct number) there = leat_chan_make(struct number, 0);
    leat_auto leat_chan(struct number) back = leat_chan_make(struct number, 0);
    leat_err err;
    LEAT_TRY(leat_export(s->node, "there", leat_tx_of(there), number));
    LEAT_TRY(leat_export(s->node, "back", leat_rx_of(back), number));
    LEAT_TRY(server_listen(s));
    leat_each(x, there, err)
        LEAT_TRY(leat_send(back, { x.v + 1 }));
    leat_close(back);
    return err;
}

leat_err net_serve_sum(struct server *s, size_t ahead)
{
    leat_auto leat_chan(struct number) in = leat_chan_make(struct number, ahead);
    leat_auto leat_chan(struct number) sum = leat_chan_make(struct number, 1);
    int64_t total = 0;
    leat_err err;
    LEAT_TRY(leat_export(s->node, "in", leat_tx_of(in), number));
    LEAT_TRY(leat_export(s->node, "sum", leat_rx_of(sum), number));
    LEAT_TRY(server_listen(s));
    leat_each(x, in, err)
        total += x.v;
    LEAT_TRY(err);
    return leat_send(sum, { total });
}

static leat_err serve_numbers(struct server *s) { return net_serve_sum(s, NUMBERS_AHEAD); }

static leat_err serve_blocks(struct server *s)
{
    leat_auto leat_chan(struct block) in = leat_chan_make(struct block, BLOCKS_AHEAD);
    leat_auto leat_chan(struct number) sum = leat_chan_make(struct number, 1);
    uint64_t total = 0;
    leat_err err;
    LEAT_TRY(leat_export(s->node, "in", leat_tx_of(in), block));
    LEAT_TRY(leat_export(s->node, "sum", leat_rx_of(sum), number));
    LEAT_TRY(server_listen(s));
    leat_each(x, in, err)
        total += x.words[0] + x.words[127];
    LEAT_TRY(err);
    return leat_send(sum, { (int64_t)total });
}

static leat_err run_pingpong(struct client *c)
{
    leat_auto leat_tx(struct number) there = NULL;
    leat_auto leat_rx(struct number) back = NULL;
    struct number x;
    LEAT_TRY(leat_import(c->peer, "there", &there, number, 0));
    LEAT_TRY(leat_import(c->peer, "back", &back, number, 0));
    leat_time start = leat_now();
    for (int64_t i = 0; i < c->n; i++) {
        LEAT_TRY(leat_send(there, { i }));
        LEAT_TRY(leat_recv(back, &x));
        LEAT_TRY(net_equal("the answer", x.v, i + 1));
    }
    net_result(c->name, "us", (double)leat_since(start).ns / 1e3 / (double)c->n);
    leat_close(there);
    return LEAT_OK;
}

/* The time runs until the other side has received the last one and its sum is here. */
static leat_err run_numbers(struct client *c)
{
    leat_auto leat_tx(struct number) out = NULL;
    leat_auto leat_rx(struct number) sum = NULL;
    struct number x;
    LEAT_TRY(leat_import(c->peer, "in", &out, number, NUMBERS_AHEAD));
    LEAT_TRY(leat_import(c->peer, "sum", &sum, number, 1));
    leat_time start = leat_now();
    for (int64_t i = 0; i < c->n; i++)
        LEAT_TRY(leat_send(out, { i }));
    leat_close(out);
    LEAT_TRY(leat_recv(sum, &x));
    net_per_second(c->name, start, c->n);
    return net_equal("the sum", x.v, c->n * (c->n - 1) / 2);
}

static leat_err run_blocks(struct client *c)
{
    leat_auto leat_tx(struct block) out = NULL;
    leat_auto leat_rx(struct number) sum = NULL;
    struct block b = { { 0 } };
    struct number x;
    LEAT_TRY(leat_import(c->peer, "in", &out, block, BLOCKS_AHEAD));
    LEAT_TRY(leat_import(c->peer, "sum", &sum, number, 1));
    leat_time start = leat_now();
    for (int64_t i = 0; i < c->n; i++) {
        b.words[0] = b.words[127] = (uint64_t)i;
        LEAT_TRY(leat_send_from(out, &b));
    }
    leat_close(out);
    LEAT_TRY(leat_recv(sum, &x));
    net_per_second(c->name, start, c->n);
    return net_equal("the sum", x.v, c->n * (c->n - 1));
}

/* Elements of n bytes, of which the first and the last are looked at. */
static leat_err serve_blobs(struct server *s)
{
    leat_auto leat_chan(struct blob) in = leat_chan_make(struct blob, BLOBS_AHEAD);
    leat_auto leat_chan(struct number) sum = leat_chan_make(struct number, 1);
    int64_t total = 0;
    leat_err err;
    LEAT_TRY(leat_export(s->node, "in", leat_tx_of(in), blob));
    LEAT_TRY(leat_export(s->node, "sum", leat_rx_of(sum), number));
    LEAT_TRY(server_listen(s));
    leat_each(x, in, err) {
        total += x.data.p[0] + x.data.p[x.data.len - 1];
        leat_drop(blob, &x);
    }
    LEAT_TRY(err);
    return leat_send(sum, { total });
}

/* Where the next element's bytes are: memory of the program, which is the same for all, or memory that moves with the element. */
static leat_err next_blob(uint8_t *same, uint32_t size, int64_t i, struct blob *b)
{
    uint8_t *mem = same ? same : malloc(size);
    if (!mem)
        return LEAT_NOMEM;
    mem[0] = mem[size - 1] = (uint8_t)i;
    b->data = (leat_bytes){ mem, size, same == NULL };
    return LEAT_OK;
}

static leat_err send_blobs(struct client *c, uint8_t *same, uint32_t size)
{
    leat_auto leat_tx(struct blob) out = NULL;
    leat_auto leat_rx(struct number) sum = NULL;
    struct number x;
    struct blob b;
    int64_t want = 0;
    LEAT_TRY(leat_import(c->peer, "in", &out, blob, BLOBS_AHEAD));
    LEAT_TRY(leat_import(c->peer, "sum", &sum, number, 1));
    leat_time start = leat_now();
    for (int64_t i = 0; i < c->n; i++) {
        LEAT_TRY(next_blob(same, size, i, &b));
        LEAT_TRY(leat_send_from(out, &b));
        want += 2 * (uint8_t)i;
    }
    leat_close(out);
    LEAT_TRY(leat_recv(sum, &x));
    net_result(c->name, "MB/s", (double)c->n * size / 1e6 / ((double)leat_since(start).ns / 1e9));
    return net_equal("the sum", x.v, want);
}

enum { BLOB = 1 << 20 };
static leat_err run_blobs_1m(struct client *c) { return send_blobs(c, NULL, BLOB); }

static leat_err run_blobs_1m_same(struct client *c)
{
    uint8_t *mem = calloc(1, BLOB);
    leat_err err = mem ? send_blobs(c, mem, BLOB) : LEAT_NOMEM;
    free(mem);
    return err;
}

const struct net_bench net_pairs[] = {
    { "tcp-pingpong", 10000, serve_pingpong, run_pingpong, false },
    { "unix-pingpong", 10000, serve_pingpong, run_pingpong, false },
    { "tcp-stream-8", 5000000, serve_numbers, run_numbers, true },
    { "unix-stream-8", 5000000, serve_numbers, run_numbers, true },
    { "tcp-stream-1k", 500000, serve_blocks, run_blocks, false },
    { "tcp-stream-1m", 2000, serve_blobs, run_blobs_1m, false },
    { "tcp-stream-1m-same", 2000, serve_blobs, run_blobs_1m_same, false },
    { "unix-stream-1m", 2000, serve_blobs, run_blobs_1m, false },
    { 0 }
};
