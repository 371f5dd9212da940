/* url.h - addresses of streams, as text and in parts.  No OS, no runtime.
 *
 *     tcp://HOST:PORT   HOST: a name, an IPv4 address, an IPv6 address in [brackets], or * for every address of this host
 *     unix:/PATH        a socket file
 *     unix:@NAME        a name in Linux's abstract space: no file
 * tcp:HOST:PORT and unix:///PATH are understood too.  Schemes are lower case. */
#ifndef BASE_URL_H
#define BASE_URL_H
#include "base/base.h"

enum { URL_HOST_MAX = 253, URL_PATH_MAX = 107, URL_TEXT_MAX = 320 };

enum url_kind { URL_TCP, URL_UNIX, URL_OTHER };      /* OTHER: a scheme that this file does not know; only `scheme` is filled */

struct url {
    enum url_kind kind;
    char scheme[16];
    char host[URL_HOST_MAX + 1];                     /* without brackets */
    bool v6;                                         /* it stood in brackets */
    uint16_t port;
    char path[URL_PATH_MAX + 1];                     /* begins with '@' for an abstract name */
};

/* NULL: *ret is filled; else what is wrong, a phrase such as "it has no port", static, and *ret is untouched. */
const char *url_parse(const char *text, struct url *ret);
size_t url_text(const struct url *u, char *buf, size_t cap);         /* in the form above; as snprintf counts */
#endif
