/* context_x_test.c - of Go's context/x_test.go.  A Go context is a value; here it is a block, and what is asked is asked inside it, or of
 * a leat_ctx * by leat_on_done. */
#include <stdatomic.h>
#include "place.h"

static const char k1, k2, k3;                        /* keys of values */

static bool done(leat_ctx *ctx)
{
    bool is = false;
    leat_err err;
    leat_select(err) {
        leat_on_done(ctx) { is = true; }
        leat_otherwise { }
    }
    CHECK_EQ(err, LEAT_OK);
    return is;
}
static leat_err wait_done(leat_ctx *ctx)
{
    leat_err err;
    leat_select(err) { leat_on_done(ctx) { } }
    return err;
}
static leat_err close_it(leat_tx(int) *c)
{
    leat_close(*c);
    return LEAT_OK;
}
static leat_err closed(leat_rx(int) c)
{
    int v;
    leat_err e = leat_recv(c, &v);
    return e == LEAT_CLOSED ? LEAT_OK : LEAT_INVAL;
}

/* -- contexts whose other side may be elsewhere --------------------------------------------------------------------------- */
LEAT_STRUCT(tells, (tx(num), out));

static leat_err say(struct tells *t, int64_t n)
{
    leat_with_shield(LEAT_S(600))
        return leat_send(t->out, { n });
    return LEAT_OK;
}

/* On the other side: says that it has begun (-1), then what ended its wait, in three contexts of its own, and why. */
static leat_err tells_end(struct tells *t)
{
    leat_err got = LEAT_OK, why = LEAT_OK;
    LEAT_TRY(say(t, -1));
    leat_with_cancel(child)
        leat_with_value(&k1, "value")
            leat_with_deadline(LEAT_S(1000 * 3600)) {
                got = leat_sleep(LEAT_S(3600));
                why = leat_ctx_cause();
                CHECK(done(child));
                leat_err now = leat_ctx_err();       /* elsewhere, the caller's own deadline may come as a cancel behind this one */
                CHECK_EQ(now, got);
            }
    LEAT_TRY(say(t, got));
    return say(t, why);
}
PLACE_TASK(tells_end, tells)

static leat_err told_either(leat_rx(struct num) c, int64_t n, int64_t or_n)
{
    struct num x = { 0 };
    leat_with_shield(LEAT_S(600))
        LEAT_TRY(leat_recv(c, &x));
    if (x.n != or_n)
        CHECK_EQ(x.n, n);
    return LEAT_OK;
}
static leat_err told(leat_rx(struct num) c, int64_t n) { return told_either(c, n, n); }

/* What is cancelled here ends what waits there, with the first cause. */
static leat_err cancel_reaches(leat_err cause, leat_err later)
{
    leat_auto leat_chan(struct num) c = leat_chan_make(struct num, 4);
    leat_with_cancel(parent) {
        leat_group g = { { NULL } };
        LEAT_TRY(place_go(&g, tells_end, tells, { leat_ref(leat_tx_of(c)) }));
        LEAT_TRY(told(leat_rx_of(c), -1));
        leat_cancel(parent, cause);
        if (later != LEAT_OK)
            leat_cancel(parent, later);
        LEAT_TRY(told(leat_rx_of(c), LEAT_CANCELED));
        LEAT_TRY(told(leat_rx_of(c), cause));
        leat_with_shield(LEAT_S(600))
            LEAT_TRY(leat_group_wait(&g));
    }
    CHECK_EQ(leat_ctx_err(), LEAT_OK);
    return LEAT_OK;
}

/* A deadline of here ends what waits there.  DEADLINE: it had passed before the task had begun. */
static leat_err deadline_reaches(leat_dur d)
{
    leat_auto leat_chan(struct num) c = leat_chan_make(struct num, 4);
    leat_err e = LEAT_OK;
    leat_with_deadline(d) {
        leat_group g = { { NULL } };
        LEAT_TRY(place_go(&g, tells_end, tells, { leat_ref(leat_tx_of(c)) }));
        leat_finish(c);                              /* so it closes when that task is over, or has never been */
        e = told(leat_rx_of(c), -1);
        if (e == LEAT_OK)                            /* elsewhere, the caller's own deadline may come first, as a cancel with that cause */
            e = told_either(leat_rx_of(c), LEAT_DEADLINE, place_far ? LEAT_CANCELED : LEAT_DEADLINE);
        if (e == LEAT_OK)
            e = told(leat_rx_of(c), LEAT_DEADLINE);
        leat_with_shield(LEAT_S(600)) {
            leat_err ended = leat_group_wait(&g);
            e = e == LEAT_CLOSED ? ended : e;
        }
    }
    return e;
}
static leat_err deadline_crosses(void)
{
    leat_err e = LEAT_DEADLINE;
    for (int64_t ms = 20; e == LEAT_DEADLINE && ms < 100000; ms *= 2)
        e = deadline_reaches(LEAT_MS(ms));
    return e;
}

/* -- trees --------------------------------------------------------------------------------------------------------------- */
static leat_err test_parent(void)
{
    leat_auto leat_chan(int) c = leat_chan_make(int, 0);
    leat_after *a = NULL;
    leat_with_cancel(parent) {
        LEAT_TRY(leat_after_func(&a, parent, close_it, leat_tx_of(c)));
        leat_with_cancel(child)
            leat_with_value(&done, "value")
                leat_with_deadline(LEAT_S(1000 * 3600)) {
                    CHECK(!done(parent) && !done(child));
                    CHECK_EQ(leat_ctx_err(), LEAT_OK);
                    leat_cancel(parent, LEAT_CANCELED);
                    CHECK(done(parent) && done(child));
                    CHECK_EQ(leat_ctx_err(), LEAT_CANCELED);
                    leat_with_shield(LEAT_S(60))
                        LEAT_TRY(closed(leat_rx_of(c)));
                }
        leat_with_value(&done, "late")
            CHECK_EQ(leat_ctx_err(), LEAT_CANCELED);
    }
    CHECK_EQ(leat_ctx_err(), LEAT_OK);
    leat_after_close(a);
    return cancel_reaches(LEAT_CANCELED, LEAT_OK);
}
EVERYWHERE(TestParentFinishesChild, test_parent)

static leat_err test_child(void)
{
    leat_with_cancel(parent) {
        leat_with_cancel(child) {
            CHECK(!done(child) && !done(parent));
            leat_cancel(child, LEAT_CANCELED);
            CHECK(done(child) && !done(parent));
            CHECK_EQ(leat_ctx_err(), LEAT_CANCELED);
        }
        CHECK_EQ(leat_ctx_err(), LEAT_OK);
        LEAT_TRY(cancel_reaches(LEAT_REFUSED, LEAT_OK));     /* of a context in this one */
        CHECK(!done(parent));
    }
    return LEAT_OK;
}
EVERYWHERE(TestChildFinishesFirst, test_child)

static leat_err test_background(void)
{
    CHECK_EQ(leat_ctx_err(), LEAT_OK);
    CHECK_EQ(leat_ctx_cause(), LEAT_OK);
    return LEAT_OK;
}
AT_TASK(TestBackground, test_background)

static leat_err test_with_cancel(void)
{
    leat_with_cancel(c1)
        leat_with_value(&done, "between")
            leat_with_cancel(c2) {
                CHECK(!done(c1) && !done(c2));
                CHECK_EQ(leat_ctx_err(), LEAT_OK);
                leat_cancel(c1, LEAT_CANCELED);      /* at once, all the way down */
                CHECK_EQ(leat_ctx_err(), LEAT_CANCELED);
                CHECK(done(c1) && done(c2));
            }
    return cancel_reaches(LEAT_CANCELED, LEAT_OK);
}
EVERYWHERE(TestWithCancel, test_with_cancel)

/* -- deadlines ------------------------------------------------------------------------------------------------------------ */
static leat_err times_out(void)
{
    CHECK_EQ(leat_sleep(LEAT_S(3600)), LEAT_DEADLINE);
    CHECK_EQ(leat_ctx_err(), LEAT_DEADLINE);
    return LEAT_OK;
}
static leat_err test_deadline(void)
{
    leat_with_deadline(LEAT_MS(1))
        LEAT_TRY(times_out());
    leat_with_deadline(LEAT_MS(1))
        leat_with_value(&done, "other")
            LEAT_TRY(times_out());
    leat_with_deadline(LEAT_MS(1))
        leat_with_value(&done, "other")
            leat_with_deadline(LEAT_S(3600))
                LEAT_TRY(times_out());
    leat_with_deadline(LEAT_MS(-1))
        LEAT_TRY(times_out());
    leat_with_deadline(LEAT_NS(0))
        LEAT_TRY(times_out());
    CHECK_EQ(leat_ctx_err(), LEAT_OK);
    return deadline_crosses();
}
EVERYWHERE(TestDeadline, test_deadline)

static leat_err tasks_time_out(leat_none *none)
{
    (void)none;
    return times_out();
}
static leat_err test_timeout(void)
{
    leat_err err;
    leat_with_deadline(LEAT_MS(1))
        leat_with_group(g, err)
            for (int i = 0; i < 10; i++)
                LEAT_TRY(leat_go(&g, tasks_time_out, LEAT_NONE));
    LEAT_TRY(err);
    leat_with_deadline(LEAT_MS(1))
        leat_with_cancel(ctx) {
            CHECK_EQ(leat_sleep(LEAT_S(3600)), LEAT_DEADLINE);
            CHECK(done(ctx));
        }
    leat_with_deadline(LEAT_S(1000 * 3600))          /* the nearer one crosses */
        return deadline_crosses();
    return LEAT_OK;
}
EVERYWHERE(TestTimeout, test_timeout)

static leat_err test_canceled_timeout(void)
{
    leat_with_deadline(LEAT_S(3600))
        leat_with_cancel(ctx)
            leat_with_deadline(LEAT_S(1000 * 3600)) {
                leat_cancel(ctx, LEAT_CANCELED);
                CHECK_EQ(leat_ctx_err(), LEAT_CANCELED);
                CHECK_EQ(leat_sleep(LEAT_S(3600)), LEAT_CANCELED);
            }
    leat_with_deadline(LEAT_S(3600))
        return cancel_reaches(LEAT_CANCELED, LEAT_OK);
    return LEAT_OK;
}
EVERYWHERE(TestCanceledTimeout, test_canceled_timeout)

/* -- values ----------------------------------------------------------------------------------------------------------------- */
static void values(const char *v1, const char *v2, const char *v3)
{
    CHECK(leat_value(&k1) == v1 && leat_value(&k2) == v2 && leat_value(&k3) == v3);
}
struct texts { char *text[3]; };
static leat_err values_in_a_task(struct texts *t)
{
    values(t->text[0], t->text[1], t->text[2]);
    return LEAT_OK;
}
static leat_err test_values(void)
{
    static char one[] = "c1k1", two[] = "c2k2", three[] = "c3k3";
    struct texts seen = { { one, two, three } };
    leat_err err = LEAT_OK;
    values(NULL, NULL, NULL);
    leat_with_value(&k1, one) {
        values(one, NULL, NULL);
        leat_with_value(&k2, two) {
            values(one, two, NULL);
            leat_with_value(&k3, three) {
                values(one, two, three);
                leat_with_group(g, err)
                    LEAT_TRY(leat_go(&g, values_in_a_task, seen));
                LEAT_TRY(err);
                leat_with_value(&k1, NULL) {
                    values(NULL, two, three);
                    leat_with_cancel(other)
                        leat_with_value(&k3, NULL) {
                            leat_cancel(other, LEAT_CANCELED);
                            values(NULL, two, NULL);
                        }
                }
            }
        }
    }
    values(NULL, NULL, NULL);
    return LEAT_OK;
}
AT_TASK(TestValues, test_values)

static leat_err test_checks_key(void)
{
    static char v[] = "bar";
    leat_with_value(NULL, v)
        CHECK(leat_value(NULL) == NULL);             /* NULL is no key */
    return LEAT_OK;
}
AT_TASK(TestWithValueChecksKey, test_checks_key)

/* -- many cancels at once --------------------------------------------------------------------------------------------------------- */
enum { NODES = 100, KIDS = 4 };
struct tree { _Atomic int n; leat_ctx *ctx[NODES]; leat_rx(int) end; leat_waitgroup made; };

static leat_err tree_node(struct tree **p)
{
    struct tree *t = *p;
    leat_err err, got = LEAT_OK;
    int v;
    leat_with_cancel(ctx)
        leat_with_group(g, err) {
            int i = atomic_fetch_add(&t->n, 1);
            if (i < NODES) {
                t->ctx[i] = ctx;
                for (int k = 0; k < KIDS && i * KIDS < NODES; k++)
                    LEAT_TRY(leat_go(&g, tree_node, t));
                leat_waitgroup_done(&t->made);
                got = leat_sleep(LEAT_S(3600));
                leat_with_shield(LEAT_S(600))
                    CHECK_EQ(leat_recv(t->end, &v), LEAT_CLOSED);    /* the context stays while others cancel it */
            }
        }
    return got == LEAT_CANCELED || got == LEAT_OK ? LEAT_OK : got;
}
static leat_err tree_cancel(leat_ctx **ctx)
{
    leat_cancel(*ctx, LEAT_CANCELED);
    return LEAT_OK;
}
static leat_err test_simultaneous(void)
{
    leat_auto leat_chan(int) end = leat_chan_make(int, 0);
    struct tree t = { .end = leat_rx_of(end) }, *p = &t;
    leat_group tree = { { NULL } };
    leat_err err;
    leat_waitgroup_add(&t.made, NODES);
    LEAT_TRY(leat_go(&tree, tree_node, p));
    LEAT_TRY(leat_waitgroup_wait(&t.made));
    leat_with_group(g, err)
        for (int i = 0; i < NODES; i++)
            LEAT_TRY(leat_go(&g, tree_cancel, t.ctx[(i * 37 + 11) % NODES]));
    LEAT_TRY(err);
    for (int i = 0; i < NODES; i++)
        LEAT_TRY(wait_done(t.ctx[i]));
    leat_close(end);
    return leat_group_wait(&tree);
}
AT_TASK(TestSimultaneousCancels, test_simultaneous)

struct locked { leat_ctx *parent, *child; };
static leat_err locked(struct locked *l)
{
    LEAT_TRY(wait_done(l->parent));
    leat_cancel(l->child, LEAT_CANCELED);
    return LEAT_OK;
}
static leat_err test_interlocked(void)
{
    for (int i = 0; i < place_turns(200); i++) {
        leat_err err = LEAT_OK;
        leat_with_cancel(parent)
            leat_with_cancel(child) {
                leat_group react = { { NULL } };
                LEAT_TRY(leat_go(&react, locked, (struct locked){ parent, child }));
                if (i % 2)
                    leat_yield();
                leat_cancel(parent, LEAT_CANCELED);
                CHECK_EQ(leat_sleep(LEAT_S(3600)), LEAT_CANCELED);
                err = leat_group_wait(&react);
            }
        CHECK(err == LEAT_OK || err == LEAT_CANCELED);
    }
    return LEAT_OK;
}
AT_TASK(TestInterlockedCancels, test_interlocked)

/* A random pile of contexts: a cancel or deadline anywhere in it reaches the top, and the values stay. */
struct layers { unsigned seed; bool timeout; int n, timers, cancels, values; leat_ctx *cancel[64]; const void *key[64]; };

static leat_err layers_top(struct layers *l)
{
    if (l->timeout) {
        CHECK_EQ(leat_sleep(LEAT_S(3600)), LEAT_DEADLINE);
    } else {
        CHECK_EQ(leat_ctx_err(), LEAT_OK);
        leat_cancel(l->cancel[rand_r(&l->seed) % l->cancels], LEAT_CANCELED);
        CHECK_EQ(leat_ctx_err(), LEAT_CANCELED);
    }
    for (int i = 0; i < l->values; i++)
        CHECK(leat_value(l->key[i]) == l->key[i]);
    return LEAT_OK;
}
static leat_err layers(struct layers *l)
{
    char here;
    if (l->n++ >= 30 && l->timers && l->cancels && l->values)
        return layers_top(l);
    leat_err e = LEAT_OK;
    switch (l->n > 60 ? l->n % 3 : rand_r(&l->seed) % 3) {
    case 0:
        l->key[l->values++] = &here;
        leat_with_value(&here, &here)
            e = layers(l);
        break;
    case 1:
        leat_with_cancel(ctx) {
            l->cancel[l->cancels++] = ctx;
            e = layers(l);
        }
        break;
    default:
        l->timers++;
        leat_with_deadline(l->timeout ? LEAT_MS(1) : LEAT_S(1000 * 3600))
            e = layers(l);
    }
    return e;
}
static leat_err many_layers(bool timeout)
{
    for (int i = 0; i < place_turns(20); i++) {
        struct layers l = { .seed = (unsigned)leat_now().ns, .timeout = timeout };
        LEAT_TRY(layers(&l));
    }
    return LEAT_OK;
}
static leat_err test_layers_cancel(void) { return many_layers(false); }
AT_TASK(TestLayersCancel, test_layers_cancel)
static leat_err test_layers_timeout(void) { return many_layers(true); }
AT_TASK(TestLayersTimeout, test_layers_timeout)

/* -- causes ------------------------------------------------------------------------------------------------------------------------- */
static leat_err test_canceled_parent(void)
{
    leat_with_cancel(parent) {
        leat_cancel(parent, LEAT_REFUSED);
        leat_with_cancel(child) {
            CHECK(done(child));
            CHECK_EQ(leat_ctx_err(), LEAT_CANCELED);
            CHECK_EQ(leat_ctx_cause(), LEAT_REFUSED);
        }
    }
    return LEAT_OK;
}
AT_TASK(TestWithCancelCanceledParent, test_canceled_parent)

struct canceller { leat_ctx *ctx; leat_waitgroup *done; };           /* done: before the context may end */
static leat_err cancel_refused(struct canceller *c)
{
    leat_cancel(c->ctx, LEAT_REFUSED);
    leat_waitgroup_done(c->done);
    return LEAT_OK;
}
static leat_err canceller_gone(leat_waitgroup *done)
{
    leat_with_shield(LEAT_S(600))
        return leat_waitgroup_wait(done);
    return LEAT_OK;
}
static leat_err test_canceled_meanwhile(void)
{
    leat_err err;
    leat_with_group(g, err)
        for (int i = 0; i < place_turns(100); i++)
            leat_with_cancel(parent) {
                leat_waitgroup gone = { { NULL } };
                leat_waitgroup_add(&gone, 1);
                LEAT_TRY(leat_go(&g, cancel_refused, (struct canceller){ parent, &gone }));
                leat_with_cancel(child) {
                    CHECK_EQ(leat_sleep(LEAT_S(3600)), LEAT_CANCELED);
                    CHECK(done(child));
                    CHECK_EQ(leat_ctx_cause(), LEAT_REFUSED);
                }
                LEAT_TRY(canceller_gone(&gone));
            }
    return err;
}
AT_TASK(TestWithCancelSimultaneouslyCanceledParent, test_canceled_meanwhile)

static void is(leat_err err, leat_err cause)
{
    CHECK_EQ(leat_ctx_err(), err);
    CHECK_EQ(leat_ctx_cause(), cause);
}
static const leat_err PARENT = LEAT_REFUSED, CHILD = LEAT_GONE, SLOW = LEAT_LIMIT;

static void causes_of_cancels(leat_err parent_first, leat_err child_first, leat_err child_then, leat_err parent_then)
{
    leat_with_cancel(parent)
        leat_with_cancel(child) {
            if (parent_first)
                leat_cancel(parent, parent_first);
            if (child_first)
                leat_cancel(child, child_first);
            if (child_then)
                leat_cancel(child, child_then);
            if (parent_then)
                leat_cancel(parent, parent_then);
            is(LEAT_CANCELED, parent_first ? parent_first : child_first);
        }
}
static void causes_of_deadlines(void)
{
    leat_with_deadline(LEAT_NS(0))
        is(LEAT_DEADLINE, LEAT_DEADLINE);
    leat_with_cancel(c)
        leat_with_deadline(LEAT_S(1000000)) {
            leat_cancel(c, LEAT_CANCELED);
            is(LEAT_CANCELED, LEAT_CANCELED);
        }
    leat_with_deadline_cause(LEAT_NS(0), SLOW)
        is(LEAT_DEADLINE, SLOW);
    leat_with_cancel(c)
        leat_with_deadline_cause(LEAT_S(1000000), SLOW) {
            is(LEAT_OK, LEAT_OK);
            leat_cancel(c, PARENT);
            is(LEAT_CANCELED, PARENT);
        }
    leat_with_deadline_cause(LEAT_NS(0), SLOW)
        leat_with_value(&done, "inside")
            leat_with_deadline(LEAT_S(1))
                is(LEAT_DEADLINE, SLOW);
}
static void causes_of_shields(void)
{
    leat_with_shield(LEAT_S(1000000))
        is(LEAT_OK, LEAT_OK);
    leat_with_cancel(c) {
        leat_cancel(c, PARENT);
        leat_with_shield(LEAT_S(1000000))
            is(LEAT_OK, LEAT_OK);
        is(LEAT_CANCELED, PARENT);
    }
    leat_with_deadline_cause(LEAT_NS(0), SLOW)
        leat_with_shield(LEAT_S(1000000))
            is(LEAT_OK, LEAT_OK);
}
static leat_err test_cause(void)
{
    is(LEAT_OK, LEAT_OK);
    causes_of_cancels(LEAT_CANCELED, LEAT_OK, LEAT_OK, LEAT_OK);
    causes_of_cancels(PARENT, LEAT_OK, LEAT_OK, LEAT_OK);
    causes_of_cancels(PARENT, CHILD, LEAT_OK, LEAT_OK);
    causes_of_cancels(LEAT_OK, CHILD, LEAT_OK, PARENT);
    causes_of_cancels(PARENT, LEAT_CANCELED, LEAT_OK, LEAT_OK);
    causes_of_cancels(LEAT_OK, LEAT_CANCELED, LEAT_OK, PARENT);
    causes_of_cancels(LEAT_CANCELED, CHILD, LEAT_OK, LEAT_OK);
    causes_of_cancels(LEAT_OK, CHILD, PARENT, LEAT_CANCELED);
    causes_of_deadlines();
    causes_of_shields();
    LEAT_TRY(cancel_reaches(PARENT, LEAT_OK));
    return cancel_reaches(CHILD, PARENT);            /* the first one counts, there too */
}
EVERYWHERE(TestCause, test_cause)

static leat_err test_cause_race(void)
{
    leat_err err;
    leat_with_group(g, err)
        for (int i = 0; i < place_turns(50); i++)
            leat_with_cancel(ctx) {
                leat_waitgroup gone = { { NULL } };
                leat_err cause;
                leat_waitgroup_add(&gone, 1);
                LEAT_TRY(leat_go(&g, cancel_refused, (struct canceller){ ctx, &gone }));
                while ((cause = leat_ctx_cause()) == LEAT_OK)
                    leat_yield();
                CHECK_EQ(cause, LEAT_REFUSED);
                LEAT_TRY(canceller_gone(&gone));
            }
    return err;
}
AT_TASK(TestCauseRace, test_cause_race)

static leat_err test_err_done_race(void)
{
    leat_err err;
    leat_with_group(g, err)
        for (int i = 0; i < place_turns(50); i++)
            leat_with_cancel(ctx) {
                leat_waitgroup gone = { { NULL } };
                leat_waitgroup_add(&gone, 1);
                LEAT_TRY(leat_go(&g, cancel_refused, (struct canceller){ ctx, &gone }));
                while (leat_ctx_err() == LEAT_OK)
                    leat_yield();
                CHECK(done(ctx));
                LEAT_TRY(canceller_gone(&gone));
            }
    return err;
}
AT_TASK(TestContextErrDoneRace, test_err_done_race)

static leat_err test_without_cancel(void)
{
    static char value[] = "value";
    leat_with_value(&k1, value)
        leat_with_deadline(LEAT_NS(0))
            leat_with_shield(LEAT_NS(INT64_MAX)) {
                CHECK_EQ(leat_ctx_err(), LEAT_OK);
                CHECK(leat_value(&k1) == value);
                LEAT_TRY(leat_sleep(LEAT_US(100)));
            }
    return LEAT_OK;
}
AT_TASK(TestWithoutCancel, test_without_cancel)

/* -- after-functions ------------------------------------------------------------------------------------------------------------- */
struct closing { leat_tx(struct num) out; leat_tx(int) ran; };       /* both are its own */
static leat_err closes_there(struct closing *c)
{
    leat_close(c->out);
    leat_unref(c->out);
    leat_close(c->ran);
    leat_unref(c->ran);
    return LEAT_OK;
}
/* On the other side: when what is cancelled here reaches it, its after-function closes the channel. */
static leat_err after_there(struct tells *t)
{
    leat_auto leat_chan(int) ran = leat_chan_make(int, 0);
    leat_after *a = NULL;
    LEAT_TRY(leat_after_func(&a, NULL, closes_there, (struct closing){ leat_ref(t->out), leat_ref(leat_tx_of(ran)) }));
    LEAT_TRY(say(t, -1));
    CHECK_EQ(leat_sleep(LEAT_S(3600)), LEAT_CANCELED);
    leat_with_shield(LEAT_S(600))
        LEAT_TRY(closed(leat_rx_of(ran)));
    CHECK(!leat_after_stop(a));
    leat_after_close(a);
    return LEAT_OK;
}
PLACE_TASK(after_there, tells)
static leat_err after_crosses(void)
{
    leat_auto leat_chan(struct num) c = leat_chan_make(struct num, 4);
    struct num x;
    leat_with_cancel(ctx) {
        leat_group g = { { NULL } };
        LEAT_TRY(place_go(&g, after_there, tells, { leat_ref(leat_tx_of(c)) }));
        LEAT_TRY(told(leat_rx_of(c), -1));
        CHECK_EQ(leat_try_recv(c, &x), LEAT_AGAIN);
        leat_cancel(ctx, LEAT_CANCELED);
        leat_with_shield(LEAT_S(600)) {
            CHECK_EQ(leat_recv(c, &x), LEAT_CLOSED);
            LEAT_TRY(leat_group_wait(&g));
        }
    }
    return LEAT_OK;
}

static leat_err test_after_cancel(void)
{
    leat_auto leat_chan(int) c = leat_chan_make(int, 0);
    leat_after *a = NULL;
    leat_with_cancel(ctx) {
        LEAT_TRY(leat_after_func(&a, ctx, close_it, leat_tx_of(c)));
        LEAT_TRY(leat_sleep(LEAT_MS(1)));
        int v;
        CHECK_EQ(leat_try_recv(c, &v), LEAT_AGAIN);
        leat_cancel(ctx, LEAT_CANCELED);
        leat_with_shield(LEAT_S(600))
            LEAT_TRY(closed(leat_rx_of(c)));
        CHECK(!leat_after_stop(a));
    }
    leat_after_close(a);
    return after_crosses();
}
EVERYWHERE(TestAfterFuncCalledAfterCancel, test_after_cancel)

static leat_err test_after_timeout(void)
{
    leat_auto leat_chan(int) c = leat_chan_make(int, 0);
    leat_after *a = NULL, *b = NULL;
    leat_with_deadline(LEAT_MS(1)) {
        LEAT_TRY(leat_after_func(&a, NULL, close_it, leat_tx_of(c)));
        leat_with_shield(LEAT_S(600))
            LEAT_TRY(closed(leat_rx_of(c)));
    }
    leat_after_close(a);
    leat_auto leat_chan(int) d = leat_chan_make(int, 0);
    leat_with_deadline(LEAT_MS(1))
        leat_with_cancel(ctx) {
            LEAT_TRY(leat_after_func(&b, ctx, close_it, leat_tx_of(d)));
            leat_with_shield(LEAT_S(600))
                LEAT_TRY(closed(leat_rx_of(d)));
        }
    leat_after_close(b);
    return LEAT_OK;
}
AT_TASK(TestAfterFuncCalledAfterTimeout, test_after_timeout)

static leat_err test_after_immediately(void)
{
    leat_auto leat_chan(int) c = leat_chan_make(int, 0);
    leat_after *a = NULL;
    leat_with_cancel(ctx) {
        leat_cancel(ctx, LEAT_CANCELED);
        LEAT_TRY(leat_after_func(&a, ctx, close_it, leat_tx_of(c)));
        leat_with_shield(LEAT_S(600))
            LEAT_TRY(closed(leat_rx_of(c)));
    }
    leat_after_close(a);
    return LEAT_OK;
}
AT_TASK(TestAfterFuncCalledImmediately, test_after_immediately)

static leat_err test_after_stopped(void)
{
    leat_auto leat_chan(int) c = leat_chan_make(int, 0);
    leat_after *a = NULL;
    int v;
    leat_with_cancel(ctx) {
        LEAT_TRY(leat_after_func(&a, ctx, close_it, leat_tx_of(c)));
        CHECK(leat_after_stop(a));
        leat_cancel(ctx, LEAT_CANCELED);
    }
    LEAT_TRY(leat_sleep(LEAT_MS(1)));
    CHECK_EQ(leat_try_recv(c, &v), LEAT_AGAIN);
    CHECK(!leat_after_stop(a));
    leat_after_close(a);
    return LEAT_OK;
}
AT_TASK(TestAfterFuncNotCalledAfterStop, test_after_stopped)

static leat_err send_it(leat_tx(int) *c) { return leat_send(*c, 1); }
static leat_err test_after_asynchronously(void)
{
    leat_auto leat_chan(int) c = leat_chan_make(int, 0);
    leat_after *a = NULL;
    int v;
    leat_with_cancel(ctx) {
        LEAT_TRY(leat_after_func(&a, ctx, send_it, leat_tx_of(c)));
        leat_cancel(ctx, LEAT_CANCELED);             /* does not wait for it, though it waits for us */
        leat_with_shield(LEAT_S(600))
            LEAT_TRY(leat_recv(c, &v));
    }
    leat_after_close(a);
    return LEAT_OK;
}
AT_TASK(TestAfterFuncCalledAsynchronously, test_after_asynchronously)

T_MAIN()
