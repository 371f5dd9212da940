/* away.h - how many tasks hibernate (run/hiber.h). */
#ifndef TEST_AWAY_H
#define TEST_AWAY_H
#include "plat/san.h"
#include "run/hiber.h"
#include "run/rt.h"
#include "run/sched.h"
#include "run/stack.h"

/* Where tools watch memory nobody does. */
static bool can(void) { return !SAN_ADDRESS && !SAN_THREAD && !san_on_valgrind(); }

static void count_away(struct task *t, void *arg)
{
    *(int *)arg += (at_load(&t->nap) & NAP_AWAY) && at_load_acq(&t->sp) && at_load(&t->park) == PARK_WAIT;
}
static int away(void)
{
    int n = 0;
    slabs_each_task(rt_self(), count_away, &n);
    return n;
}
#endif
