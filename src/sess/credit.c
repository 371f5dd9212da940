/* credit.c - the credits of a home: who gets a free slot, who is lent more, and how they come back.  Laws: home.c. */
#include "base/probe.h"
#include "sess/home.h"

void home_lists_init(struct home *h)
{
    h->need = (struct end_link){ &h->need, &h->need };
    h->lend = (struct end_link){ &h->lend, &h->lend };
    h->lent = (struct end_link){ &h->lent, &h->lent };
}

/* -- lists ------------------------------------------------------------------------------------------------------------------- */
struct end *home_needs_first(struct home *h) { return ring_first(&h->need, struct end, need_at); }
static struct end *lends_first(struct home *h) { return ring_first(&h->lend, struct end, lend_at); }

void home_need_add(struct home *h, struct end *e)
{
    h->needy += !e->need_at.next;
    ring_add(&h->need, &e->need_at);
}

void home_need_del(struct home *h, struct end *e)
{
    h->needy -= e->need_at.next != NULL;
    ring_del(&e->need_at);
}

static void lend_add(struct home *h, struct end *e) { ring_add(&h->lend, &e->lend_at); }

/* After credits of e have been used or given back. */
void home_used(struct end *e)
{
    if (!e->out)
        ring_del(&e->lent_at);
}

void home_lists_del(struct home *h, struct end *e)
{
    home_need_del(h, e);
    ring_del(&e->lend_at);
    ring_del(&e->lent_at);
}

/* -- credits ------------------------------------------------------------------------------------------------------------------ */
/* n reserved slots of h are free. */
static void unreserve(struct home *h, uint32_t n)
{
    if (!h->up) {
        chan_unreserve_locked(h->c, n);
        return;
    }
    h->c->reserved -= n;
    chan_wake(chan_credit_locked(h->c, 0));
}

void home_answered(struct end *e)
{
    e->home->asking -= e->asked;
    e->asked = false;
}

void home_grant(struct end *e, uint32_t n)
{
    e->granted += n;
    e->out += n;
    e->recalled = false;
    e->grant_due = true;
    home_answered(e);
    ring_add(&e->home->lent, &e->lent_at);
    end_due(e);
}

uint32_t home_grant_next(struct home *h, uint32_t n)
{
    struct end *e = home_needs_first(h);
    uint32_t share = MAX(n / h->needy, (uint32_t)1), k = MIN(e->need, share);
    home_need_del(h, e);
    home_grant(e, k);
    if (e->need -= k)
        home_need_add(h, e);
    else if (e->want)
        lend_add(h, e);
    return k;
}

/* Takes idle credits back from every site but `from`, each once between two grants to it. */
void home_recall(struct home *h, const struct end *from)
{
    for (struct end_link *next, *x = h->lent.next; x != &h->lent; x = next) {
        struct end *e = container_of(x, struct end, lent_at);
        next = x->next;
        if (e == from)
            continue;
        SOMETIMES("chan.recall", "chan.need");
        e->recalled = e->recall_due = true;
        e->want = MIN(e->want, (uint32_t)1);         /* still 0 of who only asks: he does not stream */
        ring_del(x);
        end_due(e);
    }
}

/* How many credits may be out that nobody waits for: not the last slot, unless there is one site only: then who else wants it is here,
 * and has it back after one round trip. */
static uint32_t lend_max(const struct home *h)
{
    bool one = h->up || (h->ends && !h->ends->next);
    return h->c->cap - (one ? 0 : MIN(h->c->cap, (uint32_t)1));
}

/* What is worth a GRANT of its own to e, or every receive would be a frame. */
static uint32_t handful(const struct end *e) { return MAX(e->want / 4, (uint32_t)1); }

static void lend(struct home *h)
{
    uint32_t most = lend_max(h);
    leat_chan_ *c = h->c;
    for (struct end *e; (e = lends_first(h)); ) {
        uint32_t room = most - MIN(most, (uint32_t)c->reserved), n = e->want - MIN(e->want, e->out);
        uint32_t free_ = c->cap - at_load(&c->count) - c->reserved;
        if (n && !e->grant_due && MIN(room, free_) < handful(e))
            return;                                  /* but with one that is due anyway */
        if (n && !MIN(room, free_))
            return;
        ring_del(&e->lend_at);
        if ((n = chan_reserve_locked(c, MIN(n, room))))
            home_grant(e, n);
        if (e->grant_due && e->out < e->want)
            lend_add(h, e);                          /* more of it, until that one leaves */
        if (lends_first(h) == e)
            return;
    }
}

static void check_laws(const struct home *h)
{
    uint64_t out = 0;
    for (const struct end *e = h->ends; e; e = e->next)
        out += e->out;
    LAW(out == h->c->reserved);
    LAW((uint64_t)at_load(&h->c->count) + h->c->reserved <= h->c->cap);
    LAW(!h->sealing || !at_load(&h->c->needy));
}

/* Free slots: to those who wait here and to the needy in turn, many at once in shares. */
static void hand_out(struct home *h)
{
    leat_chan_ *c = h->c;
    for (uint32_t n; (h->needy || at_load(&c->sq.head)) && (n = chan_reserve_locked(c, c->cap)); ) {
        uint32_t here = !at_load(&c->sq.head) ? 0 : h->needy ? n / 2 + (n & (c->turn ^= 1)) : n;
        if (here)
            unreserve(h, here);                      /* takes them to the senders; if those are fewer, the next round finds the rest */
        for (n -= here; n && h->needy; )
            n -= home_grant_next(h, n);
        if (n)
            unreserve(h, n);
    }
}

/* Whoever waits, nobody else keeps credits that he does not use. */
static void check_recalled(const struct home *h)
{
    bool here = at_load(&h->c->sq.head);
    for (struct end_link *x = h->lent.next; !h->sealing && (h->needy || here) && x != &h->lent; x = x->next)
        LAW(!here && h->needy == 1 && container_of(x, struct end, lent_at) == home_needs_first((struct home *)(uintptr_t)h));
}

/* Slots may be free: to who waits for one, then to those who stream. */
void home_serve(struct home *h)
{
    leat_chan_ *c = h->c;
    if (unlikely(probe_on))
        check_laws(h);
    if (c->cap == 0) {
        meet_invite(h);
        return;
    }
    if (!h->sealing) {
        hand_out(h);
        bool here = at_load(&c->sq.head);
        if (h->needy || here)
            home_recall(h, h->needy == 1 && !here ? home_needs_first(h) : NULL);
        else if (BUGGIFY("home.recall_early"))
            home_recall(h, NULL);
        else if (!h->recalled && !BUGGIFY("home.lend_nothing"))
            lend(h);
    }
    if (unlikely(probe_on))
        check_recalled(h);
    if (h->up) {
        site_served(h->up);
        return;
    }
    struct end *idle = lends_first(h);
    at_store(&c->needy, !h->sealing && (h->needy || idle));
    c->needy_at = h->needy || !idle ? 1 : handful(idle);
}

void home_on_need(struct home *h, struct end *e, struct cur *in)
{
    uint64_t count = cur_varint(in), seen = cur_varint(in);
    bool ask = cur_u8(in);
    leat_chan_ *c = h->c;
    if (in->bad || seen > e->granted) {
        cur_fail(in);
        return;
    }
    if (c->cap == 0) {
        meet_on_need(h, e, count);
        return;
    }
    SOMETIMES("chan.need", NULL);
    uint64_t coming = e->granted - seen, was = e->granted;
    e->need = count <= coming ? 0 : (uint32_t)MIN(count - coming, (uint64_t)UINT32_MAX);
    if (count && seen >= e->grown && e->want < lend_max(h)) {         /* it has run dry: of the want's present size for the first time */
        e->want = e->want ? MIN(e->want * 2, lend_max(h)) : MIN(lend_max(h), (uint32_t)8);
        e->grown = e->granted + 1;
    }
    if (e->need)
        home_need_add(h, e);
    else
        home_need_del(h, e);
    if (!e->need && e->want > 1)
        lend_add(h, e);
    if (ask && !e->need && !coming && !h->sealing && chan_reserve_locked(c, 1))
        home_grant(e, 1);                            /* before it is lent to others, who may not use it */
    home_serve(h);
    if (!ask || e->granted != was)
        return;
    if (coming) {                                    /* that is its answer; who does not get any of it there asks once more */
        e->grant_due = true;
        end_due(e);
        return;
    }
    if (h->up && !h->sealing && !sess_is_down(h->up->s)) {
        h->asking += !e->asked;
        e->told &= e->asked;
        e->asked = true;
        home_recall(h, e);
        site_ask_up(h->up);
    } else {
        SOMETIMES("chan.none", "chan.need");
        e->none_due = true;
        home_recall(h, e);
        end_due(e);
    }
}

/* n credits have come back. */
void home_take_back(struct home *h, struct end *e, uint32_t n)
{
    e->out -= n;
    home_used(e);
    h->c->reserved -= n;
    home_serve(h);
}

void home_on_return(struct home *h, struct end *e, struct cur *in)
{
    uint64_t total = cur_varint(in), n = total - e->returned;
    if (in->bad || total < e->returned || n > e->out) {
        cur_fail(in);
        return;
    }
    if (h->c->cap == 0) {
        poll_answered(h, e);
        return;
    }
    e->returned = total;
    home_take_back(h, e, (uint32_t)n);
}

/* [locked] After elements of e have been taken. */
void home_taken_locked(struct home *h, struct end *e)
{
    home_used(e);
    if (e->want && e->out <= e->want / 2 && !h->sealing) {
        lend_add(h, e);
        home_serve(h);
    }
}

void home_joined_locked(struct home *h, struct end *e)
{
    if (e->out)
        ring_add(&h->lent, &e->lent_at);
}
