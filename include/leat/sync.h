/* leat/sync.h - sharing memory between tasks, when a channel is the wrong tool.  Part of leat.h.
 *
 * {0} is ready, unless a line says otherwise; none may be copied or moved once used.  All work between tasks, threads that are no
 * tasks, and both.  A call that [blocks] waits without allocating; when a cancel or deadline ended it, it holds nothing.
 * To unlock what is not locked, to be done more often than was added, to release more than was acquired: bugs; the program stops
 * and says so (leat_unlock: in debug builds). */
#ifndef LEAT_H
#include "../leat.h"                               /* read alone, it still works */
#endif
#ifndef LEAT_SYNC_H
#define LEAT_SYNC_H

/* -- Mutex.  An unlock touches it for the last time when it frees it: whoever locks it next and knows to be the last may free its
 * memory. */
typedef struct leat_mutex { void *opaque_[2]; } leat_mutex;
LEAT_CHECK leat_err leat_lock(leat_mutex *m);        /* [blocks] nobody is overtaken more than 4 times; not recursive */
LEAT_CHECK leat_err leat_try_lock(leat_mutex *m);    /* AGAIN instead of waiting */
void leat_unlock(leat_mutex *m);                     /* by the task that locked, on any thread */
#define leat_with_lock(m, err)          LEAT_WITH_LOCK_(m, err) /* the block runs only when err is LEAT_OK */

/* -- Read-write lock: many readers or one writer.  A writer that waits keeps new readers out, and the readers that it kept out come
 * before the next writer: so no reader may take the lock again while it has it.  Its memory may be reused when no call on it is under
 * way. */
typedef struct leat_rwlock { void *opaque_[8]; } leat_rwlock;
LEAT_CHECK leat_err leat_rlock(leat_rwlock *l);      /* [blocks] while a writer has it or waits for it */
LEAT_CHECK leat_err leat_wlock(leat_rwlock *l);      /* [blocks] while anybody has it; writers come in as they do to a mutex.  One that
                            gives up lets the readers in that it kept out */
LEAT_CHECK leat_err leat_try_rlock(leat_rwlock *l);  /* AGAIN: a writer has it or waits for it */
LEAT_CHECK leat_err leat_try_wlock(leat_rwlock *l);  /* AGAIN: somebody has it */
void leat_runlock(leat_rwlock *l);                   /* by any task or thread, once for each that got it */
void leat_wunlock(leat_rwlock *l);                   /* by the task that locked, on any thread */
#define leat_with_rlock(l, err)         LEAT_WITH_RLOCK_(l, err)        /* the block runs only when err is LEAT_OK */
#define leat_with_wlock(l, err)         LEAT_WITH_WLOCK_(l, err)

/* -- Once. */
typedef struct leat_once  { void *opaque_[4]; } leat_once;
LEAT_CHECK leat_err leat_do_once(leat_once *o, leat_err (*fn)(void));  /* [blocks] every caller gets fn's error.  CANCELED,
                            DEADLINE: another ran it meanwhile, and was not awaited */

/* -- Condition.  leat_cond_wait lets go of m, waits for a signal and has m again when it returns, also when it returns an error.
 * Whoever waits longest is signalled first, and a signal that meets a cancel goes to one or the other: it is never lost.  Another
 * task may have changed the condition before m was had again: wait in a loop. */
typedef struct leat_cond { void *opaque_[3]; } leat_cond;
LEAT_CHECK leat_err leat_cond_wait(leat_cond *c, leat_mutex *m);   /* [blocks] m is had again with any error; on a thread that drives a
                            guest: INVAL at once, and m was never let go of */
void leat_cond_signal(leat_cond *c);                 /* wakes one, if one waits; m need not be held */
void leat_cond_broadcast(leat_cond *c);              /* wakes all that wait now */

/* -- Wait group: a count of what is under way.  Add before starting what will be done; a group of tasks is mostly the better tool.
 * Its memory is free as soon as a wait has returned and nothing more will be added. */
typedef struct leat_waitgroup { void *opaque_[3]; } leat_waitgroup;
void leat_waitgroup_add(leat_waitgroup *g, int n);   /* n may be negative, the count never */
void leat_waitgroup_done(leat_waitgroup *g);         /* one less */
LEAT_CHECK leat_err leat_waitgroup_wait(leat_waitgroup *g);        /* [blocks] until the count is 0 */

/* -- Weighted semaphore: leat_sem s = { .size = 10 }.  First come, first served: one that wants much is not overtaken by ones that
 * want little. */
typedef struct leat_sem { int64_t size; void *opaque_[4]; } leat_sem;
LEAT_CHECK leat_err leat_acquire(leat_sem *s, int64_t n);          /* [blocks] LIMIT: n is more than its size; INVAL: n < 0 */
LEAT_CHECK leat_err leat_try_acquire(leat_sem *s, int64_t n);      /* AGAIN instead of waiting; INVAL */
void leat_release(leat_sem *s, int64_t n);
#endif
