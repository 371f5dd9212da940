/* queued.c - what is queued in a channel whose receive end moves, where that has ends of channels in it, too.
 *
 * It goes behind the receive end, each element as if it was sent there then.  All of it is packed before any of it leaves: a struct
 * value_out for each element that has ends, in a row behind the receive end (struct queued), and so on for receive ends among those.  So
 * the move is refused as a whole, and then nothing has changed; or it happens as a whole.
 * Laws
 *  1. From the first of them on until the end of the move each channel that an end of is packed is locked, by trylock; packing that meets a
 *     lock that another has lets go of all, and the caller tries again.
 *  2. The order on the wire: the records of a value, then for each receive end of it all elements of its queue, then what is queued
 *     behind the receive ends in each of these.  So a record of the same queue, or of what the queue is in, comes before; of another queue
 *     that is still to go it may not (queued_before).
 *  3. What has been sent stays in the buffer of its channel, which is a site and puts nothing there, until no lock is held: value_moved.
 *     Who has called value_sent calls that. */
#include "base/alloc.h"
#include "base/limits.h"
#include "sess/home.h"
#include "sess/value.h"
#include "type/codec.h"

/* -- what is packed already ---------------------------------------------------------------------------------------------------- */
static bool has(const struct value_out *v, uint32_t n, const leat_chan_ *c)
{
    for (uint32_t i = n; i-- > 0; ) {
        const struct queued *q = v->at[i].q;
        if (v->at[i].c == c)
            return true;
        for (const struct value_out *x = q ? q->last : NULL; x; x = x->before)
            if (has(x, x->n, c))
                return true;
    }
    return false;
}

/* Each value that o is in is about to have one more, which is not counted in its n. */
bool queued_has(const struct value_out *o, const leat_chan_ *c)
{
    for (const struct value_out *v = o; v; v = v->in ? v->in->up : NULL) {
        if (v->in && v->in->of->c == c)
            return true;
        for (const struct value_out *x = v; x; x = x->before)
            if (has(x, x->n, c))
                return true;
    }
    return false;
}

struct queued *queued_of(const struct value_out *o, const leat_chan_ *c)
{
    struct queued *q = o->all->rxs;
    while (q && q->of->c != c)
        q = q->next;
    return q;
}

bool queued_before(const struct value_out *o, const struct queued *q)
{
    for (const struct value_out *v = o; v; v = v->in ? v->in->up : NULL)
        if (q->up->in == v->in)
            return true;
    return false;
}

/* -- packing ------------------------------------------------------------------------------------------------------------------- */
static leat_err pack_bytes(struct queued *q, struct value_out *v, const leat_type *t, const void *elem)
{
    struct buf b = { .max = LIMIT_ELEM };
    leat_err err = value_pack(v, t, elem, &b);
    if (err == LEAT_OK) {
        size_t was = q->bytes.len;
        buf_u32(&q->bytes, (uint32_t)b.len);
        buf_put(&q->bytes, b.p, b.len);
        if ((err = buf_err(&q->bytes)) != LEAT_OK) {
            buf_undo(&q->bytes, was);
            value_unsent(v);
            err = leat_fail(err, "no room for what is queued in a channel that moves");
        }
    }
    buf_free(&b);
    return err;
}

static leat_err pack_elem(struct queued *q, const leat_type *t, const void *elem)
{
    struct value_out *v = mem_alloc(sizeof *v);
    if (!v)
        return leat_fail(LEAT_NOMEM, "no memory for what is queued in a channel that moves");
    value_out_init(v, q->up->s, NULL, true);
    v->all = q->up->all;
    v->in = q;
    v->before = q->last;
    leat_err err = pack_bytes(q, v, t, elem);
    if (err == LEAT_OK && v->n)
        q->last = v;
    else
        mem_free(v);
    q->n += err == LEAT_OK;
    return err;
}

struct queued *queued_new(void)
{
    struct queued *q = mem_zalloc(sizeof *q);
    if (!q)
        leat_ignore(leat_fail(LEAT_NOMEM, "no memory for a channel that moves"));
    return q;
}

leat_err queued_pack(struct value_out *o, struct moving *m, const leat_type *elem)
{
    struct queued *q = m->q ? m->q : (m->q = queued_new());
    leat_err err = LEAT_OK;
    if (!q)
        return LEAT_NOMEM;
    q->of = m;
    q->up = o;
    q->next = o->all->rxs;
    o->all->rxs = q;
    q->depth = o->in ? o->in->depth + 1 : 1;
    if (q->depth > LIMIT_MOVED_DEPTH)
        return leat_fail(LEAT_LIMIT, "a receive end cannot move while more than %d are queued in it, each in the one before",
            LIMIT_MOVED_DEPTH - 1);
    for (uint32_t i = 0, n = at_load(&m->c->count); i < n && err == LEAT_OK; i++)
        err = pack_elem(q, elem, chan_elem_locked(m->c, i));
    return err;
}

static void queued_free(struct queued *q)
{
    buf_free(&q->bytes);
    mem_free(q);
}

void queued_reset(struct queued *q)
{
    for (struct value_out *v; (v = q->last); ) {
        q->last = v->before;
        value_unsent(v);
        mem_free(v);
    }
    q->up->all->rxs = q->next;                       /* the last one is undone first */
    buf_free(&q->bytes);
    *q = (struct queued){ 0 };
}

void queued_undo(struct queued *q)
{
    if (!q)
        return;
    queued_reset(q);
    mem_free(q);
}

/* -- which ends they are --------------------------------------------------------------------------------------------------------- */
static uint32_t ids_of(const struct value_out *o, uint64_t *ids, uint32_t n)
{
    for (uint32_t i = 0; i < o->n; i++) {
        const struct moving *m = &o->at[i];
        if (!m->back && ids)
            ids[n] = m->e->id;
        n += !m->back;
        for (const struct value_out *v = m->q ? m->q->last : NULL; v; v = v->before)
            n = ids_of(v, ids, n);
    }
    return n;
}

bool value_moves_rx(const struct value_out *o)
{
    for (uint32_t i = 0; i < o->n; i++)
        if (o->at[i].rx)
            return true;
    return false;
}

uint32_t value_ids(const struct value_out *o, uint64_t *ids) { return ids_of(o, ids, 0); }

/* -- on its way ---------------------------------------------------------------------------------------------------------------- */
/* The elements in their order: the row is turned round. */
static struct value_out *first_of(struct queued *q)
{
    struct value_out *first = NULL;
    for (struct value_out *before, *v = q->last; v; v = before) {
        before = v->before;
        v->before = first;
        first = v;
    }
    q->last = NULL;
    return first;
}

void queued_sent(struct queued *q)
{
    q->last = first_of(q);
    for (struct value_out *v = q->last; v; v = v->before)
        value_leaves(v);
}

void queued_let_go(struct queued *q)
{
    if (!q || !q->sent) {
        queued_undo(q);
        return;
    }
    for (struct value_out *next, *v = q->last; v; v = next) {
        next = v->before;
        value_let_go(v);
        mem_free(v);
    }
    if (!q->left_n) {
        queued_free(q);
        return;
    }
    struct ends *t = ends_of(q->up->s);
    chan_hold(q->c);
    lock(&t->lock);
    q->next = t->moved;
    t->moved = q;
    unlock(&t->lock);
}

void value_moved(struct sess *s)
{
    struct ends *t = ends_of(s);
    lock(&t->lock);
    struct queued *q = t->moved;
    t->moved = NULL;
    unlock(&t->lock);
    for (struct queued *next; q; q = next) {
        next = q->next;
        chan_drop_left(q->c, q->type, leat_drop_, (struct chan_left){ q->left_at, q->left_n });
        chan_net_unref(q->c);
        queued_free(q);
    }
}
