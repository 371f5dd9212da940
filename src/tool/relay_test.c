/* relay_test.c - what the launcher writes for what the nodes wrote. */
#include "tool/relay.h"
#include "t.h"

static void feed(struct relay *r, uint32_t node, const char *text)
{
    relay_feed(r, node, text, strlen(text));
}

static void check_out(struct relay *r, const char *expected)
{
    char text[4096] = { 0 };
    CHECK(r->out_len < sizeof text);
    memcpy(text, r->out, r->out_len);
    CHECK_STR(text, expected);
    relay_taken(r, r->out_len);
}

TEST(a_line_is_written_when_it_is_complete_and_not_before)
{
    struct relay r;
    CHECK(relay_init(&r, 3, false, false));
    feed(&r, 2, "half");
    CHECK_EQ(r.out_len, 0);
    feed(&r, 1, "whole\nnext\n");
    feed(&r, 2, " a line\n");
    check_out(&r, "[1] whole\n[1] next\n[2] half a line\n");
    feed(&r, 0, "no newline");
    relay_end(&r, 0);
    relay_end(&r, 1);
    check_out(&r, "[0] no newline\n");
    relay_done(&r);
}

TEST(without_a_terminal_a_carriage_return_is_a_byte_like_others)
{
    struct relay r;
    CHECK(relay_init(&r, 1, false, false));
    feed(&r, 0, "a\rb\r\n");
    check_out(&r, "[0] a\rb\r\n");
    relay_done(&r);
}

TEST(on_a_terminal_a_progress_line_stays_below_what_others_say)
{
    struct relay r;
    CHECK(relay_init(&r, 2, true, false));
    feed(&r, 0, "\r\033[K10 lines");
    check_out(&r, "[0] 10 lines");
    feed(&r, 1, "hello\n");
    check_out(&r, "\r\033[K[1] hello\n[0] 10 lines");
    feed(&r, 0, "\r\033[K20 lines");
    check_out(&r, "\r\033[K[0] 20 lines");
    relay_say(&r, "node 1 is %s", "gone");
    check_out(&r, "\r\033[Knode 1 is gone\n[0] 20 lines");
    feed(&r, 0, "\r\033[K30 lines\n");
    check_out(&r, "\r\033[K[0] 30 lines\n");
    relay_done(&r);
}

TEST(on_a_terminal_an_erased_line_leaves_nothing)
{
    struct relay r;
    CHECK(relay_init(&r, 2, true, false));
    feed(&r, 0, "busy\r");
    check_out(&r, "[0] busy");
    feed(&r, 0, "\033[K");
    check_out(&r, "\r\033[K");
    relay_end(&r, 0);
    CHECK_EQ(r.out_len, 0);
    relay_done(&r);
}

TEST(each_node_has_its_colour)
{
    struct relay r;
    CHECK(relay_init(&r, 2, true, true));
    feed(&r, 1, "x\n");
    check_out(&r, "\033[32m[1]\033[0m x\n");
    relay_done(&r);
}

TEST(a_line_without_end_is_broken)
{
    struct relay r;
    CHECK(relay_init(&r, 1, false, false));
    for (int i = 0; i < RELAY_LINE_MAX + 1; i++)
        feed(&r, 0, "x");
    CHECK_EQ(r.out_len, RELAY_LINE_MAX + strlen("[0] \n"));
    relay_done(&r);
}

TEST(a_prefix_is_as_wide_as_the_largest_number)
{
    CHECK_EQ(relay_columns(10), 4);
    CHECK_EQ(relay_columns(11), 5);
}

T_MAIN()
