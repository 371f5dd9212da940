/* select_test.c - select: exactly one case, chosen fairly, from all kinds of cases. */
#include "leat.h"
#include "t.h"

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

static leat_err limits(leat_none *none)
{
    (void)none;
    leat_auto leat_chan(int) c = leat_chan_make(int, 1);
    leat_err err;
    int v;
    leat_select(err)
        for (int i = 0; i < 2; i++)
            leat_on_recv(c, &v) { }
    CHECK_EQ(err, LEAT_INVAL);
    CHECK_HAS(leat_err_detail(), "leat_on_recv_any is the loop");
    leat_select(err) {
        leat_on_recv(c, &v) { } leat_on_recv(c, &v) { } leat_on_recv(c, &v) { } leat_on_recv(c, &v) { } leat_on_recv(c, &v) { }
        leat_on_recv(c, &v) { } leat_on_recv(c, &v) { } leat_on_recv(c, &v) { } leat_on_recv(c, &v) { } leat_on_recv(c, &v) { }
        leat_on_recv(c, &v) { } leat_on_recv(c, &v) { } leat_on_recv(c, &v) { } leat_on_recv(c, &v) { } leat_on_recv(c, &v) { }
        leat_on_recv(c, &v) { } leat_on_recv(c, &v) { }
    }
    CHECK_EQ(err, LEAT_LIMIT);
    return LEAT_OK;
}
TEST(a_case_in_a_loop_and_17_cases_are_errors) { RUN(limits); }

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
