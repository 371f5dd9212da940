/* proc_fd.c - the descriptors of proc.h: pipes, terminals, listening sockets, a private directory. */
#include "plat/cpu_time.h"
#include "plat/errno.h"
#include <ctype.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>
#include "plat/proc.h"

int proc_pipe(int *ret_read, int *ret_write)
{
    int fd[2];
    if (pipe2(fd, O_CLOEXEC) != 0)
        return errno;
    *ret_read = fd[0];
    *ret_write = fd[1];
    return 0;
}

int proc_packets(int *ret_a, int *ret_b)
{
    int fd[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fd) != 0)
        return errno;
    *ret_a = fd[0];
    *ret_b = fd[1];
    return 0;
}

int proc_send(int sock, const void *buf, size_t len, const int *fds, size_t n_fds)
{
    enum { MOST = 8 };
    union { struct cmsghdr h; char room[CMSG_SPACE(MOST * sizeof(int))]; } c = { .room = { 0 } };
    struct iovec v = { (void *)(uintptr_t)buf, len };
    struct msghdr m = { .msg_iov = &v, .msg_iovlen = 1, .msg_control = &c, .msg_controllen = CMSG_SPACE(n_fds * sizeof(int)) };
    if (n_fds == 0 || n_fds > MOST)
        return EINVAL;
    c.h = (struct cmsghdr){ .cmsg_len = CMSG_LEN(n_fds * sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS };
    memcpy(CMSG_DATA(&c.h), fds, n_fds * sizeof(int));
    ssize_t n;
    while ((n = sendmsg(sock, &m, MSG_NOSIGNAL)) < 0 && errno == EINTR)
        ;
    return n < 0 ? errno : 0;
}

int proc_pty(int *ret_master, int *ret_slave)
{
    char name[64];
    struct termios t;
    int slave = -1, master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (master < 0)
        return errno;
    if (grantpt(master) != 0 || unlockpt(master) != 0 || ptsname_r(master, name, sizeof name) != 0)
        goto fail;
    slave = open(name, O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (slave < 0 || tcgetattr(slave, &t) != 0)
        goto fail;
    cfmakeraw(&t);                                   /* the real terminal turns \n into \r\n: once is enough */
    if (tcsetattr(slave, TCSANOW, &t) != 0)
        goto fail;
    *ret_master = master;
    *ret_slave = slave;
    return 0;
fail:;
    int e = errno ? errno : EIO;
    proc_close(&slave);
    proc_close(&master);
    return e;
}

int proc_pty_size(int pty, int like, unsigned less_columns)
{
    struct winsize w;
    if (ioctl(like, TIOCGWINSZ, &w) != 0)
        return errno;
    if (w.ws_col > less_columns)
        w.ws_col = (unsigned short)(w.ws_col - less_columns);
    return ioctl(pty, TIOCSWINSZ, &w) == 0 ? 0 : errno;
}

bool proc_is_tty(int fd)
{
    return isatty(fd) == 1;
}

int proc_read(int fd, void *buf, size_t cap, size_t *ret)
{
    ssize_t n;
    while ((n = read(fd, buf, cap)) < 0 && errno == EINTR)
        ;
    if (n < 0 && errno != EIO)                       /* EIO: the other side of a terminal of ours is closed */
        return errno;
    *ret = n < 0 ? 0 : (size_t)n;
    return 0;
}

int proc_write(int fd, const void *buf, size_t len, size_t *ret)
{
    ssize_t n;
    while ((n = write(fd, buf, len)) < 0 && errno == EINTR)
        ;
    if (n < 0)
        return errno;
    *ret = (size_t)n;
    return 0;
}

void proc_close(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

int proc_poll(struct pollfd *at, size_t count, int64_t timeout_ms)
{
    for (size_t i = 0; i < count; i++)
        at[i].revents = 0;                           /* also when a signal ends it */
    int n = poll(at, count, timeout_ms < 0 ? -1 : timeout_ms > 60000 ? 60000 : (int)timeout_ms);
    return n < 0 && errno != EINTR ? errno : 0;
}

int proc_temp_dir(const char *base, char *ret, size_t cap)
{
    int n = snprintf(ret, cap, "%s/leat-XXXXXX", base);
    if (n < 0 || (size_t)n >= cap)
        return ENAMETOOLONG;
    return mkdtemp(ret) ? 0 : errno;                 /* mode 0700 */
}

void proc_remove_dir(const char *path, unsigned files)
{
    char name[200];
    for (unsigned i = 0; i < files; i++) {
        snprintf(name, sizeof name, "%s/%u", path, i);
        unlink(name);
    }
    rmdir(path);
}

static int listen_at(int family, const struct sockaddr *at, socklen_t len, int *ret)
{
    int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return errno;
    if (bind(fd, at, len) != 0 || listen(fd, SOMAXCONN) != 0) {
        int e = errno;
        close(fd);
        return e;
    }
    *ret = fd;
    return 0;
}

int proc_listen_unix(const char *path, int *ret)
{
    struct sockaddr_un at = { .sun_family = AF_UNIX };
    if (strlen(path) >= sizeof at.sun_path)
        return ENAMETOOLONG;
    strcpy(at.sun_path, path);
    return listen_at(AF_UNIX, (const struct sockaddr *)&at, sizeof at, ret);
}

int proc_listen_loopback(int *ret, uint16_t *ret_port)
{
    struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t len = sizeof at;
    int fd = -1, e = listen_at(AF_INET, (const struct sockaddr *)&at, sizeof at, &fd);
    if (e)
        return e;
    if (getsockname(fd, (struct sockaddr *)&at, &len) != 0) {
        e = errno;
        close(fd);
        return e;
    }
    *ret = fd;
    *ret_port = ntohs(at.sin_port);
    return 0;
}

int proc_random(void *ret, size_t len)
{
    return getrandom(ret, len, 0) == (ssize_t)len ? 0 : errno;
}

int64_t proc_clock_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

int64_t proc_cpu_ms(void)
{
    return (cpu_time_us(RUSAGE_SELF) + cpu_time_us(RUSAGE_CHILDREN)) / 1000;
}

const char *proc_error(int error)
{
    static char text[128];
    const char *s = strerrordesc_np(error);
    snprintf(text, sizeof text, "%s", s ? s : "unknown error");
    text[0] = (char)tolower((unsigned char)text[0]);
    return text;
}
