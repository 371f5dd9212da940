/* chan_select3_test.c - what Go's test/chan/select3.go states: what waits for ever and what never waits, for channels that are
 * NULL, closed, empty and full.
 * What waits, waits until its deadline. */
#include "place.h"

#define WAITS(what) do { leat_err err_ = LEAT_OK; leat_with_deadline(LEAT_MS(3)) { err_ = what; } CHECK_EQ(err_, LEAT_DEADLINE); } while (0)

static leat_err recv_alone(leat_chan(struct num) c)
{
    leat_err err;
    struct num v;
    leat_select(err) { leat_on_recv(c, &v) { CHECK(!"nobody sends"); } }
    return err;
}

static leat_err send_alone(leat_chan(struct num) c)
{
    leat_err err;
    struct num v = { 7 };
    leat_select(err) { leat_on_send(c, &v) { CHECK(!"nobody receives"); } }
    return err;
}

static leat_err both_on(leat_chan(struct num) c)
{
    leat_err err;
    struct num v = { 7 }, w;
    leat_select(err) { leat_on_send(c, &v) { CHECK(!"it met itself"); } leat_on_recv(c, &w) { CHECK(!"it met itself"); } }
    return err;
}

/* 1: the case ran; 2: leat_otherwise did */
static int poll_recv(leat_chan(struct num) c, struct num *v)
{
    leat_err err;
    int ran = 0;
    leat_select(err) { leat_on_recv(c, v) { ran = 1; } leat_otherwise { ran = 2; } }
    CHECK_EQ(err, LEAT_OK);
    return ran;
}

static int poll_send(leat_chan(struct num) c)
{
    leat_err err;
    struct num v = { 7 };
    int ran = 0;
    leat_select(err) { leat_on_send(c, &v) { ran = 1; } leat_otherwise { ran = 2; } }
    CHECK_EQ(err, LEAT_OK);
    return ran;
}

LEAT_STRUCT(closer, (tx(num), c));
static leat_err close_it(struct closer *c)
{
    leat_close(c->c);
    CHECK_EQ(leat_send(c->c, { 7 }), LEAT_CLOSED);   /* where it was closed, too */
    return LEAT_OK;
}
PLACE_TASK(close_it, closer)

static leat_err select3_test(void)
{
    leat_chan(struct num) nil = NULL, closed = leat_chan_make(struct num, 0), ch = leat_chan_make(struct num, 0),
        room = leat_chan_make(struct num, 1);
    struct num v = { 5 };
    leat_err err;
    bool ran = false;
    leat_with_group(g, err)
        LEAT_TRY(place_go(&g, close_it, closer, { leat_ref(leat_tx_of(closed)) }));
    LEAT_TRY(err);
    CHECK_EQ(leat_send(nil, { 7 }), LEAT_INVAL);     /* NULL is no channel: an error at once, and not a wait without end */
    CHECK_EQ(leat_recv(nil, &v), LEAT_INVAL);
    CHECK_EQ(poll_send(nil), 2);                     /* and never ready in a select */
    CHECK_EQ(poll_recv(nil, &v), 2);
    CHECK_EQ(recv_alone(nil), LEAT_CLOSED);          /* no case can ever run: it says so */
    CHECK_EQ(send_alone(nil), LEAT_CLOSED);
    CHECK_EQ(both_on(nil), LEAT_CLOSED);
    leat_select(err) {}
    CHECK_EQ(err, LEAT_CLOSED);
    for (int i = 0; i < 10; i++)
        while (leat_recv(closed, &v) != LEAT_CLOSED)
            CHECK(!"nothing was sent");
    CHECK_EQ(leat_send(closed, { 7 }), LEAT_CLOSED); /* an error, where Go panics */
    CHECK_EQ(send_alone(closed), LEAT_CLOSED);
    CHECK_EQ(recv_alone(closed), LEAT_CLOSED);
    leat_select(err) { leat_on_closed(closed) { ran = true; } }
    CHECK(err == LEAT_OK && ran && v.n == 5);
    WAITS(leat_recv(ch, &v));
    WAITS(recv_alone(ch));
    WAITS(send_alone(ch));
    WAITS(both_on(ch));                              /* a select does not meet itself */
    leat_select(err) { leat_otherwise {} }
    CHECK_EQ(err, LEAT_OK);
    CHECK_EQ(poll_send(room), 1);                    /* there is room: nothing waits */
    CHECK_EQ(poll_recv(room, &v), 1);
    CHECK_EQ(v.n, 7);
    leat_unref(closed);
    leat_unref(ch);
    leat_unref(room);
    return LEAT_OK;
}
EVERYWHERE(select3, select3_test)

T_MAIN()
