/* far.h - for tests of relays: a channel of the first of three nodes whose send end has gone on to the third.  Include it last. */
#ifndef FAR_H
#define FAR_H
#include "trio.h"

enum { A, B, C };
static size_t cap;                                   /* of the channel that far_end makes */
static const size_t caps[] = { 0, 1, 3, 64 };
#define EACH_CAP(i) for (size_t i = 0; i < sizeof caps / sizeof *caps && (cap = caps[i], true); i++)

/* c of node a; *b and *far: its send ends at b and, through b, at c. */
__attribute__((unused)) static leat_chan(struct num) far_end(struct trio *x, leat_tx(struct num) *b, leat_tx(struct num) *far)
{
    leat_chan(struct num) c = leat_chan_make(struct num, cap);
    *b = trio_tx(x, A, B, leat_ref(leat_tx_of(c)));
    *far = trio_tx(x, B, C, leat_ref(*b));
    leat_finish(c);
    return c;
}

struct feed { leat_tx(struct num) out; uint64_t from, count; leat_err err; char text[300]; bool finish; };
__attribute__((unused)) static leat_err feed(struct feed **arg)
{
    struct feed *f = *arg;
    uint64_t i = 0;
    while (i < f->count && (f->err = leat_send(f->out, { .n = f->from + i })) == LEAT_OK)
        i++;
    snprintf(f->text, sizeof f->text, "%s", leat_err_detail());
    f->count = i;
    if (f->finish)
        leat_unref(f->out);
    return LEAT_OK;
}
#endif
