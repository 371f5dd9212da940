/* chan_select6_test.c - what Go's test/chan/select6.go states: a select that leaves the queue of a channel from its end leaves it
 * whole for those who wait in it and
 * those who come. */
#include "place.h"
#include "waiting.h"

LEAT_STRUCT(sender, (tx(num), out), (int64, count));
static leat_err send_ones(struct sender *s)
{
    for (int64_t i = 0; i < s->count; i++)
        LEAT_TRY(leat_send(s->out, { 1 }));
    return LEAT_OK;
}
PLACE_TASK(send_ones, sender)

struct six { leat_chan(struct num) c1, c2, c3; };
static leat_err six_first(struct six *s)
{
    struct num v;
    return leat_recv(s->c1, &v);
}

static leat_err six_select(struct six *s)
{
    leat_err err;
    struct num v;
    leat_select(err) {
        leat_on_recv(s->c1, &v) { CHECK(!"it came second"); }
        leat_on_recv(s->c2, &v) {}
    }
    LEAT_TRY(err);
    LEAT_TRY(leat_send(s->c3, { 1 }));
    return leat_recv(s->c1, &v);
}

static leat_err select6_test(void)
{
    struct six s = { leat_chan_make(struct num, 0), leat_chan_make(struct num, 0), leat_chan_make(struct num, 0) };
    struct num v;
    leat_err err;
    leat_with_group(g, err) {
        LEAT_TRY(leat_go(&g, six_first, s));
        while (place_receivers(s.c1) < 1)
            ;
        LEAT_TRY(leat_go(&g, six_select, s));
        while (place_receivers(s.c1) < 2)
            ;
        LEAT_TRY(place_go(&g, send_ones, sender, { leat_ref(leat_tx_of(s.c2)), 1 }));
        LEAT_TRY(leat_recv(s.c3, &v));
        LEAT_TRY(place_go(&g, send_ones, sender, { leat_ref(leat_tx_of(s.c1)), 2 }));
    }
    leat_unref(s.c1);
    leat_unref(s.c2);
    leat_unref(s.c3);
    return err;
}
EVERYWHERE(select6, select6_test)

T_MAIN()
