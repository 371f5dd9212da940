/* impl.h - the record of a session and of a node.  For sess/'s own files.
 *
 * A session has one link and two tasks.  The reader is in charge: it handles what arrives, notices silence, and when it leaves its
 * loop it brings the session to its end.  The writer alone writes to the link.  Neither waits for the other while the session lives.
 * Laws over the fields
 *  state     LIVE -> CLOSING (this side or the peer wants to say BYE: only what is under way is still sent) -> ENDED, or -> BROKEN ->
 *            ENDED.  Changes under out_lock; may be read without.  BROKEN: `fail` says why and no longer changes.
 *  data, ctl hold whole frames but for the one being built between begin and commit.  Frames there have no numbers: the writer
 *            gives them when it writes, so that a frame of ctl may go first.
 *  holders   who has a reference: the node's list, the two tasks, and users.
 * Locks: a node's lock, then a session's out_lock. */
#ifndef SESS_IMPL_H
#define SESS_IMPL_H
#include "chan/chan.h"
#include "link/link.h"
#include "sess/door.h"
#include "sess/sess.h"

enum sess_state { SESS_LIVE, SESS_CLOSING, SESS_BROKEN, SESS_ENDED };
enum { FAIL_MAX = 440, INCARNATION = 16, JOB_MAX = 64 };

struct source_queue { struct sess_source *head, *tail; };

struct inbox {                                       /* what was read and not yet used: p[at] to p[len - 1] */
    uint8_t *p;
    uint32_t at, len, cap;
    bool full;                                       /* the last read took all the room there was: more has come */
};

struct sess {
    struct sess_slots slots;                         /* first: sess_slots */
    leat_node *node;
    struct link *link;
    _Atomic uint32_t refs, state;
    bool dialed;
    struct sess_limits limits;                       /* the peer's */
    uint64_t id;                                     /* chosen by the dialer; unique within its incarnation */
    uint8_t peer[INCARNATION];
    char name[LIMIT_NODE_NAME + 1], text[LIMIT_NODE_NAME + LINK_TEXT_MAX + 8];
    /* out_lock */
    _Atomic uint32_t out_lock;
    bool ping_due, pong_due, ack_due, dead_due;      /* the writer is to send one */
    bool bye_sent, bye_got, reader_left, writer_left;                /* bye_got: the reader may read it without */
    uint8_t last_kind, dead_err;
    struct buf ctl, data, *cur;                      /* cur: in between begin and commit */
    size_t cur_at, cur_frame;                        /* where the commit began to add; where its frame starts */
    size_t last_at;                                  /* of the last frame in data, when it may be continued; else SIZE_MAX */
    uint64_t last_key;
    struct source_queue sources[2];                  /* by lane */
    uint32_t holds;
    _Atomic bool crowded;                            /* LIMIT_SESS_UNSENT or more waits to be written; anybody may look */
    size_t unwritten;                                /* bytes of data that the writer has taken and not written */
    _Atomic size_t owed;                             /* bytes of answers in data (sess_commit_answer); anybody may look */
    size_t owed_taken;                               /* and in what the writer has taken */
    struct task *writer;                             /* it waits for something to do */
    struct task *_Atomic pulling;                    /* the writer, while it asks sources; only the writer changes it */
    struct waiters room, enders;                     /* who waits for room; for the writer's leave or the end */
    leat_err result;                                 /* once ENDED: OK or PEER_LOST */
    char fail[FAIL_MAX];
    /* writer only */
    struct buf wctl, wdata;
    size_t wdata_at;
    _Atomic uint64_t rounds;                         /* of writing: grows while the link takes what is written; anybody may look */
    uint64_t sent;                                   /* numbered frames written */
    /* reader only */
    struct inbox in;
    _Atomic uint64_t received, acked;                /* numbered frames accepted; told to the peer: the writer's */
    /* node->lock */
    struct sess *next, *prev;
    bool listed, handle, over;                       /* handle: a leat_peer the program holds; over: ended, users told */
};

struct listening { struct listening *next; struct link_listener *l; };

struct leat_node {
    struct node_slots slots;                         /* first: node_slots */
    struct rt *rt;
    struct rt_at_end at_end;
    const struct sess_user *const *users;
    sess_handler *handlers[FRAME_KINDS];
    leat_node_opts opts;
    char name[LIMIT_NODE_NAME + 1], job[JOB_MAX + 1];
    uint8_t incarnation[INCARNATION];
    struct keyed key;                                /* never leaves this process */
    leat_group group;                                /* accepters, readers, writers; nobody else's cancel reaches it */
    leat_group work;                                 /* tasks of users (node_group) */
    _Atomic uint32_t refs;
    _Atomic uint64_t next_id, selects;               /* selects: that have made offers */
    _Atomic uint32_t lock;                           /* all below */
    bool closing, closed;
    struct sess *sessions;
    uint32_t count;
    struct listening *listening;
    struct doorway door;
    struct sess *self;
    struct waiters waiters;                          /* leat_node_wait, and closers that came second */
    int64_t log_from;                                /* the second in which ... */
    uint32_t log_count;                              /* ... so many lines were logged */
};

/* what each side says first (hello.c) */
struct hello {
    uint64_t session, expected;
    uint32_t attempt;
    bool resumed;
    uint8_t dialer[INCARNATION], acceptor[INCARNATION];
    struct sess_limits limits;
    char name[LIMIT_NODE_NAME + 1], job[JOB_MAX + 1];
};
/* Both obey the task's context and take at most the node's idle + patience.  What was read beyond it is in s->in. */
leat_err hello_dial(struct sess *s);                 /* fills s from the peer's WELCOME; REFUSED, PEER_LOST ... */
leat_err hello_accept(struct sess *s);               /* fills s from the peer's HELLO; not yet welcomed */
leat_err hello_welcome(struct sess *s);
void hello_refuse(struct sess *s, leat_err e, const char *reason);   /* instead of WELCOME; waits a little for the peer to go */

/* sess.c */
struct sess *sess_new(leat_node *n, struct link *l, bool dialed);    /* owns l from then on, also NULL: no memory (l is closed) */
void sess_set_name(struct sess *s, const char *peer_name);
/* Users' open, on the node's list, WELCOME (to a dialer), the writer task.  OK: sess_read is to be run, in a task of the node. */
leat_err sess_start(struct sess *s);
void sess_close_begin(struct sess *s);               /* no new frames; BYE when all is written */
leat_err sess_wait_end(struct sess *s);              /* [blocks] OK: it has ended */
leat_err sess_wait_on(struct sess *s, struct waiters *q);            /* out_lock is held, and released.  OK: look again */
void sess_wake_all(struct waiters *q);               /* out_lock is held */
bool sess_fail_locked(struct sess *s, const char *text);             /* state BROKEN; false: it was over already */

/* reader.c */
void sess_read(struct sess *s);                      /* the reader task, to the end of the session */
leat_err inbox_fill(struct inbox *in, struct link *l);               /* [blocks] reads some more; LIMIT: over what a frame can need */

/* writer.c */
leat_err sess_write(struct sess **arg);              /* the writer task */
void sess_writer_wake_locked(struct sess *s, struct task **ret);     /* *ret: to be made ready with writer_ready after unlocking */
void sess_writer_ready(struct task *t);              /* NULL: nothing */
void sess_sources_end(struct sess *s);               /* no writer any more: lets go of all sources */
void frame_put_header(struct buf *b, uint8_t kind, uint8_t flags);

/* node.c */
void node_ref(leat_node *n);
void node_unref(leat_node *n);
leat_err node_sess_add(struct sess *s);              /* REFUSED: the node is being closed */
void node_sess_ended(struct sess *s);                /* takes it off the list, unless the program holds it */
void node_log(leat_node *n, const char *fmt, ...) LEAT_PRINTF_(2, 3);
leat_dur node_silence(const leat_node *n);           /* idle + patience */
#endif
