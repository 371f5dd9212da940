/* rpc_test.c - calls and remote tasks in simulated worlds: each runs at most once, and what its caller is told is true.
 * The machines share the table of what ran: so the test knows what no machine of a real world could. */
#include "leat.h"
#undef errno
#include "run/host.h"
#include "sim/sim_test.h"

enum { SEEDS = 60, FEW = 15, PEERS = 2, EACH = 60, ALL = PEERS * EACH };

LEAT_STRUCT(job, (uint64, id));
LEAT_STRUCT(done, (uint64, id));
LEAT_SERVICE(work, (call, job, done));

static struct { int ran; bool told; leat_err err; } job_at[ALL];
static bool by_task, hurried;                        /* started with leat_go_on, else called; each with a short deadline */

static leat_err run_job(uint64_t id)
{
    job_at[id].ran++;
    leat_ignore(leat_sleep(LEAT_MS(id % 7)));        /* an error of its own would look like one of the way to it */
    return LEAT_OK;
}

static leat_err task(struct job *j) { return run_job(j->id); }

static leat_err call(void *self, const struct job *in, struct done *out)
{
    (void)self;
    out->id = in->id;
    return run_job(in->id);
}
static const struct work_impl impl = { .call = call };

static leat_err start(leat_peer *p, uint64_t id)
{
    leat_err err;
    if (by_task) {
        leat_err went = LEAT_OK;
        leat_with_group(g, err)
            err = went = leat_go_on(&g, p, task, job, { .id = id });
        return err;
    }
    struct job in = { .id = id };
    struct done out = { 0 };
    err = leat_call(p, work, call, &in, &out);
    if (err == LEAT_OK)
        CHECK_EQ(out.id, id);
    return err;
}

struct drive { leat_peer *peer; uint64_t from; };

static leat_err drive(struct drive *d)
{
    for (uint64_t id = d->from; id < d->from + EACH / 4; id++) {
        leat_err err;
        leat_with_deadline(hurried ? LEAT_MS(id % 17) : LEAT_S(1000))
            err = start(d->peer, id);
        job_at[id].err = err;
        job_at[id].told = true;
    }
    return LEAT_OK;
}

static leat_err node(leat_none *none)
{
    leat_auto_node leat_node *n = NULL;
    leat_peers peers;
    leat_err err;
    (void)none;
    LEAT_TRY(leat_node_open(&(leat_node_opts){ .grace = LEAT_S(1) }, &n));
    LEAT_TRY(leat_expose(n, task, job));
    LEAT_TRY(leat_serve(n, work, &impl, NULL));
    LEAT_TRY(leat_node_join(n, NULL, &peers));
    CHECK_EQ(peers.len, PEERS);
    leat_with_group(g, err)
        for (uint64_t i = 0; i < 4 * PEERS; i++)
            LEAT_TRY(leat_go(&g, drive, (struct drive){ peers.at[i % PEERS], i * (EACH / 4) }));
    return err;
}

struct tally { int ok, lost, unknown, late; };

static void world(const char *faults, int seed, struct tally *t)
{
    char conf[80];
    memset(job_at, 0, sizeof job_at);
    snprintf(conf, sizeof conf, "seed=%d,nodes=%d,faults=%s", seed, PEERS + 1, faults);
    sim_of(conf, (leat_fn_ *)(void *)node);
    for (int i = 0; i < ALL; i++) {
        leat_err e = job_at[i].err;
        CHECK(job_at[i].ran <= 1);
        if (!job_at[i].told)
            continue;
        if (e == LEAT_OK)
            CHECK_EQ(job_at[i].ran, 1);
        else if (e != LEAT_UNKNOWN)                  /* certainly not */
            CHECK_EQ(job_at[i].ran, 0);
        t->ok += e == LEAT_OK;
        t->lost += e == LEAT_PEER_LOST;
        t->unknown += e == LEAT_UNKNOWN;
        t->late += e == LEAT_DEADLINE;
    }
}

static struct tally worlds(const char *faults)
{
    struct tally t = { 0 };
    for (int seed = 0; seed < sim_worlds(SEEDS, FEW); seed++)
        world(faults, seed, &t);
    return t;
}

TEST(a_call_over_slow_links_is_answered)
{
    CHECK_EQ(worlds("delay").ok, sim_worlds(SEEDS, FEW) * ALL);
}

TEST(a_task_over_slow_links_is_joined)
{
    by_task = true;
    CHECK_EQ(worlds("delay").ok, sim_worlds(SEEDS, FEW) * ALL);
}

TEST(a_call_under_any_fault_runs_once_or_never_as_its_caller_is_told)
{
    struct tally t = worlds("cut"), c = worlds("crash");
    CHECK(t.ok && t.lost && t.unknown && c.ok && c.lost && c.unknown);
}

TEST(a_task_under_any_fault_runs_once_or_never_as_its_caller_is_told)
{
    by_task = true;
    struct tally t = worlds("cut"), c = worlds("crash");
    CHECK(t.ok && t.lost && t.unknown && c.ok && c.lost && c.unknown);
}

TEST(a_call_with_a_short_deadline_is_told_the_truth)
{
    hurried = true;
    struct tally t = worlds("all");
    CHECK(t.ok && t.unknown && t.late);
}

TEST(a_task_with_a_short_deadline_is_told_the_truth)
{
    hurried = by_task = true;
    struct tally t = worlds("all");
    CHECK(t.ok && t.unknown && t.late);
}

T_MAIN()
