/* json_lex.c - the pieces of a JSON text that is read.  See json_lex.h. */
#include "type/json_lex.h"
#include <langinfo.h>
#include <math.h>
#include <stdlib.h>
#include "base/limits.h"
#include "type/json_text.h"

enum { NUMBER_MOST = 800 };

bool json_lex_fail(struct json_lex *l, const char *why)
{
    if (!l->why)
        l->why = why;
    return false;
}

static bool begins(const struct json_lex *l, const char *word)
{
    size_t n = strlen(word);
    return (size_t)(l->end - l->p) >= n && memcmp(l->p, word, n) == 0;
}

enum json_token json_lex_peek(struct json_lex *l)
{
    json_lex_space(l);
    if (l->p == l->end)
        return JSON_END;
    switch (*l->p) {
    case '{': return JSON_OBJECT;
    case '[': return JSON_ARRAY;
    case '"': return JSON_STRING;
    case 't': return begins(l, "true") ? JSON_TRUE : JSON_BAD;
    case 'f': return begins(l, "false") ? JSON_FALSE : JSON_BAD;
    case 'n': return begins(l, "null") ? JSON_NULL : JSON_BAD;
    default: return *l->p == '-' || (*l->p >= '0' && *l->p <= '9') ? JSON_NUMBER : JSON_BAD;
    }
}

bool json_lex_word(struct json_lex *l)
{
    l->p += *l->p == 'f' ? 5 : 4;
    return true;
}

/* -- strings ----------------------------------------------------------------------------------------------------------------- */
static bool hex4(struct json_lex *l, uint32_t *ret)
{
    *ret = 0;
    for (int i = 0; i < 4; i++, l->p++) {
        char c = l->p < l->end ? *l->p : 0;
        uint32_t d = c >= '0' && c <= '9' ? (uint32_t)(c - '0') : (c | 32) >= 'a' && (c | 32) <= 'f' ? (uint32_t)((c | 32) - 'a' + 10) : 16;
        if (d > 15)
            return json_lex_fail(l, "\\u needs four hexadecimal digits");
        *ret = *ret << 4 | d;
    }
    return true;
}

static void put_utf8(struct buf *b, uint32_t c)
{
    static const uint8_t first[] = { 0, 0xC0, 0xE0, 0xF0 };
    int more = c < 0x80 ? 0 : c < 0x800 ? 1 : c < 0x10000 ? 2 : 3;
    buf_u8(b, (uint8_t)(first[more] | c >> 6 * more));
    while (more-- > 0)
        buf_u8(b, (uint8_t)(0x80 | (c >> 6 * more & 0x3F)));
}

static bool escaped(struct json_lex *l, struct buf *out)
{
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    const char *at = l->p < l->end && *l->p ? strchr(from, *l->p) : NULL;
    uint32_t c, low;
    if (at) {
        l->p++;
        if (out)
            buf_u8(out, (uint8_t)to[at - from]);
        return true;
    }
    if (l->p == l->end || *l->p != 'u')
        return json_lex_fail(l, "an escape that JSON does not have");
    l->p++;
    if (!hex4(l, &c))
        return false;
    if (c >= 0xD800 && c < 0xDC00 && begins(l, "\\u")) {
        l->p += 2;
        if (!hex4(l, &low))
            return false;
        if (low < 0xDC00 || low > 0xDFFF)
            return json_lex_fail(l, "half of a surrogate pair");
        c = 0x10000 + ((c - 0xD800) << 10) + (low - 0xDC00);
    } else if (c >= 0xD800 && c < 0xE000) {
        return json_lex_fail(l, "half of a surrogate pair");
    }
    if (out)
        put_utf8(out, c);
    return true;
}

/* What stands for itself, up to a quote or a backslash. */
static bool plain(struct json_lex *l, struct buf *out)
{
    const char *from = l->p;
    while (l->p < l->end && *l->p != '"' && *l->p != '\\') {
        size_t run = json_plain((const uint8_t *)l->p, (size_t)(l->end - l->p), false);
        l->p += run;
        if (run > 0)
            continue;
        size_t n = json_utf8_len((const uint8_t *)l->p, (size_t)(l->end - l->p));
        if (n == 0)
            return json_lex_fail(l, "a string that is not UTF-8");
        if ((uint8_t)*l->p < 0x20)
            return json_lex_fail(l, "a control character in a string");
        l->p += n;
    }
    if (out)
        buf_put(out, from, (size_t)(l->p - from));
    return l->p < l->end || json_lex_fail(l, "a string without its end");
}

bool json_lex_string(struct json_lex *l, struct buf *out)
{
    for (l->p++;;) {
        if (!plain(l, out))
            return false;
        if (*l->p++ == '"')
            return true;
        if (!escaped(l, out))
            return false;
    }
}

/* -- numbers ----------------------------------------------------------------------------------------------------------------- */
static size_t digits(const char *p, const char *end)
{
    const char *at = p;
    while (at < end && *at >= '0' && *at <= '9')
        at++;
    return (size_t)(at - p);
}

bool json_lex_number(struct json_lex *l, const char **at, size_t *n)
{
    const char *p = l->p;
    p += *p == '-';
    size_t whole = digits(p, l->end), more;
    if (whole == 0 || (whole > 1 && *p == '0'))
        return json_lex_fail(l, "this is no number of JSON");
    p += whole;
    if (p < l->end && *p == '.') {
        if (!(more = digits(++p, l->end)))
            return json_lex_fail(l, "a number with no digit behind its point");
        p += more;
    }
    if (p < l->end && (*p | 32) == 'e') {
        p++;
        p += p < l->end && (*p == '+' || *p == '-');
        if (!(more = digits(p, l->end)))
            return json_lex_fail(l, "a number with no digit in its exponent");
        p += more;
    }
    *at = l->p;
    *n = (size_t)(p - l->p);
    l->p = p;
    return true;
}

/* One digit more; false: it is none, or over 64 bits. */
static inline bool whole_digit(char c, uint64_t *u)
{
    return c >= '0' && c <= '9' && !__builtin_mul_overflow(*u, (uint64_t)10, u) && !__builtin_add_overflow(*u, (uint64_t)(c - '0'), u);
}

/* The digits of a whole number without point and exponent. */
static bool whole(const char *p, size_t n, uint64_t *ret)
{
    *ret = 0;
    for (size_t i = 0; i < n; i++)
        if (!whole_digit(p[i], ret))
            return false;
    return true;
}

/* What the exponent at p says: so far that no text has as many digits, at most. */
static int64_t exponent_of(const char *p, const char *end)
{
    const int64_t far = INT64_C(1) << 40;
    bool minus = p < end && *p == '-';
    int64_t e = 0;
    for (p += p < end && (*p == '-' || *p == '+'); p < end && e < far; p++)
        e = e * 10 + (*p - '0');
    return minus ? -e : e;
}

/* 1.0, 1e3 and 12.5e1, too: all digits, times ten as often as it says; where that is below 0, as many digits less, which must be 0. */
static bool exact(const char *p, size_t n, uint64_t *ret)
{
    const char *end = p + n, *at = p;
    size_t digits = 0, behind = 0, zeros = 0;        /* of them, behind the point; and zeros at the end */
    bool point = false;
    if (whole(p, n, ret))
        return true;
    for (; at < end && (*at | 32) != 'e'; at++) {
        point |= *at == '.';
        digits += *at != '.';
        behind += point && *at != '.';
        zeros = *at == '0' ? zeros + 1 : *at == '.' ? zeros : 0;
    }
    *ret = 0;
    if (zeros == digits)
        return true;
    int64_t shift = exponent_of(at + (at < end), end) - (int64_t)behind;
    if (shift < 0 && (uint64_t)-shift > zeros)
        return false;
    for (size_t left = shift < 0 ? digits - (size_t)-shift : digits; left > 0; p++)
        if (*p != '.') {
            left--;
            if (!whole_digit(*p, ret))
                return false;
        }
    for (; shift > 0; shift--)
        if (!whole_digit('0', ret))
            return false;
    return true;
}

bool json_number_int(const char *p, size_t n, int64_t *ret)
{
    bool negative = *p == '-';
    uint64_t u;
    if (!exact(p + negative, n - negative, &u))
        return false;
    *ret = negative ? (int64_t)-u : (int64_t)u;
    return u <= (uint64_t)INT64_MAX + negative;
}

bool json_number_uint(const char *p, size_t n, uint64_t *ret)
{
    bool negative = *p == '-';                       /* -0 is one */
    return exact(p + negative, n - negative, ret) && !(negative && *ret);
}

/* A number of at most 15 digits that count, times or divided by at most 10^22: all of it is exact, so one rounding is the right one.
 * Source: W. Clinger, "How to read floating point numbers accurately", 1990.  false: it is not such a number. */
static bool few_digits(const char *p, size_t n, double *ret)
{
    static const double power[] = { 1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18,
        1e19, 1e20, 1e21, 1e22 };
    const char *end = p + n;
    bool negative = p < end && *p == '-';
    uint64_t u = 0;
    int count = 0, behind = 0;
    p += negative;
    for (; p < end && *p != '.'; p++) {
        if (*p < '0' || *p > '9')
            return false;
        u = u * 10 + (uint64_t)(*p - '0');
        count += u > 0;
        if (count > 15)
            return false;
    }
    for (p += p < end; p < end; p++) {
        if (*p < '0' || *p > '9')
            return false;
        u = u * 10 + (uint64_t)(*p - '0');
        count += u > 0;
        if (count > 15 || ++behind >= (int)ARRAY_LEN(power))
            return false;
    }
    *ret = (double)u / power[behind];
    if (negative)
        *ret = -*ret;
    return true;
}

bool json_number_float(const char *p, size_t n, double *ret)
{
    if (few_digits(p, n, ret))
        return true;
    char room[NUMBER_MOST + 1], *point;
    if (n > NUMBER_MOST)
        return false;
    memcpy(room, p, n);
    room[n] = 0;
    if ((point = strchr(room, '.')))                 /* strtod takes the mark of the program's locale */
        *point = *nl_langinfo(RADIXCHAR);
    *ret = strtod(room, NULL);
    return isfinite(*ret);
}

/* -- the rest ---------------------------------------------------------------------------------------------------------------- */
static int digit64(uint8_t c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

bool json_base64_in(uint8_t *p, size_t n, size_t *ret)
{
    uint8_t *to = p;
    uint32_t bits = 0;
    for (int pad = 0; pad < 2 && n > 0 && n % 4 == (size_t)(pad ? 3 : 0) && p[n - 1] == '='; pad++)
        n--;
    if (n % 4 == 1)
        return false;
    for (size_t i = 0; i < n; i++) {
        int d = digit64(p[i]);
        if (d < 0)
            return false;
        bits = bits << 6 | (uint32_t)d;
        if (i % 4)
            *to++ = (uint8_t)(bits >> (6 - 2 * (i % 4)));
    }
    *ret = (size_t)(to - p);
    return true;
}

static bool key(struct json_lex *l)
{
    if (json_lex_peek(l) != JSON_STRING)
        return json_lex_fail(l, "a key is a string");
    return json_lex_string(l, NULL) && (json_lex_eat(l, ':') || json_lex_fail(l, "a key is followed by :"));
}

static bool scalar(struct json_lex *l, enum json_token t)
{
    const char *at;
    size_t n;
    switch (t) {
    case JSON_STRING: return json_lex_string(l, NULL);
    case JSON_NUMBER: return json_lex_number(l, &at, &n);
    case JSON_TRUE: case JSON_FALSE: case JSON_NULL: return json_lex_word(l);
    default: return json_lex_fail(l, t == JSON_END ? "cut short" : "this is no JSON value");
    }
}

bool json_lex_skip(struct json_lex *l)
{
    char close[LIMIT_VALUE_DEPTH];
    uint32_t depth = 0;
    for (;;) {
        enum json_token t = json_lex_peek(l);
        bool opens = t == JSON_OBJECT || t == JSON_ARRAY;
        if (opens && depth == LIMIT_VALUE_DEPTH)
            return json_lex_fail(l, "values too deep inside each other");
        if (opens) {
            close[depth++] = t == JSON_OBJECT ? '}' : ']';
            l->p++;
        } else if (!scalar(l, t)) {
            return false;
        }
        bool next = opens && !json_lex_eat(l, close[depth - 1]);
        for (depth -= opens && !next; !next && depth > 0; )
            if (json_lex_eat(l, ','))
                next = true;
            else if (json_lex_eat(l, close[depth - 1]))
                depth--;
            else
                return json_lex_fail(l, close[depth - 1] == '}' ? "an object goes on with , or ends with }" :
                    "an array goes on with , or ends with ]");
        if (!next)
            return true;
        if (close[depth - 1] == '}' && !key(l))
            return false;
    }
}
