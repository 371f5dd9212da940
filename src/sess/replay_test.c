/* replay_test.c - what was written and not acknowledged, against a list that keeps every frame by itself. */
#include "t.h"
#include "base/alloc.h"
#include "sess/frame.h"
#include "sess/replay.h"

enum { ALL = 20000 };
static uint64_t seed = 1;
static uint32_t any(uint32_t below)
{
    seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(seed >> 33) % below;
}

static size_t length_of(uint64_t number) { return 16 + number * 7919 % (number % 50 ? 90 : 3000); }

static void put_frame(struct buf *b, uint64_t number)
{
    size_t n = length_of(number);
    buf_u32(b, (uint32_t)n);
    buf_u8(b, FRAME_ELEM);
    buf_u8(b, 0);
    buf_u16(b, 0);
    buf_u64(b, number);
    buf_u64(b, 0);
    memset(buf_add(b, n - 16), (int)(number & 255), n - 16);
}

/* Frames from..to in one block, kept or copied as a writer would. */
static void write_some(struct replay *r, uint64_t from, uint64_t to)
{
    struct replay_block *x = replay_block(r);
    CHECK(x != NULL);
    for (uint64_t k = from; k <= to; k++)
        put_frame(&x->b, k);
    struct replay_part part = { x->b.p, x->b.len, from, to - from + 1 };
    CHECK_EQ(replay_room(r, REPLAY_SMALL), LEAT_OK);
    if (part.len < REPLAY_SMALL)
        replay_copy(r, &part);
    else
        replay_keep(r, x, &part);
    replay_block_put(r, x);
}

/* All from `from` to `last` come again, once and in order, with their bytes. */
static void read_again(struct replay *r, uint64_t from, uint64_t last)
{
    struct replay_cursor c = replay_from(r, from);
    uint8_t *p;
    size_t n;
    uint64_t next = from;
    while ((n = replay_next(r, &c, 1 + any(5000), &p)))
        for (size_t at = 0; at < n; at += frame_bytes(p + at)) {
            uint64_t k;
            memcpy(&k, p + at + 8, sizeof k);
            CHECK_EQ(le64(k), next);
            CHECK_EQ(frame_bytes(p + at), length_of(next) + 8);
            CHECK_EQ(p[at + frame_bytes(p + at) - 1], length_of(next) > 16 ? (int)(next & 255) : p[at + frame_bytes(p + at) - 1]);
            next++;
        }
    CHECK_EQ(next, last + 1);
}

TEST(what_is_not_acknowledged_can_be_written_again_from_any_number)
{
    struct replay r = { 0 };
    uint64_t sent = 0, acked = 0;
    while (sent < ALL) {
        uint64_t n = 1 + any(any(4) ? 3 : 60);
        write_some(&r, sent + 1, sent + n);
        sent += n;
        if (any(3) == 0) {
            acked += any((uint32_t)(sent - acked) + 1);
            replay_ack(&r, acked);
            CHECK(replay_first(&r) <= acked + 1);
        }
        if (any(20) == 0)
            read_again(&r, acked + 1 + any((uint32_t)(sent - acked) + 1), sent);
        if (any(500) == 0)
            replay_rest(&r);
    }
    replay_ack(&r, sent);
    CHECK_EQ(r.bytes, 0);
    CHECK_EQ(replay_first(&r), 0);
    replay_free(&r);
}

TEST(a_conversation_of_short_frames_takes_two_short_blocks)
{
    struct replay r = { 0 };
    for (uint64_t k = 1; k <= 1000; k++) {
        struct buf b = { 0 };
        buf_u32(&b, 16);
        buf_u32(&b, FRAME_ELEM);
        buf_u64(&b, k);
        buf_u64(&b, 0);
        CHECK_EQ(replay_room(&r, REPLAY_SMALL), LEAT_OK);
        replay_copy(&r, &(struct replay_part){ b.p, b.len, k, 1 });
        replay_ack(&r, k - 1);
        CHECK(r.n <= 2 && r.bytes <= 2 * 4096);
        buf_free(&b);
    }
    CHECK(r.spares <= 2 * 4096);
    replay_free(&r);
}

T_MAIN()
