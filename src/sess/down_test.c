/* down_test.c - every operation while its session has no link: what it says under a deadline, and after a cancel; that this is true once
 * there is a link again; and that those who gave up have left nothing behind. */
#include "relay.h"
#include "run/sched.h"
#include "sess/impl.h"

LEAT_STRUCT(num, (uint64, n));
LEAT_SERVICE(math, (twice, num, num));

static _Atomic uint32_t ran;
static leat_err twice(void *self, const struct num *in, struct num *out)
{
    (void)self;
    atomic_fetch_add(&ran, 1);
    out->n = 2 * in->n;
    return LEAT_OK;
}
static const struct math_impl math = { .twice = twice };
static leat_err task(struct num *in)
{
    (void)in;
    atomic_fetch_add(&ran, 1);
    return LEAT_OK;
}

/* Node b has dialed a.  At a are the receivers of roomy (credits are here), full (none are) and met (unbuffered); b receives from in. */
static struct world {
    leat_node *a, *b;
    leat_peer *p;
    struct sess *s;
    leat_chan(struct num) roomy, full, met, in_there;
    leat_tx(struct num) to_roomy, to_full, to_met;
    leat_rx(struct num) in;
    _Atomic uint64_t sent, number;                   /* to roomy, with OK; of the next value */
} w;

enum { ROOM = 64 };

/* -- the operations ------------------------------------------------------------------------------------------------------------------ */
static leat_err send_roomy(void)
{
    leat_err err = leat_send(w.to_roomy, { w.sent + 1 });
    w.sent += err == LEAT_OK;
    return err;
}
static leat_err send_full(void) { return leat_send(w.to_full, { ++w.number }); }
static leat_err send_met(void) { return leat_send(w.to_met, { ++w.number }); }
static leat_err try_full(void) { return leat_try_send(w.to_full, { ++w.number }); }
static leat_err try_met(void) { return leat_try_send(w.to_met, { ++w.number }); }
static leat_err receive(void) { struct num v; return leat_recv(w.in, &v); }
static leat_err try_receive(void) { struct num v; return leat_try_recv(w.in, &v); }
static leat_err flush(void) { return leat_flush(w.to_roomy); }
static leat_err flush_node(void) { return leat_node_flush(w.b, NULL); }
static leat_err wait_peer(void) { return leat_peer_wait(w.p); }
static leat_err call(void)
{
    struct num in = { 1 }, out;
    return leat_call(w.p, math, twice, &in, &out);
}
static leat_err remote(void)
{
    leat_err err, went = LEAT_OK;
    leat_with_group(g, err)
        went = leat_go_on(&g, w.p, task, num, { 1 });
    return went == LEAT_OK ? err : went;
}
static leat_err import(void)
{
    leat_tx(struct num) tx = NULL;
    leat_err err = leat_import(w.p, "roomy", &tx, num, 0);
    leat_unref(tx);
    return err;
}
static leat_err export(void)
{
    leat_err err = leat_export(w.b, "x", leat_tx_of(w.in_there), num);
    leat_unexport(w.b, "x");
    return err;
}
static leat_err select_sends(void)
{
    struct num v = { ++w.number };
    leat_err err;
    leat_select(err) {
        leat_on_send(w.to_full, &v) { err = LEAT_REMOTE; }
        leat_on_send(w.to_met, &v) { err = LEAT_REMOTE; }
        leat_on_recv(w.in, &v) { err = LEAT_REMOTE; }
    }
    return err;
}
static leat_err select_timer(void)
{
    struct num v = { ++w.number };
    leat_err err;
    leat_select(err) {
        leat_on_send(w.to_full, &v) { err = LEAT_REMOTE; }
        leat_on_send(w.to_met, &v) { err = LEAT_REMOTE; }
        leat_on_after(LEAT_MS(0)) { }
    }
    return err;
}
static leat_err select_roomy(void)
{
    struct num v = { w.sent + 1 };
    leat_err err;
    leat_select(err) {
        leat_on_send(w.to_full, &v) { err = LEAT_REMOTE; }
        leat_on_send(w.to_roomy, &v) { w.sent++; }
    }
    return err;
}
static leat_err select_otherwise(void)
{
    struct num v = { ++w.number };
    leat_err err;
    leat_select(err) {
        leat_on_send(w.to_full, &v) { err = LEAT_REMOTE; }
        leat_on_send(w.to_met, &v) { err = LEAT_REMOTE; }
        leat_otherwise { }
    }
    return err;
}

/* WAITS: under a deadline it is DEADLINE, after a cancel CANCELED; anything else is what it says at once.  leaves: something is to be
 * sent, for flushes one FLUSH. */
enum { WAITS = -1 };
static const struct { const char *name; leat_err (*fn)(void); int says; bool leaves; } ops[] = {
    { "a send with a credit", send_roomy, LEAT_OK, true }, { "a send without", send_full, WAITS, false },
    { "an unbuffered send", send_met, WAITS, false }, { "a try without a credit", try_full, LEAT_AGAIN, false },
    { "an unbuffered try", try_met, LEAT_AGAIN, false }, { "a receive", receive, WAITS, false },
    { "a try to receive", try_receive, LEAT_AGAIN, false }, { "a flush", flush, WAITS, true },
    { "a flush of the node", flush_node, WAITS, true }, { "a wait for the end", wait_peer, WAITS, false },
    { "a call", call, WAITS, false }, { "a remote task", remote, WAITS, false }, { "an import", import, WAITS, false },
    { "an export", export, LEAT_OK, false }, { "a select", select_sends, WAITS, false },
    { "a select with a timer", select_timer, LEAT_OK, false }, { "a select with a credit", select_roomy, LEAT_OK, true },
    { "a select with otherwise", select_otherwise, LEAT_OK, false },
};

static size_t queued(void)
{
    lock(&w.s->out_lock);
    size_t n = w.s->data.len + w.s->ctl.len;
    unlock(&w.s->out_lock);
    return n;
}

static leat_err run_one(size_t *i)
{
    size_t before = queued();
    leat_err err = LEAT_OK, want = ops[*i].says == WAITS ? LEAT_DEADLINE : (leat_err)ops[*i].says;
    leat_with_deadline(LEAT_MS(3))
        err = ops[*i].fn();
    if (err != want)
        fprintf(stderr, "# %s: %s: %s\n", ops[*i].name, leat_err_name(err), leat_err_detail());
    CHECK_EQ(err, want);
    CHECK(ops[*i].leaves || queued() == before);
    return LEAT_OK;
}

struct run { size_t i; leat_err err; };
static leat_err until_cancel(struct run **r)
{
    (*r)->err = ops[(*r)->i].fn();
    return LEAT_OK;
}

static leat_err cancel_one(size_t i)
{
    size_t before = queued();
    struct run r = { .i = i };
    bool waits = ops[i].says == WAITS;
    leat_err err, want = waits ? LEAT_CANCELED : (leat_err)ops[i].says;
    leat_with_group(g, err) {
        LEAT_TRY(leat_go(&g, until_cancel, &r));
        LEAT_TRY(leat_sleep(LEAT_MS(3)));
        leat_group_cancel(&g);
    }
    if (r.err != want)
        fprintf(stderr, "# %s: %s: %s\n", ops[i].name, leat_err_name(r.err), leat_err_detail());
    CHECK_EQ(r.err, want);
    CHECK(ops[i].leaves || queued() == before);
    return LEAT_OK;
}

/* -- the world ----------------------------------------------------------------------------------------------------------------------- */
static void open_world(leat_dur grace)
{
    leat_node_opts o = { .grace = grace };
    w = (struct world){ .roomy = leat_chan_make(struct num, ROOM), .full = leat_chan_make(struct num, 1),
        .met = leat_chan_make(struct num, 0), .in_there = leat_chan_make(struct num, 4) };
    CHECK_EQ(leat_node_open(&o, &w.a), LEAT_OK);
    CHECK_EQ(leat_node_open(&o, &w.b), LEAT_OK);
    CHECK_EQ(leat_export(w.a, "roomy", leat_tx_of(w.roomy), num), LEAT_OK);
    CHECK_EQ(leat_export(w.a, "full", leat_tx_of(w.full), num), LEAT_OK);
    CHECK_EQ(leat_export(w.a, "met", leat_tx_of(w.met), num), LEAT_OK);
    CHECK_EQ(leat_export(w.a, "in", leat_rx_of(w.in_there), num), LEAT_OK);
    CHECK_EQ(leat_serve(w.a, math, &math, NULL), LEAT_OK);
    CHECK_EQ(leat_expose(w.a, task, num), LEAT_OK);
    CHECK_EQ(leat_node_listen(w.a, url), LEAT_OK);
    relay_heal();
    CHECK_EQ(leat_node_dial(w.b, relay_open(leat_node_url(w.a)), &w.p), LEAT_OK);
    CHECK_EQ(leat_import(w.p, "roomy", &w.to_roomy, num, 0), LEAT_OK);
    CHECK_EQ(leat_import(w.p, "full", &w.to_full, num, 0), LEAT_OK);
    CHECK_EQ(leat_import(w.p, "met", &w.to_met, num, 0), LEAT_OK);
    CHECK_EQ(leat_import(w.p, "in", &w.in, num, 0), LEAT_OK);
    CHECK_EQ(leat_send(w.to_full, { 0 }), LEAT_OK);
    while (w.sent < ROOM / 2)                        /* the credits that it then has are as many */
        CHECK_EQ(send_roomy(), LEAT_OK);
    CHECK_EQ(leat_flush(w.to_roomy), LEAT_OK);
    for (uint64_t i = 1; i <= ROOM / 2; i++) {
        struct num v;
        CHECK_EQ(leat_recv(w.roomy, &v), LEAT_OK);
        CHECK_EQ(v.n, i);
    }
    CHECK_EQ(leat_flush(w.to_roomy), LEAT_OK);
    w.s = sess_of(w.p);
}

/* What was told is what has happened. */
static void hold_true(void)
{
    struct num v;
    CHECK_EQ(leat_flush(w.to_roomy), LEAT_OK);
    for (uint64_t i = ROOM / 2 + 1; i <= w.sent; i++) {
        CHECK_EQ(leat_recv(w.roomy, &v), LEAT_OK);
        CHECK_EQ(v.n, i);
    }
    CHECK_EQ(call(), LEAT_OK);
    CHECK_EQ(at_load(&ran), 1);                      /* none of those that were given up */
    CHECK_EQ(leat_recv(w.full, &v), LEAT_OK);
    CHECK_EQ(v.n, 0);
    CHECK_EQ(leat_send(w.to_full, { 77 }), LEAT_OK);
    CHECK_EQ(leat_recv(w.full, &v), LEAT_OK);
    CHECK_EQ(v.n, 77);                               /* nor any of these sends */
    CHECK_EQ(leat_try_recv(w.roomy, &v), LEAT_AGAIN);
    CHECK_EQ(leat_try_recv(w.met, &v), LEAT_AGAIN);
    CHECK_EQ(import(), LEAT_OK);
}

static void close_world(void)
{
    leat_unref(w.to_roomy);
    leat_unref(w.to_full);
    leat_unref(w.to_met);
    leat_unref(w.in);
    leat_node_close(w.b);
    leat_node_close(w.a);
    leat_unref(w.roomy);
    leat_unref(w.full);
    leat_unref(w.met);
    leat_unref(w.in_there);
    relay_close();
}

static leat_err each(leat_none *none)
{
    (void)none;
    open_world(LEAT_S(100));
    relay_cut();
    while (!sess_is_down(w.s))
        leat_yield();
    for (size_t i = 0; i < ARRAY_LEN(ops); i++) {
        CHECK_EQ(run_one(&i), LEAT_OK);
        CHECK_EQ(cancel_one(i), LEAT_OK);
    }
    relay_heal();
    hold_true();
    close_world();
    return LEAT_OK;
}
ANYWHERE(without_a_link_every_operation_says_what_is_true, each)

/* What began before the link broke waits for the next one, and is then as if nothing had been. */
static leat_err all_wait(leat_none *none)
{
    static const size_t waits[] = { 7, 8, 10, 11, 12 };      /* both flushes, a call, a remote task, an import */
    struct run r[ARRAY_LEN(waits)];
    leat_err err;
    (void)none;
    open_world(LEAT_S(100));
    relay_cut();
    while (!sess_is_down(w.s))
        leat_yield();
    CHECK_EQ(send_roomy(), LEAT_OK);
    leat_with_group(g, err) {
        for (size_t i = 0; i < ARRAY_LEN(waits); i++) {
            r[i] = (struct run){ .i = waits[i], .err = LEAT_REMOTE };
            struct run *p = &r[i];
            LEAT_TRY(leat_go(&g, until_cancel, p));
        }
        LEAT_TRY(leat_sleep(LEAT_MS(5)));
        relay_heal();
    }
    for (size_t i = 0; i < ARRAY_LEN(waits); i++)
        CHECK_EQ(r[i].err, LEAT_OK);
    CHECK_EQ(at_load(&ran), 2);
    at_store(&ran, 0);
    hold_true();
    close_world();
    return LEAT_OK;
}
ANYWHERE(what_waits_for_a_link_goes_on_when_there_is_one, all_wait)

/* -- the end of the session ------------------------------------------------------------------------------------------------------- */
struct told { size_t i; leat_err err; char detail[256]; };
static leat_err until_end(struct told **t)
{
    (*t)->err = ops[(*t)->i].fn();
    snprintf((*t)->detail, sizeof (*t)->detail, "%s", leat_err_detail());
    return LEAT_OK;
}

/* Its name is there, and not twice in a row; of what asks all peers, how many. */
static bool names(const char *detail, const char *name)
{
    char twice[256];
    snprintf(twice, sizeof twice, "%s: %s: ", name, name);
    return (strstr(detail, name) && !strstr(detail, twice)) || strstr(detail, " peers");
}

/* What waits for an answer when the session ends, and what comes after. */
static void end_all(bool by_link)
{
    struct told t[2 * ARRAY_LEN(ops)];
    leat_err err;
    bool all = true;
    open_world(by_link ? LEAT_S(-1) : LEAT_S(100));
    at_store(&relay.held, 1);
    leat_with_group(g, err) {
        for (size_t i = 0; i < ARRAY_LEN(ops) && err == LEAT_OK; i++) {
            struct told *p = &t[i];
            *p = (struct told){ .i = i };
            err = leat_go(&g, until_end, p);
        }
        leat_ignore(leat_sleep(LEAT_MS(5)));
        if (by_link)
            relay_cut();
        else
            sess_break(w.s, LEAT_INVAL, "the test ends it");
    }
    CHECK_EQ(err, LEAT_OK);
    for (size_t i = 0; i < ARRAY_LEN(ops); i++) {
        struct told *p = &t[ARRAY_LEN(ops) + i];
        *p = (struct told){ .i = i };
        CHECK_EQ(until_end(&p), LEAT_OK);
    }
    for (size_t i = 0; i < ARRAY_LEN(t); i++) {
        if (t[i].err == LEAT_OK || t[i].err == LEAT_AGAIN || names(t[i].detail, sess_text(w.s)))
            continue;
        fprintf(stderr, "# %s, %s the end: %s: %s\n", ops[t[i].i].name, i < ARRAY_LEN(ops) ? "before" : "after",
            leat_err_name(t[i].err), t[i].detail);
        all = false;
    }
    CHECK(all);
    at_store(&relay.held, 0);
    leat_with_deadline(LEAT_MS(0))                   /* its last word may be lost: the other side would wait for another link */
        close_world();
}

static leat_err named(leat_none *none)
{
    (void)none;
    end_all(false);
    end_all(true);
    return LEAT_OK;
}
ANYWHERE(what_the_end_of_a_session_ends_says_with_whom_it_was, named)

/* -- imports that nobody answers ------------------------------------------------------------------------------------------------------- */
static leat_err unanswered(leat_none *none)
{
    (void)none;
    leat_err err = LEAT_OK;
    open_world(LEAT_S(100));
    at_store(&relay.held, 1);
    leat_with_cancel(ctx) {
        leat_cancel(ctx, LEAT_CANCELED);
        for (int i = 0; i < LIMIT_SESS_IMPORTS; i++)
            CHECK_EQ(import(), LEAT_CANCELED);
        err = import();
        CHECK_EQ(err, LEAT_LIMIT);
        CHECK_HAS(leat_err_detail(), "has not answered 1024 imports before");
    }
    at_store(&relay.held, 0);
    while ((err = import()) == LEAT_LIMIT)
        leat_yield();
    CHECK_EQ(err, LEAT_OK);
    close_world();
    return LEAT_OK;
}
ANYWHERE(imports_that_are_given_up_and_not_answered_have_a_limit, unanswered)

T_MAIN()
