/* answers_test.c - what the answer to a call may say, by a peer that is no node: what its caller is told of it. */
#include "peer.h"
#include "rpc/calls.h"

LEAT_STRUCT(num, (uint64, n));
LEAT_SERVICE(calc, (twice, num, num));

enum { NO_CODE = 200, SAYS_DONE = 255 };             /* DONE: without a CANCEL before it */
struct said_as { uint8_t code, own; leat_err want, why; const char *text; };
static const struct said_as all[] = {
    { LEAT_OK, 0, LEAT_OK, LEAT_OK, "" },
    { LEAT_REFUSED, 0, LEAT_REFUSED, LEAT_REFUSED, "a text" },
    { LEAT_LIMIT, 1, LEAT_LIMIT, LEAT_LIMIT, "a text" },
    { NO_CODE, 0, LEAT_REMOTE, LEAT_REMOTE, "a text" },              /* of a later version */
    { NO_CODE, 1, LEAT_REMOTE, LEAT_REMOTE, "a text" },
    { LEAT_UNKNOWN, 1, LEAT_REMOTE, LEAT_REMOTE, "a text" },         /* of what the method did; here it would be misread */
    { LEAT_PEER_LOST, 1, LEAT_REMOTE, LEAT_REMOTE, "a text" },
    { LEAT_CANCELED, 1, LEAT_UNKNOWN, LEAT_CANCELED, "a text" },     /* it has run */
    { LEAT_DEADLINE, 1, LEAT_UNKNOWN, LEAT_DEADLINE, "a text" },
    { LEAT_CANCELED, 0, LEAT_CANCELED, LEAT_CANCELED, "a text" },    /* it has not */
    { SAYS_DONE, 0, LEAT_CANCELED, LEAT_CANCELED, "cancelled" },
};

struct caller { const char *url; };
static leat_err caller(struct caller *c)
{
    leat_node *n;
    leat_peer *p;
    CHECK_EQ(leat_node_open(&(leat_node_opts){ .name = "node b" }, &n), LEAT_OK);
    CHECK_EQ(leat_node_dial(n, c->url, &p), LEAT_OK);
    for (size_t i = 0; i < ARRAY_LEN(all); i++) {
        struct num out = { 0 };
        leat_err err = leat_call(p, calc, twice, &(struct num){ 4 }, &out);
        CHECK_EQ(err, all[i].want);
        CHECK_EQ(out.n, err == LEAT_OK ? 8 : 0);
        if (err == LEAT_OK)
            continue;
        CHECK_HAS(leat_err_detail(), all[i].text);
        CHECK_HAS(leat_err_detail(), "calc.twice");
        if (err == LEAT_UNKNOWN)
            CHECK_EQ(leat_err_why(), all[i].why);
    }
    leat_node_close(n);
    return LEAT_OK;
}

static void say(struct peer *hand, uint64_t id, const struct said_as *s)
{
    struct buf b = { 0 };
    buf_varint(&b, id);
    if (s->code != SAYS_DONE) {
        buf_u8(&b, s->code);
        buf_u8(&b, s->own);
        buf_text(&b, "a text", s->code == LEAT_OK ? 0 : 6);
        buf_text(&b, "", 0);
        if (s->code == LEAT_OK)
            buf_u64(&b, 8);
    }
    peer_send(hand, s->code == SAYS_DONE ? FRAME_DONE : FRAME_RESULT, 0, &b);
    buf_free(&b);
}

static leat_err answers(leat_none *none)
{
    static struct peer hand;
    struct link_listener *l;
    struct peer_frame f;
    leat_err err;
    (void)none;
    CHECK_EQ(link_listen(another_url(), &(struct link_listen_opts){ 0 }, &l), LEAT_OK);
    leat_with_deadline(LEAT_S(40)) {
        leat_with_group(g, err) {
            CHECK_EQ(leat_go(&g, caller, (struct caller){ link_listener_url(l) }), LEAT_OK);
            peer_accept(&hand, l);
            for (size_t i = 0; i < ARRAY_LEN(all); i++) {
                f = peer_expect(&hand, FRAME_OPEN);
                say(&hand, cur_varint(&f.in), &all[i]);
            }
            while ((f = peer_next(&hand)).kind != FRAME_DEAD && f.kind != FRAME_BYE)
                continue;
            peer_hang_up(&hand);
        }
        CHECK_EQ(err, LEAT_OK);
    }
    link_listener_close(l);
    return LEAT_OK;
}
ANYWHERE(what_an_answer_says_is_told_to_who_called_as_what_it_means_there, answers)

T_MAIN()
