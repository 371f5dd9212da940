/* select.h - a select while it runs: what select.c and offers.c share. */
#ifndef CHAN_SELECT_H
#define CHAN_SELECT_H
#include "chan/chan.h"

enum { OPS_FEW = 8, OPS_SOME = 16, OPS_ON_STACK = 64 };
enum { OP_HERE, OP_STANDS, OP_AWAY };                /* see offers.c */

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

/* select.c */
bool select_op_try(const struct op *o, leat_err *err);               /* true: it has fired, or failed (*err) */
/* Queues op i.  false: it has become ready (or its wait cannot be begun: *err). */
bool select_op_queue_up(struct sel *x, uint32_t i, struct task *t, leat_err *err);
void select_op_leave(struct sel *x, uint32_t i);
bool select_others_wait(const struct waiters *q, const struct task *t);
leat_err select_chan_err(leat_chan_ *c);              /* of one that has ended: OK: closed in order.  No lock */
bool select_has_closed_case(const struct sel *x, const leat_chan_ *c);
uint32_t select_draw(uint32_t n);                    /* 0 to n - 1 */

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
