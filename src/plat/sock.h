/* sock.h - stream sockets: TCP and Unix.  Nothing here blocks but sock_resolve.
 *
 * Every function returns 0 or a positive errno, and leaves *ret untouched on failure.  All sockets close on exec and are
 * non-blocking; TCP sends at once (TCP_NODELAY).  Interrupted calls are repeated, a broken pipe is EPIPE and no signal. */
#ifndef PLAT_SOCK_H
#define PLAT_SOCK_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/uio.h>

enum { SOCK_ADDRS_MAX = 16, SOCK_TEXT_MAX = 160 };

struct sock_addr {
    struct sockaddr_storage at;
    socklen_t len;
};
struct sock_file {                                   /* the file of a listening unix: socket */
    dev_t dev;
    ino_t ino;
    char path[108];                                  /* "": none */
};

int sock_addr_unix(const char *path, struct sock_addr *ret);         /* a leading @ stands for the NUL of an abstract name */
int sock_addr_ip(const char *text, uint16_t port, struct sock_addr *ret);       /* ENOENT: text is no address but a name */
int sock_addr_any(bool v6, uint16_t port, struct sock_addr *ret);    /* every address of this host */
/* The addresses of a name, at most SOCK_ADDRS_MAX, in the order to try them.  *why, static, says more about a failure.
 * [blocks the thread] */
int sock_resolve(const char *host, const char *service, struct sock_addr *ret, int *n, const char **why);

int sock_listen(const struct sock_addr *a, int *ret);
/* A socket file that nobody listens on is replaced; EADDRINUSE: somebody does; EEXIST: the file there is no socket. */
int sock_listen_unix(const struct sock_addr *a, struct sock_file *file, int *ret);
void sock_file_remove(const struct sock_file *file); /* if it is still the same file; before the socket is closed */
int sock_accept(int fd, int *ret);                   /* EAGAIN: nobody there */
/* 0: connected.  EINPROGRESS: *ret is there, and sock_connected tells when it can be written.  EAGAIN (Unix): later, from the start. */
int sock_connect(const struct sock_addr *a, int *ret);
int sock_connected(int fd);                          /* EINPROGRESS: not yet */
int sock_adopt(int fd, bool *listens);               /* EINVAL: not a stream socket; ENOTCONN */
bool sock_is(int fd);                                /* a socket of any kind */
void sock_close(int fd);

int sock_recv(int fd, void *buf, size_t cap, size_t *ret);           /* *ret = 0: the end.  EAGAIN */
int sock_recvv(int fd, const struct iovec *iov, int n, size_t *ret);
int sock_send(int fd, const struct iovec *iov, int n, size_t *ret);  /* EAGAIN */
int sock_shutdown(int fd, bool read_too);
void sock_addr_text(const struct sock_addr *a, char text[SOCK_TEXT_MAX]);    /* as a URL: tcp://127.0.0.1:80 */
void sock_name(int fd, bool peer, char text[SOCK_TEXT_MAX]);         /* as a URL: tcp://127.0.0.1:80, unix:/path */
int sock_cred(int fd, int64_t *pid, int64_t *uid, int64_t *gid);
#endif
