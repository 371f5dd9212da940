/* waiting.h - how many tasks wait to receive from a channel.  A test that needs somebody to wait first asks until it is so; it looks
 * into the channel for that, so it is for channels whose home is here. */
#ifndef GOTESTS_WAITING_H
#define GOTESTS_WAITING_H
#include "chan/chan.h"

#define place_receivers(c) place_waiting((leat_chan_ *)(c))
__attribute__((unused)) static int place_waiting(leat_chan_ *c)
{
    int n = 0;
    lock(&c->lock);
    for (const struct waiter *x = at_load(&c->rq.head); x; x = x->next)
        n++;
    unlock(&c->lock);
    leat_yield();
    return n;
}
#endif
