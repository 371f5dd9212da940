/* keyed.h - where a number that somebody else has chosen goes in a table: nobody who does not know the key can choose many that meet in
 * one place, so no peer makes a look-up long.  The product of two secret halves, folded. */
#ifndef BASE_KEYED_H
#define BASE_KEYED_H
#include "base/base.h"

struct keyed { uint64_t a, b; };                     /* secret; zeros are a key that everybody knows */

static inline uint32_t keyed_hash(const struct keyed *k, uint64_t id)
{
    __extension__ typedef unsigned __int128 wide;
    wide m = (wide)(id ^ k->a) * ((k->b ^ UINT64_C(0x9e3779b97f4a7c15)) | 1);
    return (uint32_t)((uint64_t)m ^ (uint64_t)(m >> 64)) ^ (uint32_t)(m >> 32);
}
#endif
