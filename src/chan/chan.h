/* chan.h - the record of a channel, and what sess/ needs to make one whose other end is elsewhere.
 *
 * Laws over the fields (lock protects all unless said otherwise)
 *  count + reserved <= cap.  count: elements in buf (at home), or credits in use (at a site).
 *  A receiver waits in rq only if count = 0 and nobody waits in sq; a sender waits in sq only if count + reserved = cap.
 *  closed  no send completes any more.  ended: receivers see the close once the buffer is empty; ended implies closed.
 *  site    this process has only send ends; the channel's home is elsewhere.  buf is unused; ops->put takes what is sent.
 *  net     not null: another process knows this channel, and the ops below are called.  Changes once, under the lock.
 * Locks: a channel's lock is taken before whatever the ops take; never two channels at once. */
#ifndef CHAN_CHAN_H
#define CHAN_CHAN_H
#include "leat.h"
#undef errno
#include "run/sched.h"
#include "run/waiter.h"

struct chan_net;

/* what a channel calls when another process is concerned.  [locked]: c's lock is held, the op must neither block nor touch c's
 * lock; it may make tasks ready.  Others are called without a lock and from any thread. */
struct chan_net_ops {
    /* site [locked]: there is a credit (buffered), and v goes to the home.  OK: it has left; the channel counts the credit. */
    leat_err (*put)(leat_chan_ *c, const void *v);
    /* site [locked]: a sender has begun to wait (it is in sq).  Buffered: ask for a credit.  Unbuffered: offer sq's head if none is. */
    void (*need)(leat_chan_ *c);
    /* site, unbuffered: a sender that waits stops to (why: CANCELED or DEADLINE).  The op takes the lock.  Returns LEAT_OK: it was
     * received after all; why: certainly not; LEAT_UNKNOWN.  May block for a bounded time.  me is out of sq on return. */
    leat_err (*withdraw)(leat_chan_ *c, struct waiter *me, leat_err why);
    /* home [locked]: a slot has become free, or a receiver has begun to wait, and `needy` is set. */
    void (*room)(leat_chan_ *c);
    /* leat_close here.  Home: local senders are refused already; the op calls chan_end when the sites are done.  Site: tells the home. */
    void (*close)(leat_chan_ *c);
    void (*finish)(leat_chan_ *c);                   /* site: this process's last sender is done */
    leat_err (*flush)(leat_chan_ *c);                /* site [blocks] */
    /* The last reference of the program is gone; net still holds its own (chan_net_unref).  Site: finish.  Home: nobody will receive. */
    void (*gone)(leat_chan_ *c);
};
struct chan_net { const struct chan_net_ops *ops; }; /* the first member of sess/'s own record */

struct leat_chan_ {
    /* line 0: all that a send or a receive touches */
    _Atomic uint32_t lock, count;
    uint32_t cap, size, read;                        /* read: index of the oldest element */
    _Atomic uint8_t closed, ended;
    uint8_t site, needy;
    struct waiters rq, sq;
    struct chan_net *net;
    /* line 1 */
    _Atomic uint32_t reserved;                       /* slots promised to sites */
    uint32_t senders;                                /* owners of a send end that have not finished */
    uint8_t err;                                     /* instead of LEAT_CLOSED: PEER_LOST, GONE, ... */
    uint8_t turn;                                    /* who gets the next free slot: a waiting sender here or a site */
    _Atomic uint32_t refs;                           /* the program's */
    _Atomic uint32_t holds;                          /* 1 for all of refs, 1 for net: who takes the last one off frees */
    const struct leat_type *type;                    /* once another process knows it; else null */
    char *buf;
    struct waiters cq;                               /* selects that wait for the end (leat_on_closed) */
} __attribute__((aligned(64)));

/* -- one attempt, under the lock (chan.c); select uses them too ------------------------------------------------------------ */
enum chan_try { CHAN_WAIT, CHAN_DONE, CHAN_FAILED };
/* DONE: *wake is a task to make ready after unlocking, or null.  FAILED: *err says why (CLOSED, PEER_LOST, TYPE ...). */
enum chan_try chan_send_locked(leat_chan_ *c, const void *v, struct task **wake, leat_err *err);
enum chan_try chan_recv_locked(leat_chan_ *c, void *out, struct task **wake, leat_err *err);

void chan_wait_net(leat_chan_ *c, struct waiters *q);
/* Queues me and tells net; park is PARK_WAIT. */
static inline void chan_wait_locked(leat_chan_ *c, struct waiters *q, struct waiter *me)
{
    me->owner = c;
    waiter_add(q, me);
    if (unlikely(c->net != NULL))
        chan_wait_net(c, q);
}
void chan_drained_locked(leat_chan_ *c);             /* ended and empty: wakes who waits for that */

/* -- for sess/ -------------------------------------------------------------------------------------------------------------- */
/* Makes c known to another process.  site: c becomes a site (its elements, if any, must have been taken with chan_take_queue). */
void chan_attach(leat_chan_ *c, struct chan_net *net, const struct leat_type *type, bool site);
void chan_net_unref(leat_chan_ *c);                  /* net is done with c; frees it when the program is too */
uint32_t chan_reserve_locked(leat_chan_ *c, uint32_t want);         /* home: slots promised; 0 ..want.  lock held */
void chan_unreserve_locked(leat_chan_ *c, uint32_t n);              /* home: they come back; waiting senders use them */
/* home: an element that used a reserved slot: goes to a waiting receiver or the buffer.  Takes the lock. */
void chan_put_reserved(leat_chan_ *c, const void *v);
/* site: n more credits, each completes a waiting sender or stays idle.  Takes the lock. */
void chan_credit(leat_chan_ *c, uint32_t n);
uint32_t chan_idle_credits_locked(leat_chan_ *c);    /* site: credits nobody uses */
uint32_t chan_take_credits_locked(leat_chan_ *c, uint32_t n);       /* site: gives n of them up (RECALL); lock held */
/* The end of sending: waiting senders get err (LEAT_CLOSED, LEAT_GONE, LEAT_PEER_LOST), later ones too. */
void chan_shut(leat_chan_ *c, leat_err err);
/* Receivers see the end, err (LEAT_CLOSED or, torn, LEAT_PEER_LOST), after the last element.  Implies chan_shut. */
void chan_end(leat_chan_ *c, leat_err err);
uint32_t chan_senders_waiting_locked(const leat_chan_ *c);
#endif
