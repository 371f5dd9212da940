/* futex.h - sleep until a word changes.  Both may return early without cause: callers loop on their word. */
#ifndef PLAT_FUTEX_H
#define PLAT_FUTEX_H
#include <stdatomic.h>
#include <stdint.h>

void plat_futex_wait(_Atomic uint32_t *word, uint32_t is, int64_t limit_ns);   /* limit_ns < 0: for ever */
void plat_futex_wake(_Atomic uint32_t *word, int count);
#endif
