/* limit.h - limits of what a node runs for its peers: who runs, and who waits, in the order in which they came.
 *
 * A call comes when its OPEN is read, so what one peer asks for comes in the order in which it was sent; its task is started
 * behind that, on any thread, and waits with the ticket that it has.  Where hooks are around it, or a key, it comes when its task is there.
 * A ticket stays where it is until limit_leave. */
#ifndef RPC_LIMIT_H
#define RPC_LIMIT_H
#include "run/sched.h"

struct limit;
struct ticket {                                      /* the lock of `at`, where there is one */
    struct limit *at, *next_at;
    struct ticket *then;                             /* it comes to next_at as soon as this one is let in; NULL: none does */
    struct ticket *next, *prev;
    struct waiters wake;
    uint8_t state;                                   /* limit.c */
};
struct limit { _Atomic uint32_t lock; leat_call_limits at_most; uint32_t running, waiting; struct ticket *first, *last; };

void limit_come(struct limit *l, struct ticket *t, struct limit *next_at, struct ticket *then);  /* l NULL: it is in at once */
/* [blocks] until it is in.  LIMIT: there was no room; or the context's error: then it has left. */
LEAT_CHECK leat_err limit_wait(struct ticket *t, const char *what);
void limit_leave(struct ticket *t);                  /* whether it was in or waits; one that has left: nothing */
#endif
