/* guest_test.c - nodes and workers on the thread that drives a guest. */
#include "leat.h"
#include <poll.h>
#include <stdatomic.h>
#include "t.h"

struct world { bool leaves; };                       /* the guest's program leaves its nodes open */
static leat_node *a, *b;
static leat_peer *p;
static leat_workers *ws;
static leat_chan(int) go_on;
static atomic_bool ready;

static leat_err app(struct world *w)
{
    int v;
    LEAT_TRY(leat_node_open(NULL, &a));
    LEAT_TRY(leat_node_open(NULL, &b));
    LEAT_TRY(leat_node_listen(a, "inproc:a"));
    LEAT_TRY(leat_node_dial(b, "inproc:a", &p));
    LEAT_TRY(leat_workers_open(b, &ws));
    LEAT_TRY(leat_workers_add(ws, p));
    ready = true;
    CHECK_EQ(leat_recv(go_on, &v), LEAT_CLOSED);
    CHECK_EQ(leat_node_flush(b, NULL), LEAT_OK);     /* the session is whole */
    if (w->leaves)
        return LEAT_OK;
    LEAT_TRY(leat_peer_close(p));
    LEAT_TRY(leat_node_close(b));
    return leat_node_close(a);
}

static leat_err steps(leat_guest *g, bool until_ready)
{
    leat_err e = LEAT_OK;
    while (e == LEAT_OK && !(until_ready && ready)) {
        struct pollfd fd = { leat_guest_fd(g), POLLIN, 0 };
        CHECK_EQ(poll(&fd, 1, -1), 1);
        e = leat_guest_step(g, LEAT_MS(1));
    }
    return e;
}

static void on_the_host(bool leaves)
{
    leat_guest *g;
    CHECK((go_on = leat_chan_make(int, 0)));
    CHECK_EQ(leat_guest_start(&g, NULL, app, (struct world){ leaves }), LEAT_OK);
    CHECK_EQ(steps(g, true), LEAT_OK);
    CHECK_EQ(leat_node_close(b), LEAT_INVAL);
    CHECK_HAS(leat_err_detail(), "drives a guest");
    CHECK_EQ(leat_peer_close(p), LEAT_INVAL);
    CHECK_EQ(leat_node_close(a), LEAT_INVAL);
    leat_workers_close(ws);
    leat_close(leat_tx_of(go_on));
    CHECK_EQ(steps(g, false), LEAT_CLOSED);
    CHECK_EQ(leat_guest_end(g), LEAT_OK);
    leat_unref(go_on);
}

TEST(a_node_is_not_closed_on_the_thread_of_a_guest_but_in_its_tasks) { on_the_host(false); }
TEST(a_node_that_the_host_could_not_close_ends_with_the_guest) { on_the_host(true); }

T_MAIN()
