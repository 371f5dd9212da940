/* block.h - small pieces of memory that come and go with tasks (channels): each worker keeps some that were given back.
 * It is malloc's memory: any thread may give it back, also after the runtime.  Under a tool that watches memory
 * (AddressSanitizer, ThreadSanitizer, valgrind) nothing is kept, so that it sees every allocation and every use after the end. */
#ifndef RUN_BLOCK_H
#define RUN_BLOCK_H
#include <stdlib.h>
#include "base/alloc.h"
#include "run/sched.h"

enum { BLOCK = 256, BLOCKS_MAX = 256 };              /* bytes of one that is kept; how many a worker keeps at the most */

struct block { struct block *next; };

#if SAN_ADDRESS || SAN_THREAD
static inline void *block_alloc(size_t bytes) { return mem_fails(bytes) ? NULL : aligned_alloc(64, (bytes + 63) & ~(size_t)63); }
static inline void block_free(void *p, size_t bytes) { (void)bytes; free(p); }
#else
/* 64-byte aligned; NULL: no memory. */
static inline void *block_alloc(size_t bytes)
{
    struct worker *w = worker_self();
    struct block *b = w ? w->blocks : NULL;
    if (mem_fails(bytes))
        return NULL;
    if (bytes > BLOCK)
        return aligned_alloc(64, (bytes + 63) & ~(size_t)63);
    if (!b)
        return aligned_alloc(64, BLOCK);
    w->blocks = b->next;
    w->blocks_room++;
    return b;
}

/* bytes: as it was asked for.  NULL is fine. */
static inline void block_free(void *p, size_t bytes)
{
    struct worker *w = worker_self();
    struct block *b = p;
    if (!b || bytes > BLOCK || !w || !w->blocks_room) {
        free(p);
        return;
    }
    b->next = w->blocks;
    w->blocks = b;
    w->blocks_room--;
}
#endif

static inline void blocks_free(struct worker *w)
{
    for (struct block *b = w->blocks, *next; b; b = next) {
        next = b->next;
        free(b);
    }
}
#endif
