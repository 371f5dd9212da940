/* stream_fd.c - pipes, terminals and devices on Linux: see stream_fd.h. */
#include "plat/stream_fd.h"
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <time.h>
#include <unistd.h>
#include "plat/errno.h"

enum { PTMX_MAJOR = 5, PTMX_MINOR = 2 };             /* opened anew, the master's side of a terminal is that of another one */

static bool can_reopen(int fd, const struct stat *st)
{
    return S_ISFIFO(st->st_mode) || (isatty(fd) && st->st_rdev != makedev(PTMX_MAJOR, PTMX_MINOR));
}

/* A description of our own.  -1: none can be had, for lack of /proc or of permission, or because nobody reads a pipe. */
static int reopen(int fd, int flags)
{
    char path[40];
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    return open(path, (flags & O_ACCMODE) | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
}

int stream_fd_adopt(int fd, int *ret)
{
    struct stat st;
    int flags = fcntl(fd, F_GETFL), mine = -1;
    if (flags < 0 || fstat(fd, &st) != 0)
        return errno;
    if (!S_ISFIFO(st.st_mode) && !S_ISCHR(st.st_mode))
        return EINVAL;
    if (!(flags & O_NONBLOCK) && can_reopen(fd, &st))
        mine = reopen(fd, flags);
    if (mine >= 0)
        close(fd);
    else if (fcntl(fd, F_SETFL, flags | O_NONBLOCK) != 0 || fcntl(fd, F_SETFD, FD_CLOEXEC) != 0)
        return errno;
    *ret = mine >= 0 ? mine : fd;
    return 0;
}

int stream_fd_read(int fd, const struct iovec *iov, int n, size_t *ret)
{
    ssize_t k;
    while ((k = readv(fd, iov, n)) < 0 && errno == EINTR)
        ;
    if (k < 0 && errno != EIO)                       /* EIO: nobody holds the other side of the terminal */
        return errno;
    *ret = k < 0 ? 0 : (size_t)k;
    return 0;
}

static int write_once(int fd, const struct iovec *iov, int n, size_t *ret)
{
    ssize_t k;
    while ((k = writev(fd, iov, n)) < 0 && errno == EINTR)
        ;
    if (k < 0)
        return errno;
    *ret = (size_t)k;
    return 0;
}

/* There is no MSG_NOSIGNAL for pipes: the signal is blocked, and taken off this thread if it has come from here. */
int stream_fd_write(int fd, const struct iovec *iov, int n, size_t *ret)
{
    sigset_t pipe_only, old, pending;
    sigemptyset(&pipe_only);
    sigaddset(&pipe_only, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &pipe_only, &old);
    sigpending(&pending);
    int e = write_once(fd, iov, n, ret);
    if (e == EPIPE && !sigismember(&pending, SIGPIPE)) {
        static const struct timespec now;
        while (sigtimedwait(&pipe_only, NULL, &now) < 0 && errno == EINTR)
            ;
    }
    if (!sigismember(&old, SIGPIPE))
        pthread_sigmask(SIG_SETMASK, &old, NULL);
    return e;
}
