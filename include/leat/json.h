/* leat/json.h - described values as JSON (RFC 8259), both ways.  The marks are those of leat.h.
 *
 * The names are those of the description, or what .json says.  Kinds:
 *   bool: true, false.  Whole numbers: a number up to 2^53 - 1, beyond a string of digits (RFC 7493: not every reader keeps more); both
 *   are read, and 1.0 or 1e3 as whole.  Floats: the shortest number that reads back; "NaN", "+Inf", "-Inf".  string, cstr, chars: a
 *   string; what is not UTF-8 is written as U+FFFD and refused when read.  bytes: base 64.  date: RFC 3339, to the ns, no
 *   leap seconds, the offset in whole minutes.  duration: its ns.  error: {"code": "REFUSED", "text": "..."}, and "node",
 *   "details" (base 64) and "cause" (another one) where it has them.  enum: its name, or the number where it has none.  struct: an
 *   object.  oneof: an object of its one case, none: null.  optional: null or its value.  list, array: an array.  map: an object.
 * Reading: fields that are not there, or null, are zero; what the description does not have is skipped; a field given twice is refused,
 * a key of a map given twice is there twice.  Local fields are not there.  Channel ends do not travel in JSON: INVAL, unless NULL. */
#ifndef LEAT_H
#include "../leat.h"                               /* read alone, it still works */
#endif
#ifndef LEAT_JSON_H
#define LEAT_JSON_H
LEAT_BEGIN_
/* *p, a struct S, as one line of text.  [*ret is owned: leat_string's p is free()'s]  INVAL: the detail names the field; LIMIT: over 1,024
 * values inside each other, or 1 GiB of text; NOMEM */
#define leat_json_write(S, p, ret)      LEAT_JSON_WRITE_(S, p, ret)
/* The value that n bytes of text are, to *ret, a struct S, which you own: leat_drop.  TYPE: no JSON, or no S: the detail has the field and
 * the byte; LIMIT, NOMEM.  Then *ret is zero.  Memory is bounded by the text: its bytes, and for each element the size of one, twice. */
#define leat_json_read(S, text, n, ret) LEAT_JSON_READ_(S, text, n, ret)

LEAT_CHECK leat_err leat_json_write_(const leat_type *t, const void *v, leat_string *ret);
LEAT_CHECK leat_err leat_json_read_(const leat_type *t, const char *text, size_t n, void *ret);
#define LEAT_JSON_WRITE_(S, p, ret) leat_must_check_(__extension__ ({ const S##_c_ *leat_v_ = (p); \
    leat_json_write_(&S##_type, leat_v_, ret); }))
#define LEAT_JSON_READ_(S, text, n, ret) leat_must_check_(__extension__ ({ S##_c_ *leat_v_ = (ret); \
    leat_json_read_(&S##_type, text, n, leat_v_); }))
LEAT_END_
#endif
