/* wrong_test.c - wrong arguments to what makes or uses nodes, peers, calls, deals: each error of a wrong argument that the headers name,
 * and never a crash.  Errors that the world makes are tested where they are made. */
#include <stdlib.h>
#include <string.h>
#include "t.h"
#include "leat.h"

LEAT_STRUCT(item, (string, text));
LEAT_STRUCT(gone, (tx(item), out));
LEAT_SERVICE(shop, (sell, item, item), (swap, gone, gone));

static leat_err sell(void *self, const struct item *in, struct item *out) { (void)self; return leat_dup(item, in, out); }
static leat_err swap(void *self, const struct gone *in, struct gone *out) { (void)self; (void)in; (void)out; return LEAT_OK; }
static const struct shop_impl shop = { sell, swap }, half = { sell, NULL };
static leat_err take(struct item *i) { (void)i; return LEAT_OK; }
static leat_err hook(void *self, const leat_called *c, leat_next *next) { (void)self; (void)c; return leat_proceed(next); }
static leat_err deny(void *self, const char *key, const char *name, bool sends)
{
    (void)self;
    CHECK_STR(key, "");
    return strcmp(name, sends ? "in" : "out") == 0 ? leat_fail(LEAT_INVAL, "not for you") : LEAT_OK;
}

#define WRONG(expr, error, word) do { CHECK_EQ(expr, error); CHECK_HAS(leat_err_detail(), word); } while (0)
#define IN_A_TASK(name) \
    static leat_err name##_(leat_none *none); \
    TEST(name) { CHECK_EQ(leat_run(NULL, name##_, LEAT_NONE), LEAT_OK); } \
    static leat_err name##_(leat_none *none)

IN_A_TASK(no_node_is_a_wrong_argument)
{
    (void)none;
    leat_auto leat_chan(struct item) c = leat_chan_make(struct item, 1);
    leat_peer *p;
    leat_peers peers;
    leat_workers *w;
    leat_doubt d;
    WRONG(leat_node_listen(NULL, "inproc:x"), LEAT_INVAL, "no node");
    WRONG(leat_node_dial(NULL, "inproc:x", &p), LEAT_INVAL, "no node");
    WRONG(leat_node_wait(NULL), LEAT_INVAL, "no node");
    WRONG(leat_node_flush(NULL, &d), LEAT_INVAL, "no node");
    WRONG(leat_node_self(NULL, &p), LEAT_INVAL, "no node");
    WRONG(leat_node_join(NULL, NULL, &peers), LEAT_INVAL, "no node");
    WRONG(leat_export(NULL, "c", leat_tx_of(c), item), LEAT_INVAL, "node is NULL");
    WRONG(leat_expose(NULL, take, item), LEAT_INVAL, "no node");
    WRONG(leat_serve(NULL, shop, &shop, NULL), LEAT_INVAL, "no node");
    WRONG(leat_hook_calls(NULL, hook, NULL), LEAT_INVAL, "no node");
    WRONG(leat_hook_served(NULL, hook, NULL), LEAT_INVAL, "no node");
    WRONG(leat_limit_service(NULL, "shop", (leat_call_limits){ 1, 1 }), LEAT_INVAL, "no node");
    WRONG(leat_limit_peers(NULL, (leat_call_limits){ 1, 1 }), LEAT_INVAL, "no node");
    WRONG(leat_workers_open(NULL, &w), LEAT_INVAL, "no node");
    leat_unexport(NULL, "c");
    CHECK(!leat_node_url(NULL) && !leat_node_events(NULL) && leat_node_dump(NULL, -1) == 0);
    return LEAT_OK;
}

IN_A_TASK(no_peer_is_a_wrong_argument)
{
    (void)none;
    leat_tx(struct item) tx = NULL;
    leat_rx(struct item_reply) reply;
    struct item i = { LEAT_STRING("i") }, o;
    WRONG(leat_peer_wait(NULL), LEAT_INVAL, "no peer");
    WRONG(leat_import(NULL, "c", &tx, item, 1), LEAT_INVAL, "a peer");
    WRONG(leat_call(NULL, shop, sell, &i, &o), LEAT_INVAL, "peer is NULL");
    WRONG(leat_call_once(NULL, shop, sell, &i, &o, LEAT_STRING("k")), LEAT_INVAL, "peer is NULL");
    WRONG(leat_call_async(NULL, NULL, shop, sell, &i, &reply), LEAT_INVAL, "peer is NULL");
    WRONG(leat_go_on(NULL, NULL, take, item, { LEAT_STRING("i") }), LEAT_INVAL, "peer is NULL");
    CHECK(!leat_peer_events(NULL));
    return LEAT_OK;
}

IN_A_TASK(no_workers_and_no_connection_are_wrong_arguments)
{
    (void)none;
    leat_auto leat_chan(struct item) in = leat_chan_make(struct item, 1);
    leat_auto leat_chan(struct item_reply) out = leat_chan_make(struct item_reply, 1);
    leat_auto_node leat_node *n = NULL;
    leat_worker w;
    struct item i = { LEAT_STRING("i") }, o;
    leat_string s;
    LEAT_TRY(leat_node_open(NULL, &n));
    WRONG(leat_workers_add_url(NULL, "inproc:x"), LEAT_INVAL, "no workers");
    WRONG(leat_workers_join(NULL, NULL), LEAT_INVAL, "no workers");
    WRONG(leat_workers_add(NULL, NULL), LEAT_INVAL, "no workers");
    WRONG(leat_deal(NULL, shop, sell, leat_rx_of(in), leat_tx_of(out), NULL), LEAT_INVAL, "no workers");
    CHECK_EQ(leat_workers_look(NULL, &w, 1), 0);
    WRONG(leat_netrpc_call(NULL, "Shop.Sell", item, &i, item, &o), LEAT_INVAL, "no connection");
    WRONG(leat_netrpc_call_json(NULL, "Shop.Sell", "{}", &s), LEAT_INVAL, "no connection");
    WRONG(leat_netrpc_call_json_as(NULL, "Shop.Sell", "int", "1", &s), LEAT_INVAL, "no connection");
    WRONG(leat_netrpc_serve(n, NULL), LEAT_INVAL, "no listener");
    WRONG(leat_netrpc_serve_conn(n, NULL), LEAT_INVAL, "no connection");
    WRONG(leat_netrpc_serve_conn(NULL, NULL), LEAT_INVAL, "no node");
    return LEAT_OK;
}

TEST(without_a_runtime_there_is_no_node_and_no_connection)
{
    leat_node *n;
    leat_netrpc *r;
    WRONG(leat_node_open(NULL, &n), LEAT_INVAL, "no task");
    WRONG(leat_netrpc_dial("unix:/tmp/none", &r), LEAT_INVAL, "no task");
}

IN_A_TASK(what_a_node_cannot_be_is_said_when_it_is_opened)
{
    char name[65];
    leat_node *n = NULL;
    (void)none;
    memset(name, 'n', 64);
    name[64] = 0;
    WRONG(leat_node_open(&(leat_node_opts){ .name = name }, &n), LEAT_INVAL, "more than 63 bytes");
    WRONG(leat_node_open(&(leat_node_opts){ .cert = "c.pem" }, &n), LEAT_INVAL, "cert, key and ca");
    WRONG(leat_node_open(&(leat_node_opts){ .key = "k.pem" }, &n), LEAT_INVAL, "cert, key and ca");
    WRONG(leat_node_open(&(leat_node_opts){ .ca = "ca.pem" }, &n), LEAT_INVAL, "cert, key and ca");
    CHECK(!n);
    name[63] = 0;
    LEAT_TRY(leat_node_open(&(leat_node_opts){ .name = name }, &n));
    return leat_node_close(n);
}

IN_A_TASK(an_address_that_is_none_is_said_to_be_none)
{
    static const char *const bad[] = { NULL, "", "x", "shm:a", "tls://127.0.0.1:1", "inproc:", "unix:", "tcp://127.0.0.1" };
    (void)none;
    leat_auto_node leat_node *n = NULL;
    leat_auto_workers leat_workers *w = NULL;
    leat_peer *p = NULL;
    leat_peers peers;
    LEAT_TRY(leat_node_open(NULL, &n));
    LEAT_TRY(leat_workers_open(n, &w));
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        CHECK_EQ(leat_node_listen(n, bad[i]), LEAT_INVAL);
        CHECK_EQ(leat_node_dial(n, bad[i], &p), LEAT_INVAL);
        if (bad[i] && strcmp(bad[i], "inproc:") != 0)            /* of a name, only who dials it looks whether there is one */
            CHECK_EQ(leat_workers_add_url(w, bad[i]), LEAT_INVAL);
        if (bad[i])
            CHECK_EQ(leat_node_join(n, bad[i], &peers), LEAT_INVAL);
    }
    WRONG(leat_node_listen(n, "tcp://192.0.2.1:7"), LEAT_REFUSED, "plain TCP has no keys");
    WRONG(leat_node_dial(n, "tcp://192.0.2.1:7", &p), LEAT_REFUSED, "plain TCP has no keys");
    WRONG(leat_node_dial(n, "inproc:nobody", &p), LEAT_REFUSED, "nobody listens");
    CHECK(!p && !leat_node_url(n) && leat_workers_look(w, NULL, 0) == 0);
    LEAT_TRY(leat_node_listen(n, "inproc:one"));
    LEAT_TRY(leat_node_listen(n, "inproc:two"));
    WRONG(leat_node_listen(n, "inproc:two"), LEAT_REFUSED, "another name");
    CHECK_STR(leat_node_url(n), "inproc:one");
    return LEAT_OK;
}

struct two { leat_node *a, *b; leat_peer *p; };      /* b has dialed a */
static leat_err two_at(const char *url, struct two *x)
{
    *x = (struct two){ NULL, NULL, NULL };
    LEAT_TRY(leat_node_open(&(leat_node_opts){ .name = "a", .allow = deny }, &x->a));
    LEAT_TRY(leat_node_open(&(leat_node_opts){ .name = "b" }, &x->b));
    LEAT_TRY(leat_node_listen(x->a, url));
    return leat_node_dial(x->b, leat_node_url(x->a), &x->p);
}
static leat_err two_open(struct two *x) { return two_at("inproc:a", x); }
static leat_err two_close(struct two *x)
{
    LEAT_TRY(leat_node_close(x->b));
    return leat_node_close(x->a);
}

IN_A_TASK(names_are_taken_once_and_have_a_length)
{
    char name[300];
    struct two x;
    (void)none;
    leat_auto leat_chan(struct item) c = leat_chan_make(struct item, 1);
    leat_auto leat_tx(struct item) tx = NULL;
    memset(name, 'n', sizeof name);
    name[256] = 0;
    LEAT_TRY(two_open(&x));
    WRONG(leat_export(x.a, NULL, leat_tx_of(c), item), LEAT_INVAL, "1 to 255");
    WRONG(leat_export(x.a, "", leat_tx_of(c), item), LEAT_INVAL, "1 to 255");
    WRONG(leat_export(x.a, name, leat_tx_of(c), item), LEAT_INVAL, "1 to 255");
    WRONG(leat_export(x.a, "c", tx, item), LEAT_INVAL, "channel is NULL");
    WRONG(leat_import(x.p, NULL, &tx, item, 1), LEAT_INVAL, "1 to 255");
    WRONG(leat_import(x.p, "", &tx, item, 1), LEAT_INVAL, "1 to 255");
    WRONG(leat_import(x.p, name, &tx, item, 1), LEAT_INVAL, "1 to 255");
    name[255] = 0;
    LEAT_TRY(leat_export(x.a, name, leat_tx_of(c), item));
    WRONG(leat_export(x.a, name, leat_tx_of(c), item), LEAT_INVAL, "already");
    LEAT_TRY(leat_import(x.p, name, &tx, item, 1));
    leat_unexport(x.a, NULL);
    leat_unexport(x.a, "no such name");
    leat_unexport(x.a, name);
    LEAT_TRY(leat_export(x.a, name, leat_tx_of(c), item));
    return two_close(&x);
}

IN_A_TASK(a_policy_refuses_one_end_and_its_words_arrive)
{
    struct two x;
    (void)none;
    leat_auto leat_chan(struct item) c = leat_chan_make(struct item, 1), d = leat_chan_make(struct item, 1);
    leat_auto leat_tx(struct item) tx = NULL;
    leat_auto leat_rx(struct item) rx = NULL;
    LEAT_TRY(two_open(&x));
    LEAT_TRY(leat_export(x.a, "in", leat_tx_of(c), item));
    LEAT_TRY(leat_export(x.a, "out", leat_rx_of(d), item));
    WRONG(leat_import(x.p, "in", &tx, item, 1), LEAT_REFUSED, "not for you");
    WRONG(leat_import(x.p, "out", &rx, item, 1), LEAT_REFUSED, "not for you");
    WRONG(leat_import(x.p, "in", &rx, item, 1), LEAT_REFUSED, "is a send end");
    WRONG(leat_import(x.p, "none", &tx, item, 1), LEAT_REFUSED, "exports nothing as 'none'");
    CHECK(!tx && !rx);
    return two_close(&x);
}

IN_A_TASK(methods_keys_and_limits_that_cannot_be)
{
    struct two x;
    struct item in = { LEAT_STRING("i") }, out = { LEAT_STRING("untouched") };
    struct gone g = { NULL };
    char key[66];
    (void)none;
    memset(key, 'k', sizeof key);
    LEAT_TRY(two_open(&x));
    WRONG(leat_serve(x.a, shop, &half, NULL), LEAT_INVAL, "swap is NULL");
    WRONG(leat_serve(x.a, shop, (const struct shop_impl *)NULL, NULL), LEAT_INVAL, "no methods");
    WRONG(leat_call(x.p, shop, sell, &in, &out), LEAT_REFUSED, "serves no method 'shop.sell'");
    LEAT_TRY(leat_serve(x.a, shop, &shop, NULL));
    WRONG(leat_serve(x.a, shop, &shop, NULL), LEAT_INVAL, "already");
    LEAT_TRY(leat_expose(x.a, take, item));
    WRONG(leat_expose(x.a, take, item), LEAT_INVAL, "already");
    WRONG(leat_call_once(x.p, shop, sell, &in, &out, LEAT_STRING("")), LEAT_INVAL, "1 to 64");
    WRONG(leat_call_once(x.p, shop, sell, &in, &out, leat_string_view(key, 65)), LEAT_INVAL, "1 to 64");
    WRONG(leat_call_once(x.p, shop, swap, &g, &g, LEAT_STRING("k")), LEAT_INVAL, "ends of channels");
    WRONG(leat_hook_calls(x.a, NULL, NULL), LEAT_INVAL, "no hook");
    WRONG(leat_hook_served(x.a, NULL, NULL), LEAT_INVAL, "no hook");
    WRONG(leat_limit_service(x.a, NULL, (leat_call_limits){ 1, 1 }), LEAT_INVAL, "no service");
    WRONG(leat_limit_service(x.a, "shop", (leat_call_limits){ 0, 1 }), LEAT_INVAL, "none would ever run");
    LEAT_TRY(leat_limit_service(x.a, "shop", (leat_call_limits){ 1, 0 }));
    WRONG(leat_limit_service(x.a, "shop", (leat_call_limits){ 2, 0 }), LEAT_INVAL, "a limit already");
    WRONG(leat_limit_peers(x.a, (leat_call_limits){ 0, 1 }), LEAT_INVAL, "none would ever run");
    CHECK_STR(out.text.p, "untouched");
    LEAT_TRY(leat_call_once(x.p, shop, sell, &in, &out, leat_string_view(key, 64)));
    leat_drop(item, &out);
    return two_close(&x);
}

/* What the peer would take for a malformed frame is refused here, and the session lives. */
IN_A_TASK(a_name_that_is_too_long_for_a_frame_is_refused_here)
{
    struct two x;
    struct item in = { LEAT_STRING("i") }, out;
    leat_rx(struct item_reply) reply;
    char name[257];
    (void)none;
    memset(name, 'f', 256);
    name[256] = 0;
    LEAT_TRY(two_open(&x));
    LEAT_TRY(leat_serve(x.a, shop, &shop, NULL));
    leat_method long_one = shop_methods[0];
    long_one.name = name;
    WRONG(leat_go_on_(NULL, x.p, name, &item_type, &in), LEAT_LIMIT, "at most 255");
    WRONG(leat_call_(x.p, "shop", &long_one, &in, &out), LEAT_LIMIT, "at most 255");
    WRONG(leat_call_once_(x.p, "shop", &long_one, &in, &out, LEAT_STRING("k")), LEAT_LIMIT, "at most 255");
    WRONG(leat_call_async_(NULL, x.p, "shop", &long_one, &in, sizeof(struct item_reply), offsetof(struct item_reply, value),
        (leat_chan_ **)(void *)&reply), LEAT_LIMIT, "at most 255");
    WRONG(leat_expose_(x.a, name, (leat_fn_ *)(void (*)(void))take, &item_type), LEAT_LIMIT, "at most 255");
    LEAT_TRY(leat_call(x.p, shop, sell, &in, &out));
    leat_drop(item, &out);
    return two_close(&x);
}

IN_A_TASK(workers_of_another_node_and_ends_that_are_none)
{
    struct two x;
    leat_auto_workers leat_workers *w = NULL;
    leat_auto leat_chan(struct item) in = leat_chan_make(struct item, 1);
    leat_auto leat_chan(struct item_reply) out = leat_chan_make(struct item_reply, 1);
    leat_rx(struct item) no_in = NULL;
    leat_tx(struct item_reply) no_out = NULL;
    (void)none;
    LEAT_TRY(two_open(&x));
    LEAT_TRY(leat_workers_open(x.a, &w));
    WRONG(leat_workers_add(w, NULL), LEAT_INVAL, "peer is NULL");
    WRONG(leat_workers_add(w, x.p), LEAT_INVAL, "another node");
    WRONG(leat_deal(w, shop, sell, no_in, leat_tx_of(out), NULL), LEAT_INVAL, "no channel of elements");
    WRONG(leat_deal(w, shop, sell, leat_rx_of(in), no_out, NULL), LEAT_INVAL, "no channel of results");
    return two_close(&x);
}

/* An end that is not its channel's home has no count of what is queued, and the capacity that its maker gave it. */
static leat_err count_elsewhere(struct two *x)
{
    leat_auto leat_chan(struct item) c = leat_chan_make(struct item, 3);
    leat_auto leat_tx(struct item) tx = NULL;
    LEAT_TRY(leat_export(x->a, "c", leat_tx_of(c), item));
    LEAT_TRY(leat_import(x->p, "c", &tx, item, 99));
    LEAT_TRY(leat_send(tx, { LEAT_STRING("1") }));
    LEAT_TRY(leat_send(tx, { LEAT_STRING("2") }));
    LEAT_TRY(leat_flush(tx));
    CHECK_EQ(leat_len(c), 2);
    CHECK_EQ(leat_cap(c), 3);
    CHECK_EQ(leat_len(tx), 0);
    CHECK_EQ(leat_cap(tx), 3);
    return LEAT_OK;
}
struct at { const char *url; };
static leat_err counts(struct at *at)
{
    struct two x;
    LEAT_TRY(two_at(at->url, &x));
    LEAT_TRY(count_elsewhere(&x));
    return two_close(&x);
}
static void at_both_distances(bool unix_)
{
    char folder[] = "/tmp/leat_wrong.XXXXXX", url[64] = "tcp://127.0.0.1:0";
    CHECK(mkdtemp(folder));
    if (unix_)
        snprintf(url, sizeof url, "unix:%s/s", folder);
    CHECK_EQ(leat_run(NULL, counts, (struct at){ url }), LEAT_OK);
    CHECK(rmdir(folder) == 0);
}
#define ANYWHERE(name) TEST(name##_unix) { at_both_distances(true); } TEST(name##_tcp) { at_both_distances(false); }
ANYWHERE(an_end_elsewhere_counts_nothing_and_has_the_makers_capacity)

TEST(no_channel_has_no_length_and_no_capacity)
{
    leat_chan(struct item) no = NULL;
    CHECK_EQ(leat_len(no), 0);
    CHECK_EQ(leat_cap(no), 0);
}

IN_A_TASK(signals_that_cannot_be_received_are_named)
{
    (void)none;
    CHECK(!leat_signals(&(int){ SIGKILL }, 1));
    CHECK_HAS(leat_err_detail(), "cannot be received");
    return LEAT_OK;
}

TEST(signals_need_a_runtime)
{
    CHECK(!leat_signals(&(int){ SIGUSR1 }, 1));
    CHECK_HAS(leat_err_detail(), "no task");
}

T_MAIN()
