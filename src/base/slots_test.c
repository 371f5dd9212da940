/* slots_test.c - a table of records by number. */
#include "base/slots.h"
#include <stdlib.h>
#include "base/rng.h"
#include "t.h"

enum { MANY = 100000 };
static struct slot record[MANY];

static uint64_t id_of(uint32_t i, uint64_t step) { return 1 + i * step; }

static uint32_t in_buckets(const struct slots *t, uint32_t *longest)
{
    uint32_t all = 0;
    *longest = 0;
    for (uint32_t i = 0; i < t->buckets; i++) {
        uint32_t n = 0;
        for (const struct slot *x = *slots_bucket(t, i); x; x = x->next)
            n++;
        *longest = MAX(*longest, n);
        all += n;
    }
    return all;
}

static void check_all(const struct slots *t, uint32_t first, uint32_t end, uint64_t step)
{
    uint32_t longest;
    CHECK_EQ(t->count, end - first);
    CHECK_EQ(in_buckets(t, &longest), end - first);
    CHECK(longest < 24);
    for (uint32_t i = 0; i < end; i++)
        CHECK(slots_find(t, id_of(i, step)) == (i < first ? NULL : &record[i]));
}

TEST(what_is_added_is_found_until_it_is_taken_at_every_size)
{
    uint64_t r = 7;
    for (uint64_t step = 1; step < 10; step += 7) {
        struct slots t = { .key = { rng_mix(&r), rng_mix(&r) } };
        CHECK(!slots_find(&t, 1));
        CHECK(!slots_take(&t, 1));
        CHECK(!slots_any(&t));
        for (uint32_t i = 0; i < 300; i++) {
            record[i] = (struct slot){ id_of(i, step), NULL };
            CHECK(slots_add(&t, &record[i]));
            check_all(&t, 0, i + 1, step);
        }
        for (uint32_t i = 0; i < 300; i++) {
            CHECK(slots_take(&t, id_of(i, step)) == &record[i]);
            CHECK(!slots_take(&t, id_of(i, step)));
            check_all(&t, i + 1, 300, step);
        }
        slots_free(&t);
    }
}

/* The buckets are as many as the records; the next ones come from one that is split. */
TEST(no_insert_moves_more_than_a_chain)
{
    struct slots t = { .key = { 3, 5 } };
    uint32_t longest;
    for (uint32_t i = 0; i < MANY; i++) {
        uint32_t was = t.buckets;
        record[i] = (struct slot){ i, NULL };
        CHECK(slots_add(&t, &record[i]));
        CHECK(t.buckets <= (was ? was + 1 : SLOTS_FIRST));
        CHECK(t.buckets >= MIN(i, (uint32_t)MANY));
    }
    CHECK_EQ(in_buckets(&t, &longest), MANY);
    CHECK(longest < 24);
    slots_free(&t);
}

/* Who walks the buckets meets each record that was there when he began, though others come meanwhile. */
TEST(a_walk_misses_nothing_while_the_table_grows)
{
    static bool met[MANY];
    struct slots t = { .key = { 8, 9 } };
    uint32_t n = 0;
    for (; n < 1000; n++) {
        record[n] = (struct slot){ n, NULL };
        CHECK(slots_add(&t, &record[n]));
    }
    for (uint32_t at = 0; at < t.buckets; at++) {
        for (const struct slot *x = *slots_bucket(&t, at); x; x = x->next)
            met[x->id] = true;
        for (int k = 0; k < 3 && n < 20000; k++, n++) {
            record[n] = (struct slot){ n, NULL };
            CHECK(slots_add(&t, &record[n]));
        }
    }
    for (int i = 0; i < 1000; i++)
        CHECK(met[i]);
    slots_free(&t);
}

TEST(any_empties_a_table_to_which_more_is_added)
{
    struct slots t = { .key = { 1, 2 } };
    uint32_t taken = 0, n = 0;
    for (uint32_t round = 0; round < 50; round++) {
        for (int k = 0; k < 40; k++, n++) {
            record[n] = (struct slot){ n, NULL };
            CHECK(slots_add(&t, &record[n]));
        }
        for (struct slot *x; (round == 49 || t.count > 20) && (x = slots_any(&t)); taken++)
            CHECK(slots_take(&t, x->id) == x);
    }
    CHECK_EQ(taken, n);
    CHECK_EQ(t.count, 0);
    slots_free(&t);
}

T_MAIN()
