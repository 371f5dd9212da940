/* select_test.c - selects of three machines face each other all ways, each offering sends to the two others and receiving itself, over
 * slow links.  Whatever the order of things: each case fires at both of its sides once, what one sends another has in order, and
 * nobody waits while another would take what it offers. */
#include "leat.h"
#undef errno
#include "run/host.h"
#include "sim/sim_test.h"

enum { SEEDS = 200, FEW = 40, NODES = 3, TASKS = 2, ROUNDS = 25, ALL = NODES * TASKS };
LEAT_STRUCT(num, (uint64, from), (uint64, n));
LEAT_STRUCT(tally, (uint64, task), (uint64, rounds), (uint64, sent), (uint64, got));

struct chooser { leat_tx(struct num) out[NODES - 1]; leat_rx(struct num) in; uint64_t id, next[NODES - 1], *seen; struct tally *sum; };
static leat_err choose(struct chooser *c)
{
    leat_err err = LEAT_OK;
    bool alone = false;
    while (c->sum->rounds < ROUNDS && !alone && err == LEAT_OK) {
        struct num a = { c->id, c->next[0] }, b = { c->id, c->next[1] }, v;
        leat_select(err) {
            leat_on_send(c->out[0], &a) { c->next[0]++; c->sum->sent++; }
            leat_on_recv(c->in, &v) {
                CHECK(v.from < ALL);
                CHECK(v.n >= c->seen[v.from]);       /* two tasks take from one channel: in order, though not each of them all */
                c->seen[v.from] = v.n + 1;
                c->sum->got++;
            }
            leat_on_send(c->out[1], &b) { c->next[1]++; c->sum->sent++; }
            leat_on_after(LEAT_S(30)) { alone = true; }
        }
        c->sum->rounds += !alone;
    }
    return err;
}

/* What all tasks say at the end, at h0. */
static leat_err judge(leat_rx(struct tally) in)
{
    struct tally t;
    uint64_t sent = 0, got = 0, whole[NODES] = { 0 }, nodes = 0;
    for (int i = 0; i < ALL; i++) {
        LEAT_TRY(leat_recv(in, &t));
        sent += t.sent;
        got += t.got;
        whole[t.task / TASKS] += t.rounds == ROUNDS;
    }
    for (int i = 0; i < NODES; i++)
        nodes += whole[i] == TASKS;
    CHECK_EQ(sent, got);
    CHECK(nodes >= NODES - 1);                       /* only tasks of one node can be left without another that faces them */
    return LEAT_OK;
}

static leat_err dial(leat_node *n, int to, leat_peer **ret)
{
    char url[32];
    leat_err err;
    snprintf(url, sizeof url, "tcp://h%d:1", to);
    while ((err = leat_node_dial(n, url, ret)) == LEAT_REFUSED)
        LEAT_TRY(leat_sleep(LEAT_MS(20)));
    return err;
}

static leat_err faces(leat_none *none)
{
    leat_auto_node leat_node *n = NULL;
    leat_auto leat_chan(struct num) in = leat_chan_make(struct num, 0);
    leat_auto leat_chan(struct tally) all = leat_chan_make(struct tally, ALL);
    leat_tx(struct num) out[NODES - 1] = { NULL };
    leat_auto leat_tx(struct tally) tell = NULL;
    int me = *host_getenv("LEAT_RANK") - '0', k = 0;
    uint64_t seen[TASKS][ALL] = { { 0 } };
    struct tally sum[TASKS] = { { 0 } };
    leat_err err;
    (void)none;
    LEAT_TRY(leat_node_open(NULL, &n));
    LEAT_TRY(leat_export(n, "in", leat_tx_of(in), num));
    LEAT_TRY(leat_export(n, "all", leat_tx_of(all), tally));
    LEAT_TRY(leat_node_listen(n, (const char *[]){ "tcp://h0:1", "tcp://h1:1", "tcp://h2:1" }[me]));
    for (int i = 0; i < NODES; i++) {
        leat_peer *p;
        if (i == me)
            continue;
        LEAT_TRY(dial(n, i, &p));
        LEAT_TRY(leat_import(p, "in", &out[k++], num, 0));
        if (i == 0)
            LEAT_TRY(leat_import(p, "all", &tell, tally, 0));
    }
    leat_with_group(g, err)
        for (int i = 0; i < TASKS; i++) {
            sum[i].task = (uint64_t)(me * TASKS + i);
            LEAT_TRY(leat_go(&g, choose, (struct chooser){ { out[0], out[1] }, leat_rx_of(in), sum[i].task, { 0 }, seen[i], &sum[i] }));
        }
    LEAT_TRY(err);
    for (int i = 0; i < TASKS; i++)
        LEAT_TRY(me ? leat_send(tell, sum[i]) : leat_send(all, sum[i]));
    err = me ? leat_flush(tell) : judge(leat_rx_of(all));
    LEAT_TRY(err);
    LEAT_TRY(leat_sleep(LEAT_S(100)));               /* no other's case ends because this machine leaves */
    for (int i = 0; i < NODES - 1; i++)
        leat_unref(out[i]);
    return LEAT_OK;
}

TEST(selects_of_three_machines_face_each_other_all_ways)
{
    for (int seed = 0; seed < sim_worlds(SEEDS, FEW); seed++) {
        char conf[80];
        snprintf(conf, sizeof conf, "seed=%d,nodes=%d,faults=%s", seed, NODES, seed % 2 ? "delay" : "none");
        CHECK_STR(sim_of(conf, (leat_fn_ *)(void *)faces).verdict, "ok");
    }
}

T_MAIN()
