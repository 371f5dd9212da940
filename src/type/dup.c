/* dup.c - deep copies.  Like drop.c it follows the description, and puts aside what is deep; unlike it, it can fail.
 *
 * Law: the copy is zero where it is not filled yet, and each block is hung in before it is filled, so that a copy that cannot be
 * finished is a value that leat_drop_ takes back. */
#include "base/alloc.h"
#include "base/limits.h"
#include "type/block.h"

enum { DEEP = 8, SMALL = 256 };

struct pair { struct type_block from; char *to; };
struct dupper { struct buf later; };                 /* of struct pair */

static bool dup_at(struct dupper *d, unsigned kind, const leat_type *inner, uint32_t size, const char *from, char *to, int depth);

static bool dup_text(const char *from, char *to)
{
    leat_string s;
    memcpy(&s, from, sizeof s);
    if (s.len == 0)
        return true;
    char *p = mem_alloc(s.len);
    if (!p)
        return false;
    memcpy(p, s.p, s.len);
    s = (leat_string){ p, s.len, 1 };
    memcpy(to, &s, sizeof s);
    return true;
}

static bool dup_cstr(const char *from, char *to)
{
    const char *s;
    memcpy(&s, from, sizeof s);
    if (!s)
        return true;
    size_t n = strlen(s) + 1;
    char *p = mem_alloc(n);
    if (!p)
        return false;
    memcpy(p, s, n);
    memcpy(to, &p, sizeof p);
    return true;
}

static bool dup_error(const char *from, char *to)
{
    for (;;) {
        leat_error *p;
        memcpy(&p, from + offsetof(leat_error, cause), sizeof p);
        memcpy(to, from, sizeof(leat_err));
        if (!dup_text(from + offsetof(leat_error, text), to + offsetof(leat_error, text)) ||
            !dup_text(from + offsetof(leat_error, node), to + offsetof(leat_error, node)) ||
            !dup_text(from + offsetof(leat_error, details), to + offsetof(leat_error, details)))
            return false;
        if (!p)
            return true;
        from = (const char *)p;
        if (!(p = mem_zalloc(sizeof *p)))
            return false;
        memcpy(to + offsetof(leat_error, cause), &p, sizeof p);
        to = (char *)p;
    }
}

static bool dup_block(struct dupper *d, const struct type_block *b, char *to, int depth)
{
    if (!b->keyed && !type_owns(b->type->kind, b->type)) {
        memcpy(to, b->at, (size_t)b->count * b->stride);
        return true;
    }
    for (uint32_t i = 0; i < b->count; i++) {
        const char *at = b->at + (size_t)i * b->stride;
        char *into = to + (size_t)i * b->stride;
        if (b->keyed && !dup_text(at, into))
            return false;
        if (!dup_at(d, b->type->kind, b->type, b->type->size, at + b->value_off, into + b->value_off, depth))
            return false;
    }
    return true;
}

static bool dup_pointer(struct dupper *d, unsigned kind, const leat_type *inner, const char *from, char *to, int depth)
{
    struct pair p = { .from = type_block_at(kind, inner, from) };
    if (p.from.count == 0)
        return true;
    p.to = mem_zalloc((size_t)p.from.count * p.from.stride);
    if (!p.to)
        return false;
    if (kind == LEAT_K_OPTIONAL_) {
        memcpy(to, &p.to, sizeof p.to);
    } else {
        leat_strings list = { (void *)p.to, p.from.count, p.from.count };
        memcpy(to, &list, sizeof list);
    }
    if (depth < DEEP)
        return dup_block(d, &p.from, p.to, depth + 1);
    buf_put(&d->later, &p, sizeof p);
    return buf_err(&d->later) == LEAT_OK;
}

static bool dup_oneof(struct dupper *d, const leat_type *t, const char *from, char *to, int depth)
{
    uint32_t which;
    memcpy(&which, from, sizeof which);
    if (which == 0 || which > t->count)
        return true;
    memcpy(to, from, sizeof which);
    const leat_field *f = type_field(t, which - 1);
    return dup_at(d, f->kind, f->type, f->size, from + f->offset, to + f->offset, depth);
}

static bool dup_members(struct dupper *d, const leat_type *t, const char *from, char *to, int depth)
{
    for (uint32_t i = 0; i < t->count; i++) {
        const leat_field *f = type_field(t, i);
        if (!dup_at(d, f->kind, f->type, f->size, from + f->offset, to + f->offset, depth))
            return false;
    }
    return true;
}

static bool dup_at(struct dupper *d, unsigned kind, const leat_type *inner, uint32_t size, const char *from, char *to, int depth)
{
    leat_chan_ *c;
    switch (kind) {
    case LEAT_K_STRING_: case LEAT_K_BYTES_: return dup_text(from, to);
    case LEAT_K_ERROR_: return dup_error(from, to);
    case LEAT_K_OPTIONAL_: case LEAT_K_LIST_: case LEAT_K_MAP_: return dup_pointer(d, kind, inner, from, to, depth);
    case LEAT_K_ONEOF_: return dup_oneof(d, inner, from, to, depth);
    case LEAT_K_STRUCT_: return dup_members(d, inner, from, to, depth);
    case LEAT_K_CSTR_: return dup_cstr(from, to);
    case LEAT_K_TX_: case LEAT_K_RX_:
        memcpy(&c, from, sizeof c);
        c = leat_ref_(c, kind == LEAT_K_TX_ ? LEAT_TX_END_ : LEAT_RX_END_);
        memcpy(to, &c, sizeof c);
        return true;
    default:
        memcpy(to, from, size);
        return true;
    }
}

static bool dup_all(const leat_type *t, const void *v, void *to)
{
    struct dupper d = { .later = { .max = SIZE_MAX } };
    bool done = dup_at(&d, t->kind, t, t->size, v, to, 0);
    while (done && d.later.len > 0) {
        struct pair p;
        d.later.len -= sizeof p;
        memcpy(&p, d.later.p + d.later.len, sizeof p);
        done = dup_block(&d, &p.from, p.to, 0);
    }
    buf_free(&d.later);
    return done;
}

leat_err leat_dup_(const leat_type *t, const void *v, void *ret)
{
    if (!type_owns(t->kind, t)) {
        memcpy(ret, v, t->size);
        return LEAT_OK;
    }
    _Alignas(max_align_t) char small[SMALL];         /* *ret stays untouched until all is done */
    char *large = t->size <= SMALL ? NULL : mem_zalloc(t->size), *to = t->size <= SMALL ? memset(small, 0, t->size) : large;
    bool done = to && dup_all(t, v, to);
    if (done)
        memcpy(ret, to, t->size);
    else if (to)
        leat_drop_(t, to);
    mem_free(large);
    return done ? LEAT_OK : leat_fail(LEAT_NOMEM, "no memory for a copy of %s", t->name);
}
