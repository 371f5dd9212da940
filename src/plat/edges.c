/* edges.c - see edges.h.  ThreadSanitizer forgets an address when memory is given back or mapped while the thread is told to ignore
 * its own accesses; without that it would take the library's own allocations for accesses of the task that makes the call. */
#include "plat/edges.h"
#if SAN_EDGES
#undef malloc
#undef calloc
#undef realloc
#undef aligned_alloc
#undef free
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include "plat/atomic.h"

void AnnotateIgnoreReadsBegin(const char *file, int line);
void AnnotateIgnoreReadsEnd(const char *file, int line);
void AnnotateIgnoreSyncBegin(const char *file, int line);
void AnnotateIgnoreSyncEnd(const char *file, int line);
void __tsan_mutex_create(void *at, unsigned flags);
void __tsan_mutex_destroy(void *at, unsigned flags);
void __tsan_set_fiber_name(void *fiber, const char *name);

static void unseen_begin(void) { AnnotateIgnoreReadsBegin(__FILE__, __LINE__); }
static void unseen_end(void) { AnnotateIgnoreReadsEnd(__FILE__, __LINE__); }

void edge_quiet_begin(void)
{
    unseen_begin();
    AnnotateIgnoreSyncBegin(__FILE__, __LINE__);
}

void edge_quiet_end(void)
{
    AnnotateIgnoreSyncEnd(__FILE__, __LINE__);
    unseen_end();
}

void edge_forget(const volatile void *at)
{
    unseen_begin();
    __tsan_mutex_destroy((void *)(uintptr_t)at, 0);
    unseen_end();
}

void edge_fresh(void *base, size_t size)
{
    unseen_begin();
    void *p = mmap(base, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0);
    unseen_end();
    if (p == MAP_FAILED)
        abort();
}

/* -- the allocator, as all of this library sees it (meson.build renames the calls) ------------------------------------------- */
void *edges_malloc(size_t n);
void *edges_calloc(size_t n, size_t size);
void *edges_realloc(void *p, size_t n);
void *edges_aligned_alloc(size_t align, size_t n);
void edges_free(void *p);

void *edges_malloc(size_t n)
{
    unseen_begin();
    void *p = malloc(n);
    unseen_end();
    return p;
}

void *edges_calloc(size_t n, size_t size)
{
    unseen_begin();
    void *p = calloc(n, size);
    unseen_end();
    return p;
}

void *edges_realloc(void *p, size_t n)
{
    unseen_begin();
    p = realloc(p, n);
    unseen_end();
    return p;
}

void *edges_aligned_alloc(size_t align, size_t n)
{
    unseen_begin();
    void *p = aligned_alloc(align, n);
    unseen_end();
    return p;
}

void edges_free(void *p)
{
    unseen_begin();
    free(p);
    unseen_end();
}

/* -- clocks --------------------------------------------------------------------------------------------------------------------- */
struct edge_clock { _Atomic uint32_t refs; };
static __thread bool for_other;
static __thread struct edge_clock *other;

void edge_for(struct edge_clock *k)
{
    for_other = true;
    other = k;
}

void edge_own(void)
{
    for_other = false;
}

void edge_join(struct edge_clock *k)
{
    if (k && !for_other)
        __tsan_acquire(k);
}

struct edge_clock *edge_now(void)
{
    if (for_other)
        return edge_hold(other);
    struct edge_clock *k = edges_malloc(sizeof *k);
    if (!k)
        return NULL;
    at_store(&k->refs, 1);
    __tsan_release(k);
    return k;
}

struct edge_clock *edge_hold(struct edge_clock *k)
{
    if (k)
        atomic_fetch_add_explicit(&k->refs, 1, RLX);
    return k;
}

void edge_drop(struct edge_clock *k)
{
    if (k && atomic_fetch_sub_explicit(&k->refs, 1, ACQ_REL) == 1)
        edges_free(k);
}

/* -- tasks ---------------------------------------------------------------------------------------------------------------------- */
void *edge_task(const char *name)
{
    void *fiber = __tsan_create_fiber(0);            /* what the caller has done happens before what the task does */
    __tsan_set_fiber_name(fiber, name);
    return fiber;
}

void edge_task_end(void *fiber)
{
    if (fiber)
        __tsan_destroy_fiber(fiber);
}

void edge_copy(void *to, const void *from, size_t n)
{
    char *t = to;
    const char *f = from;
    for (; n; n--) {
        *(volatile char *)t++ = *f++;                /* no call of memcpy is made of it */
    }
}
#endif
