/* sync_once_test.c - of Go's sync/once_test.go. */
#include "place.h"

static int o;
static leat_err increment(void)
{
    o++;
    leat_yield();
    return LEAT_OK;
}
static leat_err run(leat_once **once)
{
    LEAT_TRY(leat_do_once(*once, increment));
    CHECK_EQ(o, 1);
    return LEAT_OK;
}
static leat_err test_once(void)
{
    leat_once once = { { NULL } };
    leat_err err;
    leat_with_group(g, err)
        for (int i = 0; i < 10; i++)
            LEAT_TRY(leat_go(&g, run, &once));
    CHECK_EQ(o, 1);
    return err;
}
AT_TASK(TestOnce, test_once)

T_MAIN()
