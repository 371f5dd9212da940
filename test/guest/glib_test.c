/* glib_test.c - a guest in the main loop of GLib. */
#include <glib-unix.h>
#include "host.h"

static gboolean on_guest(gint fd, GIOCondition events, gpointer loop)
{
    (void)fd; (void)events;
    if (step())
        return G_SOURCE_CONTINUE;
    g_main_loop_quit(loop);
    return G_SOURCE_REMOVE;
}

static gboolean on_tick(gpointer arg)
{
    (void)arg;
    tick();
    return G_SOURCE_CONTINUE;
}

static void run_host(void)
{
    GMainLoop *loop = g_main_loop_new(NULL, FALSE);
    g_unix_fd_add(leat_guest_fd(guest), G_IO_IN, on_guest, loop);
    guint timer = g_timeout_add(1, on_tick, NULL);
    g_main_loop_run(loop);
    g_source_remove(timer);
    g_main_loop_unref(loop);
}

TEST(a_guest_meets_in_glib_while_the_hosts_timer_is_on_time) { meet_in_host(); }
T_MAIN()
