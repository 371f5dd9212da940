/* schedule_test.c - small programs of channels, selects, closes, cancels and locks, under every schedule with up to two preemptions:
 * what they may say, all of that and nothing else.  Larger ones at random and by priorities.  With SCHEDULES=N: one preemption more,
 * but 20000 N schedules of a program at the most; 1000 N of a larger one each way; and it says how many.  Two programs have a bug that
 * needs a preemption: it must be found, or this file proves nothing. */
#include "schedule.h"

WRAP(leat_err, leat_send_, (leat_chan_ *c, const void *v), (c, v))
WRAP(leat_err, leat_recv_, (leat_chan_ *c, void *out), (c, out))
WRAP(leat_err, leat_try_send_, (leat_chan_ *c, const void *v), (c, v))
WRAP(leat_err, leat_try_recv_, (leat_chan_ *c, void *out), (c, out))
WRAP(void, leat_close_, (leat_chan_ *c), (c))
WRAP(void, leat_finish_, (leat_chan_ *c), (c))
WRAP(size_t, leat_len_, (leat_chan_ *c), (c))
WRAP(int, leat_select_run_, (leat_select_ *q, leat_err *err), (q, err))
WRAP(leat_err, leat_lock, (leat_mutex *m), (m))
WRAP(void, leat_unlock, (leat_mutex *m), (m))
WRAP(void, leat_cancel, (leat_ctx *ctx, leat_err cause), (ctx, cause))
WRAP(leat_err, leat_do_once, (leat_once *o, leat_err (*fn)(void)), (o, fn))
WRAP(leat_err, leat_go_, (leat_group *g, leat_fn_ *fn, const leat_site_ *site, const void *arg, size_t len), (g, fn, site, arg, len))

static leat_chan(int) c, d, e;
static int x, got;
static leat_ctx *ctx_of;

static char received(leat_chan(int) from)
{
    int v = 0;
    leat_err err = leat_recv(from, &v);
    return letter(err, v);
}
static leat_err put(leat_chan(int) to, int v) { return leat_send(to, v); }

/* -- send, receive, close ------------------------------------------------------------------------------------------------- */
TASK(sends_1) { leat_ignore(put(c, 1)); }
TASK(sends_2) { leat_ignore(put(c, 2)); }
TASK(sends_1_2_3) { for (int i = 1; i <= 3; i++) leat_ignore(put(c, i)); }
TASK(sends_1_closes) { leat_ignore(put(c, 1)); leat_close(c); }
TASK(closes) { leat_close(c); }
TASK(receives) { say("%c", received(c)); }
TASK(says_how_it_sends) { say("%s", word(put(c, 1))); }

PROGRAM(two_senders_one_receiver, "12 21")
{
    c = make(0);
    JOIN { go(sends_1); go(sends_2); receives(NULL); receives(NULL); }
}
PROGRAM(one_sender_keeps_its_order, "123")
{
    c = make(1);
    JOIN { go(sends_1_2_3); receives(NULL); receives(NULL); receives(NULL); }
}
PROGRAM(one_sender_keeps_its_order_unbuffered, "123")
{
    c = make(0);
    JOIN { go(sends_1_2_3); receives(NULL); receives(NULL); receives(NULL); }
}
PROGRAM(a_close_comes_after_the_elements, "1CC")
{
    c = make(1);
    JOIN { go(sends_1_closes); receives(NULL); receives(NULL); receives(NULL); }
}
PROGRAM(a_close_comes_after_a_rendezvous, "1C")
{
    c = make(0);
    JOIN { go(sends_1_closes); receives(NULL); receives(NULL); }
}
PROGRAM(a_close_ends_a_send_that_waits_or_comes, "closed")
{
    c = make(0);
    JOIN { go(says_how_it_sends); leat_close(c); }
}
PROGRAM(a_close_wakes_every_receiver, "CC")
{
    c = make(0);
    JOIN { go(receives); go(receives); leat_close(c); leat_close(c); }
}
PROGRAM(two_receivers_one_element, "1C C1")
{
    c = make(0);
    JOIN { go(receives); go(receives); go(sends_1_closes); }
}
PROGRAM(a_send_meets_a_close_and_a_receive, "ok1 1ok closedC Cclosed")
{
    c = make(0);
    JOIN { go(says_how_it_sends); go(closes); receives(NULL); }
}
TASK(says_r_receives) { say("r"); got = 0; leat_ignore(leat_recv(c, &got)); }
PROGRAM(an_unbuffered_send_completes_after_its_receive_began, "rs")
{
    c = make(0);
    JOIN { go(says_r_receives); leat_ignore(put(c, 1)); say("s"); }
}
static void pass_on(leat_chan(int) from, leat_chan(int) to)
{
    leat_err err;
    leat_each(v, from, err)
        leat_ignore(put(to, v + 1));
    leat_ignore(err);
    leat_close(to);
}
TASK(passes_on) { pass_on(c, d); }
TASK(passes_on_again) { pass_on(d, e); }
PROGRAM(a_pipeline_of_three, "34C")
{
    c = make(1);
    d = make(0);
    e = make(1);
    JOIN {
        go(passes_on);
        go(passes_on_again);
        sends_1(NULL);
        sends_2(NULL);
        leat_close(c);
        for (int i = 0; i < 3; i++)
            say("%c", received(e));
    }
}
TASK(sends_1_finishes) { leat_ignore(put(c, 1)); leat_finish(c); }
TASK(sends_2_finishes) { leat_ignore(put(c, 2)); leat_finish(c); }
PROGRAM(the_last_finish_closes, "12C 21C")
{
    c = make(1);
    leat_tx(int) second = leat_ref(leat_tx_of(c));
    JOIN { go(sends_1_finishes); go(sends_2_finishes); receives(NULL); receives(NULL); receives(NULL); }
    leat_unref(second);
}
TASK(in_and_out)
{
    leat_ignore(put(c, 1));
    x++;
    got = x > got ? x : got;
    leat_yield();
    x--;
    leat_ignore(leat_recv(c, &(int){ 0 }));
}
PROGRAM(a_channel_of_two_lets_two_in, "2 1")
{
    c = make(2);
    JOIN { go(in_and_out); go(in_and_out); go(in_and_out); }
    say("%d", got);
}

/* -- tries ---------------------------------------------------------------------------------------------------------------- */
PROGRAM(a_try_meets_a_waiting_receiver_or_nobody, "ok1 1ok againC")
{
    c = make(0);
    JOIN { go(receives); say("%s", word(leat_try_send(c, 1))); leat_close(c); }
}
TASK(tries_1) { say("%s", word(leat_try_send(c, 1))); }
PROGRAM(two_tries_one_slot, "okagain againok")
{
    c = make(1);
    JOIN { go(tries_1); go(tries_1); }
}
PROGRAM(a_try_to_receive, "1 A1")
{
    int v = 0;
    c = make(1);
    JOIN {
        go(sends_1);
        leat_err err = leat_try_recv(c, &v);
        say("%c", letter(err, v));
        if (err == LEAT_AGAIN)
            receives(NULL);
    }
}

/* -- select --------------------------------------------------------------------------------------------------------------- */
static void select_c_or_d(void)
{
    int v = 0;
    leat_err err;
    leat_select(err) { leat_on_recv(c, &v) { say("c%d", v); }  leat_on_recv(d, &v) { say("d%d", v); } }
    if (err != LEAT_OK)
        say("%c", letter(err, 0));
}
TASK(sends_2_to_d) { leat_ignore(put(d, 2)); }
PROGRAM(a_select_takes_either_of_two_ready, "c1 d2")
{
    c = make(1);
    d = make(1);
    sends_1(NULL);
    sends_2_to_d(NULL);
    select_c_or_d();
}
PROGRAM(two_selects_take_both_of_two_senders, "c1d2 d2c1")
{
    c = make(0);
    d = make(0);
    JOIN { go(sends_1); go(sends_2_to_d); select_c_or_d(); select_c_or_d(); }
}
TASK(closes_c_then_d) { leat_close(c); leat_close(d); }
PROGRAM(a_select_of_closed_channels_says_so, "C")
{
    c = make(0);
    d = make(1);
    JOIN { go(closes_c_then_d); select_c_or_d(); }
}
TASK(sends_c_or_receives_d)
{
    int one = 1, v;
    leat_err err;
    leat_select(err) { leat_on_send(c, &one) { say("c"); }  leat_on_recv(d, &v) { say("d"); } }
    leat_ignore(err);
}
PROGRAM(two_selects_meet_once, "cC dD Cc Dd")
{
    int one = 1, v;
    leat_err err;
    c = make(0);
    d = make(0);
    JOIN {
        go(sends_c_or_receives_d);
        leat_select(err) { leat_on_recv(c, &v) { say("C"); }  leat_on_send(d, &one) { say("D"); } }
        leat_ignore(err);
    }
}
PROGRAM(otherwise_when_nothing_is_ready, "1 -1")
{
    int v = 0;
    leat_err err;
    c = make(0);
    JOIN {
        go(sends_1);
        leat_select(err) { leat_on_recv(c, &v) { say("%d", v); }  leat_otherwise { say("-"); } }
        leat_ignore(err);
        if (!v)
            receives(NULL);
    }
}
PROGRAM(the_end_is_seen_after_the_elements, "1e")
{
    int v;
    leat_err err = LEAT_OK;
    bool more = true;
    c = make(1);
    JOIN {
        go(sends_1_closes);
        while (more && err == LEAT_OK)
            leat_select(err) { leat_on_recv(c, &v) { say("%d", v); }  leat_on_closed(c) { say("e"); more = false; } }
    }
}
PROGRAM(a_send_in_a_select_against_a_close, "sent1 1sent closedC Cclosed")
{
    int one = 1;
    leat_err err;
    c = make(0);
    JOIN {
        go(receives);
        go(closes);
        leat_select(err) { leat_on_send(c, &one) { say("sent"); } }
        if (err != LEAT_OK)
            say("%s", word(err));
    }
}
TASK(both_ends)
{
    leat_err err;
    int v, mine = 1;
    leat_select(err) { leat_on_recv(c, &v) { say("r"); }  leat_on_send(c, &mine) { say("s"); } }
    leat_ignore(err);
}
PROGRAM(selects_at_both_ends_of_one_channel, "rs sr")
{
    c = make(0);
    JOIN { go(both_ends); go(both_ends); }
}

/* -- contexts and time ---------------------------------------------------------------------------------------------------- */
TASK(receives_in_a_scope)
{
    leat_with_cancel(ctx) {
        ctx_of = ctx;
        leat_close(d);
        say("%c", received(c));
    }
}
PROGRAM(a_cancel_against_a_receive, "ok1 1ok Xagain againX")
{
    c = make(0);
    d = make(0);
    JOIN {
        go(receives_in_a_scope);
        leat_ignore(leat_recv(d, &got));
        leat_err err = leat_try_send(c, 1);
        if (err != LEAT_OK)
            leat_cancel(ctx_of, LEAT_CANCELED);      /* it waits for ever else, so its scope is still there */
        say("%s", word(err));
    }
}
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
static void sends_1_says(void) { say("%s", word(put(c, 1))); }
PROGRAM(a_value_is_sent_or_still_the_senders, "ok1 1ok canceledC")
{
    c = make(0);
    JOIN { go(receives); canceled_meanwhile(sends_1_says); leat_close(c); }
}
PROGRAM(a_cancel_against_a_select, "c1 X1")
{
    c = make(1);
    d = make(0);
    JOIN { go(sends_1); canceled_meanwhile(select_c_or_d); }
    if (leat_len(c))
        receives(NULL);
}
static leat_err fails(leat_none *none)
{
    (void)none;
    return leat_fail(LEAT_REFUSED, "so it is");
}
TASK(waits_for_ever) { say("%c", received(c)); }
PROGRAM(the_first_error_cancels_the_siblings, "XX")
{
    c = make(0);
    JOIN { go(waits_for_ever); leat_ignore(leat_go(s.group, fails, LEAT_NONE)); waits_for_ever(NULL); }
    CHECK_EQ(s_joined, LEAT_REFUSED);
}
TASK(sleeps_sends) { leat_ignore(leat_sleep(LEAT_MS(1))); leat_ignore(leat_try_send(c, 1)); }
PROGRAM(a_send_at_the_instant_of_a_deadline_is_late, "D")
{
    c = make(0);
    JOIN { go(sleeps_sends); leat_with_deadline(LEAT_MS(1)) { receives(NULL); } }
}
TASK(waits_for_done)
{
    leat_err err;
    int v;
    leat_select(err) { leat_on_done(ctx_of) { say("done"); }  leat_on_recv(c, &v) { say("%d", v); } }
    leat_ignore(err);
    x = 1;
}
PROGRAM(the_end_of_another_context, "done 1")
{
    c = make(1);
    leat_with_cancel(ctx) {
        ctx_of = ctx;
        go(waits_for_done);                          /* in the group of the program, not in this scope */
        go(sends_1);
        leat_cancel(ctx, LEAT_CANCELED);
        while (!x)
            leat_yield();
    }
}

/* -- mutex and once ------------------------------------------------------------------------------------------------------- */
static leat_mutex mutex;
TASK(adds_locked)
{
    leat_err err;
    leat_with_lock(&mutex, err) {
        int old = x;
        leat_yield();
        x = old + 1;
    }
    leat_ignore(err);
}
PROGRAM(a_mutex_lets_one_in, "3")
{
    JOIN { go(adds_locked); go(adds_locked); go(adds_locked); }
    say("%d", x);
}
static void locks_says(void)
{
    leat_err err = leat_lock(&mutex);
    if (err == LEAT_OK)
        leat_unlock(&mutex);
    say("%s", word(err));
}
PROGRAM(a_cancel_against_a_lock, "ok3 canceled3")
{
    JOIN { go(adds_locked); go(adds_locked); canceled_meanwhile(locks_says); }
    adds_locked(NULL);
    say("%d", x);
}
static leat_once once;
static leat_err counts(void)
{
    x++;
    leat_yield();
    return LEAT_CLOSED;
}
TASK(does_once) { say("%s", word(leat_do_once(&once, counts))); }
PROGRAM(once_is_once, "closedclosed1")
{
    JOIN { go(does_once); go(does_once); }
    say("%d", x);
}

/* -- two bugs ------------------------------------------------------------------------------------------------------------- */
TASK(sends_if_there_is_room) { if (leat_len(c) < 1) leat_ignore(put(c, 1)); }
static void checks_then_acts(void)
{
    c = make(1);
    JOIN { go(sends_if_there_is_room); go(sends_if_there_is_room); }
    say("done");
}
static const struct s_program check_then_act = { "check_then_act", "done", checks_then_acts, NULL };

TASK(adds_unlocked)
{
    int old = x;
    point();
    x = old + 1;
}
static void loses_an_update(void)
{
    JOIN { go(adds_unlocked); go(adds_unlocked); }
    say("%d", x);
}
static const struct s_program lost_update = { "lost_update", "2", loses_an_update, NULL };

/* -- larger ones ---------------------------------------------------------------------------------------------------------- */
enum { PRODUCERS = 4, EACH = 3 };
TASK(produces) { for (int i = 1; i <= EACH; i++) leat_ignore(put(c, i)); leat_finish(c); }
TASK(moves)
{
    leat_err err = LEAT_OK;
    int v;
    bool more = true;
    while (more && err == LEAT_OK)
        leat_select(err) { leat_on_recv(c, &v) { leat_ignore(put(d, v)); }  leat_on_closed(c) { more = false; } }
    leat_finish(d);
}
static void many_to_many(void)
{
    leat_tx(int) in[PRODUCERS - 1];
    c = make(1);
    d = make(0);
    for (int i = 0; i < PRODUCERS - 1; i++)
        in[i] = leat_ref(leat_tx_of(c));
    leat_tx(int) out = leat_ref(leat_tx_of(d));
    JOIN {
        leat_err err;
        for (int i = 0; i < PRODUCERS; i++)
            go(produces);
        go(moves);
        go(moves);
        leat_each(v, d, err)
            x += v;
        leat_ignore(err);
    }
    for (int i = 0; i < PRODUCERS - 1; i++)
        leat_unref(in[i]);
    leat_unref(out);
    say("%d", x);
}
static const struct s_program larger = { "many_to_many", "24", many_to_many, NULL };

TASK(locks_and_sends) { for (int i = 0; i < 3; i++) { adds_locked(NULL); leat_ignore(put(c, 1)); } }
static void canceled_in_the_middle(void)
{
    c = make(2);
    JOIN {
        for (int i = 0; i < 4; i++)
            go(locks_and_sends);
        for (int i = 0; i < 5; i++)
            leat_ignore(leat_recv(c, &got));
        leat_group_cancel(s.group);
    }
    leat_err err = leat_lock(&mutex);                /* whoever was cancelled holds nothing */
    say("%s", word(err));
    leat_unlock(&mutex);
}
static const struct s_program larger_canceled = { "canceled_in_the_middle", "ok", canceled_in_the_middle, NULL };

/* -- the tests ------------------------------------------------------------------------------------------------------------ */
static void fresh(void)
{
    x = got = 0;
    memset(&mutex, 0, sizeof mutex);
    memset(&once, 0, sizeof once);
}

TEST(small_programs_say_what_they_may_and_all_of_it)
{
    s_fresh = fresh;
    small_programs();
}

TEST(a_bug_that_needs_a_preemption_is_found_with_one)
{
    s_fresh = fresh;
    const struct s_program *bugs[] = { &check_then_act, &lost_update };
    for (size_t i = 0; i < 2; i++)
        for (uint32_t bound = 0; bound < 2; bound++) {
            struct s_seen seen = { 0 };
            bool found = false;
            every(bugs[i], bound, &seen);
            for (uint32_t k = 0; k < seen.n; k++)
                found |= !s_permitted(bugs[i]->outcomes, seen.said[k]);
            CHECK_EQ(found, bound == 1);
        }
}

TEST(larger_programs_say_what_they_may_at_random_and_by_priorities)
{
    s_fresh = fresh;
    const struct s_program *all[] = { &larger, &larger_canceled };
    uint32_t runs = times() ? times() * 1000 : getenv("T_QUICK") ? 30 : 300;
    for (size_t i = 0; i < 2; i++)
        for (enum s_mode mode = S_RANDOM; mode <= S_PRIORITY; mode++) {
            struct s_program q = { all[i]->name, all[i]->outcomes, body_fresh, NULL };
            struct s_seen seen = { 0 };
            s_now_program = all[i];
            s_some(&q, mode, runs, &seen);
            forbid_others(&q, &seen);
        }
    printf("# %u schedules\n", 4 * runs);
}

T_MAIN()
