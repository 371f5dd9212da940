/* replay.h - the numbered frames that were written and are not acknowledged, so that another link can carry them again.
 *
 * What is large stays where it was written from: the writer's buffer becomes a block, and the ring holds it by reference until the
 * peer has it.  What is small is copied behind what was small before, so that a conversation of short frames uses one block.
 * The last bytes of a frame may lie elsewhere, in memory that was lent for it: its tail.
 * Laws
 *  The ranges are in the order of their numbers, without a gap: first + frames of one is the first of the next.
 *  Bytes of a range are whole frames, in order; frames without a number may be among them, and are not counted.
 *  A block lives while its writer or a range holds it (refs).
 *  bytes is the sum of the lengths of the ranges, tails included.  Who writes bounds it.
 * For one task at a time: the writer of the session; but what is lent may be let go of by anybody.  No OS, no runtime. */
#ifndef SESS_REPLAY_H
#define SESS_REPLAY_H
#include "base/buf.h"
#include "sess/frame.h"
#include "plat/atomic.h"

enum { REPLAY_SMALL = 1024 };                          /* what is shorter is copied */

/* Memory that frames are written from: each tail, and who else uses it, holds a reference.  The last one frees it. */
struct lent { _Atomic uint32_t refs; void (*free)(struct lent *l); };
static inline void lent_ref(struct lent *l) { atomic_fetch_add_explicit(&l->refs, 1, RLX); }
void lent_unref(struct lent *l);                     /* NULL: nothing */

struct tail { const uint8_t *p; size_t len; struct lent *of; };      /* of NULL: none */
/* The tails of those frames in a buffer that have one (FRAME_TAILED), in their order. */
struct tails {
    struct tail *v;
    uint32_t n, cap, next;                             /* v[0] to v[next - 1] have been taken */
    size_t bytes;                                      /* of those that have not */
};
bool tails_put(struct tails *x, const struct tail *t);               /* takes a reference.  false: no memory */
void tails_undo(struct tails *x);                      /* takes the last one back */
struct tail tails_take(struct tails *x);               /* the next one; its reference is the caller's */
void tails_clear(struct tails *x);
void tails_free(struct tails *x);

struct replay_block {
    struct replay_block *next;                         /* among the spare ones */
    uint32_t refs;
    struct buf b;
    struct tails tails;                                /* of frames that were not written yet */
};
struct replay_range {
    uint64_t first, frames;
    uint8_t *p;
    size_t len;
    struct replay_block *block;
    struct tail tail;                                  /* of its last frame */
};
struct replay {
    struct replay_range *v;                            /* cap is a power of two, or 0 */
    uint64_t base;                                   /* of the oldest range: v[base & (cap - 1)] */
    uint32_t n, cap;
    size_t spares;                                   /* bytes of memory in the spare ones */
    struct replay_block *small, *spare;
    size_t bytes;
};

void replay_free(struct replay *r);
void replay_rest(struct replay *r);                  /* nothing happens for a while: gives back what is kept only to be used again */
/* A block for the writer, empty and perhaps with memory left from its last use.  NULL: no memory. */
struct replay_block *replay_block(struct replay *r);
void replay_block_put(struct replay *r, struct replay_block *x);           /* the writer does not need it any more; NULL: nothing */
/* After LEAT_OK the next replay_copy of up to `copied` bytes and the next replay_keep cannot fail.  NOMEM */
LEAT_CHECK leat_err replay_room(struct replay *r, size_t copied);
/* What was written: len bytes at p, and the tail of the last frame there, whose reference the ring takes.  No frames: nothing is kept.
 * moments: some frames have one, which becomes what remains: sess_moment */
struct replay_part { uint8_t *p; size_t len; uint64_t first, frames; struct tail tail; bool moments; };
void replay_copy(struct replay *r, const struct replay_part *x);               /* but not the tail */
void replay_keep(struct replay *r, struct replay_block *in, const struct replay_part *x);     /* x lies in `in` */
void replay_ack(struct replay *r, uint64_t number);      /* the peer has all up to that; an older one: nothing */
static inline uint64_t replay_first(const struct replay *r) { return r->n ? r->v[r->base & (r->cap - 1)].first : 0; }     /* 0: empty */

/* Reading it again, from a number on: acknowledged or still in the ring. */
struct replay_cursor { uint64_t range; size_t at; };
struct replay_cursor replay_from(const struct replay *r, uint64_t number);
/* The next whole frames, at most max bytes unless one alone has more: *ret without numbers, its tail the ring's.  0: that was all. */
size_t replay_next(struct replay *r, struct replay_cursor *c, size_t max, struct replay_part *ret);

/* One frame among bytes that are whole frames. */
static inline size_t frame_bytes(const uint8_t *p)
{
    uint32_t n;
    memcpy(&n, p, sizeof n);
    return (size_t)le32(n) + 8;
}
static inline uint16_t frame_mark(const uint8_t *p)
{
    uint16_t mark;
    memcpy(&mark, p + FRAME_MARK, sizeof mark);
    return mark;
}
static inline bool frame_tailed(const uint8_t *p) { return frame_mark(p) == FRAME_TAILED; }
#endif
