/* decoder.h - what decode.c and decode_as.c share: bytes that are being read.  The laws are decode.c's. */
#ifndef TYPE_DECODER_H
#define TYPE_DECODER_H
#include "base/alloc.h"
#include "base/limits.h"
#include "type/bridge.h"
#include "type/error.h"
#include "type/frames.h"
#include "type/texts.h"

struct decoder {
    struct cur *in;
    struct type_ends *ends;
    size_t *budget;
    const struct type_bridge *as;                    /* NULL: the writer's type is one's own */
    struct type_part *part;                          /* NULL, or one that the value has not taken yet */
    const uint8_t *start;                            /* with part: of the value */
    struct texts texts;
    struct frames s;
};

static inline leat_err bad(struct decoder *k, const char *what) { return frames_fail(&k->s, LEAT_TYPE, "%s", what); }

/* whether the budget pays for n bytes; else *e says that it does not */
static inline bool can_pay(struct decoder *k, uint64_t n, leat_err *e)
{
    if (likely(n + LIMIT_DECODE_BLOCK <= *k->budget))
        return true;
    *e = frames_fail(&k->s, LEAT_LIMIT, "needs more memory than is allowed for bytes received");
    return false;
}

/* memory that the budget pays for; NULL: *e says why not */
static inline void *get_memory(struct decoder *k, uint64_t n, bool zeroed, leat_err *e)
{
    if (!can_pay(k, n, e))
        return NULL;
    void *p = zeroed ? mem_zalloc((size_t)n) : mem_alloc((size_t)n);
    if (!p)
        *e = frames_fail(&k->s, LEAT_NOMEM, "no memory");
    else
        *k->budget -= (size_t)n + LIMIT_DECODE_BLOCK;
    return p;
}

/* a length of which as many bytes are there; the largest fits 32 bits */
static inline leat_err get_length(struct decoder *k, uint64_t *ret)
{
    *ret = cur_varint(k->in);
    if (unlikely(k->in->bad))
        return bad(k, "cut short, or a malformed length");
    if (unlikely(*ret > cur_left(k->in) || *ret > LIMIT_LIST))
        return frames_fail(&k->s, LEAT_TYPE, "%llu bytes announced, %zu left", (unsigned long long)*ret, cur_left(k->in));
    return LEAT_OK;
}

/* decode.c: a text is next, with its length; of these steps and of those in rows.c the one that is taken is the last before f->op */
leat_err get_text(struct decoder *k, char *at);
/* rows.c: the values of the frame, whose plan is a row and of which none was begun; they need not be zero.  The frame is then at the last
 * one's END, or at a step that cannot be taken, with nothing but zeros from there on; on an error, behind it. */
leat_err get_rows(struct decoder *k, struct frame *f);
/* decode.c: type_decode of what rows.c does not read at once */
leat_err type_decode_any(const leat_type *t, struct cur *in, void *v, struct type_ends *ends, size_t *budget);
/* decode_as.c: a step from OP_OWN on */
leat_err get_other(struct decoder *k, char *at, const struct type_op *op);
#endif
