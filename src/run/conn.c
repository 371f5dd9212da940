/* conn.c - streams: open ones, and what is done with them.  Dialling and listening: dial.c.
 *
 * refs is one for the handle and one for each call that is inside.  leat_conn_close ends the socket and gives the handle's up;
 * the last one out closes the descriptor, so its number is never used by somebody else while a call might still use it. */
#include "run/conn.h"
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include "base/alloc.h"
#include "plat/sock.h"
#include "plat/stream_fd.h"
#include "run/conn_open.h"
#include "run/err.h"
#include "run/sched.h"

enum { TURNS = 16, IOV_MAX_ = 1024 };                /* TURNS: calls that need not wait before others get their turn */

leat_err conn_new(int fd, const char *peer, leat_conn **ret)
{
    size_t n = strlen(peer) + 1;
    leat_conn *c = mem_zalloc(sizeof *c + n);
    if (!c)
        return err_of(LEAT_NOMEM);
    c->sock.fd = fd;
    at_store(&c->refs, 1);
    memcpy(c->peer, peer, n);
    *ret = c;
    return LEAT_OK;
}

static void enter(leat_conn *c) { atomic_fetch_add_explicit(&c->refs, 1, RLX); }

static void leave(leat_conn *c)
{
    if (atomic_fetch_sub_explicit(&c->refs, 1, ACQ_REL) != 1)
        return;
    io_sock_done(&c->sock);
    sock_close(c->sock.fd);
    mem_free(c);
}

void conn_break(leat_conn *c)
{
    io_sock_shut(&c->sock);
    (void)sock_shutdown(c->sock.fd, true);           /* the other side hears of it, and threads that block here wake */
}

void leat_conn_break(leat_conn *c)
{
    if (c)
        conn_break(c);
}

void leat_conn_close(leat_conn *c)
{
    if (!c)
        return;
    io_sock_shut(&c->sock);
    if (at_load_acq(&c->refs) > 1)
        (void)sock_shutdown(c->sock.fd, true);
    leave(c);
}

int leat_conn_fd(const leat_conn *c) { return c->sock.fd; }
const char *conn_peer(const leat_conn *c) { return c->peer; }

bool conn_cred(const leat_conn *c, struct conn_cred *ret)
{
    struct conn_cred k;
    if (sock_cred(c->sock.fd, &k.pid, &k.uid, &k.gid) != 0)
        return false;
    *ret = k;
    return true;
}

/* The descriptor stays the caller's when there is no memory, so the record is made first. */
static leat_err device_open(int fd, leat_conn **ret)
{
    leat_conn *c;
    char name[40];
    snprintf(name, sizeof name, "descriptor %d", fd);
    LEAT_TRY(conn_new(fd, name, &c));
    int e = stream_fd_adopt(fd, &c->sock.fd);
    if (e) {
        mem_free(c);
        return leat_fail(LEAT_INVAL, "descriptor %d: %s", fd, e == EBADF ? "it is not open" : "it is no stream");
    }
    c->device = true;
    *ret = c;
    return LEAT_OK;
}

leat_err leat_conn_open_fd(int fd, leat_conn **ret)
{
    return sock_is(fd) ? conn_open_fd(fd, ret) : device_open(fd, ret);
}

leat_err conn_open_fd(int fd, leat_conn **ret)
{
    bool listens;
    char peer[SOCK_TEXT_MAX];
    int e = sock_adopt(fd, &listens);
    if (e || listens)
        return leat_fail(LEAT_INVAL, "descriptor %d is not a connected stream socket", fd);
    sock_name(fd, true, peer);
    if (strcmp(peer, "unix:") == 0)                  /* the one that dialled has no name: ours tells where it came in */
        sock_name(fd, false, peer);
    return conn_new(fd, peer, ret);
}

static size_t iov_size(const struct iovec *iov, int n)
{
    size_t all = 0;
    for (int i = 0; i < n; i++)
        all += iov[i].iov_len;
    return all;
}

/* -- reading --------------------------------------------------------------------------------------------------------------- */
static bool ended_here(const leat_conn *c) { return at_load_acq(&c->sock.closed) != 0; }

static leat_err read_failed(leat_conn *c, int e)
{
    if (ended_here(c))
        return leat_fail(LEAT_CLOSED, "leat_read %s: the stream was closed here", c->peer);
    return err_sys(e, "leat_read %s", c->peer);
}

/* One call.  OK with *n = 0: the end. */
static leat_err recv_once(leat_conn *c, const struct iovec *iov, int many, size_t *n)
{
    bool watched = io_sock_mark(&c->sock);
    int e = c->device ? stream_fd_read(c->sock.fd, iov, many, n) : many == 1 ? sock_recv(c->sock.fd, iov->iov_base, iov->iov_len, n)
                                                                           : sock_recvv(c->sock.fd, iov, many, n);
    c->dry = watched && e == 0 && *n > 0 && *n < iov_size(iov, many) && !c->device;         /* a terminal gives a line at a time */
    if (e == EAGAIN)
        return LEAT_AGAIN;
    if (e || ended_here(c))
        return read_failed(c, e);
    return *n ? LEAT_OK : leat_fail(LEAT_CLOSED, "leat_read %s: the other side has ended the stream", c->peer);
}

static leat_err read_some(leat_conn *c, const struct iovec *iov, int many, size_t *ret, bool wait)
{
    for (;;) {
        size_t n = 0;
        leat_err e = LEAT_AGAIN;
        if (ended_here(c))
            return read_failed(c, 0);
        if (!c->dry || io_sock_news(&c->sock))
            e = recv_once(c, iov, many, &n);
        if (e == LEAT_OK)
            *ret = n;
        if (e != LEAT_AGAIN)
            return e;
        if (!wait)
            return err_of(LEAT_AGAIN);
        c->reads = 0;
        e = io_sock_wait(&c->sock, LEAT_READ);
        c->dry = false;
        if (e != LEAT_OK)
            return e == LEAT_CLOSED ? read_failed(c, 0) : leat_wrap(e, "leat_read %s", c->peer);
    }
}

static leat_err no_room(const leat_conn *c)
{
    return leat_fail(LEAT_INVAL, "leat_read %s: room for no byte", c->peer);
}

static leat_err read_in_turn(leat_conn *c, const struct iovec *iov, int n, size_t *ret)
{
    enter(c);
    if (++c->reads % TURNS == 0)
        leat_yield();
    leat_err e = read_some(c, iov, n, ret, true);
    leave(c);
    return e;
}

leat_err leat_read(leat_conn *c, void *buf, size_t cap, size_t *ret)
{
    struct iovec one = { buf, cap };
    return cap ? read_in_turn(c, &one, 1, ret) : no_room(c);
}

leat_err leat_readv(leat_conn *c, const struct iovec *iov, int n, size_t *ret)
{
    if (n < 0 || (n > 0 && !iov))
        return leat_fail(LEAT_INVAL, "leat_readv %s: %d pieces", c->peer, n);
    n = MIN(n, (int)IOV_MAX_);
    return iov_size(iov, n) ? read_in_turn(c, iov, n, ret) : no_room(c);
}

leat_err leat_read_full(leat_conn *c, void *buf, size_t len, size_t *ret)
{
    leat_err e = LEAT_OK;
    size_t n = 0;
    for (size_t k = 0; n < len && (e = leat_read(c, (char *)buf + n, len - n, &k)) == LEAT_OK; )
        n += k;
    *ret = n;
    if (e == LEAT_CLOSED && n && !ended_here(c))
        return leat_fail(LEAT_PEER_LOST, "leat_read_full %s: the other side has ended the stream after %zu of %zu bytes", c->peer, n, len);
    return e;
}

leat_err conn_try_read(leat_conn *c, void *buf, size_t cap, size_t *ret)
{
    struct iovec one = { buf, cap };
    enter(c);
    leat_err e = cap ? read_some(c, &one, 1, ret, false) : no_room(c);
    leave(c);
    return e;
}

/* -- writing --------------------------------------------------------------------------------------------------------------- */
static void iov_skip(struct iovec **iov, int *n, size_t done)
{
    while (*n && done >= (*iov)->iov_len) {
        done -= (*iov)->iov_len;
        ++*iov;
        --*n;
    }
    if (*n) {
        (*iov)->iov_base = (char *)(*iov)->iov_base + done;
        (*iov)->iov_len -= done;
    }
}

static leat_err write_failed(leat_conn *c, leat_err why, int e, size_t sent, size_t all)
{
    if (ended_here(c))
        return leat_fail(LEAT_CLOSED, "leat_write %s: the stream was closed here; %zu of %zu bytes had gone", c->peer, sent, all);
    if (why != LEAT_OK)
        return leat_fail(why, "leat_write %s: %s; %zu of %zu bytes had gone", c->peer,
            why == LEAT_DEADLINE ? "the context's deadline has passed" : why == LEAT_CANCELED ? "the context was cancelled"
                                                                                              : leat_err_detail(), sent, all);
    if (e == EPIPE && sent == 0)
        return leat_fail(LEAT_CLOSED, "leat_write %s: the other side has ended the stream; none of %zu bytes has gone", c->peer, all);
    return err_sys(e, "leat_write %s: %zu of %zu bytes had gone", c->peer, sent, all);
}

struct progress { size_t sent, all; };

static leat_err write_all(leat_conn *c, struct iovec *iov, int n, struct progress *p)
{
    iov_skip(&iov, &n, 0);
    while (n) {
        size_t k = 0;
        int many = MIN(n, (int)IOV_MAX_);
        int e = ended_here(c) ? EPIPE : c->device ? stream_fd_write(c->sock.fd, iov, many, &k) : sock_send(c->sock.fd, iov, many, &k);
        if (e == 0) {
            p->sent += k;
            iov_skip(&iov, &n, k);
            continue;
        }
        leat_err w = LEAT_OK;
        if (e == EAGAIN) {
            c->writes = 0;
            w = io_sock_wait(&c->sock, LEAT_WRITE);
            if (w == LEAT_OK)
                continue;
        }
        return write_failed(c, w, e, p->sent, p->all);
    }
    return LEAT_OK;
}

static void take_turn(leat_conn *c)
{
    enter(c);
    if (++c->writes % TURNS == 0)
        leat_yield();
}

leat_err conn_writev(leat_conn *c, struct iovec *iov, int n)
{
    struct progress p = { 0, iov_size(iov, n) };
    take_turn(c);
    leat_err e = write_all(c, iov, n, &p);
    leave(c);
    return e;
}

leat_err leat_writev(leat_conn *c, const struct iovec *iov, int n)
{
    enum { AT_ONCE = 64 };
    struct iovec some[AT_ONCE];
    struct progress p = { 0, 0 };
    leat_err e = LEAT_OK;
    if (n < 0 || (n > 0 && !iov))
        return leat_fail(LEAT_INVAL, "leat_writev %s: %d pieces", c->peer, n);
    p.all = iov_size(iov, n);
    take_turn(c);
    for (int i = 0, k; i < n && e == LEAT_OK; i += k) {
        k = MIN(n - i, (int)AT_ONCE);
        memcpy(some, iov + i, (size_t)k * sizeof *some);
        e = write_all(c, some, k, &p);
    }
    leave(c);
    return e;
}

leat_err leat_write(leat_conn *c, const void *buf, size_t len)
{
    struct iovec one = { (void *)(uintptr_t)buf, len };
    return conn_writev(c, &one, 1);
}

leat_err conn_shutdown_write(leat_conn *c)
{
    leat_err e = LEAT_OK;
    enter(c);
    int s = ended_here(c) ? ENOTCONN : sock_shutdown(c->sock.fd, false);
    if (s)
        e = s == ENOTCONN ? leat_fail(LEAT_CLOSED, "%s: the stream has ended", c->peer) : err_sys(s, "%s: ending the stream", c->peer);
    leave(c);
    return e;
}

leat_err leat_conn_close_write(leat_conn *c)
{
    if (c->device)
        return leat_fail(LEAT_INVAL, "leat_conn_close_write %s: it is no socket; leat_conn_close ends a pipe", c->peer);
    return conn_shutdown_write(c);
}

static leat_addr addr_of(int fd, bool peer)
{
    leat_addr a;
    _Static_assert(sizeof a.url >= SOCK_TEXT_MAX, "every name fits");
    sock_name(fd, peer, a.url);
    return a;
}

leat_addr leat_conn_local(const leat_conn *c) { return addr_of(c->sock.fd, false); }
leat_addr leat_conn_peer(const leat_conn *c) { return addr_of(c->sock.fd, true); }
