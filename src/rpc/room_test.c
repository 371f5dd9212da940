/* room_test.c - calls and answers wait while much waits to be written; what becomes of the ends in a call that was never written; which
 * calls a flush has doubts about. */
#include "mute.h"
#include "pair.h"
#include "rpc/calls.h"

LEAT_STRUCT(num, (uint64, n));
LEAT_STRUCT(send_end, (tx(num), out));
LEAT_STRUCT(recv_end, (rx(num), in));
LEAT_SERVICE(work, (count, num, num), (stay, num, num), (with_tx, send_end, num), (with_rx, recv_end, num));

static _Atomic uint32_t ran, stays, may_end;

static leat_err count(void *self, const struct num *in, struct num *out)
{
    (void)self;
    out->n = in->n;
    atomic_fetch_add(&ran, 1);
    return LEAT_OK;
}
/* Whatever becomes of who has called. */
static leat_err stay(void *self, const struct num *in, struct num *out)
{
    (void)self;
    out->n = in->n;
    atomic_fetch_add(&stays, 1);
    while (!at_load(&may_end))
        leat_yield();
    return LEAT_OK;
}
static leat_err with_tx(void *self, const struct send_end *in, struct num *out)
{
    (void)self;
    (void)in;
    (void)out;
    atomic_fetch_add(&ran, 1);
    return LEAT_OK;
}
static leat_err with_rx(void *self, const struct recv_end *in, struct num *out)
{
    (void)self;
    (void)in;
    (void)out;
    atomic_fetch_add(&ran, 1);
    return LEAT_OK;
}
static const struct work_impl impl = { count, stay, with_tx, with_rx };
static leat_err task(struct num *in) { (void)in; atomic_fetch_add(&ran, 1); return LEAT_OK; }
static leat_err tx_task(struct send_end *in) { (void)in; atomic_fetch_add(&ran, 1); return LEAT_OK; }

static struct pair served(void)
{
    struct pair x = pair_open();
    CHECK_EQ(leat_serve(x.a, work, &impl, NULL), LEAT_OK);
    CHECK_EQ(leat_expose(x.a, task, num), LEAT_OK);
    CHECK_EQ(leat_expose(x.a, tx_task, send_end), LEAT_OK);
    at_store(&ran, 0);
    at_store(&stays, 0);
    at_store(&may_end, 0);
    return x;
}

static size_t queued(struct sess *s)
{
    lock(&s->out_lock);
    size_t n = s->data.len;
    unlock(&s->out_lock);
    return n;
}

/* The link of s takes nothing, and what waits for it is much. */
static void crowd(struct sess *s)
{
    lock(&s->out_lock);
    s->unsent_max = 1;
    unlock(&s->out_lock);
    mute(s, true);
}

static bool somebody_waits_for_room(struct sess *s)
{
    lock(&s->out_lock);
    bool some = at_load(&s->room.head) != NULL;
    unlock(&s->out_lock);
    return some;
}

static struct sess *its_session(leat_node *n)
{
    lock(&n->lock);
    struct sess *s = n->sessions;
    unlock(&n->lock);
    CHECK(s != NULL);
    return s;
}

struct asker { leat_peer *p; leat_dur at_most; bool by_task; _Atomic leat_err err; };
static leat_err ask(struct asker **arg)
{
    struct asker *a = *arg;
    struct num out = { 0 };
    leat_err err, sent = LEAT_OK;
    leat_with_deadline(a->at_most) {
        if (!a->by_task) {
            at_store(&a->err, leat_call(a->p, work, count, &(struct num){ 7 }, &out));
        } else {
            leat_with_group(g, err)
                sent = leat_go_on(&g, a->p, task, num, { 7 });
            at_store(&a->err, sent == LEAT_OK ? err : sent);
        }
    }
    return LEAT_OK;
}

static void begin(leat_group *g, struct asker *one, leat_peer *p, leat_dur at_most, bool by_task)
{
    *one = (struct asker){ .p = p, .at_most = at_most, .by_task = by_task, .err = LEAT_AGAIN };
    CHECK_EQ(leat_go(g, ask, one), LEAT_OK);
}

/* -- who asks ------------------------------------------------------------------------------------------------------------------------ */
/* The first is queued, and the second waits until it is written; a third has had enough before. */
static void crowded(bool by_task, bool lost)
{
    struct pair x = served();
    struct sess *s = sess_of(x.p);
    struct asker all[3];
    leat_err err;
    leat_with_deadline(LEAT_S(40)) {
        crowd(s);
        leat_with_group(g, err) {
            begin(&g, &all[0], x.p, LEAT_S(40), by_task);
            while (!queued(s))
                leat_yield();
            size_t much = queued(s);
            uint64_t made = calls_of(s)->made;
            begin(&g, &all[1], x.p, LEAT_S(40), by_task);
            while (!somebody_waits_for_room(s) && leat_ctx_err() == LEAT_OK)
                leat_yield();
            CHECK(somebody_waits_for_room(s));
            begin(&g, &all[2], x.p, LEAT_MS(5), by_task);
            while (at_load(&all[2].err) == LEAT_AGAIN)
                leat_yield();
            CHECK_EQ(at_load(&all[2].err), LEAT_DEADLINE);
            CHECK_EQ(queued(s), much);
            CHECK_EQ(calls_of(s)->made, made);
            if (lost)
                sess_break(s, LEAT_SYS, "the test ends it");
            else
                mute(s, false);
        }
        CHECK_EQ(err, LEAT_OK);
    }
    for (int i = 0; i < 2; i++)
        CHECK_EQ(at_load(&all[i].err), lost ? LEAT_PEER_LOST : LEAT_OK);             /* none was written: certainly not */
    CHECK_EQ(at_load(&ran), lost ? 0 : 2);
    pair_close(&x);
}
static leat_err asks(leat_none *none) { (void)none; crowded(false, false); crowded(true, false); return LEAT_OK; }
static leat_err asks_one_lost(leat_none *none) { (void)none; crowded(false, true); crowded(true, true); return LEAT_OK; }
ANYWHERE(who_asks_waits_while_much_is_not_written_and_has_not_asked_before, asks)
ANYWHERE(who_waits_to_ask_while_much_is_not_written_is_told_when_the_peer_is_lost, asks_one_lost)

/* -- who answers --------------------------------------------------------------------------------------------------------------------- */
static void answers(bool lost)
{
    struct pair x = served();
    struct sess *s = its_session(x.a);
    struct asker all[2];
    leat_err err;
    leat_with_deadline(LEAT_S(40)) {
        crowd(s);
        leat_with_group(g, err) {
            begin(&g, &all[0], x.p, LEAT_S(40), false);
            while (!queued(s))
                leat_yield();
            size_t much = queued(s);
            begin(&g, &all[1], x.p, LEAT_S(40), false);
            while (!somebody_waits_for_room(s) && leat_ctx_err() == LEAT_OK)
                leat_yield();
            CHECK(somebody_waits_for_room(s));       /* it has run, and its answer is not yet given */
            CHECK_EQ(at_load(&ran), 2);
            CHECK_EQ(queued(s), much);
            if (lost)
                sess_break(s, LEAT_SYS, "the test ends it");
            else
                mute(s, false);
        }
        CHECK_EQ(err, LEAT_OK);
    }
    for (int i = 0; i < 2; i++)
        CHECK_EQ(at_load(&all[i].err), lost ? LEAT_UNKNOWN : LEAT_OK);
    pair_close(&x);
}
static leat_err answers_wait(leat_none *none) { (void)none; answers(false); answers(true); return LEAT_OK; }
ANYWHERE(an_answer_waits_while_many_are_not_taken, answers_wait)

/* -- ends in what was never written -------------------------------------------------------------------------------------------------- */
/* By a call the caller keeps its own, and its channel is closed when it is done with that: nobody else has one. */
static leat_err sends(leat_none *none)
{
    struct pair x = served();
    struct sess *s = sess_of(x.p);
    struct num v, out;
    (void)none;
    leat_with_deadline(LEAT_S(40)) {
        leat_chan(struct num) c = leat_chan_make(struct num, 2);
        struct send_end in = { leat_tx_of(c) };
        mute(s, true);
        leat_with_deadline(LEAT_MS(1))
            CHECK_EQ(leat_call(x.p, work, with_tx, &in, &out), LEAT_DEADLINE);
        leat_finish(c);
        CHECK_EQ(leat_recv(c, &v), LEAT_CLOSED);
        mute(s, false);
        leat_unref(c);
        CHECK_EQ(leat_call(x.p, work, count, &(struct num){ 1 }, &out), LEAT_OK);
    }
    CHECK_EQ(at_load(&ran), 1);
    pair_close(&x);
    return LEAT_OK;
}
ANYWHERE(a_send_end_in_a_call_that_was_never_written_sends_nothing_and_holds_nothing_up, sends)

/* The end of a task is gone with it; the channel is not held up. */
static leat_err sends_by_task(leat_none *none)
{
    struct pair x = served();
    struct sess *s = sess_of(x.p);
    struct num v;
    leat_err err, sent = LEAT_OK;
    (void)none;
    leat_with_deadline(LEAT_S(40)) {
        leat_chan(struct num) c = leat_chan_make(struct num, 2);
        leat_tx(struct num) to = leat_ref(leat_tx_of(c));
        mute(s, true);
        size_t before = queued(s);
        leat_with_group(g, err) {
            sent = leat_go_on(&g, x.p, tx_task, send_end, { to });
            CHECK(queued(s) > before);
            leat_group_cancel(&g);
        }
        CHECK_EQ(sent, LEAT_OK);
        CHECK_EQ(err, LEAT_CANCELED);
        leat_finish(c);
        leat_err how = leat_recv(c, &v);
        CHECK(how == LEAT_CLOSED || how == LEAT_PEER_LOST);
        mute(s, false);
        leat_unref(c);
    }
    CHECK_EQ(at_load(&ran), 0);
    pair_close(&x);
    return LEAT_OK;
}
ANYWHERE(a_send_end_in_a_task_that_was_never_written_holds_nothing_up, sends_by_task)

/* A receive end goes once.  The first call asks for the types, so it is the second that takes its end along. */
static leat_err receives(leat_none *none)
{
    struct pair x = served();
    struct sess *s = sess_of(x.p);
    struct num out;
    leat_err err = LEAT_OK;
    (void)none;
    leat_with_deadline(LEAT_S(40)) {
        leat_chan(struct num) first = leat_chan_make(struct num, 2), c = leat_chan_make(struct num, 2);
        struct recv_end in = { leat_rx_of(first) };
        CHECK_EQ(leat_call(x.p, work, with_rx, &in, &out), LEAT_OK);
        mute(s, true);
        in.in = leat_rx_of(c);
        leat_with_deadline(LEAT_MS(1))
            CHECK_EQ(leat_call(x.p, work, with_rx, &in, &out), LEAT_DEADLINE);
        while (err == LEAT_OK)
            err = leat_send(c, { 1 });
        CHECK_EQ(err, LEAT_GONE);                    /* who sends does not wait for a receiver that there will never be */
        mute(s, false);
        leat_unref(first);
        leat_unref(c);
    }
    CHECK_EQ(at_load(&ran), 1);
    pair_close(&x);
    return LEAT_OK;
}
ANYWHERE(a_receive_end_in_a_call_that_was_never_written_is_gone_and_its_senders_are_told, receives)

/* -- doubts -------------------------------------------------------------------------------------------------------------------------- */
struct stayer { leat_peer *p; leat_dur at_most; leat_err err; };
static leat_err stay_there(struct stayer **arg)
{
    struct stayer *a = *arg;
    struct num out;
    leat_with_deadline(a->at_most)
        a->err = leat_call(a->p, work, stay, &(struct num){ 1 }, &out);
    return LEAT_OK;
}

/* Who has given up has UNKNOWN already; who still waits when the session ends has it then, and counts. */
static leat_err doubts(leat_none *none)
{
    struct pair x = served();
    struct stayer early = { x.p, LEAT_S(40), LEAT_OK }, late = { x.p, LEAT_S(40), LEAT_OK };
    leat_err err;
    leat_doubt d = { 0 };
    (void)none;
    leat_with_deadline(LEAT_S(40)) {
        leat_with_group(g, err) {
            leat_err gives_up;
            leat_with_group(some, gives_up) {
                CHECK_EQ(leat_go(&some, stay_there, &early), LEAT_OK);
                while (at_load(&stays) < 1)
                    leat_yield();
                leat_group_cancel(&some);
            }
            CHECK_EQ(early.err, LEAT_UNKNOWN);
            CHECK_EQ(gives_up, LEAT_OK);
            CHECK_EQ(leat_go(&g, stay_there, &late), LEAT_OK);
            while (at_load(&stays) < 2)
                leat_yield();
            sess_break(sess_of(x.p), LEAT_SYS, "the test ends it");
        }
        CHECK_EQ(err, LEAT_OK);
        CHECK_EQ(late.err, LEAT_UNKNOWN);
        CHECK_EQ(leat_node_flush(x.b, &d), LEAT_UNKNOWN);
        CHECK_EQ(d.calls, 1);
        at_store(&may_end, 1);
    }
    pair_close(&x);
    return LEAT_OK;
}
ANYWHERE(a_flush_has_no_doubt_of_a_call_that_was_given_up_before_the_peer_was_lost, doubts)

T_MAIN()
