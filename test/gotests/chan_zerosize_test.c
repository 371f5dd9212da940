/* chan_zerosize_test.c - what Go's test/chan/zerosize.go states: there are channels of elements without size, with a buffer and
 * without.  They carry how many and in which order, and nothing else. */
#include "place.h"

struct nothing {};                                       /* GNU C; a struct on the wire has a field */

static leat_err carry(leat_chan(struct nothing) c)
{
    struct nothing v = {};
    for (int i = 0; i < 3; i++)
        LEAT_TRY(leat_send(c, v));
    leat_close(c);
    return LEAT_OK;
}
struct carry { leat_chan(struct nothing) c; };
static leat_err carry_task(struct carry *a) { return carry(a->c); }

static leat_err zerosize_test(void)
{
    leat_err err = LEAT_OK;
    for (size_t cap = 0; cap < 5 && err == LEAT_OK; cap++) {
        leat_chan(struct nothing) c = leat_chan_make(struct nothing, cap);
        int n = 0;
        CHECK(c != NULL);
        CHECK_EQ(leat_cap(c), cap);
        leat_with_group(g, err) {
            LEAT_TRY(leat_go(&g, carry_task, (struct carry){ c }));
            leat_err e;
            leat_each(v, c, e) {
                (void)v;
                n++;
            }
            LEAT_TRY(e);
        }
        CHECK_EQ(n, 3);
        leat_unref(c);
    }
    return err;
}
AT_TASK(zerosize, zerosize_test)

T_MAIN()
