/* null_test.c - what closes, ends, stops, cancels or drops takes NULL, and does nothing: each of them in the public headers is here
 * (test/public looks).  In a task, and on a thread that is none. */
#include "t.h"
#include "leat.h"

LEAT_STRUCT(item, (string, text), (tx(item), out));

static void closes_(void)
{
    leat_conn_break(NULL);
    leat_listener_break(NULL);
    leat_cancel(NULL, LEAT_CANCELED);
    leat_unexport(NULL, "name");
    leat_conn_close(NULL);
    leat_listener_close(NULL);
    CHECK_EQ(leat_file_close(NULL), LEAT_OK);
    leat_child_close(NULL);
    leat_timer_close(NULL);
    leat_after_close(NULL);
    CHECK_EQ(leat_node_close(NULL), LEAT_OK);
    CHECK_EQ(leat_peer_close(NULL), LEAT_OK);
    leat_workers_close(NULL);
    leat_recorder_close(NULL);
    leat_player_close(NULL);
    leat_netrpc_close(NULL);
    CHECK_EQ(leat_guest_end(NULL), LEAT_OK);
}

static void stops_(void)
{
    bool was = true;
    CHECK(!leat_timer_stop(NULL));
    CHECK(!leat_after_stop(NULL));
    CHECK(!leat_timer_rx(NULL));
    CHECK_EQ(leat_timer_reset(NULL, LEAT_S(1), &was), LEAT_INVAL);
    CHECK(was);
}

static void drops_(void)
{
    leat_chan(struct item) c = NULL;
    leat_tx(struct item) out = NULL;
    leat_string_drop(NULL);
    leat_bytes_drop(NULL);
    leat_error_drop(NULL);
    leat_drop(item, NULL);
    leat_chan_owns(c, item);
    leat_unref(c);
    leat_unref(out);
    leat_close(out);
    leat_finish(out);
    leat_auto leat_chan(struct item) none = NULL;
    leat_auto_node leat_node *node = NULL;
    leat_auto_workers leat_workers *workers = NULL;
    CHECK(!none && !node && !workers);
}

static leat_err all(leat_none *none)
{
    (void)none;
    closes_();
    stops_();
    drops_();
    return LEAT_OK;
}

TEST(in_a_task_it_does_nothing) { CHECK_EQ(leat_run(NULL, all, LEAT_NONE), LEAT_OK); }

TEST(on_a_thread_that_is_no_task_it_does_nothing)
{
    closes_();
    stops_();
    drops_();
}

T_MAIN()
