/* select_test.c - selects that offer sends to other processes: one case fires, once, whatever the other sides do meanwhile. */
#include "trio.h"
#include "chan/chan.h"

LEAT_STRUCT(word, (string, text), (uint64, times));

static int rounds(int many, int few) { return getenv("T_QUICK") ? few : many; }

/* a channel whose receive end is with node a, and send ends at both */
struct line { leat_chan(struct num) in; leat_tx(struct num) out; };
static struct line line_at(leat_node *a, leat_peer *p, const char *name, size_t cap)
{
    struct line l = { leat_chan_make(struct num, cap), NULL };
    CHECK_EQ(leat_export(a, name, leat_tx_of(l.in), num), LEAT_OK);
    CHECK_EQ(leat_import(p, name, &l.out, num, 0), LEAT_OK);
    leat_unexport(a, name);
    return l;
}
static void line_end(struct line *l)
{
    leat_unref(l->out);
    leat_unref(l->in);
}
/* a's peer b: it dials back */
static leat_peer *back(struct pair *x)
{
    leat_peer *q;
    CHECK_EQ(leat_node_listen(x->b, another_url()), LEAT_OK);
    CHECK_EQ(leat_node_dial(x->a, leat_node_url(x->b), &q), LEAT_OK);
    return q;
}

/* -- a receiver that waits, and one that comes later ------------------------------------------------------------------------------ */
struct offers { leat_tx(struct num) out; leat_chan(struct num) never; uint64_t n, from; };
static leat_err offer_all(struct offers *o)
{
    for (uint64_t i = 0; i < o->n; i++) {
        struct num v = { i }, w;
        leat_err err;
        int fired = 0;
        leat_select(err) {
            leat_on_send(o->out, &v) { fired++; }
            leat_on_recv(o->never, &w) { CHECK(false); }
        }
        LEAT_TRY(err);
        CHECK_EQ(fired, 1);
    }
    return LEAT_OK;
}

static leat_err meets(leat_none *none)
{
    (void)none;
    struct pair x = pair_open();
    struct line l = line_at(x.a, x.p, "nums", 0);
    leat_chan(struct num) never = leat_chan_make(struct num, 0);
    leat_err err;
    uint64_t n = (uint64_t)rounds(2000, 200);
    leat_with_group(g, err) {
        LEAT_TRY(leat_go(&g, offer_all, (struct offers){ l.out, never, n, 0 }));
        for (uint64_t i = 0; i < n; i++) {
            struct num v;
            CHECK_EQ(leat_recv(l.in, &v), LEAT_OK);
            CHECK_EQ(v.n, i);
            if (i % 7 == 0)
                LEAT_TRY(leat_sleep(LEAT_US(50)));   /* now the select is first, now the receiver */
        }
    }
    leat_unref(never);
    line_end(&l);
    pair_close(&x);
    return err;
}
ANYWHERE(a_select_sends_to_a_receiver_elsewhere, meets)

/* -- two selects that face each other --------------------------------------------------------------------------------------------- */
struct face { leat_tx(struct num) out; leat_rx(struct num) in; int rounds; uint64_t sent, got; };
static leat_err face(struct face **arg)
{
    struct face *f = *arg;
    for (int i = 0; i < f->rounds; i++) {
        struct num mine = { f->sent }, theirs = { UINT64_MAX };
        leat_err err;
        leat_select(err) {
            leat_on_send(f->out, &mine) { f->sent++; }
            leat_on_recv(f->in, &theirs) { CHECK_EQ(theirs.n, f->got++); }
        }
        LEAT_TRY(err);
    }
    return LEAT_OK;
}

static leat_err faces(leat_none *none)
{
    (void)none;
    struct pair x = pair_open();
    leat_peer *q = back(&x);
    struct line at_a = line_at(x.a, x.p, "to a", 0), at_b = line_at(x.b, q, "to b", 0);
    int n = rounds(10000, 300);
    struct face a = { at_b.out, leat_rx_of(at_a.in), n, 0, 0 }, b = { at_a.out, leat_rx_of(at_b.in), n, 0, 0 };
    leat_err err;
    leat_with_group(g, err) {
        LEAT_TRY(leat_go(&g, face, (struct face *){ &a }));
        LEAT_TRY(leat_go(&g, face, (struct face *){ &b }));
    }
    CHECK_EQ(err, LEAT_OK);
    CHECK_EQ(a.sent, b.got);
    CHECK_EQ(b.sent, a.got);
    CHECK_EQ(a.sent + a.got, n);
    line_end(&at_a);
    line_end(&at_b);
    pair_close(&x);
    return err;
}
ANYWHERE(two_selects_face_each_other_both_ways, faces)

/* -- many selects at several nodes, also through a relay ---------------------------------------------------------------------------- */
enum { A, B, C, SENDERS = 5, FROM = 40 };
static leat_err offer_mine(struct offers *o)
{
    for (uint64_t i = 0; i < o->n; i++) {
        struct num v = { o->from | i }, w;
        leat_err err;
        leat_select(err) {
            leat_on_recv(o->never, &w) { CHECK(false); }
            leat_on_send(o->out, &v) { }
        }
        LEAT_TRY(err);
    }
    return LEAT_OK;
}

struct taking { leat_rx(struct num) in, never; uint64_t left, next[SENDERS]; };
static leat_err take_all(struct taking *t)
{
    while (t->left--) {
        struct num v, w;
        leat_err err;
        leat_select(err) {
            leat_on_recv(t->in, &v) {
                CHECK((v.n & ((1ull << FROM) - 1)) >= t->next[v.n >> FROM]);
                t->next[v.n >> FROM] = (v.n & ((1ull << FROM) - 1)) + 1;
            }
            leat_on_recv(t->never, &w) { CHECK(false); }
        }
        LEAT_TRY(err);
    }
    return LEAT_OK;
}

static leat_err crowd(leat_none *none)
{
    (void)none;
    struct trio x = trio_open(3);
    leat_chan(struct num) c = leat_chan_make(struct num, 0), never = leat_chan_make(struct num, 0);
    leat_tx(struct num) b = trio_tx(&x, A, B, leat_ref(leat_tx_of(c))), far = trio_tx(&x, B, C, leat_ref(b));
    leat_tx(struct num) out[SENDERS] = { leat_tx_of(c), b, b, far, far };
    uint64_t n = (uint64_t)rounds(300, 40);
    struct taking one = { .in = leat_rx_of(c), .never = leat_rx_of(never), .left = n * SENDERS };
    leat_err err;
    leat_with_group(g, err) {
        for (uint64_t i = 0; i < SENDERS; i++)
            LEAT_TRY(leat_go(&g, offer_mine, (struct offers){ out[i], never, n, i << FROM }));
        LEAT_TRY(take_all(&one));
    }
    CHECK_EQ(err, LEAT_OK);
    for (int i = 0; i < SENDERS; i++)
        CHECK_EQ(one.next[i], n);
    leat_unref(far);
    leat_unref(b);
    leat_unref(c);
    leat_unref(never);
    trio_close(&x);
    return err;
}
ANYWHERE(selects_at_several_nodes_and_behind_a_relay_get_on, crowd)

T_MAIN()
