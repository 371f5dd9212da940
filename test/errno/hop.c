/* hop.c - errno means the thread's own, also in a task that has just moved to another thread.
 *
 * glibc declares the function behind errno const, so a compiler may call it once in a function, before a park, and use the
 * address of a thread that the task has left.  leat.h redefines errno for that reason.  Here many tasks park in all the ways
 * there are while they read and write errno in one function; what they see is compared with the thread's own.  plain.c does the
 * same with glibc's errno, to show that this program would notice: where the compiler optimizes, it must. */
#include "hop.h"
#include <stdatomic.h>
#include <stdio.h>

#ifdef __OPTIMIZE__
enum { OPTIMIZED = 1 };
#else
enum { OPTIMIZED = 0 };
#endif
enum { TASKS = 16, WORKERS = 4, MOVES_WANTED = 200, LIMIT_S = 60 };

int *(*volatile thread_errno)(void) = __errno_location;
static atomic_uint moves, stale, wrong, plain_stale;

struct echo { leat_rx(unsigned) in; leat_tx(unsigned) out; };

static leat_err echo(struct echo *e)
{
    leat_err err;
    leat_each(v, e->in, err)
        LEAT_TRY(leat_send(e->out, v));
    return err;
}

static leat_err nothing(leat_none *none)
{
    (void)none;
    return LEAT_OK;
}

leat_err park(const struct hopper *h, unsigned round)
{
    unsigned answer = 0;
    switch (round % 4) {
    case 0:
        leat_yield();
        return LEAT_OK;
    case 1:
        return leat_sleep(LEAT_US(20));
    case 2:
        return leat_blocking(nothing, LEAT_NONE);
    default:
        LEAT_TRY(leat_send(h->ask, round));
        LEAT_TRY(leat_recv(h->answer, &answer));
        return answer == round ? LEAT_OK : leat_fail(LEAT_INVAL, "asked %u, was answered %u", round, answer);
    }
}

static leat_err hop(struct hopper *h)
{
    for (unsigned round = 0; atomic_load(&moves) < MOVES_WANTED; round++) {
        int mine = (int)(h->number * 1000 + round % 1000 + 1);
        unsigned stale_here = 0;
        errno = mine;
        int *before = &errno;
        if (errno != mine || before != thread_errno())
            atomic_fetch_add(&wrong, 1);
        LEAT_TRY(park(h, round));
        if (before != thread_errno())
            atomic_fetch_add(&moves, 1);
        if (&errno != thread_errno())
            atomic_fetch_add(&stale, 1);
        errno = -mine;
        if (*thread_errno() != -mine)
            atomic_fetch_add(&wrong, 1);
        *thread_errno() = mine + 1;
        if (errno != mine + 1)
            atomic_fetch_add(&wrong, 1);
        LEAT_TRY(plain(h, round, &stale_here));
        atomic_fetch_add(&plain_stale, stale_here);
    }
    leat_close(h->ask);
    return LEAT_OK;
}

static leat_err app(leat_none *none)
{
    (void)none;
    leat_chan(unsigned) ask[TASKS], answer[TASKS];
    leat_err err;
    for (unsigned i = 0; i < TASKS; i++) {
        ask[i] = leat_chan_make(unsigned, 0);
        answer[i] = leat_chan_make(unsigned, 0);
    }
    leat_with_deadline(LEAT_S(LIMIT_S))
        leat_with_group(g, err)
            for (unsigned i = 0; i < TASKS && err == LEAT_OK; i++) {
                err = leat_go(&g, echo, (struct echo){ leat_rx_of(ask[i]), leat_tx_of(answer[i]) });
                if (err == LEAT_OK)
                    err = leat_go(&g, hop, (struct hopper){ i, leat_tx_of(ask[i]), leat_rx_of(answer[i]) });
            }
    for (unsigned i = 0; i < TASKS; i++) {
        leat_unref(ask[i]);
        leat_unref(answer[i]);
    }
    return err;
}

int main(void)
{
    leat_err err = leat_run(&(leat_opts){ .workers = WORKERS }, app, LEAT_NONE);
    if (err != LEAT_OK)
        fprintf(stderr, "hop: %s: %s\n", leat_err_name(err), leat_err_detail());
    printf("moves=%u stale=%u wrong=%u plain_stale=%u\n", atomic_load(&moves), atomic_load(&stale), atomic_load(&wrong),
        atomic_load(&plain_stale));
    return err != LEAT_OK || atomic_load(&stale) || atomic_load(&wrong) || (OPTIMIZED && atomic_load(&plain_stale) == 0);
}
