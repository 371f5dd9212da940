/* reader.c - the reader task: handles what arrives, notices silence, and brings the session to its end.
 *
 * Silence: the time limit of a read is `idle`; then the writer is to send PING, and the next read has the limit `patience`.  Any
 * byte is life.  PING goes before data, and no answer waits for a buffer: a PONG that is due is one flag.
 * The end: the reader leaves its loop because the peer has said BYE, or because the session is broken.  Then it waits for the writer
 * (for a last DEAD only a little), shuts the link, tells the users, and wakes who waits for the end. */
#include <stdio.h>
#include <string.h>
#include "base/alloc.h"
#include "base/probe.h"
#include "run/err.h"
#include "sess/impl.h"

enum {
    INBOX_MIN = 4 << 10, INBOX_BUSY = 64 << 10, INBOX_MAX = 128 << 10,
    TURN = 16 << 10,                                 /* bytes of frames after which others get a turn */
    ACK_EVERY = 1024, LINGER_MS = 500, LAST_WORD_MS = 1000,
};
_Static_assert(INBOX_MAX >= LIMIT_FRAME + FRAME_HEADER, "a frame must fit");

/* Grows only when it is full of what has arrived, or was: a stream is then read in few large pieces, of which little is moved. */
static leat_err inbox_room(struct inbox *in)
{
    if (in->at) {
        memmove(in->p, in->p + in->at, in->len - in->at);
        in->len -= in->at;
        in->at = 0;
    }
    if (in->len < in->cap && !(in->full && in->cap < INBOX_BUSY))
        return LEAT_OK;
    if (in->cap >= INBOX_MAX)
        return leat_fail(LEAT_LIMIT, "a frame of more than %d bytes", INBOX_MAX);
    uint32_t cap = in->cap ? in->cap * 2 : INBOX_MIN;
    uint8_t *p = mem_realloc(in->p, cap);
    if (!p)
        return leat_fail(LEAT_NOMEM, "no memory to receive");
    in->p = p;
    in->cap = cap;
    return LEAT_OK;
}

leat_err inbox_fill(struct inbox *in, struct link *l)
{
    size_t n;
    LEAT_TRY(inbox_room(in));
    LEAT_TRY(link_read(l, in->p + in->len, BUGGIFY("sess.read_one_byte") ? 1 : in->cap - in->len, &n));
    in->len += (uint32_t)n;
    in->full = in->len == in->cap;
    return LEAT_OK;
}

static void poke(struct sess *s, bool *due)
{
    struct task *wake = NULL;
    lock(&s->out_lock);
    *due = true;
    sess_writer_wake_locked(s, &wake);
    unlock(&s->out_lock);
    sess_writer_ready(wake);
}

/* Reads some more; asks a silent peer whether it lives. */
static leat_err read_more(struct sess *s)
{
    const leat_node_opts *o = &s->node->opts;
    struct task *t = task_self();
    leat_err e = LEAT_OK;
    for (int asked = 0; asked < 2; asked++) {
        leat_dur idle = BUGGIFY("sess.ping_early") ? LEAT_MS(1) : o->idle;
        at_store(&t->deadline, leat_time_add(leat_now(), asked ? o->patience : idle).ns);
        e = inbox_fill(&s->in, s->link);
        at_store(&t->deadline, NEVER);
        if (e != LEAT_DEADLINE || at_load_acq(&s->state) >= SESS_BROKEN)
            return e;
        if (!asked)
            poke(s, &s->ping_due);
        SOMETIMES("sess.silence_asked", NULL);
    }
    SOMETIMES("sess.silence_noticed", "silence");
    double heard = (double)node_silence(s->node).ns / 1e9;
    return leat_fail(LEAT_DEADLINE, "nothing was heard for %g s", heard);
}

/* -- one frame -------------------------------------------------------------------------------------------------------------- */
static leat_err on_bye(struct sess *s)
{
    struct task *wake = NULL;
    lock(&s->out_lock);
    s->bye_got = true;
    sess_writer_wake_locked(s, &wake);
    unlock(&s->out_lock);
    sess_writer_ready(wake);
    sess_close_begin(s);
    return LEAT_OK;
}

static leat_err on_dead(struct sess *s, struct cur *in)
{
    char text[FAIL_MAX];
    size_t n;
    uint8_t err = cur_u8(in);
    const char *p = cur_text(in, &n);
    if (in->bad)
        p = "", n = 0;
    int k = snprintf(text, sizeof text, "%s: it ended the session: ", s->text);
    sess_show(text + k, sizeof text - (size_t)k, p, n);
    (void)err;
    lock(&s->out_lock);
    (void)sess_fail_locked(s, text);
    unlock(&s->out_lock);
    return LEAT_PEER_LOST;
}

static leat_err on_own(struct sess *s, uint8_t kind, struct cur *in)
{
    switch (kind) {
    case FRAME_PING:
        poke(s, &s->pong_due);
        return LEAT_OK;
    case FRAME_PONG: case FRAME_ACK:
        return LEAT_OK;
    case FRAME_BYE:
        return on_bye(s);
    case FRAME_DEAD:
        return on_dead(s, in);
    default:
        return leat_fail(LEAT_INVAL, "a frame of the kind %s in the middle of a session", frame_name(kind) ? frame_name(kind) : "?");
    }
}

static leat_err refuse(struct sess *s, leat_err e, uint8_t kind, const char *what)
{
    char unknown[8];
    const char *name = frame_name(kind);
    if (!name) {
        snprintf(unknown, sizeof unknown, "0x%02x", kind);
        name = unknown;
    }
    sess_break(s, e, "a bad %s frame: %s", name, what);
    return e;
}

/* The fields of a whole frame. */
static leat_err frame_in(struct sess *s, uint8_t kind, uint8_t flags, struct cur in)
{
    if (kind >= FRAME_FIRST_NUMBERED) {
        uint64_t k = cur_u64(&in), have = at_load(&s->received);
        (void)cur_u64(&in);                          /* ack: nothing is kept to be sent again */
        if (in.bad || k > have + 1)
            return refuse(s, LEAT_INVAL, kind, in.bad ? "it is too short" : "frames before it are missing");
        if (k <= have)
            return LEAT_OK;
        if (s->bye_got)
            return refuse(s, LEAT_INVAL, kind, "it came after BYE");
        at_store(&s->received, k);
        if (k - at_load(&s->acked) >= ACK_EVERY)
            poke(s, &s->ack_due);
    }
    sess_handler *fn = s->node->handlers[kind];
    if (!fn && (kind > FRAME_BYE || !frame_name(kind)))
        return refuse(s, LEAT_INVAL, kind, "this version does not know that kind");
    leat_err e = fn ? fn(s, flags, &in) : on_own(s, kind, &in);
    if (e != LEAT_OK && at_load_acq(&s->state) < SESS_BROKEN)
        return refuse(s, e, kind, leat_err_detail());
    return e;
}

/* All whole frames in the inbox.  OK: the rest is the beginning of one.  After some bytes those get a turn for whom they were, and the
 * writer with what they have to say to it (credits): else the other side would stand still until all is done. */
static leat_err frames_in(struct sess *s)
{
    struct inbox *in = &s->in;
    uint32_t turn = in->at;
    while (in->len - in->at >= FRAME_HEADER) {
        const uint8_t *p = in->p + in->at;
        struct cur c = cur_of(p, in->len - in->at);
        uint32_t len = cur_u32(&c);
        uint8_t kind = cur_u8(&c), flags = cur_u8(&c);
        uint16_t zero = cur_u16(&c);
        if (len > LIMIT_FRAME) {
            char text[80];
            snprintf(text, sizeof text, "it has %u bytes; at most %d", len, LIMIT_FRAME);
            return refuse(s, LEAT_LIMIT, kind, text);
        }
        if (zero)
            return refuse(s, LEAT_INVAL, kind, "its header is wrong");
        if (cur_left(&c) < len)
            return LEAT_OK;
        in->at += FRAME_HEADER + len;
        LEAT_TRY(frame_in(s, kind, flags, cur_of(p + FRAME_HEADER, len)));
        if (in->at - turn >= TURN) {
            turn = in->at;
            leat_yield();
        }
        if (unlikely(at_load(&s->state) >= SESS_BROKEN))
            return LEAT_PEER_LOST;
    }
    return LEAT_OK;
}

/* -- the end ---------------------------------------------------------------------------------------------------------------- */
static void read_failed(struct sess *s, leat_err e)
{
    const char *detail = leat_err_detail();
    bool half = s->in.len > s->in.at;
    if (e == LEAT_CANCELED) {
        sess_break(s, e, "the node was closed");
    } else if (e == LEAT_DEADLINE) {
        sess_break(s, e, "%s", detail);
    } else {
        char text[FAIL_MAX];
        if (e == LEAT_CLOSED)
            detail = half ? "the other side was gone in the middle of a frame" : "the other side is gone";
        snprintf(text, sizeof text, "%s: the link broke: %s", s->text, detail);
        lock(&s->out_lock);
        (void)sess_fail_locked(s, text);
        unlock(&s->out_lock);
    }
}

static void wait_writer(struct sess *s, leat_dur limit)
{
    struct shield sh;
    leat_err e = LEAT_OK;
    shield_begin(&sh, limit);
    while (e == LEAT_OK) {
        lock(&s->out_lock);
        if (s->writer_left) {
            unlock(&s->out_lock);
            break;
        }
        e = sess_wait_on(s, &s->enders);
    }
    shield_end(&sh);
}

/* What this side had promised to send is sent however long it takes, if only the link takes some of it now and then. */
static void wait_flushed(struct sess *s)
{
    uint64_t was;
    bool left;
    do {
        was = at_load(&s->rounds);
        wait_writer(s, node_silence(s->node));
        lock(&s->out_lock);
        left = s->writer_left;
        unlock(&s->out_lock);
    } while (!left && at_load(&s->rounds) != was && at_load_acq(&s->state) < SESS_BROKEN);
}

/* Closing a socket with bytes unread may destroy what was written last: so the other side goes first, if it does so soon. */
static void linger(struct sess *s)
{
    struct shield sh;
    leat_time began = leat_now();                    /* who goes on and on never lets a read wait for its deadline */
    shield_begin(&sh, LEAT_MS(LINGER_MS));
    for (leat_err e = LEAT_OK; e == LEAT_OK && leat_since(began).ns < LINGER_MS * 1000000; s->in.at = s->in.len)
        e = inbox_fill(&s->in, s->link);
    shield_end(&sh);
}

static void tell_end(struct sess *s)
{
    lock(&s->out_lock);
    bool orderly = at_load(&s->state) == SESS_CLOSING && s->bye_got && s->bye_sent;
    s->result = orderly ? LEAT_OK : LEAT_PEER_LOST;
    if (orderly)
        SOMETIMES("sess.closed", NULL);
    else
        SOMETIMES("sess.lost", "crash");
    if (orderly)
        snprintf(s->fail, sizeof s->fail, "the session was closed");
    else if (!s->fail[0])
        snprintf(s->fail, sizeof s->fail, "%s: the link broke while the session was being closed", s->text);
    at_store_rel(&s->state, SESS_ENDED);
    unlock(&s->out_lock);
    sess_sources_end(s);
    for (const struct sess_user *const *u = s->node->users; *u; u++)
        if ((*u)->end)
            (*u)->end(s, s->result);
    node_sess_ended(s);
    lock(&s->out_lock);
    sess_wake_all(&s->enders);
    unlock(&s->out_lock);
}

static void finish(struct sess *s)
{
    struct task *wake = NULL;
    lock(&s->out_lock);
    s->reader_left = true;
    bool broken = at_load(&s->state) >= SESS_BROKEN, dead_due = s->dead_due;
    sess_writer_wake_locked(s, &wake);
    unlock(&s->out_lock);
    sess_writer_ready(wake);
    if (broken)
        wait_writer(s, LEAT_MS(LAST_WORD_MS));
    else
        wait_flushed(s);
    if (dead_due)
        linger(s);
    link_shutdown(s->link);
    wait_writer(s, LEAT_S(3600));
    tell_end(s);
    sess_unref(s);
}

void sess_read(struct sess *s)
{
    leat_err e = LEAT_OK;
    at_store(&task_self()->deadline, NEVER);         /* not that of whoever dialed */
    while (e == LEAT_OK && at_load_acq(&s->state) < SESS_BROKEN) {
        e = frames_in(s);
        if (e != LEAT_OK || s->bye_got)
            break;                                   /* after the peer's BYE all that is still to come is ours to send */
        e = read_more(s);
        if (e != LEAT_OK)
            read_failed(s, e);
    }
    finish(s);
}
