/* rt.c - a runtime's birth and end.  A runtime is an object: several can live in one process, one after another or side by side.
 * Worker 0 is the thread that called leat_run; the others are joined before it returns. */
#include "plat/san.h"
#include "run/rt.h"
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include "base/alloc.h"
#include "plat/barrier.h"
#include "plat/clock.h"
#include "plat/freeze.h"
#include "plat/cpus.h"
#include "plat/thread.h"
#include "run/alarm.h"
#include "run/block.h"
#include "run/blocking.h"
#include "run/err.h"
#include "run/hiber.h"
#include "run/idle.h"
#include "run/io.h"
#include "run/overflow.h"
#include "run/report.h"
#include "run/sched.h"
#include "run/seam.h"
#include "run/stack.h"
#include "run/timer.h"
#include "run/watch.h"

enum { WORKERS_MAX = 64, TASKS_DEFAULT = 16 << 20, STACK_DEFAULT = 64 << 10, STACK_MIN = 16 << 10, STACK_MAX = 64 << 20 };

static _Atomic uint32_t all_lock;
static struct rt *_Atomic all;                       /* written under all_lock; read by anyone, also in a signal handler */

static struct worker *worker_new(struct rt *rt, uint32_t id)
{
    struct worker *w = mem_fails(sizeof *w) ? NULL : aligned_alloc(64, align_up(sizeof *w, 64));
    if (!w)
        return NULL;
    memset(w, 0, sizeof *w);
    w->rt = rt;
    w->id = id;
    at_store(&w->left, 1);
    w->stride = w->seq = 1;
    w->blocks_room = san_on_valgrind() ? 0 : BLOCKS_MAX;
    at_store(&w->guard, rt->max_workers == 1 || plat_barrier_ready() ? 0 : GUARD_FENCE);
    w->rng = rt_random(rt) | 1;
    w->fresh.next = w->fresh.prev = &w->fresh;
    w->now = w->looked_at = w->ticked.at = w->global_taken.at = w->oldest_taken.at = rt_now(rt);
    worker_stamp(w);
    wheel_init(&w->wheel, w->now);
    w->sched.rt = rt;
    w->sched.ctx = &rt->root;
    w->sched.stack = &w->own;
    at_store(&w->sched.deadline, NEVER);
    w->cur = &w->sched;
    w->seen = mem_zalloc(rt->max_workers * sizeof *w->seen);
    if (!w->seen) {
        free(w);
        return NULL;
    }
    return w;
}

static void worker_free(struct worker *w)
{
    mem_free(w->seen);
    blocks_free(w);
    free(w);
}

static void rt_free(struct rt *rt)
{
    for (uint32_t i = 0; rt->workers && i < rt->max_workers; i++)
        if (rt->workers[i])
            worker_free(rt->workers[i]);
    mem_free(rt->workers);
    slabs_free(rt);
    free(rt->sim_ready);
    free(rt);
}

static uint64_t bounded(uint64_t v, uint64_t otherwise, uint64_t min, uint64_t max)
{
    return v == 0 ? otherwise : v < min ? min : v > max ? max : v;
}

static struct rt *rt_new(const struct rt_main *m)
{
    struct rt *rt = mem_fails(sizeof *rt) ? NULL : aligned_alloc(64, align_up(sizeof *rt, 64));
    if (!rt)
        return NULL;
    memset(rt, 0, sizeof *rt);
    if (m->opts)
        rt->opts = *m->opts;
    rt->seam = m->seam;
    rt->seam_self = m->seam_self;
    rt->guest = m->guest;
    rt->follows = !m->seam && !m->guest && rt->opts.workers == 0;
    uint32_t n = m->seam || m->guest ? 1 : (uint32_t)bounded(rt->opts.workers, MIN(plat_cpu_affinity(0), (uint32_t)WORKERS_MAX), 1,
        WORKERS_MAX), quota = rt->follows ? plat_cpu_quota() : 0;
    at_store(&rt->nworkers, n);
    rt->max_workers = rt->follows ? MAX(n, MIN(plat_cpu_machine(), (uint32_t)WORKERS_MAX)) : n;
    at_store(&rt->active, quota ? MIN(quota, n) : n);
    at_store(&rt->follow_at, rt->follows && rt->max_workers > 1 ? rt_now(rt) + rt_follow_ns : NEVER);
    rt->opts.max_tasks = (uint32_t)bounded(rt->opts.max_tasks, TASKS_DEFAULT, 1, UINT32_MAX);
    rt->stack_bytes = align_up((size_t)bounded(rt->opts.stack_bytes, STACK_DEFAULT, STACK_MIN, STACK_MAX), 4096);
    ctx_init(&rt->root, NULL, NEVER);
    rt->root.nap = rt->opts.hibernate_after.ns > 0 ? nap_code(rt, rt->opts.hibernate_after) : 0;
    group_open_in(group_of(&rt->detached), rt, &rt->root, NEVER);
    group_of(&rt->detached)->loose = true;
    rt->workers = mem_zalloc(rt->max_workers * sizeof *rt->workers);
    for (uint32_t i = 0; rt->workers && i < n; i++)
        if (!(rt->workers[i] = worker_new(rt, i)))
            break;
    if (!rt->workers || !rt->workers[n - 1]) {
        rt_free(rt);
        return NULL;
    }
    return rt;
}

static void worker_run(struct worker *w)
{
    san_thread_open(&w->own.san);
    at_store(&w->tid, freeze_tid());
    plat_self_set(w);
    freeze_allow();
    alt_stack_open(&w->alt_stack);
    w->handlers = w->alt_stack;
    w->handlers_bytes = w->alt_stack ? ALT_STACK : 0;
    if (SAN_ADDRESS)
        (void)alt_stack_now(&w->handlers, &w->handlers_bytes);
    plat_thread_exact_timers();
    worker_loop(w);
    plat_self_set(NULL);
    alt_stack_close(w->alt_stack);
    at_store(&w->tid, 0);
}

static void *worker_thread(void *arg)
{
    worker_run(arg);
    return NULL;
}

static int worker_start(struct worker *w, void *(*fn)(void *))
{
    char name[16];
    snprintf(name, sizeof name, "leat-%u", w->id);
    int e = plat_thread_start(&w->thread, fn, w, name);
    w->started = e == 0;
    return e;
}

/* One that came later: it begins when all know it, on the CPUs of worker 0. */
static void *late_worker_thread(void *arg)
{
    struct worker *w = arg;
    while (at_load_acq(&w->rt->nworkers) <= w->id)
        sched_yield();
    plat_cpu_affinity_of(at_load(&w->rt->workers[0]->tid));
    worker_run(w);
    return NULL;
}

uint32_t rt_grow(struct rt *rt, uint32_t n)
{
    uint32_t have = at_load(&rt->nworkers);
    for (n = MIN(n, rt->max_workers); have < n && !at_load_acq(&rt->stop); have++) {
        struct worker *w = worker_new(rt, have);
        if (!w)
            break;
        rt->workers[have] = w;
        if (worker_start(w, late_worker_thread) != 0) {
            rt->workers[have] = NULL;
            worker_free(w);
            break;
        }
        atomic_store_explicit(&rt->nworkers, have + 1, SEQ);
        idle_wake(w);                                /* behind the barrier: if the runtime has stopped meanwhile, it sees that */
    }
    return have;
}

static leat_err threads_start(struct rt *rt)
{
    int failed = rt->seam || rt->guest ? 0 : watch_start(rt);
    if (failed)
        return err_sys(failed, "leat_run: cannot start the thread that watches");
    for (uint32_t i = 1, n = at_load(&rt->nworkers); i < n; i++) {
        int e = worker_start(rt->workers[i], worker_thread);
        if (e)
            return err_sys(e, "leat_run: cannot start worker %u of %u; ask for fewer (leat_opts.workers)", i, n);
    }
    return LEAT_OK;
}

static void threads_join(struct rt *rt)
{
    for (uint32_t i = 1; i < at_load_acq(&rt->nworkers); i++)        /* one that is joined makes no more of them */
        if (rt->workers[i]->started)
            plat_thread_join(rt->workers[i]->thread);
}

/* The child of a fork has one thread and a copy of everything, as it was in the middle of something. */
static _Atomic bool forked;

static void in_child(void)
{
    if (!all)
        return;
    at_store(&forked, true);
    plat_self_set(NULL);
    foreign_forked();
}

static void hear_of_forks(void)
{
    pthread_atfork(NULL, NULL, in_child);
}

static void all_add(struct rt *rt)
{
    lock(&all_lock);
    rt->next = at_load(&all);
    at_store_rel(&all, rt);
    unlock(&all_lock);
}

struct rt *rt_first(void)
{
    return at_load_acq(&all);
}

static void all_remove(struct rt *rt)
{
    lock(&all_lock);
    struct rt *before = at_load(&all);
    if (before == rt)
        at_store_rel(&all, rt->next);
    else
        while (before && before->next != rt)
            before = before->next;
    if (before && before != rt)
        before->next = rt->next;
    unlock(&all_lock);
}

void rt_at_end_add(struct rt *rt, struct rt_at_end *x)
{
    x->host = task_self()->host;
    lock(&rt->at_end_lock);
    x->next = rt->at_end;
    rt->at_end = x;
    unlock(&rt->at_end_lock);
}

bool rt_at_end_remove(struct rt *rt, struct rt_at_end *x)
{
    bool found = false;
    lock(&rt->at_end_lock);
    for (struct rt_at_end **p = &rt->at_end; *p && !found; )
        if (*p == x) {
            *p = x->next;
            found = true;
        } else {
            p = &(*p)->next;
        }
    unlock(&rt->at_end_lock);
    return found;
}

void rt_at_end_run(struct rt *rt, struct host *host)
{
    for (;;) {
        lock(&rt->at_end_lock);
        struct rt_at_end **p = &rt->at_end, *x;
        while ((x = *p) && x->host != host)
            p = &x->next;
        if (x)
            *p = x->next;
        unlock(&rt->at_end_lock);
        if (!x)
            return;
        x->end(x);
    }
}

/* The first task: the program, then the end of what it left to run, then the end of the runtime. */
static leat_err first_task(void *arg)
{
    struct rt_top *f = *(struct rt_top **)arg;
    struct rt *rt = f->rt;
    struct task *t = task_self();
    f->err = f->m.fn((void *)(uintptr_t)f->m.arg);
    t = task_self();
    f->fault = err_take(t, f->err);
    leat_cancel(&group_of(&rt->detached)->ctx, f->err);
    leat_ignore(leat_group_wait(&rt->detached));
    rt_at_end_run(rt, NULL);
    at_store_rel(&rt->stop, 1);
    edge_release(f);
    idle_wake_all(rt);
    return LEAT_OK;
}

leat_err rt_open(struct rt_top *x, const struct rt_main *m)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, hear_of_forks);
    if (at_load(&forked))
        return leat_fail(LEAT_INVAL, "leat_run: this process is a child of one that ran leat when it forked: exec a program that calls it");
    struct rt *rt = rt_new(m);
    if (!rt)
        return leat_fail(LEAT_NOMEM, "leat_run: no memory for the runtime");
    *x = (struct rt_top){ .m = *m, .rt = rt };
    overflow_begin();
    dump_on_signal();
    all_add(rt);
    if (!stack_ready(rt->workers[0]))                /* of the first task: nothing would ever run */
        return rt_close(x, leat_fail(LEAT_NOMEM, "leat_run: no memory for a stack"));
    leat_err e = threads_start(rt);
    if (e == LEAT_OK) {
        group_open_in(group_of(&x->group), rt, &rt->root, NEVER);
        rt->top_ctx = &group_of(&x->group)->ctx;
        e = go_foreign(&x->group, first_task, m->site, &x, sizeof x, NULL);
    }
    return e == LEAT_OK ? e : rt_close(x, e);
}

leat_err rt_close(struct rt_top *x, leat_err e)
{
    struct rt *rt = x->rt;
    if (e != LEAT_OK) {
        at_store_rel(&rt->stop, 1);
        idle_wake_all(rt);
    } else {
        edge_acquire(x);
        if (at_load(&rt->served)) {
            err_free(x->fault);
            x->err = LEAT_OK;
            x->fault = NULL;
        }
        err_give(task_self(), x->fault, x->err);
        e = x->err;
        if (at_load_acq(&rt->deadlocked))
            e = leat_fail(LEAT_DEADLOCK, "leat_run: all tasks were asleep for ever; the log names them");
    }
    threads_join(rt);
    watch_stop(rt);
    while (at_load_acq(&rt->visitors))
        sched_yield();
    alarms_end(rt);
    blocking_end(rt);
    io_end(rt);
    all_remove(rt);
    overflow_end();
    rt_free(rt);
    x->rt = NULL;
    return e;
}

leat_err rt_run(const struct rt_main *m)
{
    struct rt_top x;
    if (worker_self())
        return leat_fail(LEAT_INVAL, "leat_run: this is a task already: call it from main or from another thread");
    LEAT_TRY(rt_open(&x, m));
    uintptr_t pc;
    unwind_registers(x.rt->caller_regs, &pc);        /* for leat_leaks: what the program has in them, where no frame keeps it */
    x.rt->caller = (const void *)x.rt->caller_regs[UNWIND_SP];
    worker_run(x.rt->workers[0]);
    return rt_close(&x, LEAT_OK);
}

void run_served(void)
{
    struct task *t = task_self();
    struct rt *rt = t->rt;
    if (!rt)
        return;
    if (rt->seam) {
        rt->seam->served(rt->seam_self, t->host);
        return;
    }
    at_store(&rt->served, 1);
    leat_cancel(&rt->root, LEAT_CANCELED);
}

/* -- scopes and waits that need no floor above --------------------------------------------------------------------------- */
leat_pin_ leat_pin_begin_(void)
{
    struct worker *w = worker_self();
    if (w && w->cur->pins++ == 0)
        w->cur->pinned = (uint8_t)(w->id + 1);
    return (leat_pin_){ w };
}

void leat_pin_end_(leat_pin_ *p)
{
    struct worker *w = worker_self();
    if (p->saved && w && --w->cur->pins == 0)
        w->cur->pinned = 0;
}

leat_err leat_sleep(leat_dur d)
{
    struct task *t = task_self();
    int64_t old = at_load(&t->deadline), until = rt_until(t->rt, d);
    struct waiter me = { .task = t, .kind = &wait_sleep };
    for (;;) {
        at_store(&t->deadline, MIN(old, until));
        t->on = &me;
        store_fence(&t->park, PARK_WAIT);
        uint32_t why = task_wait(t);
        at_store(&t->deadline, old);                 /* its own end is none of the context's */
        leat_err e = task_wait_err(t, why);
        if ((e == LEAT_AGAIN || e == LEAT_DEADLINE) && rt_now(t->rt) >= until)
            return LEAT_OK;
        if (e != LEAT_AGAIN)
            return e;
    }
}
