/* bench.h - what the files of the benchmark program share.  Every one of them uses leat as any program does: by leat.h alone.
 *
 * A benchmark is a function that runs as the first task, does n operations, checks what came out of them, and prints one JSON
 * line a result.  n is what the command line says, else the benchmark's own, which takes a fraction of a second.  The same
 * program in Go has the same name in bench/peers/go, and bench/run.py sets them side by side. */
#ifndef BENCH_H
#define BENCH_H
#include <stdatomic.h>
#include <stdio.h>
#include "leat.h"

struct bench { const char *name; int64_t n; leat_err (*run)(int64_t n); };

extern const struct bench bench_task[], bench_chan[], bench_relay[], bench_select[], bench_tree[], bench_parked[], bench_timer[],
    bench_echo[], bench_growth[];                                    /* each ends with an entry without a name */

void bench_result(const char *name, const char *unit, double value);
void bench_per(const char *name, leat_time start, int64_t n);        /* ns since start, divided among n operations */
void bench_ms(const char *name, leat_time start);                    /* ms since start */
LEAT_CHECK leat_err bench_equal(const char *what, int64_t got, int64_t want);      /* INVAL and a detail when they differ */

/* A gate tells one waiter that n tasks have arrived: a channel, so that nobody polls while they are starting. */
struct gate { _Atomic int64_t left; leat_chan(leat_none) all; };
LEAT_CHECK leat_err gate_init(struct gate *g, int64_t n);            /* NOMEM */
void gate_done(struct gate *g);
LEAT_CHECK leat_err gate_arrive(struct gate *g);
LEAT_CHECK leat_err gate_wait(struct gate *g);

double status_kib(const char *field);                                /* a size from /proc/self/status; 0: there is none */
#endif
