/* progress.h - how far wordcount is, on standard error: one redrawn line on a terminal, else a line every few seconds. */
#ifndef PROGRESS_H
#define PROGRESS_H
#include "leat.h"

enum { PROGRESS_TICK_MS = 100 };                     /* progress_tick wants to be called so often */

struct progress_node { uint64_t lines, words; };
struct progress {
    leat_workers *workers;
    leat_worker *is;                                 /* as they were when they were looked at last */
    struct progress_node *node;                      /* what each has done */
    uint32_t nodes, ticks;
    bool terminal;
    leat_time began;
};

leat_err progress_init(struct progress *p, leat_workers *workers);               /* NOMEM */
void progress_add(struct progress *p, uint32_t worker, uint64_t lines, uint64_t words);
void progress_tick(struct progress *p);
void progress_clear(struct progress *p);             /* the terminal's line is free again; before the first byte on stdout */
void progress_end(struct progress *p);               /* the last line, with the totals */
void progress_done(struct progress *p);
void progress_say(const char *fmt, ...) __attribute__((format(printf, 1, 2)));   /* a line of its own; from any thread */
#endif
