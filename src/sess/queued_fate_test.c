/* queued_fate_test.c - a receive end with ends in its queue that cannot move, is not taken, or whose session ends or loses its link: all
 * of it goes, or nothing; and what is lost is said to be. */
#include <stdatomic.h>
#include "netchan/path.h"
#include "cargo.h"
#include "chan/chan.h"
#include "sess/ends.h"
#include "sess/sess.h"

#define NETS(id, fn) TEST(id##_unix) { AT(UNIX, fn); } TEST(id##_tcp) { AT(TCP, fn); }

/* -- refused as a whole ----------------------------------------------------------------------------------------------------------- */
static leat_err wait_on(leat_rx(struct num) *in)
{
    struct num v;
    CHECK_EQ(leat_recv(*in, &v), LEAT_OK);
    CHECK_EQ(v.n, 5);
    return LEAT_OK;
}

static uint32_t ends_at(leat_peer *p)
{
    struct ends *t = ends_of(sess_of(p));
    lock(&t->lock);
    uint32_t n = t->slots.count;
    unlock(&t->lock);
    return n;
}

static void refused(struct road *r, struct crate *c, leat_err err, const char *text)
{
    uint32_t ends = ends_at(r->x.p);
    CHECK_EQ(leat_send_from(r->box, c), err);
    CHECK_HAS(leat_err_detail(), text);
    CHECK_EQ(ends_at(r->x.p), ends);                 /* nothing is left of the attempt */
}

static void until_offered(leat_chan(struct crate) post)
{
    while (!((leat_chan_ *)(void *)post)->sq.head)
        leat_yield();
}

/* Those from `first` on are there, in order, with all that is theirs; more may follow. */
static void items_arrive(struct cargo *k, leat_rx(struct item) items, int first)
{
    struct item v;
    for (int i = first; i < ITEMS; i++) {
        CHECK_EQ(leat_recv(items, &v), LEAT_OK);
        item_works(k, &v, i);
        leat_drop(item, &v);
        leat_unref(k->feeds[i]);
        leat_unref(k->answers[i]);
    }
}

/* The last of the ends in the queue cannot move: neither do the others.  What is in the way goes, and all of them do. */
static leat_err one_cannot(leat_none *none)
{
    (void)none;
    BOTH_CAPS(capacity)
        for (int how = 0; how < 2; how++) {
            struct road r = road_open(capacity);
            struct cargo k;
            struct crate c = { .items = cargo_new(&k) };
            leat_tx(struct num) to;
            leat_rx(struct num) in = rx_of_new(0, &to), other = leat_ref(in);
            leat_err err;
            CHECK_EQ(leat_send(k.to, { .n = 9, .in = in }), LEAT_OK);
            if (how == 0) {
                refused(&r, &c, LEAT_REFUSED, "another one");
            } else {
                leat_with_group(g, err) {
                    CHECK_EQ(leat_go(&g, wait_on, (leat_rx(struct num)){ other }), LEAT_OK);
                    while (!((leat_chan_ *)(void *)in)->rq.head)
                        leat_yield();
                    refused(&r, &c, LEAT_REFUSED, "waits");
                    CHECK_EQ(leat_send(to, { 5 }), LEAT_OK);
                }
                CHECK_EQ(err, LEAT_OK);
            }
            leat_unref(other);
            struct item v;
            CHECK_EQ(leat_recv(c.items, &v), LEAT_OK);           /* here it is as before */
            item_works(&k, &v, 0);
            drive(&r, &c);
            leat_drop(item, &v);
            leat_unref(k.feeds[0]);
            leat_unref(k.answers[0]);
            items_arrive(&k, c.items, 1);
            CHECK_EQ(leat_recv(c.items, &v), LEAT_OK);
            leads(to, v.in, 6);
            leat_unref(to);
            leat_drop(item, &v);
            leat_drop(crate, &c);
            leat_unref(k.to);
            road_close(&r);
        }
    return LEAT_OK;
}
ANYWHERE(one_end_of_a_queue_that_cannot_move_keeps_all_of_them, one_cannot)

/* One more of them than are moved at a time. */
static leat_err too_many(leat_none *none)
{
    (void)none;
    struct road r = road_open(4);
    leat_rx(struct num) in;
    leat_tx(struct num) out = tx_of_new(1, &in);
    leat_tx(struct item) to;
    struct crate c = { .items = items_new(LIMIT_MOVED_ENDS / 2 + 1, &to) };
    struct item v;
    CHECK_EQ(leat_send(to, { .n = 0, .out = leat_ref(out) }), LEAT_OK);
    for (int i = 1; i <= LIMIT_MOVED_ENDS / 2; i++)
        CHECK_EQ(leat_send(to, { .n = i, .out = leat_ref(out), .more = leat_ref(out) }), LEAT_OK);
    refused(&r, &c, LEAT_LIMIT, "4096 ends");
    CHECK_EQ(leat_recv(c.items, &v), LEAT_OK);
    CHECK_EQ(v.n, 0);
    leat_drop(item, &v);
    drive(&r, &c);                                   /* one end less */
    for (int i = 1; i <= LIMIT_MOVED_ENDS / 2; i++) {
        CHECK_EQ(leat_recv(c.items, &v), LEAT_OK);
        CHECK_EQ(v.n, i);
        if (i == LIMIT_MOVED_ENDS / 2)
            leads(v.more, in, i);
        leat_drop(item, &v);
    }
    leat_unref(out);
    over(in);
    leat_unref(in);
    leat_unref(to);
    leat_drop(crate, &c);
    road_close(&r);
    return LEAT_OK;
}
ANYWHERE(there_is_a_limit_to_the_ends_that_move_at_a_time, too_many)

static leat_err too_deep(leat_none *none)
{
    (void)none;
    struct road r = road_open(4);
    struct crate c = { .n = 0 }, v;
    for (int i = 0; i <= LIMIT_MOVED_DEPTH; i++) {
        leat_chan(struct crate) outer = leat_chan_make(struct crate, 1);
        if (i)
            CHECK_EQ(leat_send_from(outer, &c), LEAT_OK);
        c = (struct crate){ .n = i, .inner = leat_ref(leat_rx_of(outer)) };
        leat_unref(outer);
    }
    refused(&r, &c, LEAT_LIMIT, "more than 7 are queued");
    CHECK_EQ(leat_recv(c.inner, &v), LEAT_OK);
    leat_drop(crate, &c);
    c = v;
    drive(&r, &c);
    for (int i = LIMIT_MOVED_DEPTH - 1; i > 0; i--) {
        CHECK_EQ(c.n, i);
        CHECK_EQ(leat_recv(c.inner, &v), LEAT_OK);
        leat_drop(crate, &c);
        c = v;
    }
    CHECK_EQ(leat_recv(c.inner, &v), LEAT_CLOSED);
    leat_drop(crate, &c);
    road_close(&r);
    return LEAT_OK;
}
ANYWHERE(there_is_a_limit_to_receive_ends_queued_in_each_other, too_deep)

/* -- not taken, or later ------------------------------------------------------------------------------------------------------------ */
enum { TRY, DEADLINE, CLOSE, GONE, WAYS };

static leat_err fails(struct road *r, struct crate *c, int how)
{
    leat_err err = LEAT_OK;
    struct sending s = { .to = r->box, .c = c };
    if (how == TRY)
        return leat_try_send_((leat_chan_ *)(void *)r->box, c);
    if (how == DEADLINE) {
        leat_with_deadline(LEAT_MS(3))
            err = leat_send_from(r->box, c);
        return err;
    }
    leat_with_group(g, err) {
        CHECK_EQ(leat_go(&g, sending, (struct sending *){ &s }), LEAT_OK);
        until_offered(r->post);
        if (how == CLOSE) {
            leat_close(r->post);
        } else {
            leat_tx(struct crate) keeps = leat_ref(leat_tx_of(r->post));
            leat_unref(r->post);
            leat_unref(keeps);
            r->post = NULL;
        }
    }
    CHECK_EQ(err, LEAT_OK);
    return s.err;
}

static leat_err not_taken(leat_none *none)
{
    (void)none;
    static const leat_err want[] = { LEAT_AGAIN, LEAT_DEADLINE, LEAT_CLOSED, LEAT_GONE };
    for (int how = 0; how < WAYS; how++) {
        struct road r = road_open(0);
        struct cargo k;
        struct crate c = { .items = cargo_new(&k) };
        CHECK_EQ(fails(&r, &c, how), want[how]);
        cargo_works(&k, c.items);
        road_close(&r);
    }
    return LEAT_OK;
}
EVERYWHERE(a_queue_that_is_not_taken_is_as_before, not_taken)

/* What comes into the queue while the offer waits goes with it. */
static leat_err grows(leat_none *none)
{
    (void)none;
    struct road r = road_open(0);
    struct cargo k;
    struct crate c = { .items = cargo_new(&k) };
    struct sending s = { .to = r.box, .c = &c };
    leat_rx(struct num) in = NULL;
    struct crate got;
    struct item v;
    leat_err err;
    leat_with_group(g, err) {
        CHECK_EQ(leat_go(&g, sending, (struct sending *){ &s }), LEAT_OK);
        until_offered(r.post);
        v = (struct item){ .n = 50, .out = tx_of_new(1, &in) };
        CHECK_EQ(leat_send_from(k.to, &v), LEAT_OK);
        CHECK_EQ(leat_recv(r.post, &got), LEAT_OK);
    }
    CHECK_EQ(err, LEAT_OK);
    CHECK_EQ(s.err, LEAT_OK);
    items_arrive(&k, got.items, 0);
    CHECK_EQ(leat_recv(got.items, &v), LEAT_OK);
    CHECK_EQ(v.n, 50);
    leads(v.out, in, 50);
    leat_drop(item, &v);
    leat_unref(in);
    leat_unref(k.to);
    CHECK_EQ(leat_recv(got.items, &v), LEAT_CLOSED);
    leat_drop(crate, &got);
    road_close(&r);
    return LEAT_OK;
}
EVERYWHERE(what_is_queued_while_the_offer_waits_moves_when_it_is_taken, grows)

/* ... and if it cannot move, the offer is taken all the same: what could move is there, the rest is a loss and not a close. */
static leat_err torn(leat_none *none)
{
    (void)none;
    struct road r = road_open(0);
    struct cargo k;
    struct crate c = { .items = cargo_new(&k) };
    struct sending s = { .to = r.box, .c = &c };
    leat_tx(struct num) to;
    leat_rx(struct num) in = rx_of_new(1, &to), other = leat_ref(in), answer = NULL;
    struct crate got;
    struct item v;
    leat_err err;
    leat_with_group(g, err) {
        CHECK_EQ(leat_go(&g, sending, (struct sending *){ &s }), LEAT_OK);
        until_offered(r.post);
        v = (struct item){ .n = 50, .in = in, .out = tx_of_new(1, &answer) };
        CHECK_EQ(leat_send_from(k.to, &v), LEAT_OK);
        CHECK_EQ(leat_recv(r.post, &got), LEAT_OK);
    }
    CHECK_EQ(err, LEAT_OK);
    CHECK_EQ(s.err, LEAT_OK);
    items_arrive(&k, got.items, 0);
    over(answer);                                    /* its only end was dropped */
    leat_unref(answer);
    leads(to, other, 1);                             /* who has another end has the channel still */
    leat_unref(to);
    leat_unref(other);
    leat_unref(k.to);
    CHECK_EQ(leat_recv(got.items, &v), LEAT_PEER_LOST);
    CHECK_HAS(leat_err_detail(), "node b had queued and could not move");
    leat_drop(crate, &got);
    struct crate next = { .n = 8 };
    drive(&r, &next);                                /* the session is as it was */
    CHECK_EQ(next.n, 8);
    road_close(&r);
    return LEAT_OK;
}
ANYWHERE(what_cannot_move_when_its_offer_is_taken_is_a_loss_of_that_channel_alone, torn)

/* -- a lock that another has ---------------------------------------------------------------------------------------------------------- */
static int turns(void) { return getenv("T_QUICK") ? 200 : 2000; }

/* Who sends tries again and again, and lets others run meanwhile, also him who has the lock; that takes no stack. */
static leat_err locked(leat_none *none)
{
    (void)none;
    struct road r = road_open(0);
    struct cargo k;
    struct crate c = { .items = cargo_new(&k) }, got;
    struct sending s = { .to = r.box, .c = &c };
    leat_chan_ *raw = (leat_chan_ *)(void *)k.answers[ITEMS - 1];
    leat_err err;
    int left = turns();
    lock(&raw->lock);
    leat_with_group(g, err) {
        CHECK_EQ(leat_go(&g, sending, (struct sending *){ &s }), LEAT_OK);
        while (left-- > 0)
            leat_yield();
        unlock(&raw->lock);
        CHECK_EQ(leat_recv(r.post, &got), LEAT_OK);
    }
    CHECK_EQ(err, LEAT_OK);
    CHECK_EQ(s.err, LEAT_OK);
    cargo_works(&k, got.items);
    road_close(&r);
    return LEAT_OK;
}
static void on_one_worker(enum place p)
{
    static const leat_opts one = { .log = pair_quiet, .workers = 1 };
    at(p);
    CHECK_EQ(leat_run(&one, locked, LEAT_NONE), LEAT_OK);
}
#define ONE_WORKER(id) \
    TEST(id##_inproc) { on_one_worker(INPROC); } \
    TEST(id##_unix) { on_one_worker(UNIX); } \
    TEST(id##_tcp) { on_one_worker(TCP); }
ONE_WORKER(a_queue_with_a_locked_channel_waits_for_the_lock_and_takes_no_stack)

/* -- the session ends ----------------------------------------------------------------------------------------------------------------- */
struct breaking { struct road *r; int after; };
static leat_err breaking(struct breaking *b)
{
    for (int i = 0; i < b->after; i++)
        leat_yield();
    sess_break(sess_of(b->r->x.p), LEAT_SYS, "the test ends it");
    return LEAT_OK;
}

/* What the receiver has is a beginning of it, and each end in that says that it is lost; none of what has left is a close. */
static void what_arrived(struct crate *got)
{
    struct item v;
    struct num n;
    leat_err err;
    int64_t i = 0;
    for (; (err = leat_recv(got->items, &v)) == LEAT_OK; i++) {
        CHECK_EQ(v.n, i);
        int64_t j = 0;
        while ((err = leat_recv(v.in, &n)) == LEAT_OK)
            CHECK_EQ(n.n, 10 * i + j++);
        CHECK_EQ(err, LEAT_PEER_LOST);
        CHECK(j <= 2);
        while ((err = leat_send(v.out, { 1 })) == LEAT_OK)
            ;
        CHECK_EQ(err, LEAT_PEER_LOST);
        leat_drop(item, &v);
    }
    CHECK_EQ(err, LEAT_PEER_LOST);
    CHECK(i <= ITEMS);
    leat_drop(crate, got);
}

static void what_stayed(struct cargo *k, bool sure)
{
    leat_err err;
    struct num n;
    for (int i = 0; i < ITEMS; i++) {
        while ((err = leat_recv(k->answers[i], &n)) == LEAT_OK)
            CHECK_EQ(n.n, 1);
        CHECK(err == LEAT_PEER_LOST || (!sure && err == LEAT_CLOSED));
        while ((err = leat_send(k->feeds[i], { 1 })) == LEAT_OK)
            ;
        CHECK(err == LEAT_PEER_LOST || (!sure && err == LEAT_GONE));
        leat_unref(k->answers[i]);
        leat_unref(k->feeds[i]);
    }
    while ((err = leat_send(k->to, { .n = 1 })) == LEAT_OK)
        ;
    CHECK_EQ(err, LEAT_PEER_LOST);
    leat_unref(k->to);
}

static leat_err ends_within(leat_none *none)
{
    (void)none;
    for (int after = 0; after < (getenv("T_QUICK") ? 12 : 40); after++)
        BOTH_CAPS(capacity) {
            struct road r = road_open(capacity);
            struct cargo k;
            struct crate c = { .items = cargo_new(&k) }, got = { .n = 0 };
            struct sending s = { .to = r.box, .c = &c };
            leat_err err, had = LEAT_OK;
            leat_finish(r.post);                     /* the other node's end is the only one */
            leat_with_group(g, err) {
                CHECK_EQ(leat_go(&g, sending, (struct sending *){ &s }), LEAT_OK);
                CHECK_EQ(leat_go(&g, breaking, (struct breaking){ &r, after }), LEAT_OK);
                had = leat_recv(r.post, &got);
            }
            CHECK_EQ(err, LEAT_OK);
            CHECK(had == LEAT_OK || had == LEAT_PEER_LOST);
            CHECK(s.err == LEAT_OK || s.err == LEAT_PEER_LOST || (s.err == LEAT_UNKNOWN && capacity == 0));
            CHECK(had != LEAT_OK || s.err != LEAT_PEER_LOST);    /* what was received was not said not to be sent */
            if (had == LEAT_OK)
                what_arrived(&got);
            if (s.err == LEAT_PEER_LOST)
                cargo_works(&k, c.items);            /* not sent: whole, and here */
            else
                what_stayed(&k, s.err == LEAT_OK && capacity);
            road_close(&r);
        }
    return LEAT_OK;
}
ANYWHERE(a_session_that_ends_within_the_move_leaves_true_outcomes, ends_within)

/* -- links that break under it ------------------------------------------------------------------------------------------------------ */
static leat_err over_a_path(struct path *p, leat_group *g)
{
    leat_node_opts o = { .grace = LEAT_S(60) };
    struct road r = { .post = leat_chan_make(struct crate, 4) };
    CHECK_EQ(leat_node_open(&o, &r.x.a), LEAT_OK);
    CHECK_EQ(leat_node_open(&o, &r.x.b), LEAT_OK);
    CHECK_EQ(leat_export(r.x.a, "post", leat_tx_of(r.post), crate), LEAT_OK);
    CHECK_EQ(leat_node_listen(r.x.a, url), LEAT_OK);
    p->to = leat_node_url(r.x.a);
    path_open(p, g);
    CHECK_EQ(leat_node_dial(r.x.b, p->url, &r.x.p), LEAT_OK);
    CHECK_EQ(leat_import(r.x.p, "post", &r.box, crate, 0), LEAT_OK);
    leat_unexport(r.x.a, "post");
    for (int i = 0; i < 3; i++) {
        struct cargo k;
        struct crate c = { .items = cargo_new(&k) }, got;
        struct sending s = { .to = r.box, .c = &c };
        leat_err err;
        leat_with_group(sent, err) {
            atomic_store(&p->held, i == 0 ? THERE : i == 1 ? BACK : 0);
            CHECK_EQ(leat_go(&sent, sending, (struct sending *){ &s }), LEAT_OK);
            for (int j = 0; j < 20; j++)
                leat_yield();
            path_cut(p);                             /* with it on the way, or there and not acknowledged, or anywhere */
            atomic_store(&p->held, 0);
            CHECK_EQ(leat_recv(r.post, &got), LEAT_OK);
        }
        CHECK_EQ(err, LEAT_OK);
        CHECK_EQ(s.err, LEAT_OK);
        cargo_works(&k, got.items);
    }
    road_close(&r);
    return LEAT_OK;
}

static leat_err resumes(leat_none *none)
{
    (void)none;
    static struct path p;
    leat_err err;
    leat_with_group(g, err) {
        err = over_a_path(&p, &g);
        leat_group_cancel(&g);
    }
    CHECK_EQ(err, LEAT_OK);
    CHECK(atomic_load(&p.connections) > 1);
    return LEAT_OK;
}
NETS(what_is_queued_survives_its_link, resumes)

T_MAIN()
