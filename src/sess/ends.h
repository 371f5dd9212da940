/* ends.h - the ends of channels that one session knows: what home.c, site.c, value.c and names.c share.
 *
 * A channel whose ends are in two processes has, for each session that joins them, one struct end on each side, under one id.  On
 * the side of the receivers it is an end of a `struct home` (home.c); on the other side it is the channel's site (site.c).
 * Laws
 *  An id is never used twice in a session.  A frame for an id that is not in the table (any more) is ignored: it was on its way when
 *  the end was dropped.
 *  refs: 1 for the table, 1 for the channel's net while it is attached, 1 for whoever looks at it now (end_find, a queued source, a
 *  task that delivers).  The last one frees it.
 *  Fields are protected by the lock of the channel c, unless said otherwise.  c is set before the end is in the table and never
 *  changes; the end keeps c's memory (through its net).
 *  dead: nothing is sent on this end any more, and what arrives is ignored.
 * Locks: channel, then table or session's out lock.  Two channels: the second only by chan_trylock (value.c). */
#ifndef SESS_ENDS_H
#define SESS_ENDS_H
#include "base/slots.h"
#include "chan/chan.h"
#include "sess/sess.h"
#include "type/desc.h"

enum {
    ELEM_WHOLE = 0,                                  /* elements, each a varint length and its bytes */
    ELEM_PIECE = 1,                                  /* a piece of one element; FRAME_MORE: not the last */
    ELEM_FIRM = 2, ELEM_SOFT = 3,                    /* unbuffered: varint number, a piece.  Soft: TAKEN or BUSY at once */
    ELEM_SELECT = 4,                                 /* the same with the number of its select before the piece: TAKEN or BUSY soon */
};

struct home;
struct end_link { struct end_link *next, *prev; };   /* in a ring; next NULL: in none */

struct end {
    struct chan_net net;                             /* of a site's channel; unused at a home */
    struct sess_source control, bulk;                /* frames due; a site's backlog */
    union { uint64_t id; struct slot slot; };        /* slot: the table's lock, but for its id */
    struct sess *s;
    leat_chan_ *c;
    const leat_type *type;
    _Atomic uint32_t refs;
    uint32_t moved_bytes;                            /* of its channel's buffer, which moved here with it: see LIMIT_HOME_BYTES */
    uint32_t raw;                                    /* bytes of a value, if they are its memory; else 0 */
    uint32_t downs;                                  /* the table's lock: the last loss of a link that it was told */
    const struct type_bridge *as;                    /* home, reader only: how elements are read, if they are of another type */
    bool site, ends_inside;                          /* ends_inside: values of the type may hold ends of channels */
    bool in_table;                                   /* the table's lock */
    _Atomic bool known;                              /* the peer has shown that it knows this end: control frames may overtake */
    bool dead, sealed, finished;
    bool refused;                                    /* a site whose peer would not have it: value_refused */
    uint64_t granted, accepted, bytes, returned;     /* totals, as in the frames; bytes: of the elements accepted */
    union {
        struct {                                     /* site */
            struct relay *relay;                     /* NULL in most: home.h */
            uint64_t sent, sent_bytes;
            uint64_t flush_asked;                    /* sent, when the FLUSH that is out (flush_out) was written */
            uint64_t number;
            union {
                struct { uint64_t put_bytes, flood_sent, flood_bytes; };     /* put_bytes: with those that wait in the backlog; flood_: sent
                                                      * and put_bytes when it was set */
                struct {                             /* unbuffered */
                    uint64_t place;                  /* of the first frame of the offer that is unanswered: sess_place */
                    uint32_t polled, polls_due;      /* RECALLs of a home that polls (poll.c): not answered; to be answered now */
                };
            };
            _Atomic bool flood;                      /* much was put: the sender lets the writer run.  No lock */
            _Atomic bool taken;                      /* some values are the session's, and their senders do not know.  See emit_took */
            bool need_due, return_due, ask_due, ask_out, close_due, sealed_due, finish_due, drop_due, flush_due, flush_out;
            bool unanswered, holding, midway;
            bool dormant;                            /* of a receive end in an offer, which may not move: given.c */
            bool soft, withdrawing;                  /* the offer that is unanswered; it is to be withdrawn */
            bool finish_behind;                      /* FINISH was sent while it was unanswered */
            bool invited;                            /* by the home, and nobody has made use of it: offer.c */
            bool selfish, need_again;                /* a select that stands here also receives there; NEED is to be said again */
            bool far_down;                           /* the way of the offer that is unanswered has a gap beyond the peer */
            bool recall_kept;                        /* a RECALL came while something was promised */
            uint32_t promised;                       /* credits of askers whose tasks have not run yet: they count as used */
            uint32_t selects, selects_told;          /* that stand here and behind it; in the last NEED.  Unbuffered */
            leat_err why;                            /* of the offer that is being withdrawn */
            const void *pledged;                     /* whose offer is to come: a task, or an end behind this one */
            const struct chan_offer *offer;          /* while one is being sent: of which select */
            struct waiter *offered;                  /* whose value the home has; unanswered and null: its sender gave up */
            struct waiters askers, flushers;
            struct backlog *backlog;                 /* null: there has not been one yet */
        };
        struct {                                     /* home */
            struct home *home;
            struct end *next, *prev;                 /* among the home's */
            struct end_link need_at, lend_at, lent_at;               /* in the home's lists of these names */
            uint64_t bytes_told;
            union {
                uint64_t grown;                      /* want grows again when the site has seen so many credits */
                const struct chan_offer *self;       /* unbuffered (meet.c): the select that stands at the other side and receives here */
            };
            uint32_t out, need, want;                /* out: credits the site has; want: how many are good for it */
            leat_err seal_after;                     /* SEAL with this code goes when nothing is delivered any more, and not after BYE */
            uint8_t answer_due;                      /* the kind of the answer that goes before that */
            bool seal_due, not_taken;                /* it is to be written now; what was delivered was not taken */
            bool delivering, withdrawn, recalled, grant_due, recall_due, none_due;
            bool inviting : 1, invite_due : 1;       /* unbuffered: since its last offer, or since nobody stands there */
            bool polled_out : 1, fresh : 1;          /* poll.c: it has been asked, and not answered; relay: its offer is yet to go up */
            bool asked : 1, told : 1;                /* relay: its try waits for what the home says; and was among those it was asked for */
            bool held_select, held_refused;          /* a select's offer is held; nobody is left who might take it */
            bool seal_told, sealed_heard;            /* SEAL has gone; its answer has come */
            bool refused_here;                       /* relay: one of its elements could not go on, so none does */
            bool held_soft;                          /* relay: its offer is soft */
            uint32_t polls_lost;                     /* answers that are still to come, and for which nobody waits */
            uint32_t self_n;                         /* times that it has met itself since NEED, one after the other */
            const struct task *self_task;
            struct partial *partial;                 /* reader only; null: none.  gather.c */
            void *held;                              /* an offered value that waits for a receiver; the delivering task's */
            uint64_t held_number;
            leat_ctx *deliverer;
        };
    };
};

/* the table of a session: sess_slots(s)->chans */
struct attach;
struct ends {
    _Atomic uint32_t lock;
    struct slots slots;                              /* lock */
    uint32_t downs;                                  /* links that were lost */
    uint64_t made;                                   /* ids made here */
    uint64_t moved_bytes;                            /* lock: of the buffers of channels that have moved here */
    bool over;                                       /* the session has ended */
    struct attach *attaching;                        /* imports that wait for an answer (names.c) */
    struct queued *moved;                            /* lock: queues that have been sent, and are to be given back (queued.c) */
    struct bridges *bridges;                         /* reader only (types.c) */
    struct buf form;                                 /* reader only: of the frames FORM */
    bool form_more, form_whole;                      /* reader only: it goes on; it is whole, and not yet used */
    struct end *landing;                             /* reader only: whose element the link is being read into; null: none */
    void *scratch;                                   /* reader only: room for one value */
    size_t scratch_cap;
};
static inline struct ends *ends_of(struct sess *s) { return sess_slots(s)->chans; }

uint64_t ends_id(struct sess *s);                    /* a new id */
bool ends_id_theirs(struct sess *s, uint64_t id);    /* one that the peer may make */
/* refs: 2, the table's and the caller's.  id 0: a new one.  LIMIT, NOMEM, PEER_LOST; INVAL: the peer's id is in use */
leat_err end_new(struct sess *s, uint64_t id, leat_chan_ *c, const leat_type *t, bool site, struct end **ret);
struct end *end_find(struct sess *s, uint64_t id);   /* [owned: end_unref] NULL: none */
void end_out(struct end *e);                         /* takes it from the table */
void end_ref(struct end *e);
void end_unref(struct end *e);
leat_err ends_all(struct sess *s, struct end ***ret, uint32_t *ret_n);       /* references to all; mem_free it.  NOMEM */
uint64_t end_in_doubt(struct end *e, bool orderly);  /* elements that its peer may not have; orderly: it has all that was written */
void *ends_scratch(struct sess *s, size_t size);     /* reader only; NULL: no memory, the detail is set */
/* Of an unbuffered channel nothing overtakes. */
static inline enum sess_lane end_lane(const struct end *e)
{
    return at_load(&e->known) && e->c->cap ? LANE_CONTROL : LANE_DATA;
}
static inline void end_due(struct end *e) { sess_source_add(e->s, &e->control, end_lane(e)); }
bool ends_move_in(struct sess *s, uint64_t bytes);   /* false: over LIMIT_HOME_BYTES */
void ends_move_out(struct sess *s, uint64_t bytes);
/* a frame that is the id and up to one number.  false: the session has ended */
bool end_send(struct end *e, uint8_t kind, uint64_t number, bool has_number);

/* types.c */
void end_read_as(struct end *e, const struct type_bridge *as);       /* c locked, or e not known to others yet.  NULL: as its own type */
void end_tell_type(struct end *e, const leat_type *t);               /* a site: of what is sent on it from now on.  No lock */
leat_err home_on_type(struct end *e, struct cur *in);                /* reader, no lock */
leat_err forms_on_form(struct sess *s, uint8_t flags, struct cur *in);
void value_bridges_free(struct ends *t);

/* home.c */
/* Locked or not known to others: makes c a home, if it is none yet.  NOMEM */
leat_err home_make_locked(leat_chan_ *c, const leat_type *t);
bool home_is(const struct chan_net *n);
void home_join_locked(struct end *e);                /* e becomes an end of its channel's home; may send SEAL */
bool home_pull(struct end *e, struct sess *s);       /* c locked: one due frame; true: more */
void home_end_free(struct end *e);
void home_lost(struct end *e);
leat_chan_ *home_ref_back(struct end *e);            /* a send end that has come home */
leat_err home_on_elem(struct end *e, uint8_t flags, struct cur *in);
/* Reader: `in` has what has come of an ELEM.  Where its last bytes are to be read, of which there are *left from in->p on; NULL. */
uint8_t *home_land(struct end *e, struct cur *in, size_t *left);
leat_err home_on(struct end *e, uint8_t kind, struct cur *in);
/* meet.c: the unbuffered part of home.c */
struct elem_head { uint8_t what; uint64_t number; struct chan_offer by; };   /* what stands before the bytes of an element */
struct type_part;
leat_err meet_on_offer(struct end *e, const struct elem_head *head, struct cur *bytes, struct type_part *part);
/* site.c; offer.c has the unbuffered part of it */
void site_join_locked(struct end *e);                /* c becomes the site of e */
bool site_pull(struct end *e, struct sess *s);
void site_end_free(struct end *e);
void site_lost(struct end *e);
bool site_bulk(struct end *e, struct sess *s);
leat_err site_on(struct end *e, uint8_t kind, struct cur *in);
void site_left_unlock(struct end *e);                /* c locked, and unlocked: nobody here or behind it knows the channel any more */
void site_tail(struct end *e);                       /* c locked: sends what was held back by elements, or by those behind it */
void site_served(struct end *e);                     /* relay, c locked: credits have come or gone */
void site_ask_up(struct end *e);
void site_promise(struct end *e);                    /* credits have come, and who waited for one has his: now those who only ask */
void site_link_down(struct end *e);                  /* who asks is told that nothing is free; selects, that they are stuck */
void home_link_down(struct end *e);                  /* poll.c: it is not waited for */
void site_flush_up(struct end *e);
void site_finish_locked(struct end *e);
void site_torn_locked(struct end *e);                /* a site behind it was lost: below->torn_text */
leat_err site_put_locked(struct end *e, const void *v);
struct queued;
/* A channel that was local becomes a site that holds all credits; q holds its elements, which are sent. */
void site_from_local_locked(struct end *e, struct queued *q);
#endif
