/* frames.c - the stack of encode and decode when it grows, and the path that it is. */
#include "type/frames.h"
#include <stdarg.h>
#include <stdio.h>
#include "base/alloc.h"
#include "base/limits.h"

void frames_free(struct frames *s)
{
    if (s->at != s->small)
        mem_free(s->at);
}

leat_err frames_more_(struct frames *s)
{
    if (s->cap >= LIMIT_VALUE_DEPTH)
        return frames_fail(s, LEAT_LIMIT, "nested over %d deep", LIMIT_VALUE_DEPTH);
    uint32_t cap = MIN(s->cap * 4, (uint32_t)LIMIT_VALUE_DEPTH);
    struct frame *more = mem_realloc(s->at == s->small ? NULL : s->at, cap * sizeof *more);
    if (!more)
        return frames_fail(s, LEAT_NOMEM, "no memory");
    if (s->at == s->small)
        memcpy(more, s->small, sizeof s->small);
    s->at = more;
    s->cap = cap;
    return LEAT_OK;
}

static void path_of(const struct frames *s, char *text, size_t cap)
{
    size_t n = (size_t)snprintf(text, cap, "%s", s->type->name);
    for (uint32_t i = 0; i < s->depth && n < cap; i++) {
        const struct frame *f = &s->at[i];
        const struct type_op *op = f->op - (f->op > f->plan->ops);
        if (*op->name)
            n += (size_t)snprintf(text + n, cap - n, ".%s", op->name);
        if (n < cap && i + 1 < s->depth && (op->code == OP_LIST || op->code == OP_MAP))
            n += (size_t)snprintf(text + n, cap - n, "[%u]", f[1].count - f[1].left);
    }
}

leat_err frames_fail(const struct frames *s, leat_err e, const char *fmt, ...)
{
    char path[256], text[128];
    va_list a;
    va_start(a, fmt);
    vsnprintf(text, sizeof text, fmt, a);
    va_end(a);
    path_of(s, path, sizeof path);
    return leat_fail(e, "%s: %s", path, text);
}

leat_err frames_wrap(const struct frames *s, leat_err e)
{
    char path[256];
    path_of(s, path, sizeof path);
    return leat_wrap(e, "%s", path);
}
