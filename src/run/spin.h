/* spin.h - whether an idle worker looks for a while before it sleeps.
 *
 * A sleep costs its waker a system call and the sleeper some 20 to 40 us until it runs; a look costs a fraction of a microsecond.  So
 * the last worker awake looks for up to SPIN_NS, but only while experience says that it pays: an account is credited for every
 * wait that ended soon and debited for every spin that ended in vain, twice as much each time it happens again.  So a runtime whose
 * partners are idle or far away does not spin at all, and one whose partner needs this very CPU finds out at once: a spin that
 * lost the CPU (or in which the partner could not run) costs more than the good waits around it can pay.
 * The worker that holds rt->spinning writes; anybody may read. */
#ifndef RUN_SPIN_H
#define RUN_SPIN_H
#include <stdbool.h>
#include <stdint.h>
#include "plat/atomic.h"

enum {
    SPIN_NS = 50000,                                 /* a spin takes no longer */
    SPIN_SOON_NS = 100000,                           /* a sleep this short, both wakes included, might have been a spin that pays */
    SPIN_GAP_NS = 20000,                             /* a look that takes so long: somebody else had the CPU */
    SPIN_WORTH = 8, SPIN_RICH = 16,                  /* the account: from when on it spins; most of it */
    SPIN_COST = 4, SPIN_COST_MAX = 1024,             /* the debit of a spin in vain: at first, at most */
};
enum spin_end { SPIN_PAID, SPIN_VAIN, SPIN_CROWDED };

struct spin {
    _Atomic int32_t account;
    _Atomic int32_t cost;                            /* of the next spin in vain; 0: SPIN_COST */
    _Atomic uint64_t begun, looks;                   /* for tests: spins, and looks within them */
};

static inline bool spin_worth(const struct spin *s) { return at_load(&s->account) >= SPIN_WORTH; }
void spin_slept(struct spin *s, int64_t ns);         /* a worker that did not spin slept until it had work, or until a timer */
void spin_ended(struct spin *s, enum spin_end how);
#endif
