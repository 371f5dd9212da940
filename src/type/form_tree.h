/* form_tree.h - a canonical form, read once: where what is in a type lies, so that a value can be followed at a cost that is its own.
 *
 * For `leat decode`: needs nothing else of the library.
 * Laws.  1. A node is one type of the form, or a definition that another place names by how far up it is: then that node again.  2. The
 * memory is linear in the bytes of the form, the work too, but for the order of enumerators (n log n). */
#ifndef TYPE_FORM_TREE_H
#define TYPE_FORM_TREE_H
#include "base/buf.h"
#include "leat.h"

struct form_node {
    uint8_t kind, size, number;                      /* size: of a number, or of those of an array; number: of which kind those are */
    uint32_t inner;                                  /* optional, list, map, tx, rx: of what */
    uint32_t first, count;                           /* members; array: count numbers */
};
struct form_member { const char *name; uint32_t len, type; int32_t number; };    /* name: in the form.  Enumerators by number; of one
                                                        number by their order */
struct form_tree { struct buf nodes, members; };     /* node 0 is the whole */

/* The form is valid (type_form_valid), and lives as long as the tree.  NOMEM.  Then form_tree_free, on failure too. */
LEAT_CHECK leat_err form_tree_make(struct form_tree *t, struct cur form);
void form_tree_free(struct form_tree *t);

static inline const struct form_node *form_node(const struct form_tree *t, uint32_t i)
{
    return (const struct form_node *)(const void *)t->nodes.p + i;
}
static inline const struct form_member *form_member(const struct form_tree *t, const struct form_node *n, uint32_t i)
{
    return (const struct form_member *)(const void *)t->members.p + n->first + i;
}
/* The first enumerator with this number.  NULL: none; adds the looks it took to *steps. */
const struct form_member *form_enumerator(const struct form_tree *t, const struct form_node *n, int32_t number, uint64_t *steps);
#endif
