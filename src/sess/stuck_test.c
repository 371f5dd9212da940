/* stuck_test.c - a network that lets every hello through and nothing of what comes after it, as where only short packets have a way: links
 * are made again and again, and a session that gets nowhere ends like one that has none. */
#include "pair.h"
#include "relay.h"
#include "sess/impl.h"

LEAT_STRUCT(num, (uint64, n));

enum { LONG_S = 15, GRACE_MS = 400, ELEMS = 3, STEP = 16, MOST_LINKS = 60 };/* LONG_S: many times what it may take */
struct stuck {
    leat_node *a, *b;
    leat_peer *p;
    leat_chan(struct num) c, out;                    /* a's; out's receive end is b's */
    leat_tx(struct num) tx;
    leat_rx(struct num) rx;
};
static uint32_t hello[2];                            /* bytes */

/* Nodes that are called the same, and have time. */
static void measure_hello(void)
{
    leat_node *a, *b;
    leat_peer *p;
    relay_heal();
    at_store(&relay.passed[UP], 0);
    at_store(&relay.passed[DOWN_], 0);
    CHECK_EQ(leat_node_open(NULL, &a), LEAT_OK);
    CHECK_EQ(leat_node_open(NULL, &b), LEAT_OK);
    CHECK_EQ(leat_node_listen(a, url), LEAT_OK);
    CHECK_EQ(leat_node_dial(b, relay_open(leat_node_url(a)), &p), LEAT_OK);
    for (int way = 0; way < 2; way++)
        hello[way] = (uint32_t)at_load(&relay.passed[way]);
    leat_node_close(b);
    leat_node_close(a);
    relay_close();
}

static struct stuck stuck_open(uint32_t cap)
{
    struct stuck x = { .c = leat_chan_make(struct num, cap), .out = leat_chan_make(struct num, ELEMS) };
    leat_node_opts o = { .idle = LEAT_MS(60), .patience = LEAT_MS(60), .grace = LEAT_MS(GRACE_MS) };
    relay_heal();
    at_store(&relay.links, 0);
    CHECK_EQ(leat_node_open(&o, &x.a), LEAT_OK);
    CHECK_EQ(leat_node_open(&o, &x.b), LEAT_OK);
    CHECK_EQ(leat_export(x.a, "c", leat_tx_of(x.c), num), LEAT_OK);
    CHECK_EQ(leat_export(x.a, "out", leat_rx_of(x.out), num), LEAT_OK);
    CHECK_EQ(leat_node_listen(x.a, url), LEAT_OK);
    CHECK_EQ(relay_dial(x.b, x.a, &x.p), LEAT_OK);
    CHECK_EQ(leat_import(x.p, "c", &x.tx, num, 0), LEAT_OK);
    CHECK_EQ(leat_import(x.p, "out", &x.rx, num, 0), LEAT_OK);
    return x;
}

/* After these bytes nothing but hellos goes that way. */
static void stuck_begin(int way, int64_t after, bool swallows)
{
    at_store(&relay.swallows, swallows);
    at_store(&relay.each[way], hello[way] + 1);
    at_store(&relay.left[way], after);
}

static void stuck_close(struct stuck *x)
{
    at_store(&relay.each[UP], 0);
    at_store(&relay.each[DOWN_], 0);
    at_store(&relay.swallows, 0);
    relay_cut();
    leat_unref(x->tx);
    leat_unref(x->rx);
    leat_node_close(x->b);
    leat_node_close(x->a);
    leat_unref(x->c);
    leat_unref(x->out);
    relay_close();
}

/* true: it was found out here; else the other node did so first, and said that it knows the session no more. */
static bool flush_stuck(int way, bool swallows)
{
    struct stuck x = stuck_open(ELEMS);
    leat_tx(struct num) tx = way == UP ? x.tx : leat_tx_of(x.out);
    leat_err err = LEAT_OK;
    CHECK_EQ(leat_send(tx, { 0 }), LEAT_OK);
    CHECK_EQ(leat_flush(tx), LEAT_OK);
    stuck_begin(way, 0, swallows);
    leat_with_deadline(LEAT_S(LONG_S)) {
        err = leat_send(tx, { 1 });
        err = err == LEAT_OK ? leat_flush(tx) : err;
    }
    CHECK_EQ(err, LEAT_UNKNOWN);
    CHECK_EQ(leat_err_why(), LEAT_PEER_LOST);
    bool own = strstr(leat_err_detail(), "links were made, and in 0.4 s nothing of what was sent has arrived");
    if (!own)
        CHECK_HAS(leat_err_detail(), "the session has ended");
    leat_with_deadline(LEAT_S(LONG_S))
        CHECK_EQ(leat_peer_wait(x.p), LEAT_PEER_LOST);
    CHECK(at_load(&relay.links) < MOST_LINKS);               /* each is told from the next by a pause */
    stuck_close(&x);
    return own;
}

static leat_err flushes(leat_none *none)
{
    int own = 0;
    (void)none;
    measure_hello();
    for (int way = 0; way < 2; way++)
        for (int swallows = 0; swallows < 2; swallows++)
            own += flush_stuck(way, swallows);
    CHECK(own > 0);
    return LEAT_OK;
}
ANYWHERE(a_session_of_which_only_hellos_arrive_ends_after_its_grace, flushes)

static leat_err takes(leat_chan(struct num) *c)
{
    struct num v;
    while (leat_recv(*c, &v) == LEAT_OK)
        ;
    return LEAT_OK;
}

/* Sends, if somebody receives soon. */
static leat_err choose(struct stuck *x)
{
    leat_err err = LEAT_OK;
    struct num v = { 1 };
    leat_with_deadline(LEAT_S(LONG_S))
        leat_select(err) {
            leat_on_send(x->tx, &v) { }
            leat_on_after(LEAT_MS(100)) { }
        }
    return err;
}

/* A select whose offer is out ends with its session, wherever in their talk the network closes. */
static leat_err selects(leat_none *none)
{
    uint64_t bytes = 1;
    uint32_t unknown = 0;
    (void)none;
    measure_hello();
    for (uint64_t after = 0; after < bytes; after += STEP) {
        struct stuck x = stuck_open(0);
        leat_err err;
        leat_with_group(g, err) {
            CHECK_EQ(leat_go(&g, takes, x.c), LEAT_OK);
            uint64_t was = at_load(&relay.passed[UP]);
            CHECK_EQ(choose(&x), LEAT_OK);
            bytes = MAX(bytes, at_load(&relay.passed[UP]) - was);
            stuck_begin(UP, (int64_t)after, false);
            leat_err e = choose(&x);
            CHECK(e == LEAT_OK || ((e == LEAT_UNKNOWN || e == LEAT_PEER_LOST) && sess_ended(sess_of(x.p))));
            unknown += e == LEAT_UNKNOWN;
            leat_close(x.c);
        }
        CHECK_EQ(err, LEAT_OK);
        stuck_close(&x);
    }
    CHECK(unknown > 0);
    return LEAT_OK;
}
TEST(a_select_whose_offer_is_out_ends_with_the_session_of_which_only_hellos_arrive) { AT(INPROC, selects); }

T_MAIN()
