/* alloc.h - where memory comes from, and the seam by which tests and the simulation make it run out.
 *
 * Memory of values belongs to the program that receives them, which may use free() on it: so this is malloc with a hook and no
 * more.  The hook is set before the threads it concerns start, and is NULL in ordinary programs. */
#ifndef BASE_ALLOC_H
#define BASE_ALLOC_H
#include <stdlib.h>
#include "base/base.h"

typedef bool mem_hook_fn(void *self, size_t bytes);  /* true: this allocation fails */
struct mem_hook { mem_hook_fn *fn; void *self; };
extern const struct mem_hook *mem_hook;

static inline bool mem_fails(size_t n)
{
    const struct mem_hook *h = __atomic_load_n(&mem_hook, __ATOMIC_RELAXED);
    return unlikely(h != NULL) && h->fn(h->self, n);
}
static inline void *mem_alloc(size_t n) { return mem_fails(n) ? NULL : malloc(n); }
static inline void *mem_zalloc(size_t n) { return mem_fails(n) ? NULL : calloc(1, n); }
static inline void *mem_realloc(void *p, size_t n) { return mem_fails(n) ? NULL : realloc(p, n); }    /* n > 0; on NULL p stays */
static inline void mem_free(void *p) { free(p); }
static inline char *mem_strdup(const char *text)
{
    size_t n = __builtin_strlen(text) + 1;
    char *p = (char *)mem_alloc(n);
    return p ? (char *)__builtin_memcpy(p, text, n) : NULL;
}
#endif
