/* select_test.c - selects that offer sends to other processes: one case fires, once, whatever the other sides do meanwhile. */
#include "trio.h"
#include "chan/chan.h"
#include "sess/impl.h"

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

/* -- a ring: each would send to the next, or receive from the one before -------------------------------------------------------------- */
enum { MEMBERS = 3 };
struct ringer { leat_tx(struct num) out[2]; leat_rx(struct num) in; uint64_t rounds, sent, got; _Atomic int64_t *left; };
static leat_err ring_member(struct ringer **arg)
{
    struct ringer *r = *arg;
    leat_err err = LEAT_OK;
    while (err == LEAT_OK && atomic_load(r->left) > 0) {
        struct num a = { 1 }, b = { 1 }, v;
        leat_select(err) {
            leat_on_send(r->out[0], &a) { r->sent++; }
            leat_on_send(r->out[1], &b) { r->sent++; }
            leat_on_recv(r->in, &v) {
                r->got++;
                atomic_fetch_sub(r->left, 1);
            }
            leat_on_after(LEAT_MS(200)) { }              /* the others may have had enough */
        }
    }
    return err;
}

static leat_err ring(leat_none *none)
{
    (void)none;
    struct trio x = trio_open(MEMBERS);
    leat_chan(struct num) c[MEMBERS];
    struct ringer r[MEMBERS] = { 0 };
    _Atomic int64_t left = rounds(6000, 200);
    leat_err err;
    for (int i = 0; i < MEMBERS; i++)
        c[i] = leat_chan_make(struct num, 0);
    for (int i = 0; i < MEMBERS; i++) {
        int next = (i + 1) % MEMBERS, prev = (i + MEMBERS - 1) % MEMBERS;
        r[i].in = leat_rx_of(c[i]);
        r[i].left = &left;
        r[prev].out[0] = trio_tx(&x, i, prev, leat_ref(leat_tx_of(c[i])));
        r[next].out[1] = trio_tx(&x, i, next, leat_ref(leat_tx_of(c[i])));
    }
    leat_with_group(g, err)
        for (int i = 0; i < MEMBERS; i++)
            LEAT_TRY(leat_go(&g, ring_member, (struct ringer *){ &r[i] }));
    CHECK_EQ(err, LEAT_OK);
    uint64_t sent = 0, got = 0;
    for (int i = 0; i < MEMBERS; i++) {
        sent += r[i].sent;
        got += r[i].got;
        leat_unref(r[i].out[0]);
        leat_unref(r[i].out[1]);
    }
    CHECK_EQ(sent, got);
    for (int i = 0; i < MEMBERS; i++)
        leat_unref(c[i]);
    trio_close(&x);
    return err;
}
ANYWHERE(a_ring_of_selects_neither_stands_still_nor_turns_for_ever, ring)

/* -- given up ---------------------------------------------------------------------------------------------------------------------- */
struct asks { leat_tx(struct word) out; leat_rx(struct num) never; uint64_t n, sent, unknown; };
static leat_err give_up(struct asks **arg)
{
    struct asks *a = *arg;
    for (uint64_t i = 0; i < a->n; i++) {
        struct word w = { .times = i };
        struct num v;
        leat_err err = LEAT_OK;
        int fired = 0;
        CHECK_EQ(leat_string_dup("hello", 5, &w.text), LEAT_OK);
        leat_with_deadline(LEAT_US(10 * (i % 30)))
            leat_select(err) {
                leat_on_send(a->out, &w) { fired++; }
                leat_on_recv(a->never, &v) { CHECK(false); }
            }
        CHECK(err == LEAT_OK || err == LEAT_DEADLINE);
        CHECK_EQ(fired, err == LEAT_OK);
        a->sent += err == LEAT_OK;
        if (err == LEAT_DEADLINE) {                  /* certainly not sent, and still ours */
            CHECK_MEM(w.text.p, "hello", 5);
            leat_drop(word, &w);
        }
    }
    leat_close(a->out);
    return LEAT_OK;
}

static leat_err given_up(leat_none *none)
{
    (void)none;
    struct pair x = pair_open();
    leat_chan(struct word) c = leat_chan_make(struct word, 0);
    leat_chan(struct num) never = leat_chan_make(struct num, 0);
    struct asks a = { .never = leat_rx_of(never), .n = (uint64_t)rounds(400, 100) };
    leat_err err;
    uint64_t got = 0;
    struct word w;
    CHECK_EQ(leat_export(x.a, "words", leat_tx_of(c), word), LEAT_OK);
    CHECK_EQ(leat_import(x.p, "words", &a.out, word, 0), LEAT_OK);
    leat_with_group(g, err) {
        LEAT_TRY(leat_go(&g, give_up, (struct asks *){ &a }));
        while ((err = leat_recv(c, &w)) == LEAT_OK) {
            leat_drop(word, &w);
            if (++got % 3 == 0)
                LEAT_TRY(leat_sleep(LEAT_US(100)));
        }
        CHECK_EQ(err, LEAT_CLOSED);
        err = LEAT_OK;
    }
    CHECK_EQ(got, a.sent);                           /* the case fired if and only if it was received */
    leat_unref(a.out);
    leat_unref(c);
    leat_unref(never);
    pair_close(&x);
    return err;
}
ANYWHERE(a_select_that_gives_up_has_sent_or_not_and_knows, given_up)

/* -- local cases, timers, otherwise ------------------------------------------------------------------------------------------------- */
static leat_err others(leat_none *none)
{
    (void)none;
    struct pair x = pair_open();
    struct line l = line_at(x.a, x.p, "nums", 0), buffered = line_at(x.a, x.p, "more", 1);
    leat_chan(struct num) here = leat_chan_make(struct num, 1);
    struct num v = { 1 }, w, u = { 2 };
    leat_err err;
    int which = 0;
    CHECK_EQ(leat_send(here, { 3 }), LEAT_OK);
    leat_select(err) {                               /* nobody receives there */
        leat_on_send(l.out, &v) { CHECK(false); }
        leat_on_recv(here, &w) { which = 1; }
    }
    CHECK_EQ(err, LEAT_OK);
    CHECK_EQ(which, 1);
    leat_select(err) {
        leat_on_send(l.out, &v) { CHECK(false); }
        leat_on_after(LEAT_MS(1)) { which = 2; }
    }
    CHECK_EQ(err, LEAT_OK);
    CHECK_EQ(which, 2);
    leat_select(err) {
        leat_on_send(l.out, &v) { CHECK(false); }
        leat_otherwise { which = 3; }
    }
    CHECK_EQ(err, LEAT_OK);
    CHECK_EQ(which, 3);
    leat_select(err) {                               /* asks for a credit */
        leat_on_send(l.out, &v) { CHECK(false); }
        leat_on_send(buffered.out, &u) { which = 4; }
        leat_otherwise { CHECK(false); }
    }
    CHECK_EQ(err, LEAT_OK);
    CHECK_EQ(which, 4);
    leat_select(err) {                               /* and there is no more room */
        leat_on_send(l.out, &v) { CHECK(false); }
        leat_on_send(buffered.out, &u) { CHECK(false); }
        leat_otherwise { which = 5; }
    }
    CHECK_EQ(err, LEAT_OK);
    CHECK_EQ(which, 5);
    CHECK_EQ(leat_recv(buffered.in, &w), LEAT_OK);
    CHECK_EQ(w.n, 2);
    leat_select(err) {
        leat_on_send(l.out, &v) { CHECK(false); }
        leat_on_send(buffered.out, &u) { which = 6; }
    }
    CHECK_EQ(err, LEAT_OK);
    CHECK_EQ(which, 6);
    leat_unref(here);
    line_end(&l);
    line_end(&buffered);
    pair_close(&x);
    return LEAT_OK;
}
ANYWHERE(local_cases_timers_and_otherwise_stand_beside_a_send_elsewhere, others)

static leat_err recv_one(leat_chan(struct num) *c)
{
    struct num v;
    return leat_recv(*c, &v);
}
static leat_err poll_meets(leat_none *none)
{
    (void)none;
    struct pair x = pair_open();
    struct line l = line_at(x.a, x.p, "nums", 0);
    leat_err err;
    leat_with_group(g, err) {
        LEAT_TRY(leat_go(&g, recv_one, (leat_chan(struct num)){ l.in }));
        for (bool sent = false; !sent && err == LEAT_OK; ) {
            struct num v = { 7 };
            leat_select(err) {
                leat_on_send(l.out, &v) { sent = true; }
                leat_otherwise { leat_yield(); }
            }
        }
    }
    CHECK_EQ(err, LEAT_OK);
    line_end(&l);
    pair_close(&x);
    return err;
}
ANYWHERE(a_poll_meets_a_receiver_that_waits_elsewhere, poll_meets)

/* -- close, and the end of receiving ------------------------------------------------------------------------------------------------ */
struct ender { leat_chan(struct num) c; int how; };
static leat_err end_it(struct ender *e)
{
    LEAT_TRY(leat_sleep(LEAT_MS(1)));
    if (e->how == 0)
        leat_close(e->c);
    else
        leat_unref(e->c);
    return LEAT_OK;
}
static leat_err ends(leat_none *none)
{
    (void)none;
    struct pair x = pair_open();
    for (int how = 0; how < 2; how++) {
        struct line l = line_at(x.a, x.p, "nums", 0);
        leat_err err, done;
        leat_with_group(g, done) {
            LEAT_TRY(leat_go(&g, end_it, (struct ender){ l.in, how }));
            struct num v = { 1 };
            leat_select(err) {
                leat_on_send(l.out, &v) { CHECK(false); }
            }
        }
        CHECK_EQ(done, LEAT_OK);
        CHECK_EQ(err, how == 0 ? LEAT_CLOSED : LEAT_GONE);
        leat_unref(l.out);
        if (how == 0)
            leat_unref(l.in);
    }
    pair_close(&x);
    return LEAT_OK;
}
ANYWHERE(a_select_learns_that_its_channel_has_ended_elsewhere, ends)

/* -- a peer that is lost ------------------------------------------------------------------------------------------------------------ */
static leat_err break_it(leat_peer **p)
{
    LEAT_TRY(leat_sleep(LEAT_MS(1)));
    sess_break(sess_of(*p), LEAT_SYS, "the test ends it");
    return LEAT_OK;
}

/* wait: the select has begun before the session ends */
static leat_err losses(bool wait, size_t capacity)
{
    struct pair x = pair_open();
    struct line l = line_at(x.a, x.p, "nums", capacity);
    leat_chan(struct num) never = leat_chan_make(struct num, 0);
    struct num v = { 1 }, w;
    leat_err err, done = LEAT_OK;
    bool lost = false;
    size_t which;
    leat_finish(l.in);
    for (size_t i = 0; i < capacity; i++)
        CHECK_EQ(leat_send(l.out, { 1 }), LEAT_OK);
    CHECK_EQ(leat_flush(l.out), LEAT_OK);
    if (wait)
        CHECK_EQ(leat_go(NULL, break_it, (leat_peer *){ x.p }), LEAT_OK);
    else
        LEAT_TRY(break_it(&x.p));
    leat_select(err) {
        leat_on_send(l.out, &v) { CHECK(false); }
        leat_on_closed(l.out) { lost = true; }
        leat_on_recv(never, &w) { CHECK(false); }
    }
    CHECK_EQ(err, LEAT_OK);
    CHECK(lost);
    leat_select(err) {
        leat_on_send(l.out, &v) { CHECK(false); }
        leat_on_recv(never, &w) { CHECK(false); }
    }
    CHECK_EQ(err, LEAT_PEER_LOST);
    leat_select(err) {
        leat_on_send(l.out, &v) { CHECK(false); }
        leat_otherwise { CHECK(false); }
    }
    CHECK_EQ(err, LEAT_PEER_LOST);
    for (size_t i = 0; i < capacity; i++)
        CHECK_EQ(leat_recv(l.in, &w), LEAT_OK);
    while (!at_load(&((leat_chan_ *)l.in)->ended))
        leat_yield();                                /* the other node has taken note */
    leat_select(err) {
        leat_on_recv(l.in, &w) { CHECK(false); }
        leat_on_recv(never, &w) { CHECK(false); }
    }
    CHECK_EQ(err, LEAT_PEER_LOST);
    leat_select(err) {
        leat_on_recv(l.in, &w) { CHECK(false); }
        leat_otherwise { CHECK(false); }
    }
    CHECK_EQ(err, LEAT_PEER_LOST);
    leat_select(err) {
        leat_on_recv(never, &w) { CHECK(false); }
        leat_on_recv_any(&l.in, 1, &w, &which) { CHECK(false); }
        leat_otherwise { CHECK(false); }
    }
    CHECK_EQ(err, LEAT_PEER_LOST);
    leat_select(err) {
        leat_on_recv(l.in, &w) { CHECK(false); }
        leat_on_closed(l.in) { lost = false; }
        leat_otherwise { CHECK(false); }
    }
    CHECK_EQ(err, LEAT_OK);
    CHECK(!lost);
    leat_unref(never);
    line_end(&l);
    pair_close(&x);
    return done;
}
static leat_err lost_0(leat_none *none) { (void)none; return losses(false, 0); }
static leat_err lost_2(leat_none *none) { (void)none; return losses(false, 2); }
static leat_err lost_while_0(leat_none *none) { (void)none; return losses(true, 0); }
static leat_err lost_while_2(leat_none *none) { (void)none; return losses(true, 2); }
ANYWHERE(a_lost_end_ends_a_select_or_is_its_case_unbuffered, lost_0)
ANYWHERE(a_lost_end_ends_a_select_or_is_its_case_buffered, lost_2)
ANYWHERE(an_end_that_is_lost_during_a_select_is_its_case_unbuffered, lost_while_0)
ANYWHERE(an_end_that_is_lost_during_a_select_is_its_case_buffered, lost_while_2)

/* -- a receiver that polls asks ---------------------------------------------------------------------------------------------------- */
static void await_stands(leat_chan(struct num) c, bool somebody)
{
    while (!(at_load(&((leat_chan_ *)c)->needy) & NEEDY_STAND) == somebody)
        leat_yield();
}

/* One select at a time would send, through out; each poll here takes from it, and the one after the last finds nobody. */
static leat_err poll_each(leat_chan(struct num) c, leat_tx(struct num) out)
{
    leat_chan(struct num) never = leat_chan_make(struct num, 0);
    leat_err err;
    struct num v = { 0 };
    uint64_t n = (uint64_t)rounds(60, 6);
    for (uint64_t i = 0; i < n; i++)
        leat_with_group(g, err) {
            int got = 0;
            LEAT_TRY(leat_go(&g, offer_all, (struct offers){ out, never, 1, 0 }));
            await_stands(c, true);
            if (i % 2) {
                got = leat_try_recv(c, &v) == LEAT_OK;
            } else {
                leat_rx(struct num) ends[] = { leat_rx_of(never), leat_rx_of(c) };
                size_t which = 9;
                leat_select(err) {
                    leat_on_recv_any(ends, 2, &v, &which) { got = which == 1; }
                    leat_otherwise { }
                }
            }
            CHECK_EQ(got, 1);
            await_stands(c, false);
        }
    CHECK_EQ(leat_try_recv(c, &v), LEAT_AGAIN);
    leat_select(err) {
        leat_on_recv(c, &v) { CHECK(false); }
        leat_otherwise { }
    }
    leat_unref(never);
    return err;
}

static leat_err polls_near(leat_none *none)
{
    (void)none;
    struct pair x = pair_open();
    struct line l = line_at(x.a, x.p, "nums", 0);
    leat_err err = poll_each(l.in, l.out);
    line_end(&l);
    pair_close(&x);
    return err;
}
ANYWHERE(a_poll_takes_from_a_select_that_stands_elsewhere, polls_near)

static leat_err polls_far(leat_none *none)
{
    (void)none;
    struct trio x = trio_open(3);
    leat_chan(struct num) c = leat_chan_make(struct num, 0);
    leat_tx(struct num) b = trio_tx(&x, A, B, leat_ref(leat_tx_of(c))), far = trio_tx(&x, B, C, leat_ref(b));
    leat_err err = poll_each(c, far);
    if (err == LEAT_OK)
        err = poll_each(c, b);
    leat_unref(far);
    leat_unref(b);
    leat_unref(c);
    trio_close(&x);
    return err;
}
ANYWHERE(a_poll_takes_from_a_select_behind_a_relay, polls_far)

/* -- one that sends to itself --------------------------------------------------------------------------------------------------------- */
struct selfish { leat_tx(struct num) out; leat_rx(struct num) in; leat_dur patience; int fired; bool any; };
static leat_err selfish(struct selfish **arg)
{
    struct selfish *s = *arg;
    struct num mine = { 1 }, v = { 0 };
    leat_err err;
    leat_select(err) {
        leat_on_send(s->out, &mine) { s->fired = 1; }
        leat_on_recv(s->in, &v) {
            CHECK(s->any || v.n == 2);
            s->fired = 2;
        }
        leat_on_after(s->patience) { s->fired = 3; }
    }
    return err;
}

/* Through a session of the node to itself: alone it waits, and makes no noise; another one's receive or send ends it. */
static leat_err itself(leat_none *none)
{
    (void)none;
    leat_node *a;
    leat_peer *self;
    leat_err err;
    struct num v;
    CHECK_EQ(leat_node_open(&(leat_node_opts){ .name = "node a" }, &a), LEAT_OK);
    CHECK_EQ(leat_node_self(a, &self), LEAT_OK);
    struct line l = line_at(a, self, "nums", 0);
    struct selfish s = { l.out, leat_rx_of(l.in), LEAT_MS(100), 0, false }, *p = &s;
    CHECK_EQ(selfish(&p), LEAT_OK);
    CHECK_EQ(s.fired, 3);
    CHECK(at_load(&sess_of(self)->sent) < 40);       /* frames: it did not turn in a circle */
    for (int i = 0; i < 2 * rounds(50, 5); i++) {
        s.fired = 0;
        s.patience = LEAT_S(1000);
        leat_with_group(g, err) {
            LEAT_TRY(leat_go(&g, selfish, p));
            if (i % 4 > 1)
                await_stands(l.in, true);
            if (i % 2) {
                LEAT_TRY(leat_recv(l.in, &v));
                CHECK_EQ(v.n, 1);
            } else {
                LEAT_TRY(leat_send(leat_tx_of(l.in), { 2 }));
            }
        }
        CHECK_EQ(err, LEAT_OK);
        CHECK_EQ(s.fired, i % 2 ? 1 : 2);
    }
    struct selfish two[2] = { s, s };                /* two of them meet */
    leat_with_group(g, err)
        for (int i = 0; i < 2; i++) {
            two[i].fired = 0;
            two[i].any = true;
            LEAT_TRY(leat_go(&g, selfish, (struct selfish *){ &two[i] }));
        }
    CHECK_EQ(err, LEAT_OK);
    CHECK_EQ(two[0].fired + two[1].fired, 3);
    line_end(&l);
    leat_node_close(a);
    return LEAT_OK;
}
TEST(a_select_that_sends_and_receives_on_one_channel_does_not_meet_itself) { AT(INPROC, itself); }

T_MAIN()
