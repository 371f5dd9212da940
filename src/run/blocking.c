/* blocking.c - leat_blocking: a call that blocks its thread runs on a thread of a pool while its task is parked.
 *
 * Laws (pool.lock protects all)
 *  A job lies on its task's stack and is QUEUED, RUNNING or DONE.  The task leaves only when the job is DONE or when it has taken
 *  it out of the queue, so fn's argument outlives fn.
 *  Threads: at most LIMIT_POOL_THREADS; all are in `all`.  One that idles is in `idle`; whoever takes it out gives it a job.
 *  A job that is to end early is `ending`: its task no longer waits for context or clock but for DONE alone, and the ticker sends
 *  the thread a signal now and every millisecond, because one that comes just before the system call ends nothing.  Signals go only
 *  to a thread whose job is RUNNING, under the lock; before a thread takes another job it lets pending ones pass.
 *  Where no thread can be had for the ticker, the task of a job that is `pressed` sends them itself, and looks for DONE in between.
 *  A job with `drop` is on the heap instead, and the task may leave it when it is RUNNING: then it has no task, and its thread drops it.
 *  A pool whose runtime has ended lives on for threads with such jobs: `strays`, which are detached; the last one frees it.
 * So there is one outcome: fn's, except that an error of a job that was ending is the context's.
 * fn runs as a stand-in with the context, deadline and machine of its task: what it calls of leat obeys them too. */
#include "run/blocking.h"
#include "base/alloc.h"
#include "plat/clock.h"
#include "plat/freeze.h"
#include "plat/futex.h"
#include "plat/interrupt.h"
#include "plat/thread.h"
#include "run/err.h"
#include "run/report.h"
#include "run/rt.h"
#include "run/sched.h"

enum { TICK_NS = 1000000, IDLE_NS = LIMIT_POOL_IDLE_MS * 1000000LL };
enum job_state { QUEUED, RUNNING, DONE };

struct job {
    struct job *next;
    leat_fn_ *fn;
    void *arg;
    struct task *task;                               /* null: it was left */
    void (*drop)(void *arg);
    struct fault *fault;                             /* of err; both are set with DONE */
    leat_err err;
    enum job_state state;
    bool ending, pressed;
};

struct hand {                                        /* a thread of the pool */
    struct hand *next, *next_idle;
    struct pool *pool;
    struct job *job;
    pthread_t thread;
    _Atomic int32_t tid;
    _Atomic uint32_t called;                         /* futex word: 1 when it was taken out of idle */
    bool ended;                                      /* it leaves and is to be joined */
    bool stray;                                      /* it leaves and is not */
};

struct pool {
    _Atomic uint32_t lock;
    uint32_t hands;                                  /* that have not ended */
    struct job *head, *tail;
    struct hand *all, *idle;
    bool stop, ticking;
    uint32_t strays;
    pthread_t ticker;
    _Atomic int32_t ticker_tid;
    _Atomic uint32_t ticks;                          /* futex word: changes when a job is to end, or the pool */
};

/* -- the threads ----------------------------------------------------------------------------------------------------------- */
static struct job *job_pop(struct pool *p)
{
    struct job *j = p->head;
    if (j) {
        p->head = j->next;
        if (!p->head)
            p->tail = NULL;
    }
    return j;
}

static leat_err job_call(struct job *j, struct fault **fault)
{
    struct task *me = task_self(), *t = j->drop ? NULL : j->task;    /* one that may be left must not look back */
    if (t) {
        me->host = t->host;
        ctx_enter(me, t->ctx);
        at_store(&me->deadline, at_load(&t->deadline));
    }
    err_give(me, NULL, LEAT_OK);
    edge_acquire(&j->arg);
    leat_err e = j->fn(j->arg);
    edge_release(&j->err);
    *fault = err_take(me, e);
    ctx_enter(me, ctx_foreign());
    at_store(&me->deadline, NEVER);
    me->host = NULL;
    return e;
}

static void job_drop(struct job *j)
{
    j->drop(j->arg);
    err_free(j->fault);
    mem_free(j);
}

static void job_run(struct hand *h, struct job *j)
{
    struct pool *p = h->pool;
    struct fault *f = NULL;
    leat_err e = job_call(j, &f);
    lock(&p->lock);
    struct task *t = j->task;
    j->err = e;
    j->fault = f;
    j->state = DONE;
    h->job = NULL;
    bool ending = j->ending, ours = t && (ending || task_claim(t, PARK_CHAN));
    if (t && ending)
        at_store(&t->park, PARK_CHAN);
    bool settle = ending || j->pressed;
    unlock(&p->lock);                                /* j is gone, unless the wake is ours or nobody's */
    if (!t)
        job_drop(j);
    if (ours)
        task_ready(NULL, t);
    if (settle)
        plat_interrupt_settle();
}

static bool idle_remove(struct pool *p, struct hand *h)
{
    for (struct hand **at = &p->idle; *at; at = &(*at)->next_idle)
        if (*at == h) {
            *at = h->next_idle;
            return true;
        }
    return false;
}

/* [locked; unlocked on return] Waits for a call.  false: none has come, and it leaves: nobody counts on it, for who queues a job calls one
 * that idles, and so does the end of the pool. */
static bool hand_idle(struct pool *p, struct hand *h)
{
    at_store(&h->called, 0);
    h->next_idle = p->idle;
    p->idle = h;
    unlock(&p->lock);
    for (int64_t left = IDLE_NS, end = plat_now() + left; !at_load(&h->called) && left > 0; left = end - plat_now())
        plat_futex_wait(&h->called, 0, left);
    lock(&p->lock);
    h->ended = idle_remove(p, h);
    p->hands -= h->ended;
    bool called = !h->ended;
    unlock(&p->lock);                                /* then h is for whoever joins it */
    return called;
}

static void *hand_main(void *arg)
{
    struct hand *h = arg;
    struct pool *p = h->pool;
    at_store(&h->tid, freeze_tid());
    freeze_allow();
    plat_interrupt_allow();
    for (;;) {
        lock(&p->lock);
        struct job *j = job_pop(p);
        if (j) {
            j->state = RUNNING;
            h->job = j;
            unlock(&p->lock);
            job_run(h, j);
        } else if (p->stop) {
            bool last = h->stray && --p->strays == 0, stray = h->stray;
            unlock(&p->lock);
            if (stray)
                mem_free(h);
            if (last)
                mem_free(p);
            return NULL;
        } else if (!hand_idle(p, h)) {
            return NULL;
        }
    }
}

static void *ticker_main(void *arg)
{
    struct pool *p = arg;
    at_store(&p->ticker_tid, freeze_tid());
    freeze_allow();
    for (;;) {
        uint32_t ticks = at_load_acq(&p->ticks);
        bool any = false;
        lock(&p->lock);
        bool stop = p->stop;
        for (struct hand *h = p->all; h; h = h->next)
            if (h->job && h->job->ending) {
                plat_interrupt_send(h->thread);
                any = true;
            }
        unlock(&p->lock);
        if (stop)
            return NULL;
        plat_futex_wait(&p->ticks, ticks, any ? (int64_t)TICK_NS : -1);
    }
}

/* Joins what has left meanwhile. */
static void reap(struct pool *p)
{
    struct hand *gone = NULL;
    lock(&p->lock);
    for (struct hand **at = &p->all; *at; ) {
        struct hand *h = *at;
        if (h->ended) {
            *at = h->next;
            h->next = gone;
            gone = h;
        } else {
            at = &h->next;
        }
    }
    unlock(&p->lock);
    for (struct hand *h; (h = gone); ) {
        gone = h->next;
        plat_thread_join(h->thread);
        mem_free(h);
    }
}

static int hand_start(struct pool *p)
{
    struct hand *h = mem_zalloc(sizeof *h);
    if (!h)
        return ENOMEM;
    h->pool = p;
    lock(&p->lock);                                  /* so that nobody signals a thread whose id is not there yet */
    int e = plat_thread_start(&h->thread, hand_main, h, "leat-pool");
    if (e == 0) {
        h->next = p->all;
        p->all = h;
    }
    unlock(&p->lock);
    if (e)
        mem_free(h);
    return e;
}

/* -- the task's side --------------------------------------------------------------------------------------------------------- */
static leat_err pool_get(struct rt *rt, struct pool **ret)
{
    struct pool *p = at_load_acq(&rt->pool), *none = NULL;
    if (unlikely(p == NULL)) {
        int e = plat_interrupt_init();
        if (e)
            return err_sys(e, "leat_blocking: the program uses every real-time signal");
        if (!(p = mem_zalloc(sizeof *p)))
            return err_of(LEAT_NOMEM);
        if (!atomic_compare_exchange_strong_explicit(&rt->pool, &none, p, ACQ_REL, ACQ)) {
            mem_free(p);
            p = none;
        }
    }
    *ret = p;
    return LEAT_OK;
}

/* [locked] */
static void job_remove(struct pool *p, struct job *j)
{
    struct job **at = &p->head, *before = NULL;
    while (*at != j) {
        before = *at;
        at = &before->next;
    }
    *at = j->next;
    if (p->tail == j)
        p->tail = before;
}

/* [locked] Whether there is a thread that comes to what is queued.  (hands also counts those that are only being started.) */
static bool any_hand(const struct pool *p)
{
    const struct hand *h = p->all;
    while (h && h->ended)
        h = h->next;
    return h != NULL;
}

/* The job is queued and the task's park is PARK_WAIT.  Finds it a thread.  Else, when no thread can be had, it is out of the queue. */
static leat_err job_submit(struct pool *p, struct job *j)
{
    edge_forget(&j->arg);
    edge_forget(&j->err);
    edge_release(&j->arg);
    lock(&p->lock);
    struct hand *h = p->idle;
    bool more = !h && p->hands < LIMIT_POOL_THREADS;
    j->next = NULL;
    if (p->tail)
        p->tail->next = j;
    else
        p->head = j;
    p->tail = j;
    if (h)
        p->idle = h->next_idle;
    p->hands += more;
    at_store(&j->task->park, PARK_WAIT);
    if (h)
        at_store_rel(&h->called, 1);
    unlock_fence(&p->lock);
    if (h)
        plat_futex_wake(&h->called, 1);
    if (!more)
        return LEAT_OK;
    reap(p);
    int e = hand_start(p);
    if (e == 0)
        return LEAT_OK;
    lock(&p->lock);
    p->hands--;
    bool stuck = j->state == QUEUED && !any_hand(p);
    if (stuck)
        job_remove(p, j);
    unlock(&p->lock);
    if (!stuck)
        return LEAT_OK;                              /* others will come to it */
    if (!task_claim(j->task, PARK_NONE))
        task_park_plain(j->task);                    /* somebody has ended the wait already: that wake is taken */
    return err_sys(e, "leat_blocking: cannot start a thread");
}

static WAIT_KIND ending_kind = { .what = "waits for a blocking call on another thread, which was to end early" };

/* [locked] */
static void job_interrupt(struct pool *p, const struct job *j)
{
    for (struct hand *h = p->all; h; h = h->next)
        if (h->job == j)
            plat_interrupt_send(h->thread);
}

/* [locked; unlocked on return] As job_end_early, and there is no ticker: the task goes on, gives way, and does what that would. */
static void job_press(struct pool *p, struct job *j)
{
    j->pressed = true;
    for (int64_t due = 0; j->state != DONE; lock(&p->lock)) {
        int64_t now = plat_now();
        if (now >= due) {
            job_interrupt(p, j);
            due = now + TICK_NS;
        }
        unlock(&p->lock);
        leat_yield();
    }
    unlock(&p->lock);
}

/* [locked; unlocked on return] The job runs and shall return soon: waits for that and nothing else. */
static void job_end_early(struct pool *p, struct job *j)
{
    if (!p->ticking)
        p->ticking = plat_thread_start(&p->ticker, ticker_main, p, "leat-tick") == 0;
    if (unlikely(!p->ticking)) {
        job_press(p, j);
        return;
    }
    struct waiter me = { .task = j->task, .kind = &ending_kind };
    j->ending = true;                                /* from now on park is not PARK_WAIT, and only the thread wakes us */
    j->task->on = &me;
    at_store(&j->task->park, PARK_PLAIN);
    job_interrupt(p, j);
    atomic_fetch_add_explicit(&p->ticks, 1, REL);
    unlock(&p->lock);
    plat_futex_wake(&p->ticks, 1);
    task_park_plain(j->task);
}

/* Until the job is done or has been taken back.  Returns OK, or the context's error when the job was to end early. */
static leat_err job_wait(struct pool *p, struct job *j, bool *back)
{
    struct waiter me = { .task = j->task, .kind = &wait_blocking };
    for (;;) {
        j->task->on = &me;
        uint32_t why = task_wait(j->task);
        if (why == PARK_CHAN)
            return LEAT_OK;
        leat_err e = task_wait_err(j->task, why);
        lock(&p->lock);
        if (j->state == DONE) {
            unlock(&p->lock);
            return LEAT_OK;
        }
        if (e == LEAT_AGAIN) {
            at_store(&j->task->park, PARK_WAIT);
            unlock_fence(&p->lock);
            continue;
        }
        *back = j->state == QUEUED;
        if (*back) {
            job_remove(p, j);
            unlock(&p->lock);
        } else if (j->drop) {
            j->task = NULL;                          /* and j is the thread's from now on */
            unlock(&p->lock);
        } else {
            job_end_early(p, j);
        }
        return e;
    }
}

leat_err leat_blocking_(leat_fn_ *fn, void *arg)
{
    struct task *t = task_self();
    struct rt *rt = rt_self();
    struct pool *p = NULL;
    bool back = false;
    if (!rt || rt->seam)                             /* a thread that is no task may block; a simulated world has no others */
        return fn(arg);
    LEAT_TRY(leat_ctx_err());
    LEAT_TRY(pool_get(rt, &p));
    struct job j = { .fn = fn, .arg = arg, .task = t, .state = QUEUED };
    LEAT_TRY(job_submit(p, &j));
    leat_err e = job_wait(p, &j, &back);
    if (back)
        return e;
    edge_acquire(&j.err);
    if (e != LEAT_OK && j.err != LEAT_OK) {
        err_free(j.fault);
        return err_of(e);
    }
    if (j.err != LEAT_OK)
        err_give(t, j.fault, j.err);
    return j.err;
}

leat_err blocking_leave(leat_fn_ *fn, void *arg, void (*drop)(void *arg), bool *left)
{
    struct task *t = task_self();
    struct rt *rt = rt_self();
    struct pool *p = NULL;
    bool back = false;
    *left = false;
    if (rt && rt->seam)
        return fn(arg);
    LEAT_TRY(leat_ctx_err());
    if (!rt)
        return blocking_alone(fn, arg, drop, left);
    LEAT_TRY(pool_get(rt, &p));
    struct job *j = mem_zalloc(sizeof *j);
    if (!j)
        return err_of(LEAT_NOMEM);
    *j = (struct job){ .fn = fn, .arg = arg, .task = t, .drop = drop, .state = QUEUED };
    leat_err e = job_submit(p, j);
    if (e == LEAT_OK) {
        e = job_wait(p, j, &back);
        *left = e != LEAT_OK && !back;
        if (*left)
            return e;
        if (e == LEAT_OK && (e = j->err) != LEAT_OK)
            err_give(t, j->fault, e);
    }
    mem_free(j);
    return e;
}

/* [locked] Their threads are in calls that nobody waits for, and end by themselves. */
static void strays_let_go(struct pool *p)
{
    for (struct hand **at = &p->all; *at; ) {
        struct hand *h = *at;
        if (h->job && !h->job->task) {
            *at = h->next;
            h->stray = true;
            p->strays++;
            plat_thread_detach(h->thread);
        } else {
            at = &h->next;
        }
    }
}

void blocking_end(struct rt *rt)
{
    struct pool *p = at_load_acq(&rt->pool);
    if (!p)
        return;
    lock(&p->lock);
    p->stop = true;
    strays_let_go(p);
    p->strays++;                                     /* us, for now */
    for (struct hand *h = p->idle; h; h = h->next_idle)
        at_store_rel(&h->called, 1);
    p->idle = NULL;
    atomic_fetch_add_explicit(&p->ticks, 1, REL);
    unlock(&p->lock);
    for (struct hand *h = p->all; h; h = h->next)    /* nobody else changes the list any more */
        plat_futex_wake(&h->called, 1);
    plat_futex_wake(&p->ticks, 1);
    if (p->ticking)
        plat_thread_join(p->ticker);
    for (struct hand *h; (h = p->all); ) {
        p->all = h->next;
        plat_thread_join(h->thread);
        mem_free(h);
    }
    lock(&p->lock);
    bool last = --p->strays == 0;
    unlock(&p->lock);
    if (last)
        mem_free(p);
    at_store(&rt->pool, NULL);
}

bool blocking_busy(struct rt *rt)
{
    struct pool *p = at_load_acq(&rt->pool);
    if (!p)
        return false;
    lock(&p->lock);
    bool busy = p->head != NULL;
    for (struct hand *h = p->all; h; h = h->next)
        busy |= h->job != NULL;
    unlock(&p->lock);
    return busy;
}

size_t blocking_threads(struct rt *rt, int32_t *tid, size_t max)
{
    struct pool *p = at_load_acq(&rt->pool);
    size_t n = 0;
    if (!p)
        return 0;
    lock(&p->lock);
    for (struct hand *h = p->all; h && n < max; h = h->next)
        tid[n++] = at_load(&h->tid);
    if (p->ticking && n < max)
        tid[n++] = at_load(&p->ticker_tid);
    unlock(&p->lock);
    return n;
}
