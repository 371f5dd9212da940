/* sdevent_test.c - a guest in the loop of libsystemd. */
#include <systemd/sd-event.h>
#include "host.h"

static int on_guest(sd_event_source *s, int fd, uint32_t events, void *arg)
{
    (void)fd; (void)events; (void)arg;
    return step() ? 0 : sd_event_exit(sd_event_source_get_event(s), 0);
}

static int on_tick(sd_event_source *s, uint64_t usec, void *arg)
{
    (void)usec; (void)arg;
    tick();
    CHECK(sd_event_source_set_time_relative(s, 1000) >= 0);
    return sd_event_source_set_enabled(s, SD_EVENT_ONESHOT);
}

static void run_host(void)
{
    sd_event *loop = NULL;
    CHECK(sd_event_new(&loop) >= 0);
    CHECK(sd_event_add_io(loop, NULL, leat_guest_fd(guest), EPOLLIN, on_guest, NULL) >= 0);
    CHECK(sd_event_add_time_relative(loop, NULL, CLOCK_MONOTONIC, 1000, 1, on_tick, NULL) >= 0);
    CHECK_EQ(sd_event_loop(loop), 0);
    sd_event_unref(loop);
}

TEST(a_guest_meets_in_sd_event_while_the_hosts_timer_is_on_time) { meet_in_host(); }
T_MAIN()
