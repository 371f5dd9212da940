/* chan_kinds.c - what reports say of one that sends, receives, or waits for an end; and where it stands, for who copies its stack away. */
#include "chan/chan.h"
#include "run/report.h"

extern const struct chan_net_ops first_ops[] __asm__("__start_leat_net_ops") __attribute__((weak));
extern const struct chan_net_ops last_ops[] __asm__("__stop_leat_net_ops") __attribute__((weak));

static bool ops_known(const struct chan_net_ops *p)
{
    return (uintptr_t)p >= (uintptr_t)first_ops && (uintptr_t)p < (uintptr_t)last_ops;
}

static void describe_net(struct report *r, const struct chan_net *net)
{
    struct chan_net n;
    char text[CHAN_PEER_MAX] = "";
    if (peek(net, &n, sizeof n) != sizeof n || !ops_known(n.ops) || !n.ops->peer)
        return;
    n.ops->peer(net, text);
    text[sizeof text - 1] = 0;
    REPORT(r, ", shared with ", text);
}

static void describe(struct report *r, const struct waiter *x)
{
    leat_chan_ c;
    report_pointer(r, x->owner);
    if (peek(x->owner, &c, sizeof c) != sizeof c)
        return;
    if (at_load(&c.site)) {
        report_text(r, " (its home is elsewhere");
    } else {
        report_text(r, " (");
        report_number(r, at_load(&c.count));
        report_text(r, " of ");
        report_number(r, c.cap);
        report_text(r, " queued");
    }
    if (c.net)
        describe_net(r, c.net);
    report_text(r, ")");
}

static SAN_UNSEEN bool may_end(const struct waiter *x, seen_fn *seen, void *arg)
{
    const leat_chan_ *c = x->owner;
    return c->net || seen(arg, c);
}

/* Of an unbuffered channel whose home is elsewhere the session may know the sender. */
static bool place(const struct waiter *x, struct wait_place *ret)
{
    leat_chan_ *c = x->owner;
    bool sends = x->kind == &chan_wait_send;
    ret->lock = &c->lock;
    ret->q = sends ? &c->sq : x->kind == &chan_wait_recv ? &c->rq : &c->cq;
    return !(sends && at_load(&c->site) && c->cap == 0);
}

/* It had moved already when its channel came to be one whose home is elsewhere. */
static void sender_moved(struct waiter *x, struct waiter *y)
{
    leat_chan_ *c = x->owner;
    if (c->net && at_load(&c->site))
        c->net->ops->sender(c, x, y);
}

WAIT_KIND chan_wait_recv = { .what = "receives from channel ", .describe = describe, .may_end = may_end, .place = place };
WAIT_KIND chan_wait_send = { .what = "sends to channel ", .describe = describe, .may_end = may_end, .place = place, .moved = sender_moved };
WAIT_KIND chan_wait_end = { .what = "waits for the end of channel ", .describe = describe, .may_end = may_end, .place = place };
