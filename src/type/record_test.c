/* record_test.c - values in files: there and back, by older and newer programs, cut and changed, and as JSON without a description. */
#include "type_test.h"
#include "leat/record.h"
#include "type/form_json.h"
#include "type/record_feed.h"

struct tape { struct buf b; size_t at, piece; int writes; leat_err fail; };
static leat_err tape_write(void *self, const void *p, size_t n)
{
    struct tape *t = self;
    t->writes++;
    if (t->fail != LEAT_OK)
        return leat_fail(t->fail, "the tape is torn");
    buf_put(&t->b, p, n);
    return buf_err(&t->b);
}
static leat_err tape_read(void *self, void *p, size_t cap, size_t *n)
{
    struct tape *t = self;
    size_t most = t->piece && t->piece < cap ? t->piece : cap;
    *n = MIN(most, t->b.len - t->at);
    if (*n)
        memcpy(p, t->b.p + t->at, *n);
    t->at += *n;
    return LEAT_OK;
}

LEAT_STRUCT(one, (string, text), (int32, n));
LEAT_STRUCT(two, (int64, n), (bool, more), (string, text));
LEAT_STRUCT(bad, (float64, n), (string, text));

/* one, node, one: two types */
static void record_some(struct tape *t)
{
    leat_recorder *r;
    struct node kid = { .name = LEAT_STRING("kid") }, root = { .name = LEAT_STRING("root"), .left = &kid };
    CHECK_EQ(leat_recorder_open(tape_write, t, &r), LEAT_OK);
    CHECK_EQ(leat_record(r, one, (&(struct one){ LEAT_STRING("first"), 1 })), LEAT_OK);
    CHECK_EQ(leat_record(r, node, &root), LEAT_OK);
    CHECK_EQ(leat_record(r, one, (&(struct one){ LEAT_STRING("third"), 3 })), LEAT_OK);
    leat_recorder_close(r);
}

TEST(the_bytes_of_a_stream_are_those_of_the_wire_page)
{
    static const char want[] = "\x8bLEAT\r\n\x02" "\x15\x01\x03one\x01\x0a\x00\x02\x04text\x00\x05\x01n\x00\x02\x04"
        "\x09\x02\x01\x02hi\x07\x00\x00\x00";
    struct tape t = { .piece = 1 };
    leat_recorder *r;
    CHECK_EQ(leat_recorder_open(tape_write, &t, &r), LEAT_OK);
    CHECK_EQ(leat_record(r, one, (&(struct one){ LEAT_STRING("hi"), 7 })), LEAT_OK);
    CHECK_EQ(t.writes, 1);
    leat_recorder_close(r);
    CHECK_EQ(t.b.len, sizeof want - 1);
    CHECK_MEM(t.b.p, want, sizeof want - 1);
    buf_free(&t.b);
}

TEST(what_was_recorded_is_played_however_it_arrives)
{
    for (size_t piece = 0; piece < 10; piece++) {
        struct tape t = { .piece = piece };
        leat_player *p;
        struct one o;
        struct node n;
        record_some(&t);
        CHECK_EQ(leat_player_open(tape_read, &t, 0, &p), LEAT_OK);
        CHECK_EQ(leat_play(p, one, &o), LEAT_OK);
        CHECK(o.n == 1 && o.text.len == 5);
        leat_drop(one, &o);
        CHECK_EQ(leat_play(p, one, &o), LEAT_OK);    /* by name: a node read as a one has no field of it */
        CHECK(o.n == 0 && o.text.len == 0);
        CHECK_EQ(leat_play(p, one, &o), LEAT_OK);
        CHECK_EQ(o.n, 3);
        leat_drop(one, &o);
        CHECK_EQ(leat_play(p, node, &n), LEAT_CLOSED);
        CHECK_EQ(leat_play(p, node, &n), LEAT_CLOSED);
        leat_player_close(p);
        buf_free(&t.b);
    }
}

TEST(an_older_stream_is_read_by_name_and_what_does_not_fit_stays_the_next)
{
    struct tape t = { .piece = 3 };
    leat_player *p;
    struct two w;
    struct bad b;
    record_some(&t);
    CHECK_EQ(leat_player_open(tape_read, &t, 0, &p), LEAT_OK);
    CHECK_EQ(leat_play(p, bad, &b), LEAT_TYPE);
    CHECK_HAS(leat_err_detail(), "field bad.n: float64 here, int32 there");
    CHECK_EQ(leat_play(p, two, &w), LEAT_OK);
    CHECK(w.n == 1 && !w.more && w.text.len == 5);
    leat_drop(two, &w);
    leat_player_close(p);
    buf_free(&t.b);
}

TEST(a_stream_that_is_cut_or_changed_says_where_and_harms_nobody)
{
    struct tape t = { .piece = 7 };
    struct rng r;
    rng_init(&r, 51);
    record_some(&t);
    size_t whole = t.b.len;
    uint8_t *copy = malloc(whole);
    memcpy(copy, t.b.p, whole);
    for (size_t n = 0; n < whole + 500; n++) {
        leat_player *p;
        struct two w;
        leat_err e;
        memcpy(t.b.p, copy, whole);
        t.b.len = n < whole ? n : whole;
        t.at = 0;
        if (n >= whole)
            t.b.p[rng_below(&r, (uint32_t)whole)] = (uint8_t)rng_next(&r);
        CHECK_EQ(leat_player_open(tape_read, &t, 1000, &p), LEAT_OK);
        while ((e = leat_play(p, two, &w)) == LEAT_OK)
            leat_drop(two, &w);
        CHECK(e == LEAT_CLOSED || e == LEAT_INVAL || e == LEAT_LIMIT || e == LEAT_TYPE);
        if (n < whole && e != LEAT_CLOSED)
            CHECK_HAS(leat_err_detail(), "cut short");
        if (e == LEAT_INVAL)
            CHECK_HAS(leat_err_detail(), "byte ");
        leat_player_close(p);
    }
    free(copy);
    buf_free(&t.b);
}

TEST(what_was_recorded_may_be_nothing)
{
    struct tape t = { .piece = 1 };
    leat_recorder *r;
    leat_player *p;
    struct one o;
    CHECK_EQ(leat_recorder_open(tape_write, &t, &r), LEAT_OK);
    leat_recorder_close(r);
    CHECK_EQ(t.writes, 0);
    CHECK_EQ(leat_player_open(tape_read, &t, 0, &p), LEAT_OK);
    CHECK_EQ(leat_play(p, one, &o), LEAT_CLOSED);
    leat_player_close(p);
}

TEST(a_value_over_the_limit_is_refused_and_one_that_just_fits_is_played)
{
    struct tape t = { .piece = 3 };
    leat_recorder *r;
    CHECK_EQ(leat_recorder_open(tape_write, &t, &r), LEAT_OK);
    CHECK_EQ(leat_record(r, one, (&(struct one){ LEAT_STRING("a text that is longer than the description"), 1 })), LEAT_OK);
    leat_recorder_close(r);
    const size_t frame = 2 + 1 + 42 + 4;             /* the kind, the number of its type; the text with its length; the int32 */
    for (size_t limit = frame; limit >= frame - 1; limit--) {
        leat_player *p;
        struct one o;
        t.at = 0;
        CHECK_EQ(leat_player_open(tape_read, &t, limit, &p), LEAT_OK);
        CHECK_EQ(leat_play(p, one, &o), limit == frame ? LEAT_OK : LEAT_LIMIT);
        if (limit == frame)
            leat_drop(one, &o);
        else
            CHECK_HAS(leat_err_detail(), "a record over the limit");
        CHECK(o.n == 0 && !o.text.p);
        leat_player_close(p);
    }
    buf_free(&t.b);
}

TEST(a_stream_has_at_most_1024_types)
{
    static leat_type types[RECORD_TYPES + 1];
    struct tape t = { .piece = 0 };
    leat_recorder *r;
    struct one o;
    CHECK_EQ(leat_recorder_open(tape_write, &t, &r), LEAT_OK);
    for (size_t i = 0; i <= RECORD_TYPES; i++) {
        types[i] = one_type;
        CHECK_EQ(leat_record_(r, &types[i], &(struct one){ .n = (int32_t)i }), i < RECORD_TYPES ? LEAT_OK : LEAT_LIMIT);
    }
    CHECK_HAS(leat_err_detail(), "over 1024 types");
    CHECK_EQ(leat_record_(r, &types[7], &(struct one){ .n = -1 }), LEAT_OK);      /* one that is there goes on */
    leat_recorder_close(r);
    leat_player *p;
    CHECK_EQ(leat_player_open(tape_read, &t, 0, &p), LEAT_OK);
    for (size_t i = 0; i <= RECORD_TYPES; i++) {
        CHECK_EQ(leat_play(p, one, &o), LEAT_OK);
        CHECK_EQ(o.n, i < RECORD_TYPES ? (int32_t)i : -1);
    }
    CHECK_EQ(leat_play(p, one, &o), LEAT_CLOSED);
    leat_player_close(p);
    buf_free(&t.b);
}

TEST(a_write_that_fails_breaks_the_stream_and_a_value_that_is_none_does_not)
{
    struct tape t = { .fail = LEAT_SYS };
    leat_recorder *r;
    leat_auto leat_chan(struct word) c = leat_chan_make(struct word, 1);
    struct shard s = { .out = leat_tx_of(c) };
    CHECK_EQ(leat_recorder_open(tape_write, &t, &r), LEAT_OK);
    CHECK_EQ(leat_record(r, shard, &s), LEAT_INVAL); /* an end of a channel */
    CHECK_EQ(t.writes, 0);
    CHECK_EQ(leat_record(r, one, (&(struct one){ .n = 1 })), LEAT_SYS);
    t.fail = LEAT_OK;
    CHECK_EQ(leat_record(r, one, (&(struct one){ .n = 1 })), LEAT_SYS);
    CHECK_HAS(leat_err_detail(), "broken");
    leat_recorder_close(r);
    buf_free(&t.b);
}

TEST(without_memory_recording_and_playing_say_so)
{
    for (long i = 0; ; i++) {
        struct tape t = { .piece = 0 };
        struct failing f = { .at = i };
        struct mem_hook h = { failing_hook, &f };
        leat_recorder *r = NULL;
        leat_player *p = NULL;
        struct two w;
        buf_put(&t.b, "", 1);                        /* the tape's own memory */
        (void)buf_room(&t.b, 1000);
        buf_reset(&t.b);
        mem_hook = &h;
        leat_err e = leat_recorder_open(tape_write, &t, &r);
        if (e == LEAT_OK)
            e = leat_record(r, one, (&(struct one){ LEAT_STRING("x"), 1 }));
        if (e == LEAT_OK)
            e = leat_player_open(tape_read, &t, 0, &p);
        if (e == LEAT_OK && (e = leat_play(p, two, &w)) == LEAT_OK)
            leat_drop(two, &w);
        mem_hook = NULL;
        leat_recorder_close(r);
        leat_player_close(p);
        buf_free(&t.b);
        if (f.count <= i) {
            CHECK_EQ(e, LEAT_OK);
            break;
        }
        CHECK_EQ(e, LEAT_NOMEM);
    }
}

/* -- as JSON, without a description ---------------------------------------------------------------------------------------------------- */
static uint64_t steps;                               /* of the last one that was shown */

static const char *show(struct cur form, struct cur value, const struct json_sink *s, size_t *at)
{
    struct form_tree t;
    CHECK(type_form_valid(form));
    CHECK_EQ(form_tree_make(&t, form), LEAT_OK);
    steps = 0;
    const char *why = form_json(&t, value, s, at, &steps);
    form_tree_free(&t);
    return why;
}

static char *shown(const leat_type *t, const void *v)
{
    struct buf bytes = { 0 }, out = { 0 };
    struct json_sink s = json_to_buf(&out);
    struct cur form;
    size_t at;
    CHECK_EQ(type_form(t, &form), LEAT_OK);
    CHECK_EQ(type_encode(t, v, &bytes, NULL), LEAT_OK);
    const char *why = show(form, cur_of(bytes.p, bytes.len), &s, &at);
    CHECK(why == NULL && at == bytes.len);
    buf_u8(&out, 0);
    for (size_t n = 0; n < bytes.len; n++)
        CHECK(show(form, cur_of(bytes.p, n), &s, &at) != NULL && at <= n);
    buf_free(&bytes);
    return (char *)out.p;
}

TEST(every_kind_is_shown)
{
    leat_string names[] = { LEAT_STRING("a"), LEAT_STRING("b\"") };
    struct point spot = { 3, -4 };
    struct square_entry entry[] = { { LEAT_STRING("k"), { 1.5, LEAT_STRING("v") } } };
    leat_error cause = { .code = LEAT_SYS, .text = LEAT_STRING("f"), .details = { (const uint8_t *)"\1", 1, 0 } };
    struct all a = { .name = LEAT_STRING("n"), .raw = { (const uint8_t *)"\1\2", 2, 0 }, .spot = &spot, .squares = { entry, 1, 0 },
        .names = { names, 2, 0 }, .five = { 1, 2, 3, 4, 65535 }, .color = minus, .shape = { .which = shape_tiny, .tiny = -1 },
        .when = { 0, 500000000, 3600 }, .took = LEAT_S(2),
        .failed = { .code = LEAT_GONE, .text = LEAT_STRING("e"), .node = LEAT_STRING("n"), .cause = &cause },
        .tree = { .name = LEAT_STRING("t") } };
    char *text = shown(&all_type, &a);
    CHECK_STR(text, "{\"name\":\"n\",\"raw\":\"AQI=\",\"spot\":{\"x\":3,\"y\":-4},\"points\":[],\"looses\":[],"
        "\"squares\":{\"k\":{\"side\":1.5,\"label\":\"v\"}},\"names\":[\"a\",\"b\\\"\"],\"ids\":[],\"weights\":[],\"five\":[1,2,3,4,65535],"
        "\"color\":\"minus\",\"shape\":{\"tiny\":-1},\"numbers\":{\"a\":0,\"b\":0,\"c\":0,\"d\":0,\"e\":0,\"f\":0,\"g\":0,\"h\":0,\"i\":0,"
        "\"j\":0,\"k\":false},\"when\":\"1970-01-01T01:00:00.5+01:00\",\"took\":2000000000,"
        "\"failed\":{\"code\":\"GONE\",\"text\":\"e\",\"node\":\"n\",\"cause\":{\"code\":\"SYS\",\"text\":\"f\",\"details\":\"AQ==\"}},"
        "\"tree\":{\"name\":\"t\",\"left\":null,\"right\":null,\"kids\":[],\"by_name\":{}}}");
    free(text);
    struct old o = { .id = UINT64_MAX, .name = "x" };
    text = shown(&old_type, &o);
    CHECK_STR(text, "{\"id\":18446744073709551615,\"name\":\"x\",\"note\":null,\"n\":0}");
    free(text);
}

TEST(any_bytes_are_shown_or_refused)
{
    static const leat_type *const types[] = { &all_type, &node_type, &shard_type, &old_type };
    struct rng r;
    rng_init(&r, 52);
    for (int round = 0; round < 3000; round++) {
        struct buf out = { 0 };
        struct json_sink s = json_to_buf(&out);
        struct cur form;
        size_t n = rng_below(&r, 200), at;
        uint8_t *bytes = malloc(n ? n : 1);
        for (size_t i = 0; i < n; i++)
            bytes[i] = rng_below(&r, 2) ? (uint8_t)rng_below(&r, 3) : (uint8_t)rng_next(&r);
        CHECK_EQ(type_form(types[(size_t)round % ARRAY_LEN(types)], &form), LEAT_OK);
        bool good = show(form, cur_of(bytes, n), &s, &at) == NULL;
        CHECK(at <= n && (good || out.len == 0));
        buf_free(&out);
        free(bytes);
    }
}

/* A form of a list of what has `count` members, as long as a form may be, each with the bytes `each` behind its name and its number. */
static struct buf wide(uint8_t kind, uint32_t count, const uint8_t *each, size_t n)
{
    struct buf b = { 0 };
    buf_put(&b, ((uint8_t[]){ 1, LEAT_K_LIST_, kind, 0 }), 4);
    buf_varint(&b, count);
    for (uint32_t i = 0; i < count; i++) {
        char name[8];
        int len = snprintf(name, sizeof name, "%x", i);
        buf_text(&b, name, (size_t)len);
        buf_varint(&b, kind == LEAT_K_ENUM_ ? 2 * (uint64_t)i : 0);
        buf_put(&b, each, n);
    }
    CHECK(b.len > 50000 && b.len <= 65536);
    return b;
}

static void put_nothing(void *self, const void *p, size_t n) { (void)self, (void)p, (void)n; }
static const struct json_sink into_nothing = { .put = put_nothing };

/* `count` times these bytes, in a list.  Looking through them costs no more than they have bytes, times 16. */
static void costs_its_bytes(struct buf form, const uint8_t *elem, size_t n, uint32_t count, const char *why)
{
    struct buf v = { 0 };
    size_t at;
    buf_varint(&v, count);
    for (uint32_t i = 0; i < count; i++)
        buf_put(&v, elem, n);
    const char *said = show(cur_of(form.p, form.len), cur_of(v.p, v.len), &into_nothing, &at);
    if (why)
        CHECK_STR(said, why);
    else
        CHECK(said == NULL && at == v.len);
    CHECK(steps <= 16 * v.len + (why ? 1 << 17 : 0));
    buf_free(&v);
    buf_free(&form);
}

TEST(the_work_for_a_value_is_that_of_its_bytes_and_not_of_its_form)
{
    static const uint8_t boolean[] = { LEAT_K_BOOL_ }, empty[] = { LEAT_K_STRUCT_, 0, 0 }, last_name[] = { 0x3f, 0x1f, 0, 0 },
        last_case[] = { 0xc0, 0x3e, 1 }, first_case[] = { 1, 1 }, no_case[] = { 0 };
    enum { MANY = 20000 };
    costs_its_bytes(wide(LEAT_K_ENUM_, 8000, NULL, 0), last_name, 4, MANY, NULL);
    costs_its_bytes(wide(LEAT_K_ONEOF_, 8000, boolean, 1), last_case, 3, MANY, NULL);
    costs_its_bytes(wide(LEAT_K_ONEOF_, 8000, boolean, 1), first_case, 2, MANY, NULL);
    costs_its_bytes(wide(LEAT_K_ONEOF_, 8000, boolean, 1), no_case, 1, MANY, NULL);
    costs_its_bytes(wide(LEAT_K_STRUCT_, 7000, empty, 3), NULL, 0, MANY, "more parts of no bytes than a value of its length may have");
}

TEST(types_are_declared_in_go)
{
    struct buf out = { 0 };
    struct json_sink s = json_to_buf(&out);
    struct cur form;
    CHECK_EQ(type_form(&node_type, &form), LEAT_OK);
    form_declare(form, "tree_node", 9, &s);
    CHECK_EQ(type_form(&shape_type, &form), LEAT_OK);
    form_declare(form, "shape", 5, &s);
    buf_u8(&out, 0);
    CHECK_STR((const char *)out.p, "type TreeNode struct {\n\tName string `json:\"name\"`\n\tLeft *TreeNode `json:\"left\"`\n"
        "\tRight *TreeNode `json:\"right\"`\n\tKids []TreeNode `json:\"kids\"`\n\tByName map[string]TreeNode `json:\"by_name\"`\n}\n"
        "type Shape struct {\n\tCircle ShapeCircle `json:\"circle,omitempty\"`\n\tSquare ShapeSquare `json:\"square,omitempty\"`\n"
        "\tWords string `json:\"words,omitempty\"`\n\tTiny int8 `json:\"tiny,omitempty\"`\n}\n"
        "type ShapeCircle struct {\n\tR float64 `json:\"r\"`\n}\n"
        "type ShapeSquare struct {\n\tSide float64 `json:\"side\"`\n\tLabel string `json:\"label\"`\n}\n");
    buf_free(&out);
}

T_MAIN()
