/* hiber.h - hibernation: of a task that has waited long the used part of the stack is copied to a block, and the stack's pages go back.
 *
 * Who.   Tasks of a context that says so (leat_ctx.nap).  Such a task's timer also fires when it has waited so long, and hands it to
 *        the worker, which copies it from its own context.  Nothing on the way of a wait, a wake or a switch knows of it.
 * How.   PARK_WAIT -> PARK_NAP by a compare-and-swap: now the task is ours as it would be a waker's, and who would claim it waits until
 *        this is over.  All queues in which it stands are locked, by trying only: a waker may hold one and wait for us.  Its frames are
 *        copied, its waiters in the copy take the places of those on the stack, and what they point to on the stack is now in the copy.
 *        Then it is PARK_WAIT again, with the copy as its stack pointer.  So who serves it serves the waiter in the copy, and it keeps
 *        its place in every queue.  When anything is in the way it stays where it is and is looked at later.
 * Back.  Whoever switches to the copy comes to nap_back, on the task's own stack below its frames (plat_away): it copies them to their
 *        addresses, and the waiters that are still queued take their old places.
 * Never  when another than the runtime's queues may point into the stack: a group is open on it, its context lies on it, it waits for
 *        an offer of a select or for an answer of a peer.  What the program's own variables tell others is for the program to know.
 * Under AddressSanitizer, ThreadSanitizer and valgrind, and in a simulated world, nobody hibernates: the tools know stacks by address.
 *
 * A hibernated task is one whose stack pointer is not in its stack. */
#ifndef RUN_HIBER_H
#define RUN_HIBER_H
#include "plat/switch.h"
#include "run/task.h"

extern bool nap_at_once;                             /* for tests: at the next tick, however short the wait */
uint8_t nap_code(const struct rt *rt, leat_dur after);               /* for leat_ctx.nap; below 0: never */
void nap_begin(struct worker *w, struct task *t);    /* t is in another context: its timer looks after it from now on, or no more */
/* [wheel lock] The timer of t, which has no deadline before, has fired: when it fires again.  into is the calling worker. */
int64_t nap_due(struct worker *into, struct task *t, int64_t now);
void nap_all(struct worker *w);                      /* [the worker's own context] those that nap_due has found */

/* Where a parked task's frames are.  [signal] */
struct frames {
    uintptr_t lo, hi;                                /* addresses on the stack */
    uintptr_t by;                                    /* lie so much further on */
    uintptr_t pc;                                    /* where it goes on, if by != 0 */
};
bool task_frames(const struct task *t, struct frames *ret);          /* false: it runs, or has none */
#endif
