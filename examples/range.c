/* range.c URL - squares for a program in Go to range over: go/leat/examples/range URL. */
#include <stdio.h>
#include "leat.h"

LEAT_STRUCT(square, (int64, n), (int64, squared));
struct args { const char *url; };

static leat_err app(struct args *a)
{
    leat_auto leat_chan(struct square) squares = leat_chan_make(struct square, 10);
    leat_auto_node leat_node *node = NULL;
    LEAT_TRY(leat_node_open(NULL, &node));
    LEAT_TRY(leat_export(node, "squares", leat_rx_of(squares), square));
    LEAT_TRY(leat_node_listen(node, a->url));
    for (int n = 0; n < 100; n++)
        LEAT_TRY(leat_send(squares, { n, n * n }));
    leat_close(squares);
    return leat_flush(squares);                      /* until the other side has them all */
}

int main(int argc, char **argv)
{
    if (argc != 2)
        return fprintf(stderr, "usage: range URL\n"), 2;
    leat_err err = leat_run(NULL, app, (struct args){ argv[1] });
    if (err != LEAT_OK)
        fprintf(stderr, "range: %s: %s\n", leat_err_name(err), leat_err_detail());
    return err != LEAT_OK;
}
