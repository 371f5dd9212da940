/* frames.h - where encode and decode are in a value: a stack of their own, so that a deep value takes heap and not a task's stack.
 * Each frame is a row of `count` values, `left` of which are not done, and the next step of the one at base. */
#ifndef TYPE_FRAMES_H
#define TYPE_FRAMES_H
#include "type/plan.h"

enum { FRAMES_SMALL = 12 };

struct frame { const struct type_plan *plan; const struct type_op *op; char *base; uint32_t left, count; };

struct frames {
    struct frame *at;                                /* = small, until it is too small */
    uint32_t depth, cap;
    const leat_type *type;                           /* of the whole value */
    struct frame small[FRAMES_SMALL];
};

static inline void frames_init(struct frames *s, const leat_type *t)
{
    s->at = s->small;
    s->depth = 0;
    s->cap = FRAMES_SMALL;
    s->type = t;
}
static inline struct frame *frames_top(struct frames *s) { return &s->at[s->depth - 1]; }
void frames_free(struct frames *s);
LEAT_CHECK leat_err frames_more_(struct frames *s);

/* count > 0 values that lie at base.  LIMIT: too deep; NOMEM */
LEAT_CHECK static inline leat_err frames_push(struct frames *s, const struct type_plan *plan, void *base, uint32_t count)
{
    if (unlikely(s->depth == s->cap))
        LEAT_TRY(frames_more_(s));
    s->at[s->depth++] = (struct frame){ plan, plan->ops, base, count, count };
    return LEAT_OK;
}

/* On to the next value of a row that has one. */
static inline void frame_next(struct frame *f)
{
    f->left--;
    f->base += f->plan->size;
    f->op = f->plan->ops;
}

/* The value at the top is done.  true: it was the whole. */
static inline bool frames_end(struct frames *s)
{
    struct frame *f = frames_top(s);
    if (f->left == 1)
        return --s->depth == 0;
    frame_next(f);
    return false;
}

/* sets the detail to "shard.words[3].text: ..." of the step that was taken last; returns e */
LEAT_CHECK leat_err frames_fail(const struct frames *s, leat_err e, const char *fmt, ...) LEAT_PRINTF_(3, 4);
LEAT_CHECK leat_err frames_wrap(const struct frames *s, leat_err e);        /* puts the path before the detail there is */
#endif
