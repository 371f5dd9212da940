/* json_level.c - the stack of json_enc and json_dec, and the path of what is at its top. */
#include "type/json_level.h"
#include <stdarg.h>
#include <stdio.h>
#include "base/limits.h"

leat_err json_level_push(struct json_levels *s, const struct json_level *l)
{
    if (s->stack.len / sizeof *l == LIMIT_VALUE_DEPTH)
        return json_level_fail(s, LEAT_LIMIT, "values over %d deep inside each other", LIMIT_VALUE_DEPTH);
    buf_put(&s->stack, l, sizeof *l);
    return buf_err(&s->stack) == LEAT_OK ? LEAT_OK : json_level_fail(s, LEAT_NOMEM, "no memory");
}

enum { PATH = 200 };

static int add(char *path, int n, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
static int add(char *path, int n, const char *fmt, ...)
{
    va_list a;
    va_start(a, fmt);
    int more = vsnprintf(path + n, (size_t)(PATH - n), fmt, a);
    va_end(a);
    return n + more < PATH ? n + more : PATH - 1;
}

leat_err json_level_fail(const struct json_levels *s, leat_err e, const char *fmt, ...)
{
    char path[PATH], text[PATH];
    const struct json_level *l = (const void *)s->stack.p, *end = l + s->stack.len / sizeof *l;
    int n = add(path, 0, "%s", s->root->name);
    for (; l < end; l++)
        if (l->row == ROW_STRUCT || l->row == ROW_CASE)
            n = l->i > 0 ? add(path, n, ".%s", type_field(l->type, l->i - 1)->name) : n;
        else if (l->i > 0)
            n = add(path, n, "[%u]", l->i - 1);
    va_list a;
    va_start(a, fmt);
    vsnprintf(text, sizeof text, fmt, a);
    va_end(a);
    return leat_fail(e, "%s: %s", path, text);
}
