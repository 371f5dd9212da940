/* deal.c - leat_deal: elements of a channel, dealt to workers.  See include/leat/deal.h and workers.h.
 *
 * One task, the deal's, decides everything: it takes elements in, gives each to a worker, and puts what comes back where it belongs.
 * Each element that is out has a task of its own, which is in the call; one more task hands results on, as the channel of results may
 * be full.  They come back through a list (`back`) and a poke, so nobody waits for the deal.
 * Laws
 *  taken = elements that were received and whose results are not yet in out.  An element is taken in only while taken < window x
 *      workers that are up and one of them has room, so what is out, waits again, or waits to be handed on is bounded.  One that is
 *      dealt again is not taken in again: it only needs a worker with room, so results that wait for it (ordered) do not hold it up.
 *  An element is in exactly one place: fresh, out (with its task), back, again, held, give, or free.
 *  A result is handed on once: a call answers once, and an element is dealt again only after its call has ended without an answer. */
#include <stdio.h>
#include <string.h>
#include "base/alloc.h"
#include "base/probe.h"
#include "chan/chan.h"
#include "rpc/calls.h"
#include "rpc/workers.h"
#include "run/err.h"
#include "type/error.h"

enum { WINDOW = 8, ATTEMPTS = 5 };

struct elem {
    struct elem *next;
    struct deal *d;
    struct hand *w;
    uint64_t number;
    uint32_t attempt;
    bool own, given;                                 /* own: the error is the method's; given: its result is in out */
    leat_reply *reply;                               /* how its last call ended: the head of out */
    char *in, *out;                                  /* an element of each channel, behind this record */
};

struct deal {
    leat_workers *ws;
    const leat_deal_ *what;
    leat_deal_opts opts;
    char name[CALL_NAME + 1];
    leat_group *g;
    leat_chan(char) poke;
    leat_chan(char) give_poke;
    /* lock */
    _Atomic uint32_t lock;
    struct elem *back, *give, **give_end;
    leat_err failed;                                 /* out takes no more: why */
    char failed_text[CALL_TEXT];
    /* the deal's task */
    struct elem *again, **again_end, *held, *fresh, *spare;          /* held: results behind one that is missing, by number */
    uint64_t numbered, next;                         /* numbers given; the next result, if ordered */
    uint64_t taken;
    uint32_t seen, up, turn;                         /* workers known; that are up; where to look first */
    bool ended;                                      /* in */
    leat_err torn;                                   /* and how, if not by a close */
    leat_time none_since;                            /* while up == 0 */
    char last[CALL_TEXT + WORKER_WHY];               /* the last worker that was lost, and why */
};

/* -- elements ------------------------------------------------------------------------------------------------------------------- */
static size_t round_up(size_t n) { return (n + 15) & ~(size_t)15; }

static struct elem *elem_new(struct deal *d)
{
    struct elem *e = d->spare;
    size_t head = round_up(sizeof *e), in = round_up(d->what->in_size);
    if (e)
        d->spare = e->next;
    else if (!(e = mem_alloc(head + in + d->what->out_size)))
        return NULL;
    *e = (struct elem){ .d = d, .attempt = 1, .in = (char *)e + head, .out = (char *)e + head + in };
    e->reply = memset(e->out, 0, d->what->out_size);
    return e;
}

static void *value_of(struct elem *e) { return e->out + e->d->what->value; }

static void elem_free(struct elem *e, bool has_in)
{
    if (e && has_in)
        leat_drop_(e->d->what->method->in, e->in);
    if (e && !e->given)
        leat_drop_(e->d->what->method->reply, e->out);
    mem_free(e);
}

static void list_free(struct elem *e)
{
    for (struct elem *next; e; e = next) {
        next = e->next;
        elem_free(e, true);
    }
}

static void put_back(struct elem *e)
{
    struct deal *d = e->d;
    lock(&d->lock);
    bool first = !d->back;
    e->next = d->back;
    d->back = e;
    unlock(&d->lock);
    if (first)
        workers_poke(d->ws, false);
}

/* For the end to find.  It does not poke, and so leaves the detail of the error alone. */
static void keep(struct elem *e)
{
    struct deal *d = e->d;
    lock(&d->lock);
    e->next = d->back;
    d->back = e;
    unlock(&d->lock);
}

/* -- tasks ------------------------------------------------------------------------------------------------------------------------ */
static leat_err attempt(struct elem **arg)
{
    struct elem *e = *arg;
    const leat_method *m = e->d->what->method;
    struct what w = { .p = e->w->peer, .name = e->d->name, .kind = OPEN_CALL, .in = m->in, .out = m->out, .arg = e->in,
        .dealt = { e->number, e->attempt } };
    reply_fill(e->reply, call_do(&w, value_of(e), &e->own));
    put_back(e);
    return LEAT_OK;
}

/* In place of attempt: it has no stack. */
static leat_err attempt_starved(struct elem **arg)
{
    struct elem *e = *arg;
    e->own = false;
    reply_fill(e->reply, leat_fail(LEAT_NOMEM, "'%s' was not called: no memory for a stack", e->d->name));
    put_back(e);
    return LEAT_OK;
}

static void give_failed(struct deal *d, struct elem *rest, leat_err err)
{
    lock(&d->lock);
    d->failed = err;
    snprintf(d->failed_text, sizeof d->failed_text, "%s", leat_err_detail());
    while (rest) {
        struct elem *e = rest;
        rest = e->next;
        e->next = d->back;
        d->back = e;
    }
    unlock(&d->lock);
    workers_poke(d->ws, false);
}

/* Hands results on. */
static leat_err giver(struct deal **arg)
{
    struct deal *d = *arg;
    for (char c;; ) {
        lock(&d->lock);
        struct elem *e = d->give;
        d->give = NULL;
        d->give_end = &d->give;
        unlock(&d->lock);
        if (!e && leat_recv(d->give_poke, &c) != LEAT_OK)
            return LEAT_OK;                          /* the deal is over */
        for (struct elem *next; e; e = next) {
            leat_err err = leat_send_(d->what->out, e->out);
            if (err != LEAT_OK && err != LEAT_UNKNOWN) {
                give_failed(d, e, err);
                return LEAT_OK;
            }
            e->given = true;
            next = e->next;
            put_back(e);
        }
    }
}

/* -- workers ------------------------------------------------------------------------------------------------------------------------ */
static void set_going(struct deal *d, struct hand *w)
{
    if (w->going)
        return;
    w->going = true;
    lock(&d->ws->lock);
    w->is.up = false;
    unlock(&d->ws->lock);
    if (--d->up == 0)
        d->none_since = leat_now();
}

static leat_err came(struct deal *d, struct hand *w, leat_peer *p, bool ours)
{
    hand_up(w, p, ours);
    d->up++;
    w->watched = true;
    return hand_watch_go(w, d->g);
}

/* Nothing of w is out, and its session has ended. */
static leat_err gone(struct deal *d, struct hand *w)
{
    char text[WORKER_WHY];
    leat_worker now;
    lock(&d->ws->lock);
    w->is.losses++;
    w->ended = false;
    now = w->is;
    now.again -= w->again_before;
    snprintf(text, sizeof text, "%s", w->why);
    bool worked = w->is.done > w->done_before;
    unlock(&d->ws->lock);
    snprintf(d->last, sizeof d->last, "%s: %s", hand_text(w), text);
    if (w->ours)
        leat_peer_close(w->peer);
    w->peer = NULL;
    w->ours = w->watched = false;
    w->pause_ms = worked || !w->pause_ms ? WORKER_PAUSE_MS : MIN(w->pause_ms * 2, (uint32_t)WORKER_PAUSE_MAX_MS);
    if (BUGGIFY("deal.pause_long"))
        w->pause_ms = WORKER_PAUSE_MAX_MS;
    if (d->opts.lost)
        d->opts.lost(d->opts.self, &now, d->last);
    return w->url[0] ? hand_dial_go(w, d->g) : LEAT_OK;
}

static leat_err look_at(struct deal *d, struct hand *w)
{
    lock(&d->ws->lock);
    leat_peer *fresh = w->fresh;
    w->fresh = NULL;
    bool ended = w->ended;
    uint32_t out = w->is.out;
    unlock(&d->ws->lock);
    if (fresh)
        return came(d, w, fresh, true);
    if (ended)
        set_going(d, w);
    return ended && out == 0 ? gone(d, w) : LEAT_OK;
}

static leat_err meet(struct deal *d, struct hand *w)
{
    if (w->peer)
        return came(d, w, w->peer, w->ours);
    return w->fresh ? LEAT_OK : hand_dial_go(w, d->g);
}

static leat_err look_at_all(struct deal *d)
{
    lock(&d->ws->lock);
    bool news = d->ws->news;
    d->ws->news = false;
    uint32_t n = d->ws->n;
    unlock(&d->ws->lock);
    while (d->seen < n)
        LEAT_TRY(meet(d, d->ws->at[d->seen++]));
    for (uint32_t i = 0; news && i < n; i++)
        LEAT_TRY(look_at(d, d->ws->at[i]));
    return LEAT_OK;
}

/* The worker with room that has the least; NULL: none has room. */
static struct hand *pick(struct deal *d)
{
    struct hand *best = NULL;
    for (uint32_t i = 0; i < d->seen; i++) {
        struct hand *w = d->ws->at[(d->turn + i) % d->seen];
        if (w->peer && !w->going && w->is.out < d->opts.window && (!best || w->is.out < best->is.out))
            best = w;
    }
    return best;
}

static leat_err deal_to(struct deal *d, struct hand *w, struct elem *e)
{
    static const leat_site_ site = { "leat_deal", __FILE__, __LINE__ };
    e->w = w;
    d->turn = w->index + 1;
    lock(&d->ws->lock);
    w->is.out++;
    w->is.dealt++;
    unlock(&d->ws->lock);
    leat_err err = task_go(d->g, (leat_fn_ *)(void (*)(void))attempt, &site, &e, sizeof e, (leat_fn_ *)(void (*)(void))attempt_starved);
    if (err == LEAT_OK)
        return err;
    keep(e);
    return leat_wrap(err, "element %llu", (unsigned long long)e->number);
}

/* -- what came back ------------------------------------------------------------------------------------------------------------------ */
static void pass_on(struct deal *d, struct elem *e)
{
    e->reply->worker = e->w->index;
    e->reply->attempt = e->attempt;
    e->reply->number = e->number;
    e->next = NULL;
    lock(&d->lock);
    bool first = !d->give;
    *d->give_end = e;
    d->give_end = &e->next;
    unlock(&d->lock);
    if (first)
        leat_ignore(leat_try_send(d->give_poke, 0));
}

static void finished(struct deal *d, struct elem *e)
{
    struct elem **at = &d->held;
    if (!d->opts.ordered) {
        pass_on(d, e);
        return;
    }
    while (*at && (*at)->number < e->number)
        at = &(*at)->next;
    e->next = *at;
    *at = e;
    while ((e = d->held) && e->number == d->next) {
        d->held = e->next;
        d->next++;
        pass_on(d, e);
    }
}

/* The element has failed for good: a result, or the end. */
static leat_err failed(struct deal *d, struct elem *e, bool of_element)
{
    leat_reply *r = e->reply;
    r->err = r->why;
    if (r->error.code != LEAT_OK)
        r->error.code = r->err;
    if (of_element && d->opts.errors) {
        finished(d, e);
        return LEAT_OK;
    }
    leat_err err = leat_wrap(leat_reply_err(r), "element %llu", (unsigned long long)e->number);
    keep(e);
    return err;
}

/* Whether it is the worker that has failed, and not the element.  *ran: the method may have run. */
static bool is_lost(const struct elem *e, bool *ran)
{
    const leat_reply *r = e->reply;
    *ran = r->err == LEAT_UNKNOWN;
    return e->own ? r->err == LEAT_UNKNOWN && r->why == LEAT_CANCELED : r->err == LEAT_UNKNOWN || r->err == LEAT_PEER_LOST;
}

/* The last loss is the cause. */
static void lost_too_often(struct elem *e)
{
    char text[80], detail[sizeof e->reply->detail];
    leat_reply *r = e->reply;
    snprintf(text, sizeof text, "%u workers in a row were lost with it, the last one", e->attempt);
    snprintf(detail, sizeof detail, "%s: %.*s", text, (int)(sizeof detail - sizeof text - 2), r->detail);
    memcpy(r->detail, detail, sizeof detail);
    if (r->error.code == LEAT_OK || leat_error_wrap(&r->error, LEAT_LIMIT, text) != LEAT_OK)
        leat_error_drop(&r->error);
    r->err = r->why = LEAT_LIMIT;
}

static leat_err lost(struct deal *d, struct elem *e, bool ran)
{
    if (!e->own)
        set_going(d, e->w);
    lock(&d->ws->lock);
    e->w->is.again++;
    unlock(&d->ws->lock);
    if (ran && e->attempt == d->opts.max_attempts) {
        lost_too_often(e);
        return failed(d, e, true);
    }
    leat_error_drop(&e->reply->error);
    e->attempt += ran;
    e->next = NULL;
    *d->again_end = e;
    d->again_end = &e->next;
    return LEAT_OK;
}

static leat_err came_back(struct deal *d, struct elem *e)
{
    bool ran;
    if (e->given) {
        leat_drop_(d->what->method->in, e->in);
        e->next = d->spare;
        d->spare = e;
        d->taken--;
        return LEAT_OK;
    }
    lock(&d->ws->lock);
    e->w->is.out--;
    e->w->is.done += e->reply->err == LEAT_OK;
    d->ws->news |= e->w->ended;
    unlock(&d->ws->lock);
    if (e->reply->err == LEAT_OK) {
        finished(d, e);
        return LEAT_OK;
    }
    if (is_lost(e, &ran))
        return lost(d, e, ran);
    leat_err err = e->reply->err;
    return failed(d, e, (e->own && err != LEAT_CANCELED) || err == LEAT_LIMIT || err == LEAT_NOMEM);
}

static leat_err look_at_back(struct deal *d)
{
    lock(&d->lock);
    struct elem *e = d->back;
    d->back = NULL;
    leat_err err = d->failed;
    unlock(&d->lock);
    if (err != LEAT_OK)
        err = leat_fail(err, "the channel of results: %s", d->failed_text);
    if (err == LEAT_OK)
        err = leat_ctx_err();                        /* what comes back after a cancel says nothing of its worker */
    for (struct elem *next; e; e = next) {
        next = e->next;
        if (err == LEAT_OK)
            err = came_back(d, e);
        else
            keep(e);
    }
    return err;
}

/* -- the deal's task ------------------------------------------------------------------------------------------------------------------- */
static leat_err take_in(struct deal *d)
{
    struct elem *e = d->fresh;
    d->fresh = NULL;
    e->number = d->numbered++;
    d->taken++;
    return deal_to(d, pick(d), e);
}

static leat_err deal_again(struct deal *d)
{
    struct hand *w;
    while (d->again && (w = pick(d))) {
        struct elem *e = d->again;
        if (!(d->again = e->next))
            d->again_end = &d->again;
        LEAT_TRY(deal_to(d, w, e));
    }
    return LEAT_OK;
}

static leat_err no_worker(struct deal *d)
{
    for (uint32_t i = 0; !d->last[0] && i < d->seen; i++) {          /* none was ever there */
        const struct hand *w = d->ws->at[i];
        lock(&d->ws->lock);
        snprintf(d->last, sizeof d->last, "%s: %s", w->url, w->why);
        unlock(&d->ws->lock);
    }
    return leat_fail(LEAT_PEER_LOST, "no worker is left: %s", d->last[0] ? d->last : "there was none");
}

static leat_err wait(struct deal *d)
{
    bool take = !d->ended && !d->again && d->taken < (uint64_t)d->opts.window * d->up && pick(d), got = false, end = false, late = false;
    bool none = d->up == 0 && d->opts.give_up.ns > 0;
    leat_dur left = { none ? d->opts.give_up.ns - leat_since(d->none_since).ns : 0 };
    leat_err err;
    char c;
    if (take && !d->fresh && !(d->fresh = elem_new(d)))
        return leat_fail(LEAT_NOMEM, "no memory for an element");
    leat_select(err) {
        leat_on_recv(d->poke, &c) { }
        LEAT_CASE_(__COUNTER__, 'r', take ? d->what->in : NULL, take ? d->fresh->in : NULL, NULL, 0) { got = true; }
        LEAT_CASE_(__COUNTER__, 'c', d->ended ? NULL : d->what->in, NULL, NULL, 0) { end = true; }
        if (none)
            leat_on_after(left) { late = true; }
    }
    if (err == LEAT_OK && end) {
        d->ended = true;
        err = leat_try_recv_(d->what->in, NULL);     /* there is nothing: it says why */
        d->torn = err == LEAT_CLOSED ? LEAT_OK : err;
        return LEAT_OK;
    }
    if (err == LEAT_OK && late)
        return no_worker(d);
    return err == LEAT_OK && got ? take_in(d) : err;
}

static leat_err deal(struct deal *d)
{
    static const leat_site_ site = { "leat_deal results", __FILE__, __LINE__ };
    LEAT_TRY(task_go_begun(d->g, (leat_fn_ *)(void (*)(void))giver, &site, &d, sizeof d));
    for (;;) {
        LEAT_TRY(look_at_back(d));
        LEAT_TRY(look_at_all(d));
        LEAT_TRY(deal_again(d));
        if (d->ended && d->taken == 0)
            return d->torn == LEAT_OK ? LEAT_OK : leat_fail(d->torn, "the channel of elements: a sender was lost");
        LEAT_TRY(wait(d));
    }
}

static leat_err run(struct deal *d)
{
    leat_err err;
    leat_with_group(g, err) {
        d->g = &g;
        err = deal(d);
        leat_group_cancel(&g);                       /* those who watch and dial, and on a failure what is out */
    }
    list_free(d->again);
    list_free(d->held);
    list_free(d->give);
    list_free(d->back);
    elem_free(d->fresh, false);
    for (struct elem *next, *e = d->spare; e; e = next) {
        next = e->next;
        mem_free(e);
    }
    return err;
}

static leat_err begin(struct deal *d)
{
    leat_workers *ws = d->ws;
    lock(&ws->lock);
    bool busy = ws->poke != NULL;
    if (!busy) {
        ws->poke = (leat_chan_ *)d->poke;
        ws->news = true;
    }
    unlock(&ws->lock);
    return busy ? leat_fail(LEAT_INVAL, "leat_deal: a deal with these workers is under way") : LEAT_OK;
}

static void end(struct deal *d)
{
    leat_workers *ws = d->ws;
    lock(&ws->lock);
    ws->poke = NULL;
    for (uint32_t i = 0; i < ws->n; i++)
        ws->at[i]->is.out = 0;
    unlock(&ws->lock);
}

static leat_err check(leat_workers *ws, const leat_deal_ *what)
{
    if (!ws || !what->in || !what->out)
        return leat_fail(LEAT_INVAL, "leat_deal: no %s", !ws ? "workers" : !what->in ? "channel of elements" : "channel of results");
    return LEAT_OK;
}

leat_err leat_deal_run_(leat_workers *ws, const leat_deal_ *what, const leat_deal_opts *opts, size_t opts_size)
{
    LEAT_TRY(check(ws, what));
    leat_auto leat_chan(char) poke = leat_chan_make(char, 1);
    leat_auto leat_chan(char) give_poke = leat_chan_make(char, 1);
    struct deal *d = mem_zalloc(sizeof *d);
    leat_err err = poke && give_poke && d ? LEAT_OK : leat_fail(LEAT_NOMEM, "leat_deal: no memory");
    if (err == LEAT_OK) {
        d->ws = ws;
        d->what = what;
        d->poke = poke;
        d->give_poke = give_poke;
        d->give_end = &d->give;
        d->again_end = &d->again;
        d->none_since = leat_now();
        if (opts)
            memcpy(&d->opts, opts, MIN(opts_size, sizeof d->opts));
        d->opts.window = d->opts.window ? d->opts.window : WINDOW;
        d->opts.max_attempts = d->opts.max_attempts ? d->opts.max_attempts : ATTEMPTS;
        if (!call_name(d->name, what->service, what->method->name))
            err = leat_fail(LEAT_LIMIT, "leat_deal: a name has at most %d bytes", CALL_NAME);
    }
    if (err == LEAT_OK && (err = begin(d)) == LEAT_OK) {
        chan_describe(what->out, what->method->reply, leat_drop_);
        err = run(d);
        end(d);
    }
    mem_free(d);
    return err;
}
