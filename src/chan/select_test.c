/* select_test.c - select: exactly one case, chosen fairly, from all kinds of cases. */
#include "t.h"
#include "base/alloc.h"
#include "chan/chan.h"

#define RUN(fn) do { for (uint32_t w_ = 1; w_ <= 3; w_ += 2) { \
    leat_err e_ = leat_run(&(leat_opts){ .workers = w_ }, fn, LEAT_NONE); \
    if (e_ != LEAT_OK) t_fail(__FILE__, __LINE__, "%u workers: %s: %s", w_, leat_err_name(e_), leat_err_detail()); } } while (0)

static leat_err fair(leat_none *none)
{
    (void)none;
    enum { N = 4, ROUNDS = 40000 };
    leat_chan(int) c[N];
    int hits[N] = { 0 }, v;
    leat_err err;
    for (int i = 0; i < N; i++) {
        c[i] = leat_chan_make(int, 1);
        LEAT_TRY(leat_send(c[i], i));
    }
    for (int r = 0; r < ROUNDS; r++) {
        leat_select(err) {
            leat_on_recv(c[0], &v) { }
            leat_on_recv(c[1], &v) { }
            leat_on_recv(c[2], &v) { }
            leat_on_recv(c[3], &v) { }
        }
        LEAT_TRY(err);
        hits[v]++;
        LEAT_TRY(leat_send(c[v], v));
    }
    for (int i = 0; i < N; i++) {
        CHECK(hits[i] > ROUNDS / N * 9 / 10 && hits[i] < ROUNDS / N * 11 / 10);       /* 10 standard deviations */
        leat_unref(c[i]);
    }
    return LEAT_OK;
}
TEST(every_ready_case_is_equally_likely) { RUN(fair); }

struct sides { leat_chan(int64_t) a, b; int64_t n; };
static leat_err chooser(struct sides *s)
{
    leat_err err = LEAT_OK;
    for (int64_t i = 0; i < s->n && !err; i++)
        leat_select(err) {
            leat_on_send(s->a, &i) { }
            leat_on_send(s->b, &i) { }
        }
    return err;
}
static leat_err both_sides(leat_none *none)
{
    (void)none;
    for (size_t cap = 0; cap < 2; cap++) {
        struct sides s = { leat_chan_make(int64_t, cap), leat_chan_make(int64_t, cap), 20000 };
        int64_t v, last = -1, sum = 0;
        leat_err err;
        leat_with_group(g, err) {
            LEAT_TRY(leat_go(&g, chooser, s));
            for (int64_t i = 0; i < s.n && !err; i++) {
                leat_select(err) {
                    leat_on_recv(s.a, &v) { sum += v; }
                    leat_on_recv(s.b, &v) { sum += v; }
                }
                if (cap == 0 && v != last + 1)
                    return leat_fail(LEAT_INVAL, "got %lld after %lld", (long long)v, (long long)last);
                last = v;
            }
        }
        LEAT_TRY(err);
        CHECK_EQ(sum, s.n * (s.n - 1) / 2);
        leat_unref(s.a);
        leat_unref(s.b);
    }
    return LEAT_OK;
}
TEST(selects_meet_selects_exactly_once) { RUN(both_sides); }

static leat_err kinds(leat_none *none)
{
    (void)none;
    leat_auto leat_chan(int) c = leat_chan_make(int, 0);
    leat_chan(int) nil = NULL;
    leat_err err;
    int v = 0, got = 0;
    leat_select(err) { leat_on_recv(c, &v) { got = 1; } leat_otherwise { got = 2; } }
    CHECK(err == LEAT_OK && got == 2);
    leat_time t = leat_now();
    leat_select(err) { leat_on_recv(c, &v) { got = 1; } leat_on_after(LEAT_MS(5)) { got = 3; } leat_on_after(LEAT_S(60)) { got = 4; } }
    CHECK(err == LEAT_OK && got == 3);
    CHECK(leat_since(t).ns >= 5000000);
    leat_select(err) { leat_on_recv(nil, &v) { got = 5; } }
    CHECK(err == LEAT_CLOSED && got == 3);
    leat_select(err) { }
    CHECK_EQ(err, LEAT_CLOSED);
    leat_close(c);
    leat_select(err) { leat_on_recv(c, &v) { got = 6; } leat_on_send(c, &v) { got = 7; } leat_on_closed(c) { got = 8; } }
    CHECK(err == LEAT_OK && got == 8);
    leat_select(err) { leat_on_recv(c, &v) { got = 9; } leat_on_send(c, &v) { got = 9; } }
    CHECK(err == LEAT_CLOSED && got == 8);
    return LEAT_OK;
}
TEST(otherwise_timer_closed_and_null_cases) { RUN(kinds); }

struct one { leat_chan(int) c; int v; };
static leat_err send_one(struct one *o) { return leat_send(o->c, o->v); }
static leat_err close_it(struct one *o) { leat_yield(); leat_close(o->c); return LEAT_OK; }

static leat_err closed_while_waiting(leat_none *none)
{
    (void)none;
    leat_err err;
    for (int i = 0; i < 500; i++) {
        leat_auto leat_chan(int) c = leat_chan_make(int, 2);
        int v = 0, got = 0, seen = 0;
        leat_with_group(g, err) {
            LEAT_TRY(leat_go(&g, send_one, (struct one){ c, 7 }));
            LEAT_TRY(leat_go(&g, close_it, (struct one){ c, 0 }));
            while (!got && !err)
                leat_select(err) {
                    leat_on_recv(c, &v) { seen++; }
                    leat_on_closed(c) { got = 1; }
                }
            if (err == LEAT_OK && leat_group_wait(&g) == LEAT_CLOSED)
                seen++;                              /* the close came first: nothing was sent */
        }
        CHECK_EQ(seen, 1);
    }
    return LEAT_OK;
}
TEST(a_close_during_a_select_comes_after_the_elements) { RUN(closed_while_waiting); }

static leat_err any_of_many(leat_none *none)
{
    (void)none;
    enum { N = 200 };
    leat_rx(int) ends[N];
    leat_chan(int) c[N];
    leat_err err;
    for (int i = 0; i < N; i++) {
        c[i] = leat_chan_make(int, i % 3 ? 1 : 0);
        ends[i] = leat_rx_of(c[i]);
    }
    leat_with_group(g, err) {
        for (int i = 0; i < N; i++)
            LEAT_TRY(leat_go(&g, send_one, (struct one){ c[i], i }));
        bool seen[N] = { false };
        for (int k = 0, v; k < N && !err; k++) {
            size_t which = 0;
            leat_select(err) { leat_on_recv_any(ends, N, &v, &which) { } }
            if (err == LEAT_OK && ((size_t)v != which || seen[v]))
                return leat_fail(LEAT_INVAL, "end %zu gave %d", which, v);
            seen[v] = true;
        }
    }
    for (int i = 0; i < N; i++)
        leat_unref(c[i]);
    return err;
}
TEST(receive_from_any_of_200_ends) { RUN(any_of_many); }

static leat_err loops(leat_none *none)
{
    (void)none;
    leat_auto leat_chan(int) c = leat_chan_make(int, 1);
    leat_err err;
    int v;
    for (int n = 2; n <= 200; n += 99) {
        leat_select(err)
            for (int i = 0; i < n; i++)
                leat_on_recv(c, &v) { }
        CHECK_EQ(err, LEAT_INVAL);
        CHECK_HAS(leat_err_detail(), "leat_on_recv_any is the loop");
    }
    return LEAT_OK;
}
TEST(a_case_in_a_loop_is_an_error) { RUN(loops); }

/* Four cases, and four times as many: they are written, for a loop of them would be an error. */
#define CASES4(i)  leat_on_recv(c[i], &v) { hit = i; } leat_on_recv(c[(i) + 1], &v) { hit = (i) + 1; } \
    leat_on_recv(c[(i) + 2], &v) { hit = (i) + 2; } leat_on_recv(c[(i) + 3], &v) { hit = (i) + 3; }
#define CASES16(i) CASES4(i) CASES4((i) + 4) CASES4((i) + 8) CASES4((i) + 12)

static leat_err many_cases(leat_none *none)
{
    (void)none;
    enum { N = 80 };
    leat_chan(int) c[N];
    leat_err err = LEAT_OK;
    int v = -1, hit = -1, hits[N] = { 0 };
    for (int i = 0; i < N; i++)
        c[i] = leat_chan_make(int, 1);
    leat_select(err) { CASES16(0) CASES16(16) CASES16(32) CASES16(48) CASES16(64) leat_otherwise { hit = N; } }
    CHECK(err == LEAT_OK && hit == N);
    for (int i = 0; i < 3 * N; i++) {                /* one is ready, or becomes so while the select waits */
        leat_with_group(g, err) {
            LEAT_TRY(leat_go(&g, send_one, (struct one){ c[i % N], i }));
            leat_select(err) { CASES16(0) CASES16(16) CASES16(32) CASES16(48) CASES16(64) }
            CHECK(err == LEAT_OK && hit == i % N && v == i);
        }
        LEAT_TRY(err);
    }
    for (int i = 0; i < N; i++)
        LEAT_TRY(leat_send(c[i], i));
    for (int i = 0; i < 100 * N; i++) {              /* all are */
        leat_select(err) { CASES16(0) CASES16(16) CASES16(32) CASES16(48) CASES16(64) }
        CHECK(err == LEAT_OK && v == hit);
        hits[hit]++;
        LEAT_TRY(leat_send(c[hit], hit));
    }
    for (int i = 0; i < N; i++) {
        CHECK(hits[i] > 30 && hits[i] < 200);        /* 100, and 7 standard deviations below */
        leat_unref(c[i]);
    }
    return LEAT_OK;
}
TEST(a_select_has_as_many_cases_as_it_needs) { RUN(many_cases); }

static bool no_memory(void *self, size_t n) { (void)self; return n > 0; }
static leat_err many_without_memory(leat_none *none)
{
    (void)none;
    static const struct mem_hook hook = { no_memory, NULL };
    leat_chan(int) c[32] = { leat_chan_make(int, 1) };
    leat_err err;
    int v = -1, hit = -1;
    LEAT_TRY(leat_send(c[0], 3));
    mem_hook = &hook;
    leat_select(err) { CASES16(0) CASES16(16) }
    mem_hook = NULL;
    CHECK(err == LEAT_NOMEM && hit == -1);
    CHECK_HAS(leat_err_detail(), "memory");
    leat_select(err) { CASES16(0) CASES16(16) }
    CHECK(err == LEAT_OK && hit == 0 && v == 3);
    leat_unref(c[0]);
    return LEAT_OK;
}
TEST(without_memory_a_select_of_many_cases_is_an_error) { RUN(many_without_memory); }

static leat_err uneven(leat_none *none)
{
    (void)none;
    enum { N = 130 };
    leat_rx(int) ends[N];
    leat_chan(int) c[N];
    leat_err err;
    int first = 0, v;
    for (int i = 0; i < N; i++) {
        c[i] = leat_chan_make(int, 1);
        ends[i] = leat_rx_of(c[i]);
        if (i == 0 || (i >= 64 && i < 128))
            LEAT_TRY(leat_send(c[i], i));
    }
    for (int k = 0; k < 6500; k++) {
        size_t which = N;
        leat_select(err) { leat_on_recv_any(ends, N, &v, &which) { } }
        CHECK(err == LEAT_OK && (size_t)v == which);
        first += which == 0;
        LEAT_TRY(leat_send(c[which], v));
    }
    CHECK(first > 30 && first < 200);                /* one in 65 is 100 */
    for (int i = 0; i < N; i++)
        leat_unref(c[i]);
    return LEAT_OK;
}
TEST(every_ready_end_of_many_is_equally_likely) { RUN(uneven); }

static leat_err itself(leat_none *none)
{
    (void)none;
    leat_auto leat_chan(int) c = leat_chan_make(int, 0);
    leat_err err = LEAT_OK;
    int v = 1, w = 2, got = 0;
    leat_with_deadline(LEAT_MS(3))
        leat_select(err) { leat_on_send(c, &v) { got = 1; } leat_on_recv(c, &w) { got = 2; } }
    CHECK(err == LEAT_DEADLINE && got == 0 && w == 2);
    leat_with_group(g, err) {                        /* another one it does meet */
        LEAT_TRY(leat_go(&g, send_one, (struct one){ c, 7 }));
        leat_select(err) { leat_on_send(c, &v) { got = 1; } leat_on_recv(c, &w) { got = 2; } }
    }
    CHECK(err == LEAT_OK && got == 2 && w == 7);
    return LEAT_OK;
}
TEST(a_select_does_not_meet_itself) { RUN(itself); }

/* Both cases wait on one channel: which is served is drawn, too. */
struct tosses { leat_chan(int) c; int n; bool send; };
static leat_err tosses(struct tosses *t)
{
    int heads = 0, one = 1, zero = 0;
    leat_err err;
    for (int i = 0; i < t->n; i++) {
        if (t->send)
            leat_select(err) { leat_on_send(t->c, &zero) { } leat_on_send(t->c, &one) { } }
        else
            leat_select(err) { leat_on_recv(t->c, &zero) { } leat_on_recv(t->c, &one) { heads++; } }
        LEAT_TRY(err);
    }
    CHECK(t->send || (heads > t->n / 4 && heads < t->n * 3 / 4));
    return LEAT_OK;
}

static leat_err waiting_twins(leat_none *none)
{
    (void)none;
    enum { N = 400 };
    leat_auto leat_chan(int) c = leat_chan_make(int, 0);
    leat_err err;
    int ones = 0, v;
    for (int send = 0; send < 2; send++) {
        leat_with_group(g, err) {
            LEAT_TRY(leat_go(&g, tosses, (struct tosses){ c, N, send }));
            for (int i = 0; i < N; i++) {
                while (!at_load(send ? &((leat_chan_ *)c)->sq.head : &((leat_chan_ *)c)->rq.head))
                    leat_yield();
                LEAT_TRY(send ? leat_recv(c, &v) : leat_send(c, 5));
                ones += send && v;
            }
        }
        LEAT_TRY(err);
    }
    CHECK(ones > N / 4 && ones < N * 3 / 4);         /* ten standard deviations */
    return LEAT_OK;
}
TEST(of_two_cases_that_wait_on_one_channel_either_is_served) { RUN(waiting_twins); }

/* b becomes ready before a ceases to be: a poll of both may not say that neither is.  It looks at many others between the two.
 * Poller and test run at once, round by round. */
enum { IDLE = 60 };
struct poll { leat_chan(int) a, b; leat_rx(int) idle[IDLE]; _Atomic int round, done; int rounds, found; };
static leat_err poll_both(struct poll **arg)
{
    struct poll *p = *arg;
    for (int i = 1; i <= p->rounds; i++) {
        leat_err err;
        int v;
        size_t which;
        while (at_load_acq(&p->round) < i)
            leat_yield();
        leat_select(err) {
            leat_on_recv(p->b, &v) { p->found++; }
            leat_on_recv_any(p->idle, IDLE, &v, &which) { }
            leat_on_recv(p->a, &v) { p->found++; }
            leat_otherwise { }
        }
        LEAT_TRY(err);
        at_store_rel(&p->done, i);
    }
    return LEAT_OK;
}

static leat_err one_moment(leat_none *none)
{
    (void)none;
    leat_auto leat_chan(int) a = leat_chan_make(int, 1), b = leat_chan_make(int, 1), idle = leat_chan_make(int, 0);
    struct poll p = { .a = a, .b = b, .rounds = getenv("T_QUICK") ? 2000 : 30000 };
    leat_err err;
    int v;
    for (int i = 0; i < IDLE; i++)
        p.idle[i] = leat_rx_of(idle);
    leat_with_group(g, err) {
        LEAT_TRY(leat_go(&g, poll_both, &p));
        for (int i = 1; i <= p.rounds; i++) {
            LEAT_TRY(leat_send(a, 1));
            at_store_rel(&p.round, i);
            for (int k = 0; k < i % 64; k++)
                CHECK_EQ(leat_len(b), 0);            /* some time, another one each round */
            LEAT_TRY(leat_send(b, 1));
            leat_ignore(leat_try_recv(a, &v));
            while (at_load_acq(&p.done) < i)
                leat_yield();
            CHECK_EQ(p.found, i);
            leat_ignore(leat_try_recv(a, &v));
            leat_ignore(leat_try_recv(b, &v));
        }
    }
    return err;
}
TEST(a_poll_acts_on_one_moment) { RUN(one_moment); }

/* A thread that is no task polls its descriptors itself, and so many. */
#define FD leat_on_fd(0, LEAT_READ) { n++; }
#define FDS5 FD FD FD FD FD
TEST(a_thread_that_is_no_task_waits_for_at_most_19_descriptors)
{
    leat_err err;
    int p[2], n = 0;
    CHECK(pipe(p) == 0 && dup2(p[0], 0) == 0);       /* nothing to read */
    leat_select(err) { FDS5 FDS5 FDS5 FDS5 }
    CHECK_EQ(err, LEAT_LIMIT);
    CHECK(write(p[1], "x", 1) == 1);
    leat_select(err) { FDS5 FDS5 FDS5 FD FD }
    CHECK_EQ(err, LEAT_OK);
    CHECK_EQ(n, 1);
}

static leat_err cancel_watched(struct one *o) { leat_yield(); leat_cancel((leat_ctx *)(void *)o->c, LEAT_REFUSED); return LEAT_OK; }
static leat_err watch_ctx(leat_none *none)
{
    (void)none;
    leat_err err;
    for (int i = 0; i < 200; i++)
        leat_with_group(g, err)
            leat_with_cancel(ctx) {
                int got = 0;
                leat_ctx *watched = ctx;
                leat_with_cancel(mine) {             /* a watcher outside of what it watches */
                    (void)mine;
                }
                LEAT_TRY(leat_go(&g, cancel_watched, (struct one){ (void *)watched, 0 }));
                leat_err e = LEAT_OK;
                leat_select(e) { leat_on_done(watched) { got = 1; } }
                CHECK(got == 1 || e == LEAT_CANCELED);       /* it is this task's own context too: either may be seen first */
                CHECK_EQ(leat_ctx_cause(), LEAT_REFUSED);
            }
    return LEAT_OK;
}
TEST(on_done_sees_another_context_end) { RUN(watch_ctx); }

static leat_err under_deadline(leat_none *none)
{
    (void)none;
    leat_auto leat_chan(int) c = leat_chan_make(int, 0);
    leat_err err = LEAT_OK;
    int v, got = 0;
    leat_with_deadline(LEAT_MS(3))
        leat_select(err) { leat_on_recv(c, &v) { got = 1; } leat_on_after(LEAT_S(100)) { got = 2; } }
    CHECK(err == LEAT_DEADLINE && got == 0);
    leat_with_deadline(LEAT_S(100))
        leat_select(err) { leat_on_recv(c, &v) { got = 1; } leat_on_after(LEAT_MS(3)) { got = 2; } }
    CHECK(err == LEAT_OK && got == 2);
    return LEAT_OK;
}
TEST(the_deadline_of_the_context_ends_a_select) { RUN(under_deadline); }

T_MAIN()

/* What nobody will ever receive is an error of every select that would send it, also of one that waits for nothing. */
static leat_err nobody_receives(leat_none *none)
{
    (void)none;
    for (size_t capacity = 0; capacity < 2; capacity++) {
        leat_chan(int) c = leat_chan_make(int, capacity), open = leat_chan_make(int, 1);
        leat_tx(int) out = leat_ref(leat_tx_of(c));
        leat_err err;
        int v = 1, w = 0;
        bool closed = false, sent = false;
        leat_unref(c);
        leat_select(err) {
            leat_on_send(out, &v) { CHECK(false); }
            leat_otherwise { CHECK(false); }
        }
        CHECK_EQ(err, LEAT_GONE);
        leat_select(err) {
            leat_on_send(out, &v) { CHECK(false); }
            leat_on_recv(open, &w) { CHECK(false); }
            leat_otherwise { CHECK(false); }
        }
        CHECK_EQ(err, LEAT_GONE);
        leat_select(err) {
            leat_on_send(out, &v) { CHECK(false); }
            leat_on_closed(out) { closed = true; }
            leat_otherwise { CHECK(false); }
        }
        CHECK(err == LEAT_OK && closed);
        leat_select(err) {                           /* what is ready comes first */
            leat_on_send(out, &v) { CHECK(false); }
            leat_on_send(open, &v) { sent = true; }
            leat_otherwise { CHECK(false); }
        }
        CHECK(err == LEAT_OK && sent);
        leat_unref(out);
        leat_unref(open);
    }
    return LEAT_OK;
}
TEST(a_select_that_does_not_wait_says_that_nobody_receives) { RUN(nobody_receives); }

/* ... and is the case of leat_on_closed, for who comes then and for who waits already; what is queued changes nothing. */
struct waits { leat_tx(int) out; leat_tx(bool) up; };
static leat_err waits_for_the_end(struct waits *w)
{
    int v = 2;
    bool closed = false;
    leat_err err;
    LEAT_TRY(leat_send(w->up, true));
    leat_select(err) {
        leat_on_send(w->out, &v) { CHECK(false); }
        leat_on_closed(w->out) { closed = true; }
    }
    CHECK(err == LEAT_OK && closed);
    leat_select(err) { leat_on_closed(w->out) { closed = false; } }
    CHECK(err == LEAT_OK && !closed);
    return LEAT_OK;
}
static leat_err nobody_receives_any_more(leat_none *none)
{
    (void)none;
    leat_auto leat_chan(bool) up = leat_chan_make(bool, 0);
    leat_err err;
    for (size_t capacity = 0; capacity < 2; capacity++) {
        leat_chan(int) c = leat_chan_make(int, capacity);
        leat_tx(int) out = leat_ref(leat_tx_of(c));
        bool is;
        if (capacity)
            LEAT_TRY(leat_send(c, 1));
        leat_with_group(g, err) {
            LEAT_TRY(leat_go(&g, waits_for_the_end, (struct waits){ out, leat_tx_of(up) }));
            LEAT_TRY(leat_recv(up, &is));
            leat_yield();
            leat_unref(c);
        }
        CHECK_EQ(err, LEAT_OK);
        CHECK_EQ(leat_send(out, 3), LEAT_GONE);
        leat_unref(out);
    }
    return LEAT_OK;
}
TEST(a_send_end_learns_by_its_closed_case_that_nobody_receives) { RUN(nobody_receives_any_more); }
