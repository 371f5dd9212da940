/* form_json.h - values of leat's own codec whose type is known by its canonical form alone: as JSON, and their types as Go declarations.
 *
 * For `leat decode`: needs nothing else of the library.  The form is valid (type_form_valid); the value may be any bytes.  Recursive, as
 * deep as values may be: LIMIT_VALUE_DEPTH. */
#ifndef TYPE_FORM_JSON_H
#define TYPE_FORM_JSON_H
#include "type/form_tree.h"
#include "type/json_text.h"

/* One JSON document.  NULL: done; else why not, and *at: how many bytes of the value were good.  Nothing is written then.  *steps grows by
 * the work that it was to look through the value: linear in its bytes, but for log n of an enum with n names. */
const char *form_json(const struct form_tree *t, struct cur value, const struct json_sink *s, size_t *at, uint64_t *steps);
/* "type Name struct { ... }" and those that are inside it. */
void form_declare(struct cur form, const char *name, size_t len, const struct json_sink *s);
#endif
