/* deal - how many primes are below a million?  The numbers are dealt out in pieces to whoever works for this program.
 *   deal                        alone
 *   leat run -n 3 -- deal       with two more processes; kill one of them: the answer is the same */
#include <inttypes.h>
#include <stdio.h>
#include "leat.h"

enum { END = 1000000, PIECE = 10000 };

LEAT_STRUCT(piece, (uint64, from), (uint64, to));
LEAT_STRUCT(tally, (uint64, primes));
LEAT_SERVICE(counter, (count, piece, tally));             /* a method: a piece in, a tally out */

static leat_err count(void *self, const struct piece *in, struct tally *out)
{
    (void)self;
    for (uint64_t n = in->from < 2 ? 2 : in->from; n < in->to; n++) {
        uint64_t d = 2;
        while (d * d <= n && n % d)
            d++;
        out->primes += d * d > n;
    }
    return LEAT_OK;
}

static const struct counter_impl counter = { .count = count };

struct ends { leat_tx(struct piece) pieces; leat_rx(struct tally_reply) tallies; };

static leat_err cut(struct ends *e)
{
    for (uint64_t n = 0; n < END; n += PIECE)
        LEAT_TRY(leat_send(e->pieces, { n, n + PIECE }));
    leat_close(e->pieces);
    return LEAT_OK;
}

static leat_err add(struct ends *e)
{
    uint64_t sum = 0;
    leat_err err;
    leat_each(r, e->tallies, err) {
        LEAT_TRY(leat_reply_err(&r.reply));               /* r.reply says which piece, which worker, which attempt */
        sum += r.value.primes;
    }
    printf("%" PRIu64 " primes below %d\n", sum, END);
    return err;
}

static leat_err deal(leat_workers *workers)
{
    leat_auto leat_chan(struct piece) pieces = leat_chan_make(struct piece, 16);
    leat_auto leat_chan(struct tally_reply) tallies = leat_chan_make(struct tally_reply, 16);
    struct ends ends = { leat_tx_of(pieces), leat_rx_of(tallies) };
    leat_err err;
    leat_with_group(g, err) {
        LEAT_TRY(leat_go(&g, cut, ends));
        LEAT_TRY(leat_go(&g, add, ends));
        LEAT_TRY(leat_deal(workers, counter, count, leat_rx_of(pieces), leat_tx_of(tallies), NULL));
        leat_close(tallies);                              /* all is done: `add` may end */
    }
    return err;
}

static leat_err program(leat_none *none)
{
    leat_auto_node leat_node *node = NULL;
    leat_auto_workers leat_workers *workers = NULL;
    (void)none;
    LEAT_TRY(leat_node_open(&(leat_node_opts){ .name = "deal" }, &node));
    LEAT_TRY(leat_serve(node, counter, &counter, NULL));  /* what a worker does */
    LEAT_TRY(leat_workers_open(node, &workers));
    LEAT_TRY(leat_workers_join(workers, NULL));           /* who works for us: other nodes, or ourselves */
    return deal(workers);
}

int main(void)
{
    leat_err err = leat_run(NULL, program, LEAT_NONE);
    if (err != LEAT_OK)
        fprintf(stderr, "deal: %s: %s\n", leat_err_name(err), leat_err_detail());
    return err != LEAT_OK;
}
