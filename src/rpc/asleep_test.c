/* asleep_test.c - tasks that hibernate (run/hiber.h) while they wait for what is elsewhere: elements from afar, room there, an answer.
 * Each wait ends as it would have: by what comes from afar, by a cancel, by a deadline, by the end of the session.  Where tools watch
 * memory nobody hibernates; then these are tests of waits like others. */
#include "pair.h"
#include "away.h"
#include "sess/sess.h"

LEAT_STRUCT(num, (uint64, n));
LEAT_SERVICE(slow, (twice, num, num));

enum how { BY_FAR, BY_CANCEL, BY_DEADLINE, BY_LOSS, HOWS };
enum { TASKS = 3 };
static const leat_err ends[HOWS] = { LEAT_OK, LEAT_CANCELED, LEAT_DEADLINE, LEAT_PEER_LOST };

static struct pair x;
static enum how how;
static _Atomic uint32_t sum, gate, inside;

/* Until the tasks hibernate.  A deadline may pass before they do. */
static void until_away(void)
{
    leat_err e = leat_sleep(LEAT_MS(5));
    for (int ms = 0; can() && how != BY_DEADLINE && e == LEAT_OK && away() != TASKS; ms++)
        e = ms < 30000 ? leat_sleep(LEAT_MS(1)) : LEAT_DEADLINE;
    CHECK_EQ(e, LEAT_OK);
}

/* What a task returns is its outcome; whether a task fails must not end the others' waits, so it is noted. */
static _Atomic int outcome[TASKS];
struct one { int i; leat_tx(struct num) out; leat_rx(struct num) in; };
static leat_err waits(struct one *o)
{
    struct num v = { 0 };
    leat_err e = LEAT_OK;
    leat_with_deadline(how == BY_DEADLINE ? LEAT_MS(60) : LEAT_S(3600)) {
        e = o->in ? leat_recv(o->in, &v) : leat_send(o->out, { (uint64_t)o->i + 1 });
    }
    if (o->in && e == LEAT_OK)
        atomic_fetch_add(&sum, (uint32_t)v.n);
    atomic_store(&outcome[o->i], (int)e);
    return LEAT_OK;
}
static leat_err asks(int *i)
{
    struct num in = { (uint64_t)*i + 1 }, out = { 0 };
    leat_err e = LEAT_OK;
    leat_with_deadline(how == BY_DEADLINE ? LEAT_MS(60) : LEAT_S(3600))
        e = leat_call(x.p, slow, twice, &in, &out);
    if (e == LEAT_OK)
        atomic_fetch_add(&sum, (uint32_t)out.n);
    else if (e == LEAT_UNKNOWN)
        e = leat_err_why();                          /* it has begun there */
    atomic_store(&outcome[*i], (int)e);
    return LEAT_OK;
}

static void end_waits(leat_group *g)
{
    if (how == BY_CANCEL)
        leat_group_cancel(g);
    else if (how == BY_LOSS)
        sess_break(sess_of(x.p), LEAT_SYS, "the test cuts it");
}

static void all_ended_so(void)
{
    for (int i = 0; i < TASKS; i++)
        CHECK_EQ(outcome[i], ends[how]);
}

/* Receivers at home, whose senders are elsewhere. */
static leat_err received(leat_none *none)
{
    leat_chan(struct num) c = leat_chan_make(struct num, 2);
    leat_tx(struct num) out = NULL;
    leat_err err;
    (void)none;
    x = pair_open();
    atomic_store(&sum, 0);
    CHECK_EQ(leat_export(x.a, "in", leat_tx_of(c), num), LEAT_OK);
    CHECK_EQ(leat_import(x.p, "in", &out, num, 2), LEAT_OK);
    leat_unexport(x.a, "in");
    leat_finish(c);
    leat_with_hibernation(LEAT_MS(1)) leat_with_group(g, err) {
        for (int i = 0; i < TASKS; i++)
            CHECK_EQ(leat_go(&g, waits, (struct one){ i, NULL, leat_rx_of(c) }), LEAT_OK);
        until_away();
        for (uint64_t i = 1; how == BY_FAR && i <= TASKS; i++)
            CHECK_EQ(leat_send(out, { i }), LEAT_OK);
        end_waits(&g);
    }
    CHECK(err == LEAT_OK || how == BY_CANCEL);
    all_ended_so();
    CHECK_EQ(sum, how == BY_FAR ? 6 : 0);
    leat_unref(out);
    leat_unref(c);
    pair_close(&x);
    return LEAT_OK;
}

/* Senders elsewhere, who wait for room: there is none before the home receives. */
static leat_err sent(leat_none *none)
{
    leat_chan(struct num) c = leat_chan_make(struct num, 2);
    leat_tx(struct num) out = NULL;
    struct num v;
    uint64_t full = 0, got = 0;
    leat_err err, e;
    (void)none;
    x = pair_open();
    CHECK_EQ(leat_export(x.a, "in", leat_tx_of(c), num), LEAT_OK);
    CHECK_EQ(leat_import(x.p, "in", &out, num, 2), LEAT_OK);
    leat_unexport(x.a, "in");
    leat_finish(c);
    for (; full < 2; full++)
        CHECK_EQ(leat_send(out, { 100 }), LEAT_OK);
    CHECK_EQ(leat_flush(out), LEAT_OK);
    leat_with_hibernation(LEAT_MS(1)) leat_with_group(g, err) {
        for (int i = 0; i < TASKS; i++)
            CHECK_EQ(leat_go(&g, waits, (struct one){ i, out, NULL }), LEAT_OK);
        until_away();
        for (; how == BY_FAR && full < 5; full++, got += v.n)
            CHECK_EQ(leat_recv(c, &v), LEAT_OK);
        end_waits(&g);
    }
    CHECK(err == LEAT_OK || how == BY_CANCEL);
    all_ended_so();
    if (how != BY_LOSS)
        leat_finish(out);
    while ((e = leat_recv(c, &v)) == LEAT_OK)
        got += v.n;
    CHECK_EQ(e, how == BY_LOSS ? LEAT_PEER_LOST : LEAT_CLOSED);
    CHECK_EQ(got, how == BY_FAR ? 206 : 200);        /* what was given up has never come */
    leat_unref(out);
    leat_unref(c);
    pair_close(&x);
    return LEAT_OK;
}

static leat_err slow_twice(void *self, const struct num *in, struct num *out)
{
    leat_err err = LEAT_OK;
    (void)self;
    atomic_fetch_add(&inside, 1);
    while (!at_load(&gate) && err == LEAT_OK)
        err = leat_sleep(LEAT_MS(1));
    out->n = in->n * 2;
    return err;
}
static const struct slow_impl slow = { slow_twice };

/* Who waits for an answer stays as it is, also where it is told to hibernate. */
static leat_err called(leat_none *none)
{
    leat_err err;
    (void)none;
    x = pair_open();
    atomic_store(&sum, 0);
    atomic_store(&gate, 0);
    atomic_store(&inside, 0);
    CHECK_EQ(leat_serve(x.a, slow, &slow, NULL), LEAT_OK);
    leat_with_hibernation(LEAT_MS(1)) leat_with_group(g, err) {
        for (int i = 0; i < TASKS; i++)
            CHECK_EQ(leat_go(&g, asks, i), LEAT_OK);
        for (int ms = 0; at_load(&inside) < TASKS && how != BY_DEADLINE; ms++)
            CHECK_EQ(ms < 30000 ? leat_sleep(LEAT_MS(1)) : LEAT_DEADLINE, LEAT_OK);
        CHECK_EQ(leat_sleep(LEAT_MS(20)), LEAT_OK);
        atomic_store(&gate, how == BY_FAR);
        end_waits(&g);
    }
    CHECK(err == LEAT_OK || how == BY_CANCEL);
    all_ended_so();
    CHECK_EQ(sum, how == BY_FAR ? 12 : 0);
    atomic_store(&gate, 1);
    pair_close(&x);
    return LEAT_OK;
}

static void each_end(enum place p, leat_err (*fn)(leat_none *))
{
    for (how = 0; how < HOWS; how++)
        AT(p, fn);
}
TEST(hibernated_receivers_get_what_comes_from_elsewhere_inproc) { each_end(INPROC, received); }
TEST(hibernated_receivers_get_what_comes_from_elsewhere_unix) { each_end(UNIX, received); }
TEST(hibernated_senders_wait_for_room_elsewhere_inproc) { each_end(INPROC, sent); }
TEST(hibernated_senders_wait_for_room_elsewhere_unix) { each_end(UNIX, sent); }
TEST(a_call_of_a_task_that_may_hibernate_ends_as_any_other_inproc) { each_end(INPROC, called); }
TEST(a_call_of_a_task_that_may_hibernate_ends_as_any_other_unix) { each_end(UNIX, called); }

T_MAIN()
