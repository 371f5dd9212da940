/* impl.h - the record of a session and of a node.  For sess/'s own files.
 *
 * A session has two tasks, and most of the time one link.  The reader is in charge: it handles what arrives, notices silence, sees a
 * link out that has broken and gets the next one, and brings the session to its end.  The writer alone writes to the link, and
 * rests while there is none.  Neither waits for the other while the link lives.
 * Laws over the fields
 *  state     LIVE -> CLOSING (this side or the peer wants to say BYE: only what is under way is still sent) -> ENDED, or -> BROKEN ->
 *            ENDED.  Changes under out_lock; may be read without.  BROKEN: `fail` says why and no longer changes.
 *  up        there is a link, and both sides have said hello on it.  Not up, and not over: DOWN, until down_until at the latest.
 *            Set by the reader only; cleared by whoever finds the link broken, who shuts it: then the reader leaves its read.
 *  link      changes under out_lock, by the reader only, while the writer is not writing.  Others may shut it, under out_lock.
 *  data, ctl hold whole frames but for the one being built between begin and commit.  Frames there have no numbers: the writer
 *            gives them when it writes, so that a frame of ctl may go first.
 *  ring      what has a number and is not acknowledged.  On a new link that goes first, from the number on that the peer expects.
 *  holders   who has a reference: the node's list, the two tasks, and users.
 * Locks: a node's lock, then a session's out_lock. */
#ifndef SESS_IMPL_H
#define SESS_IMPL_H
#include "chan/chan.h"
#include "link/link.h"
#include "sess/door.h"
#include "sess/replay.h"
#include "sess/sess.h"

enum sess_state { SESS_LIVE, SESS_CLOSING, SESS_BROKEN, SESS_ENDED };
enum { FAIL_MAX = 440, INCARNATION = 16, JOB_MAX = 64, DEAD_MAX = FRAME_HEADER + 1 + BUF_VARINT_MAX + LIMIT_REASON };

struct source_queue { struct sess_source *head, *tail; };

/* Elements of ends that have gone before their peer was known to have them: all up to `pos` of data, and so, once that is written, up to
 * a number. */
struct parted { uint64_t elems, pos, number; };

struct inbox {                                       /* what was read and not yet used: p[at] to p[len - 1] */
    uint8_t *p;
    uint32_t at, len, cap;
    bool full;                                       /* the last read took all the room there was: more has come */
};

/* A frame whose last bytes are read to where they stay.  What is before them lies in the inbox, from `at` on. */
struct landing {
    uint8_t *to;
    uint32_t head, n, have;                          /* bytes in the inbox, with the header; bytes there; of those that have come */
    bool more;                                       /* one like it was the last frame, and another one will be the next, perhaps */
};

/* what each side says first (hello.c) */
struct hello {
    uint64_t session, expected;
    uint32_t attempt, grace_ms, process;             /* process: the dialer's number, over unix:; 0: it does not say */
    uint16_t minor;                                  /* of the version of the protocol that the preamble says */
    bool resumed;
    uint8_t dialer[INCARNATION], acceptor[INCARNATION];
    struct sess_limits limits;
    char name[LIMIT_NODE_NAME + 1], job[JOB_MAX + 1];
};

/* A link that has no session yet, or is to be the next one of a session. */
struct greeting {
    leat_node *node;
    struct link *link;
    struct inbox in;                                 /* what was read beyond the hello */
    struct hello his;
    bool dead, gone;                                 /* hello_dial: the answer was DEAD; the link ended before the answer did */
};

struct sess {
    struct sess_slots slots;                         /* first: sess_slots */
    leat_node *node;
    _Atomic uint32_t refs, state;
    bool dialed;
    uint16_t minor;                                  /* the version that is spoken: the lesser one's */
    struct sess_limits limits;                       /* the peer's */
    leat_dur grace;                                  /* the shorter of both sides' */
    uint64_t id;                                     /* chosen by the dialer; unique within its incarnation */
    uint8_t peer[INCARNATION];
    char *url;                                       /* where the dialer makes the next link; NULL: nowhere */
    char name[LIMIT_NODE_NAME + 1], text[LIMIT_NODE_NAME + LINK_TEXT_MAX + 8];
    /* out_lock */
    _Atomic uint32_t out_lock;
    struct link *link;                               /* NULL: none */
    _Atomic bool up;
    bool mute;                                       /* the link takes no more; the reader reads to its end */
    bool writing;                                    /* the writer is at the link */
    uint32_t attempt;                                /* of the link */
    uint64_t again_from;                             /* the writer is to write the ring from this number on; 0: it has */
    int64_t down_until;
    struct { uint64_t sent, taken, received; bool links; } broke;    /* when a link broke last; links: one has */
    int64_t up_at;                                   /* since when there is a link */
    uint32_t fruitless;                              /* links in a row that were short and brought nothing */
    bool stuck;                                      /* when the last one broke, nothing had arrived since the one before broke */
    struct greeting *next_link;                      /* acceptor: what the dialer has come back with */
    int64_t process;                                 /* acceptor: the dialer's, which is on this host; 0: nobody knows */
    bool gone;                                       /* it has ended */
    leat_ctx *redialing;                             /* the reader's, while it gets the next link */
    struct waiters linkers;                          /* the reader, while it waits for that */
    char down[FAIL_MAX];                             /* why the link broke */
    bool ping_due, pong_due, ack_due, dead_due;      /* the writer is to send one */
    bool done_due, done_said;                        /* DEAD without a reason: see sess_done_locked; said on this link */
    bool bye_got, reader_left, writer_left;          /* bye_got: the reader may read it without */
    uint8_t last_kind, dead_err;
    struct buf ctl, data, *cur;                      /* cur: in between begin and commit */
    size_t cur_at, cur_frame;                        /* where the commit began to add; where its frame starts */
    size_t cur_tail;                                 /* bytes of that frame that are its tail */
    struct tails tails;                              /* of the frames in data */
    size_t last_at;                                  /* of the last frame in data, when it may be continued; else SIZE_MAX */
    uint64_t last_key;
    struct source_queue sources[2];                  /* by lane */
    uint32_t holds;
    uint64_t data_pos, ctl_pos;                      /* bytes of data and ctl that were ever taken to be written ... */
    uint64_t ctl_out;                                /* ... and those of ctl that have been.  Of data: data_pos - unwritten */
    struct parted parted[2];                         /* the older first */
    uint32_t pongs, full_asked;                      /* that have come; and one more, when a full ring asked for the next one */
    uint32_t pings, pongs_before;                    /* of this link: PINGs that were written; PONGs that had come before it */
    struct { uint64_t sent, taken; uint32_t pings; int64_t ns; } asked;  /* when a PING was written, and what was acknowledged when it was
                                                        looked at last; sent 0: all that was asked for is acknowledged */
    struct waiters flushers;                         /* who waits for the peer to have what was sent */
    bool tallied, closed_here;                       /* doubt is known; this side has begun to close it */
    leat_doubt doubt;                                /* by the reader at the end; then the node's lock */
    _Atomic bool crowded;                            /* LIMIT_SESS_UNSENT or more waits to be written, or the link is down.  Anybody may
                                                        look */
    size_t unwritten;                                /* bytes of data that the writer has taken and not written */
    size_t untailed;                                 /* and of their tails */
    size_t busy;                                     /* of what it has taken it may be at the bytes before this one */
    _Atomic size_t owed;                             /* bytes of answers in data (sess_commit_answer); anybody may look */
    size_t owed_taken;                               /* and in what the writer has taken */
    struct task *writer;                             /* it waits for something to do */
    struct task *_Atomic pulling;                    /* the writer, while it asks sources; only the writer changes it */
    struct waiters room, enders;                     /* who waits for room; for the writer's leave or the end */
    leat_err result;                                 /* once ENDED: OK or PEER_LOST */
    char fail[FAIL_MAX];
    /* writer only; while it is not writing also out_lock */
    struct replay ring;
    size_t ring_max;                                 /* with so many bytes in it nothing new is written.  Never changes */
    size_t unsent_max;                               /* with so many not yet written, who sends waits.  Never changes */
    struct replay_block *wdata;                        /* what it has taken of data; NULL: nothing */
    size_t wdata_at;
    struct buf wctl;
    struct replay_cursor again;                        /* writing the ring once more: from here */
    bool repeating, bye_taken;
    uint64_t rested;                                 /* `sent` when memory was given back last */
    _Atomic uint64_t sent;                           /* numbered frames that were written; anybody may look */
    _Atomic bool bye_sent;                           /* and BYE is the last of them */
    _Atomic size_t kept;                             /* bytes in the ring; anybody may look */
    /* reader only */
    struct inbox in;
    struct landing land;
    _Atomic uint64_t received, acked;                /* numbered frames accepted; told to the peer: the writer's */
    _Atomic uint64_t taken;                          /* what the peer has acknowledged */
    bool done_there;                                 /* the peer has said that it is done */
    int64_t done_until;                              /* this side is done, and waits so long for the peer to say it; 0: it is not */
    int64_t ask_at;                                  /* when the peer is asked what it has, though it talks */
    uint64_t ack_seen;                               /* acked when ack_bytes began to count */
    size_t ack_bytes;
    /* node->mon_lock: what monitors were told last */
    enum leat_peer_state told;                       /* 0: nothing yet */
    uint32_t told_attempt;
    uint64_t told_as;                                /* its number among the node's sessions */
    /* node->lock */
    struct sess *next, *prev, *key_next;
    struct sess *closed_next;                        /* the one before it that its node, which is being closed, has seen out */
    bool listed, handle, over, keyed, counted;                /* handle: a leat_peer the program holds; over: ended, users told */
    bool *put_out;                                   /* of who counts it: it is counted no more; NULL: nobody may */
};

/* An accepted session whose dialer is to come back (absent.c). */
struct absents { struct absent *first, *last; };
struct absent { struct sess *s; struct absent *prev, *next; struct absents *of; };   /* s NULL: it is in no list */

struct listening { struct listening *next; struct link_listener *l; bool known; };      /* known: links are accepted there */

struct leat_node {
    struct node_slots slots;                         /* first: node_slots */
    struct rt *rt;
    struct rt_at_end at_end;
    const struct sess_user *const *users;
    sess_handler *handlers[FRAME_KINDS];
    uint8_t *(*land)(struct sess *s, struct cur *in, size_t *left);  /* a user's; NULL: nobody's */
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
    leat_doubt doubt;                                /* of sessions that have ended, and nobody was told of yet */
    struct sess **keys;                              /* the sessions that peers dialed, by incarnation and id; NULL: none yet */
    uint32_t count, knocks;                          /* sessions; links that are none yet, or are refused */
    struct absents absents[2];                       /* sessions without a link, of those the dialer of which has never asked for anything,
                                                        and of others: the longest absent first */
    struct listening *listening;
    struct doorway door;
    struct sess *self;
    _Atomic uint32_t mon_lock;                       /* the next four (monitor.c) */
    bool deaf;                                       /* all sessions have ended */
    uint64_t told;                                   /* sessions that monitors were told of, or would have been */
    struct monitor *monitors;
    struct waiters waiters;                          /* leat_node_wait, and closers that came second */
    int64_t log_from;                                /* the second in which ... */
    uint32_t log_count;                              /* ... so many lines were logged */
};

/* All obey the task's context and take at most the node's idle + patience.  g's link and inbox are the caller's to free. */
leat_err hello_dial(struct greeting *g, const struct hello *mine);   /* to the peer's WELCOME; REFUSED, PEER_LOST ...; *g->his is filled */
leat_err hello_accept(struct greeting *g);           /* to the peer's HELLO; not yet welcomed */
leat_err hello_welcome(leat_node *n, struct link *l, uint64_t expected);
void hello_refuse(struct greeting *g, leat_err e, const char *reason);       /* instead of WELCOME; waits a little for the peer to go */
size_t hello_put_dead(uint8_t room[DEAD_MAX], leat_err e, const char *reason);       /* a DEAD frame, without memory; its length */
void hello_leave(struct link *l, leat_err e, const char *reason);    /* DEAD on a link that has said hello, from who cannot go on */
void greeting_done(struct greeting *g);              /* closes the link and frees what it holds, not g */

/* link.c: the links of a session */
void sess_link_broke_locked(struct sess *s, const char *why);        /* not up any more; the reader sees to the rest */
leat_err sess_next_link(struct sess *s);             /* [blocks] the reader's, after a break: OK: up again; else the session is BROKEN */
/* A link of s's dialer, whose hello is in g.  true: it is s's, or was refused; g's memory too. */
void sess_come_back(struct sess *s, struct greeting *g);

/* absent.c */
void absent_in(struct absent *a, struct sess *s);    /* s has lost its link; in its reader */
void absent_out(struct absent *a, leat_node *n);     /* and has another, or is over */
struct sess *absent_put_out_locked(leat_node *n);    /* it counts no more, and is the caller's to end and unref; NULL: none */
extern uint32_t node_sessions_max;                   /* LIMIT_NODE_SESSIONS; tests set it */

/* sess.c */
/* A session on g's link, which it takes over with what was read, after the hello.  NULL: no memory, and g is as it was. */
struct sess *sess_new(struct greeting *g, bool dialed);
/* Users' open, on the node's list, WELCOME (to a dialer), the writer task.  OK: sess_read is to be run, in a task of the node. */
leat_err sess_start(struct sess *s, leat_err *no_writer);             /* *no_writer: what has kept the writer from beginning; OK: it runs */
void sess_close_begin(struct sess *s, bool here);    /* no new frames; BYE when all is written.  here: this side wants it */
void sess_let_go(struct sess *s);                    /* the reader, after the end: memory that only a link needs */
leat_err sess_wait_end(struct sess *s);              /* [blocks] OK: it has ended */
leat_err sess_wait_on(struct sess *s, struct waiters *q);            /* out_lock is held, and released.  OK: look again */
void sess_wake_all(struct waiters *q);               /* out_lock is held */
bool sess_fail_locked(struct sess *s, const char *text);             /* state BROKEN; false: it was over already */
bool sess_done_locked(const struct sess *s);         /* both have said BYE, and the peer has all that was sent */

/* reader.c */
void sess_read(struct sess *s);                      /* the reader task, to the end of the session */
void sess_inbox_reset(struct sess *s);               /* what was read will come again */
leat_err inbox_fill(struct inbox *in, struct link *l);               /* [blocks] reads some more; LIMIT: over what a frame can need */

static inline size_t sess_unsent_locked(const struct sess *s) { return s->data.len + s->tails.bytes + s->unwritten + s->untailed; }

/* writer.c */
leat_err sess_write(struct sess **arg);              /* the writer task */
void sess_writer_wake_locked(struct sess *s, struct task **ret);     /* *ret: to be made ready with writer_ready after unlocking */
void sess_writer_ready(struct task *t);              /* NULL: nothing */
void sess_sources_end(struct sess *s);               /* no writer any more: lets go of all sources */
void frame_put_header(struct buf *b, uint8_t kind, uint8_t flags);

/* flush.c */
void sess_written_locked(struct sess *s);            /* the writer has written, or taken, some more */
void sess_tally(struct sess *s, bool orderly);       /* the reader, when the users have been told the end */
void sess_wait_tally(struct sess *s);                /* [blocks] shortly; s has ended */
leat_doubt sess_doubt(struct sess *s);               /* s has ended: what is in doubt with it is told here, and nowhere else */
leat_err doubt_closed(const leat_doubt *d);          /* OK: there is none; else UNKNOWN */

/* monitor.c */
/* By the reader, or before there is one; no lock held.  attempt 0: as it was. */
void sess_tell(struct sess *s, enum leat_peer_state state, uint32_t attempt);
void node_monitors_end(leat_node *n);                /* all sessions have ended */
size_t node_monitors(leat_node *n);                  /* for tests: how many there are */

/* node.c */
void node_ref(leat_node *n);
void node_unref(leat_node *n);
struct sess *node_next_session(leat_node *n, struct sess *s);        /* after s, NULL: the first [owned]; s's reference is given back */
leat_err node_sess_add(struct sess *s);              /* REFUSED: the node is being closed; NOMEM; AGAIN: another link was faster */
struct sess *node_sess_find(leat_node *n, const struct hello *h);    /* what a hello is for [owned: sess_unref]; NULL: none */
void node_sess_ended(struct sess *s);                /* takes it off the list, unless the program holds it */
void node_log(leat_node *n, const char *fmt, ...) LEAT_PRINTF_(2, 3);
uint32_t node_grace_ms(const leat_node *n);          /* how long a session of n waits for a new link; 0: not at all */
leat_dur node_silence(const leat_node *n);           /* idle + patience */
#endif
