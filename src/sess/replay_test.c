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

/* A block that frames have their last bytes in. */
struct away { struct lent lent; uint8_t bytes[4000]; };
static int aways;

static void away_free(struct lent *l)
{
    aways--;
    mem_free(container_of(l, struct away, lent));
}

static struct away *away_new(uint64_t number)
{
    struct away *x = mem_zalloc(sizeof *x);
    at_store(&x->lent.refs, 1);
    x->lent.free = away_free;
    memset(x->bytes, (int)(number & 255), sizeof x->bytes);
    aways++;
    return x;
}

/* Some of the long frames end elsewhere. */
static bool ends_away(uint64_t number) { return number % 50 == 0 && number % 3 == 0 && length_of(number) > 40; }

static void put_away(struct replay_block *x, uint64_t number)
{
    struct away *a = away_new(number);
    put_frame(&x->b, number);
    struct tail t = { a->bytes, length_of(number) - 20, &a->lent };
    x->b.len -= t.len;
    CHECK(tails_put(&x->tails, &t));
    lent_unref(&a->lent);
}

/* Frames from..to in one block, kept or copied as a writer would. */
static void write_some(struct replay *r, uint64_t from, uint64_t to)
{
    struct replay_block *x = replay_block(r);
    CHECK(x != NULL);
    for (uint64_t k = from; k <= to; k++)
        if (ends_away(k))
            put_away(x, k);
        else
            put_frame(&x->b, k);
    for (size_t at = 0; at < x->b.len; ) {
        struct replay_part part = { .p = x->b.p + at, .first = from };
        for (; at < x->b.len && !part.tail.of; part.frames++) {
            size_t end = at + frame_bytes(x->b.p + at);
            if (ends_away(from + part.frames))
                part.tail = tails_take(&x->tails);
            part.len += end - at - part.tail.len;
            at = end - part.tail.len;
        }
        from += part.frames;
        CHECK_EQ(replay_room(r, REPLAY_SMALL), LEAT_OK);
        if (part.len < REPLAY_SMALL)
            replay_copy(r, &part);
        else
            replay_keep(r, x, &part);
    }
    replay_block_put(r, x);
}

static void same_frame(const uint8_t *p, uint64_t number, const struct tail *t)
{
    uint64_t k;
    memcpy(&k, p + 8, sizeof k);
    CHECK_EQ(le64(k), number);
    CHECK_EQ(frame_bytes(p), length_of(number) + 8);
    size_t here = frame_bytes(p) - t->len;
    if (length_of(number) > 16)
        CHECK_EQ(p[here - 1], here > 24 ? (int)(number & 255) : p[here - 1]);
    for (size_t i = 0; i < t->len; i++)
        CHECK_EQ(t->p[i], (int)(number & 255));
}

/* All from `from` to `last` come again, once and in order, with their bytes. */
static void read_again(struct replay *r, uint64_t from, uint64_t last)
{
    struct replay_cursor c = replay_from(r, from);
    struct replay_part x;
    const struct tail none = { NULL, 0, NULL };
    uint64_t next = from;
    while (replay_next(r, &c, 1 + any(5000), &x))
        for (size_t at = 0; at < x.len; next++) {
            size_t n = frame_bytes(x.p + at);
            bool away = at + n > x.len;
            CHECK_EQ(away, ends_away(next));
            CHECK(!away || at + n == x.len + x.tail.len);
            same_frame(x.p + at, next, away ? &x.tail : &none);
            at += away ? n - x.tail.len : n;
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
    CHECK_EQ(aways, 0);                              /* acknowledged: so nobody holds what was lent */
    write_some(&r, sent + 1, sent + 400);
    CHECK(aways > 0);
    replay_free(&r);
    CHECK_EQ(aways, 0);
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
        replay_copy(&r, &(struct replay_part){ .p = b.p, .len = b.len, .first = k, .frames = 1 });
        replay_ack(&r, k - 1);
        CHECK(r.n <= 2 && r.bytes <= 2 * 4096);
        buf_free(&b);
    }
    CHECK(r.spares <= 2 * 4096);
    replay_free(&r);
}

T_MAIN()
