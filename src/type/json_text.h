/* json_text.h - the pieces of a JSON text (RFC 8259), as Go's encoding/json writes them.
 *
 * A sink takes the pieces one after the other; it remembers its own failure.  What is written is valid UTF-8 whatever comes in:
 * bytes that are not become U+FFFD, one for each. */
#ifndef TYPE_JSON_TEXT_H
#define TYPE_JSON_TEXT_H
#include "base/alloc.h"
#include "base/buf.h"

struct json_sink {
    void (*put)(void *self, const void *p, size_t n);
    void *self;
    struct buf *buf;                                 /* self, when put does no more than buf_put; else NULL */
    bool (*over)(void *self);                        /* true: nobody takes what is put any more; NULL: somebody does */
};

struct json_sink json_to_buf(struct buf *b);

/* 0x80 in each byte of x that is c; the lowest of them is right, those above it may not be.  The first byte in memory is the lowest. */
static inline uint64_t json_is_(uint64_t x, uint8_t c)
{
    x ^= c * UINT64_C(0x0101010101010101);
    return (x - UINT64_C(0x0101010101010101)) & ~x & UINT64_C(0x8080808080808080);
}

/* How many of n bytes at p, to the first that is not so, are ASCII, no control characters, neither " nor \, and, when `written`, none of
 * < > & either: they stand for themselves in a string. */
static inline size_t json_plain(const uint8_t *p, size_t n, bool written)
{
    size_t at = 0;
    for (; n - at >= 8; at += 8) {
        uint64_t x, odd;
        memcpy(&x, p + at, 8);
        x = le64(x);
        odd = ((x | (x - UINT64_C(0x2020202020202020))) & UINT64_C(0x8080808080808080)) | json_is_(x, '"') | json_is_(x, '\\');
        if (written)
            odd |= json_is_(x, '<') | json_is_(x, '>') | json_is_(x, '&');
        if (odd)
            return at + (size_t)__builtin_ctzll(odd) / 8;
    }
    for (; at < n; at++)
        if (p[at] < 0x20 || p[at] >= 0x80 || p[at] == '"' || p[at] == '\\'
            || (written && (p[at] == '<' || p[at] == '>' || p[at] == '&')))
            break;
    return at;
}

size_t json_utf8_len(const uint8_t *p, size_t n);    /* how many of n > 0 bytes the UTF-8 character at p has, or 0: it is none */
void json_put(const struct json_sink *s, const char *text);                       /* as it is */
void json_string(const struct json_sink *s, const void *p, size_t n);             /* in quotes; < > & U+2028 U+2029 escaped too */
void json_int(const struct json_sink *s, int64_t v);
void json_uint(const struct json_sink *s, uint64_t v);
void json_base64(const struct json_sink *s, const uint8_t *p, size_t n);          /* in quotes; RFC 4648 with padding */
/* The shortest digits that read back as v; exponents as in ECMAScript.  NaN and the infinities, for which JSON has no number, are the
 * strings "NaN", "+Inf" and "-Inf".  32: the shortest that read back as v as a float. */
void json_float(const struct json_sink *s, double v);
void json_float32(const struct json_sink *s, float v);
enum { JSON_FLOAT_TEXT = 40 };
size_t json_float_text(char room[JSON_FLOAT_TEXT], double v);                     /* the same without quotes and without a 0 at its end */
int json_float_digits(double v);                     /* how many digits that takes, without zeros at either end; 0 for 0 and non-numbers */
/* RFC 3339, in quotes: s seconds and ns after the start of 1970 in UTC, shown at offset_s east of it; digits of ns as needed.  Years and
 * offsets that it has not are written with the digits they need, as Go's time.Format does. */
void json_time(const struct json_sink *s, int64_t sec, uint32_t ns, int32_t offset_s);
void json_big(const struct json_sink *s, bool negative, const uint8_t *p, size_t n);  /* a number of n bytes, the highest first */
#endif
