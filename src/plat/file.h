/* file.h - one call on a file, as a value: it can be done at once, by any thread, or given to a ring (io_uring) that does it meanwhile.
 *
 * A ring belongs to whoever holds its owner's lock, except ring_fd; its descriptor can be read from when something is done.  What a thread
 * has given to a ring is cancelled when that thread ends. */
#ifndef PLAT_FILE_H
#define PLAT_FILE_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum file_kind { FILE_OPEN, FILE_READ, FILE_WRITE, FILE_SYNC, FILE_CLOSE };
struct file_op {
    enum file_kind kind;
    int fd;
    const char *path;                                /* OPEN; with flags, O_CLOEXEC added, and mode */
    int flags;
    unsigned mode;
    void *buf;                                       /* READ, WRITE; with at: below 0: at the end, in a file that appends */
    size_t len;
    int64_t at;
};
int64_t file_do(const struct file_op *op);           /* its result, or a negative errno; -EINTR: a signal came first */
int file_size(int fd, int64_t *ret);                 /* 0 or an errno; EINVAL: it has no size */

/* New content for path, whole or not at all.  stop(): between steps, true ends it with ECANCELED.  0 or an errno; *renamed: the new content
 * is there, although perhaps not yet on the disk. */
int file_replace(const char *path, const void *buf, size_t len, unsigned mode, bool (*stop)(void), bool *renamed);

struct ring;
int ring_open(struct ring **ret);                    /* 0 or an errno; ENOSYS: not in this build or this kernel */
void ring_close(struct ring *r);
int ring_fd(const struct ring *r);
/* 0 or an errno: it was not taken.  OPEN never is: the kernel tries it with O_NONBLOCK, and a FIFO would open without its other end. */
int ring_give(struct ring *r, const struct file_op *op, void *tag);
void ring_cancel(struct ring *r, void *tag);         /* it is still told as done: with ECANCELED or EINTR, if that came in time */
bool ring_next(struct ring *r, void **tag, int64_t *res);            /* what is done, as file_do gives it; false: nothing more */
#endif
