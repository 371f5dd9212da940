/* chan_sieve1_test.c - what Go's test/chan/sieve1.go states: the primes up to 100 by a row of filters, each a task between two
 * unbuffered channels.  Every other filter, and the generator, are on the other side. */
#include "place.h"

enum { PRIMES = 25 };
static const int primes[PRIMES] = { 2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71, 73, 79, 83, 89, 97 };

LEAT_STRUCT(generator, (tx(num), out));
static leat_err generate(struct generator *g)
{
    leat_err err = LEAT_OK;
    for (int64_t i = 2; err == LEAT_OK; i++)
        err = leat_send(g->out, { i });
    return err == LEAT_GONE || err == LEAT_CLOSED ? LEAT_OK : err;   /* enough */
}
PLACE_TASK(generate, generator)

LEAT_STRUCT(filter, (rx(num), in), (tx(num), out), (int64, prime));
static leat_err filter(struct filter *f)
{
    leat_err err;
    leat_each(v, f->in, err)
        if (v.n % f->prime) {
            leat_err e = leat_send(f->out, v);
            if (e == LEAT_GONE || e == LEAT_CLOSED)
                return LEAT_OK;
            LEAT_TRY(e);
        }
    return err;
}
PLACE_TASK(filter, filter)

static leat_err sieve1_test(void)
{
    leat_chan(struct num) c = leat_chan_make(struct num, 0);
    leat_err err;
    leat_with_group(g, err) {
        LEAT_TRY(place_go(&g, generate, generator, { leat_ref(leat_tx_of(c)) }));
        for (int i = 0; i < PRIMES; i++) {           /* a filter on the other side gives its primes to one here, and takes from one */
            leat_chan(struct num) far = leat_chan_make(struct num, 0), next = leat_chan_make(struct num, 0);
            struct num v;
            LEAT_TRY(leat_recv(c, &v));
            CHECK_EQ(v.n, primes[i]);
            LEAT_TRY(place_go(&g, filter, filter, { leat_ref(leat_rx_of(far)), leat_ref(leat_tx_of(next)), v.n }));
            LEAT_TRY(place_go_here(&g, filter, filter, { leat_ref(leat_rx_of(c)), leat_ref(leat_tx_of(far)), v.n }));
            leat_unref(c);
            leat_unref(far);
            c = next;
        }
        leat_unref(c);                               /* nobody receives: one after the other ends */
    }
    return err;
}
EVERYWHERE(sieve1, sieve1_test)

T_MAIN()
