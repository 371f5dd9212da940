/* chan_select4_test.c - what Go's test/chan/select4.go states: a value goes to the variable of the case that ran; that of another
 * is as it was. */
#include "place.h"

static leat_err select4_test(void)
{
    leat_chan(struct num) c = leat_chan_make(struct num, 1), c1 = leat_chan_make(struct num, 0);
    struct { struct num a; } x = { { 0 } };
    struct num other = { 7 };
    leat_err err;
    LEAT_TRY(leat_send(c, { 42 }));
    leat_select(err) {
        leat_on_recv(c1, &other) {}
        leat_on_recv(c, &x.a)    { CHECK_EQ(x.a.n, 42); }
    }
    CHECK(err == LEAT_OK && x.a.n == 42 && other.n == 7);
    leat_unref(c);
    leat_unref(c1);
    return LEAT_OK;
}
AT_TASK(select4, select4_test)

T_MAIN()
