/* file_ring.c - files through io_uring: see file.h. */
#include "plat/file.h"
#include "plat/errno.h"
#include "plat/san.h"
#ifdef HAVE_URING
#include <liburing.h>
#include <stdlib.h>

enum { ENTRIES = 64, COMPLETIONS = 1024 };
enum { RESTART = 512 };                              /* from here on the kernel's own: a call that a signal ended before it began */
struct ring { struct io_uring u; };

int ring_open(struct ring **ret)
{
    const unsigned need = IORING_FEAT_NODROP | IORING_FEAT_RSRC_TAGS;       /* as poll_uring.c: a kernel of 5.13 */
    struct io_uring_params params = { .flags = IORING_SETUP_CQSIZE | IORING_SETUP_CLAMP, .cq_entries = COMPLETIONS };
    struct ring *r = san_on_valgrind() ? NULL : calloc(1, sizeof *r);        /* valgrind does not see what a ring writes */
    if (!r)
        return san_on_valgrind() ? ENOSYS : ENOMEM;
    int e = -io_uring_queue_init_params(ENTRIES, &r->u, &params);
    if (e == 0 && (params.features & need) != need) {
        io_uring_queue_exit(&r->u);
        e = ENOSYS;
    }
    if (e) {
        free(r);
        return e;
    }
    *ret = r;
    return 0;
}

void ring_close(struct ring *r)
{
    io_uring_queue_exit(&r->u);
    free(r);
}

int ring_fd(const struct ring *r) { return r->u.ring_fd; }

/* One that the kernel does not take now becomes a NOP, which goes with the next. */
static int submit(struct ring *r, struct io_uring_sqe *s)
{
    int n;
    do
        n = io_uring_submit(&r->u);
    while (n == -EINTR);
    if (n >= 0)
        return 0;
    io_uring_prep_nop(s);
    io_uring_sqe_set_data(s, NULL);
    return -n;
}

int ring_give(struct ring *r, const struct file_op *op, void *tag)
{
    struct io_uring_sqe *s = op->kind == FILE_OPEN ? NULL : io_uring_get_sqe(&r->u);
    unsigned len = (unsigned)op->len;
    int saved = errno, e = EAGAIN;
    if (!s)
        return e;
    switch (op->kind) {
    case FILE_READ:
        io_uring_prep_read(s, op->fd, op->buf, len, (uint64_t)op->at);
        break;
    case FILE_WRITE:
        io_uring_prep_write(s, op->fd, op->buf, len, (uint64_t)op->at);
        break;
    case FILE_SYNC:
        io_uring_prep_fsync(s, op->fd, 0);
        break;
    default:
        io_uring_prep_close(s, op->fd);
    }
    io_uring_sqe_set_data(s, tag);
    e = submit(r, s);
    errno = saved;
    return e;
}

void ring_cancel(struct ring *r, void *tag)
{
    struct io_uring_sqe *s = io_uring_get_sqe(&r->u);
    int saved = errno;
    if (s) {
        io_uring_prep_cancel(s, tag, 0);
        io_uring_sqe_set_data(s, NULL);
        (void)submit(r, s);
    }
    errno = saved;
}

bool ring_next(struct ring *r, void **tag, int64_t *res)
{
    struct io_uring_cqe *c;
    int saved = errno;
    bool found = false;
    while (!found && io_uring_peek_cqe(&r->u, &c) == 0) {
        *tag = io_uring_cqe_get_data(c);
        *res = c->res <= -RESTART ? -EINTR : c->res;
        found = *tag != NULL;                        /* else a cancel, or a NOP */
        io_uring_cqe_seen(&r->u, c);
    }
    errno = saved;
    return found;
}
#else
int ring_open(struct ring **ret)
{
    (void)ret;
    return ENOSYS;
}

void ring_close(struct ring *r) { (void)r; }

int ring_fd(const struct ring *r)
{
    (void)r;
    return -1;
}

int ring_give(struct ring *r, const struct file_op *op, void *tag)
{
    (void)r, (void)op, (void)tag;
    return ENOSYS;
}

void ring_cancel(struct ring *r, void *tag) { (void)r, (void)tag; }

bool ring_next(struct ring *r, void **tag, int64_t *res)
{
    (void)r, (void)tag, (void)res;
    return false;
}
#endif
