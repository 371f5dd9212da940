/* dial.c - streams begin: addresses, dialling, listening, accepting.
 * A host's name is looked up by the pool for blocking calls; an address needs no look-up and is done at once. */
#include <string.h>
#include "base/alloc.h"
#include "base/url.h"
#include "plat/sock.h"
#include "run/blocking.h"
#include "run/conn.h"
#include "run/conn_open.h"
#include "run/err.h"
#include "run/sched.h"

struct addrs {
    int n;
    struct sock_addr at[SOCK_ADDRS_MAX];
};

struct lookup {                                      /* on the heap: large, and a resolver's thread writes it */
    char host[URL_HOST_MAX + 1];
    uint16_t port;
    int err;
    const char *why;
    struct addrs addrs;
};

static leat_err look_up(void *arg)
{
    struct lookup *l = arg;
    l->err = sock_resolve(l->host, l->port, l->addrs.at, &l->addrs.n, &l->why);
    return LEAT_OK;
}

static leat_err resolve(const char *what, const char *url, const struct url *u, struct addrs *ret)
{
    bool left;
    struct lookup *l = mem_zalloc(sizeof *l);
    if (!l)
        return err_of(LEAT_NOMEM);
    memcpy(l->host, u->host, sizeof l->host);
    l->port = u->port;
    leat_err e = blocking_leave(look_up, l, mem_free, &left);
    if (e != LEAT_OK)
        e = leat_wrap(e, "%s %s: looking up the name", what, url);
    else if (l->err)
        e = err_sys(l->err, "%s %s: %s", what, url, l->why);
    else
        *ret = l->addrs;
    if (!left)
        mem_free(l);
    return e;
}

/* any: the host may be *, which stands for every address of this one */
static leat_err find(const char *what, const char *url, const struct url *u, bool any, struct addrs *ret)
{
    ret->n = 1;
    if (u->kind == URL_UNIX)
        return sock_addr_unix(u->path, &ret->at[0]) == 0 ? LEAT_OK : leat_fail(LEAT_INVAL, "%s %s: its path is too long", what, url);
    if (strcmp(u->host, "*") == 0) {
        if (!any)
            return leat_fail(LEAT_INVAL, "%s %s: * is for listening; name a host", what, url);
        (void)sock_addr_any(true, u->port, &ret->at[0]);
        (void)sock_addr_any(false, u->port, &ret->at[1]);            /* a host without IPv6 */
        ret->n = 2;
        return LEAT_OK;
    }
    if (sock_addr_ip(u->host, u->port, &ret->at[0]) == 0)
        return LEAT_OK;
    if (u->v6)
        return leat_fail(LEAT_INVAL, "%s %s: no IPv6 address stands in the brackets", what, url);
    return resolve(what, url, u, ret);
}

static leat_err parse(const char *what, const char *text, struct url *u)
{
    const char *why = text ? url_parse(text, u) : "there is no address";
    if (why)
        return leat_fail(LEAT_INVAL, "%s %s: %s; an address is tcp://HOST:PORT or unix:/PATH", what, text ? text : "", why);
    if (u->kind == URL_OTHER)
        return leat_fail(LEAT_INVAL, "%s %s: there are no streams of kind %s; an address is tcp://HOST:PORT or unix:/PATH", what, text,
            u->scheme);
    return LEAT_OK;
}

/* -- dialling -------------------------------------------------------------------------------------------------------------- */
static leat_err dial_failed(const char *url, int e)
{
    switch (e) {
    case ECONNREFUSED:
        return err_sys(e, "leat_dial %s: nobody listens there", url);
    case ENOENT:
        return err_sys(e, "leat_dial %s: there is no such socket file, so nobody listens", url);
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

static leat_err dial_any(const struct addrs *a, const char *url, leat_conn **ret)
{
    int sys = EHOSTUNREACH;
    for (int i = 0; i < a->n; i++) {
        leat_err e = dial_one(&a->at[i], url, &sys, ret);
        if (e != LEAT_OK || sys == 0)
            return e;
    }
    return dial_failed(url, sys);
}

leat_err leat_dial(const char *url, leat_conn **ret)
{
    struct url u;
    LEAT_TRY(parse("leat_dial", url, &u));
    LEAT_TRY(leat_ctx_err());
    struct addrs *a = mem_alloc(sizeof *a);
    if (!a)
        return err_of(LEAT_NOMEM);
    leat_err e = find("leat_dial", url, &u, false, a);
    if (e == LEAT_OK)
        e = dial_any(a, url, ret);
    mem_free(a);
    return e;
}

/* -- listening ------------------------------------------------------------------------------------------------------------- */
struct leat_listener {
    struct io_sock sock;
    _Atomic uint32_t refs;                           /* the handle and the calls inside */
    struct sock_file file;
    char url[];
};

static leat_err listener_new(int fd, const char *url, const struct sock_file *file, leat_listener **ret)
{
    char text[SOCK_TEXT_MAX];
    sock_name(fd, false, text);
    bool tcp = strncmp(text, "tcp:", 4) == 0;        /* port 0 has become a number */
    const char *name = url && !tcp ? url : text;
    size_t n = strlen(name) + 1;
    leat_listener *l = mem_zalloc(sizeof *l + n);
    if (!l)
        return err_of(LEAT_NOMEM);
    l->sock.fd = fd;
    at_store(&l->refs, 1);
    if (file)
        l->file = *file;
    memcpy(l->url, name, n);
    *ret = l;
    return LEAT_OK;
}

leat_err listener_open_fd(int fd, const char *url, leat_listener **ret)
{
    bool listens = false;
    int e = sock_adopt(fd, &listens);
    if (e || !listens)
        return leat_fail(LEAT_INVAL, "descriptor %d is not a listening stream socket", fd);
    return listener_new(fd, url, NULL, ret);
}

static leat_err listen_failed(const char *url, int e)
{
    switch (e) {
    case EADDRINUSE:
        return err_sys(e, "leat_listen %s: somebody listens there already", url);
    case EEXIST:
        return err_sys(e, "leat_listen %s: the file there is no socket, so it is left alone", url);
    case EADDRNOTAVAIL:
        return err_sys(e, "leat_listen %s: this host has no such address", url);
    case EACCES:
    case EPERM:
        return err_sys(e, "leat_listen %s: no permission", url);
    case ENOENT:
    case ENOTDIR:
        return err_sys(e, "leat_listen %s: there is no such directory", url);
    default:
        return err_sys(e, "leat_listen %s", url);
    }
}

static leat_err listen_any(const struct addrs *a, const char *url, bool file_too, leat_listener **ret)
{
    int fd = -1, e = EADDRNOTAVAIL;
    struct sock_file file = { .path = "" };
    for (int i = 0; i < a->n; i++) {
        e = file_too ? sock_listen_unix(&a->at[i], &file, &fd) : sock_listen(&a->at[i], &fd);
        if (e != EAFNOSUPPORT && e != EADDRNOTAVAIL)
            break;
    }
    if (e)
        return listen_failed(url, e);
    leat_err err = listener_new(fd, url, &file, ret);
    if (err != LEAT_OK) {
        sock_file_remove(&file);
        sock_close(fd);
    }
    return err;
}

leat_err leat_listen(const char *url, leat_listener **ret)
{
    struct url u;
    LEAT_TRY(parse("leat_listen", url, &u));
    struct addrs *a = mem_alloc(sizeof *a);
    if (!a)
        return err_of(LEAT_NOMEM);
    leat_err e = find("leat_listen", url, &u, true, a);
    if (e == LEAT_OK)
        e = listen_any(a, url, u.kind == URL_UNIX, ret);
    mem_free(a);
    return e;
}

const char *listener_url(const leat_listener *l) { return l->url; }

static void leave(leat_listener *l)
{
    if (atomic_fetch_sub_explicit(&l->refs, 1, ACQ_REL) != 1)
        return;
    io_sock_done(&l->sock);
    sock_close(l->sock.fd);
    mem_free(l);
}

void leat_listener_close(leat_listener *l)
{
    if (!l)
        return;
    io_sock_shut(&l->sock);
    sock_file_remove(&l->file);                      /* while it is listened on: nobody else has taken its place yet */
    if (at_load_acq(&l->refs) > 1)
        (void)sock_shutdown(l->sock.fd, true);
    leave(l);
}

void listener_break(leat_listener *l)
{
    io_sock_shut(&l->sock);
    (void)sock_shutdown(l->sock.fd, true);           /* who dials now is refused, and threads that block here wake */
}

static leat_err accept_failed(leat_listener *l, leat_err e, int sys)
{
    if (at_load_acq(&l->sock.closed))
        return leat_fail(LEAT_CLOSED, "leat_accept %s: the listener was closed", l->url);
    return sys ? err_sys(sys, "leat_accept %s", l->url) : leat_wrap(e, "leat_accept %s", l->url);
}

static leat_err accept_fd(leat_listener *l, int *fd)
{
    for (;;) {
        if (at_load_acq(&l->sock.closed))
            return accept_failed(l, LEAT_CLOSED, 0);
        int e = sock_accept(l->sock.fd, fd);
        if (e == 0)
            return LEAT_OK;
        if (e != EAGAIN)
            return accept_failed(l, LEAT_SYS, e);
        leat_err w = io_sock_wait(&l->sock, LEAT_READ);
        if (w != LEAT_OK)
            return accept_failed(l, w, 0);
    }
}

leat_err leat_accept(leat_listener *l, leat_conn **ret)
{
    int fd = -1;
    atomic_fetch_add_explicit(&l->refs, 1, RLX);
    leat_err e = accept_fd(l, &fd);
    if (e == LEAT_OK) {
        char peer[SOCK_TEXT_MAX];
        if (at_load_acq(&l->refs) > 2)
            io_sock_more(&l->sock);                  /* one edge may have announced several; others wait too */
        sock_name(fd, true, peer);
        e = conn_new(fd, strcmp(peer, "unix:") == 0 ? l->url : peer, ret);
        if (e != LEAT_OK)
            sock_close(fd);
    }
    leave(l);
    return e;
}
