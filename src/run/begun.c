/* begun.c - a task that has begun when its maker goes on, or never will: for those that others count on, and that must not be missed.
 *
 * The maker is parked until the task has a stack, or has found none for as long as is waited for that (fresh_starved): so the wait is short
 * and certain, and neither a context nor a deadline ends it.  What the task is to have lies on the maker's stack until then. */
#include <assert.h>
#include <string.h>
#include "run/rt.h"
#include "run/sched.h"

enum { ARG_MAX_BYTES = 64 };
enum state { UNSEEN, WAITED_FOR, BEGUN, STARVED };

struct begun {
    leat_fn_ *fn;
    const void *arg;
    size_t len;
    struct task *maker;
    _Atomic uint32_t state;
};

/* Behind this b is gone. */
static void tell(struct begun *b, enum state s)
{
    struct task *maker = b->maker;
    if (atomic_exchange_explicit(&b->state, s, ACQ_REL) == WAITED_FOR)
        task_ready(worker_self(), maker);
}

static leat_err begin(struct begun **at)
{
    _Alignas(max_align_t) char arg[ARG_MAX_BYTES];
    leat_fn_ *fn = (*at)->fn;
    memcpy(arg, (*at)->arg, (*at)->len);
    tell(*at, BEGUN);
    return fn(arg);
}

static leat_err starved(struct begun **at)
{
    tell(*at, STARVED);
    return (leat_err)TASK_WITHDRAWN;
}

leat_err task_go_begun(leat_group *g, leat_fn_ *fn, const leat_site_ *site, const void *arg, size_t len)
{
    struct task *me = task_self();
    struct begun b = { .fn = fn, .arg = arg, .len = len, .maker = me }, *at = &b;
    uint32_t was = UNSEEN;
    assert(len <= ARG_MAX_BYTES);
    if (me->foreign > 1)
        return foreign_would_block();
    LEAT_TRY(task_go(g, (leat_fn_ *)(void (*)(void))begin, site, &at, sizeof at, (leat_fn_ *)(void (*)(void))starved));
    at_store(&me->park, PARK_PLAIN);
    if (atomic_compare_exchange_strong_explicit(&b.state, &was, WAITED_FOR, ACQ_REL, ACQ))
        task_park_plain(me);
    if (atomic_load_explicit(&b.state, ACQ) == BEGUN)
        return LEAT_OK;
    return leat_fail(LEAT_NOMEM, "no memory for the stack of the task %s", site->name);
}
