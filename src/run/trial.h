/* trial.h - whether a worker that has more than one task to run wakes another for it.
 *
 * A wake costs both some 10 us and moves what the tasks share from one cache to the other.  So it is on trial: who was woken and finds
 * nothing, or nothing that lasts, was woken in vain, and the next such wake comes TRIAL_PAUSE_NS later at the earliest, twice as much
 * each time it happens again.  One that pays ends the pause.  Nobody is forgotten in a pause: a worker in deep sleep looks by itself, the
 * first time after QUIET_NS (idle.c), and what it finds then is judged in the same way.
 * Who was woken writes; anybody may read. */
#ifndef RUN_TRIAL_H
#define RUN_TRIAL_H
#include <stdbool.h>
#include <stdint.h>
#include "plat/atomic.h"

enum {
    TRIAL_WORTH_NS = 20000,                          /* work that lasts so long, from when it was found, was worth a wake */
    TRIAL_PAUSE_NS = 250000, TRIAL_PAUSE_MAX_NS = 4000000,
};

struct trial { _Atomic int64_t not_before, pause; _Atomic uint64_t woken; };         /* woken: for tests, so many so far */

static inline bool trial_worth(const struct trial *t, int64_t now) { return now >= at_load(&t->not_before); }

/* What was found lasted so long; 0: nothing was. */
static inline void trial_ended(struct trial *t, int64_t now, int64_t lasted)
{
    int64_t pause = 0;
    if (lasted < TRIAL_WORTH_NS) {
        pause = at_load(&t->pause) * 2;
        pause = pause < TRIAL_PAUSE_NS ? TRIAL_PAUSE_NS : pause > TRIAL_PAUSE_MAX_NS ? TRIAL_PAUSE_MAX_NS : pause;
    }
    at_store(&t->pause, pause);
    at_store(&t->not_before, pause ? now + pause : 0);
}
#endif
