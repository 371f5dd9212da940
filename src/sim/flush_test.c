/* flush_test.c - flushes while others send on the same end: credits may overtake the answer to a flush, and say the same, and later. */
#include "leat.h"
#undef errno
#include "run/host.h"
#include "sim/sim_test.h"

enum { SEEDS = 150, FEW = 30, EACH = 150, TASKS = 3 };
LEAT_STRUCT(num, (uint64, n));

struct who { leat_tx(struct num) out; };
static leat_err sends(struct who *w)
{
    for (uint64_t i = 0; i < EACH; i++)
        LEAT_TRY(leat_send(w->out, { i }));
    return LEAT_OK;
}

static leat_err flushes(struct who *w)
{
    for (int i = 0; i < EACH; i++) {
        LEAT_TRY(leat_flush(w->out));
        leat_yield();
    }
    return LEAT_OK;
}

static leat_err away(void)
{
    leat_auto_node leat_node *n = NULL;
    leat_auto leat_tx(struct num) out = NULL;
    leat_peer *p;
    leat_err err;
    LEAT_TRY(leat_node_open(NULL, &n));
    while ((err = leat_node_dial(n, "tcp://h0:1", &p)) == LEAT_REFUSED)
        LEAT_TRY(leat_sleep(LEAT_MS(20)));
    LEAT_TRY(err);
    LEAT_TRY(leat_import(p, "nums", &out, num, 0));
    leat_with_group(g, err)
        for (int i = 0; i < TASKS; i++) {
            LEAT_TRY(leat_go(&g, sends, (struct who){ out }));
            LEAT_TRY(leat_go(&g, flushes, (struct who){ out }));
        }
    leat_finish(out);
    return err;
}

static leat_err flush(leat_none *none)
{
    leat_auto_node leat_node *n = NULL;
    struct num v;
    leat_err err;
    int got = 0;
    (void)none;
    if (*host_getenv("LEAT_RANK") != '0')
        return away();
    leat_auto leat_chan(struct num) c = leat_chan_make(struct num, 8);
    LEAT_TRY(leat_node_open(NULL, &n));
    LEAT_TRY(leat_export(n, "nums", leat_tx_of(c), num));
    LEAT_TRY(leat_node_listen(n, "tcp://h0:1"));
    while ((err = leat_recv(c, &v)) == LEAT_OK)
        if (++got == 1) {
            leat_unexport(n, "nums");
            leat_finish(c);
        }
    CHECK_EQ(got, EACH * TASKS);
    return err == LEAT_CLOSED ? LEAT_OK : err;
}

TEST(a_flush_that_is_overtaken_by_credits_is_no_error)
{
    for (int seed = 0; seed < sim_worlds(SEEDS, FEW); seed++) {
        char conf[80];
        snprintf(conf, sizeof conf, "seed=%d,nodes=2,faults=delay", seed);
        CHECK_STR(sim_of(conf, (leat_fn_ *)(void *)flush).verdict, "ok");
    }
}

T_MAIN()
