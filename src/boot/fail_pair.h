/* fail_pair.h - two nodes, one of which has dialed the other, for what fail.h does.  For tests of boot/. */
#ifndef BOOT_FAIL_PAIR_H
#define BOOT_FAIL_PAIR_H
#include "fail.h"

static const char *url;

struct pair { leat_node *a, *b; leat_peer *p; };     /* b has dialed a */
static leat_err pair_open(struct pair *x)
{
    *x = (struct pair){ NULL, NULL, NULL };
    LEAT_TRY(leat_node_open(&(leat_node_opts){ .name = "node a" }, &x->a));
    LEAT_TRY(leat_node_open(&(leat_node_opts){ .name = "node b" }, &x->b));
    LEAT_TRY(leat_node_listen(x->a, url));
    return leat_node_dial(x->b, leat_node_url(x->a), &x->p);
}
static void pair_close(struct pair *x)
{
    leat_node_close(x->b);
    leat_node_close(x->a);
}
/* What a program does between the opening and the closing of two nodes; both happen whatever comes. */
static leat_err between(leat_err (*fn)(struct pair *x))
{
    struct pair x;
    leat_err e = LEAT_OK;
    leat_with_deadline(LEAT_S(20)) {                 /* nothing here may last: a deadline is a failure of the test */
        e = pair_open(&x);
        if (e == LEAT_OK)
            e = fn(&x);
        pair_close(&x);
        if (leat_ctx_err() != LEAT_OK)
            t_fail(__FILE__, __LINE__, "request %ld refused: it lasts: %s", atomic_load(&refuse_at), leat_err_name(e));
    }
    return e;
}
static const char *place(int i)
{
    static char path[64];
    snprintf(path, sizeof path, "unix:/tmp/leat_fail_test.%d", (int)getpid());
    return i == 0 ? "inproc:a" : i == 1 ? path : "tcp://127.0.0.1:0";
}
#define ANYWHERE(name) \
    static leat_err name##_(leat_none *none) { (void)none; return between(name); } \
    TEST(name##_inproc) { url = place(0); sweep(name##_); } \
    TEST(name##_unix) { url = place(1); sweep(name##_); } \
    TEST(name##_tcp) { url = place(2); sweep(name##_); }
#endif
