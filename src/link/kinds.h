/* kinds.h - what link.c needs to know of each kind of link.  Contracts as in link.h. */
#ifndef LINK_KINDS_H
#define LINK_KINDS_H
#include "link/link.h"

leat_err inproc_dial(const char *url, struct link **ret);
leat_err inproc_listen(const char *url, const struct link_listen_opts *o, struct link_listener **ret);
leat_err stream_dial(const char *url, struct link **ret);            /* tcp: unix: */
leat_err stream_listen(const char *url, const struct link_listen_opts *o, struct link_listener **ret);
leat_err stream_listen_fd(int fd, const char *url, struct link_listener **ret);
#endif
