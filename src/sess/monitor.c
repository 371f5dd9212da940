/* monitor.c - leat_peer_events and leat_node_events: what happens to sessions, as channels of this process.
 *
 * The reader of a session tells of it, once a change, and never waits: a channel that is full loses its oldest event.
 * So an event that is received is true in its order, and the last one is never lost.  The node's mon_lock is over its list of
 * monitors and over what was told of each session; under it the node does nothing else than put events into channels.
 * Locks: mon_lock, then a channel's or a session's out_lock. */
#include <stdio.h>
#include <string.h>
#include "base/alloc.h"
#include "run/err.h"
#include "sess/impl.h"

enum { OF_PEER = 4, OF_NODE = 256 };                 /* capacities */

struct monitor {
    struct monitor *next;
    leat_chan_ *c;
    struct sess *s;                                  /* not a reference: it goes with the session's last event.  NULL: all of the node */
    uint64_t count;
};

/* Whoever received is gone.  Or the end was given to another process: there it is closed. */
static bool deaf_locked(leat_chan_ *c) { return at_load(&c->closed) || c->net; }

static bool deaf(leat_chan_ *c)
{
    lock(&c->lock);
    bool yes = deaf_locked(c);
    unlock(&c->lock);
    return yes;
}

static void put(struct monitor *m, leat_peer_event *v)
{
    leat_chan_ *c = m->c;
    enum chan_try r = CHAN_WAIT;
    v->number = ++m->count;
    while (r == CHAN_WAIT) {
        leat_peer_event oldest;
        struct task *wake = NULL;
        leat_err e;
        lock(&c->lock);
        if (deaf_locked(c)) {
            unlock(&c->lock);
            return;
        }
        r = chan_send_locked(c, v, &wake, &e);
        if (r == CHAN_WAIT)
            (void)chan_recv_locked(c, &oldest, &wake, &e);
        unlock(&c->lock);
        if (wake)
            task_ready(worker_self(), wake);
    }
}

static void monitors_end(struct monitor *m)
{
    for (struct monitor *next; m; m = next) {
        next = m->next;
        leat_close_(m->c);
        leat_unref_(m->c);
        mem_free(m);
    }
}

/* mon_lock.  Those of s, or of the whole node when s is NULL, and all that nobody hears. */
static struct monitor *take_locked(leat_node *n, const struct sess *s, bool ended)
{
    struct monitor *out = NULL;
    for (struct monitor **at = &n->monitors, *m; (m = *at); ) {
        if ((ended && (!s || m->s == s)) || deaf(m->c)) {
            *at = m->next;
            m->next = out;
            out = m;
        } else {
            at = &m->next;
        }
    }
    return out;
}

/* mon_lock.  What was told of s last, as it is now. */
static void look_locked(struct sess *s, leat_peer_event *ret)
{
    *ret = (leat_peer_event){ .state = s->told, .attempt = s->told_attempt, .session = s->told_as };
    snprintf(ret->name, sizeof ret->name, "%s", s->name);
    if (s->told == LEAT_PEER_DOWN) {
        lock(&s->out_lock);
        ret->grace.ns = MAX(s->down_until - leat_now().ns, (int64_t)0);
        snprintf(ret->why, sizeof ret->why, "%.*s", (int)sizeof ret->why - 1, s->down);
        unlock(&s->out_lock);
    } else if (s->told == LEAT_PEER_ENDED) {
        ret->err = s->result;
        snprintf(ret->why, sizeof ret->why, "%.*s", (int)sizeof ret->why - 1, sess_fail_text(s));
    }
}

void sess_tell(struct sess *s, enum leat_peer_state state, uint32_t attempt)
{
    leat_node *n = s->node;
    leat_peer_event v;
    lock(&n->mon_lock);
    if (s->told == state && state != LEAT_PEER_UP) {
        unlock(&n->mon_lock);
        return;
    }
    if (!s->told_as)
        s->told_as = ++n->told;
    s->told = state;
    if (attempt)
        s->told_attempt = attempt;
    look_locked(s, &v);
    for (struct monitor *m = n->monitors; m; m = m->next)
        if (!m->s || m->s == s)
            put(m, &v);
    struct monitor *gone = take_locked(n, s, state == LEAT_PEER_ENDED);
    unlock(&n->mon_lock);
    monitors_end(gone);
}

void node_monitors_end(leat_node *n)
{
    lock(&n->mon_lock);
    n->deaf = true;
    struct monitor *all = take_locked(n, NULL, true);
    unlock(&n->mon_lock);
    monitors_end(all);
}

size_t node_monitors(leat_node *n)
{
    size_t count = 0;
    lock(&n->mon_lock);
    for (struct monitor *m = n->monitors; m; m = m->next)
        count++;
    unlock(&n->mon_lock);
    return count;
}

static struct monitor *monitor_new(leat_chan_ *c, struct sess *s)
{
    struct monitor *m = c ? mem_zalloc(sizeof *m) : NULL;
    if (m) {
        m->c = leat_ref_(c, 0);
        m->s = s;
    }
    return m;
}

/* s NULL: of all of n. */
static leat_rx(leat_peer_event) monitor(leat_node *n, struct sess *s)
{
    leat_peer_event v;
    leat_chan(leat_peer_event) c = leat_chan_make(leat_peer_event, s ? OF_PEER : OF_NODE);
    struct monitor *m = monitor_new((leat_chan_ *)c, s);
    if (!m) {
        leat_unref_((leat_chan_ *)c);
        leat_ignore(leat_fail(LEAT_NOMEM, "no memory for a monitor"));
        return NULL;
    }
    lock(&n->mon_lock);
    struct monitor *gone = take_locked(n, s, false);
    if (s && s->told) {
        look_locked(s, &v);
        put(m, &v);
    }
    struct monitor **to = n->deaf || (s && s->told == LEAT_PEER_ENDED) ? &gone : &n->monitors;
    m->next = *to;
    *to = m;
    unlock(&n->mon_lock);
    monitors_end(gone);
    return leat_rx_of(c);
}

leat_rx(leat_peer_event) leat_peer_events(leat_peer *p)
{
    struct sess *s = sess_of(p);
    if (s && at_load_acq(&s->state) == SESS_ENDED)   /* the reader is about to say it */
        sess_tell(s, LEAT_PEER_ENDED, 0);
    if (s)
        return monitor(s->node, s);
    leat_ignore(leat_fail(LEAT_INVAL, "leat_peer_events: no peer"));
    return NULL;
}

leat_rx(leat_peer_event) leat_node_events(leat_node *n)
{
    if (n)
        return monitor(n, NULL);
    leat_ignore(leat_fail(LEAT_INVAL, "leat_node_events: no node"));
    return NULL;
}
