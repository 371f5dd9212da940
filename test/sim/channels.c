/* channels.c - many channels between many nodes, used in every way, for `leat sim`: each node makes some channels, receives from them
 * and sends to those of the others, and to its own.  What everybody says is judged at the end: oracle.h.
 * It ends with 0 whatever was lost, so that only a broken promise is a failure. */
#include "oracle.h"
#undef errno
#include "run/host.h"
#include "run/sched.h"
#include "run/seam.h"

enum { OWN_MAX = 4, PEERS_MAX = 16, PATIENCE_S = 90, RELAYS = 6, DIAL_S = 120 };

LEAT_STRUCT(num,  (uint64, from), (uint64, n), (string, text));
LEAT_STRUCT(gift, (tx(num), end), (rx(num), in), (uint64, chan), (uint64, relays));   /* one of the two ends moves */

static uint32_t any(uint32_t below) { return (uint32_t)(rt_random(rt_self()) % below); }
static bool one_in(uint32_t n) { return any(n) == 0; }

/* How a world is: all its machines agree. */
static struct { uint32_t pace_ms, text_max, nodes; bool drawn, done[PEERS_MAX]; } style;

struct own { leat_tx(struct num) out; leat_rx(struct num) in; uint32_t id; bool moves; };        /* moves: its receive end is to go on */
struct me {                                          /* a node */
    leat_node *node;
    uint32_t rank, count;
    struct own own[OWN_MAX];
    leat_chan(struct gift) gifts;
    leat_peer *peers[PEERS_MAX];                     /* those that were dialed */
    uint32_t peers_n;
    leat_group *work;                                /* senders, also those that begin late */
};

static leat_err pause_a_bit(void)
{
    uint32_t k = any(8);
    if (k < 4)
        return LEAT_OK;
    return leat_sleep(LEAT_MS(k < 7 ? any(1 + style.pace_ms / 8) : any(1 + style.pace_ms)));
}

/* == Sending. == */

static leat_err select_send(leat_tx(struct num) out, struct num *v, uint32_t ms)
{
    leat_err err;
    bool sent = false;
    leat_select(err) {
        leat_on_send(out, v) { sent = true; }
        leat_on_after(LEAT_MS(ms)) { }
    }
    return err == LEAT_OK && !sent ? LEAT_DEADLINE : err;
}

static leat_err select_in_time(leat_tx(struct num) out, struct num *v, uint32_t ms)
{
    leat_err err = LEAT_OK;
    leat_with_deadline(LEAT_MS(ms))
        err = select_send(out, v, ms + 600000);
    return err;
}

static leat_err select_otherwise(leat_tx(struct num) out, struct num *v)
{
    leat_err err;
    bool sent = false;
    leat_select(err) {
        leat_on_send(out, v) { sent = true; }
        leat_otherwise { }
    }
    return err == LEAT_OK && !sent ? LEAT_AGAIN : err;
}

/* A send or a receive, whichever comes first; what is received is nobody's but this node's own, and counts nowhere. */
static leat_err select_either(leat_tx(struct num) out, struct num *v, uint32_t ms)
{
    leat_auto leat_chan(int) never = leat_chan_make(int, 1);
    leat_err err;
    bool sent = false;
    int got;
    leat_select(err) {
        leat_on_recv(never, &got) { }
        leat_on_send(out, v) { sent = true; }
        leat_on_after(LEAT_MS(ms)) { }
    }
    return err == LEAT_OK && !sent ? LEAT_DEADLINE : err;
}

struct one { leat_tx(struct num) out; struct num *v; leat_err *err; };
static leat_err send_one(struct one *o)
{
    *o->err = leat_send_from(o->out, o->v);
    return LEAT_OK;
}

/* Cancelled in the middle by another task. */
static leat_err send_cancelled(leat_tx(struct num) out, struct num *v, uint32_t ms)
{
    leat_err err, how = LEAT_CANCELED;
    leat_with_group(g, err) {
        if (leat_go(&g, send_one, (struct one){ out, v, &how }) == LEAT_OK) {
            leat_ignore(leat_sleep(LEAT_MS(ms)));
            leat_group_cancel(&g);
        }
    }
    return how;
}

static leat_err send_in_time(leat_tx(struct num) out, struct num *v, uint32_t ms)
{
    leat_err err = LEAT_OK;
    leat_with_deadline(LEAT_MS(ms))
        err = leat_send_from(out, v);
    return err;
}

static leat_err send_somehow(leat_tx(struct num) out, struct num *v, uint32_t *limit_ms)
{
    uint32_t k = any(12), ms = any(2) ? any(30) : any(1 + 2 * style.pace_ms);
    *limit_ms = (k && k < 4) || k == 8 ? ms : UINT32_MAX;            /* a timer case, or a try, waits for the answer to an offer */
    switch (k) {
    case 0: return leat_try_send_((leat_chan_ *)(void *)out, v);
    case 1: case 2: return send_in_time(out, v, ms);
    case 3: return send_cancelled(out, v, ms);
    case 4: case 5: return select_send(out, v, ms);
    case 6: return select_otherwise(out, v);
    case 7: return select_either(out, v, ms);
    case 8: return select_in_time(out, v, ms);
    }
    *limit_ms = UINT32_MAX;
    return leat_send_from(out, v);
}

static leat_err make_num(uint32_t s, uint32_t n, struct num *ret)
{
    static char text[1 << 17];                       /* one thread, and nothing here waits */
    size_t len = one_in(8) ? any(style.text_max) : any(40);
    memset(text, 'a' + (int)(n % 26), len);
    *ret = (struct num){ .from = s, .n = n };
    return leat_string_dup(text, len, &ret->text);
}

struct sender { leat_tx(struct num) out; uint32_t id; uint32_t node; };

/* false: there is no more to be sent there */
static bool send_next(const struct sender *s, uint32_t n)
{
    struct o_sender *x = &oracle.sender[s->id];
    struct num v;
    uint32_t limit_ms;
    if (make_num(s->id, n, &v) != LEAT_OK)
        return false;
    leat_time began = leat_now();
    x->begun = n + 1;
    x->outcome[n] = BEGUN;
    leat_err err = send_somehow(s->out, &v, &limit_ms);
    oracle_outcome(s->id, n, err);
    if (limit_ms != UINT32_MAX && leat_since(began).ns / 1000000 > (int64_t)limit_ms + SETTLE_MS)
        broken("a send with %u ms of time took %" PRId64 " ms", limit_ms, leat_since(began).ns / 1000000);
    if (err != LEAT_OK && err != LEAT_UNKNOWN)
        leat_drop(num, &v);                          /* certainly not sent, so it is still ours */
    return err == LEAT_OK || err == LEAT_UNKNOWN || err == LEAT_AGAIN || err == LEAT_DEADLINE || err == LEAT_CANCELED;
}

static leat_err sender(struct sender *s)
{
    uint32_t count = 1 + any(EACH);
    bool more = true;
    for (uint32_t n = 0; n < count && more && leat_ctx_err() == LEAT_OK; n++) {
        more = send_next(s, n);
        leat_ignore(pause_a_bit());
    }
    if (one_in(6))
        leat_ignore(leat_flush(s->out));
    if (one_in(12))
        leat_close(s->out);
    else if (one_in(2))
        leat_finish(s->out);
    leat_unref(s->out);
    return LEAT_OK;
}

/* Owns out. */
static leat_err start_sender(struct me *m, leat_tx(struct num) out, uint32_t chan, uint32_t relays)
{
    uint32_t id = oracle_sender(chan, m->rank);
    leat_err err = id == SENDERS ? LEAT_LIMIT : LEAT_OK;
    if (err == LEAT_OK) {
        oracle.sender[id].relays = relays;
        err = leat_go(m->work, sender, (struct sender){ out, id, m->rank });
    }
    if (err != LEAT_OK)
        leat_unref(out);
    return LEAT_OK;
}

/* == Receiving. == */

struct taker { leat_rx(struct num) in; uint32_t chan; bool leaves; };

static leat_err receive(leat_rx(struct num) in, struct num *v)
{
    leat_err err;
    uint32_t k = any(6);
    if (k == 0) {
        leat_with_deadline(LEAT_MS(any(50)))
            err = leat_recv(in, v);
        return err == LEAT_DEADLINE && leat_ctx_err() == LEAT_OK ? LEAT_AGAIN : err;
    }
    if (k == 1)
        return leat_try_recv(in, v);
    if (k == 2) {
        bool got = false, closed = false;
        leat_select(err) {
            leat_on_recv(in, v) { got = true; }
            leat_on_closed(in) { closed = true; }
            leat_on_after(LEAT_MS(any(100))) { }
        }
        return err != LEAT_OK ? err : got ? LEAT_OK : closed ? leat_recv(in, v) : LEAT_AGAIN;
    }
    return leat_recv(in, v);
}

static leat_err take(struct taker *t)
{
    struct num v;
    uint32_t stop = t->leaves ? any(60) : UINT32_MAX;
    for (;;) {
        leat_err err = receive(t->in, &v);
        if (err == LEAT_OK) {
            oracle_received(t->chan, v.from, v.n);
            for (uint32_t i = 0; i < v.text.len; i++)
                if (v.text.p[i] != (char)('a' + (int)(v.n % 26)))
                    broken("channel %u: number %" PRIu64 " of sender %" PRIu64 " was damaged", t->chan, v.n, v.from);
            leat_drop(num, &v);
        } else if (err != LEAT_AGAIN) {
            oracle_end(t->chan, err);
            break;
        }
        if (stop-- == 0)
            break;
        LEAT_TRY(err == LEAT_AGAIN ? leat_sleep(LEAT_MS(1 + any(20))) : pause_a_bit());
    }
    leat_unref(t->in);
    return LEAT_OK;
}

/* An end moves to another node.  `end` stays the caller's. */
static void give(leat_peer *p, leat_tx(struct num) end, uint64_t chan, uint64_t relays)
{
    leat_auto leat_tx(struct gift) gifts = NULL;
    struct gift g = { .end = leat_ref(end), .chan = chan, .relays = relays + 1 };    /* now: the caller may let go of its own meanwhile */
    leat_err err = leat_import(p, "gifts", &gifts, gift, 0);
    if (err == LEAT_OK)
        leat_with_deadline(LEAT_MS(any(3000)))
            err = leat_send_from(gifts, &g);
    if (err != LEAT_OK && err != LEAT_UNKNOWN)
        leat_drop(gift, &g);
}

static void give_any(struct me *m, leat_tx(struct num) end, uint64_t chan, uint64_t relays)
{
    if (m->peers_n && relays < RELAYS)
        give(m->peers[any(m->peers_n < PEERS_MAX ? m->peers_n : PEERS_MAX)], end, chan, relays);
}

/* A receive end moves to another node, or its elements are taken here.  Owns it. */
static leat_err give_in(struct me *m, leat_peer *p, leat_rx(struct num) in, uint64_t chan, uint64_t relays)
{
    leat_auto leat_tx(struct gift) gifts = NULL;
    leat_err err = leat_import(p, "gifts", &gifts, gift, 0);
    struct gift g = { .in = in, .chan = chan, .relays = relays + 1 };
    oracle.chan[chan].giver |= 1u << m->rank;
    if (err == LEAT_OK) {
        leat_with_deadline(LEAT_MS(any(3000)))
            err = leat_send_from(gifts, &g);
    }
    oracle.chan[chan].dropped |= err == LEAT_UNKNOWN;                /* it may be with nobody */
    if (err == LEAT_OK || err == LEAT_UNKNOWN)
        return LEAT_OK;
    return leat_go(m->work, take, (struct taker){ g.in, (uint32_t)chan, oracle.chan[chan].dropped });
}

static leat_err take_gifts(struct me **arg)
{
    struct me *m = *arg;
    leat_err err;
    leat_each(g, m->gifts, err) {
        oracle.moved++;
        if (g.in) {
            oracle.chan[g.chan].giver |= 1u << m->rank;
            if (m->peers_n && g.relays < RELAYS && one_in(3))
                LEAT_TRY(give_in(m, m->peers[any(m->peers_n < PEERS_MAX ? m->peers_n : PEERS_MAX)], g.in, g.chan, g.relays));
            else
                LEAT_TRY(leat_go(m->work, take, (struct taker){ g.in, (uint32_t)g.chan, oracle.chan[g.chan].dropped }));
            continue;
        }
        if (one_in(3))
            give_any(m, g.end, g.chan, g.relays);
        LEAT_TRY(start_sender(m, g.end, (uint32_t)g.chan, (uint32_t)g.relays));
    }
    return LEAT_OK;
}

/* == A node. == */

static leat_err make_own(struct me *m)
{
    static const uint32_t caps[] = { 0, 0, 0, 1, 1, 2, 3, 7, 30 };
    m->count = 1 + any(OWN_MAX);
    for (uint32_t i = 0; i < m->count && oracle.chans < CHANS; i++) {
        struct own *o = &m->own[i];
        char name[16];
        o->id = oracle.chans++;
        oracle.chan[o->id] = (struct o_chan){ .made = true, .home = m->rank, .capacity = caps[any(9)], .takers = one_in(4) ? 2 + any(2) : 1,
            .dropped = one_in(16) };
        leat_chan(struct num) c = leat_chan_make(struct num, oracle.chan[o->id].capacity);
        o->out = leat_ref(leat_tx_of(c));
        o->in = leat_ref(leat_rx_of(c));
        leat_unref(c);
        if ((o->moves = one_in(4)))
            oracle.chan[o->id].takers = 1;
        snprintf(name, sizeof name, "c%u", o->id);
        LEAT_TRY(leat_export(m->node, name, o->out, num));
    }
    m->gifts = leat_chan_make(struct gift, 3);
    return leat_export(m->node, "gifts", leat_tx_of(m->gifts), gift);
}

static leat_err start_takers(struct me *m, leat_group *g)
{
    for (uint32_t i = 0; i < m->count && m->own[i].out; i++) {
        const struct o_chan *c = &oracle.chan[m->own[i].id];
        for (uint32_t k = 0; k < c->takers && !m->own[i].moves; k++)
            LEAT_TRY(leat_go(g, take, (struct taker){ leat_ref(m->own[i].in), m->own[i].id, c->dropped }));
    }
    return leat_go(m->work, take_gifts, m);          /* a member: it starts others there while that is waited for */
}

/* Sends to what the node with this rank has, and gives some of its ends on. */
static leat_err visit(struct me *m, leat_peer *p, uint32_t rank)
{
    leat_err err = LEAT_OK;
    for (uint32_t i = 0; i < oracle.chans && err != LEAT_PEER_LOST; i++) {
        leat_tx(struct num) out = NULL;
        char name[16];
        if (oracle.chan[i].home != rank || one_in(4))
            continue;
        snprintf(name, sizeof name, "c%u", i);
        leat_with_deadline(LEAT_S(PATIENCE_S))
            err = leat_import(p, name, &out, num, 0);
        if (err != LEAT_OK)
            continue;
        if (one_in(4))
            give_any(m, out, i, 0);
        LEAT_TRY(start_sender(m, out, i, 0));
    }
    for (uint32_t i = 0; i < m->count && m->own[i].out; i++) {
        if (one_in(3))
            give(p, m->own[i].out, m->own[i].id, 0);
        if (m->own[i].moves && m->own[i].in && one_in(2)) {
            leat_rx(struct num) in = m->own[i].in;
            m->own[i].in = NULL;
            LEAT_TRY(give_in(m, p, in, m->own[i].id, 0));
        }
    }
    return LEAT_OK;
}

static leat_err dial(struct me *m, uint32_t rank, leat_peer **ret)
{
    char url[32];
    leat_err err = LEAT_REFUSED;
    snprintf(url, sizeof url, "tcp://h%u:1", rank);
    leat_with_deadline(LEAT_S(DIAL_S))               /* where nobody is ever answered, each try takes 20 s */
        for (int i = 0; i < 30 && err != LEAT_OK; i++)
            if ((err = leat_node_dial(m->node, url, ret)) != LEAT_OK && leat_sleep(LEAT_MS(100 + any(400))) != LEAT_OK)
                break;
    return err;
}

struct guest { struct me *me; uint32_t rank; };
static leat_err guest(struct guest *g)
{
    leat_peer *p;
    leat_ignore(leat_sleep(LEAT_MS(any(1 + style.pace_ms))));
    if (dial(g->me, g->rank, &p) != LEAT_OK)
        return LEAT_OK;
    g->me->peers[g->me->peers_n++ % PEERS_MAX] = p;
    leat_ignore(visit(g->me, p, g->rank));
    if (one_in(8)) {                                 /* a second session to the same node */
        leat_peer *q;
        if (dial(g->me, g->rank, &q) == LEAT_OK)
            leat_ignore(visit(g->me, q, g->rank));
    }
    return LEAT_OK;
}

static leat_err visit_all(struct me *m)
{
    for (uint32_t r = 0; r < style.nodes; r++)
        if (r != m->rank && !one_in(4))
            LEAT_TRY(leat_go(m->work, guest, (struct guest){ m, r }));
    for (uint32_t i = 0; i < m->count && m->own[i].out; i++)
        if (one_in(2))
            LEAT_TRY(start_sender(m, leat_ref(m->own[i].out), m->own[i].id, 0));
    return LEAT_OK;
}

static void no_more_exports(struct me *m)
{
    char name[16];
    for (uint32_t i = 0; i < m->count && m->own[i].out; i++) {
        struct own *o = &m->own[i];
        snprintf(name, sizeof name, "c%u", o->id);
        leat_unexport(m->node, name);
        leat_unref(o->out);
        if (o->in && o->moves && leat_go(m->work, take, (struct taker){ o->in, o->id, oracle.chan[o->id].dropped }) == LEAT_OK)
            o->in = NULL;                            /* nobody was there to whom it could go */
        leat_unref(o->in);
    }
    leat_unexport(m->node, "gifts");
}

/* Nobody leaves while others may still need it: an end that was given on goes through who gave it.  For who has crashed, not for ever. */
static void await_all(struct me *m)
{
    uint32_t left = 1;
    style.done[m->rank] = true;
    for (uint32_t i = 0; left && i < PATIENCE_S && leat_sleep(LEAT_S(1)) == LEAT_OK; i++) {
        left = 0;
        for (uint32_t r = 0; r < style.nodes; r++)
            left += !style.done[r];
    }
}

static leat_err live(struct me *m)
{
    leat_err err;
    leat_group work = { 0 };
    m->work = &work;
    leat_with_group(takers, err) {
        LEAT_TRY(start_takers(m, &takers));
        err = visit_all(m);
        leat_ignore(leat_sleep(LEAT_S(20)));         /* everybody has imported by then, or never will */
        no_more_exports(m);
        leat_close(m->gifts);
        leat_ignore(leat_group_wait(&work));
    }
    await_all(m);
    leat_unref(m->gifts);
    return err;
}

static leat_err node(leat_none *none)
{
    struct me m = { .rank = (uint32_t)atoi(host_getenv("LEAT_RANK")) };
    char url[32];
    (void)none;
    if (!style.drawn) {
        static const uint32_t paces[] = { 5, 50, 500, 5000 };
        style.pace_ms = paces[any(4)];
        style.text_max = one_in(3) ? 100000 : 200;
        style.drawn = true;
    }
    for (uint32_t i = 0; i < oracle.chans; i++)      /* an incarnation before this one has died, and with it its channels */
        oracle.chan[i].dead |= oracle.chan[i].home == m.rank || oracle.chan[i].giver >> m.rank & 1;
    style.done[m.rank] = false;
    LEAT_TRY(leat_node_open(NULL, &m.node));
    LEAT_TRY(make_own(&m));
    snprintf(url, sizeof url, "tcp://h%u:1", m.rank);
    LEAT_TRY(leat_node_listen(m.node, url));
    leat_err err = live(&m);
    leat_with_deadline(LEAT_S(PATIENCE_S))
        leat_node_close(m.node);
    return err;
}

int main(void)
{
    const char *sim = getenv("LEAT_SIM");
    if (!sim || !setting("nodes="))
        return fputs("leat: channels: run it under `leat sim`\n", stderr), 2;
    style.nodes = setting("nodes=");
    oracle.calm = strstr(sim, "faults=delay") || strstr(sim, "faults=none") || strstr(sim, "plan=none");
    leat_err err = leat_run(NULL, node, LEAT_NONE);
    if (err != LEAT_OK && err != LEAT_CANCELED)
        broken("node 0: %s: %s", leat_err_name(err), leat_err_detail());
    oracle_judge(err == LEAT_OK);
    if (getenv("CHANNELS_TALK"))
        fprintf(stderr, "%u channels, %u senders: %" PRIu64 " sent, %" PRIu64 " perhaps, %" PRIu64 " not sent, %" PRIu64
            " received, %" PRIu64 " lost, %" PRIu64 " ends moved\n",
            oracle.chans, oracle.senders, oracle.sent, oracle.perhaps, oracle.not_sent, oracle.received, oracle.lost, oracle.moved);
    puts("every promise was kept");
    return 0;
}
