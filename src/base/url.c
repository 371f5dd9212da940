/* url.c - addresses of streams, read strictly: what is not understood is refused with a reason. */
#include "base/url.h"
#include <stdio.h>
#include <string.h>

static bool scheme_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '+' || c == '-' || c == '.';
}

static const char *port_parse(const char *s, uint16_t *ret)
{
    uint32_t n = 0;
    if (!*s)
        return "it has no port";
    for (; *s; s++) {
        if (*s < '0' || *s > '9')
            return "its port is not a number";
        n = n * 10 + (uint32_t)(*s - '0');
        if (n > 65535)
            return "its port is above 65535";
    }
    *ret = (uint16_t)n;
    return NULL;
}

static const char *tcp_parse(const char *s, struct url *u)
{
    if (s[0] == '/' && s[1] == '/')
        s += 2;
    const char *end, *port;
    if (*s == '[') {
        s++;
        u->v6 = true;
        end = strchr(s, ']');
        if (!end)
            return "a [ without its ]";
        if (end[1] != ':')
            return "it has no port";
        port = end + 2;
    } else {
        end = strrchr(s, ':');
        if (!end)
            return "it has no port";
        if (memchr(s, ':', (size_t)(end - s)))
            return "an IPv6 address must stand in [brackets]";
        port = end + 1;
    }
    size_t n = (size_t)(end - s);
    if (!n)
        return "it has no host";
    if (n > URL_HOST_MAX)
        return "its host is too long";
    for (size_t i = 0; i < n; i++)
        if ((unsigned char)s[i] <= ' ' || s[i] == '/' || s[i] == '@' || s[i] == 127)
            return "its host has a character that no host has";
    memcpy(u->host, s, n);
    return port_parse(port, &u->port);
}

static const char *unix_parse(const char *s, struct url *u)
{
    while (s[0] == '/' && s[1] == '/')               /* unix:///PATH; several are as good as one, and the text is then the same again */
        s++;
    if (*s != '/' && *s != '@')
        return "the path of a socket file begins with /, an abstract name with @";
    size_t n = strlen(s);
    if (n < 2)
        return "it has no name";
    if (n > URL_PATH_MAX)
        return "its path is longer than the 107 bytes that a socket's may have";
    memcpy(u->path, s, n);
    return NULL;
}

const char *url_parse(const char *text, struct url *ret)
{
    struct url u = { .kind = URL_OTHER };
    size_t n = 0;
    while (scheme_char(text[n]))
        n++;
    if (n == 0 || text[n] != ':')
        return "it does not begin with a scheme such as tcp: or unix:";
    if (n >= sizeof u.scheme)
        return "its scheme is too long";
    memcpy(u.scheme, text, n);
    const char *why = NULL;
    if (strcmp(u.scheme, "tcp") == 0) {
        u.kind = URL_TCP;
        why = tcp_parse(text + n + 1, &u);
    } else if (strcmp(u.scheme, "unix") == 0) {
        u.kind = URL_UNIX;
        why = unix_parse(text + n + 1, &u);
    }
    if (!why)
        *ret = u;
    return why;
}

size_t url_text(const struct url *u, char *buf, size_t cap)
{
    int n;
    if (u->kind == URL_UNIX)
        n = snprintf(buf, cap, "%s:%s", u->scheme, u->path);
    else if (u->kind == URL_TCP)
        n = snprintf(buf, cap, u->v6 ? "%s://[%s]:%u" : "%s://%s:%u", u->scheme, u->host, u->port);
    else
        n = snprintf(buf, cap, "%s:", u->scheme);
    return n < 0 ? 0 : (size_t)n;
}
