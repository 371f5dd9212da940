/* try_test.c - tries of a buffered channel whose home is elsewhere: an answer is for those that the home had been told of.
 *
 * The home is one by hand (peer.h), so that its answers come when they are least convenient. */
#include "base/base.h"
#include "chan/chan.h"
#include "peer.h"
#include "sess/home.h"
#include "type/desc.h"

LEAT_STRUCT(num, (uint64, n));

enum { ID = 3, CAP = 4 };                            /* the id is the peer's: it has dialed, so it is odd */
static struct peer home;
struct tried { leat_tx(struct num) to; leat_err err; };

static leat_err try_it(struct tried **t)
{
    (*t)->err = leat_try_send((*t)->to, { 7 });
    return LEAT_OK;
}

/* NEED of no sender that waits, with a question; and so many elements, before it or behind. */
static void asks(int elements)
{
    for (int asked = 0; !asked || elements; ) {
        struct peer_frame f = peer_next(&home);
        if (f.kind == FRAME_NEED) {
            CHECK(!asked++);
            CHECK_EQ(cur_varint(&f.in), ID);
            CHECK_EQ(cur_varint(&f.in), 0);
            (void)cur_varint(&f.in);
            CHECK_EQ(cur_u8(&f.in), 1);
        } else if (f.kind >= FRAME_FIRST_NUMBERED) {
            CHECK_EQ(f.kind, FRAME_ELEM);
            CHECK(elements--);
        }
    }
}

static void until_asking(struct end *e, uint32_t here, uint32_t behind)
{
    for (uint32_t n = 0, b = 0; n < here || b < behind; ) {
        leat_yield();
        n = 0;
        lock(&e->c->lock);
        for (const struct waiter *x = at_load(&e->askers.head); x; x = x->next)
            n++;
        b = e->relay && e->relay->below ? e->relay->below->asking : 0;
        unlock(&e->c->lock);
    }
}

static leat_err answers(leat_none *none)
{
    (void)none;
    struct pair x = pair_open();                     /* b sends through a */
    leat_chan(struct num) c = leat_chan_make(struct num, CAP);
    leat_tx(struct num) far = NULL, near = leat_ref(leat_tx_of(c));
    leat_err err;
    CHECK_EQ(leat_export(x.a, "in", leat_rx_of(c), num), LEAT_OK);
    leat_with_deadline(LEAT_S(40)) {
        peer_dial(&home, leat_node_url(x.a), 1);
        (void)peer_attach(&home, ID, &num_type, "in", false);
        CHECK_EQ(leat_export(x.a, "far", near, num), LEAT_OK);
        CHECK_EQ(leat_import(x.p, "far", &far, num, 0), LEAT_OK);
        struct end *site = site_of((leat_chan_ *)c);
        for (int i = 0; i < CAP; i++) {
            CHECK_EQ(leat_send(near, { 1 }), LEAT_OK);       /* an end that has moved has the whole of its channel */
            (void)peer_expect(&home, FRAME_ELEM);
        }
        struct tried first = { near, LEAT_OK }, late = { near, LEAT_OK }, beyond = { far, LEAT_OK };
        leat_with_group(g, err) {
            LEAT_TRY(leat_go(&g, try_it, (struct tried *){ &first }));
            asks(0);
            LEAT_TRY(leat_go(&g, try_it, (struct tried *){ &late }));
            LEAT_TRY(leat_go(&g, try_it, (struct tried *){ &beyond }));
            until_asking(site, 2, 1);
            PEER_SAY(&home, FRAME_NONE, ID);         /* and then there is room */
            asks(0);
            PEER_SAY(&home, FRAME_GRANT, ID, CAP + 1, 1, 8);     /* a share of it, for two */
            asks(1);
            PEER_SAY(&home, FRAME_GRANT, ID, CAP + 2, 2, 16);
            (void)peer_expect(&home, FRAME_ELEM);
        }
        CHECK_EQ(err, LEAT_OK);
        CHECK_EQ(first.err, LEAT_AGAIN);
        CHECK_EQ(late.err, LEAT_OK);
        CHECK_EQ(beyond.err, LEAT_OK);
    }
    peer_hang_up(&home);
    leat_unref(far);
    leat_unref(near);
    leat_unref(c);
    pair_close(&x);
    return LEAT_OK;
}
ANYWHERE(who_tries_while_an_answer_is_on_its_way_has_one_of_its_own, answers)

T_MAIN()
