/* queued_test.c - what is queued behind a receive end that moves, and has ends of channels in it: the same in a process and at every
 * distance. */
#include "cargo.h"

/* -- all of it arrives ------------------------------------------------------------------------------------------------------------ */
static leat_err arrives(leat_none *none)
{
    (void)none;
    BOTH_CAPS(capacity) {
        struct road r = road_open(capacity);
        struct cargo k;
        struct crate c = { .items = cargo_new(&k) };
        drive(&r, &c);
        cargo_works(&k, c.items);
        road_close(&r);
    }
    return LEAT_OK;
}
EVERYWHERE(what_is_queued_arrives_in_order_and_each_end_in_it_works, arrives)

/* The crate lies in a queue, and that is in a crate: the move is one. */
static leat_err within(leat_none *none)
{
    (void)none;
    BOTH_CAPS(capacity) {
        struct road r = road_open(capacity);
        struct cargo k[2];
        leat_chan(struct crate) inner = leat_chan_make(struct crate, 2), innermost = leat_chan_make(struct crate, 2);
        struct crate c = { .inner = leat_ref(leat_rx_of(inner)) }, v;
        CHECK_EQ(leat_send(innermost, { .n = 3, .items = cargo_new(&k[0]) }), LEAT_OK);
        CHECK_EQ(leat_send(inner, { .n = 1, .inner = leat_ref(leat_rx_of(innermost)) }), LEAT_OK);
        CHECK_EQ(leat_send(inner, { .n = 2, .items = cargo_new(&k[1]) }), LEAT_OK);
        leat_unref(innermost);
        leat_unref(inner);
        drive(&r, &c);
        for (int64_t i = 1; i < 3; i++) {
            CHECK_EQ(leat_recv(c.inner, &v), LEAT_OK);
            CHECK_EQ(v.n, i);
            if (i == 2) {
                cargo_works(&k[1], v.items);
                break;
            }
            struct crate w;
            CHECK_EQ(leat_recv(v.inner, &w), LEAT_OK);
            CHECK_EQ(w.n, 3);
            cargo_works(&k[0], w.items);
            CHECK_EQ(leat_recv(v.inner, &w), LEAT_CLOSED);
            leat_drop(crate, &v);
        }
        CHECK_EQ(leat_recv(c.inner, &v), LEAT_CLOSED);
        leat_drop(crate, &c);
        road_close(&r);
    }
    return LEAT_OK;
}
EVERYWHERE(receive_ends_queued_behind_receive_ends_arrive_with_all_that_is_behind_them, within)

/* -- who an end is ---------------------------------------------------------------------------------------------------------------- */
/* One end in many places: in two items, twice in one, and in the crate itself; all of them count. */
static leat_err repeated(leat_none *none)
{
    (void)none;
    BOTH_CAPS(capacity) {
        struct road r = road_open(capacity);
        leat_rx(struct num) in;
        leat_tx(struct num) out = tx_of_new(0, &in);
        leat_tx(struct item) to;
        struct crate c = { .items = items_new(4, &to), .out = leat_ref(out) };
        struct item v[2];
        CHECK_EQ(leat_send(to, { .n = 0, .out = leat_ref(out), .more = leat_ref(out) }), LEAT_OK);
        CHECK_EQ(leat_send(to, { .n = 1, .out = leat_ref(out) }), LEAT_OK);
        leat_unref(to);
        drive(&r, &c);
        CHECK_EQ(leat_recv(c.items, &v[0]), LEAT_OK);
        CHECK_EQ(leat_recv(c.items, &v[1]), LEAT_OK);
        leat_tx(struct num) all[] = { out, v[0].out, v[0].more, v[1].out, c.out };
        for (int i = 0; i < 5; i++)
            leads(all[i], in, i);
        leat_unref(out);
        leat_drop(item, &v[0]);
        leat_drop(item, &v[1]);
        leads(c.out, in, 9);                         /* it is not over before the last one has gone */
        leat_drop(crate, &c);
        over(in);
        leat_unref(in);
        road_close(&r);
    }
    return LEAT_OK;
}
EVERYWHERE(an_end_that_is_queued_twice_counts_twice_and_leads_to_one_channel, repeated)

/* In the queue of a channel lies its own send end. */
static leat_err itself(leat_none *none)
{
    (void)none;
    BOTH_CAPS(capacity) {
        struct road r = road_open(capacity);
        leat_chan(struct crate) inner = leat_chan_make(struct crate, 4);
        struct crate c = { .inner = leat_ref(leat_rx_of(inner)) }, v, w;
        CHECK_EQ(leat_send(inner, { .n = 1, .self = leat_ref(leat_tx_of(inner)) }), LEAT_OK);
        CHECK_EQ(leat_send(inner, { .n = 2 }), LEAT_OK);
        leat_unref(inner);
        drive(&r, &c);
        CHECK_EQ(leat_recv(c.inner, &v), LEAT_OK);
        CHECK_EQ(v.n, 1);
        CHECK((void *)v.self == (void *)c.inner);    /* it is that channel */
        CHECK_EQ(leat_recv(c.inner, &w), LEAT_OK);
        CHECK_EQ(w.n, 2);
        CHECK_EQ(leat_send(v.self, { .n = 3 }), LEAT_OK);
        leat_drop(crate, &v);
        CHECK_EQ(leat_recv(c.inner, &w), LEAT_OK);
        CHECK_EQ(w.n, 3);
        CHECK_EQ(leat_recv(c.inner, &w), LEAT_CLOSED);           /* it was the only one */
        leat_drop(crate, &c);
        road_close(&r);
    }
    return LEAT_OK;
}
EVERYWHERE(a_send_end_in_its_own_queue_is_of_the_channel_that_arrives, itself)

/* Both ends of one channel are on the move: in one item or in two, the one or the other first, at the same depth or not. */
enum { ONE_ITEM, SEND_FIRST, RECEIVE_FIRST, SEND_ABOVE, RECEIVE_ABOVE, PLACES };

static struct crate two_ends(int how, leat_tx(struct num) out, leat_rx(struct num) in)
{
    leat_tx(struct item) to;
    struct crate c = { .items = items_new(4, &to) };
    struct item v[2] = { { .n = 0 }, { .n = 1 } };
    v[how == SEND_FIRST || how == SEND_ABOVE].in = in;
    if (how == SEND_ABOVE)
        c.out = out;                                 /* its record comes behind that of items, and before what is in it */
    else
        v[how == RECEIVE_FIRST || how == RECEIVE_ABOVE].out = out;
    for (int i = 0; i < 2; i++)
        CHECK_EQ(leat_send_from(to, &v[i]), LEAT_OK);
    leat_unref(to);
    if (how != RECEIVE_ABOVE)
        return c;
    leat_chan(struct crate) inner = leat_chan_make(struct crate, 4);         /* the items are one deeper than the crate's own channel */
    struct crate outer = { .inner = leat_ref(leat_rx_of(inner)) };
    CHECK_EQ(leat_send_from(inner, &c), LEAT_OK);
    leat_unref(inner);
    return outer;
}

static leat_err both_ends(leat_none *none)
{
    (void)none;
    BOTH_CAPS(capacity)
        for (int how = 0; how < PLACES; how++) {
            struct road r = road_open(capacity);
            leat_rx(struct num) in;
            leat_tx(struct num) out = tx_of_new(2, &in), here = leat_ref(out);
            CHECK_EQ(leat_send(here, { 1 }), LEAT_OK);
            struct crate c = two_ends(how, out, in), inner;
            drive(&r, &c);
            if (how == RECEIVE_ABOVE) {
                CHECK_EQ(leat_recv(c.inner, &inner), LEAT_OK);
                leat_drop(crate, &c);
                c = inner;
            }
            struct item v[2];
            struct num n;
            for (int i = 0; i < 2; i++) {
                CHECK_EQ(leat_recv(c.items, &v[i]), LEAT_OK);
                CHECK_EQ(v[i].n, i);
            }
            in = v[0].in ? v[0].in : v[1].in;
            out = c.out ? c.out : v[0].out ? v[0].out : v[1].out;
            CHECK_EQ(leat_recv(in, &n), LEAT_OK);
            CHECK_EQ(n.n, 1);
            leads(out, in, 2);
            leads(here, in, 3);
            leat_unref(here);
            leads(out, in, 4);
            CHECK_EQ(leat_send(out, { 5 }), LEAT_OK);
            leat_unref(out);
            if (c.out)
                c.out = NULL;
            else
                v[v[0].out ? 0 : 1].out = NULL;
            CHECK_EQ(leat_recv(in, &n), LEAT_OK);
            CHECK_EQ(n.n, 5);
            over(in);
            leat_drop(item, &v[0]);
            leat_drop(item, &v[1]);
            leat_drop(crate, &c);
            road_close(&r);
        }
    return LEAT_OK;
}
EVERYWHERE(both_ends_of_a_channel_are_queued_in_any_order, both_ends)

/* ... both in the crate itself; or the send end in it, and the receive end in what is queued behind another. */
static leat_err beside(leat_none *none)
{
    (void)none;
    BOTH_CAPS(capacity)
        for (int how = 0; how < 4; how++) {
            struct road r = road_open(capacity);
            leat_tx(struct item) to;
            struct crate c = { .items = items_new(2, &to) }, got, none_there;
            struct item v;
            c.to = leat_ref(to);
            CHECK_EQ(leat_send(to, { .n = 1 }), LEAT_OK);
            if (how / 2) {
                leat_chan(struct crate) inner = leat_chan_make(struct crate, 1);
                CHECK_EQ(leat_send(inner, { .items = c.items }), LEAT_OK);
                c.items = NULL;
                c.inner = leat_ref(leat_rx_of(inner));
                leat_unref(inner);
            }
            if (how % 2) {                           /* not taken at first */
                leat_err err = LEAT_OK;
                for (uint32_t i = 0; i < capacity; i++)
                    CHECK_EQ(leat_send(r.box, { .n = 9 }), LEAT_OK);
                leat_with_deadline(LEAT_MS(3))
                    err = leat_send_from(r.box, &c);
                CHECK_EQ(err, LEAT_DEADLINE);
                for (uint32_t i = 0; i < capacity; i++)
                    CHECK_EQ(leat_recv(r.post, &none_there), LEAT_OK);
            }
            drive(&r, &c);
            got = c;
            if (how / 2)
                CHECK_EQ(leat_recv(c.inner, &got), LEAT_OK);
            if (how / 2 == 0)
                CHECK((void *)c.to == (void *)got.items);    /* one channel, as it was */
            CHECK_EQ(leat_recv(got.items, &v), LEAT_OK);
            CHECK_EQ(v.n, 1);
            CHECK_EQ(leat_send(c.to, { .n = 2 }), LEAT_OK);
            CHECK_EQ(leat_recv(got.items, &v), LEAT_OK);
            CHECK_EQ(v.n, 2);
            CHECK_EQ(leat_send(to, { .n = 3 }), LEAT_OK);
            leat_unref(to);
            CHECK_EQ(leat_recv(got.items, &v), LEAT_OK);
            CHECK_EQ(v.n, 3);
            leat_unref(c.to);
            c.to = NULL;
            CHECK_EQ(leat_recv(got.items, &v), LEAT_CLOSED);
            if (how / 2)
                leat_drop(crate, &got);
            leat_drop(crate, &c);
            road_close(&r);
        }
    return LEAT_OK;
}
EVERYWHERE(both_ends_of_a_channel_are_in_one_value, beside)

struct item_sending { leat_tx(struct item) to; struct item *v; leat_err err; };
static leat_err item_sending(struct item_sending **arg)
{
    (*arg)->err = leat_send_from((*arg)->to, (*arg)->v);
    return LEAT_OK;
}

static leat_err send_end_first(leat_none *none)
{
    (void)none;
    BOTH_CAPS(capacity) {
        struct pair x = pair_open();
        leat_chan(struct item) post = leat_chan_make(struct item, capacity);
        leat_tx(struct item) to = NULL;
        CHECK_EQ(leat_export(x.a, "post", leat_tx_of(post), item), LEAT_OK);
        CHECK_EQ(leat_import(x.p, "post", &to, item, 0), LEAT_OK);
        leat_unexport(x.a, "post");
        struct item v = { .n = 4 }, got;
        v.out = tx_of_new(0, &v.in);
        leat_tx(struct num) here = leat_ref(v.out);
        leat_err err = LEAT_OK;
        if (capacity == 0) {
            leat_with_deadline(LEAT_MS(3))
                err = leat_send_from(to, &v);
            CHECK_EQ(err, LEAT_DEADLINE);
            leads(v.out, v.in, 1);
        }
        struct item_sending s = { .to = to, .v = &v };
        leat_with_group(g, err) {
            CHECK_EQ(leat_go(&g, item_sending, (struct item_sending *){ &s }), LEAT_OK);
            CHECK_EQ(leat_recv(post, &got), LEAT_OK);
        }
        CHECK_EQ(err, LEAT_OK);
        CHECK_EQ(s.err, LEAT_OK);
        leads(got.out, got.in, 2);
        leads(here, got.in, 3);
        leat_unref(here);
        leat_unref(got.out);
        got.out = NULL;
        over(got.in);
        leat_drop(item, &got);
        leat_unref(to);
        leat_unref(post);
        pair_close(&x);
    }
    return LEAT_OK;
}
ANYWHERE(both_ends_of_a_channel_are_in_one_value_the_send_end_first, send_end_first)

/* -- until it is received ---------------------------------------------------------------------------------------------------------- */
static leat_err sleeps(leat_none *none)
{
    (void)none;
    struct road r = road_open(4);
    struct cargo k;
    struct crate c = { .items = cargo_new(&k) }, got;
    struct num n;
    CHECK_EQ(leat_send_from(r.box, &c), LEAT_OK);
    CHECK_EQ(leat_flush(r.box), LEAT_OK);            /* it lies there */
    for (int i = 0; i < ITEMS; i++) {
        CHECK_EQ(leat_send(k.feeds[i], { 200 + i }), LEAT_OK);   /* the third of three */
        leat_err err = LEAT_OK;
        leat_with_deadline(LEAT_MS(2))
            err = leat_send(k.feeds[i], { 1000 });
        CHECK_EQ(err, LEAT_DEADLINE);                /* nobody takes any */
        leat_with_deadline(LEAT_MS(2))
            err = leat_recv(k.answers[i], &n);
        CHECK_EQ(err, LEAT_DEADLINE);                /* and nothing comes, also no end */
    }
    CHECK_EQ(leat_recv(r.post, &got), LEAT_OK);
    for (int i = 0; i < ITEMS; i++) {
        struct item v;
        CHECK_EQ(leat_recv(got.items, &v), LEAT_OK);
        for (int64_t j = 0; j < 3; j++) {
            CHECK_EQ(leat_recv(v.in, &n), LEAT_OK);
            CHECK_EQ(n.n, j < 2 ? 10 * i + j : 200 + i);
        }
        leat_unref(k.feeds[i]);
        over(v.in);
        leads(v.out, k.answers[i], i);
        leat_drop(item, &v);
        over(k.answers[i]);
        leat_unref(k.answers[i]);
    }
    leat_unref(k.to);
    leat_drop(crate, &got);
    road_close(&r);
    return LEAT_OK;
}
EVERYWHERE(ends_that_are_queued_sleep_until_they_are_received, sleeps)

/* Nobody receives: all that is queued is let go of, however deep. */
static leat_err dropped(leat_none *none)
{
    (void)none;
    for (int how = 0; how < 3; how++) {
        struct road r = road_open(4);
        struct cargo k;
        leat_chan(struct crate) inner = leat_chan_make(struct crate, 2);
        struct crate c = { .inner = leat_ref(leat_rx_of(inner)) }, got;
        CHECK_EQ(leat_send(inner, { .items = cargo_new(&k), .self = leat_ref(leat_tx_of(inner)) }), LEAT_OK);
        leat_unref(inner);
        leat_chan_owns(k.to, item);
        CHECK_EQ(leat_send_from(r.box, &c), LEAT_OK);
        if (how == 0)
            CHECK_EQ(leat_flush(r.box), LEAT_OK);
        if (how < 2) {
            CHECK_EQ(leat_recv(r.post, &got), LEAT_OK);
            leat_drop(crate, &got);
        } else {
            leat_chan_owns(r.post, crate);
            leat_tx(struct crate) keeps = leat_ref(leat_tx_of(r.post));
            leat_unref(r.post);
            leat_unref(keeps);
            r.post = NULL;
        }
        for (int i = 0; i < ITEMS; i++) {
            leat_err err;
            over(k.answers[i]);
            while ((err = leat_send(k.feeds[i], { 1 })) == LEAT_OK)
                ;
            CHECK_EQ(err, LEAT_GONE);
            leat_unref(k.feeds[i]);
            leat_unref(k.answers[i]);
        }
        leat_unref(k.to);
        road_close(&r);
    }
    return LEAT_OK;
}
ANYWHERE(what_is_queued_behind_an_end_that_nobody_wants_is_let_go_of, dropped)

/* -- by a name -------------------------------------------------------------------------------------------------------------------- */
static leat_err imported(leat_none *none)
{
    (void)none;
    struct pair x = pair_open();
    struct cargo k;
    leat_rx(struct item) items = cargo_new(&k), in = NULL;
    CHECK_EQ(leat_export(x.a, "items", items, item), LEAT_OK);
    leat_unref(items);
    CHECK_EQ(leat_import(x.p, "items", &in, item, 0), LEAT_OK);
    leat_unexport(x.a, "items");
    cargo_works(&k, in);
    pair_close(&x);
    return LEAT_OK;
}
ANYWHERE(an_imported_receive_end_brings_what_is_queued_with_the_ends_in_it, imported)

/* -- under traffic ---------------------------------------------------------------------------------------------------------------- */
/* The receive end goes to and fro between two nodes, of which both send items; each has an answer's way, and a number in a queue. */
enum { SENDERS = 4, MOVES = 6, AT_A_TIME = 5 };
struct there { leat_tx(struct crate) to; leat_rx(struct crate) from; };

static struct there there_to(leat_node *at, leat_peer *from)
{
    leat_chan(struct crate) c = leat_chan_make(struct crate, 2);
    struct there t = { .from = leat_ref(leat_rx_of(c)) };
    CHECK_EQ(leat_export(at, "there", leat_tx_of(c), crate), LEAT_OK);
    CHECK_EQ(leat_import(from, "there", &t.to, crate, 0), LEAT_OK);
    leat_unexport(at, "there");
    leat_unref(c);
    return t;
}

struct talker { leat_tx(struct item) to; int64_t from; int64_t count; };

static leat_err talks(struct talker *t)
{
    leat_rx(struct num) in;
    leat_tx(struct num) out = tx_of_new(2, &in), feed;
    struct num v;
    int64_t answered = 0;                            /* a sum: they come by many ends, which have no order among them */
    for (int64_t i = 0; i < t->count; i++) {
        struct item x = { .n = t->from + i, .out = leat_ref(out), .more = leat_ref(out) };
        x.in = rx_of_new(1, &feed);
        CHECK_EQ(leat_send(feed, { t->from + i }), LEAT_OK);
        leat_unref(feed);
        CHECK_EQ(leat_send_from(t->to, &x), LEAT_OK);
        if (i == 0)
            continue;                                /* one ahead: so that something is queued */
        CHECK_EQ(leat_recv(in, &v), LEAT_OK);
        answered += v.n - t->from;
    }
    CHECK_EQ(leat_recv(in, &v), LEAT_OK);
    CHECK_EQ(answered + v.n - t->from, t->count * (t->count - 1) / 2);
    leat_unref(out);
    leat_unref(t->to);
    over(in);                                        /* each end of it has gone, wherever it was */
    leat_unref(in);
    return LEAT_OK;
}

static void answer_one(leat_rx(struct item) items, int64_t next[SENDERS])
{
    struct item x;
    struct num v;
    CHECK_EQ(leat_recv(items, &x), LEAT_OK);
    CHECK_EQ(x.n & 0xffff, next[x.n >> 16]++);       /* in order, each once */
    CHECK_EQ(leat_recv(x.in, &v), LEAT_OK);
    CHECK_EQ(v.n, x.n);
    over(x.in);
    CHECK_EQ(leat_send(x.more, { x.n }), LEAT_OK);
    leat_drop(item, &x);
}

static leat_err moving(leat_none *none)
{
    (void)none;
    struct pair x = pair_open();
    struct there way = there_to(x.a, x.p);           /* b to a; what comes back has its own channel */
    leat_chan(struct crate) down = leat_chan_make(struct crate, 2);
    leat_rx(struct crate) from = NULL;
    CHECK_EQ(leat_export(x.a, "down", leat_rx_of(down), crate), LEAT_OK);
    CHECK_EQ(leat_import(x.p, "down", &from, crate, 0), LEAT_OK);
    leat_unexport(x.a, "down");
    int64_t next[SENDERS] = { 0 }, each = (MOVES + 2) * AT_A_TIME;
    leat_tx(struct item) to;
    leat_rx(struct item) items = items_new(8, &to);
    struct crate give = { .to = leat_ref(to) }, got;
    CHECK_EQ(leat_send_from(down, &give), LEAT_OK);
    CHECK_EQ(leat_recv(from, &got), LEAT_OK);
    leat_err err;
    leat_with_group(g, err) {
        for (int64_t i = 0; i < SENDERS; i++)
            CHECK_EQ(leat_go(&g, talks, (struct talker){ leat_ref(i % 2 ? to : got.to), i << 16, each }), LEAT_OK);
        leat_unref(to);
        leat_drop(crate, &got);
        for (int i = 0; i < MOVES; i++) {
            for (int j = 0; j < SENDERS * AT_A_TIME; j++)
                answer_one(items, next);
            struct crate c = { .items = items };
            CHECK_EQ(i % 2 ? leat_send_from(way.to, &c) : leat_send_from(down, &c), LEAT_OK);
            CHECK_EQ(i % 2 ? leat_recv(way.from, &c) : leat_recv(from, &c), LEAT_OK);
            items = c.items;
        }
        struct item last;
        for (int j = 0; j < SENDERS * 2 * AT_A_TIME; j++)
            answer_one(items, next);
        CHECK_EQ(leat_recv(items, &last), LEAT_CLOSED);
    }
    CHECK_EQ(err, LEAT_OK);
    for (int i = 0; i < SENDERS; i++)
        CHECK_EQ(next[i], each);
    leat_unref(items);
    leat_unref(way.to);
    leat_unref(way.from);
    leat_unref(from);
    leat_unref(down);
    pair_close(&x);
    return LEAT_OK;
}
ANYWHERE(a_queue_of_ends_moves_to_and_fro_under_its_senders, moving)

T_MAIN()
