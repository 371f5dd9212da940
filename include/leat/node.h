/* leat/node.h - types on the wire, nodes, exported channels, calls, remote tasks.  The marks are those of leat.h.
 *
 * A struct is described once, field by field: (kind, name) or (kind, name, .tag = 3, .json = "n").  Kinds:
 *   bool int8 int16 int32 int64 uint8 uint16 uint32 uint64 float32 float64      string bytes date duration error
 *   strings int64s float64s: lists of those   struct(S) enum(E) oneof(O) optional(S): a pointer or NULL   list(S) map(S): by string
 *   array(C type, n): fixed, numbers only   tx(S) rx(S): channel ends of struct S
 * Also .flags, for what is not leat (gob, net/rpc): LEAT_BARE on the first field: there, the struct is that field alone; LEAT_PAIRS on a
 * list(S) of structs of two fields: there, a map from the first to the second.
 * and for structs that exist already: cstr (char *), chars(n) (char [n], ends at NUL), local (stays here, is not sent).
 * All of it in C++17 too, with the same words; a class of other code is described beside it if it can be copied as its bytes. */
#ifndef LEAT_H
#include "../leat.h"                               /* read alone, it still works */
#endif
#ifndef LEAT_NODE_H
#define LEAT_NODE_H
LEAT_BEGIN_

/* == Values on the wire. ================================================================================================ *
 * Who owns what.  A value owns memory and ends of channels; leat_drop gives them back.  What was received is owned: drop it.  A send
 * moves what the value owns (on LEAT_OK and LEAT_UNKNOWN: do not drop it again; on any other error it is still yours).
 * Strings and bytes say it themselves: with owned == 0 they borrow.  A borrowed one is never freed, its bytes must live for as long
 * as anyone in this process may read them (a literal does), and what crosses to another process arrives as an owned copy.
 * With owned == 1 their memory is from malloc and theirs alone.  With more they lie in a block (of at most 4 KiB), perhaps beside others
 * that were received in the same value, and it goes with the last of them, whoever has it: give them back with leat_drop, or, taken out of
 * their value, with leat_string_drop, never with free.  A thread keeps a few small blocks that it gave back, for values to come.
 * A list with cap == 0 borrows its array, and then its elements belong to whoever lent it; leat_push makes lists that own theirs.
 * An optional and a cstr have no room to say so: they always own, so they come from leat_new, malloc or strdup, never from a literal.
 * A local field is not touched by drop, and its bytes are copied by dup.  A channel end is one reference: leat_ref, leat_unref.
 * Two programs may describe a struct differently, as one is newer: what crosses is read by the names of fields (docs/semantics.md, "Types
 * that change"); what does not fit is LEAT_TYPE, and the detail names the field and both types.
 * All other memory comes from malloc.  Every value starts as {0} or from an initializer, so that nothing is owned by chance. */
typedef struct leat_string { const char *p; uint32_t len, owned; } leat_string;        /* UTF-8 (nobody checks), no NUL; {0} is empty */
typedef struct leat_bytes  { const uint8_t *p; uint32_t len, owned; } leat_bytes;
typedef struct leat_strings { leat_string *at; uint32_t len, cap; } leat_strings;
typedef struct leat_int64s { int64_t *at; uint32_t len, cap; } leat_int64s;
typedef struct leat_float64s { double *at; uint32_t len, cap; } leat_float64s;
typedef struct leat_date   { int64_t s; uint32_t ns; int32_t offset_s; } leat_date;   /* since 1970, UTC; offset for people */
/* An error as a value: what happened, in words, at which node, with what else the program says of it, and what it was caused by: another
 * one, owned as an optional is (from malloc), or NULL.  At most 16 hang in a row. */
typedef struct leat_error  { leat_err code; leat_string text, node; leat_bytes details; struct leat_error *cause; } leat_error;
enum { LEAT_BARE = 1, LEAT_PAIRS = 2 };
/* With every described struct S comes a struct S_reply { leat_reply reply; <S> value; }: a result that was waited for in a channel.  It is
 * described, too: leat_drop(S_reply, &r) gives back all it owns, which is `value` after an OK and `error` after a failure. */
typedef struct leat_reply {
    leat_err err, why;                               /* OK: value is there, and yours to drop; why: as leat_err_why */
    uint32_t worker, attempt;                        /* of a deal: which of the workers (leat_workers_look), which attempt */
    uint64_t number;                                 /* of a deal: which element */
    char detail[160];                                /* of the error; the rest is cut */
    leat_error error;                                /* all of it, as leat_error_of gives it: owned.  Code OK: there is none, there was no
                                                        memory for it, or leat_reply_err has it */
} leat_reply;
/* r->err, as if the call had just returned it to this task: with its detail, its why, and what leat_error_of gives of it, which moves out
 * of *r.  After that a reply that is no OK owns nothing.  A second time it is code and detail alone. */
leat_err leat_reply_err(leat_reply *r);
typedef struct leat_dealt { uint64_t number; uint32_t attempt; } leat_dealt;          /* see leat_dealt_here */
#define LEAT_STRING(lit) LEAT_VALUE_(leat_string, "" lit, sizeof(lit) - 1, 0) /* only a literal compiles; borrows */
leat_string leat_string_of(const char *s);           /* borrows s; NULL is empty; of 4 GiB or more only the first 4 GiB - 1 */
leat_string leat_string_view(const char *p, uint32_t len);                    /* borrows p[0] to p[len - 1] */
LEAT_CHECK leat_err leat_string_dup(const char *p, size_t len, leat_string *ret);     /* an owned copy; NOMEM; LIMIT: 4 GiB or more */
LEAT_CHECK leat_err leat_bytes_dup(const void *p, size_t len, leat_bytes *ret);       /* the same */
void leat_string_drop(leat_string *s);               /* what leat_drop does, to a string; NULL: nothing */
void leat_bytes_drop(leat_bytes *b);                 /* the same */
/* The failure e that a call of this task has just returned, as a value: its code, its detail, and the node that it is of, if a peer has
 * sent it.  One that was raised (leat_error_raise) here, or by a method or a remote task, comes with its details and causes: what the
 * detail has before its text, as by leat_wrap, is then part of that.  [*ret is owned: leat_error_drop]  NOMEM */
LEAT_CHECK leat_err leat_error_of(leat_err e, leat_error *ret);
/* *e becomes the cause of a new error, which is *e then; text is copied.  NOMEM; LIMIT: over 16 in a row: then *e is as it was. */
LEAT_CHECK leat_err leat_error_wrap(leat_error *e, leat_err code, const char *text);
/* e->code, as if it had just been returned: its detail is "text: text of the cause: ..."; OK: e is NULL, or its code is OK;
 * REMOTE: its code is none of leat_err's */
leat_err leat_error_raise(const leat_error *e);
const leat_error *leat_error_find(const leat_error *e, leat_err code);        /* the first in the row with it, borrowed; NULL: none */
void leat_error_drop(leat_error *e);                 /* what leat_drop does, to an error; NULL: nothing */
#define leat_push(list, ...)            LEAT_PUSH_(list, __VA_ARGS__)         /* appends to *list, which then owns the element; NOMEM,
                                                        LIMIT, INVAL (a borrowed list: dup it): the element is still yours */
#define leat_new(S)                     LEAT_NEW_(S)                          /* a zeroed S for an optional(S); NULL: no memory */
#define LEAT_STRUCT(S, ...)             LEAT_STRUCT_(S, __VA_ARGS__)          /* defines struct S, S_list, S_map and the description */
/* LEAT_DESCRIBE, LEAT_DESCRIBE_AS: a member that is left out, described twice or of another type does not compile.  Only gcc, in C, does
 * not notice one that is left out and so small that it lies in what would be padding without it: clang does, and C++. */
#define LEAT_DESCRIBE(S, ...)           LEAT_WHOLE_(S, struct S, __VA_ARGS__)      /* describes a struct S that exists, all of it */
#define LEAT_DESCRIBE_AS(S, type, ...)  LEAT_WHOLE_(S, type, __VA_ARGS__)     /* the same for a typedef; S names the description */
#define LEAT_DESCRIBE_SOME(S, type, ...) LEAT_ONCE_OF_(S, type, __VA_ARGS__)  /* members that are not named are as (local, member): of a
                                                        struct with bit-fields, or with members that its header does not promise */
#define LEAT_ENUM(E, ...)               LEAT_ENUM_(E, __VA_ARGS__)            /* (name, number) ... */
#define LEAT_ONEOF(O, ...)              LEAT_ONEOF_(O, __VA_ARGS__)           /* struct O { enum O_case which; union { ... }; } */
#define leat_drop(S, p)                 LEAT_DROP_(S, p)                      /* frees what *p owns, then zeroes *p; NULL: nothing */
#define leat_chan_owns(c, S)            LEAT_CHAN_OWNS_(c, S)                 /* what is queued in c when its last receiver goes is
                                                                                 dropped as an S; before anybody sends; NULL: nothing */
#define leat_dup(S, p, ret)             LEAT_DUP_(S, p, ret)                  /* NOMEM; a deep copy that owns all it has, also what
                                                                                 *p borrows: to keep one and send one */

/* == Nodes and peers.  A node is an object, never a global: a test runs many in one process. ============================== */
typedef struct leat_node leat_node;
typedef struct leat_peer leat_peer;                  /* a session with one other node; lives through broken links */
typedef struct leat_node_opts {                      /* 0: the default; grows only at the end */
    const char *name;                                /* shown to peers and in traces */
    const char *cert, *key, *ca;                     /* of links with keys, which this version has not: NULL, or LEAT_INVAL */
    leat_dur grace;                                  /* how long a broken link may be made anew: the shorter one of both sides counts;
                                                        default 30 s; below 0: a session ends with its link.  A link on which nothing
                                                        arrives of what was sent before does not begin it anew */
    /* Policy of every export: OK, or an error, whose detail the importer gets as REFUSED (LIMIT and NOMEM as they are).  It is asked before
     * anything is looked up: of any name of up to 255 bytes, exported or not, so whom it refuses learns nothing.  sends: it asks for a
     * send end.  peer_key: "" in this version.  In the task that reads from the peer, which waits meanwhile: be short. */
    leat_err (*allow)(void *self, const char *peer_key, const char *name, bool sends);
    void *self;
    bool insecure;                                   /* listens and dials in plain TCP beyond this host too: whoever reaches the port is
                                                        a peer, and whoever is on the way reads and writes */
    leat_dur idle, patience;                         /* a silent peer is asked after idle; after patience more its link counts as
                                                        broken; default 5 s each */
} leat_node_opts;
LEAT_CHECK static inline leat_err leat_node_open(const leat_node_opts *o, leat_node **ret);   /* [owned: leat_node_close] NOMEM;
                            INVAL: below no leat_run, a name over 63 bytes, cert, key or ca; SYS: no random numbers */
/* At inproc:NAME (within this leat_run), unix:/PATH, or tcp://HOST:PORT; any number of them.  It goes on in the background.  INVAL: no such
 * url; REFUSED: beyond this host without .insecure, another node has that inproc: name, or n is being closed; SYS: the detail says why;
 * NOMEM. */
LEAT_CHECK leat_err leat_node_listen(leat_node *n, const char *url);
const char *leat_node_url(leat_node *n);             /* where it listens in fact (port 0), the first of several; until close;
                                                        NULL: nowhere, or no node */
LEAT_CHECK leat_err leat_node_wait(leat_node *n);    /* [blocks] until the node is closed (OK) or the context ends */
LEAT_CHECK leat_err leat_node_dial(leat_node *n, const char *url, leat_peer **ret);   /* [blocks] n owns *ret.  REFUSED: nobody
                            listens there, who does said no or is not leat, it is beyond this host without .insecure, or n is being
                            closed; PEER_LOST: it ended at once; INVAL: no such url; LIMIT: as many sessions as may be; SYS;
                            NOMEM */
/* What became of what was sent. */
typedef struct leat_doubt {
    uint64_t elements, calls;                        /* that may not have arrived; that have no answer, and may have run */
    uint32_t peers;                                  /* with which that is so */
} leat_doubt;
/* [blocks] until the peers' nodes have all that tasks here had sent when it began: elements of buffered channels (their homes have them,
 * as after leat_flush), closes, calls, results.  Of all of n's sessions, also those that have ended since it was last called.
 * UNKNOWN: of sessions that have ended so much is in doubt; the detail has the numbers; it is told once.  DEADLINE, CANCELED: so many
 * elements are not known to have arrived yet; ask again.  *ret, unless it is NULL, is set in any case.  Without a link to a peer it waits
 * for one, or for the end of the grace.  NOMEM: not all were asked. */
LEAT_CHECK leat_err leat_node_flush(leat_node *n, leat_doubt *ret);
/* [blocks] Lets go of exports, sends what was promised, says BYE to every peer and waits for theirs; then n is no more in any case.
 * Methods and tasks that n runs for peers are cancelled and awaited; until they end they may use n's peers, which are over.
 * OK: the peers' nodes have all that was sent.  UNKNOWN: they may not, as after leat_node_flush; leat_err_why is PEER_LOST, or the
 * context's error when that cut it short.  The result may be ignored.
 * How long: a peer that is well answers at once, when it has sent what it had promised.  One without a link: until it is back, or its
 * grace is over.  One whose last word is lost: idle + patience.  One that reads nothing and still says that it lives: for ever, so close
 * under a deadline.  When the context ends, or has ended before: 0.1 s more for peers that are well; then what is left is given up,
 * within 2 s.
 * On the thread that drives a guest, outside of its tasks: INVAL, and n is as before; a task closes it, or the guest's end. */
leat_err leat_node_close(leat_node *n);
leat_err leat_peer_close(leat_peer *p);              /* [blocks] the same for one peer that was dialed; then p is no more.  INVAL, and p
                            is as before: as above, if its session has not ended yet */
LEAT_CHECK leat_err leat_peer_wait(leat_peer *p);    /* [blocks] until the session ends: OK (closed by a side) or PEER_LOST;
                                                        also for one that is over */
/* What happens to a session, as a channel of this process, for a select too.  First comes how it is now, then each change, and after
 * ENDED the channel is closed; there may be several of one peer, and they may outlive it and its node.  Nothing waits for who
 * receives: of events that are not taken the oldest are dropped, never the last, and `number` shows the gap.  An end that is given to
 * another process is closed. */
enum leat_peer_state { LEAT_PEER_UP = 1, LEAT_PEER_DOWN, LEAT_PEER_ENDED };
typedef struct leat_peer_event {
    enum leat_peer_state state;                      /* there is a link; there is none, but there may be; the session has ended */
    leat_err err;                                    /* ENDED: OK (closed by a side) or PEER_LOST.  Else OK */
    leat_dur grace;                                  /* DOWN: so long this side waits for another link, from this event on */
    uint32_t attempt;                                /* of the link that is up, or was: a later one has a higher number */
    uint64_t session, number;                        /* which session of the node; which event of this channel, from 1 */
    char name[64], why[256];                         /* the peer's, as leat_peer_name; DOWN, ENDED: why, cut to fit */
} leat_peer_event;
leat_rx(leat_peer_event) leat_peer_events(leat_peer *p);             /* [owned: leat_unref] NULL: no memory, or no peer */
/* The same of all sessions of n, those that peers dialed too, from now on: the UP of each that begins, to its ENDED.  The last 256
 * events are kept; closed when n is. */
leat_rx(leat_peer_event) leat_node_events(leat_node *n);             /* [owned: leat_unref] NULL: no memory, or no node */
LEAT_CHECK leat_err leat_node_self(leat_node *n, leat_peer **ret);    /* [blocks] a session with n itself, in this process; n owns it;
                            REFUSED: n is being closed; LIMIT; PEER_LOST */
const char *leat_peer_name(const leat_peer *p);      /* "node 2", or the url it was dialed at; until the node is closed */
/* Finds the other nodes of this program and gives the peers that can work for it.  urls is a list "URL,URL" of nodes that already run;
 * NULL: what the launcher says (LEAT_NODES and LEAT_RANK, see docs/launch.md); neither: only n itself.  *ret has at least one peer.
 * In a launched program this returns OK on node 0 alone; every other node listens at its address, serves what it has exposed until
 * node 0 ends, and then gets LEAT_CANCELED, with which leat_run ends as LEAT_OK.  So a program needs no `if` for who it is.
 * [blocks] REFUSED, SYS: a node cannot be reached (the detail names it); PEER_LOST: one that was launched has died; INVAL: a bad url,
 * or the environment is wrong: the detail names the variable; LIMIT: over LEAT_PEERS_MAX, or what leat_node_dial says. */
enum { LEAT_PEERS_MAX = 1024 };
typedef struct leat_peers { leat_peer **at; uint32_t len, rank; } leat_peers;         /* at belongs to the node */
LEAT_CHECK leat_err leat_node_join(leat_node *n, const char *urls, leat_peers *ret);
/* To fd, a line each: every session of n, whether it is up, or down since when and for how much longer, and what is kept for another
 * link; and every end of a channel that n shares with that peer: which, how much went through it.  Returns how many ends there are;
 * fd -1: only that.  Not from a handler of a signal. */
size_t leat_node_dump(leat_node *n, int fd);
#define leat_auto_node                  LEAT_CLEANUP_(leat_node_end_)         /* leat_auto_node leat_node *n = NULL; */

/* == Names.  A channel end is exported under a name and imported elsewhere; its use does not change. ====================== *
 * A send end may be imported many times, and the export itself counts as one more sender until leat_unexport.  A receive end is
 * imported once: the channel moves there, with what is queued, and this side can only send from then on (as when it is sent in a value;
 * REFUSED while a task waits on it, or another owner has a receive end alone).  A channel has the capacity
 * its maker gave it, wherever its ends are; `capacity` is a hint that this version ignores.  Names live as long as the node.
 * REFUSED: no such name, the other end, a policy; LIMIT: more than 8 nodes between this one and the receiver, or 1,024 imports that the
 * peer has not answered; TYPE: the detail names the field.
 *   A send to another process may return besides, and then the value is yours: PEER_LOST; LIMIT: it is over 16 MiB, has over 16 ends, or
 * one that has come through 8 nodes; REFUSED: a receive end in it that cannot move; NOMEM.  And UNKNOWN, with leat_err_why. */
#define leat_export(n, name, end, S)    LEAT_EXPORT_(n, name, end, S)         /* INVAL: the name is taken, or has not 1 to 255 bytes;
                                                        INVAL, LIMIT: what S describes; keeps a reference */
#define leat_unexport(n, name)          leat_unexport_(n, name)               /* lets go of it; no such name, or NULL: nothing */
#define leat_import(p, name, ret, S, capacity)  LEAT_IMPORT_(p, name, ret, S, capacity)  /* [blocks] REFUSED, TYPE, PEER_LOST,
                                                        LIMIT; INVAL: the name has not 1 to 255 bytes;
                                                        ret: a leat_tx or leat_rx of struct S *; [owned: leat_unref] */

/* == Calls and remote tasks.  The caller's deadline and cancellation travel; errors come back with their detail. =========== *
 * What an exposed function or a method was given is dropped when it returns; what it keeps it takes out and zeroes.  leat_call leaves
 * `in` to the caller; leat_go_on moves its argument on LEAT_OK, channel ends too: give it a leat_ref of an end you keep.  On an error
 * the argument is still yours, that leat_ref too: a program that goes on has it in a variable, and drops it.
 * Errors: REFUSED: nothing of that name there; TYPE: the detail names the field; LIMIT: over 16 MiB; PEER_LOST: the session had ended,
 * it did not run; DEADLINE, CANCELED: it was not sent yet, and did not run.  Once sent, a call that has no answer is UNKNOWN: it may
 * have run, and leat_err_why says DEADLINE, CANCELED or PEER_LOST.  Else the function's own error, with the peer's name before its
 * detail; LEAT_REMOTE where its code would be taken for one of this session (PEER_LOST, UNKNOWN, SYS, GONE, AGAIN).  An error that it
 * raised (leat_error_raise) comes with its details and causes: leat_error_of; a leat_reply has them, too.  A remote task gives
 * its error to its group in the same way; a group waits for it after a cancel as for any task, until it has ended or its session has.
 * A call that moves a receive end takes one more round trip, the first time of each method in a session: it asks for the types there,
 * since a call that is refused for them must leave the end where it is. */
#define LEAT_SERVICE(S, ...)            LEAT_SERVICE_(S, __VA_ARGS__)         /* (method, in, out) ...: struct S_impl */
#define leat_serve(n, S, impl, self)    LEAT_SERVE_(n, S, impl, self)         /* INVAL: a method is NULL, or is served already, and
                            so are those before it then; LIMIT: "S.method" has over 255 bytes; INVAL, LIMIT: what a type describes.
                            impl is copied, self stays yours, to the end of n */
#define leat_call(p, S, method, in, out) LEAT_CALL_(p, S, method, in, out)    /* [blocks] the method's error, PEER_LOST; own *out */
#define leat_expose(n, fn, S)           LEAT_EXPOSE_(n, fn, S)                /* peers may start fn(struct S *); INVAL,
                            LIMIT: as leat_serve */
#define leat_go_on(g, p, fn, S, ...)    LEAT_GO_ON_(g, p, fn, S, __VA_ARGS__) /* [blocks] while the peer has as many calls as it takes, or
                            has no link and much is kept for it; joins g like a local task; the argument is a struct S.  Also what leat_go
                            says */
#include "node_macros.h"
LEAT_END_
#endif
