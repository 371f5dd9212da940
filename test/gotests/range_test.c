/* range_test.c - what Go's test/range.go states of channels: a loop over one receives what was sent, in order, and ends with the close;
 * so does one that only counts. */
#include "place.h"

LEAT_STRUCT(seq, (tx(num), out), (int64, lo), (int64, hi));
static leat_err generate(struct seq *s)
{
    for (int64_t i = s->lo; i <= s->hi; i++)
        LEAT_TRY(leat_send(s->out, { i }));
    leat_close(s->out);
    return LEAT_OK;
}
PLACE_TASK(generate, seq)

static leat_err testchan_test(void)
{
    char got[27] = "";
    for (int round = 0; round < 2; round++) {
        leat_auto leat_chan(struct num) c = leat_chan_make(struct num, 0);
        leat_err err;
        int n = 0;
        leat_with_group(g, err) {
            LEAT_TRY(place_go(&g, generate, seq, { leat_ref(leat_tx_of(c)), 'a', 'z' }));
            leat_each(v, c, err) {
                CHECK(n < 26);
                if (round == 0)
                    got[n] = (char)v.n;
                n++;
            }
            LEAT_TRY(err);
        }
        LEAT_TRY(err);
        CHECK_EQ(n, 26);
    }
    CHECK_STR(got, "abcdefghijklmnopqrstuvwxyz");
    return LEAT_OK;
}
EVERYWHERE(testchan, testchan_test)

T_MAIN()
