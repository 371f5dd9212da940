/* ends.c - the table of a session's ends, and the frames that are for them.  See ends.h. */
#include "sess/ends.h"
#include <assert.h>
#include "base/alloc.h"
#include "base/probe.h"
#include "sess/emit.h"
#include "sess/home.h"
#include "sess/names.h"
#include "sess/value.h"
#include "type/codec.h"

/* -- ids and the table ----------------------------------------------------------------------------------------------------- */
uint64_t ends_id(struct sess *s)
{
    struct ends *t = ends_of(s);
    lock(&t->lock);
    uint64_t n = ++t->made;
    unlock(&t->lock);
    return n << 1 | sess_dialed(s);
}

bool ends_id_theirs(struct sess *s, uint64_t id)
{
    return id > 1 && (id & 1) != (uint64_t)sess_dialed(s);
}

static struct end *end_of(struct slot *x) { return x ? container_of(x, struct end, slot) : NULL; }

static struct end *find_locked(const struct ends *t, uint64_t id) { return end_of(slots_find(&t->slots, id)); }

/* Neither side knows more than both take: each end is one in both tables. */
static uint32_t ends_limit(const struct sess *s) { return MIN((uint32_t)LIMIT_SESS_ENDS, sess_limits(s)->ends); }

static leat_err insert(struct ends *t, struct end *e)
{
    leat_err r = LEAT_OK;
    lock(&t->lock);
    if (t->over)
        r = LEAT_PEER_LOST;
    else if (t->slots.count >= ends_limit(e->s))
        r = LEAT_LIMIT;
    else if (find_locked(t, e->id))
        r = LEAT_INVAL;
    else if (!slots_add(&t->slots, &e->slot))
        r = LEAT_NOMEM;
    e->in_table = r == LEAT_OK;
    unlock(&t->lock);
    return r;
}

bool ends_move_in(struct sess *s, uint64_t bytes)
{
    struct ends *t = ends_of(s);
    lock(&t->lock);
    bool room = bytes <= LIMIT_HOME_BYTES && t->moved_bytes + bytes <= LIMIT_HOME_BYTES;
    t->moved_bytes += room ? bytes : 0;
    unlock(&t->lock);
    return room;
}

void ends_move_out(struct sess *s, uint64_t bytes)
{
    struct ends *t = ends_of(s);
    lock(&t->lock);
    t->moved_bytes -= bytes;
    unlock(&t->lock);
}

/* -- sources: what the writer pulls ---------------------------------------------------------------------------------------- */
static bool pull_control(struct sess_source *x, struct sess *s)
{
    struct end *e = container_of(x, struct end, control);
    lock(&e->c->lock);
    bool more = !e->dead && (e->site ? site_pull(e, s) : home_pull(e, s));
    unlock(&e->c->lock);
    return more;
}
static void ref_control(struct sess_source *x) { end_ref(container_of(x, struct end, control)); }
static void unref_control(struct sess_source *x) { end_unref(container_of(x, struct end, control)); }

static bool pull_bulk(struct sess_source *x, struct sess *s)
{
    struct end *e = container_of(x, struct end, bulk);
    lock(&e->c->lock);
    bool more = site_bulk(e, s);
    unlock(&e->c->lock);
    return more;
}
static void ref_bulk(struct sess_source *x) { end_ref(container_of(x, struct end, bulk)); }
static void unref_bulk(struct sess_source *x) { end_unref(container_of(x, struct end, bulk)); }

static const struct sess_source_ops control_ops = { pull_control, ref_control, unref_control };
static const struct sess_source_ops bulk_ops = { pull_bulk, ref_bulk, unref_bulk };

/* -- ends ------------------------------------------------------------------------------------------------------------------ */
leat_err end_new(struct sess *s, uint64_t id, leat_chan_ *c, const leat_type *t, bool site, struct end **ret)
{
    struct end *e = mem_zalloc(sizeof *e);
    if (!e)
        return leat_fail(LEAT_NOMEM, "no memory for an end of a channel");
    e->control.ops = &control_ops;
    e->bulk.ops = &bulk_ops;
    at_store(&e->refs, 2);
    at_store(&e->known, id != 0);
    e->id = id ? id : ends_id(s);
    e->s = s;
    e->c = c;
    e->type = t;
    e->site = site;
    e->ends_inside = value_has_ends(t);
    e->raw = (uint32_t)type_raw_bytes(t);
    chan_hold(c);
    sess_ref(s);
    GAUGE("ends", 1);
    leat_err r = insert(ends_of(s), e);
    if (r == LEAT_OK) {
        *ret = e;
        return r;
    }
    chan_net_unref(c);
    sess_unref(s);
    GAUGE("ends", -1);
    mem_free(e);
    switch (r) {
    case LEAT_PEER_LOST: return sess_lost(s);
    case LEAT_LIMIT: return leat_fail(r, "%s and this node know at most %u ends of channels at a time: let go of some", sess_text(s),
        ends_limit(s));
    case LEAT_INVAL: return leat_fail(r, "the end %llu is in use already", (unsigned long long)id);
    default: return leat_fail(r, "no memory for an end of a channel");
    }
}

struct end *end_find(struct sess *s, uint64_t id)
{
    struct ends *t = ends_of(s);
    lock(&t->lock);
    struct end *e = find_locked(t, id);
    if (e)
        end_ref(e);
    unlock(&t->lock);
    return e;
}

void end_out(struct end *e)
{
    struct ends *t = ends_of(e->s);
    bool was;
    lock(&t->lock);
    was = e->in_table;
    if (was)
        slots_take(&t->slots, e->id);
    e->in_table = false;
    unlock(&t->lock);
    if (was)
        end_unref(e);
}

void end_ref(struct end *e)
{
    atomic_fetch_add_explicit(&e->refs, 1, RLX);
}

/* With e->c's lock held only where another reference is known to remain. */
void end_unref(struct end *e)
{
    if (!e || atomic_fetch_sub_explicit(&e->refs, 1, ACQ_REL) != 1)
        return;
    struct sess *s = e->s;
    leat_chan_ *c = e->c;
    if (e->moved_bytes)
        ends_move_out(s, e->moved_bytes);
    if (e->site)
        site_end_free(e);
    else
        home_end_free(e);
    GAUGE("ends", -1);
    mem_free(e);
    chan_net_unref(c);
    sess_unref(s);
}

void *ends_scratch(struct sess *s, size_t size)
{
    struct ends *t = ends_of(s);
    if (size > t->scratch_cap) {
        mem_free(t->scratch);
        t->scratch_cap = 0;
        t->scratch = mem_alloc(size);
        if (!t->scratch)
            leat_ignore(leat_fail(LEAT_NOMEM, "no memory for an element of %zu bytes", size));
        else
            t->scratch_cap = size;
    }
    return t->scratch;
}

bool end_send(struct end *e, uint8_t kind, uint64_t number, bool has_number)
{
    struct buf *b = sess_begin_in(e->s, kind, 0, LANE_DATA);
    if (!b)
        return false;
    buf_varint(b, e->id);
    if (has_number)
        buf_varint(b, number);
    return sess_commit_answer(e->s);                 /* most are, the others are few */
}

/* -- frames ---------------------------------------------------------------------------------------------------------------- */
static leat_err on_frame(struct sess *s, uint8_t kind, uint8_t flags, struct cur *in, bool for_home)
{
    uint64_t id = cur_varint(in);
    if (in->bad)
        return leat_fail(LEAT_INVAL, "a frame %s that is too short", frame_name(kind));
    struct end *e = end_find(s, id);
    if (!e)
        return LEAT_OK;                              /* it was on its way when the end was dropped */
    leat_err r;
    if (e->site == for_home)
        r = leat_fail(LEAT_INVAL, "a frame %s for the wrong side of end %llu", frame_name(kind), (unsigned long long)id);
    else if (kind == FRAME_ELEM)
        r = home_on_elem(e, flags, in);
    else if (kind == FRAME_TYPE)
        r = home_on_type(e, in);
    else
        r = for_home ? home_on(e, kind, in) : site_on(e, kind, in);
    if (r == LEAT_OK && in->bad)
        r = leat_fail(LEAT_INVAL, "a malformed frame %s", frame_name(kind));
    end_unref(e);
    return r;
}

/* Whose element was being read in has it, or the rest of it will not come. */
static void landing_over(struct sess *s)
{
    struct end *e = ends_of(s)->landing;
    ends_of(s)->landing = NULL;
    end_unref(e);
}

static uint8_t *ends_land(struct sess *s, struct cur *in, size_t *left)
{
    if (!in) {
        landing_over(s);
        return NULL;
    }
    const uint8_t *was = in->p;
    struct end *e = end_find(s, cur_varint(in));
    *left -= (size_t)(in->p - was);
    uint8_t *to = e && !in->bad && !e->site ? home_land(e, in, left) : NULL;
    if (to)
        ends_of(s)->landing = e;
    else
        end_unref(e);
    return to;
}

static leat_err on_elem(struct sess *s, uint8_t flags, struct cur *in)
{
    leat_err err = on_frame(s, FRAME_ELEM, flags, in, true);
    if (sess_landed(s))
        landing_over(s);
    return err;
}

#define FOR_HOME(name, kind) \
    static leat_err on_##name(struct sess *s, uint8_t flags, struct cur *in) { return on_frame(s, kind, flags, in, true); }
#define FOR_SITE(name, kind) \
    static leat_err on_##name(struct sess *s, uint8_t flags, struct cur *in) { return on_frame(s, kind, flags, in, false); }
FOR_HOME(need, FRAME_NEED)
FOR_HOME(return, FRAME_RETURN)
FOR_HOME(withdraw, FRAME_WITHDRAW)
FOR_HOME(close, FRAME_CLOSE)
FOR_HOME(sealed, FRAME_SEALED)
FOR_HOME(finish, FRAME_FINISH)
FOR_HOME(flush, FRAME_FLUSH)
FOR_HOME(drop, FRAME_DROP)
FOR_HOME(torn, FRAME_TORN)
FOR_HOME(type, FRAME_TYPE)
FOR_SITE(grant, FRAME_GRANT)
FOR_SITE(none, FRAME_NONE)
FOR_SITE(recall, FRAME_RECALL)
FOR_SITE(invite, FRAME_INVITE)
FOR_SITE(taken, FRAME_TAKEN)
FOR_SITE(busy, FRAME_BUSY)
FOR_SITE(withdrawn, FRAME_WITHDRAWN)
FOR_SITE(seal, FRAME_SEAL)
FOR_SITE(flushed, FRAME_FLUSHED)

/* -- the session ------------------------------------------------------------------------------------------------------------ */
static leat_err sess_opens(struct sess *s)
{
    struct ends *t = mem_zalloc(sizeof *t);
    if (!t)
        return leat_fail(LEAT_NOMEM, "no memory for a session's ends");
    t->slots.key = *node_key(sess_node(s));
    sess_slots(s)->chans = t;
    return LEAT_OK;
}

static struct end *any_end(struct ends *t)
{
    lock(&t->lock);
    t->over = true;
    struct end *e = end_of(slots_any(&t->slots));
    if (e)
        end_ref(e);
    unlock(&t->lock);
    return e;
}

uint64_t end_in_doubt(struct end *e, bool orderly)
{
    lock(&e->c->lock);
    bool all = !e->site || e->dead || (orderly && !emit_waits(e) && !e->unanswered && !site_is_lost(e));
    uint64_t n = all ? 0 : e->c->cap ? e->sent - e->accepted : e->unanswered && !offer_unwritten(e);
    unlock(&e->c->lock);
    return n;
}

static void sess_ends(struct sess *s, leat_err why)
{
    struct ends *t = ends_of(s);
    uint64_t doubt = 0;
    landing_over(s);
    for (struct end *e; (e = any_end(t)); end_unref(e)) {
        end_out(e);                                  /* who has not dropped its end in order has lost it, even to a BYE */
        doubt += end_in_doubt(e, why == LEAT_OK);
        if (e->site)
            site_lost(e);
        else
            home_lost(e);
    }
    sess_in_doubt(s, doubt, 0);
    names_lost(s);
}

/* An end that has not been told yet, and the bucket where to look for the next one. */
static struct end *to_tell(struct ends *t, uint32_t *at)
{
    struct end *e = NULL;
    lock(&t->lock);
    for (; *at < t->slots.buckets; ++*at) {
        for (e = end_of(*slots_bucket(&t->slots, *at)); e && e->downs == t->downs; e = end_of(e->slot.next))
            ;
        if (e)
            break;
    }
    if (e) {
        e->downs = t->downs;
        end_ref(e);
    }
    unlock(&t->lock);
    return e;
}

static void sess_is_without_link(struct sess *s)
{
    struct ends *t = ends_of(s);
    uint32_t at = 0;
    lock(&t->lock);
    t->downs++;
    unlock(&t->lock);
    for (struct end *e; (e = to_tell(t, &at)); end_unref(e))
        (e->site ? site_link_down : home_link_down)(e);
}

static void sess_frees(struct sess *s)
{
    struct ends *t = ends_of(s);
    if (!t)
        return;
    LAW(t->slots.count == 0);
    slots_free(&t->slots);
    mem_free(t->scratch);
    value_bridges_free(t);
    mem_free(t);
}

const struct sess_user netchan_user = {
    .name = "channels",
    .node_open = names_node_open,
    .node_close = names_node_close,
    .node_closing = names_node_closing,
    .open = sess_opens,
    .end = sess_ends,
    .down = sess_is_without_link,
    .land = ends_land,
    .free = sess_frees,
    .on = {
        { FRAME_ATTACH, names_on_attach }, { FRAME_ATTACHED, names_on_attached }, { FRAME_DROP, on_drop }, { FRAME_TORN, on_torn },
        { FRAME_TYPE, on_type }, { FRAME_FORM, forms_on_form },
        { FRAME_NEED, on_need }, { FRAME_GRANT, on_grant }, { FRAME_NONE, on_none }, { FRAME_RECALL, on_recall },
        { FRAME_RETURN, on_return }, { FRAME_ELEM, on_elem }, { FRAME_INVITE, on_invite }, { FRAME_TAKEN, on_taken },
        { FRAME_BUSY, on_busy },
        { FRAME_WITHDRAW, on_withdraw }, { FRAME_WITHDRAWN, on_withdrawn }, { FRAME_CLOSE, on_close }, { FRAME_SEAL, on_seal },
        { FRAME_SEALED, on_sealed }, { FRAME_FINISH, on_finish }, { FRAME_FLUSH, on_flush }, { FRAME_FLUSHED, on_flushed },
    },
};
