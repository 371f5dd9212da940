/* rt.h - what the files of run/ tell each other, and sim/, which opens groups for its machines. */
#ifndef RUN_RT_H
#define RUN_RT_H
#include "run/seam.h"
#include "run/task.h"

/* queues (sched.c) */
void global_push(struct rt *rt, struct task *first, struct task *last, uint32_t n);
struct task *global_pop(struct worker *w, uint32_t max);
struct task *sched_pinned(struct worker *w);
extern int64_t rt_follow_ns;                         /* how often the CPUs are counted, at most; tests set it */
void cpus_follow(struct worker *w);                  /* cpus.c */
uint32_t rt_grow(struct rt *rt, uint32_t n);         /* to n workers, if there are fewer, as far as it goes.  One caller at a time. */
void fresh_starved(struct worker *w, struct task *t);                /* there is no memory for its stack: puts it back, or ends it */
extern int64_t rt_stack_wait_ns;                     /* after how long it ends it; tests set it */
struct task *seam_pick(struct worker *w);            /* seam.c */
struct task *seam_idle(struct worker *w);

/* tasks (sched.c) */
void task_main(void);                                /* the first frame of every stack */
leat_err go_no_record(struct rt *rt, const leat_site_ *site);
leat_err task_arg(struct task *t, const void *arg, size_t len);
void task_fill(struct task *t, struct task *parent, struct group *g);

/* contexts (ctx.c) */
void ctx_init(leat_ctx *c, leat_ctx *parent, int64_t deadline);
void ctx_loose(leat_ctx *c);                         /* c may outlast its parent, which is the caller's context */
void ctx_done(leat_ctx *c);                          /* leaves its parent; no task is registered in it any more */
void ctx_unregister(struct task *t);
void ctx_enter(struct task *t, leat_ctx *c);         /* the task's context from now on */
leat_ctx *ctx_foreign(void);                         /* what a thread that is no task has: never cancelled */

/* groups (group.c) */
static inline struct group *group_of(leat_group *g) { return (struct group *)(void *)g; }
void group_open(struct group *g, struct worker *w);
void group_unused(struct group *g, struct worker *w);            /* takes back an opening that nothing came of: nobody need wait for it */
void group_open_in(struct group *g, struct rt *rt, leat_ctx *parent, int64_t deadline);
void group_result(struct group *g, struct task *t, leat_err e);  /* of a member that failed, or of any member of a race */
static inline void group_add(struct group *g) { atomic_fetch_add_explicit(&g->count, 2, RLX); }      /* one more member */
void group_wake(struct worker *w, struct group *g);  /* the last member has taken its 2 off and seen a waiter */

/* the life of a runtime (rt.c), for the thread that drives it */
struct rt_top {                                      /* what the first task is to do, and what came of it */
    struct rt_main m;
    struct rt *rt;
    leat_group group;
    leat_err err;
    struct fault *fault;
};
leat_err rt_open(struct rt_top *x, const struct rt_main *m);         /* makes it; its first task is ready.  x stays where it is. */
leat_err rt_close(struct rt_top *x, leat_err e);     /* stopped, or e: it never ran.  Frees it.  The error of the first task, or e. */

/* threads that are no tasks (foreign.c) */
bool foreign_guests(int more);                       /* this thread is the host of one guest more (1) or less (-1); false: too many */
leat_err foreign_would_block(void);
void foreign_forked(void);                           /* in the child of a fork: this thread can wait for nobody */
leat_err go_foreign(leat_group *g, leat_fn_ *fn, const leat_site_ *site, const void *arg, size_t len, leat_fn_ *starved);
void task_wake_foreign(struct task *t);
void task_wait_plain_foreign(struct task *t);
struct task *task_record_foreign(struct rt *rt);     /* stack.c */
void task_record_unused(struct rt *rt, struct task *t);              /* one of those, after all */
#endif
