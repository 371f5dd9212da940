/* form_json.h - values of leat's own codec whose type is known by its canonical form alone: as JSON, and their types as Go declarations.
 *
 * For `leat decode`: needs nothing else of the library.  The form is valid (type_form_valid); the value may be any bytes.  Recursive, as
 * deep as values may be: LIMIT_VALUE_DEPTH. */
#ifndef TYPE_FORM_JSON_H
#define TYPE_FORM_JSON_H
#include "type/json_text.h"

/* One JSON document.  NULL: done; else why not, and *at: how many bytes of the value were good.  Nothing is written then. */
const char *form_json(struct cur form, struct cur value, const struct json_sink *s, size_t *at);
/* "type Name struct { ... }" and those that are inside it. */
void form_declare(struct cur form, const char *name, size_t len, const struct json_sink *s);
#endif
