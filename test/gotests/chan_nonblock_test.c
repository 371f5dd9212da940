/* chan_nonblock_test.c - what Go's test/chan/nonblock.go states: a poll of a channel on which nobody waits is left by leat_otherwise,
 * and one that is asked again and again meets its partner, for elements of several sizes. */
#include "place.h"

LEAT_STRUCT(i32, (int32, v));
LEAT_STRUCT(i64, (int64, v));
LEAT_STRUCT(boo, (bool, v));
LEAT_STRUCT(str, (string, v));

static bool same_i32(const struct i32 *a, const struct i32 *b) { return a->v == b->v; }
static bool same_i64(const struct i64 *a, const struct i64 *b) { return a->v == b->v; }
static bool same_boo(const struct boo *a, const struct boo *b) { return a->v == b->v; }
static bool same_str(const struct str *a, const struct str *b)
{
    return a->v.len == b->v.len && memcmp(a->v.p, b->v.p, a->v.len) == 0;
}

/* The same for each type T: a far receiver of `want`, a far sender of `gift`, and the polls here. */
#define POLLS(T, want, gift) \
    static const struct T T##_want = want, T##_gift = gift; \
    LEAT_STRUCT(T##_in, (rx(T), c), (tx(num), strobe)); \
    LEAT_STRUCT(T##_out, (tx(T), c), (tx(num), strobe)); \
    static leat_err T##_receiver(struct T##_in *a) \
    { \
        struct T v; \
        LEAT_TRY(leat_recv(a->c, &v)); \
        CHECK(same_##T(&v, &T##_want)); \
        leat_drop(T, &v); \
        return leat_send(a->strobe, { 1 }); \
    } \
    PLACE_TASK(T##_receiver, T##_in) \
    static leat_err T##_sender(struct T##_out *a) \
    { \
        LEAT_TRY(leat_send(a->c, T##_gift)); \
        return leat_send(a->strobe, { 1 }); \
    } \
    PLACE_TASK(T##_sender, T##_out) \
    static leat_err T##_polls(size_t cap) \
    { \
        leat_chan(struct T) to = leat_chan_make(struct T, cap), from = leat_chan_make(struct T, cap); \
        leat_chan(struct num) strobe = leat_chan_make(struct num, 0); \
        struct T v = T##_want; \
        struct num n; \
        bool met = false; \
        leat_err err, e = LEAT_OK; \
        leat_select(e) { leat_on_recv(from, &v) { met = true; } leat_otherwise {} } \
        CHECK(e == LEAT_OK && !met); \
        leat_with_group(g, err) { \
            LEAT_TRY(place_go(&g, T##_receiver, T##_in, { leat_ref(leat_rx_of(to)), leat_ref(leat_tx_of(strobe)) })); \
            while ((e = leat_try_send(to, T##_want)) == LEAT_AGAIN) \
                leat_yield(); \
            LEAT_TRY(e); \
            LEAT_TRY(leat_recv(strobe, &n)); \
            LEAT_TRY(place_go(&g, T##_sender, T##_out, { leat_ref(leat_tx_of(from)), leat_ref(leat_tx_of(strobe)) })); \
            if (cap > 0) \
                LEAT_TRY(leat_recv(strobe, &n)); \
            while (!met && e == LEAT_OK) { \
                leat_select(e) { leat_on_recv(from, &v) { met = true; } leat_otherwise {} } \
                leat_yield(); \
            } \
            LEAT_TRY(e); \
            CHECK(same_##T(&v, &T##_gift)); \
            leat_drop(T, &v); \
            if (cap == 0) \
                LEAT_TRY(leat_recv(strobe, &n)); \
        } \
        leat_unref(to); \
        leat_unref(from); \
        leat_unref(strobe); \
        return err; \
    }
#define VALUE(...) { __VA_ARGS__ }
POLLS(i32, VALUE(123), VALUE(234))
POLLS(i64, VALUE(123456), VALUE(234567))
POLLS(boo, VALUE(true), VALUE(true))
POLLS(str, VALUE({ "hello", 5, 0 }), VALUE({ "hello again", 11, 0 }))

static leat_err nonblock_test(void)
{
    for (size_t cap = 0; cap < 2; cap++) {
        LEAT_TRY(i32_polls(cap));
        LEAT_TRY(i64_polls(cap));
        LEAT_TRY(boo_polls(cap));
        LEAT_TRY(str_polls(cap));
    }
    return LEAT_OK;
}
EVERYWHERE(nonblock, nonblock_test)

T_MAIN()
