/* reader.c - the reader task: handles what arrives, notices silence, goes from link to link, and brings the session to its end.
 *
 * Silence: the time limit of a read is `idle`; then the writer is to send PING, and the next read has the limit `patience`.  Any
 * byte is life.  PING goes before data, and no answer waits for a buffer: a PONG that is due is one flag.
 * The end: the reader leaves its loop because both sides have said BYE and know it, or because the session is broken.  Then it waits
 * for the writer's last word (an ACK, a DEAD) a little, shuts the link, tells the users, and wakes who waits for the end. */
#include <stdio.h>
#include <string.h>
#include "base/alloc.h"
#include "base/probe.h"
#include "run/err.h"
#include "sess/impl.h"

enum {
    INBOX_MIN = 4 << 10, INBOX_BUSY = 64 << 10, INBOX_MAX = 128 << 10,
    TURN = 16 << 10,                                 /* bytes of frames after which others get a turn */
    ACK_EVERY = 1024, ACK_BYTES = 512 << 10,         /* frames, and bytes of frames, after which they are acknowledged */
    LAND_MIN = 4 << 10,                              /* bytes that are worth to be read to where they stay */
    LAND_AHEAD = 64,                                 /* bytes read beyond them: the beginning of the next frame */
    LINGER_MS = 500, LAST_WORD_MS = 1000,
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

/* At most so many bytes. */
static leat_err inbox_read(struct inbox *in, struct link *l, size_t most)
{
    size_t n, room;
    LEAT_TRY(inbox_room(in));
    room = in->cap - in->len;
    LEAT_TRY(link_read(l, in->p + in->len, BUGGIFY("sess.read_one_byte") ? 1 : MIN(room, most), &n));
    in->len += (uint32_t)n;
    in->full = in->len == in->cap;
    return LEAT_OK;
}

leat_err inbox_fill(struct inbox *in, struct link *l) { return inbox_read(in, l, SIZE_MAX); }

/* -- where a frame's bytes go ------------------------------------------------------------------------------------------------ */
/* The rest of the frame to where it stays, and a little of the next one to the inbox: what is read there has to be copied. */
static leat_err land_fill(struct sess *s)
{
    struct landing *x = &s->land;
    struct inbox *in = &s->in;
    size_t n, rest = x->n - x->have;
    LEAT_TRY(inbox_room(in));
    struct iovec v[2] = { { x->to + x->have, rest }, { in->p + in->len, MIN(in->cap - in->len, (uint32_t)LAND_AHEAD) } };
    if (BUGGIFY("sess.land_one_byte"))
        v[0].iov_len = 1;
    LEAT_TRY(v[0].iov_len == rest ? link_readv(s->link, v, 2, &n) : link_read(s->link, v[0].iov_base, v[0].iov_len, &n));
    x->have += (uint32_t)MIN(n, rest);
    in->len += (uint32_t)(n - MIN(n, rest));
    return LEAT_OK;
}

/* What comes next from the link. */
static leat_err fill(struct sess *s)
{
    if (s->land.n)
        return land_fill(s);
    return inbox_read(&s->in, s->link, s->land.more ? LAND_AHEAD : SIZE_MAX);
}

/* A frame has begun to come.  Where it is the next one, and long, its user may know where it is to stay. */
static void land_begin(struct sess *s, uint32_t len)
{
    struct inbox *in = &s->in;
    const uint8_t *p = in->p + in->at;
    struct cur c = cur_of(p + FRAME_HEADER, in->len - in->at - FRAME_HEADER);
    s->land.more &= in->len - in->at < LAND_AHEAD;
    if (p[4] != FRAME_ELEM || !s->node->land || len - cur_left(&c) < LAND_MIN)
        return;
    uint64_t number = cur_u64(&c);
    cur_u64(&c);
    size_t left = len - (FRAME_NUMBERED - FRAME_HEADER);
    if (c.bad || number != at_load(&s->received) + 1)
        return;
    uint8_t *to = s->node->land(s, &c, &left);
    if (!to)
        return;
    uint32_t came = (uint32_t)cur_left(&c);
    memcpy(to, c.p, came);
    in->len -= came;
    s->land = (struct landing){ .to = to, .head = in->len - in->at, .n = (uint32_t)left, .have = came };
}

void sess_inbox_reset(struct sess *s)
{
    s->in.at = s->in.len = 0;
    if (s->land.n)
        (void)s->node->land(s, NULL, NULL);
    s->land = (struct landing){ .n = 0 };
}

static void poke(struct sess *s, bool *due)          /* due NULL: there is room in the ring */
{
    struct task *wake = NULL;
    lock(&s->out_lock);
    if (due)
        *due = true;
    sess_writer_wake_locked(s, &wake);
    unlock(&s->out_lock);
    sess_writer_ready(wake);
}

/* What was written is kept until it is acknowledged.  So who talks is asked, too, and who was asked answers, or acknowledges some of it. */
static leat_err look_at_acks(struct sess *s, leat_time now)
{
    struct task *wake = NULL;
    bool late = false;
    if (likely(now.ns < s->ask_at))
        return LEAT_OK;
    s->ask_at = now.ns + node_silence(s->node).ns;
    lock(&s->out_lock);
    uint64_t taken = at_load(&s->taken);
    if (s->asked.sent && taken > s->asked.taken)
        s->asked.sent = 0;
    if (taken < at_load(&s->sent) && at_load(&s->up)) {
        late = s->asked.sent && now.ns - s->asked.ns >= (int64_t)LIMIT_SESS_UNACKED_S * 1000000000;
        s->ping_due = true;
        sess_writer_wake_locked(s, &wake);
    }
    unlock(&s->out_lock);
    sess_writer_ready(wake);
    if (!late)
        return LEAT_OK;
    sess_break(s, LEAT_DEADLINE, "it talks, and for %d s it has acknowledged nothing that it was sent", LIMIT_SESS_UNACKED_S);
    return LEAT_DEADLINE;
}

/* Reads some more; asks a silent peer whether it lives. */
static leat_err read_more(struct sess *s)
{
    const leat_node_opts *o = &s->node->opts;
    struct task *t = task_self();
    leat_err e = LEAT_OK;
    for (int asked = 0; asked < 2; asked++) {
        leat_dur idle = BUGGIFY("sess.ping_early") ? LEAT_MS(1) : o->idle;
        leat_time now = leat_now();
        LEAT_TRY(look_at_acks(s, now));
        at_store(&t->deadline, leat_time_add(now, asked ? o->patience : idle).ns);
        e = fill(s);
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
    s->ack_due |= s->bye_taken;                      /* else BYE itself will say it */
    sess_writer_wake_locked(s, &wake);
    unlock(&s->out_lock);
    sess_writer_ready(wake);
    sess_close_begin(s, false);
    return LEAT_OK;
}

/* The peer has all up to n.  false: it cannot. */
static bool ack_in(struct sess *s, uint64_t n)
{
    if (n <= at_load(&s->taken))
        return true;
    if (n > at_load(&s->sent))
        return false;
    at_store(&s->taken, n);
    return true;
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
    lock(&s->out_lock);
    s->done_there = err == LEAT_OK && sess_done_locked(s);
    if (!s->done_there)
        (void)sess_fail_locked(s, text);
    unlock(&s->out_lock);
    return s->done_there ? LEAT_OK : LEAT_PEER_LOST;
}

/* More PONGs than PINGs that were written before the one that asked: this one, or the one before it, answers that. */
static leat_err on_pong(struct sess *s)
{
    lock(&s->out_lock);
    s->pongs++;
    if (at_load(&s->taken) >= s->asked.sent)
        s->asked.sent = 0;
    bool bad = s->asked.sent && s->pongs - s->pongs_before > s->asked.pings + 1;
    uint64_t lacks = s->asked.sent - at_load(&s->taken);
    sess_wake_all(&s->flushers);
    unlock(&s->out_lock);
    return bad ? leat_fail(LEAT_INVAL, "it does not acknowledge %llu frames that came before the PING",
        (unsigned long long)lacks) : LEAT_OK;
}

static leat_err on_own(struct sess *s, uint8_t kind, struct cur *in)
{
    switch (kind) {
    case FRAME_PING: case FRAME_PONG: case FRAME_ACK:
        if (!ack_in(s, cur_u64(in)) || in->bad)
            return leat_fail(LEAT_INVAL, in->bad ? "it is too short" : "it acknowledges what was not sent");
        if (kind == FRAME_PONG)
            LEAT_TRY(on_pong(s));
        if (kind == FRAME_PING || at_load(&s->kept))
            poke(s, kind == FRAME_PING ? &s->pong_due : NULL);
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

void sess_refuse(struct sess *s, uint8_t kind, leat_err e) { (void)refuse(s, e, kind, leat_err_detail()); }

/* What is missing comes again on another link. */
static leat_err gap(struct sess *s, uint8_t kind)
{
    if (s->grace.ns <= 0)
        return refuse(s, LEAT_INVAL, kind, "frames before it are missing");
    lock(&s->out_lock);
    sess_link_broke_locked(s, "frames were missing");
    unlock(&s->out_lock);
    return LEAT_AGAIN;
}

/* number and ack.  OK: it is the next one.  CLOSED: it was here before. */
static leat_err numbered_in(struct sess *s, uint8_t kind, struct cur *in)
{
    size_t bytes = cur_left(in) + s->land.n;
    uint64_t k = cur_u64(in), ack = cur_u64(in), have = at_load(&s->received), acked = at_load(&s->acked);
    if (in->bad)
        return refuse(s, LEAT_INVAL, kind, "it is too short");
    if (k > have + 1)
        return gap(s, kind);
    if (!ack_in(s, ack))
        return refuse(s, LEAT_INVAL, kind, "it acknowledges what was not sent");
    if (unlikely(at_load(&s->kept) >= s->ring_max))
        poke(s, NULL);
    if (k <= have) {
        SOMETIMES("sess.duplicate", "sess.asks_again");
        return LEAT_CLOSED;
    }
    if (s->bye_got)
        return refuse(s, LEAT_INVAL, kind, "it came after BYE");
    at_store(&s->received, k);
    if (s->ack_seen != acked) {
        s->ack_seen = acked;
        s->ack_bytes = 0;
    }
    s->ack_bytes += bytes;
    if (unlikely(k - acked >= ACK_EVERY || s->ack_bytes >= ACK_BYTES)) {
        if (!BUGGIFY("sess.ack_late")) {
            s->ack_bytes = 0;
            poke(s, &s->ack_due);
        }
    }
    return LEAT_OK;
}

/* The fields of a whole frame. */
static leat_err frame_in(struct sess *s, uint8_t kind, uint8_t flags, struct cur in)
{
    if (kind >= FRAME_FIRST_NUMBERED) {
        leat_err e = numbered_in(s, kind, &in);
        if (unlikely(e != LEAT_OK))
            return e == LEAT_CLOSED ? LEAT_OK : e;
    }
    sess_handler *fn = s->node->handlers[kind];
    if (!fn && (kind > FRAME_BYE || !frame_name(kind)))
        return refuse(s, LEAT_INVAL, kind, "this version does not know that kind");
    leat_err e = fn ? fn(s, flags, &in) : on_own(s, kind, &in);
    if (e != LEAT_OK && at_load_acq(&s->state) < SESS_BROKEN)
        return refuse(s, e, kind, leat_err_detail());
    return e;
}

/* The next frame, if it is whole.  *took: the bytes it had, 0: it is not. */
static leat_err next_frame(struct sess *s, uint32_t *took)
{
    struct inbox *in = &s->in;
    const uint8_t *p = in->p + in->at;
    struct cur c = cur_of(p, in->len - in->at);
    uint32_t len = cur_u32(&c), here;
    uint8_t kind = cur_u8(&c), flags = cur_u8(&c);
    uint16_t zero = cur_u16(&c);
    if (len > LIMIT_FRAME) {
        char text[80];
        snprintf(text, sizeof text, "it has %u bytes; at most %d", len, LIMIT_FRAME);
        return refuse(s, LEAT_LIMIT, kind, text);
    }
    if (zero)
        return refuse(s, LEAT_INVAL, kind, "its header is wrong");
    *took = 0;
    here = FRAME_HEADER + len - s->land.n;
    if (s->land.have < s->land.n)
        return LEAT_OK;
    if (in->len - in->at < here) {
        land_begin(s, len);
        return LEAT_OK;
    }
    in->at += here;
    *took = FRAME_HEADER + len;
    leat_err err = frame_in(s, kind, flags, cur_of(p + FRAME_HEADER, here - FRAME_HEADER));
    s->land = (struct landing){ .more = s->land.n && flags & FRAME_MORE };
    return err;
}

/* All whole frames in the inbox.  OK: the rest is the beginning of one.  After some bytes those get a turn for whom they were, and the
 * writer with what they have to say to it (credits): else the other side would stand still until all is done. */
static leat_err frames_in(struct sess *s)
{
    struct inbox *in = &s->in;
    uint32_t turn = 0, took = 0;
    while (in->len - in->at >= FRAME_HEADER) {
        LEAT_TRY(next_frame(s, &took));
        if (!took)
            return LEAT_OK;
        turn += took;
        if (turn >= TURN) {
            turn = 0;
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
    char why[FAIL_MAX];
    bool half = s->in.len > s->in.at;
    snprintf(why, sizeof why, "%s", leat_err_detail());
    if (e == LEAT_CLOSED)
        snprintf(why, sizeof why, half ? "the other side was gone in the middle of a frame" : "the other side is gone");
    if (e == LEAT_CANCELED) {
        sess_break(s, e, "the node was closed");
        return;
    }
    if (e == LEAT_DEADLINE && s->grace.ns <= 0) {
        sess_break(s, e, "%s", why);
        return;
    }
    lock(&s->out_lock);
    sess_link_broke_locked(s, why);
    unlock(&s->out_lock);
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
    bool orderly = at_load(&s->state) == SESS_CLOSING && s->bye_got && at_load_acq(&s->bye_sent);
    s->result = orderly ? LEAT_OK : LEAT_PEER_LOST;
    if (orderly)
        SOMETIMES("sess.closed", NULL);
    else
        SOMETIMES("sess.lost", "crash");
    if (orderly)
        snprintf(s->fail, sizeof s->fail, "the session was closed");
    at_store_rel(&s->state, SESS_ENDED);
    struct link *l = s->link;
    struct greeting *g = s->next_link;
    s->link = NULL;
    s->next_link = NULL;
    unlock(&s->out_lock);
    link_close(l);
    if (g)
        greeting_done(g);
    mem_free(g);
    sess_sources_end(s);
    for (const struct sess_user *const *u = s->node->users; *u; u++)
        if ((*u)->end)
            (*u)->end(s, s->result);
    sess_tally(s, orderly);
    sess_let_go(s);
    sess_tell(s, LEAT_PEER_ENDED, 0);
    node_sess_ended(s);
    lock(&s->out_lock);
    sess_wake_all(&s->enders);
    unlock(&s->out_lock);
}

static void finish(struct sess *s)
{
    struct task *wake = NULL;
    lock(&s->out_lock);
    s->reader_left = s->ack_due = true;
    bool dead_due = s->dead_due && at_load(&s->up);
    struct link *l = s->link;
    sess_writer_wake_locked(s, &wake);
    sess_wake_all(&s->enders);
    unlock(&s->out_lock);
    sess_writer_ready(wake);
    wait_writer(s, LEAT_MS(LAST_WORD_MS));
    if (dead_due)
        linger(s);
    if (l)
        link_shutdown(l);                            /* only this task changes it */
    wait_writer(s, LEAT_S(3600));
    tell_end(s);
    sess_unref(s);
}

/* Whether this side is done.  Then it says so, on each link, and waits for the same word from the peer: for the peer may have missed that
 * its own last frames have arrived, and is to learn it while there is somebody to ask. */
static bool done(struct sess *s)
{
    struct task *wake = NULL;
    if (!s->bye_got)
        return false;
    lock(&s->out_lock);
    bool yes = sess_done_locked(s);
    if (yes && !s->done_said) {
        s->done_said = s->done_due = s->ack_due = true;
        sess_writer_wake_locked(s, &wake);
    }
    unlock(&s->out_lock);
    sess_writer_ready(wake);
    if (yes && !s->done_until)
        s->done_until = leat_time_add(leat_now(), node_silence(s->node)).ns;
    return yes;
}

/* [blocks] for the peer's last word.  CLOSED: no longer. */
static leat_err read_last(struct sess *s)
{
    struct task *t = task_self();
    at_store(&t->deadline, s->done_until);
    leat_err e = inbox_fill(&s->in, s->link);
    at_store(&t->deadline, NEVER);
    return e;
}

void sess_read(struct sess *s)
{
    at_store(&task_self()->deadline, NEVER);         /* not that of whoever dialed */
    while (at_load_acq(&s->state) < SESS_BROKEN && !s->done_there) {
        if (!at_load(&s->up) && sess_next_link(s) != LEAT_OK)
            break;
        leat_err e = frames_in(s);
        bool last = done(s);
        if (e != LEAT_OK || s->done_there)
            continue;                                /* broken, or another link: the state says it */
        e = last ? read_last(s) : read_more(s);
        if ((e == LEAT_DEADLINE && last) || at_load_acq(&s->state) >= SESS_BROKEN)
            break;
        if (e != LEAT_OK)
            read_failed(s, e);
    }
    finish(s);
}
