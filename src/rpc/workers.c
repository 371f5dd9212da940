/* workers.c - the workers of a deal: who they are, how they are found again.  See workers.h. */
#include "rpc/workers.h"
#include <stdio.h>
#include <string.h>
#include "base/alloc.h"
#include "chan/chan.h"
#include "run/seam.h"

leat_err leat_workers_open(leat_node *n, leat_workers **ret)
{
    if (!n)
        return leat_fail(LEAT_INVAL, "leat_workers_open: no node");
    leat_workers *ws = mem_zalloc(sizeof *ws);
    if (!ws)
        return leat_fail(LEAT_NOMEM, "leat_workers_open: no memory");
    ws->node = n;
    *ret = ws;
    return LEAT_OK;
}

void leat_workers_close(leat_workers *ws)
{
    if (!ws)
        return;
    for (uint32_t i = 0; i < ws->n; i++) {
        struct hand *w = ws->at[i];
        if (w->ours)
            leat_peer_close(w->peer);
        leat_peer_close(w->fresh);
        mem_free(w);
    }
    mem_free(ws);
}

void workers_poke(leat_workers *ws, bool news)
{
    lock(&ws->lock);
    ws->news |= news;
    if (ws->poke)
        leat_ignore(leat_try_send_(ws->poke, ""));   /* AGAIN: it has one to look at already */
    unlock(&ws->lock);
}

uint32_t workers_count(leat_workers *ws)
{
    lock(&ws->lock);
    uint32_t n = ws->n;
    unlock(&ws->lock);
    return n;
}

const char *hand_text(const struct hand *w)
{
    return w->peer ? sess_text(sess_of(w->peer)) : w->url;
}

void hand_up(struct hand *w, leat_peer *p, bool ours)
{
    w->peer = p;
    w->ours = ours;
    w->going = w->watched = false;
    lock(&w->ws->lock);
    w->done_before = w->is.done;
    w->again_before = w->is.again;
    w->ended = false;
    w->is.up = true;
    snprintf(w->is.name, sizeof w->is.name, "%s", leat_peer_name(p));
    unlock(&w->ws->lock);
}

static leat_err add(leat_workers *ws, leat_peer *p, const char *url)
{
    struct hand *w = mem_zalloc(sizeof *w);
    if (!w)
        return leat_fail(LEAT_NOMEM, "no memory for a worker");
    w->ws = ws;
    snprintf(w->url, sizeof w->url, "%s", url);
    snprintf(w->is.name, sizeof w->is.name, "%s", url);
    if (p)
        hand_up(w, p, false);
    lock(&ws->lock);
    bool full = ws->n == LEAT_PEERS_MAX;
    if (!full) {
        w->index = ws->n;
        ws->at[ws->n++] = w;
    }
    unlock(&ws->lock);
    if (full) {
        mem_free(w);
        return leat_fail(LEAT_LIMIT, "a deal has at most %d workers", LEAT_PEERS_MAX);
    }
    workers_poke(ws, true);
    return LEAT_OK;
}

leat_err leat_workers_add(leat_workers *ws, leat_peer *p)
{
    if (!ws || !p || sess_node(sess_of(p)) != ws->node)
        return leat_fail(LEAT_INVAL, "leat_workers_add: %s", !ws ? "no workers" : !p ? "the peer is NULL" : "a peer of another node");
    return add(ws, p, sess_url(sess_of(p)));
}

leat_err leat_workers_add_url(leat_workers *ws, const char *url)
{
    if (!ws)
        return leat_fail(LEAT_INVAL, "leat_workers_add_url: no workers");
    LEAT_TRY(link_check(url));
    return add(ws, NULL, url);
}

uint32_t leat_workers_look(leat_workers *ws, leat_worker *at, uint32_t cap)
{
    if (!ws)
        return 0;
    lock(&ws->lock);
    uint32_t n = ws->n;
    for (uint32_t i = 0; i < n && i < cap; i++)
        at[i] = ws->at[i]->is;
    unlock(&ws->lock);
    return n;
}

/* -- tasks of a deal ---------------------------------------------------------------------------------------------------------- */
static leat_err watch(struct hand **arg)
{
    struct hand *w = *arg;
    leat_err err = leat_peer_wait(w->peer);
    if (err != LEAT_OK && err != LEAT_PEER_LOST)
        return LEAT_OK;                              /* the deal is over */
    lock(&w->ws->lock);
    w->ended = true;
    snprintf(w->why, sizeof w->why, "%s", sess_fail_text(sess_of(w->peer)));    /* it will be said with the worker's name before it */
    unlock(&w->ws->lock);
    workers_poke(w->ws, true);
    return LEAT_OK;
}

/* Between half of ms and all of it, so that those who lost the same worker do not come back at one moment. */
static leat_dur jittered(uint32_t ms)
{
    return LEAT_MS(ms / 2 + rt_random(task_self()->rt) % (ms / 2 + 1));
}

static leat_err dial(struct hand **arg)
{
    struct hand *w = *arg;
    uint32_t ms = w->pause_ms;
    for (;;) {
        leat_peer *p;
        if (ms && leat_sleep(jittered(ms)) != LEAT_OK)
            return LEAT_OK;                          /* the deal is over */
        leat_err err = leat_node_dial(w->ws->node, w->url, &p);
        lock(&w->ws->lock);
        if (err == LEAT_OK)
            w->fresh = p;
        else
            snprintf(w->why, sizeof w->why, "%s", leat_err_detail());
        unlock(&w->ws->lock);
        if (err == LEAT_OK) {
            workers_poke(w->ws, true);
            return LEAT_OK;
        }
        if (leat_ctx_err() != LEAT_OK)
            return LEAT_OK;
        ms = ms ? MIN(ms * 2, (uint32_t)WORKER_PAUSE_MAX_MS) : WORKER_PAUSE_MS;
    }
}

/* No stack for one of them: another time.  CANCELED: the deal is over. */
static leat_err again(leat_err err)
{
    return err == LEAT_CANCELED ? LEAT_OK : err;
}
static leat_err watch_starved(struct hand **arg) { return again(hand_watch_go(*arg, (*arg)->watch_in)); }
static leat_err dial_starved(struct hand **arg) { return again(hand_dial_go(*arg, (*arg)->dial_in)); }

leat_err hand_watch_go(struct hand *w, leat_group *g)
{
    static const leat_site_ site = { "leat_deal watch", __FILE__, __LINE__ };
    w->watch_in = g;
    return task_go(g, (leat_fn_ *)(void (*)(void))watch, &site, &w, sizeof w, (leat_fn_ *)(void (*)(void))watch_starved);
}

leat_err hand_dial_go(struct hand *w, leat_group *g)
{
    static const leat_site_ site = { "leat_deal dial", __FILE__, __LINE__ };
    w->dial_in = g;
    return task_go(g, (leat_fn_ *)(void (*)(void))dial, &site, &w, sizeof w, (leat_fn_ *)(void (*)(void))dial_starved);
}
