/* link.c - which kind of link an address asks for. */
#include "link/link.h"
#include <string.h>
#include "base/url.h"
#include "link/kinds.h"
#include "run/sched.h"

static const struct scheme {
    const char *name;
    leat_err (*dial)(const char *url, struct link **ret);
    leat_err (*listen)(const char *url, const struct link_listen_opts *o, struct link_listener **ret);
    leat_err (*listen_fd)(int fd, const char *url, struct link_listener **ret);      /* NULL: no descriptor listens there */
} schemes[] = {
    { "inproc:", inproc_dial, inproc_listen, NULL },
    { "unix:", stream_dial, stream_listen, stream_listen_fd },
    { "tcp:", stream_dial, stream_listen, stream_listen_fd },
};

static leat_err scheme_find(const char *url, const struct scheme **ret)
{
    if (!url || !*url)
        return leat_fail(LEAT_INVAL, "an address is empty: write tcp://HOST:PORT, unix:/PATH or inproc:NAME");
    if (strlen(url) >= LINK_TEXT_MAX)
        return leat_fail(LEAT_INVAL, "'%.40s...' is no address: it has more than %d bytes", url, LINK_TEXT_MAX - 1);
    for (size_t i = 0; i < ARRAY_LEN(schemes); i++)
        if (strncmp(url, schemes[i].name, strlen(schemes[i].name)) == 0) {
            *ret = &schemes[i];
            return LEAT_OK;
        }
    return leat_fail(LEAT_INVAL, "'%s' is no address: write tcp://HOST:PORT, unix:/PATH or inproc:NAME", url);
}

leat_err link_check(const char *url)
{
    const struct scheme *s = NULL;
    struct url u;
    LEAT_TRY(scheme_find(url, &s));
    const char *wrong = s->listen_fd ? url_parse(url, &u) : NULL;
    return wrong ? leat_fail(LEAT_INVAL, "'%s' is no address: %s", url, wrong) : LEAT_OK;
}

static bool is_loopback(const char *host)
{
    bool v4 = host[strspn(host, "0123456789.")] == 0;                /* not a name that only begins like one */
    return (v4 && strncmp(host, "127.", 4) == 0) || strcmp(host, "::1") == 0 || strcmp(host, "localhost") == 0;
}

/* The simulated world of the calling task, if it makes the links to such addresses. */
static struct rt *world_for(const char *url)
{
    struct rt *rt = rt_self();
    return rt && rt->links && url && strncmp(url, "inproc:", 7) != 0 ? rt : NULL;
}

bool link_off_host(const char *url)
{
    struct url u;
    return url && !world_for(url) && !url_parse(url, &u) && u.kind == URL_TCP && !is_loopback(u.host);
}

leat_err link_allowed(const char *url, bool insecure)
{
    if (insecure || !link_off_host(url))
        return LEAT_OK;
    return leat_fail(LEAT_REFUSED, "%s: plain TCP has no keys, so it stays on this host (127.0.0.1, localhost): lead it through something "
        "that has, such as ssh, or allow it by `.insecure = true` of leat_node_opts (--insecure)", url);
}

leat_err link_dial(const char *url, struct link **ret)
{
    const struct scheme *s = NULL;
    struct rt *rt = world_for(url);
    if (rt)
        return rt->links->dial(rt->links_self, url, ret);
    LEAT_TRY(scheme_find(url, &s));
    return s->dial(url, ret);
}

leat_err link_listen(const char *url, const struct link_listen_opts *o, struct link_listener **ret)
{
    const struct scheme *s = NULL;
    struct rt *rt = world_for(url);
    if (rt)
        return rt->links->listen(rt->links_self, url, o, ret);
    LEAT_TRY(scheme_find(url, &s));
    return s->listen(url, o, ret);
}

leat_err link_listen_fd(int fd, const char *url, struct link_listener **ret)
{
    const struct scheme *s = NULL;
    LEAT_TRY(scheme_find(url, &s));
    if (!s->listen_fd)
        return leat_fail(LEAT_INVAL, "%s: no descriptor listens at such an address", url);
    return s->listen_fd(fd, url, ret);
}

void link_provider_set(struct rt *rt, const struct link_provider *p, void *self)
{
    rt->links = p;
    rt->links_self = self;
}
