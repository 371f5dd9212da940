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

enum { LOG_LINES = 10, ACCEPT_PAUSE_MS = 50, NAP_S = 5, GRACE_S = 30, KEYS = 1024, DIALS = 3 };

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

uint32_t node_grace_ms(const leat_node *n)
{
    return n->opts.grace.ns < 0 ? 0 : (uint32_t)MIN(n->opts.grace.ns / 1000000, (int64_t)UINT32_MAX);
}

void node_ref(leat_node *n)
{
    atomic_fetch_add_explicit(&n->refs, 1, RLX);
}

void node_unref(leat_node *n)
{
    if (atomic_fetch_sub_explicit(&n->refs, 1, ACQ_REL) != 1)
        return;
    mem_free(n->keys);
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
    if (o->cert || o->key || o->ca)
        return leat_fail(LEAT_INVAL, "leat_node_open: cert, key and ca are for links with keys, and there are none in this version: lead "
            "the link through something that has, such as ssh");
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
    if (o->grace.ns == 0)
        o->grace = LEAT_S(GRACE_S);
    return incarnate(n);
}

static leat_err users_open(leat_node *n)
{
    leat_err e = LEAT_OK;
    const struct sess_user *const *u = n->users;
    for (; e == LEAT_OK && *u; u++) {
        for (size_t i = 0; (*u)->on[i].fn; i++)
            n->handlers[(*u)->on[i].kind] = (*u)->on[i].fn;
        if ((*u)->land)
            n->land = (*u)->land;
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
    leat_ignore(leat_node_close(n));
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
static struct sess **key_of(const leat_node *n, const uint8_t *dialer, uint64_t id)
{
    uint64_t half;
    memcpy(&half, dialer, sizeof half);
    return &n->keys[keyed_hash(&n->key, id ^ (uint64_t)keyed_hash(&n->key, half) << 20) % KEYS];       /* both are the peer's choice */
}

static struct sess *find_locked(const leat_node *n, const uint8_t *dialer, uint64_t id)
{
    struct sess *s = n->keys ? *key_of(n, dialer, id) : NULL;
    while (s && !(s->id == id && memcmp(s->peer, dialer, INCARNATION) == 0))
        s = s->key_next;
    return s;
}

struct sess *node_sess_find(leat_node *n, const struct hello *h)
{
    lock(&n->lock);
    struct sess *s = find_locked(n, h->dialer, h->session);
    if (s)
        sess_ref(s);
    unlock(&n->lock);
    return s;
}

/* A session that a peer dialed is found again by the peer's incarnation and its number. */
static leat_err key_locked(leat_node *n, struct sess *s)
{
    if (s->dialed)
        return LEAT_OK;
    if (!n->keys && !(n->keys = mem_zalloc(KEYS * sizeof *n->keys)))
        return LEAT_NOMEM;
    if (find_locked(n, s->peer, s->id))
        return LEAT_AGAIN;
    struct sess **at = key_of(n, s->peer, s->id);
    s->key_next = *at;
    *at = s;
    s->keyed = true;
    return LEAT_OK;
}

static void unkey_locked(leat_node *n, struct sess *s)
{
    if (!s->keyed)
        return;
    struct sess **at = key_of(n, s->peer, s->id);
    while (*at != s)
        at = &(*at)->key_next;
    *at = s->key_next;
    s->keyed = false;
}

leat_err node_sess_add(struct sess *s)
{
    leat_node *n = s->node;
    lock(&n->lock);
    leat_err e = n->closing ? LEAT_REFUSED : key_locked(n, s);
    if (e == LEAT_OK) {
        s->next = n->sessions;
        s->prev = NULL;
        if (s->next)
            s->next->prev = s;
        n->sessions = s;
        s->listed = true;
        sess_ref(s);
    }
    unlock(&n->lock);
    return e == LEAT_REFUSED ? leat_fail(e, "%s is being closed", n->name) : e == LEAT_NOMEM ? leat_fail(e, "no memory for a session") : e;
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
    unkey_locked(n, s);
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

uint32_t node_sessions_max = LIMIT_NODE_SESSIONS;

/* One more session.  Where there are too many, one goes whose peer is not there. */
static leat_err count_in(leat_node *n)
{
    struct sess *out = NULL;
    lock(&n->lock);
    bool closing = n->closing, full = !closing && n->count >= node_sessions_max && !(out = absent_put_out_locked(n));
    n->count += !full && !closing && !out;
    unlock(&n->lock);
    if (out)
        sess_break(out, LEAT_LIMIT, "%s has %u sessions, and this one was without a link for the longest", n->name, node_sessions_max);
    sess_unref(out);
    if (closing)
        return leat_fail(LEAT_REFUSED, "%s is being closed", n->name);
    return full ? leat_fail(LEAT_LIMIT, "%s has %u sessions already", n->name, node_sessions_max) : LEAT_OK;
}

static void count_out(leat_node *n)
{
    lock(&n->lock);
    n->count--;
    unlock(&n->lock);
}

/* -- accepting -------------------------------------------------------------------------------------------------------------- */
/* What a task gets.  counted: it is part of n->count, and not of n->knocks; put_out: not even of that (absent.c). */
struct knock { leat_node *n; struct link *link; bool counted, put_out; };

/* While n closes its peers still come back. */
static leat_err knock_in(leat_node *n)
{
    lock(&n->lock);
    bool full = n->knocks >= LIMIT_NODE_SESSIONS, closed = n->closed;
    n->knocks += !full && !closed;
    unlock(&n->lock);
    if (closed)
        return leat_fail(LEAT_REFUSED, "%s is being closed", n->name);
    return full ? leat_fail(LEAT_LIMIT, "%s has %d links that are no sessions", n->name, LIMIT_NODE_SESSIONS) : LEAT_OK;
}

static void knock_out(const struct knock *k)
{
    lock(&k->n->lock);
    k->n->knocks -= !k->counted;
    k->n->count -= k->counted && !k->put_out;
    unlock(&k->n->lock);
}

/* Its session has begun to count. */
static void knock_counts(struct knock *k)
{
    knock_out(k);
    k->counted = true;
}

/* A new session.  false: g is still the caller's, and the detail says why. */
static bool begin(struct greeting *g, struct knock *k)
{
    leat_err e = count_in(k->n);
    if (e != LEAT_OK) {
        hello_refuse(g, e, leat_err_detail());
        return false;
    }
    knock_counts(k);
    struct sess *s = sess_new(g, false);
    if (!s) {
        hello_refuse(g, LEAT_NOMEM, "no memory for a session");
        return leat_fail(LEAT_NOMEM, "no memory") == LEAT_OK;
    }
    s->put_out = &k->put_out;
    leat_err no_writer;
    e = sess_start(s, &no_writer);
    if (e == LEAT_OK) {
        sess_read(s);                                /* without a writer it ends at once */
        return true;
    }
    g->link = s->link;
    s->link = NULL;
    sess_unref(s);
    if (e == LEAT_AGAIN)                             /* the same hello on two links: the dialer has given this one up */
        return leat_fail(e, "another link of the same session was faster") == LEAT_OK;
    hello_refuse(g, LEAT_REFUSED, leat_err_detail());
    return false;
}

/* Owns g on true. */
static bool greeted(struct knock *k, struct greeting *g)
{
    leat_node *n = k->n;
    static const char unknown[] = "it goes on with a session that is not known here";
    struct door_guest guest;
    door_in(n, &guest, g->link);
    leat_err e = hello_accept(g);
    door_out(n, &guest);
    if (guest.pushed)
        return leat_fail(LEAT_REFUSED, "too many others came before it had said hello") == LEAT_OK;
    if (e != LEAT_OK)
        return false;
    struct sess *s = node_sess_find(n, &g->his);
    if (s) {
        sess_come_back(s, g);
        sess_unref(s);
        return true;
    }
    bool new = !g->his.resumed && g->his.expected == 1;
    if (!new) {
        hello_refuse(g, LEAT_PEER_LOST, unknown);
        return leat_fail(LEAT_REFUSED, "%s", unknown) == LEAT_OK;
    }
    if (!begin(g, k))
        return false;
    greeting_done(g);
    mem_free(g);
    return true;
}

static leat_err serve(struct knock *k)
{
    leat_node *n = k->n;
    at_store(&task_self()->deadline, NEVER);
    struct greeting *g = mem_zalloc(sizeof *g);
    if (!g) {
        node_log(n, "refused a link: no memory");
        link_close(k->link);
    } else {
        *g = (struct greeting){ .node = n, .link = k->link };
        if (!greeted(k, g)) {
            if (leat_ctx_err() == LEAT_OK)
                node_log(n, "refused a link from %s: %s", g->link->text, leat_err_detail());
            greeting_done(g);
            mem_free(g);
        }
    }
    knock_out(k);
    return LEAT_OK;
}

/* NOMEM: it is still the caller's; after any other error it is closed. */
static leat_err take_in(leat_node *n, struct link *l)
{
    struct knock k = { n, l, false, false };
    leat_err e = knock_in(n);
    if (e == LEAT_OK && (e = go_begun(&n->group, serve, k)) != LEAT_OK)
        knock_out(&k);
    if (e != LEAT_OK)
        node_log(n, "%s a link from %s: %s", e == LEAT_NOMEM ? "cannot serve" : "refused", l->text, leat_err_detail());
    if (e != LEAT_OK && e != LEAT_NOMEM)
        link_close(l);
    return e;
}

struct door { leat_node *n; struct link_listener *l; };

/* No descriptors, no memory.  false: the node closes. */
static bool better_soon(leat_node *n)
{
    door_make_room(n);
    return leat_sleep(LEAT_MS(ACCEPT_PAUSE_MS)) == LEAT_OK;
}

/* Who has come waits for memory as those do who have not been accepted yet.  false: the node closes. */
static bool take_in_sometime(leat_node *n, struct link *l)
{
    while (take_in(n, l) == LEAT_NOMEM)
        if (!better_soon(n)) {
            link_close(l);
            return false;
        }
    return true;
}

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
            if (!take_in_sometime(n, l))
                return LEAT_OK;
            continue;
        }
        node_log(n, "%s: cannot accept: %s", link_listener_url(d->l), leat_err_detail());
        if (!better_soon(n))
            return LEAT_OK;
    }
}

static void not_listening(struct listening *x)
{
    link_listener_close(x->l);
    mem_free(x);
}

/* false: the node is being closed. */
static bool listening_in(leat_node *n, struct listening *x)
{
    lock(&n->lock);
    struct listening **at = &n->listening;
    while (*at)
        at = &(*at)->next;
    bool closing = n->closing;
    if (!closing)
        *at = x;
    unlock(&n->lock);
    return !closing;
}

/* false: the node has closed, and x with it. */
static bool listening_out(leat_node *n, const struct listening *x)
{
    lock(&n->lock);
    struct listening **at = &n->listening;
    while (*at && *at != x)
        at = &(*at)->next;
    bool found = *at;
    if (found)
        *at = x->next;
    unlock(&n->lock);
    return found;
}

static leat_err listen_at(leat_node *n, struct link_listener *l)
{
    struct listening *x = mem_alloc(sizeof *x);
    if (!x) {
        leat_err e = leat_fail(LEAT_NOMEM, "%s: no memory to listen", l->url);
        link_listener_close(l);
        return e;
    }
    *x = (struct listening){ NULL, l, false };
    if (!listening_in(n, x)) {
        not_listening(x);
        return leat_fail(LEAT_REFUSED, "%s is being closed", n->name);
    }
    struct door d = { n, l };
    node_ref(n);
    leat_err e = go_begun(&n->group, accept_all, d);
    if (e == LEAT_OK) {
        lock(&n->lock);
        x->known = true;
        unlock(&n->lock);
    } else if (listening_out(n, x)) {
        not_listening(x);
    }
    node_unref(n);
    return e;
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
    if (!n)
        return NULL;
    lock(&n->lock);
    const struct listening *x = n->listening;
    while (x && !x->known)
        x = x->next;
    const char *url = x ? x->l->url : NULL;
    unlock(&n->lock);
    return url;
}

/* -- dialing ---------------------------------------------------------------------------------------------------------------- */
/* Incarnations are told to every node that is talked to.  So this number is what others must not know, or they could go on with the
 * session in the place of its dialer. */
static uint64_t session_id(leat_node *n)
{
    uint64_t id = 0;
    if (n->rt->seam || plat_random(&id, sizeof id))
        return atomic_fetch_add_explicit(&n->next_id, 1, RLX) + 1;
    return id;
}

static leat_err read_dialed(struct sess **arg)
{
    struct sess *s = *arg;
    leat_node *n = s->node;
    sess_read(s);
    count_out(n);                                    /* n lives: its group waits for this task */
    return LEAT_OK;
}

static struct hello first_words(leat_node *n)
{
    struct hello h = { .session = session_id(n), .expected = 1, .grace_ms = node_grace_ms(n) };
    memcpy(h.dialer, n->incarnation, INCARNATION);
    memcpy(h.name, n->name, sizeof h.name);
    memcpy(h.job, n->job, sizeof h.job);
    return h;
}

/* A link to url on which the other side has said WELCOME.  What breaks in the middle of that is tried again: nothing was sent yet. */
static leat_err greet(struct greeting *g, const char *url, struct hello *mine)
{
    leat_err e;
    do {
        greeting_done(g);
        g->gone = false;
        mine->attempt++;
        LEAT_TRY(link_dial(url, &g->link));
        e = hello_dial(g, mine);
    } while ((e == LEAT_PEER_LOST || g->gone) && mine->attempt < DIALS);
    return e;
}

/* g was welcomed and is the session's.  url: where it can be dialed again, or NULL.  One of n->count is s's when this succeeds. */
static leat_err dialed(struct greeting *g, const struct hello *mine, const char *url, struct sess **ret)
{
    g->his.session = mine->session;
    g->his.attempt = mine->attempt;
    g->his.grace_ms = url ? g->his.grace_ms : 0;
    struct sess *s = sess_new(g, true);
    if (s && url && (s->url = mem_alloc(strlen(url) + 1)))
        memcpy(s->url, url, strlen(url) + 1);
    if (!s || (url && !s->url)) {
        hello_leave(s ? s->link : g->link, LEAT_NOMEM, "the other side has no memory for a session");
        sess_unref(s);
        return leat_fail(LEAT_NOMEM, "leat_node_dial: no memory for a session");
    }
    s->handle = true;
    leat_err no_writer, e = sess_start(s, &no_writer);
    if (e != LEAT_OK) {
        hello_leave(s->link, e, "the other side cannot begin a session");
        sess_unref(s);
        return e;
    }
    e = no_writer == LEAT_OK ? go_begun(&s->node->group, read_dialed, s) : no_writer;
    if (e != LEAT_OK) {
        char why[FAIL_MAX];
        snprintf(why, sizeof why, "%s", no_writer == LEAT_OK ? leat_err_detail() : s->fail);
        sess_break(s, e, "the other side has no task for the session");
        s->handle = false;
        sess_read(s);                                /* ends at once */
        return leat_fail(e, "leat_node_dial: %s", why);
    }
    *ret = s;
    return LEAT_OK;
}

static leat_err dial_over(leat_node *n, struct link *l, const char *url, struct sess **ret)
{
    struct greeting g = { .node = n, .link = l };
    struct hello mine = first_words(n);
    leat_err e;
    if (l) {
        mine.attempt = 1;
        e = hello_dial(&g, &mine);
    } else {
        e = greet(&g, url, &mine);
    }
    if (e == LEAT_OK)
        e = dialed(&g, &mine, url, ret);
    greeting_done(&g);
    return e;
}

leat_err leat_node_dial(leat_node *n, const char *url, leat_peer **ret)
{
    struct sess *s = NULL;
    if (!n)
        return leat_fail(LEAT_INVAL, "leat_node_dial: no node");
    LEAT_TRY(link_allowed(url, n->opts.insecure));
    LEAT_TRY(count_in(n));
    leat_err e = dial_over(n, NULL, url, &s);
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
        leat_err e = take_in(n, b);
        if (e == LEAT_NOMEM)
            link_close(b);
        if (e == LEAT_OK)
            e = count_in(n);
        if (e != LEAT_OK) {
            link_close(a);
            return e;
        }
        e = dial_over(n, a, NULL, &s);
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

/* A close that goes well says nothing of its own: what failed before keeps its detail. */
struct before { struct fault *fault; leat_err err; };

static struct before before_keep(void)
{
    struct task *t = task_self();
    leat_err err = err_last();
    return (struct before){ err_take(t, err), err };
}

static leat_err before_back(struct before b, leat_err now)
{
    if (now == LEAT_OK)
        err_give(task_self(), b.fault, b.err);
    else
        err_free(b.fault);
    return now;
}

leat_err leat_peer_close(leat_peer *p)
{
    struct sess *s = sess_of(p);
    if (!s)
        return LEAT_OK;
    if (task_self()->foreign > 1 && at_load_acq(&s->state) != SESS_ENDED)
        return foreign_would_block();
    struct before b = before_keep();
    sess_ref(s);
    sess_close_begin(s, true);
    see_out(s);
    leat_doubt d = sess_doubt(s);
    handle_drop(s);
    sess_unref(s);
    return before_back(b, doubt_closed(&d));
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
    n->closing = true;                               /* it still listens: who has lost its link may come back for the rest */
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
        sess_close_begin(s, true);
    unlock(&n->lock);
    return true;
}

static void stop_listening(leat_node *n)
{
    lock(&n->lock);
    for (struct listening *x = n->listening; x; x = x->next)
        link_listener_shutdown(x->l);
    unlock(&n->lock);
}

static void close_end(leat_node *n)
{
    for (const struct sess_user *const *u = n->users; *u; u++)
        if ((*u)->node_close)
            (*u)->node_close(n);
    lock(&n->lock);
    struct listening *all = n->listening;
    n->listening = NULL;
    unlock(&n->lock);
    for (struct listening *x = all, *next; x; x = next) {
        next = x->next;
        not_listening(x);
    }
    node_monitors_end(n);
    lock(&n->lock);
    n->closed = true;
    sess_wake_all(&n->waiters);
    unlock(&n->lock);
}

static leat_doubt close_all(leat_node *n)
{
    struct sess *all = NULL;
    (void)rt_at_end_remove(n->rt, &n->at_end);
    for (struct sess *s; (s = first_session(n)); all = s) {
        see_out(s);
        sess_wait_tally(s);
        handle_drop(s);
        node_sess_ended(s);
        s->closed_next = all;
    }
    stop_listening(n);
    leat_group_cancel(&n->work);
    leat_group_cancel(&n->group);
    leat_ignore(leat_group_wait(&n->work));
    leat_ignore(leat_group_wait(&n->group));
    for (struct sess *s; (s = all); sess_unref(s))   /* a method that has only now ended may have called the peers of its node */
        all = s->closed_next;
    close_end(n);
    return n->doubt;                                 /* no session is left that could change it */
}

leat_err leat_node_close(leat_node *n)
{
    leat_err e = LEAT_OK;
    if (!n)
        return e;
    if (task_self()->foreign > 1)                    /* its sessions end in tasks, which stand still as long as this waits */
        return foreign_would_block();
    struct before b = before_keep();
    node_ref(n);
    if (close_begin(n)) {
        leat_doubt d = close_all(n);
        e = doubt_closed(&d);
        node_unref(n);                               /* the program's */
    }
    node_unref(n);
    return before_back(b, e);
}

void leat_node_end_(leat_node **n)
{
    struct before b = before_keep();
    leat_ignore(leat_node_close(*n));
    before_back(b, LEAT_OK);
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
