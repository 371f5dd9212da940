/* relay_test.c - a relay of a buffered channel, frame by frame: `peer`, by hand, sends through it, and `far`, by hand, is the home. */
#include "base/base.h"
#include "chan/chan.h"
#include "peer.h"
#include "sess/ends.h"
#include "sess/home.h"
#include "type/desc.h"

LEAT_STRUCT(mark, (int32, n));

enum { CAP = 4, THIRD = 3, PAST = 9, GRACE_MS = 30000 };             /* ids: of the end that far has, and of that of the peer */
static struct peer peer, far;
static leat_node *a;
static leat_chan(struct mark) c;

static uint64_t granted;                             /* to the peer, in all */

static uint64_t id_of(const struct peer *p) { return p == &peer ? PAST : THIRD; }

/* -- frames -------------------------------------------------------------------------------------------------------------------------- */
static void element(int32_t n)
{
    struct buf b = { 0 };
    buf_varint(&b, PAST);
    buf_u8(&b, ELEM_WHOLE);
    buf_varint(&b, 4);
    buf_u32(&b, (uint32_t)n);
    peer_send(&peer, FRAME_ELEM, 0, &b);
    buf_free(&b);
}

static void seal(leat_err why, uint64_t arrived, const char *who)
{
    struct buf b = { 0 };
    buf_varint(&b, THIRD);
    buf_u8(&b, (uint8_t)why);
    if (why == LEAT_PEER_LOST) {
        buf_u8(&b, false);
        buf_varint(&b, arrived);
        buf_varint(&b, 4 * arrived);
        buf_text(&b, who, strlen(who));
    }
    peer_send(&far, FRAME_SEAL, 0, &b);
    buf_free(&b);
}

/* The next frame of this kind; what it is passed over for may come between, as the relay tells needs and credits when it likes. */
static struct peer_frame next_of(struct peer *p, uint8_t kind)
{
    for (;;) {
        struct peer_frame f = peer_next(p);
        if (f.kind == FRAME_DEAD)
            t_fail(__FILE__, __LINE__, "DEAD: %.*s", (int)cur_left(&f.in), (const char *)f.in.p);
        if (f.kind < FRAME_FIRST_NUMBERED)
            continue;
        if (f.kind == kind) {
            CHECK_EQ(cur_varint(&f.in), id_of(p));
            return f;
        }
        CHECK(f.kind == FRAME_NEED || f.kind == FRAME_GRANT || f.kind == FRAME_RECALL || f.kind == FRAME_ELEM);
    }
}

static void sealed(leat_err why, const char *who)
{
    struct peer_frame f = next_of(&peer, FRAME_SEAL);
    size_t n;
    CHECK_EQ(cur_u8(&f.in), why);
    if (why != LEAT_PEER_LOST)
        return;
    (void)cur_u8(&f.in);
    (void)cur_varint(&f.in);
    (void)cur_varint(&f.in);
    const char *text = cur_text(&f.in, &n);
    CHECK(n == strlen(who) && memcmp(text, who, n) == 0);
}

/* The node has done all that it was told, and says no more. */
static void silent(struct peer *p)
{
    static uint64_t id = 1001;
    peer_heard(p, id += 2);
}

/* It has done all that it was told: how many frames of this kind it said. */
static int counted(struct peer *p, uint8_t kind)
{
    static uint64_t id = 100001;
    struct buf b = { 0 };
    int n = 0;
    buf_varint(&b, id += 2);
    buf_u8(&b, 1);
    buf_put(&b, (uint8_t[16]){ 0 }, 16);
    buf_text(&b, "no such", 7);
    peer_send(p, FRAME_ATTACH, 0, &b);
    buf_free(&b);
    for (;;) {
        struct peer_frame f = peer_next(p);
        if (f.kind == FRAME_ATTACHED)
            return n;
        CHECK(f.kind != FRAME_DEAD);
        n += f.kind == kind;
        if (f.kind == FRAME_GRANT) {
            CHECK_EQ(cur_varint(&f.in), PAST);
            granted = cur_varint(&f.in);
        }
    }
}

/* -- the node between them ------------------------------------------------------------------------------------------------------------ */
static void (*talk)(void);
enum { THERE = 0, LATER = 1, COMES_BACK = 2 };       /* both come when the test says so; far may come back when its link is lost */
static int how;
static void far_comes(void)
{
    CHECK_EQ(leat_export(a, "third", leat_rx_of(c), mark), LEAT_OK);
    CHECK_EQ(peer_attach(&far, THIRD, &mark_type, "third", false), CAP);
}

static void peer_comes(void)
{
    CHECK_EQ(leat_export(a, "past", leat_tx_of(c), mark), LEAT_OK);
    CHECK_EQ(peer_attach(&peer, PAST, &mark_type, "past", true), CAP);
}

static leat_err between(leat_none *none)
{
    (void)none;
    c = leat_chan_make(struct mark, CAP);
    CHECK_EQ(leat_node_open(&(leat_node_opts){ .name = "node a" }, &a), LEAT_OK);
    CHECK_EQ(leat_node_listen(a, url), LEAT_OK);
    leat_with_deadline(LEAT_S(40)) {
        peer_dial(&peer, leat_node_url(a), 1);
        peer_dial_for(&far, leat_node_url(a), 2, how & COMES_BACK ? GRACE_MS : 0);
        if (!(how & LATER)) {
            far_comes();
            peer_comes();
        }
        talk();
    }
    peer_hang_up(&peer);
    peer_hang_up(&far);
    leat_unref(c);
    leat_with_deadline(how & COMES_BACK ? LEAT_MS(1) : LEAT_S(40))
        leat_node_close(a);                          /* who may come back is not waited for */
    return LEAT_OK;
}
#define SCRIPT_(name, when) \
    static void name##_(void); \
    TEST(name##_inproc) { how = when; talk = name##_; AT(INPROC, between); } \
    TEST(name##_unix) { how = when; talk = name##_; AT(UNIX, between); } \
    TEST(name##_tcp) { how = when; talk = name##_; AT(TCP, between); } \
    static void name##_(void)
#define SCRIPT(name) SCRIPT_(name, THERE)
#define SCRIPT_WHERE_THEY_COME_LATER(name) SCRIPT_(name, LATER)

/* -- credits -------------------------------------------------------------------------------------------------------------------------- */
static void until_granted(uint64_t n)
{
    while (granted < n) {
        struct peer_frame f = next_of(&peer, FRAME_GRANT);
        granted = cur_varint(&f.in);
    }
}

/* The peer waits for a credit, and has all that the relay had; used: it has sent as many elements. */
static void takes_all(bool used)
{
    granted = 0;
    PEER_SAY(&peer, FRAME_NEED, PAST, CAP, 0, 0);
    until_granted(CAP);
    for (int i = 0; used && i < CAP; i++)
        element(i);
    for (int n = 0; used && n < CAP; ) {             /* several may be in one frame */
        struct peer_frame f = next_of(&far, FRAME_ELEM);
        CHECK_EQ(cur_u8(&f.in), ELEM_WHOLE);
        for (; cur_left(&f.in); n++)
            CHECK(cur_take(&f.in, (size_t)cur_varint(&f.in)));
    }
}

SCRIPT(what_comes_back_to_a_relay_that_was_recalled_goes_up)
{
    takes_all(false);
    PEER_SAY(&far, FRAME_RECALL, THIRD);
    struct peer_frame f = next_of(&far, FRAME_RETURN);
    CHECK_EQ(cur_varint(&f.in), 0);                  /* it has none itself */
    (void)next_of(&peer, FRAME_RECALL);
    PEER_SAY(&peer, FRAME_RETURN, PAST, 3);
    f = next_of(&far, FRAME_RETURN);
    CHECK_EQ(cur_varint(&f.in), 3);
}

/* A credit comes, and then the next one: one is the peer's and one the relay's own sender's. */
static _Atomic int own_sent;
static leat_err own_sender(leat_none *none)
{
    (void)none;
    while (leat_send(c, { 7 }) == LEAT_OK)
        atomic_fetch_add(&own_sent, 1);
    return LEAT_OK;
}

static bool own_waits(void)
{
    lock(&((leat_chan_ *)c)->lock);
    bool waits = chan_senders_waiting_locked((leat_chan_ *)c);
    unlock(&((leat_chan_ *)c)->lock);
    return waits;
}

SCRIPT(who_stands_behind_a_relay_and_its_own_senders_have_credits_in_turn)
{
    enum { GRANTS = 6 };
    leat_err err;
    takes_all(true);
    at_store(&own_sent, 0);
    leat_with_group(g, err) {
        CHECK_EQ(leat_go(&g, own_sender, LEAT_NONE), LEAT_OK);
        PEER_SAY(&peer, FRAME_NEED, PAST, 1000, CAP, 0);
        for (uint64_t waiting = 0; waiting < 1001; ) {
            struct peer_frame f = next_of(&far, FRAME_NEED);
            waiting = cur_varint(&f.in);
        }
        for (uint64_t i = 1; i <= GRANTS; i++) {
            while (!own_waits())
                leat_yield();
            PEER_SAY(&far, FRAME_GRANT, THIRD, CAP + i, i, 0);
            (void)counted(&far, FRAME_NEED);         /* it has come */
            while (!own_waits())
                leat_yield();
            (void)counted(&peer, FRAME_GRANT);
        }
        CHECK_EQ(granted - CAP, GRANTS / 2);
        CHECK_EQ(at_load(&own_sent), GRANTS / 2);
        leat_group_cancel(&g);
    }
    CHECK_EQ(err, LEAT_OK);
}

/* -- tries ---------------------------------------------------------------------------------------------------------------------------- */
static void tries(void)
{
    takes_all(true);
    PEER_SAY(&peer, FRAME_NEED, PAST, 0, CAP, 1);    /* it does not wait, and only asks */
    for (bool asks = false; !asks; ) {
        struct peer_frame f = next_of(&far, FRAME_NEED);
        (void)cur_varint(&f.in);
        (void)cur_varint(&f.in);
        asks = cur_u8(&f.in);
    }
    silent(&peer);                                   /* the home is asked */
}

SCRIPT_(a_try_behind_a_relay_is_answered_when_the_relay_loses_its_link, COMES_BACK)
{
    tries();
    peer_hang_up(&far);
    (void)next_of(&peer, FRAME_NONE);
    peer_dial(&far, leat_node_url(a), 3);            /* for who hangs up in the end */
}

SCRIPT(who_leaves_a_relay_does_not_ask_it_any_more)
{
    tries();
    struct home *h = home_at((leat_chan_ *)c);
    lock(&((leat_chan_ *)c)->lock);
    CHECK_EQ(h->asking, 1);
    unlock(&((leat_chan_ *)c)->lock);
    PEER_SAY(&peer, FRAME_DROP, PAST);
    silent(&peer);
    lock(&((leat_chan_ *)c)->lock);
    CHECK_EQ(h->asking, 0);
    unlock(&((leat_chan_ *)c)->lock);
}

/* -- flush ---------------------------------------------------------------------------------------------------------------------------- */
SCRIPT(a_relay_asks_the_home_once_for_what_it_has)
{
    takes_all(true);
    for (int i = 0; i < 3; i++)
        PEER_SAY(&peer, FRAME_FLUSH, PAST);
    (void)counted(&peer, FRAME_FLUSHED);
    CHECK_EQ(counted(&far, FRAME_FLUSH), 1);
    PEER_SAY(&far, FRAME_FLUSHED, THIRD, 2, 8);
    PEER_SAY(&far, FRAME_GRANT, THIRD, CAP, 2, 8);
    CHECK_EQ(counted(&far, FRAME_FLUSH), 0);
    PEER_SAY(&peer, FRAME_FLUSH, PAST);              /* two are still on their way */
    (void)counted(&peer, FRAME_FLUSHED);
    CHECK_EQ(counted(&far, FRAME_FLUSH), 1);
}

SCRIPT(totals_of_a_flush_that_a_grant_has_overtaken_are_no_error)
{
    takes_all(true);
    PEER_SAY(&peer, FRAME_FLUSH, PAST);
    (void)counted(&peer, FRAME_FLUSHED);
    PEER_SAY(&far, FRAME_GRANT, THIRD, CAP, 3, 12);
    PEER_SAY(&far, FRAME_FLUSHED, THIRD, 1, 4);
    (void)counted(&far, FRAME_FLUSH);                /* the session lives */
    PEER_SAY(&far, FRAME_FLUSHED, THIRD, 4, 16);
    until_granted(CAP);
    for (uint64_t arrived = 0; arrived < 4; ) {
        struct peer_frame f = next_of(&peer, FRAME_GRANT);
        (void)cur_varint(&f.in);
        arrived = cur_varint(&f.in);
    }
}

/* -- the end -------------------------------------------------------------------------------------------------------------------------- */
SCRIPT(who_was_told_of_a_close_is_told_once_that_the_home_is_lost)
{
    takes_all(true);
    seal(LEAT_CLOSED, 0, "");
    sealed(LEAT_CLOSED, "");
    seal(LEAT_PEER_LOST, 2, "node z");
    sealed(LEAT_PEER_LOST, "node z");                /* it still waits to learn what arrived */
    peer_hang_up(&far);
    for (bool over = false; !over; leat_yield()) {
        lock(&((leat_chan_ *)c)->lock);
        over = site_of((leat_chan_ *)c)->dead;
        unlock(&((leat_chan_ *)c)->lock);
    }
    CHECK_EQ(counted(&peer, FRAME_SEAL), 0);
    peer_dial(&far, leat_node_url(a), 3);
}

SCRIPT_WHERE_THEY_COME_LATER(who_comes_to_a_relay_that_is_closed_is_told_so)
{
    far_comes();
    seal(LEAT_CLOSED, 0, "");
    (void)next_of(&far, FRAME_SEALED);
    peer_comes();
    sealed(LEAT_CLOSED, "");
}

SCRIPT_WHERE_THEY_COME_LATER(who_comes_to_a_relay_that_has_lost_the_home_is_told_whom)
{
    far_comes();
    seal(LEAT_PEER_LOST, 0, "node z");
    (void)next_of(&far, FRAME_SEALED);
    peer_comes();
    sealed(LEAT_PEER_LOST, "node z");
}

/* leat_close shuts the channel, and then the home tells who sends to it.  The receive end moves away between the two. */
SCRIPT_WHERE_THEY_COME_LATER(who_stands_behind_a_channel_that_closes_while_it_moves_is_told_so)
{
    leat_chan_ *ch = (leat_chan_ *)c;
    peer_comes();
    lock(&ch->lock);
    struct chan_net *net = ch->net;
    CHECK(!chan_shut_locked(ch, LEAT_CLOSED, NULL));
    unlock(&ch->lock);
    far_comes();
    sealed(LEAT_CLOSED, "");
    net->ops->close(ch);
    (void)next_of(&far, FRAME_CLOSE);
    PEER_SAY(&peer, FRAME_SEALED, PAST, 0);
    (void)next_of(&far, FRAME_FINISH);
}

T_MAIN()
