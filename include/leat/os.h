/* leat/os.h - the world outside, beyond what leat.h has: streams and names of hosts.
 *
 * Read leat.h first: its rules and marks hold here.  Every call that may wait obeys the context and the deadline of its task, and
 * every handle may be used from any task and any thread.  After a call that was ended so, what it had done is told, never lost. */
#ifndef LEAT_H
#include "../leat.h"                               /* read alone, it still works */
#endif
#ifndef LEAT_OS_H
#define LEAT_OS_H
struct iovec;                                        /* of <sys/uio.h> */

/* == Streams.  What leat_dial and leat_accept give, and any pipe, socket or terminal. ===================================== */
typedef struct leat_addr { char url[160]; } leat_addr;   /* tcp://127.0.0.1:80, unix:/path, unix: (has no name), or "": no address */
leat_addr leat_conn_local(const leat_conn *c);
leat_addr leat_conn_peer(const leat_conn *c);
leat_addr leat_listener_addr(const leat_listener *l);    /* where it listens in fact: port 0 has become a number */

/* Exactly len bytes; *ret is how many have been read, also on an error.  CLOSED: the end, before the first byte; PEER_LOST: the end,
 * in the middle. */
LEAT_CHECK leat_err leat_read_full(leat_conn *c, void *buf, size_t len, size_t *ret);                    /* [blocks] */
/* The same as leat_read and leat_write with n pieces, in order; the pieces stay as they are.  INVAL: n is below 0, no room. */
LEAT_CHECK leat_err leat_readv(leat_conn *c, const struct iovec *iov, int n, size_t *ret);               /* [blocks] */
LEAT_CHECK leat_err leat_writev(leat_conn *c, const struct iovec *iov, int n);                           /* [blocks] */
/* The other side reads to the end; reading here goes on.  CLOSED: it has ended; INVAL: not a socket (a pipe has one way: close it) */
LEAT_CHECK leat_err leat_conn_close_write(leat_conn *c);
/* Ends both ways: every call gets CLOSED from now on, also those that wait.  The handle stays, and is still to be closed: for when other
 * tasks may be about to use it.  Any number of times. */
void leat_conn_break(leat_conn *c);
void leat_listener_break(leat_listener *l);
/* A stream of a descriptor: a stream socket, a pipe, a terminal or another device.  It takes fd on OK; on failure fd stays yours.
 * What other processes share is not made non-blocking under their feet: a pipe or terminal is opened anew for us where /proc lets us,
 * so leat_conn_fd may be another number.  INVAL: not one of these; NOMEM, SYS. */
LEAT_CHECK leat_err leat_conn_open_fd(int fd, leat_conn **ret);          /* [owned: leat_conn_close] */
LEAT_CHECK leat_err leat_listener_open_fd(int fd, leat_listener **ret);  /* [owned: leat_listener_close] INVAL, NOMEM; takes fd on OK */
/* A listening socket that this process was started with (LISTEN_PID, LISTEN_FDS and LISTEN_FDNAMES, as systemd sets them): the first
 * of this name, or of any if name is NULL, that has not been taken.  REFUSED: there is none (the detail says what there is). */
LEAT_CHECK leat_err leat_listen_inherited(const char *name, leat_listener **ret);   /* [owned: leat_listener_close] */

/* == Names of hosts. ====================================================================================================== *
 * The addresses of a host, in the order to try them, as URLs for leat_dial.  service is a port's number or name, NULL: 0.  An address
 * is its own, without a look-up; a look-up runs on a thread of its own and is left behind there by a cancel or a deadline.
 * leat_dial of a name tries them all: the next one 250 ms after the last, or at once when that has failed; the first to answer wins. */
enum { LEAT_ADDRS_MAX = 16 };
typedef struct leat_addrs { uint32_t len; leat_addr at[LEAT_ADDRS_MAX]; } leat_addrs;
LEAT_CHECK leat_err leat_resolve(const char *host, const char *service, leat_addrs *ret);    /* [blocks] INVAL, NOMEM, SYS: no such name */
#endif
