/* leat/deal.h - one queue, many workers: each element is dealt to the worker that has the fewest, in turn.  The marks are those of leat.h.
 *
 * A worker is a peer that serves a method (leat_serve).  An element is what the method takes; its result comes back once for each
 * element, whatever happens to workers: what a lost one had not finished is dealt again, under the same number and with a raised
 * attempt, so a method may run more than once for an element: leat_dealt_here tells it.  A worker whose session is only interrupted
 * keeps what it has; when the session has ended it is lost, and its address, if it was dialed, is dialed again until somebody serves
 * there.
 *
 *     LEAT_TRY(leat_workers_open(node, &workers));
 *     LEAT_TRY(leat_workers_join(workers, urls));                  // or leat_workers_add, leat_workers_add_url
 *     LEAT_TRY(leat_deal(workers, splitter, split, shards, results, NULL));
 *
 * where shards is a leat_rx(struct shard), and results a leat_tx(struct tally_reply) when the method is (split, shard, tally).  */
#ifndef LEAT_H
#include "../leat.h"                               /* read alone, it still works */
#endif
#ifndef LEAT_DEAL_H
#define LEAT_DEAL_H
LEAT_BEGIN_

/* -- Workers: those a deal is made to, now and later.  They outlive a deal, and serve one at a time. */
typedef struct leat_workers leat_workers;
LEAT_CHECK leat_err leat_workers_open(leat_node *n, leat_workers **ret);      /* none yet; NOMEM; [owned: leat_workers_close, before n's] */
void leat_workers_close(leat_workers *w);            /* [blocks] no deal may be under way.  Closes the peers that were dialed here;
                            on the thread that drives a guest it does not wait: those stay until their node is closed */
#define leat_auto_workers               LEAT_CLEANUP_(leat_workers_end_)      /* leat_auto_workers leat_workers *w = NULL; */
/* One more, at once, also while a deal runs.  p stays n's; one that is lost is dialed again at the address it was dialed at.  A node may
 * be its own worker: leat_node_self.  INVAL: p is NULL or another node's; LIMIT: LEAT_PEERS_MAX already; NOMEM. */
LEAT_CHECK leat_err leat_workers_add(leat_workers *w, leat_peer *p);
LEAT_CHECK leat_err leat_workers_add_url(leat_workers *w, const char *url);   /* who will be there: the deal dials; INVAL: no such
                            url; LIMIT, NOMEM */
/* Adds those that work for this program, found as leat_node_join finds them, which is called instead of it: with nobody, n itself.  One
 * that cannot be reached is a worker that is not there yet; an error only if none can, or the list is none.  [blocks] as leat_node_join. */
LEAT_CHECK leat_err leat_workers_join(leat_workers *w, const char *urls);

typedef struct leat_worker {                         /* how it goes: for a progress line */
    char name[64];                                   /* the node's name, or the address where it is looked for */
    bool up;                                         /* it may be dealt elements */
    uint32_t out, losses;                            /* elements it has now; how often it was lost */
    uint64_t dealt, done, again;                     /* elements given to it; that came back done; that were dealt again */
} leat_worker;
uint32_t leat_workers_look(leat_workers *w, leat_worker *at, uint32_t cap);   /* the first cap of them; how many there are; NULL: none */

/* -- A deal. */
typedef struct leat_deal_opts {                      /* 0: the default; grows only at the end */
    uint32_t window;                                 /* elements that a worker has at a time; default 8.  Together window x workers are out,
                                                        with those whose results nobody has taken yet: so a slow reader slows the deal */
    bool ordered;                                    /* results in the order of the elements: a slow one holds up those behind it */
    bool errors;                                     /* the error of a method, and NOMEM or LIMIT where it would have run, is a result
                                                        like others (see leat_reply_err), and the deal goes on; default: it ends the
                                                        deal, which returns it */
    uint32_t max_attempts;                           /* an element that was lost with so many workers fails with LIMIT; default 5 */
    leat_dur give_up;                                /* so long without any worker: PEER_LOST, which names the last; default: never */
    void (*lost)(void *self, const leat_worker *w, const char *why);  /* a worker has been lost, and w->again elements of it will be dealt
                                                        again (of this loss); why: its name, its address and what happened.  Called in
                                                        the task of the deal, which waits: be short */
    void *self;
} leat_deal_opts;
/* Deals what comes from in, until in is closed and every result is in out, which stays open: close it when this is LEAT_OK.  Results come
 * as they are ready; `number` counts elements from 0.  in's elements are dropped when they are done; out's are the receiver's
 * (leat_drop(T_reply, &r)), and what is queued in it when nobody receives any more is dropped.  Both ends are of channels of this process.
 * The deadline and a cancel of this task reach the methods.
 * [blocks] the first error of a method, its number and worker before the detail; LIMIT: max_attempts, or an element over 16 MiB; REFUSED,
 * TYPE: a worker does not serve such a method; PEER_LOST: give_up, or a sender of in was lost; CLOSED, GONE: nobody receives from out;
 * INVAL: a deal with these workers is under way.  Then some elements have no result, and what was out is dropped. */
#define leat_deal(w, S, method, in, out, opts)  LEAT_DEAL_(w, S, method, in, out, opts)
const leat_dealt *leat_dealt_here(void);             /* in a method and the tasks it starts: number and attempt (from 1); NULL: an ordinary
                                                        call.  Until the method returns */

#include "deal_macros.h"
LEAT_END_
#endif
