/* stream_fd.h - streams that are no sockets: pipes, terminals and other devices, with the calls of sock.h.
 *
 * Every function returns 0 or a positive errno, and leaves *ret untouched on failure.  A broken pipe is EPIPE and no signal. */
#ifndef PLAT_STREAM_FD_H
#define PLAT_STREAM_FD_H
#include <stddef.h>
#include <sys/uio.h>

/* *ret: fd, or the same pipe or terminal opened anew, so that what other processes share stays as it is for them; fd is then closed.
 * Either way it is non-blocking and closes on exec.  EINVAL: neither a pipe nor a device with characters; EBADF. */
int stream_fd_adopt(int fd, int *ret);
int stream_fd_read(int fd, const struct iovec *iov, int n, size_t *ret);     /* 0 bytes: the end, also of a terminal nobody holds; EAGAIN */
int stream_fd_write(int fd, const struct iovec *iov, int n, size_t *ret);    /* EAGAIN, EPIPE */
#endif
