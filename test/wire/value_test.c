/* value_test.c - types and values as bytes: each section of values.txt, which is written by hand from docs/wire.md, is what the library
 * makes of the same type and the same value, and what it reads back. */
#include "base/base.h"
#include "base/buf.h"
#include "leat.h"
#include "t.h"
#include "type/codec.h"
#include "type/desc.h"

LEAT_STRUCT(numbers, (bool, b), (int8, i1), (int16, i2), (int32, i4), (int64, i8), (uint8, u1), (uint16, u2), (uint32, u4), (uint64, u8),
    (float32, f4), (float64, f8), (array(int16_t, 3), a));
struct texts { leat_string s; leat_bytes b; char *c, *none, h[8]; leat_strings l; };
LEAT_DESCRIBE(texts, (string, s), (bytes, b), (cstr, c), (cstr, none), (chars(8), h), (strings, l, .tag = 7));
LEAT_STRUCT(times, (date, d), (duration, w), (error, e));
LEAT_STRUCT(inner, (int32, n));
LEAT_ENUM(colour, (red, 1), (blue, -2));
LEAT_ONEOF(choice, (string, text), (int64, number));
LEAT_STRUCT(nested, (struct(inner), in), (optional(inner), o), (optional(inner), p), (list(inner), l), (map(inner), m), (enum(colour), e),
    (oneof(choice), x), (oneof(choice), y));
LEAT_STRUCT(tree, (int32, n), (list(tree), kids));
LEAT_STRUCT(report, (error, why), (error, plain));
LEAT_STRUCT(ends, (tx(inner), out), (rx(inner), in));

static struct inner two = { 2 };
static leat_error disk = { .code = LEAT_SYS, .text = { "full", 4, 0 }, .details = { (const uint8_t *)"\1\2", 2, 0 } };
static const struct { const char *name; const leat_type *t; const void *v; } all[] = {
    { "numbers", &numbers_type, &(struct numbers){ true, -2, -3, -4, -5, 200, 60000, 4000000000, UINT64_C(1) << 63, 1.5f, -0.25,
        { 1, 2, -1 } } },
    { "texts", &texts_type, &(struct texts){ { "leat", 4, 0 }, { (const uint8_t *)"\0\xff", 2, 0 }, (char[]){ "abc" }, NULL, "seven77",
        { (leat_string[]){ { "x", 1, 0 }, { "", 0, 0 } }, 2, 0 } } },
    { "times", &times_type, &(struct times){ { 1000000000, 5, -3600 }, { -7 }, { .code = LEAT_REFUSED, .text = { "no", 2, 0 } } } },
    { "errors", &report_type, &(struct report){ { .code = LEAT_REMOTE, .text = { "no luck", 7, 0 }, .node = { "n2", 2, 0 },
        .cause = &disk }, { .code = LEAT_GONE } } },
    { "nested", &nested_type, &(struct nested){ { 1 }, NULL, &two, { (struct inner[]){ { 3 }, { 4 } }, 2, 0 },
        { (struct inner_entry[]){ { { "k", 1, 0 }, { 5 } } }, 1, 0 }, blue, { .which = choice_number, .number = 6 },
        { .which = choice_none } } },
    { "tree", &tree_type, &(struct tree){ 1, { (struct tree[]){ { 2, { NULL, 0, 0 } },
        { 3, { (struct tree[]){ { 4, { NULL, 0, 0 } } }, 1, 0 } } }, 2, 0 } } },
    { "ends", &ends_type, &(struct ends){ NULL, NULL } },
};

/* The bytes of one part of one section. */
static size_t golden(const char *section, const char *part, uint8_t *to, size_t cap)
{
    char line[512], now[512] = "", in[512] = "";
    size_t n = 0;
    FILE *f = fopen(WIRE_DIR "/values.txt", "r");
    CHECK(f);
    while (fgets(line, sizeof line, f)) {
        line[strcspn(line, "|\n")] = 0;
        if (line[0] == '!' || line[0] == '#' || line[0] == '=') {
            if (line[0] == '!')
                snprintf(now, sizeof now, "%s", line + 2);
            in[0] = 0;
        } else if (strcmp(line, "form") == 0 || strcmp(line, "print") == 0 || strcmp(line, "value") == 0) {
            snprintf(in, sizeof in, "%s", line);
        } else if (strcmp(now, section) == 0 && strcmp(in, part) == 0) {
            unsigned b;
            int k;
            for (const char *s = line; sscanf(s, " %2x%n", &b, &k) == 1; s += k) {
                CHECK(n < cap);
                to[n++] = (uint8_t)b;
            }
        }
    }
    fclose(f);
    CHECK(n);
    return n;
}

static void same(const char *name, const char *what, const uint8_t *got, size_t n, const uint8_t *want, size_t k)
{
    for (size_t i = 0; i < n || i < k; i++)
        if (i >= n || i >= k || got[i] != want[i])
            t_fail("values.txt", 0, "%s: %s: %zu bytes, not %zu, or another one at %zu", name, what, n, k, i);
}

TEST(forms_and_fingerprints_are_those_of_the_page)
{
    uint8_t want[1024];
    for (size_t i = 0; i < ARRAY_LEN(all); i++) {
        struct cur form;
        struct type_print print;
        CHECK_EQ(type_form(all[i].t, &form), LEAT_OK);
        same(all[i].name, "form", form.p, cur_left(&form), want, golden(all[i].name, "form", want, sizeof want));
        CHECK_EQ(type_print(all[i].t, &print), LEAT_OK);
        same(all[i].name, "print", print.b, sizeof print.b, want, golden(all[i].name, "print", want, sizeof want));
    }
}

TEST(values_are_those_of_the_page_and_are_read_back)
{
    uint8_t want[1024];
    for (size_t i = 0; i < ARRAY_LEN(all); i++) {
        struct buf b = { 0 }, again = { 0 };
        size_t n = golden(all[i].name, "value", want, sizeof want);
        char v[512] = { 0 };
        CHECK(all[i].t->size <= sizeof v);
        CHECK_EQ(type_encode(all[i].t, all[i].v, &b, NULL), LEAT_OK);
        same(all[i].name, "value", b.p, b.len, want, n);
        struct cur in = cur_of(want, n);
        CHECK_EQ(type_decode(all[i].t, &in, v, NULL, NULL), LEAT_OK);
        CHECK(cur_done(&in));
        CHECK_EQ(type_encode(all[i].t, v, &again, NULL), LEAT_OK);
        same(all[i].name, "what was read", again.p, again.len, want, n);
        leat_drop_(all[i].t, v);
        buf_free(&b);
        buf_free(&again);
    }
}
T_MAIN()
