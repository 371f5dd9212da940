/* heap.h - the memory of this process, as one finds it: mappings, and the blocks of malloc in them.
 *
 * For leat_leaks, while every other thread stands still: no lock, no malloc.  Blocks are found by walking glibc's heaps from header to
 * header (a layout as old as glibc's malloc); a heap that does not walk to its very end, or is of another allocator, has none, and is
 * then one piece of memory like any other.  AddressSanitizer's blocks are known by what it says of them (heap_san.c). */
#ifndef PLAT_HEAP_H
#define PLAT_HEAP_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "plat/san.h"

struct span { uintptr_t from, to; };

/* Memory for the one who looks, given back as a whole. */
struct scratch { char *mem; size_t used, bytes; };
bool scratch_open(struct scratch *s, size_t bytes);
void scratch_close(struct scratch *s);
void *scratch_take(struct scratch *s, size_t bytes); /* NULL: no more; multiples of 16 */

struct mapping { uintptr_t from, to; bool brk; };    /* readable, and private or writable; brk: the program break's */
bool heap_mappings(struct scratch *s, struct mapping **ret, size_t *n);          /* in order; false: no /proc, or no scratch */

/* The blocks in use in those mappings (in order, but for AddressSanitizer's), and which parts of the mappings they were found in, or are
 * the tool's own.  key: heap_key().  The last HEAP_TAIL bytes of a block may be the header of another. */
enum { HEAP_TAIL = SAN_ADDRESS ? 0 : 8 };
bool heap_blocks(struct scratch *s, const struct mapping *m, size_t n, uintptr_t key, struct span **blocks, size_t *n_blocks,
    struct span **walked, size_t *n_walked);
uintptr_t heap_key(void);                            /* how malloc marks a block that a thread keeps for itself; before all stand still */

/* Before the others are stopped, and behind it: no block comes or goes in between. */
#if SAN_ADDRESS
bool heap_open(void);                                /* false: this thread has variables where they cannot be found (fake stacks) */
void heap_hold(void);
void heap_release(void);
#else
static inline bool heap_open(void) { return true; }
static inline void heap_hold(void) { }
static inline void heap_release(void) { }
#endif

/* Calls fn for pieces of [from, to) that have memory behind them, as copies; at is where a piece was. */
void heap_read(uintptr_t from, uintptr_t to, void (*fn)(void *arg, const uintptr_t *words, size_t n, uintptr_t at), void *arg);
#endif
