/* chan.h - the record of a channel, and what sess/ needs to make one whose other end is elsewhere.
 *
 * Laws over the fields (lock protects all unless said otherwise)
 *  count + reserved <= cap.  count: elements in buf (at home), or credits in use (at a site, which reserves some for who sends
 *  through it).
 *  A receiver waits in rq only if count = 0 and nobody waits in sq; a sender waits in sq only if count + reserved = cap.
 *  closed  no send completes any more.  ended: receivers see the close once the buffer is empty; ended implies closed.
 *  site    this process has only send ends; the channel's home is elsewhere.  buf is unused; ops->put takes what is sent.
 *  net     not null: another process knows this channel, and the ops below are called.  Changes once, under the lock.
 * Locks: a channel's lock is taken before whatever the ops take.  Of two channels: only to look, in the order of addresses (select.c),
 * or the second by chan_trylock. */
#ifndef CHAN_CHAN_H
#define CHAN_CHAN_H
#include "leat.h"
#undef errno
#include "run/sched.h"
#include "run/waiter.h"

struct chan_net;
enum { CHAN_PEER_MAX = 96 };

/* Which select makes an offer: another for each select of all nodes, and all of them are in one order.
 * stuck: its offer is on a link that has broken.  on_stuck: the select's own, called in its task, without a lock, when that is so; it
 * sets stuck, and tells the homes where its receives are away.  Null: nobody wants to know. */
struct chan_offer {
    uint8_t node[16];
    uint64_t count;
    _Atomic bool stuck;
    _Atomic bool met_itself, met_now;                /* home's: see meet.c.  ... met_now: by its last offer */
    void (*on_stuck)(struct chan_offer *id);
};

/* what a channel calls when another process is concerned.  [locked]: c's lock is held, the op must neither block nor touch c's
 * lock; it may make tasks ready.  Others are called without a lock and from any thread. */
struct chan_net_ops {
    /* site [locked]: there is a credit (buffered), and v goes to the home.  OK: it has left; the channel counts the credit.  AGAIN:
     * something else that v needs is locked: the sender tries again.  What v owns is still the sender's: see `moved`. */
    leat_err (*put)(leat_chan_ *c, const void *v);
    /* The sender, when its value has left or may have: what it owned is given back, the variable is dead. */
    void (*moved)(leat_chan_ *c, const void *v);
    /* [locked] a sender has begun or ceased to wait in sq, or a try found no room.  Site, buffered: ask for a credit; unbuffered: offer
     * sq's head if none is.  Home: take idle credits back. */
    void (*need)(leat_chan_ *c);
    /* site, a try that found no room [blocks for one answer of the home, or (buffered) as many as there are others that ask].  OK: *v has
     * left, or (unbuffered) was received.  AGAIN: no. */
    leat_err (*ask)(leat_chan_ *c, const void *v);
    /* site, unbuffered: a sender that waits stops to (why: CANCELED or DEADLINE).  The op takes the lock.  Returns LEAT_OK: it was
     * received after all; why: certainly not; LEAT_UNKNOWN.  May block for a bounded time.  me is out of sq on return, and has moved
     * where it had to. */
    leat_err (*withdraw)(leat_chan_ *c, struct waiter *me, leat_err why);
    /* Selects that offer an unbuffered send to another process (offers.c).  Site:
     * stand  [locked] one more select, or one less, has such a case here: the home invites when a receiver is ready.  0: one that was away
     *        waits again.
     * itself [locked] an offer came back as its own select receives there: from then on `stand(0)` is told.
     * id     a number for the calling select.
     * offer  [blocks] me's select has left all other queues, and offers me's value.  Takes the lock.  OK: received, and moved.  AGAIN:
     *        nobody was ready, or it is not invited any more.  UNKNOWN: perhaps received, and moved.  Else: certainly not. */
    void (*stand)(leat_chan_ *c, int by);
    void (*itself)(leat_chan_ *c);
    void (*id)(leat_chan_ *c, struct chan_offer *ret);
    leat_err (*offer)(leat_chan_ *c, struct waiter *me, struct chan_offer *id);
    /* Home [locked]: me, a receiving case, is of a select (me->owner: its chan_offer) that has an offer out and cannot receive.  And: it
     * can again, it is in rq; or, no matter what me is (null: not away): its select is over (id), or is stuck (id null). */
    void (*away)(leat_chan_ *c, struct waiter *me);
    void (*back)(leat_chan_ *c, struct waiter *me);
    void (*left)(leat_chan_ *c, struct waiter *me, struct chan_offer *id);
    /* Home, unbuffered, when selects elsewhere stand (NEEDY_STAND): asks them [blocks for one answer of each].  Takes the lock.  OK:
     * *out was received.  AGAIN: nobody was ready. */
    leat_err (*poll)(leat_chan_ *c, void *out);
    void (*sender)(leat_chan_ *c, struct waiter *x, struct waiter *y);       /* site [locked]: y stands in sq where x stood */
    /* home [locked]: needy_at slots are free, or a receiver has begun to wait, and `needy` is set. */
    void (*room)(leat_chan_ *c);
    /* leat_close here.  Home: local senders are refused already; the op calls chan_end when the sites are done.  Site: tells the home. */
    void (*close)(leat_chan_ *c);
    void (*finish)(leat_chan_ *c);                   /* the last sender known here is done */
    leat_err (*flush)(leat_chan_ *c);                /* site [blocks] */
    /* The calling task's operation on c has failed with e: sets the detail, if there is more to say.  Returns e. */
    leat_err (*explain)(leat_chan_ *c, leat_err e);
    void (*deaf)(leat_chan_ *c);                     /* home: the last receive end has gone */
    /* The last reference of the program is gone; net still holds its own (chan_net_unref).  Site: finish.  Home: nobody will receive. */
    void (*gone)(leat_chan_ *c);
    /* Who is at the other end, for reports.  net may be gone: read it with peek().  May be null.  [signal] */
    void (*peer)(const struct chan_net *net, char text[CHAN_PEER_MAX]);
};
enum { NEEDY_ROOM = 1, NEEDY_STAND = 2 };           /* stand: selects elsewhere would send here, invited or not */
struct chan_net { const struct chan_net_ops *ops; }; /* the first member of sess/'s own record */
/* In one section, so that a report can tell ops from what has taken the place of a net that is gone. */
#define CHAN_NET_OPS const struct chan_net_ops __attribute__((section("leat_net_ops")))

struct leat_chan_ {
    /* line 0: all that a send or a receive touches */
    _Atomic uint32_t lock, count;
    uint32_t cap, size, read;                        /* read: index of the oldest element */
    _Atomic uint8_t closed, ended;
    _Atomic uint8_t site;
    _Atomic uint8_t needy;                           /* home: NEEDY_..., call `room`.  Site, unbuffered: invited, a select may offer */
    struct waiters rq, sq;
    struct chan_net *net;
    /* line 1 */
    _Atomic uint32_t reserved;                       /* slots promised to sites */
    uint32_t senders, txs, rxs;                      /* owners of a send end that have not finished; of a send end; of a receive end.
                                                      * senders + done <= txs.  The last of the first closes, of the third says GONE */
    uint32_t needy_at;                               /* so many free slots are worth a call of `room` */
    uint8_t err;                                     /* instead of LEAT_CLOSED: PEER_LOST, GONE, ... */
    uint8_t turn : 1;                                /* who gets the next free slot: a waiting sender here or a site */
    uint8_t done : 7;                                /* owners of both ends that have finished and are there still; up to 127 are counted */
    uint16_t lone;                                   /* owners of a receive end and of no send end: only the last one may move.
                                                      * At most 65,535 are counted */
    _Atomic uint32_t refs;                           /* the program's */
    _Atomic uint32_t holds;                          /* 1 for all of refs, more for net: who takes the last one off frees */
    const struct leat_type *type;                    /* null: nobody has said it, and no other process knows c */
    char *buf;
    struct waiters cq;                               /* selects that wait for the end (leat_on_closed) */
#if SAN_EDGES
    struct chan_edges *edges;                        /* one a slot: edges.h */
#endif
} __attribute__((aligned(16)));                      /* elements lie behind it.  A cache line begins it, but for sites (block.h) */

/* After an owner of a send end has gone.  It is taken for one that has finished and kept its end, if there is such a one, so that the
 * channel closes late, never early.  Only an owner of both ends that has finished is known to be another than one of a send end. */
static inline void chan_sender_left_locked(leat_chan_ *c)
{
    if (c->done > c->txs)
        c->done = c->txs & 127;
    c->senders = MIN(c->senders, c->txs - c->done);
}

extern const struct wait_kind chan_wait_recv, chan_wait_send, chan_wait_end;

/* -- one attempt, under the lock (chan.c); select uses them too ------------------------------------------------------------ */
enum chan_try { CHAN_WAIT, CHAN_DONE, CHAN_FAILED, CHAN_LEFT };
/* DONE: *wake is a task to make ready after unlocking, or null.  FAILED: *err says why (CLOSED, PEER_LOST, TYPE ...; AGAIN: once more).
 * LEFT: done, and v is on its way to another process: chan_moved after unlocking. */
enum chan_try chan_send_locked(leat_chan_ *c, const void *v, struct task **wake, leat_err *err);
enum chan_try chan_recv_locked(leat_chan_ *c, void *out, struct task **wake, leat_err *err);

/* As chan_send_locked on an unbuffered channel, for an offer from elsewhere: leaves in rq whose wait has ended.  false: no receiver. */
bool chan_meet_locked(leat_chan_ *c, const void *v, struct task **wake);
bool chan_recv_now(leat_chan_ *c, void *out);        /* takes the lock.  true: received.  false says nothing: try the other way */

void chan_wait_net(leat_chan_ *c, struct waiters *q);
/* Queues me and tells net; park is PARK_WAIT. */
static inline void chan_wait_locked(leat_chan_ *c, struct waiters *q, struct waiter *me)
{
    me->owner = c;
    waiter_add(q, me);
    if (unlikely(c->net != NULL))
        chan_wait_net(c, q);
}
/* Its receivers have had all, and its end; of a channel elsewhere: no send completes any more. */
static inline bool chan_is_over(const leat_chan_ *c)
{
    return at_load(&c->ended) && (!at_load(&c->count) || at_load(&c->site));
}
void chan_over_locked(leat_chan_ *c);                /* site: so it is */
void chan_drained_locked(leat_chan_ *c);             /* ended and empty: wakes who waits for that */
/* for a sender whose value has left, without the lock */
static inline void chan_moved(leat_chan_ *c, const void *v) { c->net->ops->moved(c, v); }
leat_err chan_explain(leat_chan_ *c, leat_err e);    /* an operation on c has failed: the detail of the calling task; returns e */

/* -- for sess/ -------------------------------------------------------------------------------------------------------------- */
leat_chan_ *chan_make_site(size_t size, uint32_t cap);              /* as leat_chan_make_, without room for elements */
static inline bool chan_trylock(leat_chan_ *c)
{
    uint32_t o = 0;
    return atomic_compare_exchange_strong_explicit(&c->lock, &o, 1, ACQ, RLX);
}
/* Makes c known to another process; c's lock is held or nobody else knows c.  site: all credits are elsewhere, and c's elements, if
 * any, must have left; selects that would send on an unbuffered one look again, as they must stand now. */
void chan_attach_locked(leat_chan_ *c, struct chan_net *net, const struct leat_type *type, bool site);
void chan_hold(leat_chan_ *c);                       /* c stays in memory until chan_net_unref, whatever the program does */
void chan_net_unref(leat_chan_ *c);
leat_chan_ *chan_ref_again(leat_chan_ *c, int ends);                /* as leat_ref_, also when the program had none left; net holds c */
void *chan_elem_locked(leat_chan_ *c, uint32_t i);   /* home: the i-th oldest element */
/* Home: the buffer is empty now.  What was in it still lies there, for chan_drop_left, until something is put there again. */
struct chan_left { uint32_t at, n; };
struct chan_left chan_forget_elems_locked(leat_chan_ *c);
typedef void chan_drop_fn(const struct leat_type *t, void *v);       /* of the floor above, so whoever knows types brings it */
extern chan_drop_fn *_Atomic chan_drop_value;        /* null: nobody has described a channel */
void chan_drop_left(leat_chan_ *c, const struct leat_type *type, chan_drop_fn *drop, struct chan_left left);     /* no lock; type may be
                                                      * NULL: they are forgotten */
/* No lock.  What nobody will receive is dropped as this.  Each caller gives the same function. */
void chan_describe(leat_chan_ *c, const struct leat_type *type, chan_drop_fn *drop);
uint32_t chan_reserve_locked(leat_chan_ *c, uint32_t want);         /* slots promised, or a relay's idle credits; 0 ..want */
void chan_unreserve_locked(leat_chan_ *c, uint32_t n);              /* home: they come back; waiting senders use them */
/* home: an element that used a reserved slot: goes to a waiting receiver (*wake: to be made ready after unlocking) or the buffer */
void chan_put_reserved_locked(leat_chan_ *c, const void *v, struct task **wake);
/* The same in two steps, for an element that is made in its place, while nobody waits to receive: where it goes, and that it is there. */
void *chan_slot_locked(leat_chan_ *c);
void chan_filled_locked(leat_chan_ *c);
/* site: n more credits, each completes a waiting sender or stays idle.  Returns tasks to wake with chan_wake, unlocked */
struct waiter *chan_credit_locked(leat_chan_ *c, uint32_t n);
uint32_t chan_idle_credits_locked(leat_chan_ *c);    /* site: credits nobody uses */
uint32_t chan_take_credits_locked(leat_chan_ *c, uint32_t n);       /* site: gives n of them up */
/* site, unbuffered: me's wait is over: ok, it was received; else why not.  Returns what to wake, or NULL: its task is awake already and
 * will look at me. */
struct waiter *chan_settle_locked(leat_chan_ *c, struct waiter *me, leat_err e);
/* The end of sending: waiting senders but `keep` get err (LEAT_CLOSED, LEAT_GONE, LEAT_PEER_LOST), later ones too. */
struct waiter *chan_shut_locked(leat_chan_ *c, leat_err err, const struct waiter *keep);
/* Receivers see the end, err (LEAT_CLOSED or, torn, LEAT_PEER_LOST), after the last element.  Implies chan_shut. */
void chan_end(leat_chan_ *c, leat_err err);
void chan_wake(struct waiter *list);                 /* chained by next; may be NULL; no lock held */
uint32_t chan_senders_waiting_locked(const leat_chan_ *c);
bool chan_receiver_waits_locked(const leat_chan_ *c);               /* one that nobody has served yet */
bool chan_receiver_waits_but_locked(const leat_chan_ *c, const struct task *t);          /* ... and is not t */
bool chan_receiver_tries_locked(const leat_chan_ *c);               /* a select in rq that is about to make an offer (PARK_TRY) */
/* site, unbuffered: a select's send goes from sq to its task, to be offered.  false: its wait has ended otherwise */
bool chan_invite_locked(leat_chan_ *c, struct waiter *x);
#endif
