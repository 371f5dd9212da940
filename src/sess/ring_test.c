/* ring_test.c - what a session keeps for a peer that does not acknowledge has a bound, with a link and without one; and what a peer makes a
 * node do has one, too. */
#include "peer.h"
#include "sess/impl.h"
#include "type/desc.h"

LEAT_STRUCT(num, (uint64, n));

enum { PIECE = 16 << 10, SLACK = 512 << 10, TOGGLES = 20000, GRACE_MS = 300 };

static struct sess *here;                            /* the node's, with the hand-made peer */
static leat_err taken(struct sess *s) { sess_ref(s); here = s; return LEAT_OK; }
static const struct sess_user user = { .name = "ring", .open = taken };
static const struct sess_user *const users[] = { &user, NULL };
static struct peer peer;

/* A frame that acknowledges so many: PONG, the answer to what the node asks, which is asked once for each. */
static void acknowledge(uint32_t kind, uint64_t n)
{
    struct buf b = { 0 };
    buf_u32(&b, 8);
    buf_u32(&b, kind);
    buf_u64(&b, n);
    peer_write(&peer, b.p, b.len);
    buf_free(&b);
}

static leat_node *open_node(void)
{
    leat_node_opts o = { .name = "node a", .idle = LEAT_S(100000) };     /* nobody asks but for room */
    leat_node *a;
    CHECK_EQ(node_open(&o, users, &a), LEAT_OK);
    CHECK_EQ(leat_node_listen(a, url), LEAT_OK);
    peer_dial_for(&peer, leat_node_url(a), 1, GRACE_MS);
    acknowledge(FRAME_PING, 0);                      /* the reader has looked once whether there is something to ask for: there is not */
    while (peer_next(&peer).kind != FRAME_PONG)
        ;
    return a;
}

static _Atomic uint64_t sent;
static leat_err last;
static leat_err pour(leat_none *none)                /* as much as there is room for */
{
    static const uint8_t piece[PIECE];
    (void)none;
    while ((last = sess_wait_room(here)) == LEAT_OK) {
        struct buf *b = sess_begin_in(here, FRAME_TAKEN, 0, LANE_DATA);
        if (!b)
            continue;
        buf_put(b, piece, PIECE);
        CHECK_EQ(sess_commit(here), LEAT_OK);
        atomic_fetch_add(&sent, PIECE);
    }
    return LEAT_OK;
}

/* Reads more than `least` frames, and on until the node writes nothing new and has asked.  It may ask before: when the acknowledgement
 * comes while the writer looks whether there is room. */
static void read_until_full(uint64_t least)
{
    bool asked = false;
    for (;;) {
        if (!asked || peer.got <= least || peer.got < at_load(&here->sent))
            asked |= peer_next(&peer).kind == FRAME_PING;
        else if (at_load(&here->kept) < LIMIT_SESS_RING)
            leat_yield();
        else
            return;
    }
}

static void within_bound(void)
{
    lock(&here->out_lock);
    size_t waits = here->data.len + here->unwritten;
    unlock(&here->out_lock);
    CHECK(at_load(&here->kept) <= LIMIT_SESS_RING + SLACK);
    CHECK(waits <= LIMIT_SESS_UNSENT + SLACK);
}

static leat_err never_acks(leat_none *none)
{
    leat_node *a = open_node();
    leat_err err;
    (void)none;
    leat_with_group(g, err) {
        LEAT_TRY(leat_go(&g, pour, LEAT_NONE));
        read_until_full(0);                          /* all is read, and nothing acknowledged */
        while (!at_load(&here->crowded))
            leat_yield();
        within_bound();
        uint64_t before = peer.got;
        acknowledge(FRAME_PONG, peer.got / 2);       /* then there is room for as much again */
        read_until_full(before + before / 3);
        within_bound();
        before = at_load(&sent);
        peer_hang_up(&peer);                         /* nobody comes back */
        while (at_load(&here->up))
            leat_yield();
        within_bound();                              /* or the grace is over already, and nothing kept */
        CHECK(at_load(&sent) <= before + LIMIT_SESS_UNSENT + SLACK);
        LEAT_TRY(sess_wait_end(here));               /* the grace is over */
    }
    CHECK_EQ(last, LEAT_PEER_LOST);
    sess_wait_tally(here);
    leat_node_close(a);
    CHECK_EQ(at_load(&here->kept), 0);               /* though somebody still knows the session */
    CHECK_EQ(here->ring.bytes + here->data.cap + here->ctl.cap + here->in.cap, 0);
    sess_unref(here);
    return LEAT_OK;
}
ANYWHERE(a_peer_that_never_acknowledges_costs_the_ring_and_no_more, never_acks)

/* -- a peer that toggles ------------------------------------------------------------------------------------------------------------- */
static leat_err toggles(leat_none *none)
{
    leat_node *a;
    (void)none;
    CHECK_EQ(leat_node_open(&(leat_node_opts){ .name = "node a" }, &a), LEAT_OK);
    leat_chan(struct num) c = leat_chan_make(struct num, 1);
    CHECK_EQ(leat_export(a, "c", leat_tx_of(c), num), LEAT_OK);
    CHECK_EQ(leat_node_listen(a, url), LEAT_OK);
    peer_dial(&peer, leat_node_url(a), 1);
    (void)peer_attach(&peer, 3, &num_type, "c", true);
    (void)peer_attach(&peer, 5, &num_type, "c", true);
    struct sess *s = a->sessions;
    uint64_t before = at_load(&s->sent);
    for (uint64_t i = 0; i < TOGGLES; i++) {         /* two sites want the one slot, and do not want it */
        uint64_t id = i & 1 ? 5 : 3;
        PEER_SAY(&peer, FRAME_NEED, id, i / 2 & 1, 0, 0);
    }
    (void)peer_attach(&peer, 7, &num_type, "c", true);                                       /* all of it has been handled */
    uint64_t said = at_load(&s->sent) - before;
    lock(&s->out_lock);
    size_t waits = s->data.len + s->ctl.len + s->unwritten;
    unlock(&s->out_lock);
    CHECK(said <= TOGGLES + 10);
    CHECK(waits < 4096);
    CHECK(!sess_ended(s));
    peer_hang_up(&peer);
    leat_node_close(a);
    leat_unref(c);
    return LEAT_OK;
}
ANYWHERE(a_peer_that_wants_and_does_not_want_costs_no_more_than_its_frames, toggles)

T_MAIN()
