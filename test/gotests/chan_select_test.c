/* chan_select_test.c - what Go's test/chan/select.go states: the arguments of a select are evaluated each time it runs and once
 * each, also those of a NULL channel. */
#include "place.h"

static int64_t counter, shift;
static struct num *value(struct num *v)
{
    counter++;
    v->n = 1 << shift;
    return v;
}

/* Sends on each of both once, and says how many that were. */
static int send_both(leat_tx(struct num) a, leat_tx(struct num) b)
{
    for (int i = 0;; shift++) {
        leat_err err;
        struct num v, w;
        bool more = true;
        leat_select(err) {
            leat_on_send(a, value(&v)) { i++; a = NULL; }
            leat_on_send(b, value(&w)) { i++; b = NULL; }
            leat_otherwise             { more = false; }
        }
        CHECK_EQ(err, LEAT_OK);
        if (!more)
            return i;
    }
}

LEAT_STRUCT(receiver, (rx(num), a), (rx(num), b), (tx(num), sum));
static leat_err recv_both(struct receiver *r)
{
    struct num v, w;
    LEAT_TRY(leat_recv(r->a, &v));
    LEAT_TRY(leat_recv(r->b, &w));
    return leat_send(r->sum, { v.n | w.n });
}
PLACE_TASK(recv_both, receiver)

static leat_err select_test(void)
{
    leat_chan(struct num) a = leat_chan_make(struct num, 1), b = leat_chan_make(struct num, 1), sum = leat_chan_make(struct num, 0);
    struct num v;
    leat_err err;
    leat_with_group(g, err) {
        LEAT_TRY(place_go(&g, recv_both, receiver, { leat_ref(leat_rx_of(a)), leat_ref(leat_rx_of(b)), leat_ref(leat_tx_of(sum)) }));
        CHECK_EQ(send_both(leat_tx_of(a), leat_tx_of(b)), 2);
        LEAT_TRY(leat_recv(sum, &v));
        CHECK_EQ(v.n, 3);
    }
    leat_unref(a);
    leat_unref(b);
    leat_unref(sum);
    if (err == LEAT_OK) {
        leat_chan(struct num) c = leat_chan_make(struct num, 1);
        CHECK_EQ(send_both(leat_tx_of(c), NULL), 1);
        CHECK_EQ(counter, 10);                       /* twice in each of five selects, whether or not it was sent */
        leat_unref(c);
    }
    return err;
}
EVERYWHERE(select_go, select_test)

T_MAIN()
