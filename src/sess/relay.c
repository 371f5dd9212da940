/* relay.c - a site through which others send: an end that was passed on to a third node.
 *
 * The site of a channel here (`up` is its end) has a struct home below it, with an end for each session that sends through it.  Those
 * ends see a home: it grants credits, which are credits of the site; what they send is put behind what the site has sent, in its lane.
 * Laws (under the channel's lock)
 *  1. count (credits the site used) + reserved (credits of those behind it) <= cap; the rest is idle.
 *  2. `accepted` of an end behind the site is what the home has of its elements, not what has come here, so that a flush means the same
 *     through any number of relays.  The ring of runs says whose the elements under way are.
 *  3. SEALED, FINISH and DROP go up when all behind the site have said theirs (relay_waits).
 *  4. The loss of one behind it goes up as TORN; the loss of what is above goes down as SEAL(PEER_LOST), with who and how much arrived. */
#include <assert.h>
#include <string.h>
#include "base/alloc.h"
#include "base/probe.h"
#include "run/err.h"
#include "sess/emit.h"
#include "sess/home.h"
#include "sess/value.h"
#include "type/codec.h"

enum { RELAYS_MAX = 8, TEXT_MAX = 200, PATH_MAX_ = RELAYS_MAX * (LIMIT_NODE_NAME + 2) };

leat_err relay_record(struct end *e)
{
    if (!e->relay)
        e->relay = mem_zalloc(sizeof *e->relay);
    return e->relay ? LEAT_OK : leat_fail(LEAT_NOMEM, "no memory for a relay");
}

void relay_free(struct end *e)
{
    struct relay *r = e->relay;
    if (!r)
        return;
    if (r->below) {
        if (r->below->held)
            chan_net_unref(e->c);
        home_free(r->below);
    }
    given_settle(r->given, true);
    mem_free(r->lost);
    mem_free(r->path);
    mem_free(r->run);
    mem_free(r);
}

/* -- whose the elements under way are ------------------------------------------------------------------------------------------ */
static bool run_room(struct relay *r)
{
    if (r->run_n < r->run_cap)
        return true;
    uint32_t cap = r->run_cap ? r->run_cap * 2 : 16;
    struct run *more = mem_alloc(cap * sizeof *more);
    if (!more)
        return false;
    for (uint32_t i = 0; i < r->run_n; i++)
        more[i] = r->run[(r->run_at + i) & (r->run_cap - 1)];
    mem_free(r->run);
    r->run = more;
    r->run_cap = cap;
    r->run_at = 0;
    return true;
}

static bool run_add(struct relay *r, struct end *from, uint64_t count, uint64_t bytes)
{
    struct run *last = r->run_n ? &r->run[(r->run_at + r->run_n - 1) & (r->run_cap - 1)] : NULL;
    if (!last || last->from != from) {
        if (!run_room(r))
            return false;
        last = &r->run[(r->run_at + r->run_n++) & (r->run_cap - 1)];
        *last = (struct run){ .from = from };
    }
    last->count += count;
    last->bytes += bytes;
    return true;
}

void relay_sent(struct end *e)
{
    struct relay *r = e->relay;
    if (r->below && !run_add(r, r->passing, 1, r->passing_bytes))
        sess_break(e->s, LEAT_NOMEM, "no memory for elements that are passed on");
}

void relay_accepted(struct end *e, uint64_t n)
{
    struct relay *r = e->relay;
    while (n && r->run_n) {
        struct run *x = &r->run[r->run_at];
        uint64_t k = MIN(n, x->count), bytes = x->bytes / x->count * k + x->bytes % x->count * k / x->count;
        if (x->from) {
            x->from->accepted += k;
            x->from->bytes += bytes;
            x->from->grant_due = true;               /* at once: what waits for a window or a flush is behind several of us */
            end_due(x->from);
        }
        x->count -= k;
        x->bytes -= bytes;
        n -= k;
        if (x->count == 0) {
            r->run_at = (r->run_at + 1) & (r->run_cap - 1);
            r->run_n--;
        }
    }
}

/* -- becoming a relay ------------------------------------------------------------------------------------------------------------ */
leat_err relay_make_locked(leat_chan_ *c)
{
    struct end *e = (struct end *)(void *)c->net;
    LEAT_TRY(relay_record(e));
    if (e->relay->below)
        return LEAT_OK;
    struct home *h = mem_zalloc(sizeof *h);
    if (!h || (e->sent > e->accepted && !run_add(e->relay, NULL, e->sent - e->accepted, 0))) {
        mem_free(h);
        return leat_fail(LEAT_NOMEM, "no memory for a relay");
    }
    GAUGE("homes", 1);
    SOMETIMES("relay.made", NULL);
    h->c = c;
    h->up = e;
    h->refs = 1;
    home_lists_init(h);
    h->sealing = c->closed;
    h->lost = c->err == LEAT_PEER_LOST;
    if (h->lost)
        home_torn_locked(h, e->relay->lost ? e->relay->lost : sess_text(e->s));
    e->relay->below = h;
    return LEAT_OK;
}

/* -- the end, and losses --------------------------------------------------------------------------------------------------------- */
void relay_seal(struct home *h, leat_err why)
{
    bool again = h->sealing && why == LEAT_PEER_LOST && !h->lost;    /* closed, and then lost: they still wait to learn what arrived */
    h->lost |= why == LEAT_PEER_LOST;
    if (!h->sealing)
        (void)home_seal_begin(h, why);
    for (struct end *e = again ? h->ends : NULL; e; e = e->next)
        if (!e->refused_here)
            home_seal_one(e, why);
}

void home_torn_locked(struct home *h, const char *who)
{
    mem_free(h->torn_text);
    h->torn = true;
    h->torn_text = mem_strdup(who);
}

void relay_torn(struct home *h, const char *who)
{
    bool first = !h->torn;
    home_torn_locked(h, who);
    if (first && h->up)                              /* a channel is torn once, however often one behind it says so */
        site_torn_locked(h->up);
}

void relay_on_torn(struct home *h, struct cur *in)
{
    size_t n;
    const char *who = cur_text(in, &n);
    char text[TEXT_MAX];
    if (in->bad || n >= sizeof text) {
        cur_fail(in);
        return;
    }
    sess_show(text, sizeof text, who, n);
    relay_torn(h, text);
}

/* -- a receive end leaves ------------------------------------------------------------------------------------------------------- */
leat_err relay_may_leave(leat_chan_ *c, const char *me)
{
    const struct home *h = home_at(c);
    if (at_load(&c->rq.head) || at_load(&c->cq.head) || (h && at_load(&h->away.head)))
        return leat_fail(LEAT_REFUSED, "a receive end cannot move while a task waits on it");
    if (c->lone > 1)
        return leat_fail(LEAT_REFUSED, "a receive end cannot move while there is another one of its channel: let go of that first");
    if (h && h->left_n >= RELAYS_MAX)
        return leat_fail(LEAT_LIMIT, "a receive end that has left more than %d nodes: %s, %s", RELAYS_MAX, me, h->left);
    return LEAT_OK;
}

leat_err relay_room(struct end *e)
{
    LEAT_TRY(relay_record(e));
    return run_room(e->relay) ? LEAT_OK : leat_fail(LEAT_NOMEM, "no memory for a relay");
}

leat_err relay_prepare(struct end *e) { return home_at(e->c) ? relay_room(e) : LEAT_OK; }

/* Slots become credits: what is reserved for sites stays so, what is free is idle. */
void relay_becomes(struct end *e)
{
    leat_chan_ *c = e->c;
    struct home *h = home_at(c);
    if (!h)
        return;
    e->relay->below = h;
    h->up = e;
    h->held = true;
    h->recalled = false;
    c->net = NULL;
    at_store(&c->needy, 0);
    e->relay->torn_due = h->torn;
    if (c->closed && !h->sealing)
        relay_seal(h, LEAT_CLOSED);
}

void relay_left(struct home *h, struct end *e)
{
    struct relay *r = h->up ? h->up->relay : NULL;
    for (uint32_t i = 0; r && i < r->run_n; i++) {
        struct run *x = &r->run[(r->run_at + i) & (r->run_cap - 1)];
        if (x->from == e)
            x->from = NULL;
    }
    home_answered(e);
}

bool relay_waits(const struct end *e)
{
    const struct home *h = relay_below(e);
    return h && ((h->sealing && h->unsealed) || h->offers);
}

bool relay_holds(const struct end *e, const void *v)
{
    const struct home *h = relay_below(e);
    for (const struct end *x = h ? h->ends : NULL; x; x = x->next)
        if (x->delivering && x->held == v)
            return true;
    return false;
}

/* -- credits --------------------------------------------------------------------------------------------------------------------- */
uint64_t relay_needs(const struct end *e)
{
    const struct home *h = relay_below(e);
    uint64_t n = 0;
    for (const struct end_link *x = h ? h->need.next : NULL; x && x != &h->need; x = x->next)
        n += container_of(x, struct end, need_at)->need;
    return n;
}

struct waiter *relay_credit(struct end *e, uint32_t n)
{
    struct home *h = e->relay->below;
    leat_chan_ *c = e->c;
    uint32_t theirs = !h->needy || c->closed ? 0 : at_load(&c->sq.head) ? (n + (c->turn ^= 1)) / 2 : n;
    bool came = n;
    h->recalled &= !came;
    at_store(&c->count, at_load(&c->count) - theirs);
    while (theirs && h->needy) {
        uint32_t k = home_grant_next(h, theirs);
        c->reserved += k;
        theirs -= k;
        n -= k;
    }
    struct waiter *wake = chan_credit_locked(c, n - theirs);
    if (came) {
        site_promise(e);
        relay_answer(e, h->needy || at_load(&c->sq.head) ? ANSWER_ALL : ANSWER_SHARE);
    }
    home_serve(h);
    return wake;
}

void relay_told(struct home *h)
{
    for (struct end *x = h->asking ? h->ends : NULL; x; x = x->next)
        x->told = x->asked;
}

void relay_answer(struct end *e, enum relay_answer how)
{
    struct home *h = e->relay->below;
    for (struct end *x = h->asking ? h->ends : NULL; x; x = x->next) {
        if (!x->asked)
            continue;
        if (!e->c->closed && chan_reserve_locked(e->c, 1)) {
            home_grant(x, 1);
        } else if (!e->c->closed && (how == ANSWER_NONE ? !x->told : how == ANSWER_SHARE)) {
            site_ask_up(e);                          /* the home does not know of it; or has more than came */
        } else {
            home_answered(x);
            x->none_due = true;
            end_due(x);
        }
    }
}

void relay_recalled(struct end *e)
{
    struct home *h = e->relay->below;
    h->recalled = e->c->reserved > 0;
    if (h->recalled)
        home_recall(h, NULL);
}

/* -- elements -------------------------------------------------------------------------------------------------------------------- */
void relay_cannot(struct home *h, struct end *e)
{
    relay_torn(h, leat_err_detail());
    e->refused_here = true;
    home_seal_one(e, LEAT_PEER_LOST);
}

leat_err relay_take_unlock(struct home *h, struct end *e, void *v, size_t bytes)
{
    leat_chan_ *c = e->c;
    struct relay *r = h->up->relay;
    const leat_type *t = e->type;
    struct sess *s = h->up->ends_inside ? h->up->s : NULL;
    leat_err err;
    for (;; cpu_pause()) {
        r->passing = e;
        r->passing_bytes = bytes;
        err = e->refused_here ? LEAT_PEER_LOST : site_put_locked(h->up, v);
        r->passing = NULL;
        r->passing_bytes = 0;
        if (err != LEAT_AGAIN)
            break;
        unlock(&c->lock);                            /* who has a channel of the value may need this one */
        lock(&c->lock);
    }
    e->out--;
    c->reserved--;
    home_used(e);
    if (err == LEAT_OK)
        at_store(&c->count, at_load(&c->count) + 1);
    else if (err != LEAT_PEER_LOST)
        relay_cannot(h, e);
    bool took = err == LEAT_OK && emit_took_locked(h->up, v);
    if (unlikely(s != NULL))
        sess_ref(s);                                 /* the site may go as soon as it is not locked */
    unlock(&c->lock);
    if (err == LEAT_OK && !took)
        type_moved(t, v);
    if (unlikely(s != NULL)) {
        value_moved(s);
        sess_unref(s);
    }
    if (err != LEAT_OK)
        leat_drop_(t, v);
    return LEAT_OK;
}

/* -- the way to the home --------------------------------------------------------------------------------------------------------- */
static const char *path_of(const struct end *e) { return e->relay && e->relay->path ? e->relay->path : ""; }

leat_err relay_way(const struct end *e, const char *to)
{
    if (!e->relay || e->relay->hops < RELAYS_MAX)
        return LEAT_OK;
    return leat_fail(LEAT_LIMIT, "a send end that %s would reach through more than %d relays in a row: %s, %s", to, RELAYS_MAX,
        node_name(sess_node(e->s)), path_of(e));
}

static void way_out(const char *me, unsigned hops, const char *far, struct buf *out)
{
    size_t n = strlen(me), k = strlen(far);
    buf_u8(out, (uint8_t)(1 + hops));
    buf_varint(out, n + (k ? k + 2 : 0));
    buf_put(out, me, n);
    if (k)
        buf_put(out, ", ", 2);
    buf_put(out, far, k);
}

void relay_path_out(const struct end *e, struct buf *out)
{
    way_out(node_name(sess_node(e->s)), e->relay ? e->relay->hops : 0, path_of(e), out);
}

void relay_left_out(const leat_chan_ *c, const char *me, struct buf *out)
{
    const struct home *h = home_at(c);
    way_out(me, h ? h->left_n : 0, h && h->left ? h->left : "", out);
}

leat_err relay_left_set(struct home *h, const struct relay_way *w)
{
    h->left_n = w->hops;
    if (!(h->left = mem_zalloc(w->len + 1)))
        return leat_fail(LEAT_NOMEM, "no memory for a channel");
    sess_show(h->left, w->len + 1, w->path, w->len);
    return LEAT_OK;
}

leat_err relay_path_in(struct cur *in, struct relay_way *ret)
{
    ret->hops = cur_u8(in);
    ret->path = cur_text(in, &ret->len);
    if (in->bad || ret->hops == 0 || ret->hops > RELAYS_MAX || ret->len >= PATH_MAX_)
        return leat_fail(LEAT_INVAL, "a malformed way to an end of a channel");
    return LEAT_OK;
}

leat_err relay_path_set(struct end *e, const struct relay_way *w)
{
    LEAT_TRY(relay_record(e));
    e->relay->hops = w->hops;
    if (!(e->relay->path = mem_zalloc(w->len + 1)))
        return leat_fail(LEAT_NOMEM, "no memory for a relay");
    sess_show(e->relay->path, w->len + 1, w->path, w->len);
    return LEAT_OK;
}
