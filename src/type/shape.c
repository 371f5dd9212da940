/* shape.c - graphs of types: see shape.h. */
#include "type/shape.h"
#include <stdio.h>
#include <stdlib.h>
#include "base/limits.h"
#include "type/form.h"

/* -- both ------------------------------------------------------------------------------------------------------------------------ */
void shapes_free(struct shapes *g)
{
    buf_free(&g->at);
    buf_free(&g->members);
}

static uint32_t shape_count(const struct shapes *g) { return (uint32_t)(g->at.len / sizeof(struct shape)); }

static leat_err shape_new(struct shapes *g, unsigned kind, uint32_t *ret)
{
    struct shape s = { .kind = (uint8_t)kind };
    *ret = shape_count(g);
    buf_put(&g->at, &s, sizeof s);
    return buf_err(&g->at) == LEAT_OK ? LEAT_OK : leat_fail(LEAT_NOMEM, "no memory to compare types");
}

static leat_err members_new(struct shapes *g, uint32_t i, uint32_t count)
{
    struct shape *s = shape_at(g, i);
    s->first = (uint32_t)(g->members.len / sizeof(struct shape_member));
    s->count = count;
    void *p = buf_add(&g->members, count * sizeof(struct shape_member));
    if (count > 0 && !p)
        return leat_fail(LEAT_NOMEM, "no memory to compare types");
    if (count > 0)
        memset(p, 0, count * sizeof(struct shape_member));
    return LEAT_OK;
}

static int name_order(const char *a, uint32_t a_len, const char *b, uint32_t b_len)
{
    int d = memcmp(a, b, MIN(a_len, b_len));
    return d ? d : (a_len > b_len) - (a_len < b_len);
}

struct key { const char *name; uint32_t len, i; int32_t tag; };
static int by_name(const void *a, const void *b)
{
    const struct key *x = a, *y = b;
    return name_order(x->name, x->len, y->name, y->len);
}
static int by_tag(const void *a, const void *b)
{
    const struct key *x = a, *y = b;
    return (x->tag > y->tag) - (x->tag < y->tag);
}

static leat_err twice(const struct key *k, bool tag)
{
    if (tag)
        return leat_fail(LEAT_TYPE, "two members have the tag %d", k->tag);
    return leat_fail(LEAT_TYPE, "two members have one name");
}

/* Fills by_name and by_tag of the members of shape i.  An enum's numbers are no tags. */
static leat_err members_sort(struct shapes *g, uint32_t i)
{
    const struct shape *s = shape_at(g, i);
    struct buf keys = { 0 };
    struct key *k = (struct key *)(void *)buf_add(&keys, s->count * sizeof *k);
    leat_err e = s->count > 0 && !k ? leat_fail(LEAT_NOMEM, "no memory to compare types") : LEAT_OK;
    for (uint32_t j = 0; e == LEAT_OK && j < s->count; j++) {
        const struct shape_member *m = shape_member(g, s, j);
        k[j] = (struct key){ m->name, m->len, j, m->tag };
    }
    for (int tag = 0; tag < 2 && e == LEAT_OK && s->count > 0; tag++) {
        qsort(k, s->count, sizeof *k, tag ? by_tag : by_name);
        for (uint32_t j = 0; j < s->count; j++) {
            bool same = j > 0 && (tag ? k[j].tag != 0 && k[j].tag == k[j - 1].tag && s->kind != LEAT_K_ENUM_
                                      : by_name(&k[j], &k[j - 1]) == 0);
            if (same && e == LEAT_OK)
                e = twice(&k[j], tag);
            *(tag ? &shape_member(g, s, j)->by_tag : &shape_member(g, s, j)->by_name) = k[j].i;
        }
    }
    buf_free(&keys);
    return e;
}

/* The member whose key is not below this one, or NULL. */
static struct shape_member *search(const struct shapes *g, const struct shape *s, const struct key *want, bool tag)
{
    uint32_t low = 0, high = s->count;
    while (low < high) {
        uint32_t mid = low + (high - low) / 2;
        const struct shape_member *at = shape_member(g, s, mid), *m = shape_member(g, s, tag ? at->by_tag : at->by_name);
        const struct key k = { m->name, m->len, 0, m->tag };
        int d = tag ? by_tag(&k, want) : by_name(&k, want);
        if (d == 0)
            return shape_member(g, s, tag ? at->by_tag : at->by_name);
        *(d < 0 ? &low : &high) = d < 0 ? mid + 1 : mid;
    }
    return NULL;
}

struct shape_member *shape_find(const struct shapes *g, const struct shape *s, const struct shape_member *m)
{
    const struct key want = { m->name, m->len, 0, m->tag };
    bool tagged = m->tag != 0 && s->kind != LEAT_K_ENUM_;
    struct shape_member *t = tagged ? search(g, s, &want, true) : NULL;
    if (t)
        return t;
    t = search(g, s, &want, false);
    return t && tagged && t->tag != 0 ? NULL : t;    /* of its name, but another tag: another member */
}

void shape_words(const struct shapes *g, uint32_t i, char *text, size_t cap)
{
    size_t n = 0;
    *text = 0;
    for (int deep = 0; deep < 8 && n < cap; deep++) {
        const struct shape *s = shape_at(g, i);
        const char *word = form_word(s->kind);
        switch (s->kind) {
        case LEAT_K_INT_: case LEAT_K_UINT_: case LEAT_K_FLOAT_: snprintf(text + n, cap - n, "%s%u", word, s->size * 8u); return;
        case LEAT_K_CHARS_: snprintf(text + n, cap - n, "%s(%u)", word, s->count); return;
        case LEAT_K_ARRAY_:
            snprintf(text + n, cap - n, "%s%u %s%u", word, s->count, form_word(s->number), s->size * 8u);
            return;
        case LEAT_K_OPTIONAL_: case LEAT_K_LIST_: case LEAT_K_MAP_: case LEAT_K_TX_: case LEAT_K_RX_:
            n += (size_t)snprintf(text + n, cap - n, "%s", word);
            i = s->inner;
            continue;
        default: snprintf(text + n, cap - n, "%s", word); return;
        }
    }
}

/* -- of a description.  It is valid, as it has a form. ------------------------------------------------------------------------ */
static leat_err from_type(struct shapes *g, unsigned kind, uint32_t size, const leat_type *t, uint32_t *ret);

static leat_err from_members(struct shapes *g, uint32_t i, const leat_type *t)
{
    uint32_t count = 0, at = 0;
    for (uint32_t k = 0; k < t->count; k++)
        count += type_field(t, k)->kind != LEAT_K_LOCAL_;
    LEAT_TRY(members_new(g, i, count));
    for (uint32_t k = 0; k < t->count; k++) {
        const leat_field *f = type_field(t, k);
        uint32_t type = 0;
        if (f->kind == LEAT_K_LOCAL_)
            continue;
        if (t->kind != LEAT_K_ENUM_)
            LEAT_TRY(from_type(g, f->kind, f->size, f->type, &type));
        *shape_member(g, shape_at(g, i), at++) = (struct shape_member){ .name = f->name, .len = (uint32_t)strlen(f->name),
            .tag = f->tag, .type = type, .field = f };
    }
    return members_sort(g, i);
}

static leat_err from_type(struct shapes *g, unsigned kind, uint32_t size, const leat_type *t, uint32_t *ret)
{
    bool defines = kind == LEAT_K_STRUCT_ || kind == LEAT_K_ENUM_ || kind == LEAT_K_ONEOF_;
    for (uint32_t i = 0; defines && i < shape_count(g); i++)
        if (shape_at(g, i)->type == t && shape_at(g, i)->kind == kind)
            return *ret = i, LEAT_OK;
    LEAT_TRY(shape_new(g, kind, ret));
    struct shape *s = shape_at(g, *ret);
    s->type = t;
    switch (kind) {
    case LEAT_K_INT_: case LEAT_K_UINT_: case LEAT_K_FLOAT_:
        s->size = (uint8_t)size;
        s->type = NULL;
        return LEAT_OK;
    case LEAT_K_ARRAY_:
        s->number = (uint8_t)t->kind;
        s->size = (uint8_t)t->size;
        s->count = size / t->size;
        return LEAT_OK;
    case LEAT_K_CHARS_:
        s->count = size;
        return LEAT_OK;
    case LEAT_K_STRUCT_: case LEAT_K_ENUM_: case LEAT_K_ONEOF_:
        return from_members(g, *ret, t);
    case LEAT_K_OPTIONAL_: case LEAT_K_LIST_: case LEAT_K_MAP_: case LEAT_K_TX_: case LEAT_K_RX_: {
        uint32_t inner;
        LEAT_TRY(from_type(g, t->kind, t->size, t, &inner));
        shape_at(g, *ret)->inner = inner;
        return LEAT_OK;
    }
    default:
        return LEAT_OK;
    }
}

leat_err shapes_of_type(struct shapes *g, const leat_type *t)
{
    struct cur form;
    uint32_t root;
    LEAT_TRY(type_form(t, &form));                   /* and so it is valid, and not too deep */
    return from_type(g, t->kind, t->size, t, &root);
}

/* -- of a form ---------------------------------------------------------------------------------------------------------------------- */
struct open { uint32_t shape, breaks; };             /* a definition; how many pointers and choices lead to it */
struct reader {
    struct shapes *g;
    struct cur in;
    struct open open[LIMIT_TYPE_DEPTH];
    uint32_t opened, depth, breaks;
    size_t promised;                                 /* members that are still to come, of all that is open */
};

static leat_err no_form(void) { return leat_fail(LEAT_TYPE, "what came from the other side is not a description of a type"); }

static bool number_ok(unsigned kind, unsigned size)
{
    if (kind == LEAT_K_FLOAT_)
        return size == 4 || size == 8;
    return (kind == LEAT_K_INT_ || kind == LEAT_K_UINT_) && (size == 1 || size == 2 || size == 4 || size == 8);
}

static leat_err read_type(struct reader *r, uint32_t *ret);

static leat_err read_members(struct reader *r, uint32_t i)
{
    uint64_t count = cur_varint(&r->in);
    if (r->in.bad || count > (cur_left(&r->in) - MIN(cur_left(&r->in), r->promised * 3)) / 3)    /* each has 3 bytes at least */
        return no_form();
    LEAT_TRY(members_new(r->g, i, (uint32_t)count));
    r->promised += count;
    for (uint32_t k = 0; k < count; k++) {
        size_t len;
        uint32_t type = 0;
        r->promised--;                               /* its own bytes are read now */
        const char *name = cur_text(&r->in, &len);
        int64_t tag = form_unzigzag(cur_varint(&r->in));
        if (r->in.bad || len == 0 || len > LIMIT_TYPE_NAME || tag < INT32_MIN || tag > INT32_MAX)
            return no_form();
        if (shape_at(r->g, i)->kind != LEAT_K_ENUM_)
            LEAT_TRY(read_type(r, &type));
        *shape_member(r->g, shape_at(r->g, i), k) = (struct shape_member){ .name = name, .len = (uint32_t)len, .tag = (int32_t)tag,
            .type = type };
    }
    return members_sort(r->g, i);
}

static leat_err read_definition(struct reader *r, unsigned kind, uint32_t *ret)
{
    uint64_t up = cur_varint(&r->in);
    if (r->in.bad || up > r->opened || (up > 0 && kind == LEAT_K_ENUM_))
        return no_form();
    if (up > 0) {
        const struct open *o = &r->open[r->opened - up];
        if (shape_at(r->g, o->shape)->kind != kind || (kind == LEAT_K_STRUCT_ && o->breaks == r->breaks))
            return no_form();                        /* or a struct that holds itself */
        *ret = o->shape;
        return LEAT_OK;
    }
    LEAT_TRY(shape_new(r->g, kind, ret));
    r->open[r->opened++] = (struct open){ *ret, r->breaks };     /* depth <= LIMIT_TYPE_DEPTH was checked */
    r->breaks += kind == LEAT_K_ONEOF_;
    leat_err e = read_members(r, *ret);
    r->breaks -= kind == LEAT_K_ONEOF_;
    r->opened--;
    return e;
}

static leat_err read_plain(struct reader *r, unsigned kind, uint32_t *ret)
{
    LEAT_TRY(shape_new(r->g, kind, ret));
    struct shape *s = shape_at(r->g, *ret);
    uint64_t n = 1;
    switch (kind) {
    case LEAT_K_BOOL_: case LEAT_K_STRING_: case LEAT_K_BYTES_: case LEAT_K_DATE_: case LEAT_K_DURATION_: case LEAT_K_ERROR_:
    case LEAT_K_CSTR_:
        return LEAT_OK;
    case LEAT_K_INT_: case LEAT_K_UINT_: case LEAT_K_FLOAT_:
        s->size = cur_u8(&r->in);
        return number_ok(kind, s->size) ? LEAT_OK : no_form();
    case LEAT_K_CHARS_: case LEAT_K_ARRAY_:
        n = cur_varint(&r->in);
        s->count = (uint32_t)n;
        s->number = kind == LEAT_K_ARRAY_ ? cur_u8(&r->in) : 0;
        s->size = kind == LEAT_K_ARRAY_ ? cur_u8(&r->in) : 0;
        return !r->in.bad && n > 0 && n <= UINT32_MAX / 8 && (kind == LEAT_K_CHARS_ || number_ok(s->number, s->size)) ? LEAT_OK : no_form();
    default:
        return no_form();
    }
}

static leat_err read_type(struct reader *r, uint32_t *ret)
{
    if (r->depth == LIMIT_TYPE_DEPTH)
        return no_form();
    unsigned kind = cur_u8(&r->in);
    leat_err e;
    r->depth++;
    switch (kind) {
    case LEAT_K_STRUCT_: case LEAT_K_ENUM_: case LEAT_K_ONEOF_:
        e = read_definition(r, kind, ret);
        break;
    case LEAT_K_OPTIONAL_: case LEAT_K_LIST_: case LEAT_K_MAP_: case LEAT_K_TX_: case LEAT_K_RX_: {
        uint32_t inner;
        e = shape_new(r->g, kind, ret);
        r->breaks++;
        if (e == LEAT_OK && (e = read_type(r, &inner)) == LEAT_OK)
            shape_at(r->g, *ret)->inner = inner;
        r->breaks--;
        break;
    }
    default:
        e = read_plain(r, kind, ret);
    }
    r->depth--;
    return e;
}

leat_err shapes_of_form(struct shapes *g, struct cur form)
{
    struct reader r = { .g = g, .in = form };
    uint32_t root;
    if (cur_left(&form) > LIMIT_TYPE_BYTES || cur_u8(&r.in) != FORM_VERSION)
        return no_form();
    LEAT_TRY(read_type(&r, &root));
    return cur_done(&r.in) ? LEAT_OK : no_form();
}
