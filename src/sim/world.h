/* world.h - the record of a simulated world, for sim/'s own files.
 *
 * One thread runs everything, so nothing here has a lock.  All that happens is decided by the seed and by what the program does:
 * no pointer value, no real time and no order of addresses may take part in a decision, nor enter the trace.
 * Chance comes from several streams, one for each use, so that one more draw for one of them does not change the others.
 *  now     virtual ns.  A turn of a task costs STEP_NS; when no task is ready, time jumps to the next timer or event.
 *  events  what is under way: chunks of bytes, ends of faults.  In order of time, then of their making. */
#ifndef SIM_WORLD_H
#define SIM_WORLD_H
#include <stdio.h>
#include "base/base.h"
#include "base/rng.h"
#include "run/seam.h"
#include "run/task.h"
#include "sim/conf.h"
#include "sim/plan.h"

enum { STEP_NS = 1000, START_NS = 1000000000, ENV_MAX = 24 * SIM_NODES_MAX };

struct world;
struct cable;
struct port;

struct event { int64_t at; uint64_t seq; void (*fn)(struct world *w, void *arg); void *arg; };
struct events { struct event *at; size_t len, cap; uint64_t seq; };

/* What happened, counted: a run in which a thing never happened has not tested it. */
enum sim_hit {
    HIT_CHOICE, HIT_JUMP, HIT_LATE_START, HIT_CHUNK, HIT_DELAY, HIT_SHORT_READ, HIT_FULL, HIT_REFUSED, HIT_UNANSWERED, HIT_TORN, HIT_RESET,
    HIT_SLOW, HIT_CUT, HIT_HALF, HIT_DOWN, HIT_SILENCE, HIT_ONE_WAY, HIT_CLOG, HIT_REFUSE, HIT_CRASH, HIT_POWER, HIT_HEAL, HIT_RESTART,
    HIT_OVERLAP, HIT_COUNT
};
extern const char *const sim_hit_names[HIT_COUNT];

struct way {                                         /* from one machine to another */
    int64_t delay, blocked;                          /* ns; nothing arrives before the time `blocked` (NEVER: nothing at all) */
    int64_t slow_until, down_until;                  /* down: no link can be made */
};

/* One incarnation.  A machine that is started again gets another record: what belonged to the old one never runs again. */
struct machine {
    struct host host;                                /* first */
    struct world *world;
    struct machine *older;                           /* the incarnation before it */
    uint32_t id, number;                             /* number: 0, 1, ... of its incarnation */
    bool dead, silent, served, ended;                /* silent: it died without a word */
    bool again;                                      /* it is to be started again */
    int64_t refuses_until;                           /* dials to it are refused */
    leat_ctx *root;                                  /* of its main function, while that runs */
    leat_err err;
    struct fault *fault;
    char rank[12], job[33];
    uint32_t next_port;
};

struct trace { uint64_t hash; FILE *text; };

struct world {
    struct sim_conf conf;
    const struct rt_main *main;
    struct rng sched, net, faults, program;
    int64_t now;
    uint64_t steps, chunks;
    struct events events;
    struct machine **machines;                       /* the incarnation that runs, or ran last, of each */
    uint32_t dead, faults_now;                       /* machines that crashed; faults that are not over */
    struct task *waker;                              /* the world's own task, when it waits for an end or a restart */
    struct way *ways;                                /* nodes x nodes */
    struct cable *cables;
    struct port *ports;
    struct plan plan;
    struct trace trace;
    uint64_t hits[HIT_COUNT], dials_reset;           /* ... by a rare turn, without a fault of the plan */
    struct rt *rt;
    leat_group group;                                /* the machines' main functions */
    char nodes[ENV_MAX];                             /* LEAT_NODES */
    void *pad;                                       /* plat_mem_pad */
};

static inline struct machine *machine_of(struct host *h) { return (struct machine *)(void *)h; }
struct machine *machine_self(void);                 /* NULL: a task of the world itself */
static inline struct way *way_of(struct world *w, uint32_t from, uint32_t to) { return &w->ways[from * w->conf.nodes + to]; }

void *sim_alloc(size_t size);                        /* zeroed; the simulator's own memory never fails: it ends the process */
static inline uint32_t sim_chance(struct rng *r, uint32_t one_in) { return rng_below(r, one_in) == 0; }
int64_t sim_log_uniform(struct rng *r, int64_t min, int64_t max);   /* every order of magnitude equally likely */

/* world.c */
leat_err slot_wait(struct task **slot);              /* [blocks] until slot_wake, or the context ends */
void slot_wake(struct task **slot);                  /* from a task or from an event */

/* machine.c */
struct machine *machine_new(struct world *w, uint32_t id);           /* replaces the incarnation before */
leat_err machine_start(struct machine *m);           /* its main function runs as a task of the world's group */
void machines_free(struct world *w);

/* event.c */
void event_add(struct world *w, int64_t at, void (*fn)(struct world *w, void *arg), void *arg);
int64_t event_next(const struct world *w);           /* NEVER: none */
void events_run(struct world *w);                    /* those that are due */

/* trace.c */
void trace_open(struct world *w);
void trace_mix(struct world *w, uint64_t v);         /* into the hash */
void trace_bytes(struct world *w, const void *p, size_t n);
void trace_event(struct world *w, const char *what, uint64_t a, uint64_t b);
void trace_task(struct world *w, const struct task *t, uint32_t k, uint32_t n);  /* t, the k-th of n, has its turn */
/* To the trace only. */
void trace_say(struct world *w, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* report.c */
void report_drawn(const struct world *w);            /* plan and rare turns */
void report(struct world *w, const char *verdict);   /* to conf.fd, and closes the trace */
/* The world cannot go on: says why on standard error with all its tasks, reports, ends the process with exit code 1. */
__attribute__((noreturn, format(printf, 3, 4))) void sim_stop(struct world *w, const char *verdict, const char *fmt, ...);
void report_leaks(struct world *w);                  /* an undisturbed world has ended: ends the process if something is still alive */
extern const struct probe_watch sim_watch;           /* its self is the world */

/* strike.c */
void strike_chunk(struct world *w, uint32_t from, uint32_t to);      /* a chunk has arrived */
bool strike_tears(const struct world *w);            /* the next chunk arrives in part only: its link is cut then */

/* net.c */
void net_open(struct world *w);                      /* links of this runtime's tasks come from here */
void net_close(struct world *w);
void net_cut(struct world *w, uint32_t a, uint32_t b, bool half);    /* all links between the two break; half: one side is not told */
void net_crash(struct world *w, struct machine *m);  /* m is dead */

/* place.c */
extern const struct link_provider net_provider;
#endif
