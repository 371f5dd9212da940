/* unread_test.c - a value with ends of channels in it that cannot be read, or not be taken, when the ends have come: its session breaks,
 * and no frame before that says that they go, for a home would take it for a finish, or a sender for the wish of who received.  Each
 * session breaks late (late.h), and a peer made by hand hears all. */
#include "peer.h"
#undef errno
#include "late.h"

LEAT_STRUCT(num, (int64, n));
LEAT_STRUCT(letter, (tx(num), out), (rx(num), in), (bool, good));
LEAT_SERVICE(post, (fetch, num, letter));

enum { END = 3, LIMIT_S = 40 };
enum damage { NONE, A_BYTE, TOO_MANY };
static struct peer peer;

/* -- letters ---------------------------------------------------------------------------------------------------------------------- */
static void put_end(struct buf *b, uint64_t id, bool rx)
{
    buf_u8(b, 1);                                    /* there is one */
    buf_u8(b, rx ? 5 : 0);                           /* a receive end, with its way */
    buf_varint(b, id);
    put_print(b, &num_type);
    buf_u32(b, 4);
    buf_varint(b, 0);
    if (rx)
        buf_u8(b, 1), buf_text(b, "peer", 4);
}

/* Ends that the peer made, under the ids `id` and the next but one. */
static void put_letter(struct buf *b, uint64_t id, enum damage d)
{
    put_end(b, id, false);
    put_end(b, id + 2, true);
    buf_u8(b, d == A_BYTE ? 7 : 1);
    if (d == TOO_MANY)
        buf_u8(b, 0);
}

/* The session has ended, with a word about `frame`, and nothing was said of any end that the letters had. */
static void check_end(const char *frame)
{
    struct peer_frame f;
    char said[1000];
    size_t len;
    while ((f = peer_next(&peer)).kind != FRAME_DEAD)
        if (f.kind == FRAME_FINISH || f.kind == FRAME_DROP || f.kind == FRAME_SEAL || f.kind == FRAME_SEALED)
            t_fail(__FILE__, __LINE__, "%s before the end of the session", frame_name(f.kind));
    (void)cur_u8(&f.in);
    const char *text = cur_text(&f.in, &len);
    CHECK(text != NULL);
    snprintf(said, sizeof said, "%.*s", (int)len, text);
    CHECK_HAS(said, frame);
    peer_hang_up(&peer);
}

/* -- elements and offers ------------------------------------------------------------------------------------------------------------ */
static void say_elem(uint64_t number, uint64_t id, enum damage d)      /* number 0: a buffered one */
{
    struct buf b = { 0 }, v = { 0 };
    put_letter(&v, id, d);
    buf_varint(&b, END);
    buf_u8(&b, number ? 2 : 0);
    buf_varint(&b, number ? number : v.len);
    buf_put(&b, v.p, v.len);
    peer_send(&peer, FRAME_ELEM, 0, &b);
    buf_free(&b);
    buf_free(&v);
}

static leat_node *open_node(void)
{
    leat_node *n = NULL;
    CHECK_EQ(leat_node_open(&(leat_node_opts){ .name = "node a" }, &n), LEAT_OK);
    CHECK_EQ(leat_node_listen(n, url), LEAT_OK);
    return n;
}

/* good: so many of them before, which are taken, or held. */
static void elements(size_t capacity, int good, enum damage d)
{
    leat_node *n = open_node();
    leat_chan(struct letter) letters = leat_chan_make(struct letter, capacity);
    CHECK_EQ(leat_export(n, "letters", leat_tx_of(letters), letter), LEAT_OK);
    leat_with_deadline(LEAT_S(LIMIT_S)) {
        peer_dial(&peer, leat_node_url(n), 1);
        CHECK_EQ(peer_attach(&peer, END, &letter_type, "letters", true), capacity);
        if (capacity) {
            PEER_SAY(&peer, FRAME_NEED, END, capacity, 0, 0);
            while (peer_next(&peer).kind != FRAME_GRANT)
                ;
        }
        for (int i = 0; i <= good; i++)
            say_elem(capacity ? 0 : (uint64_t)i + 1, 101 + 4 * (uint64_t)i, i == good ? d : NONE);
        check_end("ELEM");
    }
    leat_node_close(n);
    leat_unref(letters);
}

static leat_err buffered(leat_none *none)
{
    (void)none;
    elements(2, 0, A_BYTE);
    elements(2, 0, TOO_MANY);
    elements(2, 1, A_BYTE);
    elements(2, 2, NONE);                            /* a third one, without a credit */
    return LEAT_OK;
}
ANYWHERE(ends_in_an_element_that_cannot_be_taken_go_with_the_session, buffered)

static leat_err unbuffered(leat_none *none)
{
    (void)none;
    elements(0, 0, A_BYTE);
    elements(0, 0, TOO_MANY);
    elements(0, 1, NONE);                            /* a second offer, while the first one waits */
    return LEAT_OK;
}
ANYWHERE(ends_in_an_offer_that_cannot_be_taken_go_with_the_session, unbuffered)

/* -- arguments and results ------------------------------------------------------------------------------------------------------------ */
static leat_err work(struct letter *l)
{
    leat_drop(letter, l);
    return LEAT_OK;
}

static void argument(enum damage d)
{
    leat_node *n = open_node();
    struct buf b = { 0 }, v = { 0 };
    CHECK_EQ(leat_expose(n, work, letter), LEAT_OK);
    leat_with_deadline(LEAT_S(LIMIT_S)) {
        peer_dial(&peer, leat_node_url(n), 1);
        put_letter(&v, 101, d);
        buf_varint(&b, END);
        buf_u8(&b, 1);                               /* a task */
        buf_text(&b, "work", 4);
        buf_u64(&b, UINT64_MAX);
        put_print(&b, &letter_type);
        buf_put(&b, (uint8_t[16]){ 0 }, 16);
        buf_varint(&b, v.len);
        buf_put(&b, v.p, v.len);
        peer_send(&peer, FRAME_OPEN, 0, &b);
        buf_free(&b);
        buf_free(&v);
        check_end("OPEN");
    }
    leat_node_close(n);
}

static leat_err arguments(leat_none *none)
{
    (void)none;
    argument(A_BYTE);
    argument(TOO_MANY);
    return LEAT_OK;
}
ANYWHERE(ends_in_an_argument_that_cannot_be_read_go_with_the_session, arguments)

struct caller { const char *url; };
static leat_err fetches(struct caller *c)
{
    leat_node *n = NULL;
    leat_peer *p = NULL;
    struct letter l;
    CHECK_EQ(leat_node_open(&(leat_node_opts){ .name = "node b" }, &n), LEAT_OK);
    CHECK_EQ(leat_node_dial(n, c->url, &p), LEAT_OK);
    leat_err err = leat_call(p, post, fetch, &(struct num){ 1 }, &l);
    CHECK(err == LEAT_PEER_LOST || err == LEAT_UNKNOWN);
    leat_node_close(n);
    return LEAT_OK;
}

static void result(struct link_listener *at, enum damage d)
{
    struct buf b = { 0 };
    leat_err err;
    leat_with_group(g, err) {
        CHECK_EQ(leat_go(&g, fetches, (struct caller){ link_listener_url(at) }), LEAT_OK);
        peer_accept(&peer, at);
        struct peer_frame f = peer_expect(&peer, FRAME_OPEN);
        buf_varint(&b, cur_varint(&f.in));
        buf_u8(&b, LEAT_OK);
        buf_u8(&b, 0);
        buf_text(&b, "", 0);
        buf_text(&b, "", 0);
        put_letter(&b, 102, d);
        peer_send(&peer, FRAME_RESULT, 0, &b);
        buf_free(&b);
        check_end("RESULT");
    }
    CHECK_EQ(err, LEAT_OK);
}

static leat_err results(leat_none *none)
{
    struct link_listener *l;
    (void)none;
    CHECK_EQ(link_listen(another_url(), &(struct link_listen_opts){ 0 }, &l), LEAT_OK);
    leat_with_deadline(LEAT_S(LIMIT_S)) {
        result(l, A_BYTE);
        result(l, TOO_MANY);
    }
    link_listener_close(l);
    return LEAT_OK;
}
ANYWHERE(ends_in_a_result_that_cannot_be_read_go_with_the_session, results)

T_MAIN()
