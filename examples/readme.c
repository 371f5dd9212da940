/* readme - ten squares, computed by tasks on other nodes.  The README shows this program; a test compares the two. */
#include <stdio.h>
#include "leat.h"

LEAT_STRUCT(square, (int64, n), (int64, squared));
LEAT_STRUCT(job,    (int64, n), (tx(square), out));            /* `out`: the end of a channel, used from afar */

static leat_err work(struct job *j) { return leat_send(j->out, { j->n, j->n * j->n }); }

static leat_err app(leat_none *none)
{
    leat_auto leat_chan(struct square) squares = leat_chan_make(struct square, 10);
    leat_auto_node leat_node *node = NULL;
    leat_peers peers;
    leat_err err;
    (void)none;
    LEAT_TRY(leat_node_open(NULL, &node));
    LEAT_TRY(leat_expose(node, work, job));                    /* what peers may start here */
    LEAT_TRY(leat_node_join(node, NULL, &peers));              /* who works for us: other nodes, or ourselves */
    leat_with_group(g, err)                                    /* its end waits for its tasks, near and far */
        for (int n = 0; n < 10; n++)
            LEAT_TRY(leat_go_on(&g, peers.at[n % (int)peers.len], work, job, { n, leat_ref(leat_tx_of(squares)) }));
    LEAT_TRY(err);
    leat_close(squares);
    leat_each(s, squares, err)
        printf("%d squared is %d\n", (int)s.n, (int)s.squared);
    return err;
}

int main(void)
{
    leat_err err = leat_run(NULL, app, LEAT_NONE);
    if (err != LEAT_OK)
        fprintf(stderr, "readme: %s: %s\n", leat_err_name(err), leat_err_detail());
    return err != LEAT_OK;
}
