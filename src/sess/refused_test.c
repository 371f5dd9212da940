/* refused_test.c - what is refused at a distance, in words, and changes nothing: what has no better place. */
#include "far.h"

LEAT_STRUCT(pack, (tx(num), out));
LEAT_STRUCT(bag, (list(pack), packs));
LEAT_STRUCT(twins, (rx(num), one), (rx(num), two));

enum { ENDS = 16 };

static leat_err too_many_ends(leat_none *none)
{
    (void)none;
    struct pair x = pair_open();
    leat_chan(struct bag) post = leat_chan_make(struct bag, 1);
    leat_tx(struct bag) to = NULL;
    leat_chan(struct num) c = leat_chan_make(struct num, 1);
    struct num v;
    CHECK_EQ(leat_export(x.a, "post", leat_tx_of(post), bag), LEAT_OK);
    CHECK_EQ(leat_import(x.p, "post", &to, bag, 0), LEAT_OK);
    struct pack *p = malloc((ENDS + 1) * sizeof *p);
    for (int i = 0; i <= ENDS; i++)
        p[i].out = leat_ref(leat_tx_of(c));
    struct bag b = { { p, ENDS + 1, ENDS + 1 } };
    CHECK_EQ(leat_send_from(to, &b), LEAT_LIMIT);
    CHECK_HAS(leat_err_detail(), "more than 16 ends of channels in one value");
    leat_unref(p[ENDS].out);
    b.packs.len = ENDS;
    CHECK_EQ(leat_send_from(to, &b), LEAT_OK);
    CHECK_EQ(leat_recv(post, &b), LEAT_OK);
    CHECK_EQ(b.packs.len, ENDS);
    CHECK_EQ(leat_send(b.packs.at[ENDS - 1].out, { 3 }), LEAT_OK);
    leat_finish(c);
    leat_drop(bag, &b);
    CHECK_EQ(leat_recv(c, &v), LEAT_OK);
    CHECK_EQ(leat_recv(c, &v), LEAT_CLOSED);         /* none that was refused counts */
    leat_unref(c);
    leat_unref(to);
    leat_unref(post);
    pair_close(&x);
    return LEAT_OK;
}
ANYWHERE(more_than_16_ends_in_one_value_are_refused, too_many_ends)

/* Who has the whole channel has a receive end of it, also when that has moved: it can neither be used nor given. */
static leat_err not_here(leat_none *none)
{
    (void)none;
    struct trio x = trio_open(3);
    leat_chan(struct num) c = leat_chan_make(struct num, 2);
    leat_rx(struct num) in = trio_rx(&x, A, B, leat_ref(leat_rx_of(c)));
    struct parcel p = { .in = leat_ref(leat_rx_of(c)) };
    struct num v;
    for (int way = 0; way < 2; way++) {
        CHECK_EQ(leat_send_from(x.to[A][way], &p), LEAT_INVAL);
        CHECK_HAS(leat_err_detail(), "a receive end that is not here any more");
    }
    CHECK_EQ(leat_recv(c, &v), LEAT_INVAL);
    CHECK_EQ(leat_send(c, { 5 }), LEAT_OK);
    CHECK_EQ(leat_recv(in, &v), LEAT_OK);
    CHECK_EQ(v.n, 5);
    leat_drop(parcel, &p);
    leat_unref(c);
    CHECK_EQ(leat_recv(in, &v), LEAT_CLOSED);
    leat_unref(in);
    trio_close(&x);
    return LEAT_OK;
}
ANYWHERE(a_receive_end_that_has_moved_can_not_be_used_or_given, not_here)

/* Without a reference of its own the second one is a mistake, and said to be. */
static leat_err twice(leat_none *none)
{
    (void)none;
    for (cap = 0; cap < 2; cap++) {
        struct pair x = pair_open();
        leat_chan(struct twins) post = leat_chan_make(struct twins, cap);
        leat_chan(struct num) c = leat_chan_make(struct num, 1);
        leat_rx(struct num) in = leat_ref(leat_rx_of(c));
        leat_tx(struct twins) to = NULL;
        struct num v;
        CHECK_EQ(leat_export(x.a, "post", leat_tx_of(post), twins), LEAT_OK);
        CHECK_EQ(leat_import(x.p, "post", &to, twins, 0), LEAT_OK);
        struct twins t = { in, in };
        CHECK_EQ(leat_send_from(to, &t), LEAT_REFUSED);
        CHECK_HAS(leat_err_detail(), "a receive end cannot move twice at once");
        CHECK_EQ(leat_send(c, { 1 }), LEAT_OK);
        CHECK_EQ(leat_recv(in, &v), LEAT_OK);
        CHECK_EQ(v.n, 1);
        leat_unref(in);
        leat_unref(c);
        leat_unref(to);
        leat_unref(post);
        pair_close(&x);
    }
    return LEAT_OK;
}
ANYWHERE(a_receive_end_that_is_twice_in_one_value_is_refused, twice)

T_MAIN()
