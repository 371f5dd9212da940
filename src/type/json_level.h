/* json_level.h - where json_enc and json_dec are in a value: a stack of their own, so that a deep value takes heap and no task's stack. */
#ifndef TYPE_JSON_LEVEL_H
#define TYPE_JSON_LEVEL_H
#include "type/block.h"
#include "type/gob_codec.h"

enum json_row { ROW_STRUCT, ROW_LIST, ROW_MAP, ROW_CASE };           /* CASE: of a oneof, whose object ends behind it */

struct json_level {
    enum json_row row;
    const leat_type *type;                           /* STRUCT, CASE: itself; else of each value in it */
    char *at;                                        /* STRUCT: itself; else: writing the first entry, reading the list */
    uint32_t i, n;                                   /* the next; how many.  CASE: i is one more than the case */
    uint32_t stride, value_off;                      /* of the entries of a list or map */
    uint32_t seen;                                   /* reading a struct: where the bits of its fields begin */
    const struct json_key *keys;                     /* the same: of its fields; NULL: they are not known */
};

enum { LEVELS_HERE = 6 };                            /* so many lie on the stack of who reads or writes */
struct json_levels { const leat_type *root; struct buf stack; };

static inline struct json_level *json_level_top(struct json_levels *s)
{
    return s->stack.len ? (struct json_level *)(void *)(s->stack.p + s->stack.len) - 1 : NULL;
}
static inline void json_level_pop(struct json_levels *s) { s->stack.len -= sizeof(struct json_level); }
LEAT_CHECK leat_err json_level_push(struct json_levels *s, const struct json_level *l);              /* LIMIT: too deep; NOMEM */
struct json_level *json_level_add(struct json_levels *s, leat_err *e);       /* the same, to be filled; NULL: *e */
/* sets the detail to "shard.words[3].text: ..." of what was begun last; returns e */
LEAT_CHECK leat_err json_level_fail(const struct json_levels *s, leat_err e, const char *fmt, ...) LEAT_PRINTF_(3, 4);

/* A field's, case's or enumerator's name in JSON. */
static inline const char *json_name(const leat_field *f) { return f->json ? f->json : f->name; }
/* "name": as it stands in a text, to be compared at once: the first 16 bytes, those behind its end masked.  len 0: it is longer, or has
 * characters that do not stand for themselves. */
struct json_key { uint64_t text[2], mask[2]; size_t len; };
LEAT_CHECK leat_err json_keys_make(const leat_type *t, struct json_key **ret);      /* a struct's fields'; else NULL.  NOMEM */

enum { JSON_EXACT_BITS = 53 };                       /* of a whole number that every reader of JSON reads exactly (RFC 7493) */
#endif
