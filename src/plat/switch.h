/* switch.h - from one stack to another (switch_x86_64.S, switch_aarch64.S).  For run/ only.
 *
 * Law: plat_switch stores the old stack pointer only when the thread has left the old stack (release).  So a non-null value in
 * *save says both "its registers are saved" and "nobody stands on that stack": whoever loads it (acquire) may resume it at once.
 * The floating-point control words (mxcsr, x87 control, fpcr) are not saved: they belong to the thread. */
#ifndef PLAT_SWITCH_H
#define PLAT_SWITCH_H

/* Saves the callee-saved registers, leaves for `load`, then writes the old stack pointer to *save.  Returns when somebody
 * switches back, perhaps on another thread. */
void plat_switch(void *_Atomic *save, void *load);

/* The stack pointer of a stack whose first switch calls fn(), which must not return.  top is 16-byte aligned. */
void *plat_switch_init(void *top, void (*fn)(void));
#endif
