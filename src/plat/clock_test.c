/* clock_test.c - the counter of the processor against the monotonic clock. */
#include "plat/clock.h"
#include "t.h"

TEST(a_reading_is_never_before_the_clock_and_little_after)
{
    struct plat_clock c = { 0 };
    int64_t start = plat_now(), counted = 0, end = start + (getenv("T_QUICK") ? 100000000 : 400000000), anew = start;
    for (int64_t before = start, after; before < end; before = after) {
        if (before > anew && before < start + (end - start) / 2) {   /* a rate that was found in a short time is as good */
            c = (struct plat_clock){ 0 };
            anew = before + 10000000;
        }
        bool by_counter = plat_ticks() - c.at < c.span;
        int64_t soon = plat_now_soon(&c);
        after = plat_now();
        if (soon < before)
            t_fail(__FILE__, __LINE__, "%lld ns before the clock", (long long)(before - soon));
        if (soon > after + PLAT_CLOCK_AHEAD_NS)
            t_fail(__FILE__, __LINE__, "%lld ns after the clock", (long long)(soon - after));
        counted += by_counter;
    }
    CHECK((counted > 0) == plat_ticks_good());
}

TEST(a_counter_that_jumps_is_found_out)
{
    struct plat_clock c = { 0 };
    if (!plat_ticks_good())
        return;
    while (!c.span)
        (void)plat_now_soon(&c);
    for (int i = 0; i < 3; i++) {
        uint64_t jump = i == 0 ? UINT64_C(1) << 40 : i == 1 ? -(UINT64_C(1) << 40) : UINT64_C(1) << 36;
        c.at += jump;                                /* as if the machine had slept, or its counter had begun again */
        c.first += jump;
        int64_t before = plat_now(), soon = plat_now_soon(&c), after = plat_now();
        CHECK(soon >= before && soon <= after + PLAT_CLOCK_AHEAD_NS);
        while (!c.span)
            (void)plat_now_soon(&c);
        before = plat_now();
        soon = plat_now_soon(&c);
        CHECK(soon >= before && soon <= plat_now() + PLAT_CLOCK_AHEAD_NS);
    }
}

TEST(a_counter_that_cannot_be_trusted_is_not_read)
{
    struct plat_clock c = { 0 };
    for (int i = 0; i < 1000 && !plat_ticks_good(); i++) {
        int64_t before = plat_now(), soon = plat_now_soon(&c);
        CHECK(soon >= before && soon <= plat_now());
        CHECK_EQ(c.span, 0);
    }
}

T_MAIN()
