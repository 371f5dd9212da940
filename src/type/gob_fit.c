/* gob_fit.c - whether a type of a gob stream fits a described one, with all that is in them.
 *
 * Pairs of types are looked at one after the other.  Those that were are in r->fits, a table of open addressing, so each is looked at once
 * in a stream, and a type inside itself ends. */
#include <stdio.h>
#include "type/gob_codec.h"

/* == What a field is ===================================================================================================== */

static bool same(const struct gob_text *t, const char *name, size_t n) { return t->n == n && memcmp(t->p, name, n) == 0; }

int32_t gob_field_named(const leat_type *t, unsigned kind, const struct gob_text *name)
{
    char room[256];
    if (kind == LEAT_K_ERROR_)
        return same(name, "Code", 4) ? 0 : same(name, "Text", 4) ? 1 : -1;
    if (kind == LEAT_K_ONEOF_ && same(name, "Which", 5))
        return GOB_WHICH;
    for (uint32_t i = 0; i < t->count; i++)
        if (type_field(t, i)->kind != LEAT_K_LOCAL_ && same(name, room, gob_name(room, type_field(t, i)->name)))
            return (int32_t)i;
    return -1;
}

struct gob_view gob_view_nth(const leat_type *t, unsigned kind, int32_t field)
{
    if (kind == LEAT_K_ERROR_)
        return field == 0 ? (struct gob_view){ .kind = LEAT_K_INT_, .size = sizeof(leat_err) }
                          : (struct gob_view){ .kind = LEAT_K_STRING_, .size = sizeof(leat_string) };
    if (field == GOB_WHICH)
        return (struct gob_view){ .kind = LEAT_K_UINT_, .size = sizeof(uint32_t) };
    return gob_view_field(type_field(t, (uint32_t)field));
}

/* == Pairs =============================================================================================================== */

struct pair { int64_t wire; const leat_type *type; uint32_t kind; bool set; };       /* of structs */

struct todo {                                        /* a type of the stream, and what it is to become */
    int64_t wire;
    struct gob_view v;
    size_t from;                                     /* the struct it was found in: its place + 1; 0: at the top */
    const struct gob_text *name;                     /* the field there */
};

static struct pair *place_of(struct pair *of, size_t size, const struct pair *p)
{
    uint64_t mix = ((uint64_t)p->wire ^ (uintptr_t)p->type >> 4) * 0x9E3779B97F4A7C15u;
    size_t at = (size_t)(mix ^ mix >> 32) & (size - 1);
    while (of[at].set && !(of[at].wire == p->wire && of[at].type == p->type && of[at].kind == p->kind))
        at = (at + 1) & (size - 1);
    return &of[at];
}

static leat_err grow(struct gob_reader *r, size_t size)
{
    struct buf bigger = { 0 };
    struct pair *old = (struct pair *)(void *)r->fits.p;
    void *room = buf_add(&bigger, size * 2 * sizeof *old);
    if (!room)
        return LEAT_NOMEM;
    memset(room, 0, size * 2 * sizeof *old);
    for (size_t i = 0; i < r->fits.len / sizeof *old; i++)
        if (old[i].set)
            *place_of(room, size * 2, &old[i]) = old[i];
    buf_free(&r->fits);
    r->fits = bigger;
    return LEAT_OK;
}

/* Notes a pair; *fresh: it was not yet */
static leat_err note(struct gob_reader *r, struct pair p, bool *fresh)
{
    size_t size = r->fits.len / sizeof p;
    if (r->fit_count >= size / 2)
        LEAT_TRY(grow(r, size ? size : 4));
    struct pair *at = place_of((struct pair *)(void *)r->fits.p, r->fits.len / sizeof p, &p);
    *fresh = !at->set;
    r->fit_count += *fresh;
    *at = p;
    return LEAT_OK;
}

/* == Errors ============================================================================================================== */

static const char *wire_kind(const struct gob_reader *r, int64_t id)
{
    static const char *const basic[] = { "?", "bool", "int", "uint", "float", "[]byte", "string", "complex", "interface" };
    static const char *const made[] = { "array", "slice", "struct", "map", "opaque value" };
    const struct gob_type *t = gob_type_of(&r->gob, id);
    if (t)
        return gob_is_time(t) ? "time.Time" : made[t->kind - GOB_ARRAY];
    return id >= GOB_BOOL && id <= GOB_INTERFACE ? basic[id] : "?";
}

static const char *own_kind(struct gob_view v)
{
    static const char *const names[] = { [LEAT_K_BOOL_] = "bool", [LEAT_K_INT_] = "int", [LEAT_K_UINT_] = "uint", [LEAT_K_FLOAT_] = "float",
        [LEAT_K_STRING_] = "string", [LEAT_K_BYTES_] = "bytes", [LEAT_K_DATE_] = "date", [LEAT_K_DURATION_] = "duration",
        [LEAT_K_ERROR_] = "error", [LEAT_K_STRUCT_] = "struct", [LEAT_K_ENUM_] = "enum", [LEAT_K_ONEOF_] = "oneof",
        [LEAT_K_OPTIONAL_] = "optional", [LEAT_K_LIST_] = "list", [LEAT_K_ARRAY_] = "array", [LEAT_K_TX_] = "channel end",
        [LEAT_K_RX_] = "channel end", [LEAT_K_MAP_] = "map", [LEAT_K_CSTR_] = "string", [LEAT_K_CHARS_] = "string" };
    return v.kind < sizeof names / sizeof *names && names[v.kind] ? names[v.kind] : "?";
}

static leat_err unfit(const struct gob_reader *r, const struct todo *all, const struct todo *at, struct gob_view v)
{
    enum { DEEP = 8 };
    const struct gob_text *names[DEEP];
    const struct gob_type *t = gob_type_of(&r->gob, at->wire);
    size_t deep = 0, n = 0;
    char path[200], why[120];
    for (const struct todo *x = at; deep < DEEP; x = &all[x->from - 1]) {
        if (x->name)
            names[deep++] = x->name;
        if (!x->from)
            break;
    }
    for (path[0] = 0; deep > 0 && n < sizeof path - 1; deep--) {
        int put = snprintf(path + n, sizeof path - n, ".%.*s", (int)MIN(names[deep - 1]->n, (size_t)100), names[deep - 1]->p);
        n += put > 0 ? (size_t)put : 0;
    }
    if (t && t->kind == GOB_MAP && v.kind == LEAT_K_MAP_)
        snprintf(why, sizeof why, "a map whose keys are no strings");
    else if (t && t->kind == GOB_ARRAY && v.kind == LEAT_K_ARRAY_)
        snprintf(why, sizeof why, "an array of another length");
    else
        snprintf(why, sizeof why, "the stream has a gob %s, here it is %s %s", wire_kind(r, at->wire),
            strchr("aeio", own_kind(v)[0]) ? "an" : "a", own_kind(v));
    return leat_fail(LEAT_TYPE, "%s%s: %s", r->type->name, path, why);
}

static leat_err no_memory(const struct gob_reader *r) { return leat_fail(LEAT_NOMEM, "%s: no memory", r->type->name); }

/* == All that is in them ================================================================================================= */

static void put(struct buf *todo, int64_t wire, struct gob_view v, size_t from, const struct gob_text *name)
{
    const struct todo one = { wire, v, from, name };
    buf_put(todo, &one, sizeof one);
}

/* Whether the field is in the set, and it is then. */
static bool again(struct buf *set, int32_t field)
{
    uint32_t f = field == GOB_WHICH ? 0 : (uint32_t)field + 1;
    while (set->len <= f / 8 && buf_err(set) == LEAT_OK)
        buf_u8(set, 0);
    if (set->len <= f / 8)
        return false;                                /* no memory, which the caller asks for */
    bool was = set->p[f / 8] >> f % 8 & 1;
    set->p[f / 8] |= (uint8_t)(1 << f % 8);
    return was;
}

/* The fields of a struct at place `from`; *any: one of them is here, too.  None may be there twice: the value of the first would be
 * forgotten when the second is stored. */
static leat_err fields(struct gob_reader *r, struct buf *todo, const struct gob_type *t, struct gob_view v, size_t from, bool *any)
{
    unsigned kind = v.kind == LEAT_K_OPTIONAL_ ? LEAT_K_STRUCT_ : v.kind;
    const leat_type *type = kind == LEAT_K_ERROR_ ? NULL : v.inner;
    struct buf seen = { 0 };
    bool fresh = false;
    leat_err e = LEAT_OK;
    LEAT_TRY(note(r, (struct pair){ t->id, type, kind, true }, &fresh));
    *any = t->nfields == 0 || (type && type->count == 0);
    for (size_t i = 0; (fresh || from == 1) && i < t->nfields && e == LEAT_OK; i++) {
        const struct gob_text *name = &t->fields[i].name;
        int32_t f = gob_field_named(type, kind, name);
        if (f < 0)
            continue;
        *any = true;
        if (fresh && again(&seen, f))
            e = leat_fail(LEAT_TYPE, "%s: the stream has a struct with two fields %.*s", r->type->name, (int)MIN(name->n, (size_t)100),
                name->p);
        if (fresh)
            put(todo, t->fields[i].type, gob_view_nth(type, kind, f), from, name);
    }
    if (buf_err(&seen) != LEAT_OK)
        e = LEAT_NOMEM;
    buf_free(&seen);
    return e;
}

static leat_err parts(struct gob_reader *r, struct buf *todo, size_t i)
{
    struct todo at = ((struct todo *)(void *)todo->p)[i];
    const struct gob_type *t = gob_type_of(&r->gob, at.wire);
    uint32_t offset = 0;
    bool any = true;
    struct gob_view v = gob_view_bare(at.v, &offset);
    if (!gob_fits(at.wire, t, v))
        return unfit(r, (struct todo *)(void *)todo->p, &at, v);
    const leat_type *pair = gob_pairs(v);
    if (pair)
        put(todo, t->key, gob_view_field(type_field(pair, 0)), i + 1, NULL);
    if (pair)
        put(todo, t->elem, gob_view_field(type_field(pair, 1)), i + 1, NULL);
    else if (v.kind == LEAT_K_LIST_ || v.kind == LEAT_K_MAP_ || v.kind == LEAT_K_ARRAY_)
        put(todo, t->elem, gob_view_of(v.inner), i + 1, NULL);
    else if (t && t->kind == GOB_STRUCT)
        LEAT_TRY(fields(r, todo, t, v, i + 1, &any));
    return any || i > 0 ? LEAT_OK : leat_fail(LEAT_TYPE, "%s: none of its fields is in the stream's struct", r->type->name);
}

leat_err gob_fit(struct gob_reader *r, int64_t wire, const leat_type *t)
{
    if (likely(r->fit_type == t && r->fit_id == wire))
        return LEAT_OK;
    struct buf todo = { 0 };
    leat_err e = LEAT_OK;
    put(&todo, wire, gob_view_of(t), 0, NULL);
    for (size_t i = 0; e == LEAT_OK && buf_err(&todo) == LEAT_OK && i < todo.len / sizeof(struct todo); i++)
        e = parts(r, &todo, i);
    if (buf_err(&todo) != LEAT_OK || e == LEAT_NOMEM)
        e = no_memory(r);
    buf_free(&todo);
    if (e == LEAT_OK) {
        r->fit_id = wire;
        r->fit_type = t;
        return e;
    }
    r->fits.len = r->fit_count = 0;                  /* what hangs from the pairs in it was not all looked at */
    r->fit_type = NULL;
    return e;
}
