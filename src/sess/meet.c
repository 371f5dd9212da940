/* meet.c - the home of an unbuffered channel: offers from elsewhere meet receivers here.
 *
 * An offer that meets a receiver which waits is taken at once.  Else it depends on who offers:
 *   a plain send      waits here, in a task of its own, as any sender would;
 *   a try             is refused at once (BUSY);
 *   a select          is refused, but may wait for a receiver that is itself a select with an offer out, if its own number is the
 *                     lesser one (chan/offers.c says why).  When such a receiver comes back it takes what waits; when it does not, or
 *                     the link of its own offer breaks, what waits is judged again.
 * Selects elsewhere wait at their own sites (NEED), so a receiver that begins to wait invites those sites, each once until it has
 * offered or nobody stands there any more; from an invitation nothing follows but that an offer comes, or a NEED of 0.
 * Laws (under the channel's lock)
 *  1. An end is in the home's ring `need` if and only if selects stand there, it is not invited and no offer of it is delivered.  needy:
 *     that ring is not empty.
 *  2. A receiver that begins to wait while needy, an end that comes into that ring, and an offer that is answered look whether to invite.
 *  3. In the ring `lent` are the ends where selects stand, invited or not.  self: one of them is known to receive here, too; it is not
 *     invited for itself.
 *  4. delivering: a task has an offer of the end.  It is answered once.  held_select: it is a select's; in the ring `lend` are those that
 *     wait for a receiver to come back.
 * A relay has no receivers: its site makes the offers of those behind it, one at a time, and passes each invitation on to one of them
 * (offer.c). */
#include <string.h>
#include "base/alloc.h"
#include "base/probe.h"
#include "sess/home.h"
#include "sess/value.h"

/* A held value has its select's number behind it. */
static size_t value_room(const leat_chan_ *c) { return ((size_t)c->size + 15) & ~(size_t)15; }
static struct chan_offer *held_by(const struct end *e) { return (struct chan_offer *)(void *)((char *)e->held + value_room(e->c)); }

/* -- invitations --------------------------------------------------------------------------------------------------------------- */
void meet_invite_one(struct home *h, struct end *e)
{
    home_need_del(h, e);
    e->inviting = e->invite_due = true;
    end_due(e);
}

/* Whether somebody else than who stands there himself could take what is sent from there, or somebody else stand there: each may be
 * asked once. */
static bool worth_it(const struct home *h, const struct end *e)
{
    return !e->self || e->self_n < e->need || chan_receiver_waits_but_locked(h->c, e->self_task);
}

void meet_invite(struct home *h)
{
    leat_chan_ *c = h->c;
    if (h->up) {
        offer_next(h->up);
        return;
    }
    if (!h->sealing && h->needy && chan_receiver_waits_locked(c))
        for (struct end_link *next, *x = h->need.next; x != &h->need; x = next) {
            struct end *e = container_of(x, struct end, need_at);
            next = x->next;
            if (likely(worth_it(h, e)))
                meet_invite_one(h, e);
        }
    at_store(&c->needy, h->sealing ? 0 : (h->needy ? NEEDY_ROOM : 0) | (h->lent.next != &h->lent ? NEEDY_STAND : 0));
    c->needy_at = 1;
}

/* Where selects stand that nobody has invited. */
static void wants_invitation(struct home *h, struct end *e)
{
    if (e->need && !e->inviting && !e->delivering)
        home_need_add(h, e);
    else
        home_need_del(h, e);
}

/* e has made use of its invitation, or it has become void. */
static void uninvite(struct home *h, struct end *e)
{
    e->inviting = e->invite_due = false;
    wants_invitation(h, e);
}

bool meet_still_invited(struct home *h, struct end *e)
{
    if (e->polled_out || (h->up ? h->up->pledged == e : chan_receiver_waits_locked(h->c)))
        return true;
    uninvite(h, e);                                  /* who was ready has been served: the next one invites */
    meet_invite(h);
    return false;
}

/* A relay stands for all those behind it. */
static void stands(struct home *h, struct end *e, uint32_t was)
{
    int64_t by = (int64_t)e->need - (int64_t)was;
    if (e->need)
        ring_add(&h->lent, &e->lent_at);
    else
        ring_del(&e->lent_at);
    if (h->up && by)
        offer_stand(h->up, by);
    if (h->up && !e->need && !e->delivering)
        offer_unpledged(h->up, e);
}

void meet_on_need(struct home *h, struct end *e, uint64_t count)
{
    uint32_t was = e->need;
    bool again = e->need == count;
    e->self_n = 0;
    e->need = (uint32_t)MIN(count, (uint64_t)UINT32_MAX);
    if (e->need == 0)
        e->inviting = e->invite_due = false;
    wants_invitation(h, e);
    stands(h, e, was);
    if (again && h->up)
        offer_stand(h->up, 0);                       /* one behind it waits again */
    meet_invite(h);
}

void meet_became_relay(struct home *h)
{
    for (struct end *e = h->c->cap ? NULL : h->ends; e; e = e->next)
        stands(h, e, 0);
}

void meet_end_left(struct home *h, struct end *e)
{
    uint32_t was = h->c->cap ? 0 : e->need;
    if (h->c->cap)
        return;
    home_lists_del(h, e);
    e->need = 0;
    e->inviting = e->invite_due = false;
    stands(h, e, was);
    if (h->up)
        offer_unpledged(h->up, e);
    else
        meet_invite(h);                              /* for needy */
    poll_end_left(h, e);
}

/* -- receivers that have an offer out themselves -------------------------------------------------------------------------------- */
static bool before(const struct chan_offer *a, const struct chan_offer *b)
{
    int d = memcmp(a->node, b->node, sizeof a->node);
    return d ? d < 0 : a->count < b->count;
}

/* Whether this select's offer may wait for one of them.  One that is about to make an offer has not said its number yet; it soon does. */
static bool may_wait(const struct home *h, const struct chan_offer *by)
{
    for (const struct waiter *x = at_load(&h->away.head); x; x = x->next)
        if (!at_load(&((const struct chan_offer *)x->owner)->stuck) && before(by, x->owner))
            return true;
    return chan_receiver_tries_locked(h->c);
}

static void judge(struct home *h)
{
    for (struct end_link *next, *x = h->lend.next; x != &h->lend; x = next) {
        struct end *e = container_of(x, struct end, lend_at);
        next = x->next;
        if (!may_wait(h, held_by(e))) {
            ring_del(x);
            e->held_refused = true;
            if (e->deliverer)
                leat_cancel(e->deliverer, LEAT_CANCELED);
        }
    }
}

void meet_away(leat_chan_ *c, struct waiter *me)
{
    waiter_add(&home_at(c)->away, me);
    judge(home_at(c));                               /* its number is known now */
}

void meet_back(leat_chan_ *c, struct waiter *me)
{
    waiter_del(&home_at(c)->away, me);
}

void meet_left(leat_chan_ *c, struct waiter *me, struct chan_offer *id)
{
    struct home *h = home_at(c);
    if (me)
        waiter_del(&h->away, me);
    if (id && at_load(&id->met_itself)) {
        for (struct end *e = h->ends; e; e = e->next)
            if (e->self == id)
                e->self = NULL;
        meet_invite(h);
    }
    judge(h);
}

/* An offer finds nobody.  If it is of a select that receives here itself, the home need not invite it again for that receiver: it would
 * turn for ever. */
static void met_itself(struct home *h, struct end *e, const struct chan_offer *by)
{
    for (const struct waiter *x = at_load(&h->away.head); x; x = x->next) {
        struct chan_offer *id = x->owner;
        if (id->count == by->count && memcmp(id->node, by->node, sizeof id->node) == 0) {
            SOMETIMES("chan.met_itself", NULL);
            at_store(&id->met_itself, true);
            at_store(&id->met_now, true);
            e->self = id;
            e->self_task = x->task;
            e->self_n++;
            return;
        }
    }
    e->self_n = 0;
}

/* -- offers --------------------------------------------------------------------------------------------------------------------- */
/* Nothing is delivered on e any more: a SEAL that waited for it goes.  Lock held. */
static void delivered(struct end *e, bool certain)
{
    bool dead = e->dead;
    if (!dead)
        ring_del(&e->lend_at);
    poll_offered(e);
    e->held = NULL;
    e->delivering = e->held_select = e->held_refused = e->withdrawn = false;
    if (e->seal_after != LEAT_OK && !dead)
        home_seal_held(e, certain);
    if (--e->home->offers == 0 && e->home->up)
        site_tail(e->home->up);                      /* its FINISH waited: no offer may come behind that */
    if (dead)
        return;
    wants_invitation(e->home, e);
    if (e->home->up)
        offer_unpledged(e->home->up, e);
    meet_invite(e->home);
}

/* The answer to what was held.  Lock held. */
static void answer(struct end *e, leat_err err)
{
    uint8_t kind = 0;
    if (e->dead)
        return;
    if (err == LEAT_OK)
        kind = FRAME_TAKEN;
    else if (err == LEAT_AGAIN || (e->held_refused && !e->withdrawn && err != LEAT_UNKNOWN))
        kind = FRAME_BUSY;
    else if (e->withdrawn && err != LEAT_UNKNOWN)
        kind = FRAME_WITHDRAWN;
    if (kind && !end_send(e, kind, e->held_number, true) && e->seal_after != LEAT_OK)
        e->answer_due = kind;                        /* the session closes: by the writer, before BYE */
    if (e->withdrawn)
        SOMETIMES("chan.withdrawn", "chan.offer");
}

/* Lock held.  A relay could not make the offer at all, as for an end in it: nothing but a loss would answer it. */
static bool cannot_go_on(const struct end *e, leat_err err)
{
    bool own = err == LEAT_LIMIT || err == LEAT_NOMEM || err == LEAT_REFUSED || err == LEAT_INVAL || err == LEAT_TYPE;
    return own && e->home->up && !e->dead && !e->withdrawn && !e->held_refused;
}

/* [lock held, and released] The offer has been made with this result; the task's references go. */
static void deliver_end_unlock(struct end *e, leat_err err)
{
    void *held = e->held;
    if (unlikely(cannot_go_on(e, err)))
        relay_cannot(e->home, e);
    answer(e, err);
    delivered(e, err != LEAT_UNKNOWN);
    home_unref_unlock(e->home);
    if (err != LEAT_OK && err != LEAT_UNKNOWN)
        leat_drop_(e->type, held);                   /* behind the answer: the sender, whose it still is, has its ends again by then */
    mem_free(held);
    end_unref(e);
}

static leat_err deliver(struct end **arg)
{
    struct end *e = *arg;
    leat_chan_ *c = e->c;
    leat_err err = LEAT_CANCELED;
    leat_with_cancel(ctx) {
        lock(&c->lock);
        bool now = !e->withdrawn && !e->held_refused && !e->dead;
        struct end *up = now && e->held_select ? e->home->up : NULL;
        e->deliverer = ctx;
        unlock(&c->lock);
        if (up)
            err = offer_for(up, e, e->held, held_by(e));
        else if (now)
            err = e->held_soft ? leat_try_send_(c, e->held) : leat_send_(c, e->held);
        lock(&c->lock);
        e->deliverer = NULL;
        unlock(&c->lock);
    }
    lock(&c->lock);
    deliver_end_unlock(e, err);
    return LEAT_OK;
}

/* [lock held] What becomes of an offer whose task has no stack: at a home it waits on, and meets who comes (AGAIN); a relay can only refuse
 * it, or lose it. */
static leat_err starved_fate(struct end *e, bool *waits, struct task **wake)
{
    struct home *h = e->home;
    if (e->dead || e->withdrawn || e->held_refused || leat_ctx_err() != LEAT_OK)
        return LEAT_CANCELED;
    if (h->sealing)
        return LEAT_CLOSED;
    if (h->up)
        return e->held_select || e->held_soft ? LEAT_AGAIN : LEAT_NOMEM;
    if (chan_meet_locked(e->c, e->held, wake))
        return LEAT_OK;
    *waits = true;
    return LEAT_AGAIN;
}

static leat_err deliver_task(struct end *e);

/* In place of deliver: it has no stack. */
static leat_err deliver_starved(struct end **arg)
{
    struct end *e = *arg;
    struct task *wake = NULL;
    bool waits = false;
    lock(&e->c->lock);
    leat_err err = starved_fate(e, &waits, &wake);
    if (waits) {
        unlock(&e->c->lock);
        SOMETIMES("chan.offer_starved", NULL);
        err = deliver_task(e);                       /* another time: soon */
        if (err == LEAT_OK)
            return err;
        if (err != LEAT_CANCELED)
            sess_break(e->s, err, "an offer waits, and %s", leat_err_detail());
        lock(&e->c->lock);
    }
    deliver_end_unlock(e, err);
    if (wake)
        task_ready(worker_self(), wake);
    return LEAT_OK;
}

static leat_err deliver_task(struct end *e)
{
    static const leat_site_ site = { "deliver", __FILE__, __LINE__ };
    return task_go(node_group(sess_node(e->s)), (leat_fn_ *)(void (*)(void))deliver, &site, &e, sizeof e,
        (leat_fn_ *)(void (*)(void))deliver_starved);
}

static leat_err deliver_start(struct end *e)
{
    end_ref(e);
    leat_err err = deliver_task(e);
    if (err == LEAT_OK)
        return err;
    lock(&e->c->lock);
    mem_free(e->held);
    delivered(e, true);
    home_unref_unlock(e->home);
    end_unref(e);
    return err;
}

enum fate { FATE_TAKEN, FATE_BUSY, FATE_WAITS, FATE_NONE, FATE_TWICE };

/* [lock held] What becomes of an offer.  by: the select that makes it, or null. */
static enum fate decide(struct end *e, uint8_t what, const struct chan_offer *by, const void *v, struct task **wake)
{
    struct home *h = e->home;
    if (!h || e->dead || h->sealing || e->refused_here)
        return FATE_NONE;                            /* the SEAL on its way says that it was not taken */
    if (e->delivering)
        return FATE_TWICE;
    if (!h->up && chan_meet_locked(e->c, v, wake))
        return FATE_TAKEN;
    return h->up || what == ELEM_FIRM || (by && may_wait(h, by)) ? FATE_WAITS : FATE_BUSY;       /* a relay asks further up */
}

/* [lock held] It waits in `held`; deliver_start follows. */
static void hold(struct end *e, uint8_t what, uint64_t number, const struct chan_offer *by, void *held)
{
    e->held = held;
    e->held_number = number;
    e->held_soft = what == ELEM_SOFT;
    e->held_select = by;
    e->delivering = true;
    e->withdrawn = e->held_refused = false;
    e->home->offers++;
    e->home->refs++;                                 /* the task sends as a program does: what c's net is must stay */
    if (by)
        *held_by(e) = *by;
    if (by && !e->home->up)
        ring_add(&e->home->lend, &e->lend_at);
    e->fresh = by && e->home->up;
    e->home->fresh += e->fresh;
}

static leat_err offered(struct end *e, uint8_t what, uint64_t number, const struct chan_offer *by, void *v)
{
    leat_chan_ *c = e->c;
    struct task *wake = NULL;
    void *held = mem_alloc(value_room(c) + sizeof *by);
    if (!held)
        return value_lost(e->s, FRAME_ELEM, e->type, v, leat_fail(LEAT_NOMEM, "no memory for an element of %u bytes", c->size));
    memcpy(held, v, c->size);
    lock(&c->lock);
    enum fate fate = decide(e, what, by, v, &wake);
    if (fate == FATE_TAKEN || fate == FATE_BUSY)
        end_send(e, fate == FATE_TAKEN ? FRAME_TAKEN : FRAME_BUSY, number, true);
    if (fate == FATE_BUSY)
        SOMETIMES("chan.busy", "chan.offer");
    if (fate == FATE_BUSY && by)
        met_itself(e->home, e, by);
    if (fate == FATE_WAITS)
        hold(e, what, number, by, held);
    if (fate == FATE_WAITS && !by && e->home->up)
        offer_unpledged(e->home->up, e);             /* it was invited for a select, and this is none: it must not wait for its own turn */
    if (fate <= FATE_WAITS) {
        uninvite(e->home, e);
        meet_invite(e->home);
    }
    unlock(&c->lock);
    if (wake)
        task_ready(worker_self(), wake);
    if (fate != FATE_WAITS)
        mem_free(held);
    leat_err err = fate == FATE_WAITS ? deliver_start(e) : LEAT_OK;
    if (fate == FATE_TWICE)
        err = leat_fail(LEAT_INVAL, "a second offer on end %llu", (unsigned long long)e->id);
    if (err != LEAT_OK)
        return value_lost(e->s, FRAME_ELEM, e->type, v, err);
    if (fate == FATE_BUSY || fate == FATE_NONE)
        leat_drop_(e->type, v);
    return err;
}

leat_err meet_on_offer(struct end *e, const struct elem_head *head, struct cur *bytes, struct type_part *part)
{
    void *v = ends_scratch(e->s, e->c->size);
    if (!v)
        return LEAT_NOMEM;
    LEAT_TRY(value_unpack_part(e, bytes, v, part));
    if (!cur_done(bytes))
        return value_lost(e->s, FRAME_ELEM, e->type, v, leat_fail(LEAT_INVAL, "an element with %zu bytes too many", cur_left(bytes)));
    return offered(e, head->what, head->number, head->what == ELEM_SELECT ? &head->by : NULL, v);
}

void meet_on_withdraw(struct end *e, struct cur *in)
{
    uint64_t number = cur_varint(in);
    if (!e->delivering || e->held_number != number)
        return;                                      /* the answer is on its way */
    e->withdrawn = true;
    if (e->deliverer)
        leat_cancel(e->deliverer, LEAT_CANCELED);
}
