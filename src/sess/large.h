/* large.h - a large element on its way out: its bytes stay where they are until the peer has them.
 *
 * What the value owns and is large is sent from there, and is given back when the last frame of it has been acknowledged; the sender's
 * variable is dead, as always after a send.  All else is encoded once, and sent from where it was encoded.  For emit.c. */
#ifndef SESS_LARGE_H
#define SESS_LARGE_H
#include "sess/replay.h"
#include "type/codec.h"

struct large {
    struct lent lent;                                /* first.  References: of the backlog, of frames, of `next` */
    struct large *next;                              /* the channel's lock: taken over by put, and the sender does not know yet */
    const void *v;                                   /* the sender's variable: then only a name */
    const leat_type *type;                           /* of value, which owns what is lent; NULL: nothing is */
    struct buf own;                                  /* what was encoded or copied */
    size_t bytes;                                    /* all of it */
    struct type_lend parts;
    uint8_t *copies;                                 /* of parts that were not worth to keep a value for */
    _Alignas(16) char value[];
};

enum { LARGE_RECYCLE = 128 << 10 };                  /* bytes of an element from which on plat_mem_recycle is worth it */
enum { LARGE_MOVES = 1, LARGE_PLAIN = 2 };
/* LARGE_PLAIN: for who speaks version 1.1 (codec.h).
 * LARGE_MOVES: if it succeeds, the value may be the element's from now on (x->type tells).  LIMIT: over LIMIT_ELEM;
 * NOMEM; as type_encode.
 * *ret has one reference. */
LEAT_CHECK leat_err large_new(const leat_type *t, const void *v, unsigned how, struct large **ret);
struct run_of_bytes { const uint8_t *p; size_t n; };
struct run_of_bytes large_at(const struct large *x, size_t at);      /* what lies together from there on; at is below x->bytes */
#endif
