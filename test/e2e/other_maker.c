/* other_maker.c - a maker for examples/pipeline that was built with another idea of what an event is: its text is a number. */
#include <stdio.h>
#include "leat.h"

LEAT_ENUM(level, (info, 0), (warning, 1));
LEAT_STRUCT(event, (uint64, number), (enum(level), level), (float64, text));

struct args { const char *url; };

static leat_err make(struct args *a)
{
    leat_auto_node leat_node *node = NULL;
    leat_auto leat_tx(struct event) events = NULL;
    leat_peer *taker;
    LEAT_TRY(leat_node_open(NULL, &node));
    LEAT_TRY(leat_node_dial(node, a->url, &taker));
    return leat_import(taker, "events", &events, event, 8);
}

int main(int argc, char **argv)
{
    leat_err err = argc == 2 ? leat_run(NULL, make, (struct args){ argv[1] }) : LEAT_INVAL;
    if (err != LEAT_OK)
        fprintf(stderr, "leat: %s: %s\n", leat_err_name(err), leat_err_detail());
    return err != LEAT_OK;
}
