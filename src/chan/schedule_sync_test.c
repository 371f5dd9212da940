/* schedule_sync_test.c - small programs of read-write locks, conditions, wait groups, semaphores, timers, races, shields and calls at
 * the end of a context, under every schedule with up to two preemptions: what they may say, all of that and nothing else (schedule.h).
 * Where a task sleeps, how long is one of the choices. */
#include "schedule.h"

WRAP(leat_err, leat_send_, (leat_chan_ *c, const void *v), (c, v))
WRAP(leat_err, leat_recv_, (leat_chan_ *c, void *out), (c, out))
WRAP(leat_err, leat_try_send_, (leat_chan_ *c, const void *v), (c, v))
WRAP(leat_err, leat_lock, (leat_mutex *m), (m))
void __real_leat_unlock(leat_mutex *m);
void __wrap_leat_unlock(leat_mutex *m);
void __wrap_leat_unlock(leat_mutex *m) { point(); __real_leat_unlock(m); point(); }     /* who waits for a condition unlocks, too */
WRAP(leat_err, leat_rlock, (leat_rwlock *l), (l))
WRAP(leat_err, leat_wlock, (leat_rwlock *l), (l))
WRAP(leat_err, leat_try_rlock, (leat_rwlock *l), (l))
WRAP(leat_err, leat_try_wlock, (leat_rwlock *l), (l))
WRAP(void, leat_runlock, (leat_rwlock *l), (l))
WRAP(void, leat_wunlock, (leat_rwlock *l), (l))
WRAP(leat_err, leat_do_once, (leat_once *o, leat_err (*fn)(void)), (o, fn))
WRAP(leat_err, leat_cond_wait, (leat_cond *c, leat_mutex *m), (c, m))
WRAP(void, leat_cond_signal, (leat_cond *c), (c))
WRAP(void, leat_cond_broadcast, (leat_cond *c), (c))
WRAP(void, leat_waitgroup_add, (leat_waitgroup *g, int n), (g, n))
WRAP(leat_err, leat_waitgroup_wait, (leat_waitgroup *g), (g))
WRAP(leat_err, leat_acquire, (leat_sem *m, int64_t n), (m, n))
WRAP(leat_err, leat_try_acquire, (leat_sem *m, int64_t n), (m, n))
WRAP(void, leat_release, (leat_sem *m, int64_t n), (m, n))
WRAP(bool, leat_timer_stop, (leat_timer *t), (t))
WRAP(leat_err, leat_timer_reset, (leat_timer *t, leat_dur d, bool *was), (t, d, was))
WRAP(bool, leat_after_stop, (leat_after *a), (a))
WRAP(leat_err, leat_after_func_, (leat_after **r, leat_ctx *ctx, leat_fn_ *fn, const leat_site_ *site, const void *arg, size_t len),
     (r, ctx, fn, site, arg, len))
WRAP(void, leat_cancel, (leat_ctx *ctx, leat_err cause), (ctx, cause))
WRAP(leat_err, leat_ctx_err, (void), ())
WRAP(leat_err, leat_group_wait, (leat_group *g), (g))
WRAP(leat_err, leat_go_, (leat_group *g, leat_fn_ *fn, const leat_site_ *site, const void *arg, size_t len), (g, fn, site, arg, len))

static leat_chan(int) c, d;
static int x, inside, most;
static bool writing;
static leat_ctx *ctx_of;
static leat_rwlock rw;
static leat_mutex mutex;
static leat_cond cond;
static leat_waitgroup wg;
static leat_sem sem;
static leat_once once;
static leat_timer *timer;
static leat_after *after;

static void fresh(void)
{
    x = inside = most = 0;
    writing = false;
    timer = NULL;
    after = NULL;
    ctx_of = NULL;
    memset(&rw, 0, sizeof rw);
    memset(&mutex, 0, sizeof mutex);
    memset(&cond, 0, sizeof cond);
    memset(&wg, 0, sizeof wg);
    memset(&once, 0, sizeof once);
    memset(&sem, 0, sizeof sem);
    sem.size = 2;
}

static void sleep_some(void) { leat_ignore(leat_sleep(LEAT_MS((int)s_choose(3)))); }
static leat_err put(leat_chan(int) to, int v) { return leat_send(to, v); }
TASK(sends_1) { leat_ignore(put(c, 1)); }
TASK(cancels) { leat_cancel(ctx_of, LEAT_CANCELED); }
/* f in a scope that another task cancels; the scope ends after that. */
static void canceled_meanwhile(void (*f)(void))
{
    leat_err err;
    leat_with_cancel(ctx) {
        ctx_of = ctx;
        leat_with_group(inner, err) {
            leat_ignore(leat_go(&inner, cancels, LEAT_NONE));
            f();
        }
        leat_ignore(err);
    }
}
static void both(leat_err (*f)(leat_none *), leat_err (*g)(leat_none *)) { JOIN { go(f); go(g); } }
static void canceled_if(leat_err e) { if (e != LEAT_OK) say("X"); }

/* -- read-write lock ------------------------------------------------------------------------------------------------------ */
static void reads(void)
{
    if (writing)
        say("!");
    inside++;
    most = inside > most ? inside : most;
    leat_yield();
    inside--;
    leat_runlock(&rw);
}
static void writes(void)
{
    if (writing || inside)
        say("!");
    writing = true;
    leat_yield();
    writing = false;
    leat_wunlock(&rw);
}
TASK(reads_shared) { if (leat_rlock(&rw) == LEAT_OK) reads(); }
TASK(writes_alone) { if (leat_wlock(&rw) == LEAT_OK) writes(); }
PROGRAM(readers_share_and_a_writer_is_alone, "1 2")
{
    JOIN { go(reads_shared); go(writes_alone); go(reads_shared); }
    say("%d", most);
}
PROGRAM(two_writers_take_turns, "0")
{
    JOIN { go(writes_alone); go(writes_alone); }
    say("%d", most);
}
TASK(says_r) { if (leat_rlock(&rw) == LEAT_OK) { say("r"); leat_runlock(&rw); } }
TASK(says_w) { if (leat_wlock(&rw) == LEAT_OK) { say("w"); leat_wunlock(&rw); } }
static void until_a_writer_waits(void)
{
    while (leat_try_rlock(&rw) == LEAT_OK) {
        leat_runlock(&rw);
        leat_yield();
    }
}
PROGRAM(a_writer_that_waits_comes_before_later_readers, "wr")
{
    JOIN {
        leat_ignore(leat_rlock(&rw));
        go(says_w);
        until_a_writer_waits();
        go(says_r);
        leat_yield();
        leat_runlock(&rw);
    }
}
PROGRAM(readers_that_a_writer_kept_out_come_before_the_next_writer, "rw")
{
    JOIN {
        leat_ignore(leat_wlock(&rw));
        go(says_r);
        leat_ignore(leat_sleep(LEAT_MS(1)));         /* it waits */
        go(says_w);
        leat_ignore(leat_sleep(LEAT_MS(1)));
        leat_wunlock(&rw);
    }
}
static void wlock_canceled(void)
{
    leat_err e = leat_wlock(&rw);
    canceled_if(e);
    if (e == LEAT_OK) {
        say("w");
        leat_wunlock(&rw);
    }
}
TASK(asks_to_write) { canceled_meanwhile(wlock_canceled); }
PROGRAM(readers_behind_a_writer_that_gives_up_come_in, "Xr rX")
{
    JOIN {
        leat_ignore(leat_rlock(&rw));                /* until the others have come and gone */
        both(asks_to_write, says_r);
        leat_runlock(&rw);
    }
    CHECK_EQ(leat_try_wlock(&rw), LEAT_OK);
    leat_wunlock(&rw);
}
static void rlock_canceled(void)
{
    leat_err e = leat_rlock(&rw);
    canceled_if(e);
    if (e == LEAT_OK) {
        say("r");
        leat_runlock(&rw);
    }
}
PROGRAM(a_cancel_against_a_read_lock, "r X")
{
    JOIN { go(writes_alone); canceled_meanwhile(rlock_canceled); }
    CHECK_EQ(leat_try_wlock(&rw), LEAT_OK);          /* whoever was cancelled holds nothing */
    leat_wunlock(&rw);
}
PROGRAM(tries_of_a_read_write_lock, "okagain againagain againok")
{
    JOIN {
        go(writes_alone);
        leat_err e = leat_try_rlock(&rw), f = leat_try_wlock(&rw);
        say("%s%s", word(e), word(f));
        if (e == LEAT_OK)
            leat_runlock(&rw);
        if (f == LEAT_OK)
            leat_wunlock(&rw);
    }
}

/* -- condition ------------------------------------------------------------------------------------------------------------ */
/* Waits for x and takes it. */
static leat_err takes_x(void)
{
    leat_err e = LEAT_OK, err;
    leat_with_lock(&mutex, err) {
        while (!x && e == LEAT_OK)
            e = leat_cond_wait(&cond, &mutex);
        if (x && e == LEAT_OK)
            x--;
    }
    return err == LEAT_OK ? e : err;
}
static void gives_x(int n, bool all)
{
    leat_err err;
    leat_with_lock(&mutex, err)
        x += n;
    leat_ignore(err);
    if (all)
        leat_cond_broadcast(&cond);
    else
        leat_cond_signal(&cond);
}
TASK(takes_says_b) { if (takes_x() == LEAT_OK) say("b"); }
PROGRAM(a_signal_wakes_who_waits_or_comes, "b")
{
    JOIN { go(takes_says_b); gives_x(1, false); }
}
PROGRAM(two_signals_wake_two, "bb")
{
    JOIN { go(takes_says_b); go(takes_says_b); gives_x(1, false); gives_x(1, false); }
}
PROGRAM(a_broadcast_wakes_all, "bbb")
{
    JOIN { go(takes_says_b); go(takes_says_b); go(takes_says_b); gives_x(3, true); }
}
static void takes_says_a(void)
{
    leat_err e = takes_x();
    say(e == LEAT_OK ? "a" : "X");
    d = e == LEAT_OK ? c : NULL;
}
TASK(takes_or_is_canceled) { canceled_meanwhile(takes_says_a); leat_ignore(put(c, d != NULL)); }
PROGRAM(a_signal_that_meets_a_cancel_is_not_lost, "ab Xb bX")
{
    int took = 0;
    c = make(1);
    JOIN {
        go(takes_or_is_canceled);
        go(takes_says_b);
        gives_x(1, false);
        leat_ignore(leat_recv(c, &took));
        if (took)
            gives_x(1, false);                       /* else the first one is for b, without another signal */
    }
    CHECK_EQ(x, 0);
    CHECK_EQ(leat_try_lock(&mutex), LEAT_OK);
    leat_unlock(&mutex);
}

/* -- wait group, semaphore, once ------------------------------------------------------------------------------------------- */
TASK(is_done) { say("d"); leat_waitgroup_done(&wg); }
TASK(waits_says_w) { leat_err e = leat_waitgroup_wait(&wg); say(e == LEAT_OK ? "w" : "X"); }
PROGRAM(a_wait_ends_when_all_are_done, "ddww")
{
    leat_waitgroup_add(&wg, 2);
    JOIN { go(is_done); go(waits_says_w); go(is_done); waits_says_w(NULL); }
}
PROGRAM(a_wait_group_is_used_again, "dwdw")
{
    JOIN {
        for (int i = 0; i < 2; i++) {
            leat_waitgroup_add(&wg, 1);
            go(is_done);
            waits_says_w(NULL);
        }
    }
}
static void waits_says(void) { waits_says_w(NULL); }
PROGRAM(a_cancel_against_a_wait_group, "dw Xd dX")
{
    leat_waitgroup_add(&wg, 1);
    JOIN { go(is_done); canceled_meanwhile(waits_says); }
    leat_ignore(leat_waitgroup_wait(&wg));
}
static void holds(int64_t n)
{
    if (leat_acquire(&sem, n) != LEAT_OK)
        return;
    inside += (int)n;
    most = inside > most ? inside : most;
    leat_yield();
    inside -= (int)n;
    leat_release(&sem, n);
}
TASK(holds_1) { holds(1); }
TASK(holds_2) { holds(2); }
PROGRAM(a_semaphore_of_two_lets_two_in, "2")
{
    JOIN { go(holds_1); go(holds_2); go(holds_1); }
    say("%d", most);
    CHECK_EQ(leat_try_acquire(&sem, 2), LEAT_OK);
}
TASK(wants_2) { if (leat_acquire(&sem, 2) == LEAT_OK) { say("2"); leat_release(&sem, 2); } }
TASK(wants_1) { if (leat_acquire(&sem, 1) == LEAT_OK) { say("1"); leat_release(&sem, 1); } }
PROGRAM(one_that_wants_much_is_not_overtaken, "21")
{
    JOIN {
        leat_ignore(leat_acquire(&sem, 1));
        go(wants_2);
        leat_ignore(leat_sleep(LEAT_MS(1)));         /* it waits */
        go(wants_1);
        leat_ignore(leat_sleep(LEAT_MS(1)));
        leat_release(&sem, 1);
    }
}
static void acquire_2_canceled(void)
{
    leat_err e = leat_acquire(&sem, 2);
    canceled_if(e);
    if (e == LEAT_OK)
        leat_release(&sem, 2);
}
TASK(wants_2_canceled) { canceled_meanwhile(acquire_2_canceled); }
PROGRAM(who_waits_behind_one_that_gives_up_comes_in, "X1 1X")
{
    JOIN {
        leat_ignore(leat_acquire(&sem, 1));          /* until the others have come and gone */
        both(wants_2_canceled, wants_1);
        leat_release(&sem, 1);
    }
    CHECK_EQ(leat_try_acquire(&sem, 2), LEAT_OK);
}
static leat_err counts(void)
{
    x++;
    leat_yield();
    return LEAT_CLOSED;
}
static void does_canceled(void) { say("%c", letter(leat_do_once(&once, counts), 0)); }
TASK(does_once) { leat_ignore(leat_do_once(&once, counts)); }
PROGRAM(a_cancel_against_once, "C1 X1")
{
    JOIN { go(does_once); canceled_meanwhile(does_canceled); }
    say("%d", x);
}

/* -- timers --------------------------------------------------------------------------------------------------------------- */
static int ms(leat_time t) { return (int)((t.ns - 1000000000) / 1000000); }
/* What has ticked, in ms from the beginning, until it is cancelled. */
static char ticks[16];
TASK(notes_ticks)
{
    leat_time t;
    while (leat_recv(leat_timer_rx(timer), &t) == LEAT_OK)
        snprintf(ticks + strlen(ticks), sizeof ticks - strlen(ticks), "%d", ms(t));
}
static void with_timer(bool ticker, bool resets)
{
    bool was = false;
    ticks[0] = 0;
    CHECK_EQ(ticker ? leat_ticker_open(LEAT_MS(1), &timer) : leat_timer_open(LEAT_MS(1), &timer), LEAT_OK);
    JOIN {
        go(notes_ticks);
        sleep_some();
        if (resets)
            CHECK_EQ(leat_timer_reset(timer, LEAT_MS(4), &was), LEAT_OK);
        else
            was = leat_timer_stop(timer);
        point();
        say("%s.", ticks);                           /* received before the stop, or in the midst of being received */
        ticks[0] = 0;
        leat_ignore(leat_sleep(LEAT_MS(5)));
        leat_group_cancel(s.group);
    }
    say("%s%s", was ? "stopped" : "ticked", ticks);
    leat_timer_close(timer);
}
PROGRAM(a_stop_against_a_tick, ".stopped 1.ticked .ticked1") { with_timer(false, false); }
PROGRAM(a_reset_against_a_tick, ".stopped4 1.ticked5 1.ticked6 .ticked15") { with_timer(false, true); }
PROGRAM(a_stop_against_a_ticker, ".stopped 1.stopped 12.stopped .stopped1 1.stopped2") { with_timer(true, false); }

/* What the first tick after a stop or a reset says. */
static void nobody_receives(bool resets)
{
    bool was;
    leat_time t;
    CHECK_EQ(leat_timer_open(LEAT_MS(1), &timer), LEAT_OK);
    sleep_some();                                    /* 1 and 2: the tick lies in the channel */
    if (resets)
        CHECK_EQ(leat_timer_reset(timer, LEAT_MS(4), &was), LEAT_OK);
    else
        was = leat_timer_stop(timer);
    leat_err e = leat_try_recv(leat_timer_rx(timer), &t);
    say("%s%s", was ? "stopped" : "ticked", word(e));
    if (resets && leat_recv(leat_timer_rx(timer), &t) == LEAT_OK)
        say("%d", ms(t));
    leat_timer_close(timer);
}
PROGRAM(a_stop_takes_a_tick_back_that_nobody_received, "stoppedagain") { nobody_receives(false); }
PROGRAM(a_reset_takes_a_tick_back_that_nobody_received, "stoppedagain4 stoppedagain5 stoppedagain6") { nobody_receives(true); }

TASK(says_c) { say("c"); }
PROGRAM(a_call_meets_its_stop, "stopped cbegun begunc")
{
    JOIN {
        CHECK_EQ(leat_timer_func(&timer, s.group, LEAT_MS(1), says_c, LEAT_NONE), LEAT_OK);
        sleep_some();
        say(leat_timer_stop(timer) ? "stopped" : "begun");
    }
    leat_timer_close(timer);
}
PROGRAM(a_call_meets_its_reset, "stoppedc cbegunc beguncc")
{
    bool was = false;
    JOIN {
        CHECK_EQ(leat_timer_func(&timer, s.group, LEAT_MS(1), says_c, LEAT_NONE), LEAT_OK);
        sleep_some();
        CHECK_EQ(leat_timer_reset(timer, LEAT_MS(3), &was), LEAT_OK);
        say(was ? "stopped" : "begun");
    }
    leat_timer_close(timer);
}
PROGRAM(a_call_meets_the_cancel_of_its_group, "c -")
{
    JOIN {
        CHECK_EQ(leat_timer_func(&timer, s.group, LEAT_MS(1), says_c, LEAT_NONE), LEAT_OK);
        sleep_some();
        leat_group_cancel(s.group);
    }
    if (!*s.said)
        say("-");
    leat_timer_close(timer);
}

/* -- what runs when a context is over ---------------------------------------------------------------------------------------- */
TASK(signs_off) { say("a"); leat_ignore(leat_try_send(c, 1)); }
PROGRAM(a_call_at_the_end_runs_once, "a")
{
    int one;
    c = make(2);
    JOIN {
        leat_with_cancel(ctx) {
            ctx_of = ctx;
            CHECK_EQ(leat_after_func(&after, ctx, signs_off, LEAT_NONE), LEAT_OK);
            go(cancels);
            leat_cancel(ctx, LEAT_CANCELED);
            leat_yield();
            leat_ignore(leat_group_wait(s.group));
        }
        leat_ignore(leat_recv(c, &one));
        leat_ignore(leat_sleep(LEAT_MS(1)));
    }
    leat_after_close(after);
}
PROGRAM(a_call_at_the_end_of_what_may_be_over, "a")
{
    c = make(1);
    leat_with_cancel(ctx) {
        ctx_of = ctx;
        JOIN {
            go(cancels);
            CHECK_EQ(leat_after_func(&after, ctx, signs_off, LEAT_NONE), LEAT_OK);
            leat_ignore(leat_recv(c, &(int){ 0 }));
        }
    }
    leat_after_close(after);
}
PROGRAM(a_call_at_the_end_meets_its_stop, "stopped abegun beguna")
{
    int one;
    c = make(1);
    leat_with_cancel(ctx) {
        ctx_of = ctx;
        CHECK_EQ(leat_after_func(&after, ctx, signs_off, LEAT_NONE), LEAT_OK);
        JOIN {
            go(cancels);
            bool stopped = leat_after_stop(after);
            say(stopped ? "stopped" : "begun");
            if (!stopped)
                leat_ignore(leat_recv(c, &one));
        }
    }
    leat_ignore(leat_sleep(LEAT_MS(1)));
    leat_after_close(after);
}

/* -- races and shields ------------------------------------------------------------------------------------------------------- */
static leat_err offers(const int *v) { return leat_try_send(c, *v); }
static leat_err fails(const int *v)
{
    leat_yield();
    return leat_fail(*v == 1 ? LEAT_REFUSED : LEAT_TYPE, "so it is");
}
static leat_err waits_in_vain(leat_none *none)
{
    (void)none;
    leat_err e = leat_recv(d, &(int){ 0 });
    say("%c", letter(e, 0));
    return e;
}
PROGRAM(two_that_win_leave_one_value, "1ok 2ok")
{
    leat_err err;
    int v = 0;
    c = make(1);
    leat_with_race(g, err) {
        leat_ignore(leat_go(&g, offers, (int){ 1 }));
        leat_ignore(leat_go(&g, offers, (int){ 2 }));
    }
    leat_ignore(leat_recv(c, &v));
    say("%d%s", v, word(err));
}
PROGRAM(a_race_ends_who_waits, "X3ok 3ok")
{
    leat_err err;
    int v = 0;
    c = make(1);
    d = make(0);
    leat_with_race(g, err) {
        leat_ignore(leat_go(&g, offers, (int){ 3 }));
        leat_ignore(leat_go(&g, waits_in_vain, LEAT_NONE));
    }
    leat_ignore(leat_recv(c, &v));
    say("%d%s", v, word(err));
}
static leat_err offers_later(const int *v)
{
    LEAT_TRY(leat_sleep(LEAT_MS(1)));
    return leat_try_send(c, *v);
}
PROGRAM(an_error_ends_no_race, "1ok")
{
    leat_err err;
    int v = 0;
    c = make(1);
    leat_with_race(g, err) {
        leat_ignore(leat_go(&g, fails, (int){ 1 }));
        leat_ignore(leat_go(&g, offers_later, (int){ 1 }));
    }
    leat_ignore(leat_try_recv(c, &v));
    say("%d%s", v, word(err));
}
PROGRAM(a_race_of_losers_has_the_first_error, "REFUSED TYPE")
{
    leat_err err;
    leat_with_race(g, err) {
        leat_ignore(leat_go(&g, fails, (int){ 1 }));
        leat_ignore(leat_go(&g, fails, (int){ 2 }));
    }
    say("%s", leat_err_name(err));
}
static void cleans_up(void)
{
    int v = 0;
    leat_with_shield(LEAT_S(1)) {
        leat_err e = leat_recv(c, &v);
        say("%c", letter(e, v));
    }
    say("%s", word(leat_ctx_err()));
}
PROGRAM(a_shield_lets_no_cancel_in_and_forgets_none, "1ok 1canceled")
{
    c = make(0);
    JOIN { go(sends_1); canceled_meanwhile(cleans_up); }
}
static void receives_says(void) { int v = 0; leat_err e = leat_recv(c, &v); say("%c", letter(e, v)); }
PROGRAM(a_scope_in_a_shield_is_canceled, "1 X1")
{
    c = make(0);
    JOIN {
        go(sends_1);
        leat_with_shield(LEAT_S(1))
            canceled_meanwhile(receives_says);
        if (s.said[0] == 'X')
            receives_says();
    }
}

TEST(small_programs_of_locks_timers_and_scopes_say_what_they_may_and_all_of_it)
{
    s_fresh = fresh;
    small_programs();
}

T_MAIN()
