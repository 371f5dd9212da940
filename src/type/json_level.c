/* json_level.c - the stack of json_enc and json_dec, and the path of what is at its top. */
#include "type/json_level.h"
#include <stdarg.h>
#include <stdio.h>
#include "base/limits.h"

struct json_level *json_level_add(struct json_levels *s, leat_err *e)
{
    if (s->stack.len / sizeof(struct json_level) == LIMIT_VALUE_DEPTH) {
        *e = json_level_fail(s, LEAT_LIMIT, "values over %d deep inside each other", LIMIT_VALUE_DEPTH);
        return NULL;
    }
    struct json_level *l = (struct json_level *)(void *)buf_add(&s->stack, sizeof *l);
    *e = l ? LEAT_OK : json_level_fail(s, LEAT_NOMEM, "no memory");
    return l;
}

leat_err json_level_push(struct json_levels *s, const struct json_level *l)
{
    leat_err e;
    struct json_level *to = json_level_add(s, &e);
    if (to)
        *to = *l;
    return e;
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

leat_err json_keys_make(const leat_type *t, struct json_key **ret)
{
    *ret = NULL;
    if (t->kind != LEAT_K_STRUCT_ || t->count == 0)
        return LEAT_OK;
    struct json_key *keys = mem_zalloc(t->count * sizeof *keys);
    if (!keys)
        return leat_fail(LEAT_NOMEM, "the description of %s", t->name);
    for (uint32_t i = 0; i < t->count; i++) {
        const leat_field *f = type_field(t, i);
        const char *name = json_name(f);
        size_t n = strlen(name);
        char text[16] = "\"", mask[16] = { 0 };
        if (f->kind == LEAT_K_LOCAL_ || n + 3 > sizeof text || json_plain((const uint8_t *)name, n, false) < n)
            continue;
        memcpy(text + 1, name, n);
        memcpy(text + 1 + n, "\":", 2);
        memset(mask, 0xff, n + 3);
        memcpy(keys[i].text, text, sizeof text);
        memcpy(keys[i].mask, mask, sizeof mask);
        keys[i].len = n + 3;
    }
    *ret = keys;
    return LEAT_OK;
}
