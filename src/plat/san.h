/* san.h - tells the tools that watch memory about stacks: AddressSanitizer, ThreadSanitizer, valgrind.  For run/ only.
 *
 * Every stack has a struct san.  Order at a switch: san_leave(from, to, dying), plat_switch, san_arrive(self).  In builds without
 * a sanitizer all of it is empty, and valgrind's requests are a few instructions once per stack. */
#ifndef PLAT_SAN_H
#define PLAT_SAN_H
#include <stdbool.h>
#include <stddef.h>
#include "plat/edges.h"

#if defined(__SANITIZE_ADDRESS__)
#define SAN_ADDRESS 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SAN_ADDRESS 1
#endif
#endif
#if defined(__SANITIZE_THREAD__) || SAN_EDGES
#define SAN_THREAD 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define SAN_THREAD 1
#endif
#endif
#ifndef SAN_ADDRESS
#define SAN_ADDRESS 0
#endif
#ifndef SAN_THREAD
#define SAN_THREAD 0
#endif
/* For functions of reports, which read what others are changing. */
#if SAN_THREAD
#define SAN_UNSEEN __attribute__((no_sanitize("thread")))
#else
#define SAN_UNSEEN
#endif
/* For handlers of signals that ThreadSanitizer does not put off: not even their atomics are seen. */
#if SAN_THREAD && defined(__clang__)
#define SAN_UNSEEN_AT_ALL __attribute__((disable_sanitizer_instrumentation))
#else
#define SAN_UNSEEN_AT_ALL SAN_UNSEEN
#endif

struct san {
    void *base;                                      /* lowest address of the stack */
    size_t size;
    void *fake;                                      /* AddressSanitizer's side stack, while away */
    void *fiber;                                     /* ThreadSanitizer's thread of execution: one a stack, so tasks that follow
                                                      * each other on it count as ordered; with edges.h one a task */
    unsigned valgrind;                               /* its number of the stack */
};

void san_stack_open(struct san *s, void *base, size_t size);
void san_stack_close(struct san *s);
void san_thread_open(struct san *s);                 /* the calling thread's own stack */
bool san_on_valgrind(void);
bool san_watches_memory(void);                       /* whether any of the three sees what is done with memory that was freed */
/* ThreadSanitizer runs the handlers of signals only within library calls that it knows, and keeps what is pending per stack.  So
 * where a thread is about to sleep in a bare system call or leaves a stack, it gets the occasion; there, sleeps are short as well. */
#if SAN_THREAD
enum { SAN_SLEEP_NS = 10000000 };
void san_signals(void);
#else
static inline void san_signals(void) { }
#endif
void san_leaks_meant(void);                          /* what the program has not freed at its end is lost on purpose from now on */

#if SAN_ADDRESS
void __sanitizer_start_switch_fiber(void **fake, const void *base, size_t size);
void __sanitizer_finish_switch_fiber(void *fake, const void **base, size_t *size);
void __asan_unpoison_memory_region(const volatile void *p, size_t size);
#endif
#if SAN_THREAD
void *__tsan_create_fiber(unsigned flags);
void __tsan_destroy_fiber(void *fiber);
void __tsan_switch_to_fiber(void *fiber, unsigned flags);
void *__tsan_get_current_fiber(void);
#endif

static inline void san_leave(struct san *from, struct san *to, bool dying)
{
#if SAN_ADDRESS
    __sanitizer_start_switch_fiber(dying ? NULL : &from->fake, to->base, to->size);
#endif
#if SAN_THREAD
    san_signals();
    __tsan_switch_to_fiber(to->fiber, SAN_EDGES);      /* 1: a switch orders nothing */
#endif
    (void)from; (void)to; (void)dying;
}
static inline void san_arrive(struct san *self)
{
#if SAN_ADDRESS
    __sanitizer_finish_switch_fiber(self->fake, NULL, NULL);
    self->fake = NULL;
#endif
    (void)self;
}
#endif
