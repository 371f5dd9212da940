/* watch.c - a thread that looks now and then whether the workers get on, and says so when they do not.
 *
 * It counts no time: a worker's number of picks says whether a task has given way since the last look, and the time that passed between
 * two looks counts no more than it should have taken, so a process that was stopped has no task that ran for long.
 * While workers run it looks every LOOK_MS to LOOK_MAX_MS; when all were asleep for a whole period it sleeps too, without limit, until
 * a worker wakes and finds watch_sleeps set: a program that does nothing is not woken by being watched.  Nothing is lost in between:
 * both sides set their word, then look at the other's, across full barriers.
 *
 * Before it falls asleep it asks whether this is a deadlock.  The rule, each point of which is a veto: no worker runs or has work;
 * no timer is armed; no call is under way on the pool; this is the only runtime; every task says what it waits for, and that is
 * something only tasks can bring about (a channel that no other process knows, a mutex, a group, a context); the process has no thread
 * but this runtime's own, because any other might call in at any time.  A live session has timers and descriptors, so it is a veto.
 * To ask a million tasks takes long, so what is cheap to see comes first, and after it has taken t it is not asked again for 32 t. */
#include "run/watch.h"
#include <stdlib.h>
#include <string.h>
#include "base/alloc.h"
#include "plat/clock.h"
#include "plat/freeze.h"
#include "plat/futex.h"
#include "plat/peek.h"
#include "plat/thread.h"
#include "run/blocking.h"
#include "run/report.h"
#include "run/rt.h"
#include "run/sched.h"
#include "run/stack.h"
#include "run/timer.h"

enum { LOOK_MS = 50, LOOK_MAX_MS = 250, DEFAULT_MS = 10000, TASKS_SHOWN = 100, ASK_SHARE = 32, OURS_MAX = 64 + LIMIT_POOL_THREADS + 2 };

struct seen {                                        /* of one worker, at the last look */
    uint32_t tick;
    uint32_t ms;                                     /* for so long the same task has run */
    bool told;
};
struct watch {
    struct rt *rt;
    pthread_t thread;
    _Atomic int32_t tid;
    void *stack;                                     /* of the thread */
    size_t stack_bytes;
    _Atomic uint32_t word;                           /* futex: changes for a kick and for the end */
    _Atomic uint32_t stop;
    uint32_t limit_ms;                               /* 0: never */
    bool told;                                       /* of a deadlock */
    int64_t ask_at;                                  /* not before: so that asking takes a small part of the time */
    struct seen seen[];
};

/* How often it has looked for the next task: turns at its last look at the clock, and since. */
static uint32_t picks(const struct worker *w)
{
    return peek_u32(&w->turns) + peek_u32(&w->stride) - peek_u32(&w->left);
}

/* -- the watchdog -------------------------------------------------------------------------------------------------------- */
static uint32_t limit_of(const struct rt *rt)
{
    int64_t ms = rt->opts.watchdog.ns / 1000000;
    const char *env = getenv("LEAT_WATCHDOG");
    if (rt->opts.watchdog.ns == 0)
        ms = env && *env ? strtoll(env, NULL, 10) : DEFAULT_MS;      /* "off" reads as 0 */
    else if (rt->opts.watchdog.ns > 0)
        ms = MAX(ms, (int64_t)1);
    else
        ms = 0;
    return (uint32_t)MIN(MAX(ms, (int64_t)0), (int64_t)1 << 30);
}

static void tell_stuck(struct watch *x, struct worker *w, struct task *t, uint32_t ms)
{
    struct report r;
    report_open_log(&r, x->rt);
    report_who(&r, t);
    report_text(&r, " has kept worker ");
    report_number(&r, w->id);
    report_text(&r, " for ");
    report_ms(&r, ms);
    report_text(&r, ": leat_yield in long loops, leat_blocking for calls that wait (leat_opts.watchdog)");
    report_end(&r);
    report_task_stack(&r, t);
    report_close(&r);
}

/* true: the worker is awake, or has been since the last look. */
static bool look_at(struct watch *x, struct worker *w, uint32_t passed, int64_t now)
{
    struct seen *s = &x->seen[w->id];
    uint32_t tick = picks(w);
    struct task *t = (struct task *)peek_word(&w->cur);
    bool awake = atomic_load_explicit(&w->sleeping, SEQ) == 0;
    if (awake)
        at_store(&w->stamp, (uint32_t)(now / 1000000));
    if (tick != s->tick || !awake || t == &w->sched) {
        bool moved = tick != s->tick;
        *s = (struct seen){ .tick = tick };
        return awake || moved;
    }
    s->ms += passed;
    if (x->limit_ms && s->ms >= x->limit_ms && !s->told) {
        s->told = true;
        tell_stuck(x, w, t, s->ms);
    }
    return true;
}

/* -- deadlock ---------------------------------------------------------------------------------------------------------------- */
static bool nobody_sees(void *arg, const void *p)
{
    (void)arg;
    (void)p;
    return false;
}

struct asking { const char *veto; uint64_t tasks, naps; };         /* naps: timers that would only look whether a task may hibernate */

static bool ask_task(struct task *t, void *arg)
{
    struct asking *a = arg;
    struct waiter x;
    bool known = task_on(t, &x);
    a->tasks++;
    a->naps += at_load(&t->timer.armed);
    if ((int64_t)peek_word(&t->deadline) != NEVER)
        a->veto = "a task waits for a time";
    else if (!known)
        a->veto = peek_u32(&t->park) == PARK_WAIT ? "a task waits for something outside" : "a task is ready";
    else if (!x.kind->may_end || x.kind->may_end(&x, nobody_sees, NULL))
        a->veto = "a task waits for something outside";
    return a->veto == NULL;
}

static const char *workers_veto(struct rt *rt, uint64_t *ticks, uint64_t *timers)
{
    *timers = 0;
    *ticks = at_load(&rt->visitors);
    for (uint32_t i = 0; i < at_load_acq(&rt->nworkers); i++) {
        struct worker *w = rt->workers[i];
        *ticks += picks(w);
        if (!atomic_load_explicit(&w->sleeping, SEQ))
            return "a worker is awake";
        *timers += at_load(&w->wheel.n);
        if (at_load(&w->head) != at_load(&w->tail) || at_load(&w->fresh_count) ||
            at_load(&w->pinned_count) || at_load(&w->next))
            return "a task is ready";
    }
    return at_load(&rt->global_count) || at_load(&rt->visitors) ? "a task is ready" : NULL;
}

static const char *threads_veto(struct rt *rt)
{
    int32_t ours[OURS_MAX];
    size_t n = blocking_threads(rt, ours, OURS_MAX - 1 - rt->max_workers);
    for (uint32_t i = 0; i < at_load_acq(&rt->nworkers); i++)
        ours[n++] = at_load(&rt->workers[i]->tid);
    ours[n++] = at_load(&rt->watch->tid);
    return freeze_others(ours, n) == 0 ? NULL : "another thread may call in";
}

_Atomic uint64_t watch_asks, watch_tasks_asked;
int64_t watch_ask_more_ns;

const char *deadlock_veto(struct rt *rt)
{
    uint64_t before, after, timers;
    struct asking a = { NULL, 0, 0 };
    const char *veto = workers_veto(rt, &before, &timers);
    if (veto)
        return veto;
    if (blocking_busy(rt))
        return "a blocking call is under way";
    for (uint32_t i = 0; i < at_load_acq(&rt->nworkers) && !veto; i++)
        veto = timers_ring(rt->workers[i]);          /* the usual case, and there are more tasks than timers */
    if (veto)
        return veto;
    (void)slabs_while_task(rt, ask_task, &a);        /* up to the first veto */
    atomic_fetch_add_explicit(&watch_tasks_asked, a.tasks, RLX);
    if (a.veto)
        return a.veto;
    if (timers != a.naps)
        return "something rings at a time";
    if (rt_first() != rt || rt->next)
        return "there is another runtime";
    if ((veto = threads_veto(rt)) || (veto = workers_veto(rt, &after, &timers)))
        return veto;
    return before != after ? "a worker is awake" : a.tasks ? NULL : "there are no tasks";
}

struct showing { struct report *r; uint64_t n; };

static void show_task(struct task *t, void *arg)
{
    struct showing *s = arg;
    if (s->n++ >= TASKS_SHOWN)
        return;
    report_task(s->r, t);
    report_task_stack(s->r, t);
}

static void tell_deadlock(struct watch *x)
{
    struct report r;
    struct showing s = { &r, 0 };
    report_open_log(&r, x->rt);
    report_text(&r, x->told ? "deadlock: again, although their contexts were cancelled:"
                            : "deadlock: all tasks are asleep for ever; they are cancelled, and leat_run returns LEAT_DEADLOCK:");
    report_end(&r);
    slabs_each_task(x->rt, show_task, &s);
    if (s.n > TASKS_SHOWN) {
        report_text(&r, "and ");
        report_number(&r, s.n - TASKS_SHOWN);
        report_text(&r, " more tasks");
        report_end(&r);
    }
    report_close(&r);
}

static void ask_for_deadlock(struct watch *x)
{
    int64_t begun = plat_now();
    const char *veto = at_load(&x->rt->deadlocked) > 1 ? "it was told twice" : deadlock_veto(x->rt);
    atomic_fetch_add_explicit(&watch_asks, 1, RLX);
    int64_t now = plat_now();
    x->ask_at = now + ASK_SHARE * (now - begun + watch_ask_more_ns);
    if (veto)
        return;
    tell_deadlock(x);
    x->told = true;
    at_store_rel(&x->rt->deadlocked, at_load(&x->rt->deadlocked) + 1);
    leat_cancel(&x->rt->root, LEAT_DEADLOCK);
}

/* -- the thread -------------------------------------------------------------------------------------------------------------- */
static bool anybody_awake(struct rt *rt)
{
    for (uint32_t i = 0; i < at_load_acq(&rt->nworkers); i++)
        if (!atomic_load_explicit(&rt->workers[i]->sleeping, SEQ))
            return true;
    return false;
}

static void sleep_with_them(struct watch *x)
{
    struct rt *rt = x->rt;
    uint32_t word = at_load_acq(&x->word);
    atomic_exchange_explicit(&rt->watch_sleeps, 1, SEQ);
    while (!anybody_awake(rt) && !at_load(&x->stop) && at_load_acq(&x->word) == word)
        plat_futex_wait(&x->word, word, -1);
    at_store(&rt->watch_sleeps, 0);
}

static void *watch_main(void *arg)
{
    struct watch *x = arg;
    struct rt *rt = x->rt;
    uint32_t period = LOOK_MS;
    plat_thread_stack(&x->stack, &x->stack_bytes);
    at_store_rel(&x->tid, freeze_tid());
    freeze_allow();
    for (int64_t before = plat_now(); !at_load_acq(&x->stop); ) {
        uint32_t word = at_load_acq(&x->word);
        plat_futex_wait(&x->word, word, period * INT64_C(1000000));
        int64_t now = plat_now(), passed = (now - before) / 1000000;
        bool awake = false;
        before = now;
        for (uint32_t i = 0; i < at_load_acq(&rt->nworkers); i++)
            awake |= look_at(x, rt->workers[i], (uint32_t)MIN(passed, (int64_t)2 * period), now);
        period = MIN(2 * period, (uint32_t)LOOK_MAX_MS);
        if (x->limit_ms)
            period = MIN(period, MAX(x->limit_ms / 4, 1u));
        if (awake || at_load(&x->stop) || now < x->ask_at)
            continue;
        ask_for_deadlock(x);
        sleep_with_them(x);
        before = plat_now();
        period = x->limit_ms ? MIN((uint32_t)LOOK_MS, MAX(x->limit_ms / 4, 1u)) : LOOK_MS;
    }
    return NULL;
}

void watch_stack(struct rt *rt, void (*fn)(void *arg, const void *mem, size_t bytes), void *arg)
{
    if (at_load_acq(&rt->watch->tid))
        fn(arg, rt->watch->stack, rt->watch->stack_bytes);
}

void watch_kick(struct rt *rt)
{
    if (atomic_exchange_explicit(&rt->watch_sleeps, 0, ACQ_REL)) {
        atomic_fetch_add_explicit(&rt->watch->word, 1, REL);
        plat_futex_wake(&rt->watch->word, 1);
    }
}

int watch_start(struct rt *rt)
{
    struct watch *x = mem_zalloc(sizeof *x + rt->max_workers * sizeof x->seen[0]);
    if (!x)
        return ENOMEM;
    x->rt = rt;
    x->limit_ms = limit_of(rt);
    int e = plat_thread_start(&x->thread, watch_main, x, "leat-watch");
    if (e)
        mem_free(x);
    else
        rt->watch = x;
    return e;
}

void watch_stop(struct rt *rt)
{
    struct watch *x = rt->watch;
    if (!x)
        return;
    at_store_rel(&x->stop, 1);
    atomic_fetch_add_explicit(&x->word, 1, REL);
    plat_futex_wake(&x->word, 1);
    plat_thread_join(x->thread);
    rt->watch = NULL;
    mem_free(x);
}
