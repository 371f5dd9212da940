/* starve.h - for tests: tasks that find no memory for a stack.
 *
 * fill() takes every stack that there is, and then no memory for others is given: one worker, and tasks that wait for the gate.
 * starve_run makes the runtime: with small stacks and a short wait for them. */
#ifndef STARVE_H
#define STARVE_H
#include "base/alloc.h"
#include "pair.h"
#include "run/rt.h"
#include "run/sched.h"

static size_t one_stack;
static inline bool is_stacks(void *self, size_t bytes)
{
    (void)self;
    return bytes % one_stack == 0;                   /* no other piece of memory here is so many bytes */
}
static const struct mem_hook starve_hook = { is_stacks, NULL };
static inline void no_more(bool no) { __atomic_store_n(&mem_hook, no ? &starve_hook : NULL, __ATOMIC_RELAXED); }

struct full { leat_group g; leat_chan(int) gate; uint32_t made; };
static _Atomic uint32_t begun, starved, ended;

static inline leat_err starve_waits(struct full **f)
{
    int v;
    atomic_fetch_add(&begun, 1);
    leat_err err = leat_recv((*f)->gate, &v);
    atomic_fetch_add(&ended, 1);
    return err == LEAT_CLOSED ? LEAT_OK : err;
}
static inline leat_err not_begun(struct full **f)
{
    (void)f;
    atomic_fetch_add(&starved, 1);
    return LEAT_OK;
}

/* From here on no task finds a stack.  None waits for one either. */
static inline void fill(struct full *f)
{
    static const leat_site_ site = { "waits", __FILE__, __LINE__ };
    uint32_t was = at_load(&starved);
    one_stack = task_self()->rt->stack_bytes;
    if (!f->gate)
        CHECK((f->gate = leat_chan_make(int, 0)));
    no_more(true);
    for (int i = 0; at_load(&starved) == was || at_load(&begun) + at_load(&starved) < f->made; i++) {
        CHECK(i < 60000);
        for (int n = 0; n < 8 && at_load(&starved) == was; n++, f->made++)
            CHECK_EQ(task_go(&f->g, (leat_fn_ *)(void (*)(void))starve_waits, &site, &f, sizeof f,
                (leat_fn_ *)(void (*)(void))not_begun), LEAT_OK);
        CHECK_EQ(leat_sleep(LEAT_MS(1)), LEAT_OK);
    }
}

static inline void empty(struct full *f)
{
    no_more(false);
    leat_close(leat_tx_of(f->gate));
    CHECK_EQ(leat_group_wait(&f->g), LEAT_OK);
    leat_unref(f->gate);
}

/* One of them ends: there is one stack. */
static inline void give_one(struct full *f)
{
    uint32_t was = at_load(&ended);
    CHECK_EQ(leat_send(f->gate, 1), LEAT_OK);
    for (int ms = 0; at_load(&ended) == was; ms++) {
        CHECK(ms < 60000);
        CHECK_EQ(leat_sleep(LEAT_MS(1)), LEAT_OK);
    }
}

static inline void starve_run(enum place p, leat_err (*fn)(leat_none *))
{
    static const leat_opts opts = { .workers = 1, .stack_bytes = 80 << 10, .log = pair_quiet };
    at(p);
    rt_stack_wait_ns = 20000000;
    CHECK_EQ(leat_run(&opts, fn, LEAT_NONE), LEAT_OK);
}
#endif
