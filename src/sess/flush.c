/* flush.c - what became of what was sent: leat_node_flush, and what a session leaves in doubt when it ends.
 *
 * A flush asks each end of a channel as leat_flush does, then waits until all that was committed to the session before is written and
 * acknowledged; a PING behind it brings the acknowledgement.
 * Laws
 *  What is in doubt is counted once, by the reader, when its session has ended (sess_tally), and told once: by a flush, by the close of
 *  the node, or by leat_peer_close of that session.
 *  An end that goes takes its count along, so what it had sent and the peer may not have is kept in two sums (struct parted): one that
 *  waits for its acknowledgement, and one that grows meanwhile.  They may say too much by what was sent between two acknowledgements, and
 *  never too little. */
#include <stdio.h>
#include "base/alloc.h"
#include "run/err.h"
#include "sess/home.h"
#include "sess/impl.h"

/* -- ends that have gone ------------------------------------------------------------------------------------------------------- */
/* What was committed up to `pos` is written; what was taken back has made data shorter. */
static bool written(const struct sess *s, uint64_t pos) { return s->data_pos - s->unwritten >= MIN(pos, s->data_pos + s->data.len); }

void sess_written_locked(struct sess *s)
{
    for (int i = 0; i < 2; i++)
        if (s->parted[i].elems && !s->parted[i].number && written(s, s->parted[i].pos))
            s->parted[i].number = at_load(&s->sent);
    sess_wake_all(&s->flushers);
}

static bool parted_there(const struct sess *s, const struct parted *p) { return p->number && at_load(&s->taken) >= p->number; }

void sess_parts(struct sess *s, uint64_t elems)
{
    lock(&s->out_lock);
    struct parted *p = s->parted;
    while (p[0].elems && parted_there(s, &p[0])) {
        p[0] = p[1];
        p[1] = (struct parted){ 0 };
    }
    p += p[0].elems > 0;
    p->elems += elems;
    p->pos = s->data_pos + s->data.len;
    p->number = 0;
    unlock(&s->out_lock);
}

/* -- the end of a session ------------------------------------------------------------------------------------------------------ */
void sess_in_doubt(struct sess *s, uint64_t elems, uint64_t calls)
{
    s->doubt.elements += elems;
    s->doubt.calls += calls;
}

void sess_tally(struct sess *s, bool orderly)
{
    leat_node *n = s->node;
    lock(&s->out_lock);
    for (int i = 0; !orderly && i < 2; i++)
        if (!parted_there(s, &s->parted[i]))
            s->doubt.elements += s->parted[i].elems;
    bool all = at_load(&s->sent) - at_load_acq(&s->bye_sent) <= at_load(&s->taken) && !s->data.len && !s->ctl.len && !s->unwritten;
    s->doubt.peers = s->doubt.elements || s->doubt.calls || (s->closed_here && !orderly && !all);
    unlock(&s->out_lock);
    lock(&n->lock);
    n->doubt.elements += s->doubt.elements;
    n->doubt.calls += s->doubt.calls;
    n->doubt.peers += s->doubt.peers;
    s->counted = true;
    unlock(&n->lock);
    lock(&s->out_lock);
    s->tallied = true;
    sess_wake_all(&s->flushers);
    unlock(&s->out_lock);
}

/* Elements that a loss beyond the peer has left in doubt, whose end goes while its session lives. */
void sess_lost_far(struct sess *s, uint64_t elems)
{
    leat_node *n = s->node;
    lock(&n->lock);
    n->doubt.elements += elems;
    n->doubt.peers++;
    unlock(&n->lock);
}

/* The users are being told of the end, which waits for nothing. */
void sess_wait_tally(struct sess *s)
{
    enum { LONG_S = 3600 };
    struct shield sh;
    shield_begin(&sh, LEAT_S(LONG_S));
    lock(&s->out_lock);
    while (!s->tallied) {
        leat_ignore(sess_wait_on(s, &s->flushers));
        lock(&s->out_lock);
    }
    unlock(&s->out_lock);
    shield_end(&sh);
}

leat_doubt sess_doubt(struct sess *s)
{
    leat_node *n = s->node;
    sess_wait_tally(s);
    lock(&n->lock);
    leat_doubt d = s->doubt;
    s->doubt = (leat_doubt){ 0 };
    n->doubt.elements -= d.elements;
    n->doubt.calls -= d.calls;
    n->doubt.peers -= d.peers;
    unlock(&n->lock);
    return d;
}

static leat_err doubt_err(const leat_doubt *d, leat_err why)
{
    if (!d->peers)
        return LEAT_OK;
    return err_unknown(why, "%u peers were lost, or left, before all that was sent to them had arrived: %llu elements may be missing, "
        "%llu calls and remote tasks may have run", d->peers, (unsigned long long)d->elements, (unsigned long long)d->calls);
}

leat_err doubt_closed(const leat_doubt *d)
{
    leat_err e = leat_ctx_err();
    return doubt_err(d, e == LEAT_OK ? LEAT_PEER_LOST : e);
}

/* -- a flush ------------------------------------------------------------------------------------------------------------------- */
struct barrier { uint64_t data, ctl, number; uint32_t asked, attempt; bool out; };

/* out_lock.  true: the peer has all that was committed before b was set. */
static bool passed_locked(struct sess *s, struct barrier *b)
{
    if (!b->out && written(s, b->data) && s->ctl_out >= b->ctl) {
        b->out = true;
        b->number = at_load(&s->sent);
        b->asked = s->pongs - 1;
    }
    return b->out && at_load(&s->taken) >= b->number;
}

/* out_lock.  Once for each PONG: on a new link PING may have gone before what is written again. */
static void ask_locked(struct sess *s, struct barrier *b, struct task **wake)
{
    if (!b->out || !at_load(&s->up) || (b->asked == s->pongs && b->attempt == s->attempt))
        return;
    b->asked = s->pongs;
    b->attempt = s->attempt;
    s->ping_due = true;
    sess_writer_wake_locked(s, wake);
}

/* [blocks] OK: it has, or the session has ended. */
static leat_err wait_barrier(struct sess *s)
{
    lock(&s->out_lock);
    struct barrier b = { .data = s->data_pos + s->data.len, .ctl = s->ctl_pos + s->ctl.len };
    while (at_load(&s->state) < SESS_BROKEN && !passed_locked(s, &b)) {
        struct task *wake = NULL;
        ask_locked(s, &b, &wake);
        if (wake) {
            unlock(&s->out_lock);
            sess_writer_ready(wake);
        } else {
            LEAT_TRY(sess_wait_on(s, &s->flushers));
        }
        lock(&s->out_lock);
    }
    unlock(&s->out_lock);
    return LEAT_OK;
}

/* The ends whose elements may still be on their way, which are asked to flush; *lost: elements of those that are lost beyond the peer.
 * NOMEM: nobody was asked. */
static leat_err ask_ends(struct sess *s, struct end ***ret_all, uint32_t *ret, uint64_t *lost)
{
    uint32_t n, k = 0;
    struct end **all;
    LEAT_TRY(ends_all(s, &all, &n));
    for (uint32_t i = 0; i < n; i++) {
        struct end *e = all[i];
        lock(&e->c->lock);
        bool some = e->site && !e->dormant && !e->dead && e->c->cap && e->accepted < e->sent, far = some && site_is_lost(e);
        if (some && !far)
            site_flush_up(e);
        if (far)
            *lost += e->sent - e->accepted;
        unlock(&e->c->lock);
        if (some && !far)
            all[k++] = e;
        else
            end_unref(e);
    }
    *ret = k;
    *ret_all = all;
    return LEAT_OK;
}

/* [blocks] OK: as above. */
static leat_err flush_ends(struct sess *s, uint64_t *lost)
{
    uint32_t n;
    struct end **all;
    LEAT_TRY(ask_ends(s, &all, &n, lost));
    leat_err err = LEAT_OK;
    for (uint32_t i = 0; i < n; i++) {
        if (err == LEAT_OK)
            err = all[i]->net.ops->flush(all[i]->c);
        if (err == LEAT_UNKNOWN)                     /* counted at the end of its session; but who is lost beyond the peer is not */
            err = LEAT_OK;
        lock(&all[i]->c->lock);
        *lost += !all[i]->dead && site_is_lost(all[i]) ? all[i]->sent - all[i]->accepted : 0;
        unlock(&all[i]->c->lock);
        end_unref(all[i]);
    }
    mem_free(all);
    return err;
}

static leat_err flush_sess(struct sess *s, leat_doubt *d)
{
    uint64_t lost = 0;
    leat_err err = flush_ends(s, &lost);
    if (err == LEAT_OK)
        err = wait_barrier(s);
    if (err == LEAT_OK && at_load_acq(&s->state) >= SESS_BROKEN && (err = sess_wait_end(s)) == LEAT_OK)
        sess_wait_tally(s);
    d->elements += lost;
    d->peers += lost > 0;
    return err;
}

static void add_pending(struct sess *s, leat_doubt *d)
{
    uint32_t n;
    uint64_t pending = 0;
    struct end **all;
    if (ends_all(s, &all, &n) != LEAT_OK)
        return;                                      /* fewer are told of */
    for (uint32_t i = 0; i < n; i++) {
        pending += end_in_doubt(all[i], false);
        end_unref(all[i]);
    }
    mem_free(all);
    d->elements += pending;
    d->peers += pending > 0;
}

/* What sessions that have ended have left, which nobody was told of yet. */
static void take_doubt(leat_node *n, leat_doubt *d)
{
    lock(&n->lock);
    d->elements += n->doubt.elements;
    d->calls += n->doubt.calls;
    d->peers += n->doubt.peers;
    n->doubt = (leat_doubt){ 0 };
    for (struct sess *s = n->sessions; s; s = s->next)
        if (s->counted)
            s->doubt = (leat_doubt){ 0 };
    unlock(&n->lock);
}

/* What waits for an answer is asked for at all sessions before one is waited for. */
static leat_err flush_all(leat_node *n, leat_doubt *d)
{
    leat_err err = LEAT_OK;
    for (struct sess *s = node_next_session(n, NULL); s; s = node_next_session(n, s)) {
        uint32_t k;
        uint64_t lost = 0;
        struct end **all;
        if (ask_ends(s, &all, &k, &lost) != LEAT_OK)
            continue;                                /* its turn comes */
        for (uint32_t i = 0; i < k; i++)
            end_unref(all[i]);
        mem_free(all);
    }
    struct sess *s = node_next_session(n, NULL);
    for (; s && (err = flush_sess(s, d)) == LEAT_OK; s = node_next_session(n, s))
        ;
    sess_unref(s);
    return err;
}

leat_err leat_node_flush(leat_node *n, leat_doubt *ret)
{
    leat_doubt d = { 0 };
    if (ret)
        *ret = d;
    if (!n)
        return leat_fail(LEAT_INVAL, "leat_node_flush: no node");
    leat_err err = flush_all(n, &d);
    if (err == LEAT_OK) {
        take_doubt(n, &d);
        err = doubt_err(&d, LEAT_PEER_LOST);
    } else if (err == LEAT_DEADLINE || err == LEAT_CANCELED) {
        d = (leat_doubt){ 0 };
        for (struct sess *s = node_next_session(n, NULL); s; s = node_next_session(n, s))
            add_pending(s, &d);
        err = leat_fail(err, "%llu elements for %u peers are not known to have arrived yet", (unsigned long long)d.elements, d.peers);
    }
    if (ret)
        *ret = d;
    return err;
}
