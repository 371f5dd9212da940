/* chan_sendstmt_test.c - what Go's test/chan/sendstmt.go states: a channel that came over a channel is one to send on; the value of a
 * send is an expression like any other. */
#include "place.h"

LEAT_STRUCT(way, (tx(num), c));
LEAT_STRUCT(ways, (rx(way), in));
static leat_err send_two(struct ways *w)
{
    struct way to;
    leat_err err;
    LEAT_TRY(leat_recv(w->in, &to));
    err = leat_try_send(to.c, { 2 });                /* there is room */
    leat_drop(way, &to);
    return err;
}
PLACE_TASK(send_two, ways)

static leat_err chanchan_test(void)
{
    leat_chan(struct way) cc = leat_chan_make(struct way, 1);
    leat_chan(struct num) c = leat_chan_make(struct num, 1);
    leat_err err;
    struct num v;
    leat_with_group(g, err) {
        LEAT_TRY(place_go(&g, send_two, ways, { leat_ref(leat_rx_of(cc)) }));
        LEAT_TRY(leat_send(cc, { leat_ref(leat_tx_of(c)) }));
        LEAT_TRY(leat_recv(c, &v));
        CHECK_EQ(v.n, 2);
    }
    leat_unref(cc);
    leat_unref(c);
    return err;
}
EVERYWHERE(chanchan, chanchan_test)

static leat_err sendprec_test(void)
{
    leat_auto leat_chan(bool) c = leat_chan_make(bool, 1);
    volatile bool no = false, yes = true;
    bool v = false;
    LEAT_TRY(leat_send(c, no || yes));
    LEAT_TRY(leat_recv(c, &v));
    CHECK(v);
    return LEAT_OK;
}
AT_TASK(sendprec, sendprec_test)

T_MAIN()
