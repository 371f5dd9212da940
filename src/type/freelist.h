/* freelist.h - small blocks of memory that a thread gave back and may soon need again, so that the strings of short values do not go by
 * malloc each time.
 *
 * Laws.  1. A block is from malloc, is of one of a few sizes (its class), and is in one thread's hands: no lock, no atomic step.  It may
 * be given back by another thread than took it.
 * 2. A thread keeps at most FREELIST_EACH of a class, and none once it has ended.
 * 3. Where something watches the use of memory (AddressSanitizer, ThreadSanitizer, valgrind) nothing is kept, so that it sees every use
 * of what was given back.
 * 4. Taking asks the hook of alloc.h first, as every other allocation.
 * To be called where no task can change threads in between. */
#ifndef TYPE_FREELIST_H
#define TYPE_FREELIST_H
#include "base/alloc.h"
#include "base/base.h"

enum { FREELIST_LARGEST = 264, FREELIST_CLASSES = 17, FREELIST_EACH = 15, FREELIST_NONE = 255 };     /* NONE: the class of what is not */

struct freelist_bin { void *head; uint64_t room; };  /* the next of each is its first word; so many more may come */
struct freelist { struct freelist_bin bin[FREELIST_CLASSES]; };       /* by class */

/* never NULL: of a thread that keeps nothing, or nothing yet, one where nothing is and nothing may come */
extern __thread struct freelist *freelist_mine __attribute__((tls_model("initial-exec")));
void freelist_put_(void *p, uint32_t class);

static inline uint32_t freelist_class(size_t n) { return (uint32_t)(n + 7) >> 4; }       /* for 0 < n <= FREELIST_LARGEST bytes */
static inline size_t freelist_bytes(uint32_t class) { return (size_t)class * 16 + 8; }

void freelist_give_back(void);                       /* all that the calling thread keeps */

void *freelist_take_(uint32_t class);                /* by malloc and the hook */
static inline void *freelist_take(uint32_t class)    /* NULL: no memory */
{
    struct freelist_bin *b = &freelist_mine->bin[class];
    void *p = b->head;
    if (unlikely(!p || __atomic_load_n(&mem_hook, __ATOMIC_RELAXED)))
        return freelist_take_(class);
    __builtin_memcpy(&b->head, p, sizeof p);
    b->room++;
    return p;
}

static inline void freelist_put(void *p, uint32_t class)
{
    struct freelist_bin *b = &freelist_mine->bin[class];
    if (unlikely(!b->room)) {
        freelist_put_(p, class);
        return;
    }
    b->room--;
    __builtin_memcpy(p, &b->head, sizeof p);
    b->head = p;
}
#endif
