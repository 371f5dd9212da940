/* gob_codec_test.c - described types through gob: there and back, Go's rules for what differs, damage, no memory. */
#include "base/limits.h"
#include "type/gob_codec.h"
#include "type/type_test.h"


/* Reads the next value of a stream, past its definitions; how many bytes it took, 0: there is none. */
static size_t next_value(struct gob_reader *r, const uint8_t *p, size_t n, leat_err *e)
{
    size_t at = 0;
    for (;;) {
        uint64_t len;
        int head = gob_length(&r->gob, p + at, n - at, at, &len);
        if (head <= 0 || len > n - at - (size_t)head) {
            *e = head < 0 ? LEAT_INVAL : LEAT_OK;
            return 0;
        }
        *e = gob_message(&r->gob, p + at + head, (size_t)len, at + (size_t)head);
        at += (size_t)head + (size_t)len;
        if (*e != LEAT_OK || r->gob.value)
            return at;
    }
}

static void there(const leat_type *t, const void *v, struct buf *out)
{
    struct gob_writer w = { 0 };
    CHECK_EQ(gob_write(&w, t, v, out), LEAT_OK);
    gob_writer_free(&w);
}

static leat_err back(const leat_type *t, void *v, const struct buf *b)
{
    struct gob_reader r = { 0 };
    leat_err e;
    CHECK_EQ(next_value(&r, b->p, b->len, &e), b->len);
    if (e == LEAT_OK)
        e = gob_read(&r, t, v);
    gob_reader_free(&r);
    return e;
}

static bool is(const struct buf *b, const char *hex)
{
    char text[3];
    if (strlen(hex) != b->len * 2)
        return false;
    for (size_t i = 0; i < b->len; i++) {
        snprintf(text, sizeof text, "%02x", b->p[i]);
        if (memcmp(text, hex + i * 2, 2) != 0)
            return false;
    }
    return true;
}

static bool prints(const struct buf *b, const char *json)
{
    struct gob_reader r = { 0 };
    struct buf out = { 0 };
    struct json_sink s = json_to_buf(&out);
    leat_err e;
    CHECK_EQ(next_value(&r, b->p, b->len, &e), b->len);
    CHECK_EQ(gob_json(&r.gob, &s), LEAT_OK);
    bool same = out.len == strlen(json) && memcmp(out.p, json, out.len) == 0;
    gob_reader_free(&r);
    buf_free(&out);
    return same;
}

LEAT_STRUCT(Point, (int64, x), (int64, y));
LEAT_STRUCT(Int, (int64, v, .flags = LEAT_BARE));
LEAT_STRUCT(Ints, (int64s, v, .flags = LEAT_BARE));
LEAT_STRUCT(IntPair, (int64, key), (int64, value));
LEAT_STRUCT(IntMap, (list(IntPair), v, .flags = LEAT_BARE | LEAT_PAIRS));
LEAT_STRUCT(Three, (string, d), (uint8, c), (int8, a));
LEAT_STRUCT(ThreeOld, (int32, a), (bytes, e), (uint16, c));

TEST(the_bytes_of_gos_own_example)
{
    struct buf b = { 0 };
    there(&Point_type, &(struct Point){ 22, 33 }, &b);           /* the package comment of encoding/gob */
    CHECK(is(&b, "1fff8103010105506f696e7401ff82000102010158010400010159010400000007ff82012c014200"));
    struct Point p;
    CHECK_EQ(back(&Point_type, &p, &b), LEAT_OK);
    CHECK(p.x == 22 && p.y == 33);
    buf_reset(&b);
    there(&Int_type, &(struct Int){ -65 }, &b);
    CHECK(is(&b, "040400ff81"));
    buf_free(&b);
}

TEST(names_are_gos)
{
    static const char *const names[][2] = { { "service_method", "ServiceMethod" }, { "A", "A" }, { "_x", "X" }, { "i8", "I8" },
        { "url_2go", "Url2go" }, { "HTTPPort", "HTTPPort" } };
    char room[256];
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        CHECK_EQ(gob_name(room, names[i][0]), strlen(names[i][1]));
        CHECK_STR(room, names[i][1]);
    }
}

TEST(a_type_is_defined_once)
{
    struct gob_writer w = { 0 };
    struct buf b = { 0 };
    CHECK_EQ(gob_write(&w, &Point_type, &(struct Point){ 1, 2 }, &b), LEAT_OK);
    size_t first = b.len;
    CHECK_EQ(gob_write(&w, &Point_type, &(struct Point){ 3, 4 }, &b), LEAT_OK);
    CHECK(b.len - first == 8 && first > 30);
    struct gob_reader r = { 0 };
    struct Point p;
    leat_err e;
    size_t n = next_value(&r, b.p, b.len, &e);
    CHECK_EQ(gob_read(&r, &Point_type, &p), LEAT_OK);
    CHECK(n == first && p.x == 1);
    n = next_value(&r, b.p + n, b.len - n, &e);
    CHECK_EQ(gob_read(&r, &Point_type, &p), LEAT_OK);
    CHECK(n == 8 && p.y == 4);
    gob_reader_free(&r);
    gob_writer_free(&w);
    buf_free(&b);
}

TEST(any_value_there_and_back)
{
    struct rng r;
    rng_init(&r, 3);
    for (int i = 0; i < (getenv("T_QUICK") ? 200 : 2000); i++) {
        struct all v = { 0 }, w;
        struct buf b = { 0 }, again = { 0 };
        fill(&all_type, &v, &r);
        v.when = (leat_date){ (int64_t)rng_below(&r, 1u << 31) * 4, rng_below(&r, 1000000000), ((int32_t)rng_below(&r, 100000) - 50000) };
        v.when.offset_s *= v.when.offset_s / 60 != -1;           /* a minute west of UTC is what Go cannot send */
        there(&all_type, &v, &b);
        CHECK_EQ(back(&all_type, &w, &b), LEAT_OK);
        CHECK(w.when.s == v.when.s && w.when.ns == v.when.ns && w.when.offset_s == v.when.offset_s);
        CHECK(w.names.len == v.names.len && w.squares.len == v.squares.len && !!w.spot == !!v.spot && w.shape.which == v.shape.which);
        CHECK(w.name.len == v.name.len && memcmp(w.five, v.five, sizeof w.five) == 0);
        CHECK(w.numbers.h == v.numbers.h && w.took.ns == v.took.ns);
        CHECK(same_value(&node_type, &v.tree, &w.tree));
        there(&all_type, &w, &again);
        CHECK(again.len == b.len && memcmp(again.p, b.p, b.len) == 0);
        leat_drop(all, &v);
        leat_drop(all, &w);
        buf_free(&b);
        buf_free(&again);
    }
}

TEST(structs_that_exist_already)
{
    struct old v = { .id = 7, .name = "seven", .note = (char *)"n", .n = -1 }, w;
    struct buf b = { 0 };
    there(&old_type, &v, &b);
    CHECK_EQ(back(&old_type, &w, &b), LEAT_OK);
    CHECK(w.id == 7 && w.n == -1 && !w.lock);
    CHECK_STR(w.name, "seven");
    CHECK_STR(w.note, "n");
    leat_drop(old, &w);
    buf_free(&b);
}

TEST(bare_members_and_maps_of_pairs)
{
    struct IntPair pairs[] = { { -2, 4 }, { 300, 0 } };
    struct IntMap m = { .v = { pairs, 2, 0 } }, n;
    struct buf b = { 0 };
    there(&IntMap_type, &m, &b);
    CHECK(prints(&b, "{\"-2\":4,\"300\":0}"));
    CHECK_EQ(back(&IntMap_type, &n, &b), LEAT_OK);
    CHECK(n.v.len == 2 && n.v.at[0].key == -2 && n.v.at[0].value == 4 && n.v.at[1].key == 300 && n.v.at[1].value == 0);
    leat_drop(IntMap, &n);
    buf_reset(&b);
    int64_t some[] = { 1, -1, 1 << 20 };
    there(&Ints_type, &(struct Ints){ .v = { some, 3, 0 } }, &b);
    struct Ints got;
    CHECK(prints(&b, "[1,-1,1048576]"));
    CHECK_EQ(back(&Ints_type, &got, &b), LEAT_OK);
    CHECK(got.v.len == 3 && memcmp(got.v.at, some, sizeof some) == 0);
    leat_drop(Ints, &got);
    buf_free(&b);
}

TEST(fields_come_and_go_by_name)
{
    struct Three v = { .d = LEAT_STRING("new"), .c = 3, .a = -1 };
    struct ThreeOld w;
    struct buf b = { 0 };
    there(&Three_type, &v, &b);
    CHECK_EQ(back(&ThreeOld_type, &w, &b), LEAT_OK);
    CHECK(w.a == -1 && w.c == 3 && w.e.len == 0);
    buf_free(&b);
}

static void refused(const leat_type *from, const void *v, const leat_type *to, const char *why)
{
    struct buf b = { 0 };
    char room[512];
    there(from, v, &b);
    CHECK_EQ(back(to, room, &b), LEAT_TYPE);
    CHECK_HAS(leat_err_detail(), why);
    buf_free(&b);
}

LEAT_STRUCT(Text, (string, x), (int64, y));
LEAT_STRUCT(Small, (int8, x));
LEAT_STRUCT(Other, (int64, z));
LEAT_STRUCT(Inside, (struct(Point), at));
LEAT_STRUCT(InsideText, (struct(Text), at));
LEAT_STRUCT(Channel, (tx(Point), out));

LEAT_STRUCT(Pair, (string, s), (string, t));

/* Go has no such struct, and what was read for the first would be nobody's. */
TEST(a_struct_with_a_field_twice_is_refused)
{
    struct Pair v = { LEAT_STRING("one"), LEAT_STRING("two") }, w;
    struct buf b = { 0 };
    there(&Pair_type, &v, &b);
    uint8_t *t = memmem(b.p, b.len, "\1T", 2);
    CHECK(t != NULL);
    t[1] = 'S';
    CHECK_EQ(back(&Pair_type, &w, &b), LEAT_TYPE);
    CHECK_HAS(leat_err_detail(), "Pair: the stream has a struct with two fields S");
    buf_free(&b);
}

TEST(what_does_not_fit_is_refused_by_name)
{
    struct Point p = { 1000, 1 };
    refused(&Point_type, &p, &Text_type, "Text.X: the stream has a gob int, here it is a string");
    refused(&Point_type, &p, &Small_type, "Small.X: a number that is out of range");
    refused(&Point_type, &p, &Other_type, "none of its fields");
    refused(&Inside_type, &p, &InsideText_type, "InsideText.At.X: the stream has a gob int");
    refused(&Point_type, &p, &Int_type, "the stream has a gob struct, here it is an int");
    struct gob_writer w = { 0 };
    struct buf b = { 0 };
    CHECK_EQ(gob_write(&w, &Channel_type, &(struct Channel){ 0 }, &b), LEAT_INVAL);
    CHECK_HAS(leat_err_detail(), "channel end");
    CHECK(b.len == 0);
    CHECK_EQ(gob_write(&w, &Point_type, &p, &b), LEAT_OK);       /* the writer is as it was */
    gob_writer_free(&w);
    buf_free(&b);
}

/* Changed bytes: an error or a value, never a crash, a leak or a wild length. */
TEST(damage_breaks_nothing)
{
    struct rng r;
    int good = 0, bad = 0;
    rng_init(&r, 11);
    for (int i = 0; i < (getenv("T_QUICK") ? 2000 : 30000); i++) {
        struct all v = { 0 }, w;
        struct buf b = { 0 };
        struct gob_reader reader = { 0 };
        leat_err e;
        fill(&all_type, &v, &r);
        v.when.ns %= 1000000000;
        there(&all_type, &v, &b);
        for (uint32_t k = rng_below(&r, 3); k > 0; k--)
            b.p[rng_below(&r, (uint32_t)b.len)] ^= (uint8_t)(1u << rng_below(&r, 8));
        if (next_value(&reader, b.p, b.len, &e) && e == LEAT_OK)
            e = gob_read(&reader, &all_type, &w);
        else
            e = LEAT_TYPE;
        good += e == LEAT_OK;
        bad += e != LEAT_OK;
        if (e == LEAT_OK)
            leat_drop(all, &w);
        gob_reader_free(&reader);
        leat_drop(all, &v);
        buf_free(&b);
    }
    CHECK(good > 100 && bad > 100);
}

/* A list that says it has many elements and has none: the memory follows the bytes. */
LEAT_STRUCT(leaves, (int64, a), (uint64, b), (float64, c), (bool, d), (string, e), (bytes, f), (date, g), (int16, h), (string, i));
LEAT_STRUCT(rows_of, (string, name), (list(leaves), rows), (int64, n));

/* What one message comes to; `warm`: another of its kind has gone before, so that its fields are known. */
static leat_err verdict(const struct buf *types, const struct buf *good, const uint8_t *p, size_t n, bool warm, const char **why,
    uint64_t *at, struct rows_of *v)
{
    struct gob_reader r = { 0 };
    leat_err e;
    CHECK_EQ(next_value(&r, types->p, types->len, &e), 0);
    if (warm)
        CHECK(next_value(&r, good->p, good->len, &e) > 0 && gob_read(&r, &rows_of_type, v) == LEAT_OK);
    if (warm)
        leat_drop(rows_of, v);
    e = gob_message(&r.gob, p, n, 1000);
    *why = r.gob.why;
    *at = r.gob.at;
    memset(v, 0, sizeof *v);
    if (e == LEAT_OK && r.gob.value && r.gob.type >= GOB_FIRST_ID)
        e = gob_read(&r, &rows_of_type, v);
    gob_reader_free(&r);
    return e;
}

TEST(a_message_means_the_same_whether_its_fields_are_known_or_not)
{
    struct gob_writer w = { 0 };
    struct buf types = { 0 }, good = { 0 }, all = { 0 };
    struct rng r;
    rng_init(&r, 3);
    struct leaves one = { -5, 300, 2.5, true, leat_string_view("a name", 6), { (const uint8_t *)"xyz", 3, 0 }, { 1700000000, 5, 3600 },
        -300, leat_string_view("the last one of it", 18) };
    struct rows_of v = { .name = leat_string_view("rows", 4), .n = 7 };
    for (int i = 0; i < 4; i++, one.a = i % 2 ? 1 << 20 : 3)
        CHECK_EQ(leat_push(&v.rows, one), LEAT_OK);
    CHECK_EQ(gob_write(&w, &rows_of_type, &v, &all), LEAT_OK);
    CHECK_EQ(gob_write(&w, &rows_of_type, &v, &good), LEAT_OK);
    buf_put(&types, all.p, all.len - good.len);
    struct gob head = { 0 };
    uint64_t len;
    int skip = gob_length(&head, good.p, good.len, 0, &len);
    for (size_t i = 0; i < (getenv("T_QUICK") ? 200 : 800); i++) {
        size_t n = rng_below(&r, 4) ? (size_t)len : rng_below(&r, (uint32_t)len);
        uint8_t *copy = malloc(n + 1);
        const char *why[2];
        uint64_t at[2];
        struct rows_of got[2];
        memcpy(copy, good.p + skip, n);
        for (uint32_t m = n ? rng_below(&r, 3) : 0; m > 0; m--)
            copy[rng_below(&r, (uint32_t)n)] =
                (uint8_t)(rng_below(&r, 2) ? rng_next(&r) : rng_below(&r, 2) ? rng_below(&r, 12) : 248 + rng_below(&r, 8));
        uint8_t *exact = realloc(copy, n ? n : 1);   /* for AddressSanitizer */
        leat_err cold = verdict(&types, &good, exact, n, false, &why[0], &at[0], &got[0]);
        leat_err warm = verdict(&types, &good, exact, n, true, &why[1], &at[1], &got[1]);
        CHECK_EQ(cold, warm);
        CHECK(why[0] == why[1] || (why[0] && why[1] && strcmp(why[0], why[1]) == 0));
        CHECK_EQ(at[0], at[1]);
        CHECK(same_value(&rows_of_type, &got[0], &got[1]));
        leat_drop(rows_of, &got[0]);
        leat_drop(rows_of, &got[1]);
        free(exact);
    }
    leat_drop(rows_of, &v);
    gob_writer_free(&w);
    buf_free(&types);
    buf_free(&good);
    buf_free(&all);
}

TEST(a_count_alone_costs_nothing)
{
    struct taking taking = { 0 };
    struct mem_hook h = { taking_hook, &taking };
    struct buf b = { 0 };
    struct all v = { .names = { 0 } }, w;
    struct gob_reader r = { 0 };
    leat_err e;
    there(&all_type, &v, &b);
    mem_hook = &h;
    for (size_t at = 0; at < b.len; at++) {
        uint8_t was = b.p[at];
        b.p[at] = 0x7F;
        if (next_value(&r, b.p, b.len, &e) && e == LEAT_OK && gob_read(&r, &all_type, &w) == LEAT_OK)
            leat_drop(all, &w);
        gob_reader_free(&r);
        r = (struct gob_reader){ 0 };
        b.p[at] = was;
        CHECK(taking.bytes < 64 * (b.len + 1000) * (at + 1));
    }
    mem_hook = NULL;
    buf_free(&b);
}

TEST(every_allocation_may_fail)
{
    struct rng rng;
    rng_init(&rng, 5);
    struct all v = { 0 };
    fill(&all_type, &v, &rng);
    v.when.ns = 5;
    for (long at = 0; at < 100000; at++) {
        struct failing f = { .at = at };
        struct mem_hook h = { failing_hook, &f };
        struct gob_writer w = { 0 };
        struct gob_reader r = { 0 };
        struct buf b = { 0 };
        struct all got;
        mem_hook = &h;
        leat_err e = gob_write(&w, &all_type, &v, &b), ignored = LEAT_OK;
        if (e == LEAT_OK && next_value(&r, b.p, b.len, &ignored) && (e = ignored) == LEAT_OK)
            e = gob_read(&r, &all_type, &got);
        mem_hook = NULL;
        CHECK(e == LEAT_OK || e == LEAT_NOMEM);
        if (e == LEAT_OK)
            leat_drop(all, &got);
        gob_reader_free(&r);
        gob_writer_free(&w);
        buf_free(&b);
        if (e == LEAT_OK && f.count <= at) {
            leat_drop(all, &v);
            return;
        }
    }
    CHECK(!"it never ends");
}

/* A list of 9,000 elements that hang from each other, read on a task's small stack */
LEAT_STRUCT(Chain, (optional(Chain), next), (int64, n));

static leat_err deep(leat_none *none)
{
    (void)none;
    struct Chain *first = NULL;
    struct buf b = { 0 };
    for (int i = 0; i < 9000; i++) {
        struct Chain *c = leat_new(Chain);
        *c = (struct Chain){ first, i };
        first = c;
    }
    there(&Chain_type, first, &b);
    struct Chain got;
    CHECK_EQ(back(&Chain_type, &got, &b), LEAT_OK);
    CHECK(got.n == 8999 && got.next->n == 8998);
    leat_drop(Chain, &got);
    leat_drop(Chain, first);
    free(first);
    buf_free(&b);
    return LEAT_OK;
}

TEST(deep_values_need_no_deep_stack) { CHECK_EQ(leat_run(NULL, deep, LEAT_NONE), LEAT_OK); }

/* == As Go's reader decides: found beside it by test/gob/fuzz =========================================================== */

LEAT_STRUCT(Elsewhere, (struct(Other), at), (int64, y));
LEAT_STRUCT(InsideY, (struct(Point), at), (int64, y));

TEST(types_are_compared_before_a_value_is_read)
{
    struct Point p = { .x = 0, .y = 7 };                         /* x is zero, so it is not sent */
    refused(&Point_type, &p, &Text_type, "Text.X: the stream has a gob int, here it is a string");
    struct InsideY in = { { 1, 2 }, 3 };
    struct Elsewhere out;
    struct buf b = { 0 };
    there(&InsideY_type, &in, &b);                               /* only at the top must the two have a field in common */
    CHECK_EQ(back(&Elsewhere_type, &out, &b), LEAT_OK);
    CHECK(out.at.z == 0 && out.y == 3);
    buf_free(&b);
}

LEAT_STRUCT(When, (date, t), (int64, n));

/* type When struct { T time.Time; N int }, of which T is the zero time; then one whose T is a *time.Time, whose type has no name */
TEST(a_zero_time_of_go_is_the_start_of_year_1)
{
    static const uint8_t zero[] =
        "\x1f\xff\x81\x03\x01\x01\x04When\x01\xff\x82\x00\x01\x02\x01\x01T\x01\xff\x84\x00"
        "\x01\x01N\x01\x04\x00\x00\x00"
        "\x10\xff\x83\x05\x01\x01\x04Time\x01\xff\x84\x00\x00\x00" "\x05\xff\x82\x02\x0e\x00";
    static const uint8_t pointed[] =
        "\x1f\xff\x81\x03\x01\x01\x04When\x01\xff\x82\x00\x01\x02\x01\x01T\x01\xff\x84\x00"
        "\x01\x01N\x01\x04\x00\x00\x00"
        "\x0a\xff\x83\x05\x01\x02\xff\x84\x00\x00\x00"
        "\x14\xff\x82\x01\x0f\x01\x00\x00\x00\x0e\x77\x91\xf7\x01\x00\x00\x00\x00\xff\xff\x00";
    struct buf b = { 0 };
    struct When w;
    buf_put(&b, zero, sizeof zero - 1);
    CHECK_EQ(back(&When_type, &w, &b), LEAT_OK);
    CHECK(w.t.s == -62135596800 && w.t.ns == 0 && w.n == 7);
    CHECK(prints(&b, "{\"T\":\"0001-01-01T00:00:00Z\",\"N\":7}"));
    buf_reset(&b);
    buf_put(&b, pointed, sizeof pointed - 1);
    CHECK_EQ(back(&When_type, &w, &b), LEAT_OK);
    CHECK(w.t.s == 1 && w.n == 0);
    CHECK(prints(&b, "{\"T\":\"1970-01-01T00:00:01Z\",\"N\":0}"));
    buf_free(&b);
}

LEAT_STRUCT(Wide, (float64, x));
LEAT_STRUCT(Narrow, (float32, x));
LEAT_STRUCT(Failed, (error, e));

TEST(numbers_at_the_edge_go_as_in_go)
{
    struct Wide w = { 3.4028235e38 };                            /* over FLT_MAX, and would be rounded to it */
    refused(&Wide_type, &w, &Narrow_type, "Narrow.X: a number that is out of range");
    struct Failed f = { { .code = (leat_err)-5 } }, got;
    struct buf b = { 0 };
    there(&Failed_type, &f, &b);
    CHECK(prints(&b, "{\"E\":{\"Code\":-5,\"Text\":\"\"}}"));
    CHECK_EQ(back(&Failed_type, &got, &b), LEAT_OK);
    CHECK_EQ((int32_t)got.e.code, -5);
    buf_free(&b);
}

/* A and B are one type here, and two in the stream, where B is a struct of three ints: it has no field of B's, so B is empty. Go's
 * reader takes it for what A was (test/gob/differences), and has 7 in B.Code. */
LEAT_STRUCT(mishap, (int64, Code), (string, Text));
LEAT_STRUCT(mishaps, (struct(mishap), A), (struct(mishap), B));
TEST(one_type_here_may_be_two_in_a_stream)
{
    static const uint8_t bytes[] = "\x1e\x7f\3\1\1\3Two\1\xff\x80\0\1\2\1\1" "A\1\xff\x82\0\1\1" "B\1\xff\x84\0\0\0"
        "\x25\xff\x81\3\1\1\5" "Fault\1\xff\x82\0\1\2\1\4" "Code\1\4\0\1\4" "Text\1\xc\0\0\0"
        "\x25\xff\x83\3\1\1\5" "Other\1\xff\x84\0\1\3\1\1X\1\4\0\1\1Y\1\4\0\1\1Z\1\4\0\0\0"
        "\xb\xff\x80\1\1\xa\0\1\1\xe\0";
    struct buf b = { 0 };
    struct mishaps m = { .A = { 0 } };
    buf_put(&b, bytes, sizeof bytes);
    CHECK_EQ(back(&mishaps_type, &m, &b), LEAT_OK);
    CHECK(m.A.Code == 5 && m.B.Code == 0 && m.B.Text.len == 0);
    buf_free(&b);
}

T_MAIN()
