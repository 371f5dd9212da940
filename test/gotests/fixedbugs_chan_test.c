/* fixedbugs_chan_test.c - what those of Go's test/fixedbugs state that are about channels and selects: one test each. */
#include "place.h"

/* -- bug147.go: a send on an unbuffered channel waits for its receiver, each time ---------------------------------------------------- */
LEAT_STRUCT(slow, (rx(num), c), (tx(num), counts));
static leat_err slow_receiver(struct slow *s)
{
    struct num v;
    LEAT_TRY(leat_recv(s->c, &v));
    LEAT_TRY(leat_send(s->counts, { 1 }));           /* there is room */
    place_others_run();
    LEAT_TRY(leat_send(s->counts, { 2 }));
    LEAT_TRY(leat_flush(s->counts));
    return leat_recv(s->c, &v);
}
PLACE_TASK(slow_receiver, slow)

static leat_err bug147_test(void)
{
    leat_chan(struct num) c = leat_chan_make(struct num, 0), counts = leat_chan_make(struct num, 2);
    leat_err err;
    leat_with_group(g, err) {
        LEAT_TRY(place_go(&g, slow_receiver, slow, { leat_ref(leat_rx_of(c)), leat_ref(leat_tx_of(counts)) }));
        LEAT_TRY(leat_send(c, { 1 }));
        LEAT_TRY(leat_send(c, { 2 }));
        CHECK_EQ(leat_len(counts), 2);               /* it had done both before it took the second */
    }
    leat_unref(c);
    leat_unref(counts);
    return err;
}
EVERYWHERE(bug147, bug147_test)

/* -- bug225.go: a poll of a buffer, empty and not ------------------------------------------------------------------------------------ */
static int poll(leat_chan(struct num) c)
{
    leat_err err;
    struct num v;
    int ran = 0;
    leat_select(err) { leat_on_recv(c, &v) { ran = 1; } leat_otherwise { ran = 2; } }
    CHECK_EQ(err, LEAT_OK);
    return ran;
}

LEAT_STRUCT(sender, (tx(num), c), (int64, n), (int64, end));
static leat_err send_n(struct sender *s)
{
    for (int64_t i = 0; i < s->n; i++)
        LEAT_TRY(leat_send(s->c, { i }));
    LEAT_TRY(leat_flush(s->c));
    if (s->end)
        leat_close(s->c);
    return LEAT_OK;
}
PLACE_TASK(send_n, sender)

static leat_err bug225_test(void)
{
    leat_chan(struct num) c = leat_chan_make(struct num, 1);
    leat_err err;
    CHECK_EQ(poll(c), 2);
    leat_with_group(g, err)
        LEAT_TRY(place_go(&g, send_n, sender, { leat_ref(leat_tx_of(c)), 1, false }));
    CHECK_EQ(poll(c), 1);
    CHECK_EQ(poll(c), 2);
    leat_unref(c);
    return err;
}
EVERYWHERE(bug225, bug225_test)

/* -- bug234.go, issue8347.go: a receive says whether it is a value or the end -------------------------------------------------------- */
static leat_err bug234_test(void)
{
    leat_chan(struct num) c = leat_chan_make(struct num, 1);
    leat_err err;
    struct num v = { 100 };
    bool closed = false;
    for (int i = 0; i < 10; i++)
        CHECK_EQ(leat_try_recv(c, &v), LEAT_AGAIN);  /* not the end, as long as it is not closed */
    leat_with_group(g, err)
        LEAT_TRY(place_go(&g, send_n, sender, { leat_ref(leat_tx_of(c)), 1, true }));
    LEAT_TRY(err);
    LEAT_TRY(leat_recv(c, &v));
    CHECK_EQ(v.n, 0);
    while (!closed) {
        leat_select(err) {
            leat_on_recv(c, &v) { CHECK(!"there was one"); }
            leat_on_closed(c)   { closed = true; }
            leat_otherwise      { }
        }
        LEAT_TRY(err);
    }
    CHECK_EQ(leat_recv(c, &v), LEAT_CLOSED);
    leat_unref(c);
    return LEAT_OK;
}
EVERYWHERE(bug234, bug234_test)

/* -- issue8011.go: a channel of channels --------------------------------------------------------------------------------------------- */
LEAT_STRUCT(end_of, (rx(num), c));
LEAT_STRUCT(giver, (tx(end_of), out));
static leat_err give(struct giver *g)
{
    leat_chan(struct num) c = leat_chan_make(struct num, 1);
    LEAT_TRY(leat_send(c, { 42 }));
    leat_err err = leat_send(g->out, { leat_ref(leat_rx_of(c)) });
    leat_unref(c);
    return err;
}
PLACE_TASK(give, giver)

static leat_err issue8011_test(void)
{
    leat_chan(struct end_of) c = leat_chan_make(struct end_of, 1);
    struct end_of e = { NULL };
    struct num v;
    leat_err err;
    leat_with_group(g, err) {
        LEAT_TRY(place_go(&g, give, giver, { leat_ref(leat_tx_of(c)) }));
        LEAT_TRY(leat_recv(c, &e));
        LEAT_TRY(leat_recv(e.c, &v));
        CHECK_EQ(v.n, 42);
    }
    leat_drop(end_of, &e);
    leat_unref(c);
    return err;
}
EVERYWHERE(issue8011, issue8011_test)

/* -- issue4313.go, issue43111.go: what a case says is taken when the select begins --------------------------------------------------- */
static leat_chan(struct num) ch;
static struct num *forget(struct num *p) { ch = NULL; return p; }

static leat_err issue43111_test(void)
{
    leat_chan(struct num) c = leat_chan_make(struct num, 1), nil = NULL;
    struct num x = { 42 }, v = { 0 };
    leat_err err;
    ch = c;
    leat_select(err) { leat_on_send(ch, &x) {} leat_on_send(nil, forget(&v)) { CHECK(!"NULL is never ready"); } }
    CHECK(err == LEAT_OK && ch == NULL);
    ch = c;
    leat_select(err) { leat_on_recv(ch, &v) {} leat_on_send(nil, forget(&x)) { CHECK(!"NULL is never ready"); } }
    CHECK(err == LEAT_OK && ch == NULL && v.n == 42);
    leat_unref(c);
    return LEAT_OK;
}
AT_TASK(issue43111, issue43111_test)

/* -- issue48289.go: each turn of a loop receives into a variable of its own ---------------------------------------------------------- */
static leat_err issue48289_test(void)
{
    leat_chan(struct num) c = leat_chan_make(struct num, 2);
    struct num at[2];
    leat_err err;
    leat_with_group(g, err)
        LEAT_TRY(place_go(&g, send_n, sender, { leat_ref(leat_tx_of(c)), 2, false }));
    for (int i = 0; i < 2 && err == LEAT_OK; i++)
        leat_select(err) { leat_on_recv(c, &at[i]) {} }
    CHECK(err == LEAT_OK && at[0].n == 0 && at[1].n == 1);
    leat_unref(c);
    return LEAT_OK;
}
EVERYWHERE(issue48289, issue48289_test)

/* -- issue13169.go: what goes from stack to stack arrives whole, however deep they are ----------------------------------------------- */
LEAT_STRUCT(triple, (int64, a), (int64, b), (int64, c));
LEAT_STRUCT(triples, (tx(triple), out), (int64, n));
static __attribute__((noinline)) int dive(int levels)
{
    volatile char room[1024];
    room[levels] = 1;
    return levels ? dive(levels - 1) + room[levels] : 0;
}

static leat_err send_triples(struct triples *t)
{
    for (int64_t i = 0; i < t->n; i++)
        LEAT_TRY(leat_send(t->out, { i, 2 * i, 3 * i }));
    return LEAT_OK;
}
PLACE_TASK(send_triples, triples)

struct dives { leat_rx(struct triple) in; int64_t n; };
static leat_err recv_and_dive(struct dives *d)
{
    for (int64_t i = 0; i < d->n; i++) {
        struct triple t;
        LEAT_TRY(leat_recv(d->in, &t));
        CHECK(t.b == 2 * t.a && t.c == 3 * t.a);
        CHECK_EQ(dive(32), 32);
    }
    return LEAT_OK;
}

static leat_err issue13169_test(void)
{
    leat_chan(struct triple) c = leat_chan_make(struct triple, 0);
    int64_t n = place_turns(5000);
    leat_err err;
    leat_with_group(g, err)
        for (int i = 0; i < 10; i++) {
            LEAT_TRY(place_go(&g, send_triples, triples, { leat_ref(leat_tx_of(c)), n }));
            LEAT_TRY(leat_go(&g, recv_and_dive, (struct dives){ leat_rx_of(c), n }));
        }
    leat_unref(c);
    return err;
}
EVERYWHERE(issue13169, issue13169_test)

/* -- issue9110.go: selects with one channel three times, woken by its end ------------------------------------------------------------ */
static leat_err three_times(struct dives *d)
{
    leat_err err;
    struct triple t = { 1, 1, 1 };
    bool ended = false;
    leat_select(err) {
        leat_on_recv(d->in, &t) {}
        leat_on_recv(d->in, &t) {}
        leat_on_recv(d->in, &t) {}
        leat_on_closed(d->in)   { ended = true; }
    }
    LEAT_TRY(err);
    CHECK(ended && t.a == 1);
    return LEAT_OK;
}

LEAT_STRUCT(closer, (tx(triple), c));
static leat_err close_it(struct closer *c) { leat_close(c->c); return LEAT_OK; }
PLACE_TASK(close_it, closer)

static leat_err issue9110_test(void)
{
    leat_err err = LEAT_OK;
    for (int round = 0; round < 20 && err == LEAT_OK; round++) {
        leat_chan(struct triple) c = leat_chan_make(struct triple, 0);
        leat_with_group(g, err) {
            for (int i = 0; i < 10; i++)
                LEAT_TRY(leat_go(&g, three_times, (struct dives){ leat_rx_of(c), 0 }));
            place_others_run();
            LEAT_TRY(place_go(&g, close_it, closer, { leat_ref(leat_tx_of(c)) }));
        }
        leat_unref(c);
    }
    return err;
}
EVERYWHERE(issue9110, issue9110_test)

T_MAIN()
