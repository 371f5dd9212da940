/* slots.h - a table of records by numbers that a peer may have chosen (keyed.h).  Linear hashing: a bucket more is one split in two, and
 * the buckets never move, so no insert takes long, however many there are.  Litwin, "Linear hashing: a new tool for file and table
 * addressing", 1980.  It has no lock of its own. */
#ifndef BASE_SLOTS_H
#define BASE_SLOTS_H
#include <stdbool.h>
#include "base/keyed.h"

enum { SLOTS_FIRST = 16, SLOTS_PIECES = 18 };        /* the pieces have 16, 16, 32, 64 ... buckets: two million; then chains grow longer */
struct slot { uint64_t id; struct slot *next; };     /* first in a record */
struct slots {                                       /* zeros: empty; key may be set before anything is added */
    struct slot **piece[SLOTS_PIECES];
    uint32_t buckets, mask, count, from;             /* mask: the smallest 2^k - 1 that is not less; from: none below has anything */
    struct keyed key;
};

bool slots_add(struct slots *t, struct slot *x);     /* false: no memory for the first one; else only chains grow longer then */
struct slot *slots_find(const struct slots *t, uint64_t id);
struct slot *slots_take(struct slots *t, uint64_t id);               /* NULL: not there */
struct slot *slots_any(struct slots *t);             /* NULL: empty.  All that take what it returns are as fast as one walk */
void slots_free(struct slots *t);                    /* the buckets, not the records */

/* In which piece bucket i is, and the first bucket of piece k, which has as many as all before it. */
static inline uint32_t slots_piece(uint32_t i) { return i < SLOTS_FIRST ? 0 : 28 - (uint32_t)__builtin_clz(i); }
static inline uint32_t slots_piece_from(uint32_t k) { return k ? (uint32_t)SLOTS_FIRST << (k - 1) : 0; }

/* The first of bucket i, of t->buckets.  What is in the table is in a later bucket after an add, or where it was. */
static inline struct slot **slots_bucket(const struct slots *t, uint32_t i)
{
    uint32_t k = slots_piece(i);
    return &t->piece[k][i - slots_piece_from(k)];
}
#endif
