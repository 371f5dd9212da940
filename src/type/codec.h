/* codec.h - values to bytes and back, in leat's own encoding (docs/wire.md, "Values").
 *
 * Encoding changes nothing in the value.  Once a message is certain to have left, or perhaps has, the sender owns the value no more:
 * type_moved gives back what it owned.  Decoding trusts nothing: see type_decode.  Neither blocks; any task or thread. */
#ifndef TYPE_CODEC_H
#define TYPE_CODEC_H
#include "base/buf.h"
#include "leat.h"

struct type_bridge;
/* What a session does for channel ends, of which the codec knows only that they are pointers.  An end that is NULL never gets here. */
struct type_ends {
    /* writes what the other side needs to make an end of its own; keeps a reference of its own if it needs one */
    leat_err (*put)(struct type_ends *self, leat_chan_ *c, int is_rx, const leat_type *elem, struct buf *out);
    /* reads what put has written; *ret is a reference that the value will own.  as: NULL, or there the channel may carry another type,
     * which was found to fit elem: a receive end's elements are read by it, and a send end's home is to be told of elem */
    leat_err (*get)(struct type_ends *self, struct cur *in, int is_rx, const leat_type *elem, const struct type_bridge *as,
        leat_chan_ **ret);
    /* the encoding that put the last `count` ends has failed after all; NULL: nothing to do */
    void (*undo)(struct type_ends *self, size_t count);
    /* the value that is read turns out to be none: e.  All that came of it, ends too, is given back behind this; NULL: nothing to do */
    void (*lost)(struct type_ends *self, leat_err e);
    bool plain;                                      /* who reads it speaks version 1.1: of an error only code and text are written */
};
extern struct type_ends type_plain;                  /* no ends, and plain */

/* Appends the value.  On failure `out` is as before, and what was done with ends is undone.
 * INVAL: a value that is none (a oneof with no such case, chars without NUL, NULL with a length), or an end where ends is NULL;
 * LIMIT: nested too deep, or over out->max; NOMEM; what `put` returns.  A flat type allocates nothing but the room in out. */
LEAT_CHECK leat_err type_encode(const leat_type *t, const void *v, struct buf *out, struct type_ends *ends);

/* The same, but what the value owns and is large stays where it is: `lend` says which bytes belong where in `out`.  No ends, and only
 * fields of the value itself, not of values in lists and optionals.  The value is to stay as it is until its bytes have been used. */
enum { LEND_PARTS = 4 };
struct type_lend {
    size_t least;                                    /* bytes of a part */
    uint32_t n;                                      /* 0 before */
    bool plain;                                      /* as of type_ends */
    struct { size_t at; const void *p; size_t len; } part[LEND_PARTS];   /* at: how many bytes of `out` go before it */
};
LEAT_CHECK leat_err type_encode_lend(const leat_type *t, const void *v, struct buf *out, struct type_lend *lend);

/* Reads one value to *v, which is not read and may be anything before.  The value owns all it has.  On failure *v is zero, nothing
 * of it is left, ends that had come are given back with leat_unref_, and the cursor is bad.
 * TYPE: these bytes are no value of t (the detail names the field); LIMIT: nested too deep, or needs more memory than *budget;
 * NOMEM; what `get` returns.  *budget is in bytes and goes down by what was allocated, LIMIT_DECODE_BLOCK for each block
 * included; NULL: what limits.h allows for the bytes at hand.  A flat type allocates nothing. */
LEAT_CHECK leat_err type_decode(const leat_type *t, struct cur *in, void *v, struct type_ends *ends, size_t *budget);

/* The same of a value one part of which has come by itself: a text, or a list of numbers, that is a field of the value and whose bytes
 * are not in `in` but at p, which is from malloc and has len bytes.  at: how many bytes of `in` are before it.  The value takes p over,
 * which is then NULL; else it stays the caller's. */
struct type_part { size_t at, len; void *p; };
LEAT_CHECK leat_err type_decode_part(const leat_type *t, struct cur *in, void *v, struct type_ends *ends, struct type_part *part);
/* `in` is the beginning of a value.  Whether a part that is worth it, of `least` bytes or more, begins there and does not end there: p is
 * not set.  What comes is not checked.  May say no where there is one. */
bool type_find_part(const leat_type *t, struct cur in, size_t least, struct type_part *ret);

/* The bytes of every value of t, if they are its memory as it lies; else 0. */
size_t type_raw_bytes(const leat_type *t);

/* Frees what *v owns without writing to *v: the value has moved, and the caller's variable is dead. */
void type_moved(const leat_type *t, const void *v);
#endif
