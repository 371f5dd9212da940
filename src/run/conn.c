/* conn.c - streams: open ones, and what is done with them.  Dialling and listening: dial.c.
 *
 * refs is one for the handle and one for each call that is inside.  leat_conn_close ends the socket and gives the handle's up;
 * the last one out closes the descriptor, so its number is never used by somebody else while a call might still use it. */
#include "run/conn.h"
#include <limits.h>
#include <string.h>
#include "base/alloc.h"
#include "plat/sock.h"
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

/* -- reading --------------------------------------------------------------------------------------------------------------- */
static bool ended_here(const leat_conn *c) { return at_load_acq(&c->sock.closed) != 0; }

static leat_err read_failed(leat_conn *c, int e)
{
    if (ended_here(c))
        return leat_fail(LEAT_CLOSED, "leat_read %s: the stream was closed here", c->peer);
    return err_sys(e, "leat_read %s", c->peer);
}

/* One call.  OK with *n = 0: the end. */
static leat_err recv_once(leat_conn *c, void *buf, size_t cap, size_t *n)
{
    bool watched = io_sock_mark(&c->sock);
    int e = sock_recv(c->sock.fd, buf, cap, n);
    c->dry = watched && e == 0 && *n > 0 && *n < cap;
    if (e == EAGAIN)
        return LEAT_AGAIN;
    if (e || ended_here(c))
        return read_failed(c, e);
    return *n ? LEAT_OK : leat_fail(LEAT_CLOSED, "leat_read %s: the other side has ended the stream", c->peer);
}

static leat_err read_some(leat_conn *c, void *buf, size_t cap, size_t *ret, bool wait)
{
    for (;;) {
        size_t n = 0;
        leat_err e = LEAT_AGAIN;
        if (ended_here(c))
            return read_failed(c, 0);
        if (!c->dry || io_sock_news(&c->sock))
            e = recv_once(c, buf, cap, &n);
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

leat_err leat_read(leat_conn *c, void *buf, size_t cap, size_t *ret)
{
    if (!cap)
        return leat_fail(LEAT_INVAL, "leat_read %s: room for no byte", c->peer);
    enter(c);
    if (++c->reads % TURNS == 0)
        leat_yield();
    leat_err e = read_some(c, buf, cap, ret, true);
    leave(c);
    return e;
}

leat_err conn_try_read(leat_conn *c, void *buf, size_t cap, size_t *ret)
{
    enter(c);
    leat_err e = cap ? read_some(c, buf, cap, ret, false) : leat_fail(LEAT_INVAL, "leat_read %s: room for no byte", c->peer);
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

static leat_err write_all(leat_conn *c, struct iovec *iov, int n)
{
    size_t sent = 0, all = 0;
    for (int i = 0; i < n; i++)
        all += iov[i].iov_len;
    iov_skip(&iov, &n, 0);
    while (n) {
        size_t k = 0;
        int e = ended_here(c) ? EPIPE : sock_send(c->sock.fd, iov, MIN(n, (int)IOV_MAX_), &k);
        if (e == 0) {
            sent += k;
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
        return write_failed(c, w, e, sent, all);
    }
    return LEAT_OK;
}

leat_err conn_writev(leat_conn *c, struct iovec *iov, int n)
{
    enter(c);
    if (++c->writes % TURNS == 0)
        leat_yield();
    leat_err e = write_all(c, iov, n);
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
