/* overflow.h - a task that needs more stack than it has (overflow.c). */
#ifndef RUN_OVERFLOW_H
#define RUN_OVERFLOW_H
#include "run/task.h"

void overflow_begin(void);                           /* a runtime begins: the first one's handler is installed */
void overflow_end(void);                             /* the last one's end puts back what was there */
void overflow_found(struct task *t, struct stack *s) __attribute__((noreturn, cold));    /* by the canary: says so and aborts */
#endif
