/* base_test.c - the macros of base.h, random numbers. */
#include "base/keyed.h"
#include "t.h"
#include "base/base.h"
#include "base/rng.h"

struct box { int before; char inner; };

TEST(container_of_finds_the_struct_around_a_member)
{
    struct box b = { 1, 'x' };
    CHECK(container_of(&b.inner, struct box, inner) == &b);
}

TEST(min_and_max_evaluate_each_argument_once)
{
    int a = 1, b = 5;
    CHECK_EQ(MIN(a++, b++), 1);
    CHECK_EQ(MAX(a++, b++), 6);
    CHECK_EQ(a, 3);
    CHECK_EQ(b, 7);
    int four[4] = { 0 };
    CHECK_EQ(ARRAY_LEN(four), 4);
    CHECK_EQ(align_up(17, 16), 32);
    CHECK_EQ(align_up(16, 16), 16);
}

TEST(the_same_seed_gives_the_same_numbers_for_ever)
{
    struct rng r, s;
    rng_init(&r, 1);
    rng_init(&s, 1);
    for (int i = 0; i < 100; i++)
        CHECK(rng_next(&r) == rng_next(&s));
    uint64_t seed = 0;                               /* the first numbers of splitmix64 from 0 as published */
    CHECK(rng_mix(&seed) == 0xe220a8397b1dcdafu);
    CHECK(rng_mix(&seed) == 0x6e789e6aa1b965f4u);
    rng_init(&r, 42);
    uint64_t first = rng_next(&r);
    CHECK(first == 0x15780b2e0c2ec716u);
}

TEST(numbers_below_n_are_all_reached_and_evenly)
{
    struct rng r;
    int seen[7] = { 0 };
    rng_init(&r, 3);
    for (int i = 0; i < 70000; i++)
        seen[rng_below(&r, 7)]++;
    for (int i = 0; i < 7; i++)
        CHECK(seen[i] > 9500 && seen[i] < 10500);
    CHECK_EQ(rng_below(&r, 1), 0);
}

/* Ids that met in one place of a table without a key: rows, and multiples of the inverse of the multiplier. */
static uint32_t fullest(const struct keyed *k, uint64_t first, uint64_t step)
{
    enum { N = 1024 };
    static uint32_t in[N];
    uint32_t most = 0;
    memset(in, 0, sizeof in);
    for (uint64_t i = 0; i < N; i++)
        most = MAX(most, ++in[keyed_hash(k, first + i * step) & (N - 1)]);
    return most;
}
TEST(nobody_chooses_ids_that_meet_in_one_place_of_a_keyed_table)
{
    struct rng r;
    rng_init(&r, 7);
    for (int i = 0; i < 20; i++) {
        struct keyed k = { rng_next(&r), rng_next(&r) };
        for (int shift = 0; shift < 54; shift++) {
            CHECK(fullest(&k, 3, UINT64_C(1) << shift) < 64);
            CHECK(fullest(&k, rng_next(&r), UINT64_C(0xf1de83e19937733d) << shift) < 64);
        }
    }
}

T_MAIN()
