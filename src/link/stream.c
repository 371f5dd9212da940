/* stream.c - links over sockets: tcp: and unix:, each one stream of run/conn.h. */
#include <stdio.h>
#include <string.h>
#include "base/alloc.h"
#include "base/url.h"
#include "link/kinds.h"
#include "run/conn.h"
#include "run/err.h"

struct stream { struct link link; leat_conn *conn; };
struct stream_listener { struct link_listener l; leat_listener *on; };

static leat_conn *conn_of(struct link *l) { return container_of(l, struct stream, link)->conn; }

/* Who hears of an error here names the peer already, so the detail is not to name it once more. */
static leat_err plain(leat_err e, const char *doing)
{
    return e == LEAT_SYS ? err_sys(leat_err_sys(), "%s", doing) : e;
}

static leat_err stream_read(struct link *l, void *to, size_t cap, size_t *ret)
{
    return plain(leat_read(conn_of(l), to, cap, ret), "reading");
}

static leat_err stream_readv(struct link *l, const struct iovec *v, int n, size_t *ret)
{
    return plain(leat_readv(conn_of(l), v, n, ret), "reading");
}

static leat_err stream_writev(struct link *l, struct iovec *v, int n)
{
    return plain(conn_writev(conn_of(l), v, n), "writing");
}

static void stream_shutdown(struct link *l)
{
    conn_break(conn_of(l));
}

static void stream_close(struct link *l)
{
    struct stream *s = container_of(l, struct stream, link);
    leat_conn_close(s->conn);
    mem_free(s);
}

static int64_t stream_process(const struct link *l)
{
    struct conn_cred k;
    return conn_cred(container_of(l, const struct stream, link)->conn, &k) ? k.pid : 0;
}

static const struct link_ops stream_ops = {
    .read = stream_read, .readv = stream_readv, .writev = stream_writev, .shutdown = stream_shutdown, .close = stream_close,
    .process = stream_process,
};

/* Owns c, of which text may be a part. */
static leat_err stream_over(leat_conn *c, const char *text, struct link **ret)
{
    struct stream *s = mem_zalloc(sizeof *s);
    if (!s) {
        leat_err e = leat_fail(LEAT_NOMEM, "%s: no memory for a link", text);
        leat_conn_close(c);
        return e;
    }
    s->link.ops = &stream_ops;
    s->conn = c;
    snprintf(s->link.text, sizeof s->link.text, "%s", text);
    *ret = &s->link;
    return LEAT_OK;
}

leat_err stream_dial(const char *url, struct link **ret)
{
    leat_conn *c;
    LEAT_TRY(leat_dial(url, &c));
    return stream_over(c, url, ret);
}

/* -- listeners ---------------------------------------------------------------------------------------------------------------- */
static leat_err stream_accept(struct link_listener *l, struct link **ret)
{
    leat_conn *c;
    LEAT_TRY(leat_accept(container_of(l, struct stream_listener, l)->on, &c));
    const char *peer = conn_peer(c);
    return stream_over(c, peer && *peer ? peer : l->url, ret);
}

static void listener_shutdown(struct link_listener *l)
{
    listener_break(container_of(l, struct stream_listener, l)->on);
}

static void listener_close(struct link_listener *l)
{
    struct stream_listener *s = container_of(l, struct stream_listener, l);
    leat_listener_close(s->on);
    mem_free(s);
}

static const struct link_listener_ops listener_ops = { stream_accept, listener_shutdown, listener_close };

/* Owns on. */
static leat_err listener_over(leat_listener *on, struct link_listener **ret)
{
    struct stream_listener *s = mem_zalloc(sizeof *s);
    if (!s) {
        leat_listener_close(on);
        return leat_fail(LEAT_NOMEM, "no memory to listen");
    }
    s->l.ops = &listener_ops;
    s->on = on;
    snprintf(s->l.url, sizeof s->l.url, "%s", listener_url(on));
    *ret = &s->l;
    return LEAT_OK;
}

leat_err stream_listen(const char *url, const struct link_listen_opts *o, struct link_listener **ret)
{
    leat_listener *on;
    LEAT_TRY(link_check(url));
    LEAT_TRY(link_allowed(url, o->insecure));
    LEAT_TRY(leat_listen(url, &on));
    return listener_over(on, ret);
}

leat_err stream_listen_fd(int fd, const char *url, struct link_listener **ret)
{
    leat_listener *on;
    LEAT_TRY(listener_open_fd(fd, url, &on));
    return listener_over(on, ret);
}
