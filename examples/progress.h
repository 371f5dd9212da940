/* progress.h - how far wordcount is, on standard error: one redrawn line on a terminal, else a line every few seconds. */
#ifndef PROGRESS_H
#define PROGRESS_H
#include "leat.h"

enum { PROGRESS_TICK_MS = 100 };                     /* progress_tick wants to be called so often */

struct progress_node { const char *name; uint64_t lines, words; };
struct progress {
    struct progress_node *node;                      /* one a worker */
    uint32_t nodes, ticks;
    bool terminal;
    leat_time began;
};

leat_err progress_init(struct progress *p, const leat_peers *peers);             /* NOMEM */
void progress_tick(struct progress *p);
void progress_clear(struct progress *p);             /* the terminal's line is free again; before the first byte on stdout */
void progress_end(struct progress *p);               /* the last line, with the totals */
void progress_done(struct progress *p);
#endif
