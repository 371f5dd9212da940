/* limits.h - the limits that are not options, in one place, each with what happens there.
 * What a program may set is in leat_opts and leat_node_opts; what a peer may set is in the hello of its session. */
#ifndef BASE_LIMITS_H
#define BASE_LIMITS_H

#define LIMIT_LIST UINT32_MAX            /* elements of a list, bytes of a string: a length is 32 bits; leat_push gives LEAT_LIMIT */

enum {
    /* descriptors that a task may wait for are below this number; else LEAT_LIMIT */
    LIMIT_FDS = 4 << 20,

    /* how long a task that was started waits for memory for its stack while there is none: then it ends with LEAT_NOMEM, not having run */
    LIMIT_STACK_WAIT_MS = 1000,

    /* threads of one runtime for leat_blocking: further calls wait for one to be free.  An idle one leaves after LIMIT_POOL_IDLE_MS. */
    LIMIT_POOL_THREADS = 64,
    LIMIT_POOL_IDLE_MS = 5000,

    /* receivers of signals in one process (leat_signals): then NULL, with LEAT_LIMIT in the detail */
    LIMIT_SIGNAL_RECEIVERS = 64,

    /* bytes in one growable buffer, when its owner names no other: the buffer fails with LEAT_LIMIT */
    LIMIT_BUF = 1 << 30,

    /* the description of one type: what needs its canonical form or its program fails with LEAT_LIMIT; a foreign one is refused */
    LIMIT_TYPE_BYTES = 64 << 10,         /* of the canonical form */
    LIMIT_TYPE_NAME = 255,               /* bytes in the name of a field or an enumerator */
    LIMIT_TYPE_DEPTH = 32,               /* types inside types: structs, lists, optionals, ends */
    LIMIT_TYPE_OPS = 1 << 16,            /* fields, when every struct inside a struct is laid open */

    /* reading values of another type than one's own (type/bridge.h): over it LEAT_LIMIT */
    LIMIT_EVOLVE_BYTES = 1 << 20,        /* of each of the parts that a bridge is made of */
    LIMIT_EVOLVE_RATIO = 1024,           /* memory for a byte, where fields that were added need more than LIMIT_DECODE_RATIO */
    LIMIT_SESS_BRIDGES = 256,            /* pairs of types of one session, while it lives */
    LIMIT_SESS_BRIDGE_BYTES = 8 << 20,   /* and their memory */
    LIMIT_SESS_FORMS = 1024,             /* types that were told with OPENs and are kept; with one more all are forgotten */
    LIMIT_SESS_FORM_BYTES = 1 << 20,     /* and their memory */

    /* values: encode and decode fail with LEAT_LIMIT.  Drop and dup have no limit. */
    LIMIT_VALUE_DEPTH = 1024,            /* optionals, lists, maps and oneofs inside each other */

    /* memory that decoding may take for each byte it is given, on top of LIMIT_DECODE_FREE; or what the type's emptiest value needs
     * for each of its bytes, where that is more (a chars(4096) is one byte when empty).  Over it: LEAT_LIMIT */
    LIMIT_DECODE_RATIO = 64,
    LIMIT_DECODE_FREE = 4096,
    LIMIT_ERROR_CHAIN = 16,              /* errors in a row, each the cause of the one before: more are refused, here and from a peer */
    LIMIT_DECODE_BLOCK = 16,             /* what a block of memory is taken to cost beyond its bytes */

    /* streams of others (gob): the reader refuses the message */
    LIMIT_GOB_MESSAGE = 1 << 30,         /* bytes of one message; Go's own reader takes as many on a machine of 32 bits */
    LIMIT_GOB_DEPTH = 10000,             /* values inside each other, as many as Go's own reader skips */
    LIMIT_NETRPC_MESSAGE = 128 << 20,    /* of one message of net/rpc */
    LIMIT_GOB_KEPT = 256 << 10,          /* bytes of a buffer for messages that are kept for the next one */
    LIMIT_NETRPC_TEXT = 16 << 20,        /* bytes of an answer as JSON, and LIMIT_DECODE_RATIO times its own: LEAT_LIMIT */
    LIMIT_NETRPC_FIELDS = 4096,          /* of one struct in arguments as JSON, and bytes that a value of their type has here before */
    LIMIT_NETRPC_TYPE = 1 << 20,         /* anything is in it: LEAT_LIMIT */
    LIMIT_GOB_KEYS = 1 << 20,            /* bytes of keys of maps as text, beside half LIMIT_DECODE_RATIO for each: LEAT_LIMIT */
    LIMIT_GOB_TYPES = 1 << 20,           /* types in one stream */
    LIMIT_JSON_BIG = 4096,               /* bytes of an integer that is written in decimal digits; a longer one is base 64 */

    /* sessions.  What is larger is cut into frames of LIMIT_FRAME_CUT, so that nothing waits long behind it. */
    LIMIT_FRAME_CUT = 16 << 10,          /* bytes of one element, argument or result in one frame */
    LIMIT_FRAME = 64 << 10,              /* bytes after a frame's header: a longer one that arrives breaks the session */
    LIMIT_FRAME_FORM = 32 << 10,         /* bytes of a type's canonical form in one frame; a longer one goes before it, in pieces */
    LIMIT_ELEM = 16 << 20,               /* bytes of one element, argument or result: the send fails, the receiver breaks the session */
    LIMIT_HOME_BYTES = 64 << 20,         /* of the buffers of channels whose receive ends one peer has moved here: the message is refused */
    LIMIT_MOVED_ENDS = 4096,             /* ends of channels in what is queued behind receive ends that move at a time: LEAT_LIMIT */
    LIMIT_MOVED_DEPTH = 8,               /* receive ends, each in the queue of the one before: LEAT_LIMIT */
    LIMIT_SESS_UNSENT = 1 << 20,         /* bytes not yet written: sess_wait_room waits */
    LIMIT_SESS_RING = 16 << 20,          /* bytes written and not acknowledged: the writer waits */
    LIMIT_SESS_UNACKED_S = 300,          /* seconds in which a peer that talks acknowledges nothing and answers no PING: it breaks */
    LIMIT_SESS_OPENS = 1 << 16,          /* calls and remote tasks under way from one peer: a further OPEN breaks the session */
    LIMIT_SESS_OPEN_BYTES = 64 << 20,    /* bytes of their arguments */
    LIMIT_SESS_OWED = 128 << 20,         /* bytes of answers that a peer does not take: the session breaks.  (Over LIMIT_SESS_UNSENT of
                                          * them a refusal comes without the type's form; then no honest peer gets here.) */
    LIMIT_KEY = 64,                      /* bytes of the key of a call */
    LIMIT_KEPT_S = 300,                  /* how long the result of a key is kept after the end of its method */
    LIMIT_KEPT_RESULT = 256 << 10,       /* bytes of such a result: the call is LIMIT */
    LIMIT_KEPT_BYTES = 64 << 20,         /* of all that one node keeps, one that runs as LIMIT_KEPT_RESULT: a new key is LIMIT */
    LIMIT_SESS_IMPORTS = 1024,           /* imports that a peer has not answered, also those that were given up: one more is refused */
    LIMIT_SESS_ENDS = 1 << 20,           /* ends of channels known to a peer at a time */
    LIMIT_HELLO = 1024,                  /* bytes of a HELLO, WELCOME or DEAD */
    LIMIT_NODE_NAME = 63,                /* bytes; a longer name is LEAT_INVAL */
    LIMIT_NODE_SESSIONS = 1 << 16,       /* of one node; a further peer is refused */
    LIMIT_NODE_HELLOS = 1024,            /* links to one node on which nobody has said hello: one more, and the oldest of them is shut */
    LIMIT_REASON = 400,                  /* bytes of the text in a DEAD; the rest is cut */
};
#endif
