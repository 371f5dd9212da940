/* chan_select2_test.c - what Go's test/chan/select2.go states: a select takes no memory to speak of, however often it waits. */
#include "place.h"
#include <malloc.h>

LEAT_STRUCT(sender, (tx(num), out), (int64, count));
static leat_err send_ones(struct sender *s)
{
    for (int64_t i = 0; i < s->count; i++)
        LEAT_TRY(leat_send(s->out, { 1 }));
    return LEAT_OK;
}
PLACE_TASK(send_ones, sender)

static leat_err recv_ones(leat_chan(struct num) c, leat_chan(struct num) dummy, int64_t n)
{
    leat_err err;
    leat_with_group(g, err) {
        LEAT_TRY(place_go(&g, send_ones, sender, { leat_ref(leat_tx_of(c)), n }));
        for (int64_t i = 0; i < n; i++) {
            struct num v;
            leat_err e;
            leat_select(e) {
                leat_on_recv(c, &v)     {}
                leat_on_recv(dummy, &v) { CHECK(!"nobody sends"); }
            }
            LEAT_TRY(e);
        }
    }
    return err;
}

static leat_err select2_test(void)
{
    leat_chan(struct num) c = leat_chan_make(struct num, 0), dummy = leat_chan_make(struct num, 0);
    int64_t n = place_turns(100000);
    LEAT_TRY(recv_ones(c, dummy, n));                /* warm */
    size_t before = mallinfo2().uordblks;
    LEAT_TRY(recv_ones(c, dummy, n));
    size_t after = mallinfo2().uordblks;
    CHECK(after < before + 110000);
    leat_unref(c);
    leat_unref(dummy);
    return LEAT_OK;
}
EVERYWHERE(select2, select2_test)

T_MAIN()
