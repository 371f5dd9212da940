/* out.c - what tasks do to send: begin, commit, sources.  See sess.h for the contracts and impl.h for the laws. */
#include <assert.h>
#include <string.h>
#include "run/err.h"
#include "sess/impl.h"

static bool is_control(uint8_t kind)
{
    switch (kind) {
    case FRAME_NEED: case FRAME_GRANT: case FRAME_NONE: case FRAME_RECALL: case FRAME_RETURN: case FRAME_CLOSE:
        return true;
    default:
        return false;
    }
}

void frame_put_header(struct buf *b, uint8_t kind, uint8_t flags)
{
    uint8_t *p = buf_add(b, kind >= FRAME_FIRST_NUMBERED ? FRAME_NUMBERED : FRAME_HEADER);
    if (!p)
        return;
    memset(p, 0, FRAME_HEADER);
    p[4] = kind;
    p[5] = flags;
    if (kind >= FRAME_FIRST_NUMBERED)
        memset(p + FRAME_HEADER, 0, FRAME_NUMBERED - FRAME_HEADER);
}

/* While the session closes, only what the writer itself asks for is still sent. */
static bool may_send(const struct sess *s)
{
    uint32_t state = at_load(&s->state);
    return state == SESS_LIVE || (state == SESS_CLOSING && at_load(&s->pulling) == task_self());
}

struct buf *sess_begin_in(struct sess *s, uint8_t kind, uint8_t flags, enum sess_lane lane)
{
    assert(kind > FRAME_BYE);
    lock(&s->out_lock);
    if (unlikely(!may_send(s))) {
        unlock(&s->out_lock);
        return NULL;
    }
    s->cur = lane == LANE_CONTROL ? &s->ctl : &s->data;
    s->cur_at = s->cur_frame = s->cur->len;
    s->cur_tail = 0;
    if (lane == LANE_DATA)
        s->last_at = SIZE_MAX;
    frame_put_header(s->cur, kind, flags);
    return s->cur;
}

struct buf *sess_begin(struct sess *s, uint8_t kind)
{
    return sess_begin_in(s, kind, 0, is_control(kind) ? LANE_CONTROL : LANE_DATA);
}

struct buf *sess_begin_more(struct sess *s, uint8_t kind, uint64_t key, bool *fresh)
{
    lock(&s->out_lock);
    if (unlikely(!may_send(s))) {
        unlock(&s->out_lock);
        return NULL;
    }
    s->cur = &s->data;
    s->cur_at = s->data.len;
    s->cur_tail = 0;
    *fresh = s->last_at == SIZE_MAX || s->last_kind != kind || s->last_key != key || s->data.len - s->last_at >= LIMIT_FRAME_CUT;
    if (*fresh) {
        s->last_at = s->cur_at;
        s->last_kind = kind;
        s->last_key = key;
        frame_put_header(s->cur, kind, 0);
    }
    s->cur_frame = s->last_at;
    return s->cur;
}

/* In one go with the frame, so that no other's comes between: one form at a time is under way.  If the frame is taken back before it is
 * committed they go with it; if later, they stand there for nothing, and the next ones replace them. */
static void put_forms(struct buf *b, struct cur form)
{
    while (cur_left(&form)) {
        size_t n = MIN(cur_left(&form), (size_t)LIMIT_FRAME_CUT), at = b->len;
        frame_put_header(b, FRAME_FORM, n < cur_left(&form) ? FRAME_MORE : 0);
        buf_put(b, form.p, n);
        form.p += n;
        if (buf_err(b) == LEAT_OK)
            buf_set_u32(b, at, (uint32_t)(b->len - at - FRAME_HEADER));
    }
}

struct buf *sess_begin_form(struct sess *s, uint8_t kind, uint8_t flags, struct cur form)
{
    struct buf *b = sess_begin_in(s, kind, flags, LANE_DATA);
    if (likely(!b || cur_left(&form) <= LIMIT_FRAME_FORM))
        return b;
    buf_undo(b, s->cur_at);
    put_forms(b, form);
    s->cur_frame = b->len;
    frame_put_header(b, kind, flags);
    return b;
}

void frame_put_form(struct buf *b, struct cur form)
{
    if (cur_left(&form) <= LIMIT_FRAME_FORM)
        buf_text(b, (const char *)form.p, cur_left(&form));
    else
        buf_text(b, "", 1);                          /* of one byte, 0: the one that went before */
}

static void take_back(struct sess *s)
{
    buf_undo(s->cur, s->cur_at);
    if (s->cur_tail)
        tails_undo(&s->tails);
    if (s->cur == &s->data && s->last_at == s->cur_at)
        s->last_at = SIZE_MAX;
    s->cur = NULL;
}

bool sess_tail(struct sess *s, const void *p, size_t n, struct lent *of)
{
    assert(s->cur == &s->data && !s->cur_tail && n);
    if (buf_err(s->cur) != LEAT_OK)
        return true;                                 /* the commit will say it */
    if (!tails_put(&s->tails, &(struct tail){ p, n, of }))
        return false;
    s->cur_tail = n;
    return true;
}

void sess_abort(struct sess *s)
{
    assert(s->cur);
    take_back(s);
    unlock(&s->out_lock);
}

/* -- what is said of a frame until it is written --------------------------------------------------------------------------- */
void sess_moment(struct sess *s, size_t at)
{
    uint16_t mark = (uint16_t)(FRAME_NUMBERED + at);
    if (!buf_err(s->cur))
        memcpy(s->cur->p + s->cur_frame + FRAME_MARK, &mark, sizeof mark);
}

uint64_t sess_place(const struct sess *s) { return s->data_pos + s->cur_frame; }

static bool is_of(const uint8_t *p, uint8_t kind, uint64_t id)
{
    struct cur c = cur_of(p + FRAME_HEADER, frame_bytes(p) - FRAME_HEADER);
    if (p[4] != kind)
        return false;
    (void)cur_part(&c, FRAME_NUMBERED - FRAME_HEADER);
    return cur_varint(&c) == id && !c.bad;
}

/* The frame at `place`, which is before the end of data.  NULL: it was written, or may be just now. */
static uint8_t *waiting_locked(struct sess *s, uint64_t place)
{
    if (place >= s->data_pos)
        return s->data.p + (place - s->data_pos);
    uint64_t base = s->wdata ? s->data_pos - s->wdata->b.len : s->data_pos;
    return place >= base + s->busy && s->wdata ? s->wdata->b.p + (place - base) : NULL;
}

/* out_lock.  They are waiting, all of them, if any is.  Those at the very end go, others are passed over by the writer. */
static void void_frames(struct sess *s, uint8_t kind, uint64_t id, uint64_t place)
{
    uint64_t end = s->data_pos + s->data.len, run = end;
    uint32_t tails = 0;                              /* of the frames from run on */
    for (bool more = true; more && place < end; ) {
        uint8_t *p = waiting_locked(s, place);
        bool is = is_of(p, kind, id);
        more = !is || p[5] & FRAME_MORE;
        run = !is ? end : MIN(run, place);
        tails = !is ? 0 : tails + frame_tailed(p);
        if (is)
            p[4] = FRAME_VOID;
        place += frame_bytes(p);
    }
    if (place == end && run >= s->data_pos && run < end) {
        buf_undo(&s->data, (size_t)(run - s->data_pos));
        while (tails--)
            tails_undo(&s->tails);
        s->last_at = SIZE_MAX;
    }
}

bool sess_take_back(struct sess *s, uint8_t kind, uint64_t id, uint64_t place)
{
    lock(&s->out_lock);
    bool here = place < s->data_pos + s->data.len, yes = !here || waiting_locked(s, place);
    if (here && yes) {
        void_frames(s, kind, id, place);
        sess_written_locked(s);
        if (at_load(&s->crowded) && at_load(&s->up) && sess_unsent_locked(s) < s->unsent_max) {
            at_store(&s->crowded, false);
            sess_wake_all(&s->room);
        }
    }
    unlock(&s->out_lock);
    return yes;
}

bool sess_unwritten(struct sess *s, uint64_t place)
{
    lock(&s->out_lock);
    bool yes = place < s->data_pos + s->data.len && waiting_locked(s, place);
    unlock(&s->out_lock);
    return yes;
}

leat_err sess_commit(struct sess *s)
{
    struct task *wake = NULL;
    struct buf *b = s->cur;
    assert(b);
    leat_err e = buf_err(b);
    size_t len = b->len - s->cur_frame - FRAME_HEADER + s->cur_tail;
    if (unlikely(e == LEAT_OK && len > LIMIT_FRAME))
        e = LEAT_LIMIT;
    if (unlikely(e != LEAT_OK)) {
        take_back(s);
        unlock(&s->out_lock);
        return e == LEAT_LIMIT ? leat_fail(e, "a frame of %zu bytes; at most %d", len, LIMIT_FRAME) : err_of(e);
    }
    buf_set_u32(b, s->cur_frame, (uint32_t)(len - s->cur_tail));
    if (s->cur_tail)
        memset(b->p + s->cur_frame + FRAME_MARK, 0xff, 2);           /* FRAME_TAILED */
    s->cur = NULL;
    if (unlikely(sess_unsent_locked(s) >= s->unsent_max))
        at_store(&s->crowded, true);
    sess_writer_wake_locked(s, &wake);
    unlock(&s->out_lock);
    sess_writer_ready(wake);
    return LEAT_OK;
}

bool sess_commit_must(struct sess *s)
{
    leat_err e = sess_commit(s);
    if (unlikely(e != LEAT_OK))
        sess_break(s, e, "no memory for a frame that is due");
    return e == LEAT_OK;
}

size_t sess_owed_max = LIMIT_SESS_OWED;

/* out_lock is held.  false: it is too much. */
static bool owe_locked(struct sess *s, size_t n)
{
    size_t owed = at_load(&s->owed) + n;
    at_store(&s->owed, owed);
    return owed + s->owed_taken <= sess_owed_max;
}

static void owes_too_much(struct sess *s)
{
    sess_break(s, LEAT_LIMIT, "it asks, and does not take the answers: over %zu bytes of them wait", sess_owed_max);
}

bool sess_commit_answer(struct sess *s)
{
    bool fine = owe_locked(s, s->cur->len - s->cur_at), good = sess_commit_must(s);
    if (good && unlikely(!fine))
        owes_too_much(s);
    return good;
}

void sess_owe(struct sess *s, size_t n)
{
    lock(&s->out_lock);
    bool fine = owe_locked(s, n);
    unlock(&s->out_lock);
    if (!fine)
        owes_too_much(s);
}

bool sess_owes_much(const struct sess *s) { return at_load(&s->owed) > LIMIT_SESS_UNSENT; }

void sess_source_add(struct sess *s, struct sess_source *x, enum sess_lane lane)
{
    struct task *wake = NULL;
    lock(&s->out_lock);
    if (!x->queued && at_load(&s->state) != SESS_ENDED) {
        struct source_queue *q = &s->sources[lane];
        x->ops->ref(x);
        x->queued = true;
        x->next = NULL;
        if (q->tail)
            q->tail->next = x;
        else
            q->head = x;
        q->tail = x;
        sess_writer_wake_locked(s, &wake);
    }
    unlock(&s->out_lock);
    sess_writer_ready(wake);
}

bool sess_alone(struct sess *s)
{
    lock(&s->out_lock);
    bool alone = !s->sources[LANE_DATA].head;
    unlock(&s->out_lock);
    return alone;
}

void sess_hold(struct sess *s)
{
    lock(&s->out_lock);
    s->holds++;
    unlock(&s->out_lock);
}

void sess_release(struct sess *s)
{
    struct task *wake = NULL;
    lock(&s->out_lock);
    assert(s->holds);
    if (--s->holds == 0)
        sess_writer_wake_locked(s, &wake);
    unlock(&s->out_lock);
    sess_writer_ready(wake);
}

leat_err sess_wait_room(struct sess *s)
{
    while (at_load(&s->crowded) || at_load(&s->state) != SESS_LIVE) {
        lock(&s->out_lock);
        bool room = at_load(&s->up) && sess_unsent_locked(s) < s->unsent_max, live = at_load(&s->state) == SESS_LIVE;
        if (room || !live) {
            unlock(&s->out_lock);
            return live ? LEAT_OK : sess_lost(s);
        }
        LEAT_TRY(sess_wait_on(s, &s->room));
    }
    return LEAT_OK;
}
