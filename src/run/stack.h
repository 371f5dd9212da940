/* stack.h - stacks and task records: pooled per worker, exchanged in batches through the runtime's depots. */
#ifndef RUN_STACK_H
#define RUN_STACK_H
#include "plat/mem.h"
#include "run/task.h"

enum { BATCH = 128 };

struct task *task_alloc_more(struct worker *w);
void task_free_more(struct worker *w);

/* NULL: no memory. */
static inline struct task *task_alloc(struct worker *w)
{
    struct task *t = w->free_tasks;
    if (unlikely(t == NULL))
        return task_alloc_more(w);
    w->free_tasks = t->next;
    w->n_free_tasks--;
    return t;
}
static inline void task_free(struct worker *w, struct task *t)
{
    t->fn = NULL;
    t->next = w->free_tasks;
    w->free_tasks = t;
    if (unlikely(++w->n_free_tasks >= BATCH))
        task_free_more(w);
}
/* The stack on which the caller itself may still stand: it must leave it before anything else runs on this worker. */
void stack_put(struct worker *w, struct stack *s);
struct stack *stack_guarded(const void *p);          /* whose guard page p is in; or null; [signal] */
void stack_settle(struct stack *s, struct task *t);  /* t ends on it, and it has marks: looks at the canary, forgets the name */
/* What may be given back of a stack: from above the guard to its end; and its record, when that has been. */
static inline char *stack_high(const struct rt *rt, struct stack *s) { (void)rt; return (char *)s + align_up(sizeof *s, 64); }
static inline char *stack_low(const struct rt *rt, struct stack *s) { return stack_high(rt, s) - rt->stack_bytes + plat_page(); }
void stack_renew(const struct rt *rt, struct stack *s, struct task *t);
void slabs_free(struct rt *rt);                      /* at the runtime's end */
void slabs_each(struct rt *rt, void (*fn)(void *arg, const void *mem, size_t bytes), void *arg);
void slabs_each_task(struct rt *rt, void (*fn)(struct task *t, void *arg), void *arg);
bool slabs_while_task(struct rt *rt, bool (*fn)(struct task *t, void *arg), void *arg);         /* ends with the first false of fn */
#endif
