/* window_test.c - who asks does not send more than the peer takes: so many calls and tasks under way, and so many bytes of their
 * arguments. */
#include "pair.h"
#include "rpc/calls.h"

LEAT_STRUCT(num, (uint64, n));
LEAT_STRUCT(large, (bytes, b));
LEAT_SERVICE(slow, (wait, num, num), (swallow, large, num));

enum { TWO = 2, BYTES = 8 };                         /* of a struct num */
static _Atomic int inside, may_end;

static leat_err wait_on(void *self, const struct num *in, struct num *out)
{
    leat_err err = LEAT_OK;
    (void)self;
    out->n = in->n;
    int mine = atomic_fetch_add(&inside, 1);
    while (at_load(&may_end) <= mine && err == LEAT_OK)
        err = leat_sleep(LEAT_MS(1));
    return err;
}
static leat_err swallow(void *self, const struct large *in, struct num *out)
{
    (void)self;
    out->n = in->b.len;
    return LEAT_OK;
}
static const struct slow_impl slow = { .wait = wait_on, .swallow = swallow };

static leat_err wait_task(struct num *n) { struct num out; return wait_on(NULL, n, &out); }

struct asking { leat_peer *p; leat_dur at_most; bool by_task; _Atomic leat_err err; };
static leat_err ask(struct asking **arg)
{
    struct asking *a = *arg;
    struct num out;
    const struct num in = { 1 };
    leat_err err, sent = LEAT_OK;
    leat_with_deadline(a->at_most) {
        if (!a->by_task)
            at_store(&a->err, leat_call(a->p, slow, wait, &in, &out));
        leat_with_group(g, err)
            sent = a->by_task ? leat_go_on(&g, a->p, wait_task, num, { 1 }) : LEAT_OK;
        if (a->by_task)
            at_store(&a->err, sent == LEAT_OK ? err : sent);
    }
    return LEAT_OK;
}

/* t->room: somebody waits to open; how many are open. */
static bool waits(struct calls *t, uint32_t *opens)
{
    lock(&t->lock);
    bool some = at_load(&t->room.head) != NULL;
    *opens = t->opens;
    unlock(&t->lock);
    return some;
}

/* A peer that takes two of them, or the bytes of two. */
static struct pair narrow(bool of_bytes)
{
    struct pair x = pair_open();
    struct sess_limits *l = (struct sess_limits *)(uintptr_t)sess_limits(sess_of(x.p));
    at_store(&inside, 0);
    at_store(&may_end, 0);
    CHECK_EQ(leat_serve(x.a, slow, &slow, NULL), LEAT_OK);
    CHECK_EQ(leat_expose(x.a, wait_task, num), LEAT_OK);
    if (of_bytes)
        l->open_bytes = TWO * BYTES;
    else
        l->opens = TWO;
    return x;
}

static void begin(leat_group *g, struct asking *one, leat_peer *p, leat_dur at_most, bool by_task)
{
    *one = (struct asking){ .p = p, .at_most = at_most, .by_task = by_task, .err = LEAT_AGAIN };
    CHECK_EQ(leat_go(g, ask, one), LEAT_OK);
}

static void until_inside(int n)
{
    while (at_load(&inside) < n && leat_ctx_err() == LEAT_OK)
        leat_yield();
    CHECK_EQ(at_load(&inside), n);
}

static void window(bool of_bytes)
{
    struct pair x = narrow(of_bytes);
    struct asking all[TWO + 1];
    struct calls *t = calls_of(sess_of(x.p));
    uint32_t opens;
    leat_err err;
    leat_with_deadline(LEAT_S(40)) {
        leat_with_group(g, err) {
            for (int i = 0; i <= TWO; i++)
                begin(&g, &all[i], x.p, LEAT_S(40), i == 1);
            while (!waits(t, &opens) && leat_ctx_err() == LEAT_OK)
                leat_yield();
            CHECK_EQ(opens, TWO);
            until_inside(TWO);
            at_store(&may_end, 1);                   /* one ends, and the third goes */
            until_inside(TWO + 1);
            CHECK(!waits(t, &opens));
            CHECK_EQ(opens, TWO);
            at_store(&may_end, TWO + 1);
        }
        CHECK_EQ(err, LEAT_OK);
    }
    for (int i = 0; i <= TWO; i++)
        CHECK_EQ(at_load(&all[i].err), LEAT_OK);
    pair_close(&x);
}
static leat_err of_calls(leat_none *none) { (void)none; window(false); return LEAT_OK; }
static leat_err of_bytes(leat_none *none) { (void)none; window(true); return LEAT_OK; }
ANYWHERE(a_call_waits_while_as_many_are_under_way_as_the_peer_takes, of_calls)
ANYWHERE(a_call_waits_while_as_many_bytes_are_under_way_as_the_peer_takes, of_bytes)

/* Who waits for room has sent nothing: whatever ends its wait says so, and it never runs. */
static void given_up(bool by_task, bool lost)
{
    struct pair x = narrow(false);
    struct asking all[TWO], late;
    struct calls *t = calls_of(sess_of(x.p));
    uint32_t opens;
    leat_err err;
    leat_with_deadline(LEAT_S(40)) {
        leat_with_group(g, err) {
            for (int i = 0; i < TWO; i++)
                begin(&g, &all[i], x.p, LEAT_S(40), by_task);
            until_inside(TWO);
            begin(&g, &late, x.p, lost ? LEAT_S(30) : LEAT_MS(20), by_task);
            while (lost && !waits(t, &opens) && leat_ctx_err() == LEAT_OK)
                leat_yield();
            if (lost)
                sess_break(sess_of(x.p), LEAT_SYS, "the test ends it");
            while (!lost && at_load(&late.err) == LEAT_AGAIN)
                leat_yield();
            at_store(&may_end, TWO);
        }
        CHECK_EQ(err, LEAT_OK);
        CHECK_EQ(at_load(&late.err), lost ? LEAT_PEER_LOST : LEAT_DEADLINE);
        CHECK_EQ(at_load(&inside), TWO);
        for (int i = 0; i < TWO; i++)
            CHECK_EQ(at_load(&all[i].err), lost ? LEAT_UNKNOWN : LEAT_OK);
    }
    pair_close(&x);
}
static leat_err in_time(leat_none *none) { (void)none; given_up(false, false); given_up(true, false); return LEAT_OK; }
static leat_err lost(leat_none *none) { (void)none; given_up(false, true); given_up(true, true); return LEAT_OK; }
ANYWHERE(who_waits_until_its_peer_takes_more_obeys_its_deadline_and_has_not_run, in_time)
ANYWHERE(who_waits_until_its_peer_takes_more_is_told_when_that_is_lost_and_has_not_run, lost)

/* One after the other they are more bytes than may be under way: also at who answers, who breaks the session else. */
static leat_err in_sequence(leat_none *none)
{
    enum { SIZE = 15 << 20, N = LIMIT_SESS_OPEN_BYTES / SIZE + 2 };
    static const leat_method unknown = { "unknown", &large_type, &num_type, NULL };
    struct pair x = narrow(false);
    struct num out = { 0 };
    struct large in = { .b = { calloc(SIZE, 1), SIZE, 0 } };
    (void)none;
    CHECK(in.b.p != NULL);
    leat_with_deadline(LEAT_S(50)) {
        for (int i = 0; i < N; i++) {
            CHECK_EQ(leat_call(x.p, slow, swallow, &in, &out), LEAT_OK);
            CHECK_EQ(out.n, SIZE);
        }
        for (int i = 0; i < N; i++)
            CHECK_EQ(leat_call_(x.p, "slow", &unknown, &in, &out), LEAT_REFUSED);
        CHECK_EQ(leat_call(x.p, slow, swallow, &in, &out), LEAT_OK);
    }
    free((void *)(uintptr_t)in.b.p);
    pair_close(&x);
    return LEAT_OK;
}
ANYWHERE(what_has_been_answered_or_refused_counts_no_more_at_who_answers, in_sequence)

T_MAIN()
