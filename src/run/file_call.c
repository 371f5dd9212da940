/* file_call.c - calls on files.
 *
 * A runtime makes its ring at the first call (io->ring); the poll watches the ring's descriptor, whichever kind of poll that is.
 * Laws (lock protects all)
 *  A job lies on its task's stack and is in the ring until `done`, so its argument and its buffer outlive the call in the kernel.
 *  Whoever finds the lock free takes what is done out of the ring: the task that has just given something, and the poll's worker.
 *  A job that is to end early is cancelled, now and every CANCEL_EVERY_MS, until it is done: its task waits for that alone, shielded.
 * So there is one outcome: the kernel's, except that ECANCELED or EINTR of a job that was cancelled is the context's error. */
#include "run/file_call.h"
#include <stdlib.h>
#include <string.h>
#include "base/alloc.h"
#include "run/err.h"
#include "run/io.h"
#include "run/io_fd.h"
#include "run/report.h"
#include "run/sched.h"

enum { CANCEL_EVERY_MS = 1 };

struct job {
    struct task *task;
    struct job *next;                                /* in a list of tasks to be made ready */
    int64_t res;
    bool done;
};

struct file_ring {
    _Atomic uint32_t lock;
    struct ring *ring;
    struct io_fd *slot;
};

/* -- on a thread of the pool -------------------------------------------------------------------------------------------------- */
struct pooled { const struct file_op *op; int64_t *res; };

static leat_err do_pooled(struct pooled *p)
{
    while ((*p->res = file_do(p->op)) == -EINTR)
        LEAT_TRY(leat_ctx_err());
    return LEAT_OK;
}

/* -- the ring ----------------------------------------------------------------------------------------------------------------- */
/* [locked] What is done; the list is of tasks to be made ready, `mine` not among them.  *ours: the wait of mine has been ended here. */
static struct job *take_done(struct file_ring *r, struct job *mine, bool *ours)
{
    struct job *list = NULL;
    void *tag;
    int64_t res;
    while (ring_next(r->ring, &tag, &res)) {
        struct job *j = tag;
        j->res = res;
        j->done = true;
        bool wake = task_claim(j->task, PARK_CHAN);
        if (j == mine) {
            *ours = wake;
        } else if (wake) {
            j->next = list;
            list = j;
        }
    }
    return list;
}

static void ready_all(struct job *list)
{
    for (struct job *j = list, *next; j; j = next) {
        next = j->next;                              /* j is gone as soon as its task runs */
        task_ready(worker_self(), j->task);
    }
}

void file_ring_event(struct io *io)
{
    struct file_ring *r = at_load_acq(&io->ring);
    lock(&r->lock);
    struct job *list = take_done(r, NULL, NULL);
    unlock(&r->lock);
    ready_all(list);
}

void file_ring_end(struct io *io)
{
    struct file_ring *r = at_load(&io->ring);
    if (!r)
        return;
    ring_close(r->ring);
    mem_free(r);
}

static bool wants_ring(void)
{
    const char *kind = getenv("LEAT_FILES");
    return !kind || strcmp(kind, "pool") != 0;
}

/* Watched as one of our own descriptors: io_event knows its number. */
static struct file_ring *ring_new(struct io *io)
{
    struct file_ring *r = mem_zalloc(sizeof *r);
    if (!r)
        return NULL;
    if (ring_open(&r->ring) != 0) {
        mem_free(r);
        return NULL;
    }
    if (io_slot_make(io, ring_fd(r->ring), &r->slot) == LEAT_OK) {
        lock(&r->slot->lock);
        r->slot->gen++;
        r->slot->watched = true;
        at_store_rel(&io->ring, r);                  /* an event finds it */
        at_store_rel(&io->ring_fd, 1 + ring_fd(r->ring));
        int e = poll_watch(io->poll, poll_tag(ring_fd(r->ring), r->slot->gen));
        r->slot->watched = e == 0;
        unlock(&r->slot->lock);
        if (e == 0)
            return r;
        at_store(&io->ring_fd, 0);
        at_store(&io->ring, NULL);
    }
    ring_close(r->ring);
    mem_free(r);
    return NULL;
}

/* NULL: there is none, and will be none. */
static struct file_ring *ring_get(struct rt *rt)
{
    struct io *io;
    struct file_ring *r;
    if (io_get(rt, &io) != LEAT_OK)
        return NULL;
    if (likely((r = at_load_acq(&io->ring)) != NULL) || at_load(&io->no_ring))
        return r;
    uint32_t free_ = 0;
    if (!atomic_compare_exchange_strong_explicit(&io->making_ring, &free_, 1, ACQ_REL, RLX))
        return NULL;                                 /* another task makes it: this one call goes to the pool */
    r = wants_ring() ? ring_new(io) : NULL;
    if (!r)
        at_store_rel(&io->no_ring, true);
    return r;
}

static WAIT_KIND ring_kind = { .what = "waits for an operation on a file" };
static WAIT_KIND ending_kind = { .what = "waits for an operation on a file, which was to end early" };

static uint32_t job_wait(struct job *j, const struct wait_kind *kind)
{
    struct waiter me = { .task = j->task, .kind = kind };
    j->task->on = &me;
    return task_wait(j->task);
}

/* The wait has ended without the job.  true: it is done after all; false: wait once more. */
static bool job_is_done(struct file_ring *r, struct job *j, bool again)
{
    lock(&r->lock);
    bool done = j->done;
    if (!done && again)
        at_store(&j->task->park, PARK_WAIT);
    unlock_fence(&r->lock);
    return done;
}

/* Cancels it and waits a little, shielded.  true: it is done. */
static bool job_cancel(struct file_ring *r, struct job *j)
{
    bool ours = false;
    lock(&r->lock);
    if (j->done) {
        unlock(&r->lock);
        return true;
    }
    at_store(&j->task->park, PARK_WAIT);
    ring_cancel(r->ring, j);
    struct job *list = take_done(r, j, &ours);
    bool done = j->done;
    unlock_fence(&r->lock);
    ready_all(list);
    if (done && !ours)
        task_park_plain(j->task);                    /* a timer has ended the wait already: that wake is taken */
    return done || job_wait(j, &ending_kind) == PARK_CHAN;
}

/* A cancel that comes while the kernel hands the operation to one of its threads finds nothing, so it is repeated. */
static void job_end_early(struct file_ring *r, struct job *j)
{
    bool done;
    do {
        struct shield s;
        shield_begin(&s, LEAT_MS(CANCEL_EVERY_MS));
        done = job_cancel(r, j);
        shield_end(&s);
    } while (!done);
}

/* AGAIN: the ring has not taken it. */
static leat_err ring_call(struct file_ring *r, const struct file_op *op, int64_t *res)
{
    struct task *t = task_self();
    struct job j = { .task = t };
    bool ours = false, ended = false, done;
    leat_err why = LEAT_OK;
    at_store(&t->park, PARK_WAIT);
    lock(&r->lock);
    int e = ring_give(r->ring, op, &j);
    struct job *list = take_done(r, &j, &ours);
    done = j.done;
    unlock_fence(&r->lock);
    ready_all(list);
    if (e || done) {
        if (e ? !task_claim(t, PARK_NONE) : !ours)
            task_park_plain(t);                      /* somebody has ended the wait already: that wake is taken */
        *res = j.res;
        return e ? LEAT_AGAIN : LEAT_OK;
    }
    for (uint32_t w; (w = job_wait(&j, &ring_kind)) != PARK_CHAN; ) {
        why = task_wait_err(t, w);
        if (job_is_done(r, &j, why == LEAT_AGAIN))
            break;
        if (why != LEAT_AGAIN) {
            job_end_early(r, &j);
            ended = true;
            break;
        }
    }
    *res = j.res;
    return ended && (j.res == -ECANCELED || j.res == -EINTR) ? err_of(why) : LEAT_OK;
}

leat_err file_call(const struct file_op *op, int64_t *res)
{
    struct rt *rt = rt_self();
    struct file_ring *r = rt && !rt->seam && op->kind != FILE_OPEN ? ring_get(rt) : NULL;
    LEAT_TRY(leat_ctx_err());
    while (r) {
        leat_err e = ring_call(r, op, res);
        if (e == LEAT_AGAIN)
            break;
        if (e != LEAT_OK || *res != -EINTR)
            return e;
        LEAT_TRY(leat_ctx_err());
    }
    return leat_blocking(do_pooled, (struct pooled){ op, res });
}
