/* foreign.c - threads that are no tasks: each has a stand-in, so that every call works from any thread.
 * The thread that drives a guest (guest.c) must not sleep: the task it would wait for runs only when it drives; so it gets an error.
 * A stand-in sleeps on its word `awake`; its context is never cancelled, its deadline is the thread's scopes'.
 * One that waits for descriptors too sleeps in poll, and its bell wakes it.  Who wakes it rings before it sets `awake`, because
 * from then on the thread may end and the bell with it. */
#include <string.h>
#include "plat/clock.h"
#include "plat/futex.h"
#include "plat/poll.h"
#include "run/err.h"
#include "run/idle.h"
#include "run/io.h"
#include "run/rt.h"
#include "run/sched.h"

struct stand_in {
    struct task task;                                /* first: a stand-in is found by its task */
    int bell;                                        /* 1 + its descriptor; 0: not made */
    int polls;                                       /* set before the wait can be ended, cleared after: how many it waits for */
    struct poll_want want[POLL_SOME_MAX];            /* those, and the bell */
};

static leat_ctx no_ctx = { .deadline = NEVER };
/* The thread's own memory: it is there when there is no other.  task.foreign is 0 until it is used.  No task comes here, so the
 * address does not change over a call. */
static __thread struct stand_in here;

static struct stand_in *stand_in_of(struct task *t) { return (struct stand_in *)(void *)t; }
static pthread_key_t at_exit;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void stand_in_free(void *p)
{
    struct stand_in *s = p;
    err_give(&s->task, NULL, LEAT_OK);
    if (s->bell)
        poll_bell_close(s->bell - 1);
    s->bell = 0;
    s->task.foreign = 0;
}

static void once_key(void)
{
    pthread_key_create(&at_exit, stand_in_free);
}

__attribute__((noinline)) struct task *task_foreign(void)
{
    struct task *t = &here.task;
    if (likely(t->foreign != 0))
        return t;
    pthread_once(&once, once_key);
    memset(t, 0, sizeof *t);
    t->foreign = 1;
    t->ctx = &no_ctx;
    at_store(&t->deadline, NEVER);
    pthread_setspecific(at_exit, &here);             /* no memory for that: its last detail is not freed */
    return t;
}

bool foreign_guests(int more)
{
    struct task *t = task_foreign();
    if (more > 0 && t->foreign == UINT8_MAX)
        return false;
    t->foreign = (uint8_t)(t->foreign + more);
    return true;
}

static bool forked;

void foreign_forked(void)
{
    forked = true;
    task_foreign()->foreign = UINT8_MAX;
}

leat_err foreign_would_block(void)
{
    if (forked)
        return leat_fail(LEAT_INVAL, "this process is a child of one that runs leat: its tasks are not here; exec, or _exit");
    return leat_fail(LEAT_INVAL, "this would wait, and this thread drives a guest, which stands still meanwhile: "
        "call it in a task, or use leat_try_send and leat_try_recv");
}

leat_ctx *ctx_foreign(void)
{
    return &no_ctx;
}

static void sleep_until(struct task *t, int64_t deadline)
{
    while (!at_load_acq(&t->awake)) {
        int64_t limit = -1;
        if (deadline != NEVER && at_load(&t->park) == PARK_WAIT) {
            limit = deadline - plat_now();
            if (limit <= 0) {
                if (task_claim(t, PARK_TIMER))
                    return;                          /* nobody else ended the wait, so nobody will wake us */
                limit = -1;
            }
        }
        plat_futex_wait(&t->awake, 0, limit);
    }
    at_store(&t->awake, 0);
}

/* Ends by itself when a descriptor may be ready (PARK_NONE) or the deadline has passed; else somebody else has ended it. */
static void poll_until(struct stand_in *s, int64_t deadline)
{
    struct task *t = &s->task;
    while (at_load_acq(&t->park) == PARK_WAIT) {
        int64_t limit = deadline == NEVER ? -1 : MAX(deadline - plat_now(), (int64_t)0);
        int e = limit == 0 ? ETIMEDOUT : poll_some(s->want, s->polls + 1, limit);
        if (e == ETIMEDOUT && deadline != NEVER && plat_now() >= deadline && task_claim(t, PARK_TIMER))
            return;
        if (e != ETIMEDOUT && e != EINTR && task_claim(t, PARK_NONE))
            return;
    }
    sleep_until(t, NEVER);                           /* who has ended it says so in a moment */
}

uint32_t task_wait_foreign(struct task *t)
{
    struct stand_in *s = stand_in_of(t);
    if (t->ctx != &no_ctx && !at_load(&t->registered))
        ctx_register(t);
    if ((at_load(&t->ctx->done) || t->foreign > 1) && task_claim(t, PARK_CANCEL))
        return PARK_CANCEL;
    if (s->polls)
        poll_until(s, at_load(&t->deadline));
    else
        sleep_until(t, at_load(&t->deadline));
    return at_load_acq(&t->park);
}

int task_poll_begin(struct task *t, int fd, int events)
{
    struct stand_in *s = stand_in_of(t);
    int bell, e = s->bell ? 0 : poll_bell_open(&bell);
    if (e)
        return e;
    if (!s->bell)
        s->bell = bell + 1;
    s->want[s->polls++] = (struct poll_want){ fd, (uint32_t)events };
    s->want[s->polls] = (struct poll_want){ s->bell - 1, POLL_READ };
    return 0;
}

void task_poll_end(struct task *t)
{
    struct stand_in *s = stand_in_of(t);
    if (s->polls)
        poll_bell_clear(s->bell - 1);
    s->polls = 0;
}

void task_wait_plain_foreign(struct task *t)
{
    sleep_until(t, NEVER);
}

/* Its thread may have gone on, even ended, when the futex call comes: a wake of an address where nobody sleeps does nothing. */
void task_wake_foreign(struct task *t)
{
    if (stand_in_of(t)->polls)
        poll_bell_ring(stand_in_of(t)->bell - 1);
    at_store_rel(&t->awake, 1);
    plat_futex_wake(&t->awake, 1);
}

leat_err go_foreign(leat_group *pub, leat_fn_ *fn, const leat_site_ *site, const void *arg, size_t len, leat_fn_ *starved)
{
    struct group *g = pub ? group_of(pub) : NULL;
    if (!g || !g->open || !g->rt)
        return leat_fail(LEAT_INVAL, "leat_go %s: this thread is no task: name a group that a task has opened", site->name);
    if (at_load(&g->ctx.done))
        return err_of(LEAT_CANCELED);
    struct rt *rt = g->rt;
    struct task *t = task_record_foreign(rt);
    if (!t)
        return go_no_record(rt, site);
    leat_err e = task_arg(t, arg, len);
    if (e != LEAT_OK) {
        task_record_unused(rt, t);
        return e;
    }
    group_add(g);
    t->fn = fn;
    t->site = site;
    task_fill(t, task_self(), g);
    if (starved) {
        t->fresh = FRESH_HEARD;
        t->starved = starved;
    }
    atomic_fetch_add_explicit(&rt->visitors, 1, RLX);
    global_push(rt, t, t, 1);
    idle_wake_one(rt);
    atomic_fetch_sub_explicit(&rt->visitors, 1, REL);
    return LEAT_OK;
}
