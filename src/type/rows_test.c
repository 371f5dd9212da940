/* rows_test.c - rows read at once mean what they mean step by step; and the blocks that threads keep for their strings. */
#include <malloc.h>
#include <pthread.h>
#include "plat/san.h"
#include "type/plan.h"
#include "type/texts.h"
#include "type_test.h"

LEAT_STRUCT(tight, (int64, id), (string, name), (float64, value), (date, when));
LEAT_STRUCT(gaps, (int8, a), (string, b), (bool, c), (int32, d), (bytes, e), (bool, f), (error, g), (int16, h));
LEAT_STRUCT(long_run, (array(uint16_t, 20), many), (string, name), (array(uint8_t, 3), few), (bool, last));
LEAT_STRUCT(lists, (list(tight), tight), (list(gaps), gaps), (map(long_run), long_run), (optional(gaps), one));

union any { struct tight tight; struct gaps gaps; struct long_run long_run; struct lists lists; };
static const leat_type *const types[] = { &tight_type, &gaps_type, &long_run_type, &lists_type };

/* What decoding these bytes comes to: the error and its words, how far the cursor went, the value as bytes again. */
struct outcome { leat_err e; char why[256]; size_t left; struct buf value; bool gaps_zero; };

/* All of *v that no step of the row writes is zero. */
static bool gaps_are_zero(const leat_type *t, const void *v)
{
    const struct type_info *info;
    uint8_t seen[sizeof(union any)] = { 0 };
    CHECK_EQ(type_info_get(t, &info), LEAT_OK);
    if (!info->plan->row)
        return true;
    for (const struct type_op *op = info->plan->ops; op->code != OP_END; op++)
        memset(seen + op->off, 1, op->code == OP_TEXT ? sizeof(leat_string) : op->n);
    for (size_t i = 0; i < t->size; i++)
        if (!seen[i] && ((const uint8_t *)v)[i] != 0)
            return false;
    return true;
}

/* alone: as rows.c reads one by itself, if it can; else step by step, or rows in a list */
static struct outcome outcome_of(const leat_type *t, const void *p, size_t n, bool alone)
{
    _Alignas(16) uint8_t v[sizeof(union any)];
    struct outcome o = { .gaps_zero = true };
    struct cur c = cur_of(p, n);
    size_t budget = 1 << 30;
    memset(v, 0xa5, sizeof v);
    o.e = type_decode(t, &c, v, NULL, alone ? NULL : &budget);
    o.left = cur_left(&c);
    snprintf(o.why, sizeof o.why, "%s", o.e == LEAT_OK ? "" : leat_err_detail());
    if (o.e == LEAT_OK) {
        CHECK_EQ(type_encode(t, v, &o.value, NULL), LEAT_OK);
        o.gaps_zero = gaps_are_zero(t, v);
    }
    leat_drop_(t, v);
    return o;
}

static void same_outcome(const leat_type *t, const uint8_t *p, size_t n)
{
    struct outcome a = outcome_of(t, p, n, true), b = outcome_of(t, p, n, false);
    CHECK_EQ(a.e, b.e);
    CHECK_STR(a.why, b.why);
    CHECK_EQ(a.left, b.left);
    CHECK(a.gaps_zero && b.gaps_zero);
    CHECK_EQ(a.value.len, b.value.len);
    CHECK(a.value.len == 0 || memcmp(a.value.p, b.value.p, a.value.len) == 0);
    if (a.e == LEAT_OK && n - a.left == a.value.len)
        CHECK(a.value.len == 0 || memcmp(a.value.p, p, a.value.len) == 0);
    buf_free(&a.value);
    buf_free(&b.value);
}

TEST(what_is_cut_or_changed_at_any_byte_means_the_same_alone_and_step_by_step)
{
    _Alignas(16) char v[sizeof(union any)];
    struct rng r;
    rng_init(&r, 21);
    for (int i = 0; i < (getenv("T_QUICK") ? 24 : 120); i++) {
        const leat_type *t = types[(size_t)i % ARRAY_LEN(types)];
        struct buf b = { 0 };
        memset(v, 0, sizeof v);
        fill(t, v, &r);
        CHECK_EQ(type_encode(t, v, &b, NULL), LEAT_OK);
        leat_drop_(t, v);
        size_t step = b.len / 64 + 1;
        for (size_t at = 0; at <= b.len; at += step) {
            uint8_t *copy = malloc(b.len + 1);       /* of exactly what is given, for AddressSanitizer */
            memcpy(copy, b.p, b.len);
            uint8_t *cut = realloc(malloc(1), at ? at : 1);
            memcpy(cut, copy, at);
            same_outcome(t, cut, at);
            free(cut);
            if (at < b.len) {
                copy[at] = (uint8_t)(rng_below(&r, 2) ? rng_next(&r) : rng_below(&r, 4));
                same_outcome(t, copy, b.len);
            }
            free(copy);
        }
        buf_free(&b);
    }
}

TEST(texts_of_every_length_come_back)
{
    char text[600];
    for (size_t i = 0; i < sizeof text; i++)
        text[i] = (char)(i * 7);
    for (uint32_t n = 0; n < 600; n += n < 300 ? 1 : 37)
        for (uint32_t more = 0; more < 260; more += 51) {
            struct gaps v = { .a = 1, .b = leat_string_view(text, n), .c = true, .d = -2, .e = { (const uint8_t *)text + 1, more, 0 },
                .f = true, .g = { .code = LEAT_SYS, .text = leat_string_view(text + 2, n / 2) }, .h = 3 }, got;
            struct buf b = { 0 };
            CHECK_EQ(type_encode(&gaps_type, &v, &b, NULL), LEAT_OK);
            struct cur c = cur_of(b.p, b.len);
            CHECK_EQ(type_decode(&gaps_type, &c, &got, NULL, NULL), LEAT_OK);
            CHECK(cur_done(&c) && same_value(&gaps_type, &v, &got));
            leat_drop(gaps, &got);
            buf_free(&b);
        }
}

TEST(every_allocation_of_rows_may_fail)
{
    _Alignas(16) char v[sizeof(union any)], got[sizeof(union any)];
    struct rng r;
    rng_init(&r, 8);
    for (size_t i = 0; i < 3 * ARRAY_LEN(types); i++) {
        const leat_type *t = types[i % ARRAY_LEN(types)];
        struct buf b = { 0 };
        memset(v, 0, sizeof v);
        fill(t, v, &r);
        CHECK_EQ(type_encode(t, v, &b, NULL), LEAT_OK);
        leat_err e = LEAT_NOMEM;
        for (long at = 0; e == LEAT_NOMEM; at++) {
            struct failing f = { .at = at };
            struct cur c = cur_of(b.p, b.len);
            mem_hook = &(struct mem_hook){ failing_hook, &f };
            e = type_decode(t, &c, got, NULL, NULL);
            mem_hook = NULL;
            CHECK(e == LEAT_OK ? f.count <= at : e == LEAT_NOMEM && c.bad);
            for (size_t k = 0; e != LEAT_OK && k < t->size; k++)
                CHECK(got[k] == 0);
        }
        CHECK(e == LEAT_OK && same_value(t, v, got));
        leat_drop_(t, got);
        leat_drop_(t, v);
        buf_free(&b);
    }
}

/* == What a thread keeps. ================================================================================================ */
enum { MANY = 4 * FREELIST_EACH };

static void receive(struct word *at, size_t n, const char *text)
{
    struct word v = { leat_string_of(text), 5 };
    struct buf b = { 0 };
    CHECK_EQ(type_encode(&word_type, &v, &b, NULL), LEAT_OK);
    for (size_t i = 0; i < n; i++) {
        struct cur c = cur_of(b.p, b.len);
        CHECK_EQ(type_decode(&word_type, &c, &at[i], NULL, NULL), LEAT_OK);
    }
    buf_free(&b);
}

static void give_back(struct word *at, size_t n, const char *text)
{
    for (size_t i = 0; i < n; i++) {
        CHECK(at[i].text.len == strlen(text) && memcmp(at[i].text.p, text, at[i].text.len) == 0);
        leat_drop(word, &at[i]);
    }
}

static size_t kept(void)
{
    size_t n = 0;
    for (uint32_t i = 0; i < FREELIST_CLASSES; i++)
        for (void *p = freelist_mine->bin[i].head; p; memcpy(&p, p, sizeof p))
            n++;
    return n;
}

TEST(a_thread_keeps_a_few_blocks_and_uses_them_again)
{
    static struct word w[MANY];
    receive(w, MANY, "twenty bytes of text");
    give_back(w, MANY, "twenty bytes of text");
    CHECK_EQ(kept(), san_watches_memory() ? 0 : FREELIST_EACH);
    receive(w, 1, "twenty-one bytes long");          /* of another class */
    CHECK_EQ(kept(), san_watches_memory() ? 0 : FREELIST_EACH);
    receive(w + 1, 1, "20 bytes of any text");
    CHECK_EQ(kept(), san_watches_memory() ? 0 : FREELIST_EACH - 1);
    give_back(w, 1, "twenty-one bytes long");
    give_back(w + 1, 1, "20 bytes of any text");
    CHECK_EQ(kept(), san_watches_memory() ? 0 : FREELIST_EACH + 1);
}

#define LAST "what a thread keeps until it ends: a string that is long enough for its loss to be seen at the end"
static void *give_back_elsewhere(void *w)
{
    static const char text[] = "a string that one thread made, and another gives back";
    give_back(w, MANY, text);
    CHECK_EQ(kept(), san_watches_memory() ? 0 : FREELIST_EACH);
    receive(w, MANY, text);
    CHECK_EQ(kept(), 0);
    struct word own[FREELIST_EACH];
    receive(own, FREELIST_EACH, LAST);
    give_back(own, FREELIST_EACH, LAST);
    CHECK_EQ(kept(), san_watches_memory() ? 0 : FREELIST_EACH);      /* and ends with them */
    return NULL;
}

TEST(blocks_go_from_thread_to_thread_and_none_is_lost_with_a_thread)
{
    static struct word w[MANY];
    size_t before = 0;
    receive(w, MANY, "a string that one thread made, and another gives back");
    for (int i = 0; i < 200; i++) {
        pthread_t t;
        CHECK_EQ(pthread_create(&t, NULL, give_back_elsewhere, w), 0);
        CHECK_EQ(pthread_join(t, NULL), 0);
        if (i == 20)
            before = mallinfo2().uordblks;
    }
    CHECK(mallinfo2().uordblks < before + 100 * FREELIST_EACH * 64);         /* 180 threads kept so many */
    give_back(w, MANY, "a string that one thread made, and another gives back");
}

T_MAIN()
