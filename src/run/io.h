/* io.h - waiting for descriptors.
 *
 * A runtime makes its poll at the first wait (rt->io); rt->polling says that a worker looks into it or sleeps in it, and only that
 * one may call poll_wait.  Everybody else may watch and unwatch meanwhile.  Threads that are no tasks, and tasks of a simulated
 * world, have no poll: they block, or count everything as ready. */
#ifndef RUN_IO_H
#define RUN_IO_H
#include "run/task.h"

/* -- for the scheduler (io.c) ------------------------------------------------------------------------------------------ */
void io_tick(struct worker *w);                      /* every 64 picks of a busy worker: looks at the poll now and then */
void io_poll(struct worker *w);                      /* an idle worker: looks without waiting */
void io_sleep(struct worker *w, int64_t limit);      /* [polling held] up to limit ns (NEVER: for ever) for descriptors or io_wake */
void io_wake(struct rt *rt);                         /* ends io_sleep; from any thread */
leat_err io_open_guest(struct rt *rt, int *fd);      /* before anything waits: a poll that a host looks at; fd is what it looks at */
void io_alarm(struct rt *rt, int64_t in_ns);         /* of a guest: fd is readable then; < 0: by other causes only */
void io_end(struct rt *rt);                          /* no worker runs any more */

/* -- the program's descriptors, for select (io_fd.c) ------------------------------------------------------------------- */
/* x will be claimed (PARK_CHAN, ok) when fd is ready for one of events (LEAT_READ, LEAT_WRITE).  Called by x's own task, whose
 * park is PARK_WAIT.  AGAIN: it is ready now, and x is in no queue; so it is after INVAL, LIMIT, NOMEM and SYS. */
leat_err io_watch(int fd, int events, struct waiter *x);
void io_unwatch(int fd, struct waiter *x);           /* x is out of all queues on return */
bool io_ready(int fd, int events);                   /* now, without waiting; a bad descriptor counts as ready */
leat_err io_check(int fd, int events);               /* INVAL: no number of a descriptor, or no events */

/* A thread that is no task waits for descriptors besides what it is queued at (foreign.c): its next waits end, with PARK_NONE, also
 * when one of those it has begun with may be ready.  Begin, for each: before its park is PARK_WAIT; 0 or an errno. */
int task_poll_begin(struct task *t, int fd, int events);
void task_poll_end(struct task *t);

/* -- sockets of our own (io_fd.c) --------------------------------------------------------------------------------------- *
 * Watched for good from the first wait on, so that a wait costs no system call.  {.fd = fd} is ready; lies in the record of a stream,
 * which stays until every call has left. */
struct io;
struct io_fd;
struct io_sock {
    int fd;
    _Atomic uint32_t lock;
    struct io *_Atomic io;                           /* lock: where it is watched, a reference; null: nowhere yet */
    struct io_fd *slot;                              /* of that; set before io, read after it */
    _Atomic uint32_t closed;                         /* every wait returns CLOSED */
};
/* After a call that would have blocked: until it might not.  dir: LEAT_READ or LEAT_WRITE.  May return OK without cause.  CLOSED,
 * CANCELED, DEADLINE, NOMEM, LIMIT, SYS. */
leat_err io_sock_wait(struct io_sock *s, int dir);
/* A read that got less than it asked for need not try again until there are news.  Before a read: io_sock_mark; false: s is not
 * watched yet.  After a short one, if that was true: until io_sock_news or a wait, another read would block. */
bool io_sock_mark(struct io_sock *s);
bool io_sock_news(struct io_sock *s);
void io_sock_more(struct io_sock *s);                /* reading has not emptied it: others who wait to read try again */
void io_sock_shut(struct io_sock *s);                /* wakes who waits, with CLOSED; any number of times, from any thread */
void io_sock_done(struct io_sock *s);                /* before close(fd): nobody is in a call any more */
#endif
