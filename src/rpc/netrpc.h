/* netrpc.h - what both sides of Go's net/rpc share: a connection as two gob streams.
 *
 * What is to be sent is put into `out`, whole messages at a time, under `lock`; one task writes it.  So a cancel never cuts a message in
 * two, and small answers go out together. */
#ifndef RPC_NETRPC_H
#define RPC_NETRPC_H
#include "leat.h"
#include "leat/netrpc.h"
#include "type/gob_codec.h"
#include "type/gob_feed.h"

LEAT_STRUCT(Request, (string, service_method), (uint64, seq));
LEAT_STRUCT(Response, (string, service_method), (uint64, seq), (string, error));

struct netrpc {
    leat_conn *c;
    bool greets;                                     /* a server's, until something has come: HTTP's CONNECT may stand before the gob */
    struct gob_reader reader;                        /* one task reads */
    struct gob_feed feed;
    leat_mutex lock;
    struct gob_writer writer;                        /* lock */
    struct buf out, writing;                         /* lock; the writing task's */
    struct netrpc_shape *shapes;                     /* lock; of arguments that were JSON */
    leat_chan(leat_none) room;                       /* capacity 1: some of out has been written.  Closed: nobody writes any more */
    leat_chan(leat_none) kick;                       /* capacity 1: there is something in out.  Closed: write what there is and end */
};

LEAT_CHECK leat_err netrpc_open(struct netrpc *s, leat_conn *c);                  /* NOMEM */
void netrpc_shapes_free(struct netrpc *s);
void netrpc_free(struct netrpc *s);                  /* not the connection */

/* [blocks] header and body, one after the other; body NULL: an empty struct.  On failure nothing is sent.  INVAL, NOMEM, CANCELED */
LEAT_CHECK leat_err netrpc_put(struct netrpc *s, const leat_type *head_type, const void *head, const leat_type *body_type,
    const void *body);
/* the same with a body that is written by somebody else: fn appends it to s->out */
typedef leat_err netrpc_body_fn(struct netrpc *s, void *arg);
LEAT_CHECK leat_err netrpc_put_with(struct netrpc *s, const leat_type *head_type, const void *head, netrpc_body_fn *fn, void *arg);
/* the same; AGAIN: LIMIT_SESS_UNSENT bytes wait to be written already */
LEAT_CHECK leat_err netrpc_try_put_with(struct netrpc *s, const leat_type *head_type, const void *head, netrpc_body_fn *fn, void *arg);

/* [blocks] until less than LIMIT_SESS_UNSENT bytes wait to be written: for a task that reads, so that a peer which does not read is not
 * read either, and for those that call.  CLOSED: nobody writes any more */
LEAT_CHECK leat_err netrpc_wait_room(struct netrpc *s);

leat_err netrpc_writes(struct netrpc **s);           /* the task that writes, until kick is closed; an error of the connection */

/* [blocks] the next value, as a t.  CLOSED: a clean end; TYPE: it does not fit, and the stream goes on; else the stream has ended. */
LEAT_CHECK leat_err netrpc_get(struct netrpc *s, const leat_type *t, void *v);
LEAT_CHECK leat_err netrpc_skip(struct netrpc *s);   /* [blocks] the next value, for nothing */
#endif
