/* edges.h - what orders two tasks, told to ThreadSanitizer by hand, in the library for programs under test (leat_race, meson.build).
 *
 * An instrumented library would order more than the program may rely on: two tasks that take the same lock of the scheduler, or run
 * one after the other on a stack, would count as ordered, and a race between them stay unseen.  So leat_race is built without
 * instrumentation, which hides its locks and words from the tool, and the edges below are all there is: those of the memory model
 * (docs/semantics.md).  Tasks are fibers; a switch between them is no edge.
 * In every other build all of this is empty. */
#ifndef PLAT_EDGES_H
#define PLAT_EDGES_H
#include <stdbool.h>
#include <stddef.h>

#if !defined(SAN_EDGES)
#define SAN_EDGES 0
#endif

struct edge_clock;
#if SAN_EDGES
void __tsan_acquire(void *at);
void __tsan_release(void *at);
void __tsan_read1(void *at);
void __tsan_read_range(void *at, unsigned long size);
void __tsan_write_range(void *at, unsigned long size);

/* All that released at this address before happens before what the caller does from now on. */
static inline void edge_acquire(const volatile void *at) { __tsan_acquire((void *)(__UINTPTR_TYPE__)at); }
static inline void edge_release(const volatile void *at) { __tsan_release((void *)(__UINTPTR_TYPE__)at); }
void edge_forget(const volatile void *at);           /* nothing has been released here: the memory serves anew */
void edge_fresh(void *base, size_t size);            /* nobody has touched these pages yet; whole pages, and their content is lost */
/* The program's own variables, which the library uses for the calling task. */
static inline void edge_reads(const volatile void *at, size_t size) { if (size) __tsan_read_range((void *)(__UINTPTR_TYPE__)at, size); }
static inline void edge_writes(volatile void *at, size_t size) { if (size) __tsan_write_range((void *)(__UINTPTR_TYPE__)at, size); }
void edge_quiet_begin(void);                         /* what this thread calls orders nothing and uses nothing of the program's */
void edge_quiet_end(void);

/* What the one who took it had done by then. */
struct edge_clock *edge_now(void);                   /* [owned: edge_drop]; NULL where there is no memory */
struct edge_clock *edge_hold(struct edge_clock *k);
void edge_drop(struct edge_clock *k);
void edge_join(struct edge_clock *k);                /* k may be NULL */
static inline void edge_set(struct edge_clock **at, struct edge_clock *k) { edge_drop(*at); *at = k; }

/* What this thread does until edge_own is done for somebody else, a timer that was set: that one's clock counts and the caller's does
 * not, and the caller is ordered after nothing.  No switch in between. */
void edge_for(struct edge_clock *k);
void edge_own(void);

void *edge_task(const char *name);                   /* a fiber for a task that the caller starts */
void edge_task_end(void *fiber);                     /* not the one that runs */
void edge_copy(void *to, const void *from, size_t n);               /* seen by no tool */
#else
static inline void edge_acquire(const volatile void *at) { (void)at; }
static inline void edge_release(const volatile void *at) { (void)at; }
static inline void edge_forget(const volatile void *at) { (void)at; }
static inline void edge_reads(const volatile void *at, size_t size) { (void)at; (void)size; }
static inline void edge_writes(volatile void *at, size_t size) { (void)at; (void)size; }
static inline void edge_for(void *k) { (void)k; }
static inline void edge_own(void) { }
static inline void edge_quiet_begin(void) { }
static inline void edge_quiet_end(void) { }
#endif
#endif
