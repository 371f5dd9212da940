/* addr.h - from text to the addresses of sockets (addr.c).  `what` begins the detail of an error: who asks. */
#ifndef RUN_ADDR_H
#define RUN_ADDR_H
#include "base/url.h"
#include "leat.h"
#undef errno
#include "plat/sock.h"

struct addrs {
    int n;
    struct sock_addr at[SOCK_ADDRS_MAX];
};
_Static_assert((int)SOCK_ADDRS_MAX == (int)LEAT_ADDRS_MAX, "leat_resolve tells all of them");

leat_err addrs_parse(const char *what, const char *text, struct url *u);                     /* INVAL */
/* [blocks] any: the host may be *, which stands for every address of this one.  INVAL, NOMEM, SYS */
leat_err addrs_find(const char *what, const char *url, const struct url *u, bool any, struct addrs *ret);
leat_err addrs_look_up(const char *host, const char *service, const char *what, struct addrs *ret);      /* [blocks] */
#endif
