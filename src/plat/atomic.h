/* atomic.h - short names for C11 atomics, and what a spinning thread does.  Any floor may use it. */
#ifndef PLAT_ATOMIC_H
#define PLAT_ATOMIC_H
#include <stdatomic.h>
#include <stdint.h>
#include "plat/san.h"

#define RLX memory_order_relaxed
#define ACQ memory_order_acquire
#define REL memory_order_release
#define ACQ_REL memory_order_acq_rel
#define SEQ memory_order_seq_cst

#define at_load(p)          atomic_load_explicit((p), RLX)
#define at_load_acq(p)      atomic_load_explicit((p), ACQ)
#define at_store(p, v)      atomic_store_explicit((p), (v), RLX)
#define at_store_rel(p, v)  atomic_store_explicit((p), (v), REL)

/* ThreadSanitizer knows no fences, only operations on words. */
static inline void full_fence(void)
{
#if SAN_THREAD && !SAN_EDGES
    extern _Atomic int full_fence_word;
    atomic_fetch_add_explicit(&full_fence_word, 1, memory_order_seq_cst);
#else
    atomic_thread_fence(memory_order_seq_cst);
#endif
}

/* Before a compare-and-swap that must come after the stores before it, whatever it finds.  On x86-64 it does. */
static inline void fence_before_cas(void)
{
#if defined(__x86_64__) && !SAN_THREAD
    atomic_signal_fence(memory_order_seq_cst);
#else
    full_fence();
#endif
}

/* *p = v, and a full fence.  On x86-64 that is one operation; elsewhere the store of an exchange, whatever its order, may come after
 * loads that follow it. */
static inline void store_fence(_Atomic uint32_t *p, uint32_t v)
{
#if defined(__x86_64__) || SAN_THREAD
    atomic_exchange_explicit(p, v, SEQ);
#else
    at_store_rel(p, v);
    full_fence();
#endif
}

static inline void cpu_pause(void)
{
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("isb" ::: "memory");            /* yield is a no-op on most cores */
#endif
}
#endif
