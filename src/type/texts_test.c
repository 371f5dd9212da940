/* texts_test.c - strings that were received together: they share memory, and part company in any order, on any thread. */
#include <pthread.h>
#include "type_test.h"
#include "type/texts.h"

LEAT_STRUCT(pair, (string, key), (uint32, n), (bytes, value));
LEAT_STRUCT(pairs, (list(pair), at), (map(pair), named));

enum { PAIRS = 1000 };

static size_t length_of(uint32_t i, int what) { return (i * 37 + (uint32_t)what * 11) % (i % 50 ? 40 : 400); }

static void same_text(const char *p, size_t len, uint32_t i, int what)
{
    CHECK_EQ(len, length_of(i, what));
    for (size_t k = 0; k < len; k++)
        if (p[k] != (char)(i + (uint32_t)what + k))
            t_fail(__FILE__, __LINE__, "text %d of %u differs at %zu", what, (unsigned)i, k);
}

static leat_string text(uint32_t i, int what)
{
    char room[400];
    leat_string s;
    size_t n = length_of(i, what);
    for (size_t k = 0; k < n; k++)
        room[k] = (char)(i + (uint32_t)what + k);
    CHECK_EQ(leat_string_dup(room, n, &s), LEAT_OK);
    return s;
}

static void make(struct buf *b)
{
    struct pairs v = { 0 };
    for (uint32_t i = 0; i < PAIRS; i++) {
        leat_string s = text(i, 1);
        struct pair p = { text(i, 0), i, { (const uint8_t *)s.p, s.len, s.owned } };
        CHECK_EQ(leat_push(&v.at, p), LEAT_OK);
    }
    CHECK_EQ(type_encode(&pairs_type, &v, b, NULL), LEAT_OK);
    leat_drop(pairs, &v);
}

static struct pairs got_of(const struct buf *b)
{
    struct pairs v;
    struct cur c = cur_of(b->p, b->len);
    CHECK_EQ(type_decode(&pairs_type, &c, &v, NULL, NULL), LEAT_OK);
    CHECK_EQ(v.at.len, PAIRS);
    return v;
}

struct counting { size_t count, largest; };
static bool counting_hook(void *self, size_t n)
{
    struct counting *c = self;
    c->count++;
    c->largest = MAX(c->largest, n);
    return false;
}

TEST(strings_of_a_value_take_few_blocks_of_at_most_4_kib)
{
    struct buf b = { 0 };
    struct counting c = { 0 };
    make(&b);
    mem_hook = &(struct mem_hook){ counting_hook, &c };
    struct pairs v = got_of(&b);
    mem_hook = NULL;
    size_t rows = PAIRS * sizeof(struct pair);
    CHECK(c.count < 100);
    CHECK_EQ(c.largest, rows);
    for (uint32_t i = 0; i < PAIRS; i++) {
        same_text(v.at.at[i].key.p, v.at.at[i].key.len, i, 0);
        same_text((const char *)v.at.at[i].value.p, v.at.at[i].value.len, i, 1);
        CHECK(v.at.at[i].key.owned < 4096);
    }
    leat_drop(pairs, &v);
    buf_free(&b);
}

TEST(they_part_company_in_any_order)
{
    struct buf b = { 0 };
    struct rng r;
    leat_string kept[PAIRS];
    leat_bytes rest[PAIRS];
    uint32_t order[PAIRS];
    make(&b);
    for (uint64_t seed = 0; seed < 20; seed++) {
        rng_init(&r, seed);
        struct pairs v = got_of(&b);
        for (uint32_t i = 0; i < PAIRS; i++) {
            kept[i] = v.at.at[i].key;
            rest[i] = v.at.at[i].value;
            v.at.at[i].key = (leat_string){ 0 };
            if (i % 3)
                v.at.at[i].value = (leat_bytes){ 0 };
        }
        leat_drop(pairs, &v);                        /* a third of the values go */
        for (uint32_t i = 0; i < PAIRS; i++)
            order[i] = i;
        for (uint32_t left = PAIRS; left > 0; left--) {
            uint32_t at = (uint32_t)rng_below(&r, left), i = order[at];
            order[at] = order[left - 1];
            same_text(kept[i].p, kept[i].len, i, 0);
            leat_string_drop(&kept[i]);
            CHECK(kept[i].p == NULL && kept[i].owned == 0);
            leat_string_drop(&kept[i]);              /* twice is once */
        }
        for (uint32_t i = 0; i < PAIRS; i++)
            if (i % 3) {
                same_text((const char *)rest[i].p, rest[i].len, i, 1);
                leat_bytes_drop(&rest[i]);
            }
    }
    leat_string_drop(NULL);
    leat_bytes_drop(NULL);
    leat_string lent = LEAT_STRING("lent");
    leat_string_drop(&lent);
    CHECK(lent.p == NULL);
    buf_free(&b);
}

struct quarter { struct pair *at; uint32_t from; };

static void *drop_quarter(void *self)
{
    struct quarter *q = self;
    for (uint32_t i = q->from; i < PAIRS; i += 4) {
        same_text(q->at[i].key.p, q->at[i].key.len, i, 0);
        leat_string_drop(&q->at[i].key);
        if (i % 8 < 4)
            leat_drop(pair, &q->at[i]);
        else
            leat_bytes_drop(&q->at[i].value);
    }
    return NULL;
}

TEST(threads_give_back_strings_of_one_block)
{
    struct buf b = { 0 };
    make(&b);
    for (int round = 0; round < 20; round++) {
        struct pairs v = got_of(&b);
        pthread_t thread[4];
        struct quarter quarter[4];
        for (uint32_t i = 0; i < 4; i++) {
            quarter[i] = (struct quarter){ v.at.at, i };
            CHECK_EQ(pthread_create(&thread[i], NULL, drop_quarter, &quarter[i]), 0);
        }
        for (int i = 0; i < 4; i++)
            CHECK_EQ(pthread_join(thread[i], NULL), 0);
        leat_drop(pairs, &v);
    }
    buf_free(&b);
}

TEST(a_value_that_is_cut_short_leaves_nothing)
{
    struct buf b = { 0 };
    struct pairs v;
    make(&b);
    for (size_t n = 0; n < b.len; n += n < 2000 ? 1 : 997) {
        struct cur c = cur_of(b.p, n);
        CHECK_EQ(type_decode(&pairs_type, &c, &v, NULL, NULL), LEAT_TYPE);
        CHECK(v.at.at == NULL);
    }
    for (long at = 0;; at++) {
        struct failing f = { at, 0 };
        struct cur c = cur_of(b.p, b.len);
        mem_hook = &(struct mem_hook){ failing_hook, &f };
        leat_err e = type_decode(&pairs_type, &c, &v, NULL, NULL);
        mem_hook = NULL;
        if (e == LEAT_OK)
            break;
        CHECK_EQ(e, LEAT_NOMEM);
        CHECK(v.at.at == NULL);
    }
    leat_drop(pairs, &v);
    buf_free(&b);
}

/* Blocks of every class, full of x: whoever writes on into a block that was given back writes into one of them. */
enum { STEPS = 20 };
static char *lots[STEPS][FREELIST_CLASSES];
static void take_lots(int step)
{
    for (uint32_t class = 0; class < FREELIST_CLASSES; class++) {
        lots[step][class] = freelist_take(class);
        memset(lots[step][class], 'x', freelist_bytes(class));
    }
}
static void give_lots(void)
{
    for (int step = 0; step < STEPS; step++)
        for (uint32_t class = 0; class < FREELIST_CLASSES; class++) {
            for (size_t i = 0; i < freelist_bytes(class); i++)
                CHECK(lots[step][class][i] == 'x');
            freelist_put(lots[step][class], class);
        }
}

/* As when a stream gives a oneof a second case: the first one goes while the value is read. */
TEST(a_string_may_go_before_its_value_is_whole)
{
    for (int all = 0; all < 2; all++) {
        struct texts x = { 0 };
        leat_string s[STEPS];
        for (int i = 0; i < STEPS; i++) {
            CHECK(texts_copy(&x, "twelve bytes", 12, 240, &s[i]));
            if (all || i % 3 == 1)
                leat_string_drop(&s[i]);
            take_lots(i);
        }
        give_lots();
        texts_end(&x);
        for (int i = 0; i < STEPS; i++) {
            CHECK(!s[i].p || memcmp(s[i].p, "twelve bytes", 12) == 0);
            leat_string_drop(&s[i]);
        }
    }
}

T_MAIN()
