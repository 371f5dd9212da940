/* try_test.c - tasks of several nodes try at one time to put a value into one channel: as many succeed as there is room, whatever the
 * order in which slots and answers travel; some try through a relay, some in a select with leat_otherwise. */
#include "leat.h"
#undef errno
#include "run/host.h"
#include "run/seam.h"
#include "sim/sim_test.h"

enum { SEEDS = 1000, FEW = 60, ROUNDS = 36, NODES = 3, CAP_MAX = 3 };
LEAT_STRUCT(num, (uint64, n));
LEAT_STRUCT(team, (uint32, tasks), (bool, select), (bool, relay), (tx(num), out), (tx(num), put));

static leat_tx(struct num) kept[NODES];               /* the end stays there, so that what it has been lent does */
static leat_peer *beyond[NODES];                     /* of node r: another one, which is not node 0 */
static bool relays;

static uint32_t rank_here(void) { return (uint32_t)(*host_getenv("LEAT_RANK") - '0'); }

static leat_err one(struct team **at)
{
    struct team *t = *at;
    leat_err err = LEAT_OK;
    struct num v = { 1 };
    bool full = false;
    if (t->select)
        leat_select(err) {
            leat_on_send(t->out, &v) { }
            leat_otherwise { full = true; }
        }
    else
        err = leat_try_send(t->out, v);
    if (err == LEAT_AGAIN || full)
        return LEAT_OK;
    LEAT_TRY(err);
    return leat_send(t->put, { 1 });
}

static leat_err start(leat_group *g, leat_peer *p, struct team t);
static leat_err team(struct team *t)
{
    leat_err err;
    uint32_t me = rank_here();
    if (me && !kept[me])
        kept[me] = leat_ref(t->out);
    if (t->relay) {
        leat_with_group(g, err)
            LEAT_TRY(start(&g, beyond[rank_here()], (struct team){ t->tasks, t->select, false, t->out, t->put }));
        return err;
    }
    LEAT_TRY(leat_sleep(LEAT_MS(20)));
    leat_with_group(g, err)
        for (uint32_t i = 0; i < t->tasks; i++)
            LEAT_TRY(leat_go(&g, one, (struct team *){ t }));
    return err;
}

static leat_err start(leat_group *g, leat_peer *p, struct team t)
{
    t.out = leat_ref(t.out);
    t.put = leat_ref(t.put);
    leat_err err = leat_go_on(g, p, team, team, t);
    if (err != LEAT_OK)
        leat_drop(team, &t);
    return err;
}

typedef leat_chan(struct num) nums;

static leat_err play(const leat_peers *ps, uint64_t draw, nums c, size_t cap)
{
    leat_auto leat_chan(struct num) put = leat_chan_make(struct num, 32);
    uint32_t tasks = 1 + (uint32_t)(draw % 3), here = draw & 8 ? tasks : 0, all = here;
    size_t said = 0, got = 0;
    leat_err err;
    struct num v;
    leat_with_group(g, err) {
        for (uint32_t i = 0; i < ps->len; i++, all += tasks)
            LEAT_TRY(start(&g, ps->at[i], (struct team){ tasks, draw >> (4 + i) & 1, relays && i == 0, leat_tx_of(c), leat_tx_of(put) }));
        if (here)
            LEAT_TRY(team(&(struct team){ here, draw & 64, false, leat_tx_of(c), leat_tx_of(put) }));
    }
    LEAT_TRY(err);
    while (leat_try_recv(put, &v) == LEAT_OK)
        said++;
    while (leat_try_recv(c, &v) == LEAT_OK)
        got++;
    CHECK_EQ(got, said);
    CHECK_EQ(got, all < cap ? all : cap);
    return LEAT_OK;
}

static leat_err meet(struct num *n)                  /* node n->n finds the other one */
{
    char url[32];
    leat_node *node;
    LEAT_TRY(leat_node_open(NULL, &node));           /* ends with leat_run */
    snprintf(url, sizeof url, "tcp://h%d:1", 3 - (int)n->n);
    return leat_node_dial(node, url, &beyond[n->n]);
}

static leat_err tries(leat_none *none)
{
    leat_auto_node leat_node *n = NULL;
    leat_peers ps;
    leat_err err;
    (void)none;
    LEAT_TRY(leat_node_open(NULL, &n));
    LEAT_TRY(leat_expose(n, team, team));
    LEAT_TRY(leat_expose(n, meet, num));
    LEAT_TRY(leat_node_join(n, NULL, &ps));
    leat_with_group(g, err)
        for (uint64_t i = 0; i < ps.len; i++)
            LEAT_TRY(leat_go_on(&g, ps.at[i], meet, num, { i + 1 }));
    LEAT_TRY(err);
    for (size_t cap = 1; cap <= CAP_MAX; cap++) {
        leat_auto nums c = leat_chan_make(struct num, cap);
        for (size_t r = 0; r < ROUNDS / CAP_MAX; r++)
            LEAT_TRY(play(&ps, rt_random(rt_self()), c, cap));
        for (int i = 0; i < NODES; i++)
            leat_unref(kept[i]);                     /* all nodes of a world are in this process */
    }
    return LEAT_OK;
}

static void worlds(void)
{
    for (int seed = 0; seed < sim_worlds(SEEDS, FEW); seed++) {
        char conf[80];
        snprintf(conf, sizeof conf, "seed=%d,nodes=%d,faults=delay", seed, NODES);
        CHECK_STR(sim_of(conf, (leat_fn_ *)(void *)tries).verdict, "ok");
    }
}

TEST(as_many_that_try_at_one_time_succeed_as_there_is_room)
{
    worlds();
}

TEST(as_many_that_try_through_relays_succeed_as_there_is_room)
{
    relays = true;
    worlds();
}

T_MAIN()
