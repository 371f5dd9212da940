/* multiply URL: calls a service of Go's net/rpc, examples/arith: multiply tcp://127.0.0.1:1234, multiply unix:/tmp/arith */
#include <stdio.h>
#include "leat.h"

LEAT_STRUCT(factors, (int64, A), (int64, B));              /* type Args struct { A, B int } */
LEAT_STRUCT(product, (int64, n, .flags = LEAT_BARE));      /* int */

static leat_err app(const char **url)
{
    leat_netrpc *arith;
    struct product p = { 0 };
    leat_err err = LEAT_OK;
    LEAT_TRY(leat_netrpc_dial(*url, &arith));
    leat_with_deadline(LEAT_S(5))
        err = leat_netrpc_call(arith, "Arith.Multiply", factors, &((struct factors){ 7, 8 }), product, &p);
    leat_netrpc_close(arith);
    return err == LEAT_OK && printf("7 times 8 is %d\n", (int)p.n) < 0 ? LEAT_SYS : err;
}
int main(int argc, char **argv)
{
    if (argc != 2)
        return fprintf(stderr, "usage: multiply URL\n"), 2;
    leat_err err = leat_run(NULL, app, (const char *){ argv[1] });
    return err == LEAT_OK ? 0 : (fprintf(stderr, "multiply: %s: %s\n", leat_err_name(err), leat_err_detail()), 1);
}
