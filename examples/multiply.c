/* multiply URL: calls a service of Go's net/rpc, examples/arith: multiply tcp://127.0.0.1:1234, multiply unix:/tmp/arith */
#include <stdio.h>
#include "leat.h"

LEAT_STRUCT(factors, (int64, A), (int64, B));              /* type Args struct { A, B int } */
LEAT_STRUCT(product, (int64, n, .flags = LEAT_BARE));      /* int */
struct args { const char *url; };

static leat_err app(struct args *a)
{
    leat_netrpc *arith;
    struct product p = { 0 };
    leat_err err = LEAT_OK;
    LEAT_TRY(leat_netrpc_dial(a->url, &arith));
    leat_with_deadline(LEAT_S(5))
        err = leat_netrpc_call(arith, "Arith.Multiply", factors, &((struct factors){ 7, 8 }), product, &p);
    leat_netrpc_close(arith);
    if (err == LEAT_OK)
        printf("7 times 8 is %d\n", (int)p.n);
    return err;
}

int main(int argc, char **argv)
{
    if (argc != 2)
        return fprintf(stderr, "usage: multiply URL\n"), 2;
    leat_err err = leat_run(NULL, app, (struct args){ argv[1] });
    if (err != LEAT_OK)
        fprintf(stderr, "multiply: %s: %s\n", leat_err_name(err), leat_err_detail());
    return err != LEAT_OK;
}
