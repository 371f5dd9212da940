/* json.h - values of described types to JSON and back.  leat/json.h says what a kind is there.
 *
 * Neither side is recursive; neither blocks.  Any task or thread. */
#ifndef TYPE_JSON_H
#define TYPE_JSON_H
#include "base/buf.h"
#include "leat.h"

/* Appends the text of *v.  On failure out is as before.  INVAL: what JSON cannot carry (the detail names the field); LIMIT: too deep, or
 * over out->max; NOMEM. */
LEAT_CHECK leat_err type_json_put(const leat_type *t, const void *v, struct buf *out);
/* The value that text[0] to text[n - 1] is, to *v, which is not read.  It owns all it has.  TYPE: no JSON, or no value of t (the detail has
 * the field and the byte); LIMIT: too deep; NOMEM.  Then *v is zero. */
LEAT_CHECK leat_err type_json_get(const leat_type *t, const char *text, size_t n, void *v);
#endif
