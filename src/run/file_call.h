/* file_call.h - one call on a file while the task is parked: through io_uring, or on a thread of the pool (file_call.c). */
#ifndef RUN_FILE_CALL_H
#define RUN_FILE_CALL_H
#include "leat.h"
#undef errno
#include "plat/file.h"

struct io;
/* [blocks] OK: *res is what file_do gives, never -EINTR.  CANCELED, DEADLINE: it was not done; NOMEM, SYS. */
LEAT_CHECK leat_err file_call(const struct file_op *op, int64_t *res);

void file_ring_event(struct io *io);                 /* the ring of this poll can be read from */
void file_ring_end(struct io *io);                   /* no call is under way any more */
#endif
