/* link.h - bytes to one peer, in order, or broken.
 *
 * A link carries bytes both ways, loses none and repeats none, until it breaks; then it stays broken.  One task may read and one
 * may write at the same time.  All that blocks parks the task and obeys its context.
 * Addresses: inproc:NAME (this program), unix:/PATH, tcp://HOST:PORT (port 0: a free one).  In a simulated world the world's own
 * provider takes the place of every scheme but inproc.
 * Whoever opens a link closes it, when no task is inside any more: link_shutdown() wakes those that are. */
#ifndef LINK_LINK_H
#define LINK_LINK_H
#include <sys/uio.h>
#include "base/base.h"
#include "leat.h"
#undef errno

enum { LINK_TEXT_MAX = 256 };                        /* bytes of an address as it is shown, with its NUL */

struct link;
struct link_listener;
struct rt;

struct link_ops {
    /* [blocks] at least 1 byte.  CLOSED: the other side has closed in order; PEER_LOST, SYS: broken, with a detail. */
    leat_err (*read)(struct link *l, void *to, size_t cap, size_t *ret);
    /* [blocks] all of it, or an error: then nobody knows how much.  May change the vector. */
    leat_err (*writev)(struct link *l, struct iovec *v, int n);
    /* NULL, or as read, into n pieces in order */
    leat_err (*readv)(struct link *l, const struct iovec *v, int n, size_t *ret);
    void (*shutdown)(struct link *l);                /* any thread, any number of times: both tasks wake, nothing passes any more */
    void (*close)(struct link *l);                   /* frees; what was written still arrives */
    int64_t (*process)(const struct link *l);        /* who made it, as the system of this host knows; 0: it does not.  NULL: the same */
};
struct link {                                        /* the first member of each kind's own record */
    const struct link_ops *ops;
    char text[LINK_TEXT_MAX];                        /* the peer's address, for people: "tcp://127.0.0.1:4711" */
};

struct link_listener_ops {
    leat_err (*accept)(struct link_listener *l, struct link **ret);  /* [blocks] CLOSED after shutdown; other errors may pass */
    void (*shutdown)(struct link_listener *l);       /* any thread: accept ends */
    void (*close)(struct link_listener *l);          /* frees; removes a unix: path it made */
};
struct link_listener {
    const struct link_listener_ops *ops;
    char url[LINK_TEXT_MAX];                         /* where it listens in fact */
};

struct link_listen_opts {
    bool insecure;                                   /* plain TCP beyond this host: the program said so in so many words */
};

LEAT_CHECK leat_err link_check(const char *url);     /* INVAL: no such address; nobody is asked */
/* Plain TCP carries no keys, so it stays on this host unless the program says `insecure` in so many words.  An address that is malformed is
 * not off this host: link_dial and link_listen say what is wrong with it.  REFUSED: off this host, and not insecure. */
bool link_off_host(const char *url);
LEAT_CHECK leat_err link_allowed(const char *url, bool insecure);
/* [blocks] INVAL: no such address; REFUSED: nobody listens there; SYS (a name that does not resolve, ...): the detail says it. */
LEAT_CHECK leat_err link_dial(const char *url, struct link **ret);
/* INVAL; REFUSED: off-host without TLS; SYS: the address is in use, ... */
LEAT_CHECK leat_err link_listen(const char *url, const struct link_listen_opts *o, struct link_listener **ret);
/* A socket that listens already, at this address.  fd is the listener's on LEAT_OK only. */
LEAT_CHECK leat_err link_listen_fd(int fd, const char *url, struct link_listener **ret);

LEAT_CHECK static inline leat_err link_read(struct link *l, void *to, size_t cap, size_t *ret) { return l->ops->read(l, to, cap, ret); }
/* The same into several pieces, in order; perhaps only into the first. */
LEAT_CHECK static inline leat_err link_readv(struct link *l, const struct iovec *v, int n, size_t *ret)
{
    return l->ops->readv ? l->ops->readv(l, v, n, ret) : l->ops->read(l, v->iov_base, v->iov_len, ret);
}
LEAT_CHECK static inline leat_err link_writev(struct link *l, struct iovec *v, int n) { return l->ops->writev(l, v, n); }
static inline void link_shutdown(struct link *l) { l->ops->shutdown(l); }
static inline int64_t link_process(const struct link *l) { return l->ops->process ? l->ops->process(l) : 0; }
static inline void link_close(struct link *l) { if (l) l->ops->close(l); }
LEAT_CHECK static inline leat_err link_accept(struct link_listener *l, struct link **ret) { return l->ops->accept(l, ret); }
static inline const char *link_listener_url(const struct link_listener *l) { return l->url; }
static inline void link_listener_shutdown(struct link_listener *l) { l->ops->shutdown(l); }
static inline void link_listener_close(struct link_listener *l) { if (l) l->ops->close(l); }

/* Both ends of a link that has no address.  text is what each shows of the other. */
LEAT_CHECK leat_err link_pair(const char *text, struct link **ret_a, struct link **ret_b);

/* -- the seam of a simulated world --------------------------------------------------------------------------------------- */
struct link_provider {                               /* same contracts as above; called by tasks of that world only */
    leat_err (*dial)(void *self, const char *url, struct link **ret);
    leat_err (*listen)(void *self, const char *url, const struct link_listen_opts *o, struct link_listener **ret);
};
/* All links of rt's tasks, but inproc:, come from p from now on.  Before its first task runs. */
void link_provider_set(struct rt *rt, const struct link_provider *p, void *self);
#endif
