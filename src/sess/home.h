/* home.h - who sends to a channel from elsewhere: the record that a home keeps, and a relay too.
 *
 * At the home of a channel it is the channel's net.  At a site through which others send (a relay) it hangs below the site's end:
 * what is free there is not slots but the site's own idle credits, and what is taken goes up, not into a buffer.  All else is the
 * same, so home.c serves both: `up` tells which.  Protected by the channel's lock. */
#ifndef SESS_HOME_H
#define SESS_HOME_H
#include "sess/ends.h"
#include "sess/value.h"
#include "type/codec.h"

enum { WHO_MAX = 200 };
struct polls { struct waiters now, next; };          /* receivers that poll, and wait for this round of answers, or the next one: poll.c */
struct home {
    struct chan_net net;
    leat_chan_ *c;
    struct end *ends;
    struct end_link need, lend, lent;                /* need: who waits for credits; lend: who could use some; lent: who has some.
                                                      * Unbuffered: meet.c */
    struct waiters away;                             /* receivers that are selects with an offer out (chan/offers.c) */
    struct polls *polls;                             /* NULL: nobody has polled yet */
    uint32_t polled;                                 /* ends that have not answered */
    uint32_t refs, unsealed, needy;                  /* needy: how many are in need */
    uint32_t offers;                                 /* of ends, alive or not, that a task delivers */
    bool sealing, ended, torn, deaf, gone;           /* deaf: nobody here receives; gone: nor does the program know c */
    bool lost;                                       /* relay: so is the home; all behind it have been told */
    bool held;                                       /* it was a home before, and keeps its hold of c */
    uint8_t recalled : 1, left_n : 7;                /* relay: what comes back goes up, as the home misses it; how many are in `left` */
    union { uint32_t asking, fresh; };               /* relay: tries that wait for what the home says; unbuffered: ends whose offers are
                                                      * yet to go up */
    struct end *up;                                  /* relay: the site that passes it on; NULL: a home */
    char *torn_text;                                 /* who was lost; NULL: nobody, or no memory for it */
    char *left;                                      /* the nodes that its receive end has left, the last first; NULL: none */
};

/* a run of elements that went up one after the other: from NULL, of this site's own program */
struct run { struct end *from; uint64_t count, bytes; };
/* what only few sites have */
struct relay {
    struct home *below;                              /* who sends through this site; NULL: nobody has yet */
    char *lost;                                      /* SEAL said PEER_LOST: who it was */
    char *path;                                      /* the relays from here to the home; NULL: none */
    uint8_t hops;                                    /* so many */
    bool torn_due;
    struct run *run;                                 /* a ring: what went up and is not accepted */
    uint32_t run_at, run_n, run_cap;
    struct given *given;                             /* the ends in the offer that is unanswered; NULL: none, or settled */
    struct end *passing;                             /* whose element is being put */
    uint64_t passing_bytes;
};

struct home *home_at(const leat_chan_ *c);           /* of a home or a relay; NULL: neither */
void home_free(struct home *h);                      /* the memory */
void home_torn_locked(struct home *h, const char *who);      /* relay.c */
void home_serve(struct home *h);                     /* slots may be free: to the needy in turn, then to those who stream */
/* a ring of ends */
static inline void ring_add(struct end_link *ring, struct end_link *x)       /* as the last one; nothing when it is in already */
{
    if (x->next)
        return;
    x->next = ring;
    x->prev = ring->prev;
    ring->prev->next = x;
    ring->prev = x;
}
static inline void ring_del(struct end_link *x)
{
    if (!x->next)
        return;
    x->prev->next = x->next;
    x->next->prev = x->prev;
    x->next = x->prev = NULL;
}
#define ring_first(ring, type, at) ((ring)->next == (ring) ? NULL : container_of((ring)->next, type, at))
/* credit.c, all under the channel's lock */
void home_recall(struct home *h, const struct end *from);            /* idle credits from every site but `from`, once between two grants */
void home_grant(struct end *e, uint32_t n);          /* of credits that are reserved */
/* Of n slots that are reserved already, the share of the one whose turn it is among those that need; h->needy is not 0.  Returns how
 * many it took. */
uint32_t home_grant_next(struct home *h, uint32_t n);
void home_need_add(struct home *h, struct end *e);
void home_need_del(struct home *h, struct end *e);
struct end *home_needs_first(struct home *h);        /* NULL: nobody needs */
void home_lists_init(struct home *h);
void home_lists_del(struct home *h, struct end *e);
void home_joined_locked(struct home *h, struct end *e);              /* e may have credits already */
void home_taken_locked(struct home *h, struct end *e);               /* elements of e have been taken */
void home_used(struct end *e);                                       /* credits of e have been used */
void home_take_back(struct home *h, struct end *e, uint32_t n);      /* n credits of e have come back */
void home_on_need(struct home *h, struct end *e, struct cur *in);
void home_on_return(struct home *h, struct end *e, struct cur *in);

void home_took_locked(struct home *h, struct end *e);                /* as home_taken_locked, and tells the site of much */
void home_seal_one(struct end *e, leat_err why);
bool home_seal_saying(struct end *e, leat_err why, bool not_taken);  /* tells its site.  false: the session closes, or has ended */
void home_seal_held(struct end *e, bool not_taken);  /* the SEAL that waited for the end of a delivery */
void home_unref_unlock(struct home *h);              /* the lock is held and released: what the last reference frees cannot be locked */
bool home_seal_begin(struct home *h, leat_err why);  /* whoever sends here is told that it is over.  true: it has ended */

/* gather.c, no lock, reader: an element of which more is to come.  e->partial: it has begun */
leat_err gather_add(struct end *e, struct cur piece);
uint8_t *gather_room(struct end *e, size_t n);       /* where its next n bytes will stay; NULL: they are to be added */
void gather_landed(struct end *e, size_t n);         /* n bytes have been written there */
leat_err gather_whole(struct end *e, struct cur *ret, struct type_part **part);      /* valid until gather_free.  *part NULL: none */
void gather_free(struct end *e);                     /* e->partial NULL: nothing */

/* take.c, no lock, reader: bytes of one element, or elements each with its length before it.  part: see type_decode_part */
leat_err take_element(struct end *e, struct cur *bytes, struct type_part *part);
leat_err take_elements(struct end *e, struct cur *in);

/* meet.c: the home of an unbuffered channel, or a relay */
void meet_on_need(struct home *h, struct end *e, uint64_t count);
void meet_on_withdraw(struct end *e, struct cur *in);
void meet_invite_one(struct home *h, struct end *e);
void meet_invite(struct home *h);                    /* a receiver may be ready, or somebody may stand somewhere */
bool meet_still_invited(struct home *h, struct end *e);              /* its INVITE is about to be written */
void meet_became_relay(struct home *h);
void meet_end_left(struct home *h, struct end *e);   /* e is dropped or lost */
void meet_away(leat_chan_ *c, struct waiter *me);
void meet_back(leat_chan_ *c, struct waiter *me);
void meet_left(leat_chan_ *c, struct waiter *me, struct chan_offer *id);

/* poll.c: a receiver that polls asks selects elsewhere */
leat_err poll_ask(leat_chan_ *c, void *out);
void poll_relayed(struct home *h);                   /* the home of a relay asks: so do all that stand behind it */
void poll_answered(struct home *h, struct end *e);   /* e has said RETURN */
void poll_end_left(struct home *h, struct end *e);
void poll_sealed(struct home *h, struct end *e);      /* a sealed site answers or not */
void poll_offered(struct end *e);                    /* relay: the offer that e made has gone up, or will not */

/* site.c */
static inline struct end *site_of(const leat_chan_ *c) { return (struct end *)(void *)c->net; }
void site_moved(leat_chan_ *c, const void *v);       /* no lock */
bool site_is_lost(const struct end *e);
bool site_lost_far(struct end *e, char text[WHO_MAX]);              /* no lock.  It was not this end's session that was lost: who was */

/* offer.c */
void offer_next(struct end *e);                      /* somebody may be able to make an offer */
void offer_answered(struct end *e, uint64_t number, leat_err err, struct waiter **wake);
void offer_invited(struct end *e);
void offer_link_down(struct end *e);
leat_err offer_ask(struct end *e, const void *v);    /* the lock is held on entry, and not on return */
leat_err offer_unknown(struct end *e, leat_err why); /* no lock */
bool offer_unwritten(struct end *e);                 /* one is unanswered, and nothing of it was written */
leat_err offer_for(struct end *e, struct end *from, void *v, struct chan_offer *id);   /* no lock [blocks] of a select behind e */
void offer_unpledged(struct end *e, const struct end *from);         /* its offer will not come */
void offer_polled(struct end *e);                    /* the home polls: its RECALL has come */
void offer_poll_over(struct end *e);                 /* answers the home, if no offer is about to be made */
void offer_far_down(struct end *e);                  /* its home says that the way beyond it has a gap */
/* ops of the channel */
leat_err site_withdraw(leat_chan_ *c, struct waiter *me, leat_err why);
leat_err site_offer(leat_chan_ *c, struct waiter *me, struct chan_offer *id);
void site_sender(leat_chan_ *c, struct waiter *x, struct waiter *y);
void site_stand(leat_chan_ *c, int by);
void site_itself(leat_chan_ *c);
void offer_stand(struct end *e, int64_t by);          /* so many more selects stand here, or behind it */
void site_id(leat_chan_ *c, struct chan_offer *ret);

/* relay.c: all under the channel's lock unless said otherwise; e is the site */
static inline struct home *relay_below(const struct end *e) { return e->relay ? e->relay->below : NULL; }
leat_err relay_make_locked(leat_chan_ *c);           /* others may send through the site c.  NOMEM */
leat_err relay_record(struct end *e);                /* e->relay is there.  NOMEM */
void relay_free(struct end *e);                      /* no lock */
void relay_sent(struct end *e);                      /* one element has been put */
void relay_accepted(struct end *e, uint64_t n);      /* the home has n more of them */
struct waiter *relay_credit(struct end *e, uint32_t n);      /* n more credits */
enum relay_answer { ANSWER_NONE, ANSWER_SHARE, ANSWER_ALL };
/* Tries that waited have a credit while there is one.  The others: NONE; but for those that the home had not been told of when it said
 * NONE, and, when it is a SHARE of what it may have, for all of them it is asked once more. */
void relay_answer(struct end *e, enum relay_answer how);
void relay_told(struct home *h);                     /* the home has been asked for all that wait */
void home_answered(struct end *e);                   /* relay: a try there no longer waits */
void relay_recalled(struct end *e);
uint64_t relay_needs(const struct end *e);           /* senders that wait behind it */
void relay_seal(struct home *h, leat_err why);       /* h is a relay's: the channel is over, or lost after that */
void relay_torn(struct home *h, const char *who);    /* of a home, too */
void relay_on_torn(struct home *h, struct cur *in);
bool relay_waits(const struct end *e);               /* not all behind it have said their last: SEALED and FINISH wait */
void relay_left(struct home *h, struct end *e);      /* e is dropped or lost */
leat_err relay_way(const struct end *e, const char *to);     /* LIMIT: one relay more would be too many */
void relay_path_out(const struct end *e, struct buf *out);   /* for a record: how its reader will reach the home through e */
leat_err relay_path_in(struct cur *in, struct relay_way *ret);       /* INVAL; ret points into what was read */
leat_err relay_path_set(struct end *e, const struct relay_way *w);   /* e is not known to others yet.  NOMEM */
void relay_left_out(const leat_chan_ *c, const char *me, struct buf *out);   /* the same of a receive end: the nodes it has left */
leat_err relay_left_set(struct home *h, const struct relay_way *w);  /* NOMEM */
bool relay_holds(const struct end *e, const void *v);        /* v is offered for one who sends through here */
/* A receive end leaves: its channel, a home or a local one, becomes the site e, which is not known to others yet.  LIMIT: it has moved
 * too often; REFUSED: somebody else has it; NOMEM.  Before: nothing has changed; then the move itself, which does not fail. */
leat_err relay_may_leave(leat_chan_ *c, const char *me);
leat_err relay_prepare(struct end *e);
leat_err relay_room(struct end *e);                  /* the same, whether others send to it yet or not */
void relay_becomes(struct end *e);
/* What e has sent cannot go on: its sender learns that the way is lost, and the home that there is a gap. */
void relay_cannot(struct home *h, struct end *e);
/* The lock is held, and released.  v is decoded, and owned. */
leat_err relay_take_unlock(struct home *h, struct end *e, void *v, size_t bytes);
#endif
