/* rows.c - the values of plans that are nothing but copies, bools and texts: what most values are.
 *
 * A row has at least plan->min bytes.  Whether those are there is asked once; each text asks only whether what it has beyond the byte of
 * its length, which is in them, is there too, and what it leaves is `slack`.  What cannot be taken is left to decode.c, which will say why.
 * Law.  Values are written and not zeroed first, so before anybody else may look at them, all from the step that stopped is zeroed. */
#include "type/decoder.h"

/* == One by itself ======================================================================================================= */

/* A block for `slack` bytes of texts, at most FREELIST_LARGEST with its head, with its class in *state. */
static inline struct texts_block *take_block(size_t slack, uint32_t *state)
{
    *state = freelist_class(slack + sizeof(struct texts_block));
    return (struct texts_block *)freelist_take(*state);
}

/* n bytes, 0 < n < 128, without a call: so what is in registers may stay there. */
static inline void copy_text(char *to, const uint8_t *p, uint32_t n)
{
    if (n >= 16) {
        memcpy(to, p, 16);
        for (uint32_t i = 16; unlikely(i + 16 < n); i += 16)
            memcpy(to + i, p + i, 16);
        memcpy(to + n - 16, p + n - 16, 16);
    } else if (n >= 8) {
        memcpy(to, p, 8);
        memcpy(to + n - 8, p + n - 8, 8);
    } else if (n >= 4) {
        memcpy(to, p, 4);
        memcpy(to + n - 4, p + n - 4, 4);
    } else {
        to[0] = (char)p[0];
        to[n / 2] = (char)p[n / 2];
        to[n - 1] = (char)p[n - 1];
    }
}

enum alone { OTHER, DONE, NO_MEMORY };

/* The value of a row, if it is as usual and its texts are few bytes, which then share a block.  OTHER: it is not; nothing was read, and *v
 * may be anything.  (A cursor that is bad has no bytes.)  Takes at most LIMIT_DECODE_FREE of memory.
 * Steps are asked for in an order in which they often come, so that most branches are not taken: a jump to each takes longer. */
static inline enum alone get_alone(const struct type_plan *plan, struct cur *in, char *v)
{
    const uint8_t *p = in->p;
    size_t left = cur_left(in), slack = left - plan->min;
    struct texts_block *b = NULL;
    uint32_t state = 0;                              /* of the block */
    char *to = NULL;                                 /* of the next text in it */
    if (unlikely(left < plan->min || slack > FREELIST_LARGEST - sizeof *b))
        return OTHER;
    if (unlikely(!plan->whole))
        memset(v, 0, plan->size);
    if (likely(plan->texts && slack > 0)) {
        if (unlikely(!(b = take_block(slack, &state))))
            return NO_MEMORY;
        to = b->at;
    }
    for (const struct type_op *op = plan->ops;;) {
        if (op->how == ROW_COPY_8) {
            memcpy(v + op->off, p, 8);
            p += 8;
            op++;
        }
        if (likely(op->how == ROW_TEXT)) {
            uint32_t n = *p++;
            leat_string text = { 0 };
            if (unlikely(n >= 0x80 || n > slack))
                break;
            if (likely(n > 0)) {
                text = (leat_string){ to, n, (uint32_t)(to - (char *)b) };
                copy_text(to, p, n);
                state += TEXTS_ONE;
                to += n;
                p += n;
                slack -= n;
            }
            memcpy(v + op->off, &text, sizeof text);
            op++;
        }
        if (op->how == ROW_COPY_32) {
            uint32_t n = op->n;
            memcpy(v + op->off, p, 16);
            memcpy(v + op->off + n - 16, p + n - 16, 16);
            p += n;
            op++;
        }
        if (likely(op->how == ROW_END)) {
            in->p = p;
            if (likely(state >= TEXTS_ONE))
                b->state = state;
            else if (b)
                texts_free(b, state);
            return DONE;
        }
        if (unlikely(op->how == ROW_COPY)) {
            copy_short(v + op->off, p, op->n);
            p += op->n;
            op++;
        } else if (unlikely(op->how == ROW_BOOL)) {
            if (*p > 1)
                break;
            v[op->off] = (char)*p++;
            op++;
        }
    }
    if (b)
        texts_free(b, state % TEXTS_ONE);
    return OTHER;
}

leat_err type_decode(const leat_type *t, struct cur *in, void *v, struct type_ends *ends, size_t *budget)
{
    const struct type_info *info = type_info_find(t);
    if (!likely(info && info->plan->row && !budget))
        return type_decode_any(t, in, v, ends, budget);
    enum alone a = get_alone(info->plan, in, v);
    if (likely(a == DONE))
        return LEAT_OK;
    if (a == OTHER)
        return type_decode_any(t, in, v, ends, NULL);
    memset(v, 0, t->size);
    cur_fail(in);
    return leat_fail(LEAT_NOMEM, "%s: no memory", t->name);
}

/* == Many, or what is not as usual ======================================================================================= */

/* The frame stops at op of the value at base; the bytes at p are for it.  It and all behind it becomes zero. */
static void stop(struct decoder *k, struct frame *f, const struct type_op *op, char *base, uint32_t left, const uint8_t *p)
{
    const struct type_plan *plan = f->plan;
    for (const struct type_op *o = op; plan->whole && o->code != OP_END; o++)      /* else it was zero before */
        memset(base + o->off, 0, o->code == OP_TEXT ? sizeof(leat_string) : o->n);
    memset(base + plan->size, 0, (size_t)(left - 1) * plan->size);
    k->in->p = p;
    f->op = op;
    f->base = base;
    f->left = left;
}

/* A text for which there is no room in the block, or that is long.  false: it cannot be had, and nothing was read; or *e. */
static bool get_rare(struct decoder *k, struct frame *f, const struct type_op *op, char *base, uint32_t left, const uint8_t **p,
    size_t *slack, leat_err *e)
{
    struct cur ahead = { *p, k->in->end, false };
    uint64_t n = cur_varint(&ahead);
    size_t more = (size_t)(ahead.p - *p) - 1;
    if (ahead.bad || more > *slack || n > *slack - more || n > LIMIT_LIST)
        return false;
    k->in->p = *p;
    f->op = op + 1;
    f->base = base;
    f->left = left;
    *e = get_text(k, base + op->off);
    if (*e != LEAT_OK)
        return false;
    *slack -= more + (size_t)n;
    *p = k->in->p;
    return true;
}

/* The text that is next, if there is room for it in the block. */
static inline bool get_usual(struct texts *x, const uint8_t **p, size_t *slack, char *at)
{
    uint32_t n = **p;
    leat_string text = { 0 };
    if (unlikely(n >= 0x80 || n > *slack))
        return false;
    if (likely(n > 0)) {
        char *to = texts_take(x, n);
        if (unlikely(!to))
            return false;
        copy_short(to, *p + 1, n);
        text = (leat_string){ to, n, texts_mark(x, to) };
    }
    *p += n + 1;
    *slack -= n;
    memcpy(at, &text, sizeof text);
    return true;
}

leat_err get_rows(struct decoder *k, struct frame *f)
{
    const struct type_plan *plan = f->plan;
    const uint8_t *p = k->in->p, *end = k->in->end;
    char *base = f->base;
    leat_err e = LEAT_OK;
    for (uint32_t left = f->left;; left--, base += plan->size) {
        const struct type_op *op = plan->ops;
        size_t slack = (size_t)(end - p) - plan->min;
        if (!plan->whole)
            memset(base, 0, plan->size);
        if (unlikely((size_t)(end - p) < plan->min)) {
            stop(k, f, op, base, left, p);
            return LEAT_OK;
        }
        for (;; op++) {
            char *at = base + op->off;
            if (op->how == ROW_COPY_8) {
                memcpy(at, p, 8);
                p += 8;
            } else if (op->how == ROW_TEXT) {
                if (unlikely(!get_usual(&k->texts, &p, &slack, at)) && !get_rare(k, f, op, base, left, &p, &slack, &e)) {
                    stop(k, f, op, base, left, p);
                    return e;
                }
            } else if (op->how == ROW_COPY_32) {
                memcpy(at, p, 16);
                memcpy(at + op->n - 16, p + op->n - 16, 16);
                p += op->n;
            } else if (op->how == ROW_COPY) {
                copy_short(at, p, op->n);
                p += op->n;
            } else if (op->how == ROW_END) {
                break;
            } else if (likely(*p <= 1)) {
                *at = (char)*p++;
            } else {
                stop(k, f, op, base, left, p);
                return LEAT_OK;
            }
        }
        if (left == 1) {
            stop(k, f, op, base, left, p);
            return LEAT_OK;
        }
    }
}
