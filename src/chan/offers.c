/* offers.c - selects that would send to another process.  Their case of a buffered channel waits for a credit as any sender does; that
 * of an unbuffered one is a rendezvous with a receiver elsewhere, which only the channel's home can decide, and a select must not fire
 * two cases meanwhile.  So it goes through two states:
 *
 *   OPEN  It waits in all its queues, and stands at each home it would send to (ops->stand).  A home that has a receiver which waits
 *         invites those who stand there.  An invitation reserves nothing.
 *   TRY   Invited, it leaves all its queues and offers its value to that home alone.  Until the answer only its context ends the wait.
 *         Received: this case has fired.  Nobody was ready: OPEN again, where it looks at its local cases first.
 *
 * A receiver in TRY cannot take an offer, but may be able to soon.  If its home always let offers wait for it, selects in a ring would
 * wait for each other for ever; if never, they could go round for ever.  So it lets wait whose select has a lesser number than the
 * receiver's: in any ring there is one that waits and one that is refused.  For that the home must know which receivers are in TRY
 * (ops->away).  While the link breaks on which the receiver's own offer is, it is stuck, and nothing waits for it.
 *
 * States of an op.  HERE: as in any other select.  STANDS: an unbuffered send to another process, from the first time it has waited to the
 * end of the select.  SELF: the same, when an offer to that channel has met the select's own receive.  AWAY: a receive whose waiter is in
 * its home's list of receivers in TRY; it is in no other queue. */
#include "chan/select.h"
#include "run/err.h"

/* Whether another op before the first `n` stands for the same channel: of a select the home counts one. */
static bool stands_twice(const struct sel *x, uint32_t n, const leat_chan_ *c)
{
    for (uint32_t k = 0; k < n; k++)
        if (x->ops[k].c == c && (x->ops[k].state == OP_STANDS || x->ops[k].state == OP_SELF))
            return true;
    return false;
}

/* [lock held] */
static void stands_first(struct sel *x, uint32_t i)
{
    struct op *o = &x->ops[i];
    if (!stands_twice(x, x->n, o->c))
        o->c->net->ops->stand(o->c, 1);
    o->state = OP_STANDS;
}

bool offers_queue_up(struct sel *x, uint32_t i, struct waiter *w)
{
    struct op *o = &x->ops[i];
    leat_chan_ *c = o->c;
    x->stands = true;
    if (o->state == OP_HERE)
        stands_first(x, i);
    else if (o->state == OP_STANDS)
        c->net->ops->stand(c, 0);
    if (at_load(&c->needy)) {
        x->invited = (int)i;
        return false;
    }
    chan_wait_locked(c, &c->sq, w);
    return true;
}

/* A receive that was away waits as any other again.  false: it is ready. */
static bool come_back(struct sel *x, uint32_t i, struct task *t)
{
    struct op *o = &x->ops[i];
    struct waiter *w = &x->waiters[i];
    leat_chan_ *c = o->c;
    lock(&c->lock);
    bool ready = select_others_wait(&c->sq, t);
    if (!ready) {
        c->net->ops->back(c, w);
        o->state = OP_HERE;
        *w = (struct waiter){ .task = t, .val = o->val, .id = i, .kind = &chan_wait_recv };
        edge_waits(w);
        if (!at_load(&c->ended))
            chan_wait_locked(c, &c->rq, w);
    }
    unlock(&c->lock);
    return !ready;
}

uint32_t offers_queue_up_again(struct sel *x, struct task *t, leat_err *err)
{
    uint32_t i = 0;
    while (i < x->n && (x->ops[i].state == OP_AWAY ? come_back(x, i, t) : select_op_queue_up(x, i, t, err)))
        i++;
    return i;
}

/* Op k, a receive, of a select that is about to make an offer, goes to where its home sees that it may be back. */
static void go_away(struct sel *x, uint32_t k, bool queued, struct task *t)
{
    struct op *o = &x->ops[k];
    struct waiter *w = &x->waiters[k];
    leat_chan_ *c = o->c;
    lock(&c->lock);
    if (queued && w->on)
        waiter_del(&c->rq, w);
    if (c->net && !at_load(&c->site) && c->cap == 0) {
        *w = (struct waiter){ .task = t, .owner = &x->id, .kind = &chan_wait_recv };
        c->net->ops->away(c, w);
        o->state = OP_AWAY;
    }
    unlock(&c->lock);
}

/* Nobody knows when it will be back: no offer waits for it. */
static void stuck(struct chan_offer *id)
{
    struct sel *x = container_of(id, struct sel, id);
    at_store(&id->stuck, true);
    for (uint32_t k = 0; k < x->n; k++) {
        leat_chan_ *c = x->ops[k].c;
        if (x->ops[k].state != OP_AWAY)
            continue;
        lock(&c->lock);
        if (c->net && !at_load(&c->site))
            c->net->ops->left(c, NULL, NULL);
        unlock(&c->lock);
    }
}

void offers_leave(struct sel *x, uint32_t queued)
{
    struct task *t = task_self();
    bool offers = x->invited >= 0;
    x->id.on_stuck = stuck;
    at_store(&x->id.stuck, false);
    if (!x->named)
        at_store(&x->id.met_itself, false);
    if (offers && !x->named)
        x->ops[x->invited].c->net->ops->id(x->ops[x->invited].c, &x->id);
    x->named |= offers;
    for (uint32_t k = 0; k < x->n; k++) {
        struct op *o = &x->ops[k];
        bool away = o->state == OP_AWAY, goes = offers && o->kind == 'r' && !away;
        if (SAN_EDGES && k <= queued && !away && offers)
            edge_waited(&x->waiters[k]);             /* before go_away makes another waiter of it; nobody serves it any more */
        if (goes)
            go_away(x, k, k < queued, t);
        else if (k < queued && !away)
            select_op_leave(x, k);
        if (SAN_EDGES && k <= queued && !away && !offers)
            edge_waited(&x->waiters[k]);
    }
}

static bool lost_is_a_case(const struct sel *x, const leat_chan_ *c, leat_err e)
{
    return (e == LEAT_PEER_LOST || e == LEAT_GONE) && select_has_closed_case(x, c);
}

int offers_try(struct sel *x, leat_err *err)
{
    struct task *t = task_self();
    uint32_t i = (uint32_t)x->invited;
    struct op *o = &x->ops[i];
    struct waiter w = { .task = t, .val = o->val, .owner = o->c, .kind = &chan_wait_send };
    int64_t due = at_load(&t->deadline);
    x->invited = -1;
    at_store(&x->id.met_now, false);
    at_store(&t->deadline, x->deadline);             /* a timer case waits for the answer, the context does not */
    leat_err e = o->c->net->ops->offer(o->c, &w, &x->id);
    at_store(&t->deadline, due);
    if (e == LEAT_OK)
        return (int)i;
    if (at_load(&x->id.met_now)) {
        for (uint32_t k = 0; k < x->n; k++)
            if (x->ops[k].c == o->c && x->ops[k].state == OP_STANDS)
                x->ops[k].state = OP_SELF;
        lock(&o->c->lock);
        o->c->net->ops->itself(o->c);
        unlock(&o->c->lock);
    }
    if (e == LEAT_UNKNOWN)
        err_sent(o->val);
    if (e != LEAT_AGAIN && e != LEAT_CLOSED && !lost_is_a_case(x, o->c, e))
        *err = e;
    return -1;
}

/* Asks those that would send to the receive o.  true: it has fired, or failed (*err). */
static bool poll_senders(struct sel *x, const struct op *o, leat_err *err)
{
    leat_chan_ *c = o->c;
    x->asked = true;
    leat_err e = c->net->ops->poll(c, o->val);
    if (e == LEAT_OK)
        op_seen(o);
    else if (e != LEAT_AGAIN && e != LEAT_CLOSED && !lost_is_a_case(x, c, e))
        *err = e;
    return e == LEAT_OK || *err != LEAT_OK;
}

int offers_ask(struct sel *x, leat_err *err)
{
    uint32_t first = x->n ? select_draw(x->n) : 0;
    for (uint32_t k = 0; k < x->n; k++) {
        uint32_t i = first + k < x->n ? first + k : first + k - x->n;
        struct op *o = &x->ops[i];
        if (o->kind == 'r' && chan_polls(o->c) && !at_load(&o->c->site) && poll_senders(x, o, err))
            return *err == LEAT_OK ? (int)i : -1;
        if (o->kind != 's' || !at_load(&o->c->site))
            continue;
        if (at_load(&o->c->closed) && select_chan_err(o->c) != LEAT_PEER_LOST)
            continue;
        x->asked = true;
        leat_err e = o->c->net->ops->ask(o->c, o->val);
        if (e == LEAT_OK)
            return (int)i;
        if (e == LEAT_UNKNOWN)
            err_sent(o->val);
        if (e != LEAT_OK && e != LEAT_AGAIN && e != LEAT_CLOSED && e != LEAT_GONE && !lost_is_a_case(x, o->c, e)) {
            *err = e;
            return -1;
        }
    }
    return -1;
}

void offers_end(struct sel *x)
{
    for (uint32_t k = 0; k < x->n; k++) {
        struct op *o = &x->ops[k];
        leat_chan_ *c = o->c;
        bool stands = o->state == OP_STANDS || o->state == OP_SELF;
        if (stands && stands_twice(x, k, c))
            continue;
        if (!stands && (o->kind != 'r' || c->cap))
            continue;
        lock(&c->lock);
        if (stands)
            c->net->ops->stand(c, -1);
        else if (c->net && !at_load(&c->site))
            c->net->ops->left(c, o->state == OP_AWAY ? &x->waiters[k] : NULL, &x->id);
        unlock(&c->lock);
    }
}
