/* desc_test.c - canonical forms and fingerprints: stable, different for every change, safe against any bytes. */
#include "type_test.h"
#include <pthread.h>
#include "base/limits.h"
#include "type/form.h"

/* the canonical form of S, as type_form gives it */
#define FORM(S) form_of(&S##_type)
static struct cur form_of(const leat_type *t)
{
    struct cur c;
    CHECK_EQ(type_form(t, &c), LEAT_OK);
    CHECK(type_form_valid(c));
    return c;
}

static const char *print_of(const leat_type *t)
{
    static char text[33];
    struct type_print p;
    CHECK_EQ(type_print(t, &p), LEAT_OK);
    for (int i = 0; i < 16; i++)
        snprintf(text + 2 * i, 3, "%02x", p.b[i]);
    return text;
}

static char diff_text[200];
static const char *differ(const leat_type *mine, const leat_type *theirs)
{
    struct type_print a, b;
    CHECK_EQ(type_print(mine, &a), LEAT_OK);
    CHECK_EQ(type_print(theirs, &b), LEAT_OK);
    bool d = type_diff(mine->name, form_of(mine), form_of(theirs), diff_text, sizeof diff_text);
    CHECK(d == !type_print_same(&a, &b));
    return d ? diff_text : "same";
}
#define DIFFER(a, b) differ(&a##_type, &b##_type)

TEST(the_form_of_a_struct_is_the_bytes_that_the_wire_page_shows)
{
    static const char want[] = "\x01\x0a\x00\x02\x04text\x00\x05\x05times\x00\x03\x08";
    struct cur c = FORM(word);
    CHECK_EQ(cur_left(&c), sizeof want - 1);
    CHECK_MEM(c.p, want, sizeof want - 1);
    CHECK_STR(print_of(&word_type), "307c5ee8ce538e9392de3d93fdde4ee7");
}

TEST(fingerprints_never_change)
{
    CHECK_STR(print_of(&all_type), "959dec0f2585744c9b4edb1afd93b6c8");
    CHECK_STR(print_of(&node_type), "3222cabaacfe89b1c40178aab71522ca");
    CHECK_STR(print_of(&old_type), "9e430b178cac8a4fc575fc04f2db56dd");
    CHECK_STR(print_of(&shard_type), "289eaefb000babe62320769f3b026216");
    CHECK_STR(print_of(&shape_type), "50ab355ceb8518e859fab4db1e0739fb");
    CHECK_STR(print_of(&leat_string_type_), "2220638bc95eeae33b08003f97fc5a5b");
}

/* == One change each. ==================================================================================================== */
LEAT_STRUCT(b_base, (string, text), (int64, times));
LEAT_STRUCT(b_other_name, (string, text), (int64, times));
LEAT_STRUCT(b_kind, (int64, text), (int64, times));
LEAT_STRUCT(b_width, (string, text), (int32, times));
LEAT_STRUCT(b_sign, (string, text), (uint64, times));
LEAT_STRUCT(b_order, (int64, times), (string, text));
LEAT_STRUCT(b_more, (string, text), (int64, times), (bool, last));
LEAT_STRUCT(b_between, (string, text), (bool, extra), (int64, times));
LEAT_STRUCT(b_less, (string, text));
LEAT_STRUCT(b_name, (string, text), (int64, time));
LEAT_STRUCT(b_tag, (string, text, .tag = 3), (int64, times));
LEAT_STRUCT(b_json, (string, text, .json = "t"), (int64, times));

TEST(each_change_of_a_field_is_named_and_changes_the_fingerprint)
{
    CHECK_STR(DIFFER(b_base, b_base), "same");
    CHECK_STR(DIFFER(b_base, b_kind), "field b_base.text: string here, int64 there");
    CHECK_STR(DIFFER(b_base, b_width), "field b_base.times: int64 here, int32 there");
    CHECK_STR(DIFFER(b_base, b_sign), "field b_base.times: int64 here, uint64 there");
    CHECK_STR(DIFFER(b_base, b_order), "field b_base.text: number 1 here, number 2 there");
    CHECK_STR(DIFFER(b_base, b_more), "field b_base.last: missing here");
    CHECK_STR(DIFFER(b_more, b_base), "field b_more.last: missing there");
    CHECK_STR(DIFFER(b_base, b_between), "field b_base.extra: missing here");
    CHECK_STR(DIFFER(b_between, b_base), "field b_between.extra: missing there");
    CHECK_STR(DIFFER(b_base, b_less), "field b_base.times: missing there");
    CHECK_STR(DIFFER(b_base, b_name), "field b_base.times: missing there");
    CHECK_STR(DIFFER(b_base, b_tag), "field b_base.text: tag 0 here, tag 3 there");
}

TEST(names_of_types_and_of_json_are_no_part_of_a_type)
{
    CHECK_STR(DIFFER(b_base, b_other_name), "same");
    CHECK_STR(DIFFER(b_base, b_json), "same");
}

struct wide { long n; int unused; void *p; char *s; };
LEAT_DESCRIBE(wide, (int64, n), (local, unused), (local, p), (cstr, s));
struct narrow { char *s; long n; };
LEAT_DESCRIBE(narrow, (int64, n), (cstr, s));

TEST(offsets_and_local_fields_are_no_part_of_a_type)
{
    CHECK_STR(DIFFER(wide, narrow), "same");
}

LEAT_STRUCT(t_tx, (tx(b_base), out));
LEAT_STRUCT(t_rx, (rx(b_base), out));
LEAT_STRUCT(t_tx_other, (tx(b_kind), out));
LEAT_STRUCT(t_list, (list(b_base), of));
LEAT_STRUCT(t_list_other, (list(b_width), of));
LEAT_STRUCT(t_map, (map(b_base), of));
LEAT_STRUCT(t_optional, (optional(b_base), of));
LEAT_STRUCT(t_struct, (struct(b_base), of));
LEAT_STRUCT(t_strings, (strings, of));
LEAT_STRUCT(t_int64s, (int64s, of));
LEAT_STRUCT(t_array4, (array(int32_t, 4), of));
LEAT_STRUCT(t_array2, (array(int64_t, 2), of));
LEAT_STRUCT(t_array4f, (array(float, 4), of));
LEAT_ENUM(e_base, (one, 1), (two, 2));
LEAT_ENUM(e_number, (one_, 1), (two_, 3));
LEAT_STRUCT(t_enum, (enum(e_base), of));
LEAT_STRUCT(t_enum_other, (enum(e_number), of));
LEAT_ONEOF(o_base, (string, text), (int64, number));
LEAT_ONEOF(o_other, (string, text), (int32, number));
LEAT_STRUCT(t_oneof, (oneof(o_base), of));
LEAT_STRUCT(t_oneof_other, (oneof(o_other), of));
struct c16 { char of[16]; };
LEAT_DESCRIBE(c16, (chars(16), of));
struct c17 { char of[17]; };
LEAT_DESCRIBE(c17, (chars(17), of));

TEST(what_is_inside_counts_and_the_path_leads_there)
{
    CHECK_STR(DIFFER(t_tx, t_rx), "field t_tx.out: tx of struct here, rx of struct there");
    CHECK_STR(DIFFER(t_tx, t_tx_other), "field t_tx.out.text: string here, int64 there");
    CHECK_STR(DIFFER(t_list, t_list_other), "field t_list.of[].times: int64 here, int32 there");
    CHECK_STR(DIFFER(t_list, t_map), "field t_list.of: list of struct here, map of struct there");
    CHECK_STR(DIFFER(t_optional, t_struct), "field t_optional.of: optional struct here, struct there");
    CHECK_STR(DIFFER(t_strings, t_int64s), "field t_strings.of[]: string here, int64 there");
    CHECK_STR(DIFFER(t_array4, t_array2), "field t_array4.of: array of 4 int32 here, array of 2 int64 there");
    CHECK_STR(DIFFER(t_array4, t_array4f), "field t_array4.of: array of 4 int32 here, array of 4 float32 there");
    CHECK_STR(DIFFER(t_enum, t_enum_other), "field t_enum.of.one: missing there");
    CHECK_STR(DIFFER(t_oneof, t_oneof_other), "field t_oneof.of.number: int64 here, int32 there");
    CHECK_STR(DIFFER(c16, c17), "field c16.of: chars(16) here, chars(17) there");
    CHECK_STR(DIFFER(b_base, o_base), "type b_base: struct here, oneof there");
}

static const leat_field renumbered[] = { { .name = "one", .tag = 1 }, { .name = "two", .tag = 5 } };
static const leat_type e_renumbered_type = { "e_renumbered", renumbered, 4, 2, LEAT_K_ENUM_, sizeof(leat_field), 4 };

TEST(an_enumerator_with_another_number_is_named)
{
    CHECK_STR(DIFFER(e_base, e_renumbered), "field e_base.two: 2 here, 5 there");
}

LEAT_STRUCT(r_a, (string, name), (optional(r_a), next));
LEAT_STRUCT(r_b, (string, name), (optional(r_b), next));
LEAT_STRUCT(r_inner, (string, name));
LEAT_STRUCT(r_c, (string, name), (optional(r_inner), next));

TEST(a_struct_inside_itself_is_a_reference)
{
    CHECK_STR(DIFFER(r_a, r_b), "same");
    CHECK_STR(DIFFER(r_a, r_c), "field r_a.next: struct around it here, struct there");
}

/* == Limits of a description. ============================================================================================ */
LEAT_STRUCT(d1, (int8, a), (int8, b));
#define DOUBLE(n, m) LEAT_STRUCT(d##n, (struct(d##m), a), (struct(d##m), b), (struct(d##m), c), (struct(d##m), d), (struct(d##m), e), \
    (struct(d##m), f), (struct(d##m), g), (struct(d##m), h))
DOUBLE(2, 1); DOUBLE(3, 2); DOUBLE(4, 3); DOUBLE(5, 4); DOUBLE(6, 5);

TEST(a_description_that_multiplies_is_refused_and_soon)
{
    struct type_print p;
    CHECK_EQ(type_print(&d4_type, &p), LEAT_OK);
    CHECK_EQ(type_print(&d6_type, &p), LEAT_LIMIT);
    CHECK_HAS(leat_err_detail(), "65536 bytes");
}

TEST(a_description_that_is_too_deep_is_refused)
{
    static leat_type t[LIMIT_TYPE_DEPTH + 1];
    static leat_field f[LIMIT_TYPE_DEPTH + 1];
    struct type_print p;
    for (int i = 0; i <= LIMIT_TYPE_DEPTH; i++) {
        f[i] = (leat_field){ .name = "x", .type = &t[i + 1], .size = 8, .kind = LEAT_K_STRUCT_ };
        t[i] = (leat_type){ "deep", &f[i], 8, 1, LEAT_K_STRUCT_, sizeof *f, 8 };
    }
    f[LIMIT_TYPE_DEPTH] = (leat_field){ .name = "x", .size = 8, .kind = LEAT_K_INT_ };
    CHECK_EQ(type_print(&t[0], &p), LEAT_LIMIT);
    CHECK_EQ(type_print(&t[1], &p), LEAT_LIMIT);
    CHECK_EQ(type_print(&t[2], &p), LEAT_OK);
}

TEST(a_description_that_does_not_fit_its_kinds_is_refused)
{
    static const struct { leat_field f; const char *word; } bad[] = {
        { { .name = "n", .size = 3, .kind = LEAT_K_INT_ }, "n" },
        { { .name = "n", .size = 2, .kind = LEAT_K_FLOAT_ }, "n" },
        { { .name = "n", .size = 8, .kind = 99 }, "n" },
        { { .name = "n", .size = 8, .kind = LEAT_K_STRING_ }, "n" },
        { { .name = "n", .size = 16, .kind = LEAT_K_LIST_ }, "n" },
        { { .name = "n", .size = 16, .offset = 1, .kind = LEAT_K_STRING_ }, "n" },
        { { .name = "n", .size = 16, .offset = 0xfffffff8, .kind = LEAT_K_STRING_ }, "n" },
        { { .name = "n", .size = 9, .kind = LEAT_K_ARRAY_, .type = &leat_int64_type_ }, "n" },
        { { .name = "n", .size = 8, .kind = LEAT_K_ARRAY_ }, "n" },
        { { .name = "n", .size = 8, .kind = LEAT_K_STRUCT_ }, "n" },
    };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct type_print p;
        leat_type t = { "bad", &bad[i].f, 16, 1, LEAT_K_STRUCT_, sizeof(leat_field), 8 };
        CHECK_EQ(type_print(&t, &p), LEAT_INVAL);
        CHECK_HAS(leat_err_detail(), bad[i].word);
    }
}

TEST(a_field_is_read_by_the_stride_it_was_compiled_with)
{
    struct longer { leat_field f; char later[24]; };
    static const struct longer fields[] = { { { .name = "x", .size = 4, .kind = LEAT_K_INT_ }, "" },
        { { .name = "y", .offset = 4, .size = 4, .kind = LEAT_K_INT_ }, "" } };
    static const leat_type newer_type = { "newer", &fields[0].f, 8, 2, LEAT_K_STRUCT_, sizeof(struct longer), 4 };
    CHECK_STR(DIFFER(point, newer), "same");
}

/* == Forms from elsewhere. =============================================================================================== */
TEST(a_form_that_was_changed_anywhere_is_refused_or_differs_and_never_harms)
{
    static const leat_type *const types[] = { &all_type, &node_type, &shard_type, &old_type, &t_enum_type };
    struct rng r;
    rng_init(&r, 20);
    for (size_t k = 0; k < ARRAY_LEN(types); k++) {
        struct cur mine = form_of(types[k]);
        size_t n = cur_left(&mine);
        for (int round = 0; round < 5000; round++) {
            uint8_t *copy = malloc(n + 8);           /* of its own, so that a checker sees a read past the end */
            size_t len = n;
            memcpy(copy, mine.p, n);
            for (uint32_t i = rng_below(&r, 4) + 1; i > 0; i--)
                copy[rng_below(&r, (uint32_t)len)] = (uint8_t)rng_next(&r);
            if (rng_below(&r, 4) == 0)
                len = rng_below(&r, (uint32_t)n);
            uint8_t *exact = realloc(copy, len ? len : 1);
            struct cur theirs = cur_of(exact, len);
            char text[64];
            bool same = len == n && memcmp(exact, mine.p, n) == 0;
            CHECK(type_diff("x", mine, theirs, text, sizeof text) == !same);
            CHECK(same || strlen(text) > 0);
            for (const char *c = text; *c; c++)
                CHECK(*c >= ' ' && *c < 127);
            if (type_form_valid(theirs))
                CHECK(type_diff("x", theirs, mine, text, sizeof text) == !same);
            free(exact);
        }
    }
}

TEST(random_bytes_and_towers_are_no_form)
{
    uint8_t bytes[4096];
    struct rng r;
    rng_init(&r, 21);
    for (int round = 0; round < 5000; round++) {
        size_t n = rng_below(&r, 60);
        for (size_t i = 0; i < n; i++)
            bytes[i] = (uint8_t)rng_below(&r, 24);
        bytes[0] = FORM_VERSION;
        type_form_valid(cur_of(bytes, n));
    }
    memset(bytes, LEAT_K_OPTIONAL_, sizeof bytes);
    bytes[0] = FORM_VERSION;
    CHECK(!type_form_valid(cur_of(bytes, sizeof bytes)));
    static const uint8_t upward[] = { FORM_VERSION, LEAT_K_STRUCT_, 0, 1, 1, 'a', 0, LEAT_K_STRUCT_, 2 };
    CHECK(!type_form_valid(cur_of(upward, sizeof upward)));
    static const uint8_t other_kind[] = { FORM_VERSION, LEAT_K_STRUCT_, 0, 1, 1, 'a', 0, LEAT_K_ONEOF_, 1 };
    CHECK(!type_form_valid(cur_of(other_kind, sizeof other_kind)));
    static const uint8_t many[] = { FORM_VERSION, LEAT_K_STRUCT_, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1 };
    CHECK(!type_form_valid(cur_of(many, sizeof many)));
    CHECK(!type_form_valid(cur_of(NULL, 0)));
    CHECK(!type_form_valid(cur_of("\x02\x01", 2)));  /* another version */
    CHECK(!type_form_valid(cur_of("\x01\x01\x01", 3)));      /* something after the end */
}

TEST(what_is_no_form_is_said_to_be_none)
{
    char text[100];
    CHECK(type_diff("word", FORM(word), cur_of("noise", 5), text, sizeof text));
    CHECK_STR(text, "type word: what came from the other side is not a description of a type");
    CHECK(type_diff("word", FORM(word), FORM(point), text, 10));
    CHECK_STR(text, "field wor");                    /* cut, and ended */
}

TEST(names_from_elsewhere_are_printed_harmlessly)
{
    static const uint8_t theirs[] = { FORM_VERSION, LEAT_K_STRUCT_, 0, 3, 4, 't', 'e', 'x', 't', 0, LEAT_K_STRING_,
        5, 't', 'i', 'm', 'e', 's', 0, LEAT_K_UINT_, 8, 5, 'a', 27, '[', '2', 'J', 0, LEAT_K_BOOL_ };
    char text[100];
    CHECK(type_diff("word", FORM(word), cur_of(theirs, sizeof theirs), text, sizeof text));
    CHECK_STR(text, "field word.a?[2J: missing here");
}

/* == The cache. ========================================================================================================== */
static void *ask(void *arg)
{
    struct type_print *p = arg;
    for (int i = 0; i < 1000; i++)
        CHECK_EQ(type_print(i % 2 ? &all_type : &node_type, &p[i % 2]), LEAT_OK);
    return NULL;
}

TEST(threads_that_ask_for_one_type_at_once_get_one_answer)
{
    pthread_t t[4];
    static struct type_print p[4][2];
    for (int i = 0; i < 4; i++)
        CHECK_EQ(pthread_create(&t[i], NULL, ask, p[i]), 0);
    for (int i = 0; i < 4; i++)
        CHECK_EQ(pthread_join(t[i], NULL), 0);
    for (int i = 1; i < 4; i++)
        CHECK_MEM(p[0], p[i], sizeof p[0]);
}

TEST(without_memory_a_fingerprint_says_so_and_comes_later)
{
    struct type_print p;
    for (long i = 0; ; i++) {
        struct failing f = { .at = i };
        struct mem_hook h = { failing_hook, &f };
        mem_hook = &h;
        leat_err e = type_print(&all_type, &p);
        mem_hook = NULL;
        if (f.count <= i) {
            CHECK_EQ(e, LEAT_OK);
            CHECK(i > 5);
            break;
        }
        CHECK_EQ(e, LEAT_NOMEM);
    }
}

T_MAIN()
