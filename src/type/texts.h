/* texts.h - short strings of one decoded value, several in a block of memory, and how each of them is given back.
 *
 * A string that owns memory alone has owned == 1.  One that lies in a block with others has there how far it is from the block's start,
 * which is more than 1.  The block counts who is left, and goes with the last: strings part company, and threads.  A block is small, so a
 * string that is kept keeps little beside it. */
#ifndef TYPE_TEXTS_H
#define TYPE_TEXTS_H
#include "base/alloc.h"
#include "base/buf.h"
#include "leat.h"

enum { TEXTS_LONGEST = 256, TEXTS_FIRST = 120, TEXTS_MOST = 4080 };    /* bytes: of a string in a block; of a block */

struct texts_block { uint32_t refs; char at[]; };

/* `count` strings of the block go. */
static inline void texts_leave(struct texts_block *b, uint32_t count)
{
    if (__atomic_load_n(&b->refs, __ATOMIC_ACQUIRE) == count || __atomic_sub_fetch(&b->refs, count, __ATOMIC_ACQ_REL) == 0)
        mem_free(b);
}

/* The blocks of a value that is being decoded.  {0}: none yet.  Who decodes has a reference to the last one, so that a string may go before
 * the value is whole. */
struct texts {
    struct texts_block *block;
    uint32_t used, cap, next;
    bool any;                                        /* a string has come before */
};

static inline void texts_end(struct texts *x)
{
    if (x->block)
        texts_leave(x->block, 1);
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
    x->block->refs++;                                /* nobody else has the value yet */
    return p;
}

/* A block of `room` bytes, not yet used, takes the place of the last one. */
static inline void texts_begin(struct texts *x, struct texts_block *b, uint32_t room)
{
    texts_end(x);
    x->block = b;
    x->cap = room;
    x->used = 0;
    b->refs = 1;
    x->next = room * 2 > TEXTS_MOST ? TEXTS_MOST : room * 2;
}

/* How large the next block is: at least n bytes, at most as many as are to come. */
static inline size_t texts_room(const struct texts *x, size_t n, size_t left)
{
    size_t least = MAX(n, (size_t)TEXTS_FIRST), room = MAX(least, (size_t)x->next);
    return MIN(room, left);
}

static inline uint32_t texts_mark(const struct texts *x, const char *p) { return (uint32_t)(p - (const char *)x->block); }

/* p[0] to p[n - 1], n > 0, as a string of its own or in a block; `left` bytes may come behind them.  false: no memory */
static inline bool texts_copy(struct texts *x, const void *p, size_t n, size_t left, leat_string *ret)
{
    char *to;
    uint32_t mark = 1;
    if (!x->any || n > TEXTS_LONGEST) {
        to = (char *)mem_alloc(n);
    } else {
        to = texts_take(x, (uint32_t)n);
        if (unlikely(!to)) {
            size_t room = texts_room(x, n, n + left);
            struct texts_block *b = (struct texts_block *)mem_alloc(sizeof *b + room);
            if (!b)
                return false;
            texts_begin(x, b, (uint32_t)room);
            to = texts_take(x, (uint32_t)n);
        }
        mark = texts_mark(x, to);
    }
    if (!to)
        return false;
    x->any = true;
    copy_short(to, p, n);
    *ret = (leat_string){ to, (uint32_t)n, mark };
    return true;
}

static inline struct texts_block *texts_block_of(const leat_string *s) { return (struct texts_block *)(uintptr_t)(s->p - s->owned); }
#endif
