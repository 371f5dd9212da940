/* select.c - receiving from one of several channels, found ready or waited for.
 *
 * The channels are an array, so a select names them with leat_on_recv_any; the rows whose name ends in "-cases" write each
 * channel as a case of its own, as one does when they mean different things. */
#include "bench.h"

enum { ENDS_MAX = 64 };
struct ends { leat_chan(int64_t) c[ENDS_MAX]; leat_rx(int64_t) rx[ENDS_MAX]; size_t n; };
typedef leat_err pick_fn(struct ends *e, int64_t *v);

static leat_err ends_init(struct ends *e, size_t n, size_t capacity)
{
    e->n = n;
    for (size_t i = 0; i < n; i++) {
        e->c[i] = leat_chan_make(int64_t, capacity);
        if (!e->c[i])
            return LEAT_NOMEM;
        e->rx[i] = leat_rx_of(e->c[i]);
    }
    return LEAT_OK;
}

static void ends_done(struct ends *e)
{
    for (size_t i = 0; i < e->n; i++)
        leat_unref(e->c[i]);
}

static leat_err pick_any(struct ends *e, int64_t *v)
{
    leat_err err;
    size_t which;
    leat_select(err)
        leat_on_recv_any(e->rx, e->n, v, &which) { }
    return err;
}

static leat_err pick_2(struct ends *e, int64_t *v)
{
    leat_err err;
    leat_select(err) {
        leat_on_recv(e->rx[0], v) { }
        leat_on_recv(e->rx[1], v) { }
    }
    return err;
}

static leat_err pick_8(struct ends *e, int64_t *v)
{
    leat_err err;
    leat_select(err) {
        leat_on_recv(e->rx[0], v) { }
        leat_on_recv(e->rx[1], v) { }
        leat_on_recv(e->rx[2], v) { }
        leat_on_recv(e->rx[3], v) { }
        leat_on_recv(e->rx[4], v) { }
        leat_on_recv(e->rx[5], v) { }
        leat_on_recv(e->rx[6], v) { }
        leat_on_recv(e->rx[7], v) { }
    }
    return err;
}

/* One element is put into one of the channels, which has room for it, and a select over all of them finds it. */
static leat_err ready_loop(const char *name, struct ends *e, pick_fn *pick, int64_t n)
{
    int64_t sum = 0;
    size_t next = 0;
    leat_time start = leat_now();
    for (int64_t i = 0, v; i < n; i++) {
        LEAT_TRY(leat_send(e->c[next], i));
        LEAT_TRY(pick(e, &v));
        sum += v;
        next = next + 1 < e->n ? next + 1 : 0;
    }
    bench_per(name, start, n);
    return bench_equal("the sum", sum, n * (n - 1) / 2);
}

static leat_err ready(const char *name, size_t ends, pick_fn *pick, int64_t n)
{
    struct ends e = { 0 };
    leat_err err = ends_init(&e, ends, 1);
    if (!err)
        err = ready_loop(name, &e, pick, n);
    ends_done(&e);
    return err;
}

struct sender { struct ends *ends; int64_t n; };

static leat_err send_around(struct sender *s)
{
    size_t next = 0;
    for (int64_t i = 0; i < s->n; i++) {
        LEAT_TRY(leat_send(s->ends->c[next], i));
        next = next + 1 < s->ends->n ? next + 1 : 0;
    }
    return LEAT_OK;
}

/* The channels have no room, so the select waits until the sender comes to one of them. */
static leat_err blocked_loop(const char *name, struct ends *e, pick_fn *pick, int64_t n)
{
    int64_t sum = 0;
    leat_err err;
    leat_time start = leat_now();
    leat_with_group(g, err) {
        LEAT_TRY(leat_go(&g, send_around, (struct sender){ e, n }));
        for (int64_t i = 0, v; i < n; i++) {
            LEAT_TRY(pick(e, &v));
            sum += v;
        }
    }
    LEAT_TRY(err);
    bench_per(name, start, n);
    return bench_equal("the sum", sum, n * (n - 1) / 2);
}

static leat_err blocked(const char *name, size_t ends, pick_fn *pick, int64_t n)
{
    struct ends e = { 0 };
    leat_err err = ends_init(&e, ends, 0);
    if (!err)
        err = blocked_loop(name, &e, pick, n);
    ends_done(&e);
    return err;
}

static leat_err ready_2(int64_t n)         { return ready("select-ready-2", 2, pick_any, n); }
static leat_err ready_8(int64_t n)         { return ready("select-ready-8", 8, pick_any, n); }
static leat_err ready_64(int64_t n)        { return ready("select-ready-64", 64, pick_any, n); }
static leat_err ready_2_cases(int64_t n)   { return ready("select-ready-2-cases", 2, pick_2, n); }
static leat_err ready_8_cases(int64_t n)   { return ready("select-ready-8-cases", 8, pick_8, n); }
static leat_err blocked_2(int64_t n)       { return blocked("select-blocked-2", 2, pick_any, n); }
static leat_err blocked_8(int64_t n)       { return blocked("select-blocked-8", 8, pick_any, n); }
static leat_err blocked_64(int64_t n)      { return blocked("select-blocked-64", 64, pick_any, n); }
static leat_err blocked_2_cases(int64_t n) { return blocked("select-blocked-2-cases", 2, pick_2, n); }
static leat_err blocked_8_cases(int64_t n) { return blocked("select-blocked-8-cases", 8, pick_8, n); }

const struct bench bench_select[] = {
    { "select-ready-2", 2000000, ready_2 },
    { "select-ready-8", 1000000, ready_8 },
    { "select-ready-64", 300000, ready_64 },
    { "select-ready-2-cases", 2000000, ready_2_cases },
    { "select-ready-8-cases", 1000000, ready_8_cases },
    { "select-blocked-2", 1000000, blocked_2 },
    { "select-blocked-8", 500000, blocked_8 },
    { "select-blocked-64", 200000, blocked_64 },
    { "select-blocked-2-cases", 1000000, blocked_2_cases },
    { "select-blocked-8-cases", 500000, blocked_8_cases },
    { 0 }
};
