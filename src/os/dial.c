/* dial.c - a stream to an address, or to the first address of a name that answers.
 *
 * With several addresses each attempt is a task of one group (RFC 8305): the next one starts STAGGER after the last, or as soon as one has
 * failed; IPv6 and IPv4 take turns, whichever the resolver names first.  An attempt puts what came of it into a channel that has room
 * for all, so none waits and no stream is lost; the first stream cancels the group, and those that came too late are closed.
 * A thread that is no task has no group: it tries them one after the other. */
#include <string.h>
#include "base/alloc.h"
#include "run/addr.h"
#include "run/conn.h"
#include "run/conn_open.h"
#include "run/err.h"
#include "run/sched.h"

enum { STAGGER_MS = 250 };

static leat_err dial_failed(const char *url, int e)
{
    switch (e) {
    case ECONNREFUSED:
        return leat_fail(LEAT_REFUSED, "leat_dial %s: nobody listens there; start what listens first, or correct the address", url);
    case ENOENT:
        return leat_fail(LEAT_REFUSED, "leat_dial %s: there is no such socket file, so nobody listens; "
            "start what listens first, or correct the address", url);
    case EACCES:
    case EPERM:
        return err_sys(e, "leat_dial %s: no permission", url);
    case ETIMEDOUT:
        return err_sys(e, "leat_dial %s: the host does not answer", url);
    case ENOTSOCK:
    case EPROTOTYPE:
        return err_sys(e, "leat_dial %s: no stream socket is there", url);
    default:
        return err_sys(e, "leat_dial %s", url);
    }
}

static leat_err await_connect(leat_conn *c, const char *url, int *sys)
{
    for (;;) {
        leat_err e = io_sock_wait(&c->sock, LEAT_WRITE);
        if (e != LEAT_OK)
            return leat_wrap(e, "leat_dial %s", url);
        *sys = sock_connected(c->sock.fd);
        if (*sys != EINPROGRESS)
            return LEAT_OK;
    }
}

/* OK and *sys: 0, or why this address cannot be reached.  *ret is set when *sys is 0. */
static leat_err dial_one(const struct sock_addr *a, const char *url, int *sys, leat_conn **ret)
{
    int fd = -1, e;
    leat_conn *c = NULL;
    for (int64_t ms = 1; (e = sock_connect(a, &fd)) == EAGAIN; ms = MIN(2 * ms, (int64_t)50)) {
        leat_err w = leat_sleep(LEAT_MS(ms));        /* Unix: the listener's queue is full; the system cannot tell when it is not */
        if (w != LEAT_OK)
            return leat_wrap(w, "leat_dial %s: its queue is full", url);
    }
    *sys = e;
    if (e && e != EINPROGRESS)
        return LEAT_OK;
    leat_err err = conn_new(fd, url, &c);
    if (err != LEAT_OK) {
        sock_close(fd);
        return err;
    }
    if (e == EINPROGRESS)
        err = await_connect(c, url, sys);
    if (err == LEAT_OK && *sys == 0)
        *ret = c;
    else
        leat_conn_close(c);
    return err;
}

/* One after the other. */
static leat_err dial_each(const struct addrs *a, const char *url, leat_conn **ret)
{
    int sys = EHOSTUNREACH;
    for (int i = 0; i < a->n; i++) {
        leat_err e = dial_one(&a->at[i], url, &sys, ret);
        if (e != LEAT_OK || sys == 0)
            return e;
    }
    return dial_failed(url, sys);
}

/* -- several at once -------------------------------------------------------------------------------------------------------- */
struct landed { leat_conn *conn; leat_err err; int sys; };           /* err: no attempt could be made; sys: why it failed */
struct race { const struct addrs *addrs; const char *url; leat_chan(struct landed) landed; };
struct attempt { const struct race *race; int which; };

static leat_err attempt(struct attempt *a)
{
    struct landed l = { NULL, LEAT_OK, 0 };
    l.err = dial_one(&a->race->addrs->at[a->which], a->race->url, &l.sys, &l.conn);
    if (leat_try_send(a->race->landed, l) != LEAT_OK)
        leat_conn_close(l.conn);                     /* not reached: there is room */
    return LEAT_OK;
}

static leat_err race_run(const struct race *r, leat_group *g, leat_conn **ret)
{
    int started = 0, ended = 0, n = r->addrs->n;
    for (bool start = true;; ) {
        struct landed l = { NULL, LEAT_OK, 0 };
        leat_err e;
        if (start && started < n)
            LEAT_TRY(leat_go(g, attempt, (struct attempt){ r, started++ }));
        bool more = started < n, came = false;
        start = false;
        leat_select(e) {
            leat_on_recv(r->landed, &l) { came = true; }
            if (more)
                leat_on_after(LEAT_MS(STAGGER_MS)) { start = true; }
        }
        if (e != LEAT_OK)
            return leat_wrap(e, "leat_dial %s", r->url);
        if (!came)
            continue;
        start = true;
        if (l.conn) {
            *ret = l.conn;
            return LEAT_OK;
        }
        if (l.err != LEAT_OK)
            return err_of(l.err);
        if (++ended == n)
            return dial_failed(r->url, l.sys);
    }
}

static leat_err dial_race(const struct addrs *a, const char *url, leat_conn **ret)
{
    leat_auto leat_chan(struct landed) landed = leat_chan_make(struct landed, (size_t)a->n);
    struct race r = { a, url, landed };
    leat_err err, won = LEAT_OK;
    struct landed late;
    if (!landed)
        return err_of(LEAT_NOMEM);
    leat_with_group(g, err) {
        err = won = race_run(&r, &g, ret);
        leat_group_cancel(&g);
    }
    struct fault *f = err_take(task_self(), err);
    while (leat_try_recv(landed, &late) == LEAT_OK)
        leat_conn_close(late.conn);
    err_give(task_self(), f, err);
    return won == LEAT_OK ? LEAT_OK : err;
}

/* IPv6 and IPv4 in turn, beginning with the family of the first; each family in the resolver's order. */
static void take_turns(struct addrs *a)
{
    struct addrs from = *a;
    bool used[SOCK_ADDRS_MAX] = { false };
    int family = from.at[0].at.ss_family;
    for (int k = 0; k < from.n; k++) {
        int i = 0, any = -1;
        for (; i < from.n && (used[i] || from.at[i].at.ss_family != family); i++)
            if (!used[i] && any < 0)
                any = i;
        if (i == from.n)
            i = any;                                 /* that family has no more */
        used[i] = true;
        a->at[k] = from.at[i];
        family = from.at[i].at.ss_family == AF_INET6 ? AF_INET : AF_INET6;
    }
}

leat_err leat_dial(const char *url, leat_conn **ret)
{
    struct url u;
    struct rt *rt = rt_self();
    LEAT_TRY(addrs_parse("leat_dial", url, &u));
    LEAT_TRY(leat_ctx_err());
    struct addrs *a = mem_alloc(sizeof *a);
    if (!a)
        return err_of(LEAT_NOMEM);
    leat_err e = addrs_find("leat_dial", url, &u, false, a);
    if (e == LEAT_OK && a->n > 1)
        take_turns(a);
    if (e == LEAT_OK)
        e = a->n > 1 && rt && !rt->seam ? dial_race(a, url, ret) : dial_each(a, url, ret);
    mem_free(a);
    return e;
}
