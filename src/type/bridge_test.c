/* bridge_test.c - values of another type: each change that docs/semantics.md lists ("Types that change"), in both directions; what fits
 * not, in words; and bridges made of any bytes. */
#include "type_test.h"
#include "base/limits.h"
#include "type/bridge.h"
#include "type/plan.h"

static struct cur form_of(const leat_type *t)
{
    struct cur c;
    CHECK_EQ(type_form(t, &c), LEAT_OK);
    return c;
}

/* v, of type from, as it is read by who has the type to.  The result of making the bridge; OK: *ret is the value. */
static leat_err cross(const leat_type *from, const void *v, const leat_type *to, void *ret)
{
    struct type_bridge *b = NULL;
    struct buf out = { 0 };
    leat_err check = type_bridge_check(from, form_of(to)), e = type_bridge_make(to, form_of(from), &b);
    CHECK_EQ(check, e);                              /* who writes knows beforehand */
    if (e != LEAT_OK)
        return e;
    CHECK_EQ(type_encode(from, v, &out, NULL), LEAT_OK);
    uint8_t *exact = malloc(out.len ? out.len : 1);
    if (out.len)
        memcpy(exact, out.p, out.len);
    for (size_t n = 0; n < out.len; n++) {           /* cut short anywhere */
        struct cur in = cur_of(exact, n);
        CHECK_EQ(type_decode_as(b, &in, ret, NULL, NULL), LEAT_TYPE);
    }
    struct cur in = cur_of(exact, out.len);
    e = type_decode_as(b, &in, ret, NULL, NULL);
    CHECK(e != LEAT_OK || cur_done(&in));
    free(exact);
    buf_free(&out);
    type_bridge_free(b);
    return e;
}
#define CROSS(A, v, B, ret) cross(&A##_type, v, &B##_type, ret)

/* how the reader `to` says that it cannot read `from` */
static const char *why(const leat_type *from, const leat_type *to)
{
    struct type_bridge *b = NULL;
    CHECK(type_bridge_check(from, form_of(to)) == LEAT_TYPE);
    CHECK_EQ(type_bridge_make(to, form_of(from), &b), LEAT_TYPE);
    return leat_err_detail();
}
#define WHY(A, B) why(&A##_type, &B##_type)

/* == Fields. =============================================================================================================== */
LEAT_STRUCT(v1, (string, name), (int32, n));
LEAT_STRUCT(v2, (string, name), (float64, weight), (int32, n), (strings, tags), (optional(point), at), (oneof(shape), shape));
LEAT_STRUCT(v1_turned, (int32, n), (string, name));

TEST(a_field_that_the_writer_does_not_have_is_zero)
{
    struct v1 a = { LEAT_STRING("one"), 7 };
    struct v2 b;
    memset(&b, 0x5a, sizeof b);
    CHECK_EQ(CROSS(v1, &a, v2, &b), LEAT_OK);
    CHECK(b.name.len == 3 && b.name.owned && b.n == 7 && b.weight == 0 && b.tags.len == 0 && !b.at && b.shape.which == shape_none);
    leat_drop(v2, &b);
}

TEST(a_field_that_the_reader_does_not_have_is_skipped)
{
    leat_string tags[] = { LEAT_STRING("x"), LEAT_STRING("yy") };
    struct point p = { 1, 2 };
    struct v2 b = { .name = LEAT_STRING("two"), .weight = 1.5, .n = 8, .tags = { tags, 2, 0 }, .at = &p,
        .shape = { .which = shape_square, .square = { 2, LEAT_STRING("sq") } } };
    struct v1 a;
    CHECK_EQ(CROSS(v2, &b, v1, &a), LEAT_OK);
    CHECK(a.n == 8 && a.name.len == 3);
    CHECK_MEM(a.name.p, "two", 3);
    leat_drop(v1, &a);
}

LEAT_STRUCT(only_n, (int64, n));
LEAT_STRUCT(all_and_n, (struct(all), all), (int64, n), (map(all), more), (struct(old), old));

TEST(every_kind_can_be_skipped)
{
    struct rng r;
    rng_init(&r, 31);
    for (int i = 0; i < 50; i++) {
        struct all_and_n v = { .n = i };
        struct only_n got;
        fill(&all_type, &v.all, &r);
        fill_list(&all_type, (char *)&v.more, true, &r, 2);
        fill(&old_type, &v.old, &r);
        v.old.lock = NULL;
        struct type_bridge *b = NULL;
        struct buf out = { 0 };
        struct taking taken = { 0 };
        struct mem_hook h = { taking_hook, &taken };
        CHECK_EQ(type_encode(&all_and_n_type, &v, &out, NULL), LEAT_OK);
        CHECK_EQ(type_bridge_make(&only_n_type, form_of(&all_and_n_type), &b), LEAT_OK);
        struct cur in = cur_of(out.p, out.len);
        mem_hook = &h;
        CHECK_EQ(type_decode_as(b, &in, &got, NULL, NULL), LEAT_OK);
        mem_hook = NULL;
        CHECK(cur_done(&in) && got.n == i && taken.bytes < 2000);    /* no memory for what nobody wants, but for how deep it is */
        type_bridge_free(b);
        buf_free(&out);
        leat_drop(all_and_n, &v);
    }
}

TEST(the_order_of_fields_does_not_matter)
{
    struct v1 a = { LEAT_STRING("one"), 7 }, back;
    struct v1_turned b;
    CHECK_EQ(CROSS(v1, &a, v1_turned, &b), LEAT_OK);
    CHECK(b.n == 7 && b.name.len == 3);
    CHECK_EQ(CROSS(v1_turned, &b, v1, &back), LEAT_OK);
    CHECK(same_value(&v1_type, &a, &back));
    leat_drop(v1_turned, &b);
    leat_drop(v1, &back);
}

LEAT_STRUCT(tagged, (string, name, .tag = 1), (int32, n, .tag = 2));
LEAT_STRUCT(renamed, (int64, count, .tag = 2), (string, title, .tag = 1));
LEAT_STRUCT(swapped, (string, name, .tag = 3), (string, title, .tag = 1));
LEAT_STRUCT(retagged, (string, name, .tag = 5), (int32, n));

TEST(a_tag_is_what_a_field_is_under_another_name)
{
    struct tagged a = { LEAT_STRING("x"), -4 };
    struct renamed b;
    CHECK_EQ(CROSS(tagged, &a, renamed, &b), LEAT_OK);
    CHECK(b.count == -4 && b.title.len == 1);
    leat_drop(renamed, &b);
    struct swapped s;
    CHECK_EQ(CROSS(tagged, &a, swapped, &s), LEAT_OK);
    CHECK(s.title.len == 1 && s.name.len == 0);      /* another tag: another field, whatever its name */
    leat_drop(swapped, &s);
    struct v1 v;
    CHECK_EQ(CROSS(tagged, &a, v1, &v), LEAT_OK);    /* who has no tags goes by name */
    CHECK(v.n == -4 && v.name.len == 1);
    leat_drop(v1, &v);
    struct retagged t;
    CHECK_EQ(CROSS(tagged, &a, retagged, &t), LEAT_OK);
    CHECK(t.n == -4 && t.name.len == 0);
}

LEAT_STRUCT(by_both, (string, title, .tag = 1), (string, name));
LEAT_STRUCT(by_tag, (string, name, .tag = 1));
LEAT_STRUCT(tag_twice, (string, a, .tag = 4), (int32, b, .tag = 4));

TEST(what_would_be_two_fields_is_refused)
{
    CHECK_HAS(WHY(by_both, by_tag), "field by_tag.name: two members of the other side are this one");
    CHECK_HAS(WHY(tag_twice, v1), "two members have the tag 4");
}

/* == Numbers. ============================================================================================================== */
#define NUMBERS(S, k) LEAT_STRUCT(S, (k, n))
NUMBERS(n_i8, int8); NUMBERS(n_i16, int16); NUMBERS(n_i32, int32); NUMBERS(n_i64, int64);
NUMBERS(n_u8, uint8); NUMBERS(n_u16, uint16); NUMBERS(n_u32, uint32); NUMBERS(n_u64, uint64);
NUMBERS(n_f32, float32); NUMBERS(n_f64, float64); NUMBERS(n_bool, bool);
static const leat_type *const number_types[] = { &n_i8_type, &n_i16_type, &n_i32_type, &n_i64_type, &n_u8_type, &n_u16_type,
    &n_u32_type, &n_u64_type, &n_f32_type, &n_f64_type, &n_bool_type };

TEST(a_number_is_widened_and_never_narrowed)
{
    static const char *const fits[] = { "yyyy.......", ".yyy.......", "..yy.......", "...y.......", ".yyyyyyy...", "..yy.yyy...",
        "...y..yy...", ".......y...", "........yy.", ".........y.", "..........y" };
    for (size_t f = 0; f < ARRAY_LEN(number_types); f++)
        for (size_t t = 0; t < ARRAY_LEN(number_types); t++) {
            uint64_t v = 0, got;
            leat_err e = cross(number_types[f], &v, number_types[t], &got);
            CHECK_EQ(e, fits[f][t] == 'y' ? LEAT_OK : LEAT_TYPE);
            if (e != LEAT_OK)
                CHECK_HAS(leat_err_detail(), ".n: ");
        }
    CHECK_STR(WHY(n_i64, n_i32), "field n_i32.n: int32 here, int64 there");
    CHECK_STR(WHY(n_i8, n_u64), "field n_u64.n: uint64 here, int8 there");
}

TEST(a_widened_number_is_the_same_number)
{
    static const int8_t small[] = { INT8_MIN, -1, 0, 1, INT8_MAX };
    for (size_t i = 0; i < ARRAY_LEN(small); i++) {
        struct n_i8 a = { small[i] };
        struct n_i16 b;
        struct n_i64 c;
        CHECK_EQ(CROSS(n_i8, &a, n_i16, &b), LEAT_OK);
        CHECK_EQ(CROSS(n_i16, &b, n_i64, &c), LEAT_OK);
        CHECK(b.n == small[i] && c.n == small[i]);
    }
    struct n_u32 u = { UINT32_MAX };
    struct n_i64 wide;
    struct n_u64 big;
    CHECK_EQ(CROSS(n_u32, &u, n_i64, &wide), LEAT_OK);
    CHECK_EQ(CROSS(n_u32, &u, n_u64, &big), LEAT_OK);
    CHECK(wide.n == UINT32_MAX && big.n == UINT32_MAX);
    static const float floats[] = { -0.0f, 1.5f, -3.4e38f, 1e-45f, __builtin_inff() };
    for (size_t i = 0; i < ARRAY_LEN(floats); i++) {
        struct n_f32 f = { floats[i] };
        struct n_f64 d;
        double want = (double)floats[i];
        CHECK_EQ(CROSS(n_f32, &f, n_f64, &d), LEAT_OK);
        CHECK_MEM(&d.n, &want, sizeof want);         /* the sign of zero too */
    }
}

LEAT_STRUCT(a_i16, (array(int16_t, 3), at), (int8, end));
LEAT_STRUCT(a_i32, (array(int32_t, 5), at), (int8, end));
LEAT_STRUCT(a_few, (array(int16_t, 2), at), (int8, end));
LEAT_STRUCT(l_i64, (int64s, at));
struct l_i32 { struct { int32_t *at; uint32_t len, cap; } at; };
static const leat_field l_i32_fields[] = { { .name = "at", .type = &leat_int32_type_, .size = 16, .kind = LEAT_K_LIST_ } };
static const leat_type l_i32_type = { "l_i32", l_i32_fields, sizeof(struct l_i32), 1, LEAT_K_STRUCT_, sizeof(leat_field), 8 };

TEST(arrays_and_lists_of_numbers_are_widened_too)
{
    struct a_i16 a = { { -1, 2, INT16_MIN }, 9 };
    struct a_i32 b;
    CHECK_EQ(CROSS(a_i16, &a, a_i32, &b), LEAT_OK);
    CHECK(b.at[0] == -1 && b.at[1] == 2 && b.at[2] == INT16_MIN && b.at[3] == 0 && b.at[4] == 0 && b.end == 9);
    int32_t row[] = { INT32_MIN, -1, 7 };
    struct l_i32 l = { { row, 3, 0 } };
    struct l_i64 m;
    CHECK_EQ(CROSS(l_i32, &l, l_i64, &m), LEAT_OK);
    CHECK(m.at.len == 3 && m.at.at[0] == INT32_MIN && m.at.at[1] == -1 && m.at.at[2] == 7);
    leat_drop(l_i64, &m);
    CHECK_STR(WHY(l_i64, l_i32), "field l_i32.at[]: int32 here, int64 there");
    CHECK_STR(WHY(a_i32, a_i16), "field a_i16.at: array of 3 int16 here, array of 5 int32 there");
    CHECK_STR(WHY(a_i16, a_few), "field a_few.at: array of 2 int16 here, array of 3 int16 there");
}

/* == Text. ================================================================================================================= */
LEAT_STRUCT(s_string, (string, s));
LEAT_STRUCT(s_bytes, (bytes, s));
struct s_chars { char s[8]; };
LEAT_DESCRIBE(s_chars, (chars(8), s));
struct s_room { char s[20]; };
LEAT_DESCRIBE(s_room, (chars(20), s));
struct s_cstr { char *s; };
LEAT_DESCRIBE(s_cstr, (cstr, s));

TEST(texts_go_where_all_of_them_fit)
{
    struct s_string s = { LEAT_STRING("a\0b") }, t;
    struct s_bytes b;
    CHECK_EQ(CROSS(s_string, &s, s_bytes, &b), LEAT_OK);
    CHECK(b.s.len == 3 && b.s.owned);
    leat_drop(s_bytes, &b);
    struct s_chars c = { "seven 7" };
    struct s_room r;
    CHECK_EQ(CROSS(s_chars, &c, s_room, &r), LEAT_OK);
    CHECK_STR(r.s, "seven 7");
    CHECK_EQ(CROSS(s_chars, &c, s_string, &t), LEAT_OK);
    CHECK_EQ(t.s.len, 7);
    leat_drop(s_string, &t);
    static char text[] = "text", empty[] = "";
    struct s_cstr p = { text };
    CHECK_EQ(CROSS(s_cstr, &p, s_string, &t), LEAT_OK);
    CHECK(t.s.len == 4 && t.s.owned);
    leat_drop(s_string, &t);
    p.s = empty;
    CHECK_EQ(CROSS(s_cstr, &p, s_string, &t), LEAT_OK);
    CHECK(t.s.len == 0 && !t.s.p);
    p.s = NULL;
    CHECK_EQ(CROSS(s_cstr, &p, s_string, &t), LEAT_OK);
    CHECK(t.s.len == 0 && !t.s.p);
    CHECK_STR(WHY(s_bytes, s_string), "field s_string.s: string here, bytes there");
    CHECK_STR(WHY(s_string, s_cstr), "field s_cstr.s: cstr here, string there");
    CHECK_STR(WHY(s_string, s_chars), "field s_chars.s: chars(8) here, string there");
    CHECK_STR(WHY(s_room, s_chars), "field s_chars.s: chars(8) here, chars(20) there");
}

/* == Enums and oneofs. ======================================================================================================= */
LEAT_ENUM(hue, (hue_red, 0), (hue_green, 1));
LEAT_ENUM(hue2, (hue2_green, 1), (hue2_blue, 2), (hue2_red, 0));
LEAT_STRUCT(e_old, (enum(hue), hue));
LEAT_STRUCT(e_new, (enum(hue2), hue));
static const leat_field moved_fields[] = { { .name = "hue_red", .tag = 0 }, { .name = "hue_green", .tag = 5 } };
static const leat_type moved_hue_type = { "moved", moved_fields, 4, 2, LEAT_K_ENUM_, sizeof(leat_field), 4 };
static const leat_field e_moved_fields[] = { { .name = "hue", .type = &moved_hue_type, .size = 4, .kind = LEAT_K_ENUM_ } };
static const leat_type e_moved_type = { "e_moved", e_moved_fields, 4, 1, LEAT_K_STRUCT_, sizeof(leat_field), 4 };

TEST(an_enum_keeps_its_number_also_one_without_a_name_here)
{
    struct e_new n = { hue2_blue };
    struct e_old o;
    CHECK_EQ(CROSS(e_new, &n, e_old, &o), LEAT_OK);
    CHECK_EQ((int)o.hue, 2);
    CHECK_EQ(CROSS(e_old, &o, e_new, &n), LEAT_OK);
    CHECK_EQ(n.hue, hue2_blue);
    CHECK_STR(WHY(e_old, e_moved), "field e_moved.hue.hue_green: 5 here, 1 there");
}

LEAT_ONEOF(pick, (string, words), (int32, number));
LEAT_ONEOF(pick2, (int64, number), (struct(square), square), (string, words), (strings, many));
LEAT_STRUCT(o_old, (oneof(pick), pick), (int8, end));
LEAT_STRUCT(o_new, (oneof(pick2), pick), (int8, end));
LEAT_ONEOF(pick_narrow, (string, words), (int16, number));
LEAT_STRUCT(o_narrow, (oneof(pick_narrow), pick), (int8, end));

TEST(a_case_is_found_by_its_name_and_is_none_where_it_is_not_known)
{
    struct o_old a = { { .which = pick_number, .number = -5 }, 1 };
    struct o_new b;
    CHECK_EQ(CROSS(o_old, &a, o_new, &b), LEAT_OK);
    CHECK(b.pick.which == pick2_number && b.pick.number == -5 && b.end == 1);
    a = (struct o_old){ { .which = pick_words, .words = LEAT_STRING("w") }, 2 };
    CHECK_EQ(CROSS(o_old, &a, o_new, &b), LEAT_OK);
    CHECK(b.pick.which == pick2_words && b.pick.words.len == 1 && b.end == 2);
    CHECK_STR(WHY(o_new, o_old), "field o_old.pick.number: int32 here, int64 there");
    leat_drop(o_new, &b);
    CHECK_STR(WHY(o_old, o_narrow), "field o_narrow.pick.number: int16 here, int32 there");
}

LEAT_ONEOF(named_n, (int8, other), (int32, n, .tag = 7));
LEAT_ONEOF(named_m, (int64, m, .tag = 7), (int8, other));
LEAT_STRUCT(o_named_n, (oneof(named_n), pick));
LEAT_STRUCT(o_named_m, (oneof(named_m), pick));

TEST(a_tag_is_what_a_case_is_under_another_name)
{
    struct o_named_n n = { { .which = named_n_n, .n = -9 } };
    struct o_named_m m;
    CHECK_EQ(CROSS(o_named_n, &n, o_named_m, &m), LEAT_OK);
    CHECK(m.pick.which == named_m_m && m.pick.m == -9);
    CHECK_STR(WHY(o_named_m, o_named_n), "field o_named_n.pick.n: int32 here, int64 there");
}

LEAT_ONEOF(pick3, (string, words), (int32, number), (strings, many), (struct(square), square));
LEAT_STRUCT(o_more, (oneof(pick3), pick), (int8, end));

TEST(a_case_that_the_reader_does_not_have_is_none)
{
    leat_string many[] = { LEAT_STRING("a"), LEAT_STRING("b") };
    struct o_more a = { { .which = pick3_many, .many = { many, 2, 0 } }, 3 };
    struct o_old b;
    CHECK_EQ(CROSS(o_more, &a, o_old, &b), LEAT_OK);
    CHECK(b.pick.which == pick_none && b.end == 3);
    a = (struct o_more){ { .which = pick3_words, .words = LEAT_STRING("w") }, 4 };
    CHECK_EQ(CROSS(o_more, &a, o_old, &b), LEAT_OK);
    CHECK(b.pick.which == pick_words && b.end == 4);
    leat_drop(o_old, &b);
}

/* == What is inside. ========================================================================================================= */
LEAT_STRUCT(in1, (int16, x), (string, s));
LEAT_STRUCT(in2, (string, s), (bool, fresh), (int64, x));
LEAT_STRUCT(deep1, (struct(in1), one), (list(in1), many), (map(in1), named), (optional(in1), maybe), (error, failed), (date, when));
LEAT_STRUCT(deep2, (map(in2), named), (date, when), (optional(in2), maybe), (struct(in2), one), (error, failed), (list(in2), many),
    (duration, took));

TEST(structs_lists_maps_and_optionals_are_crossed_inside)
{
    struct in1 row[] = { { -1, LEAT_STRING("r") }, { 2, LEAT_STRING("") } };
    struct in1_entry entry[] = { { LEAT_STRING("k"), { 3, LEAT_STRING("v") } } };
    struct deep1 a = { { 1, LEAT_STRING("one") }, { row, 2, 0 }, { entry, 1, 0 }, row,
        { .code = LEAT_GONE, .text = LEAT_STRING("e") }, { 5, 6, 7 } }, back;
    struct deep2 b;
    CHECK_EQ(CROSS(deep1, &a, deep2, &b), LEAT_OK);
    CHECK(b.one.x == 1 && b.one.s.len == 3 && !b.one.fresh);
    CHECK(b.many.len == 2 && b.many.at[0].x == -1 && b.many.at[0].s.len == 1 && b.many.at[1].x == 2);
    CHECK(b.named.len == 1 && b.named.at[0].key.len == 1 && b.named.at[0].value.x == 3);
    CHECK(b.maybe && b.maybe->x == -1 && b.failed.code == LEAT_GONE && b.failed.text.len == 1 && b.when.offset_s == 7 && b.took.ns == 0);
    CHECK_STR(why(&deep2_type, &deep1_type), "field deep1.one.x: int16 here, int64 there");
    leat_drop(deep2, &b);
    CHECK_EQ(CROSS(deep1, &a, deep1, &back), LEAT_OK);           /* a bridge to the same type is one, too */
    CHECK(same_value(&deep1_type, &a, &back));
    leat_drop(deep1, &back);
}

/* lists, maps, optionals, oneofs, arrays and ends, one inside the other: 1 the older ones */
LEAT_STRUCT(core1, (array(int16_t, 2), xs));
LEAT_STRUCT(core2, (bool, fresh), (array(int32_t, 3), xs));
LEAT_ONEOF(way1, (struct(core1), core), (string, name));
LEAT_ONEOF(way2, (string, name), (struct(core2), core), (int8, speed));
LEAT_STRUCT(hold1, (oneof(way1), way));
LEAT_STRUCT(hold2, (int64, weight), (oneof(way2), way));
LEAT_STRUCT(shelf1, (map(hold1), holds), (optional(hold1), best));
LEAT_STRUCT(shelf2, (struct(hold2), best), (map(hold2), holds));
LEAT_STRUCT(room1, (list(shelf1), shelves));
LEAT_STRUCT(room2, (list(shelf2), shelves), (date, when));
LEAT_STRUCT(house1, (list(room1), spare), (rx(room1), rooms));
LEAT_STRUCT(house2, (rx(room2), rooms), (list(room2), spare));

TEST(what_is_inside_all_of_them_is_crossed_and_what_is_not_is_named_with_its_whole_path)
{
    struct hold1 best = { { .which = way1_name, .name = LEAT_STRING("b") } };
    struct hold1_entry holds[] = { { LEAT_STRING("k"), { { .which = way1_core, .core = { { -2, 32767 } } } } } };
    struct shelf1 shelves[] = { { { holds, 1, 0 }, NULL }, { { NULL, 0, 0 }, &best } };
    struct room1 a = { { shelves, 2, 0 } };
    struct room2 b;
    CHECK_EQ(CROSS(room1, &a, room2, &b), LEAT_OK);
    CHECK_EQ(b.shelves.len, 2);
    struct hold2 *held = &b.shelves.at[0].holds.at[0].value, *other = &b.shelves.at[1].best;
    CHECK(held->way.which == way2_core && held->way.core.xs[0] == -2 && held->way.core.xs[1] == 32767 && held->way.core.xs[2] == 0);
    CHECK(other->way.which == way2_name && other->way.name.len == 1 && b.shelves.at[0].best.way.which == way2_none);
    leat_drop(room2, &b);
    CHECK_STR(WHY(room2, room1), "field room1.shelves[].best.way.core.xs: array of 2 int16 here, array of 3 int32 there");
    CHECK_STR(WHY(house2, house1), "field house1.rooms.shelves[].best.way.core.xs: array of 2 int16 here, array of 3 int32 there");
}

LEAT_STRUCT(tree1, (int8, n), (optional(tree1), left), (list(tree1), kids));
LEAT_STRUCT(tree2, (list(tree2), kids), (string, name), (optional(tree2), left), (int32, n));

TEST(a_type_inside_itself_is_crossed_at_every_depth)
{
    struct tree1 leaf = { 3, NULL, { 0 } }, kids[] = { { 4, &leaf, { 0 } }, { 5, NULL, { 0 } } }, root = { -1, &leaf, { kids, 2, 0 } };
    struct tree2 t;
    CHECK_EQ(CROSS(tree1, &root, tree2, &t), LEAT_OK);
    CHECK(t.n == -1 && t.left->n == 3 && t.kids.len == 2 && t.kids.at[0].left->n == 3 && t.kids.at[1].n == 5 && !t.kids.at[1].left);
    leat_drop(tree2, &t);
    CHECK_HAS(WHY(tree2, tree1), "field tree1.n: int8 here, int32 there");
}

LEAT_STRUCT(p_plain, (struct(in1), in), (int8, end));
LEAT_STRUCT(p_optional, (optional(in2), in), (int8, end));
LEAT_STRUCT(p_optional1, (optional(in1), in), (int8, end));
LEAT_STRUCT(p_number, (int64, in));

TEST(an_optional_may_become_plain_and_the_other_way_round)
{
    struct p_plain a = { { 7, LEAT_STRING("s") }, 1 };
    struct p_optional b;
    CHECK_EQ(CROSS(p_plain, &a, p_optional, &b), LEAT_OK);
    CHECK(b.in && b.in->x == 7 && b.in->s.len == 1 && !b.in->fresh && b.end == 1);
    leat_drop(p_optional, &b);
    struct in1 in = { 8, LEAT_STRING("t") };
    struct p_optional1 o = { &in, 2 };
    CHECK_EQ(CROSS(p_optional1, &o, p_plain, &a), LEAT_OK);
    CHECK(a.in.x == 8 && a.in.s.len == 1 && a.end == 2);
    leat_drop(p_plain, &a);
    o.in = NULL;
    CHECK_EQ(CROSS(p_optional1, &o, p_plain, &a), LEAT_OK);
    CHECK(a.in.x == 0 && a.in.s.len == 0 && a.end == 2);
    CHECK_STR(WHY(p_plain, p_number), "field p_number.in: int64 here, struct there");
    CHECK_STR(WHY(p_number, p_optional), "field p_optional.in: optional struct here, int64 there");
}

LEAT_STRUCT(k_list, (list(in1), in));
LEAT_STRUCT(k_map, (map(in1), in));
LEAT_STRUCT(k_tx, (tx(in1), in));
LEAT_STRUCT(k_tx_wide, (tx(in2), in));
LEAT_STRUCT(k_rx, (rx(in1), in));
LEAT_STRUCT(k_rx_wide, (rx(in2), in));

TEST(kinds_that_are_not_the_same_thing_do_not_fit)
{
    CHECK_STR(WHY(k_list, k_map), "field k_map.in: map of struct here, list of struct there");
    CHECK_STR(WHY(k_tx, k_rx), "field k_rx.in: rx of struct here, tx of struct there");
    CHECK_STR(WHY(n_bool, n_i8), "field n_i8.n: int8 here, bool there");
    CHECK_STR(why(&leat_int64_type_, &leat_string_type_), "type string: string here, int64 there");
}

TEST(who_has_the_send_end_is_the_writer_of_what_it_carries)
{
    struct type_bridge *b = NULL;
    CHECK_EQ(type_bridge_make(&k_rx_wide_type, form_of(&k_rx_type), &b), LEAT_OK);       /* in1 comes, in2 is read */
    CHECK(b->ends && !b->tells);
    type_bridge_free(b);
    CHECK_STR(WHY(k_rx_wide, k_rx), "field k_rx.in.x: int16 here, int64 there");
    CHECK_EQ(type_bridge_make(&k_tx_type, form_of(&k_tx_wide_type), &b), LEAT_OK);       /* in1 is sent, in2 is read there */
    CHECK(b->ends && b->tells);
    type_bridge_free(b);
    CHECK_STR(WHY(k_tx, k_tx_wide), "field k_tx_wide.in.x: int64 here, int16 there");
}

/* == Any bytes, and no memory. =============================================================================================== */
static const leat_type *const types[] = { &all_type, &node_type, &shard_type, &old_type, &v2_type, &deep2_type, &tree2_type, &o_more_type,
    &all_and_n_type, &p_optional_type, &renamed_type };

static void cross_any(const leat_type *mine, struct cur form, struct rng *r)
{
    struct type_bridge *b = NULL;
    leat_err e = type_bridge_make(mine, form, &b);
    CHECK(e == LEAT_OK || e == LEAT_TYPE || e == LEAT_LIMIT);
    if (e != LEAT_OK)
        return;
    void *v = calloc(1, mine->size);
    for (int i = 0; i < 10; i++) {
        size_t n = rng_below(r, 300);
        uint8_t *bytes = malloc(n ? n : 1);
        for (size_t k = 0; k < n; k++)
            bytes[k] = rng_below(r, 2) ? (uint8_t)rng_below(r, 4) : (uint8_t)rng_next(r);
        struct cur in = cur_of(bytes, n);
        if (type_decode_as(b, &in, v, NULL, NULL) == LEAT_OK)
            leat_drop_(mine, v);
        free(bytes);
    }
    free(v);
    type_bridge_free(b);
}

TEST(any_type_reads_any_other_or_says_why_not)
{
    struct rng r;
    rng_init(&r, 41);
    for (size_t a = 0; a < ARRAY_LEN(types); a++)
        for (size_t b = 0; b < ARRAY_LEN(types); b++) {
            leat_err check = type_bridge_check(types[b], form_of(types[a]));
            struct type_bridge *x;
            leat_err e = type_bridge_make(types[a], form_of(types[b]), &x);
            CHECK_EQ(check, e);
            if (e == LEAT_OK)
                type_bridge_free(x);
            cross_any(types[a], form_of(types[b]), &r);
        }
}

/* A description of few bytes, all of them needed: a name of one letter in a name of one letter. */
TEST(a_type_that_is_as_deep_as_may_be_reads_itself)
{
    enum { DEEP = LIMIT_TYPE_DEPTH - 1 };
    static leat_type t[DEEP];
    static leat_field f[DEEP];
    for (int i = 0; i < DEEP; i++) {
        f[i] = (leat_field){ .name = "x", .type = i ? &t[i - 1] : NULL, .size = 1, .kind = i ? LEAT_K_STRUCT_ : LEAT_K_INT_ };
        t[i] = (leat_type){ "deep", &f[i], 1, 1, LEAT_K_STRUCT_, sizeof *f, 1 };
        int8_t v = (int8_t)(i - 16), w = 0;
        CHECK_EQ(cross(&t[i], &v, &t[i], &w), LEAT_OK);
        CHECK_EQ(w, v);
    }
}

TEST(a_form_that_was_changed_anywhere_makes_a_bridge_or_is_refused)
{
    struct rng r;
    rng_init(&r, 42);
    for (int round = 0; round < (getenv("T_QUICK") ? 40 : 400); round++)
        for (size_t k = 0; k < ARRAY_LEN(types); k++) {
            struct cur mine = form_of(types[k]);
            size_t n = cur_left(&mine), len = n;
            uint8_t *copy = malloc(n);
            memcpy(copy, mine.p, n);
            for (uint32_t i = rng_below(&r, 4) + 1; i > 0; i--)
                copy[rng_below(&r, (uint32_t)n)] = rng_below(&r, 2) ? (uint8_t)rng_below(&r, 21) : (uint8_t)rng_next(&r);
            if (rng_below(&r, 8) == 0)
                len = rng_below(&r, (uint32_t)n);
            uint8_t *exact = realloc(copy, len ? len : 1);
            cross_any(types[k], cur_of(exact, len), &r);
            cross_any(types[rng_below(&r, ARRAY_LEN(types))], cur_of(exact, len), &r);
            free(exact);
        }
}

/* a form of `bytes` bytes that is written by `more` again and again, below `head` */
static size_t big_form(uint8_t *to, size_t cap, const char *more, size_t more_n, uint32_t count)
{
    struct buf b = buf_on(to, cap, cap);
    buf_u8(&b, 1);
    buf_u8(&b, LEAT_K_STRUCT_);
    buf_u8(&b, 0);
    buf_varint(&b, count);
    for (uint32_t i = 0; i < count; i++) {
        char name[8];
        buf_text(&b, name, (size_t)snprintf(name, sizeof name, "%x", i));
        buf_u8(&b, 0);
        buf_put(&b, more, more_n);
    }
    CHECK_EQ(buf_err(&b), LEAT_OK);
    return b.len;
}

TEST(a_form_that_means_harm_costs_what_its_bytes_cost)
{
    static uint8_t form[70000];
    static const char list_of_root[] = { LEAT_K_LIST_, LEAT_K_STRUCT_, 1 }, self[] = { LEAT_K_STRUCT_, 1 },
        many[] = { LEAT_K_ONEOF_, 0, 2, 1, 'a', 0, LEAT_K_BOOL_, 1, 'b', 0, LEAT_K_STRUCT_, 2 };
    struct type_bridge *b = NULL;
    size_t n = big_form(form, sizeof form, list_of_root, sizeof list_of_root, 6000);
    struct taking taken = { 0 };
    struct mem_hook h = { taking_hook, &taken };
    mem_hook = &h;
    leat_err e = type_bridge_make(&node_type, cur_of(form, n), &b);
    mem_hook = NULL;
    CHECK_EQ(e, LEAT_OK);                            /* 6000 lists of itself, all skipped by one plan */
    CHECK(b->bytes < (2u << 20) && taken.bytes < (16u << 20));
    type_bridge_free(b);
    n = big_form(form, sizeof form, self, sizeof self, 1);
    CHECK_EQ(type_bridge_make(&node_type, cur_of(form, n), &b), LEAT_TYPE);      /* it holds itself */
    CHECK_HAS(leat_err_detail(), "not a description");
    n = big_form(form, sizeof form, many, sizeof many, 3000);
    e = type_bridge_make(&node_type, cur_of(form, n), &b);
    CHECK(e == LEAT_OK || e == LEAT_LIMIT);
    if (e == LEAT_OK)
        type_bridge_free(b);
    static const uint8_t promises[] = { 1, LEAT_K_STRUCT_, 0, 0xff, 0xff, 0xff, 0xff, 0x0f };
    CHECK_EQ(type_bridge_make(&node_type, cur_of(promises, sizeof promises), &b), LEAT_TYPE);
}

/* One bool of that name and tag. */
static leat_err bridge_of_one(size_t name_bytes, uint64_t zigzag_tag)
{
    uint8_t form[300];
    char name[260];
    struct buf out = buf_on(form, sizeof form, sizeof form);
    struct type_bridge *b = NULL;
    memset(name, 'x', sizeof name);
    buf_put(&out, (const uint8_t[]){ 1, LEAT_K_STRUCT_, 0, 1 }, 4);
    buf_text(&out, name, name_bytes);
    buf_varint(&out, zigzag_tag);
    buf_u8(&out, LEAT_K_BOOL_);
    leat_err e = type_bridge_make(&node_type, cur_of(form, out.len), &b);
    if (e == LEAT_OK)
        type_bridge_free(b);
    return e;
}

TEST(a_form_with_names_or_tags_that_no_description_has_is_refused)
{
    CHECK_EQ(bridge_of_one(1, 0), LEAT_OK);
    CHECK_EQ(bridge_of_one(0, 0), LEAT_TYPE);
    CHECK_EQ(bridge_of_one(255, UINT32_MAX), LEAT_OK);           /* the least tag of 32 bits */
    CHECK_EQ(bridge_of_one(256, 0), LEAT_TYPE);
    CHECK_EQ(bridge_of_one(1, UINT32_MAX - 1), LEAT_OK);         /* and the greatest */
    CHECK_EQ(bridge_of_one(1, 1ull << 32), LEAT_TYPE);
    CHECK_EQ(bridge_of_one(1, (1ull << 32) + 1), LEAT_TYPE);
    CHECK_EQ(bridge_of_one(1, UINT64_MAX), LEAT_TYPE);
}

struct hollow { void *lock; };
typedef struct hollow_list { struct hollow *at; uint32_t len, cap; } hollow_list;
LEAT_DESCRIBE(hollow, (local, lock));
LEAT_STRUCT(empty_rows, (list(hollow), rows), (int8, n));
LEAT_STRUCT(full_rows, (list(square), rows), (int8, n));

TEST(a_list_of_nothing_is_no_way_to_much_memory_or_time)
{
    static const uint8_t bytes[] = { 0xff, 0xff, 0xff, 0xff, 0x0f, 7 };
    struct type_bridge *b = NULL;
    struct full_rows v;
    struct only_n w;
    struct cur in = cur_of(bytes, sizeof bytes);
    CHECK_EQ(type_bridge_make(&full_rows_type, form_of(&empty_rows_type), &b), LEAT_OK);
    CHECK_EQ(type_decode_as(b, &in, &v, NULL, NULL), LEAT_LIMIT);
    type_bridge_free(b);
    in = cur_of(bytes, sizeof bytes);
    CHECK_EQ(type_bridge_make(&only_n_type, form_of(&empty_rows_type), &b), LEAT_OK);
    CHECK_EQ(type_decode_as(b, &in, &w, NULL, NULL), LEAT_OK);
    CHECK_EQ(w.n, 7);
    type_bridge_free(b);
}

TEST(without_memory_a_bridge_says_so)
{
    for (long i = 0; ; i++) {
        struct type_bridge *b = NULL;
        struct failing f = { .at = i };
        struct mem_hook h = { failing_hook, &f };
        struct cur form = form_of(&all_and_n_type);
        form_of(&only_n_type);
        mem_hook = &h;
        leat_err e = type_bridge_make(&only_n_type, form, &b);
        mem_hook = NULL;
        if (f.count <= i) {
            CHECK_EQ(e, LEAT_OK);
            CHECK(i > 5);
            type_bridge_free(b);
            break;
        }
        CHECK_EQ(e, LEAT_NOMEM);
    }
}

TEST(without_memory_reading_by_a_bridge_says_so_and_leaves_nothing)
{
    struct in1 row[] = { { -1, LEAT_STRING("r") }, { 2, LEAT_STRING("ss") } };
    struct deep1 a = { { 1, LEAT_STRING("one") }, { row, 2, 0 }, { 0 }, row, { 0 }, { 0 } };
    struct deep2 got;
    struct type_bridge *b = NULL;
    struct buf out = { 0 };
    CHECK_EQ(type_encode(&deep1_type, &a, &out, NULL), LEAT_OK);
    CHECK_EQ(type_bridge_make(&deep2_type, form_of(&deep1_type), &b), LEAT_OK);
    for (long i = 0; ; i++) {
        struct failing f = { .at = i };
        struct mem_hook h = { failing_hook, &f };
        struct cur in = cur_of(out.p, out.len);
        mem_hook = &h;
        leat_err e = type_decode_as(b, &in, &got, NULL, NULL);
        mem_hook = NULL;
        if (f.count <= i) {
            CHECK_EQ(e, LEAT_OK);
            leat_drop(deep2, &got);
            break;
        }
        CHECK_EQ(e, LEAT_NOMEM);
        CHECK(got.many.at == NULL && got.maybe == NULL);
    }
    type_bridge_free(b);
    buf_free(&out);
}

T_MAIN()
