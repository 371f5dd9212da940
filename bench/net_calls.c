/* net_calls.c - calls of a method in another process, so many at a time. */
#include "net.h"

LEAT_SERVICE(adder, (increment, number, number));

static leat_err increment(void *self, const struct number *in, struct number *out)
{
    (void)self;
    out->v = in->v + 1;
    return LEAT_OK;
}

static leat_err serve_calls(struct server *s)
{
    static const struct adder_impl impl = { .increment = increment };
    leat_auto leat_chan(struct number) in = leat_chan_make(struct number, 1);
    leat_err err;
    LEAT_TRY(leat_export(s->node, "in", leat_tx_of(in), number));
    LEAT_TRY(leat_serve(s->node, adder, &impl, NULL));
    LEAT_TRY(server_listen(s));
    leat_each(x, in, err)
        return leat_fail(LEAT_INVAL, "nobody sends here, but %lld came", (long long)x.v);
    return err;
}

struct caller { leat_peer *peer; int64_t n; };

static leat_err caller(struct caller *c)
{
    for (int64_t i = 0; i < c->n; i++) {
        struct number in = { i }, out;
        LEAT_TRY(leat_call(c->peer, adder, increment, &in, &out));
        LEAT_TRY(net_equal("the answer", out.v, i + 1));
    }
    return LEAT_OK;
}

static leat_err run_calls(struct client *c, int callers)
{
    leat_auto leat_tx(struct number) open = NULL;
    int64_t each = c->n / callers + 1;
    leat_err err;
    LEAT_TRY(leat_import(c->peer, "in", &open, number, 1));
    leat_time start = leat_now();
    leat_with_group(g, err)
        for (int i = 0; i < callers; i++)
            LEAT_TRY(leat_go(&g, caller, (struct caller){ c->peer, each }));
    LEAT_TRY(err);
    net_per_second(c->name, start, each * callers);
    leat_close(open);
    return LEAT_OK;
}

static leat_err run_calls_1(struct client *c)   { return run_calls(c, 1); }
static leat_err run_calls_16(struct client *c)  { return run_calls(c, 16); }
static leat_err run_calls_256(struct client *c) { return run_calls(c, 256); }

const struct net_bench net_calls[] = {
    { "calls-1", 10000, serve_calls, run_calls_1, false },
    { "calls-16", 100000, serve_calls, run_calls_16, false },
    { "calls-256", 500000, serve_calls, run_calls_256, false },
    { 0 }
};
