/* closedchan_test.c - what Go's test/closedchan.go states: operations on a closed channel, written directly and as selects.  Where Go
 * receives a zero, leat returns LEAT_CLOSED and leaves the variable as it is; where Go panics, leat returns LEAT_CLOSED. */
#include "place.h"

/* A way to write each operation.  A poll is AGAIN where it would have to wait. */
struct ops {
    leat_err (*send)(leat_chan(struct num) c, struct num v);
    leat_err (*poll_send)(leat_chan(struct num) c, struct num v);
    leat_err (*recv)(leat_chan(struct num) c, struct num *v);
    leat_err (*poll_recv)(leat_chan(struct num) c, struct num *v);
};

static leat_err x_send(leat_chan(struct num) c, struct num v) { return leat_send(c, v); }
static leat_err x_poll_send(leat_chan(struct num) c, struct num v) { return leat_try_send(c, v); }
static leat_err x_recv(leat_chan(struct num) c, struct num *v) { return leat_recv(c, v); }
static leat_err x_poll_recv(leat_chan(struct num) c, struct num *v) { return leat_try_recv(c, v); }

static leat_err s_send(leat_chan(struct num) c, struct num v)
{
    leat_err err;
    leat_select(err) { leat_on_send(c, &v) {} }
    return err;
}

/* A closed channel is not ready to send: leat_otherwise runs. */
static leat_err s_poll_send(leat_chan(struct num) c, struct num v)
{
    leat_err err;
    bool sent = false;
    leat_select(err) { leat_otherwise {} leat_on_send(c, &v) { sent = true; } }
    return err != LEAT_OK || sent ? err : leat_send(c, v);
}

static leat_err s_recv(leat_chan(struct num) c, struct num *v)
{
    leat_err err;
    bool closed = false;
    leat_select(err) { leat_on_recv(c, v) {} leat_on_closed(c) { closed = true; } }
    return closed ? LEAT_CLOSED : err;
}

static leat_err s_poll_recv(leat_chan(struct num) c, struct num *v)
{
    leat_err err;
    bool closed = false, got = false;
    leat_select(err) { leat_otherwise {} leat_on_recv(c, v) { got = true; } leat_on_closed(c) { closed = true; } }
    return closed ? LEAT_CLOSED : err != LEAT_OK || got ? err : LEAT_AGAIN;
}

static leat_chan(bool) dummy;                            /* nobody uses it but selects */

static leat_err ss_send(leat_chan(struct num) c, struct num v)
{
    leat_err err;
    bool b, closed = false;
    leat_select(err) { leat_on_send(c, &v) {} leat_on_recv(dummy, &b) {} leat_on_closed(c) { closed = true; } }
    return closed ? LEAT_CLOSED : err;
}

static leat_err ss_poll_send(leat_chan(struct num) c, struct num v)
{
    leat_err err;
    bool b, sent = false;
    leat_select(err) { leat_otherwise {} leat_on_recv(dummy, &b) {} leat_on_send(c, &v) { sent = true; } }
    return err != LEAT_OK || sent ? err : leat_try_send(c, v);
}

static leat_err ss_recv(leat_chan(struct num) c, struct num *v)
{
    leat_err err;
    bool b, closed = false;
    leat_select(err) { leat_on_recv(dummy, &b) {} leat_on_recv(c, v) {} leat_on_closed(c) { closed = true; } }
    return closed ? LEAT_CLOSED : err;
}

static leat_err ss_poll_recv(leat_chan(struct num) c, struct num *v)
{
    leat_err err;
    bool b, closed = false, got = false;
    leat_select(err) {
        leat_on_recv(dummy, &b) {}
        leat_otherwise          {}
        leat_on_recv(c, v)      { got = true; }
        leat_on_closed(c)       { closed = true; }
    }
    return closed ? LEAT_CLOSED : err != LEAT_OK || got ? err : LEAT_AGAIN;
}

static const struct ops ways[] = {
    { x_send, x_poll_send, x_recv, x_poll_recv }, { s_send, s_poll_send, s_recv, s_poll_recv },
    { ss_send, ss_poll_send, ss_recv, ss_poll_recv },
};

static void is_closed(const struct ops *o, leat_chan(struct num) c)
{
    struct num v = { 99 };
    for (int i = 0; i < 3; i++) {
        CHECK_EQ(o->recv(c, &v), LEAT_CLOSED);
        CHECK_EQ(o->poll_recv(c, &v), LEAT_CLOSED);
    }
    CHECK_EQ(o->poll_send(c, (struct num){ 1 }), LEAT_CLOSED);
    CHECK_EQ(o->recv(c, &v), LEAT_CLOSED);           /* it is not in there */
    CHECK_EQ(o->send(c, (struct num){ 2 }), LEAT_CLOSED);
    CHECK_EQ(o->recv(c, &v), LEAT_CLOSED);
    CHECK_EQ(v.n, 99);
}

LEAT_STRUCT(closer, (tx(num), c), (int64, count));
static leat_err send_and_close(struct closer *a)
{
    for (int64_t i = 1; i <= a->count; i++)
        LEAT_TRY(leat_send(a->c, { i }));
    leat_close(a->c);
    leat_close(a->c);                                /* twice is once, where Go panics */
    CHECK_EQ(leat_send(a->c, { 9 }), LEAT_CLOSED);
    CHECK_EQ(leat_try_send(a->c, { 9 }), LEAT_CLOSED);
    return LEAT_OK;
}
PLACE_TASK(send_and_close, closer)

static leat_err closed_chan(size_t cap, leat_chan(struct num) *ret)
{
    leat_err err;
    *ret = leat_chan_make(struct num, cap);
    leat_with_group(g, err)
        LEAT_TRY(place_go(&g, send_and_close, closer, { leat_ref(leat_tx_of(*ret)), cap ? 1 : 0 }));
    return err;
}

static leat_err closedchan_test(void)
{
    leat_chan(struct num) c, nil = NULL;
    dummy = leat_chan_make(bool, 0);
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        LEAT_TRY(closed_chan(0, &c));
        is_closed(&ways[i], c);
        leat_unref(c);
        for (int poll = 0; poll < 2; poll++) {
            struct num v = { 0 };
            LEAT_TRY(closed_chan(2, &c));
            LEAT_TRY(poll ? ways[i].poll_recv(c, &v) : ways[i].recv(c, &v));     /* the last value comes before the end */
            CHECK_EQ(v.n, 1);
            is_closed(&ways[i], c);
            leat_unref(c);
        }
    }
    leat_close(nil);                                 /* of no channel: nothing, where Go panics */
    leat_unref(dummy);
    return LEAT_OK;
}
EVERYWHERE(closedchan, closedchan_test)

T_MAIN()
