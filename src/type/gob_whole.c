/* gob_whole.c - whether all that is in a type of a gob stream was defined: Go's reader looks before it reads the first value of a type,
 * so what is missing is missed even where no value has it. */
#include "type/gob.h"

/* false: no memory, or it was not defined (g->why) */
static bool look(struct gob *g, struct buf *later, int64_t id)
{
    struct gob_type *t = id < GOB_FIRST_ID ? NULL : (struct gob_type *)(uintptr_t)gob_type_find_(g, id);
    if (!t && !(id >= GOB_BOOL && id <= GOB_INTERFACE)) {
        gob_bad(g, "unknown type id or corrupted data");
        return false;
    }
    if (t && !t->whole) {
        t->whole = true;                             /* if it is not, nothing more of this stream is read */
        buf_put(later, &t, sizeof t);
    }
    return buf_err(later) == LEAT_OK;
}

static bool look_into(struct gob *g, struct buf *later, const struct gob_type *t)
{
    for (size_t i = 0; i < t->nfields; i++) {
        if (t->fields[i].name.n == 0) {
            gob_bad(g, "a field without a name");
            return false;
        }
        if (!look(g, later, t->fields[i].type))
            return false;
    }
    if (t->kind == GOB_MAP && !look(g, later, t->key))
        return false;
    return t->kind == GOB_STRUCT || t->kind == GOB_OPAQUE || look(g, later, t->elem);
}

leat_err gob_whole(struct gob *g, int64_t type)
{
    const struct gob_type *t = gob_type_of(g, type);
    struct buf later = { 0 };
    if (t && t->whole)
        return LEAT_OK;
    bool good = look(g, &later, type);
    while (good && later.len) {
        memcpy(&t, later.p + later.len - sizeof t, sizeof t);
        later.len -= sizeof t;
        good = look_into(g, &later, t);
    }
    bool no_memory = buf_err(&later) != LEAT_OK;
    buf_free(&later);
    if (no_memory) {
        g->no_memory = true;
        gob_bad(g, "no memory");
    }
    return good ? LEAT_OK : no_memory ? LEAT_NOMEM : LEAT_INVAL;
}
