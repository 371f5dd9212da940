/* reply_test.c - replies of futures and deals: all of an error is in them, and what nobody receives is dropped with all it owns. */
#include <stdatomic.h>
#include "pair.h"

LEAT_STRUCT(num, (uint64, n));
LEAT_STRUCT(ask, (uint64, how), (tx(num), out));
LEAT_STRUCT(gift, (string, text), (tx(num), out));
LEAT_SERVICE(shop, (give, ask, gift), (wait, ask, gift));
LEAT_STRUCT(letter, (rx(gift_reply), in));

enum { GIVE, FAIL, WORDS, LATE };                    /* what `how` asks for: a gift, an error with all there is, words alone, a DEADLINE */

static leat_error broken(leat_err code)
{
    leat_error e = { .code = LEAT_SYS, .text = LEAT_STRING("no oil") };
    CHECK_EQ(leat_bytes_dup("\1\2", 2, &e.details), LEAT_OK);
    CHECK_EQ(leat_error_wrap(&e, LEAT_REFUSED, "the mill stands"), LEAT_OK);
    CHECK_EQ(leat_bytes_dup("\3", 1, &e.details), LEAT_OK);
    e.code = code;
    return e;
}

static leat_err shop_give(void *self, const struct ask *in, struct gift *out)
{
    (void)self;
    if (in->how == WORDS)
        return leat_fail(LEAT_LIMIT, "no more, and %0300d", 7);
    if (in->how != GIVE) {
        leat_error e = broken(in->how == LATE ? LEAT_DEADLINE : LEAT_REFUSED);
        leat_err err = leat_error_raise(&e);
        leat_error_drop(&e);
        return err;
    }
    out->out = leat_ref(in->out);
    return leat_string_dup("here", 4, &out->text);
}

static _Atomic int waits, gate;

/* Until the gate opens, or it is cancelled. */
static leat_err shop_wait(void *self, const struct ask *in, struct gift *out)
{
    atomic_fetch_add(&waits, 1);
    while (!atomic_load(&gate) && leat_ctx_err() == LEAT_OK)
        LEAT_TRY(leat_sleep(LEAT_MS(1)));
    LEAT_TRY(leat_ctx_err());
    return shop_give(self, in, out);
}
static const struct shop_impl shop = { shop_give, shop_wait };

static struct pair served(void)
{
    struct pair x = pair_open();
    CHECK_EQ(leat_serve(x.a, shop, &shop, NULL), LEAT_OK);
    return x;
}

/* Both ends of a channel. */
struct line { leat_tx(struct num) tx; leat_rx(struct num) rx; };
static struct line line(void)
{
    leat_chan(struct num) c = leat_chan_make(struct num, 1);
    struct line l = { leat_ref(leat_tx_of(c)), leat_ref(leat_rx_of(c)) };
    leat_unref(c);
    return l;
}

/* Every send end of it has been let go of, here and elsewhere. */
static void let_go_of(struct line *l)
{
    struct num n;
    leat_with_deadline(LEAT_S(40))
        CHECK_EQ(leat_recv(l->rx, &n), LEAT_CLOSED);
    leat_unref(l->rx);
}

static bool is(leat_string s, const char *want) { return s.len == strlen(want) && memcmp(s.p, want, s.len) == 0; }

/* It begins so, and ends with what the method said. */
static bool told(leat_string s, const char *begins)
{
    static const char ends[] = "shop.give: the mill stands";
    return s.len > strlen(begins) + sizeof ends && memcmp(s.p, begins, strlen(begins)) == 0 &&
        memcmp(s.p + s.len - sizeof ends + 1, ends, sizeof ends - 1) == 0;
}

/* All that `broken` has, said by node a. */
static void check_broken(const leat_error *e, leat_err code)
{
    CHECK_EQ(e->code, code);
    CHECK(is(e->node, "node a") && e->details.len == 1 && e->details.p[0] == 3 && e->cause);
    CHECK(told(e->text, code == LEAT_UNKNOWN ? "DEADLINE: node a (" : "node a ("));
    CHECK(e->cause->code == LEAT_SYS && is(e->cause->text, "no oil") && e->cause->details.len == 2 && !e->cause->cause);
}

/* -- futures -------------------------------------------------------------------------------------------------------------------- */
static leat_err ask_for(struct pair *x, uint64_t how, struct gift_reply *r)
{
    leat_auto leat_rx(struct gift_reply) future = NULL;
    leat_err err;
    leat_with_group(g, err)
        CHECK_EQ(leat_call_async(&g, x->p, shop, give, (&(struct ask){ how, NULL }), &future), LEAT_OK);
    CHECK_EQ(err, LEAT_OK);
    return leat_recv(future, r);
}

static leat_err whole(leat_none *none)
{
    (void)none;
    struct pair x = served();
    struct gift_reply r;
    struct gift got = { .text = { 0 } };
    leat_error e;
    for (uint64_t how = FAIL; how <= LATE; how++) {
        leat_err want = how == FAIL ? LEAT_REFUSED : how == WORDS ? LEAT_LIMIT : LEAT_UNKNOWN;
        char detail[480];
        CHECK_EQ(leat_call(x.p, shop, give, (&(struct ask){ how, NULL }), &got), want);
        snprintf(detail, sizeof detail, "%s", leat_err_detail());
        CHECK_EQ(ask_for(&x, how, &r), LEAT_OK);
        CHECK(r.reply.err == want && strncmp(r.reply.detail, detail, sizeof r.reply.detail - 1) == 0);
        if (how != WORDS)
            check_broken(&r.reply.error, want);
        else
            CHECK(r.reply.error.code == want && is(r.reply.error.text, detail) && is(r.reply.error.node, "node a"));
        leat_err err = leat_reply_err(&r.reply);
        CHECK_EQ(err, want);
        CHECK_EQ(leat_err_why(), how == LATE ? LEAT_DEADLINE : LEAT_OK);
        CHECK_STR(leat_err_detail(), detail);        /* as if the call had returned it */
        CHECK_EQ(leat_error_of(err, &e), LEAT_OK);
        if (how != WORDS)
            check_broken(&e, want);
        else
            CHECK(e.code == want && is(e.text, detail) && is(e.node, "node a") && !e.cause && !e.details.len);
        leat_error_drop(&e);
        CHECK(r.reply.error.code == LEAT_OK && !r.reply.error.text.len && !r.reply.error.cause);
        CHECK_EQ(leat_reply_err(&r.reply), want);    /* again: what fits the detail */
        CHECK(strncmp(leat_err_detail(), detail, sizeof r.reply.detail - 1) == 0);
        leat_drop(gift_reply, &r);
    }
    CHECK_EQ(ask_for(&x, FAIL, &r), LEAT_OK);        /* and one that nobody looks at */
    leat_drop(gift_reply, &r);
    pair_close(&x);
    return LEAT_OK;
}
ANYWHERE(the_error_of_a_future_is_that_of_the_call_with_all_it_has, whole)

/* One that has come, one that comes to nobody; one of each by a group that is cancelled; a gift or an error. */
static void unheard_one(struct pair *x, uint64_t how, bool came, bool stopped)
{
    leat_rx(struct gift_reply) future = NULL;
    struct line l = line();
    struct ask a = { how, l.tx };
    leat_err err;
    atomic_store(&gate, 0);
    leat_with_group(g, err) {
        int before = atomic_load(&waits);
        CHECK_EQ(leat_call_async(&g, x->p, shop, wait, &a, &future), LEAT_OK);
        leat_drop(ask, &a);
        while (atomic_load(&waits) == before)
            CHECK_EQ(leat_sleep(LEAT_MS(1)), LEAT_OK);
        if (!came) {
            leat_unref(future);
            future = NULL;
        }
        if (stopped)
            leat_group_cancel(&g);
        else
            atomic_store(&gate, 1);
    }
    CHECK(err == LEAT_OK || (stopped && err == LEAT_CANCELED));
    leat_unref(future);
    let_go_of(&l);
}

static leat_err unheard(leat_none *none)
{
    (void)none;
    struct pair x = served();
    for (int i = 0; i < 8; i++)
        unheard_one(&x, i & 1 ? GIVE : FAIL, i & 2, i & 4);
    pair_close(&x);
    return LEAT_OK;
}
ANYWHERE(what_a_reply_owns_is_dropped_when_nobody_receives_it, unheard)

/* The node that asks is closed: by then both have their replies, of which one is received. */
static leat_err closed(leat_none *none)
{
    (void)none;
    struct pair x = served();
    leat_rx(struct gift_reply) future[2] = { NULL };
    struct gift_reply r;
    leat_err err;
    atomic_store(&gate, 0);
    int before = atomic_load(&waits);
    leat_with_group(g, err) {
        for (int i = 0; i < 2; i++)
            CHECK_EQ(leat_call_async(&g, x.p, shop, wait, (&(struct ask){ GIVE, NULL }), &future[i]), LEAT_OK);
        while (atomic_load(&waits) < before + 2)
            CHECK_EQ(leat_sleep(LEAT_MS(1)), LEAT_OK);
        leat_with_deadline(LEAT_MS(1))
            leat_ignore(leat_node_close(x.b));
    }
    CHECK_EQ(err, LEAT_OK);
    CHECK_EQ(leat_recv(future[0], &r), LEAT_OK);
    CHECK_EQ(r.reply.err, LEAT_UNKNOWN);             /* it did run, as far as it got */
    CHECK(r.reply.error.code == LEAT_UNKNOWN && r.reply.error.text.len > 0);
    leat_drop(gift_reply, &r);
    leat_unref(future[0]);
    leat_unref(future[1]);
    leat_node_close(x.a);
    return LEAT_OK;
}
ANYWHERE(replies_of_a_node_that_was_closed_are_errors_that_are_dropped, closed)

/* -- a reply is a value like others -------------------------------------------------------------------------------------------- */
static leat_err travels(leat_none *none)
{
    (void)none;
    struct pair x = served();
    leat_auto leat_chan(struct gift_reply) c = leat_chan_make(struct gift_reply, 4);
    leat_auto leat_tx(struct gift_reply) out = NULL;
    struct gift_reply r, copy;
    leat_string json;
    CHECK_EQ(leat_export(x.a, "gifts", leat_tx_of(c), gift_reply), LEAT_OK);
    CHECK_EQ(leat_import(x.p, "gifts", &out, gift_reply, 4), LEAT_OK);
    CHECK_EQ(ask_for(&x, FAIL, &r), LEAT_OK);
    r.reply.number = 12;
    CHECK_EQ(leat_dup(gift_reply, &r, &copy), LEAT_OK);
    CHECK_EQ(leat_send(out, r), LEAT_OK);
    CHECK_EQ(leat_recv(c, &r), LEAT_OK);
    CHECK(r.reply.err == LEAT_REFUSED && r.reply.number == 12 && strcmp(r.reply.detail, copy.reply.detail) == 0);
    check_broken(&r.reply.error, LEAT_REFUSED);
    r.value.text = LEAT_STRING("v");
    leat_drop(gift_reply, &copy);
    leat_error_drop(&r.reply.error);
    memcpy(r.reply.detail, "no", 3);
    CHECK_EQ(leat_json_write(gift_reply, &r, &json), LEAT_OK);
    CHECK(is(json, "{\"reply\":{\"err\":\"REFUSED\",\"why\":\"REFUSED\",\"worker\":0,\"attempt\":0,\"number\":12,\"detail\":\"no\","
        "\"error\":{\"code\":\"OK\",\"text\":\"\"}},\"value\":{\"text\":\"v\",\"out\":null}}"));
    leat_string_drop(&json);
    pair_close(&x);
    return LEAT_OK;
}
ANYWHERE(a_reply_travels_as_any_struct, travels)

/* A future whose reply has come goes to another node as an end in a value, and its reply with it. */
static leat_err moves(leat_none *none)
{
    (void)none;
    struct pair x = served();
    leat_auto leat_chan(struct letter) post = leat_chan_make(struct letter, 1);
    leat_auto leat_tx(struct letter) box = NULL;
    struct letter l = { NULL };
    struct gift_reply r;
    leat_err err;
    CHECK_EQ(leat_export(x.a, "post", leat_tx_of(post), letter), LEAT_OK);
    CHECK_EQ(leat_import(x.p, "post", &box, letter, 1), LEAT_OK);
    for (int heard = 0; heard < 2; heard++) {
        leat_with_group(g, err)
            CHECK_EQ(leat_call_async(&g, x.p, shop, give, (&(struct ask){ FAIL, NULL }), &l.in), LEAT_OK);
        CHECK_EQ(err, LEAT_OK);
        CHECK_EQ(leat_send(box, l), LEAT_OK);
        CHECK_EQ(leat_recv(post, &l), LEAT_OK);
        if (heard) {
            CHECK_EQ(leat_recv(l.in, &r), LEAT_OK);
            check_broken(&r.reply.error, LEAT_REFUSED);
            leat_drop(gift_reply, &r);
        }
        leat_drop(letter, &l);
    }
    pair_close(&x);
    return LEAT_OK;
}
ANYWHERE(a_future_that_has_its_reply_goes_to_another_node_with_it, moves)

/* -- deals ------------------------------------------------------------------------------------------------------------------------ */
struct dealing { leat_workers *w; leat_rx(struct ask) in; leat_tx(struct gift_reply) out; bool errors; leat_err err; leat_error error; };
static leat_err dealing(struct dealing **arg)
{
    struct dealing *d = *arg;
    d->err = leat_deal(d->w, shop, give, d->in, d->out, (&(leat_deal_opts){ .errors = d->errors, .ordered = true }));
    CHECK_EQ(leat_error_of(d->err, &d->error), LEAT_OK);
    return LEAT_OK;
}

static leat_err dealt(leat_none *none)
{
    (void)none;
    struct pair x = served();
    leat_auto leat_chan(struct ask) in = leat_chan_make(struct ask, 8);
    leat_auto leat_chan(struct gift_reply) out = leat_chan_make(struct gift_reply, 8);
    struct dealing d = { .in = leat_rx_of(in), .out = leat_tx_of(out), .errors = true };
    struct dealing *at = &d;
    struct gift_reply r;
    CHECK_EQ(leat_workers_open(x.b, &d.w), LEAT_OK);
    CHECK_EQ(leat_workers_add(d.w, x.p), LEAT_OK);
    for (uint64_t how = GIVE; how <= LATE; how++)
        CHECK_EQ(leat_send(in, { how, NULL }), LEAT_OK);
    leat_close(leat_tx_of(in));
    leat_ignore(dealing(&at));
    CHECK_EQ(d.err, LEAT_OK);
    leat_error_drop(&d.error);
    for (uint64_t how = GIVE; how <= LATE; how++) {
        CHECK_EQ(leat_recv(out, &r), LEAT_OK);
        CHECK_EQ(r.reply.number, how);
        CHECK_EQ(r.reply.err, how == GIVE ? LEAT_OK : how == FAIL ? LEAT_REFUSED : how == WORDS ? LEAT_LIMIT : LEAT_DEADLINE);
        if (how == FAIL)
            check_broken(&r.reply.error, LEAT_REFUSED);
        if (how == LATE)
            CHECK(r.reply.error.code == LEAT_DEADLINE && r.reply.error.cause && r.reply.error.details.len == 1);
        if (how == WORDS)
            CHECK(r.reply.error.text.len > 300 && is(r.reply.error.node, "node a"));
        leat_drop(gift_reply, &r);
    }
    leat_workers_close(d.w);
    pair_close(&x);
    return LEAT_OK;
}
ANYWHERE(the_error_of_an_element_is_in_its_result_with_all_it_has, dealt)

/* By the error of a method, with what came before it in the channel of results, which nobody receives. */
static leat_err ended(leat_none *none)
{
    (void)none;
    struct pair x = served();
    leat_auto leat_chan(struct ask) in = leat_chan_make(struct ask, 8);
    leat_chan(struct gift_reply) out = leat_chan_make(struct gift_reply, 8);
    struct line l = line();
    struct dealing d = { .in = leat_rx_of(in), .out = leat_tx_of(out) };
    struct dealing *at = &d;
    CHECK_EQ(leat_workers_open(x.b, &d.w), LEAT_OK);
    CHECK_EQ(leat_workers_add(d.w, x.p), LEAT_OK);
    CHECK_EQ(leat_send(in, { GIVE, leat_ref(l.tx) }), LEAT_OK);
    CHECK_EQ(leat_send(in, { GIVE, l.tx }), LEAT_OK);
    CHECK_EQ(leat_send(in, { FAIL, NULL }), LEAT_OK);
    leat_close(leat_tx_of(in));
    leat_ignore(dealing(&at));
    CHECK_EQ(d.err, LEAT_REFUSED);                   /* as leat_deal returned it */
    CHECK(told(d.error.text, "element 2: node a (") && is(d.error.node, "node a"));
    CHECK(d.error.details.len == 1 && d.error.cause && d.error.cause->details.len == 2);
    leat_error_drop(&d.error);
    leat_workers_close(d.w);
    leat_unref(out);
    let_go_of(&l);
    pair_close(&x);
    return LEAT_OK;
}
ANYWHERE(the_error_that_ends_a_deal_has_all_and_results_nobody_receives_are_dropped, ended)

/* -- hooks ------------------------------------------------------------------------------------------------------------------------ */
static leat_err no_thanks(void *self, const leat_called *c, leat_next *next)
{
    (void)self;
    LEAT_TRY(leat_proceed(next));
    CHECK(((const struct gift *)c->out)->text.len == 4);
    leat_error e = broken(LEAT_INVAL);
    leat_err err = leat_error_raise(&e);
    leat_error_drop(&e);
    return err;
}

static leat_err refused(leat_none *none)
{
    (void)none;
    struct pair x = served();
    leat_auto leat_rx(struct gift_reply) future = NULL;
    struct line l = line();
    struct ask a = { GIVE, l.tx };
    struct gift got = { .text = { 0 } };
    struct gift_reply r;
    leat_err err;
    CHECK_EQ(leat_hook_calls(x.b, no_thanks, NULL), LEAT_OK);
    CHECK_EQ(leat_call(x.p, shop, give, &a, &got), LEAT_INVAL);
    CHECK(!got.out && !got.text.p);
    leat_with_group(g, err)
        CHECK_EQ(leat_call_async(&g, x.p, shop, give, &a, &future), LEAT_OK);
    CHECK_EQ(err, LEAT_OK);
    CHECK_EQ(leat_recv(future, &r), LEAT_OK);
    CHECK(r.reply.err == LEAT_INVAL && r.reply.error.cause && r.reply.error.node.len == 0 && !r.value.out);
    leat_drop(gift_reply, &r);
    leat_drop(ask, &a);
    let_go_of(&l);
    pair_close(&x);
    return LEAT_OK;
}
ANYWHERE(a_result_that_a_hook_refuses_is_dropped, refused)

/* -- without a node ----------------------------------------------------------------------------------------------------------------- */
static leat_err codes(leat_none *none)
{
    (void)none;
    leat_error e = { .code = (leat_err)0x1234, .text = LEAT_STRING("of another time") };
    struct gift_reply r = { .reply.err = (leat_err)256, .reply.error = e };
    CHECK_EQ(leat_error_raise(&e), LEAT_REMOTE);     /* no number may be taken for OK on its way */
    CHECK_STR(leat_err_detail(), "of another time");
    e.text = (leat_string){ 0 };
    CHECK_EQ(leat_error_raise(&e), LEAT_REMOTE);
    CHECK(strlen(leat_err_detail()) > 0);
    CHECK_EQ(leat_reply_err(&r.reply), LEAT_REMOTE);
    CHECK_STR(leat_err_detail(), "of another time");
    r.reply.err = LEAT_OK;
    CHECK_EQ(leat_reply_err(&r.reply), LEAT_OK);
    return LEAT_OK;
}
TEST(an_error_with_a_code_that_is_none_is_remote) { CHECK_EQ(leat_run(&quiet_opts, codes, LEAT_NONE), LEAT_OK); }

T_MAIN()
