/* buf_test.c - buffers and cursors. */
#include "t.h"
#include "base/alloc.h"
#include "base/buf.h"
#include "base/rng.h"

static bool never(void *self, size_t n) { (void)self; (void)n; return true; }
static const struct mem_hook no_memory = { never, NULL };

TEST(what_was_put_is_read_back)
{
    struct buf b = { 0 };
    buf_u8(&b, 0xfe);
    buf_u16(&b, 0x1234);
    buf_u32(&b, 0xdeadbeef);
    buf_u64(&b, UINT64_MAX - 1);
    buf_text(&b, "hello", 5);
    buf_text(&b, NULL, 0);
    buf_put(&b, "xyz", 3);
    CHECK_EQ(buf_err(&b), LEAT_OK);
    CHECK_EQ(b.p[1], 0x34);                          /* little-endian */
    struct cur c = cur_of(b.p, b.len);
    size_t n;
    CHECK_EQ(cur_u8(&c), 0xfe);
    CHECK_EQ(cur_u16(&c), 0x1234);
    CHECK_EQ(cur_u32(&c), 0xdeadbeef);
    CHECK(cur_u64(&c) == UINT64_MAX - 1);
    const char *s = cur_text(&c, &n);
    CHECK_EQ(n, 5);
    CHECK_MEM(s, "hello", 5);
    CHECK(cur_text(&c, &n) != NULL);
    CHECK_EQ(n, 0);
    CHECK_MEM(cur_take(&c, 3), "xyz", 3);
    CHECK(cur_done(&c));
    buf_free(&b);
    CHECK_EQ(b.len, 0);
}

TEST(varints_of_every_length_come_back_and_are_shortest)
{
    for (unsigned bits = 0; bits <= 64; bits++) {
        uint64_t v = bits == 64 ? UINT64_MAX : ((uint64_t)1 << bits) - 1;
        struct buf b = { 0 };
        buf_varint(&b, v);
        CHECK_EQ(b.len, bits <= 7 ? 1 : (bits + 6) / 7);
        struct cur c = cur_of(b.p, b.len);
        CHECK(cur_varint(&c) == v);
        CHECK(cur_done(&c));
        c = cur_of(b.p, b.len - 1);
        cur_varint(&c);
        CHECK(c.bad);
        buf_free(&b);
    }
}

static bool varint_is_bad(const char *bytes, size_t n)
{
    struct cur c = cur_of(bytes, n);
    return cur_varint(&c) == 0 && c.bad;
}

TEST(varints_that_are_too_long_or_not_shortest_are_refused)
{
    CHECK(varint_is_bad("\x80\x00", 2));
    CHECK(varint_is_bad("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02", 10));
    CHECK(varint_is_bad("\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 11));
    CHECK(!varint_is_bad("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 10));
    CHECK(!varint_is_bad("\x00", 1));
    CHECK(varint_is_bad("", 0));
}

TEST(a_read_past_the_end_is_bad_for_ever_and_gives_zero)
{
    struct cur c = cur_of("\x01\x02\x03", 3);
    uint32_t kept = 7;
    CHECK(!cur_get(&c, &kept, 4));
    CHECK_EQ(kept, 7);
    CHECK(c.bad);
    CHECK_EQ(cur_u8(&c), 0);
    CHECK(cur_take(&c, 0) == NULL);
    CHECK(!cur_done(&c));
    c = cur_of(NULL, 0);
    CHECK(cur_take(&c, 0) != NULL);
    CHECK(cur_done(&c));
    size_t n;
    c = cur_of("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01zz", 12);     /* a text of 2^64-1 bytes */
    CHECK(cur_text(&c, &n) == NULL && n == 0 && c.bad);
    c = cur_of("abcdef", 6);
    struct cur part = cur_part(&c, 4), over = cur_part(&c, 3);
    CHECK_EQ(cur_left(&part), 4);
    CHECK(over.bad && c.bad);
}

TEST(a_buffer_over_its_limit_fails_once_and_stays_failed)
{
    struct buf b = { .max = 100 };
    char x[101] = { 0 };
    buf_put(&b, x, 100);
    CHECK_EQ(buf_err(&b), LEAT_OK);
    CHECK(b.cap <= 100);
    buf_u8(&b, 1);
    CHECK_EQ(buf_err(&b), LEAT_LIMIT);
    CHECK_EQ(b.len, 100);
    buf_reset(&b);
    buf_put(&b, x, 101);
    CHECK_EQ(buf_err(&b), LEAT_LIMIT);
    buf_put(&b, x, 1);
    CHECK_EQ(b.len, 0);
    CHECK(buf_add(&b, SIZE_MAX) == NULL);
    buf_free(&b);
    CHECK_EQ(b.max, 100);
    CHECK(buf_add(&b, SIZE_MAX) == NULL);            /* no overflow in the arithmetic */
    CHECK_EQ(buf_err(&b), LEAT_LIMIT);
    buf_free(&b);
}

TEST(a_buffer_without_memory_says_nomem_and_keeps_what_it_had)
{
    struct buf b = { 0 };
    buf_u32(&b, 5);
    mem_hook = &no_memory;
    for (int i = 0; i < 100; i++)
        buf_u64(&b, 6);
    CHECK_EQ(buf_err(&b), LEAT_NOMEM);
    buf_set_u32(&b, 0, 9);
    CHECK_EQ(b.p[0], 5);
    mem_hook = NULL;
    CHECK(buf_add(&b, 1) == NULL);                   /* sticky, though there is memory now */
    buf_reset(&b);
    CHECK(buf_add(&b, 1) != NULL);
    buf_free(&b);
}

TEST(a_buffer_on_the_callers_bytes_moves_when_it_outgrows_them)
{
    uint8_t room[8];
    struct buf b = buf_on(room, sizeof room, 100);
    buf_u64(&b, 0x0102030405060708);
    CHECK(b.p == room);
    mem_hook = &no_memory;
    buf_u8(&b, 9);
    mem_hook = NULL;
    CHECK_EQ(buf_err(&b), LEAT_NOMEM);
    CHECK_EQ(b.len, 8);
    buf_undo(&b, b.len);
    for (int i = 0; i < 92; i++)
        buf_u8(&b, 9);
    CHECK_EQ(buf_err(&b), LEAT_OK);
    CHECK(b.p != room);
    CHECK_MEM(b.p, room, sizeof room);
    buf_u8(&b, 9);
    CHECK_EQ(buf_err(&b), LEAT_LIMIT);
    buf_free(&b);
    b = buf_on(room, sizeof room, 0);
    buf_free(&b);                                    /* what was lent is not given back */
    CHECK(b.p == NULL && b.cap == 0);
}

TEST(bytes_can_be_filled_in_later)
{
    struct buf b = { 0 };
    buf_u32(&b, 0);
    buf_put(&b, "abc", 3);
    buf_set_u32(&b, 0, (uint32_t)b.len);
    struct cur c = cur_of(b.p, b.len);
    CHECK_EQ(cur_u32(&c), 7);
    buf_free(&b);
}

TEST(a_varint_fits_to_the_last_byte_of_the_limit)
{
    struct buf b = { .max = 3 };
    buf_varint(&b, 1);
    buf_varint(&b, 300);
    CHECK_EQ(b.len, 3);
    CHECK_EQ(buf_err(&b), LEAT_OK);
    buf_varint(&b, 1);
    CHECK_EQ(buf_err(&b), LEAT_LIMIT);
    buf_free(&b);
}

TEST(a_limit_that_comes_later_holds_too)
{
    struct buf b = { 0 };
    buf_put(&b, "abcdef", 6);
    buf_limit(&b, 8);
    buf_put(&b, "gh", 2);
    CHECK_EQ(buf_err(&b), LEAT_OK);
    buf_u8(&b, 1);
    CHECK_EQ(buf_err(&b), LEAT_LIMIT);
    buf_reset(&b);
    buf_limit(&b, 0);
    buf_put(&b, "0123456789", 10);
    CHECK_EQ(buf_err(&b), LEAT_OK);
    buf_limit(&b, 9);
    CHECK_EQ(buf_err(&b), LEAT_LIMIT);
    buf_free(&b);
}

TEST(short_copies_copy_exactly)
{
    char from[80], to[80];
    for (size_t i = 0; i < sizeof from; i++)
        from[i] = (char)(i + 1);
    for (size_t n = 0; n <= 70; n++) {
        memset(to, 0, sizeof to);
        copy_short(to, from, n);
        CHECK_MEM(to, from, n);
        for (size_t i = n; i < sizeof to; i++)
            CHECK_EQ(to[i], 0);
    }
    copy_short(to, NULL, 0);
}

T_MAIN()
