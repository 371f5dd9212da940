/* starved_node_test.c - tasks of a node itself that find no memory for a stack (starve.h): the one link, session, offer, deal or call that
 * needed one fails or waits, and all others go on. */
#include "peer.h"
#include "starve.h"
#include "rpc/netrpc.h"
#include "rpc/workers.h"
#include "sess/ends.h"
#include "sess/impl.h"

enum { TRIES = 200, IN = 3 };
LEAT_STRUCT(num, (uint64, n));
LEAT_SERVICE(store, (twice, num, num));

static leat_err store_twice(void *self, const struct num *in, struct num *out)
{
    (void)self;
    out->n = 2 * in->n;
    return LEAT_OK;
}
static const struct store_impl store = { store_twice };

/* As pair_open, but that a asks who is silent soon. */
static struct pair served(void)
{
    struct pair x = { NULL, NULL, NULL };
    CHECK_EQ(leat_node_open(&(leat_node_opts){ .name = "node a", .idle = LEAT_MS(50), .patience = LEAT_S(60) }, &x.a), LEAT_OK);
    CHECK_EQ(leat_node_open(&(leat_node_opts){ .name = "node b", .idle = LEAT_S(60) }, &x.b), LEAT_OK);
    CHECK_EQ(leat_serve(x.a, store, &store, NULL), LEAT_OK);
    CHECK_EQ(leat_node_listen(x.a, url), LEAT_OK);
    CHECK_EQ(leat_node_dial(x.b, leat_node_url(x.a), &x.p), LEAT_OK);
    return x;
}

/* The session that was there before all that. */
static void works_still(struct pair *x)
{
    struct num out = { 0 };
    CHECK_EQ(leat_call(x->p, store, twice, &(struct num){ 4 }, &out), LEAT_OK);
    CHECK_EQ(out.n, 8);
}

/* Until one more task has ended for want of a stack. */
static void wait_starved(int64_t since)
{
    struct rt *rt = task_self()->rt;
    for (int ms = 0; at_load(&rt->starved_last) < since + 2 * rt_stack_wait_ns; ms++) {
        CHECK(ms < 60000);
        CHECK_EQ(leat_sleep(LEAT_MS(1)), LEAT_OK);
    }
}

/* -- listening ----------------------------------------------------------------------------------------------------------------------- */
static leat_err listens(leat_none *none)
{
    struct pair x = served();
    struct full f = { .made = 0 };
    leat_err err = LEAT_OK;
    leat_peer *p;
    (void)none;
    leat_with_deadline(LEAT_S(50)) {
        leat_node *c = NULL;
        for (int i = 0; i < TRIES && err == LEAT_OK; i++) {
            leat_node_close(c);
            CHECK_EQ(leat_node_open(NULL, &c), LEAT_OK);
            fill(&f);
            err = leat_node_listen(c, another_url());
        }
        CHECK_EQ(err, LEAT_NOMEM);
        CHECK_HAS(leat_err_detail(), "no memory for the stack of the task accept_all");
        CHECK(leat_node_url(c) == NULL);
        empty(&f);
        CHECK_EQ(leat_node_listen(c, another_url()), LEAT_OK);       /* where nobody listens any more */
        CHECK_EQ(leat_node_dial(x.b, leat_node_url(c), &p), LEAT_OK);
        works_still(&x);
        leat_node_close(c);
    }
    pair_close(&x);
    return LEAT_OK;
}

/* -- a peer by hand, in a task that has its stack before ----------------------------------------------------------------------------- */
enum said { NOTHING, LIVES, ENDS };
struct stranger {
    leat_group g;
    leat_chan(int) go;                               /* for each: it dials, and says what became of that */
    leat_chan(int) said;
    leat_chan(int) bye;                              /* for each that lives: it hangs up */
    const char *url;
};
static struct peer peer;

/* What a node says to a session that lives and is silent, or not any more. */
static enum said listen_to(void)
{
    for (;;) {
        struct peer_frame f = peer_next(&peer);
        if (f.kind == FRAME_PING)
            return LIVES;
        if (f.kind != FRAME_DEAD)
            continue;
        CHECK_EQ(cur_u8(&f.in), LEAT_NOMEM);
        return ENDS;
    }
}

static leat_err stranger(struct stranger **at)
{
    struct stranger *s = *at;
    int v;
    while (leat_recv(s->go, &v) == LEAT_OK) {
        peer_dial(&peer, s->url, 9 + (uint64_t)v);
        enum said is = listen_to();
        CHECK_EQ(leat_send(s->said, (int)is), LEAT_OK);
        if (is == LIVES)
            CHECK_EQ(leat_recv(s->bye, &v), LEAT_OK);
        peer_hang_up(&peer);
    }
    return LEAT_OK;
}

static void stranger_open(struct stranger *s, const char *at_url)
{
    *s = (struct stranger){ .go = leat_chan_make(int, 0), .said = leat_chan_make(int, 0), .bye = leat_chan_make(int, 0), .url = at_url };
    CHECK_EQ(leat_go(&s->g, stranger, s), LEAT_OK);
    leat_yield();
}

static void stranger_close(struct stranger *s)
{
    leat_close(s->go);
    CHECK_EQ(leat_group_wait(&s->g), LEAT_OK);
    leat_unref(s->go);
    leat_unref(s->said);
    leat_unref(s->bye);
}

/* Who has connected when there was no stack is served when there is. */
static leat_err accepts(leat_none *none)
{
    struct pair x = served();
    struct full f = { .made = 0 };
    struct stranger s;
    int said = NOTHING;
    (void)none;
    leat_with_deadline(LEAT_S(50)) {
        stranger_open(&s, leat_node_url(x.a));
        bool waits = false;
        for (int i = 0; i < TRIES && !waits; i++) {
            fill(&f);
            int64_t began = leat_now().ns;
            CHECK_EQ(leat_send(s.go, i), LEAT_OK);
            while (!waits && leat_try_recv(s.said, &said) == LEAT_AGAIN) {
                waits = at_load(&task_self()->rt->starved_last) > began + 4 * rt_stack_wait_ns;
                CHECK_EQ(leat_sleep(LEAT_MS(1)), LEAT_OK);
            }
            if (!waits && said == LIVES)             /* there were some */
                CHECK_EQ(leat_send(s.bye, 0), LEAT_OK);
        }
        CHECK(waits);
        empty(&f);
        CHECK_EQ(leat_recv(s.said, &said), LEAT_OK);
        CHECK_EQ(said, LIVES);
        CHECK_EQ(leat_send(s.bye, 0), LEAT_OK);
        stranger_close(&s);
        works_still(&x);
    }
    pair_close(&x);
    return LEAT_OK;
}

/* Its reader has a stack, its writer has none. */
static leat_err half_a_session(leat_none *none)
{
    struct pair x = served();
    struct full f = { .made = 0 };
    struct stranger s;
    int said = NOTHING;
    (void)none;
    leat_with_deadline(LEAT_S(50)) {
        stranger_open(&s, leat_node_url(x.a));
        for (int i = 0; i < TRIES && said != ENDS; i++) {
            fill(&f);
            give_one(&f);
            CHECK_EQ(leat_send(s.go, i), LEAT_OK);
            CHECK_EQ(leat_recv(s.said, &said), LEAT_OK);
            if (said == LIVES)
                CHECK_EQ(leat_send(s.bye, 0), LEAT_OK);
        }
        CHECK_EQ(said, ENDS);
        empty(&f);
        CHECK_EQ(leat_send(s.go, TRIES), LEAT_OK);
        CHECK_EQ(leat_recv(s.said, &said), LEAT_OK);
        CHECK_EQ(said, LIVES);
        CHECK_EQ(leat_send(s.bye, 0), LEAT_OK);
        stranger_close(&s);
        works_still(&x);
    }
    pair_close(&x);
    return LEAT_OK;
}

/* -- dialing ------------------------------------------------------------------------------------------------------------------------- */
static _Atomic int dead_heard;

/* Welcomes one after another, and reads until the session ends. */
static leat_err welcomer(struct link_listener **l)
{
    for (;;) {
        struct link *link;
        if (link_accept(*l, &link) != LEAT_OK)
            return LEAT_OK;
        peer_accept_link(&peer, link);
        uint8_t kind = 0;
        while (kind != FRAME_DEAD && kind != FRAME_BYE) {
            struct peer_frame r = peer_next(&peer);
            kind = r.kind;
            if (kind == FRAME_DEAD && cur_u8(&r.in) == LEAT_NOMEM)
                atomic_fetch_add(&dead_heard, 1);
        }
        peer_hang_up(&peer);
    }
}

static leat_err dials(leat_none *none)
{
    struct pair x = served();
    struct full f = { .made = 0 };
    struct link_listener *l;
    int reader = 0, writer = 0;
    leat_group g = { 0 };
    (void)none;
    leat_with_deadline(LEAT_S(50)) {
        CHECK_EQ(link_listen(another_url(), &(struct link_listen_opts){ false }, &l), LEAT_OK);
        CHECK_EQ(leat_go(&g, welcomer, l), LEAT_OK);
        leat_yield();
        for (int i = 0; i < TRIES && !(reader && writer); i++) {
            leat_peer *p;
            fill(&f);
            if (i % 2)
                give_one(&f);
            leat_err err = leat_node_dial(x.b, link_listener_url(l), &p);
            CHECK(err == LEAT_OK || err == LEAT_NOMEM);
            if (err == LEAT_OK) {
                leat_ignore(leat_peer_close(p));
                continue;
            }
            CHECK_HAS(leat_err_detail(), "leat_node_dial: no memory for the stack of the task ");
            reader += strstr(leat_err_detail(), "read_dialed") != NULL;
            writer += strstr(leat_err_detail(), "sess_write") != NULL;
        }
        CHECK(reader && writer);
        link_listener_shutdown(l);
        CHECK_EQ(leat_group_wait(&g), LEAT_OK);
        link_listener_close(l);
        CHECK_EQ(at_load(&dead_heard), reader + writer);             /* and why: no grace is waited for */
        empty(&f);
        works_still(&x);
    }
    pair_close(&x);
    return LEAT_OK;
}

/* -- offers -------------------------------------------------------------------------------------------------------------------------- */
static void offer(uint8_t what, uint64_t number)
{
    struct buf b = { 0 };
    buf_varint(&b, IN);
    buf_u8(&b, what);
    buf_varint(&b, number);
    buf_u64(&b, 10 * number);
    peer_send(&peer, FRAME_ELEM, 0, &b);
    buf_free(&b);
}

static void answered(uint8_t kind, uint64_t number)
{
    struct peer_frame r = peer_expect(&peer, kind);
    CHECK_EQ(cur_varint(&r.in), IN);
    CHECK_EQ(cur_varint(&r.in), number);
}

static void heard(void)
{
    static uint64_t id = 1001;
    peer_heard(&peer, id += 2);
}

/* It waits without a task, and is taken, withdrawn, or over with its channel. */
static leat_err offers(leat_none *none)
{
    struct pair x = served();
    struct full f = { .made = 0 };
    struct num v = { 0 };
    leat_chan(struct num) in = leat_chan_make(struct num, 0);
    (void)none;
    leat_with_deadline(LEAT_S(50)) {
        CHECK_EQ(leat_export(x.a, "in", leat_tx_of(in), num), LEAT_OK);
        peer_dial(&peer, leat_node_url(x.a), 9);
        CHECK_EQ(peer_attach(&peer, IN, &num_type, "in", true), 0);
        fill(&f);
        int64_t began = leat_now().ns;
        offer(ELEM_FIRM, 1);
        heard();
        wait_starved(began);
        CHECK_EQ(leat_recv(in, &v), LEAT_OK);
        CHECK_EQ(v.n, 10);
        answered(FRAME_TAKEN, 1);
        offer(ELEM_FIRM, 2);
        heard();
        PEER_SAY(&peer, FRAME_WITHDRAW, IN, 2);
        answered(FRAME_WITHDRAWN, 2);
        offer(ELEM_FIRM, 3);
        heard();
        leat_close(leat_tx_of(in));
        struct peer_frame r = peer_expect(&peer, FRAME_SEAL);
        CHECK_EQ(cur_varint(&r.in), IN);
        CHECK_EQ(cur_u8(&r.in), LEAT_CLOSED);
        empty(&f);
        peer_hang_up(&peer);
        works_still(&x);
    }
    pair_close(&x);
    leat_unref(in);
    return LEAT_OK;
}

/* A relay cannot pass it on: a try finds nobody, and who waits learns that the way is lost. */
static leat_err passes_on(leat_none *none)
{
    struct pair x = served();
    struct full f = { .made = 0 };
    leat_chan(struct num) in = leat_chan_make(struct num, 0);
    leat_tx(struct num) tx;
    (void)none;
    leat_with_deadline(LEAT_S(50)) {
        CHECK_EQ(leat_export(x.a, "in", leat_tx_of(in), num), LEAT_OK);
        CHECK_EQ(leat_import(x.p, "in", &tx, num, 0), LEAT_OK);
        CHECK_EQ(leat_export(x.b, "on", tx, num), LEAT_OK);
        CHECK_EQ(leat_node_listen(x.b, another_url()), LEAT_OK);
        peer_dial(&peer, leat_node_url(x.b), 9);
        CHECK_EQ(peer_attach(&peer, IN, &num_type, "on", true), 0);
        fill(&f);
        offer(ELEM_SOFT, 1);
        answered(FRAME_BUSY, 1);
        offer(ELEM_FIRM, 2);
        struct peer_frame r = peer_expect(&peer, FRAME_SEAL);
        CHECK_EQ(cur_varint(&r.in), IN);
        CHECK_EQ(cur_u8(&r.in), LEAT_PEER_LOST);
        CHECK_EQ(cur_u8(&r.in), 1);                  /* it was not taken */
        empty(&f);
        peer_hang_up(&peer);
        works_still(&x);
    }
    leat_unref(tx);
    pair_close(&x);
    leat_unref(in);
    return LEAT_OK;
}

/* -- deals --------------------------------------------------------------------------------------------------------------------------- */
static leat_workers *ws;
static char deal_text[200];
static uint64_t left;                                /* elements that no deal has taken */

/* A deal of two elements, when there are so many stacks.  The last result that is an error: *text. */
static leat_err deal(struct full *f, int stacks, char *text, size_t cap)
{
    leat_deal_opts o = { .errors = true };
    leat_chan(struct num) in = leat_chan_make(struct num, 2);
    leat_chan(struct num_reply) out = leat_chan_make(struct num_reply, 2);
    struct num_reply r;
    text[0] = 0;
    CHECK(leat_send(in, { 1 }) == LEAT_OK && leat_send(in, { 2 }) == LEAT_OK);
    leat_close(in);
    fill(f);
    for (int i = 0; i < stacks; i++)
        give_one(f);
    leat_err err = leat_deal(ws, store, twice, leat_rx_of(in), leat_tx_of(out), &o);
    snprintf(deal_text, sizeof deal_text, "%s", leat_err_detail());
    left = leat_len(in);
    for (uint64_t n = 0; err == LEAT_OK && n < 2; n++) {
        CHECK_EQ(leat_recv(out, &r), LEAT_OK);
        if (r.reply.err != LEAT_OK)
            snprintf(text, cap, "%s", r.reply.detail);
        leat_drop(num_reply, &r);
    }
    leat_unref(in);
    leat_unref(out);
    return err;
}

static leat_err deals(leat_none *none)
{
    struct pair x = served();
    struct full f = { .made = 0 };
    char text[200] = "";
    leat_err err = LEAT_OK;
    bool seen = false;
    (void)none;
    leat_with_deadline(LEAT_S(50)) {
        CHECK_EQ(leat_workers_open(x.b, &ws), LEAT_OK);
        CHECK_EQ(leat_workers_add(ws, x.p), LEAT_OK);
        for (int i = 0; i < TRIES && err == LEAT_OK; i++)
            err = deal(&f, 0, text, sizeof text);
        CHECK_EQ(err, LEAT_NOMEM);
        CHECK_HAS(deal_text, "no memory for the stack of the task leat_deal results");
        CHECK_EQ(left, 2);
        for (int i = 0; i < TRIES && !seen; i++) {   /* one for that; none for who calls, and who watches the worker */
            err = deal(&f, 1, text, sizeof text);
            CHECK(err == LEAT_OK || err == LEAT_NOMEM);
            seen = err == LEAT_OK && strstr(text, "'store.twice' was not called: no memory for a stack");
        }
        CHECK(seen);
        empty(&f);
        leat_workers_close(ws);
        works_still(&x);
    }
    pair_close(&x);
    return LEAT_OK;
}

/* -- net/rpc ------------------------------------------------------------------------------------------------------------------------- */
struct server { leat_node *n; leat_listener *l; };
static leat_err serve(struct server *s) { return leat_netrpc_serve(s->n, s->l); }

static leat_err call_netrpc(leat_netrpc *c)
{
    struct num out = { 0 };
    leat_err err = leat_netrpc_call(c, "store.twice", num, &(struct num){ 4 }, num, &out);
    CHECK(err != LEAT_OK || out.n == 8);
    return err;
}

/* Who connects when the server has no stack is served when it has.  This client has no tasks. */
static void served_later(struct full *f, const char *at_url)
{
    static struct netrpc c;
    struct Request ask = { .service_method = LEAT_STRING("store.twice"), .seq = 7 };
    struct Response head = { .seq = 0 };
    struct num out = { 0 };
    leat_conn *conn;
    fill(f);
    int64_t began = leat_now().ns;
    CHECK_EQ(leat_dial(at_url, &conn), LEAT_OK);
    CHECK_EQ(netrpc_open(&c, conn), LEAT_OK);
    CHECK_EQ(netrpc_put(&c, &Request_type, &ask, &num_type, &(struct num){ 4 }), LEAT_OK);
    CHECK_EQ(leat_write(conn, c.out.p, c.out.len), LEAT_OK);
    wait_starved(began);
    empty(f);
    CHECK_EQ(netrpc_get(&c, &Response_type, &head), LEAT_OK);
    CHECK_EQ(head.seq, 7);
    CHECK_EQ(head.error.len, 0);
    CHECK_EQ(netrpc_get(&c, &num_type, &out), LEAT_OK);
    CHECK_EQ(out.n, 8);
    leat_drop(Response, &head);
    netrpc_free(&c);
    leat_conn_close(conn);
}

static leat_err netrpc(leat_none *none)
{
    struct pair x = served();
    struct full f = { .made = 0 };
    leat_err err = LEAT_OK;
    leat_group g = { 0 };
    leat_netrpc *c, *late;
    struct server s = { .n = x.a };
    (void)none;
    leat_with_deadline(LEAT_S(50)) {
        CHECK_EQ(leat_listen(place == UNIX ? another_url() : url, &s.l), LEAT_OK);
        leat_addr at_ = leat_listener_addr(s.l);
        CHECK_EQ(leat_go(&g, serve, s), LEAT_OK);
        CHECK_EQ(leat_netrpc_dial(at_.url, &c), LEAT_OK);
        CHECK_EQ(call_netrpc(c), LEAT_OK);
        for (int i = 0; i < TRIES && err == LEAT_OK; i++) {          /* a call */
            fill(&f);
            err = call_netrpc(c);
        }
        CHECK_EQ(err, LEAT_REMOTE);
        CHECK_HAS(leat_err_detail(), "no memory for the stack of the task run_job");
        for (err = LEAT_OK; err == LEAT_OK; ) {      /* a client */
            fill(&f);
            if ((err = leat_netrpc_dial(at_.url, &late)) == LEAT_OK)
                leat_netrpc_close(late);
        }
        CHECK_EQ(err, LEAT_NOMEM);
        served_later(&f, at_.url);
        CHECK_EQ(call_netrpc(c), LEAT_OK);
        leat_netrpc_close(c);
        leat_listener_break(s.l);
        CHECK_EQ(leat_group_wait(&g), LEAT_OK);
        leat_listener_close(s.l);
        works_still(&x);
    }
    pair_close(&x);
    return LEAT_OK;
}

#define HERE_AND_THERE(id, fn) TEST(id##_inproc) { starve_run(INPROC, fn); } APART(id, fn)
#define APART(id, fn) TEST(id##_unix) { starve_run(UNIX, fn); } TEST(id##_tcp) { starve_run(TCP, fn); }
HERE_AND_THERE(who_listens_without_a_stack_is_told, listens)
HERE_AND_THERE(who_connects_when_there_is_no_stack_is_served_later, accepts)
HERE_AND_THERE(a_session_that_gets_no_writer_ends_alone, half_a_session)
HERE_AND_THERE(a_dial_that_gets_no_task_is_told_and_so_is_its_peer, dials)
HERE_AND_THERE(an_offer_without_a_task_is_taken_withdrawn_or_sealed, offers)
HERE_AND_THERE(an_offer_that_a_relay_has_no_stack_for_is_answered, passes_on)
HERE_AND_THERE(a_deal_without_stacks_fails_alone_or_says_which_element_did, deals)
APART(calls_and_connections_of_net_rpc_without_a_stack_fail_alone, netrpc)

T_MAIN()
