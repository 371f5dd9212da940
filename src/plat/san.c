/* san.c - what the tools need once per stack. */
#include "plat/san.h"
#include "plat/thread.h"
#if defined(__has_include)
#if __has_include(<valgrind/valgrind.h>)
#include <valgrind/valgrind.h>
#define SAN_VALGRIND 1
#endif
#endif

void san_stack_open(struct san *s, void *base, size_t size)
{
    *s = (struct san){ .base = base, .size = size };
#ifdef SAN_VALGRIND
    s->valgrind = VALGRIND_STACK_REGISTER(base, (char *)base + size);
#endif
#if SAN_THREAD
    s->fiber = SAN_EDGES ? NULL : __tsan_create_fiber(0);
#endif
}

void san_stack_close(struct san *s)
{
#ifdef SAN_VALGRIND
    VALGRIND_STACK_DEREGISTER(s->valgrind);
#endif
#if SAN_THREAD
    if (s->fiber)
        __tsan_destroy_fiber(s->fiber);
#endif
#if SAN_ADDRESS
    __asan_unpoison_memory_region(s->base, s->size);             /* frames that were never left; the address may serve again */
#endif
    (void)s;
}

void san_thread_open(struct san *s)
{
    *s = (struct san){ 0 };
    plat_thread_stack(&s->base, &s->size);
#if SAN_THREAD
    s->fiber = __tsan_get_current_fiber();
#endif
}

bool san_on_valgrind(void)
{
#ifdef SAN_VALGRIND
    return RUNNING_ON_VALGRIND != 0;
#else
    return false;
#endif
}

extern void __asan_init(void) __attribute__((weak));       /* of a program that is watched, around a library that is not */

bool san_watches_memory(void)
{
    return SAN_ADDRESS || SAN_THREAD || __asan_init || san_on_valgrind();
}

#if SAN_THREAD
#include <unistd.h>
#include "plat/atomic.h"
#include "plat/errno.h"
_Atomic int full_fence_word;

void san_signals(void)
{
    int saved = errno;
    close(-1);                                       /* a library call that does nothing and orders nothing */
    errno = saved;
}
#endif

static bool leaks_meant;

void san_leaks_meant(void)
{
    leaks_meant = true;
}

#if SAN_ADDRESS
/* LeakSanitizer asks this of the program before it looks. */
int __lsan_is_turned_off(void);
__attribute__((visibility("default"), used)) int __lsan_is_turned_off(void)
{
    return leaks_meant;
}
#endif
