/* large_test.c - values with large parts, owned and borrowed, of every length near where they are cut: what arrives is what was sent, and
 * what was given away is given back once. */
#include <stdlib.h>
#include "base/alloc.h"
#include "pair.h"
#include "relay.h"
#include "sess/impl.h"

LEAT_STRUCT(real, (float64, v));
LEAT_STRUCT(item, (string, text), (int32, k));
LEAT_STRUCT(big, (int64, id), (string, name), (bytes, data), (list(real), xs), (list(item), items), (string, tail));

enum { AHEAD = 3, LONGEST = 1 << 20 };
static uint64_t rounds(void) { return getenv("T_QUICK") ? 40 : 150; }

/* -- a value that its number decides ---------------------------------------------------------------------------------------------- */
static uint32_t mix(uint64_t x)
{
    x = (x ^ x >> 31) * UINT64_C(0x9e3779b97f4a7c15);
    return (uint32_t)(x >> 32);
}

static uint32_t some_length(uint64_t id, uint32_t which)
{
    static const uint32_t at[] = { 0, 1, 100, 2047, 2048, 4095, 4096, 4097, 8192, 16383, 16384, 16385, 61440, 61441, 65536, 200000 };
    uint32_t x = mix(id * 8 + which);
    if (x % 41 == 0)
        return LONGEST;
    return at[x % ARRAY_LEN(at)] + (x >> 16) % 3;
}

static uint8_t byte_of(uint64_t id, uint32_t which, uint32_t i) { return (uint8_t)(mix(id * 8 + which) + i * 7 + (i >> 8)); }

/* Memory that the value is to own, or memory that the test gives back. */
static struct borrowed { void *p[8]; int n; } borrowed;

static void *memory(uint64_t id, uint32_t which, size_t n, bool *own)
{
    void *p = n ? malloc(n) : NULL;
    *own = n && mix(id * 8 + which) % 5;
    if (p && !*own)
        borrowed.p[borrowed.n++] = p;
    return p;
}

static uint8_t *some_bytes(uint64_t id, uint32_t which, uint32_t *n, uint32_t *own)
{
    bool mine;
    *n = some_length(id, which);
    uint8_t *p = memory(id, which, *n, &mine);
    for (uint32_t i = 0; i < *n; i++)
        p[i] = byte_of(id, which, i);
    *own = mine;
    return p;
}

static struct big make(uint64_t id)
{
    struct big x = { .id = (int64_t)id };
    bool own;
    x.name.p = (const char *)some_bytes(id, 0, &x.name.len, &x.name.owned);
    x.data.p = some_bytes(id, 1, &x.data.len, &x.data.owned);
    x.tail.p = (const char *)some_bytes(id, 2, &x.tail.len, &x.tail.owned);
    x.xs.len = some_length(id, 3) / 8;
    x.xs.at = memory(id, 3, (size_t)x.xs.len * 8, &own);
    x.xs.cap = own ? x.xs.len : 0;
    for (uint32_t i = 0; i < x.xs.len; i++)
        x.xs.at[i].v = (double)byte_of(id, 3, i);
    for (uint32_t i = 0; i < id % 4; i++) {
        struct item it = { .k = (int32_t)i };
        CHECK_EQ(leat_string_dup("some text", 9, &it.text), LEAT_OK);
        CHECK_EQ(leat_push(&x.items, it), LEAT_OK);
    }
    return x;
}

static void give_back(void)
{
    while (borrowed.n)
        free(borrowed.p[--borrowed.n]);
}

static bool same_bytes(uint64_t id, uint32_t which, const void *p, uint32_t n)
{
    const uint8_t *b = p;
    if (n != some_length(id, which))
        return false;
    for (uint32_t i = 0; i < n; i++)
        if (b[i] != byte_of(id, which, i))
            return false;
    return true;
}

static void check(uint64_t id, const struct big *x)
{
    CHECK_EQ(x->id, (int64_t)id);
    CHECK(same_bytes(id, 0, x->name.p, x->name.len));
    CHECK(same_bytes(id, 1, x->data.p, x->data.len));
    CHECK(same_bytes(id, 2, x->tail.p, x->tail.len));
    CHECK_EQ(x->xs.len, some_length(id, 3) / 8);
    for (uint32_t i = 0; i < x->xs.len; i++)
        CHECK(x->xs.at[i].v == (double)byte_of(id, 3, i));
    CHECK_EQ(x->items.len, (uint32_t)(id % 4));
    for (uint32_t i = 0; i < x->items.len; i++)
        CHECK(x->items.at[i].k == (int32_t)i && x->items.at[i].text.len == 9);
}

/* -- one channel -------------------------------------------------------------------------------------------------------------------- */
struct sends { leat_tx(struct big) out; uint64_t from, n; };
static leat_err send_all(struct sends *s)
{
    for (uint64_t i = s->from; i < s->from + s->n; i++) {
        struct big x = make(i);
        leat_err err = leat_send_from(s->out, &x);
        CHECK_EQ(err, LEAT_OK);
        give_back();                                 /* what was borrowed is the sender's again */
    }
    leat_close(s->out);
    return LEAT_OK;
}

static void receive_all(leat_chan(struct big) in, uint64_t from, uint64_t n)
{
    leat_err err;
    uint64_t id = from;
    leat_each(x, in, err) {
        check(id++, &x);
        leat_drop(big, &x);
    }
    CHECK_EQ(err, LEAT_OK);
    CHECK_EQ(id, from + n);
}

static leat_err over(uint32_t cap)
{
    struct pair x = pair_open();
    leat_chan(struct big) in = leat_chan_make(struct big, cap);
    leat_tx(struct big) out = NULL;
    leat_err err;
    CHECK_EQ(leat_export(x.a, "in", leat_tx_of(in), big), LEAT_OK);
    CHECK_EQ(leat_import(x.p, "in", &out, big, 0), LEAT_OK);
    leat_unexport(x.a, "in");
    leat_with_group(g, err) {
        CHECK_EQ(leat_go(&g, send_all, (struct sends){ out, 1, rounds() }), LEAT_OK);
        receive_all(in, 1, rounds());
    }
    CHECK_EQ(err, LEAT_OK);
    leat_unref(out);
    leat_unref(in);
    pair_close(&x);
    return LEAT_OK;
}
static leat_err buffered(leat_none *none) { (void)none; return over(AHEAD); }
static leat_err unbuffered(leat_none *none) { (void)none; return over(0); }
ANYWHERE(what_is_large_arrives_as_it_was_sent, buffered)
ANYWHERE(what_is_large_arrives_as_it_was_sent_without_a_buffer, unbuffered)

/* -- through a relay ---------------------------------------------------------------------------------------------------------------- */
LEAT_STRUCT(way, (tx(big), out));

/* b passes its send end on to c. */
static leat_err relayed(leat_none *none)
{
    (void)none;
    struct pair x = pair_open();
    leat_node *c = NULL;
    leat_peer *p = NULL;
    leat_chan(struct big) in = leat_chan_make(struct big, AHEAD);
    leat_chan(struct way) ways = leat_chan_make(struct way, 1);
    leat_tx(struct big) out = NULL;
    leat_tx(struct way) to = NULL;
    struct way w;
    leat_err err;
    CHECK_EQ(leat_export(x.a, "in", leat_tx_of(in), big), LEAT_OK);
    CHECK_EQ(leat_import(x.p, "in", &out, big, 0), LEAT_OK);
    leat_unexport(x.a, "in");
    CHECK_EQ(leat_node_open(&(leat_node_opts){ .name = "node c" }, &c), LEAT_OK);
    CHECK_EQ(leat_export(c, "ways", leat_tx_of(ways), way), LEAT_OK);
    CHECK_EQ(leat_node_listen(c, another_url()), LEAT_OK);
    CHECK_EQ(leat_node_dial(x.b, leat_node_url(c), &p), LEAT_OK);
    CHECK_EQ(leat_import(p, "ways", &to, way, 0), LEAT_OK);
    CHECK_EQ(leat_send(to, { out }), LEAT_OK);
    CHECK_EQ(leat_recv(ways, &w), LEAT_OK);
    leat_with_group(g, err) {
        CHECK_EQ(leat_go(&g, send_all, (struct sends){ w.out, 1, rounds() }), LEAT_OK);
        receive_all(in, 1, rounds());
    }
    CHECK_EQ(err, LEAT_OK);
    leat_drop(way, &w);
    leat_unref(to);
    leat_unref(ways);
    leat_unref(in);
    leat_node_close(c);
    pair_close(&x);
    return LEAT_OK;
}
ANYWHERE(what_is_large_passes_a_relay, relayed)

/* -- links that break ------------------------------------------------------------------------------------------------------------- */
static void through_breaks(uint32_t cap, uint64_t from, uint64_t n)
{
    leat_node *a = NULL, *b = NULL;
    leat_peer *p = NULL;
    leat_err err;
    leat_node_opts o = { .idle = LEAT_MS(50), .patience = LEAT_MS(50) };     /* the last ACK of all is missed no longer */
    leat_chan(struct big) in = leat_chan_make(struct big, cap);
    leat_tx(struct big) out = NULL;
    CHECK_EQ(leat_node_open(&o, &a), LEAT_OK);
    CHECK_EQ(leat_node_open(&o, &b), LEAT_OK);
    CHECK_EQ(leat_export(a, "in", leat_tx_of(in), big), LEAT_OK);
    CHECK_EQ(leat_node_listen(a, url), LEAT_OK);
    CHECK_EQ(relay_dial(b, a, &p), LEAT_OK);
    CHECK_EQ(leat_import(p, "in", &out, big, 0), LEAT_OK);
    leat_unexport(a, "in");
    leat_with_group(g, err) {
        CHECK_EQ(leat_go(&g, send_all, (struct sends){ out, from, n }), LEAT_OK);
        receive_all(in, from, n);
    }
    CHECK_EQ(err, LEAT_OK);
    leat_unref(out);
    leat_ignore(leat_node_close(b));
    leat_ignore(leat_node_close(a));
    leat_unref(in);
    relay_close();
}

/* A conversation of a few values, of which one is long, broken once at each of many bytes. */
enum { FEW = 3, FIRST = 40 };
static leat_err once(uint32_t cap, int64_t up, int64_t down)
{
    at_store(&relay.left[UP], up);
    at_store(&relay.left[DOWN_], down);
    at_store(&relay.cuts, 0);
    leat_with_deadline(LEAT_S(40))
        through_breaks(cap, FIRST, FEW);
    return LEAT_OK;
}

static leat_err many_bytes(leat_none *none)
{
    (void)none;
    uint64_t runs = 0, cuts = 0, total[2], times = getenv("T_QUICK") ? 60 : 400;
    for (uint32_t cap = 0; cap <= AHEAD; cap += AHEAD) {
        at_store(&relay.passed[UP], 0);
        at_store(&relay.passed[DOWN_], 0);
        CHECK_EQ(once(cap, NEVER_CUT, NEVER_CUT), LEAT_OK);
        for (int way = 0; way < 2; way++)
            total[way] = at_load(&relay.passed[way]);
        CHECK(total[UP] > 100000);
        for (int way = 0; way < 2; way++)
            for (uint64_t at = 1 + cap; at < total[way]; at += 1 + total[way] / (way == UP ? times : times / 8), runs++) {
                CHECK_EQ(once(cap, way == UP ? (int64_t)at : NEVER_CUT, way == DOWN_ ? (int64_t)at : NEVER_CUT), LEAT_OK);
                cuts += at_load(&relay.cuts);
            }
    }
    CHECK(cuts > runs * 8 / 10);
    return LEAT_OK;
}
TEST(what_is_large_arrives_once_wherever_the_link_breaks) { AT(INPROC, many_bytes); }

static leat_err now_and_then(leat_none *none)
{
    (void)none;
    relay.every = 300000;
    at_store(&relay.left[UP], 30000);
    at_store(&relay.left[DOWN_], 3000);
    leat_with_deadline(LEAT_S(50))
        through_breaks(AHEAD, 1, rounds());
    CHECK(at_load(&relay.cuts) > 10);
    relay.every = 0;
    return LEAT_OK;
}
ANYWHERE(what_is_large_arrives_once_though_links_break_now_and_then, now_and_then)

/* -- who else has something to send ------------------------------------------------------------------------------------------------ */
enum { MANY_ITEMS = 200000, MUCH = 1 << 20, PATIENT = 3000 };
static struct { struct sess *s; _Atomic uint32_t asks, alone; } growing;

/* Somebody asks for much memory, and somebody keeps others from the sender's session meanwhile. */
static bool grows(void *self, size_t bytes)
{
    (void)self;
    if (bytes < MUCH)
        return false;
    atomic_fetch_add(&growing.asks, 1);
    for (int i = 0; i < PATIENT; i++) {              /* who has it for a moment is not meant */
        if (!at_load(&growing.s->out_lock))
            return false;
        usleep(1000);
    }
    atomic_fetch_add(&growing.alone, 1);
    return false;
}

static leat_err takes_one(leat_chan(struct big) *c)
{
    struct big v;
    CHECK_EQ(leat_recv(*c, &v), LEAT_OK);
    CHECK_EQ(v.items.len, MANY_ITEMS);
    CHECK_EQ(v.items.at[MANY_ITEMS - 1].k, MANY_ITEMS - 1);
    leat_drop(big, &v);
    return LEAT_OK;
}

/* The first element of a channel may be of any length: that shows while it is encoded. */
static leat_err first_is_large(leat_none *none)
{
    static const struct mem_hook hook = { grows, NULL };
    struct pair x = pair_open();
    leat_auto leat_chan(struct big) c = leat_chan_make(struct big, 2);
    leat_tx(struct big) tx = NULL;
    struct big v = { .id = 1 };
    leat_err err;
    (void)none;
    CHECK_EQ(leat_export(x.a, "c", leat_tx_of(c), big), LEAT_OK);
    CHECK_EQ(leat_import(x.p, "c", &tx, big, 0), LEAT_OK);
    for (int i = 0; i < MANY_ITEMS; i++) {
        struct item it = { .k = i };
        CHECK_EQ(leat_string_dup("twenty bytes of text", 20, &it.text), LEAT_OK);
        CHECK_EQ(leat_push(&v.items, it), LEAT_OK);
    }
    growing.s = sess_of(x.p);
    leat_with_group(g, err) {
        CHECK_EQ(leat_go(&g, takes_one, c), LEAT_OK);
        __atomic_store_n(&mem_hook, &hook, __ATOMIC_RELAXED);
        CHECK_EQ(leat_send_from(tx, &v), LEAT_OK);
    }
    __atomic_store_n(&mem_hook, NULL, __ATOMIC_RELAXED);
    CHECK_EQ(err, LEAT_OK);
    CHECK(at_load(&growing.asks) > 0);
    CHECK_EQ(at_load(&growing.alone), 0);
    leat_unref(tx);
    pair_close(&x);
    return LEAT_OK;
}
ANYWHERE(the_first_large_element_of_a_channel_keeps_nobody_from_the_session, first_is_large)

T_MAIN()
