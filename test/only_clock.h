/* only_clock.h - for tests of one worker whose world is a clock that only they move: the_time.  in_world runs fn there; fn adds one to
 * finished at its end. */
#ifndef ONLY_CLOCK_H
#define ONLY_CLOCK_H
#include "leat.h"
#include "run/seam.h"
#include "run/task.h"
#include "t.h"

static int64_t the_time;
static int finished;
static int64_t world_now(void *self) { (void)self; return the_time; }
static uint64_t world_random(void *self) { (void)self; return 1; }
static bool world_idle(void *self, int64_t next)
{
    (void)self;
    the_time = MAX(the_time, next);
    return next != NEVER;
}
static const struct seam clock_only = { .now = world_now, .random = world_random, .idle = world_idle };

static void in_world(leat_err (*fn)(leat_none *))
{
    static const leat_site_ site = { "test", __FILE__, 1 };
    struct rt_main m = { .fn = (leat_fn_ *)(void (*)(void))fn, .site = &site, .seam = &clock_only };
    the_time = INT64_C(1000000000);
    CHECK_EQ(rt_run(&m), LEAT_OK);
    CHECK_EQ(finished, 1);
}
#endif
