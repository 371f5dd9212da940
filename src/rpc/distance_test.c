/* distance_test.c - calls and remote tasks: what a shield, a deadline and a look for leaks mean when the other side is another node.  Each
 * test was written because nothing else noticed when that was broken (test/breaks). */
#include <sys/resource.h>
#include "pair.h"
#include "chan/chan.h"
#include "run/seam.h"
#include "sess/sess.h"

LEAT_STRUCT(num, (uint64, n));
LEAT_SERVICE(slow, (left, num, num), (nap, num, num));

static _Atomic uint32_t began, ended;

/* How much time the method has, in milliseconds. */
static leat_err slow_left(void *self, const struct num *in, struct num *out)
{
    struct task *t = task_self();
    int64_t deadline = at_load(&t->deadline);
    (void)self;
    (void)in;
    out->n = deadline == NEVER ? UINT64_MAX : (uint64_t)((deadline - rt_now(t->rt)) / 1000000);
    return LEAT_OK;
}
static leat_err nap(const struct num *in)
{
    at_store(&began, at_load(&began) + 1);
    leat_err err = leat_sleep(LEAT_MS(in->n));
    at_store(&ended, err == LEAT_OK ? 100 : (uint32_t)err);
    return err;
}
static leat_err slow_nap(void *self, const struct num *in, struct num *out) { (void)self; out->n = in->n; return nap(in); }
static leat_err task_nap(struct num *n) { return nap(n); }
static const struct slow_impl slow = { .left = slow_left, .nap = slow_nap };

static leat_err travels(leat_none *none)
{
    (void)none;
    struct pair x = pair_open();
    struct num out = { 0 };
    CHECK_EQ(leat_serve(x.a, slow, &slow, NULL), LEAT_OK);
    CHECK_EQ(leat_call(x.p, slow, left, &(struct num){ 0 }, &out), LEAT_OK);
    CHECK_EQ(out.n, UINT64_MAX);                     /* none here, none there */
    leat_with_deadline(LEAT_S(100)) {
        CHECK_EQ(leat_call(x.p, slow, left, &(struct num){ 0 }, &out), LEAT_OK);
        CHECK(out.n <= 100000);
        leat_with_deadline(LEAT_S(50))
            CHECK_EQ(leat_call(x.p, slow, left, &(struct num){ 0 }, &out), LEAT_OK);
        CHECK(out.n <= 50000);
    }
    pair_close(&x);
    return LEAT_OK;
}
ANYWHERE(the_time_that_remains_travels_with_a_call, travels)

/* After a cancel: a call, a send and a remote task inside a shield go to their end, and what outlasts its limit is ended there, too. */
static leat_err shielded(leat_none *none)
{
    (void)none;
    struct pair x = pair_open();
    struct num out = { 0 };
    leat_err err = LEAT_OK;
    CHECK_EQ(leat_serve(x.a, slow, &slow, NULL), LEAT_OK);
    CHECK_EQ(leat_expose(x.a, task_nap, num), LEAT_OK);
    leat_with_cancel(ctx) {
        leat_cancel(ctx, LEAT_GONE);
        CHECK_EQ(leat_call(x.p, slow, nap, &(struct num){ 1 }, &out), LEAT_CANCELED);
        CHECK_EQ(at_load(&began), 0);
        leat_with_shield(LEAT_S(40)) {
            CHECK_EQ(leat_call(x.p, slow, nap, &(struct num){ 5 }, &out), LEAT_OK);
            CHECK_EQ(out.n, 5);
            CHECK_EQ(at_load(&ended), 100);
            leat_with_group(g, err)
                CHECK_EQ(leat_go_on(&g, x.p, task_nap, num, { 5 }), LEAT_OK);
            CHECK_EQ(err, LEAT_OK);
            CHECK_EQ(at_load(&began), 2);
        }
        leat_with_shield(LEAT_MS(20))
            CHECK_EQ(leat_call(x.p, slow, nap, &(struct num){ 100000 }, &out), LEAT_UNKNOWN);
        CHECK_EQ(leat_err_why(), LEAT_DEADLINE);
        CHECK_EQ(leat_call(x.p, slow, nap, &(struct num){ 1 }, &out), LEAT_CANCELED);
    }
    pair_close(&x);
    return LEAT_OK;
}
ANYWHERE(a_shield_lets_calls_and_remote_tasks_end_after_a_cancel, shielded)

/* A task elsewhere is late by a deadline of its own, and cancelled from here behind that. */
static leat_err late_and_cancelled(struct num *n)
{
    leat_err first = LEAT_OK, then = LEAT_OK, err = LEAT_OK;
    (void)n;
    leat_with_cancel(ctx) {
        leat_with_deadline(LEAT_MS(1)) {
            first = leat_sleep(LEAT_S(1000));
            at_store(&began, 1);
            leat_with_shield(LEAT_S(40))
                leat_select(err) { leat_on_done(ctx) { } }
            then = leat_ctx_err();
        }
        CHECK_EQ(leat_ctx_err(), LEAT_CANCELED);     /* which is true without that deadline */
    }
    at_store(&ended, first == LEAT_DEADLINE && then == first ? 100 : 1);
    return err;
}
static leat_err first_stays(leat_none *none)
{
    (void)none;
    struct pair x = pair_open();
    leat_err err = LEAT_OK;
    CHECK_EQ(leat_expose(x.a, late_and_cancelled, num), LEAT_OK);
    leat_with_group(g, err) {
        CHECK_EQ(leat_go_on(&g, x.p, late_and_cancelled, num, { 0 }), LEAT_OK);
        while (!at_load(&began))
            CHECK_EQ(leat_sleep(LEAT_US(100)), LEAT_OK);
        leat_group_cancel(&g);
    }
    CHECK_EQ(err, LEAT_OK);
    CHECK_EQ(at_load(&ended), 100);
    pair_close(&x);
    return LEAT_OK;
}
ANYWHERE(a_deadline_that_was_first_stays_behind_a_cancel_from_afar, first_stays)

/* -- leaks ------------------------------------------------------------------------------------------------------------------------ */
/* Only the session knows the channel: whoever sends is elsewhere, and so the task that receives is not lost.  It is in no group, or who has
 * that could wake it, too. */
static _Atomic uint32_t waiting;
static __attribute__((noinline)) leat_err receives(leat_rx(struct num) *in)
{
    struct num v;
    atomic_fetch_add(&waiting, 1);
    leat_err err = leat_recv(*in, &v);
    leat_unref(*in);
    return err == LEAT_CLOSED ? LEAT_OK : err;
}
static leat_err sends(leat_tx(struct num) *out)
{
    atomic_fetch_add(&waiting, 1);
    leat_err err = leat_send(*out, { 1 });
    leat_unref(*out);
    return err == LEAT_GONE || err == LEAT_PEER_LOST ? LEAT_OK : err;
}

static __attribute__((noinline)) void waiters_begin(struct pair *x, leat_tx(struct num) *far, leat_rx(struct num) *taker)
{
    leat_chan(struct num) in = leat_chan_make(struct num, 0), out = leat_chan_make(struct num, 0);
    CHECK_EQ(leat_export(x->a, "in", leat_tx_of(in), num), LEAT_OK);
    CHECK_EQ(leat_import(x->p, "in", far, num, 0), LEAT_OK);
    CHECK_EQ(leat_export(x->a, "out", leat_rx_of(out), num), LEAT_OK);
    CHECK_EQ(leat_import(x->p, "out", taker, num, 0), LEAT_OK);
    leat_unexport(x->a, "in");
    leat_unexport(x->a, "out");
    CHECK_EQ(leat_go(NULL, receives, (leat_rx(struct num)){ leat_ref(leat_rx_of(in)) }), LEAT_OK);
    CHECK_EQ(leat_go(NULL, sends, (leat_tx(struct num)){ leat_ref(leat_tx_of(out)) }), LEAT_OK);
    leat_unref(in);
    leat_unref(out);
}

static leat_err known_elsewhere(leat_none *none)
{
    (void)none;
    struct pair x = pair_open();
    leat_tx(struct num) far = NULL;
    leat_rx(struct num) taker = NULL;
    waiters_begin(&x, &far, &taker);
    while (at_load(&waiting) < 2)
        leat_ignore(leat_sleep(LEAT_MS(1)));
    for (int i = 0; i < 5; i++) {
        size_t n = 0;
        leat_ignore(leat_sleep(LEAT_MS(2)));
        leat_err e = leat_leaks(2, &n);
        CHECK(e == LEAT_OK || e == LEAT_AGAIN || e == LEAT_INVAL);          /* INVAL: a sanitizer that cannot be asked */
        CHECK_EQ(n, 0);
    }
    leat_unref(far);
    leat_unref(taker);
    pair_close(&x);
    return LEAT_OK;
}
ANYWHERE(a_task_that_waits_for_another_node_has_not_leaked, known_elsewhere)

/* -- silence ---------------------------------------------------------------------------------------------------------------------- */
static int64_t used_ns(void)
{
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    return ((int64_t)u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1000000000 + ((int64_t)u.ru_utime.tv_usec + u.ru_stime.tv_usec) * 1000;
}

static leat_err silent(leat_none *none)
{
    (void)none;
    struct pair x = pair_open();
    struct num out;
    CHECK_EQ(leat_serve(x.a, slow, &slow, NULL), LEAT_OK);
    CHECK_EQ(leat_call(x.p, slow, left, &(struct num){ 0 }, &out), LEAT_OK);
    leat_ignore(leat_sleep(LEAT_MS(100)));
    int64_t before = used_ns();
    leat_ignore(leat_sleep(LEAT_MS(500)));
    CHECK(used_ns() - before < 40000000);            /* of half a second or more */
    pair_close(&x);
    return LEAT_OK;
}
ANYWHERE(two_nodes_that_say_nothing_use_no_cpu, silent)

T_MAIN()
