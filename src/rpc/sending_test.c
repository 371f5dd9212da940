/* sending_test.c - what becomes of the task that stands for a remote one while leat_go_on still sends: its group is cancelled, or its
 * session ends.
 *
 * leat_go_on is held where it waits until the peer takes one more, and then, behind the start of the stand-in, at the lock of a channel
 * whose end is in the argument. */
#include "pair.h"
#include "chan/chan.h"
#include "rpc/calls.h"

LEAT_STRUCT(num, (uint64, n));
LEAT_STRUCT(send_end, (tx(num), out));
LEAT_SERVICE(slow, (stay, num, num));

static _Atomic uint32_t inside, may_end, task_ran, task_ended;

static leat_err stay(void *self, const struct num *in, struct num *out)
{
    (void)self;
    out->n = in->n;
    at_store(&inside, 1);
    while (!at_load(&may_end)) {
        leat_ignore(leat_sleep(LEAT_MS(1)));         /* it lets others have their turns, also when it is cancelled */
        leat_yield();
    }
    return LEAT_OK;
}
static const struct slow_impl slow = { stay };

/* Until it is told to stop. */
static leat_err until_told(struct send_end *in)
{
    (void)in;
    atomic_fetch_add(&task_ran, 1);
    leat_err err = leat_sleep(LEAT_S(30));
    atomic_fetch_add(&task_ended, 1);
    return err;
}

struct caller { leat_peer *p; leat_err err; };
static leat_err caller(struct caller **c)
{
    struct num out;
    (*c)->err = leat_call((*c)->p, slow, stay, &(struct num){ 1 }, &out);
    return LEAT_OK;
}

/* One that starts a task there: err is leat_go_on's, of_group what the group of the task says. */
struct starter { leat_peer *p; leat_tx(struct num) out; leat_group *_Atomic g; _Atomic bool sent; leat_err err, of_group; };
static leat_err starter(struct starter **arg)
{
    struct starter *s = *arg;
    leat_with_group(g, s->of_group) {
        at_store(&s->g, &g);
        s->err = leat_go_on(&g, s->p, until_told, send_end, { s->out });
        at_store(&s->sent, true);
    }
    return LEAT_OK;
}

static struct call *of_a_task(struct calls *t)
{
    lock(&t->lock);
    struct call *x = NULL;
    for (uint64_t id = 0; !x && id <= 2 * t->made + 1; id++) {
        x = (struct call *)(void *)slots_find(&t->calls, id);
        x = x && !x->out ? x : NULL;
    }
    unlock(&t->lock);
    return x;
}

struct held { struct pair x; struct calls *t; struct sess_limits *l; uint32_t opens; struct caller first; struct starter s;
    leat_chan(struct num) c; };

/* As many as the peer takes are under way: one, and the next waits. */
static void hold(struct held *h, leat_group *g)
{
    struct caller *first = &h->first;
    struct starter *s = &h->s;
    at_store(&inside, 0), at_store(&may_end, 0), at_store(&task_ran, 0), at_store(&task_ended, 0);
    h->x = pair_open();
    CHECK_EQ(leat_serve(h->x.a, slow, &slow, NULL), LEAT_OK);
    CHECK_EQ(leat_expose(h->x.a, until_told, send_end), LEAT_OK);
    h->t = calls_of(sess_of(h->x.p));
    h->l = (struct sess_limits *)(uintptr_t)sess_limits(sess_of(h->x.p));
    h->opens = h->l->opens;
    h->l->opens = 1;
    h->first = (struct caller){ .p = h->x.p };
    CHECK_EQ(leat_go(g, caller, first), LEAT_OK);
    while (!at_load(&inside) && leat_ctx_err() == LEAT_OK)
        leat_yield();
    h->c = leat_chan_make(struct num, 1);
    h->s = (struct starter){ .p = h->x.p, .out = leat_ref(leat_tx_of(h->c)) };
    CHECK_EQ(leat_go(g, starter, s), LEAT_OK);
    while (!at_load(&h->t->room.head) && leat_ctx_err() == LEAT_OK)
        leat_yield();
    CHECK(at_load(&h->t->room.head) != NULL);
}

/* The peer takes more, and the stand-in is started; but the argument cannot be packed. */
static struct call *hold_on(struct held *h)
{
    struct call *x;
    lock(&((leat_chan_ *)(void *)h->c)->lock);
    lock(&h->t->lock);
    h->l->opens = h->opens;
    calls_wake(&h->t->room);
    unlock(&h->t->lock);
    while (!(x = of_a_task(h->t)) && leat_ctx_err() == LEAT_OK)
        leat_yield();
    CHECK(x != NULL);
    while (!at_load(&x->waiters.head) && leat_ctx_err() == LEAT_OK)  /* the stand-in has begun */
        leat_yield();
    CHECK(at_load(&x->waiters.head) != NULL && x->sending && !at_load(&h->s.sent));
    return x;
}

static void let_on(struct held *h) { unlock(&((leat_chan_ *)(void *)h->c)->lock); }

/* Many turns, with one worker of the runtime: whoever can go on has done so. */
static void others_go(void)
{
    for (int i = 0; i < 300; i++)
        leat_yield();
}

/* Whoever else can go on does so before the start is sent, and nothing is held after it. */
static void goes_on(struct held *h)
{
    others_go();
    let_on(h);
    while (!at_load(&h->s.sent) && leat_ctx_err() == LEAT_OK)
        leat_yield();
    at_store(&may_end, 1);
}

/* -- its group is cancelled: whatever goes to the peer goes behind the OPEN ---------------------------------------------------------- */
static leat_err cancelled(leat_none *none)
{
    struct held h;
    struct num out;
    leat_err all;
    (void)none;
    leat_with_deadline(LEAT_S(40)) {
        leat_with_group(g, all) {
            hold(&h, &g);
            (void)hold_on(&h);
            leat_group_cancel(at_load(&h.s.g));
            goes_on(&h);
        }
        CHECK_EQ(all, LEAT_OK);
        CHECK_EQ(h.s.of_group, LEAT_CANCELED);
        CHECK_EQ(leat_call(h.x.p, slow, stay, &(struct num){ 1 }, &out), LEAT_OK);   /* what came before has begun, if it ever will */
        CHECK_EQ(at_load(&task_ended), at_load(&task_ran));          /* and has ended, as its group has */
    }
    leat_unref(h.c);
    pair_close(&h.x);
    return LEAT_OK;
}

/* -- its session ends: leat_go_on has the error, and the group has none -------------------------------------------------------------- */
static leat_err lost(leat_none *none)
{
    struct held h;
    leat_err all;
    (void)none;
    leat_with_deadline(LEAT_S(40)) {
        leat_with_group(g, all) {
            hold(&h, &g);
            (void)hold_on(&h);
            sess_break(sess_of(h.x.p), LEAT_SYS, "the test ends it");
            while (slots_any(&h.t->calls) && leat_ctx_err() == LEAT_OK)              /* they are told */
                leat_yield();
            goes_on(&h);
        }
        CHECK_EQ(all, LEAT_OK);
    }
    CHECK_EQ(h.first.err, LEAT_UNKNOWN);
    CHECK_EQ(h.s.err, LEAT_PEER_LOST);               /* it was not sent, and its argument is still the caller's */
    CHECK_EQ(h.s.of_group, LEAT_OK);
    CHECK_EQ(at_load(&task_ran), 0);
    leat_unref(h.s.out);
    leat_unref(h.c);
    pair_close(&h.x);
    return LEAT_OK;
}

static const leat_opts one_worker = { .log = pair_quiet, .workers = 1 };
#define ALONE(p, fn) do { at(p); CHECK_EQ(leat_run(&one_worker, fn, LEAT_NONE), LEAT_OK); } while (0)
#define ALONE_ANYWHERE(id, fn) \
    TEST(id##_inproc) { ALONE(INPROC, fn); } TEST(id##_unix) { ALONE(UNIX, fn); } TEST(id##_tcp) { ALONE(TCP, fn); }
ALONE_ANYWHERE(a_task_that_is_cancelled_while_it_is_sent_is_told_behind_its_start, cancelled)
ALONE_ANYWHERE(a_task_whose_session_ends_while_it_is_sent_is_the_error_of_its_start_alone, lost)

T_MAIN()
