/* judge.h - what programs share that judge what they see in a simulated world. */
#ifndef SIM_JUDGE_H
#define SIM_JUDGE_H
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

__attribute__((noreturn, format(printf, 1, 2))) static void broken(const char *fmt, ...)
{
    va_list a;
    va_start(a, fmt);
    fputs("leat: broken promise: ", stderr);
    vfprintf(stderr, fmt, a);
    fputc('\n', stderr);
    va_end(a);
    fflush(NULL);
    abort();                                         /* never taken for an error that a fault allows */
}

/* What LEAT_SIM says under `name`; 0: nothing. */
static uint32_t setting(const char *name)
{
    const char *sim = getenv("LEAT_SIM"), *p = sim ? strstr(sim, name) : NULL;
    return p ? (uint32_t)strtoul(p + strlen(name), NULL, 10) : 0;
}

#endif
