/* leat/os.h - the world outside, beyond what leat.h has: streams, names of hosts, files, other programs.
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
/* The other side reads to the end; reading here goes on.  CLOSED: it has ended; INVAL: not a socket (a pipe has one way: close it);
 * SYS */
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

/* == Files.  Read and written at an offset, by any number of tasks at once. =============================================== *
 * Through io_uring where the system has it, else (and to open) on a thread of leat_blocking's pool; LEAT_FILES=pool or =io_uring in
 * the environment names one.  A cancel or a deadline ends what the kernel lets be ended (a FIFO, a terminal, what has not begun); a
 * disk finishes.  So a call that has been done is OK although its time is over.  A thread that is no task waits itself, and looks at
 * its deadline first. */
typedef struct leat_file leat_file;
LEAT_CHECK leat_err leat_file_open(const char *path, int flags, unsigned mode, leat_file **ret);   /* [blocks] [owned:
                            leat_file_close] flags and mode of open(2); closes on exec.  SYS: the detail names path; INVAL: path is
                            NULL; NOMEM */
LEAT_CHECK leat_err leat_file_read_at(leat_file *f, int64_t at, void *buf, size_t cap, size_t *ret);   /* [blocks] at least 1 byte;
                            CLOSED at the end, or when it is being closed; INVAL: cap is 0, or at below 0; SYS */
LEAT_CHECK leat_err leat_file_write_at(leat_file *f, int64_t at, const void *buf, size_t len);     /* [blocks] all of it, or an error
                            whose detail says how many bytes were written; CLOSED: it is being closed; INVAL: at is below 0; SYS */
LEAT_CHECK leat_err leat_file_append(leat_file *f, const void *buf, size_t len);   /* [blocks] the same, at the end wherever that is
                            by then; INVAL: not opened with O_APPEND */
LEAT_CHECK leat_err leat_file_sync(leat_file *f);    /* [blocks] until it is on the disk, its size too.  SYS: it may not be;
                            CLOSED: it is being closed */
LEAT_CHECK leat_err leat_file_size(leat_file *f, int64_t *ret);                    /* in bytes; INVAL: no regular file; CLOSED;
                            SYS */
/* [blocks] Waits for the calls that are under way, then gives the file back.  SYS: the error of close(2), and f is gone, as with OK;
 * no cancel and no deadline ends this.  Calls that come after it has begun get CLOSED.  INVAL, and f is as it was: calls are under way,
 * and this thread drives a guest. */
LEAT_CHECK leat_err leat_file_close(leat_file *f);
int leat_file_fd(const leat_file *f);                /* borrowed */
/* [blocks] All of it: *ret is of *len bytes and a NUL behind them that is not counted.  [owned: free]  LIMIT: over `limit` bytes (0: over
 * 1 GiB); INVAL: path is NULL; SYS, NOMEM. */
LEAT_CHECK leat_err leat_file_read_all(const char *path, size_t limit, char **ret, size_t *len);
/* [blocks] The file has either its old content or all of the new, also after a crash: written beside it, synced, renamed over it, and the
 * directory synced.  A file that was there keeps its mode; a new one gets `mode`.  SYS: as before (only where the detail says so has it
 * the new content, perhaps not yet on the disk); INVAL: path is NULL; NOMEM. */
LEAT_CHECK leat_err leat_file_replace(const char *path, const void *buf, size_t len, unsigned mode);

/* == Other programs. ====================================================================================================== */
typedef struct leat_child leat_child;
enum {                                               /* flags of leat_spawn_opts */
    LEAT_SPAWN_NO_IN = 1, LEAT_SPAWN_NO_OUT = 2, LEAT_SPAWN_NO_ERR = 4,      /* /dev/null instead of our own */
    LEAT_SPAWN_ERR_TO_OUT = 8,                       /* standard error goes where standard output goes */
    LEAT_SPAWN_GROUP = 16,                           /* a process group of its own; signals go to all of it */
};
typedef struct leat_spawn_opts {                     /* 0 everywhere but in argv: as for us; grows only at the end */
    const char *const *argv;                         /* argv[0] is looked up on PATH unless there is a / in it; ends with NULL */
    const char *const *env;                          /* "NAME=value" ..., ends with NULL; NULL: ours */
    const char *cwd;                                 /* NULL: ours */
    leat_conn **in, **out, **err;                    /* [owned: leat_conn_close] set to our end of a pipe; NULL: no pipe, ours */
    uint32_t flags;
    leat_dur grace;                                  /* between SIGTERM and SIGKILL; 0: 5 s */
} leat_spawn_opts;
typedef struct leat_exit { int code, signo; } leat_exit;     /* exit(code) when signo is 0; else the signal that ended it */

/* The program runs when this returns OK: what keeps it from being run is an error of this call (SYS; the detail names the program, or
 * the directory).  It has the descriptors 0, 1 and 2 and no other, no signal blocked or caught, those ignored that we ignore.
 * It does not wait for anything that could be cancelled, but a context that is over already is CANCELED or DEADLINE: nothing was started.
 * INVAL: no argv, flags that contradict, a grace below 0, or SIGCHLD is ignored here, so that no exit could be told; NOMEM. */
LEAT_CHECK leat_err leat_spawn_(const leat_spawn_opts *o, size_t opts_size, leat_child **ret);
LEAT_CHECK static inline leat_err leat_spawn(const leat_spawn_opts *o, leat_child **ret)     /* [owned: leat_child_close] */
{
    return leat_spawn_(o, sizeof *o, ret);
}
/* [blocks] Until it has ended; any number of tasks, any number of times.  When the context is cancelled or its deadline passes the child
 * is asked to end (SIGTERM), after its grace made to (SIGKILL), and this returns when it has ended: CANCELED or DEADLINE, and *ret is
 * set too.  To wait without that, select on leat_child_fd.  SYS: somebody else (a waitpid of any child) has taken its exit. */
LEAT_CHECK leat_err leat_child_wait(leat_child *c, leat_exit *ret);
LEAT_CHECK leat_err leat_child_try_wait(leat_child *c, leat_exit *ret);  /* AGAIN: it runs; SYS: somebody else has waited for it */
LEAT_CHECK leat_err leat_child_kill(leat_child *c, int signo);           /* OK also when it has ended; never another process.  INVAL, SYS */
int leat_child_pid(const leat_child *c);
int leat_child_fd(const leat_child *c);              /* borrowed: can be read (LEAT_READ) when it has ended */
/* [blocks] A child that runs is killed (SIGKILL) and waited for; no cancel ends this.  No process is left behind, no descriptor. */
void leat_child_close(leat_child *c);
#endif
