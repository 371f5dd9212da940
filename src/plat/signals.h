/* signals.h - signals as bytes in pipes, one pipe a receiver, so that each receiver hears of every signal it asked for.
 *
 * A process has one disposition for each signal: the first receiver of a signal installs the handler, the last one puts back what
 * was there.  A full pipe drops.  A child of fork does not write into its parent's pipes. */
#ifndef PLAT_SIGNALS_H
#define PLAT_SIGNALS_H
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

/* *ret names the receiver.  EINVAL: no such signal, or one that cannot be caught or says that this thread has gone wrong (SIGSEGV
 * ...): *bad is it.  EUSERS: LIMIT_SIGNAL_RECEIVERS; other errnos. */
int signals_open(const int *signo, size_t n, int *ret, int *bad);
int signals_fd(int receiver);                        /* readable when signals_take has something */
bool signals_take(int receiver, int *signo);         /* does not block */
void signals_close(int receiver);

/* Of a mask that sigaction gave out only the first 64 bits are said; behind them the C library leaves what lay on its stack.  Where
 * such a mask is kept, leat_leaks would take that for addresses that are in use. */
static inline void signals_tidy(struct sigaction *before)
{
    enum { SAID = 8 };
    memset((char *)&before->sa_mask + SAID, 0, sizeof before->sa_mask - SAID);
}
#endif
