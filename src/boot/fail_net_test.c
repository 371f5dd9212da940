/* fail_net_test.c - every request to the system refused in turn, between nodes: names, channels, values, calls, remote tasks. */
#include "base/alloc.h"
#include "fail_pair.h"
#include "run/sched.h"

LEAT_STRUCT(num, (uint64, n));
LEAT_STRUCT(item, (string, text), (strings, words), (list(num), nums), (optional(num), maybe));
LEAT_STRUCT(job, (uint64, n), (tx(num), out));
LEAT_SERVICE(calc, (twice, num, num), (grow, item, item));

static leat_err nothing(struct pair *x) { (void)x; return LEAT_OK; }
ANYWHERE(nothing)

/* -- memory of the task that dials, each time it asks for some; no other task is in the way -------------------------------------------- */
static _Atomic(struct task *) dialer;
static _Atomic int dialer_asked, dialer_refused;

static bool of_dialer(void *self, size_t bytes)
{
    struct task *me = task_self();
    (void)self;
    (void)bytes;
    return me && me == atomic_load(&dialer) && atomic_fetch_add(&dialer_asked, 1) + 1 == atomic_load(&dialer_refused);
}

static leat_err dial_(leat_none *none)
{
    struct pair x = { NULL, NULL, NULL };
    (void)none;
    CHECK_EQ(leat_node_open(&(leat_node_opts){ .name = "node a" }, &x.a), LEAT_OK);
    CHECK_EQ(leat_node_open(&(leat_node_opts){ .name = "node b" }, &x.b), LEAT_OK);
    CHECK_EQ(leat_node_listen(x.a, url), LEAT_OK);
    atomic_store(&dialer, task_self());
    leat_err e = leat_node_dial(x.b, leat_node_url(x.a), &x.p);
    atomic_store(&dialer, NULL);
    pair_close(&x);
    return e;
}

static void each_refused(void)
{
    static const struct mem_hook hook = { of_dialer, NULL };
    int k = 0;
    atomic_store(&refuse_at, LONG_MAX);
    mem_hook = &hook;
    for (int i = 0; i < 2; i++)
        CHECK_EQ(run_program(dial_), LEAT_OK);
    struct left was = left_now();
    leat_err e;
    do {
        atomic_store(&dialer_asked, 0);
        atomic_store(&dialer_refused, ++k);
        e = run_program(dial_);
        CHECK(honest(e));
        check_left(&was, k);
    } while (atomic_load(&dialer_asked) >= k);
    CHECK_EQ(e, LEAT_OK);
    CHECK(k > 5);
    mem_hook = NULL;
}
TEST(dials_unix) { url = place(1); each_refused(); }
TEST(dials_tcp) { url = place(2); each_refused(); }

/* -- channels ----------------------------------------------------------------------------------------------------------------- */
struct feed { leat_tx(struct item) out; };
static leat_err feed(struct feed *f)
{
    static leat_string words[] = { { "a", 1, 0 }, { "bc", 2, 0 } };
    static struct num nums[] = { { 4 }, { 5 }, { 6 } };
    leat_err e = LEAT_OK;
    for (int i = 0; i < 12 && e == LEAT_OK; i++) {
        struct item v = { .text = LEAT_STRING("hello"), .words = { words, 2, 0 }, .nums = { nums, 3, 0 }, .maybe = leat_new(num) };
        e = leat_send(f->out, v);
        if (e != LEAT_OK && e != LEAT_UNKNOWN)
            leat_drop(item, &v);
    }
    leat_unref(f->out);
    return e;
}
static leat_err channels(struct pair *x)
{
    leat_auto leat_chan(struct item) c = leat_chan_make(struct item, 4);
    leat_tx(struct item) out = NULL;
    leat_err err = LEAT_OK, e = LEAT_OK;
    struct item v;
    int n = 0;
    if (!c)
        return LEAT_NOMEM;
    LEAT_TRY(leat_export(x->a, "items", leat_tx_of(c), item));
    LEAT_TRY(leat_import(x->p, "items", &out, item, 4));
    leat_unexport(x->a, "items");
    leat_finish(c);
    leat_with_group(g, err) {
        e = leat_go(&g, feed, (struct feed){ out });
        if (e != LEAT_OK) {
            leat_unref(out);
            return e;
        }
        for (; (e = leat_recv(c, &v)) == LEAT_OK; n++) {
            CHECK_EQ(v.text.len, 5);
            CHECK_EQ(v.words.len, 2);
            CHECK_EQ(v.nums.len, 3);
            CHECK_EQ(v.nums.at[2].n, 6);
            leat_drop(item, &v);
        }
    }
    if (e == LEAT_CLOSED && err == LEAT_OK)
        CHECK_EQ(n, 12);                             /* a close means: that was all */
    return err != LEAT_OK ? err : e == LEAT_CLOSED ? LEAT_OK : e;
}
ANYWHERE(channels)

/* The receiver leaves what is queued and on its way behind, memory of its own included. */
static bool leaves_starved;
static leat_err leaves(struct pair *x)
{
    leat_chan(struct item) c = leat_chan_make(struct item, 4);
    leat_auto leat_tx(struct item) out = NULL;
    leat_err e = LEAT_OK;
    if (!c)
        return LEAT_NOMEM;
    e = leat_export(x->a, "items", leat_tx_of(c), item);
    if (e == LEAT_OK)
        e = leat_import(x->p, "items", &out, item, 4);
    for (int i = 0; i < 3 && e == LEAT_OK; i++) {
        struct item v = { .maybe = leat_new(num) };
        e = leat_send(c, v);
        if (e != LEAT_OK)
            leat_drop(item, &v);
    }
    struct item v = { .maybe = leat_new(num) };
    leat_err far = e == LEAT_OK ? leat_send(out, v) : e;
    if (far != LEAT_OK && far != LEAT_UNKNOWN)
        leat_drop(item, &v);
    leat_unexport(x->a, "items");
    starves = leaves_starved;
    leat_unref(c);
    starves = false;
    return e;
}
ANYWHERE(leaves)

static void starved(int i)
{
    url = place(i);
    atomic_store(&refuse_at, LONG_MAX);
    for (int k = 0; k < 2; k++)
        CHECK_EQ(run_program(leaves_), LEAT_OK);
    struct left was = left_now();
    leaves_starved = true;
    for (int k = 0; k < 3; k++) {
        CHECK_EQ(run_program(leaves_), LEAT_OK);
        check_left(&was, k);
    }
}
TEST(what_is_left_is_dropped_without_any_memory_inproc) { starved(0); }
TEST(what_is_left_is_dropped_without_any_memory_unix) { starved(1); }
TEST(what_is_left_is_dropped_without_any_memory_tcp) { starved(2); }

static leat_err receives(struct pair *x)
{
    leat_auto leat_chan(struct num) c = leat_chan_make(struct num, 4);
    leat_auto leat_rx(struct num) in = NULL;
    struct num v;
    leat_err e;
    uint64_t n = 0;
    if (!c)
        return LEAT_NOMEM;
    LEAT_TRY(leat_send(c, { 0 }));
    LEAT_TRY(leat_send(c, { 1 }));
    LEAT_TRY(leat_export(x->a, "nums", leat_rx_of(c), num));
    LEAT_TRY(leat_import(x->p, "nums", &in, num, 4));
    for (uint64_t i = 2; i < 4; i++)
        LEAT_TRY(leat_send(c, { i }));
    leat_close(leat_tx_of(c));
    while ((e = leat_recv(in, &v)) == LEAT_OK)
        CHECK_EQ(v.n, n++);
    CHECK(e != LEAT_CLOSED || n == 4);
    return e == LEAT_CLOSED ? LEAT_OK : e;
}
ANYWHERE(receives)

/* -- calls and remote tasks ------------------------------------------------------------------------------------------------------ */
static leat_err calc_twice(void *self, const struct num *in, struct num *out) { (void)self; out->n = 2 * in->n; return LEAT_OK; }
static leat_err calc_grow(void *self, const struct item *in, struct item *out)
{
    (void)self;
    LEAT_TRY(leat_dup(item, in, out));
    return leat_push(&out->nums, (struct num){ 7 });
}
static const struct calc_impl calc = { .twice = calc_twice, .grow = calc_grow };
static leat_err calls(struct pair *x)
{
    static struct num nums[] = { { 4 }, { 5 } };
    struct num two_;
    struct item in = { .text = LEAT_STRING("grow"), .nums = { nums, 2, 0 } }, out = { 0 };
    LEAT_TRY(leat_serve(x->a, calc, &calc, NULL));
    LEAT_TRY(leat_call(x->p, calc, twice, &(struct num){ 21 }, &two_));
    CHECK_EQ(two_.n, 42);
    LEAT_TRY(leat_call(x->p, calc, grow, &in, &out));
    CHECK_EQ(out.nums.len, 3);
    CHECK_EQ(out.nums.at[2].n, 7);
    leat_drop(item, &out);
    return LEAT_OK;
}
ANYWHERE(calls)

static leat_err work(struct job *j)
{
    for (uint64_t i = 0; i < 5; i++)
        LEAT_TRY(leat_send(j->out, { j->n + i }));
    return LEAT_OK;
}
static leat_err remote_tasks(struct pair *x)
{
    leat_auto leat_chan(struct num) c = leat_chan_make(struct num, 20);
    leat_err err;
    struct num v;
    int n = 0;
    if (!c)
        return LEAT_NOMEM;
    LEAT_TRY(leat_expose(x->a, work, job));
    leat_with_group(g, err)
        for (uint64_t i = 0; i < 3; i++) {
            struct job j = { 10 * i, leat_ref(leat_tx_of(c)) };
            leat_err e = leat_go_on(&g, x->p, work, job, j);
            if (e != LEAT_OK && e != LEAT_UNKNOWN)
                leat_unref(j.out);
            LEAT_TRY(e);
        }
    leat_close(leat_tx_of(c));
    while (leat_recv(c, &v) == LEAT_OK)
        n++;
    CHECK(err != LEAT_OK || n == 15);
    return err;
}
ANYWHERE(remote_tasks)

static leat_err joins_(leat_none *none)
{
    (void)none;
    leat_auto_node leat_node *n = NULL;
    leat_peers peers;
    struct num v;
    LEAT_TRY(leat_node_open(NULL, &n));
    LEAT_TRY(leat_serve(n, calc, &calc, NULL));
    LEAT_TRY(leat_node_join(n, NULL, &peers));
    LEAT_TRY(leat_call(peers.at[0], calc, twice, &(struct num){ 3 }, &v));
    CHECK_EQ(v.n, 6);
    return LEAT_OK;
}
SWEEP(joins)

T_MAIN()
