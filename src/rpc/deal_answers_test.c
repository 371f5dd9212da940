/* deal_answers_test.c - what the answers of a worker mean to a deal, by a worker that is no node: whose error it is, whether the element is
 * dealt again, and how long the deal waits before it looks for a worker that was lost. */
#include "peer.h"
#include "rpc/calls.h"
#include "rpc/workers.h"

LEAT_STRUCT(num, (uint64, n));
LEAT_SERVICE(calc, (twice, num, num));

/* The answer to an element.  own: it is the method's.  of_element: its result, and the deal goes on; else the deal ends with it. */
struct said_as { leat_err code; bool own, of_element; leat_err want; };
static const struct said_as all[] = {
    { LEAT_INVAL, true, true, LEAT_INVAL },
    { LEAT_LIMIT, true, true, LEAT_LIMIT },
    { LEAT_LIMIT, false, true, LEAT_LIMIT },         /* too many run there, or the element is too large */
    { LEAT_NOMEM, false, true, LEAT_NOMEM },         /* there is none there for this one */
    { LEAT_NOMEM, true, true, LEAT_NOMEM },
    { LEAT_REFUSED, false, false, LEAT_REFUSED },    /* so it will be of every element */
    { LEAT_TYPE, false, false, LEAT_TYPE },
};

struct boss { const char *url; const struct said_as *s; };
static leat_err boss(struct boss *b)
{
    leat_auto leat_chan(struct num) in = leat_chan_make(struct num, 2);
    leat_auto leat_chan(struct num_reply) out = leat_chan_make(struct num_reply, 2);
    leat_deal_opts o = { .errors = true, .window = 1, .ordered = true };
    struct num_reply r;
    leat_node *n;
    leat_peer *p;
    leat_workers *ws;
    leat_worker is;
    CHECK_EQ(leat_node_open(&(leat_node_opts){ .name = "boss" }, &n), LEAT_OK);
    CHECK_EQ(leat_node_dial(n, b->url, &p), LEAT_OK);
    CHECK_EQ(leat_workers_open(n, &ws), LEAT_OK);
    CHECK_EQ(leat_workers_add(ws, p), LEAT_OK);
    CHECK_EQ(leat_send(in, { 4 }), LEAT_OK);
    CHECK_EQ(leat_send(in, { 5 }), LEAT_OK);
    leat_close(in);
    leat_err err = leat_deal(ws, calc, twice, leat_rx_of(in), leat_tx_of(out), &o);
    CHECK_EQ(err, b->s->of_element ? LEAT_OK : b->s->want);
    CHECK_EQ(leat_workers_look(ws, &is, 1), 1);
    CHECK_EQ(is.again, 0);
    CHECK_EQ(is.losses, 0);
    CHECK_EQ(is.out, 0);
    if (err == LEAT_OK) {
        CHECK_EQ(leat_recv(out, &r), LEAT_OK);
        CHECK_EQ(leat_reply_err(&r.reply), b->s->want);
        CHECK_EQ(r.reply.number, 0);
        leat_drop(num_reply, &r);
        CHECK_EQ(leat_recv(out, &r), LEAT_OK);
        CHECK_EQ(leat_reply_err(&r.reply), LEAT_OK);
        CHECK_EQ(r.value.n, 8);
        leat_drop(num_reply, &r);
    }
    leat_workers_close(ws);
    leat_node_close(n);
    return LEAT_OK;
}

static void say(struct peer *hand, uint64_t id, leat_err code, bool own)
{
    struct buf b = { 0 };
    buf_varint(&b, id);
    buf_u8(&b, (uint8_t)code);
    buf_u8(&b, own);
    buf_text(&b, "a text", code == LEAT_OK ? 0 : 6);
    buf_text(&b, "", 0);
    if (code == LEAT_OK)
        buf_u64(&b, 8);
    peer_send(hand, FRAME_RESULT, 0, &b);
    buf_free(&b);
}

static void work_for(struct peer *hand, struct link_listener *l, const struct said_as *s)
{
    struct peer_frame f;
    peer_accept(hand, l);
    f = peer_expect(hand, FRAME_OPEN);
    say(hand, cur_varint(&f.in), s->code, s->own);
    if (s->of_element) {
        f = peer_expect(hand, FRAME_OPEN);
        say(hand, cur_varint(&f.in), LEAT_OK, false);
    }
    while ((f = peer_next(hand)).kind != FRAME_DEAD && f.kind != FRAME_BYE)
        continue;
    peer_hang_up(hand);
}

static leat_err answers(leat_none *none)
{
    static struct peer hand;
    struct link_listener *l;
    leat_err err;
    (void)none;
    CHECK_EQ(link_listen(another_url(), &(struct link_listen_opts){ 0 }, &l), LEAT_OK);
    leat_with_deadline(LEAT_S(40))
        for (size_t i = 0; i < ARRAY_LEN(all); i++) {
            leat_with_group(g, err) {
                CHECK_EQ(leat_go(&g, boss, (struct boss){ link_listener_url(l), &all[i] }), LEAT_OK);
                work_for(&hand, l, &all[i]);
            }
            CHECK_EQ(err, LEAT_OK);
        }
    link_listener_close(l);
    return LEAT_OK;
}
ANYWHERE(what_a_worker_answers_is_the_result_of_its_element_or_the_end_of_the_deal, answers)

/* -- a worker that is lost again and again --------------------------------------------------------------------------------------------- */
enum { LOSSES = 4 };
static struct { uint32_t n, pause_ms[LOSSES + 1]; leat_workers *ws; } seen;

static void note_pause(void *self, const leat_worker *w, const char *why)
{
    (void)self, (void)w, (void)why;
    if (seen.n <= LOSSES)
        seen.pause_ms[seen.n++] = seen.ws->at[0]->pause_ms;
}

struct dealer { const char *url; leat_err err; };
static leat_err dealer(struct dealer **d)
{
    leat_auto leat_chan(struct num) in = leat_chan_make(struct num, 2);
    leat_auto leat_chan(struct num_reply) out = leat_chan_make(struct num_reply, 2);
    leat_deal_opts o = { .window = 1, .max_attempts = 99, .lost = note_pause };
    leat_node *n;
    CHECK_EQ(leat_node_open(&(leat_node_opts){ .name = "boss" }, &n), LEAT_OK);
    CHECK_EQ(leat_workers_open(n, &seen.ws), LEAT_OK);
    CHECK_EQ(leat_workers_add_url(seen.ws, (*d)->url), LEAT_OK);
    CHECK_EQ(leat_send(in, { 4 }), LEAT_OK);
    CHECK_EQ(leat_send(in, { 5 }), LEAT_OK);
    leat_close(in);
    (*d)->err = leat_deal(seen.ws, calc, twice, leat_rx_of(in), leat_tx_of(out), &o);
    leat_workers_close(seen.ws);
    leat_node_close(n);
    return LEAT_OK;
}

/* So many elements are answered, and then the worker is gone: for good, it says. */
static void work_and_go(struct peer *hand, struct link_listener *l, int elements)
{
    struct peer_frame f;
    peer_accept(hand, l);
    for (int i = 0; i < elements; i++) {
        f = peer_expect(hand, FRAME_OPEN);
        say(hand, cur_varint(&f.in), LEAT_OK, false);
    }
    (void)peer_expect(hand, FRAME_OPEN);
    peer_send(hand, FRAME_BYE, 0, &(struct buf){ 0 });
    peer_hang_up(hand);
}

/* Twice as long after each loss without a result before it; then as at first. */
static leat_err lost_again(leat_none *none)
{
    static struct peer hand;
    static const uint32_t want[LOSSES] = { WORKER_PAUSE_MS, 2 * WORKER_PAUSE_MS, 4 * WORKER_PAUSE_MS, WORKER_PAUSE_MS };
    struct link_listener *l;
    struct dealer d = { 0 }, *at = &d;
    struct peer_frame f;
    leat_err err;
    (void)none;
    memset(&seen, 0, sizeof seen);
    CHECK_EQ(link_listen(another_url(), &(struct link_listen_opts){ 0 }, &l), LEAT_OK);
    d.url = link_listener_url(l);
    leat_with_deadline(LEAT_S(40)) {
        leat_with_group(g, err) {
            CHECK_EQ(leat_go(&g, dealer, at), LEAT_OK);
            for (int i = 0; i < LOSSES; i++)
                work_and_go(&hand, l, i == LOSSES - 1);
            peer_accept(&hand, l);
            f = peer_expect(&hand, FRAME_OPEN);
            say(&hand, cur_varint(&f.in), LEAT_OK, false);
            while ((f = peer_next(&hand)).kind != FRAME_DEAD && f.kind != FRAME_BYE)
                continue;
            peer_hang_up(&hand);
        }
        CHECK_EQ(err, LEAT_OK);
    }
    CHECK_EQ(d.err, LEAT_OK);
    CHECK_EQ(seen.n, LOSSES);
    for (int i = 0; i < LOSSES; i++)
        CHECK_EQ(seen.pause_ms[i], want[i]);
    link_listener_close(l);
    return LEAT_OK;
}
ANYWHERE(a_worker_that_is_lost_again_and_again_is_looked_for_ever_more_slowly_until_it_has_worked, lost_again)

T_MAIN()
