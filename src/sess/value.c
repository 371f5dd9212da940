/* value.c - ends of channels inside values: how they move.  See value.h.
 *
 * A send end that moves leaves an end of the channel's home behind; its record makes a site on the other side.  A receive end takes
 * the home with it: the channel here becomes a site that holds all credits, and what was queued in it is sent first (queued.c).  A send
 * end of a site that goes back to its home is that home's channel again.  A send end that goes on to a third node makes its site here a
 * relay (relay.c).  The channels of a value are locked by trylock only, so no order among channels is needed. */
#include "sess/value.h"
#include "base/alloc.h"
#include "sess/home.h"
#include "type/bridge.h"

enum { REC_RX = 1, REC_BACK = 2, REC_WAY = 4, REC_ALL = 7, TYPES_SEEN = 64, LOCK_TRIES = 64 };

/* -- which types ------------------------------------------------------------------------------------------------------------- */
struct seen { const leat_type *at[TYPES_SEEN]; uint32_t n; };

static bool has_ends(struct seen *seen, const leat_type *t)
{
    for (uint32_t i = 0; i < seen->n; i++)
        if (seen->at[i] == t)
            return false;
    if (seen->n == TYPES_SEEN)
        return true;                                 /* perhaps: then it goes the longer way */
    seen->at[seen->n++] = t;
    for (uint32_t i = 0; t->kind != LEAT_K_ENUM_ && i < t->count; i++) {
        const leat_field *f = type_field(t, i);
        if (f->kind == LEAT_K_TX_ || f->kind == LEAT_K_RX_ || (f->type && f->kind != LEAT_K_ENUM_ && has_ends(seen, f->type)))
            return true;
    }
    return false;
}

bool value_has_ends(const leat_type *t)
{
    struct seen seen = { .n = 0 };
    return has_ends(&seen, t);
}

/* -- out --------------------------------------------------------------------------------------------------------------------- */
struct ends_out { struct type_ends ops; struct value_out *o; };

static void unlock_moving(struct moving *m)
{
    if (m->locked)
        unlock(&m->c->lock);
    m->locked = false;
}

/* The other side of this end is the session's peer: it knows the channel as its own. */
static leat_err put_site(struct value_out *o, struct moving *m, bool is_rx, const leat_type *elem)
{
    struct end *e = (struct end *)(void *)m->c->net;
    if (is_rx)
        return leat_fail(LEAT_INVAL, "a receive end that is not here any more");
    if (e->s == o->s && !e->dead) {
        m->back = true;
        m->e = e;
        return LEAT_OK;
    }
    LEAT_TRY(relay_way(e, sess_text(o->s)));
    LEAT_TRY(relay_make_locked(m->c));
    return end_new(o->s, 0, m->c, elem, false, &m->e);
}

static leat_err put_rx(struct value_out *o, struct moving *m, uint64_t id, const leat_type *elem)
{
    m->rx = true;
    LEAT_TRY(relay_may_leave(m->c, node_name(sess_node(o->s))));
    LEAT_TRY(end_new(o->s, id, m->c, elem, true, &m->e));
    LEAT_TRY(queued_pack(o, m, elem));
    return relay_prepare(m->e);
}

static void undo_moving(struct moving *m)
{
    queued_undo(m->q);
    m->q = NULL;
    if (m->e && !m->back) {
        end_out(m->e);
        end_unref(m->e);                             /* the channel itself is the value's, so it stays */
    }
    m->e = NULL;
}

/* Its receive end moves, too.  If the other side has heard of that before, the channel is its own by then.  Else this end is as one that
 * was given away while the channel was here: its way is through here, where a relay will be. */
static leat_err put_twin(struct value_out *o, struct moving *m, const struct queued *rx, const leat_type *elem)
{
    m->back = queued_before(o, rx);
    if (m->back) {
        m->e = rx->of->e;
        return LEAT_OK;
    }
    LEAT_TRY(home_make_locked(m->c, elem));
    LEAT_TRY(relay_prepare(rx->of->e));
    return end_new(o->s, 0, m->c, elem, false, &m->e);
}

static leat_err put_moving(struct value_out *o, struct moving *m, bool is_rx, const leat_type *elem)
{
    const struct queued *rx = m->locked ? NULL : queued_of(o, m->c);
    if (at_load(&m->c->site))
        return put_site(o, m, is_rx, elem);
    if (rx && is_rx)
        return leat_fail(LEAT_REFUSED, "a receive end cannot move twice at once");
    if (rx)
        return put_twin(o, m, rx, elem);
    if (is_rx)
        return put_rx(o, m, 0, elem);
    LEAT_TRY(home_make_locked(m->c, elem));
    return end_new(o->s, 0, m->c, elem, false, &m->e);
}

static leat_err put_record(const struct moving *m, const leat_type *elem, struct buf *out)
{
    struct type_print print;
    const struct end *way = !m->back && at_load(&m->c->site) ? (const struct end *)(const void *)m->c->net : NULL;   /* not m->e */
    buf_u8(out, (uint8_t)((m->rx ? REC_RX : 0) | (m->back ? REC_BACK : 0) | (way || m->rx ? REC_WAY : 0)));
    buf_varint(out, m->e->id);
    LEAT_TRY(type_print(elem, &print));
    buf_put(out, print.b, sizeof print.b);
    if (!m->back) {
        buf_u32(out, m->c->cap);
        buf_varint(out, m->q ? m->q->n : 0);
    }
    if (m->rx)
        relay_left_out(m->c, node_name(sess_node(m->e->s)), out);
    else if (way)
        relay_path_out(way, out);
    return buf_err(out);
}

/* Whether c's lock is held by this packing already, or is now.  *mine: now. */
static bool lock_moving(const struct value_out *o, leat_chan_ *c, bool *mine)
{
    *mine = c != o->all->held && chan_trylock(c);
    if (*mine || c == o->all->held || queued_has(o, c))
        return true;
    for (int i = 0; i < LOCK_TRIES && !*mine; i++) {
        cpu_pause();
        *mine = chan_trylock(c);
    }
    return *mine;
}

static leat_err put_end(struct type_ends *self, leat_chan_ *c, int is_rx, const leat_type *elem, struct buf *out)
{
    struct value_out *o = ((struct ends_out *)self)->o;
    bool mine;
    if (o->n == VALUE_ENDS)
        return leat_fail(LEAT_LIMIT, "more than %d ends of channels in one value", VALUE_ENDS);
    if (o->in && o->all->nested++ == LIMIT_MOVED_ENDS)
        return leat_fail(LEAT_LIMIT, "a receive end cannot move while more than %d ends of channels are queued in it", LIMIT_MOVED_ENDS);
    if (!lock_moving(o, c, &mine))
        return LEAT_AGAIN;
    struct moving *m = &o->at[o->n];
    *m = (struct moving){ .c = c, .locked = mine };
    leat_err err = put_moving(o, m, is_rx, elem);
    if (err == LEAT_OK && (err = put_record(m, elem, out)) == LEAT_OK) {
        o->n++;
        return err;
    }
    undo_moving(m);
    unlock_moving(m);
    return err;
}

static void undo_last(struct value_out *o)
{
    struct moving *m = &o->at[--o->n];
    undo_moving(m);
    unlock_moving(m);
}

static void undo_ends(struct type_ends *self, size_t count)
{
    struct value_out *o = ((struct ends_out *)self)->o;
    while (count-- && o->n)
        undo_last(o);
}

leat_err value_pack(struct value_out *o, const leat_type *t, const void *v, struct buf *out)
{
    struct ends_out ends = { .ops = { .put = put_end, .undo = undo_ends, .plain = sess_plain(o->s) != NULL }, .o = o };
    o->n = 0;
    if (!o->in)
        o->own.nested = 0;
    return type_encode(t, v, out, &ends.ops);
}

leat_err value_pack_rx(struct value_out *o, uint64_t id, const leat_type *elem, leat_chan_ *c)
{
    struct moving *m = &o->at[0];
    *m = (struct moving){ .c = c };
    leat_err err = put_rx(o, m, id, elem);
    if (err != LEAT_OK)
        undo_moving(m);
    o->n = err == LEAT_OK;
    return err;
}

leat_err value_pack_left(struct value_out *o, struct end *e, struct queued *q)
{
    struct moving *m = &o->at[0];
    *m = (struct moving){ .c = e->c, .e = e, .q = q, .rx = true };
    o->own.nested = 0;
    leat_err err = queued_pack(o, m, e->type);
    o->n = err != LEAT_AGAIN;
    if (err == LEAT_AGAIN)
        queued_reset(q);
    return err;
}

void value_leaves(struct value_out *o)
{
    for (uint32_t i = 0; i < o->n; i++) {
        struct moving *m = &o->at[i];
        if (m->rx) {
            site_from_local_locked(m->e, m->q);
            queued_sent(m->q);
        } else if (!m->back) {
            home_join_locked(m->e);
        }
        if (!m->rx && !m->back && o->moves && m->c->senders)
            m->c->senders--;                         /* the owner that goes may be one of several, of which others have finished */
    }
}

void value_sent(struct value_out *o)
{
    value_leaves(o);
    value_let_go(o);
}

void value_let_go(struct value_out *o)
{
    for (uint32_t i = o->n; i-- > 0; ) {
        queued_let_go(o->at[i].q);
        unlock_moving(&o->at[i]);
    }
    o->n = 0;
}

void value_unsent(struct value_out *o)
{
    while (o->n)
        undo_last(o);
}

static void site_refused(struct end *e)
{
    uint8_t why = LEAT_GONE;
    struct cur in = cur_of(&why, 1);
    lock(&e->c->lock);
    bool over = e->sealed || e->dead;
    e->refused = true;                               /* part of the value may have been joined: then the peer says so too */
    unlock(&e->c->lock);
    if (!over)
        (void)site_on(e, FRAME_SEAL, &in);
}

void value_refused(struct sess *s, const uint64_t *ids, uint32_t n)
{
    struct cur none = { 0 };
    for (uint32_t i = 0; i < n; i++) {
        struct end *e = end_find(s, ids[i]);
        if (e && e->site)
            site_refused(e);
        else if (e)
            (void)home_on(e, FRAME_DROP, &none);
        end_unref(e);
    }
}

/* -- in ---------------------------------------------------------------------------------------------------------------------- */
struct ends_in { struct type_ends ops; struct sess *s; uint8_t kind; uint32_t n; };

/* Whether a channel of elements a may be used as one of b: two descriptions of one struct, as two files of a program have. */
static bool same_elements(const leat_type *a, const leat_type *b)
{
    struct type_print x, y;
    return a == b || (a->size == b->size && type_print(a, &x) == LEAT_OK && type_print(b, &y) == LEAT_OK && type_print_same(&x, &y));
}

/* The peer may be faster than he who has just sent it this end, and holds the lock until it has been joined. */
static bool has_left(struct end *e)
{
    lock(&e->c->lock);
    bool left = !e->site && e->home && !e->dead;
    unlock(&e->c->lock);
    return left;
}

static leat_err get_back(struct sess *s, uint64_t id, int is_rx, const leat_type *elem, leat_chan_ **ret)
{
    struct end *e = end_find(s, id);
    leat_err err = LEAT_OK;
    if (!e || is_rx || !has_left(e))
        err = leat_fail(LEAT_INVAL, "the end %llu does not come from here", (unsigned long long)id);
    else if (elem != &type_nothing && !same_elements(e->type, elem))
        err = leat_fail(LEAT_INVAL, "the end %llu carries %s, not %s", (unsigned long long)id, e->type->name, elem->name);
    else
        *ret = home_ref_back(e);
    end_unref(e);
    return err;
}

static leat_err get_tx(struct sess *s, const struct joining *j, const leat_type *elem, leat_chan_ **ret)
{
    struct end *e;
    leat_chan_ *c = chan_make_site(elem->size, j->cap);
    if (!c)
        return leat_fail(LEAT_NOMEM, "no memory for a channel");
    leat_err err = end_new(s, j->id, c, elem, true, &e);
    if (err == LEAT_OK && j->way.hops && (err = relay_path_set(e, &j->way)) != LEAT_OK) {
        end_out(e);                                  /* nobody is told that it goes: it has not been here */
        end_unref(e);
    }
    if (err != LEAT_OK) {
        leat_unref_(c);
        return err;
    }
    if (j->tells)
        end_tell_type(e, elem);
    lock(&c->lock);
    site_join_locked(e);
    unlock(&c->lock);
    *ret = c;
    return LEAT_OK;
}

static leat_err get_rx(struct sess *s, const struct joining *j, const leat_type *elem, leat_chan_ **ret)
{
    struct end *e;
    uint32_t cap = j->cap;
    uint64_t bytes = (uint64_t)cap * elem->size;
    if (!ends_move_in(s, bytes))
        return leat_fail(LEAT_LIMIT, "a channel of %u elements of %u bytes cannot move here: of one peer at most %d bytes are taken in",
            cap, elem->size, LIMIT_HOME_BYTES);
    leat_chan_ *c = leat_chan_make_(elem->size, cap);
    if (!c) {
        ends_move_out(s, bytes);
        return leat_fail(LEAT_NOMEM, "no memory for a channel");
    }
    lock(&c->lock);
    c->lone = 1;
    c->txs = c->senders = 0;                         /* the only send end is the other side's */
    leat_err err = home_make_locked(c, elem);
    if (err == LEAT_OK && j->way.hops)
        err = relay_left_set(home_at(c), &j->way);
    if (err == LEAT_OK)
        err = end_new(s, j->id, c, elem, false, &e);
    if (err == LEAT_OK) {
        end_read_as(e, j->as);
        e->out = chan_reserve_locked(c, cap);
        e->granted = cap;
        e->want = cap;
        e->moved_bytes = (uint32_t)bytes;
        home_join_locked(e);
    }
    unlock(&c->lock);
    if (err != LEAT_OK) {
        ends_move_out(s, bytes);
        leat_unref_(c);
    } else {
        *ret = c;
    }
    return err;
}

leat_err value_join(struct sess *s, const struct joining *j, const leat_type *elem, leat_chan_ **ret)
{
    if (j->cap > UINT32_MAX / 2)
        return leat_fail(LEAT_LIMIT, "a channel of %u elements", j->cap);
    return j->rx ? get_rx(s, j, elem, ret) : get_tx(s, j, elem, ret);
}

static leat_err get_end(struct type_ends *self, struct cur *in, int is_rx, const leat_type *elem, const struct type_bridge *as,
    leat_chan_ **ret)
{
    struct ends_in *ends = (struct ends_in *)self;
    struct sess *s = ends->s;
    struct type_print mine, theirs;
    uint8_t flags = cur_u8(in);
    struct joining j = { .rx = is_rx, .id = cur_varint(in) };
    cur_get(in, theirs.b, sizeof theirs.b);
    j.cap = flags & REC_BACK ? 0 : cur_u32(in);
    if (!(flags & REC_BACK))
        cur_varint(in);
    if (in->bad || flags > REC_ALL || (flags & REC_RX) != (is_rx ? REC_RX : 0) || (flags & REC_WAY && flags & REC_BACK))
        return leat_fail(LEAT_INVAL, "a malformed end of a channel");
    if (ends->n++ == VALUE_ENDS)
        return leat_fail(LEAT_INVAL, "more than %d ends of channels in one value", VALUE_ENDS);
    if (flags & REC_WAY)
        LEAT_TRY(relay_path_in(in, &j.way));
    LEAT_TRY(type_print(elem, &mine));
    bool same = type_print_same(&mine, &theirs);
    if (!same && !as)
        return leat_fail(LEAT_TYPE, "an end of a channel of another type than %s", elem->name);
    j.as = same || !is_rx ? NULL : as;
    j.tells = !same && !is_rx && elem != &type_nothing;
    struct cur form;
    if (j.tells && !value_form(s, elem, &form))
        return leat_fail(LEAT_TYPE, "an end of a channel of another type than %s, whose description is too long to be told", elem->name);
    if (flags & REC_BACK)
        return get_back(s, j.id, is_rx, elem, ret);
    if (!ends_id_theirs(s, j.id))
        return leat_fail(LEAT_INVAL, "the id %llu is not one that this peer makes", (unsigned long long)j.id);
    return value_join(s, &j, elem, ret);
}

/* Before the ends that had come are given back. */
static void unreadable(struct type_ends *self, leat_err e)
{
    struct ends_in *ends = (struct ends_in *)self;
    if (ends->n && (ends->kind != FRAME_OPEN || (e != LEAT_NOMEM && e != LEAT_LIMIT)))
        sess_refuse(ends->s, ends->kind, e);
}

leat_err value_lost(struct sess *s, uint8_t kind, const leat_type *t, void *v, leat_err err)
{
    sess_refuse(s, kind, err);
    leat_drop_(t, v);
    return err;
}

leat_err value_unpack(struct sess *s, uint8_t kind, const leat_type *t, const struct type_bridge *as, struct cur *in, void *v)
{
    struct ends_in ends = { .ops = { .get = get_end, .lost = unreadable }, .s = s, .kind = kind };
    return as ? type_decode_as(as, in, v, &ends.ops, NULL) : type_decode(t, in, v, &ends.ops, NULL);
}

leat_err value_unpack_part(struct end *e, struct cur *in, void *v, struct type_part *part)
{
    struct ends_in ends = { .ops = { .get = get_end, .lost = unreadable }, .s = e->s, .kind = FRAME_ELEM };
    if (!part)
        return value_unpack(e->s, FRAME_ELEM, e->type, e->as, in, v);
    if (e->as)
        return leat_fail(LEAT_INVAL, "the type of an element that has begun is another");
    return type_decode_part(e->type, in, v, &ends.ops, part);
}
