/* mem.c - mmap and guards. */
#include "plat/mem.h"
#include "plat/atomic.h"
#include "plat/errno.h"
#include "plat/san.h"
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

enum { GUARD_INSTALL = 102 };                        /* MADV_GUARD_INSTALL; no libc header has it yet */
enum { MPROTECT_GUARDS_MAX = 16000 };                /* vm.max_map_count is 65,530 by default, and a guard takes two */
static _Atomic int guard_missing, guards_by_mprotect;

void *plat_mem_reserve(size_t bytes)
{
    void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (p == MAP_FAILED)
        return NULL;
    (void)madvise(p, bytes, MADV_NOHUGEPAGE);        /* only a hint: a stack touches a page or two */
    return p;
}

void plat_mem_release(void *p, size_t bytes)
{
    if (p)
        munmap(p, bytes);
}

size_t plat_page(void)
{
    static _Atomic size_t page;
    size_t p = at_load(&page);
    if (!p) {
        p = (size_t)sysconf(_SC_PAGESIZE);
        at_store(&page, p);
    }
    return p;
}

/* An emulator may accept the advice and do nothing: ask the kernel to write there, once.  By the bare system call: glibc 2.41
 * fills the buffer itself, with the vDSO, and would meet the guard. */
static bool guard_works(void *p)
{
    static _Atomic int known;                        /* 1: it does, 2: it does not */
    if (!at_load(&known))
        at_store(&known, syscall(SYS_getrandom, p, (size_t)1, 0u) < 0 ? 1 : 2);
    return at_load(&known) == 1;
}

void plat_mem_no_guards(void)
{
    at_store(&guard_missing, 1);
    at_store(&guards_by_mprotect, MPROTECT_GUARDS_MAX);
}

bool plat_mem_guard(void *p)
{
    size_t page = plat_page();
    if (!at_load(&guard_missing)) {
        if (madvise(p, page, GUARD_INSTALL) == 0 && guard_works(p))
            return true;
        at_store(&guard_missing, 1);
    }
    if (atomic_fetch_add(&guards_by_mprotect, 1) >= MPROTECT_GUARDS_MAX)
        return false;
    return mprotect(p, page, PROT_NONE) == 0;
}

/* A process names itself without a descriptor since Linux 6.15; an older one gets its guards one by one. */
static bool guards_at_once(char *first, size_t stride, uint32_t n)
{
    enum { SELF = -10001, MOST = 64 };               /* PIDFD_SELF_THREAD_GROUP; no libc header has it yet */
    struct iovec v[MOST];
    size_t page = plat_page();
    for (uint32_t i = 0; i < n && i < MOST; i++)
        v[i] = (struct iovec){ first + i * stride, page };
    return n <= MOST && syscall(SYS_process_madvise, SELF, v, (size_t)n, GUARD_INSTALL, 0) == (long)(n * page);
}

bool plat_mem_guards(void *first, size_t stride, uint32_t n)
{
    static _Atomic int missing;
    if (at_load(&guard_missing) || at_load(&missing) || san_on_valgrind())          /* which does not know the call, and says so */
        return false;
    if (guards_at_once(first, stride, n) && guard_works(first))
        return true;
    at_store(&missing, 1);
    return false;
}

bool plat_mem_forget(void *p, size_t bytes)
{
    int saved = errno;
    bool ok = madvise(p, bytes, MADV_DONTNEED) == 0;
    errno = saved;
    return ok;
}

/* glibc learns from what is given back: a block of N bytes that had a mapping of its own means that blocks of up to N go by the heap from
 * then on, and that 2 N free bytes stay at its end (mallopt(3), "dynamic mmap threshold").  Setting the thresholds would end that
 * learning, and would undo what the program has set.  Other allocators do nothing that harms.  Nothing of the block is touched. */
void plat_mem_recycle(void)
{
    static _Atomic int learnt;
    if (at_load(&learnt) || atomic_exchange_explicit(&learnt, 1, RLX))
        return;
    void *volatile p = malloc(PLAT_MEM_STAYS / 2);   /* volatile: the compiler is not to leave out the pair */
    free(p);
}

void *plat_mem_pad(void)
{
    enum { LARGE = 2 << 20, PROBE = 4 << 10 };       /* PROBE: more than lies about between other blocks */
    const char *told = getenv("GLIBC_TUNABLES");
    if (!told || !strstr(told, "hugetlb=1"))
        return NULL;
    void *volatile p = malloc(PROBE);                /* from the end of the heap, where it goes back to; nothing of it is touched */
    size_t room = LARGE - ((uintptr_t)p & (LARGE - 1));
    free(p);
    return room > PROBE && room < LARGE - PROBE ? malloc(room - PROBE / 2) : NULL;
}
