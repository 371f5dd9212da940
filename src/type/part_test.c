/* part_test.c - a value of which one part comes by itself: found in any beginning of its bytes, and decoded to the same value. */
#include "type_test.h"

LEAT_STRUCT(dot, (float64, x), (float64, y));

LEAT_STRUCT(mixed, (bool, flag), (chars(20), tag), (string, name), (optional(dot), maybe), (list(word), words), (cstr, c), (bytes, data),
    (list(dot), dots), (uint32, n), (string, last));

enum { LEAST = 64 };

/* Lengths by number: each of the three parts that can be is short in some, and long in others. */
static struct mixed make(unsigned k)
{
    static char text[4000];
    memset(text, 't', sizeof text);
    struct mixed v = { .flag = 1, .tag = "tag", .n = k };
    CHECK_EQ(leat_string_dup(text, k & 1 ? 1000 : 5, &v.name), LEAT_OK);
    CHECK_EQ(leat_bytes_dup(text, k & 2 ? 3000 : 63, &v.data), LEAT_OK);
    for (unsigned i = 0; i < (k & 4 ? 100 : 2); i++)
        CHECK_EQ(leat_push(&v.dots, (struct dot){ i, -(double)i }), LEAT_OK);
    CHECK_EQ(leat_string_dup(text, k & 8 ? 200 : 0, &v.last), LEAT_OK);
    if (k & 16) {
        struct word w = { { 0 }, k };
        CHECK_EQ(leat_push(&v.words, w), LEAT_OK);
    }
    v.c = k & 32 ? mem_strdup("some text") : NULL;
    return v;
}

/* What is left of b when the part is taken out, and the part. */
static struct buf without(const struct buf *b, struct type_part *x)
{
    struct buf rest = { 0 };
    x->p = mem_alloc(x->len);
    memcpy(x->p, b->p + x->at, x->len);
    buf_put(&rest, b->p, x->at);
    buf_put(&rest, b->p + x->at + x->len, b->len - x->at - x->len);
    return rest;
}

static void same(const struct buf *b, const struct mixed *v)
{
    struct buf again = { 0 };
    CHECK_EQ(type_encode(&mixed_type, v, &again, NULL), LEAT_OK);
    CHECK_EQ(again.len, b->len);
    CHECK_MEM(again.p, b->p, b->len);
    buf_free(&again);
}

static void decode_parted(const struct buf *b, struct type_part x)
{
    struct mixed v;
    struct buf rest = without(b, &x);
    struct cur in = cur_of(rest.p, rest.len);
    CHECK_EQ(type_decode_part(&mixed_type, &in, &v, NULL, &x), LEAT_OK);
    CHECK(cur_done(&in) && !x.p);
    same(b, &v);
    leat_drop(mixed, &v);
    buf_free(&rest);
}

static struct buf bytes_of(unsigned k)
{
    struct buf b = { 0 };
    struct mixed v = make(k);
    CHECK_EQ(type_encode(&mixed_type, &v, &b, NULL), LEAT_OK);
    leat_drop(mixed, &v);
    return b;
}

TEST(a_part_that_is_found_in_any_beginning_is_the_values)
{
    unsigned found = 0;
    for (unsigned k = 0; k < 64; k++) {
        struct buf b = bytes_of(k);
        for (size_t n = 0; n <= b.len; n += n < 200 ? 1 : 97) {
            struct type_part x;
            if (!type_find_part(&mixed_type, cur_of(b.p, n), LEAST, &x))
                continue;
            CHECK(x.at <= n && x.at + x.len > n && x.at + x.len <= b.len && x.len >= LEAST);
            decode_parted(&b, x);
            found++;
        }
        CHECK(!type_find_part(&mixed_type, cur_of(b.p, b.len), LEAST, &(struct type_part){ 0 }));
        buf_free(&b);
    }
    CHECK(found > 500);
}

TEST(a_part_that_does_not_fit_stays_the_callers)
{
    struct buf b = bytes_of(7);
    struct type_part x;
    struct mixed v;
    CHECK(type_find_part(&mixed_type, cur_of(b.p, 100), LEAST, &x));
    struct buf rest = without(&b, &x);
    for (size_t n = 0; n < rest.len; n += n < 200 ? 1 : 97) {        /* cut short: before it, or behind */
        struct type_part y = x;
        y.p = mem_alloc(y.len);
        memcpy(y.p, x.p, y.len);
        struct cur in = cur_of(rest.p, n);
        CHECK_EQ(type_decode_part(&mixed_type, &in, &v, NULL, &y), LEAT_TYPE);
        CHECK(in.bad && v.name.p == NULL);
        mem_free(y.p);
    }
    x.len--;
    struct cur in = cur_of(rest.p, rest.len);
    CHECK_EQ(type_decode_part(&mixed_type, &in, &v, NULL, &x), LEAT_TYPE);
    CHECK(x.p);
    mem_free(x.p);
    buf_free(&rest);
    buf_free(&b);
}

TEST(lengths_that_cannot_be_are_no_part)
{
    static const char *const bad[] = {
        "\1\3tag\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", "\1\3tag\xff\xff\xff\x7f", "\1\3tag\x80", "\1", "",
        "\1\3tag\0\0\0\0\0\xff\xff\xff\xff\xff\xff\xff\xff\x10" };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        CHECK(!type_find_part(&mixed_type, cur_of(bad[i], i == 5 ? 19 : strlen(bad[i])), LEAST, &(struct type_part){ 0 }));
}

TEST(what_is_lent_and_what_is_written_are_the_bytes_of_the_value)
{
    for (unsigned k = 0; k < 64; k++) {
        struct buf b = bytes_of(k), all = { 0 }, out = { 0 };
        struct mixed v = make(k);
        struct type_lend lend = { .least = LEAST };
        if (k % 3 == 0) {                            /* borrowed: it is not lent */
            mem_free((void *)(uintptr_t)v.name.p);
            v.name = leat_string_view(k & 1 ? (const char *)b.p + 6 + 1 : "ttttt", v.name.len);
        }
        CHECK_EQ(type_encode_lend(&mixed_type, &v, &out, &lend), LEAT_OK);
        CHECK(lend.n <= 4 && (lend.n > 0 || !(k & 14)));
        size_t at = 0;
        for (uint32_t i = 0; i < lend.n; i++) {
            CHECK(lend.part[i].len >= LEAST && (k % 3 || lend.part[i].p != v.name.p));
            buf_put(&all, out.p + at, lend.part[i].at - at);
            buf_put(&all, lend.part[i].p, lend.part[i].len);
            at = lend.part[i].at;
        }
        buf_put(&all, out.p + at, out.len - at);
        CHECK_EQ(all.len, b.len);
        CHECK_MEM(all.p, b.p, b.len);
        leat_drop(mixed, &v);
        buf_free(&b);
        buf_free(&all);
        buf_free(&out);
    }
}

T_MAIN()
