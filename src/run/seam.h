/* seam.h - where a simulated world takes the place of the real one.  A runtime with a seam has one worker and no other thread.
 * Everything a program can notice of the world (time, chance, who runs next, which machine it is on) passes here or in link/. */
#ifndef RUN_SEAM_H
#define RUN_SEAM_H
#include <stdbool.h>
#include <stdint.h>
#include "leat.h"

struct task;
struct host;
struct rt;

struct seam {
    int64_t (*now)(void *self);                                      /* ns; monotonic */
    uint64_t (*random)(void *self);
    /* which of n ready tasks runs next (an index), or n: none of them may (their machines are dead).  NULL: the real scheduler decides,
     * and the world is only its clock */
    uint32_t (*choose)(void *self, struct task **ready, uint32_t n);
    /* nothing is ready; the next timer is due at `next` (NEVER: there is none).  Moves the clock.  false: all sleep for ever. */
    bool (*idle)(void *self, int64_t next);
    const char *(*getenv)(void *self, struct host *host, const char *name);
    void (*served)(void *self, struct host *host);                   /* run_served() on that machine */
};

struct rt_main {                                     /* what leat_run is asked for */
    const leat_opts *opts;
    leat_fn_ *fn;
    const leat_site_ *site;
    const void *arg;
    size_t len;
    const struct seam *seam;                         /* NULL: the real world */
    void *seam_self;
    bool guest;                                      /* one worker, which the caller drives in steps: guest.c */
};
leat_err rt_run(const struct rt_main *m);            /* rt.c: makes a runtime, runs fn as its first task, ends the runtime */

int64_t rt_now(struct rt *rt);                       /* the clock of this runtime's world; rt NULL: the real one */
/* The instant this far from now.  Never earlier; up to PLAT_CLOCK_AHEAD_NS later, where it is more than a millisecond away. */
int64_t rt_until(struct rt *rt, leat_dur d);
enum { FAR_NS = 1000000 };
uint64_t rt_random(struct rt *rt);                   /* not for secrets */
#endif
