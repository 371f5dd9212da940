/* leat.h - tasks, typed channels, select and deadlines: one meaning in a process, between processes, between hosts.
 *
 * How to read a contract.  Unless a line says otherwise, a function may be called from any task and any thread, does not
 * block, is not for signal handlers, keeps no pointer it was given, and on failure leaves *ret untouched.  The marks:
 *   [blocks]  parks the task, not its thread (a thread that is no task sleeps); may add LEAT_CANCELED and LEAT_DEADLINE
 *   [task]    only from a task          [signal]  also from a signal handler
 * A call to a wrong thing that the compiler cannot see (a freed channel, a foreign unlock) is a bug: debug builds abort and say so.
 *   [owned]   the caller gives the result back, with the function named
 * Every close, break, end, stop, unref, drop and cancel accepts NULL: there is nothing to do, and nothing to stop.
 * Not said again with each: NULL where a channel, a node, a peer, workers or a net/rpc connection is needed is LEAT_INVAL, any other NULL
 * a bug.  What makes something or goes to a peer may be LEAT_NOMEM.  What would have to wait is LEAT_INVAL on a thread that drives a
 * guest (leat/guest.h) and in the child of a fork.
 *  A name with a trailing underscore is for the macros, not for you. */
#ifndef LEAT_H
#define LEAT_H
#if defined __SIZEOF_POINTER__ && __SIZEOF_POINTER__ != 8
#error "leat needs 64-bit addresses: x86-64 or AArch64, without -m32 and -mx32"
#endif
#define LEAT_VERSION 0x000100                        /* 0xMMmmpp; leat_run refuses a library of another major version */
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "leat/macros.h"                             /* how the macros below are made; no contract lives there */
LEAT_BEGIN_

/* == Errors.  A returned value: a task may wake on another thread, so there is no errno and no thread-local. =========== */
typedef enum leat_err {                              /* the numbers travel between nodes and never change */
    LEAT_OK = 0,
    LEAT_CLOSED = 1,         /* the channel or stream has ended: for a receiver all is drained, for a sender none was sent */
    LEAT_CANCELED = 2,       /* the context was cancelled */
    LEAT_DEADLINE = 3,       /* the context's deadline has passed */
    LEAT_AGAIN = 4,          /* a leat_try_ call would have to wait */
    LEAT_NOMEM = 5, LEAT_INVAL = 6, LEAT_LIMIT = 7,  /* no memory; a wrong argument; a limit of leat_opts or of a peer */
    LEAT_TYPE = 8,           /* the two sides describe a type differently: the detail names the field */
    LEAT_REFUSED = 9,        /* the other side, or its policy, said no; or nobody is there */
    LEAT_PEER_LOST = 10,     /* the session has ended: after all that had arrived was received */
    LEAT_GONE = 11,          /* every receive end is gone: nobody will ever receive this */
    LEAT_UNKNOWN = 12,       /* perhaps received: nobody can tell.  Any other error of a send means: certainly not, the value is yours */
    LEAT_REMOTE = 13,        /* a task or method on a peer failed with an error of its own: see the detail */
    LEAT_SYS = 14,           /* the operating system failed: leat_err_sys() tells which errno */
    LEAT_DEADLOCK = 15,      /* of leat_run: all tasks were asleep for ever (docs/debug.md) */
} leat_err;
const char *leat_err_name(leat_err e);               /* "CLOSED"; static; [signal] */
const char *leat_err_detail(void);                   /* what the last failure of this task was; until its next leat call */
int leat_err_sys(void);                              /* the errno behind the last LEAT_SYS of this task, else 0 */
leat_err leat_err_why(void);                         /* behind the last LEAT_UNKNOWN of this task: DEADLINE, CANCELED or PEER_LOST */
const void *leat_err_sent(void);                     /* behind the last LEAT_UNKNOWN of a select of this task: which value may have been
                                                        received (the p of its leat_on_send); the others are yours.  Else NULL */
LEAT_CHECK leat_err leat_fail(leat_err e, const char *fmt, ...) LEAT_PRINTF_(2, 3);  /* returns e, sets the detail */
LEAT_CHECK leat_err leat_wrap(leat_err e, const char *fmt, ...) LEAT_PRINTF_(2, 3);  /* puts "text: " before the detail */
#define LEAT_TRY(expr)                  LEAT_TRY_(expr)         /* on an error: return it from this function */
#define leat_ignore(expr)               LEAT_IGNORE_(expr)      /* on purpose; a (void) cast does not silence gcc */

/* == Time.  A span and an instant are two types and neither is a number. ================================================ */
typedef struct leat_dur  { int64_t ns; } leat_dur;
typedef struct leat_time { int64_t ns; } leat_time;  /* monotonic, of this host only; a date on the wire is leat_date */
#define LEAT_NS(n) LEAT_DUR_(n, 1)
#define LEAT_US(n) LEAT_DUR_(n, 1000)
#define LEAT_MS(n) LEAT_DUR_(n, 1000000)             /* n may be a fraction: LEAT_MS(0.5) */
#define LEAT_S(n)  LEAT_DUR_(n, 1000000000)
leat_time leat_now(void);                            /* [signal] */
leat_dur  leat_since(leat_time t);                   /* [signal] */
leat_time leat_time_add(leat_time t, leat_dur d);    /* saturates; [signal] */
LEAT_CHECK leat_err leat_sleep(leat_dur d);          /* [blocks] */

/* == Tasks and groups.  A task is leat_err fn(A *arg); leat_go copies the A into it, so it never reads a dead frame. ===== */
typedef struct leat_opts {                           /* 0 everywhere means the default; grows only at the end */
    uint32_t workers;                                /* threads, at most 64; default: one per CPU it may use (affinity, quota), as that
                                                        changes, up to the CPUs of the machine */
    uint32_t max_tasks;                              /* default 16 Mi; then leat_go returns LEAT_LIMIT, perhaps 256 a worker early: each
                                                        keeps records for what it starts next */
    size_t   stack_bytes;                            /* reserved a task, committed when touched; default 64 KiB; a page below it faults:
                                                        what has frames of over a page needs -fstack-clash-protection (docs/debug.md) */
    void   (*log)(int level, const char *line);      /* must not block and may run on any thread; default: stderr */
    leat_dur watchdog;                               /* a task that gives way to none for so long is logged with its calls; below 0:
                                                        never; default: LEAT_WATCHDOG milliseconds, else 10 s */
    leat_dur hibernate_after;                        /* leat_with_hibernation for all tasks; default: never */
} leat_opts;
typedef struct leat_group { void *opaque_[24]; } leat_group;  /* {0} is ready; must not be copied or moved */
/* The first use opens a group: deadline and context are those of who uses it, values too.  It may be waited for elsewhere: when a scope or
 * group around that first use ends before, what is around those is its context from then on; the deadline stays.
 * While somebody waits for a group, only its own tasks may start more in it.  One in which a task was started, or that was cancelled, is to
 * be waited for before its memory goes. */
typedef struct leat_none { char unused_; } leat_none;         /* the argument of a task that needs none: LEAT_NONE */
#define LEAT_NONE ((leat_none){ 0 })
/* The child of a fork in a running program has none of its tasks: there, leat_run and what would wait return LEAT_INVAL; exec or _exit. */
#define leat_run(opts, fn, ...)         LEAT_RUN_(opts, fn, __VA_ARGS__)  /* from main: run fn as the first task; its error, or DEADLOCK;
                            NOMEM, SYS: it could not begin; INVAL: in a task, a child of fork, or a library of another version.
                            opts with a comma in it stands in parentheses: (&(leat_opts){ .workers = 2, .max_tasks = 9 }) */
#define leat_go(group, fn, ...)         LEAT_GO_(group, fn, __VA_ARGS__)  /* NOMEM, LIMIT, CANCELED; INVAL: a thread that is no task,
                            and a group that no task has used; group NULL: it is on its own:
                            its error is nobody's and cancels nobody, and it is cancelled and awaited when leat_run's fn has returned; a
                            cancel here is not its, but the deadline here is (in leat_with_shield: that limit) */
LEAT_CHECK leat_err leat_group_wait(leat_group *g);  /* [blocks] the first error; it has cancelled the siblings.  Reusable. */
void leat_group_cancel(leat_group *g);
void leat_yield(void);                               /* [task] let others run */
void leat_task_name(const char *name);               /* [task] for reports, 23 bytes of it, copied; NULL: none again */
void leat_dump(int fd);                              /* [signal] every task: its name, where it was started, what it waits for, since when
                                                        (to a quarter of a second), and the calls it is in.  docs/debug.md */
/* How many tasks can never wake again, because nobody who still runs can reach what they wait for; each is written to fd (-1: not) as by
 * leat_dump.  Stops all threads for a moment.  AGAIN: a thread does not stop, or another looks; LIMIT: more memory than can be looked
 * through, or no real-time signal is free; NOMEM; INVAL: built with ThreadSanitizer.  ret may be NULL.  docs/debug.md */
LEAT_CHECK leat_err leat_leaks(int fd, size_t *ret);
/* leat_with_group(g, err) { ... }: err starts as LEAT_OK.  The block counts as one more task of the group: when a task fails, what
 * blocks in it returns LEAT_CANCELED.  Its end waits for the tasks and sets err to the error that came first, the block's (an err
 * it left set cancels the tasks) or a task's.  Leaving early (return, break, goto) cancels, then waits; who then returns the CANCELED
 * that a task's failure has brought, as by LEAT_TRY, finds that failure in the detail.  No task outlives it. */
#define leat_with_group(g, err)         LEAT_WITH_GROUP_(g, err)
/* leat_with_race(g, err) { ... }: a group that the first task to return LEAT_OK wins: the others are cancelled and awaited, and err is
 * LEAT_OK.  When every task failed, err is the error that came first.  Else as leat_with_group: an err that the block leaves set
 * cancels the tasks and is the result, unless one has won; leat_go returns LEAT_CANCELED once one has, so without LEAT_TRY here: err =
 * leat_go(...), and break.  No task at all: LEAT_INVAL.
 * The winner hands its value over by leat_try_send into a channel of capacity 1, whose error it returns: so there is one value. */
#define leat_with_race(g, err)          LEAT_WITH_RACE_(g, err)
/* leat_with_hibernation(after) { ... }: a task of a group that is opened in the block, or the block's own, that has waited for `after`
 * (rounded up to 1, 2, 4, ... ms) gives the memory of its stack back; what is in use of it moves to a block of some hundred bytes, and
 * comes back to the same addresses before the task goes on.  Nothing else changes, but no other task, thread or object may hold the
 * address of anything on such a stack: no variable that others use, no lock, timer or guest.  A task with an open group or a shield on its
 * stack stays as it is, and so does one that waits for leat_blocking, for a file, for a group, for an answer of a peer, in a select of
 * more than 16 ends, or to send to an unbuffered channel elsewhere.  after below 0: nobody in this block.  No effect under sanitizers. */
#define leat_with_hibernation(after)    LEAT_WITH_(leat_scope_, leat_scope_hibernate_(after), leat_scope_end_)
#define leat_with_pinned                LEAT_WITH_(leat_pin_, leat_pin_begin_(), leat_pin_end_)  /* stay on this thread */

/* == Context.  Every task has one; children inherit it, blocking calls obey it, calls to peers carry it. ================= */
typedef struct leat_ctx leat_ctx;
#define leat_with_deadline(d)           LEAT_WITH_(leat_scope_, leat_scope_begin_(d), leat_scope_end_)  /* the nearer one wins */
#define leat_with_deadline_cause(d, e)  LEAT_WITH_(leat_scope_, leat_scope_deadline_(d, e), leat_scope_end_)  /* e: leat_ctx_cause() */
#define leat_with_cancel(ctx)           LEAT_WITH_CANCEL_(ctx)  /* declares leat_ctx *ctx for the block; others may cancel it */
#define leat_with_value(key, p)         LEAT_WITH_(leat_scope_, leat_scope_value_(key, p), leat_scope_end_)
/* leat_with_shield(limit) { ... }: clean-up after a cancel.  In the block neither a cancel nor a deadline from outside is seen; what
 * blocks there longer than limit from its beginning returns LEAT_DEADLINE.  A shield inside a shield does not outlast it.  Scopes and
 * groups inside work as ever; values from outside are seen.  After the block all is as before: a cancel that came is there. */
#define leat_with_shield(limit)         LEAT_WITH_SHIELD_(limit)
void *leat_value(const void *key);                   /* of the nearest leat_with_value around this task, else NULL */
void leat_cancel(leat_ctx *ctx, leat_err cause);     /* what blocks under it returns LEAT_CANCELED, whatever the cause; first one counts */
LEAT_CHECK leat_err leat_ctx_err(void);              /* OK, CANCELED or DEADLINE: for loops that never block.  What was first stays: here,
                            in leat_ctx_cause, and in every call that would wait */
leat_err leat_ctx_cause(void);                       /* why: leat_cancel's cause, or the task's error; past the deadline its
                            cause, DEADLINE if it was given none; else OK */

/* == Channels.  Element type and direction are part of the C type; nothing is declared per type. ========================== *
 * leat_chan(T), leat_tx(T) and leat_rx(T) are pointers: == compares, void * stores, 8 bytes in any ABI.  NULL is no channel: to
 * send or receive on it is LEAT_INVAL, so an unchecked leat_chan_make surfaces as an error.
 * T is any complete object type that may be copied; not const, not variable-length.  A bare declaration needs no complete T,
 * and leat/fwd.h is all that a library's own public header needs to make one. */
#define leat_chan(...)                  LEAT_CHAN_(__VA_ARGS__)           /* both ends, in the program that made it */
#define leat_tx(...)                    LEAT_TX_(__VA_ARGS__)             /* may send and close */
#define leat_rx(...)                    LEAT_RX_(__VA_ARGS__)             /* may receive */
#define leat_chan_make(T, capacity)     LEAT_CHAN_MAKE_(T, capacity)  /* [owned: leat_unref] NULL: no memory; 0: unbuffered */
#define leat_tx_of(c)                   LEAT_TX_OF_(c)          /* borrows: same life as c */
#define leat_rx_of(c)                   LEAT_RX_OF_(c)
#define leat_ref(c)                     LEAT_REF_(c)            /* [owned: leat_unref] another owner, for one that outlives c */
/* Owners of a send end and of a receive end are counted.  When the last send end has finished or gone the channel closes; when the
 * last receive end has gone, senders get LEAT_GONE.  (What leat_auto drops does not count here: it may hold either.)  Who goes without
 * a word is taken for one that has finished and kept its end, if there is such a one, so a channel closes late, never early; but who has
 * finished a leat_chan and keeps that is known to be another than who had a leat_tx alone.  Elements that
 * are queued when nobody can receive them any more are dropped if their description is known, by leat_chan_owns or as another node
 * may know the channel; else they are forgotten, and what they own is lost. */
#define leat_unref(c)                   LEAT_UNREF_(c)          /* and sets the variable c to NULL */
#define leat_auto                       LEAT_AUTO_              /* leat_auto leat_chan(int) c = ...: unref at the end of scope */
#define leat_send(c, ...)               LEAT_SEND_(c, __VA_ARGS__)    /* [blocks] CLOSED, GONE; to another process: leat/node.h;
                                                        as in T x = value */
#define leat_send_from(c, p)            LEAT_SEND_FROM_(c, p)   /* the same from a T *: large T, arrays */
#define leat_recv(c, out)               LEAT_RECV_(c, out)      /* [blocks] CLOSED, PEER_LOST; out is a T *; you own *out */
#define leat_try_send(c, ...)           LEAT_TRY_SEND_(c, __VA_ARGS__)  /* AGAIN instead of waiting for a receiver, or for room.
                            Of a channel whose other ends are elsewhere: [blocks] for an answer from there, and errors as leat_send; a slot
                            that is lent to another process, which sends many, counts as taken */
#define leat_try_recv(c, out)           LEAT_TRY_RECV_(c, out)        /* AGAIN instead of waiting for a sender; elsewhere as above */
#define leat_close(c)                   LEAT_CLOSE_(c)          /* a send end only; twice is once; receivers drain first */
#define leat_finish(c)                  LEAT_FINISH_(c)         /* this sender is done: the last one to say so closes */
#define leat_flush(c)                   LEAT_FLUSH_(c)          /* [blocks] until its home has all it sent; in one process OK at
                            once; UNKNOWN: some may be lost, the detail says how many, once */
#define leat_len(c)                     LEAT_LEN_(c)            /* queued now: a hint, old when you read it; 0 where the receive end
                            is in another process, and of NULL */
#define leat_cap(c)                     LEAT_CAP_(c)            /* as its maker gave it, wherever that is; of NULL 0 */
#define leat_each(v, c, err)            LEAT_EACH_(v, c, err)   /* for each T v until the close; then err is LEAT_OK */

/* == Select.  Waits for one of its cases and runs that one.  [blocks] unless it has leat_otherwise. ======================= *
 *     leat_select(err) { leat_on_recv(c, &v) { ... }  leat_on_send(d, &w) { ... }  leat_on_after(LEAT_S(1)) { ... } }
 * err is set first: OK when a case ran, CLOSED when no case can ever run, CANCELED, DEADLINE, INVAL; LIMIT: over 65,536 ends;
 * NOMEM: over 16 cases or 64 ends take memory.  leat_otherwise runs only if at one moment no other case was ready.
 * The block is read twice, to note the cases and to run one: write nothing but cases in it, no case in a loop
 * (leat_on_recv_any is the loop), and an `if` before a case only on what stays as it is: else the program stops and says so.
 * v and w must outlive the select.  Where a send goes to an unbuffered channel in another process, its receiver there and the select
 * choose each other; while that answer is on its way the select waits for nothing else but its context, and UNKNOWN and PEER_LOST are
 * possible as for leat_send.  After UNKNOWN one value is moved, that of leat_err_sent(); those of the other cases are yours as before.
 * A NULL channel is never ready, nor is a closed one except to leat_on_closed.  One whose peer is lost ends the select with PEER_LOST, and
 * to send where nobody will ever receive with GONE, unless another case is ready, if only leat_on_closed; leat_otherwise is not for that.
 * In a case, break and continue leave the select (in Go, continue goes on with the loop around it). */
#define leat_select(err)                LEAT_SELECT_(err)
#define leat_on_recv(c, out)            LEAT_ON_RECV_(c, out)
#define leat_on_recv_any(cs, n, out, i) LEAT_ON_ANY_(cs, n, out, i)  /* an array of n receive ends; *i says which (size_t) */
#define leat_on_send(c, p)              LEAT_ON_SEND_(c, p)
#define leat_on_closed(c)               LEAT_ON_CLOSED_(c)      /* closed and drained, or lost; a send end: closed, lost or GONE */
#define leat_on_after(d)                LEAT_ON_AFTER_(d)
#define leat_on_done(ctx)               LEAT_ON_DONE_(ctx)      /* another context than one's own, which needs no case */
#define leat_on_fd(fd, events)          LEAT_ON_FD_(fd, events) /* LEAT_READ, LEAT_WRITE; readiness only */
#define leat_otherwise                  LEAT_ON_OTHERWISE_      /* when no other case is ready */

/* == Timers and tickers with stop and reset; tasks that begin later.  Locks, conditions, wait groups, semaphores, once. ===== */
#include "leat/timer.h"
#include "leat/sync.h"

/* == The outside world: descriptors, bytes, threads, signals. ============================================================= */
enum { LEAT_READ = 1, LEAT_WRITE = 4 };
typedef struct leat_listener leat_listener;
typedef struct leat_conn leat_conn;                  /* bytes both ways; one reader and one writer at a time */
LEAT_CHECK leat_err leat_fd_wait(int fd, int events);       /* [blocks] the descriptor stays yours; INVAL: it is not open, or
                            events are none; LIMIT: its number is too high; NOMEM; SYS: as of a file on a disk */
LEAT_CHECK leat_err leat_listen(const char *url, leat_listener **ret);            /* tcp: unix:; [owned: leat_listener_close]
                            INVAL: no such url; SYS: the detail says why; NOMEM */
LEAT_CHECK leat_err leat_accept(leat_listener *l, leat_conn **ret);               /* [blocks] [owned: leat_conn_close] CLOSED: l was
                            closed or broken meanwhile; SYS: as when descriptors run out: l goes on; NOMEM */
LEAT_CHECK leat_err leat_dial(const char *url, leat_conn **ret);  /* [blocks] [owned: leat_conn_close] REFUSED: nobody listens there;
                            INVAL: no such url; SYS; NOMEM */
LEAT_CHECK leat_err leat_read(leat_conn *c, void *buf, size_t cap, size_t *ret);  /* [blocks] at least 1 byte; CLOSED at the end,
                            or when it is closed here; INVAL: cap is 0; SYS */
LEAT_CHECK leat_err leat_write(leat_conn *c, const void *buf, size_t len);        /* [blocks] all of it, or an error whose
                            detail says how many bytes have gone; CLOSED: closed here, or the other side reads no more; SYS */
int  leat_conn_fd(const leat_conn *c);               /* borrowed, for getsockopt and the like */
void leat_conn_close(leat_conn *c);                  /* wakes whoever waits on it with LEAT_CLOSED */
void leat_listener_close(leat_listener *l);
#define leat_blocking(fn, ...)          LEAT_BLOCKING_(fn, __VA_ARGS__) /* [blocks] fn on a pool thread: disks, resolvers, old code.
                            A cancel or a deadline ends the system call that fn is in (EINTR); this returns when fn has: OK if fn was,
                            else CANCELED or DEADLINE.  NOMEM, SYS: fn did not run.  A thread that is no task runs fn itself */
leat_rx(int) leat_signals(const int *signo, size_t n);          /* [owned: leat_unref] signals as values.  NULL: no memory, a number
                            that cannot be received, 64 receivers already, or a thread that is no task: leat_err_detail() says which.
                            A recv gets NOMEM when the task behind it has found no memory for its stack */
#include "leat/os.h"                                 /* more of it: streams, names of hosts, files, other programs */
#include "leat/abi.h"                                /* the functions the macros end in: the binary interface */
LEAT_END_
#include "leat/guest.h"                             /* a runtime within the loop of another library */
#ifndef LEAT_LOCAL_ONLY
#include "leat/node.h"                               /* types on the wire, nodes, calls, remote tasks */
#include "leat/call.h"                               /* calls with keys, as futures; hooks and limits */
#include "leat/deal.h"                               /* one queue, many workers */
#include "leat/record.h"                             /* described values in files */
#include "leat/json.h"                               /* described values as JSON */
#include "leat/netrpc.h"                             /* Go's net/rpc, client and server */
#endif
#endif
