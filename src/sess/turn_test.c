/* turn_test.c - a buffered channel whose home has senders, too: whose turn it is, and what becomes of a credit that nobody uses.
 *
 * The site is one by hand (peer.h), so that it does what a task there does that gives up at the wrong moment.  These are the trails of
 * test/models/spin/credit.pml: OWN_WAITS_UNTOLD and TURN_TAKEN_TWICE. */
#include "base/base.h"
#include "chan/chan.h"
#include "peer.h"
#include "type/desc.h"

LEAT_STRUCT(mark, (int32, n));

enum { END = 3 };                                    /* the peer's id: it has dialed, so it is odd */
static struct peer peer;
static leat_chan(struct mark) marks;

static void heard(void)
{
    static uint64_t id = END + 2;
    peer_heard(&peer, id += 2);
}

static leat_err own(struct mark *m) { return leat_send(marks, *m); }

static leat_chan_ *chan(void) { return (leat_chan_ *)marks; }

/* One more sender here, with the value n; then as many as that wait. */
static void own_waits(leat_group *g, int n, uint32_t waiting)
{
    uint32_t now;
    CHECK_EQ(leat_go(g, own, (struct mark){ n }), LEAT_OK);
    do {
        leat_yield();
        lock(&chan()->lock);
        now = chan_senders_waiting_locked(chan());
        unlock(&chan()->lock);
    } while (now < waiting);
}

static int take(void)
{
    struct mark m;
    CHECK_EQ(leat_recv(marks, &m), LEAT_OK);
    return m.n;
}

static void with_peer(void (*talk)(leat_group *g))
{
    leat_node *a;
    leat_err err;
    CHECK_EQ(leat_node_open(&(leat_node_opts){ .name = "node a" }, &a), LEAT_OK);
    CHECK_EQ(leat_node_listen(a, url), LEAT_OK);
    marks = leat_chan_make(struct mark, 1);
    CHECK_EQ(leat_export(a, "marks", leat_tx_of(marks), mark), LEAT_OK);
    leat_with_deadline(LEAT_S(40)) {
        leat_with_group(g, err) {
            peer_dial(&peer, leat_node_url(a), 1);
            CHECK_EQ(peer_attach(&peer, END, &mark_type, "marks", true), 1);
            talk(&g);
        }
        CHECK_EQ(err, LEAT_OK);
    }
    peer_hang_up(&peer);
    leat_unref(marks);
    leat_node_close(a);
}

/* The second slot that becomes free is the site's turn.  Nobody there wants it any more, so the sender here must get it. */
static void nobody_there(leat_group *g)
{
    CHECK_EQ(leat_send(marks, { 0 }), LEAT_OK);
    PEER_SAY(&peer, FRAME_NEED, END, 1, 0, 0);
    heard();
    own_waits(g, 1, 1);
    CHECK_EQ(take(), 0);
    CHECK_EQ(take(), 1);
    struct peer_frame f = peer_expect(&peer, FRAME_GRANT);
    CHECK_EQ(cur_varint(&f.in), END);
    CHECK_EQ(cur_varint(&f.in), 1);
    PEER_SAY(&peer, FRAME_NEED, END, 0, 1, 0);       /* it has given up; the credit is idle */
    heard();
    own_waits(g, 2, 1);
    (void)peer_expect(&peer, FRAME_RECALL);
    PEER_SAY(&peer, FRAME_RETURN, END, 1);
    CHECK_EQ(take(), 2);
}

static void nobody_there_any_more(leat_group *g)
{
    CHECK_EQ(leat_send(marks, { 0 }), LEAT_OK);
    PEER_SAY(&peer, FRAME_NEED, END, 2, 0, 0);
    heard();
    own_waits(g, 1, 1);
    own_waits(g, 2, 2);
    CHECK_EQ(take(), 0);
    CHECK_EQ(take(), 1);                             /* now it is the site's turn, and the second sender here waits */
    (void)peer_expect(&peer, FRAME_GRANT);
    (void)peer_expect(&peer, FRAME_RECALL);
    PEER_SAY(&peer, FRAME_NEED, END, 0, 1, 0);
    PEER_SAY(&peer, FRAME_RETURN, END, 1);
    CHECK_EQ(take(), 2);
}

/* Both always want the slot that becomes free.  A second site, so that nothing is lent. */
static void both(leat_group *g)
{
    enum { EACH = 5 };
    int here = 0, there = 0;
    CHECK_EQ(peer_attach(&peer, END + 2, &mark_type, "marks", true), 1);
    CHECK_EQ(leat_send(marks, { 0 }), LEAT_OK);
    PEER_SAY(&peer, FRAME_NEED, END, EACH, 0, 0);
    heard();
    for (uint32_t i = 1; i <= EACH; i++)
        own_waits(g, 1, i);
    CHECK_EQ(take(), 0);
    while (here < EACH || there < EACH) {
        struct buf b = { 0 };
        if (here - there == 2 || there - here == 2)
            t_fail(__FILE__, __LINE__, "%d from here, %d from there", here, there);
        if (at_load(&chan()->count) == 0) {
            while (peer_next(&peer).kind != FRAME_GRANT)
                ;
            buf_varint(&b, END);
            buf_u8(&b, 0);
            buf_varint(&b, 4);
            buf_u32(&b, 2);
            peer_send(&peer, FRAME_ELEM, 0, &b);
            buf_free(&b);
        }
        while (at_load(&chan()->count) == 0)
            leat_yield();                            /* or a receiver would take straight from who waits here */
        *(take() == 1 ? &here : &there) += 1;
    }
}

/* Two sites always want the slot that becomes free. */
static void two_sites(leat_group *g)
{
    enum { EACH = 6 };
    uint64_t granted[2] = { 0 };
    (void)g;
    CHECK_EQ(peer_attach(&peer, END + 2, &mark_type, "marks", true), 1);
    CHECK_EQ(leat_send(marks, { 0 }), LEAT_OK);
    for (uint64_t i = 0; i < 2; i++)
        PEER_SAY(&peer, FRAME_NEED, END + 2 * i, EACH, 0, 0);
    heard();
    CHECK_EQ(take(), 0);
    while (granted[0] < EACH || granted[1] < EACH) {
        struct peer_frame f;
        do
            f = peer_next(&peer);
        while (f.kind != FRAME_GRANT);
        uint64_t id = cur_varint(&f.in), which = (id - END) / 2;
        CHECK_EQ(cur_varint(&f.in), granted[which] + 1);
        if (++granted[which] > granted[!which] + 1)
            t_fail(__FILE__, __LINE__, "%d for one, %d for the other", (int)granted[which], (int)granted[!which]);
        struct buf b = { 0 };
        buf_varint(&b, id);
        buf_u8(&b, 0);
        buf_varint(&b, 4);
        buf_u32(&b, 1);
        peer_send(&peer, FRAME_ELEM, 0, &b);
        buf_free(&b);
        CHECK_EQ(take(), 1);
    }
}

static leat_err untold(leat_none *none) { (void)none; with_peer(nobody_there); return LEAT_OK; }
static leat_err untold_later(leat_none *none) { (void)none; with_peer(nobody_there_any_more); return LEAT_OK; }
static leat_err turns(leat_none *none) { (void)none; with_peer(both); return LEAT_OK; }
static leat_err among_sites(leat_none *none) { (void)none; with_peer(two_sites); return LEAT_OK; }

ANYWHERE(a_credit_that_nobody_uses_comes_back_to_who_begins_to_wait, untold)
ANYWHERE(a_credit_that_nobody_uses_comes_back_to_who_waited_before, untold_later)
ANYWHERE(senders_here_and_there_take_turns, turns)
ANYWHERE(nodes_that_send_take_turns, among_sites)
T_MAIN()
