/* gob_feed.h - cuts a stream of bytes into the messages of a gob stream.
 *
 * The memory follows what has arrived, not what a length claims.  One direction of one stream; not for two threads at once. */
#ifndef TYPE_GOB_FEED_H
#define TYPE_GOB_FEED_H
#include "type/gob.h"

struct gob_feed {                                    /* set read, self, gob and limit; the rest is zero */
    /* at most cap bytes to p; *n = 0: the end.  What it returns otherwise comes out of gob_feed_next. */
    leat_err (*read)(void *self, void *p, size_t cap, size_t *n);
    void *self;
    struct gob *gob;
    uint64_t limit;                                  /* bytes of one message */
    uint8_t *p;                                      /* what was read and not yet used: from `from` to `to` */
    size_t from, to, cap;
    uint64_t offset;                                 /* of p[from] in the stream */
    size_t head, taken;                              /* bytes of the message that is looked at: of its length, and all */
    leat_err err;                                    /* why `more` failed */
    bool defined;                                    /* the last message was a definition: the end must not follow */
};

void gob_feed_free(struct gob_feed *f);              /* not the gob */

/* The next message, to f->gob: gob->value says whether it is a value, which stays until the next call.  LEAT_CLOSED: the stream has
 * ended between two messages.  LEAT_INVAL: it is bad (gob->why, gob->at); LEAT_LIMIT; LEAT_NOMEM; what `read` returned. */
LEAT_CHECK leat_err gob_feed_next(struct gob_feed *f);

/* The same until it is a value. */
LEAT_CHECK leat_err gob_feed_value(struct gob_feed *f);
#endif
