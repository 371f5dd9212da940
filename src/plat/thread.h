/* thread.h - threads: starting and joining one, the bounds of its stack. */
#ifndef PLAT_THREAD_H
#define PLAT_THREAD_H
#include <pthread.h>
#include <stddef.h>
#include <stdint.h>

int plat_thread_start(pthread_t *ret, void *(*fn)(void *), void *arg, const char *name);   /* 0 or an errno; signals blocked in it */
void plat_thread_join(pthread_t t);
void plat_thread_detach(pthread_t t);                /* nobody will join it */
void plat_thread_stack(void **base, size_t *size);   /* of the calling thread */
void plat_thread_exact_timers(void);                 /* lets this thread's sleeps end on time instead of 50 us later */
#endif
