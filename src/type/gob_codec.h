/* gob_codec.h - values of described types to gob and back: what Go's encoding/gob does for Go's types.
 *
 * A gob stream is about names: a C member `service_method` is Go's field ServiceMethod (words joined, each with a capital).  Kinds:
 *   bool; int8 to int64, enum, duration: int; uint8 to uint64: uint; float32, float64: float; string, cstr, chars: string; bytes: []byte;
 *   date: time.Time; array: [n]; list: a slice; map: map[string]; a list of structs with two members and LEAT_PAIRS: map[first]second;
 *   struct, optional: a struct (optional: a pointer to one); error: struct { Code int; Text string };
 *   oneof: struct { Which uint; one field per case }, of which the one that Which names (1: the first) is sent.
 *   A struct whose first member has LEAT_BARE is, in gob, that member alone.  Channel ends do not travel in gob: LEAT_INVAL.
 * Reading follows Go's rules: fields that are not there stay zero, fields that are not wanted are skipped, a number must fit.
 * Neither side is recursive.  A reader or writer is one direction of one stream; it is not for two threads at once. */
#ifndef TYPE_GOB_CODEC_H
#define TYPE_GOB_CODEC_H
#include "type/desc.h"
#include "type/gob.h"
#include "type/texts.h"

struct gob_sent { const leat_type *type; int64_t id; uint64_t len; uint32_t key; };
struct gob_writer {                                  /* {0} is a new stream */
    struct buf sent;                                 /* of struct gob_sent: types that the other side knows */
    size_t sure;                                     /* bytes of it that are, once the last message has gone out */
    struct buf body, frames;
};
void gob_writer_free(struct gob_writer *w);

/* Appends the messages that carry *v: definitions not sent before, then the value.  On failure out is as before.  INVAL: no value of
 * its type, or one that does not travel in gob; LIMIT: over out->max; NOMEM.  They must be sent, or the writer is of no use any more. */
LEAT_CHECK leat_err gob_write(struct gob_writer *w, const leat_type *t, const void *v, struct buf *out);

struct gob_reader {                                  /* {0} is a new stream */
    struct gob gob;
    struct buf plans;                                /* of struct gob_plan * */
    struct buf frames;
    struct buf fits;                                 /* see gob_fit */
    size_t fit_count;
    int64_t fit_id;                                  /* the last one that gob_fit let pass, with fit_type */
    const leat_type *fit_type;
    struct texts texts;                              /* of the value that is read */
    const leat_type *type;                           /* that is read, for messages */
};
void gob_reader_free(struct gob_reader *r);

/* The value of the message that gob_message has just given to r->gob, as a t, to *v, which is not read.  It owns all it has.
 * TYPE: the stream's type does not fit t (the detail names the field), or a number does not; NOMEM, LIMIT.  Then *v is zero.
 * A value of a bad stream was refused by gob_message.  Memory is bounded by the bytes read times the largest element in t. */
LEAT_CHECK leat_err gob_read(struct gob_reader *r, const leat_type *t, void *v);

/* The Go name of a C member, to room; how long it is. */
size_t gob_name(char room[256], const char *name);

/* Flags of a member beside LEAT_BARE: its name is Go's already; it is there only if the byte at .tag of the struct is not 0 (only for
 * writing, and only where what is zero is not left out anyway). */
enum { GOB_AS_IT_IS = 4, GOB_IF_THERE = 8 };

/* A field as gob sees it: a struct with LEAT_BARE is its first member. */
struct gob_view { unsigned kind, flags; uint32_t size; const leat_type *inner; };
static inline struct gob_view gob_view_of(const leat_type *t) { return (struct gob_view){ t->kind, 0, t->size, t }; }
static inline struct gob_view gob_view_field(const leat_field *f) { return (struct gob_view){ f->kind, f->flags, f->size, f->type }; }
/* looks through LEAT_BARE; *offset grows by where it lies */
static inline struct gob_view gob_view_bare(struct gob_view v, uint32_t *offset)
{
    while (v.kind == LEAT_K_STRUCT_ && v.inner->count > 0 && (type_field(v.inner, 0)->flags & LEAT_BARE)) {
        const leat_field *f = type_field(v.inner, 0);
        *offset += f->offset;
        v = gob_view_field(f);
    }
    return v;
}
const leat_type *gob_pairs(struct gob_view v);       /* the entries of a list with LEAT_PAIRS that is a map in gob; else NULL */

/* == for the files of gob alone ========================================================================================= */

/* Whether a value of this type of the stream, t if it was defined there, may become one of v: its parts are another matter. */
static inline bool gob_fits(int64_t wire, const struct gob_type *t, struct gob_view v)
{
    switch (v.kind) {
    case LEAT_K_BOOL_: return wire == GOB_BOOL;
    case LEAT_K_INT_: case LEAT_K_ENUM_: case LEAT_K_DURATION_: return wire == GOB_INT;
    case LEAT_K_UINT_: return wire == GOB_UINT;
    case LEAT_K_FLOAT_: return wire == GOB_FLOAT;
    case LEAT_K_STRING_: case LEAT_K_CSTR_: case LEAT_K_CHARS_: return wire == GOB_STRING;
    case LEAT_K_BYTES_: return wire == GOB_BYTES;
    case LEAT_K_DATE_: return t && t->kind == GOB_OPAQUE && t->len == GOB_ENCODER;     /* Go asks for no more: the name is nobody's */
    case LEAT_K_STRUCT_: case LEAT_K_OPTIONAL_: case LEAT_K_ONEOF_: case LEAT_K_ERROR_: return t && t->kind == GOB_STRUCT;
    case LEAT_K_LIST_: return t && t->kind == (gob_pairs(v) ? GOB_MAP : GOB_SLICE);
    case LEAT_K_MAP_: return t && t->kind == GOB_MAP && t->key == GOB_STRING;
    case LEAT_K_ARRAY_: return t && t->kind == GOB_ARRAY && t->len == v.size / v.inner->size;
    default: return false;
    }
}

/* The field of a described type (kind: STRUCT, ERROR, ONEOF) that has this name in gob; GOB_WHICH: the first one of a oneof; -1: none. */
enum { GOB_WHICH = INT32_MAX };
int32_t gob_field_named(const leat_type *t, unsigned kind, const struct gob_text *name);
struct gob_view gob_view_nth(const leat_type *t, unsigned kind, int32_t field);    /* what it is */

/* Whether all of a type of the stream fits all of t, whatever of it is in the value: as Go's reader looks at its types before it reads.
 * Once for each pair of them.  TYPE: the detail names the field, what the stream has and what is here; NOMEM */
LEAT_CHECK leat_err gob_fit(struct gob_reader *r, int64_t wire, const leat_type *t);
#endif
