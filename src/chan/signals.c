/* signals.c - leat_signals: a task takes signals out of a pipe and offers them to a channel that drops what does not fit.
 * The task ends, and gives the signals back, when the last receive end is dropped or the runtime ends. */
#include "plat/signals.h"
#include <errno.h>
#include "base/base.h"
#include "chan/chan.h"
#include "run/err.h"
#include "run/io.h"
#include "run/report.h"

static WAIT_KIND pump_kind = { .what = "waits for a signal" };

struct pump { leat_chan_ *c; int receiver; };

static bool deaf(leat_chan_ *c) { return at_load(&c->closed); }

/* Until there is a signal, or nobody to hear it. */
static leat_err pump_wait(struct pump *p, int fd)
{
    struct task *t = task_self();
    struct waiter gone = { .task = t, .owner = p->c }, ready = { .task = t, .kind = &pump_kind };
    leat_err e = LEAT_AGAIN;
    t->win = NULL;
    t->on = &ready;
    at_store(&t->park, PARK_WAIT);
    lock(&p->c->lock);
    bool now = deaf(p->c);
    if (!now)
        waiter_add(&p->c->cq, &gone);
    unlock_fence(&p->c->lock);
    if (!now)
        e = io_watch(fd, LEAT_READ, &ready);
    if (e == LEAT_OK) {
        uint32_t why = task_wait(t);
        e = why == PARK_CHAN ? LEAT_OK : task_wait_err(t, why);
        io_unwatch(fd, &ready);
    } else if (!task_claim(t, PARK_NONE)) {
        task_park_plain(t);                          /* somebody has ended the wait already: that wake is taken */
    }
    lock(&p->c->lock);
    if (gone.on)
        waiter_del(&p->c->cq, &gone);
    unlock(&p->c->lock);
    return e == LEAT_AGAIN ? LEAT_OK : e;
}

/* Receivers get why from now on, once they have what was queued. */
static leat_err pump_end(struct pump *p, leat_err why)
{
    signals_close(p->receiver);
    chan_end(p->c, why);
    leat_unref_(p->c);
    return LEAT_OK;
}

static leat_err pump_starved(struct pump *p) { return pump_end(p, LEAT_NOMEM); }

static leat_err pump(struct pump *p)
{
    int signo;
    leat_err e = LEAT_OK;
    while (e == LEAT_OK && !deaf(p->c)) {
        while (signals_take(p->receiver, &signo))
            leat_ignore(leat_try_send_(p->c, &signo));
        e = pump_wait(p, signals_fd(p->receiver));
    }
    return pump_end(p, LEAT_CLOSED);
}

static leat_err pump_open(struct pump *p, const int *signo, size_t n)
{
    int bad = 0, e = signals_open(signo, n, &p->receiver, &bad);
    if (e == EINVAL)
        return leat_fail(LEAT_INVAL, "leat_signals: signal %d cannot be received", bad);
    if (e == EUSERS)
        return leat_fail(LEAT_LIMIT, "leat_signals: there are %d receivers already", LIMIT_SIGNAL_RECEIVERS);
    return e ? err_sys(e, "leat_signals") : LEAT_OK;
}

/* Takes over one reference of c on LEAT_OK. */
static leat_err pump_start(leat_chan_ *c, const int *signo, size_t n)
{
    struct pump p = { c, -1 };
    struct rt *rt = rt_self();
    if (rt && rt->seam) {                            /* nobody sends signals to a simulated machine */
        leat_unref_(c);
        return LEAT_OK;
    }
    leat_err e = pump_open(&p, signo, n);
    if (e != LEAT_OK)
        return e;
    static const leat_site_ site = { "pump", __FILE__, __LINE__ };
    e = task_go(NULL, (leat_fn_ *)(void (*)(void))pump, &site, &p, sizeof p, (leat_fn_ *)(void (*)(void))pump_starved);
    if (e != LEAT_OK)
        signals_close(p.receiver);
    return e;
}

leat_rx(int) leat_signals(const int *signo, size_t n)
{
    leat_chan(int) c = leat_chan_make(int, n ? n : 1);
    if (!c)
        return NULL;
    leat_chan_ *mine = leat_ref_((leat_chan_ *)c, 0);
    if (pump_start(mine, signo, n) == LEAT_OK)
        return leat_rx_of(c);
    leat_unref_(mine);
    leat_unref_((leat_chan_ *)c);                    /* not leat_unref: the detail stays */
    return NULL;
}
