/* switch.h - from one stack to another (switch_x86_64.S, switch_aarch64.S).  For run/ only.
 *
 * Law: plat_switch stores the old stack pointer only when the thread has left the old stack (release).  So a non-null value in
 * *save says both "its registers are saved" and "nobody stands on that stack": whoever loads it (acquire) may resume it at once.
 * The floating-point control words (mxcsr, x87 control, fpcr) are not saved: they belong to the thread. */
#ifndef PLAT_SWITCH_H
#define PLAT_SWITCH_H

/* Saves the callee-saved registers, leaves for `load`, then writes the old stack pointer to *save.  Returns when somebody
 * switches back, perhaps on another thread. */
#if defined(__x86_64__)
/* Entered by a jump and left by one: a call would put an address on the processor's stack of returns that no return takes off, and
 * every later return of this task would be predicted wrongly (a round trip took 72 ns instead of 49).  The address to resume at
 * is given in rcx; there the thread comes onto the new stack, and then stores the old pointer: on x86 stores stay in order, so this is a
 * release.  The compiler sees no call, so the library is built without a red zone below the stack pointer (meson.build). */
static inline __attribute__((always_inline)) void plat_switch(void *_Atomic *save, void *load)
{
    __asm__ volatile("leaq 1f(%%rip), %%rcx\n\tjmp plat_switch_to\n1:\tleaq 56(%%rsi), %%rsp\n\tmovq %%rax, (%%rdi)"
        : "+D"(save), "+S"(load)
        :
        : "rax", "rcx", "rdx", "r8", "r9", "r10", "r11", "memory", "cc", "st", "st(1)", "st(2)", "st(3)", "st(4)", "st(5)",
        "st(6)", "st(7)", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11",
        "xmm12", "xmm13", "xmm14", "xmm15"
#if defined(__AVX512F__)
        , "xmm16", "xmm17", "xmm18", "xmm19", "xmm20", "xmm21", "xmm22", "xmm23", "xmm24", "xmm25", "xmm26", "xmm27", "xmm28",
        "xmm29", "xmm30", "xmm31", "k1", "k2", "k3", "k4", "k5", "k6", "k7"
#endif
        );
}
#else
void plat_switch(void *_Atomic *save, void *load);
#endif

/* The stack pointer of a stack whose first switch calls fn(), which must not return.  top is 16-byte aligned. */
void *plat_switch_init(void *top, void (*fn)(void));

/* The head of a copy of a stack that plat_switch has left: the bytes from sp on lie behind it.  After plat_switch_away(a) the copy may
 * be resumed in the stack's place, by plat_switch(..., a + 1): then plat_away_back(a) is called on the old stack, below sp.  It puts
 * the bytes back, may free the copy, and returns what pc was.  So who resumes a task does not ask where its frames are. */
struct plat_away { void *sp, *pc; };                 /* 16 bytes, or the copy would not be aligned as the stack was */
void plat_switch_away(struct plat_away *a);          /* sp is set; notes pc, where the copy says to go on */
extern void *(*plat_away_back)(struct plat_away *a);
#endif
