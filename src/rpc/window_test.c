/* window_test.c - who asks does not send more than the peer takes: so many calls under way, and so many bytes of their arguments. */
#include "pair.h"
#include "rpc/calls.h"

LEAT_STRUCT(num, (uint64, n));
LEAT_SERVICE(slow, (wait, num, num));

enum { TWO = 2, BYTES = 8 };                         /* of a struct num */
static _Atomic int inside, may_end;

static leat_err wait_on(void *self, const struct num *in, struct num *out)
{
    leat_err err = LEAT_OK;
    (void)self;
    out->n = in->n;
    int mine = atomic_fetch_add(&inside, 1);
    while (at_load(&may_end) <= mine && err == LEAT_OK)
        err = leat_sleep(LEAT_MS(1));
    return err;
}
static const struct slow_impl slow = { .wait = wait_on };

struct asking { leat_peer *p; leat_err err; };
static leat_err ask(struct asking **arg)
{
    struct num out;
    const struct num in = { 1 };
    (*arg)->err = leat_call((*arg)->p, slow, wait, &in, &out);
    return LEAT_OK;
}

/* t->room: somebody waits to open; how many are open. */
static bool waits(struct calls *t, uint32_t *opens)
{
    lock(&t->lock);
    bool some = at_load(&t->room.head) != NULL;
    *opens = t->opens;
    unlock(&t->lock);
    return some;
}

static void window(bool of_bytes)
{
    struct pair x = pair_open();
    struct asking all[TWO + 1];
    struct calls *t = calls_of(sess_of(x.p));
    struct sess_limits *l = (struct sess_limits *)(uintptr_t)sess_limits(sess_of(x.p));
    uint32_t opens;
    leat_err err;
    at_store(&inside, 0);
    at_store(&may_end, 0);
    CHECK_EQ(leat_serve(x.a, slow, &slow, NULL), LEAT_OK);
    if (of_bytes)
        l->open_bytes = TWO * BYTES;
    else
        l->opens = TWO;
    leat_with_deadline(LEAT_S(40)) {
        leat_with_group(g, err) {
            for (int i = 0; i <= TWO; i++) {
                struct asking *one = &all[i];
                *one = (struct asking){ x.p, LEAT_CANCELED };
                CHECK_EQ(leat_go(&g, ask, one), LEAT_OK);
            }
            while (!waits(t, &opens) && leat_ctx_err() == LEAT_OK)
                leat_yield();
            CHECK_EQ(opens, TWO);
            while (at_load(&inside) < TWO && leat_ctx_err() == LEAT_OK)
                leat_yield();
            at_store(&may_end, 1);                   /* one ends, and the third goes */
            while (at_load(&inside) <= TWO && leat_ctx_err() == LEAT_OK)
                leat_yield();
            CHECK(!waits(t, &opens));
            CHECK_EQ(opens, TWO);
            at_store(&may_end, TWO + 1);
        }
        CHECK_EQ(err, LEAT_OK);
    }
    for (int i = 0; i <= TWO; i++)
        CHECK_EQ(all[i].err, LEAT_OK);
    pair_close(&x);
}
static leat_err of_calls(leat_none *none) { (void)none; window(false); return LEAT_OK; }
static leat_err of_bytes(leat_none *none) { (void)none; window(true); return LEAT_OK; }
ANYWHERE(a_call_waits_while_as_many_are_under_way_as_the_peer_takes, of_calls)
ANYWHERE(a_call_waits_while_as_many_bytes_are_under_way_as_the_peer_takes, of_bytes)

T_MAIN()
