/* program.c - a program for the tests of `leat sim`: does what its argument says. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "leat.h"

struct what { const char *name; };

static leat_err leave(leat_none *none)
{
    (void)none;
    return LEAT_OK;
}

static leat_err deadlock(void)
{
    leat_auto leat_chan(int) c = leat_chan_make(int, 0);
    int v;
    return leat_recv(c, &v);
}

static leat_err add_one(int **n)
{
    int was = **n;
    leat_yield();                                    /* the race: others add meanwhile */
    **n = was + 1;
    return LEAT_OK;
}

static leat_err race(void)
{
    int n = 0;
    leat_err err;
    leat_with_group(g, err)
        for (int i = 0; i < 3; i++)
            LEAT_TRY(leat_go(&g, add_one, &n));
    printf("%d\n", n);
    return err;
}

LEAT_STRUCT(item, (uint64, n));
LEAT_STRUCT(feed, (tx(item), out));

static leat_err lost_feed(struct feed *f)
{
    for (uint64_t i = 0; i < 50; i++)
        LEAT_TRY(leat_send(f->out, { i }));
    return leat_sleep(LEAT_S(1));
}

/* Node 1 sends to node 0, which takes a lost peer for a broken promise: for the search after the fault that a failure needs. */
static leat_err lost(void)
{
    leat_auto_node leat_node *n = NULL;
    leat_peers peers;
    leat_err err;
    LEAT_TRY(leat_node_open(NULL, &n));
    LEAT_TRY(leat_expose(n, lost_feed, feed));
    LEAT_TRY(leat_node_join(n, NULL, &peers));
    leat_auto leat_chan(struct item) items = leat_chan_make(struct item, 2);
    struct item got;
    leat_with_group(g, err) {
        LEAT_TRY(leat_go_on(&g, peers.at[0], lost_feed, feed, { leat_ref(leat_tx_of(items)) }));
        for (int i = 0; i < 50 && err == LEAT_OK; i++)
            err = leat_recv(items, &got);
    }
    if (err != LEAT_OK)
        abort();
    return err;
}

static leat_err run(struct what *w)
{
    if (strcmp(w->name, "lost") == 0)
        return lost();
    if (strcmp(w->name, "year") == 0)
        return leat_sleep(LEAT_S(365 * 24 * 3600));
    if (strcmp(w->name, "deadlock") == 0)
        return deadlock();
    if (strcmp(w->name, "race") == 0)
        return race();
    if (strcmp(w->name, "fail") == 0)
        return leat_fail(LEAT_INVAL, "as it was told to");
    if (strcmp(w->name, "abort") == 0)
        abort();
    if (strcmp(w->name, "exit") == 0)
        exit(7);
    while (strcmp(w->name, "poll") == 0)
        LEAT_TRY(leat_sleep(LEAT_S(1)));
    while (strcmp(w->name, "spin") == 0)
        ;
    return leat_go(NULL, leave, LEAT_NONE);
}

int main(int argc, char **argv)
{
    if (argc != 2)
        return 3;
    leat_err err = leat_run(NULL, run, (struct what){ argv[1] });
    if (err != LEAT_OK)
        fprintf(stderr, "leat: %s: %s\n", leat_err_name(err), leat_err_detail());
    return err != LEAT_OK;
}
