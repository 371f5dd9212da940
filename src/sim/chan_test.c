/* chan_test.c - channels between nodes of simulated worlds: whatever happens to the links, the total is right or there is an error. */
#include "leat.h"
#undef errno
#include "run/host.h"
#include "sim/sim_test.h"

enum { SEEDS = 60, FEW = 20, EACH = 300, NODES = 3 };

LEAT_STRUCT(num, (uint64, from), (uint64, n));

static size_t capacity;
static bool must_be_all;

static leat_err dial_soon(leat_node *n, leat_peer **ret)
{
    for (;;) {                                       /* machines start at different times */
        leat_err err = leat_node_dial(n, "tcp://h0:1", ret);
        if (err != LEAT_REFUSED)
            return err;
        LEAT_TRY(leat_sleep(LEAT_MS(20)));
    }
}

static leat_err send_numbers(uint64_t rank)
{
    leat_auto_node leat_node *n = NULL;
    leat_auto leat_tx(struct num) out = NULL;
    leat_peer *p;
    LEAT_TRY(leat_node_open(NULL, &n));
    LEAT_TRY(dial_soon(n, &p));
    LEAT_TRY(leat_import(p, "nums", &out, num, 0));
    for (uint64_t i = 0; i < EACH; i++)
        LEAT_TRY(leat_send(out, { .from = rank, .n = i }));
    leat_finish(out);
    return leat_flush(out);
}

static leat_err take_numbers(leat_rx(struct num) in)
{
    uint64_t next[NODES] = { 0 };
    leat_err err;
    leat_each(v, in, err) {
        CHECK(v.from < NODES);
        CHECK_EQ(v.n, next[v.from]);                 /* in order, none lost, none twice */
        next[v.from]++;
    }
    if (err != LEAT_OK)
        return err;
    for (int i = 1; i < NODES; i++)                  /* it says that it is over, so it is; 0: of one that never came to import it */
        CHECK(next[i] == EACH || (next[i] == 0 && !must_be_all));
    return next[1] && next[2] ? LEAT_OK : leat_fail(LEAT_REFUSED, "a node has not found this one");
}

static leat_err numbers(leat_none *none)
{
    int rank = atoi(host_getenv("LEAT_RANK"));
    (void)none;
    if (rank)
        return send_numbers((uint64_t)rank);
    leat_auto_node leat_node *n = NULL;
    leat_auto leat_chan(struct num) c = leat_chan_make(struct num, capacity);
    LEAT_TRY(leat_node_open(NULL, &n));
    LEAT_TRY(leat_export(n, "nums", leat_tx_of(c), num));
    LEAT_TRY(leat_node_listen(n, "tcp://h0:1"));
    leat_with_deadline(LEAT_S(10))
        leat_ignore(leat_sleep(LEAT_S(5)));          /* everybody has imported by then, or never will */
    leat_unexport(n, "nums");
    leat_finish(c);
    leat_err err;
    leat_with_deadline(LEAT_S(300))
        err = take_numbers(leat_rx_of(c));
    return err;
}

static struct sim_seen run(const char *faults, int seed)
{
    char conf[80];
    snprintf(conf, sizeof conf, "seed=%d,nodes=%d,faults=%s,restarts=0", seed, NODES, faults);
    return sim_of(conf, (leat_fn_ *)(void *)numbers);
}

static void delayed(size_t cap)
{
    capacity = cap;
    must_be_all = true;
    for (int seed = 0; seed < sim_worlds(SEEDS, FEW) / 2; seed++) {
        struct sim_seen s = run("delay", seed);
        CHECK_STR(s.verdict, "ok");
        CHECK_EQ(s.hash, run("delay", seed).hash);
    }
}

static void faulty(const char *faults)
{
    int ok = 0, lost = 0;
    for (int seed = 0; seed < sim_worlds(SEEDS, FEW); seed++) {
        capacity = (size_t[]){ 0, 1, 7, 100 }[seed % 4];
        struct sim_seen s = run(faults, seed);
        ok += strcmp(s.verdict, "ok") == 0;
        lost += strcmp(s.verdict, "PEER_LOST") == 0;
    }
    CHECK(ok > 0 && lost > 0);
}

TEST(an_unbuffered_channel_over_slow_links_loses_nothing) { delayed(0); }
TEST(a_buffered_channel_over_slow_links_loses_nothing) { delayed(16); }
TEST(a_channel_over_a_cut_is_complete_or_says_peer_lost) { faulty("cut"); }
TEST(a_channel_from_a_crashed_node_is_complete_or_says_peer_lost) { faulty("crash"); }

T_MAIN()
