/* unwind.h - the chain of calls that led to a place, from saved registers and the tables that exceptions use (.eh_frame).
 *
 * Frame pointers would be simpler, but only if every function on the stack had one, and the program's own are compiled as the program
 * likes.  The unwinder of libgcc starts only where it is called; this one also starts at a parked task and at an interrupted thread.
 * It takes no lock, allocates nothing and calls nothing but a look-up that glibc promises for handlers of signals; it reads stacks
 * only within the bounds it is given, and may be wrong, never harmful, when the stack is being used meanwhile. */
#ifndef PLAT_UNWIND_H
#define PLAT_UNWIND_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#if defined(__x86_64__)
enum { UNWIND_REGS = 17, UNWIND_SP = 7, UNWIND_RA = 16 };            /* numbers of DWARF */
#else
enum { UNWIND_REGS = 32, UNWIND_SP = 31, UNWIND_RA = 30 };
#endif

struct unwind {
    uintptr_t pc, reg[UNWIND_REGS];
    uintptr_t lo, hi;                                /* the bounds of the stack */
    uintptr_t by;                                    /* its bytes lie so much further on: in a copy, which may go away */
    bool exact;                                      /* pc is where execution goes on; else the address behind a call */
};

void unwind_parked(struct unwind *u, const void *sp, const void *lo, const void *hi);    /* sp: what plat_switch saved */
/* The same of a stack that lies elsewhere: sp and its bounds are addresses on the stack, pc says where it goes on. */
void unwind_away(struct unwind *u, uintptr_t sp, uintptr_t hi, uintptr_t by, uintptr_t pc);
void unwind_signal(struct unwind *u, const void *ucontext, const void *lo, const void *hi);
/* Where the caller is; a macro, because its own frame must stay. */
#define unwind_here(u, lo_, hi_) do { \
        struct unwind *u_ = (u); \
        __builtin_memset(u_, 0, sizeof *u_); \
        unwind_registers(u_->reg, &u_->pc); \
        u_->lo = (uintptr_t)(lo_); \
        u_->hi = (uintptr_t)(hi_); \
        u_->exact = true; \
    } while (0)
bool unwind_next(struct unwind *u);                  /* to the caller; false: there is none that it knows */
size_t unwind_all(struct unwind *u, uintptr_t *pc, size_t max);      /* pc[0] is u's own; each lies inside its call */

#if defined(__x86_64__)
static inline __attribute__((always_inline)) void unwind_registers(uintptr_t *reg, uintptr_t *pc)
{
    __asm__ volatile("movq %%rbx, 24(%0)\n\tmovq %%rbp, 48(%0)\n\tmovq %%rsp, 56(%0)\n\tmovq %%r12, 96(%0)\n\tmovq %%r13, 104(%0)\n\t"
        "movq %%r14, 112(%0)\n\tmovq %%r15, 120(%0)\n\tleaq 0f(%%rip), %%rax\n0:\tmovq %%rax, (%1)"
        : : "r"(reg), "r"(pc) : "rax", "memory");
}
#else
static inline __attribute__((always_inline)) void unwind_registers(uintptr_t *reg, uintptr_t *pc)
{
    __asm__ volatile("stp x19, x20, [%0, #152]\n\tstp x21, x22, [%0, #168]\n\tstp x23, x24, [%0, #184]\n\tstp x25, x26, [%0, #200]\n\t"
        "stp x27, x28, [%0, #216]\n\tstp x29, x30, [%0, #232]\n\tmov x9, sp\n\tstr x9, [%0, #248]\n\tadr x9, 0f\n0:\tstr x9, [%1]"
        : : "r"(reg), "r"(pc) : "x9", "memory");
}
#endif
#endif
