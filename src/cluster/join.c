/* join.c - leat_node_join: finds the other nodes of this program and makes them peers.
 *
 * Node 0 calls every other node; every other node calls node 0.  The second call carries nothing: its session ends when node 0
 * ends, however it ends, and that is how the others learn of it. */
#include "cluster/join.h"
#include <errno.h>                                   /* names of errors */
#include "base/alloc.h"
#include "base/probe.h"
#include "cluster/env.h"
#include "rpc/workers.h"
#include "run/err.h"
#include "run/sched.h"

enum { PATIENCE_S = 10, AGAIN_MS = 50, CALLS_MIN = 3 };

/* What leat_node_join has given out lives as long as the node. */
struct joined { struct joined *next; leat_peer *at[]; };

static void joined_free(leat_node *n)
{
    struct joined *j = node_slots(n)->joined;
    node_slots(n)->joined = NULL;
    while (j) {
        struct joined *next = j->next;
        mem_free(j);
        j = next;
    }
}

const struct sess_user cluster_user = { .name = "cluster", .node_close = joined_free };

static struct joined *joined_make(uint32_t peers)
{
    struct joined *j = mem_alloc(sizeof *j + peers * sizeof j->at[0]);
    if (!j)
        leat_ignore(leat_fail(LEAT_NOMEM, "no memory for %u peers", peers));
    return j;
}

/* A program has one task that joins, so nobody else is at this list. */
static void joined_keep(leat_node *n, struct joined *j, uint32_t peers, leat_peers *ret)
{
    j->next = node_slots(n)->joined;
    node_slots(n)->joined = j;
    *ret = (leat_peers){ .at = j->at, .len = peers };
}

/* Where a launcher has made the sockets, whoever is called is there.  Elsewhere the others may not have started yet.  Who has lost its
 * power with a call does not answer, and one such call lasts as long as our patience: it is called again even so. */
static leat_err dial(leat_node *n, const char *url, bool patient, leat_peer **ret)
{
    leat_time began = leat_now();
    for (int calls = 1;; calls++) {
        leat_err err = leat_node_dial(n, url, ret);
        bool absent = err == LEAT_REFUSED || err == LEAT_SYS;
        if (!absent || !patient || (leat_since(began).ns > (int64_t)PATIENCE_S * 1000000000 && calls >= CALLS_MIN))
            return err;
        LEAT_TRY(leat_sleep(LEAT_MS(BUGGIFY("join.calls_at_once") ? 1 : AGAIN_MS)));
    }
}

/* Nobody, or nobody any more, behind an address.  Where a launcher has made the socket, a node was there and has died. */
static bool is_absent(leat_err err)
{
    int sys = leat_err_sys();
    return err == LEAT_REFUSED || err == LEAT_PEER_LOST ||
        (err == LEAT_SYS && (sys == ECONNRESET || sys == EPIPE));
}

static leat_err node_missing(leat_err err, uint32_t rank, bool patient)
{
    if (!patient && is_absent(err))
        return leat_fail(LEAT_PEER_LOST, "node %u: %s", rank, leat_err_detail());
    return leat_wrap(err, "node %u", rank);
}

/* Calls the addresses from `first` on.  Those of a launch, which leaves out node 0, are known by rank, those of a list by address. */
static leat_err dial_all(leat_node *n, const struct url_list *l, uint32_t first, bool patient, leat_peers *ret)
{
    uint32_t count = l->len - first;
    bool ranks = first > 0;
    struct joined *j = joined_make(count);
    if (!j)
        return LEAT_NOMEM;
    for (uint32_t i = 0; i < count; i++) {
        leat_err err = dial(n, l->at[first + i], patient, &j->at[i]);
        if (err != LEAT_OK) {
            mem_free(j);
            return ranks ? node_missing(err, first + i, patient) : err;
        }
    }
    joined_keep(n, j, count, ret);
    return LEAT_OK;
}

static leat_err join_alone(leat_node *n, leat_peers *ret)
{
    struct joined *j = joined_make(1);
    if (!j)
        return LEAT_NOMEM;
    leat_err err = leat_node_self(n, &j->at[0]);
    if (err != LEAT_OK) {
        mem_free(j);
        return err;
    }
    joined_keep(n, j, 1, ret);
    return LEAT_OK;
}

static leat_err join_list(leat_node *n, const char *urls, leat_peers *ret)
{
    struct url_list l;
    LEAT_TRY(url_list_parse("the list of nodes", urls, &l));
    leat_err err = dial_all(n, &l, 0, false, ret);
    url_list_done(&l);
    return err;
}

static leat_err listen_as_told(leat_node *n, const struct cluster *c)
{
    const char *url = c->nodes.at[c->rank];
    leat_err err = c->listen_fd >= 0 ? node_listen_fd(n, c->listen_fd, url) : leat_node_listen(n, url);
    if (err == LEAT_OK)
        return LEAT_OK;
    return c->listen_fd >= 0 ? leat_wrap(err, "node %u: LEAT_LISTEN_FD %d", c->rank, c->listen_fd) : leat_wrap(err, "node %u", c->rank);
}

static leat_err served(void)
{
    run_served();
    return leat_fail(LEAT_CANCELED, "node 0 has ended");
}

/* A node other than 0: until node 0 ends.  It calls first and listens then: so node 0, which needs it, cannot have come and gone
 * before the call. */
static leat_err serve(leat_node *n, const struct cluster *c)
{
    leat_peer *first;
    leat_err err = dial(n, c->nodes.at[0], c->listen_fd < 0, &first);
    if (c->listen_fd >= 0 && is_absent(err))
        return served();                             /* its socket was there before this process: it has died at once */
    if (err != LEAT_OK)
        return leat_wrap(err, "node 0");
    LEAT_TRY(listen_as_told(n, c));
    err = leat_peer_wait(first);
    return err == LEAT_OK || err == LEAT_PEER_LOST ? served() : err;   /* other errors: this node's own context has ended */
}

leat_err cluster_join(leat_node *n, const struct cluster *c, leat_peers *ret)
{
    if (c->nodes.len == 0)
        return join_alone(n, ret);
    if (c->rank != 0)
        return serve(n, c);
    LEAT_TRY(listen_as_told(n, c));
    return c->nodes.len == 1 ? join_alone(n, ret) : dial_all(n, &c->nodes, 1, c->listen_fd < 0, ret);
}

leat_err leat_node_join(leat_node *n, const char *urls, leat_peers *ret)
{
    struct cluster c;
    if (!n)
        return leat_fail(LEAT_INVAL, "leat_node_join: no node");
    if (urls)
        return join_list(n, urls, ret);
    LEAT_TRY(cluster_self(&c));
    leat_err err = cluster_join(n, &c, ret);
    cluster_done(&c);
    return err;
}

/* -- the workers of a deal ---------------------------------------------------------------------------------------------------- *
 * The same addresses, but one that cannot be reached is dialed again by the deal. */
struct reach {
    leat_node *n;
    const char *url;
    uint32_t rank;                                   /* 0: of a list */
    bool patient;
    leat_peer *peer;
    leat_err err;
    struct fault *fault;                             /* its detail */
};

static leat_err reach_once(struct reach *r)
{
    leat_err err = dial(r->n, r->url, r->patient, &r->peer);
    return err == LEAT_OK || r->rank == 0 ? err : node_missing(err, r->rank, r->patient);
}

static leat_err reach(struct reach **arg)
{
    struct reach *r = *arg;
    r->err = reach_once(r);
    if (r->err != LEAT_OK)
        r->fault = err_take(task_self(), r->err);
    return LEAT_OK;
}

static leat_err add_reached(leat_workers *ws, struct reach *r, uint32_t count)
{
    leat_err err = LEAT_OK;
    uint32_t up = 0;
    for (uint32_t i = 0; i < count && err == LEAT_OK; i++) {
        up += r[i].err == LEAT_OK;
        err = r[i].err == LEAT_OK ? leat_workers_add(ws, r[i].peer) : leat_workers_add_url(ws, r[i].url);
    }
    if (err == LEAT_OK && up == 0) {
        err = r[0].err;
        err_give(task_self(), r[0].fault, err);
        r[0].fault = NULL;
    }
    return err;
}

static leat_err reach_all(leat_workers *ws, const struct url_list *l, uint32_t first, bool patient)
{
    uint32_t count = l->len - first;
    struct reach *r = mem_zalloc(count * sizeof *r);
    leat_err err;
    if (!r)
        return leat_fail(LEAT_NOMEM, "no memory for %u workers", count);
    leat_with_group(g, err)
        for (uint32_t i = 0; i < count && err == LEAT_OK; i++) {
            r[i] = (struct reach){ .n = ws->node, .url = l->at[first + i], .rank = first ? first + i : 0, .patient = patient };
            err = leat_go(&g, reach, (struct reach *){ &r[i] });
        }
    if (err == LEAT_OK)
        err = add_reached(ws, r, count);
    for (uint32_t i = 0; i < count; i++)
        err_free(r[i].fault);
    mem_free(r);
    return err;
}

static leat_err add_self(leat_workers *ws)
{
    leat_peer *self;
    LEAT_TRY(leat_node_self(ws->node, &self));
    return leat_workers_add(ws, self);
}

static leat_err join_workers(leat_workers *ws, const struct cluster *c)
{
    if (c->nodes.len == 0)
        return add_self(ws);
    if (c->rank != 0)
        return serve(ws->node, c);
    LEAT_TRY(listen_as_told(ws->node, c));
    return c->nodes.len == 1 ? add_self(ws) : reach_all(ws, &c->nodes, 1, c->listen_fd < 0);
}

leat_err leat_workers_join(leat_workers *ws, const char *urls)
{
    struct cluster c;
    struct url_list l;
    leat_err err;
    if (!ws)
        return leat_fail(LEAT_INVAL, "leat_workers_join: no workers");
    if (urls) {
        LEAT_TRY(url_list_parse("the list of nodes", urls, &l));
        err = reach_all(ws, &l, 0, false);
        url_list_done(&l);
        return err;
    }
    LEAT_TRY(cluster_self(&c));
    err = join_workers(ws, &c);
    cluster_done(&c);
    return err;
}
