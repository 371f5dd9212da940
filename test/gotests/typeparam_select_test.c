/* typeparam_select_test.c - what Go's test/typeparam/select.go states: two selects over two channels with one element each receive
 * both. */
#include "place.h"

LEAT_STRUCT(two, (rx(num), a), (rx(num), b), (tx(num), out));
static leat_err receive_both(struct two *t)
{
    for (int i = 0; i < 2; i++) {
        leat_err err;
        struct num v;
        leat_select(err) {
            leat_on_recv(t->a, &v) {}
            leat_on_recv(t->b, &v) {}
        }
        LEAT_TRY(err);
        LEAT_TRY(leat_send(t->out, v));
    }
    return LEAT_OK;
}
PLACE_TASK(receive_both, two)

static leat_err typeparam_select_test(void)
{
    leat_chan(struct num) a = leat_chan_make(struct num, 1), b = leat_chan_make(struct num, 1);
    leat_auto leat_chan(struct num) out = leat_chan_make(struct num, 2);
    struct num x, y;
    leat_err err;
    LEAT_TRY(leat_send(a, { 5 }));
    LEAT_TRY(leat_send(b, { 6 }));
    leat_with_group(g, err) {
        LEAT_TRY(place_go(&g, receive_both, two, { leat_ref(leat_rx_of(a)), leat_ref(leat_rx_of(b)), leat_ref(leat_tx_of(out)) }));
        LEAT_TRY(leat_recv(out, &x));
        LEAT_TRY(leat_recv(out, &y));
    }
    CHECK((x.n == 5 && y.n == 6) || (x.n == 6 && y.n == 5));
    leat_unref(a);
    leat_unref(b);
    return err;
}
EVERYWHERE(typeparam_select, typeparam_select_test)

T_MAIN()
