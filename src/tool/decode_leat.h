/* decode_leat.h - `leat decode --from leat`: a stream of leat/record.h, shown. */
#ifndef TOOL_DECODE_LEAT_H
#define TOOL_DECODE_LEAT_H
#include "type/json_text.h"
#include "type/record_feed.h"

/* Prints the values of f, a line each, or (types) its types as Go declarations, until the end or what is bad: CLOSED: a good end; INVAL,
 * LIMIT: f->why and f->at; NOMEM; what f->read returned; OK: `stop` said so. */
LEAT_CHECK leat_err decode_leat(struct record_feed *f, bool types, const struct json_sink *out, bool (*stop)(void));
#endif
