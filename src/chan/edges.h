/* edges.h - the order that a channel makes, for ThreadSanitizer (plat/edges.h).  For chan/ only; under the channel's lock.
 *
 *   a send          happens before its receive completes
 *   a receive       happens before send k + C completes, where it is the k-th and C the capacity; C = 0: before its own send does
 *   a close, and what the last finish or drop of a send end makes one, happens before a receive that says CLOSED
 *
 * Nothing else is an order: not the length, not a try that would have to wait, not a send that is refused.
 * Each slot keeps what the sender that filled it had done by then, and the receiver that emptied it.  So that slots alternate as the
 * k above does, a hand-over to a waiting receiver uses the slot it would have gone through.  Who waits has noted its clock, and whoever
 * serves it leaves in `back` what it is ordered after; it joins that itself. */
#ifndef CHAN_EDGES_H
#define CHAN_EDGES_H
#include "base/alloc.h"
#include "chan/chan.h"

#if SAN_EDGES
struct chan_edges { struct edge_clock *sent, *got; };

/* The caller waits. */
static inline void edge_waits(struct waiter *me) { me->clock = edge_now(); }

/* The same, of a waiter that nobody has written yet. */
static inline void edge_begin(struct waiter *me)
{
    me->back = NULL;
    edge_waits(me);
}

/* The caller does not wait any more. */
static inline void edge_waited(struct waiter *me)
{
    edge_join(me->back);
    edge_drop(me->back);
    edge_drop(me->clock);
    me->clock = me->back = NULL;
}

/* The caller and the waiter x meet on an unbuffered channel. */
static inline void edge_meet(struct waiter *x)
{
    edge_set(&x->back, edge_now());
    edge_join(x->clock);
}

/* The caller's send fills this slot. */
static inline void edge_fill(leat_chan_ *c, uint32_t slot)
{
    struct chan_edges *e = &c->edges[slot];
    edge_set(&e->sent, edge_now());
    edge_join(e->got);
}

/* The caller's send goes to r, which waits for an element of c: the buffer is empty. */
static inline void edge_hand(leat_chan_ *c, struct waiter *r)
{
    struct chan_edges *e;
    if (c->cap == 0) {
        edge_meet(r);
        return;
    }
    e = &c->edges[c->read];
    edge_set(&r->back, edge_now());
    edge_join(e->got);
    edge_set(&e->got, edge_hold(r->clock));
    c->read = c->read + 1 == c->cap ? 0 : c->read + 1;
}

/* The caller's receive empties this slot.  Until edge_emptied it is ordered after nothing yet. */
static inline struct edge_clock *edge_empty(leat_chan_ *c, uint32_t slot)
{
    struct chan_edges *e = &c->edges[slot];
    struct edge_clock *sent = e->sent;
    e->sent = NULL;
    edge_set(&e->got, edge_now());
    return sent;
}
static inline void edge_emptied(struct edge_clock *sent)
{
    edge_join(sent);
    edge_drop(sent);
}

/* The value of s, which waited to send, goes to this slot; the caller's receive has emptied one for it. */
static inline void edge_refill(leat_chan_ *c, uint32_t slot, uint32_t emptied, struct waiter *s)
{
    edge_set(&c->edges[slot].sent, edge_hold(s->clock));
    edge_set(&s->back, edge_hold(c->edges[emptied].got));
}

/* A timer that the caller sets will tick for it. */
static inline void edge_sets(struct edge_clock **at) { edge_set(at, edge_now()); }
static inline void edge_unsets(struct edge_clock **at) { edge_set(at, NULL); }

static inline void edge_closes(leat_chan_ *c) { edge_release(&c->ended); }
static inline void edge_sees_close(leat_chan_ *c) { edge_acquire(&c->ended); }

/* false: no memory */
static inline bool edges_open(leat_chan_ *c)
{
    c->edges = c->cap ? mem_zalloc(c->cap * sizeof *c->edges) : NULL;
    return c->edges || !c->cap;
}
static inline void edges_close(leat_chan_ *c)
{
    for (uint32_t i = 0; c->edges && i < c->cap; i++) {
        edge_drop(c->edges[i].sent);
        edge_drop(c->edges[i].got);
    }
    mem_free(c->edges);
}
#else
static inline void edge_waits(struct waiter *me) { (void)me; }
static inline void edge_begin(struct waiter *me) { (void)me; }
static inline void edge_waited(struct waiter *me) { (void)me; }
static inline void edge_meet(struct waiter *x) { (void)x; }
static inline void edge_fill(leat_chan_ *c, uint32_t slot) { (void)c; (void)slot; }
static inline void edge_hand(leat_chan_ *c, struct waiter *r) { (void)c; (void)r; }
static inline void *edge_empty(leat_chan_ *c, uint32_t slot) { (void)c; (void)slot; return NULL; }
static inline void edge_emptied(void *sent) { (void)sent; }
static inline void edge_refill(leat_chan_ *c, uint32_t slot, uint32_t emptied, struct waiter *s)
{
    (void)c; (void)slot; (void)emptied; (void)s;
}
static inline void edge_sets(struct edge_clock **at) { (void)at; }
static inline void edge_unsets(struct edge_clock **at) { (void)at; }
static inline void edge_closes(leat_chan_ *c) { (void)c; }
static inline void edge_sees_close(leat_chan_ *c) { (void)c; }
static inline bool edges_open(leat_chan_ *c) { (void)c; return true; }
static inline void edges_close(leat_chan_ *c) { (void)c; }
#endif
#endif
