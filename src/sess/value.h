/* value.h - values that cross a session, with the ends of channels inside them.
 *
 * Sending.  value_pack writes the bytes and keeps the channels of the ends inside locked (by trylock, so it may say AGAIN: let go of
 * every lock, yield, try again) until value_sent or value_unsent.  In between the bytes are committed to the session, whole.
 * After value_sent the ends have moved: what the value owned is to be given back by type_moved, and what was queued behind its receive
 * ends by value_moved, both without any lock. */
#ifndef SESS_VALUE_H
#define SESS_VALUE_H
#include "base/buf.h"
#include "leat.h"
#undef errno

struct sess;
struct end;
struct type_print;
enum { VALUE_ENDS = 16 };                            /* ends in one value; more: LEAT_LIMIT */

struct relay_way { uint8_t hops; const char *path; size_t len; };     /* how a site reaches the home: through whom; hops 0: directly */
struct type_bridge;
/* as: of elements that are of another type there, for rx; tells: they are, for a send end */
struct joining { uint64_t id; bool rx, tells; uint32_t cap; struct relay_way way; const struct type_bridge *as; };
struct queued;
struct moving { leat_chan_ *c; struct end *e; struct queued *q; bool rx, back, locked; };      /* q: of a receive end */
/* What a value and all that is queued behind its receive ends share. */
struct packing {
    leat_chan_ *held;                                /* a channel whose lock the caller has, or NULL */
    struct queued *rxs;                              /* the receive ends, the last first */
    uint32_t nested;                                 /* ends in queues */
};
struct value_out {
    struct sess *s;
    struct packing *all, own;                        /* all: own, or, of what is queued, that of the value which takes it along */
    struct queued *in;                               /* it is an element of that queue; NULL: of none */
    struct value_out *before;                        /* in it, the one before that has ends, too */
    bool moves;                                      /* the value is given away: its send ends count there from then on, not here */
    uint32_t n;
    struct moving at[VALUE_ENDS];
};
/* Only what counts is set: there may be many of these in a second. */
static inline void value_out_init(struct value_out *o, struct sess *s, leat_chan_ *held, bool moves)
{
    o->s = s;
    o->all = &o->own;
    o->own = (struct packing){ .held = held };
    o->in = NULL;
    o->before = NULL;
    o->moves = moves;
    o->n = 0;
}
bool value_has_ends(const leat_type *t);
LEAT_CHECK leat_err value_pack(struct value_out *o, const leat_type *t, const void *v, struct buf *out);
void value_sent(struct value_out *o);
void value_unsent(struct value_out *o);
void value_let_go(struct value_out *o);              /* unlocks what value_pack locked, and does not look at it again */
void value_moved(struct sess *s);                    /* no lock.  Gives back what has been sent of queues */

/* given.c: the ends in an offer that may not be taken.  given_offered instead of value_sent; then given_settle, once, with no lock held. */
struct given;
struct given *given_new(const struct value_out *o);  /* NULL: no memory, the detail is set */
void given_offered(struct given *g, struct value_out *o);
struct given *given_taken_locked(struct end *e);     /* of e's unanswered offer: the caller will settle them; NULL: none */
void given_settle(struct given *g, bool moved);      /* NULL: nothing */
void given_never_went(struct given *g);              /* as given_settle, and the peer has never heard of these ends.  NULL: nothing */
void given_hears_locked(struct end *e, uint8_t kind, struct cur *in);        /* a frame for an end that has not left yet: it is kept */
bool value_moves_rx(const struct value_out *o);      /* a receive end is packed: what is refused then does not come back */
uint32_t value_ids(const struct value_out *o, uint64_t *ids);        /* of all new ends that are packed; ids NULL: how many */
/* Reader task.  What carried these ends to the peer was refused there: they were never joined, and are as if the peer had let go of
 * them: a send end that has gone, a receive end whose senders get GONE. */
void value_refused(struct sess *s, const uint64_t *ids, uint32_t n);
/* Reader task, in the handler of a frame of that kind.  As type_decode, or type_decode_as if as is not NULL, with no lock held; the ends
 * are joined to their other sides when this returns.  Where some had come in a value that cannot be read, the session is broken before
 * they are given back, so that no home takes for a finish what is a loss; not for want of memory or a LIMIT in an OPEN, which is
 * refused. */
LEAT_CHECK leat_err value_unpack(struct sess *s, uint8_t kind, const leat_type *t, const struct type_bridge *as, struct cur *in, void *v);
/* The same of a value that was read, and cannot be taken: err, which is returned.  Its memory is not freed. */
leat_err value_lost(struct sess *s, uint8_t kind, const leat_type *t, void *v, leat_err err);
struct type_part;
/* The same of an element of e, with a part of it that has come by itself: see type_decode_part.  NULL: none. */
LEAT_CHECK leat_err value_unpack_part(struct end *e, struct cur *in, void *v, struct type_part *part);
/* Reader task: this side of an end whose id the peer, or an import, has made.  *ret is a reference that the program will own. */
LEAT_CHECK leat_err value_join(struct sess *s, const struct joining *j, const leat_type *elem, leat_chan_ **ret);
/* o is new, c locked: its receive end is to move over o's session, under the peer's id, and is in no value.  OK: then value_sent or
 * value_unsent.  Any error: nothing has changed.  REFUSED, LIMIT, NOMEM, PEER_LOST; AGAIN as value_pack */
LEAT_CHECK leat_err value_pack_rx(struct value_out *o, uint64_t id, const leat_type *elem, leat_chan_ *c);
/* The same of an end that its peer has, and which leaves in any case, so q, which is zero, and relay_room have been there before.  An
 * error but AGAIN: it leaves with what was queued before that which cannot move. */
LEAT_CHECK leat_err value_pack_left(struct value_out *o, struct end *e, struct queued *q);
void value_leaves(struct value_out *o);              /* for value_sent: it does not let go */

/* queued.c: what is queued behind a receive end that moves.  The channel's lock is held. */
struct queued {
    struct moving *of;
    struct value_out *up;                            /* of is one of it */
    struct queued *next;                             /* among all->rxs; then among those that value_moved will give back */
    struct value_out *last;                          /* of the elements that have ends */
    struct buf bytes;                                /* each element behind its length, a u32 */
    uint32_t n, depth;
    bool sent;
    leat_chan_ *c;                                   /* when it has been sent: what is left is in c's buffer */
    const leat_type *type;
    uint32_t left_at, left_n;
};
/* m->q, which is made if it is NULL: n elements of it are packed. */
LEAT_CHECK leat_err queued_pack(struct value_out *o, struct moving *m, const leat_type *elem);
struct queued *queued_new(void);                     /* NULL: no memory, the detail is set */
void queued_reset(struct queued *q);                 /* as it was before queued_pack */
void queued_undo(struct queued *q);                  /* NULL: nothing */
void queued_sent(struct queued *q);                  /* its elements are on their way: so are the ends in them */
void queued_let_go(struct queued *q);                /* NULL: nothing */
/* All that are part of o's packing: whether one is of c, whose lock is held then; the one whose receive end c's is, or NULL; and
 * whether the record of that one comes before what o will have next. */
bool queued_has(const struct value_out *o, const leat_chan_ *c);
struct queued *queued_of(const struct value_out *o, const leat_chan_ *c);
bool queued_before(const struct value_out *o, const struct queued *q);

/* types.c: peers that describe a type otherwise */
/* Reader task.  *ret reads what is of the form theirs as mine, and lives as long as s.  As type_bridge_make; LIMIT: too many. */
LEAT_CHECK leat_err value_bridge(struct sess *s, const leat_type *mine, struct cur theirs, const struct type_bridge **ret);
const struct type_bridge *value_bridge_known(struct sess *s, const leat_type *mine, const struct type_print *theirs);  /* NULL: none yet */
/* Whether the peer, whose form is theirs, can read mine and be told its form.  As type_bridge_check. */
LEAT_CHECK leat_err value_check(struct sess *s, const leat_type *mine, struct cur theirs);
/* The form of t, for sess_begin_form.  false: the peer cannot be told it, and *ret is empty. */
bool value_form(const struct sess *s, const leat_type *t, struct cur *ret);
/* Why value_form of t is false, as the end of a sentence: cut to fit. */
void value_form_why(const struct sess *s, const leat_type *t, char *to, size_t cap);
/* Reader task.  What frame_put_form has put; valid until the handler returns.  NULL, and in->bad: it is none. */
struct cur value_form_in(struct sess *s, struct cur *in);
/* Reader task.  A form that came with an OPEN is kept for all that come without it; nothing: it is not known. */
void value_form_keep(struct sess *s, const struct type_print *print, struct cur form);
struct cur value_form_kept(struct sess *s, const struct type_print *print);
#endif
