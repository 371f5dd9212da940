/* freeze.h - looking at other threads of this process where they are: one by one, or all of them standing still.
 *
 * By a real-time signal that the program does not use (the first free one from the top), so a thread that blocks it cannot be looked
 * at.  The handler restarts system calls (SA_RESTART), but some of them return EINTR all the same: signal(7) lists them. */
#ifndef PLAT_FREEZE_H
#define PLAT_FREEZE_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

int freeze_init(void);                               /* 0 or an errno; any number of times */
void freeze_allow(void);                             /* the calling thread may be looked at, if all its signals were blocked */
int32_t freeze_tid(void);                            /* of the calling thread; [signal] */

/* Runs fn(arg, ucontext) in thread tid's handler and waits for its end, at most limit_ns.  false: the thread did not answer, or
 * somebody else is looking at one.  fn is limited to what a handler may do.  [signal] */
bool freeze_one(int32_t tid, void (*fn)(void *arg, const void *ucontext), void *arg, int64_t limit_ns);

/* All other threads stop within 250 ms, or *deaf is one that did not and all go on.  No other freeze is under way meanwhile.  Until
 * freeze_end the caller must not need what they may hold: no malloc, no stdio, no locks. */
struct frozen { int32_t tid; const void *ucontext; };
bool freeze_all(const struct frozen **ret, size_t *n, int32_t *deaf);
void freeze_end(void);
int freeze_others(const int32_t *ours, size_t n);    /* threads of this process that are not in the list; < 0: cannot be told */

/* Gives the calling thread a stack for handlers, unless it has one.  *ret: to be given back by alt_stack_close, or null. */
enum { ALT_STACK = 64 << 10 };                       /* bytes */
void alt_stack_open(void **ret);
bool alt_stack_now(void **base, size_t *bytes);      /* of the calling thread, whoever gave it; false: none */
void alt_stack_close(void *p);
#endif
