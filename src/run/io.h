/* io.h - waiting for descriptors.  What the scheduler needs of it is here; made at the first use. */
#ifndef RUN_IO_H
#define RUN_IO_H
#include "run/task.h"

void io_tick(struct worker *w);                      /* every 64 picks of a busy worker: looks at the poll now and then */
void io_poll(struct worker *w);                      /* an idle worker: looks without waiting */
void io_sleep(struct worker *w, int64_t limit);      /* waits up to limit ns (NEVER: for ever) for descriptors or io_wake */
void io_wake(struct rt *rt);                         /* ends io_sleep; from any thread */
void io_end(struct rt *rt);

/* For select: x is claimed (PARK_CHAN, ok) when fd is ready for one of events (LEAT_READ, LEAT_WRITE). */
leat_err io_watch(int fd, int events, struct waiter *x);
void io_unwatch(int fd, struct waiter *x);           /* x is out of all queues on return */
bool io_ready(int fd, int events);                   /* now, without waiting; a bad descriptor counts as ready */
#endif
