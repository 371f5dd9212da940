/* evolve_test.c - two nodes that describe a struct differently: channels, calls, remote tasks, deals, and ends of channels inside values.
 * What fits is found by name on the side that reads; what does not is LEAT_TYPE before anything has happened. */
#include "mute.h"
#include "pair.h"
#include "peer.h"
#include "chan/chan.h"
#include "sess/ends.h"
#include "sess/sess.h"

LEAT_STRUCT(part1, (string, text), (int32, n));
LEAT_STRUCT(part2, (int64, n), (string, text), (bool, fresh), (strings, tags));
LEAT_STRUCT(part_bad, (string, text), (string, n));

static bool is(leat_string s, const char *want) { return s.len == strlen(want) && memcmp(s.p, want, s.len) == 0; }

/* -- channels by name -------------------------------------------------------------------------------------------------------------- */
static size_t cap;
enum { MANY = 200 };

static leat_err send_parts(leat_tx(struct part1) *out)
{
    for (int i = 0; i < MANY; i++)
        LEAT_TRY(leat_send(*out, { LEAT_STRING("old"), i }));
    leat_unref(*out);
    return LEAT_OK;
}

static leat_err import_tx(leat_none *none)
{
    (void)none;
    struct pair x = pair_open();
    leat_chan(struct part2) c = leat_chan_make(struct part2, cap);
    leat_tx(struct part1) out = NULL;
    leat_err err;
    struct part2 v;
    int n = 0;
    CHECK_EQ(leat_export(x.a, "parts", leat_tx_of(c), part2), LEAT_OK);
    CHECK_EQ(leat_import(x.p, "parts", &out, part1, 0), LEAT_OK);
    CHECK_EQ(leat_cap(out), cap);
    leat_unexport(x.a, "parts");
    leat_finish(c);
    leat_with_group(g, err) {
        LEAT_TRY(leat_go(&g, send_parts, (leat_tx(struct part1)){ out }));
        while ((err = leat_recv(c, &v)) == LEAT_OK) {
            CHECK(v.n == n++ && is(v.text, "old") && !v.fresh && v.tags.len == 0);
            leat_drop(part2, &v);
        }
        CHECK_EQ(err, LEAT_CLOSED);
        err = LEAT_OK;
    }
    CHECK_EQ(n, MANY);
    leat_unref(c);
    pair_close(&x);
    return err;
}
static leat_err import_tx_0(leat_none *n) { cap = 0; return import_tx(n); }
static leat_err import_tx_16(leat_none *n) { cap = 16; return import_tx(n); }
ANYWHERE(an_older_sender_is_read_by_a_newer_receiver_capacity_0, import_tx_0)
ANYWHERE(an_older_sender_is_read_by_a_newer_receiver_capacity_16, import_tx_16)

static leat_err import_rx(leat_none *none)
{
    (void)none;
    struct pair x = pair_open();
    leat_chan(struct part1) c = leat_chan_make(struct part1, 4);
    leat_rx(struct part2) in = NULL;
    struct part2 v;
    for (int i = 0; i < 3; i++)
        CHECK_EQ(leat_send(c, { LEAT_STRING("queued"), i }), LEAT_OK);
    CHECK_EQ(leat_export(x.a, "parts", leat_rx_of(c), part1), LEAT_OK);
    CHECK_EQ(leat_import(x.p, "parts", &in, part2, 0), LEAT_OK);
    leat_tx(struct part1) out = leat_ref(leat_tx_of(c));
    leat_unexport(x.a, "parts");
    leat_unref(c);
    CHECK_EQ(leat_send(out, { LEAT_STRING("later"), -3 }), LEAT_OK);
    leat_close(out);
    for (int i = 0; i < 3; i++) {
        CHECK_EQ(leat_recv(in, &v), LEAT_OK);
        CHECK(v.n == i && is(v.text, "queued"));
        leat_drop(part2, &v);
    }
    CHECK_EQ(leat_recv(in, &v), LEAT_OK);
    CHECK(v.n == -3 && is(v.text, "later"));
    leat_drop(part2, &v);
    CHECK_EQ(leat_recv(in, &v), LEAT_CLOSED);
    leat_unref(in);
    leat_unref(out);
    pair_close(&x);
    return LEAT_OK;
}
ANYWHERE(a_receive_end_that_is_imported_reads_what_an_older_program_queued, import_rx)

static leat_err import_bad(leat_none *none)
{
    (void)none;
    struct pair x = pair_open();
    leat_chan(struct part2) c = leat_chan_make(struct part2, 1);
    leat_tx(struct part_bad) bad = NULL;
    leat_tx(struct part1) good = NULL;
    leat_rx(struct part1) in = NULL;
    CHECK_EQ(leat_export(x.a, "parts", leat_tx_of(c), part2), LEAT_OK);
    CHECK_EQ(leat_export(x.a, "in", leat_rx_of(c), part2), LEAT_OK);
    CHECK_EQ(leat_import(x.p, "parts", &bad, part_bad, 0), LEAT_TYPE);
    CHECK_HAS(leat_err_detail(), "field part_bad.n: string here, int64 there");
    CHECK_EQ(leat_import(x.p, "in", &in, part1, 0), LEAT_TYPE);
    CHECK_HAS(leat_err_detail(), "field part1.n: int32 here, int64 there");
    CHECK_EQ(leat_import(x.p, "parts", &good, part1, 0), LEAT_OK);           /* the session has not suffered */
    leat_unref(good);
    leat_unref(c);
    pair_close(&x);
    return LEAT_OK;
}
ANYWHERE(what_does_not_fit_is_named_and_the_session_goes_on, import_bad)

static leat_err selects(leat_none *none)
{
    (void)none;
    struct pair x = pair_open();
    leat_chan(struct part2) c = leat_chan_make(struct part2, 0);
    leat_tx(struct part1) out = NULL;
    leat_err err;
    struct part2 v;
    CHECK_EQ(leat_export(x.a, "parts", leat_tx_of(c), part2), LEAT_OK);
    CHECK_EQ(leat_import(x.p, "parts", &out, part1, 0), LEAT_OK);
    CHECK_EQ(leat_try_send(out, { LEAT_STRING("nobody"), 1 }), LEAT_AGAIN);
    leat_with_group(g, err) {
        LEAT_TRY(leat_go(&g, send_parts, (leat_tx(struct part1)){ leat_ref(out) }));
        for (int i = 0; i < MANY; i++) {
            leat_select(err) {
                leat_on_recv(c, &v) { CHECK(v.n == i && is(v.text, "old")); leat_drop(part2, &v); }
            }
            CHECK_EQ(err, LEAT_OK);
        }
    }
    leat_unref(out);
    leat_unref(c);
    pair_close(&x);
    return err;
}
ANYWHERE(rendezvous_and_selects_cross_types_too, selects)

/* -- calls ------------------------------------------------------------------------------------------------------------------------- */
LEAT_STRUCT(ask1, (string, text), (int16, times));
LEAT_STRUCT(ask2, (bool, loud), (int64, times), (string, text));
LEAT_STRUCT(answer1, (string, text));
LEAT_STRUCT(answer2, (uint32, len), (string, text));
LEAT_STRUCT(answer3, (string, text), (int64, len));
LEAT_STRUCT(ask_bad, (string, text), (float64, times));
LEAT_STRUCT(answer_bad, (bytes, text), (bool, len));
LEAT_SERVICE(echo, (say, ask2, answer2), (same, answer1, answer1));
static _Atomic uint32_t ran;

static leat_err echo_say(void *self, const struct ask2 *in, struct answer2 *out)
{
    (void)self;
    atomic_fetch_add(&ran, 1);
    CHECK(!in->loud);
    out->len = (uint32_t)in->times;
    return leat_string_dup(in->text.p, in->text.len, &out->text);
}
static leat_err echo_same(void *self, const struct answer1 *in, struct answer1 *out)
{
    (void)self;
    return leat_string_dup(in->text.p, in->text.len, &out->text);
}
static const struct echo_impl echo = { .say = echo_say, .same = echo_same };

/* what the other side's program has */
static const leat_method say_old = { "say", &ask1_type, &answer1_type, NULL }, say_new = { "say", &ask1_type, &answer3_type, NULL },
    say_ask_bad = { "say", &ask_bad_type, &answer1_type, NULL }, say_answer_bad = { "say", &ask1_type, &answer_bad_type, NULL };

static leat_err calls(leat_none *none)
{
    (void)none;
    struct pair x = pair_open();
    struct ask1 in = { LEAT_STRING("hello"), 5 };
    struct answer1 out = { 0 };
    struct answer3 out3 = { 0 };
    CHECK_EQ(leat_serve(x.a, echo, &echo, NULL), LEAT_OK);
    at_store(&ran, 0);
    for (int i = 0; i < 20; i++) {
        CHECK_EQ(leat_call_(x.p, "echo", &say_old, &in, &out), LEAT_OK);
        CHECK(is(out.text, "hello"));
        leat_drop(answer1, &out);
        CHECK_EQ(leat_call_(x.p, "echo", &say_new, &in, &out3), LEAT_OK);
        CHECK(is(out3.text, "hello") && out3.len == 5);
        leat_drop(answer3, &out3);
    }
    CHECK_EQ(at_load(&ran), 40);                     /* a try that is refused does not run */
    struct answer1 same = { LEAT_STRING("s") };
    CHECK_EQ(leat_call(x.p, echo, same, &same, &out), LEAT_OK);
    leat_drop(answer1, &out);
    pair_close(&x);
    return LEAT_OK;
}
ANYWHERE(arguments_and_results_of_calls_are_read_by_name, calls)

static leat_err calls_bad(leat_none *none)
{
    (void)none;
    struct pair x = pair_open();
    struct ask_bad bad = { LEAT_STRING("x"), 1 };
    struct ask1 in = { LEAT_STRING("x"), 1 };
    struct answer1 out = { 0 };
    struct answer_bad out_bad = { 0 };
    CHECK_EQ(leat_serve(x.a, echo, &echo, NULL), LEAT_OK);
    at_store(&ran, 0);
    CHECK_EQ(leat_call_(x.p, "echo", &say_ask_bad, &bad, &out), LEAT_TYPE);
    CHECK_HAS(leat_err_detail(), "argument of 'echo.say'");
    CHECK_HAS(leat_err_detail(), "field ask_bad.times: float64 here, int64 there");
    CHECK_EQ(leat_call_(x.p, "echo", &say_answer_bad, &in, &out_bad), LEAT_TYPE);
    CHECK_HAS(leat_err_detail(), "result of 'echo.say'");
    CHECK_HAS(leat_err_detail(), "field answer_bad.len: bool here, uint32 there");
    CHECK_EQ(at_load(&ran), 0);
    CHECK_EQ(leat_call_(x.p, "echo", &say_old, &in, &out), LEAT_OK);
    leat_drop(answer1, &out);
    pair_close(&x);
    return LEAT_OK;
}
ANYWHERE(a_call_whose_types_do_not_fit_does_not_run, calls_bad)

static leat_err keyed(leat_none *none)
{
    (void)none;
    struct pair x = pair_open();
    struct ask1 in = { LEAT_STRING("once"), 3 };
    struct answer3 out = { 0 };
    CHECK_EQ(leat_serve(x.a, echo, &echo, NULL), LEAT_OK);
    at_store(&ran, 0);
    for (int i = 0; i < 3; i++) {
        CHECK_EQ(leat_call_once_(x.p, "echo", &say_new, &in, &out, LEAT_STRING("key")), LEAT_OK);
        CHECK(is(out.text, "once") && out.len == 3);
        leat_drop(answer3, &out);
    }
    CHECK_EQ(at_load(&ran), 1);
    pair_close(&x);
    return LEAT_OK;
}
ANYWHERE(a_call_with_a_key_runs_once_between_types_too, keyed)

/* -- remote tasks ------------------------------------------------------------------------------------------------------------------ */
LEAT_STRUCT(shard1, (string, text), (tx(part1), out));
LEAT_STRUCT(part2_out, (string, text), (int16, n), (string, note));
LEAT_STRUCT(shard2, (int32, round), (tx(part2_out), out), (string, text));
static leat_err run_shard(struct shard2 *s)
{
    CHECK(s->round == 0 && is(s->text, "job"));
    return leat_send(s->out, { LEAT_STRING("done"), 42, LEAT_STRING("not known there") });
}
static leat_err run_ask(struct ask2 *a)
{
    CHECK(a->times == 3 && is(a->text, "t"));
    atomic_fetch_add(&ran, 1);
    return LEAT_OK;
}

static leat_err tasks(leat_none *none)
{
    (void)none;
    struct pair x = pair_open();
    leat_err err;
    CHECK_EQ(leat_expose(x.a, run_ask, ask2), LEAT_OK);
    at_store(&ran, 0);
    leat_with_group(g, err)
        for (int i = 0; i < 20; i++)
            CHECK_EQ(leat_go_on_(&g, x.p, "run_ask", &ask1_type, &(struct ask1){ LEAT_STRING("t"), 3 }), LEAT_OK);
    CHECK_EQ(err, LEAT_OK);
    CHECK_EQ(at_load(&ran), 20);
    leat_with_group(g, err)
        CHECK_EQ(leat_go_on_(&g, x.p, "run_ask", &ask_bad_type, &(struct ask_bad){ LEAT_STRING("t"), 3 }), LEAT_OK);
    CHECK_EQ(err, LEAT_TYPE);
    CHECK_HAS(leat_err_detail(), "field ask_bad.times: float64 here, int64 there");
    CHECK_EQ(at_load(&ran), 20);
    pair_close(&x);
    return LEAT_OK;
}
ANYWHERE(the_argument_of_a_remote_task_is_read_by_name, tasks)

/* The first task, with which the form goes, is given up before anything of it was written, with another behind it or not. */
static leat_err given_up(leat_none *none)
{
    (void)none;
    struct pair x = pair_open();
    CHECK_EQ(leat_expose(x.a, run_ask, ask2), LEAT_OK);
    for (int behind = 0; behind < 2; behind++) {
        struct pair y = x;
        leat_group first = { 0 }, second = { 0 };
        CHECK_EQ(leat_node_open(&(leat_node_opts){ .name = "node c" }, &y.b), LEAT_OK);
        CHECK_EQ(leat_node_dial(y.b, leat_node_url(x.a), &y.p), LEAT_OK);
        at_store(&ran, 0);
        mute(sess_of(y.p), true);
        CHECK_EQ(leat_go_on_(&first, y.p, "run_ask", &ask1_type, &(struct ask1){ LEAT_STRING("t"), 3 }), LEAT_OK);
        if (behind)
            CHECK_EQ(leat_go_on_(&second, y.p, "run_ask", &ask1_type, &(struct ask1){ LEAT_STRING("t"), 3 }), LEAT_OK);
        leat_group_cancel(&first);
        leat_err err = leat_group_wait(&first);
        CHECK(err == LEAT_OK || err == LEAT_CANCELED);
        if (!behind)
            CHECK_EQ(leat_go_on_(&second, y.p, "run_ask", &ask1_type, &(struct ask1){ LEAT_STRING("t"), 3 }), LEAT_OK);
        mute(sess_of(y.p), false);
        CHECK_EQ(leat_group_wait(&second), LEAT_OK);
        CHECK_EQ(at_load(&ran), 1);
        leat_node_close(y.b);
    }
    pair_close(&x);
    return LEAT_OK;
}
ANYWHERE(a_task_that_is_given_up_unwritten_does_not_take_its_form_along, given_up)

/* -- ends inside values -------------------------------------------------------------------------------------------------------------- */
static leat_err tx_inside(leat_none *none)
{
    (void)none;
    struct pair x = pair_open();
    leat_chan(struct part1) c = leat_chan_make(struct part1, cap);
    leat_err err;
    struct part1 v;
    CHECK_EQ(leat_expose(x.a, run_shard, shard2), LEAT_OK);
    leat_with_group(g, err) {
        for (int i = 0; i < 5; i++) {
            struct shard1 s = { LEAT_STRING("job"), leat_ref(leat_tx_of(c)) };
            CHECK_EQ(leat_go_on_(&g, x.p, "run_shard", &shard1_type, &s), LEAT_OK);
        }
        for (int i = 0; i < 5; i++) {
            CHECK_EQ(leat_recv(c, &v), LEAT_OK);
            CHECK(v.n == 42 && is(v.text, "done"));
            leat_drop(part1, &v);
        }
    }
    CHECK_EQ(err, LEAT_OK);
    leat_finish(c);
    CHECK_EQ(leat_recv(c, &v), LEAT_CLOSED);
    leat_unref(c);
    pair_close(&x);
    return LEAT_OK;
}
static leat_err tx_inside_0(leat_none *n) { cap = 0; return tx_inside(n); }
static leat_err tx_inside_4(leat_none *n) { cap = 4; return tx_inside(n); }
ANYWHERE(who_is_given_a_send_end_sends_its_own_type_capacity_0, tx_inside_0)
ANYWHERE(who_is_given_a_send_end_sends_its_own_type_capacity_4, tx_inside_4)

LEAT_STRUCT(feed1, (rx(part1), in), (string, text), (tx(part1), extra), (rx(part1), spare));
LEAT_STRUCT(feed2, (string, text), (rx(part2), in));
static leat_err run_feed(struct feed2 *f)
{
    struct part2 v;
    leat_err err;
    int n = 0;
    while ((err = leat_recv(f->in, &v)) == LEAT_OK) {
        CHECK(v.n == n++ && is(v.text, "p"));
        leat_drop(part2, &v);
    }
    CHECK_EQ(err, LEAT_CLOSED);
    CHECK_EQ(n, 10);
    return LEAT_OK;
}

static leat_err rx_inside(leat_none *none)
{
    (void)none;
    struct pair x = pair_open();
    leat_chan(struct part1) c = leat_chan_make(struct part1, 3), extra = leat_chan_make(struct part1, 1);
    leat_chan(struct part1) spare = leat_chan_make(struct part1, 2);
    leat_err err;
    struct part1 v;
    CHECK_EQ(leat_expose(x.a, run_feed, feed2), LEAT_OK);
    leat_with_group(g, err) {
        CHECK_EQ(leat_send(c, { LEAT_STRING("p"), 0 }), LEAT_OK);
        CHECK_EQ(leat_send(spare, { LEAT_STRING("lost"), 0 }), LEAT_OK);
        struct feed1 f = { leat_ref(leat_rx_of(c)), LEAT_STRING("feed"), leat_ref(leat_tx_of(extra)), leat_ref(leat_rx_of(spare)) };
        leat_tx(struct part1) out = leat_ref(leat_tx_of(c)), spare_out = leat_ref(leat_tx_of(spare));
        leat_unref(c);
        leat_unref(spare);
        CHECK_EQ(leat_go_on_(&g, x.p, "run_feed", &feed1_type, &f), LEAT_OK);
        for (int i = 1; i < 10; i++)
            CHECK_EQ(leat_send(out, { LEAT_STRING("p"), i }), LEAT_OK);
        leat_unref(out);
        while ((err = leat_send(spare_out, { LEAT_STRING("lost"), 1 })) == LEAT_OK)
            continue;                                /* nobody there has the receive end: it was skipped */
        CHECK_EQ(err, LEAT_GONE);
        leat_unref(spare_out);
        leat_finish(extra);
        CHECK_EQ(leat_recv(extra, &v), LEAT_CLOSED); /* nor the send end: that sender has finished */
        err = LEAT_OK;
    }
    CHECK_EQ(err, LEAT_OK);
    leat_unref(extra);
    pair_close(&x);
    return LEAT_OK;
}
ANYWHERE(a_receive_end_reads_what_older_senders_send_and_a_skipped_end_is_let_go, rx_inside)

/* -- three programs in a row ----------------------------------------------------------------------------------------------------------- */
LEAT_STRUCT(part3, (string, text), (int64, n), (int64, third));
static leat_err relay(leat_none *none)
{
    (void)none;
    struct pair x = pair_open();
    leat_node *third = NULL;
    leat_peer *to_b;
    leat_chan(struct part3) c = leat_chan_make(struct part3, 4);
    leat_tx(struct part2) middle = NULL;
    leat_tx(struct part1) out = NULL;
    struct part3 v;
    CHECK_EQ(leat_node_open(&(leat_node_opts){ .name = "node c" }, &third), LEAT_OK);
    CHECK_EQ(leat_node_listen(x.b, another_url()), LEAT_OK);
    CHECK_EQ(leat_node_dial(third, leat_node_url(x.b), &to_b), LEAT_OK);
    CHECK_EQ(leat_export(x.a, "parts", leat_tx_of(c), part3), LEAT_OK);
    CHECK_EQ(leat_import(x.p, "parts", &middle, part2, 0), LEAT_OK);
    CHECK_EQ(leat_export(x.b, "parts", middle, part2), LEAT_OK);
    CHECK_EQ(leat_import(to_b, "parts", &out, part1, 0), LEAT_OK);
    for (int i = 0; i < 20; i++) {
        CHECK_EQ(leat_send(out, { LEAT_STRING("far"), i }), LEAT_OK);
        CHECK_EQ(leat_recv(c, &v), LEAT_OK);
        CHECK(v.n == i && is(v.text, "far") && v.third == 0);
        leat_drop(part3, &v);
    }
    leat_unref(out);
    leat_node_close(third);
    leat_unref(middle);
    leat_unref(c);
    pair_close(&x);
    return LEAT_OK;
}
ANYWHERE(what_a_relay_passes_on_is_of_its_own_type, relay)

/* -- by hand ------------------------------------------------------------------------------------------------------------------------ */
LEAT_STRUCT(takes_part1, (tx(part1), out));
static leat_err other_end(leat_none *none)
{
    static struct peer p;
    leat_node *n;
    (void)none;
    leat_chan(struct answer1) texts = leat_chan_make(struct answer1, 4);
    leat_chan(struct takes_part1) c = leat_chan_make(struct takes_part1, 4);
    CHECK_EQ(leat_node_open(&(leat_node_opts){ .name = "node a" }, &n), LEAT_OK);
    CHECK_EQ(leat_node_listen(n, url), LEAT_OK);
    CHECK_EQ(leat_export(n, "texts", leat_tx_of(texts), answer1), LEAT_OK);
    CHECK_EQ(leat_export(n, "takes", leat_tx_of(c), takes_part1), LEAT_OK);
    leat_with_deadline(LEAT_S(50)) {
        struct buf b = { 0 };
        peer_dial(&p, leat_node_url(n), 1);
        (void)peer_attach(&p, 3, &answer1_type, "texts", true);
        (void)peer_attach(&p, 5, &takes_part1_type, "takes", true);
        PEER_SAY(&p, FRAME_NEED, 5, 1, 0, 0);
        peer_expect(&p, FRAME_GRANT);
        buf_varint(&b, 5);
        buf_u8(&b, 0);
        buf_varint(&b, 1 + 1 + 1 + 16);
        buf_u8(&b, 1);
        buf_u8(&b, 2);                               /* it comes home: the end of texts, said to be one of part1 */
        buf_varint(&b, 3);
        put_print(&b, &part1_type);
        peer_send(&p, FRAME_ELEM, 0, &b);
        buf_free(&b);
        struct peer_frame f;
        while ((f = peer_next(&p)).kind != FRAME_DEAD)
            continue;
        CHECK(memmem(f.in.p, cur_left(&f.in), "carries answer1, not part1", 26) != NULL);
        peer_hang_up(&p);
    }
    CHECK_EQ(leat_len(c), 0);
    leat_node_close(n);
    leat_unref(c);
    leat_unref(texts);
    return LEAT_OK;
}
ANYWHERE(an_end_that_comes_home_as_one_of_another_type_is_refused, other_end)

T_MAIN()
