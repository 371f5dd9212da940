/* form.h - the bytes of a canonical form, for the files of type/ that write and read it. */
#ifndef TYPE_FORM_H
#define TYPE_FORM_H
#include "base/buf.h"

enum { FORM_VERSION = 1 };

/* small numbers of either sign are small varints: 0, -1, 1, -2, ... are 0, 1, 2, 3, ... */
static inline uint64_t form_zigzag(int64_t v) { return (uint64_t)v << 1 ^ (v < 0 ? UINT64_MAX : 0); }
static inline int64_t form_unzigzag(uint64_t v) { return (int64_t)(v >> 1 ^ (v & 1 ? UINT64_MAX : 0)); }
const char *form_word(unsigned kind);                /* "string", "list of ", "int"; "?": no kind.  diff.c */
void form_skip(struct cur *c);                        /* over one type of a valid form.  diff.c */
#endif
