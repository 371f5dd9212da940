/* words_test.c - the table behind wordcount. */
#include "../../examples/words.h"
#include "t.h"

static void add_all(struct words *w, const char *text)
{
    leat_string rest = leat_string_of(text), word;
    while (words_next(&rest, &word))
        CHECK(words_add(w, word, 1));
}

static void check_top(const struct words *w, const char *expected)
{
    char text[1000] = "";
    struct words_slot top[3];
    size_t n = words_top(w, 3, top);
    for (size_t i = 0; i < n; i++)
        snprintf(text + strlen(text), sizeof text - strlen(text), "%s%d %.*s", i ? ", " : "", (int)top[i].times,
            (int)top[i].text.len, top[i].text.p);
    CHECK_STR(text, expected);
}

TEST(a_word_is_a_run_of_letters_in_lower_case)
{
    struct words w = { 0 };
    add_all(&w, "Light, light; LIGHT's 2nd_ray\xc3\xa9s");
    check_top(&w, "3 light, 2 s, 1 nd");
    CHECK_EQ(w.len, 4);
    words_free(&w);
}

TEST(an_empty_text_has_no_words)
{
    struct words w = { 0 };
    leat_string word;
    uint64_t times;
    add_all(&w, "");
    add_all(&w, " 123 --- \n");
    check_top(&w, "");
    CHECK(!words_pop(&w, &word, &times));
    words_free(&w);
}

TEST(equal_counts_are_ordered_by_word)
{
    struct words w = { 0 };
    add_all(&w, "ab b a abc b z ab a abc aa");
    check_top(&w, "2 a, 2 ab, 2 abc");
    words_free(&w);
}

TEST(many_words_are_all_kept_and_all_popped)
{
    struct words w = { 0 };
    leat_string word;
    uint64_t times, sum = 0, count = 0;
    for (int i = 0; i < 20000; i++) {
        char text[8];
        for (int k = 0, v = i % 10000; k < 4; k++, v /= 10)
            text[k] = (char)('a' + v % 10);
        CHECK(words_add(&w, leat_string_view(text, 4), 3));
    }
    CHECK_EQ(w.len, 10000);
    while (words_pop(&w, &word, &times)) {
        sum += times;
        count++;
        leat_string_drop(&word);
    }
    CHECK_EQ(count, 10000);
    CHECK_EQ(sum, 60000);
    CHECK(w.at == NULL);
}

T_MAIN()
