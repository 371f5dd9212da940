/* impatient.c - examples/wordcount.c as it is, but for its nodes: they take a silent peer for lost as soon as those of peer.c do.
 * FAULTS_MS has their idle, patience and grace. */
#include <stdio.h>
#include <stdlib.h>
#include "leat.h"

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
#include "wordcount.c"
