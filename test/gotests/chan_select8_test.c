/* chan_select8_test.c - what Go's test/chan/select8.go states: break in a case leaves the select, of one, two and three cases. */
#include "place.h"

LEAT_STRUCT(sender, (tx(num), out), (int64, count));
static leat_err send_fives(struct sender *s)
{
    leat_err err;
    while ((err = leat_send(s->out, { 5 })) == LEAT_OK)
        ;
    return err == LEAT_CLOSED ? LEAT_OK : err;
}
PLACE_TASK(send_fives, sender)

static leat_err select8_test(void)
{
    leat_chan(struct num) ch = leat_chan_make(struct num, 0);
    struct num v = { 0 }, ten = { 10 };
    leat_err err, e;
    int after = 0;
    leat_with_group(g, err) {
        LEAT_TRY(place_go(&g, send_fives, sender, { leat_ref(leat_tx_of(ch)), 0 }));
        leat_select(e) { leat_on_recv(ch, &v) { if (v.n) break; after++; } }
        CHECK(e == LEAT_OK && v.n == 5);
        leat_select(e) { leat_otherwise { if (v.n) break; after++; } }
        CHECK_EQ(e, LEAT_OK);
        leat_select(e) {
            leat_on_recv(ch, &v) { if (v.n) break; after++; }
            leat_otherwise       { if (v.n) break; after++; }
        }
        CHECK_EQ(e, LEAT_OK);
        leat_select(e) {
            leat_on_recv(ch, &v)   { if (v.n) break; after++; }
            leat_on_send(ch, &ten) { CHECK(!"nobody receives"); }
            leat_otherwise         { if (v.n) break; after++; }
        }
        CHECK_EQ(e, LEAT_OK);
        leat_close(ch);
    }
    CHECK_EQ(after, 0);
    leat_unref(ch);
    return err;
}
EVERYWHERE(select8, select8_test)

T_MAIN()
