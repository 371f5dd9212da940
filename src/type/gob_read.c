/* gob_read.c - messages of a gob stream and the definitions of types in them. */
#include <stdlib.h>
#include "base/limits.h"
#include "type/gob.h"

/* == Numbers ============================================================================================================= */

leat_err gob_bad(struct gob *g, const char *why)
{
    if (!g->why) {
        g->why = why;
        g->at = g->offset + (uint64_t)(g->c.p - g->start);
    }
    cur_fail(&g->c);
    return LEAT_INVAL;
}

/* An unsigned number is itself below 128; else a byte that is minus the count of those that follow, the highest first. */
uint64_t gob_uint_(struct gob *g)
{
    if (g->why)
        return 0;
    if (!cur_left(&g->c))
        return gob_bad(g, "the message ends inside a value"), 0;
    uint8_t first = *g->c.p;
    if (first < 128) {
        g->c.p++;
        return first;
    }
    size_t n = 256u - first;
    if (n > 8)
        return gob_bad(g, "an integer of more than 8 bytes"), 0;
    if (n > cur_left(&g->c) - 1)
        return gob_bad(g, "the message ends inside an integer"), 0;
    uint64_t v = 0;
    if (cur_left(&g->c) > 8) {
        memcpy(&v, g->c.p + 1, sizeof v);
        v = le64(__builtin_bswap64(v)) >> (64 - 8 * n);
    } else {
        for (size_t i = 1; i <= n; i++)
            v = v << 8 | g->c.p[i];
    }
    g->c.p += n + 1;
    return v;
}

int64_t gob_int(struct gob *g)
{
    uint64_t u = gob_uint(g);
    return (int64_t)(u & 1 ? ~(u >> 1) : u >> 1);
}

int gob_length(struct gob *g, const uint8_t *p, size_t n, uint64_t offset, uint64_t *ret)
{
    if (!n)
        return 0;
    size_t more = p[0] < 128 ? 0 : 256u - p[0];
    if (more > 8) {
        g->why = "the length of a message is no integer: this is not a gob stream, or it is corrupt";
        g->at = offset;
        return -1;
    }
    if (more >= n)
        return 0;
    uint64_t v = more ? 0 : p[0];
    for (size_t i = 1; i <= more; i++)
        v = v << 8 | p[i];
    if (v > LIMIT_GOB_MESSAGE) {
        g->why = "a message of more than 1 GiB";
        g->at = offset;
        return -1;
    }
    *ret = v;
    return (int)more + 1;
}

/* == The table of types ================================================================================================== */

static size_t place_of(const struct gob *g, int64_t id)
{
    uint64_t mix = (uint64_t)id * 0x9E3779B97F4A7C15u;
    size_t at = (size_t)(mix ^ mix >> 32) & (g->size - 1);
    while (g->table[at] && g->table[at]->id != id)
        at = (at + 1) & (g->size - 1);
    return at;
}

const struct gob_type *gob_type_find_(const struct gob *g, int64_t id)
{
    return g->size ? g->table[place_of(g, id)] : NULL;
}

static leat_err grow(struct gob *g)
{
    size_t size = g->size ? g->size * 2 : 16;
    struct gob_type **old = g->table, **made = mem_zalloc(size * sizeof *made);
    if (!made)
        return LEAT_NOMEM;
    size_t n = g->size;
    g->table = made;
    g->size = size;
    for (size_t i = 0; i < n; i++)
        if (old[i])
            made[place_of(g, old[i]->id)] = old[i];
    mem_free((void *)old);
    return LEAT_OK;
}

static void type_free(struct gob_type *t)
{
    mem_free(t->fields);
    mem_free(t->text);
}

void gob_free(struct gob *g)
{
    for (size_t i = 0; i < g->size; i++)
        if (g->table[i]) {
            type_free(g->table[i]);
            mem_free(g->table[i]);
        }
    mem_free((void *)g->table);
    buf_free(&g->places);
    buf_free(&g->maps);
    *g = (struct gob){ 0 };
}

static leat_err keep(struct gob *g, const struct gob_type *t)
{
    if (g->used >= LIMIT_GOB_TYPES)
        return gob_bad(g, "more than 1048576 types"), LEAT_LIMIT;
    if (g->used >= g->size / 2)
        LEAT_TRY(grow(g));
    struct gob_type *kept = mem_alloc(sizeof *kept);
    if (!kept)
        return LEAT_NOMEM;
    *kept = *t;
    kept->order = g->used++;
    g->table[place_of(g, t->id)] = kept;
    return LEAT_OK;
}

/* == Definitions ========================================================================================================= *
 * A definition is a struct in gob itself, of the type that Go calls wireType: a field that says which kind, and in it the fields
 * of that kind.  A struct on the wire is a row of (how many fields on, value), ended by a 0. */

/* The number of the next field of a struct of n, -1 at the end or when it is bad.  *last: of the one before, -1 at first. */
static int next_field(struct gob *g, int *last, int n)
{
    uint64_t delta = gob_uint(g);
    if (g->why || delta == 0)
        return -1;
    if (delta > (uint64_t)(n - 1 - *last)) {
        gob_bad(g, "a field of a definition that there is not");
        return -1;
    }
    return *last += (int)delta;
}

static struct gob_text read_text(struct gob *g)
{
    uint64_t n = gob_uint(g);
    if (n > cur_left(&g->c))
        gob_bad(g, "the message ends inside a name");
    if (g->why)
        return (struct gob_text){ "", 0 };
    return (struct gob_text){ (const char *)cur_take(&g->c, (size_t)n), (size_t)n };
}

/* The id of a type, which Go holds in 32 bits */
static int64_t read_id(struct gob *g)
{
    int64_t id = gob_int(g);
    if (id != (int32_t)id)
        gob_bad(g, "the id of a type is out of range");
    return id;
}

/* CommonType: name, id.  The id that counts is the one before the definition: Go does not look at this one either. */
static void read_common(struct gob *g, struct gob_type *t)
{
    for (int last = -1, f; (f = next_field(g, &last, 2)) >= 0;) {
        if (f == 0)
            t->name = read_text(g);
        else
            read_id(g);
    }
}

/* FieldType: name, id of its type */
static void read_fields(struct gob *g, struct gob_type *t)
{
    uint64_t n = gob_uint(g);
    if (n > cur_left(&g->c))                         /* one takes at least a byte */
        gob_bad(g, "more fields than there are bytes");
    if (g->why)
        return;
    if (n && !(t->fields = mem_zalloc((size_t)n * sizeof *t->fields))) {
        g->no_memory = true;
        gob_bad(g, "no memory");
        return;
    }
    t->nfields = (size_t)n;
    for (size_t i = 0; i < t->nfields && !g->why; i++)
        for (int last = -1, f; (f = next_field(g, &last, 2)) >= 0;) {
            if (f == 0)
                t->fields[i].name = read_text(g);
            else
                t->fields[i].type = read_id(g);
        }
}

/* What is in the struct of one kind: field 0 is a CommonType, the others as the kind has them. */
static void read_kind(struct gob *g, struct gob_type *t)
{
    static const int fields[] = { [GOB_ARRAY - GOB_ARRAY] = 3, [GOB_SLICE - GOB_ARRAY] = 2, [GOB_STRUCT - GOB_ARRAY] = 2,
                                  [GOB_MAP - GOB_ARRAY] = 3, [GOB_OPAQUE - GOB_ARRAY] = 1 };
    for (int last = -1, f; (f = next_field(g, &last, fields[t->kind - GOB_ARRAY])) >= 0;) {
        if (f == 0) {
            read_common(g, t);
        } else if (t->kind == GOB_STRUCT) {
            read_fields(g, t);
        } else if (t->kind == GOB_MAP) {
            *(f == 1 ? &t->key : &t->elem) = read_id(g);
        } else if (f == 1) {
            t->elem = read_id(g);
        } else {
            int64_t len = gob_int(g);
            if (len < 0)
                gob_bad(g, "an array of a negative length");
            t->len = (uint64_t)len;
        }
    }
}

static void read_definition(struct gob *g, struct gob_type *t)
{
    static const enum gob_kind kinds[] = { GOB_ARRAY, GOB_SLICE, GOB_STRUCT, GOB_MAP, GOB_OPAQUE, GOB_OPAQUE, GOB_OPAQUE };
    for (int last = -1, f; (f = next_field(g, &last, 7)) >= 0;) {
        if (t->kind != GOB_NONE) {
            gob_bad(g, "a definition of two kinds");
            return;
        }
        t->kind = kinds[f];
        if (t->kind == GOB_OPAQUE)
            t->len = (uint64_t)f;
        read_kind(g, t);
    }
    if (!g->why && t->kind == GOB_NONE)
        gob_bad(g, "a definition of nothing");
}

/* The names point into the message: copy them. */
static leat_err own_names(struct gob_type *t)
{
    size_t n = t->name.n;
    for (size_t i = 0; i < t->nfields; i++)
        n += t->fields[i].name.n;
    char *to = t->text = mem_alloc(n + 1);
    if (!to)
        return LEAT_NOMEM;
    for (size_t i = 0; i <= t->nfields; i++) {
        struct gob_text *text = i ? &t->fields[i - 1].name : &t->name;
        if (text->n)
            memcpy(to, text->p, text->n);
        text->p = to;
        to += text->n;
    }
    return LEAT_OK;
}

static leat_err read_checked(struct gob *g, struct gob_type *t)
{
    read_definition(g, t);
    return g->no_memory ? LEAT_NOMEM : g->why ? LEAT_INVAL : LEAT_OK;
}

leat_err gob_define(struct gob *g, int64_t id)
{
    struct gob_type t = { .id = id };
    if (id < GOB_FIRST_ID)
        return gob_bad(g, "a definition of a type that needs none");
    if (id > INT32_MAX)
        return gob_bad(g, "the id of a type is out of range");
    if (gob_type_of(g, id))
        return gob_bad(g, "a second definition of a type");
    leat_err e = read_checked(g, &t);
    if (e == LEAT_OK)
        e = own_names(&t);
    if (e == LEAT_OK)
        e = keep(g, &t);
    if (e != LEAT_OK)
        type_free(&t);
    return e;
}

leat_err gob_skip_definition(struct gob *g)
{
    struct gob_type t = { .id = 1 };
    leat_err e = read_checked(g, &t);
    mem_free(t.fields);
    return e;
}

/* Definitions of types not sent before come first, each followed by the length of what comes behind it, whether that is inside this
 * message or the next one.  end, unless NULL: where the value in an interface ends in which all of this lies.  A definition ends a part
 * of that value, and what comes behind it is the next part.  A value that was checked is read a second time: then they are known. */
int64_t gob_type_sequence(struct gob *g, uint64_t *end)
{
    for (;;) {
        int64_t id = gob_int(g);
        if (id > INT32_MAX)
            gob_bad(g, "the id of a type is out of range");
        if (g->why || id >= 0)
            return id;
        if (id == INT64_MIN)
            return gob_bad(g, "no id of a type"), 0;
        if ((g->again ? gob_skip_definition(g) : gob_define(g, -id)) != LEAT_OK)
            return 0;
        if (!cur_left(&g->c) && !(g->more && g->more(g)))
            return gob_bad(g, "the stream ends inside a value"), 0;
        if (end && (uint64_t)(g->c.p - g->start) != *end)
            return gob_bad(g, "a value of another length than it says"), 0;
        uint64_t len = gob_uint(g);
        if (!end || g->why)
            continue;
        if (len > cur_left(&g->c))
            return gob_bad(g, "a length that is over the bytes that are left"), 0;
        *end = (uint64_t)(g->c.p - g->start) + len;
    }
}

/* == Messages ============================================================================================================ */

leat_err gob_message(struct gob *g, const uint8_t *msg, size_t n, uint64_t offset)
{
    g->c = cur_of(msg, n);
    g->start = msg;
    g->offset = offset;
    g->value = NULL;
    g->again = false;
    buf_reset(&g->maps);
    if (n == 0)
        return gob_bad(g, "an empty message");
    int64_t id = gob_int(g);
    if (id > INT32_MAX)
        return gob_bad(g, "the id of a type is out of range");
    if (!g->why && id < 0) {
        if (id == INT64_MIN)
            return gob_bad(g, "no id of a type");
        LEAT_TRY(gob_define(g, -id));
    } else {
        g->type = id;
        g->value = g->c.p;
        LEAT_TRY(gob_whole(g, id));
        g->last = gob_type_of(g, id);
        LEAT_TRY(gob_head(g, id));
        LEAT_TRY(gob_skip(g, id));
    }
    if (!cur_done(&g->c))
        return gob_bad(g, "extra data in a message");
    g->again = true;
    return LEAT_OK;
}

void gob_extend(struct gob *g, const uint8_t *msg, size_t n)
{
    g->c.p = msg + (g->c.p - g->start);
    g->c.end = msg + n;
    g->value = g->value ? msg + (g->value - g->start) : NULL;
    g->start = msg;
}
