/* leat/netrpc.h - Go's net/rpc, client and server.  The marks are those of leat.h.
 *
 * The services are those of leat_serve: (method, in, out), structs on both sides.  They cross as gob: docs/gob.md says what a kind is
 * there, and how names are matched (a member `seconds_left` is Go's field SecondsLeft).  What net/rpc passes without a struct, an int or
 * a []byte, is here a struct whose one member has .flags = LEAT_BARE. */
#ifndef LEAT_H
#include "../leat.h"                               /* read alone, it still works */
#endif
#ifndef LEAT_NETRPC_H
#define LEAT_NETRPC_H
LEAT_BEGIN_

/* Serves what n serves, now and later, to net/rpc clients that connect to l.  A call runs in a task of its own, at most 256 of a
 * connection at a time; the text of its error is the detail (leat_fail), or the error's name.  A client that begins with HTTP's CONNECT
 * (Go's rpc.DialHTTP) is served as well.  One that ends its sending half still gets its answers; when its connection breaks, the context
 * of its calls is cancelled.  A stream that is no gob ends that connection alone.
 * [blocks] until l is closed and the connections have ended (OK), or the context ends. */
LEAT_CHECK leat_err leat_netrpc_serve(leat_node *n, leat_listener *l);
LEAT_CHECK leat_err leat_netrpc_serve_conn(leat_node *n, leat_conn *c);       /* [blocks] one connection, to its end; c stays yours */

typedef struct leat_netrpc leat_netrpc;              /* a connection to a net/rpc server; for any number of calls at a time */
LEAT_CHECK leat_err leat_netrpc_dial(const char *url, leat_netrpc **ret);     /* [blocks] [owned: leat_netrpc_close] as leat_dial; NOMEM */
void leat_netrpc_close(leat_netrpc *c);              /* [blocks] NULL: nothing; calls under way are UNKNOWN; none may begin meanwhile */

/* Calls "Service.Method" with *in, a struct IN, for *out, a struct OUT, which you own.
 * [blocks] REMOTE: the server said so, with its text as the detail; TYPE: the reply does not fit OUT (the detail names the field), or
 * in has what gob cannot carry (INVAL); PEER_LOST: the connection had ended, it was not sent; UNKNOWN: sent, and no answer:
 * leat_err_why says DEADLINE, CANCELED or PEER_LOST.  net/rpc cannot cancel: the server finishes the call.  While a server does not read,
 * calls wait to be sent as well, beyond 1 MiB: DEADLINE, CANCELED: it was not sent. */
#define leat_netrpc_call(c, method, IN, in, OUT, out)   LEAT_NETRPC_CALL_(c, method, IN, in, OUT, out)

/* The same without types: args is a JSON text, the reply comes as one, its type learnt from the stream.  An object is a struct whose
 * fields are the keys, and an array of objects one of structs that have all their keys; whole numbers are int (uint over 2^63), others
 * float64; an array is a slice of what is in it; null is left out; {"$uint": 5} is a uint and {"$base64": "..."} is bytes.
 * [blocks] also INVAL: args is no JSON, is null, gives a key twice, or has an array of several types: the detail has the byte; LIMIT:
 * these, or the reply, have values inside each other over 50 deep, a struct has over 4,096 fields, args take over 1 GiB, or the reply's
 * text is over 16 MiB and 64 times its bytes. [*reply is owned: leat_string_drop] */
LEAT_CHECK leat_err leat_netrpc_call_json(leat_netrpc *c, const char *method, const char *args, leat_string *reply);

/* The same, where the server has a type that no text says: `type` is what args is, as Go writes it, such as
 * "struct { A, B int8; M map[int]string; F [3]float32; T time.Time; B []byte }"; `struct` may be missing.  NULL: as above.  args is then
 * as Go's encoding/json has it: bytes in base 64, times as RFC 3339, a map an object whatever its keys are; "NaN", "+Inf" and "-Inf" are
 * floats.  What it does not have is zero, and null is a nil pointer or zero.  A pointer is what it points to; interfaces, complex
 * numbers and types by a name are not to be had.
 * [blocks] as above; also INVAL: no such type, or args has what the type does not have, or a number that does not fit: the detail
 * says of which of the two texts which byte; LIMIT: a type over 50 deep, or whose values take over 1 MiB, arrays laid out. */
LEAT_CHECK leat_err leat_netrpc_call_json_as(leat_netrpc *c, const char *method, const char *type, const char *args, leat_string *reply);

LEAT_CHECK leat_err leat_netrpc_call_(leat_netrpc *c, const char *method, const leat_type *in_type, const void *in,
    const leat_type *out_type, void *out);
#define LEAT_NETRPC_CALL_(c, method, IN, in, OUT, out) leat_must_check_(__extension__ ({ const IN##_c_ *leat_i_ = (in); \
    OUT##_c_ *leat_o_ = (out); leat_netrpc_call_(c, method, &IN##_type, leat_i_, &OUT##_type, leat_o_); }))
LEAT_END_
#endif
