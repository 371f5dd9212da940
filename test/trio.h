/* trio.h - for tests of ends that go on from node to node: three nodes of one process (or four), each joined to the next, and the last
 * to the first; and a way to give an end from one to another as programs do, inside a value.  One LEAT_STRUCT num (uint64 n) and
 * one parcel (uint64 n, tx(num) out, rx(num) in) come with it. */
#ifndef TRIO_H
#define TRIO_H
#include "pair.h"
#include "sess/sess.h"

LEAT_STRUCT(num, (uint64, n));
LEAT_STRUCT(parcel, (uint64, n), (tx(num), out), (rx(num), in));

enum { TRIO_MAX = 4 };
struct trio {
    int n;
    leat_node *at[TRIO_MAX];
    leat_peer *peer[TRIO_MAX];                       /* peer[i]: node i - 1, or the last, as node i knows it: i has dialed */
    leat_tx(struct parcel) to[TRIO_MAX][2];          /* from i to the node before it and to the one behind it */
    leat_rx(struct parcel) from[TRIO_MAX][2];        /* where that arrives */
};

/* Node i dials the one before it; 0 dials the last.  Each pair has a channel of parcels each way. */
static inline struct trio trio_open(int n)
{
    static const char *const names[] = { "node a", "node b", "node c", "node d" };
    struct trio x = { .n = n };
    char at[TRIO_MAX][64];
    for (int i = 0; i < n; i++) {
        if (place == TCP)
            snprintf(at[i], sizeof at[i], "tcp://127.0.0.1:0");
        else if (place == UNIX)
            snprintf(at[i], sizeof at[i], "unix:/tmp/leat-test-%d-%d", (int)getpid(), i);
        else
            snprintf(at[i], sizeof at[i], "inproc:n%d", i);
        CHECK_EQ(leat_node_open(&(leat_node_opts){ .name = names[i] }, &x.at[i]), LEAT_OK);
        CHECK_EQ(leat_node_listen(x.at[i], at[i]), LEAT_OK);
    }
    for (int i = 0; i < n; i++) {
        int k = (i + n - 1) % n;
        CHECK_EQ(leat_node_dial(x.at[i], leat_node_url(x.at[k]), &x.peer[i]), LEAT_OK);
        leat_chan(struct parcel) up = leat_chan_make(struct parcel, 4), down = leat_chan_make(struct parcel, 4);
        leat_tx(struct parcel) out = NULL;
        leat_rx(struct parcel) in = NULL;
        CHECK_EQ(leat_export(x.at[k], "up", leat_tx_of(up), parcel), LEAT_OK);
        CHECK_EQ(leat_export(x.at[k], "down", leat_rx_of(down), parcel), LEAT_OK);
        CHECK_EQ(leat_import(x.peer[i], "up", &out, parcel, 0), LEAT_OK);
        CHECK_EQ(leat_import(x.peer[i], "down", &in, parcel, 0), LEAT_OK);
        leat_unexport(x.at[k], "up");
        leat_unexport(x.at[k], "down");
        x.to[i][0] = out;
        x.from[i][0] = leat_ref(leat_rx_of(up));
        x.to[k][1] = leat_ref(leat_tx_of(down));
        x.from[k][1] = in;
        leat_unref(up);
        leat_unref(down);
    }
    return x;
}

static inline void trio_close(struct trio *x)
{
    for (int i = 0; i < x->n; i++)
        for (int way = 0; way < 2; way++) {
            leat_unref(x->to[i][way]);
            leat_unref(x->from[i][way]);
        }
    for (int i = x->n - 1; i >= 0; i--)
        if (x->at[i])
            leat_node_close(x->at[i]);
}

/* Node i is gone at once, as when its process dies: all its sessions break. */
static inline void trio_dies(struct trio *x, int i)
{
    sess_break(sess_of(x->peer[(i + 1) % x->n]), LEAT_SYS, "the test ends it");      /* first behind it: it must not tell of the other */
    sess_break(sess_of(x->peer[i]), LEAT_SYS, "the test ends it");
}

static inline int trio_way(const struct trio *x, int i, int k) { return k == (i + 1) % x->n; }

/* Moves what *p holds from node i to its neighbour k, where it is *p then. */
static inline void trio_move(struct trio *x, int i, int k, struct parcel *p)
{
    int way = trio_way(x, i, k);
    CHECK_EQ(leat_send_from(x->to[i][way], p), LEAT_OK);
    CHECK_EQ(leat_recv(x->from[i][way], p), LEAT_OK);
}
static inline void *trio_tx_(struct trio *x, int i, int k, leat_tx(struct num) out)
{
    struct parcel p = { .out = out };
    trio_move(x, i, k, &p);
    return (void *)p.out;
}
static inline void *trio_rx_(struct trio *x, int i, int k, leat_rx(struct num) in)
{
    struct parcel p = { .in = in };
    trio_move(x, i, k, &p);
    return (void *)p.in;
}
#define trio_tx(x, i, k, out) ((leat_tx(struct num))trio_tx_(x, i, k, out))
#define trio_rx(x, i, k, in) ((leat_rx(struct num))trio_rx_(x, i, k, in))
#endif
