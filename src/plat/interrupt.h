/* interrupt.h - ending a system call of another thread: a real-time signal whose handler does nothing.
 *
 * A signal may come just before the call and then ends nothing, so the sender repeats it until the thread says it has returned. */
#ifndef PLAT_INTERRUPT_H
#define PLAT_INTERRUPT_H
#include <pthread.h>

/* Once a process, before the others: chooses a signal that the program does not use.  0 or an errno; any number of times. */
int plat_interrupt_init(void);
void plat_interrupt_allow(void);                     /* for the calling thread, whose signals are blocked otherwise */
void plat_interrupt_send(pthread_t t);               /* t has not ended */
void plat_interrupt_settle(void);                    /* what has been sent to this thread so far will not end a later call */
#endif
