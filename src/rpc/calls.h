/* calls.h - calls and remote tasks over a session: what call.c (who asks), serve.c (who answers) and table.c share.
 *
 * OPEN starts a method or a task on the other side, RESULT ends it; both are cut into frames of LIMIT_FRAME_CUT.  After a CANCEL the
 * one who answers still sends RESULT (a task), or DONE (a call: nobody waits for its value any more); until then the open counts.
 * Laws
 *  An id is made by who asks and never used twice in a session.
 *  struct call: refs: 1 for the table until its RESULT, DONE or the end of the session; 1 for who waits.  The rest: calls->lock.
 *  struct job: one task owns it; the table points to it until it has answered.  Fields: calls->lock where the reader writes them.
 *  At most `opens` of the peer's hello are under way from here, and open_bytes of their arguments; over it an open waits. */
#ifndef RPC_CALLS_H
#define RPC_CALLS_H
#include <string.h>
#include "base/alloc.h"
#include "base/slots.h"
#include "rpc/limit.h"
#include "run/sched.h"
#include "run/waiter.h"
#include "sess/sess.h"
#include "type/desc.h"

/* what an OPEN asks for.  OPEN_DEALT, with a call: the number of its element and the attempt follow the length of the argument. */
enum { OPEN_CALL = 0, OPEN_TASK = 1, OPEN_DEALT = 2, OPEN_KEYED = 4, OPEN_FORM = 8 };   /* KEYED, with a call: its key follows; FORM: the
                                                        canonical form of the argument's type, last */
struct exposed;
struct kept;
struct call_key { uint8_t len, arg[16]; char p[LIMIT_KEY]; };        /* len 0: none */
enum { CALL_TEXT = 400, CALL_NAME = 255, CALL_ROOM = 64, CALL_HEAD = 512, CALL_TOLD = 16 };

/* Records that wait to be used again; calls->lock. */
struct spares { struct slot *first; uint32_t n; };

struct call {
    struct slot slot;
    _Atomic uint32_t refs;
    struct sess *s;
    const leat_type *in, *out;                       /* out NULL: a task */
    size_t bytes;                                    /* of its argument, while it counts */
    bool done, lost, unsent;                         /* unsent: and its OPEN was never written */
    bool sending, aborted;                           /* leat_go_on is at it; it was never sent */
    bool alone;                                      /* its stand-in has ended meanwhile (no_stand_in) */
    leat_err err;
    bool own;                                        /* err is the handler's, not of leat itself */
    leat_error *error;                               /* and so much more is said of it; or NULL */
    void *value;                                     /* the result, decoded; in room, if it fits */
    uint64_t place;                                  /* of its OPEN: sess_take_back */
    struct buf partial;                              /* reader only */
    uint64_t *ends;                                  /* those that went with the argument; set before it is sent */
    uint32_t ends_n;
    bool begun;
    const struct type_bridge *as;                    /* how the result is read, if it is of another type there */
    bool form;                                       /* the argument's form went with it */
    bool ask;                                        /* it only asks for the types */
    bool again;                                      /* refused for a type, but it will do: with next_as, or with the form */
    const struct type_bridge *next_as;
    struct waiters waiters;
    _Alignas(16) char room[CALL_ROOM];               /* from here on not cleared when the record is used again */
    char text[CALL_TEXT];
};

struct job {                                         /* what this side runs for the peer */
    struct slot slot;
    struct sess *s;
    struct exposed *fn;
    uint8_t what;                                    /* OPEN_CALL or OPEN_TASK */
    leat_dealt dealt;                                /* attempt 0: it was not */
    struct kept *kept;                               /* its key's; NULL: it has none */
    bool keyed, refused;                             /* refused: the error is of leat itself, it did not run */
    bool placed;                                     /* turn is set */
    const struct type_bridge *as;                    /* how the argument is read, if it is of another type there */
    int64_t deadline;                                /* of this host's clock; NEVER */
    size_t total;
    struct buf partial;                              /* reader only, until it is whole; then what more is said of the error */
    leat_err early;                                  /* refused before it could start: text says why */
    void *arg, *out;                                 /* in the rooms, if they fit */
    leat_ctx *ctx;                                   /* while it runs */
    bool listed, started, canceled, over;            /* listed: in the table; over: the session has ended */
    leat_err cause;
    _Alignas(16) char arg_room[CALL_ROOM], out_room[CALL_ROOM];      /* from here on not cleared when the record is used again */
    char text[CALL_TEXT];
    struct call_key key;                             /* if keyed */
    struct ticket turn[2];                           /* among what its peer has here; among what its service has */
};

struct calls {                                       /* sess_slots(s)->calls */
    _Atomic uint32_t lock;
    struct slots calls, jobs;                        /* lock */
    struct spares spare_calls, spare_jobs;
    uint64_t made;
    uint32_t opens;                                  /* under way from here */
    uint32_t jobs_here;                              /* from their OPEN until their answer has been given to the session */
    size_t open_bytes, job_bytes;                    /* job_bytes: reader only */
    bool over;
    struct waiters room;                             /* who waits to open */
    struct limit *limit;                             /* of what the peer may have running here; NULL: none */
    struct learned *_Atomic learned;                 /* methods that were asked for their types, or refused for them: lock to add */
    const leat_type *_Atomic told[CALL_TOLD];        /* types of arguments of tasks whose forms the peer has, or will: a cache */
    struct telling { const leat_type *type; uint64_t place; } telling[CALL_TOLD];    /* lock: the same, with the OPEN at `place`, if it is
                                                      * written */
};
struct learned { struct learned *next; const leat_type *in, *out; const struct type_bridge *_Atomic as; char name[]; };   /* as: or NULL */
static inline struct calls *calls_of(struct sess *s) { return sess_slots(s)->calls; }

/* Around what is asked for and what is run: around.c. */
struct hook { struct hook *_Atomic next; leat_hook *fn; void *self; };
typedef leat_err around_fn(void *arg);
LEAT_CHECK leat_err around(struct hook *first, const leat_called *c, around_fn *fn, void *arg);
struct service_limit { struct service_limit *next; struct limit limit; size_t len; char name[]; };

struct exposures {                                   /* node_slots(n)->exposed */
    _Atomic uint32_t lock;
    struct exposed *_Atomic first;                   /* lock to add; none is taken away, so anybody may look */
    struct hook *_Atomic calls_hook, *_Atomic served_hook;           /* the same; outermost first */
    struct service_limit *_Atomic services;
    _Atomic bool more;                               /* a served hook or a limit is there */
    leat_call_limits peers;
    struct keeper *keeper;
};
static inline struct exposures *exposures_of(leat_node *n) { return node_slots(n)->exposed; }
void around_close(struct exposures *t);
void around_limit_locked(struct exposures *t, struct exposed *x);     /* x is new */

/* What a method is given and gives. */
struct run { struct exposed *fn; void *arg, *out; leat_dealt dealt; bool refused; struct ticket turn; };
leat_err run_method(struct run *r);                  /* under the limit of its service, with leat_dealt_here; r stays where it is */

/* Keys: kept.c.  arg: the hash of the argument's bytes.  The outcome of a kept that has ended no longer changes. */
void call_key_hash(struct call_key *k, const struct cur *arg);
struct keeper { _Atomic uint32_t lock; struct slots slots; struct kept *first, **last; size_t bytes; };
struct keeper *keeper_open(const struct keyed *secret);              /* NULL: no memory */
void keeper_close(struct keeper *k);
/* The one of this key and method; first: it is new, and to be given to kept_start.  NULL: *err says why not (LIMIT, INVAL, NOMEM). */
struct kept *kept_find(struct keeper *k, struct exposed *fn, const struct call_key *key, bool *first, leat_err *err);
leat_err kept_start(struct kept *x, leat_node *n, const void *arg, leat_dealt dealt);     /* takes over what arg owns; not on failure */
leat_err kept_wait(struct kept *x, bool *refused);   /* [blocks] the outcome; or the context's error.  refused: it has not run */
const struct buf *kept_result(const struct kept *x); /* x has ended; NULL: x is NULL, or was not OK */
void kept_unref(struct kept *x);

struct exposed {                                     /* a function or method that peers may start; lives as long as the node */
    struct exposed *next;
    leat_fn_ *fn;                                    /* a task */
    const leat_method *method;                       /* or a method, with its function: */
    void (*call)(void);
    void *self;
    const leat_type *in, *out;
    struct type_print in_print, out_print;
    bool in_plain, out_plain;                        /* values of the type own nothing */
    struct limit *_Atomic limit;                     /* of its service; NULL: none */
    size_t len;                                      /* of the name */
    char name[CALL_NAME + 1];
};
struct exposed *exposed_find(leat_node *n, const char *name, size_t len);
bool exposed_service(leat_node *n, const char *name, size_t len);     /* whether some method's name begins so */

/* What is to be opened.  dealt.attempt 0: it is no element of a deal. */
struct type_bridge;
struct what { leat_peer *p; const char *name; uint8_t kind; const leat_type *in, *out; const void *arg; leat_dealt dealt;
    leat_string key;
    bool form;                                       /* with the form of the argument's type */
    const struct type_bridge *as;                    /* how the result is read; NULL: as out */
    bool ask;                                        /* only what the types are there: no argument, and certainly refused */
    bool asked;                                      /* that has been done */
};
/* [blocks] A call, as leat_call.  *own: the error is the method's own, not of leat. */
leat_err call_do(const struct what *w, void *out, bool *own);
bool call_name(char to[CALL_NAME + 1], const char *svc, const char *method);         /* false: too long */

extern const struct sess_user calls_user;            /* what boot/ gives to node_open (table.c) */
leat_err serve_on_open(struct sess *s, uint8_t flags, struct cur *in);
leat_err serve_on_cancel(struct sess *s, uint8_t flags, struct cur *in);
void serve_lost(struct sess *s);
leat_err call_on_result(struct sess *s, uint8_t flags, struct cur *in);
leat_err call_on_done(struct sess *s, uint8_t flags, struct cur *in);
void call_lost(struct sess *s);
void calls_wake(struct waiters *q);                  /* calls->lock is held */
/* A record whose first `cleared` of size bytes are zero.  NULL: no memory. */
void *spare_get_locked(struct spares *s, size_t size, size_t cleared);
void spare_put(struct calls *t, struct spares *s, struct slot *x);
/* Room for a value of this size, in the record or beside it; mem_free it if it is not `room`.  NULL: no memory. */
static inline void *room_for(size_t size, char *room) { return size <= CALL_ROOM ? memset(room, 0, CALL_ROOM) : mem_zalloc(size); }
/* What begins with `head` and goes on with v.  moment: where in head there is one (sess_moment); 0: nowhere. */
struct said { uint8_t kind; uint64_t id; const struct buf *head, *v; size_t moment; struct cur form; };   /* form: in head, or empty */
/* Sends it, cut; the frames go out one after another.  place, unless NULL: of the first one.  LEAT_PEER_LOST: nothing was. */
leat_err calls_send(struct sess *s, const struct said *what, uint64_t *place);
#endif
