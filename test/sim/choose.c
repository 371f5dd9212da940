/* choose.c - selects of many tasks at several nodes over few channels, for `leat sim`: each select mixes sends and receives, here and
 * elsewhere, through relays and through a session of a node to itself, with timers, otherwise, deadlines and cancels.  What each was told
 * is held against what was received:
 *
 *  1. One case of a select runs, or none, and then it is an error.
 *  2. A value is received once if the case of its send has run; perhaps if its select was UNKNOWN; else never.
 *  3. Values that one task sends through one end are received in the order sent, where one task receives.
 *  4. Nobody waits long while another waits for what he offers (in a world without faults).  With faults, a select whose offer is out is
 *     over when the sessions on the way to its home have answered or ended: after their silence and grace.
 *  5. In a world without faults nobody is lost, and nothing is UNKNOWN but by a deadline or a cancel.
 * It ends with 0 whatever was lost, so that only a broken promise is a failure. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "leat.h"
#include "judge.h"
#undef errno
#include "run/host.h"
#include "run/sched.h"
#include "run/seam.h"

enum { NODES = 5, OWN = 2, CHANS = NODES * OWN, TASKS = 3, ALL = NODES * TASKS, ROUNDS = 14, SENDS = 3, RECVS = 2,
    EACH = ROUNDS * SENDS, PLACES = 40, PATIENCE_S = 1500, LOST_PATIENCE_S = 200, DIAL_S = 200, ALONE_S = 60, LOST_S = 20,
    LATE_S = 2, SILENCE_S = 10, GRACE_S = 30, WAY = 2,             /* WAY: sessions between a select and a home */
    LOST_LATE_S = WAY * (SILENCE_S + GRACE_S) + LATE_S };
enum fate { NOTHING, BEGUN, SENT, PERHAPS, NOT_SENT };

LEAT_STRUCT(num, (uint64, chan), (uint64, from), (uint64, n), (uint64, place), (string, text));

/* One process is the whole world, and one thread. */
static struct {
    uint32_t nodes, takers[CHANS], cap[CHANS], ended;
    bool calm, drawn, ran[NODES], done[NODES], drained[NODES], dead[CHANS], closed[CHANS];
    uint8_t fate[ALL][EACH], received[ALL][EACH], chan[ALL][EACH];
    uint64_t last[ALL][PLACES];                      /* through this place of the task's node: number after the last one received */
    struct { bool waits; leat_time since; uint32_t out, in; } task[ALL];      /* bits: channels that it would send to, receive from */
    uint64_t won[3], unknown, polls, met;            /* sends, receives, others */
} w;

static uint32_t any(uint32_t below) { return (uint32_t)(rt_random(rt_self()) % below); }
static bool one_in(uint32_t n) { return any(n) == 0; }

struct place { leat_tx(struct num) tx; uint32_t chan; };     /* a send end, wherever its channel is */
struct me {
    uint32_t rank, places, joined;
    leat_node *node;
    leat_chan(struct num) own[OWN];
    struct place place[PLACES];
    leat_group *work;
};
struct chooser { struct me *m; uint32_t id; };

static void got(uint32_t chan, struct num *v)
{
    if (v->from >= ALL || v->n >= EACH || v->place >= PLACES || v->chan != chan)
        broken("channel %u: a value that nobody sent", chan);
    uint8_t f = w.fate[v->from][v->n];
    if (w.received[v->from][v->n]++)
        broken("channel %u: number %" PRIu64 " of task %" PRIu64 " was received twice", chan, v->n, v->from);
    if (f == NOTHING || f == NOT_SENT)
        broken("channel %u: number %" PRIu64 " of task %" PRIu64 " was received, and its case had not run", chan, v->n, v->from);
    if (w.takers[chan] == 1 && v->n < w.last[v->from][v->place])
        broken("channel %u: number %" PRIu64 " of task %" PRIu64 " was received after a later one", chan, v->n, v->from);
    w.last[v->from][v->place] = v->n + 1;
    for (uint32_t i = 0; i < v->text.len; i++)
        if (v->text.p[i] != (char)('a' + (int)(v->n % 26)))
            broken("channel %u: number %" PRIu64 " of task %" PRIu64 " was damaged", chan, v->n, v->from);
    leat_drop(num, v);
}

/* A task has waited for very long: nobody else may wait for it as long. */
static void alone(uint32_t id)
{
    for (uint32_t i = 0; i < ALL && w.calm; i++) {
        uint32_t meet = (w.task[i].out & w.task[id].in) | (w.task[i].in & w.task[id].out);
        for (uint32_t c = 0; c < CHANS; c++)
            meet &= ~((uint32_t)w.closed[c] << c);
        if (i != id && w.task[i].waits && meet && leat_since(w.task[i].since).ns > LEAT_S(LOST_S).ns)
            broken("tasks %u and %u wait for each other, on the channels %x", id, i, meet);
    }
}

/* -- one select ------------------------------------------------------------------------------------------------------------------- */
struct choice {
    leat_tx(struct num) out[SENDS];
    leat_rx(struct num) in[RECVS];
    uint32_t to[SENDS], of[RECVS];
    struct num v[SENDS], got[RECVS];
    bool timer, poll;
    leat_dur patience, most;                         /* most: then its timer, deadline or cancel has come */
    leat_err err;
    int fired, runs;                                 /* a send, SENDS + a receive, -1: another case */
};

static void choose(struct choice *c)
{
    c->fired = -1;
    leat_select(c->err) {
        leat_on_send(c->out[0], &c->v[0]) { c->fired = 0; c->runs++; }
        leat_on_recv(c->in[0], &c->got[0]) { c->fired = SENDS; c->runs++; }
        leat_on_send(c->out[1], &c->v[1]) { c->fired = 1; c->runs++; }
        leat_on_send(c->out[2], &c->v[2]) { c->fired = 2; c->runs++; }
        leat_on_recv(c->in[1], &c->got[1]) { c->fired = SENDS + 1; c->runs++; }
        if (c->timer)
            leat_on_after(c->patience) { c->runs++; }
        if (c->poll)
            leat_otherwise { c->runs++; }
    }
}

static leat_err choose_task(struct choice **c)
{
    choose(*c);
    return LEAT_OK;
}

/* The same, in one of the ways. */
static void choose_somehow(struct choice *c)
{
    leat_err err;
    uint32_t how = any(8);
    leat_dur soon = how < 2 ? LEAT_MS(any(60)) : LEAT_S(PATIENCE_S);
    c->most = soon.ns < c->patience.ns || c->poll ? soon : c->patience;      /* a poll waits for its answer */
    if (how == 0) {
        leat_with_deadline(soon)
            choose(c);
    } else if (how == 1) {
        c->err = LEAT_CANCELED;
        leat_with_group(g, err)
            if (leat_go(&g, choose_task, c) == LEAT_OK) {
                leat_ignore(leat_sleep(soon));
                leat_group_cancel(&g);
            }
    } else {
        choose(c);
    }
}

static void draw(struct chooser *x, struct choice *c, uint32_t round)
{
    struct me *m = x->m;
    uint32_t sends = any(SENDS + 1), recvs = any(RECVS + 1);
    *c = (struct choice){ .timer = one_in(6), .poll = one_in(5), .patience = LEAT_MS(any(40)) };
    if (!c->timer && !c->poll) {
        c->timer = true;
        c->patience = LEAT_S(ALONE_S);
    }
    for (uint32_t i = 0; i < sends && m->places; i++) {
        uint32_t k = any(m->places);
        const struct place *p = &m->place[k];
        uint64_t n = round * SENDS + i;
        c->out[i] = p->tx;
        c->to[i] = p->chan;
        c->v[i] = (struct num){ .chan = p->chan, .from = x->id, .n = n, .place = k };
        char text[40];
        memset(text, 'a' + (int)(n % 26), sizeof text);
        if (sends == 1 && leat_string_dup(text, any(sizeof text), &c->v[i].text) != LEAT_OK) /* of several UNKNOWN ones one has gone */
            broken("no memory");
        w.fate[x->id][n] = BEGUN;
        w.chan[x->id][n] = (uint8_t)p->chan;
        w.task[x->id].out |= 1u << p->chan;
    }
    for (uint32_t i = 0; i < recvs; i++) {
        uint32_t k = any(OWN);
        if (w.takers[m->rank * OWN + k] == 1 && x->id % TASKS)
            continue;                                /* that one is the first task's alone */
        c->in[i] = leat_rx_of(m->own[k]);
        c->of[i] = m->rank * OWN + k;
        w.task[x->id].in |= 1u << c->of[i];
    }
}

static void settle(struct chooser *x, struct choice *c)
{
    int64_t late = leat_since(w.task[x->id].since).ns - c->most.ns;
    if (late > LEAT_S(w.calm ? LATE_S : LOST_LATE_S).ns)
        broken("task %u: its select should have been over %" PRId64 " ms ago", x->id, late / 1000000);
    if (c->runs > 1 || (c->err == LEAT_OK && c->runs != 1) || (c->err != LEAT_OK && c->runs))
        broken("task %u: %d cases ran of a select that returned %s", x->id, c->runs, leat_err_name(c->err));
    if (c->err == LEAT_INVAL || c->err == LEAT_NOMEM || c->err == LEAT_TYPE || c->err == LEAT_LIMIT)
        broken("task %u: %s: %s", x->id, leat_err_name(c->err), leat_err_detail());
    if (w.calm && (c->err == LEAT_PEER_LOST || (c->err == LEAT_UNKNOWN && leat_err_why() == LEAT_PEER_LOST)))
        broken("task %u: %s in a world without faults: %s", x->id, leat_err_name(c->err), leat_err_detail());
    w.unknown += c->err == LEAT_UNKNOWN;
    w.won[c->fired < 0 ? 2 : c->fired >= SENDS] += c->err == LEAT_OK;
    for (int i = 0; i < SENDS; i++) {
        if (!c->out[i])
            continue;
        uint8_t *f = &w.fate[x->id][c->v[i].n];
        bool was = w.received[x->id][c->v[i].n];
        *f = c->fired == i ? SENT : c->err == LEAT_UNKNOWN ? PERHAPS : NOT_SENT;
        if (was && *f == NOT_SENT)
            broken("channel %u: number %" PRIu64 " of task %u was received, and its select says %s", c->to[i], c->v[i].n, x->id,
                leat_err_name(c->err));
        if (*f == NOT_SENT)
            leat_drop(num, &c->v[i]);
    }
    if (c->fired >= SENDS)
        got(c->of[c->fired - SENDS], &c->got[c->fired - SENDS]);
}

static leat_err chooser(struct chooser *x)
{
    struct choice c;
    for (uint32_t round = 0; round < ROUNDS; round++) {
        draw(x, &c, round);
        w.task[x->id].since = leat_now();
        w.task[x->id].waits = true;
        choose_somehow(&c);
        if (c.err == LEAT_OK && c.fired < 0 && c.timer && c.patience.ns == LEAT_S(ALONE_S).ns)
            alone(x->id);
        w.task[x->id].waits = false;
        w.task[x->id].out = w.task[x->id].in = 0;
        settle(x, &c);
        if (one_in(3))
            leat_ignore(leat_sleep(LEAT_MS(any(30))));
        if (one_in(60)) {                            /* one of its channels ends early */
            uint32_t k = any(OWN);
            w.closed[x->m->rank * OWN + k] = true;
            leat_close(x->m->own[k]);
        }
    }
    w.ended++;
    return LEAT_OK;
}

/* -- a node ------------------------------------------------------------------------------------------------------------------------- */
static leat_err dial(leat_node *n, uint32_t to, leat_peer **ret)
{
    char url[32];
    leat_err err = LEAT_REFUSED;
    snprintf(url, sizeof url, "tcp://h%u:1", to);
    leat_with_deadline(LEAT_S(DIAL_S))               /* where nobody is ever answered, each try takes 20 s */
        for (int i = 0; i < 40 && err != LEAT_OK; i++)
            if ((err = leat_node_dial(n, url, ret)) != LEAT_OK && leat_sleep(LEAT_MS(20 + any(100))) != LEAT_OK)
                break;
    return err;
}

static void take_place(struct me *m, leat_peer *p, const char *name, uint32_t chan)
{
    leat_tx(struct num) tx = NULL;
    leat_err err = LEAT_OK;
    if (m->places == PLACES)
        return;
    leat_with_deadline(LEAT_S(30))
        err = leat_import(p, name, &tx, num, 0);
    if (w.calm && err == LEAT_PEER_LOST)
        broken("channel %u, '%s': %s in a world without faults", chan, name, leat_err_detail());
    if (err == LEAT_OK)
        m->place[m->places++] = (struct place){ tx, chan };
}

/* Send ends of what the node `r` has, and of what it relays: those it has from the node before it. */
static leat_err visit(struct me *m, uint32_t r)
{
    char name[16];
    leat_peer *p = NULL;
    leat_err err = r == m->rank ? leat_node_self(m->node, &p) : dial(m->node, r, &p);
    for (uint32_t k = 0; k < OWN && err == LEAT_OK; k++) {
        snprintf(name, sizeof name, "c%u", r * OWN + k);
        if (!one_in(4))
            take_place(m, p, name, r * OWN + k);
        snprintf(name, sizeof name, "r%u", (r + 1) % w.nodes * OWN + k);
        if (one_in(3) && r != m->rank)
            take_place(m, p, name, (r + 1) % w.nodes * OWN + k);
    }
    return LEAT_OK;
}

/* Gives what it has of the next node on, under another name. */
static leat_err relays(struct me *m, leat_peer *next)
{
    for (uint32_t k = 0; k < OWN; k++) {
        char name[16];
        leat_auto leat_tx(struct num) tx = NULL;
        leat_err err = LEAT_OK;
        snprintf(name, sizeof name, "c%u", (m->rank + 1) % w.nodes * OWN + k);
        leat_with_deadline(LEAT_S(30))
            err = leat_import(next, name, &tx, num, 0);
        name[0] = 'r';
        if (err == LEAT_OK)
            LEAT_TRY(leat_export(m->node, name, tx, num));
    }
    return LEAT_OK;
}

static leat_err await(const bool *flags)
{
    for (uint32_t i = 0, left = 1; left && i < (w.calm ? PATIENCE_S : LOST_PATIENCE_S); i++) {
        LEAT_TRY(leat_sleep(LEAT_S(1)));
        left = 0;
        for (uint32_t r = 0; r < w.nodes; r++)
            left += !flags[r];
    }
    return LEAT_OK;
}

static void drain(struct me *m)
{
    struct num v;
    for (uint32_t k = 0; k < OWN; k++)
        while (leat_try_recv(m->own[k], &v) == LEAT_OK)
            got(m->rank * OWN + k, &v);
}

static leat_err live(struct me *m)
{
    leat_err err;
    leat_peer *next = NULL;
    if (w.nodes > 1 && dial(m->node, (m->rank + 1) % w.nodes, &next) == LEAT_OK)
        leat_ignore(relays(m, next));
    leat_ignore(leat_sleep(LEAT_MS(any(300))));
    for (uint32_t r = 0; r < w.nodes; r++)
        if (r != m->rank || one_in(3))
            leat_ignore(visit(m, r));
    for (uint32_t k = 0; k < OWN && m->places < PLACES; k++)
        m->place[m->places++] = (struct place){ leat_ref(leat_tx_of(m->own[k])), m->rank * OWN + k };
    leat_with_group(g, err)
        for (uint32_t i = 0; i < TASKS; i++)
            leat_ignore(leat_go(&g, chooser, (struct chooser){ m, m->rank * TASKS + i }));   /* CANCELED: node 0 has ended */
    for (uint32_t i = 0; i < m->places; i++)
        leat_with_deadline(LEAT_S(w.calm ? PATIENCE_S : LOST_S))
            leat_ignore(leat_flush(m->place[i].tx));
    w.done[m->rank] = true;
    leat_ignore(await(w.done));
    drain(m);
    w.drained[m->rank] = true;
    leat_ignore(await(w.drained));
    for (uint32_t i = 0; i < m->places; i++)
        leat_unref(m->place[i].tx);
    return err;
}

static leat_err node(leat_none *none)
{
    struct me m = { .rank = (uint32_t)atoi(host_getenv("LEAT_RANK")) };
    static const uint32_t caps[] = { 0, 0, 0, 0, 0, 1, 2, 5 };
    char url[32], name[16];
    (void)none;
    for (uint32_t k = 0; k < OWN; k++)
        w.dead[m.rank * OWN + k] = w.ran[m.rank];
    if (w.ran[m.rank])                               /* it comes back after a crash: the others go on without it */
        return w.done[m.rank] = w.drained[m.rank] = true, LEAT_OK;
    w.ran[m.rank] = true;
    LEAT_TRY(leat_node_open(NULL, &m.node));
    for (uint32_t k = 0; k < OWN; k++) {
        uint32_t id = m.rank * OWN + k;
        w.cap[id] = caps[any(8)];
        w.takers[id] = 1 + any(2);
        m.own[k] = leat_chan_make(struct num, w.cap[id]);
        leat_chan_owns(m.own[k], num);
        snprintf(name, sizeof name, "c%u", id);
        LEAT_TRY(leat_export(m.node, name, leat_tx_of(m.own[k]), num));
    }
    snprintf(url, sizeof url, "tcp://h%u:1", m.rank);
    leat_err err = leat_node_listen(m.node, url);
    if (err == LEAT_OK)
        err = live(&m);
    leat_with_deadline(LEAT_S(90))
        leat_node_close(m.node);
    for (uint32_t k = 0; k < OWN; k++)
        leat_unref(m.own[k]);
    return err;
}

int main(void)
{
    const char *sim = getenv("LEAT_SIM");
    w.nodes = setting("nodes=");
    if (!w.nodes || w.nodes > NODES)
        return fputs("leat: choose: run it under `leat sim`, with at most 5 nodes\n", stderr), 2;
    w.calm = strstr(sim, "faults=delay") || strstr(sim, "faults=none") || strstr(sim, "plan=none");
    leat_err err = leat_run(NULL, node, LEAT_NONE);
    if (err != LEAT_OK && err != LEAT_CANCELED)
        broken("node 0: %s: %s", leat_err_name(err), leat_err_detail());
    for (uint32_t s = 0; s < ALL; s++)
        for (uint32_t n = 0; n < EACH && w.calm && err == LEAT_OK; n++)
            if (w.fate[s][n] == SENT && !w.received[s][n])
                broken("channel %u (capacity %u%s): number %u of task %u, whose case has run, was never received", w.chan[s][n],
                    w.cap[w.chan[s][n]], w.closed[w.chan[s][n]] ? ", closed" : "", n, s);
    if (w.calm && err == LEAT_OK && w.ended != w.nodes * TASKS)
        broken("only %u of %u tasks have come to their end", w.ended, w.nodes * TASKS);
    if (getenv("CHANNELS_TALK"))
        fprintf(stderr, "%" PRIu64 " sends, %" PRIu64 " receives, %" PRIu64 " others, %" PRIu64 " unknown\n", w.won[0], w.won[1], w.won[2],
            w.unknown);
    puts("every promise was kept");
    return 0;
}
