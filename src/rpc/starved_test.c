/* starved_test.c - tasks that find no memory for a stack: whoever asked for them hears of it, and nothing of theirs is kept. */
#include "peer.h"
#include "starve.h"
#include "type/codec.h"
#include "type/desc.h"

enum { TRIES = 200 };
LEAT_STRUCT(num, (uint64, n));
LEAT_STRUCT(item, (string, text), (rx(num), in));
LEAT_SERVICE(store, (put, item, num), (twice, num, num));

static leat_err store_put(void *self, const struct item *in, struct num *out)
{
    (void)self;
    (void)in;
    out->n = 1;
    return LEAT_OK;
}
static leat_err store_twice(void *self, const struct num *in, struct num *out)
{
    (void)self;
    out->n = 2 * in->n;
    return LEAT_OK;
}
static const struct store_impl store = { store_put, store_twice };
static leat_err told(struct item *in) { (void)in; return LEAT_OK; }

static struct pair served(void)
{
    struct pair x = pair_open();
    CHECK_EQ(leat_serve(x.a, store, &store, NULL), LEAT_OK);
    CHECK_EQ(leat_expose(x.a, told, item), LEAT_OK);
    return x;
}

static void works_again(struct pair *x)
{
    struct num out = { 0 };
    CHECK_EQ(leat_call(x->p, store, twice, &(struct num){ 4 }, &out), LEAT_OK);
    CHECK_EQ(out.n, 8);
}

/* Calls until it is refused for want of a stack: one more may have been there, of a task of the node that has ended meanwhile. */
static void refused(struct full *f, leat_peer *p, const struct item *in)
{
    struct num out;
    leat_err err = LEAT_OK;
    for (int i = 0; i < TRIES && err == LEAT_OK; i++) {
        fill(f);
        err = leat_call(p, store, put, in, &out);
    }
    CHECK_EQ(err, LEAT_NOMEM);
    CHECK_HAS(leat_err_detail(), "'store.put' has not run: node a has no memory for its stack");
}

/* -- who hears of it ----------------------------------------------------------------------------------------------------------------- */
static leat_err call(leat_none *none)
{
    struct pair x = served();
    struct full f = { .made = 0 };
    leat_err err = LEAT_OK;
    (void)none;
    leat_with_deadline(LEAT_S(50)) {
        leat_chan(struct num) c = leat_chan_make(struct num, 1);
        struct item in = { leat_string_view("a text that is too long to be kept within", 41), leat_ref(leat_rx_of(c)) };
        leat_tx(struct num) to = leat_ref(leat_tx_of(c));
        leat_unref(c);
        refused(&f, x.p, &in);
        leat_unref(in.in);
        for (int i = 0; i < TRIES && err == LEAT_OK; i++)
            err = leat_send(to, { 1 });
        CHECK_EQ(err, LEAT_GONE);                    /* the end in the argument was let go of */
        leat_unref(to);
        empty(&f);
        works_again(&x);
    }
    pair_close(&x);
    return LEAT_OK;
}

/* One runs and one waits: two calls have a place each, and when they have none any more a third finds one. */
static leat_err place_at_a_limit(leat_none *none)
{
    struct pair x = served();
    struct full f = { .made = 0 };
    (void)none;
    CHECK_EQ(leat_limit_service(x.a, "store", (leat_call_limits){ 1, 1 }), LEAT_OK);
    CHECK_EQ(leat_limit_peers(x.a, (leat_call_limits){ 2, 1 }), LEAT_OK);
    leat_with_deadline(LEAT_S(50)) {
        for (int i = 0; i < 4; i++)
            refused(&f, x.p, &(struct item){ .in = NULL });
        empty(&f);
        works_again(&x);
    }
    pair_close(&x);
    return LEAT_OK;
}

static void put_open(struct peer *p, uint64_t id, uint8_t what, const char *name)
{
    struct buf b = { 0 };
    struct type_print in, out = { { 0 } };
    CHECK_EQ(type_print(&item_type, &in), LEAT_OK);
    if (what == 0)
        CHECK_EQ(type_print(&num_type, &out), LEAT_OK);
    buf_varint(&b, id);
    buf_u8(&b, what);
    buf_text(&b, name, strlen(name));
    buf_u64(&b, UINT64_MAX);
    buf_put(&b, in.b, 16);
    buf_put(&b, out.b, 16);
    struct buf v = { .max = 1000 };
    CHECK_EQ(type_encode(&item_type, &(struct item){ leat_string_view("some", 4), NULL }, &v, NULL), LEAT_OK);
    buf_varint(&b, v.len);
    buf_put(&b, v.p, v.len);
    peer_send(p, FRAME_OPEN, 0, &b);
    buf_free(&v);
    buf_free(&b);
}

/* Several at once, calls and tasks, of which some wait for their turn. */
static leat_err several(leat_none *none)
{
    static struct peer p;
    struct pair x = served();
    struct full f = { .made = 0 };
    bool seen[2] = { false };
    (void)none;
    CHECK_EQ(leat_limit_peers(x.a, (leat_call_limits){ 1, 20 }), LEAT_OK);
    leat_with_deadline(LEAT_S(50)) {
        uint64_t id = 3;
        peer_dial(&p, leat_node_url(x.a), 9);
        for (int i = 0; i < TRIES && !(seen[0] && seen[1]); i++) {
            fill(&f);
            for (int n = 0; n < 6; n++, id += 2)
                put_open(&p, id, n % 2, n % 2 ? "told" : "store.put");
            for (int n = 0; n < 6; n++) {
                struct peer_frame r = peer_expect(&p, FRAME_RESULT);
                uint64_t of = cur_varint(&r.in);
                uint8_t err = cur_u8(&r.in), own = cur_u8(&r.in);
                CHECK(err == LEAT_OK || (err == LEAT_NOMEM && !own));
                seen[of / 2 % 2] |= err == LEAT_NOMEM;
            }
        }
        CHECK(seen[0] && seen[1]);
        empty(&f);
        put_open(&p, id, 0, "store.put");
        struct peer_frame r = peer_expect(&p, FRAME_RESULT);
        cur_varint(&r.in);
        CHECK_EQ(cur_u8(&r.in), LEAT_OK);
        peer_hang_up(&p);
        works_again(&x);
    }
    pair_close(&x);
    return LEAT_OK;
}

/* The task of the call has a stack, that of the method, which outlasts the call, has none. */
static leat_err with_a_key(leat_none *none)
{
    struct pair x = served();
    struct full f = { .made = 0 };
    struct num out;
    bool seen = false;
    (void)none;
    leat_with_deadline(LEAT_S(50)) {
        for (uint64_t i = 0; i < TRIES && !seen; i++) {
            fill(&f);
            give_one(&f);
            leat_err err = leat_call_once(x.p, store, twice, &(struct num){ i }, &out, leat_string_view((const char *)&i, sizeof i));
            CHECK(err == LEAT_OK || err == LEAT_NOMEM);
            seen = err == LEAT_NOMEM && strstr(leat_err_detail(), "'store.twice' has not run: no memory for its stack");
            if (!seen)
                continue;
            no_more(false);
            CHECK_EQ(leat_call_once(x.p, store, twice, &(struct num){ i }, &out, leat_string_view((const char *)&i, sizeof i)), LEAT_OK);
            CHECK_EQ(out.n, 2 * i);                  /* the key was not used up */
        }
        CHECK(seen);
        empty(&f);
        works_again(&x);
    }
    pair_close(&x);
    return LEAT_OK;
}

static leat_err future(leat_none *none)
{
    struct pair x = served();
    struct full f = { .made = 0 };
    bool seen = false;
    leat_err all;
    (void)none;
    leat_with_deadline(LEAT_S(50)) leat_with_group(g, all) {
        for (int i = 0; i < TRIES && !seen; i++) {
            struct num_reply r;
            leat_rx(struct num_reply) to;
            fill(&f);
            CHECK_EQ(leat_call_async(&g, x.p, store, twice, &(struct num){ 4 }, &to), LEAT_OK);
            CHECK_EQ(leat_recv(to, &r), LEAT_OK);
            leat_unref(to);
            CHECK(r.reply.err == LEAT_OK || r.reply.err == LEAT_NOMEM);
            seen = strstr(r.reply.detail, "'store.twice' was not called: no memory for a stack");
            leat_drop(num_reply, &r);
        }
        CHECK(seen);
        empty(&f);
    }
    CHECK_EQ(all, LEAT_OK);
    works_again(&x);
    pair_close(&x);
    return LEAT_OK;
}

/* Who stands for the remote task here, or the task there: its group is told. */
static leat_err remote(leat_none *none)
{
    struct pair x = served();
    struct full f = { .made = 0 };
    leat_err err = LEAT_OK;
    (void)none;
    leat_with_deadline(LEAT_S(50)) {
        for (int i = 0; i < TRIES && err == LEAT_OK; i++) {
            fill(&f);
            leat_with_group(g, err)
                CHECK_EQ(leat_go_on(&g, x.p, told, item, { .in = NULL }), LEAT_OK);
        }
        CHECK_EQ(err, LEAT_NOMEM);
        empty(&f);
        works_again(&x);
    }
    pair_close(&x);
    return LEAT_OK;
}

#define HERE_AND_THERE(id, fn) \
    TEST(id##_inproc) { starve_run(INPROC, fn); } TEST(id##_unix) { starve_run(UNIX, fn); } TEST(id##_tcp) { starve_run(TCP, fn); }
HERE_AND_THERE(a_call_that_gets_no_stack_is_answered_and_lets_go_of_its_argument, call)
HERE_AND_THERE(a_call_that_gets_no_stack_gives_back_its_place_at_a_limit, place_at_a_limit)
HERE_AND_THERE(calls_and_tasks_without_a_stack_are_all_answered, several)
HERE_AND_THERE(a_call_with_a_key_that_gets_no_stack_does_not_use_the_key_up, with_a_key)
HERE_AND_THERE(a_future_whose_task_gets_no_stack_is_a_reply, future)
HERE_AND_THERE(a_remote_task_without_a_stack_here_or_there_is_an_error_of_its_group, remote)

T_MAIN()
