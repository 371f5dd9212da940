/* env.c - LEAT_NODES, LEAT_RANK, LEAT_LISTEN_FD and LEAT_JOB: see env.h. */
#include "cluster/env.h"
#include <string.h>
#include "base/alloc.h"
#include "run/host.h"

enum { SHOWN = 60, FD_MAX = 1 << 20 };               /* of a wrong value, so many bytes are repeated to the user */

static bool is_name(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '+';
}

/* One address: "scheme:" and at least one byte more, of printable ASCII without blanks. */
static leat_err url_check(const char *what, const char *url, size_t len)
{
    size_t scheme = 0;
    int shown = len > SHOWN ? SHOWN : (int)len;
    if (len == 0)
        return leat_fail(LEAT_INVAL, "%s: an address is empty; write it as URL,URL", what);
    if (len > CLUSTER_URL_MAX)
        return leat_fail(LEAT_INVAL, "%s: '%.*s...' has more than %d bytes", what, shown, url, CLUSTER_URL_MAX);
    for (size_t i = 0; i < len; i++)
        if (url[i] <= ' ' || url[i] > '~')
            return leat_fail(LEAT_INVAL, "%s: an address holds the byte %d; none has blanks or letters beyond ASCII", what,
                (unsigned char)url[i]);
    while (scheme < len && is_name(url[scheme]))
        scheme++;
    if (scheme == 0 || scheme + 1 >= len || url[scheme] != ':')
        return leat_fail(LEAT_INVAL, "%s: '%.*s' is no address; write tcp://HOST:PORT or unix:/PATH", what, shown, url);
    return LEAT_OK;
}

leat_err url_list_parse(const char *what, const char *text, struct url_list *ret)
{
    size_t count = 1, bytes = strlen(text) + 1;
    for (const char *p = text; (p = strchr(p, ',')); p++)
        count++;
    if (count > LEAT_PEERS_MAX)
        return leat_fail(LEAT_LIMIT, "%s: %zu addresses; at most %d", what, count, LEAT_PEERS_MAX);
    char **at = mem_alloc(count * sizeof *at + bytes);
    if (!at)
        return leat_fail(LEAT_NOMEM, "%s: no memory for %zu addresses", what, count);
    char *p = memcpy(at + count, text, bytes);
    for (uint32_t i = 0; i < count; i++) {
        size_t len = strcspn(p, ",");
        leat_err err = url_check(what, p, len);
        if (err != LEAT_OK) {
            mem_free(at);
            return err;
        }
        p[len] = 0;
        at[i] = p;
        p += len + 1;
    }
    *ret = (struct url_list){ at, (uint32_t)count };
    return LEAT_OK;
}

void url_list_done(struct url_list *l)
{
    mem_free(l->at);
    *l = (struct url_list){ 0 };
}

/* A decimal number below limit, without sign, blank or leading zero; -1: it is none. */
static int64_t number(const char *s, uint32_t limit)
{
    int64_t n = 0;
    if (!s[0] || (s[0] == '0' && s[1]))
        return -1;
    for (; *s; s++) {
        if (*s < '0' || *s > '9')
            return -1;
        n = n * 10 + (*s - '0');
        if (n >= limit)
            return -1;
    }
    return n;
}

static leat_err read_rank(const char *text, uint32_t nodes, uint32_t *ret)
{
    if (!text)
        return leat_fail(LEAT_INVAL, "LEAT_NODES is set and LEAT_RANK is not: it says which of the %u nodes this is", nodes);
    int64_t n = number(text, nodes);
    if (n < 0)
        return leat_fail(LEAT_INVAL, "LEAT_RANK is '%.*s': with the %u nodes of LEAT_NODES it must be from 0 to %u", SHOWN, text,
            nodes, nodes - 1);
    *ret = (uint32_t)n;
    return LEAT_OK;
}

static leat_err read_fd(const char *text, int *ret)
{
    *ret = -1;
    if (!text || !*text)
        return LEAT_OK;
    int64_t n = number(text, FD_MAX);
    if (n < 3)
        return leat_fail(LEAT_INVAL, "LEAT_LISTEN_FD is '%.*s': it must be the number of an open socket, 3 or above", SHOWN, text);
    *ret = (int)n;
    return LEAT_OK;
}

static leat_err read_job(const char *text, char ret[CLUSTER_JOB_LEN + 1])
{
    ret[0] = 0;
    if (!text || !*text)
        return LEAT_OK;
    if (strlen(text) != CLUSTER_JOB_LEN || strspn(text, "0123456789abcdef") != CLUSTER_JOB_LEN)
        return leat_fail(LEAT_INVAL, "LEAT_JOB is '%.*s': it must be %d hexadecimal digits in lower case", SHOWN, text,
            CLUSTER_JOB_LEN);
    memcpy(ret, text, CLUSTER_JOB_LEN + 1);
    return LEAT_OK;
}

leat_err cluster_read(cluster_getenv *get, struct cluster *ret)
{
    struct cluster c = { .listen_fd = -1 };
    const char *nodes = get("LEAT_NODES");
    if (nodes && *nodes) {
        LEAT_TRY(url_list_parse("LEAT_NODES", nodes, &c.nodes));
        leat_err err = read_rank(get("LEAT_RANK"), c.nodes.len, &c.rank);
        if (err == LEAT_OK)
            err = read_fd(get("LEAT_LISTEN_FD"), &c.listen_fd);
        if (err == LEAT_OK)
            err = read_job(get("LEAT_JOB"), c.job);
        if (err != LEAT_OK) {
            url_list_done(&c.nodes);
            return err;
        }
    }
    *ret = c;
    return LEAT_OK;
}

leat_err cluster_self(struct cluster *ret)
{
    return cluster_read(host_getenv, ret);
}

void cluster_done(struct cluster *c)
{
    url_list_done(&c->nodes);
}
