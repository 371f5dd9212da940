/* own.c - how a program builds values: strings that borrow or own, lists that grow, optionals.  Who owns what: leat/node.h. */
#include "base/alloc.h"
#include "base/limits.h"
#include "base/base.h"
#include <string.h>
#include "leat.h"

enum { LIST_FIRST = 8 };

leat_string leat_string_of(const char *s)
{
    size_t n = s ? strlen(s) : 0;
    return (leat_string){ s, (uint32_t)MIN(n, (size_t)LIMIT_LIST), 0 };
}

leat_string leat_string_view(const char *p, uint32_t len) { return (leat_string){ p, len, 0 }; }

/* an owned copy of n bytes at *p, NULL when n is 0 */
static leat_err copy_bytes(const void *from, size_t n, void **p)
{
    *p = NULL;
    if (n > LIMIT_LIST)
        return leat_fail(LEAT_LIMIT, "%zu bytes are too many for one string", n);
    if (n > 0 && !(*p = mem_alloc(n)))
        return leat_fail(LEAT_NOMEM, "no memory for a string of %zu bytes", n);
    if (n > 0)
        memcpy(*p, from, n);
    return LEAT_OK;
}

leat_err leat_string_dup(const char *p, size_t len, leat_string *ret)
{
    void *copy;
    LEAT_TRY(copy_bytes(p, len, &copy));
    *ret = (leat_string){ copy, (uint32_t)len, copy != NULL };
    return LEAT_OK;
}

leat_err leat_bytes_dup(const void *p, size_t len, leat_bytes *ret)
{
    void *copy;
    LEAT_TRY(copy_bytes(p, len, &copy));
    *ret = (leat_bytes){ copy, (uint32_t)len, copy != NULL };
    return LEAT_OK;
}

void *leat_new_(size_t size) { return mem_zalloc(size); }

leat_err leat_push_(void *list, size_t size, const void *value)
{
    leat_strings l;                                  /* all lists are laid out alike */
    memcpy(&l, list, sizeof l);
    if (l.cap == 0 && l.at)
        return leat_fail(LEAT_INVAL, "push to a list that borrows its array");
    if (l.len >= l.cap) {
        uint64_t cap = l.cap ? (uint64_t)l.cap * 2 : LIST_FIRST;
        if (l.len == LIMIT_LIST)
            return leat_fail(LEAT_LIMIT, "a list has at most %u elements", LIMIT_LIST);
        cap = MIN(cap, (uint64_t)LIMIT_LIST);
        size_t bytes;
        void *at = __builtin_mul_overflow((size_t)cap, size, &bytes) ? NULL : mem_realloc(l.at, bytes);
        if (!at)
            return leat_fail(LEAT_NOMEM, "no memory for a list of %llu elements", (unsigned long long)cap);
        l.at = at;
        l.cap = (uint32_t)cap;
    }
    memcpy((char *)l.at + (size_t)l.len * size, value, size);
    l.len++;
    memcpy(list, &l, sizeof l);
    return LEAT_OK;
}
