/* json_text.c - the pieces of a JSON text. */
#include "type/json_text.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include "base/limits.h"

static void put_buf(void *self, const void *p, size_t n) { buf_put(self, p, n); }
struct json_sink json_to_buf(struct buf *b) { return (struct json_sink){ .put = put_buf, .self = b, .buf = b }; }

static inline void put(const struct json_sink *s, const void *p, size_t n)
{
    if (likely(s->buf != NULL)) {
        uint8_t *to = buf_add(s->buf, n);
        if (to)
            copy_short(to, p, n);
    } else if (n) {
        s->put(s->self, p, n);
    }
}

void json_put(const struct json_sink *s, const char *text) { put(s, text, strlen(text)); }

/* How many bytes the UTF-8 character at p has, or 0: it is none.  Refuses what is longer than need be, surrogates and over 10FFFF. */
size_t json_utf8_len(const uint8_t *p, size_t n)
{
    static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
    if (p[0] < 0x80)
        return 1;
    size_t len = p[0] >= 0xF0 ? 4 : p[0] >= 0xE0 ? 3 : 2;
    if (p[0] < 0xC2 || p[0] > 0xF4 || len > n)
        return 0;
    uint32_t c = p[0] & (0xFFu >> (len + 1));
    for (size_t i = 1; i < len; i++) {
        if ((p[i] & 0xC0) != 0x80)
            return 0;
        c = c << 6 | (p[i] & 0x3F);
    }
    return c < least[len] || c > 0x10FFFF || (c >= 0xD800 && c < 0xE000) ? 0 : len;
}

/* What stands for the character of len bytes at p (0: a byte that is none), or NULL: it stands for itself. */
static const char *escape(const uint8_t *p, size_t len, char room[8])
{
    if (len == 0)
        return "\\ufffd";
    if (len == 3)
        return p[0] == 0xE2 && p[1] == 0x80 && (p[2] & 0xFE) == 0xA8 ? p[2] == 0xA8 ? "\\u2028" : "\\u2029" : NULL;
    switch (p[0]) {
    case '"': return "\\\"";
    case '\\': return "\\\\";
    case '\b': return "\\b";
    case '\f': return "\\f";
    case '\n': return "\\n";
    case '\r': return "\\r";
    case '\t': return "\\t";
    case '<': return "\\u003c";
    case '>': return "\\u003e";
    case '&': return "\\u0026";
    }
    if (p[0] >= 0x20)
        return NULL;
    snprintf(room, 8, "\\u%04x", p[0]);
    return room;
}

void json_string(const struct json_sink *s, const void *bytes, size_t n)
{
    const uint8_t *p = bytes;
    char room[32];                                   /* 7 are used; some compilers are afraid for the moves of a longer copy */
    size_t from = 0, at = 0;                         /* from: what has not been put yet starts here */
    put(s, "\"", 1);
    while (at < n && (at += json_plain(p + at, n - at, true)) < n) {
        size_t len = json_utf8_len(p + at, n - at);
        const char *instead = escape(p + at, len, room);
        if (instead) {
            put(s, p + from, at - from);
            json_put(s, instead);
            from = at + (len ? len : 1);
        }
        at += len ? len : 1;
    }
    if (n)
        put(s, p + from, n - from);
    put(s, "\"", 1);
}

void json_uint(const struct json_sink *s, uint64_t v)
{
    char room[20], *p = room + sizeof room;
    do
        *--p = (char)('0' + v % 10);
    while (v /= 10);
    put(s, p, (size_t)(room + sizeof room - p));
}

void json_int(const struct json_sink *s, int64_t v)
{
    if (v < 0)
        put(s, "-", 1);
    json_uint(s, v < 0 ? -(uint64_t)v : (uint64_t)v);
}

void json_base64(const struct json_sink *s, const uint8_t *p, size_t n)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    char room[256];
    size_t len = 0;
    put(s, "\"", 1);
    for (size_t i = 0; i < n; i += 3) {
        uint32_t v = (uint32_t)p[i] << 16 | (i + 1 < n ? (uint32_t)p[i + 1] << 8 : 0) | (i + 2 < n ? p[i + 2] : 0);
        room[len++] = digits[v >> 18];
        room[len++] = digits[v >> 12 & 63];
        room[len++] = i + 1 < n ? digits[v >> 6 & 63] : '=';
        room[len++] = i + 2 < n ? digits[v & 63] : '=';
        if (len == sizeof room) {
            put(s, room, len);
            len = 0;
        }
    }
    put(s, room, len);
    put(s, "\"", 1);
}

/* == Floats ============================================================================================================== */

struct decimal { char digits[20]; int n, exp; };     /* 0.d1d2...dn times 10 to the exp, without zeros at the end; n >= 1 */

/* Of what %e has made, whatever the decimal point of the locale is. */
static void take_digits(const char *p, struct decimal *d)
{
    d->n = 0;
    for (; *p && *p != 'e'; p++)
        if (*p >= '0' && *p <= '9')
            d->digits[d->n++] = *p;
    d->exp = (int)strtol(p + 1, NULL, 10) + 1;
    while (d->n > 1 && d->digits[d->n - 1] == '0')
        d->n--;
}

static bool reads_back(double v, int digits, bool narrow, char text[40])
{
    snprintf(text, 40, "%.*e", digits - 1, v);
    return narrow ? strtof(text, NULL) == (float)v : strtod(text, NULL) == v;
}

/* Below a power of two the next number is half as far away as above it: there the nearest decimal of so many digits may be too low to be
 * read as it, and the next one up may be near enough.  That one is `text` then. */
static bool next_up(double v, int digits, bool narrow, char text[40])
{
    int exp;
    if ((narrow ? (double)frexpf((float)v, &exp) : frexp(v, &exp)) != 0.5)
        return false;
    snprintf(text, 40, "%.*e", digits - 1, v);
    char *p = strchr(text, 'e');
    for (p--; p > text && !(*p >= '0' && *p < '9'); p--)
        *p = *p == '9' ? '0' : *p;
    if (*p == '9')
        return false;
    ++*p;
    return narrow ? strtof(text, NULL) == (float)v : strtod(text, NULL) == v;
}

/* v > 0, as d / 10^k with the least k, where d has at most 15 digits and k is at most 15: both are exact, so if their quotient is v, that
 * is how the decimal is read, and no other of so few digits is.  false: it is not such a number.  Source: W. Clinger, "How to read floating
 * point numbers accurately", 1990, for what can be read so. */
static bool few_digits(double v, struct decimal *d)
{
    static const double power[] = { 1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15 };
    char room[20];
    int n = 0, k = 0;
    if (v >= 1e15 || v < 1e-5)
        return false;
    for (; k < (int)ARRAY_LEN(power); k++) {
        double scaled = v * power[k];
        if (scaled >= 1e15)
            return false;
        if ((double)(uint64_t)(scaled + 0.5) / power[k] == v)
            break;
    }
    if (k == (int)ARRAY_LEN(power))
        return false;
    uint64_t digits = (uint64_t)(v * power[k] + 0.5);
    for (uint64_t u = digits; u; u /= 10)
        room[n++] = (char)('0' + u % 10);
    for (int i = 0; i < n; i++)
        d->digits[i] = room[n - 1 - i];
    d->n = n;
    d->exp = n - k;
    while (d->n > 1 && d->digits[d->n - 1] == '0')
        d->n--;
    return true;
}

/* v > 0.  A decimal of at most 15 digits (6 for a float) survives the way there and back, so the shortest is not missed by starting
 * there, but for numbers below the normal ones, which have fewer bits. */
static void shortest(double v, bool narrow, struct decimal *d)
{
    if (!narrow && few_digits(v, d))
        return;
    char text[40];
    int most = narrow ? 9 : 17, from = v < (narrow ? 1.17549435e-38 : 2.2250738585072014e-308) ? 1 : narrow ? 6 : 15;
    while (!reads_back(v, from, narrow, text) && !next_up(v, from, narrow, text) && from < most)
        from++;
    take_digits(text, d);
}

static char *zeros(char *to, int n)
{
    for (; n > 0; n--)
        *to++ = '0';
    return to;
}

static char *digits(char *to, const struct decimal *d, int from, int n)
{
    memcpy(to, d->digits + from, (size_t)n);
    return to + n;
}

static char *decimal_text(char *to, const struct decimal *d)
{
    if (d->exp < -5 || d->exp > 21) {                /* below 1e-6, or from 1e21 on */
        to = digits(to, d, 0, 1);
        if (d->n > 1) {
            *to++ = '.';
            to = digits(to, d, 1, d->n - 1);
        }
        return to + sprintf(to, "e%+d", d->exp - 1);
    }
    if (d->exp <= 0) {
        memcpy(to, "0.", 2);
        return digits(zeros(to + 2, -d->exp), d, 0, d->n);
    }
    int whole = d->n < d->exp ? d->n : d->exp;
    to = zeros(digits(to, d, 0, whole), d->exp - whole);
    if (d->n > whole) {
        *to++ = '.';
        to = digits(to, d, whole, d->n - whole);
    }
    return to;
}

static size_t float_text(char *room, double v, bool narrow)
{
    struct decimal d;
    char *to = room;
    if (isnan(v) || isinf(v)) {
        const char *name = isnan(v) ? "NaN" : v > 0 ? "+Inf" : "-Inf";
        memcpy(room, name, strlen(name));
        return strlen(name);
    }
    if (signbit(v))
        *to++ = '-';
    if (v == 0) {
        *to++ = '0';
        return (size_t)(to - room);
    }
    shortest(fabs(v), narrow, &d);
    return (size_t)(decimal_text(to, &d) - room);
}

size_t json_float_text(char room[JSON_FLOAT_TEXT], double v) { return float_text(room, v, false); }

int json_float_digits(double v)
{
    struct decimal d;
    if (isnan(v) || isinf(v) || v == 0)
        return 0;
    shortest(fabs(v), false, &d);
    return d.n;
}

static void put_float(const struct json_sink *s, double v, bool narrow)
{
    char room[JSON_FLOAT_TEXT];
    size_t n = float_text(room, v, narrow);
    if (isfinite(v))
        put(s, room, n);
    else
        json_string(s, room, n);
}

void json_float(const struct json_sink *s, double v) { put_float(s, v, false); }
void json_float32(const struct json_sink *s, float v) { put_float(s, (double)v, true); }

/* == Times =============================================================================================================== */

struct civil { int64_t year; uint32_t month, day; };

/* Days since 1970-01-01 to a date.  Source: H. Hinnant, "chrono-compatible low-level date algorithms", civil_from_days. */
static struct civil civil_of(int64_t days)
{
    int64_t z = days + 719468, era = (z >= 0 ? z : z - 146096) / 146097;
    uint32_t doe = (uint32_t)(z - era * 146097), yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    uint32_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100), mp = (5 * doy + 2) / 153, month = mp < 10 ? mp + 3 : mp - 9;
    return (struct civil){ (int64_t)yoe + era * 400 + (month <= 2), month, doy - (153 * mp + 2) / 5 + 1 };
}

static char *two(char *to, uint32_t v)               /* below 100 */
{
    to[0] = (char)('0' + v / 10);
    to[1] = (char)('0' + v % 10);
    return to + 2;
}

static char *mark(char *to, char c)
{
    *to = c;
    return to + 1;
}

void json_time(const struct json_sink *s, int64_t sec, uint32_t ns, int32_t offset_s)
{
    enum { DAY = 86400 };
    char text[80];
    int64_t shown, days, rest;
    if (__builtin_add_overflow(sec, offset_s, &shown))
        shown = sec;                                 /* some 292 billion years from now the zone does not matter */
    days = shown / DAY - (shown % DAY < 0);
    rest = shown - days * DAY;
    struct civil c = civil_of(days);
    char *to = text;
    *to++ = '"';
    if (c.year >= 0 && c.year <= 9999)
        to = two(two(to, (uint32_t)c.year / 100), (uint32_t)c.year % 100);
    else
        to += sprintf(to, "%s%04lld", c.year < 0 ? "-" : "", (long long)(c.year < 0 ? -c.year : c.year));
    to = two(mark(to, '-'), c.month);
    to = two(mark(to, '-'), c.day);
    to = two(mark(to, 'T'), (uint32_t)(rest / 3600));
    to = two(mark(to, ':'), (uint32_t)(rest / 60 % 60));
    to = two(mark(to, ':'), (uint32_t)(rest % 60));
    if (ns) {
        *to++ = '.';
        for (uint32_t i = 100000000; i > 0; i /= 10)
            *to++ = (char)('0' + ns / i % 10);
        while (to[-1] == '0')
            to--;
    }
    uint32_t east = (uint32_t)(offset_s < 0 ? -(int64_t)offset_s : offset_s) / 60;
    if (offset_s == 0)
        *to++ = 'Z';
    else if (east < 6000)
        to = two(mark(two(mark(to, offset_s < 0 ? '-' : '+'), east / 60), ':'), east % 60);
    else
        to += sprintf(to, "%c%u:%02u", offset_s < 0 ? '-' : '+', east / 60, east % 60);
    *to++ = '"';
    put(s, text, (size_t)(to - text));
}

/* == Numbers of any length =============================================================================================== */

/* Divides by 10^9 until nothing is left: the work grows with the square of n, so what is over LIMIT_JSON_BIG is put in base 64. */
void json_big(const struct json_sink *s, bool negative, const uint8_t *p, size_t n)
{
    enum { WORDS = LIMIT_JSON_BIG / 4 };
    uint32_t words[WORDS], parts[WORDS * 32 / 29 + 2];      /* 10^9 is over 2^29 */
    size_t nwords = (n + 3) / 4, nparts = 0;
    if (nwords > WORDS) {
        json_base64(s, p, n);
        return;
    }
    for (size_t i = 0; i < nwords; i++)              /* the highest word first */
        words[i] = 0;
    for (size_t i = 0; i < n; i++)
        words[nwords - 1 - (n - 1 - i) / 4] |= (uint32_t)p[i] << 8 * ((n - 1 - i) % 4);
    for (size_t first = 0; first < nwords;) {
        uint64_t rest = 0;
        if (words[first] == 0) {
            first++;
            continue;
        }
        for (size_t i = first; i < nwords; i++) {
            rest = rest << 32 | words[i];
            words[i] = (uint32_t)(rest / 1000000000);
            rest %= 1000000000;
        }
        parts[nparts++] = (uint32_t)rest;
    }
    if (negative && nparts)
        put(s, "-", 1);
    json_uint(s, nparts ? parts[nparts - 1] : 0);
    for (size_t i = nparts; i-- > 1;) {
        char text[10];
        snprintf(text, sizeof text, "%09u", parts[i - 1]);
        put(s, text, 9);
    }
}
