/* desc.h - what is known about a type: its fields, its canonical form, its fingerprint.
 *
 * A leat_type is made by the macros of leat/node.h and is constant data.  What is computed from it is computed once and kept for
 * ever, by the address of the leat_type: so a description must not be unloaded once it was used.
 * The canonical form is the type as bytes (docs/wire.md, "Types"): two types may exchange values if and only if their forms are
 * equal.  Any task or thread may call what is here. */
#ifndef TYPE_DESC_H
#define TYPE_DESC_H
#include "base/buf.h"
#include "leat.h"

/* Field i of t.  Its stride is what the program was compiled with, which may differ from the library's. */
static inline const leat_field *type_field(const leat_type *t, uint32_t i)
{
    return (const leat_field *)(const void *)((const char *)t->fields + (size_t)i * t->field_size);
}

struct type_print { uint8_t b[16]; };                /* a fingerprint: XXH3, 128 bits, of the canonical form; big-endian */
static inline bool type_print_same(const struct type_print *a, const struct type_print *b) { return memcmp(a, b, sizeof *a) == 0; }

/* INVAL: the description is wrong (the detail says where); LIMIT: it is too large; NOMEM.  What is given lives for ever. */
LEAT_CHECK leat_err type_print(const leat_type *t, struct type_print *ret);
LEAT_CHECK leat_err type_form(const leat_type *t, struct cur *ret);

struct type_print type_print_of(struct cur form);     /* of bytes that are a form */

/* The canonical form, appended to out.  The same errors; then out is as before.  Not cached: type_form is. */
LEAT_CHECK leat_err type_form_write(const leat_type *t, struct buf *out);

/* Whether bytes that came from elsewhere are a canonical form, to the last byte. */
bool type_form_valid(struct cur form);

/* Compares two canonical forms.  true: they differ, and text (at least one byte) names the first field that does, by its path from
 * `name`, and what it is on each side: "field shard.text: string here, int64 there".  `theirs` may be any bytes. */
bool type_diff(const char *name, struct cur mine, struct cur theirs, char *text, size_t cap);
#endif
