/* resume_test.c - hellos that go on with a session of somebody else.
 *
 * A session is found by the dialer's incarnation and its number.  The incarnation is told to every node that is dialed, and that of the
 * acceptor to everybody: so the number is what another peer must not know, and it is random, 64 bits. */
#include "pair.h"
#include "peer.h"
#include "sess/impl.h"

LEAT_STRUCT(num, (int64, n));

struct forged { uint64_t session, expected; uint32_t attempt, resumed; bool good_acceptor; };

/* What the node answers: the kind of its frame; 0: it hung up. */
static uint8_t knock(const char *to, const leat_node *dialer, const leat_node *acceptor, const struct forged *f)
{
    struct buf b = { 0 };
    struct link *l;
    uint8_t got[512];
    size_t n = 0, k;
    peer_preamble(&b);
    size_t at = peer_begin(&b, FRAME_HELLO, 0, 0);
    buf_u64(&b, f->session);
    buf_u32(&b, f->attempt);
    buf_u32(&b, f->resumed);
    buf_put(&b, dialer->incarnation, INCARNATION);
    buf_put(&b, f->good_acceptor ? acceptor->incarnation : dialer->incarnation, INCARNATION);
    buf_u64(&b, f->expected);
    peer_limits(&b);
    buf_text(&b, "thief", 5);
    buf_text(&b, "", 0);
    buf_u32(&b, 30000);
    peer_end(&b, at);
    CHECK_EQ(link_dial(to, &l), LEAT_OK);
    CHECK_EQ(peer_write(l, b.p, b.len), LEAT_OK);
    leat_with_deadline(LEAT_S(5))
        while (n < PREAMBLE_BYTES + FRAME_HEADER && link_read(l, got + n, sizeof got - n, &k) == LEAT_OK)
            n += k;
    link_close(l);
    buf_free(&b);
    return n >= PREAMBLE_BYTES + FRAME_HEADER ? got[PREAMBLE_BYTES + 4] : 0;
}

static leat_err steal(leat_none *none)
{
    leat_node *a, *b;
    leat_peer *p;
    leat_chan(struct num) c = leat_chan_make(struct num, 4);
    leat_tx(struct num) tx = NULL;
    struct num v;
    (void)none;
    CHECK_EQ(leat_node_open(&(leat_node_opts){ .name = "node a" }, &a), LEAT_OK);
    CHECK_EQ(leat_node_open(&(leat_node_opts){ .name = "node b" }, &b), LEAT_OK);
    CHECK_EQ(leat_node_listen(a, url), LEAT_OK);
    CHECK_EQ(leat_export(a, "c", leat_tx_of(c), num), LEAT_OK);
    CHECK_EQ(leat_node_dial(b, leat_node_url(a), &p), LEAT_OK);
    CHECK_EQ(leat_import(p, "c", &tx, num, 4), LEAT_OK);
    const uint64_t id = sess_of(p)->id;
    CHECK(id > 1 << 20);                             /* nobody counts up to it */
    for (uint32_t resumed = 0; resumed < 2; resumed++)
        for (uint64_t session = 0; session < 20; session++) {
            struct forged f = { session, 1 + (session & 3), 1000, resumed, resumed };
            uint8_t got = knock(leat_node_url(a), b, a, &f);
            CHECK(resumed == 0 || got != FRAME_WELCOME);             /* a new one is a session of its own */
            CHECK_EQ(leat_send(tx, { 7 }), LEAT_OK);
            CHECK_EQ(leat_recv(c, &v), LEAT_OK);
        }
    CHECK(!sess_ended(sess_of(p)));
    /* Who knows the number but was not there: numbers that cannot be, an attempt that is over. */
    static const struct { uint64_t expected; uint32_t attempt; bool good_acceptor; } wrong[] = {
        { 1, 1, true }, { 1, 2, false }, { 0, 2, true },
    };
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        struct forged f = { id, wrong[i].expected, wrong[i].attempt, 1, wrong[i].good_acceptor };
        CHECK(knock(leat_node_url(a), b, a, &f) != FRAME_WELCOME);
        CHECK_EQ(leat_send(tx, { 7 }), LEAT_OK);
        CHECK_EQ(leat_recv(c, &v), LEAT_OK);
    }
    leat_unref(tx);
    leat_node_close(b);
    leat_node_close(a);
    leat_unref(c);
    return LEAT_OK;
}
ANYWHERE(a_session_is_not_stolen_by_a_hello_that_guesses, steal)

/* -- who knows the number -------------------------------------------------------------------------------------------------------- */
/* Only attempts count up: what was said before, by whomever, is nothing. */
static leat_err attempts(leat_none *none)
{
    leat_node *a, *b, *later;
    leat_peer *p;
    leat_peer_event v;
    (void)none;
    CHECK_EQ(leat_node_open(&(leat_node_opts){ .name = "node a" }, &a), LEAT_OK);
    CHECK_EQ(leat_node_open(&(leat_node_opts){ .name = "node b" }, &b), LEAT_OK);
    CHECK_EQ(leat_node_open(&(leat_node_opts){ .name = "node b" }, &later), LEAT_OK);
    CHECK_EQ(leat_node_listen(a, url), LEAT_OK);
    CHECK_EQ(leat_node_dial(b, leat_node_url(a), &p), LEAT_OK);
    struct sess *s = sess_of(p);
    leat_rx(leat_peer_event) events = leat_peer_events(p);
    CHECK_EQ(leat_recv(events, &v), LEAT_OK);
    CHECK_EQ(v.state, LEAT_PEER_UP);
    /* Attempts that are not higher: the link is closed without a word, and the session does not notice. */
    for (uint32_t attempt = 0; attempt <= v.attempt; attempt++) {
        struct forged f = { s->id, 1, attempt, 1, true };
        uint8_t got = knock(leat_node_url(a), b, a, &f);
        CHECK(attempt ? got == 0 : got == FRAME_DEAD);               /* 0 is no attempt at all */
    }
    /* Incarnations: of a start before this one, or another's, either way around.  It is not known. */
    struct forged f = { s->id, 1, 1000, 1, true };
    CHECK_EQ(knock(leat_node_url(a), later, a, &f), FRAME_DEAD);
    f.good_acceptor = false;
    CHECK_EQ(knock(leat_node_url(a), b, a, &f), FRAME_DEAD);
    CHECK_EQ(knock(leat_node_url(a), b, later, &f), FRAME_DEAD);
    CHECK_EQ(leat_try_recv(events, &v), LEAT_AGAIN);
    /* A higher attempt of this session is its dialer's, as far as anybody can tell: the link changes hands, and the true dialer, whose link
     * was closed, comes back with a higher one again. */
    f = (struct forged){ s->id, 1, 2, 1, true };
    CHECK_EQ(knock(leat_node_url(a), b, a, &f), FRAME_WELCOME);
    leat_with_deadline(LEAT_S(20)) {
        do
            LEAT_TRY(leat_recv(events, &v));
        while (v.state != LEAT_PEER_UP);
        CHECK(v.attempt > 2);
    }
    CHECK(!sess_ended(s));
    leat_unref(events);
    leat_node_close(later);
    leat_node_close(b);
    leat_node_close(a);
    return LEAT_OK;
}
ANYWHERE(only_a_higher_attempt_of_the_same_incarnations_goes_on_with_a_session, attempts)

T_MAIN()
