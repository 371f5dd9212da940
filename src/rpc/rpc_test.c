/* rpc_test.c - calls and remote tasks between nodes of one process: values, errors and their details, deadlines, cancels, loss. */
#include "pair.h"
#include "chan/chan.h"
#include "sess/sess.h"

LEAT_STRUCT(num, (uint64, n));
LEAT_STRUCT(text, (string, text));
LEAT_STRUCT(word, (string, text), (uint64, times));
LEAT_STRUCT(shard, (string, text), (tx(word), out));
LEAT_STRUCT(flow, (rx(num), in), (tx(num), out));
LEAT_SERVICE(calc, (twice, num, num), (echo, text, text), (fail, num, num), (sleep, num, num));

/* -- calls ------------------------------------------------------------------------------------------------------------------------- */
static _Atomic uint32_t began, canceled;
static leat_err calc_twice(void *self, const struct num *in, struct num *out) { (void)self; out->n = in->n * 2; return LEAT_OK; }
static leat_err calc_echo(void *self, const struct text *in, struct text *out)
{
    (void)self;
    return leat_string_dup(in->text.p, in->text.len, &out->text);
}
static leat_err calc_fail(void *self, const struct num *in, struct num *out)
{
    (void)self;
    (void)out;
    return leat_fail((leat_err)in->n, "no luck with %d", (int)in->n);
}
static leat_err calc_sleep(void *self, const struct num *in, struct num *out)
{
    (void)self;
    (void)out;
    at_store(&began, 1);
    leat_err err = leat_sleep(LEAT_MS(in->n));
    if (err != LEAT_OK)
        at_store(&canceled, (uint32_t)err);
    return err;
}
static const struct calc_impl calc = { .twice = calc_twice, .echo = calc_echo, .fail = calc_fail, .sleep = calc_sleep };

static leat_err calls(leat_none *none)
{
    (void)none;
    struct pair x = pair_open();
    struct num out = { 0 };
    CHECK_EQ(leat_call(x.p, calc, twice, &(struct num){ 1 }, &out), LEAT_REFUSED);
    CHECK_HAS(leat_err_detail(), "calc.twice");
    CHECK_HAS(leat_err_detail(), "node a");
    CHECK_EQ(leat_serve(x.a, calc, &calc, NULL), LEAT_OK);
    CHECK_EQ(leat_serve(x.a, calc, &calc, NULL), LEAT_INVAL);
    for (uint64_t i = 0; i < 300; i++) {
        CHECK_EQ(leat_call(x.p, calc, twice, &(struct num){ i }, &out), LEAT_OK);
        CHECK_EQ(out.n, 2 * i);
    }
    char *big = malloc(1 << 20);
    memset(big, 'x', 1 << 20);
    struct text t = { 0 };
    CHECK_EQ(leat_call(x.p, calc, echo, (&(struct text){ leat_string_view(big, 1 << 20) }), &t), LEAT_OK);
    CHECK_EQ(t.text.len, 1 << 20);
    CHECK_MEM(t.text.p, big, 1 << 20);
    leat_drop(text, &t);
    free(big);
    pair_close(&x);
    return LEAT_OK;
}
ANYWHERE(calls_give_the_result, calls)

static leat_err errors(leat_none *none)
{
    (void)none;
    struct pair x = pair_open();
    struct num out = { 7 };
    CHECK_EQ(leat_serve(x.a, calc, &calc, NULL), LEAT_OK);
    CHECK_EQ(leat_call(x.p, calc, fail, &(struct num){ LEAT_LIMIT }, &out), LEAT_LIMIT);
    CHECK_HAS(leat_err_detail(), "no luck with 7");
    CHECK_HAS(leat_err_detail(), "node a");
    CHECK_EQ(leat_call(x.p, calc, fail, &(struct num){ LEAT_PEER_LOST }, &out), LEAT_REMOTE);
    CHECK_HAS(leat_err_detail(), "PEER_LOST");
    CHECK_EQ(out.n, 7);
    pair_close(&x);
    return LEAT_OK;
}
ANYWHERE(the_error_of_a_method_comes_back_with_its_detail, errors)

static leat_err deadlines(leat_none *none)
{
    (void)none;
    struct pair x = pair_open();
    struct num out;
    CHECK_EQ(leat_serve(x.a, calc, &calc, NULL), LEAT_OK);
    leat_err err = LEAT_DEADLINE;
    for (int64_t ms = 20; err == LEAT_DEADLINE; ms *= 2)             /* DEADLINE: it was not even sent */
        leat_with_deadline(LEAT_MS(ms)) {
            err = leat_call(x.p, calc, sleep, &(struct num){ 3600 * 1000 }, &out);
            CHECK(err == LEAT_DEADLINE || leat_err_why() == LEAT_DEADLINE);
            CHECK_EQ(leat_call(x.p, calc, sleep, &(struct num){ 3600 * 1000 }, &out), LEAT_DEADLINE);
        }
    CHECK_EQ(err, LEAT_UNKNOWN);
    for (int i = 0; !at_load(&canceled) && i < 5000; i++)
        leat_ignore(leat_sleep(LEAT_MS(1)));
    CHECK(at_load(&canceled) == LEAT_DEADLINE || at_load(&canceled) == LEAT_CANCELED);
    CHECK_EQ(leat_call(x.p, calc, twice, &(struct num){ 4 }, &out), LEAT_OK);
    pair_close(&x);
    return LEAT_OK;
}
ANYWHERE(the_deadline_of_a_call_reaches_the_method, deadlines)

/* -- remote tasks -------------------------------------------------------------------------------------------------------------------- */
static leat_err split(struct shard *s)
{
    const char *p = s->text.p, *end = p + s->text.len;
    while (p < end) {
        const char *q = p;
        while (q < end && *q != ' ')
            q++;
        struct word w = { .times = 1 };
        LEAT_TRY(leat_string_dup(p, (size_t)(q - p), &w.text));
        LEAT_TRY(leat_send(s->out, w));
        p = q + 1;
    }
    return LEAT_OK;
}

struct counter { leat_rx(struct word) in; uint64_t words, bytes; };
static leat_err count(struct counter **arg)
{
    struct counter *c = *arg;
    struct word w;
    leat_err err;
    while ((err = leat_recv(c->in, &w)) == LEAT_OK) {
        c->words += w.times;
        c->bytes += w.text.len;
        leat_drop(word, &w);
    }
    return err == LEAT_CLOSED ? LEAT_OK : err;
}

static leat_err word_count(leat_none *none)
{
    (void)none;
    struct pair x = pair_open();
    leat_node *c = NULL;
    leat_peer *p[2] = { x.p, NULL };
    CHECK_EQ(leat_node_open(&(leat_node_opts){ .name = "node c" }, &c), LEAT_OK);
    CHECK_EQ(leat_node_listen(c, another_url()), LEAT_OK);
    CHECK_EQ(leat_node_dial(x.b, leat_node_url(c), &p[1]), LEAT_OK);
    CHECK_EQ(leat_expose(x.a, split, shard), LEAT_OK);
    CHECK_EQ(leat_expose(c, split, shard), LEAT_OK);
    leat_chan(struct word) words = leat_chan_make(struct word, 16);
    struct counter total = { .in = leat_rx_of(words) };
    leat_err err;
    leat_with_group(sink, err) {
        LEAT_TRY(leat_go(&sink, count, (struct counter *){ &total }));
        leat_with_group(g, err)
            for (int i = 0; i < 400; i++)
                LEAT_TRY(leat_go_on(&g, p[i & 1], split, shard,
                    { .text = leat_string_of("the quick brown fox jumps"), .out = leat_ref(leat_tx_of(words)) }));
        leat_close(words);
    }
    CHECK_EQ(err, LEAT_OK);
    CHECK_EQ(total.words, 2000);
    CHECK_EQ(total.bytes, 400 * 21);
    leat_unref(words);
    leat_node_close(c);
    pair_close(&x);
    return err;
}
ANYWHERE(remote_tasks_send_words_to_a_channel_in_their_argument, word_count)

static leat_err doubler(struct flow *f)
{
    struct num v;
    leat_err err;
    leat_each(w, f->in, err) {
        v.n = w.n * 2;
        LEAT_TRY(leat_send(f->out, v));
    }
    return err;
}

static leat_err both_ends(leat_none *none)
{
    (void)none;
    struct pair x = pair_open();
    CHECK_EQ(leat_expose(x.a, doubler, flow), LEAT_OK);
    leat_err err;
    for (size_t cap = 0; cap < 20; cap += 7) {
        leat_chan(struct num) in = leat_chan_make(struct num, cap), out = leat_chan_make(struct num, cap);
        leat_tx(struct num) to = leat_ref(leat_tx_of(in));
        leat_rx(struct num) from = leat_ref(leat_rx_of(out));
        struct num v = { 0 };
        leat_with_group(g, err) {
            LEAT_TRY(leat_go_on(&g, x.p, doubler, flow, { .in = leat_ref(leat_rx_of(in)), .out = leat_ref(leat_tx_of(out)) }));
            leat_unref(in);
            leat_unref(out);
            for (uint64_t i = 0; i < 200; i++) {
                LEAT_TRY(leat_send(to, { .n = i }));
                LEAT_TRY(leat_recv(from, &v));
                CHECK_EQ(v.n, 2 * i);
            }
            leat_unref(to);
            CHECK_EQ(leat_recv(from, &v), LEAT_CLOSED);
            leat_unref(from);
        }
        CHECK_EQ(err, LEAT_OK);
    }
    pair_close(&x);
    return err;
}
ANYWHERE(a_remote_task_has_both_ends_of_a_pipeline, both_ends)

static leat_err forever(struct num *n)
{
    (void)n;
    at_store(&began, 1);
    leat_err err = leat_sleep(LEAT_S(1000));
    at_store(&canceled, (uint32_t)err);
    return err;
}
static leat_err bad(struct num *n) { return leat_fail(LEAT_INVAL, "%d is bad", (int)n->n); }

static leat_err joins(leat_none *none)
{
    (void)none;
    struct pair x = pair_open();
    leat_err err;
    CHECK_EQ(leat_expose(x.a, forever, num), LEAT_OK);
    CHECK_EQ(leat_expose(x.a, bad, num), LEAT_OK);
    leat_with_group(g, err) {
        LEAT_TRY(leat_go_on(&g, x.p, forever, num, { 1 }));
        LEAT_TRY(leat_go_on(&g, x.p, bad, num, { 5 }));
    }
    CHECK_EQ(err, LEAT_INVAL);
    CHECK_HAS(leat_err_detail(), "5 is bad");
    CHECK_HAS(leat_err_detail(), "node a");
    CHECK_EQ(at_load(&canceled), LEAT_CANCELED);     /* the group has waited for it, there too */
    leat_with_group(h, err)
        LEAT_TRY(leat_go_on(&h, x.p, split, shard, { .text = leat_string_of("x") }));
    CHECK_EQ(err, LEAT_REFUSED);
    CHECK_HAS(leat_err_detail(), "'split'");
    pair_close(&x);
    return LEAT_OK;
}
ANYWHERE(a_remote_task_joins_its_group, joins)

static leat_err good(struct num *n) { (void)n; return LEAT_OK; }
static leat_err races(leat_none *none)
{
    (void)none;
    struct pair x = pair_open();
    leat_err err;
    CHECK_EQ(leat_expose(x.a, forever, num), LEAT_OK);
    CHECK_EQ(leat_expose(x.a, bad, num), LEAT_OK);
    CHECK_EQ(leat_expose(x.a, good, num), LEAT_OK);
    leat_with_race(g, err) {
        leat_with_deadline(LEAT_NS(1))               /* it fails here and is no member: neither its success nor its error counts */
            CHECK(leat_go_on(&g, x.p, good, num, { 0 }) != LEAT_OK);
        LEAT_TRY(leat_go_on(&g, x.p, forever, num, { 1 }));
        LEAT_TRY(leat_go_on(&g, x.p, bad, num, { 5 }));
        LEAT_TRY(leat_go_on(&g, x.p, good, num, { 6 }));
    }
    CHECK_EQ(err, LEAT_OK);
    CHECK_EQ(at_load(&canceled), LEAT_CANCELED);
    leat_with_race(h, err)
        LEAT_TRY(leat_go_on(&h, x.p, bad, num, { 7 }));
    CHECK_EQ(err, LEAT_INVAL);
    CHECK_HAS(leat_err_detail(), "7 is bad");
    pair_close(&x);
    return LEAT_OK;
}
ANYWHERE(a_remote_task_wins_a_race, races)

/* The ends that went with the argument of something refused are let go: their channels neither wait for them nor for ever. */
static leat_err refused_ends(leat_none *none)
{
    (void)none;
    struct pair x = pair_open();
    struct word w;
    struct num v;
    leat_err err;
    leat_auto leat_chan(struct word) words = leat_chan_make(struct word, 4);
    leat_auto leat_chan(struct num) in = leat_chan_make(struct num, 4), out = leat_chan_make(struct num, 0);
    leat_with_deadline(LEAT_S(20)) {
        leat_with_group(g, err)
            LEAT_TRY(leat_go_on(&g, x.p, split, shard, { .text = leat_string_of("x"), .out = leat_ref(leat_tx_of(words)) }));
        CHECK_EQ(err, LEAT_REFUSED);
        leat_close(words);
        CHECK_EQ(leat_recv(words, &w), LEAT_CLOSED);
        leat_with_group(g, err)
            LEAT_TRY(leat_go_on(&g, x.p, doubler, flow, { .in = leat_ref(leat_rx_of(in)), .out = leat_ref(leat_tx_of(out)) }));
        CHECK_EQ(err, LEAT_REFUSED);
        while ((err = leat_send(in, { 1 })) == LEAT_OK)
            ;
        CHECK_EQ(err, LEAT_GONE);
        leat_close(out);
        CHECK_EQ(leat_recv(out, &v), LEAT_CLOSED);
    }
    pair_close(&x);
    return LEAT_OK;
}
ANYWHERE(ends_in_the_argument_of_a_refused_task_are_let_go, refused_ends)

static leat_err killed(leat_none *none)
{
    (void)none;
    struct pair x = pair_open();
    leat_err err;
    struct num out;
    CHECK_EQ(leat_expose(x.a, forever, num), LEAT_OK);
    CHECK_EQ(leat_serve(x.a, calc, &calc, NULL), LEAT_OK);
    leat_with_group(g, err) {
        LEAT_TRY(leat_go_on(&g, x.p, forever, num, { 1 }));
        while (!at_load(&began))
            leat_yield();
        sess_break(sess_of(x.p), LEAT_SYS, "the test cuts it");
    }
    CHECK_EQ(err, LEAT_UNKNOWN);
    CHECK_EQ(leat_err_why(), LEAT_PEER_LOST);
    CHECK_HAS(leat_err_detail(), "node a");
    CHECK_EQ(leat_call(x.p, calc, twice, &(struct num){ 1 }, &out), LEAT_PEER_LOST);
    while (!at_load(&canceled))
        leat_yield();
    pair_close(&x);
    return LEAT_OK;
}
ANYWHERE(a_lost_peer_ends_what_was_asked_of_it, killed)

T_MAIN()
