/* pipeline - two programs joined by a channel that has a name.
 *   pipeline take unix:/tmp/events &      prints events as they come, until there are no more
 *   pipeline make unix:/tmp/events        makes a thousand of them
 * The channel lives where it is received from.  It holds 8 elements: a maker that is faster waits, wherever it runs. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include "leat.h"

LEAT_ENUM(level, (info, 0), (warning, 1));
LEAT_STRUCT(event, (uint64, number), (enum(level), level), (string, text));

struct args { const char *url; };

static leat_err take(struct args *a)
{
    leat_auto leat_chan(struct event) events = leat_chan_make(struct event, 8);
    leat_auto_node leat_node *node = NULL;
    leat_err err;
    LEAT_TRY(leat_node_open(&(leat_node_opts){ .name = "taker" }, &node));
    LEAT_TRY(leat_export(node, "events", leat_tx_of(events), event));   /* peers may send, and nothing else */
    LEAT_TRY(leat_node_listen(node, a->url));
    fprintf(stderr, "listening on %s\n", leat_node_url(node));
    leat_each(e, events, err) {
        printf("%" PRIu64 " %s %.*s\n", e.number, e.level == warning ? "warning" : "info", (int)e.text.len, e.text.p);
        leat_drop(event, &e);                                           /* what was received is owned */
    }
    return err;                                                         /* OK: closed; LEAT_PEER_LOST: a maker died */
}

static leat_err make(struct args *a)
{
    leat_auto_node leat_node *node = NULL;
    leat_auto leat_tx(struct event) events = NULL;
    leat_peer *taker;                                                   /* belongs to the node */
    LEAT_TRY(leat_node_open(&(leat_node_opts){ .name = "maker" }, &node));
    LEAT_TRY(leat_node_dial(node, a->url, &taker));
    LEAT_TRY(leat_import(taker, "events", &events, event, 8));
    for (uint64_t n = 0; n < 1000; n++)
        LEAT_TRY(leat_send(events, { n, n % 100 == 99 ? warning : info, LEAT_STRING("tick") }));
    leat_close(events);
    return LEAT_OK;                                                     /* closing the node waits until the taker has it all */
}

int main(int argc, char **argv)
{
    if (argc != 3 || (strcmp(argv[1], "take") != 0 && strcmp(argv[1], "make") != 0))
        return fprintf(stderr, "usage: pipeline take|make URL\n"), 2;
    leat_err err = leat_run(NULL, argv[1][0] == 't' ? take : make, (struct args){ argv[2] });
    if (err != LEAT_OK)
        fprintf(stderr, "pipeline: %s: %s\n", leat_err_name(err), leat_err_detail());
    return err != LEAT_OK;
}
