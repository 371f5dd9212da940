/* offer_relay_test.c - a relay between selects, frame by frame: a select stands at `peer`, by hand, and `far`, by hand, is the home.  The
 * node between them passes on what the one says to the other.  The program is linked with --wrap=offer_for, so that a test may say when
 * the task that makes an offer of `peer` begins. */
#include "base/base.h"
#include "chan/chan.h"
#include "peer.h"
#include "sess/ends.h"
#include "sess/home.h"
#include "type/desc.h"

LEAT_STRUCT(mark, (int32, n));

enum { THIRD = 3, PAST = 9, OTHER = 11, NOBODY = 99 };               /* ids: of the end that far has, and of those of the peer */
static struct peer peer, far;

/* -- when an offer begins ------------------------------------------------------------------------------------------------------------ */
static _Atomic bool held;
static _Atomic int waits;
leat_err __real_offer_for(struct end *e, struct end *from, void *v, struct chan_offer *id);
leat_err __wrap_offer_for(struct end *e, struct end *from, void *v, struct chan_offer *id);
leat_err __wrap_offer_for(struct end *e, struct end *from, void *v, struct chan_offer *id)
{
    atomic_fetch_add(&waits, 1);
    while (at_load_acq(&held))
        leat_yield();
    return __real_offer_for(e, from, v, id);
}

void __real_node_offer_id(leat_node *n, struct chan_offer *ret);
void __wrap_node_offer_id(leat_node *n, struct chan_offer *ret);
void __wrap_node_offer_id(leat_node *n, struct chan_offer *ret)
{
    atomic_fetch_add(&waits, 1);
    while (at_load_acq(&held))
        leat_yield();
    __real_node_offer_id(n, ret);
}

static void hold(void)
{
    at_store(&waits, 0);
    at_store_rel(&held, true);
}

/* The offer of the peer has come, and its task waits. */
static void has_come(void)
{
    while (!at_load_acq(&waits))
        leat_yield();
}

/* -- frames -------------------------------------------------------------------------------------------------------------------------- */
static void offer_on(uint64_t id, uint8_t what, uint64_t number, int32_t n)
{
    struct buf b = { 0 };
    buf_varint(&b, id);
    buf_u8(&b, what);
    buf_varint(&b, number);
    if (what == ELEM_SELECT) {
        buf_put(&b, (uint8_t[16]){ 7 }, 16);
        buf_varint(&b, 1);
    }
    buf_u32(&b, (uint32_t)n);
    peer_send(&peer, FRAME_ELEM, 0, &b);
    buf_free(&b);
}

static void offer(uint8_t what, uint64_t number, int32_t n) { offer_on(PAST, what, number, n); }

static void expect(struct peer *p, uint8_t kind, uint64_t number)
{
    struct peer_frame f = peer_expect(p, kind);
    CHECK_EQ(cur_varint(&f.in), p == &peer ? PAST : THIRD);
    if (number != NOBODY)
        CHECK_EQ(cur_varint(&f.in), number);
}

/* far's next frame is this offer: its number there. */
static uint64_t expect_offer(uint8_t what, int32_t n)
{
    struct peer_frame f = peer_expect(&far, FRAME_ELEM);
    CHECK_EQ(cur_varint(&f.in), THIRD);
    CHECK_EQ(cur_u8(&f.in), what);
    uint64_t number = cur_varint(&f.in);
    if (what == ELEM_SELECT)
        CHECK(cur_take(&f.in, 16) && cur_varint(&f.in) == 1);        /* the peer's first, or the node's own */
    CHECK_EQ((int32_t)cur_u32(&f.in), n);
    return number;
}

/* The node has done all that it was told, and says no more. */
static void silent(struct peer *p)
{
    static uint64_t id = 1001;
    peer_heard(p, id += 2);
}

/* -- the node between them ------------------------------------------------------------------------------------------------------------ */
static void (*talk)(void);
static leat_node *a;
static leat_chan(struct mark) c;
static leat_err between(leat_none *none)
{
    (void)none;
    c = leat_chan_make(struct mark, 0);
    CHECK_EQ(leat_node_open(&(leat_node_opts){ .name = "node a" }, &a), LEAT_OK);
    CHECK_EQ(leat_node_listen(a, url), LEAT_OK);
    leat_with_deadline(LEAT_S(40)) {
        peer_dial(&peer, leat_node_url(a), 1);
        peer_dial(&far, leat_node_url(a), 2);
        CHECK_EQ(leat_export(a, "third", leat_rx_of(c), mark), LEAT_OK);
        CHECK_EQ(peer_attach(&far, THIRD, &mark_type, "third", false), 0);
        CHECK_EQ(leat_export(a, "past", leat_tx_of(c), mark), LEAT_OK);
        CHECK_EQ(peer_attach(&peer, PAST, &mark_type, "past", true), 0);
        talk();
    }
    peer_hang_up(&peer);
    peer_hang_up(&far);
    leat_unref(c);
    leat_node_close(a);
    return LEAT_OK;
}
#define SCRIPT(name) \
    static void name##_(void); \
    TEST(name##_inproc) { talk = name##_; AT(INPROC, between); } \
    TEST(name##_unix) { talk = name##_; AT(UNIX, between); } \
    TEST(name##_tcp) { talk = name##_; AT(TCP, between); } \
    static void name##_(void)

/* A select stands at the peer, and far has heard of it. */
static void stands(void)
{
    PEER_SAY(&peer, FRAME_NEED, PAST, 1, 0, 0);
    expect(&far, FRAME_NEED, 1);
}

static void invited(void)
{
    PEER_SAY(&far, FRAME_INVITE, THIRD);
    expect(&peer, FRAME_INVITE, NOBODY);
}

/* -- a home that polls ---------------------------------------------------------------------------------------------------------------- */
static void polled(void)
{
    stands();
    PEER_SAY(&far, FRAME_INVITE, THIRD);
    PEER_SAY(&far, FRAME_RECALL, THIRD);
    expect(&peer, FRAME_INVITE, NOBODY);
    expect(&peer, FRAME_RECALL, NOBODY);
    silent(&far);                                    /* the relay does not answer for who stands behind it */
}

SCRIPT(a_relay_asks_who_stands_behind_it_and_answers_behind_him)
{
    polled();
    PEER_SAY(&peer, FRAME_RETURN, PAST, 0);          /* nobody there is free */
    expect(&far, FRAME_RETURN, 0);
    silent(&far);
    PEER_SAY(&far, FRAME_RECALL, THIRD);             /* once more: he still has the invitation */
    expect(&peer, FRAME_RECALL, NOBODY);
    silent(&far);
    PEER_SAY(&peer, FRAME_RETURN, PAST, 0);
    expect(&far, FRAME_RETURN, 0);
}

SCRIPT(a_relay_answers_a_poll_behind_the_offer_that_it_passes_on)
{
    polled();
    hold();
    offer(ELEM_SELECT, 1, 5);
    PEER_SAY(&peer, FRAME_RETURN, PAST, 0);
    has_come();
    silent(&peer);                                   /* the node has the answer, too */
    silent(&far);                                    /* but the offer has not gone, so that does not either */
    at_store_rel(&held, false);
    uint64_t number = expect_offer(ELEM_SELECT, 5);
    expect(&far, FRAME_RETURN, 0);
    PEER_SAY(&far, FRAME_TAKEN, THIRD, number);
    expect(&peer, FRAME_TAKEN, 1);
}

/* Two stand behind it.  Whose turn it is has nobody free, and says so; the other one's offer has come, and not gone. */
SCRIPT(a_relay_answers_a_poll_behind_an_offer_whoever_was_invited_first)
{
    bool first = false;
    CHECK_EQ(peer_attach(&peer, OTHER, &mark_type, "past", true), 0);
    stands();
    PEER_SAY(&far, FRAME_INVITE, THIRD);
    expect(&peer, FRAME_INVITE, NOBODY);             /* it is his turn */
    PEER_SAY(&peer, FRAME_NEED, OTHER, 1, 0, 0);
    expect(&far, FRAME_NEED, 2);
    PEER_SAY(&far, FRAME_RECALL, THIRD);
    for (int asked = 0; asked < 2; ) {
        struct peer_frame f = peer_next(&peer);
        uint64_t id = f.kind >= FRAME_FIRST_NUMBERED ? cur_varint(&f.in) : 0;
        first |= f.kind == FRAME_INVITE && id == OTHER;
        asked += f.kind == FRAME_RECALL;
    }
    CHECK(first);                                    /* he is invited, too */
    hold();
    offer_on(OTHER, ELEM_SELECT, 1, 5);
    PEER_SAY(&peer, FRAME_RETURN, OTHER, 0);
    has_come();
    PEER_SAY(&peer, FRAME_RETURN, PAST, 0);
    silent(&peer);
    silent(&far);
    at_store_rel(&held, false);
    uint64_t number = expect_offer(ELEM_SELECT, 5);
    expect(&far, FRAME_RETURN, 0);
    PEER_SAY(&far, FRAME_TAKEN, THIRD, number);
    (void)peer_expect(&peer, FRAME_TAKEN);
}

SCRIPT(a_relay_answers_a_poll_when_the_link_to_who_stands_behind_it_is_lost)
{
    polled();
    peer_hang_up(&peer);
    for (uint8_t kind = 0; kind != FRAME_RETURN; ) {
        kind = peer_next(&far).kind;
        CHECK(kind == FRAME_RETURN || kind == FRAME_TORN || kind == FRAME_NEED || kind < FRAME_FIRST_NUMBERED);
    }
    peer_dial(&peer, leat_node_url(a), 3);
}

/* -- offers that are given up --------------------------------------------------------------------------------------------------------- */
static void given_up(uint8_t what, bool taken)
{
    offer(what, 1, 5);
    uint64_t number = expect_offer(what, 5);
    silent(&peer);
    PEER_SAY(&peer, FRAME_WITHDRAW, PAST, 1);
    expect(&far, FRAME_WITHDRAW, number);
    silent(&peer);                                   /* only the home knows what became of it */
    PEER_SAY(&far, taken ? FRAME_TAKEN : FRAME_WITHDRAWN, THIRD, number);
    expect(&peer, taken ? FRAME_TAKEN : FRAME_WITHDRAWN, 1);
    offer(what, 2, 6);                               /* and the next one goes its way */
    number = expect_offer(what, 6);
    PEER_SAY(&far, FRAME_TAKEN, THIRD, number);
    expect(&peer, FRAME_TAKEN, 2);
}

SCRIPT(a_relay_withdraws_an_offer_of_a_select_and_says_what_the_home_says)
{
    stands();
    invited();
    given_up(ELEM_SELECT, false);
}
SCRIPT(a_relay_withdraws_an_offer_that_was_taken_meanwhile)
{
    stands();
    invited();
    given_up(ELEM_SELECT, true);
}
SCRIPT(a_relay_withdraws_a_plain_offer_and_says_what_the_home_says) { given_up(ELEM_FIRM, false); }
SCRIPT(a_relay_withdraws_a_plain_offer_that_was_taken_meanwhile) { given_up(ELEM_FIRM, true); }

/* Who relays does not give up after a second, as a sender does: it would never be known what became of it. */
SCRIPT(a_relay_waits_for_what_became_of_an_offer)
{
    offer(ELEM_FIRM, 1, 5);
    uint64_t number = expect_offer(ELEM_FIRM, 5);
    PEER_SAY(&peer, FRAME_WITHDRAW, PAST, 1);
    expect(&far, FRAME_WITHDRAW, number);
    CHECK_EQ(leat_sleep(LEAT_MS(1200)), LEAT_OK);    /* longer than that */
    PEER_SAY(&far, FRAME_TAKEN, THIRD, number);
    expect(&peer, FRAME_TAKEN, 1);
}

/* Given up before it has gone on: the home never hears of it. */
SCRIPT(a_relay_makes_no_offer_that_was_withdrawn_before)
{
    stands();
    invited();
    hold();
    offer(ELEM_SELECT, 1, 5);
    has_come();
    PEER_SAY(&peer, FRAME_WITHDRAW, PAST, 1);
    silent(&peer);
    at_store_rel(&held, false);
    expect(&peer, FRAME_WITHDRAWN, 1);
    expect(&peer, FRAME_INVITE, NOBODY);             /* the home's invitation has not been used */
    silent(&far);
    offer(ELEM_SELECT, 2, 6);
    uint64_t number = expect_offer(ELEM_SELECT, 6);
    PEER_SAY(&far, FRAME_BUSY, THIRD, number);
    expect(&peer, FRAME_BUSY, 2);
}

/* Of a plain send of who was invited for a select: it does not wait for that one's turn, which is its own. */
SCRIPT(a_plain_offer_of_who_was_invited_goes_on)
{
    stands();
    invited();
    offer(ELEM_FIRM, 1, 5);
    uint64_t number = expect_offer(ELEM_FIRM, 5);
    PEER_SAY(&far, FRAME_TAKEN, THIRD, number);
    expect(&peer, FRAME_TAKEN, 1);
}

/* All have finished, and an offer of the one behind the relay has not gone on: its end goes behind it. */
SCRIPT(a_relay_finishes_behind_the_last_offer_that_it_passes_on)
{
    stands();
    invited();
    hold();
    offer(ELEM_SELECT, 1, 5);
    has_come();
    PEER_SAY(&peer, FRAME_FINISH, PAST, 1);
    silent(&peer);
    leat_unexport(a, "past");
    leat_finish(c);
    silent(&far);
    at_store_rel(&held, false);
    uint64_t number = expect_offer(ELEM_SELECT, 5);
    silent(&far);                                    /* it may be given back, and offered again */
    PEER_SAY(&far, FRAME_TAKEN, THIRD, number);
    expect(&peer, FRAME_TAKEN, 1);
    expect(&far, FRAME_FINISH, 1);
}

/* -- who is invited ------------------------------------------------------------------------------------------------------------------- */
/* Who is invited and stands there no more leaves the invitation to the next one, here the relay's own. */
struct own { _Atomic bool done; leat_err err; };
static struct own own;
static leat_err own_select(leat_none *none)
{
    struct mark v = { 20 };
    (void)none;
    leat_select(own.err) {
        leat_on_send(c, &v) { }
    }
    own.done = true;
    return LEAT_OK;
}

SCRIPT(an_invitation_that_who_stands_behind_does_not_use_is_the_relays_own)
{
    leat_err err;
    stands();
    invited();
    leat_with_group(g, err) {
        own = (struct own){ .err = LEAT_OK };
        CHECK_EQ(leat_go(&g, own_select, LEAT_NONE), LEAT_OK);
        expect(&far, FRAME_NEED, 2);
        silent(&far);                                /* one offer for one invitation, and it is the peer's turn */
        PEER_SAY(&peer, FRAME_NEED, PAST, 0, 0, 0);  /* that has gone */
        for (bool offered = false; !offered; ) {     /* the relay tells that, too, before or behind its offer */
            struct peer_frame f = peer_next(&far);
            offered = f.kind == FRAME_ELEM;
            CHECK(offered || f.kind == FRAME_NEED || f.kind < FRAME_FIRST_NUMBERED);
        }
        PEER_SAY(&far, FRAME_TAKEN, THIRD, 1);
        while (!own.done)
            leat_yield();
    }
    CHECK_EQ(err, LEAT_OK);
    CHECK_EQ(own.err, LEAT_OK);
}

SCRIPT(a_site_that_is_polled_waits_for_its_select_that_was_called)
{
    leat_err err;
    hold();
    leat_with_group(g, err) {
        own = (struct own){ .err = LEAT_OK };
        CHECK_EQ(leat_go(&g, own_select, LEAT_NONE), LEAT_OK);
        expect(&far, FRAME_NEED, 1);
        PEER_SAY(&far, FRAME_INVITE, THIRD);
        PEER_SAY(&far, FRAME_RECALL, THIRD);
        has_come();
        silent(&far);                                /* it has been called, and has not offered yet */
        at_store_rel(&held, false);
        uint64_t number = expect_offer(ELEM_SELECT, 20);
        expect(&far, FRAME_RETURN, 0);
        PEER_SAY(&far, FRAME_TAKEN, THIRD, number);
    }
    CHECK_EQ(err, LEAT_OK);
    CHECK_EQ(own.err, LEAT_OK);
}

T_MAIN()
