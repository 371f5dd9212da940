/* resume.c - the links of a session, one after another: how one is lost, and how the next one takes its place.
 *
 * Only the side that dialed makes links: at once when one has broken, then with pauses that grow.  The other side waits for it.  Both
 * wait at most `grace` from the break on.  A hello that comes back carries a higher attempt than any before, so of two links of
 * one session the newer is told by number, whatever the network did to their order; the older is closed even if it looks alive.
 * What is certain at once, the grace does not delay: the peer says DEAD, or is another incarnation, or nobody listens at an address
 * of this very host (a listener is there from before the first hello until its node has ended), or the dialer is a process of this host
 * and has ended. */
#include <stdio.h>
#include <string.h>
#include "base/alloc.h"
#include "base/probe.h"
#include "plat/child.h"
#include "run/err.h"
#include "run/rt.h"
#include "run/seam.h"
#include "sess/impl.h"

/* A request for a connection that is lost is sent again by the system after 1, 3 and 7 s: a new one is answered as soon as there is a way.
 * Every fourth attempt has time for a way that is slow. */
enum { PAUSE_FIRST_MS = 4, PAUSE_MAX_MS = 300, DIAL_MS = 300, SLOW_DIAL_MS = 4000, SLOW_EVERY = 4,
    BRIEF_MS = 1000 };                               /* a link that lives no longer, and brings nothing, is not made again at once */

/* Links are no way for a session by themselves: a network may let each hello through and nothing longer.  While what was written before
 * is all that it was when the link before this one broke, and nothing of it has arrived, the session has been down since then. */
static void count_break_locked(struct sess *s)
{
    uint64_t sent = at_load(&s->sent), taken = at_load(&s->taken), received = at_load(&s->received);
    leat_time now = leat_now();
    bool no_more = s->broke.links && taken == s->broke.taken, brief = now.ns - s->up_at < BRIEF_MS * INT64_C(1000000);
    s->stuck = no_more && s->broke.sent > s->broke.taken;
    s->fruitless = brief && (s->stuck || (no_more && received == s->broke.received)) ? s->fruitless + 1 : 0;
    s->broke.links = true;
    s->broke.sent = sent;
    s->broke.taken = taken;
    s->broke.received = received;
    if (!s->stuck)
        s->down_until = leat_time_add(now, BUGGIFY("fault.grace_short") ? LEAT_MS(1) : s->grace).ns;
}

void sess_link_broke_locked(struct sess *s, const char *why)
{
    if (!at_load(&s->up))
        return;
    at_store(&s->up, false);
    at_store(&s->crowded, true);
    count_break_locked(s);
    snprintf(s->down, sizeof s->down, "%s", why);
    link_shutdown(s->link);
}

/* The old link goes, when the writer has left it. */
static void drop_link(struct sess *s)
{
    enum { LONG_S = 3600 };
    struct shield sh;
    shield_begin(&sh, LEAT_S(LONG_S));
    lock(&s->out_lock);
    while (s->writing) {
        leat_ignore(sess_wait_on(s, &s->enders));
        lock(&s->out_lock);
    }
    struct link *l = s->link;
    s->link = NULL;
    s->mute = false;
    unlock(&s->out_lock);
    shield_end(&sh);
    link_close(l);
    sess_inbox_reset(s);                             /* the beginning of a frame that comes again */
}

/* false: the other side believes in numbers that cannot be. */
static bool link_up(struct sess *s, struct greeting *g)
{
    struct task *wake = NULL;
    uint64_t has = g->his.expected - 1;
    lock(&s->out_lock);
    uint32_t attempt = s->dialed ? s->attempt : g->his.attempt;
    bool ok = has >= at_load(&s->taken) && has <= at_load(&s->sent) && at_load(&s->state) < SESS_BROKEN;
    if (ok) {
        s->link = g->link;
        g->link = NULL;
        at_store(&s->taken, has);
        s->again_from = has + 1;
        s->full_asked = s->pings = 0;
        s->pongs_before = s->pongs;
        s->asked.sent = 0;
        s->done_said = false;
        s->up_at = leat_now().ns;
        at_store(&s->up, true);
        at_store(&s->crowded, false);
        sess_wake_all(&s->room);
        sess_wake_all(&s->flushers);
        sess_writer_wake_locked(s, &wake);
    }
    unlock(&s->out_lock);
    sess_writer_ready(wake);
    if (ok) {
        struct inbox old = s->in;
        s->in = g->in;
        g->in = old;
        s->ack_bytes = 0;
        sess_tell(s, LEAT_PEER_UP, attempt);
        SOMETIMES("sess.resumed", "cut");
    }
    return ok;
}

/* -- the dialer ---------------------------------------------------------------------------------------------------------------- */
/* There will be no other link.  Who is done needs none. */
static leat_err fail(struct sess *s, const char *what)
{
    char text[FAIL_MAX + LINK_TEXT_MAX];
    snprintf(text, sizeof text, "%s: %s", s->text, what);
    lock(&s->out_lock);
    if (!sess_done_locked(s))
        (void)sess_fail_locked(s, text);
    unlock(&s->out_lock);
    return LEAT_CLOSED;
}

/* From which frame on the other side is to write again.  One that came and is not acknowledged yet may come again: its number tells. */
static uint64_t expected(struct sess *s)
{
    return at_load(BUGGIFY("sess.asks_again") ? &s->acked : &s->received) + 1;
}

static struct hello again(struct sess *s)
{
    struct hello h = { .session = s->id, .expected = expected(s), .grace_ms = node_grace_ms(s->node), .resumed = true };
    memcpy(h.dialer, s->node->incarnation, INCARNATION);
    memcpy(h.acceptor, s->peer, INCARNATION);
    memcpy(h.name, s->node->name, sizeof h.name);
    memcpy(h.job, s->node->job, sizeof h.job);
    lock(&s->out_lock);
    h.attempt = ++s->attempt;
    unlock(&s->out_lock);
    return h;
}

static leat_err welcomed(struct sess *s, struct greeting *g)
{
    if (memcmp(g->his.acceptor, s->peer, INCARNATION) != 0)
        return fail(s, "it has been started anew, and what this session was about is lost");
    if (!link_up(s, g))
        return fail(s, "it comes back with numbers that cannot be");
    return LEAT_OK;
}

/* Nobody listens there, and this host knows: who listened has ended. */
static bool certain(const char *url)
{
    return strncmp(url, "unix:", 5) == 0 || strncmp(url, "inproc:", 7) == 0 || strncmp(url, "tcp://127.", 10) == 0 ||
        strncmp(url, "tcp://localhost:", 16) == 0 || strncmp(url, "tcp://[::1]:", 12) == 0;
}

/* One attempt.  CLOSED: it is of no use to try again; other errors may pass. */
static leat_err dial_once(struct sess *s, int n)
{
    struct greeting g = { .node = s->node };
    leat_scope_ sc = leat_scope_begin_(LEAT_MS(n % SLOW_EVERY == SLOW_EVERY - 1 ? SLOW_DIAL_MS : DIAL_MS));
    leat_err e = link_dial(s->url, &g.link);
    leat_scope_end_(&sc);
    if (e == LEAT_REFUSED && certain(s->url))
        return fail(s, "the link broke, and nobody listens there any more");
    if (e != LEAT_OK)
        return e == LEAT_CLOSED ? LEAT_PEER_LOST : e;
    struct hello mine = again(s);
    e = hello_dial(&g, &mine);
    if (e == LEAT_OK)
        e = welcomed(s, &g);
    else if (g.dead)
        e = fail(s, leat_err_detail());
    greeting_done(&g);
    return e;
}

static leat_dur pause_after(struct sess *s, int n)
{
    if (BUGGIFY("sess.pause_skipped"))
        return LEAT_MS(1);
    int64_t ms = n < 20 ? (int64_t)PAUSE_FIRST_MS << n : PAUSE_MAX_MS, ns = MIN(ms, (int64_t)PAUSE_MAX_MS) * 1000000;
    if (BUGGIFY("sess.pause_doubled"))
        ns *= 2;
    return (leat_dur){ ns / 2 + (int64_t)(rt_random(s->node->rt) % (uint64_t)(ns / 2)) };
}

static leat_err dial_again(struct sess *s)
{
    leat_err e;
    if (s->fruitless)
        LEAT_TRY(leat_sleep(pause_after(s, (int)MIN(s->fruitless, 20u))));
    for (int n = 0;; n++) {
        e = BUGGIFY("sess.redial_fails") ? LEAT_AGAIN : dial_once(s, n);
        if (e == LEAT_OK || e == LEAT_CLOSED || at_load_acq(&s->state) >= SESS_BROKEN || leat_ctx_err() != LEAT_OK)
            return e;
        LEAT_TRY(leat_sleep(pause_after(s, n)));
    }
}

static leat_err redial(struct sess *s, leat_dur left)
{
    leat_err e = LEAT_CANCELED;
    leat_scope_ sc = leat_scope_begin_(left);
    leat_with_cancel(ctx) {
        lock(&s->out_lock);
        bool go = at_load(&s->state) < SESS_BROKEN;
        s->redialing = ctx;
        unlock(&s->out_lock);
        if (go)
            e = dial_again(s);
        lock(&s->out_lock);
        s->redialing = NULL;
        unlock(&s->out_lock);
    }
    if (e != LEAT_OK && e != LEAT_CLOSED && leat_ctx_err() == LEAT_DEADLINE)
        e = LEAT_DEADLINE;                           /* whatever the last attempt said */
    leat_scope_end_(&sc);
    return e;
}

/* -- the acceptor -------------------------------------------------------------------------------------------------------------- */
/* Whether the other side has ever heard of this session is not known; and now this side does not need it. */
static bool nobody_locked(const struct sess *s)
{
    return at_load(&s->state) != SESS_LIVE && !at_load(&s->received) && !at_load(&s->taken);
}

static leat_err take_link(struct sess *s, struct greeting **ret)
{
    struct task *t = task_self();
    leat_err e = LEAT_OK;
    at_store(&t->deadline, s->down_until);
    do {
        lock(&s->out_lock);
        *ret = s->next_link;
        s->next_link = NULL;
        if (*ret || at_load(&s->state) >= SESS_BROKEN || nobody_locked(s) || s->gone) {
            unlock(&s->out_lock);
            break;
        }
        e = sess_wait_on(s, &s->linkers);
    } while (e == LEAT_OK);
    at_store(&t->deadline, NEVER);
    return e == LEAT_OK && !*ret ? LEAT_PEER_LOST : e;
}

static leat_err wait_dialer(struct sess *s)
{
    for (;;) {
        struct greeting *g = NULL;
        LEAT_TRY(take_link(s, &g));
        leat_err e = hello_welcome(s->node, g->link, expected(s));
        if (e != LEAT_OK)
            e = LEAT_AGAIN;
        else if (!link_up(s, g))
            e = fail(s, "it comes back with numbers that cannot be");
        greeting_done(g);
        mem_free(g);
        if (e == LEAT_OK || e == LEAT_CLOSED || at_load_acq(&s->state) >= SESS_BROKEN)
            return e;
    }
}

static void dialer_gone(struct sess *s)
{
    lock(&s->out_lock);
    s->gone = true;
    sess_wake_all(&s->linkers);
    unlock(&s->out_lock);
}

struct watch { struct sess *s; int fd; };
static leat_err watch(struct watch *w)
{
    if (leat_fd_wait(w->fd, LEAT_READ) == LEAT_OK)
        dialer_gone(w->s);
    return LEAT_OK;
}

/* In place of watch: it has no stack. */
static leat_err no_watch(struct watch *w)
{
    (void)w;
    return LEAT_OK;                                  /* the grace is waited for */
}

/* Where the dialer is a process of this host it comes back before it ends, or never. */
static leat_err wait_dialer_alive(struct sess *s)
{
    int fd = -1;
    leat_err err, e = LEAT_PEER_LOST;
    enum child_watch w = s->process ? child_watch(s->process, &fd) : CHILD_UNKNOWN;
    if (w == CHILD_GONE)
        dialer_gone(s);
    if (w != CHILD_LIVES)
        return wait_dialer(s);
    static const leat_site_ site = { "watch", __FILE__, __LINE__ };
    struct watch arg = { s, fd };
    leat_with_group(g, err) {
        leat_ignore(task_go(&g, (leat_fn_ *)(void (*)(void))watch, &site, &arg, sizeof arg, (leat_fn_ *)(void (*)(void))no_watch));
        e = wait_dialer(s);
        leat_group_cancel(&g);
    }
    leat_ignore(err);
    child_close(fd);
    return e;
}

void sess_come_back(struct sess *s, struct greeting *g)
{
    const struct hello *h = &g->his;
    struct greeting *old = NULL;
    const char *dead = NULL;
    lock(&s->out_lock);
    bool mine = h->resumed ? memcmp(h->acceptor, s->node->incarnation, INCARNATION) == 0 : at_load(&s->received) == 0;
    if (h->attempt <= s->attempt) {
        old = g;                                     /* of two links the older: the session has a better one */
    } else if (at_load(&s->state) >= SESS_BROKEN || s->reader_left) {
        dead = "the session has ended";
    } else if (mine) {
        s->attempt = h->attempt;
        old = s->next_link;
        s->next_link = g;
        sess_link_broke_locked(s, "the other side has made a new one");
        sess_wake_all(&s->linkers);
    } else {
        dead = "it goes on with a session that is not known here";
    }
    unlock(&s->out_lock);
    if (dead) {
        hello_refuse(g, LEAT_PEER_LOST, dead);
        old = g;
    }
    if (old)
        greeting_done(old);
    mem_free(old);
}

/* -- both ---------------------------------------------------------------------------------------------------------------------- */
/* All that may be missing is that the other side has our BYE, or knows that we have its.  If so it comes back as soon as it misses
 * the link; if not it never does. */
static bool farewell_locked(const struct sess *s)
{
    return at_load_acq(&s->bye_sent) && s->bye_got && at_load(&s->sent) - at_load(&s->taken) <= 1;
}

static leat_err give_up(struct sess *s, leat_err e)
{
    char text[2 * FAIL_MAX];
    lock(&s->out_lock);
    int n = snprintf(text, sizeof text, "%s: the link broke: %s", s->text, s->down);
    if (s->gone)
        snprintf(text + n, sizeof text - (size_t)n, "; its process has ended");
    else if (s->stuck && e == LEAT_DEADLINE)
        snprintf(text + n, sizeof text - (size_t)n, "; links were made, and in %g s nothing of what was sent has arrived",
            (double)s->grace.ns / 1e9);
    else if (s->grace.ns > 0 && s->url && e == LEAT_DEADLINE)
        snprintf(text + n, sizeof text - (size_t)n, "; it could not be made again within %g s", (double)s->grace.ns / 1e9);
    else if (s->grace.ns > 0 && e == LEAT_DEADLINE)
        snprintf(text + n, sizeof text - (size_t)n, "; the other side did not come back within %g s", (double)s->grace.ns / 1e9);
    if (!farewell_locked(s))
        (void)sess_fail_locked(s, text);
    unlock(&s->out_lock);
    if (e == LEAT_DEADLINE)
        SOMETIMES("sess.grace_over", "sess.lost");
    return LEAT_PEER_LOST;
}

/* Until there is a link, or there will be none.  *again: there was no memory to wait in the right way. */
static leat_err await_link(struct sess *s, bool *again)
{
    struct absent a;
    absent_in(&a, s);
    leat_err e = s->dialed ? redial(s, (leat_dur){ MAX(s->down_until - leat_now().ns, (int64_t)0) }) : wait_dialer_alive(s);
    absent_out(&a, s->node);
    *again = e == LEAT_CANCELED && leat_ctx_err() == LEAT_OK && at_load_acq(&s->state) < SESS_BROKEN;
    return e;
}

leat_err sess_next_link(struct sess *s)
{
    leat_err e;
    bool again;
    drop_link(s);
    lock(&s->out_lock);
    bool farewell = farewell_locked(s);
    if (farewell)
        s->down_until = MIN(s->down_until, leat_time_add(leat_now(), node_silence(s->node)).ns);
    unlock(&s->out_lock);
    if (s->grace.ns <= 0)
        return give_up(s, LEAT_PEER_LOST);
    for (const struct sess_user *const *u = s->node->users; *u; u++)
        if ((*u)->down)
            (*u)->down(s);
    if (!farewell)
        sess_tell(s, LEAT_PEER_DOWN, 0);
    if (s->stuck && leat_now().ns >= s->down_until)
        return give_up(s, LEAT_DEADLINE);
    while ((e = await_link(s, &again)) != LEAT_OK && again) {
        leat_ignore(leat_sleep(LEAT_MS(PAUSE_FIRST_MS)));
        if (leat_now().ns >= s->down_until)
            return give_up(s, LEAT_DEADLINE);
    }
    if (e == LEAT_OK)
        return e;
    if (leat_ctx_err() != LEAT_OK && at_load_acq(&s->state) < SESS_BROKEN)
        sess_break(s, LEAT_CANCELED, "the node was closed");
    return give_up(s, e);
}
