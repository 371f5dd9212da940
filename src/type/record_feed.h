/* record_feed.h - cuts a stream of leat/record.h into its records.  Its bytes may come from anyone.
 *
 * The memory follows what has arrived, not what a length claims.  Needs nothing else of the library: `leat decode` uses it too. */
#ifndef TYPE_RECORD_FEED_H
#define TYPE_RECORD_FEED_H
#include "base/buf.h"

#define RECORD_MAGIC "\x8bLEAT\r\n\x02"              /* 8 bytes: as on a link, but for the last */
enum { RECORD_MAGIC_BYTES = 8, RECORD_TYPE = 1, RECORD_VALUE = 2, RECORD_TYPES = 1024, RECORD_MAX = 1 << 30 };

struct record_feed {                                 /* set read, self and limit; the rest is zero */
    leat_err (*read)(void *self, void *p, size_t cap, size_t *n);
    void *self;
    size_t limit;                                    /* bytes of one record */
    struct buf in;                                   /* what was read; from `from` on it is not yet used */
    size_t from;
    uint64_t offset;                                 /* of in.p[from] in the stream */
    bool begun;
    const char *why;                                 /* of INVAL and LIMIT; at: which byte */
    uint64_t at;
};

/* The next record: its kind, and what it has, valid until the next call; *at: where that begins in the stream.  CLOSED: the stream has
 * ended between two; INVAL, LIMIT: it is bad; NOMEM; what `read` returned. */
LEAT_CHECK leat_err record_next(struct record_feed *f, uint8_t *kind, struct cur *ret, uint64_t *at);
leat_err record_bad(struct record_feed *f, uint64_t at, const char *why);         /* INVAL, for who reads on */
#endif
