/* shape.h - a type as a graph, made from a description of this program or from a canonical form: what bridge.c compares.
 *
 * Laws.  1. Shapes refer to each other by number, and a type inside itself is the number of a shape before it.  2. A form may come from
 * anyone: the work and the memory are linear in its bytes (n log n for names), nesting is at most LIMIT_TYPE_DEPTH, and a struct that
 * would hold itself by value is refused.  3. In one definition no two members have one name, or one tag that is not 0. */
#ifndef TYPE_SHAPE_H
#define TYPE_SHAPE_H
#include "base/buf.h"
#include "type/desc.h"

enum { SHAPE_NONE = -1 };                            /* UINT32_MAX as a number */

struct shape_member {
    const char *name;                                /* where the description or the form has it: no NUL at its end */
    uint32_t len;
    int32_t tag;
    uint32_t type;                                   /* its shape; of an enumerator: nothing */
    uint32_t by_name, by_tag;                        /* of its place in these orders: which member is there */
    uint32_t claimed;                                /* for bridge.c */
    const leat_field *field;                         /* NULL: known by its form alone */
};

struct shape {
    uint8_t kind, size, depth;                       /* size: of a number in bytes, or of those of an array */
    uint8_t number;                                  /* array: of which kind its numbers are */
    uint32_t inner;                                  /* optional, list, map, tx, rx: of what */
    uint32_t first, count;                           /* struct, oneof, enum: members; array: count numbers; chars: room for so many */
    const leat_type *type;                           /* of a description, where one says what this is; else NULL */
};

struct shapes { struct buf at, members; };           /* of struct shape, of struct shape_member */

/* Number 0 is the whole.  Both: then shapes_free, on failure too.  NOMEM; TYPE: these bytes are no form, or one that breaks a law; for a
 * description also INVAL and LIMIT, as type_form. */
LEAT_CHECK leat_err shapes_of_type(struct shapes *g, const leat_type *t);
LEAT_CHECK leat_err shapes_of_form(struct shapes *g, struct cur form);
void shapes_free(struct shapes *g);

static inline struct shape *shape_at(const struct shapes *g, uint32_t i) { return (struct shape *)(void *)g->at.p + i; }
static inline struct shape_member *shape_member(const struct shapes *g, const struct shape *s, uint32_t i)
{
    return (struct shape_member *)(void *)g->members.p + s->first + i;
}
/* The member of s that m of another definition is: with the same tag, or of the same name where one of the two has no tag.  NULL: none */
struct shape_member *shape_find(const struct shapes *g, const struct shape *s, const struct shape_member *m);

void shape_words(const struct shapes *g, uint32_t i, char *text, size_t cap);     /* "list of struct", as type_diff says it */
#endif
