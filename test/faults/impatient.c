/* impatient.c - examples/wordcount.c as it is, but for two things.  Its nodes take a silent peer for lost as soon as those of peer.c do:
 * FAULTS_MS has their idle, patience and grace.  And a shard takes some milliseconds, so that there are some out when a fault comes. */
#include <stdio.h>
#include <stdlib.h>
#include "leat.h"
#include "words.h"

enum { SHARD_MS = 8 };

static void free_slowly(struct words *w)
{
    words_free(w);
    leat_ignore(leat_sleep(LEAT_MS(SHARD_MS)));
}

static leat_err impatient_open(const leat_node_opts *o, leat_node **ret)
{
    int idle, patience, grace;
    leat_node_opts with = *o;
    const char *ms = getenv("FAULTS_MS");
    if (!ms || sscanf(ms, "%d,%d,%d", &idle, &patience, &grace) != 3)
        return leat_fail(LEAT_INVAL, "FAULTS_MS is not idle,patience,grace");
    with.idle = LEAT_MS(idle);
    with.patience = LEAT_MS(patience);
    with.grace = LEAT_MS(grace);
    return leat_node_open(&with, ret);
}

#define leat_node_open impatient_open
#define words_free free_slowly
#include "wordcount.c"
