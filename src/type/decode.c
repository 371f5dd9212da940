/* decode.c - bytes to a value: runs the steps of plan.h.  The bytes may come from anyone.  See codec.h.
 *
 * Laws.  1. *v, and every block that hangs from it, is zero before it is filled, and a pointer or a length is written only when
 * what it says is there: so at any moment leat_drop_ can take back all there is.
 * 2. Nothing is allocated for an announced length before that many bytes, or elements of their least size, are known to be there,
 * and what an element takes in memory beyond that is charged to the budget first. */
#include "type/decoder.h"

static leat_err get_copy(struct decoder *k, char *at, size_t n)
{
    if (unlikely(n > cur_left(k->in)))
        return bad(k, "cut short");
    copy_short(at, k->in->p, n);
    k->in->p += n;
    return LEAT_OK;
}

static leat_err get_bool(struct decoder *k, char *at)
{
    uint8_t b = cur_u8(k->in);
    if (k->in->bad || b > 1)
        return bad(k, k->in->bad ? "cut short" : "a bool that is neither 0 nor 1");
    memcpy(at, &b, 1);
    return LEAT_OK;
}

/* A short string: in a block with others, or with room for itself.  NULL: *e. */
static char *get_short_memory(struct decoder *k, uint32_t n, uint32_t *mark, leat_err *e)
{
    struct texts *x = &k->texts;
    char *p = texts_take(x, n);
    if (unlikely(!p)) {
        size_t bytes = texts_room(x, n, cur_left(k->in));
        if (!can_pay(k, bytes, e))
            return NULL;
        if (!texts_begin(x, bytes)) {
            *e = frames_fail(&k->s, LEAT_NOMEM, "no memory");
            return NULL;
        }
        *k->budget -= bytes + LIMIT_DECODE_BLOCK;
        p = texts_take(x, n);
    }
    *mark = texts_mark(x, p);
    return p;
}

/* n bytes are next.  Their memory, if they are the part that has come by itself: now the value's.  NULL: they are not, or *e. */
static void *get_part(struct decoder *k, uint64_t n, leat_err *e)
{
    struct type_part *part = k->part;
    if (n != part->len || k->in->bad || (size_t)(k->in->p - k->start) != part->at)
        return NULL;
    k->part = NULL;
    if (!can_pay(k, n, e))
        return NULL;
    *k->budget -= (size_t)n + LIMIT_DECODE_BLOCK;
    void *p = part->p;
    part->p = NULL;
    return p;
}

/* The text, if it is that part.  false: it is not, and nothing was read; or *e. */
static bool get_text_part(struct decoder *k, char *at, leat_err *e)
{
    struct cur was = *k->in;
    uint64_t n = cur_varint(k->in);
    char *p = get_part(k, n, e);
    if (!p) {
        *k->in = was;
        return false;
    }
    leat_string text = { p, (uint32_t)n, 1 };
    memcpy(at, &text, sizeof text);
    return true;
}

leat_err get_text(struct decoder *k, char *at)
{
    uint64_t n;
    uint32_t mark = 1;
    leat_err e = LEAT_OK;
    if (unlikely(k->part != NULL) && (get_text_part(k, at, &e) || e != LEAT_OK))
        return e;
    e = get_length(k, &n);
    if (e != LEAT_OK || n == 0)
        return e;
    char *p = n <= TEXTS_LONGEST ? get_short_memory(k, (uint32_t)n, &mark, &e) : get_memory(k, n, false, &e);
    if (!p)
        return e;
    copy_short(p, k->in->p, n);
    k->in->p += n;
    leat_string text = { p, (uint32_t)n, mark };
    memcpy(at, &text, sizeof text);
    return LEAT_OK;
}

static leat_err get_cstr(struct decoder *k, char *at)
{
    uint64_t n = cur_varint(k->in);
    leat_err e = LEAT_OK;
    if (k->in->bad || (n > 0 && n - 1 > cur_left(k->in)))
        return bad(k, "cut short, or a malformed length");
    if (n == 0)
        return LEAT_OK;
    if (n > 1 && memchr(k->in->p, 0, n - 1))
        return bad(k, "a NUL inside");
    char *p = get_memory(k, n, false, &e);
    if (!p)
        return e;
    if (n > 1)
        memcpy(p, k->in->p, n - 1);
    p[n - 1] = 0;
    k->in->p += n - 1;
    memcpy(at, &p, sizeof p);
    return LEAT_OK;
}

static leat_err get_chars(struct decoder *k, char *at, uint32_t room)
{
    uint64_t n;
    LEAT_TRY(get_length(k, &n));
    if (n >= room)
        return frames_fail(&k->s, LEAT_TYPE, "%llu bytes and a NUL do not fit %u", (unsigned long long)n, room);
    if (n > 0 && memchr(k->in->p, 0, n))
        return bad(k, "a NUL inside");
    if (n > 0)
        memcpy(at, k->in->p, n);
    k->in->p += n;
    return LEAT_OK;
}

static leat_err get_optional(struct decoder *k, char *at, const struct type_plan *sub)
{
    uint8_t flag = cur_u8(k->in);
    leat_err e = LEAT_OK;
    if (k->in->bad || flag > 1)
        return bad(k, k->in->bad ? "cut short" : "neither there nor not");
    if (flag == 0)
        return LEAT_OK;
    if (sub->min > cur_left(k->in))
        return bad(k, "cut short");
    void *p = get_memory(k, sub->size, true, &e);
    if (!p)
        return e;
    memcpy(at, &p, sizeof p);
    return frames_push(&k->s, sub, p, 1);
}

static leat_err get_list(struct decoder *k, char *at, const struct type_plan *sub)
{
    uint64_t n = cur_varint(k->in);
    size_t left = cur_left(k->in);
    leat_err e = LEAT_OK;
    if (k->in->bad)
        return bad(k, "cut short, or a malformed length");
    if (unlikely(k->part != NULL) && sub->raw && n <= LIMIT_LIST) {
        leat_strings whole = { get_part(k, n * sub->size, &e), (uint32_t)n, (uint32_t)n };
        if (whole.at)
            memcpy(at, &whole, sizeof whole);
        if (whole.at || e != LEAT_OK)
            return e;
    }
    if (n > LIMIT_LIST || (sub->min > 0 && n > left / sub->min))
        return frames_fail(&k->s, LEAT_TYPE, "%llu elements announced, %zu bytes left", (unsigned long long)n, left);
    if (n == 0)
        return LEAT_OK;
    bool zeroed = !sub->raw && (!sub->row || k->part);
    void *p = get_memory(k, n * sub->size, zeroed, &e);          /* both factors fit 32 bits */
    if (!p)
        return e;
    leat_strings list = { p, (uint32_t)n, (uint32_t)n };
    memcpy(at, &list, sizeof list);
    if (!sub->raw) {
        e = frames_push(&k->s, sub, p, (uint32_t)n);
        if (unlikely(e != LEAT_OK && !zeroed))
            memset(p, 0, n * sub->size);             /* law 1 */
        k->texts.next = MAX(k->texts.next, n > 1 ? (uint32_t)TEXTS_FIRST : 0u);
        return e;
    }
    memcpy(p, k->in->p, n * sub->size);
    k->in->p += n * sub->size;
    return LEAT_OK;
}

static leat_err get_oneof(struct decoder *k, char *at, const struct type_op *op)
{
    uint64_t n = cur_varint(k->in);
    if (k->in->bad || n > op->n)
        return bad(k, k->in->bad ? "cut short" : "no such case");
    uint32_t which = (uint32_t)n;
    memcpy(at, &which, sizeof which);
    return which > 0 ? frames_push(&k->s, &op->sub[which - 1], at, 1) : LEAT_OK;
}

static leat_err get_end(struct decoder *k, char *at, const struct type_op *op)
{
    uint8_t flag = cur_u8(k->in);
    leat_chan_ *c = NULL;
    if (k->in->bad || flag > 1)
        return bad(k, k->in->bad ? "cut short" : "neither an end nor none");
    if (flag == 0)
        return LEAT_OK;
    if (!k->ends)
        return bad(k, "a channel end cannot arrive here");
    const struct type_bridge *as = op->code == OP_RX && k->as ? op->as : k->as;
    leat_err e = k->ends->get(k->ends, k->in, op->code == OP_RX, op->elem, as, &c);
    if (e != LEAT_OK)
        return frames_wrap(&k->s, e);
    memcpy(at, &c, sizeof c);
    return LEAT_OK;
}

/* The text whose length is the byte at hand, if there is room for it in the block: what nearly all of a row are. */
static inline bool get_short(struct decoder *k, char *at)
{
    struct cur *in = k->in;
    uint32_t n = *in->p;
    if (n == 0 || n >= cur_left(in))
        return false;
    char *p = texts_take(&k->texts, n);
    if (!p)
        return false;
    copy_short(p, in->p + 1, n);
    in->p += n + 1;
    leat_string text = { p, n, texts_mark(&k->texts, p) };
    memcpy(at, &text, sizeof text);
    return true;
}

static leat_err get_error(struct decoder *k, char *at)
{
    for (int row = 1; ; row++) {
        uint32_t code = cur_u32(k->in);
        leat_err e = LEAT_OK, number = (leat_err)(code & ~ERROR_MORE);
        if (k->in->bad)
            return bad(k, "cut short");
        memcpy(at, &number, sizeof number);
        LEAT_TRY(get_text(k, at + offsetof(leat_error, text)));
        if (!(code & ERROR_MORE))
            return LEAT_OK;
        LEAT_TRY(get_text(k, at + offsetof(leat_error, node)));
        LEAT_TRY(get_text(k, at + offsetof(leat_error, details)));
        uint8_t flag = cur_u8(k->in);
        if (k->in->bad || flag > 1)
            return bad(k, k->in->bad ? "cut short" : "an error with neither a cause nor none");
        if (!flag && !error_has_more((leat_error *)(void *)at))
            return bad(k, "an error that announces more and has no more");
        if (!flag)
            return LEAT_OK;
        if (row == LIMIT_ERROR_CHAIN)
            return frames_fail(&k->s, LEAT_TYPE, "over %d errors in a row", LIMIT_ERROR_CHAIN);
        leat_error *cause = get_memory(k, sizeof *cause, true, &e);
        if (!cause)
            return e;
        memcpy(at + offsetof(leat_error, cause), &cause, sizeof cause);
        at = (char *)cause;
    }
}

/* The steps that nearly all are: copies, short texts, the next value of a row.  Leaves f at the first step that is not so; on an
 * error, behind the step that failed. */
static inline leat_err get_fast(struct decoder *k, struct frame *f)
{
    struct cur *in = k->in;
    leat_err e = LEAT_OK;
    for (;;) {
        const struct type_op *op = f->op;
        if (op->code == OP_COPY) {
            if (op->n > cur_left(in))
                return LEAT_OK;
            copy_short(f->base + op->off, in->p, op->n);
            in->p += op->n;
            f->op++;
        } else if (op->code == OP_TEXT) {
            if (in->p == in->end || *in->p >= 0x80)
                return LEAT_OK;
            f->op++;
            if (get_short(k, f->base + op->off))
                continue;
            if ((e = get_text(k, f->base + op->off)) != LEAT_OK)
                return e;
        } else if (op->code == OP_END && f->left > 1) {
            frame_next(f);
        } else {
            return LEAT_OK;
        }
    }
}

static leat_err get_value(struct decoder *k)
{
    for (;;) {
        struct frame *f = frames_top(&k->s);
        leat_err e = f->plan->row && f->op == f->plan->ops && !k->part ? get_rows(k, f) : get_fast(k, f);
        if (unlikely(e != LEAT_OK))
            return e;
        const struct type_op *op = f->op++;
        char *at = f->base + op->off;
        switch (op->code) {
        case OP_COPY: e = get_copy(k, at, op->n); break;
        case OP_BOOL: e = get_bool(k, at); break;
        case OP_TEXT: e = get_text(k, at); break;
        case OP_CSTR: e = get_cstr(k, at); break;
        case OP_CHARS: e = get_chars(k, at, op->n); break;
        case OP_OPTIONAL: e = get_optional(k, at, op->sub); break;
        case OP_LIST: case OP_MAP: e = get_list(k, at, op->sub); break;
        case OP_ONEOF: e = get_oneof(k, at, op); break;
        case OP_TX: case OP_RX: e = get_end(k, at, op); break;
        case OP_ERROR: e = get_error(k, at); break;
        case OP_END:
            if (frames_end(&k->s))
                return LEAT_OK;
            break;
        default: e = get_other(k, at, op);
        }
        if (unlikely(e != LEAT_OK))
            return e;
    }
}

/* The value at k->in by this plan, of which a byte may need ratio of memory.  *v is zero, unless the plan is a row and there is no part.
 * The rest of k is set. */
static leat_err get_planned(struct decoder *k, const struct type_plan *plan, size_t ratio, const leat_type *t,
    void *v)
{
    size_t left = cur_left(k->in) + (k->part ? k->part->len : 0), own;
    if (__builtin_mul_overflow(left, ratio, &own) || __builtin_add_overflow(own, (size_t)LIMIT_DECODE_FREE, &own))
        own = SIZE_MAX;
    if (!k->budget)
        k->budget = &own;
    k->texts = (struct texts){ .next = plan->texts > 1 ? TEXTS_FIRST : 0 };
    frames_init(&k->s, t);
    leat_err e = frames_push(&k->s, plan, v, 1);
    if (e == LEAT_OK)
        e = get_value(k);
    texts_end(&k->texts);
    if (unlikely(e != LEAT_OK)) {
        if (k->ends && k->ends->lost)
            k->ends->lost(k->ends, e);
        leat_drop_(t, v);
        cur_fail(k->in);
    }
    frames_free(&k->s);
    return e;
}

leat_err type_decode_any(const leat_type *t, struct cur *in, void *v, struct type_ends *ends, size_t *budget)
{
    const struct type_info *info = NULL;
    leat_err e = in->bad ? leat_fail(LEAT_TYPE, "%s: cut short", t->name) : type_info_get(t, &info);
    if (unlikely(e != LEAT_OK)) {
        memset(v, 0, t->size);
        cur_fail(in);
        return e;
    }
    const struct type_plan *plan = info->plan;
    if (plan->raw && cur_left(in) >= plan->size) {
        copy_short(v, in->p, plan->size);
        in->p += plan->size;
        return LEAT_OK;
    }
    if (!plan->row)
        memset(v, 0, t->size);
    struct decoder k;
    k.in = in;
    k.ends = ends;
    k.budget = budget;
    k.as = NULL;
    k.part = NULL;
    return get_planned(&k, plan, info->ratio, t, v);
}

leat_err type_decode_as(const struct type_bridge *b, struct cur *in, void *v, struct type_ends *ends, size_t *budget)
{
    struct decoder k;
    memset(v, 0, b->type->size);
    if (in->bad)
        return leat_fail(LEAT_TYPE, "%s: cut short", b->type->name);
    k.in = in;
    k.ends = ends;
    k.budget = budget;
    k.as = b;
    k.part = NULL;
    return get_planned(&k, b->plan, b->ratio, b->type, v);
}

leat_err type_decode_part(const leat_type *t, struct cur *in, void *v, struct type_ends *ends, struct type_part *part)
{
    const struct type_info *info;
    struct decoder k;
    memset(v, 0, t->size);
    if (in->bad)
        return leat_fail(LEAT_TYPE, "%s: cut short", t->name);
    LEAT_TRY(type_info_get(t, &info));
    k.in = in;
    k.ends = ends;
    k.budget = NULL;
    k.as = NULL;
    k.part = part;
    k.start = in->p;
    return get_planned(&k, info->plan, info->ratio, t, v);
}
