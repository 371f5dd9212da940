/* base.h - the few words every floor uses.  No OS, no runtime, no state.  Any file may include it. */
#ifndef BASE_BASE_H
#define BASE_BASE_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define likely(x)   __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)

#define ARRAY_LEN(a) (sizeof(a) / sizeof *(a) + 0 * sizeof(struct { \
    _Static_assert(!__builtin_types_compatible_p(__typeof__(a), __typeof__(&(a)[0])), "ARRAY_LEN of a pointer"); char x; }))

/* the struct of type T whose member m is at p */
#define container_of(p, T, m) __extension__ ({ const __typeof__(((T *)0)->m) *co_ = (p); \
    (T *)(void *)((char *)(uintptr_t)co_ - offsetof(T, m)); })

/* each argument is evaluated once; both must have one type, so that a sign is never lost in silence */
#define MIN(a, b) __extension__ ({ __typeof__(a) min_a = (a); __typeof__(b) min_b = (b); \
    (void)(&min_a == &min_b); min_a < min_b ? min_a : min_b; })
#define MAX(a, b) __extension__ ({ __typeof__(a) max_a = (a); __typeof__(b) max_b = (b); \
    (void)(&max_a == &max_b); max_a > max_b ? max_a : max_b; })

static inline size_t align_up(size_t n, size_t to) { return (n + to - 1) & ~(to - 1); }       /* `to` is a power of two */
#endif
