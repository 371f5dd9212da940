/* chan_select7_test.c - what Go's test/chan/select7.go states: every way to send meets every way to receive: plain, a select of
 * one case, a select of two. */
#include "place.h"

LEAT_STRUCT(receiver, (rx(num), in), (int64, way));
static leat_err recv_way(struct receiver *r)
{
    leat_auto leat_chan(struct num) other = leat_chan_make(struct num, 0);
    struct num v;
    leat_err err;
    if (r->way == 0)
        return leat_recv(r->in, &v);
    if (r->way == 1)
        leat_select(err) { leat_on_recv(r->in, &v) {} }
    else
        leat_select(err) { leat_on_recv(r->in, &v) {} leat_on_recv(other, &v) {} }
    return err;
}
PLACE_TASK(recv_way, receiver)

static leat_err send_way(leat_chan(struct num) to, int way)
{
    leat_auto leat_chan(struct num) other = leat_chan_make(struct num, 0);
    struct num one = { 1 };
    leat_err err;
    if (way == 0)
        return leat_send(to, one);
    if (way == 1)
        leat_select(err) { leat_on_send(to, &one) {} }
    else
        leat_select(err) { leat_on_send(to, &one) {} leat_on_send(other, &one) {} }
    return err;
}

static leat_err select7_test(void)
{
    leat_err err = LEAT_OK;
    for (int way = 0; way < 9 && err == LEAT_OK; way++) {
        leat_chan(struct num) to = leat_chan_make(struct num, 0);
        leat_with_group(g, err) {
            LEAT_TRY(place_go(&g, recv_way, receiver, { leat_ref(leat_rx_of(to)), way % 3 }));
            leat_yield();
            LEAT_TRY(send_way(to, way / 3));
        }
        leat_unref(to);
    }
    return err;
}
EVERYWHERE(select7, select7_test)

T_MAIN()
