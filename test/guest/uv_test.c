/* uv_test.c - a guest in the loop of libuv. */
#include <uv.h>
#include "host.h"

static uv_timer_t timer;

static void on_guest(uv_poll_t *p, int status, int events)
{
    (void)events;
    CHECK_EQ(status, 0);
    if (step())
        return;
    uv_close((uv_handle_t *)p, NULL);                /* with both closed the loop ends */
    uv_close((uv_handle_t *)&timer, NULL);
}

static void on_tick(uv_timer_t *t)
{
    (void)t;
    tick();
}

static void run_host(void)
{
    uv_loop_t loop;
    uv_poll_t poll;
    CHECK_EQ(uv_loop_init(&loop), 0);
    CHECK_EQ(uv_poll_init(&loop, &poll, leat_guest_fd(guest)), 0);
    CHECK_EQ(uv_poll_start(&poll, UV_READABLE, on_guest), 0);
    CHECK_EQ(uv_timer_init(&loop, &timer), 0);
    CHECK_EQ(uv_timer_start(&timer, on_tick, 1, 1), 0);
    CHECK_EQ(uv_run(&loop, UV_RUN_DEFAULT), 0);
    CHECK_EQ(uv_loop_close(&loop), 0);
}

TEST(a_guest_meets_in_libuv_while_the_hosts_timer_is_on_time) { meet_in_host(); }
T_MAIN()
