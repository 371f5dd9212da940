/* chancap_test.c - what Go's test/chancap.go and test/makechan.go state: length and capacity, and that there is no channel of a capacity
 * that nothing can hold. */
#include "place.h"

LEAT_STRUCT(filler, (tx(num), c), (int64, count));
static leat_err fill(struct filler *f)
{
    CHECK_EQ(leat_cap(f->c), 10);                    /* everywhere the one that its maker gave it */
    for (int64_t i = 0; i < f->count; i++)
        LEAT_TRY(leat_send(f->c, { i }));
    return leat_flush(f->c);
}
PLACE_TASK(fill, filler)

static leat_err chancap_test(void)
{
    leat_chan(struct num) c = leat_chan_make(struct num, 10);
    leat_err err;
    CHECK(leat_len(c) == 0 && leat_cap(c) == 10);
    leat_with_group(g, err)
        LEAT_TRY(place_go(&g, fill, filler, { leat_ref(leat_tx_of(c)), 3 }));
    CHECK(leat_len(c) == 3 && leat_cap(c) == 10);
    leat_unref(c);
    c = leat_chan_make(struct num, 0);
    CHECK(leat_len(c) == 0 && leat_cap(c) == 0);
    leat_unref(c);
    CHECK(leat_len(c) == 0 && leat_cap(c) == 0);     /* it is NULL now */
    return err;
}
EVERYWHERE(chancap, chancap_test)

static leat_err too_large_test(void)
{
    static const size_t size[] = { (size_t)-1, (size_t)1 << 59, ((size_t)1 << 63) - 1, (size_t)1 << 63, SIZE_MAX / sizeof(int) + 1 };
    for (size_t i = 0; i < sizeof size / sizeof *size; i++) {
        CHECK(leat_chan_make(int, size[i]) == NULL); /* an error, and no panic */
        CHECK_HAS(leat_err_detail(), "more than a channel can hold");
        CHECK(leat_chan_make(char, size[i]) == NULL);
    }
    return LEAT_OK;
}
AT_TASK(too_large, too_large_test)

T_MAIN()
