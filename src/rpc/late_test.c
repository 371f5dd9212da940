/* late_test.c - calls and remote tasks that are given up before their OPEN was written: they have not run, and their caller knows. */
#include "mute.h"
#include "relay.h"
#include "run/sched.h"
#include "sess/impl.h"

LEAT_STRUCT(num, (uint64, n));
LEAT_STRUCT(big, (bytes, b));
LEAT_SERVICE(work, (count, num, num), (swallow, big, num), (look, num, num));

/* The last pieces of these are large too: who sees so many bytes queued sees all of them. */
enum { LARGE = 100 << 10, MUCH = 416000, DOWN_FOR_MS = 200 };
static _Atomic uint32_t ran;
static _Atomic int64_t its_deadline, its_start;      /* of what has looked last */
static uint8_t large[LARGE];

static leat_err count(void *self, const struct num *in, struct num *out)
{
    (void)self;
    (void)in;
    (void)out;
    atomic_fetch_add(&ran, 1);
    return LEAT_OK;
}
static leat_err swallow(void *self, const struct big *in, struct num *out)
{
    (void)self;
    out->n = in->b.len;
    atomic_fetch_add(&ran, 1);
    return LEAT_OK;
}
static leat_err look_around(void)
{
    at_store(&its_start, leat_now().ns);
    at_store(&its_deadline, at_load(&task_self()->deadline));
    atomic_fetch_add(&ran, 1);
    return LEAT_OK;
}
static leat_err look(void *self, const struct num *in, struct num *out)
{
    (void)self;
    (void)in;
    (void)out;
    return look_around();
}
static leat_err look_task(struct num *in)
{
    (void)in;
    return look_around();
}
static const struct work_impl impl = { .count = count, .swallow = swallow, .look = look };
static leat_err task(struct num *in)
{
    (void)in;
    atomic_fetch_add(&ran, 1);
    return LEAT_OK;
}

struct world { leat_node *a, *b; leat_peer *p; struct sess *s; leat_chan(struct big) c; leat_tx(struct big) tx; };

static struct world world_open(void)
{
    struct world x = { .c = leat_chan_make(struct big, 16) };
    CHECK_EQ(leat_node_open(NULL, &x.a), LEAT_OK);
    CHECK_EQ(leat_node_open(NULL, &x.b), LEAT_OK);
    CHECK_EQ(leat_serve(x.a, work, &impl, NULL), LEAT_OK);
    CHECK_EQ(leat_expose(x.a, task, num), LEAT_OK);
    CHECK_EQ(leat_expose(x.a, look_task, num), LEAT_OK);
    CHECK_EQ(leat_export(x.a, "c", leat_tx_of(x.c), big), LEAT_OK);
    CHECK_EQ(leat_node_listen(x.a, url), LEAT_OK);
    relay_heal();
    CHECK_EQ(leat_node_dial(x.b, relay_open(leat_node_url(x.a)), &x.p), LEAT_OK);
    CHECK_EQ(leat_import(x.p, "c", &x.tx, big, 0), LEAT_OK);
    CHECK_EQ(leat_send(x.tx, { .b = { large, 1, 0 } }), LEAT_OK);    /* and with its credit come more */
    CHECK_EQ(leat_flush(x.tx), LEAT_OK);
    x.s = sess_of(x.p);
    return x;
}

static void world_close(struct world *x)
{
    leat_unref(x->tx);
    leat_with_deadline(LEAT_S(1)) {                  /* who was lost without a word is waited for, else */
        leat_node_close(x->b);
        leat_node_close(x->a);
    }
    leat_unref(x->c);
    relay_close();
}

/* Of data: what the session itself has to say comes when it comes, also while the writer stands still. */
static size_t queued(struct sess *s)
{
    lock(&s->out_lock);
    size_t n = s->data.len;
    unlock(&s->out_lock);
    return n;
}

/* -- every way to ask, given up ----------------------------------------------------------------------------------------------------- */
enum way { CALL, LARGE_CALL, TASK, WAYS };

static leat_err ask(leat_peer *p, enum way way)
{
    struct num in = { 1 }, out = { 0 };
    struct big b = { .b = { large, LARGE, 0 } };
    leat_err err = LEAT_OK, sent = LEAT_OK;
    if (way == CALL)
        return leat_call(p, work, count, &in, &out);
    if (way == LARGE_CALL)
        return leat_call(p, work, swallow, &b, &out);
    leat_with_group(g, err)
        sent = leat_go_on(&g, p, task, num, { 1 });
    return sent == LEAT_OK ? err : sent;             /* else the deadline came before it was queued */
}

struct asker { leat_peer *p; enum way way; leat_err err; bool asked; };
static leat_err ask_in_group(struct asker **a)
{
    (*a)->err = ask((*a)->p, (*a)->way);
    return LEAT_OK;
}

static leat_err ask_and_cancel(struct world *x, enum way way)
{
    struct asker a = { .p = x->p, .way = way };
    leat_err err;
    size_t before = queued(x->s);
    leat_with_group(g, err) {
        LEAT_TRY(leat_go(&g, ask_in_group, &a));
        while (queued(x->s) == before)
            leat_yield();
        leat_group_cancel(&g);
    }
    return a.err;
}

static leat_err stalled(leat_none *none)
{
    (void)none;
    struct world x = world_open();
    at_store(&ran, 0);
    mute(x.s, true);
    size_t before = queued(x.s);
    for (int i = 0; i < 20; i++)
        for (enum way way = CALL; way < WAYS; way++) {
            leat_with_deadline(LEAT_MS(1))
                CHECK_EQ(ask(x.p, way), LEAT_DEADLINE);
            CHECK_EQ(ask_and_cancel(&x, way), LEAT_CANCELED);
            CHECK_EQ(queued(x.s), before);           /* it leaves nothing */
        }
    CHECK_EQ(leat_send(x.tx, { .b = { large, 2, 0 } }), LEAT_OK);
    for (enum way way = CALL; way < WAYS; way++) {   /* between what stays */
        struct asker a = { .p = x.p, .way = way };
        leat_err err;
        before = queued(x.s);
        leat_with_group(g, err) {
            LEAT_TRY(leat_go(&g, ask_in_group, &a));
            while (queued(x.s) == before)
                leat_yield();
            CHECK_EQ(leat_send(x.tx, { .b = { large, 3 + (uint32_t)way, 0 } }), LEAT_OK);
            leat_group_cancel(&g);
        }
        CHECK_EQ(a.err, LEAT_CANCELED);
    }
    mute(x.s, false);
    CHECK_EQ(ask(x.p, CALL), LEAT_OK);
    CHECK_EQ(at_load(&ran), 1);
    CHECK_EQ(leat_flush(x.tx), LEAT_OK);
    for (uint32_t i = 1; i <= 5; i++) {
        struct big v;
        CHECK_EQ(leat_recv(x.c, &v), LEAT_OK);
        CHECK_EQ(v.b.len, i);
        leat_drop(big, &v);
    }
    world_close(&x);
    return LEAT_OK;
}
ANYWHERE(a_call_that_was_never_written_is_the_errors_of_its_context_and_leaves_nothing, stalled)

static leat_err broken_meanwhile(leat_none *none)
{
    (void)none;
    struct world x = world_open();
    at_store(&ran, 0);
    for (enum way way = CALL; way < WAYS; way++) {
        struct asker a = { .p = x.p, .way = way };
        leat_err err;
        mute(x.s, true);
        size_t before = queued(x.s);
        leat_with_group(g, err) {
            LEAT_TRY(leat_go(&g, ask_in_group, &a));
            while (queued(x.s) == before)
                leat_yield();
            relay_cut();
            while (!sess_is_down(x.s))
                leat_yield();
            leat_group_cancel(&g);
        }
        CHECK_EQ(a.err, LEAT_CANCELED);
        CHECK_EQ(queued(x.s), before);
        relay_heal();
        CHECK_EQ(ask(x.p, CALL), LEAT_OK);
        CHECK_EQ(at_load(&ran), way + 1);
    }
    world_close(&x);
    return LEAT_OK;
}
ANYWHERE(a_call_whose_link_broke_before_it_was_written_has_not_run, broken_meanwhile)

static leat_err lost_meanwhile(leat_none *none)
{
    (void)none;
    for (enum way way = CALL; way < WAYS; way++) {
        struct world x = world_open();
        struct asker a = { .p = x.p, .way = way };
        leat_err err;
        at_store(&ran, 0);
        mute(x.s, true);
        size_t before = queued(x.s);
        leat_with_group(g, err) {
            LEAT_TRY(leat_go(&g, ask_in_group, &a));
            while (queued(x.s) == before)
                leat_yield();
            sess_break(x.s, LEAT_CANCELED, "the test wants it so");
        }
        CHECK_EQ(a.err, LEAT_PEER_LOST);             /* certain, so not UNKNOWN */
        CHECK_EQ(at_load(&ran), 0);
        leat_doubt d;
        leat_ignore(leat_node_flush(x.b, &d));
        CHECK_EQ(d.calls, 0);
        world_close(&x);
    }
    return LEAT_OK;
}
ANYWHERE(a_call_whose_session_ends_before_it_was_written_has_not_run, lost_meanwhile)

/* -- behind what is being written --------------------------------------------------------------------------------------------------- */
struct filler { leat_peer *p; };
static leat_err fill(struct filler *f)
{
    static uint8_t much[MUCH];
    struct big b = { .b = { much, MUCH, 0 } };
    struct num out;
    CHECK_EQ(leat_call(f->p, work, swallow, &b, &out), LEAT_OK);
    CHECK_EQ(out.n, MUCH);
    return LEAT_OK;
}

static leat_err in_the_middle(leat_none *none)
{
    (void)none;
    struct world x = world_open();
    leat_err err;
    at_store(&ran, 0);
    for (enum way way = CALL; way < WAYS; way++) {
        struct asker a = { .p = x.p, .way = way };
        mute(x.s, true);
        leat_with_group(filling, err) {
            LEAT_TRY(leat_go(&filling, fill, (struct filler){ x.p }));
            while (queued(x.s) < MUCH)
                leat_yield();
            size_t before = queued(x.s);
            leat_with_group(g, err) {
                LEAT_TRY(leat_go(&g, ask_in_group, &a));
                while (queued(x.s) <= before + (way == LARGE_CALL ? LARGE : 0))
                    leat_yield();
                at_store(&relay.held, 1);
                mute(x.s, false);
                while (queued(x.s))                  /* the writer has taken all of it, and stands still at its beginning */
                    leat_yield();
                leat_group_cancel(&g);
            }
            CHECK_EQ(a.err, LEAT_CANCELED);
            at_store(&relay.held, 0);
        }
        CHECK_EQ(err, LEAT_OK);
        CHECK_EQ(ask(x.p, CALL), LEAT_OK);
        CHECK_EQ(at_load(&ran), 2 * (way + 1));
    }
    world_close(&x);
    return LEAT_OK;
}
/* Not over tcp, which takes any of that at once. */
#define NEAR(id, fn) TEST(id##_inproc) { AT(INPROC, fn); } TEST(id##_unix) { AT(UNIX, fn); }
NEAR(a_call_behind_much_that_is_being_written_is_taken_back, in_the_middle)

/* -- written, and written again on a later link ---------------------------------------------------------------------------------------- */
struct looker { leat_peer *p; bool by_task; int64_t deadline; leat_err err; };
static leat_err ask_to_look(struct looker **to)
{
    struct looker *l = *to;
    struct num in = { 1 }, out;
    leat_err went = LEAT_OK;
    leat_with_deadline(LEAT_S(1000)) {
        l->deadline = at_load(&task_self()->deadline);
        if (!l->by_task)
            l->err = leat_call(l->p, work, look, &in, &out);
        else
            leat_with_group(g, l->err)
                went = leat_go_on(&g, l->p, look_task, num, { 1 });
    }
    CHECK_EQ(went, LEAT_OK);
    return LEAT_OK;
}

/* Both nodes have one clock: what goes by before the link is there again is not told as time that is left. */
static leat_err written_again(leat_none *none)
{
    (void)none;
    struct world x = world_open();
    at_store(&ran, 0);
    for (uint32_t i = 0; i < 2; i++) {
        struct looker l = { .p = x.p, .by_task = i == 1 }, *at = &l;
        uint64_t before = at_load(&x.s->sent);
        int64_t healed = 0;
        leat_err err;
        at_store(&relay.held, 1);
        leat_with_group(g, err) {
            LEAT_TRY(leat_go(&g, ask_to_look, at));
            while (at_load(&x.s->sent) == before)    /* it is written, and does not arrive */
                leat_yield();
            relay_cut();
            at_store(&relay.held, 0);
            while (!sess_is_down(x.s))
                leat_yield();
            LEAT_TRY(leat_sleep(LEAT_MS(DOWN_FOR_MS)));
            healed = leat_now().ns;
            relay_heal();
        }
        CHECK_EQ(l.err, LEAT_OK);
        CHECK_EQ(at_load(&ran), i + 1);
        CHECK(at_load(&its_deadline) >= l.deadline);
        CHECK(at_load(&its_deadline) - l.deadline <= at_load(&its_start) - healed);
    }
    world_close(&x);
    return LEAT_OK;
}
ANYWHERE(a_call_that_is_written_again_says_what_remains_now, written_again)

T_MAIN()
