/* writer.c - the writer task: the only one that writes to the link.
 *
 * A round: the control frames of the moment and at most a slice of the data that waits go out in one system call; then control is
 * looked at again, so it never waits for more than a slice.  Sources are asked when there is room for what they have.  The writer
 * is made ready behind the tasks that are ready already (task_ready_last), so it finds all they have committed. */
#include <stdio.h>
#include <string.h>
#include "base/probe.h"
#include "sess/impl.h"

enum {
    SLICE = 128 << 10,                               /* bytes of data in one system call, and up to a frame more */
    PULL_DATA = 64 << 10,                            /* sources are asked until so much waits */
    PULL_CONTROL = 512,                              /* sources of control frames asked in one round */
    KEEP = 256 << 10,                                /* a larger buffer is given back when it is empty */
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

static void pull(struct sess *s)
{
    int most = BUGGIFY("sess.pull_one") ? 1 : PULL_CONTROL;
    for (int i = 0; i < most && source_pull(s, LANE_CONTROL); i++)
        ;
    for (;;) {
        lock(&s->out_lock);
        bool room = s->data.len + s->wdata.len - s->wdata_at < PULL_DATA && s->sources[LANE_DATA].head;
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

static void put_dead(struct sess *s, struct buf *b)
{
    size_t at = b->len, n = strlen(s->fail);
    frame_put_header(b, FRAME_DEAD, 0);
    buf_u8(b, s->dead_err);
    buf_text(b, s->fail, MIN(n, (size_t)LIMIT_REASON));
    buf_set_u32(b, at, (uint32_t)(b->len - at - FRAME_HEADER));
}

/* What the session itself has to say.  out_lock is held. */
static void put_own(struct sess *s)
{
    uint64_t ack = at_load(&s->received);
    if (s->ping_due)
        put_short(&s->wctl, FRAME_PING, ack);
    if (s->pong_due)
        put_short(&s->wctl, FRAME_PONG, ack);
    if (s->ack_due)
        put_short(&s->wctl, FRAME_ACK, ack);
    if (s->ping_due || s->pong_due || s->ack_due)
        at_store(&s->acked, ack);
    s->ping_due = s->pong_due = s->ack_due = false;
}

static bool has_work(struct sess *s)
{
    return s->ping_due || s->pong_due || s->ack_due || s->ctl.len || s->data.len || s->wdata_at < s->wdata.len ||
        s->sources[0].head || s->sources[1].head;
}

enum round { ROUND_WRITE, ROUND_WAIT, ROUND_BYE, ROUND_DEAD };       /* BYE, DEAD: write what is there, then leave */

/* Takes what is to be written now into wctl and wdata. */
static enum round round_take(struct sess *s)
{
    enum round r = ROUND_WRITE;
    lock(&s->out_lock);
    uint32_t state = at_load(&s->state);
    if (state >= SESS_BROKEN) {
        s->wdata_at = s->wdata.len;
        if (s->dead_due)
            put_dead(s, &s->wctl);
        r = ROUND_DEAD;
    } else if (has_work(s)) {
        put_own(s);
        if (s->ctl.len) {
            buf_put(&s->wctl, s->ctl.p, s->ctl.len);
            buf_reset(&s->ctl);
        }
        if (s->wdata_at == s->wdata.len && s->data.len) {
            struct buf empty = s->wdata;
            s->wdata = s->data;
            s->data = empty;
            buf_reset(&s->data);
            s->owed_taken = at_load(&s->owed);
            at_store(&s->owed, 0);
            s->wdata_at = 0;
            s->last_at = SIZE_MAX;
        }
        s->unwritten = s->wdata.len - s->wdata_at;
    } else if (state == SESS_CLOSING && (!s->holds || s->bye_got)) {
        put_short(&s->wctl, FRAME_BYE, 0);
        r = ROUND_BYE;
    } else {
        struct task *t = task_self();
        s->writer = t;
        at_store(&t->park, PARK_WAIT);
        r = ROUND_WAIT;
    }
    unlock_fence(&s->out_lock);
    return r;
}

/* Gives the numbered ones among the frames at p their numbers.  Returns how many bytes make whole frames, at least `want` if any. */
static size_t number(struct sess *s, uint8_t *p, size_t len, size_t want)
{
    uint64_t ack = le64(at_load(&s->received));
    size_t at = 0;
    bool any = false;
    while (at < len && at < want) {
        uint32_t n;
        memcpy(&n, p + at, sizeof n);
        if (p[at + 4] >= FRAME_FIRST_NUMBERED) {
            uint64_t k = le64(++s->sent);
            memcpy(p + at + FRAME_HEADER, &k, sizeof k);
            memcpy(p + at + FRAME_HEADER + sizeof k, &ack, sizeof ack);
            any = true;
        }
        at += FRAME_HEADER + le32(n);
    }
    if (any)
        at_store(&s->acked, le64(ack));
    return at;
}

static leat_err round_write(struct sess *s)
{
    struct iovec v[2];
    int n = 0;
    if (buf_err(&s->wctl) != LEAT_OK)
        return leat_fail(LEAT_NOMEM, "no memory for a control frame");
    if (s->wctl.len)
        v[n++] = (struct iovec){ s->wctl.p, number(s, s->wctl.p, s->wctl.len, s->wctl.len) };
    if (s->wdata_at < s->wdata.len) {
        size_t k = number(s, s->wdata.p + s->wdata_at, s->wdata.len - s->wdata_at,
            BUGGIFY("sess.write_one_frame") ? 1 : SLICE);
        v[n++] = (struct iovec){ s->wdata.p + s->wdata_at, k };
        s->wdata_at += k;
    }
    leat_err e = n ? link_writev(s->link, v, n) : LEAT_OK;
    at_store(&s->rounds, at_load(&s->rounds) + 1);
    buf_reset(&s->wctl);
    if (s->wdata_at == s->wdata.len) {
        s->wdata_at = 0;
        if (s->wdata.cap > KEEP)
            buf_free(&s->wdata);
        buf_reset(&s->wdata);
    }
    lock(&s->out_lock);
    s->unwritten = s->wdata.len - s->wdata_at;
    if (!s->unwritten)
        s->owed_taken = 0;
    if (at_load(&s->crowded) && s->data.len + s->unwritten < LIMIT_SESS_UNSENT) {
        at_store(&s->crowded, false);
        sess_wake_all(&s->room);
    }
    unlock(&s->out_lock);
    return e;
}

/* The link takes no more.  Its other side may have said why before it went: that is the reader's to find. */
static void write_failed(struct sess *s, leat_err e)
{
    char text[FAIL_MAX];
    snprintf(text, sizeof text, "%s: the link broke: %s", s->text, leat_err_detail());
    if (e == LEAT_CLOSED)                            /* what it had said before can still be read */
        return;
    lock(&s->out_lock);
    (void)sess_fail_locked(s, text);
    unlock(&s->out_lock);
    link_shutdown(s->link);
}

static void writer_leave(struct sess *s, bool bye)
{
    lock(&s->out_lock);
    s->writer_left = true;
    s->bye_sent |= bye;
    bool shut = at_load(&s->state) == SESS_BROKEN && !s->reader_left;
    sess_wake_all(&s->enders);
    unlock(&s->out_lock);
    if (shut)
        link_shutdown(s->link);                      /* the reader leaves too */
    sess_unref(s);
}

leat_err sess_write(struct sess **arg)
{
    struct sess *s = *arg;
    struct task *t = task_self();
    at_store(&t->deadline, NEVER);                   /* not that of whoever dialed */
    for (;;) {
        for (int i = 0; i < 8 && BUGGIFY("sess.writer_late"); i++)
            leat_yield();
        if (at_load_acq(&s->state) < SESS_BROKEN)
            pull(s);
        enum round r = round_take(s);
        if (r == ROUND_WAIT) {
            if (task_wait(t) != PARK_CHAN) {
                lock(&s->out_lock);
                s->writer = NULL;
                unlock(&s->out_lock);
                if (leat_ctx_err() != LEAT_OK) {     /* the node is going away without us */
                    sess_break(s, LEAT_CANCELED, "the node was closed");
                    continue;
                }
            }
            continue;
        }
        leat_err e = round_write(s);
        if (e != LEAT_OK)
            write_failed(s, e);
        if (e != LEAT_OK || r != ROUND_WRITE) {
            writer_leave(s, r == ROUND_BYE && e == LEAT_OK);
            return LEAT_OK;
        }
    }
}
