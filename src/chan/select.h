/* select.h - a select while it runs: what its files share.
 *
 * select.c       its entry, and the quick way: something is ready, so nothing is laid out and nobody queues
 * select_ops.c   one case: whether it is ready, and trying it
 * select_few.c   a wait for one of several receives and nothing else
 * select_wait.c  any select, laid out: looking, waiting in all queues, looking again
 * select_kinds.c what reports say of one that waits
 * offers.c       what it takes to send to another process */
#ifndef CHAN_SELECT_H
#define CHAN_SELECT_H
#include "chan/chan.h"
#include "chan/edges.h"

enum { OPS_FEW = 8, OPS_SOME = 16, OPS_ON_STACK = 64, OPS_MAX = 65536 };
enum { OP_HERE, OP_STANDS, OP_SELF, OP_AWAY };       /* see offers.c */

struct op {
    leat_chan_ *c;                                   /* null: not a channel op */
    void *val;
    uint8_t kind;                                    /* r s c d f; x: can never fire */
    uint8_t state;                                   /* OP_... */
    uint16_t of;                                     /* its case */
    uint32_t index;                                  /* within an array of ends */
};

struct sel {
    const leat_select_ *s;
    struct op *ops;
    struct waiter *waiters;
    leat_chan_ **chans;                              /* room for one an op */
    uint32_t n;
    int otherwise;                                   /* case, or -1 */
    int after;                                       /* the timer case that is due first, or -1 */
    int64_t due;                                     /* of that */
    int64_t deadline;                                /* of the task */
    bool looked;                                     /* just now nothing was ready */
    /* offers.c */
    bool stands, asked, named;                       /* an op is not OP_HERE, or was not; the homes were asked; id is set */
    int invited;                                     /* the op that is to be offered, or -1 */
    struct chan_offer id;
};

static inline const leat_case_ *select_case(const leat_select_ *s, uint32_t i)
{
    return i < LEAT_SELECT_MAX_ ? &s->on[i] : &s->more[i - LEAT_SELECT_MAX_];
}

/* Looks without a lock: what they say may be old, and is tried or repeated under the lock. */
static inline bool chan_recv_ready(const leat_chan_ *c)
{
    return at_load(&c->count) || at_load(&c->sq.head);
}

static inline bool chan_send_ready(const leat_chan_ *c)
{
    return !at_load(&c->closed) && (at_load(&c->count) + at_load(&c->reserved) < c->cap || at_load(&c->rq.head));
}

/* Selects elsewhere would send to c: who polls asks them. */
static inline bool chan_polls(const leat_chan_ *c) { return unlikely(at_load(&c->needy) & NEEDY_STAND) && c->cap == 0; }

/* For edges.h: before an op is tried or queued ... */
static inline void op_reads(const struct op *o)
{
    if (SAN_EDGES && o->kind == 's' && o->c)
        edge_reads(o->val, o->c->size);
}

/* ... and when it has fired. */
static inline void op_seen(const struct op *o)
{
    if (SAN_EDGES && o->kind == 'r')
        edge_writes(o->val, o->c->size);
    else if (SAN_EDGES && o->kind == 'c')
        edge_sees_close(o->c);
    else if (SAN_EDGES && o->kind == 'd')
        ctx_seen(o->val);
}

/* false: it can never become ready again */
static inline bool op_alive(const struct op *o)
{
    switch (o->kind) {
    case 'r':
        return !(at_load(&o->c->ended) && !at_load(&o->c->count));
    case 's':
        return !at_load(&o->c->closed);
    default:
        return o->kind != 'x';
    }
}

static inline int op_fd(const struct sel *x, const struct op *o) { return (int)(select_case(x->s, o->of)->n >> 8); }
static inline int op_events(const struct sel *x, const struct op *o) { return (int)(select_case(x->s, o->of)->n & 255); }

/* select_ops.c */
bool select_op_ready(const struct sel *x, const struct op *o);       /* a look: it may be old, and is tried or repeated under the lock */
bool select_op_try(const struct op *o, leat_err *err);               /* true: it has fired, or failed (*err) */
int select_fire(const struct sel *x, leat_err *err); /* a ready op that has fired (each equally likely), or -1 */
bool select_none_ready(const struct sel *x);         /* at one moment */
/* Locks n channels, some of which may be the same.  How many there are: c[0] to that are locked. */
uint32_t select_lock_all(leat_chan_ **c, uint32_t n);
void select_unlock_all(leat_chan_ **c, uint32_t n);
leat_err select_chan_err(leat_chan_ *c);              /* of one that has ended: OK: closed in order.  No lock */
bool select_has_closed_case(const struct sel *x, const leat_chan_ *c);
uint64_t select_draw_slowly(const struct worker *w); /* of a simulated world, or (NULL) of a thread without a worker */
static inline uint64_t select_draw64(void)
{
    struct worker *w = worker_self();
    if (unlikely(!w || w->rt->seam))
        return select_draw_slowly(w);
    uint64_t r = w->rng;
    r ^= r << 13;
    r ^= r >> 7;
    r ^= r << 17;
    return w->rng = r;
}
static inline uint32_t select_draw(uint32_t n) { return (uint32_t)(((select_draw64() >> 32) * n) >> 32); }   /* 0 to n - 1 */
/* The number of one of the bits of a mask that is not 0, each equally likely. */
static inline uint32_t select_draw_bit(uint64_t mask)
{
    if (mask & (mask - 1)) {
        uint32_t n = (uint32_t)__builtin_popcountll(mask);
        for (uint32_t k = (uint32_t)(((select_draw64() >> 32) * n) >> 32); k--; )
            mask &= mask - 1;
    }
    return (uint32_t)__builtin_ctzll(mask);
}
/* [lock held] Whether another task waits in q: a select does not meet itself. */
static inline bool select_others_wait(const struct waiters *q, const struct task *t)
{
    const struct waiter *x = at_load(&q->head);
    while (x && x->task == t)
        x = x->next;
    return x != NULL;
}

/* select.c: nothing that looked ready has fired: leat_otherwise, if it is so at one moment and no timer must be asked first; or null */
const leat_case_ *select_quick_otherwise(const leat_select_ *s);

/* select_few.c: waits, as nothing is ready, for one of the ends of the only case, an array of at most OPS_ON_STACK; or for one of the
 * cases, all of them receives, at most OPS_FEW.  true: over: *id, or *err.  false: go the long way. */
bool select_few_array(const leat_select_ *s, int *id, leat_err *err);
bool select_few_cases(const leat_select_ *s, int *id, leat_err *err);

/* select_wait.c */
/* What comes after the quick way: k has failed (*err), or is null; looked: nothing is ready.  The id of the case that ran, or -1. */
int select_slowly(leat_select_ *s, const leat_case_ *k, bool looked, leat_err *err);
/* The same of nothing but an array of at most OPS_ON_STACK ends, none of which has an element. */
int select_array(leat_select_ *s, leat_err *err);
/* Queues op i.  false: it has become ready (or its wait cannot be begun: *err). */
bool select_op_queue_up(struct sel *x, uint32_t i, struct task *t, leat_err *err);
void select_op_leave(struct sel *x, uint32_t i);

/* select_kinds.c: a wait in all cases; the same of one whose homes know it; one for the cancelling of a context */
extern const struct wait_kind select_all, select_standing, select_done;

/* offers.c */
static inline bool op_elsewhere(const struct op *o)
{
    return o->kind == 's' && at_load(&o->c->site) && o->c->cap == 0;
}
bool offers_queue_up(struct sel *x, uint32_t i, struct waiter *w);   /* op_elsewhere, its channel is locked; false: it is invited */
/* As many as is returned. */
uint32_t offers_queue_up_again(struct sel *x, struct task *t, leat_err *err);
/* The first `queued` ops leave their queues; about to make an offer (x->invited), also the others are seen by their homes. */
void offers_leave(struct sel *x, uint32_t queued);
int offers_try(struct sel *x, leat_err *err);        /* offers x->invited: it has fired, or -1: look again, or *err */
/* No op is ready: asks the homes of those that would send elsewhere (x->asked).  The op that has fired; or -1: look again, or *err. */
int offers_ask(struct sel *x, leat_err *err);
void offers_end(struct sel *x);
#endif
