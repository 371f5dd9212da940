/* nil_test.c - what Go's test/nil.go states of channels: with one that is NULL nothing is ever sent or received, and it has neither
 * length nor capacity.  Selects with such cases are in chan_select3_test.c. */
#include "place.h"

static leat_err chantest_test(void)
{
    leat_chan(struct num) c = NULL;
    struct num v = { 5 };
    leat_err err;
    CHECK_EQ(leat_send(c, { 1 }), LEAT_INVAL);       /* an error at once, where Go waits for ever */
    CHECK_EQ(leat_recv(c, &v), LEAT_INVAL);
    leat_each(w, c, err)
        CHECK_EQ(w.n, -1);                           /* never */
    CHECK_EQ(err, LEAT_INVAL);
    CHECK_EQ(v.n, 5);
    CHECK_EQ(leat_len(c), 0);
    CHECK_EQ(leat_cap(c), 0);
    return LEAT_OK;
}
AT_TASK(chantest, chantest_test)

T_MAIN()
