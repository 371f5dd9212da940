/* mem.h - address space in big pieces, and guards inside them that cost no mapping. */
#ifndef PLAT_MEM_H
#define PLAT_MEM_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

void *plat_mem_reserve(size_t bytes);                /* zeroed when touched, committed by touch; NULL: none left */
void plat_mem_release(void *p, size_t bytes);
size_t plat_page(void);
/* Makes the page at p fault: MADV_GUARD_INSTALL where the kernel has it (Linux 6.13), else mprotect, which costs a mapping each and
 * stops when the kernel's limit of mappings is near.  false: not guarded (the caller may use a canary). */
bool plat_mem_guard(void *p);
void plat_mem_no_guards(void);                       /* for tests: from now on there are none, as when the limit is reached */
/* n of them in one call, stride bytes from one to the next.  false: some may not be guarded; one by one it may still work. */
bool plat_mem_guards(void *first, size_t stride, uint32_t n);
/* What lies in the pages from p on is forgotten, and they take memory again when they are touched; guards stay.  false: not so (they are
 * locked in memory). */
bool plat_mem_forget(void *p, size_t bytes);
/* Large blocks come and go from now on: malloc is to use their memory again, and not give it back to the system after each, which makes
 * the next one's pages anew.  So much that lies free at the end of a heap may stay with the process; where the program or its
 * environment has set malloc's thresholds, those stand.  At no cost when it is called again. */
enum { PLAT_MEM_STAYS = 16 << 20 };
void plat_mem_recycle(void);
/* Where the heap has been told to be of large pages (proc_large_heap): a block for free(), up to where the first of them begins; what is
 * allocated from now on has few page faults.  NULL: not so. */
void *plat_mem_pad(void);
#endif
