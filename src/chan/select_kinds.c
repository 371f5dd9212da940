/* select_kinds.c - what reports say of a select that waits: the wait of its task is one waiter, whose owner is the array of all. */
#include "chan/select.h"
#include "run/io.h"
#include "run/report.h"

static SAN_UNSEEN void describe_done(struct report *r, const struct waiter *x)
{
    report_pointer(r, x->owner);
}

static SAN_UNSEEN bool done_may_end(const struct waiter *x, seen_fn *seen, void *arg)
{
    return seen(arg, x->owner);
}

static bool done_place(const struct waiter *x, struct wait_place *ret)
{
    leat_ctx *c = x->owner;
    ret->lock = &c->lock;
    ret->q = &c->watchers;
    return true;
}

WAIT_KIND select_done = { .what = "waits for the cancelling of context ", .describe = describe_done,
    .may_end = done_may_end, .place = done_place };

static void describe_all(struct report *r, const struct waiter *x)
{
    enum { SHOWN = 8 };
    uint32_t shown = 0, more = 0;
    for (uint32_t i = 0; i < x->id; i++) {
        struct waiter w;
        if (peek((const struct waiter *)x->owner + i, &w, sizeof w) != sizeof w || !w.on || !wait_kind_is(w.kind))
            continue;
        if (shown == SHOWN) {
            more++;
            continue;
        }
        report_text(r, shown++ ? ", or " : "");
        report_text(r, w.kind->what);
        if (w.kind == &wait_fd)
            report_text(r, "that a case names");
        else if (w.kind->describe)
            w.kind->describe(r, &w);
    }
    if (more) {
        report_text(r, ", or one of ");
        report_number(r, more);
        report_text(r, " more cases");
    }
}

static SAN_UNSEEN bool all_may_end(const struct waiter *x, seen_fn *seen, void *arg)
{
    struct waiter w;
    for (uint32_t i = 0; i < x->id; i++) {
        if (peek((const struct waiter *)x->owner + i, &w, sizeof w) != sizeof w)
            return true;
        if (w.on && (!w.kind->may_end || w.kind->may_end(&w, seen, arg)))
            return true;
    }
    return false;
}

WAIT_KIND select_all = { .what = "waits in a select: ", .describe = describe_all, .may_end = all_may_end,
    .place = wait_place_none, .many = true };
WAIT_KIND select_standing = { .what = "waits in a select: ", .describe = describe_all,
    .may_end = all_may_end };              /* its homes know it */
