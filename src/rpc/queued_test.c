/* queued_test.c - receive ends with ends in their queues, in the arguments and results of calls and of remote tasks. */
#include "cargo.h"

/* Whoever has the crate uses all that is in it. */
static leat_err open_crate(struct crate *c)
{
    struct item v;
    struct num n;
    for (int64_t i = 0; i < ITEMS; i++) {
        LEAT_TRY(leat_recv(c->items, &v));
        CHECK_EQ(v.n, i);
        for (int64_t j = 0; j < 2; j++) {
            LEAT_TRY(leat_recv(v.in, &n));
            CHECK_EQ(n.n, 10 * i + j);
        }
        LEAT_TRY(leat_send(v.out, { i }));
        leat_drop(item, &v);
    }
    return LEAT_OK;
}

static void opened(struct cargo *k)
{
    struct num n;
    leat_err err;
    for (int64_t i = 0; i < ITEMS; i++) {
        CHECK_EQ(leat_recv(k->answers[i], &n), LEAT_OK);
        CHECK_EQ(n.n, i);
        over(k->answers[i]);
        while ((err = leat_send(k->feeds[i], { 1 })) == LEAT_OK)
            ;
        CHECK_EQ(err, LEAT_GONE);
        leat_unref(k->answers[i]);
        leat_unref(k->feeds[i]);
    }
    leat_unref(k->to);
}

static leat_err task(leat_none *none)
{
    (void)none;
    struct road r = road_open(4);
    struct cargo k;
    leat_err err;
    CHECK_EQ(leat_expose(r.x.a, open_crate, crate), LEAT_OK);
    leat_rx(struct item) items = cargo_new(&k);
    leat_with_group(g, err)
        LEAT_TRY(leat_go_on(&g, r.x.p, open_crate, crate, { .items = items }));
    CHECK_EQ(err, LEAT_OK);
    opened(&k);
    road_close(&r);
    return LEAT_OK;
}
ANYWHERE(a_remote_task_has_what_is_queued_behind_its_argument, task)

/* It never got there: each end is let go of. */
static leat_err refused(leat_none *none)
{
    (void)none;
    struct road r = road_open(4);
    struct cargo k;
    leat_err err;
    leat_rx(struct item) items = cargo_new(&k);
    leat_with_group(g, err)
        LEAT_TRY(leat_go_on(&g, r.x.p, open_crate, crate, { .items = items }));
    CHECK_EQ(err, LEAT_REFUSED);
    for (int i = 0; i < ITEMS; i++) {
        over(k.answers[i]);
        while ((err = leat_send(k.feeds[i], { 1 })) == LEAT_OK)
            ;
        CHECK_EQ(err, LEAT_GONE);
        leat_unref(k.answers[i]);
        leat_unref(k.feeds[i]);
    }
    while ((err = leat_send(k.to, { .n = 1 })) == LEAT_OK)
        ;
    CHECK_EQ(err, LEAT_GONE);
    leat_unref(k.to);
    road_close(&r);
    return LEAT_OK;
}
ANYWHERE(ends_queued_behind_the_argument_of_a_refused_task_are_let_go, refused)

LEAT_SERVICE(store, (fetch, num, crate));
static struct cargo stored;
static leat_err store_fetch(void *self, const struct num *in, struct crate *out)
{
    (void)self;
    out->n = in->n;
    out->items = cargo_new(&stored);
    return LEAT_OK;
}
static const struct store_impl store = { .fetch = store_fetch };

static leat_err result(leat_none *none)
{
    (void)none;
    struct road r = road_open(4);
    struct crate c = { .n = 0 };
    CHECK_EQ(leat_serve(r.x.a, store, &store, NULL), LEAT_OK);
    CHECK_EQ(leat_call(r.x.p, store, fetch, &(struct num){ 7 }, &c), LEAT_OK);
    CHECK_EQ(c.n, 7);
    cargo_works(&stored, c.items);
    road_close(&r);
    return LEAT_OK;
}
ANYWHERE(the_result_of_a_call_brings_what_is_queued_behind_its_ends, result)

T_MAIN()
