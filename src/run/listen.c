/* listen.c - listening and accepting. */
#include <stdio.h>
#include <string.h>
#include "base/alloc.h"
#include "plat/sock.h"
#include "run/addr.h"
#include "run/conn.h"
#include "run/conn_open.h"
#include "run/err.h"
#include "run/sched.h"

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
    LEAT_TRY(addrs_parse("leat_listen", url, &u));
    struct addrs *a = mem_alloc(sizeof *a);
    if (!a)
        return err_of(LEAT_NOMEM);
    leat_err e = addrs_find("leat_listen", url, &u, true, a);
    if (e == LEAT_OK)
        e = listen_any(a, url, u.kind == URL_UNIX, ret);
    mem_free(a);
    return e;
}

leat_err leat_listener_open_fd(int fd, leat_listener **ret) { return listener_open_fd(fd, NULL, ret); }

const char *listener_url(const leat_listener *l) { return l->url; }

leat_addr leat_listener_addr(const leat_listener *l)
{
    leat_addr a;
    snprintf(a.url, sizeof a.url, "%s", l->url);
    return a;
}

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

void leat_listener_break(leat_listener *l)
{
    if (l)
        listener_break(l);
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
