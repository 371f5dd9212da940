/* gob_view.c - described types as gob sees them: names as Go has them, structs that stand for their one member. */
#include "type/gob_codec.h"

size_t gob_name(char room[256], const char *name)
{
    size_t n = 0;
    bool start = true;
    for (; *name && n < 255; name++) {
        if (*name == '_') {
            start = true;
            continue;
        }
        room[n++] = start && *name >= 'a' && *name <= 'z' ? (char)(*name - 32) : *name;
        start = false;
    }
    room[n] = 0;
    return n;
}

const leat_type *gob_pairs(struct gob_view v)
{
    const leat_type *t = v.inner;
    bool two = v.kind == LEAT_K_LIST_ && (v.flags & LEAT_PAIRS) && t->kind == LEAT_K_STRUCT_ && t->count == 2;
    return two && type_field(t, 0)->kind != LEAT_K_LOCAL_ && type_field(t, 1)->kind != LEAT_K_LOCAL_ ? t : NULL;
}
