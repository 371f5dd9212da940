/* gob.h - reads streams of Go's encoding/gob whose types nobody knows beforehand, and writes their values as JSON.
 *
 * A stream is a row of messages: a length, then so many bytes, which hold one definition of a type or one value.  Whoever has the
 * stream cuts it (gob_length) and gives the messages to gob_message one by one, in order.  A value is checked to its last byte
 * before gob_json writes it, so what is bad is refused whole, and writing needs no memory beyond the keys of a map.
 * Source: the package comment of encoding/gob, and what its reader accepts.
 *
 * What the stream does not say: a field that was left out is zero, so it is printed as false, 0, "" or null; pointers, embedding and
 * the width of numbers are not on the wire.  A float that needs 16 digits or more as a float64, and that a float32 holds exactly
 * with more than 8 significant bits, is taken for one and gets its digits.  Values that a Go type encoded by its own method are
 * opaque; known are time.Time (RFC 3339) and big.Int (a number), others are base 64.  A complex number is a string, as "(1.5-2i)".
 * The key of a map that is no string is its JSON text in quotes; the keys are sorted.
 *
 * Not for two threads at once.  Memory stays under 64 times the bytes given. */
#ifndef TYPE_GOB_H
#define TYPE_GOB_H
#include "type/json_text.h"

enum gob_kind {                                      /* the ids of the types that need no definition are Go's */
    GOB_NONE = 0, GOB_BOOL = 1, GOB_INT = 2, GOB_UINT = 3, GOB_FLOAT = 4, GOB_BYTES = 5, GOB_STRING = 6, GOB_COMPLEX = 7,
    GOB_INTERFACE = 8, GOB_ARRAY = 32, GOB_SLICE, GOB_STRUCT, GOB_MAP, GOB_OPAQUE,
};

struct gob_text { const char *p; size_t n; };

enum { GOB_HOW_UNKNOWN, GOB_HOW_NUMBER, GOB_HOW_BYTES };
struct gob_field { struct gob_text name; int64_t type; uint8_t how; };        /* how: its value is skipped; set by gob_skip.c */

struct gob_type {
    int64_t id;
    enum gob_kind kind;
    struct gob_text name;                            /* as Go has it: "Point", or "[]int" of a type without a name */
    int64_t elem, key;                               /* ids: of an array, slice, map; of a map */
    uint64_t len;                                    /* of an array; OPAQUE: which method wrote it, as in a definition: 4, 5 or 6 */
    struct gob_field *fields;                        /* of a struct */
    size_t nfields;
    size_t order;                                    /* how many types were defined before it */
    bool whole;                                      /* see gob_whole */
    char *text;                                      /* the memory of the names */
};

struct gob {                                         /* {0} is an empty stream */
    struct gob_type **table;                         /* by id; open addressing, size a power of two */
    size_t size, used;
    struct cur c;                                    /* of the message that is read */
    const uint8_t *start, *value;                    /* of that message; of the value in it after its type's id, or NULL: none */
    int64_t type;                                    /* of the value */
    const struct gob_type *last;                     /* of the last value, or NULL: it is asked for several times */
    uint64_t offset;                                 /* of the message in its stream */
    uint32_t depth, deepest;                         /* of gob_json: where it is, and may be (0: LIMIT_GOB_DEPTH) */
    size_t keys_text;                                /* of gob_json: bytes of the keys of the maps around where it is, as text */
    const char *over;                                /* of gob_json: what is over its limit */
    struct buf places;                               /* of gob_skip */
    uint64_t around;                                 /* of gob_skip: 1 + the place of the innermost interface; 0: none */
    struct buf maps;                                 /* of gob_skip: where the maps inside maps of this value end */
    int64_t inside, keys;                            /* of gob_skip: in so many maps, and in so many of their keys */
    bool no_memory, again;                           /* again: a value is read a second time, to be written */
    const char *why;                                 /* why it was refused, or NULL */
    uint64_t at;                                     /* where in the stream */
    /* A definition inside a value ends its message, and the value goes on in the next one.  Then this is called: it gets the next
     * message, with its length, behind the one that is read, and calls gob_extend.  false: there is none.  NULL: there never is. */
    bool (*more)(struct gob *g);
    void *from;                                      /* for `more` */
};

void gob_free(struct gob *g);

/* The length of a message at the start of p: how many bytes the number itself takes; 0: it needs more than the n there are (at most
 * 9); -1: it is none, or over LIMIT_GOB_MESSAGE (g->why, g->at; offset is where p is in the stream). */
int gob_length(struct gob *g, const uint8_t *p, size_t n, uint64_t offset, uint64_t *ret);

/* One message, without its length; offset is where it starts in the stream.  It must stay until the value was written.  Then
 * g->value tells whether it holds a value.  LEAT_INVAL: it is bad (g->why and g->at say how and where); LEAT_LIMIT, LEAT_NOMEM. */
LEAT_CHECK leat_err gob_message(struct gob *g, const uint8_t *msg, size_t n, uint64_t offset);

/* From `more`: the message, which may lie elsewhere now, and what has come behind it: n bytes in all. */
void gob_extend(struct gob *g, const uint8_t *msg, size_t n);

/* The value of the last message.  Recursive: set g->deepest for a small stack.  NOMEM, LIMIT (g->over says of what), CLOSED (s->over):
 * what was put so far is not all of it.  A value may have much more text than it has bytes, as fields that are zero have none: what is put
 * goes out as it comes, but for the keys of maps. */
LEAT_CHECK leat_err gob_json(struct gob *g, const struct json_sink *s);

/* Every type that was defined, in the order of the stream, as Go declarations.  LEAT_NOMEM */
LEAT_CHECK leat_err gob_declarations(const struct gob *g, const struct json_sink *s);

/* == for the files of gob alone ========================================================================================= */
enum { GOB_ENCODER = 4 };                            /* a gob_type's len: its GobEncode wrote it */
#define GOB_YEAR_1970 INT64_C(62135596800)           /* seconds from the start of year 1, from which Go counts */
enum { GOB_FIRST_ID = 64 };                          /* Go gives its own types the numbers below */
const struct gob_type *gob_type_find_(const struct gob *g, int64_t id);
static inline const struct gob_type *gob_type_of(const struct gob *g, int64_t id)      /* NULL: none, or one that needs no definition */
{
    if (id < GOB_FIRST_ID)
        return NULL;
    return g->last && g->last->id == id ? g->last : gob_type_find_(g, id);
}
leat_err gob_bad(struct gob *g, const char *why);    /* at the cursor; the first one stays */
/* The number at p, which was checked: the message ends at end, behind it.  Moves *p past it. */
static inline uint64_t gob_number(const uint8_t **p, const uint8_t *end)
{
    const uint8_t *at = *p;
    size_t n = 256u - *at;
    uint64_t v = 0;
    if (n > 128) {
        *p = at + 1;
        return *at;
    }
    *p = at + n + 1;
    if (likely(end - at > 8)) {
        memcpy(&v, at + 1, sizeof v);
        return le64(__builtin_bswap64(v)) >> (64 - 8 * n);
    }
    for (size_t i = 1; i <= n; i++)
        v = v << 8 | at[i];
    return v;
}
uint64_t gob_uint_(struct gob *g);
static inline uint64_t gob_uint(struct gob *g)       /* 0 when it is bad: g->why; then nothing is left, so nothing is read */
{
    return likely(g->c.p < g->c.end && *g->c.p < 128) ? *g->c.p++ : gob_uint_(g);
}
int64_t gob_int(struct gob *g);
leat_err gob_define(struct gob *g, int64_t id);      /* reads a definition; one of an id that has one is refused */
leat_err gob_skip_definition(struct gob *g);         /* reads it for nothing */
int64_t gob_type_sequence(struct gob *g, uint64_t *end);             /* the id of the type of what follows */
leat_err gob_head(struct gob *g, int64_t type);
int64_t gob_interface(struct gob *g, size_t *end);
/* The next field of a struct of n, counted from *next, which moves past it; -1 at its end, or when it is bad. */
static inline int64_t gob_next_field(struct gob *g, size_t n, size_t *next)
{
    uint64_t delta = gob_uint(g);
    if (unlikely(delta > n - *next))
        gob_bad(g, "field number out of bounds");
    if (delta == 0 || g->why)
        return -1;
    *next += (size_t)delta;
    return (int64_t)*next - 1;
}
leat_err gob_enter(struct gob *g, int64_t type);
leat_err gob_skip(struct gob *g, int64_t type);      /* over a value that is next, checking it; INVAL, NOMEM */
leat_err gob_value(struct gob *g, int64_t type, const struct json_sink *s);   /* of a message that was checked */
/* The type says so itself; it may be: a Go type that is known by a pointer alone has no name, and only its bytes tell. */
bool gob_is_time(const struct gob_type *t);
static inline bool gob_may_be_time(const struct gob_type *t)
{
    return gob_is_time(t) || (t->kind == GOB_OPAQUE && t->len == GOB_ENCODER && t->name.n == 0);
}
/* of: all types by their order.  Two that have one group, of g->used, are inside each other, or one and the same. */
LEAT_CHECK leat_err gob_circles(const struct gob *g, const struct gob_type *const *of, size_t *group);
leat_err gob_whole(struct gob *g, int64_t type);     /* whether all that is in the type was defined; once for each */
#endif
