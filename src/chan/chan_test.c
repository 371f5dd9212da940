/* chan_test.c - channels, select, groups and contexts, as a program uses them. */
#include "leat.h"
#include "t.h"

struct pair { leat_chan(int64_t) a, b; int64_t n; };

static leat_err pong(struct pair *p)
{
    for (int64_t i = 0, v; i < p->n; i++) {
        LEAT_TRY(leat_recv(p->a, &v));
        LEAT_TRY(leat_send(p->b, v + 1));
    }
    return LEAT_OK;
}

static leat_err ping(struct pair *p)
{
    for (int64_t i = 0, v; i < p->n; i++) {
        LEAT_TRY(leat_send(p->a, i));
        LEAT_TRY(leat_recv(p->b, &v));
        if (v != i + 1)
            return LEAT_INVAL;
    }
    return LEAT_OK;
}

static leat_err pingpong(struct pair *p)
{
    leat_err err;
    p->a = leat_chan_make(int64_t, 0);
    p->b = leat_chan_make(int64_t, 0);
    leat_with_group(g, err) {
        LEAT_TRY(leat_go(&g, pong, *p));
        LEAT_TRY(leat_go(&g, ping, *p));
    }
    leat_unref(p->a);
    leat_unref(p->b);
    return err;
}

TEST(unbuffered_ping_pong_between_two_tasks)
{
    for (uint32_t w = 1; w <= 4; w++) {
        struct pair p = { NULL, NULL, 20000 };
        CHECK_EQ(leat_run(&(leat_opts){ .workers = w }, pingpong, p), LEAT_OK);
    }
}

T_MAIN()
