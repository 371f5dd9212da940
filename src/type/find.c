/* find.c - where in the bytes of a value its first large text or list of numbers begins, when they have not all come.  See codec.h.
 * Goes over the steps of plan.h as decode.c does, but reads lengths only. */
#include "base/limits.h"
#include "type/codec.h"
#include "type/plan.h"

/* How many bytes the step takes, of which `in` has read those that say it.  *large: they are one block in memory.  SIZE_MAX: that
 * is not to be known without decoding. */
static size_t step_bytes(const struct type_op *op, struct cur *in, bool *large)
{
    uint64_t n;
    *large = false;
    switch (op->code) {
    case OP_COPY: return op->n;
    case OP_BOOL: return 1;
    case OP_TEXT:
        *large = true;
        n = cur_varint(in);
        break;
    case OP_CHARS: n = cur_varint(in); break;
    case OP_CSTR:
        n = cur_varint(in);
        n -= n > 0;
        break;
    case OP_LIST:
        *large = op->sub->raw;
        n = cur_varint(in);
        if (n > 0 && !*large)
            return SIZE_MAX;
        n = n > LIMIT_LIST ? UINT64_MAX : n * op->sub->size;     /* both fit 32 bits */
        break;
    case OP_OPTIONAL: case OP_MAP: case OP_ONEOF: case OP_TX: case OP_RX: return cur_u8(in) ? SIZE_MAX : 0;
    default: return SIZE_MAX;
    }
    return n > LIMIT_ELEM ? SIZE_MAX : (size_t)n;
}

bool type_find_part(const leat_type *t, struct cur in, size_t least, struct type_part *ret)
{
    const struct type_info *info = type_info_find(t);
    const uint8_t *start = in.p;
    if (!info || info->plan->raw)
        return false;
    for (const struct type_op *op = info->plan->ops; ; op++) {
        bool large;
        size_t n = step_bytes(op, &in, &large);
        if (in.bad || n == SIZE_MAX)
            return false;
        if (large && n >= least && n > cur_left(&in)) {
            *ret = (struct type_part){ .at = (size_t)(in.p - start), .len = n };
            return true;
        }
        if (!cur_take(&in, n))
            return false;
    }
}
