/* values_test.c - values of every kind go to another node: they arrive equal, their receiver owns them, and neither side keeps anything;
 * and bytes that are no value end their own session, which names the field. */
#include <malloc.h>
#include "peer.h"
#include "type/type_test.h"

enum { ROUNDS = 1200, WARM = 200, SLACK = 200 << 10 };

/* Bytes that malloc has given out; always the same where a sanitizer stands in for it, which looks for what is lost itself. */
static size_t in_use(void) { return mallinfo2().uordblks; }

static leat_err kinds(leat_none *none)
{
    struct pair x = pair_open();
    leat_chan(struct all) c = leat_chan_make(struct all, 4);
    leat_tx(struct all) tx = NULL;
    struct rng r;
    size_t before = 0;
    int rounds = getenv("T_QUICK") ? 2 * WARM : ROUNDS;
    (void)none;
    rng_init(&r, 41);
    CHECK_EQ(leat_export(x.a, "c", leat_tx_of(c), all), LEAT_OK);
    CHECK_EQ(leat_import(x.p, "c", &tx, all, 4), LEAT_OK);
    for (int i = 0; i < rounds; i++) {
        struct all sent = { 0 }, same, got;
        if (i == WARM)
            before = in_use();
        fill(&all_type, &sent, &r);
        CHECK_EQ(leat_dup(all, &sent, &same), LEAT_OK);
        CHECK_EQ(leat_send(tx, sent), LEAT_OK);      /* it is the receiver's now */
        CHECK_EQ(leat_recv(c, &got), LEAT_OK);
        CHECK(same_value(&all_type, &same, &got));
        CHECK(got.name.len == 0 || got.name.owned);
        CHECK(got.points.len == 0 || got.points.cap);
        leat_drop(all, &same);
        leat_drop(all, &got);
        CHECK(got.name.p == NULL && got.points.at == NULL);
    }
    CHECK(in_use() < before + SLACK);
    leat_unref(tx);
    pair_close(&x);
    leat_unref(c);
    return LEAT_OK;
}
ANYWHERE(a_value_of_every_kind_arrives_equal_and_owned_and_leaves_nothing, kinds)

/* What its sender lends is copied, and stays as it was. */
static leat_err lent(leat_none *none)
{
    struct pair x = pair_open();
    leat_chan(struct square) c = leat_chan_make(struct square, 4);
    leat_tx(struct square) tx = NULL;
    struct square got;
    char label[] = "on the stack";
    (void)none;
    CHECK_EQ(leat_export(x.a, "c", leat_tx_of(c), square), LEAT_OK);
    CHECK_EQ(leat_import(x.p, "c", &tx, square, 4), LEAT_OK);
    for (int i = 0; i < 10; i++) {
        CHECK_EQ(leat_send(tx, { i, leat_string_of(label) }), LEAT_OK);
        label[0] = (char)('p' + i);                  /* at once: nobody looks at it any more */
        CHECK_EQ(leat_recv(c, &got), LEAT_OK);
        CHECK(got.label.owned && got.label.len == 12 && got.label.p[0] == (i ? 'o' + i : 'o'));
        leat_drop(square, &got);
    }
    CHECK_STR(label + 1, "n the stack");
    leat_unref(tx);
    pair_close(&x);
    leat_unref(c);
    return LEAT_OK;
}
ANYWHERE(what_is_lent_is_copied_and_stays_its_senders, lent)

/* -- bytes that are no value ----------------------------------------------------------------------------------------------------------- */
static struct peer peer;

static const struct { const leat_type *type; const char *name, *bytes, *says; size_t n; } bad[] = {
    { &word_type, "word", "\x05hell", "word.text", 5 },
    { &word_type, "word", "\x05hello\0\0\0", "word.times", 9 },
    { &loose_type, "loose", "\1\1\0\0\0\0\0\0\0\x02\0\0\0\0\0\0", "loose.c", 16 },
    { &node_type, "node", "\0\2", "node.left", 2 },
    { &node_type, "node", "\0\0\0\x7f", "node.kids", 4 },
};

static leat_err no_values(leat_none *none)
{
    struct pair x = pair_open();
    leat_chan(struct word) words = leat_chan_make(struct word, 4);
    leat_chan(struct loose) looses = leat_chan_make(struct loose, 4);
    leat_chan(struct node) nodes = leat_chan_make(struct node, 4);
    leat_tx(struct word) tx = NULL;
    struct word got;
    (void)none;
    CHECK_EQ(leat_export(x.a, "word", leat_tx_of(words), word), LEAT_OK);
    CHECK_EQ(leat_export(x.a, "loose", leat_tx_of(looses), loose), LEAT_OK);
    CHECK_EQ(leat_export(x.a, "node", leat_tx_of(nodes), node), LEAT_OK);
    CHECK_EQ(leat_import(x.p, "word", &tx, word, 4), LEAT_OK);
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct buf b = { 0 };
        struct peer_frame f;
        char said[1000];
        peer_dial(&peer, leat_node_url(x.a), i + 1);
        (void)peer_attach(&peer, 3, bad[i].type, bad[i].name, true);
        PEER_SAY(&peer, FRAME_NEED, 3, 1, 0, 0);
        while (peer_next(&peer).kind != FRAME_GRANT)
            ;
        buf_varint(&b, 3);
        buf_u8(&b, 0);
        buf_text(&b, bad[i].bytes, bad[i].n);
        peer_send(&peer, FRAME_ELEM, 0, &b);
        buf_free(&b);
        while ((f = peer_next(&peer)).kind != FRAME_DEAD)
            ;
        (void)cur_u8(&f.in);
        size_t len;
        const char *text = cur_text(&f.in, &len);
        snprintf(said, sizeof said, "%.*s", (int)len, text);
        CHECK_HAS(said, "ELEM");
        CHECK_HAS(said, bad[i].says);
        peer_hang_up(&peer);
        CHECK_EQ(leat_send(tx, { LEAT_STRING("well"), i }), LEAT_OK);        /* others do not notice */
        CHECK_EQ(leat_recv(words, &got), LEAT_OK);
        CHECK_EQ(got.times, i);
        leat_drop(word, &got);
    }
    leat_unref(tx);
    pair_close(&x);
    leat_unref(words);
    leat_unref(looses);
    leat_unref(nodes);
    return LEAT_OK;
}
ANYWHERE(bytes_that_are_no_value_end_their_session_with_the_field, no_values)

T_MAIN()
