/* watch.h - the thread that watches a runtime's workers (watch.c). */
#ifndef RUN_WATCH_H
#define RUN_WATCH_H
#include "run/task.h"

int watch_start(struct rt *rt);                      /* 0 or an errno */
void watch_stop(struct rt *rt);                      /* the workers have ended */
void watch_stack(struct rt *rt, void (*fn)(void *arg, const void *mem, size_t bytes), void *arg);     /* of the thread */
void watch_kick(struct rt *rt);                      /* a worker wakes, and rt->watch_sleeps */

/* Null: every task of rt sleeps, and nothing will ever wake one.  Else what may, in words: "a task waits for a time". */
const char *deadlock_veto(struct rt *rt);
extern _Atomic uint64_t watch_asks, watch_tasks_asked;       /* for tests: how often that was asked, and of how many tasks */
extern int64_t watch_ask_more_ns;                    /* for tests: and that it seems to have taken so much longer */
#endif
