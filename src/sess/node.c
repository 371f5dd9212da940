/* node.c - nodes: where they listen, whom they dial, how they end.
 *
 * A node's tasks (one for each address it listens at, a reader and a writer for each session) belong to groups of its own, which no
 * cancel of the program's reaches: so what was sent can be flushed after a cancel.  leat_node_close ends them, and so does the end of
 * leat_run for a node that was left open.  The program may hold a leat_peer until it or the node is closed; a session with a
 * peer that dialed is the node's alone and is freed when it has ended. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include "base/alloc.h"
#include "plat/random.h"
#include "run/err.h"
#include "run/host.h"
#include "run/rt.h"
#include "run/seam.h"
#include "sess/impl.h"

enum { LOG_LINES = 10, ACCEPT_PAUSE_MS = 50, NAP_S = 5 };

const char *node_name(const leat_node *n) { return n->name; }
const struct keyed *node_key(const leat_node *n) { return &n->key; }
leat_group *node_group(leat_node *n) { return &n->work; }

void node_offer_id(leat_node *n, struct chan_offer *ret)
{
    _Static_assert(sizeof ret->node == INCARNATION, "a select's number begins with its node's incarnation");
    memcpy(ret->node, n->incarnation, INCARNATION);
    ret->count = 1 + atomic_fetch_add_explicit(&n->selects, 1, RLX);
}

leat_dur node_silence(const leat_node *n) { return (leat_dur){ n->opts.idle.ns + n->opts.patience.ns }; }

void node_ref(leat_node *n)
{
    atomic_fetch_add_explicit(&n->refs, 1, RLX);
}

void node_unref(leat_node *n)
{
    if (atomic_fetch_sub_explicit(&n->refs, 1, ACQ_REL) == 1)
        mem_free(n);
}

/* One line for people.  Strangers can cause lines, so there is a limit a second. */
void node_log(leat_node *n, const char *fmt, ...)
{
    char text[FAIL_MAX + LINK_TEXT_MAX], line[FAIL_MAX + LINK_TEXT_MAX + 80];
    int64_t second = leat_now().ns / 1000000000;
    lock(&n->lock);
    if (n->log_from != second) {
        n->log_from = second;
        n->log_count = 0;
    }
    bool quiet = ++n->log_count > LOG_LINES;
    unlock(&n->lock);
    if (quiet)
        return;
    va_list a;
    va_start(a, fmt);
    vsnprintf(text, sizeof text, fmt, a);
    va_end(a);
    snprintf(line, sizeof line, "leat: %s: %s", n->name, text);
    if (n->rt->opts.log)
        n->rt->opts.log(1, line);
    else
        fprintf(stderr, "%s\n", line);
}

/* -- making one ------------------------------------------------------------------------------------------------------------- */
static leat_err incarnate(leat_node *n)
{
    if (n->rt->seam) {
        for (size_t i = 0; i < INCARNATION; i += 8) {
            uint64_t r = rt_random(n->rt);
            memcpy(n->incarnation + i, &r, 8);
        }
        return LEAT_OK;
    }
    int e = plat_random(n->incarnation, INCARNATION);
    if (!e)
        e = plat_random(&n->key, sizeof n->key);     /* a simulated world has no strangers, and does without */
    return e ? err_sys(e, "leat_node_open: no random numbers") : LEAT_OK;
}

static void name_default(leat_node *n)
{
    const char *rank = host_getenv("LEAT_RANK");
    if (rank && *rank && strlen(rank) <= 10)
        snprintf(n->name, sizeof n->name, "node %s", rank);
    else if (n->rt->seam)
        snprintf(n->name, sizeof n->name, "%.40s", plat_program_name());
    else
        snprintf(n->name, sizeof n->name, "%.40s[%d]", plat_program_name(), plat_pid());
}

static leat_err identify(leat_node *n)
{
    const char *job = host_getenv("LEAT_JOB");
    leat_node_opts *o = &n->opts;
    if (o->name && strlen(o->name) > LIMIT_NODE_NAME)
        return leat_fail(LEAT_INVAL, "leat_node_open: the name '%.20s...' has more than %d bytes", o->name, LIMIT_NODE_NAME);
    if (o->name && *o->name)
        snprintf(n->name, sizeof n->name, "%s", o->name);
    else
        name_default(n);
    o->name = n->name;
    if (job && strlen(job) <= JOB_MAX)
        snprintf(n->job, sizeof n->job, "%s", job);
    if (o->idle.ns <= 0)
        o->idle = LEAT_S(NAP_S);
    if (o->patience.ns <= 0)
        o->patience = LEAT_S(NAP_S);
    return incarnate(n);
}

static leat_err users_open(leat_node *n)
{
    leat_err e = LEAT_OK;
    const struct sess_user *const *u = n->users;
    for (; e == LEAT_OK && *u; u++) {
        for (size_t i = 0; (*u)->on[i].fn; i++)
            n->handlers[(*u)->on[i].kind] = (*u)->on[i].fn;
        if ((*u)->node_open)
            e = (*u)->node_open(n);
    }
    if (e != LEAT_OK)                                /* the last one has failed: it has nothing to close */
        for (u -= 1; u != n->users; )
            if ((*--u)->node_close)
                (*u)->node_close(n);
    return e;
}

static void node_at_end(struct rt_at_end *x)
{
    leat_node *n = container_of(x, leat_node, at_end);
    struct shield sh;
    shield_begin(&sh, LEAT_S(1));
    leat_node_close(n);
    shield_end(&sh);
}

leat_err node_open(const leat_node_opts *o, const struct sess_user *const *users, leat_node **ret)
{
    struct rt *rt = rt_self();
    if (!rt)
        return leat_fail(LEAT_INVAL, "leat_node_open: this thread is no task: call it below leat_run");
    leat_node *n = mem_zalloc(sizeof *n);
    if (!n)
        return leat_fail(LEAT_NOMEM, "leat_node_open: no memory for a node");
    n->rt = rt;
    n->users = users;
    if (o)
        n->opts = *o;
    at_store(&n->refs, 1);
    leat_err e = identify(n);
    group_open_in(group_of(&n->group), rt, NULL, NEVER);
    group_open_in(group_of(&n->work), rt, NULL, NEVER);
    if (e == LEAT_OK)
        e = users_open(n);
    if (e != LEAT_OK) {
        mem_free(n);
        return e;
    }
    n->at_end.end = node_at_end;
    rt_at_end_add(rt, &n->at_end);
    *ret = n;
    return LEAT_OK;
}

/* -- the list of sessions --------------------------------------------------------------------------------------------------- */
leat_err node_sess_add(struct sess *s)
{
    leat_node *n = s->node;
    lock(&n->lock);
    bool closing = n->closing;
    if (!closing) {
        s->next = n->sessions;
        s->prev = NULL;
        if (s->next)
            s->next->prev = s;
        n->sessions = s;
        s->listed = true;
        sess_ref(s);
    }
    unlock(&n->lock);
    return closing ? leat_fail(LEAT_REFUSED, "%s is being closed", n->name) : LEAT_OK;
}

/* n->lock is held.  true: the caller drops the list's reference after unlocking. */
static bool unlist_locked(struct sess *s)
{
    leat_node *n = s->node;
    if (!s->listed || s->handle)
        return false;
    if (s->prev)
        s->prev->next = s->next;
    else
        n->sessions = s->next;
    if (s->next)
        s->next->prev = s->prev;
    s->listed = false;
    return true;
}

void node_sess_ended(struct sess *s)
{
    leat_node *n = s->node;
    lock(&n->lock);
    s->over = true;
    bool drop = unlist_locked(s);
    unlock(&n->lock);
    if (drop)
        sess_unref(s);
}

/* The program holds s no more.  The list keeps it until it has ended. */
static void handle_drop(struct sess *s)
{
    leat_node *n = s->node;
    lock(&n->lock);
    s->handle = false;
    if (n->self == s)
        n->self = NULL;
    bool drop = s->over && unlist_locked(s);
    unlock(&n->lock);
    if (drop)
        sess_unref(s);
}

static leat_err count_in(leat_node *n)
{
    lock(&n->lock);
    bool full = n->count >= LIMIT_NODE_SESSIONS, closing = n->closing;
    if (!full && !closing)
        n->count++;
    unlock(&n->lock);
    if (closing)
        return leat_fail(LEAT_REFUSED, "%s is being closed", n->name);
    return full ? leat_fail(LEAT_LIMIT, "%s has %d sessions already", n->name, LIMIT_NODE_SESSIONS) : LEAT_OK;
}

static void count_out(leat_node *n)
{
    lock(&n->lock);
    n->count--;
    unlock(&n->lock);
}

/* -- accepting -------------------------------------------------------------------------------------------------------------- */
struct knock { leat_node *n; struct link *link; };   /* what a task gets; its part of n->count is its own */

static leat_err serve(struct knock *k)
{
    leat_node *n = k->n;
    at_store(&task_self()->deadline, NEVER);
    struct sess *s = sess_new(n, k->link, false);
    struct door_guest guest;
    leat_err e = LEAT_OK;
    if (s) {
        door_in(n, &guest, s->link);
        e = hello_accept(s);
        door_out(n, &guest);
    }
    if (!s) {
        node_log(n, "refused a link: no memory");
    } else if (e != LEAT_OK || guest.pushed) {
        if (leat_ctx_err() == LEAT_OK)
            node_log(n, "refused a link from %s: %s", s->link->text, guest.pushed ? "too many others came before it had said hello"
                : leat_err_detail());
        sess_unref(s);
    } else if (sess_start(s) != LEAT_OK) {
        node_log(n, "refused %s: %s", s->text, leat_err_detail());
        hello_refuse(s, LEAT_REFUSED, leat_err_detail());
        sess_unref(s);
    } else {
        sess_read(s);
    }
    count_out(n);
    return LEAT_OK;
}

static void take_in(leat_node *n, struct link *l)
{
    struct knock k = { n, l };
    leat_err e = count_in(n);
    if (e == LEAT_OK && (e = leat_go(&n->group, serve, k)) != LEAT_OK)
        count_out(n);
    if (e != LEAT_OK) {
        node_log(n, "refused a link from %s: %s", l->text, leat_err_detail());
        link_close(l);
    }
}

struct door { leat_node *n; struct link_listener *l; };

static leat_err accept_all(struct door *d)
{
    leat_node *n = d->n;
    at_store(&task_self()->deadline, NEVER);
    for (;;) {
        struct link *l;
        leat_err e = link_accept(d->l, &l);
        if (e == LEAT_CLOSED || e == LEAT_CANCELED)
            return LEAT_OK;
        if (e == LEAT_OK) {
            take_in(n, l);
            continue;
        }
        node_log(n, "%s: cannot accept: %s", link_listener_url(d->l), leat_err_detail());
        door_make_room(n);
        if (leat_sleep(LEAT_MS(ACCEPT_PAUSE_MS)) != LEAT_OK)         /* no descriptors, no memory: better soon */
            return LEAT_OK;
    }
}

static leat_err listen_at(leat_node *n, struct link_listener *l)
{
    struct listening *x = mem_alloc(sizeof *x), **at = &n->listening;
    if (!x) {
        leat_err e = leat_fail(LEAT_NOMEM, "%s: no memory to listen", l->url);
        link_listener_close(l);
        return e;
    }
    *x = (struct listening){ NULL, l };
    lock(&n->lock);
    bool closing = n->closing;
    while (*at)
        at = &(*at)->next;
    if (!closing)
        *at = x;
    unlock(&n->lock);
    if (closing) {
        link_listener_close(l);
        mem_free(x);
        return leat_fail(LEAT_REFUSED, "%s is being closed", n->name);
    }
    struct door d = { n, l };
    return leat_go(&n->group, accept_all, d);        /* on failure nobody accepts; the listener is closed with the node */
}

leat_err leat_node_listen(leat_node *n, const char *url)
{
    struct link_listener *l;
    struct link_listen_opts o;
    if (!n)
        return leat_fail(LEAT_INVAL, "leat_node_listen: no node");
    o.insecure = n->opts.insecure;
    LEAT_TRY(link_listen(url, &o, &l));
    if (link_off_host(url))
        node_log(n, "%s is plain TCP, insecure: whoever reaches it is a peer", l->url);
    return listen_at(n, l);
}

leat_err node_listen_fd(leat_node *n, int fd, const char *url)
{
    struct link_listener *l;
    LEAT_TRY(link_allowed(url, n->opts.insecure));
    LEAT_TRY(link_listen_fd(fd, url, &l));
    return listen_at(n, l);
}

const char *leat_node_url(leat_node *n)
{
    lock(&n->lock);
    const char *url = n->listening ? n->listening->l->url : NULL;
    unlock(&n->lock);
    return url;
}

/* -- dialing ---------------------------------------------------------------------------------------------------------------- */
static leat_err read_dialed(struct sess **arg)
{
    struct sess *s = *arg;
    leat_node *n = s->node;
    sess_read(s);
    count_out(n);                                    /* n lives: its group waits for this task */
    return LEAT_OK;
}

/* Owns l.  One of n->count is s's when this succeeds. */
static leat_err dial_over(leat_node *n, struct link *l, struct sess **ret)
{
    struct sess *s = sess_new(n, l, true);
    if (!s)
        return leat_fail(LEAT_NOMEM, "leat_node_dial: no memory for a session");
    s->id = atomic_fetch_add_explicit(&n->next_id, 1, RLX) + 1;
    s->handle = true;
    leat_err e = hello_dial(s);
    if (e == LEAT_OK)
        e = sess_start(s);
    if (e != LEAT_OK) {
        sess_unref(s);
        return e;
    }
    e = leat_go(&n->group, read_dialed, s);
    if (e != LEAT_OK) {
        sess_break(s, e, "the other side has no task for the session");
        s->handle = false;
        sess_read(s);                                /* ends at once */
        return e;
    }
    *ret = s;
    return LEAT_OK;
}

leat_err leat_node_dial(leat_node *n, const char *url, leat_peer **ret)
{
    struct link *l;
    struct sess *s = NULL;
    if (!n)
        return leat_fail(LEAT_INVAL, "leat_node_dial: no node");
    LEAT_TRY(link_allowed(url, n->opts.insecure));
    LEAT_TRY(count_in(n));
    leat_err e = link_dial(url, &l);
    if (e == LEAT_OK)
        e = dial_over(n, l, &s);
    if (e != LEAT_OK) {
        count_out(n);
        return e;
    }
    *ret = sess_peer(s);
    return LEAT_OK;
}

leat_err leat_node_self(leat_node *n, leat_peer **ret)
{
    struct link *a, *b;
    struct sess *s = NULL;
    if (!n)
        return leat_fail(LEAT_INVAL, "leat_node_self: no node");
    lock(&n->lock);
    s = n->self && !sess_ended(n->self) ? n->self : NULL;
    unlock(&n->lock);
    if (!s) {
        LEAT_TRY(link_pair("itself", &a, &b));
        take_in(n, b);
        leat_err e = count_in(n);
        if (e != LEAT_OK) {
            link_close(a);
            return e;
        }
        e = dial_over(n, a, &s);
        if (e != LEAT_OK) {
            count_out(n);
            return e;
        }
        lock(&n->lock);
        n->self = s;
        unlock(&n->lock);
    }
    *ret = sess_peer(s);
    return LEAT_OK;
}

/* -- closing ---------------------------------------------------------------------------------------------------------------- */
/* Waits for the end of a session that is being closed; a context that ends meanwhile cuts it short. */
static void see_out(struct sess *s)
{
    enum { SHORT_MS = 100, LONG_S = 3600 };
    struct shield sh;
    if (sess_wait_end(s) == LEAT_OK)
        return;
    shield_begin(&sh, LEAT_MS(SHORT_MS));            /* a peer that is well says BYE at once */
    leat_err e = sess_wait_end(s);
    shield_end(&sh);
    if (e == LEAT_OK)
        return;
    sess_break(s, LEAT_CANCELED, "the node was closed without waiting for what was under way");
    shield_begin(&sh, LEAT_S(LONG_S));               /* the reader ends it within a second or two */
    leat_ignore(sess_wait_end(s));
    shield_end(&sh);
}

void leat_peer_close(leat_peer *p)
{
    struct sess *s = sess_of(p);
    if (!s)
        return;
    sess_ref(s);
    sess_close_begin(s);
    see_out(s);
    handle_drop(s);
    sess_unref(s);
}

static struct sess *first_session(leat_node *n)
{
    lock(&n->lock);
    struct sess *s = n->sessions;
    if (s)
        sess_ref(s);
    unlock(&n->lock);
    return s;
}

/* false: another task closes n; it has done so on return, or the context has ended. */
static bool close_begin(leat_node *n)
{
    lock(&n->lock);
    bool first = !n->closing;
    n->closing = true;
    for (struct listening *x = first ? n->listening : NULL; x; x = x->next)
        link_listener_shutdown(x->l);
    unlock(&n->lock);
    if (!first) {
        leat_ignore(leat_node_wait(n));
        return false;
    }
    for (const struct sess_user *const *u = n->users; *u; u++)
        if ((*u)->node_closing)
            (*u)->node_closing(n);
    lock(&n->lock);
    for (struct sess *s = n->sessions; s; s = s->next)
        sess_close_begin(s);
    unlock(&n->lock);
    return true;
}

static void close_end(leat_node *n)
{
    for (const struct sess_user *const *u = n->users; *u; u++)
        if ((*u)->node_close)
            (*u)->node_close(n);
    for (struct listening *x = n->listening, *next; x; x = next) {
        next = x->next;
        link_listener_close(x->l);
        mem_free(x);
    }
    lock(&n->lock);
    n->listening = NULL;
    n->closed = true;
    sess_wake_all(&n->waiters);
    unlock(&n->lock);
}

void leat_node_close(leat_node *n)
{
    if (!n)
        return;
    node_ref(n);
    if (close_begin(n)) {
        (void)rt_at_end_remove(n->rt, &n->at_end);
        for (struct sess *s; (s = first_session(n)); sess_unref(s)) {
            see_out(s);
            handle_drop(s);
            node_sess_ended(s);
        }
        leat_group_cancel(&n->work);
        leat_group_cancel(&n->group);
        leat_ignore(leat_group_wait(&n->work));
        leat_ignore(leat_group_wait(&n->group));
        close_end(n);
        node_unref(n);                               /* the program's */
    }
    node_unref(n);
}

leat_err leat_node_wait(leat_node *n)
{
    if (!n)
        return leat_fail(LEAT_INVAL, "leat_node_wait: no node");
    node_ref(n);
    leat_err e = LEAT_OK;
    for (;;) {
        struct waiter me = { .task = task_self(), .owner = n };
        lock(&n->lock);
        if (n->closed) {
            unlock(&n->lock);
            break;
        }
        waiter_add(&n->waiters, &me);
        at_store(&me.task->park, PARK_WAIT);
        unlock_fence(&n->lock);
        uint32_t why = task_wait(me.task);
        if (why == PARK_CHAN)
            continue;
        lock(&n->lock);
        if (me.on)
            waiter_del(&n->waiters, &me);
        unlock(&n->lock);
        e = task_wait_err(me.task, why);
        if (e != LEAT_AGAIN)
            break;
        e = LEAT_OK;
    }
    node_unref(n);
    return e;
}
