/* gob_test.c - the pieces of a JSON text, and gob streams that are damaged: whatever comes, memory stays bounded and nothing breaks. */
#include <math.h>
#include <stdio.h>
#include "base/rng.h"
#include "t.h"
#include "type/gob.h"

static struct buf out;
static struct json_sink sink(void) { buf_reset(&out); return json_to_buf(&out); }
static bool printed(const char *text) { return buf_err(&out) == LEAT_OK && out.len == strlen(text) && memcmp(out.p, text, out.len) == 0; }

TEST(strings_as_go_prints_them)
{
    static const struct { const char *in; size_t n; const char *text; } cases[] = {
        { "", 0, "\"\"" }, { "a\"b\\c", 5, "\"a\\\"b\\\\c\"" }, { "\b\f\n\r\t\0\x1f\x7f", 8, "\"\\b\\f\\n\\r\\t\\u0000\\u001f\x7f\"" },
        { "<&>", 3, "\"\\u003c\\u0026\\u003e\"" }, { "\xe2\x80\xa8\xe2\x80\xa9\xe2\x80\xaa", 9, "\"\\u2028\\u2029\xe2\x80\xaa\"" },
        { "\xff", 1, "\"\\ufffd\"" }, { "\xc3\xa9\xc3", 3, "\"\xc3\xa9\\ufffd\"" }, { "\xc0\x80", 2, "\"\\ufffd\\ufffd\"" },
        { "\xed\xa0\x80", 3, "\"\\ufffd\\ufffd\\ufffd\"" }, { "\xf0\x9f\xa6\x80", 4, "\"\xf0\x9f\xa6\x80\"" },
        { "\xf4\x90\x80\x80", 4, "\"\\ufffd\\ufffd\\ufffd\\ufffd\"" }, { "\xe0\x80\x80", 3, "\"\\ufffd\\ufffd\\ufffd\"" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct json_sink s = sink();
        json_string(&s, cases[i].in, cases[i].n);
        CHECK(printed(cases[i].text));
    }
    buf_free(&out);
}

TEST(floats_are_shortest_and_read_back)
{
    static const struct { double v; const char *text; } cases[] = {
        { 0, "0" }, { -0.0, "-0" }, { 1, "1" }, { -17.5, "-17.5" }, { 0.1, "0.1" }, { 1e20, "100000000000000000000" }, { 1e21, "1e+21" },
        { 123456789012345680000.0, "123456789012345680000" }, { 1e-6, "0.000001" }, { 1e-7, "1e-7" }, { 1.5e-9, "1.5e-9" },
        { 5e-324, "5e-324" }, { 2.2250738585072014e-308, "2.2250738585072014e-308" }, { 1.7976931348623157e308, "1.7976931348623157e+308" },
        { 1.0 / 3, "0.3333333333333333" }, { 2.0 / 3, "0.6666666666666666" }, { 9007199254740993.0, "9007199254740992" },
        { 0.30000000000000004, "0.30000000000000004" }, { NAN, "\"NaN\"" }, { INFINITY, "\"+Inf\"" }, { -INFINITY, "\"-Inf\"" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct json_sink s = sink();
        json_float(&s, cases[i].v);
        CHECK(printed(cases[i].text));
    }
    struct json_sink s = sink();
    json_float32(&s, 3.4028235e38f);
    CHECK(printed("3.4028235e+38"));
    struct rng r;
    rng_init(&r, 1);
    for (int i = 0; i < 20000; i++) {
        uint64_t bits = rng_next(&r);
        double v, back;
        memcpy(&v, &bits, sizeof v);
        s = sink();
        json_float(&s, v);
        buf_put(&out, "", 1);
        back = strtod((const char *)out.p, NULL);
        CHECK(!isfinite(v) || memcmp(&v, &back, sizeof v) == 0);
    }
    buf_free(&out);
}

TEST(times_and_big_integers)
{
    static const struct { int64_t sec; uint32_t ns; int32_t offset; const char *text; } times[] = {
        { 0, 0, 0, "\"1970-01-01T00:00:00Z\"" }, { -1, 500000000, 0, "\"1969-12-31T23:59:59.5Z\"" },
        { 951827696, 0, 0, "\"2000-02-29T12:34:56Z\"" }, { 951782399, 1, 5400, "\"2000-02-29T01:29:59.000000001+01:30\"" },
        { -62135596800, 0, 0, "\"0001-01-01T00:00:00Z\"" }, { 253402300799, 0, -3600, "\"9999-12-31T22:59:59-01:00\"" },
        /* beyond RFC 3339, as Go's Format: the instant can still be read off it */
        { 1, 0, 360000, "\"1970-01-05T04:00:01+100:00\"" }, { 1, 0, -1965600, "\"1969-12-09T06:00:01-546:00\"" },
        { -62198755200, 0, 0, "\"-0001-01-01T00:00:00Z\"" }, { 253402300800, 0, 0, "\"10000-01-01T00:00:00Z\"" },
    };
    for (size_t i = 0; i < sizeof times / sizeof *times; i++) {
        struct json_sink s = sink();
        json_time(&s, times[i].sec, times[i].ns, times[i].offset);
        CHECK(printed(times[i].text));
    }
    struct json_sink s = sink();
    json_time(&s, INT64_MAX, 0, INT32_MAX);          /* no overflow: the sanitizers see it */
    json_time(&s, INT64_MIN, 0, INT32_MIN);
    s = sink();
    json_big(&s, true, (const uint8_t *)"\x01\0\0\0\0\0\0\0\0", 9);
    CHECK(printed("-18446744073709551616"));
    s = sink();
    json_big(&s, true, NULL, 0);
    CHECK(printed("0"));
    s = sink();
    json_big(&s, false, (const uint8_t *)"\x3b\x9a\xca\x00", 4);
    CHECK(printed("1000000000"));
    uint8_t ones[4096];
    memset(ones, 0xFF, sizeof ones);
    s = sink();
    json_big(&s, false, ones, sizeof ones);
    CHECK(out.len == 9865);                          /* digits of 2^32768 - 1 */
    buf_free(&out);
}

/* == Streams ============================================================================================================= */

/* Made by Go: a value behind an interface whose type comes with it; a tree; a time with its zone; two maps; a float32 and all integers;
 * a map whose keys are complex numbers */
static const char *const streams[] = {
    "167f03010103416e7901ff80000101010156011000000036ff8001076c6561742e5371ff81030101064e657374656401ff8200010301044e616d6501"
    "0c0001015001ff840001015101ff840000001fff8303010105506f696e7401ff8400010201015801040001015901040000000aff8206010178010000"
    "00",
    "1b7f030101045472656501ff8000010101044b69647301ff820000001aff810201010b5b5d6d61696e2e5472656501ff820001ff8000000aff800102"
    "000101000000",
    "1e7f030101045768656e01ff8000010201015401ff8200010144010400000010ff810501010454696d6501ff820000001bff80010f010000000e7790"
    "d6b800000001ff2e01fb29e8d6080000",
    "0d7f040102ff80000104010c000018ff80000302036f6e6503096d696e75732074776ffe025800",
    "187f0301010453656c6601ff8000010101014d01ff8200000025ff81040101146d61705b737472696e675d6d61696e2e53656c6601ff8200010c01ff"
    "8000000aff800101016101000000",
    "747f030101075363616c61727301ff8000010d0102493801040001034931360104000103493332010400010349363401040001025538010600010355"
    "31360106000103553332010600010355363401060001034633320108000103463634010800010142010200010153010c00010159010a0000004aff80"
    "01ffff01feffff01fcffffffff01f8ffffffffffffffff01ffff01feffff01fcffffffff01f8ffffffffffffffff01fbe0ffffef4701f80100000000"
    "000000010101017301010000",
    "0d7f040102ff8000010e0104000031ff800005fd205940fd429f4002fd605940fd469f4004fda05940fd4a9f4006fde05940fd4e9f4008fd205a40fd"
    "529f400a",
};
enum { STREAMS = sizeof streams / sizeof *streams };

static size_t bytes_of(const char *hex, uint8_t *to)
{
    size_t n = 0;
    for (unsigned v; hex[0] && sscanf(hex, "%2x", &v) == 1; hex += 2)
        to[n++] = (uint8_t)v;
    return n;
}

struct feed { struct gob gob; const uint8_t *p; size_t n, at, head, taken; };    /* gob comes first: more() finds the rest behind it */

static bool next(struct feed *f, size_t at, size_t *head, size_t *n)
{
    uint64_t len = 0;
    int took = gob_length(&f->gob, f->p + at, f->n - at, at, &len);
    if (took <= 0 || len > f->n - at - (size_t)took)
        return false;
    *head = (size_t)took;
    *n = (size_t)took + (size_t)len;
    return true;
}

static bool more(struct gob *g)
{
    struct feed *f = (struct feed *)g;
    size_t head, n;
    if (!next(f, f->at + f->taken, &head, &n))
        return false;
    f->taken += n;
    gob_extend(g, f->p + f->at + f->head, f->taken - f->head);
    return true;
}

/* Reads a stream to where it is bad or ends, and writes all that is good; how many values.  *ok: to its end. */
static int read_all(const uint8_t *p, size_t n, bool *ok)
{
    struct feed f = { .gob.more = more, .p = p, .n = n };
    int values = 0;
    leat_err e = LEAT_OK;
    buf_reset(&out);
    struct json_sink s = json_to_buf(&out);
    while (e == LEAT_OK && next(&f, f.at, &f.head, &f.taken)) {
        e = gob_message(&f.gob, p + f.at + f.head, f.taken - f.head, f.at + f.head);
        if (e == LEAT_OK && f.gob.value) {
            e = gob_json(&f.gob, &s);
            values += e == LEAT_OK;
        }
        f.at += f.taken;
    }
    *ok = e == LEAT_OK && f.at == n;
    if (e == LEAT_OK)
        e = gob_declarations(&f.gob, &s);
    CHECK(e != LEAT_INVAL || (f.gob.why && f.gob.at <= n));
    gob_free(&f.gob);
    return values;
}

TEST(streams_are_read_to_their_end)
{
    uint8_t p[400];
    bool ok;
    for (size_t i = 0; i < STREAMS; i++) {
        size_t n = bytes_of(streams[i], p);
        CHECK(read_all(p, n, &ok) == 1 && ok);
        for (size_t cut = 0; cut < n; cut++)
            CHECK(read_all(p, cut, &ok) == 0);
    }
    buf_free(&out);
}

/* 40 types without a name, each a map of the next one to the next one: 2^40 words, were they all written. */
TEST(declarations_of_types_within_types_end)
{
    static const uint8_t head[] = { 0xff, 0x81, 3, 1, 1, 1, 'T', 1, 0xff, 0x82, 0, 1, 1, 1, 1, 'A', 1, 0xff, 0x84, 0, 0, 0 };
    struct feed f = { 0 };
    buf_reset(&out);
    struct json_sink s = json_to_buf(&out);
    CHECK(gob_message(&f.gob, head, sizeof head, 1) == LEAT_OK);
    for (int id = 66; id < 66 + 40; id++) {
        uint8_t next = (uint8_t)(id < 105 ? 2 * id + 2 : 4), more = id < 105;
        uint8_t p[] = { 0xff, (uint8_t)(2 * id - 1), 4, 1, 2, 0xff, (uint8_t)(2 * id), 0, 1, 0xff, next, 1, 0xff, next, 0, 0 };
        uint8_t last[] = { 0xff, (uint8_t)(2 * id - 1), 4, 1, 2, 0xff, (uint8_t)(2 * id), 0, 1, next, 1, next, 0, 0 };
        CHECK(gob_message(&f.gob, more ? p : last, more ? sizeof p : sizeof last, 100) == LEAT_OK);
    }
    CHECK(gob_declarations(&f.gob, &s) == LEAT_OK);
    CHECK(buf_err(&out) == LEAT_OK && out.len > 5000 && out.len < 200000);
    buf_u8(&out, 0);
    CHECK_HAS((char *)out.p, "type T struct {\n\tA map[map[map[");
    CHECK_HAS((char *)out.p, "/* more without a name than is written */");
    gob_free(&f.gob);
    buf_free(&out);
}

TEST(damaged_streams_break_nothing)
{
    struct rng r;
    uint8_t p[800];
    bool ok;
    int good = 0, rounds = getenv("T_QUICK") ? 2000 : 40000;
    rng_init(&r, 7);
    for (int i = 0; i < rounds; i++) {
        size_t n = bytes_of(streams[rng_below(&r, STREAMS)], p);
        n += rng_below(&r, 2) ? bytes_of(streams[rng_below(&r, STREAMS)], p + n) : 0;
        for (uint32_t k = rng_below(&r, 4); k > 0; k--) {
            size_t at = rng_below(&r, (uint32_t)n);
            switch (rng_below(&r, 4)) {
            case 0: p[at] ^= (uint8_t)(1u << rng_below(&r, 8)); break;
            case 1: p[at] = (uint8_t)rng_next(&r); break;
            case 2: memmove(p + at, p + at + 1, n - at - 1); n--; break;
            default: p[at] = (uint8_t)(0xF8 + rng_below(&r, 8)); break;
            }
        }
        good += read_all(p, n, &ok) > 0;
    }
    CHECK(good > rounds / 8 && good < rounds);       /* both kinds were there */
    buf_free(&out);
}

static size_t taken;
static bool count_hook(void *self, size_t bytes) { (void)self; taken += bytes; return false; }
static size_t left;
static bool fail_hook(void *self, size_t bytes) { (void)self; (void)bytes; return left-- == 0; }

TEST(memory_follows_the_bytes)
{
    const struct mem_hook h = { count_hook, NULL };
    uint8_t p[800];
    bool ok;
    mem_hook = &h;
    for (size_t i = 0; i < STREAMS; i++) {
        size_t n = bytes_of(streams[i], p);
        taken = 0;
        read_all(p, n, &ok);
        CHECK(taken < 64 * n);
        buf_free(&out);
    }
    mem_hook = NULL;
}

TEST(every_allocation_may_fail)
{
    const struct mem_hook h = { fail_hook, NULL };
    uint8_t p[800];
    bool ok;
    for (size_t i = 0; i < STREAMS; i++) {
        size_t n = bytes_of(streams[i], p);
        read_all(p, n, &ok);
        struct buf whole = out;
        out = (struct buf){ 0 };
        for (size_t at = 0;; at++) {
            left = at;
            mem_hook = &h;
            read_all(p, n, &ok);
            mem_hook = NULL;
            CHECK(!ok || buf_err(&out) != LEAT_OK || (out.len <= whole.len && memcmp(out.p, whole.p, out.len) == 0));
            if (left != SIZE_MAX && left < SIZE_MAX / 2)
                break;                               /* none failed any more */
            buf_free(&out);
        }
        CHECK(ok);
        buf_free(&out);
        buf_free(&whole);
    }
}

T_MAIN()
