/* timers.h - the timers of Go's time tests, in both kinds: one that ticks into its channel, one whose call sends the time. */
#ifndef GOTESTS_TIMERS_H
#define GOTESTS_TIMERS_H
#include "place.h"

struct timed { leat_timer *t; leat_rx(leat_time) c; leat_chan(leat_time) own; };   /* own: of the second kind */

__attribute__((unused)) static leat_err timed_send(leat_tx(leat_time) *c)
{
    leat_ignore(leat_try_send(*c, leat_now()));
    return LEAT_OK;
}

__attribute__((unused)) static leat_err timed_open(struct timed *x, bool func, leat_dur d)
{
    *x = (struct timed){ NULL, NULL, NULL };
    if (!func) {
        LEAT_TRY(leat_timer_open(d, &x->t));
        x->c = leat_timer_rx(x->t);
        return LEAT_OK;
    }
    x->own = leat_chan_make(leat_time, 1);
    CHECK(x->own != NULL);
    x->c = leat_rx_of(x->own);
    return leat_timer_func(&x->t, NULL, d, timed_send, leat_tx_of(x->own));
}

__attribute__((unused)) static void timed_close(struct timed *x)
{
    leat_timer_close(x->t);
    leat_unref(x->own);
}

/* What Go's time.After is: OK a tick has come, DEADLINE it has not come within d. */
__attribute__((unused)) static leat_err tick_within(leat_rx(leat_time) c, leat_dur d, leat_time *at)
{
    leat_err err;
    leat_select(err) {
        leat_on_recv(c, at) { return LEAT_OK; }
        leat_on_after(d) { return LEAT_DEADLINE; }
    }
    return err;
}
#endif
