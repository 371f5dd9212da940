/* offer - each job is offered to two nodes in one select, and exactly one of them takes it:  leat run -n 3 -- offer */
#include <stdio.h>
#include "leat.h"

LEAT_STRUCT(job, (int64, n));
LEAT_STRUCT(worker, (rx(job), jobs), (tx(job), taken));

static leat_err work(struct worker *w)
{
    leat_err err;
    leat_each(j, w->jobs, err)
        LEAT_TRY(leat_send(w->taken, j));
    return err;
}

static leat_err app(leat_none *none)
{
    leat_auto leat_chan(struct job) a = leat_chan_make(struct job, 0);     /* unbuffered: a node takes a job when it has begun to */
    leat_auto leat_chan(struct job) b = leat_chan_make(struct job, 0);     /* receive, and then the other one never sees it */
    leat_auto leat_chan(struct job) taken = leat_chan_make(struct job, 10);
    leat_auto_node leat_node *node = NULL;
    leat_err err; leat_peers p;
    (void)none;
    LEAT_TRY(leat_node_open(NULL, &node));
    LEAT_TRY(leat_expose(node, work, worker));
    LEAT_TRY(leat_node_join(node, NULL, &p));
    leat_with_group(g, err) {
        LEAT_TRY(leat_go_on(&g, p.at[0], work, worker, { leat_ref(leat_rx_of(a)), leat_ref(leat_tx_of(taken)) }));
        LEAT_TRY(leat_go_on(&g, p.at[1 % p.len], work, worker, { leat_ref(leat_rx_of(b)), leat_ref(leat_tx_of(taken)) }));
        for (struct job j = { 0 }; j.n < 10 && err == LEAT_OK; j.n++)
            leat_select(err) { leat_on_send(a, &j) { puts("to a"); } leat_on_send(b, &j) { puts("to b"); } }
        leat_close(a);
        leat_close(b);
    }
    for (struct job j; err == LEAT_OK && leat_try_recv(taken, &j) == LEAT_OK; )
        printf("%d was taken\n", (int)j.n);
    return err;
}

int main(void)
{
    leat_err err = leat_run(NULL, app, LEAT_NONE);
    if (err != LEAT_OK)
        fprintf(stderr, "offer: %s: %s\n", leat_err_name(err), leat_err_detail());
    return err != LEAT_OK;
}
