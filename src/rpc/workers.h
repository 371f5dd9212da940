/* workers.h - the workers of a deal, as workers.c and deal.c share them.
 *
 * A worker is up (it has a peer and may be dealt elements), going (its session has ended or is about to: what it has comes back), or
 * down (its address is dialed).  The deal's own task decides; others tell it by a field and a poke.
 * Laws
 *  at[0] to at[n - 1] are never taken away, so an index and a pointer are good until the close.
 *  peer, ours, going, watched, pause_ms: the task of the deal; without a deal whoever has the workers.
 *  is, why, fresh, ended, poke: workers->lock.  url, index, ws do not change.
 *  A peer is let go of only when nothing is out on it and its watcher has left. */
#ifndef RPC_WORKERS_H
#define RPC_WORKERS_H
#include "link/link.h"
#include "run/sched.h"
#include "sess/sess.h"

enum { WORKER_PAUSE_MS = 50, WORKER_PAUSE_MAX_MS = 2000, WORKER_WHY = 400 };

struct hand {                                        /* a worker: `struct worker` is a thread of run/ */
    struct leat_workers *ws;
    leat_peer *peer;                                 /* NULL: down */
    bool ours, going, watched;                       /* ours: dialed here, so closed here */
    uint32_t index, pause_ms;
    uint64_t done_before, again_before;              /* is.done and is.again when it came up */
    leat_worker is;
    leat_group *watch_in, *dial_in;                  /* its tasks': of the deal */
    leat_peer *fresh;                                /* dialed, not yet seen by the deal */
    bool ended;                                      /* its session has, says its watcher */
    char why[WORKER_WHY];                            /* it is not up */
    char url[LINK_TEXT_MAX];                         /* "": it cannot be dialed */
};

struct leat_workers {
    leat_node *node;
    _Atomic uint32_t lock;
    leat_chan_ *poke;                                /* of the deal that is under way */
    bool news;                                       /* for it: a worker is to be looked at */
    uint32_t n;
    struct hand *at[LEAT_PEERS_MAX];
};

void workers_poke(leat_workers *ws, bool news);      /* wakes the deal, if there is one */
uint32_t workers_count(leat_workers *ws);
/* Tasks of the deal, in its group.  One that finds no stack is tried again until there is one. */
leat_err hand_watch_go(struct hand *w, leat_group *g);               /* until its session ends */
leat_err hand_dial_go(struct hand *w, leat_group *g);                /* until somebody serves at its address */
void hand_up(struct hand *w, leat_peer *p, bool ours);
const char *hand_text(const struct hand *w);     /* for errors */
#endif
