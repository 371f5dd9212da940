/* block.h - what hangs from a field by a pointer, in one shape for optional, list and map; and whether a type has such things.
 * For the walks that follow a description itself (drop and dup), which must work when there is no memory for a plan. */
#ifndef TYPE_BLOCK_H
#define TYPE_BLOCK_H
#include "type/plan.h"

struct type_block {
    const leat_type *type;                           /* of each value in it */
    char *at;                                        /* NULL: nothing there */
    uint32_t count, stride;
    uint32_t value_off;                              /* of the value in its entry: 0, or behind the key of a map */
    bool keyed;                                      /* each entry begins with a leat_string */
    bool borrowed;                                   /* the block, and all in it, belongs to somebody else */
};

/* the block of a field at `at`, whose kind is optional, list or map and whose description inside is `type` */
static inline struct type_block type_block_at(unsigned kind, const leat_type *type, const void *at)
{
    struct type_block b = { .type = type, .stride = type->size };
    if (kind == LEAT_K_OPTIONAL_) {
        memcpy(&b.at, at, sizeof b.at);
        b.count = b.at != NULL;
        return b;
    }
    leat_strings list;                               /* all lists and maps are laid out alike */
    memcpy(&list, at, sizeof list);
    b.at = (char *)list.at;
    b.count = b.at ? list.len : 0;
    b.borrowed = list.cap == 0;
    b.keyed = kind == LEAT_K_MAP_;
    if (b.keyed)
        type_plan_layout(type, &b.value_off, &b.stride);
    return b;
}

static inline bool type_is_block(unsigned kind) { return kind == LEAT_K_OPTIONAL_ || kind == LEAT_K_LIST_ || kind == LEAT_K_MAP_; }

/* Whether a value of this kind can own anything.  (Structs by value cannot be endless, so neither is this.) */
bool type_owns(unsigned kind, const leat_type *inner);
#endif
