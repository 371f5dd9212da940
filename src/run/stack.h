/* stack.h - stacks and task records: pooled per worker, exchanged in batches through the runtime's depots. */
#ifndef RUN_STACK_H
#define RUN_STACK_H
#include "run/task.h"

enum { BATCH = 128 };

struct task *task_alloc(struct worker *w);           /* NULL: no memory */
void task_free(struct worker *w, struct task *t);
/* The stack on which the caller itself may still stand: it must leave it before anything else runs on this worker. */
void stack_put(struct worker *w, struct stack *s);
void slabs_free(struct rt *rt);                      /* at the runtime's end */
void slabs_each_task(struct rt *rt, void (*fn)(struct task *t, void *arg), void *arg);
#endif
