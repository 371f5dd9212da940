/* program.c - what a user of the installed library might write first: two tasks and a channel between them. */
#include <leat.h>
#include <stdio.h>

struct sender { leat_tx(int) out; };

static leat_err send_squares(struct sender *s)
{
    for (int i = 1; i <= 10; i++)
        LEAT_TRY(leat_send(s->out, i * i));
    leat_close(s->out);
    return LEAT_OK;
}

static leat_err app(leat_none *none)
{
    (void)none;
    leat_auto leat_chan(int) squares = leat_chan_make(int, 3);
    leat_err err;
    int sum = 0;
    leat_with_group(g, err) {
        LEAT_TRY(leat_go(&g, send_squares, (struct sender){ leat_tx_of(squares) }));
        leat_each(v, squares, err)
            sum += v;
    }
    printf("%d\n", sum);
    return err;
}

int main(void)
{
    leat_err err = leat_run(NULL, app, LEAT_NONE);
    if (err != LEAT_OK)
        fprintf(stderr, "program: %s: %s\n", leat_err_name(err), leat_err_detail());
    return err != LEAT_OK;
}
