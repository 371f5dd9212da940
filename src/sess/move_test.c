/* move_test.c - ends that go on to a third node: what a relay keeps, and what becomes of it when somebody ends. */
#include "chan/chan.h"
#include "sess/ends.h"
#include "far.h"

enum { FROM = 40 };
#define MASK ((1ull << FROM) - 1)

/* -- what is sent through a relay --------------------------------------------------------------------------------------------------- */
static leat_err through(leat_none *none)
{
    (void)none;
    struct trio x = trio_open(3);
    EACH_CAP(k) {
        leat_tx(struct num) b = NULL, far = NULL;
        leat_chan(struct num) c = far_end(&x, &b, &far);
        struct feed fb = { .out = b, .from = 1ull << FROM, .count = 400, .finish = true };
        struct feed ff = { .out = far, .count = 400, .finish = true };
        uint64_t next[2] = { 0 };
        leat_err err;
        struct num v;
        CHECK_EQ(leat_cap(far), cap);
        leat_with_group(g, err) {
            LEAT_TRY(leat_go(&g, feed, (struct feed *){ &fb }));
            LEAT_TRY(leat_go(&g, feed, (struct feed *){ &ff }));
            while ((err = leat_recv(c, &v)) == LEAT_OK)
                CHECK_EQ(v.n & MASK, next[v.n >> FROM]++);
            CHECK_EQ(err, LEAT_CLOSED);
            err = LEAT_OK;
        }
        CHECK_EQ(err, LEAT_OK);
        CHECK_EQ(next[0], 400);
        CHECK_EQ(next[1], 400);
        leat_unref(c);
    }
    trio_close(&x);
    return LEAT_OK;
}
ANYWHERE(what_is_sent_through_a_relay_arrives_once_and_in_order, through)

/* What c sends follows what b had sent before it gave the end away. */
static leat_err follows(leat_none *none)
{
    (void)none;
    struct trio x = trio_open(3);
    cap = 64;
    leat_chan(struct num) c = leat_chan_make(struct num, cap);
    leat_tx(struct num) b = trio_tx(&x, A, B, leat_ref(leat_tx_of(c)));
    struct num v;
    for (uint64_t i = 0; i < 30; i++)
        CHECK_EQ(leat_send(b, { .n = i }), LEAT_OK);
    leat_tx(struct num) far = trio_tx(&x, B, C, b);
    for (uint64_t i = 30; i < 60; i++)
        CHECK_EQ(leat_send(far, { .n = i }), LEAT_OK);
    leat_unref(far);
    leat_finish(c);
    for (uint64_t i = 0; i < 60; i++) {
        CHECK_EQ(leat_recv(c, &v), LEAT_OK);
        CHECK_EQ(v.n, i);
    }
    CHECK_EQ(leat_recv(c, &v), LEAT_CLOSED);
    leat_unref(c);
    trio_close(&x);
    return LEAT_OK;
}
ANYWHERE(what_is_sent_through_a_relay_follows_what_the_relay_sent_before, follows)

/* At most capacity elements are complete and not received, and a send that waits is served whoever had the credits before. */
static leat_err capacity(leat_none *none)
{
    (void)none;
    struct trio x = trio_open(3);
    cap = 3;
    leat_tx(struct num) b = NULL, far = NULL;
    leat_chan(struct num) c = far_end(&x, &b, &far);
    leat_tx(struct num) here = leat_ref(leat_tx_of(c)), who[] = { far, b, here };
    struct num v;
    for (uint64_t round = 0; round < 60; round++) {
        leat_tx(struct num) out = who[round % 3];
        for (uint64_t i = 0; i < cap; i++)           /* whoever has idle credits gives them up to this one */
            CHECK_EQ(leat_send(out, { .n = round }), LEAT_OK);
        leat_err err = LEAT_OK;
        leat_with_deadline(LEAT_MS(2))
            err = leat_send(who[(round + 1) % 3], { .n = 1000 });
        CHECK_EQ(err, LEAT_DEADLINE);
        CHECK_EQ(leat_flush(out), LEAT_OK);
        CHECK_EQ(leat_len(c), cap);
        for (uint64_t i = 0; i < cap; i++) {
            CHECK_EQ(leat_recv(c, &v), LEAT_OK);
            CHECK_EQ(v.n, round);
        }
    }
    leat_unref(here);
    leat_unref(b);
    leat_unref(far);
    leat_unref(c);
    trio_close(&x);
    return LEAT_OK;
}
ANYWHERE(a_relay_neither_adds_to_the_capacity_nor_keeps_credits, capacity)

static leat_err take_one(leat_rx(struct num) *in)
{
    struct num v;
    return leat_recv(*in, &v);
}

static leat_err tries(leat_none *none)
{
    (void)none;
    struct trio x = trio_open(3);
    EACH_CAP(k) {
        leat_tx(struct num) b = NULL, far = NULL;
        leat_chan(struct num) c = far_end(&x, &b, &far);
        struct num v;
        leat_err err;
        for (size_t i = 0; i < cap; i++)
            CHECK_EQ(leat_try_send(far, { .n = i }), LEAT_OK);
        CHECK_EQ(leat_try_send(far, { .n = 1 }), LEAT_AGAIN);
        CHECK_EQ(leat_try_send(b, { .n = 1 }), LEAT_AGAIN);
        for (size_t i = 0; i < cap; i++)
            CHECK_EQ(leat_recv(c, &v), LEAT_OK);
        if (cap == 0)
            leat_with_group(g, err) {
                LEAT_TRY(leat_go(&g, take_one, (leat_rx(struct num)){ leat_rx_of(c) }));
                while ((err = leat_try_send(far, { .n = 1 })) == LEAT_AGAIN)
                    leat_yield();
                CHECK_EQ(err, LEAT_OK);
            }
        leat_unref(b);
        leat_unref(far);
        CHECK_EQ(leat_recv(c, &v), LEAT_CLOSED);
        leat_unref(c);
    }
    trio_close(&x);
    return LEAT_OK;
}
ANYWHERE(a_try_through_a_relay_asks_the_home, tries)

/* Given up in time: not sent, and nothing of it arrives; the next one does. */
static leat_err withdrawn(leat_none *none)
{
    (void)none;
    struct trio x = trio_open(3);
    cap = 0;
    leat_tx(struct num) b = NULL, far = NULL;
    leat_chan(struct num) c = far_end(&x, &b, &far);
    struct num v;
    leat_err err = LEAT_OK;
    for (uint64_t i = 0; i < 10; i++) {
        leat_with_deadline(LEAT_MS(2))
            err = leat_send(i % 2 ? b : far, { .n = 1000 + i });
        CHECK_EQ(err, LEAT_DEADLINE);
        struct feed f = { .out = far, .from = i, .count = 1 };
        leat_with_group(g, err) {
            LEAT_TRY(leat_go(&g, feed, (struct feed *){ &f }));
            LEAT_TRY(leat_recv(c, &v));
        }
        CHECK_EQ(err, LEAT_OK);
        CHECK_EQ(v.n, i);
        CHECK_EQ(f.err, LEAT_OK);
    }
    leat_unref(b);
    leat_unref(far);
    CHECK_EQ(leat_recv(c, &v), LEAT_CLOSED);
    leat_unref(c);
    trio_close(&x);
    return LEAT_OK;
}
ANYWHERE(a_rendezvous_through_a_relay_that_is_given_up_was_not_sent, withdrawn)

struct race { leat_tx(struct num) out; uint64_t sent, unknown; };
static leat_err race_send(struct race **arg)
{
    struct race *r = *arg;
    leat_err err = LEAT_OK;
    for (int i = 0; i < 150; i++) {
        leat_with_deadline(LEAT_US(10 * (i % 40)))
            err = leat_send(r->out, { .n = 1 });
        CHECK(err == LEAT_OK || err == LEAT_DEADLINE || err == LEAT_UNKNOWN);
        r->sent += err == LEAT_OK;
        r->unknown += err == LEAT_UNKNOWN;
    }
    leat_unref(r->out);
    return LEAT_OK;
}

/* A deadline runs against a receive: one outcome, the same at both sides. */
static leat_err deadline_race(leat_none *none)
{
    (void)none;
    struct trio x = trio_open(3);
    for (cap = 0; cap < 2; cap++) {
        leat_tx(struct num) b = NULL, far = NULL;
        leat_chan(struct num) c = far_end(&x, &b, &far);
        struct race r = { .out = far };
        uint64_t got = 0;
        struct num v;
        leat_err err;
        leat_unref(b);
        leat_with_group(g, err) {
            LEAT_TRY(leat_go(&g, race_send, (struct race *){ &r }));
            while ((err = leat_recv(c, &v)) == LEAT_OK)
                if (++got % 3 == 0)
                    leat_ignore(leat_sleep(LEAT_US(100)));
            CHECK_EQ(err, LEAT_CLOSED);
            err = LEAT_OK;
        }
        CHECK_EQ(err, LEAT_OK);
        CHECK(got >= r.sent && got <= r.sent + r.unknown);
        leat_unref(c);
    }
    trio_close(&x);
    return LEAT_OK;
}
ANYWHERE(deadline_against_a_send_through_a_relay_has_one_outcome, deadline_race)

/* -- the end of sending ------------------------------------------------------------------------------------------------------------- */
static leat_err closes(leat_none *none)
{
    (void)none;
    struct trio x = trio_open(3);
    EACH_CAP(k)
        for (int who = A; who <= C; who++) {
            leat_tx(struct num) b = NULL, far = NULL;
            leat_chan(struct num) c = far_end(&x, &b, &far);
            leat_tx(struct num) at[] = { leat_ref(leat_tx_of(c)), b, far };
            struct num v;
            uint64_t got = 0, sent = MIN(cap, (size_t)2);
            for (uint64_t i = 0; i < sent; i++)
                CHECK_EQ(leat_send(far, { .n = i }), LEAT_OK);
            leat_close(at[who]);
            leat_err err;
            while ((err = leat_recv(c, &v)) == LEAT_OK)
                CHECK_EQ(v.n, got++);
            CHECK_EQ(err, LEAT_CLOSED);
            CHECK_EQ(got, sent);
            for (int i = A; i <= C; i++)
                CHECK_EQ(leat_send(at[i], { .n = 1 }), LEAT_CLOSED);
            CHECK_EQ(leat_flush(far), LEAT_OK);
            for (int i = A; i <= C; i++)
                leat_unref(at[i]);
            leat_unref(c);
        }
    trio_close(&x);
    return LEAT_OK;
}
ANYWHERE(whoever_closes_closes_for_all, closes)

/* Senders wait at each node when the channel closes, or its receiver goes: each is told, and what was complete arrives. */
static leat_err closed_on_senders(leat_none *none)
{
    (void)none;
    struct trio x = trio_open(3);
    for (int gone = 0; gone < 2; gone++)
        EACH_CAP(k)
            for (int who = A; who <= (gone ? A : C); who++) {
                leat_tx(struct num) b = NULL, far = NULL;
                leat_chan(struct num) c = far_end(&x, &b, &far);
                leat_tx(struct num) at[] = { leat_ref(leat_tx_of(c)), b, far };
                leat_rx(struct num) in = leat_ref(leat_rx_of(c));
                struct feed f[3];
                uint64_t got[3] = { 0 };
                leat_err err;
                leat_unref(c);
                leat_with_group(g, err) {
                    for (int i = A; i <= C; i++) {
                        f[i] = (struct feed){ .out = at[i], .from = (uint64_t)i << FROM, .count = UINT64_MAX };
                        LEAT_TRY(leat_go(&g, feed, (struct feed *){ &f[i] }));
                    }
                    struct num v;
                    for (int i = 0; i < 100; i++) {
                        LEAT_TRY(leat_recv(in, &v));
                        CHECK_EQ(v.n & MASK, got[v.n >> FROM]++);
                    }
                    if (gone)
                        leat_unref(in);
                    else
                        leat_close(at[who]);
                    while (in && (err = leat_recv(in, &v)) == LEAT_OK)
                        CHECK_EQ(v.n & MASK, got[v.n >> FROM]++);
                    CHECK(gone || err == LEAT_CLOSED);
                    err = LEAT_OK;
                }
                CHECK_EQ(err, LEAT_OK);
                for (int i = A; i <= C; i++) {
                    CHECK_EQ(f[i].err, gone ? LEAT_GONE : LEAT_CLOSED);
                    CHECK(gone ? f[i].count >= got[i] : f[i].count == got[i]);
                    CHECK_EQ(leat_send(at[i], { .n = 1 }), gone ? LEAT_GONE : LEAT_CLOSED);
                    leat_unref(at[i]);
                }
                leat_unref(in);
            }
    trio_close(&x);
    return LEAT_OK;
}
ANYWHERE(senders_that_wait_behind_a_relay_are_told_of_the_end, closed_on_senders)

/* The giver has let go of its end, but stays attached for who uses it; the last one that goes closes. */
static leat_err finishes(leat_none *none)
{
    (void)none;
    struct trio x = trio_open(3);
    EACH_CAP(k)
        for (int last = B; last <= C; last++) {
            leat_tx(struct num) b = NULL, far = NULL;
            leat_chan(struct num) c = far_end(&x, &b, &far);
            struct num v;
            leat_err err = LEAT_OK;
            if (last == C)
                leat_unref(b);
            else
                leat_unref(far);
            struct feed f = { .out = last == C ? far : b, .count = 5, .finish = true };
            leat_with_group(g, err) {
                LEAT_TRY(leat_go(&g, feed, (struct feed *){ &f }));
                for (uint64_t i = 0; i < 5; i++)
                    CHECK_EQ(leat_recv(c, &v), LEAT_OK);
                CHECK_EQ(leat_recv(c, &v), LEAT_CLOSED);
            }
            CHECK_EQ(err, LEAT_OK);
            leat_unref(c);
        }
    trio_close(&x);
    return LEAT_OK;
}
ANYWHERE(the_last_send_end_that_goes_closes_also_behind_a_relay, finishes)

static uint32_t senders_of(leat_chan_ *c)
{
    lock(&c->lock);
    uint32_t n = c->senders;
    unlock(&c->lock);
    return n;
}

/* One says that it has finished and keeps its end, another goes without a word: the channel closes when the first one goes, too. */
static leat_err finishes_and_stays(leat_none *none)
{
    (void)none;
    struct trio x = trio_open(3);
    EACH_CAP(k)
        for (int who = B; who <= C; who++) {
            leat_tx(struct num) b = NULL, far = NULL;
            leat_chan(struct num) c = far_end(&x, &b, &far);
            leat_tx(struct num) here = leat_ref(leat_tx_of(c));
            struct num v;
            leat_rx(struct num) in = leat_ref(leat_rx_of(c));
            leat_chan_ *raw = (leat_chan_ *)(void *)c, *b_raw = (leat_chan_ *)(void *)b;
            leat_unref(c);
            uint32_t senders = senders_of(who == B ? raw : b_raw);
            leat_finish(who == B ? b : far);
            if (who == B)
                leat_unref(far);
            else
                leat_unref(b);
            while (senders_of(who == B ? raw : b_raw) == senders)
                leat_ignore(leat_sleep(LEAT_US(100)));
            leat_unref(here);
            leat_unref(b);
            leat_unref(far);
            CHECK_EQ(leat_recv(in, &v), LEAT_CLOSED);
            leat_unref(in);
        }
    trio_close(&x);
    return LEAT_OK;
}
ANYWHERE(who_goes_without_a_word_is_not_hidden_for_ever, finishes_and_stays)

/* -- losses ------------------------------------------------------------------------------------------------------------------------- */
static leat_err dies(leat_none *none)
{
    (void)none;
    EACH_CAP(k)
        for (int who = A; who <= C; who++) {
            struct trio x = trio_open(3);
            leat_tx(struct num) b = NULL, far = NULL;
            leat_chan(struct num) c = far_end(&x, &b, &far);
            struct feed fb = { .out = b, .from = 1ull << FROM, .count = UINT64_MAX }, ff = { .out = far, .count = UINT64_MAX };
            uint64_t next[2] = { 0 };
            leat_err err, flush = LEAT_OK;
            struct num v;
            leat_with_group(g, err) {
                LEAT_TRY(leat_go(&g, feed, (struct feed *){ &ff }));
                if (who != C)
                    LEAT_TRY(leat_go(&g, feed, (struct feed *){ &fb }));
                for (int i = 0; i < 100; i++) {
                    CHECK_EQ(leat_recv(c, &v), LEAT_OK);
                    CHECK_EQ(v.n & MASK, next[v.n >> FROM]++);
                }
                trio_dies(&x, who);
                if (who == C) {                      /* the channel goes on without it */
                    fb.count = 50;
                    fb.finish = true;
                    LEAT_TRY(leat_go(&g, feed, (struct feed *){ &fb }));
                }
                while ((err = leat_recv(c, &v)) == LEAT_OK)
                    CHECK_EQ(v.n & MASK, next[v.n >> FROM]++);
                CHECK_EQ(err, LEAT_PEER_LOST);       /* never CLOSED */
                CHECK_HAS(leat_err_detail(), who == C ? "node c" : "node b");
                err = LEAT_OK;
            }
            CHECK_EQ(err, LEAT_OK);
            CHECK(who == C ? next[1] == 50 : next[1] <= fb.count + (cap == 0));
            CHECK(ff.err == LEAT_PEER_LOST || (cap == 0 && ff.err == LEAT_UNKNOWN));
            CHECK_HAS(ff.text, who == A ? "node a" : "node b");
            CHECK(next[0] <= ff.count + (ff.err == LEAT_UNKNOWN));
            flush = leat_flush(far);
            CHECK(flush == LEAT_OK || (flush == LEAT_UNKNOWN && leat_err_why() == LEAT_PEER_LOST));
            CHECK(flush != LEAT_OK || next[0] >= ff.count);          /* OK: nothing of it is missing */
            CHECK_EQ(leat_send(far, { .n = 1 }), LEAT_PEER_LOST);
            if (who != C)
                leat_unref(b);
            leat_unref(far);
            leat_unref(c);
            trio_close(&x);
        }
    return LEAT_OK;
}
ANYWHERE(whoever_dies_the_others_are_told_and_nothing_is_a_close, dies)

/* What a relay had taken and its home never got is counted, by flush and by the next send. */
static leat_err counted(leat_none *none)
{
    (void)none;
    struct trio x = trio_open(3);
    cap = 8;
    leat_tx(struct num) b = NULL, far = NULL;
    leat_chan(struct num) c = far_end(&x, &b, &far);
    struct num v;
    CHECK_EQ(leat_send(far, { .n = 0 }), LEAT_OK);
    CHECK_EQ(leat_flush(far), LEAT_OK);
    CHECK_EQ(leat_len(c), 1);                        /* not at the relay: at the home */
    for (int i = 0; i < 40; i++) {                   /* until it holds several credits */
        CHECK_EQ(leat_send(far, { .n = 1 }), LEAT_OK);
        CHECK_EQ(leat_recv(c, &v), LEAT_OK);
    }
    CHECK_EQ(leat_flush(far), LEAT_OK);
    struct leat_chan_ *raw = (struct leat_chan_ *)(void *)far;
    uint32_t idle = raw->cap - raw->count;
    CHECK(idle >= 1);
    trio_dies(&x, A);
    leat_err err = LEAT_OK;
    uint64_t sent = 0;
    while ((err = leat_send(far, { .n = 2 })) == LEAT_OK)
        sent++;
    CHECK_EQ(err, LEAT_PEER_LOST);
    CHECK_HAS(leat_err_detail(), "node a");
    if (sent) {
        char text[40];
        snprintf(text, sizeof text, "the last %d ", (int)sent);
        CHECK_HAS(leat_err_detail(), text);
        CHECK_EQ(leat_flush(far), LEAT_UNKNOWN);
        CHECK_EQ(leat_err_why(), LEAT_PEER_LOST);
        CHECK_HAS(leat_err_detail(), text);
        CHECK_HAS(leat_err_detail(), "node a");
    }
    leat_unref(b);
    leat_unref(far);
    leat_unref(c);
    trio_close(&x);
    return LEAT_OK;
}
ANYWHERE(what_was_lost_behind_a_relay_is_counted, counted)

/* A rendezvous waits at a relay that holds no end any more when all its sessions break: what it waits in stays until it has left. */
static leat_err waits(leat_none *none)
{
    (void)none;
    for (int turn = 0; turn < 20; turn++) {
        struct trio x = trio_open(3);
        cap = 0;
        leat_tx(struct num) b = NULL, far = NULL;
        leat_chan(struct num) c = far_end(&x, &b, &far);
        leat_unref(b);
        struct feed f = { .out = far, .count = 1 };
        leat_err err;
        leat_with_group(g, err) {
            LEAT_TRY(leat_go(&g, feed, (struct feed *){ &f }));
            LEAT_TRY(leat_sleep(LEAT_MS(turn % 4)));
            trio_dies(&x, turn % 2 ? B : C);
        }
        CHECK_EQ(err, LEAT_OK);
        CHECK(f.err == LEAT_PEER_LOST || f.err == LEAT_UNKNOWN);
        leat_unref(far);
        leat_unref(c);
        trio_close(&x);
    }
    return LEAT_OK;
}
ANYWHERE(a_rendezvous_that_waits_at_a_relay_outlives_all_its_sessions, waits)

/* -- receive ends that move --------------------------------------------------------------------------------------------------------- */
enum { EACH = 120 };

/* Receives n elements of the three senders, in order each; or all that come. */
static leat_err take(leat_rx(struct num) in, int n, uint64_t next[3])
{
    leat_err err = LEAT_OK;
    struct num v;
    for (; n && (err = leat_recv(in, &v)) == LEAT_OK; n--) {
        CHECK(v.n >> FROM < 3);
        CHECK_EQ(v.n & MASK, next[v.n >> FROM]++);
    }
    return err;
}

/* The receive end goes on along `way` while senders at all three nodes send; where it is, the channel is. */
static leat_err moving_home(const int *way, int steps)
{
    struct trio x = trio_open(3);
    EACH_CAP(k) {
        leat_tx(struct num) b = NULL, far = NULL;
        leat_chan(struct num) c = far_end(&x, &b, &far);
        leat_tx(struct num) at[] = { leat_ref(leat_tx_of(c)), b, far };
        leat_rx(struct num) in = leat_ref(leat_rx_of(c));
        struct feed f[3];
        uint64_t next[3] = { 0 };
        leat_err err;
        leat_unref(c);
        leat_with_group(g, err) {
            for (int i = A; i <= C; i++) {
                f[i] = (struct feed){ .out = at[i], .from = (uint64_t)i << FROM, .count = EACH, .finish = true };
                LEAT_TRY(leat_go(&g, feed, (struct feed *){ &f[i] }));
            }
            CHECK_EQ(take(in, 30, next), LEAT_OK);
            for (int i = 0; i < steps; i++) {
                in = trio_rx(&x, way[i], way[i + 1], in);
                CHECK_EQ(leat_cap(in), cap);
                CHECK_EQ(take(in, 30, next), LEAT_OK);
            }
            CHECK_EQ(take(in, -1, next), LEAT_CLOSED);
        }
        CHECK_EQ(err, LEAT_OK);
        for (int i = A; i <= C; i++) {
            CHECK_EQ(f[i].err, LEAT_OK);
            CHECK_EQ(next[i], EACH);
        }
        leat_unref(in);
    }
    trio_close(&x);
    return LEAT_OK;
}
static leat_err home_once(leat_none *n) { (void)n; return moving_home((int[]){ A, B }, 1); }
static leat_err home_and_back(leat_none *n) { (void)n; return moving_home((int[]){ A, B, A }, 2); }
static leat_err home_around(leat_none *n) { (void)n; return moving_home((int[]){ A, B, C, A, B }, 4); }
static leat_err home_against(leat_none *n) { (void)n; return moving_home((int[]){ A, C, B, A }, 3); }
ANYWHERE(a_receive_end_moves_under_senders_of_all_nodes, home_once)
ANYWHERE(a_receive_end_moves_and_comes_back, home_and_back)
ANYWHERE(a_receive_end_goes_around, home_around)
ANYWHERE(a_receive_end_goes_around_against_its_senders, home_against)

/* Waits on it as `how` says, until something comes by `in`, or by `stop`. */
enum { IN_RECEIVE, IN_SELECT, FOR_END, WAYS_TO_WAIT };
struct waits { leat_rx(struct num) in, stop; int how; };
static leat_err wait_on(struct waits *w)
{
    struct num v;
    leat_err err = LEAT_OK;
    if (w->how == IN_RECEIVE)
        err = leat_recv(w->in, &v);
    else if (w->how == IN_SELECT)
        leat_select(err) {
            leat_on_recv(w->stop, &v) { }
            leat_on_recv(w->in, &v) { }
        }
    else
        leat_select(err) {
            leat_on_closed(w->in) { CHECK(false); }
            leat_on_recv(w->stop, &v) { }
        }
    CHECK_EQ(err, LEAT_OK);
    return LEAT_OK;
}

/* While a task waits on it p's receive end does not go by `to`; far: a send end of the same channel. */
static void stays_while_waited_on(leat_tx(struct parcel) to, struct parcel *p, leat_tx(struct num) far)
{
    for (int how = 0; how < WAYS_TO_WAIT; how++) {
        leat_chan(struct num) stop = leat_chan_make(struct num, 0);
        const leat_chan_ *c = (const leat_chan_ *)(void *)p->in;
        leat_err err;
        leat_with_group(g, err) {
            CHECK_EQ(leat_go(&g, wait_on, (struct waits){ p->in, leat_rx_of(stop), how }), LEAT_OK);
            while (how == FOR_END ? !c->cq.head : !c->rq.head)
                leat_yield();
            CHECK_EQ(leat_send_from(to, p), LEAT_REFUSED);
            CHECK_HAS(leat_err_detail(), "waits");
            if (how == FOR_END)
                CHECK_EQ(leat_send(stop, { .n = 1 }), LEAT_OK);
            else
                CHECK_EQ(leat_send(far, { .n = 1 }), LEAT_OK);
        }
        CHECK_EQ(err, LEAT_OK);
        leat_unref(stop);
    }
}

/* Somebody else has it, or waits on it: refused in words, and all goes on as before. */
static leat_err not_alone(leat_none *none)
{
    (void)none;
    struct trio x = trio_open(3);
    for (cap = 0; cap < 2; cap++) {
        leat_tx(struct num) b = NULL, far = NULL;
        leat_chan(struct num) c = far_end(&x, &b, &far);
        leat_rx(struct num) other = leat_ref(leat_rx_of(c));
        struct parcel p = { .in = leat_ref(leat_rx_of(c)) };
        struct num v;
        leat_err err;
        CHECK_EQ(leat_send_from(x.to[A][1], &p), LEAT_REFUSED);
        CHECK_HAS(leat_err_detail(), "another one");
        leat_unref(other);
        stays_while_waited_on(x.to[A][1], &p, far);
        trio_move(&x, A, B, &p);
        struct feed f = { .out = far, .from = 7, .count = 1 };
        leat_with_group(g, err) {
            LEAT_TRY(leat_go(&g, feed, (struct feed *){ &f }));
            LEAT_TRY(leat_recv(p.in, &v));
        }
        CHECK_EQ(err, LEAT_OK);
        CHECK_EQ(v.n, 7);
        CHECK_EQ(leat_recv(leat_rx_of(c), &v), LEAT_INVAL);
        leat_unref(b);
        leat_unref(far);
        CHECK_EQ(leat_recv(p.in, &v), LEAT_CLOSED);
        leat_drop(parcel, &p);
        leat_unref(c);
    }
    trio_close(&x);
    return LEAT_OK;
}
ANYWHERE(a_receive_end_moves_only_when_it_is_alone, not_alone)

/* To and fro: eight nodes it may leave, then it is refused, with the way; what it had is still good. */
static leat_err too_far(leat_none *none)
{
    (void)none;
    struct trio x = trio_open(3);
    cap = 2;
    leat_tx(struct num) b = NULL, far = NULL;
    leat_chan(struct num) c = far_end(&x, &b, &far);
    struct parcel p = { .in = leat_ref(leat_rx_of(c)), .out = leat_ref(far) };
    struct num v;
    struct parcel rx = { .in = p.in }, tx = { .out = p.out };
    for (int i = 0; i < 8; i++)
        trio_move(&x, i % 2 ? B : A, i % 2 ? A : B, &rx);
    CHECK_EQ(leat_send_from(x.to[A][1], &rx), LEAT_LIMIT);
    CHECK_HAS(leat_err_detail(), "node a, node b, node a, node b");
    CHECK_EQ(leat_send(far, { .n = 5 }), LEAT_OK);
    CHECK_EQ(leat_recv(rx.in, &v), LEAT_OK);
    CHECK_EQ(v.n, 5);
    int at = C;
    for (int i = 0; i < 7; i++, at = (at + 1) % 3)   /* it has one relay already, and goes around */
        trio_move(&x, at, (at + 1) % 3, &tx);
    CHECK_EQ(leat_send_from(x.to[at][1], &tx), LEAT_LIMIT);
    CHECK_HAS(leat_err_detail(), "in a row: node a, node c, node b, node a, node c, node b, node a, node c, node b");
    CHECK_EQ(leat_send(tx.out, { .n = 6 }), LEAT_OK);
    CHECK_EQ(leat_recv(rx.in, &v), LEAT_OK);
    CHECK_EQ(v.n, 6);
    leat_drop(parcel, &tx);
    leat_unref(b);
    leat_unref(far);
    leat_unref(c);
    CHECK_EQ(leat_recv(rx.in, &v), LEAT_CLOSED);
    leat_drop(parcel, &rx);
    trio_close(&x);
    return LEAT_OK;
}
ANYWHERE(there_are_at_most_eight_relays_in_a_row, too_far)

/* The receive end has left a for b and b for c; b's send end still goes by a, who gave it.
 * Whoever ends then: PEER_LOST for those it concerns, CLOSED and GONE for nobody. */
static leat_err moved_and_dies(leat_none *none)
{
    (void)none;
    EACH_CAP(k)
        for (int who = A; who <= C; who++) {
            struct trio x = trio_open(3);
            leat_chan(struct num) c = leat_chan_make(struct num, cap);
            leat_tx(struct num) b = trio_tx(&x, A, B, leat_ref(leat_tx_of(c)));
            leat_rx(struct num) in = trio_rx(&x, A, B, leat_ref(leat_rx_of(c)));
            in = trio_rx(&x, B, C, in);
            struct feed f[2] = { { .out = leat_ref(leat_tx_of(c)), .count = UINT64_MAX },
                { .out = b, .from = 1ull << FROM, .count = UINT64_MAX } };
            uint64_t next[3] = { 0 };
            leat_err err;
            leat_unref(c);
            leat_with_group(g, err) {
                LEAT_TRY(leat_go(&g, feed, (struct feed *){ &f[0] }));
                LEAT_TRY(leat_go(&g, feed, (struct feed *){ &f[1] }));
                CHECK_EQ(take(in, 50, next), LEAT_OK);
                trio_dies(&x, who);
                CHECK_EQ(take(in, -1, next), LEAT_PEER_LOST);
                CHECK_HAS(leat_err_detail(), who == A ? "node a" : "node b");
            }
            CHECK_EQ(err, LEAT_OK);
            CHECK(f[0].err == LEAT_PEER_LOST || (cap == 0 && f[0].err == LEAT_UNKNOWN));
            CHECK(f[1].err == LEAT_PEER_LOST || (cap == 0 && f[1].err == LEAT_UNKNOWN));
            leat_unref(f[0].out);
            leat_unref(b);
            leat_unref(in);
            trio_close(&x);
        }
    return LEAT_OK;
}
ANYWHERE(whoever_dies_after_a_receive_end_moved_is_no_close, moved_and_dies)

/* What is queued moves; what had been told of the end moves too. */
static leat_err moved_when_over(leat_none *none)
{
    (void)none;
    for (int lost = 0; lost < 2; lost++) {
        struct trio x = trio_open(3);
        cap = 8;
        leat_tx(struct num) b = NULL, far = NULL;
        leat_chan(struct num) c = far_end(&x, &b, &far);
        leat_rx(struct num) in = leat_ref(leat_rx_of(c));
        struct num v;
        for (uint64_t i = 0; i < 5; i++)
            CHECK_EQ(leat_send(far, { .n = i }), LEAT_OK);
        CHECK_EQ(leat_flush(far), LEAT_OK);
        if (lost) {
            sess_break(sess_of(x.peer[C]), LEAT_SYS, "the test ends c");
            CHECK_EQ(leat_peer_wait(x.peer[C]), LEAT_PEER_LOST);
        } else {
            leat_close(far);
        }
        leat_unref(b);
        leat_unref(c);
        in = trio_rx(&x, A, B, in);
        for (uint64_t i = 0; i < 5; i++) {
            CHECK_EQ(leat_recv(in, &v), LEAT_OK);
            CHECK_EQ(v.n, i);
        }
        CHECK_EQ(leat_recv(in, &v), lost ? LEAT_PEER_LOST : LEAT_CLOSED);
        if (lost)
            CHECK_HAS(leat_err_detail(), "node c");
        leat_unref(far);
        leat_unref(in);
        trio_close(&x);
    }
    return LEAT_OK;
}
ANYWHERE(the_end_of_a_channel_moves_with_its_receive_end, moved_when_over)

/* -- ends in values that are not taken ---------------------------------------------------------------------------------------------- */
enum { TRY, DEADLINE, CLOSE, GONE, TAKE, WAYS };

struct giving { leat_tx(struct parcel) to; struct parcel *p; leat_err err; };
static leat_err giving(struct giving **arg)
{
    (*arg)->err = leat_send_from((*arg)->to, (*arg)->p);
    return LEAT_OK;
}

/* Sends *p in one of the ways; all but TAKE fail.  The receiver ends the channel while the value waits there. */
static leat_err give(leat_tx(struct parcel) to, leat_chan(struct parcel) post, struct parcel *p, struct parcel *got, int how)
{
    leat_err err = LEAT_OK;
    struct giving g1 = { .to = to, .p = p };
    if (how == TRY)
        return leat_try_send_((leat_chan_ *)(void *)to, p);
    if (how == DEADLINE) {
        leat_with_deadline(LEAT_MS(3))
            err = leat_send_from(to, p);
        return err;
    }
    leat_with_group(g, err) {
        LEAT_TRY(leat_go(&g, giving, (struct giving *){ &g1 }));
        while (how != TAKE && !((leat_chan_ *)(void *)post)->sq.head)
            leat_yield();
        if (how == CLOSE) {
            leat_close(post);
        } else if (how == GONE) {
            leat_tx(struct parcel) keeps = leat_ref(leat_tx_of(post));
            leat_unref(post);
            leat_unref(keeps);
        } else {
            CHECK_EQ(leat_recv(post, got), LEAT_OK);
        }
    }
    CHECK_EQ(err, LEAT_OK);
    return g1.err;
}

/* The send end counts once: what it sends arrives, and the channel is open while it lives. */
static void counts_once(leat_rx(struct num) in, leat_tx(struct num) out)
{
    struct feed f = { .out = out, .count = 3 };
    struct num v;
    leat_err err;
    leat_with_group(g, err) {
        CHECK_EQ(leat_go(&g, feed, (struct feed *){ &f }), LEAT_OK);
        for (uint64_t i = 0; i < 3; i++) {
            CHECK_EQ(leat_recv(in, &v), LEAT_OK);
            CHECK_EQ(v.n, i);
        }
    }
    CHECK_EQ(err, LEAT_OK);
    leat_with_deadline(LEAT_MS(2))
        err = leat_recv(in, &v);
    CHECK_EQ(err, LEAT_DEADLINE);
}

/* A value with both kinds of ends is offered from node `from` to the home of post, at a: through b, if from is c. */
static leat_err whole_again(int from)
{
    struct trio x = trio_open(3);
    for (int how = TRY; how < WAYS; how++)
        for (cap = 0; cap < 4; cap += 3) {
            leat_chan(struct parcel) post = leat_chan_make(struct parcel, 0);
            leat_chan(struct num) t = leat_chan_make(struct num, cap), r = leat_chan_make(struct num, cap);
            struct parcel p = { .n = 2, .out = leat_ref(leat_tx_of(t)), .in = leat_ref(leat_rx_of(r)) }, got = { 0 };
            leat_tx(struct parcel) to = NULL;
            leat_tx(struct num) back = NULL;
            leat_rx(struct num) in = leat_ref(leat_rx_of(t));
            struct num v;
            leat_err err;
            CHECK_EQ(leat_export(x.at[A], "post", leat_tx_of(post), parcel), LEAT_OK);
            CHECK_EQ(leat_import(x.peer[B], "post", &to, parcel, 0), LEAT_OK);
            leat_unexport(x.at[A], "post");
            if (from == C) {
                leat_tx(struct parcel) first = to;
                CHECK_EQ(leat_export(x.at[B], "post", first, parcel), LEAT_OK);
                CHECK_EQ(leat_import(x.peer[C], "post", &to, parcel, 0), LEAT_OK);
                leat_unexport(x.at[B], "post");
                leat_unref(first);
            }
            /* r has a sender at the next node, too, and something queued */
            back = trio_tx(&x, from, (from + 1) % 3, leat_ref(leat_tx_of(r)));
            leat_unref(t);
            for (size_t i = 0; i < cap; i++)
                CHECK_EQ(leat_send(i < 2 ? back : leat_tx_of(r), { .n = i }), LEAT_OK);
            leat_tx(struct num) here = leat_ref(leat_tx_of(r));
            leat_unref(r);
            err = give(to, post, &p, &got, how);
            if (how == GONE)
                post = NULL;
            CHECK_EQ(err, how == TRY ? LEAT_AGAIN : how == DEADLINE ? LEAT_DEADLINE : how == CLOSE ? LEAT_CLOSED
                : how == GONE ? LEAT_GONE : LEAT_OK);
            struct parcel *q = how == TAKE ? &got : &p;
            uint64_t next[2] = { 0 };
            struct feed f1 = { .out = back, .from = 2, .count = 20 }, f2 = { .out = here, .from = 1ull << FROM, .count = 20 };
            leat_with_group(g, err) {                /* the receive end is whole: with its queue, and its senders */
                for (size_t i = 0; i < cap; i++) {
                    CHECK_EQ(leat_recv(q->in, &v), LEAT_OK);
                    CHECK(v.n == i || cap == 3);
                }
                LEAT_TRY(leat_go(&g, feed, (struct feed *){ &f1 }));
                LEAT_TRY(leat_go(&g, feed, (struct feed *){ &f2 }));
                for (int i = 0; i < 40; i++) {
                    CHECK_EQ(leat_recv(q->in, &v), LEAT_OK);
                    CHECK_EQ(v.n & MASK, next[v.n >> FROM]++ + (v.n >> FROM ? 0 : 2));
                }
            }
            CHECK_EQ(err, LEAT_OK);
            leat_unref(back);
            leat_unref(here);
            CHECK_EQ(leat_recv(q->in, &v), LEAT_CLOSED);
            counts_once(in, q->out);
            leat_drop(parcel, q);
            CHECK_EQ(leat_recv(in, &v), LEAT_CLOSED);
            leat_unref(in);
            leat_unref(to);
            leat_unref(post);
        }
    trio_close(&x);
    return LEAT_OK;
}
static leat_err whole_near(leat_none *n) { (void)n; return whole_again(B); }
static leat_err whole_far(leat_none *n) { (void)n; return whole_again(C); }
ANYWHERE(ends_in_a_value_that_is_not_taken_are_as_before, whole_near)
ANYWHERE(ends_in_a_value_that_is_not_taken_through_a_relay_are_as_before, whole_far)

/* The session ends while the value waits: UNKNOWN, so the ends are gone, and whoever used them learns of a loss. */
static leat_err given_and_lost(leat_none *none)
{
    (void)none;
    struct trio x = trio_open(3);
    leat_chan(struct parcel) post = leat_chan_make(struct parcel, 0);
    leat_chan(struct num) r = leat_chan_make(struct num, 2);
    leat_tx(struct parcel) to = NULL;
    CHECK_EQ(leat_export(x.at[A], "post", leat_tx_of(post), parcel), LEAT_OK);
    CHECK_EQ(leat_import(x.peer[B], "post", &to, parcel, 0), LEAT_OK);
    leat_unexport(x.at[A], "post");
    struct parcel p = { .in = leat_ref(leat_rx_of(r)) };
    struct giving g1 = { .to = to, .p = &p };
    leat_tx(struct num) here = leat_ref(leat_tx_of(r));
    leat_err err;
    leat_unref(r);
    CHECK_EQ(leat_send(here, { .n = 1 }), LEAT_OK);
    leat_with_group(g, err) {
        LEAT_TRY(leat_go(&g, giving, (struct giving *){ &g1 }));
        while (!((leat_chan_ *)(void *)post)->sq.head)
            leat_yield();
        trio_dies(&x, B);
    }
    CHECK_EQ(err, LEAT_OK);
    CHECK_EQ(g1.err, LEAT_UNKNOWN);
    while ((err = leat_send(here, { .n = 1 })) == LEAT_OK)
        ;
    CHECK_EQ(err, LEAT_PEER_LOST);
    leat_unref(here);
    leat_unref(to);
    leat_unref(post);
    trio_close(&x);
    return LEAT_OK;
}
ANYWHERE(ends_in_a_value_whose_fate_is_unknown_are_lost, given_and_lost)

T_MAIN()
