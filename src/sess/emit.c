/* emit.c - how elements of a site leave: straight into the session's buffer, or behind its backlog, from where the writer takes them.
 *
 * Laws (under the channel's lock)
 *  1. Elements leave in the order in which they are given: while there is a backlog, everything goes behind it.
 *  2. What was not accepted by the home and has left is at most WINDOW bytes and one element; the backlog is bounded by credits. */
#include <assert.h>
#include <string.h>
#include "base/alloc.h"
#include "base/probe.h"
#include "run/err.h"
#include "sess/emit.h"
#include "sess/home.h"
#include "sess/large.h"
#include "sess/value.h"
#include "type/codec.h"

enum {
    SMALL_PIECE = 3,
    CUT_ALONE = 60 << 10,                            /* of a frame, when nothing else waits for its turn: see cut_now */
    TAIL_MIN = 2 << 10,                              /* bytes that are not copied */
};
_Static_assert(CUT_ALONE + 1024 < LIMIT_FRAME, "with all that stands before it");
enum { FLOOD_MIN = 8 << 10, FLOOD_MAX = 64 << 10 };

/* elems: bytes of elements in it.  away: they lie in a struct large, and the pointer to that stands here */
struct piece { uint32_t len, elems; uint8_t what; bool away; } __attribute__((packed));
/* Pieces, each with its bytes behind it: whole elements, or one element that is cut when it is sent.  What is before `at` has left, and
 * `cut` bytes of the piece there.  last: a piece that grows (ELEM_WHOLE), if it is not before `at`.  large: the last element was.
 * taken: whose values are not their senders' any more, though those do not know it yet. */
struct backlog { struct buf buf; size_t at, cut, last; bool large; struct large *taken; };

bool emit_waits(const struct end *e) { return e->backlog && e->backlog->buf.len > e->backlog->at; }

/* In the middle of an element it goes on: one of any size may be under way. */
bool emit_open(const struct end *e) { return e->midway || e->sent_bytes - e->bytes < WINDOW; }

static void piece_head(struct buf *b, const struct end *e, uint8_t what, uint64_t number)
{
    buf_varint(b, e->id);
    buf_u8(b, what);
    if (what == ELEM_FIRM || what == ELEM_SOFT || what == ELEM_SELECT)
        buf_varint(b, number);
    if (what == ELEM_SELECT) {
        buf_put(b, e->offer->node, sizeof e->offer->node);
        buf_varint(b, e->offer->count);
    }
}

/* A node that closes waits for what is in a backlog, though nothing of it may be ready to go. */
static void backlog_begun(struct end *e)
{
    if (!e->holding)
        sess_hold(e->s);
    e->holding = true;
}

static size_t bytes_here(const struct piece *p) { return p->away ? sizeof(struct large *) : p->len; }

static struct large *large_of(const uint8_t *at)
{
    struct large *x;
    memcpy(&x, at, sizeof x);
    return x;
}

static void pieces_free(struct backlog *b)
{
    for (struct piece p; b->at < b->buf.len; b->at += sizeof p + bytes_here(&p)) {
        memcpy(&p, b->buf.p + b->at, sizeof p);
        if (p.away)
            lent_unref(&large_of(b->buf.p + b->at + sizeof p)->lent);
    }
}

void emit_forget(struct end *e)
{
    struct backlog *b = e->backlog;
    if (b)
        pieces_free(b);
    if (b && b->buf.cap > WINDOW)
        buf_free(&b->buf);
    if (b)
        b->buf.len = b->at = b->cut = b->last = 0;
    if (e->holding)
        sess_release(e->s);
    e->holding = false;
}

void emit_free(struct end *e)
{
    struct backlog *b = e->backlog;
    if (!b)
        return;
    assert(!b->taken);
    pieces_free(b);
    buf_free(&b->buf);
    mem_free(b);
}

/* What has left the backlog gives its room back: a sender that is never caught up with would make it grow for ever.  Moves each byte
 * at most once for every byte that has left. */
static struct buf *backlog_open(struct end *e)
{
    struct backlog *b = e->backlog;
    if (!b && !(b = e->backlog = mem_zalloc(sizeof *b)))
        return NULL;
    if (b->at < LIMIT_FRAME_CUT || b->at < b->buf.len / 2)
        return &b->buf;
    b->buf.len -= b->at;
    memmove(b->buf.p, b->buf.p + b->at, b->buf.len);
    b->last = b->last < b->at ? SIZE_MAX : b->last - b->at;
    b->at = 0;
    return &b->buf;
}

static void piece_done(struct end *e, size_t at, const struct piece *p, bool now)
{
    struct backlog *l = e->backlog;
    memcpy(l->buf.p + at, p, sizeof *p);
    l->last = SIZE_MAX;
    l->large = p->len > LIMIT_FRAME_CUT;
    backlog_begun(e);
    if (!now)
        sess_source_add(e->s, &e->bulk, LANE_DATA);
}

/* The element that was put behind the backlog, from `was` on, is part of it. */
static void put_done(struct end *e, uint8_t what, size_t was, bool now)
{
    struct backlog *l = e->backlog;
    struct piece p = { .what = what };
    p.len = p.elems = (uint32_t)(l->buf.len - was - sizeof p);
    piece_done(e, was, &p, now);
}

leat_err emit_encoded(struct end *e, const struct cur *v, uint8_t what, bool now)
{
    struct buf *b = backlog_open(e);
    if (!b)
        return leat_fail(LEAT_NOMEM, "no memory for an element of %zu bytes", cur_left(v));
    size_t was = b->len;
    buf_add(b, sizeof(struct piece));
    buf_put(b, v->p, cur_left(v));
    leat_err err = buf_err(b);
    if (err == LEAT_OK) {
        put_done(e, what, was, now);
        return LEAT_OK;
    }
    buf_undo(b, was);
    return leat_fail(err, "no room for an element of %zu bytes", cur_left(v));
}

static leat_err put_failed(const struct end *e, leat_err err)
{
    return err == LEAT_LIMIT ? leat_fail(err, "a value of %s is over %d bytes, or too deep", e->type->name, LIMIT_ELEM) : err;
}

/* One element whose bytes stay where they are, or are encoded aside.  moves: the value is given away. */
static leat_err put_large(struct end *e, uint8_t what, const void *v, bool now)
{
    struct large *x;
    struct buf *b = backlog_open(e);
    if (!b)
        return leat_fail(LEAT_NOMEM, "no memory for an element");
    leat_err err = large_new(e->type, v, (what == ELEM_PIECE ? LARGE_MOVES : 0) | (sess_plain(e->s) ? LARGE_PLAIN : 0), &x);
    if (err != LEAT_OK)
        return put_failed(e, err);
    struct piece p = { (uint32_t)x->bytes, (uint32_t)x->bytes, what, true };
    size_t was = b->len;
    buf_add(b, sizeof p);
    buf_put(b, &x, sizeof x);
    if ((err = buf_err(b)) != LEAT_OK) {
        x->type = NULL;                              /* the value stays the sender's */
        buf_undo(b, was);
        lent_unref(&x->lent);
        return leat_fail(err, "no room for an element");
    }
    piece_done(e, was, &p, now);
    if (x->type) {
        lent_ref(&x->lent);
        x->v = v;
        x->next = e->backlog->taken;
        e->backlog->taken = x;
        at_store(&e->taken, true);
    }
    return LEAT_OK;
}

bool emit_took(struct end *e, const void *v)
{
    if (likely(!at_load(&e->taken)))
        return false;
    lock(&e->c->lock);
    bool took = emit_took_locked(e, v);
    unlock(&e->c->lock);
    return took;
}

bool emit_took_locked(struct end *e, const void *v)
{
    struct large **at = e->backlog ? &e->backlog->taken : NULL, *x;
    while (at && *at && (*at)->v != v)
        at = &(*at)->next;
    if (!at || !(x = *at))
        return false;
    *at = x->next;
    at_store(&e->taken, e->backlog->taken != NULL);
    lent_unref(&x->lent);
    return true;
}

/* One element, encoded where it is to wait; if that is too much, or was with the last one, it is put aside. */
static leat_err encode_piece(struct end *e, uint8_t what, const void *v, bool now)
{
    struct buf *b = backlog_open(e);
    if (!b)
        return leat_fail(LEAT_NOMEM, "no memory for an element");
    if (e->raw > LIMIT_FRAME_CUT || (!e->raw && e->backlog->large))
        return put_large(e, what, v, now);
    size_t was = b->len;
    buf_add(b, sizeof(struct piece));
    leat_err err = buf_err(b);
    if (err == LEAT_OK) {
        buf_limit(b, b->len + LIMIT_FRAME_CUT);
        err = type_encode(e->type, v, b, sess_plain(e->s));
        buf_limit(b, 0);
    }
    if (err == LEAT_OK) {
        put_done(e, what, was, now);
        return LEAT_OK;
    }
    buf_undo(b, was);
    return err == LEAT_LIMIT ? put_large(e, what, v, now) : err;
}

/* Ends inside leave with the bytes: then all of it goes now, so that nothing of the new ends can come before them.  Those of an offer may
 * come back with it: they are kept aside until it is answered. */
static leat_err pack_piece(struct end *e, uint8_t what, const void *v, bool now)
{
    struct buf b = { .max = LIMIT_ELEM };
    struct value_out o;
    struct given *given = NULL;
    value_out_init(&o, e->s, e->c, true);
    leat_err err = value_pack(&o, e->type, v, &b);
    struct cur bytes = cur_of(b.p, b.len);
    now |= o.n > 0;
    if (err == LEAT_OK && o.n > 0 && what != ELEM_PIECE && ((err = relay_record(e)) != LEAT_OK || !(given = given_new(&o))))
        err = LEAT_NOMEM;
    if (err == LEAT_OK)
        err = emit_encoded(e, &bytes, what, now);
    buf_free(&b);
    while (err == LEAT_OK && now && emit_next(e))
        ;
    if (o.n == 0)
        return err;
    if (err != LEAT_OK) {
        given_settle(given, false);
        value_unsent(&o);
    } else if (given) {
        given_offered(given, &o);
        e->relay->given = given;
    } else {
        value_sent(&o);
    }
    return err;
}

leat_err emit_alone(struct end *e, uint8_t what, const void *v)
{
    bool now = what != ELEM_PIECE;
    if (e->ends_inside)
        return pack_piece(e, what, v, now);
    leat_err err = encode_piece(e, what, v, now);
    while (err == LEAT_OK && now && emit_next(e))
        ;
    return err;
}

/* How much of an element may be in one frame.  Where nothing else waits for its turn the writer takes as much at once anyhow, so a
 * longer frame keeps nobody waiting for longer. */
static size_t cut_now(struct end *e)
{
    if (BUGGIFY("site.small_pieces"))
        return SMALL_PIECE;
    return sess_alone(e->s) ? CUT_ALONE : LIMIT_FRAME_CUT;
}

/* What the next frame has of a piece: bytes that are copied, and then some that stay where they are. */
struct chunk { struct run_of_bytes copied, tail; struct lent *of; };

static struct chunk chunk_of(struct large *x, size_t cut, size_t most)
{
    struct chunk c = { .of = &x->lent };
    struct run_of_bytes r = large_at(x, cut);
    r.n = MIN(r.n, most);
    if (r.n >= TAIL_MIN) {
        c.tail = r;
        return c;
    }
    c.copied = r;
    if (cut + r.n == x->bytes)
        return c;
    c.tail = large_at(x, cut + r.n);
    c.tail.n = MIN(c.tail.n, most - r.n);
    if (c.tail.n < TAIL_MIN)
        c.tail.n = 0;
    return c;
}

static bool put_chunk(struct sess *s, struct buf *b, const struct chunk *c)
{
    buf_put(b, c->copied.p, c->copied.n);
    if (c->tail.n && !sess_tail(s, c->tail.p, c->tail.n, c->of)) {
        sess_abort(s);
        sess_break(s, LEAT_NOMEM, "no memory for a frame that is due");
        return false;
    }
    return sess_commit_must(s);
}

bool emit_next(struct end *e)
{
    if (!emit_waits(e))
        return false;
    struct backlog *l = e->backlog;
    struct piece p;
    memcpy(&p, l->buf.p + l->at, sizeof p);
    const uint8_t *body = l->buf.p + l->at + sizeof p;
    bool whole = p.what == ELEM_WHOLE;
    size_t left = p.len - l->cut, most = whole ? left : MIN(left, cut_now(e));
    struct chunk c = { .copied = { body + l->cut, most } };
    if (p.away)
        c = chunk_of(large_of(body), l->cut, most);
    size_t n = c.copied.n + c.tail.n;
    struct buf *b = sess_begin_in(e->s, FRAME_ELEM, n < left ? FRAME_MORE : 0, LANE_DATA);
    if (!b)
        return false;
    if (l->cut == 0 && !e->c->cap)
        e->place = sess_place(e->s);
    piece_head(b, e, p.what, e->number);
    if (!put_chunk(e->s, b, &c))
        return false;
    l->cut += n;
    e->sent_bytes += whole ? p.elems : n;
    e->midway = n < left;
    if (e->midway)
        return true;
    if (p.away)
        lent_unref(&large_of(body)->lent);
    l->at += sizeof p + bytes_here(&p);
    l->cut = 0;
    if (!emit_waits(e))
        emit_forget(e);
    return true;
}

/* -- small elements ---------------------------------------------------------------------------------------------------------- */
/* Whether the sender is to let the writer run: it has put a quarter of what the channel holds, unless that is very little, or much. */
static void flood(struct end *e, size_t n)
{
    e->put_bytes += n;
    uint64_t elems = e->sent + 1 - e->flood_sent, bytes = e->put_bytes - e->flood_bytes;
    if (likely(bytes < FLOOD_MIN || (bytes < FLOOD_MAX && elems < e->c->cap / 4)))
        return;
    e->flood_sent = e->sent + 1;
    e->flood_bytes = e->put_bytes;
    at_store(&e->flood, true);
}

static void put_raw(struct buf *b, const void *v, size_t n)
{
    buf_varint(b, n);
    uint8_t *to = buf_add(b, n);
    if (to)
        copy_short(to, v, n);
}

/* *ret over LIMIT_FRAME_CUT: it is as large, and nothing was put.  It is found out by the first bytes that are too many: b may be the
 * session's, and then nobody else sends meanwhile. */
static leat_err put_encoded(struct end *e, struct buf *b, const void *v, size_t *ret)
{
    size_t at = b->len, max = b->max, cap = b->cap;
    buf_u8(b, 0);                                    /* the length: one byte, until it shows that it takes more */
    buf_limit(b, at + 1 + LIMIT_FRAME_CUT);
    leat_err err = type_encode(e->type, v, b, sess_plain(e->s));
    b->max = max;
    b->cap = MAX(b->cap, cap);                       /* what buf_limit has hidden of it */
    *ret = SIZE_MAX;
    if (err != LEAT_OK)
        return err == LEAT_LIMIT ? LEAT_OK : err;
    size_t n = *ret = b->len - at - 1, more = n < 1 << 7 ? 0 : n < 1 << 14 ? 1 : 2;
    if (more && buf_add(b, more))
        memmove(b->p + at + 1 + more, b->p + at + 1, n);
    for (size_t i = 0; i <= more && buf_err(b) == LEAT_OK; i++)
        b->p[at + i] = (uint8_t)((n >> 7 * i & 127) | (i < more ? 128 : 0));
    return LEAT_OK;
}

/* An element with its length before it. */
static leat_err put_whole(struct end *e, struct buf *b, const void *v, size_t *n)
{
    *n = e->raw;
    if (!*n)
        return put_encoded(e, b, v, n);
    put_raw(b, v, *n);
    return LEAT_OK;
}

/* Behind the backlog, in one piece with the elements before it: where many channels send at a time, each has a frame for many elements
 * and not many frames for one.  The writer takes the pieces of all channels in turn. */
static leat_err gather(struct end *e, const void *v, bool *large)
{
    struct buf *b = backlog_open(e);
    if (!b)
        return leat_fail(LEAT_NOMEM, "no memory for an element");
    struct backlog *l = e->backlog;
    bool first = !emit_waits(e);
    size_t was = b->len, head = !first && l->last >= l->at && l->last < was && was - l->last < LIMIT_FRAME_CUT ? l->last : was, n;
    struct piece p = { .what = ELEM_WHOLE };
    if (head == was)
        buf_put(b, &p, sizeof p);
    size_t body = b->len;
    leat_err err = put_whole(e, b, v, &n);
    if (err == LEAT_OK && buf_err(b) != LEAT_OK)
        err = leat_fail(buf_err(b), "no room for an element");
    *large = n > LIMIT_FRAME_CUT;
    if (err != LEAT_OK || *large) {
        buf_undo(b, was);
        return err;
    }
    l->last = head;
    memcpy(&p, b->p + head, sizeof p);
    p.len += (uint32_t)(b->len - body);
    p.elems += (uint32_t)n;
    memcpy(b->p + head, &p, sizeof p);
    backlog_begun(e);
    if (first)                                       /* else the writer has it, or waits for a GRANT to go on */
        sess_source_add(e->s, &e->bulk, LANE_DATA);
    flood(e, n);
    return LEAT_OK;
}

/* The common case: straight into the session's buffer, behind the last element if that has not left yet. */
static leat_err emit_whole(struct end *e, const void *v, bool *large)
{
    bool fresh;
    size_t n;
    struct buf *b = sess_begin_more(e->s, FRAME_ELEM, e->id, &fresh);
    if (!b)
        return LEAT_PEER_LOST;
    if (fresh && b->len > FRAME_NUMBERED) {          /* others are about to send too */
        sess_abort(e->s);
        return gather(e, v, large);
    }
    if (fresh)
        piece_head(b, e, ELEM_WHOLE, 0);
    leat_err err = put_whole(e, b, v, &n);
    *large = n > LIMIT_FRAME_CUT;
    if (err != LEAT_OK || *large) {
        sess_abort(e->s);
        return err;
    }
    err = sess_commit(e->s);
    if (err == LEAT_OK) {
        e->sent_bytes += n;
        flood(e, n);
    }
    return err;
}

leat_err emit_elem(struct end *e, const void *v)
{
    bool large = e->ends_inside || e->raw > LIMIT_FRAME_CUT || (e->backlog && e->backlog->large);
    leat_err err = LEAT_OK;
    if (!large)
        err = emit_waits(e) || !emit_open(e) ? gather(e, v, &large) : emit_whole(e, v, &large);
    return err == LEAT_OK && large ? emit_alone(e, ELEM_PIECE, v) : err;
}
