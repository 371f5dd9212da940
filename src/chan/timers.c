/* timers.c - timers and tickers that tick into a channel, calls at a time, calls at the end of a context.
 *
 * The channel of a timer has room for one tick.  A tick is put there under the lock of the wheel, and a stop takes the timer off the
 * wheel under that lock, then what may lie in the channel: so after it no tick comes and none is left.  Laws of a leat_timer: its lock
 * protects what it is set for; lock before wheel, wheel before channel. */
#include <string.h>
#include "base/alloc.h"
#include "chan/edges.h"
#include "run/alarm.h"
#include "run/err.h"
#include "run/later.h"
#include "run/rt.h"
#include "run/seam.h"

struct leat_timer {
    struct alarm alarm;
    _Atomic uint32_t lock;
    bool ticker;
    leat_chan_ *c;                                   /* null: a call */
    struct later *call;
    struct edge_clock *set;                          /* of who set it last: edges.h; changes while it is off the wheel */
};

/* [wheel locked] */
static void tick(leat_chan_ *c, int64_t now, struct worker *into)
{
    leat_time at = { now };
    struct task *wake = NULL;
    leat_err e;
    lock(&c->lock);
    enum chan_try r = chan_send_locked(c, &at, &wake, &e);           /* no room: dropped */
    unlock(&c->lock);
    if (wake)
        task_ready(into, wake);
    if (r == CHAN_LEFT)
        chan_moved(c, &at);
}

static bool timer_ring(struct alarm *a, int64_t now, struct worker *into)
{
    struct leat_timer *t = container_of(a, struct leat_timer, alarm);
    if (!into)
        return false;
    edge_for(t->set);
    tick(t->c, now, into);
    edge_own();
    return true;
}

static bool no_ring(struct alarm *a, int64_t now, struct worker *into)
{
    (void)a;
    (void)now;
    (void)into;
    return false;
}

static int64_t due_in(struct leat_timer *t, leat_dur d)
{
    return leat_time_add((leat_time){ alarm_now(&t->alarm) }, d).ns;
}

static leat_err timer_new(bool channel, leat_timer **ret)
{
    leat_timer *t = mem_zalloc(sizeof *t);
    if (!t)
        return err_of(LEAT_NOMEM);
    leat_err e = alarm_open(&t->alarm, channel ? timer_ring : no_ring);
    if (e == LEAT_OK && channel && !(t->c = leat_chan_make_(sizeof(leat_time), 1))) {
        alarm_close(&t->alarm);
        e = LEAT_NOMEM;
    }
    if (e != LEAT_OK) {
        mem_free(t);
        return e;
    }
    *ret = t;
    return LEAT_OK;
}

static leat_err period_check(leat_dur every)
{
    return every.ns > 0 ? LEAT_OK : leat_fail(LEAT_INVAL, "a ticker: a period must be longer than nothing");
}

leat_err leat_timer_open(leat_dur d, leat_timer **ret)
{
    leat_timer *t = NULL;
    LEAT_TRY(timer_new(true, &t));
    edge_sets(&t->set);
    (void)alarm_set(&t->alarm, due_in(t, d), 0);
    *ret = t;
    return LEAT_OK;
}

leat_err leat_ticker_open(leat_dur every, leat_timer **ret)
{
    leat_timer *t = NULL;
    LEAT_TRY(period_check(every));
    LEAT_TRY(timer_new(true, &t));
    t->ticker = true;
    edge_sets(&t->set);
    (void)alarm_set(&t->alarm, due_in(t, every), every.ns);
    *ret = t;
    return LEAT_OK;
}

leat_err leat_timer_func_(leat_timer **ret, leat_group *g, leat_dur d, leat_fn_ *fn, const leat_site_ *site, const void *arg, size_t len)
{
    leat_timer *t = NULL;
    struct later_call call = { fn, site, arg, len };
    LEAT_TRY(timer_new(false, &t));
    leat_err e = later_open(&call, g, &t->call);
    if (e == LEAT_OK)
        e = later_start(t->call, due_in(t, d), NULL);
    if (e != LEAT_OK) {
        leat_timer_close(t);
        return e;
    }
    *ret = t;
    return LEAT_OK;
}

leat_rx(leat_time) leat_timer_rx(leat_timer *t)
{
    return t ? (leat_rx(leat_time))t->c : NULL;
}

/* [lock held] true: a tick or call that was to come will not. */
static bool stop(leat_timer *t)
{
    leat_time stale;
    if (!t->c)
        return later_stop(t->call);
    bool was = alarm_stop(&t->alarm);
    struct task *wake = NULL;
    leat_err e;
    lock(&t->c->lock);
    if (chan_recv_locked(t->c, &stale, &wake, &e) == CHAN_DONE)
        was = true;
    unlock(&t->c->lock);
    if (wake)
        task_ready(worker_self(), wake);
    return was;
}

bool leat_timer_stop(leat_timer *t)
{
    if (!t)
        return false;
    lock(&t->lock);
    bool was = stop(t);
    unlock(&t->lock);
    return was;
}

leat_err leat_timer_reset(leat_timer *t, leat_dur d, bool *was)
{
    leat_err e = LEAT_OK;
    if (!t)
        return leat_fail(LEAT_INVAL, "leat_timer_reset: no timer: it is NULL");
    if (t->ticker)
        LEAT_TRY(period_check(d));
    lock(&t->lock);
    int64_t due = due_in(t, d);
    bool w = stop(t);
    edge_sets(&t->set);                              /* it is off the wheel */
    if (t->c)
        (void)alarm_set(&t->alarm, due, t->ticker ? d.ns : 0);
    else
        e = later_start(t->call, due, NULL);
    unlock(&t->lock);
    if (was)
        *was = w;
    return e;
}

void leat_timer_close(leat_timer *t)
{
    if (!t)
        return;
    if (t->c) {
        (void)leat_timer_stop(t);
        leat_unref_(t->c);
    }
    if (t->call)
        later_close(t->call);
    alarm_close(&t->alarm);
    edge_unsets(&t->set);
    mem_free(t);
}

/* -- at the end of a context ------------------------------------------------------------------------------------------------ */
leat_err leat_after_func_(leat_after **ret, leat_ctx *ctx, leat_fn_ *fn, const leat_site_ *site, const void *arg, size_t len)
{
    struct later_call call = { fn, site, arg, len };
    struct task *t = task_self();
    struct later *l = NULL;
    int64_t due = ctx ? ctx->deadline : at_load(&t->deadline);
    LEAT_TRY(later_open(&call, NULL, &l));
    leat_err e = later_start(l, due, ctx ? ctx : t->ctx);
    if (e != LEAT_OK) {
        later_close(l);
        return e;
    }
    *ret = (leat_after *)(void *)l;
    return LEAT_OK;
}

bool leat_after_stop(leat_after *a)
{
    return a && later_stop((struct later *)(void *)a);
}

void leat_after_close(leat_after *a)
{
    if (a)
        later_close((struct later *)(void *)a);
}

/* -- a ticker that its receive end owns --------------------------------------------------------------------------------------- */
struct lone { struct alarm alarm; leat_chan_ *c; };

static bool lone_ring(struct alarm *a, int64_t now, struct worker *into)
{
    struct lone *l = container_of(a, struct lone, alarm);
    if (into && at_load(&l->c->refs) > 1) {
        tick(l->c, now, into);
        return true;
    }
    leat_unref_(l->c);                               /* only ours is left: nobody receives any more; or the runtime ends */
    alarm_close(a);
    mem_free(l);
    return false;
}

leat_rx(leat_time) leat_ticker(leat_dur every)
{
    leat_chan(leat_time) c = NULL;
    struct lone *l = NULL;
    if (period_check(every) != LEAT_OK || !(c = leat_chan_make(leat_time, 1)))
        return NULL;
    if (!(l = mem_zalloc(sizeof *l))) {
        leat_ignore(err_of(LEAT_NOMEM));
    } else if (alarm_open(&l->alarm, lone_ring) == LEAT_OK) {
        l->c = leat_ref_((leat_chan_ *)c, 0);
        (void)alarm_set(&l->alarm, leat_time_add(leat_now(), every).ns, every.ns);
        return leat_rx_of(c);
    }
    mem_free(l);
    leat_unref_((leat_chan_ *)c);                    /* not leat_unref: the detail stays */
    return NULL;
}
