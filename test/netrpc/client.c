/* client.c URL [quit] - a net/rpc client of leat against a server of Go (peer/): any number of calls on one connection, Echo of up to
 * 64 MiB, Go's own error texts, and with `quit` a server that ends in the middle of calls. */
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
