/* addr.c - from text to the addresses of sockets.
 * A host's name is looked up by the pool for blocking calls; an address needs no look-up and is done at once. */
#include "run/addr.h"
#include <stdio.h>
#include <string.h>
#include "base/alloc.h"
#include "run/blocking.h"
#include "run/err.h"

enum { SERVICE_MAX = 63 };

struct lookup {                                      /* on the heap: large, and a resolver's thread writes it */
    char host[URL_HOST_MAX + 1];
    char service[SERVICE_MAX + 1];
    int err;
    const char *why;
    struct addrs addrs;
};

static leat_err look_up(void *arg)
{
    struct lookup *l = arg;
    l->err = sock_resolve(l->host, l->service, l->addrs.at, &l->addrs.n, &l->why);
    return LEAT_OK;
}

leat_err addrs_look_up(const char *host, const char *service, const char *what, struct addrs *ret)
{
    bool left;
    struct lookup *l = mem_zalloc(sizeof *l);
    if (!l)
        return err_of(LEAT_NOMEM);
    snprintf(l->host, sizeof l->host, "%s", host);
    snprintf(l->service, sizeof l->service, "%s", service);
    leat_err e = blocking_leave(look_up, l, mem_free, &left);
    if (e != LEAT_OK)
        e = leat_wrap(e, "%s: looking up the name", what);
    else if (l->err)
        e = err_sys(l->err, "%s: %s", what, l->why);
    else
        *ret = l->addrs;
    if (!left)
        mem_free(l);
    return e;
}

static leat_err resolve(const char *what, const char *url, const struct url *u, struct addrs *ret)
{
    char text[URL_TEXT_MAX + 40], port[8];
    snprintf(text, sizeof text, "%s %s", what, url);
    snprintf(port, sizeof port, "%u", u->port);
    return addrs_look_up(u->host, port, text, ret);
}

/* any: the host may be *, which stands for every address of this one */
leat_err addrs_find(const char *what, const char *url, const struct url *u, bool any, struct addrs *ret)
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

leat_err addrs_parse(const char *what, const char *text, struct url *u)
{
    const char *why = text ? url_parse(text, u) : "there is no address";
    if (why)
        return leat_fail(LEAT_INVAL, "%s %s: %s; an address is tcp://HOST:PORT or unix:/PATH", what, text ? text : "", why);
    if (u->kind == URL_OTHER)
        return leat_fail(LEAT_INVAL, "%s %s: there are no streams of kind %s; an address is tcp://HOST:PORT or unix:/PATH", what, text,
            u->scheme);
    return LEAT_OK;
}

leat_err leat_resolve(const char *host, const char *service, leat_addrs *ret)
{
    char text[URL_HOST_MAX + 40], *end = NULL;
    if (!host || !*host || strlen(host) > URL_HOST_MAX || (service && strlen(service) > SERVICE_MAX))
        return leat_fail(LEAT_INVAL, "leat_resolve: a host has 1 to %d bytes, a service at most %d", URL_HOST_MAX, SERVICE_MAX);
    LEAT_TRY(leat_ctx_err());
    struct addrs *a = mem_alloc(sizeof *a);
    if (!a)
        return err_of(LEAT_NOMEM);
    unsigned long port = service ? strtoul(service, &end, 10) : 0;
    leat_err e = LEAT_OK;
    snprintf(text, sizeof text, "leat_resolve %s", host);
    a->n = 1;
    if (service && (!*service || (!*end && port > UINT16_MAX)))
        e = leat_fail(LEAT_INVAL, "%s: \"%s\" is no port", text, service);
    else if ((end && *end) || sock_addr_ip(host, (uint16_t)port, &a->at[0]) != 0)
        e = addrs_look_up(host, service ? service : "0", text, a);
    if (e == LEAT_OK) {
        ret->len = (uint32_t)a->n;
        for (int i = 0; i < a->n; i++)
            sock_addr_text(&a->at[i], ret->at[i].url);
    }
    mem_free(a);
    return e;
}
