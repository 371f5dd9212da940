/* netrpc_test.c - net/rpc between leat and leat: calls of every outcome.  Against real Go: test/netrpc/run.py. */
#include <sys/ioctl.h>
#include <sys/socket.h>
#include "base/alloc.h"
#include "base/rng.h"
#include "pair.h"
#include "rpc/netrpc.h"
#include "rpc/netrpc_call.h"

LEAT_STRUCT(Args, (int64, a), (int64, b));
LEAT_STRUCT(Reply, (int64, c), (string, text));
LEAT_STRUCT(Bytes, (bytes, v, .flags = LEAT_BARE));
LEAT_STRUCT(Wrong, (string, a));
LEAT_STRUCT(Channel, (tx(Args), out));
LEAT_SERVICE(Calc, (Add, Args, Reply), (Fail, Args, Reply), (Wait, Args, Reply), (Echo, Bytes, Bytes), (Give, Args, Channel),
    (Big, Args, Bytes), (Late, Args, Reply));

static _Atomic int waiting, cancelled, added, grown;

static leat_err add(void *self, const struct Args *in, struct Reply *out)
{
    (void)self;
    added += in->b == 1;
    out->c = in->a + in->b;
    return leat_string_dup("sum", 3, &out->text);
}
static leat_err fails(void *self, const struct Args *in, struct Reply *out)
{
    (void)self, (void)out;
    return in->a ? leat_fail(LEAT_INVAL, "number %d", (int)in->a) : LEAT_LIMIT;
}
static leat_err waits(void *self, const struct Args *in, struct Reply *out)
{
    (void)self, (void)in, (void)out;
    waiting++;
    leat_err e = leat_sleep(LEAT_S(3600));
    cancelled += e == LEAT_CANCELED;
    return e;
}
static leat_err echo(void *self, const struct Bytes *in, struct Bytes *out)
{
    (void)self;
    return leat_bytes_dup(in->v.p, in->v.len, &out->v);
}
static leat_err give(void *self, const struct Args *in, struct Channel *out)
{
    (void)self, (void)in, (void)out;
    return LEAT_OK;
}
static leat_err big_answer(void *self, const struct Args *in, struct Bytes *out)
{
    (void)self;
    out->v = (leat_bytes){ calloc(1, (size_t)in->a), (uint32_t)in->a, 1 };
    grown++;
    return LEAT_OK;
}
static leat_err late(void *self, const struct Args *in, struct Reply *out)
{
    leat_ignore(leat_sleep(LEAT_MS(20)));
    return add(self, in, out);
}
static const struct Calc_impl impl = { add, fails, waits, echo, give, big_answer, late };

struct server { leat_node *n; leat_listener *l; };

static leat_err serve(struct server *s) { return leat_netrpc_serve(s->n, s->l); }
static bool cancel_server;                           /* the test leaves connections or calls behind */

/* Runs `test` with the url of a server; then closes the listener and sees that the server ends. */
static leat_err with_server(leat_err (**test)(const char *url))
{
    struct server s;
    leat_auto_node leat_node *n = NULL;
    LEAT_TRY(leat_node_open(NULL, &n));
    LEAT_TRY(leat_serve(n, Calc, &impl, NULL));
    LEAT_TRY(leat_listen(url, &s.l));
    s.n = n;
    leat_err e;
    leat_with_group(g, e) {
        leat_addr at = leat_listener_addr(s.l);
        e = leat_go(&g, serve, s);
        if (e == LEAT_OK)
            e = (*test)(at.url);
        leat_listener_break(s.l);
        if (cancel_server)
            leat_group_cancel(&g);
    }
    leat_listener_close(s.l);
    return e == LEAT_CANCELED && cancel_server ? LEAT_OK : e;
}

static void run(enum place where, leat_err (*test)(const char *url))
{
    at(where);
    leat_err e = leat_run(NULL, with_server, test);
    if (e != LEAT_OK)
        t_fail(__FILE__, __LINE__, "%s: %s", leat_err_name(e), leat_err_detail());
}
static void run_alone(enum place where, leat_err (*test)(const char *url))
{
    const leat_opts alone = { .workers = 1 };
    at(where);
    CHECK_EQ(leat_run(&alone, with_server, test), LEAT_OK);
}
#define APART(id, fn) TEST(id##_unix) { AT(UNIX, fn); } TEST(id##_tcp) { AT(TCP, fn); }
#define ALONE(id, fn) TEST(id##_unix) { run_alone(UNIX, fn); } TEST(id##_tcp) { run_alone(TCP, fn); }
#define BOTH(id, fn) TEST(id##_unix) { run(UNIX, fn); } TEST(id##_tcp) { run(TCP, fn); }
#define BOTH_LEFT(id, fn) \
    TEST(id##_unix) { cancel_server = true; run(UNIX, fn); } TEST(id##_tcp) { cancel_server = true; run(TCP, fn); }

static leat_err all_outcomes(const char *at)
{
    leat_netrpc *c;
    struct Reply r;
    struct Wrong w;
    LEAT_TRY(leat_netrpc_dial(at, &c));
    CHECK_EQ(leat_netrpc_call(c, "Calc.Add", Args, (&(struct Args){ 7, -8 }), Reply, &r), LEAT_OK);
    CHECK(r.c == -1 && r.text.len == 3 && r.text.owned);
    leat_drop(Reply, &r);
    CHECK_EQ(leat_netrpc_call(c, "Calc.Fail", Args, (&(struct Args){ 7, 0 }), Reply, &r), LEAT_REMOTE);
    CHECK_STR(leat_err_detail(), "number 7");
    CHECK_EQ(leat_netrpc_call(c, "Calc.Fail", Args, (&(struct Args){ 0, 0 }), Reply, &r), LEAT_REMOTE);
    CHECK(*leat_err_detail());
    CHECK_EQ(leat_netrpc_call(c, "Calc.Nope", Args, (&(struct Args){ 0, 0 }), Reply, &r), LEAT_REMOTE);
    CHECK_STR(leat_err_detail(), "rpc: can't find method Calc.Nope");
    CHECK_EQ(leat_netrpc_call(c, "Other.Add", Args, (&(struct Args){ 0, 0 }), Reply, &r), LEAT_REMOTE);
    CHECK_STR(leat_err_detail(), "rpc: can't find service Other.Add");
    CHECK_EQ(leat_netrpc_call(c, "Add", Args, (&(struct Args){ 0, 0 }), Reply, &r), LEAT_REMOTE);
    CHECK_HAS(leat_err_detail(), "ill-formed: Add");
    CHECK_EQ(leat_netrpc_call(c, "Calc.Add", Wrong, (&(struct Wrong){ LEAT_STRING("x") }), Reply, &r), LEAT_REMOTE);
    CHECK_HAS(leat_err_detail(), "Args.A: the stream has a gob string");
    CHECK_EQ(leat_netrpc_call(c, "Calc.Add", Args, (&(struct Args){ 1, 2 }), Wrong, &w), LEAT_TYPE);
    CHECK_HAS(leat_err_detail(), "Wrong");
    CHECK_EQ(leat_netrpc_call(c, "Calc.Add", Channel, (&(struct Channel){ 0 }), Reply, &r), LEAT_INVAL);
    CHECK_EQ(leat_netrpc_call(c, "Calc.Give", Args, (&(struct Args){ 1, 2 }), Reply, &r), LEAT_REMOTE);
    CHECK_HAS(leat_err_detail(), "channel end");
    CHECK_EQ(leat_netrpc_call(c, "Calc.Add", Args, (&(struct Args){ 1, 2 }), Reply, &r), LEAT_OK);       /* after all that */
    leat_drop(Reply, &r);
    leat_netrpc_close(c);
    return LEAT_OK;
}
BOTH(every_outcome_of_a_call, all_outcomes)

static leat_err as_json(const char *at)
{
    static const struct { const char *method, *args, *reply; leat_err e; } cases[] = {
        { "Calc.Add", " { \"A\" : 7 , \"B\" : -8 } ", "{\"C\":-1,\"Text\":\"sum\"}", LEAT_OK },
        { "Calc.Add", "{\"A\":7,\"B\":null,\"Other\":{\"X\":[1,2.5],\"Y\":[]}}", "{\"C\":7,\"Text\":\"sum\"}", LEAT_OK },
        { "Calc.Echo", "{\"$base64\":\"AAECAw==\"}", "\"AAECAw==\"", LEAT_OK },
        { "Calc.Add", "{\"A\":\"\\u00e9\\ud83e\\udd80\"}", NULL, LEAT_REMOTE }, { "Calc.Add", "{\"A\":1.5}", NULL, LEAT_REMOTE },
        { "Calc.Add", "", NULL, LEAT_INVAL }, { "Calc.Add", "{\"A\":1}x", NULL, LEAT_INVAL }, { "Calc.Add", "{A:1}", NULL, LEAT_INVAL },
        { "Calc.Add", "[1,\"x\"]", NULL, LEAT_INVAL }, { "Calc.Add", "\"\\x\"", NULL, LEAT_INVAL }, { "Calc.Add", "\"", NULL, LEAT_INVAL },
        { "Calc.Add", "01", NULL, LEAT_INVAL }, { "Calc.Add", "0x1", NULL, LEAT_INVAL }, { "Calc.Add", "nan", NULL, LEAT_INVAL },
        { "Calc.Add", "{\"A\"", NULL, LEAT_INVAL }, { "Calc.Add", "[1", NULL, LEAT_INVAL }, { "Calc.Add", "{\"A\":1", NULL, LEAT_INVAL },
        { "Calc.Add", "\"\\", NULL, LEAT_INVAL }, { "Calc.Add", "\"\\u12", NULL, LEAT_INVAL }, { "Calc.Add", "{", NULL, LEAT_INVAL },
        { "Calc.Echo", "{\"$base64\":\"*\"}", NULL, LEAT_INVAL }, { "Calc.Add", "[{\"a\":1},{\"b\":1}]", NULL, LEAT_REMOTE },
    };
    leat_netrpc *c;
    char deep[200];
    memset(deep, '[', sizeof deep - 1);
    deep[sizeof deep - 1] = 0;
    LEAT_TRY(leat_netrpc_dial(at, &c));
    for (int round = 0; round < 2; round++)
        for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
            leat_string reply = { 0 };
            CHECK_EQ(leat_netrpc_call_json(c, cases[i].method, cases[i].args, &reply), cases[i].e);
            CHECK(!cases[i].reply || (reply.len == strlen(cases[i].reply) && memcmp(reply.p, cases[i].reply, reply.len) == 0));
            leat_drop(Reply, (&(struct Reply){ .text = reply }));
        }
    leat_string none;
    CHECK_EQ(leat_netrpc_call_json(c, "Calc.Add", deep, &none), LEAT_LIMIT);
    for (int n = 50; n <= 51; n++) {                 /* the innermost has nothing in it */
        memset(deep, '[', (size_t)n);
        memset(deep + n, ']', (size_t)n);
        deep[2 * n] = 0;
        leat_err e = leat_netrpc_call_json(c, "Calc.Add", deep, &none);
        CHECK(n == 50 ? e != LEAT_OK && e != LEAT_LIMIT : e == LEAT_LIMIT);
    }
    CHECK_HAS(leat_err_detail(), "over 50 deep");
    CHECK_EQ(leat_netrpc_call_json_as(c, "Calc.Add", "{A, B int}", "{\"A\":1}", &none), LEAT_OK);
    CHECK_MEM(none.p, "{\"C\":1,\"Text\":\"sum\"}", none.len);
    leat_string_drop(&none);
    CHECK_EQ(leat_netrpc_call_json_as(c, "Calc.Add", "{A bool}", "{}", &none), LEAT_REMOTE);
    CHECK_EQ(leat_netrpc_call_json_as(c, "Calc.Add", "[1000000]int", "[]", &none), LEAT_LIMIT);
    CHECK_EQ(leat_netrpc_call_json_as(c, "Calc.Add", "", "1", &none), LEAT_INVAL);
    CHECK_EQ(leat_netrpc_call_json_as(c, "Calc.Add", "int", NULL, &none), LEAT_INVAL);
    CHECK_EQ(leat_netrpc_call_json_as(c, NULL, "int", "1", &none), LEAT_INVAL);
    leat_netrpc_close(c);
    return LEAT_OK;
}
BOTH(arguments_and_answers_as_json, as_json)

struct one { leat_netrpc *c; int i; };

static leat_err call_one(struct one *o)
{
    struct Reply r;
    LEAT_TRY(leat_netrpc_call(o->c, "Calc.Add", Args, (&(struct Args){ o->i, 1000 }), Reply, &r));
    leat_err e = r.c == o->i + 1000 ? LEAT_OK : leat_fail(LEAT_INVAL, "the answer of another call");
    leat_drop(Reply, &r);
    return e;
}

static leat_err many(const char *at)
{
    leat_netrpc *c;
    leat_err e;
    LEAT_TRY(leat_netrpc_dial(at, &c));
    leat_with_group(g, e)
        for (int i = 0; i < 1000 && e == LEAT_OK; i++)           /* more than the server runs at a time */
            e = leat_go(&g, call_one, (struct one){ c, i });
    leat_netrpc_close(c);
    return e;
}
BOTH(many_calls_at_a_time, many)

static leat_err big(const char *at)
{
    leat_netrpc *c;
    LEAT_TRY(leat_netrpc_dial(at, &c));
    for (size_t n = 0; n <= 8 << 20; n = n * 64 + 1) {
        uint8_t *p = malloc(n + 1);
        struct Bytes got;
        memset(p, (int)n, n);
        CHECK_EQ(leat_netrpc_call(c, "Calc.Echo", Bytes, (&(struct Bytes){ { p, (uint32_t)n, 0 } }), Bytes, &got), LEAT_OK);
        CHECK(got.v.len == n && (n == 0 || memcmp(got.v.p, p, n) == 0));
        leat_drop(Bytes, &got);
        free(p);
    }
    leat_netrpc_close(c);
    return LEAT_OK;
}
BOTH(answers_of_any_size, big)

static leat_err call_wait(struct one *o)
{
    struct Reply r;
    leat_err e = leat_netrpc_call(o->c, "Calc.Wait", Args, (&(struct Args){ 0, 0 }), Reply, &r);
    CHECK_EQ(e, LEAT_UNKNOWN);
    CHECK_EQ(leat_err_why(), o->i);
    return LEAT_OK;
}

static void until_waiting(int n)
{
    while (waiting < n)
        CHECK_EQ(leat_sleep(LEAT_MS(1)), LEAT_OK);
}

/* A connection that is reset: the calls that it had under way are cancelled.  Who closes with an answer not read resets it, over
 * any socket. */
static void call_and_reset(const char *to)
{
    struct gob_writer w = { 0 };
    struct buf b = { 0 };
    leat_conn *conn;
    int before = waiting, gone = cancelled, came = 0;
    struct Request head = { .service_method = LEAT_STRING("Calc.Add"), .seq = 5 };
    CHECK_EQ(gob_write(&w, &Request_type, &head, &b), LEAT_OK);
    CHECK_EQ(gob_write(&w, &Args_type, &(struct Args){ 0, 0 }, &b), LEAT_OK);
    head.service_method = LEAT_STRING("Calc.Wait");
    CHECK_EQ(gob_write(&w, &Request_type, &head, &b), LEAT_OK);
    CHECK_EQ(gob_write(&w, &Args_type, &(struct Args){ 0, 0 }, &b), LEAT_OK);
    CHECK_EQ(leat_dial(to, &conn), LEAT_OK);
    CHECK_EQ(leat_write(conn, b.p, b.len), LEAT_OK);
    until_waiting(before + 1);
    CHECK_EQ(leat_fd_wait(leat_conn_fd(conn), LEAT_READ), LEAT_OK);
    CHECK(ioctl(leat_conn_fd(conn), FIONREAD, &came) == 0 && came > 0);
    leat_conn_close(conn);
    while (cancelled == gone)
        CHECK_EQ(leat_sleep(LEAT_MS(1)), LEAT_OK);
    gob_writer_free(&w);
    buf_free(&b);
}

/* A caller that leaves: UNKNOWN; the connection goes on.  (The server cannot tell a closed connection from a half-closed one, and goes on
 * with what it runs: as Go's does.) */
static leat_err leaving(const char *at)
{
    leat_netrpc *c;
    struct Reply r;
    leat_err e;
    LEAT_TRY(leat_netrpc_dial(at, &c));
    leat_with_deadline(LEAT_MS(20)) {
        e = leat_netrpc_call(c, "Calc.Wait", Args, (&(struct Args){ 0, 0 }), Reply, &r);
        CHECK(e == LEAT_UNKNOWN ? leat_err_why() == LEAT_DEADLINE : e == LEAT_DEADLINE);         /* DEADLINE: not even sent */
    }
    CHECK_EQ(leat_netrpc_call(c, "Calc.Add", Args, (&(struct Args){ 1, 2 }), Reply, &r), LEAT_OK);
    leat_drop(Reply, &r);
    int before = waiting;
    leat_with_group(g, e) {
        e = leat_go(&g, call_wait, (struct one){ c, LEAT_CANCELED });
        until_waiting(before + 1);
        leat_group_cancel(&g);
    }
    CHECK(e == LEAT_OK || e == LEAT_CANCELED);
    before = waiting;
    leat_with_group(g, e) {
        e = leat_go(&g, call_wait, (struct one){ c, LEAT_PEER_LOST });
        until_waiting(before + 1);
        leat_netrpc_close(c);
    }
    CHECK_EQ(e, LEAT_OK);
    call_and_reset(at);
    return LEAT_OK;
}
BOTH_LEFT(a_caller_that_leaves_is_told_the_truth, leaving)

/* A server that goes: what was sent is UNKNOWN, what comes later PEER_LOST. */
static leat_err accept_one(leat_listener **l)
{
    leat_conn *c;
    char buf[64];
    size_t n;
    LEAT_TRY(leat_accept(*l, &c));
    LEAT_TRY(leat_read(c, buf, sizeof buf, &n));
    leat_conn_close(c);
    return LEAT_OK;
}

static leat_err lost(leat_none *none)
{
    leat_listener *l;
    leat_netrpc *c;
    struct Reply r;
    leat_err e;
    (void)none;
    LEAT_TRY(leat_listen(url, &l));
    leat_with_group(g, e) {
        e = leat_go(&g, accept_one, l);
        CHECK_EQ(leat_netrpc_dial(leat_listener_addr(l).url, &c), LEAT_OK);
        CHECK_EQ(leat_netrpc_call(c, "Calc.Add", Args, (&(struct Args){ 1, 2 }), Reply, &r), LEAT_UNKNOWN);
        CHECK_EQ(leat_err_why(), LEAT_PEER_LOST);
        CHECK_EQ(leat_netrpc_call(c, "Calc.Add", Args, (&(struct Args){ 1, 2 }), Reply, &r), LEAT_PEER_LOST);
        leat_netrpc_close(c);
    }
    leat_listener_close(l);
    return e;
}
APART(a_server_that_goes, lost)

/* Bytes that are no net/rpc end their own connection, and nothing else. */
static leat_err hostile(const char *at)
{
    static const char *const bytes[] = { "GET / HTTP/1.1\r\n\r\n", "\x16\x03\x01\x02", "\xff", "\xf8\xff\xff\xff\xff\xff\xff\xff\xff",
        "\xfc\x08", "\x05\xff\x81\x03" };
    leat_netrpc *c;
    struct Reply r;
    struct rng rng;
    rng_init(&rng, 2);
    LEAT_TRY(leat_netrpc_dial(at, &c));
    for (int i = 0; i < 60; i++) {
        leat_conn *conn;
        char buf[256];
        size_t n = i < 6 ? strlen(bytes[i]) : 1 + rng_below(&rng, 200);
        for (size_t k = 0; k < n; k++)
            buf[k] = i < 6 ? bytes[i][k] : (char)rng_next(&rng);
        LEAT_TRY(leat_dial(at, &conn));
        leat_ignore(leat_write(conn, buf, n));
        leat_ignore(leat_conn_close_write(conn));
        while (leat_read(conn, buf, sizeof buf, &n) == LEAT_OK)
            ;
        leat_conn_close(conn);
        CHECK_EQ(leat_netrpc_call(c, "Calc.Add", Args, (&(struct Args){ 1, 2 }), Reply, &r), LEAT_OK);
        leat_drop(Reply, &r);
    }
    leat_netrpc_close(c);
    return LEAT_OK;
}
BOTH(other_bytes_harm_nobody_else, hostile)

/* A client that has said all: what it asked is answered, later than it said so, and then the server ends the connection. */
static leat_err half(const char *to)
{
    enum { CALLS = 50 };
    struct gob_writer w = { 0 };
    struct buf b = { 0 };
    struct netrpc s;
    leat_conn *conn;
    int sum = 0;
    for (int i = 0; i < CALLS; i++) {
        struct Request head = { .service_method = LEAT_STRING("Calc.Late"), .seq = (uint64_t)i };
        CHECK_EQ(gob_write(&w, &Request_type, &head, &b), LEAT_OK);
        CHECK_EQ(gob_write(&w, &Args_type, &(struct Args){ i, 1 }, &b), LEAT_OK);
    }
    CHECK_EQ(leat_dial(to, &conn), LEAT_OK);
    CHECK_EQ(leat_write(conn, b.p, b.len), LEAT_OK);
    CHECK_EQ(leat_conn_close_write(conn), LEAT_OK);
    CHECK_EQ(netrpc_open(&s, conn), LEAT_OK);
    for (int i = 0; i < CALLS; i++) {                /* in any order */
        struct Response head = { .seq = 0 };
        struct Reply r = { .c = 0 };
        CHECK_EQ(netrpc_get(&s, &Response_type, &head), LEAT_OK);
        CHECK_EQ(netrpc_get(&s, &Reply_type, &r), LEAT_OK);
        CHECK_EQ(r.c, head.seq + 1);
        sum += (int)head.seq;
        leat_drop(Response, &head);
        leat_drop(Reply, &r);
    }
    CHECK_EQ(sum, CALLS * (CALLS - 1) / 2);
    CHECK_EQ(netrpc_skip(&s), LEAT_CLOSED);
    netrpc_free(&s);
    leat_conn_close(conn);
    gob_writer_free(&w);
    buf_free(&b);
    return LEAT_OK;
}
BOTH(who_has_said_all_still_gets_its_answers, half)

/* Answers that nobody takes: the requests of that peer are not read either, until they go out. */
static leat_err takes(leat_conn **c)
{
    static char buf[4096];
    size_t n;
    leat_err e;
    while ((e = leat_read(*c, buf, sizeof buf, &n)) == LEAT_OK)
        ;
    return e == LEAT_CLOSED ? LEAT_OK : e;
}

static leat_err no_room(leat_none *none)
{
    leat_listener *l;
    leat_conn *here, *there;
    struct netrpc s, *at = &s;
    struct Bytes big = { .v = { calloc(1, 2 << 20), 2 << 20, 1 } };
    leat_err e;
    (void)none;
    LEAT_TRY(leat_listen(url, &l));
    LEAT_TRY(leat_dial(leat_listener_addr(l).url, &here));
    LEAT_TRY(leat_accept(l, &there));
    LEAT_TRY(netrpc_open(&s, here));
    CHECK_EQ(netrpc_wait_room(&s), LEAT_OK);
    CHECK_EQ(netrpc_put(&s, &Response_type, &(struct Response){ .seq = 1 }, &Bytes_type, &big), LEAT_OK);
    leat_with_deadline(LEAT_MS(1))
        CHECK_EQ(netrpc_wait_room(&s), LEAT_DEADLINE);           /* nobody writes yet */
    leat_with_group(g, e) {
        LEAT_TRY(leat_go(&g, takes, there));
        leat_with_group(writer, e) {
            e = leat_go(&writer, netrpc_writes, at);
            CHECK_EQ(netrpc_wait_room(&s), LEAT_OK);
            leat_close(s.kick);                      /* it writes what there is, and ends */
        }
        LEAT_TRY(leat_conn_close_write(here));
    }
    netrpc_free(&s);
    leat_drop(Bytes, &big);
    leat_conn_close(here);
    leat_conn_close(there);
    leat_listener_close(l);
    return e;
}
APART(who_takes_no_answers_is_read_no_further, no_room)

/* On one thread, where every other task has had its turn when a call has gone there and back. */
static void turns(leat_netrpc *c)
{
    struct Reply r;
    for (int i = 0; i < 50; i++) {
        CHECK_EQ(leat_netrpc_call(c, "Calc.Add", Args, (&(struct Args){ 0, 0 }), Reply, &r), LEAT_OK);
        leat_drop(Reply, &r);
    }
}

static leat_err read_no_further(const char *to)
{
    enum { LARGE = 8 << 20, LARGES = 4, MORE = 20 };    /* LARGE: more than the system takes on the way */
    const int little = 64 << 10;
    struct gob_writer w = { 0 };
    struct netrpc s;
    leat_netrpc *c;
    leat_conn *conn;
    uint64_t seq = 0;
    LEAT_TRY(leat_netrpc_dial(to, &c));
    CHECK_EQ(leat_dial(to, &conn), LEAT_OK);
    CHECK(setsockopt(leat_conn_fd(conn), SOL_SOCKET, SO_RCVBUF, &little, sizeof little) == 0);
    CHECK_EQ(netrpc_open(&s, conn), LEAT_OK);
    for (int i = 0; i < LARGES + MORE; i++) {
        bool large = i < LARGES;
        struct buf b = { 0 };
        struct Request head = { .service_method = leat_string_of(large ? "Calc.Big" : "Calc.Add"), .seq = seq++ };
        CHECK_EQ(gob_write(&w, &Request_type, &head, &b), LEAT_OK);
        CHECK_EQ(gob_write(&w, &Args_type, &(struct Args){ large ? LARGE : 0, 1 }, &b), LEAT_OK);
        CHECK_EQ(leat_write(conn, b.p, b.len), LEAT_OK);
        buf_free(&b);
        turns(c);
    }
    CHECK(grown >= 2 && grown < LARGES && added == 0);           /* one answer is being written, one waits; none is read */
    for (int i = 0; i < LARGES + MORE; i++) {
        struct Response head = { .seq = 0 };
        CHECK_EQ(netrpc_get(&s, &Response_type, &head), LEAT_OK);
        CHECK_EQ(netrpc_skip(&s), LEAT_OK);
        leat_drop(Response, &head);
    }
    CHECK(grown == LARGES && added == MORE);
    netrpc_free(&s);
    leat_conn_close(conn);
    leat_netrpc_close(c);
    gob_writer_free(&w);
    return LEAT_OK;
}
ALONE(requests_are_read_no_further_while_answers_wait, read_no_further)

static leat_err forgotten(const char *at)
{
    leat_netrpc *c;
    return leat_netrpc_dial(at, &c);                /* never closed: the end of the program does it */
}
BOTH_LEFT(a_connection_that_is_not_closed, forgotten)

static leat_err from_buf(void *self, void *p, size_t cap, size_t *n)
{
    struct buf *b = self;
    *n = MIN(cap, b->len);
    memcpy(p, b->p, *n);
    memmove(b->p, b->p + *n, b->len - *n);
    b->len -= *n;
    return LEAT_OK;
}

static void put_number(struct buf *b, uint32_t n)
{
    const uint8_t bytes[] = { 0xfc, (uint8_t)(n >> 24), (uint8_t)(n >> 16), (uint8_t)(n >> 8), (uint8_t)n };
    buf_put(b, bytes, sizeof bytes);
}

static void put_message(struct buf *b, struct buf *part)
{
    put_number(b, (uint32_t)part->len);
    buf_put(b, part->p, part->len);
    buf_reset(part);
}

static size_t asked;
static bool counts(void *self, size_t n)
{
    (void)self;
    asked += n;
    return false;
}

/* A list of 20,000 structs of 20,000 fields, all zero, so that none is there: some 140 kB, and 4 GB of text. */
TEST(an_answer_of_few_bytes_and_much_text_is_refused_in_time)
{
    enum { MANY = 20000 };
    struct buf b = { 0 }, part = { 0 };
    struct netrpc s;
    leat_string text = { 0 };
    const struct mem_hook hook = { counts, NULL };
    buf_put(&part, "\x7f\x03\x01\x01\x01S\x01\xff\x80\x00\x01", 11);           /* type 64: struct S, its fields */
    put_number(&part, MANY);
    for (int i = 0; i < MANY; i++)
        buf_put(&part, "\x01\x01" "a\x01\x02\x00", 6);                          /* a bool */
    buf_put(&part, "\x00\x00", 2);
    put_message(&b, &part);
    buf_put(&part, "\xff\x81\x02\x01\x02\xff\x82\x00\x01\xff\x80\x00\x00", 13);     /* type 65: []S */
    put_message(&b, &part);
    buf_put(&part, "\xff\x82\x00", 3);
    put_number(&part, MANY);
    memset(buf_add(&part, MANY), 0, MANY);
    put_message(&b, &part);
    CHECK_EQ(netrpc_open(&s, NULL), LEAT_OK);
    s.feed.read = from_buf;
    s.feed.self = &b;
    mem_hook = &hook;
    asked = 0;
    CHECK_EQ(netrpc_get_json(&s, &text), LEAT_LIMIT);
    mem_hook = NULL;
    CHECK_HAS(leat_err_detail(), "bytes of text");
    CHECK(asked < 100 << 20);
    netrpc_free(&s);
    buf_free(&b);
    buf_free(&part);
}

static struct netrpc *idle;
static leat_err from_buf_or_idle(void *self, void *p, size_t cap, size_t *n)
{
    if (((struct buf *)self)->len == 0)
        CHECK(idle->reader.gob.maps.cap <= LIMIT_GOB_KEPT);
    return from_buf(self, p, cap, n);
}

/* A map of 20,000 maps, after which nothing comes */
TEST(where_maps_end_is_not_kept_by_an_idle_connection)
{
    enum { MANY = 20000 };
    struct buf b = { 0 }, part = { 0 };
    struct netrpc s;
    leat_string text = { 0 };
    buf_put(&part, "\x7f\x04\x01\x02\xff\x80\x00\x01\x04\x01\xff\x80\x00\x00", 14);         /* type 64: map[int]type 64 */
    put_message(&b, &part);
    buf_put(&part, "\xff\x80\x00", 3);
    put_number(&part, MANY);
    for (int i = 0; i < MANY; i++)
        buf_put(&part, "\x02\x01\x04\x00", 4);       /* 1: {2: {}} */
    put_message(&b, &part);
    CHECK_EQ(netrpc_open(&s, NULL), LEAT_OK);
    idle = &s;
    s.feed.read = from_buf_or_idle;
    s.feed.self = &b;
    CHECK_EQ(netrpc_get_json(&s, &text), LEAT_OK);
    CHECK(text.len == 14 && memcmp(text.p, "{\"1\":{\"2\":{}}}", 14) == 0);
    leat_string_drop(&text);
    CHECK(s.reader.gob.maps.cap > LIMIT_GOB_KEPT);
    CHECK_EQ(netrpc_skip(&s), LEAT_CLOSED);
    netrpc_free(&s);
    buf_free(&b);
    buf_free(&part);
}

T_MAIN()
