/* sock_unix.c - listening at a socket file: the file outlives its process, so a stale one is replaced and a live one respected.
 *
 * Between bind and listen a socket looks stale to others.  So bind, the look and listen happen under a lock on the directory;
 * where that cannot be locked (no right to read it, a file system without locks) the short race is left. */
#include <fcntl.h>
#include <stddef.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include "plat/errno.h"
#include "plat/sock.h"

static int dir_lock(const char *path)
{
    char dir[sizeof((struct sockaddr_un *)0)->sun_path];
    size_t n = (size_t)(strrchr(path, '/') - path);
    memcpy(dir, path, n + 1);
    dir[n ? n : 1] = 0;
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0 && flock(fd, LOCK_EX) != 0) {
        close(fd);
        fd = -1;
    }
    return fd;
}

/* 0: it was stale and is gone */
static int clear_stale(const struct sock_addr *a, const char *path)
{
    struct stat st;
    int fd = -1;
    if (lstat(path, &st) != 0)
        return errno == ENOENT ? 0 : errno;
    if (!S_ISSOCK(st.st_mode))
        return EEXIST;
    int e = sock_connect(a, &fd);
    if (fd >= 0)
        sock_close(fd);
    if (e != ECONNREFUSED)
        return e == ENOENT ? 0 : e == 0 || e == EAGAIN || e == EINPROGRESS ? EADDRINUSE : e;
    return unlink(path) == 0 || errno == ENOENT ? 0 : errno;
}

static int listen_locked(const struct sock_addr *a, const char *path, struct sock_file *file, int *ret)
{
    int fd, e = sock_listen(a, &fd);
    if (e == EADDRINUSE) {
        e = clear_stale(a, path);
        if (e == 0)
            e = sock_listen(a, &fd);
    }
    if (e)
        return e;
    struct stat st;
    struct sock_file f = { 0 };
    if (lstat(path, &st) == 0) {
        f.dev = st.st_dev;
        f.ino = st.st_ino;
        memcpy(f.path, path, strlen(path));
    }
    *file = f;
    *ret = fd;
    return 0;
}

int sock_listen_unix(const struct sock_addr *a, struct sock_file *file, int *ret)
{
    struct sockaddr_un u;
    memcpy(&u, &a->at, sizeof u);
    if (!u.sun_path[0]) {
        struct sock_file none = { 0 };
        int e = sock_listen(a, ret);
        if (e == 0)
            *file = none;
        return e;
    }
    char path[sizeof u.sun_path + 1] = { 0 };
    memcpy(path, u.sun_path, sizeof u.sun_path);
    int dir = dir_lock(path), e = listen_locked(a, path, file, ret);
    if (dir >= 0)
        close(dir);
    return e;
}

void sock_file_remove(const struct sock_file *f)
{
    struct stat st;
    if (f->path[0] && lstat(f->path, &st) == 0 && st.st_dev == f->dev && st.st_ino == f->ino)
        unlink(f->path);
}
