/* idle.h - workers without work: stealing, sleeping, waking.  For run/. */
#ifndef RUN_IDLE_H
#define RUN_IDLE_H
#include "run/task.h"

void idle_wake_one(struct rt *rt);                   /* a worker in deep sleep, if there is one */
void idle_wake_more(struct worker *w);               /* w has more to run than one; only if such wakes pay (trial.h) */
void idle_wake(struct worker *w);                    /* this one, if it sleeps */
void idle_wake_all(struct rt *rt);
bool idle_should_retreat(struct worker *w);
/* A guest's worker (guest.c) between two steps: asleep in a poll that its host looks at.  false: there is work, so it is not asleep. */
bool idle_leave(struct worker *w);
void idle_return(struct worker *w);
void worker_loop(struct worker *w);                  /* until the runtime stops */
#endif
