/* self.h - one pointer per thread, read anew at every call.
 *
 * A task may wake on another thread, and a compiler may keep the address of a thread-local over the call that moved it.  So the
 * pointer's storage is defined in assembly (self_*.S), where link-time optimisation cannot see it, and is read by a volatile asm.
 * Initial-exec: works in programs and in shared libraries that are loaded at start; dlopen takes 8 bytes of the static reserve. */
#ifndef PLAT_SELF_H
#define PLAT_SELF_H

static inline void *plat_self(void)
{
    void *p;
#if defined(__x86_64__)
    __asm__ volatile("movq leat_self_@gottpoff(%%rip), %0\n\tmovq %%fs:(%0), %0" : "=r"(p));
#elif defined(__aarch64__)
    void *t;
    __asm__ volatile("mrs %1, tpidr_el0\n\tadrp %0, :gottprel:leat_self_\n\tldr %0, [%0, :gottprel_lo12:leat_self_]\n\t"
        "ldr %0, [%1, %0]" : "=&r"(p), "=&r"(t));
#endif
    return p;
}

static inline void plat_self_set(void *p)
{
#if defined(__x86_64__)
    void *t;
    __asm__ volatile("movq leat_self_@gottpoff(%%rip), %0\n\tmovq %1, %%fs:(%0)" : "=&r"(t) : "r"(p) : "memory");
#elif defined(__aarch64__)
    void *t, *u;
    __asm__ volatile("mrs %1, tpidr_el0\n\tadrp %0, :gottprel:leat_self_\n\tldr %0, [%0, :gottprel_lo12:leat_self_]\n\t"
        "str %2, [%1, %0]" : "=&r"(t), "=&r"(u) : "r"(p) : "memory");
#endif
}
#endif
