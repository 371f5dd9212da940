/* oracle.h - what channels.c knows of its whole world, which is one process: every send with its outcome, every receive, and what must
 * be true of the two in the end.
 *
 *  1. An element is received at most once.
 *  2. OK: it is in the channel, or was received; certainly so when the channel ended with CLOSED.  LEAT_UNKNOWN: perhaps.  Any other
 *     error: it was never received.
 *  3. The elements of one sender are received in the order sent, and what is lost with a session is lost from the end: whoever was
 *     received had all before it received that were OK.
 *  4. Complete and not yet received are at most as many as the capacity.
 *  5. What has a deadline ends soon after it.
 *  6. In a world without a fault nobody is lost, every channel is closed, and only what was given up is unknown. */
#ifndef TEST_SIM_ORACLE_H
#define TEST_SIM_ORACLE_H
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "leat.h"
#include "judge.h"

enum { CHANS = 96, SENDERS = 512, EACH = 24, SETTLE_MS = 1500 };
enum outcome { NOTHING, BEGUN, SENT, PERHAPS, NOT_SENT };

struct o_chan {
    bool made, dead;                                 /* dead: its home has crashed */
    bool dropped;                                    /* its receivers have left: what was queued is gone */
    uint32_t home, takers, capacity;
    uint32_t giver;                                  /* nodes its receive end has been at or left, a bit each */
    leat_err end;                                    /* what its receivers saw: CLOSED, PEER_LOST ... */
    bool ended;
    int64_t ahead, most_ahead;
};
struct o_sender {
    uint32_t chan, node, relays;                     /* relays: moves of its end */
    uint32_t begun, next;                            /* next: the number after the last that was received */
    uint8_t outcome[EACH], received[EACH];
    bool late;                                       /* an element came after a later one */
};
static struct {
    struct o_chan chan[CHANS];
    struct o_sender sender[SENDERS];
    uint32_t chans, senders;
    uint64_t sent, perhaps, not_sent, received, lost, moved;
    bool calm;                                       /* no fault is possible here */
} oracle;

static uint32_t oracle_sender(uint32_t chan, uint32_t node)
{
    if (oracle.senders == SENDERS)
        return SENDERS;
    oracle.sender[oracle.senders] = (struct o_sender){ .chan = chan, .node = node };
    return oracle.senders++;
}

static void oracle_outcome(uint32_t s, uint32_t n, leat_err err)
{
    struct o_sender *x = &oracle.sender[s];
    struct o_chan *c = &oracle.chan[x->chan];
    x->outcome[n] = err == LEAT_OK ? SENT : err == LEAT_UNKNOWN ? PERHAPS : NOT_SENT;
    *(err == LEAT_OK ? &oracle.sent : err == LEAT_UNKNOWN ? &oracle.perhaps : &oracle.not_sent) += 1;
    oracle.lost += err == LEAT_PEER_LOST;
    c->ahead += err == LEAT_OK && !c->dead;
    if (err == LEAT_UNKNOWN && oracle.calm && leat_err_why() == LEAT_PEER_LOST)
        broken("channel %u (capacity %u, node %u's): number %u of sender %u at node %u is unknown without a fault, for PEER_LOST: %s",
            x->chan, c->capacity, c->home, n, s, x->node, leat_err_detail());
    if (err == LEAT_PEER_LOST && oracle.calm)
        broken("channel %u (capacity %u, node %u's): node %u has lost a peer in a world without faults: %s", x->chan, c->capacity, c->home,
            x->node, leat_err_detail());
    if (err == LEAT_INVAL || err == LEAT_NOMEM || err == LEAT_TYPE || err == LEAT_LIMIT)
        broken("a send of node %u: %s: %s", x->node, leat_err_name(err), leat_err_detail());
}

static void oracle_received(uint32_t chan, uint64_t s, uint64_t n)
{
    if (s >= oracle.senders || n >= EACH)
        broken("channel %u: received an element that nobody sent: sender %" PRIu64 ", number %" PRIu64, chan, s, n);
    struct o_sender *x = &oracle.sender[s];
    struct o_chan *c = &oracle.chan[chan];
    if (x->chan != chan)
        broken("channel %u: received number %" PRIu64 " of sender %" PRIu64 ", which sends to channel %u", chan, n, s, x->chan);
    if (x->received[n]++)
        broken("channel %u (capacity %u): number %" PRIu64 " of sender %" PRIu64 " was received twice", chan, c->capacity, n, s);
    if (x->outcome[n] == NOT_SENT)
        broken("channel %u (capacity %u): number %" PRIu64 " of sender %" PRIu64 " was received, and its sender was told that it was not",
            chan, c->capacity, n, s);
    if (x->outcome[n] == NOTHING)
        broken("channel %u: number %" PRIu64 " of sender %" PRIu64 " was received before it was sent", chan, n, s);
    if (n < x->next && c->takers == 1)
        broken("channel %u (capacity %u): number %" PRIu64 " of sender %" PRIu64 " was received after number %u", chan, c->capacity, n, s,
            x->next - 1);
    x->next = (uint32_t)n + 1;
    oracle.received++;
    c->ahead--;
    c->most_ahead = c->ahead > c->most_ahead ? c->ahead : c->most_ahead;
    if (oracle.calm && !c->dropped && c->ahead > (int64_t)c->capacity + c->takers - 1)
        broken("channel %u: %" PRId64 " elements are ahead, its capacity is %u", chan, c->ahead, c->capacity);
}

static void oracle_end(uint32_t chan, leat_err end)
{
    struct o_chan *c = &oracle.chan[chan];
    if (end != LEAT_CLOSED && end != LEAT_PEER_LOST && end != LEAT_CANCELED)
        broken("channel %u ended with %s: %s", chan, leat_err_name(end), leat_err_detail());
    if (end == LEAT_PEER_LOST && oracle.calm)
        broken("channel %u ended with PEER_LOST in a world without faults: %s", chan, leat_err_detail());
    c->ended = true;
    if (c->end != LEAT_CLOSED)
        c->end = end;
}

/* Where each element of a channel that closed in order, or did not, may be. */
static void judge_sender(const struct o_sender *x, uint32_t s)
{
    const struct o_chan *c = &oracle.chan[x->chan];
    bool complete = c->end == LEAT_CLOSED && !c->dead && !c->dropped, hole = false;
    for (uint32_t n = 0; n < x->begun; n++) {
        bool sent = x->outcome[n] == SENT, got = x->received[n];
        if (sent && !got && complete)
            broken("channel %u (capacity %u) was closed, and number %u of sender %u, which is OK, was never received", x->chan, c->capacity,
                n, s);
        if (sent && !got && !c->capacity && !c->dead && !c->dropped)
            broken("channel %u has no capacity, and number %u of sender %u, which is OK, was never received", x->chan, n, s);
        if (got && hole && !c->dropped && !(c->dead && c->takers > 1))
            broken("channel %u (capacity %u): number %u of sender %u was received, and one before it, which is OK, never", x->chan,
                c->capacity, n, s);
        hole |= sent && !got;
    }
}

static void oracle_judge(bool ended)
{
    for (uint32_t s = 0; s < oracle.senders; s++)
        judge_sender(&oracle.sender[s], s);
    for (uint32_t i = 0; i < oracle.chans && oracle.calm && ended; i++)
        if (oracle.chan[i].made && !oracle.chan[i].ended && !oracle.chan[i].dropped)
            broken("channel %u has not ended in a world without faults", i);
}
#endif
