/* chan_test.c - what a channel promises, as a program sees it: order, capacity, close, try, errors.  With 1 and 3 workers. */
#include "leat.h"
#include "t.h"

#define RUN(fn) do { for (uint32_t w_ = 1; w_ <= 3; w_ += 2) { \
    leat_err e_ = leat_run(&(leat_opts){ .workers = w_ }, fn, LEAT_NONE); \
    if (e_ != LEAT_OK) t_fail(__FILE__, __LINE__, "%u workers: %s: %s", w_, leat_err_name(e_), leat_err_detail()); } } while (0)

struct many { leat_chan(int64_t) c; int64_t n, id; };

static leat_err send_many(struct many *m)
{
    for (int64_t i = 0; i < m->n; i++)
        LEAT_TRY(leat_send(m->c, m->id << 32 | i));
    return LEAT_OK;
}

/* -- order ------------------------------------------------------------------------------------------------------------------ */
static leat_err fifo_per_sender(leat_none *none)
{
    (void)none;
    enum { SENDERS = 4, EACH = 3000 };
    for (size_t cap = 0; cap <= 5; cap += 5) {
        leat_auto leat_chan(int64_t) c = leat_chan_make(int64_t, cap);
        leat_err err;
        leat_with_group(g, err) {
            for (int64_t s = 0; s < SENDERS; s++)
                LEAT_TRY(leat_go(&g, send_many, (struct many){ c, EACH, s }));
            int64_t next[SENDERS] = { 0 }, v;
            for (int i = 0; i < SENDERS * EACH; i++) {
                LEAT_TRY(leat_recv(c, &v));
                if ((v & 0xffffffff) != next[v >> 32]++)
                    return leat_fail(LEAT_INVAL, "sender %d out of order", (int)(v >> 32));
            }
        }
        LEAT_TRY(err);
    }
    return LEAT_OK;
}
TEST(elements_of_one_sender_arrive_in_order) { RUN(fifo_per_sender); }

/* -- capacity ----------------------------------------------------------------------------------------------------------------- */
static leat_err capacity(leat_none *none)
{
    (void)none;
    leat_auto leat_chan(int) c = leat_chan_make(int, 3);
    for (int i = 0; i < 3; i++)
        LEAT_TRY(leat_try_send(c, i));
    CHECK_EQ(leat_len(c), 3);
    CHECK_EQ(leat_cap(c), 3);
    CHECK_EQ(leat_try_send(c, 3), LEAT_AGAIN);
    int v = -1;
    LEAT_TRY(leat_try_recv(c, &v));
    CHECK_EQ(v, 0);
    LEAT_TRY(leat_try_send(c, 3));
    for (int i = 1; i <= 3; i++) {
        LEAT_TRY(leat_recv(c, &v));
        CHECK_EQ(v, i);
    }
    CHECK_EQ(leat_try_recv(c, &v), LEAT_AGAIN);
    return LEAT_OK;
}
TEST(a_buffer_holds_its_capacity_and_no_more) { RUN(capacity); }

static leat_err unbuffered_try(leat_none *none)
{
    (void)none;
    leat_auto leat_chan(int) c = leat_chan_make(int, 0);
    int v;
    CHECK_EQ(leat_try_send(c, 1), LEAT_AGAIN);
    CHECK_EQ(leat_try_recv(c, &v), LEAT_AGAIN);
    return LEAT_OK;
}
TEST(a_try_on_an_unbuffered_channel_needs_a_partner) { RUN(unbuffered_try); }

/* The receive of an unbuffered channel happens before the send completes: what the receiver did before is seen after it. */
struct hb { leat_chan(int) c; int *shared; };
static leat_err hb_receiver(struct hb *h)
{
    int v;
    *h->shared = 42;
    return leat_recv(h->c, &v);
}
static leat_err rendezvous(leat_none *none)
{
    (void)none;
    leat_err err;
    for (int i = 0; i < 2000; i++) {
        leat_auto leat_chan(int) c = leat_chan_make(int, 0);
        int shared = 0;
        leat_with_group(g, err) {
            LEAT_TRY(leat_go(&g, hb_receiver, (struct hb){ c, &shared }));
            LEAT_TRY(leat_send(c, 1));
            if (shared != 42)
                return leat_fail(LEAT_INVAL, "the send completed before the receive");
        }
        LEAT_TRY(err);
    }
    return LEAT_OK;
}
TEST(an_unbuffered_send_completes_after_its_receive_began) { RUN(rendezvous); }

/* -- close ---------------------------------------------------------------------------------------------------------------------- */
static leat_err close_drains(leat_none *none)
{
    (void)none;
    leat_auto leat_chan(int) c = leat_chan_make(int, 4);
    int v = 0, sum = 0;
    leat_err err;
    for (int i = 1; i <= 3; i++)
        LEAT_TRY(leat_send(c, i));
    leat_close(c);
    leat_close(c);                                   /* twice is once */
    CHECK_EQ(leat_send(c, 9), LEAT_CLOSED);
    CHECK_EQ(leat_try_send(c, 9), LEAT_CLOSED);
    leat_each(x, c, err)
        sum += x;
    CHECK_EQ(err, LEAT_OK);
    CHECK_EQ(sum, 6);
    CHECK_EQ(leat_recv(c, &v), LEAT_CLOSED);
    CHECK_EQ(leat_try_recv(c, &v), LEAT_CLOSED);
    CHECK_STR(leat_err_name(leat_recv(c, &v)), "CLOSED");
    return LEAT_OK;
}
TEST(a_closed_channel_is_drained_then_says_closed) { RUN(close_drains); }

struct waiters { leat_chan(int) c; leat_chan(int) done; };
static leat_err wait_recv(struct waiters *w)
{
    int v;
    return leat_send(w->done, leat_recv(w->c, &v) == LEAT_CLOSED);
}
static leat_err wait_send(struct waiters *w)
{
    return leat_send(w->done, leat_send(w->c, 1) == LEAT_CLOSED);
}
static leat_err close_wakes(leat_none *none)
{
    (void)none;
    leat_err err;
    for (int sends = 0; sends < 2; sends++)
        for (int round = 0; round < 50; round++) {
            leat_auto leat_chan(int) c = leat_chan_make(int, 0);
            leat_auto leat_chan(int) done = leat_chan_make(int, 20);
            leat_with_group(g, err) {
                for (int i = 0; i < 20; i++)
                    LEAT_TRY(leat_go(&g, sends ? wait_send : wait_recv, (struct waiters){ c, done }));
                for (int i = 0; i < round; i++)
                    leat_yield();
                leat_close(c);
                for (int i = 0, v; i < 20; i++) {
                    LEAT_TRY(leat_recv(done, &v));
                    if (!v)
                        return leat_fail(LEAT_INVAL, "a waiter was not told of the close");
                }
            }
            LEAT_TRY(err);
        }
    return LEAT_OK;
}
TEST(chan_close_wakes_every_waiter) { RUN(close_wakes); }

static leat_err finish_counts(leat_none *none)
{
    (void)none;
    leat_auto leat_chan(int) c = leat_chan_make(int, 1);
    leat_tx(int) other = leat_ref(leat_tx_of(c));
    leat_finish(other);
    CHECK_EQ(leat_send(c, 1), LEAT_OK);              /* one sender is left */
    leat_finish(c);
    CHECK_EQ(leat_send(c, 2), LEAT_CLOSED);
    int v;
    CHECK_EQ(leat_recv(c, &v), LEAT_OK);
    CHECK_EQ(leat_recv(c, &v), LEAT_CLOSED);
    leat_unref(other);
    return LEAT_OK;
}
TEST(the_last_finish_closes) { RUN(finish_counts); }

/* The maker finishes and keeps its channel; others, who have a send end alone, finish or go without a word, in any order. */
static leat_err finish_of_maker(leat_none *none)
{
    enum { OTHERS = 3 };
    (void)none;
    for (int order = 0; order < 1 << OTHERS; order++)
        for (int when = 0; when <= OTHERS; when++) {
            leat_auto leat_chan(int) c = leat_chan_make(int, 1);
            leat_tx(int) other[OTHERS];
            int v;
            for (int i = 0; i < OTHERS; i++)
                other[i] = leat_ref(leat_tx_of(c));
            for (int i = 0; i <= OTHERS; i++) {
                CHECK_EQ(leat_try_recv(c, &v), when < i && i == OTHERS ? LEAT_CLOSED : LEAT_AGAIN);    /* while somebody is left */
                if (i == when)
                    leat_finish(c);
                if (i == OTHERS)
                    break;
                if (order >> i & 1)
                    leat_finish(other[i]);
                leat_unref(other[i]);
            }
            CHECK_EQ(leat_try_recv(c, &v), LEAT_CLOSED);
        }
    return LEAT_OK;
}
TEST(a_maker_that_has_finished_hides_nobody_who_goes_without_a_word) { RUN(finish_of_maker); }

static leat_err dropping_ends(leat_none *none)
{
    (void)none;
    int v;
    leat_chan(int) c = leat_chan_make(int, 2);
    leat_rx(int) in = leat_ref(leat_rx_of(c));
    leat_tx(int) out = leat_ref(leat_tx_of(c));
    leat_unref(c);                                   /* its maker goes: one end of each kind is left */
    CHECK_EQ(leat_send(out, 1), LEAT_OK);
    leat_unref(out);                                 /* the last send end goes without a word: as if it had finished */
    CHECK_EQ(leat_recv(in, &v), LEAT_OK);
    CHECK_EQ(leat_recv(in, &v), LEAT_CLOSED);
    leat_unref(in);

    c = leat_chan_make(int, 1);
    in = leat_ref(leat_rx_of(c));
    out = leat_ref(leat_tx_of(c));
    leat_unref(c);
    leat_finish(out);
    leat_unref(out);                                 /* finished and gone is once */
    CHECK_EQ(leat_recv(in, &v), LEAT_CLOSED);
    leat_unref(in);
    return LEAT_OK;
}
TEST(dropping_the_last_send_end_closes) { RUN(dropping_ends); }

struct half { leat_tx(int) out; };
static leat_err send_until_gone(struct half *h)
{
    leat_err e;
    for (int i = 0; (e = leat_send(h->out, i)) == LEAT_OK; i++)
        ;
    leat_unref(h->out);
    return e == LEAT_GONE ? LEAT_OK : e;
}
static leat_err receivers_gone(leat_none *none)
{
    (void)none;
    leat_err err;
    for (size_t cap = 0; cap < 3; cap++) {
        leat_chan(int) c = leat_chan_make(int, cap);
        leat_with_group(g, err) {
            LEAT_TRY(leat_go(&g, send_until_gone, (struct half){ leat_ref(leat_tx_of(c)) }));
            int v;
            LEAT_TRY(leat_recv(c, &v));
            leat_yield();
            leat_unref(c);
        }
        LEAT_TRY(err);
    }
    return LEAT_OK;
}
TEST(senders_are_told_when_every_receive_end_is_gone) { RUN(receivers_gone); }

/* -- odd ones -------------------------------------------------------------------------------------------------------------------- */
static leat_err no_channel(leat_none *none)
{
    (void)none;
    leat_chan(int) c = NULL;
    int v;
    CHECK_EQ(leat_send(c, 1), LEAT_INVAL);
    CHECK_HAS(leat_err_detail(), "leat_send: the channel is NULL");
    CHECK_EQ(leat_flush(c), LEAT_INVAL);
    CHECK_EQ(leat_recv(c, &v), LEAT_INVAL);
    CHECK_EQ(leat_try_send(c, 1), LEAT_INVAL);
    CHECK_EQ(leat_try_recv(c, &v), LEAT_INVAL);
    CHECK_EQ(leat_len(c), 0);
    leat_close(c);
    leat_unref(c);
    CHECK(leat_chan_make(char[1 << 20], SIZE_MAX / 4) == NULL);
    return LEAT_OK;
}
TEST(a_null_channel_is_an_error_and_no_crash) { RUN(no_channel); }

struct big { char bytes[5000]; };
static leat_err big_sender(struct many *m)
{
    leat_chan(struct big) c = (void *)m->c;
    struct big b;
    for (int i = 0; i < 100; i++) {
        memset(b.bytes, i, sizeof b.bytes);
        LEAT_TRY(leat_send_from(c, &b));
    }
    leat_close(c);
    return LEAT_OK;
}
static leat_err big_values(leat_none *none)
{
    (void)none;
    for (size_t cap = 0; cap < 3; cap++) {
        leat_auto leat_chan(struct big) c = leat_chan_make(struct big, cap);
        leat_err err;
        leat_with_group(g, err) {
            LEAT_TRY(leat_go(&g, big_sender, (struct many){ .c = (void *)c }));
            struct big b;
            for (int i = 0; (err = leat_recv(c, &b)) == LEAT_OK; i++)
                if (b.bytes[0] != (char)i || b.bytes[4999] != (char)i)
                    return leat_fail(LEAT_INVAL, "a torn value");
            if (err == LEAT_CLOSED)
                err = LEAT_OK;
        }
        LEAT_TRY(err);
    }
    return LEAT_OK;
}
TEST(large_values_arrive_whole) { RUN(big_values); }

/* -- threads that are no tasks ------------------------------------------------------------------------------------------------------ */
#include <pthread.h>
struct outside { leat_chan(int64_t) in, out; };
static void *outsider(void *arg)
{
    struct outside *o = arg;
    int64_t v;
    while (leat_recv(o->in, &v) == LEAT_OK)
        if (leat_send(o->out, v * 2) != LEAT_OK)
            break;
    leat_close(o->out);
    return NULL;
}
static leat_err outside_task(struct outside *o)
{
    leat_err err;
    int64_t v;
    for (int64_t i = 0; i < 2000; i++) {
        LEAT_TRY(leat_send(o->in, i));
        LEAT_TRY(leat_recv(o->out, &v));
        if (v != 2 * i)
            return LEAT_INVAL;
    }
    leat_close(o->in);
    err = leat_recv(o->out, &v);
    return err == LEAT_CLOSED ? LEAT_OK : LEAT_INVAL;
}
TEST(a_thread_that_is_no_task_sends_and_receives)
{
    struct outside o = { leat_chan_make(int64_t, 0), leat_chan_make(int64_t, 1) };
    pthread_t t;
    pthread_create(&t, NULL, outsider, &o);
    CHECK_EQ(leat_run(&(leat_opts){ .workers = 2 }, outside_task, o), LEAT_OK);
    pthread_join(t, NULL);
    leat_unref(o.in);
    leat_unref(o.out);
}

TEST(a_thread_that_is_no_task_obeys_its_deadline)
{
    leat_chan(int) c = leat_chan_make(int, 0);
    int v;
    leat_time t = leat_now();
    leat_with_deadline(LEAT_MS(20))
        CHECK_EQ(leat_recv(c, &v), LEAT_DEADLINE);
    CHECK(leat_since(t).ns >= 20000000);
    leat_unref(c);
}

/* Two runtimes side by side share a channel. */
static void *second_runtime(void *arg)
{
    struct many *m = arg;
    leat_err e = leat_run(&(leat_opts){ .workers = 2 }, send_many, *m);
    return e == LEAT_OK ? arg : NULL;
}
static leat_err first_runtime(struct many *m)
{
    int64_t v, sum = 0;
    for (int64_t i = 0; i < m->n; i++) {
        LEAT_TRY(leat_recv(m->c, &v));
        sum += v;
    }
    return sum == m->n * (m->n - 1) / 2 ? LEAT_OK : LEAT_INVAL;
}
TEST(a_channel_joins_two_runtimes_in_one_process)
{
    struct many m = { leat_chan_make(int64_t, 0), 5000, 0 };
    pthread_t t;
    void *ok;
    pthread_create(&t, NULL, second_runtime, &m);
    CHECK_EQ(leat_run(&(leat_opts){ .workers = 2 }, first_runtime, m), LEAT_OK);
    pthread_join(t, &ok);
    CHECK(ok != NULL);
    leat_unref(m.c);
}

/* Channels of all sizes, made here and given back there: by tasks of other workers, by a thread that is none, after the runtime. */
enum { HANDED = 1000 };
static leat_chan(char) handed[HANDED];
static leat_err gives_back(int *first)
{
    for (int i = *first; i < HANDED; i += 4) {
        CHECK_EQ(leat_cap(handed[i]), i % 300);
        leat_unref(handed[i]);
    }
    return LEAT_OK;
}
static void make_some(int from, int step)
{
    for (int i = from; i < HANDED; i += step) {
        handed[i] = leat_chan_make(char, (size_t)(i % 300));
        CHECK(handed[i] != NULL);
        for (int k = 0; k < i % 300; k++)
            CHECK_EQ(leat_try_send(handed[i], (char)k), LEAT_OK);     /* each has all the room it says */
    }
}
static leat_err hands_over(leat_none *none)
{
    (void)none;
    for (int round = 0; round < 3; round++) {
        leat_err err;
        if (round > 0)
            make_some(0, 2);
        make_some(round ? 1 : 0, round ? 2 : 1);
        if (round == 2)
            return LEAT_OK;                          /* the rest is given back by the thread */
        leat_with_group(g, err)
            for (int i = 0; i < 4; i++)
                LEAT_TRY(leat_go(&g, gives_back, i));
        LEAT_TRY(err);
    }
    return LEAT_OK;
}
TEST(channels_are_given_back_by_whoever_has_them_last)
{
    make_some(0, 2);
    for (int i = 0; i < HANDED; i += 2)
        leat_unref(handed[i]);
    CHECK_EQ(leat_run(&(leat_opts){ .workers = 3 }, hands_over, LEAT_NONE), LEAT_OK);
    for (int i = 0; i < HANDED; i++)
        leat_unref(handed[i]);
}

/* Full, empty or closed: its home is here. */
TEST(a_flush_in_one_process_has_nothing_to_wait_for)
{
    leat_auto leat_chan(int) c = leat_chan_make(int, 1);
    leat_with_deadline(LEAT_S(60)) {
        CHECK_EQ(leat_flush(c), LEAT_OK);
        CHECK_EQ(leat_send(c, 1), LEAT_OK);
        CHECK_EQ(leat_flush(c), LEAT_OK);
        leat_close(c);
        CHECK_EQ(leat_flush(c), LEAT_OK);
    }
}

T_MAIN()
