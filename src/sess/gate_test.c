/* gate_test.c - what a session does while its writer is in the middle of a write: the test stops it there, and knows what has been taken to
 * be written and what waits.  Linked with --wrap=conn_writev, so over unix: and tcp: only.  A build that is optimized at link time has no
 * gate, as no call is left to be wrapped: nothing is tested there. */
#include "pair.h"
#undef errno
#include "run/conn.h"
#include "sess/emit.h"
#include "sess/ends.h"
#include "sess/impl.h"

LEAT_STRUCT(block, (uint64, n), (chars(1000), text));
LEAT_STRUCT(num, (uint64, n));
LEAT_STRUCT(blob, (bytes, b));
LEAT_SERVICE(much, (give, num, blob));

/* -- the gate ------------------------------------------------------------------------------------------------------------------- */
enum { DIALED, ACCEPTED };
static struct {
    const char *at;                                  /* where node a listens; set before the gate is first shut */
    uint32_t side;                                   /* whose writes */
    _Atomic uint32_t shut, inside, passes;           /* passes: so many writes may go on although it is shut */
    _Atomic bool there;                              /* writes pass here */
} gate;

static bool may_pass(void)
{
    uint32_t n = at_load(&gate.passes);
    while (n && !atomic_compare_exchange_weak(&gate.passes, &n, n - 1))
        ;
    return n || !at_load(&gate.shut);
}

leat_err __real_conn_writev(leat_conn *c, struct iovec *v, int n);
leat_err __wrap_conn_writev(leat_conn *c, struct iovec *v, int n);
leat_err __wrap_conn_writev(leat_conn *c, struct iovec *v, int n)
{
    at_store(&gate.there, true);
    if (at_load(&gate.shut) && (strcmp(leat_conn_local(c).url, gate.at) == 0) == (gate.side == ACCEPTED)) {
        atomic_fetch_add(&gate.inside, 1);
        while (!may_pass() && leat_sleep(LEAT_MS(1)) == LEAT_OK)
            ;
        atomic_fetch_sub(&gate.inside, 1);
    }
    return __real_conn_writev(c, v, n);
}

static struct pair gated_pair(uint32_t side)
{
    struct pair x = pair_open();
    gate.at = leat_node_url(x.a);
    gate.side = side;
    return x;
}

static leat_err no_gate(struct pair *x)
{
    fprintf(stderr, "# no gate in this build\n");
    pair_close(x);
    return LEAT_OK;
}

static void gate_shut(void) { at_store(&gate.shut, 1); }
static void gate_open(void) { at_store(&gate.shut, 0); }
static void until_inside(void)
{
    while (!at_load(&gate.inside))
        leat_ignore(leat_sleep(LEAT_MS(1)));
}
/* One write goes on; then the writer is in the next one. */
static void gate_one(void)
{
    at_store(&gate.passes, 1);
    while (at_load(&gate.passes))
        leat_ignore(leat_sleep(LEAT_MS(1)));
    until_inside();
}

static const leat_opts two_workers = { .workers = 2, .log = pair_quiet };
static void run(enum place p, leat_err (*fn)(leat_none *))
{
    at(p);
    CHECK_EQ(leat_run(&two_workers, fn, LEAT_NONE), LEAT_OK);
}
#define BOTH(id, fn) TEST(id##_unix) { run(UNIX, fn); } TEST(id##_tcp) { run(TCP, fn); }

/* A send end as node b has it, with credits for `most` blocks: those who run dry are lent more. */
static void *roomy_end(struct pair *x, leat_chan(struct block) c, uint32_t most)
{
    leat_tx(struct block) out = NULL;
    struct block v = { 0 };
    uint32_t idle = 0;
    CHECK_EQ(leat_export(x->a, "blocks", leat_tx_of(c), block), LEAT_OK);
    CHECK_EQ(leat_import(x->p, "blocks", &out, block, 0), LEAT_OK);
    leat_unexport(x->a, "blocks");
    while (idle < most) {
        leat_chan_ *site = (leat_chan_ *)(void *)out;
        for (size_t i = 0; i < leat_cap(c); i++)
            CHECK_EQ(leat_send(out, v), LEAT_OK);
        for (size_t i = 0; i < leat_cap(c); i++)
            CHECK_EQ(leat_recv(c, &v), LEAT_OK);
        CHECK_EQ(leat_flush(out), LEAT_OK);
        lock(&site->lock);
        idle = chan_idle_credits_locked(site);
        unlock(&site->lock);
    }
    return (void *)out;
}

static bool waits(leat_tx(struct block) out)
{
    leat_chan_ *c = (leat_chan_ *)(void *)out;
    lock(&c->lock);
    bool w = emit_waits(container_of(c->net, struct end, net));
    unlock(&c->lock);
    return w;
}

/* -- order ---------------------------------------------------------------------------------------------------------------------- */
/* Elements of one channel wait behind those of another, more than the writer takes at a time.  When it has taken some, nothing is left in
 * the session's buffer; the next element does not go there, past those that wait. */
static leat_err none_past(leat_none *none)
{
    enum { CAP = 400, MANY = 300, SETTLED = 310 };
    (void)none;
    struct pair x = gated_pair(DIALED);
    if (!at_load(&gate.there))
        return no_gate(&x);
    leat_auto leat_chan(struct block) c = leat_chan_make(struct block, CAP);
    leat_auto leat_chan(struct block) d = leat_chan_make(struct block, CAP);
    leat_auto leat_tx(struct block) first = (leat_tx(struct block))roomy_end(&x, c, 2);
    leat_auto leat_tx(struct block) out = (leat_tx(struct block))roomy_end(&x, d, SETTLED);
    struct block v;
    memset(&v, 'x', sizeof v);
    v.text[sizeof v.text - 1] = 0;
    gate_shut();
    CHECK_EQ(leat_send(first, v), LEAT_OK);
    until_inside();
    CHECK_EQ(leat_send(first, v), LEAT_OK);
    for (v.n = 0; v.n < MANY; v.n++)
        CHECK_EQ(leat_send(out, v), LEAT_OK);
    gate_one();
    CHECK(waits(out));
    lock(&sess_of(x.p)->out_lock);
    CHECK_EQ(sess_of(x.p)->data.len, 0);
    unlock(&sess_of(x.p)->out_lock);
    CHECK_EQ(leat_send(out, v), LEAT_OK);
    gate_open();
    for (uint64_t i = 0; i <= MANY; i++) {
        CHECK_EQ(leat_recv(d, &v), LEAT_OK);
        CHECK_EQ(v.n, i);
    }
    pair_close(&x);
    return LEAT_OK;
}
BOTH(an_element_goes_past_none_that_wait, none_past)

/* -- a close -------------------------------------------------------------------------------------------------------------------- */
struct closer { leat_node *n; _Atomic bool done; leat_err err; };
static leat_err closes(struct closer **arg)
{
    struct closer *k = *arg;
    k->err = leat_node_close(k->n);
    atomic_store(&k->done, true);
    return LEAT_OK;
}

/* However long the peer takes, as long as it lives. */
static leat_err close_waits(leat_none *none)
{
    enum { CAP = 40, MANY = 30, MUCH_MS = 400 };     /* MUCH_MS: longer than a close that is cut short waits for a BYE */
    (void)none;
    struct pair x = gated_pair(DIALED);
    if (!at_load(&gate.there))
        return no_gate(&x);
    leat_auto leat_chan(struct block) c = leat_chan_make(struct block, CAP);
    leat_auto leat_tx(struct block) out = (leat_tx(struct block))roomy_end(&x, c, MANY);
    struct closer k = { .n = x.b };
    leat_err err;
    gate_shut();
    for (int i = 0; i < MANY; i++)
        CHECK_EQ(leat_send(out, { 0 }), LEAT_OK);
    leat_with_group(g, err) {
        LEAT_TRY(leat_go(&g, closes, (struct closer *){ &k }));
        until_inside();
        for (int i = 0; i < MUCH_MS; i++) {
            CHECK(!atomic_load(&k.done));
            LEAT_TRY(leat_sleep(LEAT_MS(1)));
        }
        gate_open();
    }
    CHECK_EQ(err, LEAT_OK);
    CHECK_EQ(k.err, LEAT_OK);
    CHECK_EQ(leat_len(c), MANY);
    CHECK_EQ(leat_node_close(x.a), LEAT_OK);
    return LEAT_OK;
}
BOTH(a_close_waits_until_all_is_written, close_waits)

/* -- answers -------------------------------------------------------------------------------------------------------------------- */
enum { CALLS = 60, RESULT = 60 << 10 };
static _Atomic uint32_t ran;

static leat_err give(void *self, const struct num *in, struct blob *out)
{
    static uint8_t bytes[RESULT];
    (void)self;
    (void)in;
    atomic_fetch_add(&ran, 1);
    out->b = (leat_bytes){ bytes, RESULT, 0 };
    return LEAT_OK;
}
static const struct much_impl much = { .give = give };

struct asker { leat_peer *p; };
static leat_err asks(struct asker *a)
{
    struct blob out;
    LEAT_TRY(leat_call(a->p, much, give, &(struct num){ 0 }, &out));
    CHECK_EQ(out.b.len, RESULT);
    leat_drop(blob, &out);
    return LEAT_OK;
}

/* Tasks that wait until their answers may be put where what is sent waits; and bytes that do. */
static uint32_t who_waits(struct sess *s, size_t *bytes)
{
    uint32_t n = 0;
    lock(&s->out_lock);
    for (struct waiter *w = at_load(&s->room.head); w; w = w->next)
        n++;
    *bytes = sess_unsent_locked(s);
    unlock(&s->out_lock);
    return n;
}

/* Every method has run, and each answer has been put there or waits to be.  More than there is room for is not put there, but for that of
 * another worker of the runtime that came at the same moment. */
static leat_err held_back(leat_none *none)
{
    (void)none;
    struct pair x = gated_pair(ACCEPTED);
    if (!at_load(&gate.there))
        return no_gate(&x);
    leat_err err;
    size_t bytes = 0;
    CHECK_EQ(leat_serve(x.a, much, &much, NULL), LEAT_OK);
    CHECK_EQ(asks(&(struct asker){ x.p }), LEAT_OK);
    lock(&x.a->lock);
    struct sess *s = x.a->sessions;
    unlock(&x.a->lock);
    gate_shut();
    leat_with_group(g, err) {
        for (int i = 0; i < CALLS; i++)
            LEAT_TRY(leat_go(&g, asks, (struct asker){ x.p }));
        while (at_load(&ran) < 1 + CALLS || who_waits(s, &bytes) + bytes / RESULT < CALLS)
            LEAT_TRY(leat_sleep(LEAT_MS(1)));
        CHECK(bytes >= LIMIT_SESS_UNSENT);
        CHECK(bytes < LIMIT_SESS_UNSENT + 3 * RESULT);
        gate_open();
    }
    CHECK_EQ(err, LEAT_OK);
    pair_close(&x);
    return LEAT_OK;
}
BOTH(answers_wait_while_nobody_takes_them, held_back)

T_MAIN()
