/* netrpc - Go's net/rpc: a server and a client that need no Go.
 *   netrpc serve URL                 serves Arith and Builtin, the services that net/rpc's own tests use
 *   netrpc call URL METHOD JSON      calls a method of any net/rpc server: netrpc call tcp://127.0.0.1:1234 Arith.Add '{"A":7,"B":8}'
 *   netrpc call --arg-type TYPE ...  the same, where the text does not say what Go has there: --arg-type 'map[string]int' */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "leat.h"

LEAT_STRUCT(Args,  (int64, A), (int64, B));                /* type Args struct { A, B int } */
LEAT_STRUCT(Reply, (int64, C));
LEAT_STRUCT(Text,  (string, v, .flags = LEAT_BARE));       /* a string without a struct around it */
LEAT_STRUCT(Bytes, (bytes, v, .flags = LEAT_BARE));
LEAT_STRUCT(Ints,  (int64s, v, .flags = LEAT_BARE));
LEAT_STRUCT(Two,   (array(int64_t, 2), v, .flags = LEAT_BARE));
LEAT_STRUCT(Pair,  (int64, key), (int64, value));
LEAT_STRUCT(Pairs, (list(Pair), v, .flags = LEAT_BARE | LEAT_PAIRS));    /* map[int]int */
LEAT_SERVICE(Arith, (Add, Args, Reply), (Mul, Args, Reply), (Div, Args, Reply), (String, Args, Text), (Scan, Text, Reply),
    (SleepMilli, Args, Reply));
LEAT_SERVICE(Builtin, (Map, Args, Pairs), (Slice, Args, Ints), (Array, Args, Two), (Echo, Bytes, Bytes));

static leat_err add(void *self, const struct Args *in, struct Reply *out)
{
    (void)self;
    out->C = (int64_t)((uint64_t)in->A + (uint64_t)in->B); /* as in Go, it wraps */
    return LEAT_OK;
}

static leat_err mul(void *self, const struct Args *in, struct Reply *out)
{
    (void)self;
    out->C = (int64_t)((uint64_t)in->A * (uint64_t)in->B);
    return LEAT_OK;
}

static leat_err div_(void *self, const struct Args *in, struct Reply *out)
{
    (void)self;
    if (in->B == 0)
        return leat_fail(LEAT_INVAL, "divide by zero");
    out->C = in->B == -1 ? (int64_t)-(uint64_t)in->A : in->A / in->B;
    return LEAT_OK;
}

static leat_err string(void *self, const struct Args *in, struct Text *out)
{
    char text[80];
    (void)self;
    int n = snprintf(text, sizeof text, "%" PRId64 "+%" PRId64 "=%" PRId64, in->A, in->B, (int64_t)((uint64_t)in->A + (uint64_t)in->B));
    return leat_string_dup(text, (size_t)n, &out->v);
}

static int digit(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : (c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - 'a' + 10 : 99;
}

/* A token of fmt.Sscan as an int, with the texts of strconv.ParseInt: 12, -0x1f, 0b11, 017, 1_000. */
static leat_err scan_number(const char *p, const char *end, int64_t *ret)
{
    const char *token = p;
    bool minus = *p == '-', over = false, prefix = false;
    uint64_t n = 0, base = 10;
    p += *p == '+' || *p == '-';
    if (p == end)
        return leat_fail(LEAT_INVAL, "EOF");
    if (digit(*p) > 9 && *p != '_')
        return leat_fail(LEAT_INVAL, "expected integer");
    if (*p == '0') {
        base = p + 1 == end ? 8 : (p[1] | 32) == 'x' ? 16 : (p[1] | 32) == 'b' ? 2 : 8;
        prefix = base != 8 || (p + 1 < end && (p[1] | 32) == 'o');
        p += 1 + prefix;
    }
    char last = base == 10 ? '_' : '0';              /* _ stands behind a digit, or behind a prefix */
    bool wrong = prefix && (p == end || (*p != '_' && (uint64_t)digit(*p) >= base));
    for (; p < end && (*p == '_' || (uint64_t)digit(*p) < base); last = *p++) {
        if (*p == '_') {
            wrong |= last == '_';
            continue;
        }
        over |= n > (UINT64_MAX - (uint64_t)digit(*p)) / base;
        n = n * base + (uint64_t)digit(*p);
    }
    wrong |= last == '_';
    over |= n > (uint64_t)INT64_MAX + minus;
    *ret = (int64_t)(minus ? -n : n);
    if (!wrong && !over)
        return LEAT_OK;
    return leat_fail(LEAT_INVAL, "strconv.ParseInt: parsing \"%.*s\": %s", (int)(p - token), token,
        over ? "value out of range" : "invalid syntax");
}

static leat_err scan(void *self, const struct Text *in, struct Reply *out)
{
    const char *p = in->v.p, *end = p + in->v.len;
    (void)self;
    while (p < end && (*p == ' ' || (*p >= '\t' && *p <= '\r')))
        p++;
    return p < end ? scan_number(p, end, &out->C) : leat_fail(LEAT_INVAL, "EOF");
}

static leat_err sleep_milli(void *self, const struct Args *in, struct Reply *out)
{
    (void)self, (void)out;
    return leat_sleep(LEAT_MS(in->A));
}

static leat_err map(void *self, const struct Args *in, struct Pairs *out)
{
    (void)self;
    return leat_push(&out->v, (struct Pair){ in->A, in->B });
}

static leat_err slice(void *self, const struct Args *in, struct Ints *out)
{
    (void)self;
    LEAT_TRY(leat_push(&out->v, in->A));
    return leat_push(&out->v, in->B);
}

static leat_err array(void *self, const struct Args *in, struct Two *out)
{
    (void)self;
    out->v[0] = in->A;
    out->v[1] = in->B;
    return LEAT_OK;
}

static leat_err echo(void *self, const struct Bytes *in, struct Bytes *out)
{
    enum { MAX = 64 << 20 };
    (void)self;
    if (in->v.len > MAX)
        return leat_fail(LEAT_LIMIT, "Echo takes at most 64 MiB");
    return leat_bytes_dup(in->v.p, in->v.len, &out->v);
}

static leat_err serve(const char *url)
{
    static const struct Arith_impl arith = { add, mul, div_, string, scan, sleep_milli };
    static const struct Builtin_impl builtin = { map, slice, array, echo };
    leat_auto_node leat_node *node = NULL;
    leat_listener *l;
    LEAT_TRY(leat_node_open(NULL, &node));
    LEAT_TRY(leat_serve(node, Arith, &arith, NULL));
    LEAT_TRY(leat_serve(node, Builtin, &builtin, NULL));
    LEAT_TRY(leat_listen(url, &l));
    fprintf(stderr, "netrpc serves at %s\n", leat_listener_addr(l).url);
    leat_err err = leat_netrpc_serve(node, l);
    leat_listener_close(l);
    return err;
}

static leat_err call(const char *type, const char *url, const char *method, const char *json)
{
    leat_netrpc *c;
    leat_string reply = { 0 };
    LEAT_TRY(leat_netrpc_dial(url, &c));
    leat_err err = leat_netrpc_call_json_as(c, method, type, json, &reply);
    if (err == LEAT_OK)
        printf("%.*s\n", (int)reply.len, reply.p);
    leat_drop(Text, &((struct Text){ .v = reply }));
    leat_netrpc_close(c);
    return err;
}

struct args { int argc; char **argv; };

static leat_err start(struct args *a)
{
    char **v = a->argv + a->argc - 3;                /* URL METHOD JSON */
    return a->argc == 3 ? serve(a->argv[2]) : call(a->argc == 7 ? a->argv[3] : NULL, v[0], v[1], v[2]);
}

int main(int argc, char **argv)
{
    bool serves = argc == 3 && strcmp(argv[1], "serve") == 0, calls = argc >= 5 && strcmp(argv[1], "call") == 0;
    calls &= argc == 5 ? strncmp(argv[2], "--", 2) != 0 : argc == 7 && strcmp(argv[2], "--arg-type") == 0;
    if (!serves && !calls)
        return fputs("usage: netrpc serve URL | netrpc call [--arg-type TYPE] URL METHOD JSON\n"
                     "       netrpc call tcp://127.0.0.1:1234 Arith.Add '{\"A\":7,\"B\":8}'\n"
                     "       netrpc call --arg-type 'map[string]int' tcp://127.0.0.1:1234 Counts.Set '{\"a\":7}'\n", stderr), 2;
    leat_err err = leat_run(NULL, start, (struct args){ argc, argv });
    if (err != LEAT_OK)
        fprintf(stderr, "netrpc: %s: %s\n", leat_err_name(err), leat_err_detail());
    if (fflush(stdout) != 0)
        return fputs("netrpc: cannot write to standard output: is the disk full?\n", stderr), 1;
    return err == LEAT_OK ? 0 : 1;
}
