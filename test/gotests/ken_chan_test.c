/* ken_chan_test.c - what Go's test/ken/chan.go and test/ken/chan1.go state: plain operations and selects of four and four cases, in all
 * pairings and with several capacities, neither lose nor double nor reorder what goes through a channel. */
#include "place.h"
#include <stdatomic.h>

enum { EACH = 76 };                                      /* elements of one channel: 100 k to 100 k + 75 */

/* One end of a channel, and the number that is next there.  A channel that has had all is NULL: never ready. */
struct tx_seq { leat_tx(struct num) c; struct num v; };
struct rx_seq { leat_rx(struct num) c; struct num v; };
struct both { leat_chan(struct num) c; int64_t from; };

static void sent(struct tx_seq *s) { if (++s->v.n % 100 == EACH) s->c = NULL; }
static void received(struct rx_seq *r, struct num v)
{
    CHECK_EQ(v.n, r->v.n);
    if (++r->v.n % 100 == EACH)
        r->c = NULL;
}

static struct both both_make(size_t cap)
{
    static int64_t made;
    return (struct both){ leat_chan_make(struct num, cap), 100 * ++made };
}
static struct tx_seq tx_of(struct both b) { return (struct tx_seq){ leat_tx_of(b.c), { b.from } }; }
static struct rx_seq rx_of(struct both b) { return (struct rx_seq){ leat_rx_of(b.c), { b.from } }; }

LEAT_STRUCT(sends, (tx(num), c), (int64, from));
static leat_err send_each(struct sends *s)
{
    for (int64_t i = 0; i < EACH; i++) {
        for (int64_t k = (s->from + 7 * i) % 10; k >= 0; k--)
            leat_yield();
        LEAT_TRY(leat_send(s->c, { s->from + i }));
    }
    return LEAT_OK;
}
PLACE_TASK(send_each, sends)

static leat_err recv_each(struct rx_seq *r)
{
    struct num v;
    while (r->c) {
        LEAT_TRY(leat_recv(r->c, &v));
        received(r, v);
        leat_yield();
    }
    return LEAT_OK;
}

struct sel { struct rx_seq r[4]; struct tx_seq s[4]; };
static leat_err sel(struct sel *x)
{
    struct num v;
    leat_err err = LEAT_OK;
    for (int i = 0, more = 1; more && err == LEAT_OK; i++) {
        for (int k = i % 5; k >= 0; k--)
            leat_yield();
        leat_select(err) {
            leat_on_recv(x->r[0].c, &v)         { received(&x->r[0], v); }
            leat_on_recv(x->r[1].c, &v)         { received(&x->r[1], v); }
            leat_on_recv(x->r[2].c, &v)         { received(&x->r[2], v); }
            leat_on_recv(x->r[3].c, &v)         { received(&x->r[3], v); }
            leat_on_send(x->s[0].c, &x->s[0].v) { sent(&x->s[0]); }
            leat_on_send(x->s[1].c, &x->s[1].v) { sent(&x->s[1]); }
            leat_on_send(x->s[2].c, &x->s[2].v) { sent(&x->s[2]); }
            leat_on_send(x->s[3].c, &x->s[3].v) { sent(&x->s[3]); }
        }
        more = 0;
        for (int k = 0; k < 4; k++)
            more |= x->r[k].c || x->s[k].c;
    }
    return err;
}

/* Which of eight channels are sent on and received from by a select, and which by a task of their own. */
static leat_err pairing(size_t cap, bool sel_sends, bool sel_recvs, bool crossed)
{
    struct both b[8];
    struct sel x = { .r = { { NULL, { 0 } } } }, y = x;
    leat_err err;
    for (int k = 0; k < 8; k++)
        b[k] = both_make(cap);
    for (int k = 0; k < 4; k++) {
        if (sel_sends)
            x.s[k] = tx_of(b[k]);
        if (sel_recvs)
            y.r[k] = rx_of(b[k]);
        if (crossed) {
            y.s[k] = tx_of(b[4 + k]);
            x.r[k] = rx_of(b[4 + k]);
        }
    }
    leat_with_group(g, err) {
        for (int k = 0; k < 4; k++) {
            if (!sel_sends)
                LEAT_TRY(place_go(&g, send_each, sends, { leat_ref(leat_tx_of(b[k].c)), b[k].from }));
            if (!sel_recvs)
                LEAT_TRY(leat_go(&g, recv_each, rx_of(b[k])));
        }
        if (sel_sends || crossed)
            LEAT_TRY(leat_go(&g, sel, x));
        if (sel_recvs || crossed)
            LEAT_TRY(leat_go(&g, sel, y));
    }
    for (int k = 0; k < 8; k++)
        leat_unref(b[k].c);
    return err;
}

static leat_err chan_test(void)
{
    static const size_t caps[] = { 0, 1, 10, 100 };
    for (int i = 0; i < 4; i++) {
        LEAT_TRY(pairing(caps[i], false, false, false));
        LEAT_TRY(pairing(caps[i], false, true, false));
        LEAT_TRY(pairing(caps[i], true, false, false));
        LEAT_TRY(pairing(caps[i], true, true, false));
        LEAT_TRY(pairing(caps[i], true, true, true));
        LEAT_TRY(pairing(caps[i], false, true, true));
    }
    return LEAT_OK;
}
EVERYWHERE(chan, chan_test)

/* -- chan1.go: ten receivers of one sender get each element once --------------------------------------------------------------------- */
enum { N = 1000, RECEIVERS = 10 };
static _Atomic int seen[N];
static leat_err take(struct rx_seq *r)
{
    leat_err err = LEAT_OK;
    for (bool more = true; more && err == LEAT_OK; ) {
        struct num v = { -1 };
        leat_select(err) { leat_on_recv(r->c, &v) {} leat_on_closed(r->c) { more = false; } }
        if (err == LEAT_OK && more)
            CHECK_EQ(atomic_fetch_add_explicit(&seen[v.n], 1, memory_order_relaxed), 0);
    }
    return err;
}

LEAT_STRUCT(count_of, (tx(num), c));
static leat_err count_up(struct count_of *c)
{
    for (int64_t i = 0; i < N; i++)
        LEAT_TRY(leat_send(c->c, { i }));
    leat_close(c->c);
    return LEAT_OK;
}
PLACE_TASK(count_up, count_of)

static leat_err chan1_test(void)
{
    leat_chan(struct num) c = leat_chan_make(struct num, 2);
    leat_err err;
    leat_with_group(g, err) {
        for (int i = 0; i < RECEIVERS; i++)
            LEAT_TRY(leat_go(&g, take, (struct rx_seq){ leat_rx_of(c), { 0 } }));
        LEAT_TRY(place_go(&g, count_up, count_of, { leat_ref(leat_tx_of(c)) }));
    }
    for (int i = 0; i < N; i++)
        CHECK_EQ(seen[i], 1);
    leat_unref(c);
    return err;
}
EVERYWHERE(chan1, chan1_test)

T_MAIN()
