/* error.h - an error as a value: code, text, node, details, and what it was caused by (leat/node.h).
 *
 * Laws.  1. At most LIMIT_ERROR_CHAIN hang in a row in what is encoded or read, so a ring is no way round for ever.  2. On the wire
 * (docs/wire.md, "An error") one that has no more than code and text is these two, as in version 1.1; there is one form of each. */
#ifndef TYPE_ERROR_H
#define TYPE_ERROR_H
#include "base/buf.h"
#include "leat.h"

#define ERROR_MORE 0x80000000u                       /* of the code on the wire: node, details and perhaps a cause follow */
enum { ERROR_LEAST = 5 };                            /* bytes of one on the wire, at least */

/* The failure e that a call of this task has just returned, if it is that of a value with more than code and text: appended to out, as on
 * the wire; else nothing.  NOMEM, LIMIT: nothing; the task's last failure is then another one. */
LEAT_CHECK leat_err error_pack(leat_err e, struct buf *out);
/* The same bytes as a value, in memory of its own: *ret [owned: error_free].  INVAL, NOMEM and as type_decode. */
LEAT_CHECK leat_err error_unpack(struct cur *in, leat_error **ret);
void error_free(leat_error *e);                      /* NULL: nothing */
/* The last failure of this task is that of *e, which is taken over: leat_error_of gives it, and its text is what ends the detail. */
void error_attach(leat_error *e, size_t before);     /* before: so many bytes of the detail come before its text */

/* err, and why if it is UNKNOWN, is the last failure of this task, with all that is in *e, which is then empty.  REMOTE: err is none. */
leat_err error_raise_moved(leat_error *e, leat_err err, leat_err why);
/* *r says OK, or err, which is the last failure of this task.  Without memory it is code and detail. */
void reply_fill(leat_reply *r, leat_err err);

static inline bool error_has_more(const leat_error *e) { return e->node.len > 0 || e->details.len > 0 || e->cause; }
#endif
