/* emit.h - how elements of a site leave.  All of it under the channel's lock.  For site.c and offer.c. */
#ifndef SESS_EMIT_H
#define SESS_EMIT_H
#include "sess/ends.h"

enum { WINDOW = 4 << 20 };                           /* bytes of elements that have left and are not accepted; and one of any size */

/* One more element of a buffered channel: in the session, or behind the backlog.  What it owns stays the caller's.  LIMIT: over LIMIT_ELEM;
 * AGAIN: something inside it is locked; NOMEM, PEER_LOST, INVAL */
leat_err emit_elem(struct end *e, const void *v);
/* One in frames of its own; now, unless what is ELEM_PIECE.  The same errors */
leat_err emit_alone(struct end *e, uint8_t what, const void *v);
leat_err emit_encoded(struct end *e, const struct cur *v, uint8_t what, bool now);   /* now: emit_next will be called */
bool emit_waits(const struct end *e);                /* there is a backlog */
bool emit_open(const struct end *e);                 /* more may leave */
bool emit_next(struct end *e);                       /* commits one frame of the backlog.  false: there is none, or the session has ended */
/* By the sender of v, once, when v has been put: true: what it owns is the element's, and not to be given back by the sender. */
bool emit_took(struct end *e, const void *v);        /* no lock */
bool emit_took_locked(struct end *e, const void *v);
void emit_forget(struct end *e);                     /* the backlog */
void emit_free(struct end *e);
#endif
