/* gob_skip.c - goes over a value of a gob stream and checks it to its last byte, for nothing.
 *
 * Not recursive: where it is in the value lies in a buffer of its own, so a value LIMIT_GOB_DEPTH deep needs no deep stack. */
#include "base/limits.h"
#include "type/gob.h"

enum what { STRUCT, ROW, MAP, INTERFACE };

struct place {
    enum what what;
    const struct gob_type *type;                     /* STRUCT: where `n` is the field that comes next */
    int64_t elem, key;                               /* ROW, MAP: `n` values are left, of a map keys and elements */
    uint64_t n;                                      /* INTERFACE: where the value must end, from the start of the message */
    uint64_t more;                                   /* STRUCT: so many of them follow each other; INTERFACE: around, before it;
                                                        MAP: 1 + its place in g->maps, or 0 */
};

struct ended { uint64_t start, end; };               /* of a map, from the start of the message */

static inline leat_err push(struct gob *g, struct place p)
{
    if (g->places.len >= LIMIT_GOB_DEPTH * sizeof p)
        return gob_bad(g, "values inside each other over 10000 deep");
    struct place *to = (struct place *)(void *)buf_add(&g->places, sizeof p);
    if (unlikely(!to)) {
        g->no_memory = true;
        return gob_bad(g, "no memory"), LEAT_NOMEM;
    }
    to->what = p.what;                               /* one by one: not by way of the stack */
    to->type = p.type;
    to->elem = p.elem;
    to->key = p.key;
    to->n = p.n;
    to->more = p.more;
    return LEAT_OK;
}

/* Values of this type may go on in the next message.  Every value takes a byte, so then a count is believed until the bytes end. */
static bool crosses(int64_t type) { return type >= GOB_INTERFACE; }

static void skip_bytes(struct gob *g)
{
    uint64_t n = gob_uint(g);
    if (n > cur_left(&g->c))
        gob_bad(g, "a length that is over the bytes that are left");
    else
        cur_take(&g->c, (size_t)n);
}

static leat_err enter_row(struct gob *g, const struct gob_type *t)
{
    uint64_t n = gob_uint(g);
    if (t->kind == GOB_ARRAY && n != t->len)
        gob_bad(g, "an array of another length than its type");
    else if (!crosses(t->elem) && n > cur_left(&g->c))           /* one takes at least a byte */
        gob_bad(g, "a count that is over the bytes that are left");
    const struct gob_type *elem = gob_type_of(g, t->elem);
    if (n > 0 && elem && elem->kind == GOB_STRUCT)
        return push(g, (struct place){ .what = STRUCT, .type = elem, .more = n - 1 });
    return push(g, (struct place){ .what = ROW, .elem = t->elem, .n = n });
}

/* A map is gone over for its keys before it is written, and so would be what is in the innermost one as often as it is deep.  So where a
 * map inside another ends is remembered when the value is checked, in the order of their starts. */
static bool jump(struct gob *g, uint64_t start)
{
    const struct ended *of = (const struct ended *)(const void *)g->maps.p;
    size_t low = 0, high = g->maps.len / sizeof *of;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (of[mid].start < start)
            low = mid + 1;
        else
            high = mid;
    }
    if (low == g->maps.len / sizeof *of || of[low].start != start)
        return false;
    g->c.p = g->start + of[low].end;
    return true;
}

static leat_err remember(struct gob *g, uint64_t start, uint64_t *place)
{
    struct ended e = { .start = start };
    buf_put(&g->maps, &e, sizeof e);
    if (buf_err(&g->maps) != LEAT_OK) {
        g->no_memory = true;
        return gob_bad(g, "no memory"), LEAT_NOMEM;
    }
    *place = g->maps.len / sizeof e;
    return LEAT_OK;
}

static void map_ended(struct gob *g, const struct place *p)
{
    g->inside--;
    if (p->more)
        ((struct ended *)(void *)g->maps.p)[p->more - 1].end = (uint64_t)(g->c.p - g->start);
}

static leat_err enter_map(struct gob *g, const struct gob_type *t)
{
    uint64_t start = (uint64_t)(g->c.p - g->start), place = 0;
    if (g->again && jump(g, start))
        return LEAT_OK;
    uint64_t n = gob_uint(g);
    if (n > UINT64_MAX / 2 || (!crosses(t->key) && !crosses(t->elem) && n > cur_left(&g->c) / 2))
        gob_bad(g, "a count that is over the bytes that are left");
    if (g->keys)                                     /* Go has no such type, and its text in quotes in quotes would double with each */
        gob_bad(g, "a map in a key of a map");
    if (!g->again && g->inside && n && !g->why)
        LEAT_TRY(remember(g, start, &place));
    LEAT_TRY(push(g, (struct place){ .what = MAP, .key = t->key, .elem = t->elem, .n = n * 2, .more = place }));
    g->inside++;
    return LEAT_OK;
}

/* Where the innermost of the interfaces that are gone over ends.  NULL: there is none, or they are not gone over. */
static uint64_t *end_around(struct gob *g)
{
    return g->again || !g->around ? NULL : &((struct place *)(void *)g->places.p)[g->around - 1].n;
}

/* The head of an interface's value: the type of what is in it and where that ends; 0: it is nil, or bad. */
int64_t gob_interface(struct gob *g, size_t *end)
{
    uint64_t n = gob_uint(g);                        /* bytes of the name its type was registered under */
    if (n > cur_left(&g->c))
        gob_bad(g, "a length that is over the bytes that are left");
    if (g->why || n == 0)
        return 0;
    cur_take(&g->c, (size_t)n);
    int64_t type = gob_type_sequence(g, end_around(g));
    uint64_t len = gob_uint(g);
    if (!g->why && len > cur_left(&g->c))
        gob_bad(g, "a length that is over the bytes that are left");
    if (g->why)
        return 0;
    *end = (size_t)(g->c.p - g->start) + (size_t)len;
    if (gob_whole(g, type) != LEAT_OK)
        return 0;
    return gob_head(g, type) == LEAT_OK ? type : 0;
}

/* What comes before a value that is no field: a 0 for all but structs. */
leat_err gob_head(struct gob *g, int64_t type)
{
    const struct gob_type *t = gob_type_of(g, type);
    if (!t && !(type >= GOB_BOOL && type <= GOB_INTERFACE))
        return gob_bad(g, "unknown type id or corrupted data");
    if (!(t && t->kind == GOB_STRUCT) && gob_uint(g) != 0)
        gob_bad(g, "corrupted data: non-zero delta for singleton");
    return g->why ? LEAT_INVAL : LEAT_OK;
}

static leat_err enter_interface(struct gob *g)
{
    size_t end;
    int64_t type = gob_interface(g, &end);
    if (g->why || !type)
        return g->no_memory ? LEAT_NOMEM : g->why ? LEAT_INVAL : LEAT_OK;
    LEAT_TRY(push(g, (struct place){ .what = INTERFACE, .n = end, .more = g->around }));
    g->around = g->places.len / sizeof(struct place);
    return gob_enter(g, type);
}

/* Of a type without parts: a length and bytes; else one or two numbers. */
static inline bool is_bytes(int64_t type) { return type == GOB_BYTES || type == GOB_STRING || type >= GOB_FIRST_ID; }

/* Goes over a value without parts; false: it has some. */
static inline bool skip_leaf(struct gob *g, int64_t type, const struct gob_type *t)
{
    if (type == GOB_BYTES || type == GOB_STRING || (t && t->kind == GOB_OPAQUE)) {
        skip_bytes(g);
    } else if (type >= GOB_BOOL && type <= GOB_COMPLEX) {
        gob_uint(g);
        if (type == GOB_COMPLEX)
            gob_uint(g);
    } else {
        return false;
    }
    return true;
}

/* A value of this type is next: goes over it, or pushes what is inside it. */
leat_err gob_enter(struct gob *g, int64_t type)
{
    const struct gob_type *t = gob_type_of(g, type);
    if (skip_leaf(g, type, t))
        return g->why ? LEAT_INVAL : LEAT_OK;
    if (type == GOB_INTERFACE) {
        return enter_interface(g);
    } else if (!t) {
        return gob_bad(g, "unknown type id or corrupted data");
    } else {
        return t->kind == GOB_STRUCT ? push(g, (struct place){ .what = STRUCT, .type = t })
             : t->kind == GOB_MAP    ? enter_map(g, t)
                                     : enter_row(g, t);
    }
    return g->why ? LEAT_INVAL : LEAT_OK;
}

/* Goes over the fields, and those of the structs that follow, for as long as each is a short one of a kind that is known.  true: all is
 * done; else the cursor is before a field, or the end of a struct, at which it is not so. */
static bool skip_quick(struct gob *g, struct place *pl)
{
    const struct gob_field *fields = pl->type->fields;
    const uint8_t *p = g->c.p, *end = g->c.end;
    size_t n = pl->type->nfields, next = (size_t)pl->n;
    bool done = false;
    while (p < end) {
        size_t delta = *p;
        if (delta == 0) {
            p++;
            next = 0;
            done = pl->more == 0;
            if (done)
                break;
            pl->more--;
            continue;
        }
        if (delta >= 128 || delta > n - next || end - p < 2)
            break;
        uint8_t how = fields[next + delta - 1].how;
        size_t len = p[1];
        if (how == GOB_HOW_NUMBER)
            len = len < 128 ? 0 : 256 - len;
        if (how == GOB_HOW_UNKNOWN || len >= (how == GOB_HOW_NUMBER ? 9 : 128) || len > (size_t)(end - p) - 2)
            break;
        p += len + 2;
        next += delta;
    }
    g->c.p = p;
    pl->n = next;
    return done;
}

/* Goes over the fields of a struct, and of those that follow it; the type of the first one that has parts, or 0: all is done, or bad. */
static int64_t skip_fields(struct gob *g, struct place *p)
{
    for (;;) {
        if (skip_quick(g, p))
            return 0;
        size_t next = (size_t)p->n;
        int64_t f = gob_next_field(g, p->type->nfields, &next);
        p->n = next;
        if (f >= 0) {
            struct gob_field *field = &p->type->fields[f];
            if (!skip_leaf(g, field->type, gob_type_of(g, field->type))) {
                if (field->type == 0)
                    gob_bad(g, "unknown type id or corrupted data");
                return field->type;
            }
            if (field->type != GOB_COMPLEX)
                field->how = is_bytes(field->type) ? GOB_HOW_BYTES : GOB_HOW_NUMBER;
        } else if (g->why || p->more == 0) {
            return 0;
        } else {
            p->more--;
            p->n = 0;
        }
    }
}

static leat_err step(struct gob *g)
{
    struct place *p = (struct place *)(void *)(g->places.p + g->places.len) - 1;
    int64_t type = 0;
    if (p->what == STRUCT) {
        type = skip_fields(g, p);
    } else if (p->what == INTERFACE) {
        if ((uint64_t)(g->c.p - g->start) != p->n)
            gob_bad(g, "a value of another length than it says");
        g->around = p->more;
    } else if (p->n) {
        bool key = p->what == MAP && p->n % 2 == 0;
        if (p->what == MAP)
            g->keys += key ? 1 : -1;                 /* one begins; one has ended */
        type = key ? p->key : p->elem;
        p->n--;
        if (type == 0)
            return gob_bad(g, "unknown type id or corrupted data");
    }
    if (g->why)
        return LEAT_INVAL;
    if (type)
        return gob_enter(g, type);
    if (p->what == MAP)
        map_ended(g, p);
    g->places.len -= sizeof *p;
    return LEAT_OK;
}

leat_err gob_skip(struct gob *g, int64_t type)
{
    size_t floor = g->places.len;
    uint64_t around = g->around;
    int64_t inside = g->inside, keys = g->keys;
    g->around = 0;
    leat_err e = gob_enter(g, type);
    while (e == LEAT_OK && g->places.len > floor)
        e = step(g);
    g->places.len = floor;
    g->around = around;
    g->inside = inside;
    g->keys = keys;
    return g->no_memory ? LEAT_NOMEM : e;
}
