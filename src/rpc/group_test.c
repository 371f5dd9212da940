/* group_test.c - groups with tasks on other nodes, which have tasks on third ones: joining, the first error, deadlines, causes. */
#include "trio.h"

LEAT_STRUCT(job, (uint64, hops), (int64, ms), (int32, fails));       /* goes on so many nodes; then sleeps for ms, and ends with `fails` */

enum { A, B, C };
static struct trio x;
static _Atomic int begun, ended, cancelled, late;
static leat_err _Atomic cause;

/* Each node has it; where it runs follows from how far it has gone. */
static leat_err work(struct job *j);
static leat_err goes_on(struct job *j, int node)
{
    leat_err err;
    leat_with_group(g, err)
        LEAT_TRY(leat_go_on(&g, x.peer[node], work, job, { .hops = j->hops, .ms = j->ms, .fails = j->fails }));
    return err;
}

static leat_err work(struct job *j)
{
    static const int next[] = { 0, B, C };           /* hops left: 2: this is c, which has dialed b; 1: this is b, which has dialed a */
    if (j->hops) {
        struct job k = { .hops = j->hops - 1, .ms = j->ms, .fails = j->fails };
        return goes_on(&k, next[j->hops]);
    }
    begun++;
    leat_err err = leat_sleep(LEAT_MS(j->ms));
    cancelled += err == LEAT_CANCELED;
    late += err == LEAT_DEADLINE;
    if (err != LEAT_OK)
        cause = leat_ctx_cause();
    ended++;
    if (err == LEAT_OK && j->fails)
        err = leat_fail((leat_err)j->fails, "it fails as it was told to");
    return err;
}

static void open_all(void)
{
    x = trio_open(3);
    for (int i = A; i <= C; i++)
        CHECK_EQ(leat_expose(x.at[i], work, job), LEAT_OK);
    begun = ended = cancelled = late = 0;
    cause = LEAT_OK;
}

static leat_err start(leat_group *g, uint64_t hops, int64_t ms, leat_err fails)
{
    return leat_go_on(g, x.peer[A], work, job, { .hops = hops, .ms = ms, .fails = (int32_t)fails });
}

static leat_err all_begun(int n)
{
    leat_err err = LEAT_OK;
    while (err == LEAT_OK && begun < n)
        err = leat_sleep(LEAT_MS(1));
    return err;
}

/* The end of the block waits for tasks at one, two and three sessions' distance. */
static leat_err joins(leat_none *none)
{
    (void)none;
    leat_err err;
    open_all();
    leat_with_group(g, err)
        for (uint64_t hops = 0; hops < 3; hops++)
            LEAT_TRY(start(&g, hops, 5 + 10 * (int64_t)hops, LEAT_OK));
    CHECK_EQ(err, LEAT_OK);
    CHECK_EQ(ended, 3);
    trio_close(&x);
    return LEAT_OK;
}
ANYWHERE(a_group_waits_for_tasks_on_third_nodes, joins)

/* One fails, near or far: all the others are cancelled, wherever they are, and awaited; the group has that one's error. */
static leat_err first_error(leat_none *none)
{
    (void)none;
    open_all();
    for (uint64_t where = 0; where < 3; where++) {
        leat_err err;
        begun = ended = cancelled = 0;
        leat_with_group(g, err) {
            for (uint64_t hops = 0; hops < 3; hops++)
                LEAT_TRY(start(&g, hops, 3600 * 1000, LEAT_OK));
            LEAT_TRY(leat_go(&g, work, (struct job){ .ms = 3600 * 1000 }));
            LEAT_TRY(all_begun(4));
            LEAT_TRY(start(&g, where, 0, LEAT_REFUSED));
        }
        CHECK_EQ(err, LEAT_REFUSED);
        CHECK_HAS(leat_err_detail(), "as it was told to");
        CHECK_HAS(leat_err_detail(), "node c");
        CHECK_EQ(cancelled, 4);
        CHECK_EQ(ended, 5);
        CHECK_EQ(cause, LEAT_REFUSED);               /* the cause has gone along */
    }
    trio_close(&x);
    return LEAT_OK;
}
ANYWHERE(the_first_error_cancels_siblings_on_other_nodes, first_error)

/* A deadline goes along: each task ends by it, as if it were at home. */
static leat_err deadline(leat_none *none)
{
    (void)none;
    leat_err err = LEAT_OK;
    open_all();
    leat_with_deadline(LEAT_MS(60))
        leat_with_group(g, err) {
            for (uint64_t hops = 0; hops < 3; hops++)
                LEAT_TRY(start(&g, hops, 3600 * 1000, LEAT_OK));
        }
    CHECK_EQ(err, LEAT_DEADLINE);
    CHECK_EQ(ended, begun);                          /* one that had not begun by then need not begin */
    CHECK_EQ(cancelled + late, ended);
    trio_close(&x);
    return LEAT_OK;
}
ANYWHERE(a_deadline_ends_tasks_on_third_nodes, deadline)

/* A cancel with a cause, from outside: it reaches the task that a task there has started on a third node, with the cause. */
static leat_err cancel(leat_none *none)
{
    (void)none;
    open_all();
    for (uint64_t hops = 0; hops < 3; hops++) {
        leat_err err = LEAT_OK;
        begun = ended = cancelled = 0;
        cause = LEAT_OK;
        leat_with_cancel(ctx)
            leat_with_group(g, err) {
                LEAT_TRY(start(&g, hops, 3600 * 1000, LEAT_OK));
                LEAT_TRY(all_begun(1));
                leat_cancel(ctx, LEAT_TYPE);
            }
        CHECK_EQ(err, LEAT_CANCELED);
        CHECK_EQ(cancelled, 1);
        CHECK_EQ(ended, 1);
        CHECK_EQ(cause, LEAT_TYPE);
    }
    trio_close(&x);
    return LEAT_OK;
}
ANYWHERE(a_cancel_and_its_cause_reach_tasks_on_third_nodes, cancel)

/* The node in between is lost: the group ends with that, and the task beyond it is cancelled. */
static leat_err between(leat_none *none)
{
    (void)none;
    leat_err err;
    open_all();
    leat_with_group(g, err) {
        LEAT_TRY(start(&g, 2, 3600 * 1000, LEAT_OK));
        LEAT_TRY(all_begun(1));
        trio_dies(&x, C);
    }
    CHECK(err == LEAT_UNKNOWN || err == LEAT_PEER_LOST);
    while (!ended)
        CHECK_EQ(leat_sleep(LEAT_MS(1)), LEAT_OK);
    CHECK_EQ(cancelled, 1);
    CHECK_EQ(cause, LEAT_PEER_LOST);
    trio_close(&x);
    return LEAT_OK;
}
ANYWHERE(a_task_beyond_a_lost_node_is_cancelled, between)

/* A node that is closed waits for what it runs for peers.  That may still use the peers of its node, though their sessions have ended. */
static leat_err stays(struct num *n)
{
    leat_err err = LEAT_OK;
    (void)n;
    begun++;
    CHECK_EQ(leat_sleep(LEAT_S(3600)), LEAT_CANCELED);
    leat_with_shield(LEAT_S(100)) {
        CHECK_EQ(leat_peer_wait(x.peer[C]), LEAT_OK);                /* ended, by the close */
        CHECK_EQ(leat_sleep(LEAT_MS(30)), LEAT_OK);
        CHECK_HAS(leat_peer_name(x.peer[C]), "node b");
        leat_with_group(g, err)
            err = leat_go_on(&g, x.peer[C], work, job, { .ms = 1 });
        CHECK_EQ(err, LEAT_PEER_LOST);
    }
    ended++;
    return LEAT_OK;
}

static leat_err while_closed(leat_none *none)
{
    (void)none;
    leat_err err;
    open_all();
    CHECK_EQ(leat_expose(x.at[C], stays, num), LEAT_OK);
    leat_with_group(g, err) {
        LEAT_TRY(leat_go_on(&g, x.peer[A], stays, num, { 1 }));
        LEAT_TRY(all_begun(1));
        for (int way = 0; way < 2; way++) {          /* an end would keep its session */
            leat_unref(x.to[C][way]);
            leat_unref(x.from[C][way]);
        }
        CHECK_EQ(leat_node_close(x.at[C]), LEAT_OK);
        CHECK_EQ(ended, 1);
        x.at[C] = NULL;
    }
    trio_close(&x);
    return LEAT_OK;
}
ANYWHERE(a_task_that_a_closed_node_waits_for_may_use_its_peers, while_closed)

T_MAIN()
