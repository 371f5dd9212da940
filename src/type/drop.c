/* drop.c - gives back what a value owns.
 *
 * Laws.  1. It cannot fail and has no limit: it follows the description itself, so it needs no memory, and a value of any depth takes
 * bounded stack while there is memory: blocks more than DEEP levels down are put aside and dropped later (the order is nobody's
 * business).  Without memory for that list they are dropped at once, on the stack.
 * 2. What is borrowed is not touched, nor is what hangs from it. */
#include "base/alloc.h"
#include "base/limits.h"
#include "chan/chan.h"
#include "type/block.h"
#include "type/codec.h"
#include "type/texts.h"

enum { DEEP = 8, LATER_SMALL = 4, TEXTS_FEW = 8 };

struct dropper {
    struct type_block *later;                        /* = small, until it is too small */
    size_t count, cap;
    struct texts_block *block;                       /* of which `strings` go, all at once when another's turn comes */
    uint32_t strings;
    struct type_block small[LATER_SMALL];
};

enum { OWNING = 1 << LEAT_K_STRING_ | 1 << LEAT_K_BYTES_ | 1 << LEAT_K_ERROR_ | 1 << LEAT_K_STRUCT_ | 1 << LEAT_K_ONEOF_ |
    1 << LEAT_K_OPTIONAL_ | 1 << LEAT_K_LIST_ | 1 << LEAT_K_MAP_ | 1 << LEAT_K_CSTR_ | 1 << LEAT_K_TX_ | 1 << LEAT_K_RX_ };

static void drop_at(struct dropper *d, unsigned kind, const leat_type *inner, char *at, int depth);

bool type_owns(unsigned kind, const leat_type *inner)
{
    switch (kind) {
    case LEAT_K_BOOL_: case LEAT_K_INT_: case LEAT_K_UINT_: case LEAT_K_FLOAT_: case LEAT_K_DATE_: case LEAT_K_DURATION_:
    case LEAT_K_ENUM_: case LEAT_K_ARRAY_: case LEAT_K_CHARS_: case LEAT_K_LOCAL_:
        return false;
    case LEAT_K_STRUCT_: case LEAT_K_ONEOF_:
        for (uint32_t i = 0; i < inner->count; i++)
            if (type_owns(type_field(inner, i)->kind, type_field(inner, i)->type))
                return true;
        return false;
    default:
        return true;
    }
}

static bool put_aside(struct dropper *d, const struct type_block *b)
{
    if (d->count == d->cap) {
        bool small = d->later == d->small;
        struct type_block *more = mem_realloc(small ? NULL : d->later, d->cap * 4 * sizeof *more);
        if (!more)
            return false;
        if (small)
            memcpy(more, d->small, sizeof d->small);
        d->later = more;
        d->cap *= 4;
    }
    d->later[d->count++] = *b;
    return true;
}

static void drop_strings(struct dropper *d)
{
    if (d->block)
        texts_leave(d->block, d->strings);
}

static inline void drop_text(struct dropper *d, const char *at)
{
    leat_string s;
    memcpy(&s, at, sizeof s);
    if (s.owned == 1) {
        mem_free((void *)(uintptr_t)s.p);
    } else if (s.owned > 1) {
        if (texts_block_of(&s) != d->block) {
            drop_strings(d);
            d->block = texts_block_of(&s);
            d->strings = 0;
        }
        d->strings++;
    }
}

/* The members are read one by one, as they were written: it may have been just now. */
static inline void text_moved(const char *at)
{
    const char *p;
    uint32_t owned;
    memcpy(&owned, at + offsetof(leat_string, owned), sizeof owned);
    memcpy(&p, at, sizeof p);
    if (owned > 1)
        texts_leave((struct texts_block *)(uintptr_t)(p - owned), 1);
    else if (owned == 1)
        mem_free((void *)(uintptr_t)p);
}

void leat_string_drop(leat_string *s)
{
    if (!s)
        return;
    text_moved((const char *)s);
    *s = (leat_string){ 0 };
}

void leat_bytes_drop(leat_bytes *b)
{
    leat_string s;                                   /* laid out alike: see plan.c */
    if (!b)
        return;
    memcpy(&s, b, sizeof s);
    leat_string_drop(&s);
    *b = (leat_bytes){ 0 };
}

/* Where the strings of a struct are, if they are all it owns, and few; -1: walk it. */
static int texts_of(const leat_type *t, uint32_t offset[TEXTS_FEW])
{
    int n = 0;
    for (uint32_t i = 0; i < t->count; i++) {
        const leat_field *f = type_field(t, i);
        if (f->kind == LEAT_K_STRING_ || f->kind == LEAT_K_BYTES_) {
            if (n == TEXTS_FEW)
                return -1;
            offset[n++] = f->offset;
        } else if (type_owns(f->kind, f->type)) {
            return -1;
        }
    }
    return n;
}

static void drop_block(struct dropper *d, const struct type_block *b, int depth)
{
    bool owns = type_owns(b->type->kind, b->type);
    uint32_t offset[TEXTS_FEW];
    int texts = b->type->kind == LEAT_K_STRUCT_ && !b->keyed && b->count > 2 ? texts_of(b->type, offset) : -1;
    for (int k = 0; k < texts; k++)
        for (uint32_t i = 0; i < b->count; i++)
            drop_text(d, b->at + (size_t)i * b->stride + offset[k]);
    for (uint32_t i = 0; texts < 0 && (owns || b->keyed) && i < b->count; i++) {
        char *at = b->at + (size_t)i * b->stride;
        if (b->keyed)
            drop_text(d, at);
        if (owns)
            drop_at(d, b->type->kind, b->type, at + b->value_off, depth);
    }
    mem_free(b->at);
}

static void drop_pointer(struct dropper *d, unsigned kind, const leat_type *inner, const char *at, int depth)
{
    struct type_block b = type_block_at(kind, inner, at);
    if (b.at && !b.borrowed && (depth < DEEP || !put_aside(d, &b)))
        drop_block(d, &b, depth + 1);
}

static void drop_oneof(struct dropper *d, const leat_type *t, char *at, int depth)
{
    uint32_t which;
    memcpy(&which, at, sizeof which);
    if (which == 0 || which > t->count)
        return;
    const leat_field *f = type_field(t, which - 1);
    drop_at(d, f->kind, f->type, at + f->offset, depth);
}

static void drop_error(struct dropper *d, char *at)
{
    leat_error *cause = NULL;
    do {
        drop_text(d, at + offsetof(leat_error, text));
        drop_text(d, at + offsetof(leat_error, node));
        drop_text(d, at + offsetof(leat_error, details));
        leat_error *gone = cause;
        memcpy(&cause, at + offsetof(leat_error, cause), sizeof cause);
        mem_free(gone);
        at = (char *)cause;
    } while (at);
}

/* what the field of this kind at `at` owns; inner as in leat_field, or the type itself for a value that is no field */
static void drop_at(struct dropper *d, unsigned kind, const leat_type *inner, char *at, int depth)
{
    void *p;
    switch (kind) {
    case LEAT_K_STRING_: case LEAT_K_BYTES_: drop_text(d, at); break;
    case LEAT_K_ERROR_: drop_error(d, at); break;
    case LEAT_K_OPTIONAL_: case LEAT_K_LIST_: case LEAT_K_MAP_: drop_pointer(d, kind, inner, at, depth); break;
    case LEAT_K_ONEOF_: drop_oneof(d, inner, at, depth); break;
    case LEAT_K_STRUCT_:
        for (uint32_t i = 0; i < inner->count; i++) {
            const leat_field *f = type_field(inner, i);
            if (f->kind < 32 && (OWNING >> f->kind & 1))
                drop_at(d, f->kind, f->type, at + f->offset, depth);
        }
        break;
    case LEAT_K_CSTR_:
        memcpy(&p, at, sizeof p);
        mem_free(p);
        break;
    case LEAT_K_TX_: case LEAT_K_RX_:
        memcpy(&p, at, sizeof p);
        leat_unref_end_(p, kind == LEAT_K_TX_ ? LEAT_TX_END_ : LEAT_RX_END_);
    }
}

/* A row (plan.h) owns its texts and no more. */
static inline __attribute__((always_inline)) void row_moved(const struct type_plan *p, const char *v)
{
    for (uint32_t i = 0; i < p->texts; i++)
        text_moved(v + p->text_at[i]);
}

static __attribute__((noinline)) void walk_moved(const leat_type *t, const void *v)
{
    struct dropper d;
    d.later = d.small;
    d.count = 0;
    d.cap = LATER_SMALL;
    d.block = NULL;
    d.strings = 0;
    drop_at(&d, t->kind, t, (char *)(uintptr_t)v, 0);            /* only read */
    while (d.count > 0) {
        struct type_block b = d.later[--d.count];
        drop_block(&d, &b, 0);
    }
    drop_strings(&d);
    if (d.later != d.small)
        mem_free(d.later);
}

static inline __attribute__((always_inline)) void moved(const leat_type *t, const void *v)
{
    const struct type_info *info = type_info_find(t);            /* if it is known already, it saves the walk of most */
    if (likely(info && info->plan->row))
        row_moved(info->plan, v);
    else if (!info || !info->flat)
        walk_moved(t, v);
}

void type_moved(const leat_type *t, const void *v) { moved(t, v); }

void leat_drop_(const leat_type *t, void *v)
{
    if (!v)
        return;
    moved(t, v);
    zero_short(v, t->size);
}

void leat_chan_owns_(leat_chan_ *c, const leat_type *t)
{
    if (c)
        chan_describe(c, t, leat_drop_);
}
