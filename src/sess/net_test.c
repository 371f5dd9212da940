/* net_test.c - channels between nodes: names, credits, rendezvous, close, finish, loss, ends inside values.  Two or more nodes of one
 * process, at every kind of address. */
#include "t.h"
#include "chan/chan.h"
#include "sess/sess.h"

LEAT_STRUCT(num, (uint64, n));
LEAT_STRUCT(other, (string, n));
LEAT_STRUCT(word, (string, text), (uint64, times));
LEAT_STRUCT(parcel, (uint64, n), (tx(num), out), (rx(num), in));

static const char *url = "inproc:a";

struct pair { leat_node *a, *b; leat_peer *p; };    /* b has dialed a */

static struct pair pair_open(void)
{
    struct pair x = { NULL, NULL, NULL };
    CHECK_EQ(leat_node_open(&(leat_node_opts){ .name = "node a" }, &x.a), LEAT_OK);
    CHECK_EQ(leat_node_open(&(leat_node_opts){ .name = "node b" }, &x.b), LEAT_OK);
    CHECK_EQ(leat_node_listen(x.a, url), LEAT_OK);
    CHECK_EQ(leat_node_dial(x.b, leat_node_url(x.a), &x.p), LEAT_OK);
    return x;
}

static void pair_close(struct pair *x)
{
    leat_node_close(x->b);
    leat_node_close(x->a);
}

static void quiet(int level, const char *line) { (void)level; (void)line; }
static const leat_opts quiet_opts = { .log = quiet };

#define ANYWHERE(name, fn) \
    static void fn##_run(const char *at) { url = at; CHECK_EQ(leat_run(&quiet_opts, fn, LEAT_NONE), LEAT_OK); } \
    TEST(name##_inproc) { fn##_run("inproc:a"); }

/* -- senders elsewhere ------------------------------------------------------------------------------------------------------------ */
struct feed { leat_tx(struct num) out; uint64_t from, count; bool finish; };
static leat_err feed(struct feed *f)
{
    for (uint64_t i = 0; i < f->count; i++)
        LEAT_TRY(leat_send(f->out, { .n = f->from + i }));
    if (f->finish)
        leat_unref(f->out);
    return LEAT_OK;
}

static size_t cap;

static leat_err in_order(leat_none *none)
{
    (void)none;
    struct pair x = pair_open();
    leat_chan(struct num) c = leat_chan_make(struct num, cap);
    leat_tx(struct num) out = NULL;
    leat_err err;
    struct num v;
    uint64_t want = 0;
    CHECK_EQ(leat_export(x.a, "nums", leat_tx_of(c), num), LEAT_OK);
    CHECK_EQ(leat_import(x.p, "nums", &out, num, 0), LEAT_OK);
    CHECK_EQ(leat_cap(out), cap);
    leat_unexport(x.a, "nums");
    leat_finish(c);
    leat_with_group(g, err) {
        LEAT_TRY(leat_go(&g, feed, (struct feed){ out, 0, 2000, true }));
        while ((err = leat_recv(c, &v)) == LEAT_OK)
            CHECK_EQ(v.n, want++);
        CHECK_EQ(err, LEAT_CLOSED);
        err = LEAT_OK;
    }
    CHECK_EQ(want, 2000);
    leat_unref(c);
    pair_close(&x);
    return err;
}
static leat_err in_order_1(leat_none *n) { cap = 1; return in_order(n); }
static leat_err in_order_0(leat_none *n) { cap = 0; return in_order(n); }
static leat_err in_order_16(leat_none *n) { cap = 16; return in_order(n); }
static leat_err in_order_1000(leat_none *n) { cap = 1000; return in_order(n); }
ANYWHERE(elements_arrive_in_order_capacity_0, in_order_0)
ANYWHERE(elements_arrive_in_order_capacity_1, in_order_1)
ANYWHERE(elements_arrive_in_order_capacity_16, in_order_16)
ANYWHERE(elements_arrive_in_order_capacity_1000, in_order_1000)

T_MAIN()
