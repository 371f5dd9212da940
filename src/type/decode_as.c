/* decode_as.c - the steps that only plans for another type have (bridge.h): what is widened, wrapped, or skipped.
 *
 * What is skipped is read as carefully as what is kept, but takes no memory: a frame of it has values of 0 bytes, whose place nobody
 * looks at.  An end of a channel that is skipped is taken and let go of at once, so that the other side learns that nobody has it. */
#include "type/decoder.h"

/* little-endian numbers, one after the other; what is added is zeros or the sign */
static leat_err get_widened(struct decoder *k, char *at, const struct type_op *op)
{
    const uint8_t *p = cur_take(k->in, (size_t)op->n * op->from);
    if (!p)
        return bad(k, "cut short");
    for (uint32_t i = 0; i < op->n; i++, p += op->from, at += op->to) {
        if (op->fill == WIDEN_FLOAT) {
            float f;
            memcpy(&f, p, sizeof f);
            double d = (double)f;
            memcpy(at, &d, sizeof d);
            continue;
        }
        memcpy(at, p, op->from);
        memset(at + op->from, op->fill == WIDEN_SIGN && (p[op->from - 1] & 0x80) ? 0xff : 0, (size_t)(op->to - op->from));
    }
    return LEAT_OK;
}

/* a cstr to a string: NULL is empty */
static leat_err get_text_cstr(struct decoder *k, char *at)
{
    uint64_t n = cur_varint(k->in);
    leat_err e = LEAT_OK;
    if (k->in->bad || (n > 0 && n - 1 > cur_left(k->in)) || n > LIMIT_LIST)
        return bad(k, "cut short, or a malformed length");
    if (n <= 1)
        return LEAT_OK;
    if (memchr(k->in->p, 0, n - 1))
        return bad(k, "a NUL inside");
    char *p = get_memory(k, n - 1, false, &e);
    if (!p)
        return e;
    memcpy(p, cur_take(k->in, n - 1), n - 1);
    leat_string text = { p, (uint32_t)(n - 1), 1 };
    memcpy(at, &text, sizeof text);
    return LEAT_OK;
}

static leat_err get_wrapped(struct decoder *k, char *at, const struct type_op *op)
{
    leat_err e = LEAT_OK;
    if (op->sub->min > cur_left(k->in))
        return bad(k, "cut short");
    void *p = get_memory(k, op->sub->size, true, &e);
    if (!p)
        return e;
    memcpy(at, &p, sizeof p);
    return frames_push(&k->s, op->sub, p, 1);
}

/* an optional of which only what is inside is wanted, or nothing: there it is zero when it is not here */
static leat_err get_unwrapped(struct decoder *k, char *at, const struct type_op *op)
{
    uint8_t flag = cur_u8(k->in);
    if (k->in->bad || flag > 1)
        return bad(k, k->in->bad ? "cut short" : "neither there nor not");
    return flag ? frames_push(&k->s, op->sub, at, 1) : LEAT_OK;
}

/* the steps of each case say first which one it is here; those of one that is not here only skip */
static leat_err get_cases(struct decoder *k, char *at, const struct type_op *op)
{
    uint64_t n = cur_varint(k->in);
    if (k->in->bad || n > op->n)
        return bad(k, k->in->bad ? "cut short" : "no such case");
    return n > 0 ? frames_push(&k->s, &op->sub[n - 1], at, 1) : LEAT_OK;
}

static leat_err skip_text(struct decoder *k)
{
    uint64_t n;
    LEAT_TRY(get_length(k, &n));
    cur_take(k->in, n);
    return LEAT_OK;
}

static leat_err skip_cstr(struct decoder *k)
{
    uint64_t n = cur_varint(k->in);
    if (k->in->bad || (n > 0 && n - 1 > cur_left(k->in)))
        return bad(k, "cut short, or a malformed length");
    cur_take(k->in, n > 0 ? (size_t)n - 1 : 0);
    return LEAT_OK;
}

static leat_err skip_error(struct decoder *k)
{
    for (int row = 1; ; row++) {
        uint32_t code = cur_u32(k->in);
        LEAT_TRY(skip_text(k));
        if (!(code & ERROR_MORE))
            return LEAT_OK;
        size_t was = cur_left(k->in);
        LEAT_TRY(skip_text(k));
        LEAT_TRY(skip_text(k));
        bool some = was - cur_left(k->in) > 2;       /* two lengths of 0 are two bytes */
        uint8_t flag = cur_u8(k->in);
        if (k->in->bad || flag > 1 || (!flag && !some))
            return bad(k, k->in->bad ? "cut short" : "an error that announces what it has not");
        if (!flag)
            return LEAT_OK;
        if (row == LIMIT_ERROR_CHAIN)
            return frames_fail(&k->s, LEAT_TYPE, "over %d errors in a row", LIMIT_ERROR_CHAIN);
    }
}

static leat_err skip_list(struct decoder *k, char *at, const struct type_op *op)
{
    uint64_t n = cur_varint(k->in);
    size_t left = cur_left(k->in);
    if (k->in->bad)
        return bad(k, "cut short, or a malformed length");
    if (n > LIMIT_LIST || (op->sub->min > 0 && n > left / op->sub->min))
        return frames_fail(&k->s, LEAT_TYPE, "%llu elements announced, %zu bytes left", (unsigned long long)n, left);
    if (n == 0 || op->sub->ops->code == OP_END)      /* of no bytes each: nothing to skip, however many */
        return LEAT_OK;
    return frames_push(&k->s, op->sub, at, (uint32_t)n);
}

static leat_err skip_end(struct decoder *k, const struct type_op *op)
{
    bool rx = op->code == OP_SKIP_RX;
    uint8_t flag = cur_u8(k->in);
    leat_chan_ *c = NULL;
    if (k->in->bad || flag > 1)
        return bad(k, k->in->bad ? "cut short" : "neither an end nor none");
    if (flag == 0)
        return LEAT_OK;
    if (!k->ends)
        return bad(k, "a channel end cannot arrive here");
    leat_err e = k->ends->get(k->ends, k->in, rx, &type_nothing, rx ? op->as : k->as, &c);
    if (e != LEAT_OK)
        return frames_wrap(&k->s, e);
    leat_unref_end_(c, rx ? LEAT_RX_END_ : LEAT_TX_END_);
    return LEAT_OK;
}

leat_err get_other(struct decoder *k, char *at, const struct type_op *op)
{
    switch (op->code) {
    case OP_WIDEN: return get_widened(k, at, op);
    case OP_TEXT_CSTR: return get_text_cstr(k, at);
    case OP_WRAP: return get_wrapped(k, at, op);
    case OP_UNWRAP: case OP_SKIP_OPTIONAL: return get_unwrapped(k, at, op);
    case OP_WHICH: memcpy(at, &op->n, sizeof op->n); return LEAT_OK;
    case OP_CASES: return get_cases(k, at, op);
    case OP_SKIP: return cur_take(k->in, op->n) ? LEAT_OK : bad(k, "cut short");
    case OP_SKIP_TEXT: return skip_text(k);
    case OP_SKIP_ERROR: return skip_error(k);
    case OP_SKIP_CSTR: return skip_cstr(k);
    case OP_SKIP_LIST: return skip_list(k, at, op);
    default: return skip_end(k, op);
    }
}
