/* task.h - the records of the runtime: task, worker, runtime.  For run/ and chan/.
 *
 * Laws over the fields
 *  sp      null while the task runs, or is leaving a stack.  Whoever takes the task from a queue loads sp (acquire), stores null and
 *          switches.  plat_switch writes it last.  Never wait for another task's sp with one's own registers unsaved: go to the
 *          worker's own context first (worker.pend), which may wait.
 *  park    PARK_NONE while running; PARK_WAIT from just before the task can be found by a waker until somebody ends the wait by a
 *          compare-and-swap to the reason.  Only that one makes the task ready.  So one word decides between send, receive,
 *          select, cancel, deadline and I/O, and a waker that comes late changes nothing.
 *  A wake whose reason is not PARK_CHAN is a hint: the woken task looks at its context and the clock, and waits again otherwise.
 *  deadline  of the task itself and of waits in it; children copy it.  Written by the task, read by the timer handler.
 *  fresh   spawned and never run: it has no stack yet.  FRESH_HEARD: if it never gets one, `starved` is to hear of it (task_go).
 *  on      of a started task, for reports: what the wait that it is in is for.  Counts only while it is parked, and only if it
 *          points into the task's own stack: a wait that says nothing leaves null, a first one what the fresh list left there.
 *  park is PARK_PLAIN in waits that only one can end, such as that for a group: nobody claims those.  It is PARK_NAP, briefly, while the
 * stack of a task that waits is copied away (hiber.h): who would claim it waits for PARK_WAIT to come back, so that nothing is missed.
 *  nap     whether its stack may be copied away: written by the task when it registers, and by whoever holds it in PARK_NAP.
 * A task that is a foreign thread's stand-in (foreign > 0) sleeps by futex on `awake`, which is set when it is made ready: not on
 * park, which changes before the waker has written what it brings. */
#ifndef RUN_TASK_H
#define RUN_TASK_H
#include <pthread.h>
#include "base/base.h"
#include "base/limits.h"
#include "leat.h"
#undef errno
#include "plat/atomic.h"
#include "plat/clock.h"
#include "plat/san.h"
#include "plat/self.h"
#include "run/spin.h"
#include "run/trial.h"

enum { PARK_NONE, PARK_WAIT, PARK_CHAN, PARK_CANCEL, PARK_TIMER, PARK_PLAIN, PARK_TRY, PARK_NAP };
enum { FRESH = 1, FRESH_HEARD = 2 };
#define NEVER INT64_MAX                              /* a deadline that never passes */

struct rt;
struct worker;
struct wait_kind;                                    /* what a wait is for, in words (report.h) */

/* A place in some queue of waiters; lies on the waiting task's stack.  Protected by the lock of the queue's owner. */
struct waiter {
    struct waiter *next, *prev;
    struct task *task;
    void *val;                                       /* the variable to send from or to receive into */
    uint32_t id;                                     /* which case of a select */
    bool ok, on;                                     /* ok: a value passed, else closed; on: still in the queue */
    bool left, plain;                                /* left: the value passed to another process; plain: a send, not a select */
    uint8_t err;                                     /* a leat_err, when !ok and not closed */
    void *owner;                                     /* what it waits on, for reports; so is kind */
    const struct wait_kind *kind;                    /* set in the one that task->on names */
#if SAN_EDGES
    struct edge_clock *clock, *back;                 /* of its task; of what its task is ordered after when it was served */
#endif
};
struct waiters {
    struct waiter *_Atomic head;                     /* select looks at it without the lock */
    struct waiter *tail;
};

struct timer {                                       /* protected by the lock of the wheel of worker wk */
    struct timer *next, **pprev;
    _Atomic int64_t when;
    struct timer *ahead;                             /* who came some places before it into its slot: to fetch, perhaps it is gone */
    uint8_t level, slot, wk;
    _Atomic uint8_t armed;                           /* the task reads armed and when without the lock */
    bool of_task;                                    /* that of a task, whose deadline decides; else an alarm (alarm.h) */
};

enum { STACK_CANARY = 1, STACK_NAMED = 2, STACK_GROUPS = 4 };        /* CANARY: it has no guard, but a pattern at its end */
struct stack {                                       /* lies at the top of its own memory */
    struct stack *next;
    struct san san;
    struct task *task;
    uint8_t marks;                                   /* what the end of the task must look after */
    uint16_t groups;                                 /* open ones that lie on it; STACK_GROUPS: some may stay so */
    char name[24];                                   /* STACK_NAMED: of that task (leat_task_name); else empty */
};

struct after;
struct fault;                                        /* details of a task's last failure (err.c) */
struct group;

struct task {
    /* line 0: what a wait and a wake touch */
    void *_Atomic sp;
    union {
        struct task *prev;                           /* fresh list */
        const struct waiter *on;                     /* once started */
    };
    _Atomic uint32_t park;
    uint8_t fresh;                                   /* 0, or FRESH_; fresh .. pinned: task_fill writes them as one */
    _Atomic uint8_t registered;                      /* in the list of ctx; a canceller clears it under the lock of that */
    uint8_t foreign, pinned;      /* foreign: 1 + how many guests its thread is the host of; pinned: 1 + the worker it stays on */
    union {
        struct waiter *win;                          /* of a wait ended by PARK_CHAN: the waiter that was served */
        leat_fn_ *starved;                           /* FRESH_HEARD */
    };
    leat_ctx *ctx;
    _Atomic int64_t deadline;
    struct rt *rt;
    _Atomic uint32_t since;                          /* its worker's stamp when it parked; written when it may be claimed already */
    union {
        uint32_t seq;                                /* of one in the fresh list: its place there, for thieves */
        _Atomic uint32_t awake;                      /* of a stand-in: 1 when it has been made ready */
    };
    /* line 1: a list that overflows, the beginning and the end */
    leat_fn_ *fn;
    struct group *group;
    struct task *next;                               /* global list, fresh list, free list */
    struct stack *stack;
    const leat_site_ *site;
    struct task *ctx_next, *ctx_prev;                /* the context's list; protected by its lock */
    struct host *host;                               /* the simulated machine, inherited; null in the real world */
    /* line 2 */
    struct timer timer;
    struct fault *fault;
    uint8_t last_err;                                /* what the last failing call returned, and whether fault is of it: err.c */
    _Atomic uint8_t nap;                             /* of its context, when it registered there; and NAP_ bits */
    uint32_t pins;                                   /* depth of leat_with_pinned */
    void *big_arg;                                   /* the argument when it does not fit below */
#if SAN_EDGES
    void *fiber;
#endif
    _Alignas(16) char arg[64];
} __attribute__((aligned(64)));

struct leat_ctx {                                    /* lock protects all but over, done, cause, deadline */
    _Atomic uint32_t done;                           /* a leat_err once cancelled; over and cause are set before */
    _Atomic uint32_t lock;
    _Atomic uint32_t cause;
    _Atomic bool linked;                             /* in the parent's kids, with its mark; written under the parent's lock */
    bool shield;                                     /* the parent's cancel stops here */
    bool loose;                                      /* may outlast its parent: see ctx.c */
    uint8_t limit;                                   /* the cause when its deadline has passed; LEAT_OK: none was given */
    uint8_t nap;                                     /* 1 + log2 of the milliseconds after which tasks in it hibernate; 0: never */
    _Atomic bool met;                                /* others than its own tasks may have been in it: a kid, a canceller, an after */
    _Atomic uint64_t over;                           /* 2 * ns: the latest deadline that somebody in it was told of; + 1: cancelled, then */
    leat_ctx *parent, *kids, *sib_next, *sib_prev;
    struct task *tasks;
    struct waiters watchers;                         /* selects with leat_on_done */
    struct after *afters;                            /* tasks that begin when it is over (later.h) */
    int64_t deadline;
    const void *key;
    void *value;
};

/* count = 2 * tasks + 1 while somebody waits.  A finisher that leaves 0 never touches the group again: it may be gone. */
struct group {                                       /* lies in a leat_group */
    _Atomic uint64_t count;
    struct task *_Atomic waiter;
    _Atomic uint32_t err;
    bool open, entered;
    bool race;                                       /* the first success ends it, not the first error */
    bool loose;                                      /* tasks without a group: an error is nobody's and cancels nobody */
    _Atomic bool won;
    struct rt *rt;
    struct fault *_Atomic fault;                     /* of the first error */
    leat_ctx ctx;
    leat_ctx *saved;
    int64_t saved_deadline;
};
_Static_assert(sizeof(struct group) <= sizeof(leat_group), "leat_group is too small");

struct host {                                        /* the first member of a simulated machine's own record */
    leat_group detached;                             /* owns the tasks started there with group NULL */
};

/* In task.nap.  AWAY: its stack is copied away; WHOLE: with the record; USUAL: without the first bytes, which are rt.usual. */
enum { NAP_CODE = 0x1f, NAP_USUAL = 0x20, NAP_WHOLE = 0x40, NAP_AWAY = 0x80 };
enum { NAPS_AT_ONCE = 16, NAPS_GAP_NS = 32000, USUAL = 64 };

enum { RING = 256, WHEEL_LEVELS = 6, WHEEL_SLOTS = 128, WHEEL_AHEAD = 4, TIMER_SHIFT = 12 };

struct wheel_slot {
    struct timer *head;
    uint32_t n, came;                                /* with those in `due`; how many ever came */
    struct timer *last[WHEEL_AHEAD];                 /* who came last, by `came` */
};

struct wheel {                                       /* timers of one worker; lock protects all, n and next_due may be read without */
    _Atomic uint32_t lock, n;
    int64_t tick;                                    /* the last tick that was run, in 2^TIMER_SHIFT ns */
    _Atomic int64_t next_due;                        /* ns: nothing is due before */
    _Atomic int64_t far_due;                         /* ns: what other threads have put in since the worker ran its wheel; else NEVER */
    struct timer *due;                               /* those of `tick` that have not been looked at yet */
    uint64_t map[2];                                 /* slots of level 0 that hold timers */
    uint32_t level_count[WHEEL_LEVELS];
    struct wheel_slot slot[WHEEL_LEVELS][WHEEL_SLOTS];
};

struct sighting {                                    /* what a thief saw of a victim, and when */
    int64_t at;
    uint32_t head;
    uint32_t seq, left;
    const void *next;
};

struct worker {
    /* owner only */
    struct task *cur;                                /* the task that runs, or &sched */
    struct task *_Atomic next;                       /* run-next slot */
    _Atomic uint32_t busy, guard;                    /* queue.h: the owner is in a section; GUARD_ bits */
    _Atomic uint32_t left;                           /* turns to the next look at the clock */
    uint32_t streak, stride, backlog, id;            /* stride: turns from one look to the next */
    uint32_t patience;                               /* how long it looks around before it sleeps: less, the less it finds (idle.c) */
    uint64_t rng;
    uint32_t seq;
    int64_t now;                                     /* the clock at the last look */
    struct plat_clock clock;                         /* and a cheaper one, a little ahead */
    _Atomic uint32_t stamp;                          /* the same in ms, as a task takes it that parks; watch.c writes it too */
    struct rt *rt;
    struct task *free_tasks, *spare_tasks;           /* spare: a whole batch, or null */
    struct stack *free_stacks;
    int32_t n_free_tasks;                            /* less, after a batch could not be given to the depot */
    uint32_t n_free_stacks;
    struct block *blocks;                            /* block.h */
    uint32_t blocks_room;                            /* how many more it keeps */
    char *task_slab, *task_slab_end, *stack_slab, *stack_slab_end, *stack_guarded;
    struct task *pend;                               /* to be resumed by the scheduler's context, once its sp is there */
    void *_Atomic dead_sp;                           /* where a switch away from an ended task leaves what nobody reads */
    uint64_t contended, contended_seen;
    bool follow;                                     /* to count the CPUs (cpus.c) */
    uint32_t n_naps;
    int64_t naps_after;                              /* the next of them may be found then */
    struct task *naps[NAPS_AT_ONCE];                 /* have waited long: to be looked at from the worker's own context (hiber.h) */
    struct plat_away *away;                          /* the copy that it is making: what nobody points to yet */
    bool retreat, saw, behind;                       /* behind: the oldest in fresh may be one that waits for the fresh ones */
    bool tries;                                      /* it runs what it has found after a wake on trial (trial.h) */
    int64_t backoff, stint;
    int64_t looked_at;                               /* at the clock */
    uint32_t turns, behind_since;                    /* turns at the last look */
    struct since { int64_t at; uint32_t turns; } ticked, global_taken, oldest_taken;
    struct task sched;                               /* the worker's own context */
    struct stack own;                                /* and its stack */
    pthread_t thread;
    bool started;
    void *alt_stack;                                 /* for handlers of signals; null: the thread had one */
    void *handlers;                                  /* and of a tool, if that is who gave it: so many bytes */
    size_t handlers_bytes;
    _Atomic int32_t tid;                             /* of the thread that runs it; 0: none yet */
    struct sighting *seen;                           /* max_workers */
    /* shared with thieves */
    _Alignas(64) _Atomic uint32_t tail;
    _Atomic uint32_t head;
    _Alignas(64) _Atomic uint32_t fresh_count, oldest;
    struct task fresh;                               /* list head: next is the newest, prev the oldest, or one that waits for them all */
    _Alignas(64) _Atomic uint32_t thief_lock, fences;                /* fences: the owner has seen GUARD_FENCE */
    _Atomic uint32_t pinned_lock, pinned_count;
    struct task *pinned_head, *pinned_tail;          /* pinned_lock: ready tasks that must run here */
    _Alignas(64) struct task *_Atomic ring[RING];
    _Alignas(64) _Atomic uint32_t sleeping;          /* futex word: 0 awake, 1 asleep on the futex, 2 in the poll, 3 it spins */
    _Atomic uint32_t woken;                          /* 1: on trial */
    struct wheel wheel;
};

struct depot {                                       /* batches of records or stacks that one worker gave back for others */
    void **batch;
    _Atomic uint32_t n;
    uint32_t cap;
};

struct io;
struct pool;
struct alarm_home;
struct watch;
struct slab;
struct seam;
struct link_provider;
struct inproc_listener;

/* Something that must end before the runtime does: `end` is called by the first task (of the machine, in a simulated world), when
 * the program and its tasks are over, with itself off the list.  It may block. */
struct rt_at_end {
    struct rt_at_end *next;
    struct host *host;                               /* where it was added */
    void (*end)(struct rt_at_end *x);
};

struct rt {
    _Atomic uint32_t nworkers;                       /* how many there are: grows as the CPUs do (cpus.c), published after the record */
    uint32_t max_workers;                            /* of the array */
    struct worker **workers;
    _Atomic uint64_t idle_mask;                      /* workers in deep sleep */
    _Atomic uint32_t unwatched;                      /* 1: all but who is awake sleep for good (idle.c) */
    _Atomic uint64_t for_good;                       /* for tests: such sleeps so far */
    _Atomic uint32_t looking;                        /* workers without work that look for some, now or soon: do not sleep for good */
    _Atomic uint32_t polling;                        /* 1: a worker sleeps in the poll */
    _Atomic uint32_t spinning;                       /* 1 + the worker that spins before it sleeps */
    struct spin spin;                                /* whether that pays */
    struct trial trial;                              /* whether it pays to wake one for work */
    _Atomic uint32_t stop;                           /* workers leave */
    _Atomic uint32_t visitors;                       /* threads of others that are waking somebody here: the end waits for them */
    _Atomic uint32_t global_lock, global_count;
    struct task *global_head, *global_tail;          /* global_lock */
    _Atomic uint32_t depot_lock;
    struct depot task_depot, stack_depot;            /* depot_lock */
    _Atomic uint32_t slab_lock;
    struct slab *slabs;                              /* slab_lock: all memory to give back at the end */
    _Atomic uint64_t tasks;                          /* records made, at most opts.max_tasks */
    _Atomic uint32_t foreign_lock;
    char *foreign_slab, *foreign_slab_end;           /* foreign_lock: records for tasks that other threads start */
    struct task *foreign_tasks;                      /* foreign_lock: and those that are free again */
    leat_opts opts;
    _Atomic uint64_t hibernated;                     /* how often so far */
    _Atomic uint32_t usual_known;                    /* 2: usual is there, and stays */
    char usual[USUAL];                               /* the first bytes of a stack: nearly always the same ones (hiber.c) */
    _Atomic bool no_naps;                            /* hibernation is of no use here */
    size_t stack_bytes;
    _Atomic int64_t starved_since, starved_last;     /* when fresh tasks began to find no memory for a stack, and did so last */
    bool follows;                                    /* the CPUs it may use decide how many workers are active */
    _Atomic uint32_t active;                         /* workers from this number on rest; as many as there are, or fewer */
    _Atomic uint32_t following;                      /* 1: a worker counts them now */
    _Atomic int64_t follow_at;                       /* when the CPUs are counted again; NEVER: not at all */
    bool guest;                                      /* its one worker runs in steps, within another's loop (guest.c) */
    int64_t slice_end;                               /* of a guest's step */
    leat_ctx root;
    leat_group detached;                             /* owns the tasks started with group NULL */
    _Atomic uint32_t served;                         /* the program has done its part: leat_run returns LEAT_OK */
    const struct seam *seam;                         /* the simulated world, or null */
    void *seam_self;
    struct task **sim_ready;                         /* of the simulated world: what is ready; its one worker's */
    uint32_t sim_ready_n, sim_ready_cap;
    struct io *_Atomic io;                           /* descriptors: made at the first use (io.c) */
    struct pool *_Atomic pool;                       /* blocking calls */
    struct alarm_home *_Atomic alarms;               /* made at the first use */
    leat_ctx *top_ctx;                               /* of the first task's group */
    const void *caller;                              /* leat_run's frames and the worker's are below, the program's above */
    uintptr_t caller_regs[32];                       /* as leat_run found them */
    struct watch *watch;                             /* set before the workers run */
    _Atomic uint32_t watch_sleeps;                   /* who wakes is to kick it */
    _Atomic uint32_t deadlocked;
    _Atomic uint32_t ended;
    struct rt *next;                                 /* list of all runtimes, for leat_dump */
    const struct link_provider *links;               /* link/: who makes links instead of the system, or null */
    void *links_self;
    _Atomic uint32_t inproc_lock;
    struct inproc_listener *inproc;                  /* inproc_lock: who listens at names of this program */
    _Atomic uint32_t at_end_lock;
    struct rt_at_end *at_end;                        /* at_end_lock: what is to be ended with the program */
};
#endif
