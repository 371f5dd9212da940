/* given.c - ends of channels inside an offer: on an unbuffered channel a value may come back, and then its ends must be as before.
 *
 * The offer's bytes name new ends.  A send end is joined at once, so that its frames find it, and only its owner's count is mended when
 * the offer was not taken.  A receive end stays here until it was: its new site is *dormant*, its channel goes on as it is.  Then it
 * leaves, with what is queued by then.  What the other side says to a dormant end (it may give slots to others, or have dropped the value)
 * is remembered.
 * The fate of the ends is settled before that of the offer's sender, so that the value it has again is whole. */
#include <stdio.h>
#include <string.h>
#include "base/alloc.h"
#include "run/err.h"
#include "sess/home.h"
#include "sess/value.h"
#include "type/codec.h"

struct given {
    uint32_t n, room;
    struct { struct end *e; struct queued *q; bool rx, counted; } at[];      /* references; q: for a receive end, when it leaves;
                                                      * counted: its owner's count went with it */
};

static void given_free(struct given *g)
{
    for (uint32_t i = 0; g && i < g->room; i++)
        mem_free(g->at[i].q);
    mem_free(g);
}

/* What a receive end needs to leave is there from the beginning: by then it must. */
struct given *given_new(const struct value_out *o)
{
    struct given *g = mem_zalloc(sizeof *g + o->n * sizeof *g->at);
    if (!g) {
        leat_ignore(leat_fail(LEAT_NOMEM, "no memory for ends of channels in an offer"));
        return NULL;
    }
    g->room = o->n;
    uint32_t k = 0;
    for (uint32_t i = 0; i < o->n; i++) {
        const struct moving *m = &o->at[i];
        if (m->rx && (relay_room(m->e) != LEAT_OK || !(g->at[k].q = queued_new()))) {
            given_free(g);
            return NULL;
        }
        k += !m->back;
    }
    return g;
}

void given_offered(struct given *g, struct value_out *o)
{
    for (uint32_t i = 0; i < o->n; i++) {
        struct moving *m = &o->at[i];
        if (m->back)
            continue;
        bool counted = !m->rx && m->c->senders;
        m->e->dormant = m->rx;
        if (!m->rx)
            home_join_locked(m->e);
        m->c->senders -= counted;
        end_ref(m->e);
        g->at[g->n].e = m->e;
        g->at[g->n].rx = m->rx;
        g->at[g->n++].counted = counted;
    }
    value_let_go(o);
}

/* What was said to e while it was dormant. */
static void catch_up(struct end *e, leat_err sealed, bool recalled)
{
    static const uint8_t lost[] = { LEAT_PEER_LOST, 0, 0, 0, 6, 'a', ' ', 'n', 'o', 'd', 'e' };
    uint8_t code = (uint8_t)sealed;
    struct cur none = { 0 }, in = sealed == LEAT_PEER_LOST ? cur_of(lost, sizeof lost) : cur_of(&code, 1);
    if (e->dead)
        site_lost(e);
    else if (sealed != LEAT_OK)
        (void)site_on(e, FRAME_SEAL, &in);
    else if (recalled)
        (void)site_on(e, FRAME_RECALL, &none);
}

/* Not all that is queued in it can go: the rest is lost, which whoever receives is told behind what could. */
static void tear(struct end *e, leat_err err)
{
    char why[WHO_MAX];
    snprintf(why, sizeof why, "what %s had queued and could not move (%.100s)", node_name(sess_node(e->s)), leat_err_detail());
    if (err != LEAT_NOMEM && home_make_locked(e->c, e->type) == LEAT_OK)
        home_torn_locked(home_at(e->c), why);
    else
        sess_break(e->s, err, "a receive end that cannot move: %s", leat_err_detail());
}

static leat_err pack_left(struct value_out *o, struct end *e, struct queued *q)
{
    leat_chan_ *c = e->c;
    leat_err err;
    for (;; cpu_pause()) {
        err = at_load(&c->site) ? leat_fail(LEAT_INVAL, "a receive end was sent twice") : value_pack_left(o, e, q);
        if (err != LEAT_AGAIN)
            return err;
        unlock(&c->lock);                            /* who has a channel of what is queued may need this one */
        lock(&c->lock);
    }
}

/* The receive end was taken, or may have been: it leaves. */
static void rx_leaves(struct end *e, struct queued *q)
{
    struct value_out o;
    leat_chan_ *c = e->c;
    value_out_init(&o, e->s, NULL, true);
    lock(&c->lock);
    leat_err err = pack_left(&o, e, q);
    leat_err sealed = e->why;
    bool recalled = e->return_due, twice = at_load(&c->site);
    e->dormant = e->return_due = false;
    e->why = LEAT_OK;
    if (twice)
        sess_break(e->s, err, "a receive end that cannot move: %s", leat_err_detail());
    else if (err != LEAT_OK)
        tear(e, err);
    if (!twice)
        value_sent(&o);
    else
        mem_free(q);
    unlock(&c->lock);
    value_moved(e->s);
    if (!twice)
        catch_up(e, sealed, recalled);
}

/* It was not: the other side's new channel is told that nobody sends to it. */
static void rx_stays(struct end *e)
{
    lock(&e->c->lock);
    bool told = e->dead;
    e->dead = true;
    unlock(&e->c->lock);
    if (!told)
        end_send(e, FRAME_DROP, 0, false);
    end_out(e);
    end_unref(e);
}

static void tx_stays(struct end *e)
{
    lock(&e->c->lock);
    e->c->senders++;
    chan_sender_left_locked(e->c);
    unlock(&e->c->lock);
}

void given_never_went(struct given *g)
{
    struct cur none = { 0 };
    for (uint32_t i = 0; g && i < g->n; i++) {
        struct end *e = g->at[i].e;
        if (g->at[i].rx) {
            lock(&e->c->lock);
            e->dead = true;                          /* no DROP: there is nobody to hear it */
            unlock(&e->c->lock);
            rx_stays(e);
        } else {
            if (g->at[i].counted)
                tx_stays(e);
            (void)home_on(e, FRAME_DROP, &none);     /* as its peer would say that has let go of it */
        }
        end_unref(e);
    }
    given_free(g);
}

struct given *given_taken_locked(struct end *e)
{
    struct given *g = e->relay ? e->relay->given : NULL;
    if (g)
        e->relay->given = NULL;
    return g;
}

void given_settle(struct given *g, bool moved)
{
    for (uint32_t i = 0; g && i < g->n; i++) {
        struct end *e = g->at[i].e;
        if (g->at[i].rx && moved) {
            rx_leaves(e, g->at[i].q);
            g->at[i].q = NULL;
        } else if (g->at[i].rx)
            rx_stays(e);
        else if (!moved && g->at[i].counted)
            tx_stays(e);
        end_unref(e);
    }
    given_free(g);
}

void given_hears_locked(struct end *e, uint8_t kind, struct cur *in)
{
    leat_err why = kind == FRAME_SEAL ? (leat_err)cur_u8(in) : LEAT_OK;
    if (kind == FRAME_RECALL)
        e->return_due = true;
    else if (why == LEAT_CLOSED || why == LEAT_GONE || why == LEAT_PEER_LOST)
        e->why = why;
    else
        cur_fail(in);                                /* of a channel that has got nothing yet there is no more to say */
}
