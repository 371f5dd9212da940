/* late_test.c - the deadline of a call or a remote task whose OPEN is written again on a later link: it is the caller's, not later.
 * The machines of a world have one clock, so both sides' deadlines can be compared. */
#include "leat.h"
#undef errno
#include "run/host.h"
#include "run/seam.h"
#include "sim/sim_test.h"

enum { CHUNKS = 60, EACH = 6, LIMIT_S = 5, DOWN_MS = 3000, WAY_MS = 300 };      /* WAY: more than any way takes */

LEAT_STRUCT(job, (uint64, id), (int64, deadline), (int64, asked));
LEAT_STRUCT(done, (uint64, id));
LEAT_SERVICE(work, (call, job, done));

static int late, looked;                             /* how many came after the link had been down; in all */

static leat_err look(const struct job *j)
{
    int64_t mine = at_load(&task_self()->deadline), now = rt_now(rt_self());
    looked++;
    late += now - j->asked > DOWN_MS / 2 * INT64_C(1000000);
    CHECK(mine >= j->deadline);                      /* never earlier: who asked is the first to give up */
    CHECK(mine - j->deadline < WAY_MS * INT64_C(1000000));
    return LEAT_OK;
}
static leat_err task(struct job *j) { return look(j); }
static leat_err call(void *self, const struct job *in, struct done *out)
{
    (void)self;
    (void)out;
    return look(in);
}
static const struct work_impl impl = { .call = call };

static leat_err ask(leat_peer *p, uint64_t id)
{
    struct job j = { id, at_load(&task_self()->deadline), rt_now(rt_self()) };
    struct done out;
    leat_err err;
    if (id & 1)
        return leat_call(p, work, call, &j, &out);
    leat_with_group(g, err)
        leat_ignore(leat_go_on(&g, p, task, job, { j.id, j.deadline, j.asked }));
    return err;
}

static leat_err node(leat_none *none)
{
    leat_auto_node leat_node *n = NULL;
    leat_peers peers;
    (void)none;
    LEAT_TRY(leat_node_open(NULL, &n));
    LEAT_TRY(leat_expose(n, task, job));
    LEAT_TRY(leat_serve(n, work, &impl, NULL));
    LEAT_TRY(leat_node_join(n, NULL, &peers));
    for (uint64_t id = 0; id < EACH; id++)
        leat_with_deadline(LEAT_S(LIMIT_S))
            leat_ignore(ask(peers.at[0], id));
    return LEAT_OK;
}

TEST(an_open_that_is_written_again_says_what_remains_now)
{
    for (int i = 1; i <= CHUNKS; i++) {
        char conf[120];
        snprintf(conf, sizeof conf, "seed=%d,nodes=2,restarts=0,plan=down@%d/%dms", i, i, DOWN_MS);
        sim_of(conf, (leat_fn_ *)(void *)node);
    }
    CHECK(looked > CHUNKS * EACH / 2);
    CHECK(late > 3);                                 /* else nothing was tested */
}

T_MAIN()
