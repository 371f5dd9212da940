/* conn.h - streams of bytes: what link/ needs beyond leat_dial, leat_accept, leat_read, leat_write and leat_conn_close.
 *
 * Laws
 *  One task may read and one may write at a time; both may wait.  Each call tries the system call first and parks only when that
 *  would block; it is ended by the context and the deadline of its task.  From a thread that is no task they block the thread.
 *  fd is closed when the last call has left: until then its number is not used again.
 *  A conn that conn_break or leat_conn_close has ended gives LEAT_CLOSED to every call, also to those that wait.
 * Errors beyond LEAT_CANCELED and LEAT_DEADLINE
 *  read   CLOSED: the other side has ended its stream, or this one was ended here; SYS: all else, with its errno (leat_err_sys())
 *  write  CLOSED: ended here, or by the other side before a byte of this call was taken; SYS: as above.  After any error of a write
 *         the detail says how many bytes the system had taken; the stream is of no more use. */
#ifndef RUN_CONN_H
#define RUN_CONN_H
#include <sys/uio.h>
#include "leat.h"
#undef errno

struct conn_cred { int64_t pid, uid, gid; };

/* These take fd, a connected or listening stream socket, on LEAT_OK; on failure it stays the caller's. */
LEAT_CHECK leat_err conn_open_fd(int fd, leat_conn **ret);                               /* [owned: leat_conn_close] INVAL, NOMEM */
LEAT_CHECK leat_err listener_open_fd(int fd, const char *url, leat_listener **ret);      /* url NULL: as the system names it */

const char *listener_url(const leat_listener *l);    /* where it listens in fact, e.g. tcp://127.0.0.1:41233; until it is closed */
const char *conn_peer(const leat_conn *c);           /* the other side: its address, or what was dialled; until c is closed */
bool conn_cred(const leat_conn *c, struct conn_cred *ret);           /* who was at the other end of a unix: stream when it began */

/* [blocks] as leat_write, from n pieces in order.  iov is used up: what it holds afterwards means nothing. */
LEAT_CHECK leat_err conn_writev(leat_conn *c, struct iovec *iov, int n);
/* The next bytes if there are any, LEAT_AGAIN if there are none yet; else as leat_read. */
LEAT_CHECK leat_err conn_try_read(leat_conn *c, void *buf, size_t cap, size_t *ret);
LEAT_CHECK leat_err conn_shutdown_write(leat_conn *c);               /* the other side reads to the end; reading here goes on */
/* Ends both ways and wakes who waits; c is still to be closed.  From any task or thread, any number of times. */
void conn_break(leat_conn *c);
void listener_break(leat_listener *l);               /* the same: leat_accept gives LEAT_CLOSED from now on */
#endif
