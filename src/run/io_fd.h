/* io_fd.h - what io.c and io_fd.c share: the record of a descriptor in one runtime's poll. */
#ifndef RUN_IO_FD_H
#define RUN_IO_FD_H
#include "plat/poll.h"
#include "run/task.h"

enum { IO_CHUNK = 256, IO_CHUNKS = LIMIT_FDS / IO_CHUNK };

/* One a number, made when the number is first used, kept until io goes.  lock protects all.
 *  gen      of the tag under which it is in the poll, or was last: an event of another one is old and is dropped
 *  armed    the program's: what the poll will tell once, for the union of the waiters' events; 0: nothing
 *  watched  ours, edge-triggered.  ready: directions in which something has changed since a wait last took note.
 *           ended: the other side has said its last; reading never blocks again.
 *  q        who waits; val of a waiter holds its events */
struct io_fd {
    _Atomic uint32_t lock;
    uint32_t gen;
    uint8_t armed;
    bool watched;
    _Atomic bool ended;
    _Atomic uint8_t ready;                           /* read without the lock, as a hint */
    struct waiters q;
};

struct io {
    struct poll *poll;
    _Atomic uint32_t refs;                           /* the runtime's and one for each socket watched here */
    _Atomic uint32_t dead;                           /* the runtime has ended and so has poll; set before the slots are swept */
    _Atomic int64_t polled_at;
    _Atomic uint32_t lock;                           /* making chunks */
    struct io_fd *_Atomic chunk[IO_CHUNKS];
    struct file_ring *_Atomic ring;                  /* files (file_call.c); made at the first call, by whoever sets making_ring */
    _Atomic uint32_t making_ring;
    _Atomic int ring_fd;                             /* 1 + its descriptor; 0: none */
    _Atomic bool no_ring;
};

leat_err io_get(struct rt *rt, struct io **ret);     /* made at the first call; borrowed */
void io_unref(struct io *io);
struct io_fd *io_slot(struct io *io, int fd);        /* NULL: never used */
leat_err io_slot_make(struct io *io, int fd, struct io_fd **ret);

/* [slot lock held] Claims who waits for one of events and puts them on a list, to be made ready once the lock is gone. */
struct waiter *io_claim(struct io_fd *f, uint32_t events, bool ok);
void io_ready_all(struct waiter *list);
/* An event has come. */
void io_event(struct io *io, const struct poll_event *ev, struct worker *w);
#endif
