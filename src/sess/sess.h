/* sess.h - a session with one other node: what channels (netchan) and calls (rpc/) are built on.
 *
 * Sending.  struct buf *b = sess_begin(s, kind); put the fields; sess_commit(s).  In between the session's out lock is held: a
 * spinlock, so nothing may block there.  Order of locks: a channel's, then the session's; never the other way: nothing of a
 * channel is called between begin and commit.  NULL: the session has ended, there is nothing to commit.
 * Frames go out in the order of their commits, but what is in LANE_CONTROL overtakes what is in LANE_DATA and is not yet written.
 * The writer task runs when the tasks that are ready now have run, so a burst goes out in one system call, without any timer.
 *
 * What bounds memory.  A committed frame stays in memory until it is written.  Commit only what a credit, a window or the limits of
 * the hello allow.  Who has no such bound (an OPEN, a large RESULT) calls sess_wait_room() first.  What can pile up, or is large, is
 * better pulled: a struct sess_source is asked for its next frame only when the link can take it, in turn with the other sources.
 *
 * Receiving.  Handlers run in the session's reader task, one frame after another, in order.  A handler must not block: it may lock
 * channels, make tasks ready, start tasks, and send.  What it returns other than LEAT_OK breaks the session, with the task's error
 * detail as the reason that both sides see.  What `in` points to is valid until the handler returns.
 *
 * The end.  A user's `end` is called once, by the reader task, after the last handler: LEAT_OK after an orderly BYE, else
 * LEAT_PEER_LOST.  sess_begin returns NULL from a moment before that on. */
#ifndef SESS_SESS_H
#define SESS_SESS_H
#include "base/buf.h"
#include "base/keyed.h"
#include "leat.h"
#undef errno
#include "sess/frame.h"

struct sess;                                         /* a leat_peer is one: see sess_of */

typedef leat_err sess_handler(struct sess *s, uint8_t flags, struct cur *in);

/* A floor or file that is built on sessions.  boot/ lists them in leat_node_open_; all nodes of a program have the same ones. */
struct sess_user {
    const char *name;
    leat_err (*node_open)(leat_node *n);             /* each of these may be NULL.  node_open: sets its node_slots */
    void (*node_close)(leat_node *n);                /* all sessions have ended */
    leat_err (*open)(struct sess *s);                /* before the first frame; sets its sess_slots */
    void (*end)(struct sess *s, leat_err why);       /* see above */
    void (*down)(struct sess *s);                    /* the reader: the link has broken, and another one may follow.  Must not block */
    void (*free)(struct sess *s);                    /* nobody holds s any more */
    /* The reader, of an ELEM that is long and has not all come.  `in`: what has come of its fields; *left: their bytes, all of them.  Where
     * the last bytes of the frame may be read to at once: in->p is moved to the first of them, *left becomes their number.  They are the
     * frame's when its handler is called, with sess_landed of them and what was before in->p.  NULL: nowhere.  in NULL: what was to
     * come does not come. */
    uint8_t *(*land)(struct sess *s, struct cur *in, size_t *left);
    struct { uint8_t kind; sess_handler *fn; } on[32];               /* the frames it handles; ends with a NULL fn */
    /* leat_node_close has begun, and the sessions still live: what is sent now goes before BYE.  Must not block. */
    void (*node_closing)(leat_node *n);
};

struct sess_slots { void *chans, *calls; };          /* one for each user; the users' own, protected as they say */
struct node_slots { void *exports, *exposed, *services, *joined; };
static inline struct sess_slots *sess_slots(struct sess *s) { return (struct sess_slots *)(void *)s; }     /* its first member */
static inline struct node_slots *node_slots(leat_node *n) { return (struct node_slots *)(void *)n; }

static inline struct sess *sess_of(leat_peer *p) { return (struct sess *)(void *)p; }
static inline leat_peer *sess_peer(struct sess *s) { return (leat_peer *)(void *)s; }

/* -- sending ------------------------------------------------------------------------------------------------------------- */
enum sess_lane { LANE_DATA, LANE_CONTROL };

struct buf *sess_begin(struct sess *s, uint8_t kind);                /* NEED GRANT NONE RECALL RETURN CLOSE: LANE_CONTROL; else DATA */
struct buf *sess_begin_in(struct sess *s, uint8_t kind, uint8_t flags, enum sess_lane lane);
/* Continues the frame that was committed last in LANE_DATA, if it was begun here with the same kind and key, is not written yet and
 * is shorter than LIMIT_FRAME_CUT; its fields must then be something that repeats up to its end.  *fresh: it is a new frame. */
struct buf *sess_begin_more(struct sess *s, uint8_t kind, uint64_t key, bool *fresh);
/* Ends the frame and unlocks.  A frame that failed for want of memory, or is longer than LIMIT_FRAME, is taken back: its error. */
LEAT_CHECK leat_err sess_commit(struct sess *s);
/* Ends a frame that answers one of the peer's, and that no credit, window or limit bounds: what a peer asks for and does not take is
 * counted, and over LIMIT_SESS_OWED the session breaks. */
bool sess_commit_answer(struct sess *s);             /* else as sess_commit_must */
extern size_t sess_owed_max;                         /* LIMIT_SESS_OWED; tests set it */
void sess_owe(struct sess *s, size_t n);             /* counts n bytes that were committed otherwise */
bool sess_owes_much(const struct sess *s);           /* over LIMIT_SESS_UNSENT of such: an answer is to be short */
bool sess_commit_must(struct sess *s);               /* of a frame the peer waits for: without memory for it the session breaks; false */
void sess_abort(struct sess *s);                     /* takes the frame back and unlocks */
/* Between begin and commit, LANE_DATA: the u64 at this offset of the frame's fields is a moment of this host's clock.  It becomes the
 * nanoseconds that remain until then whenever the frame is written, which may be late, and again on another link. */
void sess_moment(struct sess *s, size_t at);
/* As sess_begin_in, in LANE_DATA, of a frame that frame_put_form will put this form into.  What is too long for that goes before it. */
struct buf *sess_begin_form(struct sess *s, uint8_t kind, uint8_t flags, struct cur form);
void frame_put_form(struct buf *b, struct cur form); /* empty: there is none */
uint64_t sess_place(const struct sess *s);           /* between begin and commit: of this frame, for sess_take_back */
/* The frames of this kind and id (their first field), from the one at `place` to the first without FRAME_MORE.  false: some were written,
 * or are about to be; else none ever will be.  A place where nothing was put yet: true. */
bool sess_take_back(struct sess *s, uint8_t kind, uint64_t id, uint64_t place);
bool sess_unwritten(struct sess *s, uint64_t place); /* the frame that was committed at `place`: nothing of it was written */
/* Between begin (in LANE_DATA, not begin_more) and commit, once, as the frame's last bytes: they stay where they are until the peer has
 * them, and so does `of`, which the frame takes a reference to.  false: no memory */
struct lent;
bool sess_tail(struct sess *s, const void *p, size_t n, struct lent *of);

/* Something that has frames to send now or later: a channel's site with much under way, an end whose control frame is due. */
struct sess_source;
struct sess_source_ops {
    /* Writer task, no lock held.  Commits at most one frame (of at most LIMIT_FRAME_CUT and a little).  true: has more. */
    bool (*pull)(struct sess_source *x, struct sess *s);
    void (*ref)(struct sess_source *x);              /* it is queued: keep its memory.  Called with the out lock held */
    void (*unref)(struct sess_source *x);            /* it is not any more.  No lock held */
};
struct sess_source {
    const struct sess_source_ops *ops;
    struct sess_source *next;                        /* next, queued: the session's out lock */
    bool queued;
};
/* The writer will pull x.  While it is queued already: nothing.  May be called under a channel's lock.  Sources in LANE_CONTROL are
 * pulled before those in LANE_DATA.  After the end of s, pull finds sess_begin = NULL and must return false. */
void sess_source_add(struct sess *s, struct sess_source *x, enum sess_lane lane);

bool sess_alone(struct sess *s);                     /* no source waits for its turn in LANE_DATA */

/* Sending that an orderly close must wait for, though nothing is queued now: as when a source waits for a window to open. */
void sess_hold(struct sess *s);
void sess_release(struct sess *s);

/* From `end`: so many elements, or calls, may not have arrived, or run: nobody knows. */
void sess_in_doubt(struct sess *s, uint64_t elems, uint64_t calls);
/* An end goes behind all that was committed for it: so many of its elements are not known to have arrived.  [channel's lock] */
void sess_parts(struct sess *s, uint64_t elems);
void sess_lost_far(struct sess *s, uint64_t elems);  /* the same of one that is lost beyond the peer, and nobody waits for */

LEAT_CHECK leat_err sess_wait_room(struct sess *s);  /* [blocks] until less than LIMIT_SESS_UNSENT waits to be written; PEER_LOST */

/* -- what it is ------------------------------------------------------------------------------------------------------------ */
leat_node *sess_node(struct sess *s);
bool sess_dialed(const struct sess *s);              /* this side dialed: makes odd ids where both sides make ids, the other even */
const char *sess_name(const struct sess *s);         /* the peer's: "node 2" */
const char *sess_text(const struct sess *s);         /* for errors: "node 2 (unix:/tmp/x)" */
const char *sess_url(const struct sess *s);          /* that can be dialed again: where it was dialed; "": nowhere */
void sess_peek_text(const struct sess *s, char *text, size_t cap);   /* the same of a session that may be gone; [signal] */
struct sess_limits {                                 /* what the peer takes */
    uint32_t frame;                                  /* bytes of a frame, without its header */
    uint32_t opens;                                  /* OPENs without their DONE */
    uint32_t open_bytes;                             /* bytes of the arguments of those */
    uint32_t ends;                                   /* ends of channels it knows at a time */
};
const struct sess_limits *sess_limits(const struct sess *s);
const struct sess_limits *sess_own_limits(void);     /* what this side takes, and enforces */
bool sess_types(const struct sess *s);                /* the peer knows the frame TYPE and forms in OPEN */
bool sess_forms(const struct sess *s);                /* and the frame FORM: it can be told any form, others one of LIMIT_FRAME_FORM */
struct type_ends;
struct type_ends *sess_plain(const struct sess *s);     /* NULL, or &type_plain: of an error the peer reads code and text alone */
size_t sess_landed(const struct sess *s);            /* in a handler: bytes of the frame that are where `land` said; 0: it did not */
uint64_t sess_received(const struct sess *s);        /* numbered frames so far; in a handler: with this one */

void sess_ref(struct sess *s);
void sess_unref(struct sess *s);                     /* NULL: nothing */
bool sess_ended(const struct sess *s);
bool sess_is_down(const struct sess *s);             /* there is no link, and another one may follow */
/* For an operation that needs a session that has ended: sets the detail ("node 2 (unix:/tmp/x): the link broke: ...") and returns
 * LEAT_PEER_LOST, also after an orderly end. */
LEAT_CHECK leat_err sess_lost(struct sess *s);
const char *sess_fail_text(struct sess *s);          /* why it has ended, without the peer's name before it; valid as long as s */
/* What a peer has said, n bytes, as it may be shown to people: cut to fit, and what could play tricks on a terminal is a blank. */
void sess_show(char *to, size_t cap, const char *text, size_t n);
/* Ends the session at once: the peer gets DEAD(reason).  From any task or thread, also from a handler. */
void sess_break(struct sess *s, leat_err e, const char *fmt, ...) LEAT_PRINTF_(3, 4);
/* In the handler of a frame of that kind: what returning e from it does, but now.  For who has something to give back that the peer must
 * not hear of first: an end that goes behind this is lost with the session, and has not finished. */
void sess_refuse(struct sess *s, uint8_t kind, leat_err e);

/* -- nodes ------------------------------------------------------------------------------------------------------------------- */
LEAT_CHECK leat_err node_open(const leat_node_opts *o, const struct sess_user *const *users, leat_node **ret);   /* ends with NULL */
LEAT_CHECK leat_err node_listen_fd(leat_node *n, int fd, const char *url);   /* a socket that listens at url: n's; not on INVAL, REFUSED */
const char *node_name(const leat_node *n);
struct chan_offer;
void node_offer_id(leat_node *n, struct chan_offer *ret);             /* another at each call */
const struct keyed *node_key(const leat_node *n);    /* for tables by ids that peers choose */
struct leat_group *node_group(leat_node *n);         /* for tasks that serve n: leat_node_close cancels and awaits them */
#endif
