/* chan_sieve2_test.c - what Go's test/chan/sieve2.go states: the primes up to 100 by merging the multiples of those already known, with
 * a loop from the end back to the beginning and a task in it that stores without end.  The machine is on the other side. */
#include "place.h"

enum { PRIMES = 25, HEAP_MAX = 64, STORE_MAX = 4096 };
static const int primes[PRIMES] = { 2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71, 73, 79, 83, 89, 97 };

/* Sends from, from + step, ... */
struct run { leat_tx(int64_t) out; int64_t from, step; };
static leat_err run_on(struct run *r)
{
    leat_err err = LEAT_OK;
    for (int64_t n = r->from; err == LEAT_OK; n += r->step)
        err = leat_send(r->out, n);
    leat_unref(r->out);
    return err;
}

/* -- streams of multiples, the one with the smallest next on top ----------------------------------------------------------------------- */
struct stream { int64_t head; leat_chan(int64_t) c; };
struct heap { struct stream at[HEAP_MAX]; int n; };

static void heap_push(struct heap *h, struct stream s)
{
    int i = h->n++;
    CHECK(i < HEAP_MAX);
    for (; i && h->at[(i - 1) / 2].head > s.head; i = (i - 1) / 2)
        h->at[i] = h->at[(i - 1) / 2];
    h->at[i] = s;
}

static struct stream heap_pop(struct heap *h)
{
    struct stream top = h->at[0], last = h->at[--h->n];
    int i = 0;
    for (int k; (k = 2 * i + 1) < h->n; i = k) {
        if (k + 1 < h->n && h->at[k + 1].head < h->at[k].head)
            k++;
        if (h->at[k].head >= last.head)
            break;
        h->at[i] = h->at[k];
    }
    h->at[i] = last;
    return top;
}

/* The next of what the heap has, and its stream goes back in with the one after that. */
static leat_err heap_next(struct heap *h, int64_t *ret)
{
    struct stream s = heap_pop(h);
    *ret = s.head;
    leat_err err = leat_recv(s.c, &s.head);
    heap_push(h, s);                                 /* also when it is over: the heap's channels are let go of at the end */
    return err;
}

struct machine { leat_group *g; leat_chan(int64_t) composites, primes, proxy, candidates; leat_tx(struct num) out; };

static leat_err merge_into(struct machine *m, struct heap *h)
{
    for (int64_t min = 15;; ) {
        int64_t p, head;
        leat_chan(int64_t) c = leat_chan_make(int64_t, 10);
        struct stream s = { 0, c };
        leat_err err = leat_recv(m->primes, &p);
        leat_tx(int64_t) fed = err == LEAT_OK ? leat_ref(leat_tx_of(c)) : NULL;
        if (err == LEAT_OK && (err = leat_go(m->g, run_on, (struct run){ fed, p * p, 2 * p })) != LEAT_OK)
            leat_unref(fed);                         /* no task has taken it */
        if (err == LEAT_OK)
            err = leat_recv(c, &head);
        while (err == LEAT_OK && min < head && (err = leat_send(m->composites, min)) == LEAT_OK)
            err = heap_next(h, &min);
        while (err == LEAT_OK && min == head)
            err = heap_next(h, &min);
        if (err == LEAT_OK)
            err = leat_send(m->composites, head);
        if (err == LEAT_OK)
            err = leat_recv(c, &s.head);
        if (err != LEAT_OK) {
            leat_unref(c);
            return err;
        }
        heap_push(h, s);
    }
}

static leat_err merge(struct machine *m)
{
    struct heap h = { .n = 0 };
    leat_err err = merge_into(m, &h);
    for (int i = 0; i < h.n; i++)
        leat_unref(h.at[i].c);
    return err;
}

/* Takes from proxy at any time, and gives to primes what it has. */
static leat_err store(struct machine *m)
{
    int64_t at[STORE_MAX], e;
    uint32_t first = 0, last = 0;
    for (;;) {
        leat_chan(int64_t) c = first == last ? NULL : m->primes;
        leat_err err;
        leat_select(err) {
            leat_on_recv(m->proxy, &e)                  { at[last++ % STORE_MAX] = e; }
            leat_on_send(c, &at[first % STORE_MAX])     { first++; }
        }
        LEAT_TRY(err);
        CHECK(last - first < STORE_MAX);
    }
}

static leat_err sieve(struct machine *m)
{
    int64_t p, c;
    LEAT_TRY(leat_recv(m->candidates, &p));
    for (;;) {
        LEAT_TRY(leat_recv(m->composites, &c));
        while (p < c) {
            LEAT_TRY(leat_send(m->proxy, p));
            LEAT_TRY(leat_send(m->out, { p }));
            LEAT_TRY(leat_recv(m->candidates, &p));
        }
        if (p == c)
            LEAT_TRY(leat_recv(m->candidates, &p));
    }
}

LEAT_STRUCT(sieve2, (tx(num), out));
static leat_err machine(struct sieve2 *a)
{
    struct machine m = { .composites = leat_chan_make(int64_t, 50), .primes = leat_chan_make(int64_t, 10),
        .proxy = leat_chan_make(int64_t, 10), .candidates = leat_chan_make(int64_t, 50), .out = a->out };
    leat_err err;
    LEAT_TRY(leat_send(a->out, { 2 }));
    LEAT_TRY(leat_send(a->out, { 3 }));
    LEAT_TRY(leat_send(m.primes, 3));
    leat_with_group(g, err) {
        m.g = &g;
        LEAT_TRY(leat_go(&g, run_on, (struct run){ leat_ref(leat_tx_of(m.candidates)), 5, 2 }));
        LEAT_TRY(leat_go(&g, merge, m));
        LEAT_TRY(leat_go(&g, store, m));
        err = sieve(&m);                             /* until nobody wants more */
    }
    leat_unref(m.composites);
    leat_unref(m.primes);
    leat_unref(m.proxy);
    leat_unref(m.candidates);
    return err == LEAT_GONE || err == LEAT_CLOSED ? LEAT_OK : err;
}
PLACE_TASK(machine, sieve2)

static leat_err sieve2_test(void)
{
    leat_chan(struct num) out = leat_chan_make(struct num, 10);
    leat_err err;
    leat_with_group(g, err) {
        LEAT_TRY(place_go(&g, machine, sieve2, { leat_ref(leat_tx_of(out)) }));
        for (int i = 0; i < PRIMES; i++) {
            struct num v;
            LEAT_TRY(leat_recv(out, &v));
            CHECK_EQ(v.n, primes[i]);
        }
        leat_close(out);
    }
    leat_unref(out);
    return err;
}
EVERYWHERE(sieve2, sieve2_test)

T_MAIN()
