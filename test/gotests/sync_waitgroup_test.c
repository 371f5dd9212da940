/* sync_waitgroup_test.c - of Go's sync/waitgroup_test.go. */
#include "place.h"
#include "stops.h"

enum { N = 16 };
struct two { leat_waitgroup *a, *b; leat_chan(int) exited; };

static leat_err done_then_wait(struct two *t)
{
    leat_waitgroup_done(t->a);
    LEAT_TRY(leat_waitgroup_wait(t->b));
    return leat_send(t->exited, 1);
}
static leat_err test_waitgroup(void)
{
    leat_waitgroup a = { { NULL } }, b = { { NULL } };
    for (int round = 0; round < 8; round++) {        /* the same two again: each wait leaves them as new */
        leat_auto leat_chan(int) exited = leat_chan_make(int, N);
        leat_err err;
        int v;
        leat_waitgroup_add(&a, N);
        leat_waitgroup_add(&b, N);
        leat_with_group(g, err) {
            for (int i = 0; i < N; i++)
                LEAT_TRY(leat_go(&g, done_then_wait, (struct two){ &a, &b, exited }));
            LEAT_TRY(leat_waitgroup_wait(&a));
            for (int i = 0; i < N; i++) {
                CHECK_EQ(leat_try_recv(exited, &v), LEAT_AGAIN);
                leat_waitgroup_done(&b);
            }
            for (int i = 0; i < N; i++)
                LEAT_TRY(leat_recv(exited, &v));
        }
        LEAT_TRY(err);
    }
    return LEAT_OK;
}
AT_TASK(TestWaitGroup, test_waitgroup)

static void one_too_many(void)
{
    leat_waitgroup g = { { NULL } };
    leat_waitgroup_add(&g, 1);
    leat_waitgroup_done(&g);
    leat_waitgroup_done(&g);
}
TEST(TestWaitGroupMisuse) { stops(one_too_many, "more have called done than were added"); }

struct count { leat_waitgroup *g; _Atomic int *n; };
static leat_err count_and_done(struct count *c)
{
    ++*c->n;
    leat_waitgroup_done(c->g);
    return LEAT_OK;
}
static leat_err test_race(void)
{
    leat_err err;
    leat_with_group(g, err)
        for (int i = 0; i < place_turns(1000); i++) {
            leat_waitgroup wg = { { NULL } };        /* its memory is used again at once */
            _Atomic int n = 0;
            for (int k = 0; k < 2; k++) {
                leat_waitgroup_add(&wg, 1);
                LEAT_TRY(leat_go(&g, count_and_done, (struct count){ &wg, &n }));
            }
            LEAT_TRY(leat_waitgroup_wait(&wg));
            CHECK_EQ(n, 2);
        }
    return err;
}
AT_TASK(TestWaitGroupRace, test_race)

T_MAIN()
