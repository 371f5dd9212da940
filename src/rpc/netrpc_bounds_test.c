/* netrpc_bounds_test.c - net/rpc where much waits, little is left, or somebody leaves: what is kept, and what is said. */
#include "base/limits.h"
#include "pair.h"
#include "rpc/netrpc.h"
#include "run/sched.h"

LEAT_STRUCT(Bytes, (bytes, v, .flags = LEAT_BARE));
LEAT_STRUCT(Count, (int64, n, .flags = LEAT_BARE));
LEAT_STRUCT(Other, (string, a));
LEAT_STRUCT(Args, (int64, a));
LEAT_SERVICE(Calc, (Take, Bytes, Count), (Add, Args, Count), (Fail, Args, Count), (Hold, Args, Count));

enum { LARGE = 512 << 10, WAITERS = 8, MOST = 128 };
static _Atomic int ran, held;
static uint8_t large[LARGE];

static leat_err takes(void *self, const struct Bytes *in, struct Count *out)
{
    (void)self;
    ran++;
    out->n = in->v.len;
    return LEAT_OK;
}
static leat_err adds(void *self, const struct Args *in, struct Count *out)
{
    (void)self;
    out->n = in->a + 1;
    return LEAT_OK;
}
static leat_err fails(void *self, const struct Args *in, struct Count *out)
{
    (void)self, (void)in, (void)out;
    return leat_fail(LEAT_INVAL, "two\nlines, \x1b[31m red, \x7f");
}
static leat_err holds(void *self, const struct Args *in, struct Count *out)
{
    (void)self, (void)in, (void)out;
    held++;
    return leat_sleep(LEAT_S(3600));
}
static const struct Calc_impl impl = { takes, adds, fails, holds };

#define APART(id, fn) TEST(id##_unix) { AT(UNIX, fn); } TEST(id##_tcp) { AT(TCP, fn); }

/* A node, a listener, and a client whose connection nobody serves yet. */
struct world { leat_node *n; leat_listener *l; leat_conn *there; leat_netrpc *c; };

static leat_err accepts(struct world **x) { return leat_accept((*x)->l, &(*x)->there); }

static struct world world_open(void)
{
    struct world x = { NULL, NULL, NULL, NULL }, *at = &x;
    leat_err e;
    CHECK_EQ(leat_node_open(NULL, &x.n), LEAT_OK);
    CHECK_EQ(leat_serve(x.n, Calc, &impl, NULL), LEAT_OK);
    CHECK_EQ(leat_listen(url, &x.l), LEAT_OK);
    leat_with_group(g, e) {
        CHECK_EQ(leat_go(&g, accepts, at), LEAT_OK);
        CHECK_EQ(leat_netrpc_dial(leat_listener_addr(x.l).url, &x.c), LEAT_OK);
    }
    CHECK_EQ(e, LEAT_OK);
    return x;
}

static leat_err serves(struct world **x) { return leat_netrpc_serve_conn((*x)->n, (*x)->there); }

static void world_close(struct world *x)
{
    leat_conn_close(x->there);
    leat_listener_close(x->l);
    leat_node_close(x->n);
}

static leat_err call_large(leat_netrpc *c)
{
    struct Count r = { 0 };
    leat_err e = leat_netrpc_call(c, "Calc.Take", Bytes, (&(struct Bytes){ { large, LARGE, 0 } }), Count, &r);
    CHECK(e != LEAT_OK || r.n == LARGE);
    return e;
}

static leat_err waiter(leat_netrpc **c) { return call_large(*c); }

/* -- a server that does not read ------------------------------------------------------------------------------------------------------ */
static leat_err unread(leat_none *none)
{
    struct world x = world_open(), *at = &x;
    int sent = 0, n = 0;
    leat_err e = LEAT_OK;
    (void)none;
    for (; n < MOST && e != LEAT_DEADLINE; n++)
        leat_with_deadline(LEAT_MS(20)) {
            e = call_large(x.c);
            CHECK(e == LEAT_DEADLINE || (e == LEAT_UNKNOWN && leat_err_why() == LEAT_DEADLINE));
            sent += e == LEAT_UNKNOWN;
        }
    CHECK_EQ(e, LEAT_DEADLINE);                      /* it was not sent: what waits is bounded */
    leat_with_group(g, e) {
        CHECK_EQ(leat_go(&g, serves, at), LEAT_OK);
        leat_with_group(callers, e)
            for (int i = 0; i < WAITERS; i++)
                CHECK_EQ(leat_go(&callers, waiter, x.c), LEAT_OK);
        CHECK_EQ(e, LEAT_OK);                        /* all of them get their turn */
        leat_netrpc_close(x.c);
    }
    CHECK_EQ(e, LEAT_OK);
    CHECK_EQ(ran, sent + WAITERS);                   /* and what was not sent has not run */
    world_close(&x);
    return LEAT_OK;
}
APART(calls_wait_while_their_server_reads_nothing, unread)

static leat_err not_sent(leat_netrpc **c)
{
    held++;
    CHECK_EQ(call_large(*c), LEAT_PEER_LOST);
    return LEAT_OK;
}

/* Those that wait to be sent are told when the connection is closed: certainly not sent. */
static leat_err closed_meanwhile(leat_none *none)
{
    struct world x = world_open();
    leat_err e = LEAT_OK;
    (void)none;
    for (int n = 0; n < MOST && e != LEAT_DEADLINE; n++)
        leat_with_deadline(LEAT_MS(20))
            e = call_large(x.c);
    leat_with_group(g, e) {
        for (int i = 0; i < WAITERS; i++)
            CHECK_EQ(leat_go(&g, not_sent, x.c), LEAT_OK);
        while (held < WAITERS)                       /* on one thread: those that have begun wait now */
            CHECK_EQ(leat_sleep(LEAT_MS(0.1)), LEAT_OK);
        leat_netrpc_close(x.c);
    }
    CHECK_EQ(e, LEAT_OK);
    world_close(&x);
    return LEAT_OK;
}
TEST(who_waits_to_be_sent_when_its_connection_is_closed_is_told_so)
{
    const leat_opts alone = { .log = pair_quiet, .workers = 1 };
    at(UNIX);
    CHECK_EQ(leat_run(&alone, closed_meanwhile, LEAT_NONE), LEAT_OK);
}

/* -- who leaves while the connection is closed ----------------------------------------------------------------------------------------- */
static leat_err leaves(leat_netrpc **c)
{
    struct Count r;
    leat_err e = leat_netrpc_call(*c, "Calc.Hold", Args, (&(struct Args){ 1 }), Count, &r);
    CHECK(e == LEAT_UNKNOWN || e == LEAT_CANCELED || e == LEAT_PEER_LOST);
    return LEAT_OK;
}
static leat_err closes(leat_netrpc **c)
{
    leat_netrpc_close(*c);
    return LEAT_OK;
}

static leat_err leave_and_close(leat_none *none)
{
    (void)none;
    for (int i = 0; i < 300; i++) {
        struct world x = world_open(), *at = &x;
        leat_err e;
        int before = held;
        leat_with_group(all, e) {
            CHECK_EQ(leat_go(&all, serves, at), LEAT_OK);
            leat_with_group(g, e) {
                for (int k = 0; k < 4; k++)
                    CHECK_EQ(leat_go(&g, leaves, x.c), LEAT_OK);
                while (held < before + 4)
                    CHECK_EQ(leat_sleep(LEAT_MS(0.1)), LEAT_OK);
                CHECK_EQ(leat_go(&all, closes, x.c), LEAT_OK);
                leat_group_cancel(&g);
            }
            leat_group_cancel(&all);
        }
        world_close(&x);
    }
    return LEAT_OK;
}
TEST(callers_leave_while_their_connection_is_closed) { AT(UNIX, leave_and_close); }

/* -- what is kept ------------------------------------------------------------------------------------------------------------------- */
static void pass(struct netrpc *from, struct netrpc *to, uint32_t n)
{
    struct Bytes in = { { large, n, 0 } }, out = { { 0 } };
    struct Request head = { .service_method = LEAT_STRING("Calc.Take") }, got = { .seq = 1 };
    leat_err e;
    leat_with_group(g, e) {
        CHECK_EQ(netrpc_put(from, &Request_type, &head, &Bytes_type, &in), LEAT_OK);
        CHECK_EQ(leat_go(&g, netrpc_writes, from), LEAT_OK);
        CHECK_EQ(netrpc_get(to, &Request_type, &got), LEAT_OK);
        CHECK_EQ(netrpc_get(to, &Bytes_type, &out), LEAT_OK);
        CHECK_EQ(out.v.len, n);
        leat_group_cancel(&g);
    }
    leat_drop(Request, &got);
    leat_drop(Bytes, &out);
}

static leat_err idle(leat_none *none)
{
    leat_listener *l;
    leat_conn *here, *there;
    struct netrpc a, b;
    (void)none;
    LEAT_TRY(leat_listen(url, &l));
    LEAT_TRY(leat_dial(leat_listener_addr(l).url, &here));
    LEAT_TRY(leat_accept(l, &there));
    LEAT_TRY(netrpc_open(&a, here));
    LEAT_TRY(netrpc_open(&b, there));
    for (int i = 0; i < 3; i++)
        pass(&a, &b, i == 0 ? LARGE : 3);            /* its memory goes when the next message is waited for */
    CHECK(a.out.cap <= LIMIT_GOB_KEPT && a.writing.cap <= LIMIT_GOB_KEPT && a.writer.body.cap <= LIMIT_GOB_KEPT);
    CHECK(b.feed.cap <= LIMIT_GOB_KEPT);
    netrpc_free(&a);
    netrpc_free(&b);
    leat_conn_close(here);
    leat_conn_close(there);
    leat_listener_close(l);
    return LEAT_OK;
}
APART(an_idle_connection_keeps_no_large_buffer, idle)

/* -- what is said ------------------------------------------------------------------------------------------------------------------- */
static leat_err said(leat_none *none)
{
    struct world x = world_open(), *at = &x;
    struct Count r;
    char name[600], text[700];
    leat_err e;
    (void)none;
    memset(name, 'x', sizeof name);
    memcpy(name, "Calc.", 5);
    name[sizeof name - 1] = 0;
    snprintf(text, sizeof text, "rpc: can't find method %s", name);
    leat_with_group(g, e) {
        CHECK_EQ(leat_go(&g, serves, at), LEAT_OK);
        CHECK_EQ(leat_netrpc_call(x.c, "Calc.Fail", Args, (&(struct Args){ 1 }), Count, &r), LEAT_REMOTE);
        CHECK_STR(leat_err_detail(), "two lines,  [31m red,  ");        /* no control characters of others */
        CHECK_EQ(leat_netrpc_call(x.c, "Calc.Add", Other, (&(struct Other){ LEAT_STRING("x") }), Count, &r), LEAT_REMOTE);
        CHECK_STR(leat_err_detail(), "gob: type mismatch: Args.A: the stream has a gob string, here it is an int");
        CHECK_EQ(leat_netrpc_call(x.c, name, Args, (&(struct Args){ 1 }), Count, &r), LEAT_REMOTE);
        CHECK(strncmp(leat_err_detail(), text, 200) == 0);
        leat_netrpc_close(x.c);
    }
    CHECK_EQ(e, LEAT_OK);
    world_close(&x);
    return LEAT_OK;
}
APART(what_a_server_says_is_shown_without_its_control_characters, said)

/* A name of any length comes back whole. */
static leat_err long_name(leat_none *none)
{
    struct world x = world_open(), *at = &x;
    struct netrpc s;
    leat_conn *conn;
    leat_err e;
    char name[600];
    struct Request head = { .service_method = { name, sizeof name, 0 }, .seq = 7 };
    struct Response got = { .seq = 0 };
    (void)none;
    leat_netrpc_close(x.c);
    leat_conn_close(x.there);
    memset(name, 'x', sizeof name);
    name[3] = '.';
    name[9] = 0;
    leat_with_group(g, e) {
        CHECK_EQ(leat_go(&g, accepts, at), LEAT_OK);
        CHECK_EQ(leat_dial(leat_listener_addr(x.l).url, &conn), LEAT_OK);
    }
    CHECK_EQ(netrpc_open(&s, conn), LEAT_OK);
    struct netrpc *writes = &s;
    leat_with_group(g, e) {
        CHECK_EQ(leat_go(&g, serves, at), LEAT_OK);
        CHECK_EQ(netrpc_put(&s, &Request_type, &head, &Args_type, &(struct Args){ 1 }), LEAT_OK);
        CHECK_EQ(leat_go(&g, netrpc_writes, writes), LEAT_OK);
        CHECK_EQ(netrpc_get(&s, &Response_type, &got), LEAT_OK);
        CHECK_EQ(netrpc_skip(&s), LEAT_OK);
        leat_group_cancel(&g);
    }
    const char *start = "rpc: can't find service ";
    CHECK(got.seq == 7 && got.error.len == strlen(start) + sizeof name && memcmp(got.error.p, start, strlen(start)) == 0);
    CHECK(memcmp(got.error.p + strlen(start), name, sizeof name) == 0);
    leat_drop(Response, &got);
    netrpc_free(&s);
    leat_conn_close(conn);
    world_close(&x);
    return LEAT_OK;
}
TEST(a_name_that_is_not_served_comes_back_whole) { AT(UNIX, long_name); }

T_MAIN()
