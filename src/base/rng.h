/* rng.h - random numbers from a seed: xoshiro256** by Blackman and Vigna, seeded by splitmix64.  Not for secrets.
 * The same seed gives the same numbers on every machine and in every version: traces and tests depend on it. */
#ifndef BASE_RNG_H
#define BASE_RNG_H
#include "base/base.h"

struct rng { uint64_t s[4]; };

static inline uint64_t rng_mix(uint64_t *x)          /* splitmix64; also good to derive one seed from another */
{
    uint64_t z = *x += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

static inline void rng_init(struct rng *r, uint64_t seed)
{
    for (int i = 0; i < 4; i++)
        r->s[i] = rng_mix(&seed);
}

static inline uint64_t rng_turn_(uint64_t x, int k) { return x << k | x >> (64 - k); }

static inline uint64_t rng_next(struct rng *r)
{
    uint64_t *s = r->s, out = rng_turn_(s[1] * 5, 7) * 9, t = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rng_turn_(s[3], 45);
    return out;
}

/* 0 <= result < n, each equally likely; n > 0.  Multiplies and rejects (Lemire 2019). */
static inline uint32_t rng_below(struct rng *r, uint32_t n)
{
    uint64_t m = (rng_next(r) >> 32) * n;
    if (unlikely((uint32_t)m < n))
        for (uint32_t floor = -n % n; (uint32_t)m < floor; )
            m = (rng_next(r) >> 32) * n;
    return (uint32_t)(m >> 32);
}
#endif
