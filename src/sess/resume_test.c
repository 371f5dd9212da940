/* resume_test.c - sessions that outlive their links.  Between two nodes stands a relay that breaks the link where the test says: after
 * any byte of either direction.  Whatever is sent arrives once and in order, and every call runs once. */
#include "base/alloc.h"
#include "pair.h"
#include "relay.h"
#include "run/sched.h"
#include "sess/impl.h"

/* -- a conversation ---------------------------------------------------------------------------------------------------------------- */
LEAT_STRUCT(num, (uint64, n));
LEAT_SERVICE(math, (twice, num, num));

enum { IN = 5, FIRM = 3, OUT = 4, CALLS = 3 };
static _Atomic uint32_t ran;
static leat_err twice(void *self, const struct num *in, struct num *out)
{
    (void)self;
    atomic_fetch_add(&ran, 1);
    out->n = 2 * in->n;
    return LEAT_OK;
}
static const struct math_impl math = { .twice = twice };

struct side { leat_chan(struct num) c; uint64_t n; };
static leat_err receive(struct side *s)              /* 1, 2, 3 ... n and then the close */
{
    struct num v;
    leat_err err;
    uint64_t next = 1;
    while ((err = leat_recv(s->c, &v)) == LEAT_OK)
        CHECK_EQ(v.n, next++);
    if (err != LEAT_CLOSED)
        fprintf(stderr, "# %s: %s\n", leat_err_name(err), leat_err_detail());
    CHECK_EQ(err, LEAT_CLOSED);
    CHECK_EQ(next, s->n + 1);
    return LEAT_OK;
}
static leat_err send_some(struct side *s)
{
    for (uint64_t i = 1; i <= s->n; i++)
        LEAT_TRY(leat_send(s->c, { .n = i }));
    leat_close(s->c);
    return LEAT_OK;
}
struct asks { leat_peer *p; uint64_t n; };
static leat_err ask(struct asks *a)
{
    for (uint64_t i = 1; i <= a->n; i++) {
        struct num in = { .n = i }, out = { 0 };
        LEAT_TRY(leat_call(a->p, math, twice, &in, &out));
        CHECK_EQ(out.n, 2 * i);
    }
    return LEAT_OK;
}

static leat_err talk(uint64_t times)
{
    leat_err err;
    leat_node *a = NULL, *b = NULL;
    leat_peer *p = NULL;
    leat_node_opts o = { .idle = LEAT_MS(50), .patience = LEAT_MS(50) };             /* the last ACK of all is missed no longer */
    CHECK_EQ(leat_node_open(&o, &a), LEAT_OK);
    CHECK_EQ(leat_node_open(&o, &b), LEAT_OK);
    leat_chan(struct num) in = leat_chan_make(struct num, 2), firm = leat_chan_make(struct num, 0), out = leat_chan_make(struct num, 1);
    leat_tx(struct num) in_there = NULL, firm_there = NULL;
    leat_rx(struct num) out_there = NULL;
    CHECK_EQ(leat_export(a, "in", leat_tx_of(in), num), LEAT_OK);
    CHECK_EQ(leat_export(a, "firm", leat_tx_of(firm), num), LEAT_OK);
    CHECK_EQ(leat_export(a, "out", leat_rx_of(out), num), LEAT_OK);
    CHECK_EQ(leat_serve(a, math, &math, NULL), LEAT_OK);
    CHECK_EQ(leat_node_listen(a, url), LEAT_OK);
    err = relay_dial(b, a, &p);
    if (err != LEAT_OK)
        fprintf(stderr, "# %s: %s\n", leat_err_name(err), leat_err_detail());
    CHECK_EQ(err, LEAT_OK);
    CHECK_EQ(leat_import(p, "in", &in_there, num, 2), LEAT_OK);
    CHECK_EQ(leat_import(p, "firm", &firm_there, num, 0), LEAT_OK);
    CHECK_EQ(leat_import(p, "out", &out_there, num, 1), LEAT_OK);
    leat_unexport(a, "in");
    leat_unexport(a, "firm");
    leat_unexport(a, "out");
    leat_with_group(g, err) {
        leat_chan(struct num) in_b = (void *)in_there, firm_b = (void *)firm_there, out_b = (void *)out_there;
        CHECK_EQ(leat_go(&g, receive, (struct side){ in, IN * times }), LEAT_OK);
        CHECK_EQ(leat_go(&g, receive, (struct side){ firm, FIRM * times }), LEAT_OK);
        CHECK_EQ(leat_go(&g, receive, (struct side){ out_b, OUT * times }), LEAT_OK);
        CHECK_EQ(leat_go(&g, send_some, (struct side){ in_b, IN * times }), LEAT_OK);
        CHECK_EQ(leat_go(&g, send_some, (struct side){ firm_b, FIRM * times }), LEAT_OK);
        CHECK_EQ(leat_go(&g, send_some, (struct side){ out, OUT * times }), LEAT_OK);
        CHECK_EQ(leat_go(&g, ask, (struct asks){ p, CALLS * times }), LEAT_OK);
    }
    if (err != LEAT_OK)
        fprintf(stderr, "# %s: %s\n", leat_err_name(err), leat_err_detail());
    CHECK_EQ(err, LEAT_OK);
    CHECK_EQ(at_load(&ran), CALLS * times);
    leat_unref(in_there);
    leat_unref(firm_there);
    leat_unref(out_there);
    leat_node_close(b);
    leat_node_close(a);
    leat_unref(in);
    leat_unref(firm);
    leat_unref(out);
    relay_close();
    return LEAT_OK;
}

/* -- every byte ---------------------------------------------------------------------------------------------------------------------- */
static uint64_t stride(void) { return getenv("T_QUICK") ? 7 : 1; }

static leat_err once(int64_t up, int64_t down)
{
    at_store(&ran, 0);
    at_store(&relay.left[UP], up);
    at_store(&relay.left[DOWN_], down);
    at_store(&relay.links, 0);
    at_store(&relay.cuts, 0);
    leat_err err = LEAT_OK;
    leat_with_deadline(LEAT_S(40))
        err = talk(1);
    return err;
}

static leat_err every_byte(leat_none *none)
{
    (void)none;
    uint64_t total[2], cuts = 0, runs = 0;
    CHECK_EQ(once(NEVER_CUT, NEVER_CUT), LEAT_OK);
    for (int way = 0; way < 2; way++)
        total[way] = at_load(&relay.passed[way]);
    for (int way = 0; way < 2; way++)
        for (uint64_t at = 0; at < total[way]; at += stride(), runs++) {
            CHECK_EQ(once(way == UP ? (int64_t)at : NEVER_CUT, way == DOWN_ ? (int64_t)at : NEVER_CUT), LEAT_OK);
            cuts += at_load(&relay.cuts) && at_load(&relay.links) > 1;
        }
    CHECK(runs > 1000 / stride());
    CHECK(cuts > runs * 8 / 10);                     /* a later run may need a few bytes less */
    return LEAT_OK;
}
TEST(a_link_that_breaks_after_any_byte_loses_nothing_and_doubles_nothing) { AT(INPROC, every_byte); }

/* The link that is made then breaks, too: after any byte of its hello, or of what is written once more. */
static leat_err every_byte_again(leat_none *none)
{
    enum { FAR = 360 };                              /* bytes: beyond a hello, and some frames */
    uint64_t runs = 0, cuts = 0, half;
    (void)none;
    CHECK_EQ(once(NEVER_CUT, NEVER_CUT), LEAT_OK);
    half = at_load(&relay.passed[UP]) / 2;
    for (int way = 0; way < 2; way++)
        for (uint32_t at = 0; at < FAR; at += (uint32_t)stride(), runs++) {
            at_store(&relay.then[way], at + 1);
            CHECK_EQ(once((int64_t)half, NEVER_CUT), LEAT_OK);
            at_store(&relay.then[way], 0);
            cuts += at_load(&relay.cuts) == 2 && at_load(&relay.links) > 2;
        }
    CHECK(cuts > runs * 8 / 10);
    return LEAT_OK;
}
TEST(a_link_that_breaks_again_after_any_byte_loses_nothing_and_doubles_nothing) { AT(INPROC, every_byte_again); }

/* -- again and again ------------------------------------------------------------------------------------------------------------------ */
static leat_err now_and_then(leat_none *none)
{
    (void)none;
    relay.every = 6000;
    at_store(&relay.left[UP], 3000);
    at_store(&relay.left[DOWN_], 2000);
    leat_with_deadline(LEAT_S(50))
        CHECK_EQ(talk(getenv("T_QUICK") ? 100 : 1000), LEAT_OK);
    CHECK(at_load(&relay.cuts) > 10);
    return LEAT_OK;
}
ANYWHERE(links_that_break_now_and_then_lose_nothing_and_double_nothing, now_and_then)

/* -- while there is no link ------------------------------------------------------------------------------------------------------------ */
static leat_err down(leat_none *none)
{
    (void)none;
    leat_node *a = NULL, *b = NULL;
    leat_peer *p = NULL;
    leat_tx(struct num) there = NULL;
    struct num in = { .n = 4 }, out = { 0 }, v;
    leat_auto leat_chan(struct num) c = leat_chan_make(struct num, 4);
    CHECK_EQ(leat_node_open(NULL, &a), LEAT_OK);
    CHECK_EQ(leat_node_open(NULL, &b), LEAT_OK);
    CHECK_EQ(leat_export(a, "c", leat_tx_of(c), num), LEAT_OK);
    CHECK_EQ(leat_serve(a, math, &math, NULL), LEAT_OK);
    CHECK_EQ(leat_node_listen(a, url), LEAT_OK);
    at_store(&relay.left[UP], NEVER_CUT);
    at_store(&relay.left[DOWN_], NEVER_CUT);
    CHECK_EQ(relay_dial(b, a, &p), LEAT_OK);
    CHECK_EQ(leat_import(p, "c", &there, num, 4), LEAT_OK);
    CHECK_EQ(leat_send(there, { .n = 1 }), LEAT_OK); /* and with its credit come more */
    CHECK_EQ(leat_flush(there), LEAT_OK);
    at_store(&relay.closed, 1);
    at_store(&relay.left[UP], 0);
    CHECK_EQ(leat_send(there, { .n = 2 }), LEAT_OK);
    struct sess *s = sess_of(p);
    while (at_load(&s->up))
        leat_yield();
    CHECK(!sess_ended(s));
    CHECK_EQ(leat_send(there, { .n = 3 }), LEAT_OK); /* it has a credit */
    leat_with_deadline(LEAT_MS(1))
        CHECK_EQ(leat_flush(there), LEAT_DEADLINE);
    lock(&s->out_lock);
    size_t before = s->data.len + s->ctl.len;
    unlock(&s->out_lock);
    for (int i = 0; i < 100; i++)
        leat_with_deadline(LEAT_MS(1))
            CHECK_EQ(leat_call(p, math, twice, &in, &out), LEAT_DEADLINE);           /* certainly not sent */
    for (int i = 0; i < 100; i++)
        leat_with_deadline(LEAT_MS(1))
            CHECK_EQ(leat_flush(there), LEAT_DEADLINE);
    lock(&s->out_lock);
    CHECK_EQ(s->data.len + s->ctl.len, before);
    unlock(&s->out_lock);
    at_store(&relay.closed, 0);
    CHECK_EQ(leat_call(p, math, twice, &in, &out), LEAT_OK);
    CHECK_EQ(out.n, 8);
    CHECK_EQ(leat_flush(there), LEAT_OK);
    CHECK_EQ(at_load(&ran), 1);
    for (uint64_t i = 1; i <= 3; i++) {
        CHECK_EQ(leat_recv(c, &v), LEAT_OK);
        CHECK_EQ(v.n, i);
    }
    leat_unref(there);
    leat_node_close(b);
    leat_node_close(a);
    relay_close();
    return LEAT_OK;
}
ANYWHERE(without_a_link_calls_and_flushes_wait_under_their_context_and_leave_nothing, down)

/* -- who only asks ------------------------------------------------------------------------------------------------------------------- */
enum { PATIENCE_S = 20 };                            /* within the grace */
struct asker { leat_node *a, *b; leat_chan(struct num) full, met; leat_tx(struct num) to_full, to_met; };

static leat_err meet(struct asker *x)
{
    struct num v;
    CHECK_EQ(leat_recv(x->met, &v), LEAT_OK);
    CHECK_EQ(v.n, 9);
    return LEAT_OK;
}

static bool receiver_waits(leat_chan_ *c)
{
    lock(&c->lock);
    bool waits = chan_receiver_waits_locked(c);
    unlock(&c->lock);
    return waits;
}

static struct asker asker_open(struct sess **ret)
{
    leat_node_opts o = { .grace = LEAT_S(100) };
    leat_peer *p = NULL;
    struct asker x = { .full = leat_chan_make(struct num, 1), .met = leat_chan_make(struct num, 0) };
    CHECK_EQ(leat_node_open(&o, &x.a), LEAT_OK);
    CHECK_EQ(leat_node_open(&o, &x.b), LEAT_OK);
    CHECK_EQ(leat_export(x.a, "full", leat_tx_of(x.full), num), LEAT_OK);
    CHECK_EQ(leat_export(x.a, "met", leat_tx_of(x.met), num), LEAT_OK);
    CHECK_EQ(leat_node_listen(x.a, url), LEAT_OK);
    at_store(&relay.left[UP], NEVER_CUT);
    at_store(&relay.left[DOWN_], NEVER_CUT);
    CHECK_EQ(leat_node_dial(x.b, relay_open(leat_node_url(x.a)), &p), LEAT_OK);
    CHECK_EQ(leat_import(p, "full", &x.to_full, num, 1), LEAT_OK);
    CHECK_EQ(leat_import(p, "met", &x.to_met, num, 0), LEAT_OK);
    CHECK_EQ(leat_send(x.to_full, { .n = 1 }), LEAT_OK);
    CHECK_EQ(leat_try_send(x.to_full, { .n = 2 }), LEAT_AGAIN);
    *ret = sess_of(p);
    return x;
}

static void asker_close(struct asker *x)
{
    leat_unref(x->to_full);
    leat_unref(x->to_met);
    leat_node_close(x->b);
    leat_node_close(x->a);
    leat_unref(x->full);
    leat_unref(x->met);
    relay_close();
}

/* Each way to ask is answered, by nobody, and leaves nothing to be sent later. */
static void ask_without_link(struct asker *x, struct sess *s)
{
    struct num v = { .n = 3 };
    leat_err err;
    lock(&s->out_lock);
    size_t before = s->data.len + s->ctl.len;
    unlock(&s->out_lock);
    for (int i = 0, other = 0; i < 10; i++, other = 0) {
        CHECK_EQ(leat_try_send(x->to_full, v), LEAT_AGAIN);
        CHECK_EQ(leat_try_send(x->to_met, v), LEAT_AGAIN);
        leat_select(err) {
            leat_on_send(x->to_full, &v) { other = 1; }
            leat_on_send(x->to_met, &v) { other = 2; }
            leat_otherwise { other = 3; }
        }
        CHECK_EQ(err, LEAT_OK);
        CHECK_EQ(other, 3);
    }
    lock(&s->out_lock);
    CHECK_EQ(s->data.len + s->ctl.len, before);
    unlock(&s->out_lock);
}

static leat_err asks_without_link(leat_none *none)
{
    struct sess *s;
    struct asker x = asker_open(&s);
    leat_err err;
    (void)none;
    leat_with_group(g, err) {
        LEAT_TRY(leat_go(&g, meet, x));
        while (!receiver_waits((void *)x.met))
            leat_yield();
        at_store(&relay.closed, 1);
        at_store(&relay.left[UP], 0);
        at_store(&relay.left[DOWN_], 0);
        leat_with_deadline(LEAT_S(PATIENCE_S)) {
            err = leat_try_send(x.to_full, { .n = 2 });      /* its way there or its answer's breaks the link: nothing is free */
            CHECK_EQ(err, LEAT_AGAIN);
            while (!sess_is_down(s))
                leat_yield();
            ask_without_link(&x, s);
        }
        at_store(&relay.left[UP], NEVER_CUT);
        at_store(&relay.left[DOWN_], NEVER_CUT);
        at_store(&relay.closed, 0);
        while ((err = leat_try_send(x.to_met, { .n = 9 })) == LEAT_AGAIN)
            leat_yield();
    }
    CHECK_EQ(err, LEAT_OK);
    asker_close(&x);
    return LEAT_OK;
}
ANYWHERE(without_a_link_who_only_asks_is_answered_at_once, asks_without_link)

/* -- no memory for a context, again and again: the reader stands where it did --------------------------------------------------- */
enum { REFUSED_TIMES = 30 };
static _Atomic(struct task *) refused_first;
static _Atomic uintptr_t stood, moved;
static _Atomic uint32_t refused;

static bool no_context(void *self, size_t bytes)
{
    struct task *me = task_self(), *none = NULL;
    char here;
    (void)self;
    if (bytes != sizeof(struct leat_ctx))
        return false;
    if (atomic_compare_exchange_strong(&refused_first, &none, me))
        at_store(&stood, (uintptr_t)&here);
    if (at_load(&refused_first) == me) {
        uintptr_t by = (uintptr_t)&here > at_load(&stood) ? (uintptr_t)&here - at_load(&stood) : at_load(&stood) - (uintptr_t)&here;
        at_store(&moved, MAX(by, at_load(&moved)));
        atomic_fetch_add(&refused, 1);
    }
    return true;
}

static leat_err no_contexts(leat_none *none)
{
    static const struct mem_hook hook = { no_context, NULL };
    struct pair x = pair_open();
    struct sess *s = sess_of(x.p);
    (void)none;
    __atomic_store_n(&mem_hook, &hook, __ATOMIC_RELAXED);
    while (at_load(&refused) < REFUSED_TIMES) {
        lock(&s->out_lock);
        if (s->link)                                 /* a context that was there already may have served to make one */
            link_shutdown(s->link);
        unlock(&s->out_lock);
        CHECK_EQ(leat_sleep(LEAT_MS(1)), LEAT_OK);
    }
    __atomic_store_n(&mem_hook, NULL, __ATOMIC_RELAXED);
    CHECK(at_load(&moved) < REFUSED_TIMES * 64);
    while (sess_is_down(s))
        CHECK_EQ(leat_sleep(LEAT_MS(1)), LEAT_OK);
    CHECK(!sess_ended(s));
    pair_close(&x);
    return LEAT_OK;
}
ANYWHERE(without_memory_to_wait_for_a_link_the_stack_does_not_grow, no_contexts)

T_MAIN()
