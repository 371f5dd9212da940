/* json_lex.h - the pieces of a JSON text (RFC 8259) that is read.  Texts are those of I-JSON (RFC 7493): UTF-8, no lone surrogates.
 *
 * A lexer stands before a value, a key or a mark of a text that need not end with NUL.  What fails says why, once, and stays there. */
#ifndef TYPE_JSON_LEX_H
#define TYPE_JSON_LEX_H
#include "type/json_text.h"

enum json_token { JSON_BAD, JSON_END, JSON_OBJECT, JSON_ARRAY, JSON_STRING, JSON_NUMBER, JSON_TRUE, JSON_FALSE, JSON_NULL };

struct json_lex { const char *from, *p, *end, *why; };               /* why: NULL, or what is wrong at p */

static inline struct json_lex json_lex_of(const char *text, size_t n) { return (struct json_lex){ text, text, text + n, NULL }; }

bool json_lex_fail(struct json_lex *l, const char *why);             /* keeps the first reason; returns false */
enum json_token json_lex_peek(struct json_lex *l);                   /* past white space: what begins there.  BAD: no value does */
static inline void json_lex_space(struct json_lex *l)
{
    while (l->p < l->end && unlikely(*l->p == ' ' || *l->p == '\t' || *l->p == '\n' || *l->p == '\r'))
        l->p++;
}
static inline bool json_lex_eat(struct json_lex *l, char mark)       /* past white space: that mark, if it is there.  No failure if not */
{
    json_lex_space(l);
    if (l->p == l->end || *l->p != mark)
        return false;
    l->p++;
    return true;
}
bool json_lex_word(struct json_lex *l);                              /* true, false or null, which peek has seen */
/* A string, appended without its quotes and escapes; out NULL: only checked.  NOMEM and LIMIT are out's, to be asked for at the end. */
bool json_lex_string(struct json_lex *l, struct buf *out);
/* A string without escapes: where it lies; false: it is another, or none, and the lexer is where it was. */
static inline bool json_lex_view(struct json_lex *l, const char **at, size_t *n);
bool json_lex_number(struct json_lex *l, const char **at, size_t *n);             /* where it lies */
bool json_lex_skip(struct json_lex *l);                              /* a value of any kind, at most LIMIT_VALUE_DEPTH inside each other */

/* What a number says.  int and uint: false: not whole, or over the range; 1.0 and 1e3 are whole. */
bool json_number_int(const char *p, size_t n, int64_t *ret);
bool json_number_uint(const char *p, size_t n, uint64_t *ret);
bool json_number_float(const char *p, size_t n, double *ret);        /* the nearest; false: over 800 digits, or over the largest double */
/* The bytes of base 64 (RFC 4648, with or without its padding), in place.  false: it is none */
bool json_base64_in(uint8_t *p, size_t n, size_t *ret);

static inline bool json_lex_view(struct json_lex *l, const char **at, size_t *n)
{
    const char *from = l->p + 1;
    size_t len = json_plain((const uint8_t *)from, (size_t)(l->end - from), false);
    if (from + len == l->end || from[len] != '"')
        return false;
    *at = from;
    *n = len;
    l->p = from + len + 1;
    return true;
}
#endif
