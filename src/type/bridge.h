/* bridge.h - reads values of another type than one's own: what was added, left out, moved, widened or renamed since.
 *
 * Two ends may describe a struct differently.  Who reads has the canonical form of who writes, and makes a bridge of it once: a plan
 * (plan.h) whose steps are the writer's fields in their order, each led to the reader's field of that name or skipped.  A bridge is
 * constant once it is made.  Which changes are bridged: docs/semantics.md, "Types that change".
 * The form may come from anyone: making a bridge takes at most LIMIT_EVOLVE_BYTES for each of its parts and LIMIT_TYPE_OPS steps, and
 * reading by one is bounded as type_decode is. */
#ifndef TYPE_BRIDGE_H
#define TYPE_BRIDGE_H
#include "type/codec.h"
#include "type/desc.h"

struct type_plan;
struct type_bridge {
    const leat_type *type;                           /* the reader's own */
    const struct type_plan *plan;
    size_t ratio, bytes;                             /* of memory to bytes, as in limits.h; of the bridge itself */
    struct type_print print;                         /* the writer's; zeros in a part of another bridge */
    bool ends;                                       /* ends of channels may be in these values */
    bool tells;                                      /* also send ends, whose home is to be told what will be sent there */
};

/* Of values whose form is `theirs`, to be read as `mine`.  [owned: type_bridge_free]  TYPE: the detail names the field and both types;
 * LIMIT; NOMEM; and as type_form. */
LEAT_CHECK leat_err type_bridge_make(const leat_type *mine, struct cur theirs, struct type_bridge **ret);
void type_bridge_free(struct type_bridge *b);        /* NULL: nothing */

/* Whether values of `mine` can be read by who has the form `theirs`.  The same errors. */
LEAT_CHECK leat_err type_bridge_check(const leat_type *mine, struct cur theirs);

/* As type_decode, of bytes in the writer's form to a value of b->type. */
LEAT_CHECK leat_err type_decode_as(const struct type_bridge *b, struct cur *in, void *v, struct type_ends *ends, size_t *budget);

extern const leat_type type_nothing;                 /* what a channel carries whose end is skipped */
#endif
