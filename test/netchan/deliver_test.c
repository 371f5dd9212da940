/* deliver_test.c - what a send to another process says of its receive, and what does not stand in its way. */
#include <stdatomic.h>
#include <sys/mman.h>
#include "../gotests/place.h"

#define NETS(name, test) AT_PROCESS(name, test) AT_NODE(name, test)

enum { LIMIT_S = 30 };

/* -- a rendezvous waits for its receiver -------------------------------------------------------------------------------------------- */
LEAT_STRUCT(taking, (rx(num), in), (rx(num), go), (tx(num), got));

static leat_err take_when_told(struct taking *t)
{
    struct num v;
    LEAT_TRY(leat_recv(t->go, &v));
    LEAT_TRY(leat_recv(t->in, &v));
    return leat_send(t->got, v);
}
PLACE_TASK(take_when_told, taking)

struct one { leat_tx(struct num) to; int64_t n; _Atomic bool *done; };

static leat_err send_one(struct one *o)
{
    leat_err err = leat_send(o->to, { o->n });
    atomic_store(o->done, true);
    return err;
}

static leat_err waits(void)
{
    leat_chan(struct num) in = leat_chan_make(struct num, 0), go = leat_chan_make(struct num, 1), got = leat_chan_make(struct num, 1);
    leat_tx(struct num) to = leat_ref(leat_tx_of(in)), start = leat_ref(leat_tx_of(go));
    _Atomic bool done = false;
    struct num v;
    leat_err err;
    leat_with_deadline(LEAT_S(LIMIT_S))
        leat_with_group(g, err) {
            struct taking t = { leat_ref(leat_rx_of(in)), leat_ref(leat_rx_of(go)), leat_ref(leat_tx_of(got)) };
            LEAT_TRY(place_go(&g, take_when_told, taking, t));
            LEAT_TRY(leat_go(&g, send_one, (struct one){ to, 7, &done }));
            leat_with_deadline(LEAT_MS(50))
                CHECK_EQ(leat_recv(got, &v), LEAT_DEADLINE);
            CHECK(!atomic_load(&done));              /* the other side lives, and has not asked for it */
            LEAT_TRY(leat_send(start, { 0 }));
            LEAT_TRY(leat_recv(got, &v));
            CHECK_EQ(v.n, 7);
        }
    CHECK(atomic_load(&done));
    leat_unref(to);
    leat_unref(start);
    leat_unref(in);
    leat_unref(go);
    leat_unref(got);
    return err;
}
NETS(a_rendezvous_waits_for_the_receive_on_the_other_side, waits)

/* -- a cancel travels with the task -------------------------------------------------------------------------------------------------- */
LEAT_STRUCT(staying, (tx(num), out));

static leat_err stay(struct staying *s)
{
    LEAT_TRY(leat_send(s->out, { -1 }));
    leat_err err = leat_sleep(LEAT_S(3600)), cause = leat_ctx_cause();
    leat_with_shield(LEAT_S(LIMIT_S))
        leat_ignore(leat_send(s->out, { err * 100 + cause }));
    return err;
}
PLACE_TASK(stay, staying)

static leat_err cancel_travels(void)
{
    leat_chan(struct num) out = leat_chan_make(struct num, 2);
    struct num v;
    leat_err err;
    leat_with_deadline(LEAT_S(LIMIT_S)) {
        leat_with_group(g, err) {
            LEAT_TRY(place_go(&g, stay, staying, { leat_ref(leat_tx_of(out)) }));
            LEAT_TRY(leat_recv(out, &v));
            leat_group_cancel(&g);
        }
        CHECK(err == LEAT_OK || err == LEAT_CANCELED);
        LEAT_TRY(leat_recv(out, &v));
    }
    CHECK_EQ(v.n, LEAT_CANCELED * 100 + LEAT_CANCELED);
    leat_unref(out);
    return LEAT_OK;
}
NETS(a_cancel_reaches_a_task_that_has_travelled, cancel_travels)

/* -- a full channel stands in nobody's way ------------------------------------------------------------------------------------------- */
LEAT_STRUCT(block, (string, text));
LEAT_STRUCT(filling, (tx(block), out), (tx(num), beside));

enum { BLOCK = 256 << 10, BLOCKS = 12, FULL_AT = 4 };
static char block_text[BLOCK];

static leat_err fill(struct filling *f)              /* three mebibytes on one channel; then it says so on another one */
{
    for (int i = 0; i < BLOCKS; i++) {
        if (i == FULL_AT)
            LEAT_TRY(leat_send(f->beside, { i }));
        LEAT_TRY(leat_send(f->out, { leat_string_view(block_text, BLOCK) }));
    }
    return leat_send(f->beside, { BLOCKS });
}
PLACE_TASK(fill, filling)

LEAT_STRUCT(asking, (tx(num), out), (rx(num), in));
static leat_err echo(struct asking *a)
{
    struct num v;
    leat_err err;
    while ((err = leat_recv(a->in, &v)) == LEAT_OK)
        LEAT_TRY(leat_send(a->out, v));
    return err == LEAT_CLOSED ? LEAT_OK : err;
}
PLACE_TASK(echo, asking)

static leat_err attaches_beside(leat_group *g)
{
    leat_chan(struct num) to = leat_chan_make(struct num, 0), from = leat_chan_make(struct num, 0);
    leat_tx(struct num) end = leat_ref(leat_tx_of(to));
    struct num v;
    LEAT_TRY(place_go(g, echo, asking, { leat_ref(leat_tx_of(from)), leat_ref(leat_rx_of(to)) }));
    for (int64_t i = 0; i < 20; i++) {
        LEAT_TRY(leat_send(end, { i }));
        LEAT_TRY(leat_recv(from, &v));
        CHECK_EQ(v.n, i);
    }
    leat_unref(end);
    leat_unref(to);
    leat_unref(from);
    return LEAT_OK;
}

static leat_err full_window(void)
{
    leat_chan(struct block) full = leat_chan_make(struct block, FULL_AT);
    leat_chan(struct num) beside = leat_chan_make(struct num, 2);
    struct block b;
    struct num v;
    leat_err err;
    leat_with_deadline(LEAT_S(LIMIT_S))
        leat_with_group(g, err) {
            LEAT_TRY(place_go(&g, fill, filling, { leat_ref(leat_tx_of(full)), leat_ref(leat_tx_of(beside)) }));
            LEAT_TRY(leat_recv(beside, &v));         /* now it is full, and its sender waits or soon will */
            leat_with_deadline(LEAT_MS(30))
                CHECK_EQ(leat_recv(beside, &v), LEAT_DEADLINE);
            LEAT_TRY(attaches_beside(&g));           /* new ends, both ways, in the same session */
            for (int i = 0; i < BLOCKS; i++) {
                LEAT_TRY(leat_recv(full, &b));
                CHECK_EQ(b.text.len, BLOCK);
                leat_drop(block, &b);
            }
            LEAT_TRY(leat_recv(beside, &v));
            CHECK_EQ(v.n, BLOCKS);
        }
    leat_unref(full);
    leat_unref(beside);
    return err;
}
NETS(a_full_channel_keeps_no_other_from_being_attached, full_window)

/* -- a select that is won by a rendezvous with another process ------------------------------------------------------------------------ */
LEAT_STRUCT(seen, (int64, n), (int64, by));
LEAT_STRUCT(watching, (rx(num), in), (tx(seen), out), (int64, by));

static leat_err watch(struct watching *w)            /* says what it has received, and who it is */
{
    struct num v;
    leat_err err;
    while ((err = leat_recv(w->in, &v)) == LEAT_OK)
        LEAT_TRY(leat_send(w->out, { v.n, w->by }));
    return err == LEAT_CLOSED ? LEAT_OK : err;
}
PLACE_TASK(watch, watching)

static leat_err select_many(leat_tx(struct num) const *to, leat_rx(struct seen) seen, int n)
{
    leat_chan(struct num) never = leat_chan_make(struct num, 0);
    struct seen s;
    struct num v;
    leat_err err = LEAT_OK;
    for (int64_t i = 0; i < n && err == LEAT_OK; i++) {
        struct num a = { 2 * i }, b = { 2 * i + 1 };
        int64_t fired = -1;
        leat_select(err) {
            leat_on_send(to[0], &a) { fired = 0; }
            leat_on_send(to[1], &b) { fired = 1; }
            leat_on_recv(never, &v) { fired = 2; }
        }
        LEAT_TRY(err);
        CHECK(fired == 0 || fired == 1);
        LEAT_TRY(leat_recv(seen, &s));               /* received there is what was fired here, and nothing else */
        CHECK_EQ(s.by, fired);
        CHECK_EQ(s.n, 2 * i + fired);
    }
    CHECK_EQ(leat_try_recv(seen, &s), LEAT_AGAIN);
    leat_unref(never);
    return err;
}

static leat_err select_far(void)
{
    leat_chan(struct seen) seen = leat_chan_make(struct seen, 4);
    leat_tx(struct num) to[2] = { NULL, NULL };
    leat_err err;
    leat_with_deadline(LEAT_S(LIMIT_S))
        leat_with_group(g, err) {
            for (int64_t i = 0; i < 2; i++) {
                leat_chan(struct num) c = leat_chan_make(struct num, 0);
                to[i] = leat_ref(leat_tx_of(c));
                leat_rx(struct num) in = leat_ref(leat_rx_of(c));
                leat_unref(c);
                LEAT_TRY(place_go(&g, watch, watching, { in, leat_ref(leat_tx_of(seen)), i }));
            }
            LEAT_TRY(select_many(to, leat_rx_of(seen), place_turns(2000)));
            leat_close(to[0]);
            leat_close(to[1]);
        }
    leat_unref(to[0]);
    leat_unref(to[1]);
    leat_unref(seen);
    return err;
}
NETS(a_select_is_won_by_a_rendezvous_with_the_other_side, select_far)

static leat_err select_in_vain(void)                 /* nobody receives there: it is another case, and nothing was sent */
{
    leat_chan(struct num) in = leat_chan_make(struct num, 0), go = leat_chan_make(struct num, 1), got = leat_chan_make(struct num, 1);
    leat_tx(struct num) to = leat_ref(leat_tx_of(in)), start = leat_ref(leat_tx_of(go));
    struct num v, first = { 1 }, second = { 2 };
    int fired = 0;
    leat_err err;
    leat_with_deadline(LEAT_S(LIMIT_S))
        leat_with_group(g, err) {
            struct taking t = { leat_ref(leat_rx_of(in)), leat_ref(leat_rx_of(go)), leat_ref(leat_tx_of(got)) };
            LEAT_TRY(place_go(&g, take_when_told, taking, t));
            leat_select(err) {
                leat_on_send(to, &first)    { fired = 1; }
                leat_on_after(LEAT_MS(20))  { fired = 2; }
            }
            LEAT_TRY(err);
            CHECK_EQ(fired, 2);
            LEAT_TRY(leat_send(start, { 0 }));
            leat_select(err)
                leat_on_send(to, &second)   { fired = 3; }
            LEAT_TRY(err);
            LEAT_TRY(leat_recv(got, &v));
            CHECK_EQ(v.n, 2);
        }
    leat_unref(to);
    leat_unref(start);
    leat_unref(in);
    leat_unref(go);
    leat_unref(got);
    return err;
}
NETS(a_select_that_is_not_won_has_sent_nothing, select_in_vain)

/* -- an outcome for each value --------------------------------------------------------------------------------------------------------- */
enum { VALUES = 400 };
static struct { _Atomic int received[VALUES]; } *shared;         /* what the side that dies has received: memory of both */

LEAT_STRUCT(dying, (rx(num), in), (int64, after));

static leat_err receive_and_die(struct dying *d)
{
    struct num v;
    for (int64_t i = 0; i < d->after; i++) {
        LEAT_TRY(leat_recv(d->in, &v));
        atomic_fetch_add(&shared->received[v.n], 1);
    }
    kill(getpid(), SIGKILL);
    return LEAT_OK;
}
PLACE_TASK(receive_and_die, dying)

static uint32_t dying_capacity;

/* Sends to one that is killed in the middle: each value has an outcome, and all of them are true. */
static leat_err outcomes(void)
{
    leat_chan(struct num) c = leat_chan_make(struct num, dying_capacity);
    leat_tx(struct num) to = leat_ref(leat_tx_of(c));
    leat_err outcome[VALUES], err;
    int ok = 0, received = 0, doubts = 0;
    leat_with_deadline(LEAT_S(LIMIT_S)) {
        leat_with_group(g, err) {
            LEAT_TRY(place_go(&g, receive_and_die, dying, { leat_ref(leat_rx_of(c)), VALUES / 2 }));
            leat_unref(c);
            leat_with_shield(LEAT_S(LIMIT_S))        /* the group's task fails, which is not our matter */
                for (int64_t i = 0; i < VALUES; i++)
                    outcome[i] = leat_send(to, { i });
        }
        err = dying_capacity ? leat_flush(to) : LEAT_OK;
    }
    for (int i = 0; i < VALUES; i++) {
        int n = atomic_load(&shared->received[i]);
        CHECK(n <= 1);
        CHECK(outcome[i] == LEAT_OK || outcome[i] == LEAT_UNKNOWN || outcome[i] == LEAT_PEER_LOST);
        CHECK(n == 0 || outcome[i] != LEAT_PEER_LOST);           /* told that it was not sent */
        ok += outcome[i] == LEAT_OK;
        doubts += outcome[i] == LEAT_UNKNOWN;
        received += n;
    }
    CHECK_EQ(received, VALUES / 2);
    if (dying_capacity)
        CHECK(ok == received || err == LEAT_UNKNOWN);            /* what was ahead is doubted by the flush */
    else
        CHECK(doubts <= 1 && ok + doubts >= received && ok <= received + 1);
    leat_unref(to);
    return LEAT_OK;
}

static void outcomes_at(enum place place, uint32_t capacity)
{
    dying_capacity = capacity;
    shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CHECK(shared != MAP_FAILED);
    place_killed = true;
    place_run(place, outcomes);
}
TEST(every_value_has_a_true_outcome_when_the_other_side_is_killed_process) { outcomes_at(PLACE_PROCESS_, 0); }
TEST(every_value_has_a_true_outcome_when_the_other_side_is_killed_node) { outcomes_at(PLACE_NODE_, 0); }
TEST(every_value_ahead_has_a_true_outcome_when_the_other_side_is_killed_process) { outcomes_at(PLACE_PROCESS_, 16); }
TEST(every_value_ahead_has_a_true_outcome_when_the_other_side_is_killed_node) { outcomes_at(PLACE_NODE_, 16); }

T_MAIN()
