/* sock.c - stream sockets on Linux. */
#include "plat/sock.h"
#include <arpa/inet.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>
#include "plat/errno.h"

enum { BACKLOG = 4096 };                             /* the kernel cuts it to net.core.somaxconn */

/* -- addresses ----------------------------------------------------------------------------------------------------------- */
int sock_addr_unix(const char *path, struct sock_addr *ret)
{
    struct sockaddr_un u = { .sun_family = AF_UNIX };
    size_t n = strlen(path);
    if (n >= sizeof u.sun_path)
        return ENAMETOOLONG;
    memcpy(u.sun_path, path, n);
    if (path[0] == '@')
        u.sun_path[0] = 0;
    memset(ret, 0, sizeof *ret);
    memcpy(&ret->at, &u, sizeof u);
    ret->len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n + (path[0] != '@'));
    return 0;
}

static void set_v4(struct sock_addr *a, struct in_addr ip, uint16_t port)
{
    struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = htons(port), .sin_addr = ip };
    memset(a, 0, sizeof *a);
    memcpy(&a->at, &in, sizeof in);
    a->len = sizeof in;
}

static void set_v6(struct sock_addr *a, struct in6_addr ip, uint16_t port)
{
    struct sockaddr_in6 in = { .sin6_family = AF_INET6, .sin6_port = htons(port), .sin6_addr = ip };
    memset(a, 0, sizeof *a);
    memcpy(&a->at, &in, sizeof in);
    a->len = sizeof in;
}

int sock_addr_ip(const char *text, uint16_t port, struct sock_addr *ret)
{
    struct in_addr v4;
    struct in6_addr v6;
    if (inet_pton(AF_INET, text, &v4) == 1)
        set_v4(ret, v4, port);
    else if (inet_pton(AF_INET6, text, &v6) == 1)
        set_v6(ret, v6, port);
    else
        return ENOENT;
    return 0;
}

int sock_addr_any(bool v6, uint16_t port, struct sock_addr *ret)
{
    if (v6)
        set_v6(ret, in6addr_any, port);
    else
        set_v4(ret, (struct in_addr){ htonl(INADDR_ANY) }, port);
    return 0;
}

static int resolve_failed(int code, const char **why)
{
    switch (code) {
    case EAI_SYSTEM:
        *why = "the name could not be resolved";
        return errno ? errno : EIO;
    case EAI_MEMORY:
        *why = "the name could not be resolved";
        return ENOMEM;
    case EAI_AGAIN:
        *why = "the name could not be resolved: no name server answered";
        return EAGAIN;
    default:
        *why = code == EAI_SERVICE ? "there is no service of this name" : "there is no host of this name";
        return ENOENT;
    }
}

int sock_resolve(const char *host, const char *service, struct sock_addr *ret, int *n, const char **why)
{
    struct addrinfo hints = { .ai_socktype = SOCK_STREAM }, *list = NULL;
    int k = 0, code = getaddrinfo(host, service, &hints, &list);
    if (code)
        return resolve_failed(code, why);
    for (struct addrinfo *a = list; a && k < SOCK_ADDRS_MAX; a = a->ai_next) {
        if (a->ai_addrlen > sizeof ret[k].at)
            continue;
        memset(&ret[k], 0, sizeof ret[k]);
        memcpy(&ret[k].at, a->ai_addr, a->ai_addrlen);
        ret[k++].len = a->ai_addrlen;
    }
    freeaddrinfo(list);
    *n = k;
    return k ? 0 : resolve_failed(EAI_NONAME, why);
}

static void ip_text(const void *ip, int family, uint16_t port, char *text)
{
    char host[INET6_ADDRSTRLEN] = "?";
    inet_ntop(family, ip, host, sizeof host);
    snprintf(text, SOCK_TEXT_MAX, family == AF_INET6 ? "tcp://[%s]:%u" : "tcp://%s:%u", host, ntohs(port));
}

void sock_addr_text(const struct sock_addr *a, char text[SOCK_TEXT_MAX])
{
    struct sockaddr_un u = { 0 };
    struct sockaddr_in in;
    struct sockaddr_in6 in6;
    switch (a->at.ss_family) {
    case AF_INET:
        memcpy(&in, &a->at, sizeof in);
        if (in.sin_addr.s_addr == htonl(INADDR_ANY))
            snprintf(text, SOCK_TEXT_MAX, "tcp://*:%u", ntohs(in.sin_port));
        else
            ip_text(&in.sin_addr, AF_INET, in.sin_port, text);
        return;
    case AF_INET6:
        memcpy(&in6, &a->at, sizeof in6);
        if (IN6_IS_ADDR_UNSPECIFIED(&in6.sin6_addr))
            snprintf(text, SOCK_TEXT_MAX, "tcp://*:%u", ntohs(in6.sin6_port));
        else if (IN6_IS_ADDR_V4MAPPED(&in6.sin6_addr))
            ip_text(&in6.sin6_addr.s6_addr[12], AF_INET, in6.sin6_port, text);
        else
            ip_text(&in6.sin6_addr, AF_INET6, in6.sin6_port, text);
        return;
    case AF_UNIX:
        memcpy(&u, &a->at, sizeof u);
        size_t n = a->len > offsetof(struct sockaddr_un, sun_path) ? a->len - offsetof(struct sockaddr_un, sun_path) : 0;
        if (n && !u.sun_path[0])
            snprintf(text, SOCK_TEXT_MAX, "unix:@%.*s", (int)n - 1, u.sun_path + 1);
        else
            snprintf(text, SOCK_TEXT_MAX, "unix:%.*s", (int)n, u.sun_path);
        return;
    default:
        text[0] = 0;
    }
}

void sock_name(int fd, bool peer, char text[SOCK_TEXT_MAX])
{
    struct sock_addr a = { .len = sizeof a.at };
    text[0] = 0;
    if ((peer ? getpeername : getsockname)(fd, (struct sockaddr *)&a.at, &a.len) == 0)
        sock_addr_text(&a, text);
}

/* -- sockets --------------------------------------------------------------------------------------------------------------- */
static int sock_new(int family, int *ret)
{
    int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), one = 1;
    if (fd < 0)
        return errno;
    if (family != AF_UNIX)
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    *ret = fd;
    return 0;
}

int sock_listen(const struct sock_addr *a, int *ret)
{
    int fd = -1, one = 1, zero = 0, e = sock_new(a->at.ss_family, &fd);
    if (e)
        return e;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (a->at.ss_family == AF_INET6)
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &zero, sizeof zero);
    if (bind(fd, (const struct sockaddr *)&a->at, a->len) != 0 || listen(fd, BACKLOG) != 0) {
        e = errno;
        close(fd);
        return e;
    }
    *ret = fd;
    return 0;
}

int sock_accept(int fd, int *ret)
{
    for (;;) {
        int c = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK), one = 1;
        if (c >= 0) {
            setsockopt(c, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);       /* refused by a Unix socket, which needs none */
            *ret = c;
            return 0;
        }
        if (errno != EINTR && errno != ECONNABORTED)
            return errno;
    }
}

int sock_connect(const struct sock_addr *a, int *ret)
{
    int fd = -1, e = sock_new(a->at.ss_family, &fd);
    if (e)
        return e;
    e = connect(fd, (const struct sockaddr *)&a->at, a->len) == 0 ? 0 : errno;
    if (e == EINTR)
        e = EINPROGRESS;                             /* it goes on by itself */
    if (e && e != EINPROGRESS) {
        close(fd);
        return e;
    }
    *ret = fd;
    return e;
}

int sock_connected(int fd)
{
    int e = 0;
    socklen_t n = sizeof e;
    struct sock_addr a = { .len = sizeof a.at };
    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &e, &n) != 0)
        return errno;
    if (e)
        return e;
    return getpeername(fd, (struct sockaddr *)&a.at, &a.len) == 0 ? 0 : errno == ENOTCONN ? EINPROGRESS : errno;
}

int sock_adopt(int fd, bool *listens)
{
    int type = 0, acc = 0, flags = fcntl(fd, F_GETFL), one = 1;
    socklen_t n = sizeof type, m = sizeof acc;
    struct sock_addr a = { .len = sizeof a.at };
    if (flags < 0)
        return errno;
    if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &n) != 0 || type != SOCK_STREAM)
        return EINVAL;
    if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &acc, &m) != 0)
        return errno;
    if (!acc && getpeername(fd, (struct sockaddr *)&a.at, &a.len) != 0)
        return errno;
    if (fcntl(fd, F_SETFL, flags | O_NONBLOCK) != 0 || fcntl(fd, F_SETFD, FD_CLOEXEC) != 0)
        return errno;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    *listens = acc != 0;
    return 0;
}

bool sock_is(int fd)
{
    int type;
    socklen_t n = sizeof type;
    return getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &n) == 0;
}

void sock_close(int fd)
{
    close(fd);
}

/* -- bytes ----------------------------------------------------------------------------------------------------------------- */
int sock_recv(int fd, void *buf, size_t cap, size_t *ret)
{
    for (;;) {
        ssize_t n = recv(fd, buf, cap, MSG_DONTWAIT);
        if (n >= 0) {
            *ret = (size_t)n;
            return 0;
        }
        if (errno != EINTR)
            return errno;
    }
}

int sock_recvv(int fd, const struct iovec *iov, int n, size_t *ret)
{
    struct msghdr m = { .msg_iov = (struct iovec *)(uintptr_t)iov, .msg_iovlen = (size_t)n };
    for (;;) {
        ssize_t k = recvmsg(fd, &m, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
        if (k >= 0) {
            *ret = (size_t)k;
            return 0;
        }
        if (errno != EINTR)
            return errno;
    }
}

int sock_send(int fd, const struct iovec *iov, int n, size_t *ret)
{
    struct msghdr m = { .msg_iov = (struct iovec *)(uintptr_t)iov, .msg_iovlen = (size_t)n };
    for (;;) {
        ssize_t k = n == 1 ? send(fd, iov->iov_base, iov->iov_len, MSG_DONTWAIT | MSG_NOSIGNAL)
                           : sendmsg(fd, &m, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (k >= 0) {
            *ret = (size_t)k;
            return 0;
        }
        if (errno != EINTR)
            return errno;
    }
}

int sock_shutdown(int fd, bool read_too)
{
    return shutdown(fd, read_too ? SHUT_RDWR : SHUT_WR) == 0 ? 0 : errno;
}

int sock_cred(int fd, int64_t *pid, int64_t *uid, int64_t *gid)
{
    struct ucred u = { 0 };
    socklen_t n = sizeof u;
    struct sock_addr a = { .len = sizeof a.at };
    if (getsockname(fd, (struct sockaddr *)&a.at, &a.len) != 0)
        return errno;
    if (a.at.ss_family != AF_UNIX)
        return EINVAL;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &u, &n) != 0)
        return errno;
    *pid = u.pid;
    *uid = u.uid;
    *gid = u.gid;
    return 0;
}
