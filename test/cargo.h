/* cargo.h - for tests of receive ends that move with ends of channels in their queues: a road from a sender to a receiver, in one
 * process or between two nodes, and something to move.
 *
 *     BOTH_CAPS(capacity) { struct road r = road_open(capacity); struct cargo k; struct crate c = { .items = cargo_new(&k) };
 *         drive(&r, &c); cargo_works(&k, c.items); road_close(&r); } */
#ifndef CARGO_H
#define CARGO_H
#include "pair.h"

LEAT_STRUCT(num, (int64, n));
LEAT_STRUCT(item, (int64, n), (tx(num), out), (rx(num), in), (tx(num), more));
LEAT_STRUCT(crate, (int64, n), (rx(item), items), (tx(item), to), (rx(crate), inner), (tx(crate), self), (tx(num), out));

static bool local;                                   /* sender and receiver are one node, without a session */
#define EVERYWHERE(id, fn) TEST(id##_process) { local = true; AT(INPROC, fn); } ANYWHERE(id, fn)

/* From a sender to a receiver; at a distance they are two nodes. */
struct road { struct pair x; leat_chan(struct crate) post; leat_tx(struct crate) box; };

static inline struct road road_open(uint32_t capacity)
{
    struct road r = { .post = leat_chan_make(struct crate, capacity) };
    if (local) {
        r.box = leat_ref(leat_tx_of(r.post));
        return r;
    }
    r.x = pair_open();
    CHECK_EQ(leat_export(r.x.a, "post", leat_tx_of(r.post), crate), LEAT_OK);
    CHECK_EQ(leat_import(r.x.p, "post", &r.box, crate, 0), LEAT_OK);
    leat_unexport(r.x.a, "post");
    return r;
}

static inline void road_close(struct road *r)
{
    leat_unref(r->box);
    leat_unref(r->post);
    if (!local)
        pair_close(&r->x);
}

struct sending { leat_tx(struct crate) to; struct crate *c; leat_err err; };
static inline leat_err sending(struct sending **arg)
{
    (*arg)->err = leat_send_from((*arg)->to, (*arg)->c);
    return LEAT_OK;
}

/* *c is there then. */
static inline void drive(struct road *r, struct crate *c)
{
    struct sending s = { .to = r->box, .c = c };
    struct crate got;
    leat_err err;
    leat_with_group(g, err) {
        CHECK_EQ(leat_go(&g, sending, (struct sending *){ &s }), LEAT_OK);
        CHECK_EQ(leat_recv(r->post, &got), LEAT_OK);
    }
    CHECK_EQ(err, LEAT_OK);
    CHECK_EQ(s.err, LEAT_OK);
    *c = got;
}

struct one { leat_tx(struct num) to; int64_t n; };
static inline leat_err send_one(struct one *o) { return leat_send(o->to, { o->n }); }

/* What is sent there comes out here. */
static inline void leads(leat_tx(struct num) to, leat_rx(struct num) in, int64_t n)
{
    leat_err err;
    struct num v;
    leat_with_group(g, err) {
        CHECK_EQ(leat_go(&g, send_one, (struct one){ to, n }), LEAT_OK);
        CHECK_EQ(leat_recv(in, &v), LEAT_OK);
        CHECK_EQ(v.n, n);
    }
    CHECK_EQ(err, LEAT_OK);
}

static inline void over(leat_rx(struct num) in)
{
    struct num v;
    CHECK_EQ(leat_recv(in, &v), LEAT_CLOSED);
}

/* The send end of a new channel; the receive end is *in, and alone. */
static inline void *tx_of_new(uint32_t capacity, leat_rx(struct num) *in)
{
    leat_chan(struct num) c = leat_chan_make(struct num, capacity);
    leat_tx(struct num) out = leat_ref(leat_tx_of(c));
    *in = leat_ref(leat_rx_of(c));
    leat_unref(c);
    return (void *)out;
}
static inline void *rx_of_new(uint32_t capacity, leat_tx(struct num) *out)
{
    leat_rx(struct num) in;
    *out = tx_of_new(capacity, &in);
    return (void *)in;
}
static inline void *items_new(uint32_t capacity, leat_tx(struct item) *to)
{
    leat_chan(struct item) c = leat_chan_make(struct item, capacity);
    leat_rx(struct item) in = leat_ref(leat_rx_of(c));
    *to = leat_ref(leat_tx_of(c));
    leat_unref(c);
    return (void *)in;
}

#define BOTH_CAPS(i) for (uint32_t i = 0; i < 5; i += 4)

/* -- all of it arrives ------------------------------------------------------------------------------------------------------------ */
enum { ITEMS = 6 };

/* Each item has the send end of a channel and the receive end of another, in which two numbers are queued. */
struct cargo { leat_rx(struct num) answers[ITEMS]; leat_tx(struct num) feeds[ITEMS]; leat_tx(struct item) to; };

static inline void *cargo_new(struct cargo *k)
{
    leat_rx(struct item) items = items_new(ITEMS + 2, &k->to);
    for (int i = 0; i < ITEMS; i++) {
        struct item v = { .n = i };
        v.out = tx_of_new(2, &k->answers[i]);
        v.in = rx_of_new(3, &k->feeds[i]);
        CHECK_EQ(leat_send(k->feeds[i], { 10 * i }), LEAT_OK);
        CHECK_EQ(leat_send(k->feeds[i], { 10 * i + 1 }), LEAT_OK);
        CHECK_EQ(leat_send_from(k->to, &v), LEAT_OK);
    }
    return (void *)items;
}

static inline void item_works(const struct cargo *k, struct item *v, int64_t i)
{
    struct num n;
    CHECK_EQ(v->n, i);
    leads(v->out, k->answers[i], 100 + i);
    for (int64_t j = 0; j < 2; j++) {
        CHECK_EQ(leat_recv(v->in, &n), LEAT_OK);
        CHECK_EQ(n.n, 10 * i + j);
    }
    leads(k->feeds[i], v->in, 200 + i);
}

/* All items are there, in order, each once, with all that is theirs; then the end. */
static inline void cargo_works(struct cargo *k, leat_rx(struct item) items)
{
    struct item v;
    CHECK_EQ(leat_len(items) <= ITEMS, true);
    for (int i = 0; i < ITEMS; i++) {
        CHECK_EQ(leat_recv(items, &v), LEAT_OK);
        item_works(k, &v, i);
        leat_unref(k->feeds[i]);
        over(v.in);
        leat_drop(item, &v);
        over(k->answers[i]);
        leat_unref(k->answers[i]);
    }
    CHECK_EQ(leat_send(k->to, { .n = 77 }), LEAT_OK);
    leat_unref(k->to);
    CHECK_EQ(leat_recv(items, &v), LEAT_OK);
    CHECK_EQ(v.n, 77);
    CHECK_EQ(leat_recv(items, &v), LEAT_CLOSED);
    leat_unref(items);
}
#endif
