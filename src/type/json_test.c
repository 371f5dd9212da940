/* json_test.c - described types as JSON: each kind's text, what is read and what is refused, there and back, damage, no memory. */
#include <math.h>
#include "base/limits.h"
#include "type/json.h"
#include "type/json_lex.h"
#include "type/type_test.h"

LEAT_STRUCT(times, (date, when), (duration, took));
LEAT_STRUCT(named, (int32, id, .json = "ID"), (string, text, .json = "the text"), (chars(8), code), (cstr, note));
LEAT_STRUCT(just, (int64s, ids, .flags = LEAT_BARE));
LEAT_STRUCT(holder, (struct(just), just), (bool, on));
LEAT_STRUCT(ends, (tx(word), out), (int8, n));
LEAT_STRUCT(failure, (error, err));
LEAT_STRUCT(floats, (float64, d), (float32, f));
LEAT_STRUCT(longs, (int64s, at));
LEAT_STRUCT(drawing, (oneof(shape), shape), (enum(color), color), (optional(point), spot));

static const char *text_of(const leat_type *t, const void *v)
{
    static struct buf b;
    buf_reset(&b);
    CHECK_EQ(type_json_put(t, v, &b), LEAT_OK);
    buf_u8(&b, 0);
    return (const char *)b.p;
}

static bool text_is(const leat_type *t, const void *v, const char *want)
{
    const char *got = text_of(t, v);
    if (strcmp(got, want) != 0)
        fprintf(stderr, "# got  %s\n# want %s\n", got, want);
    return strcmp(got, want) == 0;
}

/* What is written of what is read. */
static bool reads_as(const leat_type *t, const char *text, const char *want)
{
    char v[512] __attribute__((aligned(16)));
    CHECK(t->size <= sizeof v);
    memset(v, 0xff, sizeof v);
    leat_err e = type_json_get(t, text, strlen(text), v);
    if (e != LEAT_OK) {
        fprintf(stderr, "# %s: %s\n", text, leat_err_detail());
        return false;
    }
    bool is = text_is(t, v, want);
    leat_drop_(t, v);
    return is;
}

static bool refused(const leat_type *t, const char *text, leat_err want, const char *detail)
{
    char v[512] __attribute__((aligned(16))), zero[512] = { 0 };
    memset(v, 0xff, sizeof v);
    leat_err e = type_json_get(t, text, strlen(text), v);
    bool is = e == want && strstr(leat_err_detail(), detail) && memcmp(v, zero, t->size) == 0;
    if (!is)
        fprintf(stderr, "# %s: %s %s\n", text, leat_err_name(e), e ? leat_err_detail() : "");
    return is;
}

TEST(numbers_are_exact_and_large_ones_in_quotes)
{
    struct numbers n = { -128, -32768, -2147483647 - 1, INT64_MIN, 255, 65535, 4294967295u, UINT64_MAX, 0.5f, 1e300, true };
    CHECK(text_is(&numbers_type, &n, "{\"a\":-128,\"b\":-32768,\"c\":-2147483648,\"d\":\"-9223372036854775808\",\"e\":255,\"f\":65535,"
        "\"g\":4294967295,\"h\":\"18446744073709551615\",\"i\":0.5,\"j\":1e+300,\"k\":true}"));
    CHECK(reads_as(&numbers_type, text_of(&numbers_type, &n), text_of(&numbers_type, &n)));
    n = (struct numbers){ .d = 9007199254740991, .h = 9007199254740992u };
    CHECK(text_is(&numbers_type, &n, "{\"a\":0,\"b\":0,\"c\":0,\"d\":9007199254740991,\"e\":0,\"f\":0,\"g\":0,\"h\":\"9007199254740992\","
        "\"i\":0,\"j\":0,\"k\":false}"));
    CHECK(reads_as(&point_type, "{\"x\":1.0,\"y\":\"-12\"}", "{\"x\":1,\"y\":-12}"));
    CHECK(reads_as(&point_type, "{\"x\":1e3,\"y\":-0}", "{\"x\":1000,\"y\":0}"));
    static const char *const whole[][2] = { { "1e18", "1000000000000000000" }, { "9223372036854775807.000", "9223372036854775807" },
        { "9007199254740993.0", "9007199254740993" }, { "922337203685477580.7E+1", "9223372036854775807" }, { "-9.223372036854775808e18",
        "-9223372036854775808" }, { "-0.0e5", "0" }, { "0e999999999999999999999", "0" }, { "0.0000000000000000000000001e25", "1" },
        { "12300e-2", "123" }, { "1000000000000000000000000000e-26", "10" } };
    for (size_t i = 0; i < ARRAY_LEN(whole); i++) {
        char text[80], back[80];
        snprintf(text, sizeof text, "{\"at\":[%s]}", whole[i][0]);
        snprintf(back, sizeof back, strlen(whole[i][1]) > 15 ? "{\"at\":[\"%s\"]}" : "{\"at\":[%s]}", whole[i][1]);
        CHECK(reads_as(&longs_type, text, back));
    }
    static const char *const others[] = { "1.5", "4503599627370496.4", "0.1", "9007199254740992.5", "1e19", "9223372036854775808.0",
        "123e-1", "1e-1", "1e999999999999999999999", "1e-999999999999999999999", "-9223372036854775809.0" };
    for (size_t i = 0; i < ARRAY_LEN(others); i++) {
        char text[80];
        snprintf(text, sizeof text, "{\"at\":[%s]}", others[i]);
        CHECK(refused(&longs_type, text, LEAT_TYPE, "does not fit an int64, at byte"));
    }
    CHECK(reads_as(&numbers_type, "{\"d\":9223372036854775807,\"h\":18446744073709551615}", "{\"a\":0,\"b\":0,\"c\":0,"
        "\"d\":\"9223372036854775807\",\"e\":0,\"f\":0,\"g\":0,\"h\":\"18446744073709551615\",\"i\":0,\"j\":0,\"k\":false}"));
}

TEST(floats_read_back_and_have_names_for_what_json_has_not)
{
    struct floats f = { 0.1, 0.1f };
    CHECK(text_is(&floats_type, &f, "{\"d\":0.1,\"f\":0.1}"));
    f = (struct floats){ __builtin_nan(""), -__builtin_inff() };
    CHECK(text_is(&floats_type, &f, "{\"d\":\"NaN\",\"f\":\"-Inf\"}"));
    CHECK(reads_as(&floats_type, "{\"d\":\"NaN\",\"f\":\"-Inf\"}", "{\"d\":\"NaN\",\"f\":\"-Inf\"}"));
    CHECK(reads_as(&floats_type, "{\"d\":4.9e-324,\"f\":\"2.5\"}", "{\"d\":5e-324,\"f\":2.5}"));
    CHECK(reads_as(&floats_type, "{\"d\":1e-400,\"f\":1e-60}", "{\"d\":0,\"f\":0}"));
}

TEST(strings_bytes_times_and_names)
{
    char note[] = "n";
    struct named n = { 7, LEAT_STRING("a\"\\\n\x01<\xc3\xa9\xff"), "code", note };
    CHECK(text_is(&named_type, &n,
        "{\"ID\":7,\"the text\":\"a\\\"\\\\\\n\\u0001\\u003c\xc3\xa9\\ufffd\",\"code\":\"code\",\"note\":\"n\"}"));
    CHECK(reads_as(&named_type, " { \"the text\" : \"\\u00e9\\ud83d\\ude00\\/\" , \"note\":null,\"code\":\"\" } ",
        "{\"ID\":0,\"the text\":\"\xc3\xa9\xf0\x9f\x98\x80/\",\"code\":\"\",\"note\":null}"));
    struct times t = { { 1234567890, 120000000, 3600 }, LEAT_MS(1500) };
    CHECK(text_is(&times_type, &t, "{\"when\":\"2009-02-14T00:31:30.12+01:00\",\"took\":1500000000}"));
    CHECK(reads_as(&times_type, "{\"when\":\"1969-12-31t23:59:59.999999999999Z\"}",
        "{\"when\":\"1969-12-31T23:59:59.999999999Z\",\"took\":0}"));
    CHECK(reads_as(&times_type, "{\"when\":\"0000-02-29T00:00:00-23:59\"}", "{\"when\":\"0000-02-29T00:00:00-23:59\",\"took\":0}"));
    t.when = (leat_date){ 0, 0, 3661 };              /* RFC 3339 has no seconds of offset; the instant is the same */
    CHECK(reads_as(&times_type, text_of(&times_type, &t), "{\"when\":\"1970-01-01T01:01:00+01:01\",\"took\":1500000000}"));
    struct failure e = { { .code = LEAT_REFUSED, .text = LEAT_STRING("no") } };
    CHECK(text_is(&failure_type, &e, "{\"err\":{\"code\":\"REFUSED\",\"text\":\"no\"}}"));
    CHECK(reads_as(&failure_type, "{\"err\":{\"text\":\"x\",\"more\":[],\"code\":9}}", text_of(&failure_type,
        &(struct failure){ { .code = (leat_err)9, .text = LEAT_STRING("x") } })));
    leat_error disk = { .code = LEAT_SYS, .text = LEAT_STRING("full"), .details = { (const uint8_t *)"\1", 1, 0 } };
    e.err.node = LEAT_STRING("n");
    e.err.cause = &disk;
    CHECK(reads_as(&failure_type, text_of(&failure_type, &e), "{\"err\":{\"code\":\"REFUSED\",\"text\":\"no\",\"node\":\"n\","
        "\"cause\":{\"code\":\"SYS\",\"text\":\"full\",\"details\":\"AQ==\"}}}"));
}

TEST(structs_oneofs_optionals_and_bare_ones)
{
    struct point spot = { 1, 2 };
    struct drawing d = { { shape_square, .square = { 2, LEAT_STRING("q") } }, minus, &spot };
    CHECK(text_is(&drawing_type, &d,
        "{\"shape\":{\"square\":{\"side\":2,\"label\":\"q\"}},\"color\":\"minus\",\"spot\":{\"x\":1,\"y\":2}}"));
    d = (struct drawing){ { 0 }, (enum color)5, NULL };
    CHECK(text_is(&drawing_type, &d, "{\"shape\":null,\"color\":5,\"spot\":null}"));
    CHECK(reads_as(&drawing_type, "{\"shape\":{\"tiny\":-3},\"color\":\"green\",\"spot\":{}}",
        "{\"shape\":{\"tiny\":-3},\"color\":\"green\",\"spot\":{\"x\":0,\"y\":0}}"));
    CHECK(reads_as(&drawing_type, "{\"shape\":{},\"color\":-7}", "{\"shape\":null,\"color\":\"minus\",\"spot\":null}"));
    CHECK(reads_as(&holder_type, "{\"on\":true,\"just\":[1,2]}", "{\"just\":[1,2],\"on\":true}"));
    CHECK(reads_as(&handle_type, "{\"lock\":5}", "{}"));
    CHECK(reads_as(&old_type, "{\"id\":1,\"name\":\"n\",\"lock\":{},\"n\":2}", "{\"id\":1,\"name\":\"n\",\"note\":null,\"n\":2}"));
    struct ends none = { .n = 1 };
    CHECK(text_is(&ends_type, &none, "{\"out\":null,\"n\":1}"));
}

TEST(what_is_not_known_is_skipped_and_what_is_not_there_is_zero)
{
    CHECK(reads_as(&point_type, "{\"a\":[1,{\"b\":[[],{}, \"\\u0041\"]},null,true,-1.5e-3],\"y\":2,\"z\":{}}", "{\"x\":0,\"y\":2}"));
    CHECK(reads_as(&point_type, "null", "{\"x\":0,\"y\":0}"));
    CHECK(reads_as(&node_type, "{\"kids\":[{\"name\":\"k\"},null],\"by_name\":{\"\":{\"name\":\"v\"},\"\":{}}}",
        "{\"name\":\"\",\"left\":null,\"right\":null,\"kids\":[{\"name\":\"k\",\"left\":null,\"right\":null,\"kids\":[],\"by_name\":{}},"
        "{\"name\":\"\",\"left\":null,\"right\":null,\"kids\":[],\"by_name\":{}}],\"by_name\":{\"\":{\"name\":\"v\",\"left\":null,"
        "\"right\":null,\"kids\":[],\"by_name\":{}},\"\":{\"name\":\"\",\"left\":null,\"right\":null,\"kids\":[],\"by_name\":{}}}}"));
}

TEST(what_json_cannot_carry_names_its_field)
{
    struct buf b = { 0 };
    leat_chan(struct word) c = leat_chan_make(struct word, 0);
    struct ends e = { leat_tx_of(c), 1 };
    CHECK_EQ(type_json_put(&ends_type, &e, &b), LEAT_INVAL);
    CHECK(strstr(leat_err_detail(), "ends.out: a channel end"));
    leat_unref(c);
    struct times t = { { 253402300800, 0, 0 }, { 0 } };
    CHECK_EQ(type_json_put(&times_type, &t, &b), LEAT_INVAL);
    CHECK(strstr(leat_err_detail(), "times.when: a date"));
    CHECK_EQ(b.len, 0);
    buf_free(&b);
}

TEST(what_is_no_json_or_no_such_value_is_refused_with_its_place)
{
    static const struct { const leat_type *t; const char *text, *detail; } bad[] = {
        { &point_type, "", "point: an object is wanted at byte 0" }, { &point_type, "[]", "an object is wanted" },
        { &point_type, "{\"x\":1,}", "a key is a string at byte 7" }, { &point_type, "{\"x\":1 \"y\":2}", "goes on with , or ends" },
        { &point_type, "{\"x\":01}", "point.x: this is no number of JSON at byte 5" },
        { &point_type, "{\"x\":1} {", "more than one value" },
        { &point_type, "{\"x\":2147483648}", "point.x: the number 2147483648 does not fit an int32" },
        { &point_type, "{\"x\":1.5}", "does not fit an int32" }, { &point_type, "{\"x\":true}", "point.x: a number is wanted" },
        { &point_type, "{\"x\":\"1x\"}", "a string that is no number" }, { &point_type, "{\"x\":\" 1\"}", "a string that is no number" },
        { &point_type, "{\"x\":1,\"x\":2}", "point.x: a field given twice" }, { &point_type, "{\"x\"1}", "a key is followed by :" },
        { &point_type, "{\"z\":[1,]}", "this is no JSON value" }, { &point_type, "{\"z\":[1}", "an array goes on" },
        { &point_type, "{\"z\":tru}", "this is no JSON value" }, { &point_type, "{\"z\":{\"a\" 1}}", "a key is followed by :" },
        { &named_type, "{\"the text\":\"\xff\"}", "named.text: a string that is not UTF-8 at byte 13" },
        { &named_type, "{\"the text\":\"\\ud800\"}", "half of a surrogate pair" },
        { &named_type, "{\"the text\":\"a\nb\"}", "a control character" }, { &named_type, "{\"the text\":\"a", "without its end" },
        { &named_type, "{\"the text\":\"\\x\"}", "an escape that JSON does not have" },
        { &named_type, "{\"code\":\"12345678\"}", "8 bytes and a NUL do not fit 8" },
        { &named_type, "{\"note\":\"a\\u0000b\"}", "a NUL in a C string" }, { &named_type, "{\"ID\":1e99}", "does not fit an int32" },
        { &numbers_type, "{\"e\":-1}", "does not fit a uint8" }, { &numbers_type, "{\"i\":1e39}", "no float32 holds" },
        { &numbers_type, "{\"j\":1e309}", "no float64 holds" }, { &numbers_type, "{\"j\":1.}", "no digit behind its point" },
        { &numbers_type, "{\"j\":1e}", "no digit in its exponent" }, { &numbers_type, "{\"k\":1}", "true or false" },
        { &drawing_type, "{\"color\":\"blue\"}", "drawing.color: color has no name blue" },
        { &drawing_type, "{\"shape\":{\"cube\":1}}", "shape has no case cube" },
        { &drawing_type, "{\"shape\":{\"tiny\":1,\"words\":\"\"}}", "an object with one case ends with }" },
        { &drawing_type, "{\"shape\":{\"square\":{\"side\":\"x\"}}}", "drawing.shape.square.side: a string that is no number" },
        { &times_type, "{\"when\":\"2023-02-29T00:00:00Z\"}", "no time of RFC 3339" },
        { &times_type, "{\"when\":\"2023-02-28T24:00:00Z\"}", "no time" },
        { &times_type, "{\"when\":\"2023-02-28T00:00:60Z\"}", "no time" },
        { &times_type, "{\"when\":\"2023-02-28 00:00:00Z\"}", "no time" }, { &times_type, "{\"when\":\"2023-02-28T00:00:00\"}", "no time" },
        { &node_type, "{\"kids\":[{},{\"kids\":[1]}]}", "node.kids[1].kids[0]: an object is wanted" },
        { &node_type, "{\"by_name\":[]}", "node.by_name: an object is wanted" }, { &ends_type, "{\"out\":{}}", "does not travel" },
        { &failure_type, "{\"err\":{\"code\":\"WHAT\"}}", "a code that is none" } };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        CHECK(refused(bad[i].t, bad[i].text, LEAT_TYPE, bad[i].detail));
        CHECK(refused(bad[i].t, bad[i].text, LEAT_TYPE, "at byte"));
    }
}

/* A chain of optionals: as deep as the limit, one deeper, in what is read and in what is skipped. */
static char *deep(int depth, const char *key)
{
    size_t n = strlen(key) + 5;
    char *text = malloc((size_t)depth * (n + 1) + 16), *at = text;
    for (int i = 1; i < depth; i++)
        at += sprintf(at, "{\"%s\":", key);
    at += sprintf(at, "{}");
    for (int i = 1; i < depth; i++)
        *at++ = '}';
    *at = 0;
    return text;
}

TEST(depth_is_limited_and_takes_no_stack)
{
    struct node n;
    for (int skip = 0; skip < 2; skip++) {
        char *text = deep(LIMIT_VALUE_DEPTH, skip ? "what" : "left");
        CHECK_EQ(type_json_get(&node_type, text, strlen(text), &n), LEAT_OK);
        leat_drop(node, &n);
        free(text);
        text = deep(LIMIT_VALUE_DEPTH + 2, skip ? "what" : "left");
        CHECK_EQ(type_json_get(&node_type, text, strlen(text), &n), skip ? LEAT_TYPE : LEAT_LIMIT);
        CHECK(strstr(leat_err_detail(), "deep"));
        free(text);
    }
}

static void again(const leat_type *t, char **text)  /* reads it, writes it */
{
    struct all w;
    CHECK_EQ(type_json_get(t, *text, strlen(*text), &w), LEAT_OK);
    free(*text);
    *text = strdup(text_of(t, &w));
    leat_drop_(t, &w);
}

/* What is written of anything is read again, and is the same text then: from the second time on, as bytes that are no UTF-8 are escapes
 * when they are written first. */
TEST(there_and_back)
{
    int rounds = getenv("T_QUICK") ? 200 : 2000;
    for (int i = 0; i < rounds; i++) {
        struct rng r;
        rng_init(&r, (uint64_t)i);
        struct all v = { 0 };
        fill(&all_type, &v, &r);
        v.when = (leat_date){ rng_next(&r) % 200000000000, rng_below(&r, 1000000000), (int32_t)rng_below(&r, 1440) * 60 - 43200 };
        char *text = strdup(text_of(&all_type, &v));
        again(&all_type, &text);
        char *first = strdup(text);
        again(&all_type, &text);
        CHECK(strcmp(first, text) == 0);
        leat_drop(all, &v);
        free(first);
        free(text);
    }
}

TEST(a_damaged_text_is_refused_or_read_and_nothing_is_lost)
{
    int rounds = getenv("T_QUICK") ? 500 : 5000;
    for (int i = 0; i < rounds; i++) {
        struct rng r;
        rng_init(&r, (uint64_t)i);
        struct all v = { 0 }, w;
        fill(&all_type, &v, &r);
        v.when = (leat_date){ 0 };
        char *text = strdup(text_of(&all_type, &v));
        size_t n = strlen(text);
        for (uint32_t k = 0; k <= rng_below(&r, 3); k++)
            text[rng_below(&r, (uint32_t)n)] = "\"\\{}[],:0-e.u\xff n"[rng_below(&r, 16)];
        leat_err e = type_json_get(&all_type, text, rng_below(&r, 4) ? n : rng_below(&r, (uint32_t)n + 1), &w);
        CHECK(e == LEAT_OK || e == LEAT_TYPE || e == LEAT_LIMIT);
        if (e == LEAT_OK)
            leat_drop(all, &w);
        leat_drop(all, &v);
        free(text);
    }
}

TEST(every_allocation_may_fail)
{
    static const char text[] =
        "{\"name\":\"n\",\"left\":{\"name\":\"l\"},\"kids\":[{},{},{},{},{\"name\":\"k\"}],\"by_name\":{\"a\":{},\"b\":{}}}";
    struct node n;
    struct buf out = { 0 };
    struct failing f = { -1, 0 };
    const struct mem_hook hook = { failing_hook, &f };
    CHECK_EQ(type_json_get(&node_type, text, sizeof text - 1, &n), LEAT_OK);
    mem_hook = &hook;
    CHECK_EQ(type_json_put(&node_type, &n, &out), LEAT_OK);
    long writes = f.count;
    for (long i = 0; i < writes; i++) {
        buf_free(&out);
        f = (struct failing){ i, 0 };
        CHECK_EQ(type_json_put(&node_type, &n, &out), LEAT_NOMEM);
        CHECK_EQ(out.len, 0);
    }
    buf_free(&out);
    leat_drop(node, &n);
    leat_err e;
    for (long i = 0; f = (struct failing){ i, 0 }, (e = type_json_get(&node_type, text, sizeof text - 1, &n)) != LEAT_OK; i++)
        CHECK_EQ(e, LEAT_NOMEM);
    mem_hook = NULL;
    leat_drop(node, &n);
}

TEST(memory_is_bounded_by_the_text)
{
    char text[4096] = "{\"kids\":[";
    struct node n;
    struct taking t = { 0 };
    const struct mem_hook hook = { taking_hook, &t };
    for (int i = 0; i < 1000; i++)
        strcat(text, i ? ",{}" : "{}");
    strcat(text, "]}");
    CHECK_EQ(type_json_get(&node_type, text, strlen(text), &n), LEAT_OK);
    leat_drop(node, &n);
    mem_hook = &hook;
    CHECK_EQ(type_json_get(&node_type, text, strlen(text), &n), LEAT_OK);
    mem_hook = NULL;
    CHECK(t.bytes <= 4 * 1024 * sizeof n + 4096);    /* a list that doubles takes, in all, twice what it has at most */
    leat_drop(node, &n);
}

TEST(the_public_functions)
{
    struct point p = { 1, -2 }, q;
    leat_string text;
    CHECK_EQ(leat_json_write(point, &p, &text), LEAT_OK);
    CHECK(text.owned && text.len == 14 && memcmp(text.p, "{\"x\":1,\"y\":-2}", 14) == 0);
    CHECK_EQ(leat_json_read(point, text.p, text.len, &q), LEAT_OK);
    CHECK(q.x == 1 && q.y == -2);
    free((char *)(uintptr_t)text.p);
    CHECK_EQ(leat_json_read(point, "{", 1, &q), LEAT_TYPE);
}

/* -- the short ways through numbers and strings --------------------------------------------------------------------------------- */
static int times_of(int n) { return getenv("T_QUICK") ? n / 10 : n; }

static double any_double(struct rng *r)
{
    double v;
    uint64_t bits = rng_next(r);
    switch (rng_below(r, 4)) {
    case 0: v = (double)(int64_t)(bits >> rng_below(r, 64)); break;
    case 1: v = (double)(bits >> 24 >> rng_below(r, 30)) / 1e3; break;
    case 2: v = (double)(bits >> 14 >> rng_below(r, 40)) / 1e15; break;
    default: memcpy(&v, &bits, sizeof v);
    }
    return v;
}

TEST(a_float_has_the_shortest_digits_that_read_back)
{
    struct rng r;
    char text[JSON_FLOAT_TEXT + 1], less[64];
    rng_init(&r, 7);
    for (int i = 0; i < times_of(300000); i++) {
        double v = any_double(&r), back = 0;
        if (!(v - v == 0))                           /* no number */
            continue;
        size_t n = json_float_text(text, v);
        text[n] = 0;
        CHECK(strtod(text, NULL) == v);
        CHECK(json_number_float(text, n, &back) && back == v);
        int digits = json_float_digits(v);
        if (digits > 1) {
            snprintf(less, sizeof less, "%.*e", digits - 2, v);
            if (strtod(less, NULL) == v)
                t_fail(__FILE__, __LINE__, "%s has more digits than %s", text, less);
        }
    }
}

/* The nearest decimal of 16 digits is not read as such a number, as what is below it is nearer than what is above; the one above is. */
TEST(a_power_of_two_has_the_shortest_digits_too)
{
    static const char *const powers[] = { "7.120236347223045e-307", "7.291122019556398e-304", "8.209073602596753e-289",
        "6.142758149716505e-238", "7.854549544476363e-90", "6.189700196426902e+26", "6.518515124270356e+91", "5.334411546303884e+241" };
    char text[JSON_FLOAT_TEXT + 1];
    for (size_t i = 0; i < ARRAY_LEN(powers); i++) {
        int exp;
        double v = strtod(powers[i], NULL);
        CHECK(frexp(v, &exp) == 0.5);
        text[json_float_text(text, v)] = 0;
        CHECK_STR(text, powers[i]);
    }
    for (int exp = -1074; exp < 1024; exp++) {
        double v = ldexp(1, exp);
        text[json_float_text(text, v)] = 0;
        CHECK(strtod(text, NULL) == v);
    }
}

TEST(a_number_is_read_as_the_nearest_double)
{
    struct rng r;
    char text[80];
    double v;
    rng_init(&r, 8);
    for (int i = 0; i < times_of(300000); i++) {
        int whole = (int)rng_below(&r, 18), behind = (int)rng_below(&r, 26);
        size_t n = rng_below(&r, 2);
        text[0] = '-';
        text[n] = '0';
        for (int k = 0; k < whole; k++)
            text[n + (size_t)k] = (char)('0' + (k ? rng_below(&r, 10) : 1 + rng_below(&r, 9)));
        n += (size_t)(whole ? whole : 1);
        if (behind)
            text[n++] = '.';
        for (int k = 0; k < behind; k++)
            text[n++] = (char)('0' + (rng_below(&r, 3) ? rng_below(&r, 10) : 0));
        if (rng_below(&r, 8) == 0)
            n += (size_t)sprintf(text + n, "e%d", (int)rng_below(&r, 60) - 30);
        text[n] = 0;
        CHECK(json_number_float(text, n, &v));
        if (v != strtod(text, NULL))
            t_fail(__FILE__, __LINE__, "%s is read as %.17g", text, v);
    }
}

TEST(what_stands_for_itself_is_found_at_once)
{
    static const char odd[] = "\"\\<>&\x1f\x7f\x80\xff\x20\x21";
    struct rng r;
    uint8_t p[40];
    rng_init(&r, 9);
    for (int i = 0; i < times_of(100000); i++) {
        size_t n = rng_below(&r, sizeof p + 1), at = 0;
        bool written = rng_below(&r, 2);
        for (size_t k = 0; k < n; k++)
            p[k] = rng_below(&r, 16) ? (uint8_t)(0x20 + rng_below(&r, 0x60)) : (uint8_t)odd[rng_below(&r, sizeof odd)];
        while (at < n && p[at] >= 0x20 && p[at] < 0x80 && p[at] != '"' && p[at] != '\\'
               && !(written && (p[at] == '<' || p[at] == '>' || p[at] == '&')))
            at++;
        CHECK_EQ(json_plain(p, n, written), at);
    }
}

/* -- what is read at once ---------------------------------------------------------------------------------------------------- */
LEAT_STRUCT(cell, (int64, id), (string, name), (float64, value), (date, when), (uint64, n), (duration, took), (int32, small), (bool, yes),
    (string, a_name_of_many_words), (int64, last, .json = "quoted\"name"));
LEAT_STRUCT(cells, (string, of), (list(cell), rows), (int64, n));

/* The same text with a space behind each { [ , that is no part of a string: it means the same, and is read step by step. */
static void spaced(struct buf *to, const char *p, size_t n)
{
    bool inside = false;
    for (size_t i = 0; i < n; i++) {
        buf_put(to, p + i, 1);
        if (inside && p[i] == '\\' && i + 1 < n)
            buf_put(to, p + ++i, 1);
        else if (p[i] == '"')
            inside = !inside;
        else if (!inside && (p[i] == ',' || p[i] == '{' || p[i] == '['))
            buf_put(to, " ", 1);
    }
}

static void same_meaning(const char *p, size_t n)
{
    struct cells v, w;
    struct buf wide = { 0 };
    spaced(&wide, p, n);
    leat_err e = type_json_get(&cells_type, p, n, &v);
    CHECK_EQ(type_json_get(&cells_type, (const char *)wide.p, wide.len, &w), e);
    CHECK(same_value(&cells_type, &v, &w));
    leat_drop(cells, &v);
    leat_drop(cells, &w);
    buf_free(&wide);
}

TEST(a_text_means_the_same_at_once_and_step_by_step)
{
    static const char put[] = "0123456789-+.eE\"\\,:{}[] tnulZ\x01\x80/";
    static const char *const numbers[] = { "0", "-0", "00", "01", "-1", "1.", "1.5", "-.5", "999999999999999", "9999999999999999", "1e3",
        "1.0", "18446744073709551615", "9223372036854775808", "0.000001", "123456789.123456", "0.1234567890123456", "-", "+1", "1 ", "null",
        "\"7\"" };
    struct rng r;
    rng_init(&r, 5);
    struct cells v = { .of = leat_string_view("many", 4), .n = 9 };
    struct cell c = { -42, leat_string_view("a name", 6), 2.5, { 1700000000, 5, 3600 }, 7, { 1000 }, -3, true, { 0 }, 12 };
    for (int i = 0; i < 3; i++, c.value = i == 1 ? -0.001 : 1e15, c.when.ns = i == 1 ? 0 : 120000000, c.when.offset_s = 0)
        CHECK_EQ(leat_push(&v.rows, c), LEAT_OK);
    struct buf b = { 0 };
    CHECK_EQ(type_json_put(&cells_type, &v, &b), LEAT_OK);
    same_meaning((const char *)b.p, b.len);
    for (int i = 0; i < (getenv("T_QUICK") ? 1500 : 8000); i++) {
        size_t n = rng_below(&r, 5) ? b.len : rng_below(&r, (uint32_t)b.len);
        char *copy = malloc(n ? n : 1);              /* of exactly what is given, for AddressSanitizer */
        memcpy(copy, b.p, n);
        for (uint32_t m = n ? rng_below(&r, 3) : 0; m > 0; m--)
            copy[rng_below(&r, (uint32_t)n)] = put[rng_below(&r, sizeof put - 1)];
        same_meaning(copy, n);
        free(copy);
    }
    static const char *const fields[] = { "id", "value", "n", "took", "small" };
    for (size_t i = 0; i < ARRAY_LEN(numbers); i++)
        for (size_t k = 0; k < ARRAY_LEN(fields); k++) {
            char text[160];
            const char *f = fields[k], *x = numbers[i];
            int m = snprintf(text, sizeof text, "{\"of\":\"\",\"rows\":[{\"%s\":%s},{\"%s\":%s,\"id\":1}],\"n\":1}", f, x, f, x);
            same_meaning(text, (size_t)m);
        }
    leat_drop(cells, &v);
    buf_free(&b);
}

T_MAIN()
