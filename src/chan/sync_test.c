/* sync_test.c - mutex, once, ticker. */
#include "leat.h"
#include "t.h"

#define RUN(fn) do { for (uint32_t w_ = 1; w_ <= 4; w_++) { \
    leat_err e_ = leat_run(&(leat_opts){ .workers = w_ }, fn, LEAT_NONE); \
    if (e_ != LEAT_OK) t_fail(__FILE__, __LINE__, "%u workers: %s: %s", w_, leat_err_name(e_), leat_err_detail()); } } while (0)

struct shared { leat_mutex m; int64_t n; int inside; };
struct user { struct shared *s; int times; bool yields; };

static leat_err use(struct user *u)
{
    leat_err err = LEAT_OK;
    for (int i = 0; i < u->times && !err; i++)
        leat_with_lock(&u->s->m, err) {
            if (u->s->inside++)
                return leat_fail(LEAT_INVAL, "two inside");
            u->s->n++;
            if (u->yields && i % 8 == 0)
                leat_yield();
            u->s->inside--;
        }
    return err;
}
static leat_err mutual(leat_none *none)
{
    (void)none;
    for (int yields = 0; yields < 2; yields++) {
        struct shared s = { 0 };
        leat_err err;
        leat_with_group(g, err)
            for (int i = 0; i < 8; i++)
                LEAT_TRY(leat_go(&g, use, (struct user){ &s, 2000, yields }));
        LEAT_TRY(err);
        CHECK_EQ(s.n, 16000);
    }
    return LEAT_OK;
}
TEST(one_task_at_a_time_holds_a_mutex) { RUN(mutual); }

static leat_err give_up(struct user *u)
{
    leat_err e = LEAT_OK;
    leat_with_deadline(LEAT_MS(1))
        e = leat_lock(&u->s->m);
    return e == LEAT_DEADLINE ? LEAT_OK : e == LEAT_OK ? (leat_unlock(&u->s->m), LEAT_INVAL) : e;
}
static leat_err lock_deadline(leat_none *none)
{
    (void)none;
    struct shared s = { 0 };
    leat_err err;
    LEAT_TRY(leat_lock(&s.m));
    leat_with_group(g, err)
        for (int i = 0; i < 10; i++)
            LEAT_TRY(leat_go(&g, give_up, (struct user){ &s, 0, false }));
    LEAT_TRY(err);
    leat_unlock(&s.m);
    LEAT_TRY(leat_lock(&s.m));                       /* those who gave up hold nothing */
    leat_unlock(&s.m);
    return LEAT_OK;
}
TEST(waiting_for_a_mutex_obeys_the_deadline) { RUN(lock_deadline); }

static int once_runs;
static leat_err once_fn(void) { once_runs++; leat_yield(); return LEAT_REFUSED; }
static leat_err call_once(leat_once **o) { return leat_do_once(*o, once_fn) == LEAT_REFUSED ? LEAT_OK : LEAT_INVAL; }
static leat_err once(leat_none *none)
{
    (void)none;
    leat_once o = { { NULL } };
    leat_err err;
    once_runs = 0;
    leat_with_group(g, err)
        for (int i = 0; i < 20; i++)
            LEAT_TRY(leat_go(&g, call_once, &o));
    CHECK_EQ(once_runs, 1);
    return err;
}
TEST(once_runs_once_and_everybody_gets_its_error) { RUN(once); }

static leat_err ticker(leat_none *none)
{
    (void)none;
    leat_time start = leat_now(), at = start, last = start;     /* before the ticker: its first tick counts from its making */
    leat_rx(leat_time) t = leat_ticker(LEAT_MS(2));
    CHECK(t != NULL);
    for (int i = 1; i <= 3; i++) {
        LEAT_TRY(leat_recv(t, &at));
        CHECK(at.ns > last.ns && at.ns >= start.ns + i * 2000000);
        last = at;
    }
    leat_unref(t);
    CHECK(leat_ticker(LEAT_NS(0)) == NULL);
    return LEAT_OK;
}
TEST(a_ticker_ticks_and_never_early) { RUN(ticker); }

T_MAIN()
