/* fail_calls_test.c - every request to the system refused in turn, between nodes: calls with keys and as futures, hooks and limits, deals,
 * what tells of sessions, Go's net/rpc. */
#include "fail_pair.h"

LEAT_STRUCT(num, (int64, n));
LEAT_SERVICE(calc, (twice, num, num));

static leat_err calc_twice(void *self, const struct num *in, struct num *out)
{
    (void)self;
    out->n = 2 * in->n;
    return LEAT_OK;
}
static const struct calc_impl calc = { .twice = calc_twice };

/* -- calls -------------------------------------------------------------------------------------------------------------------- */
static leat_err counts(void *self, const leat_called *c, leat_next *next)
{
    (void)c;
    atomic_fetch_add((_Atomic int *)self, 1);
    return leat_proceed(next);
}
static leat_err more_of_calls(struct pair *x)
{
    static _Atomic int called, served;
    leat_auto leat_rx(struct num_reply) reply = NULL;
    struct num_reply r = { 0 };
    struct num v = { 0 };
    leat_err err;
    atomic_store(&called, 0);
    atomic_store(&served, 0);
    LEAT_TRY(leat_serve(x->a, calc, &calc, NULL));
    LEAT_TRY(leat_limit_service(x->a, "calc", (leat_call_limits){ 2, 2 }));
    LEAT_TRY(leat_hook_served(x->a, counts, &served));
    LEAT_TRY(leat_hook_calls(x->b, counts, &called));
    leat_with_group(g, err) {
        LEAT_TRY(leat_call_async(&g, x->p, calc, twice, &(struct num){ 4 }, &reply));
        LEAT_TRY(leat_recv(reply, &r));
    }
    LEAT_TRY(err);
    LEAT_TRY(leat_reply_err(&r.reply));
    CHECK_EQ(r.value.n, 8);
    for (int i = 0; i < 2; i++) {
        LEAT_TRY(leat_call_once(x->p, calc, twice, &(struct num){ 21 }, &v, LEAT_STRING("the key")));
        CHECK_EQ(v.n, 42);
    }
    CHECK(atomic_load(&called) == 3 && atomic_load(&served) >= 2);
    return LEAT_OK;
}
ANYWHERE(more_of_calls)

/* -- errors in replies: all there is, or code and detail where there is no memory for more; never something between ---------------- */
static leat_err calc_fail(void *self, const struct num *in, struct num *out)
{
    leat_error e = { .code = LEAT_REFUSED, .text = LEAT_STRING("no") };
    (void)self;
    (void)in;
    (void)out;
    leat_err err = leat_bytes_dup("why", 3, &e.details);
    if (err == LEAT_OK)
        err = leat_error_wrap(&e, LEAT_REFUSED, "not now");
    err = err == LEAT_OK ? leat_error_raise(&e) : err;
    leat_error_drop(&e);
    return err;
}
static leat_err replies(struct pair *x)
{
    static const struct calc_impl fails = { .twice = calc_fail };
    leat_rx(struct num_reply) heard = NULL, unheard = NULL;
    struct num_reply r = { .value = { 0 } };
    leat_error e;
    leat_err err;
    LEAT_TRY(leat_serve(x->a, calc, &fails, NULL));
    leat_with_group(g, err) {
        err = leat_call_async(&g, x->p, calc, twice, &(struct num){ 4 }, &heard);
        if (err == LEAT_OK)
            err = leat_call_async(&g, x->p, calc, twice, &(struct num){ 4 }, &unheard);
    }
    if (err == LEAT_OK)
        err = leat_recv(heard, &r);
    leat_unref(heard);
    leat_unref(unheard);
    LEAT_TRY(err);
    CHECK(r.reply.err != LEAT_OK && r.reply.detail[0]);
    CHECK(r.reply.error.code == LEAT_OK ? !r.reply.error.text.p && !r.reply.error.cause : r.reply.error.code == r.reply.err);
    err = leat_reply_err(&r.reply);
    CHECK(r.reply.error.code == LEAT_OK && !r.reply.error.text.p && !r.reply.error.cause);
    if (leat_error_of(err, &e) != LEAT_OK)
        return LEAT_NOMEM;
    bool all = e.code == LEAT_REFUSED && e.cause && e.cause->details.len == 3;
    leat_error_drop(&e);
    leat_drop(num_reply, &r);
    return all ? LEAT_OK : err;
}
ANYWHERE(replies)

/* -- what tells of sessions ----------------------------------------------------------------------------------------------------- */
static leat_err tells(struct pair *x)
{
    leat_auto leat_rx(leat_peer_event) of_peer = leat_peer_events(x->p);
    leat_auto leat_rx(leat_peer_event) of_node = leat_node_events(x->a);
    leat_auto leat_chan(struct num) c = leat_chan_make(struct num, 4);
    leat_auto leat_tx(struct num) out = NULL;
    leat_peer_event ev;
    struct num v;
    if (!of_peer || !of_node || !c)
        return LEAT_NOMEM;
    LEAT_TRY(leat_export(x->a, "nums", leat_tx_of(c), num));
    LEAT_TRY(leat_import(x->p, "nums", &out, num, 4));
    LEAT_TRY(leat_send(out, { 1 }));
    LEAT_TRY(leat_flush(out));
    LEAT_TRY(leat_recv(c, &v));
    CHECK_EQ(v.n, 1);
    leat_node_dump(x->a, -1);
    leat_err e = leat_peer_close(x->p);
    LEAT_TRY(leat_recv(of_peer, &ev));
    return e;
}
ANYWHERE(tells)

/* -- a deal ----------------------------------------------------------------------------------------------------------------------- */
static leat_err deals(struct pair *x)
{
    leat_auto leat_chan(struct num) in = leat_chan_make(struct num, 8);
    leat_auto leat_chan(struct num_reply) out = leat_chan_make(struct num_reply, 8);
    leat_workers *w = NULL;
    leat_peer *self;
    leat_worker is[2];
    struct num_reply r;
    int64_t sum = 0;
    if (!in || !out)
        return LEAT_NOMEM;
    LEAT_TRY(leat_serve(x->a, calc, &calc, NULL));
    LEAT_TRY(leat_serve(x->b, calc, &calc, NULL));
    for (int64_t n = 1; n <= 5; n++)
        LEAT_TRY(leat_send(in, { n }));
    leat_close(leat_tx_of(in));
    LEAT_TRY(leat_workers_open(x->b, &w));
    leat_err e = leat_workers_add(w, x->p);
    e = e == LEAT_OK ? leat_node_self(x->b, &self) : e;
    e = e == LEAT_OK ? leat_workers_add(w, self) : e;
    e = e == LEAT_OK ? leat_deal(w, calc, twice, leat_rx_of(in), leat_tx_of(out), (&(leat_deal_opts){ .give_up = LEAT_S(1) })) : e;
    CHECK(leat_workers_look(w, is, 2) <= 2);
    leat_workers_close(w);
    LEAT_TRY(e);
    for (int i = 0; i < 5; i++) {
        LEAT_TRY(leat_recv(out, &r));
        LEAT_TRY(leat_reply_err(&r.reply));
        sum += r.value.n;
    }
    CHECK_EQ(sum, 30);
    return LEAT_OK;
}
ANYWHERE(deals)

/* -- Go's net/rpc ------------------------------------------------------------------------------------------------------------------ */
struct serving { leat_node *n; leat_listener *l; };
static leat_err serves(struct serving *s) { return leat_netrpc_serve(s->n, s->l); }
static leat_err speaks_netrpc(const char *at, int64_t *got, leat_string *text)
{
    leat_netrpc *c;
    struct num v = { 0 };
    LEAT_TRY(leat_netrpc_dial(at, &c));
    leat_err e = leat_netrpc_call(c, "calc.twice", num, &(struct num){ 21 }, num, &v);
    *got = v.n;
    if (e == LEAT_OK)
        e = leat_netrpc_call_json(c, "calc.twice", "{\"n\": 4}", text);
    leat_string_drop(text);
    if (e == LEAT_OK)
        e = leat_netrpc_call_json_as(c, "calc.twice", "struct { N int }", "{\"n\": 4}", text);
    leat_netrpc_close(c);
    return e;
}
static leat_err netrpc_(leat_none *none)
{
    (void)none;
    leat_auto_node leat_node *n = NULL;
    leat_listener *l;
    leat_string text = { 0 };
    int64_t got = 0;
    leat_err err, e = LEAT_OK;
    LEAT_TRY(leat_node_open(NULL, &n));
    LEAT_TRY(leat_serve(n, calc, &calc, NULL));
    LEAT_TRY(leat_listen("tcp://127.0.0.1:0", &l));
    leat_with_deadline(LEAT_S(20)) {
        leat_with_group(g, err) {
            e = leat_go(&g, serves, (struct serving){ n, l });
            if (e == LEAT_OK)
                e = speaks_netrpc(leat_listener_addr(l).url, &got, &text);
            leat_listener_break(l);
        }
        if (leat_ctx_err() != LEAT_OK)
            t_fail(__FILE__, __LINE__, "request %ld refused: it lasts: %s", atomic_load(&refuse_at), leat_err_name(e));
    }
    leat_listener_close(l);
    CHECK(e != LEAT_OK || (got == 42 && text.len > 0));
    leat_string_drop(&text);
    return e != LEAT_OK ? e : err;
}
SWEEP(netrpc)

T_MAIN()
