/* words.c - a hash table with open addressing, at most half full: see words.h. */
#include "words.h"
#include <stdlib.h>
#include <string.h>

/* A letter as a small one, and 0 for what is none. */
#define TEN(c)   c, c + 1, c + 2, c + 3, c + 4, c + 5, c + 6, c + 7, c + 8, c + 9
#define LETTERS  TEN('a'), TEN('k'), 'u', 'v', 'w', 'x', 'y', 'z'
static const char letter[256] = { ['A'] = LETTERS, ['a'] = LETTERS };

static bool is_letter(char c) { return letter[(uint8_t)c]; }
static char lower(char c) { return letter[(uint8_t)c]; }           /* of a letter */

bool words_next(leat_string *rest, leat_string *ret)
{
    const char *p = rest->p, *end = rest->p + rest->len;
    while (p < end && !is_letter(*p))
        p++;
    const char *word = p;
    while (p < end && is_letter(*p))
        p++;
    *rest = leat_string_view(p, (uint32_t)(end - p));
    *ret = leat_string_view(word, (uint32_t)(p - word));
    return p > word;
}

static uint32_t hash(leat_string word)                         /* FNV-1a */
{
    uint32_t h = 2166136261u;
    for (uint32_t i = 0; i < word.len; i++)
        h = (h ^ (uint8_t)lower(word.p[i])) * 16777619u;
    return h;
}

static bool same(leat_string kept, leat_string word)
{
    if (kept.len != word.len)
        return false;
    for (uint32_t i = 0; i < word.len; i++)
        if (kept.p[i] != lower(word.p[i]))
            return false;
    return true;
}

/* The slot that holds the word, or the free one where it belongs. */
static struct words_slot *find(const struct words *w, leat_string word, uint32_t h)
{
    size_t i = h & (w->cap - 1);
    while (w->at[i].text.p && !(w->at[i].hash == h && same(w->at[i].text, word)))
        i = (i + 1) & (w->cap - 1);
    return &w->at[i];
}

static bool grow(struct words *w)
{
    struct words more = { .len = w->len, .cap = w->cap ? w->cap * 2 : 256 };
    more.at = calloc(more.cap, sizeof *more.at);
    if (!more.at)
        return false;
    for (size_t i = 0; i < w->cap; i++)
        if (w->at[i].text.p)
            *find(&more, w->at[i].text, w->at[i].hash) = w->at[i];
    free(w->at);
    *w = more;
    return true;
}

bool words_add(struct words *w, leat_string word, uint64_t times)
{
    if (w->len >= w->cap / 2 && !grow(w))
        return false;
    uint32_t h = hash(word);
    struct words_slot *s = find(w, word, h);
    if (!s->text.p) {
        char *text = malloc((size_t)word.len + 1);
        if (!text)
            return false;
        for (uint32_t i = 0; i < word.len; i++)
            text[i] = lower(word.p[i]);
        *s = (struct words_slot){ { text, word.len, true }, 0, h };
        w->len++;
    }
    s->times += times;
    return true;
}

bool words_pop(struct words *w, leat_string *ret, uint64_t *ret_times)
{
    while (w->cap > 0) {
        struct words_slot *s = &w->at[--w->cap];               /* from the end: what is taken out is never looked up again */
        if (!s->text.p)
            continue;
        *ret = s->text;
        *ret_times = s->times;
        w->len--;
        return true;
    }
    words_free(w);
    return false;
}

static int by_count(const void *x, const void *y)
{
    const struct words_slot *a = x, *b = y;
    if (a->times != b->times)
        return a->times > b->times ? -1 : 1;
    int d = memcmp(a->text.p, b->text.p, a->text.len < b->text.len ? a->text.len : b->text.len);
    return d ? d : a->text.len < b->text.len ? -1 : a->text.len > b->text.len;
}

size_t words_top(const struct words *w, size_t n, struct words_slot *ret)
{
    size_t got = 0;
    for (size_t i = 0; i < w->cap; i++) {
        if (!w->at[i].text.p || (got == n && by_count(&w->at[i], &ret[n - 1]) > 0))
            continue;
        size_t to = got < n ? got++ : n - 1;                   /* insertion: n is small */
        for (; to > 0 && by_count(&w->at[i], &ret[to - 1]) < 0; to--)
            ret[to] = ret[to - 1];
        ret[to] = w->at[i];
    }
    return got;
}

void words_free(struct words *w)
{
    for (size_t i = 0; i < w->cap; i++)
        leat_string_drop(&w->at[i].text);
    free(w->at);
    *w = (struct words){ 0 };
}
