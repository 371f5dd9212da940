/* netrpc_args_test.c - arguments of net/rpc calls that were JSON: what is sent of them, and what is refused with which words.  What Go's
 * own servers make of them: test/netrpc/run.py. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/alloc.h"
#include "base/limits.h"
#include "rpc/netrpc_args.h"
#include "t.h"

static leat_err from_buf(void *self, void *p, size_t cap, size_t *n)
{
    struct buf *b = self;
    *n = MIN(cap, b->len);
    memcpy(p, b->p, *n);
    memmove(b->p, b->p + *n, b->len - *n);
    b->len -= *n;
    return LEAT_OK;
}

static const struct mem_hook *hook;                  /* while arguments are made */

/* What a peer that does not know the type is sent, as JSON: in room. */
static leat_err sent(struct netrpc *s, const char *type, const char *json, char *room, size_t size)
{
    struct netrpc_args a;
    struct gob g = { 0 };
    struct buf b = { 0 };
    struct json_sink sink = json_to_buf(&b);
    struct gob_feed f = { .read = from_buf, .self = &s->out, .gob = &g, .limit = LIMIT_NETRPC_MESSAGE };
    mem_hook = hook;
    leat_err e = netrpc_args_read(&a, type, json);
    if (e == LEAT_OK)
        e = netrpc_put_args(s, &a);
    netrpc_args_free(&a);
    mem_hook = NULL;
    if (e == LEAT_OK && (e = gob_feed_value(&f)) == LEAT_OK && (e = gob_json(&g, &sink)) == LEAT_OK) {
        snprintf(room, size, "%.*s", (int)b.len, (const char *)b.p);
        CHECK_EQ(gob_feed_value(&f), LEAT_CLOSED);   /* one value, and nothing behind it */
    }
    buf_free(&b);
    gob_feed_free(&f);
    gob_free(&g);
    return e;
}

static void is_sent(const char *type, const char *json, const char *want)
{
    static char room[1 << 16];
    struct netrpc s;
    CHECK_EQ(netrpc_open(&s, NULL), LEAT_OK);
    leat_err e = sent(&s, type, json, room, sizeof room);
    if (e != LEAT_OK)
        CHECK_STR(leat_err_detail(), want);
    CHECK_EQ(e, LEAT_OK);
    CHECK_STR(room, want);
    netrpc_free(&s);
}

static void is_refused(leat_err code, const char *type, const char *json, const char *why)
{
    static char room[1 << 16];
    struct netrpc s;
    CHECK_EQ(netrpc_open(&s, NULL), LEAT_OK);
    leat_err e = sent(&s, type, json, room, sizeof room);
    CHECK_STR(leat_err_detail(), why);
    CHECK_EQ(e, code);
    CHECK_EQ(s.out.len, 0);
    netrpc_free(&s);
}

TEST(a_type_is_made_up_that_fits_all_of_the_text)
{
    is_sent(NULL, "{\"A\":7,\"B\":-8}", "{\"A\":7,\"B\":-8}");
    is_sent(NULL, "{}", "{}");
    is_sent(NULL, "[]", "[]");
    is_sent(NULL, "[null,3]", "[0,3]");
    is_sent(NULL, "\"text\"", "\"text\"");
    is_sent(NULL, "true", "true");
    is_sent(NULL, "[1,2.5]", "[1,2.5]");
    is_sent(NULL, "[1,18446744073709551615]", "[1,18446744073709551615]");
    is_sent(NULL, "{\"$uint\":5}", "5");
    is_sent(NULL, "{\"A\":{\"$base64\":\"AAE=\"},\"B\":[{\"$uint\":1},2]}", "{\"A\":\"AAE=\",\"B\":[1,2]}");
    is_sent(NULL, "{\"A\":null,\"B\":1,\"C\":[],\"D\":[null]}", "{\"B\":1}");
    is_sent(NULL, "[[],[1]]", "[[],[1]]");
    is_sent(NULL, "{\"seconds_left\":1,\"Two_Words\":2,\"\\u00c4\":3}", "{\"SecondsLeft\":1,\"Two_Words\":2,\"\xc3\x84\":3}");
}

TEST(objects_of_an_array_become_structs_with_all_their_keys)
{
    is_sent(NULL, "[{\"A\":1},{\"B\":\"x\"},{\"B\":\"y\",\"A\":2},null]",
        "[{\"A\":1,\"B\":\"\"},{\"A\":0,\"B\":\"x\"},{\"A\":2,\"B\":\"y\"},{\"A\":0,\"B\":\"\"}]");
    is_sent(NULL, "{\"Kids\":[{\"N\":1},{\"Kids\":[{\"N\":2.5}]}]}",
        "{\"Kids\":[{\"N\":1,\"Kids\":null},{\"N\":0,\"Kids\":[{\"N\":2.5}]}]}");
    is_sent(NULL, "[{\"A\":[{\"X\":1}]},{\"A\":[{\"Y\":2}]}]", "[{\"A\":[{\"X\":1,\"Y\":0}]},{\"A\":[{\"X\":0,\"Y\":2}]}]");
    is_sent(NULL, "[{\"A\":null},{\"A\":[]},{\"A\":[1]}]", "[{\"A\":null},{\"A\":null},{\"A\":[1]}]");
    is_refused(LEAT_INVAL, NULL, "[{\"A\":1},{\"A\":\"x\"}]",
        "JSON, byte 14: this is of another type than what stands in its place before");
}

TEST(a_text_that_has_no_type_is_refused_at_its_byte)
{
    static const char other[] = "this is of another type than what stands in its place before";
    static const struct { const char *json; int at; const char *why; } cases[] = {
        { "[1,\"x\"]", 3, other }, { "[true,1]", 6, other }, { "[[1],1]", 5, other }, { "[{},[]]", 4, other },
        { "[\"x\",{\"$base64\":\"\"}]", 16, other }, { "[-1,18446744073709551615]", 4, other }, { "[{\"$uint\":1},-1]", 13, other },
        { "null", 0, "gob cannot send a null that is not in a struct" },
        { "{\"A\":1,\"A\":2}", 11, "before it is a key that was given already" },
        { "{\"a_b\":1,\"AB\":2}", 14, "before it is a key that was given already" },
        { "{\"\":1}", 4, "before it is a key that is no name of a field" },
        { "{\"A\\u0000\":1}", 11, "before it is a key that is no name of a field" },
        { "{\"$uint\":-5}", 9, "-5 does not fit uint64" }, { "{\"$uint\":1.5}", 9, "1.5 does not fit uint64" },
        { "1e999", 0, "a number that no float64 holds" }, { "{\"$base64\":\"*\"}", 11, "this is not base 64" },
        { "{\"A\":[1,2}", 9, "an array goes on with , or ends with ]" }, { "{\"A\" 1}", 5, "a key is followed by :" },
        { "{1:2}", 1, "a key is a string" }, { "{\"A\":1 \"B\":2}", 7, "an object goes on with , or ends with }" },
        { "", 0, "this is no JSON value" }, { "1 2", 2, "more behind the value" }, { "\"\\ud800\"", 7, "half of a surrogate pair" },
    };
    char why[200];
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        snprintf(why, sizeof why, "JSON, byte %d: %s", cases[i].at, cases[i].why);
        is_refused(LEAT_INVAL, NULL, cases[i].json, why);
    }
    is_refused(LEAT_INVAL, NULL, NULL, "net/rpc: no arguments");
}

TEST(a_type_that_is_given_has_every_kind)
{
    is_sent("int", "1e3", "1000");
    is_sent("int8", "-128", "-128");
    is_sent("uint8", "255", "255");
    is_sent("uintptr", "18446744073709551615", "18446744073709551615");
    is_sent("float64", "7", "7");
    is_sent("float32", "0.1", "0.1");
    is_sent("[]float64", "[\"NaN\",\"-Inf\",1]", "[\"NaN\",\"-Inf\",1]");
    is_sent("[]byte", "\"AAE=\"", "\"AAE=\"");
    is_sent("[2]byte", "[1,2]", "[1,2]");
    is_sent("[][2]bool", "[[true,true],[false,true]]", "[[true,true],[false,true]]");
    is_sent("[]uint16", "[1,2]", "[1,2]");
    is_sent("map[string]int", "{\"b\":1,\"a\":2}", "{\"a\":2,\"b\":1}");
    is_sent("map[int8][]string", "{\"-7\":[\"x\"],\"3\":null}", "{\"-7\":[\"x\"],\"3\":[]}");
    is_sent("map[bool]map[float64]bool", "{\"true\":{\"1.5\":true,\"NaN\":false}}", "{\"true\":{\"1.5\":true,\"NaN\":false}}");
    is_sent("map[uint64]int", "{\"18446744073709551615\":1}", "{\"18446744073709551615\":1}");
    is_sent("[2][3]string", "[[\"a\",\"b\",\"c\"],null]", "[[\"a\",\"b\",\"c\"],[\"\",\"\",\"\"]]");
    is_sent("[0]int", "[]", "[]");
    is_sent("time.Time", "\"2024-02-29T12:00:00.5+05:30\"", "\"2024-02-29T12:00:00.5+05:30\"");
    is_sent("[]time.Time", "[null]", "[\"0001-01-01T00:00:00Z\"]");
    is_sent("map[int][1]struct{ T time.Time }", "{\"1\":[{}],\"2\":null}",
        "{\"1\":[{\"T\":\"0001-01-01T00:00:00Z\"}],\"2\":[{\"T\":\"0001-01-01T00:00:00Z\"}]}");
    is_sent("time.Duration", "1000000000", "1000000000");
    is_sent("rune", "8364", "8364");
    is_sent("*[]*[]**int", "[[1],[2]]", "[[1],[2]]");
    is_sent("(int)", "1", "1");
    is_sent("struct{ }", "{}", "{}");
    is_sent("{A, B int; M map[string]int; T time.Time; F [3]float64; S []string}", "{\"F\":[1,2,3],\"B\":2,\"M\":{\"x\":1},\"S\":[\"s\"]}",
        "{\"A\":0,\"B\":2,\"M\":{\"x\":1},\"T\":\"0001-01-01T00:00:00Z\",\"F\":[1,2,3],\"S\":[\"s\"]}");
    is_sent(" struct {\n\tX,Y int `json:\"x\"`\n\tIn struct { Z string \"t\\\"ag\" }\n\n} ", "{\"In\":{\"Z\":\"z\"},\"X\":1}",
        "{\"X\":1,\"Y\":0,\"In\":{\"Z\":\"z\"}}");
    is_sent("map[string]struct{ A int; T time.Time }", "{\"k\":{\"A\":1},\"l\":null}",
        "{\"k\":{\"A\":1,\"T\":\"0001-01-01T00:00:00Z\"},\"l\":{\"A\":0,\"T\":\"0001-01-01T00:00:00Z\"}}");
    is_sent("map[string]string", "{\"$base64\":\"*\"}", "{\"$base64\":\"*\"}");
    is_sent("[]struct{ Two_Words int }", "[{\"Two_Words\":1},{}]", "[{\"Two_Words\":1},{\"Two_Words\":0}]");
}

TEST(a_text_that_does_not_keep_to_its_type_is_refused_at_its_byte)
{
    static const struct { const char *type, *json, *why; } cases[] = {
        { "int8", "128", "0: 128 does not fit int8" }, { "int8", "-129", "0: -129 does not fit int8" },
        { "uint8", "256", "0: 256 does not fit uint8" }, { "uint", "-1", "0: -1 does not fit uint64" },
        { "int", "9223372036854775808", "0: 9223372036854775808 does not fit int64" }, { "int", "1.5", "0: 1.5 does not fit int64" },
        { "float32", "1e39", "0: 1e39 does not fit float32" }, { "float64", "1e999", "0: 1e999 does not fit float64" },
        { "int", "\"1\"", "0: a whole number is wanted" }, { "float64", "\"1\"", "0: a number is wanted" },
        { "bool", "1", "0: true or false is wanted" }, { "string", "1", "0: a string is wanted" },
        { "[]byte", "[1]", "0: a string in base 64 is wanted" }, { "[]byte", "\"*\"", "0: this is not base 64" },
        { "time.Time", "\"2024-02-30T00:00:00Z\"", "0: a time as RFC 3339 has it is wanted" },
        { "time.Time", "7", "0: a time as RFC 3339 has it is wanted" }, { "[]int", "{}", "0: an array is wanted" },
        { "map[string]int", "[]", "0: an object is wanted" }, { "struct{A int}", "[]", "0: an object is wanted" },
        { "[3]int", "[1,2]", "0: 2 values, where 3 are wanted" }, { "[1]int", "[1,2]", "0: 2 values, where 1 are wanted" },
        { "{A, B int}", "{\"A\":1,\"C\":2}", "11: the type has no field C" },
        { "{A, B int}", "{\"A\":1,\"A\":2}", "11: before it is a key that was given already" },
        { "map[int]int", "{\"1\":1,\"x\":2}", "11: before it is a key that is no number" },
        { "map[int]int", "{\" 1\":1}", "6: before it is a key that is no number" },
        { "map[int]int", "{\"1 \":1}", "6: before it is a key that is no number" },
        { "map[int8]int", "{\"200\":1}", "7: 200 does not fit int8" },
        { "map[bool]int", "{\"1\":1}", "5: before it is a key that is no bool" },
        { "[]struct{ B [2]struct{ C int16 } }", "[{},{\"B\":[{},{\"C\":40000}]}]", "18: 40000 does not fit int16" },
        { "int", "null", "0: gob cannot send a null that is not in a struct" },
    };
    char why[200];
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        snprintf(why, sizeof why, "JSON, byte %s", cases[i].why);
        is_refused(LEAT_INVAL, cases[i].type, cases[i].json, why);
    }
}

TEST(a_type_that_is_none_is_refused_at_its_byte)
{
    static const char iface[] = "an interface: gob sends the name of the type in it, which only Go programs know";
    static const struct { const char *type; int at; const char *why; } cases[] = {
        { "", 0, "it ends where a type should be" }, { "[]", 2, "it ends where a type should be" }, { "!", 0, "here should be a type" },
        { "integer", 0, "there is no type integer: write what it is" }, { "[]big.Int", 2, "there is no type big.Int: write what it is" },
        { "{A interface{}}", 3, iface }, { "any", 0, iface }, { "[]error", 2, iface },
        { "complex128", 0, "complex numbers cannot be sent from here" }, { "chan int", 0, "gob sends no channels and no functions" },
        { "func()", 0, "gob sends no channels and no functions" },
        { "[x]int", 1, "an array is [number]type, and a slice []type" }, { "[5int", 2, "an array is [number]type, and a slice []type" },

        { "[99999999999]int", 11, "an array is [number]type, and a slice []type" },
        { "map[string int", 11, "a map is map[type]type" }, { "map [[]int]int", 5, "the key of a map is a string, a number or a bool" },
        { "map[time.Time]int", 4, "the key of a map is a string, a number or a bool" },
        { "map", 0, "there is no type map: write what it is" },
        { "{A int", 6, "a field ends with ; or the struct with }" }, { "{A int B int}", 7, "a field ends with ; or the struct with }" },
        { "{a int}", 1, "gob sends only fields that begin with a capital" },
        { "{_ int}", 1, "gob sends only fields that begin with a capital" },
        { "{A}", 2, "here should be the type of a field; one that is embedded has its type's name" },
        { "{time.Time}", 1, "gob sends only fields that begin with a capital" },
        { "{A, A int}", 4, "a field of this name is there already" }, { "{A int; A string}", 8, "a field of this name is there already" },
        { "{A int `x}", 7, "a tag without its end" }, { "{A,}", 3, "here should be the name of a field" },
        { "{", 1, "a struct ends with }" },
        { "int int", 4, "more behind the type" }, { "(int", 4, "here should be )" },
        { "struct", 0, "there is no type struct: write what it is" },
        { "{A int; B 7}", 10, "here should be a type" },
    };
    char why[200], deep[300];
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        snprintf(why, sizeof why, "type, byte %d: %s", cases[i].at, cases[i].why);
        is_refused(LEAT_INVAL, cases[i].type, "{}", why);
    }
    memset(deep, '*', sizeof deep);
    snprintf(deep + 49, sizeof deep - 49, "int");
    is_sent(deep, "1", "1");
    snprintf(deep + 48, sizeof deep - 48, "**int");
    is_refused(LEAT_LIMIT, deep, "1", "type, byte 50: types inside each other over 50 deep");
}

TEST(what_is_large_or_deep_is_refused_in_words)
{
    static char text[1 << 17];
    char *to = text;
    for (int fields = LIMIT_NETRPC_FIELDS; fields <= LIMIT_NETRPC_FIELDS + 1; fields++) {
        to = text;
        for (int i = 0; i < fields; i++)
            to += sprintf(to, "%c\"K%d\":%d", i ? ',' : '{', i, i);
        strcpy(to, "}");
        if (fields > LIMIT_NETRPC_FIELDS)
            is_refused(LEAT_LIMIT, NULL, text, "a struct of over 4096 fields: is it a map?");
        else
            is_sent(NULL, text, text);
    }
    struct netrpc_args a;
    CHECK_EQ(netrpc_args_read(&a, "map[string]int", text), LEAT_OK);     /* it was */
    netrpc_args_free(&a);
    static const char large[] = "a type whose values have over 1048576 bytes before anything is in them";
    is_refused(LEAT_LIMIT, "[4294967295][4294967295]int", "[]", large);
    is_refused(LEAT_LIMIT, "[131073]int", "[]", large);
    is_refused(LEAT_LIMIT, "{A,B,C [100000]int}", "{}", large);
    to = text;
    for (int i = 0; i < 1100; i++)
        to += sprintf(to, "%cnull", i ? ',' : '[');
    strcpy(to, "]");
    is_refused(LEAT_LIMIT, "[][131000]int", text, "net/rpc: arguments that take over 1 GiB");
    memset(text, '[', 100);
    memset(text + 51, ']', 51);
    text[102] = 0;
    is_refused(LEAT_LIMIT, NULL, text, "JSON, byte 50: values inside each other over 50 deep");
    memset(text + 50, ']', 50);
    text[100] = 0;
    is_sent(NULL, text, text);
}

TEST(a_connection_knows_a_type_once)
{
    static const char *const both[][2] = { { NULL, "[{\"A\":1},{\"B\":[2]}]" },
        { "{M map[int]map[int]string; A [2]int}", "{\"A\":[1,2]}" } };
    for (size_t i = 0; i < ARRAY_LEN(both); i++) {
        struct netrpc_args a;
        struct netrpc s;
        size_t first = 0;
        CHECK_EQ(netrpc_open(&s, NULL), LEAT_OK);
        for (int round = 0; round < 3; round++) {
            CHECK_EQ(netrpc_args_read(&a, both[i][0], both[i][1]), LEAT_OK);
            CHECK_EQ(netrpc_put_args(&s, &a), LEAT_OK);
            first = round == 0 ? s.writer.sent.len : first;
            CHECK_EQ(s.writer.sent.len, first);
        }
        netrpc_free(&s);
    }
}

struct fails { long at, count; };
static bool fails_once(void *self, size_t n)
{
    struct fails *f = self;
    (void)n;
    return f->count++ == f->at;
}

TEST(arguments_are_whole_or_refused_whatever_allocation_fails)
{
    static const struct { const char *type, *json; leat_err e; } cases[] = {
        { NULL, "[null,\"some text\"]", LEAT_OK }, { NULL, "[1,\"some text\"]", LEAT_INVAL },
        { NULL, "{\"A\":[{\"B\":{\"$base64\":\"AAE=\"}},{\"C\":1}]}", LEAT_OK },
        { "{M map[int]map[string][2]time.Time; S []struct{ A, B int8 }}", "{\"M\":{\"1\":{\"x\":null}},\"S\":[{},{\"B\":3}]}", LEAT_OK },
    };
    char want[1000], room[1000];
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        long fails = 1;
        for (long at = -1; at < fails; at++) {       /* first none, to see how many there are */
            struct netrpc s;
            struct fails f = { .at = at };
            CHECK_EQ(netrpc_open(&s, NULL), LEAT_OK);
            hook = &(const struct mem_hook){ fails_once, &f };
            leat_err e = sent(&s, cases[i].type, cases[i].json, at < 0 ? want : room, sizeof room);
            hook = NULL;
            fails = at < 0 ? f.count : fails;
            CHECK(e == cases[i].e || (at >= 0 && e == LEAT_NOMEM));
            if (e == LEAT_OK && at >= 0)
                CHECK_STR(room, want);
            if (e != LEAT_OK)                        /* and after that it goes */
                CHECK_EQ(sent(&s, cases[i].type, cases[i].json, room, sizeof room), cases[i].e);
            netrpc_free(&s);
        }
        CHECK(fails > 4);
    }
}

T_MAIN()
