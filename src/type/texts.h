/* texts.h - short strings of one decoded value, in blocks of memory, and how each of them is given back.
 *
 * A string that owns memory alone has owned == 1.  One that lies in a block, with others or not, has there how far it is from the block's
 * start, which is more than 1.  The block counts who is left, and goes with the last: strings part company, and threads.  A block is small,
 * so a string that is kept keeps little beside it; that of a value's only string is as large as it. */
#ifndef TYPE_TEXTS_H
#define TYPE_TEXTS_H
#include "base/buf.h"
#include "leat.h"
#include "type/freelist.h"

enum { TEXTS_LONGEST = 256, TEXTS_FIRST = 116, TEXTS_MOST = 4080 };    /* bytes: of a string in a block; of a block */

/* state: TEXTS_ONE for each who is left, and the class of freelist.h */
enum { TEXTS_ONE = 256, TEXTS_MANY = 8192 };
struct texts_block { uint32_t state; char at[]; };

static inline void texts_free(struct texts_block *b, uint32_t class)
{
    if (class < FREELIST_CLASSES)
        freelist_put(b, class);
    else
        mem_free(b);
}

/* `count` strings of the block go. */
static inline void texts_leave(struct texts_block *b, uint32_t count)
{
    uint32_t s = __atomic_load_n(&b->state, __ATOMIC_ACQUIRE);
    if (s / TEXTS_ONE == count || __atomic_sub_fetch(&b->state, count * TEXTS_ONE, __ATOMIC_ACQ_REL) < TEXTS_ONE)
        texts_free(b, s % TEXTS_ONE);
}

/* The blocks of a value that is being decoded.  {0}: none yet.  Who decodes has so many references to the last one that there are enough
 * for its strings, and gives back those that are too many; so a string may go before the value is whole. */
struct texts {
    struct texts_block *block;
    uint32_t used, cap, next, taken;                 /* taken: strings of the block; next: bytes of the next one */
};

static inline void texts_end(struct texts *x)
{
    if (x->block && (x->block->state -= (TEXTS_MANY - x->taken) * TEXTS_ONE) < TEXTS_ONE)    /* nobody else has the value yet */
        texts_free(x->block, x->block->state % TEXTS_ONE);
    x->block = NULL;
    x->cap = x->used = 0;
}

/* Room for n <= TEXTS_LONGEST bytes in the block, or NULL. */
static inline char *texts_take(struct texts *x, uint32_t n)
{
    if (n > x->cap - x->used)
        return NULL;
    char *p = x->block->at + x->used;
    x->used += n;
    x->taken++;
    return p;
}

/* How many bytes the block is to have that n <= TEXTS_LONGEST bytes need, at most `left` of them or n: a value's first string is by itself,
 * unless more was said to come (next). */
static inline size_t texts_room(const struct texts *x, size_t n, size_t left)
{
    size_t room = x->next ? MIN(MAX((size_t)TEXTS_FIRST, (size_t)x->next), left) : n;
    room = MAX(room, n) + sizeof(struct texts_block);
    return room > FREELIST_LARGEST ? room : freelist_bytes(freelist_class(room));
}

/* Memory of so many bytes takes the place of the last block.  false: there is none. */
static inline bool texts_begin(struct texts *x, size_t bytes)
{
    bool large = bytes > FREELIST_LARGEST;
    uint32_t class = large ? (uint32_t)FREELIST_NONE : freelist_class(bytes), room = (uint32_t)(bytes - sizeof(struct texts_block));
    struct texts_block *b = (struct texts_block *)(large ? mem_alloc(bytes) : freelist_take(class));
    if (!b)
        return false;
    texts_end(x);
    b->state = TEXTS_MANY * TEXTS_ONE + class;
    x->block = b;
    x->cap = room;
    x->used = x->taken = 0;
    x->next = room * 2 > TEXTS_MOST ? TEXTS_MOST : room * 2;
    return true;
}

static inline uint32_t texts_mark(const struct texts *x, const char *p) { return (uint32_t)(p - (const char *)x->block); }

/* p[0] to p[n - 1], n > 0, as a string of its own or in a block; `left` bytes may come behind them.  false: no memory */
static inline bool texts_copy(struct texts *x, const void *p, size_t n, size_t left, leat_string *ret)
{
    char *to;
    uint32_t mark = 1;
    if (n > TEXTS_LONGEST) {
        to = (char *)mem_alloc(n);
    } else {
        to = texts_take(x, (uint32_t)n);
        if (unlikely(!to) && texts_begin(x, texts_room(x, n, n + left)))
            to = texts_take(x, (uint32_t)n);
        mark = texts_mark(x, to);
    }
    if (!to)
        return false;
    copy_short(to, p, n);
    *ret = (leat_string){ to, (uint32_t)n, mark };
    return true;
}

static inline struct texts_block *texts_block_of(const leat_string *s) { return (struct texts_block *)(uintptr_t)(s->p - s->owned); }
#endif
