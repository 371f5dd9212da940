/* stack.c - where tasks and their stacks come from.
 *
 * A stack is a piece of a slab: a guard page below, the struct stack at the top, the rest committed by touch.  A free list is last
 * in, first out, so warm stacks are used again.  A worker that frees more than it starts gives batches to a depot, else the
 * record of a stolen task would never come home.  All memory goes back at the runtime's end. */
#include "run/stack.h"
#include <string.h>
#include "base/alloc.h"
#include "plat/mem.h"
#include "plat/switch.h"
#include "run/overflow.h"
#include "run/report.h"
#include "run/rt.h"
#include "run/sched.h"

enum { STACKS_A_SLAB = 256, TASKS_A_SLAB = 1024, GUARDS_AT_ONCE = 32, CANARY = 64, PATTERN = 0xc5 };

struct slab {
    struct slab *next;
    char *mem;
    size_t bytes;
    bool stacks;
};

static char *slab_new(struct rt *rt, size_t bytes, bool stacks)
{
    struct slab *s = mem_alloc(sizeof *s);
    char *m = s && !mem_fails(bytes) ? plat_mem_reserve(bytes) : NULL;
    if (!m) {
        mem_free(s);
        return NULL;
    }
    *s = (struct slab){ NULL, m, bytes, stacks };
    lock(&rt->slab_lock);
    s->next = rt->slabs;
    rt->slabs = s;
    unlock(&rt->slab_lock);
    return m;
}

static void *depot_take(struct rt *rt, struct depot *d)
{
    void *batch = NULL;
    lock(&rt->depot_lock);
    uint32_t n = at_load(&d->n);
    if (n) {
        batch = d->batch[n - 1];
        at_store(&d->n, n - 1);
    }
    unlock(&rt->depot_lock);
    return batch;
}

/* false: no memory for the list of batches; the caller keeps them */
static bool depot_give(struct rt *rt, struct depot *d, void *batch)
{
    bool ok = true;
    lock(&rt->depot_lock);
    uint32_t n = at_load(&d->n);
    if (n == d->cap) {
        uint32_t cap = d->cap ? 2 * d->cap : 64;
        void **b = mem_realloc(d->batch, cap * sizeof *b);
        ok = b != NULL;
        if (ok) {
            d->batch = b;
            d->cap = cap;
        }
    }
    if (ok) {
        d->batch[n] = batch;
        at_store(&d->n, n + 1);
    }
    unlock(&rt->depot_lock);
    return ok;
}

/* Records in caches of other workers count as alive, so the limit may be met up to 2 * BATCH a worker early. */
static struct task *slab_task(struct rt *rt, char **at, char **end)
{
    if (atomic_fetch_add_explicit(&rt->tasks, 1, RLX) >= rt->opts.max_tasks) {
        atomic_fetch_sub_explicit(&rt->tasks, 1, RLX);
        return NULL;
    }
    if (*at == *end) {
        size_t bytes = sizeof(struct task) * TASKS_A_SLAB;
        char *m = slab_new(rt, bytes, false);
        if (!m)
            return NULL;
        *at = m;
        *end = m + bytes;
    }
    struct task *t = (struct task *)(void *)*at;
    *at += sizeof *t;
    t->rt = rt;                                      /* for ever: the records of a runtime stay with it */
    return t;
}

/* Records that other threads have started tasks with come back through the depot, since it is a worker that ends those. */
struct task *task_record_foreign(struct rt *rt)
{
    lock(&rt->foreign_lock);
    struct task *t = rt->foreign_tasks;
    if (!t && at_load(&rt->task_depot.n))
        t = depot_take(rt, &rt->task_depot);
    if (t)
        rt->foreign_tasks = t->next;
    else
        t = slab_task(rt, &rt->foreign_slab, &rt->foreign_slab_end);
    unlock(&rt->foreign_lock);
    return t;
}

void task_record_unused(struct rt *rt, struct task *t)
{
    lock(&rt->foreign_lock);
    t->next = rt->foreign_tasks;
    rt->foreign_tasks = t;
    unlock(&rt->foreign_lock);
}

/* free_tasks is empty: the spare batch, one from the depot, or a new record. */
struct task *task_alloc_more(struct worker *w)
{
    struct task *t = w->spare_tasks;
    w->spare_tasks = NULL;
    if (!t && at_load(&w->rt->task_depot.n))
        t = depot_take(w->rt, &w->rt->task_depot);
    if (!t)
        return slab_task(w->rt, &w->task_slab, &w->task_slab_end);
    w->free_tasks = t->next;
    w->n_free_tasks = BATCH - 1;
    return t;
}

/* free_tasks is a whole batch: it becomes the spare one, and that goes to the depot.  Without memory for that, the batch grows. */
void task_free_more(struct worker *w)
{
    if (w->spare_tasks && !depot_give(w->rt, &w->rt->task_depot, w->spare_tasks)) {
        w->n_free_tasks = 0;                         /* tried again a batch later */
        return;
    }
    w->spare_tasks = w->free_tasks;
    w->free_tasks = NULL;
    w->n_free_tasks = 0;
}

/* The next stack's guard; those of some stacks in one call are half the price. */
static bool guard(struct worker *w, char *base)
{
    size_t size = w->rt->stack_bytes, n = MIN((size_t)(w->stack_slab_end - base) / size, (size_t)GUARDS_AT_ONCE);
    if (base < w->stack_guarded)
        return true;
    if (!plat_mem_guards(base, size, (uint32_t)n))
        return plat_mem_guard(base);
    w->stack_guarded = base + n * size;
    return true;
}

static struct stack *stack_new(struct worker *w)
{
    size_t size = w->rt->stack_bytes;
    struct stack *s = at_load(&w->rt->stack_depot.n) ? depot_take(w->rt, &w->rt->stack_depot) : NULL;
    if (s) {
        w->free_stacks = s->next;
        w->n_free_stacks = BATCH - 1;
        return s;
    }
    if (w->stack_slab == w->stack_slab_end) {
        size_t n = STACKS_A_SLAB;
        char *m;
        while (!(m = slab_new(w->rt, size * n, true)))
            if ((n /= 4) == 0)                       /* down to a single one: it is address space that runs out */
                return NULL;
        w->stack_slab = w->stack_guarded = m;
        w->stack_slab_end = m + size * n;
    }
    char *base = w->stack_slab;
    w->stack_slab += size;
    s = (struct stack *)(void *)(base + size - align_up(sizeof *s, 64));
    size_t page = plat_page();
    if (!guard(w, base)) {                           /* then a page below it is nobody's, and its upper end tells */
        s->marks = STACK_CANARY;
        memset(base + page - CANARY, PATTERN, CANARY);
    }
    san_stack_open(&s->san, base + page, (size_t)((char *)s - base) - page);
    return s;
}

void stack_renew(const struct rt *rt, struct stack *s, struct task *t)
{
    char *low = stack_low(rt, s);
    *s = (struct stack){ .san = { .base = low, .size = (size_t)((char *)s - low) }, .task = t };
}

/* Gives a fresh task the stack it starts on; stack_ready() has made sure of it. */
void stack_bind(struct worker *w, struct task *t)
{
    struct stack *s = w->free_stacks;
    w->free_stacks = s->next;
    w->n_free_stacks--;
    t->stack = s;
    s->task = t;
    t->fresh = 0;
#if SAN_EDGES
    char *top = (char *)((uintptr_t)s & ~(uintptr_t)(plat_page() - 1));        /* s is not on the pages that are mapped anew */
    edge_task_end(s->san.fiber);
    s->san.fiber = t->fiber;
    edge_fresh(s->san.base, (size_t)(top - (char *)s->san.base));
    at_store(&t->sp, plat_switch_init(top, task_main));
#else
    at_store(&t->sp, plat_switch_init(s, task_main));
#endif
}

bool stack_more(struct worker *w)
{
    struct stack *s = stack_new(w);
    if (!s)
        return false;
    s->next = w->free_stacks;                        /* the rest of a batch may be there */
    w->free_stacks = s;
    w->n_free_stacks++;
    return true;
}

void stack_put(struct worker *w, struct stack *s)
{
    if (unlikely(w->n_free_stacks > 3 * BATCH)) {    /* before ours goes in: we still stand on it */
        struct stack *head = w->free_stacks, *last = head;
        for (int i = 1; i < BATCH; i++)
            last = last->next;
        struct stack *rest = last->next;
        last->next = NULL;
        if (depot_give(w->rt, &w->rt->stack_depot, head)) {
            w->free_stacks = rest;
            w->n_free_stacks -= BATCH;
        } else {
            last->next = rest;
        }
    }
    s->task = NULL;
    s->next = w->free_stacks;
    w->free_stacks = s;
    ++w->n_free_stacks;
}

void stack_settle(struct stack *s, struct task *t)
{
    const unsigned char *c = (const unsigned char *)s->san.base - CANARY;
    for (int i = 0; i < CANARY && (s->marks & STACK_CANARY); i++)
        if (c[i] != PATTERN)
            overflow_found(t, s);
    s->marks &= STACK_CANARY;
    s->groups = 0;
    s->name[0] = 0;
}

struct stack *stack_guarded(const void *p)
{
    uintptr_t at = (uintptr_t)p;
    for (struct rt *rt = rt_first(); rt; rt = rt->next)
        for (struct slab *s = rt->slabs; s; s = s->next) {
            uintptr_t mem = (uintptr_t)s->mem, in = at - mem;
            if (!s->stacks || at < mem || in >= s->bytes)
                continue;
            struct stack *k = (struct stack *)(mem + in - in % rt->stack_bytes + rt->stack_bytes - align_up(sizeof *k, 64));
            return in % rt->stack_bytes < plat_page() && !(k->marks & STACK_CANARY) ? k : NULL;
        }
    return NULL;
}

static void stack_slab_close(struct rt *rt, struct slab *s)
{
    for (char *base = s->mem; base < s->mem + s->bytes; base += rt->stack_bytes) {
        struct stack *k = (struct stack *)(void *)(base + rt->stack_bytes - align_up(sizeof *k, 64));
        if (k->san.base)
            san_stack_close(&k->san);
    }
}

void slabs_free(struct rt *rt)
{
    for (struct slab *s = rt->slabs, *next; s; s = next) {
        next = s->next;
        if (s->stacks && (SAN_THREAD || SAN_ADDRESS || san_on_valgrind()))
            stack_slab_close(rt, s);
        plat_mem_release(s->mem, s->bytes);
        mem_free(s);
    }
    rt->slabs = NULL;
    mem_free(rt->task_depot.batch);
    mem_free(rt->stack_depot.batch);
}

bool slabs_while_task(struct rt *rt, bool (*fn)(struct task *t, void *arg), void *arg)
{
    for (struct slab *s = peek_pointer(&rt->slabs); s; s = peek_pointer(&s->next)) {
        char *mem = peek_pointer(&s->mem), *end = mem + peek_word(&s->bytes);
        if ((uint8_t)peek_word(&s->stacks))
            continue;
        for (struct task *t = (struct task *)(void *)mem; (char *)t < end; t++)
            if (peek_pointer(&t->fn) && !fn(t, arg))
                return false;
    }
    return true;
}

struct each { void (*fn)(struct task *t, void *arg); void *arg; };

static bool and_on(struct task *t, void *arg)
{
    struct each *e = arg;
    e->fn(t, e->arg);
    return true;
}

void slabs_each_task(struct rt *rt, void (*fn)(struct task *t, void *arg), void *arg)
{
    (void)slabs_while_task(rt, and_on, &(struct each){ fn, arg });
}

void slabs_each(struct rt *rt, void (*fn)(void *arg, const void *mem, size_t bytes), void *arg)
{
    for (struct slab *s = rt->slabs; s; s = s->next)
        fn(arg, s->mem, s->bytes);
}
