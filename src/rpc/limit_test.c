/* limit_test.c - in which order those are served that wait for a limit: as they came, and of one peer that is as they were sent. */
#include "peer.h"
#include "run/sched.h"
#include "type/desc.h"

enum { MANY = 60 };
LEAT_STRUCT(num, (uint64, n));
LEAT_SERVICE(books, (note, num, num));
LEAT_SERVICE(bell, (ring, num, num));

static uint64_t order[4 * MANY];                     /* what ran, in turn: one at a time does */
static _Atomic uint32_t ran, gate;

/* The first one waits until all others are there. */
static leat_err noted(uint64_t n)
{
    uint32_t i = atomic_fetch_add(&ran, 1);
    for (int ms = 0; i == 0 && !at_load(&gate); ms++) {
        CHECK(ms < 60000);
        LEAT_TRY(leat_sleep(LEAT_MS(1)));
    }
    order[i] = n;
    return LEAT_OK;
}

static leat_err note_task(struct num *in) { return noted(in->n); }
static leat_err books_note(void *self, const struct num *in, struct num *out)
{
    (void)self;
    (void)out;
    return noted(in->n);
}
static leat_err bell_ring(void *self, const struct num *in, struct num *out)
{
    (void)self;
    *out = *in;
    return LEAT_OK;
}
static const struct books_impl books = { books_note };
static const struct bell_impl bell = { bell_ring };

/* What was sent to p before has come there: frames keep their order. */
static void ring(leat_peer *p)
{
    struct num out = { 0 };
    CHECK_EQ(leat_call(p, bell, ring, &(struct num){ 1 }, &out), LEAT_OK);
}

static void ran_in_order(uint32_t n)
{
    CHECK_EQ(at_load(&ran), n);
    for (uint32_t i = 0; i < n; i++)
        CHECK_EQ(order[i], i);
}

static struct pair served(const char *service, leat_call_limits of_service, leat_call_limits of_peer)
{
    struct pair x = { NULL, NULL, NULL };
    CHECK_EQ(leat_node_open(&(leat_node_opts){ .name = "node a" }, &x.a), LEAT_OK);
    CHECK_EQ(leat_node_open(&(leat_node_opts){ .name = "node b" }, &x.b), LEAT_OK);
    CHECK_EQ(leat_serve(x.a, books, &books, NULL), LEAT_OK);
    CHECK_EQ(leat_serve(x.a, bell, &bell, NULL), LEAT_OK);
    CHECK_EQ(leat_expose(x.a, note_task, num), LEAT_OK);
    if (of_service.running)
        CHECK_EQ(leat_limit_service(x.a, service, of_service), LEAT_OK);
    if (of_peer.running)
        CHECK_EQ(leat_limit_peers(x.a, of_peer), LEAT_OK);
    CHECK_EQ(leat_node_listen(x.a, url), LEAT_OK);
    CHECK_EQ(leat_node_dial(x.b, leat_node_url(x.a), &x.p), LEAT_OK);
    return x;
}

static const leat_call_limits none_at_all = { 0, 0 }, one = { 1, 2 * MANY }, few = { 3, 2 * MANY };

/* -- one peer ---------------------------------------------------------------------------------------------------------------------- */
static leat_err from_one(struct pair x)
{
    leat_err err;
    leat_with_group(g, err) {
        for (uint64_t i = 0; i < MANY; i++)
            CHECK_EQ(leat_go_on(&g, x.p, note_task, num, { i }), LEAT_OK);
        at_store(&gate, 1);
    }
    CHECK_EQ(err, LEAT_OK);
    ran_in_order(MANY);
    pair_close(&x);
    return LEAT_OK;
}
static leat_err of_service(leat_none *n) { (void)n; return from_one(served("note_task", one, none_at_all)); }
static leat_err of_peer(leat_none *n) { (void)n; return from_one(served("", none_at_all, one)); }
static leat_err of_both(leat_none *n) { (void)n; return from_one(served("note_task", one, few)); }
ANYWHERE(tasks_of_a_function_run_in_the_order_in_which_a_peer_started_them, of_service)
ANYWHERE(tasks_of_a_peer_run_in_the_order_in_which_it_started_them, of_peer)
ANYWHERE(who_waits_for_two_limits_one_after_the_other_keeps_its_order, of_both)

static void put_open(struct peer *p, uint64_t id, uint64_t n)
{
    struct buf b = { 0 };
    struct type_print t;
    CHECK_EQ(type_print(&num_type, &t), LEAT_OK);
    buf_varint(&b, id);
    buf_u8(&b, 0);
    buf_text(&b, "books.note", 10);
    buf_u64(&b, UINT64_MAX);
    buf_put(&b, t.b, 16);
    buf_put(&b, t.b, 16);
    buf_varint(&b, 8);
    buf_u64(&b, n);
    peer_send(p, FRAME_OPEN, 0, &b);
    buf_free(&b);
}

static leat_err calls(leat_none *none)
{
    static struct peer p;
    struct pair x = served("books", one, few);
    (void)none;
    leat_with_deadline(LEAT_S(50)) {
        peer_dial(&p, leat_node_url(x.a), 9);
        for (uint64_t i = 0; i < MANY; i++)
            put_open(&p, 2 * i + 3, i);
        at_store(&gate, 1);
        for (uint64_t i = 0; i < MANY; i++) {
            struct peer_frame f = peer_expect(&p, FRAME_RESULT);
            cur_varint(&f.in);
            CHECK_EQ(cur_u8(&f.in), LEAT_OK);
        }
        peer_hang_up(&p);
    }
    ran_in_order(MANY);
    pair_close(&x);
    return LEAT_OK;
}
ANYWHERE(calls_run_in_the_order_in_which_their_opens_came, calls)

/* -- several ----------------------------------------------------------------------------------------------------------------------- */
static leat_err two_peers(leat_none *none)
{
    struct pair x = served("note_task", one, few);
    leat_peer *p[2] = { x.p, NULL };
    leat_err err;
    (void)none;
    CHECK_EQ(leat_node_dial(x.b, leat_node_url(x.a), &p[1]), LEAT_OK);
    leat_with_group(g, err) {
        for (uint64_t i = 0; i < 6; i++) {           /* no more than a peer may have: then none waits for that */
            CHECK_EQ(leat_go_on(&g, p[i % 2], note_task, num, { i }), LEAT_OK);
            if (i < 4)                               /* a bell of theirs would wait behind three */
                ring(p[i % 2]);
        }
        at_store(&gate, 1);
    }
    CHECK_EQ(err, LEAT_OK);
    CHECK_EQ(at_load(&ran), 6);
    for (uint32_t i = 0; i < 4; i++)
        CHECK_EQ(order[i], i);
    CHECK_EQ(order[4] + order[5], 9);                /* of these two nobody knows which came first */
    pair_close(&x);
    return LEAT_OK;
}
ANYWHERE(a_service_takes_the_calls_of_several_peers_as_they_come, two_peers)

/* -- who gives up ------------------------------------------------------------------------------------------------------------------ */
static leat_err gives_up(leat_none *none)
{
    struct pair x = served("note_task", (leat_call_limits){ 1, 9 }, none_at_all);
    leat_err err, one_of_them;
    (void)none;
    leat_with_group(g, err) {
        for (uint64_t i = 0; i < 5; i++)
            CHECK_EQ(leat_go_on(&g, x.p, note_task, num, { i }), LEAT_OK);
        leat_with_group(h, one_of_them) {
            CHECK_EQ(leat_go_on(&h, x.p, note_task, num, { 99 }), LEAT_OK);
            for (uint64_t i = 5; i < 9; i++)
                CHECK_EQ(leat_go_on(&g, x.p, note_task, num, { i }), LEAT_OK);
            ring(x.p);
            leat_group_cancel(&h);
        }
        CHECK_EQ(one_of_them, LEAT_CANCELED);
        CHECK_EQ(leat_go_on(&g, x.p, note_task, num, { 9 }), LEAT_OK);           /* there is room for one again */
        leat_with_group(h, one_of_them)
            CHECK_EQ(leat_go_on(&h, x.p, note_task, num, { 98 }), LEAT_OK);      /* and for no more */
        CHECK_EQ(one_of_them, LEAT_LIMIT);
        CHECK_HAS(leat_err_detail(), "1 run and 9 wait already");
        at_store(&gate, 1);
    }
    CHECK_EQ(err, LEAT_OK);
    ran_in_order(10);
    pair_close(&x);
    return LEAT_OK;
}
ANYWHERE(who_gives_up_leaves_its_place_and_the_others_keep_theirs, gives_up)

/* -- whose caller has gone ------------------------------------------------------------------------------------------------------- */
LEAT_SERVICE(inn, (stay, num, num));
static _Atomic uint32_t inside, told;

/* Learns of the cancel, and stays until the gate opens. */
static leat_err inn_stay(void *self, const struct num *in, struct num *out)
{
    leat_err err = LEAT_OK;
    (void)self;
    *out = *in;
    if (in->n == 0)
        return LEAT_OK;
    atomic_fetch_add(&inside, 1);
    for (int ms = 0; leat_ctx_err() == LEAT_OK; ms++) {
        CHECK(ms < 60000);
        leat_ignore(leat_sleep(LEAT_MS(1)));
    }
    CHECK_EQ(leat_ctx_err(), LEAT_CANCELED);
    at_store(&told, 1);
    leat_with_shield(LEAT_S(60))
        while (!at_load(&gate) && err == LEAT_OK)
            err = leat_sleep(LEAT_MS(1));
    return err;
}
static const struct inn_impl inn = { inn_stay };

static void is_there(_Atomic uint32_t *what)
{
    for (int ms = 0; !at_load(what); ms++) {
        CHECK(ms < 60000);
        CHECK_EQ(leat_sleep(LEAT_MS(1)), LEAT_OK);
    }
}

static leat_err keeps_slot(leat_call_limits of_service, leat_call_limits of_peer)
{
    struct pair x = served("inn", of_service, of_peer);
    struct num out = { 0 };
    leat_err err;
    CHECK_EQ(leat_serve(x.a, inn, &inn, NULL), LEAT_OK);
    leat_rx(struct num_reply) reply = NULL;
    struct num_reply r;
    leat_with_group(g, err) {
        CHECK_EQ(leat_call_async(&g, x.p, inn, stay, &(struct num){ 1 }, &reply), LEAT_OK);
        is_there(&inside);
        leat_group_cancel(&g);
    }
    CHECK_EQ(leat_recv(reply, &r), LEAT_OK);
    CHECK_EQ(r.reply.err, LEAT_UNKNOWN);             /* for the caller it is over */
    leat_drop(num_reply, &r);
    leat_unref(reply);
    is_there(&told);
    CHECK_EQ(leat_call(x.p, inn, stay, &(struct num){ 0 }, &out), LEAT_LIMIT);           /* its place is still taken */
    at_store(&gate, 1);
    leat_with_deadline(LEAT_S(50))
        do {
            err = leat_call(x.p, inn, stay, &(struct num){ 0 }, &out);
        } while (err == LEAT_LIMIT && leat_sleep(LEAT_MS(1)) == LEAT_OK);
    CHECK_EQ(err, LEAT_OK);
    pair_close(&x);
    return LEAT_OK;
}
static leat_err slot_of_service(leat_none *n) { (void)n; return keeps_slot((leat_call_limits){ 1, 0 }, none_at_all); }
static leat_err slot_of_peer(leat_none *n) { (void)n; return keeps_slot(none_at_all, (leat_call_limits){ 1, 0 }); }
ANYWHERE(a_method_that_was_cancelled_keeps_its_place_at_a_service_until_it_returns, slot_of_service)
ANYWHERE(a_method_that_was_cancelled_keeps_its_place_of_a_peer_until_it_returns, slot_of_peer)

/* -- no task for it ----------------------------------------------------------------------------------------------------------------- */
static leat_err sit(leat_rx(struct num) *in)
{
    struct num v;
    return leat_recv(*in, &v) == LEAT_CLOSED ? LEAT_OK : LEAT_INVAL;
}

/* What cannot be started has no place in the limit any more. */
static leat_err no_task(leat_none *none)
{
    struct pair x = served("bell", (leat_call_limits){ 1, 0 }, (leat_call_limits){ 1, 0 });
    leat_chan(struct num) c = leat_chan_make(struct num, 0);
    struct num out;
    leat_err err, e;
    (void)none;
    ring(x.p);
    leat_with_group(g, err) {
        for (int refused = 0; refused < 3; refused += e == LEAT_LIMIT) {
            while ((e = leat_go(&g, sit, leat_rx_of(c))) == LEAT_OK)
                ;                                    /* again, as one that ran for a node may have ended */
            CHECK_EQ(e, LEAT_LIMIT);
            e = leat_call(x.p, bell, ring, &(struct num){ 1 }, &out);
            CHECK(e == LEAT_OK || e == LEAT_LIMIT);
            if (e == LEAT_LIMIT)
                CHECK_HAS(leat_err_detail(), "tasks");
        }
        leat_close(c);
    }
    CHECK_EQ(err, LEAT_OK);
    ring(x.p);
    leat_unref(c);
    pair_close(&x);
    return LEAT_OK;
}

static void with_few_tasks(enum place p)
{
    leat_opts o = quiet_opts;
    o.max_tasks = 200;
    o.workers = 1;                                   /* another one would keep the records of what it ended */
    at(p);
    CHECK_EQ(leat_run(&o, no_task, LEAT_NONE), LEAT_OK);
}
TEST(what_finds_no_task_takes_no_place_in_a_limit_inproc) { with_few_tasks(INPROC); }
TEST(what_finds_no_task_takes_no_place_in_a_limit_unix) { with_few_tasks(UNIX); }
TEST(what_finds_no_task_takes_no_place_in_a_limit_tcp) { with_few_tasks(TCP); }

T_MAIN()
