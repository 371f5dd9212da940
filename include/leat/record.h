/* leat/record.h - described values in files: a stream that brings its types along, so that who reads it need not know them.
 *
 * `leat decode --from leat FILE` prints such a stream as JSON.  A struct is described once, before its first value; several structs may be
 * in one stream.  The bytes are in docs/wire.md, "Values in files".  Who plays a stream that was recorded by an older or newer program
 * reads it by the names of fields, as between nodes (docs/semantics.md, "Types that change").  Ends of channels do not travel in files.
 * Where the bytes come from or go to is the program's: a file, a socket, memory.  One task at a time for each recorder and player. */
#ifndef LEAT_H
#include "../leat.h"                               /* read alone, it still works */
#endif
#ifndef LEAT_RECORD_H
#define LEAT_RECORD_H
LEAT_BEGIN_
typedef struct leat_recorder leat_recorder;
typedef struct leat_player leat_player;
typedef leat_err leat_record_write(void *self, const void *p, size_t n);           /* all n bytes, or an error, which is handed on */
typedef leat_err leat_record_read(void *self, void *p, size_t cap, size_t *n);     /* up to cap bytes, *n of them; 0: the end */
LEAT_CHECK leat_err leat_recorder_open(leat_record_write *write, void *self, leat_recorder **ret);   /* [owned:
                            leat_recorder_close] NOMEM */
/* Writes *p, a struct S, which stays yours, with one call of `write`.  INVAL: no value, or one with an end of a channel; LIMIT: over
 * 1 GiB, or over 1,024 types; NOMEM: then nothing was written.  What `write` returned: then the stream is broken, and so is every
 * further call. */
#define leat_record(r, S, p)            LEAT_RECORD_(r, S, p)
void leat_recorder_close(leat_recorder *r);         /* NULL: nothing.  Nothing is written: what was recorded is all there is */
/* limit: bytes of one value, with its frame; 0: 1 GiB. */
LEAT_CHECK leat_err leat_player_open(leat_record_read *read, void *self, size_t limit, leat_player **ret);   /* [owned:
                            leat_player_close] NOMEM */
/* The next value to *ret, a struct S, which you own: leat_drop.  CLOSED: the stream has ended, between two values, or has none; TYPE: the
 * next value is no S, and the detail names the field: it is still the next one, for another S; INVAL: this is no such stream, or it is cut
 * short: the detail has the byte; LIMIT; NOMEM; what `read` returned.  On an error *ret is zero. */
#define leat_play(r, S, ret)            LEAT_PLAY_(r, S, ret)
void leat_player_close(leat_player *r);             /* NULL: nothing */

LEAT_CHECK leat_err leat_record_(leat_recorder *r, const leat_type *t, const void *v);
LEAT_CHECK leat_err leat_play_(leat_player *r, const leat_type *t, void *ret);
#define LEAT_RECORD_(r, S, p) leat_must_check_(__extension__ ({ const S##_c_ *leat_v_ = (p); leat_record_(r, &S##_type, leat_v_); }))
#define LEAT_PLAY_(r, S, ret) leat_must_check_(__extension__ ({ S##_c_ *leat_v_ = (ret); leat_play_(r, &S##_type, leat_v_); }))
LEAT_END_
#endif
