/* writer.c - the writer task: the only one that writes to the link.
 *
 * A round: the control frames of the moment and at most a slice of the data that waits go out in one system call; then control is
 * looked at again, so it never waits for more than a slice.  Sources are asked when there is room for what they have.  The writer
 * is made ready behind the tasks that are ready already (task_ready_last), so it finds all they have committed. */
#include <stdio.h>
#include <string.h>
#include "base/probe.h"
#include "run/seam.h"
#include "sess/impl.h"

enum {
    SLICE = 128 << 10,                               /* bytes of data in one system call, and up to a frame more */
    PULL_DATA = 64 << 10,                            /* sources are asked until so much waits */
    LINGER_MS = 500,
    PIECES = 20,                                     /* of memory in one system call */
    PULL_CONTROL = 512,                              /* sources of control frames asked in one round */
};

void sess_writer_wake_locked(struct sess *s, struct task **ret)
{
    struct task *t = s->writer;
    if (t) {
        s->writer = NULL;
        if (task_claim(t, PARK_CHAN))
            *ret = t;
    }
}

void sess_writer_ready(struct task *t)
{
    if (t)
        task_ready_last(worker_self(), t);
}

/* -- sources ---------------------------------------------------------------------------------------------------------------- */
static struct sess_source *source_take(struct sess *s, enum sess_lane lane)
{
    struct source_queue *q = &s->sources[lane];
    lock(&s->out_lock);
    struct sess_source *x = q->head;
    if (x) {
        q->head = x->next;
        if (!q->head)
            q->tail = NULL;
        x->queued = false;
    }
    unlock(&s->out_lock);
    return x;
}

/* One frame of the next source.  false: there is none. */
static bool source_pull(struct sess *s, enum sess_lane lane)
{
    struct sess_source *x = source_take(s, lane);
    if (!x)
        return false;
    at_store(&s->pulling, task_self());
    bool more = x->ops->pull(x, s);
    at_store(&s->pulling, NULL);
    if (more)
        sess_source_add(s, x, lane);                 /* behind the others */
    x->ops->unref(x);
    return true;
}

/* Numbered frames may be written now.  What was written before goes first; and without an acknowledgement so much and no more. */
static bool open_for_new(const struct sess *s)
{
    return at_load(&s->up) && !s->mute && !s->again_from && !s->repeating && s->ring.bytes < s->ring_max;
}

static size_t wdata_left(const struct sess *s) { return s->wdata ? s->wdata->b.len - s->wdata_at : 0; }
static size_t wtails_left(const struct sess *s) { return s->wdata ? s->wdata->tails.bytes : 0; }

static void pull(struct sess *s)
{
    lock(&s->out_lock);
    bool go = open_for_new(s);
    unlock(&s->out_lock);
    int most = BUGGIFY("sess.pull_one") ? 1 : PULL_CONTROL;
    for (int i = 0; go && i < most && source_pull(s, LANE_CONTROL); i++)
        ;
    while (go) {
        lock(&s->out_lock);
        bool room = s->data.len + s->tails.bytes + wdata_left(s) + wtails_left(s) < PULL_DATA && s->sources[LANE_DATA].head;
        unlock(&s->out_lock);
        if (!room || !source_pull(s, LANE_DATA))
            return;
    }
}

/* state is ENDED: pull finds that nothing can be sent. */
void sess_sources_end(struct sess *s)
{
    for (int lane = 0; lane < 2; lane++)
        for (struct sess_source *x; (x = source_take(s, (enum sess_lane)lane)); x->ops->unref(x))
            (void)x->ops->pull(x, s);
}

/* -- a round ---------------------------------------------------------------------------------------------------------------- */
static void put_short(struct buf *b, uint8_t kind, uint64_t ack)
{
    size_t at = b->len;
    frame_put_header(b, kind, 0);
    if (kind < FRAME_FIRST_NUMBERED)
        buf_u64(b, ack);
    buf_set_u32(b, at, (uint32_t)(b->len - at - FRAME_HEADER));
}

/* The answer is to acknowledge all that was written before; while the ring is written once more, nobody knows what that is. */
static void put_ping(struct sess *s, uint64_t ack)
{
    put_short(&s->wctl, FRAME_PING, ack);
    if (!s->asked.sent && !s->repeating && at_load(&s->taken) < at_load(&s->sent)) {
        s->asked.sent = at_load(&s->sent);
        s->asked.taken = at_load(&s->taken);
        s->asked.pings = s->pings;
        s->asked.ns = leat_now().ns;
    }
    s->pings++;
}

/* What the session itself has to say.  out_lock is held. */
static void put_own(struct sess *s)
{
    uint64_t ack = at_load(&s->received);
    if ((s->ping_due || s->pong_due) && s->rested != at_load(&s->sent)) {            /* one side has been silent for long */
        s->rested = at_load(&s->sent);
        replay_rest(&s->ring);
    }
    if (s->ping_due)
        put_ping(s, ack);
    if (s->pong_due)
        put_short(&s->wctl, FRAME_PONG, ack);
    if (s->ack_due)
        put_short(&s->wctl, FRAME_ACK, ack);
    if (s->done_due) {
        uint8_t room[DEAD_MAX];
        buf_put(&s->wctl, room, hello_put_dead(room, LEAT_OK, ""));
    }
    if (s->ping_due || s->pong_due || s->ack_due)
        at_store(&s->acked, ack);
    s->ping_due = s->pong_due = s->ack_due = s->done_due = false;
}

/* WRITE what was taken; WAIT for something to do; LAST: write what was taken, a DEAD, and leave; LEAVE. */
enum round { ROUND_WRITE, ROUND_WAIT, ROUND_LAST, ROUND_LEAVE };

/* A new link: first what the peer does not have of what it was sent. */
static void repeat_locked(struct sess *s)
{
    if (!s->again_from)
        return;
    replay_ack(&s->ring, s->again_from - 1);
    s->again = replay_from(&s->ring, s->again_from);
    s->again_from = 0;
    s->repeating = s->ring.n > 0;
}

/* The peer acknowledges when it has much, or has something to say.  Where the ring is full that may be never: it is asked, once for each
 * answer.  out_lock is held. */
static void ask_when_full(struct sess *s)
{
    if (s->ring.bytes < s->ring_max || s->full_asked == s->pongs + 1)
        return;
    s->full_asked = s->pongs + 1;
    s->ping_due = true;
}

/* What is new, with the control frames first.  false: no memory. */
static bool take_new_locked(struct sess *s)
{
    if (s->ctl.len) {
        buf_put(&s->wctl, s->ctl.p, s->ctl.len);
        s->ctl_pos += s->ctl.len;
        buf_reset(&s->ctl);
    }
    if (!s->wdata && s->data.len) {
        if (!(s->wdata = replay_block(&s->ring)))
            return false;
        struct buf empty = s->wdata->b;
        struct tails none = s->wdata->tails;
        s->wdata->b = s->data;
        s->wdata->tails = s->tails;
        s->data_pos += s->data.len;
        s->data = empty;
        s->tails = none;
        s->owed_taken = at_load(&s->owed);
        at_store(&s->owed, 0);
        s->wdata_at = 0;
        s->last_at = SIZE_MAX;
    }
    bool last = !s->wctl.len && !s->wdata && !s->sources[0].head && !s->sources[1].head;
    if (last && !s->bye_taken && at_load(&s->state) == SESS_CLOSING && (!s->holds || s->bye_got)) {
        put_short(&s->wctl, FRAME_BYE, 0);
        s->bye_taken = true;
    }
    return true;
}

/* What is to be written: the first `own` bytes of wctl have no numbers; fresh: the rest of it, and of wdata, may go. */
struct turn { size_t own; bool fresh; };

/* Takes what is to be written now into wctl and wdata. */
static enum round round_take(struct sess *s, struct turn *t)
{
    enum round r = ROUND_WRITE;
    bool memory = true;
    lock(&s->out_lock);
    bool link = at_load(&s->up) && !s->mute, broken = at_load(&s->state) >= SESS_BROKEN, live = link && !broken;
    if (broken && link && s->dead_due) {
        r = ROUND_LAST;
    } else if (live) {
        repeat_locked(s);
        ask_when_full(s);
        put_own(s);
    }
    t->own = s->wctl.len;
    t->fresh = live && open_for_new(s);
    if (t->fresh)
        memory = take_new_locked(s);
    bool some = s->wctl.len || buf_err(&s->wctl) != LEAT_OK || (live && s->repeating) || (t->fresh && wdata_left(s));
    s->unwritten = wdata_left(s);
    s->untailed = wtails_left(s);
    s->busy = s->wdata_at + (t->fresh ? SLICE + FRAME_HEADER + LIMIT_FRAME : 0);
    if (!some && r != ROUND_LAST)
        r = broken || s->reader_left ? ROUND_LEAVE : ROUND_WAIT;
    if (r == ROUND_WAIT && t->fresh && (s->sources[0].head || s->sources[1].head))
        r = ROUND_WRITE;                             /* they came meanwhile: ask them */
    if (r == ROUND_WAIT) {
        s->writer = task_self();
        at_store(&s->writer->park, PARK_WAIT);
    }
    s->writing = r == ROUND_WRITE || r == ROUND_LAST;
    unlock_fence(&s->out_lock);
    if (!memory)
        sess_break(s, LEAT_NOMEM, "no memory to send");
    return r;
}

/* Its tail becomes part of the frame. */
static struct tail tail_of(struct sess *s, uint8_t *f)
{
    struct tail t = tails_take(&s->wdata->tails);
    uint32_t len = le32((uint32_t)(frame_bytes(f) - FRAME_HEADER + t.len));
    memcpy(f, &len, sizeof len);
    memset(f + FRAME_MARK, 0, sizeof(uint16_t));
    return t;
}

/* Gives the numbered ones among the frames at p their numbers: whole frames, at least `want` bytes if there are so many before one that was
 * taken back, or up to the first that has a tail. */
static struct replay_part number(struct sess *s, uint8_t *p, size_t len, size_t want)
{
    uint64_t ack = le64(at_load(&s->received)), sent = at_load(&s->sent);
    struct replay_part part = { .p = p, .first = sent + 1 };
    while (part.len < len && part.len < want && !part.tail.of) {
        uint8_t *f = p + part.len;
        if (unlikely(f[4] == FRAME_VOID))
            break;
        if (f[4] >= FRAME_FIRST_NUMBERED) {
            uint64_t k = le64(++sent);
            memcpy(f + FRAME_HEADER, &k, sizeof k);
            memcpy(f + FRAME_HEADER + sizeof k, &ack, sizeof ack);
            part.frames++;
        }
        part.len += frame_bytes(f);
        if (frame_tailed(f))
            part.tail = tail_of(s, f);
        part.moments |= frame_mark(f) != 0;
    }
    at_store(&s->sent, sent);
    if (part.frames)
        at_store(&s->acked, le64(ack));
    return part;
}

/* What one call writes: pieces of memory. */
struct pieces { struct iovec v[PIECES]; int n; };

static void piece_add(struct pieces *x, const void *p, size_t n)
{
    if (n)
        x->v[x->n++] = (struct iovec){ (void *)(uintptr_t)p, n };
}

/* The moments in frames become the time that remains. */
static void moments_out(uint8_t *p, size_t len)
{
    int64_t now = rt_now(task_self()->rt);
    for (uint8_t *f = p; f < p + len; f += frame_bytes(f)) {
        uint16_t mark = frame_mark(f);
        uint64_t at;
        if (!mark)
            continue;
        memcpy(&at, f + mark, sizeof at);
        int64_t left = (int64_t)le64(at) - now;
        at = le64(left > 0 ? (uint64_t)left : 0);
        memcpy(f + mark, &at, sizeof at);
        memset(f + FRAME_MARK, 0, sizeof mark);
    }
}

static bool has_moments(const uint8_t *p, size_t len)
{
    const uint8_t *f = p;
    while (f < p + len && !frame_mark(f))
        f += frame_bytes(f);
    return f < p + len;
}

/* Some of the ring once more, as it is to be written.  In the ring moments stay what they are, so such frames go out as a copy. */
static leat_err repeat(struct sess *s, struct pieces *x)
{
    struct replay_part part;
    size_t k = replay_next(&s->ring, &s->again, BUGGIFY("sess.write_one_frame") ? 1 : SLICE, &part);
    s->repeating = k > 0;
    if (!k)
        return LEAT_OK;
    if (!has_moments(part.p, part.len)) {
        piece_add(x, part.p, part.len);
        piece_add(x, part.tail.p, part.tail.len);
        return LEAT_OK;
    }
    size_t own = s->wctl.len;
    buf_put(&s->wctl, part.p, part.len);
    if (buf_err(&s->wctl) != LEAT_OK)
        return leat_fail(LEAT_NOMEM, "no memory to send again");
    moments_out(s->wctl.p + own, part.len);
    x->n = 0;
    piece_add(x, s->wctl.p, s->wctl.len);
    piece_add(x, part.tail.p, part.tail.len);
    return LEAT_OK;
}

/* The next of what was taken, with numbers: at most `most` bytes and a frame, of which some, taken back, are passed over. */
static struct replay_part next_part(struct sess *s, size_t most)
{
    struct buf *b = &s->wdata->b;
    size_t from = s->wdata_at;
    while (wdata_left(s) && s->wdata_at - from < most && b->p[s->wdata_at + 4] == FRAME_VOID) {
        if (frame_tailed(b->p + s->wdata_at))
            lent_unref(tails_take(&s->wdata->tails).of);
        s->wdata_at += frame_bytes(b->p + s->wdata_at);
    }
    struct replay_part d = number(s, b->p + s->wdata_at, wdata_left(s), most - MIN(s->wdata_at - from, most));
    s->wdata_at += d.len;
    return d;
}

/* What was numbered stays until it is acknowledged.  Where it says moments, the ring has a copy that goes on saying them. */
static leat_err keep(struct sess *s, const struct replay_part *d)
{
    bool copied = d->moments || d->len < REPLAY_SMALL;
    if (d->frames && replay_room(&s->ring, copied ? d->len : 0) != LEAT_OK) {
        lent_unref(d->tail.of);
        return leat_fail(LEAT_NOMEM, "no memory to keep what is sent");
    }
    if (copied)
        replay_copy(&s->ring, d);
    else
        replay_keep(&s->ring, s->wdata, d);
    if (d->moments)
        moments_out(d->p, d->len);
    return LEAT_OK;
}

/* A slice of what was taken, and at most a frame more: as much, with what is passed over, as s->busy says. */
static leat_err new_data(struct sess *s, struct pieces *x)
{
    size_t slice = BUGGIFY("sess.write_one_frame") ? 1 : SLICE, from = s->wdata_at, tails = 0, done;
    while (wdata_left(s) && (done = s->wdata_at - from + tails) < slice && x->n + 2 <= PIECES) {
        struct replay_part d = next_part(s, slice - done);
        piece_add(x, d.p, d.len);
        piece_add(x, d.tail.p, d.tail.len);
        tails += d.tail.len;
        LEAT_TRY(keep(s, &d));
    }
    return LEAT_OK;
}

static leat_err new_frames(struct sess *s, size_t own, struct pieces *x)
{
    struct replay_part c = { .len = 0 };
    size_t ctl = s->wctl.len - own;
    if (ctl && replay_room(&s->ring, ctl) != LEAT_OK)
        return leat_fail(LEAT_NOMEM, "no memory to keep what is sent");
    if (ctl)
        c = number(s, s->wctl.p + own, ctl, ctl);
    if (s->bye_taken)
        at_store_rel(&s->bye_sent, true);            /* before the peer can answer it */
    piece_add(x, s->wctl.p, s->wctl.len);
    replay_copy(&s->ring, &c);
    return new_data(s, x);
}

static leat_err round_write(struct sess *s, const struct turn *t)
{
    struct pieces x;
    x.n = 0;
    leat_err e = buf_err(&s->wctl);
    if (e != LEAT_OK)
        e = leat_fail(LEAT_NOMEM, "no memory for a control frame");
    else if (t->fresh)
        e = new_frames(s, t->own, &x);
    else
        piece_add(&x, s->wctl.p, t->own);
    if (e == LEAT_OK && s->repeating && !t->fresh)
        e = repeat(s, &x);
    if (e != LEAT_OK) {
        sess_break(s, e, "%s", leat_err_detail());
        return LEAT_OK;
    }
    return x.n ? link_writev(s->link, x.v, x.n) : LEAT_OK;
}

/* After a round: what was written is the ring's. */
static void round_end(struct sess *s)
{
    at_store(&s->kept, s->ring.bytes);
    lock(&s->out_lock);
    buf_reset(&s->wctl);
    if (s->wdata && !wdata_left(s)) {
        replay_block_put(&s->ring, s->wdata);
        s->wdata = NULL;
        s->wdata_at = s->owed_taken = 0;
    }
    s->writing = false;
    s->unwritten = wdata_left(s);
    s->untailed = wtails_left(s);
    s->busy = s->wdata_at;
    s->ctl_out = s->ctl_pos;
    sess_written_locked(s);
    if (at_load(&s->crowded) && at_load(&s->up) && sess_unsent_locked(s) < s->unsent_max) {
        at_store(&s->crowded, false);
        sess_wake_all(&s->room);
    }
    if (!at_load(&s->up))
        sess_wake_all(&s->enders);                   /* the reader, which waits to drop the link */
    unlock(&s->out_lock);
}

/* The link takes no more.  Its other side may have said why before it went: that is the reader's to find. */
static void write_failed(struct sess *s, leat_err e)
{
    const char *why = leat_err_detail();
    if (e == LEAT_CANCELED) {
        sess_break(s, e, "the node was closed");     /* it is going away without us */
        return;
    }
    lock(&s->out_lock);
    if (e == LEAT_CLOSED || e == LEAT_PEER_LOST || e == LEAT_SYS)
        s->mute = at_load(&s->up);
    else
        sess_link_broke_locked(s, why);
    unlock(&s->out_lock);
}

/* After a DEAD: the other side is to read it and go.  Only if it does not, soon, is the link shut under the reader. */
static void wait_reader(struct sess *s)
{
    struct shield sh;
    leat_err e = LEAT_OK;
    shield_begin(&sh, LEAT_MS(LINGER_MS));
    lock(&s->out_lock);
    while (!s->reader_left && e == LEAT_OK) {
        e = sess_wait_on(s, &s->enders);
        lock(&s->out_lock);
    }
    unlock(&s->out_lock);
    shield_end(&sh);
}

static void writer_leave(struct sess *s)
{
    lock(&s->out_lock);
    s->writer_left = true;
    sess_wake_all(&s->enders);
    if (at_load(&s->state) == SESS_BROKEN && !s->reader_left && s->link)
        link_shutdown(s->link);                      /* the reader leaves too */
    unlock(&s->out_lock);
    sess_unref(s);
}

leat_err sess_write(struct sess **arg)
{
    struct sess *s = *arg;
    struct task *t = task_self();
    enum round r;
    struct turn turn;
    at_store(&t->deadline, NEVER);                   /* not that of whoever dialed */
    do {
        for (int i = 0; i < 8 && BUGGIFY("sess.writer_late"); i++)
            leat_yield();
        replay_ack(&s->ring, at_load(&s->taken));
        if (at_load_acq(&s->state) < SESS_BROKEN)
            pull(s);
        r = round_take(s, &turn);
        if (r == ROUND_WAIT) {
            if (task_wait(t) == PARK_CHAN)
                continue;
            lock(&s->out_lock);
            s->writer = NULL;
            unlock(&s->out_lock);
            if (leat_ctx_err() != LEAT_OK)
                write_failed(s, LEAT_CANCELED);
        } else if (r == ROUND_LAST) {                /* whatever became of memory */
            uint8_t room[DEAD_MAX];
            struct iovec v = { room, hello_put_dead(room, (leat_err)s->dead_err, s->fail) };
            leat_ignore(link_writev(s->link, &v, 1));
            round_end(s);
            wait_reader(s);
        } else if (r != ROUND_LEAVE) {
            leat_err e = round_write(s, &turn);
            if (e != LEAT_OK)
                write_failed(s, e);
            round_end(s);
        }
    } while (r == ROUND_WRITE || r == ROUND_WAIT);
    writer_leave(s);
    return LEAT_OK;
}
