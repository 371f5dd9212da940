/* mutate.c - damage, the same for the same random numbers.
 *
 * Half of it is done to one message of those that the bytes are cut into, or to one word of a text, so that what is around it still means
 * what it did: a message's length is set right again. */
#include <string.h>
#include "base/rng.h"
#include "fuzz.h"

/* n more bytes (or fewer) at `at`, for len that were there. */
static size_t splice(uint8_t *p, size_t n, size_t max, size_t at, size_t len, const uint8_t *by, size_t by_n)
{
    if (n - len + by_n > max)
        return n;
    memmove(p + at + by_n, p + at + len, n - at - len);
    if (by_n)
        memcpy(p + at, by, by_n);
    return n - len + by_n;
}

static size_t damage(struct rng *r, uint8_t *p, size_t n, size_t max, const uint8_t *other, size_t other_n)
{
    static const uint8_t good[] = { 0, 1, 2, 3, 0x7f, 0x80, 0x81, 0xc0, 0xfe, 0xff };
    uint8_t some[16];
    size_t at = n ? rng_below(r, (uint32_t)n) : 0, k, from;
    switch (rng_below(r, 9)) {
    case 0: if (n) p[at] ^= (uint8_t)(1 << rng_below(r, 8)); break;
    case 1: if (n) p[at] = (uint8_t)rng_next(r); break;
    case 2: if (n) p[at] = good[rng_below(r, sizeof good)]; break;
    case 3:                                          /* cut out */
        k = MIN(n - at, (size_t)1 + rng_below(r, 8));
        return splice(p, n, max, at, k, NULL, 0);
    case 4: return at;                               /* cut short */
    case 5: case 6:                                  /* put in: something new, or some of what there is */
        k = 1 + rng_below(r, sizeof some);
        from = n > k ? rng_below(r, (uint32_t)(n - k)) : 0;
        for (size_t i = 0; i < k; i++)
            some[i] = rng_below(r, 2) && n > k ? p[from + i] : good[rng_below(r, sizeof good)];
        return splice(p, n, max, at, 0, some, k);
    case 7:                                          /* a few bytes over as many */
        for (k = 1 + rng_below(r, 8); k && at < n; k--)
            p[at++] = rng_below(r, 2) ? good[rng_below(r, sizeof good)] : (uint8_t)rng_next(r);
        break;
    default:                                         /* one's head, another's tail */
        from = other_n ? rng_below(r, (uint32_t)other_n) : 0;
        k = MIN(other_n - from, max - at);
        if (k)
            memcpy(p + at, other + from, k);
        return at + k;
    }
    return n;
}

/* -- messages ------------------------------------------------------------------------------------------------------------------------- */
/* How many bytes say how many bytes follow, as a gob or a varint; 0: they do not. */
static size_t length_at(int cut, const uint8_t *p, size_t n, size_t *len)
{
    struct cur c = cur_of(p, n);
    uint64_t v = 0;
    if (cut == CUT_VARINT) {
        v = cur_varint(&c);
    } else {
        uint8_t first = cur_u8(&c);
        v = first;
        if (first >= 128)
            for (v = 0; first && first != 128 && v >> 56 == 0; first++)
                v = v << 8 | cur_u8(&c);
    }
    *len = (size_t)MIN(v, (uint64_t)cur_left(&c));
    return c.bad || v > cur_left(&c) ? 0 : (size_t)(c.p - p);
}

static size_t put_length(int cut, uint8_t *to, size_t len)
{
    struct buf b = { 0 };
    if (cut == CUT_VARINT) {
        buf_varint(&b, len);
    } else if (len < 128) {
        buf_u8(&b, (uint8_t)len);
    } else {
        buf_u8(&b, len < 256 ? 0xff : 0xfe);
        if (len >= 256)
            buf_u8(&b, (uint8_t)(len >> 8));
        buf_u8(&b, (uint8_t)len);
    }
    size_t n = b.len;
    memcpy(to, b.p, n);
    buf_free(&b);
    return n;
}

/* A number in more bytes than it needs; a type of Go's for another of those without parts; a time of another version. */
static size_t damage_gob(struct rng *r, uint8_t *p, size_t n, size_t max)
{
    size_t at = n ? rng_below(r, (uint32_t)n) : 0;
    uint32_t what = rng_below(r, 3);
    for (; at + 2 < n; at++) {
        if (what == 0 && p[at] < 128)
            return splice(p, n, max, at, 0, (const uint8_t *)"\xff", 1);
        if (what == 1 && p[at] >= 2 && p[at] <= 16 && p[at] % 2 == 0) {
            p[at] = (uint8_t)(2 + 2 * rng_below(r, 8));
            break;
        }
        if (what == 2 && (p[at] == 15 || p[at] == 16) && p[at + 1] == p[at] - 14) {
            size_t k = MIN(at + (rng_below(r, 2) ? rng_below(r, 2) : rng_below(r, 12)), n - 1);
            p[k] = (uint8_t)(k == at + 1 ? 1 + rng_below(r, 3) : k == at ? 14 + rng_below(r, 4) : rng_below(r, 256));
            break;
        }
    }
    return n;
}

static size_t damage_message(const struct fuzz_target *t, struct rng *r, uint8_t *p, size_t n, size_t max, const uint8_t *other,
    size_t other_n)
{
    size_t at = MIN((size_t)t->head, n), len = 0, head;
    uint32_t skip = rng_below(r, 2) ? rng_below(r, 6) : UINT32_MAX;
    for (; (head = length_at(t->cut, p + at, n - at, &len)) > 0; at += head + len)
        if (skip-- == 0 || at + head + len == n)
            break;
    if (head == 0 || max > 60000)
        return damage(r, p, n, max, other, other_n);
    uint8_t *body = malloc(max + FUZZ_ROOM), *all = malloc(max + FUZZ_ROOM + 4);
    FUZZ_CHECK(body && all);
    memcpy(body, p + at + head, len);
    size_t now = t->cut == CUT_GOB && rng_below(r, 2) ? damage_gob(r, body, len, max) : damage(r, body, len, max, other, other_n),
        put = put_length(t->cut, all, now);
    memcpy(all + put, body, now);
    n = splice(p, n, max, at, head + len, all, put + now);
    free(body);
    free(all);
    return n;
}

/* -- words of JSON ----------------------------------------------------------------------------------------------------------- */
static const char *const words[] = { "null", "true", "false", "{}", "[]", "[[]]", "{\"\":0}", "\"\"", "\"1\"", "\"-7\"",
    "\"18446744073709551615\"", "\"x\\u0000y\"", "\"\\ud83d\\ude00\"", "\"\\ud83dx\"", "\"\\ud83d\\u0041\"", "\"\\udc00\"",
    "\"\\u00e4\\b\\f\\n\\r\\t\\/\\\\\\\"\"", "\"\\x\"", "\"\\u12g4\"", "\"\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80\"", "\"\xff\"",
    "\"\xed\xa0\x80\"", "\"AAECAw==\"", "\"AAEC\"", "\"AA=\"", "\"A\"", "\"AA\"", "\"AB\"", "\"A+/9\"", "\"A-_9\"", "\"red\"",
    "\"minus\"", "\"green\"", "\"TYPE\"",
    "{\"code\":\"TYPE\",\"text\":\"x\",\"node\":\"n\",\"details\":\"d\",\"cause\":{\"code\":8,\"text\":\"y\"}}",
    "{\"code\":\"GONE\",\"cause\":{\"code\":\"LIMIT\",\"cause\":null}}", "{\"code\":\"NONE\",\"what\":[1,{\"a\":2}]}", "{\"code\":99}",
    "{\"node\":\"a\",\"node\":\"b\",\"details\":\"\",\"details\":\"e\",\"text\":\"a\",\"text\":\"b\"}", "{\"red\":1}",
    "{\"words\":\"x\"}", "{\"words\":\"x\",\"tiny\":1}", "{\"tiny\":1}", "{\"circle\":{\"r\":1}}", "{\"square\":null}", "{\"none\":1}",
    "[1,2,3,4,5]", "[1,2,3,4,5,6]", "[0,0,0,0]", "[1,2,3,4,70000]", "[{\"x\":1,\"y\":2},{\"x\":3}]", "[null,null]",
    "[{\"x\":1,\"y\":2} ,{\"y\":3,\"x\":4}]", "[{\"x\":1,\"y\":2},3]", "{\"a\":{\"side\":1,\"label\":\"l\"}}", "[\"a\",\"b\"]",
    "[1.5,2]", "[1,-2,3]", "\"12s\"", "\"name\":", "\"points\":", "\"when\":", "\"failed\":", "\"tree\":", "\"kids\":[{},{}]",
    "\"numbers\":", " ", "\n\t ", ",", ":", "]", "}", "[", "{", "\"", "cccccccccccccccccccccccccccccccccccccccc",
    "\"cccccccccccccccccccccccccccccccc\"", "\"ccccccccccccccccccccccccccccccc\"", "\"text\":\"t\",", "\"node\":\"n\",",
    "\"details\":\"d\",", "\"cause\":{\"code\":1},", "\"code\":1,",
    "{\"code\":1,\"node\":\"a\",\"node\":\"b\",\"details\":\"c\",\"details\":\"d\"}",
    "{\"text\":\"e\",\"text\":\"f\",\"cause\":{\"code\":2},\"cause\":{\"code\":3}}" };
static const char *const numbers[] = { "0", "-0", "1", "-1", "127", "128", "-129", "255", "256", "65536", "2147483648", "4294967296",
    "9223372036854775807", "9223372036854775808", "-9223372036854775808", "-9223372036854775809", "18446744073709551615",
    "18446744073709551616", "99999999999999999999999", "0.5", "1.5e3", "1e400", "-1e400", "3.5e38", "1e39", "1e-400",
    "1.7976931348623157e308", "0.1234567890123456789", "12345678901234567", "01", "1.", ".5", "1e", "1e+", "+1", "1e39", "1e400",
    "123456789012345678901", "0.12345678901234567890123", "-1.5e-30" };
static const char *const dates[] = { "\"2026-11-27T08:00:00Z\"", "\"2026-11-27t08:00:00.5z\"", "\"2000-02-29T23:59:59.123456789Z\"",
    "\"1900-02-29T00:00:00Z\"", "\"2024-02-29T00:00:00.1234567890123+01:30\"", "\"0000-01-01T00:00:00-23:59\"",
    "\"9999-12-31T23:59:60Z\"", "\"2026-13-01T00:00:00Z\"", "\"2026-00-01T00:00:00Z\"", "\"2026-04-31T00:00:00Z\"",
    "\"2026-04-00T00:00:00Z\"", "\"2026-04-01T24:00:00Z\"", "\"2026-04-01T00:60:00Z\"", "\"2026-04-01T00:00:00+24:00\"",
    "\"2026-04-01T00:00:00+00:60\"", "\"2026-04-01T00:00:00.Z\"", "\"2026-04-01 00:00:00Z\"", "\"2026-04-01T00:00:00.12345678\"",
    "\"2026-04-01T00:00:00.12345678-01:00\"", "\"2026-04-01T00:00:00*01:00\"", "\"2026-04-01T00:00:00+01.00\"",
    "\"2026-04-01T00:00:00+0100\"", "\"2026-04-01T00:00:00+1a:00\"", "\"2026-4-01T00:00:00Z\"", "\"2026-04-01T0x:00:00Z\"",
    "\"2026-04-01T00:0x:00Z\"", "\"2000-02-29T00:00:00Z\"", "\"2100-02-29T00:00:00Z\"", "\"2023-02-29T00:00:00Z\"",
    "\"2026-11-27T00:00:00.123\"" };

static bool in_word(uint8_t c) { return c > ' ' && c != ',' && c != ':' && c != '[' && c != ']' && c != '{' && c != '}' && c != '"'; }

/* Where the word begins that lies at or behind `at`, and its length: a string with its quotes, a number, a name, or a sign. */
static size_t word_at(const uint8_t *p, size_t n, size_t *at)
{
    while (*at < n && p[*at] <= ' ')
        ++*at;
    size_t end = *at;
    if (end < n && p[end] == '"') {
        for (end++; end < n && p[end] != '"'; end++)
            end += p[end] == '\\' && end + 1 < n;
        return MIN(end + 1, n) - *at;
    }
    while (end < n && in_word(p[end]))
        end++;
    return end > *at ? end - *at : *at < n;
}

/* What begins at `at` and ends with it: a word, or all between brackets; with what is behind it as far as the next comma. */
static size_t whole_at(const uint8_t *p, size_t n, size_t at)
{
    size_t to = at, k;
    int depth = 0;
    while ((k = word_at(p, n, &to)) > 0 && !(depth == 0 && (p[to] == ',' || p[to] == ']' || p[to] == '}'))) {
        depth += (p[to] == '{' || p[to] == '[') - (p[to] == '}' || p[to] == ']');
        to += k;
    }
    return to - at;
}

/* A member or an element once more, or another thing in the place of a whole one. */
static size_t twice(uint8_t *p, size_t n, size_t max, size_t at)
{
    uint8_t room[256];
    size_t k = whole_at(p, n, at);
    if (k == 0 || k >= sizeof room)
        return n;
    memcpy(room, p + at, k);
    room[k] = ',';
    return splice(p, n, max, at, 0, room, k + 1);
}

static size_t damage_words(const struct fuzz_target *t, struct rng *r, uint8_t *p, size_t n, size_t max)
{
    size_t count = 0, at, k, pick;
    for (at = MIN((size_t)t->head, n); (k = word_at(p, n, &at)) > 0; at += k)
        count++;
    if (count == 0)
        return n;
    pick = rng_below(r, (uint32_t)count);
    at = MIN((size_t)t->head, n);
    for (k = word_at(p, n, &at); pick; pick--) {
        at += k;
        k = word_at(p, n, &at);
    }
    uint32_t any = rng_below(r, 1000);
    bool number = (p[at] >= '0' && p[at] <= '9') || p[at] == '-', date = k > 19 && p[at] == '"' && p[at + 5] == '-';
    const char *w = number && any % 4 ? numbers[any % ARRAY_LEN(numbers)] : date && any % 4 ? dates[any % ARRAY_LEN(dates)]
        : any % 2 ? words[any / 2 % ARRAY_LEN(words)] : any % 4 ? numbers[any / 4 % ARRAY_LEN(numbers)] : dates[any / 4 % ARRAY_LEN(dates)];
    switch (rng_below(r, 9)) {
    case 0: return splice(p, n, max, at, k, NULL, 0);
    case 8: return twice(p, n, max, at);
    case 1: return splice(p, n, max, at, 0, (const uint8_t *)w, strlen(w));
    case 2: return splice(p, n, max, at, 0, (const uint8_t *)" ", 1);
    case 3: case 4:                                  /* a letter of it */
        p[at + rng_below(r, (uint32_t)k)] = (uint8_t)"0123456789abzZTt:-+.eE/\"\\ "[rng_below(r, 27)];
        return n;
    case 7:
        if (p[at] == '{' || p[at] == '[')            /* a whole value for another */
            return splice(p, n, max, at, whole_at(p, n, at), (const uint8_t *)w, strlen(w));
        /* fallthrough */
    default:                                         /* a value for a value: what is only a sign stays */
        return k == 1 && !in_word(p[at]) ? splice(p, n, max, at + 1, 0, (const uint8_t *)"\n", rng_below(r, 2))
                                         : splice(p, n, max, at, k, (const uint8_t *)w, strlen(w));
    }
}

size_t fuzz_mutate(const struct fuzz_target *t, struct rng *r, uint8_t *p, size_t n, size_t max, const uint8_t *other, size_t other_n)
{
    if (t->cut == CUT_NOT || rng_below(r, 3) == 0)
        return damage(r, p, n, max, other, other_n);
    if (t->cut == CUT_WORDS)
        return damage_words(t, r, p, n, max);
    return damage_message(t, r, p, n, max, other, other_n);
}
