/* alone.c - a call that no signal ends, for a thread that is no task and has a deadline or a context of its own: it runs on a thread
 * made for it, which is left behind when the wait ends first.
 *
 * lock protects all.  task is null when it was left; then the record and the argument belong to the thread, else to the caller. */
#include "base/alloc.h"
#include "plat/thread.h"
#include "run/blocking.h"
#include "run/err.h"
#include "run/rt.h"
#include "run/sched.h"

struct alone {
    _Atomic uint32_t lock;
    leat_fn_ *fn;
    void *arg;
    void (*drop)(void *arg);
    struct task *task;
    struct fault *fault;
    leat_err err;
    bool done;
};

static void *alone_main(void *p)
{
    struct alone *a = p;
    leat_err e = a->fn(a->arg);
    struct fault *f = err_take(task_self(), e);
    lock(&a->lock);
    struct task *t = a->task;
    a->err = e;
    a->fault = f;
    a->done = true;
    bool ours = t && task_claim(t, PARK_CHAN);
    unlock(&a->lock);                                /* a is gone, unless it was left */
    if (ours)
        task_ready(NULL, t);
    if (!t) {
        a->drop(a->arg);
        err_free(f);
        mem_free(a);
    }
    return NULL;
}

/* OK: done; else the context's error, and it was left. */
static leat_err alone_wait(struct alone *a, struct task *t)
{
    for (;;) {
        uint32_t why = task_wait(t);
        if (why == PARK_CHAN)
            return LEAT_OK;
        leat_err e = task_wait_err(t, why);
        lock(&a->lock);
        if (!a->done && e == LEAT_AGAIN)
            at_store(&t->park, PARK_WAIT);
        else if (!a->done)
            a->task = NULL;
        bool done = a->done;
        unlock_fence(&a->lock);
        if (done || e != LEAT_AGAIN)
            return done ? LEAT_OK : e;
    }
}

leat_err blocking_alone(leat_fn_ *fn, void *arg, void (*drop)(void *arg), bool *left)
{
    struct task *t = task_self();
    pthread_t thread;
    if (at_load(&t->deadline) == NEVER && t->ctx == ctx_foreign())
        return fn(arg);
    struct alone *a = mem_zalloc(sizeof *a);
    if (!a)
        return err_of(LEAT_NOMEM);
    *a = (struct alone){ .fn = fn, .arg = arg, .drop = drop, .task = t };
    at_store(&t->park, PARK_WAIT);
    int s = plat_thread_start(&thread, alone_main, a, "leat-alone");
    if (s) {
        mem_free(a);
        if (!task_claim(t, PARK_NONE))
            task_park_plain(t);
        return err_sys(s, "cannot start a thread");
    }
    plat_thread_detach(thread);
    leat_err e = alone_wait(a, t);
    *left = e != LEAT_OK;
    if (*left)
        return e;
    e = a->err;
    if (e != LEAT_OK)
        err_give(t, a->fault, e);
    else
        err_free(a->fault);
    mem_free(a);
    return e;
}
