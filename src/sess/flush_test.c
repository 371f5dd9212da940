/* flush_test.c - leat_node_flush, and what leat_node_close and leat_peer_close say of what was sent. */
#include "base/alloc.h"
#include "relay.h"
#include "sess/impl.h"
#include "far.h"

LEAT_STRUCT(blob, (bytes, b));
LEAT_SERVICE(slow, (wait, num, num), (held, num, num));

enum { MANY = 100, CAP = 1000, SOME = 5 };

static leat_err wait_on(void *self, const struct num *in, struct num *out)
{
    (void)self;
    (void)in;
    (void)out;
    return leat_sleep(LEAT_S(3600));
}
static _Atomic uint32_t inside, released;
static leat_err held_on(void *self, const struct num *in, struct num *out)
{
    leat_err err = LEAT_OK;
    (void)self;
    *out = *in;
    at_store(&inside, 1);
    while (!at_load(&released) && err == LEAT_OK)
        err = leat_sleep(LEAT_MS(1));
    return err;
}
static const struct slow_impl slow = { .wait = wait_on, .held = held_on };

/* Node b has dialed a, and sends to a channel of a. */
struct link_of { leat_node *a, *b; leat_peer *p; leat_chan(struct num) c; leat_tx(struct num) tx; };

static struct link_of open_at(const char *to_dial, leat_node *a, size_t capacity)
{
    struct link_of x = { .a = a, .c = leat_chan_make(struct num, capacity) };
    CHECK_EQ(leat_node_open(&(leat_node_opts){ .name = "node b" }, &x.b), LEAT_OK);
    CHECK_EQ(leat_export(a, "c", leat_tx_of(x.c), num), LEAT_OK);
    CHECK_EQ(leat_node_dial(x.b, to_dial, &x.p), LEAT_OK);
    CHECK_EQ(leat_import(x.p, "c", &x.tx, num, 0), LEAT_OK);
    return x;
}

static struct link_of open_pair(size_t capacity)
{
    leat_node *a = NULL;
    CHECK_EQ(leat_node_open(&(leat_node_opts){ .name = "node a" }, &a), LEAT_OK);
    CHECK_EQ(leat_serve(a, slow, &slow, NULL), LEAT_OK);
    CHECK_EQ(leat_node_listen(a, url), LEAT_OK);
    return open_at(leat_node_url(a), a, capacity);
}

static void close_rest(struct link_of *x)
{
    CHECK_EQ(leat_node_close(x->a), LEAT_OK);
    leat_unref(x->tx);
    leat_unref(x->c);
}

static void send(leat_tx(struct num) to, uint64_t n)
{
    for (uint64_t i = 1; i <= n; i++)
        CHECK_EQ(leat_send(to, { i }), LEAT_OK);
}

static void none_in_doubt(const leat_doubt *d)
{
    CHECK_EQ(d->elements, 0);
    CHECK_EQ(d->calls, 0);
    CHECK_EQ(d->peers, 0);
}

/* -- what arrives ---------------------------------------------------------------------------------------------------------------- */
static leat_err arrives(leat_none *none)
{
    (void)none;
    struct link_of x = open_pair(CAP);
    leat_doubt d = { 7, 7, 7 };
    CHECK_EQ(leat_node_flush(x.b, &d), LEAT_OK);     /* nothing was sent */
    none_in_doubt(&d);
    for (int i = 1; i <= 5; i++) {
        send(x.tx, MANY);
        CHECK_EQ(leat_node_flush(x.b, &d), LEAT_OK);
        none_in_doubt(&d);
        CHECK_EQ(leat_len(x.c), (size_t)MANY * i);
    }
    CHECK_EQ(leat_node_flush(x.a, NULL), LEAT_OK);
    CHECK_EQ(leat_node_flush(NULL, NULL), LEAT_INVAL);
    leat_close(x.tx);                                /* a close arrives, too */
    CHECK_EQ(leat_node_flush(x.b, &d), LEAT_OK);
    for (int i = 1; i <= 5 * MANY; i++) {
        struct num v;
        CHECK_EQ(leat_recv(x.c, &v), LEAT_OK);
    }
    struct num v;
    CHECK_EQ(leat_recv(x.c, &v), LEAT_CLOSED);
    CHECK_EQ(leat_node_close(x.b), LEAT_OK);
    close_rest(&x);
    return LEAT_OK;
}
ANYWHERE(a_flush_of_a_node_waits_until_its_peers_have_what_was_sent, arrives)

static leat_err close_sends_all(leat_none *none)
{
    enum { LARGE = 200 << 10, BLOBS = 40 };          /* more than may be under way at a time */
    (void)none;
    struct pair x = pair_open();
    leat_chan(struct blob) c = leat_chan_make(struct blob, BLOBS);
    leat_tx(struct blob) tx = NULL;
    static uint8_t bytes[LARGE];
    CHECK_EQ(leat_export(x.a, "c", leat_tx_of(c), blob), LEAT_OK);
    CHECK_EQ(leat_import(x.p, "c", &tx, blob, 0), LEAT_OK);
    for (int i = 0; i < BLOBS; i++)
        CHECK_EQ(leat_send(tx, { .b = { bytes, LARGE, 0 } }), LEAT_OK);
    CHECK_EQ(leat_node_close(x.b), LEAT_OK);
    CHECK_EQ(leat_len(c), BLOBS);
    leat_unref(tx);
    CHECK_EQ(leat_node_close(x.a), LEAT_OK);
    leat_unref(c);
    return LEAT_OK;
}
ANYWHERE(a_close_that_says_ok_has_sent_all, close_sends_all)

/* -- what does not --------------------------------------------------------------------------------------------------------------- */
static void lose(struct link_of *x)
{
    sess_break(sess_of(x->p), LEAT_CANCELED, "the test wants it so");
    CHECK_EQ(leat_peer_wait(x->p), LEAT_PEER_LOST);
}

static leat_err counted_once(leat_none *none)
{
    (void)none;
    struct link_of x = open_pair(CAP);
    leat_doubt d;
    send(x.tx, MANY);
    CHECK_EQ(leat_node_flush(x.b, NULL), LEAT_OK);
    send(x.tx, SOME);
    lose(&x);
    CHECK_EQ(leat_node_flush(x.b, &d), LEAT_UNKNOWN);
    CHECK_EQ(leat_err_why(), LEAT_PEER_LOST);
    CHECK_HAS(leat_err_detail(), "5 elements may be missing, 0 calls");
    CHECK_EQ(d.elements, SOME);
    CHECK_EQ(d.calls, 0);
    CHECK_EQ(d.peers, 1);
    CHECK_EQ(leat_node_flush(x.b, &d), LEAT_OK);     /* it was told */
    none_in_doubt(&d);
    CHECK_EQ(leat_peer_close(x.p), LEAT_OK);
    CHECK_EQ(leat_node_close(x.b), LEAT_OK);
    close_rest(&x);
    return LEAT_OK;
}
ANYWHERE(a_flush_tells_once_what_a_lost_peer_may_not_have, counted_once)

static leat_err by_close(leat_none *none)
{
    (void)none;
    for (int peer_too = 0; peer_too < 2; peer_too++) {
        struct link_of x = open_pair(CAP);
        send(x.tx, SOME);
        leat_unref(x.tx);                            /* who lets go of its end does not let go of the doubt */
        x.tx = NULL;
        lose(&x);
        if (peer_too) {
            CHECK_EQ(leat_peer_close(x.p), LEAT_UNKNOWN);
            CHECK_HAS(leat_err_detail(), "5 elements");
        }
        CHECK_EQ(leat_node_close(x.b), peer_too ? LEAT_OK : LEAT_UNKNOWN);
        if (!peer_too) {
            CHECK_HAS(leat_err_detail(), "5 elements");
            CHECK_EQ(leat_err_why(), LEAT_PEER_LOST);
        }
        close_rest(&x);
    }
    return LEAT_OK;
}
ANYWHERE(a_close_tells_what_a_lost_peer_may_not_have, by_close)

static leat_err ends_that_went(leat_none *none)
{
    (void)none;
    struct link_of x = open_pair(CAP);
    leat_doubt d;
    for (int i = 1; i <= 4; i++) {                   /* ends that come and go: what has arrived is in no doubt */
        leat_tx(struct num) more = NULL;
        CHECK_EQ(leat_import(x.p, "c", &more, num, 0), LEAT_OK);
        send(more, SOME);
        leat_unref(more);
        if (i == 2)
            CHECK_EQ(leat_node_flush(x.b, NULL), LEAT_OK);
    }
    lose(&x);
    CHECK_EQ(leat_node_flush(x.b, &d), LEAT_UNKNOWN);
    CHECK(d.elements >= SOME && d.elements <= 2 * SOME);            /* of the last one; perhaps of the one before */
    CHECK_EQ(leat_node_close(x.b), LEAT_OK);
    close_rest(&x);
    return LEAT_OK;
}
ANYWHERE(what_arrived_before_a_flush_is_in_no_doubt_when_its_end_has_gone, ends_that_went)

struct asks { leat_peer *p; };
static leat_err ask(struct asks *a)
{
    struct num in = { 1 }, out;
    CHECK_EQ(leat_call(a->p, slow, wait, &in, &out), LEAT_UNKNOWN);
    return LEAT_OK;
}

static leat_err calls(leat_none *none)
{
    (void)none;
    struct link_of x = open_pair(CAP);
    leat_doubt d;
    leat_err err;
    leat_with_group(g, err) {
        for (int i = 0; i < 3; i++)
            LEAT_TRY(leat_go(&g, ask, (struct asks){ x.p }));
        while (at_load(&sess_of(x.p)->sent) < 4)     /* ATTACH and three OPEN */
            leat_yield();
        CHECK_EQ(leat_node_flush(x.b, &d), LEAT_OK); /* they have arrived; who asked waits for the answers */
        none_in_doubt(&d);
        lose(&x);
    }
    CHECK_EQ(err, LEAT_OK);
    CHECK_EQ(leat_node_flush(x.b, &d), LEAT_UNKNOWN);
    CHECK_EQ(d.calls, 3);
    CHECK_EQ(leat_node_close(x.b), LEAT_OK);
    close_rest(&x);
    return LEAT_OK;
}
ANYWHERE(a_flush_counts_the_calls_that_nobody_answered, calls)

/* -- what failed before ---------------------------------------------------------------------------------------------------------- */
static leat_err fails_in_scope(bool unknown)
{
    leat_auto_node leat_node *own = NULL;
    struct link_of x = open_pair(CAP);
    own = x.b;                                       /* closed at the end of this scope, whatever that says */
    if (unknown) {
        send(x.tx, SOME);
        lose(&x);
    }
    CHECK_EQ(leat_peer_close(x.p), unknown ? LEAT_UNKNOWN : LEAT_OK);
    leat_err e = leat_fail(LEAT_INVAL, "what went wrong");
    CHECK_EQ(leat_node_close(x.a), LEAT_OK);
    CHECK_HAS(leat_err_detail(), "what went wrong");
    leat_unref(x.tx);
    leat_unref(x.c);
    return e;
}

static leat_err keeps_details(leat_none *none)
{
    (void)none;
    for (int unknown = 0; unknown < 2; unknown++) {
        CHECK_EQ(fails_in_scope(unknown), LEAT_INVAL);
        CHECK_HAS(leat_err_detail(), "what went wrong");
    }
    return LEAT_OK;
}
ANYWHERE(a_close_that_goes_well_keeps_the_detail_of_what_failed_before, keeps_details)

/* -- without a link -------------------------------------------------------------------------------------------------------------- */
static struct link_of open_behind_relay(leat_node **a)
{
    CHECK_EQ(leat_node_open(&(leat_node_opts){ .name = "node a" }, a), LEAT_OK);
    CHECK_EQ(leat_node_listen(*a, url), LEAT_OK);
    relay_heal();
    struct link_of x = open_at(relay_open(leat_node_url(*a)), *a, CAP);
    send(x.tx, MANY);
    CHECK_EQ(leat_node_flush(x.b, NULL), LEAT_OK);
    relay_cut();
    while (!sess_is_down(sess_of(x.p)))
        leat_yield();
    send(x.tx, SOME);
    return x;
}

static leat_err gives_up(leat_none *none)
{
    (void)none;
    leat_node *a = NULL;
    struct link_of x = open_behind_relay(&a);
    leat_doubt d;
    leat_with_deadline(LEAT_MS(1)) {
        CHECK_EQ(leat_node_flush(x.b, &d), LEAT_DEADLINE);
        CHECK_HAS(leat_err_detail(), "5 elements for 1 peers are not known to have arrived yet");
    }
    CHECK_EQ(d.elements, SOME);
    CHECK_EQ(d.peers, 1);
    leat_with_cancel(ctx) {
        leat_cancel(ctx, LEAT_CANCELED);
        CHECK_EQ(leat_node_flush(x.b, &d), LEAT_CANCELED);
    }
    relay_heal();
    CHECK_EQ(leat_node_flush(x.b, &d), LEAT_OK);     /* they were late, and not lost */
    none_in_doubt(&d);
    CHECK_EQ(leat_len(x.c), MANY + SOME);
    CHECK_EQ(leat_node_close(x.b), LEAT_OK);
    close_rest(&x);
    relay_close();
    return LEAT_OK;
}
ANYWHERE(a_flush_of_a_node_obeys_its_context_and_may_be_asked_again, gives_up)

static leat_err closes_without_link(leat_none *none)
{
    (void)none;
    leat_node *a = NULL;
    struct link_of x = open_behind_relay(&a);
    leat_with_deadline(LEAT_MS(1)) {
        CHECK_EQ(leat_node_close(x.b), LEAT_UNKNOWN);
        CHECK_EQ(leat_err_why(), LEAT_DEADLINE);
        CHECK_HAS(leat_err_detail(), "5 elements may be missing");
    }
    leat_with_deadline(LEAT_MS(1)) {                 /* its session is in its grace */
        leat_err err = leat_node_close(a);
        CHECK(err == LEAT_OK || err == LEAT_UNKNOWN);
    }
    leat_unref(x.tx);
    leat_unref(x.c);
    relay_close();
    return LEAT_OK;
}
ANYWHERE(a_close_that_is_cut_short_tells_what_may_not_have_arrived, closes_without_link)

/* A close that is not written yet, as there is no link. */
static leat_err waits_for_close(leat_none *none)
{
    (void)none;
    leat_node *a = NULL;
    struct link_of x = open_behind_relay(&a);
    leat_err err = LEAT_OK;
    relay_heal();
    CHECK_EQ(leat_node_flush(x.b, NULL), LEAT_OK);
    relay_cut();
    while (!sess_is_down(sess_of(x.p)))
        leat_yield();
    leat_close(x.tx);
    leat_with_deadline(LEAT_MS(1))
        err = leat_node_flush(x.b, NULL);
    CHECK_EQ(err, LEAT_DEADLINE);
    relay_heal();
    CHECK_EQ(leat_node_flush(x.b, NULL), LEAT_OK);
    CHECK_EQ(leat_try_send(x.c, { 1 }), LEAT_CLOSED);                /* the home has it */
    CHECK_EQ(leat_node_close(x.b), LEAT_OK);
    close_rest(&x);
    relay_close();
    return LEAT_OK;
}
ANYWHERE(a_flush_of_a_node_waits_for_closes, waits_for_close)

struct wants { leat_peer *p; bool held; };
static leat_err want(struct wants *w)
{
    struct num in = { 1 }, out = { 0 };
    if (w->held)
        return leat_call(w->p, slow, held, &in, &out);
    CHECK_EQ(leat_call(w->p, slow, wait, &in, &out), LEAT_UNKNOWN);
    return LEAT_OK;
}

/* A frame of n has been written, which nobody has read: a flush waits for it. */
static void not_there_yet(leat_node *n, const struct sess *s, uint64_t before)
{
    leat_err err = LEAT_OK;
    while (at_load(&s->sent) == before)
        leat_ignore(leat_sleep(LEAT_MS(1)));
    leat_with_deadline(LEAT_MS(10))
        err = leat_node_flush(n, NULL);
    CHECK_EQ(err, LEAT_DEADLINE);
    at_store(&relay.held, 0);
    CHECK_EQ(leat_node_flush(n, NULL), LEAT_OK);
}

static leat_err waits_for_calls(leat_none *none)
{
    (void)none;
    leat_node *a = NULL;
    struct link_of x = open_behind_relay(&a);
    leat_err err;
    relay_heal();
    CHECK_EQ(leat_serve(a, slow, &slow, NULL), LEAT_OK);
    leat_with_group(g, err) {
        LEAT_TRY(leat_go(&g, want, (struct wants){ x.p, true }));
        while (!at_load(&inside))
            LEAT_TRY(leat_sleep(LEAT_MS(1)));
        CHECK_EQ(leat_node_flush(x.b, NULL), LEAT_OK);
        CHECK_EQ(leat_node_flush(a, NULL), LEAT_OK);
        lock(&a->lock);
        struct sess *s = a->sessions;
        unlock(&a->lock);
        uint64_t before = at_load(&s->sent);
        at_store(&relay.held, 1);
        at_store(&released, 1);
        not_there_yet(a, s, before);                 /* its result */
    }
    CHECK_EQ(err, LEAT_OK);
    leat_with_group(g, err) {
        uint64_t before = at_load(&sess_of(x.p)->sent);
        at_store(&relay.held, 1);
        LEAT_TRY(leat_go(&g, want, (struct wants){ x.p, false }));
        not_there_yet(x.b, sess_of(x.p), before);    /* its call */
        leat_group_cancel(&g);
    }
    leat_ignore(err);
    CHECK_EQ(leat_node_close(x.b), LEAT_OK);
    close_rest(&x);
    relay_close();
    return LEAT_OK;
}
ANYWHERE(a_flush_of_a_node_waits_for_calls_and_results, waits_for_calls)

/* -- beyond the peer ------------------------------------------------------------------------------------------------------------- */
static leat_err beyond(leat_none *none)
{
    (void)none;
    cap = CAP;
    struct trio x = trio_open(3);
    leat_tx(struct num) b, far;
    leat_doubt d;
    leat_chan(struct num) c = far_end(&x, &b, &far);
    send(far, MANY);
    CHECK_EQ(leat_node_flush(x.at[C], &d), LEAT_OK); /* through the relay, to the home */
    CHECK_EQ(leat_len(c), MANY);
    sess_break(sess_of(x.peer[B]), LEAT_CANCELED, "the test wants it so");
    CHECK_EQ(leat_peer_wait(x.peer[B]), LEAT_PEER_LOST);
    uint64_t n = 0;
    while (leat_send(far, { 1 }) == LEAT_OK)
        n++;
    leat_err err = leat_node_flush(x.at[C], &d);
    CHECK_EQ(err, n ? LEAT_UNKNOWN : LEAT_OK);
    CHECK_EQ(d.elements, n);
    leat_unref(far);
    leat_unref(b);
    leat_unref(c);
    trio_close(&x);
    return LEAT_OK;
}
ANYWHERE(a_flush_of_a_node_counts_what_was_lost_beyond_its_peer, beyond)

/* Without memory to look at the ends nothing is known of them: that is no OK. */
static bool one_pointer(void *self, size_t bytes) { (void)self; return bytes == sizeof(void *); }
static leat_err without_memory(leat_none *none)
{
    static const struct mem_hook hook = { one_pointer, NULL };
    struct link_of x = open_pair(4);
    leat_doubt d;
    (void)none;
    send(x.tx, 1);
    __atomic_store_n(&mem_hook, &hook, __ATOMIC_RELAXED);
    leat_err err = leat_node_flush(x.b, &d);
    __atomic_store_n(&mem_hook, NULL, __ATOMIC_RELAXED);
    CHECK_EQ(err, LEAT_NOMEM);
    CHECK_EQ(leat_node_flush(x.b, &d), LEAT_OK);
    CHECK_EQ(leat_node_close(x.b), LEAT_OK);
    close_rest(&x);
    return LEAT_OK;
}
ANYWHERE(a_flush_that_has_no_memory_to_ask_is_no_success, without_memory)

T_MAIN()
