/* error.h - an error as a value: code, text, node, details, and what it was caused by (leat/node.h).
 *
 * Laws.  1. At most LIMIT_ERROR_CHAIN hang in a row in what is encoded or read, so a ring is no way round for ever.  2. On the wire
 * (docs/wire.md, "An error") one that has no more than code and text is these two, as in version 1.1; there is one form of each. */
#ifndef TYPE_ERROR_H
#define TYPE_ERROR_H
#include "leat.h"

#define ERROR_MORE 0x80000000u                       /* of the code on the wire: node, details and perhaps a cause follow */
enum { ERROR_LEAST = 5 };                            /* bytes of one on the wire, at least */

static inline bool error_has_more(const leat_error *e) { return e->node.len > 0 || e->details.len > 0 || e->cause; }
#endif
