/* chan_goroutines_test.c - what Go's test/chan/goroutines.go states: a row of many tasks, each with a channel to the next, hands a
 * value from one end to the other. */
#include "place.h"

LEAT_STRUCT(hand, (tx(num), left), (rx(num), right));
static leat_err hand(struct hand *h)
{
    struct num v;
    LEAT_TRY(leat_recv(h->right, &v));
    v.n++;
    return leat_send(h->left, v);
}
PLACE_TASK(hand, hand)

static leat_err goroutines_test(void)
{
    int n = place_far ? place_turns(2000) : place_turns(10000);
    leat_chan(struct num) leftmost = leat_chan_make(struct num, 0), left = leat_ref(leftmost);
    leat_err err;
    struct num v;
    leat_with_group(g, err) {
        for (int i = 0; i < n; i++) {                /* every other one is on the other side */
            leat_chan(struct num) right = leat_chan_make(struct num, 0);
            struct hand h = { leat_ref(leat_tx_of(left)), leat_ref(leat_rx_of(right)) };
            if (i % 2)
                LEAT_TRY(place_go(&g, hand, hand, h));
            else
                LEAT_TRY(place_go_here(&g, hand, hand, h));
            leat_unref(left);
            left = right;
        }
        LEAT_TRY(leat_send(left, { 1 }));
        LEAT_TRY(leat_recv(leftmost, &v));
        CHECK_EQ(v.n, n + 1);
    }
    leat_unref(left);
    leat_unref(leftmost);
    return err;
}
EVERYWHERE(goroutines, goroutines_test)

T_MAIN()
