/* file.c - calls on files, and replacing the content of one: see file.h. */
#include "plat/file.h"
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "plat/errno.h"

static int64_t result(int64_t n) { return n < 0 ? -(int64_t)errno : n; }

static int64_t file_read(const struct file_op *op)
{
    int64_t n = result(pread(op->fd, op->buf, op->len, op->at));
    return n == -ESPIPE ? result(read(op->fd, op->buf, op->len)) : n;
}

static int64_t file_write(const struct file_op *op)
{
    int64_t n = op->at < 0 ? -ESPIPE : result(pwrite(op->fd, op->buf, op->len, op->at));
    return n == -ESPIPE ? result(write(op->fd, op->buf, op->len)) : n;
}

int64_t file_do(const struct file_op *op)
{
    switch (op->kind) {
    case FILE_OPEN:
        return result(open(op->path, op->flags | O_CLOEXEC, (mode_t)op->mode));
    case FILE_READ:
        return file_read(op);
    case FILE_WRITE:
        return file_write(op);
    case FILE_SYNC:
        return result(fsync(op->fd));
    default:
        return result(close(op->fd));                /* Linux has closed it in any case, also after EINTR */
    }
}

int file_size(int fd, int64_t *ret)
{
    struct stat st;
    if (fstat(fd, &st) != 0)
        return errno;
    if (!S_ISREG(st.st_mode))
        return EINVAL;
    *ret = (int64_t)st.st_size;
    return 0;
}

/* -- replacing ---------------------------------------------------------------------------------------------------------------- */
struct replace {
    char to[PATH_MAX], temp[PATH_MAX];               /* to: with links followed, if it is there */
    struct stat old;
    bool is_there;
};

static int write_all(int fd, const char *buf, size_t len, bool (*stop)(void))
{
    enum { PIECE = 8 << 20 };
    while (len) {
        ssize_t n = write(fd, buf, len < PIECE ? len : (size_t)PIECE);
        if (stop())
            return ECANCELED;
        if (n < 0 && errno != EINTR)
            return errno;
        if (n > 0) {
            buf += n;
            len -= (size_t)n;
        }
    }
    return 0;
}

/* In the same folder, so that a rename is one step. */
static int temp_open(struct replace *r, unsigned mode, int *ret)
{
    static _Atomic unsigned count;
    for (int tries = 0; tries < 100; tries++) {
        int n = snprintf(r->temp, sizeof r->temp, "%s.%d-%u.new", r->to, (int)getpid(), count++);
        if (n < 0 || (size_t)n >= sizeof r->temp)
            return ENAMETOOLONG;
        int fd = open(r->temp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, (mode_t)mode);
        if (fd >= 0) {
            *ret = fd;
            return 0;
        }
        if (errno != EEXIST)
            return errno;
    }
    return EEXIST;
}

static int dir_sync(const char *path)
{
    char dir[PATH_MAX];
    const char *slash = strrchr(path, '/');
    size_t n = slash ? (size_t)(slash - path) : 0;
    memcpy(dir, slash ? path : ".", slash ? n : 1);
    dir[slash ? n : 1] = 0;
    int fd = open(slash && !n ? "/" : dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return errno;
    int e;
    do
        e = fsync(fd) == 0 || errno == EINVAL ? 0 : errno;           /* EINVAL: such a file system needs none */
    while (e == EINTR);
    close(fd);
    return e;
}

static int fill(int fd, const struct replace *r, const void *buf, size_t len, bool (*stop)(void))
{
    int e = 0;
    if (r->is_there && fchown(fd, r->old.st_uid, r->old.st_gid) != 0 && errno != EPERM)
        e = errno;
    if (!e && r->is_there && fchmod(fd, r->old.st_mode & 07777) != 0)
        e = errno;
    if (!e)
        e = write_all(fd, buf, len, stop);
    while (!e && fsync(fd) != 0)
        if (errno != EINTR || stop())
            e = errno == EINTR ? ECANCELED : errno;
    if (close(fd) != 0 && !e && errno != EINTR)
        e = errno;
    return e;
}

static int replace_in(struct replace *r, const char *path, const void *buf, size_t len, unsigned mode, bool (*stop)(void), bool *renamed)
{
    int fd = -1, e;
    r->is_there = realpath(path, r->to) != NULL;
    if (!r->is_there && (errno != ENOENT || strlen(path) >= sizeof r->to))
        return errno != ENOENT ? errno : ENAMETOOLONG;
    if (!r->is_there)
        strcpy(r->to, path);
    else if (stat(r->to, &r->old) != 0)
        return errno;
    else if (!S_ISREG(r->old.st_mode))
        return S_ISDIR(r->old.st_mode) ? EISDIR : EINVAL;
    if ((e = temp_open(r, mode, &fd)) != 0)
        return e;
    e = fill(fd, r, buf, len, stop);
    if (!e && stop())
        e = ECANCELED;
    if (!e && rename(r->temp, r->to) != 0)
        e = errno;
    if (e) {
        unlink(r->temp);
        return e;
    }
    *renamed = true;
    return dir_sync(r->to);
}

int file_replace(const char *path, const void *buf, size_t len, unsigned mode, bool (*stop)(void), bool *renamed)
{
    struct replace *r = malloc(sizeof *r);
    *renamed = false;
    if (!r)
        return ENOMEM;
    int e = replace_in(r, path, buf, len, mode, stop, renamed);
    free(r);
    return e;
}
