/* chan_powser1_test.c - what Go's test/chan/powser1.go states: power series as nets of tasks that ask each other for coefficients. */
#include "place.h"

#define ITEM struct rat
#define item_of(r) (r)
#define rat_of(it) (it)
#include "powser.h"

AT_TASK(powser1, powser_test)

/* The two constant series are on the other side.  What asks two series at once offers a send to each in a select, which to an
 * unbuffered channel elsewhere is refused: those operations are left to the test above. */
LEAT_STRUCT(constant, (rx(num), req), (tx(rat), dat), (int64, c));
static leat_err constant(struct constant *a)
{
    leat_err err;
    leat_each(v, a->req, err)
        LEAT_TRY(leat_send(a->dat, { a->c, 1 }));
    return err;
}
PLACE_TASK(constant, constant)

static leat_err powser1_asked_test(void)
{
    leat_err err, e = LEAT_OK;
    ps s[2] = { ps_make(), ps_make() };
    leat_with_group(far, err) {
        for (int i = 0; i < 2; i++)
            LEAT_TRY(place_go(&far, constant, constant, { leat_ref(leat_rx_of(s[i]->req)), leat_ref(leat_tx_of(s[i]->dat)), i + 1 }));
        leat_with_group(g, e) {
            tasks = &g;
            LEAT_TRY(check_plain(s[0], s[1]));
            leat_group_cancel(&g);
        }
        for (int i = 0; i < 2; i++)
            leat_close(s[i]->req);
        err = e == LEAT_CANCELED ? LEAT_OK : e;
    }
    ps_free_all();
    return err;
}
EVERYWHERE(powser1_asked, powser1_asked_test)

T_MAIN()
