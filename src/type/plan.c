/* plan.c - descriptions compiled to the steps of plan.h.
 *
 * One type and all it leads to are compiled at once.  While they are, plans and steps lie in two arrays that grow, and refer to each
 * other by number, so that a type may lead back to itself; then they are copied into one block with addresses.  A description is
 * the program's, but it may have been compiled against another version of the headers or by hand: sizes are checked, not believed. */
#include "type/error.h"
#include "type/plan.h"
#include "base/alloc.h"
#include "base/limits.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "values are copied as they lie: a big-endian host needs a swap in OP_COPY");
_Static_assert(sizeof(leat_string) == 16 && sizeof(leat_bytes) == 16 && offsetof(leat_string, len) == offsetof(leat_bytes, len)
    && offsetof(leat_string, owned) == offsetof(leat_bytes, owned), "one step serves both");
_Static_assert(sizeof(leat_date) == 16 && sizeof(leat_dur) == 8 && sizeof(leat_err) == 4, "copied as they lie, without padding");

enum shape { VALUE, ENTRY, CASE };                   /* a value of the type; an entry of a map to it; one case of the oneof */
struct draft { const leat_type *type; enum shape shape; uint32_t field, first_op, value_off; struct type_plan plan; };
struct step { struct type_op op; uint32_t sub; size_t name; };

struct maker {
    struct buf drafts, steps, names;                 /* of struct draft, struct step, char */
    uint32_t visits;                                 /* fields seen: ends descriptions that double at each level */
    uint32_t depth;
    char path[LIMIT_TYPE_NAME * 2];
};

static struct draft *draft_at(struct maker *m, uint32_t i) { return (struct draft *)(void *)m->drafts.p + i; }
static uint32_t draft_count(const struct maker *m) { return (uint32_t)(m->drafts.len / sizeof(struct draft)); }
static struct step *step_at(struct maker *m, uint32_t i) { return (struct step *)(void *)m->steps.p + i; }
static uint32_t step_count(const struct maker *m) { return (uint32_t)(m->steps.len / sizeof(struct step)); }

/* The number of the plan for this, which is made later if it is new.  UINT32_MAX: no memory. */
static uint32_t draft_of(struct maker *m, const leat_type *t, enum shape shape, uint32_t field)
{
    uint32_t n = draft_count(m);
    for (uint32_t i = 0; i < n; i++) {
        const struct draft *d = draft_at(m, i);
        if (d->type == t && d->shape == shape && d->field == field)
            return i;
    }
    struct draft d = { .type = t, .shape = shape, .field = field };
    buf_put(&m->drafts, &d, sizeof d);
    return buf_err(&m->drafts) == LEAT_OK ? n : UINT32_MAX;
}

/* appends a step, or makes the last COPY of this plan longer */
static void step_add(struct maker *m, uint32_t first, uint8_t code, uint32_t off, uint32_t n, uint32_t sub, const leat_type *elem)
{
    uint32_t count = step_count(m);
    if (code == OP_COPY && count > first) {
        struct type_op *last = &step_at(m, count - 1)->op;
        if (last->code == OP_COPY && last->off + last->n == off) {
            last->n += n;
            return;
        }
    }
    struct step s = { .op = { .code = code, .off = off, .n = n, .elem = elem }, .sub = sub, .name = m->names.len };
    buf_put(&m->names, m->path, strlen(m->path) + 1);
    buf_put(&m->steps, &s, sizeof s);
}

static leat_err misfit(const leat_field *f)
{
    return leat_fail(LEAT_INVAL, "the description of field %s does not fit its kind (%u bytes, kind %u)", f->name ? f->name : "?",
        f->size, f->kind);
}

static uint32_t size_of_kind(const leat_field *f)    /* 0: several sizes are right, or none */
{
    switch (f->kind) {
    case LEAT_K_BOOL_: return sizeof(bool);
    case LEAT_K_STRING_: case LEAT_K_BYTES_: return sizeof(leat_string);
    case LEAT_K_DATE_: return sizeof(leat_date);
    case LEAT_K_DURATION_: return sizeof(leat_dur);
    case LEAT_K_ERROR_: return sizeof(leat_error);
    case LEAT_K_ENUM_: return 4;
    case LEAT_K_OPTIONAL_: case LEAT_K_TX_: case LEAT_K_RX_: case LEAT_K_CSTR_: return sizeof(void *);
    case LEAT_K_LIST_: case LEAT_K_MAP_: return sizeof(leat_strings);
    case LEAT_K_STRUCT_: case LEAT_K_ONEOF_: return f->type ? f->type->size : 0;
    default: return 0;
    }
}

static leat_err check_field(const leat_field *f)
{
    uint32_t want = size_of_kind(f);
    bool inner = f->kind == LEAT_K_STRUCT_ || f->kind == LEAT_K_ONEOF_ || f->kind == LEAT_K_OPTIONAL_ || f->kind == LEAT_K_LIST_
        || f->kind == LEAT_K_MAP_ || f->kind == LEAT_K_TX_ || f->kind == LEAT_K_RX_ || f->kind == LEAT_K_ARRAY_;
    if ((want != 0 && f->size != want) || f->size == 0 || (inner && (!f->type || f->type->size == 0)))
        return misfit(f);
    switch (f->kind) {
    case LEAT_K_INT_: case LEAT_K_UINT_:
        return f->size == 1 || f->size == 2 || f->size == 4 || f->size == 8 ? LEAT_OK : misfit(f);
    case LEAT_K_FLOAT_:
        return f->size == 4 || f->size == 8 ? LEAT_OK : misfit(f);
    case LEAT_K_OPTIONAL_: case LEAT_K_LIST_: case LEAT_K_MAP_:
        if (f->type->align > _Alignof(max_align_t))
            return leat_fail(LEAT_INVAL, "%s is aligned to %u bytes: malloc gives less", f->type->name, f->type->align);
        return LEAT_OK;
    default:
        return LEAT_OK;
    }
}

static leat_err make_field(struct maker *m, uint32_t first, const leat_field *f, uint32_t off);

static leat_err make_members(struct maker *m, uint32_t first, const leat_type *t, uint32_t off)
{
    if (m->depth == LIMIT_TYPE_DEPTH)
        return leat_fail(LEAT_LIMIT, "the description goes over %d structs deep at %s", LIMIT_TYPE_DEPTH, t->name);
    m->depth++;
    size_t was = strlen(m->path);
    for (uint32_t i = 0; i < t->count; i++) {
        const leat_field *f = type_field(t, i);
        if (f->kind == LEAT_K_LOCAL_)
            continue;
        if (f->size > t->size || f->offset > t->size - f->size)
            return misfit(f);
        size_t n = strnlen(f->name, LIMIT_TYPE_NAME), left = sizeof m->path - 2 - was;
        if (was)
            m->path[was] = '.';
        memcpy(m->path + was + (was > 0), f->name, MIN(n, left));
        m->path[was + (was > 0) + MIN(n, left)] = 0;
        LEAT_TRY(make_field(m, first, f, off + f->offset));
        m->path[was] = 0;
    }
    m->depth--;
    return LEAT_OK;
}

static leat_err make_oneof(struct maker *m, uint32_t first, const leat_type *t, uint32_t off)
{
    uint32_t cases = 0;
    for (uint32_t i = 0; i < t->count; i++) {        /* in a row: a case is found by its number */
        uint32_t at = draft_of(m, t, CASE, i);
        cases = i == 0 ? at : cases;
        if (at == UINT32_MAX)
            return leat_fail(LEAT_NOMEM, "the description of %s", t->name);
    }
    step_add(m, first, OP_ONEOF, off, t->count, cases, NULL);
    return LEAT_OK;
}

static leat_err make_block(struct maker *m, uint32_t first, const leat_field *f, uint32_t off)
{
    uint8_t code = f->kind == LEAT_K_OPTIONAL_ ? OP_OPTIONAL : f->kind == LEAT_K_LIST_ ? OP_LIST : OP_MAP;
    uint32_t sub = draft_of(m, f->type, code == OP_MAP ? ENTRY : VALUE, 0);
    if (sub == UINT32_MAX)
        return leat_fail(LEAT_NOMEM, "the description of %s", f->type->name);
    step_add(m, first, code, off, 0, sub, NULL);
    return LEAT_OK;
}

static leat_err make_field(struct maker *m, uint32_t first, const leat_field *f, uint32_t off)
{
    LEAT_TRY(check_field(f));
    if (++m->visits > LIMIT_TYPE_OPS)
        return leat_fail(LEAT_LIMIT, "the description has over %d fields", LIMIT_TYPE_OPS);
    switch (f->kind) {
    case LEAT_K_BOOL_: step_add(m, first, OP_BOOL, off, 1, 0, NULL); return LEAT_OK;
    case LEAT_K_INT_: case LEAT_K_UINT_: case LEAT_K_FLOAT_: case LEAT_K_DATE_: case LEAT_K_DURATION_: case LEAT_K_ENUM_:
    case LEAT_K_ARRAY_: step_add(m, first, OP_COPY, off, f->size, 0, NULL); return LEAT_OK;
    case LEAT_K_STRING_: case LEAT_K_BYTES_: step_add(m, first, OP_TEXT, off, 0, 0, NULL); return LEAT_OK;
    case LEAT_K_ERROR_: step_add(m, first, OP_ERROR, off, 0, 0, NULL); return LEAT_OK;
    case LEAT_K_CSTR_: step_add(m, first, OP_CSTR, off, 0, 0, NULL); return LEAT_OK;
    case LEAT_K_CHARS_: step_add(m, first, OP_CHARS, off, f->size, 0, NULL); return LEAT_OK;
    case LEAT_K_TX_: step_add(m, first, OP_TX, off, 0, 0, f->type); return LEAT_OK;
    case LEAT_K_RX_: step_add(m, first, OP_RX, off, 0, 0, f->type); return LEAT_OK;
    case LEAT_K_STRUCT_: return make_members(m, first, f->type, off);
    case LEAT_K_ONEOF_: return make_oneof(m, first, f->type, off);
    case LEAT_K_OPTIONAL_: case LEAT_K_LIST_: case LEAT_K_MAP_: return make_block(m, first, f, off);
    default: return misfit(f);
    }
}

void type_plan_layout(const leat_type *value, uint32_t *value_off, uint32_t *entry_size)
{
    size_t align = MAX((size_t)value->align, _Alignof(leat_string));
    *value_off = (uint32_t)align_up(sizeof(leat_string), align);
    *entry_size = (uint32_t)align_up(*value_off + value->size, align);
}

/* a type that is no struct stands as the only field of nothing */
static leat_field as_field(const leat_type *t) { return (leat_field){ .name = t->name, .type = t, .size = t->size, .kind = t->kind }; }

/* Whether these steps are what rows.c reads. */
static void find_row(struct type_plan *p, struct step *s, uint32_t ops)
{
    uint32_t bytes = 0;
    p->row = p->min > 0;
    for (uint32_t i = 0; i < ops; i++) {
        struct type_op *op = &s[i].op;
        bool text = op->code == OP_TEXT, copy = op->code == OP_COPY;
        p->row &= text || copy || op->code == OP_BOOL;
        p->texts += text;
        bytes += text ? (uint32_t)sizeof(leat_string) : op->n;
        op->how = text ? ROW_TEXT : !copy ? ROW_BOOL : op->n == 8 ? ROW_COPY_8 : op->n >= 16 && op->n <= 32 ? ROW_COPY_32 : ROW_COPY;
    }
    p->texts = p->row ? p->texts : 0;
    p->whole = p->row && bytes == p->size;
}

static leat_err make_draft(struct maker *m, uint32_t i)
{
    struct draft d = *draft_at(m, i);                /* a copy: the array moves as it grows */
    const leat_field f = as_field(d.type);
    d.first_op = step_count(m);
    d.plan.size = d.type->size;
    d.plan.align = d.type->align;
    *m->path = 0;
    if (d.shape == CASE) {
        const leat_field *c = type_field(d.type, d.field);
        strncat(m->path, c->name, LIMIT_TYPE_NAME);
        if (c->size > d.type->size || c->offset > d.type->size - c->size)
            return misfit(c);
        LEAT_TRY(make_field(m, d.first_op, c, c->offset));     /* a local case is refused: both sides count the cases */
    } else {
        if (d.shape == ENTRY) {
            type_plan_layout(d.type, &d.value_off, &d.plan.size);
            step_add(m, d.first_op, OP_TEXT, 0, 0, 0, NULL);
        }
        LEAT_TRY(make_field(m, d.first_op, &f, d.value_off));
    }
    uint32_t ops = step_count(m) - d.first_op;
    const struct type_op *only = ops == 1 ? &step_at(m, d.first_op)->op : NULL;
    d.plan.raw = d.shape == VALUE && only && only->code == OP_COPY && only->off == 0 && only->n == d.plan.size;
    for (uint32_t k = 0; k < ops; k++) {
        const struct type_op *op = &step_at(m, d.first_op + k)->op;
        d.plan.min += op->code == OP_COPY ? op->n : op->code == OP_ERROR ? ERROR_LEAST : 1;
    }
    if (d.shape != CASE)                             /* which leaves the rest of the oneof as it is */
        find_row(&d.plan, step_at(m, d.first_op), ops);
    step_add(m, d.first_op, OP_END, 0, 0, 0, NULL);
    if (buf_err(&m->steps) != LEAT_OK || buf_err(&m->names) != LEAT_OK)
        return leat_fail(LEAT_NOMEM, "the description of %s", d.type->name);
    *draft_at(m, i) = d;
    return LEAT_OK;
}

/* Where in each value the texts of a row lie, to `at`; behind them. */
static uint32_t *pack_texts(struct type_plan *p, uint32_t *at)
{
    p->text_at = at;
    for (const struct type_op *op = p->ops; p->row && op->code != OP_END; op++)
        if (op->code == OP_TEXT)
            *at++ = op->off;
    return at;
}

/* numbers become addresses in one block: plans, steps, where texts are, names */
static void *pack(struct maker *m, struct type_info *info)
{
    uint32_t plans = draft_count(m), steps = step_count(m);
    size_t ops_at = plans * sizeof(struct type_plan), texts_at = ops_at + steps * sizeof(struct type_op);
    size_t names_at = texts_at + steps * sizeof(uint32_t);
    char *block = mem_alloc(names_at + m->names.len);
    if (!block)
        return NULL;
    struct type_plan *plan = (struct type_plan *)(void *)block;
    struct type_op *op = (struct type_op *)(void *)(block + ops_at);
    uint32_t *texts = (uint32_t *)(void *)(block + texts_at);
    memcpy(block + names_at, m->names.p, m->names.len);
    for (uint32_t i = 0; i < steps; i++) {
        const struct step *s = step_at(m, i);
        op[i] = s->op;
        op[i].name = block + names_at + s->name;
        op[i].sub = s->op.code >= OP_OPTIONAL && s->op.code <= OP_ONEOF ? &plan[s->sub] : NULL;
        info->flat &= s->op.code < OP_TEXT || s->op.code == OP_CHARS;
    }
    info->ratio = LIMIT_DECODE_RATIO;
    for (uint32_t i = 0; i < plans; i++) {
        const struct draft *d = draft_at(m, i);
        plan[i] = d->plan;
        plan[i].ops = op + d->first_op;
        texts = pack_texts(&plan[i], texts);
        size_t least = MAX(d->plan.min, 1u), most = (size_t)d->plan.size + LIMIT_DECODE_BLOCK;
        if (d->shape != CASE)
            info->ratio = MAX(info->ratio, most / least + 1);
    }
    info->plan = plan;
    return block;
}

leat_err type_plan_make(const leat_type *t, struct type_info *info, void **ret)
{
    struct maker m = { .depth = 0 };
    leat_err e = draft_of(&m, t, VALUE, 0) == UINT32_MAX ? leat_fail(LEAT_NOMEM, "the description of %s", t->name) : LEAT_OK;
    for (uint32_t i = 0; e == LEAT_OK && i < draft_count(&m); i++)
        e = make_draft(&m, i);
    info->flat = true;
    if (e == LEAT_OK && !(*ret = pack(&m, info)))
        e = leat_fail(LEAT_NOMEM, "the description of %s", t->name);
    buf_free(&m.drafts);
    buf_free(&m.steps);
    buf_free(&m.names);
    return e;
}
