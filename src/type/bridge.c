/* bridge.c - plans that read another type's values: made from the shapes of both.  See bridge.h.
 *
 * As in plan.c, plans and steps lie in arrays and refer to each other by number until pack; here a plan belongs to a pair of shapes, the
 * writer's and the reader's (or none: it is skipped), found by a hash so that a hostile form cannot make the search long.  What a send
 * end carries goes the other way: for that pair the writer is this program.  Such a pair is `back`; it is only looked at, not run. */
#include "type/bridge.h"
#include "type/error.h"
#include "type/plan.h"
#include "type/shape.h"
#include <stdio.h>
#include "base/alloc.h"
#include "base/limits.h"
#include "type/plan.h"
#include "type/shape.h"

enum part { VALUE, ENTRY, CASE };
enum { NONE = -1, PATH = LIMIT_TYPE_NAME * 2, CHAIN = 40 };

struct draft {
    uint32_t from, to, which;                        /* shapes; to: or NONE.  CASE: of two oneofs, the which-th of from */
    uint8_t part;
    bool back;
    uint32_t parent, parent_step, first_op, ops;     /* where it was first met, for messages */
    const leat_type *elem;                           /* of this program: what lies in memory; NULL: nothing does */
    struct type_plan plan;
};
struct step { struct type_op op; uint32_t sub; size_t name; };       /* sub: a draft, or UINT32_MAX */

struct maker {
    const leat_type *type;
    struct shapes mine, theirs;
    struct buf drafts, steps, names, table;          /* table: of uint32_t, numbers of drafts + 1, by the hash of what they are for */
    uint32_t visits, depth, draft, ends, stamp;
    bool back, tells, any_ends;
    char path[PATH];
};

const leat_type type_nothing = { "nothing", NULL, 1, 0, LEAT_K_STRUCT_, sizeof(leat_field), 1 };

static struct draft *draft_at(const struct maker *m, uint32_t i) { return (struct draft *)(void *)m->drafts.p + i; }
static uint32_t draft_count(const struct maker *m) { return (uint32_t)(m->drafts.len / sizeof(struct draft)); }
static struct step *step_at(const struct maker *m, uint32_t i) { return (struct step *)(void *)m->steps.p + i; }
static uint32_t step_count(const struct maker *m) { return (uint32_t)(m->steps.len / sizeof(struct step)); }
static const struct shapes *writer(const struct maker *m) { return m->back ? &m->mine : &m->theirs; }
static const struct shapes *reader(const struct maker *m) { return m->back ? &m->theirs : &m->mine; }

/* -- what cannot be ---------------------------------------------------------------------------------------------------------------- */
static void path_of(const struct maker *m, char *text, size_t cap)
{
    uint32_t chain[CHAIN], n = 0;
    for (uint32_t i = m->draft; i != 0 && n < CHAIN; i = draft_at(m, i)->parent)
        chain[n++] = i;
    size_t len = (size_t)snprintf(text, cap, "%s", m->type->name);
    while (n-- > 0) {
        const struct draft *d = draft_at(m, chain[n]);
        const struct step *s = step_at(m, d->parent_step);
        const char *name = (const char *)m->names.p + s->name;
        const char *row = s->op.code == OP_LIST || s->op.code == OP_MAP ? "[]" : "";
        if (len < cap)
            len += (size_t)snprintf(text + len, cap - len, "%s%s%s", *name ? "." : "", name, row);
    }
    if (len < cap)
        snprintf(text + len, cap - len, "%s%.300s", *m->path ? "." : "", m->path);
}

static leat_err misfit(struct maker *m, uint32_t from, uint32_t to)
{
    char path[400], here[80], there[80];
    path_of(m, path, sizeof path);
    shape_words(&m->mine, m->back ? from : to, here, sizeof here);
    shape_words(&m->theirs, m->back ? to : from, there, sizeof there);
    return leat_fail(LEAT_TYPE, "%s %s: %s here, %s there", m->draft || *m->path ? "field" : "type", path, here, there);
}

static leat_err no_memory(const struct maker *m)
{
    if (buf_err(&m->drafts) == LEAT_LIMIT || buf_err(&m->steps) == LEAT_LIMIT || buf_err(&m->names) == LEAT_LIMIT)
        return leat_fail(LEAT_LIMIT, "type %s: to read the other side's takes over %d bytes", m->type->name, LIMIT_EVOLVE_BYTES);
    return leat_fail(LEAT_NOMEM, "type %s: no memory to read the other side's", m->type->name);
}

/* -- drafts ------------------------------------------------------------------------------------------------------------------------ */
static bool table_grow(struct maker *m)
{
    uint32_t n = draft_count(m), size = 64;
    while (size < n * 4 + 4)
        size *= 2;
    buf_reset(&m->table);
    uint32_t *at = (uint32_t *)(void *)buf_add(&m->table, size * sizeof *at);
    if (!at)
        return false;
    memset(at, 0, size * sizeof *at);
    return true;
}

static uint32_t hash_of(const struct draft *d)
{
    uint64_t h = ((uint64_t)d->from << 32 | d->to) * 0x9e3779b97f4a7c15u;
    h ^= ((uint64_t)d->which << 4 | d->part << 1 | d->back) * 0xc2b2ae3d27d4eb4fu;
    return (uint32_t)((h * 0x9e3779b97f4a7c15u) >> 32);
}

static bool same_draft(const struct draft *a, const struct draft *b)
{
    return a->from == b->from && a->to == b->to && a->which == b->which && a->part == b->part && a->back == b->back;
}

/* where d is in the table, or would be */
static uint32_t *table_slot(struct maker *m, const struct draft *d)
{
    uint32_t *at = (uint32_t *)(void *)m->table.p, mask = (uint32_t)(m->table.len / sizeof *at) - 1, i = hash_of(d) & mask;
    while (at[i] && !same_draft(draft_at(m, at[i] - 1), d))
        i = (i + 1) & mask;
    return &at[i];
}

/* The number of the plan for this; it is made later if it is new. */
static leat_err draft_of(struct maker *m, struct draft d, uint32_t *ret)
{
    uint32_t n = draft_count(m);
    if (n * 2 >= m->table.len / sizeof(uint32_t)) {
        if (!table_grow(m))
            return no_memory(m);
        for (uint32_t i = 0; i < n; i++)
            *table_slot(m, draft_at(m, i)) = i + 1;
    }
    uint32_t *slot = table_slot(m, &d);
    if (*slot) {
        *ret = *slot - 1;
        return LEAT_OK;
    }
    if (++m->visits > LIMIT_TYPE_OPS)
        return leat_fail(LEAT_LIMIT, "type %s: to read the other side's takes over %d steps", m->type->name, LIMIT_TYPE_OPS);
    d.parent = m->draft;
    d.parent_step = step_count(m);                   /* the step that is added next */
    buf_put(&m->drafts, &d, sizeof d);
    if (buf_err(&m->drafts) != LEAT_OK)
        return no_memory(m);
    *slot = n + 1;
    *ret = n;
    return LEAT_OK;
}

/* The plan for from and to, which are VALUEs or the ENTRYs of a map, in the direction of now. */
static leat_err sub_draft(struct maker *m, enum part part, uint32_t from, uint32_t to, const leat_type *elem, uint32_t *ret)
{
    struct draft d = { .from = from, .to = to, .part = (uint8_t)part, .back = m->back, .elem = m->back ? NULL : elem };
    return draft_of(m, d, ret);
}

/* -- steps ------------------------------------------------------------------------------------------------------------------------- */
static bool longer(struct type_op *last, const struct type_op *op)
{
    bool follows = op->code == OP_SKIP || (op->code == OP_COPY && last->off + last->n == op->off);
    if (last->code != op->code || !follows || last->n + op->n < op->n)
        return false;
    last->n += op->n;
    return true;
}

static void step_add(struct maker *m, struct type_op op, uint32_t sub)
{
    uint32_t count = step_count(m);
    if (count > draft_at(m, m->draft)->first_op && longer(&step_at(m, count - 1)->op, &op))
        return;
    struct step s = { .op = op, .sub = sub, .name = m->names.len };
    buf_put(&m->names, m->path, strlen(m->path) + 1);
    buf_put(&m->steps, &s, sizeof s);
}

static void step_plain(struct maker *m, uint8_t code, uint32_t off, uint32_t n)
{
    step_add(m, (struct type_op){ .code = code, .off = off, .n = n }, UINT32_MAX);
}

static leat_err value(struct maker *m, uint32_t from, uint32_t to, uint32_t off);

static leat_err cases(struct maker *m, uint32_t from, uint32_t to, uint32_t off)
{
    const struct shape *f = shape_at(writer(m), from);
    uint32_t first = 0;
    for (uint32_t i = 0; i < f->count; i++) {        /* in a row: a case is found by its number */
        uint32_t at;
        LEAT_TRY(draft_of(m, (struct draft){ .from = from, .to = to, .which = i, .part = CASE, .back = m->back }, &at));
        first = i == 0 ? at : first;
    }
    step_add(m, (struct type_op){ .code = OP_CASES, .off = off, .n = f->count }, f->count ? first : UINT32_MAX);
    return LEAT_OK;
}

/* An end of a channel: here to is NONE when it is skipped. */
static leat_err end(struct maker *m, uint32_t from, uint32_t to, uint32_t off)
{
    const struct shape *f = shape_at(writer(m), from);
    const struct shape *t = to == (uint32_t)NONE ? NULL : shape_at(reader(m), to);
    bool rx = f->kind == LEAT_K_RX_, back = m->back;
    const leat_type *elem = back ? NULL : t ? t->type : &type_nothing;
    uint32_t sub = UINT32_MAX;
    uint8_t code = t ? (rx ? OP_RX : OP_TX) : rx ? OP_SKIP_RX : OP_SKIP_TX;
    m->any_ends |= !back;
    m->tells |= !back && code == OP_TX;
    m->ends += !back && rx;
    if (rx) {
        LEAT_TRY(sub_draft(m, VALUE, f->inner, t ? t->inner : (uint32_t)NONE, t ? elem : NULL, &sub));
    } else if (t) {
        m->back = !back;                             /* who has the send end writes */
        leat_err e = sub_draft(m, VALUE, t->inner, f->inner, f->type, &sub);
        m->back = back;
        LEAT_TRY(e);
    }
    step_add(m, (struct type_op){ .code = code, .off = off, .elem = elem }, rx ? sub : UINT32_MAX);
    return LEAT_OK;
}

/* -- what is not here ---------------------------------------------------------------------------------------------------------------- */
static uint32_t plain_bytes(const struct shape *s)   /* of what always has so many; 0: others */
{
    switch (s->kind) {
    case LEAT_K_BOOL_: return 1;
    case LEAT_K_INT_: case LEAT_K_UINT_: case LEAT_K_FLOAT_: return s->size;
    case LEAT_K_DATE_: return sizeof(leat_date);
    case LEAT_K_DURATION_: return sizeof(leat_dur);
    case LEAT_K_ENUM_: return 4;
    case LEAT_K_ARRAY_: return s->count * s->size;   /* at most UINT32_MAX / 8 of them */
    default: return 0;
    }
}

static leat_err skip(struct maker *m, uint32_t from, uint32_t off)
{
    const struct shape *f = shape_at(writer(m), from);
    uint32_t sub;
    switch (f->kind) {
    case LEAT_K_STRING_: case LEAT_K_BYTES_: case LEAT_K_CHARS_: step_plain(m, OP_SKIP_TEXT, off, 0); return LEAT_OK;
    case LEAT_K_CSTR_: step_plain(m, OP_SKIP_CSTR, off, 0); return LEAT_OK;
    case LEAT_K_ERROR_: step_plain(m, OP_SKIP_ERROR, off, 0); return LEAT_OK;
    case LEAT_K_STRUCT_:
        for (uint32_t i = 0, n = f->count; i < n; i++)
            LEAT_TRY(value(m, shape_member(writer(m), shape_at(writer(m), from), i)->type, (uint32_t)NONE, off));
        return LEAT_OK;
    case LEAT_K_ONEOF_: return cases(m, from, (uint32_t)NONE, off);
    case LEAT_K_OPTIONAL_: case LEAT_K_LIST_: case LEAT_K_MAP_:
        LEAT_TRY(sub_draft(m, f->kind == LEAT_K_MAP_ ? ENTRY : VALUE, f->inner, (uint32_t)NONE, NULL, &sub));
        step_add(m, (struct type_op){ .code = f->kind == LEAT_K_OPTIONAL_ ? OP_SKIP_OPTIONAL : OP_SKIP_LIST, .off = off }, sub);
        return LEAT_OK;
    case LEAT_K_TX_: case LEAT_K_RX_: return end(m, from, (uint32_t)NONE, off);
    default: step_plain(m, OP_SKIP, off, plain_bytes(f)); return LEAT_OK;
    }
}

/* -- what is on both sides -------------------------------------------------------------------------------------------------------- */
/* true: every number of the writer's kind and size is one of the reader's */
static bool number_fits(unsigned f, unsigned f_size, unsigned t, unsigned t_size)
{
    return f == t ? f_size <= t_size : f == LEAT_K_UINT_ && t == LEAT_K_INT_ && f_size < t_size;
}

static void numbers(struct maker *m, unsigned kind, const struct shape *f, const struct shape *t, uint32_t n, uint32_t off)
{
    uint8_t fill = kind == LEAT_K_FLOAT_ ? WIDEN_FLOAT : kind == LEAT_K_INT_ ? WIDEN_SIGN : WIDEN_ZERO;
    if (f->size == t->size)
        step_plain(m, OP_COPY, off, n * f->size);
    else
        step_add(m, (struct type_op){ .code = OP_WIDEN, .from = f->size, .to = t->size, .fill = fill, .off = off, .n = n }, UINT32_MAX);
}

static void path_add(struct maker *m, size_t was, const struct shape_member *f)
{
    size_t n = MIN((size_t)f->len, sizeof m->path - 2 - was);
    if (was)
        m->path[was] = '.';
    memcpy(m->path + was + (was > 0), f->name, n);
    m->path[was + (was > 0) + n] = 0;
}

static leat_err members(struct maker *m, uint32_t from, uint32_t to, uint32_t off)
{
    size_t was = strlen(m->path);
    uint32_t stamp = ++m->stamp, n = shape_at(writer(m), from)->count;
    for (uint32_t i = 0; i < n; i++) {
        const struct shape_member *f = shape_member(writer(m), shape_at(writer(m), from), i);
        struct shape_member *t = shape_find(reader(m), shape_at(reader(m), to), f);
        if (!t) {
            LEAT_TRY(value(m, f->type, (uint32_t)NONE, 0));
            continue;
        }
        path_add(m, was, m->back ? f : t);
        if (t->claimed == stamp) {
            char path[400];
            path_of(m, path, sizeof path);
            return leat_fail(LEAT_TYPE, "field %s: two members of the other side are this one, by name and by tag", path);
        }
        t->claimed = stamp;
        LEAT_TRY(value(m, f->type, t->type, off + (t->field ? t->field->offset : 0)));
        m->path[was] = 0;
    }
    return LEAT_OK;
}

/* A name that both sides have must have one number; what only one has is kept as its number. */
static leat_err enumerators(struct maker *m, const struct shape *f, const struct shape *t)
{
    size_t was = strlen(m->path);
    for (uint32_t i = 0; i < f->count; i++) {
        char path[400];
        const struct shape_member *a = shape_member(writer(m), f, i), *b = shape_find(reader(m), t, a);
        if (!b || a->tag == b->tag)
            continue;
        path_add(m, was, m->back ? a : b);
        path_of(m, path, sizeof path);
        return leat_fail(LEAT_TYPE, "field %s: %d here, %d there", path, (m->back ? a : b)->tag, (m->back ? b : a)->tag);
    }
    return LEAT_OK;
}

/* Behind a pointer on one side, and not on the other. */
static leat_err wrapped(struct maker *m, uint32_t from, uint32_t to, uint32_t off)
{
    const struct shape *f = shape_at(writer(m), from), *t = shape_at(reader(m), to);
    bool wrap = t->kind == LEAT_K_OPTIONAL_;
    uint32_t a = wrap ? from : f->inner, b = wrap ? t->inner : to, sub;
    if (shape_at(writer(m), a)->kind != shape_at(reader(m), b)->kind)
        return misfit(m, from, to);
    LEAT_TRY(sub_draft(m, VALUE, a, b, t->type, &sub));
    step_add(m, (struct type_op){ .code = wrap ? OP_WRAP : OP_UNWRAP, .off = off }, sub);
    return LEAT_OK;
}

/* Kinds that differ and yet fit. */
static leat_err other_kind(struct maker *m, uint32_t from, uint32_t to, uint32_t off)
{
    const struct shape *f = shape_at(writer(m), from), *t = shape_at(reader(m), to);
    if (number_fits(f->kind, f->size, t->kind, t->size))
        numbers(m, f->kind, f, t, 1, off);
    else if ((f->kind == LEAT_K_STRING_ && t->kind == LEAT_K_BYTES_) ||
        (f->kind == LEAT_K_CHARS_ && (t->kind == LEAT_K_STRING_ || t->kind == LEAT_K_BYTES_)))
        step_plain(m, OP_TEXT, off, 0);
    else if (f->kind == LEAT_K_CSTR_ && t->kind == LEAT_K_STRING_)
        step_plain(m, OP_TEXT_CSTR, off, 0);
    else if ((f->kind == LEAT_K_OPTIONAL_) != (t->kind == LEAT_K_OPTIONAL_))
        return wrapped(m, from, to, off);
    else
        return misfit(m, from, to);
    return LEAT_OK;
}

static leat_err block(struct maker *m, uint32_t from, uint32_t to, uint32_t off)
{
    const struct shape *f = shape_at(writer(m), from), *t = shape_at(reader(m), to);
    uint8_t code = f->kind == LEAT_K_OPTIONAL_ ? OP_OPTIONAL : f->kind == LEAT_K_LIST_ ? OP_LIST : OP_MAP;
    uint32_t sub;
    LEAT_TRY(sub_draft(m, code == OP_MAP ? ENTRY : VALUE, f->inner, t->inner, t->type, &sub));
    step_add(m, (struct type_op){ .code = code, .off = off }, sub);
    return LEAT_OK;
}

static leat_err same_kind(struct maker *m, uint32_t from, uint32_t to, uint32_t off)
{
    const struct shape *f = shape_at(writer(m), from), *t = shape_at(reader(m), to);
    switch (f->kind) {
    case LEAT_K_INT_: case LEAT_K_UINT_: case LEAT_K_FLOAT_:
        if (f->size > t->size)
            return misfit(m, from, to);
        numbers(m, f->kind, f, t, 1, off);
        return LEAT_OK;
    case LEAT_K_ARRAY_:
        if (!number_fits(f->number, f->size, t->number, t->size) || f->count > t->count)
            return misfit(m, from, to);
        numbers(m, f->number, f, t, f->count, off);
        return LEAT_OK;
    case LEAT_K_CHARS_:
        if (f->count > t->count)
            return misfit(m, from, to);
        step_plain(m, OP_CHARS, off, t->count);
        return LEAT_OK;
    case LEAT_K_BOOL_: step_plain(m, OP_BOOL, off, 1); return LEAT_OK;
    case LEAT_K_STRING_: case LEAT_K_BYTES_: step_plain(m, OP_TEXT, off, 0); return LEAT_OK;
    case LEAT_K_CSTR_: step_plain(m, OP_CSTR, off, 0); return LEAT_OK;
    case LEAT_K_ERROR_: step_plain(m, OP_ERROR, off, 0); return LEAT_OK;
    case LEAT_K_ENUM_:
        LEAT_TRY(enumerators(m, f, t));
        step_plain(m, OP_COPY, off, plain_bytes(f));
        return LEAT_OK;
    case LEAT_K_STRUCT_: return members(m, from, to, off);
    case LEAT_K_ONEOF_: return cases(m, from, to, off);
    case LEAT_K_OPTIONAL_: case LEAT_K_LIST_: case LEAT_K_MAP_: return block(m, from, to, off);
    case LEAT_K_TX_: case LEAT_K_RX_: return end(m, from, to, off);
    default: step_plain(m, OP_COPY, off, plain_bytes(f)); return LEAT_OK;
    }
}

static leat_err value(struct maker *m, uint32_t from, uint32_t to, uint32_t off)
{
    if (++m->visits > LIMIT_TYPE_OPS)
        return leat_fail(LEAT_LIMIT, "type %s: to read the other side's takes over %d steps", m->type->name, LIMIT_TYPE_OPS);
    if (m->depth == LIMIT_TYPE_DEPTH)
        return leat_fail(LEAT_LIMIT, "type %s: the other side's goes over %d structs deep", m->type->name, LIMIT_TYPE_DEPTH);
    m->depth++;
    leat_err e = to == (uint32_t)NONE ? skip(m, from, off)
        : shape_at(writer(m), from)->kind == shape_at(reader(m), to)->kind ? same_kind(m, from, to, off) : other_kind(m, from, to, off);
    m->depth--;
    if (e == LEAT_OK && (buf_err(&m->steps) != LEAT_OK || buf_err(&m->names) != LEAT_OK))
        e = no_memory(m);
    return e;
}

/* -- plans ------------------------------------------------------------------------------------------------------------------------- */
static leat_err case_of(struct maker *m, const struct draft *d)
{
    const struct shape *f = shape_at(writer(m), d->from);
    const struct shape_member *a = shape_member(writer(m), f, d->which);
    struct shape_member *b = d->to == (uint32_t)NONE ? NULL : shape_find(reader(m), shape_at(reader(m), d->to), a);
    if (!b)
        return value(m, a->type, (uint32_t)NONE, 0);
    path_add(m, 0, m->back ? a : b);
    step_plain(m, OP_WHICH, 0, (uint32_t)(b - shape_member(reader(m), shape_at(reader(m), d->to), 0)) + 1);
    return value(m, a->type, b->type, b->field ? b->field->offset : 0);
}

static uint32_t least_of(const struct maker *m, const struct draft *d)
{
    uint64_t n = 0;
    for (uint32_t i = 0; i < d->ops; i++) {
        const struct type_op *op = &step_at(m, d->first_op + i)->op;
        n += op->code == OP_COPY || op->code == OP_SKIP ? op->n : op->code == OP_WIDEN ? (uint64_t)op->n * op->from
            : op->code == OP_ERROR || op->code == OP_SKIP_ERROR ? ERROR_LEAST : op->code == OP_WRAP || op->code == OP_WHICH ? 0 : 1;
    }
    return (uint32_t)MIN(n, (uint64_t)UINT32_MAX);
}

static leat_err make_draft(struct maker *m, uint32_t i)
{
    struct draft d = *draft_at(m, i);                /* a copy: the array moves as it grows */
    uint32_t off = 0;
    m->draft = i;
    m->back = d.back;
    *m->path = 0;
    d.plan.size = d.elem ? d.elem->size : 0;
    d.plan.align = d.elem ? d.elem->align : 1;
    draft_at(m, i)->first_op = d.first_op = step_count(m);
    if (d.part == ENTRY) {
        bool here = d.to != (uint32_t)NONE;
        if (here && d.elem)
            type_plan_layout(d.elem, &off, &d.plan.size);
        step_plain(m, here ? OP_TEXT : OP_SKIP_TEXT, 0, 0);
    }
    LEAT_TRY(d.part == CASE ? case_of(m, &d) : value(m, d.from, d.to, off));
    d.ops = step_count(m) - d.first_op;
    const struct type_op *only = d.ops == 1 ? &step_at(m, d.first_op)->op : NULL;
    d.plan.raw = d.part == VALUE && d.plan.size && only && only->code == OP_COPY && only->off == 0 && only->n == d.plan.size;
    d.plan.min = least_of(m, &d);
    step_add(m, (struct type_op){ .code = OP_END }, UINT32_MAX);
    if (buf_err(&m->steps) != LEAT_OK || buf_err(&m->names) != LEAT_OK)
        return no_memory(m);
    *draft_at(m, i) = d;
    return LEAT_OK;
}

/* memory for each byte of a value by this plan */
static size_t ratio_of(const struct maker *m, const struct draft *d)
{
    size_t most = (size_t)d->plan.size + LIMIT_DECODE_BLOCK;
    for (uint32_t i = 0; i < d->ops; i++) {
        const struct step *s = step_at(m, d->first_op + i);
        if (s->op.code == OP_WRAP)
            most += (size_t)draft_at(m, s->sub)->plan.size + LIMIT_DECODE_BLOCK;
    }
    return d->back || d->part == CASE ? 0 : most / MAX(d->plan.min, 1u) + 1;
}

static struct type_bridge *pack_into(const struct maker *m, char *block, size_t bytes, size_t ratio)
{
    uint32_t plans = draft_count(m), steps = step_count(m), part = 1;
    struct type_bridge *b = (struct type_bridge *)(void *)block;
    struct type_plan *plan = (struct type_plan *)(void *)(b + 1 + m->ends);
    struct type_op *op = (struct type_op *)(void *)(plan + plans);
    char *names = (char *)(op + steps);
    memcpy(names, m->names.p, m->names.len);
    b[0] = (struct type_bridge){ .type = m->type, .plan = plan, .ratio = ratio, .bytes = bytes, .ends = m->any_ends, .tells = m->tells };
    for (uint32_t i = 0; i < plans; i++) {
        const struct draft *d = draft_at(m, i);
        plan[i] = d->plan;
        plan[i].ops = op + d->first_op;
        for (uint32_t k = d->first_op; k <= d->first_op + d->ops; k++) {     /* OP_END too */
            const struct step *s = step_at(m, k);
            op[k] = s->op;
            op[k].name = names + s->name;
            if ((s->op.code == OP_RX || s->op.code == OP_SKIP_RX) && !d->back) {
                b[part] = b[0];
                b[part].type = s->op.elem;
                b[part].plan = &plan[s->sub];
                op[k].as = &b[part++];
            } else {
                op[k].sub = s->sub == UINT32_MAX ? NULL : &plan[s->sub];
            }
        }
    }
    return b;
}

static leat_err pack(const struct maker *m, struct type_bridge **ret)
{
    const struct type_info *mine;
    size_t ratio = 0;
    LEAT_TRY(type_info_get(m->type, &mine));
    for (uint32_t i = 0; i < draft_count(m); i++)
        ratio = MAX(ratio, ratio_of(m, draft_at(m, i)));
    ratio = MAX(mine->ratio, MIN(ratio, (size_t)LIMIT_EVOLVE_RATIO));
    size_t bytes = (1 + m->ends) * sizeof(struct type_bridge) + draft_count(m) * sizeof(struct type_plan) +
        step_count(m) * sizeof(struct type_op) + m->names.len;
    char *block = mem_alloc(bytes);
    if (!block)
        return no_memory(m);
    *ret = pack_into(m, block, bytes, ratio);
    return LEAT_OK;
}

/* All plans for the pair of wholes.  back: this program writes. */
static leat_err make(struct maker *m, const leat_type *mine, struct cur theirs, bool back)
{
    uint32_t root;
    m->type = mine;
    m->drafts.max = m->steps.max = m->names.max = LIMIT_EVOLVE_BYTES;
    LEAT_TRY(shapes_of_type(&m->mine, mine));
    leat_err e = shapes_of_form(&m->theirs, theirs);
    if (e != LEAT_OK)
        return leat_wrap(e, "type %s", mine->name);
    m->back = back;
    LEAT_TRY(draft_of(m, (struct draft){ .back = back, .elem = back ? NULL : mine }, &root));
    for (uint32_t i = 0; i < draft_count(m); i++)
        LEAT_TRY(make_draft(m, i));
    return LEAT_OK;
}

static void done(struct maker *m)
{
    shapes_free(&m->mine);
    shapes_free(&m->theirs);
    buf_free(&m->drafts);
    buf_free(&m->steps);
    buf_free(&m->names);
    buf_free(&m->table);
}

leat_err type_bridge_make(const leat_type *mine, struct cur theirs, struct type_bridge **ret)
{
    struct maker m = { .depth = 0 };
    leat_err e = make(&m, mine, theirs, false);
    if (e == LEAT_OK && (e = pack(&m, ret)) == LEAT_OK)
        (*ret)->print = type_print_of(theirs);
    done(&m);
    return e;
}

leat_err type_bridge_check(const leat_type *mine, struct cur theirs)
{
    struct maker m = { .depth = 0 };
    leat_err e = make(&m, mine, theirs, true);
    done(&m);
    return e;
}

void type_bridge_free(struct type_bridge *b) { mem_free(b); }
