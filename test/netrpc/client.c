/* client.c URL [quit] - a net/rpc client of leat against a server of Go (peer/): any number of calls on one connection, Echo of up to
 * 64 MiB, Go's own error texts, slow calls among fast ones, a connection that is closed in the middle of calls, and with `quit` a server
 * that ends there. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "leat.h"
#include "t.h"

LEAT_STRUCT(Args, (int64, A), (int64, B));
LEAT_STRUCT(Reply, (int64, C));
LEAT_STRUCT(Bytes, (bytes, v, .flags = LEAT_BARE));
struct args { const char *url; bool quit; };
struct one { leat_netrpc *c; int i; };

static leat_err multiply(struct one *o)
{
    struct Reply r;
    CHECK_EQ(leat_netrpc_call(o->c, "Arith.Mul", Args, (&(struct Args){ o->i, o->i }), Reply, &r), LEAT_OK);
    CHECK_EQ(r.C, (int64_t)o->i * o->i);
    return LEAT_OK;
}

static leat_err sleep_long(struct one *o)
{
    struct Reply r;
    CHECK_EQ(leat_netrpc_call(o->c, "Arith.SleepMilli", Args, (&(struct Args){ .A = 1000000 }), Reply, &r), LEAT_UNKNOWN);
    CHECK_EQ(leat_err_why(), LEAT_PEER_LOST);
    return LEAT_OK;
}

/* More at a time than a server of ours would run. */
static leat_err many(leat_netrpc *c)
{
    leat_err e;
    leat_with_group(g, e)
        for (int i = 0; i < 500; i++)
            LEAT_TRY(leat_go(&g, multiply, (struct one){ c, i }));
    return e;
}

static void echo(leat_netrpc *c)
{
    static const size_t sizes[] = { 0, 1, 127, 128, 70000, 64u << 20 };
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        size_t n = sizes[i];
        uint8_t *p = malloc(n + 1);
        struct Bytes got;
        CHECK(p != NULL);
        for (size_t k = 0; k < n; k++)
            p[k] = (uint8_t)(k * 31 >> 3);
        CHECK_EQ(leat_netrpc_call(c, "Builtin.Echo", Bytes, (&(struct Bytes){ { p, (uint32_t)n, 0 } }), Bytes, &got), LEAT_OK);
        CHECK(got.v.len == n && (n == 0 || memcmp(got.v.p, p, n) == 0));
        leat_drop(Bytes, &got);
        free(p);
    }
}

static void errors(leat_netrpc *c)
{
    static const struct { const char *method; struct Args args; const char *text; } cases[] = {
        { "Arith.Div", { 7, 0 }, "divide by zero" }, { "Arith.Nope", { 1, 2 }, "rpc: can't find method Arith.Nope" },
        { "Nope.Add", { 1, 2 }, "rpc: can't find service Nope.Add" }, { "ill", { 1, 2 }, "rpc: service/method request ill-formed: ill" },
    };
    struct Reply r;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        CHECK_EQ(leat_netrpc_call(c, cases[i].method, Args, &cases[i].args, Reply, &r), LEAT_REMOTE);
        CHECK_STR(leat_err_detail(), cases[i].text);
    }
}

/* -- slow calls among fast ones ------------------------------------------------------------------------------------------------------ */
static int64_t number(leat_netrpc *c, const char *method)
{
    struct Reply r;
    CHECK_EQ(leat_netrpc_call(c, method, Args, (&(struct Args){ 0 }), Reply, &r), LEAT_OK);
    return r.C;
}

static void until_held(leat_netrpc *c, int64_t n)    /* so many calls are in their methods */
{
    while (number(c, "Ending.Held") != n)
        continue;
}

static void fast(leat_netrpc *c, int n)
{
    for (int i = 0; i < n; i++) {
        CHECK_EQ(multiply(&(struct one){ c, i }), LEAT_OK);
        struct Reply r;
        CHECK_EQ(leat_netrpc_call(c, "Arith.Div", Args, (&(struct Args){ i, 0 }), Reply, &r), LEAT_REMOTE);
    }
}

static leat_err nap(struct one *o)
{
    struct Reply r = { .C = 9 };
    CHECK_EQ(leat_netrpc_call(o->c, "Arith.SleepMilli", Args, (&(struct Args){ .A = 10 * o->i }), Reply, &r), LEAT_OK);
    CHECK_EQ(r.C, 0);
    return LEAT_OK;
}

static leat_err held(struct one *o)                  /* to its end: even ones have a result, odd ones an error */
{
    struct Reply r = { .C = -1 };
    leat_err err = leat_netrpc_call(o->c, "Ending.Hold", Args, (&(struct Args){ o->i, o->i & 1 }), Reply, &r);
    CHECK_EQ(err, o->i & 1 ? LEAT_REMOTE : LEAT_OK);
    if (err == LEAT_REMOTE)
        CHECK_HAS(leat_err_detail(), "held ");
    else
        CHECK_EQ(r.C, o->i);
    return LEAT_OK;
}

static leat_err given_up(struct one *o)              /* i: why */
{
    struct Reply r = { .C = -1 };
    CHECK_EQ(leat_netrpc_call(o->c, "Ending.Hold", Args, (&(struct Args){ .A = 7 }), Reply, &r), LEAT_UNKNOWN);
    CHECK_EQ(leat_err_why(), o->i);
    CHECK_EQ(r.C, -1);
    return LEAT_OK;
}

/* Fast ones are answered while slow ones are in their methods, and these get their own answers, in whatever order. */
static void slow_among_fast(leat_netrpc *c)
{
    enum { SLOW = 8 };
    leat_err e;
    leat_with_group(g, e) {
        for (int i = 0; i < SLOW; i++) {
            CHECK_EQ(leat_go(&g, held, (struct one){ c, i }), LEAT_OK);
            CHECK_EQ(leat_go(&g, nap, (struct one){ c, SLOW - i }), LEAT_OK);
        }
        until_held(c, SLOW);
        fast(c, 50);
        CHECK_EQ(number(c, "Ending.Held"), SLOW);
        CHECK_EQ(number(c, "Ending.LetGo"), 0);
    }
    CHECK_EQ(e, LEAT_OK);
}

/* Who gives up leaves the connection to the others; the answer that comes late is nobody's. */
static void slow_given_up(leat_netrpc *c)
{
    leat_err e;
    leat_with_group(g, e) {
        for (int i = 0; i < 3; i++)
            CHECK_EQ(leat_go(&g, given_up, (struct one){ c, LEAT_CANCELED }), LEAT_OK);
        until_held(c, 3);
        leat_group_cancel(&g);
    }
    CHECK(e == LEAT_OK || e == LEAT_CANCELED);
    fast(c, 10);
    CHECK_EQ(number(c, "Ending.LetGo"), 0);
    until_held(c, 0);
    fast(c, 10);
}

/* A connection is closed in the middle of calls; another one goes on. */
static void closed_under_way(leat_netrpc *c, const char *url)
{
    leat_netrpc *second;
    leat_err e;
    CHECK_EQ(leat_netrpc_dial(url, &second), LEAT_OK);
    leat_with_group(g, e) {
        for (int i = 0; i < 5; i++)
            CHECK_EQ(leat_go(&g, given_up, (struct one){ second, LEAT_PEER_LOST }), LEAT_OK);
        until_held(c, 5);
        leat_netrpc_close(second);
    }
    CHECK_EQ(e, LEAT_OK);
    fast(c, 10);
    CHECK_EQ(number(c, "Ending.LetGo"), 0);
    until_held(c, 0);
}

/* The server ends while calls are under way: nobody knows what became of them; calls after that were certainly not made. */
static leat_err server_goes(leat_netrpc *c)
{
    struct Reply r;
    leat_err e;
    leat_with_group(g, e) {
        for (int i = 0; i < 20; i++)
            LEAT_TRY(leat_go(&g, sleep_long, (struct one){ c, i }));
        do                                           /* all of them are there: the server counts */
            CHECK_EQ(leat_netrpc_call(c, "Ending.Sleepers", Args, (&(struct Args){ 0 }), Reply, &r), LEAT_OK);
        while (r.C < 20);
        CHECK_EQ(leat_netrpc_call(c, "Ending.Now", Args, (&(struct Args){ 0 }), Reply, &r), LEAT_UNKNOWN);
    }
    CHECK_EQ(e, LEAT_OK);
    CHECK_EQ(leat_netrpc_call(c, "Arith.Add", Args, (&(struct Args){ 1, 2 }), Reply, &r), LEAT_PEER_LOST);
    return LEAT_OK;
}

static leat_err app(struct args *a)
{
    leat_netrpc *c;
    leat_err e;
    LEAT_TRY(leat_netrpc_dial(a->url, &c));
    LEAT_TRY(many(c));
    echo(c);
    errors(c);
    slow_among_fast(c);
    slow_given_up(c);
    closed_under_way(c, a->url);
    e = a->quit ? server_goes(c) : LEAT_OK;
    leat_netrpc_close(c);
    return e;
}

int main(int argc, char **argv)
{
    if (argc < 2 || leat_run(NULL, app, (struct args){ argv[1], argc > 2 }) != LEAT_OK)
        return 1;
    puts("all well");
    return 0;
}
